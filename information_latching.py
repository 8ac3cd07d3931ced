# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Information latching: why a one-unit LSTM keeps a bit worse than a one-unit tanh RNN.

Source: Bengio, Simard & Frasconi (1994), "Learning long-term dependencies with gradient descent is
difficult", IEEE Transactions on Neural Networks 5(2):157-166; and a public question of April 2018,
with Keras code, that found the LSTM to do worse than the simple RNN (SRNN).

Task: the first element of a sequence is +1 or -1, and N(0, 0.1^2) noise lies on every element. The
net, of one unit unless told otherwise, says the sign of the first element at the end. In `bit_relay`
it says whether the first element and the one at T // 2 have the same sign. In `latch1994`, after
Bengio et al., the first L inputs of each class are themselves trained, what follows is noise, and
the state of one tanh unit shall end at +0.8 or -0.8.

Criterion: the accuracy on 1000 held-out sequences, and the fraction of repeats above 0.95. Classes
are balanced: guessing gives 0.5.

Commands:
    python3 information_latching.py                       thirty LSTMs at T = 100
    python3 information_latching.py --cell srnn           thirty tanh RNNs
    python3 information_latching.py --task bit_relay --cell gru --T 10
    python3 information_latching.py --gradcheck           every weight of every cell, before use
    python3 reproduce.py latching-table --jobs 2          every cell and start at eight lengths

Expect: some ten seconds for a command of thirty nets at T = 100, some minutes for the table. Each
setting writes one record into results.json, with lists over the repeats.
"""

import copy
import dataclasses
import math
import sys
import time

import numpy as np

import harness

EXPERIMENT = "information_latching"
CODE = harness.Code(__name__)
N_TEST = 1000  # held-out sequences of a repeat
WIDTH = 50  # sequences evaluated at once; it divides N_TEST and every validation split
SUCCESS = 0.95  # a repeat with a higher accuracy latches
LONGER = 4  # a latch is tested over this many times T steps
N_LONGER, LONGER_WIDTH = 400, 20  # on so many sequences, so many at once
TARGET_1994 = 0.8  # latch1994: the last state shall be +0.8 or -0.8
CHANCE_LOSS = math.log(2)  # cross-entropy of a guess between two classes
CHANCE = 0.5  # its accuracy


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    task: str = harness.setting(
        "latch", "latch, bit_relay or latch1994", "task",
        choices=("latch", "bit_relay", "latch1994"))
    T: int = harness.setting(100, "steps in a sequence", "task", low=2, high=100_000)
    noise: float | None = harness.setting(
        None, "standard deviation of the noise", "task", kind=float, low=0, high=1e6,
        otherwise=harness.by("task", {"latch1994": math.sqrt(0.2)}, 0.1))
    latch_steps: int | None = harness.setting(
        None, "L, the steps that carry the class", "task", kind=int, low=1,
        high=1000, otherwise=3, needs=("task", "latch1994"))
    split: str = harness.setting(
        "fresh", "fresh: new sequences in every batch; question: the question's fixed set, sorted "
        "by class, its last 20% the validation set; shuffled: the same set, shuffled before it is "
        "split", "task", choices=("fresh", "question", "shuffled"))
    samples: int | None = harness.setting(
        None, "sequences in a fixed set", "task", kind=int, low=500, high=10**7,
        otherwise=10_000, needs=("split", ("question", "shuffled")))
    cell: str = harness.setting(
        "lstm", "srnn (tanh), lstm or gru", "model", choices=("srnn", "lstm", "gru"))
    units: int = harness.setting(1, "units", "model", low=1, high=256)
    init: str = harness.setting(
        "ortho", "start of the recurrent weights: ortho (Keras: orthogonal, over all gates) or "
        "identity (srnn only)", "model", choices=("ortho", "identity"))
    init_scale: float = harness.setting(1.0, "factor on that start", "model", low=0, high=1e6)
    forget_bias: str | float | None = harness.setting(
        None, "start of the forget gate's bias: a number, chrono (Tallec & Ollivier 2018), or none "
        "for no forget gate, as in 1997", "model", kind=str,
        otherwise=1.0, needs=("cell", "lstm"))
    update_bias: float | None = harness.setting(
        None, "start of the update gate's bias", "model", kind=float, low=-1e6, high=1e6,
        otherwise=0.0, needs=("cell", "gru"))
    reset: str | None = harness.setting(
        None, "the reset gate acts before the recurrent product (Keras in 2018) or after it",
        "model", kind=str, choices=("before", "after"),
        otherwise="before", needs=("cell", "gru"))
    recurrent_activation: str | None = harness.setting(
        None, "squashing of the gates (Keras in 2018: hard_sigmoid)", "model",
        kind=str, choices=("sigmoid", "hard_sigmoid"),
        otherwise="sigmoid", needs=("cell", ("lstm", "gru")))
    updates: int | None = harness.setting(
        None, "training updates; with a fixed set what --epochs gives", "training", kind=int,
        low=1, high=10**8, otherwise=harness.by("split", {"fresh": 4000}))
    epochs: int | None = harness.setting(
        None, "passes over a fixed set", "training", kind=int, low=1, high=10**6,
        otherwise=5, needs=("split", ("question", "shuffled")))
    batch: int = harness.setting(
        16, "sequences in a batch, a multiple of 4", "training", low=4, high=4096)
    lr: float = harness.setting(1e-3, "Adam's learning rate", "training", low=1e-12, high=1e12)
    seed: int = harness.setting(
        0, "seed of the first repeat; the next has the next seed", "training", low=0, high=2**62)
    repeats: int = harness.setting(
        30, "nets trained side by side, each with its own weights and streams", "training",
        low=1, high=10_000)
    dtype: str = harness.setting(
        "float64", "precision of weights and activations", "training",
        choices=("float64", "float32"))

    def __post_init__(self):
        """Fills what depends on others. Raises ValueError for settings that do not go together."""
        harness.fill(self)
        if self.cell == "lstm":
            harness.change(self, "forget_bias", forget_bias_value(self.forget_bias))
        if self.init == "identity" and self.cell != "srnn":
            raise ValueError("--init identity needs --cell srnn: the gates have no square matrix together")
        if self.task == "latch1994" and (
                self.cell != "srnn" or self.units != 1 or self.latch_steps > self.T):
            raise ValueError("--task latch1994 needs --cell srnn, --units 1 and at most T --latch-steps")
        if self.batch % 4:
            raise ValueError("--batch must be a multiple of 4, so that its classes are balanced")
        if self.split != "fresh":
            harness.change(self, "updates", self.updates_of_epochs())
        gigabytes = self.bytes_needed() / 1e9
        if gigabytes > 4:
            raise ValueError(f"these settings need about {gigabytes:.0f} GB of memory: "
                             "lower --T, --repeats or --samples")

    def updates_of_epochs(self):
        """The updates of all epochs on the training part of a fixed set. Raises ValueError."""
        training = self.samples * 4 // 5
        if self.samples % (5 * WIDTH) or training % self.batch:
            raise ValueError(f"--samples must be a multiple of {5 * WIDTH}, and 80% of it a "
                             "multiple of --batch")
        updates = self.epochs * training // self.batch
        if self.updates not in (None, updates):
            raise ValueError(f"--updates contradicts --epochs, which gives {updates}")
        return updates

    def bytes_needed(self):
        """What a run holds at its largest: two held-out sets, one of them while it is put together
        from copies; a fixed set; three nets' activations and derivatives, and the views of these."""
        copies = 3 if self.repeats == 1 else 4
        held = 8 * inputs(self) * (copies * N_TEST + 3 * self.batch) + 12 * (self.samples or 0)
        columns = self.batch + WIDTH + LONGER * LONGER_WIDTH
        nets = columns * 16 * self.units * np.dtype(self.dtype).itemsize
        return self.T * (self.repeats * (held + nets) + 300 * (20 + self.units))


def forget_bias_value(text):
    """The forget bias as a number, "chrono" or "none". Raises ValueError for anything else."""
    if text in ("chrono", "none"):
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= 1e6:
        raise ValueError(f"--forget-bias {text} is neither a number up to 1e6, nor chrono, nor none")
    return value


@dataclasses.dataclass(frozen=True)
class Options(harness.SequenceOptions):
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    eval_every: int = harness.setting(
        500, "updates between evaluations on the held-out set", "output", low=1, high=10**8)
    ends_only: bool = harness.setting(
        False, "of the history, keep only the start and the end", "output")


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


def inputs(settings):
    """Input channels of a task: the sequence; latch1994 has one per class and trained step besides."""
    return 1 if settings.task != "latch1994" else 2 * settings.latch_steps + 1


def make_sequences(rng, settings, n):
    """Draws n sequences of a repeat. Returns x (T, inputs, n) and the class, +1 or -1, as sign (n,).

    Only the noise is drawn: the signs alternate (+ - + - for the first element, + + - - for the one
    at T // 2), so that every four sequences in a row are balanced in each sign and in the class.

    latch1994: channel 2 t + k is 1 at step t < L of class k, so that its weight is the trained input
    h_t^k; the last channel is the noise after step L, with a weight fixed at 1.
    """
    T, column = settings.T, np.arange(n)
    x = np.zeros((T, inputs(settings), n))
    x[:, -1] = rng.normal(0, settings.noise, (T, n))
    first, second = np.where(column % 2, -1.0, 1.0), np.where(column // 2 % 2, -1.0, 1.0)
    if settings.task == "latch1994":
        x[: settings.latch_steps, -1] = 0
        for t in range(settings.latch_steps):
            x[t, 2 * t] = first > 0
            x[t, 2 * t + 1] = first < 0
        return x, first
    x[0, 0] += first
    if settings.task == "latch":
        return x, first
    x[T // 2, 0] += second
    return x, first * second


def fixed_set(rng, settings):
    """The fixed set of a repeat: (x, sign) of the first 80%, for training, and of the last 20%, for
    validation.

    `question` sorts the classes and splits unshuffled, as Keras does with validation_split: of
    10,000 sequences the last 2000 are all of the class -1, and 5000 of the first 8000 are of the
    class +1. `shuffled` shuffles first.
    """
    x, sign = make_sequences(rng, settings, settings.samples)
    if settings.split == "question":
        order = np.argsort(-sign, kind="stable")
    else:
        order = rng.permutation(settings.samples)
    training, validation = np.split(order, [settings.samples * 4 // 5])
    return (x[:, :, training], sign[training]), (x[:, :, validation], sign[validation])


def training_chunks(rng, settings, training):
    """Yields training data of one repeat without end, K batches at a time: x (K, T, inputs, B) and
    sign (K, B).

    training: that part of a fixed set, shuffled anew every epoch, or None for fresh sequences.
    """
    T, B = settings.T, settings.batch
    K = max(1, 2**16 // (T * B))
    while True:
        if training is None:
            x, sign = make_sequences(rng, settings, K * B)
            yield x.reshape(T, -1, K, B).transpose(2, 0, 1, 3), sign.reshape(K, B)
        else:
            x, sign = training
            order = rng.permutation(len(sign)).reshape(-1, B)
            for start in range(0, len(order), K):
                chosen = order[start : start + K]
                yield x[:, :, chosen].transpose(2, 0, 1, 3), sign[chosen]


def side_by_side(arrays, dtype=float):
    """Joins the arrays of the repeats along the axis of sequences, the last: (..., B R). Column
    b R + r is sequence b of repeat r."""
    stacked = np.ascontiguousarray(np.moveaxis(np.array(arrays), 0, -1), dtype)
    return stacked.reshape(*stacked.shape[:-2], -1)


def training_batches(rngs, settings, training):
    """Yields batches of all repeats without end: x (T, inputs, B R), sign (B R,)."""
    sources = [training_chunks(rng["train"], settings, part) for rng, part in zip(rngs, training)]
    while True:
        chunks = [next(source) for source in sources]
        yield from zip(*(side_by_side(parts, settings.dtype) for parts in zip(*chunks)))


# --------------------------------------------------------------------------------------------------
# Model
# --------------------------------------------------------------------------------------------------

class Cell:
    """What the cells share: parameters of R repeats, the drive of the input, and the linear readout
    of the last state.

    The last axis of a parameter is the repeat. The last axis of everything else is C = B R columns;
    column b R + r is sequence b of repeat r. Every operation is elementwise or a sum in a fixed order
    within a repeat, never a product in BLAS: what a repeat computes does not depend, to the last
    bit, on who runs beside it.

    gates: a letter for each block of H rows, "" for a plain RNN; recurrent_bias: the rows of a
    second bias (GRU only).
    """

    def __init__(self, gates, n_in, H, n_out, T, B, R, dtype=float, theta=None, recurrent_bias=0):
        rows = max(1, len(gates)) * H
        self.gates, self.n_in, self.H, self.T, self.B, self.R = gates, n_in, H, T, B, R
        self.shapes = (
            (H, rows, R), (n_in, rows, R), (rows, R), (recurrent_bias, R), (H, n_out, R), (n_out, R))
        size = sum(math.prod(shape) for shape in self.shapes)
        self.theta = np.zeros(size, dtype) if theta is None else theta
        self.grad = np.zeros(size, self.theta.dtype)
        self.W_h, self.W_x, self.b, self.b_hg, self.W_y, self.b_y = self.split(self.theta)
        self.dW_h, self.dW_x, self.db, self.db_hg, self.dW_y, self.db_y = self.split(self.grad)
        self.a = self.buffer(T, rows)  # net inputs, then activations
        self.dz = self.buffer(T, rows)
        self.h = self.buffer(T + 1, H)  # h[t] is the state before step t
        self.h_units = [[h[j : j + 1] for j in range(H)] for h in self.h]
        self.dh, self.sent, self.terms = self.buffer(H), self.buffer(rows), self.buffer(T, rows)

    def buffer(self, *shape):
        """Zeros of this shape times the columns."""
        return np.zeros((*shape, self.B * self.R), self.theta.dtype)

    def split(self, vector):
        """The views W_h (H, rows, R), W_x (n_in, rows, R), b (rows, R), b_hg (H, R), or (0, R) for a
        cell without it, W_y (H, n_out, R) and b_y (n_out, R)."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(vector, ends), self.shapes)]

    def tensors(self, vector):
        """Named views of a flat vector, gate by gate: weights (to, from, R), biases (to, R)."""
        W_h, W_x, b, b_hg, W_y, b_y = self.split(vector)
        named, H = {}, self.H
        for k, gate in enumerate(self.gates or "h"):
            rows = slice(k * H, (k + 1) * H)
            named[f"W_h{gate}"] = W_h[:, rows].swapaxes(0, 1)
            named[f"W_x{gate}"] = W_x[:, rows].swapaxes(0, 1)
            named[f"b_{gate}"] = b[rows]
        if len(b_hg):
            named["b_hg"] = b_hg
        return named | {"W_y": W_y.swapaxes(0, 1), "b_y": b_y}

    def columns(self, parameter):
        """A parameter (..., R) spread over the columns: (..., C)."""
        return np.tile(parameter, self.B)

    def per_repeat(self, array):
        """The sum over the sequences of each repeat: (..., C) to (..., R); accumulate adds in order
        at any width."""
        by_sequence = array.reshape(*array.shape[:-1], self.B, self.R)
        return np.add.accumulate(by_sequence, axis=-2)[..., -1, :]

    def drive(self, x, factor=1.0):
        """Puts factor (W_x x_t + b) of every step into a, and h_0 = 0. x: (T, n_in, C)."""
        self.x, self.h[0] = x, 0
        W_x = self.columns(self.W_x * factor)
        np.multiply(W_x[0], x[:, :1], out=self.a)
        for k in range(1, self.n_in):
            self.a += np.multiply(W_x[k], x[:, k : k + 1], out=self.terms)
        self.a += self.columns(self.b * factor)

    def readout(self):
        """y = W_y h_T + b_y. Returns (n_out, C)."""
        y = self.columns(self.b_y)
        for W_j, h_j in zip(self.columns(self.W_y), self.h_units[-1]):
            y += W_j * h_j
        return y

    def backward(self, dy):
        """Fills grad from dy = dL/dy (n_out, C), for the sequences of the last forward."""
        self.db_y[:] = self.per_repeat(dy)
        W_y, h_T = self.columns(self.W_y), self.h_units[-1]
        for dW_j, W_j, h_j, dh_j in zip(self.dW_y, W_y, h_T, self.dh):
            dW_j[:] = self.per_repeat(dy * h_j)  # dW_y = dy h_T^T
            np.add.reduce(W_j * dy, 0, None, dh_j)  # dh_T = W_y^T dy
        self.back_in_time()
        self.recurrent_gradient()
        self.correlate(self.dz, self.x, self.dW_x)
        self.db[:] = self.per_repeat(self.dz.sum(0))

    def correlate(self, dz, s, dW):
        """dW_j = sum over steps and sequences of dz s_j. dz: (T, rows, C); s: (T, n, C); dW: (n, rows, R)."""
        for j, dW_j in enumerate(dW):
            np.multiply(dz, s[:, j : j + 1], out=self.terms[:, : dz.shape[1]])
            dW_j[:] = self.per_repeat(self.terms[:, : dz.shape[1]].sum(0))

    def recurrent_gradient(self):
        """Fills dW_h (and db_hg), from dz and the states."""
        self.correlate(self.dz, self.h[:-1], self.dW_h)

    def jacobian(self):
        """|dh_T / dx_1|, the Frobenius norm, for the sequences of the last forward: (C,). x: the
        last channel."""
        squares, W_x = 0, self.columns(self.W_x[-1])
        for j in range(self.H):
            self.dh[:] = 0
            self.dh[j] = 1
            self.back_in_time()
            squares = squares + (W_x * self.dz[0]).sum(0) ** 2
        return np.sqrt(squares)


def recurrent_product(W, units, z, part):
    """z += W h in every column. W: (H, rows, C); units: H views (1, C); z and part, which is
    overwritten: (rows, C)."""
    for W_j, h_j in zip(W, units):
        np.multiply(W_j, h_j, part)
        np.add(z, part, z)


def transposed_product(W, dz, dh, part):
    """dh = W^T dz in every column. W: (H, rows, C); dz and part, which is overwritten: (rows, C);
    dh: (H, C)."""
    for W_j, dh_j in zip(W, dh):
        np.multiply(W_j, dz, part)
        np.add.reduce(part, 0, None, dh_j)


class SRNN(Cell):
    """h_t = tanh(W_h h_{t-1} + W_x x_t + b), y = W_y h_T + b_y."""

    def __init__(self, n_in, H, n_out, T, B, R, dtype=float, theta=None):
        super().__init__("", n_in, H, n_out, T, B, R, dtype, theta)

    def forward(self, x):
        """y (n_out, C) for x (T, n_in, C)."""
        self.drive(x)
        W, sent, tanh = self.columns(self.W_h), self.sent, np.tanh
        for a, units, h in zip(self.a, self.h_units, self.h[1:]):
            recurrent_product(W, units, a, sent)  # z_t = W_h h_{t-1} + W_x x_t + b
            tanh(a, h)  # h_t = tanh(z_t)
        return self.readout()

    def back_in_time(self):
        """Fills dz from dh = dL/dh_T (H, C); leaves dL/dh_0 in dh."""
        np.multiply(self.h[1:], self.h[1:], out=self.dz)
        np.subtract(1, self.dz, out=self.dz)  # tanh' = 1 - h^2, for all steps at once
        W, dh, sent = self.columns(self.W_h), self.dh, self.sent
        for dz in self.dz[::-1]:
            np.multiply(dz, dh, dz)  # dz_t = (1 - h_t^2) dh_t
            transposed_product(W, dz, dh, sent)  # dh_{t-1} = W_h^T dz_t


class Gated(Cell):
    """A cell with sigmoid gates s: sigma(z) = (1 + tanh(z/2)) / 2, or hard_sigmoid(z) =
    min(max(0.2 z + 0.5, 0), 1).

    The 1/2 or 0.2 is folded into the gates' weights before the loop; 1/2 is added after it.
    """

    def __init__(self, gates, n_in, H, n_out, T, B, R, dtype, theta, hard, recurrent_bias=0):
        super().__init__(gates, n_in, H, n_out, T, B, R, dtype, theta, recurrent_bias)
        self.hard, self.half = hard, np.asarray(0.5, self.theta.dtype)
        self.fold = np.full((len(gates) * H, 1), 0.2 if hard else 0.5, self.theta.dtype)
        self.fold[-H:] = 1  # the candidate, last, has a tanh
        self.s, self.g = self.a[:, :-H], self.a[:, -H:]  # gates and candidate
        self.part = self.buffer(H)

    def by_gate(self, array):
        """Splits (T, k H, C) into k views (T, H, C), a gate each, in the order of self.gates."""
        return [array[:, row : row + self.H] for row in range(0, array.shape[1], self.H)]

    def squash(self, s):
        """Turns folded net inputs of gates into activations, in place."""
        if self.hard:
            np.add(s, self.half, s)
            np.maximum(s, 0, out=s)  # of complex numbers the real part decides
            np.minimum(s, 1, out=s)  # s = min(max(0.2 z + 1/2, 0), 1)
        else:
            np.tanh(s, s)
            np.multiply(s, self.half, s)
            np.add(s, self.half, s)  # s = (1 + tanh(z/2)) / 2

    def squash_derivatives(self):
        """Fills dz with ds/dz of the gates and dg/dz of the candidate, for all steps at once."""
        ds, dg = self.dz[:, : -self.H], self.dz[:, -self.H :]
        if self.hard:
            np.multiply((self.s > 0) & (self.s < 1), self.fold[0], out=ds)
        else:
            np.subtract(1, self.s, out=ds)
            ds *= self.s
        np.multiply(self.g, self.g, out=dg)
        np.subtract(1, dg, out=dg)


class LSTM(Gated):
    """The LSTM, with the forget gate of Gers, Schmidhuber & Cummins (2000) or, as in 1997, without.

    o_t, i_t, f_t = sigma(W_h h_{t-1} + W_x x_t + b)    output, input, forget gate; W_h, W_x, b of each
    g_t = tanh(W_hg h_{t-1} + W_xg x_t + b_g)           candidate
    c_t = i_t g_t + f_t c_{t-1}                         without forget gate c_t = i_t g_t + c_{t-1}
    h_t = o_t tanh(c_t),  y = W_y h_T + b_y
    """

    def __init__(self, n_in, H, n_out, T, B, R, dtype=float, theta=None, forget_gate=True,
                 hard=False):
        gates = "oifg" if forget_gate else "oig"
        super().__init__(gates, n_in, H, n_out, T, B, R, dtype, theta, hard)
        self.c = self.buffer(T + 1, H)  # c[t] is the state before step t
        self.tanh_c, self.dc_dh = self.buffer(T, H), self.buffer(T, H)  # dc_dh: o (1 - tanh(c)^2)
        self.dc = self.buffer(H)
        self.o, self.i, *f = self.by_gate(self.s)
        self.f = f[0] if forget_gate else [None] * T
        self.forward_steps = list(zip(
            self.a, self.s, self.o, self.i, self.f, self.g, self.c[:-1], self.c[1:], self.tanh_c,
            self.h_units, self.h[1:]))
        dz_o, dz_i, *dz_f, dz_g = self.by_gate(self.dz)
        self.backward_steps = list(zip(
            self.dz, dz_o, dz_i, dz_f[0] if forget_gate else [None] * T, dz_g, self.f, self.dc_dh))

    def forward(self, x):
        """y (n_out, C) for x (T, n_in, C)."""
        self.drive(x, self.fold)
        self.c[0] = 0
        W, sent, ig = self.columns(self.W_h * self.fold), self.sent, self.part
        squash, tanh = self.squash, np.tanh
        multiply, add = np.multiply, np.add  # each writes into its last argument
        for a, s, o, i, f, g, c_prev, c, tanh_c, units, h in self.forward_steps:
            recurrent_product(W, units, a, sent)  # z_t = W_h h_{t-1} + W_x x_t + b
            squash(s)  # o_t, i_t, f_t = sigma(z_t)
            tanh(g, g)  # g_t = tanh(z_t)
            kept = c_prev if f is None else multiply(f, c_prev, c)
            add(multiply(i, g, ig), kept, c)  # c_t = i_t g_t + f_t c_{t-1}
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)  # h_t = o_t tanh(c_t)
        return self.readout()

    def back_in_time(self):
        """Fills dz from dh = dL/dh_T (H, C); leaves dL/dh_0 in dh."""
        self.local_derivatives()
        W, sent, multiply = self.columns(self.W_h), self.sent, np.multiply
        dh, dc, part = self.dh, self.dc, self.part
        dc[:] = 0
        for dz, dz_o, dz_i, dz_f, dz_g, f, dc_dh in reversed(self.backward_steps):
            multiply(dz_o, dh, dz_o)  # dz_o = tanh(c_t) o_t (1 - o_t) dh_t
            np.add(dc, multiply(dh, dc_dh, part), dc)  # dc_t += o_t (1 - tanh(c_t)^2) dh_t
            multiply(dz_i, dc, dz_i)  # dz_i = g_t i_t (1 - i_t) dc_t
            multiply(dz_g, dc, dz_g)  # dz_g = i_t (1 - g_t^2) dc_t
            if f is not None:
                multiply(dz_f, dc, dz_f)  # dz_f = c_{t-1} f_t (1 - f_t) dc_t
                multiply(dc, f, dc)  # dc_{t-1} = f_t dc_t
            transposed_product(W, dz, dh, sent)  # dh_{t-1} = W_h^T dz_t

    def local_derivatives(self):
        """Fills dz with dh_t/dz_o and dc_t/dz of the other gates, and dc_dh with dh_t/dc_t, for all
        steps at once."""
        self.squash_derivatives()
        dz_o, dz_i, *dz_f, dz_g = self.by_gate(self.dz)
        dz_o *= self.tanh_c
        dz_i *= self.g
        dz_g *= self.i
        for dz_forget in dz_f:
            dz_forget *= self.c[:-1]
        np.multiply(self.tanh_c, self.tanh_c, out=self.dc_dh)
        np.subtract(1, self.dc_dh, out=self.dc_dh)
        self.dc_dh *= self.o


class GRU(Gated):
    """The gated recurrent unit (Cho et al. 2014), with the sign of Keras: a high update gate z keeps.

    z_t, r_t = sigma(W_h h_{t-1} + W_x x_t + b)               update, reset gate; W_h, W_x, b of each
    g_t = tanh(W_hg (r_t h_{t-1}) + W_xg x_t + b_g)           reset before the product (Keras in 2018)
    g_t = tanh(r_t (W_hg h_{t-1} + b_hg) + W_xg x_t + b_g)    or after it (Keras since, torch)
    h_t = z_t h_{t-1} + (1 - z_t) g_t,  y = W_y h_T + b_y
    """

    def __init__(self, n_in, H, n_out, T, B, R, dtype=float, theta=None, reset_after=False,
                 hard=False):
        recurrent_bias = H if reset_after else 0
        super().__init__("zrg", n_in, H, n_out, T, B, R, dtype, theta, hard, recurrent_bias)
        self.reset_after = reset_after
        self.z, self.r = self.by_gate(self.s)
        self.gap = self.buffer(T, H)  # h_{t-1} - g_t
        self.reset = self.buffer(T, H)  # r h_{t-1}, or what r multiplies, W_hg h_{t-1} + b_hg
        self.dg_sent = self.buffer(T, H)  # dL/d(W_hg h_{t-1} + b_hg), reset after the product
        self.dpart = self.buffer(H)
        reset_units = [[reset[j : j + 1] for j in range(H)] for reset in self.reset]
        self.forward_steps = list(zip(
            self.s, self.z, self.r, self.g, self.h[:-1], self.h_units, self.reset, reset_units,
            self.gap, self.h[1:]))
        dz_z, dz_r, dz_g = self.by_gate(self.dz)
        self.backward_steps = list(zip(
            self.dz[:, : 2 * H], dz_z, dz_r, dz_g, self.z, self.r, self.dg_sent))

    def forward(self, x):
        """y (n_out, C) for x (T, n_in, C)."""
        self.drive(x, self.fold)
        W_s, W_g = np.split(self.columns(self.W_h * self.fold), [2 * self.H], axis=1)
        sent_s, sent_g, b_hg = self.sent[: 2 * self.H], self.part, self.columns(self.b_hg)
        add, multiply = np.add, np.multiply
        for s, z, r, g, h_prev, units, reset, reset_units, gap, h in self.forward_steps:
            recurrent_product(W_s, units, s, sent_s)
            self.squash(s)  # z_t, r_t = sigma(W_h h_{t-1} + W_x x_t + b)
            if self.reset_after:
                reset[:] = b_hg
                recurrent_product(W_g, units, reset, sent_g)
                add(g, multiply(r, reset, sent_g), g)  # r_t (W_hg h_{t-1} + b_hg) + W_xg x_t + b_g
            else:
                multiply(r, h_prev, reset)
                recurrent_product(W_g, reset_units, g, sent_g)  # W_hg (r_t h_{t-1}) + W_xg x_t + b_g
            np.tanh(g, g)  # g_t, the tanh of either
            np.subtract(h_prev, g, gap)
            add(multiply(z, gap, h), g, h)  # h_t = z_t (h_{t-1} - g_t) + g_t
        return self.readout()

    def back_in_time(self):
        """Fills dz (and dg_sent) from dh = dL/dh_T (H, C); leaves dL/dh_0 in dh."""
        self.local_derivatives()
        W_s, W_g = np.split(self.columns(self.W_h), [2 * self.H], axis=1)
        sent_s, sent_g, multiply = self.sent[: 2 * self.H], self.part, np.multiply
        dh, back = self.dh, self.dpart
        for dz_s, dz_z, dz_r, dz_g, z, r, dg_sent in reversed(self.backward_steps):
            multiply(dz_z, dh, dz_z)  # dz_z = (h_{t-1} - g_t) z_t (1 - z_t) dh_t
            multiply(dz_g, dh, dz_g)  # dz_g = (1 - z_t) (1 - g_t^2) dh_t
            multiply(dh, z, dh)  # dh_{t-1} = z_t dh_t + what the gates and the candidate send back
            if self.reset_after:
                multiply(dz_r, dz_g, dz_r)  # dz_r = (W_hg h_{t-1} + b_hg) r_t (1 - r_t) dz_g
                transposed_product(W_g, multiply(dz_g, r, dg_sent), back, sent_g)
            else:
                transposed_product(W_g, dz_g, back, sent_g)
                multiply(dz_r, back, dz_r)  # dz_r = h_{t-1} r_t (1 - r_t) W_hg^T dz_g
                multiply(back, r, back)
            np.add(dh, back, dh)  # + W_hg^T (r_t dz_g), or r_t (W_hg^T dz_g)
            transposed_product(W_s, dz_s, back, sent_s)
            np.add(dh, back, dh)  # + W_h^T [dz_z; dz_r]

    def local_derivatives(self):
        """Fills dz with dh_t/dz_z, dh_t/dz_g and what the reset gate scales by, for all steps."""
        self.squash_derivatives()
        dz_z, dz_r, dz_g = self.by_gate(self.dz)
        dz_z *= self.gap
        dz_r *= self.reset if self.reset_after else self.h[:-1]
        dz_g *= np.subtract(1, self.z, out=self.dg_sent)

    def recurrent_gradient(self):
        """Fills dW_h and db_hg from dz and the states."""
        H = self.H
        self.correlate(self.dz[:, : 2 * H], self.h[:-1], self.dW_h[:, : 2 * H])
        if self.reset_after:
            self.correlate(self.dg_sent, self.h[:-1], self.dW_h[:, 2 * H :])
            self.db_hg[:] = self.per_repeat(self.dg_sent.sum(0))
        else:
            self.correlate(self.dz[:, 2 * H :], self.reset, self.dW_h[:, 2 * H :])


def build(settings, B, R, theta=None):
    """The cell of these settings for batches of B sequences of R repeats; theta: a flat vector to
    use in place of a new one."""
    n_out = 1 if settings.task == "latch1994" else 2
    shape = (inputs(settings), settings.units, n_out, settings.T, B, R, settings.dtype, theta)
    if settings.cell == "srnn":
        return SRNN(*shape)
    hard = settings.recurrent_activation == "hard_sigmoid"
    if settings.cell == "gru":
        return GRU(*shape, reset_after=settings.reset == "after", hard=hard)
    return LSTM(*shape, forget_gate=settings.forget_bias != "none", hard=hard)


def initialise(net, settings, rngs):
    """Draws the start of every repeat from its own stream, as Keras does: biases 0 except those of
    --forget-bias and --update-bias; recurrent weights by recurrent_start; W_x and W_y uniform up to
    sqrt(6 / (fan in + fan out)), the fan out of W_x counting all gates.
    """
    tensors, rows = net.tensors(net.theta), net.W_h.shape[1]
    for r, rng in enumerate(rngs):
        start = settings.init_scale * recurrent_start(settings.init, rows, net.H, rng["init"])
        net.W_h[:, :, r] = start.T
        for W in (net.W_x, net.W_y):
            limit = math.sqrt(6 / (W.shape[0] + W.shape[1]))
            W[:, :, r] = rng["init"].uniform(-limit, limit, W.shape[:2])
        if settings.forget_bias == "chrono":  # Tallec & Ollivier (2018), equation 16, T_max = T
            tensors["b_f"][:, r] = np.log(rng["init"].uniform(1, settings.T - 1, net.H))
            tensors["b_i"][:, r] = -tensors["b_f"][:, r]
        elif settings.forget_bias not in (None, "none"):
            tensors["b_f"][:, r] = settings.forget_bias
        if settings.update_bias is not None:
            tensors["b_z"][:, r] = settings.update_bias
    if settings.task == "latch1994":
        net.W_x[-1] = 1
        net.W_y[:] = 1


def recurrent_start(init, rows, H, rng):
    """A (rows, H) matrix: identity, or ortho (Haar: QR of a Gaussian, signs fixed), with orthonormal
    columns: for one unit +1 or -1 for the SRNN, a random unit vector across the gates for LSTM and
    GRU."""
    if init == "identity":
        return np.eye(H)
    Q, R = np.linalg.qr(rng.normal(0, 1, (rows, H)))
    return Q * np.sign(np.diag(R))


def trained(net, settings):
    """1 for every trained parameter, 0 for a fixed one: latch1994 trains only W_h and the h_t^k."""
    mask = np.ones(net.theta.size)
    if settings.task == "latch1994":
        _, W_x, b, _, W_y, b_y = net.split(mask)
        W_x[-1], b[:], W_y[:], b_y[:] = 0, 0, 0, 0
    return mask


def decision(y):
    """The number whose sign is the net's answer: y_1 - y_0 of two outputs, y_0 of one. y: (n_out, ...)."""
    return y[1] - y[0] if len(y) == 2 else y[0]


def loss_and_gradient(net, y, sign):
    """Loss of each repeat (R,) and dL/dy (n_out, C): the mean over its batch of L.

    Two outputs: L = -log softmax(y)[class], the cross-entropy; class +1 is output 1. One output
    (latch1994): L = (y - 0.8 sign)^2 / 2.
    """
    if len(y) == 1:
        error = y[0] - TARGET_1994 * sign
        return net.per_repeat(error * error) / 2 / net.B, error[None] / net.B
    margin = sign * decision(y)
    small = np.exp(np.where(margin.real > 0, -margin, margin))
    loss = np.log(1 + small) - np.where(margin.real > 0, 0, margin)
    slope = -sign * np.where(margin.real > 0, small, 1) / (1 + small) / net.B  # dL/d(y_1 - y_0)
    return net.per_repeat(loss) / net.B, np.array([-slope, slope])


# --------------------------------------------------------------------------------------------------
# Optimizer
# --------------------------------------------------------------------------------------------------

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


CHECKED = {
    "srnn": dict(cell="srnn"),
    "lstm": dict(cell="lstm"),
    "lstm, hard_sigmoid": dict(cell="lstm", recurrent_activation="hard_sigmoid"),
    "lstm, no forget gate": dict(cell="lstm", forget_bias="none"),
    "gru, reset before": dict(cell="gru", reset="before"),
    "gru, reset after": dict(cell="gru", reset="after"),
    "gru, hard_sigmoid": dict(cell="gru", recurrent_activation="hard_sigmoid"),
}


def gradcheck(choice, units=1, updates=0, task="bit_relay", T=30, B=4, R=2):
    """Checks every weight of a tiny net, at a random start or after updates. Returns the rows of
    check_gradient. The loss is the sum over the repeats: one check covers them all."""
    settings = Settings(task=task, T=T, units=units, batch=B, repeats=R, noise=0.5, **choice)
    rngs = [streams(r) for r in range(R)]
    net = build(settings, B, R)
    initialise(net, settings, rngs)
    for name, tensor in net.tensors(net.theta).items():
        if name.startswith("b_"):
            drawn = [rng["init"].uniform(-0.1, 0.1, len(tensor)) for rng in rngs]
            tensor += np.stack(drawn, axis=-1)
    optimizer, batches = Adam(net.theta, epsilon=1e-7), training_batches(rngs, settings, [None] * R)
    for _ in range(updates):
        update(net, optimizer, *next(batches), 5e-3, 1)
    x, sign = next(batches)
    _, dy = loss_and_gradient(net, net.forward(x), sign)
    net.backward(dy)

    def loss(theta):
        other = build(settings, B, R, theta)
        return loss_and_gradient(other, other.forward(x), sign)[0].sum()

    return check_gradient(loss, net.theta, net.grad, net.tensors)


def gradcheck_all():
    """The gradient check over every cell, of one unit and of three, at the start and trained.
    Returns the exit code."""
    passed = True
    for units, words in ((1, "1 unit"), (3, "3 units")):
        for name, choice in CHECKED.items():
            for updates, where in ((0, "random weights"), (200, "trained weights")):
                rows = gradcheck(choice, units, updates)
                passed &= harness.report_gradients(f"{name}, {words}, {where}", rows)
    rows = gradcheck(CHECKED["srnn"], task="latch1994")
    passed &= harness.report_gradients("srnn, latch1994, random weights", rows)
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


def update(net, optimizer, x, sign, lr, mask):
    """One training update of all repeats: forward, backward, Adam. Returns the loss of each (R,)."""
    loss, dy = loss_and_gradient(net, net.forward(x), sign)
    net.backward(dy)
    net.grad *= mask
    optimizer.step(net.grad, lr)
    return loss


def learn(settings, rngs, training):
    """Trains all repeats of a setting in lockstep, from their streams. Yields, at the start and
    after every update: the net, and the loss of each repeat (R,), None at the start.

    training: the training part of each repeat's fixed set, or None each for fresh sequences.
    """
    net = build(settings, settings.batch, settings.repeats)
    initialise(net, settings, rngs)
    optimizer, mask = Adam(net.theta, epsilon=1e-7), trained(net, settings)  # Keras' epsilon
    batches = training_batches(rngs, settings, training)
    yield net, None
    for _ in range(settings.updates):
        x, sign = next(batches)  # (T, inputs, B R), (B R,)
        loss = update(net, optimizer, x, sign, settings.lr, mask)
        yield net, loss


def slices(net, x):
    """Runs x (T, inputs, n R) through a net of n' <= n sequences at a time. Yields the slice of
    columns and y; ends early when the run is to stop."""
    width = net.B * net.R
    for start in range(0, x.shape[2], width):
        if harness.stopped():
            return
        columns = slice(start, start + width)
        yield columns, net.forward(np.ascontiguousarray(x[:, :, columns]))


def accuracy(net, x, sign):
    """The fraction of sequences with the right sign, for each repeat (R,); None if the run is to
    stop. x: (T, inputs, n R), sign: (n R,)."""
    right = np.empty(len(sign))
    for columns, y in slices(net, x):
        right[columns] = decision(y) * sign[columns] > 0
    return None if harness.stopped() else right.reshape(-1, net.R).mean(0)


def last_states(net, x):
    """h_T of every sequence: (H, n, R)."""
    states = np.empty((net.H, x.shape[2]))
    for columns, _ in slices(net, x):
        states[:, columns] = net.h[-1]
    return states.reshape(net.H, -1, net.R)


def probe(net, fit, test):
    """What a linear readout can still decode of the class from h_T, without training the net: (R,)
    accuracies, None if the run is to stop.

    For each repeat, least squares of the sign on [h_T, standardised; 1] over the sequences of
    fit = (x, sign), scored on those of test.
    """
    h_fit, h_test = (last_states(net, x) for x, _ in (fit, test))
    if harness.stopped():
        return None
    signs, test_signs = (sign.reshape(-1, net.R) for _, sign in (fit, test))
    return decoded(h_fit, signs, h_test, test_signs)


def decoded(h_fit, signs, h_test, test_signs):
    """The probe's accuracies (a list of R) from states h (H, n, R) and their signs (n, R); None for a
    repeat whose states are not finite."""
    scores = []
    for r in range(signs.shape[1]):
        if not (np.isfinite(h_fit[:, :, r]).all() and np.isfinite(h_test[:, :, r]).all()):
            scores.append(None)
            continue
        mean, spread = h_fit[:, :, r].mean(1), h_fit[:, :, r].std(1) + 1e-300
        fit_rows, test_rows = (
            np.column_stack([(h[:, :, r].T - mean) / spread, np.ones(h.shape[1])])
            for h in (h_fit, h_test))
        weights = np.linalg.lstsq(fit_rows, signs[:, r])[0]
        scores.append(float((test_rows @ weights * test_signs[:, r] > 0).mean()))
    return scores


def retention(net, x):
    """How much of the first element's mark on the state is left at the end, for each repeat (R,):
    the distance of the mean states of sequences with a first +1 and a first -1, |E h_T+ - E h_T-|,
    over the same after the first step. x: (T, inputs, n R), as make_sequences orders it; None if
    the run is to stop."""
    first = np.repeat(np.where(np.arange(x.shape[2] // net.R) % 2, -1.0, 1.0), net.R)
    gaps = np.zeros((2, net.H, net.R))  # after the first step, at the end
    for columns, _ in slices(net, x):
        for gap, h in zip(gaps, (net.h[1], net.h[-1])):
            gap += net.per_repeat(h * first[columns])
    if harness.stopped():
        return None
    at_first, at_end = np.sqrt((gaps**2).sum(1))
    return short(at_end / np.maximum(at_first, 1e-300))


def longer_states(net, settings, rngs):
    """The state of every repeat after LONGER T steps, the last ones of noise, on N_LONGER new
    sequences of the stream `display`, and the class of each: h (H, n, R), sign (n, R). Ends early
    when the run is to stop."""
    longer, tail = copy.copy(settings), (LONGER - 1) * settings.T
    harness.change(longer, "T", LONGER * settings.T)
    nets = build(longer, LONGER_WIDTH, net.R, theta=net.theta)
    states, signs = [], []
    for _ in range(0, N_LONGER, LONGER_WIDTH):
        parts = []
        for rng in rngs:
            x, sign = make_sequences(rng["display"], settings, LONGER_WIDTH)
            noise = np.zeros((tail, *x.shape[1:]))
            noise[:, -1] = rng["display"].normal(0, settings.noise, (tail, LONGER_WIDTH))
            parts.append((np.concatenate([x, noise]), sign))
        x, sign = (side_by_side(arrays, settings.dtype) for arrays in zip(*parts))
        states.append(last_states(nets, x))
        signs.append(sign.reshape(-1, net.R))
        if harness.stopped():
            break
    return np.concatenate(states, axis=1), np.concatenate(signs)


def latch(net, settings, rngs):
    """How well a latch holds, for each repeat (R,): the probe of the state after LONGER T steps,
    where training ends at T; the readout plays no part. None if the run is to stop."""
    if harness.stopped():
        return None
    fit, test = (longer_states(net, settings, rngs) for _ in range(2))
    return None if harness.stopped() else decoded(*fit, *test)


def state_gradient(net, x):
    """Median of |dh_T / dx_1| over the first sequences of x, for each repeat (R,): how much the
    first input matters."""
    net.forward(np.ascontiguousarray(x[:, :, : net.B * net.R]))
    return short(np.median(net.jacobian().reshape(net.B, net.R), axis=0))


def short(values):
    """Floats of four digits, for the record."""
    return [float(f"{value:.4g}") for value in values]


def held_out(settings, rngs, stream):
    """1000 sequences of every repeat from its stream `eval` or `display`: x (T, inputs, 1000 R),
    sign (1000 R,)."""
    parts = [make_sequences(rng[stream], settings, N_TEST) for rng in rngs]
    return tuple(side_by_side(arrays, settings.dtype) for arrays in zip(*parts))


def sequences_of_a_run(settings, rngs):
    """The training part of every repeat's fixed set, or None each, and what is evaluated: a dict of
    (x, sign) by the name of its accuracy in the history."""
    training, sets = [None] * settings.repeats, {"test_accuracy": held_out(settings, rngs, "eval")}
    if settings.split != "fresh":
        training, parts = zip(*(fixed_set(rng["train"], settings) for rng in rngs))
        sets["validation_accuracy"] = tuple(
            side_by_side(arrays, settings.dtype) for arrays in zip(*parts))
    return training, sets


def evaluate(net, sets, diverged):
    """The accuracies of every repeat on the sets, None for one that diverged, and the fraction of
    successes; None if the run is to stop before they are complete."""
    figures = {}
    for name, (x, sign) in sets.items():
        values = accuracy(net, x, sign)
        if values is None:
            return None
        figures[name] = [None if lost else float(value) for value, lost in zip(values, diverged)]
    return figures | {"success_fraction": success_fraction(figures["test_accuracy"])}


def success_fraction(accuracies):
    """The fraction of repeats with an accuracy above 0.95; one that diverged (None) has failed."""
    return sum(value is not None and value > SUCCESS for value in accuracies) / len(accuracies)


def progress_words(row):
    """A row of the history for a person."""
    R, loss = len(row["train_loss"]), row["train_loss"]
    words = f"update {row['update']:6d}  {row['success_fraction'] * R:.0f} of {R} above {SUCCESS}"
    return words if loss[0] is None else f"{words}, median loss {np.median(loss):.4f}"


def train(settings, options, quiet=True):
    """Trains all repeats of a setting in lockstep. Returns their record: settings, seeds, history,
    final, best, weights and provenance.

    It ends early when harness.stopped() (status "interrupted", with the figures that were measured
    last). A repeat that diverges has a null accuracy from then on and makes the status "diverged";
    it does not touch the others.
    """
    start, R, status = time.perf_counter(), settings.repeats, "done"
    seeds = [settings.seed + r for r in range(R)]
    rngs = [streams(seed) for seed in seeds]
    training, sets = sequences_of_a_run(settings, rngs)
    checks, diverged = [Divergence(CHANCE_LOSS) for _ in seeds], np.zeros(R, bool)
    history = {name: [] for name in ("update", "train_loss", *sets, "success_fraction")}
    progress, loss_sum, measured_at = harness.Progress(settings.updates, quiet), np.zeros(R), 0
    with np.errstate(all="ignore"):
        for done, (net, loss) in enumerate(learn(settings, rngs, training)):
            if done == 0:
                tested = build(settings, WIDTH, R, theta=net.theta)
                at_start = look_at_start(tested, held_out(settings, rngs, "display"), sets)
                at_start["latch_start"] = latch(tested, settings, rngs)
            else:
                loss_sum += loss
                diverged |= [check(value) for check, value in zip(checks, loss.tolist())]
            last, figures = done == settings.updates or diverged.all(), None
            if last or done % options.eval_every == 0:
                figures = evaluate(tested, sets, diverged)
            if harness.stopped():
                status = "interrupted"
                break
            if figures is not None:
                train_loss = short(loss_sum / (done - measured_at)) if done else [None] * R
                row = dict(update=done, train_loss=train_loss) | figures
                for name, column in history.items():
                    column.append(row[name])
                progress(done, progress_words(row))
                loss_sum[:], measured_at = 0, done
            if last:
                break
        gradient_end = state_gradient(tested, sets["test_accuracy"][0])
        latch_end = latch(tested, settings, rngs)
    progress.close()
    if diverged.any() and status == "done":
        status = "diverged"
    measured = {name: column[-1] if column else None for name, column in history.items()}
    ended = dict(gradient_end=gradient_end, latch_end=latch_end, diverged=diverged.tolist())
    return {
        "settings": dataclasses.asdict(settings),
        "seeds": seeds,
        "history": ends(history) if options.ends_only else history,
        "final": {"status": status} | measured | at_start | ended,
        "best": best_point(history),
        "weights": {name: tensor.tolist() for name, tensor in net.tensors(net.theta).items()},
        "provenance": harness.provenance(CODE, time.perf_counter() - start),
    }


def look_at_start(net, display, sets):
    """How much of the first input reaches the last state of the untrained nets: by its gradient, by
    what is left of its mark, and by the probe."""
    test = sets["test_accuracy"]
    return {
        "gradient_start": state_gradient(net, test[0]), "retention_start": retention(net, test[0]),
        "probe_start": probe(net, display, test)}


def best_point(history):
    """Update and success of the curve's best point; None if nothing was measured."""
    if not history["update"]:
        return {"update": None, "success_fraction": None}
    best = int(np.argmax(history["success_fraction"]))
    return {name: history[name][best] for name in ("update", "success_fraction")}


def ends(history):
    """The first and the last row of the history."""
    return {name: column[:1] + column[1:][-1:] for name, column in history.items()}


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def parse(argv):
    """Parsed and checked command line: (a list with the settings, options, args). Exits with code 2
    on bad input."""
    parser = harness.experiment_parser(__doc__, Settings, Options, seeds=False)
    parser.add_argument("--seeds", type=harness.seed_range, metavar="A-B",
                        help="the seeds A to B, a repeat each, instead of --seed and --repeats")
    args = parser.parse_args(argv)
    if args.seeds:
        if args.given & {"--seed", "--repeats"}:
            parser.error("--seeds stands for both --seed and --repeats")
        args.seed, args.repeats, args.seeds = args.seeds[0], len(args.seeds), None
    runs = harness.runs_of(parser, args, Settings)
    harness.check_export_size(parser, args, runs[0].T * (inputs(runs[0]) + 1), N_TEST)
    return runs, harness.from_flags(Options, args), args


def summary(record):
    """One line on how a setting ended."""
    settings, final, n = record["settings"], record["final"], record["settings"]["repeats"]
    words = f"{settings['task']} {settings['cell']} T={settings['T']} units={settings['units']}"
    for name in ("init_scale", "forget_bias", "update_bias", "split"):
        if settings[name] not in (None, 1.0, 0.0, "fresh"):
            words += f" {name}={settings[name]}"
    if final["test_accuracy"] is None:
        words += ": nothing measured"
    else:
        successes = round(final["success_fraction"] * n)
        low, high = harness.wilson(successes, n)
        accuracies = [value for value in final["test_accuracy"] if value is not None]
        words += (f": {successes} of {n} above {SUCCESS} [{low:.2f}, {high:.2f}], "
                  f"median accuracy {np.median(accuracies or math.nan):.3f} (a guess: {CHANCE}), "
                  f"|dh_T/dx_1| {np.median(final['gradient_start']):.0e} at the start, "
                  f"probe {np.median(final['probe_start']):.2f}")
    words += f", {record['provenance']['wall_seconds']:.1f} s"
    if final["status"] != "done":
        words += f"  {final['status'].upper()} (update {final['update']})"
    return words


def export(settings, options):
    """Writes the held-out set and the first training sequences of the first repeat. Returns the
    exit code."""
    asked = {
        "latch": "The first element is +1 or -1 under noise, and its sign is the target.",
        "bit_relay": "The first element and that at T // 2 are +1 or -1 under noise; the target is +1 "
                     "if they have the same sign, else -1.",
        "latch1994": f"Channel 2 t + k is 1 at step t < {settings.latch_steps} of class k, the last "
                     "channel is noise after that; the target is the class, +1 (k = 0) or -1."}
    words = (
        f"Information latching (information_latching.py --task {settings.task} --T {settings.T} "
        f"--seed {settings.seed}), the first repeat. {asked[settings.task]} Noise is N(0, "
        f"{settings.noise:g}^2). The target stands at the last step. Criterion: the fraction of right "
        f"signs on the held-out set; a guess has {CHANCE}. Training batches have {settings.batch} "
        "sequences.")
    rng = streams(settings.seed)
    fixed = None if settings.split == "fresh" else fixed_set(rng["train"], settings)[0]
    batches = (batch for chunk in training_chunks(rng["train"], settings, fixed)
               for batch in zip(*chunk))
    return harness.export(
        options, words, settings.dtype, classes=False,
        train=harness.first_batches(batches, options, settings.batch),
        test=make_sequences(rng["eval"], settings, N_TEST))


def main(argv=None):
    runs, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all()
    if options.export:
        return export(runs[0], options)
    calls = [(settings, options, options.quiet) for settings in runs]
    return harness.run_and_save(CODE, train, calls, options, summary)


if __name__ == "__main__":
    sys.exit(main())
