"""harness.py: flags, signals, processes, output that fails, records, locks, provenance, checkpoints, the bundle."""

import dataclasses
import errno
import io
import json
import math
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import toy_experiment as toy
from conftest import ROOT, assert_bad_input, run_script, wait_for

import adding_problem as ap
import harness
import provenance as provenance_py
import records as records_py

FOREVER = ["--rounds", "1000000", "--slowly", "--quiet"]
METHODS = ("fork", "spawn", "forkserver")


@pytest.fixture
def folder(tmp_path):
    """An empty folder with the toy experiment and harness.py."""
    for file in ("tests/toy_experiment.py", *(f"{name}.py" for name in harness.PLUMBING)):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


def command(folder, *flags, file="toy_experiment.py", start=None, **variables):
    """Arguments for subprocess: the toy experiment in a folder; start: the start method of its processes."""
    if start:
        (folder / "start").mkdir(exist_ok=True)
        (folder / "start" / "sitecustomize.py").write_text(
            f"import multiprocessing\nmultiprocessing.set_start_method({start!r}, force=True)\n")
        variables["PYTHONPATH"] = str(folder / "start")
    return dict(args=[sys.executable, file, *map(str, flags)], cwd=folder, text=True, env=os.environ | variables)


def run(folder, *flags, **more):
    return subprocess.run(**command(folder, *flags, **more), capture_output=True, timeout=60)


def begin(folder, *flags, seeds=(0,), **more):
    """Starts the toy experiment in a process group of its own. Returns the process once all seeds have begun."""
    process = subprocess.Popen(
        **command(folder, *FOREVER, *flags, **more), start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    files = [folder / f"begun-{seed}" for seed in seeds]
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))
    return process


def records(folder, name="results.json"):
    return json.loads((folder / name).read_text())["toy_experiment"]


# Settings and flags


def test_defaults_that_depend_on_other_settings():
    assert toy.Settings().scale == 2.0 and toy.Settings(rounds=4).scale == 1.0 and toy.Settings(scale=5.0).scale == 5.0
    parser = harness.experiment_parser(toy.__doc__, toy.Settings, toy.Options)
    assert "2.0 for 3, else 1.0)" in " ".join(parser.format_help().split())
    assert parser.parse_args(["--rounds=7", "--seed", "2"]).given == {"--rounds", "--seed"}


def test_a_setting_that_needs_another_one():
    @dataclasses.dataclass(frozen=True)
    class Settings:
        kind: str = harness.setting("a", "kind", "x")
        bias: float | None = harness.setting(None, "bias", "x", kind=float, otherwise=1.0, needs=("kind", "a"))
        steps: int | None = harness.setting(
            None, "steps", "x", kind=int, otherwise=lambda settings: 2 * len(settings.kind),
            needs=("kind", ("b", "cc")))

        def __post_init__(self):
            harness.fill(self)

    assert Settings() == Settings("a", 1.0, None) and Settings("cc") == Settings("cc", None, 4)
    with pytest.raises(ValueError, match="--bias needs --kind a"):
        Settings("b", bias=1.0)
    with pytest.raises(ValueError, match="--steps needs --kind b or cc"):
        Settings(steps=1)


# Signals and processes


@pytest.mark.parametrize("jobs", (1, 2))
@pytest.mark.parametrize("name", ("SIGINT", "SIGTERM", "SIGHUP"))
def test_a_signal_to_the_whole_group_keeps_what_was_computed(folder, name, jobs):
    process = begin(folder, "--seeds", "0-3", "--jobs", jobs, seeds=range(jobs))
    os.killpg(process.pid, getattr(signal, name))
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err == ""
    assert [record["final"]["status"] for record in records(folder)] == ["interrupted"] * jobs
    assert out.count("interrupted") == jobs


@pytest.mark.parametrize("start", METHODS)
def test_the_start_method_of_processes_does_not_matter(folder, start):
    process = begin(folder, "--seeds", "0-3", "--jobs", 2, seeds=(0, 1), start=start)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130 and len(records(folder)) == 2
    run(folder, "--seeds", "0-2", "--jobs", 2, "--out", "two.json", start=start)
    run(folder, "--seeds", "0-2", "--out", "one.json")
    assert [entry["final"] for entry in records(folder, "one.json")] == [
        entry["final"] for entry in records(folder, "two.json")]


@pytest.mark.parametrize("start", METHODS)
def test_kill_9_leaves_no_process_behind(folder, start):
    process = begin(folder, "--seeds", "0-1", "--jobs", 2, seeds=(0, 1), start=start)
    workers = [int((folder / f"begun-{seed}").read_text()) for seed in (0, 1)]
    process.kill()
    process.communicate(timeout=20)  # the pipes close when the last worker is gone
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_a_process_that_dies_costs_its_call_alone(folder):
    process = begin(folder, "--seeds", "0-1", "--jobs", 2, seeds=(0, 1))
    os.kill(int((folder / "begun-1").read_text()), signal.SIGKILL)
    assert "its process died" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert [record["settings"]["seed"] for record in records(folder)] == [0]


ASKING = """
import os, signal, sys, threading
sys.path.insert(0, {root!r})
import harness

def ask(after):
    threading.Timer(after, os.kill, (os.getpid(), {signal})).start()
    while not harness.stopped():
        pass
    return "stopped"
"""
KILLED = ASKING + """
if __name__ == "__main__":
    with harness.interruptible(shared=True):
        print(*[type(outcome).__name__ for _, outcome in harness.run_all(ask, [(k / 1e3,) for k in range(1, 13)], 2)])
"""
SIGNALLED = ASKING + """
for k in range(1, 31):
    with harness.interruptible(shared=True):
        print(ask(k / 1e4), end=" ")
"""


@pytest.mark.parametrize("source, number, said", (
    (KILLED, signal.SIGKILL, 12 * "ProcessDied "), (SIGNALLED, signal.SIGTERM, 30 * "stopped ")))
def test_the_flag_is_not_held_by_who_is_killed_or_interrupted_while_it_asks(source, number, said, tmp_path):
    (tmp_path / "asking.py").write_text(source.format(root=str(ROOT), signal=int(number)))
    run = subprocess.run([sys.executable, "asking.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (run.stdout.split(), run.stderr, run.returncode) == (said.split(), "", 0)


def test_a_run_under_nohup_outlives_its_terminal(folder):
    shell = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh"]
    arguments = command(folder, *FOREVER)
    process = subprocess.Popen(**arguments | dict(args=shell + arguments["args"]), stdout=subprocess.PIPE)
    wait_for(lambda: (folder / "begun-0").exists())
    process.send_signal(signal.SIGHUP)
    (folder / "begun-0").unlink()
    wait_for(lambda: (folder / "begun-0").exists())  # it goes on
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_main_gives_everything_back(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    handlers, environment = {number: signal.getsignal(number) for number in harness.SIGNALS}, dict(os.environ)
    threads = harness.blas_threads(2)
    assert toy.main(["--quiet"]) == 0
    assert {number: signal.getsignal(number) for number in harness.SIGNALS} == handlers
    assert dict(os.environ) == environment and harness.blas_threads(threads) == 2
    assert records(tmp_path)[0]["provenance"]["blas_threads"] == 1 and not harness.stopped()


def test_a_run_in_a_thread(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    codes = []
    thread = threading.Thread(target=lambda: codes.append(toy.main(["--quiet"])))
    thread.start()
    thread.join(30)
    assert codes == [0] and records(tmp_path)[0]["final"]["status"] == "done"


def test_importing_an_experiment_leaves_the_environment_alone():
    code = ("import os, signal; before = dict(os.environ), signal.getsignal(signal.SIGINT); import adding_problem; "
            "assert (dict(os.environ), signal.getsignal(signal.SIGINT)) == before")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_exported_threads_change_no_figure(tmp_path):
    flags = ("--T", 20, "--hidden", 128, "--iters", 3, "--quiet", "--snapshot-every", 0)
    for threads in ("1", "2"):
        subprocess.run(
            [sys.executable, str(ROOT / "adding_problem.py"), *map(str, flags), "--out", f"{threads}.json"],
            cwd=tmp_path, env=os.environ | dict(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=threads), check=True)
    [one], [two] = (json.loads((tmp_path / f"{n}.json").read_text())["adding_problem"] for n in (1, 2))
    assert one["weights"] == two["weights"] and two["provenance"]["blas_threads"] == 1


# Output that fails


def test_a_closed_pipe_does_not_end_the_run(folder):
    process = subprocess.Popen(**command(folder, "--rounds", 3000), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(30) == 0
    assert records(folder)[0]["final"]["rounds"] == 3000


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_full_disk_behind_standard_output_does_not_end_the_run(folder):
    with open("/dev/full", "w") as full:
        finished = subprocess.run(**command(folder), stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert finished.returncode == 0 and records(folder)[0]["final"]["status"] == "done"


def test_no_standard_output_at_all(folder):
    shell = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh"]
    arguments = command(folder)
    assert subprocess.run(**arguments | dict(args=shell + arguments["args"]), timeout=30).returncode == 0
    assert records(folder)[0]["final"]["status"] == "done"


def test_progress_fits_80_columns_and_goes_by_its_own_pace(monkeypatch, capsys):
    clock = iter([0.0, 10.0, 20.0, 21.0, 1e5])
    monkeypatch.setattr(records_py.time, "perf_counter", lambda: next(clock))
    progress = harness.Progress(100, quiet=False)
    progress(60, "resumed")  # no pace is known yet
    progress(70, "on")  # 10 in 10 s
    progress(71, "too soon", every=5)
    progress(99, "late", every=5)
    shown = capsys.readouterr().out.splitlines()
    assert shown == ["resumed  10 s", "on  20 s, 30 s left", "late  1667 min, 43 min left"]


# Records


def record_of(seed, status="done"):
    return {"settings": {"seed": seed}, "final": {"status": status}, "provenance": {}, "value": math.nan}


def test_a_record_takes_the_place_of_its_own_settings_only(tmp_path):
    path = tmp_path / "r.json"
    for seed in (2, 1, 2):
        harness.write_record(path, "adding_problem", record_of(seed))
    harness.write_record(path, "another", record_of(1))
    results = harness.read_results(path)
    assert [record["settings"]["seed"] for record in results["adding_problem"]] == [1, 2]
    assert len(results["another"]) == 1 and results["schema"] == 1
    assert "NaN" not in path.read_text() and results["another"][0]["value"] is None
    assert not [name for name in os.listdir(tmp_path) if "tmp" in name]


def test_an_interrupted_run_does_not_replace_a_finished_one(tmp_path):
    path = tmp_path / "r.json"
    assert harness.write_record(path, "e", record_of(0, "interrupted"))
    assert harness.write_record(path, "e", record_of(0, "done"))
    assert not harness.write_record(path, "e", record_of(0, "interrupted"))
    assert harness.read_results(path)["e"][0]["final"]["status"] == "done"
    assert harness.write_record(path, "e", record_of(0, "diverged"))


GOOD = '{"settings": {}, "final": {"status": "done"}, "provenance": {}}'


@pytest.mark.parametrize(
    "content, words",
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1, 2]", "not a results file"),
        ('{"name": "package"}', "not a results file"),
        ('{"schema": 2}', "newer than this program"),
        ('{"schema": 1, "adding_problem": {"a": 1}}', "damaged"),
        ('{"schema": 1, "adding_problem": [{"final": 1}]}', "damaged"),
        (f'{{"schema": 1, "e": [{GOOD.replace("{}", "NaN", 1)}]}}', "NaN is no JSON"),
        (f'{{"schema": 1, "e": [{GOOD}, {GOOD.replace("status", "state")}]}}', "damaged"),
        (f'{{"schema": 1, "e": [{GOOD[:-1]}, "history": 3}}]}}', "damaged"),
        (f'{{"schema": 1, "e": [{GOOD.replace("provenance", "origin")}]}}', "damaged"),
        (b"\xff\xfe\x00", "not valid JSON"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused_at_the_start_and_left_alone(tmp_path, content, words, capsys):
    path = tmp_path / "results.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(SystemExit) as stop:
        toy.main(["--out", str(path)])
    shown = capsys.readouterr()
    assert stop.value.code == 2 and shown.out == "" and shown.err.count("\n") == 1 and words in shown.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ("{", '{"schema": 1, "toy_experiment": [{"final": 1}]}'))
def test_a_file_that_breaks_during_the_run_costs_no_record(folder, content):
    process = begin(folder)
    (folder / "results.json").write_text(content)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert json.loads(out.splitlines()[0])["final"]["rounds"] >= 1 and "the record follows" in err
    assert (folder / "results.json").read_text() == content


def test_an_unwritable_path_is_refused_before_training(folder):
    (folder / "folder").mkdir()
    (folder / "file").write_text("")
    for out in ("folder", "absent/results.json", "file/results.json", "/dev/null"):
        assert_bad_input(run(folder, "--out", out), "r")


def test_a_full_disk_leaves_the_old_file_and_prints_the_record(tmp_path, monkeypatch, capsys):
    path = tmp_path / "r.json"
    harness.write_record(path, "e", record_of(0))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert not harness.save(path, "e", record_of(1))
    shown = capsys.readouterr()
    assert "No space left" in shown.err and json.loads(shown.out)["settings"] == {"seed": 1}
    assert path.read_bytes() == before and sorted(os.listdir(tmp_path)) == ["r.json", "r.json.lock"]


@pytest.mark.parametrize("output", ["full", "closed"])
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_records_that_neither_the_file_nor_the_output_takes_are_put_aside(output, folder):
    """A full disk with the results and the log of standard output on it."""
    (folder / "aside").mkdir()
    (folder / "lost.py").write_text(
        "import harness, os, toy_experiment\n"
        "def full(descriptor): raise OSError(28, 'No space left on device')\n"
        "os.fsync = full\n"
        "raise SystemExit(toy_experiment.main(['--seeds', '0-1', '--quiet']))\n")
    with open("/dev/full", "w") as full:
        words = command(folder, file="lost.py", TMPDIR=str(folder / "aside"))
        if output == "closed":
            words["args"] = ["sh", "-c", 'exec "$@" >&-', "sh", *words["args"]]
        ended = subprocess.run(**words, stdout=full, stderr=subprocess.PIPE, timeout=60)
    kept = [json.loads(path.read_text()) for path in (folder / "aside").glob("record-*.json")]
    assert ended.returncode == 1 and sorted(record["settings"]["seed"] for record in kept) == [0, 1]
    assert all(str(path) in ended.stderr for path in (folder / "aside").glob("*.json"))


def test_letters_that_an_output_cannot_show_do_not_silence_it(folder):
    ended = run(folder, "--out", "é.json", PYTHONIOENCODING="ascii")
    again = run(folder, "--out", "é.json", "--seeds", "0-1", PYTHONIOENCODING="ascii")
    assert ended.returncode == again.returncode == 0
    assert "\\xe9.json has 1 of 2 runs already" in again.stdout and len(again.stdout.splitlines()) > 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_a_bundle_that_is_not_written_fails(folder):
    with open("/dev/full", "w") as full:
        words = command(folder, "--bundle", "toy_experiment.py", file="harness.py")
        assert subprocess.run(**words, stdout=full, timeout=60).returncode == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_run_that_ends_without_finite_figures_has_diverged(value, tmp_path):
    record = record_of(0) | {"final": dict(status="done", error=value, solved=3, none=None)}
    assert harness.save(tmp_path / "r.json", "e", record)
    [kept] = json.loads((tmp_path / "r.json").read_text())["e"]
    assert record["final"]["status"] == "diverged" and kept["final"] == dict(
        status="diverged", error=None, solved=3, none=None)


def test_the_state_of_git_is_asked_without_a_lock(tmp_path):
    """A lock on the index would be in the way of a commit at that moment, and stay on a full disk."""
    (tmp_path / "file.py").write_text("pass\n")
    for words in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -q -m first"):
        subprocess.run(["git", "-C", tmp_path, *words.split()], check=True)
    before = (tmp_path / ".git" / "index").read_bytes()
    os.utime(tmp_path / "file.py", (1, 1))  # git status would write the index anew
    commit, changed = provenance_py.git_state(str(tmp_path))
    assert len(commit) == 40 and not changed and (tmp_path / ".git" / "index").read_bytes() == before


WRITER = """
import sys; sys.path.insert(0, {root!r})
import harness
for k in range({count}):
    settings, final = dict(seed=k % 7 + {offset}), dict(status="done")
    harness.write_record({path!r}, "e", dict(settings=settings, final=final, provenance={{}}, pad="x" * 20000))
    print(k, flush=True)
"""


def writer(path, count, offset):
    code = WRITER.format(root=str(ROOT), path=str(path), count=count, offset=offset)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_kill_9_while_writing_leaves_a_whole_file(tmp_path):
    path = tmp_path / "r.json"
    with writer(path, 100_000, 0) as process:
        for _ in range(30):
            process.stdout.readline()
        process.kill()
    written = harness.read_results(path)["e"]
    assert len(written) == 7 and all(len(record["pad"]) == 20000 for record in written)


def test_two_writers_at_once_lose_nothing_by_whatever_name_the_file_goes(tmp_path):
    path, other = tmp_path / "r.json", tmp_path / "link.json"
    harness.write_record(path, "e", record_of(1000))
    other.symlink_to(path)
    writers = [writer(name, 7, offset) for name, offset in ((path, 0), (other, 100))]
    assert [process.communicate(timeout=60) and process.returncode for process in writers] == [0, 0]
    assert len(harness.read_results(path)["e"]) == 15 and other.is_symlink()
    assert not (tmp_path / "link.json.lock").exists()


def test_a_write_keeps_the_mode_of_the_file(tmp_path):
    path = tmp_path / "r.json"
    harness.write_record(path, "e", record_of(0))
    path.chmod(0o664)
    harness.write_record(path, "e", record_of(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


@pytest.mark.parametrize("number", (errno.ENOLCK, errno.ENOSYS))
def test_a_file_system_without_locks_is_one_line(tmp_path, monkeypatch, capsys, number):
    def no_lock(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(records_py.fcntl, "flock", no_lock)
    path = tmp_path / "r.json"
    for seed in range(3):
        harness.write_record(path, "e", record_of(seed))
    assert len(harness.read_results(path)["e"]) == 3
    assert capsys.readouterr().err.count("\n") == 1


WINDOWS = """
import multiprocessing, signal, sys
sys.modules["fcntl"] = None
del signal.SIGHUP
multiprocessing.set_start_method("spawn", force=True)
"""


def test_a_system_without_fcntl_sighup_and_fork(folder):
    (folder / "start").mkdir()
    (folder / "start" / "sitecustomize.py").write_text(WINDOWS)
    finished = run(folder, "--seeds", "0-2", "--jobs", 2, PYTHONPATH=str(folder / "start"))
    assert finished.returncode == 0 and len(records(folder)) == 3
    assert finished.stderr.count("\n") == 1 and "cannot be locked" in finished.stderr
    for name in sorted(path.name for path in ROOT.glob("*.py") if "EXPERIMENT =" in path.read_text()):
        subprocess.run([sys.executable, "-c", f"import {name[:-3]}"], cwd=ROOT, check=True,
                       env=os.environ | dict(PYTHONPATH=str(folder / "start")))


def test_windows_own_locks(tmp_path, monkeypatch):
    taken = []

    class Msvcrt:
        LK_LOCK = 1

        @staticmethod
        def locking(descriptor, mode, length):
            taken.append((mode, length))

    monkeypatch.setattr(records_py, "fcntl", None)
    monkeypatch.setattr(records_py, "msvcrt", Msvcrt)
    harness.write_record(tmp_path / "r.json", "e", record_of(0))
    assert taken == [(1, 1)]


def test_wilson_intervals():
    assert harness.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Newcombe (1998), method 3
    assert harness.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)


# Provenance


def test_a_file_that_changes_during_the_run_costs_nothing_and_stamps_what_ran(folder):
    expected = run(folder, "--out", "before.json") and records(folder, "before.json")[0]["provenance"]["fingerprint"]
    source = folder / "toy_experiment.py"
    text = source.read_text()
    for k, change in enumerate((
            lambda: source.write_text(text.replace("scale * rng", "2 * scale * rng")),
            lambda: source.write_text(text + "\ndef broken(:\n"), source.unlink)):
        source.write_text(text)
        process = begin(folder, "--out", f"{k}.json")
        change()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert records(folder, f"{k}.json")[0]["provenance"]["fingerprint"] == expected
        (folder / "begun-0").unlink()


def test_from_standard_input_a_zip_and_a_notebook(folder):
    source = (folder / "toy_experiment.py").read_text()
    finished = subprocess.run(
        [sys.executable, "-", "--out", "stdin.json"], input=source, text=True, cwd=folder, timeout=30,
        capture_output=True)
    assert finished.returncode == 0 and records(folder, "stdin.json")[0]["provenance"]["fingerprint"] is None
    with zipfile.ZipFile(folder / "toy.zip", "w") as archive:
        archive.writestr("__main__.py", source)
        for name in harness.PLUMBING:
            archive.write(ROOT / f"{name}.py", f"{name}.py")
    finished = run(folder, "--out", "zip.json", file="toy.zip")
    fingerprint = records(folder, "zip.json")[0]["provenance"]["fingerprint"]
    assert finished.returncode == 0 and fingerprint == toy.CODE.fingerprint
    pasted = f"exec({source!r}.split('if __name__')[0]); print(main(['--out', 'cell.json', '--quiet']))"
    finished = subprocess.run(
        [sys.executable, "-c", pasted], cwd=folder, text=True, capture_output=True, timeout=30)
    assert finished.stdout.endswith("0\n") and len(records(folder, "cell.json")) == 1


def test_a_record_says_what_its_bits_depend_on():
    found = harness.provenance(ap.CODE, 1.234)
    assert {"git_commit", "git_dirty", "fingerprint", "python", "numpy", "blas", "platform", "processor", "simd",
            "date", "command", "wall_seconds"} <= found.keys()
    assert found["wall_seconds"] == 1.23 and isinstance(found["simd"], list)
    if provenance_py.blas_library():
        assert found["blas_kernel"] and found["blas_threads"] >= 1


def test_provenance_costs_no_record(monkeypatch):
    def broken(*words, **more):
        raise OSError("no such program")

    provenance_py.git_state.cache_clear()
    monkeypatch.setattr(provenance_py.subprocess, "run", broken)
    monkeypatch.setattr(np, "show_config", broken)
    monkeypatch.setattr(provenance_py, "blas_library", broken)
    found = harness.provenance(ap.CODE, 1.0)
    assert found["git_commit"] is None and "blas" not in found and found["fingerprint"] == ap.CODE.fingerprint
    provenance_py.git_state.cache_clear()


# Checkpoints


class Counting:
    """Work of six pieces that is stopped at will."""

    def __init__(self, stop_at=None):
        self.count, self.total, self.seconds, self.stop_at, self.numbers = 0, 6, 0.0, stop_at, np.zeros(6)

    @property
    def ended(self):
        return self.count == self.total

    def advance(self):
        self.numbers[self.count] = self.count**2
        self.count += 1
        if self.count == self.stop_at:
            harness.STOP.set()

    def state(self):
        return dict(count=self.count), dict(numbers=self.numbers)

    def restore(self, state, arrays):
        self.count = int(state["count"])
        self.numbers[:] = arrays["numbers"]

    def __str__(self):
        return f"{self.count}"


def test_work_that_was_stopped_goes_on_where_it_was(tmp_path):
    path = harness.checkpoint_path(tmp_path / "r.json", dict(a=1))
    with harness.interruptible():
        first = Counting(stop_at=3)
        assert not harness.resumable(first, path, toy.CODE, every=1000, quiet=True) and path.exists()
    second = Counting()
    with harness.interruptible():
        assert harness.resumable(second, path, toy.CODE, every=0, quiet=True)
    assert second.numbers.tolist() == [0, 1, 4, 9, 16, 25] and second.seconds > 0
    assert harness.checkpoint_path(None, dict(a=1)) is None
    with harness.interruptible():
        assert harness.resumable(Counting(), None, toy.CODE, every=0, quiet=True)


def saved(state, arrays):
    file = io.BytesIO()
    np.savez(file, state=state, **arrays)
    return file.getvalue()


def held(**changes):
    return json.dumps(dict(state=dict(count=2), fingerprint=toy.CODE.fingerprint) | changes)


GOOD_CHECKPOINT = saved(held(), dict(numbers=np.arange(6.0)))
BAD = {
    "empty": b"", "noise": bytes(range(256)) * 40, "cut short": GOOD_CHECKPOINT[:-30], "half": GOOD_CHECKPOINT[:200],
    "flipped": GOOD_CHECKPOINT[:60] + bytes([GOOD_CHECKPOINT[60] ^ 255]) + GOOD_CHECKPOINT[61:],
    "a bare array": b"\x93NUMPY" + bytes(200), "no state": saved("3", {}), "no JSON": saved("{", {}),
    "other code": saved(held(fingerprint="0" * 16), dict(numbers=np.arange(6.0))),
    "too few": saved(held(), dict(numbers=np.arange(5.0))),
    "not numbers": saved(held(), dict(numbers=np.array(["a"] * 6))),
    "no array": saved(held(), {}), "other state": saved(held(state=7), dict(numbers=np.arange(6.0))),
    "pickled": saved(held(), dict(numbers=np.array([{}] * 6, dtype=object))),
}


@pytest.mark.parametrize("name", BAD)
def test_a_checkpoint_of_any_content_is_one_line(tmp_path, name):
    path = tmp_path / "c.npz"
    path.write_bytes(BAD[name])
    with pytest.raises(harness.ResultsError) as refused:
        harness.resumable(Counting(), path, toy.CODE, every=1, quiet=True)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)


def test_a_checkpoint_that_claims_a_terabyte(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (125000000000,), }"
    header = b"\x93NUMPY\x01\x00v\x00" + header.ljust(117)
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("numbers.npy", header + b"\n")
    with pytest.raises(harness.ResultsError):
        harness.read_checkpoint(tmp_path / "c.npz", toy.CODE)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(harness.ResultsError):
        harness.read_checkpoint(tmp_path / "folder.npz", toy.CODE)


def test_a_disk_that_refuses_a_checkpoint_does_not_end_the_work(tmp_path, monkeypatch, capsys):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with harness.interruptible():
        assert harness.resumable(Counting(), tmp_path / "c.npz", toy.CODE, every=0, quiet=True)
    assert "No space left" in capsys.readouterr().err and not os.listdir(tmp_path)


# The project as a whole


def test_it_says_that_it_is_no_package(tmp_path):
    finished = subprocess.run(
        [sys.executable, str(ROOT / "setup.py"), "bdist_wheel"], cwd=tmp_path, capture_output=True, text=True)
    assert finished.returncode == 1 and finished.stderr.count("\n") == 1 and "not a package" in finished.stderr


def test_the_bundle_is_one_line_for_what_is_no_file(tmp_path):
    assert_bad_input(run_script("harness.py", "--bundle", "absent.py", cwd=tmp_path), "absent.py")


def test_the_bundle_says_at_which_line_the_experiment_begins():
    for name, modules in (("adding_problem", ()), ("lstm_1997_rivals", ("lstm_1997.py",))):
        lines = harness.bundle(ROOT / f"{name}.py").split("\n")
        [said] = [line for line in lines[:10] if line.startswith("# The experiment begins at line")]
        own = (ROOT / f"{name}.py").read_text(encoding="utf-8").split("\n")
        begins = int(re.search(r"line (\d+)\.", said)[1])
        assert lines[begins - 1] in own and lines[begins - 1].startswith("import ")
        assert lines[begins:] == own[own.index(lines[begins - 1]) + 1 :][:-1]
        assert all(word in said for word in ("records.py", "harness.py", *modules))


def test_a_bundle_of_nothing_else_is_the_file(tmp_path):
    (tmp_path / "alone.py").write_text("import math\n")
    assert harness.bundle(tmp_path / "alone.py") == "import math"
