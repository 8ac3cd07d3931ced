"""adding_problem.py: task, gradients and their mutants, torch, training, results file, command line."""

import dataclasses
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from conftest import ROOT, execute, mutated, run_script
from hypothesis import given
from hypothesis import strategies as st

import adding_problem as ap
import studies

CELLS = ("lstm", "lstm1997", "gru", "rnn", "irnn")
INPUTS = dict(cell="lstm1997", cell_sources="inputs")  # the candidate sees the inputs alone
SMALL = dict(T=12, hidden=3, iters=30, batch=8)
OPTIONS = ap.Options(eval_every=10, snapshot_every=10)


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def built(cell, H, T=2, B=1):
    return ap.build(ap.Settings(cell=cell, hidden=H, T=T, dtype="float64"), B)


def train(options=OPTIONS, **settings):
    return ap.train(ap.Settings(**SMALL | settings), options)


# Task


@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 2**32))
def test_sequences_are_as_defined(T, n, seed):
    x, y = ap.make_sequences(generator(seed), T, n)
    values, markers = x[:, 0], x[:, 1]
    assert x.shape == (T, 2, n) and y.shape == (n,)
    assert np.all(abs(values) <= 1) and set(np.unique(markers)) <= {0.0, 1.0}
    assert np.all(markers[: T // 2].sum(0) == 1) and np.all(markers[T // 2 :].sum(0) == 1)
    np.testing.assert_allclose(y, (values * markers).sum(0), atol=1e-15)


def test_chance_levels():
    x, y = ap.make_sequences(generator(), 10, 200_000)
    second = (x[5:, 0] * x[5:, 1]).sum(0)
    assert np.mean(y**2) == pytest.approx(2 / 3, rel=0.01)  # the constant 0
    assert np.mean((y - second) ** 2) == pytest.approx(1 / 3, rel=0.01)  # the second marked value alone
    assert np.mean(abs(y) < 0.04) == pytest.approx(0.04 - 0.04**2 / 4, rel=0.05)  # triangular density
    positions = x[:, 1].mean(1)
    np.testing.assert_allclose(positions, 0.2, atol=0.01)  # each step of a half is marked equally often


def test_training_batches_are_a_stream_of_their_own():
    batches = ap.training_batches(ap.streams(3)["train"], 100, 32)
    seen = [next(batches) for _ in range(100)]  # more than are drawn at once
    assert len({x.tobytes() for x, _ in seen}) == 100
    x, y = ap.held_out(ap.Settings(seed=3))
    again, _ = ap.held_out(ap.Settings(seed=3, cell="rnn", hidden=2, batch=7))
    assert np.array_equal(x, again) and x.shape == (100, 2, 512)


def test_streams_differ_between_names_and_seeds():
    first = {(seed, name): rng.random() for seed in range(20) for name, rng in ap.streams(seed).items()}
    assert len(set(first.values())) == 80


# Gradients


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("updates", (0, 300))
def test_gradient_of_every_weight(cell, updates):
    rows = ap.gradcheck(cell, updates=updates)
    assert all(row[-1] for row in rows), rows
    absent = 4 * 4 + 2 * 4 if cell == "gru" else 0  # W_hn and W_xm
    assert sum(row[1] for row in rows) == built(cell, 4).theta.size - absent


def test_gradient_check_rejects_a_gradient_that_is_zero_throughout():
    theta = np.array([1.0, 2.0])
    rows = ap.check_gradient(lambda w: w[0] ** 2, theta, np.array([2.0, 0.0]), lambda w: {"a": w[:1], "b": w[1:]})
    assert [row[-1] for row in rows] == [True, False]


BACKWARD = {
    "class RNN(Cell)": [
        ("np.subtract(1, dz_all, out=dz_all)", "pass", "rnn"),
        ("np.square(h_all, out=dz_all)", "dz_all[:] = h_all", "rnn"),
        ("dz *= dh", "dz *= 2 * dh", "rnn"),
        ("dz *= dh", "dz[:] = dh", "rnn"),
        ("dz *= dh", "dz *= -dh", "rnn"),
        ("W_hh_T_dot(dz, dh)", "dh[:] = 0", "rnn"),
        ("W_hh_T_dot(dz, dh)", "W_hh_T_dot(dz, dh); dh *= 0.5", "rnn"),
        ("self.W[:, : self.H].T", "self.W[:, : self.H]", "rnn"),
        ("dh += dh_read", "dh -= dh_read", "rnn"),
        ("self.readout_backward(dy)", "self.readout_backward(2 * dy)", "rnn"),
        ("self.weight_gradient(dz_all)", "pass", "rnn"),
        ("dz_all[:] = h_all.real > 0", "dz_all[:] = 1", "irnn"),
        ("dz_all[:] = h_all.real > 0", "dz_all[:] = h_all.real < 0", "irnn"),
    ],
    "class LSTM(Cell)": [
        ("dz_o *= dh", "dz_o *= 0", "lstm"),
        ("dz_i *= dc", "dz_i *= 0", "lstm"),
        ("dz_g *= dc", "dz_g *= -dc", "lstm"),
        ("dz_f *= dc", "dz_f *= 0", "lstm"),
        ("dz_f *= dc", "dz_f *= 2 * dc", "lstm"),
        ("                dc *= f", "                pass", "lstm"),
        ("dc += multiply(dh, dc_dh, part)", "dc[:] = multiply(dh, dc_dh, part)", "lstm"),
        ("dc += multiply(dh, dc_dh, part)", "dc[:] = multiply(dh, dc_dh, part)", "lstm1997"),
        ("W_hh_T_dot(dz, dh)", "dh[:] = 0", "lstm"),
        ("W_hh_T_dot(dz, dh)", "dh[:] = 0", "lstm1997"),
        ("np.subtract(1, dz, out=dz)", "np.subtract(2, dz, out=dz)", "lstm"),
        ("dz_o *= tanh_c", "dz_o *= -tanh_c", "lstm"),
        ("dz_i *= self.g[used]", "dz_i *= self.i[used]", "lstm"),
        ("dz_g *= self.i[used]", "dz_g *= self.o[used]", "lstm1997"),
        ("dz_forget *= self.c[used]", "dz_forget *= self.c[1:][used]", "lstm"),
        ("np.subtract(1, dc_dh, out=dc_dh)", "pass", "lstm"),
        ("dc_dh *= self.o[used]", "pass", "lstm1997"),
        ("self.dW *= self.fold**2", "self.dW *= self.fold", "lstm"),
        ("self.fold**2)[:, : self.H].T", "self.fold)[:, : self.H].T", "lstm"),
        ("dc[:] = 0", "pass", "lstm"),
    ],
    "class GRU(Cell)": [
        ("dz_by_gate *= dh  #", "dz_by_gate *= -dh  #", "gru"),
        ("dz_by_gate *= dh  #", "dz_by_gate[:3] *= dh  #", "gru"),
        ("multiply(z, dh, kept)", "kept[:] = 0", "gru"),
        ("multiply(z, dh, kept)", "np.subtract(dh, multiply(z, dh, kept), kept)", "gru"),
        ("            dh += kept", "            dh -= kept", "gru"),
        ("W_hh_T_dot(dz, dh)", "dh[:] = 0", "gru"),
        ("W_hh_T_dot(dz, dh)", "W_hh_T_dot(dz, dh); dh *= 0.5", "gru"),
        ("dh += dh_read", "dh -= dh_read", "gru"),
        ("self.dW *= self.fold**2", "self.dW *= self.fold", "gru"),
        ("self.dW *= self.fold**2", "self.dW *= self.fold.max(1, keepdims=True)**2", "gru"),
        ("self.fold**2)[:, : self.H].T", "self.fold)[:, : self.H].T", "gru"),
        ("np.subtract(1, dz_n, out=dz_n)", "np.subtract(2, dz_n, out=dz_n)", "gru"),
        ("np.subtract(1, z, out=dz_m)", "dz_m[:] = z", "gru"),
        ("dz_n *= dz_m", "pass", "gru"),
        ("np.multiply(dz_n, r, out=dz_m)", "dz_m[:] = dz_n", "gru"),
        ("np.subtract(1, dz_rz, out=dz_rz)", "pass", "gru"),
        ("dz_r *= self.m[used]", "dz_r *= self.n[used]", "gru"),
        ("dz_r *= dz_n", "dz_r *= dz_m", "gru"),
        ("dz_z *= self.change[used]", "dz_z *= -self.change[used]", "gru"),
        ("dz_z *= self.change[used]", "dz_z *= self.h[used]", "gru"),
        ("self.fold[2 * H : 3 * H, H:-1] = 0", "pass", "gru"),  # W_xm is there after all
        ("self.fold[3 * H :, :H] = 0", "pass", "gru"),  # W_hn is
        ("W, part, half = self.W * self.fold", "W, part, half = self.W * self.fold.max(1, keepdims=True)", "gru"),
    ],
    "class Cell": [
        ("np.matmul(dy, self.read.transpose(0, 2, 1))", "np.matmul(-dy, self.read.transpose(0, 2, 1))", "lstm"),
        ("dy.sum((0, 2), out=self.db_y)", "self.db_y[:] = 0", "rnn"),
        ("np.matmul(self.W_hy.T, dy, out=self.dh_read)", "np.matmul(2 * self.W_hy.T, dy, out=self.dh_read)", "lstm"),
        ("self.dh[:] = 0", "pass", "irnn"),
        ("self.S[self.first : self.T].transpose", "self.S[self.first + 1 :].transpose", "rnn"),
    ],
    "def squared_error": [
        ("error / target.size\n", "2 * error / target.size\n", "rnn"),
        ("error / target.size\n", "error\n", "lstm"),
    ],
}
MUTANTS = [(scope, *mutant) for scope, mutants in BACKWARD.items() for mutant in mutants]


@pytest.mark.parametrize("scope, old, new, cell", MUTANTS)
def test_gradient_check_rejects_mutants(scope, old, new, cell):
    mutant = execute(mutated("adding_problem.py", scope, old, new), "adding_mutant")
    assert not all(row[-1] for row in mutant.gradcheck(cell, updates=2))


@pytest.mark.parametrize("updates", (0, 300))
def test_gradient_where_the_candidate_sees_the_inputs_alone(updates):
    rows = ap.gradcheck(**INPUTS, updates=updates)
    assert all(row[-1] for row in rows), rows
    names = [row[0] for row in rows]
    assert names[-1] == "W_hg and b_g, absent" and not {"W_hg", "b_g"} & {*names}
    assert sum(row[1] for row in rows) == built("lstm1997", 4).theta.size - 4 * 4 - 4


@pytest.mark.parametrize("old, new", [
    ("self.fold[-H:, :H] = 0", "pass"),  # W_hg is there after all
    ("self.fold[-H:, -1] = 0", "pass"),  # b_g is
    ("self.fold[-H:, :H] = 0", "self.fold[-2 * H : -H, :H] = 0"),  # the input gate is blind instead
    ("self.fold[-H:, :H] = 0", "self.fold[:, :H] = 0"),  # every gate is
    ("self.fold[-H:, -1] = 0", "self.fold[:, -1] = 0"),
    ("self.fold[-H:, :H] = 0", "self.fold[-H:, : H - 1] = 0"),  # one unit is still seen
    ("W, ig, half = self.W * self.fold", "W, ig, half = self.W * self.fold.max(1, keepdims=True)"),
    ("(self.W * self.fold**2)", "(self.W * self.fold.max(1, keepdims=True)**2 + 0.1)"),
    ("self.dW *= self.fold**2", "self.dW *= self.fold.max(1, keepdims=True)**2"),
    ("self.dW *= self.fold**2", "self.dW *= self.fold"),
    ("self.dW *= self.fold**2", "self.dW *= self.fold**2; self.dW[-1, -1] = 1e-9"),
    ("            dz_i *= dc", "            dz_i *= 0"),
    ("            dz_g *= dc", "            dz_g *= -dc"),
    ("W_hh_T_dot(dz, dh)", "W_hh_T_dot(dz, dh); dh += dz_g"),
])
def test_gradient_check_rejects_mutants_where_the_candidate_sees_the_inputs_alone(old, new):
    mutant = execute(mutated("adding_problem.py", "class LSTM(Cell)", old, new), "adding_mutant")
    assert not all(row[-1] for row in mutant.gradcheck(**INPUTS, updates=2))


def test_the_gradient_check_rejects_absent_weights_that_do_not_start_at_zero():
    source = mutated("adding_problem.py", "def initialise", "        tensors[name][:] = 0", "        pass")
    rows = execute(source, "adding_mutant").gradcheck(**INPUTS)
    assert [row[0] for row in rows if not row[-1]] == ["W_hg and b_g, absent"]


def test_a_candidate_that_sees_the_inputs_alone_is_the_cell_of_1997_with_zeros():
    def trained(**choice):
        *_, (net, _, _, _) = ap.learn(ap.Settings(**SMALL | choice))
        return net

    full, bare = (built_from(ap.Settings(**SMALL | choice)) for choice in (dict(cell="lstm1997"), INPUTS))
    for name, start in bare.tensors(bare.theta).items():
        assert np.array_equal(start, full.tensors(full.theta)[name])  # as the full cell's, where there is one
    for name in ("W_hg", "b_g"):
        full.tensors(full.theta)[name][:] = 0
    x, target = ap.make_sequences(generator(), 12, 8)
    assert np.array_equal(full.forward(x), bare.forward(x))
    for net in (full, bare):
        net.backward(ap.squared_error(net.forward(x), target)[1])
    for name, gradient in bare.tensors(bare.grad).items():
        assert np.array_equal(gradient, full.tensors(full.grad)[name])
    assert abs(full.tensors(full.grad)["W_hg"]).max() > 0
    net = trained(**INPUTS)
    assert not any(net.tensors(net.theta, absent=True)[name].any() for name in net.absent)
    assert abs(net.theta - built_from(ap.Settings(**SMALL | INPUTS)).theta).max() > 0


def built_from(settings):
    """The cell of some settings at its start."""
    net = ap.build(settings, settings.batch)
    ap.initialise(net, settings, ap.streams(settings.seed)["init"])
    return net


def test_the_record_of_such_a_cell_has_no_absent_weights():
    record = train(**INPUTS)
    assert record["settings"]["cell_sources"] == "inputs" and not {"W_hg", "b_g"} & record["weights"].keys()
    assert train(cell="lstm1997")["settings"]["cell_sources"] == "all" and "W_hg" in train(cell="lstm1997")["weights"]
    assert train()["settings"]["cell_sources"] is None


def test_the_unmutated_source_passes_the_same_way():
    same = execute((ROOT / "adding_problem.py").read_text(encoding="utf-8"), "adding_mutant")
    assert all(row[-1] for cell in CELLS for row in same.gradcheck(cell, updates=2))


def test_gradcheck_command_fails_on_a_mutant_and_passes_without(tmp_path):
    source = mutated("adding_problem.py", "class LSTM(Cell)", "dz_f *= dc", "dz_f *= 0")
    (tmp_path / "adding_problem.py").write_text(source, encoding="utf-8")
    for name in ap.harness.PLUMBING:
        shutil.copy(ROOT / f"{name}.py", tmp_path)
    command = [sys.executable, "adding_problem.py", "--gradcheck"]
    failed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert failed.returncode == 1 and "W_hf" in failed.stdout and "FAILED" in failed.stdout
    passed = run_script("adding_problem.py", "--gradcheck", cwd=tmp_path)
    assert passed.returncode == 0 and passed.stdout.count(": ok") == 12 and not (tmp_path / "results.json").exists()


# The same figures from torch


def our_figures(cell, theta, x, target, **choice):
    net = ap.build(ap.Settings(cell=cell, hidden=5, T=len(x), dtype="float64", **choice), len(target))
    net.theta[:] = theta
    y = net.forward(x)
    loss, dy = ap.squared_error(y, target)
    net.backward(dy)
    return y[0, 0], loss, net


@pytest.fixture(scope="module")
def reference():
    return np.load(ROOT / "tests" / "reference" / "adding_problem.npz")


@pytest.mark.parametrize("cell", CELLS)
def test_equal_to_torch_reference_arrays(cell, reference):
    y, loss, net = our_figures(cell, reference[f"{cell}/theta"], reference["x"], reference["target"])
    np.testing.assert_allclose(y, reference[f"{cell}/y"], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(loss, reference[f"{cell}/loss"], rtol=1e-12)
    for name, gradient in net.tensors(net.grad).items():
        expected = reference[f"{cell}/grad/{name}"]
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12 * abs(expected).max(), err_msg=name)


@pytest.mark.parametrize("choice", [*(dict(cell=cell) for cell in CELLS), INPUTS], ids=str)
def test_equal_to_torch_itself(choice):
    if importlib.util.find_spec("torch") is None:
        assert not os.environ.get("REQUIRE_TORCH"), "torch is asked for and not installed"
        pytest.skip("torch is not installed")
    from torch_models import loss_and_gradient

    rng = generator(11)
    x, target = ap.make_sequences(rng, 60, 7)
    theta = rng.normal(0, 0.3, built(choice["cell"], 5).theta.size)
    y, loss, net = our_figures(theta=theta, x=x, target=target, **choice)
    torch_y, torch_loss, gradients = loss_and_gradient(choice["cell"], net.tensors(net.theta), x, target)
    np.testing.assert_allclose(y, torch_y, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(loss, torch_loss, rtol=1e-12)
    for name, gradient in net.tensors(net.grad).items():
        expected = gradients[name]
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12 * abs(expected).max(), err_msg=name)


# Model


@pytest.mark.parametrize("cell", CELLS)
def test_a_shorter_sequence_runs_in_the_same_buffers(cell):
    x, target = ap.make_sequences(generator(), 9, 4)
    long, exact = built(cell, 3, 20, 4), built(cell, 3, 9, 4)
    exact.theta[:] = long.theta[:] = generator(1).normal(0, 0.5, long.theta.size)
    long.forward(ap.make_sequences(generator(2), 20, 4)[0])
    for net in (long, exact):
        net.backward(ap.squared_error(net.forward(x), target)[1])
    assert np.array_equal(long.grad, exact.grad)


@pytest.mark.parametrize("outputs", (1, 3, 8))
@pytest.mark.parametrize("cell", (ap.LSTM, ap.GRU, ap.RNN))
def test_several_outputs(cell, outputs):
    x, target = generator().normal(size=(8, 2, 4)), generator(1).normal(size=(outputs, 3, 4))
    theta = generator(2).normal(0, 0.5, cell(2, 5, 3, 8, 4, outputs).theta.size)

    def loss(theta):
        error = cell(2, 5, 3, 8, 4, outputs, theta=theta).forward(x) - target
        return 0.5 * (error * error).sum()

    net = cell(2, 5, 3, 8, 4, outputs, theta=theta)
    net.backward(net.forward(x) - target)
    assert all(row[-1] for row in ap.check_gradient(loss, theta, net.grad, net.tensors))


def test_starts():
    def start(**settings):
        settings = ap.Settings(hidden=64, dtype="float64", **settings)
        net = ap.build(settings, 1)
        ap.initialise(net, settings, generator())
        return net.tensors(net.theta)

    lstm = start()
    assert np.all(lstm["b_f"] == 1) and not lstm["b_i"].any() and not lstm["b_o"].any() and not lstm["b_y"].any()
    assert lstm["W_hf"].std() == pytest.approx(0.5 / 8, rel=0.05)  # half of N(0, 1/H)
    assert lstm["W_xi"].std() == pytest.approx(0.5 / math.sqrt(2), rel=0.2)
    assert not np.array_equal(lstm["W_hf"], lstm["W_hi"])
    assert np.array_equal(start(cell="irnn")["W_hh"], np.eye(64))
    Q = start(cell="rnn", init="ortho")["W_hh"]
    np.testing.assert_allclose(Q @ Q.T, np.eye(64), atol=1e-13)
    assert np.all(start(forget_bias=3.0)["b_f"] == 3)


def test_clip_and_adam_by_hand():
    grad = np.array([3.0, 4.0])
    ap.clip_norm(grad, 10.0)
    assert grad.tolist() == [3, 4]
    ap.clip_norm(grad, 1.0)
    np.testing.assert_allclose(grad, [0.6, 0.8], rtol=1e-15)
    theta = np.array([1.0, -1.0])
    adam, m, v, expected = ap.Adam(theta), np.zeros(2), np.zeros(2), theta.copy()
    for t, g in enumerate(([0.5, -2.0], [0.1, 3.0], [-1.0, 0.0]), 1):
        g = np.array(g)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        expected -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        adam.step(g, 0.01)
    np.testing.assert_allclose(theta, expected, rtol=1e-12)


# Training


@pytest.mark.parametrize("cell", CELLS)
def test_same_seed_same_bytes(cell):
    first, second = train(cell=cell), train(cell=cell)
    for part in ("settings", "history", "final", "best", "weights", "snapshots"):
        assert json.dumps(first[part]) == json.dumps(second[part])
    assert json.dumps(train(cell=cell, seed=1)["weights"]) != json.dumps(first["weights"])


def test_evaluation_interval_changes_no_weight_and_no_final_figure():
    often, seldom = train(ap.Options(eval_every=1)), train(ap.Options(eval_every=30))
    assert often["weights"] == seldom["weights"] and often["final"] == seldom["final"]
    assert len(often["history"]["test_mse"]) == 31 and len(seldom["history"]["test_mse"]) == 2


@pytest.mark.parametrize("batch", (8, 7))  # 512 held-out sequences in the training net's buffers, and in their own
def test_record(batch):
    record = train(batch=batch)
    history, final = record["history"], record["final"]
    assert history["iteration"] == [0, 10, 20, 30]
    assert history["train_sequences"] == [0, 10 * batch, 20 * batch, 30 * batch]
    assert final["status"] == "done" and float(f"{final['test_mse']:.6g}") == history["test_mse"][-1]
    assert record["best"]["test_mse"] == min(history["test_mse"])
    assert [snapshot["iteration"] for snapshot in record["snapshots"]] == [0, 10, 20, 30]
    assert record["settings"]["forget_bias"] == 1.0 and record["settings"]["init_scale"] == 0.5
    x, target = ap.held_out(ap.Settings(**record["settings"]))
    net = built("lstm", 3, 12, 512)
    for name, tensor in net.tensors(net.theta).items():
        tensor[:] = record["weights"][name]
    error = net.forward(x)[0, 0] - target
    assert final["test_mse"] == pytest.approx(np.mean(error**2), rel=1e-6)  # the mean of squares, not half of it
    assert final["solve_rate"] == np.mean(abs(error) < 0.04)
    assert final["solve_rate_1997"] == np.mean(abs(error) < 0.16)


def test_criterion_of_1997_is_the_same_on_its_own_scale():
    x, target = ap.make_sequences(generator(), 10, 1000)
    y = target + generator(1).normal(0, 0.2, 1000)
    on_the_paper_scale = abs((0.5 + y / 4) - (0.5 + target / 4)) < 0.04
    assert np.array_equal(on_the_paper_scale, abs(y - target) < ap.TOLERANCE_1997)


def test_learning_rate_is_halved_after_every_so_many_iterations(monkeypatch):
    rates = []
    monkeypatch.setattr(ap, "update", lambda net, optimizer, x, target, lr, clip: rates.append(lr) or 0.1)
    train(iters=7, lr_decay_every=3, lr=8.0)
    assert rates == [8, 8, 8, 4, 4, 4, 2]
    rates.clear()
    train(iters=7, lr_decay_every=0, lr=8.0)
    assert rates == [8] * 7


def test_cosine_schedule_goes_from_the_rate_to_zero():
    settings = ap.Settings(schedule="cosine", iters=1000, lr=8.0)
    rates = [ap.learning_rate(settings, iteration) for iteration in (1, 251, 501, 751, 1000)]
    expected = [8, 4 + 8**0.5 * 2**0.5 * 0.5**0.5, 4, 4 - 8**0.5 * 2**0.5 * 0.5**0.5, 0]
    np.testing.assert_allclose(rates, expected, atol=1e-4)
    assert settings.lr_decay_every is None and ap.Settings().lr_decay_every == 1500


def test_the_batch_doubles_at_equal_intervals():
    settings = ap.Settings(**SMALL | dict(batch=2, batch_doublings=2, iters=30))
    assert [ap.batch_size(settings, k) for k in (1, 10, 11, 20, 21, 30)] == [2, 2, 4, 4, 8, 8]
    widths, seen, before = [], [], None
    for net, theta, sequences, loss in ap.learn(settings):
        seen.append(sequences)
        widths.append(net.S.shape[2])
        assert theta is net.theta and (loss is None) == (before is None)
        assert before is None or math.isfinite(loss) and not np.array_equal(before, theta)
        before = theta.copy()
    assert widths == [2] + [2] * 10 + [4] * 10 + [8] * 10 and seen[-1] == 140
    assert train(batch=2, batch_doublings=2)["final"]["train_sequences"] == 140


def test_averaged_weights_are_what_is_evaluated():
    mean = None
    for net, theta, _, _ in ap.learn(ap.Settings(**SMALL | dict(iters=5), average=0.9, dtype="float64")):
        mean = net.theta.copy() if mean is None else 0.9 * mean + 0.1 * net.theta
        np.testing.assert_allclose(theta, mean, rtol=1e-12)
    plain, averaged = train(), train(average=0.9)
    assert plain["history"]["train_mse"] == averaged["history"]["train_mse"]  # training itself is the same
    assert plain["final"]["test_mse"] != averaged["final"]["test_mse"]
    settings = ap.Settings(**averaged["settings"])
    net = ap.build(settings, 512)
    for name, tensor in net.tensors(net.theta).items():
        tensor[:] = averaged["weights"][name]
    assert ap.evaluate(net, *ap.held_out(settings))["test_mse"] == pytest.approx(
        averaged["final"]["test_mse"], rel=1e-6)


def test_init_seed_draws_the_first_weights_and_nothing_else(monkeypatch):
    data, forward = [], ap.LSTM.forward
    monkeypatch.setattr(ap.LSTM, "forward", lambda net, x: data.append(x.copy()) or forward(net, x))

    def start(**settings):
        learning = ap.learn(ap.Settings(**SMALL | settings))
        weights = next(learning)[1].copy()
        next(learning)
        return weights, data[-1]

    weights, batch = start(seed=1)
    other_weights, same_batch = start(seed=1, init_seed=2)
    same_weights, other_batch = start(seed=2, init_seed=1)
    assert np.array_equal(weights, same_weights) and np.array_equal(batch, same_batch)
    assert not np.array_equal(weights, other_weights) and not np.array_equal(batch, other_batch)
    assert ap.Settings(seed=3, init_seed=3) == ap.Settings(seed=3)


def test_validation_sequences_are_of_a_stream_of_their_own():
    final = train()["final"]
    rng = generator(np.random.SeedSequence(0).spawn(5)[4])
    x, target = [np.concatenate(parts, -1) for parts in zip(*(ap.make_sequences(rng, 12, 512) for _ in range(8)))]
    assert x.shape[2] == ap.N_VALIDATION and not np.array_equal(x[:, :, :512], ap.held_out(ap.Settings(T=12))[0])
    net = built("lstm", 3, 12, 4096)
    for name, tensor in net.tensors(net.theta).items():
        tensor[:] = train()["weights"][name]
    error = net.forward(x)[0, 0] - target
    assert final["validation_mse"] == pytest.approx(np.mean(error**2), rel=1e-6)
    assert final["validation_solve_rate"] == np.mean(abs(error) < 0.04)


def test_best_fills_in_what_is_not_given(tmp_path):
    [settings], options, _ = ap.parse(["--best", "--out", str(tmp_path / "r.json")])
    assert settings == ap.Settings(**ap.BEST) and options.eval_every == 400
    assert settings.batch * settings.iters == 256_000 == ap.Settings().batch * ap.Settings().iters
    [settings], _, _ = ap.parse(["--best", "--lr", "0.001", "--out", str(tmp_path / "r.json")])
    assert settings == ap.Settings(**ap.BEST | dict(lr=0.001))


def test_it_learns_a_short_lag():
    record = train(T=10, hidden=8, iters=1500, batch=32, lr_decay_every=500)
    assert record["final"]["test_mse"] < 0.02


def test_float32_trains_like_float64():
    single, double = train(), train(dtype="float64")
    assert single["settings"]["dtype"] == "float32"  # the default
    assert single["final"]["test_mse"] == pytest.approx(double["final"]["test_mse"], rel=1e-3)
    assert single["final"]["test_mse"] != double["final"]["test_mse"]


def test_derivatives_that_vanish_are_dropped_before_they_are_denormal():
    """Over 800 steps the derivatives of this start shrink below 1e-38. With and without dropping, the trained weights
    have the same bits; without, hundreds of derivatives are denormal."""
    def trained():
        net = built_from(ap.Settings(T=800, batch=4, cell=cell))
        optimizer, x, target = ap.Adam(net.theta), *ap.make_sequences(generator(), 800, 4)
        for _ in range(3):
            ap.update(net, optimizer, x, target, 5e-3, 1.0)
        assert net.theta.dtype == np.float32
        return net.theta, ((net.dz != 0) & (abs(net.dz) < np.finfo(np.float32).tiny)).sum()

    for cell in ("lstm", "gru", "rnn"):
        weights, denormal = trained()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ap, "drop_tiny", lambda array: None)
            other_weights, other_denormal = trained()
        assert np.array_equal(weights, other_weights)
        assert denormal < 50 and other_denormal > 300, (cell, denormal, other_denormal)


def test_what_is_dropped_is_tiny_and_nothing_else():
    array = np.array([1, -2e-25, 2e-25, 9e-26, -1e-38, 1e-45, 0, np.inf, -np.inf, np.nan], np.float32)
    ap.drop_tiny(array)
    np.testing.assert_array_equal(array, np.array([1, -2e-25, 2e-25, 0, 0, 0, 0, np.inf, -np.inf, np.nan], np.float32))


def test_a_gradient_whose_squares_overflow_is_clipped_by_its_norm():
    gradient = np.array([3e30, -4e30], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        ap.clip_norm(gradient, 1.0)
        np.testing.assert_allclose(gradient, [0.6, -0.8], rtol=1e-6)
        gradient[0] = np.inf
        ap.clip_norm(gradient, 1.0)
    assert np.isnan(gradient[0])  # and the run has diverged


def test_gradient_checks_are_in_double_precision_whatever_the_default(monkeypatch):
    seen, build = [], ap.build
    monkeypatch.setattr(ap, "build", lambda settings, *more, **named: seen.append(settings.dtype)
                        or build(settings, *more, **named))
    assert ap.Settings().dtype == "float32" and all(row[-1] for row in ap.gradcheck("rnn", updates=1))
    assert set(seen) == {"float64"}


def test_divergence_is_not_finite_or_a_hundred_losses_over_the_limit():
    diverges = ap.Divergence(1.0)
    assert diverges(math.nan) and ap.Divergence(1.0)(math.inf)
    assert not any(diverges(1001.0) for _ in range(99)) and not diverges(999.0)
    assert [diverges(1001.0) for _ in range(100)] == [False] * 99 + [True]


def test_a_diverged_run_says_where_keeps_its_history_and_exits_1(tmp_path):
    run = run_script("adding_problem.py", "--T", 20, "--hidden", 3, "--lr", "1e6", "--eval-every", 10, cwd=tmp_path)
    assert run.returncode == 1 and "DIVERGED at iteration 1" in run.stdout and run.stderr == ""
    [record] = json.loads((tmp_path / "results.json").read_text())["adding_problem"]
    assert record["final"]["status"] == "diverged" and len(record["history"]["iteration"]) > 5
    assert f"iteration {record['final']['iteration']}" in run.stdout


# Command line


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--T 1", "--T: 1 is not between 2"),
        ("--T 0", "--T"),
        ("--T -5", "--T"),
        ("--T 1e9", "not a whole number"),
        ("--T 10000000", "--T"),
        ("--hidden 0", "--hidden"),
        ("--hidden eight", "--hidden: 'eight' is not a whole number"),
        ("--iters 0", "--iters"),
        ("--batch -1", "--batch"),
        ("--lr 0", "--lr"),
        ("--lr nan", "--lr: 'nan' is not a number"),
        ("--lr inf", "--lr"),
        ("--lr -1e-3", "--lr"),
        ("--clip 0", "--clip"),
        ("--lr-decay-every -1", "--lr-decay-every"),
        ("--seed -1", "--seed"),
        ("--seed 99999999999999999999", "--seed"),
        ("--seeds 5", "--seeds: '5' is not a range"),
        ("--seeds 5-2", "--seeds"),
        ("--seeds 0-999999999999999999999999", "--seeds"),
        ("--seeds 0-1 --seed 3", "exclude each other"),
        ("--jobs 0", "--jobs"),
        ("--eval-every 0", "--eval-every"),
        ("--cell gru1997", "--cell"),
        ("--cell gru --forget-bias 1", "--forget-bias needs --cell lstm"),
        ("--cell lstm --rnn", "--rnn contradicts --cell lstm"),
        ("--cell irnn --init ortho", "--init ortho"),
        ("--schedule cosine --lr-decay-every 10", "--lr-decay-every needs --schedule halving"),
        ("--average 1", "--average"),
        ("--best --cell gru", "--best is a recipe for --cell lstm"),
        ("--long --rnn", "--long is a recipe for --cell lstm1997"),
        (f"--T 1{400 * '0'}", "is not"),
        ("--rnn --forget-bias 1", "--forget-bias needs --cell lstm"),
        ("--cell-sources inputs", "--cell-sources needs --cell lstm1997"),
        ("--cell lstm1997 --cell-sources gates", "--cell-sources"),
        ("--dtype float16", "--dtype"),
        ("--T 100000 --batch 65536", "GB of memory"),
        ("--no-such-flag", "unrecognized"),
        ("--see 3", "unrecognized"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(flags, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        ap.main(flags.split())
    shown = capsys.readouterr()
    assert stop.value.code == 2 and shown.out == ""
    assert shown.err.count("\n") == 1 and words in shown.err
    assert not (tmp_path / "results.json").exists()


def test_the_flags_are_the_settings(tmp_path):
    shown = run_script("adding_problem.py", "--help", cwd=tmp_path).stdout
    for field in dataclasses.fields(ap.Settings) + dataclasses.fields(ap.Options):
        assert f"--{field.name.replace('_', '-')} " in shown
    runs, options, _ = ap.parse(["--out", str(tmp_path / "r.json")])
    assert runs == [ap.Settings()] and options.eval_every == 100  # the bare command is the headline run


def test_several_seeds_in_processes_are_the_same_runs(tmp_path):
    flags = ("--T", 10, "--hidden", 3, "--iters", 40, "--eval-every", 10, "--seeds", "3-5")
    one = run_script("adding_problem.py", *flags, "--out", "one.json", cwd=tmp_path)
    two = run_script("adding_problem.py", *flags, "--jobs", 2, "--out", "two.json", cwd=tmp_path)
    assert one.returncode == two.returncode == 0 and "3 of 3 seeds ran to the end: test MSE median" in two.stdout
    records = [json.loads((tmp_path / name).read_text())["adding_problem"] for name in ("one.json", "two.json")]
    for record in records[0] + records[1]:
        del record["provenance"]
    assert records[0] == records[1] and [record["settings"]["seed"] for record in records[0]] == [3, 4, 5]
    assert ["snapshots" in record for record in records[0]] == [True, False, False]


def test_piped_progress_is_plain_lines(tmp_path):
    run = run_script("adding_problem.py", "--iters", 30, "--T", 10, "--eval-every", 10, cwd=tmp_path)
    lines = run.stdout.splitlines()
    assert len(lines) == 5 and "\r" not in run.stdout and "\033" not in run.stdout
    assert "s left" in lines[1] and "MSE" in lines[1] and "nan" not in lines[0]
    assert "(constant 0: 0.66667)" in lines[-1]
    quiet = run_script("adding_problem.py", "--iters", 30, "--T", 10, "--quiet", cwd=tmp_path)
    assert len(quiet.stdout.splitlines()) == 1


def test_progress_fits_80_columns():
    row = dict(iteration=99_999, train_mse=1.234567, test_mse=12.34567, solve_rate=1.0)
    assert len(ap.progress_words(row) + "  599 s, 9999 min left") <= 80


@pytest.mark.parametrize("settings", [
    dict(T=500, batch=8), dict(T=400, batch=48), dict(T=100, hidden=64, batch=64),
    dict(T=600, hidden=32, dtype="float32", cell="rnn"), dict(T=600, batch=128, cell="irnn"),
    dict(T=400, batch=48, cell="gru")], ids=str)
def test_the_memory_that_is_admitted_is_what_is_needed(settings):
    settings = ap.Settings(iters=2, **settings)
    tracemalloc.start()
    try:
        ap.train(settings, ap.Options(eval_every=10**6, snapshot_every=0))
        assert 0.75 * settings.bytes_needed() < tracemalloc.get_traced_memory()[1] < 1.02 * settings.bytes_needed()
    finally:
        tracemalloc.stop()


def test_evaluation_stops_on_a_signal(monkeypatch):
    calls, forward = [], ap.LSTM.forward

    def counting(net, x):
        calls.append(x)
        if len(calls) == 20:  # amid the first evaluation
            ap.harness.STOP.set()
        return forward(net, x)

    monkeypatch.setattr(ap.LSTM, "forward", counting)
    with ap.harness.interruptible():
        record = train()
    assert len(calls) == 20 and record["final"]["status"] == "interrupted"
    assert record["final"]["test_mse"] is None and record["history"]["iteration"] == []
    assert "nothing measured" in ap.summary(record)
    calls.clear()
    monkeypatch.setattr(ap, "N_VALIDATION", 10**9)  # validation comes last and is the longest part
    monkeypatch.setattr(ap.LSTM, "forward", forward)
    done = []
    monkeypatch.setattr(ap.harness.Progress, "__call__", lambda self, count, text, every=0: (
        done.append(text), "validation" in text and ap.harness.STOP.set()))
    with ap.harness.interruptible():
        record = train(iters=2)
    assert record["final"]["status"] == "interrupted" and record["final"]["validation_mse"] is None
    assert record["final"]["test_mse"] > 0 and done[-1].startswith("validation: 512 of")


def test_the_docstring_promises_what_the_records_bear_out(results):
    """8 of 10 and none, a median of 0.40, a range of 0.03 to 0.7, four of ten with next to nothing."""
    lstm, rnn, _ = studies.arms(results, "adding-headline").values()
    lstm_solved, rnn_solved = (
        sum(record["final"]["solve_rate"] >= 0.85 for record in records) for records in (lstm, rnn))
    assert f"solves {lstm_solved} of 10 seeds. The tanh RNN solves none" in " ".join(ap.__doc__.split())
    mse = np.array([record["final"]["test_mse"] for record in rnn])
    said = f"a median of {np.median(mse):.2f} and a range of {mse.min():.2f} to {mse.max():.1f}"
    assert rnn_solved == 0 and said in " ".join(ap.__doc__.split())
    assert mse[0] > 0.6 and sum(mse > 0.6) == 4
