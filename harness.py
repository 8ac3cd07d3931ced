# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""What every experiment needs besides its science: processes, signals, resumed runs; and, from the
files beside it, flags (flags.py), the records that it leaves (records.py) and where they come from
(provenance.py).

An experiment imports this module and nothing else of the project's; a side experiment also the one
it extends. Nothing here reaches a weight, a history or a final figure.

    python3 harness.py --bundle adding_problem.py     the experiment as one self-contained file
"""

import contextlib
import dataclasses
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np

from flags import (  # isort: skip
    CommonOptions, ExportOptions, FileOptions, Parser, SeedOptions, SequenceOptions, add_flags, by,
    change, check_export_size, check_exports, experiment_parser, fill, flag_of, flag_value, from_flags,
    runs_of, seed_range, setting)
from provenance import (  # isort: skip
    COMMAND, Code, blas_threads, git_state, provenance)
from records import (  # isort: skip
    Progress, ResultsError, check_place, check_results, checkpoint_path, complain, cut_short,
    read_checkpoint, read_results, remove_checkpoint, save, say, strict, torch_state, wilson,
    write_checkpoint, write_csv, write_record, write_results, write_sequences, write_weights, write_whole)


# --------------------------------------------------------------------------------------------------
# Running
# --------------------------------------------------------------------------------------------------

class Flag:
    """Set by a signal, asked for in every process. It has no lock, which would be held for ever by a
    process that is killed while it asks, or by a loop whose asking a signal interrupts.

    shared: whether processes that are started with it see it too.
    """

    def __init__(self, shared=False):
        self.cell = multiprocessing.RawValue("b", 0) if shared else types.SimpleNamespace(value=0)

    def is_set(self):
        return self.cell.value != 0

    def set(self):
        self.cell.value = 1


STOP = Flag()  # a training loop asks stopped() after every update
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")
           if hasattr(signal, name)]


def stopped():
    """Whether a run is to end early, with what it has."""
    return STOP.is_set()


@contextlib.contextmanager
def interruptible(shared=False):
    """Inside, Ctrl-C, SIGTERM and a closed terminal make stopped() true, a second Ctrl-C is not
    caught, and BLAS has one thread: products this small gain nothing from more, and the bits depend
    on it. Afterwards all is as before. shared: for processes, too."""
    global STOP
    before, STOP, handlers, threads = STOP, Flag(shared), {}, blas_threads(1)

    def handle(signum, frame):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        STOP.set()

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            nohup = number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) == signal.SIG_IGN
            if not nohup:
                handlers[number] = signal.signal(number, handle)
    try:
        yield STOP
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        STOP = before
        blas_threads(threads)


class ProcessDied(Exception):
    """A process ended without a result: it was killed, or ran out of memory."""


def worker(function, call, stop, pipe):
    """A process of its own for function(*call): it leaves signals to its parent and ends when the
    parent is gone."""
    global STOP
    STOP = stop
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    blas_threads(1)
    try:
        outcome = function(*call)
    except Exception as error:
        outcome = error
    pipe.send(outcome)


def end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def run_all(function, calls, jobs, apart=False):
    """Yields (call, outcome) for each call as it ends, in up to `jobs` processes.

    The outcome is what function(*call) returned; from a process of its own (where jobs > 1, or if
    apart) it may be the exception raised, or ProcessDied, which costs that call alone. Once
    stopped() is true, running calls end early and the others are left out. To be used inside
    interruptible(shared=True), if there are processes.
    """
    waiting, running = list(calls)[::-1], {}
    if jobs == 1 and not apart:
        while waiting and not stopped():
            call = waiting.pop()
            try:
                outcome = function(*call)
            except ResultsError as error:  # a checkpoint that cannot be used
                outcome = error
            yield call, outcome
        return
    while running or (waiting and not stopped()):
        while waiting and len(running) < jobs and not stopped():
            call, (receive, send) = waiting.pop(), multiprocessing.Pipe(duplex=False)
            process = multiprocessing.Process(
                target=worker, args=(function, call, STOP, send), daemon=True)
            process.start()
            send.close()
            running[receive] = call, process
        for receive in multiprocessing.connection.wait(running):
            call, process = running.pop(receive)
            try:
                outcome = receive.recv()
            except (EOFError, OSError):
                outcome = ProcessDied("its process died")
            process.join()
            yield call, outcome


def run_and_save(code, train, calls, options, summary, aggregate=None, checkpoint_of=None):
    """Trains every call, saves each record as it ends, prints its summary. Returns the exit code.

    code: the experiment's Code; train(*call) returns a record, a list of records or None;
    aggregate(records) gives lines for all of them together; checkpoint_of(call[0], options.out) is
    the path of a call's checkpoint, which is removed once its records are safe. What --seeds asks for
    and the file of results has, made by this code, is not trained but read there, unless --again is
    given.
    """
    records, failed = [], False
    if not getattr(options, "again", True):
        records, calls = left_out(code, calls, options)
        failed = any(record["final"]["status"] == "diverged" for record in records)
        for record in records:
            say(summary(record))
    several = options.jobs > 1 and len(calls) > 1
    with interruptible(shared=several):
        git_state(code.folder)  # as it is now, not when the run ends
        for call, outcome in run_all(train, calls, options.jobs if several else 1):
            if isinstance(outcome, Exception):
                complain(f"{code.experiment}: {outcome}; what ended is saved")
                failed = True
                continue
            made = [outcome] if isinstance(outcome, dict) else outcome or []
            saved = [save(options.out, code.experiment, record) for record in made]
            diverged = any(record["final"]["status"] == "diverged" for record in made)
            failed = failed or diverged or not all(saved)
            for record in made:
                say(summary(record))
            if checkpoint_of and made and all(saved):
                remove_checkpoint(checkpoint_of(call[0], options.out))
            records += made
        for line in aggregate(records) if aggregate else ():
            say(line)
        written = write_exports(options, records)
        if stopped() and checkpoint_of:
            there = any(checkpoint_of(call[0], options.out).exists() for call in calls)
            after = "the same command goes on from the checkpoint" if there else "no checkpoint is left"
            complain(f"interrupted; {after}")
        return 130 if stopped() else int(failed or not written)


def left_out(code, calls, options):
    """The records that a file of results has of some calls, whose first argument is the settings,
    and the other calls. A line says what is left out."""
    wanted = {identity(dataclasses.asdict(call[0])): call for call in calls}
    found = {identity(record["settings"]): record
             for record in read_results(options.out).get(code.experiment, [])
             if not cut_short(record) and code.fingerprint is not None
             and record["provenance"].get("fingerprint") == code.fingerprint
             and ("weights" in record or not getattr(options, "export_weights", None))
             and ("history" in record or not getattr(options, "csv", None))}
    have = [key for key in wanted if key in found]
    if have:
        say(f"{options.out} has {len(have)} of {len(calls)} runs already, made by this code: "
            "these are not run (--again runs them)")
    return [found[key] for key in have], [wanted[key] for key in wanted if key not in found]


def identity(settings):
    """The settings of a record as a text that is the same for the same settings."""
    return json.dumps(settings, sort_keys=True)


def export(options, words, dtype, classes, more=None, **parts):
    """Writes sequences into the file of --export; see write_sequences. Returns the exit code."""
    try:
        write_sequences(options.export, words, dtype, classes, more, **parts)
    except ResultsError as error:
        complain(error)
        return 1
    say(f"{options.export} is written: its README says what it holds")
    return 0


def first_batches(batches, options, batch):
    """The first --export-sequences, in whole batches, of an iterator over (x, target), or more
    arrays, whose last axis is the sequence. Returns as many arrays."""
    parts = itertools.islice(batches, -(-options.export_sequences // batch))
    return [np.concatenate(part, -1) for part in zip(*parts)]


def write_exports(options, records):
    """Writes the files for other programs that are asked for, and says so. Returns success."""
    words = {"export_weights": lambda path: write_weights(path, records[0]),
             "csv": lambda path: write_csv(path, records)}
    for name, write in words.items():
        path = getattr(options, name, None)
        if path and records:
            try:
                write(path)
            except ResultsError as error:
                complain(error)
                return False
            say(f"{path} is written")
    return True


def resumable(work, checkpoint, code, every, quiet):
    """Goes on from a checkpoint, if there is one, and advances work to its end or until stopped().
    Returns whether it has ended. Raises ResultsError for a checkpoint that cannot be used.

    work.advance() does the next piece and work.ended says that there is none; work.state() is a
    dict for JSON and a dict of arrays, work.restore(state, arrays) takes them back; work.count of
    work.total pieces are done, work.seconds were spent, and str(work) is the progress line.
    checkpoint: its path, None for none; every: seconds between writes.
    """
    take_back(work, checkpoint, code)
    progress, start, before = Progress(work.total, quiet), time.perf_counter(), work.seconds
    saved = start
    while not work.ended and not stopped():
        work.advance()
        now = time.perf_counter()
        work.seconds = before + now - start
        if now - saved >= every and not work.ended:
            write_checkpoint(checkpoint, code, *work.state())
            saved = now
        progress(work.count, str(work), every=10)
    progress.close()
    if not work.ended:
        write_checkpoint(checkpoint, code, *work.state())
    return work.ended


def take_back(work, checkpoint, code):
    """Takes work back to its checkpoint, if there is one. Raises ResultsError for one that cannot
    be used."""
    found = read_checkpoint(checkpoint, code)
    if found is not None:
        try:
            work.restore(*found)
        except Exception as error:
            words = f"the checkpoint {checkpoint} does not fit ({error!r}): move it away"
            raise ResultsError(" ".join(words.split())) from error


class OneByOne:
    """The trials of a row of settings, one after another, for resumable().

    trial(settings, seed).run() returns a trial's figures, a dict for JSON, or None if it was
    stopped: it then starts again. done: the figures of those that have ended, by seed.
    """

    def __init__(self, settings, trial):
        self.settings, self.trial = settings, trial
        self.seeds = [str(settings.seed + n) for n in range(settings.trials)]
        self.done, self.seconds, self.total = {}, 0.0, settings.trials

    count = property(lambda self: len(self.done))
    ended = property(lambda self: self.count == self.total)

    def __str__(self):
        return f"{self.settings.named}: {self.count} of {self.total} trials ended"

    def advance(self):
        seed = next(seed for seed in self.seeds if seed not in self.done)
        figures = self.trial(self.settings, int(seed)).run()
        if figures is not None:
            self.done[seed] = figures

    def figures(self):
        """Of all trials, in the order of their seeds."""
        return [self.done[seed] for seed in self.seeds]

    def state(self):
        return dict(done=self.done, seconds=self.seconds), {}

    def restore(self, state, arrays):
        self.done, self.seconds = dict(state["done"]), float(state["seconds"])
        if not set(self.done) <= set(self.seeds):
            raise ValueError("it has other trials")


class SideBySide:
    """Trials that train in lockstep, of one row of settings or several, for resumable(): what an
    experiment's class for them inherits. It adds advance() and the arrays of a checkpoint.

    trial(row, seed) makes a trial with settings, seed, state() and restore(state). trials: those
    that run; done: the figures of those that have ended, by (number of the row, seed); history:
    the curves of each row; count: training sequences of each trial so far.
    """

    def __init__(self, rows, trial, title):
        if any(row in rows[:k] for k, row in enumerate(rows)):
            raise ValueError("a row stands twice")
        self.rows, self.trial, self.title = rows, trial, title
        self.keys = [(k, row.seed + n) for k, row in enumerate(rows) for n in range(row.trials)]
        self.trials = [trial(rows[k], seed) for k, seed in self.keys]
        self.done, self.history, self.count, self.seconds = {}, [], 0, 0.0
        self.total = max(row.max_sequences for row in rows)

    ended = property(lambda self: not self.trials)

    def __str__(self):
        ended = f"{len(self.done)}/{len(self.keys)} trials ended"
        return f"{self.title}: sequence {self.count}, {ended}"

    def key(self, trial):
        """The place of a trial in done."""
        return self.rows.index(trial.settings), trial.seed

    def ended_of(self, k):
        """The figures of the trials of row k, all of which have ended, in the order of seeds."""
        return [self.done[key] for key in self.keys if key[0] == k]

    def state(self):
        trials = [(*self.key(trial), trial.state()) for trial in self.trials]
        done = [(*key, figures) for key, figures in self.done.items()]
        return dict(trials=trials, done=done, history=self.history, count=self.count,
                    seconds=self.seconds), {}

    def restore(self, state, arrays):
        held = [(row, seed) for row, seed, _ in [*state["trials"], *state["done"]]]
        curves = [list(columns) for columns in state["history"]]
        if sorted(held) != self.keys or curves != [list(columns) for columns in self.history]:
            raise ValueError("it has other trials or curves")
        self.trials = []
        for row, seed, saved in state["trials"]:
            self.trials.append(self.trial(self.rows[row], seed))
            self.trials[-1].restore(saved)
        self.done = {(row, seed): figures for row, seed, figures in state["done"]}
        self.history = state["history"]
        self.count, self.seconds = int(state["count"]), float(state["seconds"])


def grouped(rows, alike, most):
    """Rows that can train side by side: groups of equal alike(row) with up to `most` trials, or of
    a single row."""
    groups = {}
    for row in rows:
        fitting = groups.setdefault(alike(row), [[]])
        if fitting[-1] and sum(other.trials for other in [*fitting[-1], row]) > most:
            fitting.append([])
        fitting[-1].append(row)
    return [group for fitting in groups.values() for group in fitting]


def report_gradients(title, rows):
    """Prints a line for a checked model, by the rows of its gradient check, and one for each tensor
    that fails. Returns whether all pass."""
    name, _, complex_error, index, _, _ = max(rows, key=lambda row: row[2])
    central_error = max(row[4] for row in rows)
    passed, weights = all(row[-1] for row in rows), sum(row[1] for row in rows)
    say(
        f"{title}: {weights} weights, worst relative error {complex_error:.1e} (complex step, "
        f"{name}[{index}]), {central_error:.1e} (central differences): "
        f"{'ok' if passed else 'FAILED'}")
    for name, _, complex_error, index, central_error, passes in rows:
        if not passes:
            say(f"    {name}: complex step {complex_error:.1e} at [{index}], "
                f"central differences {central_error:.1e}")
    return passed


# --------------------------------------------------------------------------------------------------
# One file
# --------------------------------------------------------------------------------------------------

PLUMBING = "provenance", "records", "flags", "harness"  # in the order in which they import


def bundle(file):
    """The source of an experiment in one piece: before it imports a module of ours, the text of
    that module, which is executed in the module's place; before the first of them the plumbing,
    which all of them need. A comment at its head says where the experiment goes on behind
    these texts."""
    folder, lines, inlined, begins = Path(file).resolve().parent, [], [], 0
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["import"] and (folder / f"{words[1]}.py").exists():
            for name in (*PLUMBING, words[1]):
                if name not in inlined:
                    inlined.append(name)
                    lines += as_module(name, (folder / f"{name}.py").read_text(encoding="utf-8"))
            begins = "\n".join(lines).count("\n") + 4  # two lines are put in front
        lines.append(line)
    if begins:
        head = next(k for k, line in enumerate(lines) if not line.startswith("#"))
        lines[head:head] = ["", f"# The experiment begins at line {begins}. Before it stand, word for word: "
                                f"{', '.join(f'{name}.py' for name in inlined)}"]
    return "\n".join(lines)


def as_module(name, source):
    """Lines that make a module of a source text, which they hold word for word, and execute it."""
    quotes = 3 * "'"
    return [
        f"sys.modules.update({name}=type(sys)({name!r}))",
        f"vars(sys.modules[{name!r}]).update(__source__=r{quotes}", f"{source}{quotes})",
        f"exec(sys.modules[{name!r}].__source__, vars(sys.modules[{name!r}]))"]


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("--bundle", required=True, metavar="FILE", help="such as adding_problem.py")
    try:
        text = bundle(parser.parse_args(argv).bundle)
    except (OSError, ValueError) as error:
        parser.error(error)
    return 0 if say(text) else 1


if __name__ == "__main__":
    sys.exit(main())
