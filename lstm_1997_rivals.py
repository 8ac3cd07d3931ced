# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2"]
# ///
"""What the LSTM was compared with in 1997: RTRL, BPTT, Elman nets and the neural sequence chunker.

Source: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation
9(8):1735-1780, sections 2, 3, 5.1 and 5.2, the rows of Tables 1 and 2 that are not LSTM. The
methods: real-time recurrent learning (Robinson & Fallside 1987, Williams & Zipser 1989),
back-propagation through time (Williams & Zipser 1992), Elman's procedure (1988), the two-net neural
sequence chunker (Schmidhuber 1992). Two more rivals have programs of their own:
cascade_correlation.py and weight_guessing.py.

Tasks: 1 predicts the embedded Reber grammar; 2a keeps the first symbol over p steps to predict the
last. They are those of lstm_1997.py.

Criterion: the number of training sequences until the paper's stopping criterion, over the paper's
number of trials. A constant answer gets every sequence wrong. Beside it, what explains it: the
error that arrives at the first symbol of a sequence.

Commands:
    python3 lstm_1997_rivals.py                                   RTRL on 2a, delay 4, rate 1
    python3 lstm_1997_rivals.py --method chunker --experiment 2a  the chunker, delay 100
    python3 lstm_1997_rivals.py --table 2 --p 4                   rows of a table of the paper
    python3 lstm_1997_rivals.py --gradcheck                       every rule, before all else

Expect: half an hour for the rows with delay 4; with delay 100 only the chunker learns. Trials run
in lockstep, each with its own weights and random streams: a trial gives the same bits alone and in
company. A long run writes a checkpoint beside --out now and then and on Ctrl-C; the same command
goes on from there.
"""

import dataclasses
import functools
import math
import sys
from typing import NamedTuple

import numpy as np

import harness
import lstm_1997 as lstm

EXPERIMENT = "lstm_1997_rivals"
CODE = harness.Code(__name__)
CHUNK = lstm.CHUNK  # training sequences drawn at once for a trial: part of what a seed means
CARRIED = 0.1  # a difference of activations that counts as kept


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

# The rows of Tables 1 and 2 that are not LSTM. p: delay; hidden: hidden units; w: weights (Table 1
# gives them as estimates); lr: learning rate; cap: training sequences after which our trials are
# given up; success: per cent of the paper's trials; paper: training sequences until success.
# Table 2 lumps the rates 1 to 10 of p = 10 and p = 100; Elman's rate is not given.
CONDITIONS = """
table method   experiment p   hidden w     lr   trials cap     success paper
1     rtrl     1          -   3      170   0.05 30     400000  some    173000
1     rtrl     1          -   12     494   0.1  30     100000  some    25000
1     elman    1          -   15     435   0.1  30     200000  0       -
2     rtrl     2a         4   1      36    1    18     5000000 78      1043000
2     rtrl     2a         4   1      36    4    18     5000000 56      892000
2     rtrl     2a         4   1      36    10   18     5000000 22      254000
2     rtrl     2a         10  1      144   1    18     1000000 0       -
2     rtrl     2a         10  1      144   4    18     1000000 0       -
2     rtrl     2a         10  1      144   10   18     1000000 0       -
2     rtrl     2a         100 1      10404 1    18     300000  0       -
2     rtrl     2a         100 1      10404 4    18     300000  0       -
2     rtrl     2a         100 1      10404 10   18     300000  0       -
2     bptt     2a         100 1      10404 1    18     300000  0       -
2     bptt     2a         100 1      10404 4    18     300000  0       -
2     bptt     2a         100 1      10404 10   18     300000  0       -
2     chunker  2a         100 1      10506 1    18     200000  33      32400
"""


# Pairs of method and task that the paper has no figures for, under conditions of our own.
OTHERS = """
table method   experiment p   hidden w     lr   trials cap     success paper
-     bptt     1          -   12     494   0.1  30     100000  -       -
-     elman    2a         4   1      -     4    18     100000  -       -
"""


class TableRow(NamedTuple):
    """A row of CONDITIONS or OTHERS. What does not apply is None."""

    table: int | None
    method: str
    experiment: str
    p: int | None
    hidden: int
    weights: int | None
    lr: float
    trials: int
    cap: int
    success: str | None
    paper: int | None


def read_rows(text):
    """The rows of CONDITIONS or OTHERS: words to whole numbers, rates, None for "-"."""

    def value(word, column):
        if word == "-":
            return None
        if column in ("method", "experiment", "success"):
            return word
        return float(word) if column == "lr" else int(word)

    lines = (line.split() for line in text.strip().splitlines()[1:])
    return tuple(TableRow(*map(value, line, TableRow._fields)) for line in lines)


TABLE_ROWS, OTHER_ROWS = read_rows(CONDITIONS), read_rows(OTHERS)
METHODS = tuple(dict.fromkeys(row.method for row in TABLE_ROWS))
EXPERIMENTS = tuple(dict.fromkeys(row.experiment for row in TABLE_ROWS))
IDENTITY = ("p", "hidden", "lr")  # the columns that tell the rows of a method and a task apart


def of_row(name):
    """A default: what stands in the row of the tables that agrees best with the settings."""
    return lambda settings: getattr(settings.row, name)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    method: str = harness.setting("rtrl", "learning algorithm", "method", choices=METHODS)
    experiment: str = harness.setting(
        "2a", "experiment of section 5", "task", choices=EXPERIMENTS)
    p: int | None = harness.setting(
        None, "delay (default: the paper's)", "task", kind=int, low=2, high=2000,
        otherwise=of_row("p"), needs=("experiment", "2a"))
    hidden: int | None = harness.setting(
        None, "hidden units (default: the paper's)", "method", kind=int, low=1, high=100,
        otherwise=of_row("hidden"))
    lr: float | None = harness.setting(
        None, "learning rate alpha (default: the paper's)", "method", kind=float, low=1e-12,
        high=1e12, otherwise=of_row("lr"))
    update: str | None = harness.setting(
        None, "weights change after every step, or at the end of a sequence", "method", kind=str,
        choices=("step", "sequence"), otherwise=harness.by("method", {"bptt": "sequence"}, "step"))
    output_error: str = harness.setting(
        "a17", "error of an output unit: a17 is f'(net)(t - y), plain is t - y, flat-spot is "
        "(f'(net) + 0.1)(t - y)", "method", choices=("a17", "plain", "flat-spot"))
    error_factor: float = harness.setting(
        1.0, "factor on that error", "method", low=1e-6, high=1e6)
    tolerance: float = harness.setting(
        0.0, "an output's error counts as 0 while |t - y| is below this", "method", low=0, high=1)
    output_bias: bool = harness.setting(
        False, "the outputs have a bias (2a)", "method")
    init: float = harness.setting(
        0.2, "weights start uniformly in [-init, init]", "method", low=1e-12, high=1e6)
    surprise: float | None = harness.setting(
        None, "a symbol is unexpected if some output of the automatizer was wrong by more",
        "method", kind=float, low=0, high=1, otherwise=0.25, needs=("method", "chunker"))
    names: str | None = harness.setting(
        None, "what the automatizer learns to name: the chunker's hidden units, or its whole state, "
        "hidden units and outputs (Schmidhuber 1992)", "method", kind=str,
        choices=("hidden", "state"), otherwise="hidden", needs=("method", "chunker"))
    chunker_direct: str | None = harness.setting(
        None, "none: the chunker has no weights from inputs to outputs", "method", kind=str,
        choices=("all", "none"), otherwise="all", needs=("method", "chunker"))
    test_every: int = harness.setting(
        100, "training sequences between tests of the stopping criterion", "training", low=CHUNK,
        high=10**9)
    trials: int | None = harness.setting(
        None, "trials (default: the paper's number)", "training", kind=int, low=1, high=1000,
        otherwise=of_row("trials"))
    seed: int = harness.setting(
        0, "seed of the first trial; the others follow", "training", low=0, high=2**62)
    max_sequences: int | None = harness.setting(
        None, "training sequences after which a trial is given up (default: see CONDITIONS)",
        "training", kind=int, low=CHUNK, high=10**11, otherwise=of_row("cap"))

    def __post_init__(self):
        """Fills what depends on method and task. Raises ValueError for settings that contradict
        one another."""
        if not self.rows:
            raise ValueError(
                f"--method {self.method} does not go with --experiment {self.experiment}")
        harness.fill(self)
        if self.method == "bptt" and self.update == "step":
            raise ValueError(
                "--method bptt changes the weights at the end of a sequence: use --method rtrl")
        if self.output_bias and self.experiment != "2a":
            raise ValueError("--output-bias needs --experiment 2a")
        for name in ("test_every", "max_sequences"):
            if getattr(self, name) % CHUNK:
                raise ValueError(f"{harness.flag_of(name)} must be a multiple of {CHUNK}")
        if self.bytes_needed() > 8e9:
            raise ValueError(
                "these settings need more than 8 GB of memory: lower --p, --hidden or --trials")

    def bytes_needed(self):
        """Memory for weights, training sequences, running derivatives and activations."""
        p, steps = self.p or 1, steps_of(self)
        units = self.hidden + (7 if self.experiment == "1" else 0)
        numbers = (10 if self.names == "state" else 6) * p**2 + 3 * CHUNK * steps  # of a trial
        numbers += 3 * units**2 * (self.hidden + (self.p or 7)) + 4 * steps * units
        return 8 * numbers * max(self.trials, lstm.LANES)

    def agreement(self, row):
        """How many of the settings that tell rows apart are those of a row, or not given."""
        return sum(getattr(self, name) in (None, getattr(row, name)) for name in IDENTITY)

    @property
    def rows(self):
        """The rows of this method and task."""
        return [row for row in TABLE_ROWS + OTHER_ROWS
                if row.method == self.method and row.experiment == self.experiment]

    @property
    def row(self):
        """The row of the tables these settings are, or the one of their method and task that agrees
        best."""
        return max(self.rows, key=self.agreement)

    @property
    def in_paper(self):
        """Whether the paper has a row with these settings."""
        return self.row in TABLE_ROWS and self.agreement(self.row) == len(IDENTITY)

    @property
    def named(self):
        """Method, experiment and what tells its rows apart, for a person."""
        words = [f"{name}={getattr(self, name):g}" for name in IDENTITY
                 if getattr(self, name) is not None]
        return " ".join([self.method, self.experiment, *words])

    @property
    def reading(self):
        """The settings that depart from the row's own, for a person; "literal" if none does."""
        default = Settings(method=self.method, experiment=self.experiment)
        names = ("update", "output_error", "error_factor", "tolerance", "output_bias", "init",
                 "surprise", "names", "chunker_direct")
        changed = [f"{name.replace('_', '-')} {getattr(self, name)}" for name in names
                   if getattr(self, name) != getattr(default, name)]
        return ", ".join(changed) or "literal"


@dataclasses.dataclass(frozen=True)
class Options(harness.CommonOptions):
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    checkpoint_every: int = harness.setting(
        180, "seconds between checkpoints", "output", low=1, high=10**6)


# --------------------------------------------------------------------------------------------------
# Tasks
# --------------------------------------------------------------------------------------------------

def steps_of(settings):
    """The task's longest possible sequence, in steps."""
    return lstm.REBER_STEPS if settings.experiment == "1" else settings.p


def task(settings, seed):
    """The training task of a trial: a function (rng, n) -> Sequences."""
    if settings.experiment == "1":
        return functools.partial(lstm.picked, training=lstm.reber_sets(seed)[0])
    return functools.partial(lstm.long_lag, p=settings.p, shuffled=False, at_end=False)


def both_sequences(p):
    """The only two sequences of task 2a: (x, a_1 ... a_{p-1}, x) and (y, a_1 ... a_{p-1}, y)."""
    x = np.tile(np.arange(-1, p - 1), (2, 1))
    x[:, 0] = p - 1, p
    target = np.concatenate([x[:, 1:], x[:, :1]], axis=1)
    return lstm.Sequences(x, np.full(2, p - 1), target)


# --------------------------------------------------------------------------------------------------
# Model
# --------------------------------------------------------------------------------------------------

class Layout:
    """Units and weights of a net. A trial's weights are one vector of `size` numbers.

    Task 2a: a layer of self-recurrent hidden units, outputs that see the hidden units and the
    inputs. Task 1, rtrl and bptt: fully recurrent, every hidden and output unit sees the inputs,
    all hidden and all output units. elman: the hidden units see the inputs and their own copy (the
    context), the outputs see the hidden units. No unit has a bias, unless output_bias is set: the
    outputs' is the last row of their weights from inputs.
    """

    def __init__(self, settings, extra_outputs=0, direct=True):
        self.inputs = 7 if settings.experiment == "1" else settings.p + 1
        self.outputs, self.hidden = self.inputs + extra_outputs, settings.hidden
        self.feedback = settings.experiment == "1" and settings.method in ("rtrl", "bptt")
        self.direct = direct and settings.method != "elman"  # weights from inputs to outputs
        self.bias = settings.output_bias
        self.key = (  # equal for nets that can train together
            settings.experiment, self.inputs, self.outputs, self.hidden, self.feedback, self.direct,
            self.bias)
        # units that are seen a step later
        self.units = self.hidden + (self.outputs if self.feedback else 0)
        self.parts = (
            (self.hidden, self.units), (self.inputs, self.hidden), (self.outputs, self.units),
            ((self.inputs if self.direct else 0) + self.bias, self.outputs))
        self.ends = np.cumsum([math.prod(part) for part in self.parts]).tolist()
        self.size = self.ends[-1]

    def split(self, theta):
        """Views of weights (..., size): W_h (..., H, units) and V_h (..., I, H) into the hidden
        units, from units and from input symbols; W_o (..., K, units) and V_o (..., I, K) into the
        outputs."""
        pieces = np.split(theta, self.ends[:-1], axis=-1)
        return [piece.reshape(*theta.shape[:-1], *part) for piece, part in zip(pieces, self.parts)]

    def tensors(self, theta):
        """Named weights of a vector (size,)."""
        names = ("units to hidden", "inputs to hidden", "units to outputs", "inputs to outputs")
        return {name: part for name, part in zip(names, self.split(theta)) if part.size}


def layouts_of(settings):
    """The nets of a row: one, or automatizer and chunker. Raises AssertionError unless they have
    the number of weights that the paper gives: Table 2 counts the automatizer alone."""
    if settings.method == "chunker":
        second = Layout(settings, direct=settings.chunker_direct == "all")
        named = settings.hidden + (second.outputs if settings.names == "state" else 0)
        layouts = Layout(settings, named), second
    else:
        layouts = (Layout(settings),)
    counted = settings.in_paper and settings.row.weights is not None
    papers_net = not settings.output_bias and settings.names in (None, "hidden")
    if counted and papers_net and layouts[0].size != settings.row.weights:
        raise AssertionError(f"{layouts[0].size} weights, the paper has {settings.row.weights}")
    return layouts


class LaneSettings(NamedTuple):
    """What nets that run in lockstep may differ in, each (R,)."""

    slope_weight: np.ndarray  # error: factor (slope_weight f'(net) + slope_offset) on t - y
    slope_offset: np.ndarray
    lr: np.ndarray
    surprise: np.ndarray
    tolerance: np.ndarray  # |t - y| below which an error counts as 0

    @classmethod
    def of(cls, several):
        """Those of the settings of some lanes."""
        errors = {"a17": (1, 0), "plain": (0, 1), "flat-spot": (1, 0.1)}
        rows = [(*(s.error_factor * part for part in errors[s.output_error]), s.lr, s.surprise or 0,
                 s.tolerance) for s in several]
        return cls(*np.array(rows, float).T)

    @classmethod
    def ones(cls, R):
        """For R lanes that only run and do not learn."""
        return cls(*np.ones((4, R)), np.zeros(R))


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
    """W^T v for each lane: (..., m), (..., m, n) to (..., n). One column is a dot product, one row
    a plain product."""
    if W.shape[-2] == 1:
        return v * W[..., 0, :]
    return np.vecdot(v, W[..., 0])[..., None] if W.shape[-1] == 1 else np.vecmat(v, W)


def matmat(W, P, out):
    """W P for each lane: (..., m, n), (..., n, k). A single number is a plain product."""
    return (np.multiply if W.shape[-2:] == (1, 1) else np.matmul)(W, P, out)


ALL = slice(None)


class Net:
    """R nets in lockstep, each with its own weights. One time step is three processing steps
    (section 5): set the inputs, compute the hidden units, compute the outputs.

        net_h(t) = W_h u(t-1) + V_h x(t)        h(t) = f(net_h(t))
        net_o(t) = W_o z(t)   + V_o x(t)        y(t) = f(net_o(t))

    u(t) = h(t), z(t) = h(t); in the fully recurrent net u(t) = [h(t); y(t)], z(t) = [h(t); y(t-1)].
    x(t) is a symbol, so V x is a row of V. All activations are zero before a sequence. `rates`
    (R, 1) multiplies whatever is added to the `into` weights: the weights themselves, or a buffer
    of changes.
    """

    def __init__(self, layout, theta, lane_settings):
        R, dtype = len(theta), theta.dtype
        self.layout, self.theta, self.lane = layout, theta, np.arange(R)
        self.W_h, self.V_h, self.W_o, self.V_o = self.weights = layout.split(theta)
        self.weight, self.offset, self.rates = (value[:, None] for value in lane_settings[:3])
        self.plain_slope = bool((self.weight == 1).all()) and not self.offset.any()
        self.tolerance = lane_settings.tolerance[:, None]
        self.tolerant = bool(self.tolerance.any())
        self.delta = np.zeros((R, layout.size))
        self.changes = layout.split(self.delta)
        self.u, self.z = np.zeros((2, R, layout.units), dtype)
        self.before = np.zeros((R, layout.units), dtype)  # u a step earlier
        self.y = np.zeros((R, layout.outputs), dtype)
        self.x = np.zeros(R, int)

    def reset(self):
        """All activations to zero, before a sequence."""
        self.u[:] = 0

    def step(self, x, lanes=ALL):
        """Steps of some lanes: x (lanes,) are their symbols. Returns the outputs (lanes, K)."""
        lane, H, u = self.lane[lanes], self.layout.hidden, self.u[lanes]
        self.before[lanes], self.x[lanes] = u, x
        net = matvec(self.W_h[lanes], u)  # net_h(t) = W_h u(t-1) + V_h x(t)
        net += self.V_h[lane, x]
        h = logistic(net)  # h(t) = f(net_h(t))
        z = np.concatenate([h, u[:, H:]], axis=1) if self.layout.feedback else h
        net = matvec(self.W_o[lanes], z)  # net_o(t) = W_o z(t) + V_o x(t)
        if self.layout.direct:
            net += self.V_o[lane, x]
        if self.layout.bias:
            net += self.V_o[lanes, -1]
        y = logistic(net)  # y(t) = f(net_o(t))
        self.z[lanes], self.y[lanes] = z, y
        self.u[lanes] = np.concatenate([h, y], axis=1) if self.layout.feedback else h
        return y

    def output_error(self, difference, y, lanes=ALL):
        """The error at the net inputs of the outputs: (weight f' + offset) (t - y), or 0 where
        |t - y| is below the tolerance. (..., lanes, K)"""
        if self.tolerant:
            difference = difference * (abs(difference) >= self.tolerance[lanes])
        delta = 1 - y
        delta *= y
        if not self.plain_slope:
            delta *= self.weight[lanes]
            delta += self.offset[lanes]
        delta *= difference
        return delta

    def output_delta(self, difference, y, lanes=ALL):
        """The same times the rate."""
        delta = self.output_error(difference, y, lanes)
        return np.multiply(delta, self.rates[lanes], delta)

    def run(self, x, last, keep):
        """Steps 0 ... last - 1 of sequences x (T, R), outputs (last, R, K). keep: also u before and
        z at every step."""
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

        delta_out (T, R, K): errors at the net inputs of the outputs that come from their own
        targets. Returns the errors at the net inputs of the hidden units, (T, R, H).
        """
        H, T = self.layout.hidden, len(ys)
        dW_h, dV_h, dW_o, dV_o = self.changes
        delta_h = np.zeros((T, len(self.lane), H))
        arriving = np.zeros(self.u.shape)  # at u(t), from step t + 1
        for t in reversed(range(T)):
            delta_o = delta_out[t]
            if self.layout.feedback:  # y(t) is seen at t + 1
                delta_o = delta_o + arriving[:, H:] * ys[t] * (1 - ys[t])
            at_z = vecmat(delta_o, self.W_o)  # dE/dz(t) = W_o^T delta_o(t)
            h = self.z_at[t, :, :H]
            delta_h[t] = (at_z[:, :H] + arriving[:, :H]) * h * (1 - h)  # f'(net_h) dE/dh(t)
            arriving = vecmat(delta_h[t], self.W_h)  # dE/du(t-1) = W_h^T delta_h(t)
            if self.layout.feedback:
                arriving[:, H:] += at_z[:, H:]
            dW_h += delta_h[t, :, :, None] * self.u_before[t, :, None]
            dV_h[self.lane, x[t]] += delta_h[t]
            dW_o += delta_o[:, :, None] * self.z_at[t, :, None]
            if self.layout.direct:
                dV_o[self.lane, x[t]] += delta_o
            if self.layout.bias:
                dV_o[:, -1] += delta_o
        return delta_h

    def learn_bptt(self, x, target, end):
        """One sequence for each lane and one change of the weights after it. x, target (T, R)
        symbols, end (R,)."""
        last = int(end.max()) + 1
        ys = self.run(x, last, keep=True)
        self.delta[:] = 0
        self.backward(self.output_delta(differences(ys, target, end), ys), ys, x)
        self.theta += self.delta

    def learn_online(self, rule, x, target, end, every_step):
        """One sequence for each lane, by a rule that goes forward in time: the weights change after
        every step, or once at the end by the sum. rule: Sensitivities or Truncated of this net."""
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
    """For each step up to the last end (R,): which lanes are still inside their sequence, (R, 1),
    or None if all."""
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
    """RTRL: P[k, w] = du_k / dw for every unit k whose activation the next step sees and every
    weight w it depends on, carried forward in time.

        dnet_h(t)/dw = W_h P(t-1) + (what stands at w: u(t-1) or x(t))
        P_h(t) = f'(net_h(t)) dnet_h(t)/dw

    and in the fully recurrent net the same for the outputs, with [P_h(t); P_y(t-1)].
    """

    def __init__(self, net):
        self.net, layout, R = net, net.layout, len(net.lane)
        self.parts = layout.parts if layout.feedback else layout.parts[:2]
        columns = layout.ends[len(self.parts) - 1]
        self.P = np.zeros((R, layout.units, columns))
        self.net_h = np.zeros((R, layout.hidden, columns))
        self.net_o = np.zeros((R, layout.outputs, columns))
        self.net_h_by_part, self.net_o_by_part = self.by_part(self.net_h), self.by_part(self.net_o)
        self.hidden, self.outputs = np.arange(layout.hidden), np.arange(layout.outputs)

    def by_part(self, rows):
        """Views of rows (R, n, columns) by kind of weight: (R, n, H, units) for W_h, (R, n, I, H)
        for V_h, ..."""
        pieces = np.split(rows, self.net.layout.ends[: len(self.parts) - 1], axis=-1)
        return [piece.reshape(*rows.shape[:2], *part) for piece, part in zip(pieces, self.parts)]

    def reset(self):
        """All derivatives to zero, before a sequence."""
        self.P[:] = 0

    def step(self, lanes=ALL):
        """Goes along with the net's last step of these lanes."""
        net, H, x = self.net, self.net.layout.hidden, self.net.x[lanes, None]
        n, lane, k = len(x), net.lane[: len(x), None], self.hidden
        net_h = matmat(net.W_h[lanes], self.P[lanes], self.net_h[:n])  # W_h P(t-1) ...
        to_W, to_V = self.net_h_by_part[:2]
        to_W[:n, k, k] += net.before[lanes][:, None]  # ... + u(t-1) at W_h
        to_V[lane, k, x, k] += 1  # ... + x(t) at V_h
        h = net.z[lanes][:, :H]
        self.P[lanes, :H] = net_h * (h * (1 - h))[:, :, None]  # P_h(t) = f'(net_h) dnet_h/dw
        if net.layout.feedback:
            k = self.outputs
            net_o = matmat(net.W_o, self.P, self.net_o)  # W_o [P_h(t); P_y(t-1)] ...
            to_W, to_V = self.net_o_by_part[2:]
            to_W[:, k, k] += net.z[:, None]  # ... + z(t) at W_o
            to_V[lane, k, x, k] += 1  # ... + x(t) at V_o
            np.multiply(net_o, (net.y * (1 - net.y))[:, :, None], self.P[:, H:])

    def change(self, delta_o, into, lanes=ALL):
        """Adds the changes by an error at the net inputs of the outputs, delta_o (lanes, K), to the
        weights `into`."""
        net, ends = self.net, self.net.layout.ends
        if net.layout.feedback:
            dw = vecmat(delta_o, self.net_o)  # sum over k of delta_k dnet_k/dw
        else:
            dw = vecmat(vecmat(delta_o, net.W_o[lanes]), self.P[lanes])
        for k, (weights, part) in enumerate(zip(into, self.parts)):
            columns = dw[:, ends[k - 1] if k else 0 : ends[k]]
            weights[lanes] += columns.reshape(len(dw), *part)
        if not net.layout.feedback:
            W_o, V_o = into[2:]
            W_o[lanes] += delta_o[:, :, None] * net.z[lanes][:, None]
            if net.layout.direct:
                V_o[net.lane[lanes], net.x[lanes]] += delta_o
            if net.layout.bias:
                V_o[lanes, -1] += delta_o


class Truncated:
    """Elman's procedure: the context is one more input, no error goes back through it."""

    def __init__(self, net):
        self.net = net

    def reset(self):
        """There is nothing to carry from step to step."""

    step = reset

    def change(self, delta_o, into):
        """Adds the changes by an error at the net inputs of the outputs, delta_o (R, K), to the
        weights `into`."""
        net, (W_h, V_h, W_o, _) = self.net, into
        delta_h = vecmat(delta_o, net.W_o) * net.z * (1 - net.z)  # f'(net_h) W_o^T delta_o
        W_h += delta_h[:, :, None] * net.before[:, None]
        V_h[net.lane, net.x] += delta_h
        W_o += delta_o[:, :, None] * net.z[:, None]


RULES = {"rtrl": Sensitivities, "elman": Truncated}  # that go forward in time with one net


def error_signal(net, x, target, end):
    """The size of the error that arrives at the hidden units, ||dE(end)/dnet_h(end - q)|| for E
    half the squared error in the last symbol, by BPTT: (lags, R), lag 0 first. All sequences must
    end at the same step."""
    ys = net.run(x, end[0] + 1, keep=True)
    at_end = differences(ys, target, end)
    at_end[:-1] = 0
    at_end[..., net.layout.inputs :] = 0
    delta_h = net.backward(net.output_error(at_end, ys), ys, x)
    # not the root of a sum of squares: those of errors below 1e-162 would be zero
    return np.hypot.reduce(abs(delta_h), axis=-1)[::-1]


# --------------------------------------------------------------------------------------------------
# The neural sequence chunker
# --------------------------------------------------------------------------------------------------

class Chunker:
    """The two-net chunker (Schmidhuber 1992), R pairs of nets in lockstep, both trained by RTRL.

    The automatizer reads every symbol and predicts the next one. Symbols it failed to predict go to
    the chunker (the first symbol of a sequence, which nobody could predict, too): it sees these
    only, its state stays as it is in between, and it predicts the next one of them. The automatizer
    has an output for each hidden unit of the chunker (`names` state: for each of its outputs, too)
    and learns to name its activation at every step; so what the chunker keeps there, the
    automatizer learns to keep. A symbol is unexpected where the automatizer's own output was off
    by more than `surprise` at some symbol.
    """

    def __init__(self, layouts, theta, lane_settings):
        first, second = layouts
        self.names_outputs = first.outputs > second.outputs + second.hidden
        self.layouts, self.theta, self.lane_settings = layouts, theta, lane_settings
        self.automatizer = Net(first, theta[:, : first.size], lane_settings)
        self.chunker = Net(second, theta[:, first.size :], lane_settings)
        self.rules = Sensitivities(self.automatizer), Sensitivities(self.chunker)

    def learn(self, x, target, end, every_step):
        """One sequence for each lane. x, target: (T, R) symbols; all lanes' sequences end at the
        same step."""
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
        """t_k - y_k of the automatizer: the next symbol, then the chunker's state as it is now."""
        wanted = difference(y, target)
        wanted[:, self.layouts[1].outputs :] += self.state()
        return wanted

    def state(self):
        """What the automatizer has to name: (R, H), or (R, H + K) with the outputs."""
        net = self.chunker
        return np.concatenate([net.u, net.y], axis=1) if self.names_outputs else net.u

    def unexpected(self, difference):
        """Whether the automatizer failed on the next symbol. (R,)"""
        worst = abs(difference[:, : self.layouts[1].outputs]).max(-1)
        return worst > self.lane_settings.surprise

    def chunk(self, lanes, x, into, first):
        """The chunker of some lanes learns from a symbol that arrives unexpected, unless it is the
        first one of the sequence, and then reads it. x: (R,) symbols of all lanes."""
        net, rule = self.chunker, self.rules[1]
        if not first:
            y = net.y[lanes]
            rule.change(net.output_delta(difference(y, x[lanes]), y, lanes), into, lanes)
        net.step(x[lanes], lanes)
        rule.step(lanes)

    def predictions(self, x, target, end):
        """What both nets say on sequences (T, R), without learning: the automatizer's outputs at
        every step (T, R, K), and the chunker's prediction at the end, of the next unexpected
        symbol, (R, K)."""
        K, last = self.layouts[1].outputs, int(end[0]) + 1
        ys, unexpected = np.zeros((last, len(self.theta), K)), np.ones(len(self.theta), bool)
        for net in (self.automatizer, self.chunker):
            net.reset()
        self.kept = np.zeros((last, *self.automatizer.u.shape))
        for t in range(last):
            if unexpected.any():
                lanes = np.flatnonzero(unexpected)
                self.chunker.step(x[t, lanes], lanes)
            y = self.automatizer.step(x[t])
            ys[t], self.kept[t] = y[:, :K], self.automatizer.u
            unexpected = self.unexpected(difference(y, target[t]))
        return ys, self.chunker.y.copy()


# --------------------------------------------------------------------------------------------------
# Gradient check
# --------------------------------------------------------------------------------------------------

EQUAL_TOLERANCE = 1e-10  # RTRL = BPTT: largest difference over the tensor's largest change
CHECKS = (  # every kind of net; two lanes each
    dict(method="bptt", p=30), dict(method="bptt", p=30, output_error="flat-spot"),
    dict(method="bptt", p=6, hidden=3), dict(method="bptt", p=30, hidden=3, output_error="plain"),
    dict(method="bptt", experiment="1", hidden=3),
    dict(method="bptt", experiment="1", hidden=5, output_error="flat-spot"),
    dict(method="bptt", p=30, hidden=2, output_bias=True),
    dict(method="bptt", p=30, hidden=2, error_factor=2.0, tolerance=0.3, output_bias=True))
CHUNKERS = (
    dict(hidden=1), dict(hidden=2, surprise=0.55), dict(hidden=2, surprise=0.55, names="state"),
    dict(hidden=2, chunker_direct="none"), dict(hidden=1, names="state", output_bias=True))


def checked_nets(settings, updates):
    """Two lanes of unsaturated nets with rate 1, and their weights after some updates; x, target,
    end of a sequence."""
    layout, lane_settings = layouts_of(settings)[0], LaneSettings.of([settings] * 2)
    trials = [Trial(settings, seed) for seed in (settings.seed, settings.seed + 1)]
    theta = np.array([trial.start(layout.size) for trial in trials]) * 4
    net = Net(layout, theta, lane_settings)
    x, target, end = lstm.side_by_side([trial.draw(updates + 1) for trial in trials])
    for k in range(updates):
        net.learn_bptt(x[k], target[k], end[k])
    net = Net(layout, net.theta, lane_settings._replace(lr=np.ones(2)))
    return net, x[-1], target[-1], end[-1]


class SquaredError:
    """Half the squared error of two lanes on a sequence, as a function of all their weights in one
    line, real or complex, times a factor and without the errors below a tolerance. What it knows it
    does not compute again: RTRL and BPTT are held against the same derivatives, and those are
    computed many side by side."""

    def __init__(self, layout, x, target, end, factor=1.0, tolerance=0.0):
        self.layout, self.x, self.last, self.known = layout, x, int(end.max()) + 1, {}
        self.factor, self.tolerance = factor, tolerance
        self.target = lstm.one_hot(target[: self.last], layout.outputs)  # (T, 2, K)
        self.inside = (np.arange(self.last)[:, None] <= end)[:, :, None]

    def __call__(self, weights):
        key = hash(weights.tobytes())
        if key not in self.known:
            self.compute(weights[None])
        return self.known[key]

    def foresee(self, theta, at_once=128):
        """Computes what check_gradient asks for at the weights theta."""
        for nudge in (1e-30j, lstm.CENTRAL_STEP, -lstm.CENTRAL_STEP):
            for first in range(0, theta.size, at_once):
                steps = np.eye(min(at_once, theta.size - first), theta.size, first)
                self.compute(theta + nudge * steps)

    def compute(self, several):
        """Takes up the errors at several weights: (n, all weights of both lanes)."""
        n = len(several)
        net = Net(self.layout, several.reshape(2 * n, -1), LaneSettings.ones(2 * n))
        ys = net.run(np.tile(self.x, n), self.last, keep=False)
        for k, weights in enumerate(several):
            missing = (self.target - ys[:, 2 * k : 2 * k + 2]) * self.inside
            missing *= abs(missing.real) >= self.tolerance
            self.known[hash(weights.tobytes())] = 0.5 * self.factor * (missing * missing).sum()


def frozen_context_error(net, x, target, end):
    """The squared error as a function of the weights, with every context held at the activation it
    has under the net's own weights: what Elman's procedure takes the derivative of."""
    net.run(x, int(end.max()) + 1, keep=True)
    contexts = net.u_before.copy()

    def loss(weights):
        other, total = Net(net.layout, weights.reshape(2, -1), LaneSettings.ones(2)), 0
        for context, x_t, target_t, inside in zip(contexts, x, target, insides(end)):
            other.u[:] = context
            missing = difference(other.step(x_t), target_t, inside)
            total = total + 0.5 * (missing * missing).sum()
        return total

    return loss


def by_lane(layout):
    """The tensors of two lanes' weights in one line."""
    return lambda weights: {
        f"{name}, lane {lane}": part for lane in range(2)
        for name, part in layout.tensors(weights.reshape(2, -1)[lane]).items()}


def changes_of(theta, nets, learn):
    """What learn() adds to all weights of two lanes, in one line; the weights theta are put
    back."""
    start = theta.copy()
    learn()
    theta[:] = start
    return np.concatenate([net.delta for net in nets], axis=1).ravel()


def check_rtrl(settings, updates):
    """RTRL and BPTT on the same sequence. Returns check_gradient's rows of each, and the largest
    difference between the two. With an output_error other than a17 there is no error function, and
    the rows are empty."""
    net, x, target, end = checked_nets(settings, updates)
    rule, named = Sensitivities(net), by_lane(net.layout)
    bptt = changes_of(net.theta, [net], lambda: net.learn_bptt(x, target, end))
    rtrl = changes_of(
        net.theta, [net], lambda: net.learn_online(rule, x, target, end, every_step=False))
    pairs = zip(named(rtrl).values(), named(bptt).values())
    worst = max(float(abs(a - b).max() / abs(b).max()) for a, b in pairs)
    if settings.output_error != "a17":
        return [], [], worst
    loss = SquaredError(net.layout, x, target, end, settings.error_factor, settings.tolerance)
    theta = net.theta.ravel()
    loss.foresee(theta)
    rows = [lstm.check_gradient(loss, theta, -learned, named) for learned in (bptt, rtrl)]
    return *rows, worst


def check_elman(settings, updates):
    """check_gradient's rows of Elman's procedure against the derivative with frozen contexts."""
    net, x, target, end = checked_nets(settings, updates)
    rule = Truncated(net)
    learned = changes_of(
        net.theta, [net], lambda: net.learn_online(rule, x, target, end, every_step=False))
    loss = frozen_context_error(net, x, target, end)
    return lstm.check_gradient(loss, net.theta.ravel(), -learned, by_lane(net.layout))


class RecordedChunker(Chunker):
    """A chunker that notes its sequence. passed_on: step and lanes of the symbols that the second
    net was given; named: its state, which the first net had to name, at every step."""

    def __init__(self, *words):
        super().__init__(*words)
        self.passed_on, self.named = [], []

    def chunk(self, lanes, x, into, first):
        self.passed_on.append((len(self.named), lanes))
        super().chunk(lanes, x, into, first)

    def difference(self, y, target):
        self.named.append(self.state().copy())
        return super().difference(y, target)


def chunker_losses(pair, x, target, end):
    """Half the squared error of both nets of two recorded chunkers, as functions of the weights in
    one line: with the symbols that were passed on and the targets the automatizer had held as they
    were."""
    first, second = pair.layouts
    last, named = int(end[0]) + 1, np.array(pair.named)
    symbols = np.concatenate([x[:last], target[last - 1][None]])

    def automatizer(weights):
        net = Net(first, weights.reshape(2, -1), LaneSettings.ones(2))
        missing = differences(net.run(x, last, keep=False), target, end)
        missing[:, :, second.outputs :] += named
        return 0.5 * (missing * missing).sum()

    def chunker(weights):
        net = Net(second, weights.reshape(2, -1), LaneSettings.ones(2))
        total, before = 0, set()
        for t, lanes in pair.passed_on:
            for lane in lanes:
                if lane in before:
                    missing = lstm.one_hot(symbols[t, lane], second.outputs) - net.y[lane]
                    total = total + 0.5 * (missing * missing).sum()
                before.add(lane)
            net.step(symbols[t, lanes], lanes)
        return total

    return automatizer, chunker


def check_chunker(settings):
    """check_gradient's rows of both nets of two chunkers: the changes by a sequence against the
    derivative of their squared errors."""
    trials, layouts = [Trial(settings, seed) for seed in (0, 1)], layouts_of(settings)
    split = layouts[0].size
    theta = np.array([trial.start(split + layouts[1].size) for trial in trials]) * 4
    lane_settings = LaneSettings.of([settings] * 2)._replace(lr=np.ones(2))
    pair = RecordedChunker(layouts, theta, lane_settings)
    x, target, end = (part[0] for part in lstm.side_by_side([trial.draw(1) for trial in trials]))
    nets = pair.automatizer, pair.chunker
    learned = changes_of(theta, nets, lambda: pair.learn(x, target, end, every_step=False))
    learned = learned.reshape(2, -1)
    losses, parts = chunker_losses(pair, x, target, end), (slice(split), slice(split, None))
    return [
        lstm.check_gradient(loss, theta[:, part].ravel(), -learned[:, part].ravel(), by_lane(layout))
        for loss, part, layout in zip(losses, parts, layouts)]


def gradcheck_all():
    """Every learning rule over every kind of net, at the start and after some updates. Returns the
    exit code."""
    passed, report = True, harness.report_gradients
    starts = ((0, "random weights"), (30, "trained weights"))
    for choice in CHECKS:
        settings = Settings(**choice)
        for updates, where in starts:
            title = f"{settings.experiment} hidden={settings.hidden} [{settings.output_error}]"
            bptt, rtrl, worst = check_rtrl(settings, updates)
            if bptt:
                passed &= report(f"BPTT, {title}, {where}", bptt)
                passed &= report(f"RTRL, {title}, {where}", rtrl)
            good = worst <= EQUAL_TOLERANCE
            passed &= good
            harness.say(f"RTRL = BPTT, {title}, {where}: largest difference {worst:.1e}: "
                        f"{'ok' if good else 'FAILED'}")
    for choice in (dict(experiment="1", hidden=5), dict(experiment="2a", p=12, hidden=2)):
        settings = Settings(method="elman", **choice)
        for updates, where in starts:
            rows = check_elman(settings, updates)
            passed &= report(f"Elman, {settings.experiment}, {where}", rows)
    for choice in CHUNKERS:
        settings = Settings(method="chunker", p=12, **choice)
        for name, rows in zip(("automatizer", "chunker"), check_chunker(settings)):
            title = f"Chunker, hidden={settings.hidden} [{settings.reading}]"
            passed &= report(f"{title}, {name}", rows)
    return 0 if passed else 1


# --------------------------------------------------------------------------------------------------
# Training and evaluation
# --------------------------------------------------------------------------------------------------

class Trial:
    """One trial of a row: its streams, and what was seen of it. Its weights are a lane of a
    Lockstep."""

    def __init__(self, settings, seed):
        self.settings, self.seed, self.rng = settings, seed, lstm.streams(seed)
        self.task = task(settings, seed)
        self.signal_at_start = None  # error signal by lag
        self.chunker_right_after = None  # sequences until the chunker's own prediction is right

    def draw(self, n):
        """The next n training sequences."""
        return self.task(self.rng["train"], n)

    def start(self, size):
        """The first weights: uniform in [-init, init]. (size,)"""
        init = self.settings.init
        return lstm.streams(self.seed)["init"].uniform(-init, init, size)

    def state(self):
        """What a checkpoint keeps of the trial, for JSON."""
        return dict(
            signal_at_start=self.signal_at_start, chunker_right_after=self.chunker_right_after,
            stream=self.rng["train"].bit_generator.state)

    def restore(self, state):
        self.signal_at_start = state["signal_at_start"]
        self.chunker_right_after = state["chunker_right_after"]
        self.rng["train"].bit_generator.state = state["stream"]


def rounded(values):
    """A list of numbers with six significant digits."""
    return [float(f"{value:.6g}") for value in values]


class Lockstep(harness.SideBySide):
    """Trials in lockstep, of one row or of several whose nets have the same layout.

    Trials that stop leave. One that is left alone keeps a copy of itself beside it: products of a
    single lane may take another path through the linear algebra and give other bits.
    """

    def __init__(self, rows):
        first = rows[0]
        self.method, self.experiment = first.method, first.experiment
        self.layouts, self.size = layouts_of(first), sum(part.size for part in layouts_of(first))
        title = f"{self.method} {self.experiment}" + (f" p={first.p}" if first.p else "")
        super().__init__(rows, Trial, title)
        self.measure = "median_wrong_strings" if first.p is None else "median_largest_error"
        self.history = [
            {"train_sequences": [], "trials_running": [], self.measure: []} for _ in rows]
        self.theta = np.array([trial.start(self.size) for trial in self.trials])
        self.keep_lanes(range(len(self.trials)))
        for trial, by_lag in zip(self.trials, self.error_signals()):
            trial.signal_at_start = by_lag

    def keep_lanes(self, lanes):
        """Keeps the trials of these lanes and builds the nets for them."""
        self.trials = [self.trials[k] for k in lanes]
        if not self.trials:
            return
        self.theta = self.theta[self.two_or_more(list(lanes))]
        settings = LaneSettings.of([trial.settings for trial in self.two_or_more(self.trials)])
        if self.method == "chunker":
            self.pair = Chunker(self.layouts, self.theta, settings)
            self.net = self.pair.automatizer
        else:
            self.net = Net(self.layouts[0], self.theta, settings)
            self.rule = RULES[self.method](self.net) if self.method in RULES else None

    @staticmethod
    def two_or_more(items):
        """A list with an item for each lane: a single one twice."""
        return items * 2 if len(items) == 1 else items

    def advance(self):
        """CHUNK training sequences for each trial, and the tests that fall due. A chunk that is cut
        short is undone."""
        before = self.theta.copy(), [trial.state() for trial in self.trials]
        lanes = self.two_or_more([trial.draw(CHUNK) for trial in self.trials])
        x, target, end = lstm.side_by_side(lanes)
        with np.errstate(all="ignore"):
            for k in range(CHUNK):
                if harness.stopped():
                    self.theta[:] = before[0]
                    for trial, state in zip(self.trials, before[1]):
                        trial.restore(state)
                    return
                self.learn(x[k], target[k], end[k])
            self.count += CHUNK
            self.end_chunk()

    def learn(self, x, target, end):
        """One training sequence for each lane."""
        every_step = self.rows[0].update == "step"
        if self.method == "chunker":
            self.pair.learn(x, target, end, every_step)
        elif self.method == "bptt":
            self.net.learn_bptt(x, target, end)
        else:
            self.net.learn_online(self.rule, x, target, end, every_step)

    def end_chunk(self):
        """What is looked at between chunks: divergence, the tests, the cap."""
        due = self.count % self.rows[0].test_every == 0
        largest = self.largest_errors() if due and self.experiment == "2a" else None
        staying = []
        for lane, trial in enumerate(self.trials):
            if not np.isfinite(self.theta[lane]).all():
                self.leave(lane, diverged=True)
            elif due and self.right(lane, largest):
                self.leave(lane, complete=True)
            elif self.count >= trial.settings.max_sequences:
                self.leave(lane)
            else:
                staying.append(lane)
        self.add_to_curves(largest)
        if len(staying) < len(self.trials):
            self.keep_lanes(staying)

    # --- tests ---

    def right(self, lane, largest):
        """Whether a trial meets the paper's criterion. largest: of 2a, the largest errors."""
        if self.experiment == "2a":
            return largest[lane].max() < lstm.TOLERANCE["2a"]
        return not any(wrong.any() for wrong in self.wrong_strings(lane))

    def largest_errors(self):
        """2a: the largest absolute error of all outputs and steps on each of the two sequences:
        (R, 2). For the chunker that of the automatizer; whether the chunker's prediction is right
        is noted beside it."""
        result, chunker = np.zeros((len(self.theta), 2)), np.zeros(len(self.theta))
        for k, (x, target, end) in enumerate(self.both()):
            if self.method == "chunker":
                ys, predicted = self.pair.predictions(x, target, end)
                last = lstm.one_hot(target[end[0]], self.layouts[1].outputs) - predicted
                chunker = np.maximum(chunker, abs(last).max(-1))
            else:
                ys = self.net.run(x, int(end[0]) + 1, keep=False)
            result[:, k] = abs(differences(ys, target, end)).max((0, 2))
        if self.method == "chunker":
            for trial, error in zip(self.trials, chunker):
                if error < lstm.TOLERANCE["2a"] and trial.chunker_right_after is None:
                    trial.chunker_right_after = self.count
        return result

    def both(self):
        """2a: its two sequences, each for all lanes: x, target (T, R), end (R,)."""
        batch, R = both_sequences(self.rows[0].p), len(self.theta)
        for x, target, end in zip(batch.x, batch.target, batch.end):
            yield (np.repeat(x[:, None], R, axis=1), np.repeat(target[:, None], R, axis=1),
                   np.full(R, end))

    def wrong_strings(self, lane):
        """Experiment 1: which of the training and test strings a trial gets wrong, some at a
        time."""
        LANES = lstm.LANES
        theta = np.broadcast_to(self.theta[lane], (LANES, self.size))
        net = Net(self.layouts[0], theta, LaneSettings.ones(LANES))
        for batch in lstm.reber_sets(self.trials[lane].seed):
            for first in range(0, len(batch.end), LANES):
                part = slice(first, first + LANES)
                last = int(batch.end[part].max()) + 1
                ys = net.run(batch.x[part].T, last, keep=False).swapaxes(0, 1)
                yield lstm.wrong_strings(ys, batch.truth[part, :last], batch.end[part])

    def number_wrong(self, lane):
        """Experiment 1: how many of the 512 strings a trial gets wrong."""
        return sum(int(wrong.sum()) for wrong in self.wrong_strings(lane))

    def error_signals(self):
        """2a: of each trial, the error signal by lag, the mean of both sequences; else None."""
        if self.experiment != "2a":
            return [None] * len(self.trials)
        signals = np.mean([error_signal(self.net, *sequence) for sequence in self.both()], axis=0)
        if self.method == "elman":
            signals[1:] = 0  # it does not go back
        return [rounded(by_lag) for by_lag in signals.T[: len(self.trials)]]

    def taken_over(self):
        """The chunker on 2a: how far the automatizer's task and its state differ between the two
        sequences. Of every lane: the largest difference of what it has to name, at the end, (R,);
        and for how many steps in a row from the first its hidden units differ by more than
        CARRIED, (R,)."""
        named, kept = [], []
        for sequence in self.both():
            self.pair.predictions(*sequence)
            named.append(self.pair.state().copy())
            kept.append(self.pair.kept)
        apart = abs(kept[0] - kept[1]).max(-1) > CARRIED  # (T, R)
        return abs(named[0] - named[1]).max(-1), np.logical_and.accumulate(apart).sum(0)

    def figures(self, lane):
        """Test figures of a trial: how many of how many fresh sequences (1: of its training and
        test strings) are wrong; 2a: the largest error of all outputs and steps."""
        if self.experiment == "1":
            return dict(wrong=self.number_wrong(lane), test_sequences=512)
        trial = self.trials[lane]
        rng = lstm.streams(trial.seed)["eval"].spawn(2)[1]
        is_y = trial.task(rng, lstm.N_TEST).x[:, 0] == trial.settings.p
        errors = self.largest_errors()[lane]  # on the sequence of x, on that of y
        wrong = ~(errors < lstm.TOLERANCE["2a"])
        figures = dict(
            wrong=int(wrong[is_y.astype(int)].sum()), test_sequences=lstm.N_TEST,
            largest_error=float(errors.max()))
        if self.method == "chunker":
            gap, steps = (values[lane] for values in self.taken_over())
            figures |= dict(named_gap=float(f"{gap:.4g}"), steps_carried=int(steps))
        return figures

    def add_to_curves(self, largest):
        """A point of the training curves: at most 100 for each row. largest: of 2a, the largest
        errors, if they are known."""
        for row, history in zip(self.rows, self.history):
            every = lstm.round_up(row.max_sequences, 100 * CHUNK) // 100
            lanes = [lane for lane, trial in enumerate(self.trials) if trial.settings == row]
            if not lanes or self.count % every:
                continue
            if self.experiment == "1":
                values = [self.number_wrong(lane) for lane in lanes]
            else:
                values = (self.largest_errors() if largest is None else largest)[lanes].max(1)
            history["train_sequences"].append(self.count)
            history["trials_running"].append(len(lanes))
            history[self.measure].append(round(float(np.median(values)), 6))

    # --- ends ---

    def leave(self, lane, complete=False, diverged=False):
        """The lane's trial has met the criterion, or is given up at the cap or because its weights
        are not finite."""
        trial = self.trials[lane]
        self.done[self.key(trial)] = dict(
            complete=complete, diverged=diverged, sequences=self.count,
            signal_at_start=trial.signal_at_start, signal_at_end=self.error_signals()[lane],
            chunker_right_after=trial.chunker_right_after) | self.figures(lane)

    def state(self):
        state, _ = super().state()
        return state, dict(theta=self.theta[: len(self.trials)])

    def restore(self, state, arrays):
        super().restore(state, arrays)
        self.theta = arrays["theta"].astype(float).reshape(len(self.trials), self.size)
        self.keep_lanes(range(len(self.trials)))

    def record(self, k):
        """The record of row k, all of whose trials have left."""
        row, trials = self.rows[k], self.ended_of(k)
        final = dict(
            status="diverged" if any(trial["diverged"] for trial in trials) else "done",
            trials_stopped=sum(trial["complete"] for trial in trials),
            sequences_to_success=[
                trial["sequences"] if trial["complete"] else None for trial in trials],
            wrong=[trial["wrong"] for trial in trials], test_sequences=trials[0]["test_sequences"])
        if row.experiment == "2a":
            final["largest_error"] = [trial["largest_error"] for trial in trials]
            for name in ("signal_at_start", "signal_at_end"):  # by lag: the median over the trials
                signals = [trial[name] for trial in trials]
                final[f"error_{name}"] = rounded(np.median(signals, axis=0))
                final[f"error_{name}_of_first_symbol"] = [signal[-1] for signal in signals]
        if row.method == "chunker":
            for name in ("chunker_right_after", "named_gap", "steps_carried"):
                final[name] = [trial[name] for trial in trials]
        final["weights"] = layouts_of(row)[0].size
        together = {"trials_in_stack": len(self.keys)}
        return {
            "settings": dataclasses.asdict(row),
            "seeds": [row.seed + number for number in range(row.trials)],
            "history": self.history[k], "final": final,
            "provenance": harness.provenance(CODE, self.seconds) | together}


def checkpoint_of(rows, out):
    """The file of the checkpoint of rows that train together."""
    return harness.checkpoint_path(out, [dataclasses.asdict(row) for row in rows])


def train_together(rows, options, quiet=True):
    """Trains the trials of some rows that go together. Returns their records, or None if it was
    interrupted (a checkpoint then holds what was computed). Raises ResultsError for a checkpoint
    that cannot be used."""
    trials, checkpoint = Lockstep(rows), checkpoint_of(rows, options.out)
    if harness.resumable(trials, checkpoint, CODE, options.checkpoint_every, quiet):
        return [trials.record(k) for k in range(len(rows))]
    return None


def train(settings, options, quiet=True):
    """Trains the trials of one row. Returns its record, or None."""
    records = train_together([settings], options, quiet)
    return records and records[0]


def stacks(rows):
    """Groups rows that can train together: the same method, layout and times of update and test."""

    def alike(row):
        return row.method, *(net.key for net in layouts_of(row)), row.update, row.test_every

    return harness.grouped(rows, alike, lstm.STACK)


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def parse(argv):
    """Parsed and checked command line: (rows, options, args). Exits with code 2 on bad input."""
    parser = harness.experiment_parser(
        __doc__, Settings, Options, seeds=False, checks="every learning rule")
    parser.add_argument(
        "--table", type=int, nargs="+", choices=(1, 2), metavar="TABLE",
        help="every row of these of the paper's Tables 1 and 2; --method, --p, --hidden and --lr "
        "choose among them")
    parser.add_argument(
        "--task", dest="experiment", choices=EXPERIMENTS, help="the same as --experiment")
    args = parser.parse_args(argv)
    named_task = args.given & {"--experiment", "--task"}
    if args.table and named_task:
        parser.error("--table and --experiment exclude each other")
    if not args.table and "--method" in args.given and not named_task:
        of_method = [row.experiment for row in TABLE_ROWS if row.method == args.method]
        args.experiment = of_method[-1]
    try:
        rows = [harness.from_flags(Settings, args, **chosen) for chosen in chosen_rows(args)]
        if not args.gradcheck:
            harness.check_results(args.out)
            for group in stacks(rows):
                checkpoint = checkpoint_of(group, args.out)
                if checkpoint.exists():
                    harness.take_back(Lockstep(group), checkpoint, CODE)
    except (ValueError, harness.ResultsError) as error:
        parser.error(str(error))
    return rows, harness.from_flags(Options, args), args


def chosen_rows(args):
    """For each row that is to run, the settings that go before the flags'. Raises ValueError."""
    if not args.table:
        return [{}]
    chosen = {name: getattr(args, name) for name in IDENTITY if getattr(args, name) is not None}
    if "--method" in args.given:
        chosen["method"] = args.method
    rows = [row._asdict() for row in TABLE_ROWS if row.table in args.table]
    rows = [row for row in rows if chosen.items() <= row.items()]
    if not rows:
        raise ValueError("no row of the paper has all these settings")
    return [{name: row[name] for name in ("method", "experiment", *IDENTITY)} for row in rows]


def summary(record):
    """One line on a row: trials that stopped, median with the others counted as larger, mean of
    those that stopped and their wrong test sequences, beside the paper's."""
    settings, final = Settings(**record["settings"]), record["final"]
    reached, row = final["sequences_to_success"], settings.row
    words = f"{settings.named} [{settings.reading}]: {lstm.counts(reached)}"
    if settings.in_paper:
        per_cent = "" if row.success == "some" else "%"
        words += f" (paper {row.success}{per_cent}, {row.paper or 'never'})"
    wrong = [wrong for wrong, n in zip(final["wrong"], reached) if n is not None]
    if wrong:
        tests = final["test_sequences"]
        words += f"; {np.mean(wrong):.1f} wrong of {tests} (a constant {tests})"
    return words + ("" if final["status"] == "done" else "  " + final["status"].upper())


def main(argv=None):
    rows, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all()
    calls = [(group, options, options.quiet) for group in stacks(rows)]
    return harness.run_and_save(CODE, train_together, calls, options, summary, checkpoint_of=checkpoint_of)


if __name__ == "__main__":
    sys.exit(main())
