"""Trains a torch module of your own on this project's tasks and judges it as the project judges its
own nets.

    python3 examples/torch_cell.py adding                  nn.LSTM on the adding problem, T = 100
    python3 examples/torch_cell.py adding --module mine    the class Mine below: yours in its place
    python3 examples/torch_cell.py 3bit_memorization       any task of rnn_pathological.py

Our record of the same settings, seed and sequences stands in the last line. What to look out for:
docs/your_own_cell.md.
"""

import argparse
import shlex
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import adding_problem as ap
import harness
import rnn_pathological as rp
import studies


class Mine(torch.nn.Module):
    """Yours. Called as torch.nn.LSTM: inputs (T, B, n_in) -> the states of all steps (T, B, H), and
    anything else.

    This one is the minimal gated unit of Zhou, Wu, Zhang & Zhou (2016), f = sigma(W_f x + U_f h +
    b_f) and h' = tanh(W_h x + U_h (f h) + b_h); the next state is (1 - f) h + f h'.
    """

    def __init__(self, n_in, H):
        super().__init__()
        self.from_input, self.H = torch.nn.Linear(n_in, 2 * H), H
        self.to_gate, self.to_candidate = (torch.nn.Linear(H, H, bias=False) for _ in range(2))

    def forward(self, inputs):
        states, h = [], inputs.new_zeros(inputs.shape[1], self.H)
        for z_f, z_h in zip(*self.from_input(inputs).split(self.H, -1)):  # (B, H) each, step by step
            f = torch.sigmoid(z_f + self.to_gate(h))
            h = h + f * (torch.tanh(z_h + self.to_candidate(f * h)) - h)
            states.append(h)
        return torch.stack(states), h


MODULES = {"lstm": torch.nn.LSTM, "mine": Mine}


class Net(torch.nn.Module):
    """A recurrent module and a linear readout of its last steps, which also answers in our layout."""

    def __init__(self, recurrent, n_in, H, n_out, outputs, B):
        super().__init__()
        self.recurrent, self.readout = recurrent(n_in, H), torch.nn.Linear(H, n_out)
        self.outputs, self.B = outputs, B  # steps that are read out; sequences judged at once

    def answer(self, x):
        """(outputs, B, n_out) for our x (T, n_in, B): torch wants the channels last."""
        inputs = torch.as_tensor(x, dtype=torch.float32).permute(0, 2, 1)
        return self.readout(self.recurrent(inputs)[0][-self.outputs :])

    @torch.no_grad()
    def forward(self, x):
        """(outputs, n_out, B) for x (T, n_in, B), both numpy: this is what our judges call."""
        return self.answer(x).permute(0, 2, 1).numpy()


def loss_of(y, target, classes):
    """What we minimise: the mean cross-entropy, or half the mean squared error. y: (outputs, B,
    n_out); target: (outputs, B), or (B,) of the last step."""
    target = torch.as_tensor(target)
    if classes:
        return torch.nn.functional.cross_entropy(y.flatten(0, 1), target.flatten())
    return 0.5 * ((y[..., 0] - target) ** 2).mean()  # y[..., 0], never (B, 1) against (B,)


def train(net, batches, settings, classes, iters, learning_rate):
    """Adam with the gradient clipped and the rate of each iteration as ours."""
    optimizer = torch.optim.Adam(net.parameters())
    name = "cross-entropy" if classes else "half the MSE"
    for iteration, (x, target) in zip(range(1, iters + 1), batches):
        optimizer.param_groups[0]["lr"] = learning_rate(settings, iteration)
        loss = loss_of(net.answer(x), target, classes)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), settings.clip)
        optimizer.step()
        if iteration % max(1, iters // 8) == 0:
            print(f"iteration {iteration} of {iters}, {name} {loss.item():.5f}", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description="nn.LSTM, or your module, on our tasks.")
    parser.add_argument("task", choices=("adding", *rp.TASKS))
    parser.add_argument("--module", choices=MODULES, default="lstm")
    parser.add_argument("--seed", type=harness.flag_value(int, 0, 2**62), default=0)
    parser.add_argument("--iters", type=harness.flag_value(int, 1, 10**9),
                        help="training iterations (default: as many as ours)")
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)  # products this small gain nothing from more

    if args.task == "adding":
        experiment, choice = ap, dict(seed=args.seed)
        settings = ap.Settings(**choice)
        iters, n_in, n_out, outputs, classes = settings.iters, ap.N_IN, ap.N_OUT, 1, False
        batches = ap.training_batches(ap.streams(args.seed)["train"], settings.T, settings.batch)
        B = ap.N_TEST
    else:
        experiment, choice = rp, dict(
            task=args.task, cell="lstm", hidden=32, optimizer="adam", lr=5e-3, epochs=20,
            dtype="float32", seed=args.seed)
        settings = rp.Settings(**choice)
        task, B = rp.task_of(settings), rp.TOGETHER
        outputs = task.outputs or task.steps(settings.sequence_len)
        iters, n_in, n_out, classes = rp.updates_of(settings), task.n_in, task.n_out, task.classes
        batches = rp.training_batches(
            rp.streams(args.seed)["train"], settings, rp.Lengths(settings))
    iters = args.iters or iters
    net = Net(MODULES[args.module], n_in, settings.hidden, n_out, outputs, B)
    train(net, batches, settings, classes, iters, experiment.learning_rate)

    if experiment is ap:
        found = ap.evaluate(net, *ap.held_out(settings))
    else:
        found = rp.evaluate(net, settings, rp.N_TEST)
    print(f"{args.module}, {args.task}, seed {args.seed}: "
          f"{experiment.figure_words(vars(settings), found)}, {iters} iterations")
    results = harness.read_results(ROOT / "results.json")
    ours = studies.find(results, experiment.EXPERIMENT, settings)
    command = ["python3", f"{experiment.EXPERIMENT}.py", *studies.flags_of(choice)]
    print(f"ours: {experiment.summary(ours)}" if ours else
          f"ours: no record in results.json yet; this makes it: {shlex.join(command)}")


if __name__ == "__main__":
    main()
