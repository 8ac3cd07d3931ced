"""lstm_1997_rivals.py: every learning rule against a literal reference, mutants, lockstep, resume, command line."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, assert_bad_input, execute, mutated, run_script
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

sys.path.insert(0, str(ROOT / "tests" / "reference"))
import make_lstm_1997_rivals as reference

import lstm_1997 as lstm
import lstm_1997_rivals as rivals

SCRIPT = "lstm_1997_rivals.py"
few = hypothesis_settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**32)


def logistic(net):
    return 1 / (1 + np.exp(-net))


# --- the tables -------------------------------------------------------------------------------------------------------


def settings_of(line):
    names = ("method", "experiment", *rivals.IDENTITY)
    return rivals.Settings(**{name: getattr(line, name) for name in names})


def test_rows_have_the_papers_numbers_of_weights():
    counts = [rivals.shapes_of(settings_of(line))[0].size for line in rivals.LINES if line.method in rivals.GRADIENT]
    assert counts == [170, 494, 435, *[36] * 3, *[144] * 3, *[10404] * 6, 10506]
    assert [line.success for line in rivals.LINES][:7] == ["some", "some", "0", "50", "78", "56", "22"]
    assert all(settings_of(line).line is line and settings_of(line).in_paper for line in rivals.LINES)
    assert not any(settings_of(line).in_paper for line in rivals.OTHER_LINES)


def test_a_wrong_number_of_weights_is_refused(monkeypatch):
    monkeypatch.setattr(rivals, "LINES", tuple(line._replace(weights=37) for line in rivals.LINES))
    with pytest.raises(AssertionError, match="36 weights, the paper has 37"):
        rivals.shapes_of(rivals.Settings(p=4))


def test_the_chunkers_nets_are_the_others_and_one_more_output():
    automatizer, chunker = rivals.shapes_of(rivals.Settings(method="chunker"))
    assert (automatizer.size, chunker.size) == (10506, 10404)
    assert (automatizer.outputs, chunker.outputs) == (102, 101)


def test_the_two_sequences_of_2a_are_all_there_are():
    both, drawn = rivals.both_sequences(6), rivals.long_lag(np.random.default_rng(0), 100, 6, False, False)
    for name in ("x", "target"):
        known = {tuple(row) for row in getattr(both, name)}
        assert known == {tuple(row) for row in getattr(drawn, name)} and len(known) == 2
    assert both.end.tolist() == [5, 5]


def test_tasks_and_criteria_are_those_of_lstm_1997():
    for name in ("2a", "3a", "parity"):
        assert rivals.TOLERANCE[name] == lstm.TOLERANCE[name]
    ours = rivals.Trial(rivals.Settings(method="elman", experiment="1"), 3).draw(20)
    theirs = lstm.Trial(lstm.Settings(experiment="1"), 3).draw(20)
    assert np.array_equal(ours.x, theirs.x) and np.array_equal(ours.target, theirs.target)
    guess = rivals.GuessTrial(rivals.Settings(method="guessing", experiment="3a"), 3)
    stop = list(lstm.Trial(lstm.Settings(experiment="3a"), 3).stop_sets())
    for name in ("x", "end", "target"):
        assert np.array_equal(getattr(guess.stop_set, name), np.concatenate([getattr(part, name) for part in stop]))


# --- gradients --------------------------------------------------------------------------------------------------------


def test_the_gradient_check_passes(capsys):
    assert rivals.gradcheck_all() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 34 and all(line.endswith("ok") for line in lines)


SMALL = {
    "layered": dict(method="bptt", p=4, hidden=2), "full": dict(method="bptt", experiment="1", hidden=2),
    "one unit": dict(method="bptt", p=5, output_error="flat-spot")}


def passes(module, kind, check):
    """Whether a rule of a module (perhaps a mutant) passes its check."""
    with np.errstate(all="ignore"):
        if kind in ("bptt", "rtrl"):
            bptt, rtrl, worst = module.check_rtrl(module.Settings(**SMALL[check]), 2)
            return worst <= module.EQUAL_TOLERANCE and all(row[-1] for row in bptt + rtrl)
        if kind == "elman":
            settings = dict(hidden=2) | (dict(experiment="1") if check == "full" else dict(p=4, experiment="2a"))
            return all(row[-1] for row in module.check_elman(module.Settings(method="elman", **settings), 2))
        if kind == "rcc":
            return all(row[-1] for row in module.check_candidates("1"))
        settings = module.Settings(method="chunker", p=6, hidden=2, surprise=0.55)
        return all(row[-1] for rows in module.check_chunker(settings) for row in rows)


@pytest.mark.parametrize("kind, check", [
    ("rtrl", "layered"), ("rtrl", "full"), ("rtrl", "one unit"), ("elman", "full"), ("elman", "layered"), ("rcc", ""),
    ("chunker", "")])
def test_the_checks_the_mutants_face_pass_without_them(kind, check):
    assert passes(rivals, kind, check)


MUTANTS = {
    "bptt": ("class Net:", (
        ("full", "arriving[:, H:] * ys[t] * (1 - ys[t])", "arriving[:, H:]"),
        ("full", "delta_o = delta_o + arriving[:, H:] * ys[t] * (1 - ys[t])", "pass"),
        ("full", "at_z = vecmat(delta_o, self.W_o)", "at_z = vecmat(delta_out[t], self.W_o)"),
        ("layered", "(at_z[:, :H] + arriving[:, :H]) * h * (1 - h)", "at_z[:, :H] * h * (1 - h)"),
        ("layered", "(at_z[:, :H] + arriving[:, :H]) * h * (1 - h)", "arriving[:, :H] * h * (1 - h)"),
        ("layered", "arriving[:, :H]) * h * (1 - h)", "arriving[:, :H]) * h"),
        ("layered", "h = self.z_at[t, :, :H]", "h = self.u_before[t, :, :H]"),
        ("layered", "arriving = vecmat(delta_h[t], self.W_h)", "arriving = vecmat(arriving[:, :H], self.W_h)"),
        ("full", "arriving[:, H:] += at_z[:, H:]", "pass"),
        ("full", "arriving[:, H:] += at_z[:, H:]", "arriving[:, H:] = at_z[:, H:]"),
        ("layered", "dW_h += delta_h[t, :, :, None] * self.u_before[t, :, None]",
         "dW_h += delta_h[t, :, :, None] * self.z_at[t, :, None]"),
        ("layered", "dV_h[self.lane, x[t]] += delta_h[t]", "dV_h[self.lane, x[t]] = 0"),
        ("layered", "dV_h[self.lane, x[t]] += delta_h[t]", "dV_h[self.lane, x[t - 1]] += delta_h[t]"),
        ("full", "dW_o += delta_o[:, :, None] * self.z_at[t, :, None]", "dW_o += delta_out[t][:, :, None] * self.z_at["
         "t, :, None]"),
        ("layered", "dV_o[self.lane, x[t]] += delta_o", "dV_o[self.lane, x[0]] += delta_o"),
        ("layered", "        delta = 1 - y\n        delta *= y\n", "        delta = 1 - y\n"),
        ("one unit", "(at_z[:, :H] + arriving[:, :H])", "(at_z[:, :H] + 2 * arriving[:, :H])"),
        ("layered", "self.delta[:] = 0\n        self.backward", "self.delta[:] = 1\n        self.backward"))),
    "rtrl": ("class Sensitivities:", (
        ("layered", "net_h = matmat(net.W_h[lanes], self.P[lanes], self.net_h[:n])", "net_h = self.net_h[:n] * 0"),
        ("layered", "to_W[:n, k, k] += net.before[lanes][:, None]", "to_W[:n, k, k] += net.u[lanes][:, None]"),
        ("layered", "to_W[:n, k, k] += net.before[lanes][:, None]", "pass"),
        ("layered", "to_V[lane, k, x, k] += 1\n        h =", "h ="),
        ("layered", "to_V[lane, k, x, k] += 1\n        h =", "to_V[lane, 0, x, k] += 1\n        h ="),
        ("layered", "net_h * (h * (1 - h))[:, :, None]", "net_h * h[:, :, None]"),
        ("layered", "net_h * (h * (1 - h))[:, :, None]", "net_h"),
        ("full", "net_o = matmat(net.W_o, self.P, self.net_o)", "net_o = matmat(net.W_o, 0 * self.P, self.net_o)"),
        ("full", "to_W[:, k, k] += net.z[:, None]", "to_W[:, k, k] += net.u[:, None]"),
        ("full", "to_W[:, k, k] += net.z[:, None]", "pass"),
        ("full", "            to_V[lane, k, x, k] += 1\n            np", "            np"),
        ("full", "(net.y * (1 - net.y))[:, :, None]", "net.y[:, :, None]"),
        ("full", "self.P[:, H:])", "self.P[:, H:].copy())"),
        ("full", "change = vecmat(delta_o, self.net_o)", "change = vecmat(delta_o, self.P[:, -7:])"),
        ("layered", "vecmat(vecmat(delta_o, net.W_o[lanes]), self.P[lanes])", "vecmat(net.z[lanes], self.P[lanes])"),
        ("layered", "W_o[lanes] += delta_o[:, :, None] * net.z[lanes][:, None]",
         "W_o[lanes] += delta_o[:, :, None] * net.before[lanes][:, None]"),
        ("layered", "V_o[net.lane[lanes], net.x[lanes]] += delta_o", "V_o[net.lane[lanes], 0] += delta_o"),
        ("one unit", "    def reset(self):\n        self.P[:] = 0", "    def reset(self):\n        self.P[:] = 1"))),
    "elman": ("class Truncated:", (
        ("full", "vecmat(delta_o, net.W_o) * net.z * (1 - net.z)", "vecmat(delta_o, net.W_o) * net.z"),
        ("full", "vecmat(delta_o, net.W_o) * net.z * (1 - net.z)", "vecmat(delta_o, net.W_o)"),
        ("full", "vecmat(delta_o, net.W_o) *", "2 * vecmat(delta_o, net.W_o) *"),
        ("full", "W_h += delta_h[:, :, None] * net.before[:, None]", "W_h += delta_h[:, :, None] * net.z[:, None]"),
        ("full", "delta_h[:, :, None] * net.before[:, None]", "net.before[:, :, None] * delta_h[:, None]"),
        ("full", "W_h += delta_h[:, :, None] * net.before[:, None]", "pass"),
        ("full", "V_h[net.lane, net.x] += delta_h", "V_h[net.lane, net.x] -= delta_h"),
        ("full", "V_h[net.lane, net.x] += delta_h", "V_h[:, 0] += delta_h"),
        ("full", "W_o += delta_o[:, :, None] * net.z[:, None]", "W_o += delta_o[:, :, None] * net.before[:, None]"),
        ("full", "W_o += delta_o[:, :, None] * net.z[:, None]", "W_o += delta_o[:, :, None]"))),
    "rcc": ("def candidate_slopes(", (
        ("", "local[t] += later", "pass"), ("", "local[t] *= 0.25 - V[t] * V[t]", "local[t] *= 0.25"),
        ("", "local[t] *= 0.25 - V[t] * V[t]", "local[t] *= V[t] * (1 - V[t])"),
        ("", "later = w[:, -1:] * local[t]", "later = local[t]"),
        ("", "later = w[:, -1:] * local[t]", "later = w[:, :1] * local[t]"),
        ("", "g = np.sign(correlation) @ residual", "g = correlation @ residual"),
        ("", "@ residual / (error * error).sum()", "@ residual"),
        ("", "@ residual / (error * error).sum()", "@ error / (error * error).sum()"),
        ("", "strings.in_line(local) @ features.T", "strings.in_line(V) @ features.T"),
        ("", "(local[1:] * V[:-1]).sum((0, 2))", "(local * V).sum((0, 2))"),
        ("", "(local[1:] * V[:-1]).sum((0, 2))", "0"),
        ("", "for t in reversed(range(len(V))):", "for t in range(len(V)):"))),
    "chunker": ("class Chunker:", (
        ("", "wanted[:, self.shapes[1].outputs :] += self.chunker.u", "pass"),
        ("", "            self.rules[0].step()\n", ""), ("", "        rule.step(lanes)\n", ""),
        ("", "        net.step(x[lanes], lanes)\n        rule.step(lanes)\n",
         "        rule.step(lanes)\n        net.step(x[lanes], lanes)\n"),
        ("", "difference(y, x[lanes])", "difference(y, 0 * x[lanes])"),
        ("", "net.output_delta(difference(y, x[lanes]), y, lanes), into, lanes)",
         "net.output_delta(difference(y, x[lanes]), y, lanes), into, lanes[:0])"),
        ("", "into[1], first=t == 0)", "into[1], first=t <= 1)"),
        ("", "into[1], first=t == 0)", "into[0], first=t == 0)"),
        ("", "self.rules[0].change(self.automatizer.output_delta(wanted, y), into[0])",
         "self.rules[0].change(self.automatizer.output_delta(abs(wanted), y), into[0])"),
        ("", "            net.delta[:] = 0\n", "            net.delta[:] = 1\n"),
        ("", "            rule.reset()\n", "            rule.P[:] = 1\n"),
        ("", "            net.reset()\n            rule", "            net.u[:] = 1\n            rule"))),
}


@pytest.mark.parametrize("kind", MUTANTS)
def test_every_mutant_is_rejected(kind):
    scope, mutants = MUTANTS[kind]
    assert len(mutants) >= 10
    survivors = []
    for check, old, new in mutants:
        try:
            survived = passes(execute(mutated(SCRIPT, scope, old, new), "lstm_1997_rivals_mutant"), kind, check)
        except (ValueError, IndexError):  # arrays that no longer fit together
            survived = False
        if survived:
            survivors.append((old, new))
    assert survivors == []


def test_a_mutant_fails_on_the_command_line(tmp_path):
    source = mutated(SCRIPT, "class Truncated:", "net.z * (1 - net.z)", "net.z")
    first = source.index("    for choice in CHECKS:")
    source = source[:first] + source[source.index('    for choice in (dict(experiment="1", hidden=5)') :]
    (tmp_path / SCRIPT).write_text(source)
    run = subprocess.run([sys.executable, tmp_path / SCRIPT, "--gradcheck"], capture_output=True, text=True)
    assert run.returncode == 1 and "FAILED" in run.stdout


# --- literal references -----------------------------------------------------------------------------------------------


class Literal:
    """One net with forward-mode derivatives, weight by weight and with no array tricks. truncated: Elman's procedure,
    for which what was a step earlier is a constant."""

    def __init__(self, shape, theta, truncated=False):
        self.shape, self.theta, self.truncated = shape, theta, truncated
        self.reset()

    def reset(self):
        shape = self.shape
        self.h, self.y = np.zeros(shape.hidden), np.zeros(shape.outputs)
        self.dh, self.dy = np.zeros((shape.hidden, shape.size)), np.zeros((shape.outputs, shape.size))

    def unit(self, k, W, V, dW_at, dV_at, sources, d_sources, x):
        """Activation of unit k and its derivatives by all weights. dW_at, dV_at: indices of the weights in theta."""
        net = sum(W[k, i] * s for i, s in enumerate(sources)) + (V[x, k] if V.size else 0)
        slope = np.zeros(self.shape.size)
        for i, s in enumerate(sources):
            slope += W[k, i] * d_sources[i]
            slope[dW_at[k, i]] += s
        if V.size:
            slope[dV_at[x, k]] += 1
        y = logistic(net)
        return y, y * (1 - y) * slope

    def step(self, x):
        shape, H = self.shape, self.shape.hidden
        W_h, V_h, W_o, V_o = shape.split(self.theta)
        at = shape.split(np.arange(shape.size))
        u = [*self.h, *(self.y if shape.feedback else [])]
        du = [*self.dh, *(self.dy if shape.feedback else [])]
        if self.truncated:
            du = [np.zeros(shape.size) for _ in du]
        hidden = [self.unit(k, W_h, V_h, at[0], at[1], u, du, x) for k in range(H)]
        z = [*(h for h, _ in hidden), *(self.y if shape.feedback else [])]
        dz = [*(d for _, d in hidden), *(self.dy if shape.feedback else [])]
        outputs = [self.unit(k, W_o, V_o, at[2], at[3], z, dz, x) for k in range(shape.outputs)]
        (self.h, self.dh), (self.y, self.dy) = (
            (np.array([v for v, _ in units]), np.array([d for _, d in units])) for units in (hidden, outputs))
        return self.y

    def change(self, error):
        """The change of all weights over the rate, by errors t - y."""
        return error @ self.dy


@pytest.mark.parametrize("choice", [
    dict(method="rtrl", p=4), dict(method="rtrl", p=4, hidden=3), dict(method="rtrl", experiment="1", hidden=2),
    dict(method="elman", experiment="1", hidden=3), dict(method="elman", experiment="2a", p=4, hidden=2)], ids=str)
@pytest.mark.parametrize("update", ["step", "sequence"])
def test_learning_is_that_of_a_literal_reference(choice, update, tmp_path):
    settings = rivals.Settings(**choice, update=update, lr=0.7, trials=2)
    stack = rivals.Stack([settings], tmp_path / "r.json")
    nets = [Literal(stack.shapes[0], theta.copy(), settings.method == "elman") for theta in stack.theta]
    x, target, end = rivals.stacked([trial.draw(3) for trial in stack.trials])
    for k in range(3):
        stack.learn(x[k], target[k], end[k])
        for lane, net in enumerate(nets):
            net.reset()
            total = 0
            for t in range(end[k, lane] + 1):
                y = net.step(x[k, t, lane])
                change = settings.lr * net.change(rivals.one_hot(target[k, t, lane], len(y)) - y)
                total = total + change
                if update == "step":
                    net.theta = net.theta + change
            if update == "sequence":
                net.theta = net.theta + total
    assert abs(stack.theta - [net.theta for net in nets]).max() < 1e-12


def compare_chunker(module, folder, update, surprise, hidden):
    """A module's chunkers beside pairs of literal nets whose second one reads the first symbol and those that the first
    one failed to predict. Returns the largest difference of the weights, and how many symbols were read."""
    settings = module.Settings(
        method="chunker", p=5, hidden=hidden, surprise=surprise, update=update, lr=0.9, trials=2, init=1.5)
    stack = module.Stack([settings], folder / "r.json")
    sizes = [shape.size for shape in stack.shapes]
    pairs = [[Literal(shape, part) for shape, part in zip(stack.shapes, np.split(theta.copy(), sizes[:1]))]
             for theta in stack.theta]
    x, target, end = rivals.stacked([trial.draw(4) for trial in stack.trials])
    counts = []
    for k in range(4):
        stack.learn(x[k], target[k], end[k])
        for lane, (automatizer, chunker) in enumerate(pairs):
            automatizer.reset()
            chunker.reset()
            symbols = [*x[k, :, lane], target[k, -1, lane]]
            totals, unexpected, read = [0, 0], True, 0
            for t, symbol in enumerate(symbols):
                if unexpected:
                    if read:
                        change = 0.9 * chunker.change(rivals.one_hot(symbol, 6) - chunker.y)
                        totals[1] = totals[1] + change
                        if update == "step":
                            chunker.theta = chunker.theta + change
                    chunker.step(symbol)
                    read += 1
                if t < len(symbols) - 1:
                    y = automatizer.step(symbol)
                    wanted = np.concatenate([rivals.one_hot(symbols[t + 1], 6), chunker.h]) - y
                    unexpected = abs(wanted[:6]).max() > surprise
                    change = 0.9 * automatizer.change(wanted)
                    totals[0] = totals[0] + change
                    if update == "step":
                        automatizer.theta = automatizer.theta + change
            counts.append(read)
            if update == "sequence":
                for net, total in zip((automatizer, chunker), totals):
                    net.theta = net.theta + total
    theta = [np.concatenate([net.theta for net in pair]) for pair in pairs]
    return abs(stack.theta - theta).max(), counts


@pytest.mark.parametrize("update, surprise, hidden", [("step", 0.7, 1), ("sequence", 0.55, 2), ("step", 0.0, 1)])
def test_the_chunker_is_the_definitions(update, surprise, hidden, tmp_path):
    difference, counts = compare_chunker(rivals, tmp_path, update, surprise, hidden)
    assert difference < 1e-12
    assert set(counts) == {6} if surprise == 0 else 1 < np.mean(counts) < 6


@pytest.mark.parametrize("old, new", [
    ("self.chunk(np.flatnonzero(unexpected), target[end[0]], into[1], first=False)", "pass"),  # not the last symbol
    (".max(-1) > self.readings.surprise", ".mean(-1) > self.readings.surprise"),
    ("abs(difference[:, : self.shapes[1].outputs])", "abs(difference[:, self.shapes[1].outputs :])"),
    ("unexpected = self.unexpected(wanted)", "unexpected[:] = True"),  # everything is passed on
    ("unexpected = np.ones(len(self.theta), bool)\n        for t in range(int",
     "unexpected = np.zeros(len(self.theta), bool)\n        for t in range(int")])
def test_a_chunker_that_is_passed_other_symbols_is_noticed(old, new, tmp_path):
    mutant = execute(mutated(SCRIPT, "class Chunker:", old, new), "lstm_1997_rivals_mutant")
    assert compare_chunker(mutant, tmp_path, "step", 0.7, 1)[0] > 1e-6


def test_what_the_automatizer_predicts_does_not_reach_the_chunker(tmp_path):
    stack = rivals.Stack([rivals.Settings(method="chunker", p=6, trials=3, surprise=1.0)], tmp_path / "r.json")
    seen = []
    chunk = stack.pair.chunk
    stack.pair.chunk = lambda lanes, *words, first: (seen.append((lanes.tolist(), first)), chunk(lanes, *words, first))
    x, target, end = rivals.stacked([trial.draw(1) for trial in stack.trials])
    stack.learn(x[0], target[0], end[0])
    assert seen == [([0, 1, 2], True)]


def test_the_chunker_learns_in_one_tick_what_lies_p_steps_back(tmp_path):
    row = rivals.Settings(method="chunker", p=10, trials=2, lr=2.0, max_sequences=3000)
    (record,) = rivals.train([row], rivals.Options(out=str(tmp_path / "r.json")))
    assert all(after is not None and after <= 2000 for after in record["final"]["chunker_right_after"])


def test_an_error_signal_far_below_the_square_root_of_the_smallest_number_is_not_zero(tmp_path):
    stack = rivals.Stack([rivals.Settings(method="bptt", p=150, trials=2)], tmp_path / "r.json")
    signal = np.array(stack.trials[0].signal_at_start)
    assert 0 < signal[-1] < 1e-170 and (signal[1:] < signal[:-1]).all()


def test_error_signals_are_derivatives(tmp_path):
    """||dE/dnet_h(t)||, by the complex step on one activation at a time, E of the last step only."""
    stack = rivals.Stack([rivals.Settings(method="bptt", p=5, hidden=2, trials=2, init=1.5)], tmp_path / "r.json")
    x, target, end = next(stack.both())
    ours = rivals.error_signal(stack.net, x, target, end)
    for lag in range(5):
        squares = np.zeros(2)
        for unit in range(2):
            net = rivals.Net(stack.shapes[0], stack.theta.astype(complex), rivals.Readings(*(np.ones(2),) * 4))
            for t in range(5):
                y = net.step(x[t])
                if t == 4 - lag:
                    h = net.u[:, unit].real
                    nudge = 1e-30j * h * (1 - h)
                    net.u[:, unit] += nudge
                    if lag == 0:
                        y = logistic(rivals.matvec(net.W_o, net.u) + net.V_o[net.lane, x[t]])
            wanted = rivals.one_hot(target[4], 6) - y
            squares += ((0.5 * wanted * wanted).sum(1).imag / 1e-30) ** 2
        assert ours[lag] == pytest.approx(np.sqrt(squares), rel=1e-9)


# --- recurrent cascade-correlation ------------------------------------------------------------------------------------


def test_quickprop_jumps_to_the_minimum_of_a_parabola_and_never_grows_too_fast():
    quickprop, w = rivals.Quickprop((2,), 0.05, 0.0), np.array([4.0, -1.0])
    curvature, minimum, path = np.array([1.0, 3.0]), np.array([1.0, 2.0]), [np.array([4.0, -1.0])]
    for _ in range(12):
        quickprop(w, curvature * (w - minimum))
        path.append(w.copy())
    assert w == pytest.approx(minimum, abs=1e-3)
    steps = np.diff(path, axis=0)
    slopes = curvature * (np.array(path[1:-1]) - minimum)
    assert (abs(steps[1:]) <= rivals.MU * abs(steps[:-1]) + 0.05 * abs(slopes) + 1e-12).all()


@few
@given(seeds)
def test_quickprop_is_fahlmans_rule(seed):
    rng = np.random.default_rng(seed)
    quickprop, w = rivals.Quickprop((6,), 0.3, 0.01), rng.normal(size=6)
    quickprop.step, quickprop.last = rng.choice([-1, 0, 1], 6) * rng.random(6), rng.normal(size=6)
    d, p, slope = quickprop.step.copy(), quickprop.last.copy(), rng.normal(size=6)
    s, before, shrink = slope + 0.01 * w, w.copy(), rivals.MU / (1 + rivals.MU)
    quickprop(w, slope)
    for k in range(6):
        step = 0.0
        if d[k] == 0:
            step = -0.3 * s[k]
        else:
            if d[k] * s[k] < 0:
                step -= 0.3 * s[k]
            if (s[k] >= shrink * p[k]) if d[k] < 0 else (s[k] <= shrink * p[k]):
                step += rivals.MU * d[k]
            else:
                step += np.clip(d[k] * s[k] / (p[k] - s[k]), -rivals.MU * abs(d[k]), rivals.MU * abs(d[k]))
        assert w[k] - before[k] == pytest.approx(step, rel=1e-12)


def forward_mode(w, features, strings, error):
    """Score and slopes of one candidate as Fahlman writes them: dV(t)/dw carried forward through every string."""
    T, n = strings.inside.shape
    source = strings.in_place(features)  # (sources, T, n)
    V, dV = np.zeros((T, n)), np.zeros((T, n, len(w)))
    for k in range(n):
        v, dv = 0.0, np.zeros(len(w))
        for t in range(T):
            seen = np.append(source[:, t, k], v)
            new = logistic(w @ seen) - 0.5
            dv = (0.25 - new * new) * (seen + w[-1] * dv)
            v = new
            V[t, k], dV[t, k] = v, dv
    V, dV = V[strings.inside], dV[strings.inside]
    score, slope = 0.0, np.zeros(len(w))
    for e in error:
        covariance = ((V - V.mean()) * (e - e.mean())).sum()
        score += abs(covariance)
        slope += np.sign(covariance) * (dV * (e - e.mean())[:, None]).sum(0)
    return score / (error**2).sum(), slope / (error**2).sum()


def test_candidate_slopes_are_fahlmans_forward_mode():
    trial = rivals.CascadeTrial(rivals.Settings(method="rcc", experiment="1"), 0)
    part = rivals.reber_sets(0)[0]
    strings = rivals.Strings(rivals.Sequences(part.x[:12], part.end[:12], part.target[:12], part.truth[:12]))
    trial.net.add(trial.net.candidates(trial.net.features(strings))[0], np.ones(7))
    features = trial.net.features(strings)
    error, _ = trial.net.error(features, strings.target)
    w = trial.net.candidates(features)
    scores, slopes, correlation = rivals.candidate_slopes(w, features, strings, error)
    for k in range(3):
        score, slope = forward_mode(w[k], features, strings, error)
        assert scores[k] == pytest.approx(score, rel=1e-10) and slopes[k] == pytest.approx(slope, rel=1e-8, abs=1e-14)
    assert scores == pytest.approx(abs(correlation).sum(1))


def test_a_cascade_unit_sees_what_is_below_it_and_itself_and_is_frozen():
    trial = rivals.CascadeTrial(rivals.Settings(method="rcc", p=4, experiment="2a"), 1)
    frozen, sizes, add = [], [], trial.net.add

    def adding(w, correlation):
        frozen.append(w.copy())
        add(w, correlation)
        sizes.append(trial.net.weights)
        assert np.array_equal(trial.net.W_o[:, -1], -correlation)

    trial.net.add = adding
    figures = trial.run()
    assert all(np.array_equal(a, b) for a, b in zip(frozen, trial.net.hidden)) and frozen
    units = range(1, len(frozen) + 1)
    assert sizes == [5 * (6 + H) + sum(6 + k + 1 for k in range(H)) for H in units]
    assert figures["complete"] and figures["weights"] == sizes[-1] and figures["sequences"] % 2 == 0


def test_strings_in_line_and_in_place():
    strings = rivals.Strings(rivals.reber_sets(0)[0])
    line = np.random.default_rng(0).normal(size=(3, strings.target.size))
    assert strings.target.size == (rivals.reber_sets(0)[0].end + 1).sum()
    placed = strings.in_place(line)
    assert placed.shape == (3, *strings.inside.shape) and not placed[:, ~strings.inside].any()
    assert np.array_equal(strings.in_line(placed.transpose(1, 0, 2)), line)


# --- guessing ---------------------------------------------------------------------------------------------------------


def guess_trial(seed=0, **choice):
    return rivals.GuessTrial(rivals.Settings(method="guessing", **(dict(experiment="3a", T=20, N=3) | choice)), seed)


def test_guesses_are_uniform_and_independent():
    W = guess_trial(hidden=2).draw(4000)
    assert W.shape == (4000, 3, 5) and abs(W).max() <= 100
    flat = W.reshape(4000, -1)
    ordered = np.sort(flat.ravel())
    distance = abs(np.linspace(0, 1, ordered.size) - (ordered + 100) / 200).max()  # Kolmogorov and Smirnov
    assert distance < 2 / math.sqrt(ordered.size)
    assert abs(np.corrcoef(flat.T) - np.eye(15)).max() < 0.07
    assert abs(np.corrcoef(flat[:-1, 0], flat[1:, 0])[0, 1]) < 0.07


def test_the_number_of_guesses_is_geometric():
    """A net is right with probability 1/20: the count has mean 20 and its variance is (1 - p) / p^2."""
    counts = []
    for seed in range(400):
        trial = guess_trial(seed, experiment="parity", T=20, N=None)
        trial.present = lambda W: (np.ones(len(W), int), W[:, 0, 0] > 90)
        trial.guess(rivals.GUESSES)
        counts.append(trial.guesses)
    assert abs(np.mean(counts) - 20) < 3 and abs(np.var(counts) - 380) < 150


def test_the_outcome_does_not_depend_on_how_many_are_guessed_at_once(monkeypatch):
    outcomes = []
    for at_once in (64, 1024):
        monkeypatch.setattr(rivals, "GUESSES", at_once)
        outcomes.append(guess_trial(T=10).run())
    assert outcomes[0] == outcomes[1] and outcomes[0]["complete"]


def test_a_guessed_net_is_run_step_by_step_and_shown_sequences_until_it_is_wrong():
    trial = guess_trial(hidden=2)
    W = trial.draw(60) / 10
    shown, right = trial.present(W)
    for w, count, good in zip(W, shown, right):
        seen = 0
        for x, end, target in zip(trial.stop_set.x[:, :, 0], trial.stop_set.end, trial.stop_set.target[:, 0]):
            h, y = np.zeros(2), 0.0
            for value in x[: end + 1]:
                h = logistic(w[:2] @ [*h, y, value, 1])
                y = logistic(w[2] @ [*h, y, value, 1])
            seen += 1
            if not abs(y - target) < 0.2:
                break
        else:
            assert good
            continue
        assert not good and count == seen


def test_a_stopped_guess_is_right_on_all_stopping_sequences():
    trial = guess_trial(T=10)
    figures = trial.run()
    W = np.array(figures["weights"]).reshape(2, 4)
    errors = trial.errors(W, trial.stop_set)
    assert (errors < 0.2).all() and errors.mean() < 0.01 and len(figures["stops"]) == 2
    assert figures["stops"][1] == dict(guesses=figures["guesses"], sequences=figures["sequences"])
    fresh = rivals.GuessTrial(trial.settings, 0).figures(W)
    assert fresh == {name: figures[name] for name in fresh}


def test_a_net_of_one_hidden_unit_can_compute_parity():
    """Hidden: y and x are both 1; output: y or x, and not both. The task is there to be guessed."""
    a, b = 40.0, 80.0
    W = np.array([[0, a, a / 2, -a], [-2 * b, b, b / 2, 0]])  # sources: h, y, x (1 or -1), bias
    trial = guess_trial(experiment="parity", T=50, N=None)
    assert (trial.errors(W, trial.stop_set) < 0.3).all()


# --- torch ------------------------------------------------------------------------------------------------------------


def compare_with(arrays):
    for name in reference.CASES:
        settings, shape, theta, x, target, end = reference.case(name)
        net = rivals.Net(shape, theta.copy(), rivals.Readings.of([settings] * 2)._replace(lr=np.ones(2)))
        ys = net.run(x, int(end.max()) + 1, keep=True)
        net.backward(net.output_delta(rivals.differences(ys, target, end), ys), ys, x)
        for lane in range(2):
            assert abs(ys[: end[lane] + 1, lane] - arrays[f"{name} {lane} outputs"]).max() < 1e-12
            assert abs(net.delta[lane] + arrays[f"{name} {lane} gradient"]).max() < 1e-12


def test_outputs_and_gradients_are_those_torch_computed_once():
    with np.load(reference.FILE) as arrays:
        assert len(arrays.files) == 4 * len(reference.CASES)
        compare_with(arrays)


def test_outputs_and_gradients_are_those_torch_computes_now():
    try:
        import torch  # noqa: F401
    except ImportError:
        if os.environ.get("REQUIRE_TORCH") == "1":
            raise
        pytest.skip("torch is not installed")
    compare_with(reference.reference())


# --- lockstep, resume, divergence -------------------------------------------------------------------------------------

LOCKSTEP = [
    dict(p=4), dict(p=6, hidden=3), dict(p=5, update="sequence"), dict(experiment="1", hidden=3),
    dict(method="bptt", p=4), dict(method="bptt", experiment="1", hidden=3), dict(method="elman", experiment="1"),
    dict(method="elman", p=4), dict(method="chunker", p=5)]


@pytest.mark.parametrize("choice", LOCKSTEP, ids=str)
def test_a_trial_gives_the_same_bits_alone_and_in_company(choice, tmp_path, monkeypatch):
    monkeypatch.setattr(rivals, "CHUNK", 4)
    weights = []
    for trials in (1, 10, 60):
        stack = rivals.Stack([rivals.Settings(trials=trials, **choice | dict(test_every=400))], tmp_path / "r.json")
        stack.train_chunk()
        weights.append(stack.theta[0])
    assert np.array_equal(weights[0], weights[1]) and np.array_equal(weights[0], weights[2])


def test_trials_that_leave_do_not_change_the_others(tmp_path):
    settings = rivals.Settings(method="chunker", p=4, trials=6)
    whole, thinned = (rivals.Stack([settings], tmp_path / "r.json") for _ in range(2))
    for keep in ([0, 2, 3, 5], [1, 2], [1]):  # of seeds 0 ... 5, then 0, 2, 3, 5, then 2, 3; 3 stays alone
        whole.train_chunk()
        thinned.train_chunk()
        thinned.narrow(keep)
    assert thinned.trials[0].seed == 3 and len(thinned.theta) == 2
    assert np.array_equal(thinned.theta[0], whole.theta[3])


def test_rows_in_one_stack_give_what_they_give_alone(tmp_path):
    rows = [rivals.Settings(p=3, lr=rate, trials=2, max_sequences=300) for rate in (1.0, 10.0)]
    assert len(rivals.stacks(rows)) == 1
    options = rivals.Options(out=str(tmp_path / "r.json"))
    for row, record in zip(rows, rivals.train(rows, options)):
        (alone,) = rivals.train([row], options)
        assert alone["final"] == record["final"] and alone["history"] == record["history"]


def test_only_rows_of_one_shape_are_stacked():
    rows = [settings_of(line) for line in rivals.LINES + rivals.OTHER_LINES]
    groups = rivals.stacks(rows)
    assert sorted(map(id, rows)) == sorted(id(row) for group in groups for row in group)
    for group in groups:
        assert sum(row.trials for row in group) <= rivals.STACK
        assert len(group) == 1 or len({(row.method, row.update, rivals.Shape(row).key) for row in group}) == 1


SHORT = ("--p", "30", "--trials", "3", "--max-sequences", "4000", "--quiet")


def results_of(folder):
    record = json.loads((folder / "results.json").read_text())["lstm_1997_rivals"][0]
    del record["provenance"]
    return record


def test_an_ended_run_goes_on_to_the_same_bytes(tmp_path):
    """Killed, started again, interrupted, started again."""
    for name in ("whole", "ended"):
        (tmp_path / name).mkdir()
    assert run_script(SCRIPT, *SHORT, cwd=tmp_path / "whole").returncode == 0
    folder = tmp_path / "ended"
    command = [sys.executable, str(ROOT / SCRIPT), *SHORT, "--checkpoint-every", "1"]
    for how, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        before = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 100
        while process.poll() is None and time.monotonic() < deadline:
            if before != {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}:
                break
            time.sleep(0.02)
        process.send_signal(how)
        _, complaint = process.communicate(timeout=100)
        assert process.returncode == code and not (folder / "results.json").exists()
        assert how == signal.SIGKILL or "goes on from the checkpoint" in complaint
        assert len(list(folder.glob("*.npz"))) == 1
    assert run_script(SCRIPT, *SHORT, cwd=folder).returncode == 0
    assert results_of(folder) == results_of(tmp_path / "whole") and not list(folder.glob("*.npz"))


def test_a_resumed_stack_has_the_same_bytes(tmp_path):
    for choice in (dict(method="chunker", p=4, trials=3), dict(experiment="1", hidden=3, trials=2, max_sequences=400)):
        rows = [rivals.Settings(**choice)]
        whole, first, second = (rivals.Stack(rows, tmp_path / "r.json") for _ in range(3))
        for _ in range(2):
            whole.train_chunk()
        first.train_chunk()
        first.save()
        second.resume()
        assert second.n == rivals.CHUNK
        second.train_chunk()
        assert np.array_equal(whole.theta, second.theta) and whole.history == second.history
        assert [trial.state() for trial in whole.trials] == [trial.state() for trial in second.trials]


def test_an_interrupted_queue_goes_on_with_the_next_trial(tmp_path, monkeypatch):
    row = rivals.Settings(method="rcc", experiment="2a", p=3, trials=3)
    options = rivals.Options(out=str(tmp_path / "r.json"))
    (whole,) = rivals.train([row], options)
    stop, runs, run = rivals.threading.Event(), [], rivals.CascadeTrial.run
    monkeypatch.setattr(rivals, "STOP", stop)
    rivals.checkpoint_path([row], options.out).unlink()

    def once(trial):
        runs.append(trial.seed)
        figures = run(trial)
        stop.set()
        return figures

    monkeypatch.setattr(rivals.CascadeTrial, "run", once)
    assert rivals.train([row], options) is None and runs == [0]
    stop.clear()
    assert rivals.train([row], options) is None and runs == [0, 1]
    stop.clear()
    (resumed,) = rivals.train([row], options)
    assert runs == [0, 1, 2] and resumed["final"] == whole["final"]


def test_a_full_disk_does_not_end_the_training(tmp_path, capsys, monkeypatch):
    stack = rivals.Stack([rivals.Settings(p=4, trials=2)], tmp_path / "results.json")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rivals.np, "savez", full)
    stack.save()
    assert "cannot write the checkpoint" in capsys.readouterr().err and not list(tmp_path.glob("*.npz*"))


def test_weights_that_are_not_finite_end_their_trial_alone(tmp_path, monkeypatch):
    start = rivals.Trial.start
    monkeypatch.setattr(
        rivals.Trial, "start", lambda trial, size: start(trial, size) * (math.nan if trial.seed == 1 else 1))
    words = ["--p", "4", "--trials", "2", "--max-sequences", "200", "--quiet"]
    assert rivals.main([*words, "--out", str(tmp_path / "results.json")]) == 1
    final = results_of(tmp_path)["final"]
    assert final["status"] == "diverged" and final["largest_error"][1] is None and final["largest_error"][0] < 1


# --- record and command line ------------------------------------------------------------------------------------------


def test_the_largest_error_of_a_trial_decides_success(tmp_path):
    stack = rivals.Stack([rivals.Settings(p=3, trials=3)], tmp_path / "r.json")
    stack.train_chunk()
    stack.largest_errors = lambda: np.array([[0.1, 0.24], [0.1, 0.25], [0.24, 0.24]])
    stack.train_chunk()
    assert {name: done["complete"] for name, done in stack.done.items()} == {"0/0": True, "0/2": True}
    assert [trial.seed for trial in stack.trials] == [1] and stack.done["0/0"]["sequences"] == 200


def test_largest_errors_are_over_outputs_and_steps(tmp_path):
    stack = rivals.Stack([rivals.Settings(p=4, trials=2)], tmp_path / "r.json")
    for lane in range(2):
        net = Literal(stack.shapes[0], stack.theta[lane])
        for k, (x, target, _) in enumerate(stack.both()):
            net.reset()
            errors = [abs(rivals.one_hot(target[t, lane], 5) - net.step(x[t, lane])).max() for t in range(4)]
            assert stack.largest_errors()[lane, k] == pytest.approx(max(errors), rel=1e-12)


def test_a_record_holds_what_its_readers_need(tmp_path):
    row = rivals.Settings(p=4, trials=2, max_sequences=200)
    (record,) = rivals.train([row], rivals.Options(out=str(tmp_path / "r.json")))
    final = record["final"]
    assert rivals.Settings(**record["settings"]) == row and record["seeds"] == [0, 1] and final["weights"] == 36
    assert final["sequences_to_success"] == [None, None] and final["test_sequences"] == 2560
    assert len(final["error_signal_at_start"]) == 4 and len(final["error_signal_at_end_of_first_symbol"]) == 2
    assert record["history"]["train_sequences"] == [] or record["history"]["train_sequences"][-1] == 200
    summary = rivals.summary(record)
    assert summary.startswith("rtrl 2a p=4 hidden=1 lr=1 [literal]: 0 of 2 trials stop, median above the cap")


def test_counts_treat_capped_trials_as_larger():
    assert rivals.counts([100, 300, None]) == "2 of 3 trials stop, median 300, mean of those 200 [100, 300]"
    assert rivals.counts([None, 300, None]).startswith("1 of 3 trials stop, median above the cap")


def test_stored_guesses_give_the_recorded_figures():
    results = json.loads((ROOT / "results.json").read_text())
    records = [record for record in results.get("lstm_1997_rivals", []) if "weights" in record]
    for record in records:
        row, final = rivals.Settings(**record["settings"]), record["final"]
        seed = record["seeds"][0]
        trial = rivals.GuessTrial(row, seed)
        W = np.array(record["weights"][str(seed)]).reshape(row.hidden + 1, -1)
        assert trial.figures(W)["wrong"] == final["wrong"][0]


@pytest.mark.parametrize("words, complaint", [
    (["--experiment", "7"], "invalid choice"), (["--method", "lstm"], "invalid choice"), (["--table", "3"], "invalid"),
    (["--method", "guessing", "--experiment", "2a"], "does not go with"),
    (["--method", "chunker", "--experiment", "1"], "does not go with"),
    (["--method", "elman", "--p", "4"], "--p has no meaning for elman on experiment 1"),
    (["--method", "rcc", "--lr", "0.1"], "--lr has no meaning"),
    (["--method", "rcc", "--output-error", "plain"], "a17 and flat-spot"),
    (["--method", "rcc", "--update", "step"], "--update has no meaning for rcc"),
    (["--method", "guessing", "--test-every", "100"], "--test-every has no meaning for guessing"),
    (["--surprise", "0.3"], "--surprise has no meaning for rtrl"),
    (["--method", "bptt", "--update", "step"], "use --method rtrl"),
    (["--max-sequences", "150"], "must be a multiple of 100"), (["--lr", "nan"], "not a number"),
    (["--trials", "0"], "not between"), (["--seed", "-1"], "not between"),
    (["--method", "guessing", "--T", "20", "--N", "20"], "--N must be below --T"),
    (["--table", "2", "--experiment", "2a"], "exclude each other"),
    (["--table", "2", "--p", "5"], "no row of the paper"), (["--out", "no/such/folder.json"], "folder"),
    (["--p", "2000"], "more than 8 GB"), (["--nonsense"], "unrecognized")])
def test_bad_input_is_one_line_and_code_2(words, complaint, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        rivals.main(words)
    output = capsys.readouterr()
    assert ended.value.code == 2 and output.out == ""
    assert len(output.err.splitlines()) == 1 and complaint in output.err


def test_a_foreign_results_file_or_checkpoint_stops_the_program_before_it_works(tmp_path, capsys):
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(SystemExit) as ended:
        rivals.main(["--out", str(tmp_path / "results.json")])
    assert ended.value.code == 2 and "not a results file" in capsys.readouterr().err
    rivals.checkpoint_path([rivals.Settings()], tmp_path / "other.json").write_bytes(b"?")
    with pytest.raises(SystemExit) as ended:
        rivals.main(["--out", str(tmp_path / "other.json")])
    assert ended.value.code == 2 and "move it away" in capsys.readouterr().err


def test_tables_and_methods_choose_rows(tmp_path):
    out = ["--out", str(tmp_path / "r.json")]
    assert [row.lr for row in rivals.parse(["--table", "2", "--p", "4", *out])[0]] == [1, 4, 10]
    assert len(rivals.parse(["--table", "1", "2", *out])[0]) == 17
    assert rivals.parse(["--method", "guessing", *out])[0][0].experiment == "3a"
    assert rivals.parse(["--method", "elman", "--task", "2a", *out])[0][0].experiment == "2a"


def test_runs_alone_in_an_empty_folder_and_with_two_processes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / SCRIPT).write_text((ROOT / SCRIPT).read_text())
    words = ["--table", "1", "--trials", "1", "--max-sequences", "100", "--method", "rtrl", "--quiet"]
    for name, jobs in (("one", "1"), ("two", "2")):
        command = [sys.executable, SCRIPT, *words, "--jobs", jobs]
        done = subprocess.run(command, cwd=tmp_path / name, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    one, two = (
        json.loads((tmp_path / name / "results.json").read_text())[rivals.EXPERIMENT] for name in ("one", "two"))
    for record in (*one, *two):
        del record["provenance"]
    assert one == two and len(one) == 2


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_the_pictures_are_drawn_from_results_json(tmp_path):
    done = run_script(
        "visualize_lstm_1997_rivals.py", "--results", ROOT / "results.json", "--outdir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.glob("*.png")}
    assert names == {"lstm_1997_rivals_error_signal.png", "lstm_1997_rivals_lag.png"}


def test_the_pictures_refuse_an_unusable_place_or_file(tmp_path):
    (tmp_path / "file").write_text("{")
    assert_bad_input(run_script("visualize_lstm_1997_rivals.py", "--outdir", "file", cwd=tmp_path), "file")
    assert_bad_input(run_script("visualize_lstm_1997_rivals.py", "--results", "file", cwd=tmp_path), "not valid JSON")
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "file.lock", "results.json.lock"}
