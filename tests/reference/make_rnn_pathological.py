"""Writes rnn_pathological.npz: losses, gradients and trained weights of torch in double precision.

Run by hand, with torch installed: python3 tests/reference/make_rnn_pathological.py. The tests compare with the
committed file always, and with a fresh calculation where torch is installed.
"""

import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[level]) for level in (1, 2)]
import rnn_pathological as rp

FILE = Path(__file__).with_name("rnn_pathological.npz")
MODELS = {"tanh": {}, "relu": dict(activation="relu"), "lstm": dict(cell="lstm"), "gru": dict(cell="gru")}
CASES = {  # outputs: one real, one class, several classes, one class at every step
    "addition": {}, "temporal_order": {}, "noiseless_memorization": dict(bits=3, alphabet=4),
    "random_permutation": dict(vocabulary=7)}
UPDATES, LR, MU = 20, 0.05, 0.9


def case(task, model):
    """Settings, start and batch of a case: (settings, theta, x, target)."""
    size = dict(hidden=5, sequence_len=12, batch=3, input_scale=0.4, dtype="float64")
    settings = rp.Settings(task=task, **size, **CASES[task], **MODELS[model])
    net, rng = rp.build(settings, settings.batch), rp.streams(7)
    rp.initialise(net, settings, rng["init"])
    net.theta += 0.1 * rng["init"].normal(size=net.theta.size)  # biases too
    for name in net.absent:
        net.tensors(net.theta, absent=True)[name][:] = 0
    return settings, net.theta, *rp.task_of(settings).generate(rng["train"], 12, settings.batch)


def torch_answers(task, model):
    """{loss, y, grad, trained}: torch's, with grad and trained in the order of the flat parameter vector; trained is
    theta after some updates of torch.optim.SGD with momentum on the same batch."""
    import torch
    from torch_models import hidden_states, leaves_of

    settings, theta, x, target = case(task, model)
    task, ours = rp.task_of(settings), rp.build(settings, settings.batch, theta)
    leaves, goal = leaves_of(ours.tensors(theta)), torch.tensor(target)
    inputs = torch.tensor(x.transpose(0, 2, 1).copy())  # (T, B, n_in)

    def forward():
        h = hidden_states(model, leaves, inputs)[-len(target) :]
        y = h @ leaves["W_hy"].T + leaves["b_y"]  # (outputs, B, n_out)
        if task.classes:
            return y, torch.nn.functional.cross_entropy(y.flatten(0, 1), goal.flatten())
        return y, 0.5 * ((y[..., 0] - goal) ** 2).mean()

    def flat(attribute):
        vector = np.zeros_like(theta)
        for name, tensor in ours.tensors(vector).items():
            tensor[:] = getattr(leaves[name], attribute).detach().numpy()
        return vector

    y, loss = forward()
    loss.backward()
    answers = {"loss": loss.item(), "y": y.detach().numpy().transpose(0, 2, 1), "grad": flat("grad")}
    optimizer = torch.optim.SGD(leaves.values(), lr=LR, momentum=MU)
    for _ in range(UPDATES):
        optimizer.zero_grad()
        forward()[1].backward()
        optimizer.step()
    return answers | {"trained": flat("data")}


if __name__ == "__main__":
    arrays = {
        f"{task}/{model}/{name}": value for task in CASES for model in MODELS
        for name, value in torch_answers(task, model).items()}
    np.savez_compressed(FILE, **arrays)
    print(f"{FILE.name}: {len(arrays)} arrays")
