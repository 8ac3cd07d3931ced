"""Pictures and animation of the pathological tasks, from small studies and short curves."""

import dataclasses

import numpy as np
import pytest
from conftest import draw_twice

import make_rnn_pathological_gif as animation
import pictures
import studies
import visualize_rnn_pathological as visualize

TINY = dict(hidden=4, sequence_len=8, epochs=3, batches_per_epoch=2)


def shrunk(study):
    """A study of two seeds whose rows are tiny; alike where a picture does not tell them apart."""
    if study.experiment == "temporal_order_study":
        grid = dict.fromkeys(study.grid, dict(sequence_len=10, hidden=4, updates=4))
    elif study.name == "pathological-headline":
        grid = {label: row | TINY for label, row in study.grid.items()}
    elif study.name.startswith("pathological-xor"):
        grid = dict.fromkeys(study.grid, dict(task="xor", curriculum="4:1:0.5", **TINY))
    else:
        grid = dict.fromkeys(study.grid, dict(task="multiplication", **TINY))
    return dataclasses.replace(study, grid=grid, seeds=range(2))


@pytest.fixture
def small(monkeypatch):
    found = {name: shrunk(study) for name, study in studies.load().items() if name.startswith("pathological")}
    monkeypatch.setattr(studies, "load", lambda: found)


def test_pictures_are_drawn_and_absent_records_are_run_first(small, tmp_path, monkeypatch):
    drawn, later = set(draw_twice(visualize, tmp_path, monkeypatch)), set(visualize.WHEN_RUN)
    assert set(visualize.PICTURES) <= drawn <= visualize.PICTURES.keys() | later


def test_the_animation_has_two_curves_that_grow():
    history = {"update": [0, 30, 60], "test_loss": [2.1, 1.0, 0.1], "test_accuracy": [0.1, 0.5, 1.0]}
    curves = {"ortho": history, "random": history}
    with pictures.look(visualize.LOOK):
        first, last = (pictures.pixels(animation.frame(curves, end, 1 / 8, np.log(8))) for end in (0, 2))
    assert first.shape == last.shape and (first != last).any()


def test_curves_of_a_single_point_are_an_animation(recwarn):
    history = {"update": [0], "test_loss": [2.1], "test_accuracy": [0.1]}
    with pictures.look(visualize.LOOK):
        pictures.pixels(animation.frame({"ortho": history, "random": history}, 0, 1 / 8, np.log(8)))
    assert not recwarn.list
