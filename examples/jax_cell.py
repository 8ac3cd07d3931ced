"""Trains a cell of your own in JAX on this project's tasks and judges it as the project judges its
own nets.

    python3 examples/jax_cell.py adding                  an LSTM on the adding problem, T = 100
    python3 examples/jax_cell.py adding --cell mine      the function mine below: yours in its place
    python3 examples/jax_cell.py 3bit_memorization       any task of rnn_pathological.py

Our record of the same settings, seed and sequences stands in the last line. What to look out for:
docs/your_own_cell.md. Needs jax (requirements-bench.txt).
"""

import argparse
import functools
import shlex
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import adding_problem as ap
import harness
import rnn_pathological as rp
import studies


def lstm(W, state, x):
    """A step of the LSTM with gates in the order i, f, g, o; state: (h, c), each (B, H)."""
    h, c = state
    i, f, g, o = jnp.split(jnp.concatenate([h, x], 1) @ W["W"] + W["b"], 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def mine(W, state, x):
    """Yours: weights, state and inputs (B, n_in) -> the next state, whose first part is read out.

    This one is a tanh unit with a gate between its old and its new value, f h' + (1 - f) h.
    """
    h, rest = state
    f, new = jnp.split(jnp.concatenate([h, x], 1) @ W["W"] + W["b"], 2, axis=1)
    f = jax.nn.sigmoid(f)
    return f * jnp.tanh(new) + (1 - f) * h, rest


CELLS = {"lstm": (lstm, 4), "mine": (mine, 2)}  # and how many blocks of H columns W has


def start(key, blocks, n_in, H, n_out):
    """First weights: normal with variance 1 over the number of sources, biases 0."""
    one, other = jax.random.split(key)
    return {
        "W": jax.random.normal(one, (H + n_in, blocks * H)) / (H + n_in) ** 0.5,
        "b": jnp.zeros(blocks * H),
        "W_hy": jax.random.normal(other, (H, n_out)) / H**0.5, "b_y": jnp.zeros(n_out)}


@functools.partial(jax.jit, static_argnums=(0, 3))
def answer(cell, W, x, outputs):
    """(outputs, B, n_out) for our x (T, n_in, B): JAX, as torch, wants the channels last."""

    def step(state, x_t):
        state = cell(W, state, x_t)
        return state, state[0]

    inputs = jnp.asarray(x, jnp.float32).transpose(0, 2, 1)  # (T, B, n_in)
    zero = jnp.zeros((inputs.shape[1], len(W["W_hy"])))
    _, h = jax.lax.scan(step, (zero, zero), inputs)
    return h[-outputs:] @ W["W_hy"] + W["b_y"]


def loss_of(y, target, classes):
    """What we minimise: the mean cross-entropy, or half the mean squared error. y: (outputs, B,
    n_out); target: (outputs, B)."""
    if classes:
        right = jnp.take_along_axis(jax.nn.log_softmax(y), target[..., None], -1)
        return -right.mean()
    return 0.5 * ((y[..., 0] - target) ** 2).mean()


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def update(cell, classes, outputs, state, x, target, lr, clip):
    """A step of Adam on the gradient, clipped to a global norm as ours; state: weights, m, v, t."""
    W, m, v, t = state
    gradient = jax.grad(lambda W: loss_of(answer(cell, W, x, outputs), target, classes))(W)
    norm = jnp.sqrt(sum((part**2).sum() for part in jax.tree.leaves(gradient)))
    gradient = jax.tree.map(lambda part: part * jnp.minimum(1, clip / norm), gradient)
    m = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, m, gradient)
    v = jax.tree.map(lambda old, new: 0.999 * old + 0.001 * new**2, v, gradient)
    t += 1
    W = jax.tree.map(lambda W, m, v: W - lr * (m / (1 - 0.9**t)) / (
        jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), W, m, v)
    return W, m, v, t


class Judged:
    """Trained weights as our judges call a net: forward(x) takes x (T, n_in, B) and returns
    (outputs, n_out, B), both numpy."""

    def __init__(self, cell, W, outputs, B):
        self.cell, self.W, self.outputs, self.B = cell, W, outputs, B

    def forward(self, x):
        return np.asarray(answer(self.cell, self.W, x, self.outputs)).transpose(0, 2, 1)


def main(argv=None):
    parser = argparse.ArgumentParser(description="An LSTM, or your cell, in JAX on our tasks.")
    parser.add_argument("task", choices=("adding", *rp.TASKS))
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    parser.add_argument("--seed", type=harness.flag_value(int, 0, 2**62), default=0)
    parser.add_argument("--iters", type=harness.flag_value(int, 1, 10**9),
                        help="training iterations (default: as many as ours)")
    args = parser.parse_args(argv)
    cell, blocks = CELLS[args.cell]

    rng = ap.streams(args.seed)["train"]
    if args.task == "adding":
        experiment, choice = ap, dict(seed=args.seed)
        settings = ap.Settings(**choice)
        iters, n_in, n_out, outputs, classes = settings.iters, ap.N_IN, ap.N_OUT, 1, False
        batches = ap.training_batches(rng, settings.T, settings.batch)
    else:
        experiment, choice = rp, dict(
            task=args.task, cell="lstm", hidden=32, optimizer="adam", lr=5e-3, epochs=20,
            dtype="float32", seed=args.seed)
        settings = rp.Settings(**choice)
        task = rp.task_of(settings)
        outputs = task.outputs or task.steps(settings.sequence_len)
        iters, n_in, n_out, classes = rp.updates_of(settings), task.n_in, task.n_out, task.classes
        batches = rp.training_batches(rng, settings, rp.Lengths(settings))
    iters = args.iters or iters

    W = start(jax.random.key(args.seed), blocks, n_in, settings.hidden, n_out)
    state = W, jax.tree.map(jnp.zeros_like, W), jax.tree.map(jnp.zeros_like, W), 0
    for iteration, (x, target) in zip(range(1, iters + 1), batches):
        lr = experiment.learning_rate(settings, iteration)
        state = update(cell, classes, outputs, state, x, np.atleast_2d(target), lr, settings.clip)
        if iteration % max(1, iters // 8) == 0:
            print(f"iteration {iteration} of {iters}", flush=True)

    if experiment is ap:
        found = ap.evaluate(Judged(cell, state[0], outputs, ap.N_TEST), *ap.held_out(settings))
    else:
        found = rp.evaluate(Judged(cell, state[0], outputs, rp.TOGETHER), settings, rp.N_TEST)
    print(f"{args.cell}, {args.task}, seed {args.seed}: "
          f"{experiment.figure_words(vars(settings), found)}, {iters} iterations")
    results = harness.read_results(ROOT / "results.json")
    ours = studies.find(results, experiment.EXPERIMENT, settings)
    command = ["python3", f"{experiment.EXPERIMENT}.py", *studies.flags_of(choice)]
    print(f"ours: {experiment.summary(ours)}" if ours else
          f"ours: no record in results.json yet; this makes it: {shlex.join(command)}")


if __name__ == "__main__":
    main()
