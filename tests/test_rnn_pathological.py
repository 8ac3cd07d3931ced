"""rnn_pathological.py: tasks, starts, momentum, gradients and their mutants, torch, determinism, command line."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from conftest import ROOT, execute, mutated
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from make_rnn_pathological import CASES, FILE, LR, MODELS, MU, UPDATES, case, torch_answers

import harness
import rnn_pathological as rp
import studies

SCRIPT = "rnn_pathological.py"
SMOKE = ["--epochs", "2", "--batches-per-epoch", "2", "--hidden", "5", "--quiet"]


@pytest.fixture
def small_test_set(monkeypatch):
    monkeypatch.setattr(rp, "N_TEST", 300)
    monkeypatch.setattr(rp, "N_CURVE", 100)


# ----------------------------------------------------------------------------------------------------------------------
# Tasks
# ----------------------------------------------------------------------------------------------------------------------

def symbols_of(x):
    assert set(np.unique(x)) <= {0.0, 1.0} and (x.sum(1) == 1).all()
    return x.argmax(1)


def marked(x):
    """The two marked values of each sequence, with the places of the marks checked."""
    T, _, n = x.shape
    assert ((x[:, 1] == 0) | (x[:, 1] == 1)).all()
    assert (x[: T // 2, 1].sum(0) == 1).all() and (x[T // 2 :, 1].sum(0) == 1).all()
    steps = x[:, 1].argsort(0, kind="stable")[-2:]
    return np.sort(np.take_along_axis(x[:, 0], steps, 0), 0)


def expected(task, x, T, settings):
    """The target, worked out from the input alone by the task's definition, one sequence at a time."""
    n = x.shape[2]
    if task in ("addition", "multiplication", "xor"):
        one, other = marked(x)
        return {"addition": one + other, "multiplication": one * other, "xor": (one + other) % 2}[task][None]
    symbols = symbols_of(x)
    if task in ("temporal_order", "temporal_order_3"):
        starts = (T // 10, T // 2) if task == "temporal_order" else (T // 10, T // 3, 2 * T // 3)
        answers = []
        for k in range(n):
            steps = [t for t in range(T) if symbols[t, k] < 2]
            assert len(steps) == len(starts)
            assert all(start <= t < start + max(1, T // 10) for t, start in zip(steps, starts))
            answers.append(int("".join(str(symbols[t, k]) for t in steps), 2))
        return np.array([answers])
    if task == "random_permutation":
        V = settings.vocabulary
        assert (symbols[0] < 2).all() and (symbols[1:] >= 2).all()
        for start in range(1, T, V - 2):
            assert all(len(set(column)) == len(column) for column in symbols[start : start + V - 2].T)
        return np.concatenate([symbols[1:], symbols[:1]])
    if task == "noiseless_memorization":
        S, K = settings.bits, settings.alphabet
        assert len(symbols) == T + 2 * S and (symbols[:S] < K).all()
        assert (np.delete(symbols[S:], T - 1, 0) == K).all() and (symbols[S + T - 1] == K + 1).all()
        return symbols[:S]
    if task == "copy_memory":
        assert len(symbols) == T + 20 and (symbols[:10] < 8).all()
        assert (np.delete(symbols[10:], T - 1, 0) == 8).all() and (symbols[T + 9] == 9).all()
        return np.concatenate([np.full((T + 10, n), 8), symbols[:10]])
    assert (symbols[-1] == 2).all() and np.isin(symbols[3:-1], (3, 4)).all() and (symbols[:3] < 2).all()
    return np.array([[int("".join(map(str, symbols[:3, k])), 2) for k in range(n)]])


@pytest.mark.parametrize("task", rp.TASKS)
@hypothesis_settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_generators_meet_their_definitions(task, data):
    T = data.draw(st.integers(rp.TASKS[task].shortest, 70))
    n, seed = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 2**32))
    special = {
        "noiseless_memorization": dict(bits=data.draw(st.integers(1, 6)), alphabet=data.draw(st.integers(2, 5))),
        "random_permutation": dict(vocabulary=data.draw(st.integers(3, 40)))}.get(task, {})
    settings = rp.Settings(task=task, sequence_len=T, **special)
    described = rp.task_of(settings)
    x, target = described.generate(np.random.default_rng(seed), T, n)
    assert x.shape == (described.steps(T), described.n_in, n)
    assert target.shape == (described.outputs or described.steps(T), n)
    np.testing.assert_allclose(target, expected(task, x, T, settings), rtol=0, atol=1e-15)


@pytest.mark.parametrize("task", rp.TASKS)
def test_chance_levels_and_uniform_answers(task):
    n = 10_000 if task == "random_permutation" else 40_000
    described = rp.task_of(rp.Settings(task=task, sequence_len=12))
    _, target = described.generate(np.random.default_rng(1), 12, n)
    if not described.classes:
        assert np.var(target) == pytest.approx(described.chance, rel=0.03)
        return
    answers = target[-described.scored :]
    kinds = round(1 / described.chance)
    frequencies = np.bincount(answers.ravel(), minlength=kinds) / answers.size
    assert len(frequencies) == kinds
    np.testing.assert_allclose(frequencies, described.chance, atol=5 * (described.chance / n) ** 0.5)


@pytest.mark.parametrize("T", [1, 12, 100])
def test_copy_memory_without_memory_has_the_cross_entropy_of_its_paper(T, capsys):
    """10 ln 8 / (T + 20) for blanks that are certain and, at the last ten steps, one of eight."""
    settings = rp.Settings(task="copy_memory", sequence_len=T)
    task = rp.task_of(settings)
    _, target = task.generate(np.random.default_rng(1), T, 7)
    y = np.full((T + 20, 9, 7), -800.0)
    y[: T + 10, 8] = 0
    y[T + 10 :, :8] = 0
    loss, _ = rp.loss_and_gradient(y, target, task.classes)
    assert loss == pytest.approx(10 * np.log(8) / (T + 20), rel=1e-12) == task.memoryless_loss(T)
    assert rp.wrong(y, target, task).shape == (10, 7)
    y[T + 10 :] = -800
    np.put_along_axis(y, target[:, None], 0.0, 1)
    assert rp.loss_and_gradient(y, target, task.classes)[0] == 0 and not rp.wrong(y, target, task).any()
    y[:, 8] = 1  # blanks throughout: the ten symbols are wrong, and only they count
    assert rp.wrong(y, target, task).all()


def test_copy_memory_says_what_an_answer_without_memory_reaches(tmp_path, small_test_set, capsys):
    flags = ["--task", "copy_memory", "--sequence-len", "30", *SMOKE, "--out", str(tmp_path / "r.json")]
    assert rp.main(flags) == 0
    line = capsys.readouterr().out
    assert "(constant answer: 0.1250)" in line and f"(constant answer: {10 * np.log(8) / 50:.5f})" in line
    assert "cross-entropy" not in rp.figure_words(
        dataclasses.asdict(rp.Settings(task="xor")), dict(test_accuracy=0.5, test_loss=0.7))


def test_one_marker_is_not_enough_to_solve_addition_or_multiplication():
    rng = np.random.default_rng(2)
    for make, task, one_marker in ((rp.make_addition, "addition", 1 / 12), (rp.make_multiplication, "multiplication",
                                                                            1 / 36)):
        x, target = make(rng, 20, 50_000)
        first = np.take_along_axis(x[:, 0], x[:10, 1].argmax(0)[None], 0)
        guess = first + 0.5 if task == "addition" else first * 0.5
        mse = ((target - guess) ** 2).mean()
        assert mse == pytest.approx(one_marker, rel=0.03)
        assert mse > rp.task_of(rp.Settings(task=task)).solved


def test_a_task_is_a_generator_and_its_entry(monkeypatch, tmp_path, small_test_set, capsys):
    def make_last_bit(rng, T, n):
        bits = rng.integers(0, 2, (T, n))
        return rp.one_hot(bits, 2), bits[-1:]

    monkeypatch.setitem(rp.TASKS, "last_bit", rp.Task(make_last_bit, T=7, n_in=2, n_out=2, chance=1 / 2, solved=0.8))
    out = tmp_path / "results.json"
    assert rp.main(["--task", "last_bit", "--epochs", "3", "--lr", "0.05", "--quiet", "--out", str(out)]) == 0
    [record] = json.loads(out.read_text())["rnn_pathological"]
    assert record["settings"]["sequence_len"] == 7 and record["final"]["solved"]
    assert "constant answer: 0.5000" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        rp.main(["--task", "last_bit", "--sequence-len", "1"])
    assert "last_bit needs 2" in capsys.readouterr().err


def test_streams_are_apart():
    settings = rp.Settings(task="xor", sequence_len=10)
    test = next(iter(rp.held_out(settings, 100)))[0]
    train = next(rp.training_batches(rp.streams(0)["train"], settings, rp.Lengths(settings)))[0]
    assert not np.array_equal(test[:, :, :50], train)
    again = next(iter(rp.held_out(settings, 100)))[0]
    assert np.array_equal(test, again)


def test_centre_takes_the_mean_input_away():
    settings = rp.Settings(task="multiplication", sequence_len=20, centre=True)
    x = np.concatenate([batch for batch, _ in rp.held_out(settings, 2000)], 2)
    np.testing.assert_allclose(x.mean((0, 2)), 0, atol=0.01)
    net = rp.build(settings, 5)
    rp.initialise(net, settings, rp.streams(0)["init"])
    assert net.b_y[0] == pytest.approx(0.25, abs=0.02)


# ----------------------------------------------------------------------------------------------------------------------
# Lengths of training sequences
# ----------------------------------------------------------------------------------------------------------------------

def test_curriculum_lengthens_on_the_mean_of_a_window_and_stops_at_T():
    settings = rp.Settings(task="xor", sequence_len=10, curriculum="6:3:0.9")
    task, lengths = rp.task_of(settings), rp.Lengths(settings)
    for _ in range(rp.WINDOW - 1):
        lengths.report(1.0, task)
    assert lengths.longest == 6
    lengths.report(1.0, task)
    assert lengths.longest == 9
    for _ in range(3 * rp.WINDOW):
        lengths.report(0.9, task)  # at the threshold, not above it
    assert lengths.longest == 9
    for _ in range(3 * rp.WINDOW):
        lengths.report(0.95, task)
    assert lengths.longest == 10


def test_curriculum_of_a_regression_waits_for_a_small_error():
    settings = rp.Settings(task="addition", sequence_len=10, curriculum="6:1:0.02")
    task, lengths = rp.task_of(settings), rp.Lengths(settings)
    for _ in range(2 * rp.WINDOW):
        lengths.report(0.1, task)
    assert lengths.longest == 6
    for _ in range(rp.WINDOW):
        lengths.report(0.001, task)
    assert lengths.longest == 7


def test_training_batches_follow_the_lengths():
    settings = rp.Settings(task="xor", sequence_len=12, curriculum="5:2:0.9", batch=4)
    task, lengths = rp.task_of(settings), rp.Lengths(settings)
    batches = rp.training_batches(rp.streams(0)["train"], settings, lengths)
    assert len(next(batches)[0]) == 5
    lengths.longest = 9
    assert len(next(batches)[0]) == 9
    settings = rp.Settings(task="xor", sequence_len=12, mixed_lengths=7, batch=4)
    batches = rp.training_batches(rp.streams(0)["train"], settings, rp.Lengths(settings))
    seen = {len(next(batches)[0]) for _ in range(200)}
    assert seen == set(range(7, 13))
    x, target = next(batches)
    np.testing.assert_array_equal(target, expected("xor", x, len(x), settings))
    assert task.classes


@pytest.mark.parametrize("task", ["xor", "random_permutation", "noiseless_memorization"])
@pytest.mark.parametrize("model", MODELS)
def test_a_short_sequence_in_long_buffers_is_the_same_sequence(task, model):
    def answer(T):
        settings = rp.Settings(task=task, hidden=5, sequence_len=T, batch=3, dtype="float64", **MODELS[model])
        net = rp.build(settings, 3)
        net.forward(np.random.default_rng(9).normal(size=(rp.task_of(settings).steps(T), rp.task_of(settings).n_in, 3)))
        rp.initialise(net, settings, rp.streams(3)["init"])
        x, target = rp.task_of(settings).generate(np.random.default_rng(5), 8, 3)
        loss, dy = rp.loss_and_gradient(net.forward(x), target, rp.task_of(settings).classes)
        net.backward(dy)
        return loss, net.grad.copy()

    (loss, grad), (long_loss, long_grad) = answer(8), answer(15)
    assert loss == pytest.approx(long_loss, rel=1e-14)
    np.testing.assert_allclose(grad, long_grad, rtol=1e-12, atol=1e-16)


# ----------------------------------------------------------------------------------------------------------------------
# Starts, optimizer, criteria
# ----------------------------------------------------------------------------------------------------------------------

def test_starts_are_what_they_are_called():
    H, rng = 64, np.random.default_rng(0)
    ortho = rp.recurrent_start("ortho", H, rng)
    np.testing.assert_allclose(ortho @ ortho.T, np.eye(H), atol=1e-13)
    assert np.array_equal(rp.recurrent_start("identity", H, rng), np.eye(H))
    many = {name: np.stack([rp.recurrent_start(name, H, rng) for _ in range(30)]) for name in ("random", "gaussian")}
    assert many["random"].std() == pytest.approx(0.1, rel=0.02)
    assert many["gaussian"].std() == pytest.approx(1 / 8, rel=0.02)
    sparse = rp.recurrent_start("sparse", H, rng)
    assert ((sparse != 0).sum(1) == 15).all()
    assert len({tuple(row) for row in sparse != 0}) == H


@pytest.mark.parametrize("init", rp.INITS)
def test_spectral_radius_rescales_any_start(init):
    W = rp.recurrent_start(init, 20, np.random.default_rng(0), 0.7)
    assert abs(np.linalg.eigvals(W)).max() == pytest.approx(0.7)
    free = rp.recurrent_start(init, 20, np.random.default_rng(0))
    np.testing.assert_allclose(W / abs(W).max(), free / abs(free).max(), rtol=1e-12)


def test_sparse_has_the_radius_of_the_paper_unless_told():
    assert rp.Settings(init="sparse").spectral_radius == 1.1
    assert rp.Settings(init="sparse", spectral_radius=0.9).spectral_radius == 0.9
    assert rp.Settings().spectral_radius is None


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_follows_the_equations_of_the_paper(nesterov):
    A, rng = np.diag([3.0, 0.5]), np.random.default_rng(1)
    start, lr = rng.normal(size=2), 0.1
    theta, optimizer = start.copy(), None
    optimizer = rp.Momentum(theta, nesterov)
    textbook, v = start.copy(), np.zeros(2)
    for mu in (0.0, 0.5, 0.9, 0.9, 0.99):
        where = textbook + mu * v if nesterov else textbook
        v = mu * v - lr * (A @ where)
        textbook = textbook + v
        optimizer.ahead(mu)
        optimizer.step(A @ theta, lr)
        np.testing.assert_allclose(theta, textbook, rtol=1e-13)


def test_momentum_schedule():
    settings = rp.Settings(momentum_max=0.99)
    assert [rp.momentum_at(settings, update) for update in (1, 1000, 1001)] == [0.9, 0.9, 0.99]
    assert rp.momentum_at(rp.Settings(momentum=0.5), 5000) == 0.5


def test_wrong_and_solved():
    addition, xor = rp.task_of(rp.Settings()), rp.task_of(rp.Settings(task="xor"))
    y, target = np.array([[[1.0, 1.05, 0.97, np.nan]]]), np.ones((1, 4))
    assert rp.wrong(y, target, addition).tolist() == [[False, True, False, True]]
    logits = np.array([[[0.0, 2.0, np.nan], [1.0, 1.0, 1.0]]])
    assert rp.wrong(logits, np.array([[1, 1, 1]]), xor).tolist() == [[False, True, True]]
    assert addition.passes(0.049, addition.solved) and not addition.passes(0.05, addition.solved)
    assert xor.passes(0.991, xor.solved) and not xor.passes(0.99, xor.solved)
    assert not addition.passes(np.nan, addition.solved) and not xor.passes(np.nan, xor.solved)


def test_only_the_last_symbol_of_random_permutation_counts():
    task = rp.task_of(rp.Settings(task="random_permutation", vocabulary=5, sequence_len=4))
    target = np.array([[2], [3], [4], [1]])
    y = np.zeros((4, 5, 1))
    y[3, 1] = 1
    assert not rp.wrong(y, target, task).any()
    y[3, 1] = -1
    assert rp.wrong(y, target, task).all()


def test_mse_is_the_mean_squared_error(small_test_set):
    settings = rp.Settings(sequence_len=8, hidden=4)
    net = rp.build(settings, 100)
    rp.initialise(net, settings, rp.streams(0)["init"])
    figures = rp.evaluate(net, settings, 200)
    errors = np.concatenate([(net.forward(x)[0, 0] - target[0]) for x, target in rp.held_out(settings, 200)])
    assert figures["test_mse"] == pytest.approx((errors**2).mean())
    assert figures["wrong_rate"] == pytest.approx((abs(errors) > 0.04).mean())


# ----------------------------------------------------------------------------------------------------------------------
# Gradients
# ----------------------------------------------------------------------------------------------------------------------

def test_gradient_check_passes_everywhere(capsys):
    assert rp.main(["--gradcheck"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for task in rp.TASKS:
        for what in (*(f"tanh RNN, {init} start" for init in rp.INITS), "LSTM, ortho start", "ReLU RNN, ortho start",
                     "LSTM, trained weights", "tanh RNN, short sequences", "GRU, ortho start", "GRU, short sequences"):
            assert any(line.startswith(f"{task}, {what}") and line.endswith(": ok") for line in lines)
    assert rp.main(["--gradcheck", "--task", "xor"]) == 0  # of one task
    assert capsys.readouterr().out.splitlines() == [line for line in lines if line.startswith("xor,")]


# (scope, old, new): each old stands once in its scope
RNN_MUTANTS = [
    ("class RNN", "np.subtract(1, dz_all, out=dz_all)", "np.subtract(1.01, dz_all, out=dz_all)"),
    ("class RNN", "np.square(h_all, out=dz_all)", "np.multiply(h_all, 1, out=dz_all)"),
    ("class RNN", "            dz *= dh  #", "            dz *= 0.5 * dh  #"),
    ("class RNN", "            dz *= dh  #", "            dz += dh  #"),
    ("class RNN", "np.ascontiguousarray(self.W[:, : self.H].T).dot", "np.ascontiguousarray(self.W[:, : self.H]).dot"),
    ("class RNN", "            W_hh_T_dot(dz, dh)  #", "            W_hh_T_dot(dh.copy(), dh)  #"),
    ("class RNN", "reversed(self.steps[self.first :])", "reversed(self.steps[self.first + 1 :])"),
    ("class RNN", "                dh += dh_read\n", "                dh[:] = dh_read\n"),
    ("class RNN", "                dh += dh_read\n", "                dh -= dh_read\n"),
    ("class RNN", "dz_all[:] = h_all.real > 0", "dz_all[:] = h_all.real >= 0"),
    ("class RNN", "dz_all[:] = h_all.real > 0", "dz_all[:] = 1"),
    ("class Cell", "self.S[self.first : self.T].transpose", "self.S[self.first + 1 : self.T + 1].transpose"),
    ("class Cell", "dy.sum((0, 2), out=self.db_y)", "dy[:1].sum((0, 2), out=self.db_y)"),
    ("class Cell", "(self.W_hy.T, dy, out=self.dh_read)", "(self.W_hy.T, dy[::-1], out=self.dh_read)"),
    ("class Cell", "np.matmul(dy, self.read.transpose(0, 2, 1))", "np.matmul(dy, self.read[::-1].transpose(0, 2, 1))"),
    ("class Cell", "        self.dh[:] = 0\n", "        self.dh[:] = 0.01\n"),
    ("class Cell", ".sum(0, out=self.dW)", ".mean(0, out=self.dW)"),
]
LSTM_MUTANTS = [
    ("class LSTM", "            dz_o *= dh  #", "            dz_o *= dc  #"),
    ("class LSTM", "dc += multiply(dh, dc_dh, part)", "dc[:] = multiply(dh, dc_dh, part)"),
    ("class LSTM", "            dz_i *= dc  #", "            dz_i *= dh  #"),
    ("class LSTM", "            dz_g *= dc  #", "            dz_g *= -dc  #"),
    ("class LSTM", "                dz_f *= dc  #", "                dz_f *= dc * f  #"),
    ("class LSTM", "                dc *= f  #", "                dc *= 0.9 * f  #"),
    ("class LSTM", "            W_hh_T_dot(dz, dh)  #", "            W_hh_T_dot(0.99 * dz, dh)  #"),
    ("class LSTM", "        self.dW *= self.fold**2\n", "        self.dW *= self.fold\n"),
    ("class LSTM", "(self.W * self.fold**2)[:, : self.H].T", "(self.W * self.fold)[:, : self.H].T"),
    ("class LSTM", "                dh += dh_read\n", "                dh[:] = dh_read\n"),
    ("class LSTM", "        dz_o *= tanh_c\n", "        dz_o *= self.c[1:][used]\n"),
    ("class LSTM", "dz_i *= self.g[used]", "dz_i *= self.o[used]"),
    ("class LSTM", "dz_g *= self.i[used]", "dz_g *= self.f[used]"),
    ("class LSTM", "dz_forget *= self.c[used]", "dz_forget *= self.c[1:][used]"),
    ("class LSTM", "np.subtract(1, dc_dh, out=dc_dh)", "np.subtract(1.001, dc_dh, out=dc_dh)"),
    ("class LSTM", "dc_dh *= self.o[used]", "dc_dh *= self.i[used]"),
]
GRU_MUTANTS = [
    ("class GRU", "            dz_by_gate *= dh  #", "            dz_by_gate *= 2 * dh  #"),
    ("class GRU", "            dz_by_gate *= dh  #", "            dz_by_gate[1:] *= dh  #"),
    ("class GRU", "            multiply(z, dh, kept)", "            kept[:] = dh"),
    ("class GRU", "            dh += kept  #", "            dh[:] = kept  #"),
    ("class GRU", "            W_hh_T_dot(dz, dh)", "            W_hh_T_dot(0.99 * dz, dh)"),
    ("class GRU", "                dh += dh_read\n", "                dh[:] = dh_read\n"),
    ("class GRU", "        self.dW *= self.fold**2\n", "        self.dW *= self.fold\n"),
    ("class GRU", "        self.dW *= self.fold**2\n", "        self.dW *= self.fold.max(1, keepdims=True)**2\n"),
    ("class GRU", "(self.W * self.fold**2)[:, : self.H].T", "(self.W * self.fold)[:, : self.H].T"),
    ("class GRU", "        self.fold[3 * H :, :H] = 0", "        pass"),
    ("class GRU", "np.subtract(1, z, out=dz_m)", "np.subtract(1, r, out=dz_m)"),
    ("class GRU", "np.multiply(dz_n, r, out=dz_m)", "np.multiply(dz_n, z, out=dz_m)"),
    ("class GRU", "        dz_r *= self.m[used]\n", "        dz_r *= self.change[used]\n"),
    ("class GRU", "        dz_r *= dz_n\n", "        pass\n"),
    ("class GRU", "        dz_z *= self.change[used]\n", "        dz_z *= self.n[used]\n"),
    ("class GRU", "np.subtract(1, dz_rz, out=dz_rz)", "np.subtract(1.001, dz_rz, out=dz_rz)"),
]
LOSS_MUTANTS = [
    ("def loss_and_gradient", "np.subtract(used, target[:, None], out=d)", "np.subtract(target[:, None], used, out=d)"),
    ("def loss_and_gradient", "loss = 0.5 * (d * d)", "loss = (d * d)"),
    ("def loss_and_gradient", "(d * d).sum() / target.size", "(d * d).sum() / len(target)"),
    ("def loss_and_gradient", "    d /= target.size\n", "    d /= len(target)\n"),
    ("def loss_and_gradient", "    d /= target.size\n", "    d /= target.shape[1] + 0.1\n"),
    ("def loss_and_gradient", "np.exp(shifted, out=d)", "np.exp(2 * shifted, out=d)"),
    ("def loss_and_gradient", "        d /= total  # the softmax\n", ""),
    ("def loss_and_gradient", "np.take_along_axis(d, index, 1) - 1, 1)", "np.take_along_axis(d, index, 1) - 0.9, 1)"),
    ("def loss_and_gradient", "np.put_along_axis(d, index, np", "np.put_along_axis(d, index - 1, np"),
    ("def loss_and_gradient", "(np.log(total) - np.take", "(np.log(total) - 1.001 * np.take"),
]


MUTANTS = RNN_MUTANTS + LSTM_MUTANTS + GRU_MUTANTS + LOSS_MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[2].strip())
def test_gradient_check_rejects_mutants(mutant):
    module = execute(mutated(SCRIPT, *mutant), "rnn_pathological_mutant")
    models = [{}, dict(activation="relu")]
    if mutant[0] in ("class LSTM", "class GRU"):
        models = [dict(cell=mutant[0].split()[1].lower())]
    checks = (dict(task=task, short=short, **model) for model in models
              for task, short in (("noiseless_memorization", False), ("random_permutation", True), ("addition", False)))
    assert not all(row[-1] for check in checks for row in module.gradcheck(**check))


def test_a_mutant_fails_the_command_with_exit_1(tmp_path):
    (tmp_path / SCRIPT).write_text(mutated(SCRIPT, *RNN_MUTANTS[4]), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, SCRIPT, "--gradcheck", "--task", "addition"], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | dict(PYTHONPATH=str(ROOT)))
    assert result.returncode == 1 and "FAILED" in result.stdout


# ----------------------------------------------------------------------------------------------------------------------
# torch
# ----------------------------------------------------------------------------------------------------------------------

def numpy_answers(task, model):
    settings, theta, x, target = case(task, model)
    net, classes = rp.build(settings, settings.batch, theta), rp.task_of(settings).classes

    def gradient():
        y = net.forward(x)
        loss, dy = rp.loss_and_gradient(y, target, classes)
        net.backward(dy)
        return loss, y, net.grad

    loss, y, grad = gradient()
    answers, optimizer = {"loss": loss, "y": y[-len(target) :], "grad": grad.copy()}, rp.Momentum(theta)
    for _ in range(UPDATES):
        optimizer.ahead(MU)
        optimizer.step(gradient()[2], LR)
    return answers | {"trained": theta}


def agree(ours, theirs):
    for name, value in ours.items():
        scale = max(1.0, float(abs(np.asarray(theirs[name])).max()))
        np.testing.assert_allclose(value, theirs[name], rtol=0, atol=1e-12 * scale, err_msg=name)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("task", CASES)
def test_agrees_with_the_committed_answers_of_torch(task, model):
    with np.load(FILE) as arrays:
        agree(numpy_answers(task, model), {
            name: arrays[f"{task}/{model}/{name}"] for name in ("loss", "y", "grad", "trained")})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("task", CASES)
def test_agrees_with_torch(task, model):
    if not os.environ.get("REQUIRE_TORCH"):
        pytest.importorskip("torch")
    agree(numpy_answers(task, model), torch_answers(task, model))


# ----------------------------------------------------------------------------------------------------------------------
# Runs
# ----------------------------------------------------------------------------------------------------------------------

SHORT = dict(sequence_len=10, hidden=6, epochs=6, batches_per_epoch=5)


def bytes_of(record):
    return json.dumps({name: record[name] for name in ("settings", "history", "final", "best", "spectrum", "weights")})


@pytest.mark.parametrize("special", [
    {}, dict(task="xor", curriculum="4:1:0.5", mixed_lengths=3, optimizer="adam", lr=0.01),
    dict(task="temporal_order", cell="lstm", dtype="float32", nesterov=True, momentum_max=0.95, momentum_warmup=10),
    dict(task="xor", cell="gru", optimizer="adam")])
def test_same_seed_same_bytes(special, small_test_set):
    settings, options = rp.Settings(**SHORT | special), rp.Options(keep_weights=True)
    first, second = rp.train(settings, options), rp.train(settings, options)
    assert bytes_of(first) == bytes_of(second)
    other = rp.train(dataclasses.replace(settings, seed=1), options)
    assert other["weights"] != first["weights"] and other["history"] != first["history"]


def test_evaluations_change_no_weight_and_no_final_figure(small_test_set):
    often, seldom = (
        rp.train(rp.Settings(**SHORT), rp.Options(keep_weights=True, eval_every=every)) for every in (1, 5))
    assert often["weights"] == seldom["weights"]
    for record in (often, seldom):
        record["final"].pop("updates_to_solve")  # the first measured update: as fine as the measurements
    assert often["final"] == seldom["final"]
    assert len(often["history"]["update"]) > len(seldom["history"]["update"])


def test_stored_weights_give_the_recorded_figures(small_test_set):
    record = rp.train(rp.Settings(task="xor", centre=True, **SHORT), rp.Options(keep_weights=True))
    settings = rp.Settings(**record["settings"])
    net = rp.build(settings, 100)
    for name, tensor in net.tensors(net.theta).items():
        tensor[:] = record["weights"][name]
    for name, value in rp.evaluate(net, settings, rp.N_TEST).items():
        assert value == record["final"][name]


def test_training_learns_and_stops_on_training_batches(small_test_set):
    settings = rp.Settings(task="3bit_memorization", sequence_len=6, hidden=24, optimizer="adam", lr=0.01, stop_at=0.99,
                           epochs=40)
    record = rp.train(settings, rp.Options())
    assert record["final"]["status"] == "done" and record["final"]["solved"]
    assert record["final"]["update"] < 1200 and record["final"]["updates_to_solve"] <= record["final"]["update"]


def test_a_run_that_solves_and_collapses_is_shown_as_that():
    history = {"update": [0, 30, 60, 90], "test_accuracy": [0.5, 0.992, 0.999, 0.5]}
    assert rp.first_solved(history, rp.TASKS["xor"]) == 30
    assert rp.best_point(history, rp.TASKS["xor"]) == {"update": 60, "test_accuracy": 0.999}


def test_every_setting_is_in_the_record_and_the_headline_is_the_default():
    settings = rp.Settings()
    assert (settings.task, settings.sequence_len, settings.init, settings.hidden, settings.batch) == (
        "addition", 30, "ortho", 64, 50)
    assert (settings.batches_per_epoch, settings.epochs, settings.lr, settings.momentum, settings.clip) == (
        30, 80, 0.01, 0.9, 1.0)
    runs, _, _ = rp.parse(["--all", "--seeds", "0-1", "--gradcheck"])
    assert len(runs) == 12
    assert {(run.task, run.sequence_len, run.init) for run in runs} == {
        (task, T, init) for task, T in (("addition", 30), ("temporal_order", 60), ("3bit_memorization", 60))
        for init in ("ortho", "random")}


def recipe(*arguments):
    """The settings of --recipe sutskever2013 with these arguments."""
    [settings], _, _ = rp.parse(["--recipe", "sutskever2013", "--gradcheck", *arguments])
    return settings


@pytest.mark.parametrize("arguments, T, input_scale, symbols", [
    ([], 80, 0.001, (None, None)), (["--task", "multiplication"], 80, 0.001, (None, None)),
    (["--task", "noiseless_memorization"], 200, 0.1, (5, 2)),
    (["--task", "noiseless_memorization", "--alphabet", "5"], 80, 0.1, (10, 5))])
def test_the_recipe_is_the_setting_of_2013(arguments, T, input_scale, symbols):
    settings = recipe(*arguments, "--nesterov", "--momentum-max", "0.995")
    assert (settings.sequence_len, settings.input_scale) == (T, input_scale)
    assert (settings.bits, settings.alphabet) == symbols
    assert (settings.hidden, settings.init, settings.spectral_radius, settings.output_scale, settings.centre) == (
        100, "sparse", 1.1, 0.1, True)
    assert (settings.optimizer, settings.batch, settings.epochs * settings.batches_per_epoch) == (
        "momentum", 100, 50_000)
    assert [rp.momentum_at(settings, update) for update in (1, 1000, 1001, 50_000)] == [0.9, 0.9, 0.995, 0.995]
    assert settings.clip >= 1e12 and settings.dtype == "float32" and settings.nesterov


def test_a_given_flag_wins_over_the_recipe():
    settings = recipe("--lr", "1e-4", "--hidden=30", "--clip", "1")
    assert (settings.lr, settings.hidden, settings.clip) == (1e-4, 30, 1)
    assert dataclasses.replace(settings, lr=1e-3, hidden=100, clip=1e12) == recipe()


# ----------------------------------------------------------------------------------------------------------------------
# Command line
# ----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, words", [
    (["--hidden", "0"], "not between"), (["--hidden", "-3"], "not between"), (["--lr", "nan"], "not a number"),
    (["--lr", "fast"], "not a number"), (["--batch", "1.5"], "not a whole number"), (["--epochs", "0"], "not between"),
    (["--task", "sorting"], "invalid choice"), (["--init", "zeros"], "invalid choice"),
    (["--sequence-len", "1"], "too short: addition needs 2"),
    (["--task", "3bit_memorization", "--sequence-len", "3"], "needs 4"),
    (["--bits", "3"], "--bits needs --task noiseless_memorization"),
    (["--vocabulary", "9"], "--vocabulary needs --task random_permutation"),
    (["--cell", "lstm", "--activation", "relu"], "--activation needs --cell rnn"),
    (["--forget-bias", "2"], "--forget-bias needs --cell lstm"),
    (["--cell", "gru", "--activation", "relu"], "--activation needs --cell rnn"),
    (["--optimizer", "adam", "--momentum", "0.5"], "--momentum needs --optimizer momentum"),
    (["--optimizer", "adam", "--nesterov"], "--nesterov needs --optimizer momentum"),
    (["--momentum-warmup", "5"], "--momentum-warmup needs --momentum-max"),
    (["--momentum", "1.5"], "not between"),
    (["--curriculum", "5:1"], "START:STEP:THRESHOLD"), (["--curriculum", "0:1:0.9"], "at least 1"),
    (["--curriculum", "31:1:0.9"], "does not start between 2 and T = 30"),
    (["--mixed-lengths", "31"], "not between 2 and T"),
    (["--mixed-lengths", "9", "--curriculum", "5:1:0.9"], "does not start between 9"),
    (["--task", "xor", "--curriculum", "5:1:1"], "no accuracy is above 1"),
    (["--task", "xor", "--stop-at", "1"], "no accuracy is above 1"),
    (["--seeds", "3"], "not a range"), (["--seeds", "0-3", "--seed", "1"], "exclude"),
    (["--recipe", "sutskever2013", "--task", "xor"], "sutskever2013 has no xor"),
    (["--recipe", "sutskever2013", "--curriculum", "90:1:0.1"], "does not start between 2 and T = 80"),
    (["--recipe", "martens2011"], "invalid choice"), (["--all", "--recipe", "sutskever2013"], "exclude"),
    (["--all", "--task", "xor"], "exclude"), (["--sequence-len", "100000", "--hidden", "4096"], "GB of memory"),
    (["--out", "absent/results.json"], "cannot write beside"), (["--rnn"], "unrecognized"),
])
def test_bad_input_is_one_line_and_exit_2(arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as end, contextlib.chdir(tmp_path):
        rp.main([*arguments, "--quiet"])
    lines = capsys.readouterr()
    assert end.value.code == 2 and lines.out == ""
    assert len(lines.err.splitlines()) == 1 and words in lines.err
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 2}', '{"schema": 1, "rnn_pathological": [3]}'])
def test_a_foreign_results_file_is_refused_and_left_alone(text, tmp_path, capsys):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(SystemExit) as end:
        rp.main([*SMOKE, "--out", str(tmp_path / "results.json")])
    lines = capsys.readouterr()
    assert end.value.code == 2 and lines.out == "" and lines.err.count("\n") == 1 and "results.json" in lines.err
    assert (tmp_path / "results.json").read_text() == text


@pytest.mark.parametrize("arguments", [
    ["--lr", "1e6", "--clip", "1e9"],
    ["--activation", "relu", "--spectral-radius", "1e12"],  # overflows on the way to T
    ["--task", "xor", "--activation", "relu", "--spectral-radius", "1e12", "--sequence-len", "40"],
])
def test_divergence_is_said_and_kept(arguments, tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = tmp_path / "results.json"
        assert rp.main([*arguments, "--hidden", "8", "--epochs", "10", "--quiet", "--out", str(out)]) == 1
    assert "DIVERGED at update" in capsys.readouterr().out
    record, = json.loads(out.read_text())["rnn_pathological"]
    assert record["final"]["status"] == "diverged" and not record["final"]["solved"]
    assert "NaN" not in out.read_text()


FOREVER = ["--epochs", "100000", "--eval-every", "1", "--hidden", "4"]


def started(folder, *flags):
    """A run without end, in a process group of its own, that has been evaluated at update 60."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / SCRIPT), *FOREVER, *flags], cwd=folder, stdout=subprocess.PIPE, text=True,
        start_new_session=True)
    assert any("update     60" in line for line in process.stdout)
    return process


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interruption_keeps_what_was_computed(name, tmp_path):
    process = started(tmp_path)
    process.send_signal(getattr(signal, name))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "INTERRUPTED" in output
    record, = json.loads((tmp_path / "results.json").read_text())["rnn_pathological"]
    assert record["final"]["status"] == "interrupted" and len(record["history"]["update"]) >= 3
    assert record["final"]["test_mse"] == pytest.approx(record["history"]["test_mse"][-1], rel=1e-5)


RUNNER = """
import os, pathlib, sys
sys.path.insert(0, {root!r})
import {module} as experiment

def evaluate(*arguments, whole=experiment.evaluate):
    pathlib.Path(f"begun-{{os.getpid()}}").touch()
    return whole(*arguments)

experiment.evaluate = evaluate
if __name__ == "__main__":
    sys.exit(experiment.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("module, flags", [
    ("rnn_pathological", FOREVER), ("temporal_order_study", ["--answer", "sum", "--updates", "100000000"])])
def test_sigterm_to_the_group_keeps_the_runs_of_two_processes(module, flags, tmp_path):
    (tmp_path / "runner.py").write_text(RUNNER.format(root=str(ROOT), module=module))
    process = subprocess.Popen(
        [sys.executable, "runner.py", *flags, "--seeds", "0-3", "--jobs", "2"], cwd=tmp_path, stdout=subprocess.PIPE,
        text=True, start_new_session=True)
    end = time.monotonic() + 60
    while len(list(tmp_path.glob("begun-*"))) < 2 and time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and output.count("INTERRUPTED") == 2
    records = json.loads((tmp_path / "results.json").read_text())[module]
    assert [record["final"]["status"] for record in records] == ["interrupted"] * 2


def test_a_killed_run_leaves_the_old_file(tmp_path, capsys):
    assert rp.main([*SMOKE, "--out", str(tmp_path / "results.json")]) == 0
    before = (tmp_path / "results.json").read_text()
    process = started(tmp_path, "--seed", "5")
    process.kill()
    process.communicate()
    assert (tmp_path / "results.json").read_text() == before


def test_a_full_disk_prints_the_record(tmp_path, monkeypatch, capsys, small_test_set):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert rp.main([*SMOKE, "--out", str(tmp_path / "results.json")]) == 1
    output = capsys.readouterr()
    assert "No space left" in output.err
    assert json.loads(output.out.splitlines()[0])["settings"]["task"] == "addition"
    assert not (tmp_path / "results.json").exists() and not list(tmp_path.glob("*.tmp"))


def test_runs_alone_in_an_empty_folder_and_jobs_change_nothing(tmp_path, small_test_set, capsys):
    flags = ["--all", "--seeds", "0-1", *SMOKE, "--out"]
    assert rp.main([*flags, str(tmp_path / "1.json")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 12 + 6
    (tmp_path / "alone").mkdir()
    source, sizes = harness.bundle(ROOT / SCRIPT), "N_TEST, N_CURVE = 10_000, 1000"
    assert source.count(sizes) == 1
    (tmp_path / "alone" / SCRIPT).write_text(source.replace(sizes, "N_TEST, N_CURVE = 300, 100"), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-I", SCRIPT, *flags, "../2.json", "--jobs", "2"], cwd=tmp_path / "alone",
        capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 12 + 6
    one, two = (json.loads((tmp_path / f"{jobs}.json").read_text())["rnn_pathological"] for jobs in (1, 2))
    assert len(one) == len(two) == 12
    for a, b in zip(one, two):
        assert (a["settings"], a["history"], a["final"]) == (b["settings"], b["history"], b["final"])


# Long sequences


@pytest.mark.parametrize("settings", [
    dict(sequence_len=800), dict(sequence_len=800, dtype="float64"), dict(sequence_len=1500, hidden=8, batch=200),
    dict(sequence_len=400, cell="lstm", hidden=32), dict(sequence_len=400, cell="gru", hidden=32),
    dict(sequence_len=800, hidden=64, batch=8),
    dict(task="random_permutation", sequence_len=200), dict(task="xor", sequence_len=1500, hidden=4, centre=True),
    dict(task="temporal_order", sequence_len=1000, hidden=8), dict(hidden=300, batch=5),
    dict(task="noiseless_memorization", sequence_len=300, bits=200, alphabet=20, hidden=16)], ids=str)
def test_the_memory_that_is_admitted_is_what_is_needed(settings, monkeypatch):
    monkeypatch.setattr(rp, "N_TEST", 200)
    monkeypatch.setattr(rp, "N_CURVE", 200)
    settings = rp.Settings(epochs=1, batches_per_epoch=2, **settings)
    rp.means.cache_clear()
    tracemalloc.start()
    try:
        rp.train(settings, rp.Options())
        assert 0.8 * settings.bytes_needed() < tracemalloc.get_traced_memory()[1] < 1.1 * settings.bytes_needed()
    finally:
        tracemalloc.stop()


def test_what_needs_more_memory_than_is_admitted_is_refused():
    assert rp.Settings(sequence_len=20_000, hidden=64, dtype="float64").bytes_needed() > 3.8e9
    with pytest.raises(ValueError, match="about 19 GB of memory"):
        rp.Settings(sequence_len=100_000, dtype="float64")


def test_evaluation_stops_on_a_signal_and_counts_in_the_progress(monkeypatch, small_test_set):
    calls, forward, said = [], rp.RNN.forward, []

    def counting(net, x):
        calls.append(x)
        if len(calls) == 2:  # amid the first evaluation
            harness.STOP.set()
        return forward(net, x)

    monkeypatch.setattr(rp, "N_CURVE", 10**5)
    monkeypatch.setattr(rp.RNN, "forward", counting)
    with harness.interruptible():
        record = rp.train(rp.Settings(**SHORT), rp.Options())
    assert len(calls) == 2 and record["final"]["status"] == "interrupted"
    assert record["final"]["test_mse"] is None and record["history"]["update"] == [] and not record["final"]["solved"]
    assert "nothing measured" in rp.summary(record)

    monkeypatch.setattr(rp.RNN, "forward", forward)
    monkeypatch.setattr(rp, "N_CURVE", 100)
    monkeypatch.setattr(rp, "N_TEST", 10**5)  # the last evaluation is the longest part
    monkeypatch.setattr(harness.Progress, "__call__", lambda self, done, text, every=0: (
        said.append((done / self.total, text)), "held-out" in text and harness.STOP.set()))
    with harness.interruptible():
        record = rp.train(rp.Settings(**SHORT), rp.Options())
    assert record["final"]["status"] == "interrupted" and record["final"]["update"] == 30
    assert record["final"]["test_mse"] == pytest.approx(record["history"]["test_mse"][-1], rel=1e-5)
    assert said[-1][1].startswith("held-out set: 100 of") and said[-1][0] < 0.1  # it is not "0 s left" before it


# What is said


def test_progress_fits_80_columns_and_the_last_line_names_the_constant_answer(capsys, tmp_path, small_test_set):
    for task, constant in (("addition", "(half of it: [.0-9]+; constant answer: 0.16667)"),
                           ("3bit_memorization", "(constant answer: 0.1250)")):
        flags = ["--task", task, "--curriculum", "6:1:0.5", "--epochs", "2", "--hidden", "4"]
        assert rp.main([*flags, "--out", str(tmp_path / "results.json")]) == 0
        *lines, last = capsys.readouterr().out.splitlines()
        assert len(lines) == 3 and "nan" not in lines[0] and "None" not in lines[0] and "s left" in lines[1]
        assert re.search(constant.replace("(", r"\(").replace(")", r"\)"), last)
    row = dict(update=999_999, longest=100_000, test_accuracy=0.5, test_mse=1.2345e-5, wrong_rate=0.5)
    for task in ("xor", "addition"):
        words = rp.progress_words(row, rp.Settings(task=task, curriculum="5:1:0.9"))
        assert len(words + "  999 min, 9999 min left") <= 80


EMBEDDED = """
import os, signal, sys, threading
before = dict(os.environ), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
sys.path.insert(0, {root!r})
import rnn_pathological, temporal_order_study
rnn_pathological.N_TEST = temporal_order_study.N_TEST = temporal_order_study.N_PROBE = 100
codes = []
order = ["--updates", "2", "--sequence-len", "10"]
for main, flags in ((rnn_pathological.main, {smoke}), (temporal_order_study.main, order)):
    codes.append(main(flags))
    thread = threading.Thread(target=lambda: codes.append(main(flags)))
    thread.start()
    thread.join()
assert codes == [0, 0, 0, 0], codes
assert (dict(os.environ), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
"""


def test_used_from_python_it_gives_everything_back_in_a_thread_and_without_docstrings(tmp_path):
    code = EMBEDDED.format(root=str(ROOT), smoke=SMOKE)
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    run = subprocess.run([sys.executable, "-OO", "-c", code], cwd=tmp_path, capture_output=True, text=True,
                         env=environment)
    assert run.returncode == 0 and run.stderr == "", run.stderr
    for records in ("rnn_pathological", "temporal_order_study"):
        [record] = json.loads((tmp_path / "results.json").read_text())[records]
        assert record["provenance"]["blas_threads"] in (1, None) and record["provenance"]["fingerprint"]


@pytest.mark.parametrize("command", [
    "--all --seed 0", "--recipe sutskever2013 --sequence-len 12",
    "--task addition --init random --sequence-len 30 --seed 0",
    "--task temporal_order --init ortho --sequence-len 60 --seed 0",
    "--task 3bit_memorization --init ortho --sequence-len 60 --seed 0",
    *(f"--task {task} --sequence-len 12" for task in rp.TASKS)])
def test_commands_run_at_smoke_size(command, tmp_path, small_test_set, capsys):
    assert rp.main([*command.split(), *SMOKE, "--out", str(tmp_path / "results.json")]) == 0
    assert "updates" in capsys.readouterr().out


def test_help_names_every_flag(capsys):
    with pytest.raises(SystemExit) as end:
        rp.main(["--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    for field in (*dataclasses.fields(rp.Settings), *dataclasses.fields(rp.Options)):
        assert f"--{field.name.replace('_', '-')}" in text


# ----------------------------------------------------------------------------------------------------------------------
# Committed results
# ----------------------------------------------------------------------------------------------------------------------

def test_committed_weights_give_their_recorded_figures(results):
    kept = [record for record in results[rp.EXPERIMENT] if "weights" in record]
    assert kept
    for record in kept:
        settings = rp.Settings(**record["settings"])
        net = rp.build(settings, 100)
        for name, tensor in net.tensors(net.theta).items():
            tensor[:] = record["weights"][name]
        for name, value in rp.evaluate(net, settings, rp.N_TEST).items():
            assert value == pytest.approx(record["final"][name], rel=1e-3, abs=1e-3)  # another machine's rounding


def test_wilson_interval():
    low, high = harness.wilson(9, 10)  # textbook values
    assert (low, high) == (pytest.approx(0.596, abs=1e-3), pytest.approx(0.982, abs=1e-3))


def test_the_committed_results_show_what_the_account_says(results):
    def solved(name):
        arms = studies.arms(results, f"pathological-{name}")
        return {label: sum(record["final"]["solved"] for record in records) for label, records in arms.items()}

    headline = solved("headline")
    assert headline["addition", "ortho"] >= 8
    assert headline["temporal_order", "ortho"] >= 9 and headline["3bit_memorization", "ortho"] >= 9
    longer = solved("xor-longer")
    assert solved("xor")["T = 30"] == 10 and longer["T = 60"] >= 4 and longer["T = 200"] >= 4
    assert set((solved("xor-fixed") | solved("xor-fixed-longer")).values()) == {0}
    assert min((solved("multiplication") | solved("symbols") | solved("memory")).values()) >= 4
