"""Pictures of information latching, from small studies."""

import dataclasses

import numpy as np
import pytest
from conftest import draw_twice

import harness
import information_latching as latching
import pictures
import studies
import visualize_information_latching as visualize


def shrunk(study):
    """A study of two repeats, two updates and short sequences."""
    if study.experiment == "latch_landscape":
        grid = {label: row | dict(points=5, sequences=4) for label, row in study.grid.items() if row["T"] <= 10}
    else:
        smoke = dict(samples=500, epochs=1) if "split" in study.name else dict(updates=2)
        chosen = (0.5, 1.25) if "tradeoff" in study.name else (2, 5, 10)  # weights, or lengths
        grid = {label: row | smoke | dict(repeats=2) for label, row in study.grid.items()
                if set(label) & set(chosen) or study.name == "latching-tuning"}
    return dataclasses.replace(study, grid=grid)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(latching, "N_TEST", 50)
    names = [f"latching-{name}" for name in ("table", "tradeoff", "split", "relay", "latch1994", "landscape",
                                          "tuning", "keras2018")]
    found = {name: shrunk(studies.load()[name]) for name in names}
    monkeypatch.setattr(studies, "load", lambda: found)


def test_every_picture_is_drawn_from_the_records_and_missing_ones_are_run_first(small, tmp_path, monkeypatch):
    assert set(draw_twice(visualize, tmp_path, monkeypatch)) == set(visualize.PICTURES)


def test_success_bars_are_the_wilson_intervals():
    _, axis = pictures.subplots(figsize=(3, 3))
    entry = {"final": {"success_fraction": 0.1}, "settings": {"repeats": 30}}
    visualize.success(axis, [entry], [10.0])
    (low, high), = (segment[:, 1] for segment in axis.containers[0][2][0].get_segments())
    assert np.allclose((low, high), harness.wilson(3, 30))
