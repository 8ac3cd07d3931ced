# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""The adding problem: an LSTM against a tanh RNN, in one file of pure numpy.

Source: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation 9(8):1735-1780, section 5.4
(Experiment 4), in the modern form of Le, Jaitly & Hinton (2015), arXiv:1504.00941.

Task: every step shows a value from U(-1, 1) and a marker; exactly two steps are marked, one in each half of the
sequence. The target at the last step is the sum of the two marked values. The first of them must be kept over up to
T - 1 steps of noise.

Criterion: the mean squared error (MSE) on 512 held-out sequences, and the solve rate, the fraction of them with
|error| < 0.04. A constant 0 has an MSE of 2/3; the second marked value alone gives 1/3.

Commands:
    python3 adding_problem.py                           the headline run: LSTM, T = 100, 8 units, seed 0
    python3 adding_problem.py --rnn --iters 5000        the tanh RNN beside it
    python3 adding_problem.py --seeds 0-9 --jobs 2      ten seeds and their median and range
    python3 adding_problem.py --best                    the best recipe found for the same number of sequences
    python3 adding_problem.py --gradcheck               every weight of every cell, before anything is trusted

Expect: some ten seconds for the headline run, an MSE near 0.001 for the LSTM and near 0.1 for the tanh RNN. Each run
writes one record into results.json.
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

EXPERIMENT = "adding_problem"
N_IN, N_OUT = 2, 1  # value and marker; the sum
N_TEST = 512  # held-out sequences
N_VALIDATION = 4096  # of a stream of their own, on which settings may be chosen
TOLERANCE = 0.04  # |error| below this counts as solved
TOLERANCE_1997 = 0.16  # the paper's 0.04 on its target 0.5 + sum/4 is 0.16 on the sum
CONSTANT_MSE = 2 / 3  # of the constant 0: the variance of the sum of two U(-1, 1)


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

    cell: str = setting(
        "lstm", "lstm (forget gate), lstm1997 (no forget gate), rnn (tanh) or irnn (ReLU, identity start)", "model",
        choices=("lstm", "lstm1997", "rnn", "irnn"))
    T: int = setting(100, "steps in a sequence", "task", low=2, high=100_000)
    hidden: int = setting(8, "hidden units", "model", low=1, high=4096)
    iters: int = setting(8000, "training iterations (batches)", "training", low=1, high=10**8)
    batch: int = setting(32, "sequences in a batch", "training", low=1, high=65_536)
    lr: float = setting(5e-3, "Adam's learning rate at the start", "training", low=1e-12, high=1e12)
    schedule: str = setting(
        "halving", "of the rate: halving, or half a cosine from --lr to 0", "training", choices=("halving", "cosine"))
    lr_decay_every: int | None = setting(
        None, "iterations between halvings of the rate, 0 for none (default: 1500)", "training", kind=int,
        low=0, high=10**8)
    batch_doublings: int = setting(
        0, "how often the batch doubles, at equal intervals of the training", "training", low=0, high=16)
    average: float = setting(
        0.0, "decay of the running mean of the weights that is evaluated; 0: the weights themselves", "training",
        low=0, high=0.999999)
    clip: float = setting(1.0, "largest global L2 norm of a gradient", "training", low=1e-12, high=1e12)
    seed: int = setting(0, "seed of the random streams", "training", low=0, high=2**63 - 1)
    init_seed: int | None = setting(
        None, "seed of the stream that draws the first weights (default: --seed)", "training", kind=int,
        low=0, high=2**63 - 1)
    init: str | None = setting(
        None, "start of W_hh: gaussian N(0, 1/H), ortho or identity (default: identity for irnn, else gaussian)",
        "model", kind=str, choices=("gaussian", "ortho", "identity"))
    init_scale: float | None = setting(
        None, "factor on that start of W_hh (default: 0.5 for gaussian, else 1)", "model", kind=float, low=0, high=1e6)
    input_scale: float | None = setting(
        None, "W_xh starts at this times N(0, 1/2) (default: 0.01 for irnn, else 0.5)", "model", kind=float,
        low=0, high=1e6)
    forget_bias: float | None = setting(
        None, "start of the forget gate's bias, lstm only (default: 1)", "model", kind=float, low=-1e6, high=1e6)
    dtype: str = setting("float64", "precision of weights and activations", "training", choices=("float64", "float32"))

    def __post_init__(self):
        """Fills what depends on the cell. Raises ValueError for settings that contradict one another."""
        irnn, lstm = self.cell == "irnn", self.cell == "lstm"
        if irnn and self.init not in (None, "identity"):
            raise ValueError(f"--cell irnn starts at the identity, not at --init {self.init}: use --cell rnn")
        if not lstm and self.forget_bias is not None:
            raise ValueError(f"--forget-bias needs --cell lstm: {self.cell} has no forget gate")
        if self.schedule == "cosine" and self.lr_decay_every is not None:
            raise ValueError("--lr-decay-every needs --schedule halving")
        if self.init_seed == self.seed:
            object.__setattr__(self, "init_seed", None)
        init = self.init or ("identity" if irnn else "gaussian")
        chosen = dict(
            init=init, init_scale=0.5 if init == "gaussian" else 1.0, input_scale=0.01 if irnn else 0.5,
            forget_bias=1.0 if lstm else None, lr_decay_every=1500 if self.schedule == "halving" else None)
        for name, value in chosen.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        widest = self.batch * 2**self.batch_doublings
        gigabytes = self.T * widest * (13 * self.hidden + 40) * np.dtype(self.dtype).itemsize / 1e9
        if gigabytes > 4:
            raise ValueError(f"these settings need about {gigabytes:.0f} GB of memory: lower --T, --batch or --hidden")


# Chosen on validation sequences with the seeds from 100 on, within the 256,000 sequences of the headline: --best
BEST = dict(hidden=16, batch=8, iters=32_000, schedule="cosine", lr=0.02, clip=0.05, forget_bias=3.0)


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    eval_every: int = setting(100, "iterations between evaluations on the held-out set", "output", low=1, high=10**8)
    snapshot_every: int = setting(
        400, "iterations between stored copies of the first seed's weights, for the animation; 0 for none", "output",
        low=0, high=10**8)
    jobs: int = setting(1, "processes, for several seeds", "output", low=1, high=1024)
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


def make_sequences(rng, T, n):
    """Draws n sequences of the adding problem.

    Returns x (T, 2, n): values from U(-1, 1) and markers, one in [0, T // 2) and one in [T // 2, T);
    and y (n,): the sum of the two marked values.
    """
    x = np.zeros((T, N_IN, n))
    x[:, 0] = rng.uniform(-1, 1, (T, n))
    first, second = rng.integers(0, T // 2, n), rng.integers(T // 2, T, n)
    column = np.arange(n)
    x[first, 1, column] = 1
    x[second, 1, column] = 1
    return x, x[first, 0, column] + x[second, 0, column]


def training_batches(rng, T, B):
    """Yields batches (x, y) without end. Many are drawn at once: the numbers depend on rng, T and B alone."""
    at_once = max(1, 2**18 // (T * B))
    while True:
        x, y = make_sequences(rng, T, at_once * B)
        for start in range(0, at_once * B, B):
            yield x[:, :, start : start + B], y[start : start + B]


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


def build(cell, H, T, B, dtype=float, theta=None):
    """A cell by its name, for batches of B sequences of T steps; theta: a flat parameter vector to use in place."""
    if cell in ("lstm", "lstm1997"):
        return LSTM(N_IN, H, N_OUT, T, B, dtype=dtype, theta=theta, forget_gate=cell == "lstm")
    return RNN(N_IN, H, N_OUT, T, B, dtype=dtype, theta=theta, relu=cell == "irnn")


def initialise(net, settings, rng):
    """Draws the start: W_hh by --init, W_xh from N(0, 1/2), both scaled, W_hy from N(0, 1/H), biases 0."""
    H = net.H
    tensors = net.tensors(net.theta)
    for name, tensor in tensors.items():
        if name.startswith("W_h") and name != "W_hy":
            tensor[:] = settings.init_scale * recurrent_start(settings.init, H, rng)
        elif name.startswith("W_x"):
            tensor[:] = settings.input_scale * rng.normal(0, N_IN**-0.5, tensor.shape)
    tensors["W_hy"][:] = rng.normal(0, H**-0.5, (N_OUT, H))
    if settings.forget_bias is not None:
        tensors["b_f"][:] = settings.forget_bias


def recurrent_start(init, H, rng):
    """An (H, H) matrix: gaussian N(0, 1/H), identity, or ortho (Haar: QR of a Gaussian, signs fixed)."""
    if init == "identity":
        return np.eye(H)
    gaussian = rng.normal(0, H**-0.5, (H, H))
    if init == "gaussian":
        return gaussian
    Q, R = np.linalg.qr(gaussian)
    return Q * np.sign(np.diag(R))


def squared_error(y, target):
    """L = half the mean squared error of y (1, 1, B) against target (B,). Returns L and dL/dy."""
    error = y - target
    return 0.5 * (error * error).sum() / target.size, error / target.size


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


def gradcheck(cell, T=30, H=4, B=3, updates=0):
    """Checks every weight of a tiny net, at a random start or after some updates. Returns check_gradient's rows."""
    rng, net = streams(0), build(cell, H, T, B)
    initialise(net, Settings(cell=cell, input_scale=0.5), rng["init"])
    for name, tensor in net.tensors(net.theta).items():
        if name.startswith("b_"):
            tensor += rng["init"].uniform(-0.1, 0.1, tensor.shape)
    optimizer, batches = Adam(net.theta), training_batches(rng["train"], T, B)
    for _ in range(updates):
        update(net, optimizer, *next(batches), lr=5e-3, clip=1.0)
    x, target = make_sequences(rng["eval"], T, B)
    _, dy = squared_error(net.forward(x), target)
    net.backward(dy)

    def loss(theta):
        return squared_error(build(cell, H, T, B, theta=theta).forward(x), target)[0]

    return check_gradient(loss, net.theta, net.grad, net.tensors)


def gradcheck_all():
    """The gradient check over every cell, at the start and after 300 updates. Returns the exit code."""
    passed = True
    for cell in ("lstm", "lstm1997", "rnn", "irnn"):
        for updates, where in ((0, "random weights"), (300, "trained weights")):
            passed &= report_gradients(f"{cell}, {where}", gradcheck(cell, updates=updates))
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


def learning_rate(settings, iteration):
    """Learning rate of an iteration, counted from 1."""
    if settings.schedule == "cosine":
        return settings.lr * (1 + math.cos(math.pi * (iteration - 1) / settings.iters)) / 2
    return settings.lr * 0.5 ** ((iteration - 1) // settings.lr_decay_every if settings.lr_decay_every else 0)


def batch_size(settings, iteration):
    """Sequences in the batch of an iteration, counted from 1."""
    return settings.batch * 2 ** ((iteration - 1) * (settings.batch_doublings + 1) // settings.iters)


def update(net, optimizer, x, target, lr, clip):
    """One training iteration: forward, backward, clip, Adam. Returns the loss, half the batch's MSE."""
    loss, dy = squared_error(net.forward(x), target)
    net.backward(dy)
    clip_norm(net.grad, clip)
    optimizer.step(net.grad, lr)
    return float(loss)


def evaluate(net, x, target):
    """Test figures on x (T, 2, n), target (n,), in batches of the net's width, which must divide n."""
    B = net.S.shape[2]
    y = np.concatenate([net.forward(x[:, :, start : start + B])[0, 0] for start in range(0, len(target), B)])
    error = abs(y - target)
    return {
        "test_mse": float((error * error).mean()),
        "solve_rate": float((error < TOLERANCE).mean()),
        "solve_rate_1997": float((error < TOLERANCE_1997).mean()),
    }


def held_out(settings):
    """The held-out set of a seed, the same at every evaluation: x (T, 2, 512), target (512,)."""
    return make_sequences(streams(settings.seed)["eval"], settings.T, N_TEST)


def validate(net, settings):
    """Figures on the validation sequences, 4096 of the seed's fifth stream: what settings are chosen by."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(settings.seed).spawn(5)[4]))
    blocks = [evaluate(net, *make_sequences(rng, settings.T, N_TEST)) for _ in range(N_VALIDATION // N_TEST)]
    return {f"validation_{name}": float(np.mean([block[f"test_{name}" if name == "mse" else name] for block in blocks]))
            for name in ("mse", "solve_rate")}


class Trainer:
    """Holds a net, its optimizer, its data, and does one iteration after the other.

    theta, what is evaluated: the weights, or their running mean.
    """

    def __init__(self, settings):
        self.settings, self.iteration, self.sequences = settings, 0, 0
        self.rng = streams(settings.seed)["train"]
        self.net = build(settings.cell, settings.hidden, settings.T, settings.batch, np.dtype(settings.dtype))
        self.batches = training_batches(self.rng, settings.T, settings.batch)
        init_seed = settings.seed if settings.init_seed is None else settings.init_seed
        initialise(self.net, settings, streams(init_seed)["init"])
        self.optimizer = Adam(self.net.theta)
        self.theta = self.net.theta.copy() if settings.average else self.net.theta

    def step(self):
        """One iteration. Returns the batch's loss."""
        settings = self.settings
        self.iteration += 1
        B = batch_size(settings, self.iteration)
        if B != self.net.S.shape[2]:
            self.net = build(settings.cell, settings.hidden, settings.T, B, theta=self.net.theta)
            self.batches = training_batches(self.rng, settings.T, B)
        lr = learning_rate(settings, self.iteration)
        loss = update(self.net, self.optimizer, *next(self.batches), lr, settings.clip)
        if settings.average:
            self.theta += (1 - settings.average) * (self.net.theta - self.theta)
        self.sequences += B
        return loss

    def test_net(self):
        """A net that shares theta, of a width that divides the held-out set: the training net where it serves."""
        settings = self.settings
        if N_TEST % settings.batch == 0 and not settings.average and not settings.batch_doublings:
            return self.net  # a third less memory
        return build(settings.cell, settings.hidden, settings.T, 64, theta=self.theta)


class Curve:
    """The history of a run: figures on the held-out set at some iterations, rounded to six digits."""

    COLUMNS = ("iteration", "train_sequences", "train_mse", "test_mse", "solve_rate", "solve_rate_1997")

    def __init__(self, trainer, quiet):
        self.trainer, self.net = trainer, trainer.test_net()
        self.x, self.target = held_out(trainer.settings)
        self.history, self.losses = {name: [] for name in self.COLUMNS}, []  # losses: since the last evaluation
        self.progress = Progress(trainer.settings.iters, quiet)

    def measure(self):
        """Adds a row. Returns the figures on the held-out set in full."""
        train_mse = 2 * float(np.mean(self.losses)) if self.losses else None
        self.losses.clear()
        iteration, figures = self.trainer.iteration, evaluate(self.net, self.x, self.target)
        row = dict(iteration=iteration, train_sequences=self.trainer.sequences, train_mse=train_mse) | figures
        for name, column in self.history.items():
            column.append(float(f"{row[name]:.6g}") if isinstance(row[name], float) else row[name])
        self.progress(iteration, f"iteration {iteration:6d}  train MSE {train_mse or math.nan:.5f}  "
                                 f"test MSE {figures['test_mse']:.5f}  solve rate {figures['solve_rate']:.3f}")
        return figures

    def best(self):
        """Iteration and MSE of the curve's best point."""
        mse = self.history["test_mse"]
        k = int(np.argmin([math.inf if math.isnan(value) else value for value in mse]))
        return {"iteration": self.history["iteration"][k], "test_mse": mse[k]}


def train(settings, options, quiet=True, keep_snapshots=True):
    """Trains one net. Returns its record: settings, history, final, best, weights, snapshots and provenance.

    It ends early when STOP is set (final status "interrupted") or when it diverges ("diverged").
    """
    start, trainer, diverges = time.perf_counter(), Trainer(settings), Divergence(CONSTANT_MSE / 2)
    curve, net, snapshots, status = Curve(trainer, quiet), trainer.net, [], "done"

    def snapshot():
        weights = {name: tensor.astype(np.float32).tolist() for name, tensor in net.tensors(trainer.theta).items()}
        snapshots.append({"iteration": trainer.iteration, "weights": weights})

    snapshot_every = options.snapshot_every if keep_snapshots else 0
    with np.errstate(all="ignore"):
        curve.measure()
        if snapshot_every:
            snapshot()
        while trainer.iteration < settings.iters:
            loss = trainer.step()
            curve.losses.append(loss)
            if diverges(loss) or STOP.is_set():
                status = "interrupted" if STOP.is_set() else "diverged"
                break
            if trainer.iteration % options.eval_every == 0 and trainer.iteration < settings.iters:
                curve.measure()
            if snapshot_every and trainer.iteration % snapshot_every == 0:
                snapshot()
        figures = curve.measure() | validate(curve.net, settings)
    curve.progress.close()

    record = {
        "settings": dataclasses.asdict(settings),
        "history": curve.history,
        "final": {"status": status, "iteration": trainer.iteration, "train_sequences": trainer.sequences} | figures,
        "best": curve.best(),
        "weights": {name: tensor.tolist() for name, tensor in net.tensors(trainer.theta).items()},
        "provenance": provenance(time.perf_counter() - start),
    }
    return record | ({"snapshots": snapshots} if snapshots else {})


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
    """Parsed and checked command line: (settings per seed, options, args). Exits with code 2 on bad input."""
    parser = Parser(
        description=__doc__.split("\n\n")[0], epilog="Exit codes: 0 done, 1 failed check or diverged, 2 bad input, "
        "130 interrupted.", allow_abbrev=False)
    add_flags(parser, Settings, Options)
    parser.add_argument("--rnn", action="store_true", help="the same as --cell rnn")
    parser.add_argument(
        "--best", action="store_true", help="the best recipe found within the headline's 256,000 sequences: "
        + ", ".join(f"--{name.replace('_', '-')} {value}" for name, value in BEST.items()))
    parser.add_argument("--seeds", type=seed_range, metavar="A-B", help="the seeds A to B instead of --seed")
    parser.add_argument("--quiet", action="store_true", help="only the final lines")
    parser.add_argument("--gradcheck", action="store_true", help="check every weight of every cell, and stop")
    given = [word.split("=")[0] for word in (sys.argv[1:] if argv is None else argv)]
    if "--best" in given:
        parser.set_defaults(**BEST, eval_every=400, snapshot_every=1600)
    args = parser.parse_args(argv)
    if args.rnn and "--cell" in given and args.cell != "rnn":
        parser.error(f"--rnn contradicts --cell {args.cell}")
    if args.seeds and "--seed" in given:
        parser.error("--seed and --seeds exclude each other")
    if args.rnn:
        args.cell = "rnn"
    try:
        runs = [from_flags(Settings, args, seed=seed) for seed in args.seeds or [args.seed]]
        if not args.gradcheck:
            check_results(args.out)
    except (ValueError, ResultsError) as error:
        parser.error(str(error))
    return runs, from_flags(Options, args), args


def summary(record):
    """One line on how a run ended."""
    settings, final, seconds = record["settings"], record["final"], record["provenance"]["wall_seconds"]
    ending = "" if final["status"] == "done" else f"  {final['status'].upper()} at iteration {final['iteration']}"
    return (
        f"{settings['cell']} T={settings['T']} hidden={settings['hidden']} seed={settings['seed']}: "
        f"test MSE {final['test_mse']:.5f}, solve rate {final['solve_rate']:.3f} (|error| < {TOLERANCE}), "
        f"{final['solve_rate_1997']:.3f} (< {TOLERANCE_1997}), {final['train_sequences']} sequences, "
        f"{seconds:.1f} s{ending}")


def aggregate(records):
    """One line on the seeds that ran to the end: median and range, and how many reach a solve rate of 0.85."""
    finished = [record["final"] for record in records if record["final"]["status"] == "done"]
    if not finished:
        return f"0 of {len(records)} seeds ran to the end"
    mse, rate = [final["test_mse"] for final in finished], [final["solve_rate"] for final in finished]
    reach = sum(value >= 0.85 for value in rate)
    return (
        f"{len(finished)} of {len(records)} seeds ran to the end: test MSE median {np.median(mse):.5f} "
        f"[{min(mse):.5f}, {max(mse):.5f}], solve rate median {np.median(rate):.3f} "
        f"[{min(rate):.3f}, {max(rate):.3f}], {reach} of {len(finished)} reach a solve rate of 0.85")


def main(argv=None):
    runs, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all()
    several = len(runs) > 1
    calls = [(settings, options, several or args.quiet, k == 0) for k, settings in enumerate(runs)]
    records, saved = [], True
    try:
        for record in run_all(train, calls, options.jobs):
            records.append(record)
            saved &= save(options.out, EXPERIMENT, record)
            print(summary(record), flush=True)
    except concurrent.futures.BrokenExecutor:
        print("a process died; the seeds that ended are saved", file=sys.stderr)
        saved = False
    statuses = [record["final"]["status"] for record in records]
    if several:
        print(aggregate(records))
    if STOP.is_set():
        return 130
    return 0 if saved and "diverged" not in statuses else 1


if __name__ == "__main__":
    sys.exit(main())
