# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""The pathological tasks: what a tanh RNN remembers, and how its recurrent matrix must start, in pure numpy.

Sources: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation 9(8):1735-1780 (the tasks);
Martens & Sutskever (2011), "Learning Recurrent Neural Networks with Hessian-Free Optimization", ICML (the seven as a
set); Sutskever, Martens, Dahl & Hinton (2013), "On the importance of initialization and momentum in deep learning",
ICML (momentum, scale of the start).

Task: a few informative steps, many steps of distraction, an answer at the end. Eight tasks: addition, multiplication,
xor, temporal_order, temporal_order_3, random_permutation, noiseless_memorization, 3bit_memorization.

Criterion: on held-out sequences, the mean squared error (MSE) or the accuracy, and the rate of wrong sequences
(|error| > 0.04, or a wrong symbol). SOLVED below states when a task counts as solved.

Commands:
    python3 rnn_pathological.py                       one run: addition, T = 30, orthogonal start, seed 0
    python3 rnn_pathological.py --all --seed 0        the headline: three tasks, orthogonal and small random start
    python3 rnn_pathological.py --all --seeds 0-9 --jobs 2
    python3 rnn_pathological.py --recipe sutskever2013 --nesterov --momentum-max 0.995      their setting: addition
    python3 rnn_pathological.py --gradcheck           every weight, every task, start and cell

Expect: under a minute for --all on an idle machine; at seed 0 the orthogonal start solves the three tasks, the small
random start none. Each run writes one record into results.json.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # these products are too small for threads, and one thread keeps the bits

import argparse
import ast
import collections
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import math
import multiprocessing
import platform
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

EXPERIMENT = "rnn_pathological"
N_TEST, N_CURVE = 10_000, 1000  # held-out sequences for the final figures; the first of them, for the curves
TOLERANCE = 0.04  # a larger |error| of a sum or product is wrong
WINDOW = 30  # updates over which a curriculum judges
STOP_WINDOW = 100  # updates over which --stop-at judges
HEADLINE_TASKS = ("addition", "temporal_order", "3bit_memorization")
HEADLINE_INITS = ("ortho", "random")


# ----------------------------------------------------------------------------------------------------------------------
# Settings
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: settings ---
def setting(default, help, group, kind=None, low=None, high=None, choices=None):
    """A dataclass field that is also a command-line flag: default, meaning, --help group, and what it may be.

    kind is the type of a given value (that of the default if left out); low and high are inclusive bounds.
    """
    metadata = dict(help=help, group=group, kind=kind or type(default), low=low, high=high, choices=choices)
    return dataclasses.field(default=default, metadata=metadata)
# --- end shared ---


TASKS = (
    "addition", "multiplication", "xor", "temporal_order", "temporal_order_3", "random_permutation",
    "noiseless_memorization", "3bit_memorization")
INITS = ("ortho", "random", "gaussian", "identity", "sparse")
SHORTEST = {"temporal_order_3": 3, "noiseless_memorization": 1, "3bit_memorization": 4}  # the others: 2


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    task: str = setting("addition", "what is learned", "task", choices=TASKS)
    sequence_len: int | None = setting(
        None, "T, steps in a sequence, in noiseless_memorization the delay (default: 30 for addition, multiplication "
        "and xor, else 60)", "task", kind=int, low=1, high=100_000)
    bits: int | None = setting(
        None, "symbols to remember, noiseless_memorization only (default: 5)", "task", kind=int, low=1, high=1000)
    alphabet: int | None = setting(
        None, "kinds of such symbols, noiseless_memorization only (default: 2)", "task", kind=int, low=2, high=1000)
    vocabulary: int | None = setting(
        None, "kinds of symbols, random_permutation only (default: 100)", "task", kind=int, low=3, high=10_000)
    cell: str = setting("rnn", "rnn or lstm (with forget gate)", "model", choices=("rnn", "lstm"))
    activation: str | None = setting(
        None, "of the rnn (default: tanh)", "model", kind=str, choices=("tanh", "relu"))
    hidden: int = setting(64, "hidden units", "model", low=1, high=4096)
    init: str = setting(
        "ortho", "start of W_hh: ortho, random N(0, 0.1^2), gaussian N(0, 1/H), identity, or sparse (15 incoming "
        "weights a unit)", "model", choices=INITS)
    spectral_radius: float | None = setting(
        None, "rescales that start to this largest |eigenvalue| (default: 1.1 for sparse, else as it falls)", "model",
        kind=float, low=0, high=1e12)
    input_scale: float = setting(0.1, "W_xh starts at N(0, this^2)", "model", low=0, high=1e6)
    output_scale: float | None = setting(
        None, "W_hy starts at N(0, this^2) (default: H^-0.5)", "model", kind=float, low=0, high=1e6)
    forget_bias: float | None = setting(
        None, "start of the forget gate's bias, lstm only (default: 1)", "model", kind=float, low=-1e6, high=1e6)
    centre: bool = setting(False, "subtract the mean input; start b_y at the mean target of a regression", "model")
    epochs: int = setting(80, "epochs", "training", low=1, high=10**8)
    batches_per_epoch: int = setting(30, "updates in an epoch", "training", low=1, high=10**8)
    batch: int = setting(50, "sequences in a batch", "training", low=1, high=65_536)
    optimizer: str = setting("momentum", "momentum (heavy ball, or --nesterov) or adam", "training",
                             choices=("momentum", "adam"))
    lr: float = setting(0.01, "learning rate", "training", low=1e-12, high=1e12)
    lr_decay_every: int = setting(0, "updates between halvings of the rate, 0 for none", "training", low=0, high=10**8)
    momentum: float | None = setting(
        None, "momentum coefficient (default: 0.9)", "training", kind=float, low=0, high=1)
    momentum_max: float | None = setting(
        None, "momentum coefficient after the warm-up (default: the same)", "training", kind=float, low=0, high=1)
    momentum_warmup: int | None = setting(
        None, "updates before --momentum-max (default: 1000)", "training", kind=int, low=0, high=10**8)
    nesterov: bool = setting(False, "Nesterov's momentum: the gradient is taken ahead", "training")
    clip: float = setting(1.0, "largest global L2 norm of a gradient", "training", low=1e-12, high=1e12)
    curriculum: str | None = setting(
        None, "START:STEP:THRESHOLD: train at length START, and STEP longer up to T whenever the mean accuracy of the "
        f"last {WINDOW} batches is above THRESHOLD (their MSE below it, in a regression)", "training", kind=str)
    mixed_lengths: int | None = setting(
        None, "shortest length: each batch draws its own, up to T or to the curriculum's", "training", kind=int,
        low=1, high=100_000)
    stop_at: float | None = setting(
        None, f"end once the mean accuracy of the last {STOP_WINDOW} training batches, all after the curriculum has "
        "reached T, is above this (their MSE below it, in a regression)", "training", kind=float, low=0, high=1e6)
    dtype: str = setting("float64", "precision of weights and activations", "training", choices=("float64", "float32"))
    seed: int = setting(0, "seed of the four random streams", "training", low=0, high=2**63 - 1)

    def __post_init__(self):
        """Fills what depends on other settings. Raises ValueError for settings that contradict one another."""
        self.fill("cell", "rnn", activation="tanh")
        self.fill("cell", "lstm", forget_bias=1.0)
        self.fill("task", "noiseless_memorization", bits=5, alphabet=2)
        self.fill("task", "random_permutation", vocabulary=100)
        self.fill("optimizer", "momentum", momentum=0.9)
        if self.optimizer == "adam" and (self.nesterov or self.momentum_max is not None):
            raise ValueError("--nesterov and --momentum-max need --optimizer momentum")
        if self.momentum_max is not None:
            object.__setattr__(self, "momentum_warmup", 1000 if self.momentum_warmup is None else self.momentum_warmup)
        elif self.momentum_warmup is not None:
            raise ValueError("--momentum-warmup needs --momentum-max")
        short = self.task in ("addition", "multiplication", "xor")
        general = dict(
            sequence_len=30 if short else 60, output_scale=self.hidden**-0.5,
            spectral_radius=1.1 if self.init == "sparse" else None)
        for name, value in general.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        self.check_lengths()
        self.check_memory()

    def check_lengths(self):
        """Raises ValueError for lengths that the task cannot have and for thresholds that cannot be reached."""
        shortest, T = SHORTEST.get(self.task, 2), self.sequence_len
        lowest = shortest if self.mixed_lengths is None else self.mixed_lengths
        start, _, threshold = (T, 0, 0.0) if self.curriculum is None else parse_curriculum(self.curriculum)
        if T < shortest:
            raise ValueError(f"--sequence-len {T} is too short: {self.task} needs {shortest}")
        if not shortest <= lowest <= T:
            raise ValueError(f"--mixed-lengths {lowest} is not between {shortest} and T = {T}")
        if not lowest <= start <= T:
            raise ValueError(f"--curriculum {self.curriculum} does not start between {lowest} and T = {T}")
        if task_of(self).classes and max(threshold, self.stop_at or 0.0) >= 1:
            raise ValueError("no accuracy is above 1: lower the threshold of --curriculum or --stop-at")

    def check_memory(self):
        """Raises ValueError for settings that would need more than 4 GB."""
        task, rows = task_of(self), self.hidden * (13 if self.cell == "lstm" else 3)
        steps = task.steps(self.sequence_len)
        values = steps * self.batch * (rows + 3 * task.n_in + 40) + steps * (rows + self.hidden) * self.hidden
        gigabytes = values * np.dtype(self.dtype).itemsize / 1e9
        if gigabytes > 4:
            raise ValueError(
                f"these settings need about {gigabytes:.0f} GB of memory: lower --sequence-len, --batch or --hidden")

    def fill(self, name, value, **defaults):
        """Gives settings their defaults where setting `name` has this value. Raises ValueError if given elsewhere."""
        for other, default in defaults.items():
            given = getattr(self, other) is not None
            if getattr(self, name) == value and not given:
                object.__setattr__(self, other, default)
            elif getattr(self, name) != value and given:
                raise ValueError(f"--{other.replace('_', '-')} needs --{name} {value}")


def sutskever_2013(task, alphabet=None):
    """What --recipe sutskever2013 fills in: the setting of Sutskever et al. (2013), section 4 and Table 4.

    Their four tasks: addition, multiplication, noiseless_memorization (5 bits), and with alphabet=5 its form with ten
    5-ary symbols. Momentum is 0.9 for 1000 updates; --nesterov and --momentum-max name a column of their Table 5. They
    mention no clipping: this limit never acts. Returns settings by name. Raises ValueError for another task.
    """
    pair = dict(sequence_len=80, input_scale=0.001)
    tasks = {
        "addition": pair, "multiplication": pair, "noiseless_memorization": dict(sequence_len=200, input_scale=0.1)}
    if task not in tasks:
        raise ValueError(f"--recipe sutskever2013 has no {task}: its tasks are {', '.join(tasks)}")
    ten_symbols = dict(sequence_len=80, bits=10) if task == "noiseless_memorization" and alphabet == 5 else {}
    return dict(
        hidden=100, init="sparse", output_scale=0.1, centre=True, epochs=50, batches_per_epoch=1000, batch=100, lr=1e-3,
        clip=1e12, dtype="float32") | tasks[task] | ten_symbols


def parse_curriculum(text):
    """START:STEP:THRESHOLD as (int, int, float). Raises ValueError."""
    try:
        start, step, threshold = text.split(":")
        start, step, threshold = int(start), int(step), float(threshold)
    except ValueError:
        raise ValueError(f"--curriculum {text!r} is not START:STEP:THRESHOLD, such as 5:1:0.9") from None
    if start < 1 or step < 1 or not 0 < threshold < math.inf:
        raise ValueError(f"--curriculum {text!r}: START and STEP are at least 1, THRESHOLD is positive")
    return start, step, threshold


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    eval_every: int = setting(
        0, "epochs between evaluations on the held-out set; 0: at most 80 evaluations a run", "output", low=0,
        high=10**8)
    keep_weights: bool = setting(False, "store the final weights in the record", "output")
    jobs: int = setting(1, "processes, for several runs", "output", low=1, high=1024)
    out: str = setting("results.json", "file of results", "output")


# ----------------------------------------------------------------------------------------------------------------------
# Task
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: streams ---
def streams(seed):
    """The four independent random streams of a seed: init, train, eval, display. Returns a dict of Generators."""
    children = np.random.SeedSequence(seed).spawn(4)
    names = ("init", "train", "eval", "display")
    return {name: np.random.Generator(np.random.PCG64(child)) for name, child in zip(names, children)}
# --- end shared ---


@dataclasses.dataclass(frozen=True)
class Task:
    """What a net sees and must say. Classes: softmax and cross-entropy; otherwise one linear output."""

    generate: Callable  # (rng, T, n) -> x (steps, n_in, n) and target (outputs, n)
    n_in: int
    n_out: int
    chance: float  # accuracy or MSE of the best answer without memory
    solved: float  # a held-out accuracy above this, or an MSE below it
    classes: bool = True
    extra_steps: int = 0  # beyond T
    outputs: int | None = 1  # the last steps that have a target; None for all
    scored: int = 1  # the last of these, which count

    def steps(self, T):
        """Steps in a sequence."""
        return T + self.extra_steps

    @property
    def metric(self):
        """The name of the figure that says whether the task is solved."""
        return "test_accuracy" if self.classes else "test_mse"

    def passes(self, figure, threshold):
        """Whether an accuracy is above, or an MSE below, a threshold."""
        return figure > threshold if self.classes else figure < threshold

    @property
    def constant_loss(self):
        """Loss of the constant predictor."""
        return math.log(self.n_out) if self.classes else self.chance / 2


def task_of(settings):
    """The Task that the settings name."""
    name, V, S, K = settings.task, settings.vocabulary, settings.bits, settings.alphabet
    if name == "addition":
        return Task(make_addition, n_in=2, n_out=1, chance=1 / 6, solved=0.05, classes=False)
    if name == "multiplication":
        return Task(make_multiplication, n_in=2, n_out=1, chance=7 / 144, solved=0.005, classes=False)
    if name == "xor":
        return Task(make_xor, n_in=2, n_out=2, chance=1 / 2, solved=0.99)
    if name == "temporal_order":
        return Task(make_temporal_order, n_in=6, n_out=4, chance=1 / 4, solved=0.9)
    if name == "temporal_order_3":
        return Task(make_temporal_order_3, n_in=6, n_out=8, chance=1 / 8, solved=0.99)
    if name == "random_permutation":
        generate = lambda rng, T, n: make_random_permutation(rng, T, n, V)  # noqa: E731
        return Task(generate, n_in=V, n_out=V, chance=1 / 2, solved=0.99, outputs=None)
    if name == "noiseless_memorization":
        generate = lambda rng, T, n: make_noiseless_memorization(rng, T, n, S, K)  # noqa: E731
        return Task(
            generate, n_in=K + 2, n_out=K, chance=1 / K, solved=0.99, extra_steps=2 * S, outputs=S, scored=S)
    return Task(make_3bit_memorization, n_in=5, n_out=8, chance=1 / 8, solved=0.9)


def one_hot(symbols, kinds):
    """(T, n) whole numbers as (T, kinds, n) zeros and ones."""
    x = np.zeros((len(symbols), kinds, symbols.shape[1]))
    np.put_along_axis(x, symbols[:, None], 1, axis=1)
    return x


def make_marked_pair(rng, values):
    """A stream of values (T, n) with a marker channel: one step marked in [0, T // 2), one in [T // 2, T).

    Returns x (T, 2, n) and the two marked values, (n,) each.
    """
    T, n = values.shape
    first, second, column = rng.integers(0, T // 2, n), rng.integers(T // 2, T, n), np.arange(n)
    x = np.zeros((T, 2, n))
    x[:, 0] = values
    x[first, 1, column] = 1
    x[second, 1, column] = 1
    return x, values[first, column], values[second, column]


def make_addition(rng, T, n):
    """Hochreiter & Schmidhuber (1997), Experiment 4: the sum of the two marked values, which are U(0, 1).

    Returns x (T, 2, n) and target (1, n). The constant 1 has an MSE of 1/6, the net that uses one marker 1/12.
    """
    x, one, other = make_marked_pair(rng, rng.uniform(0, 1, (T, n)))
    return x, (one + other)[None]


def make_multiplication(rng, T, n):
    """Hochreiter & Schmidhuber (1997), Experiment 5: the product of the two marked values, which are U(0, 1).

    Returns x (T, 2, n) and target (1, n). The constant 1/4 has an MSE of 7/144, the net that uses one marker 1/36.
    """
    x, one, other = make_marked_pair(rng, rng.uniform(0, 1, (T, n)))
    return x, (one * other)[None]


def make_xor(rng, T, n):
    """Martens & Sutskever (2011): the exclusive or of the two marked values, which are fair bits.

    Returns x (T, 2, n) and target (1, n) in {0, 1}. Either bit alone says nothing: chance is 1/2.
    """
    x, one, other = make_marked_pair(rng, rng.integers(0, 2, (T, n)).astype(float))
    return x, (one != other).astype(int)[None]


def ordered_symbols(rng, T, n, starts):
    """Distractors 2 ... 5 with a 0 or 1 in each region [start, start + T/10).

    Returns x (T, 6, n) and target (1, n), the placed symbols read as a binary number.
    """
    symbols, target, column = rng.integers(2, 6, (T, n)), np.zeros(n, int), np.arange(n)
    for start in starts:
        position, symbol = start + rng.integers(0, max(1, T // 10), n), rng.integers(0, 2, n)
        symbols[position, column] = symbol
        target = 2 * target + symbol
    return one_hot(symbols, 6), target[None]


def make_temporal_order(rng, T, n):
    """Hochreiter & Schmidhuber (1997), Experiment 6a: which two symbols, at 10-20% and 50-60% of the sequence.

    Returns x (T, 6, n) and target (1, n), 4 classes.
    """
    return ordered_symbols(rng, T, n, (T // 10, T // 2))


def make_temporal_order_3(rng, T, n):
    """Hochreiter & Schmidhuber (1997), Experiment 6b: which three symbols, from 10%, 33% and 66% of the sequence on.

    Returns x (T, 6, n) and target (1, n), 8 classes.
    """
    return ordered_symbols(rng, T, n, (T // 10, T // 3, 2 * T // 3))


def make_random_permutation(rng, T, n, V):
    """Martens & Sutskever (2011), after Experiment 2b of 1997: predict the next symbol; the last target is the first.

    Symbol 1 is a 0 or 1; the others are random permutations of 2 ... V - 1, one after the other, cut at T. Every step
    has a target, only the last is scored. Returns x (T, V, n) and target (T, n). Nothing between the first and the
    last step tells 0 from 1: chance is 1/2.
    """
    others = np.broadcast_to(np.arange(2, V)[:, None], (V - 2, n))
    blocks = [rng.permuted(others, axis=0) for _ in range(math.ceil((T - 1) / (V - 2)))]
    symbols = np.concatenate([rng.integers(0, 2, (1, n)), *blocks])[:T]
    return one_hot(symbols, V), np.roll(symbols, -1, axis=0)


def make_noiseless_memorization(rng, T, n, S, K):
    """Martens & Sutskever (2011): S symbols of K kinds, T steps of which the last is the trigger, recall in order.

    Symbol K is the blank, K + 1 the trigger. Returns x (S + T + S, K + 2, n) and target (S, n) for the last S steps.
    """
    symbols = np.full((T + 2 * S, n), K)
    symbols[:S] = rng.integers(0, K, (S, n))
    symbols[S + T - 1] = K + 1
    return one_hot(symbols, K + 2), symbols[:S].copy()


def make_3bit_memorization(rng, T, n):
    """Three bits at the first three steps, noise of two kinds, a query at the last step: which of the 8 patterns.

    The form of the public reproduction this project started from, a small relative of the memorization tasks.
    Symbols: bits 0 and 1, query 2, noise 3 and 4. Returns x (T, 5, n) and target (1, n).
    """
    symbols = rng.integers(3, 5, (T, n))
    bits = symbols[:3] = rng.integers(0, 2, (3, n))
    symbols[-1] = 2
    return one_hot(symbols, 5), (4 * bits[0] + 2 * bits[1] + bits[2])[None]


class Lengths:
    """The length of each training batch: T, or as the curriculum has reached, or drawn up to that."""

    def __init__(self, settings):
        self.T = self.longest = settings.sequence_len
        self.shortest, self.step = settings.mixed_lengths, 0
        if settings.curriculum:
            self.longest, self.step, self.threshold = parse_curriculum(settings.curriculum)
        self.recent = collections.deque(maxlen=WINDOW)

    def draw(self, rng):
        """The length of the next batch."""
        return self.longest if self.shortest is None else int(rng.integers(self.shortest, self.longest + 1))

    def report(self, figure, task):
        """Takes a batch's accuracy or MSE; lengthens where the curriculum says so."""
        if self.longest == self.T:
            return
        self.recent.append(figure)
        if len(self.recent) == WINDOW and task.passes(sum(self.recent) / WINDOW, self.threshold):
            self.longest = min(self.longest + self.step, self.T)
            self.recent.clear()


def training_batches(rng, settings, lengths):
    """Yields batches (x, target) without end, at the lengths that `lengths` asks for. Many of one length are drawn at
    once; those left when the length changes are dropped."""
    task, B = task_of(settings), settings.batch
    mean = mean_input(settings)
    while True:
        T, longest = lengths.draw(rng), lengths.longest
        at_once = 1 if lengths.shortest else min(WINDOW, max(1, 2**18 // (task.steps(T) * task.n_in * B)))
        x, target = task.generate(rng, T, at_once * B)
        x -= mean
        for start in range(0, at_once * B, B):
            if lengths.longest == longest:
                yield x[:, :, start : start + B], target[:, start : start + B]


def held_out(settings, n):
    """Yields the first n held-out sequences of a seed, the same at every evaluation, in batches (x, target) of 100."""
    rng, task, mean = streams(settings.seed)["eval"], task_of(settings), mean_input(settings)
    for _ in range(0, n, 100):
        x, target = task.generate(rng, settings.sequence_len, 100)
        yield x - mean, target


def mean_input(settings):
    """What --centre subtracts from each input: its mean (n_in, 1) over all steps; 0 without --centre."""
    return means(settings)[0] if settings.centre else 0.0


def means(settings):
    """Mean input (n_in, 1) and mean target, over 1000 sequences of the display stream."""
    x, target = task_of(settings).generate(streams(settings.seed)["display"], settings.sequence_len, 1000)
    return x.mean((0, 2))[:, None], float(target.mean())


# ----------------------------------------------------------------------------------------------------------------------
# Model
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: cells ---
class Cell:
    """What the cells share: flat parameters with named views, the stack of [h; x; 1], and the linear readout.

    One matrix W holds [W_hh | W_xh | b_h], so that a step's net input is W [h_{t-1}; x_t; 1]. Arrays are feature-major:
    every column is a sequence. A cell built for T steps also runs any shorter sequence, in its last slots.

    gates: a letter for each block of H rows in W, "" for a plain RNN; outputs: how many of the last steps are read out.
    """

    def __init__(self, gates, n_in, H, n_out, T, B, outputs, dtype, theta):
        rows, columns = max(1, len(gates)) * H, H + n_in + 1
        self.gates, self.n_in, self.H, self.n_out, self.T = gates, n_in, H, n_out, T
        self.shapes = (rows, columns), (n_out, H), (n_out,)
        size = sum(math.prod(shape) for shape in self.shapes)
        self.theta = np.zeros(size, dtype) if theta is None else theta
        self.grad = np.zeros(size, self.theta.dtype)
        self.W, self.W_hy, self.b_y = self.split(self.theta)
        self.dW, self.dW_hy, self.db_y = self.split(self.grad)
        self.S = np.zeros((T + 1, columns, B), self.theta.dtype)  # S[t] = [h_{t-1}; x_t; 1]
        self.S[:, -1] = 1
        self.h = self.S[1:, :H]  # (T, H, B)
        self.read = self.h[T - outputs :]  # (outputs, H, B)
        self.dh = np.zeros((H, B), self.theta.dtype)
        self.dh_read = np.zeros((outputs, H, B), self.theta.dtype)
        self.first = 0  # slot of the sequence's first step

    def split(self, vector):
        """The views W (rows, H + n_in + 1), W_hy (n_out, H) and b_y (n_out,) of a flat parameter vector."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(vector, ends), self.shapes)]

    def tensors(self, vector):
        """Named views of a flat vector: W_hh, W_xh, b_h of a plain RNN, or W_hi, W_xi, b_i, ... gate by gate."""
        W, W_hy, b_y = self.split(vector)
        named, H = {}, self.H
        for k, gate in enumerate(self.gates or "h"):
            block = W[k * H : (k + 1) * H]
            bias = {f"b_{gate}": block[:, -1]}
            named |= {f"W_h{gate}": block[:, :H], f"W_x{gate}" if self.gates else "W_xh": block[:, H:-1]} | bias
        return named | {"W_hy": W_hy, "b_y": b_y}

    def load(self, x):
        """Puts x (T', n_in, B) into the last T' slots and h = 0 before them."""
        self.first = self.T - len(x)
        self.S[self.first : self.T, self.H : -1] = x
        self.S[self.first, : self.H] = 0

    def readout(self):
        """y = W_hy h + b_y at the last steps. Returns (outputs, n_out, B)."""
        return self.W_hy @ self.read + self.b_y[:, None]

    def readout_backward(self, dy):
        """Gradients of W_hy and b_y, and dh_read, from dy (outputs, n_out, B)."""
        np.matmul(dy, self.read.transpose(0, 2, 1)).sum(0, out=self.dW_hy)
        dy.sum((0, 2), out=self.db_y)
        np.matmul(self.W_hy.T, dy, out=self.dh_read)
        self.dh[:] = 0

    def weight_gradient(self, dz):
        """dW = sum over t of dz_t [h_{t-1}; x_t; 1]^T, in one batched product. dz: (T', rows, B)."""
        np.matmul(dz, self.S[self.first : self.T].transpose(0, 2, 1)).sum(0, out=self.dW)


class RNN(Cell):
    """h_t = phi(W_hh h_{t-1} + W_xh x_t + b_h), y = W_hy h + b_y; phi is tanh or, for the IRNN, ReLU."""

    def __init__(self, n_in, H, n_out, T, B, outputs=1, dtype=float, theta=None, relu=False):
        super().__init__("", n_in, H, n_out, T, B, outputs, dtype, theta)
        self.relu = relu
        self.dz = np.zeros((T, H, B), self.theta.dtype)
        dh_reads = [None] * (T - outputs) + list(self.dh_read)
        self.steps = list(zip(self.S, self.h, self.dz, dh_reads))

    def forward(self, x):
        """y (outputs, n_out, B) for x (T', n_in, B), T' <= T."""
        self.load(x)
        W_dot, tanh, relu = self.W.dot, np.tanh, self.relu  # the first two write into their last argument
        for s, h, _, _ in self.steps[self.first :]:
            W_dot(s, h)
            if relu:
                h *= h.real > 0  # the real part decides, so that the complex step stays valid
            else:
                tanh(h, h)
        return self.readout()

    def backward(self, dy):
        """Fills grad from dy = dL/dy (outputs, n_out, B), for the sequences of the last forward."""
        self.readout_backward(dy)
        dh, dz_all, h_all = self.dh, self.dz[self.first :], self.h[self.first :]
        if self.relu:
            dz_all[:] = h_all.real > 0
        else:
            np.multiply(h_all, h_all, out=dz_all)
            np.subtract(1, dz_all, out=dz_all)  # tanh' = 1 - h^2, for all steps at once
        W_hh_T_dot = np.ascontiguousarray(self.W[:, : self.H].T).dot
        for _, _, dz, dh_read in reversed(self.steps[self.first :]):
            if dh_read is not None:
                dh += dh_read
            dz *= dh
            W_hh_T_dot(dz, dh)
        self.weight_gradient(dz_all)


class LSTM(Cell):
    """The LSTM, with the forget gate of Gers, Schmidhuber & Cummins (2000) or, as in 1997, without.

    o_t, i_t, f_t = sigma(W_h h_{t-1} + W_x x_t + b)    output, input and forget gate, each with its own W_h, W_x, b
    g_t = tanh(W_hg h_{t-1} + W_xg x_t + b_g)           candidate
    c_t = i_t g_t + f_t c_{t-1}                         cell state; without forget gate c_t = i_t g_t + c_{t-1}
    h_t = o_t tanh(c_t),  y = W_hy h + b_y

    One tanh serves all gates: sigma(z) = (1 + tanh(z/2)) / 2. With a = tanh(fold z), fold = 1/2 for the sigmoid gates
    and 1 for g, the derivative of every gate is fold^2 (1 - a^2); fold^2 is multiplied into W_hh^T and dW.
    """

    def __init__(self, n_in, H, n_out, T, B, outputs=1, dtype=float, theta=None, forget_gate=True):
        super().__init__("oifg" if forget_gate else "oig", n_in, H, n_out, T, B, outputs, dtype, theta)
        rows, dtype = len(self.gates) * H, self.theta.dtype
        self.fold = np.full((rows, 1), 0.5, dtype)
        self.fold[-H:] = 1
        self.a = np.zeros((T, rows, B), dtype)
        self.sigmoids = np.zeros((T, rows - H, B), dtype)  # o, i, f
        self.c = np.zeros((T + 1, H, B), dtype)  # c[t] is the state before step t
        self.tanh_c = np.zeros((T, H, B), dtype)
        self.dz = np.zeros((T, rows, B), dtype)
        self.dc_dh = np.zeros((T, H, B), dtype)  # o (1 - tanh(c)^2)
        self.dc, self.part = np.zeros((H, B), dtype), np.zeros((H, B), dtype)

        self.o, self.i, *f = self.by_gate(self.sigmoids)
        self.f, self.g = f[0] if forget_gate else [None] * T, self.a[:, -H:]
        self.forward_steps = list(zip(
            self.S, self.a, self.a[:, :-H], self.sigmoids, self.o, self.i, self.f, self.g, self.c[:-1], self.c[1:],
            self.tanh_c, self.h))
        dz_o, dz_i, *dz_f, dz_g = self.by_gate(self.dz)
        dz_f = dz_f[0] if forget_gate else [None] * T
        dh_reads = [None] * (T - outputs) + list(self.dh_read)
        self.backward_steps = list(zip(self.dz, dz_o, dz_i, dz_f, dz_g, self.f, self.dc_dh, dh_reads))

    def by_gate(self, array):
        """Splits (T, k H, B) into k views (T, H, B), a gate each, in the order of self.gates."""
        return [array[:, row : row + self.H] for row in range(0, array.shape[1], self.H)]

    def forward(self, x):
        """y (outputs, n_out, B) for x (T', n_in, B), T' <= T."""
        self.load(x)
        self.c[self.first] = 0
        W, ig, half = self.W * self.fold, self.part, np.asarray(0.5, self.theta.dtype)
        W_dot, tanh, multiply, add = W.dot, np.tanh, np.multiply, np.add  # each writes into its last argument
        for s, a, a_oif, oif, o, i, f, g, c_prev, c, tanh_c, h in self.forward_steps[self.first :]:
            W_dot(s, a)
            tanh(a, a)
            multiply(a_oif, half, oif)
            add(oif, half, oif)
            kept = c_prev if f is None else multiply(f, c_prev, c)
            add(multiply(i, g, ig), kept, c)
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)
        return self.readout()

    def backward(self, dy):
        """Fills grad from dy = dL/dy (outputs, n_out, B), for the sequences of the last forward."""
        self.readout_backward(dy)
        dz_all = self.local_derivatives()
        W_hh_T = np.ascontiguousarray((self.W[:, : self.H] * self.fold**2).T)
        dh, dc, part, W_hh_T_dot, multiply = self.dh, self.dc, self.part, W_hh_T.dot, np.multiply
        dc[:] = 0
        for dz, dz_o, dz_i, dz_f, dz_g, f, dc_dh, dh_read in reversed(self.backward_steps[self.first :]):
            if dh_read is not None:
                dh += dh_read
            dz_o *= dh
            dc += multiply(dh, dc_dh, part)
            dz_i *= dc
            dz_g *= dc
            if f is not None:
                dz_f *= dc
                dc *= f
            W_hh_T_dot(dz, dh)
        self.weight_gradient(dz_all)
        self.dW *= self.fold**2

    def local_derivatives(self):
        """Fills dz with dh_t/dz_o and dc_t/dz of the other gates (over fold^2), and dc_dh with dh_t/dc_t, at once."""
        used = slice(self.first, self.T)
        a, dz, tanh_c, dc_dh = self.a[used], self.dz[used], self.tanh_c[used], self.dc_dh[used]
        np.multiply(a, a, out=dz)
        np.subtract(1, dz, out=dz)
        dz_o, dz_i, *dz_f, dz_g = self.by_gate(dz)
        dz_o *= tanh_c
        dz_i *= self.g[used]
        dz_g *= self.i[used]
        for dz_forget in dz_f:
            dz_forget *= self.c[used]
        np.multiply(tanh_c, tanh_c, out=dc_dh)
        np.subtract(1, dc_dh, out=dc_dh)
        dc_dh *= self.o[used]
        return dz
# --- end shared ---


def build(settings, B, theta=None):
    """The net of these settings for batches of B sequences; theta: a flat parameter vector to use in place."""
    task = task_of(settings)
    T = task.steps(settings.sequence_len)
    size = dict(n_in=task.n_in, H=settings.hidden, n_out=task.n_out, T=T, B=B, outputs=task.outputs or T)
    dtype = np.dtype(settings.dtype)
    if settings.cell == "lstm":
        return LSTM(**size, dtype=dtype, theta=theta)
    return RNN(**size, dtype=dtype, theta=theta, relu=settings.activation == "relu")


def initialise(net, settings, rng):
    """Draws the start: W_hh by --init, Gaussian W_xh and W_hy of the given scales, biases 0."""
    tensors = net.tensors(net.theta)
    for name, tensor in tensors.items():
        if name.startswith("W_x"):
            tensor[:] = settings.input_scale * rng.normal(size=tensor.shape)
        elif name.startswith("W_h") and name != "W_hy":
            tensor[:] = recurrent_start(settings.init, net.H, rng, settings.spectral_radius)
    tensors["W_hy"][:] = settings.output_scale * rng.normal(size=tensors["W_hy"].shape)
    if settings.cell == "lstm":
        tensors["b_f"][:] = settings.forget_bias
    if settings.centre and not task_of(settings).classes:
        tensors["b_y"][:] = means(settings)[1]


def recurrent_start(init, H, rng, spectral_radius=None):
    """An (H, H) matrix: ortho (Haar), random N(0, 0.1^2), gaussian N(0, 1/H), identity or sparse (15 N(0, 1) a row).

    spectral_radius: what its largest |eigenvalue| is scaled to, or None to leave it.
    """
    if init == "identity":
        W = np.eye(H)
    elif init == "ortho":
        Q, R = np.linalg.qr(rng.normal(size=(H, H)))
        W = Q * np.sign(np.diag(R))  # fixed signs make Q uniform over the orthogonal matrices
    else:
        W = rng.normal(0, {"random": 0.1, "gaussian": H**-0.5, "sparse": 1.0}[init], (H, H))
        if init == "sparse":
            W *= rng.random((H, H)).argsort(1) < 15
    return W if spectral_radius is None else W * (spectral_radius / radius(W))


def radius(W):
    """Spectral radius, the largest |eigenvalue| of a square matrix."""
    return float(abs(np.linalg.eigvals(W)).max())


def loss_and_gradient(y, target, classes):
    """L, half the mean squared error or the mean cross-entropy of the last len(target) outputs, and dL/dy.

    y: (outputs, n_out, B); target: (k, B), k <= outputs. Earlier outputs, of slots that the sequence does not use,
    have no part in it. A complex y gives a complex L: the complex step goes through.
    """
    dy = np.zeros_like(y)
    used, d = y[-len(target) :], dy[-len(target) :]
    if not classes:
        np.subtract(used, target[:, None], out=d)
        loss = 0.5 * (d * d).sum() / target.size
    else:
        shifted = used - used.real.max(1, keepdims=True)
        np.exp(shifted, out=d)
        total = d.sum(1, keepdims=True)
        index = target[:, None]
        loss = (np.log(total) - np.take_along_axis(shifted, index, 1)).sum() / target.size
        d /= total  # the softmax
        np.put_along_axis(d, index, np.take_along_axis(d, index, 1) - 1, 1)
    d /= target.size
    return loss, dy


# ----------------------------------------------------------------------------------------------------------------------
# Optimizer
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: clip ---
def clip_norm(grad, limit):
    """Scales grad in place so that its L2 norm is at most limit (Pascanu, Mikolov & Bengio 2013)."""
    norm = math.sqrt(grad.dot(grad))
    if norm > limit:
        grad *= limit / norm
# --- end shared ---


# --- shared: adam ---
class Adam:
    """Adam (Kingma & Ba 2015) on a flat parameter vector, in place; betas 0.9 and 0.999, epsilon 1e-8."""

    def __init__(self, theta, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.theta, self.beta1, self.beta2, self.epsilon = theta, beta1, beta2, epsilon
        self.m, self.v, self.t = np.zeros_like(theta), np.zeros_like(theta), 0

    def step(self, grad, lr):
        self.t += 1
        self.m += (1 - self.beta1) * (grad - self.m)
        self.v += (1 - self.beta2) * (grad * grad - self.v)
        m_hat = self.m / (1 - self.beta1**self.t)
        v_hat = self.v / (1 - self.beta2**self.t)
        self.theta -= lr * m_hat / (np.sqrt(v_hat) + self.epsilon)
# --- end shared ---


class Momentum:
    """Gradient descent with momentum mu on a flat parameter vector, in place (Sutskever et al. 2013, section 2).

    v <- mu v - lr grad L(theta) and theta <- theta + v; with nesterov the gradient is that at theta + mu v. Either way
    `ahead` comes before the gradient, `step` after it.
    """

    def __init__(self, theta, nesterov=False):
        self.theta, self.nesterov, self.v = theta, nesterov, np.zeros_like(theta)

    def ahead(self, mu):
        """v <- mu v; with nesterov theta moves on to where the gradient is wanted."""
        self.v *= mu
        if self.nesterov:
            self.theta += self.v

    def step(self, grad, lr):
        change = lr * grad
        self.v -= change
        self.theta += -change if self.nesterov else self.v


def momentum_at(settings, update):
    """Momentum coefficient of an update, counted from 1."""
    if settings.momentum_max is None or update <= settings.momentum_warmup:
        return settings.momentum
    return settings.momentum_max


# ----------------------------------------------------------------------------------------------------------------------
# Gradient check
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: gradient check ---
COMPLEX_TOLERANCE, CENTRAL_TOLERANCE = 1e-10, 1e-5
CENTRAL_STEP = 1e-5


def check_gradient(loss, theta, grad, tensors):
    """Compares grad with two numerical derivatives of loss at every entry of theta, none left out.

    loss: flat vector (real or complex) -> scalar; tensors: flat vector -> dict of named views. The complex step
    imag L(theta + ih) / h, h = 1e-30, is exact to rounding (Squire & Trapp 1998); central differences stand beside it.
    The relative error is |a - n| / (|a| + |n|), where the denominator is at least the floor below which a derivative
    is rounding: 1e-5 of the tensor's largest for the complex step (whose sums carry some 1e-16 of that), and the
    rounding of the loss over the step and the tolerance for central differences.
    Returns a row per tensor: name, entries, worst complex error, its index, worst central error, whether it passes.
    A tensor whose gradient is zero throughout does not pass.
    """
    exact, central = np.empty_like(theta), np.empty_like(theta)
    for k in range(theta.size):
        step = np.zeros(theta.size)
        step[k] = 1
        exact[k] = loss(theta + 1e-30j * step).imag / 1e-30
        central[k] = (loss(theta + CENTRAL_STEP * step) - loss(theta - CENTRAL_STEP * step)) / (2 * CENTRAL_STEP)
    central_floor = np.finfo(float).eps * abs(loss(theta)) / CENTRAL_STEP / CENTRAL_TOLERANCE
    rows = []
    named = zip(tensors(grad).items(), tensors(exact).values(), tensors(central).values())
    for (name, analytic), by_complex, by_central in named:
        largest = abs(by_complex).max()
        floor = 1e-5 * largest + 1e-300
        complex_error = abs(analytic - by_complex) / np.maximum(abs(analytic) + abs(by_complex), floor)
        central_error = abs(analytic - by_central) / np.maximum(abs(analytic) + abs(by_central), central_floor)
        worst = np.unravel_index(complex_error.argmax(), complex_error.shape)
        passes = bool(
            abs(analytic).max() > 0 and largest > 0
            and complex_error.max() <= COMPLEX_TOLERANCE and central_error.max() <= CENTRAL_TOLERANCE)
        index = ",".join(str(int(k)) for k in worst)
        rows.append((name, analytic.size, float(complex_error.max()), index, float(central_error.max()), passes))
    return rows


def report_gradients(title, rows):
    """Prints a line for a checked model, a line for each tensor that fails. Returns whether all pass."""
    name, _, complex_error, index, _, _ = max(rows, key=lambda row: row[2])
    central_error = max(row[4] for row in rows)
    passed, weights = all(row[-1] for row in rows), sum(row[1] for row in rows)
    print(f"{title}: {weights} weights, worst relative error {complex_error:.1e} (complex step, {name}[{index}]), "
          f"{central_error:.1e} (central differences): {'ok' if passed else 'FAILED'}")
    for name, _, complex_error, index, central_error, passes in rows:
        if not passes:
            print(f"    {name}: complex step {complex_error:.1e} at [{index}], central differences {central_error:.1e}")
    return passed
# --- end shared ---


def gradcheck(task, cell="rnn", activation=None, init="ortho", updates=0, short=False):
    """Checks every weight of a net of 4 units at T = 30, at a random start or after some updates.

    short: the sequences are shorter than the net's buffers. Returns check_gradient's rows.
    """
    settings = Settings(
        task=task, cell=cell, activation=activation, init=init, hidden=4, sequence_len=30, batch=3, input_scale=0.5,
        vocabulary=6 if task == "random_permutation" else None, lr=0.005)
    task, rng, net = task_of(settings), streams(0), build(settings, settings.batch)
    initialise(net, settings, rng["init"])
    for name, tensor in net.tensors(net.theta).items():
        if name.startswith("b_"):
            tensor += rng["init"].uniform(-0.1, 0.1, tensor.shape)
    trainer = Trainer(settings, net, rng["train"])
    for _ in range(updates):
        trainer.update()
    x, target = task.generate(rng["eval"], 20 if short else 30, settings.batch)
    _, dy = loss_and_gradient(net.forward(x), target, task.classes)
    net.backward(dy)

    def loss(theta):
        return loss_and_gradient(build(settings, settings.batch, theta).forward(x), target, task.classes)[0]

    return check_gradient(loss, net.theta, net.grad, net.tensors)


def gradcheck_all():
    """The gradient check over every task with every start and cell, trained nets and short sequences among them.
    Returns the exit code."""
    passed = True
    for task in TASKS:
        for init in INITS:
            passed &= report_gradients(f"{task}, tanh RNN, {init} start", gradcheck(task, init=init))
        for name, model in {"tanh RNN": {}, "ReLU RNN": dict(activation="relu"), "LSTM": dict(cell="lstm")}.items():
            if model:
                passed &= report_gradients(f"{task}, {name}, ortho start", gradcheck(task, **model))
            passed &= report_gradients(f"{task}, {name}, trained weights", gradcheck(task, **model, updates=100))
            passed &= report_gradients(f"{task}, {name}, short sequences", gradcheck(task, **model, short=True))
    return 0 if passed else 1


# ----------------------------------------------------------------------------------------------------------------------
# Training and evaluation
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: run ---
STOP = threading.Event()  # set by Ctrl-C; a training loop looks at it after every update


class Divergence:
    """Says when a run has diverged: a loss that is not finite, or above 1000 times the constant predictor's for 100
    updates in a row."""

    def __init__(self, constant_loss):
        self.limit, self.above = 1000 * constant_loss, 0

    def __call__(self, loss):
        self.above = self.above + 1 if loss > self.limit else 0
        return not math.isfinite(loss) or self.above >= 100


class Progress:
    """A line per evaluation with elapsed and remaining time; on a terminal the line is redrawn.

    The remaining time goes by the pace since the first call: a resumed run does not begin with nothing done.
    """

    def __init__(self, total, quiet):
        self.total, self.quiet, self.start, self.redraw = total, quiet, time.perf_counter(), sys.stdout.isatty()
        self.first = None  # time and count of the first call

    def __call__(self, done, text):
        if not self.quiet:
            now = time.perf_counter()
            self.first = self.first or (now, done)
            since, before = self.first
            left = f", {(now - since) * (self.total - done) / (done - before):4.0f} s left" if done > before else ""
            line = f"{text}  {now - self.start:5.1f} s{left}"
            print(f"\r\033[K{line}" if self.redraw else line, end="" if self.redraw else "\n", flush=True)

    def close(self):
        if self.redraw and not self.quiet:
            print()


def stop_on_signal(stop):
    """Ctrl-C or SIGTERM sets stop, so that a run ends after its update and is saved; a second Ctrl-C is not caught."""

    def handle(signum, frame):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop.set()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def start_worker(stop):
    """A worker process leaves Ctrl-C to its parent, looks at its stop event, and ends when the parent is gone."""
    global STOP
    STOP, parent = stop, os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def unless_stopped(train, call):
    """train(*call), or None once STOP is set."""
    return None if STOP.is_set() else train(*call)


def run_all(train, calls, jobs):
    """Yields the record of train(*call) for each call as it ends, in up to `jobs` processes; calls must pickle.

    Ctrl-C ends running calls early, with what they have, and skips the rest. Raises BrokenProcessPool if a process
    dies.
    """
    global STOP
    if jobs == 1 or len(calls) == 1:
        STOP = threading.Event()
        stop_on_signal(STOP)
        yield from filter(None, (unless_stopped(train, call) for call in calls))
        return
    STOP = multiprocessing.Event()
    stop_on_signal(STOP)
    with concurrent.futures.ProcessPoolExecutor(jobs, initializer=start_worker, initargs=(STOP,)) as pool:
        futures = [pool.submit(unless_stopped, train, call) for call in calls]
        yield from filter(None, (future.result() for future in concurrent.futures.as_completed(futures)))
# --- end shared ---


class Trainer:
    """Holds a net, its optimizer, its data, and does one update after the other."""

    def __init__(self, settings, net, rng):
        self.settings, self.net, self.task, self.updates = settings, net, task_of(settings), 0
        self.adam = settings.optimizer == "adam"
        self.optimizer = Adam(net.theta) if self.adam else Momentum(net.theta, settings.nesterov)
        self.lengths = Lengths(settings)
        self.batches = training_batches(rng, settings, self.lengths)
        self.recent = collections.deque(maxlen=STOP_WINDOW)  # accuracy or MSE of batches since T was reached

    def update(self):
        """Forward, backward, clip, step. Returns the batch's loss."""
        settings, net, classes = self.settings, self.net, self.task.classes
        self.updates += 1
        x, target = next(self.batches)
        if not self.adam:
            self.optimizer.ahead(momentum_at(settings, self.updates))
        y = net.forward(x)
        loss, dy = loss_and_gradient(y, target, classes)
        net.backward(dy)
        clip_norm(net.grad, settings.clip)
        halvings = (self.updates - 1) // settings.lr_decay_every if settings.lr_decay_every else 0
        self.optimizer.step(net.grad, settings.lr * 0.5**halvings)

        figure = float((~wrong(y, target, self.task)).mean()) if classes else 2 * float(loss)
        if self.lengths.longest == settings.sequence_len:
            self.recent.append(figure)
        self.lengths.report(figure, self.task)
        return float(loss)

    def may_stop(self):
        """Whether --stop-at is reached, judged on training batches alone."""
        return (
            self.settings.stop_at is not None and len(self.recent) == STOP_WINDOW
            and self.task.passes(sum(self.recent) / STOP_WINDOW, self.settings.stop_at))


def wrong(y, target, task):
    """Which scored outputs (scored, B) are wrong: another class, or |error| > 0.04. NaN is wrong."""
    y, target = y[-task.scored :], target[-task.scored :]
    if task.classes:
        return (y.argmax(1) != target) | ~np.isfinite(y).all(1)
    return ~(abs(y[:, 0] - target) <= TOLERANCE)


def evaluate(net, settings, n):
    """Figures on the first n held-out sequences. net must be built for batches of 100.

    Returns test_loss; test_accuracy, the rate of right symbols, or test_mse; wrong_rate, the rate of wrong sequences.
    """
    task, losses, wrongs = task_of(settings), [], []
    for x, target in held_out(settings, n):
        y = net.forward(x)
        losses.append(float(loss_and_gradient(y, target, task.classes)[0]))
        wrongs.append(wrong(y, target, task))
    loss = float(np.mean(losses))
    accuracy = 1 - float(np.mean(wrongs))
    return {
        "test_loss": loss,
        task.metric: accuracy if task.classes else 2 * loss,
        "wrong_rate": float(np.mean([sequence for block in wrongs for sequence in block.any(0)])),
    }


def rounded(value):
    """Six significant digits: what curves keep."""
    return None if value is None else float(f"{value:.6g}")


def spectrum(net):
    """Spectral radius of an RNN's W_hh and nine of its singular values, from the largest to the smallest at even
    steps of their rank (linear in between); None if it is not finite."""
    W = net.W[:, : net.H].astype(float)
    if not np.isfinite(W).all():
        return None
    values = np.quantile(np.linalg.svd(W, compute_uv=False), np.linspace(1, 0, 9))
    return {"singular_values": [float(f"{value:.4g}") for value in values], "spectral_radius": rounded(radius(W))}


class Curve:
    """The history of a run: the test figures, over the first 1000 held-out sequences, at some updates."""

    def __init__(self, settings, trainer, quiet):
        self.settings, self.trainer, self.task = settings, trainer, trainer.task
        self.net = build(settings, 100, theta=trainer.net.theta)
        self.progress = Progress(settings.epochs * settings.batches_per_epoch, quiet)
        self.history = {name: [] for name in ("update", "train_loss", "test_loss", self.task.metric, "wrong_rate")}
        if settings.curriculum:
            self.history["longest"] = []  # training length reached
        self.losses = []  # of the batches since the last evaluation

    def measure(self):
        update = self.trainer.updates
        train_loss = float(np.mean(self.losses)) if self.losses else None
        self.losses.clear()
        row = dict(train_loss=train_loss) | evaluate(self.net, self.settings, N_CURVE)
        row = {name: rounded(value) for name, value in row.items()}
        row |= dict(update=update, longest=self.trainer.lengths.longest)
        for name, column in self.history.items():
            column.append(row[name])
        figure, name = row[self.task.metric], self.task.metric.replace("_", " ")
        length = f"  length {row['longest']:3d}" if self.settings.curriculum else ""
        self.progress(update, f"update {update:6d}{length}  {name} {figure:.4f}  wrong {row['wrong_rate']:.4f}")

    def solved(self):
        """The first measured update at which the task was solved, or None."""
        pairs = zip(self.history["update"], self.history[self.task.metric])
        return next((update for update, figure in pairs if self.task.passes(figure, self.task.solved)), None)

    def best(self):
        """Update and figure of the curve's best point."""
        figures = np.array(self.history[self.task.metric], float) * (1 if self.task.classes else -1)
        k = int(np.argmax(np.where(np.isnan(figures), -np.inf, figures)))
        return {"update": self.history["update"][k], self.task.metric: self.history[self.task.metric][k]}


def train(settings, options, quiet=True):
    """Trains one net. Returns its record: settings, history, final, best, spectrum, provenance, and weights if kept.

    It ends early when STOP is set (final status "interrupted"), when it diverges ("diverged"), or as --stop-at says.
    """
    rng, start, task = streams(settings.seed), time.perf_counter(), task_of(settings)
    net = build(settings, settings.batch)
    initialise(net, settings, rng["init"])
    spectra = {"start": spectrum(net)} if settings.cell == "rnn" else None
    trainer, diverges = Trainer(settings, net, rng["train"]), Divergence(task.constant_loss)
    curve, total = Curve(settings, trainer, quiet), settings.epochs * settings.batches_per_epoch
    measure_every = settings.batches_per_epoch * (options.eval_every or math.ceil(settings.epochs / 80))
    status = "done"
    with np.errstate(all="ignore"):
        curve.measure()
        while trainer.updates < total and not trainer.may_stop():
            loss = trainer.update()
            curve.losses.append(loss)
            if diverges(loss) or STOP.is_set():
                status = "interrupted" if STOP.is_set() else "diverged"
                break
            if trainer.updates % measure_every == 0 and trainer.updates < total:
                curve.measure()
        if curve.history["update"][-1] < trainer.updates:
            curve.measure()
        figures = evaluate(curve.net, settings, N_TEST)
    curve.progress.close()
    if status == "done" and not math.isfinite(figures["test_loss"]):
        status = "diverged"
    if spectra:
        spectra["end"] = spectrum(net)
    sequences = {"update": trainer.updates, "train_sequences": trainer.updates * settings.batch}
    solved = {"solved": bool(task.passes(figures[task.metric], task.solved)), "updates_to_solve": curve.solved()}
    weights = {name: tensor.tolist() for name, tensor in net.tensors(net.theta).items()}
    return {
        "settings": dataclasses.asdict(settings),
        "history": curve.history,
        "final": {"status": status} | sequences | figures | solved,
        "best": curve.best(),
        "spectrum": spectra,
        "provenance": provenance(time.perf_counter() - start),
    } | ({"weights": weights} if options.keep_weights else {})


# ----------------------------------------------------------------------------------------------------------------------
# Results record
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: results ---
SCHEMA = 1


class ResultsError(Exception):
    """A results file that cannot be read, is not ours, or cannot be written; the message is one line."""


def read_results(path):
    """The contents of a results file: {"schema": 1, experiment: [record, ...], ...}; an absent file is empty."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {"schema": SCHEMA}
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"cannot read {path}: {error}") from error
    try:
        results = json.loads(text)
    except ValueError as error:
        raise ResultsError(f"{path} is not valid JSON ({error}): move it away or name another with --out") from error
    if not isinstance(results, dict) or not isinstance(results.get("schema"), int) or results["schema"] < 1:
        raise ResultsError(f"{path} is not a results file of this project: name another file with --out")
    if results["schema"] > SCHEMA:
        raise ResultsError(f"{path} has schema {results['schema']}, newer than this program's {SCHEMA}")
    for name, records in results.items():
        well_formed = isinstance(records, list) and all(
            isinstance(record, dict) and isinstance(record.get("settings"), dict) for record in records)
        if name != "schema" and not well_formed:
            raise ResultsError(f"{path} is damaged: {name} is not a list of records")
    return results


@contextlib.contextmanager
def locked(path):
    """Holds the lock of a results file, so that two scripts ending at once lose nothing."""
    try:
        lock = open(f"{path}.lock", "a")
    except OSError as error:
        raise ResultsError(f"cannot write beside {path}: {error}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def check_results(path):
    """Raises ResultsError unless a record can be added to the file; changes nothing in it."""
    if os.path.exists(path) and not (os.path.isfile(path) and os.access(path, os.W_OK)):
        raise ResultsError(f"{path} cannot be written")
    with locked(path):
        read_results(path)


def write_record(path, experiment, record):
    """Adds a record, or puts it in the place of the one with the same settings; no other record is touched.

    A run that was cut short does not replace one that ran to its end. Returns whether the record was written. The new
    file is complete on disk before it takes the old one's name: a kill or a full disk leaves the old file.
    Raises ResultsError.
    """
    with locked(path):
        results = read_results(path)
        records = results.setdefault(experiment, [])
        places = [k for k, other in enumerate(records) if other["settings"] == record["settings"]]
        if places and record["final"]["status"] == "interrupted" != records[places[0]]["final"]["status"]:
            return False
        records[slice(places[0], places[0] + 1) if places else slice(len(records), None)] = [strict(record)]
        records.sort(key=lambda entry: json.dumps(entry["settings"]))
        lines = [f'"schema": {results.pop("schema")}']
        for name, entries in results.items():  # a record per line
            body = ",\n".join(json.dumps(entry, allow_nan=False) for entry in entries)
            lines.append(f'"{name}": [\n{body}\n]')
        temporary = f"{os.path.realpath(path)}.{os.getpid()}.tmp"
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write("{" + ",\n".join(lines) + "}\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, os.path.realpath(path))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise ResultsError(f"cannot write {path}: {error}") from error
    return True


def strict(value):
    """The same JSON value with null for every number that is not finite."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def source_hash(path):
    """Hash of a Python file's syntax tree without what changes no figure: docstrings, class Progress, this function."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if getattr(node, "name", None) not in ("Progress", "source_hash")]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def git(*words):
    """Output of a git command in this file's folder, or None outside a checkout."""
    try:
        command = ["git", "-C", str(Path(__file__).resolve().parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def provenance(wall_seconds):
    """Where a record comes from: code, machine, date, command, time taken."""
    changes = git("status", "--porcelain", "--", ".", ":!results.json", ":!viz", ":!*.gif")
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    processor = platform.processor()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return {
        "git_commit": git("rev-parse", "HEAD"),
        "git_dirty": None if changes is None else bool(changes),
        "source_hash": source_hash(__file__),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "platform": platform.platform(),
        "processor": processor,
        "date": time.strftime("%Y-%m-%d"),
        "command": shlex.join(["python3", os.path.basename(sys.argv[0]), *sys.argv[1:]]),
        "wall_seconds": round(wall_seconds, 2),
    }
# --- end shared ---


# ----------------------------------------------------------------------------------------------------------------------
# Command line
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: command line ---
class Parser(argparse.ArgumentParser):
    """argparse with bad input reported in one line, exit code 2."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def flag_value(kind, low, high):
    """A converter for argparse: text to a finite number of this kind within [low, high], or the text itself."""

    def convert(text):
        if kind is str:
            return text
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    return convert


def seed_range(text):
    """Converts A-B to the seeds A ... B, for argparse."""
    first, _, last = text.partition("-")
    if first.isdecimal() and last.isdecimal() and 0 <= int(last) - int(first) < 10_000 and int(last) < 2**63:
        return range(int(first), int(last) + 1)
    raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 0-9")


def add_flags(parser, *classes):
    """Makes a flag from every field of the settings dataclasses, grouped; the fields' defaults are the flags'."""
    groups = {}
    for field in (field for cls in classes for field in dataclasses.fields(cls)):
        meta = field.metadata
        if meta["group"] not in groups:
            groups[meta["group"]] = parser.add_argument_group(meta["group"])
        add, flag, kind = groups[meta["group"]].add_argument, "--" + field.name.replace("_", "-"), meta["kind"]
        if kind is bool:
            add(flag, action="store_true", help=meta["help"])
            continue
        default = "" if field.default is None else " (default: %(default)s)"
        add(flag, default=field.default, choices=meta["choices"], type=flag_value(kind, meta["low"], meta["high"]),
            help=meta["help"] + default, metavar=None if meta["choices"] else kind.__name__.upper())


def from_flags(cls, args, **replaced):
    """A settings dataclass from parsed flags."""
    return cls(**{field.name: getattr(args, field.name) for field in dataclasses.fields(cls)} | replaced)


def save(path, experiment, record):
    """Writes a record; where that fails, prints it as JSON, so that nothing computed is lost. Returns success."""
    try:
        if not write_record(path, experiment, record):
            print(f"{path} keeps its finished run of these settings, not the interrupted one", file=sys.stderr)
        return True
    except ResultsError as error:
        print(f"{error}; the record follows on standard output", file=sys.stderr)
        print(json.dumps(strict(record)), flush=True)
        return False
# --- end shared ---


def parse(argv):
    """Parsed and checked command line: (settings of each run, options, args). Exits with code 2 on bad input."""
    parser = Parser(
        description=__doc__.split("\n\n")[0], epilog="Exit codes: 0 done, 1 failed check or diverged, 2 bad input, "
        "130 interrupted.", allow_abbrev=False)
    add_flags(parser, Settings, Options)
    parser.add_argument(
        "--all", action="store_true",
        help=f"the headline: {', '.join(HEADLINE_TASKS)} with {' and '.join(HEADLINE_INITS)} starts")
    parser.add_argument(
        "--recipe", choices=("sutskever2013",),
        help="other defaults: addition, multiplication or noiseless_memorization (--alphabet 5: ten 5-ary symbols) as "
        "in Sutskever et al. (2013), with --nesterov and --momentum-max to choose; a given flag wins")
    parser.add_argument("--seeds", type=seed_range, metavar="A-B", help="the seeds A to B instead of --seed")
    parser.add_argument("--quiet", action="store_true", help="only the final lines")
    parser.add_argument("--gradcheck", action="store_true", help="check every task, start and cell, and stop")
    args = parser.parse_args(argv)
    given = [word.split("=")[0] for word in (sys.argv[1:] if argv is None else argv)]
    for flag in ("--task", "--init", "--sequence-len", "--recipe"):
        if args.all and flag in given:
            parser.error(f"--all and {flag} exclude each other")
    if args.seeds and "--seed" in given:
        parser.error("--seed and --seeds exclude each other")
    kinds = [dict(task=task, init=init) for task in HEADLINE_TASKS for init in HEADLINE_INITS] if args.all else [{}]
    try:
        if args.recipe:
            parser.set_defaults(**sutskever_2013(args.task, args.alphabet))
            args = parser.parse_args(argv)
        runs = [from_flags(Settings, args, seed=seed, **kind) for kind in kinds for seed in args.seeds or [args.seed]]
        if not args.gradcheck:
            check_results(args.out)
    except (ValueError, ResultsError) as error:
        parser.error(str(error))
    return runs, from_flags(Options, args), args


def run_name(settings):
    """Task, length, cell and start of a run in a few words."""
    cell = "LSTM" if settings["cell"] == "lstm" else f"{settings['activation']} RNN"
    return f"{settings['task']} T={settings['sequence_len']} {cell} {settings['init']}"


def summary(record):
    """One line on how a run ended."""
    settings, final = record["settings"], record["final"]
    figure = (
        f"test accuracy {final['test_accuracy']:.4f}" if "test_accuracy" in final
        else f"test MSE {final['test_mse']:.5f} (half of it: {final['test_mse'] / 2:.5f})")
    first = final["updates_to_solve"]
    solved = "never solved" if first is None else f"solved at update {first}"
    if first is not None and not final["solved"]:
        solved += " but not at the end"
    ending = "" if final["status"] == "done" else f"  {final['status'].upper()} at update {final['update']}"
    return (
        f"{run_name(settings)} seed={settings['seed']}: {figure}, wrong sequences {final['wrong_rate']:.4f}, {solved}, "
        f"{final['update']} updates, {record['provenance']['wall_seconds']:.1f} s{ending}")


def aggregate(records):
    """A line for each kind of run with several seeds: how many end solved, and the figures' median and range."""
    kinds = collections.defaultdict(list)
    for record in records:
        kinds[run_name(record["settings"])].append(record["final"])
    lines = []
    for name, finals in kinds.items():
        done = [final for final in finals if final["status"] == "done"]
        metric = "test_accuracy" if "test_accuracy" in finals[0] else "test_mse"
        if len(finals) > 1 and done:
            values = [final[metric] for final in done]
            lines.append(
                f"{name}: {sum(final['solved'] for final in done)} of {len(finals)} seeds end solved, "
                f"{metric.replace('_', ' ')} median {np.median(values):.4f} [{min(values):.4f}, {max(values):.4f}]")
    return lines


def main(argv=None):
    runs, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all()
    several = len(runs) > 1
    calls = [(settings, options, several or args.quiet) for settings in runs]
    records, saved = [], True
    try:
        for record in run_all(train, calls, options.jobs):
            records.append(record)
            saved &= save(options.out, EXPERIMENT, record)
            print(summary(record), flush=True)
    except concurrent.futures.BrokenExecutor:
        print("a process died; the runs that ended are saved", file=sys.stderr)
        saved = False
    for line in aggregate(records):
        print(line)
    if STOP.is_set():
        return 130
    return 0 if saved and "diverged" not in [record["final"]["status"] for record in records] else 1


if __name__ == "__main__":
    sys.exit(main())
