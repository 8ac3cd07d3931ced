"""lstm_1997.py: tasks and criteria against their definitions, gradients and mutants, lockstep, resume, command line."""

import importlib.util
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, assert_bad_input, run_script
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "reference")]
import bench_lstm_1997 as bench
import make_lstm_1997 as reference

import lstm_1997 as lstm
import studies_lstm_1997 as studies

SOURCE = (ROOT / "lstm_1997.py").read_text(encoding="utf-8")
few = hypothesis_settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32)


def rng_of(seed):
    return np.random.default_rng(seed)


# --- the tables -------------------------------------------------------------------------------------------------------

WEIGHTS = {  # column 8 of Table 10, row by row
    "1": [264, 276, 276, 264, 276], "2a": [10504], "2b": [10504],
    "2c": [364, 664, 1264, 3064, 6064, 3064, 1264, 664, 364], "3a": [102] * 3, "3b": [102] * 3, "3c": [102] * 2,
    "4": [93] * 3, "5": [93], "6a": [156], "6b": [308]}


def settings_of(line):
    identity = {name: getattr(line, name) for name in lstm.IDENTITY}
    identity["blocks"] = line.blocks if line.experiment == "1" else None
    return lstm.Settings(experiment=line.experiment, **identity)


def test_every_row_has_the_papers_number_of_weights():
    for experiment, weights in WEIGHTS.items():
        lines = [line for line in lstm.LINES if line.experiment == experiment]
        assert [line.weights for line in lines] == weights
        for line in lines:
            settings = settings_of(line)
            shape = lstm.Shape(settings)
            assert settings.line is line
            assert (shape.weights, shape.inputs, shape.outputs) == (line.weights, line.n_in, line.n_out)
    assert len(lstm.LINES) == sum(map(len, WEIGHTS.values()))


def test_a_wrong_number_of_weights_is_refused(monkeypatch):
    monkeypatch.setattr(lstm, "LINES", tuple(line._replace(weights=157) for line in lstm.LINES))
    with pytest.raises(AssertionError, match="156 weights, the paper has 157"):
        lstm.Shape(lstm.Settings(experiment="6a"))


def test_initial_weights_lie_in_the_interval_and_gate_biases_are_the_tables():
    for experiment, in_bias, out_bias in (
            ("1", None, (-1, -2, -3, -4)), ("3a", (-1, -3, -5), (-2, -4, -6)), ("4", (-3, -6), None), ("5", None, None),
            ("6b", (-2, -4, -6), None), ("2c", None, None)):
        settings = lstm.Settings(experiment=experiment)
        shape, line = lstm.Shape(settings), settings.line
        theta = lstm.initial_weights(settings, shape, rng_of(0))
        W = shape.split(theta[None])[0][0]
        first_in, first_out = shape.cells, shape.cells + shape.blocks
        for first, bias in ((first_in, in_bias), (first_out, out_bias)):
            if bias:
                assert W[first : first + shape.blocks, -1].tolist() == list(bias)
                W[first : first + shape.blocks, -1] = 0
        assert np.abs(theta).max() <= line.init
        assert np.abs(theta).max() > 0.9 * line.init
        assert not theta[~shape.exists].any()


# --- tasks ------------------------------------------------------------------------------------------------------------

INNER = {  # the Reber grammar as a table of its own: node -> {symbol: node}
    0: {"B": 1}, 1: {"T": 2, "P": 3}, 2: {"S": 2, "X": 4}, 3: {"T": 3, "V": 5}, 4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6}, 6: {"E": 7}}


def parse_reber(string):
    """The sets of symbols possible after each prefix of an embedded Reber string; fails for any other string."""
    assert string[0] == "B" and string[1] in "TP" and string[-2:] == string[1] + "E"
    sets, node = [set("TP")], 0
    for symbol in string[2:-2]:
        sets.append(set(INNER[node]))
        node = INNER[node][symbol]
    assert node == 7
    return [*sets, {string[1]}, {"E"}]


@few
@given(seeds)
def test_reber_strings_follow_the_grammar(seed):
    string, possible = lstm.reber_string(rng_of(seed))
    assert [set(letters) for letters in possible] == parse_reber(string)
    assert len(string) >= 9


def test_reber_edges_are_taken_with_probability_one_half():
    rng = rng_of(0)
    strings = [lstm.reber_string(rng)[0] for _ in range(4000)]
    assert abs(np.mean([string[1] == "T" for string in strings]) - 0.5) < 0.03
    assert abs(np.mean([string[3] == "T" for string in strings]) - 0.5) < 0.03
    shortest = np.mean([len(string) == 9 for string in strings])  # B T X S E and B P V V E inside: 1/8 each
    assert abs(shortest - 0.25) < 0.03


def test_reber_sets_are_apart_and_shared_by_ten_trials():
    training, test = lstm.reber_sets(3)
    assert np.array_equal(lstm.reber_sets(9)[0].x, training.x)
    assert not np.array_equal(lstm.reber_sets(10)[0].x, training.x)
    for part in (training, test):
        assert part.x.shape == (256, lstm.REBER_STEPS) and part.truth.shape == (256, lstm.REBER_STEPS, 7)

    def strings(part):
        return ["".join(lstm.REBER_SYMBOLS[s] for s in [*x[: end + 1], target[end]])
                for x, end, target in zip(part.x, part.end, part.target)]

    assert not set(strings(training)) & set(strings(test))
    for k, string in enumerate(strings(test)):
        for t, letters in enumerate(parse_reber(string)):
            assert {lstm.REBER_SYMBOLS[i] for i in np.flatnonzero(test.truth[k, t])} == letters
            assert test.target[k, t] == lstm.REBER_SYMBOLS.index(string[t + 1])


@few
@given(seeds, st.integers(2, 30), st.booleans())
def test_long_lag_sequences(seed, p, shuffled):
    batch = lstm.long_lag(rng_of(seed), 50, p, shuffled, at_end=False)
    assert batch.x.shape == (50, p) and (batch.end == p - 1).all()
    assert set(batch.x[:, 0]) <= {p - 1, p}
    assert np.array_equal(batch.target[:, -1], batch.x[:, 0]) and np.array_equal(batch.target[:, :-1], batch.x[:, 1:])
    if shuffled:
        assert batch.x[:, 1:].max(initial=0) <= max(0, p - 2)
    else:
        assert (batch.x[:, 1:] == np.arange(p - 1)).all()
    at_end = lstm.long_lag(rng_of(seed), 50, p, shuffled, at_end=True)
    assert np.array_equal(at_end.target.argmax(1), at_end.x[:, 0]) and (at_end.target.sum(1) == 1).all()


@few
@given(seeds, st.integers(1, 40), st.integers(1, 40))
def test_very_long_lag_sequences(seed, q, p):
    batch = lstm.very_long_lag(rng_of(seed), 50, q, p)
    for x, end, target in zip(batch.x, batch.end, batch.target):
        assert x[0] == p + 1 and x[end] == p and end >= q + 2
        assert (x[2:end] < p).all()
        assert x[1] == (p + 2 if target[0] else p + 3) and target.sum() == 1


def test_very_long_lag_length_and_classes():
    batch = lstm.very_long_lag(rng_of(1), 20_000, 50, 50)
    # the paper's sum, 4 + sum over k of 0.9^k (q + k) / 10, is q + 13, not the q + 14 it prints
    assert abs((batch.end + 2).mean() - 63) < 0.3
    assert abs((batch.end == 52).mean() - 0.1) < 0.01
    assert abs(batch.target[:, 0].mean() - 0.5) < 0.02
    in_sequence = np.arange(batch.x.shape[1]) <= batch.end[:, None]
    assert abs(((batch.x == 7) & in_sequence).sum(1).mean() - 59 / 50) < 0.05  # (q + 9) / p


@few
@given(seeds, st.sampled_from([1, 3]), st.sampled_from(["3a", "3b", "3c"]))
def test_two_sequences(seed, N, variant):
    batch = lstm.two_sequences(rng_of(seed), 40, 100, N, variant)
    assert batch.x.shape == (40, 110, 1) and batch.end.min() >= 99 and batch.end.max() <= 109
    carried = batch.x[:, :N, 0]
    high = batch.truth[:, 0] == {"3a": 1.0, "3b": 1.0, "3c": 0.2}[variant]  # class 1
    if variant != "3b":
        assert (carried == np.where(high, 1.0, -1.0)[:, None]).all()
    assert np.array_equal(batch.target, batch.truth) == (variant != "3c")


def test_two_sequences_noise():
    rest = lstm.two_sequences(rng_of(0), 2000, 100, 1, "3a").x[:, 1:]
    assert abs(rest.mean()) < 0.01 and abs(rest.var() - 0.2) < 0.005
    noisy = lstm.two_sequences(rng_of(0), 20_000, 22, 1, "3b")
    assert abs((noisy.x[:, 0, 0] - np.where(noisy.truth[:, 0] == 1, 1, -1)).var() - 0.2) < 0.01
    # one noisy element of 1 or -1 leaves an error of Q(1 / sqrt 0.2) = 0.0127 to the best classifier
    wrong = np.mean((noisy.x[:, 0, 0] > 0) != (noisy.truth[:, 0] == 1))
    assert abs(wrong - 0.5 * math.erfc(1 / math.sqrt(0.4))) < 0.003
    targets = lstm.two_sequences(rng_of(0), 20_000, 22, 1, "3c")
    assert abs((targets.target - targets.truth).var() - 0.1) < 0.005
    assert set(targets.truth[:, 0]) == {0.2, 0.8}


@few
@given(seeds, st.integers(22, 200), st.booleans())
def test_marked_pairs(seed, T, multiply):
    batch = lstm.marked_pairs(rng_of(seed), 100, T, multiply)
    for x, end, target in zip(batch.x, batch.end, batch.target):
        assert T - 1 <= end <= T + T // 10 - 1
        marked = np.flatnonzero(x[: end + 1, 1] == 1)
        assert len(marked) == 2 and marked.min() < 10 and marked.max() <= T // 2 - 1
        assert x[end, 1] == -1 and (x[0, 1] == -1) == (0 not in marked)
        assert np.count_nonzero(x[: end + 1, 1]) == 4 - (0 in marked)
        if 0 in marked:
            assert x[0, 0] == (1 if multiply else 0)
        values = x[marked, 0]
        assert target[0] == pytest.approx(values.prod() if multiply else 0.5 + values.sum() / 4, abs=1e-15)
        assert 0 <= target[0] <= 1


def test_marked_pairs_moments():
    added = lstm.marked_pairs(rng_of(0), 20_000, 100, False)
    one = 0.1 + 0.9 / 49  # chance that the first pair is marked, whose value is then 0
    assert abs(added.target.mean() - 0.5) < 0.005
    assert abs(added.target.var() - (2 - one) / 3 / 16) < 0.001
    second = np.array([np.flatnonzero(x[:, 1] == 1).max() for x in added.x])
    assert second.max() == 49
    multiplied = lstm.marked_pairs(rng_of(0), 20_000, 100, True)
    assert abs(multiplied.target.mean() - ((1 - one) / 4 + one / 2)) < 0.005
    assert multiplied.x[:, :, 0].min() >= 0


@few
@given(seeds, st.sampled_from(["6a", "6b"]))
def test_temporal_order(seed, experiment):
    windows = lstm.ORDER_WINDOWS[experiment]
    batch = lstm.temporal_order(rng_of(seed), 50, windows)
    for x, end, target in zip(batch.x, batch.end, batch.target):
        string = "".join("EBabcdXY"[s] for s in x[: end + 1])
        assert 100 <= len(string) <= 110 and string[0] == "E" and string[-1] == "B"
        marks = [k for k, letter in enumerate(string) if letter in "XY"]
        assert len(marks) == len(windows) and set(string[1:-1]) <= set("abcdXY")
        assert all(low <= k + 1 <= high for k, (low, high) in zip(marks, windows))
        names = "QRSU" if experiment == "6a" else "QRSUVABC"
        rules = {"XX": "Q", "XY": "R", "YX": "S", "YY": "U", "XXX": "Q", "XXY": "R", "XYX": "S", "XYY": "U", "YXX": "V",
                 "YXY": "A", "YYX": "B", "YYY": "C"}
        assert names[target.argmax()] == rules["".join(string[k] for k in marks)] and target.sum() == 1


@few
@given(seeds, st.integers(22, 120))
def test_delayed_xor(seed, T):
    batch = lstm.delayed_xor(rng_of(seed), 50, T)
    for x, end, target in zip(batch.x, batch.end, batch.target):
        first, second = x[x[:, 1] == 1, 0]
        assert {abs(first), abs(second)} == {1.0} and target[0] == (first != second) and end >= T - 1


@few
@given(seeds, st.integers(10, 120))
def test_parity(seed, T):
    batch = lstm.parity(rng_of(seed), 50, T)
    assert set(np.unique(batch.x)) == {-1.0, 1.0} and T - 1 <= batch.end.min() and batch.end.max() <= T + T // 10 - 1
    for x, end, target in zip(batch.x, batch.end, batch.target):
        assert target[0] == (x[: end + 1] == 1).sum() % 2


@few
@given(seeds, st.integers(10, 120), st.integers(1, 9))
def test_signal_ago(seed, T, N):
    batch = lstm.signal_ago(rng_of(seed), 50, T, N)
    for x, end, target in zip(batch.x, batch.end, batch.target):
        (step,) = np.flatnonzero(x)
        assert end - step + 1 == (T if target[0] else N) and T - 1 <= end <= T + T // 10 - 1


def test_the_limits_are_rows_without_a_paper_figure():
    for line in lstm.OTHER_LINES:
        settings = lstm.Settings(experiment=line.experiment, T=line.T, N=line.N)
        assert settings.line is line and not settings.in_paper and settings.max_sequences == 100_000
        assert lstm.Shape(settings).weights == line.weights


def test_training_strings_are_picked_from_the_training_set():
    training, _ = lstm.reber_sets(0)
    known = {(*x, end) for x, end in zip(training.x, training.end)}
    batch = lstm.Trial(lstm.Settings(experiment="1"), 0).draw(300)
    assert {(*x, end) for x, end in zip(batch.x, batch.end)} <= known


# --- criteria ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment, bound", [
    ("2a", 0.25), ("2b", 0.25), ("2c", 0.2), ("3a", 0.2), ("3b", 0.2), ("4", 0.04), ("5", 0.04), ("6a", 0.3),
    ("6b", 0.3)])
def test_a_sequence_is_right_below_the_bound(experiment, bound):
    errors = np.array([[0.0, np.nextafter(bound, 0)], [0.0, bound], [bound + 0.01, 0.0], [np.nan, 0.0]])
    assert lstm.wrong_sequences(experiment, errors).tolist() == [False, True, True, True]


def test_3c_is_wrong_above_a_tenth():
    assert lstm.wrong_sequences("3c", np.array([[0.1], [0.1001]])).tolist() == [False, True]


def test_wrong_strings():
    possible = np.array([[[1, 1, 0], [0, 0, 1]]])
    end = np.array([1])
    assert not lstm.wrong_strings(np.array([[[0.5, 0.4, 0.3], [0.1, 0.2, 0.3]]]), possible, end)[0]
    assert lstm.wrong_strings(np.array([[[0.5, 0.3, 0.3], [0.1, 0.2, 0.3]]]), possible, end)[0]  # a tie is wrong
    assert lstm.wrong_strings(np.array([[[0.5, 0.4, 0.3], [0.1, 0.4, 0.3]]]), possible, end)[0]
    assert not lstm.wrong_strings(np.array([[[0.5, 0.4, 0.3], [0.1, 0.4, 0.3]]]), possible, np.array([0]))[0]


def test_held_out_criteria():
    reached = lstm.held_out_reached
    assert reached("3a", 0, 0, 0.5) and not reached("3a", 0, 1, 0.0)  # ST1
    assert not reached("3a", 1, 0, 0.01) and reached("3a", 1, 0, 0.0099)  # ST2
    assert reached("3b", 0, 5, 0.5) and not reached("3b", 0, 6, 0.0)
    assert not reached("3b", 1, 5, 0.04) and reached("3b", 1, 5, 0.0399)
    assert not reached("3c", 0, 0, 0.015) and reached("3c", 0, 0, 0.0149) and not reached("3c", 0, 1, 0.0)


def test_window_criteria():
    assert [lstm.window_limit("5", stops) for stops in (0, 1)] == [139, 12]
    assert lstm.window_limit("4", 0) == lstm.window_limit("6a", 0) == 0 and lstm.window_limit("3a", 0) == -1
    assert lstm.window_reached("4", 0.0099) and not lstm.window_reached("4", 0.01)
    assert lstm.window_reached("6b", 0.099) and not lstm.window_reached("6b", 0.1)
    assert lstm.window_reached("5", 0.9)
    assert [lstm.stops_in(experiment) for experiment in ("3a", "3b", "3c", "5", "4")] == [2, 2, 1, 2, 1]


def test_the_window_counts_the_last_2000_sequences_and_stops_at_the_first_possible_one(tmp_path):
    settings = lstm.Settings(experiment="4", trials=3, max_sequences=10_000)
    stack = lstm.Stack([settings], tmp_path / "results.json")
    stops = []
    stack.stop = lambda lane: (stops.append((stack.n, stack.trials[lane].seed)), stack.trials[lane].stops.append({}))
    right, wrong, inexact = [0.001], [0.05], [0.03]
    for stack.n in range(1, 5001):
        first = right if stack.n != 500 else wrong  # wrong at 500: 501 ... 2500 are right
        second = right if stack.n > 100 else inexact  # right from the start, but with a mean above 0.01 for a while
        third = wrong if stack.n % 1000 == 0 else right
        staying = stack.stop_by_window(np.array([first, second, third][: len(stack.columns)]))
        if staying is not None:
            assert len(staying) < len(stack.trials)
            break
    assert stops == [(2000, 1)]
    stack = lstm.Stack([settings], tmp_path / "results.json")
    stack.stop = lambda lane: (stops.append((stack.n, stack.trials[lane].seed)), stack.trials[lane].stops.append({}))
    for stack.n in range(1, 2501):
        stack.stop_by_window(np.array([right if stack.n != 500 else wrong, wrong, wrong]))
    assert stops[1:] == [(2500, 0)]


# --- gradients --------------------------------------------------------------------------------------------------------


def test_the_gradient_check_passes(capsys):
    assert lstm.gradcheck_all() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 36 and all(line.endswith("ok") for line in lines)


def mutated(old, new):
    """The module with one piece of its text replaced."""
    assert SOURCE.count(old) == 1, f"{SOURCE.count(old)} times: {old}"
    spec = importlib.util.spec_from_loader("mutant", loader=None)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(ROOT / "lstm_1997.py")
    sys.modules["mutant"] = module
    exec(compile(SOURCE.replace(old, new), "mutant", "exec"), module.__dict__)
    return module


CHECKED = {
    "end": dict(experiment="4", T=30, ranges="h4"), "steps": dict(experiment="1", blocks=3, ranges="h4"),
    "symbols": dict(experiment="2c", q=20, p=5), "layered": dict(experiment="2b", p=30, errors_at="end"),
    "layered steps": dict(experiment="2a", p=30), "at once": dict(experiment="2c", q=20, p=5, recurrent="none")}
BOTH = (  # seen by the truncated and by the full gradient
    ("end", "np.subtract(1, to_cell, out=to_cell)", "np.subtract(2, to_cell, out=to_cell)"),
    ("end", "np.multiply(to_cell, y_in, out=to_cell)", "np.multiply(to_cell, 1, out=to_cell)"),
    ("end", "np.subtract(1, y_in, out=to_gate)", "np.subtract(1, y_in * y_in, out=to_gate)"),
    ("end", "np.multiply(to_gate, self.put[steps], out=to_gate)", "pass"),
    ("end", "(1 if self.shape.identity_h else 1 - h * h)", "1"),
    ("end", "return 0.5 * self.h_range * (1", "return self.h_range * (1"),
    ("end", "self.dW *= 2 * self.fold", "self.dW *= 1"),
    ("end", "self.shape.block_size, self.shape.blocks, *rows.shape[2:]).sum(1)",
     "self.shape.block_size, self.shape.blocks, *rows.shape[2:])[:, 0]"),
    ("end", "self.local[len(local) : n * self.stretch] = 0", "self.local[len(local) : n * self.stretch] = 1"),
    ("at once", "np.cumsum(put, axis=0, out=self.sigma[1 : last + 1])", "self.sigma[1 : last + 1] = put"),
    ("at once", "        y[:, : 3 * C] += self.shift\n", ""),
    ("at once", "np.multiply(y[:, 2 * C : 3 * C], h, out=y[:, :C])", "y[:, :C] = h"),
    ("symbols", "where = (self.lane * self.shape.inputs + self.x[: len(local)]).ravel()",
     "where = (self.lane * self.shape.inputs + self.x[: len(local)] * 0).ravel()"),
    ("steps", "            self.delta *= self.shape.exists\n\n    def local", "            pass\n\n    def local"),
    ("end", "e.sum(0, out=self.dW_out[..., -1])", "e.mean(0, out=self.dW_out[..., -1]).__imul__(0.5)"),
)
TRUNCATED = (
    ("end", "= epsilon * y_out * self.slope_h(h)  # A.21\n        e_out", "= epsilon * self.slope_h(h)\n        e_out"),
    ("end", "* h * y_out * (1 - y_out)  # A.19\n        if", "* y_out * (1 - y_out)\n        if"),
    ("end", "* h * y_out * (1 - y_out)  # A.19\n        if", "* h * y_out\n        if"),
    ("end", "local[slots, 2 * C :, self.lane] = e_out.T", "local[slots - 1, 2 * C :, self.lane] = e_out.T"),
    ("end", "            local[:, 2 * C :] = 0\n", ""),
    ("steps", "met = e_s[::-1].cumsum(0)[::-1]", "met = e_s.cumsum(0)"),
    ("steps", "met = e_s[::-1].cumsum(0)[::-1]", "met = e_s"),
    ("steps", "            local[:, 2 * C :] = e_out\n", "            local[:, 2 * C :] = 0\n"),
    ("end", "np.multiply(to_cell, met * self.scale[:C], out", "np.multiply(to_cell, met, out"),
    ("end", "np.multiply(to_gate, met + met, out", "np.multiply(to_gate, met, out"),
    ("symbols", "            local[end + 1 :, :, lane] = 0\n", "            pass\n"),
    ("end", "local[end + 1 :, :, lane] = 0", "local[end:, :, lane] = 0"),
    ("layered", "np.add.at(self.dV, (self.lane, symbols), e)", "self.dV[self.lane, symbols] = 0"),
    ("layered steps", "            self.dV[:] = 0\n", ""),
)
FULL = (
    ("end", "arriving[slots, :, self.lane] = (epsilon * self.h_range).T", "arriving[slots, :, self.lane] = epsilon.T"),
    ("steps", "arriving[:] = epsilon * self.h_range", "arriving[:] = epsilon"),
    ("end", "W = 2 * self.W_rows[:, :, : 3 * C]", "W = self.W_rows[:, :, : 3 * C]"),
    ("end", "e_c, y_in, y_out = back[:C] + arriving[t], y", "e_c, y_in, y_out = arriving[t], y"),
    ("end", "e_s += e_c * y_out", "e_s = e_c * y_out"),
    ("end", "self.slope_h(self.h[t]) / self.h_range", "self.slope_h(self.h[t])"),
    ("end", "e_s * self.scale[:C] * to_cell[t]", "e_s * to_cell[t]"),
    ("end", "2 * e_s * to_gate[t] + back[C : 2 * C] * y_in * (1 - y_in)", "2 * e_s * to_gate[t]"),
    ("end", "2 * e_s * to_gate[t] + back", "e_s * to_gate[t] + back"),
    ("end", "(back[2 * C :] + e_c * self.h[t])", "(e_c * self.h[t])"),
    ("end", "(back[2 * C :] + e_c * self.h[t])", "(back[2 * C :] + e_c)"),
    ("end", "back = np.vecmat(local[t].T, W).T", "pass"),
)
STEPWISE = (
    ("steps", "running += into.T", "running = into.T"),
    ("steps", "[self.scale[:C] * to_cell, 2 * to_gate]", "[to_cell, 2 * to_gate]"),
    ("steps", "[self.scale[:C] * to_cell, 2 * to_gate]", "[self.scale[:C] * to_cell, to_gate]"),
    ("steps", ".T * 2 * self.fold[:, 0]", ".T"),
    ("steps", "self.over_copies(change[:, C:])  # A.24", "change[:, C : C + b]"),
    ("steps", "* y_out * self.slope_h(h)  # A.21\n            e_out", "* self.slope_h(h)\n            e_out"),
    ("steps", "np.concatenate([e_s, e_s]).T[:, :, None]", "np.concatenate([e_s, 0 * e_s]).T[:, :, None]"),
    ("steps", "* h * y_out * (1 - y_out)  # A.19\n            change", "* h * y_out\n            change"),
    ("steps", "self.over_copies(e_out.T)[:, :, None] * y_m[:, None]", "0"),
    ("steps", "e[:, :, None] * (y_c * self.h_range).T[:, None]", "e[:, :, None] * y_c.T[:, None]"),
    ("steps", "self.delta[:, :dense] *= self.shape.exists[:dense]", "pass"),
    ("steps", "            self.fold_weights()\n            self.run(t, t + 1)", "            self.run(t, t + 1)"),
    ("layered steps", "self.V[self.lane, self.x[t]] += lr * e", "pass"),
    ("steps", "target, end, first=t)[0]", "target, end)[0]"),
)


def passes(module, check, gradient):
    settings = module.Settings(**CHECKED[check])
    with np.errstate(all="ignore"):
        if gradient == "full":
            return all(row[-1] for row in module.check_full(settings, 4))
        return module.check_truncated(settings, 4)[1] <= module.APPENDIX_TOLERANCE


@pytest.mark.parametrize("check", CHECKED)
def test_the_checks_the_mutants_face_pass_without_them(check):
    assert passes(lstm, check, "truncated")
    assert check.startswith("layered") or passes(lstm, check, "full")


@pytest.mark.parametrize("gradient, mutants", [
    ("truncated", BOTH + TRUNCATED), ("full", BOTH[:9] + FULL), ("truncated", STEPWISE)],
    ids=["truncated", "full", "stepwise"])
def test_every_mutant_is_rejected(gradient, mutants):
    survivors = [(old, new) for check, old, new in mutants if passes(mutated(old, new), check, gradient)]
    assert survivors == []


def test_without_recurrence_all_steps_at_once_give_the_bits_of_one_at_a_time(monkeypatch):
    settings = lstm.Settings(**CHECKED["at once"])
    net, x, _, end = lstm.checked_net(settings, 4)
    at_once = net.forward(x, end)
    monkeypatch.setattr(lstm.Net, "run_at_once", lambda net, last: net.run(0, last))
    assert (net.forward(x, end) == at_once).all()
    assert not net.W[:, :, : net.shape.hidden].any() and net.shape.weights == 9 * 6 + 2 * 2


def test_without_recurrence_the_truncated_gradient_is_the_full_one():
    for check, equal in (("at once", True), ("symbols", False)):
        net, x, target, end = lstm.checked_net(lstm.Settings(**CHECKED[check]), 4)
        e = net.errors(net.forward(x, end), target, end)
        net.backward(e, end)
        truncated = net.delta.copy()
        net.backward(e, end, full=True)
        assert np.allclose(net.delta, truncated, rtol=1e-10, atol=1e-15) == equal


def test_carried_derivatives_go_on_from_string_to_string():
    settings = lstm.Settings(experiment="1", blocks=3, update="step", carry_derivatives=True, ranges="h4")
    net, *_ = lstm.checked_net(settings, 0)
    shape = net.shape
    running = np.zeros((2, 2 * shape.cells, shape.sources))
    x, target, end = lstm.stacked([lstm.Trial(settings, seed).draw(3) for seed in (0, 1)])
    start, literal = net.theta.copy(), net.theta.copy()
    for k in range(3):
        net.learn_every_step(x[k], target[k], end[k], running)
    for lane in range(2):
        readings = lstm.Readings(*(value[lane : lane + 1] for value in net.readings))
        for derivatives in (np.zeros((2, shape.cells, shape.sources + shape.inputs)), None):
            literal[lane] = start[lane]
            for k in range(3):
                last = end[k, lane]
                wanted = np.full((shape.steps, shape.outputs), np.nan)
                wanted[: last + 1] = lstm.one_hot(target[k, : last + 1, lane], shape.outputs)
                lstm.appendix(shape, literal[lane], readings, x[k][:, lane], wanted, last, True, derivatives)
            worst = lstm.worst_error(shape, net.theta[lane] - start[lane], literal[lane] - start[lane])
            assert worst > 1e-3 if derivatives is None else worst < 1e-9


def run(*words, cwd, timeout=120, script=ROOT / "lstm_1997.py", environment=None):
    return subprocess.run(
        [sys.executable, str(script), *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=timeout,
        env=os.environ | (environment or {}))


def test_a_mutant_fails_on_the_command_line(tmp_path):
    old, new = "np.multiply(to_gate, met + met, out", "np.multiply(to_gate, met, out"
    checks = 'dict(experiment="4", T=30), dict(experiment="6a"), '
    assert SOURCE.count(checks) == 1
    source = SOURCE.replace(old, new)
    first, last = source.index(checks), source.index("errors_at=\"end\"))", source.index(checks))
    script = tmp_path / "lstm_1997.py"
    script.write_text(source[:first] + 'dict(experiment="4", T=30), ' + source[last + len('errors_at="end")') :])
    done = run("--gradcheck", cwd=tmp_path, script=script)
    assert done.returncode == 1 and "FAILED" in done.stdout


# --- torch ------------------------------------------------------------------------------------------------------------


def compare_with(arrays):
    for name in reference.CASES:
        settings, shape, theta, x, target, end = reference.case(name)
        net = lstm.Net(shape, theta.copy(), lstm.Readings.of([settings] * 2))
        y = net.forward(x, end)
        for kind in ("truncated", "full"):
            net.backward(net.errors(y, target, end), end, full=kind == "full")
            for lane in range(2):
                outputs = y[: end[lane] + 1, lane] if shape.every_step else y[lane]
                assert abs(outputs - arrays[f"{name} {lane} outputs"]).max() < 1e-12
                assert abs(net.delta[lane] - arrays[f"{name} {lane} {kind}"]).max() < 1e-12


def test_outputs_and_gradients_are_those_torch_computed_once():
    with np.load(reference.FILE) as arrays:
        assert len(arrays.files) == 3 * 2 * len(reference.CASES)
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

READINGS = [
    dict(experiment="6a"), dict(experiment="4"), dict(experiment="3b", N=1), dict(experiment="2c", q=50),
    dict(experiment="2c", q=130, p=7), dict(experiment="1", blocks=3), dict(experiment="1", update="step"),
    dict(experiment="2a", p=10, update="step", add_cell_when=0), dict(experiment="2b", p=10, add_cell_when=0),
    dict(experiment="6a", gradient="full"), dict(experiment="1", update="step", carry_derivatives=True)]


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_a_trial_gives_the_same_bits_alone_and_in_company(reading, tmp_path, monkeypatch):
    monkeypatch.setattr(lstm, "CHUNK", 8)  # sequences of many lengths, and an update after each
    weights = []
    for trials in (1, 10, 60):
        stack = lstm.Stack([lstm.Settings(trials=trials, **reading)], tmp_path / "results.json")
        stack.train_chunk()
        weights.append(stack.theta[0])
    assert np.array_equal(weights[0], weights[1]) and np.array_equal(weights[0], weights[2])


def test_trials_that_leave_do_not_change_the_others(tmp_path):
    settings = lstm.Settings(experiment="4", trials=6)
    whole, thinned = (lstm.Stack([settings], tmp_path / "results.json") for _ in range(2))
    for keep in ([0, 2, 3, 5], [1, 2], [1]):  # of seeds 0 ... 5, then 0, 2, 3, 5, then 2, 3; 3 stays alone
        whole.train_chunk()
        thinned.train_chunk()
        thinned.narrow(keep)
    whole.train_chunk()
    thinned.train_chunk()
    assert thinned.trials[0].seed == 3 and len(thinned.theta) == 2
    assert np.array_equal(thinned.theta[0], whole.theta[3])


def test_rows_in_one_stack_give_what_they_give_alone(tmp_path):
    rows = [lstm.Settings(experiment="3a", N=3, trials=2, max_sequences=1000),
            lstm.Settings(experiment="3c", N=1, trials=2, max_sequences=1000)]
    assert len(lstm.stacks(rows)) == 1
    options = lstm.Options(out=str(tmp_path / "results.json"))
    together = lstm.train(rows, options)
    for row, record in zip(rows, together):
        (alone,) = lstm.train([row], options)
        assert alone["final"] == record["final"] and alone["history"] == record["history"]


def test_rows_of_different_shape_are_not_stacked():
    rows = [settings_of(line) for line in lstm.LINES + lstm.OTHER_LINES]
    groups = lstm.stacks(rows)
    assert sorted(map(id, rows)) == sorted(id(row) for group in groups for row in group)
    assert all(sum(row.trials for row in group) <= lstm.STACK for group in groups)
    for group in groups:
        assert len({(lstm.Shape(row).key, row.update) for row in group}) == 1
    step = lstm.Settings(experiment="1", update="step")
    carried = lstm.Settings(experiment="1", update="step", carry_derivatives=True)
    assert len(lstm.stacks([step, carried, lstm.Settings(experiment="1")])) == 3


def results_of(folder):
    record = json.loads((folder / "results.json").read_text())["lstm_1997"][0]
    del record["provenance"]
    return record


SHORT = ("--experiment", "4", "--trials", "3", "--max-sequences", "2500", "--quiet")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert run(*SHORT, cwd=folder).returncode == 0
    return results_of(folder)


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_ended_run_goes_on_to_the_same_bytes(how, code, tmp_path, uninterrupted):
    command = [sys.executable, str(ROOT / "lstm_1997.py"), *SHORT, "--checkpoint-every", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*.npz")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(how)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == code and not (tmp_path / "results.json").exists()
    assert how != signal.SIGINT or "goes on from the checkpoint" in complaint
    assert len(list(tmp_path.glob("*.npz"))) == 1
    assert run(*SHORT, cwd=tmp_path).returncode == 0
    assert results_of(tmp_path) == uninterrupted
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize("reading", [
    dict(experiment="2b", p=10, errors_at="xy-end"), dict(experiment="1", update="step", carry_derivatives=True)])
def test_a_resumed_stack_has_the_same_bytes(reading, tmp_path):
    rows = [lstm.Settings(trials=3, **reading)]
    whole, first, second = (lstm.Stack(rows, tmp_path / "results.json") for _ in range(3))
    for _ in range(4):
        whole.train_chunk()
    for _ in range(2):
        first.train_chunk()
    first.save()
    second.resume()
    assert second.n == 2 * lstm.CHUNK
    for _ in range(2):
        second.train_chunk()
    for name in ("theta", "before", "running", "wrong", "window_error", "window_wrong"):
        assert np.array_equal(getattr(whole, name), getattr(second, name))
    assert [trial.state() for trial in whole.trials] == [trial.state() for trial in second.trials]


def test_a_checkpoint_of_other_code_or_a_broken_one_is_refused(tmp_path, monkeypatch):
    stack = lstm.Stack([lstm.Settings(experiment="4", trials=2)], tmp_path / "results.json")
    stack.save()
    monkeypatch.setattr(lstm, "source_hash", lambda path: "other")
    with pytest.raises(lstm.ResultsError, match="made by other code"):
        stack.resume()
    stack.checkpoint.write_bytes(b"no archive")
    with pytest.raises(lstm.ResultsError, match="cannot be read"):
        stack.resume()


def test_a_full_disk_does_not_end_the_training(tmp_path, capsys, monkeypatch):
    stack = lstm.Stack([lstm.Settings(experiment="4", trials=2)], tmp_path / "results.json")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lstm.np, "savez", full)
    stack.save()
    assert "cannot write the checkpoint" in capsys.readouterr().err and not list(tmp_path.glob("*.npz*"))


def test_weights_that_are_not_finite_end_their_trial_alone(tmp_path, monkeypatch):
    start = lstm.Trial.start
    monkeypatch.setattr(
        lstm.Trial, "start", lambda trial, shape: start(trial, shape) * (math.nan if trial.seed == 1 else 1))
    words = ["--experiment", "4", "--trials", "2", "--max-sequences", "200", "--quiet"]
    assert lstm.main([*words, "--out", str(tmp_path / "results.json")]) == 1
    final = results_of(tmp_path)["final"]
    assert final["status"] == "diverged" and final["mean_absolute_error"][1] is None
    assert final["mean_absolute_error"][0] < 1


def test_the_cell_is_added_when_asked_or_when_the_error_stalls(tmp_path):
    rows = [lstm.Settings(experiment="2a", p=10, trials=2, update="step", add_cell_when=when) for when in (200, None)]
    for row in rows:
        stack = lstm.Stack([row], tmp_path / "results.json")
        outputs, curve = [], [np.inf]
        for _ in range(12):
            before = [trial.added_after for trial in stack.trials]
            if before[0] is None:
                W_c = stack.net.W[0, : stack.shape.hidden].copy()
            stack.train_chunk()
            if before[0] is None:  # an absent cell neither speaks nor learns
                assert np.array_equal(stack.net.W[0, : stack.shape.hidden], W_c)
            outputs.append(stack.trials[0].added_after)
            curve.append(stack.before[0])
        if row.add_cell_when:
            assert outputs[0] is None and set(outputs[1:]) == {200}
        else:
            first = next((k for k in range(1, 13) if curve[k] >= curve[k - 1]), None)
            assert outputs[-1] == (first and 100 * first)


# --- record and command line ------------------------------------------------------------------------------------------


def test_a_record_holds_what_its_readers_need(tmp_path):
    row = lstm.Settings(experiment="5", trials=2, max_sequences=200)
    (record,) = lstm.train([row], lstm.Options(out=str(tmp_path / "results.json")))
    final = record["final"]
    assert lstm.Settings(**record["settings"]) == row and record["seeds"] == [0, 1]
    assert final["sequences_to_success"] == [None, None] and final["trials_stopped"] == 0
    assert final["sequences_at_first_stop"] == [None, None] and final["test_sequences"] == 2560
    assert record["history"]["train_sequences"] == [] or record["history"]["train_sequences"][-1] == 200
    assert lstm.summary(record).startswith("5 T=100 [literal]: 0 of 2 trials stop, median above the cap")


def test_counts_treat_capped_trials_as_larger():
    assert lstm.counts([100, 300, None]) == "2 of 3 trials stop, median 300, mean of those 200 [100, 300]"
    assert lstm.counts([None, 300, None]).startswith("1 of 3 trials stop, median above the cap")


def test_stored_weights_give_the_recorded_figures():
    results = json.loads((ROOT / "results.json").read_text()) if (ROOT / "results.json").exists() else {}
    records = [record for record in results.get("lstm_1997", []) if "weights" in record]
    for record in records:
        row, seed = lstm.Settings(**record["settings"]), record["weights"]["seed"]
        stack = lstm.Stack([lstm.Settings(**record["settings"] | dict(seed=seed, trials=1))], "unused")
        stack.theta[0] = record["weights"]["theta"]
        figures = stack.trials[0].figures(stack.tester(0))
        k = record["seeds"].index(seed)
        assert figures["wrong"] == record["final"]["wrong"][k], row.named
        if figures["mean_absolute_error"] is not None:
            assert figures["mean_absolute_error"] == pytest.approx(record["final"]["mean_absolute_error"][k], rel=1e-12)


@pytest.mark.parametrize("words, complaint", [
    (["--experiment", "7"], "invalid choice"), (["--table", "10"], "invalid choice"),
    (["--experiment", "4", "--q", "3"], "--q has no meaning for experiment 4"),
    (["--experiment", "6a", "--update", "step"], "--update step needs errors at every step"),
    (["--experiment", "2a", "--update", "step", "--full-gradient"], "truncated gradient only"),
    (["--experiment", "4", "--errors-at", "end"], "--errors-at has no meaning for experiment 4"),
    (["--experiment", "2a", "--errors-at", "end"], "criterion"),
    (["--experiment", "2b", "--recurrent", "none"], "--recurrent has no meaning for experiment 2b"),
    (["--experiment", "4", "--add-cell-when", "100"], "--add-cell-when has no meaning"),
    (["--experiment", "1", "--carry-derivatives"], "--carry-derivatives needs --experiment 1 --update step"),
    (["--flat-spot", "0.2"], "--flat-spot needs --output-error flat-spot"),
    (["--max-sequences", "150"], "must be a multiple of 100"), (["--lr", "nan"], "not a number"),
    (["--trials", "0"], "not between"), (["--T", "20", "--experiment", "4"], "--T 22 or more"),
    (["--experiment", "count", "--T", "50", "--N", "50"], "--N must be below --T"),
    (["--table", "7", "--experiment", "4"], "exclude each other"), (["--all", "--table", "7"], "exclude each other"),
    (["--table", "7", "--T", "50"], "no row of the paper"),
    (["--full-gradient", "--gradient", "truncated"], "contradicts"), (["--out", "no/such/folder.json"], "folder"),
    (["--experiment", "4", "--T", "10000", "--trials", "1000"], "more than 8 GB"),
    (["--experiment", "2a", "--p", "10000"], "more than 8 GB"), (["--seed", "-1"], "not between"),
    (["--nonsense"], "unrecognized")])
def test_bad_input_is_one_line_and_code_2(words, complaint, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        lstm.main(words)
    output = capsys.readouterr()
    assert ended.value.code == 2 and output.out == ""
    assert len(output.err.splitlines()) == 1 and complaint in output.err


def test_a_foreign_results_file_or_checkpoint_stops_the_program_before_it_works(tmp_path, capsys):
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(SystemExit) as ended:
        lstm.main(["--out", str(tmp_path / "results.json")])
    assert ended.value.code == 2 and "not a results file" in capsys.readouterr().err
    lstm.checkpoint_path([lstm.Settings()], tmp_path / "other.json").write_bytes(b"?")
    with pytest.raises(SystemExit) as ended:
        lstm.main(["--out", str(tmp_path / "other.json")])
    assert ended.value.code == 2 and "move it away" in capsys.readouterr().err


def test_runs_alone_in_an_empty_folder(tmp_path):
    (tmp_path / "lstm_1997.py").write_text(SOURCE)
    done = run(
        "--table", "4", "5", "--T", "100", "--N", "3", "--trials", "2", "--max-sequences", "100", cwd=tmp_path,
        script=tmp_path / "lstm_1997.py")
    assert done.returncode == 0, done.stderr
    assert "3a T=100 N=3 [literal]: 0 of 2" in done.stdout and "3b T=100 N=3 [literal]: 0 of 2" in done.stdout
    assert len(json.loads((tmp_path / "results.json").read_text())["lstm_1997"]) == 2


def test_two_processes_give_the_same_records(tmp_path):
    words = ["--table", "9", "--trials", "2", "--max-sequences", "100", "--quiet"]
    for name, jobs in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        assert run(*words, "--jobs", jobs, cwd=tmp_path / name).returncode == 0
    one, two = (json.loads((tmp_path / name / "results.json").read_text())["lstm_1997"] for name in ("one", "two"))
    for record in (*one, *two):
        del record["provenance"]
    assert one == two and len(one) == 2


# --- benchmark --------------------------------------------------------------------------------------------------------


def test_the_textbook_loop_of_the_benchmark_computes_the_same():
    ours, _ = bench.lockstep(100, 2, 3)
    textbook, _ = bench.loop(100, 3)
    before = lstm.Trial(lstm.Settings(experiment="4"), 0).start(lstm.Shape(lstm.Settings(experiment="4")))
    after = ours()
    assert abs(after - before).max() > 1e-3
    assert abs(after - textbook()).max() < 1e-12


def test_forward_mode_needs_no_more_memory_for_a_longer_sequence():
    _, _, short = bench.forward_mode(50, 50)
    weights, _, long = bench.forward_mode(50, 400)
    larger, _, wide = bench.forward_mode(400, 50)
    assert long < 1.05 * short
    assert wide / short < 1.2 * larger / weights


# --- docs -------------------------------------------------------------------------------------------------------------


def test_the_plans_commands_are_understood(tmp_path):
    text = (ROOT / "docs" / "lstm_1997_plan.md").read_text(encoding="utf-8")
    commands = [words.split() for words in re.findall(r"`(--[^`]+)`", text)]
    assert len(commands) > 15
    for words in commands:
        rows, _, _ = lstm.parse([*words, "--out", str(tmp_path / "results.json")])
        for row in rows:
            assert row.in_paper or row.line in lstm.OTHER_LINES
            assert (row.seed, row.trials) == (0, row.line.trials)


def test_every_run_of_the_studies_is_one_command(tmp_path):
    seen = set()
    for _, arms, _ in studies.STUDIES.values():
        for arm in arms:
            words = studies.command(arm).split()
            rows, _, _ = lstm.parse([*words[2:], "--out", str(tmp_path / "results.json")])
            assert words[:2] == ["python3", "lstm_1997.py"] and rows == [lstm.Settings(**arm)]
            seen.update(rows)
    assert len(seen) == sum(len(arms) for _, arms, _ in studies.STUDIES.values())
    literal = {row.line for row in (lstm.Settings(**run) for run in studies.ROWS) if row.reading == "literal"}
    assert literal == set(lstm.LINES)
    for row in (lstm.Settings(**run) for run in studies.ROWS):
        enough = row.line.paper - 100 if row.T == 1000 else 2 * row.line.paper
        assert row.max_sequences >= enough
        assert (row.in_paper, row.trials, row.seed) == (True, row.line.trials, 0)


def test_a_study_trains_what_is_missing_and_no_more(tmp_path, capsys):
    words = ["--trials", "2", "--max-sequences", "100", "--out", str(tmp_path / "results.json")]
    assert studies.main(["--run", "lstm-values-6a", *words]) == 0
    before = (tmp_path / "results.json").read_text()
    records = json.loads(before)["lstm_1997"]
    assert len(records) == len(studies.VALUES_6A) and all(len(record["seeds"]) == 2 for record in records)
    capsys.readouterr()
    assert studies.main(["--run", "lstm-values-6a", *words]) == 0
    assert capsys.readouterr().out == "nothing is missing: every run has a record\n"
    assert (tmp_path / "results.json").read_text() == before
    with pytest.raises(SystemExit) as ended:
        studies.main(["--run", "lstm-values-6a", "--max-sequences", "150"])
    assert ended.value.code == 2 and "multiple of 100" in capsys.readouterr().err


def test_the_pictures_are_drawn_from_results_json(tmp_path):
    if not (ROOT / "results.json").exists():
        pytest.skip("no results.json")
    words = ["--results", ROOT / "results.json", "--outdir", tmp_path]
    done = run(*words, cwd=ROOT, script=ROOT / "visualize_lstm_1997.py")
    assert done.returncode == 0, done.stderr
    assert "no record yet" not in done.stdout
    names = ("complexity", "error_flow", "cec", "paper_vs_ours", "scaling_2c", "first_weights")
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.png" for name in names}


def test_the_pictures_refuse_an_unusable_place_or_file(tmp_path):
    (tmp_path / "file").write_text("{")
    assert_bad_input(run_script("visualize_lstm_1997.py", "--outdir", "file", cwd=tmp_path), "file")
    assert_bad_input(run_script("visualize_lstm_1997.py", "--results", "file", cwd=tmp_path), "not valid JSON")
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "file.lock", "results.json.lock"}
