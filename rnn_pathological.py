# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""The pathological tasks: what a tanh RNN remembers, and how its recurrent matrix must start, in
pure numpy.

Sources: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation
9(8):1735-1780 (the tasks); Martens & Sutskever (2011), "Learning Recurrent Neural Networks with
Hessian-Free Optimization", ICML (the seven as a set); Sutskever, Martens, Dahl & Hinton (2013), "On
the importance of initialization and momentum in deep learning", ICML (momentum, scale of the
start).

Task: a few informative steps, many steps of distraction, an answer at the end. Nine tasks:
addition, multiplication, xor, temporal_order, temporal_order_3, random_permutation,
noiseless_memorization, 3bit_memorization and, from Arjovsky, Shah & Bengio (2016), "Unitary
Evolution Recurrent Neural Networks", ICML, copy_memory.

Criterion: on held-out sequences, the mean squared error (MSE) or the accuracy, and the rate of
wrong sequences (|error| > 0.04, or a wrong symbol). Each entry of TASKS below states when its task
counts as solved.

Commands:
    python3 rnn_pathological.py                 one run: addition, T = 30, orthogonal start, seed 0
    python3 rnn_pathological.py --all --seed 0  the headline: three tasks, orthogonal and small
                                                random start
    python3 rnn_pathological.py --all --seeds 0-9 --jobs 2
    python3 rnn_pathological.py --recipe sutskever2013 --nesterov --momentum-max 0.995
                                                their setting: addition
    python3 rnn_pathological.py --gradcheck     every weight, every task, start and cell

Expect: under a minute for --all on an idle machine; at seed 0 the orthogonal start solves the three
tasks, the small random start none. Each run writes one record into results.json.
"""

import collections
import dataclasses
import functools
import math
import sys
import time
from collections.abc import Callable

import numpy as np

import harness

EXPERIMENT = "rnn_pathological"
CODE = harness.Code(__name__)
N_TEST, N_CURVE = 10_000, 1000  # held-out sequences for final figures; the first of them, for curves
TOGETHER = 100  # held-out sequences that are drawn, and run, at once
TOLERANCE = 0.04  # a larger |error| of a sum or product is wrong
WINDOW = 30  # updates over which a curriculum judges
STOP_WINDOW = 100  # updates over which --stop-at judges
HEADLINE_TASKS = ("addition", "temporal_order", "3bit_memorization")
HEADLINE_INITS = ("ortho", "random")
INITS = ("ortho", "random", "gaussian", "identity", "sparse")


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    task: str = harness.setting("addition", "what is learned", "task", choices=lambda: tuple(TASKS))
    sequence_len: int | None = harness.setting(
        None, "T, steps in a sequence, in noiseless_memorization and copy_memory the delay (default: "
        "30 for addition, multiplication and xor, else 60)", "task", kind=int, low=1, high=100_000,
        otherwise=lambda settings: TASKS[settings.task].T)
    bits: int | None = harness.setting(
        None, "symbols to remember", "task", kind=int, low=1, high=1000, otherwise=5,
        needs=("task", "noiseless_memorization"))
    alphabet: int | None = harness.setting(
        None, "kinds of such symbols", "task", kind=int, low=2, high=1000, otherwise=2,
        needs=("task", "noiseless_memorization"))
    vocabulary: int | None = harness.setting(
        None, "kinds of symbols", "task", kind=int, low=3, high=10_000, otherwise=100,
        needs=("task", "random_permutation"))
    cell: str = harness.setting("rnn", "rnn, lstm (with forget gate) or gru", "model", choices=("rnn", "lstm", "gru"))
    activation: str | None = harness.setting(
        None, "of the rnn", "model", kind=str, choices=("tanh", "relu"), otherwise="tanh",
        needs=("cell", "rnn"))
    hidden: int = harness.setting(64, "hidden units", "model", low=1, high=4096)
    init: str = harness.setting(
        "ortho", "start of W_hh: ortho, random N(0, 0.1^2), gaussian N(0, 1/H), identity, or sparse "
        "(15 incoming weights a unit)", "model", choices=INITS)
    spectral_radius: float | None = harness.setting(
        None, "rescales that start to this largest |eigenvalue|, which else is as it falls",
        "model", kind=float, low=0, high=1e12, otherwise=harness.by("init", {"sparse": 1.1}))
    input_scale: float = harness.setting(0.1, "W_xh starts at N(0, this^2)", "model", low=0, high=1e6)
    output_scale: float | None = harness.setting(
        None, "W_hy starts at N(0, this^2) (default: H^-0.5)", "model", kind=float, low=0, high=1e6,
        otherwise=lambda settings: settings.hidden**-0.5)
    forget_bias: float | None = harness.setting(
        None, "start of the forget gate's bias", "model", kind=float, low=-1e6, high=1e6,
        otherwise=1.0, needs=("cell", "lstm"))
    centre: bool = harness.setting(
        False, "subtract the mean input; start b_y at the mean target of a regression", "model")
    epochs: int = harness.setting(80, "epochs", "training", low=1, high=10**8)
    batches_per_epoch: int = harness.setting(30, "updates in an epoch", "training", low=1, high=10**8)
    batch: int = harness.setting(50, "sequences in a batch", "training", low=1, high=65_536)
    optimizer: str = harness.setting(
        "momentum", "momentum (heavy ball, or --nesterov) or adam", "training",
        choices=("momentum", "adam"))
    lr: float = harness.setting(0.01, "learning rate", "training", low=1e-12, high=1e12)
    lr_decay_every: int = harness.setting(
        0, "updates between halvings of the rate, 0 for none", "training", low=0, high=10**8)
    momentum: float | None = harness.setting(
        None, "momentum coefficient", "training", kind=float, low=0, high=1, otherwise=0.9,
        needs=("optimizer", "momentum"))
    momentum_max: float | None = harness.setting(
        None, "momentum coefficient after the warm-up (default: the same)", "training", kind=float,
        low=0, high=1, needs=("optimizer", "momentum"))
    momentum_warmup: int | None = harness.setting(
        None, "updates before --momentum-max (default: 1000)", "training", kind=int, low=0,
        high=10**8, otherwise=lambda settings: None if settings.momentum_max is None else 1000)
    nesterov: bool = harness.setting(
        False, "Nesterov's momentum: the gradient is taken ahead", "training",
        needs=("optimizer", "momentum"))
    clip: float = harness.setting(
        1.0, "largest global L2 norm of a gradient", "training", low=1e-12, high=1e12)
    curriculum: str | None = harness.setting(
        None, "START:STEP:THRESHOLD: train at length START, and STEP longer up to T whenever the "
        f"mean accuracy of the last {WINDOW} batches is above THRESHOLD (their MSE below it, in a "
        "regression)", "training", kind=str)
    mixed_lengths: int | None = harness.setting(
        None, "shortest length: each batch draws its own, up to T or to the curriculum's",
        "training", kind=int, low=1, high=100_000)
    stop_at: float | None = harness.setting(
        None, f"end once the mean accuracy of the last {STOP_WINDOW} training batches, all after "
        "the curriculum has reached T, is above this (their MSE below it, in a regression)",
        "training", kind=float, low=0, high=1e6)
    dtype: str = harness.setting(
        "float32", "precision of weights and activations; gradient checks are in float64",
        "training", choices=("float32", "float64"))
    seed: int = harness.setting(0, "seed of the four random streams", "training", low=0, high=2**63 - 1)

    def __post_init__(self):
        """Fills what depends on other settings. Raises ValueError for settings that contradict one
        another, or need more than 4 GB."""
        harness.fill(self)
        if self.momentum_warmup is not None and self.momentum_max is None:
            raise ValueError("--momentum-warmup needs --momentum-max")
        self.check_lengths()
        gigabytes = self.bytes_needed() / 1e9
        if gigabytes > 4:
            raise ValueError(f"these settings need about {gigabytes:.0f} GB of memory: "
                             "lower --sequence-len, --batch or --hidden")

    def check_lengths(self):
        """Raises ValueError for lengths the task cannot have, thresholds that cannot be reached."""
        shortest, T = TASKS[self.task].shortest, self.sequence_len
        lowest = shortest if self.mixed_lengths is None else self.mixed_lengths
        start, threshold = T, 0.0
        if self.curriculum is not None:
            start, _, threshold = parse_curriculum(self.curriculum)
        if T < shortest:
            raise ValueError(f"--sequence-len {T} is too short: {self.task} needs {shortest}")
        if not shortest <= lowest <= T:
            raise ValueError(f"--mixed-lengths {lowest} is not between {shortest} and T = {T}")
        if not lowest <= start <= T:
            raise ValueError(f"--curriculum {self.curriculum} does not start between {lowest} and T = {T}")
        if TASKS[self.task].classes and max(threshold, self.stop_at or 0.0) >= 1:
            raise ValueError("no accuracy is above 1: lower the threshold of --curriculum or --stop-at")

    def bytes_needed(self):
        """About what a run allocates at once: two nets, one that trains and one for tests, weights
        with their copies, and what training, drawing or testing takes for a while."""
        task, H, B = task_of(self), self.hidden, self.batch
        size, steps = np.dtype(self.dtype).itemsize, task.steps(self.sequence_len)
        outputs, gates = task.outputs or steps, 1 if self.cell == "rnn" else 4
        columns = H + task.n_in + 1
        a_step = columns + {"rnn": 1, "lstm": 14, "gru": 11}[self.cell] * H  # values kept of a step
        nets = size * (B + TOGETHER) * (steps * a_step + outputs * H) + 600 * gates * steps
        weights = size * 12 * (gates * H * columns + task.n_out * H)
        answer, drawn = size * outputs * task.n_out, 8 * steps * (task.n_in + 1)  # a sequence's
        stock = 1 if self.mixed_lengths else drawn_at_once(steps * task.n_in * B)
        training = size * steps * gates * H * columns + 2 * answer * B  # a gradient per step
        drawing = (2 if task.classes else 1) * drawn * stock * B
        testing = (3 * drawn + 4 * answer) * TOGETHER
        centring = 1000 * drawn if self.centre else 0
        return nets + weights + drawn * stock * B + max(training, drawing, testing, centring)


def sutskever_2013(task, alphabet=None):
    """What --recipe sutskever2013 fills in: Sutskever et al. (2013), section 4 and Table 4.

    Their four tasks: addition, multiplication, noiseless_memorization (5 bits), and with alphabet=5
    its form with ten 5-ary symbols. Momentum is 0.9 for 1000 updates; --nesterov and --momentum-max
    name a column of their Table 5. They mention no clipping: this limit never acts. Returns
    settings by name. Raises ValueError for another task.
    """
    pair = dict(sequence_len=80, input_scale=0.001)
    tasks = {
        "addition": pair, "multiplication": pair,
        "noiseless_memorization": dict(sequence_len=200, input_scale=0.1)}
    if task not in tasks:
        raise ValueError(f"--recipe sutskever2013 has no {task}: its tasks are {', '.join(tasks)}")
    ten_symbols = {}
    if task == "noiseless_memorization" and alphabet == 5:
        ten_symbols = dict(sequence_len=80, bits=10)
    return dict(
        hidden=100, init="sparse", output_scale=0.1, centre=True, epochs=50, batches_per_epoch=1000,
        batch=100, lr=1e-3, clip=1e12, dtype="float32") | tasks[task] | ten_symbols


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
class Options(harness.ExportOptions):
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    eval_every: int = harness.setting(
        0, "epochs between evaluations on the held-out set; 0: at most 80 evaluations a run",
        "output", low=0, high=10**8)
    keep_weights: bool = harness.setting(False, "store the final weights in the record", "output")


# --------------------------------------------------------------------------------------------------
# Task
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


@dataclasses.dataclass(frozen=True)
class Task:
    """What a net sees and must say, and when that counts as solved. Classes: softmax and
    cross-entropy; otherwise one linear output."""

    generate: Callable  # (rng, T, n) -> x (steps, n_in, n) and target (outputs, n)
    n_in: int | None = None
    n_out: int | None = None
    chance: float | None = None  # accuracy or MSE of the best answer without memory
    solved: float = 0.99  # a held-out accuracy above this, or an MSE below it
    classes: bool = True
    T: int = 60  # where --sequence-len is not given
    shortest: int = 2  # T at least
    extra_steps: int = 0  # beyond T
    outputs: int | None = 1  # the last steps that have a target; None for all
    scored: int = 1  # the last of these, which count
    own: tuple = ()  # settings of this task alone: generate takes their values after n,
    sizes: Callable | None = None  # and this makes of them the fields that depend on them
    # T -> test_loss of the best answer without memory, where the loss is over more than what is scored
    memoryless_loss: Callable | None = None

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


TASKS = {}  # name: Task. Each entry stands below its generator


def task_of(settings):
    """The Task that the settings name, of the sizes that they ask for."""
    task = TASKS[settings.task]
    if not task.own:
        return task
    values = [getattr(settings, name) for name in task.own]
    return dataclasses.replace(
        task, generate=lambda rng, T, n: task.generate(rng, T, n, *values), **task.sizes(*values))


def one_hot(symbols, kinds):
    """(T, n) whole numbers as (T, kinds, n) zeros and ones."""
    x = np.zeros((len(symbols), kinds, symbols.shape[1]))
    np.put_along_axis(x, symbols[:, None], 1, axis=1)
    return x


def make_marked_pair(rng, values):
    """Values (T, n) with a marker channel: one step is marked in [0, T // 2), one in [T // 2, T).

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
    """Hochreiter & Schmidhuber (1997), Experiment 4: the sum of the two marked values, U(0, 1) each.

    Returns x (T, 2, n) and target (1, n). MSE of the constant 1: 1/6; of a net that uses one marker: 1/12.
    """
    x, one, other = make_marked_pair(rng, rng.uniform(0, 1, (T, n)))
    return x, (one + other)[None]


TASKS["addition"] = Task(make_addition, T=30, n_in=2, n_out=1, chance=1 / 6, solved=0.05, classes=False)


def make_multiplication(rng, T, n):
    """Hochreiter & Schmidhuber (1997), Experiment 5: the product of two marked values, U(0, 1) each.

    Returns x (T, 2, n) and target (1, n). MSE of the constant 1/4: 7/144; of a net that uses one marker: 1/36.
    """
    x, one, other = make_marked_pair(rng, rng.uniform(0, 1, (T, n)))
    return x, (one * other)[None]


TASKS["multiplication"] = Task(
    make_multiplication, T=30, n_in=2, n_out=1, chance=7 / 144, solved=0.005, classes=False)


def make_xor(rng, T, n):
    """Martens & Sutskever (2011): the exclusive or of the two marked values, which are fair bits.

    Returns x (T, 2, n) and target (1, n) in {0, 1}. Either bit alone says nothing: chance is 1/2.
    """
    x, one, other = make_marked_pair(rng, rng.integers(0, 2, (T, n)).astype(float))
    return x, (one != other).astype(int)[None]


TASKS["xor"] = Task(make_xor, T=30, n_in=2, n_out=2, chance=1 / 2)


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
    """Hochreiter & Schmidhuber (1997), Experiment 6a: which two symbols, at 10-20% and 50-60% of T.

    Returns x (T, 6, n) and target (1, n), 4 classes.
    """
    return ordered_symbols(rng, T, n, (T // 10, T // 2))


TASKS["temporal_order"] = Task(make_temporal_order, n_in=6, n_out=4, chance=1 / 4, solved=0.9)


def make_temporal_order_3(rng, T, n):
    """Hochreiter & Schmidhuber (1997), Experiment 6b: which three symbols, from 10, 33 and 66% of T on.

    Returns x (T, 6, n) and target (1, n), 8 classes.
    """
    return ordered_symbols(rng, T, n, (T // 10, T // 3, 2 * T // 3))


TASKS["temporal_order_3"] = Task(make_temporal_order_3, shortest=3, n_in=6, n_out=8, chance=1 / 8)


def make_random_permutation(rng, T, n, V):
    """Martens & Sutskever (2011), after Experiment 2b of 1997: predict the next symbol, at the end the first.

    Symbol 1 is a 0 or 1; the others are random permutations of 2 ... V - 1, one after the other,
    cut at T. Every step has a target, only the last is scored. Returns x (T, V, n) and target
    (T, n). Nothing between the first and the last step tells 0 from 1: chance is 1/2.
    """
    others = np.broadcast_to(np.arange(2, V)[:, None], (V - 2, n))
    blocks = [rng.permuted(others, axis=0) for _ in range(math.ceil((T - 1) / (V - 2)))]
    symbols = np.concatenate([rng.integers(0, 2, (1, n)), *blocks])[:T]
    return one_hot(symbols, V), np.roll(symbols, -1, axis=0)


TASKS["random_permutation"] = Task(
    make_random_permutation, chance=1 / 2, outputs=None, own=("vocabulary",),
    sizes=lambda V: dict(n_in=V, n_out=V))


def make_noiseless_memorization(rng, T, n, S, K):
    """Martens & Sutskever (2011): S symbols of K kinds, T steps, the last a trigger, recall in order.

    Symbol K is the blank, K + 1 the trigger. Returns x (S + T + S, K + 2, n) and, for the last S steps,
    target (S, n).
    """
    symbols = np.full((T + 2 * S, n), K)
    symbols[:S] = rng.integers(0, K, (S, n))
    symbols[S + T - 1] = K + 1
    return one_hot(symbols, K + 2), symbols[:S].copy()


TASKS["noiseless_memorization"] = Task(
    make_noiseless_memorization, shortest=1, own=("bits", "alphabet"),
    sizes=lambda S, K: dict(
        n_in=K + 2, n_out=K, chance=1 / K, extra_steps=2 * S, outputs=S, scored=S))


def make_3bit_memorization(rng, T, n):
    """Three bits at the first three steps, noise of two kinds, a query at the end: which of 8 patterns.

    The form of the public reproduction this project started from, a small relative of the memorization
    tasks. Symbols: bits 0 and 1, query 2, noise 3 and 4. Returns x (T, 5, n) and target (1, n).
    """
    symbols = rng.integers(3, 5, (T, n))
    bits = symbols[:3] = rng.integers(0, 2, (3, n))
    symbols[-1] = 2
    return one_hot(symbols, 5), (4 * bits[0] + 2 * bits[1] + bits[2])[None]


TASKS["3bit_memorization"] = Task(
    make_3bit_memorization, shortest=4, n_in=5, n_out=8, chance=1 / 8, solved=0.9)


COPIED, COPY_KINDS = 10, 8  # symbols to copy, and their kinds


def make_copy_memory(rng, T, n):
    """Arjovsky, Shah & Bengio (2016), section 4.1: copy ten symbols of eight kinds after T steps.

    Ten symbols 0 ... 7, T - 1 blanks (8), a delimiter (9), ten blanks. Every step has a target: T + 10
    blanks, then the ten symbols in order; these ten are scored. Returns x (T + 20, 10, n) and target
    (T + 20, n). Without memory, blanks are certain and each symbol is one of eight: a cross-entropy of
    10 ln 8 / (T + 20).
    """
    blank = COPY_KINDS
    symbols = np.full((T + 2 * COPIED, n), blank)
    symbols[:COPIED] = rng.integers(0, COPY_KINDS, (COPIED, n))
    target = np.roll(symbols, T + COPIED, axis=0)
    symbols[COPIED + T - 1] = blank + 1
    return one_hot(symbols, COPY_KINDS + 2), target


TASKS["copy_memory"] = Task(
    make_copy_memory, shortest=1, n_in=COPY_KINDS + 2, n_out=COPY_KINDS + 1, chance=1 / COPY_KINDS,
    extra_steps=2 * COPIED, outputs=None, scored=COPIED,
    memoryless_loss=lambda T: COPIED * math.log(COPY_KINDS) / (T + 2 * COPIED))


class Lengths:
    """The length of each training batch: T, or as the curriculum has reached, or drawn up to that;
    and whether --stop-at is reached, judged on training batches alone."""

    def __init__(self, settings):
        self.T = self.longest = settings.sequence_len
        self.shortest, self.step, self.stop_at = settings.mixed_lengths, 0, settings.stop_at
        if settings.curriculum:
            self.longest, self.step, self.threshold = parse_curriculum(settings.curriculum)
        self.recent = collections.deque(maxlen=WINDOW)
        self.recent_at_T = collections.deque(maxlen=STOP_WINDOW)

    def draw(self, rng):
        """The length of the next batch."""
        if self.shortest is None:
            return self.longest
        return int(rng.integers(self.shortest, self.longest + 1))

    def report(self, figure, task):
        """Takes a batch's accuracy or MSE; lengthens where the curriculum says so."""
        if self.longest == self.T:
            self.recent_at_T.append(figure)
            return
        self.recent.append(figure)
        if len(self.recent) == WINDOW and task.passes(sum(self.recent) / WINDOW, self.threshold):
            self.longest = min(self.longest + self.step, self.T)
            self.recent.clear()

    def may_stop(self, task):
        """Whether --stop-at is reached."""
        if self.stop_at is None or len(self.recent_at_T) < STOP_WINDOW:
            return False
        return task.passes(sum(self.recent_at_T) / STOP_WINDOW, self.stop_at)


def training_batches(rng, settings, lengths):
    """Yields batches (x, target) without end, at the lengths that `lengths` asks for. Many of one
    length are drawn at once; those left when the length changes are dropped."""
    task, B = task_of(settings), settings.batch
    mean = mean_input(settings)
    while True:
        T, longest = lengths.draw(rng), lengths.longest
        at_once = 1 if lengths.shortest else drawn_at_once(task.steps(T) * task.n_in * B)
        x, target = task.generate(rng, T, at_once * B)
        x -= mean
        for start in range(0, at_once * B, B):
            if lengths.longest == longest:
                yield x[:, :, start : start + B], target[:, start : start + B]


def drawn_at_once(values):
    """How many batches of so many values each are drawn at once: at most WINDOW, after which a curriculum
    may change the length."""
    return min(WINDOW, max(1, 2**18 // values))


def held_out(settings, n):
    """Yields the first n held-out sequences of a seed, always the same, in batches (x, target) of 100."""
    rng, task, mean = streams(settings.seed)["eval"], task_of(settings), mean_input(settings)
    for _ in range(0, n, TOGETHER):
        x, target = task.generate(rng, settings.sequence_len, TOGETHER)
        yield x - mean, target


def mean_input(settings):
    """What --centre subtracts from each input: its mean (n_in, 1) over all steps; 0 without."""
    return means(settings)[0] if settings.centre else 0.0


@functools.lru_cache(maxsize=8)
def means(settings):
    """Mean input (n_in, 1) and mean target, over 1000 sequences of the display stream."""
    rng = streams(settings.seed)["display"]
    x, target = task_of(settings).generate(rng, settings.sequence_len, 1000)
    return x.mean((0, 2))[:, None], float(target.mean())


# --------------------------------------------------------------------------------------------------
# Model
# --------------------------------------------------------------------------------------------------

# --- shared: cells ---
def drop_tiny(array):
    """Sets to 0 what is below 1e-25. In float32 a derivative that vanishes over some 80 steps ends in
    denormal numbers, below 1e-38, which change no weight, do not get smaller, and are slow to compute with."""
    array *= abs(array) > 1e-25


class Cell:
    """What the cells share: flat parameters with named views, the stack of [h; x; 1], the readout.

    One matrix W holds [W_hh | W_xh | b_h], so that a step's net input is W [h_{t-1}; x_t; 1].
    Arrays are feature-major: every column is a sequence. A cell built for T steps also runs any
    shorter sequence, in its last slots.

    gates: a letter for each block of H rows in W, "" for a plain RNN; outputs: how many of the last
    steps are read out.
    """

    absent = ()  # names of the tensors that the cell does without

    def __init__(self, gates, n_in, H, n_out, T, B, outputs, dtype, theta):
        rows, columns = max(1, len(gates)) * H, H + n_in + 1
        self.gates, self.n_in, self.H, self.n_out, self.T, self.B = gates, n_in, H, n_out, T, B
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
        single = self.theta.dtype == np.float32
        self.drops = [single and t % 25 == 0 < t < T - 60 for t in range(T)]  # where backward calls drop_tiny
        self.first = 0  # slot of the sequence's first step

    def split(self, vector):
        """The views W (rows, H + n_in + 1), W_hy (n_out, H) and b_y (n_out,) of a flat parameter vector."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(vector, ends), self.shapes)]

    def tensors(self, vector, absent=False):
        """Named views of a flat vector: W_hh, W_xh, b_h of a plain RNN, or W_hi, W_xi, b_i, ... gate by gate.
        absent: also those that this cell does without, whose places in the vector have no effect."""
        W, W_hy, b_y = self.split(vector)
        named, H = {}, self.H
        for k, gate in enumerate(self.gates or "h"):
            block = W[k * H : (k + 1) * H]
            bias = {f"b_{gate}": block[:, -1]}
            named |= {f"W_h{gate}": block[:, :H], f"W_x{gate}" if self.gates else "W_xh": block[:, H:-1]} | bias
        named |= {"W_hy": W_hy, "b_y": b_y}
        return {name: tensor for name, tensor in named.items() if absent or name not in self.absent}

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
        self.steps = list(zip(self.S, self.h, self.dz, dh_reads, self.drops))

    def forward(self, x):
        """y (outputs, n_out, B) for x (T', n_in, B), T' <= T."""
        self.load(x)
        W_dot, tanh, relu = self.W.dot, np.tanh, self.relu  # the first two write into their last argument
        for s, h, _, _, _ in self.steps[self.first :]:
            W_dot(s, h)  # z_t = W [h_{t-1}; x_t; 1], in the place of h_t
            if relu:
                h *= h.real > 0  # h_t = max(z_t, 0); of complex steps the real part decides
            else:
                tanh(h, h)  # h_t = tanh(z_t)
        return self.readout()

    def backward(self, dy):
        """Fills grad from dy = dL/dy (outputs, n_out, B), for the sequences of the last forward."""
        self.readout_backward(dy)
        dh, dz_all, h_all = self.dh, self.dz[self.first :], self.h[self.first :]
        if self.relu:
            dz_all[:] = h_all.real > 0
        else:
            np.square(h_all, out=dz_all)
            np.subtract(1, dz_all, out=dz_all)  # tanh' = 1 - h^2, for all steps at once
        W_hh_T_dot = np.ascontiguousarray(self.W[:, : self.H].T).dot
        for _, _, dz, dh_read, drop in reversed(self.steps[self.first :]):
            if dh_read is not None:
                dh += dh_read
            dz *= dh  # dL/dz_t = phi'(z_t) dL/dh_t
            W_hh_T_dot(dz, dh)  # dL/dh_{t-1} = W_hh^T dL/dz_t
            if drop:
                drop_tiny(dh)
        self.weight_gradient(dz_all)


class LSTM(Cell):
    """The LSTM, with the forget gate of Gers, Schmidhuber & Cummins (2000) or, as in 1997, without.

    o_t, i_t, f_t = sigma(W_h h_{t-1} + W_x x_t + b)   gates, each with its own W_h, W_x, b
    g_t = tanh(W_hg h_{t-1} + W_xg x_t + b_g)          candidate
    c_t = i_t g_t + f_t c_{t-1}                        cell state; without forget gate f_t = 1
    h_t = o_t tanh(c_t),  y = W_hy h + b_y

    candidate_sources: "all", or "inputs" for g_t = tanh(W_xg x_t), with neither W_hg nor b_g.

    One tanh serves all gates: sigma(z) = (1 + tanh(z/2)) / 2. With a = tanh(fold z), fold = 1/2 for
    the sigmoid gates and 1 for g, the derivative of every gate is fold^2 (1 - a^2); fold^2 is
    multiplied into W_hh^T and dW. fold is 0 where a weight is absent.
    """

    def __init__(self, n_in, H, n_out, T, B, outputs=1, dtype=float, theta=None, forget_gate=True,
                 candidate_sources="all"):
        super().__init__("oifg" if forget_gate else "oig", n_in, H, n_out, T, B, outputs, dtype, theta)
        rows, dtype = len(self.gates) * H, self.theta.dtype
        self.fold = np.full(self.W.shape, 0.5, dtype)
        self.fold[-H:] = 1
        if candidate_sources == "inputs":
            self.absent = "W_hg", "b_g"
            self.fold[-H:, :H] = 0  # W_hg
            self.fold[-H:, -1] = 0  # b_g
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
        self.backward_steps = list(zip(
            self.dz, dz_o, dz_i, dz_f, dz_g, self.f, self.dc_dh, dh_reads, self.drops))

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
            W_dot(s, a)  # z_t = W [h_{t-1}; x_t; 1], that of the gates halved
            tanh(a, a)  # g_t = tanh(z_g)
            multiply(a_oif, half, oif)
            add(oif, half, oif)  # o_t, i_t, f_t = (1 + tanh(z/2)) / 2 = sigma(z)
            kept = c_prev if f is None else multiply(f, c_prev, c)
            add(multiply(i, g, ig), kept, c)  # c_t = i_t g_t + f_t c_{t-1}
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)  # h_t = o_t tanh(c_t)
        return self.readout()

    def backward(self, dy):
        """Fills grad from dy = dL/dy (outputs, n_out, B), for the sequences of the last forward."""
        self.readout_backward(dy)
        dz_all = self.local_derivatives()
        W_hh_T = np.ascontiguousarray((self.W * self.fold**2)[:, : self.H].T)
        dh, dc, part, W_hh_T_dot, multiply = self.dh, self.dc, self.part, W_hh_T.dot, np.multiply
        dc[:] = 0
        for dz, dz_o, dz_i, dz_f, dz_g, f, dc_dh, dh_read, drop in reversed(self.backward_steps[self.first :]):
            if dh_read is not None:
                dh += dh_read
            dz_o *= dh  # dL/dz_o = tanh(c_t) sigma'(z_o) dL/dh_t
            dc += multiply(dh, dc_dh, part)  # dL/dc_t += o_t (1 - tanh(c_t)^2) dL/dh_t
            dz_i *= dc  # dL/dz_i = g_t sigma'(z_i) dL/dc_t
            dz_g *= dc  # dL/dz_g = i_t (1 - g_t^2) dL/dc_t
            if f is not None:
                dz_f *= dc  # dL/dz_f = c_{t-1} sigma'(z_f) dL/dc_t
                dc *= f  # dL/dc_{t-1} = f_t dL/dc_t
            W_hh_T_dot(dz, dh)  # dL/dh_{t-1} = W_hh^T dL/dz_t
            if drop:
                drop_tiny(dh)
                drop_tiny(dc)
        self.weight_gradient(dz_all)
        self.dW *= self.fold**2

    def local_derivatives(self):
        """Fills dz with dh_t/dz_o and dc_t/dz of the other gates (over fold^2), and dc_dh with
        dh_t/dc_t, for all steps at once."""
        used = slice(self.first, self.T)
        a, dz, tanh_c, dc_dh = self.a[used], self.dz[used], self.tanh_c[used], self.dc_dh[used]
        np.square(a, out=dz)
        np.subtract(1, dz, out=dz)
        dz_o, dz_i, *dz_f, dz_g = self.by_gate(dz)
        dz_o *= tanh_c
        dz_i *= self.g[used]
        dz_g *= self.i[used]
        for dz_forget in dz_f:
            dz_forget *= self.c[used]
        np.square(tanh_c, out=dc_dh)
        np.subtract(1, dc_dh, out=dc_dh)
        dc_dh *= self.o[used]
        return dz


class GRU(Cell):
    """The gated recurrent unit of Cho et al. (2014), its reset gate behind the matrix as in torch.nn.GRU.

    r_t, z_t = sigma(W_h h_{t-1} + W_x x_t + b)        gates, each with its own W_h, W_x, b
    m_t = W_hm h_{t-1} + b_m                           what the units say to the candidate
    n_t = tanh(W_xn x_t + b_n + r_t m_t)               candidate
    h_t = (1 - z_t) n_t + z_t h_{t-1},  y = W_hy h + b_y

    There are four biases of H: b_r, b_z, b_m, b_n. torch has six: b_r is its b_ir + b_hr, b_z its
    b_iz + b_hz, b_n its b_in, and b_m its b_hn, which r_t multiplies; W_hm is its W_hn.

    r and z are made by a tanh as the LSTM's gates are, with the same fold. W holds the blocks of m
    and n apart, so fold is 0 in place of W_xm and W_hn, which do not exist.
    """

    absent = "W_xm", "W_hn"

    def __init__(self, n_in, H, n_out, T, B, outputs=1, dtype=float, theta=None):
        super().__init__("rzmn", n_in, H, n_out, T, B, outputs, dtype, theta)
        dtype = self.theta.dtype
        self.fold = np.full(self.W.shape, 0.5, dtype)
        self.fold[2 * H :] = 1
        self.fold[2 * H : 3 * H, H:-1] = 0  # W_xm
        self.fold[3 * H :, :H] = 0  # W_hn
        self.a = np.zeros((T, 4 * H, B), dtype)  # tanh(z/2) of r and z; m; n
        self.sigmoids = np.zeros((T, 2 * H, B), dtype)  # r, z
        self.change = np.zeros((T, H, B), dtype)  # h_{t-1} - n_t
        self.dz = np.zeros((T, 4 * H, B), dtype)
        self.part = np.zeros((H, B), dtype)

        self.r, self.z = self.sigmoids[:, :H], self.sigmoids[:, H:]
        self.m, self.n = self.a[:, 2 * H : 3 * H], self.a[:, 3 * H :]
        self.forward_steps = list(zip(
            self.S, self.a, self.a[:, : 2 * H], self.sigmoids, self.r, self.z, self.m, self.n,
            self.S[:-1, :H], self.change, self.h))
        dh_reads = [None] * (T - outputs) + list(self.dh_read)
        self.backward_steps = list(zip(self.dz, self.dz.reshape(T, 4, H, B), self.z, dh_reads, self.drops))

    def forward(self, x):
        """y (outputs, n_out, B) for x (T', n_in, B), T' <= T."""
        self.load(x)
        W, part, half = self.W * self.fold, self.part, np.asarray(0.5, self.theta.dtype)
        W_dot, tanh, multiply, add = W.dot, np.tanh, np.multiply, np.add  # each writes into its last argument
        subtract = np.subtract
        for s, a, a_rz, rz, r, z, m, n, h_prev, change, h in self.forward_steps[self.first :]:
            W_dot(s, a)  # W [h_{t-1}; x_t; 1]: z_r / 2, z_z / 2, m_t, W_xn x_t + b_n
            tanh(a_rz, a_rz)
            multiply(a_rz, half, rz)
            add(rz, half, rz)  # r_t, z_t = (1 + tanh(z/2)) / 2 = sigma(z)
            add(n, multiply(r, m, part), n)
            tanh(n, n)  # n_t = tanh(W_xn x_t + b_n + r_t m_t)
            subtract(h_prev, n, change)
            add(n, multiply(z, change, part), h)  # h_t = n_t + z_t (h_{t-1} - n_t)
        return self.readout()

    def backward(self, dy):
        """Fills grad from dy = dL/dy (outputs, n_out, B), for the sequences of the last forward."""
        self.readout_backward(dy)
        dz_all = self.local_derivatives()
        W_hh_T = np.ascontiguousarray((self.W * self.fold**2)[:, : self.H].T)
        dh, kept, W_hh_T_dot, multiply = self.dh, self.part, W_hh_T.dot, np.multiply
        for dz, dz_by_gate, z, dh_read, drop in reversed(self.backward_steps[self.first :]):
            if dh_read is not None:
                dh += dh_read
            dz_by_gate *= dh  # dL/dz = dh_t/dz dL/dh_t, of r, z, m and n
            multiply(z, dh, kept)
            W_hh_T_dot(dz, dh)
            dh += kept  # dL/dh_{t-1} = W_hh^T dL/dz_t + z_t dL/dh_t
            if drop:
                drop_tiny(dh)
        self.weight_gradient(dz_all)
        self.dW *= self.fold**2

    def local_derivatives(self):
        """Fills dz with dh_t/dz of r, z, m and n (over fold^2), for all steps at once."""
        used = slice(self.first, self.T)
        dz, r, z, n = self.dz[used], self.r[used], self.z[used], self.n[used]
        dz_rz, H = dz[:, : 2 * self.H], self.H
        dz_r, dz_z, dz_m, dz_n = (dz[:, row : row + H] for row in range(0, 4 * H, H))
        np.square(n, out=dz_n)
        np.subtract(1, dz_n, out=dz_n)
        np.subtract(1, z, out=dz_m)
        dz_n *= dz_m  # (1 - z_t) (1 - n_t^2)
        np.multiply(dz_n, r, out=dz_m)
        a_rz = self.a[used, : 2 * H]
        np.square(a_rz, out=dz_rz)
        np.subtract(1, dz_rz, out=dz_rz)
        dz_r *= self.m[used]
        dz_r *= dz_n
        dz_z *= self.change[used]
        return dz
# --- end shared ---


def build(settings, B, theta=None):
    """The net of these settings for batches of B sequences; theta: flat parameters to use in place."""
    task = task_of(settings)
    T = task.steps(settings.sequence_len)
    common = dict(n_in=task.n_in, H=settings.hidden, n_out=task.n_out, T=T, B=B,
                  outputs=task.outputs or T, dtype=np.dtype(settings.dtype), theta=theta)
    if settings.cell != "rnn":
        return {"lstm": LSTM, "gru": GRU}[settings.cell](**common)
    return RNN(**common, relu=settings.activation == "relu")


def initialise(net, settings, rng):
    """Draws the start: W_hh by --init, Gaussian W_xh and W_hy of the given scales, biases 0
    but b_f, which has --forget-bias, and with --centre b_y of a regression, which has the mean target."""
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
    """An (H, H) matrix: ortho (Haar), random N(0, 0.1^2), gaussian N(0, 1/H), identity or sparse (15
    N(0, 1) a row). spectral_radius: what its largest |eigenvalue| is scaled to, or None to leave it."""
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
    """L, half the mean squared error or the mean cross-entropy of the last len(target) outputs; dL/dy.

    y: (outputs, n_out, B); target: (k, B), k <= outputs. Earlier outputs, of slots that the sequence
    does not use, have no part in it. A complex y gives a complex L: the complex step goes through.
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


# --------------------------------------------------------------------------------------------------
# Optimizer
# --------------------------------------------------------------------------------------------------

# --- shared: clip ---
def clip_norm(grad, limit):
    """Scales grad in place so that its L2 norm is at most limit (Pascanu, Mikolov & Bengio 2013)."""
    norm = math.sqrt(grad.dot(grad))
    if norm == math.inf:  # in float32 the squares may overflow where the norm does not
        norm = math.sqrt(np.square(grad, dtype=float).sum())
    if norm > limit:
        grad *= limit / norm
# --- end shared ---


# --- shared: adam ---
class Adam:
    """Adam (Kingma & Ba 2015) on a flat parameter vector, in place."""

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
    """Gradient descent with momentum mu on flat parameters (Sutskever et al. 2013, section 2).

    v <- mu v - lr grad L(theta) and theta <- theta + v; with nesterov the gradient is that at
    theta + mu v. Either way `ahead` comes before the gradient, `step` after it.
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
        self.theta += -change if self.nesterov else self.v  # with nesterov, ahead() has added mu v


def momentum_at(settings, update):
    """Momentum coefficient of an update, counted from 1."""
    if settings.momentum_max is None or update <= settings.momentum_warmup:
        return settings.momentum
    return settings.momentum_max


def learning_rate(settings, update):
    """Learning rate of an update, counted from 1."""
    every = settings.lr_decay_every
    halvings = (update - 1) // every if every else 0
    return settings.lr * 0.5**halvings


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


# --- shared: absent weights ---
def check_absent(loss, net):
    """A row of the gradient check for the tensors that a cell does without, none if it has all: at
    0, without a gradient, and without an effect on the loss whatever stands in their places."""
    if not net.absent:
        return []
    places = np.zeros(net.theta.size, bool)
    for name in net.absent:
        net.tensors(places, absent=True)[name][:] = True
    effects = [loss(net.theta + 1e-30j * step).imag / 1e-30
               for step in np.eye(net.theta.size)[places]]
    worst = float(np.max(np.abs([net.theta[places], net.grad[places], effects])))
    moved = float(abs(loss(net.theta + places) - loss(net.theta)))
    name = f"{' and '.join(net.absent)}, absent"
    return [(name, 0, worst, "", moved, worst == moved == 0)]
# --- end shared ---


def gradcheck(task, cell="rnn", activation=None, init="ortho", updates=0, short=False):
    """Checks every weight of a net of 4 units at T = 30, at a random start or after some updates.

    short: the sequences are shorter than the net's buffers. Returns check_gradient's rows.
    """
    settings = Settings(
        task=task, cell=cell, activation=activation, init=init, hidden=4, sequence_len=30, batch=3,
        input_scale=0.5, vocabulary=6 if task == "random_permutation" else None, lr=0.005,
        dtype="float64")
    task, rng, net = task_of(settings), streams(0), build(settings, settings.batch)
    initialise(net, settings, rng["init"])
    for name, tensor in net.tensors(net.theta).items():
        if name.startswith("b_"):
            tensor += rng["init"].uniform(-0.1, 0.1, tensor.shape)
    batches = training_batches(rng["train"], settings, Lengths(settings))
    optimizer = Momentum(net.theta)
    for update in range(1, updates + 1):
        take_step(settings, net, optimizer, *next(batches), update)
    x, target = task.generate(rng["eval"], 20 if short else 30, settings.batch)
    _, dy = loss_and_gradient(net.forward(x), target, task.classes)
    net.backward(dy)
    moved = {dtype: build(settings, settings.batch, net.theta.astype(dtype)) for dtype in "dD"}

    def loss(theta):
        other = moved[theta.dtype.char]
        other.theta[:] = theta
        return loss_and_gradient(other.forward(x), target, task.classes)[0]

    return check_gradient(loss, net.theta, net.grad, net.tensors) + check_absent(loss, net)


def gradcheck_all(tasks=None):
    """The gradient check over every task with every start and cell, at the start, trained, and with
    short sequences. Returns the exit code."""
    passed = True
    models = {"tanh RNN": {}, "ReLU RNN": dict(activation="relu"), "LSTM": dict(cell="lstm"),
              "GRU": dict(cell="gru")}
    kinds = {"ortho start": {}, "trained weights": dict(updates=100),
             "short sequences": dict(short=True)}
    for task in tasks or TASKS:
        for init in INITS:
            rows = gradcheck(task, init=init)
            passed &= harness.report_gradients(f"{task}, tanh RNN, {init} start", rows)
        for name, model in models.items():
            for what, kind in kinds.items():
                if model or kind:  # the orthogonal start of the tanh RNN is among the starts above
                    rows = gradcheck(task, **model, **kind)
                    passed &= harness.report_gradients(f"{task}, {name}, {what}", rows)
    return 0 if passed else 1


# --------------------------------------------------------------------------------------------------
# Training and evaluation
# --------------------------------------------------------------------------------------------------

# --- shared: divergence ---
class Divergence:
    """Says when a run has diverged: a loss that is not finite, or above 1000 times the constant
    predictor's for 100 updates in a row."""

    def __init__(self, constant_loss):
        self.limit, self.above = 1000 * constant_loss, 0

    def __call__(self, loss):
        self.above = self.above + 1 if loss > self.limit else 0
        return not math.isfinite(loss) or self.above >= 100
# --- end shared ---


def take_step(settings, net, optimizer, x, target, update):
    """One update, counted from 1: forward, backward, clip, step. Returns the batch's loss, and its
    accuracy or MSE."""
    task = task_of(settings)
    if settings.optimizer == "momentum":
        optimizer.ahead(momentum_at(settings, update))
    y = net.forward(x)  # (outputs, n_out, B)
    loss, dy = loss_and_gradient(y, target, task.classes)
    net.backward(dy)
    clip_norm(net.grad, settings.clip)
    optimizer.step(net.grad, learning_rate(settings, update))
    figure = float((~wrong(y, target, task)).mean()) if task.classes else 2 * float(loss)
    return float(loss), figure


def learn(settings):
    """Yields, at the start and after every update: the net, the batch's loss (None at the start),
    the longest training length so far, and whether it was the last update."""
    rng, task, net = streams(settings.seed), task_of(settings), build(settings, settings.batch)
    initialise(net, settings, rng["init"])
    optimizer = Adam(net.theta)
    if settings.optimizer == "momentum":
        optimizer = Momentum(net.theta, settings.nesterov)
    lengths = Lengths(settings)
    batches = training_batches(rng["train"], settings, lengths)
    yield net, None, lengths.longest, False
    update, last = 0, False
    while not last:
        update += 1
        x, target = next(batches)  # (steps, n_in, B), (outputs, B)
        loss, figure = take_step(settings, net, optimizer, x, target, update)
        lengths.report(figure, task)
        last = update == updates_of(settings) or lengths.may_stop(task)
        yield net, loss, lengths.longest, last


def updates_of(settings):
    """The most updates that a run makes."""
    return settings.epochs * settings.batches_per_epoch


def wrong(y, target, task):
    """Which scored outputs (scored, B) are wrong: another class, or |error| > 0.04. NaN is wrong."""
    y, target = y[-task.scored :], target[-task.scored :]
    if task.classes:
        return (y.argmax(1) != target) | ~np.isfinite(y).all(1)
    return ~(abs(y[:, 0] - target) <= TOLERANCE)


def evaluate(net, settings, n, report=None):
    """Figures on the first n held-out sequences, for a net built for batches of 100: a Cell, or
    anything else that has forward(x). report: called with the number of sequences done.

    Returns test_loss; test_accuracy, the rate of right symbols, or test_mse; wrong_rate, the rate
    of wrong sequences. None if the run is to stop before they are complete.
    """
    task, losses, wrongs = task_of(settings), [], []
    for x, target in held_out(settings, n):
        if harness.stopped():
            return None
        y = net.forward(x)
        losses.append(float(loss_and_gradient(y, target, task.classes)[0]))
        wrongs.append(wrong(y, target, task))
        if report:
            report(TOGETHER * len(losses))
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
    """Spectral radius of W_hh and nine of its singular values, from the largest to the smallest at
    even steps of their rank (linear in between); None if it is not finite, or of a cell with
    gates."""
    W = net.W[:, : net.H].astype(float)
    if net.gates or not np.isfinite(W).all():
        return None
    values = np.quantile(np.linalg.svd(W, compute_uv=False), np.linspace(1, 0, 9))
    return {"singular_values": [float(f"{value:.4g}") for value in values],
            "spectral_radius": rounded(radius(W))}


def add_to_history(history, row):
    """Adds a row to the columns, rounded."""
    for name, column in history.items():
        column.append(rounded(row[name]) if name not in ("update", "longest") else row[name])


def first_solved(history, task):
    """The first measured update at which the task was solved, or None."""
    pairs = zip(history["update"], history[task.metric])
    return next((update for update, figure in pairs if task.passes(figure, task.solved)), None)


def best_point(history, task):
    """Update and figure of the curve's best point; None each if nothing was measured."""
    if not history["update"]:
        return {"update": None, task.metric: None}
    figures = np.array(history[task.metric], float) * (1 if task.classes else -1)
    k = int(np.argmax(np.where(np.isnan(figures), -np.inf, figures)))
    return {"update": history["update"][k], task.metric: history[task.metric][k]}


def work(settings, updates, tested):
    """How much is done: to train on a sequence takes about as long as to test on three."""
    return 3 * settings.batch * updates + tested


def progress_words(row, settings):
    """A row of the history for a person."""
    task, length = task_of(settings), f"  T={row['longest']}" if settings.curriculum else ""
    figure = f"accuracy {row[task.metric]:.4f}" if task.classes else f"MSE {row[task.metric]:.4g}"
    return f"update {row['update']:6d}{length}  {figure}  wrong {row['wrong_rate']:.4f}"


def train(settings, options, quiet=True):
    """Trains one net. Returns its record: settings, history, final, best, spectrum, provenance, and
    weights if kept.

    It ends early when harness.stopped() (status "interrupted", with the figures that were measured
    last), when it diverges ("diverged"), or as --stop-at says.
    """
    start, task, status = time.perf_counter(), task_of(settings), "done"
    diverges, total = Divergence(task.constant_loss), updates_of(settings)
    every = settings.batches_per_epoch * (options.eval_every or math.ceil(settings.epochs / 80))
    curve = N_CURVE * (1 + math.ceil(total / every))
    progress = harness.Progress(work(settings, total, curve + N_TEST), quiet)
    figures = dict.fromkeys(("test_loss", task.metric, "wrong_rate"))
    history, losses = {name: [] for name in ("update", "train_loss", *figures)}, []
    if settings.curriculum:
        history["longest"] = []  # the training length that it has reached
    with np.errstate(all="ignore"):
        for update, (net, loss, longest, last) in enumerate(learn(settings)):
            if update == 0:
                first, tested = spectrum(net), build(settings, TOGETHER, theta=net.theta)
            else:
                losses.append(loss)
                if diverges(loss):
                    status, last = "diverged", True
            measured = None
            if last or update % every == 0:
                measured = evaluate(tested, settings, N_CURVE)
            if measured is not None:
                figures, mean_loss = measured, float(np.mean(losses)) if losses else None
                losses.clear()
                row = dict(update=update, longest=longest, train_loss=mean_loss) | figures
                add_to_history(history, row)
                seen = N_CURVE * len(history["update"])
                progress(work(settings, update, seen), progress_words(row, settings))
            if harness.stopped():
                status = "interrupted"
            if status != "done":
                break
        complete = evaluate(tested, settings, N_TEST, lambda done: progress(
            work(settings, update, seen + done), f"held-out set: {done} of {N_TEST} sequences", every=5))
    progress.close()
    figures = complete or figures
    if status == "done" and complete is None:
        status = "interrupted"
    elif status == "done" and not math.isfinite(figures["test_loss"]):
        status = "diverged"
    figure = figures[task.metric]
    solved = figure is not None and bool(task.passes(figure, task.solved))
    sequences = {"update": update, "train_sequences": update * settings.batch}
    to_solve = {"solved": solved, "updates_to_solve": first_solved(history, task)}
    record = {
        "settings": dataclasses.asdict(settings),
        "history": history,
        "final": {"status": status} | sequences | figures | to_solve,
        "best": best_point(history, task),
        "spectrum": {"start": first, "end": spectrum(net)} if settings.cell == "rnn" else None,
        "provenance": harness.provenance(CODE, time.perf_counter() - start),
    }
    if options.keep_weights:
        tensors = net.tensors(net.theta)
        record["weights"] = {name: tensor.tolist() for name, tensor in tensors.items()}
    return record


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def parse(argv):
    """The command line: (settings of each run, options, args). Exits with code 2 on bad input."""
    parser = harness.experiment_parser(
        __doc__, Settings, Options, checks="every weight of every task, start and cell")
    parser.add_argument(
        "--all", action="store_true", help=f"the headline: {', '.join(HEADLINE_TASKS)} with "
        f"{' and '.join(HEADLINE_INITS)} starts")
    parser.add_argument(
        "--recipe", choices=("sutskever2013",),
        help="other defaults: addition, multiplication or noiseless_memorization (--alphabet 5: "
        "ten 5-ary symbols) as in Sutskever et al. (2013), with --nesterov and --momentum-max to "
        "choose; a given flag wins")
    args = parser.parse_args(argv)
    for flag in ("--task", "--init", "--sequence-len", "--recipe"):
        if args.all and flag in args.given:
            parser.error(f"--all and {flag} exclude each other")
    if args.recipe:
        try:
            parser.set_defaults(**sutskever_2013(args.task, args.alphabet))
        except ValueError as error:
            parser.error(str(error))
        args = parser.parse_args(argv)
    kinds = [{}]
    if args.all:
        kinds = [dict(task=task, init=init) for task in HEADLINE_TASKS for init in HEADLINE_INITS]
    runs = harness.runs_of(parser, args, Settings, kinds)
    if args.export and (runs[0].curriculum or runs[0].mixed_lengths):
        parser.error("--export takes sequences of one length: no --curriculum, no --mixed-lengths")
    task = task_of(runs[0])
    steps = task.steps(runs[0].sequence_len)
    harness.check_export_size(parser, args, steps * (task.n_in + 1), N_TEST)
    args.keep_weights = args.keep_weights or args.export_weights is not None
    return runs, harness.from_flags(Options, args), args


def run_name(settings):
    """Task, length, cell and start of a run in a few words."""
    activation, cell = settings["activation"], settings["cell"].upper()
    cell = f"{activation} {cell}" if activation else cell
    return f"{settings['task']} T={settings['sequence_len']} {cell} {settings['init']}"


def figure_words(settings, final):
    """The figure of a run and, beside it, that of a constant answer."""
    task = task_of(Settings(**settings))
    if final[task.metric] is None:
        return "nothing measured"
    if task.classes:
        words = f"test accuracy {final['test_accuracy']:.4f} (constant answer: {task.chance:.4f})"
        if task.memoryless_loss:
            memoryless = task.memoryless_loss(settings["sequence_len"])
            words += f", cross-entropy {final['test_loss']:.5f} (constant answer: {memoryless:.5f})"
        return words
    return (f"test MSE {final['test_mse']:.5f} (half of it: {final['test_mse'] / 2:.5f}; "
            f"constant answer: {task.chance:.5f})")


def summary(record):
    """One line on how a run ended."""
    settings, final = record["settings"], record["final"]
    words = f"{run_name(settings)} seed={settings['seed']}: {figure_words(settings, final)}, "
    if final["wrong_rate"] is not None:
        words += f"wrong sequences {final['wrong_rate']:.4f}, "
    first = final["updates_to_solve"]
    words += "never solved" if first is None else f"solved at update {first}"
    if first is not None and not final["solved"]:
        words += " but not at the end"
    words += f", {final['update']} updates, {record['provenance']['wall_seconds']:.1f} s"
    if final["status"] != "done":
        words += f"  {final['status'].upper()} at update {final['update']}"
    return words


def aggregate(records):
    """A line for each kind of run with several seeds: how many end solved, median and range."""
    kinds, lines = collections.defaultdict(list), []
    for record in records:
        kinds[run_name(record["settings"])].append(record["final"])
    for name, finals in kinds.items():
        done = [final for final in finals if final["status"] == "done"]
        metric = "test_accuracy" if "test_accuracy" in finals[0] else "test_mse"
        if len(finals) > 1 and done:
            values = [final[metric] for final in done]
            lines.append(
                f"{name}: {sum(final['solved'] for final in done)} of {len(finals)} seeds end "
                f"solved, {metric.replace('_', ' ')} median {np.median(values):.4f} "
                f"[{min(values):.4f}, {max(values):.4f}]")
    return lines


def export(settings, options):
    """Writes the held-out set and the first training sequences of a seed. Returns the exit code."""
    task = task_of(settings)
    definition = (TASKS[settings.task].generate.__doc__ or settings.task).splitlines()[0]
    answer = f"one of {task.n_out} classes" if task.classes else "a number"
    if task.outputs != 1:
        answer += f" at each of the last {task.outputs or task.steps(settings.sequence_len)} steps, "
        answer += f"of which the last {task.scored} count"
    of = "accuracy" if task.classes else "mean squared error (not half of it)"
    words = (
        f"{definition} (rnn_pathological.py --task {settings.task} --sequence-len "
        f"{settings.sequence_len} --seed {settings.seed}) The answer is {answer}. Criterion: the {of} "
        f"on the held-out set; a constant answer has {task.chance:.4f}, beyond {task.solved:g} the "
        f"task counts as solved. Training batches have {settings.batch} sequences.")
    batches = training_batches(streams(settings.seed)["train"], settings, Lengths(settings))
    return harness.export(
        options, words, settings.dtype, task.classes,
        train=harness.first_batches(batches, options, settings.batch),
        test=[np.concatenate(part, -1) for part in zip(*held_out(settings, N_TEST))])


def main(argv=None):
    runs, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all([args.task] if "--task" in args.given else None)
    if options.export:
        return export(runs[0], options)
    quiet = options.quiet or len(runs) > 1
    calls = [(settings, options, quiet) for settings in runs]
    return harness.run_and_save(CODE, train, calls, options, summary, aggregate)


if __name__ == "__main__":
    sys.exit(main())
