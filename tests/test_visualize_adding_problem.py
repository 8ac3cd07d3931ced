"""Pictures and animation of the adding problem: what is missing is run by the experiment, then nothing is."""

import json

import imageio.v3 as iio
import pytest
from conftest import run_script
from test_pictures import colours

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
        assert picture.shape[0] > 300 and colours(picture) > 20


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


def test_runs_without_weights_or_snapshots_are_run_again(tmp_path):
    """A record of a study, which keeps no weights, and one with other snapshots."""
    run = run_script("adding_problem.py", *RUN, "--quiet", cwd=tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    del results["adding_problem"][0]["weights"]
    (tmp_path / "results.json").write_text(json.dumps(results))
    run = run_script("visualize_adding_problem.py", *RUN, "--rnn-iters", 30, cwd=tmp_path)
    assert run.returncode == 0 and run.stdout.count("running adding_problem.py") == 2
    run = run_script("make_adding_problem_gif.py", *RUN, "--snapshot-every", 400, cwd=tmp_path)
    assert run.returncode == 0 and run.stderr == "" and "running" not in run.stdout  # the default's snapshots
    assert "1 frames" in run.stdout and len(iio.imread(tmp_path / "adding_problem.gif")) == 1
