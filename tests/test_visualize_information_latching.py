"""Pictures of information latching: from results.json, the experiment's own command where a record is missing."""

import subprocess

import numpy as np
import pytest
from conftest import ROOT, assert_bad_input, run_script
from matplotlib.image import imread

import information_latching as latching
import visualize_information_latching as visualize


@pytest.fixture
def small(monkeypatch):
    """Studies of two repeats, two updates and short sequences."""
    monkeypatch.setattr(latching, "N_TEST", 50)
    monkeypatch.setattr(latching, "provenance", lambda seconds: dict(wall_seconds=seconds))
    for name, choices in latching.STUDIES.items():
        smoke = dict(samples=500, epochs=1) if name == "split" else dict(updates=2)
        if name == "tradeoff":
            choices = [choice for choice in choices if choice["init_scale"] in (0.5, 1.25)]
        elif name != "landscape":
            choices = [choice for choice in choices if choice["T"] in (2, 5, 10)]
        monkeypatch.setitem(latching.STUDIES, name, [choice | smoke | dict(repeats=2) for choice in choices])
    monkeypatch.setitem(latching.STUDIES, "landscape", [
        dict(landscape=cell, T=T, points=5, sequences=4) for cell in ("srnn", "lstm") for T in (2, 5)])


def run_here(command, run=subprocess.run, **kwargs):
    """subprocess.run, but with a study of the experiment run in this process, where it is small."""
    if "--study" not in command:
        return run(command, **kwargs)
    return subprocess.CompletedProcess(command, latching.main([*command[2:], "--quiet"]))


def test_every_picture_is_drawn_from_the_records_and_missing_ones_are_run_first(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(visualize.subprocess, "run", run_here)
    assert visualize.main([]) == 0
    said = capsys.readouterr().out
    assert said.count("running information_latching.py") == 6  # a study each; the table serves two pictures
    first = {path.name: path.read_bytes() for path in (tmp_path / "viz").iterdir()}
    assert {name.removesuffix(".png") for name in first} == set(visualize.PICTURES)
    for path in (tmp_path / "viz").iterdir():
        picture = imread(path)
        assert picture.shape[0] > 300 and len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 20
    before = (tmp_path / "results.json").read_bytes()
    assert visualize.main([]) == 0
    assert "running" not in capsys.readouterr().out and (tmp_path / "results.json").read_bytes() == before
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "viz").iterdir()}


def test_success_bars_are_the_wilson_intervals():
    figure, axis = visualize.plt.subplots()
    entry = {"final": {"success_fraction": 0.1}, "settings": {"repeats": 30}}
    visualize.success(axis, [entry], [10.0])
    (low, high), = (segment[:, 1] for segment in axis.containers[0][2][0].get_segments())
    visualize.plt.close(figure)
    assert np.allclose((low, high), latching.wilson(3, 30))


def test_bad_input_is_one_line(tmp_path):
    (tmp_path / "file").write_text("{")
    assert_bad_input(run_script("visualize_information_latching.py", "--results", "file", cwd=tmp_path), "not valid")
    assert_bad_input(run_script("visualize_information_latching.py", "--outdir", "file", cwd=tmp_path), "file")
    assert_bad_input(run_script("visualize_information_latching.py", "--colour", "red", cwd=tmp_path), "--colour")


def test_the_pictures_are_committed():
    for name in visualize.PICTURES:
        assert (ROOT / "viz" / f"{name}.png").stat().st_size < 400_000
