"""reproduce.py: listing, running, skipping, failing, a killed study, and a dask cluster that loses a worker."""

import importlib
import importlib.util
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import ROOT, assert_bad_input, run_script

import reproduce as rp

TINY = dict(T=10, hidden=3)


def study(iters, seeds, name="tiny", options=None):
    grid = (TINY | dict(iters=iters),)
    return rp.Study(name, "a test", "adding_problem", grid, range(seeds), 0.1, options or dict(snapshot_every=0))


def plain(path):
    """The records of a results file without their provenance."""
    records = json.loads(path.read_text())["adding_problem"]
    return [{name: part for name, part in record.items() if name != "provenance"} for record in records]


def test_list_and_smoke(tmp_path):
    listed = run_script("reproduce.py", "--list", cwd=tmp_path)
    assert listed.returncode == 0 and "smoke" in listed.stdout and "4 missing" in listed.stdout
    ran = run_script("reproduce.py", "smoke", "--jobs", 2, cwd=tmp_path)
    assert ran.returncode == 0 and "4/4 cells" in ran.stdout and "\r" not in ran.stdout
    assert "4 done" in run_script("reproduce.py", "--list", cwd=tmp_path).stdout
    before = (tmp_path / "results.json").read_bytes()
    again = run_script("reproduce.py", "smoke", cwd=tmp_path)
    assert again.returncode == 0 and again.stdout == "" and (tmp_path / "results.json").read_bytes() == before
    checked = run_script("reproduce.py", "smoke", "--check", 1, cwd=tmp_path)
    assert checked.returncode == 0 and "the same bits" in checked.stdout


def test_every_row_of_the_rivals_is_in_one_study():
    studies = [s for s in rp.STUDIES if s.experiment == "lstm_1997_rivals"]
    cells = [cell for study in studies for cell in study.cells()]
    lines = rp.lstm_1997_rivals.LINES + rp.lstm_1997_rivals.OTHER_LINES
    assert len(set(cells)) == len(cells) == len(lines) + 1 and {cell.line for cell in cells} == set(lines)


def test_studies_have_distinct_names_and_valid_cells():
    assert len({s.name for s in rp.STUDIES}) == len(rp.STUDIES)
    for s in rp.STUDIES:
        cells = [json.dumps(rp.dataclasses.asdict(cell)) for cell in s.cells()]
        assert len(set(cells)) == len(cells) > 0 and s.core_minutes > 0


def test_every_cell_has_a_name_of_its_own():
    for study in rp.STUDIES:
        names = [rp.cell_name((study.experiment, tuple(rp.dataclasses.asdict(cell).items()), ()))
                 for cell in study.cells()]
        assert len(set(names)) == len(names)


def test_stale_records_are_told_from_done_ones(tmp_path):
    path = tmp_path / "r.json"
    assert rp.run([study(20, 1)], path, 1, None, False, threading.Event()) == {}
    results = json.loads(path.read_text())
    settings = results["adding_problem"][0]["settings"]
    assert rp.state(results, study(20, 1), settings) == "done"
    assert rp.state(results, rp.dataclasses.replace(study(20, 1), keep=("weights",)), settings) == "missing"
    results["adding_problem"][0]["provenance"]["source_hash"] = "0"
    assert rp.state(results, study(20, 1), settings) == "stale"
    results["adding_problem"][0]["final"]["status"] = "interrupted"
    assert rp.state(results, study(20, 1), settings) == "missing"
    assert "weights" not in results["adding_problem"][0]


def test_every_experiment_runs_as_a_cell(tmp_path):
    """One small cell of each experiment, in the way reproduce.py runs them."""
    small = {
        "adding_problem": TINY | dict(iters=5), "rnn_pathological": dict(hidden=3, epochs=1, batches_per_epoch=2),
        "information_latching": dict(repeats=2, updates=2, T=3), "data_movement": dict(T=5, hidden=2),
        "temporal_order_study": dict(sequence_len=10, hidden=3, updates=2),
        "lstm_1997": dict(trials=2, max_sequences=100), "lstm_1997_rivals": dict(trials=2, max_sequences=100)}
    for experiment, settings in small.items():
        options = dict(out=str(tmp_path / "r.json")) if experiment in rp.RESUMED else {}
        record = rp.run_cell(experiment, rp.dataclasses.asdict(rp.typed(experiment, settings)), options)
        assert record["final"]["status"] == "done" and record["settings"].items() >= settings.items()
        assert rp.figures(record) == rp.figures(record | dict(provenance=None)) != rp.figures(record | dict(final={}))
    landscape = rp.dataclasses.asdict(rp.typed("information_latching", dict(landscape="srnn", T=2)))
    assert rp.run_cell("information_latching", landscape, {})["final"]["status"] == "done"
    assert {s.experiment for s in rp.STUDIES} >= small.keys()


@pytest.mark.parametrize("experiment", rp.RESUMED)
def test_a_row_of_1997_goes_on_from_its_checkpoint(experiment, tmp_path, monkeypatch):
    path, row, module = tmp_path / "r.json", dict(trials=2, max_sequences=300), importlib.import_module(experiment)
    tiny = rp.Study("tiny", "a test", experiment, (row,), None, 0.1, keep=None)
    assert rp.run([tiny], path, 1, None, False, threading.Event()) == {}
    [whole] = json.loads(path.read_text())[experiment]
    assert list(tmp_path.glob("*.npz")) == []
    path.unlink()
    settings = rp.typed(experiment, row)
    stack = module.Stack([settings], str(path))
    monkeypatch.setattr(module, "STOP", threading.Event())
    module.STOP.set()
    assert not stack.run(module.Options(out=str(path)), True)
    assert len(list(tmp_path.glob("*.npz"))) == 1
    assert rp.run([tiny], path, 1, None, False, threading.Event()) == {}
    [again] = json.loads(path.read_text())[experiment]
    assert rp.figures(again) == rp.figures(whole) and list(tmp_path.glob("*.npz")) == []


def test_progress_names_the_best_so_far_of_the_same_settings(capsys):
    progress = rp.Progress(3)
    for seed, mse in ((0, 0.5), (1, 0.2), (2, 0.3)):
        text = progress.reached(dict(settings=dict(T=5, seed=seed), final=dict(test_mse=mse)))
    assert text == ": test MSE 0.3, best so far 0.2 (seed 1)"
    assert "0.9" in progress.reached(dict(settings=dict(T=6, seed=0), final=dict(test_mse=0.9)))
    more = [progress.reached(dict(settings=dict(T=7), final=dict(test_accuracy=[0.5, a, 1.0]))) for a in (0.7, 0.6)]
    assert more[1] == ": test accuracy 0.6, best so far 0.7"
    assert progress.reached(dict(settings={}, final=dict(test_mse=None))) == ""


def test_what_fits_is_chosen_cheapest_first_and_the_rest_is_named(capsys):
    studies = [rp.dataclasses.replace(study(20, 1, name=name), core_minutes=minutes)
               for name, minutes in (("long", 50), ("short", 10), ("middle", 20))]
    assert [s.name for s in rp.affordable(studies, 30)] == ["short", "middle"]
    assert "left out: long, 0.83 core-hours" in capsys.readouterr().out


def test_a_cell_that_studies_share_is_run_in_one_way(tmp_path, monkeypatch):
    often, seldom = (study(20, 1, f"every {n}", dict(snapshot_every=0, eval_every=n)) for n in (5, 10))
    monkeypatch.setattr(rp, "STUDIES", (often, seldom))
    rp.options_of_cells.cache_clear()
    path = tmp_path / "r.json"
    assert rp.run([seldom], path, 1, None, False, threading.Event()) == {}
    assert json.loads(path.read_text())["adding_problem"][0]["history"]["iteration"] == [0, 5, 10, 15, 20]
    assert rp.check([often, seldom], path, 1) == {}
    rp.options_of_cells.cache_clear()


def test_a_changed_figure_is_found_by_check(tmp_path):
    path = tmp_path / "r.json"
    rp.run([study(20, 1)], path, 1, None, False, threading.Event())
    assert rp.check([study(20, 1)], path, 1) == {}
    results = json.loads(path.read_text())
    results["adding_problem"][0]["final"]["test_mse"] *= 1 + 1e-15
    path.write_text(json.dumps(results))
    assert len(rp.check([study(20, 1)], path, 1)) == 1


def test_a_failing_cell_is_reported_and_the_others_finish(tmp_path, capsys, monkeypatch):
    path = tmp_path / "r.json"
    bad = study(30, 1, name="bad", options=dict(eval_every=0))
    monkeypatch.setattr(rp, "STUDIES", (study(20, 3), bad))
    assert rp.main(["all", "--out", str(path)]) == 1
    assert "FAILED adding_problem T=10 hidden=3 iters=30: ZeroDivisionError" in capsys.readouterr().err
    assert len(plain(path)) == 3


SCRIPT = """
import sys; sys.path[:0] = [{root!r}, {tests!r}]
import reproduce, test_reproduce
reproduce.STUDIES = (test_reproduce.study({iters}, {seeds}),)
sys.exit(reproduce.main(["tiny", "--jobs", "2", "--out", {out!r}]))
"""


def start(out, iters, seeds):
    code = SCRIPT.format(root=str(ROOT), tests=str(ROOT / "tests"), out=str(out), iters=iters, seeds=seeds)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_study_goes_on_and_ends_in_the_same_figures(tmp_path):
    whole, killed = tmp_path / "whole.json", tmp_path / "killed.json"
    assert rp.run([study(1000, 12)], whole, 1, None, False, threading.Event()) == {}
    moments = random.Random(0)
    for _ in range(10):
        with start(killed, 1000, 12) as process:
            process.stdout.readline()  # a cell is done, or all are
            time.sleep(moments.uniform(0, 0.5))
            process.kill()
    with start(killed, 1000, 12) as process:
        assert process.wait(timeout=100) == 0
    assert plain(killed) == plain(whole)


def test_ctrl_c_keeps_finished_cells_and_drops_the_others(tmp_path):
    out = tmp_path / "r.json"
    with start(out, 3000, 50) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors and "interrupted" in errors
    records = plain(out)
    assert 0 < len(records) < 50 and all(record["final"]["status"] == "done" for record in records)


@pytest.mark.parametrize("flags, words", [
    (["nothing"], "no study is called nothing"), ([], "name a study"), (["smoke", "--jobs", "0"], "--jobs"),
    (["smoke", "--check", "x"], "--check"), (["smoke", "--out", "absent/r.json"], "absent")])
def test_bad_input(flags, words, tmp_path):
    assert_bad_input(run_script("reproduce.py", *flags, cwd=tmp_path), words)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_dask_cluster_that_loses_a_worker(tmp_path):
    if importlib.util.find_spec("distributed") is None:
        assert not os.environ.get("REQUIRE_DASK"), "dask is asked for and not installed"
        pytest.skip("dask.distributed is not installed")
    address = f"tcp://127.0.0.1:{free_port()}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def dask(*words):
        command = [sys.executable, "-m", "dask", *words]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)

    processes = [dask("scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":")[-1], "--no-dashboard")]
    processes += [dask("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard") for _ in range(2)]
    try:
        out, done = tmp_path / "r.json", []
        small = study(2500, 8)
        calls = [("adding_problem", tuple(rp.dataclasses.asdict(cell).items()), tuple(small.options.items()))
                 for cell in small.cells()]
        for call, outcome in rp.run_calls(calls, 1, address, threading.Event()):
            assert not isinstance(outcome, BaseException), outcome
            done.append(call)
            rp.ap.write_record(out, call[0], rp.kept(outcome, ()))
            if len(done) == 2:
                processes[-1].kill()
        assert sorted(done) == sorted(calls)  # every cell once
        whole = tmp_path / "whole.json"
        rp.run([small], whole, 1, None, False, threading.Event())
        assert plain(out) == plain(whole)
    finally:
        for process in processes:
            process.kill()
            process.wait()
