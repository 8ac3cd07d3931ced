"""studies/: every list of runs is found, names valid settings, and each row is one command."""

import collections
import dataclasses
import importlib
import json
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT, assert_bad_input

import adding_problem as ap
import harness
import studies

EVERY = list(studies.load().values())


def name_of(study):
    return study.name


def test_studies_are_found_by_looking_into_the_folder(monkeypatch):
    files = {path.stem for path in (ROOT / "studies").glob("*.py")} - {"__init__", "__main__"}
    modules = [importlib.import_module(f"studies.{file}") for file in files]
    found = {study.name for module in modules for study in module.STUDIES}
    assert found == set(studies.load()) and "smoke" in found
    one = importlib.import_module("studies.data_movement")
    monkeypatch.setattr(one, "STUDIES", one.STUDIES * 2)
    with pytest.raises(ValueError, match="two studies have one name"):
        studies.load.__wrapped__()


@pytest.mark.parametrize("study", EVERY, ids=name_of)
def test_a_study_has_valid_cells_and_one_command_a_row(study):
    cells = [json.dumps(dataclasses.asdict(cell)) for cell in study.cells()]
    assert len(set(cells)) == len(cells) == len(study.grid) * len(study.seeds or [0])
    assert study.minutes > 0
    module = importlib.import_module(study.experiment)
    assert set(study.keep or ()) <= set(studies.PARTS)
    parser = harness.experiment_parser("", module.Settings, module.Options)
    for label in study.grid:
        python, script, *words = shlex.split(studies.command(study, label))
        args = parser.parse_args(words)
        seeds = [dict(seed=seed) for seed in args.seeds or [args.seed]]
        assert (python, script) == ("python3", f"{study.experiment}.py")
        row = [harness.from_flags(module.Settings, args, **seed) for seed in seeds]
        assert row == study.row(label)
        options = harness.from_flags(module.Options, args)
        assert options == module.Options(**study.options)


def test_a_curve_has_at_most_100_points(results):
    for study in EVERY:
        for settings in study.cells():
            record = studies.find(results, study.experiment, settings) or {}
            history = record.get("history", {})
            assert all(len(column) <= 100 for column in history.values()), study.name


def asked_of(row):
    """What tells a row of the rivals from the others: all else is the default."""
    return {name: getattr(row, name) for name in ("method", "experiment", "p", "hidden", "lr")}


def test_a_record_holds_no_part_that_no_study_of_it_keeps(results):
    """Weights and snapshots are large: the shipped file has those that a page or a picture reads."""
    kept = collections.defaultdict(set)
    for study in EVERY:
        for settings in study.cells():
            record = studies.find(results, study.experiment, settings)
            if record is not None:
                kept[study.experiment, json.dumps(record["settings"])] |= set(
                    studies.PARTS if study.keep is None else study.keep)
    for (experiment, settings), parts in kept.items():
        record = studies.find(results, experiment, json.loads(settings))
        assert set(studies.PARTS) & set(record) <= parts, settings


def test_every_row_of_the_papers_tables_is_in_a_study():
    import lstm_1997 as lstm
    import lstm_1997_rivals as rivals
    import weight_guessing as guessing

    def cells(experiment):
        return [cell for study in EVERY if study.experiment == experiment for cell in study.cells()]

    assert {cell.row for cell in cells("lstm_1997")} == {*lstm.TABLE_ROWS, *lstm.OTHER_ROWS}
    chosen = studies.load()["rivals-tuned"].cells()  # has a row of the tables again where a search finds nothing
    rows = [cell.row for cell in cells("lstm_1997_rivals") if cell == rivals.Settings(**asked_of(cell.row))]
    for again in {cell.row for cell in chosen if cell == rivals.Settings(**asked_of(cell.row))}:
        rows.remove(again)
    assert len(rows) == len(set(rows)) and set(rows) == {*rivals.TABLE_ROWS, *rivals.OTHER_ROWS}
    assert set(cells("weight_guessing")) == {guessing.Settings(**row) for row in guessing.ROWS}


def test_every_row_of_the_1997_paper_has_a_literal_reading_and_its_full_size():
    import lstm_1997 as lstm
    from studies.lstm_1997 import PAPER

    settings = [lstm.Settings(**row) for row in PAPER.values()]
    assert len(set(settings)) == len(PAPER)
    assert {row.row for row in settings if row.reading == "literal"} == set(lstm.TABLE_ROWS)
    for row in settings:
        enough = row.row.paper - 100 if row.T == 1000 else 2 * row.row.paper
        assert row.max_sequences >= enough
        assert (row.in_paper, row.trials, row.seed) == (True, row.row.trials, 0)


# Looking records up


def made(settings, status="done"):
    return dict(settings=dataclasses.asdict(settings), final=dict(status=status), history={},
                provenance={})


GRID = {"a": dict(T=10), ("b", 1): dict(T=12)}
TWO = studies.Study("two", "a test", "adding_problem", GRID, range(2), 1)


@pytest.fixture
def two(monkeypatch):
    """TWO is the only study; all its records."""
    monkeypatch.setattr(studies, "load", lambda: dict(two=TWO))
    return dict(schema=1, adding_problem=[made(settings) for settings in reversed(TWO.cells())])


def test_a_record_is_found_by_its_settings():
    cut, diverged = made(ap.Settings(T=10), "interrupted"), made(ap.Settings(T=11), "diverged")
    results = dict(schema=1, adding_problem=[cut, diverged])
    assert studies.find(results, "adding_problem", dict(T=11)) is diverged
    assert studies.find(results, "adding_problem", ap.Settings(T=11)) is diverged
    assert studies.find(results, "adding_problem", dict(T=10)) is None  # it did not run to its end
    assert studies.find(results, "adding_problem", dict(T=12)) is None
    assert studies.find({}, "adding_problem", dict(T=11)) is None


def test_arms_are_the_records_of_a_study_by_label_and_seed(two):
    found = {label: [(record["settings"]["T"], record["settings"]["seed"]) for record in records]
             for label, records in studies.arms(two, "two").items()}
    assert found == {"a": [(10, 0), (10, 1)], ("b", 1): [(12, 0), (12, 1)]}
    del two["adding_problem"][0]
    words = r"no record of two, \('b', 1\): python3 adding_problem.py --T 12 --seeds 0-1"
    with pytest.raises(KeyError, match=words):
        studies.arms(two, "two")


def test_what_is_missing_is_run_by_reproduce_and_said(two, tmp_path, monkeypatch, capsys):
    path, ran = tmp_path / "r.json", []

    def run(words):
        ran.append(words[1:])
        harness.write_results(path, two)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(studies.subprocess, "run", run)
    assert studies.complete(path, "two") == two
    assert ran == [[str(ROOT / "reproduce.py"), "two", "--out", str(path)]]
    assert capsys.readouterr().out == f"{path} lacks runs of two: running reproduce.py two\n"
    assert studies.complete(path, "two") == two and len(ran) == 1 and capsys.readouterr().out == ""
    record = studies.find_or_run(path, "adding_problem", dict(T=10, seed=1), "--quiet")
    assert record["settings"]["T"] == 10 and len(ran) == 1
    assert studies.find_or_run(path, "adding_problem", dict(T=10, seed=7), "--quiet") is None
    words = ["--T", "10", "--seed", "7", "--quiet", "--out", str(path)]
    assert ran[1] == [str(ROOT / "adding_problem.py"), *words]
    record = studies.find_or_run(path, "adding_problem", dict(T=10), fits=lambda record: False)
    assert record["settings"]["T"] == 10 and len(ran) == 3


def test_a_record_without_a_part_that_is_to_be_kept_is_lacking(two):
    assert not TWO.lacks(two["adding_problem"][0]) and TWO.lacks(None)
    assert dataclasses.replace(TWO, keep=("weights",)).lacks(two["adding_problem"][0])
    assert not dataclasses.replace(TWO, keep=None).lacks(two["adding_problem"][0])


def test_a_run_that_fails_ends_the_program_with_its_exit_code(monkeypatch):
    ended = subprocess.CompletedProcess([], 130)
    monkeypatch.setattr(studies.subprocess, "run", lambda words: ended)
    with pytest.raises(SystemExit) as stop:
        studies.run_first("reproduce.py", "smoke")
    assert stop.value.code == 130


# Commands


def run_module(*words):
    command = [sys.executable, "-m", "studies", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_commands_are_printed():
    printed = run_module("smoke", "adding-crossing").stdout.splitlines()
    assert printed[0].startswith("# smoke: that everything works") and printed[3] == ""
    assert printed[2] == (
        "python3 adding_problem.py --cell rnn --T 10 --hidden 4 --iters 500 --seeds 0-1 "
        "--snapshot-every 0 --eval-every 100")
    assert len(printed) == 3 + 1 + 1 + 12 + 1
    assert run_module().stdout.count("\n# ") == len(EVERY) - 1
    assert_bad_input(run_module("nothing"), "no study is called nothing")
