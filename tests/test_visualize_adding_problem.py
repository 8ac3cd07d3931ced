"""Pictures and animation of the adding problem: what is missing is run by the experiment, then
nothing is."""

import contextlib
import io
import json
import os

import imageio.v3 as iio
import numpy as np
import pytest
from test_pictures import colours

import adding_problem
import harness
import make_adding_problem_gif
import studies
import visualize_adding_problem

RUN = ("--seed", 0, "--T", 10, "--hidden", 3, "--iters", 20)
PICTURES = ("training_curves", "predictions", "sample_sequences", "cell_state", "gate_activity", "weights")


def run_main(module, *words, cwd):
    """Runs main in a folder; it must succeed. Returns what it says, on standard error nothing."""
    out, err, before = io.StringIO(), io.StringIO(), os.getcwd()
    os.chdir(cwd)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            assert module.main(list(map(str, words))) == 0
    finally:
        os.chdir(before)
    assert err.getvalue() == ""
    return out.getvalue()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return folder, run_main(visualize_adding_problem, *RUN, "--rnn-iters", 30, cwd=folder)


def test_missing_runs_are_run_by_the_experiment_and_said(drawn):
    folder, said = drawn
    assert said.count("running adding_problem.py") == 2
    records = json.loads((folder / "results.json").read_text())["adding_problem"]
    assert sorted((r["settings"]["cell"], r["settings"]["iters"]) for r in records) == [("lstm", 20), ("rnn", 30)]
    for name in PICTURES:
        picture = iio.imread(folder / "viz" / f"{name}.png")
        assert picture.shape[0] > 300 and colours(picture) > 20


def test_a_second_time_nothing_is_run_and_the_pictures_are_the_same_bytes(drawn):
    folder, _ = drawn
    before = {name: (folder / "viz" / f"{name}.png").read_bytes() for name in PICTURES}
    results = (folder / "results.json").read_bytes()
    assert "running" not in run_main(visualize_adding_problem, *RUN, "--rnn-iters", 30, cwd=folder)
    assert (folder / "results.json").read_bytes() == results
    assert before == {name: (folder / "viz" / f"{name}.png").read_bytes() for name in PICTURES}


def test_the_title_of_a_gate_names_its_largest_weight(results):
    record = studies.arms(results, "adding-headline")["LSTM"][0]
    titles = [axis.get_title() for axis in visualize_adding_problem.weights(record).axes]
    assert abs(np.array(record["weights"]["W_hf"]))[6, 1] > np.abs(record["weights"]["b_f"]).max()
    assert "forget gate: largest\n1.9, unit 1 to unit 6" in titles


def test_animation(drawn):
    folder, _ = drawn
    said = run_main(make_adding_problem_gif, *RUN, "--snapshot-every", 5, "--fps", 10, cwd=folder)
    assert "running adding_problem.py" in said  # other snapshots are asked for
    assert len(iio.imread(folder / "adding_problem.gif")) == 5


def test_runs_without_weights_or_snapshots_are_run_again(tmp_path):
    """A record of a study, which keeps no weights, and one with other snapshots."""
    settings = adding_problem.Settings(seed=0, T=10, hidden=3, iters=20)
    record = adding_problem.train(settings, adding_problem.Options())
    del record["weights"]
    harness.write_record(tmp_path / "results.json", "adding_problem", record)
    said = run_main(visualize_adding_problem, *RUN, "--rnn-iters", 30, cwd=tmp_path)
    assert said.count("running adding_problem.py") == 2
    said = run_main(make_adding_problem_gif, *RUN, "--snapshot-every", 400, cwd=tmp_path)  # the default's snapshots
    assert "running" not in said and "1 frames" in said
    assert len(iio.imread(tmp_path / "adding_problem.gif")) == 1


def test_the_sequence_of_the_animation_is_chosen_by_its_marks():
    """Both marks large, of one sign and far apart; and the same for every net of a seed and length."""
    for seed in range(5):
        settings = dict(seed=seed, T=100)
        x, target = make_adding_problem_gif.clear_sequence(settings)
        [first, last] = x[:, 1, 0].nonzero()[0]
        values = x[[first, last], 0, 0]
        assert x.shape == (100, 2, 1) and last - first > 50 and 5 <= first and last < 95
        assert abs(values).min() > make_adding_problem_gif.LARGE and values[0] * values[1] > 0
        assert target == values.sum()
    x, target = make_adding_problem_gif.clear_sequence(dict(seed=0, T=4))  # none is clear: the first
    assert target == visualize_adding_problem.display_sequences(dict(seed=0, T=4), 64)[1][0]


def test_curves_are_those_of_the_seeds_that_both_nets_have_and_records_without_a_curve_are_left_out(results, tmp_path):
    path = tmp_path / "results.json"
    harness.write_results(path, results)
    flags = visualize_adding_problem.Flags(results=str(path))
    draw = visualize_adding_problem.book(flags)["training_curves"]
    title = draw()._suptitle.get_text()
    assert "of 10 LSTMs" in title and "of 10 tanh RNNs" in title
    record = studies.arms(results, "adding-headline")["LSTM"][0]
    seeds = [other["settings"]["seed"] for other in visualize_adding_problem.siblings(results, record)]
    assert seeds == list(range(10))
