"""information_latching.py: tasks, initialisations, gradients, lockstep, measures, command line and records."""

import functools
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, execute, mutated
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import information_latching as latching

FILE = ROOT / "information_latching.py"
PYTHON = [sys.executable, str(FILE)]


def run(*words, cwd, **kwargs):
    return subprocess.run([*PYTHON, *words], cwd=cwd, capture_output=True, text=True, timeout=300, **kwargs)


def records(path):
    return json.loads(Path(path).read_text())[latching.EXPERIMENT]


def seeded(n, first=0):
    return [latching.streams(first + r) for r in range(n)]


def started(settings, B=8, first=0):
    """A net of these settings at its start, and the streams of its repeats."""
    rngs = seeded(settings.repeats, first)
    net = latching.build(settings, B, settings.repeats)
    latching.initialise(net, settings, rngs)
    return net, rngs


# Tasks

@hypothesis_settings(max_examples=30, deadline=None)
@given(T=st.integers(2, 40), n=st.integers(1, 20), seed=st.integers(0, 10**6))
def test_latch_is_a_signed_first_element_in_noise(T, n, seed):
    settings = latching.Settings(T=T)
    x, sign = latching.make_sequences(np.random.default_rng(seed), settings, 4 * n)
    noise = np.random.default_rng(seed).normal(0, 0.1, (T, 4 * n))
    assert x.shape == (T, 1, 4 * n) and set(sign) == {-1, 1} and sign.sum() == 0
    noise[0] += sign
    assert np.array_equal(x[:, 0], noise)


@hypothesis_settings(max_examples=30, deadline=None)
@given(T=st.integers(2, 40), n=st.integers(1, 20))
def test_bit_relay_compares_two_elements_and_neither_alone_tells(T, n):
    x, sign = latching.make_sequences(
        np.random.default_rng(0), latching.Settings(task="bit_relay", T=T, noise=0), 4 * n)
    first, second = x[0, 0], x[T // 2, 0]
    assert np.array_equal(sign, first * second) and set(first) == set(second) == {-1, 1}
    assert np.count_nonzero(x) == 8 * n
    for alone in (first, second, 1):  # closed form: each guess is right half the time
        assert (sign == alone).mean() == 0.5


@hypothesis_settings(max_examples=20, deadline=None)
@given(T=st.integers(3, 30), L=st.integers(1, 3))
def test_latch1994_trains_the_first_inputs_and_adds_noise_after_them(T, L):
    settings = latching.Settings(task="latch1994", cell="srnn", T=T, latch_steps=L)
    x, sign = latching.make_sequences(np.random.default_rng(0), settings, 400)
    assert x.shape == (T, 2 * L + 1, 400)
    for t in range(T):
        expected = np.zeros((2 * L, 400))
        if t < L:
            expected[2 * t], expected[2 * t + 1] = sign > 0, sign < 0
            assert not x[t, -1].any()
        assert np.array_equal(x[t, :-1], expected)
    if T > L:
        assert abs(x[L:, -1].var() - 0.2) < 6 * 0.2 * math.sqrt(2 / x[L:, -1].size)


def test_the_first_element_alone_decides_latch():
    x, sign = latching.make_sequences(np.random.default_rng(0), latching.Settings(T=3), 4000)
    assert (np.sign(x[0, 0]) == sign).all()  # an error would be ten standard deviations away
    assert abs((np.sign(x[1, 0]) == sign).mean() - 0.5) < 0.05


def test_the_questions_split_puts_one_class_into_the_validation_set():
    settings = latching.Settings(T=5, split="question")
    (x, sign), (x_valid, sign_valid) = latching.fixed_set(np.random.default_rng(0), settings)
    assert x.shape == (5, 1, 8000) and x_valid.shape == (5, 1, 2000)
    assert (sign > 0).mean() == 0.625 and (sign_valid < 0).all()
    assert np.array_equal(np.sign(x[0, 0]), sign) and np.array_equal(np.sign(x_valid[0, 0]), sign_valid)


def test_the_shuffled_split_holds_the_same_sequences_balanced_up_to_chance():
    parts = {split: latching.fixed_set(np.random.default_rng(0), latching.Settings(T=5, split=split))
             for split in ("question", "shuffled")}
    whole = {split: np.sort(np.concatenate([x[0, 0] for x, _ in part])) for split, part in parts.items()}
    assert np.array_equal(whole["question"], whole["shuffled"])
    (_, sign), (_, sign_valid) = parts["shuffled"]
    assert abs((sign > 0).mean() - 0.5) < 0.02 and abs((sign_valid > 0).mean() - 0.5) < 0.05


def test_an_epoch_shows_every_training_sequence_once_in_a_new_order():
    settings = latching.Settings(T=5, split="shuffled", samples=500)
    rng = np.random.default_rng(0)
    training, _ = latching.fixed_set(rng, settings)
    chunks = latching.training_chunks(rng, settings, training)
    epochs = []
    for _ in range(2):
        x, sign = next(chunks)  # 25 batches fit one chunk
        assert x.shape == (25, 5, 1, 16) and np.array_equal(np.sign(x[:, 0, 0]), sign)
        epochs.append(x[:, 0, 0].ravel())
    assert np.array_equal(np.sort(epochs[0]), np.sort(training[0][0, 0]))
    assert np.array_equal(np.sort(epochs[0]), np.sort(epochs[1])) and not np.array_equal(epochs[0], epochs[1])


def test_every_batch_is_balanced_and_every_repeat_has_its_own_column():
    settings = latching.Settings(task="bit_relay", T=6, batch=8, repeats=3)
    x, sign = next(latching.training_batches(seeded(3), settings, [None] * 3))
    assert x.shape == (6, 1, 24) and sign.shape == (24,)
    for r in range(3):
        alone, sign_alone = next(latching.training_chunks(latching.streams(r)["train"], settings, None))
        assert np.array_equal(x.reshape(6, 1, 8, 3)[..., r], alone[0])
        assert np.array_equal(sign.reshape(8, 3)[:, r], sign_alone[0]) and sign_alone[0].sum() == 0


# Initialisation, against Keras' definitions

MANY = 2000


@functools.cache
def many(cell):
    """The starts of 2000 nets of one unit."""
    return started(latching.Settings(cell=cell, T=2, repeats=MANY), B=4)[0]


def test_srnn_of_one_unit_starts_at_plus_or_minus_one():
    net = many("srnn")
    assert set(net.W_h.ravel()) == {-1, 1} and abs((net.W_h > 0).mean() - 0.5) < 0.05
    net, _ = started(latching.Settings(cell="srnn", T=2, repeats=50, init_scale=0.73), B=4)
    assert set(net.W_h.ravel()) == {-0.73, 0.73}
    net, _ = started(latching.Settings(cell="srnn", T=2, repeats=50, init="identity", init_scale=1.25), B=4)
    assert set(net.W_h.ravel()) == {1.25}


@pytest.mark.parametrize("cell, gates", [("lstm", 4), ("gru", 3)])
def test_recurrent_weights_of_one_unit_are_a_random_unit_vector_over_the_gates(cell, gates):
    net = many(cell)
    vectors = net.W_h[0]  # (gates, R)
    assert np.allclose((vectors**2).sum(0), 1, atol=1e-14)
    assert abs(vectors.mean()) < 0.03 and np.allclose((vectors**2).mean(1), 1 / gates, atol=0.03)
    assert np.allclose((vectors**4).mean(1), 3 / gates / (gates + 2), atol=0.03)  # uniform on the sphere


@pytest.mark.parametrize("cell", ["srnn", "lstm", "gru"])
def test_recurrent_weights_of_eight_units_have_orthonormal_columns(cell):
    net, _ = started(latching.Settings(cell=cell, T=2, units=8, repeats=3), B=4)
    for r in range(3):
        columns = net.W_h[:, :, r].T  # (rows, 8)
        assert np.allclose(columns.T @ columns, np.eye(8), atol=1e-13)


@pytest.mark.parametrize("cell, gates", [("srnn", 1), ("lstm", 4), ("gru", 3)])
def test_kernels_are_glorot_uniform_over_the_fused_gates(cell, gates):
    net = many(cell)
    for W, limit in ((net.W_x, math.sqrt(6 / (1 + gates))), (net.W_y, math.sqrt(6 / 3))):
        assert abs(W).max() <= limit and abs(W).max() > 0.99 * limit
        assert abs(W.mean()) < 0.05 * limit and abs(W.var() / (limit**2 / 3) - 1) < 0.08


def test_biases_start_at_zero_except_the_forget_and_update_gate():
    for choice, name, value in (
            (dict(cell="lstm"), "b_f", 1), (dict(cell="lstm", forget_bias=3), "b_f", 3),
            (dict(cell="gru", update_bias=3, reset="after"), "b_z", 3), (dict(cell="srnn"), None, 0)):
        net, _ = started(latching.Settings(T=2, repeats=3, **choice))
        for tensor, array in net.tensors(net.theta).items():
            if tensor.startswith("b_"):
                assert (array == (value if tensor == name else 0)).all(), tensor
    net, _ = started(latching.Settings(T=2, repeats=3, forget_bias="none"))
    assert "b_f" not in net.tensors(net.theta)


def test_chrono_draws_the_time_constants_evenly_up_to_the_length():
    times = []
    for first in range(0, MANY, MANY // 4):
        net, _ = started(latching.Settings(T=101, repeats=MANY // 4, forget_bias="chrono"), B=4, first=first)
        tensors = net.tensors(net.theta)
        times.append(np.exp(tensors["b_f"]).ravel())
        assert np.array_equal(tensors["b_i"], -tensors["b_f"])
    times = np.concatenate(times)
    assert 1 <= times.min() and times.max() <= 100
    assert np.allclose(np.quantile(times, [0.25, 0.5, 0.75]), [25.75, 50.5, 75.25], atol=4)


def test_a_default_lstm_forgets_by_sigma_of_one_plus_a_quarter_of_its_recurrent_weight():
    """At rest dc_t/dc_{t-1} = sigma(1) + U_g / 4, so that |dh_T/dx_1| = |W_xg| / 4 times this to the power T - 1."""
    T = 12
    net, _ = started(latching.Settings(T=T, repeats=20), B=1)
    tensors = net.tensors(net.theta)
    net.forward(np.zeros((T, 1, 20)))
    carry = 1 / (1 + math.exp(-1)) + tensors["W_hg"][0, 0] / 4
    assert np.allclose(net.jacobian(), abs(tensors["W_xg"][0, 0]) / 4 * carry ** (T - 1), rtol=1e-12)


# Gradients

@pytest.mark.parametrize("units, updates", [(1, 0), (1, 200), (3, 0)])
@pytest.mark.parametrize("name", latching.CHECKED)
def test_gradient_check(name, units, updates):
    R = 2 if (units, updates) == (1, 0) else 1
    rows = latching.gradcheck(latching.CHECKED[name], units, updates, R=R)
    assert [row for row in rows if not row[-1]] == []
    settings = latching.Settings(units=units, T=30, repeats=R, **latching.CHECKED[name])
    assert sum(row[1] for row in rows) == latching.build(settings, 4, R).theta.size  # no weight left out


def test_gradient_check_of_the_task_of_1994():
    assert all(row[-1] for row in latching.gradcheck(dict(cell="srnn"), task="latch1994"))


SRNN, LSTM, BEFORE, AFTER = dict(cell="srnn"), dict(cell="lstm"), dict(cell="gru"), dict(cell="gru", reset="after")
HARD = dict(cell="lstm", recurrent_activation="hard_sigmoid")
SENT = "transposed_product(W, dz, dh, sent)"
MUTANTS = [
    ("SRNN", SRNN, "np.multiply(self.h[1:], self.h[1:], out=self.dz)",
     "np.multiply(self.h[:-1], self.h[:-1], out=self.dz)"),
    ("SRNN", SRNN, "np.subtract(1, self.dz, out=self.dz)", "np.subtract(1, 0.5 * self.dz, out=self.dz)"),
    ("SRNN", SRNN, "np.subtract(1, self.dz, out=self.dz)", "self.dz[:] = 1"),
    ("SRNN", SRNN, "for dz in self.dz[::-1]", "for dz in self.dz"),
    ("SRNN", SRNN, "for dz in self.dz[::-1]", "for dz in self.dz[:0:-1]"),
    ("SRNN", SRNN, "np.multiply(dz, dh, dz)", "np.multiply(dz, 1.000001 * dh, dz)"),
    ("SRNN", SRNN, "np.multiply(dz, dh, dz)", "np.multiply(dz, abs(dh), dz)"),
    ("SRNN", SRNN, SENT, "transposed_product(-W, dz, dh, sent)"),
    ("SRNN", SRNN, SENT, "transposed_product(W.swapaxes(0, 1), dz, dh, sent)"),
    ("SRNN", SRNN, SENT, SENT + "; dh[0] = 0"),
    ("SRNN", SRNN, "W, dh, sent = self.columns(self.W_h), self.dh, self.sent",
     "W, dh, sent = np.repeat(self.W_h, self.B, -1), self.dh, self.sent"),
    ("LSTM", LSTM, "multiply(dz_o, dh, dz_o)", "multiply(dz_o, dc, dz_o)"),
    ("LSTM", LSTM, "np.add(dc, multiply(dh, dc_dh, part), dc)", "multiply(dh, dc_dh, dc)"),
    ("LSTM", LSTM, "multiply(dz_i, dc, dz_i)", "multiply(dz_i, dh, dz_i)"),
    ("LSTM", LSTM, "multiply(dz_g, dc, dz_g)", "multiply(dz_g, 0.999999 * dc, dz_g)"),
    ("LSTM", LSTM, "multiply(dz_f, dc, dz_f)", "multiply(dc, f, dc); multiply(dz_f, dc, dz_f); continue"),
    ("LSTM", LSTM, "                multiply(dc, f, dc)", "                pass"),
    ("LSTM", LSTM, "dc[:] = 0", "pass"),
    ("LSTM", LSTM, SENT, "transposed_product(W * self.fold, dz, dh, sent)"),
    ("LSTM", LSTM, SENT, "dh[:] = 0"),
    ("LSTM", LSTM, "in reversed(self.backward_steps)", "in self.backward_steps"),
    ("LSTM", LSTM, "dz_o *= self.tanh_c", "dz_o *= self.c[1:]"),
    ("LSTM", LSTM, "dz_i *= self.g", "dz_i *= self.i"),
    ("LSTM", LSTM, "dz_g *= self.i", "dz_g *= self.o"),
    ("LSTM", LSTM, "dz_forget *= self.c[:-1]", "dz_forget *= self.c[1:]"),
    ("LSTM", LSTM, "np.subtract(1, self.dc_dh, out=self.dc_dh)", "self.dc_dh[:] = 1"),
    ("LSTM", LSTM, "self.dc_dh *= self.o", "self.dc_dh *= self.i"),
    ("LSTM", dict(cell="lstm", forget_bias="none"), "if f is not None:",
     "if f is None:\n                dc *= 0.9\n            else:"),
    ("GRU", BEFORE, "multiply(dz_z, dh, dz_z)", "multiply(dz_z, -dh, dz_z)"),
    ("GRU", BEFORE, "multiply(dz_g, dh, dz_g)", "multiply(dz_g, 1.000001 * dh, dz_g)"),
    ("GRU", BEFORE, "            multiply(dh, z, dh)", "            pass"),
    ("GRU", BEFORE, "transposed_product(W_g, dz_g, back, sent_g)", "back[:] = dz_g"),
    ("GRU", BEFORE, "multiply(dz_r, back, dz_r)", "multiply(dz_r, dh, dz_r)"),
    ("GRU", BEFORE, "                multiply(back, r, back)", "                pass"),
    ("GRU", BEFORE, "transposed_product(W_s, dz_s, back, sent_s)", "back[:] = 0"),
    ("GRU", BEFORE, "dz_z *= self.gap", "dz_z *= self.h[:-1]"),
    ("GRU", BEFORE, "self.reset if self.reset_after else self.h[:-1]", "self.reset"),
    ("GRU", BEFORE, "np.subtract(1, self.z, out=self.dg_sent)", "self.z"),
    ("GRU", BEFORE, "self.correlate(self.dz[:, 2 * H :], self.reset,",
     "self.correlate(self.dz[:, 2 * H :], self.h[:-1],"),
    ("GRU", BEFORE, "in reversed(self.backward_steps)", "in self.backward_steps"),
    ("GRU", AFTER, "multiply(dz_r, dz_g, dz_r)", "multiply(dz_r, dh, dz_r)"),
    ("GRU", AFTER, "multiply(dz_g, r, dg_sent)", "multiply(dz_g, z, dg_sent)"),
    ("GRU", AFTER, "self.reset if self.reset_after else self.h[:-1]", "self.h[:-1]"),
    ("GRU", AFTER, "self.correlate(self.dg_sent, self.h[:-1],", "self.correlate(self.dz[:, 2 * H :], self.h[:-1],"),
    ("GRU", AFTER, "self.per_repeat(self.dg_sent.sum(0))", "self.per_repeat(self.dz[:, 2 * H :].sum(0))"),
    ("GRU", AFTER, "self.per_repeat(self.dg_sent.sum(0))", "0"),
    ("Gated", LSTM, "ds *= self.s", "ds *= 0.5 * self.s"),
    ("Gated", LSTM, "np.subtract(1, dg, out=dg)", "pass"),
    ("Gated", HARD, "np.multiply((self.s > 0) & (self.s < 1), self.fold[0], out=ds)", "ds[:] = 0.25"),
    ("Cell", LSTM, "self.db_y[:] = self.per_repeat(dy)", "self.db_y[:] = self.per_repeat(dy) / self.B"),
    ("Cell", LSTM, "self.per_repeat(dy * h_j)", "self.per_repeat(dy * self.h_units[-2][0])"),
    ("Cell", LSTM, "np.add.reduce(W_j * dy, 0, None, dh_j)", "dh_j[:] = (W_j * dy)[1]"),
    ("Cell", LSTM, "self.correlate(self.dz, self.x, self.dW_x)", "self.correlate(self.dz, self.h[:-1], self.dW_x)"),
    ("Cell", LSTM, "self.per_repeat(self.dz.sum(0))", "self.per_repeat(self.dz[1:].sum(0))"),
    ("Cell", LSTM, "self.correlate(self.dz, self.h[:-1], self.dW_h)", "self.correlate(self.dz, self.h[1:], self.dW_h)"),
    ("Cell", LSTM, "s[:, j : j + 1]", "s[:, :1]"),
    ("Cell", LSTM, "self.terms[:, : dz.shape[1]].sum(0)", "self.terms[1:, : dz.shape[1]].sum(0)"),
    ("Cell", LSTM, "self.B, self.R)\n        return np.add.accumulate(by_sequence, axis=-2)[..., -1, :]",
     "self.R, self.B)\n        return np.add.accumulate(by_sequence, axis=-1)[..., -1]"),
    ("Cell", LSTM, "np.tile(parameter, self.B)", "np.repeat(parameter, self.B, -1)"),
    ("transposed_product", LSTM, "np.add.reduce(part, 0, None, dh_j)", "dh_j[:] = part[0]"),
    ("transposed_product", LSTM, "zip(W, dh)", "zip(W[::-1], dh)"),
    ("loss_and_gradient", LSTM, "slope = -sign", "slope = sign"),
    ("loss_and_gradient", LSTM, "np.where(margin.real > 0, small, 1) / (1 + small)", "0.5"),
    ("loss_and_gradient", LSTM, "np.array([-slope, slope])", "np.array([0 * slope, slope])"),
    ("loss_and_gradient", LSTM, "/ (1 + small) / net.B", "/ (1 + small)"),
]


def mutant(where, old, new):
    """The module with old, which stands once in the class or function `where`, replaced by new."""
    kind = "class" if where[0].isupper() else "def"
    return execute(mutated("information_latching.py", f"{kind} {where}", old, new), "mutant")


@pytest.mark.parametrize("where, choice, old, new", MUTANTS)
def test_the_gradient_check_rejects_a_wrong_backward_pass(where, choice, old, new):
    wrong = mutant(where, old, new)
    R = 2 if where == "Cell" or "np.repeat" in new else 1
    with np.errstate(all="ignore"):
        assert not all(row[-1] for row in wrong.gradcheck(choice, units=2, updates=1, T=10, R=R))  # buffers in use


def saturated_errors(made, choice):
    """Largest absolute errors of a gradient, against the complex step, in a net whose hard sigmoids reach 0 and 1."""
    settings = made.Settings(T=8, repeats=1, noise=2.0, **choice)
    net, _ = started(settings, B=4)
    x = np.random.default_rng(0).normal(0, 6, (8, 1, 4))
    sign = np.array([1.0, -1, 1, -1])
    other = made.build(settings, 4, 1, theta=net.theta)
    other.backward(made.loss_and_gradient(other, other.forward(x), sign)[1])
    assert (other.s == 0).any() and (other.s == 1).any()

    def loss(theta):
        moved = made.build(settings, 4, 1, theta)
        return made.loss_and_gradient(moved, moved.forward(x), sign)[0].sum()

    steps = 1e-30j * np.eye(net.theta.size)
    return max(abs(loss(net.theta + step).imag / 1e-30 - slope) for step, slope in zip(steps, other.grad))


def test_a_saturated_hard_sigmoid_passes_no_gradient():
    assert saturated_errors(latching, HARD) < 1e-14
    wrong = mutant("Gated", "np.multiply((self.s > 0) & (self.s < 1), self.fold[0], out=ds)", "ds[:] = 0.2")
    assert saturated_errors(wrong, HARD) > 1e-6


def test_the_gradient_check_passes_where_the_mutants_stand():
    for choice in (SRNN, LSTM, HARD, BEFORE, AFTER, dict(cell="lstm", forget_bias="none")):
        for R in (1, 2) if choice is LSTM else (1,):
            assert all(row[-1] for row in latching.gradcheck(choice, units=2, updates=1, T=10, R=R))


def test_a_wrong_backward_pass_fails_on_the_command_line(capsys):
    wrong = mutant("LSTM", "dz_i *= self.g", "dz_i *= 0.99 * self.g")
    wrong.CHECKED = {name: wrong.CHECKED[name] for name in ("srnn", "lstm")}
    wrong.gradcheck = functools.partial(wrong.gradcheck, R=1)
    assert wrong.main(["--gradcheck"]) == 1
    out = capsys.readouterr().out
    assert "lstm, 1 unit, random weights" in out and "FAILED" in out
    assert "W_xi" in out and "srnn, 1 unit, random weights" in out


# Agreement with torch

CASES = {
    "srnn": dict(cell="srnn"), "lstm": dict(cell="lstm"), "lstm_hard": HARD,
    "lstm_1997": dict(cell="lstm", forget_bias="none"), "gru_after": AFTER, "gru_before": BEFORE,
    "gru_hard": dict(cell="gru", recurrent_activation="hard_sigmoid"),
}
REFERENCE = ROOT / "tests" / "reference" / "information_latching.npz"


def compare(case, H, arrays):
    """Largest differences to torch's logits, loss and gradients, with the case as the second of two repeats."""
    x, B = arrays["x"], len(arrays["labels"])
    net = latching.build(latching.Settings(T=len(x), units=H, repeats=2, **CASES[case]), B, 2)
    for name, tensor in net.tensors(net.theta).items():
        tensor[..., 1] = arrays[f"p_{name}"]
    x, sign = (latching.side_by_side([0 * array, array]) for array in (x[:, None], 2.0 * arrays["labels"] - 1))
    y = net.forward(x)
    loss, dy = latching.loss_and_gradient(net, y, sign)
    net.backward(dy)
    differences = [abs(y.reshape(2, B, 2)[:, :, 1] - arrays["y"]).max(), abs(loss[1] - arrays["loss"])]
    for name, tensor in net.tensors(net.grad).items():
        differences.append(abs(tensor[..., 1] - arrays[f"g_{name}"]).max())
    return differences


@pytest.mark.parametrize("H", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_agreement_with_torchs_committed_values(case, H):
    with np.load(REFERENCE, allow_pickle=False) as file:
        arrays = {name.split(".")[2]: file[name] for name in file.files if name.startswith(f"{case}.{H}.")}
    assert max(compare(case, H, arrays)) < 1e-12


def test_agreement_with_torch_itself():
    try:
        import make_information_latching as maker
    except ImportError:
        if os.environ.get("REQUIRE_TORCH") == "1":
            raise
        pytest.skip("torch is not installed")
    with np.load(REFERENCE, allow_pickle=False) as file:
        fresh = maker.references()
        assert set(fresh) == set(file.files)
        assert all(np.allclose(fresh[name], file[name], rtol=0, atol=1e-12) for name in fresh)
    for case in CASES:
        for H in (1, 3):
            assert max(compare(case, H, maker.reference(case, H))) < 1e-12


# Lockstep

STACKS = [
    dict(cell="srnn"), dict(cell="lstm"), dict(cell="gru"), dict(cell="lstm", forget_bias="chrono"),
    dict(cell="lstm", units=8, task="bit_relay"),
    dict(cell="gru", units=3, reset="after", recurrent_activation="hard_sigmoid"),
    dict(cell="lstm", split="question", samples=500, epochs=1), dict(cell="lstm", dtype="float32"),
    dict(cell="srnn", task="latch1994"),
]


@pytest.mark.parametrize("choice", STACKS, ids=str)
def test_thirty_repeats_side_by_side_give_the_bits_of_ten_and_of_one(choice, monkeypatch):
    monkeypatch.setattr(latching, "N_TEST", 50)
    common = dict(T=20, batch=4, **choice) | ({} if "split" in choice else dict(updates=12))
    options = latching.Options(eval_every=6)
    wide, middle = (
        latching.train(latching.Settings(repeats=R, **common), options) for R in (30, 10))
    alone = latching.train(latching.Settings(repeats=1, seed=7, **common), options)
    for other in (wide, middle):
        for name, value in alone["weights"].items():
            assert np.array_equal(np.array(other["weights"][name])[..., 7], np.array(value)[..., 0]), name
        for part in ("final", "history"):
            for name, value in alone[part].items():
                if name in ("train_loss", "test_accuracy", "validation_accuracy"):
                    column = other[part][name]
                    assert [row[7] for row in column] == [row[0] for row in value] if part == "history" else (
                        column[7] == value[0]), name
        for name in ("gradient_start", "gradient_end", "probe_start"):
            assert other["final"][name][7] == alone["final"][name][0], name


def test_a_repeat_that_blows_up_does_not_touch_its_neighbours():
    settings = latching.Settings(T=10, repeats=3, batch=4)
    results = []
    for spoil in (False, True):
        net, rngs = started(settings, B=4)
        if spoil:
            net.W_h[:, :, 1] = np.nan
        optimizer, batches = latching.Adam(net.theta), latching.training_batches(rngs, settings, [None] * 3)
        for _ in range(5):
            latching.update(net, optimizer, *next(batches), 1e-3, 1)
        results.append(net.theta.reshape(-1, 3).copy())
    assert np.array_equal(results[0][:, [0, 2]], results[1][:, [0, 2]]) and np.isnan(results[1][:, 1]).any()


@pytest.fixture(scope="module")
def small():
    """A record of forty updates of three nets at T = 10, by how it is evaluated and what is kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latching, "N_TEST", 50)
        settings = latching.Settings(T=10, repeats=3, updates=40)
        options = dict(usual={}, again={}, often=dict(eval_every=7), ends=dict(eval_every=7, ends_only=True))
        return {name: latching.train(settings, latching.Options(**choice)) for name, choice in options.items()} | {
            "other": latching.train(latching.dataclasses.replace(settings, seed=3), latching.Options())}


def test_same_seed_same_bits_and_the_evaluation_interval_changes_nothing(small):
    first, again, often = small["usual"], small["again"], small["often"]
    assert first["weights"] == again["weights"] == often["weights"] and first["final"] == again["final"]
    assert first["final"]["test_accuracy"] == often["final"]["test_accuracy"]
    assert len(often["history"]["update"]) == 7 and often["history"]["update"][-1] == 40
    assert small["other"]["weights"] != first["weights"]


def test_the_ends_of_the_history_alone_change_nothing_else(small):
    often, ends = small["often"], small["ends"]
    for part in ("settings", "seeds", "final", "best", "weights"):
        assert often[part] == ends[part], part
    assert ends["history"] == {name: [column[0], column[-1]] for name, column in often["history"].items()}
    assert latching.ends({"update": [0]}) == {"update": [0]} and latching.ends({"update": []}) == {"update": []}


def test_only_the_recurrent_weight_and_the_inputs_are_trained_in_latch1994():
    settings = latching.Settings(task="latch1994", cell="srnn", T=10, repeats=3, updates=30)
    start, _ = started(settings)
    weights = latching.train(settings, latching.Options())["weights"]
    changed = {
        name: np.array(weights[name]) != tensor for name, tensor in start.tensors(start.theta).items()}
    assert changed["W_hh"].all() and changed["W_xh"][:, :-1].all()
    assert not changed["W_xh"][:, -1].any() and (np.array(weights["W_xh"])[:, -1] == 1).all()
    assert not any(changed[name].any() for name in ("b_h", "W_y", "b_y"))


def test_training_learns_the_easy_task():
    settings = latching.Settings(cell="srnn", T=2, repeats=5, updates=4000)
    record = latching.train(settings, latching.Options(eval_every=4000))
    assert record["final"]["success_fraction"] >= 0.6 and max(record["final"]["test_accuracy"]) == 1


# Measures

def test_the_criterion_is_strict_and_counts_a_diverged_repeat_as_a_failure():
    assert latching.success_fraction([0.95, 0.951, None, 1.0]) == 0.5


def test_jacobian_against_differences_of_the_last_state():
    for choice in (dict(cell="srnn"), dict(cell="lstm", units=3), dict(cell="gru", units=2)):
        settings = latching.Settings(T=6, repeats=2, **choice)
        net, _ = started(settings, B=4)
        x = np.random.default_rng(0).normal(0, 0.5, (6, 1, 8))
        states = []
        for sign in (1, -1):
            moved = x.copy()
            moved[0] += sign * 1e-6
            net.forward(moved)
            states.append(net.h[-1].copy())
        by_difference = np.sqrt((((states[0] - states[1]) / 2e-6) ** 2).sum(0))
        net.forward(x)
        assert np.allclose(net.jacobian(), by_difference, rtol=1e-6, atol=1e-9)


def test_the_probe_decodes_what_is_there_and_nothing_else():
    settings = latching.Settings(cell="srnn", T=4, repeats=2, noise=0.1, init="identity")
    net, rngs = started(settings, B=50)
    net.W_x[:] = 1
    fit, test = (latching.held_out(settings, rngs, stream) for stream in ("display", "eval"))
    assert latching.probe(net, fit, test) == [1.0, 1.0]
    net.W_h[:] = 0  # the first element is gone after one step
    assert all(abs(score - 0.5) < 0.06 for score in latching.probe(net, fit, test))


# Command line and records

BAD = [
    ("--T", "1"), ("--T", "many"), ("--T", "inf"), ("--repeats", "0"), ("--batch", "6"), ("--lr", "nan"),
    ("--cell", "elman"), ("--task", "xor"), ("--cell", "srnn", "--forget-bias", "1"), ("--forget-bias", "nan"),
    ("--forget-bias", "much"), ("--cell", "gru", "--init", "identity"), ("--update-bias", "1"), ("--reset", "after"),
    ("--cell", "srnn", "--recurrent-activation", "sigmoid"), ("--task", "latch1994"), ("--latch-steps", "2"),
    ("--task", "latch1994", "--cell", "srnn", "--T", "2"), ("--samples", "500"), ("--epochs", "3"),
    ("--split", "question", "--updates", "7"), ("--split", "question", "--samples", "510"), ("--T", "100000"),
    ("--all",), ("--study", "table"), ("--seeds", "0-3", "--repeats", "2"), ("--seeds", "3-1"), ("--unknown",),
    ("--out", "absent/folder/results.json"), ("--T", "50000", "--repeats", "2"), ("--reset", "after", "--cell", "lstm"),
]


def by_hand(settings, U, B=8):
    """SRNNs whose repeats have these recurrent weights, an input weight of 1 and no bias."""
    net = latching.build(settings, B, settings.repeats)
    net.W_h[0, 0], net.W_x[0, 0] = U, 1
    return net


def test_retention_is_what_is_left_of_the_first_elements_mark():
    settings = latching.Settings(T=12, cell="srnn", repeats=3, noise=1e-9)
    net = by_hand(settings, [0.5, 0.0, 3.0])
    x = latching.side_by_side([latching.make_sequences(rng["eval"], settings, 24)[0] for rng in seeded(3)])
    h = np.tanh(1.0)
    for _ in range(11):
        h = np.tanh(0.5 * h)
    kept = latching.retention(net, x)
    assert kept[0] == pytest.approx(h / np.tanh(1.0), rel=1e-3) and kept[1] < 1e-6
    assert 1 < kept[2] < 1.4  # it grows to the fixed point of tanh(3 h)


def test_in_the_relay_the_first_element_marks_the_state_not_the_class():
    settings = latching.Settings(task="bit_relay", T=2, cell="srnn", repeats=2, noise=0)
    net = by_hand(settings, [0.0, 0.0], B=4)
    x = latching.side_by_side([latching.make_sequences(rng["eval"], settings, 4)[0] for rng in seeded(2)])
    assert latching.retention(net, x) == [0, 0]  # the second element alone is left


def test_a_latch_holds_after_the_training_length():
    settings = latching.Settings(T=20, cell="srnn", repeats=3)
    net = by_hand(settings, [0.9, 1.25, 2.0], B=latching.WIDTH)
    held = latching.latch(net, settings, seeded(3))
    assert held[0] < 0.65 and held[2] == 1 and held[1] > 0.9  # leaks over 80 steps; two stable states
    assert latching.latch(net, settings, seeded(3)) == held
    net.W_h[0, 0, 1] = np.nan
    assert latching.latch(net, settings, seeded(3)) == [held[0], None, held[2]]


def test_a_latch_sees_noise_alone_after_the_training_length(monkeypatch):
    settings, seen = latching.Settings(T=5, cell="srnn", repeats=2), []
    net = by_hand(settings, [1.0, 1.0], B=latching.WIDTH)
    states = latching.last_states

    def noted(nets, x):
        seen.append(x)
        return states(nets, x)

    monkeypatch.setattr(latching, "last_states", noted)
    h, sign = latching.longer_states(net, settings, seeded(2))
    x = np.concatenate(seen, axis=2)
    assert x.shape == (20, 1, 2 * latching.N_LONGER) and h.shape == (1, latching.N_LONGER, 2)
    assert np.array_equal(np.sign(x[0, 0]), sign.ravel()) and abs(x[1:]).max() < 1 and x[5:].std() > 0.09


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_bad_input_is_one_line_and_exit_code_2(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        latching.main(list(words))
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and err.count("\n") == 1 and "Traceback" not in err
    assert not (tmp_path / "results.json").exists()


def test_bad_input_at_the_shell(tmp_path):
    ended = run("--task", "latch1994", cwd=tmp_path)
    assert ended.returncode == 2 and "--cell srnn" in ended.stderr and ended.stdout == ""


def test_a_foreign_results_file_is_refused_and_left_alone(tmp_path, capsys):
    out = tmp_path / "results.json"
    for content in ("not json", '{"schema": 99}', '{"a": 1}', '{"schema": 1, "information_latching": 3}'):
        out.write_text(content)
        with pytest.raises(SystemExit) as ended:
            latching.main(["--T", "3", "--updates", "1", "--out", str(out)])
        assert ended.value.code == 2 and capsys.readouterr().err.count("\n") == 1
        assert out.read_text() == content


def test_the_script_runs_copied_with_harness_and_its_record_is_complete(tmp_path):
    for file in (FILE.name, *(f"{name}.py" for name in latching.harness.PLUMBING)):
        shutil.copy(ROOT / file, tmp_path)
    ended = subprocess.run(
        [sys.executable, "-OO", "information_latching.py", "--T", "5", "--updates", "20", "--seeds", "4-6"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    (record,) = records(tmp_path / "results.json")
    assert record["seeds"] == [4, 5, 6] and record["settings"]["seed"] == 4 and record["settings"]["repeats"] == 3
    assert record["settings"]["forget_bias"] == 1.0 and record["settings"]["reset"] is None
    assert record["final"]["status"] == "done" and record["final"]["update"] == 20
    for name in ("test_accuracy", "train_loss", "gradient_start", "gradient_end", "probe_start", "diverged"):
        assert len(record["final"][name]) == 3, name
    assert record["provenance"]["command"] == "python3 information_latching.py --T 5 --updates 20 --seeds 4-6"
    assert record["provenance"]["fingerprint"] == latching.CODE.fingerprint
    weights = {name: np.array(value) for name, value in record["weights"].items()}
    assert weights["W_hi"].shape == (1, 1, 3) and weights["W_y"].shape == (2, 1, 3)
    first, *_, last = ended.stdout.splitlines()
    assert "nan" not in first and "(a guess: 0.5)" in last


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in, and small held-out sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(latching, "N_TEST", 50)
    return tmp_path


TINY = ["--updates", "2", "--repeats", "2", "--quiet"]


def test_running_again_replaces_the_record_and_touches_no_other(here):
    other = '{"schema": 1, "another": [{"settings": {"a": 1}, "final": {"status": "done"}, "provenance": {}}]}'
    (here / "results.json").write_text(other)
    for T in ("3", "3", "4"):
        assert latching.main(["--T", T, *TINY]) == 0
    results = json.loads((here / "results.json").read_text())
    assert results["another"] == json.loads(other)["another"]
    assert [record["settings"]["T"] for record in results[latching.EXPERIMENT]] == [3, 4]


def test_divergence_is_detected_and_ends_with_exit_code_1(here, capfd):
    assert latching.main(["--T", "3", "--repeats", "3", "--updates", "3000", "--lr", "1e6", "--quiet"]) == 1
    out, err = capfd.readouterr()
    assert "DIVERGED" in out and err == ""
    (record,) = records("results.json")
    final = record["final"]
    assert final["status"] == "diverged" and any(final["diverged"])
    assert [value is None for value in final["test_accuracy"]] == final["diverged"]
    if all(final["diverged"]):
        assert final["update"] < 3000


@pytest.mark.parametrize("name", ("SIGINT", "SIGTERM", "SIGHUP"))
def test_a_signal_to_the_group_saves_what_was_computed(name, tmp_path):
    process = subprocess.Popen(
        [*PYTHON, "--updates", "100000", "--eval-every", "20", "--T", "20", "--repeats", "3", "--jobs", "2"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    for _ in range(3):
        process.stdout.readline()
    os.killpg(process.pid, getattr(signal, name))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "INTERRUPTED" in out
    (record,) = records(tmp_path / "results.json")
    assert record["final"]["status"] == "interrupted" and 40 <= record["final"]["update"] < 100000
    assert record["history"]["update"][-1] == record["final"]["update"]


@pytest.mark.parametrize("asked", (0, 1, 3, 5))
def test_a_run_stopped_before_anything_was_measured_has_a_record(asked, here, monkeypatch):
    """stopped() is asked between the parts of an evaluation; true from the n-th time on, it must end the run there."""
    times = iter(range(10**6))
    monkeypatch.setattr(latching.harness, "stopped", lambda: next(times) >= asked)
    record = latching.train(latching.Settings(T=3, repeats=2), latching.Options())
    assert next(times) < asked + 12
    final = record["final"]
    assert final["status"] == "interrupted" and final["test_accuracy"] is final["update"] is None
    assert record["best"] == {"update": None, "success_fraction": None} and record["history"]["update"] == []
    assert "nothing measured" in latching.summary(record) and "INTERRUPTED" in latching.summary(record)


def test_kill_9_leaves_the_finished_settings(tmp_path, here):
    assert latching.main(["--T", "3", *TINY]) == 0
    process = subprocess.Popen(
        [*PYTHON, "--T", "20", "--updates", "100000", "--eval-every", "20"], cwd=tmp_path, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    assert [record["settings"]["T"] for record in records("results.json")] == [3]
    assert latching.main(["--T", "4", *TINY]) == 0 and len(records("results.json")) == 2


def test_a_full_disk_loses_nothing(here, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert latching.main(["--T", "3", *TINY]) == 1
    printed, err = capsys.readouterr()
    record = json.loads(printed.splitlines()[0])
    assert record["final"]["update"] == 2 and "No space left" in err and not (here / "results.json").exists()
    assert [path.name for path in here.iterdir() if path.suffix == ".tmp"] == []


def test_progress_lines_fit_80_columns():
    row = dict(update=10**6, success_fraction=1.0, train_loss=[0.69314] * 999)
    assert len(latching.progress_words(row) + "  599 s, 9999 min left") <= 80


def test_the_help_names_every_default(capsys):
    with pytest.raises(SystemExit):
        latching.main(["--help"])
    words = " ".join(capsys.readouterr().out.split())
    for default in ("0.447", "needs --split question or shuffled (default: 10000)", "(default: 1.0)", "4000 for fresh",
                    "needs --cell gru (default: before)"):
        assert default in words, default


def test_used_from_a_thread_and_everything_is_given_back(here):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    codes = []
    thread = threading.Thread(target=lambda: codes.append(latching.main(["--T", "3", *TINY])))
    thread.start()
    thread.join()
    assert codes == [0] and latching.main(["--T", "4", *TINY]) == 0 and len(records("results.json")) == 2
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_an_import_leaves_the_environment_alone():
    code = "import os; before = dict(os.environ); import information_latching; assert before == dict(os.environ)"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_memory_is_estimated_for_what_is_allocated():
    settings = latching.Settings(T=100, repeats=4, updates=1, units=2, batch=64)
    tracemalloc.start()
    latching.train(settings, latching.Options())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < settings.bytes_needed() < 2 * peak


COMMANDS = re.findall(r"^ *(python3 information_latching\.py.*?)(?:   .*)?$", latching.__doc__, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_documented_commands_at_smoke_size(command, here, monkeypatch):
    monkeypatch.setattr(latching, "gradcheck_all", lambda: 0)
    assert latching.main([*command.split()[2:], *TINY]) == 0
    assert "--gradcheck" in command or records("results.json")


# The committed records

@functools.cache
def committed():
    path = ROOT / "results.json"
    return json.loads(path.read_text()).get(latching.EXPERIMENT, []) if path.exists() else []


def test_stored_weights_give_the_recorded_accuracies():
    stored = [record for record in committed() if "weights" in record]
    assert stored, "the headline record with its weights is missing from results.json"
    for record in stored:
        settings = latching.Settings(**record["settings"])
        rngs = [latching.streams(seed) for seed in record["seeds"]]
        net = latching.build(settings, latching.WIDTH, settings.repeats)
        for name, tensor in net.tensors(net.theta).items():
            tensor[:] = record["weights"][name]
        accuracy = latching.accuracy(net, *latching.held_out(settings, rngs, "eval"))
        assert accuracy.tolist() == record["final"]["test_accuracy"]


def test_the_records_fit_their_share():
    assert len(json.dumps(committed())) < 0.9e6
