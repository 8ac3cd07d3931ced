# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2"]
# ///
"""The 1997 paper with its own algorithm: truncated gradient, memory cell blocks, Tables 1 to 9.

Source: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation 9(8):1735-1780:
sections 4 and 5, Tables 1 to 11, Appendix A. Equation numbers such as A.17 are the paper's.

Tasks: 1 predicts the embedded Reber grammar; 2 keeps one symbol over a stretch of distractors;
3 classifies sequences whose noise and signal share a line; 4 adds and 5 multiplies two marked
numbers; 6 tells the order of symbols far apart. Then the limits of section 6.1: xor, parity, count.
Learning is online: one sequence, one update. The error flows back through the internal states of
the memory cells and is cut where it would leave them.

Criterion: the number of training sequences until the paper's own stopping criterion of each
experiment, over its 10 to 30 trials; then the wrong ones among 2560 fresh test sequences.

Commands:
    python3 lstm_1997.py                              Experiment 6a, Table 9
    python3 lstm_1997.py --experiment 4 --T 100       the adding problem, first row of Table 7
    python3 lstm_1997.py --table 7 --jobs 2           a table's rows, beside the paper's figures
    python3 lstm_1997.py --table 4 5 6 --T 100        the rows of some tables that have T = 100
    python3 lstm_1997.py --all                        every row of Tables 1 to 9: many hours
    python3 lstm_1997.py --gradcheck                  truncated and full gradient, before all else
    python3 lstm_1997.py --export order.npz           the sequences of a trial, for torch and Keras

Reading order: the tasks, the stopping criteria, the algorithm as the appendix writes it (`appendix`,
one trial, unit by unit), then the same for all trials in lockstep, each with its own weights and
random streams: a trial gives the same bits alone and in company. A long run writes a checkpoint
beside --out now and then and on Ctrl-C; the same command goes on from there.
"""

import dataclasses
import functools
import itertools
import math
import os
import sys
from typing import NamedTuple

import numpy as np

import harness

EXPERIMENT = "lstm_1997"
CODE = harness.Code(__name__)
WINDOW = 2000  # "the 2000 most recent sequences" in the criteria of Experiments 4, 5 and 6
N_TEST = 2560  # test sequences after the stop
N_STOP = 256  # sequences of the test set that stops Experiment 3
N_FROZEN = 10_000  # "10,000 successive, randomly chosen input sequences" of Experiments 2b and 2c
CHUNK = 100  # training sequences drawn at once for a trial: part of what a seed means
LANES = 128  # test sequences that run side by side
STACK = 60  # most trials in one lockstep


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

# Tables 10 and 11, a row per line, and the results of Tables 1 to 9. T, N: shortest sequence and
# elements that carry the class; q, p: shortest stretch of distractors and number of distractor
# symbols (2c), or delay p (2a, 2b); b, s: blocks and cells in a block; in, out: units; w: weights;
# ogb, igb: start of the gate biases block by block, r: drawn like the weights, no: there are no
# such gates; bias: the units that have one; h, g: sigmoids with the ranges of RANGES, or h(x) = x and
# g the logistic sigmoid; init: weights start uniformly in [-init, init]; first: sequences until the
# first of two stops; paper: sequences until success; wrong: of 2560 test sequences.
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


# The tasks of section 6.1, which the paper describes in words only, under conditions of our own
# close to Experiments 3 and 4: a delayed exclusive or, parity, and telling whether a signal came T
# or N steps ago.
LIMITS = """
table task   T   N  q p b s in out w   ogb      igb      bias   h  g  lr  init trials first paper wrong
-     xor    100 -  - - 2 2 2  1   93  r        -3,-6    all    h1 g2 0.5 0.1  10     -     -     -
-     parity 500 -  - - 3 1 1  1   102 -2,-4,-6 -1,-3,-5 hidden h1 g2 0.5 0.1  10     -     -     -
-     count  11  3  - - 3 1 1  1   102 -2,-4,-6 -1,-3,-5 hidden h1 g2 0.5 0.1  10     -     -     -
-     count  100 99 - - 3 1 1  1   102 -2,-4,-6 -1,-3,-5 hidden h1 g2 0.5 0.1  10     -     -     -
"""


class TableRow(NamedTuple):
    """A row of CONDITIONS or LIMITS. What does not apply is None."""

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


def read_rows(text):
    """The rows of CONDITIONS or LIMITS: words to whole numbers, others, tuples, None for "-"."""

    def value(word, column):
        if word == "-":
            return None
        if column == "experiment" or word[0].isalpha():
            return word
        if "," in word:
            return tuple(float(part) for part in word.split(","))
        return float(word) if column in ("lr", "init", "paper_wrong") else int(word)

    lines = (line.split() for line in text.strip().splitlines()[1:])
    return tuple(TableRow(*map(value, words, TableRow._fields)) for words in lines)


TABLE_ROWS, OTHER_ROWS = read_rows(CONDITIONS), read_rows(LIMITS)
EXPERIMENTS = tuple(dict.fromkeys(row.experiment for row in TABLE_ROWS + OTHER_ROWS))
IDENTITY = ("T", "N", "q", "p", "blocks", "lr")  # what tells the rows of an experiment apart
RANGES = {  # (a, b): h in [-a, a], g in [-b, b]
    "text": (1, 2), "table10": (2, 1), "wide": (2, 2), "h4": (4, 1)}
SYMBOLIC = ("1", "2a", "2b", "2c", "6a", "6b")  # every input is one symbol
PREDICTING = ("1", "2a", "2b")  # an error at every step
WITH_CELL_BIAS = ("hidden", "all")  # of the words in the column "bias"
HELD_OUT = ("1", "2a", "2b", "2c", "3a", "3b", "3c")  # stopped by tests; others by what they train
TEST_EVERY = harness.by("experiment", {
    "1": CHUNK, "2a": CHUNK, "2b": CHUNK, "2c": 1000, "3a": 1000, "3b": 1000, "3c": 1000})


def identity(row):
    """What tells a row from the others of its experiment: {name: value or None}."""
    values = {name: getattr(row, name) for name in IDENTITY}
    return values if row.experiment == "1" else values | {"blocks": None}


def of_row(name):
    """A default: that of the row of the tables which the settings are."""
    return lambda settings: (identity(settings.row) | {"trials": settings.row.trials})[name]


def twice_the_papers(settings):
    """The default cap: twice the paper's count, in whole chunks."""
    return round_up(2 * settings.row.paper, CHUNK) if settings.row.paper else 100_000


def papers_bias(settings):
    """The default of cell_bias; None where the paper's cells have none."""
    if settings.row.bias not in WITH_CELL_BIAS:
        return None
    return "paper" if settings.cell_sources == "paper" else "none"


def round_up(number, step):
    """The smallest multiple of step that is not below the number."""
    return (number + step - 1) // step * step


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    experiment: str = harness.setting(
        "6a", "experiment of section 5, or task of section 6.1", "task", choices=EXPERIMENTS)
    T: int | None = harness.setting(
        None, "shortest sequence, in steps (3a to 5, xor, parity, count)", "task", kind=int,
        low=10, high=10_000, otherwise=of_row("T"))
    N: int | None = harness.setting(
        None, "elements that carry the class (3a to 3c); steps since the later signal (count)",
        "task", kind=int, low=1, high=10_000, otherwise=of_row("N"))
    q: int | None = harness.setting(
        None, "shortest stretch of distractors (2c)", "task", kind=int, low=1, high=10_000,
        otherwise=of_row("q"))
    p: int | None = harness.setting(
        None, "delay (2a, 2b) or number of distractor symbols (2c)", "task", kind=int,
        low=2, high=100_000, otherwise=of_row("p"))
    blocks: int | None = harness.setting(
        None, "memory cell blocks (1): 4 of size 1 or 3 of size 2", "model", kind=int,
        low=3, high=4, otherwise=of_row("blocks"))
    lr: float | None = harness.setting(
        None, "learning rate alpha", "training", kind=float, low=1e-12, high=1e12,
        otherwise=of_row("lr"))
    update: str = harness.setting(
        "sequence", "weights change at the end of a sequence, or after every step (1, 2a, 2b)",
        "training", choices=("sequence", "step"))
    gradient: str = harness.setting(
        "truncated", "gradient of Appendix A, or the full one", "training",
        choices=("truncated", "full"))
    output_error: str = harness.setting(
        "a17", "error of an output unit: a17 is f'(net)(t - y), plain is t - y, flat-spot is "
        "(f'(net) + c)(t - y)", "reading", choices=("a17", "plain", "flat-spot"))
    flat_spot: float = harness.setting(
        0.1, "that c, Fahlman's constant", "reading", low=0, high=1,
        needs=("output_error", "flat-spot"))
    error_factor: float = harness.setting(
        1.0, "factor on that error; 2 takes A.14 and A.15 at their word", "reading",
        low=1e-6, high=1e6)
    ranges: str = harness.setting(
        "text", "h and g: text is h in [-1, 1] and g in [-2, 2], table10 exchanges them, wide is "
        "both in [-2, 2], h4 is h in [-4, 4] and g in [-1, 1]", "reading", choices=tuple(RANGES))
    errors_at: str = harness.setting(
        "all", "errors at all steps, at the end only, or for the outputs x and y at the last step "
        "only", "reading", choices=("all", "end", "xy-end"), needs=("experiment", ("2a", "2b")))
    carry_derivatives: bool = harness.setting(
        False, "the running derivatives of the states go on from string to string (1 with "
        "--update step)", "reading")
    gate_start: float = harness.setting(
        0.0, "gate activations before the first step", "reading", low=0, high=1)
    bias_scale: float = harness.setting(
        1.0, "factor on the starts of the gate biases", "reading", low=0, high=100)
    init_scale: float = harness.setting(
        1.0, "factor on the interval of the initial weights", "reading", low=0, high=100)
    output_gates: str = harness.setting(
        "paper", "none: every output gate stays open", "reading", choices=("paper", "none"))
    recurrent: str = harness.setting(
        "paper", "weights between hidden units: zero lets them start at 0, none takes them away",
        "reading", choices=("paper", "zero", "none"))
    cell_sources: str = harness.setting(
        "paper", "hidden units whose weights lead to the cells: all of them, the cells alone (no "
        "gates), or none (inputs alone); the gates keep all sources", "reading",
        choices=("paper", "cells", "inputs"))
    cell_bias: str | None = harness.setting(
        None, "bias of the cells where the paper has one (default: paper's with all of its "
        "sources, else none)", "reading", kind=str, choices=("paper", "none"),
        otherwise=papers_bias)
    cell_rate: float = harness.setting(
        1.0, "factor on the learning rate of weights to the cells; 0 leaves them as they start",
        "reading", low=0, high=1000)
    cell_rate_of: str = harness.setting(
        "all", "which: all those from hidden units and the bias, those from constant sources "
        "(gates and bias), or those from the bias", "reading", choices=("all", "constant", "bias"))
    tolerance: float = harness.setting(
        0.0, "an output's error counts as 0 while |t - y| is below this", "reading", low=0, high=1)
    stop_set: str = harness.setting(
        "kept", "the 256 sequences that stop a trial are the same every time, or fresh ones at "
        "each test", "reading", choices=("kept", "fresh"), needs=("experiment", ("3a", "3b", "3c")))
    add_cell_when: int | None = harness.setting(
        None, "training sequences after which memory cell and input gate are added (default: when "
        "the mean error of 100 sequences is not below that of the 100 before)", "reading",
        kind=int, low=0, high=10**9, needs=("experiment", ("2a", "2b")))
    test_every: int | None = harness.setting(
        None, "training sequences between tests of the stopping criterion", "training", kind=int,
        low=CHUNK, high=10**9, otherwise=TEST_EVERY)
    trials: int | None = harness.setting(
        None, "trials (default: the paper's number)", "training", kind=int, low=1, high=1000,
        otherwise=of_row("trials"))
    seed: int = harness.setting(
        0, "seed of the first trial; the others follow", "training", low=0, high=2**62)
    max_sequences: int | None = harness.setting(
        None, "training sequences after which a trial is given up (default: twice the paper's)",
        "training", kind=int, low=CHUNK, high=10**9, otherwise=twice_the_papers)

    def __post_init__(self):
        """Fills what depends on the row. Raises ValueError for settings that do not go together."""
        harness.fill(self)
        experiment = self.experiment
        for name, value in identity(self.row).items():
            if value is None and getattr(self, name) is not None:
                raise ValueError(f"--{name} has no meaning for experiment {experiment}")
        if self.update == "step" and (experiment not in PREDICTING or self.errors_at == "end"):
            raise ValueError("--update step needs errors at every step: experiments 1, 2a, 2b")
        if self.update == "step" and self.gradient == "full":
            raise ValueError("--update step knows the truncated gradient only")
        if self.carry_derivatives and (experiment != "1" or self.update != "step"):
            raise ValueError("--carry-derivatives needs --experiment 1 --update step")
        if self.errors_at == "end" and experiment == "2a":
            raise ValueError("--errors-at end cannot meet 2a's criterion, which covers every step")
        if self.recurrent != "paper" and experiment in ("2a", "2b"):
            raise ValueError(f"--recurrent has no meaning for experiment {experiment}: "
                             "its net has no recurrence")
        if self.cell_sources != "paper" and (experiment in ("2a", "2b") or self.recurrent == "none"):
            raise ValueError("--cell-sources has no meaning without weights between hidden units")
        if self.cell_bias is not None and self.row.bias not in WITH_CELL_BIAS:
            raise ValueError(f"--cell-bias has no meaning for experiment {experiment}: "
                             "its cells have no bias")
        if self.cell_rate != 1 and not Layout(self).slowed.any():
            raise ValueError("--cell-rate has no meaning: the cells have no such weights")
        if self.cell_rate == 1 and self.cell_rate_of != "all":
            raise ValueError("--cell-rate-of has no meaning without --cell-rate")
        if experiment in ("4", "5", "xor") and self.T < 22:
            raise ValueError(f"experiment {experiment} needs --T 22 or more: "
                             "its marks lie in the first T/2 steps")
        if self.N is not None and self.N >= self.T:
            raise ValueError("--N must be below --T")
        for name in ("test_every", "max_sequences", "add_cell_when"):
            if (getattr(self, name) or 0) % CHUNK:
                raise ValueError(f"{harness.flag_of(name)} must be a multiple of {CHUNK}")
        if self.bytes_needed() > 8e9:
            raise ValueError(f"these settings need about {self.bytes_needed() / 1e9:.0f} GB of "
                             "memory: lower --T, --q, --p or --trials")

    def bytes_needed(self):
        """Memory of a run, roughly. A trial that trains keeps a chunk of sequences, twice, and its
        net's activations; one that is tested LANES of those. In 2a and 2b every step has an output
        for every symbol, in 2c every symbol has its weights."""
        steps, training, testing = steps_of(self), 4 * CHUNK + 100, 70
        by_symbol = self.p or 0
        if self.experiment in ("2a", "2b"):
            training, testing = training + 9 * self.p, testing + 5 * self.p
        return 8 * (self.trials * (steps * training + 40 * by_symbol) + LANES * steps * testing)

    def agreement(self, row):
        """How many of the settings that tell rows apart are the row's, or not given."""
        return sum(getattr(self, name) in (None, getattr(row, name)) for name in IDENTITY)

    @property
    def row(self):
        """The row of the tables these settings are, or that of their experiment that agrees best."""
        rows = [row for row in TABLE_ROWS + OTHER_ROWS if row.experiment == self.experiment]
        return max(rows, key=self.agreement)

    @property
    def in_paper(self):
        """Whether the paper has a row with these settings."""
        return self.row in TABLE_ROWS and self.agreement(self.row) == len(IDENTITY)

    @property
    def named(self):
        """Experiment and what tells its rows apart, for a person."""
        names = IDENTITY if self.experiment == "1" else IDENTITY[:-1]  # with the learning rate or not
        values = {name: getattr(self, name) for name in names}
        given = [f"{name}={value:g}" for name, value in values.items() if value is not None]
        return " ".join([self.experiment, *given])

    @property
    def reading(self):
        """What departs from the text's literal reading, for a person; "literal" if nothing does."""
        apart = ("trials", "seed", "max_sequences", "test_every", "lr")
        changed = []
        for field in dataclasses.fields(self):
            value, group = getattr(self, field.name), field.metadata["group"]
            default = papers_bias(self) if field.name == "cell_bias" else field.default
            if group in ("training", "reading") and field.name not in apart and value != default:
                word = field.name.replace("_", "-")
                changed.append(word if value is True else f"{word} {value}")
        if self.lr != self.row.lr:
            changed.append(f"lr {self.lr:g}")
        if self.test_every != TEST_EVERY(self):
            changed.append(f"test-every {self.test_every}")
        return ", ".join(changed) or "literal"


@dataclasses.dataclass(frozen=True)
class Options(harness.FileOptions):
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    checkpoint_every: int = harness.setting(
        180, "seconds between checkpoints", "output", low=0, high=10**6)


# --------------------------------------------------------------------------------------------------
# Tasks
# --------------------------------------------------------------------------------------------------

# --- shared: streams ---
def streams(seed):
    """The four independent random streams of a seed: init, train, eval, display. Returns a dict of
    Generators."""
    children = np.random.SeedSequence(seed).spawn(4)
    names = ("init", "train", "eval", "display")
    return {name: np.random.Generator(np.random.PCG64(child))
            for name, child in zip(names, children)}
# --- end shared ---


class Sequences(NamedTuple):
    """n sequences of up to T steps. Symbols and targets of steps after the end mean nothing."""

    x: np.ndarray  # (n, T) symbols, whole numbers; or (n, T, n_in) values
    end: np.ndarray  # (n,) the last step
    target: np.ndarray  # (n, K) at the end; or (n, T) the next symbol, for errors at every step
    truth: np.ndarray | None = None  # (n, K) target without its noise (3c)


def one_hot(symbols, n):
    """Local representation: (..., n) with a 1 at each symbol."""
    return (np.asarray(symbols)[..., None] == np.arange(n)).astype(float)


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


REBER_SYMBOLS = "BTSXPVE"
REBER_GRAPH = (  # Figure 3: from each node, symbol and next node; node 6 ends with E
    (("B", 1),), (("T", 2), ("P", 3)), (("S", 2), ("X", 4)), (("T", 3), ("V", 5)),
    (("X", 3), ("S", 6)), (("P", 4), ("V", 6)), (("E", None),))
REBER_STEPS = 64  # longer strings (fewer than one in 10^9) are drawn again


def reber_string(rng):
    """A string of the embedded Reber grammar (Figures 3 and 4), and for each of its symbols but the
    first the set of symbols that could have stood there, as strings."""
    outer = "TP"[rng.integers(2)]
    string, possible, node = "B" + outer, ["TP"], 0
    while node is not None:
        edges = REBER_GRAPH[node]
        symbol, following = edges[rng.integers(len(edges))] if len(edges) > 1 else edges[0]
        possible.append("".join(edge[0] for edge in edges))
        string, node = string + symbol, following
    return string + outer + "E", [*possible, outer, "E"]


def picked(rng, n, training):
    """1: n strings of the embedded Reber grammar, picked randomly from the training set. Every next
    symbol is a target. Symbols: B, T, S, X, P, V, E are 0 to 6."""
    chosen = rng.integers(0, len(training.end), n)
    return Sequences(training.x[chosen], training.end[chosen], training.target[chosen])


def reber_sets(seed):
    """The 256 training and 256 test strings of a trial: ten trials in a row share a pair of sets
    (seeds 0-9, 10-19)."""
    return numbered_reber_sets(seed // 10)


@functools.cache
def numbered_reber_sets(number):
    """Returns two Sequences, training and test; no test string is a training string. truth (n, T,
    7) holds 1 where a symbol is possible next."""
    rng, strings, seen = streams(number)["eval"], [], set()
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
    halves = slice(256), slice(256, 512)
    return tuple(Sequences(x[half], end[half], target[half], truth[half]) for half in halves)


def long_lag(rng, n, p, shuffled, at_end):
    """2a: (y, a_1 ... a_{p-1}, y) or (x, a_1 ... a_{p-1}, x); 2b: p - 1 random a_i. Every next
    symbol is a target.

    Symbols: a_i is i - 1, x is p - 1, y is p. at_end: the last symbol is the only target.
    """
    x = np.empty((n, p), int)
    x[:, 0] = rng.integers(p - 1, p + 1, n)
    x[:, 1:] = rng.integers(0, p - 1, (n, p - 1)) if shuffled else np.arange(p - 1)
    target = one_hot(x[:, 0], p + 1) if at_end else np.concatenate([x[:, 1:], x[:, :1]], axis=1)
    return Sequences(x, np.full(n, p - 1), target)


SUFFIX = 300  # most further distractors in 2c: more have a probability of 0.9^301 = 2e-14


def very_long_lag(rng, n, q, p):
    """2c: (b, y, q + k distractors, e) then y, or the same with x; k has probability 0.9^k / 10.

    Symbols: the distractors are 0 ... p - 1, then e, b, x, y. Target: (1, 0) for x, (0, 1) for y.
    """
    e, b, x_symbol = p, p + 1, p + 2
    x = rng.integers(0, p, (n, q + 3 + SUFFIX))
    which = rng.integers(0, 2, n)
    end = q + 2 + np.minimum(rng.geometric(0.1, n) - 1, SUFFIX)
    x[:, 0], x[:, 1], x[np.arange(n), end] = b, x_symbol + which, e
    return Sequences(x, end, one_hot(which, 2))


NOISE = math.sqrt(0.2)  # "variance 0.2"


def two_sequences(rng, n, T, N, variant):
    """3a: class 1 starts with N elements 1.0, class 2 with N elements -1.0, the rest is N(0, 0.2).
    3b: the noise covers those, too. 3c: as 3a, with targets 0.2 and 0.8, and N(0, 0.1) on them;
    truth is the target without it."""
    x = rng.normal(0, NOISE, (n, T + T // 10, 1))
    end = rng.integers(T, T + T // 10 + 1, n) - 1
    first = rng.integers(0, 2, n) == 0  # class 1
    signal = np.where(first, 1.0, -1.0)[:, None, None]
    x[:, :N] = x[:, :N] + signal if variant == "3b" else signal
    truth = np.where(first, 0.2, 0.8) if variant == "3c" else np.where(first, 1.0, 0.0)
    noise = rng.normal(0, math.sqrt(0.1), n) if variant == "3c" else 0
    return Sequences(x, end, (truth + noise)[:, None], truth[:, None])


def marked_pairs(rng, n, T, multiply):
    """4: two values from U(-1, 1) are marked, the target is 0.5 + (X1 + X2) / 4; 5: U(0, 1), X1 X2.

    One of the first 10 pairs is marked by 1, then one of the first T/2 - 1 still unmarked ones. The
    first and the last pair carry -1; a first one that is marked has 1 and the value 0 (4) or 1 (5).
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
    """6a, 6b: E, noise from {a, b, c, d} with an X or Y in each window, B; 100 to 110 symbols.

    Symbols: E, B, a, b, c, d, X, Y. windows: first and last position of an X or Y, from 1. Target:
    the class, X ... X first and Y ... Y last.
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
    """As Experiment 4, but the two marked values are 1 or -1; target 1 if they differ, else 0."""
    x, end, _, _ = marked_pairs(rng, n, T, multiply=False)
    values = rng.choice([-1.0, 1.0], (n, 2))
    x[x[:, :, 1] == 1, 0] = values.ravel()
    return Sequences(x, end, (values[:, :1] != values[:, 1:]).astype(float))


def parity(rng, n, T):
    """T to T + T/10 elements 1 or -1; target 1 if the number of 1s is odd, else 0."""
    x = rng.choice([-1.0, 1.0], (n, T + T // 10, 1))
    end = rng.integers(T, T + T // 10 + 1, n) - 1
    ones = np.cumsum(x[:, :, 0] == 1, axis=1)[np.arange(n), end]
    return Sequences(x, end, (ones % 2)[:, None].astype(float))


def signal_ago(rng, n, T, N):
    """A single 1 among zeros, T - 1 steps before the end (target 1) or N - 1 (target 0).

    The sequence is T to T + T/10 steps long, so that the position of the 1 alone does not tell.
    """
    x = np.zeros((n, T + T // 10, 1))
    end = rng.integers(T, T + T // 10 + 1, n) - 1
    early = rng.integers(0, 2, n) == 1
    x[np.arange(n), end + 1 - np.where(early, T, N), 0] = 1
    return Sequences(x, end, early[:, None].astype(float))


# --------------------------------------------------------------------------------------------------
# Criteria
# --------------------------------------------------------------------------------------------------

TOLERANCE = {
    "2a": 0.25, "2b": 0.25, "2c": 0.2, "3a": 0.2, "3b": 0.2, "3c": 0.1, "4": 0.04, "5": 0.04,
    "6a": 0.3, "6b": 0.3, "xor": 0.3, "parity": 0.3, "count": 0.3}


def wrong_sequences(experiment, error):
    """Which sequences are wrong: some output's absolute error (..., K) is not below the
    experiment's tolerance. In 3c a sequence is wrong when the error is above it."""
    largest = error.max(-1)
    return largest > TOLERANCE["3c"] if experiment == "3c" else ~(largest < TOLERANCE[experiment])


def wrong_strings(y, possible, end):
    """Which Reber strings are wrong: at some step an impossible symbol's output is not below all
    possible ones'. y, possible: (n, T, 7); end: (n,)."""
    least = np.where(possible > 0, y, np.inf).min(-1)
    most = np.where(possible > 0, -np.inf, y).max(-1)
    return ((least <= most) & (np.arange(y.shape[1]) <= end[:, None])).any(1)


def window_limit(experiment, stops):
    """Most wrong ones allowed among the last 2000 training sequences of a trial that has stopped
    some times; -1: not this experiment's criterion. 5 stops below 140 and then below 13."""
    if experiment == "5":
        return 139 if stops == 0 else 12
    return -1 if experiment in HELD_OUT else 0


def window_reached(experiment, mean_error):
    """Whether the last 2000 sequences' mean absolute error is low enough; 5 does not ask for it."""
    return mean_error < {"4": 0.01, "5": np.inf}.get(experiment, 0.1)


def held_out_reached(experiment, stops, wrong, mean_error):
    """Experiment 3 on its 256 test sequences. ST1: none is wrong (3b: fewer than 6); ST2: also a
    mean absolute error below 0.01 (3b: 0.04). 3c has one criterion: none wrong and a mean absolute
    error below 0.015."""
    few = wrong < 6 if experiment == "3b" else wrong == 0
    bound = {"3a": 0.01, "3b": 0.04, "3c": 0.015}[experiment]
    return bool(few and (mean_error < bound or (experiment != "3c" and stops == 0)))


def stops_in(experiment):
    """How often a trial stops: twice in 3a and 3b (ST1, ST2) and in 5 (140, 13), else once."""
    return 2 if experiment in ("3a", "3b", "5") else 1


# --------------------------------------------------------------------------------------------------
# Model: units and weights
# --------------------------------------------------------------------------------------------------

class Layout:
    """Units and weights of a net, by its Settings. Weights are a vector of `size` numbers; `exists` marks real ones.

    Hidden units: cells (unit v of block j is cell v b + j), then the input gates, then the output
    gates. Their sources: the hidden units a step earlier, the inputs, the bias.
    """

    def __init__(self, settings):
        row = settings.row
        self.blocks, self.block_size, self.bias = row.blocks, row.size, row.bias
        self.steps = steps_of(settings)
        self.inputs = row.n_in
        if settings.p:
            self.inputs = settings.p + (4 if row.experiment == "2c" else 1)
        self.symbolic = row.experiment in SYMBOLIC
        self.gather = row.experiment == "2c"  # input weights by symbol: no product with the zeros
        self.every_step = row.experiment in PREDICTING and settings.errors_at != "end"
        self.xy_at_end = settings.errors_at == "xy-end"
        self.layered = row.experiment in ("2a", "2b")  # no recurrence, and outputs see the inputs
        self.outputs = self.inputs if self.layered else row.n_out
        self.output_gates = row.output_gate_bias != "no" and settings.output_gates == "paper"
        self.recurrent = not self.layered and settings.recurrent != "none"
        self.cell_sources, self.cell_bias = settings.cell_sources, settings.cell_bias
        self.identity_h = row.h == "id"
        self.cells = self.blocks * self.block_size
        self.hidden = self.blocks * (self.block_size + 2)
        self.sources = self.hidden + (0 if self.gather else self.inputs) + 1
        self.parts = (  # shapes of W, W_x, W_out and V
            (self.hidden, self.sources), (self.inputs if self.gather else 0, self.hidden),
            (self.outputs, self.cells + 1), (self.inputs if self.layered else 0, self.outputs))
        self.ends = np.cumsum([math.prod(part) for part in self.parts])
        self.size = int(self.ends[-1])
        self.exists = self.existing()
        self.weights = int(self.exists.sum())
        self.cell_rate_of = settings.cell_rate_of
        self.slowed = self.to_the_cells() & self.exists
        as_in_paper = settings.output_gates == "paper" and settings.recurrent != "none"
        if settings.in_paper and as_in_paper:
            assert self.weights == row.weights - weights_left_out(settings), (
                f"{self.weights} weights, the paper has {row.weights}")

    @property
    def key(self):
        """Equal for layouts whose nets can train in one lockstep."""
        return (self.blocks, self.block_size, self.bias, self.steps, self.inputs, self.outputs,
                self.symbolic, self.gather, self.every_step, self.xy_at_end, self.layered,
                self.output_gates, self.recurrent, self.identity_h, self.cell_sources,
                self.cell_bias, self.cell_rate_of)

    def split(self, theta):
        """Views of weight vectors (R, size): W (R, hidden, sources), W_x (R, n_in, hidden) of gathered
        inputs, W_out (R, K, cells + 1) with the bias last, V (R, n_in, K) from inputs to outputs."""
        pieces = np.split(theta, self.ends[:-1], axis=1)
        return [piece.reshape(len(theta), *part) for piece, part in zip(pieces, self.parts)]

    def existing(self):
        """Which weights exist. (size,)"""
        exists = np.ones((1, self.size), bool)
        W, _, W_out, _ = self.split(exists)
        cells, hidden = self.cells, self.hidden
        W[:, :cells, -1] = self.cell_bias == "paper"
        W[:, cells:, -1] = self.bias != "none"
        W_out[:, :, -1] = self.bias == "all"
        if not self.recurrent:
            W[:, :, :hidden] = False
        if self.cell_sources != "paper":
            W[:, :cells, cells if self.cell_sources == "cells" else 0 : hidden] = False
        if not self.output_gates:
            W[:, hidden - self.blocks :] = False
            W[:, :, hidden - self.blocks : hidden] = False
        return exists[0]

    def to_the_cells(self):
        """Which weights cell_rate concerns: those to the cells from hidden units and the bias,
        from gates and the bias, or from the bias. (size,)"""
        chosen = np.zeros((1, self.size), bool)
        W = self.split(chosen)[0]
        first = {"all": 0, "constant": self.cells, "bias": self.hidden}[self.cell_rate_of]
        W[:, : self.cells, first : self.hidden] = W[:, : self.cells, -1] = True
        return chosen[0]

    def tensors(self, theta):
        """Named weights of a vector (size,), those that exist, by the units they lead to."""
        part = np.zeros((1, self.size), int)
        W, W_x, W_out, V = self.split(part)
        units = np.repeat([0, 1, 2], [self.cells, self.blocks, self.blocks])
        W[:], W_x[:], W_out[:], V[:] = units[:, None], units, 3, 4
        names = ("cells", "input gates", "output gates", "outputs", "inputs to outputs")
        chosen = {name: self.exists & (part[0] == k) for k, name in enumerate(names)}
        return {name: theta[mask] for name, mask in chosen.items() if mask.any()}


def weights_left_out(settings):
    """How many of the paper's weights a reading's cells do without, by cell_sources and
    cell_bias."""
    row = settings.row
    cells, gates = row.blocks * row.size, 2 * row.blocks
    of_a_cell = {"paper": 0, "cells": gates, "inputs": gates + cells}[settings.cell_sources]
    return cells * (of_a_cell + (settings.cell_bias == "none"))


def initial_weights(settings, layout, rng):
    """The start of a trial: uniform in [-init, init] times init_scale, gate biases as in CONDITIONS
    times bias_scale, recurrent weights of 0 if the reading says so. (size,)"""
    row, theta = settings.row, np.zeros((1, layout.size))
    limit = row.init * settings.init_scale
    theta[0, layout.exists] = rng.uniform(-limit, limit, layout.weights)
    W = layout.split(theta)[0]
    if settings.recurrent == "zero":
        W[:, :, : layout.hidden] = 0
    first_in, first_out = layout.cells, layout.cells + layout.blocks
    if isinstance(row.input_gate_bias, tuple):
        biases = np.array(row.input_gate_bias) * settings.bias_scale
        W[0, first_in:first_out, -1] = biases
    if isinstance(row.output_gate_bias, tuple) and layout.output_gates:
        biases = np.array(row.output_gate_bias) * settings.bias_scale
        W[0, first_out:, -1] = biases
    return theta[0]


class LaneSettings(NamedTuple):
    """What the trials of one lockstep may differ in: a value for each lane, (R,)."""

    h_range: np.ndarray  # h in [-h_range, h_range]
    g_range: np.ndarray
    gate_start: np.ndarray
    slope_weight: np.ndarray  # output error: factor (slope_weight f'(net) + offset) (t - y)
    slope_offset: np.ndarray
    factor: np.ndarray
    tolerance: np.ndarray  # |t - y| below which an error counts as 0
    lr: np.ndarray
    cell_rate: np.ndarray  # factor on lr of the weights that Layout.slowed marks

    @classmethod
    def of(cls, several):
        """Those of some lanes' settings."""
        values = []
        for settings in several:
            slopes = {"a17": (1, 0), "plain": (0, 1), "flat-spot": (1, settings.flat_spot)}
            values.append((
                *RANGES[settings.ranges], settings.gate_start, *slopes[settings.output_error],
                settings.error_factor, settings.tolerance, settings.lr, settings.cell_rate))
        return cls(*np.array(values, float).T)

    def of_lane(self, lane):
        """Those of one lane, numbers instead of arrays."""
        return LaneSettings(*(float(values[lane]) for values in self))


# --------------------------------------------------------------------------------------------------
# Model: the algorithm as the appendix writes it
# --------------------------------------------------------------------------------------------------

def logistic(net):
    """f of A.1."""
    return 1 / (1 + math.exp(-net))


def squashing(layout, reading):
    """h, h', g and g' (A.2 and A.3 in the text's ranges), functions of a number."""
    f, h_range, g_range = logistic, reading.h_range, reading.g_range
    if layout.identity_h:
        return lambda s: s, lambda s: 1.0, f, lambda net: f(net) * (1 - f(net))
    return (
        lambda s: h_range * (2 * f(s) - 1), lambda s: 2 * h_range * f(s) * (1 - f(s)),
        lambda net: g_range * (2 * f(net) - 1), lambda net: 2 * g_range * f(net) * (1 - f(net)))


def appendix(layout, theta, reading, x, target, end, every_step, derivatives=None):
    """Appendix A in forward mode, unit by unit, for one trial: slow, short, and the reference of
    the gradient check.

    theta: (size,), changed in place if every_step; reading: LaneSettings of the trial, numbers;
    x: (T,) symbols or (T, n_in); target: (T, K), NaN where there is no error; derivatives: of the
    states, to go on from, changed in place. Returns the change of the weights, summed over the
    sequence.
    """
    h, h_slope, g, g_slope = squashing(layout, reading)
    blocks, C, total = layout.blocks, layout.cells, np.zeros(layout.size)
    W, W_x, W_out, V = (part[0] for part in layout.split(theta[None]))
    alpha = reading.lr * np.where(layout.slowed, reading.cell_rate, 1)
    s, y_hidden = np.zeros(C), np.zeros(layout.hidden)
    y_hidden[C:] = reading.gate_start
    if derivatives is None:
        derivatives = np.zeros((2, C, layout.sources + layout.inputs))
    ds_cell, ds_in = derivatives  # ds_c / dw_cm; ds_c / dw_inm of the input gate of c's block
    for t in range(end + 1):
        inputs = one_hot(x[t], layout.inputs) if layout.symbolic else x[t]
        y_m = np.concatenate([y_hidden, [] if layout.gather else inputs, [1.0]])
        net = W @ y_m + (W_x.T @ inputs if layout.gather else 0)
        y_m = np.concatenate([y_m, inputs])  # the last ones matter for gathered inputs only
        y_in = [logistic(net[C + j]) for j in range(blocks)]  # A.5
        y_out = [1.0] * blocks
        if layout.output_gates:
            y_out = [logistic(net[C + blocks + j]) for j in range(blocks)]  # A.6
        for c in range(C):
            j = c % blocks
            s[c] += y_in[j] * g(net[c])  # A.7
            y_hidden[c] = y_out[j] * h(s[c])  # A.7
            ds_in[c] += g(net[c]) * y_in[j] * (1 - y_in[j]) * y_m  # A.23
            ds_cell[c] += g_slope(net[c]) * y_in[j] * y_m  # A.25
        y_hidden[C:] = [*y_in, *y_out]
        if np.isnan(target[t]).all():
            continue
        net_k = W_out @ [*y_hidden[:C], 1.0] + (V.T @ inputs if layout.layered else 0)
        y_k = np.array([logistic(net) for net in net_k])
        slope = reading.slope_weight * y_k * (1 - y_k) + reading.slope_offset
        e = np.nan_to_num(reading.factor * slope * (target[t] - y_k))  # A.17
        e[abs(target[t] - y_k) < reading.tolerance] = 0
        change = alpha * appendix_change(
            layout, e, W_out, s, ds_cell, ds_in, y_hidden, y_m, inputs, h, h_slope)
        total += change
        if every_step:
            theta += change
    return total


def appendix_change(layout, e, W_out, s, ds_cell, ds_in, y_hidden, y_m, inputs, h, h_slope):
    """What step t adds to the change of every weight, over alpha (A.19 to A.26). (size,)"""
    change, C, blocks = np.zeros(layout.size), layout.cells, layout.blocks
    dW, dW_x, dW_out, dV = (part[0] for part in layout.split(change[None]))
    hidden = np.zeros((layout.hidden, len(y_m)))
    for c in range(C):
        j = c % blocks
        y_out = y_hidden[C + blocks + j]
        back = W_out[:, c] @ e
        e_s = y_out * h_slope(s[c]) * back  # A.21
        hidden[c] += e_s * ds_cell[c]  # A.26
        hidden[C + j] += e_s * ds_in[c]  # A.24, summed over the cells of the block
        hidden[C + blocks + j] += y_out * (1 - y_out) * h(s[c]) * back * y_m  # A.19, A.20
    dW[:] = hidden[:, : layout.sources]
    dW_x[:] = hidden[:, layout.sources :].T if layout.gather else 0
    dW_out[:] = np.outer(e, [*y_hidden[:C], 1.0])  # A.20
    dV[:] = np.outer(inputs, e) if layout.layered else 0
    return change * layout.exists


# --------------------------------------------------------------------------------------------------
# Model: the same for many trials in lockstep
# --------------------------------------------------------------------------------------------------

class Net:
    """R nets in lockstep, each with its own weights; or one net on R sequences, if lanes is given.
    Read `appendix` first; this is the same, R trials at once.

    At step t, with y(t) the hidden activations, x(t) the inputs and j the block of cell c (A.1 to
    A.7; as section 5 says, hidden units see the current input, outputs the current cells):

        net(t) = W [y(t-1); x(t); 1]                      of cells, input gates and output gates
        s_c(t) = s_c(t-1) + y_in_j(t) g(net_c(t))         internal state, s_c = 0 at the start
        y_c(t) = y_out_j(t) h(s_c(t))                     output of the cell
        y_k(t) = f(W_out [y_c(t); 1])                     output unit; in 2a and 2b plus V x(t)

    Every sigmoid is a scaled and shifted tanh of half its net input. Inside, every cell holds its
    own copy of its gates, so that a step is a few calls on arrays of equal shape. The sources of
    step t are S[t] = [y_c; y_in; y_out; x; 1]; y_c stands there without the range of h, which is
    folded into the weights. The state is kept as s / 2, because h(s) = range tanh(s / 2).
    """

    def __init__(self, layout, theta, lane_settings, lanes=None):
        R, C, dtype = lanes or len(theta), layout.cells, theta.dtype
        self.layout, self.lane_settings = layout, lane_settings
        self.shared, self.lane = lanes is not None, np.arange(R)
        self.theta, self.delta = theta, np.zeros((len(theta), layout.size))
        self.W, self.W_x, self.W_out, self.V = layout.split(theta)
        self.dW, self.dW_x, self.dW_out, self.dV = layout.split(self.delta)  # changes over alpha
        slow = lane_settings.cell_rate[:, None]
        self.alpha = lane_settings.lr[:, None] * np.where(layout.slowed, slow, 1)  # (R, size)
        gate, others = np.arange(layout.blocks), np.arange(layout.sources - layout.hidden)
        gates = [np.tile(first + gate, layout.block_size) for first in (C, C + layout.blocks)]
        self.unit_of_row = np.concatenate([np.arange(C), *gates])  # (3C,) of a row of W_rows
        self.source_columns = np.concatenate(  # (sources,) where each source stands in S
            [np.arange(C), C + gate, 2 * C + gate, 3 * C + others])
        self.set_ranges(R)

        # The changes of the weights are summed in stretches, whatever the longest sequence.
        self.stretch = min(layout.steps, 128)
        slots, columns = round_up(layout.steps, self.stretch), 3 * C + len(others)
        self.W_rows = np.zeros((len(theta), 3 * C, columns), dtype)
        self.S = np.zeros((slots + 1, columns, R), dtype)
        self.S[0, C : 3 * C] = lane_settings.gate_start
        self.S[:, -1] = 1
        self.a = np.zeros((slots, 3 * C, R), dtype)  # tanh(net / 2)
        self.half_state = np.zeros((slots + 1, C, R), dtype)  # s / 2; [t] is before step t
        self.h = np.zeros((slots, C, R), dtype)  # h(s) over its range
        self.net_x = np.zeros((slots, 3 * C, R), dtype) if layout.gather else [None] * slots
        self.entering = np.zeros((slots, C, R), dtype)  # y_in g / 2, what a step adds to half_state
        self.to_cell, self.to_gate = np.zeros((2, slots, C, R))
        self.local = np.zeros((slots, 3 * C, R))  # e_l(t)
        S, a, y = self.S, self.a, self.S[1:, : 3 * C]
        if not self.shared:
            S, a = S.transpose(0, 2, 1), a.transpose(0, 2, 1)
        self.views = list(zip(  # of every step, sliced once
            S, a, self.a, self.net_x, y, y[:, :C], y[:, C : 2 * C], y[:, 2 * C :],
            self.half_state, self.half_state[1:], self.entering, self.h))

    def set_ranges(self, R):
        """Scales and shifts that make y = [g / 2; y_in; y_out] of tanh(net / 2), and the factors
        that fold the range of h and the half of the net input into the weights."""
        layout, readings, one = self.layout, self.lane_settings, np.ones(R)
        self.h_range = one * (2 if layout.identity_h else readings.h_range)  # h(s) = s = 2 (s / 2)
        g_scale, g_shift = (0.25, 0.25) if layout.identity_h else (readings.g_range / 2, 0)
        out_scale, out_shift = (0.5, 0.5) if layout.output_gates else (0, 1)
        C = layout.cells
        self.scale = np.repeat([one * g_scale, one * 0.5, one * out_scale], C, axis=0)  # (3C, R)
        self.shift = np.repeat([one * g_shift, one * 0.5, one * out_shift], C, axis=0)
        self.fold = np.full((len(self.theta), 1, layout.sources), 0.5)
        self.fold[:, 0, :C] *= self.h_range[: len(self.theta), None]

    def add_cells(self, present):
        """2a, 2b: a cell that is not there yet has its output held at 0. present: (R,)."""
        self.shift[2 * self.layout.cells :] = present

    def load(self, x):
        """Puts symbols (T, R) or values (T, n_in, R) into the sources."""
        layout, T = self.layout, len(x)
        if layout.gather:
            net_x = self.W_x[0 if self.shared else self.lane, x]  # (T, R, hidden)
            rows = net_x.transpose(0, 2, 1)[:, self.unit_of_row]  # (T, 3C, R)
            np.multiply(rows, 0.5, out=self.net_x[:T])
        elif layout.symbolic:
            inputs = self.S[:T, 3 * layout.cells : -1]
            inputs[:] = 0
            inputs[np.arange(T)[:, None], x, self.lane] = 1
        else:
            self.S[:T, 3 * layout.cells : -1] = x
        self.x = x

    def fold_weights(self):
        """The weights as the loop uses them: a row for every copy of a gate, times fold."""
        self.W_rows[:, :, self.source_columns] = (self.W * self.fold)[:, self.unit_of_row]

    def run(self, first, last):
        """Steps first ... last - 1 of the loaded sequences."""
        product, W = (np.matmul, self.W_rows[0]) if self.shared else (np.matvec, self.W_rows)
        h_of = np.positive if self.layout.identity_h else np.tanh
        scale, shift, tanh, multiply, add = self.scale, self.shift, np.tanh, np.multiply, np.add
        for S, net, a, net_x, y, y_c, y_in, y_out, before, half_state, entering, h in (
                self.views[first:last]):
            product(W, S, net)  # net(t) / 2 = W [y(t-1); x(t); 1] / 2
            if net_x is not None:
                add(a, net_x, a)
            tanh(a, a)  # a and net are the same memory
            add(multiply(a, scale, y), shift, y)  # g(net_c) / 2; y_in = f(net_in); y_out (A.5, A.6)
            multiply(y_c, y_in, entering)
            add(before, entering, half_state)  # s_c(t) = s_c(t-1) + y_in g(net_c), halved (A.7)
            h_of(half_state, h)
            multiply(y_out, h, y_c)  # y_c(t) = y_out h(s_c(t)), over the range of h (A.7)

    def run_at_once(self, last):
        """Steps 0 ... last - 1 at once, where net(t) depends on the symbol alone."""
        C, y, a = self.layout.cells, self.S[1 : last + 1], self.a[:last]
        entering, h = self.entering[:last], self.h[:last]
        np.tanh(self.net_x[:last], out=a)
        np.multiply(a, self.scale, out=y[:, : 3 * C])
        y[:, : 3 * C] += self.shift  # A.5, A.6
        np.multiply(y[:, :C], y[:, C : 2 * C], out=entering)
        np.cumsum(entering, axis=0, out=self.half_state[1 : last + 1])  # A.7
        np.tanh(self.half_state[1 : last + 1], out=h)
        np.multiply(y[:, 2 * C : 3 * C], h, out=y[:, :C])  # A.7

    def outputs(self, slots):
        """y_k(t) at slots, as in `at`: (T, R, K) or (R, K)."""
        y_c = self.cell_outputs(slots)
        net = np.matvec(self.W_out[..., :-1], y_c) + self.W_out[..., -1]  # W_out [y_c(t); 1]
        if self.layout.layered:
            symbols = self.x[slots] if self.layout.every_step else self.x[slots, self.lane]
            net += self.V[0 if self.shared else self.lane, symbols]
        return 0.5 * np.tanh(0.5 * net) + 0.5  # f(net_k)

    def cell_outputs(self, slots):
        """y_c(t) at slots, as in `at`: (T, R, C) or (R, C)."""
        y_c = self.at(self.S[1:], slots)[..., : self.layout.cells, :]
        return y_c.swapaxes(-1, -2) * self.h_range[:, None]

    def at(self, array, slots):
        """array (steps, units, R) where there are errors: at a slice of steps, (T, units, R); or,
        with errors at the end only, at one step for each lane, (units, R)."""
        return array[slots] if self.layout.every_step else array[slots, :, self.lane].T

    def forward(self, x, end):
        """Outputs for the inputs x: (T, R, K) at every step, or (R, K) at each lane's end."""
        self.load(x)
        self.fold_weights()
        last = int(end.max()) + 1
        if self.layout.gather and not self.layout.recurrent:
            self.run_at_once(last)
        else:
            self.run(0, last)
        return self.outputs(slice(last) if self.layout.every_step else end)

    def backward(self, e, end, full=False):
        """Fills delta with the sum over the sequence of e_l(t) y_m(t-1), by A.19 to A.26 or by the
        full gradient.

        e: the output errors, (T, R, K) at every step, zero after the end; or (R, K) at each lane's
        end.
        """
        layout, slots = self.layout, slice(len(e)) if self.layout.every_step else end
        epsilon = np.vecmat(e, self.W_out[..., :-1]).swapaxes(-1, -2)  # (..., C, R) at y_c
        local_errors = self.local_errors_full if full else self.local_errors
        self.weight_changes(local_errors(epsilon, slots, int(end.max()) + 1))
        y_c = self.cell_outputs(slots)
        if not layout.every_step:
            e, y_c = e[None], y_c[None]
        np.einsum("trk,trc->rkc", e, y_c, out=self.dW_out[..., :-1])  # A.20: e_k(t) y_c(t)
        e.sum(0, out=self.dW_out[..., -1])
        if layout.layered:
            self.dV[:] = 0
            symbols = self.x[slots] if layout.every_step else self.x[slots, self.lane][None]
            np.add.at(self.dV, (self.lane, symbols), e)
        if layout.weights < layout.size:
            self.delta *= layout.exists

    def local_errors(self, epsilon, slots, last):
        """The truncated e_l(t), with which sum over t of e_l(t) y_m(t-1) is the whole change of a
        weight. (T, 3C, R)

        The derivatives of the states, A.23 and A.25, are plain sums over time; so A.24 and A.26 may
        be summed the other way round: what a step puts into the state, times all the errors e_s
        that this state meets from then on.
        """
        C, local = self.layout.cells, self.local[:last]
        h, y_out = self.at(self.h, slots), self.at(self.S[1:], slots)[..., 2 * C : 3 * C, :]
        e_s = epsilon * y_out * self.slope_h(h)  # A.21
        e_out = epsilon * self.h_range * h * y_out * (1 - y_out)  # A.19
        if self.layout.every_step:
            local[:, 2 * C :] = e_out
            met = e_s[::-1].cumsum(0)[::-1]
        else:
            local[:, 2 * C :] = 0
            local[slots, 2 * C :, self.lane] = e_out.T
            met = e_s  # one error, the same for all steps up to the end
        to_cell, to_gate = self.inflow(slice(last))
        np.multiply(to_cell, met * self.scale[:C], out=local[:, :C])  # A.25, A.26
        np.multiply(to_gate, met + met, out=local[:, C : 2 * C])  # A.23, A.24
        if not self.layout.every_step:
            for lane, end in enumerate(slots):
                local[end + 1 :, :, lane] = 0
        return local

    def local_errors_full(self, epsilon, slots, last):
        """The e_l(t) of the full gradient, back through all recurrent connections. (T, 3C, R)"""
        R, C, y, local = len(self.lane), self.layout.cells, self.S[1:], self.local[:last]
        to_cell, to_gate = self.inflow(slice(last))
        arriving = np.zeros((last, C, R))  # dE / dy_c(t) from the outputs, over the range of h
        if self.layout.every_step:
            arriving[:] = epsilon * self.h_range
        else:
            arriving[slots, :, self.lane] = (epsilon * self.h_range).T
        W = 2 * self.W_rows[:, :, : 3 * C]
        back, e_s = np.zeros((3 * C, R)), np.zeros((C, R))
        for t in reversed(range(last)):
            e_c, y_in, y_out = back[:C] + arriving[t], y[t, C : 2 * C], y[t, 2 * C : 3 * C]
            # e_s(t) = e_s(t+1) + e_c y_out h'(s_c)
            e_s += e_c * y_out * self.slope_h(self.h[t]) / self.h_range
            # e_l = e_s y_in g' of a cell; e_s g f' plus f' back of an input gate; f' (back + e_c h)
            local[t, :C] = e_s * self.scale[:C] * to_cell[t]
            local[t, C : 2 * C] = 2 * e_s * to_gate[t] + back[C : 2 * C] * y_in * (1 - y_in)
            local[t, 2 * C :] = (back[2 * C :] + e_c * self.h[t]) * y_out * (1 - y_out)
            back = np.vecmat(local[t].T, W).T  # W^T e(t), at y(t-1)
        return local

    def inflow(self, steps):
        """What A.25 and A.23 add to the derivatives of the states at some steps: ds_c(t) / dnet(t)
        of the cell, over the scale of g, and of its input gate, over 2. Each (T, C, R)."""
        C, to_cell, to_gate = self.layout.cells, self.to_cell[steps], self.to_gate[steps]
        a, y_in = self.a[steps, :C], self.S[1:][steps, C : 2 * C]
        np.multiply(a, a, out=to_cell)
        np.subtract(1, to_cell, out=to_cell)
        np.multiply(to_cell, y_in, out=to_cell)  # y_in g' = y_in (1 - a^2) scale (A.25)
        np.subtract(1, y_in, out=to_gate)
        np.multiply(to_gate, self.entering[steps], out=to_gate)  # g f'_in (A.23)
        return to_cell, to_gate

    def slope_h(self, h):
        """h'(s), from h(s) over its range."""
        return 0.5 * self.h_range * (1 if self.layout.identity_h else 1 - h * h)

    def weight_changes(self, local):
        """Sums local e_l(t) times the sources y_m(t-1) over time, in stretches of equal length: the
        bits of a trial do not depend on its neighbours' longer sequences."""
        steps = round_up(len(local), self.stretch)
        self.local[len(local) : steps] = 0
        e, y = (array[:steps].reshape(-1, self.stretch, *array.shape[1:])
                for array in (self.local, self.S))
        self.collect(np.matmul(e.transpose(3, 0, 2, 1), y.transpose(3, 0, 1, 2)).sum(1))
        if self.layout.gather:
            R, inputs = self.lane.size, self.layout.inputs
            where = (self.lane * inputs + self.x[: len(local)]).ravel()
            for unit in range(self.layout.hidden):
                sums = np.bincount(where, local[:, unit].ravel(), R * inputs)
                self.dW_x[:, :, unit] = sums.reshape(R, -1)

    def collect(self, dW_rows):
        """dW (R, hidden, sources) from the changes (R, 3C, columns) of W_rows."""
        C, b, columns = self.layout.cells, self.layout.blocks, self.source_columns
        self.dW[:, :C] = dW_rows[:, :C, columns]
        self.dW[:, C : C + b] = self.sum_copies(dW_rows[:, C : 2 * C])[:, :, columns]
        self.dW[:, C + b :] = self.sum_copies(dW_rows[:, 2 * C :])[:, :, columns]
        self.dW *= 2 * self.fold

    def sum_copies(self, rows):
        """Sums the rows of a kind of gate over its copies: (R, C, ...) to (R, blocks, ...)."""
        copies = self.layout.block_size, self.layout.blocks
        return rows.reshape(len(rows), *copies, *rows.shape[2:]).sum(1)

    def learn(self, x, target, end, full=False):
        """One sequence for each lane, then one change of the weights. Returns the outputs."""
        y = self.forward(x, end)
        self.backward(self.errors(y, target, end), end, full)
        self.theta += self.alpha * self.delta
        return y

    def errors(self, y, target, end, first=0):
        """Output errors of y: (T, R, K) at steps first, first + 1, ...; or (R, K) at the ends."""
        difference, readings = self.counted(y, target, end, first), self.lane_settings
        weight, offset = readings.slope_weight[:, None], readings.slope_offset[:, None]
        return readings.factor[:, None] * (weight * y * (1 - y) + offset) * difference  # A.17

    def counted(self, y, target, end, first=0):
        """t_k - y_k, zero where it is within the tolerance."""
        difference, tolerance = self.difference(y, target, end, first), self.lane_settings.tolerance
        if tolerance.any():
            difference[abs(difference) < tolerance[:, None]] = 0
        return difference

    def difference(self, y, target, end, first=0):
        """t_k - y_k, zero where there is no error. target: symbols (T, R), or (R, K)."""
        if not self.layout.every_step:
            return target - y
        steps = np.arange(first, first + len(y))[:, None]
        difference = one_hot(target[first : first + len(y)], self.layout.outputs) - y
        difference *= (steps <= end)[:, :, None]
        if self.layout.xy_at_end:
            difference[:, :, -2:] *= (steps == end)[:, :, None]
        return difference

    def absolute_error(self, y, target, end):
        """The mean over the steps of |t_k - y_k|. (R, K)"""
        error = abs(self.difference(y, target, end))
        return error.sum(0) / (end + 1)[:, None] if self.layout.every_step else error

    def learn_every_step(self, x, target, end, running=None):
        """One sequence for each lane with a change of the weights after every step, by the running
        derivatives of the states: memory does not grow with the sequence. Returns the outputs
        (T, R, K).

        running: those derivatives, (R, 2 cells, sources): ds/dw to cells (A.25), then to input
        gates (A.23); given if they go on from the last string, and then left at each lane's end.
        """
        C, R, layout = self.layout.cells, len(self.lane), self.layout
        self.load(x)
        carried = running is not None
        running = running if carried else np.zeros((R, 2 * C, layout.sources))
        outputs = np.zeros((int(end.max()) + 1, R, layout.outputs))
        for t in range(len(outputs)):
            self.fold_weights()
            self.run(t, t + 1)
            outputs[t] = self.outputs(slice(t, t + 1))[0]
            y_m = self.S[t, self.source_columns].T * 2 * self.fold[:, 0]  # (R, sources)
            (to_cell,), (to_gate,) = self.inflow(slice(t, t + 1))
            into = np.concatenate([self.scale[:C] * to_cell, 2 * to_gate])
            if carried:
                into *= t <= end
            running += into.T[:, :, None] * y_m[:, None]  # A.25, A.23
            e = self.errors(outputs[t : t + 1], target, end, first=t)[0]
            self.change_weights(t, e, y_m, running)
        return outputs

    def change_weights(self, t, e, y_m, running):
        """The change after step t with output errors e (R, K); y_m (R, sources)."""
        C, b, dense = self.layout.cells, self.layout.blocks, self.layout.ends[2]
        epsilon = np.vecmat(e, self.W_out[..., :-1]).T
        y_c, y_out, h = self.S[t + 1, :C], self.S[t + 1, 2 * C : 3 * C], self.h[t]
        e_s = epsilon * y_out * self.slope_h(h)  # A.21
        e_out = epsilon * self.h_range * h * y_out * (1 - y_out)  # A.19
        dW = running * np.concatenate([e_s, e_s]).T[:, :, None]
        self.dW[:, :C] = dW[:, :C]  # A.26
        self.dW[:, C : C + b] = self.sum_copies(dW[:, C:])  # A.24
        self.dW[:, C + b :] = self.sum_copies(e_out.T)[:, :, None] * y_m[:, None]  # A.20
        self.dW_out[..., :-1] = e[:, :, None] * (y_c * self.h_range).T[:, None]  # A.20
        self.dW_out[..., -1] = e
        self.delta[:, :dense] *= self.layout.exists[:dense]
        self.theta[:, :dense] += self.alpha[:, :dense] * self.delta[:, :dense]
        if self.layout.layered:
            self.V[self.lane, self.x[t]] += self.lane_settings.lr[:, None] * e


# --------------------------------------------------------------------------------------------------
# Gradient check
# --------------------------------------------------------------------------------------------------

# --- shared: gradient check ---
COMPLEX_TOLERANCE, CENTRAL_TOLERANCE = 1e-10, 1e-5
CENTRAL_STEP = 1e-5


def check_gradient(loss, theta, grad, tensors):
    """Compares grad with two numerical derivatives of loss at every entry of theta, none left out.

    loss: flat vector (real or complex) -> scalar; tensors: flat vector -> dict of named views. The
    complex step imag L(theta + ih) / h, h = 1e-30, is exact to rounding (Squire & Trapp 1998);
    central differences stand beside it. The relative error is |a - n| / (|a| + |n|), where the
    denominator is at least the floor below which a derivative is rounding: 1e-5 of the tensor's
    largest for the complex step (whose sums carry some 1e-16 of that), and the rounding of the loss
    over the step and the tolerance for central differences.

    Returns a row per tensor: name, entries, worst complex error, its index, worst central error,
    whether it passes. A tensor whose gradient is zero throughout does not pass.
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
# --- end shared ---


APPENDIX_TOLERANCE = 1e-9
CHECKS = (  # settings of the checked nets: every kind of net, input, error and reading
    dict(experiment="4", T=30), dict(experiment="6a"),
    dict(experiment="3a", T=30, ranges="table10"),
    dict(experiment="2c", q=20, p=5, ranges="wide"),
    dict(experiment="2c", q=20, p=5, recurrent="none"),
    dict(experiment="1", blocks=3, gate_start=0.5),
    dict(experiment="1", blocks=4, output_gates="none"),
    dict(experiment="2a", p=30), dict(experiment="2b", p=30),
    dict(experiment="2b", p=30, errors_at="xy-end"), dict(experiment="2b", p=30, errors_at="end"),
    dict(experiment="4", T=30, cell_sources="cells"),
    dict(experiment="3b", T=30, cell_sources="inputs", cell_bias="paper", cell_rate=10.0),
    dict(experiment="6a", cell_rate=0.1, cell_rate_of="constant"),
    dict(experiment="1", blocks=3, cell_sources="inputs", tolerance=0.5),
    dict(experiment="1", blocks=4, cell_sources="cells", cell_rate=0.1, tolerance=0.5))


def checked_net(settings, updates, layout=None):
    """Two unsaturated lanes of a net, two sequences for each, and the weights a few updates later.
    layout: Layout(settings), if none is given.

    Returns net, x, target, end of the sequence to check.
    """
    trials = [Trial(settings, seed) for seed in (settings.seed, settings.seed + 1)]
    layout = layout or Layout(settings)
    theta = np.array([trial.start(layout) for trial in trials])
    theta += 0.2 * streams(0)["display"].normal(size=theta.shape) * layout.exists
    net = Net(layout, theta, LaneSettings.of([settings] * 2))
    x, target, end = side_by_side([trial.draw(updates + 1) for trial in trials])
    for k in range(updates):
        net.learn(x[k], target[k], end[k])
    return net, x[-1], target[-1], end[-1]


def targets_of(layout, target, end):
    """Targets of one lane as `appendix` takes them: (steps, K), NaN where there is no error."""
    wanted = np.full((layout.steps, layout.outputs), np.nan)
    if layout.every_step:
        wanted[: end + 1] = one_hot(target[: end + 1], layout.outputs)
        if layout.xy_at_end:
            wanted[:end, -2:] = np.nan
    else:
        wanted[end] = target
    return wanted


def check_truncated(settings, updates, layout=None):
    """Compares the truncated change of the weights of both lanes with the appendix's forward mode,
    at every weight; and where there are errors at every step, the change of the weights by a sequence with
    updates at every step.

    Returns the number of weights and the worst relative error.
    """
    net, x, target, end = checked_net(settings, updates, layout)
    layout, worst = net.layout, 0.0
    net.backward(net.errors(net.forward(x, end), target, end), end)
    start, truncated = net.theta.copy(), net.alpha * net.delta
    if layout.every_step:
        net.learn_every_step(x, target, end)
    for lane in range(2):
        of_lane = target[:, lane] if layout.every_step else target[lane]
        sequence = x[..., lane], targets_of(layout, of_lane, end[lane]), end[lane]
        theta, reading = start[lane].copy(), net.lane_settings.of_lane(lane)
        literal = appendix(layout, theta, reading, *sequence, every_step=False)
        worst = max(worst, worst_error(layout, truncated[lane], literal))
        if layout.every_step:
            appendix(layout, theta, reading, *sequence, every_step=True)
            changes = net.theta[lane] - start[lane], theta - start[lane]
            worst = max(worst, worst_error(layout, *changes))
    return layout.weights, worst


def worst_error(layout, ours, literal):
    """The largest relative error over all weights; entries below 1e-4 of their tensor's largest
    count as that large. Infinite if a tensor does not change at all, or a weight that does not
    exist does."""
    wanted = layout.tensors(literal)
    pairs = [(a, wanted[name]) for name, a in layout.tensors(ours).items()]
    changed = all(abs(a).max() > 0 and abs(b).max() > 0 for a, b in pairs)
    if ours[~layout.exists].any() or not changed:
        return math.inf
    errors = (abs(a - b) / np.maximum(abs(a) + abs(b), 1e-4 * abs(b).max()) for a, b in pairs)
    return max(float(error.max()) for error in errors)


def check_full(settings, updates):
    """check_gradient's rows for the full gradient of both lanes at once."""
    net, x, target, end = checked_net(settings, updates)
    layout = net.layout
    exists = np.tile(layout.exists, 2)
    net.backward(net.errors(net.forward(x, end), target, end), end, full=True)

    def both(weights):
        theta = np.zeros(exists.size, weights.dtype)
        theta[exists] = weights
        return theta.reshape(2, -1)

    nets = {dtype: Net(layout, np.zeros((2, layout.size), dtype), net.lane_settings)
            for dtype in (np.float64, np.complex128)}

    def loss(weights):
        other = nets[weights.dtype.type]
        other.theta[:] = both(weights)
        difference = other.counted(other.forward(x, end), target, end)
        return 0.5 * (difference * difference).sum()

    def tensors(weights):
        lanes = enumerate(layout.tensors(theta) for theta in both(weights))
        return {f"{name}, lane {lane}": part for lane, parts in lanes for name, part in parts.items()}

    return check_gradient(loss, net.theta.ravel()[exists], -net.delta.ravel()[exists], tensors)


def gradcheck_all():
    """Both gradients of every kind of net, at first and after 30 updates. Returns the exit code."""
    passed = True
    for choice in CHECKS:
        settings = Settings(**choice)
        for updates, where in ((0, "random weights"), (30, "trained weights")):
            title = f"{settings.named}, {settings.reading}, {where}"
            weights, worst = check_truncated(settings, updates)
            good = worst <= APPENDIX_TOLERANCE
            passed &= good
            harness.say(f"{title}, truncated: {weights} weights, worst relative error {worst:.1e} "
                        f"(A.17 to A.26 in forward mode): {'ok' if good else 'FAILED'}")
            if settings.experiment not in ("2a", "2b"):  # without recurrence the two are the same
                passed &= harness.report_gradients(f"{title}, full", check_full(settings, updates))
    return 0 if passed else 1


# --------------------------------------------------------------------------------------------------
# Training and evaluation
# --------------------------------------------------------------------------------------------------

class Interrupted(Exception):
    """The run is to stop in the middle of a chunk or a test."""


def go_on():
    """Raises Interrupted once harness.stopped() is true."""
    if harness.stopped():
        raise Interrupted


class Trial:
    """One trial of a row: its streams, what it has reached, and its tests; not its weights."""

    def __init__(self, settings, seed):
        self.settings, self.seed, self.rng = settings, seed, streams(seed)
        self.task = task(settings, seed)
        self.stops = []  # figures at each stop
        waits = settings.experiment in ("2a", "2b") and settings.add_cell_when != 0
        self.added_after = None if waits else 0  # training sequences before the cell was added

    @property
    def complete(self):
        """Whether the trial has stopped for good."""
        return len(self.stops) == stops_in(self.settings.experiment)

    def draw(self, n):
        """The next n training sequences."""
        return self.task(self.rng["train"], n)

    def start(self, layout):
        """The first weights. (size,)"""
        return initial_weights(self.settings, layout, streams(self.seed)["init"])

    def state(self):
        """What a checkpoint keeps of the trial, for JSON."""
        return dict(seed=self.seed, stops=list(self.stops), added_after=self.added_after,
                    stream=self.rng["train"].bit_generator.state)

    def restore(self, state):
        self.stops, self.added_after = list(state["stops"]), state["added_after"]
        self.rng["train"].bit_generator.state = state["stream"]

    def stop_sets(self, count=0):
        """Batches of sequences that decide whether the trial stops after count training
        sequences: the same every time, unless stop_set is fresh."""
        if self.settings.experiment == "1":
            yield from reber_sets(self.seed)
            return
        n = {"2a": LANES, "2b": N_FROZEN, "2c": N_FROZEN}.get(self.settings.experiment, N_STOP)
        rng = streams(self.seed)["eval"].spawn(2)[0]
        if self.settings.stop_set == "fresh":
            kept = rng.bit_generator.seed_seq
            own = np.random.SeedSequence(kept.entropy, spawn_key=(*kept.spawn_key, count))
            rng = np.random.Generator(np.random.PCG64(own))
        for start in range(0, n, LANES):
            yield self.task(rng, min(LANES, n - start))

    def reached(self, net, count):
        """Whether the trial meets its criterion on held-out sequences after count training
        sequences. net: LANES wide."""
        experiment = self.settings.experiment
        if experiment in ("3a", "3b", "3c"):
            figures = [errors(net, batch, experiment) for batch in self.stop_sets(count)]
            wrong = sum(int(wrong_sequences(experiment, error).sum()) for error in figures)
            mean = float(np.concatenate(figures).mean())
            return held_out_reached(experiment, len(self.stops), wrong, mean)
        return not any(wrong_in(net, batch, experiment).any() for batch in self.stop_sets(count))

    def figures(self, net):
        """Test figures on fresh sequences: how many are wrong, and mean errors. net: as above."""
        experiment = self.settings.experiment
        if experiment == "1":
            wrong = sum(int(wrong_in(net, part, experiment).sum()) for part in reber_sets(self.seed))
            return dict(
                wrong=wrong, test_sequences=512, mean_absolute_error=None, mean_squared_error=None)
        rng = streams(self.seed)["eval"].spawn(2)[1]
        batches = (self.task(rng, LANES) for _ in range(N_TEST // LANES))
        error = np.concatenate([errors(net, batch, experiment) for batch in batches])
        return dict(
            wrong=int(wrong_sequences(experiment, error).sum()), test_sequences=N_TEST,
            mean_absolute_error=float(error.mean()),
            mean_squared_error=float((error * error).mean()))


def predictions(net, batch):
    """Outputs of one net for some Sequences: (n, K) at the ends, or (n, T, K) at every step."""
    parts, n = [], len(batch.end)
    for start in range(0, n, LANES):
        go_on()
        chosen = np.minimum(np.arange(start, start + LANES), n - 1)  # the last one fills the lanes
        x, end = np.moveaxis(batch.x[chosen], 0, -1), batch.end[chosen]
        y = net.forward(x, end)
        if net.layout.every_step:
            padded = np.zeros((net.layout.steps, *y.shape[1:]))
            padded[: len(y)] = y
            y = padded.swapaxes(0, 1)
        parts.append(y[: n - start])
    return np.concatenate(parts)


def errors(net, batch, experiment):
    """Absolute errors (n, K) against the targets without noise; in 2a the largest over the steps."""
    y = predictions(net, batch)
    if experiment == "2a":
        return abs(y - one_hot(batch.target, y.shape[-1])).max(1)
    if net.layout.every_step:  # 2b: at the end
        number = np.arange(len(batch.end))
        target = one_hot(batch.target[number, batch.end], y.shape[-1])
        return abs(y[number, batch.end] - target)
    return abs(y - (batch.target if batch.truth is None else batch.truth))


def wrong_in(net, batch, experiment):
    """Which sequences of a batch are wrong. (n,)"""
    if experiment == "1":
        return wrong_strings(predictions(net, batch), batch.truth, batch.end)
    return wrong_sequences(experiment, errors(net, batch, experiment))


def side_by_side(batches):
    """The lanes' Sequences: x (n, T[, n_in], R), target (n, R, K) or (n, T, R), end (n, R)."""
    x = np.stack([batch.x for batch in batches], axis=-1)
    whole = batches[0].target.dtype.kind == "i"
    target = np.stack([batch.target for batch in batches], axis=-1 if whole else 1)
    return x, target, np.stack([batch.end for batch in batches], axis=-1)


@dataclasses.dataclass
class Lanes:
    """What a lockstep holds of its trials besides their streams, a lane for each."""

    theta: np.ndarray  # (R, size) weights
    last_error: np.ndarray  # (R,) mean error of the last CHUNK training sequences
    wrong: np.ndarray  # (R,) how many of the last WINDOW training sequences were wrong
    window_wrong: np.ndarray  # (R, WINDOW) which
    window_error: np.ndarray  # (R, WINDOW) and their mean errors
    derivatives: np.ndarray  # (R, 2 cells, sources) of the states, if carried from string to string

    @classmethod
    def at_start(cls, theta, layout, carried):
        R, derivatives = len(theta), 2 * layout.cells if carried else 0
        return cls(
            theta, np.full(R, np.inf), np.zeros(R, int), np.zeros((R, WINDOW), bool),
            np.zeros((R, WINDOW)), np.zeros((R, derivatives, layout.sources)))

    def take(self, lanes):
        """Copies of these lanes."""
        return Lanes(**{name: array[lanes] for name, array in vars(self).items()})


CURVES = ("train_sequences", "trials_running", "median_training_error")


class Lockstep(harness.SideBySide):
    """Trials side by side, of one row or of several whose nets have the same layout.

    Trials that stop leave. One that is left alone has a copy of itself beside it: products of a
    single lane take another path through the linear algebra and would give other bits.
    """

    def __init__(self, rows):
        super().__init__(rows, Trial, " ".join(dict.fromkeys(row.experiment for row in rows)))
        self.history = [{name: [] for name in CURVES} for _ in rows]
        self.layout, self.testers = self.layout_of(rows[0]), {}
        theta = np.array([trial.start(self.layout) for trial in self.two_or_more(self.trials)])
        self.lanes = Lanes.at_start(theta, self.layout, rows[0].carry_derivatives)
        self.build()

    def layout_of(self, row):
        """Units and weights of the nets of a row, equal for all rows."""
        return Layout(row)

    @staticmethod
    def two_or_more(items):
        """A list with an item for each lane: a single one twice."""
        return [*items, *items] if len(items) == 1 else list(items)

    def build(self):
        """The net for the lanes as they are, and what they may get wrong."""
        if self.trials:
            self.net = self.net_of(self.two_or_more(self.trials), self.lanes.theta)
            self.limits = self.window_limits()

    def window_limits(self):
        """The most wrong ones allowed in each lane's window."""
        trials = self.two_or_more(self.trials)
        return np.array(
            [window_limit(trial.settings.experiment, len(trial.stops)) for trial in trials])

    def net_of(self, trials, theta, lanes=None):
        readings = LaneSettings.of([trial.settings for trial in trials])
        net = Net(self.layout, theta, readings, lanes)
        if self.layout.layered:
            net.add_cells([trial.added_after is not None for trial in trials])
        return net

    def keep_lanes(self, keep):
        """Lets go of all trials but those of these indices. Returns the old lanes of the new ones."""
        self.trials, lanes = [self.trials[k] for k in keep], self.two_or_more(keep)
        self.lanes = self.lanes.take(lanes)
        self.build()
        return lanes

    def tester(self, lane):
        """The net of a lane's trial, LANES wide."""
        trial = self.trials[lane]
        if trial.settings not in self.testers:
            theta = np.zeros((1, self.layout.size))
            self.testers[trial.settings] = self.net_of([trial], theta, LANES)
        tester = self.testers[trial.settings]
        tester.theta[0] = self.lanes.theta[lane]
        if self.layout.layered:
            tester.add_cells(trial.added_after is not None)
        return tester

    def advance(self):
        """CHUNK training sequences for each trial and the tests that fall due; if harness.stopped()
        in between, none of it."""
        before = self.state()
        try:
            with np.errstate(all="ignore"):
                self.train_chunk()
        except Interrupted:
            self.restore(*before)

    def train_chunk(self):
        lanes = self.two_or_more([trial.draw(CHUNK) for trial in self.trials])
        x, target, end = side_by_side(lanes)
        chunk_error = np.zeros(len(lanes))
        for k in range(CHUNK):
            go_on()
            y = self.learn(x[k], target[k], end[k])
            self.count += 1
            error = self.net.absolute_error(y, target[k], end[k])
            chunk_error += error.mean(-1) / CHUNK
            staying = self.stop_by_window(error) if self.limits[0] >= 0 else range(len(self.trials))
            if len(staying) < len(self.trials):
                kept = self.keep_lanes(staying)
                if self.ended:
                    return
                x, target = np.take(x, kept, -1), np.take(target, kept, 1)
                end, chunk_error = end[:, kept], chunk_error[kept]
        self.end_chunk(chunk_error)

    def learn(self, x, target, end):
        """One sequence for each lane. Returns the outputs before the change of the weights."""
        row = self.rows[0]
        if row.update == "step":
            running = self.lanes.derivatives if row.carry_derivatives else None
            return self.net.learn_every_step(x, target, end, running)
        return self.net.learn(x, target, end, row.gradient == "full")

    def stop_by_window(self, error):
        """Counts a sequence of some error (R, K) into the last 2000. Returns the lanes that stay."""
        slot, lanes = (self.count - 1) % WINDOW, self.lanes
        wrong = wrong_sequences(self.rows[0].experiment, error)
        lanes.wrong += wrong
        lanes.wrong -= lanes.window_wrong[:, slot]
        lanes.window_wrong[:, slot], lanes.window_error[:, slot] = wrong, error.mean(-1)
        few = lanes.wrong <= self.limits
        if self.count < WINDOW or not few.any():
            return range(len(self.trials))
        for lane, trial in enumerate(self.trials):
            mean = lanes.window_error[lane].mean()
            if few[lane] and window_reached(trial.settings.experiment, mean):
                self.stop(lane)
        self.limits = self.window_limits()
        return [lane for lane, trial in enumerate(self.trials) if not trial.complete]

    def end_chunk(self, chunk_error):
        """What is looked at between chunks: divergence, new cells, held-out tests, the cap."""
        ended = [self.ends_here(lane, chunk_error[lane]) for lane in range(len(self.trials))]
        self.lanes.last_error = chunk_error
        self.add_to_curves(chunk_error)
        if self.layout.layered:
            trials = self.two_or_more(self.trials)
            self.net.add_cells([trial.added_after is not None for trial in trials])
        if any(ended):
            self.keep_lanes([lane for lane, over in enumerate(ended) if not over])

    def ends_here(self, lane, error):
        """Whether the lane's trial has ended with this chunk of some mean error."""
        trial, settings = self.trials[lane], self.trials[lane].settings
        if not np.isfinite(self.lanes.theta[lane]).all():
            self.leave(lane, diverged=True)
            return True
        if trial.added_after is None:
            when, stalled = settings.add_cell_when, error >= self.lanes.last_error[lane]
            due = stalled if when is None else self.count >= when
            if due:
                trial.added_after = self.count
        if settings.test_every and self.count % settings.test_every == 0:
            tester = self.tester(lane)
            while not trial.complete and trial.reached(tester, self.count):
                self.stop(lane)
        if not trial.complete and self.count >= settings.max_sequences:
            self.leave(lane)
            return True
        return trial.complete

    def stop(self, lane):
        """The lane's trial meets a criterion now: its test figures."""
        trial = self.trials[lane]
        trial.stops.append(dict(sequences=self.count) | trial.figures(self.tester(lane)))
        if trial.complete:
            self.leave(lane)

    def leave(self, lane, diverged=False):
        """The lane's trial has stopped for good, or is given up (the cap, or not finite)."""
        trial = self.trials[lane]
        weights = None
        if trial.complete:
            at_end = trial.stops[-1]
            if self.layout.size <= 400:
                weights = self.lanes.theta[lane].tolist()
        else:
            at_end = dict(sequences=self.count) | trial.figures(self.tester(lane))
        self.done[self.key(trial)] = dict(
            seed=trial.seed, stops=trial.stops, complete=trial.complete, diverged=diverged,
            at_end=at_end, added_after=trial.added_after, weights=weights)

    def add_to_curves(self, chunk_error):
        """A point of the training curves: at most 100 for each row."""
        for row, history in zip(self.rows, self.history):
            every = round_up(row.max_sequences, 100 * CHUNK) // 100
            lanes = [lane for lane, trial in enumerate(self.trials) if trial.settings == row]
            if lanes and self.count % every == 0:
                median = float(np.median([float(chunk_error[lane]) for lane in lanes]))
                history["train_sequences"].append(self.count)
                history["trials_running"].append(len(lanes))
                history["median_training_error"].append(round(median, 6))

    def state(self):
        """What a checkpoint keeps: a dict for JSON and a dict of arrays."""
        state, _ = super().state()
        return state, vars(self.lanes.take(list(range(len(self.trials)))))

    def restore(self, state, arrays):
        """Goes on from what state() gave. Raises an exception for what is not of these rows."""
        super().restore(state, arrays)
        wanted = {name: (array.shape[1:], array.dtype) for name, array in vars(self.lanes).items()}
        if {name: (array.shape[1:], array.dtype) for name, array in arrays.items()} != wanted:
            raise ValueError("it has other arrays")
        if any(len(array) != len(self.trials) for array in arrays.values()):
            raise ValueError("it has other lanes")
        self.lanes = Lanes(**arrays).take(self.two_or_more(range(len(self.trials))))
        self.build()

    def record(self, k):
        """The record of a row whose trials have ended."""
        row, trials = self.rows[k], self.ended_of(k)
        final = dict(
            status="diverged" if any(trial["diverged"] for trial in trials) else "done",
            trials_stopped=sum(trial["complete"] for trial in trials),
            sequences_to_success=[
                trial["at_end"]["sequences"] if trial["complete"] else None for trial in trials])
        for name in ("wrong", "mean_absolute_error", "mean_squared_error"):
            final[name] = [trial["at_end"][name] for trial in trials]
        final["test_sequences"] = trials[0]["at_end"]["test_sequences"]
        if stops_in(row.experiment) == 2:
            first = [trial["stops"][0] if trial["stops"] else None for trial in trials]
            for name in ("sequences", "wrong", "mean_squared_error"):
                final[f"{name}_at_first_stop"] = [stop and stop[name] for stop in first]
        if self.layout.layered:
            final["cell_added_after"] = [trial["added_after"] for trial in trials]
        made_by = harness.provenance(CODE, self.seconds) | {"trials_in_stack": len(self.keys)}
        record = {
            "settings": dataclasses.asdict(row), "seeds": [trial["seed"] for trial in trials],
            "history": self.history[k], "final": final, "provenance": made_by}
        kept = [trial for trial in trials if trial["weights"]]
        if kept:
            record["weights"] = dict(seed=kept[0]["seed"], theta=kept[0]["weights"])
        return record


def checkpoint_of(rows, out):
    """The file of the rows' checkpoint beside the file of results; None if that is None."""
    return harness.checkpoint_path(out, [dataclasses.asdict(row) for row in rows])


def train_together(rows, options, quiet):
    """Trains the trials of some rows in one lockstep. Returns their records, or None if it was
    interrupted (a checkpoint then holds what was computed). Raises harness.ResultsError for a
    checkpoint that cannot be used."""
    lockstep = Lockstep(rows)
    checkpoint = checkpoint_of(rows, options.out)
    if harness.resumable(lockstep, checkpoint, CODE, options.checkpoint_every, quiet):
        return [lockstep.record(k) for k in range(len(rows))]
    return None


def train(settings, options, quiet=True):
    """Trains the trials of one row. Returns its record, or None if it was interrupted."""
    records = train_together([settings], options, quiet)
    return records and records[0]


def stacks(rows):
    """Groups rows that can train in one lockstep: equal layout, update and kind of stop."""

    def alike(row):
        stop = None if row.experiment in HELD_OUT else TOLERANCE[row.experiment]
        return Layout(row).key, row.update, row.gradient, row.carry_derivatives, stop

    return harness.grouped(rows, alike, STACK)


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def parse(argv):
    """Parsed and checked command line: (rows, options, args). Exits with code 2 on bad input."""
    parser = harness.experiment_parser(
        __doc__, Settings, Options, seeds=False, checks="every weight of every kind of net")
    parser.add_argument(
        "--table", type=int, nargs="+", choices=range(1, 10), metavar="TABLE",
        help="every row of these of the paper's Tables 1 to 9, on every core of this machine unless "
        "--jobs says otherwise; --T, --N, --q, --p and --blocks choose among them")
    parser.add_argument("--all", action="store_true", help="every row of Tables 1 to 9")
    parser.add_argument(
        "--full-gradient", action="store_true", help="the same as --gradient full")
    args = parser.parse_args(argv)
    if args.full_gradient:
        if "--gradient" in args.given and args.gradient != "full":
            parser.error("--full-gradient contradicts --gradient truncated")
        args.gradient = "full"
    if args.all + (args.table is not None) + ("--experiment" in args.given) > 1:
        parser.error("--experiment, --table and --all exclude each other")
    try:
        options = harness.from_flags(Options, args)
        if (args.all or args.table) and "--jobs" not in args.given:
            options = dataclasses.replace(options, jobs=os.cpu_count() or 1)
        rows = [harness.from_flags(Settings, args, **chosen) for chosen in chosen_rows(args)]
        harness.check_exports(args, len(rows))
        if not args.gradcheck:
            harness.check_results(args.out)
            check_checkpoints(rows, args.out)
    except (ValueError, harness.ResultsError) as error:
        parser.error(str(error))
    channels = 1 if rows[0].experiment in SYMBOLIC else rows[0].row.n_in
    values = steps_of(rows[0]) * (channels + 2)
    harness.check_export_size(parser, args, values, N_TEST + N_FROZEN)
    return rows, options, args


def chosen_rows(args):
    """For each row that is to run, the settings that go before the flags'. Raises ValueError."""
    if not (args.all or args.table):
        return [{}]
    chosen = {name: getattr(args, name) for name in IDENTITY if name != "lr"}
    rows = [
        row for row in TABLE_ROWS if (args.all or row.table in args.table)
        and all(value in (None, getattr(row, name)) for name, value in chosen.items())]
    if not rows:
        raise ValueError("no row of the paper has all these settings")
    rate = {} if args.lr is None else {"lr": args.lr}
    asked = [{"experiment": row.experiment} | identity(row) | rate for row in rows]
    return [row for k, row in enumerate(asked) if row not in asked[:k]]  # with --lr rows of Table 1 are equal


def check_checkpoints(rows, out):
    """Raises harness.ResultsError if a checkpoint is in the way that cannot be used."""
    for group in stacks(rows):
        checkpoint = checkpoint_of(group, out)
        if harness.read_checkpoint(checkpoint, CODE):
            harness.take_back(Lockstep(group), checkpoint, CODE)


def summary(record):
    """One line on a row: trials that stopped, median with the others counted as larger, mean of
    those that stopped and their wrong test sequences, beside the paper's and a constant's; and the
    weights, where a reading has others than the paper."""
    settings, final = Settings(**record["settings"]), record["final"]
    row, successes = settings.row, final["sequences_to_success"]
    words = f"{settings.named} [{settings.reading}]: {counts(successes)}"
    if settings.in_paper:
        words += f" (paper {row.paper})"
        weights = Layout(settings).weights
        if weights != row.weights:
            words += f"; {weights} of the paper's {row.weights} weights"
    wrong = [wrong for wrong, n in zip(final["wrong"], successes) if n is not None]
    if wrong:
        tests = final["test_sequences"]
        beside = f"a constant {round(tests * CONSTANT_WRONG.get(row.experiment, 1))}"
        if settings.in_paper and row.paper_wrong is not None:
            beside += f", paper {row.paper_wrong:g}"
        words += f"; {np.mean(wrong):.1f} wrong of {tests} ({beside})"
    return words + ("" if final["status"] == "done" else "  " + final["status"].upper())


# The share of sequences that the constant prediction of the targets' mean gets wrong, where it is
# not all: P(|(X1 + X2) / 4| >= 0.04), and P(|X1 X2 - 1/4| >= 0.04).
CONSTANT_WRONG = {"4": 0.846, "5": 0.889}


def counts(sequences):
    """Sequences to success in words. In the median a trial without success counts as largest."""
    reached = [value for value in sequences if value is not None]
    median = np.median([math.inf if value is None else value for value in sequences])
    words = f"{len(reached)} of {len(sequences)} trials stop, median "
    words += f"{median:.0f}" if median < math.inf else "above the cap"
    if reached:
        words += f", mean of those {np.mean(reached):.0f} [{min(reached)}, {max(reached)}]"
    return words


def export(settings, options):
    """Writes the held-out sets and the first training sequences of the first trial. Returns the exit
    code."""
    trial, experiment = Trial(settings, settings.seed), settings.experiment
    training = (for_export([trial.draw(CHUNK)]) for _ in itertools.count())
    parts, more = {"train": harness.first_batches(training, options, CHUNK)}, {}
    if experiment == "1":
        _, test = reber_sets(settings.seed)
        parts["test"], more["test_possible"] = for_export([test]), np.moveaxis(test.truth > 0, 0, -1)
    else:
        rng = streams(settings.seed)["eval"].spawn(2)[1]
        tests = [trial.task(rng, LANES) for _ in range(N_TEST // LANES)]
        parts["test"] = for_export(tests, noisy=False)
        if stop_set_is_kept(settings):
            parts["stop"] = for_export(list(trial.stop_sets()), noisy=False)
    return harness.export(
        options, export_words(settings, trial), float, experiment in SYMBOLIC, more, **parts)


def stop_set_is_kept(settings):
    """Whether a trial stops on sequences of its own that --export can write."""
    return settings.experiment in HELD_OUT[1:] and settings.stop_set == "kept"


def for_export(batches, noisy=True):
    """Sequences as harness.export takes them: x (T, n_in, n) or symbols (T, n); target, of the last
    step (n,) or of every step (T, n), where it is one of K classes its number; lengths (n,). noisy:
    whether the targets of 3c keep their noise."""
    names = "x", "end", "target" if noisy or batches[0].truth is None else "truth"
    x, end, target = (np.concatenate([getattr(batch, name) for batch in batches]) for name in names)
    if target.dtype.kind == "i":
        target = target.T
    else:
        target = target.argmax(1) if target.shape[1] > 1 else target[:, 0]
    return np.moveaxis(x, 0, -1), target, end + 1


def export_words(settings, trial):
    """What the sequences of --export are, for the README in the file."""
    experiment, drawn = settings.experiment, trial.task
    given = [f"--{name} {getattr(settings, name)}" for name in IDENTITY[:-1]
             if getattr(settings, name) is not None]
    command = " ".join(["lstm_1997.py --experiment", experiment, *given, f"--seed {settings.seed}"])
    words = [f"Task of Hochreiter & Schmidhuber (1997), first trial of {command}.",
             *(drawn.func.__doc__ or "").split()]
    if experiment != "1":
        choice = ", ".join(f"{name} = {value}" for name, value in drawn.keywords.items())
        words.append(f"Here {choice}.")
    if experiment in SYMBOLIC:
        words.append(
            "A step's input is a symbol, x a whole number (T, sequences) or (sequences, T): "
            f"torch.nn.functional.one_hot(x, {Layout(settings).inputs}) makes channels of it. The "
            "right output of a class is 1, that of the others 0.")
    if experiment == "1":
        words.append(
            "Criterion: at no step is the output of an impossible next symbol as large as that of a "
            "possible one; test_possible_* says by channels which are possible. The paper asks for "
            "this on the 256 training strings, too.")
    else:
        at = {"2a": " at some step", "2b": " at the last step"}.get(experiment, "")
        words.append(
            f"Criterion: a sequence is wrong if an output's absolute error{at} is "
            f"{'above' if experiment == '3c' else 'not below'} {TOLERANCE[experiment]}.")
    if stop_set_is_kept(settings):
        words.append("stop_*: the sequences that decide when a trial stops; test_*: those that are "
                     "counted after it.")
    words.append("Training is online: one sequence, one change of the weights. docs/lstm_1997.md "
                 "says when a trial stops.")
    return " ".join(words)


def main(argv=None):
    rows, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all()
    if options.export:
        return export(rows[0], options)
    calls = [(group, options, options.quiet) for group in stacks(rows)]
    return harness.run_and_save(CODE, train_together, calls, options, summary, checkpoint_of=checkpoint_of)


if __name__ == "__main__":
    sys.exit(main())
