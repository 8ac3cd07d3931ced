# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2"]
# ///
"""The 1997 paper with its own algorithm: truncated gradient, memory cell blocks, Experiments 1 to 6, Tables 1 to 9.

Source: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation 9(8):1735-1780: sections 4 and 5,
Tables 1 to 11, Appendix A. Equation numbers such as A.17 are the paper's.

Tasks: 1 predicts the embedded Reber grammar; 2 keeps one symbol over a stretch of distractors; 3 classifies sequences
whose noise and signal share a line; 4 adds and 5 multiplies two marked numbers; 6 tells the order of symbols far apart.
Then the limits of section 6.1: xor, parity, count.
Learning is online: one sequence, one update. The error flows back through the internal states of the memory cells and
is cut where it would leave them.

Criterion: the number of training sequences until the paper's own stopping criterion of each experiment, over its 10 to
30 trials; then the wrong ones among 2560 fresh test sequences.

Commands:
    python3 lstm_1997.py                                  Experiment 6a, Table 9
    python3 lstm_1997.py --experiment 4 --T 100           the adding problem, first row of Table 7
    python3 lstm_1997.py --table 7 --jobs 2               every row of a table, beside the paper's figures
    python3 lstm_1997.py --table 4 5 6 --T 100            the rows of some tables that have T = 100
    python3 lstm_1997.py --all                            every row of Tables 1 to 9: many hours
    python3 lstm_1997.py --gradcheck                      truncated and full gradient, before anything is trusted

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

EXPERIMENT = "lstm_1997"
WINDOW = 2000  # "the 2000 most recent sequences" in the stopping criteria of Experiments 4, 5 and 6
N_TEST = 2560  # test sequences after the stop
N_STOP = 256  # sequences of the test set that stops Experiment 3
N_FROZEN = 10_000  # "10,000 successive, randomly chosen input sequences" of Experiments 2b and 2c
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


# Tables 10 and 11, a row per line, and the results of Tables 1 to 9. T, N: shortest sequence and elements that carry
# the class; q, p: shortest stretch of distractors and number of distractor symbols (2c), or delay p (2a, 2b); b, s:
# blocks and cells in a block; in, out: units; w: weights; ogb, igb: start of the gate biases block by block, r: drawn
# like the weights; bias: the units that have one; h, g: sigmoids with the ranges of RANGES, or h(x) = x and g the
# logistic sigmoid; init: weights start uniformly in [-init, init]; first: sequences until the first of two stops;
# paper: sequences until success; wrong: of 2560 test sequences.
CONDITIONS = """
table task  T    N q    p     b s in   out w     ogb         igb      bias   h  g  lr   init trials first  paper   wrong
1     1     -    - -    -     4 1 7    7   264   -1,-2,-3,-4 r        gates  h1 g2 0.1  0.2  30     -      39740   -
1     1     -    - -    -     3 2 7    7   276   -1,-2,-3    r        gates  h1 g2 0.1  0.2  30     -      21730   -
1     1     -    - -    -     3 2 7    7   276   -1,-2,-3    r        gates  h1 g2 0.2  0.2  30     -      14060   -
1     1     -    - -    -     4 1 7    7   264   -1,-2,-3,-4 r        gates  h1 g2 0.5  0.2  30     -      9500    -
1     1     -    - -    -     3 2 7    7   276   -1,-2,-3    r        gates  h1 g2 0.5  0.2  30     -      8440    -
2     2a    -    - -    100   1 1 101  101 10504 no          -        none   id g1 1.0  0.2  18     -      5040    -
2     2b    -    - -    100   1 1 101  101 10504 no          -        none   id g1 1.0  0.2  18     -      5680    -
3     2c    -    - 50   50    2 1 54   2   364   -           -        none   h1 g2 0.01 0.2  20     -      30000   -
3     2c    -    - 100  100   2 1 104  2   664   -           -        none   h1 g2 0.01 0.2  20     -      31000   -
3     2c    -    - 200  200   2 1 204  2   1264  -           -        none   h1 g2 0.01 0.2  20     -      33000   -
3     2c    -    - 500  500   2 1 504  2   3064  -           -        none   h1 g2 0.01 0.2  20     -      38000   -
3     2c    -    - 1000 1000  2 1 1004 2   6064  -           -        none   h1 g2 0.01 0.2  20     -      49000   -
3     2c    -    - 1000 500   2 1 504  2   3064  -           -        none   h1 g2 0.01 0.2  20     -      49000   -
3     2c    -    - 1000 200   2 1 204  2   1264  -           -        none   h1 g2 0.01 0.2  20     -      75000   -
3     2c    -    - 1000 100   2 1 104  2   664   -           -        none   h1 g2 0.01 0.2  20     -      135000  -
3     2c    -    - 1000 50    2 1 54   2   364   -           -        none   h1 g2 0.01 0.2  20     -      203000  -
4     3a    100  3 -    -     3 1 1    1   102   -2,-4,-6    -1,-3,-5 hidden h1 g2 1.0  0.1  10     27380  39850   0.5
4     3a    100  1 -    -     3 1 1    1   102   -2,-4,-6    -1,-3,-5 hidden h1 g2 1.0  0.1  10     58370  64330   0.3
4     3a    1000 3 -    -     3 1 1    1   102   -2,-4,-6    -1,-3,-5 hidden h1 g2 1.0  0.1  10     446850 452460  0.2
5     3b    100  3 -    -     3 1 1    1   102   -2,-4,-6    -1,-3,-5 hidden h1 g2 1.0  0.1  10     41740  43250   21.2
5     3b    100  1 -    -     3 1 1    1   102   -2,-4,-6    -1,-3,-5 hidden h1 g2 1.0  0.1  10     74950  78430   38.4
5     3b    1000 1 -    -     3 1 1    1   102   -2,-4,-6    -1,-3,-5 hidden h1 g2 1.0  0.1  10     481060 485080  30.9
6     3c    100  3 -    -     3 1 1    1   102   -2,-4,-6    -1,-3,-5 hidden h1 g2 0.1  0.1  10     -      269650  14.3
6     3c    100  1 -    -     3 1 1    1   102   -2,-4,-6    -1,-3,-5 hidden h1 g2 0.1  0.1  10     -      565640  11.3
7     4     100  - -    -     2 2 2    1   93    r           -3,-6    all    h1 g2 0.5  0.1  10     -      74000   1
7     4     500  - -    -     2 2 2    1   93    r           -3,-6    all    h1 g2 0.5  0.1  10     -      209000  0
7     4     1000 - -    -     2 2 2    1   93    r           -3,-6    all    h1 g2 0.5  0.1  10     -      853000  1
8     5     100  - -    -     2 2 2    1   93    r           r        all    h1 g2 0.1  0.1  10     482000 1273000 14
9     6a    -    - -    -     2 2 8    4   156   r           -2,-4    all    h1 g2 0.5  0.1  20     -      31390   1
9     6b    -    - -    -     3 2 8    8   308   r           -2,-4,-6 all    h1 g2 0.1  0.1  10     -      571100  2
"""


# The tasks of section 6.1, which the paper describes in words only, under conditions of our own close to Experiments 3
# and 4: a delayed exclusive or, parity, and telling whether a signal came T or N steps ago.
LIMITS = """
table task   T   N  q p b s in out w   ogb      igb      bias   h  g  lr  init trials first paper wrong
-     xor    100 -  - - 2 2 2  1   93  r        -3,-6    all    h1 g2 0.5 0.1  10     -     -     -
-     parity 500 -  - - 3 1 1  1   102 -2,-4,-6 -1,-3,-5 hidden h1 g2 0.5 0.1  10     -     -     -
-     count  11  3  - - 3 1 1  1   102 -2,-4,-6 -1,-3,-5 hidden h1 g2 0.5 0.1  10     -     -     -
-     count  100 99 - - 3 1 1  1   102 -2,-4,-6 -1,-3,-5 hidden h1 g2 0.5 0.1  10     -     -     -
"""


class Line(NamedTuple):
    """A line of CONDITIONS or LIMITS. What does not apply is None."""

    table: int | None
    experiment: str
    T: int | None
    N: int | None
    q: int | None
    p: int | None
    blocks: int
    size: int
    n_in: int
    n_out: int
    weights: int
    output_gate_bias: tuple | str | None  # "no": no output gate
    input_gate_bias: tuple | str | None
    bias: str
    h: str
    g: str
    lr: float
    init: float
    trials: int
    paper_first: int | None
    paper: int | None
    paper_wrong: float | None


def read_lines(text):
    """The lines of CONDITIONS or LIMITS: words to whole numbers, other numbers, tuples, None for "-"."""

    def value(word, column):
        if word == "-":
            return None
        if column == "experiment" or word[0].isalpha():
            return word
        if "," in word:
            return tuple(float(part) for part in word.split(","))
        return float(word) if column in ("lr", "init", "paper_wrong") else int(word)

    rows = (row.split() for row in text.strip().splitlines()[1:])
    return tuple(Line(*(value(word, column) for word, column in zip(row, Line._fields))) for row in rows)


LINES, OTHER_LINES = read_lines(CONDITIONS), read_lines(LIMITS)
EXPERIMENTS = tuple(dict.fromkeys(line.experiment for line in LINES + OTHER_LINES))
IDENTITY = ("T", "N", "q", "p", "blocks", "lr")  # the columns that tell the lines of an experiment apart
RANGES = {"text": (1, 2), "table10": (2, 1), "wide": (2, 2), "h4": (4, 1)}  # (a, b): h in [-a, a], g in [-b, b]
SYMBOLIC = ("1", "2a", "2b", "2c", "6a", "6b")  # every input is one symbol
PREDICTING = ("1", "2a", "2b")  # an error at every step
HELD_OUT = ("1", "2a", "2b", "2c", "3a", "3b", "3c")  # stopped by tests, the others by the training sequences


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    experiment: str = setting("6a", "experiment of section 5, or task of section 6.1", "task", choices=EXPERIMENTS)
    T: int | None = setting(
        None, "shortest sequence, in steps (3a to 5, xor, parity, count)", "task", kind=int, low=10, high=10_000)
    N: int | None = setting(
        None, "elements that carry the class (3a to 3c); steps since the later signal (count)", "task", kind=int, low=1,
        high=10_000)
    q: int | None = setting(None, "shortest stretch of distractors (2c)", "task", kind=int, low=1, high=10_000)
    p: int | None = setting(
        None, "delay (2a, 2b) or number of distractor symbols (2c)", "task", kind=int, low=2, high=100_000)
    blocks: int | None = setting(
        None, "memory cell blocks (1): 4 of size 1 or 3 of size 2", "model", kind=int, low=3, high=4)
    lr: float | None = setting(None, "learning rate alpha", "training", kind=float, low=1e-12, high=1e12)
    update: str = setting(
        "sequence", "weights change at the end of a sequence, or after every step (1, 2a, 2b)", "training",
        choices=("sequence", "step"))
    gradient: str = setting("truncated", "gradient of Appendix A, or the full one", "training",
                            choices=("truncated", "full"))
    output_error: str = setting(
        "a17", "error of an output unit: a17 is f'(net)(t - y), plain is t - y, flat-spot is (f'(net) + c)(t - y)",
        "reading", choices=("a17", "plain", "flat-spot"))
    flat_spot: float = setting(0.1, "that c, Fahlman's constant", "reading", low=0, high=1)
    error_factor: float = setting(
        1.0, "factor on that error; 2 takes A.14 and A.15 at their word", "reading", low=1e-6, high=1e6)
    ranges: str = setting(
        "text", "h and g: text is h in [-1, 1] and g in [-2, 2], table10 exchanges them, wide is both in [-2, 2], "
        "h4 is h in [-4, 4] and g in [-1, 1]", "reading", choices=tuple(RANGES))
    errors_at: str = setting(
        "all", "errors at all steps, at the end only, or for the outputs x and y at the last step only (2a, 2b)",
        "reading", choices=("all", "end", "xy-end"))
    carry_derivatives: bool = setting(
        False, "the running derivatives of the states go on from string to string (1 with --update step)", "reading")
    gate_start: float = setting(0.0, "gate activations before the first step", "reading", low=0, high=1)
    bias_scale: float = setting(1.0, "factor on the starts of the gate biases", "reading", low=0, high=100)
    init_scale: float = setting(1.0, "factor on the interval of the initial weights", "reading", low=0, high=100)
    output_gates: str = setting("paper", "none: every output gate stays open", "reading", choices=("paper", "none"))
    recurrent: str = setting(
        "paper", "weights between hidden units: zero lets them start at 0, none takes them away", "reading",
        choices=("paper", "zero", "none"))
    add_cell_when: int | None = setting(
        None, "training sequences after which memory cell and input gate are added (2a, 2b; default: when the mean "
        "error of 100 sequences is not below that of the 100 before)", "reading", kind=int, low=0, high=10**9)
    test_every: int | None = setting(
        None, "training sequences between tests of the stopping criterion (1 to 3c; default: 1000 for 2c to 3c, 100 "
        "otherwise)", "training", kind=int, low=CHUNK, high=10**9)
    trials: int | None = setting(None, "trials (default: the paper's number)", "training", kind=int, low=1, high=1000)
    seed: int = setting(0, "seed of the first trial; the others follow", "training", low=0, high=2**62)
    max_sequences: int | None = setting(
        None, "training sequences after which a trial is given up (default: twice the paper's count)", "training",
        kind=int, low=CHUNK, high=10**9)

    def __post_init__(self):
        """Fills what depends on the experiment. Raises ValueError for settings that contradict one another."""
        line = self.line
        used = {name for name in IDENTITY if getattr(line, name) is not None}
        used -= {"blocks"} if self.experiment != "1" else set()
        for name in IDENTITY:
            if name not in used and getattr(self, name) is not None:
                raise ValueError(f"--{name} has no meaning for experiment {self.experiment}")
        chosen = {name: getattr(line, name) for name in used} | dict(
            trials=line.trials, max_sequences=-(-2 * line.paper // CHUNK) * CHUNK if line.paper else 100_000,
            test_every=tested_every(self.experiment))
        for name, value in chosen.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.update == "step" and (self.experiment not in PREDICTING or self.errors_at == "end"):
            raise ValueError("--update step needs errors at every step: experiments 1, 2a, 2b")
        if self.update == "step" and self.gradient == "full":
            raise ValueError("--update step knows the truncated gradient only")
        if self.carry_derivatives and (self.experiment != "1" or self.update != "step"):
            raise ValueError("--carry-derivatives needs --experiment 1 --update step")
        if self.flat_spot != 0.1 and self.output_error != "flat-spot":
            raise ValueError("--flat-spot needs --output-error flat-spot")
        if self.errors_at != "all" and self.experiment not in ("2a", "2b"):
            raise ValueError(f"--errors-at has no meaning for experiment {self.experiment}")
        if self.errors_at == "end" and self.experiment == "2a":
            raise ValueError("--errors-at end cannot meet experiment 2a's criterion, which covers every step")
        if self.recurrent != "paper" and self.experiment in ("2a", "2b"):
            raise ValueError(f"--recurrent has no meaning for experiment {self.experiment}: its net has no recurrence")
        if self.add_cell_when is not None and self.experiment not in ("2a", "2b"):
            raise ValueError(f"--add-cell-when has no meaning for experiment {self.experiment}")
        if self.experiment in ("4", "5", "xor") and self.T < 22:
            raise ValueError(f"experiment {self.experiment} needs --T 22 or more: its marks lie in the first T/2 steps")
        if self.N is not None and self.N >= self.T:
            raise ValueError("--N must be below --T")
        for name in ("test_every", "max_sequences", "add_cell_when"):
            if (getattr(self, name) or 0) % CHUNK:
                raise ValueError(f"--{name.replace('_', '-')} must be a multiple of {CHUNK}")
        numbers = steps_of(self) * (2 * CHUNK + 200)  # of a trial: its training sequences and the net's activations
        numbers += 3 * self.p**2 if self.experiment in ("2a", "2b") else 0  # and its weights
        if numbers * max(self.trials, LANES) * 8 > 8e9:
            raise ValueError("these settings need more than 8 GB of memory: lower --T, --q, --p or --trials")

    def agreement(self, line):
        """How many of the settings that tell rows apart are those of a line of the tables, or not given."""
        return sum(getattr(self, name) in (None, getattr(line, name)) for name in IDENTITY)

    @property
    def line(self):
        """The line of the tables these settings are, or the one of their experiment that agrees best."""
        return max((line for line in LINES + OTHER_LINES if line.experiment == self.experiment), key=self.agreement)

    @property
    def in_paper(self):
        """Whether the paper has a row with these settings."""
        return self.line in LINES and self.agreement(self.line) == len(IDENTITY)

    @property
    def named(self):
        """Experiment and what tells its rows apart, for a person."""
        words = [f"{name}={getattr(self, name):g}" for name in IDENTITY if getattr(self, name) is not None]
        return " ".join([self.experiment, *(word for word in words if self.experiment == "1" or word[:2] != "lr")])

    @property
    def reading(self):
        """The settings that depart from the text's literal reading, for a person; "literal" if none does."""
        group = ("training", "reading")
        skipped = ("trials", "seed", "max_sequences", "test_every", "lr")
        fields = [field for field in dataclasses.fields(self) if field.metadata["group"] in group]
        changed = [
            field.name.replace("_", "-") + ("" if field.default is False else f" {getattr(self, field.name)}")
            for field in fields if field.name not in skipped and getattr(self, field.name) != field.default]
        if self.lr != self.line.lr:
            changed.append(f"lr {self.lr:g}")
        if self.test_every != tested_every(self.experiment):
            changed.append(f"test-every {self.test_every}")
        return ", ".join(changed) or "literal"


def tested_every(experiment):
    """Training sequences between tests of the stopping criterion, where there are any and nothing else is asked for."""
    return None if experiment not in HELD_OUT else CHUNK if experiment in PREDICTING else 1000


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
    experiment = settings.experiment
    if experiment == "1":
        return REBER_STEPS
    if experiment in ("2a", "2b"):
        return settings.p
    if experiment == "2c":
        return settings.q + 3 + SUFFIX
    return 110 if experiment in ("6a", "6b") else settings.T + settings.T // 10


def task(settings, seed):
    """The training task of a trial: a function (rng, n) -> Sequences."""
    experiment = settings.experiment
    if experiment == "1":
        training, _ = reber_sets(seed)
        return functools.partial(picked, training=training)
    if experiment in ("2a", "2b"):
        at_end = settings.errors_at == "end"
        return functools.partial(long_lag, p=settings.p, shuffled=experiment == "2b", at_end=at_end)
    if experiment == "2c":
        return functools.partial(very_long_lag, q=settings.q, p=settings.p)
    if experiment in ("3a", "3b", "3c"):
        return functools.partial(two_sequences, T=settings.T, N=settings.N, variant=experiment)
    if experiment in ("4", "5"):
        return functools.partial(marked_pairs, T=settings.T, multiply=experiment == "5")
    if experiment == "count":
        return functools.partial(signal_ago, T=settings.T, N=settings.N)
    if experiment in ("xor", "parity"):
        return functools.partial(delayed_xor if experiment == "xor" else parity, T=settings.T)
    return functools.partial(temporal_order, windows=ORDER_WINDOWS[experiment])


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


SUFFIX = 300  # most further distractors in 2c: more than that has a probability of 0.9^301 = 2e-14 and is cut


def very_long_lag(rng, n, q, p):
    """2c: (b, y, q + k distractors, e) then y, or the same with x; k more distractors with probability 0.9^k / 10.

    Symbols: the distractors are 0 ... p - 1, then e, b, x, y. Target: (1, 0) for x, (0, 1) for y.
    """
    e, b, x_symbol = p, p + 1, p + 2
    x = rng.integers(0, p, (n, q + 3 + SUFFIX))
    which = rng.integers(0, 2, n)
    end = q + 2 + np.minimum(rng.geometric(0.1, n) - 1, SUFFIX)
    x[:, 0], x[:, 1], x[np.arange(n), end] = b, x_symbol + which, e
    return Sequences(x, end, one_hot(which, 2))


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


def marked_pairs(rng, n, T, multiply):
    """4: target 0.5 + (X1 + X2) / 4 of two values from U(-1, 1) marked by 1.0; 5: X1 X2, values from U(0, 1).

    One of the first 10 pairs is marked, then one of the first T/2 - 1 still unmarked ones. The first and the last pair
    carry the marker -1; where the first is marked, its marker is 1 and its value 0 (4) or 1 (5).
    """
    x = np.zeros((n, T + T // 10, 2))
    x[:, :, 0] = rng.uniform(0 if multiply else -1, 1, x.shape[:2])
    end = rng.integers(T, T + T // 10 + 1, n) - 1
    first = rng.integers(0, 10, n)
    second = rng.integers(0, T // 2 - 1, n)
    second += second >= first
    row = np.arange(n)
    x[:, 0, 1] = x[row, end, 1] = -1
    x[row, first, 1] = x[row, second, 1] = 1
    x[x[:, 0, 1] == 1, 0, 0] = 1 if multiply else 0
    X1, X2 = x[row, first, 0], x[row, second, 0]
    return Sequences(x, end, (X1 * X2 if multiply else 0.5 + (X1 + X2) / 4)[:, None])


ORDER_WINDOWS = {"6a": ((10, 20), (50, 60)), "6b": ((10, 20), (33, 43), (66, 76))}


def temporal_order(rng, n, windows):
    """6a, 6b: E, then noise from {a, b, c, d} with an X or Y somewhere in each window, then B. 100 to 110 symbols.

    Symbols: E, B, a, b, c, d, X, Y. windows: first and last position of each X or Y, counted from 1. Target: the class,
    X ... X first and Y ... Y last.
    """
    x = rng.integers(2, 6, (n, 110))
    end = rng.integers(100, 111, n) - 1
    row, kind = np.arange(n), np.zeros(n, int)
    for low, high in windows:
        mark = rng.integers(0, 2, n)
        x[row, rng.integers(low, high + 1, n) - 1] = 6 + mark
        kind = 2 * kind + mark
    x[:, 0], x[row, end] = 0, 1
    return Sequences(x, end, one_hot(kind, 2 ** len(windows)))


def delayed_xor(rng, n, T):
    """Sequences as in Experiment 4 whose two marked values are 1 or -1; target 1 if they differ, else 0."""
    x, end, _, _ = marked_pairs(rng, n, T, multiply=False)
    values = rng.choice([-1.0, 1.0], (n, 2))
    x[x[:, :, 1] == 1, 0] = values.ravel()
    return Sequences(x, end, (values[:, :1] != values[:, 1:]).astype(float))


# --- shared: task parity ---
def parity(rng, n, T):
    """T to T + T/10 elements 1 or -1; target 1 if the number of 1s is odd, else 0."""
    x = rng.choice([-1.0, 1.0], (n, T + T // 10, 1))
    end = rng.integers(T, T + T // 10 + 1, n) - 1
    ones = np.cumsum(x[:, :, 0] == 1, axis=1)[np.arange(n), end]
    return Sequences(x, end, (ones % 2)[:, None].astype(float))
# --- end shared ---


def signal_ago(rng, n, T, N):
    """A single 1 among zeros, T - 1 steps before the end (target 1) or N - 1 steps before it (target 0).

    The sequence is T to T + T/10 steps long, so that the position of the 1 alone does not tell.
    """
    x = np.zeros((n, T + T // 10, 1))
    end = rng.integers(T, T + T // 10 + 1, n) - 1
    early = rng.integers(0, 2, n) == 1
    x[np.arange(n), end + 1 - np.where(early, T, N), 0] = 1
    return Sequences(x, end, early[:, None].astype(float))


# ----------------------------------------------------------------------------------------------------------------------
# Criteria
# ----------------------------------------------------------------------------------------------------------------------

TOLERANCE = {
    "2a": 0.25, "2b": 0.25, "2c": 0.2, "3a": 0.2, "3b": 0.2, "3c": 0.1, "4": 0.04, "5": 0.04, "6a": 0.3, "6b": 0.3,
    "xor": 0.3, "parity": 0.3, "count": 0.3}


def wrong_sequences(experiment, error):
    """Which sequences are wrong: some output's absolute error (..., K) is not below the experiment's tolerance.
    In 3c a sequence is wrong when the error is above it."""
    largest = error.max(-1)
    return largest > TOLERANCE["3c"] if experiment == "3c" else ~(largest < TOLERANCE[experiment])


# --- shared: wrong strings ---
def wrong_strings(y, possible, end):
    """Which Reber strings are wrong: at some step an impossible symbol's output is not below all possible ones'.

    y, possible: (n, T, 7); end: (n,).
    """
    least = np.where(possible > 0, y, np.inf).min(-1)
    most = np.where(possible > 0, -np.inf, y).max(-1)
    return ((least <= most) & (np.arange(y.shape[1]) <= end[:, None])).any(1)
# --- end shared ---


def window_limit(experiment, stops):
    """Most wrong ones allowed among the last 2000 training sequences; -1: not this experiment's criterion.

    stops: how often the trial has stopped before. Experiment 5 stops at fewer than 140 and at fewer than 13 wrong.
    """
    if experiment == "5":
        return 139 if stops == 0 else 12
    return -1 if experiment in HELD_OUT else 0


def window_reached(experiment, mean_error):
    """Whether the mean absolute error of the last 2000 training sequences is low enough; 5 does not ask for that."""
    return mean_error < {"4": 0.01, "5": np.inf}.get(experiment, 0.1)


# --- shared: held-out criterion ---
def held_out_reached(experiment, stops, wrong, mean_error):
    """Experiment 3 on its 256 test sequences. ST1: none is wrong (3b: fewer than 6); ST2: also a mean absolute error
    below 0.01 (3b: 0.04). 3c has one criterion: none wrong and a mean absolute error below 0.015."""
    few = wrong < 6 if experiment == "3b" else wrong == 0
    bound = {"3a": 0.01, "3b": 0.04, "3c": 0.015}[experiment]
    return bool(few and (mean_error < bound or (experiment != "3c" and stops == 0)))
# --- end shared ---


def stops_in(experiment):
    """How often a trial stops: twice in 3a and 3b (ST1, ST2) and in 5 (140, 13), else once."""
    return 2 if experiment in ("3a", "3b", "5") else 1


# ----------------------------------------------------------------------------------------------------------------------
# Model
# ----------------------------------------------------------------------------------------------------------------------


class Shape:
    """Units and weights of a net. A trial's weights are one vector of `size` numbers, `exists` marks the real ones.

    Hidden units: cells (unit v of block j is cell v b + j), then the input gates, then the output gates. Their sources:
    the hidden units a step earlier, the inputs, the bias.
    """

    def __init__(self, settings):
        line = settings.line
        self.blocks, self.block_size, self.steps, self.bias = line.blocks, line.size, steps_of(settings), line.bias
        self.inputs = settings.p + (4 if line.experiment == "2c" else 1) if settings.p else line.n_in
        self.symbolic = line.experiment in SYMBOLIC
        self.gather = line.experiment == "2c"  # input weights by symbol: no arithmetic with the many zeros
        self.every_step = line.experiment in PREDICTING and settings.errors_at != "end"  # there is an error
        self.xy_at_end = settings.errors_at == "xy-end"
        self.layered = line.experiment in ("2a", "2b")  # no recurrence, and the outputs see the inputs, too
        self.outputs = self.inputs if self.layered else line.n_out
        self.output_gates = line.output_gate_bias != "no" and settings.output_gates == "paper"
        self.recurrent = not self.layered and settings.recurrent != "none"
        self.identity_h = line.h == "id"
        self.cells, self.hidden = self.blocks * self.block_size, self.blocks * (self.block_size + 2)
        self.sources = self.hidden + (0 if self.gather else self.inputs) + 1
        self.parts = (
            (self.hidden, self.sources), (self.inputs if self.gather else 0, self.hidden),
            (self.outputs, self.cells + 1), (self.inputs if self.layered else 0, self.outputs))
        self.key = tuple(vars(self).values())  # equal for rows that can train in one stack
        self.ends = np.cumsum([math.prod(part) for part in self.parts])
        self.size = int(self.ends[-1])
        self.exists = self.existing()
        self.weights = int(self.exists.sum())
        counted = settings.in_paper and settings.output_gates == "paper" and settings.recurrent != "none"
        assert not counted or self.weights == line.weights, f"{self.weights} weights, the paper has {line.weights}"

    def split(self, theta):
        """Views of weight vectors (R, size): W (R, hidden, sources), W_x (R, n_in, hidden) for gathered inputs,
        W_out (R, K, cells + 1) with the bias last, and V (R, n_in, K) from inputs to outputs."""
        pieces = np.split(theta, self.ends[:-1], axis=1)
        return [piece.reshape(len(theta), *part) for piece, part in zip(pieces, self.parts)]

    def existing(self):
        """Which weights exist. (size,)"""
        exists = np.ones((1, self.size), bool)
        W, _, W_out, _ = self.split(exists)
        cells, hidden = self.cells, self.hidden
        W[:, :cells, -1] = self.bias in ("hidden", "all")
        W[:, cells:, -1] = self.bias != "none"
        W_out[:, :, -1] = self.bias == "all"
        if not self.recurrent:
            W[:, :, :hidden] = False
        if not self.output_gates:
            W[:, hidden - self.blocks :] = False
            W[:, :, hidden - self.blocks : hidden] = False
        return exists[0]

    def tensors(self, theta):
        """Named weights of a vector (size,), those that exist: to the cells, input gates, output gates and outputs."""
        part = np.zeros((1, self.size), int)
        W, W_x, W_out, V = self.split(part)
        units = np.repeat([0, 1, 2], [self.cells, self.blocks, self.blocks])
        W[:], W_x[:], W_out[:], V[:] = units[:, None], units, 3, 4
        names = ("cells", "input gates", "output gates", "outputs", "inputs to outputs")
        chosen = {name: self.exists & (part[0] == k) for k, name in enumerate(names)}
        return {name: theta[mask] for name, mask in chosen.items() if mask.any()}


def initial_weights(settings, shape, rng):
    """The start of a trial: uniform in [-init, init] times init_scale, gate biases as in CONDITIONS times bias_scale,
    recurrent weights of 0 if the reading says so. (size,)"""
    line, theta = settings.line, np.zeros((1, shape.size))
    limit = line.init * settings.init_scale
    theta[0, shape.exists] = rng.uniform(-limit, limit, shape.weights)
    W = shape.split(theta)[0]
    if settings.recurrent == "zero":
        W[:, :, : shape.hidden] = 0
    for start, biases in ((shape.cells, line.input_gate_bias), (shape.hidden - shape.blocks, line.output_gate_bias)):
        if isinstance(biases, tuple) and (start == shape.cells or shape.output_gates):
            W[0, start : start + shape.blocks, -1] = np.array(biases) * settings.bias_scale
    return theta[0]


class Readings(NamedTuple):
    """What the lanes of a stack may differ in, each (R,)."""

    h_range: np.ndarray  # h in [-h_range, h_range]
    g_range: np.ndarray
    gate_start: np.ndarray
    slope_weight: np.ndarray  # output error: factor (slope_weight f'(net) + slope_offset) (t - y)
    slope_offset: np.ndarray
    factor: np.ndarray
    lr: np.ndarray

    @classmethod
    def of(cls, several):
        """The readings of some lanes' settings."""
        errors = {"a17": (1, 0), "plain": (0, 1)}
        rows = [
            (*RANGES[s.ranges], s.gate_start, *errors.get(s.output_error, (1, s.flat_spot)), s.error_factor, s.lr)
            for s in several]
        return cls(*np.array(rows, float).T)


class Net:
    """R nets in lockstep, each with its own weights; or one net on R sequences, if lanes is given.

    At step t, with y(t) the hidden activations, x(t) the inputs and j the block of cell c (A.1 to A.7; as section 5
    says, the hidden units see the current input, the outputs the current cells):

        net(t) = W [y(t-1); x(t); 1]                                   of cells, input gates and output gates
        s_c(t) = s_c(t-1) + y_in_j(t) g(net_c(t))                      internal state, s_c = 0 at the start
        y_c(t) = y_out_j(t) h(s_c(t))                                  output of the cell
        y_k(t) = f(W_out [y_c(t); 1])                                  output unit; in 2a and 2b plus V x(t)

    Every sigmoid is a scaled and shifted tanh of half its net input. Inside, every cell holds its own copy of its
    gates, so that a step is a few calls on arrays of equal shape. S[t] = [y_c; y_in; y_out; x; 1] are the sources of
    step t; y_c stands there without the range of h, which is folded into the weights; sigma is s / 2, because
    h(s) = range tanh(s / 2).
    """

    def __init__(self, shape, theta, readings, lanes=None):
        R, C, dtype = lanes or len(theta), shape.cells, theta.dtype
        self.shape, self.shared, self.lane = shape, lanes is not None, np.arange(R)
        self.theta, self.delta = theta, np.zeros((len(theta), shape.size))
        self.W, self.W_x, self.W_out, self.V = shape.split(theta)
        self.dW, self.dW_x, self.dW_out, self.dV = shape.split(self.delta)  # changes of the weights over alpha
        self.stretch = min(shape.steps, 128)  # steps whose gradient is one product, whatever the longest sequence
        slots = -(-shape.steps // self.stretch) * self.stretch

        gate = np.arange(shape.blocks)
        self.copies = np.concatenate(  # (3C,) the hidden unit in each row
            [np.arange(C), *(np.tile(first + gate, shape.block_size) for first in (C, C + shape.blocks))])
        self.firsts = np.concatenate(  # (sources,) the column of S that holds each source
            [np.arange(C), C + gate, 2 * C + gate, 3 * C + np.arange(shape.sources - shape.hidden)])
        columns = 3 * C + shape.sources - shape.hidden
        self.W_rows = np.zeros((len(theta), 3 * C, columns), dtype)
        self.S = np.zeros((slots + 1, columns, R), dtype)
        self.a = np.zeros((slots, 3 * C, R), dtype)  # tanh(net / 2)
        self.sigma = np.zeros((slots + 1, C, R), dtype)  # sigma[t] is before step t
        self.h = np.zeros((slots, C, R), dtype)  # h(s) over its range
        self.net_x = np.zeros((slots, 3 * C, R), dtype) if shape.gather else [None] * slots
        self.put = np.zeros((slots, C, R), dtype)  # y_in g / 2, what a step adds to sigma
        self.to_cell, self.to_gate = np.zeros((2, slots, C, R))
        self.local = np.zeros((slots, 3 * C, R))  # e_l(t)

        self.readings, one = readings, np.ones(R)
        self.h_range = one * (2 if shape.identity_h else readings.h_range)  # h(s) = s = 2 sigma
        g_scale, g_shift = (0.25, 0.25) if shape.identity_h else (readings.g_range / 2, 0)
        out_scale, out_shift = (0.5, 0.5) if shape.output_gates else (0, 1)
        self.scale = np.repeat([one * g_scale, one * 0.5, one * out_scale], C, axis=0)  # (3C, R): g / 2, y_in, y_out
        self.shift = np.repeat([one * g_shift, one * 0.5, one * out_shift], C, axis=0)
        self.fold = np.full((len(theta), 1, shape.sources), 0.5)
        self.fold[:, 0, :C] *= self.h_range[: len(theta), None]
        self.S[0, C : 3 * C] = readings.gate_start
        self.S[:, -1] = 1
        y = self.S[1:, : 3 * C]
        self.cycle = list(zip(
            self.S if self.shared else self.S.transpose(0, 2, 1), self.a if self.shared else self.a.transpose(0, 2, 1),
            self.a, self.net_x, y, y[:, :C], y[:, C : 2 * C], y[:, 2 * C :], self.sigma, self.sigma[1:], self.put,
            self.h))

    def add_cells(self, present):
        """2a, 2b: a cell that is not there yet has its output held at 0. present: (R,)."""
        self.shift[2 * self.shape.cells :] = present

    def load(self, x):
        """Puts symbols (T, R) or values (T, n_in, R) into the sources."""
        shape, T = self.shape, len(x)
        if shape.gather:
            net_x = self.W_x[0 if self.shared else self.lane, x]  # (T, R, hidden)
            np.multiply(net_x.transpose(0, 2, 1)[:, self.copies], 0.5, out=self.net_x[:T])
        elif shape.symbolic:
            inputs = self.S[:T, 3 * shape.cells : -1]
            inputs[:] = 0
            inputs[np.arange(T)[:, None], x, self.lane] = 1
        else:
            self.S[:T, 3 * shape.cells : -1] = x
        self.x = x

    def fold_weights(self):
        """The weights as the loop uses them: a row for every copy of a gate, 1/2 and the range of h multiplied in."""
        self.W_rows[:, :, self.firsts] = (self.W * self.fold)[:, self.copies]

    def run(self, first, last):
        """Steps first ... last - 1 of the loaded sequences."""
        product, W = (np.matmul, self.W_rows[0]) if self.shared else (np.matvec, self.W_rows)
        squash = np.positive if self.shape.identity_h else np.tanh
        scale, shift, tanh, multiply, add = self.scale, self.shift, np.tanh, np.multiply, np.add
        for s, net, a, net_x, y, y_c, y_in, y_out, before, sigma, put, h in self.cycle[first:last]:
            product(W, s, net)
            if net_x is not None:
                add(a, net_x, a)
            tanh(a, a)  # a and net are the same memory
            add(multiply(a, scale, y), shift, y)  # g / 2, y_in, y_out
            add(before, multiply(y_c, y_in, put), sigma)
            squash(sigma, h)
            multiply(y_out, h, y_c)

    def run_at_once(self, last):
        """Steps 0 ... last - 1 where net(t) depends on the symbol alone: no step waits for the one before."""
        C, a, y, put, h = self.shape.cells, self.a[:last], self.S[1 : last + 1], self.put[:last], self.h[:last]
        np.tanh(self.net_x[:last], out=a)
        np.multiply(a, self.scale, out=y[:, : 3 * C])
        y[:, : 3 * C] += self.shift
        np.multiply(y[:, :C], y[:, C : 2 * C], out=put)
        np.cumsum(put, axis=0, out=self.sigma[1 : last + 1])
        np.tanh(self.sigma[1 : last + 1], out=h)
        np.multiply(y[:, 2 * C : 3 * C], h, out=y[:, :C])

    def outputs(self, slots):
        """Activations of the output units at slots, as in `at`: (T, R, K) or (R, K)."""
        y_c = self.at(self.S[1:], slots)[..., : self.shape.cells, :].swapaxes(-1, -2) * self.h_range[:, None]
        net = np.matvec(self.W_out[..., :-1], y_c) + self.W_out[..., -1]
        if self.shape.layered:
            symbols = self.x[slots] if self.shape.every_step else self.x[slots, self.lane]
            net += self.V[0 if self.shared else self.lane, symbols]
        return 0.5 * np.tanh(0.5 * net) + 0.5

    def at(self, array, slots):
        """array (steps, units, R) where there are errors: at a slice of steps, (T, units, R); or, in tasks with errors
        at the end only, at one step for each lane, (units, R)."""
        return array[slots] if self.shape.every_step else array[slots, :, self.lane].T

    def forward(self, x, end):
        """Outputs for the inputs x: (T, R, K) at every step, or (R, K) at each lane's end."""
        self.load(x)
        self.fold_weights()
        last = int(end.max()) + 1
        if self.shape.gather and not self.shape.recurrent:
            self.run_at_once(last)
        else:
            self.run(0, last)
        return self.outputs(slice(last) if self.shape.every_step else end)

    def backward(self, e, end, full=False):
        """Fills delta with the sum over the sequence of e_l(t) y_m(t-1), by A.19 to A.26 or by the full gradient.

        e: the output errors, (T, R, K) at every step, zero after the end; or (R, K) at each lane's end.
        """
        slots, C = slice(len(e)) if self.shape.every_step else end, self.shape.cells
        epsilon = np.vecmat(e, self.W_out[..., :-1]).swapaxes(-1, -2)  # (..., C, R) error at the outputs of the cells
        local = (self.local_errors_full if full else self.local_errors)(epsilon, slots, int(end.max()) + 1)
        self.weight_changes(local)
        y_c = self.at(self.S[1:], slots)[..., :C, :].swapaxes(-1, -2) * self.h_range[:, None]  # (..., R, C)
        if e.ndim == 2:
            e, y_c = e[None], y_c[None]
        np.einsum("trk,trc->rkc", e, y_c, out=self.dW_out[..., :-1])
        e.sum(0, out=self.dW_out[..., -1])
        if self.shape.layered:
            self.dV[:] = 0
            symbols = self.x[slots] if self.shape.every_step else self.x[slots, self.lane][None]
            np.add.at(self.dV, (self.lane, symbols), e)
        if self.shape.weights < self.shape.size:
            self.delta *= self.shape.exists

    def local_errors(self, epsilon, slots, last):
        """The truncated e_l(t), with which sum over t of e_l(t) y_m(t-1) is the whole change of a weight. (T, 3C, R)

        The derivatives of the states, A.23 and A.25, are plain sums over time; so A.24 and A.26 may be summed the other
        way round: what a step puts into the state, times all the errors e_s that this state meets from then on.
        """
        C, local = self.shape.cells, self.local[:last]
        h, y_out = self.at(self.h, slots), self.at(self.S[1:], slots)[..., 2 * C : 3 * C, :]
        e_s = epsilon * y_out * self.slope_h(h)  # A.21
        e_out = epsilon * self.h_range * h * y_out * (1 - y_out)  # A.19
        if self.shape.every_step:
            local[:, 2 * C :] = e_out
            met = e_s[::-1].cumsum(0)[::-1]
        else:
            local[:, 2 * C :] = 0
            local[slots, 2 * C :, self.lane] = e_out.T
            met = e_s  # one error, the same for all steps up to the end
        to_cell, to_gate = self.inflow(slice(last))
        np.multiply(to_cell, met * self.scale[:C], out=local[:, :C])
        np.multiply(to_gate, met + met, out=local[:, C : 2 * C])
        for lane, end in enumerate(() if self.shape.every_step else slots):
            local[end + 1 :, :, lane] = 0
        return local

    def local_errors_full(self, epsilon, slots, last):
        """The e_l(t) of the full gradient, back through all recurrent connections. (T, 3C, R)"""
        C, y, local, (to_cell, to_gate) = self.shape.cells, self.S[1:], self.local[:last], self.inflow(slice(last))
        arriving = np.zeros((last, C, len(self.lane)))  # at the outputs of the cells, over the range of h
        if self.shape.every_step:
            arriving[:] = epsilon * self.h_range
        else:
            arriving[slots, :, self.lane] = (epsilon * self.h_range).T
        W = 2 * self.W_rows[:, :, : 3 * C]
        back, e_s = np.zeros((3 * C, len(self.lane))), np.zeros((C, len(self.lane)))
        for t in reversed(range(last)):
            e_c, y_in, y_out = back[:C] + arriving[t], y[t, C : 2 * C], y[t, 2 * C : 3 * C]
            e_s += e_c * y_out * self.slope_h(self.h[t]) / self.h_range
            local[t, :C] = e_s * self.scale[:C] * to_cell[t]
            local[t, C : 2 * C] = 2 * e_s * to_gate[t] + back[C : 2 * C] * y_in * (1 - y_in)
            local[t, 2 * C :] = (back[2 * C :] + e_c * self.h[t]) * y_out * (1 - y_out)
            back = np.vecmat(local[t].T, W).T
        return local

    def inflow(self, steps):
        """What A.25 and A.23 add to the derivatives of the states at some steps: ds_c(t) / dnet(t) of the cell, over
        the scale of g, and of its input gate, over 2. Each (T, C, R)."""
        C, to_cell, to_gate = self.shape.cells, self.to_cell[steps], self.to_gate[steps]
        a, y_in = self.a[steps, :C], self.S[1:][steps, C : 2 * C]
        np.multiply(a, a, out=to_cell)
        np.subtract(1, to_cell, out=to_cell)
        np.multiply(to_cell, y_in, out=to_cell)  # y_in g' = y_in (1 - a^2) scale
        np.subtract(1, y_in, out=to_gate)
        np.multiply(to_gate, self.put[steps], out=to_gate)  # g f'_in = g y_in (1 - y_in)
        return to_cell, to_gate

    def slope_h(self, h):
        """h'(s), from h(s) over its range."""
        return 0.5 * self.h_range * (1 if self.shape.identity_h else 1 - h * h)

    def weight_changes(self, local):
        """Sums local e_l(t) times the sources y_m(t-1) over time, in stretches of equal length: the bits of a trial do
        not depend on its neighbours' longer sequences."""
        n = -(-len(local) // self.stretch)
        self.local[len(local) : n * self.stretch] = 0
        e, y = (array[: n * self.stretch].reshape(n, self.stretch, *array.shape[1:]) for array in (self.local, self.S))
        self.collect(np.matmul(e.transpose(3, 0, 2, 1), y.transpose(3, 0, 1, 2)).sum(1))
        if self.shape.gather:
            where = (self.lane * self.shape.inputs + self.x[: len(local)]).ravel()
            for unit in range(self.shape.hidden):
                sums = np.bincount(where, local[:, unit].ravel(), self.lane.size * self.shape.inputs)
                self.dW_x[:, :, unit] = sums.reshape(self.lane.size, -1)

    def collect(self, change):
        """dW (R, hidden, sources) from the changes (R, 3C, columns) of the rows with the copies of the gates."""
        C, b = self.shape.cells, self.shape.blocks
        self.dW[:, :C] = change[:, :C, self.firsts]
        self.dW[:, C : C + b] = self.over_copies(change[:, C : 2 * C])[:, :, self.firsts]
        self.dW[:, C + b :] = self.over_copies(change[:, 2 * C :])[:, :, self.firsts]
        self.dW *= 2 * self.fold

    def over_copies(self, rows):
        """Sums the rows of a kind of gate over its copies: (R, C, ...) to (R, blocks, ...)."""
        return rows.reshape(len(rows), self.shape.block_size, self.shape.blocks, *rows.shape[2:]).sum(1)

    def learn(self, x, target, end, full=False):
        """One sequence for each lane, one change of the weights after it. Returns the outputs before the change."""
        y = self.forward(x, end)
        self.backward(self.errors(y, target, end), end, full)
        self.theta += self.readings.lr[:, None] * self.delta
        return y

    def errors(self, y, target, end, first=0):
        """Output errors of y, which is (T, R, K) at steps first, first + 1, ...; or (R, K) at each lane's end."""
        difference = self.difference(y, target, end, first)
        weight, offset, factor = (value[:, None] for value in self.readings[3:6])
        return factor * (weight * y * (1 - y) + offset) * difference

    def difference(self, y, target, end, first=0):
        """t_k - y_k, zero after the end and where the task has no error. target: symbols (T, R), or (R, K)."""
        if not self.shape.every_step:
            return target - y
        steps = np.arange(first, first + len(y))[:, None]
        difference = one_hot(target[first : first + len(y)], self.shape.outputs) - y
        difference *= (steps <= end)[:, :, None]
        if self.shape.xy_at_end:
            difference[:, :, -2:] *= (steps == end)[:, :, None]
        return difference

    def absolute_error(self, y, target, end):
        """The mean over the steps of |t_k - y_k|. (R, K)"""
        error = abs(self.difference(y, target, end))
        return error.sum(0) / (end + 1)[:, None] if self.shape.every_step else error

    def learn_every_step(self, x, target, end, running=None):
        """The same with a change of the weights after every step, by the running derivatives of the states, whose
        memory does not grow with the sequence. Returns the outputs (T, R, K).

        running: those derivatives, (R, 2 cells, sources): ds/dw to cells (A.25), then to input gates (A.23); given if
        they go on from the last string, and then left at each lane's end."""
        C, b, dense, lr = self.shape.cells, self.shape.blocks, self.shape.ends[2], self.readings.lr[:, None]
        self.load(x)
        carried = running is not None
        running = running if carried else np.zeros((len(self.lane), 2 * C, self.shape.sources))
        outputs = np.zeros((int(end.max()) + 1, len(self.lane), self.shape.outputs))
        for t in range(len(outputs)):
            self.fold_weights()
            self.run(t, t + 1)
            outputs[t] = self.outputs(slice(t, t + 1))[0]
            e = self.errors(outputs[t : t + 1], target, end, first=t)[0]
            epsilon = np.vecmat(e, self.W_out[..., :-1]).T
            y_c, y_out, h = self.S[t + 1, :C], self.S[t + 1, 2 * C : 3 * C], self.h[t]
            y_m = self.S[t, self.firsts].T * 2 * self.fold[:, 0]  # (R, sources)
            (to_cell,), (to_gate,) = self.inflow(slice(t, t + 1))
            into = np.concatenate([self.scale[:C] * to_cell, 2 * to_gate])
            if carried:
                into *= t <= end
            running += into.T[:, :, None] * y_m[:, None]
            e_s = epsilon * y_out * self.slope_h(h)  # A.21
            e_out = epsilon * self.h_range * h * y_out * (1 - y_out)  # A.19
            change = running * np.concatenate([e_s, e_s]).T[:, :, None]
            self.dW[:, :C] = change[:, :C]  # A.26
            self.dW[:, C : C + b] = self.over_copies(change[:, C:])  # A.24
            self.dW[:, C + b :] = self.over_copies(e_out.T)[:, :, None] * y_m[:, None]  # A.20
            self.dW_out[..., :-1] = e[:, :, None] * (y_c * self.h_range).T[:, None]
            self.dW_out[..., -1] = e
            self.delta[:, :dense] *= self.shape.exists[:dense]
            self.theta[:, :dense] += lr * self.delta[:, :dense]
            if self.shape.layered:
                self.V[self.lane, self.x[t]] += lr * e
        return outputs


# ----------------------------------------------------------------------------------------------------------------------
# The algorithm as the appendix writes it
# ----------------------------------------------------------------------------------------------------------------------


def logistic(net):
    """f of A.1."""
    return 1 / (1 + math.exp(-net))


def squashing(shape, readings):
    """h, h', g and g' of one lane (A.2 and A.3 in the text's ranges), functions of a number."""
    f, h_range, g_range = logistic, float(readings.h_range[0]), float(readings.g_range[0])
    if shape.identity_h:
        return lambda s: s, lambda s: 1.0, f, lambda net: f(net) * (1 - f(net))
    return (
        lambda s: h_range * (2 * f(s) - 1), lambda s: 2 * h_range * f(s) * (1 - f(s)),
        lambda net: g_range * (2 * f(net) - 1), lambda net: 2 * g_range * f(net) * (1 - f(net)))


def appendix(shape, theta, readings, x, target, end, every_step, derivatives=None):
    """Appendix A in forward mode, unit by unit, for one trial: slow, short, and the reference of the gradient check.

    theta: (size,), changed in place if every_step; x: (T,) symbols or (T, n_in); target: (T, K), NaN where there is no
    error; readings: of one lane; derivatives: of the states, to go on from, changed in place. Returns the change of the
    weights over alpha, summed over the sequence.
    """
    h, h_slope, g, g_slope = squashing(shape, readings)
    blocks, C, total = shape.blocks, shape.cells, np.zeros(shape.size)
    W, W_x, W_out, V = (part[0] for part in shape.split(theta[None]))
    s, y_hidden = np.zeros(C), np.zeros(shape.hidden)
    y_hidden[C:] = readings.gate_start[0]
    if derivatives is None:
        derivatives = np.zeros((2, C, shape.sources + shape.inputs))
    ds_cell, ds_in = derivatives  # ds_c / dw_cm, and ds_c / dw_inm of the input gate of the cell's block
    for t in range(end + 1):
        inputs = one_hot(x[t], shape.inputs) if shape.symbolic else x[t]
        y_m = np.concatenate([y_hidden, [] if shape.gather else inputs, [1.0]])
        net = W @ y_m + (W_x.T @ inputs if shape.gather else 0)
        y_m = np.concatenate([y_m, inputs])  # the last ones matter for gathered inputs only
        y_in = [logistic(net[C + j]) for j in range(blocks)]  # A.5
        y_out = [logistic(net[C + blocks + j]) if shape.output_gates else 1.0 for j in range(blocks)]  # A.6
        for c in range(C):
            j = c % blocks
            s[c] += y_in[j] * g(net[c])  # A.7
            y_hidden[c] = y_out[j] * h(s[c])
            ds_in[c] += g(net[c]) * y_in[j] * (1 - y_in[j]) * y_m  # A.23
            ds_cell[c] += g_slope(net[c]) * y_in[j] * y_m  # A.25
        y_hidden[C:] = [*y_in, *y_out]
        if not np.isnan(target[t]).all():
            y_k = np.array([logistic(n) for n in W_out @ [*y_hidden[:C], 1.0] + (V.T @ inputs if shape.layered else 0)])
            weight, offset, factor, lr = (float(value[0]) for value in readings[3:])
            e = np.nan_to_num(factor * (weight * y_k * (1 - y_k) + offset) * (target[t] - y_k))  # A.17
            change = appendix_change(shape, e, W_out, s, ds_cell, ds_in, y_hidden, y_m, inputs, h, h_slope)
            total += change
            if every_step:
                theta += lr * change
    return total


def appendix_change(shape, e, W_out, s, ds_cell, ds_in, y_hidden, y_m, inputs, h, h_slope):
    """Time t's contribution to the change of every weight, over alpha (A.19 to A.22, A.24, A.26). (size,)"""
    change, C, blocks = np.zeros(shape.size), shape.cells, shape.blocks
    dW, dW_x, dW_out, dV = (part[0] for part in shape.split(change[None]))
    hidden = np.zeros((shape.hidden, len(y_m)))
    for c in range(C):
        j = c % blocks
        y_out = y_hidden[C + blocks + j]
        back = W_out[:, c] @ e
        e_s = y_out * h_slope(s[c]) * back  # A.21
        hidden[c] += e_s * ds_cell[c]  # A.26
        hidden[C + j] += e_s * ds_in[c]  # A.24, summed over the cells of the block
        hidden[C + blocks + j] += y_out * (1 - y_out) * h(s[c]) * back * y_m  # A.19, A.20
    dW[:] = hidden[:, : shape.sources]
    dW_x[:] = hidden[:, shape.sources :].T if shape.gather else 0
    dW_out[:] = np.outer(e, [*y_hidden[:C], 1.0])  # A.20
    dV[:] = np.outer(inputs, e) if shape.layered else 0
    return change * shape.exists


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


APPENDIX_TOLERANCE = 1e-9
CHECKS = (  # settings of the checked nets: every kind of net, input, error and reading
    dict(experiment="4", T=30), dict(experiment="6a"), dict(experiment="3a", T=30, ranges="table10"),
    dict(experiment="2c", q=20, p=5, ranges="wide"), dict(experiment="2c", q=20, p=5, recurrent="none"),
    dict(experiment="1", blocks=3, gate_start=0.5), dict(experiment="1", blocks=4, output_gates="none"),
    dict(experiment="2a", p=30), dict(experiment="2b", p=30),
    dict(experiment="2b", p=30, errors_at="xy-end"), dict(experiment="2b", p=30, errors_at="end"))


def checked_net(settings, updates, dtype=float):
    """Two unsaturated lanes of a net, two sequences for each, and the weights a few updates later.

    Returns net, x, target, end of the sequence to check.
    """
    trials = [Trial(settings, seed) for seed in (settings.seed, settings.seed + 1)]
    shape = Shape(settings)
    theta = np.array([trial.start(shape) for trial in trials])
    theta += 0.2 * streams(0)["display"].normal(size=theta.shape) * shape.exists
    net = Net(shape, theta, Readings.of([settings] * 2))
    x, target, end = stacked([trial.draw(updates + 1) for trial in trials])
    for k in range(updates):
        net.learn(x[k], target[k], end[k])
    return net, x[-1], target[-1], end[-1]


def check_truncated(settings, updates):
    """Compares the truncated gradient of both lanes with the appendix's forward mode, at every weight; and where there
    are errors at every step, the change of the weights by a sequence with updates at every step.

    Returns the number of weights and the worst relative error.
    """
    net, x, target, end = checked_net(settings, updates)
    shape, every_step = net.shape, net.shape.every_step
    net.backward(net.errors(net.forward(x, end), target, end), end)
    start, truncated = net.theta.copy(), net.delta.copy()
    if every_step:
        net.learn_every_step(x, target, end)
    worst = 0.0
    for lane in range(2):
        wanted, last = np.full((shape.steps, shape.outputs), np.nan), end[lane]
        if every_step:
            wanted[: last + 1] = one_hot(target[: last + 1, lane], shape.outputs)
            if shape.xy_at_end:
                wanted[:last, -2:] = np.nan
        else:
            wanted[last] = target[lane]
        readings, theta = Readings(*(value[lane : lane + 1] for value in net.readings)), start[lane].copy()
        literal = appendix(shape, theta, readings, x[..., lane], wanted, last, every_step=False)
        worst = max(worst, worst_error(shape, truncated[lane], literal))
        if every_step:
            appendix(shape, theta, readings, x[..., lane], wanted, last, every_step=True)
            worst = max(worst, worst_error(shape, net.theta[lane] - start[lane], theta - start[lane]))
    return shape.weights, worst


def worst_error(shape, ours, literal):
    """The largest relative error over all weights; entries below 1e-4 of their tensor's largest count as that large.
    Infinite if a tensor does not change at all, or a weight that does not exist does."""
    pairs = [(a, shape.tensors(literal)[name]) for name, a in shape.tensors(ours).items()]
    if ours[~shape.exists].any() or not all(abs(a).max() > 0 and abs(b).max() > 0 for a, b in pairs):
        return math.inf
    return max(float((abs(a - b) / np.maximum(abs(a) + abs(b), 1e-4 * abs(b).max())).max()) for a, b in pairs)


def check_full(settings, updates):
    """check_gradient's rows for the full gradient of both lanes at once."""
    net, x, target, end = checked_net(settings, updates)
    shape = net.shape
    exists = np.tile(shape.exists, 2)
    net.backward(net.errors(net.forward(x, end), target, end), end, full=True)

    def loss(weights):
        theta = np.zeros(exists.size, weights.dtype)
        theta[exists] = weights
        other = Net(shape, theta.reshape(2, -1), net.readings)
        difference = other.difference(other.forward(x, end), target, end)
        return 0.5 * (difference * difference).sum()

    def tensors(weights):
        theta = np.zeros(exists.size, weights.dtype)
        theta[exists] = weights
        lanes = [shape.tensors(theta[lane * shape.size : (lane + 1) * shape.size]) for lane in range(2)]
        return {f"{name}, lane {lane}": lanes[lane][name] for lane in range(2) for name in lanes[lane]}

    return check_gradient(loss, net.theta.ravel()[exists], -net.delta.ravel()[exists], tensors)


def gradcheck_all():
    """Both gradients over every kind of net, at the start and after 30 updates. Returns the exit code."""
    passed = True
    for choice in CHECKS:
        settings = Settings(**choice)
        title = f"{settings.named}, {settings.reading}"
        for updates, where in ((0, "random weights"), (30, "trained weights")):
            weights, worst = check_truncated(settings, updates)
            good = worst <= APPENDIX_TOLERANCE
            passed &= good
            print(f"{title}, {where}, truncated: {weights} weights, worst relative error {worst:.1e} (A.17 to A.26 in "
                  f"forward mode): {'ok' if good else 'FAILED'}")
            if settings.experiment not in ("2a", "2b"):  # without recurrence the two are the same
                passed &= report_gradients(f"{title}, {where}, full", check_full(settings, updates))
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


class Trial:
    """One trial of a row: its streams, what it has reached, and its tests. Its weights are a lane of a stack."""

    def __init__(self, settings, seed):
        self.settings, self.seed, self.rng = settings, seed, streams(seed)
        self.task = task(settings, seed)
        self.stops = []  # figures at each stop
        waits = settings.experiment in ("2a", "2b") and settings.add_cell_when != 0
        self.added_after = None if waits else 0  # training sequences before the cell was added

    def draw(self, n):
        """The next n training sequences."""
        return self.task(self.rng["train"], n)

    def start(self, shape):
        return initial_weights(self.settings, shape, streams(self.seed)["init"])

    def state(self):
        """What a checkpoint keeps of the trial, for JSON."""
        return dict(seed=self.seed, stops=self.stops, added_after=self.added_after,
                    stream=self.rng["train"].bit_generator.state)

    def restore(self, state):
        self.stops, self.added_after = state["stops"], state["added_after"]
        self.rng["train"].bit_generator.state = state["stream"]

    def stop_sets(self):
        """Batches of sequences that decide whether the trial stops, from their own stream, the same every time."""
        if self.settings.experiment == "1":
            yield from reber_sets(self.seed)
            return
        n = {"2a": LANES, "2b": N_FROZEN, "2c": N_FROZEN}.get(self.settings.experiment, N_STOP)
        rng = streams(self.seed)["eval"].spawn(2)[0]
        for start in range(0, n, LANES):
            yield self.task(rng, min(LANES, n - start))

    def reached(self, net):
        """Whether the trial meets its criterion on held-out sequences. net: its weights, LANES wide."""
        experiment = self.settings.experiment
        if experiment in ("3a", "3b", "3c"):
            figures = [errors(net, batch, experiment) for batch in self.stop_sets()]
            wrong = sum(int(wrong_sequences(experiment, error).sum()) for error in figures)
            return held_out_reached(experiment, len(self.stops), wrong, float(np.concatenate(figures).mean()))
        return not any(wrong_in(net, batch, experiment).any() for batch in self.stop_sets())

    def figures(self, net):
        """Test figures on fresh sequences: how many of how many are wrong, mean absolute and mean squared error."""
        experiment = self.settings.experiment
        if experiment == "1":
            wrong = sum(int(wrong_in(net, batch, experiment).sum()) for batch in reber_sets(self.seed))
            return dict(wrong=wrong, test_sequences=512, mean_absolute_error=None, mean_squared_error=None)
        rng = streams(self.seed)["eval"].spawn(2)[1]
        error = np.concatenate([errors(net, self.task(rng, LANES), experiment) for _ in range(N_TEST // LANES)])
        return dict(
            wrong=int(wrong_sequences(experiment, error).sum()), test_sequences=N_TEST,
            mean_absolute_error=float(error.mean()), mean_squared_error=float((error * error).mean()))


def predictions(net, batch):
    """Outputs of one net for a batch of Sequences: (n, K) at the ends, or (n, T, K) at every step."""
    parts, n = [], len(batch.end)
    for start in range(0, n, LANES):
        chosen = np.minimum(np.arange(start, start + LANES), n - 1)  # the last one fills up the lanes
        x, end = np.moveaxis(batch.x[chosen], 0, -1), batch.end[chosen]
        y = net.forward(x, end)
        if net.shape.every_step:
            padded = np.zeros((net.shape.steps, *y.shape[1:]))
            padded[: len(y)] = y
            y = padded.swapaxes(0, 1)
        parts.append(y[: n - start])
    return np.concatenate(parts)


def errors(net, batch, experiment):
    """Absolute errors of the outputs, (n, K), against the target without noise; in 2a the largest over the steps."""
    y = predictions(net, batch)
    if experiment == "2a":
        return abs(y - one_hot(batch.target, y.shape[-1])).max(1)
    if net.shape.every_step:  # 2b: at the end
        row = np.arange(len(batch.end))
        return abs(y[row, batch.end] - one_hot(batch.target[row, batch.end], y.shape[-1]))
    return abs(y - (batch.target if batch.truth is None else batch.truth))


def wrong_in(net, batch, experiment):
    """Which sequences of a batch are wrong. (n,)"""
    if experiment == "1":
        return wrong_strings(predictions(net, batch), batch.truth, batch.end)
    return wrong_sequences(experiment, errors(net, batch, experiment))


def stacked(batches):
    """Puts the lanes' Sequences side by side: x (n, T[, n_in], R), target (n, R, K) or (n, T, R), end (n, R)."""
    x = np.stack([batch.x for batch in batches], axis=-1)
    whole = batches[0].target.dtype.kind == "i"
    target = np.stack([batch.target for batch in batches], axis=-1 if whole else 1)
    return x, target, np.stack([batch.end for batch in batches], axis=-1)


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


class Stack:
    """Trials in lockstep, of one row or of several whose nets have the same shape.

    Trials that stop leave. One that is left alone keeps a copy of itself beside it: products of a single lane take
    another path through the linear algebra and would give other bits.
    """

    def __init__(self, rows, out):
        self.rows, self.shape, self.checkpoint = rows, Shape(rows[0]), checkpoint_path(rows, out)
        self.trials = [Trial(row, row.seed + k) for row in rows for k in range(row.trials)]
        self.done, self.n, self.seconds = {}, 0, 0.0  # figures by row and seed; sequences and seconds so far
        self.history = [dict(train_sequences=[], trials_running=[], median_training_error=[]) for _ in rows]
        self.testers = {}
        R = len(self.trials)
        self.theta = np.array([trial.start(self.shape) for trial in self.trials])
        self.window_error, self.window_wrong = np.zeros((WINDOW, R)), np.zeros((WINDOW, R), bool)
        self.wrong, self.before = np.zeros(R, int), np.full(R, np.inf)
        carried = R if rows[0].carry_derivatives else 0
        self.running = np.zeros((carried, 2 * self.shape.cells, self.shape.sources))
        self.narrow(range(R))

    def narrow(self, keep):
        """Keeps the lanes of these indices and builds the net for them."""
        self.trials = [self.trials[k] for k in keep]
        if not self.trials:
            return
        self.columns = [*keep, *keep][: max(2, len(keep))]
        self.theta, self.wrong, self.before = (array[self.columns] for array in (self.theta, self.wrong, self.before))
        self.window_error, self.window_wrong = self.window_error[:, self.columns], self.window_wrong[:, self.columns]
        self.running = self.running[self.columns] if self.rows[0].carry_derivatives else self.running
        self.net = self.net_of(self.beside(self.trials), self.theta)
        self.limits = self.window_limits()

    def beside(self, items):
        """The items of the lanes, a single one twice."""
        return [*items, *items] if len(items) == 1 else items

    def net_of(self, trials, theta, lanes=None):
        net = Net(self.shape, theta, Readings.of([trial.settings for trial in trials]), lanes)
        if self.shape.layered:
            net.add_cells([trial.added_after is not None for trial in trials])
        return net

    def window_limits(self):
        trials = self.beside(self.trials)
        return np.array([window_limit(trial.settings.experiment, len(trial.stops)) for trial in trials])

    def tester(self, lane):
        """The net of a lane's trial, LANES wide."""
        trial = self.trials[lane]
        if trial.settings not in self.testers:
            self.testers[trial.settings] = self.net_of([trial], np.zeros((1, self.shape.size)), LANES)
        tester = self.testers[trial.settings]
        tester.theta[0] = self.theta[lane]
        if self.shape.layered:
            tester.add_cells(trial.added_after is not None)
        return tester

    def train_chunk(self):
        """CHUNK training sequences for each trial, and the tests that fall due."""
        x, target, end = stacked(self.beside([trial.draw(CHUNK) for trial in self.trials]))
        row, chunk_error = self.rows[0], np.zeros(len(self.columns))
        for k in range(CHUNK):
            if row.update == "step":
                running = self.running if row.carry_derivatives else None
                y = self.net.learn_every_step(x[k], target[k], end[k], running)
            else:
                y = self.net.learn(x[k], target[k], end[k], row.gradient == "full")
            self.n += 1
            error = self.net.absolute_error(y, target[k], end[k])
            chunk_error += error.mean(-1) / CHUNK
            if self.limits[0] >= 0:
                staying = self.stop_by_window(error)
                if staying is not None:
                    if not staying:
                        return self.narrow(staying)
                    self.narrow(staying)
                    x, target, end, chunk_error = (
                        np.take(x, self.columns, -1), np.take(target, self.columns, 1), end[:, self.columns],
                        chunk_error[self.columns])
        self.end_chunk(chunk_error)

    def stop_by_window(self, error):
        """Counts the sequence into the last 2000. Returns the lanes that stay if some trial has now stopped for good,
        else None. error: (R, K)."""
        slot = (self.n - 1) % WINDOW
        wrong = wrong_sequences(self.rows[0].experiment, error)
        self.wrong += wrong
        self.wrong -= self.window_wrong[slot]
        self.window_wrong[slot], self.window_error[slot] = wrong, error.mean(-1)
        if self.n < WINDOW or not (self.wrong <= self.limits).any():
            return None
        staying = []
        for lane, trial in enumerate(self.trials):
            few = self.wrong[lane] <= self.limits[lane]
            if few and window_reached(trial.settings.experiment, self.window_error[:, lane].mean()):
                self.stop(lane)
            if len(trial.stops) < stops_in(trial.settings.experiment):
                staying.append(lane)
        self.limits = self.window_limits()
        return staying if len(staying) < len(self.trials) else None

    def end_chunk(self, chunk_error):
        """What is looked at between chunks: divergence, new cells, held-out tests, the cap."""
        leaving = []
        for lane, trial in enumerate(self.trials):
            settings = trial.settings
            if not np.isfinite(self.theta[lane]).all():
                self.leave(lane, diverged=True)
                leaving.append(lane)
                continue
            if trial.added_after is None:
                stalled = chunk_error[lane] >= self.before[lane] if settings.add_cell_when is None else False
                if stalled or settings.add_cell_when is not None and self.n >= settings.add_cell_when:
                    trial.added_after = self.n
            if settings.test_every and self.n % settings.test_every == 0:
                tester = self.tester(lane)
                while len(trial.stops) < stops_in(settings.experiment) and trial.reached(tester):
                    self.stop(lane)
            if len(trial.stops) == stops_in(settings.experiment):
                leaving.append(lane)
            elif self.n >= settings.max_sequences:
                self.leave(lane)
                leaving.append(lane)
        self.before = chunk_error
        self.note(chunk_error)
        if self.shape.layered:
            self.net.add_cells([trial.added_after is not None for trial in self.beside(self.trials)])
        if leaving:
            self.narrow([lane for lane in range(len(self.trials)) if lane not in leaving])

    def stop(self, lane):
        """The lane's trial meets a criterion now: its test figures."""
        trial = self.trials[lane]
        trial.stops.append(dict(sequences=self.n) | trial.figures(self.tester(lane)))
        if len(trial.stops) == stops_in(trial.settings.experiment):
            self.leave(lane)

    def leave(self, lane, diverged=False):
        """The lane's trial has stopped for good, or is given up at the cap or because its weights are not finite."""
        trial = self.trials[lane]
        complete = len(trial.stops) == stops_in(trial.settings.experiment)
        at_end = trial.stops[-1] if complete else dict(sequences=self.n) | trial.figures(self.tester(lane))
        keep = complete and self.shape.size <= 400
        self.done[f"{self.rows.index(trial.settings)}/{trial.seed}"] = dict(
            seed=trial.seed, stops=trial.stops, complete=complete, diverged=diverged, at_end=at_end,
            added_after=trial.added_after, weights=self.theta[lane].tolist() if keep else None)

    def note(self, chunk_error):
        """A point of the training curves: at most 100 for each row."""
        for row, history in zip(self.rows, self.history):
            every = -(-row.max_sequences // (100 * CHUNK)) * CHUNK
            running = [float(chunk_error[k]) for k, trial in enumerate(self.trials) if trial.settings == row]
            if running and self.n % every == 0:
                history["train_sequences"].append(self.n)
                history["trials_running"].append(len(running))
                history["median_training_error"].append(round(float(np.median(running)), 6))

    def run(self, options, quiet):
        """Trains until every trial has left or STOP is set. Returns whether it ran to the end."""
        cap, start, shown, saved = max(row.max_sequences for row in self.rows), time.perf_counter(), 0.0, 0.0
        before, first = self.seconds, self.n
        progress, total = Progress(cap, quiet), sum(row.trials for row in self.rows)
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
                    progress(self.n, f"{self.title}: sequence {self.n}, {rate:.0f} per s, {len(self.done)} of {total} "
                                     f"trials ended; cap {cap}")
        progress.close()
        if self.trials:
            self.save()
        return not self.trials

    @property
    def title(self):
        return ", ".join(row.named for row in self.rows[:3]) + (", ..." if len(self.rows) > 3 else "")

    def save(self):
        """Writes the checkpoint; a disk that refuses is reported and training goes on."""
        lanes = slice(len(self.trials))
        state = dict(
            source=source_hash(__file__), sequences=self.n, seconds=self.seconds, done=self.done, history=self.history,
            trials=[trial.state() | dict(row=self.rows.index(trial.settings)) for trial in self.trials])
        temporary = f"{self.checkpoint}.{os.getpid()}.tmp"
        try:
            with open(temporary, "wb") as file:
                np.savez(
                    file, state=json.dumps(state), theta=self.theta[lanes], wrong=self.wrong[lanes],
                    before=self.before[lanes], running=self.running[lanes], window_error=self.window_error[:, lanes],
                    window_wrong=self.window_wrong[:, lanes])
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.checkpoint)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            print(f"cannot write the checkpoint {self.checkpoint}: {error}", file=sys.stderr)

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
        for name, array in arrays.items():
            setattr(self, name, array)
        self.narrow(range(len(self.trials)))

    def records(self):
        """A record for each row."""
        return [self.record(k) for k in range(len(self.rows))]

    def record(self, k):
        row = self.rows[k]
        trials = [self.done[f"{k}/{row.seed + number}"] for number in range(row.trials)]
        final = dict(
            status="diverged" if any(trial["diverged"] for trial in trials) else "done",
            trials_stopped=sum(trial["complete"] for trial in trials),
            sequences_to_success=[trial["at_end"]["sequences"] if trial["complete"] else None for trial in trials])
        for name in ("wrong", "mean_absolute_error", "mean_squared_error"):
            final[name] = [trial["at_end"][name] for trial in trials]
        final["test_sequences"] = trials[0]["at_end"]["test_sequences"]
        if stops_in(row.experiment) == 2:
            first = [trial["stops"][0] if trial["stops"] else None for trial in trials]
            for name in ("sequences", "wrong", "mean_squared_error"):
                final[f"{name}_at_first_stop"] = [stop and stop[name] for stop in first]
        if self.shape.layered:
            final["cell_added_after"] = [trial["added_after"] for trial in trials]
        record = {
            "settings": dataclasses.asdict(row), "seeds": [trial["seed"] for trial in trials],
            "history": self.history[k], "final": final,
            "provenance": provenance(self.seconds) | {"trials_in_stack": sum(row.trials for row in self.rows)}}
        stopped = next((trial for trial in trials if trial["weights"]), None)
        return record | ({"weights": dict(seed=stopped["seed"], theta=stopped["weights"])} if stopped else {})


def train(rows, options, quiet=True):
    """Trains the trials of some rows in one stack. Returns their records, or None if it was interrupted (a checkpoint
    then holds what was computed). Raises ResultsError for a checkpoint that cannot be used."""
    stack = Stack(rows, options.out)
    stack.resume()
    return stack.records() if stack.run(options, quiet) else None


def stacks(rows):
    """Groups rows that can train in one stack: equal shape, errors, update and kind of stop, up to STACK trials."""
    groups = {}
    for row in rows:
        stop = None if row.experiment in HELD_OUT else TOLERANCE[row.experiment]
        groups.setdefault((Shape(row).key, row.update, row.gradient, row.carry_derivatives, stop), []).append(row)
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
        "--table", type=int, nargs="+", choices=range(1, 10), metavar="TABLE", help="every row of these of the paper's "
        "Tables 1 to 9; --T, --N, --q, --p and --blocks choose among them")
    parser.add_argument("--all", action="store_true", help="every row of Tables 1 to 9")
    parser.add_argument("--full-gradient", action="store_true", help="the same as --gradient full")
    parser.add_argument("--quiet", action="store_true", help="only the final lines")
    parser.add_argument("--gradcheck", action="store_true", help="check every weight of every kind of net, and stop")
    args = parser.parse_args(argv)
    given = [word.split("=")[0] for word in (sys.argv[1:] if argv is None else argv)]
    if args.full_gradient:
        if "--gradient" in given and args.gradient != "full":
            parser.error("--full-gradient contradicts --gradient truncated")
        args.gradient = "full"
    if args.all + (args.table is not None) + ("--experiment" in given) > 1:
        parser.error("--experiment, --table and --all exclude each other")
    chosen = {name: getattr(args, name) for name in IDENTITY if name != "lr" and getattr(args, name) is not None}
    lines = [
        line for line in LINES if (args.all or line.table in (args.table or ()))
        and all(getattr(line, name) == value for name, value in chosen.items())]
    if (args.all or args.table) and not lines:
        parser.error("no row of the paper has all these settings")
    try:
        rows = [from_flags(Settings, args, **row_of(line, args)) for line in lines] or [from_flags(Settings, args)]
        if not args.gradcheck:
            check_results(args.out)
            for group in stacks(rows):
                read_checkpoint(checkpoint_path(group, args.out))
    except (ValueError, ResultsError) as error:
        parser.error(str(error))
    return rows, from_flags(Options, args), args


def row_of(line, args):
    """The settings of a line of the tables; a learning rate that was given goes before the line's."""
    row = {"experiment": line.experiment} | {name: getattr(line, name) for name in IDENTITY}
    row["blocks"] = line.blocks if line.experiment == "1" else None
    return row | ({"lr": args.lr} if args.lr is not None else {})


def summary(record):
    """One line on a row: trials that stopped, median with the others counted as larger, mean of those that stopped and
    their wrong test sequences, beside the paper's."""
    row = Settings(**record["settings"])
    final, line = record["final"], row.line
    wrong = [wrong for wrong, n in zip(final["wrong"], final["sequences_to_success"]) if n is not None]
    words = f"{row.named} [{row.reading}]: {counts(final['sequences_to_success'])}"
    if row.in_paper:
        words += f" (paper {line.paper})"
    if wrong:
        words += f"; {np.mean(wrong):.1f} wrong of {final['test_sequences']}"
        words += f" (paper {line.paper_wrong:g})" if row.in_paper and line.paper_wrong is not None else ""
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


def train_rows(rows, options, quiet):
    """Trains rows in as few stacks as they need and saves a record of each. Returns the exit code."""
    saved, statuses = True, []
    try:
        for records in run_all(train, [(group, options, quiet) for group in stacks(rows)], options.jobs):
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


def main(argv=None):
    rows, options, args = parse(argv)
    return gradcheck_all() if args.gradcheck else train_rows(rows, options, args.quiet)


if __name__ == "__main__":
    sys.exit(main())
