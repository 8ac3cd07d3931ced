"""Lists of runs, one shape for all: what a study shows, its settings by label, its seeds, its cost.

A study stands in the list STUDIES of a file of this folder and is found there; nothing else names
it. reproduce.py runs studies; tables and pictures look their records up.

    python3 -m studies                        the command of every row of every study
    python3 -m studies adding-cells           of this one
"""

import dataclasses
import functools
import importlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

import harness

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("history", "weights", "snapshots")  # of a record, that a study may leave away


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Rows of settings, each run with the same seeds and in the same way."""

    name: str
    shows: str  # in words
    experiment: str  # the module
    # The rows: settings that are not the defaults, by label (a text, or a tuple)
    grid: dict
    seeds: range | None  # None: a record holds all its trials, or nothing is random
    minutes: float  # of one core of the machine of results.json, for all cells
    options: dict = dataclasses.field(default_factory=dict)  # likewise, of the experiment's Options
    keep: tuple | None = ("history",)  # those of PARTS that a page needs; None: whatever there is

    def cells(self):
        """Every cell's Settings, seed by seed: a study cut short has a few seeds of everything."""
        by_seed = zip(*(self.row(label) for label in self.grid))
        return [settings for row in by_seed for settings in row]

    def row(self, label):
        """The Settings of a row, by seed."""
        seeds = [{}] if self.seeds is None else [dict(seed=seed) for seed in self.seeds]
        return [settings_of(self.experiment, self.grid[label] | seed) for seed in seeds]

    def lacks(self, record):
        """Whether a record (or None) is not there, or without a part that is to be kept."""
        return record is None or not record.keys() >= set(self.keep or ())


@functools.cache
def load():
    """Every study, {name: Study}, from the files of this folder."""
    files = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    modules = [importlib.import_module(f"{__name__}.{file}") for file in files]
    every = [study for module in modules for study in module.STUDIES]
    found = {study.name: study for study in every}
    if len(found) < len(every):
        raise ValueError("two studies have one name")
    return found


def settings_of(experiment, settings):
    """The Settings of an experiment from a dict, or as they are."""
    if not isinstance(settings, dict):
        return settings
    return made(experiment, tuple(settings.items()))


@functools.cache
def made(experiment, settings):
    """The Settings of an experiment, which nothing can change, from pairs of names and values."""
    return importlib.import_module(experiment).Settings(**dict(settings))


@functools.cache
def as_recorded(settings):
    """Settings as a record has them. Not to be changed."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


# --------------------------------------------------------------------------------------------------
# Records
# --------------------------------------------------------------------------------------------------

def find(results, experiment, settings):
    """The record of these settings (Settings, or a dict of those that are not the defaults) in the
    contents of a results file; None if there is none that ran to its end."""
    wanted = as_recorded(settings_of(experiment, settings))
    matching = [record for record in results.get(experiment, []) if record["settings"] == wanted]
    ended = [record for record in matching if record["final"]["status"] != "interrupted"]
    return ended[0] if ended else None


def arms(results, name):
    """The records of a study, {label: [a record for each seed]}. Raises KeyError naming what is
    missing."""
    study = load()[name]
    found = {label: [find(results, study.experiment, settings) for settings in study.row(label)]
             for label in study.grid}
    for label, records in found.items():
        if None in records:
            raise KeyError(f"no record of {name}, {label}: {command(study, label)}")
    return found


def by_label(results, *names):
    """{label: record} of studies whose records hold every trial of a row. Raises KeyError naming what is missing."""
    return {label: record for name in names for label, [record] in arms(results, name).items()}


def are_complete(results, *names):
    """Whether every record of these studies is there, with the parts that are to be kept. Not so if
    there is no study of a name, because a search has yet to choose its rows."""
    every = load()
    return set(names) <= every.keys() and not any(
        every[name].lacks(find(results, every[name].experiment, settings))
        for name in names for settings in every[name].cells())


# --------------------------------------------------------------------------------------------------
# Commands
# --------------------------------------------------------------------------------------------------

def flags_of(values):
    """Words of a command line from a dict; None and False have none."""
    words = []
    for name, value in values.items():
        if value is not None and value is not False:
            words += [harness.flag_of(name)] + ([] if value is True else [str(value)])
    return words


def command(study, label):
    """The command that makes the records of a row of a study."""
    settings = study.grid[label]
    fields = dataclasses.fields(importlib.import_module(study.experiment).Settings)
    names = [field.name for field in fields if field.name in settings]
    words = flags_of({name: settings[name] for name in names})
    if study.seeds is not None:
        words += ["--seeds", f"{study.seeds[0]}-{study.seeds[-1]}"]
    return shlex.join(["python3", f"{study.experiment}.py", *words, *flags_of(study.options)])


def complete(path, *names):
    """The contents of a results file, once reproduce.py has run those of these studies that lack a
    record. Raises harness.ResultsError for an unusable file, SystemExit with reproduce.py's exit
    code if it fails."""
    results = harness.read_results(path)
    lacking = [name for name in names if not are_complete(results, name)]
    if lacking:
        harness.say(f"{path} lacks runs of {', '.join(lacking)}: "
                    f"running reproduce.py {' '.join(lacking)}")
        run_first("reproduce.py", *lacking, "--out", str(path))
        results = harness.read_results(path)
    return results


def find_or_run(path, experiment, settings, *more_flags, fits=lambda record: True):
    """The record of these settings (a dict of those that are not the defaults); where a results
    file lacks it, or it does not fit, the experiment's own command makes it first, with more flags
    if need be. Raises as complete() does."""
    record = find(harness.read_results(path), experiment, settings)
    if record is None or not fits(record):
        words = [f"{experiment}.py", *flags_of(settings), *more_flags]
        harness.say(f"{path} lacks what is to be drawn: running {shlex.join(words)}")
        run_first(*words, "--out", str(path))
        record = find(harness.read_results(path), experiment, settings)
    return record


def run_first(script, *words):
    """Runs a script of the project that makes a missing record. Raises SystemExit with its exit
    code if it fails."""
    code = subprocess.run([sys.executable, str(ROOT / script), *words]).returncode
    if code:
        raise SystemExit(code)
