"""What the tests share: where the project is, running a script as a user does, and executing a mutated source."""

import hashlib
import importlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: small nets gain nothing by more
hypothesis.settings.register_profile("tests", deadline=None)  # how long an example takes says nothing
hypothesis.settings.load_profile("tests")
# In the background of a shell, or under nohup, these are ignored, and so they would be in every program that a test
# starts; what is caught here they begin with as usual
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "reference")]


def run_script(name, *flags, cwd, timeout=120):
    """Runs a script of the project in the folder cwd. Returns the CompletedProcess, output as text."""
    command = [sys.executable, str(ROOT / name), *map(str, flags)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)


def wait_for(condition):
    """Returns once condition() is true. Raises AssertionError after 60 seconds."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def shipped_results(root=ROOT):
    """The results that the project ships: those of git's last commit, so that a local run turns no test red; in a copy
    without git the file, unless it holds a run that names no commit, as all runs of such a copy do: then None."""
    import records

    try:
        shown = subprocess.run(
            ["git", "-C", str(root), "show", "HEAD:./results.json"], capture_output=True, text=True)
        if shown.returncode == 0:
            return json.loads(shown.stdout)
    except OSError:  # no git at all
        pass
    results = records.read_results(root / "results.json")
    every = [record for part in results.values() if isinstance(part, list) for record in part]
    return None if any(record["provenance"].get("git_commit") is None for record in every) else results


@pytest.fixture(scope="session")
def results():
    """The results that the project ships, read only."""
    found = shipped_results()
    if found is None:
        pytest.skip("results.json holds runs of your own, and there is no git to ask for the project's")
    return found


@pytest.fixture(scope="session")
def run_once(tmp_path_factory):
    """run_script in a folder of its own, once for all tests and workers of a session that ask for the same command.
    Returns (folder, CompletedProcess). What takes seconds is run by way of this."""
    import records

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared

    def run(name, *flags):
        words = [name, *map(str, flags)]
        folder = shared / f"{name}-{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:8]}"
        outcome = folder / "outcome.json"
        folder.mkdir(exist_ok=True)
        with records.locked(outcome):
            if not outcome.exists():
                done = run_script(*words, cwd=folder, timeout=600)
                outcome.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
        return folder, subprocess.CompletedProcess(words, *json.loads(outcome.read_text()))

    return run


def copy_of(results):
    """Results whose records and their parts can be changed, at any depth, without changing the original."""
    return pickle.loads(pickle.dumps(results))


def others(results, study):
    """The records of a study's experiment that are not runs of it."""
    import studies

    own = {json.dumps(studies.as_recorded(settings), sort_keys=True) for settings in study.cells()}
    return [record for record in results[study.experiment]
            if json.dumps(record["settings"], sort_keys=True) not in own]


def draw_twice(visualizer, folder, monkeypatch):
    """Draws the pictures of a visualizer in an empty folder, its studies run in this process, and two of them again
    from the records: then nothing is run, and the bytes are the same. Returns the pictures by name."""
    import harness
    import studies

    def run_here(script, *words):
        assert script == "reproduce.py"
        named = [studies.load()[name] for name in words[: words.index("--out")]]
        cells = {(study.experiment, settings) for study in named for settings in study.cells()}
        for name, settings in cells:
            experiment = importlib.import_module(name)
            record = experiment.train(settings, experiment.Options())
            assert harness.write_record(words[-1], name, record)

    monkeypatch.setattr(studies, "run_first", run_here)
    monkeypatch.chdir(folder)
    assert visualizer.main([]) == 0
    drawn = {path.stem: path.read_bytes() for path in (folder / "viz").iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(studies, "run_first", None)
        patch.setattr(visualizer, "PICTURES", dict(list(visualizer.PICTURES.items())[:2]))
        for name in visualizer.PICTURES:
            (folder / "viz" / f"{name}.png").unlink()
        assert visualizer.main([]) == 0
    assert drawn == {path.stem: path.read_bytes() for path in (folder / "viz").iterdir()}
    return drawn


def interrupted_after_each_trial(module, row, folder, monkeypatch):
    """Runs a row whose three trials go one after another, stopped after each and started again; each trial must run
    once. Returns the record of the last start."""
    options, runs, stop, run = module.Options(out=str(folder / "r.json")), [], [], module.Trial.run

    def once(trial):
        runs.append(trial.seed)
        figures = run(trial)
        stop.append(True)
        return figures

    monkeypatch.setattr(module.harness, "stopped", lambda: bool(stop))
    monkeypatch.setattr(module.Trial, "run", once)
    assert module.train(row, options) is None and runs == [0]
    stop.clear()
    assert module.train(row, options) is None and runs == [0, 1]
    stop.clear()
    resumed = module.train(row, options)
    assert runs == [0, 1, 2]
    return resumed


def assert_checkpoint_refused(module, row, words, state, folder, capsys):
    """A checkpoint of this content is one line on stderr and exit code 2, for the command that would go on from it."""
    out = str(folder / "r.json")
    module.harness.write_checkpoint(module.checkpoint_of(row, out), module.CODE, state, {})
    with pytest.raises(SystemExit) as ended:
        module.main([*words, "--out", out])
    output = capsys.readouterr()
    assert ended.value.code == 2 and output.out == "" and len(output.err.splitlines()) == 1


def assert_bad_input(completed, words):
    """One line on stderr that holds the words, nothing on stdout, exit code 2."""
    assert completed.returncode == 2, completed.stderr
    assert completed.stderr.count("\n") == 1 and words in completed.stderr, completed.stderr
    assert completed.stdout == ""


def mutated(file, scope, old, new):
    """The source of an experiment with old replaced by new inside one class or function, where it must stand once."""
    source = (ROOT / file).read_text(encoding="utf-8")
    start = source.index(f"\n{scope}") + 1
    end = re.search(r"\n(?=[^\s)])", source[start:]).start() + start  # the next line that is not indented
    body = source[start:end]
    assert body.count(old) == 1, f"{old!r} stands {body.count(old)} times in {scope}"
    return source[:start] + body.replace(old, new) + source[end:]


def execute(source, name):
    """A module made from source text, with the file name of the original."""
    module = types.ModuleType(name)
    module.__file__ = str(ROOT / f"{name}.py")
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module
