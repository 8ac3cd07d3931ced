# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Runs the studies behind the README, on one machine or many, and skips what is done.

    python3 reproduce.py --list                    every study: what it shows, cells, core-hours, done / missing / stale
    python3 reproduce.py adding-headline --jobs 2  one study (or several names, or all but the longest)
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

import adding_problem as ap
import studies_rnn_pathological

ATTEMPTS = 3  # at a cell whose process dies
LONGEST = 60  # core-minutes: a longer study is not part of `all`


@dataclasses.dataclass(frozen=True)
class Study:
    """A grid of settings and the seeds each is run with."""

    name: str
    shows: str
    experiment: str  # the module
    grid: tuple  # of dicts: settings that differ from the experiment's defaults
    seeds: range
    core_minutes: float  # all cells, on one core of the machine of results.json
    options: dict = dataclasses.field(default_factory=dict)
    keep: tuple = ()  # parts of a record that a picture needs: weights, snapshots

    def cells(self):
        """Every cell's Settings, seed by seed: a study cut short has a few seeds of everything."""
        module = importlib.import_module(self.experiment)
        return [module.Settings(**settings, seed=seed) for seed in self.seeds for settings in self.grid]


ADDING_HEADLINE = (dict(), dict(cell="rnn", iters=5000))
ADDING_CELLS = (
    dict(cell="lstm"), dict(cell="lstm1997"), dict(cell="rnn", iters=5000), dict(cell="rnn", init="ortho"),
    dict(cell="irnn"))


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
            studies.append(Study(part, shows, experiment, tuple(grid), seeds, share, options, ("weights",)))
    return studies


STUDIES = (
    Study("smoke", "that everything works: four cells of a second", "adding_problem",
          (dict(T=10, hidden=4, iters=500), dict(T=10, hidden=4, iters=500, cell="rnn")), range(2), 0.1,
          dict(snapshot_every=0)),
    Study("adding-animation", "the runs of the pictures and the animation: LSTM and tanh RNN, seed 0", "adding_problem",
          ADDING_HEADLINE, range(1), 0.2, dict(snapshot_every=400), ("weights", "snapshots")),
    Study("adding-headline", "the adding problem's recipe over ten seeds, LSTM and tanh RNN", "adding_problem",
          ADDING_HEADLINE, range(10), 2.2, dict(snapshot_every=0), ("weights",)),
    Study("adding-cells", "which cell learns the adding problem at T = 100: five cells, ten seeds", "adding_problem",
          ADDING_CELLS, range(10), 6.0, dict(snapshot_every=0), ("weights",)),
    *pathological_studies(),
)


# ----------------------------------------------------------------------------------------------------------------------
# Cells and their records
# ----------------------------------------------------------------------------------------------------------------------

def run_cell(experiment, settings, options):
    """Trains one cell, in whatever process this is. Returns its record. settings, options: dicts."""
    module = importlib.import_module(experiment)
    return module.unless_stopped(module.train, (module.Settings(**settings), module.Options(**options)))


def find(results, experiment, settings):
    """The record of these settings (a dict), or None."""
    return next((r for r in results.get(experiment, []) if r["settings"] == settings), None)


@functools.cache
def current_hash(experiment):
    """Hash of the experiment's file as it is now."""
    return ap.source_hash(importlib.import_module(experiment).__file__)


def state(results, experiment, settings):
    """done, stale (made by other code) or missing (absent, or interrupted)."""
    record = find(results, experiment, settings)
    if record is None or record["final"]["status"] == "interrupted":
        return "missing"
    return "done" if record["provenance"]["source_hash"] == current_hash(experiment) else "stale"


def kept(record, keep):
    """The record without weights and snapshots, but for those a picture needs."""
    return {name: part for name, part in record.items() if name not in ("weights", "snapshots") or name in keep}


def figures(record):
    """What must be equal, bit for bit, in two runs of a cell: history and final figures."""
    return json.dumps(ap.strict({name: record[name] for name in ("history", "final")}))


# ----------------------------------------------------------------------------------------------------------------------
# Running
# ----------------------------------------------------------------------------------------------------------------------

class Progress:
    """Cells done, elapsed and remaining time; on a terminal the line is redrawn."""

    def __init__(self, total):
        self.total, self.done, self.start, self.redraw = total, 0, time.perf_counter(), sys.stdout.isatty()

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
    for name in experiments:
        importlib.import_module(name).start_worker(stop)


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
        for settings in study.cells():
            asked = ("missing", "stale") if stale else ("missing",)
            settings = dataclasses.asdict(settings)
            if state(results, study.experiment, settings) in asked:
                call = (study.experiment, tuple(settings.items()), tuple(study.options.items()))
                calls.setdefault(call[:2], (call, study))
    progress, failed = Progress(len(calls)), {}
    keep = {call: study.keep for call, study in calls.values()}
    for call, outcome in run_calls(list(keep), jobs, scheduler, stop):
        name = cell_name(call)
        if isinstance(outcome, BaseException):
            failed[name] = f"{type(outcome).__name__}: {outcome}"
            progress(f"{name}: FAILED")
        else:
            if not ap.save(path, call[0], kept(outcome, keep[call])):
                failed[name] = "not saved"
            progress(name)
    progress.close()
    return failed


def check(studies, path, number):
    """Runs `number` finished cells of each study again. Returns those whose figures differ in any bit, by name."""
    results, different = ap.read_results(path), {}
    for study in studies:
        finished = [s for s in map(dataclasses.asdict, study.cells()) if find(results, study.experiment, s)]
        for settings in finished[:number]:
            call = (study.experiment, tuple(settings.items()), ())
            again = run_cell(study.experiment, settings, study.options)
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
    changed = [f"{name}={value}" for name, value in settings if default[name] != value]
    return " ".join([experiment, *changed])


# ----------------------------------------------------------------------------------------------------------------------
# Command line
# ----------------------------------------------------------------------------------------------------------------------

def listing(results):
    """The table of studies as text."""
    lines = []
    for study in STUDIES:
        cells = study.cells()
        states = [state(results, study.experiment, dataclasses.asdict(settings)) for settings in cells]
        counts = ", ".join(f"{states.count(name)} {name}" for name in ("done", "missing", "stale"))
        lines += [f"{study.name}: {study.shows}",
                  f"    {len(study.grid)} settings x {len(study.seeds)} seeds = {len(cells)} cells, "
                  f"{study.core_minutes / 60:.2f} core-hours; {counts}"]
    return "\n".join(lines)


def main(argv=None):
    parser = ap.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="studies to run, or all")
    parser.add_argument("--list", action="store_true", help="show every study and its state, and stop")
    parser.add_argument("--jobs", type=ap.flag_value(int, 1, 1024), default=1, help="processes (default: 1)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a dask.distributed scheduler, such as tcp://host:8786")
    parser.add_argument("--stale", action="store_true", help="also run again what other code made")
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
    studies = [by_name[name] for name in args.names if name != "all"]
    if "all" in args.names:
        studies += [study for study in STUDIES if study.core_minutes <= LONGEST and study not in studies]
        for study in STUDIES:
            if study not in studies:
                print(f"not part of all: {study.name}, {study.core_minutes / 60:.1f} core-hours; name it to run it")
    try:
        if args.list:
            print(listing(ap.read_results(args.out)))
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
