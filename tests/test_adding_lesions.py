"""adding_lesions.py: its forward pass, every lesion against its definition, training, command line,
committed records."""

import contextlib
import json

import numpy as np
import pytest
from conftest import run_script

import adding_lesions as lesions
import adding_problem as ap
import harness
import studies

SMALL = dict(T=10, hidden=3, iters=20)


@pytest.fixture
def net():
    """A small net with random weights after a forward pass over seven sequences, its weights by
    name, the sequences and their targets."""
    settings = ap.Settings(T=12, hidden=3, dtype="float64")
    net, rng = ap.build(settings, 7), np.random.default_rng(1)
    net.theta[:] = rng.normal(0, 0.7, net.theta.size)
    x, target = ap.make_sequences(rng, 12, 7)
    net.forward(x)
    return net, net.tensors(net.theta), x, target


def test_without_a_lesion_it_is_the_experiments_net(net):
    net, weights, x, _ = net
    answer, before = lesions.forward(weights, x)
    np.testing.assert_allclose(answer, net.forward(x)[0, 0], rtol=1e-12)
    np.testing.assert_allclose(before, net.S[:-1, :3], rtol=1e-12, atol=1e-14)  # h of the step before


@pytest.mark.parametrize("into", ("g", "i", "f", "o", "ifo", "gifo"))
def test_weights_between_units_set_to_zero_are_a_net_without_them(into, net):
    net, weights, x, _ = net
    answer, _ = lesions.forward(weights, x, into)
    for gate in into:
        weights[f"W_h{gate}"] *= np.eye(3)
    np.testing.assert_allclose(answer, net.forward(x)[0, 0], rtol=1e-12)


def test_the_mean_of_the_others_of_a_single_sequence_is_what_they_say(net):
    _, weights, x, _ = net
    one = x[:, :, :1]
    answer, before = lesions.forward(weights, one)
    for into, steps in (("g", "every"), ("gifo", "unmarked"), ("i", "marked")):
        again, _ = lesions.forward(weights, one, into, steps, before.mean(2))
        np.testing.assert_allclose(again, answer, rtol=1e-12)


def test_marked_and_unmarked_steps_are_told_apart_by_sequence(net):
    """A lesion at marked steps first shows in what comes after a sequence's own first mark."""
    _, weights, x, _ = net
    _, intact = lesions.forward(weights, x)
    for steps, lesioned in (("marked", x[:, 1] == 1), ("unmarked", x[:, 1] == 0)):
        _, before = lesions.forward(weights, x, "g", steps, np.ones((12, 3)))
        for k in range(7):
            first = np.flatnonzero(lesioned[:, k])[0]
            same = (before[:, :, k] == intact[:, :, k]).all(1)
            assert same[: first + 1].all() and not same[first + 1 :].any()


def test_random_weights_are_as_many_as_one_matrix_has_and_none_into_the_candidate(net):
    _, weights, _, _ = net
    left = lesions.without_random_weights(weights, np.random.default_rng(0))
    lost = {gate: left[f"W_h{gate}"] != weights[f"W_h{gate}"] for gate in "gifo"}
    assert sum(mask.sum() for mask in lost.values()) == 6 and not lost["g"].any()
    assert not any(np.diag(mask).any() for mask in lost.values())
    assert all((left[f"W_h{gate}"][mask] == 0).all() for gate, mask in lost.items())
    other = lesions.without_random_weights(weights, np.random.default_rng(1))
    assert any((left[name] != other[name]).any() for name in left)


def test_a_unit_that_is_cut_off_is_heard_by_nobody_else(net):
    _, weights, x, _ = net
    left = lesions.without_unit(weights, 1)
    answer, _ = lesions.forward(left, x)
    for gate in "gifo":
        left[f"W_x{gate}"][1] += 1
        left[f"W_h{gate}"][1] += 1
    np.testing.assert_array_equal(lesions.forward(left, x)[0], answer)
    assert (lesions.forward(weights, x)[0] != answer).all()


def test_a_net_that_needs_nothing_between_units_loses_nothing(net, monkeypatch):
    _, weights, _, _ = net
    for gate in "gifo":
        weights[f"W_h{gate}"] *= np.eye(3)
    found = lesions.examine(weights, lesions.Settings(T=12, hidden=3))
    assert len(found["lesions"]) == len(lesions.LESIONS) and len(found["unit_mse"]) == 3
    assert {row["test_mse"] for row in found["lesions"]} == {found["test_mse"]} == set(found["random_mse"])


def test_it_is_the_experiments_training():
    settings = lesions.Settings(**SMALL, seed=3)
    record = lesions.train(settings, lesions.Options())
    whole = ap.train(settings.net(), ap.Options(eval_every=20))
    assert record["final"]["test_mse"] == pytest.approx(whole["final"]["test_mse"], rel=1e-5)
    assert record["final"]["train_sequences"] == whole["final"]["train_sequences"]
    again = lesions.train(settings, lesions.Options())
    assert json.dumps(record["final"]) == json.dumps(again["final"])


def test_it_stops_on_a_signal_and_says_so(monkeypatch):
    evaluate = lesions.figures
    with harness.interruptible():
        harness.STOP.set()
        record = lesions.train(lesions.Settings(**SMALL), lesions.Options())
    assert record["final"]["iteration"] == 0 and record["final"]["status"] == "interrupted"
    assert "nothing measured" in lesions.summary(record)
    monkeypatch.setattr(lesions, "figures", lambda *args: harness.STOP.set() or evaluate(*args))
    with harness.interruptible():
        record = lesions.train(lesions.Settings(**SMALL), lesions.Options())
    assert record["final"]["iteration"] == 20 and record["final"]["status"] == "interrupted"
    assert record["final"]["lesions"] == [] and record["final"]["test_mse"] is None


def test_divergence_is_said(monkeypatch):
    monkeypatch.setattr(ap, "update", lambda *args, **kwargs: np.nan)
    record = lesions.train(lesions.Settings(**SMALL), lesions.Options())
    assert record["final"]["status"] == "diverged" and record["final"]["iteration"] == 1
    assert "DIVERGED" in lesions.summary(record)


def test_command_line(tmp_path, capsys):
    flags = ["--T", "10", "--hidden", "3", "--iters", "20"]
    run = run_script("adding_lesions.py", *flags, "--seeds", "0-1", cwd=tmp_path)
    assert run.returncode == 0 and len(run.stdout.splitlines()) == 2, run.stderr
    assert len(json.loads((tmp_path / "results.json").read_text())["adding_lesions"]) == 2
    for bad, words in ((["--hidden", "1"], "not between"), (["--cell", "rnn"], "--cell"),
                       (["--T", "100000", "--hidden", "4000"], "GB of memory"),
                       (["--out", "absent/results.json"], "cannot write beside")):
        with pytest.raises(SystemExit) as end, contextlib.chdir(tmp_path):
            lesions.main(bad)
        lines = capsys.readouterr()
        assert end.value.code == 2 and lines.out == "" and lines.err.count("\n") == 1 and words in lines.err


def test_committed_records_are_of_this_code_and_of_the_headlines_nets(results):
    headline = studies.arms(results, "adding-headline")["LSTM"]
    for record, trained in zip(studies.arms(results, "adding-lesions")["LSTM"], headline, strict=True):
        assert record["provenance"]["fingerprint"] == lesions.CODE.fingerprint
        assert record["final"]["test_mse"] == pytest.approx(trained["final"]["test_mse"], rel=0.5)
