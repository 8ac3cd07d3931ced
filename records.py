# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""What a run leaves behind: printed lines, records in results.json, checkpoints.

Whatever else fails, a result that was computed is saved or printed. Experiments reach all this
through harness.py.
"""

import contextlib
import csv
import errno
import functools
import hashlib
import io
import json
import math
import os
import shutil
import sys
import tempfile
import textwrap
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


# --------------------------------------------------------------------------------------------------
# Output that may fail
# --------------------------------------------------------------------------------------------------

class Nowhere(io.TextIOBase):
    """In the place of an output that is gone."""

    def write(self, text):
        return len(text)


def say(text="", end="\n", stream="stdout"):
    """Prints; letters that the output cannot show become escapes. Returns success: an output that is gone (a closed
    pipe or terminal, a full disk) ends the printing and not the run."""
    if getattr(sys, stream) is None or isinstance(getattr(sys, stream), Nowhere):
        return False
    try:
        print(text, end=end, flush=True, file=getattr(sys, stream))
    except UnicodeEncodeError:
        return say(str(text).encode("ascii", "backslashreplace").decode(), end, stream)
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = open(os.devnull, "w")
            os.dup2(nowhere.fileno(), getattr(sys, stream).fileno())
        setattr(sys, stream, Nowhere())
        return False
    return True


def complain(text):
    """One line on standard error."""
    say(text, stream="stderr")


complain_once = functools.cache(complain)


class Progress:
    """A line per call with elapsed and remaining time; on a terminal it is redrawn.

    The remaining time goes by the pace since the first call, as a resumed run begins with
    something done.
    """

    def __init__(self, total, quiet):
        self.total, self.quiet, self.start = total, quiet, time.perf_counter()
        self.redraw = sys.stdout is not None and sys.stdout.isatty()
        self.first = self.shown = None  # time and count of the first call; time of the last line

    def __call__(self, done, text, every=0):
        """done: how much of the total; every: least seconds since the last line (a terminal: 1)."""
        now = time.perf_counter()
        self.first = self.first or (now, done)
        wait = min(every, 1) if self.redraw else every
        if self.quiet or (self.shown is not None and now - self.shown < wait):
            return
        self.shown, (since, before) = now, self.first
        line = f"{text}  {duration(now - self.start)}"
        if done > before:
            left = (now - since) * (self.total - done) / (done - before)
            line += f", {duration(left)} left"
        if self.redraw:
            say(f"\r\033[K{line[: shutil.get_terminal_size().columns - 1]}", end="")
        else:
            say(line)

    def close(self):
        if self.redraw and self.shown is not None:
            say()


def duration(seconds):
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


# --------------------------------------------------------------------------------------------------
# Records
# --------------------------------------------------------------------------------------------------

SCHEMA = 1


class ResultsError(Exception):
    """A results file or checkpoint that cannot be read, is not ours, or cannot be written; the
    message is one line."""


def read_results(path):
    """The contents of a results file: {"schema": 1, experiment: [record, ...], ...}; an absent file
    is empty. Raises ResultsError."""
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=no_number)
    except FileNotFoundError:
        return {"schema": SCHEMA}
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{path} is not valid JSON ({error}): move it away, or name another "
                           "file") from error
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error}") from error
    schema = results.get("schema") if isinstance(results, dict) else None
    if not isinstance(schema, int) or schema < 1:
        raise ResultsError(f"{path} is not a results file of this project: name another file")
    if schema > SCHEMA:
        raise ResultsError(f"{path} has schema {schema}, newer than this program's {SCHEMA}")
    for name, records in results.items():
        whole = isinstance(records, list) and all(well_formed(record) for record in records)
        if name != "schema" and not whole:
            raise ResultsError(f"{path} is damaged: {name} is not a list of whole records")
    return results


def no_number(word):
    """Refuses NaN and Infinity, which are no JSON."""
    raise ValueError(f"{word} is no JSON")


def well_formed(record):
    """Whether a record has the parts that every record has."""
    if not isinstance(record, dict) or not isinstance(record.get("history", {}), dict):
        return False
    parts = [record.get(name) for name in ("settings", "final", "provenance")]
    return (all(isinstance(part, dict) for part in parts)
            and isinstance(record["final"].get("status"), str))


@contextlib.contextmanager
def locked(path):
    """Holds the lock of a results file, by whatever name it is reached: two scripts that end at
    once lose nothing. A file system that knows no locks is reported, and works without."""
    name, lock = f"{os.path.realpath(path)}.lock", None
    others = os.path.exists(name) and not os.access(name, os.W_OK)  # another user's
    try:
        lock = open(name, "r" if others else "a+")
        lock_file(lock)
    except OSError as error:
        complain_once(f"{path} cannot be locked ({error.strerror}): two runs that end at once may "
                      "lose a record")
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
    check_place(path)
    read_results(path)


def check_place(path):
    """Raises ResultsError unless a file can be written there; changes nothing in it."""
    if os.path.exists(path) and not (os.path.isfile(path) and os.access(path, os.W_OK)):
        raise ResultsError(f"{path} cannot be written")
    try:
        tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))).close()
    except OSError as error:
        raise ResultsError(f"cannot write beside {path}: {error}") from error


def write_record(path, experiment, record):
    """Adds a record, or puts it in the place of the one with the same settings.

    No other record is touched. A run that was cut short does not replace one that ran to its end.
    Returns whether the record was written. Raises ResultsError.
    """
    with locked(path):
        results, kept = read_results(path), []
        for other in results.get(experiment, []):
            if other["settings"] != record["settings"]:
                kept.append(other)
            elif cut_short(record) and not cut_short(other):
                return False
        kept.append(strict(record))
        results[experiment] = sorted(kept, key=lambda entry: json.dumps(entry["settings"]))
        write_results(path, results)
    return True


def cut_short(record):
    return record["final"]["status"] == "interrupted"


def write_results(path, results):
    """Writes a results file, a record per line. Raises ResultsError."""
    parts = [f'"schema": {results["schema"]}']
    for name, records in results.items():
        if name != "schema":
            body = ",\n".join(json.dumps(record, allow_nan=False) for record in records)
            parts.append(f'"{name}": [\n{body}\n]')
    write_whole(path, ("{" + ",\n".join(parts) + "}\n").encode())


def write_whole(path, content):
    """Writes a file that is complete on disk before it takes the old one's name and mode: a kill or
    a full disk leaves the old file. Raises ResultsError.

    content: bytes, or a function that writes to an open file.
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
    """Writes a record; where that fails, prints it as JSON or puts it into a temporary file, so that nothing
    computed is lost. A run whose figures are not all finite has diverged, whatever its last update saw. Returns
    success."""
    figures = [value for value in record["final"].values() if isinstance(value, float)]
    if record["final"]["status"] == "done" and not all(map(math.isfinite, figures)):
        record["final"]["status"] = "diverged"
    try:
        if not write_record(path, experiment, record):
            complain(f"{path} keeps its finished run of these settings, not the interrupted one")
        return True
    except Exception as error:
        complain(f"{error}; the record follows on standard output")
        text = json.dumps(strict(record))
        if not say(text):
            put_aside(text)
        return False


def put_aside(text):
    """Puts a record that standard output did not take into a file of the temporary folder; if that fails, on standard
    error."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="record-", suffix=".json", delete=False) as file:
            file.write(text)
    except OSError:
        complain(text)
    else:
        complain(f"standard output took no record either: it is in {file.name}")


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
    centre = rate + z * z / (2 * n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


# --------------------------------------------------------------------------------------------------
# Files for other programs
# --------------------------------------------------------------------------------------------------

LAYOUT = """Arrays whose names end in _torch have the layout (T, sequences, channels) of torch.nn.LSTM,
those in _keras (sequences, T, channels), which torch has with batch_first=True."""
TARGETS = """A target is a number (sequences, 1), a class (sequences,), or a class at each of the last k
steps (k, sequences), in _keras (sequences, k). Classes are whole numbers."""
PADDED = """The sequences have different lengths: *_lengths (sequences,) holds their steps, after which x
is 0. A target has a place at every step: a number (T, sequences, 1) or a class, a whole number (T,
sequences), in _keras (sequences, T, 1) or (sequences, T). *_mask_* is True where there is one, (T,
sequences) or (sequences, T); elsewhere y is 0 and means nothing. The loss is that of output[mask] and
y[mask], in either layout. torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
takes the lengths, and the mask of _keras is a sample_weight there."""
ORDER = """train_*: the first training sequences in the order in which training sees them, batch after
batch. test_*: the held-out set, the same at every evaluation. Read with numpy.load(file,
allow_pickle=False)."""


def write_sequences(path, words, dtype, classes, more=None, **parts):
    """Writes sequences for torch and Keras, whole or not at all. Raises ResultsError.

    words: what they are, for the README in the file; classes: whether targets are classes; parts:
    by name ("train", "test") x (T, channels, n), or (T, n) where whole numbers are symbols, and
    target (n,) or (k, n), that of the last k steps; of sequences of different lengths also lengths
    (n,), and then a target (n,) is that of each one's last step, (T, n) that of every step; more:
    further arrays (T, channels, n) of such sequences, by name.
    """
    padded = {name: part[2] for name, part in parts.items() if len(part) > 2}
    longest = max((lengths.max() for lengths in padded.values()), default=None)
    about = words, LAYOUT, PADDED if padded else TARGETS, ORDER
    arrays = {"README": "\n\n".join(textwrap.fill(part, 100) for part in about)}
    for name, (x, target, *_) in parts.items():
        x, target = x[:longest], np.atleast_2d(target)
        if name in padded:
            x, target, mask = pad(x, target, padded[name])
            arrays |= {f"{name}_lengths": padded[name].astype(np.int64)} | layouts(f"{name}_mask", mask)
        x = x.astype(np.int64 if x.ndim == 2 else dtype)
        y = target.astype(np.int64) if classes else target[:, None].astype(dtype)
        y = layouts(f"{name}_y", y)
        if len(target) == 1:
            y = {key: array.squeeze(int(key.endswith("keras"))) for key, array in y.items()}
        arrays |= layouts(f"{name}_x", x) | y
    for name, array in (more or {}).items():
        arrays |= layouts(name, array[:longest])
    write_arrays(path, arrays)


def pad(x, target, lengths):
    """x (T, ..., n) with zeros after the end of each sequence, and target and mask (T, n), from a
    target (1, n) of the last steps or (T', n) of every step."""
    steps = np.arange(len(x))[:, None]
    ended, mask = steps >= lengths, (steps < lengths) & (steps >= lengths - len(target))
    x = np.where(ended if x.ndim == 2 else ended[:, None], 0, x)
    return x, np.where(mask, target[: len(x)], 0), mask


def layouts(name, array):
    """An array (T, n) or (T, channels, n) as torch and as Keras take it: a dict by name."""
    steps_first = np.moveaxis(array, -1, 1)
    return {f"{name}_torch": steps_first, f"{name}_keras": steps_first.swapaxes(0, 1)}


def write_arrays(path, arrays):
    """Writes an .npz that numpy.load reads with allow_pickle=False. Raises ResultsError."""
    write_whole(path, lambda file: np.savez_compressed(file, **arrays))


WEIGHTS = """The weights of a net under the names of the state_dict of a torch module whose torch.nn.LSTM, GRU or RNN is
called recurrent and whose torch.nn.Linear is called readout, in torch's order of gates (LSTM: i, f, g, o; GRU: r, z,
n). Our cells have one bias per gate: it stands in bias_ih, and bias_hh is 0, but for the GRU's candidate, whose second
bias the reset gate multiplies. A cell without forget gate has a forget bias of 1000: that gate is 1."""


def torch_state(weights):
    """Our named weights, as records hold them, under the names and in the layout of torch's
    state_dict: {recurrent.weight_ih_l0, ..., readout.weight, readout.bias}, arrays."""
    ours = {name: np.asarray(value) for name, value in weights.items()}
    H = ours["W_hy"].shape[1]
    n_in, nothing = ours.get("W_xh", ours.get("W_xi", ours.get("W_xr"))).shape[1], np.zeros(H)
    if "W_hh" in ours:
        blocks = [(ours["W_xh"], ours["W_hh"], ours["b_h"], nothing)]
    elif "W_hm" in ours:
        blocks = [(ours[f"W_x{gate}"], ours[f"W_h{gate}"], ours[f"b_{gate}"], nothing) for gate in "rz"]
        blocks.append((ours["W_xn"], ours["W_hm"], ours["b_n"], ours["b_m"]))
    else:
        blocks = []
        for gate in "ifgo":
            absent = np.zeros((H, n_in)), np.zeros((H, H)), nothing + (1000 if gate == "f" else 0)
            names = f"W_x{gate}", f"W_h{gate}", f"b_{gate}"
            blocks.append((*map(ours.get, names, absent), nothing))
    names = "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"
    state = {f"recurrent.{name}": np.concatenate(parts) for name, parts in zip(names, zip(*blocks))}
    dtype = ours["W_hy"].dtype
    return {name: part.astype(dtype) for name, part in state.items()} | {
        "readout.weight": ours["W_hy"], "readout.bias": ours["b_y"]}


def write_weights(path, record):
    """Writes the weights of a record for torch. Raises ResultsError."""
    settings = json.dumps(record["settings"])
    dtype = record["settings"].get("dtype", "float64")
    weights = {name: np.array(value, dtype) for name, value in record["weights"].items()}
    words = f"{WEIGHTS}\n\nSettings: {settings}"
    write_arrays(path, {"README": words} | torch_state(weights))


def write_csv(path, records):
    """Writes the curves of some records as one table: a column for the seed and every other setting
    that differs between them, and the columns of their histories. Raises ResultsError."""
    settings = [record["settings"] for record in records]
    named = [name for name in settings[0]
             if name == "seed" or any(other[name] != settings[0][name] for other in settings)]
    columns = list(dict.fromkeys(name for record in records for name in record["history"]))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(named + columns)
    for record in records:
        history = strict(record["history"])
        for k in range(max(map(len, history.values()), default=0)):
            row = [history[name][k] if name in history else None for name in columns]
            table.writerow([record["settings"][name] for name in named] + row)
    write_whole(path, text.getvalue().encode())


# --------------------------------------------------------------------------------------------------
# Checkpoints
# --------------------------------------------------------------------------------------------------

def checkpoint_path(out, identity):
    """The file of a checkpoint, beside the file of results `out` and named after what is run (for
    JSON); None if out is None."""
    if out is None:
        return None
    name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
    return Path(f"{out}.{name}.npz")


def remove_checkpoint(path):
    """Removes a checkpoint that is no longer needed; what cannot be removed is no reason to stop."""
    with contextlib.suppress(OSError):
        path.unlink()


def write_checkpoint(path, code, state, arrays):
    """Writes a checkpoint, whole or not at all; a disk that refuses is reported, and training goes
    on. path: None for no checkpoint."""
    if path is None:
        return
    text = json.dumps(dict(state=state, fingerprint=code.fingerprint))
    try:
        write_whole(path, lambda file: np.savez(file, state=text, **arrays))
    except ResultsError as error:
        complain(error)


def read_checkpoint(path, code):
    """(state, arrays) of a checkpoint; None if there is none. Raises ResultsError for one that this
    program cannot use."""
    if path is None or not os.path.lexists(path):
        return None
    try:
        if not os.path.isfile(path):
            raise ValueError("it is no file")
        with np.load(path, allow_pickle=False) as file:
            if any(part.compress_type for part in file.zip.infolist()):
                raise ValueError("it is compressed")  # so nothing in it is larger than the file
            arrays = {name: file[name] for name in file.files}
        held = json.loads(str(arrays.pop("state")))
        state, fingerprint = held["state"], held["fingerprint"]
    except Exception as error:  # whatever a broken file may raise
        words = f"the checkpoint {path} cannot be read ({error}): move it away to start again"
        raise ResultsError(" ".join(words.split())) from error
    if fingerprint != code.fingerprint:
        raise ResultsError(f"the checkpoint {path} was made by other code: move it away to start "
                           "again")
    return state, arrays
