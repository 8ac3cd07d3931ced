# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""What every experiment needs besides its science: flags, processes, signals, progress, records and checkpoints.

An experiment imports this module and nothing else of the project's; a side experiment also the one it extends. Nothing
here reaches a weight, a history or a final figure.

    python3 harness.py --bundle adding_problem.py     prints the experiment as one self-contained file
"""

import argparse
import ast
import contextlib
import ctypes
import dataclasses
import errno
import functools
import hashlib
import json
import math
import multiprocessing
import multiprocessing.connection
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import msvcrt
except ImportError:
    msvcrt = None


# ----------------------------------------------------------------------------------------------------------------------
# Settings and flags
# ----------------------------------------------------------------------------------------------------------------------

def setting(default, help, group, kind=None, low=None, high=None, choices=None, otherwise=None, needs=None):
    """A dataclass field that is also a command-line flag: default, meaning, --help group, and what it may be.

    kind: the type of a given value (that of the default if left out); low, high: inclusive bounds. otherwise: what
    takes the place of a default of None: a value, `by(...)`, or a function of the settings; needs: another setting and
    the value it must have, or the values it may have, for this one to mean anything.
    """
    metadata = dict(
        help=help, group=group, kind=kind or type(default), low=low, high=high, choices=choices, otherwise=otherwise,
        needs=needs and (needs[0], needs[1] if isinstance(needs[1], tuple) else (needs[1],)))
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class by:
    """A default that depends on another setting: a value for some of its values, and one for all others."""

    name: str
    values: dict
    other: object = None

    def __call__(self, settings):
        return self.values.get(getattr(settings, self.name), self.other)

    def __str__(self):
        words = ", ".join(f"{value} for {key}" for key, value in self.values.items())
        return words if self.other is None else f"{words}, else {self.other}"


def fill(settings):
    """Fills what was left at None, in the order of the fields. Raises ValueError for one without what it needs."""
    for field in dataclasses.fields(settings):
        otherwise, needs = field.metadata["otherwise"], field.metadata["needs"]
        if needs and getattr(settings, needs[0]) not in needs[1]:
            if getattr(settings, field.name) != field.default:
                raise ValueError(f"{flag_of(field.name)} needs {flag_of(needs[0])} {' or '.join(map(str, needs[1]))}")
        elif getattr(settings, field.name) is None and otherwise is not None:
            change(settings, field.name, otherwise(settings) if callable(otherwise) else otherwise)


def change(settings, name, value):
    """Sets a field of a frozen dataclass, in its __post_init__."""
    object.__setattr__(settings, name, value)


def flag_of(name):
    return "--" + name.replace("_", "-")


@dataclasses.dataclass(frozen=True)
class CommonOptions:
    """What a run of any experiment shows and where it keeps it. None of it changes a weight or a final figure."""

    jobs: int = setting(1, "processes, for several runs", "output", low=1, high=1024)
    out: str = setting("results.json", "file of results", "output")
    quiet: bool = setting(False, "only the final lines", "output")


class Parser(argparse.ArgumentParser):
    """argparse with bad input reported in one line, exit code 2."""

    command = None  # the words of the last command line that was parsed

    def error(self, message):
        complain(f"{self.prog}: {' '.join(str(message).split())}")
        raise SystemExit(2)

    def parse_args(self, args=None, namespace=None):
        words = sys.argv[1:] if args is None else args
        parsed = super().parse_args(words, namespace)
        parsed.given = {word.split("=")[0] for word in words if word.startswith("--")}  # what the user typed
        Parser.command = ["python3", self.prog, *map(str, words)]
        return parsed


def experiment_parser(doc, *classes, seeds=True, checks="every weight of every cell"):
    """The command line of an experiment: a flag for every field of the classes, --seeds, and --gradcheck if there are
    checks."""
    parser = Parser(
        description=doc.split("\n\n")[0], allow_abbrev=False,
        epilog="Exit codes: 0 done, 1 failed check or diverged, 2 bad input, 130 interrupted.")
    add_flags(parser, *classes)
    if seeds:
        parser.add_argument("--seeds", type=seed_range, metavar="A-B", help="the seeds A to B instead of --seed")
    if checks:
        parser.add_argument("--gradcheck", "--check", action="store_true", help=f"check {checks}, and stop")
    return parser


def runs_of(parser, args, Settings, kinds=({},)):
    """The Settings of a command line: of every kind (a dict that goes before the flags) with every seed. What is bad
    in them or in --out ends the program."""
    if args.seeds and "--seed" in args.given:
        parser.error("--seed and --seeds exclude each other")
    try:
        if not args.gradcheck:
            check_results(args.out)
        seeds = args.seeds or [args.seed]
        return [from_flags(Settings, args, **kind | {"seed": seed}) for kind in kinds for seed in seeds]
    except (ValueError, ResultsError) as error:
        parser.error(str(error))


def flag_value(kind, low, high):
    """A converter for argparse: text to a finite number of this kind within [low, high], or the text itself."""

    def convert(text):
        if kind is str:
            return text
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not between {low} and {high}")
        return value

    return convert


def seed_range(text):
    """Converts A-B to the seeds A ... B, for argparse."""
    first, _, last = text.partition("-")
    if first.isdecimal() and last.isdecimal() and 0 <= int(last) - int(first) < 10_000 and int(last) < 2**63:
        return range(int(first), int(last) + 1)
    raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 0-9")


def add_flags(parser, *classes):
    """Makes a flag from every field of the settings dataclasses, grouped; the fields' defaults are the flags'."""
    groups = {}
    for field in (field for cls in classes for field in dataclasses.fields(cls)):
        meta, flag = field.metadata, flag_of(field.name)
        if meta["group"] not in groups:
            groups[meta["group"]] = parser.add_argument_group(meta["group"])
        add, kind = groups[meta["group"]].add_argument, meta["kind"]
        if kind is bool:
            add(flag, action="store_true", help=meta["help"])
            continue
        default = field.default if field.default is not None else meta["otherwise"]
        choices = meta["choices"]() if callable(meta["choices"]) else meta["choices"]
        words = meta["help"]
        if meta["needs"]:
            words += f"; needs {flag_of(meta['needs'][0])} {' or '.join(map(str, meta['needs'][1]))}"
        if default is not None and (isinstance(default, by) or not callable(default)):
            words += f" (default: {default})"
        add(flag, default=field.default, choices=choices, type=flag_value(kind, meta["low"], meta["high"]),
            help=words.replace("%", "%%"), metavar=None if choices else kind.__name__.upper())


def from_flags(cls, args, **replaced):
    """A settings dataclass from parsed flags."""
    return cls(**{field.name: getattr(args, field.name) for field in dataclasses.fields(cls)} | replaced)


# ----------------------------------------------------------------------------------------------------------------------
# Output that may fail
# ----------------------------------------------------------------------------------------------------------------------

def say(text="", end="\n", stream="stdout"):
    """Prints. An output that is gone (a closed pipe or terminal, a full disk) ends the printing, not the run."""
    try:
        print(text, end=end, flush=True, file=getattr(sys, stream))
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = open(os.devnull, "w")
            os.dup2(nowhere.fileno(), getattr(sys, stream).fileno())
        setattr(sys, stream, open(os.devnull, "w"))


def complain(text):
    """One line on standard error."""
    say(text, stream="stderr")


complain_once = functools.cache(complain)


class Progress:
    """A line per call with elapsed and remaining time; on a terminal it is redrawn.

    The remaining time goes by the pace since the first call: a resumed run does not begin with nothing done.
    """

    def __init__(self, total, quiet):
        self.total, self.quiet, self.start = total, quiet, time.perf_counter()
        self.redraw = getattr(sys.stdout, "isatty", bool)()
        self.first = self.shown = None  # time and count of the first call; time of the last line

    def __call__(self, done, text, every=0):
        """done: how much of the total; every: seconds that must have passed since the last line (a terminal: 1)."""
        now = time.perf_counter()
        self.first = self.first or (now, done)
        if self.quiet or (self.shown and now - self.shown < (min(every, 1) if self.redraw else every)):
            return
        self.shown, (since, before) = now, self.first
        left = f", {duration((now - since) * (self.total - done) / (done - before))} left" if done > before else ""
        line = f"{text}  {duration(now - self.start)}{left}"
        width = shutil.get_terminal_size().columns - 1
        say(f"\r\033[K{line[:width]}" if self.redraw else line, end="" if self.redraw else "\n")

    def close(self):
        if self.redraw and self.shown:
            say()


def duration(seconds):
    if seconds < 600:
        return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
    return f"{seconds / 60:.0f} min"


# ----------------------------------------------------------------------------------------------------------------------
# Running
# ----------------------------------------------------------------------------------------------------------------------

STOP = threading.Event()  # set by a signal; a training loop asks stopped() after every update
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def stopped():
    """Whether a run is to end early, with what it has."""
    return STOP.is_set()


@contextlib.contextmanager
def interruptible(event=None):
    """Inside, Ctrl-C, SIGTERM and a closed terminal make stopped() true, and BLAS has one thread: products this small
    gain nothing from more, and the bits depend on it. A second Ctrl-C is not caught. Afterwards all is as before."""
    global STOP
    before, STOP, handlers, threads = STOP, event or threading.Event(), {}, blas_threads(1)

    def handle(signum, frame):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        STOP.set()

    if threading.current_thread() is threading.main_thread():
        ignored = [number for number in SIGNALS[2:] if signal.getsignal(number) == signal.SIG_IGN]  # nohup
        handlers = {number: signal.signal(number, handle) for number in SIGNALS if number not in ignored}
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
    """A process of its own for function(*call): it leaves signals to its parent and ends when the parent is gone."""
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
    """Yields (call, outcome) for each call as it ends, in up to `jobs` processes; calls must pickle.

    The outcome is what function(*call) returned; of a process of its own (where jobs > 1, or if apart) it may be the
    exception raised, or ProcessDied, which costs that call alone. Once stopped() is true, running calls end early and
    the others are left out. Use inside interruptible(), with a multiprocessing.Event if there are processes.
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
            process = multiprocessing.Process(target=worker, args=(function, call, STOP, send), daemon=True)
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


def run_and_save(code, train, calls, options, summary, aggregate=None, ended=None):
    """Trains every call, saves each record as it ends and prints its summary line. Returns the exit code.

    code: the experiment's Code; train(*call) returns a record, a list of records or None; aggregate(records) gives
    lines for all of them together; ended(records) is called once the records of a call are safe.
    """
    records, failed = [], False
    several = options.jobs > 1 and len(calls) > 1
    with interruptible(multiprocessing.Event() if several else None):
        git_state(code.folder)
        for _, outcome in run_all(train, calls, options.jobs if several else 1):
            if isinstance(outcome, Exception):
                complain(f"{code.experiment}: {outcome}; what ended is saved")
                failed = True
                continue
            made = [outcome] if isinstance(outcome, dict) else outcome or []
            saved = all([save(options.out, code.experiment, record) for record in made])
            failed |= not saved or any(record["final"]["status"] == "diverged" for record in made)
            for record in made:
                say(summary(record))
            if ended and made and saved:
                ended(made)
            records += made
        for line in aggregate(records) if aggregate else ():
            say(line)
        return 130 if stopped() else int(failed)


def resumable(work, checkpoint, code, every, quiet):
    """Goes on from a checkpoint, if there is one, and advances work to its end or until stopped(). Returns whether it
    has ended. Raises ResultsError for a checkpoint that cannot be used.

    work.advance() does the next piece and work.ended says that there is none; work.state() is a dict for JSON and a
    dict of arrays, work.restore(state, arrays) takes them back; work.count of work.total pieces are done, work.seconds
    were spent, and str(work) is the progress line. checkpoint: its path, None for none; every: seconds between writes.
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
    """Takes work back to its checkpoint, if there is one. Raises ResultsError for one that cannot be used."""
    found = read_checkpoint(checkpoint, code)
    if found is not None:
        try:
            work.restore(*found)
        except Exception as error:
            raise ResultsError(f"the checkpoint {checkpoint} does not fit ({error!r}): move it away") from error


class OneByOne:
    """The trials of a row of settings, one after another, for `resumable`: trial(settings, seed).run() returns a trial's
    figures, a dict for JSON, or None if it was stopped; it then starts again. done: the figures of those that have
    ended, by seed."""

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
    """Trials that train in lockstep, of one row of settings or several, for `resumable`: what an experiment's class for
    them inherits. It adds advance() and the arrays of a checkpoint.

    trial(row, seed) makes a trial with settings, seed, state() and restore(state). trials: those that run; done: the
    figures of those that have ended, by (number of the row, seed); count: training sequences of each so far.
    """

    def __init__(self, rows, trial, title):
        self.rows, self.trial, self.title = rows, trial, title
        self.keys = [(k, row.seed + n) for k, row in enumerate(rows) for n in range(row.trials)]
        self.trials = [trial(row, row.seed + n) for row in rows for n in range(row.trials)]
        self.done, self.history, self.count, self.seconds = {}, [], 0, 0.0
        self.total = max(row.max_sequences for row in rows)

    ended = property(lambda self: not self.trials)

    def __str__(self):
        return f"{self.title}: sequence {self.count}/{self.total}, {len(self.done)}/{len(self.keys)} trials ended"

    def key(self, trial):
        """The place of a trial in done."""
        return self.rows.index(trial.settings), trial.seed

    def ended_of(self, k):
        """The figures of the trials of row k, all of which have ended, in the order of their seeds."""
        return [self.done[key] for key in self.keys if key[0] == k]

    def state(self):
        trials = [(*self.key(trial), trial.state()) for trial in self.trials]
        done = [(*key, figures) for key, figures in self.done.items()]
        return dict(trials=trials, done=done, history=self.history, count=self.count, seconds=self.seconds), {}

    def restore(self, state, arrays):
        if sorted((row, seed) for row, seed, _ in [*state["trials"], *state["done"]]) != self.keys:
            raise ValueError("it has other trials")
        if [list(curves) for curves in state["history"]] != [list(curves) for curves in self.history]:
            raise ValueError("it has other curves")
        self.trials = []
        for row, seed, saved in state["trials"]:
            self.trials.append(self.trial(self.rows[row], seed))
            self.trials[-1].restore(saved)
        self.done = {(row, seed): figures for row, seed, figures in state["done"]}
        self.history = state["history"]
        self.count, self.seconds = int(state["count"]), float(state["seconds"])


def grouped(rows, alike, most):
    """Rows that can train side by side: groups of equal alike(row) with up to `most` trials, or of a single row."""
    groups = {}
    for row in rows:
        fitting = groups.setdefault(alike(row), [[]])
        if fitting[-1] and sum(other.trials for other in [*fitting[-1], row]) > most:
            fitting.append([])
        fitting[-1].append(row)
    return [group for fitting in groups.values() for group in fitting]


# ----------------------------------------------------------------------------------------------------------------------
# Records
# ----------------------------------------------------------------------------------------------------------------------

SCHEMA = 1


class ResultsError(Exception):
    """A results file or checkpoint that cannot be read, is not ours, or cannot be written; the message is one line."""


def read_results(path):
    """The contents of a results file: {"schema": 1, experiment: [record, ...], ...}; an absent file is empty."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        results = json.loads(text, parse_constant=lambda word: fail(ValueError(f"{word} is no JSON")))
    except FileNotFoundError:
        return {"schema": SCHEMA}
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path} is not valid JSON ({error}): move it away or name another file") from error
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error}") from error
    if not isinstance(results, dict) or not isinstance(results.get("schema"), int) or results["schema"] < 1:
        raise ResultsError(f"{path} is not a results file of this project: name another file")
    if results["schema"] > SCHEMA:
        raise ResultsError(f"{path} has schema {results['schema']}, newer than this program's {SCHEMA}")
    for name, records in results.items():
        if name != "schema" and not (isinstance(records, list) and all(map(well_formed, records))):
            raise ResultsError(f"{path} is damaged: {name} is not a list of whole records")
    return results


def fail(error):
    raise error


def well_formed(record):
    """Whether a record has the parts that every record has."""
    parts = ("settings", "final", "provenance")
    return (isinstance(record, dict) and all(isinstance(record.get(part), dict) for part in parts)
            and isinstance(record.get("history", {}), dict) and isinstance(record["final"].get("status"), str))


@contextlib.contextmanager
def locked(path):
    """Holds the lock of a results file, by whatever name it is reached: two scripts ending at once lose nothing.

    A file system that knows no locks is reported, and works without.
    """
    name, lock = f"{os.path.realpath(path)}.lock", None
    try:
        lock = open(name, "a+" if os.access(name, os.W_OK) or not os.path.exists(name) else "r")  # r: another user's
        lock_file(lock)
    except OSError as error:
        complain_once(f"{path} cannot be locked ({error.strerror}): two runs that end at once may lose a record")
    try:
        yield
    finally:
        if lock:
            lock.close()  # and with it the lock


def lock_file(file):
    """Waits for the lock of an open file. Raises OSError where there are none."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX)
    elif msvcrt:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
    else:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def check_results(path):
    """Raises ResultsError unless a record can be added to the file; changes nothing in it."""
    if os.path.exists(path) and not (os.path.isfile(path) and os.access(path, os.W_OK)):
        raise ResultsError(f"{path} cannot be written")
    try:
        tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))).close()
    except OSError as error:
        raise ResultsError(f"cannot write beside {path}: {error}") from error
    read_results(path)


def write_record(path, experiment, record):
    """Adds a record, or puts it in the place of the one with the same settings; no other record is touched.

    A run that was cut short does not replace one that ran to its end. Returns whether the record was written.
    Raises ResultsError.
    """
    with locked(path):
        results = read_results(path)
        others = [entry for entry in results.get(experiment, []) if entry["settings"] != record["settings"]]
        replaced = [entry for entry in results.get(experiment, []) if entry["settings"] == record["settings"]]
        if record["final"]["status"] == "interrupted" and any(
                entry["final"]["status"] != "interrupted" for entry in replaced):
            return False
        results[experiment] = sorted([*others, strict(record)], key=lambda entry: json.dumps(entry["settings"]))
        write_results(path, results)
    return True


def write_results(path, results):
    """Writes a results file, a record per line. Raises ResultsError."""
    parts = [f'"schema": {results["schema"]}']
    for name, records in results.items():
        if name != "schema":
            body = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
            parts.append(f'"{name}": [\n{body}\n]')
    write_whole(path, ("{" + ",\n".join(parts) + "}\n").encode())


def write_whole(path, content):
    """Writes a file that is complete on disk before it takes the old one's name and mode. Raises ResultsError.

    A kill or a full disk leaves the old file. content: bytes, or a function that writes to an open file.
    """
    path = os.path.realpath(path)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            content(file) if callable(content) else file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def save(path, experiment, record):
    """Writes a record; where that fails, prints it as JSON, so that nothing computed is lost. Returns success."""
    try:
        if not write_record(path, experiment, record):
            complain(f"{path} keeps its finished run of these settings, not the interrupted one")
        return True
    except Exception as error:
        complain(f"{error}; the record follows on standard output")
        say(json.dumps(strict(record)))
        return False


def strict(value):
    """The same JSON value with null for every number that is not finite."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def wilson(successes, n, z=1.959964):
    """The 95% interval of a rate by Wilson (1927): (low, high)."""
    rate, scale = successes / n, 1 + z * z / n
    centre, half = rate + z * z / (2 * n), z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return (centre - half) / scale, (centre + half) / scale


# ----------------------------------------------------------------------------------------------------------------------
# Provenance and fingerprint
# ----------------------------------------------------------------------------------------------------------------------

class Code:
    """An experiment's source as it was loaded. Its fingerprint is a hash of what decides the experiment's figures: the
    definitions and constants that can be reached by name from `train` and `Settings`, also across imports into other
    experiments, never into this file; without docstrings, and of a setting only its default."""

    def __init__(self, module):
        self.module, self.text = sys.modules[module], None
        file = getattr(self.module, "__file__", None)
        self.folder = file and os.path.dirname(os.path.abspath(file))
        with contextlib.suppress(Exception):  # no source: standard input, a notebook
            self.text = getattr(self.module, "__source__", None)
            if self.text is None and self.module.__loader__ is None:  # run by path, as a spawned process does
                self.text = Path(file).read_text(encoding="utf-8")
            elif self.text is None:
                self.text = self.module.__loader__.get_source(module)

    @functools.cached_property
    def fingerprint(self):
        """16 hexadecimal digits, or None without a source."""
        found, names = {}, [(self, "train"), (self, "Settings")]
        while names:
            code, name = names.pop()
            if code.text is not None and name != "harness" and (code.experiment, name) not in found:
                nodes = code.definitions.get(name, [])
                found[code.experiment, name] = [canonical(node) for node in nodes]
                names += [reached for node in nodes for reached in code.reached_from(node)]
        if self.text is None:
            return None
        text = repr([(*key, nodes) for key, nodes in sorted(found.items()) if nodes])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def experiment(self):
        return getattr(self.module, "EXPERIMENT", self.module.__name__)

    @functools.cached_property
    def definitions(self):
        """The statements at the top of the file that bind each name."""
        bound = {}
        for node in ast.parse(self.text).body:
            targets = [] if isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr, ast.If)) else ast.walk(node)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                bound.setdefault(node.name, []).append(node)
                continue
            targets = getattr(node, "targets", [getattr(node, "target", node)]) if targets else []
            for name in {leaf.id for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)}:
                bound.setdefault(name, []).append(node)
        return bound

    def reached_from(self, node):
        """(Code, name) of every definition that a statement names, here or in an experiment that this one imports."""
        for leaf in ast.walk(node):
            if isinstance(leaf, ast.Name):
                yield self, leaf.id
                value = vars(self.module).get(leaf.id)
                origin = sys.modules.get(getattr(value, "__module__", None) or "")
                other = getattr(origin, "CODE", None)  # from rnn_pathological import RNN
                if isinstance(other, Code) and other is not self and leaf.id not in self.definitions:
                    yield other, value.__name__
            elif isinstance(leaf, ast.Attribute) and isinstance(leaf.value, ast.Name):
                other = getattr(vars(self.module).get(leaf.value.id), "CODE", None)
                if isinstance(other, Code) and leaf.value.id != "harness":
                    yield other, leaf.attr


def canonical(node):
    """A syntax tree as text, the same on every version of Python (ast.dump is not), without what changes no figure."""
    if isinstance(node, list):
        return f"[{','.join(map(canonical, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
        fields["body"] = node.body[1:]
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", None)) == "setting":
        fields["args"] = node.args[:1]
        fields["keywords"] = [word for word in node.keywords if word.arg in ("default", "otherwise")]
    for name in ("ctx", "kind", "type_comment"):
        fields.pop(name, None)
    return f"{type(node).__name__}({','.join(f'{name}={canonical(value)}' for name, value in fields.items())})"


@functools.cache
def git_state(folder):
    """The commit of a checkout and whether its code was changed since; None and None outside one."""
    if folder is None:
        return None, None
    try:
        commit, changes = (
            subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "HEAD"],
                          ["status", "--porcelain", "--", ".", ":!results.json", ":!viz", ":!*.gif"]))
        return commit, bool(changes)
    except (OSError, subprocess.CalledProcessError):
        return None, None


@functools.cache
def blas_library():
    """The loaded BLAS and the prefix and suffix of its names, if it is an OpenBLAS that can be asked; else None."""
    numpy = Path(np.__file__).parent
    files = [getattr(np, "_core", np).__file__, *numpy.glob("_core/_multiarray_umath*"),
             *numpy.parent.glob("numpy.libs/*openblas*"), *numpy.glob(".dylibs/*openblas*")]
    for file in files[1:]:
        for prefix, suffix in (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", "")):
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(str(file))
                getattr(library, f"{prefix}openblas_set_num_threads{suffix}")
                return lambda name: getattr(library, f"{prefix}openblas_{name}{suffix}")
    return None


def blas_threads(wanted=None):
    """The number of BLAS threads, None if unknown; sets it to what is wanted afterwards."""
    find = blas_library()
    if find is None:
        return None
    threads = find("get_num_threads")()
    if wanted is not None:
        find("set_num_threads")(wanted)
    return threads


def machine():
    """What the bits depend on besides the code: a dict for the provenance of a record."""
    found = {"python": platform.python_version(), "numpy": np.__version__, "platform": platform.platform(),
             "processor": platform.processor()}
    with contextlib.suppress(Exception):
        config = np.show_config(mode="dicts")
        library = config["Build Dependencies"]["blas"]
        found |= {"blas": f"{library['name']} {library['version']}", "simd": config["SIMD Extensions"]["found"]}
    with contextlib.suppress(Exception):
        kernel = blas_library()("get_corename")
        kernel.restype = ctypes.c_char_p
        found |= {"blas_kernel": kernel().decode(), "blas_threads": blas_threads()}
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        found["processor"] = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return found


def provenance(code, wall_seconds):
    """Where a record comes from: code, machine, date, command, time taken. What cannot be found out is left out."""
    commit, dirty = git_state(code.folder)
    fingerprint = None
    with contextlib.suppress(Exception):
        fingerprint = code.fingerprint
    words = Parser.command or ["python3", os.path.basename(sys.argv[0]), *sys.argv[1:]]
    return {"git_commit": commit, "git_dirty": dirty, "fingerprint": fingerprint} | machine() | {
        "date": time.strftime("%Y-%m-%d"), "command": shlex.join(words), "wall_seconds": round(wall_seconds, 2)}


# ----------------------------------------------------------------------------------------------------------------------
# Checkpoints
# ----------------------------------------------------------------------------------------------------------------------

def checkpoint_path(out, identity):
    """The file of a checkpoint, beside the file of results and named after what is run; None if out is None."""
    return out and Path(f"{out}.{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]}.npz")


def write_checkpoint(path, code, state, arrays):
    """Writes a checkpoint, whole or not at all; a disk that refuses is reported and training goes on."""
    if path is None:
        return
    text = json.dumps(dict(state=state, fingerprint=code.fingerprint))
    try:
        write_whole(path, lambda file: np.savez(file, state=text, **arrays))
    except ResultsError as error:
        complain(str(error))


def read_checkpoint(path, code):
    """(state, arrays) of a checkpoint; None if there is none. Raises ResultsError for one this program cannot use."""
    if path is None or not os.path.lexists(path):
        return None
    try:
        if not os.path.isfile(path):
            raise ValueError("it is no file")
        with np.load(path, allow_pickle=False) as file:
            if any(part.compress_type for part in file.zip.infolist()):
                raise ValueError("it is compressed")  # so that nothing in it is larger than the file
            arrays = {name: file[name] for name in file.files}
        held = json.loads(str(arrays.pop("state")))
        state, fingerprint = held["state"], held["fingerprint"]
    except Exception as error:  # whatever a broken file may raise
        raise ResultsError(f"the checkpoint {path} cannot be read ({error}): move it away to start again") from error
    if fingerprint != code.fingerprint:
        raise ResultsError(f"the checkpoint {path} was made by other code: move it away to start again")
    return state, arrays


# ----------------------------------------------------------------------------------------------------------------------
# One file
# ----------------------------------------------------------------------------------------------------------------------

def bundle(file):
    """The source of an experiment with the modules of ours that it imports put in their places: this one as it stands,
    an experiment that it extends as a text."""
    folder, lines = Path(file).resolve().parent, []
    own = Path(__file__).read_text(encoding="utf-8").split(f"\n\n\n# {118 * '-'}\n# One file")[0]
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if words == ["import", "harness"]:
            lines += [own, "", 'harness = sys.modules["harness"] = sys.modules[__name__]', ""]
        elif words[:1] == ["import"] and (folder / f"{words[1]}.py").exists():
            lines += [f"{words[1]} = type(sys)({words[1]!r})", f"{words[1]}.__source__ = r'''",
                      (folder / f"{words[1]}.py").read_text(encoding="utf-8") + "'''",
                      f"sys.modules[{words[1]!r}] = {words[-1]} = {words[1]}",
                      f"exec({words[1]}.__source__, vars({words[1]}))"]
        else:
            lines.append(line)
    return "\n".join(lines)


def main(argv=None):
    parser = Parser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bundle", required=True, metavar="FILE", help="an experiment, such as adding_problem.py")
    try:
        say(bundle(parser.parse_args(argv).bundle))
    except (OSError, UnicodeDecodeError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
