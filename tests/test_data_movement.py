"""data_movement.py: cases priced by hand, the fast pricing against the definition, traced steps against numpy's."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import ROOT, assert_bad_input, execute, mutated, run_script
from hypothesis import given, settings
from hypothesis import strategies as st

import adding_problem as ap
import data_movement as dm

SMALL = (
    dict(model="lstm", T=9, hidden=3), dict(model="rnn", T=9, hidden=4), dict(model="shortcut", T=9),
    dict(model="lstm", T=9, hidden=3, weight_gradient="at_end"),
    dict(model="rnn", T=9, hidden=4, weight_gradient="at_end"),
    dict(model="scan", T=9), dict(task="3bit_memorization", model="rnn", T=9, hidden=4),
    dict(task="3bit_memorization", model="lstm", T=6, hidden=2))


@functools.cache
def train(**which):
    """The record of a step."""
    return dm.train(dm.Settings(**which), dm.Options())


def depths(program, *arguments):
    tape, _, returned = dm.trace(program, *arguments)
    return dm.read_depths(tape, returned)[1].tolist()


# Worked by hand


def repeated(a, b):
    a + b  # never used: it is not on the stack afterwards, but a and b have moved
    return a * b


def chain(a, b):
    p = a * b
    return p * a * b


def chain_swapped(a, b):
    p = b * a
    return p * a * b


@pytest.mark.parametrize(
    "program, arguments, by_hand",
    [
        (lambda a: a * a, (3,), [1, 1]),  # a repeated input is charged twice
        (lambda a, b: b + a, (1, 2), [2, 1]),
        (lambda a, b: a - 1, (1, 2), [1]),  # the constant is free
        (lambda a, b: 1 - b, (1, 2), [1]),  # a is never read, so it is not there
        (lambda a, b: (a, b + 1), (1, 2), [2]),  # a is returned, so it is
        (lambda a, b, c: (a + b) + c, (1, 2, 3), [1, 2, 1, 2]),
        (lambda a, b, c: (c * c) + a, (1, 2, 3), [2, 2, 1, 2]),  # b is not there
        (repeated, (1, 2), [1, 2, 2, 1]),  # a moves up first, then b
        (chain, (2, 3), [1, 2, 1, 3, 1, 2]),  # inputs move in the order read: b above a
        (chain_swapped, (2, 3), [2, 1, 1, 2, 1, 2]),  # a above b
        (dm.dot, ([1, 2], [3, 4]), [2, 4, 1, 2, 3, 2, 1]),
        (sum, ([1, 2, 3, 4],), [4, 1, 4, 1, 3, 1, 2]),  # the last element is on top
        (dm.matrix_vector, ([[1, 2], [3, 4]], [5, 6]), [4, 6, 5, 6, 3, 1, 5, 3, 4, 3, 2, 1]),
        (lambda a, b: [b] if a else [a], (1, 2), [1]),  # a test reads
        (lambda a, b: [b] if b else [a], (1, 2), [1]),
        (lambda a, b: dm.tanh(dm.sqrt(b)) + a, (1, 2), [2, 1, 1, 2]),
        (lambda a, b: (a * b, a * b), (1, 2), [1, 2, 3, 2]),  # the first product stays above them
    ],
)
def test_depths_by_hand(program, arguments, by_hand):
    assert depths(program, *arguments) == by_hand


@pytest.mark.parametrize("name, program, arguments, by_hand", dm.WORKED_BY_HAND)
def test_costs_by_hand(name, program, arguments, by_hand):
    assert dm.cost(program, *arguments) == by_hand


def test_the_cost_of_an_element_is_that_of_its_bytes():
    assert dm.element_cost(9, 1).tolist() == [0, 1, 2, 2, 2, 3, 3, 3, 3, 3]
    assert dm.element_cost(2, 4).tolist() == [0, 1 + 2 + 2 + 2, 3 * 4]
    assert dm.element_cost(2, 8).tolist() == [0, 1 + 3 * 2 + 4 * 3, 3 + 7 * 4]
    roots = [1 + int(np.sqrt(d - 1)) for d in range(1, 4001)]
    assert dm.element_cost(500, 8).tolist() == [0] + [sum(roots[k : k + 8]) for k in range(0, 4000, 8)]
    assert dm.cost(lambda a, b, c: (a + b) + c, 1, 2, 3, width=8) == 19 + 31 + 19 + 31


def test_returned_numbers_are_those_of_the_program():
    _, y, _ = dm.trace(dm.matrix_vector, [[1, 2], [3, 4]], [5, 6])
    assert [value.number for value in y] == [17, 39]


def test_costs_of_small_steps_are_those_of_the_public_tracer():
    """Costs at 1 and 8 bytes that github.com/cybertronai/ByteDMD (2cc2a62) gives for the same instructions."""
    pathological = dict(task="3bit_memorization", model="rnn", T=6, hidden=3)
    for which, by_one, by_eight in (
            (dict(model="lstm", T=8, hidden=3), 39767, 843864),
            (dict(model="lstm", T=8, hidden=3, weight_gradient="at_end"), 36308, 769246),
            (dict(model="rnn", T=8, hidden=3), 6551, 135802),
            (dict(model="rnn", T=8, hidden=3, weight_gradient="at_end"), 6650, 137095),
            (dict(model="shortcut", T=8), 190, 3565),
            (dict(model="scan", T=8), 211, 3971),
            (pathological, 11103, 236873)):
        cost = train(**which)["final"]["cost"]
        assert (cost["1"], cost["8"]) == (by_one, by_eight), which


# The fast pricing against the definition


@st.composite
def programs(draw):
    """A random program as a tape and the places it returns: any instruction may read any two earlier places."""
    tape = dm.Tape()
    tape.load([0.0] * draw(st.integers(1, 12)))
    near = draw(st.integers(1, 40))
    for _ in range(draw(st.integers(1, 60))):
        newest = len(tape.array_of) - 1
        places = st.integers(max(0, newest - near), newest)
        tape.result(0.0, draw(places), draw(st.one_of(st.just(dm.NOTHING), places)))
    every = st.integers(0, len(tape.array_of) - 1)
    return tape, draw(st.lists(every, max_size=6))


def assert_equal_to_list_scan(module, tape, returned):
    place, depth, first_read, most = module.read_depths(tape, returned)
    assert depth.tolist() == dm.depths_by_list(tape, returned).tolist()
    reads = [[p for p in pair if p != dm.NOTHING] for pair in zip(tape.first, tape.second)]
    assert place.tolist() == sum(reads, [])
    assert first_read.tolist() == [0, *np.cumsum([len(inputs) for inputs in reads])]
    assert most >= depth.max()


@settings(max_examples=40, deadline=None)
@given(programs())
def test_equal_to_a_list_scan_on_random_programs(program):
    assert_equal_to_list_scan(dm, *program)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=70))
def test_smaller_after(keys):
    by_definition = [sum(later < key for later in keys[k + 1 :]) for k, key in enumerate(keys)]
    assert dm.smaller_after(np.array(keys)).tolist() == by_definition


def random_program(rng, arguments=20, instructions=400, returned=15):
    tape = dm.Tape()
    tape.load([0.0] * arguments)
    for n in range(instructions):
        first, second = rng.integers(max(0, n - 40), arguments + n, 2)
        tape.result(0.0, int(first), int((second, first, dm.NOTHING)[rng.integers(3)]))
    return tape, rng.integers(0, arguments + instructions, returned).tolist()


def test_equal_to_a_list_scan_on_many_more():
    rng = np.random.Generator(np.random.PCG64(1))
    for _ in range(300):
        sizes = rng.integers(1, 13), rng.integers(1, 61), rng.integers(0, 7)
        assert_equal_to_list_scan(dm, *random_program(rng, *map(int, sizes)))


@pytest.mark.parametrize("which", SMALL, ids=lambda which: "-".join(map(str, which.values())))
def test_equal_to_a_list_scan_on_training_steps(which):
    tape, _, returned = dm.traced_step(dm.Settings(**which))
    assert_equal_to_list_scan(dm, tape, returned)


PRICING = [
    ("def read_depths", "moves[:, 1] &= pairs[:, 1] != pairs[:, 0]", "pass"),
    ("def read_depths", "3 * created + 2)", "3 * created)"),
    ("def read_depths", "np.arange(arguments + n) - arguments", "np.arange(arguments + n)"),
    ("def read_depths", "moved[:-1], start[by_value[1:]])", "start[by_value[1:]], start[by_value[1:]])"),
    ("def read_depths", "(3 * instruction + side)[by_value]", "(3 * instruction - side)[by_value]"),
    ("def read_depths", "last[value] = moved", "pass"),
    ("def read_depths", "np.full(len(kept), n)", "np.full(len(kept), 0)"),
    ("def read_depths", "np.unique(np.array(returned, np.int64))", "np.zeros(0, np.int64)"),
    ("def read_depths", "- np.arange(len(start)) - smaller_after(end)", "- np.arange(len(start))"),
    ("def read_depths", "depth[order] = started_before[end]", "depth[order] = 1 + started_before[end]"),
    ("def read_depths", "3 * np.arange(n + 1)", "3 * np.arange(n + 1) + 2"),
    ("def read_depths", "depth_of[repeated, 1] = depth_of[repeated, 0]", "pass"),
    ("def smaller_after", 'np.argsort(keys, kind="stable")', "np.argsort(keys[::-1])"),
    ("def smaller_after", "half - np.cumsum", "half + 1 - np.cumsum"),
]


@pytest.mark.parametrize("scope, old, new", PRICING)
def test_the_list_scan_rejects_mutants_of_the_fast_pricing(scope, old, new):
    mutant = execute(mutated("data_movement.py", scope, old, new), "data_movement_mutant")
    rng = np.random.Generator(np.random.PCG64(0))
    with pytest.raises((AssertionError, IndexError)):
        for _ in range(20):
            assert_equal_to_list_scan(mutant, *random_program(rng))


# The traced steps compute what numpy's do


def tree(net):
    return {name: np.atleast_2d(tensor).tolist() for name, tensor in net.tensors(net.theta).items()}


def numbers(traced):
    return {name: np.array([[value.number for value in row] for row in rows]) for name, rows in traced.items()}


def assert_same_tensors(traced, net, vector, rtol=1e-11):
    for name, tensor in net.tensors(vector).items():
        limit = rtol * abs(tensor).max()
        np.testing.assert_allclose(traced[name], np.atleast_2d(tensor), rtol=rtol, atol=limit, err_msg=name)


def assert_step_equal_to_numpy(module, cell, T=11, H=3, error=0.1, at_end=False):
    """One Adam update of adding_problem.py and one traced step, from the same weights and sequence.

    error: the net's error on it, by which the gradient, unclipped at 0.1, is clipped or not.
    """
    net = ap.build(ap.Settings(cell=cell, hidden=H, T=T, dtype="float64"), 1)
    net.theta[:] = np.random.Generator(np.random.PCG64(1)).normal(0, 0.6, net.theta.size)
    x, _ = ap.make_sequences(ap.streams(5)["train"], T, 1)
    target = net.forward(x)[0, 0] - error
    theta = tree(net)
    zeros = {name: np.zeros_like(rows).tolist() for name, rows in theta.items()}

    def program(*arguments):
        return module.training_step(cell, *arguments, at_end=at_end)

    _, (loss, new, m, v), _ = module.trace(program, x[:, :, 0].tolist(), target.tolist(), theta, zeros, zeros)
    optimizer = ap.Adam(net.theta)
    numpy_loss, dy = ap.squared_error(net.forward(x), target)
    net.backward(dy)
    if (np.sqrt(net.grad @ net.grad) > 1) != (error > 1):
        raise ValueError("clipped where it should not be, or not where it should")
    ap.clip_norm(net.grad, 1.0)
    optimizer.step(net.grad, 5e-3)
    np.testing.assert_allclose(loss.number, numpy_loss, rtol=1e-12)
    assert_same_tensors({name: rows / (1 - 0.9) for name, rows in numbers(m).items()}, net, net.grad)
    assert_same_tensors(numbers(v), net, optimizer.v)
    assert_same_tensors(numbers(new), net, net.theta)


@pytest.mark.parametrize("at_end", (False, True), ids=("each_step", "at_end"))
@pytest.mark.parametrize("cell, T, H", (("lstm", 11, 3), ("lstm", 40, 8), ("rnn", 11, 3), ("rnn", 100, 8)))
@pytest.mark.parametrize("error", (0.1, 30.0), ids=("unclipped", "clipped"))
def test_gradient_and_update_are_those_of_the_adding_problem(cell, T, H, error, at_end):
    assert_step_equal_to_numpy(dm, cell, T, H, error, at_end)


BACKWARD = [
    ("def lstm_backward", "dh[k] * tanh_c[k] * (o[k]", "dh[k] * (o[k]", "lstm"),
    ("def lstm_backward", "(o[k] * (1 - o[k]))", "(o[k] * (1 + o[k]))", "lstm"),
    ("def lstm_backward", "dc[k] + dh[k] * o[k]", "dh[k] * o[k]", "lstm"),
    ("def lstm_backward", "(1 - tanh_c[k] * tanh_c[k])", "1", "lstm"),
    ("def lstm_backward", "dc_k * g[k] * (i[k]", "dc_k * (i[k]", "lstm"),
    ("def lstm_backward", "dc_k * c[t][k]", "dc_k * c[t + 1][k]", "lstm"),
    ("def lstm_backward", "dc_k * i[k] * (1 - g", "dc_k * o[k] * (1 - g", "lstm"),
    ("def lstm_backward", "(1 - g[k] * g[k])", "(1 - g[k])", "lstm"),
    ("def lstm_backward", "dc[k] = dc_k * f[k]", "dc[k] = dc_k * 1", "lstm"),
    ("def lstm_backward", "yield t, dz", "yield t - 1, dz", "lstm"),
    ("def lstm_backward", '[f"W_h{gate}"][k][j]', '[f"W_h{gate}"][j][k]', "lstm"),
    ("def lstm_backward", "dot(column, dz_all)", "dot(column, dz_all) * 0.5", "lstm"),
    ("def rnn_backward", "dh[k] * (1 - h[k] * h[k])", "dh[k] * (1 - h[k])", "rnn"),
    ("def rnn_backward", "dh[k] * (1 - h[k] * h[k])", "dh[k] * 1", "rnn"),
    ("def training_step", "x[t], h[t])", "x[t], h[t + 1])", "rnn"),
    ("def training_step", "x[t], h[t])", "x[t - 1], h[t])", "lstm"),
    ("def rnn_backward", '["W_hh"][k][j]', '["W_hh"][j][k]', "rnn"),
    ("def rnn_backward", "for k in units], dz)", "for k in units], dh)", "rnn"),
    ("def add_weight_gradient", "row[j] + dz_k * s", "dz_k * s", "rnn"),
    ("def add_weight_gradient", "row[j] + dz_k * s", "row[j] - dz_k * s", "lstm"),
    ("def add_weight_gradient", "[0][k] + dz_k", "[0][k] + 2 * dz_k", "lstm"),
    ("def readout_backward", "dy_k * s_j", "dy_k + s_j", "rnn"),
    ("def readout_input_gradient", "dot(column, dy)", "dot(column, dy) * 2", "lstm"),
    ("def readout_backward", "0.0 + dy_k", "0.0 - dy_k", "rnn"),
    ("def squared_error", "y_k - target_k", "target_k - y_k", "rnn"),
    ("def adam", "(g[j] * g[j] - v_row[j])", "(2 * g[j] * g[j] - v_row[j])", "rnn"),
    ("def adam", "lr * m_hat", "lr * m_row[j]", "rnn"),
]


AT_END = [
    ("def weight_gradient_at_end", "for dz_t in dz]", "for dz_t in dz[::-1]]"),
    ("def weight_gradient_at_end", "sum(column)", "column[-1]"),
    ("def weight_gradient_at_end", "dot(column, over_time)", "2 * dot(column, over_time)"),
    ("def training_step", "backward][::-1]", "backward]"),
    ("def training_step", "x, h[:-1])", "x, h[1:])"),
]
MUTANTS = [(*mutant, False) for mutant in BACKWARD]
MUTANTS += [(*mutant, cell, True) for mutant in AT_END for cell in ("rnn", "lstm")]


@pytest.mark.parametrize("scope, old, new, cell, at_end", MUTANTS)
def test_numpy_rejects_mutants_of_the_traced_step(scope, old, new, cell, at_end):
    mutant = execute(mutated("data_movement.py", scope, old, new), "data_movement_mutant")
    with pytest.raises(AssertionError):
        assert_step_equal_to_numpy(mutant, cell, at_end=at_end)


@pytest.mark.parametrize("cell", ("rnn", "lstm"))
def test_the_pathological_step_is_that_of_its_equations(cell):
    """Cross-entropy, clip and heavy ball, against the general cells of adding_problem.py."""
    T, H, n_in, n_out = 9, 4, 5, 8
    net = (ap.RNN if cell == "rnn" else ap.LSTM)(n_in, H, n_out, T, 1)
    net.theta[:] = np.random.Generator(np.random.PCG64(2)).normal(0, 0.8, net.theta.size)
    x, target = dm.make_3bit_memorization(ap.streams(0)["train"], T)
    theta, before = tree(net), net.theta.copy()
    velocity = {name: np.full_like(rows, 0.25).tolist() for name, rows in theta.items()}

    def program(*arguments):
        return dm.training_step(cell, *arguments, loss=dm.cross_entropy, optimizer=dm.heavy_ball)

    _, (p, new, v), _ = dm.trace(program, x.tolist(), target.tolist(), theta, velocity)
    y = net.forward(x[:, :, None])[0, :, 0]
    expected = np.exp(y) / np.exp(y).sum()
    net.backward((expected - target)[None, :, None])
    norm = np.sqrt(net.grad @ net.grad)
    assert norm > 1, "not clipped"
    step = 0.9 * 0.25 - 0.01 * net.grad / norm
    np.testing.assert_allclose([value.number for value in p], expected, rtol=1e-12)
    assert_same_tensors(numbers(v), net, step)
    assert_same_tensors(numbers(new), net, before + step)


@pytest.mark.parametrize("model", ("shortcut", "scan"))
def test_the_shortcuts_read_out_the_two_marked_values(model):
    settings = dm.Settings(model=model, T=30, seed=3)
    tape, (loss, theta, m, _), _ = dm.traced_step(settings)
    x, target = dm.make_adding(dm.streams(3)["train"], 30)
    a, b = x[x[:, 1] == 1, 0]
    start = dm.initial_weights(settings, 2, 1, dm.streams(3)["init"])
    (w_a, w_b), bias = start["W_hy"][0], start["b_y"][0][0]
    error = w_a * a + w_b * b + bias - target[0]
    gradient = error * np.array([a, b, 1])
    gradient *= min(1, 1 / np.linalg.norm(gradient))
    assert loss.number == pytest.approx(error**2 / 2, rel=1e-12)
    traced = [value.number / (1 - 0.9) for value in dm.leaves(m)]
    np.testing.assert_allclose(traced, gradient, rtol=1e-12)
    read = {place for place in (*tape.first, *tape.second) if place != dm.NOTHING}
    inputs = [place for place in read if tape.array_of[place] == dm.ARRAYS.index("inputs")]
    assert len(inputs) == (3 if model == "shortcut" else 33)  # two values and the target; the scan also all markers


def test_the_exact_solution_is_a_shortcut():
    x, target = dm.make_adding(dm.streams(4)["train"], 50)
    values = [x[t][0] for t in dm.marked_positions(x)]
    assert dm.readout_forward({"W_hy": [[1, 1]], "b_y": [[0]]}, values) == pytest.approx(target, abs=1e-15)


# Sequences


@given(st.integers(2, 60), st.integers(0, 2**32))
def test_sequences_of_the_adding_problem(T, seed):
    x, target = dm.make_adding(dm.streams(seed)["train"], T)
    assert x.shape == (T, 2) and np.all(abs(x[:, 0]) <= 1) and set(x[:, 1]) <= {0, 1}
    assert x[: T // 2, 1].sum() == 1 and x[T // 2 :, 1].sum() == 1
    np.testing.assert_allclose(target, [(x[:, 0] * x[:, 1]).sum()], atol=1e-15)


@given(st.integers(4, 60), st.integers(0, 2**32))
def test_sequences_of_3bit_memorization(T, seed):
    x, target = dm.make_3bit_memorization(dm.streams(seed)["train"], T)
    symbols = x.argmax(1)
    assert x.shape == (T, 5) and np.all(x.sum(1) == 1) and target.shape == (8,) and target.sum() == 1
    assert set(symbols[:3]) <= {0, 1} and symbols[-1] == 2 and set(symbols[3:-1]) <= {3, 4}
    assert target.argmax() == 4 * symbols[0] + 2 * symbols[1] + symbols[2]


# Records


@pytest.mark.parametrize("which", SMALL, ids=lambda which: "-".join(map(str, which.values())))
def test_parts_of_a_record_add_up(which):
    final = train(**which)["final"]
    for parts in (final["arrays"].values(), final["phases"].values()):
        assert sum(part["reads"] for part in parts) == final["reads"]
        for width in ("1", "4", "8"):
            assert sum(part["cost"][width] for part in parts) == final["cost"][width]
    for name, part in final["arrays"].items():
        assert sum(final["reads_by_octave_of_depth"][name]) == part["reads"]
        assert sum(final["cost_by_octave_of_depth"][name]) == part["cost"]["8"]
    assert final["mean_depth_elements"] <= final["most_live_elements"]
    assert final["cost"]["1"] < final["cost"]["4"] < final["cost"]["8"]


def test_counts_of_reads_by_hand():
    """The tanh RNN's recurrent matrix is read once a step forward and backward, and once by the optimizer. Its gradient
    is read T - 1 times to be added to, twice for the norm, once by the clip and three times by Adam."""
    T, H = 7, 3
    arrays = train(model="rnn", T=T, hidden=H)["final"]["arrays"]
    assert arrays["recurrent matrix"]["reads"] == H * H * (2 * T + 1)
    assert arrays["recurrent gradient"]["reads"] == H * H * (T - 1 + 3 + 3)
    assert arrays["inputs"]["reads"] == 2 * T * H * 2 + 1
    weights = H * H + 2 * H + H + H + 1
    assert arrays["optimizer"]["reads"] == 6 * weights  # m and v: twice in their update, once after it


def test_the_cost_depends_on_shapes_alone():
    first, second = (train(model="lstm", T=8, hidden=3, seed=seed)["final"] for seed in (0, 1))
    assert first == second
    costs = {train(model="scan", T=40, seed=seed)["final"]["cost"]["8"] for seed in range(5)}
    assert len(costs) > 1  # that of the scan also on where the markers stand
    costs = {train(model="shortcut", T=T)["final"]["cost"]["8"] for T in (10, 20, 30)}
    assert len(costs) == 1


def test_settings_that_contradict_one_another():
    pathological = dict(task="3bit_memorization")
    for wrong in (
            dict(model="scan", hidden=8), dict(model="shortcut", weight_gradient="at_end"), dict(model="lstm", T=5000),
            pathological | dict(model="shortcut"), pathological | dict(model="rnn", T=3)):
        with pytest.raises(ValueError):
            dm.Settings(**wrong)
    assert dm.Settings().hidden == 8 and dm.Settings(task="3bit_memorization").hidden == 64


# Command line


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def records(folder):
    return json.loads((folder / "results.json").read_text())["data_movement"]


def test_with_harness_in_a_folder(tmp_path):
    for file in ("data_movement.py", *(f"{name}.py" for name in dm.harness.PLUMBING)):
        shutil.copy(ROOT / file, tmp_path)
    command = [sys.executable, "-OO", "data_movement.py", "--T", "10", "--model", "rnn"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and run.stderr == "" and "recurrent matrix" in run.stdout
    assert all(len(line) <= 80 for line in run.stdout.splitlines()[:-1])
    [record] = records(tmp_path)
    assert record["settings"] == {"task": "adding_problem", "T": 10, "model": "rnn", "hidden": 8,
                                  "weight_gradient": "each_step", "seed": 0}
    assert record["final"]["status"] == "done" and record["provenance"]["command"].endswith("--model rnn")
    assert record["provenance"]["fingerprint"] == dm.CODE.fingerprint
    assert f"{record['final']['cost']['8']:,}" in run.stdout


def test_check_passes_and_fails_on_a_mutant(here, capsys):
    assert dm.main(["--gradcheck"]) == 0 and "FAILED" not in capsys.readouterr().out and os.listdir(here) == []
    source = mutated("data_movement.py", "def read_depths", "last[value] = moved", "pass")
    assert execute(source, "data_movement_mutant").main(["--check"]) == 1 and "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--T", "1"), "--T"),
        (("--T", "many"), "whole number"),
        (("--model", "gru"), "--model"),
        (("--model", "scan", "--hidden", "8"), "--hidden needs --model lstm or rnn"),
        (("--model", "shortcut", "--weight-gradient", "at_end"), "--weight-gradient needs --model lstm or rnn"),
        (("--task", "3bit_memorization", "--model", "shortcut"), "marked positions"),
        (("--T", "9999"), "lower --T or --hidden"),
        (("--all",), "--all"),
        (("--out", "no/such/folder.json"), "cannot write"),
        (("--task", "3bit_memorization", "--T", "3"), "no room for three bits"),
        (("--seed", "1", "--seeds", "0-2"), "--seeds"),
    ],
)
def test_bad_input(flags, words, here, capsys):
    with pytest.raises(SystemExit) as ended:
        dm.main(list(flags))
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and err.count("\n") == 1 and words in err
    assert os.listdir(here) == []


def test_a_foreign_file_is_refused_and_left_alone(tmp_path):
    (tmp_path / "results.json").write_text("{")
    assert_bad_input(run_script("data_movement.py", cwd=tmp_path), "not valid JSON")  # at the shell
    assert (tmp_path / "results.json").read_text() == "{"


def test_quiet_prints_the_last_line_only(here, capsys):
    words = ["--model", "rnn", "--T", "5"]
    assert dm.main([*words, "--quiet"]) == 0
    quiet = capsys.readouterr().out
    assert quiet.startswith("adding_problem rnn T=5") and quiet.count("\n") == 1
    assert dm.main(words) == 0
    told = capsys.readouterr().out
    assert told.count("\n") == 3 and "traced" in told and "priced" in told


def test_two_processes_give_the_records_of_one(here):
    words = ["--model", "scan", "--T", "30", "--seeds", "0-3"]
    made = []
    for jobs in ("1", "2"):
        assert dm.main([*words, "--jobs", jobs, "--out", jobs]) == 0
        made.append([record["final"] for record in json.loads((here / jobs).read_text())["data_movement"]])
    assert made[0] == made[1] and len(made[0]) == 4 and made[0][0] == train(model="scan", T=30)["final"]


@pytest.mark.parametrize("name, jobs", (("SIGINT", 1), ("SIGTERM", 2), ("SIGHUP", 2)))
def test_a_signal_to_the_group_keeps_the_steps_that_ended(name, jobs, tmp_path):
    command = [sys.executable, str(ROOT / "data_movement.py"), "--model", "rnn", "--T", "20", "--seeds", "0-999"]
    command += ["--jobs", str(jobs)]
    run = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    first = run.stdout.readline()
    os.killpg(run.pid, getattr(signal, name))
    out, errors = run.stdout.read(), run.stderr.read()  # communicate() would miss what readline() has read ahead
    run.wait(60)
    assert first.startswith("adding_problem rnn T=20") and run.returncode == 130 and errors == "", errors
    made = records(tmp_path)
    assert len(made) == 1 + out.count("\n") < 1000 and all(r["final"]["status"] == "done" for r in made)


@pytest.mark.parametrize("asked", range(8))
def test_a_step_that_is_stopped_between_its_parts_is_left_out(asked, monkeypatch):
    times = iter(range(100))
    monkeypatch.setattr(dm.harness, "stopped", lambda: next(times) >= asked)
    assert dm.train(dm.Settings(T=9, model="rnn"), dm.Options()) is None and next(times) == asked + 1


def test_used_from_a_thread_and_everything_is_given_back(here):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    codes = []
    thread = threading.Thread(target=lambda: codes.append(dm.main(["--model", "scan", "--T", "9"])))
    thread.start()
    thread.join()
    assert codes == [0] and dm.main(["--model", "scan", "--T", "8"]) == 0 and len(records(here)) == 2
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_the_documented_commands_are_those_of_the_program(monkeypatch, here):
    lines = [line.strip() for line in dm.__doc__.splitlines()]
    commands = [line.split("  ")[0].split()[2:] for line in lines if line.startswith("python3 data_movement.py")]
    seen = []
    monkeypatch.setattr(dm.harness, "run_and_save", lambda code, train, calls, *more: seen.append(calls[0][0]) or 0)
    monkeypatch.setattr(dm, "gradcheck_all", lambda: seen.append("check") or 0)
    assert [dm.main(words) for words in commands] == [0] * 4
    assert seen == [dm.Settings(), dm.Settings(model="rnn", T=200),
                    dm.Settings(task="3bit_memorization", model="rnn"), "check"]
    assert (seen[2].hidden, seen[2].T) == (64, 60)
