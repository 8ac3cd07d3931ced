"""reproduce.py: listing, running, skipping, failing, a killed study, a toy experiment, and a dask
cluster that loses a worker."""

import dataclasses
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, assert_bad_input, run_script, wait_for

import adding_problem as ap
import harness
import reproduce
import studies

TINY = dict(T=10, hidden=3)


def study(iters=20, seeds=1, name="tiny", keep=("history",), **options):
    """A study of adding_problem.py whose cells take a moment."""
    grid = {"one": TINY | dict(iters=iters)}
    options = dict(snapshot_every=0) | options
    return studies.Study(
        name, "a test", "adding_problem", grid, range(seeds), 0.1, options, keep)


def run(*chosen, path, jobs=1):
    """Runs all cells of studies, in processes of their own. Returns the failed ones."""
    with harness.interruptible(shared=True):
        return reproduce.run(reproduce.cells_of(chosen), path, jobs)


def check(*chosen, path, number=1):
    with harness.interruptible(shared=True):
        return reproduce.check(reproduce.cells_of(chosen), path, number)


def plain(path, experiment="adding_problem"):
    """The records of a results file without their provenance."""
    records = json.loads(Path(path).read_text())[experiment]
    return [{name: part for name, part in record.items() if name != "provenance"}
            for record in records]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A results file with the one record of study()."""
    path = tmp_path_factory.mktemp("tiny") / "r.json"
    assert run(study(), path=path) == {}
    return path


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A folder in which the smoke study was run, and that run."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, run_script("reproduce.py", "smoke", "--jobs", 2, cwd=folder)


# The commands


def test_list_and_smoke(smoke, tmp_path):
    folder, ran = smoke
    listed = run_script("reproduce.py", "smoke", "--list", cwd=tmp_path)
    assert listed.returncode == 0 and "smoke" in listed.stdout and "4 missing" in listed.stdout
    assert ran.returncode == 0 and "4/4 cells" in ran.stdout and "\r" not in ran.stdout
    assert "4 done" in run_script("reproduce.py", "smoke", "--list", cwd=folder).stdout
    checked = run_script("reproduce.py", "smoke", "--check", 1, cwd=folder)
    assert checked.returncode == 0 and "the same bits" in checked.stdout


def test_what_will_be_run_is_said_before_it_is(smoke):
    first, *_ = smoke[1].stdout.splitlines()
    assert first.startswith("to run: smoke, 4 cells, 0.00 core-hours: that everything works")


def test_with_nothing_to_do_it_says_what_is_done_and_what_could_be(smoke):
    folder, _ = smoke
    before = (folder / "results.json").read_bytes()
    again = run_script("reproduce.py", "smoke", cwd=folder)
    assert again.returncode == 0 and again.stderr == ""
    assert (folder / "results.json").read_bytes() == before
    assert "4 cells are done, 0 stale" in again.stdout and "nothing to run" in again.stdout
    assert all(flag in again.stdout for flag in ("--check", "--stale", "--out"))


@pytest.mark.parametrize("flags", (["--list"], ["smoke"], ["smoke", "--check", "1"]))
def test_a_reader_that_goes_away_changes_nothing(flags, smoke):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "reproduce.py"), *flags], cwd=smoke[0], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(timeout=60) == 0


def test_the_list_names_every_study():
    listed = run_script("reproduce.py", "--list", cwd=ROOT)
    assert listed.returncode == 0, listed.stderr
    assert [line.split(":")[0] for line in listed.stdout.splitlines()[::2]] == list(studies.load())


@pytest.mark.parametrize("flags, words", [
    (["nothing"], "no study is called nothing"), ([], "name a study"),
    (["smoke", "--jobs", "0"], "--jobs"), (["smoke", "--check", "x"], "--check"),
    (["smoke", "--check", "1", "--stale"], "excludes"), (["smoke", "--check", "1", "--within", "0"], "excludes"),
    (["smoke", "--out", "absent/r.json"], "absent")])
def test_bad_input(flags, words, tmp_path):
    assert_bad_input(run_script("reproduce.py", *flags, cwd=tmp_path), words)


@pytest.mark.parametrize("flaw, words", [
    (("test_mse", float("nan")), "NaN is no JSON"), (("final", None), "is damaged"),
    (("provenance", 3), "is damaged")])
@pytest.mark.parametrize("flags", (["--list"], ["smoke"], ["smoke", "--check", "1"]))
def test_a_flaw_of_another_record_is_one_line(flaw, words, flags, smoke, tmp_path):
    results = json.loads((smoke[0] / "results.json").read_text())
    results["other"] = [dict(results["adding_problem"][0], **dict([flaw]))]
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert_bad_input(run_script("reproduce.py", *flags, cwd=tmp_path), words)


# Cells and their state


def test_every_cell_has_a_name_of_its_own():
    for cells in reproduce.cells_of(studies.load().values()).values():
        assert len(set(map(str, cells))) == len(cells)


def test_stale_records_are_told_from_done_ones(tiny):
    results = json.loads(tiny.read_text())
    [record] = results["adding_problem"]
    [[cell]] = reproduce.cells_of([study()]).values()
    assert reproduce.state(results, study(), cell) == "done" and "weights" not in record
    assert reproduce.state(results, study(keep=("weights",)), cell) == "missing"
    record["provenance"]["fingerprint"] = "0"
    assert reproduce.state(results, study(), cell) == "stale"
    del record["provenance"]["fingerprint"]  # of a record of long ago
    assert reproduce.state(results, study(), cell) == "stale"
    record["final"]["status"] = "interrupted"
    assert reproduce.state(results, study(), cell) == "missing"


def test_stale_records_are_made_again_if_asked_for(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(studies, "load", lambda: dict(tiny=study()))
    path = tmp_path / "r.json"
    results = json.loads(tiny.read_text())
    results["adding_problem"][0]["provenance"]["fingerprint"] = "0"
    path.write_text(json.dumps(results))
    assert reproduce.main(["tiny", "--out", str(path)]) == 0
    assert "0 cells are done, 1 stale" in capsys.readouterr().out
    assert reproduce.main(["tiny", "--stale", "--out", str(path)]) == 0
    assert plain(path) == plain(tiny)
    [record] = json.loads(path.read_text())["adding_problem"]
    assert record["provenance"]["fingerprint"] == ap.CODE.fingerprint


def test_the_best_so_far_of_the_same_settings_is_named():
    best = {}

    def reached(settings, **final):
        return reproduce.reached(dict(settings=settings, final=final), best)

    for seed, mse in ((0, 0.5), (1, 0.2), (2, 0.3)):
        words = reached(dict(T=5, seed=seed), test_mse=mse)
    assert words == "test MSE 0.3, best so far 0.2 (seed 1)"
    assert "0.9" in reached(dict(T=6, seed=0), test_mse=0.9)
    assert "0.7" in reached(dict(T=7), test_accuracy=[0.5, 0.7, 1.0])
    assert reached(dict(T=7), test_accuracy=[0.5, 0.6, 1.0]) == "test accuracy 0.6, best so far 0.7"
    assert reached({}, test_mse=None) == "done"


def test_what_fits_is_chosen_cheapest_first_and_the_rest_is_named():
    chosen = [dataclasses.replace(study(name=name), minutes=minutes)
              for name, minutes in (("long", 50), ("short", 10), ("middle", 20))]
    found = reproduce.cells_of(chosen)
    states = {one: dict.fromkeys(cells, "missing") for one, cells in found.items()}
    plan, lines = reproduce.plan_of(states, stale=False, core_minutes=30)
    assert [one.name for one in plan] == ["short", "middle"]
    assert lines[2] == "left out: long, 1 cells, 0.83 core-hours: a test"
    assert list(reproduce.plan_of(states, stale=False)[0]) == chosen
    half = {dataclasses.replace(study(seeds=2), minutes=50): {"a": "missing", "b": "done"}}
    plan, _ = reproduce.plan_of(half, stale=False, core_minutes=30)  # what is left of it costs 25
    assert len(plan) == 1


def test_a_cell_that_studies_share_is_run_in_one_way(tmp_path, monkeypatch):
    often = study(name="often", eval_every=5)
    seldom = study(name="seldom", eval_every=10, keep=("weights",))
    monkeypatch.setattr(studies, "load", lambda: dict(often=often, seldom=seldom))
    path = tmp_path / "r.json"
    assert run(often, path=path) == {}
    [record] = plain(path)
    assert record["history"]["iteration"] == [0, 5, 10, 15, 20] and "weights" in record
    assert run(seldom, path=path) == {} and plain(path) == [record]
    assert check(often, seldom, path=path) == {}


# Checking


def test_a_changed_figure_is_found_by_check(tiny, tmp_path):
    path = tmp_path / "r.json"
    shutil.copy(tiny, path)
    assert check(study(), path=path) == {}
    results = json.loads(path.read_text())
    results["adding_problem"][0]["final"]["test_mse"] *= 1 + 1e-15
    path.write_text(json.dumps(results))
    assert len(check(study(), path=path)) == 1


def test_a_check_of_nothing_fails(tiny, tmp_path, monkeypatch):
    assert check(study(), path=tmp_path / "none.json") == {"tiny": "has no finished cell to check"}
    monkeypatch.setattr(reproduce, "train", lambda cells, out: [])
    assert list(check(study(), path=tiny).values()) == ["it ended without a record"]


def test_a_checkpoint_that_cannot_be_removed_costs_nothing(tmp_path, monkeypatch):
    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    path = tmp_path / "r.json"
    assert run(study(seeds=2), path=path) == {} and len(plain(path)) == 2


# Every experiment


SMALL = {  # settings of a cell of a moment
    "adding_problem": TINY | dict(iters=5),
    "adding_lesions": dict(T=5, hidden=3, iters=5),
    "rnn_pathological": dict(hidden=3, epochs=1, batches_per_epoch=2),
    "temporal_order_study": dict(sequence_len=10, hidden=3, updates=2),
    "information_latching": dict(repeats=2, updates=2, T=3),
    "latch_landscape": dict(T=2, points=3, sequences=4),
    "data_movement": dict(T=5, hidden=2),
    "lstm_1997": dict(trials=2, max_sequences=300),
    "lstm_1997_rivals": dict(trials=2, max_sequences=300),
    "cascade_correlation": dict(experiment="2a", trials=2, hidden=1, max_sequences=3000),
    "constant_sources": dict(T=22, trials=2, max_sequences=300),
    "weight_guessing": dict(T=10, N=3, trials=2, max_sequences=3000),
}
# They keep checkpoints
RESUMED = ("lstm_1997", "lstm_1997_rivals", "cascade_correlation", "weight_guessing",
           "constant_sources")


def small(experiment, **changes):
    keep = None if experiment in RESUMED else ()
    return studies.Study(
        "small", "a test", experiment, {"one": SMALL[experiment] | changes}, None, 0.1, keep=keep)


def test_every_experiment_has_a_small_cell_here():
    assert {one.experiment for one in studies.load().values()} == SMALL.keys()


@pytest.mark.parametrize("experiment", SMALL)
def test_every_experiment_runs_as_a_cell(experiment, tmp_path):
    """In the way reproduce.py runs them, twice: to the same bits, and no checkpoint is left."""
    path = tmp_path / "r.json"
    assert run(small(experiment), path=path) == {}
    [record] = plain(path, experiment)
    assert record["final"]["status"] == "done"
    assert record["settings"].items() >= SMALL[experiment].items()
    assert reproduce.compared(record, record) != reproduce.compared(record | dict(final={}), record)
    assert check(small(experiment), path=path) == {}
    assert {file.suffix for file in tmp_path.iterdir()} <= {".json", ".lock"}


@pytest.mark.parametrize("experiment", RESUMED)
def test_a_row_of_1997_goes_on_from_its_checkpoint(experiment, tmp_path, monkeypatch):
    """A checkpoint is read, and removed once the record is safe; a check neither reads nor leaves
    one."""
    whole, path = tmp_path / "whole.json", tmp_path / "r.json"
    module, chosen = importlib.import_module(experiment), small(experiment)
    assert run(chosen, path=whole) == {}
    [settings], answers = chosen.cells(), iter([False] * 3)
    with monkeypatch.context() as patch:
        patch.setattr(harness, "stopped", lambda: next(answers, True))
        assert module.train(settings, module.Options(out=str(path)), True) is None
    [checkpoint] = tmp_path.glob("*.npz")
    shutil.copy(checkpoint, Path(str(checkpoint).replace("r.json", "whole.json")))
    left = {file: file.read_bytes() for file in tmp_path.glob("whole*.npz")}
    assert check(chosen, path=whole) == {}
    assert {file: file.read_bytes() for file in tmp_path.glob("whole*.npz")} == left
    assert run(chosen, path=path) == {}
    assert plain(path, experiment) == plain(whole, experiment)
    assert not list(tmp_path.glob("r.json*.npz"))


@pytest.mark.parametrize("experiment, other", (
    ("lstm_1997", dict(lr=0.2)), ("lstm_1997_rivals", dict(lr=2.0))))
def test_rows_of_equal_shape_train_in_one_lockstep_to_the_same_bits(experiment, other, tmp_path):
    alone, path = small(experiment), tmp_path / "r.json"
    both = dataclasses.replace(alone, grid=alone.grid | {"other": alone.grid["one"] | other})
    [cells] = reproduce.cells_of([both]).values()
    assert list(map(len, reproduce.together(cells))) == [2]
    assert run(both, path=path) == {}
    assert len(plain(path, experiment)) == 2 and not list(tmp_path.glob("*.npz"))
    assert check(both, path=path, number=2) == {}  # each alone


# A toy experiment: one file, one study, one table

TOY = '''"""A toy: it adds up random numbers.

What happens on the way is asked for by files: kill-ROUNDS-SEED-COUNT ends the parent, die-... its
own process, fail-... raises an error; of wait-... it takes the file away and waits until it is stopped."""
import dataclasses, os, signal, sys, time
from pathlib import Path

import numpy as np

import harness

EXPERIMENT = "toy"
CODE = harness.Code(__name__)


@dataclasses.dataclass(frozen=True)
class Settings:
    rounds: int = harness.setting(3, "random numbers", "training", low=1, high=100)
    seed: int = harness.setting(0, "seed", "training", low=0, high=100)


@dataclasses.dataclass(frozen=True)
class Options(harness.CommonOptions):
    pass


class Sum:
    def __init__(self, settings):
        self.rng, self.sum, self.numbers = np.random.default_rng(settings.seed), 0.0, []
        self.name = f"{settings.rounds}-{settings.seed}"
        self.total, self.seconds = settings.rounds, 0.0

    count = property(lambda self: len(self.numbers))
    ended = property(lambda self: self.count == self.total)

    def advance(self):
        happen(f"{self.name}-{self.count}")
        self.numbers.append(self.rng.random())
        self.sum += self.numbers[-1]

    def state(self):
        return dict(sum=self.sum, numbers=self.numbers, rng=self.rng.bit_generator.state), {}

    def restore(self, state, arrays):
        self.sum, self.numbers = state["sum"], state["numbers"]
        self.rng.bit_generator.state = state["rng"]


def happen(moment):
    with open("log", "a") as log:
        log.write(f"{moment} ")
    for what in ("kill", "die", "wait", "fail"):
        file = Path(f"{what}-{moment}")
        if file.exists() and what == "wait":
            file.unlink()
            while not harness.stopped():
                time.sleep(0.01)
        elif file.exists():
            times = int(file.read_text() or 1) - 1
            file.write_text(str(times)) if times else file.unlink()
            if what == "fail":
                raise ZeroDivisionError("as asked for")
            else:
                os.kill(os.getppid() if what == "kill" else os.getpid(), signal.SIGKILL)
                while True:
                    signal.pause()


def train(settings, options, quiet=True):
    work = Sum(settings)
    path = harness.checkpoint_path(options.out, [dataclasses.asdict(settings)])
    if not harness.resumable(work, path, CODE, 0, quiet):
        return None
    return {"settings": dataclasses.asdict(settings), "history": {"number": work.numbers},
            "final": {"status": "done", "test_mse": work.sum},
            "provenance": harness.provenance(CODE, work.seconds)}


def main(argv=None):
    args = harness.experiment_parser(__doc__, Settings, Options).parse_args(argv)
    call = harness.from_flags(Settings, args), harness.from_flags(Options, args), True
    return harness.run_and_save(CODE, train, [call], call[1], lambda record: str(record["final"]))


if __name__ == "__main__":
    sys.exit(main())
'''
TOY_STUDY = '''"""The runs of the toy."""

from studies import Study

GRID = {"three": dict(rounds=3), "four": dict(rounds=4)}
STUDIES = [Study("toy", "sums of random numbers", "toy", GRID, range(2), 1)]
'''
TOY_TABLE = '''"""The table of the toy."""

import studies


def sums(results):
    rows = ["| numbers | sums |", "|---|---|"]
    for label, records in studies.arms(results, "toy").items():
        rows.append(f"| {label} | {[record['final']['test_mse'] for record in records]} |")
    return "\\n".join(rows)


TABLES = {"toy:sums": sums}
'''
PAGE = "# Toy\n\n<!-- begin toy:sums -->\n<!-- end toy:sums -->\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with a toy experiment in it, and what the copy's other files are."""
    root = tmp_path_factory.mktemp("project") / "copy"
    unneeded = ".*", "__pycache__", "tests", "viz", "*.gif", "*.lock", "*.npz", "*.egg-info"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*unneeded))
    before = contents(root)
    for file, text in {
            "toy.py": TOY, "studies/toy.py": TOY_STUDY, "tables/toy.py": TOY_TABLE}.items():
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(text)
    return root, before


def contents(root):
    """A hash of every file of a folder."""
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


@pytest.fixture
def toy(project, tmp_path):
    """Starts the copy's reproduce.py with the study toy in an empty folder, with the output as a
    pipe."""
    def start(*flags):
        words = [sys.executable, str(project[0] / "reproduce.py"), "toy", *map(str, flags)]
        return subprocess.Popen(
            words, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return start


def ended(process):
    """Exit code, output and errors of a process that ends by itself."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def toy_records(project, tmp_path_factory):
    """The records of the toy's study, made without a disturbance."""
    folder = tmp_path_factory.mktemp("undisturbed")
    words = [sys.executable, str(project[0] / "reproduce.py"), "toy"]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return plain(folder / "results.json", "toy")


def test_a_toy_experiment_is_listed_run_skipped_and_checked(toy, toy_records, tmp_path):
    _, out, _ = ended(toy("--list"))
    assert "2 settings x 2 seeds = 4 cells, 0.02 core-hours; 0 done, 4 missing" in out
    code, out, err = ended(toy("--jobs", 2))
    assert (code, err) == (0, "") and "4/4 cells" in out
    assert plain(tmp_path / "results.json", "toy") == toy_records and len(toy_records) == 4
    for record in json.loads((tmp_path / "results.json").read_text())["toy"]:
        assert record["provenance"]["command"] == "python3 reproduce.py toy --jobs 2"
    (tmp_path / "log").unlink()
    code, out, err = ended(toy())
    assert (code, err) == (0, "") and "4 cells are done" in out and not (tmp_path / "log").exists()
    assert ended(toy("--check", 4))[1].count("the same bits") == 4
    assert (tmp_path / "log").read_text().count("-0 ") == 4


def test_a_toy_experiment_gets_its_table_and_no_other_file_is_touched(project, tmp_path):
    root, before = project
    (root / "docs" / "toy.md").write_text(PAGE)

    def here(*words):
        return subprocess.run(
            [sys.executable, *words], cwd=root, capture_output=True, text=True, timeout=120)

    assert here("reproduce.py", "toy").returncode == 0
    made = here("-m", "tables")
    assert made.returncode == 0, made.stderr
    records = plain(root / "results.json", "toy")
    three = [record["final"]["test_mse"] for record in records if record["settings"]["rounds"] == 3]
    assert f"| three | {three} |" in (root / "docs" / "toy.md").read_text()
    after = contents(root)
    changed = {file for file in before if after[file] != before[file]}
    assert changed == {"results.json", "docs/running.md"}  # which lists all studies with their costs
    assert after.keys() - before.keys() - {"results.json.lock", "log"} == {
        "toy.py", "studies/toy.py", "tables/toy.py", "docs/toy.md"}


def test_a_killed_study_goes_on_and_ends_in_the_same_figures(toy, toy_records, tmp_path):
    moments = "3-0-1", "4-0-3", "3-1-0", "3-1-2"
    for moment in moments:
        (tmp_path / f"kill-{moment}").touch()
    for _ in range(4):
        assert ended(toy())[0] == -signal.SIGKILL
    assert ended(toy())[0] == 0 and plain(tmp_path / "results.json", "toy") == toy_records
    began = (tmp_path / "log").read_text().split()
    once = [f"{rounds}-{seed}-{count}" for rounds in (3, 4) for seed in (0, 1)
            for count in range(rounds)]
    assert sorted(began) == sorted([*once, *moments])  # twice where it was killed, and no other
    assert not list(tmp_path.glob("*.npz")) and not list(tmp_path.glob("*.tmp"))


def test_a_check_reads_no_checkpoint_and_leaves_none(toy, tmp_path):
    assert ended(toy())[0] == 0
    results = (tmp_path / "results.json").read_bytes()
    (tmp_path / "results.json").unlink()
    (tmp_path / "kill-3-0-2").touch()
    assert ended(toy())[0] == -signal.SIGKILL
    [checkpoint] = tmp_path.glob("*.npz")
    left = checkpoint.read_bytes()
    (tmp_path / "results.json").write_bytes(results)
    for _ in range(2):
        (tmp_path / "log").unlink()
        assert ended(toy("--check", 1))[1].count("the same bits") == 1
        assert (tmp_path / "log").read_text().split() == ["3-0-0", "3-0-1", "3-0-2"]
        assert [file.read_bytes() for file in tmp_path.glob("*.npz")] == [left]


@pytest.mark.parametrize("name", ("SIGINT", "SIGTERM", "SIGHUP"))
def test_a_signal_keeps_finished_cells_and_drops_the_others(name, toy, toy_records, tmp_path):
    moments = [tmp_path / f"wait-{rounds}-1-1" for rounds in (3, 4)]  # the second number of seed 1
    for moment in moments:
        moment.touch()
    process = toy("--jobs", 2)
    wait_for(lambda: not any(moment.exists() for moment in moments))
    process.send_signal(getattr(signal, name))
    code, _, err = ended(process)
    assert code == 130 and err == "interrupted; the cells that ended are saved\n"
    assert plain(tmp_path / "results.json", "toy") == [
        record for record in toy_records if record["settings"]["seed"] == 0]
    assert ended(toy())[0] == 0 and plain(tmp_path / "results.json", "toy") == toy_records
    assert not list(tmp_path.glob("*.npz"))


def test_a_process_that_dies_costs_its_cell_an_attempt(toy, toy_records, tmp_path):
    (tmp_path / "die-3-0-1").write_text("2")
    code, out, err = ended(toy())
    assert (code, err) == (0, "") and plain(tmp_path / "results.json", "toy") == toy_records
    (tmp_path / "results.json").unlink()
    (tmp_path / "die-4-1-3").write_text("9")
    code, out, err = ended(toy())
    assert (code, err) == (1, "FAILED toy rounds=4 seed=1: ProcessDied: its process died\n")
    assert len(plain(tmp_path / "results.json", "toy")) == 3
    assert (tmp_path / "die-4-1-3").read_text() == "6"


def test_a_failing_cell_is_reported_and_the_others_finish(toy, tmp_path):
    (tmp_path / "fail-4-0-3").write_text("1")
    code, out, err = ended(toy())
    assert (code, err) == (1, "FAILED toy rounds=4: ZeroDivisionError: as asked for\n")
    assert len(plain(tmp_path / "results.json", "toy")) == 3 and "toy rounds=4: FAILED" in out


def test_a_checkpoint_that_cannot_be_used_is_one_line(toy, tmp_path):
    (tmp_path / "kill-3-0-2").touch()
    assert ended(toy())[0] == -signal.SIGKILL
    [checkpoint] = tmp_path.glob("*.npz")
    checkpoint.write_bytes(b"no archive")
    code, out, err = ended(toy())
    assert code == 1 and err.count("\n") == 1
    assert str(checkpoint.name) in err and "move it away" in err
    assert len(plain(tmp_path / "results.json", "toy")) == 3
    assert checkpoint.read_bytes() == b"no archive"


# A cluster


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_dask_cluster_that_loses_a_worker(tmp_path):
    if importlib.util.find_spec("distributed") is None:
        assert not os.environ.get("REQUIRE_DASK"), "dask is asked for and not installed"
        pytest.skip("dask.distributed is not installed")
    port = str(free_port())
    address = f"tcp://127.0.0.1:{port}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def dask(*words):
        command = [sys.executable, "-m", "dask", *words]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)

    processes = [dask("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")]
    processes += [dask("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
                  for _ in range(2)]
    try:
        many, done, whole = study(500, seeds=6), {}, tmp_path / "whole.json"
        [cells] = reproduce.cells_of([many]).values()
        for call, outcome in reproduce.run_calls([((cell,), None) for cell in cells], 1, address):
            assert not isinstance(outcome, BaseException), outcome
            [done[call]] = outcome
            if len(done) == 2:
                processes[-1].kill()
        assert {cell for (cell,), _ in done} == set(cells) and len(done) == len(cells)
        assert run(many, path=whole) == {}
        for record in plain(whole):
            [other] = [other for other in done.values() if other["settings"] == record["settings"]]
            assert reproduce.compared(record, other) == reproduce.compared(other, record)
    finally:
        for process in processes:
            process.kill()
            process.wait()
