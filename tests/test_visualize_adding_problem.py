"""Pictures and animation of the adding problem: drawn from results.json, never trained here, bad input refused."""

import json
import subprocess

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import ROOT, assert_bad_input, run_script

RUN = ("--seed", 0, "--T", 10, "--hidden", 3, "--iters", 20)
PICTURES = ("training_curves", "predictions", "sample_sequences", "cell_state", "gate_activity", "weights")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return folder, run_script("visualize_adding_problem.py", *RUN, "--rnn-iters", 30, cwd=folder)


def test_missing_runs_are_run_by_the_experiment_and_said(drawn):
    folder, run = drawn
    assert run.returncode == 0 and run.stdout.count("running adding_problem.py") == 2
    records = json.loads((folder / "results.json").read_text())["adding_problem"]
    assert sorted((r["settings"]["cell"], r["settings"]["iters"]) for r in records) == [("lstm", 20), ("rnn", 30)]
    for name in PICTURES:
        picture = iio.imread(folder / "viz" / f"{name}.png")
        assert picture.shape[0] > 300 and len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 20


def test_a_second_time_nothing_is_run_and_the_pictures_are_the_same_bytes(drawn):
    folder, _ = drawn
    before = {name: (folder / "viz" / f"{name}.png").read_bytes() for name in PICTURES}
    results = (folder / "results.json").read_bytes()
    again = run_script("visualize_adding_problem.py", *RUN, "--rnn-iters", 30, cwd=folder)
    assert again.returncode == 0 and "running" not in again.stdout
    assert (folder / "results.json").read_bytes() == results
    assert before == {name: (folder / "viz" / f"{name}.png").read_bytes() for name in PICTURES}


def test_animation(drawn):
    folder, _ = drawn
    run = run_script("make_adding_problem_gif.py", *RUN, "--snapshot-every", 5, "--fps", 10, cwd=folder)
    assert run.returncode == 0 and "running adding_problem.py" in run.stdout  # other snapshots are asked for
    assert len(iio.imread(folder / "adding_problem.gif")) == 5


def test_the_committed_animation_has_21_frames_and_is_small():
    path = ROOT / "adding_problem.gif"
    assert len(iio.imread(path)) >= 21 and path.stat().st_size < 1_000_000


def test_missing_studies_are_run_by_reproduce_and_said(tmp_path, monkeypatch, capsys):
    import pictures
    import visualize_adding_studies as studies_pictures

    asked = []
    monkeypatch.setattr(pictures.subprocess, "run", lambda words: asked.append(words[2]) or FAILED)
    with pytest.raises(SystemExit) as stop:
        studies_pictures.main(["--results", str(tmp_path / "absent.json"), "--outdir", str(tmp_path)])
    assert stop.value.code == 3 and asked == ["adding-cells"]
    assert "lacks runs of adding-cells: running reproduce.py" in capsys.readouterr().out


FAILED = subprocess.CompletedProcess([], 3)


@pytest.mark.parametrize(
    "script, flag", (("visualize_adding_problem.py", "--outdir"), ("make_adding_problem_gif.py", "--out")))
def test_an_unusable_place_or_file_is_refused_before_any_run(script, flag, tmp_path):
    (tmp_path / "file").write_text("{")
    place = "file" if flag == "--outdir" else "file/a.gif"
    assert_bad_input(run_script(script, flag, place, cwd=tmp_path), "file")
    assert_bad_input(run_script(script, "--results", "file", cwd=tmp_path), "not valid JSON")
    assert_bad_input(run_script(script, "--T", 1, cwd=tmp_path), "--T")
    assert (tmp_path / "file").read_text() == "{" and not (tmp_path / "results.json").exists()
