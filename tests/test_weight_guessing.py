"""weight_guessing.py: what is guessed, what a guess is shown, when it is right; resume, record, command line."""

import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, assert_checkpoint_refused, interrupted_after_each_trial

import harness
import lstm_1997 as lstm
import weight_guessing as wg

SCRIPT = "weight_guessing.py"
NOWHERE = wg.Options(out=None)  # no checkpoint


def logistic(net):
    return 1 / (1 + np.exp(-net))


def guess_trial(seed=0, **choice):
    return wg.Trial(wg.Settings(**(dict(experiment="3a", T=20, N=3) | choice)), seed)


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
        trial.guess(wg.GUESSES)
        counts.append(trial.guesses)
    assert abs(np.mean(counts) - 20) < 3 and abs(np.var(counts) - 380) < 150


def test_the_outcome_does_not_depend_on_how_many_are_guessed_at_once(monkeypatch):
    outcomes = []
    for at_once in (64, 1024):
        monkeypatch.setattr(wg, "GUESSES", at_once)
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
    fresh = wg.Trial(trial.settings, 0).figures(W)
    assert fresh == {name: figures[name] for name in fresh}


def test_a_net_of_one_hidden_unit_can_compute_parity():
    """Hidden: y and x are both 1; output: y or x, and not both. The task is there to be guessed."""
    a, b = 40.0, 80.0
    W = np.array([[0, a, a / 2, -a], [-2 * b, b, b / 2, 0]])  # sources: h, y, x (1 or -1), bias
    trial = guess_trial(experiment="parity", T=50, N=None)
    assert (trial.errors(W, trial.stop_set) < 0.3).all()


def test_tasks_and_criterion_are_those_of_lstm_1997():
    trial = wg.Trial(wg.Settings(), 3)
    stop = list(lstm.Trial(lstm.Settings(experiment="3a"), 3).stop_sets())
    for name in ("x", "end", "target"):
        assert np.array_equal(getattr(trial.stop_set, name), np.concatenate([getattr(part, name) for part in stop]))
    assert trial.tolerance == lstm.TOLERANCE["3a"]
    assert wg.Trial(wg.Settings(experiment="parity"), 0).tolerance == lstm.TOLERANCE["parity"]


# --- run, resume, command line ----------------------------------------------------------------------------------------

SMALL = dict(T=10, trials=3)


@pytest.fixture(scope="module")
def whole():
    return wg.train(wg.Settings(**SMALL), NOWHERE)


def test_a_record_holds_what_its_readers_need(whole):
    final = whole["final"]
    assert wg.Settings(**whole["settings"]) == wg.Settings(**SMALL) and whole["seeds"] == [0, 1, 2]
    assert final["status"] == "done" and final["trials_stopped"] == 3 and final["test_sequences"] == 2560
    assert all(n >= guesses for n, guesses in zip(final["sequences_to_success"], final["guesses"]))
    assert all(n <= m for n, m in zip(final["guesses_at_first_stop"], final["guesses"]))
    assert list(whole["weights"]) == ["0", "1", "2"] and all(len(weights) == 8 for weights in whole["weights"].values())
    assert wg.summary(whole).startswith("guessing 3a T=10 N=3 hidden=1: 3 of 3 trials stop")
    assert "(a constant 1280)" in wg.summary(whole)


def test_a_trial_that_is_given_up_has_no_figures():
    final = wg.train(wg.Settings(experiment="parity", T=50, trials=2, max_sequences=100), NOWHERE)["final"]
    assert final["sequences_to_success"] == final["wrong"] == final["mean_absolute_error"] == [None, None]


def test_an_interrupted_run_goes_on_with_the_next_trial(tmp_path, monkeypatch, whole):
    resumed = interrupted_after_each_trial(wg, wg.Settings(**SMALL), tmp_path, monkeypatch)
    assert resumed["final"] == whole["final"] and resumed["weights"] == whole["weights"]


@pytest.mark.parametrize("after", (0, 30, 100))
def test_a_trial_that_is_stopped_has_no_figures(after, monkeypatch):
    calls = iter([False] * after)
    monkeypatch.setattr(harness, "stopped", lambda: next(calls, True))
    assert guess_trial(T=10).run() is None


def test_a_signal_to_the_group_keeps_what_ended_in_both_processes(tmp_path):
    """Weights so small that no net is right: every trial is given up soon, and there are many."""
    words = ["--all", "--jobs", "2", "--trials", "1000", "--init", "1e-3", "--max-sequences", "1100"]
    process = subprocess.Popen(
        [sys.executable, ROOT / SCRIPT, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True)
    assert "1 of 1000 trials ended" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGTERM)
    _, complaint = process.communicate(timeout=100)
    assert process.returncode == 130 and complaint.count("\n") == 1 and "goes on from" in complaint
    kept = [harness.read_checkpoint(path, wg.CODE)[0] for path in tmp_path.glob("*.npz")]
    assert 1 <= len(kept) <= 2 and any(state["done"] for state in kept)


@pytest.mark.parametrize(
    "state", [{}, dict(done=[1], seconds=0), dict(done={"7": {}}, seconds=0), dict(done={}, seconds="")])
def test_a_checkpoint_of_any_content_is_one_line(state, tmp_path, capsys):
    assert_checkpoint_refused(wg, wg.Settings(**SMALL), ["--T", "10", "--trials", "3"], state, tmp_path, capsys)


def test_all_rows_are_table_4_and_parity(tmp_path):
    runs, _ = wg.parse(["--all", "--trials", "2", "--out", str(tmp_path / "r.json")])
    assert [(run.experiment, run.T, run.N, run.trials) for run in runs] == [
        ("3a", 100, 3, 2), ("3a", 100, 1, 2), ("3a", 1000, 3, 2), ("parity", 500, None, 2)]
    assert wg.Settings().trials == 10 and wg.Settings(T=1000).N == 3


@pytest.mark.parametrize("words, complaint", [
    (["--experiment", "2a"], "invalid choice"), (["--experiment", "parity", "--N", "3"], "--N needs --experiment 3a"),
    (["--test-every", "100"], "unrecognized"), (["--gradcheck"], "unrecognized"),
    (["--T", "20", "--N", "20"], "--N must be below --T"), (["--all", "--T", "20"], "--all excludes"),
    (["--trials", "0"], "not between"), (["--out", "no/such/folder.json"], "folder")])
def test_bad_input_is_one_line_and_code_2(words, complaint, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        wg.main(words)
    output = capsys.readouterr()
    assert ended.value.code == 2 and output.out == ""
    assert len(output.err.splitlines()) == 1 and complaint in output.err


def test_a_bundle_runs_alone_in_an_empty_folder(tmp_path, whole):
    (tmp_path / "alone.py").write_text(harness.bundle(ROOT / SCRIPT))
    words = [sys.executable, "alone.py", "--T", "10", "--trials", "3", "--quiet"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads((tmp_path / "results.json").read_text())[wg.EXPERIMENT]
    assert record["final"] == whole["final"] and not list(tmp_path.glob("*.npz"))


def test_stored_guesses_give_the_recorded_figures(results):
    assert results[wg.EXPERIMENT]
    for record in results[wg.EXPERIMENT]:
        settings, final, seed = wg.Settings(**record["settings"]), record["final"], record["seeds"][0]
        W = np.array(record["weights"][str(seed)]).reshape(settings.hidden + 1, -1)
        assert wg.Trial(settings, seed).figures(W)["wrong"] == final["wrong"][0]
