# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2"]
# ///
"""What the LSTM was compared with in 1997: RTRL, BPTT, Elman nets, recurrent cascade-correlation, chunker, guessing.

Source: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation 9(8):1735-1780, sections 2, 3,
5.1 and 5.2, the rows of Tables 1 and 2 that are not LSTM, and the notes on random weight guessing (5.3.1, 6.1). The
methods: real-time recurrent learning (Robinson & Fallside 1987, Williams & Zipser 1989), back-propagation through time
(Williams & Zipser 1992), Elman's procedure (1988), recurrent cascade-correlation (Fahlman 1991), the two-net neural
sequence chunker (Schmidhuber 1992).

Tasks: 1 predicts the embedded Reber grammar; 2a keeps the first symbol over p steps to predict the last; 3a tells two
sequences apart by their first N elements; parity tells whether the number of 1s is odd. They are those of lstm_1997.py.

Criterion: the number of training sequences until the paper's stopping criterion, over the paper's number of trials.
Beside it, what explains it: the error that arrives at the first symbol of a sequence.

Commands:
    python3 lstm_1997_rivals.py                                     RTRL on task 2a, delay 4, rate 1
    python3 lstm_1997_rivals.py --method chunker --experiment 2a    the chunker, delay 100
    python3 lstm_1997_rivals.py --table 2 --p 4 10                  rows of a table of the paper
    python3 lstm_1997_rivals.py --method guessing --experiment 3a   random weights until one net is right
    python3 lstm_1997_rivals.py --gradcheck                         every learning rule, before anything is trusted

Trials run in lockstep, each with its own weights and random streams: a trial gives the same bits alone and in company.
A long run writes a checkpoint beside --out now and then and on Ctrl-C; the same command goes on from there.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # these products are too small for threads, and one thread keeps the bits

import argparse
import ast
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import functools
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
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

EXPERIMENT = "lstm_1997_rivals"
N_TEST = 2560  # test sequences after the stop
N_STOP = 256  # sequences that stop guessing, as they stop the LSTM in Experiment 3
CHUNK = 100  # training sequences drawn at once for a trial: part of what a seed means
LANES = 128  # test sequences that run side by side
STACK = 60  # most trials in one lockstep stack


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


# The rows of Tables 1, 2 and 4 that are not LSTM. p: delay (2a); T, N: shortest sequence, elements that carry the class
# (3a); hidden: hidden units, for rcc the most it may add; w: weights (Table 1 gives them as estimates, "-" where ours
# differ); cap: training sequences after which our trials are given up; success: per cent of the paper's trials; paper:
# training sequences until success. Table 2 lumps the rates 1 to 10 of p = 10 and p = 100; Elman's rate is not given.
CONDITIONS = """
table method   experiment T    N p   hidden w     lr   trials cap     success paper
1     rtrl     1          -    - -   3      170   0.05 30     400000  some    173000
1     rtrl     1          -    - -   12     494   0.1  30     100000  some    25000
1     elman    1          -    - -   15     435   0.1  30     200000  0       -
1     rcc      1          -    - -   25     -     -    30     2000000 50      182000
2     rtrl     2a         -    - 4   1      36    1    18     5000000 78      1043000
2     rtrl     2a         -    - 4   1      36    4    18     5000000 56      892000
2     rtrl     2a         -    - 4   1      36    10   18     5000000 22      254000
2     rtrl     2a         -    - 10  1      144   1    18     1000000 0       -
2     rtrl     2a         -    - 10  1      144   4    18     1000000 0       -
2     rtrl     2a         -    - 10  1      144   10   18     1000000 0       -
2     rtrl     2a         -    - 100 1      10404 1    18     300000  0       -
2     rtrl     2a         -    - 100 1      10404 4    18     300000  0       -
2     rtrl     2a         -    - 100 1      10404 10   18     300000  0       -
2     bptt     2a         -    - 100 1      10404 1    18     300000  0       -
2     bptt     2a         -    - 100 1      10404 4    18     300000  0       -
2     bptt     2a         -    - 100 1      10404 10   18     300000  0       -
2     chunker  2a         -    - 100 1      10506 1    18     200000  33      32400
4     guessing 3a         100  3 -   1      -     -    10     10000000 -      -
4     guessing 3a         100  1 -   1      -     -    10     10000000 -      -
4     guessing 3a         1000 3 -   1      -     -    10     10000000 -      -
"""


# Pairs of method and task that the paper has no figures for, under conditions of our own.
OTHERS = """
table method   experiment T    N p   hidden w     lr   trials cap     success paper
-     bptt     1          -    - -   12     494   0.1  30     100000  -       -
-     elman    2a         -    - 4   1      -     4    18     100000  -       -
-     rcc      2a         -    - 4   25     -     -    18     2000000 -       -
-     guessing parity     500  - -   1      -     -    10     10000000 -      -
"""


class Line(NamedTuple):
    """A line of CONDITIONS or OTHERS. What does not apply is None."""

    table: int | None
    method: str
    experiment: str
    T: int | None
    N: int | None
    p: int | None
    hidden: int
    weights: int | None
    lr: float | None
    trials: int
    cap: int
    success: str | None
    paper: int | None


def read_lines(text):
    """The lines of CONDITIONS or OTHERS: words to whole numbers, rates, None for "-"."""

    def value(word, column):
        if word == "-":
            return None
        if column in ("method", "experiment", "success"):
            return word
        return float(word) if column == "lr" else int(word)

    rows = (row.split() for row in text.strip().splitlines()[1:])
    return tuple(Line(*(value(word, column) for word, column in zip(row, Line._fields))) for row in rows)


LINES, OTHER_LINES = read_lines(CONDITIONS), read_lines(OTHERS)
METHODS = tuple(dict.fromkeys(line.method for line in LINES))
EXPERIMENTS = tuple(dict.fromkeys(line.experiment for line in LINES + OTHER_LINES))
IDENTITY = ("T", "N", "p", "hidden", "lr")  # the columns that tell the lines of a method and a task apart
ONLINE = ("rtrl", "elman", "chunker")  # may change the weights after every step
GRADIENT = (*ONLINE, "bptt")  # train in lockstep
RANGE = {"guessing": 100.0, "rcc": 1.0}  # weights start uniformly in [-range, range]; the others in [-0.2, 0.2]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    method: str = setting("rtrl", "learning algorithm", "method", choices=METHODS)
    experiment: str = setting("2a", "experiment of section 5, or task of section 6.1", "task", choices=EXPERIMENTS)
    T: int | None = setting(None, "shortest sequence, in steps (3a, parity)", "task", kind=int, low=10, high=10_000)
    N: int | None = setting(None, "elements that carry the class (3a)", "task", kind=int, low=1, high=10_000)
    p: int | None = setting(None, "delay (2a)", "task", kind=int, low=2, high=2000)
    hidden: int | None = setting(
        None, "hidden units; for rcc the most that are added", "method", kind=int, low=1, high=100)
    lr: float | None = setting(
        None, "learning rate alpha (rtrl, bptt, elman, chunker)", "method", kind=float, low=1e-12, high=1e12)
    update: str | None = setting(
        None, "weights change after every step, or at the end of a sequence (default: step; bptt: sequence)", "method",
        kind=str, choices=("step", "sequence"))
    output_error: str | None = setting(
        None, "error of an output unit: a17 is f'(net)(t - y), plain is t - y, flat-spot is (f'(net) + 0.1)(t - y) "
        "(default: a17; rcc: flat-spot)", "method", kind=str, choices=("a17", "plain", "flat-spot"))
    init: float | None = setting(
        None, "weights start uniformly in [-init, init] (default: 0.2; rcc: 1; guessing: 100)", "method", kind=float,
        low=1e-12, high=1e6)
    surprise: float | None = setting(
        None, "chunker: a symbol is unexpected if some output of the automatizer was wrong by more (default: 0.25)",
        "method", kind=float, low=0, high=1)
    test_every: int | None = setting(
        None, "training sequences between tests of the stopping criterion (default: 100; rcc: after every epoch)",
        "training", kind=int, low=CHUNK, high=10**9)
    trials: int | None = setting(None, "trials (default: the paper's number)", "training", kind=int, low=1, high=1000)
    seed: int = setting(0, "seed of the first trial; the others follow", "training", low=0, high=2**62)
    max_sequences: int | None = setting(
        None, "training sequences after which a trial is given up (default: see CONDITIONS)", "training", kind=int,
        low=CHUNK, high=10**11)

    def __post_init__(self):
        """Fills what depends on method and task. Raises ValueError for settings that contradict one another."""
        if not self.lines:
            raise ValueError(f"--method {self.method} does not go with --experiment {self.experiment}")
        line = self.line
        for name in IDENTITY:
            if getattr(line, name) is None and getattr(self, name) is not None:
                raise ValueError(f"--{name} has no meaning for {self.method} on experiment {self.experiment}")
        learns = self.method in GRADIENT
        for name, used in (
                ("update", learns), ("output_error", self.method != "guessing"), ("surprise", self.method == "chunker"),
                ("test_every", learns)):
            if getattr(self, name) is not None and not used:
                raise ValueError(f"--{name.replace('_', '-')} has no meaning for {self.method}")
        if self.method == "rcc" and self.output_error == "plain":
            raise ValueError("--method rcc knows --output-error a17 and flat-spot")
        if self.method == "bptt" and self.update == "step":
            raise ValueError("--method bptt changes the weights at the end of a sequence: use --method rtrl")
        chosen = {name: getattr(line, name) for name in IDENTITY} | dict(
            trials=line.trials, max_sequences=line.cap, init=RANGE.get(self.method, 0.2))
        if self.method != "guessing":
            chosen["output_error"] = "flat-spot" if self.method == "rcc" else "a17"
        if learns:
            chosen |= dict(update="sequence" if self.method == "bptt" else "step", test_every=CHUNK)
        if self.method == "chunker":
            chosen["surprise"] = 0.25
        for name, value in chosen.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.N is not None and self.N >= self.T:
            raise ValueError("--N must be below --T")
        for name in ("test_every", "max_sequences"):
            if (getattr(self, name) or 0) % CHUNK:
                raise ValueError(f"--{name.replace('_', '-')} must be a multiple of {CHUNK}")
        numbers = 6 * (self.p or 1) ** 2 + 3 * CHUNK * steps_of(self)
        if learns:
            units = self.hidden + (7 if self.experiment == "1" else 0)
            numbers += 3 * units**2 * (self.hidden + (self.p or 7)) + 4 * steps_of(self) * units
        if numbers * max(self.trials, LANES) * 8 > 8e9:
            raise ValueError("these settings need more than 8 GB of memory: lower --T, --p, --hidden or --trials")

    def agreement(self, line):
        """How many of the settings that tell rows apart are those of a line of the tables, or not given."""
        return sum(getattr(self, name) in (None, getattr(line, name)) for name in IDENTITY)

    @property
    def lines(self):
        """The lines of this method and task."""
        return [line for line in LINES + OTHER_LINES
                if (line.method, line.experiment) == (self.method, self.experiment)]

    @property
    def line(self):
        """The line of the tables these settings are, or the one of their method and task that agrees best."""
        return max(self.lines, key=self.agreement)

    @property
    def in_paper(self):
        """Whether the paper has a row with these settings."""
        return self.line in LINES and self.agreement(self.line) == len(IDENTITY)

    @property
    def named(self):
        """Method, experiment and what tells its rows apart, for a person."""
        words = [f"{name}={getattr(self, name):g}" for name in IDENTITY if getattr(self, name) is not None]
        return " ".join([self.method, self.experiment, *words])

    @property
    def reading(self):
        """The settings that depart from the row's own, for a person; "literal" if none does."""
        default = Settings(method=self.method, experiment=self.experiment)
        names = ("update", "output_error", "init", "surprise")
        changed = [f"{name.replace('_', '-')} {getattr(self, name)}" for name in names
                   if getattr(self, name) != getattr(default, name)]
        return ", ".join(changed) or "literal"


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    checkpoint_every: int = setting(180, "seconds between checkpoints", "output", low=1, high=10**6)
    jobs: int = setting(1, "processes, for several rows", "output", low=1, high=1024)
    out: str = setting("results.json", "file of results", "output")


# ----------------------------------------------------------------------------------------------------------------------
# Tasks
# ----------------------------------------------------------------------------------------------------------------------

# --- shared: streams ---
def streams(seed):
    """The four independent random streams of a seed: init, train, eval, display. Returns a dict of Generators."""
    children = np.random.SeedSequence(seed).spawn(4)
    names = ("init", "train", "eval", "display")
    return {name: np.random.Generator(np.random.PCG64(child)) for name, child in zip(names, children)}
# --- end shared ---


# --- shared: sequences ---
class Sequences(NamedTuple):
    """n sequences of up to T steps. Symbols and targets of steps after the end mean nothing."""

    x: np.ndarray  # (n, T) symbols, whole numbers; or (n, T, n_in) values
    end: np.ndarray  # (n,) the last step
    target: np.ndarray  # (n, K) at the end; or (n, T) the next symbol, for errors at every step
    truth: np.ndarray | None = None  # (n, K) target without its noise (3c)


def one_hot(symbols, n):
    """Local representation: (..., n) with a 1 at each symbol."""
    return (np.asarray(symbols)[..., None] == np.arange(n)).astype(float)
# --- end shared ---


def steps_of(settings):
    """The task's longest possible sequence, in steps."""
    if settings.experiment == "1":
        return REBER_STEPS
    return settings.p if settings.experiment == "2a" else settings.T + settings.T // 10


def task(settings, seed):
    """The training task of a trial: a function (rng, n) -> Sequences."""
    if settings.experiment == "1":
        return functools.partial(picked, training=reber_sets(seed)[0])
    if settings.experiment == "2a":
        return functools.partial(long_lag, p=settings.p, shuffled=False, at_end=False)
    if settings.experiment == "3a":
        return functools.partial(two_sequences, T=settings.T, N=settings.N, variant="3a")
    return functools.partial(parity, T=settings.T)


# --- shared: task 1 ---
REBER_SYMBOLS = "BTSXPVE"
REBER_GRAPH = (  # Figure 3: from each node, symbol and next node; node 6 ends with E
    (("B", 1),), (("T", 2), ("P", 3)), (("S", 2), ("X", 4)), (("T", 3), ("V", 5)), (("X", 3), ("S", 6)),
    (("P", 4), ("V", 6)), (("E", None),))
REBER_STEPS = 64  # longer strings (fewer than one in 10^9) are drawn again


def reber_string(rng):
    """A string of the embedded Reber grammar (Figures 3 and 4), and for each of its symbols but the first the set of
    symbols that could have stood there, as strings."""
    outer = "TP"[rng.integers(2)]
    string, possible, node = "B" + outer, ["TP"], 0
    while node is not None:
        edges = REBER_GRAPH[node]
        symbol, following = edges[rng.integers(len(edges))] if len(edges) > 1 else edges[0]
        possible.append("".join(edge[0] for edge in edges))
        string, node = string + symbol, following
    return string + outer + "E", [*possible, outer, "E"]


def picked(rng, n, training):
    """1: n strings picked randomly from the training set."""
    chosen = rng.integers(0, len(training.end), n)
    return Sequences(training.x[chosen], training.end[chosen], training.target[chosen])


@functools.cache
def reber_sets(seed):
    """The 256 training and 256 test strings of a trial: ten trials in a row share a pair of sets (seeds 0-9, 10-19).

    Returns two Sequences, training and test; no test string is a training string. truth (n, T, 7) holds 1 where a
    symbol is possible next.
    """
    rng, strings, seen = streams(seed // 10)["eval"], [], set()
    while len(strings) < 512:
        string, possible = reber_string(rng)
        if len(string) - 1 <= REBER_STEPS and string not in seen:
            strings.append((string, possible))
        if len(strings) == 256:
            seen = {known for known, _ in strings}
    x, target = np.zeros((2, 512, REBER_STEPS), int)
    truth = np.zeros((512, REBER_STEPS, 7))
    for k, (string, possible) in enumerate(strings):
        symbols = [REBER_SYMBOLS.index(symbol) for symbol in string]
        x[k, : len(symbols) - 1], target[k, : len(symbols) - 1] = symbols[:-1], symbols[1:]
        for t, letters in enumerate(possible):
            truth[k, t, [REBER_SYMBOLS.index(letter) for letter in letters]] = 1
    end = np.array([len(string) - 2 for string, _ in strings])
    return tuple(Sequences(x[half], end[half], target[half], truth[half]) for half in (slice(256), slice(256, 512)))
# --- end shared ---


# --- shared: task 2a ---
def long_lag(rng, n, p, shuffled, at_end):
    """2a: (y, a_1 ... a_{p-1}, y) or (x, a_1 ... a_{p-1}, x); 2b: p - 1 random a_i. Every next symbol is a target.

    Symbols: a_i is i - 1, x is p - 1, y is p. at_end: the last symbol is the only target.
    """
    x = np.empty((n, p), int)
    x[:, 0] = rng.integers(p - 1, p + 1, n)
    x[:, 1:] = rng.integers(0, p - 1, (n, p - 1)) if shuffled else np.arange(p - 1)
    target = one_hot(x[:, 0], p + 1) if at_end else np.concatenate([x[:, 1:], x[:, :1]], axis=1)
    return Sequences(x, np.full(n, p - 1), target)
# --- end shared ---


def both_sequences(p):
    """The only two sequences of task 2a: (x, a_1 ... a_{p-1}, x) and (y, a_1 ... a_{p-1}, y)."""
    x = np.tile(np.arange(-1, p - 1), (2, 1))
    x[:, 0] = p - 1, p
    return Sequences(x, np.full(2, p - 1), np.concatenate([x[:, 1:], x[:, :1]], axis=1))


# --- shared: task 3a ---
NOISE = math.sqrt(0.2)  # "variance 0.2"


def two_sequences(rng, n, T, N, variant):
    """3a: class 1 starts with N elements 1.0, class 2 with N elements -1.0, the rest is N(0, 0.2). 3b: the noise covers
    those, too. 3c: as 3a, with targets 0.2 and 0.8, and N(0, 0.1) on them; truth is the target without it."""
    x = rng.normal(0, NOISE, (n, T + T // 10, 1))
    end = rng.integers(T, T + T // 10 + 1, n) - 1
    first = rng.integers(0, 2, n) == 0  # class 1
    signal = np.where(first, 1.0, -1.0)[:, None, None]
    x[:, :N] = x[:, :N] + signal if variant == "3b" else signal
    truth = np.where(first, 0.2, 0.8) if variant == "3c" else np.where(first, 1.0, 0.0)
    noise = rng.normal(0, math.sqrt(0.1), n) if variant == "3c" else 0
    return Sequences(x, end, (truth + noise)[:, None], truth[:, None])
# --- end shared ---


# --- shared: task parity ---
def parity(rng, n, T):
    """T to T + T/10 elements 1 or -1; target 1 if the number of 1s is odd, else 0."""
    x = rng.choice([-1.0, 1.0], (n, T + T // 10, 1))
    end = rng.integers(T, T + T // 10 + 1, n) - 1
    ones = np.cumsum(x[:, :, 0] == 1, axis=1)[np.arange(n), end]
    return Sequences(x, end, (ones % 2)[:, None].astype(float))
# --- end shared ---


# ----------------------------------------------------------------------------------------------------------------------
# Criteria
# ----------------------------------------------------------------------------------------------------------------------

TOLERANCE = {"2a": 0.25, "3a": 0.2, "parity": 0.3}  # a sequence is wrong if an output is off by as much


# --- shared: wrong strings ---
def wrong_strings(y, possible, end):
    """Which Reber strings are wrong: at some step an impossible symbol's output is not below all possible ones'.

    y, possible: (n, T, 7); end: (n,).
    """
    least = np.where(possible > 0, y, np.inf).min(-1)
    most = np.where(possible > 0, -np.inf, y).max(-1)
    return ((least <= most) & (np.arange(y.shape[1]) <= end[:, None])).any(1)
# --- end shared ---


# --- shared: held-out criterion ---
def held_out_reached(experiment, stops, wrong, mean_error):
    """Experiment 3 on its 256 test sequences. ST1: none is wrong (3b: fewer than 6); ST2: also a mean absolute error
    below 0.01 (3b: 0.04). 3c has one criterion: none wrong and a mean absolute error below 0.015."""
    few = wrong < 6 if experiment == "3b" else wrong == 0
    bound = {"3a": 0.01, "3b": 0.04, "3c": 0.015}[experiment]
    return bool(few and (mean_error < bound or (experiment != "3c" and stops == 0)))
# --- end shared ---


# ----------------------------------------------------------------------------------------------------------------------
# Recurrent nets: RTRL, BPTT, Elman
# ----------------------------------------------------------------------------------------------------------------------


class Shape:
    """Units and weights of a net. A trial's weights are one vector of `size` numbers.

    Task 2a: a layer of self-recurrent hidden units, outputs that see the hidden units and the inputs. Task 1, rtrl and
    bptt: fully recurrent, every hidden and output unit sees the inputs, all hidden and all output units. elman: the
    hidden units see the inputs and their own copy (the context), the outputs see the hidden units. No unit has a bias.
    """

    def __init__(self, settings, extra_outputs=0):
        self.inputs = 7 if settings.experiment == "1" else settings.p + 1
        self.outputs, self.hidden, self.steps = self.inputs + extra_outputs, settings.hidden, steps_of(settings)
        self.feedback = settings.experiment == "1" and settings.method in ("rtrl", "bptt")
        self.direct = settings.method != "elman"  # weights from inputs to outputs
        self.units = self.hidden + (self.outputs if self.feedback else 0)  # that are seen a step later
        self.parts = (
            (self.hidden, self.units), (self.inputs, self.hidden), (self.outputs, self.units),
            (self.inputs if self.direct else 0, self.outputs))
        self.key = tuple(vars(self).values())
        self.ends = np.cumsum([math.prod(part) for part in self.parts]).tolist()
        self.size = self.ends[-1]

    def split(self, theta):
        """Views of weights (..., size): W_h (..., H, units) and V_h (..., I, H) into the hidden units, from units and
        from input symbols; W_o (..., K, units) and V_o (..., I, K) into the outputs."""
        pieces = np.split(theta, self.ends[:-1], axis=-1)
        return [piece.reshape(*theta.shape[:-1], *part) for piece, part in zip(pieces, self.parts)]

    def tensors(self, theta):
        """Named weights of a vector (size,)."""
        names = ("units to hidden", "inputs to hidden", "units to outputs", "inputs to outputs")
        return {name: part for name, part in zip(names, self.split(theta)) if part.size}


class Readings(NamedTuple):
    """What the lanes of a stack may differ in, each (R,)."""

    slope_weight: np.ndarray  # output error: factor (slope_weight f'(net) + slope_offset) on t - y
    slope_offset: np.ndarray
    lr: np.ndarray
    surprise: np.ndarray

    @classmethod
    def of(cls, several):
        """The readings of some lanes' settings."""
        errors = {"a17": (1, 0), "plain": (0, 1), "flat-spot": (1, 0.1)}
        return cls(*np.array([(*errors[s.output_error], s.lr, s.surprise or 0) for s in several], float).T)


def logistic(net):
    """f(net) = 1 / (1 + exp(-net)) = (1 + tanh(net / 2)) / 2, in place."""
    np.multiply(net, 0.5, net)
    np.tanh(net, net)
    np.multiply(net, 0.5, net)
    return np.add(net, 0.5, net)


def matvec(W, v):
    """W v for each lane: (..., m, n), (..., n) to (..., m). One column is a plain product."""
    return W[..., 0] * v if W.shape[-1] == 1 else np.matvec(W, v)


def vecmat(v, W):
    """W^T v for each lane: (..., m), (..., m, n) to (..., n). One column is a dot product, one row a plain product."""
    if W.shape[-2] == 1:
        return v * W[..., 0, :]
    return np.vecdot(v, W[..., 0])[..., None] if W.shape[-1] == 1 else np.vecmat(v, W)


def matmat(W, P, out):
    """W P for each lane: (..., m, n), (..., n, k). A single number is a plain product."""
    return (np.multiply if W.shape[-2:] == (1, 1) else np.matmul)(W, P, out)


def rounded(values):
    """A list of numbers with six significant digits."""
    return [float(f"{value:.6g}") for value in values]


ALL = slice(None)


class Net:
    """R nets in lockstep, each with its own weights. One time step is three processing steps (section 5): set the
    inputs, compute the hidden units, compute the outputs.

        net_h(t) = W_h u(t-1) + V_h x(t)        h(t) = f(net_h(t))
        net_o(t) = W_o z(t)   + V_o x(t)        y(t) = f(net_o(t))

    u(t) = h(t), z(t) = h(t); in the fully recurrent net u(t) = [h(t); y(t)], z(t) = [h(t); y(t-1)]. x(t) is a symbol,
    so V x is a row of V. All activations are zero before a sequence. `rates` (R, 1) multiplies whatever is added to the
    `into` weights: the weights themselves, or a buffer of changes.
    """

    def __init__(self, shape, theta, readings):
        R, dtype = len(theta), theta.dtype
        self.shape, self.theta, self.lane = shape, theta, np.arange(R)
        self.W_h, self.V_h, self.W_o, self.V_o = self.weights = shape.split(theta)
        self.weight, self.offset, self.rates = (value[:, None] for value in readings[:3])
        self.plain_slope = not readings.slope_offset.any()
        self.delta = np.zeros((R, shape.size))
        self.changes = shape.split(self.delta)
        self.u, self.z = np.zeros((2, R, shape.units), dtype)
        self.before = np.zeros((R, shape.units), dtype)  # u a step earlier
        self.y = np.zeros((R, shape.outputs), dtype)
        self.x = np.zeros(R, int)

    def reset(self):
        """All activations to zero, before a sequence."""
        self.u[:] = 0

    def step(self, x, lanes=ALL):
        """Steps of some lanes: x (lanes,) are their symbols. Returns the outputs (lanes, K)."""
        lane, H, u = self.lane[lanes], self.shape.hidden, self.u[lanes]
        self.before[lanes], self.x[lanes] = u, x
        net = matvec(self.W_h[lanes], u)
        net += self.V_h[lane, x]
        h = logistic(net)
        z = np.concatenate([h, u[:, H:]], axis=1) if self.shape.feedback else h
        net = matvec(self.W_o[lanes], z)
        if self.shape.direct:
            net += self.V_o[lane, x]
        y = logistic(net)
        self.z[lanes], self.y[lanes] = z, y
        self.u[lanes] = np.concatenate([h, y], axis=1) if self.shape.feedback else h
        return y

    def output_delta(self, difference, y, lanes=ALL):
        """The error at the net inputs of the outputs, times the rate: (weight f' + offset) (t - y). (..., lanes, K)"""
        delta = 1 - y
        delta *= y
        if not self.plain_slope:
            delta *= self.weight[lanes]
            delta += self.offset[lanes]
        delta *= difference
        return np.multiply(delta, self.rates[lanes], delta)

    def run(self, x, last, keep):
        """Steps 0 ... last - 1 of sequences x (T, R), outputs (last, R, K). keep: also u before and z at every step."""
        self.reset()
        ys = np.zeros((last, *self.y.shape), self.theta.dtype)
        if keep:
            self.u_before, self.z_at = np.zeros((2, last, *self.u.shape), self.theta.dtype)
        for t in range(last):
            ys[t] = self.step(x[t])
            if keep:
                self.u_before[t], self.z_at[t] = self.before, self.z
        return ys

    def backward(self, delta_out, ys, x):
        """Back-propagation through time: adds the changes of all weights to `changes`.

        delta_out (T, R, K): errors at the net inputs of the outputs that come from their own targets. Returns the
        errors at the net inputs of the hidden units, (T, R, H).
        """
        H, T = self.shape.hidden, len(ys)
        dW_h, dV_h, dW_o, dV_o = self.changes
        delta_h, arriving = np.zeros((T, len(self.lane), H)), np.zeros(self.u.shape)  # at u(t), from step t + 1
        for t in reversed(range(T)):
            delta_o = delta_out[t]
            if self.shape.feedback:
                delta_o = delta_o + arriving[:, H:] * ys[t] * (1 - ys[t])
            at_z = vecmat(delta_o, self.W_o)
            h = self.z_at[t, :, :H]
            delta_h[t] = (at_z[:, :H] + arriving[:, :H]) * h * (1 - h)
            arriving = vecmat(delta_h[t], self.W_h)
            if self.shape.feedback:
                arriving[:, H:] += at_z[:, H:]
            dW_h += delta_h[t, :, :, None] * self.u_before[t, :, None]
            dV_h[self.lane, x[t]] += delta_h[t]
            dW_o += delta_o[:, :, None] * self.z_at[t, :, None]
            if self.shape.direct:
                dV_o[self.lane, x[t]] += delta_o
        return delta_h

    def learn_bptt(self, x, target, end):
        """One sequence for each lane and one change of the weights after it. x, target (T, R) symbols, end (R,)."""
        last = int(end.max()) + 1
        ys = self.run(x, last, keep=True)
        self.delta[:] = 0
        self.backward(self.output_delta(differences(ys, target, end), ys), ys, x)
        self.theta += self.delta

    def learn_online(self, rule, x, target, end, every_step):
        """One sequence for each lane, by a rule that goes forward in time: the weights change after every step, or once
        at the end by the sum. rule: Sensitivities or Truncated of this net."""
        self.reset()
        rule.reset()
        self.delta[:] = 0
        into = self.weights if every_step else self.changes
        for x_t, target_t, inside in zip(x, target, insides(end)):
            y = self.step(x_t)
            rule.step()
            rule.change(self.output_delta(difference(y, target_t, inside), y), into)
        if not every_step:
            self.theta += self.delta


def insides(end):
    """For each step up to the last end (R,): which lanes are still inside their sequence, (R, 1), or None if all."""
    first, last = int(end.min()), int(end.max())
    return [None if t <= first else (t <= end)[:, None] for t in range(last + 1)]


def difference(y, target, inside=None):
    """t_k - y_k of outputs y (R, K) for target symbols (R,), zero for lanes that are not inside."""
    missing = -y
    missing[np.arange(len(y)), target] += 1
    return missing if inside is None else missing * inside


def differences(ys, target, end):
    """The differences at all steps: (T, R, K), for ys (T, R, K) and target (T, R)."""
    return np.array([difference(*step) for step in zip(ys, target, insides(end))])


class Sensitivities:
    """RTRL: P[k, w] = du_k / dw for every unit k whose activation the next step sees and every weight w it depends on,
    carried forward in time.

        dnet_h(t)/dw = W_h P(t-1) + (what stands at w: u(t-1) or x(t))        P_h(t) = f'(net_h(t)) dnet_h(t)/dw

    and in the fully recurrent net the same for the outputs, with [P_h(t); P_y(t-1)].
    """

    def __init__(self, net):
        self.net, shape, R = net, net.shape, len(net.lane)
        self.parts = shape.parts if shape.feedback else shape.parts[:2]
        columns = shape.ends[len(self.parts) - 1]
        self.P = np.zeros((R, shape.units, columns))
        self.net_h, self.net_o = np.zeros((R, shape.hidden, columns)), np.zeros((R, shape.outputs, columns))
        self.net_h_by_part, self.net_o_by_part = self.by_part(self.net_h), self.by_part(self.net_o)
        self.hidden, self.outputs = np.arange(shape.hidden), np.arange(shape.outputs)

    def by_part(self, rows):
        """Views of rows (R, n, columns) by kind of weight: (R, n, H, units) for W_h, (R, n, I, H) for V_h, ..."""
        pieces = np.split(rows, self.net.shape.ends[: len(self.parts) - 1], axis=-1)
        return [piece.reshape(*rows.shape[:2], *part) for piece, part in zip(pieces, self.parts)]

    def reset(self):
        self.P[:] = 0

    def step(self, lanes=ALL):
        """Goes along with the net's last step of these lanes."""
        net, H, x = self.net, self.net.shape.hidden, self.net.x[lanes, None]
        n, lane, k = len(x), net.lane[: len(x), None], self.hidden
        net_h = matmat(net.W_h[lanes], self.P[lanes], self.net_h[:n])
        to_W, to_V = self.net_h_by_part[:2]
        to_W[:n, k, k] += net.before[lanes][:, None]
        to_V[lane, k, x, k] += 1
        h = net.z[lanes][:, :H]
        self.P[lanes, :H] = net_h * (h * (1 - h))[:, :, None]
        if net.shape.feedback:
            k = self.outputs
            net_o = matmat(net.W_o, self.P, self.net_o)
            to_W, to_V = self.net_o_by_part[2:]
            to_W[:, k, k] += net.z[:, None]
            to_V[lane, k, x, k] += 1
            np.multiply(net_o, (net.y * (1 - net.y))[:, :, None], self.P[:, H:])

    def change(self, delta_o, into, lanes=ALL):
        """Adds the changes by an error at the net inputs of the outputs, delta_o (lanes, K), to the weights `into`."""
        net, ends = self.net, self.net.shape.ends
        if net.shape.feedback:
            change = vecmat(delta_o, self.net_o)
        else:
            change = vecmat(vecmat(delta_o, net.W_o[lanes]), self.P[lanes])
        for k, (weights, part) in enumerate(zip(into, self.parts)):
            weights[lanes] += change[:, ends[k - 1] if k else 0 : ends[k]].reshape(len(change), *part)
        if not net.shape.feedback:
            W_o, V_o = into[2:]
            W_o[lanes] += delta_o[:, :, None] * net.z[lanes][:, None]
            V_o[net.lane[lanes], net.x[lanes]] += delta_o


class Truncated:
    """Elman's procedure: the context is one more input, no error goes back through it."""

    def __init__(self, net):
        self.net = net

    def reset(self):
        """There is nothing to carry from step to step."""

    step = reset

    def change(self, delta_o, into):
        """Adds the changes by an error at the net inputs of the outputs, delta_o (R, K), to the weights `into`."""
        net, (W_h, V_h, W_o, _) = self.net, into
        delta_h = vecmat(delta_o, net.W_o) * net.z * (1 - net.z)
        W_h += delta_h[:, :, None] * net.before[:, None]
        V_h[net.lane, net.x] += delta_h
        W_o += delta_o[:, :, None] * net.z[:, None]


def error_signal(net, x, target, end):
    """The size of the error that arrives at the hidden units, ||dE(end)/dnet_h(end - q)|| for E half the squared error
    in the last symbol, by BPTT: (lags, R), lag 0 first. All sequences must end at the same step."""
    ys = net.run(x, end[0] + 1, keep=True)
    at_end = differences(ys, target, end)
    at_end[:-1] = at_end[..., net.shape.inputs :] = 0
    rates, net.rates = net.rates, np.ones_like(net.rates)
    delta_h = net.backward(net.output_delta(at_end, ys), ys, x)
    net.rates = rates
    return np.hypot.reduce(abs(delta_h), axis=-1)[::-1]  # squares of errors below 1e-162 would be zero


# ----------------------------------------------------------------------------------------------------------------------
# The neural sequence chunker
# ----------------------------------------------------------------------------------------------------------------------


class Chunker:
    """The two-net chunker (Schmidhuber 1992), R pairs of nets in lockstep, both trained by RTRL.

    The automatizer reads every symbol and predicts the next one. Symbols it failed to predict go to the chunker (the
    first symbol of a sequence, which nobody could predict, too): it sees these only, its state stays as it is in
    between, and it predicts the next one of them. The automatizer has an output for each hidden unit of the chunker and
    learns to name its activation at every step; so what the chunker keeps, the automatizer learns to keep.
    A symbol is unexpected where the automatizer's own output was off by more than `surprise` at some symbol.
    """

    def __init__(self, shapes, theta, readings):
        first, second = shapes
        self.shapes, self.theta, self.readings = shapes, theta, readings
        self.automatizer = Net(first, theta[:, : first.size], readings)
        self.chunker = Net(second, theta[:, first.size :], readings)
        self.rules = Sensitivities(self.automatizer), Sensitivities(self.chunker)

    def learn(self, x, target, end, every_step):
        """One sequence for each lane. x, target: (T, R) symbols; all lanes' sequences end at the same step."""
        nets = self.automatizer, self.chunker
        into = [net.weights if every_step else net.changes for net in nets]
        for net, rule in zip(nets, self.rules):
            net.reset()
            rule.reset()
            net.delta[:] = 0
        unexpected = np.ones(len(self.theta), bool)
        for t in range(int(end[0]) + 1):
            if unexpected.any():
                self.chunk(np.flatnonzero(unexpected), x[t], into[1], first=t == 0)
            y = self.automatizer.step(x[t])
            self.rules[0].step()
            wanted = self.difference(y, target[t])
            self.rules[0].change(self.automatizer.output_delta(wanted, y), into[0])
            unexpected = self.unexpected(wanted)
        if unexpected.any():
            self.chunk(np.flatnonzero(unexpected), target[end[0]], into[1], first=False)
        if not every_step:
            for net in nets:
                net.theta += net.delta

    def difference(self, y, target):
        """t_k - y_k of the automatizer: the next symbol, then the chunker's hidden units as they are now."""
        wanted = difference(y, target)
        wanted[:, self.shapes[1].outputs :] += self.chunker.u
        return wanted

    def unexpected(self, difference):
        """Whether the automatizer failed on the next symbol. (R,)"""
        return abs(difference[:, : self.shapes[1].outputs]).max(-1) > self.readings.surprise

    def chunk(self, lanes, x, into, first):
        """The chunker of some lanes learns from a symbol that arrives unexpected, unless it is the first one of the
        sequence, and then reads it. x: (R,) symbols of all lanes."""
        net, rule = self.chunker, self.rules[1]
        if not first:
            y = net.y[lanes]
            rule.change(net.output_delta(difference(y, x[lanes]), y, lanes), into, lanes)
        net.step(x[lanes], lanes)
        rule.step(lanes)

    def predictions(self, x, target, end):
        """What both nets say on sequences (T, R), without learning: the automatizer's outputs at every step (T, R, K),
        and the chunker's prediction at the end, of the next unexpected symbol, (R, K)."""
        K, last = self.shapes[1].outputs, int(end[0]) + 1
        ys, unexpected = np.zeros((last, len(self.theta), K)), np.ones(len(self.theta), bool)
        for net in (self.automatizer, self.chunker):
            net.reset()
        for t in range(last):
            if unexpected.any():
                lanes = np.flatnonzero(unexpected)
                self.chunker.step(x[t, lanes], lanes)
            y = self.automatizer.step(x[t])
            ys[t] = y[:, :K]
            unexpected = self.unexpected(difference(y, target[t]))
        return ys, self.chunker.y.copy()


# ----------------------------------------------------------------------------------------------------------------------
# Recurrent cascade-correlation
# ----------------------------------------------------------------------------------------------------------------------

POOL = 8  # candidate units trained side by side, of which the best is kept
PATIENCE = 12  # epochs without a significant change that end a phase
PHASE_EPOCHS = 200  # most epochs of a phase
OUTPUT_CHANGE, CANDIDATE_CHANGE = 0.001, 0.005  # relative changes of squared error and correlation that are significant
OUTPUT_RATE, CANDIDATE_RATE = 0.35, 1.0  # quickprop's epsilon for slopes that are means over the steps
OUTPUT_DECAY = 1e-4
MU = 2.0  # quickprop's largest growth of a step


class Quickprop:
    """Fahlman's quickprop: a jump to the minimum of the parabola through this slope and the last one, at most MU times
    the last step, plus a step down the slope where that has not changed its sign."""

    def __init__(self, shape, rate, decay):
        self.rate, self.decay = rate, decay
        self.step, self.last = np.zeros((2, *shape))

    def __call__(self, w, slope):
        """Changes the weights w downhill. slope: dE/dw, of the same shape."""
        slope = slope + self.decay * w
        limit = MU * abs(self.step)
        with np.errstate(divide="ignore", invalid="ignore"):
            jump = np.clip(np.nan_to_num(self.step * slope / (self.last - slope)), -limit, limit)
        direction = np.sign(self.step)
        far = direction * slope <= direction * self.last * MU / (1 + MU)  # not yet near the minimum
        step = np.where(direction == 0, 0, np.where(far, MU * self.step, jump))
        step -= np.where(direction * slope <= 0, self.rate * slope, 0)
        w += step
        self.step, self.last = step, slope


class Strings:
    """Strings side by side for the cascade: x, target (T, n) symbols, padded; inside (T, n) marks the steps that exist,
    rows the same steps in one line of M = their number."""

    def __init__(self, batch):
        T = int(batch.end.max()) + 1
        self.x, self.end, self.truth = batch.x[:, :T].T, batch.end, batch.truth
        self.inside = np.arange(T)[:, None] <= batch.end
        self.target = batch.target[:, :T].T[self.inside]

    def in_line(self, values):
        """values (T, ..., n) of the steps that exist: (..., M)."""
        return np.moveaxis(values, 0, -2)[..., self.inside]

    def in_place(self, line):
        """The other way, with zeros elsewhere: (..., M) to (..., T, n)."""
        values = np.zeros((*line.shape[:-1], *self.inside.shape), line.dtype)
        values[..., self.inside] = line
        return values


class Cascade:
    """Fahlman's (1991) net: outputs that see everything below, and hidden units that are added one by one and frozen.

        V(t) = f(sum over i of w_i I_i(t) + w_s V(t-1)) - 1/2

    A unit sees the bias, the inputs, all hidden units before it, and through its one recurrent weight w_s itself.
    """

    def __init__(self, n_in, n_out, rng, init, slope_offset):
        self.n_in, self.n_out, self.rng, self.init, self.slope_offset = n_in, n_out, rng, init, slope_offset
        self.hidden = []  # weights (1 + n_in + units before + 1,), the last one recurrent
        self.W_o = rng.uniform(-init, init, (n_out, 1 + n_in))

    @property
    def weights(self):
        return self.W_o.size + sum(w.size for w in self.hidden)

    def features(self, strings):
        """Bias, inputs and hidden units at every step: (1 + n_in + hidden, M)."""
        rows = [np.ones(strings.target.size), *one_hot(strings.x[strings.inside], self.n_in).T]
        for w in self.hidden:
            rows.append(strings.in_line(unit_values(w[None], np.array(rows), strings))[0])
        return np.array(rows)

    def outputs(self, features):
        """(n_out, M)"""
        return logistic(self.W_o @ features)

    def predictions(self, strings, features):
        """Outputs (n, T, n_out) of every string."""
        return strings.in_place(self.outputs(features)).transpose(2, 1, 0)

    def error(self, features, target):
        """Outputs' errors y - t times f' plus the offset against flat spots, (n_out, M), and half the squared error."""
        y = self.outputs(features)
        difference = y - one_hot(target, self.n_out).T
        return difference * (y * (1 - y) + self.slope_offset), 0.5 * (difference * difference).sum()

    def candidates(self, features):
        """A fresh pool: (POOL, 1 + n_in + hidden + 1)."""
        return self.rng.uniform(-self.init, self.init, (POOL, len(features) + 1))

    def add(self, w, correlation):
        """Freezes a unit; its weights to the outputs start at minus its correlation with their errors."""
        self.hidden.append(w)
        self.W_o = np.concatenate([self.W_o, -correlation[:, None]], axis=1)


def unit_values(w, features, strings):
    """V(t) of units with weights w (C, sources + 1) on features (sources, M): (T, C, n), the steps in the first axis
    (and a second one for the unit), zero before a string."""
    drive = np.moveaxis(strings.in_place(w[:, :-1] @ features), 0, 1).copy()  # (T, C, n)
    V, before = np.zeros(drive.shape, drive.dtype), np.zeros(drive.shape[1:], drive.dtype)
    for t, net in enumerate(drive):
        net += w[:, -1:] * before
        before = V[t] = logistic(net) - 0.5
    return V


def correlations(V, error):
    """Covariance of V (C, M) with the errors (n_out, M) at each output, over the sum of their squares: (C, n_out)."""
    residual = error - error.mean(1, keepdims=True)
    return V @ residual.T / (error * error).sum()


def candidate_slopes(w, features, strings, error):
    """Score S = sum over outputs of |correlation| of candidates w (C, sources + 1), dS/dw, and the correlations.

    Fahlman carries dV(t)/dw forward in time. Backward in time it is the same sum: with b(t) = dS/dV(t) from step t on,
    b(t) = g(t) + w_s f'(t+1) b(t+1), and dS/dw_i = sum over t of f'(t) b(t) I_i(t).
    """
    V = unit_values(w, features, strings)  # (T, C, n)
    line = strings.in_line(V)
    correlation = correlations(line, error)
    residual = error - error.mean(1, keepdims=True)
    g = np.sign(correlation) @ residual / (error * error).sum()  # (C, M) dS / dV
    local = np.moveaxis(strings.in_place(g), 0, 1).copy()  # (T, C, n), becomes dS / dnet
    later = np.zeros(V.shape[1:])
    for t in reversed(range(len(V))):
        local[t] += later
        local[t] *= 0.25 - V[t] * V[t]
        later = w[:, -1:] * local[t]
    slopes = np.empty_like(w)
    slopes[:, :-1] = strings.in_line(local) @ features.T
    slopes[:, -1] = (local[1:] * V[:-1]).sum((0, 2))
    return abs(correlation).sum(1), slopes, correlation


class CascadeTrial:
    """One trial of recurrent cascade-correlation: batch learning over the whole training set, all in epochs.

    sequences counts presentations: an epoch shows every training string once, whichever weights it trains.
    """

    def __init__(self, settings, seed):
        self.settings, self.seed, self.sequences = settings, seed, 0
        if settings.experiment == "1":
            self.sets = [Strings(batch) for batch in reber_sets(seed)]
        else:
            self.sets = [Strings(both_sequences(settings.p))]
        n = 7 if settings.experiment == "1" else settings.p + 1
        offset = {"a17": 0.0, "flat-spot": 0.1}[settings.output_error]
        self.net = Cascade(n, n, streams(seed)["init"], settings.init, offset)
        self.curve = []  # squared error after each phase of the outputs
        self.signal_at_start = None  # of the first candidates

    def run(self):
        """Trains until success, the most units or the cap. Returns the trial's figures, or None if STOP is set."""
        success = self.train_outputs()
        while not success and len(self.net.hidden) < self.settings.hidden and not self.capped:
            self.train_candidates()
            success = self.train_outputs()
            if STOP.is_set():
                return None
        wrong = sum(int(self.wrong(strings, self.net.features(strings)).sum()) for strings in self.sets)
        count = sum(len(strings.end) for strings in self.sets)
        return dict(
            seed=self.seed, complete=bool(success), sequences=self.sequences, wrong=wrong, test_sequences=count,
            hidden_units=len(self.net.hidden), weights=self.net.weights, curve=self.curve,
            recurrent_weights=[float(w[-1]) for w in self.net.hidden],
            signal_at_start=self.signal_at_start, signal_at_end=self.signal_at_end())

    @property
    def capped(self):
        return self.sequences >= self.settings.max_sequences

    def epoch(self):
        self.sequences += len(self.sets[0].end)

    def train_outputs(self):
        """Quickprop on the outputs until success or until the error stagnates. Returns whether it succeeded."""
        features = [self.net.features(strings) for strings in self.sets]
        quickprop = Quickprop(self.net.W_o.shape, OUTPUT_RATE, OUTPUT_DECAY)
        best, since = math.inf, 0
        for _ in range(PHASE_EPOCHS):
            error, squared = self.net.error(features[0], self.sets[0].target)
            if not any(self.wrong(*pair).any() for pair in zip(self.sets, features)):
                return True
            since = 0 if abs(squared - best) > OUTPUT_CHANGE * best or best == math.inf else since + 1
            best = squared if since == 0 else best
            if since >= PATIENCE or self.capped:
                break
            quickprop(self.net.W_o, error @ features[0].T / features[0].shape[1])
            self.epoch()
        self.curve.append(round(float(squared), 4))
        return False

    def train_candidates(self):
        """Quickprop on a pool of candidates until the best score stagnates; the best one joins the net."""
        strings = self.sets[0]
        features = self.net.features(strings)
        error, _ = self.net.error(features, strings.target)
        w = self.net.candidates(features)
        if not self.net.hidden:
            self.signal_at_start = rounded(np.median(self.error_signal(w, features), axis=1))
        quickprop = Quickprop(w.shape, CANDIDATE_RATE, 0.0)
        best, since = 0.0, 0
        for _ in range(PHASE_EPOCHS):
            score, slopes, correlation = candidate_slopes(w, features, strings, error)
            self.epoch()
            chosen = int(score.argmax())
            since = 0 if abs(score[chosen] - best) > CANDIDATE_CHANGE * best else since + 1
            best = score[chosen] if since == 0 else best
            if since >= PATIENCE or self.capped:
                break
            quickprop(w, -slopes)
        self.net.add(w[chosen].copy(), correlation[chosen])

    def wrong(self, strings, features):
        """Which strings are wrong by the paper's criterion. (n,)"""
        y = self.net.predictions(strings, features)
        if self.settings.experiment == "1":
            return wrong_strings(y, strings.truth[:, : y.shape[1]], strings.end)
        difference = abs(y - one_hot(strings.target.reshape(strings.inside.shape).T, y.shape[-1]))
        return ~(difference.max((1, 2)) < TOLERANCE["2a"])

    def error_signal(self, w, features):
        """|dV(end) / dnet(end - q)| of units w (C, sources + 1) on the first string, lag q = 0 first: (lags, C). A
        unit's own recurrent weight is the only way back in time."""
        last = self.sets[0].end[0] + 1
        V = unit_values(w, features, self.sets[0])[:last, :, 0]
        factors = (0.25 - V * V)[::-1]
        factors[1:] *= w[:, -1]
        return abs(np.cumprod(factors, axis=0))

    def signal_at_end(self):
        """The largest error_signal of the hidden units at every lag; None without hidden units."""
        features = self.net.features(self.sets[0])
        signals = [self.error_signal(w[None], features[: len(w) - 1]) for w in self.net.hidden]
        return rounded(np.max(signals, axis=(0, 2))) if signals else None


# ----------------------------------------------------------------------------------------------------------------------
# Random weight guessing
# ----------------------------------------------------------------------------------------------------------------------

GUESSES = 1024  # guessed at once; the outcome does not depend on it


class Guess:
    """G fully recurrent nets with random weights, one input line, `hidden` units and an output: every unit sees the
    input, all hidden units, the output and a bias. A step is input, hidden units, output, as everywhere in the paper.
    """

    def __init__(self, hidden):
        self.hidden = hidden
        self.sources = hidden + 3  # h, y, x, 1
        self.weights = (hidden + 1) * self.sources

    def outputs(self, W, x, end):
        """Output at the end of one sequence x (T,) for nets W (G, hidden + 1, sources): (G,); or of one net, G = 1, for
        sequences x (T, n) with ends (n,): (n,)."""
        n = max(len(W), np.size(end))
        W = np.ascontiguousarray(W.transpose(1, 2, 0))  # (units, sources, G)
        s = np.zeros((self.sources, n))
        s[-1] = 1
        y = np.zeros(n)
        for t in range(int(np.max(end)) + 1):
            s[-2] = x[t]
            h = logistic((W[:-1] * s).sum(1))
            s[: self.hidden] = h
            s[-3] = logistic((W[-1] * s).sum(0))
            np.copyto(y, s[-3], where=np.asarray(end) == t)
        return y


class GuessTrial:
    """One trial of random weight guessing: nets drawn from U(-init, init) until one is right on all 256 sequences of
    the stopping criterion.

    sequences counts presentations: each net sees the sequences in order up to the first one it gets wrong.
    """

    def __init__(self, settings, seed):
        self.settings, self.seed, self.rng, self.net = settings, seed, streams(seed), Guess(settings.hidden)
        self.task, (stop, test) = task(settings, seed), streams(seed)["eval"].spawn(2)
        batches = [self.task(stop, LANES)[:3] for _ in range(N_STOP // LANES)]  # as lstm_1997.py draws them
        self.stop_set, self.test_rng = Sequences(*map(np.concatenate, zip(*batches))), test
        self.guesses = self.sequences = 0
        self.stops = []  # counts at ST1 and ST2

    def run(self):
        """Guesses until success or the cap. Returns the trial's figures, or None if STOP is set."""
        W = None
        while W is None and self.sequences < self.settings.max_sequences:
            if STOP.is_set():
                return None
            W = self.guess(GUESSES)
        final = dict(seed=self.seed, complete=W is not None, guesses=self.guesses, sequences=self.sequences)
        final |= self.figures(W) if W is not None else dict(wrong=None, mean_absolute_error=None)
        return final | dict(test_sequences=N_TEST, stops=self.stops, weights=None if W is None else W.ravel().tolist())

    def draw(self, n):
        """The next n nets: (n, units, sources)."""
        r = self.settings.init
        return self.rng["init"].uniform(-r, r, (n, self.settings.hidden + 1, self.net.sources))

    def guess(self, n):
        """Tries the next n nets in order. Returns the one that ends the trial, if there is one, else None."""
        W = self.draw(n)
        shown, right = self.present(W)
        for k in range(n):
            self.guesses += 1
            self.sequences += int(shown[k])
            if right[k] and self.accepted(W[k]):
                return W[k]
            if self.sequences >= self.settings.max_sequences:
                break
        return None

    def present(self, W):
        """How many of the sequences each net sees until its first wrong one, and whether it gets all right. (G,)"""
        shown, alive, data = np.zeros(len(W), int), np.arange(len(W)), self.stop_set
        for x, end, target in zip(data.x[:, :, 0], data.end, data.target[:, 0]):
            shown[alive] += 1
            error = abs(self.net.outputs(W[alive], x, end) - target)
            alive = alive[error < TOLERANCE[self.settings.experiment]]
            if not len(alive):
                break
        return shown, np.isin(np.arange(len(W)), alive)

    def accepted(self, W):
        """Whether a net that is right on all sequences ends the trial: at once on parity, in 3a by ST2."""
        count = dict(guesses=self.guesses, sequences=self.sequences)
        if self.settings.experiment == "parity":
            return True
        mean_error = float(self.errors(W, self.stop_set).mean())
        while len(self.stops) < 2 and held_out_reached("3a", len(self.stops), 0, mean_error):
            self.stops.append(count)
        return len(self.stops) == 2

    def errors(self, W, data):
        """Absolute errors of one net (units, sources) on Sequences. (n,)"""
        return abs(self.net.outputs(W[None], data.x[:, :, 0].T, data.end) - data.target[:, 0])

    def figures(self, W):
        """Figures on fresh test sequences."""
        error = np.concatenate([self.errors(W, self.task(self.test_rng, LANES)) for _ in range(N_TEST // LANES)])
        wrong = ~(error < TOLERANCE[self.settings.experiment])
        return dict(wrong=int(wrong.sum()), mean_absolute_error=float(error.mean()))


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


EQUAL_TOLERANCE = 1e-10  # RTRL against BPTT, the largest difference over the largest change of the tensor
CHECKS = (  # every kind of net; two lanes each
    dict(method="bptt", p=30), dict(method="bptt", p=30, output_error="flat-spot"),
    dict(method="bptt", p=6, hidden=3), dict(method="bptt", p=30, hidden=3, output_error="plain"),
    dict(method="bptt", experiment="1", hidden=3),
    dict(method="bptt", experiment="1", hidden=5, output_error="flat-spot"))


def checked_nets(settings, updates):
    """Two lanes of unsaturated nets with rate 1, and their weights after some updates; x, target, end of a sequence."""
    shape, seeds = Shape(settings), (settings.seed, settings.seed + 1)
    trials = [Trial(settings, seed) for seed in seeds]
    theta = np.array([trial.start(shape.size) for trial in trials]) * 4
    net = Net(shape, theta, Readings.of([settings] * 2))
    x, target, end = stacked([trial.draw(updates + 1) for trial in trials])
    for k in range(updates):
        net.learn_bptt(x[k], target[k], end[k])
    return Net(shape, net.theta, Readings.of([settings] * 2)._replace(lr=np.ones(2))), x[-1], target[-1], end[-1]


def squared_error(net, x, target, end):
    """Half the squared error of all lanes, as a function of all their weights in one line."""

    def loss(weights):
        other = Net(net.shape, weights.reshape(2, -1), Readings(*(np.ones(2),) * 4))
        missing = differences(other.run(x, int(end.max()) + 1, keep=False), target, end)
        return 0.5 * (missing * missing).sum()

    return loss


def frozen_context_error(net, x, target, end):
    """The same with every context held at the activation it has under the net's own weights: what Elman's procedure
    takes the derivative of."""
    net.run(x, int(end.max()) + 1, keep=True)
    contexts = net.u_before.copy()

    def loss(weights):
        other, total = Net(net.shape, weights.reshape(2, -1), Readings(*(np.ones(2),) * 4)), 0
        for context, x_t, target_t, inside in zip(contexts, x, target, insides(end)):
            other.u[:] = context
            missing = difference(other.step(x_t), target_t, inside)
            total = total + 0.5 * (missing * missing).sum()
        return total

    return loss


def by_lane(shape):
    """The tensors of two lanes' weights in one line."""
    return lambda weights: {
        f"{name}, lane {lane}": part for lane in range(2)
        for name, part in shape.tensors(weights.reshape(2, -1)[lane]).items()}


def changes_of(theta, nets, learn):
    """What learn() adds to all weights of two lanes, in one line; the weights theta are put back."""
    start = theta.copy()
    learn()
    theta[:] = start
    return np.concatenate([net.delta for net in nets], axis=1).ravel()


def check_rtrl(settings, updates):
    """RTRL and BPTT on the same sequence. Returns check_gradient's rows of each, and the largest difference between the
    two. With an output_error other than a17 there is no error function, and the rows are empty."""
    net, x, target, end = checked_nets(settings, updates)
    rule = Sensitivities(net)
    bptt = changes_of(net.theta, [net], lambda: net.learn_bptt(x, target, end))
    rtrl = changes_of(net.theta, [net], lambda: net.learn_online(rule, x, target, end, every_step=False))
    named = by_lane(net.shape)
    worst = max(
        float(abs(a - b).max() / abs(b).max()) for a, b in zip(named(rtrl).values(), named(bptt).values()))
    if settings.output_error != "a17":
        return [], [], worst
    loss = squared_error(net, x, target, end)
    return (*(check_gradient(loss, net.theta.ravel(), -change, named) for change in (bptt, rtrl)), worst)


def check_elman(settings, updates):
    """check_gradient's rows of Elman's procedure against the derivative with frozen contexts."""
    net, x, target, end = checked_nets(settings, updates)
    rule = Truncated(net)
    change = changes_of(net.theta, [net], lambda: net.learn_online(rule, x, target, end, every_step=False))
    return check_gradient(frozen_context_error(net, x, target, end), net.theta.ravel(), -change, by_lane(net.shape))


def check_candidates(experiment):
    """check_gradient's rows of the correlation score of two candidate units."""
    settings = Settings(method="rcc", experiment=experiment, p=30 if experiment == "2a" else None)
    trial = CascadeTrial(settings, 0)
    net, strings = trial.net, trial.sets[0]
    net.add(net.candidates(net.features(strings))[0], np.linspace(-1, 1, net.n_out))
    features = net.features(strings)
    error, _ = net.error(features, strings.target)
    w = net.candidates(features)[:2]

    def loss(weights):
        V = strings.in_line(unit_values(weights.reshape(2, -1), features, strings))
        score = correlations(V, error)
        return (np.sign(score.real) * score).sum()

    def tensors(weights):
        first, second = weights.reshape(2, -1)
        return {"sources, first": first[:-1], "recurrent, first": first[-1:], "sources, second": second[:-1],
                "recurrent, second": second[-1:]}

    score, slopes, _ = candidate_slopes(w, features, strings, error)
    assert math.isclose(score.sum(), loss(w.ravel()))
    return check_gradient(loss, w.ravel(), slopes.ravel(), tensors)


def check_chunker(settings):
    """check_gradient's rows of both nets of two chunkers: the changes by a sequence against the derivative of their
    squared errors, with the symbols that were unexpected and the targets the automatizer had held as they were."""
    trials = [Trial(settings, seed) for seed in (0, 1)]
    shapes = trials[0].shapes
    sizes = [shape.size for shape in shapes]
    theta = np.array([trial.start(sum(sizes)) for trial in trials]) * 4
    pair = Chunker(shapes, theta, Readings.of([settings] * 2)._replace(lr=np.ones(2)))
    x, target, end = (part[0] for part in stacked([trial.draw(1) for trial in trials]))
    seen, named = [], []  # (step, lanes), and the chunker's hidden units, at every step
    chunk, wanted = pair.chunk, pair.difference
    pair.chunk = lambda lanes, x, into, first: (seen.append((len(named), lanes)), chunk(lanes, x, into, first))
    pair.difference = lambda *words: (named.append(pair.chunker.u.copy()), wanted(*words))[1]
    nets = pair.automatizer, pair.chunker
    change = changes_of(theta, nets, lambda: pair.learn(x, target, end, every_step=False)).reshape(2, -1)
    symbols = np.concatenate([x[: end[0] + 1], target[end[0]][None]])

    def automatizer_loss(weights):
        net = Net(shapes[0], weights.reshape(2, -1), Readings(*(np.ones(2),) * 4))
        missing = differences(net.run(x, int(end[0]) + 1, keep=False), target, end)
        missing[:, :, shapes[1].outputs :] += np.array(named)
        return 0.5 * (missing * missing).sum()

    def chunker_loss(weights):
        net, total, before = Net(shapes[1], weights.reshape(2, -1), Readings(*(np.ones(2),) * 4)), 0, set()
        for t, lanes in seen:
            for lane in lanes:
                if lane in before:
                    missing = one_hot(symbols[t, lane], shapes[1].outputs) - net.y[lane]
                    total = total + 0.5 * (missing * missing).sum()
                before.add(lane)
            net.step(symbols[t, lanes], lanes)
        return total

    parts = (slice(sizes[0]), slice(sizes[0], None))
    return [check_gradient(loss, theta[:, part].ravel(), -change[:, part].ravel(), by_lane(shape))
            for loss, part, shape in zip((automatizer_loss, chunker_loss), parts, shapes)]


def gradcheck_all():
    """Every learning rule over every kind of net, at the start and after some updates. Returns the exit code."""
    passed = True
    for choice in CHECKS:
        settings = Settings(**choice)
        for updates, where in ((0, "random weights"), (30, "trained weights")):
            title = f"{settings.experiment} hidden={settings.hidden} [{settings.output_error}], {where}"
            bptt, rtrl, worst = check_rtrl(settings, updates)
            if bptt:
                passed &= report_gradients(f"BPTT, {title}", bptt)
                passed &= report_gradients(f"RTRL, {title}", rtrl)
            good = worst <= EQUAL_TOLERANCE
            passed &= good
            print(f"RTRL = BPTT, {title}: largest difference {worst:.1e}: {'ok' if good else 'FAILED'}")
    for choice in (dict(experiment="1", hidden=5), dict(experiment="2a", p=12, hidden=2)):
        settings = Settings(method="elman", **choice)
        for updates, where in ((0, "random weights"), (30, "trained weights")):
            passed &= report_gradients(f"Elman, {settings.experiment}, {where}", check_elman(settings, updates))
    for experiment in ("1", "2a"):
        passed &= report_gradients(f"Cascade-correlation, candidates, {experiment}", check_candidates(experiment))
    for hidden, surprise in ((1, 0.25), (2, 0.55)):
        settings = Settings(method="chunker", p=12, hidden=hidden, surprise=surprise)
        for name, rows in zip(("automatizer", "chunker"), check_chunker(settings)):
            passed &= report_gradients(f"Chunker, hidden={hidden}, {name}", rows)
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


def shapes_of(settings):
    """The nets of a row: one, or automatizer and chunker. Raises AssertionError unless they have the number of weights
    that the paper gives: Table 2 counts the automatizer alone."""
    extra = settings.hidden if settings.method == "chunker" else 0
    shapes = (Shape(settings, extra), Shape(settings)) if extra else (Shape(settings),)
    counted = settings.in_paper and settings.line.weights is not None
    assert not counted or shapes[0].size == settings.line.weights, (
        f"{shapes[0].size} weights, the paper has {settings.line.weights}")
    return shapes


class Trial:
    """One trial of a row that learns by gradients: its streams and tests. Its weights are a lane of a stack."""

    def __init__(self, settings, seed):
        self.settings, self.seed, self.rng = settings, seed, streams(seed)
        self.task, self.shapes = task(settings, seed), shapes_of(settings)
        self.signal_at_start = None  # error signal by lag
        self.chunker_right_after = None  # sequences until the chunker's own prediction is right

    def draw(self, n):
        """The next n training sequences."""
        return self.task(self.rng["train"], n)

    def start(self, size):
        """The first weights: uniform in [-init, init]. (size,)"""
        return streams(self.seed)["init"].uniform(-self.settings.init, self.settings.init, size)

    def state(self):
        """What a checkpoint keeps of the trial, for JSON."""
        return dict(seed=self.seed, signal_at_start=self.signal_at_start, chunker_right_after=self.chunker_right_after,
                    stream=self.rng["train"].bit_generator.state)

    def restore(self, state):
        self.signal_at_start, self.chunker_right_after = state["signal_at_start"], state["chunker_right_after"]
        self.rng["train"].bit_generator.state = state["stream"]


def stacked(batches):
    """Puts the lanes' Sequences side by side: x and target (n, T, R) symbols, end (n, R)."""
    return tuple(np.stack([getattr(batch, name) for batch in batches], axis=-1) for name in ("x", "target", "end"))


class Stack:
    """Trials in lockstep, of one row or of several whose nets have the same shape.

    Trials that stop leave. One that is left alone keeps a copy of itself beside it: products of a single lane may take
    another path through the linear algebra and give other bits.
    """

    def __init__(self, rows, out):
        self.rows, self.shapes, self.checkpoint = rows, shapes_of(rows[0]), checkpoint_path(rows, out)
        self.trials = [Trial(row, row.seed + k) for row in rows for k in range(row.trials)]
        self.done, self.n, self.seconds = {}, 0, 0.0  # figures by row and seed; sequences and seconds so far
        self.measure = "median_wrong_strings" if rows[0].experiment == "1" else "median_largest_error"
        self.history = [{"train_sequences": [], "trials_running": [], self.measure: []} for _ in rows]
        self.theta = np.array([trial.start(sum(shape.size for shape in self.shapes)) for trial in self.trials])
        self.narrow(range(len(self.trials)))
        for trial, by_lag in zip(self.trials, self.error_signals()):
            trial.signal_at_start = by_lag

    def narrow(self, keep):
        """Keeps the lanes of these indices and builds the nets for them."""
        self.trials = [self.trials[k] for k in keep]
        if not self.trials:
            return
        self.theta = self.theta[[*keep, *keep][: max(2, len(keep))]]
        readings = Readings.of([trial.settings for trial in self.beside(self.trials)])
        if self.rows[0].method == "chunker":
            self.pair = Chunker(self.shapes, self.theta, readings)
            self.net = self.pair.automatizer
        else:
            self.net = Net(self.shapes[0], self.theta, readings)
            self.rule = {"rtrl": Sensitivities, "elman": Truncated}.get(self.rows[0].method, lambda net: None)(self.net)

    def beside(self, items):
        """The items of the lanes, a single one twice."""
        return [*items, *items] if len(items) == 1 else items

    def learn(self, x, target, end):
        """One training sequence for each lane."""
        every_step = self.rows[0].update == "step"
        if self.rows[0].method == "chunker":
            self.pair.learn(x, target, end, every_step)
        elif self.rows[0].method == "bptt":
            self.net.learn_bptt(x, target, end)
        else:
            self.net.learn_online(self.rule, x, target, end, every_step)

    def train_chunk(self):
        """CHUNK training sequences for each trial, and the tests that fall due."""
        x, target, end = stacked(self.beside([trial.draw(CHUNK) for trial in self.trials]))
        for k in range(CHUNK):
            self.learn(x[k], target[k], end[k])
        self.n += CHUNK
        leaving, due = [], self.n % self.rows[0].test_every == 0
        largest = self.largest_errors() if due and self.rows[0].experiment == "2a" else None
        for lane, trial in enumerate(self.trials):
            if not np.isfinite(self.theta[lane]).all():
                self.leave(lane, diverged=True)
            elif due and (self.right(lane) if largest is None else largest[lane].max() < TOLERANCE["2a"]):
                self.leave(lane, complete=True)
            elif self.n >= trial.settings.max_sequences:
                self.leave(lane)
            else:
                continue
            leaving.append(lane)
        self.note(largest)
        if leaving:
            self.narrow([lane for lane in range(len(self.trials)) if lane not in leaving])

    # --- tests ---

    def largest_errors(self):
        """2a: the largest absolute error of all outputs and steps on each of the two sequences: (R, 2). For the chunker
        that of the automatizer; whether the chunker's prediction is right is noted beside it."""
        result = np.zeros((len(self.theta), 2))
        chunker = np.zeros(len(self.theta))
        for k, (x, target, end) in enumerate(self.both()):
            if self.rows[0].method == "chunker":
                ys, predicted = self.pair.predictions(x, target, end)
                last = one_hot(target[end[0]], self.shapes[1].outputs) - predicted
                chunker = np.maximum(chunker, abs(last).max(-1))
            else:
                ys = self.net.run(x, int(end[0]) + 1, keep=False)
            result[:, k] = abs(differences(ys, target, end)).max((0, 2))
        if self.rows[0].method == "chunker":
            for trial, error in zip(self.trials, chunker):
                if error < TOLERANCE["2a"] and trial.chunker_right_after is None:
                    trial.chunker_right_after = self.n
        return result

    def both(self):
        """2a: its two sequences, each for all lanes: x, target (T, R), end (R,)."""
        batch, R = both_sequences(self.rows[0].p), len(self.theta)
        for x, target, end in zip(batch.x, batch.target, batch.end):
            yield np.repeat(x[:, None], R, axis=1), np.repeat(target[:, None], R, axis=1), np.full(R, end)

    def wrong_strings(self, lane):
        """Experiment 1: which of the training and test strings a trial gets wrong, some at a time."""
        theta = np.broadcast_to(self.theta[lane], (LANES, self.shapes[0].size))
        net = Net(self.shapes[0], theta, Readings(*(np.ones(LANES),) * 4))
        for batch in reber_sets(self.trials[lane].seed):
            for first in range(0, len(batch.end), LANES):
                part = slice(first, first + LANES)
                last = int(batch.end[part].max()) + 1
                ys = net.run(batch.x[part].T, last, keep=False).swapaxes(0, 1)
                yield wrong_strings(ys, batch.truth[part, :last], batch.end[part])

    def right(self, lane):
        """Experiment 1: whether no string is wrong."""
        return not any(wrong.any() for wrong in self.wrong_strings(lane))

    def error_signals(self):
        """2a: of each trial, the error signal by lag, the mean of both sequences; else None."""
        if self.rows[0].experiment != "2a":
            return [None] * len(self.trials)
        signals = np.mean([error_signal(self.net, *sequence) for sequence in self.both()], axis=0)
        if self.rows[0].method == "elman":
            signals[1:] = 0  # it does not go back
        return [rounded(by_lag) for by_lag in signals.T[: len(self.trials)]]

    def figures(self, lane):
        """Test figures of a trial: how many of how many fresh sequences (1: of its training and test strings) are
        wrong; 2a: the largest error of all outputs and steps."""
        trial = self.trials[lane]
        if self.rows[0].experiment == "1":
            wrong = sum(int(wrong.sum()) for wrong in self.wrong_strings(lane))
            return dict(wrong=wrong, test_sequences=512)
        rng = streams(trial.seed)["eval"].spawn(2)[1]
        is_y = trial.task(rng, N_TEST).x[:, 0] == trial.settings.p
        errors = self.largest_errors()[lane]
        wrong = ~(errors < TOLERANCE["2a"])
        return dict(wrong=int(wrong[is_y.astype(int)].sum()), test_sequences=N_TEST,
                    largest_error=float(errors.max()))

    # --- ends ---

    def leave(self, lane, complete=False, diverged=False):
        """The lane's trial has met the criterion, or is given up at the cap or because its weights are not finite."""
        trial = self.trials[lane]
        self.done[f"{self.rows.index(trial.settings)}/{trial.seed}"] = dict(
            seed=trial.seed, complete=complete, diverged=diverged, sequences=self.n,
            signal_at_start=trial.signal_at_start, signal_at_end=self.error_signals()[lane],
            chunker_right_after=trial.chunker_right_after) | self.figures(lane)

    def note(self, largest):
        """A point of the training curves: at most 100 for each row."""
        for row, history in zip(self.rows, self.history):
            every = -(-row.max_sequences // (100 * CHUNK)) * CHUNK
            lanes = [lane for lane, trial in enumerate(self.trials) if trial.settings == row]
            if not lanes or self.n % every:
                continue
            if row.experiment == "1":
                values = [sum(int(wrong.sum()) for wrong in self.wrong_strings(lane)) for lane in lanes]
            else:
                values = (self.largest_errors() if largest is None else largest)[lanes].max(1)
            history["train_sequences"].append(self.n)
            history["trials_running"].append(len(lanes))
            history[self.measure].append(round(float(np.median(values)), 6))

    def run(self, options, quiet):
        """Trains until every trial has left or STOP is set. Returns whether it ran to the end."""
        cap, start, shown, saved = max(row.max_sequences for row in self.rows), time.perf_counter(), 0.0, 0.0
        before, first = self.seconds, self.n
        progress, total = Progress(cap, quiet), sum(row.trials for row in self.rows)
        title = ", ".join(row.named for row in self.rows[:3]) + (", ..." if len(self.rows) > 3 else "")
        with np.errstate(all="ignore"):
            while self.trials and not STOP.is_set():
                self.train_chunk()
                elapsed = time.perf_counter() - start
                self.seconds = before + elapsed
                if elapsed - saved > options.checkpoint_every:
                    self.save()
                    saved = elapsed
                if elapsed - shown > (1 if progress.redraw else 10) or not self.trials:
                    rate, shown = (self.n - first) / elapsed, elapsed
                    progress(self.n, f"{title}: sequence {self.n}, {rate:.0f} per s, {len(self.done)} of {total} "
                                     f"trials ended; cap {cap}")
        progress.close()
        if self.trials:
            self.save()
        return not self.trials

    def save(self):
        """Writes the checkpoint; a disk that refuses is reported and training goes on."""
        state = dict(
            source=source_hash(__file__), sequences=self.n, seconds=self.seconds, done=self.done, history=self.history,
            trials=[trial.state() | dict(row=self.rows.index(trial.settings)) for trial in self.trials])
        write_checkpoint(self.checkpoint, state, theta=self.theta[: len(self.trials)])

    def resume(self):
        """Goes on from the checkpoint, if there is one. Raises ResultsError for one that does not fit this program."""
        found = read_checkpoint(self.checkpoint)
        if found is None:
            return
        state, arrays = found
        self.n, self.seconds, self.done, self.history = (
            state[name] for name in ("sequences", "seconds", "done", "history"))
        self.trials = []
        for saved in state["trials"]:
            self.trials.append(Trial(self.rows[saved["row"]], saved["seed"]))
            self.trials[-1].restore(saved)
        self.theta = arrays["theta"]
        self.narrow(range(len(self.trials)))

    def records(self):
        """A record for each row."""
        return [self.record(k) for k in range(len(self.rows))]

    def record(self, k):
        row = self.rows[k]
        trials = [self.done[f"{k}/{row.seed + number}"] for number in range(row.trials)]
        final = summed(trials)
        if row.experiment == "2a":
            final["largest_error"] = [trial["largest_error"] for trial in trials]
            for name in ("signal_at_start", "signal_at_end"):  # by lag: the median over the trials
                final[f"error_{name}"] = rounded(np.median([trial[name] for trial in trials], axis=0))
                final[f"error_{name}_of_first_symbol"] = [trial[name][-1] for trial in trials]
        if row.method == "chunker":
            final["chunker_right_after"] = [trial["chunker_right_after"] for trial in trials]
        return {
            "settings": dataclasses.asdict(row), "seeds": [trial["seed"] for trial in trials],
            "history": self.history[k], "final": final | dict(weights=shapes_of(row)[0].size),
            "provenance": provenance(self.seconds) | {"trials_in_stack": sum(row.trials for row in self.rows)}}


class Queue:
    """Trials one after another: recurrent cascade-correlation, whose batches fill the arrays, and guessing, whose nets
    do. The checkpoint holds the trials that have ended; one that was interrupted starts again."""

    def __init__(self, row, out):
        self.row, self.checkpoint, self.done, self.seconds = row, checkpoint_path([row], out), {}, 0.0
        self.kind = CascadeTrial if row.method == "rcc" else GuessTrial

    def resume(self):
        """Goes on from the checkpoint, if there is one. Raises ResultsError for one that does not fit this program."""
        found = read_checkpoint(self.checkpoint)
        if found is not None:
            self.done, self.seconds = found[0]["done"], found[0]["seconds"]

    def run(self, options, quiet):
        """Runs every trial until STOP is set. Returns whether all have ended."""
        progress, start, before = Progress(self.row.trials, quiet), time.perf_counter(), self.seconds
        for seed in range(self.row.seed, self.row.seed + self.row.trials):
            if str(seed) not in self.done:
                figures = None if STOP.is_set() else self.kind(self.row, seed).run()
                if figures is None:
                    break
                self.done[str(seed)] = figures
                self.seconds = before + time.perf_counter() - start
                write_checkpoint(
                    self.checkpoint, dict(source=source_hash(__file__), done=self.done, seconds=self.seconds))
            progress(len(self.done), f"{self.row.named}: {len(self.done)} of {self.row.trials} trials ended")
        progress.close()
        return len(self.done) == self.row.trials

    def records(self):
        """The row's record."""
        trials = [self.done[str(self.row.seed + number)] for number in range(self.row.trials)]
        final = summed(trials)
        if self.row.method == "rcc":
            names = ("hidden_units", "weights", "recurrent_weights")
            if self.row.experiment == "2a":
                for name in ("signal_at_start", "signal_at_end"):
                    final[f"error_{name}"] = rounded(np.median([trial[name] for trial in trials], axis=0))
                    final[f"error_{name}_of_first_symbol"] = [trial[name][-1] for trial in trials]
        else:
            names = ("guesses", "mean_absolute_error")
            if self.row.experiment == "3a":
                first = [trial["stops"][0] if trial["stops"] else None for trial in trials]
                for name in ("sequences", "guesses"):
                    final[f"{name}_at_first_stop"] = [stop and stop[name] for stop in first]
        final |= {name: [trial[name] for trial in trials] for name in names}
        curves = dict(squared_error=[trial["curve"] for trial in trials]) if self.row.method == "rcc" else {}
        record = {
            "settings": dataclasses.asdict(self.row), "seeds": [trial["seed"] for trial in trials], "history": curves,
            "final": final, "provenance": provenance(self.seconds)}
        if self.row.method == "guessing":
            record["weights"] = {str(trial["seed"]): trial["weights"] for trial in trials}
        return [record]


def summed(trials):
    """What every record says about its trials."""
    return dict(
        status="diverged" if any(trial.get("diverged") for trial in trials) else "done",
        trials_stopped=sum(trial["complete"] for trial in trials),
        sequences_to_success=[trial["sequences"] if trial["complete"] else None for trial in trials],
        wrong=[trial["wrong"] for trial in trials], test_sequences=trials[0]["test_sequences"])


def write_checkpoint(path, state, **arrays):
    """Writes a checkpoint, whole or not at all; a disk that refuses is reported and training goes on."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            np.savez(file, state=json.dumps(state), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        print(f"cannot write the checkpoint {path}: {error}", file=sys.stderr)


# --- shared: checkpoint ---
def checkpoint_path(rows, out):
    """The file of a stack's checkpoint, beside the file of results and named after the stack's rows."""
    identity = json.dumps([dataclasses.asdict(row) for row in rows])
    return Path(f"{out}.{hashlib.sha256(identity.encode()).hexdigest()[:12]}.npz")


def read_checkpoint(path):
    """State and arrays of a checkpoint; None if there is none. Raises ResultsError for one this program cannot use."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = json.loads(str(arrays.pop("state")))
        source = state["source"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ResultsError(f"the checkpoint {path} cannot be read ({error}): move it away to start again") from error
    if source != source_hash(__file__):
        raise ResultsError(f"the checkpoint {path} was made by other code: move it away to start again")
    return state, arrays
# --- end shared ---


def train(rows, options, quiet=True):
    """Trains the trials of some rows that go together. Returns their records, or None if it was interrupted (a
    checkpoint then holds what was computed). Raises ResultsError for a checkpoint that cannot be used."""
    run = Stack(rows, options.out) if rows[0].method in GRADIENT else Queue(rows[0], options.out)
    run.resume()
    return run.records() if run.run(options, quiet) else None


def stacks(rows):
    """Groups rows that can train in one stack: the same method, shape and update, up to STACK trials."""
    groups = {}
    for row in rows:
        alike = row.method in GRADIENT and (row.method, shapes_of(row)[0].key, row.update, row.test_every)
        groups.setdefault(alike or row, []).append(row)
    result = []
    for group in groups.values():
        result.append([])
        for row in group:
            if result[-1] and sum(other.trials for other in [*result[-1], row]) > STACK:
                result.append([])
            result[-1].append(row)
    return result


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
    """Parsed and checked command line: (rows, options, args). Exits with code 2 on bad input."""
    parser = Parser(
        description=__doc__.split("\n\n")[0], epilog="Exit codes: 0 done, 1 failed check or diverged, 2 bad input, "
        "130 interrupted.", allow_abbrev=False)
    add_flags(parser, Settings, Options)
    parser.add_argument(
        "--table", type=int, nargs="+", choices=(1, 2, 4), metavar="TABLE", help="every row of these of the paper's "
        "Tables 1, 2 and 4; --method, --T, --N, --p, --hidden and --lr choose among them")
    parser.add_argument("--task", dest="experiment", choices=EXPERIMENTS, help="the same as --experiment")
    parser.add_argument("--quiet", action="store_true", help="only the final lines")
    parser.add_argument("--gradcheck", action="store_true", help="check every learning rule, and stop")
    args = parser.parse_args(argv)
    given = {word.split("=")[0] for word in (sys.argv[1:] if argv is None else argv)}
    if args.table and given & {"--experiment", "--task"}:
        parser.error("--table and --experiment exclude each other")
    if not args.table and "--method" in given and not given & {"--experiment", "--task"}:
        args.experiment = next(line.experiment for line in LINES[::-1] if line.method == args.method)
    chosen = {name: getattr(args, name) for name in IDENTITY if getattr(args, name) is not None}
    if "--method" in given:
        chosen["method"] = args.method
    lines = [line for line in LINES if line.table in (args.table or ())
             and all(getattr(line, name) == value for name, value in chosen.items())]
    if args.table and not lines:
        parser.error("no row of the paper has all these settings")
    try:
        names = ("method", "experiment", *IDENTITY)
        rows = [from_flags(Settings, args, **{name: getattr(line, name) for name in names}) for line in lines]
        rows = rows or [from_flags(Settings, args)]
        if not args.gradcheck:
            check_results(args.out)
            for group in stacks(rows):
                read_checkpoint(checkpoint_path(group, args.out))
    except (ValueError, ResultsError) as error:
        parser.error(str(error))
    return rows, from_flags(Options, args), args


def summary(record):
    """One line on a row: trials that stopped, median with the others counted as larger, mean of those that stopped and
    their wrong test sequences, beside the paper's."""
    row = Settings(**record["settings"])
    final, line = record["final"], row.line
    words = f"{row.named} [{row.reading}]: {counts(final['sequences_to_success'])}"
    if row.in_paper and line.success is not None:
        words += f" (paper {line.success}{'' if line.success == 'some' else '%'}, {line.paper or 'never'})"
    if "guesses" in final:
        guesses = [n and guesses for n, guesses in zip(final["sequences_to_success"], final["guesses"])]
        words += f"; guesses: {counts(guesses)}"
    wrong = [wrong for wrong, n in zip(final["wrong"], final["sequences_to_success"]) if n is not None]
    if wrong:
        words += f"; {np.mean(wrong):.1f} wrong of {final['test_sequences']}"
    return words + ("" if final["status"] == "done" else "  " + final["status"].upper())


def counts(sequences):
    """Sequences to success in words. The median counts a trial without success as larger than all others."""
    reached = [value for value in sequences if value is not None]
    median = np.median([math.inf if value is None else value for value in sequences])
    words = f"{len(reached)} of {len(sequences)} trials stop, median "
    words += f"{median:.0f}" if median < math.inf else "above the cap"
    if reached:
        words += f", mean of those {np.mean(reached):.0f} [{min(reached)}, {max(reached)}]"
    return words


def main(argv=None):
    rows, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all()
    saved, statuses = True, []
    try:
        for records in run_all(train, [(group, options, args.quiet) for group in stacks(rows)], options.jobs):
            for record in records or ():
                saved &= save(options.out, EXPERIMENT, record)
                statuses.append(record["final"]["status"])
                print(summary(record), flush=True)
            if records and saved:
                group = [Settings(**record["settings"]) for record in records]
                checkpoint_path(group, options.out).unlink(missing_ok=True)
    except concurrent.futures.BrokenExecutor:
        print("a process died; its checkpoint remains, the same command goes on from there", file=sys.stderr)
        saved = False
    if STOP.is_set():
        print("interrupted; the same command goes on from the checkpoint", file=sys.stderr)
        return 130
    return 0 if saved and "diverged" not in statuses else 1


if __name__ == "__main__":
    sys.exit(main())
