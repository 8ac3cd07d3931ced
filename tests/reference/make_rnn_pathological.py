"""Writes rnn_pathological.npz: losses, gradients and trained weights of torch in double precision.

Run by hand, with torch installed: python3 tests/reference/make_rnn_pathological.py. The tests compare with the
committed file always, and with a fresh calculation where torch is installed.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import rnn_pathological as rp

FILE = Path(__file__).with_name("rnn_pathological.npz")
MODELS = {"tanh": {}, "relu": dict(activation="relu"), "lstm": dict(cell="lstm")}
CASES = {  # outputs: one real, one class, several classes, one class at every step
    "addition": {}, "temporal_order": {}, "noiseless_memorization": dict(bits=3, alphabet=4),
    "random_permutation": dict(vocabulary=7)}
UPDATES, LR, MU = 20, 0.05, 0.9


def case(task, model):
    """Settings, start and batch of a case: (settings, theta, x, target)."""
    size = dict(hidden=5, sequence_len=12, batch=3, input_scale=0.4)
    settings = rp.Settings(task=task, **size, **CASES[task], **MODELS[model])
    net, rng = rp.build(settings, settings.batch), rp.streams(7)
    rp.initialise(net, settings, rng["init"])
    net.theta += 0.1 * rng["init"].normal(size=net.theta.size)  # biases too
    return settings, net.theta, *rp.task_of(settings).generate(rng["train"], 12, settings.batch)


def torch_answers(task, model):
    """{loss, y, grad, trained}: torch's, with grad and trained in the order of the flat parameter vector; trained is
    theta after some updates of torch.optim.SGD with momentum on the same batch."""
    import torch

    settings, theta, x, target = case(task, model)
    task, H = rp.task_of(settings), settings.hidden
    kind = torch.nn.LSTM if model == "lstm" else lambda *sizes: torch.nn.RNN(*sizes, nonlinearity=model)
    recurrent, linear = kind(task.n_in, H).double(), torch.nn.Linear(H, task.n_out).double()
    order = "oifg" if model == "lstm" else "h"  # our blocks of rows; torch has i, f, g, o
    rows = np.concatenate([np.arange(H) + H * order.index(gate) for gate in ("ifgo" if model == "lstm" else "h")])
    ours = rp.build(settings, settings.batch, theta)
    with torch.no_grad():
        for tensor, value in (
                (recurrent.weight_hh_l0, ours.W[rows, :H]), (recurrent.weight_ih_l0, ours.W[rows, H:-1]),
                (recurrent.bias_hh_l0, ours.W[rows, -1]), (linear.weight, ours.W_hy), (linear.bias, ours.b_y)):
            tensor.copy_(torch.tensor(value))
        recurrent.bias_ih_l0.zero_()
    recurrent.bias_ih_l0.requires_grad_(False)
    parameters = [p for p in (*recurrent.parameters(), *linear.parameters()) if p.requires_grad]
    inputs, goal = torch.tensor(x.transpose(0, 2, 1).copy()), torch.tensor(target)

    def forward():
        y = linear(recurrent(inputs)[0][-len(target) :])  # (outputs, B, n_out)
        if task.classes:
            return y, torch.nn.functional.cross_entropy(y.flatten(0, 1), goal.flatten())
        return y, 0.5 * ((y[..., 0] - goal) ** 2).mean()

    def flat(values):
        net = rp.build(settings, settings.batch, np.zeros_like(theta))
        back, (W_hh, W_xh, b_h, W_hy, b_y) = np.argsort(rows), [value.detach().numpy() for value in values]
        net.W[:] = np.concatenate([W_hh, W_xh, b_h[:, None]], 1)[back]
        net.W_hy[:], net.b_y[:] = W_hy, b_y
        return net.theta

    def named(attribute):
        tensors = (recurrent.weight_hh_l0, recurrent.weight_ih_l0, recurrent.bias_hh_l0, linear.weight, linear.bias)
        return flat([getattr(tensor, attribute) for tensor in tensors])

    y, loss = forward()
    loss.backward()
    answers = {"loss": loss.item(), "y": y.detach().numpy().transpose(0, 2, 1), "grad": named("grad")}
    optimizer = torch.optim.SGD(parameters, lr=LR, momentum=MU)
    for _ in range(UPDATES):
        optimizer.zero_grad()
        forward()[1].backward()
        optimizer.step()
    return answers | {"trained": named("data")}


if __name__ == "__main__":
    arrays = {
        f"{task}/{model}/{name}": value for task in CASES for model in MODELS
        for name, value in torch_answers(task, model).items()}
    np.savez_compressed(FILE, **arrays)
    print(f"{FILE.name}: {len(arrays)} arrays")
