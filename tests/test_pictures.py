"""What all visualizers and animations share: drawn from records, written whole, bad input in one
line, no trace left in the caller's matplotlib, none of the caller's in the pictures."""

import importlib
import json
import os
import subprocess
import sys
import types

import imageio.v3 as iio
import matplotlib
import numpy as np
import pytest
from conftest import ROOT, run_script

import harness
import pictures
import studies

DRAWN = {  # visualizer: pictures it makes from the committed records
    "visualize_adding_problem": (
        "cell_state", "gate_activity", "predictions", "sample_sequences", "training_curves", "weights"),
    "visualize_adding_studies": (
        "adding_cells", "adding_hidden", "adding_lags", "adding_lesions", "adding_recipes", "adding_weak_seeds"),
    "visualize_data_movement": ("data_movement", "data_movement_depths"),
    "visualize_information_latching": (
        "bit_relay", "latching_1994", "latching_decides", "latching_exchanged", "latching_gradient",
        "latching_landscape", "latching_split_bug", "latching_success"),
    "visualize_lstm_1997": (
        "cec", "complexity", "constant_sources", "constant_sources_2c", "error_flow", "first_weights", "paper_vs_ours",
        "reber", "scaling_2c"),
    "visualize_lstm_1997_rivals": (
        "lstm_1997_rivals_chunker", "lstm_1997_rivals_error_signal", "lstm_1997_rivals_lag",
        "lstm_1997_rivals_reber"),
    "visualize_rnn_pathological": (
        "lstm_reach", "momentum_2013", "ortho_vs_random", "scale_structure", "scale_tasks_together",
        "solve_rate_length", "spectrum_W_hh", "summary_table", "task_examples", "temporal_order", "xor_curriculum",
        "xor_grid"),
}
ONCE_RUN = {  # and these, once their studies have been run
    "visualize_adding_studies": ("adding_fair", "adding_long", "adding_long_fair"),
    "visualize_rnn_pathological": ("lstm_reach_fair", "table5_2013", "xor_whole_budget"),
}
ANIMATIONS = ("make_adding_problem_gif", "make_rnn_pathological_gif")
SCRIPTS = sorted(path.stem for path in [*ROOT.glob("visualize_*.py"), *ROOT.glob("make_*_gif.py")])
OF_A_BROWSER = ["explorer"]  # taken by tests/browser/chromium.py


def refused(name, *words, capsys):
    """Runs a script's main, which must refuse: one line on stderr, nothing on stdout, exit code
    2. Returns the line."""
    with pytest.raises(SystemExit) as end:
        importlib.import_module(name).main(list(map(str, words)))
    output = capsys.readouterr()
    assert end.value.code == 2 and output.err.count("\n") == 1 and output.out == "", output
    return output.err


@pytest.fixture
def never_run(monkeypatch):
    """Fails a test in which a visualizer starts a run."""
    monkeypatch.setattr(studies, "run_first", lambda *words: pytest.fail(f"runs {words}"))


def test_every_script_and_every_committed_picture_is_tested_here():
    assert sorted([*DRAWN, *ANIMATIONS]) == SCRIPTS
    made = {name for names in DRAWN.values() for name in names} | {*OF_A_BROWSER}
    there = {path.stem for path in (ROOT / "viz").iterdir()}
    assert made <= there <= made | {name for names in ONCE_RUN.values() for name in names}
    for script, names in ONCE_RUN.items():
        module = importlib.import_module(script)
        assert set(names) == set(module.WHEN_RUN)


# --------------------------------------------------------------------------------------------------
# Drawn
# --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", DRAWN)
def test_pictures_are_drawn_from_the_records_and_committed(name, run_once):
    folder, run = run_once(f"{name}.py", "--results", ROOT / "results.json")
    drawn = sorted((folder / "viz").iterdir())
    assert run.returncode == 0 and run.stderr == "" and "running" not in run.stdout
    assert sorted(run.stdout.split()) == [f"viz/{path.name}" for path in drawn]
    names = {path.stem for path in drawn}
    assert set(DRAWN[name]) <= names <= {*DRAWN[name], *ONCE_RUN.get(name, ())}
    for path in drawn:
        picture, committed = iio.imread(path), ROOT / "viz" / path.name
        assert picture.shape[0] > 300 and colours(picture) > 20
        assert iio.imread(committed).shape == picture.shape and committed.stat().st_size < 400_000


def colours(picture):
    """How many colours a part of the pixels has."""
    return len(set(map(bytes, picture[::5, ::5].reshape(-1, picture.shape[2]))))


def test_an_animation_has_a_frame_for_each_drawing_and_the_last_one_rests():
    frames = [np.full((20, 30, 3), shade, np.uint8) for shade in (0, 100, 200)]
    content = pictures.gif(frames, 50, 2000)
    times = [iio.immeta(content, extension=".gif", index=k)["duration"] for k in range(3)]
    assert len(iio.imread(content, extension=".gif")) == 3 and times == [20, 20, 2000]


def test_a_single_frame_is_an_animation_too():
    content = pictures.gif([np.zeros((20, 30, 3), np.uint8)], 6, 2000)
    assert iio.imread(content, extension=".gif").shape[-3:] == (20, 30, 3)


@pytest.mark.parametrize("name, committed", (("adding_problem", 21), ("rnn_pathological", 41)))
def test_the_committed_animations(name, committed):
    path = ROOT / f"{name}.gif"
    assert len(iio.imread(path)) == committed and path.stat().st_size < 1_000_000


# --------------------------------------------------------------------------------------------------
# Bad input
# --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", SCRIPTS)
def test_bad_input_is_one_line_and_leaves_nothing(name, tmp_path, monkeypatch, capsys, never_run):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").write_text("{")
    (tmp_path / "nan").write_text('{"schema": 1, "toy": [{"settings": {}, "x": NaN}]}')
    (tmp_path / "none.json").write_text('{"schema": 1}')
    assert "not valid JSON" in refused(name, "--results", "broken", capsys=capsys)
    assert "NaN" in refused(name, "--results", "nan", capsys=capsys)
    assert "--colour" in refused(name, "--colour", "red", capsys=capsys)
    if name in DRAWN:
        assert "broken" in refused(name, "--results", "none.json", "--outdir", "broken", capsys=capsys)
    else:
        (tmp_path / "folder.gif").mkdir()
        for out in ("folder.gif", "broken/a.gif", "a.png", ""):
            refused(name, "--results", "none.json", "--out", out, capsys=capsys)
        os.symlink("none.json", "same.gif")
        assert "are one file" in refused(name, "--results", "none.json", "--out", "same.gif", capsys=capsys)
        os.remove("same.gif")
        os.symlink(os.devnull, "null.gif")
        assert "null.gif" in refused(name, "--results", "none.json", "--out", "null.gif", capsys=capsys)
        for fps in (0, 51, "fast"):
            assert "--fps" in refused(name, "--fps", fps, capsys=capsys)
    assert (tmp_path / "broken").read_text() == "{" and not (tmp_path / "results.json").exists()
    assert not list(tmp_path.glob("*.png")) and not [path for path in tmp_path.glob("*.gif") if path.is_file()]


@pytest.fixture(scope="session")
def gutted(tmp_path_factory, results):
    """The committed records without their insides."""
    path, parts = tmp_path_factory.mktemp("gutted") / "results.json", {"history", "weights", "snapshots", "spectrum"}
    for_all = {"schema": 1}
    for name, records in results.items():
        if name != "schema":
            for_all[name] = [
                record | {part: {} for part in parts & record.keys()} | {"final": {"status": "done"}}
                for record in records]
    path.write_text(json.dumps(for_all))
    return path


@pytest.mark.parametrize("name", sorted(set(SCRIPTS) - {"make_adding_problem_gif"}))
def test_records_without_what_a_picture_needs_are_one_line(name, gutted, tmp_path, capsys, never_run):
    place = ["--outdir", tmp_path / "viz"] if name in DRAWN else ["--out", tmp_path / "a.gif"]
    line = refused(name, "--results", gutted, *place, capsys=capsys)
    assert "cannot be drawn from the records in" in line
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_cannot_be_written_keeps_its_old_content(tmp_path, monkeypatch, capsys):
    path = tmp_path / "weights.png"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(harness.ResultsError, match="No space left"):
        pictures.write(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


# --------------------------------------------------------------------------------------------------
# The caller's matplotlib
# --------------------------------------------------------------------------------------------------

def draw_here(folder):
    module = importlib.import_module("visualize_data_movement")
    assert module.main(["--results", str(ROOT / "results.json"), "--outdir", str(folder)]) == 0
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_callers_backend_and_style_stay_and_do_not_reach_the_pictures(tmp_path, monkeypatch, run_once):
    folder, _ = run_once("visualize_data_movement.py", "--results", ROOT / "results.json")
    plain = {path.name: path.read_bytes() for path in (folder / "viz").iterdir()}
    style = {"font.family": "monospace", "axes.facecolor": "yellow", "text.usetex": True, "savefig.format": "svg"}
    with matplotlib.rc_context(style):
        before = dict(matplotlib.rcParams)
        assert draw_here(tmp_path / "viz") == plain
        assert dict(matplotlib.rcParams) == before


def test_a_matplotlibrc_does_not_reach_the_pictures_and_no_backend_is_chosen(tmp_path, run_once):
    """In a process of its own, as a notebook's %run starts it: the backend set there is still
    set afterwards."""
    (tmp_path / "matplotlibrc").write_text(
        "text.usetex: True\nfont.family: monospace\naxes.facecolor: yellow\nbackend: svg\n")
    program = (
        "import runpy, sys\n"
        "sys.argv[1:] = ['--results', sys.argv[2], '--outdir', 'viz']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "import matplotlib\n"
        "assert 'matplotlib.pyplot' not in sys.modules and matplotlib.rcParams['backend'] == 'svg'\n"
        "assert matplotlib.rcParams['axes.facecolor'] == 'yellow'\n")
    script = ROOT / "visualize_data_movement.py"
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv[0] = sys.argv[1]\n{program}", script, ROOT / "results.json"],
        cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"MATPLOTLIBRC": str(tmp_path), "PYTHONPATH": str(ROOT)})
    assert run.returncode == 0, run.stderr
    folder, _ = run_once(script.name, "--results", ROOT / "results.json")
    for path in (tmp_path / "viz").iterdir():
        assert path.read_bytes() == (folder / "viz" / path.name).read_bytes()


def test_a_notebook_shows_the_pictures(tmp_path, monkeypatch):
    shown = []
    display = types.ModuleType("IPython.display")
    display.Image, display.display = (lambda data: data), shown.append
    notebook = types.ModuleType("IPython")
    notebook.get_ipython = lambda: types.SimpleNamespace(kernel="a kernel")
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    pictures.write(tmp_path / "a.png", b"a picture")
    notebook.get_ipython = lambda: types.SimpleNamespace()  # IPython in a terminal
    pictures.write(tmp_path / "b.png", b"another")
    assert shown == [b"a picture"]


def test_python_without_docstrings_and_asserts(tmp_path):
    program = (
        f"import importlib, sys, tables\n"
        f"for name in {SCRIPTS!r}:\n"
        f"    try: importlib.import_module(name).main(['--fps', 'x', '--outdir', 'x', '--colour'])\n"
        f"    except SystemExit as end: assert end.code == 2\n"
        f"assert tables.load() and __debug__ is False\n")
    run = subprocess.run(
        [sys.executable, "-OO", "-c", program], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert run.returncode == 0 and run.stderr.count("\n") == len(SCRIPTS), run.stderr
    drawn = subprocess.run(
        [sys.executable, "-OO", ROOT / "visualize_data_movement.py", "--results", ROOT / "results.json"],
        cwd=tmp_path, capture_output=True, text=True)
    assert drawn.returncode == 0 and len(list((tmp_path / "viz").iterdir())) == 2, drawn.stderr


# --------------------------------------------------------------------------------------------------
# Missing records
# --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, asked", (
    ("visualize_adding_studies", "adding-cells"), ("visualize_data_movement", "data-movement"),
    ("visualize_information_latching", "latching-landscape"), ("visualize_rnn_pathological", "pathological-headline")))
def test_missing_studies_are_run_by_reproduce_and_said(name, asked, tmp_path, monkeypatch, capsys):
    commands = []
    monkeypatch.setattr(studies.subprocess, "run", lambda words: commands.append(words) or FAILED)
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(name).main(["--results", str(tmp_path / "absent.json"), "--outdir", str(tmp_path)])
    [[_, script, *words]] = commands
    assert stop.value.code == 3 and script == str(ROOT / "reproduce.py") and asked in words
    assert "running reproduce.py" in capsys.readouterr().out


@pytest.mark.parametrize("name, script", (
    ("visualize_adding_problem", "adding_problem.py"), ("visualize_lstm_1997", "lstm_1997.py"),
    ("visualize_lstm_1997_rivals", "cascade_correlation.py"), ("make_adding_problem_gif", "adding_problem.py"),
    ("make_rnn_pathological_gif", "rnn_pathological.py")))
def test_missing_runs_are_run_by_the_experiment_and_said(name, script, tmp_path, monkeypatch, capsys):
    commands = []
    monkeypatch.setattr(studies.subprocess, "run", lambda words: commands.append(words) or FAILED)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(name).main(["--results", "absent.json"])
    [[_, run, *words]] = commands
    assert stop.value.code == 3 and run == str(ROOT / script) and words[-2:] == ["--out", "absent.json"]
    assert f"running {script}" in capsys.readouterr().out and not list(tmp_path.glob("*.gif"))


FAILED = subprocess.CompletedProcess([], 3)


def test_commands_of_the_seed_documents_are_flags_of_today(tmp_path):
    run = run_script(
        "visualize_adding_problem.py", "--seed", 0, "--T", 100, "--hidden", 8, "--iters", 8000, "--rnn-iters", 5000,
        "--outdir", "viz", "--results", "absent/none.json", cwd=tmp_path)
    assert run.returncode == 2 and "absent/none.json" in run.stdout + run.stderr
