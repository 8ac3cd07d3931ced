# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Runs the studies behind the README, on one machine or many, and skips what is done.

    python3 reproduce.py --list                    every study: what it shows, cells, core-hours, done / missing / stale
    python3 reproduce.py adding-headline --jobs 2  one study (or several names, or all)
    python3 reproduce.py all --jobs 2 --within 60  what fits into an hour on two cores; the rest is named with its cost
    python3 reproduce.py adding-headline --check 1 one finished cell per study again: are the bits the same?

A cell is one run of an experiment: its settings with one seed. Its record goes into results.json as
soon as it ends; a study that was stopped, by whatever means, goes on where it was, and ends in the
same figures. Cells run in processes here, or on a dask.distributed cluster (--scheduler ADDRESS);
only this program writes the file. The studies stand in studies/.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import importlib
import json
import multiprocessing
import sys

import numpy as np

import harness
import studies

ATTEMPTS = 3  # at a cell whose process dies


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run of an experiment, as the studies that have it want it."""

    experiment: str
    settings: object  # the experiment's Settings
    options: tuple  # pairs of name and value, for the experiment's Options
    keep: frozenset  # those of studies.PARTS that stay in its record

    def __str__(self):
        """Experiment and the settings that differ from the defaults."""
        default = dataclasses.asdict(type(self.settings)())
        changed = [f"{name}={value}" for name, value in dataclasses.asdict(self.settings).items()
                   if value != default[name]]
        return " ".join([self.experiment, *changed])


def cells_of(chosen):
    """The cells of each of some studies, {study: [Cell]}.

    A cell that studies share is run with the options of the first study of all that has it, and
    keeps what any of them needs: in whatever order they are asked for, it is one record.
    """
    options, keep = {}, collections.defaultdict(set)
    for study in dict.fromkeys([*studies.load().values(), *chosen]):
        for settings in study.cells():
            options.setdefault((study.experiment, settings), tuple(study.options.items()))
            keep[study.experiment, settings] |= set(study.keep or ())
            if study.keep is None:
                keep[study.experiment, settings] |= set(studies.PARTS)
    return {study: [Cell(*key, options[key], frozenset(keep[key]))
                    for key in ((study.experiment, settings) for settings in study.cells())]
            for study in chosen}


def state(results, study, cell):
    """done, stale (made by other code) or missing (absent, interrupted, or without a part that the
    study needs)."""
    record = studies.find(results, cell.experiment, cell.settings)
    if study.lacks(record):
        return "missing"
    code = importlib.import_module(cell.experiment).CODE
    return "done" if record["provenance"].get("fingerprint") == code.fingerprint else "stale"


def states(results, cells):
    """The state of every cell of each study: {study: {cell: state}}."""
    return {study: {cell: state(results, study, cell) for cell in own} for study, own in cells.items()}


# ----------------------------------------------------------------------------------------------------------------------
# Records
# ----------------------------------------------------------------------------------------------------------------------

def kept(record, keep):
    """The record without the parts that no study needs."""
    dropped = set(studies.PARTS) - keep
    return {name: part for name, part in record.items() if name not in dropped}


def compared(record, other):
    """What must be equal, bit for bit, in two records of a cell: all that both have but where they
    come from. As text."""
    parts = sorted(record.keys() & other.keys() - {"provenance"})
    return json.dumps([harness.strict(record[name]) for name in parts])


def headline(record):
    """What a cell reached, as (name, value, whether less is better); None if it has no such figure.

    Of a record with many trials it is the median over them.
    """
    for name, less in (("test_mse", True), ("test_accuracy", False)):
        values = record["final"].get(name)
        if values is not None and None not in np.atleast_1d(values):
            return name.replace("_", " ").replace("mse", "MSE"), float(np.median(values)), less
    return None


class Best:
    """The best headline so far, by settings without the seed."""

    def __init__(self):
        self.found = {}

    def words(self, record):
        """A record's headline in words, with the best so far among the seeds of its settings."""
        reached, seed = headline(record), record["settings"].get("seed")
        if reached is None:
            return ""
        name, value, less = reached
        kind = json.dumps(record["settings"] | {"seed": None})
        best = self.found.setdefault(kind, (value, seed))
        if (value < best[0]) if less else (value > best[0]):
            best = self.found[kind] = (value, seed)
        whose = "" if best[1] is None else f" (seed {best[1]})"
        return f": {name} {value:.4g}, best so far {best[0]:.4g}{whose}"


# ----------------------------------------------------------------------------------------------------------------------
# Running
# ----------------------------------------------------------------------------------------------------------------------

def train_cells(experiment, rows, options):
    """Trains one cell, or several in one lockstep, in whatever process this is. Returns their
    records, none if it was stopped.

    rows: their Settings; options: pairs of name and value.
    """
    module = importlib.import_module(experiment)
    options = module.Options(**dict(options))
    if len(rows) > 1:
        return module.train_together(list(rows), options, True) or []
    record = module.train(rows[0], options, True)
    return [record] if record else []


def train_remotely(*call):
    """train_cells() on a machine that may give BLAS several threads, on which the bits depend."""
    harness.blas_threads(1)
    return train_cells(*call)


def call_of(cells, path):
    """The arguments of train_cells() for cells that have their options in common. Their checkpoints
    lie beside path; None: no checkpoint is read or left."""
    module = importlib.import_module(cells[0].experiment)
    options = dict(cells[0].options)
    if "out" in {field.name for field in dataclasses.fields(module.Options)}:
        options["out"] = None if path is None else str(path)
    return cells[0].experiment, tuple(cell.settings for cell in cells), tuple(options.items())


def together(cells):
    """Yields the cells of a study in the groups that train in one lockstep, else each alone."""
    by_options = collections.defaultdict(dict)
    for cell in cells:
        by_options[cell.experiment, cell.options][cell.settings] = cell
    for (experiment, _), by_settings in by_options.items():
        module, rows = importlib.import_module(experiment), list(by_settings)
        groups = module.stacks(rows) if hasattr(module, "train_together") else [[row] for row in rows]
        yield from ([by_settings[row] for row in group] for group in groups)


def run_calls(calls, jobs, scheduler):
    """Yields (call, records or an exception) as the calls end. A process that dies costs its call an
    attempt, no more. Once harness.stopped() is true, the calls that have not begun are left out."""
    left = dict.fromkeys(calls, ATTEMPTS)
    while left and not harness.stopped():
        ended = run_remotely(list(left), scheduler) if scheduler else harness.run_all(
            train_cells, list(left), jobs, apart=True)
        for call, outcome in ended:
            left[call] -= 1
            if left[call] and isinstance(outcome, harness.ProcessDied):
                continue
            del left[call]
            yield call, outcome


def run_remotely(calls, scheduler):
    """The same on the workers of a dask scheduler, which tries again itself where one is lost."""
    from dask.distributed import Client

    with Client(scheduler) as client:
        executor = client.get_executor(pure=False)
        running = {executor.submit(train_remotely, *call): call for call in calls}
        while running and not harness.stopped():
            ended, _ = concurrent.futures.wait(running, 1, concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                yield running.pop(future), future.exception() or future.result()
        executor.shutdown(wait=False)


def run(cells, path, jobs=1, scheduler=None):
    """Runs cells, {study: [Cell]}, until the end or until harness.stopped(), and saves each record as
    it ends. Returns the failed cells and their errors, {name: error}."""
    calls, failed, best, done, seen = {}, {}, Best(), 0, set()
    for own in cells.values():
        for group in together([cell for cell in own if cell not in seen]):
            calls[call_of(group, path)] = group
        seen |= set(own)
    for experiment in {cell.experiment for cell in seen}:  # once, not in every process
        harness.git_state(importlib.import_module(experiment).CODE.folder)
    progress = harness.Progress(len(seen), quiet=False)
    progress(0, f"0/{len(seen)} cells")
    for call, outcome in run_calls(calls, jobs, scheduler):
        group = calls[call]
        if isinstance(outcome, BaseException):
            failed |= {str(cell): f"{type(outcome).__name__}: {outcome}" for cell in group}
            texts = [f"{cell}: FAILED" for cell in group]
        else:
            ended = [(cell, record) for cell, record in zip(group, outcome)
                     if record["final"]["status"] != "interrupted"]
            lost = [str(cell) for cell, record in ended
                    if not harness.save(path, cell.experiment, kept(record, cell.keep))]
            failed |= dict.fromkeys(lost, "not saved")
            texts = [f"{cell}{best.words(record)}" for cell, record in ended]
            if ended and not lost:
                remove_checkpoint(call, path)
        for text in texts:
            done += 1
            progress(done, f"{done}/{len(seen)} cells  {text}")
    progress.close()
    return failed


def remove_checkpoint(call, path):
    """Removes the checkpoint of a call whose records are safe, where its experiment keeps any."""
    experiment, rows, _ = call
    checkpoint_of = getattr(importlib.import_module(experiment), "checkpoint_of", None)
    if checkpoint_of:
        checkpoint_of(list(rows), path).unlink(missing_ok=True)


def check(cells, path, number, jobs=1, scheduler=None):
    """Runs `number` finished cells of each study again, without checkpoints. Returns those that
    differ in any bit, {name: error}."""
    results, calls, different = harness.read_results(path), collections.defaultdict(list), {}
    for study, own in cells.items():
        finished = [(cell, studies.find(results, cell.experiment, cell.settings)) for cell in own]
        for cell, record in [pair for pair in finished if pair[1]][:number]:
            calls[call_of([cell], None)].append((study.name, cell, record))
    for call, outcome in run_calls(calls, jobs, scheduler):
        for name, cell, record in calls[call]:
            if isinstance(outcome, BaseException):
                different[str(cell)] = f"{type(outcome).__name__}: {outcome}"
            elif outcome and outcome[0]["final"]["status"] != "interrupted":
                same = compared(outcome[0], record) == compared(record, outcome[0])
                harness.say(f"{name}: {cell}: {'the same bits' if same else 'DIFFERENT'}")
                if not same:
                    different[str(cell)] = "its figures differ from the record's"
    return different


# ----------------------------------------------------------------------------------------------------------------------
# Command line
# ----------------------------------------------------------------------------------------------------------------------

def listing(found):
    """The table of studies, as lines. found: as states() gives it."""
    for study, own in found.items():
        counts = collections.Counter(own.values())
        words = ", ".join(f"{counts[name]} {name}" for name in ("done", "missing", "stale"))
        seeds = "" if study.seeds is None else f" x {len(study.seeds)} seeds"
        yield f"{study.name}: {study.shows}"
        yield (f"    {len(study.grid)} settings{seeds} = {len(own)} cells, "
               f"{study.minutes / 60:.2f} core-hours; {words}")


def to_run(found, stale, core_minutes=None):
    """What there is to run, {study: [Cell]}, and the plan in lines. core_minutes: the cheapest
    studies that fit into them; the plan names the others."""
    chosen, lines = {}, []
    waiting = {study: [cell for cell, what in own.items() if what == "missing" or stale and what == "stale"]
               for study, own in found.items()}
    costs = {study: study.minutes * len(cells) / len(found[study]) for study, cells in waiting.items()}
    for study in sorted(found, key=costs.get) if core_minutes is not None else found:
        words = f"{costs[study] / 60:.2f} core-hours: {study.shows}"
        if core_minutes is not None:
            core_minutes -= costs[study]
        if core_minutes is not None and core_minutes < 0:
            lines.append(f"left out: {study.name}, {words}")
        elif waiting[study]:
            chosen[study] = waiting[study]
            lines.append(f"to run: {study.name}, {len(waiting[study])} cells, {words}")
    if not chosen:
        counts = collections.Counter({(cell, what): 1 for own in found.values() for cell, what in own.items()})
        done, old = (sum(what == name for _, what in counts) for name in ("done", "stale"))
        lines.append(f"nothing to run: {done} cells are done, {old} stale (made by other code)")
        lines.append("--check N runs N of each study again and compares their bits, --stale runs the stale "
                     "ones again, --out FILE keeps records of your own")
    return chosen, lines


def parse(argv):
    """The parsed command line, and the studies it names."""
    parser = harness.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="studies to run, or all")
    parser.add_argument("--list", action="store_true", help="show every study and its state, and stop")
    parser.add_argument("--jobs", type=harness.flag_value(int, 1, 1024), default=1, help="processes (default: 1)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a dask.distributed scheduler, such as tcp://host:8786")
    parser.add_argument("--stale", action="store_true", help="also run again what other code made")
    parser.add_argument("--within", type=harness.flag_value(float, 0, 1e6), metavar="MINUTES",
                        help="of the named studies only those that fit, the cheapest first; the rest is listed")
    parser.add_argument("--check", type=harness.flag_value(int, 1, 10_000), metavar="N",
                        help="run N finished cells of each study again and compare their bits")
    parser.add_argument("--out", default="results.json", help="file of results (default: results.json)")
    args, known = parser.parse_args(argv), studies.load()
    unknown = sorted(set(args.names) - known.keys() - {"all"})
    if unknown:
        parser.error(f"no study is called {unknown[0]}: see --list")
    if not args.list and not args.names:
        parser.error("name a study, or all, or use --list")
    names = known if "all" in args.names or not args.names else dict.fromkeys(args.names)
    return parser, args, [known[name] for name in names]


def main(argv=None):
    parser, args, chosen = parse(argv)
    try:
        if not args.list:
            harness.check_results(args.out)
        cells = cells_of(chosen)
        found = states(harness.read_results(args.out), cells)
        plan, lines = to_run(found, args.stale, args.within and args.within * args.jobs)
        if args.list:
            lines = listing(found)
        for line in () if args.check else lines:
            harness.say(line)
        if args.list:
            return 0
        with harness.interruptible(multiprocessing.Event()):
            failed = check(cells, args.out, args.check, args.jobs, args.scheduler) if args.check else run(
                plan, args.out, args.jobs, args.scheduler) if plan else {}
            stopped = harness.stopped()
    except (harness.ResultsError, argparse.ArgumentTypeError, OSError, ImportError) as error:
        parser.error(str(error))
    if stopped:
        harness.complain("interrupted; the cells that ended are saved")
        return 130
    for name, error in failed.items():
        harness.complain(f"FAILED {name}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
