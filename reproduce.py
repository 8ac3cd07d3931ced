# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Runs the studies behind the README, on one machine or many, and skips what is done.

    python3 reproduce.py --list                    every study: cells, core-hours, what is done
    python3 reproduce.py adding-headline --jobs 2  one study (or several names, or all)
    python3 reproduce.py all --jobs 2 --within 60  those that fit into an hour on two cores
    python3 reproduce.py adding-headline --check 1 a finished cell again: are the bits the same?

A cell is one run of an experiment: its settings with one seed. Its record goes into results.json as
soon as it ends; a study that was stopped, by whatever means, goes on where it was, and ends in the
same figures. Cells run in processes, or on a dask.distributed cluster; only this program writes.
"""

import collections
import concurrent.futures
import dataclasses
import importlib
import json
import shlex
import sys

import numpy as np

import harness
import studies

ATTEMPTS = 3  # at cells whose process dies


# --------------------------------------------------------------------------------------------------
# Cells and their records
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Cell:
    """One run of an experiment, as the studies want it."""

    experiment: str
    settings: object  # the experiment's Settings
    options: tuple  # pairs of name and value, for the experiment's Options
    keep: frozenset  # those of studies.PARTS that stay in its record

    def __str__(self):
        """Experiment and the settings that differ from the defaults."""
        default = dataclasses.asdict(type(self.settings)())
        changed = [f"{name}={value}" for name, value in dataclasses.asdict(self.settings).items()
                   if value not in (None, default[name])]
        return " ".join([self.experiment, *changed])


def cells_of(chosen):
    """The cells of each of some studies, {study: [Cell]}.

    A cell that studies share is run with the options of the first of all studies that has it, and
    keeps what any of them needs: whichever is asked for, it is the same record.
    """
    options, keep = {}, collections.defaultdict(set)
    experiments = {study.experiment for study in chosen}
    for study in dict.fromkeys([*studies.load().values(), *chosen]):
        for settings in study.cells() if study.experiment in experiments else ():
            key = study.experiment, settings
            options.setdefault(key, tuple(study.options.items()))
            keep[key].update(studies.PARTS if study.keep is None else study.keep)
    keys = {study: [(study.experiment, settings) for settings in study.cells()] for study in chosen}
    return {study: [Cell(*key, options[key], frozenset(keep[key])) for key in own]
            for study, own in keys.items()}


def state(results, study, cell):
    """done, stale (made by other code), or missing: absent, cut short, without a part to keep."""
    record = studies.find(results, cell.experiment, cell.settings)
    if study.lacks(record):
        return "missing"
    code = importlib.import_module(cell.experiment).CODE
    return "done" if record["provenance"].get("fingerprint") == code.fingerprint else "stale"


def compared(record, other):
    """What must be equal, bit for bit, in two records of a cell: all that both have, but where they
    come from. As text."""
    parts = sorted(record.keys() & other.keys() - {"provenance"})
    return json.dumps([harness.strict(record[name]) for name in parts])


def headline(record):
    """What a cell reached, of many trials the median: (name, value, whether less is better)."""
    for name, less in (("test_mse", True), ("test_accuracy", False)):
        values = record["final"].get(name)
        if values is not None and None not in np.atleast_1d(values):
            return name.replace("_", " ").replace("mse", "MSE"), float(np.median(values)), less
    return None


def reached(record, best):
    """A record's headline in words, with the best so far among the seeds of its settings. best:
    (value, seed) by settings without the seed, brought up to date here."""
    found, seed = headline(record), record["settings"].get("seed")
    if found is None:
        return "done"
    name, value, less = found
    kind = json.dumps(record["settings"] | {"seed": None})
    before = best.get(kind, (value, seed))
    better = value < before[0] if less else value > before[0]
    best[kind] = (value, seed) if better else before
    whose = "" if seed is None else f" (seed {best[kind][1]})"
    return f"{name} {value:.4g}, best so far {best[kind][0]:.4g}{whose}"


# --------------------------------------------------------------------------------------------------
# Running
# --------------------------------------------------------------------------------------------------

def train(cells, out):
    """Trains one cell, or several in one lockstep, in whatever process this is. Returns their
    records, none if it was stopped. Checkpoints lie beside out; None: none is read or left."""
    harness.blas_threads(1)  # on a cluster's worker, too
    module, rows = importlib.import_module(cells[0].experiment), [cell.settings for cell in cells]
    options = module.Options(**dict(cells[0].options), out=out)
    made = (module.train_together(rows, options, True) if len(rows) > 1
            else [module.train(rows[0], options, True)])
    return [record for record in made or () if record]


def together(cells):
    """Yields the cells of a study in the groups that train in one lockstep, else each alone."""
    alike = collections.defaultdict(dict)
    for cell in cells:
        alike[cell.experiment, cell.options][cell.settings] = cell
    for (experiment, _), by_settings in alike.items():
        module, groups = importlib.import_module(experiment), [[row] for row in by_settings]
        if hasattr(module, "train_together"):
            groups = module.stacks(list(by_settings))
        yield from (tuple(by_settings[row] for row in group) for group in groups)


def run_calls(calls, jobs, scheduler):
    """Yields (call, records or an exception) as the calls of train() end. A process that dies costs
    its call an attempt. Once harness.stopped() is true, calls that have not begun are left out."""
    left = dict.fromkeys(calls, ATTEMPTS)
    while left and not harness.stopped():
        for call, outcome in (run_remotely(list(left), scheduler) if scheduler
                              else harness.run_all(train, list(left), jobs, apart=True)):
            left[call] -= 1
            if not (left[call] and isinstance(outcome, harness.ProcessDied)):
                del left[call]
                yield call, outcome


def run_remotely(calls, scheduler):
    """The same on the workers of a dask scheduler, which tries again itself where one is lost."""
    from dask.distributed import Client

    with Client(scheduler) as client:
        executor = client.get_executor(pure=False)
        running = {executor.submit(train, *call): call for call in calls}
        while running and not harness.stopped():
            ended, _ = concurrent.futures.wait(running, 1, concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                yield running.pop(future), future.exception() or future.result()
        executor.shutdown(wait=False)


def run(cells, path, jobs=1, scheduler=None):
    """Runs cells, {study: [Cell]}, to their end or until harness.stopped(); saves each record as it
    ends. Returns the failed cells, {name: error}."""
    calls, seen, failed, best, done = [], set(), {}, {}, 0
    for own in cells.values():
        groups = together(cell for cell in own if cell not in seen)
        calls += [(group, str(path)) for group in groups]
        seen |= set(own)
    harness.git_state(str(studies.ROOT))  # once, not in every process
    progress = harness.Progress(len(seen), quiet=False)
    progress(0, f"0/{len(seen)} cells")
    for (group, _), outcome in run_calls(calls, jobs, scheduler):
        if isinstance(outcome, BaseException):
            words = {cell: "FAILED" for cell in group}
            failed |= {str(cell): f"{type(outcome).__name__}: {outcome}" for cell in group}
        else:
            words = save(group, outcome, path, best, failed)
        for cell, text in words.items():
            done += 1
            progress(done, f"{done}/{len(seen)} cells  {cell}: {text}")
    progress.close()
    return failed


def save(group, records, path, best, failed):
    """Saves the records of cells that ran to their end, and then removes their checkpoint. Returns
    {cell: words on it}; one that is not saved goes into failed."""
    words, lost = {}, []
    for cell, record in zip(group, records):
        if record["final"]["status"] != "interrupted":
            words[cell], dropped = reached(record, best), set(studies.PARTS) - cell.keep
            record["provenance"]["command"] = shlex.join(harness.COMMAND)  # not that of a worker
            kept = {name: part for name, part in record.items() if name not in dropped}
            if not harness.save(path, cell.experiment, kept):
                lost.append(str(cell))
    if words and not lost:
        identity = [dataclasses.asdict(cell.settings) for cell in group]
        harness.remove_checkpoint(harness.checkpoint_path(path, identity))
    failed |= dict.fromkeys(lost, "not saved")
    return words


def check(cells, path, number, jobs=1, scheduler=None):
    """Runs `number` finished cells of each study again, without checkpoints. Returns those that
    differ in any bit, {name: error}."""
    results, wanted, different = harness.read_results(path), collections.defaultdict(list), {}
    for study, own in cells.items():
        records = {cell: studies.find(results, cell.experiment, cell.settings) for cell in own}
        for cell in [cell for cell in own if records[cell]][:number]:
            wanted[(cell,), None].append((study.name, cell, records[cell]))
    for call, outcome in run_calls(wanted, jobs, scheduler):
        for name, cell, record in wanted[call]:
            if isinstance(outcome, BaseException):
                different[str(cell)] = f"{type(outcome).__name__}: {outcome}"
            elif not outcome:
                if not harness.stopped():
                    different[str(cell)] = "it ended without a record"
            elif outcome[0]["final"]["status"] != "interrupted":
                same = compared(outcome[0], record) == compared(record, outcome[0])
                harness.say(f"{name}: {cell}: {'the same bits' if same else 'DIFFERENT'}")
                if not same:
                    different[str(cell)] = "its figures differ from the record's"
    checked = {name for asked in wanted.values() for name, _, _ in asked}
    return different | {study.name: "has no finished cell to check" for study in cells if study.name not in checked}


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def listing(states):
    """The table of studies, as lines. states: {study: {cell: state}}."""
    for study, own in states.items():
        counts = collections.Counter(own.values())
        words = ", ".join(f"{counts[name]} {name}" for name in ("done", "missing", "stale"))
        seeds = "" if study.seeds is None else f" x {len(study.seeds)} seeds"
        yield f"{study.name}: {study.shows}"
        yield (f"    {len(study.grid)} settings{seeds} = {len(own)} cells, "
               f"{study.minutes / 60:.2f} core-hours; {words}")


def plan_of(states, stale, core_minutes=None):
    """What there is to run, {study: [Cell]}, and lines on it. core_minutes: only the cheapest
    studies that fit; the lines name the others."""
    asked, plan, lines = ("missing", "stale") if stale else ("missing",), {}, []
    left = float("inf") if core_minutes is None else core_minutes
    missing = {study: [cell for cell in own if own[cell] in asked] for study, own in states.items()}
    costs = {study: study.minutes * len(missing[study]) / len(states[study]) for study in states}
    for study in states if core_minutes is None else sorted(states, key=costs.get):
        left -= costs[study]
        words = f"{study.name}, {len(missing[study])} cells, {costs[study] / 60:.2f} core-hours"
        if missing[study]:
            lines.append(f"{'to run' if left >= 0 else 'left out'}: {words}: {study.shows}")
        if missing[study] and left >= 0:
            plan[study] = missing[study]
    ready = {cell: what for own in states.values() for cell, what in own.items()}
    counts = collections.Counter(ready.values())
    lines.append(f"{counts['done']} cells are done, {counts['stale']} stale (made by other code)")
    if not plan:
        lines.append("nothing to run; --check N runs N cells of each study again and compares the "
                     "bits, --stale runs stale cells again, --out FILE starts another file")
    return plan, lines


def parse(argv):
    """The command line: parser, flags, the studies that are named. Exits with 2 on bad input."""
    parser = harness.Parser(__doc__)
    add, number = parser.add_argument, harness.flag_value
    add("names", nargs="*", metavar="NAME", help="studies to run, or all")
    add("--list", action="store_true", help="show every study and its state, and stop")
    add("--jobs", type=number(int, 1, 1024), default=1, help="processes (default: 1)")
    add("--scheduler", metavar="ADDRESS", help="a dask.distributed scheduler, tcp://host:8786")
    add("--stale", action="store_true", help="also run again what other code made")
    add("--within", type=number(float, 0, 1e6), metavar="MINUTES",
        help="run only the cheapest of the named studies that fit; the others are named")
    add("--check", type=number(int, 1, 10_000), metavar="N",
        help="run N finished cells of each study again and compare their bits")
    add("--out", default="results.json", help="file of results (default: results.json)")
    args, known = parser.parse_args(argv), studies.load()
    if unknown := sorted(set(args.names) - known.keys() - {"all"}):
        parser.error(f"no study is called {unknown[0]}: see --list")
    if args.check and (args.stale or args.within is not None):
        parser.error("--check excludes --stale and --within")
    if not args.list and not args.names:
        parser.error("name a study, or all, or use --list")
    names = known if "all" in args.names or not args.names else dict.fromkeys(args.names)
    return parser, args, [known[name] for name in names]


def main(argv=None):
    parser, args, chosen = parse(argv)
    try:
        if not args.list:
            harness.check_results(args.out)
        results, cells = harness.read_results(args.out), cells_of(chosen)
        states = {study: {cell: state(results, study, cell) for cell in own}
                  for study, own in cells.items()}
        minutes = None if args.within is None else args.within * args.jobs
        plan, lines = plan_of(states, args.stale, minutes)
        for line in listing(states) if args.list else [] if args.check else lines:
            harness.say(line)
        if args.list or not (plan or args.check):
            return 0
        with harness.interruptible(shared=True):
            if args.check:
                failed = check(cells, args.out, args.check, args.jobs, args.scheduler)
            else:
                failed = run(plan, args.out, args.jobs, args.scheduler)
            stopped = harness.stopped()
    except (harness.ResultsError, OSError, ImportError) as error:
        parser.error(str(error))
    for name, error in failed.items():
        harness.complain(f"FAILED {name}: {error}")
    if stopped:
        harness.complain("interrupted; the cells that ended are saved")
    return 130 if stopped else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
