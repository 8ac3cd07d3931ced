"""lstm_1997_rivals.py: every learning rule against a literal reference, mutants, lockstep, resume, command line."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import make_lstm_1997_rivals as reference
import numpy as np
import pytest
from conftest import ROOT, execute, mutated, run_script

import harness
import lstm_1997 as lstm
import lstm_1997_rivals as rivals

SCRIPT = "lstm_1997_rivals.py"
NOWHERE = rivals.Options(out=None)  # no checkpoint


def logistic(net):
    return 1 / (1 + np.exp(-net))


# --- the tables -------------------------------------------------------------------------------------------------------


def settings_of(row):
    names = ("method", "experiment", *rivals.IDENTITY)
    return rivals.Settings(**{name: getattr(row, name) for name in names})


def test_rows_have_the_papers_numbers_of_weights():
    counts = [rivals.layouts_of(settings_of(row))[0].size for row in rivals.TABLE_ROWS]
    assert counts == [170, 494, 435, *[36] * 3, *[144] * 3, *[10404] * 6, 10506]
    assert [row.success for row in rivals.TABLE_ROWS][:6] == ["some", "some", "0", "78", "56", "22"]
    assert all(settings_of(row).row is row and settings_of(row).in_paper for row in rivals.TABLE_ROWS)
    assert not any(settings_of(row).in_paper for row in rivals.OTHER_ROWS)


def test_a_wrong_number_of_weights_is_refused(monkeypatch):
    monkeypatch.setattr(rivals, "TABLE_ROWS", tuple(row._replace(weights=37) for row in rivals.TABLE_ROWS))
    with pytest.raises(AssertionError, match="36 weights, the paper has 37"):
        rivals.layouts_of(rivals.Settings(p=4))


def test_the_chunkers_nets_are_the_others_and_one_more_output():
    automatizer, chunker = rivals.layouts_of(rivals.Settings(method="chunker"))
    assert (automatizer.size, chunker.size) == (10506, 10404)
    assert (automatizer.outputs, chunker.outputs) == (102, 101)


def test_the_two_sequences_of_2a_are_all_there_are():
    both, drawn = rivals.both_sequences(6), lstm.long_lag(np.random.default_rng(0), 100, 6, False, False)
    for name in ("x", "target"):
        known = {tuple(row) for row in getattr(both, name)}
        assert known == {tuple(row) for row in getattr(drawn, name)} and len(known) == 2
    assert both.end.tolist() == [5, 5]


def test_training_strings_are_those_of_lstm_1997():
    ours = rivals.Trial(rivals.Settings(method="elman", experiment="1"), 3).draw(20)
    theirs = lstm.Trial(lstm.Settings(experiment="1"), 3).draw(20)
    assert np.array_equal(ours.x, theirs.x) and np.array_equal(ours.target, theirs.target)


# --- gradients --------------------------------------------------------------------------------------------------------


def test_the_gradient_check_passes(capsys):
    assert rivals.gradcheck_all() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 50 and all(line.endswith("ok") for line in lines)


SMALL = {
    "layered": dict(method="bptt", p=4, hidden=2), "full": dict(method="bptt", experiment="1", hidden=2),
    "one unit": dict(method="bptt", p=5, output_error="flat-spot"),
    "bias": dict(method="bptt", p=4, hidden=2, output_bias=True, error_factor=2.0, tolerance=0.35)}
CHUNKER = dict(method="chunker", p=6, hidden=2, surprise=0.55)


def passes(module, kind, check):
    """Whether a rule of a module (perhaps a mutant) passes its check."""
    with np.errstate(all="ignore"):
        if kind in ("bptt", "rtrl"):
            bptt, rtrl, worst = module.check_rtrl(module.Settings(**SMALL[check]), 2)
            return worst <= module.EQUAL_TOLERANCE and all(row[-1] for row in bptt + rtrl)
        if kind == "elman":
            settings = dict(hidden=2) | (dict(experiment="1") if check == "full" else dict(p=4, experiment="2a"))
            return all(row[-1] for row in module.check_elman(module.Settings(method="elman", **settings), 2))
        settings = module.Settings(**CHUNKER, **(dict(names="state", output_bias=True) if check == "state" else {}))
        return all(row[-1] for rows in module.check_chunker(settings) for row in rows)


@pytest.mark.parametrize("kind, check", [
    ("rtrl", "layered"), ("rtrl", "full"), ("rtrl", "one unit"), ("elman", "full"), ("elman", "layered"),
    ("rtrl", "bias"), ("chunker", ""), ("chunker", "state")])
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
        ("layered", "self.delta[:] = 0\n        self.backward", "self.delta[:] = 1\n        self.backward"),
        ("bias", "dV_o[:, -1] += delta_o", "pass"),
        ("bias", "dV_o[:, -1] += delta_o", "dV_o[:, -1] += delta_out[0]"),
        ("bias", "            net += self.V_o[lanes, -1]\n", "            net += self.V_o[lanes, 0]\n"),
        ("bias", "(abs(difference) >= self.tolerance[lanes])", "(abs(difference) < self.tolerance[lanes])"),
        ("bias", "(abs(difference) >= self.tolerance[lanes])", "(difference >= self.tolerance[lanes])"),
        ("bias", "self.tolerant = bool(self.tolerance.any())", "self.tolerant = False"),
        ("bias", "self.plain_slope = bool((self.weight == 1).all()) and not", "self.plain_slope = not"))),
    "rtrl": ("class Sensitivities:", (
        ("layered", "net_h = matmat(net.W_h[lanes], self.P[lanes], self.net_h[:n])", "net_h = self.net_h[:n] * 0"),
        ("layered", "to_W[:n, k, k] += net.before[lanes][:, None]", "to_W[:n, k, k] += net.u[lanes][:, None]"),
        ("layered", "to_W[:n, k, k] += net.before[lanes][:, None]", "pass"),
        ("layered", "to_V[lane, k, x, k] += 1  # ... + x(t) at V_h", "pass"),
        ("layered", "to_V[lane, k, x, k] += 1  # ... + x(t) at V_h", "to_V[lane, 0, x, k] += 1"),
        ("layered", "net_h * (h * (1 - h))[:, :, None]", "net_h * h[:, :, None]"),
        ("layered", "net_h * (h * (1 - h))[:, :, None]", "net_h"),
        ("full", "net_o = matmat(net.W_o, self.P, self.net_o)", "net_o = matmat(net.W_o, 0 * self.P, self.net_o)"),
        ("full", "to_W[:, k, k] += net.z[:, None]", "to_W[:, k, k] += net.u[:, None]"),
        ("full", "to_W[:, k, k] += net.z[:, None]", "pass"),
        ("full", "to_V[lane, k, x, k] += 1  # ... + x(t) at V_o", "pass"),
        ("full", "(net.y * (1 - net.y))[:, :, None]", "net.y[:, :, None]"),
        ("full", "self.P[:, H:])", "self.P[:, H:].copy())"),
        ("full", "dw = vecmat(delta_o, self.net_o)", "dw = vecmat(delta_o, self.P[:, -7:])"),
        ("layered", "vecmat(vecmat(delta_o, net.W_o[lanes]), self.P[lanes])", "vecmat(net.z[lanes], self.P[lanes])"),
        ("layered", "W_o[lanes] += delta_o[:, :, None] * net.z[lanes][:, None]",
         "W_o[lanes] += delta_o[:, :, None] * net.before[lanes][:, None]"),
        ("layered", "V_o[net.lane[lanes], net.x[lanes]] += delta_o", "V_o[net.lane[lanes], 0] += delta_o"),
        ("one unit", "        self.P[:] = 0\n", "        self.P[:] = 1\n"),
        ("bias", "                V_o[lanes, -1] += delta_o\n", "                V_o[lanes, 0] += delta_o\n"),
        ("bias", "            if net.layout.direct:\n", "            if not net.layout.direct:\n"))),
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
    "chunker": ("class Chunker:", (
        ("", "wanted[:, self.layouts[1].outputs :] += self.state()", "pass"),
        ("state", "first.outputs > second.outputs + second.hidden", "False"),
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


def test_a_mutant_fails_on_the_command_line(monkeypatch, capsys):
    source = mutated(SCRIPT, "class Truncated:", "net.z * (1 - net.z)", "net.z")
    mutant = execute(source, "lstm_1997_rivals_mutant")
    monkeypatch.setattr(mutant, "CHECKS", ())  # of RTRL and BPTT
    monkeypatch.setattr(mutant, "check_chunker", lambda settings: ())
    assert mutant.main(["--gradcheck"]) == 1 and "FAILED" in capsys.readouterr().out


# --- literal references -----------------------------------------------------------------------------------------------


class Literal:
    """One net with forward-mode derivatives, weight by weight and with no array tricks. truncated: Elman's procedure,
    for which what was a step earlier is a constant."""

    def __init__(self, layout, theta, truncated=False):
        self.layout, self.theta, self.truncated = layout, theta, truncated
        self.reset()

    def reset(self):
        layout = self.layout
        self.h, self.y = np.zeros(layout.hidden), np.zeros(layout.outputs)
        self.dh, self.dy = np.zeros((layout.hidden, layout.size)), np.zeros((layout.outputs, layout.size))

    def unit(self, k, W, V, dW_at, dV_at, sources, d_sources, rows):
        """Activation of unit k and its derivatives by all weights. dW_at, dV_at: indices of the weights in theta; rows:
        of V, whose sources are 1."""
        net = sum(W[k, i] * s for i, s in enumerate(sources)) + sum(V[row, k] for row in rows)
        slope = np.zeros(self.layout.size)
        for i, s in enumerate(sources):
            slope += W[k, i] * d_sources[i]
            slope[dW_at[k, i]] += s
        for row in rows:
            slope[dV_at[row, k]] += 1
        y = logistic(net)
        return y, y * (1 - y) * slope

    def step(self, x):
        layout, H = self.layout, self.layout.hidden
        W_h, V_h, W_o, V_o = layout.split(self.theta)
        at = layout.split(np.arange(layout.size))
        u = [*self.h, *(self.y if layout.feedback else [])]
        du = [*self.dh, *(self.dy if layout.feedback else [])]
        if self.truncated:
            du = [np.zeros(layout.size) for _ in du]
        hidden = [self.unit(k, W_h, V_h, at[0], at[1], u, du, [x]) for k in range(H)]
        z = [*(h for h, _ in hidden), *(self.y if layout.feedback else [])]
        dz = [*(d for _, d in hidden), *(self.dy if layout.feedback else [])]
        rows = [x] * layout.direct + [-1] * layout.bias
        outputs = [self.unit(k, W_o, V_o, at[2], at[3], z, dz, rows) for k in range(layout.outputs)]
        (self.h, self.dh), (self.y, self.dy) = (
            (np.array([v for v, _ in units]), np.array([d for _, d in units])) for units in (hidden, outputs))
        return self.y

    def change(self, error):
        """The change of all weights over the rate, by errors t - y."""
        return error @ self.dy


@pytest.mark.parametrize("choice", [
    dict(method="rtrl", p=4), dict(method="rtrl", p=4, hidden=3), dict(method="rtrl", experiment="1", hidden=2),
    dict(method="elman", experiment="1", hidden=3), dict(method="elman", experiment="2a", p=4, hidden=2),
    dict(method="rtrl", p=4, hidden=2, output_bias=True)], ids=str)
@pytest.mark.parametrize("update", ["step", "sequence"])
def test_learning_is_that_of_a_literal_reference(choice, update):
    settings = rivals.Settings(**choice, update=update, lr=0.7, trials=2)
    lockstep = rivals.Lockstep([settings])
    nets = [Literal(lockstep.layouts[0], theta.copy(), settings.method == "elman") for theta in lockstep.theta]
    x, target, end = lstm.side_by_side([trial.draw(3) for trial in lockstep.trials])
    for k in range(3):
        lockstep.learn(x[k], target[k], end[k])
        for lane, net in enumerate(nets):
            net.reset()
            total = 0
            for t in range(end[k, lane] + 1):
                y = net.step(x[k, t, lane])
                change = settings.lr * net.change(lstm.one_hot(target[k, t, lane], len(y)) - y)
                total = total + change
                if update == "step":
                    net.theta = net.theta + change
            if update == "sequence":
                net.theta = net.theta + total
    assert abs(lockstep.theta - [net.theta for net in nets]).max() < 1e-12


@pytest.mark.parametrize("error, slope", [
    ("a17", lambda y: y * (1 - y)), ("plain", lambda y: 1), ("flat-spot", lambda y: y * (1 - y) + 0.1)])
def test_an_outputs_error_is_its_definition(error, slope):
    """(f' + c)(t - y) times the factor and the rate, 0 within the tolerance, lane by lane."""
    several = [rivals.Settings(p=4, output_error=error, lr=0.3),
               rivals.Settings(p=4, output_error=error, lr=0.7, error_factor=2.0, tolerance=0.4)]
    net = rivals.Net(rivals.layouts_of(several[0])[0], np.zeros((2, 36)), rivals.LaneSettings.of(several))
    y = np.random.default_rng(0).uniform(0.05, 0.95, (7, 2, 5))
    difference = np.random.default_rng(1).uniform(-1, 1, y.shape)
    delta, before = net.output_delta(difference, y), difference.copy()
    for lane, (lr, factor, tolerance) in enumerate(((0.3, 1, 0), (0.7, 2, 0.4))):
        for index in np.ndindex(7, 5):
            at = index[0], lane, index[1]
            counted = 0 if abs(difference[at]) < tolerance else difference[at]
            assert delta[at] == pytest.approx(lr * factor * slope(y[at]) * counted, rel=1e-12, abs=1e-300)
    assert np.array_equal(difference, before)  # whether a symbol surprises is judged by the whole of it


def compare_chunker(module, update, surprise, hidden, **more):
    """A module's chunkers beside pairs of literal nets whose second one reads the first symbol and those that the first
    one failed to predict. Returns the largest difference of the weights, and how many symbols were read."""
    settings = module.Settings(
        method="chunker", p=5, hidden=hidden, surprise=surprise, update=update, lr=0.9, trials=2, init=1.5,
        **more)
    lockstep = module.Lockstep([settings])
    sizes = [layout.size for layout in lockstep.layouts]
    pairs = [[Literal(layout, part) for layout, part in zip(lockstep.layouts, np.split(theta.copy(), sizes[:1]))]
             for theta in lockstep.theta]
    x, target, end = lstm.side_by_side([trial.draw(4) for trial in lockstep.trials])
    counts = []
    for k in range(4):
        lockstep.learn(x[k], target[k], end[k])
        for lane, (automatizer, chunker) in enumerate(pairs):
            automatizer.reset()
            chunker.reset()
            symbols = [*x[k, :, lane], target[k, -1, lane]]
            totals, unexpected, read = [0, 0], True, 0
            for t, symbol in enumerate(symbols):
                if unexpected:
                    if read:
                        change = 0.9 * chunker.change(lstm.one_hot(symbol, 6) - chunker.y)
                        totals[1] = totals[1] + change
                        if update == "step":
                            chunker.theta = chunker.theta + change
                    chunker.step(symbol)
                    read += 1
                if t < len(symbols) - 1:
                    y = automatizer.step(symbol)
                    state = [chunker.h, chunker.y] if settings.names == "state" else [chunker.h]
                    wanted = np.concatenate([lstm.one_hot(symbols[t + 1], 6), *state]) - y
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
    return abs(lockstep.theta - theta).max(), counts


@pytest.mark.parametrize("update, surprise, hidden, more", [
    ("step", 0.7, 1, {}), ("sequence", 0.55, 2, {}), ("step", 0.0, 1, {}), ("step", 0.6, 2, dict(names="state")),
    ("step", 0.7, 1, dict(chunker_direct="none")), ("sequence", 0.6, 1, dict(names="state", output_bias=True)),
    ("step", 0.6, 1, dict(chunker_direct="none", output_bias=True))])
def test_the_chunker_is_the_definitions(update, surprise, hidden, more):
    difference, counts = compare_chunker(rivals, update, surprise, hidden, **more)
    assert difference < 1e-12
    assert set(counts) == {6} if surprise == 0 else 1 < np.mean(counts) < 6


@pytest.mark.parametrize("old, new", [
    ("self.chunk(np.flatnonzero(unexpected), target[end[0]], into[1], first=False)", "pass"),  # not the last symbol
    ("self.layouts[1].outputs]).max(-1)", "self.layouts[1].outputs]).mean(-1)"),
    ("abs(difference[:, : self.layouts[1].outputs])", "abs(difference[:, self.layouts[1].outputs :])"),
    ("unexpected = self.unexpected(wanted)", "unexpected[:] = True"),  # everything is passed on
    ("unexpected = np.ones(len(self.theta), bool)\n        for t in range(int",
     "unexpected = np.zeros(len(self.theta), bool)\n        for t in range(int")])
def test_a_chunker_that_is_passed_other_symbols_is_noticed(old, new):
    mutant = execute(mutated(SCRIPT, "class Chunker:", old, new), "lstm_1997_rivals_mutant")
    assert compare_chunker(mutant, "step", 0.7, 1)[0] > 1e-6


def test_a_chunker_that_names_less_than_its_state_is_noticed():
    source = mutated(SCRIPT, "class Chunker:", "[net.u, net.y]", "[net.u, 0 * net.y]")
    mutant = execute(source, "lstm_1997_rivals_mutant")
    assert compare_chunker(mutant, "step", 0.7, 1, names="state")[0] > 1e-6


def test_what_the_automatizer_predicts_does_not_reach_the_chunker():
    lockstep = rivals.Lockstep([rivals.Settings(method="chunker", p=6, trials=3, surprise=1.0)])
    seen, chunk = [], lockstep.pair.chunk

    def noted(lanes, *words, first):
        seen.append((lanes.tolist(), first))
        chunk(lanes, *words, first)

    lockstep.pair.chunk = noted
    x, target, end = lstm.side_by_side([trial.draw(1) for trial in lockstep.trials])
    lockstep.learn(x[0], target[0], end[0])
    assert seen == [([0, 1, 2], True)]


def test_what_the_chunkers_first_net_is_told_and_keeps():
    """Nets made by hand: a latch for the first symbol, which the second net's hidden unit tells apart."""
    lockstep = rivals.Lockstep([rivals.Settings(method="chunker", p=6, trials=3, surprise=1.0)])
    (first, second), p = lockstep.layouts, 6
    lockstep.theta[1:] = 0
    for lane, weight in ((1, 10.0), (2, 0.0)):  # the third lane forgets after the first step
        W_h, V_h, _, _ = first.split(lockstep.theta[lane, : first.size])
        W_h[:], V_h[: p - 1], V_h[p - 1], V_h[p] = weight, -weight / 2, 5, -5
    _, V_h, _, _ = second.split(lockstep.theta[1, first.size :])
    V_h[p - 1], V_h[p] = 2, -2
    gap, steps = lockstep.taken_over()
    assert gap[1] == pytest.approx(np.tanh(1), abs=1e-3) and gap[2] == 0
    assert steps.tolist()[1:] == [p, 1]
    figures = lockstep.figures(1)
    assert (figures["named_gap"], figures["steps_carried"]) == (pytest.approx(gap[1], rel=1e-3), p)


def test_the_chunker_learns_in_one_tick_what_lies_p_steps_back():
    row = rivals.Settings(method="chunker", p=10, trials=2, lr=2.0, max_sequences=2000)
    record = rivals.train(row, NOWHERE)
    assert all(after is not None and after <= 2000 for after in record["final"]["chunker_right_after"])


def test_an_error_signal_far_below_the_square_root_of_the_smallest_number_is_not_zero():
    lockstep = rivals.Lockstep([rivals.Settings(method="bptt", p=150, trials=2)])
    signal = np.array(lockstep.trials[0].signal_at_start)
    assert 0 < signal[-1] < 1e-170 and (signal[1:] < signal[:-1]).all()


def test_error_signals_are_derivatives():
    """||dE/dnet_h(t)||, by the complex step on one activation at a time, E of the last step only."""
    lockstep = rivals.Lockstep([rivals.Settings(method="bptt", p=5, hidden=2, trials=2, init=1.5)])
    x, target, end = next(lockstep.both())
    ours = rivals.error_signal(lockstep.net, x, target, end)
    for lag in range(5):
        squares = np.zeros(2)
        for unit in range(2):
            net = rivals.Net(lockstep.layouts[0], lockstep.theta.astype(complex), rivals.LaneSettings.ones(2))
            for t in range(5):
                y = net.step(x[t])
                if t == 4 - lag:
                    h = net.u[:, unit].real
                    nudge = 1e-30j * h * (1 - h)
                    net.u[:, unit] += nudge
                    if lag == 0:
                        y = logistic(rivals.matvec(net.W_o, net.u) + net.V_o[net.lane, x[t]])
            wanted = lstm.one_hot(target[4], 6) - y
            squares += ((0.5 * wanted * wanted).sum(1).imag / 1e-30) ** 2
        assert ours[lag] == pytest.approx(np.sqrt(squares), rel=1e-9)


# --- torch ------------------------------------------------------------------------------------------------------------


def compare_with(arrays):
    for name in reference.CASES:
        settings, layout, theta, x, target, end = reference.case(name)
        net = rivals.Net(layout, theta.copy(), rivals.LaneSettings.of([settings] * 2)._replace(lr=np.ones(2)))
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
def test_a_trial_gives_the_same_bits_alone_and_in_company(choice, monkeypatch):
    monkeypatch.setattr(rivals, "CHUNK", 4)
    weights = []
    for trials in (1, 10, 60):
        lockstep = rivals.Lockstep([rivals.Settings(trials=trials, **choice | dict(test_every=400))])
        lockstep.advance()
        weights.append(lockstep.theta[0])
    assert np.array_equal(weights[0], weights[1]) and np.array_equal(weights[0], weights[2])


def test_trials_that_leave_do_not_change_the_others():
    settings = rivals.Settings(method="chunker", p=4, trials=6)
    whole, thinned = (rivals.Lockstep([settings]) for _ in range(2))
    for keep in ([0, 2, 3, 5], [1, 2], [1]):  # of seeds 0 ... 5, then 0, 2, 3, 5, then 2, 3; 3 stays alone
        whole.advance()
        thinned.advance()
        thinned.keep_lanes(keep)
    assert thinned.trials[0].seed == 3 and len(thinned.theta) == 2
    assert np.array_equal(thinned.theta[0], whole.theta[3])


def test_rows_in_one_stack_give_what_they_give_alone():
    rows = [rivals.Settings(p=3, lr=rate, trials=2, max_sequences=300) for rate in (1.0, 10.0)]
    assert len(rivals.stacks(rows)) == 1
    for row, record in zip(rows, rivals.train_together(rows, NOWHERE)):
        alone = rivals.train(row, NOWHERE)
        assert alone["final"] == record["final"] and alone["history"] == record["history"]


def test_only_rows_of_one_layout_are_stacked():
    rows = [settings_of(row) for row in rivals.TABLE_ROWS + rivals.OTHER_ROWS]
    groups = rivals.stacks(rows)
    assert sorted(map(id, rows)) == sorted(id(row) for group in groups for row in group)
    for group in groups:
        assert sum(row.trials for row in group) <= lstm.STACK
        assert len(group) == 1 or len({(row.method, row.update, rivals.Layout(row).key) for row in group}) == 1
    alike = [rivals.Settings(method="elman", experiment="1"), rivals.Settings(method="elman", p=6, hidden=15)]
    assert len(rivals.stacks(alike)) == 2  # nets of the same size, sequences of other lengths


SHORT = ("--p", "20", "--trials", "2", "--max-sequences", "1500")
OFTEN = (  # a driver that writes a checkpoint after every chunk
    "import harness, lstm_1997_rivals as rivals, sys; resumable = harness.resumable; "
    "harness.resumable = lambda work, path, code, every, quiet: resumable(work, path, code, 0, quiet); "
    "sys.exit(rivals.main(sys.argv[1:]))")


def results_of(folder):
    records = json.loads((folder / "results.json").read_text())[rivals.EXPERIMENT]
    for record in records:
        del record["provenance"]
    return records


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The record of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    assert run_script(SCRIPT, *SHORT, "--quiet", cwd=folder).returncode == 0
    return results_of(folder)


def begin(folder, *words, driver=None):
    """A run in a process group of its own, whose standard output has shown a first line of progress."""
    start = ["-c", driver] if driver else [str(ROOT / SCRIPT)]
    process = subprocess.Popen(
        [sys.executable, *start, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True)
    assert "sequence" in process.stdout.readline()
    return process


def test_an_ended_run_goes_on_to_the_same_bytes(tmp_path, whole):
    """Killed, started again, interrupted, started again."""
    for how, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
        process, deadline = begin(tmp_path, *SHORT, driver=OFTEN), time.monotonic() + 100
        while before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(how)
        _, complaint = process.communicate(timeout=100)
        assert process.returncode == code and not (tmp_path / "results.json").exists()
        assert how == signal.SIGKILL or "goes on from the checkpoint" in complaint
        assert len(list(tmp_path.glob("*.npz"))) == 1
    assert run_script(SCRIPT, *SHORT, "--quiet", cwd=tmp_path).returncode == 0
    assert results_of(tmp_path) == whole and not list(tmp_path.glob("*.npz"))


def test_a_signal_to_the_group_keeps_what_all_processes_computed(tmp_path):
    """Three rows, p = 4, 10 and 100, in two processes."""
    process = begin(tmp_path, *SHORT[2:], "--jobs", "2", "--table", "2", "--method", "rtrl", "--lr", "1")
    os.killpg(process.pid, signal.SIGTERM)
    _, complaint = process.communicate(timeout=100)
    assert process.returncode == 130 and complaint.count("\n") == 1 and "goes on from" in complaint
    stopped = list(tmp_path.glob("*.npz"))
    assert len(stopped) in (1, 2)  # the third row had not begun, and one may have ended
    for path in stopped:
        state, arrays = harness.read_checkpoint(path, rivals.CODE)
        assert 0 <= state["count"] < 1500 and np.isfinite(arrays["theta"]).all()


@pytest.mark.parametrize("choice", [
    dict(method="chunker", p=4, trials=3), dict(experiment="1", hidden=3, trials=2, max_sequences=400)], ids=str)
def test_a_resumed_lockstep_has_the_same_bytes(choice, tmp_path):
    rows = [rivals.Settings(**choice)]
    whole, first, second = (rivals.Lockstep(rows) for _ in range(3))
    for _ in range(2):
        whole.advance()
    first.advance()
    path = rivals.checkpoint_of(rows, tmp_path / "r.json")
    harness.write_checkpoint(path, rivals.CODE, *first.state())
    harness.take_back(second, path, rivals.CODE)
    assert second.count == rivals.CHUNK
    second.advance()
    assert np.array_equal(whole.theta, second.theta) and whole.history == second.history
    assert [trial.state() for trial in whole.trials] == [trial.state() for trial in second.trials]


def test_a_chunk_that_is_cut_short_is_undone(monkeypatch):
    """Stopped after 150 sequences, a run has the state of 100, and goes on to the same bits."""
    rows = [rivals.Settings(method="chunker", p=4, trials=3)]
    whole, stopped = rivals.Lockstep(rows), rivals.Lockstep(rows)
    calls = iter([False] * 150 + [True])
    monkeypatch.setattr(harness, "stopped", lambda: next(calls))
    stopped.advance()
    stopped.advance()
    assert stopped.count == 100 and next(calls, None) is None
    monkeypatch.setattr(harness, "stopped", lambda: False)
    whole.advance()
    assert np.array_equal(whole.theta, stopped.theta)
    assert [trial.state() for trial in whole.trials] == [trial.state() for trial in stopped.trials]
    for lockstep in (whole, stopped):
        lockstep.advance()
    assert np.array_equal(whole.theta, stopped.theta)


def changed(state, arrays, name):
    """A checkpoint's content with one thing wrong."""
    if name == "nothing but zeros":
        return {key: 0 for key in state}, arrays
    if name == "other trials":
        return rivals.Lockstep([rivals.Settings(p=4, trials=2, seed=5)]).state()
    if name == "more trials":
        return rivals.Lockstep([rivals.Settings(p=4, trials=3)]).state()
    if name == "other weights":
        arrays["theta"] = arrays["theta"][:, 1:]
    elif name == "no weights":
        arrays = {}
    elif name == "words for weights":
        arrays["theta"] = arrays["theta"].astype(str).astype("U3")
        arrays["theta"][:] = "abc"
    elif name == "no trials":
        state["trials"] = type(state["trials"])()
    elif name == "no history":
        state["history"] = [{}]
    return state, arrays


@pytest.mark.parametrize("name", [
    "nothing but zeros", "other trials", "more trials", "other weights", "no weights", "words for weights",
    "no trials", "no history"])
def test_a_checkpoint_of_any_content_is_one_line(name, tmp_path, capsys):
    row, out = rivals.Settings(p=4, trials=2), str(tmp_path / "r.json")
    path, lockstep = rivals.checkpoint_of([row], out), rivals.Lockstep([row])
    harness.write_checkpoint(path, rivals.CODE, *changed(*lockstep.state(), name))
    with pytest.raises(SystemExit) as ended:
        rivals.main(["--p", "4", "--trials", "2", "--out", out])
    output = capsys.readouterr()
    assert ended.value.code == 2 and output.out == "" and path.exists()
    assert len(output.err.splitlines()) == 1 and "move it away" in output.err


def test_weights_that_are_not_finite_end_their_trial_alone(tmp_path, monkeypatch):
    start = rivals.Trial.start
    monkeypatch.setattr(
        rivals.Trial, "start", lambda trial, size: start(trial, size) * (math.nan if trial.seed == 1 else 1))
    words = ["--p", "4", "--trials", "2", "--max-sequences", "200", "--quiet"]
    assert rivals.main([*words, "--out", str(tmp_path / "results.json")]) == 1
    final = results_of(tmp_path)[0]["final"]
    assert final["status"] == "diverged" and final["largest_error"][1] is None and final["largest_error"][0] < 1


# --- record and command line ------------------------------------------------------------------------------------------


def test_the_largest_error_of_a_trial_decides_success():
    lockstep = rivals.Lockstep([rivals.Settings(p=3, trials=3)])
    lockstep.advance()
    lockstep.largest_errors = lambda: np.array([[0.1, 0.24], [0.1, 0.25], [0.24, 0.24]])
    lockstep.advance()
    first, _, third = lockstep.keys
    assert {key: done["complete"] for key, done in lockstep.done.items()} == {first: True, third: True}
    assert [trial.seed for trial in lockstep.trials] == [1] and lockstep.done[first]["sequences"] == 200


def test_largest_errors_are_over_outputs_and_steps():
    lockstep = rivals.Lockstep([rivals.Settings(p=4, trials=2)])
    for lane in range(2):
        net = Literal(lockstep.layouts[0], lockstep.theta[lane])
        for k, (x, target, _) in enumerate(lockstep.both()):
            net.reset()
            errors = [abs(lstm.one_hot(target[t, lane], 5) - net.step(x[t, lane])).max() for t in range(4)]
            assert lockstep.largest_errors()[lane, k] == pytest.approx(max(errors), rel=1e-12)


def test_a_record_holds_what_its_readers_need():
    row = rivals.Settings(p=4, trials=2, max_sequences=200)
    record = rivals.train(row, NOWHERE)
    final = record["final"]
    assert rivals.Settings(**record["settings"]) == row and record["seeds"] == [0, 1] and final["weights"] == 36
    assert final["sequences_to_success"] == [None, None] and final["test_sequences"] == 2560
    assert len(final["error_signal_at_start"]) == 4 and len(final["error_signal_at_end_of_first_symbol"]) == 2
    assert record["history"]["train_sequences"] == [100, 200] and record["history"]["trials_running"] == [2, 2]
    assert all(0 < error < 1 for error in record["history"]["median_largest_error"])
    summary = rivals.summary(record)
    assert summary.startswith("rtrl 2a p=4 hidden=1 lr=1 [literal]: 0 of 2 trials stop, median above the cap")


@pytest.mark.parametrize("words, complaint", [
    (["--experiment", "7"], "invalid choice"), (["--method", "lstm"], "invalid choice"), (["--table", "3"], "invalid"),
    (["--method", "guessing"], "invalid choice"), (["--experiment", "3a"], "invalid choice"),
    (["--method", "chunker", "--experiment", "1"], "does not go with"),
    (["--method", "elman", "--p", "4"], "--p needs --experiment 2a"),
    (["--surprise", "0.3"], "--surprise needs --method chunker"),
    (["--names", "state"], "--names needs --method chunker"),
    (["--chunker-direct", "none"], "--chunker-direct needs --method chunker"),
    (["--output-bias", "--experiment", "1"], "--output-bias needs --experiment 2a"),
    (["--tolerance", "2"], "not between"), (["--error-factor", "0"], "not between"),
    (["--method", "bptt", "--update", "step"], "use --method rtrl"),
    (["--max-sequences", "150"], "must be a multiple of 100"), (["--lr", "nan"], "not a number"),
    (["--trials", "0"], "not between"), (["--seed", "-1"], "not between"),
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
    rivals.checkpoint_of([rivals.Settings()], tmp_path / "other.json").write_bytes(b"?")
    with pytest.raises(SystemExit) as ended:
        rivals.main(["--out", str(tmp_path / "other.json")])
    assert ended.value.code == 2 and "move it away" in capsys.readouterr().err


def test_tables_and_methods_choose_rows(tmp_path):
    out = ["--out", str(tmp_path / "r.json")]
    assert [row.lr for row in rivals.parse(["--table", "2", "--p", "4", *out])[0]] == [1, 4, 10]
    assert len(rivals.parse(["--table", "1", "2", *out])[0]) == 16
    assert rivals.parse(["--method", "elman", *out])[0][0].experiment == "1"
    assert rivals.parse(["--method", "elman", "--task", "2a", *out])[0][0].experiment == "2a"


def test_a_bundle_runs_alone_in_an_empty_folder_and_with_two_processes(tmp_path):
    words, records = ["--table", "1", "--trials", "1", "--max-sequences", "100", "--method", "rtrl", "--quiet"], []
    for jobs in ("1", "2"):
        folder = tmp_path / jobs
        folder.mkdir()
        (folder / "alone.py").write_text(harness.bundle(ROOT / SCRIPT))
        command = [sys.executable, "alone.py", *words, "--jobs", jobs]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        records.append(results_of(folder))
    assert records[0] == records[1] and len(records[0]) == 2


def test_progress_fits_80_columns_whatever_runs():
    for group in rivals.stacks([settings_of(row) for row in rivals.TABLE_ROWS]):
        lockstep = rivals.Lockstep([row for row in group if row.p != 100] or group[:1])
        lockstep.count = lockstep.total
        assert len(f"{lockstep}  9999 min, 9999 min left") < 80


def test_a_signed_change_in_the_lstm_leaves_the_rivals_current():
    """The fingerprint reaches the tasks and criteria of lstm_1997.py, not its net."""
    nodes = [(rivals.CODE, "train"), (rivals.CODE, "Settings")]
    seen = set()
    while nodes:
        code, name = nodes.pop()
        if code.text is not None and (code.experiment, name) not in seen and name in code.definitions:
            seen.add((code.experiment, name))
            nodes += [found for node in code.definitions[name] for found in code.reached_from(node)]
    names = {name for experiment, name in seen if experiment == "lstm_1997"}
    assert {"reber_sets", "long_lag", "wrong_strings", "TOLERANCE"} <= names
    assert not names & {"Net", "Layout", "Lockstep", "appendix", "gradcheck_all"}
    assert {name for experiment, name in seen if experiment == rivals.EXPERIMENT} >= {"Net", "Chunker", "Lockstep"}
