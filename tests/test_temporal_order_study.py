"""temporal_order_study.py: sequences against their definition, probe, training, command line, committed records."""

import contextlib
import json
import tracemalloc

import numpy as np
import pytest
from conftest import run_script
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import harness
import rnn_pathological as rp
import studies
import temporal_order_study as study

SCRIPT = "temporal_order_study.py"
KINDS = [(symbols, places, answer) for symbols in ("distinct", "marked") for places in ("regions", "early", "halves")
         for answer in ("both", "parity", "sum")]


@pytest.fixture
def small_sets(monkeypatch):
    monkeypatch.setattr(study, "N_TEST", 200)
    monkeypatch.setattr(study, "N_CURVE", 100)
    monkeypatch.setattr(study, "N_PROBE", 200)


def settings_of(symbols, places, answer, **changes):
    return study.Settings(symbols=symbols, places=places, answer=answer, **changes)


@pytest.mark.parametrize("symbols, places, answer", KINDS)
@hypothesis_settings(max_examples=10, deadline=None)
@given(T=st.integers(10, 70), seed=st.integers(0, 2**32))
def test_sequences_are_what_they_are_said_to_be(symbols, places, answer, T, seed):
    settings = settings_of(symbols, places, answer, sequence_len=T)
    task = study.task_of(settings)
    x, target, pair = task.generate(np.random.default_rng(seed), T, 7)
    assert x.shape == (T, task.n_in, 7) and target.shape == (1, 7) and pair.shape == (2, 7)
    regions = {"regions": (T // 10, T // 2, T // 10), "early": (T // 10, T // 5, T // 10),
               "halves": (0, T // 2, None)}[places]
    for k in range(7):
        if symbols == "marked":
            steps = np.flatnonzero(x[:, 1, k])
            values = x[steps, 0, k]
            assert set(np.unique(x[:, 1, k])) == {0.0, 1.0}
            if answer != "sum":
                assert set(np.unique(x[:, 0, k])) <= {0.0, 1.0}
        else:
            own = 1 if answer == "sum" else 2
            steps = np.flatnonzero(x[:, own:, k].sum(1) == 0)  # where there is no distractor
            values = x[steps, 0, k] if answer == "sum" else x[steps, :own, k].argmax(1)
            assert (x[:, own:, k].sum(1) == ~np.isin(np.arange(T), steps)).all()
            if answer != "sum":
                assert (x[:, :, k].sum(1) == 1).all()
        first, second, width = regions
        assert len(steps) == 2 and (values == pair[:, k]).all()
        assert first <= steps[0] < (first + width if width else T // 2)
        assert second <= steps[1] < (second + width if width else T)
        one, other = values
        assert target[0, k] == {"both": 2 * one + other, "parity": one != other, "sum": one + other}[answer]


@pytest.mark.parametrize("kind, task", [
    (("distinct", "regions", "both"), "temporal_order"), (("marked", "halves", "parity"), "xor"),
    (("marked", "halves", "sum"), "addition")])
def test_three_corners_are_tasks_of_the_project(kind, task):
    """The same shapes and the same distribution: mean input at every step and targets of 20,000 sequences."""
    here, there = study.task_of(settings_of(*kind)), rp.task_of(rp.Settings(task=task))
    assert (here.n_in, here.n_out, here.classes, here.chance, here.metric) == (
        there.n_in, there.n_out, there.classes, there.chance, there.metric)
    x, target, _ = here.generate(np.random.default_rng(1), 30, 20_000)
    other_x, other_target = there.generate(np.random.default_rng(2), 30, 20_000)
    np.testing.assert_allclose(x.mean(2), other_x.mean(2), atol=0.02)
    shares = [np.histogram(values, bins=8, range=(0, 4))[0] / 20_000 for values in (target, other_target)]
    np.testing.assert_allclose(*shares, atol=0.02)


def test_the_net_and_its_training_are_those_of_the_experiment(monkeypatch, small_sets):
    """Temporal order, learned by rnn_pathological.py on the same batches, ends in the same figures."""
    mine = study.Settings(updates=20)
    settings = rp.Settings(task="temporal_order", dtype="float32", epochs=1, batches_per_epoch=20)
    task = study.task_of(mine)
    monkeypatch.setattr(rp, "training_batches", lambda rng, settings, lengths: iter(
        lambda: task.generate(rng, settings.sequence_len, settings.batch)[:2], None))
    *_, (net, _, _, last) = rp.learn(settings)
    assert last
    record = study.train(mine, None)
    for name, value in study.evaluate(mine, net.theta, 200).items():
        assert record["final"][name] == rp.rounded(value)
    assert record["probe"]["end"] == study.probe(mine, net.theta)


def test_the_probe_finds_what_is_there_and_nothing_else(monkeypatch):
    """A net that only copies its last input: all of a symbol at the last step, nothing of an early one."""
    settings = settings_of("marked", "halves", "sum", sequence_len=10, hidden=4)
    monkeypatch.setattr(study, "draw_places", lambda places, rng, T, n: np.array([np.full(n, 2), np.full(n, T - 1)]))
    net = rp.RNN(2, 4, 1, 10, 1)
    net.tensors(net.theta)["W_xh"][0, 0] = 0.01
    shares = study.probe(settings, net.theta)
    assert shares["second"] > 0.999 and abs(shares["first"]) < 0.01


SMALL = dict(sequence_len=10, hidden=8, updates=60)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_same_seed_same_record_and_another_seed_another(kind, small_sets):
    first, second, other = (study.train(settings_of(*kind, **SMALL, seed=seed), None) for seed in (0, 0, 1))
    for record in (first, second, other):
        del record["provenance"]
    assert json.dumps(first) == json.dumps(second)
    assert first["history"] != other["history"]
    assert first["final"]["update"] == 60 == first["history"]["update"][-1]


def test_solved_is_the_verdict_on_the_final_net_and_held_out_sequences(monkeypatch):
    """As in rnn_pathological.py: training batches have no say, and a run trains all its updates."""
    record = study.train(study.Settings(sequence_len=10, updates=300), None)
    final, history = record["final"], record["history"]
    assert final["solved"] and final["test_accuracy"] > 0.9 and final["update"] == 300 == history["update"][-1]
    passed = [update for update, right in zip(history["update"], history["test_accuracy"]) if right > 0.9]
    assert final["updates_to_solve"] == passed[0] > 10
    assert record["probe"]["end"]["first"] > record["probe"]["start"]["first"]
    whole = study.evaluate
    monkeypatch.setattr(study, "evaluate", lambda settings, theta, n, *report: (
        whole(settings, theta, n, *report) | ({"test_accuracy": 0.9} if n == study.N_TEST else {})))
    final = study.train(study.Settings(sequence_len=10, updates=300), None)["final"]
    assert not final["solved"] and final["updates_to_solve"] == passed[0]


def test_every_committed_verdict_is_that_of_the_final_measure(results):
    records = results[study.EXPERIMENT]
    assert len(records) >= 80
    for record in records:
        task, final = study.task_of(study.Settings(**record["settings"])), record["final"]
        assert final["solved"] == task.passes(final[task.metric], task.solved)
        assert final["updates_to_solve"] == rp.first_solved(record["history"], task)


@pytest.mark.parametrize("updates", [1, 2, 60, 2400, 10**8])
def test_a_run_is_measured_at_its_start_at_its_end_and_at_even_ratios_between(updates):
    points = sorted(study.measured_updates(updates))
    assert points[:2] == [0, 1] and points[-1] == updates and len(points) <= study.POINTS + 1
    ratios = [b / a for a, b in zip(points, points[1:]) if a > 30]
    assert max(ratios, default=1) < 1.25 and all(type(point) is int for point in points)


def test_divergence_is_said(monkeypatch, tmp_path, capsys, small_sets):
    monkeypatch.setattr(study, "RATE", 1e30)
    monkeypatch.setattr(study, "CLIP", 1e30)
    flags = ["--answer", "sum", "--sequence-len", "10", "--hidden", "4", "--updates", "50"]
    assert study.main([*flags, "--out", str(tmp_path / "results.json")]) == 1
    assert "DIVERGED" in capsys.readouterr().out
    assert "NaN" not in (tmp_path / "results.json").read_text()


def test_command_line(tmp_path, capsys):
    flags = ["--sequence-len", "10", "--hidden", "4", "--updates", "20"]
    run = run_script(SCRIPT, *flags, "--seeds", "0-1", cwd=tmp_path)
    assert run.returncode == 0 and len(run.stdout.splitlines()) == 2, run.stderr
    assert len(json.loads((tmp_path / "results.json").read_text())[study.EXPERIMENT]) == 2
    for bad, words in ((["--answer", "product"], "invalid choice"), (["--sequence-len", "9"], "not between"),
                       (["--seeds", "x"], "not a range"), (["--out", "absent/results.json"], "cannot write beside"),
                       (["--sequence-len", "10000"], "GB of memory"), (["--seeds", "0-1", "--seed", "1"], "exclude")):
        with pytest.raises(SystemExit) as end, contextlib.chdir(tmp_path):
            study.main(bad)
        lines = capsys.readouterr()
        assert end.value.code == 2 and lines.out == "" and lines.err.count("\n") == 1 and words in lines.err


@pytest.mark.parametrize("answer, constant", [("both", "(constant answer: 0.2500)"),
                                              ("sum", "(constant answer: 0.16667)")])
def test_progress_and_the_constant_answer(answer, constant, tmp_path, capsys, small_sets):
    flags = ["--sequence-len", "10", "--hidden", "4", "--updates", "20", "--answer", answer]
    assert study.main([*flags, "--out", str(tmp_path / "results.json")]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == 21 and "nan" not in lines[0] and "s left" in lines[1] and constant in last
    row = dict(update=10**8) | dict.fromkeys(study.figures_of(settings_of("marked", "halves", answer)), 1.2345e-5)
    assert len(study.progress_words(row) + "  999 min, 9999 min left") <= 80
    assert study.main([*flags, "--quiet", "--out", str(tmp_path / "results.json")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_evaluation_and_probe_stop_on_a_signal(monkeypatch, small_sets):
    said, forward, calls = [], rp.RNN.forward, []
    monkeypatch.setattr(study, "N_TEST", 10**5)  # the last evaluation is the longest part
    monkeypatch.setattr(harness.Progress, "__call__", lambda self, done, text, every=0: (
        said.append(text), "held-out" in text and harness.STOP.set()))
    with harness.interruptible():
        record = study.train(study.Settings(**SMALL), None)
    assert record["final"]["status"] == "interrupted" and record["final"]["update"] == 60
    assert record["final"]["test_accuracy"] == record["history"]["test_accuracy"][-1]
    assert said[-1].startswith("held-out set: 100 of")
    monkeypatch.setattr(rp.RNN, "forward", lambda net, x: calls.append(x) or harness.STOP.set() or forward(net, x))
    with harness.interruptible():
        record = study.train(study.Settings(**SMALL), None)
    assert len(calls) == 1 and record["final"]["status"] == "interrupted" and record["history"]["update"] == []
    assert record["probe"] == {"start": {"first": None, "second": None}, "end": {"first": None, "second": None}}
    assert "nothing measured" in study.summary(record)


def test_the_memory_that_is_admitted_is_what_is_needed():
    for settings in (study.Settings(updates=2, hidden=16), study.Settings(updates=2, symbols="marked", answer="sum")):
        tracemalloc.start()
        try:
            study.train(settings, None)
            assert 0.8 < tracemalloc.get_traced_memory()[1] / settings.bytes_needed() < 1.1
        finally:
            tracemalloc.stop()


def test_committed_records_are_of_this_code_and_complete(results):
    for name in ("pathological-order", "pathological-order-lags"):
        for records in studies.arms(results, name).values():
            for record in records:
                assert record["provenance"]["fingerprint"] == study.CODE.fingerprint
