"""latch_landscape.py: the losses against the equations and against training's, the command line, signals."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, execute, mutated

import information_latching as latching
import latch_landscape as landscape


def records(folder):
    return json.loads((folder / "results.json").read_text())[landscape.EXPERIMENT]


def test_the_landscape_is_the_loss_of_the_net_it_describes():
    settings = landscape.Settings("lstm", T=5, points=7, sequences=8)
    record = landscape.train(settings, landscape.Options())
    loss = np.array(record["final"]["loss"])
    assert loss.shape == (7, 7) and np.isfinite(loss).all()
    (_, right), (_, up) = landscape.axes(settings)
    x, sign = latching.make_sequences(latching.streams(0)["display"], latching.Settings(T=5), 8)
    h = c = np.zeros(8)
    for x_t in x[:, 0]:
        f = 1 / (1 + np.exp(-right[5]))
        c = f * c + 0.5 * np.tanh(x_t + up[1] * h)
        h = 0.5 * np.tanh(c)
    assert abs(np.log1p(np.exp(-8 * h * sign)).mean() - loss[1, 5]) < 1e-3 * loss[1, 5]


def test_the_losses_are_those_of_the_equations(capsys):
    assert landscape.main(["--check"]) == 0 and landscape.main(["--gradcheck"]) == 0
    assert capsys.readouterr().out.count(": ok") == 4


MUTANTS = [
    ("def losses", 'gain = net.tensors(net.theta), 2 if', 'gain = net.tensors(net.theta), 1 if'),
    ("def losses", "= right, height\n        else", "= height, right\n        else"),
    ("def losses", 'tensors["b_f"][:], tensors["W_hg"][:]', 'tensors["b_f"][:], tensors["W_hi"][:]'),
    ("def losses", "= -gain, gain", "= gain, -gain"),
    ("def losses", "[:] = 1", "[:] = 1.000001"),
    ("def sequences", '["display"]', '["eval"]'),
]


@pytest.mark.parametrize("where, old, new", MUTANTS)
def test_the_check_rejects_mutants(where, old, new, capsys):
    wrong = execute(mutated("latch_landscape.py", where, old, new), "landscape_mutant")
    if where == "def sequences":  # both sides see the same sequences: the record of a known one tells
        settings = landscape.Settings("srnn", T=5, points=3, sequences=4)
        made = [module.train(settings, landscape.Options())["final"] for module in (landscape, wrong)]
        assert made[0] != made[1]
    else:
        assert wrong.main(["--gradcheck"]) == 1 and "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("words", (
    ("--cell", "gru"), ("--sequences", "6"), ("--points", "1"), ("--T", "100000"), ("--noise", "nan"), ("--units", "2"),
    ("--seed", "1", "--seeds", "0-1"), ("--out", "absent/folder/results.json")), ids=" ".join)
def test_bad_input_is_one_line_and_exit_code_2(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        landscape.main(list(words))
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and err.count("\n") == 1 and os.listdir(tmp_path) == []


def test_the_script_names_the_guess_and_writes_a_record(tmp_path):
    ended = subprocess.run(
        [sys.executable, str(ROOT / "latch_landscape.py"), "--cell", "srnn", "--T", "10", "--points", "5"],
        cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stderr == ""
    assert "(a guess: 0.693)" in ended.stdout and "nan" not in ended.stdout
    assert all(len(line) <= 80 for line in ended.stdout.splitlines()[:-1])
    (record,) = records(tmp_path)
    assert record["settings"] == dict(cell="srnn", T=10, points=5, sequences=64, noise=0.1, seed=0)
    assert record["final"]["status"] == "done" and np.shape(record["final"]["loss"]) == (5, 5)
    assert record["provenance"]["fingerprint"] == landscape.CODE.fingerprint


@pytest.mark.parametrize("name", ("SIGTERM", "SIGHUP"))
def test_a_signal_to_the_group_saves_the_rows_of_both_processes(name, tmp_path):
    command = [sys.executable, str(ROOT / "latch_landscape.py"), "--T", "50", "--points", "1000", "--sequences", "8"]
    process = subprocess.Popen(
        [*command, "--seeds", "0-3", "--jobs", "2"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        start_new_session=True)
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    while len(open(children).read().split()) < 2:
        assert process.poll() is None
    os.killpg(process.pid, getattr(signal, name))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and out.count("INTERRUPTED") == len(records(tmp_path)) == 2
    for record in records(tmp_path):
        assert record["final"]["status"] == "interrupted" and 1 <= len(record["final"]["loss"]) < 1000


def test_the_documented_command_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "python3 latch_landscape.py --cell srnn --T 10 " in landscape.__doc__
    assert landscape.main(["--cell", "srnn", "--T", "10", "--quiet"]) == 0 and len(records(tmp_path)) == 1


def test_the_committed_landscapes_are_what_the_code_computes(results):
    assert results[landscape.EXPERIMENT]
    for record in results[landscape.EXPERIMENT]:
        loss = next(landscape.losses(landscape.Settings(**record["settings"])))
        assert np.allclose(latching.short(loss), record["final"]["loss"][0], rtol=2e-3)
