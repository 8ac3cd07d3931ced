# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Information latching: why a one-unit LSTM keeps a bit worse than a one-unit tanh RNN, in one file of pure numpy.

Source: Bengio, Simard & Frasconi (1994), "Learning long-term dependencies with gradient descent is difficult", IEEE
Transactions on Neural Networks 5(2):157-166; and a public question of April 2018, with Keras code, that found the LSTM
to do worse than the simple RNN (SRNN).

Task: the first element of a sequence is +1 or -1, and N(0, 0.1^2) noise lies on every element. The net, of one unit
unless told otherwise, says the sign of the first element at the end. In `bit_relay` it says whether the first element
and the one at T // 2 have the same sign. In `latch1994`, after Bengio et al., the first L inputs of each class are
themselves trained, what follows is noise, and the state of one tanh unit shall end at +0.8 or -0.8.

Criterion: the accuracy on 1000 held-out sequences, and the fraction of repeats above 0.95. Classes are balanced:
guessing gives 0.5.

Commands:
    python3 information_latching.py                       thirty LSTMs at T = 100
    python3 information_latching.py --cell srnn           thirty tanh RNNs
    python3 information_latching.py --all --jobs 2        the table: every cell and start at eight lengths
    python3 information_latching.py --study relay         another study (tradeoff, split, relay, latch1994, tuning,
                                                          keras2018, landscape)
    python3 information_latching.py --gradcheck           every weight of every cell, before anything is trusted

Expect: some ten seconds for a command of thirty nets at T = 100, some minutes for the table. Each setting writes one
record into results.json, with lists over the repeats.
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
from pathlib import Path

import numpy as np

EXPERIMENT = "information_latching"
N_TEST = 1000  # held-out sequences of a repeat
WIDTH = 50  # sequences evaluated at once; it divides N_TEST and every validation split
SUCCESS = 0.95  # a repeat with a higher accuracy latches
TARGET_1994 = 0.8  # latch1994: the last state shall be +0.8 or -0.8
CHANCE_LOSS = math.log(2)  # cross-entropy of a guess between two classes


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


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    task: str = setting("latch", "latch, bit_relay or latch1994", "task", choices=("latch", "bit_relay", "latch1994"))
    T: int = setting(100, "steps in a sequence", "task", low=2, high=100_000)
    noise: float | None = setting(
        None, "standard deviation of the noise (default: 0.1; for latch1994 the square root of 0.2)", "task",
        kind=float, low=0, high=1e6)
    latch_steps: int | None = setting(
        None, "L, the steps that carry the class, latch1994 only (default: 3)", "task", kind=int, low=1, high=1000)
    split: str = setting(
        "fresh", "fresh: new sequences in every batch; question: the question's fixed set, sorted by class, its last "
        "20%% the validation set; shuffled: the same set, shuffled before it is split", "task",
        choices=("fresh", "question", "shuffled"))
    samples: int | None = setting(
        None, "sequences in a fixed set (default: 10000)", "task", kind=int, low=500, high=10**7)
    cell: str = setting("lstm", "srnn (tanh), lstm or gru", "model", choices=("srnn", "lstm", "gru"))
    units: int = setting(1, "units", "model", low=1, high=256)
    init: str = setting(
        "ortho", "start of the recurrent weights: ortho (Keras: orthogonal, over all gates) or identity (srnn only)",
        "model", choices=("ortho", "identity"))
    init_scale: float = setting(1.0, "factor on that start", "model", low=0, high=1e6)
    forget_bias: str | float | None = setting(
        None, "start of the forget gate's bias, lstm only: a number, chrono (Tallec & Ollivier 2018), or none for no "
        "forget gate, as in 1997 (default: 1)", "model", kind=str)
    update_bias: float | None = setting(
        None, "start of the update gate's bias, gru only (default: 0)", "model", kind=float, low=-1e6, high=1e6)
    reset: str | None = setting(
        None, "gru only: the reset gate acts before the recurrent product (Keras in 2018, the default) or after it",
        "model", kind=str, choices=("before", "after"))
    recurrent_activation: str | None = setting(
        None, "squashing of the gates, lstm and gru only (default: sigmoid; Keras in 2018: hard_sigmoid)", "model",
        kind=str, choices=("sigmoid", "hard_sigmoid"))
    updates: int | None = setting(
        None, "training updates (default: 4000; with a fixed set, what --epochs gives)", "training", kind=int, low=1,
        high=10**8)
    epochs: int | None = setting(
        None, "passes over a fixed set (default: 5)", "training", kind=int, low=1, high=10**6)
    batch: int = setting(16, "sequences in a batch, a multiple of 4", "training", low=4, high=4096)
    lr: float = setting(1e-3, "Adam's learning rate", "training", low=1e-12, high=1e12)
    seed: int = setting(0, "seed of the first repeat; the next has the next seed", "training", low=0, high=2**62)
    repeats: int = setting(
        30, "nets trained side by side, each with its own weights and streams", "training", low=1, high=10_000)
    dtype: str = setting("float64", "precision of weights and activations", "training", choices=("float64", "float32"))

    def __post_init__(self):
        """Fills what depends on the task and cell. Raises ValueError for settings that contradict one another."""
        gated, fixed, latch1994 = self.cell != "srnn", self.split != "fresh", self.task == "latch1994"
        applies = dict(
            latch_steps=(latch1994, 3, "--task latch1994"), samples=(fixed, 10_000, "--split question or shuffled"),
            epochs=(fixed, 5, "--split question or shuffled"), forget_bias=(self.cell == "lstm", 1.0, "--cell lstm"),
            update_bias=(self.cell == "gru", 0.0, "--cell gru"), reset=(self.cell == "gru", "before", "--cell gru"),
            recurrent_activation=(gated, "sigmoid", "--cell lstm or gru"),
            noise=(True, math.sqrt(0.2) if latch1994 else 0.1, ""))
        for name, (used, default, needs) in applies.items():
            if not used and getattr(self, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} needs {needs}")
            if used and getattr(self, name) is None:
                object.__setattr__(self, name, default)
        if self.cell == "lstm":
            object.__setattr__(self, "forget_bias", forget_bias_value(self.forget_bias))
        if self.init == "identity" and gated:
            raise ValueError("--init identity needs --cell srnn: the gates have no square matrix together")
        if latch1994 and (gated or self.units != 1 or self.latch_steps > self.T):
            raise ValueError("--task latch1994 needs --cell srnn, --units 1 and at most T --latch-steps")
        if self.batch % 4:
            raise ValueError("--batch must be a multiple of 4, so that its classes are balanced")
        object.__setattr__(self, "updates", self.number_of_updates())
        held = N_TEST + (self.samples or 0) + 8 * (self.units + 1) * self.batch
        gigabytes = self.T * held * self.repeats * 8 / 1e9
        if gigabytes > 4:
            raise ValueError(f"these settings need about {gigabytes:.0f} GB: lower --T, --repeats or --samples")

    def number_of_updates(self):
        """The updates given, 4000, or those of all epochs on the training part of a fixed set. Raises ValueError."""
        if self.split == "fresh":
            return self.updates or 4000
        training = self.samples * 4 // 5
        if self.samples % (5 * WIDTH) or training % self.batch:
            raise ValueError(f"--samples must be a multiple of {5 * WIDTH}, and 80% of it a multiple of --batch")
        updates = self.epochs * training // self.batch
        if self.updates not in (None, updates):
            raise ValueError(f"--updates contradicts --epochs, which gives {updates}")
        return updates


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
class LandscapeSettings:
    """Identity of a record of the loss landscape: the task `latch`, a one-unit net whose other weights are fixed."""

    landscape: str  # srnn: over (recurrent weight, bias); lstm: over (forget bias, recurrent weight)
    T: int
    points: int = 61  # along each axis
    sequences: int = 64
    noise: float = 0.1
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    eval_every: int = setting(500, "updates between evaluations on the held-out set", "output", low=1, high=10**8)
    jobs: int = setting(1, "processes, for several settings", "output", low=1, high=1024)
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


def inputs(settings):
    """Input channels of a task: the sequence; latch1994 has one per class and tunable step before it."""
    return 1 if settings.task != "latch1994" else 2 * settings.latch_steps + 1


def make_sequences(rng, settings, n):
    """Draws n sequences of a repeat. Returns x (T, inputs, n) and the class as a sign (n,), +1 or -1.

    Only the noise is drawn: the signs alternate (+ - + - for the first element, + + - - for the one at T // 2), so
    that every four sequences in a row are balanced in each sign and in the class.

    latch1994: channel 2 t + k is 1 at step t < L of class k, so that its weight is the trained input h_t^k; the last
    channel is the noise after step L, with a weight fixed at 1.
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
    """The fixed set of a repeat. Returns (training x, sign), (validation x, sign): the first 80% and the last 20%.

    `question` sorts the classes and splits unshuffled, as Keras does with validation_split: of 10,000 sequences the
    last 2000 are all of the class -1, and 5000 of the first 8000 are of the class +1. `shuffled` shuffles first.
    """
    x, sign = make_sequences(rng, settings, settings.samples)
    order = np.argsort(-sign, kind="stable") if settings.split == "question" else rng.permutation(settings.samples)
    training, validation = np.split(order, [settings.samples * 4 // 5])
    return (x[:, :, training], sign[training]), (x[:, :, validation], sign[validation])


def training_chunks(rng, settings, training):
    """Yields training data of one repeat without end, K batches at a time: x (K, T, inputs, B), sign (K, B).

    training: the training part of a fixed set, shuffled anew every epoch, or None for fresh sequences.
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
    """Stacks the arrays of the repeats along a new last axis and joins it with the axis of sequences: (..., B R).

    Column b R + r is sequence b of repeat r.
    """
    stacked = np.ascontiguousarray(np.moveaxis(np.array(arrays), 0, -1), dtype)
    return stacked.reshape(*stacked.shape[:-2], -1)


def training_batches(rngs, settings, training):
    """Yields batches of all repeats without end: x (T, inputs, B R), sign (B R,)."""
    sources = [training_chunks(rng["train"], settings, part) for rng, part in zip(rngs, training)]
    while True:
        chunks = [next(source) for source in sources]
        yield from zip(*(side_by_side(parts, settings.dtype) for parts in zip(*chunks)))


# ----------------------------------------------------------------------------------------------------------------------
# Model
# ----------------------------------------------------------------------------------------------------------------------

class Cell:
    """What the cells share: parameters of R repeats, the drive of the input, and the linear readout of the last state.

    The last axis of a parameter is the repeat. The last axis of everything else is C = B R columns; column b R + r is
    sequence b of repeat r. Every operation is elementwise or a sum in a fixed order within a repeat, never a product
    in BLAS: what a repeat computes does not depend, to the last bit, on who runs beside it.

    gates: a letter for each block of H rows, "" for a plain RNN; bias: rows of a second, recurrent bias (GRU only).
    """

    def __init__(self, gates, n_in, H, n_out, T, B, R, dtype=float, theta=None, recurrent_bias=0):
        rows = max(1, len(gates)) * H
        self.gates, self.n_in, self.H, self.T, self.B, self.R = gates, n_in, H, T, B, R
        self.shapes = (H, rows, R), (n_in, rows, R), (rows, R), (recurrent_bias, R), (H, n_out, R), (n_out, R)
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
        """The views W_h (H, rows, R), W_x (n_in, rows, R), b (rows, R), b_hg, W_y (H, n_out, R) and b_y (n_out, R)."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(vector, ends), self.shapes)]

    def tensors(self, vector):
        """Named views of a flat vector, gate by gate: weights (to, from, R), biases (to, R)."""
        W_h, W_x, b, b_hg, W_y, b_y = self.split(vector)
        named, H = {}, self.H
        for k, gate in enumerate(self.gates or "h"):
            rows = slice(k * H, (k + 1) * H)
            named |= {f"W_h{gate}": W_h[:, rows].swapaxes(0, 1), f"W_x{gate}": W_x[:, rows].swapaxes(0, 1)}
            named |= {f"b_{gate}": b[rows]}
        return named | ({"b_hg": b_hg} if len(b_hg) else {}) | {"W_y": W_y.swapaxes(0, 1), "b_y": b_y}

    def columns(self, parameter):
        """A parameter (..., R) spread over the columns: (..., C)."""
        return np.tile(parameter, self.B)

    def per_repeat(self, array):
        """The sum over the sequences of each repeat: (..., C) to (..., R). accumulate adds in order at any width."""
        return np.add.accumulate(array.reshape(*array.shape[:-1], self.B, self.R), axis=-2)[..., -1, :]

    def drive(self, x, factor=1.0):
        """Puts factor (W_x x + b) of every step into a, and h = 0 before the first. x: (T, n_in, C)."""
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
        for dW_j, W_j, h_j, dh_j in zip(self.dW_y, self.columns(self.W_y), self.h_units[-1], self.dh):
            dW_j[:] = self.per_repeat(dy * h_j)
            np.add.reduce(W_j * dy, 0, None, dh_j)
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
        """|dh_T / dx_1|, the Frobenius norm, for the sequences of the last forward: (C,). x: the last channel."""
        squares, W_x = 0, self.columns(self.W_x[-1])
        for j in range(self.H):
            self.dh[:] = 0
            self.dh[j] = 1
            self.back_in_time()
            squares = squares + (W_x * self.dz[0]).sum(0) ** 2
        return np.sqrt(squares)


def recurrent_product(W, units, z, part):
    """z += W h in every column. W: (H, rows, C); units: H views (1, C); z and part, which is overwritten: (rows, C)."""
    for W_j, h_j in zip(W, units):
        np.multiply(W_j, h_j, part)
        np.add(z, part, z)


def transposed_product(W, dz, dh, part):
    """dh = W^T dz in every column. W: (H, rows, C); dz and part, which is overwritten: (rows, C); dh: (H, C)."""
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
            recurrent_product(W, units, a, sent)
            tanh(a, h)
        return self.readout()

    def back_in_time(self):
        """Fills dz from dh = dL/dh_T (H, C); leaves dL/dh_0 in dh."""
        np.multiply(self.h[1:], self.h[1:], out=self.dz)
        np.subtract(1, self.dz, out=self.dz)  # tanh' = 1 - h^2, for all steps at once
        W, dh, sent = self.columns(self.W_h), self.dh, self.sent
        for dz in self.dz[::-1]:
            np.multiply(dz, dh, dz)
            transposed_product(W, dz, dh, sent)


class Gated(Cell):
    """A cell with sigmoid gates s: sigma(z) = (1 + tanh(z/2)) / 2, or hard_sigmoid(z) = min(max(0.2 z + 0.5, 0), 1).

    The 1/2 or 0.2 is folded into the weights of the gates before the loop; in both cases 1/2 is added after it.
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
            np.minimum(s, 1, out=s)
        else:
            np.tanh(s, s)
            np.multiply(s, self.half, s)
            np.add(s, self.half, s)

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

    o_t, i_t, f_t = sigma(W_h h_{t-1} + W_x x_t + b)    output, input and forget gate, each with its own W_h, W_x, b
    g_t = tanh(W_hg h_{t-1} + W_xg x_t + b_g)           candidate
    c_t = i_t g_t + f_t c_{t-1}                         cell state; without forget gate c_t = i_t g_t + c_{t-1}
    h_t = o_t tanh(c_t),  y = W_y h_T + b_y
    """

    def __init__(self, n_in, H, n_out, T, B, R, dtype=float, theta=None, forget_gate=True, hard=False):
        super().__init__("oifg" if forget_gate else "oig", n_in, H, n_out, T, B, R, dtype, theta, hard)
        self.c = self.buffer(T + 1, H)  # c[t] is the state before step t
        self.tanh_c, self.dc_dh = self.buffer(T, H), self.buffer(T, H)  # dc_dh: o (1 - tanh(c)^2)
        self.dc = self.buffer(H)
        self.o, self.i, *f = self.by_gate(self.s)
        self.f = f[0] if forget_gate else [None] * T
        self.forward_steps = list(zip(
            self.a, self.s, self.o, self.i, self.f, self.g, self.c[:-1], self.c[1:], self.tanh_c, self.h_units,
            self.h[1:]))
        dz_o, dz_i, *dz_f, dz_g = self.by_gate(self.dz)
        self.backward_steps = list(zip(
            self.dz, dz_o, dz_i, dz_f[0] if forget_gate else [None] * T, dz_g, self.f, self.dc_dh))

    def forward(self, x):
        """y (n_out, C) for x (T, n_in, C)."""
        self.drive(x, self.fold)
        self.c[0] = 0
        W, sent, ig = self.columns(self.W_h * self.fold), self.sent, self.part
        squash, tanh, multiply, add = self.squash, np.tanh, np.multiply, np.add  # each writes into its last argument
        for a, s, o, i, f, g, c_prev, c, tanh_c, units, h in self.forward_steps:
            recurrent_product(W, units, a, sent)
            squash(s)
            tanh(g, g)
            kept = c_prev if f is None else multiply(f, c_prev, c)
            add(multiply(i, g, ig), kept, c)
            tanh(c, tanh_c)
            multiply(o, tanh_c, h)
        return self.readout()

    def back_in_time(self):
        """Fills dz from dh = dL/dh_T (H, C); leaves dL/dh_0 in dh."""
        self.local_derivatives()
        W, sent, dh, dc, part, multiply = self.columns(self.W_h), self.sent, self.dh, self.dc, self.part, np.multiply
        dc[:] = 0
        for dz, dz_o, dz_i, dz_f, dz_g, f, dc_dh in reversed(self.backward_steps):
            multiply(dz_o, dh, dz_o)
            np.add(dc, multiply(dh, dc_dh, part), dc)
            multiply(dz_i, dc, dz_i)
            multiply(dz_g, dc, dz_g)
            if f is not None:
                multiply(dz_f, dc, dz_f)
                multiply(dc, f, dc)
            transposed_product(W, dz, dh, sent)

    def local_derivatives(self):
        """Fills dz with dh_t/dz_o and dc_t/dz of the other gates, and dc_dh with dh_t/dc_t, for all steps at once."""
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

    z_t, r_t = sigma(W_h h_{t-1} + W_x x_t + b)                  update and reset gate, each with its own W_h, W_x, b
    g_t = tanh(W_hg (r_t h_{t-1}) + W_xg x_t + b_g)              candidate, reset before the product (Keras in 2018)
    g_t = tanh(r_t (W_hg h_{t-1} + b_hg) + W_xg x_t + b_g)       or after it (Keras since, torch)
    h_t = z_t h_{t-1} + (1 - z_t) g_t,  y = W_y h_T + b_y
    """

    def __init__(self, n_in, H, n_out, T, B, R, dtype=float, theta=None, reset_after=False, hard=False):
        super().__init__("zrg", n_in, H, n_out, T, B, R, dtype, theta, hard, recurrent_bias=H if reset_after else 0)
        self.reset_after = reset_after
        self.z, self.r = self.by_gate(self.s)
        self.gap = self.buffer(T, H)  # h_{t-1} - g_t
        self.reset = self.buffer(T, H)  # what W_hg multiplies, r h_{t-1}, or what r multiplies, W_hg h_{t-1} + b_hg
        self.dg_sent = self.buffer(T, H)  # dL/d(W_hg h_{t-1} + b_hg), reset after the product
        self.dpart = self.buffer(H)
        reset_units = [[reset[j : j + 1] for j in range(H)] for reset in self.reset]
        self.forward_steps = list(zip(
            self.s, self.z, self.r, self.g, self.h[:-1], self.h_units, self.reset, reset_units, self.gap, self.h[1:]))
        dz_z, dz_r, dz_g = self.by_gate(self.dz)
        self.backward_steps = list(zip(self.dz[:, : 2 * H], dz_z, dz_r, dz_g, self.z, self.r, self.dg_sent))

    def forward(self, x):
        """y (n_out, C) for x (T, n_in, C)."""
        self.drive(x, self.fold)
        W_s, W_g = np.split(self.columns(self.W_h * self.fold), [2 * self.H], axis=1)
        sent_s, sent_g, b_hg = self.sent[: 2 * self.H], self.part, self.columns(self.b_hg)
        add, multiply = np.add, np.multiply
        for s, z, r, g, h_prev, units, reset, reset_units, gap, h in self.forward_steps:
            recurrent_product(W_s, units, s, sent_s)
            self.squash(s)
            if self.reset_after:
                reset[:] = b_hg
                recurrent_product(W_g, units, reset, sent_g)
                add(g, multiply(r, reset, sent_g), g)
            else:
                multiply(r, h_prev, reset)
                recurrent_product(W_g, reset_units, g, sent_g)
            np.tanh(g, g)
            np.subtract(h_prev, g, gap)
            add(multiply(z, gap, h), g, h)
        return self.readout()

    def back_in_time(self):
        """Fills dz (and dg_sent) from dh = dL/dh_T (H, C); leaves dL/dh_0 in dh."""
        self.local_derivatives()
        W_s, W_g = np.split(self.columns(self.W_h), [2 * self.H], axis=1)
        sent_s, sent_g, dh, back, multiply = self.sent[: 2 * self.H], self.part, self.dh, self.dpart, np.multiply
        for dz_s, dz_z, dz_r, dz_g, z, r, dg_sent in reversed(self.backward_steps):
            multiply(dz_z, dh, dz_z)
            multiply(dz_g, dh, dz_g)
            multiply(dh, z, dh)
            if self.reset_after:
                multiply(dz_r, dz_g, dz_r)
                transposed_product(W_g, multiply(dz_g, r, dg_sent), back, sent_g)
            else:
                transposed_product(W_g, dz_g, back, sent_g)
                multiply(dz_r, back, dz_r)
                multiply(back, r, back)
            np.add(dh, back, dh)
            transposed_product(W_s, dz_s, back, sent_s)
            np.add(dh, back, dh)

    def local_derivatives(self):
        """Fills dz with dh_t/dz_z, dh_t/dz_g and what the reset gate scales by, for all steps at once."""
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
    """The cell of these settings for batches of B sequences of R repeats; theta: a flat vector to use in place."""
    n_out = 1 if settings.task == "latch1994" else 2
    shape = (inputs(settings), settings.units, n_out, settings.T, B, R, settings.dtype, theta)
    if settings.cell == "srnn":
        return SRNN(*shape)
    hard = settings.recurrent_activation == "hard_sigmoid"
    if settings.cell == "gru":
        return GRU(*shape, reset_after=settings.reset == "after", hard=hard)
    return LSTM(*shape, forget_gate=settings.forget_bias != "none", hard=hard)


def initialise(net, settings, rngs):
    """Draws the start of every repeat from its own stream, as Keras does: biases 0 except those of --forget-bias and
    --update-bias; recurrent weights by recurrent_start; W_x and W_y uniform up to sqrt(6 / (fan in + fan out)), the
    fan out of W_x counting all gates.
    """
    tensors, rows = net.tensors(net.theta), net.W_h.shape[1]
    for r, rng in enumerate(rngs):
        start = settings.init_scale * recurrent_start(settings.init, rows, net.H, rng["init"])
        net.W_h[:, :, r] = start.T
        for W in (net.W_x, net.W_y):
            limit = math.sqrt(6 / (W.shape[0] + W.shape[1]))
            W[:, :, r] = rng["init"].uniform(-limit, limit, W.shape[:2])
        if settings.forget_bias == "chrono":  # Tallec & Ollivier (2018), equation 16, with T as the longest dependency
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
    """A (rows, H) matrix: identity, or ortho (Haar: QR of a Gaussian, signs fixed), with orthonormal columns.

    For one unit, ortho is +1 or -1 for the SRNN and a random unit vector across the gates for LSTM and GRU.
    """
    if init == "identity":
        return np.eye(H)
    Q, R = np.linalg.qr(rng.normal(0, 1, (rows, H)))
    return Q * np.sign(np.diag(R))


def trained(net, settings):
    """1 for every trained parameter, 0 for a fixed one: in latch1994 only W_h and the inputs h_t^k are trained."""
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

    Two outputs: L = -log softmax(y)[class], the cross-entropy; class +1 is output 1. One output (latch1994):
    L = (y - 0.8 sign)^2 / 2.
    """
    if len(y) == 1:
        error = y[0] - TARGET_1994 * sign
        return net.per_repeat(error * error) / 2 / net.B, error[None] / net.B
    margin = sign * decision(y)
    small = np.exp(np.where(margin.real > 0, -margin, margin))
    loss = np.log(1 + small) - np.where(margin.real > 0, 0, margin)
    slope = -sign * np.where(margin.real > 0, small, 1) / (1 + small) / net.B  # dL/d(y_1 - y_0)
    return net.per_repeat(loss) / net.B, np.array([-slope, slope])


# ----------------------------------------------------------------------------------------------------------------------
# Optimizer
# ----------------------------------------------------------------------------------------------------------------------

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


CHECKED = {
    "srnn": dict(cell="srnn"),
    "lstm": dict(cell="lstm"),
    "lstm, hard_sigmoid": dict(cell="lstm", recurrent_activation="hard_sigmoid"),
    "lstm, no forget gate": dict(cell="lstm", forget_bias="none"),
    "gru, reset before": dict(cell="gru", reset="before"),
    "gru, reset after": dict(cell="gru", reset="after"),
    "gru, hard_sigmoid": dict(cell="gru", recurrent_activation="hard_sigmoid"),
}


def gradcheck(choice, units=1, updates=0, task="bit_relay", B=4, R=2):
    """Checks every weight of a tiny net of T = 30, at a random start or after updates. Returns check_gradient's rows.

    The loss is the sum over the repeats, so that one check covers the weights of all.
    """
    settings = Settings(task=task, T=30, units=units, batch=B, repeats=R, noise=0.5, **choice)
    rngs = [streams(r) for r in range(R)]
    net = build(settings, B, R)
    initialise(net, settings, rngs)
    for name, tensor in net.tensors(net.theta).items():
        if name.startswith("b_"):
            tensor += np.stack([rng["init"].uniform(-0.1, 0.1, len(tensor)) for rng in rngs], axis=-1)
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
    """The gradient check over every cell, of one unit and of three, at the start and trained. Returns the exit code."""
    passed = True
    for units in (1, 3):
        for name, choice in CHECKED.items():
            for updates, where in ((0, "random weights"), (200, "trained weights")):
                rows = gradcheck(choice, units, updates)
                passed &= report_gradients(f"{name}, {units} unit{'s' * (units > 1)}, {where}", rows)
    passed &= report_gradients("srnn, latch1994, random weights", gradcheck(CHECKED["srnn"], task="latch1994"))
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


def update(net, optimizer, x, sign, lr, mask):
    """One training update of all repeats: forward, backward, Adam. Returns the loss of each repeat (R,)."""
    loss, dy = loss_and_gradient(net, net.forward(x), sign)
    net.backward(dy)
    net.grad *= mask
    optimizer.step(net.grad, lr)
    return loss


def slices(net, x):
    """Runs x (T, inputs, n R) through a net of n' < n sequences at a time. Yields the slice of columns and y."""
    width = net.B * net.R
    for start in range(0, x.shape[2], width):
        yield slice(start, start + width), net.forward(np.ascontiguousarray(x[:, :, start : start + width]))


def accuracy(net, x, sign):
    """The fraction of sequences with the right sign, for each repeat (R,). x: (T, inputs, n R), sign: (n R,)."""
    right = np.empty(len(sign))
    for columns, y in slices(net, x):
        right[columns] = decision(y) * sign[columns] > 0
    return right.reshape(-1, net.R).mean(0)


def last_states(net, x):
    """h_T of every sequence: (H, n, R)."""
    states = np.empty((net.H, x.shape[2]))
    for columns, _ in slices(net, x):
        states[:, columns] = net.h[-1]
    return states.reshape(net.H, -1, net.R)


def probe(net, fit, test):
    """What a linear readout can still decode of the class from h_T, without training the net: (R,) accuracies.

    For each repeat, least squares of the sign on [h_T, standardised; 1] over the sequences of fit = (x, sign), scored
    on those of test.
    """
    (h_fit, h_test), scores = (last_states(net, x) for x, _ in (fit, test)), []
    signs, test_signs = (sign.reshape(-1, net.R) for _, sign in (fit, test))
    for r in range(net.R):
        mean, spread = h_fit[:, :, r].mean(1), h_fit[:, :, r].std(1) + 1e-300
        fit_rows, test_rows = (
            np.column_stack([(h[:, :, r].T - mean) / spread, np.ones(h.shape[1])]) for h in (h_fit, h_test))
        weights = np.linalg.lstsq(fit_rows, signs[:, r])[0]
        scores.append(float((test_rows @ weights * test_signs[:, r] > 0).mean()))
    return scores


def state_gradient(net, x):
    """Median of |dh_T / dx_1| over the first sequences of x, for each repeat (R,): how much the first input matters."""
    net.forward(np.ascontiguousarray(x[:, :, : net.B * net.R]))
    return short(np.median(net.jacobian().reshape(net.B, net.R), axis=0))


def short(values):
    """Floats of four digits, for the record."""
    return [float(f"{value:.4g}") for value in values]


def train(settings, options, quiet=True, keep_weights=False):
    """Trains all repeats of a setting in lockstep. Returns their record: settings, seeds, history, final, best,
    provenance, and on request weights.

    It ends early when STOP is set (final status "interrupted"). A repeat that diverges has a null accuracy from then
    on and makes the status "diverged"; it does not touch the others.
    """
    R, start, status, done = settings.repeats, time.perf_counter(), "done", 0
    seeds = [settings.seed + r for r in range(R)]
    rngs = [streams(seed) for seed in seeds]
    net = build(settings, settings.batch, R)
    initialise(net, settings, rngs)
    mask = trained(net, settings)
    test_net = build(settings, WIDTH, R, theta=net.theta)
    test, display = (held_out(settings, rngs, stream) for stream in ("eval", "display"))
    training, validation = [None] * R, None
    if settings.split != "fresh":
        training, parts = zip(*(fixed_set(rng["train"], settings) for rng in rngs))
        validation = tuple(side_by_side(arrays, settings.dtype) for arrays in zip(*parts))
    optimizer, batches = Adam(net.theta, epsilon=1e-7), training_batches(rngs, settings, training)  # Keras' epsilon
    checks, diverged = [Divergence(CHANCE_LOSS) for _ in seeds], np.zeros(R, bool)
    progress, history, loss_sum, measured_at = Progress(settings.updates, quiet), {}, np.zeros(R), 0

    def measure(done):
        nonlocal measured_at
        train_loss = short(loss_sum / (done - measured_at)) if done > measured_at else [None] * R
        row, measured_at = dict(update=done, train_loss=train_loss), done
        loss_sum[:] = 0
        measured = dict(test_accuracy=test) | (dict(validation_accuracy=validation) if validation else {})
        for name, data in measured.items():
            row[name] = [None if lost else float(value) for value, lost in zip(accuracy(test_net, *data), diverged)]
        row["success_fraction"] = success_fraction(row["test_accuracy"])
        for name, value in row.items():
            history.setdefault(name, []).append(value)
        loss = np.median(train_loss) if done else math.nan
        progress(done, f"update {done:6d}  train loss {loss:.4f} (median)  {row['success_fraction']:.2f} of {R} "
                       f"repeats above {SUCCESS}")

    with np.errstate(all="ignore"):
        at_start = dict(gradient_start=state_gradient(test_net, test[0]), probe_start=probe(test_net, display, test))
        measure(0)
        for done in range(1, settings.updates + 1):
            loss = update(net, optimizer, *next(batches), settings.lr, mask)
            loss_sum += loss
            diverged |= [check(value) for check, value in zip(checks, loss.tolist())]
            if STOP.is_set() or diverged.all():
                break
            if done % options.eval_every == 0 and done < settings.updates:
                measure(done)
        measure(done)
        gradient_end = state_gradient(test_net, test[0])
    progress.close()

    if diverged.any():
        status = "diverged"
    if STOP.is_set() and done < settings.updates:
        status = "interrupted"
    last = {name: column[-1] for name, column in history.items()}
    best = int(np.argmax(history["success_fraction"]))
    record = {
        "settings": dataclasses.asdict(settings),
        "seeds": seeds,
        "history": history,
        "final": {"status": status} | last | at_start | dict(gradient_end=gradient_end, diverged=diverged.tolist()),
        "best": {"update": history["update"][best], "success_fraction": history["success_fraction"][best]},
        "provenance": provenance(time.perf_counter() - start),
    }
    weights = {name: tensor.tolist() for name, tensor in net.tensors(net.theta).items()}
    return record | ({"weights": weights} if keep_weights else {})


def held_out(settings, rngs, stream):
    """1000 sequences of every repeat from its stream `eval` or `display`: x (T, inputs, 1000 R), sign (1000 R,)."""
    parts = [make_sequences(rng[stream], settings, N_TEST) for rng in rngs]
    return tuple(side_by_side(arrays, settings.dtype) for arrays in zip(*parts))


def success_fraction(accuracies):
    """The fraction of repeats with an accuracy above 0.95; one that diverged (None) counts as a failure."""
    return sum(value is not None and value > SUCCESS for value in accuracies) / len(accuracies)


def wilson(successes, n, z=1.959964):
    """The Wilson interval of a fraction of successes in n, 95% by default: (low, high)."""
    p, s = successes / n, z * z / n
    middle, half = (p + s / 2) / (1 + s), z * math.sqrt(p * (1 - p) / n + s / n / 4) / (1 + s)
    return max(0.0, middle - half), min(1.0, middle + half)


# ----------------------------------------------------------------------------------------------------------------------
# Loss landscape
# ----------------------------------------------------------------------------------------------------------------------

def landscape_axes(settings):
    """The two axes of a landscape, (name, values) each; the first is drawn to the right."""
    right, up = (("recurrent weight U", 0, 3), ("bias b", -1, 1)) if settings.landscape == "srnn" else (
        ("bias of the forget gate", -2, 8), ("recurrent weight U of the candidate", -2, 2))
    return [(name, np.linspace(low, high, settings.points)) for name, low, high in (right, up)]


def landscape(settings):
    """The loss of `latch` over two weights of a one-unit net, all others fixed. Returns its record.

    The weight of the input is 1 and the readout y_1 - y_0 is 4 h_T for the tanh unit, as in the figure of Pascanu,
    Mikolov & Bengio (2013). In the LSTM the input reaches the candidate alone, the gates i and o stand at 1/2, and
    y_1 - y_0 is 8 h_T. The same sequences at every point; the points of a row run side by side, as repeats do.
    """
    start, (right, up) = time.perf_counter(), (values for _, values in landscape_axes(settings))
    task = Settings(T=settings.T, cell=settings.landscape, noise=settings.noise)
    x, sign = make_sequences(streams(settings.seed)["display"], task, settings.sequences)
    x, sign = np.repeat(x, settings.points, axis=2), np.repeat(sign, settings.points)
    net = build(task, settings.sequences, settings.points)
    tensors, loss = net.tensors(net.theta), []
    gain, x_name = (2, "W_xh") if settings.landscape == "srnn" else (4, "W_xg")
    tensors[x_name][:], net.W_y[:, 0], net.W_y[:, 1] = 1, -gain, gain
    for height in up:
        if settings.landscape == "srnn":
            tensors["W_hh"][:], tensors["b_h"][:] = right, height
        else:
            tensors["b_f"][:], tensors["W_hg"][:] = right, height
        loss.append(short(loss_and_gradient(net, net.forward(x), sign)[0]))
    return {
        "settings": dataclasses.asdict(settings),
        "final": {"status": "done", "loss": loss},  # a row per value of the second axis
        "provenance": provenance(time.perf_counter() - start),
    }


# ----------------------------------------------------------------------------------------------------------------------
# Studies
# ----------------------------------------------------------------------------------------------------------------------

CELLS = {  # the rows of the table
    "SRNN, U = ±1 (Keras)": dict(cell="srnn"),
    "SRNN, U = ±0.73": dict(cell="srnn", init_scale=0.73),
    "SRNN, U = +1.25": dict(cell="srnn", init="identity", init_scale=1.25),
    "LSTM, forget bias 1 (Keras)": dict(cell="lstm"),
    "LSTM, forget bias 0": dict(cell="lstm", forget_bias=0),
    "LSTM, forget bias 3": dict(cell="lstm", forget_bias=3),
    "LSTM, forget bias 5": dict(cell="lstm", forget_bias=5),
    "LSTM, no forget gate (1997)": dict(cell="lstm", forget_bias="none"),
    "LSTM, chrono": dict(cell="lstm", forget_bias="chrono"),
    "GRU (Keras)": dict(cell="gru"),
    "GRU, update bias 3": dict(cell="gru", update_bias=3),
}
LENGTHS = (2, 5, 10, 20, 30, 50, 100, 200)
KERAS = ("srnn", "lstm", "gru")


STUDIES = {  # the settings that differ from the defaults, for each record of a study
    "table": [choice | dict(T=T) for choice in CELLS.values() for T in LENGTHS],
    "tradeoff": [
        dict(cell="srnn", init="identity", init_scale=U, T=T)
        for T in (30, 100) for U in (0.5, 0.73, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)],
    "split": [
        dict(cell=cell, split=split, T=T)
        for split in ("question", "shuffled") for cell in KERAS for T in (2, 5, 10, 30, 100)],
    "relay": [
        dict(task="bit_relay", cell=cell, units=units, T=T, updates=5000)
        for units in (1, 8) for cell in KERAS for T in (5, 10, 30)],
    "latch1994": [
        dict(task="latch1994", cell="srnn", init="identity", init_scale=w, T=T)
        for w in (0.5, 1.0, 1.25, 2.0) for T in (5, 10, 20, 50)],
    "tuning": [dict(cell="lstm", T=30) | choice for choice in (dict(updates=16_000), dict(lr=1e-2))],
    "keras2018": [
        dict(cell=cell, recurrent_activation="hard_sigmoid", T=T) for cell in ("lstm", "gru") for T in (10, 30)],
    "landscape": [dict(landscape=cell, T=T) for cell in ("srnn", "lstm") for T in (2, 10, 30, 100)],
}


def study(name, **common):
    """The settings of a study; common: settings to use in all, such as repeats. Raises ValueError if they cannot be."""
    kind = LandscapeSettings if name == "landscape" else Settings
    return [kind(**choice | common) for choice in STUDIES[name]]


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
    """Parsed and checked command line: (list of settings, options, args). Exits with code 2 on bad input."""
    parser = Parser(
        description=__doc__.split("\n\n")[0], epilog="Exit codes: 0 done, 1 failed check or diverged, 2 bad input, "
        "130 interrupted.", allow_abbrev=False)
    add_flags(parser, Settings, Options)
    parser.add_argument("--all", action="store_true", help="the table: the same as --study table")
    parser.add_argument("--study", choices=list(STUDIES), help="all settings of a study")
    parser.add_argument("--seeds", type=seed_range, metavar="A-B", help="the seeds A to B, a repeat each")
    parser.add_argument("--quiet", action="store_true", help="only the final lines")
    parser.add_argument("--gradcheck", action="store_true", help="check every weight of every cell, and stop")
    args = parser.parse_args(argv)
    words = [word.split("=")[0] for word in (sys.argv[1:] if argv is None else argv)]
    given = {field.name for field in dataclasses.fields(Settings) if f"--{field.name.replace('_', '-')}" in words}
    if args.seeds:
        if given & {"seed", "repeats"}:
            parser.error("--seeds stands for both --seed and --repeats")
        args.seed, args.repeats = args.seeds[0], len(args.seeds)
        given |= {"seed", "repeats"}
    try:
        runs = study_settings(args, given) if args.study or args.all else [from_flags(Settings, args)]
        if not args.gradcheck:
            check_results(args.out)
    except (ValueError, ResultsError) as error:
        parser.error(str(error))
    return runs, from_flags(Options, args), args


def study_settings(args, given):
    """The settings of a study with the flags that fit all of them. Raises ValueError for a flag that does not."""
    if args.all and args.study not in (None, "table"):
        raise ValueError("--all is --study table: give one of them")
    name = args.study or "table"
    fitting = {"landscape": (), "split": ("seed", "repeats", "samples", "epochs")}
    unfit = given - set(fitting.get(name, ("seed", "repeats", "updates")))
    if unfit:
        raise ValueError(f"--study {name} has its own --{min(unfit).replace('_', '-')}: leave the flag out")
    return study(name, **{flag: getattr(args, flag) for flag in given})


def run(settings, options, quiet, keep_weights):
    """The record of one setting, of either kind."""
    if isinstance(settings, LandscapeSettings):
        return landscape(settings)
    return train(settings, options, quiet, keep_weights)


def summary(record):
    """One line on how a setting ended."""
    settings, final, seconds = record["settings"], record["final"], record["provenance"]["wall_seconds"]
    if "landscape" in settings:
        return f"landscape of the {settings['landscape']} at T={settings['T']}: {seconds:.1f} s"
    names = ("init_scale", "forget_bias", "update_bias", "split")
    details = "".join(f" {name}={settings[name]}" for name in names if settings[name] not in (None, 1.0, 0.0, "fresh"))
    n = settings["repeats"]
    successes = round(final["success_fraction"] * n)
    low, high = wilson(successes, n)
    accuracies = [math.nan if value is None else value for value in final["test_accuracy"]]
    ending = "" if final["status"] == "done" else f"  {final['status'].upper()} (update {final['update']})"
    return (
        f"{settings['task']} {settings['cell']} T={settings['T']} units={settings['units']}{details}: "
        f"{successes} of {n} above {SUCCESS} [{low:.2f}, {high:.2f}], median accuracy {np.nanmedian(accuracies):.3f}, "
        f"|dh_T/dx_1| {np.median(final['gradient_start']):.0e} at the start, "
        f"probe {np.median(final['probe_start']):.2f}, {seconds:.1f} s{ending}")


def main(argv=None):
    runs, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all()
    several, headline = len(runs) > 1, Settings()
    calls = [(settings, options, several or args.quiet, not several or settings == headline) for settings in runs]
    records, saved, start = [], True, time.perf_counter()
    try:
        for record in run_all(run, calls, options.jobs):
            records.append(record)
            saved &= save(options.out, EXPERIMENT, record)
            elapsed = time.perf_counter() - start
            left = f"  ({len(records)} of {len(runs)}, {elapsed:.0f} s)" if several else ""
            print(summary(record) + left, flush=True)
    except concurrent.futures.BrokenExecutor:
        print("a process died; the settings that ended are saved", file=sys.stderr)
        saved = False
    statuses = [record["final"]["status"] for record in records]
    if STOP.is_set():
        return 130
    return 0 if saved and "diverged" not in statuses else 1


if __name__ == "__main__":
    sys.exit(main())
