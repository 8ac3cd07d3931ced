"""cascade_correlation.py: quickprop, the candidates' slopes and their mutants, the growing net, resume, flags."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, assert_checkpoint_refused, execute, interrupted_after_each_trial, mutated
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import cascade_correlation as cc
import harness
import lstm_1997 as lstm

SCRIPT = "cascade_correlation.py"
NOWHERE = cc.Options(out=None)  # no checkpoint
few = hypothesis_settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**32)


def logistic(net):
    return 1 / (1 + np.exp(-net))


# --- gradients --------------------------------------------------------------------------------------------------------


def test_the_gradient_check_passes(capsys):
    assert cc.main(["--gradcheck"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(line.endswith("ok") for line in lines)


MUTANTS = (
    ("local[t] += later", "pass"), ("local[t] *= 0.25 - V[t] * V[t]", "local[t] *= 0.25"),
    ("local[t] *= 0.25 - V[t] * V[t]", "local[t] *= V[t] * (1 - V[t])"),
    ("later = w[:, -1:] * local[t]", "later = local[t]"),
    ("later = w[:, -1:] * local[t]", "later = w[:, :1] * local[t]"),
    ("g = np.sign(correlation) @ residual", "g = correlation @ residual"),
    ("@ residual / (error * error).sum()", "@ residual"),
    ("@ residual / (error * error).sum()", "@ error / (error * error).sum()"),
    ("strings.in_line(local) @ features.T", "strings.in_line(V) @ features.T"),
    ("(local[1:] * V[:-1]).sum((0, 2))", "(local * V).sum((0, 2))"),
    ("(local[1:] * V[:-1]).sum((0, 2))", "0"),
    ("for t in reversed(range(len(V))):", "for t in range(len(V)):"))


def passes(module):
    with np.errstate(all="ignore"):
        return all(row[-1] for row in module.check_candidates("1"))


def test_every_mutant_is_rejected():
    assert len(MUTANTS) >= 10 and passes(cc)
    survivors = []
    for old, new in MUTANTS:
        try:
            survived = passes(execute(mutated(SCRIPT, "def candidate_slopes(", old, new), "cascade_correlation_mutant"))
        except (ValueError, IndexError):  # arrays that no longer fit together
            survived = False
        if survived:
            survivors.append((old, new))
    assert survivors == []


def test_a_mutant_fails_on_the_command_line(capsys):
    source = mutated(SCRIPT, "def candidate_slopes(", "local[t] += later", "pass")
    assert execute(source, "cascade_correlation_mutant").main(["--gradcheck"]) == 1
    assert "FAILED" in capsys.readouterr().out


# --- model and optimizer ----------------------------------------------------------------------------------------------


def test_quickprop_jumps_to_the_minimum_of_a_parabola_and_never_grows_too_fast():
    quickprop, w = cc.Quickprop((2,), 0.05, 0.0), np.array([4.0, -1.0])
    curvature, minimum, path = np.array([1.0, 3.0]), np.array([1.0, 2.0]), [np.array([4.0, -1.0])]
    for _ in range(12):
        quickprop(w, curvature * (w - minimum))
        path.append(w.copy())
    assert w == pytest.approx(minimum, abs=1e-3)
    steps = np.diff(path, axis=0)
    slopes = curvature * (np.array(path[1:-1]) - minimum)
    assert (abs(steps[1:]) <= cc.MU * abs(steps[:-1]) + 0.05 * abs(slopes) + 1e-12).all()


@few
@given(seeds)
def test_quickprop_is_fahlmans_rule(seed):
    rng = np.random.default_rng(seed)
    quickprop, w = cc.Quickprop((6,), 0.3, 0.01), rng.normal(size=6)
    quickprop.step, quickprop.last = rng.choice([-1, 0, 1], 6) * rng.random(6), rng.normal(size=6)
    d, p, slope = quickprop.step.copy(), quickprop.last.copy(), rng.normal(size=6)
    s, before, shrink = slope + 0.01 * w, w.copy(), cc.MU / (1 + cc.MU)
    quickprop(w, slope)
    for k in range(6):
        step = 0.0
        if d[k] == 0:
            step = -0.3 * s[k]
        else:
            if d[k] * s[k] < 0:
                step -= 0.3 * s[k]
            if (s[k] >= shrink * p[k]) if d[k] < 0 else (s[k] <= shrink * p[k]):
                step += cc.MU * d[k]
            else:
                step += np.clip(d[k] * s[k] / (p[k] - s[k]), -cc.MU * abs(d[k]), cc.MU * abs(d[k]))
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
    trial = cc.Trial(cc.Settings(), 0)
    part = lstm.reber_sets(0)[0]
    strings = cc.Strings(lstm.Sequences(part.x[:12], part.end[:12], part.target[:12], part.truth[:12]))
    trial.net.add(trial.net.candidates(trial.net.features(strings))[0], np.ones(7))
    features = trial.net.features(strings)
    error, _ = trial.net.error(features, strings.target)
    w = trial.net.candidates(features)
    scores, slopes, correlation = cc.candidate_slopes(w, features, strings, error)
    for k in range(3):
        score, slope = forward_mode(w[k], features, strings, error)
        assert scores[k] == pytest.approx(score, rel=1e-10) and slopes[k] == pytest.approx(slope, rel=1e-8, abs=1e-14)
    assert scores == pytest.approx(abs(correlation).sum(1))


def test_a_cascade_unit_sees_what_is_below_it_and_itself_and_is_frozen():
    trial = cc.Trial(cc.Settings(p=4, experiment="2a"), 1)
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
    strings = cc.Strings(lstm.reber_sets(0)[0])
    line = np.random.default_rng(0).normal(size=(3, strings.target.size))
    assert strings.target.size == (lstm.reber_sets(0)[0].end + 1).sum()
    placed = strings.in_place(line)
    assert placed.shape == (3, *strings.inside.shape) and not placed[:, ~strings.inside].any()
    assert np.array_equal(strings.in_line(placed.transpose(1, 0, 2)), line)


def test_the_two_sequences_of_2a_are_all_there_are():
    both, drawn = cc.both_sequences(6), lstm.long_lag(np.random.default_rng(0), 100, 6, False, False)
    for name in ("x", "target"):
        known = {tuple(row) for row in getattr(both, name)}
        assert known == {tuple(row) for row in getattr(drawn, name)} and len(known) == 2
    assert both.end.tolist() == [5, 5]


# --- run, resume, command line ----------------------------------------------------------------------------------------

SMALL = dict(experiment="2a", p=3, trials=3)


@pytest.fixture(scope="module")
def whole():
    return cc.train(cc.Settings(**SMALL), NOWHERE)


def test_a_record_holds_what_its_readers_need(whole):
    final, row = whole["final"], cc.Settings(**SMALL)
    assert cc.Settings(**whole["settings"]) == row and whole["seeds"] == [0, 1, 2]
    assert final["status"] == "done" and final["trials_stopped"] == 3 and final["wrong"] == [0, 0, 0]
    assert all(n % 2 == 0 for n in final["sequences_to_success"]) and final["test_sequences"] == 2
    assert len(final["error_signal_at_start"]) == 3 and len(final["error_signal_at_end_of_first_symbol"]) == 3
    assert [len(weights) for weights in final["recurrent_weights"]] == final["hidden_units"]
    assert [len(curve) for curve in whole["history"]["squared_error"]] == final["hidden_units"]
    assert cc.summary(whole).startswith("cascade-correlation 2a p=3: 3 of 3 trials stop")
    assert "(a constant 2)" in cc.summary(whole)


def test_a_trial_that_is_given_up_before_its_first_unit_has_no_error_signal():
    final = cc.train(cc.Settings(**SMALL | dict(max_sequences=2)), NOWHERE)["final"]
    assert final["sequences_to_success"] == [None] * 3 and final["hidden_units"] == [0] * 3
    assert final["error_signal_at_end"] is None and final["error_signal_at_end_of_first_symbol"] == [None] * 3


def test_an_interrupted_run_goes_on_with_the_next_trial(tmp_path, monkeypatch, whole):
    resumed = interrupted_after_each_trial(cc, cc.Settings(**SMALL), tmp_path, monkeypatch)
    assert resumed["final"] == whole["final"] and resumed["history"] == whole["history"]


@pytest.mark.parametrize("after", (0, 3, 30))
def test_a_trial_that_is_stopped_has_no_figures(after, monkeypatch):
    calls = iter([False] * after)
    monkeypatch.setattr(harness, "stopped", lambda: next(calls, True))
    assert cc.Trial(cc.Settings(**SMALL, seed=1), 1).run() is None


def test_a_signal_to_the_group_ends_a_run_and_the_same_command_goes_on(tmp_path):
    words = [sys.executable, ROOT / SCRIPT, "--experiment", "2a", "--p", "10", "--trials", "40"]
    process = subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert "1 of 40 trials ended" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGTERM)
    _, complaint = process.communicate(timeout=100)
    assert process.returncode == 130 and "goes on from the checkpoint" in complaint
    (path,) = tmp_path.glob("*.npz")
    state, arrays = harness.read_checkpoint(path, cc.CODE)
    assert 1 <= len(state["done"]) < 40 and arrays == {}


@pytest.mark.parametrize(
    "state", [{}, dict(done=[1], seconds=0), dict(done={"7": {}}, seconds=0), dict(done={}, seconds="")])
def test_a_checkpoint_of_any_content_is_one_line(state, tmp_path, capsys):
    words = ["--experiment", "2a", "--p", "3", "--trials", "3"]
    assert_checkpoint_refused(cc, cc.Settings(**SMALL), words, state, tmp_path, capsys)


@pytest.mark.parametrize("words, complaint", [
    (["--experiment", "3a"], "invalid choice"), (["--p", "4"], "--p needs --experiment 2a"),
    (["--lr", "0.1"], "unrecognized"), (["--output-error", "plain"], "invalid choice"),
    (["--update", "step"], "unrecognized"), (["--trials", "0"], "not between"),
    (["--hidden", "x"], "not a whole number"), (["--out", "no/such/folder.json"], "folder")])
def test_bad_input_is_one_line_and_code_2(words, complaint, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cc.main(words)
    output = capsys.readouterr()
    assert ended.value.code == 2 and output.out == ""
    assert len(output.err.splitlines()) == 1 and complaint in output.err


def test_a_bundle_runs_alone_in_an_empty_folder(tmp_path, whole):
    (tmp_path / "alone.py").write_text(harness.bundle(ROOT / SCRIPT))
    words = ["--experiment", "2a", "--p", "3", "--trials", "3", "--quiet"]
    done = subprocess.run([sys.executable, "alone.py", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads((tmp_path / "results.json").read_text())[cc.EXPERIMENT]
    assert record["final"] == whole["final"] and not list(tmp_path.glob("*.npz"))


def test_the_defaults_are_the_papers_row():
    row = cc.Settings()
    assert (row.experiment, row.hidden, row.trials, row.max_sequences) == ("1", 25, 30, 2_000_000)
    assert cc.Settings(experiment="2a").p == 4 and cc.Settings(experiment="2a").trials == 18
