# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Runs the studies behind the README, on one machine or many, and skips what is done.

    python3 reproduce.py --list                    every study: what it shows, cells, core-hours, done / missing / stale
    python3 reproduce.py adding-headline --jobs 2  one study (or several names, or all)
    python3 reproduce.py all --jobs 2 --within 60  what fits into an hour on two cores; the rest is named with its cost
    python3 reproduce.py adding-headline --check 1 one finished cell per study again: are the bits the same?

A cell is one run of an experiment: its settings with one seed. Its record goes into results.json as soon as it ends; a
study that was stopped, by whatever means, goes on where it was, and ends in the same figures. Cells run in processes
here, or on a dask.distributed cluster (--scheduler ADDRESS); only this program writes the file.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import importlib
import json
import multiprocessing
import sys
import time

import numpy as np

import adding_problem as ap
import data_movement
import information_latching
import lstm_1997_rivals
import studies_adding_problem
import studies_lstm_1997
import studies_rnn_pathological

ATTEMPTS = 3  # at a cell whose process dies
RESUMED = ("lstm_1997", "lstm_1997_rivals")  # cells of hours: they keep checkpoints beside the file of results


@dataclasses.dataclass(frozen=True)
class Study:
    """A grid of settings and the seeds each is run with."""

    name: str
    shows: str
    experiment: str  # the module
    grid: tuple  # of dicts: settings that differ from the experiment's defaults
    seeds: range | None  # None: a record holds all its trials, or there is nothing random
    core_minutes: float  # all cells, on one core of the machine of results.json
    options: dict = dataclasses.field(default_factory=dict)
    keep: tuple | None = ()  # parts of a record that a picture needs: weights, snapshots; None: all that it has

    def cells(self):
        """Every cell's Settings, seed by seed: a study cut short has a few seeds of everything."""
        seeds = [{}] if self.seeds is None else [dict(seed=seed) for seed in self.seeds]
        return [typed(self.experiment, settings | seed) for seed in seeds for settings in self.grid]


def typed(experiment, settings):
    """The Settings of an experiment from a dict."""
    module = importlib.import_module(experiment)
    return (module.LandscapeSettings if "landscape" in settings else module.Settings)(**settings)


def pathological_studies():
    """The studies of studies_rnn_pathological.py: of each group, arms with the same seeds and options in one Study."""
    studies = []
    for name, (shows, arms, minutes) in studies_rnn_pathological.GROUPS.items():
        alike = collections.defaultdict(list)
        for arm in arms:
            alike[arm.experiment.EXPERIMENT, arm.seeds, arm.eval_every, arm.keep_weights].append(arm.settings)
        cells = sum(len(arm.seeds) for arm in arms)
        for k, ((experiment, seeds, every, weights), grid) in enumerate(alike.items(), 1):
            part = f"{name}-{k}" if len(alike) > 1 else name
            share = minutes * len(grid) * len(seeds) / cells
            options = dict(eval_every=every, keep_weights=weights)
            keep = ("weights",) if weights else ()
            studies.append(Study(part, shows, experiment, tuple(grid), seeds, share, options, keep))
    return studies


def adding_studies():
    """The studies of studies_adding_problem.py."""
    for name, (shows, arms, seeds, minutes, every) in studies_adding_problem.GROUPS.items():
        options = dict(snapshot_every=0, eval_every=every)
        yield Study(name, shows, "adding_problem", tuple(arms.values()), seeds, minutes, options)


LATCHING = {  # study of information_latching.py: what it shows, minutes of one core
    "table": ("success against length: every cell and start, thirty repeats each", 12),
    "tradeoff": ("latching against sensitivity: the tanh unit's recurrent weight", 2.5),
    "split": ("the question's validation split, and a shuffled one", 2),
    "relay": ("the bit relay: one and eight units", 3),
    "latch1994": ("the latch of 1994", 1),
    "tuning": ("four times the updates, ten times the rate", 1),
    "keras2018": ("the hard sigmoid of 2018", 0.5),
    "landscape": ("the loss over two weights of a one-unit net", 0.2),
}

RIVALS = {  # study of lstm_1997_rivals.py: what it shows, what its rows have in common, minutes of one core
    "reber": ("the rivals on the embedded Reber grammar, Table 1", dict(experiment="1"), 72),
    "lag-4": ("RTRL, Elman nets and cascade-correlation on 2a with p = 4", dict(experiment="2a", p=4), 65),
    "lag-10": ("RTRL and cascade-correlation on 2a with p = 10", dict(experiment="2a", p=10), 30),
    "lag-100": ("RTRL on 2a with p = 100", dict(method="rtrl", p=100), 95),
    "lag-100-bptt": ("BPTT on 2a with p = 100", dict(method="bptt", p=100), 95),
    "chunker": ("the neural sequence chunker on 2a with p = 100", dict(method="chunker"), 60),
    "guessing": ("random weight guessing on 3a and parity", dict(method="guessing"), 30),
}
# What cec.png shows, and the paper's rows but for the many nets of Tables 1 and 3 to 6
LSTM_WITH_WEIGHTS = {"lstm-full-gradient"} | {
    name for name in studies_lstm_1997.TABLES if not name.startswith(("lstm-table-1", "lstm-table-3", "lstm-tables-4"))}
RIVALS_ROWS = [line._asdict() for line in lstm_1997_rivals.LINES + lstm_1997_rivals.OTHER_LINES]
RIVALS_ROWS.append(next(row for row in RIVALS_ROWS if (row["method"], row["experiment"]) == ("rcc", "2a")) | dict(p=10))


def rivals_studies():
    """Rows of lstm_1997_rivals.py, one study for those that belong together."""
    fields = ("method", "experiment", *lstm_1997_rivals.IDENTITY)
    for name, (shows, alike, minutes) in RIVALS.items():
        grid = [{field: row[field] for field in fields if row[field] is not None}
                for row in RIVALS_ROWS if alike.items() <= row.items()]
        yield Study(f"rivals-{name}", shows, "lstm_1997_rivals", tuple(grid), None, minutes, keep=None)


STUDIES = (
    Study("smoke", "that everything works: four cells of a second", "adding_problem",
          (dict(T=10, hidden=4, iters=500), dict(T=10, hidden=4, iters=500, cell="rnn")), range(2), 0.1,
          dict(snapshot_every=0)),
    Study("adding-animation", "the runs of the pictures and the animation: LSTM and tanh RNN, seed 0", "adding_problem",
          tuple(studies_adding_problem.HEADLINE.values()), range(1), 0.2, dict(snapshot_every=400),
          ("weights", "snapshots")),
    Study("adding-headline", "the adding problem's recipe over ten seeds, LSTM and tanh RNN", "adding_problem",
          tuple(studies_adding_problem.HEADLINE.values()), range(10), 2.2, dict(snapshot_every=0), ("weights",)),
    *adding_studies(),
    *pathological_studies(),
    Study("latching-headline", "the one-unit latch as Keras starts it", "information_latching", (dict(),), None, 0.3,
          dict(), ("weights",)),
    *(Study(f"latching-{name}", shows, "information_latching", tuple(information_latching.STUDIES[name]), None, minutes)
      for name, (shows, minutes) in LATCHING.items()),
    *(Study(name, shows, "lstm_1997", tuple(arms), None, minutes, keep=None if name in LSTM_WITH_WEIGHTS else ())
      for name, (shows, arms, minutes) in studies_lstm_1997.STUDIES.items()),
    *rivals_studies(),
    Study("data-movement", "what a training step moves, traced value by value", "data_movement",
          tuple(map(dataclasses.asdict, data_movement.study())), None, 2),
)


# ----------------------------------------------------------------------------------------------------------------------
# Cells and their records
# ----------------------------------------------------------------------------------------------------------------------

def run_cell(experiment, settings, options):
    """Trains one cell, in whatever process this is. Returns its record, or None once it is to stop.

    settings, options: dicts.
    """
    module, settings = importlib.import_module(experiment), typed(experiment, settings)
    if module is data_movement:
        return ap.unless_stopped(module.measure, (settings,))
    options = module.Options(**options)
    if module is information_latching:
        return module.unless_stopped(module.run, (settings, options, True, settings == module.Settings()))
    if experiment in RESUMED:
        [record] = module.unless_stopped(module.train, ([settings], options)) or [None]
        return record
    return module.unless_stopped(module.train, (settings, options))


@functools.cache
def options_of_cells():
    """The options of every cell, by experiment and settings: where studies share a cell, those of the first of them."""
    options = {}
    for study in STUDIES:
        for cell in study.cells():
            options.setdefault((study.experiment, cell), study.options)
    return options


def options_of(study, cell):
    """The options a cell of a study is run with."""
    return options_of_cells().get((study.experiment, cell), study.options)


def find(results, experiment, settings):
    """The record of these settings (a dict), or None."""
    return next((r for r in results.get(experiment, []) if r["settings"] == settings), None)


@functools.cache
def current_hash(experiment):
    """Hash of the experiment's file as it is now."""
    return ap.source_hash(importlib.import_module(experiment).__file__)


def state(results, study, settings):
    """done, stale (made by other code) or missing (absent, interrupted, or without what a picture needs)."""
    record = find(results, study.experiment, settings)
    if record is None or record["final"]["status"] == "interrupted" or not record.keys() >= set(study.keep or ()):
        return "missing"
    return "done" if record["provenance"]["source_hash"] == current_hash(study.experiment) else "stale"


def kept(record, keep):
    """The record without weights and snapshots, but for those a picture needs."""
    dropped = () if keep is None else {"weights", "snapshots"} - set(keep)
    return {name: part for name, part in record.items() if name not in dropped}


def figures(record):
    """What must be equal, bit for bit, in two runs of a cell: the final figures and, if it was trained, the history."""
    return json.dumps(ap.strict({name: record.get(name) for name in ("history", "final")}))


# ----------------------------------------------------------------------------------------------------------------------
# Running
# ----------------------------------------------------------------------------------------------------------------------

def figure(record):
    """What a cell reached, as (name, value, whether less is better); None if it has no such figure.

    Of a record with many trials it is the median over them.
    """
    for name, less in (("test_mse", True), ("test_accuracy", False)):
        values = record["final"].get(name)
        if values is not None and None not in np.atleast_1d(values):
            return name.replace("_", " ").replace("mse", "MSE"), float(np.median(values)), less
    return None


class Progress:
    """Cells done, the last one's figure and the best so far of the same settings, elapsed and remaining time; on a
    terminal the line is redrawn."""

    def __init__(self, total):
        self.total, self.done, self.start, self.redraw = total, 0, time.perf_counter(), sys.stdout.isatty()
        self.best = {}  # by settings without the seed

    def reached(self, record):
        """The record's figure in words, with the best so far among the seeds of its settings."""
        found, seed = figure(record), record["settings"].get("seed")
        if found is None:
            return ""
        name, value, less = found
        kind = json.dumps(record["settings"] | {"seed": None})
        best = self.best.setdefault(kind, (value, seed))
        if (value < best[0]) if less else (value > best[0]):
            best = self.best[kind] = (value, seed)
        whose = "" if best[1] is None else f" (seed {best[1]})"
        return f": {name} {value:.4g}, best so far {best[0]:.4g}{whose}"

    def __call__(self, text):
        self.done += 1
        elapsed = time.perf_counter() - self.start
        left = elapsed * (self.total - self.done) / self.done
        line = f"{self.done}/{self.total} cells  {text}  {elapsed:.0f} s, {left:.0f} s left"
        print(f"\r\033[K{line}" if self.redraw else line, end="" if self.redraw else "\n", flush=True)

    def close(self):
        if self.redraw:
            print()


def start_worker(stop, experiments):
    """A process of the pool leaves Ctrl-C to its parent; its cells end early once stop is set."""
    for module in {ap, *map(importlib.import_module, experiments)} - {data_movement}:
        module.start_worker(stop)


@contextlib.contextmanager
def executor(jobs, scheduler, experiments, stop):
    """A concurrent.futures executor: processes here, or the workers of a dask scheduler."""
    if scheduler is None:
        start = dict(initializer=start_worker, initargs=(stop, experiments))
        with concurrent.futures.ProcessPoolExecutor(jobs, **start) as pool:
            yield pool
    else:
        from dask.distributed import Client

        with Client(scheduler) as client:
            yield client.get_executor(pure=False)


def run_calls(calls, jobs, scheduler, stop):
    """Yields (call, record or exception) as the calls end. A process that dies costs its call an attempt, no more.

    Once stop is set, the calls that have not ended are given up.
    """
    left = {call: ATTEMPTS for call in calls}
    while left and not stop.is_set():
        with executor(jobs, scheduler, {call[0] for call in left}, stop) as pool:
            futures = {pool.submit(run_cell, call[0], dict(call[1]), dict(call[2])): call for call in left}
            for future in concurrent.futures.as_completed(futures):
                if stop.is_set():
                    pool.shutdown(wait=False, cancel_futures=True)
                    break
                call, error = futures[future], future.exception()
                left[call] -= 1
                if left[call] and isinstance(error, concurrent.futures.BrokenExecutor):
                    continue
                del left[call]
                yield call, error or future.result()


def run(studies, path, jobs, scheduler, stale, stop):
    """Runs what is missing (and stale, if asked for), until stop is set. Returns the failed cells and their errors."""
    results, calls = ap.read_results(path), {}
    for study in studies:
        for cell in study.cells():
            asked = ("missing", "stale") if stale else ("missing",)
            settings = dataclasses.asdict(cell)
            if state(results, study, settings) in asked:
                place = dict(out=str(path)) if study.experiment in RESUMED else {}
                options = options_of(study, cell) | place
                call = (study.experiment, tuple(settings.items()), tuple(options.items()))
                calls.setdefault(call[:2], (call, study))
    progress, failed = Progress(len(calls)), {}
    keep = {call: study.keep for call, study in calls.values()}
    for call, outcome in run_calls(list(keep), jobs, scheduler, stop):
        name = cell_name(call)
        if isinstance(outcome, BaseException):
            failed[name] = f"{type(outcome).__name__}: {outcome}"
            progress(f"{name}: FAILED")
        elif outcome is not None:
            if not ap.save(path, call[0], kept(outcome, keep[call])):
                failed[name] = "not saved"
            elif call[0] in RESUMED:
                checkpoint = importlib.import_module(call[0]).checkpoint_path([typed(call[0], dict(call[1]))], path)
                checkpoint.unlink(missing_ok=True)
            progress(name + progress.reached(outcome))
    progress.close()
    return failed


def check(studies, path, number):
    """Runs `number` finished cells of each study again. Returns those whose figures differ in any bit, by name."""
    results, different = ap.read_results(path), {}
    for study in studies:
        finished = [cell for cell in study.cells() if find(results, study.experiment, dataclasses.asdict(cell))]
        for cell in finished[:number]:
            settings = dataclasses.asdict(cell)
            call = (study.experiment, tuple(settings.items()), ())
            again = run_cell(study.experiment, settings, options_of(study, cell))
            same = figures(again) == figures(find(results, study.experiment, settings))
            print(f"{study.name}: {cell_name(call)}: {'the same bits' if same else 'DIFFERENT'}", flush=True)
            if not same:
                different[cell_name(call)] = "its figures differ from the record's"
    return different


def cell_name(call):
    """Experiment and the settings that differ from the defaults."""
    experiment, settings, _ = call
    module = importlib.import_module(experiment)
    default = dataclasses.asdict(module.Settings())
    changed = [f"{name}={value}" for name, value in settings if default.get(name) != value]
    return " ".join([experiment, *changed])


# ----------------------------------------------------------------------------------------------------------------------
# Command line
# ----------------------------------------------------------------------------------------------------------------------

def listing(studies, results):
    """The table of studies as text."""
    lines = []
    for study in studies:
        cells = study.cells()
        states = [state(results, study, dataclasses.asdict(settings)) for settings in cells]
        counts = ", ".join(f"{states.count(name)} {name}" for name in ("done", "missing", "stale"))
        seeds = "" if study.seeds is None else f" x {len(study.seeds)} seeds"
        lines += [f"{study.name}: {study.shows}", f"    {len(study.grid)} settings{seeds} = {len(cells)} cells, "
                  f"{study.core_minutes / 60:.2f} core-hours; {counts}"]
    return "\n".join(lines)


def affordable(studies, core_minutes):
    """The cheapest of the studies, as many as fit into the core-minutes; prints the others with their cost."""
    chosen, left = [], core_minutes
    for study in sorted(studies, key=lambda study: study.core_minutes):
        left -= study.core_minutes
        if left < 0:
            print(f"left out: {study.name}, {study.core_minutes / 60:.2f} core-hours: {study.shows}")
        else:
            chosen.append(study)
    return chosen


def main(argv=None):
    parser = ap.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="studies to run, or all")
    parser.add_argument("--list", action="store_true", help="show every study and its state, and stop")
    parser.add_argument("--jobs", type=ap.flag_value(int, 1, 1024), default=1, help="processes (default: 1)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a dask.distributed scheduler, such as tcp://host:8786")
    parser.add_argument("--stale", action="store_true", help="also run again what other code made")
    parser.add_argument("--within", type=ap.flag_value(float, 0, 1e6), metavar="MINUTES",
                        help="of the named studies only those that fit, the cheapest first; the rest is listed")
    parser.add_argument("--check", type=ap.flag_value(int, 1, 10_000), metavar="N",
                        help="run N finished cells of each study again and compare their bits")
    parser.add_argument("--out", default="results.json", help="file of results (default: results.json)")
    args = parser.parse_args(argv)
    by_name = {study.name: study for study in STUDIES}
    unknown = sorted(set(args.names) - by_name.keys() - {"all"})
    if unknown:
        parser.error(f"no study is called {unknown[0]}: see --list")
    if not args.list and not args.names:
        parser.error("name a study, or all, or use --list")
    studies = STUDIES if "all" in args.names or not args.names else [by_name[name] for name in args.names]
    try:
        if args.within is not None:
            studies = affordable(studies, args.within * args.jobs)
        if args.list:
            print(listing(studies, ap.read_results(args.out)))
            return 0
        ap.check_results(args.out)
        if args.check:
            failed = check(studies, args.out, args.check)
        else:
            stop = multiprocessing.Event()
            ap.stop_on_signal(stop)
            failed = run(studies, args.out, args.jobs, args.scheduler, args.stale, stop)
            if stop.is_set():
                print("interrupted; the cells that ended are saved", file=sys.stderr)
                return 130
    except (ap.ResultsError, argparse.ArgumentTypeError, OSError, ImportError) as error:
        parser.error(str(error))
    for name, error in failed.items():
        print(f"FAILED {name}: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
