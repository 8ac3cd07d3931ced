"""The examples for a cell of one's own: our sequences, our criterion, our line beside theirs."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

import adding_problem as ap
import lstm_1997 as lstm
import records
import rnn_pathological as rp


def example(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def torch_cell():
    if not os.environ.get("REQUIRE_TORCH"):
        pytest.importorskip("torch")
    return example("torch_cell")


@pytest.fixture
def jax_cell():
    pytest.importorskip("jax")
    return example("jax_cell")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(rp, "N_TEST", 200)


TRIALS = [("adding", "lstm"), ("adding", "mine"), ("3bit_memorization", "lstm"), ("addition", "mine"),
          ("copy_memory", "mine"), ("noiseless_memorization", "lstm")]


@pytest.mark.parametrize("task, module", TRIALS)
def test_torch_trains_and_is_judged(task, module, torch_cell, small, capsys):
    torch_cell.main([task, "--module", module, "--iters", "4"])
    *progress, theirs, ours = capsys.readouterr().out.splitlines()
    assert len(progress) == 4 and theirs.startswith(f"{module}, {task}, seed 0: test ")
    assert "constant" in theirs and theirs.endswith(", 4 iterations") and ours.startswith("ours: ")


@pytest.mark.parametrize("task, cell", TRIALS[:4])
def test_jax_trains_and_is_judged(task, cell, jax_cell, small, capsys):
    jax_cell.main([task, "--cell", cell, "--iters", "4"])
    *progress, theirs, ours = capsys.readouterr().out.splitlines()
    assert len(progress) == 4 and theirs.startswith(f"{cell}, {task}, seed 0: test ") and ours.startswith("ours: ")


def test_our_line_is_that_of_the_same_settings(torch_cell, monkeypatch, capsys):
    def record(**settings):
        final = dict(status="done", test_mse=0.125, solve_rate=0.5, solve_rate_1997=0.75, train_sequences=7)
        return dict(settings=dataclasses.asdict(ap.Settings(**settings)), final=final,
                    provenance=dict(wall_seconds=2.0))

    held = {"schema": 1, "adding_problem": [record(seed=1), record(seed=3), record(seed=3, hidden=9)]}
    monkeypatch.setattr(torch_cell.harness, "read_results", lambda path: held)
    torch_cell.main(["adding", "--seed", "3", "--iters", "1"])
    assert capsys.readouterr().out.splitlines()[-1] == f"ours: {ap.summary(record(seed=3))}"
    torch_cell.main(["adding", "--seed", "2", "--iters", "1"])
    assert capsys.readouterr().out.splitlines()[-1].endswith("this makes it: python3 adding_problem.py --seed 2")


@pytest.mark.parametrize("flags", [["--iters", "0"], ["--iters", "-5"], ["--seed", "-1"], ["--seed", "x"]])
def test_bad_input_is_said_before_any_work(flags, torch_cell, capsys):
    with pytest.raises(SystemExit) as ended:
        torch_cell.main(["adding", *flags])
    output = capsys.readouterr()
    assert ended.value.code == 2 and output.out == "" and f"argument {flags[0]}" in output.err.splitlines()[-1]


def test_torch_sees_our_sequences(torch_cell, small, monkeypatch):
    def seen_by(answering, run):
        seen, answer = [], answering.__dict__["answer" if answering is torch_cell.Net else "forward"]
        name = "answer" if answering is torch_cell.Net else "forward"
        with monkeypatch.context() as patch:
            patch.setattr(answering, name, lambda net, x: seen.append(x.copy()) or answer(net, x))
            run()
        return seen[:3]

    theirs = seen_by(torch_cell.Net, lambda: torch_cell.main(["adding", "--seed", "2", "--iters", "3"]))
    ours = seen_by(ap.LSTM, lambda: list(zip(range(4), ap.learn(ap.Settings(seed=2)))))
    assert len(ours) == 3 and all(np.array_equal(a, b) for a, b in zip(ours, theirs))
    theirs = seen_by(torch_cell.Net, lambda: torch_cell.main(["xor", "--seed", "2", "--iters", "3"]))
    ours = seen_by(rp.RNN, lambda: list(zip(range(4), rp.learn(rp.Settings(task="xor", seed=2)))))
    assert len(ours) == 3 and all(np.array_equal(a, b) for a, b in zip(ours, theirs))


def test_torch_with_our_weights_gets_our_figures(torch_cell):
    import torch

    settings = ap.Settings(T=20, seed=1)
    ours = ap.build(settings, ap.N_TEST)
    ours.theta[:] = np.random.default_rng(5).normal(0, 0.5, ours.theta.size)
    theirs = torch_cell.Net(torch.nn.LSTM, 2, 8, 1, 1, ap.N_TEST)
    state = records.torch_state(ours.tensors(ours.theta))
    theirs.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
    x, target = ap.held_out(settings)
    expected, found = ap.evaluate(ours, x, target), ap.evaluate(theirs, x, target)
    assert found["test_mse"] == pytest.approx(expected["test_mse"], rel=1e-5)
    assert found["solve_rate_1997"] == pytest.approx(expected["solve_rate_1997"], abs=0.005)


@pytest.mark.parametrize("task", ["addition", "temporal_order", "copy_memory", "noiseless_memorization"])
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_the_losses_are_ours(library, task, request):
    module = request.getfixturevalue(f"{library}_cell")
    described = rp.task_of(rp.Settings(task=task))
    _, target = described.generate(np.random.default_rng(0), 12, 5)
    y = np.random.default_rng(1).normal(size=(len(target), described.n_out, 5))
    expected, _ = rp.loss_and_gradient(y, target, described.classes)
    outputs = y.transpose(0, 2, 1).copy()
    if library == "torch":
        outputs = __import__("torch").from_numpy(outputs)
    assert float(module.loss_of(outputs, target, described.classes)) == pytest.approx(expected, rel=1e-5)
    if task == "addition":
        expected, _ = ap.squared_error(y, target[0])
        target = target if library == "jax" else target[0]
        assert float(module.loss_of(outputs, target, False)) == pytest.approx(expected, rel=1e-5)


def test_jax_steps_as_our_adam_and_clips_as_we_do(jax_cell):
    import jax.numpy as jnp

    rng = np.random.default_rng(3)
    x, target = ap.make_sequences(rng, 7, 4)
    W = jax_cell.start(jax_cell.jax.random.key(0), 4, 2, 3, 1)
    zeros = {name: jnp.zeros_like(value) for name, value in W.items()}
    state = W, zeros, zeros, 0

    def loss(W):
        return jax_cell.loss_of(jax_cell.answer(jax_cell.lstm, W, x, 1), target[None], False)

    flat = np.concatenate([np.ravel(W[name]) for name in W]).astype(float)
    adam = ap.Adam(flat)
    for _ in range(3):
        gradient = jax_cell.jax.grad(loss)(state[0])
        grad = np.concatenate([np.ravel(gradient[name]) for name in W]).astype(float)
        ap.clip_norm(grad, 0.1)
        adam.step(grad, 0.01)
        state = jax_cell.update(jax_cell.lstm, False, 1, state, x, target[None], 0.01, 0.1)
    np.testing.assert_allclose(np.concatenate([np.ravel(state[0][name]) for name in W]), flat, rtol=2e-4, atol=1e-6)


def test_the_command_of_the_page(tmp_path):
    if not os.environ.get("REQUIRE_TORCH"):
        pytest.importorskip("torch")
    page = (ROOT / "docs" / "your_own_cell.md").read_text(encoding="utf-8")
    for command in ("python3 examples/torch_cell.py adding --module mine", "python3 examples/jax_cell.py adding"):
        assert f"$ {command}\n" in page
    words = [sys.executable, str(ROOT / "examples" / "torch_cell.py"), "adding", "--module", "mine", "--iters", "2"]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0 and run.stderr == "" and "ours: " in run.stdout and os.listdir(tmp_path) == []


def blocks(language):
    page = (ROOT / "docs" / "your_own_cell.md").read_text(encoding="utf-8")
    return [part.split("```")[0] for part in page.split(f"```{language}\n")[1:]]


def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    first, judges, data, padded, weights = blocks("python")
    monkeypatch.setattr(rp, "N_TEST", 200)
    names = {}
    exec(first, names)
    shapes = [names[name].shape for name in ("x", "target", "x_test")]
    assert shapes == [(60, 6, 50), (1, 50), (100, 2, 512)]

    class Constant:
        B = 512

        def forward(self, x):
            return np.zeros((1, 1, x.shape[2]))

    assert ap.evaluate(Constant(), names["x_test"], names["y_test"])["test_mse"] == pytest.approx(2 / 3, rel=0.1)
    net = ap.build(names["settings"], 512)
    names["net"] = net
    exec(judges.splitlines()[0], names)
    names["net"] = rp.build(rp.Settings(task="temporal_order"), 100)
    exec(judges.splitlines()[1], names)
    monkeypatch.chdir(tmp_path)
    assert ap.main(["--T", "100", "--export", "adding.npz"]) == 0
    exec(data, names)
    assert names["x"].shape == (100, 3200, 2) and names["y"].shape == (3200, 1)
    assert lstm.main("--experiment 4 --T 100 --export-sequences 100 --export adding_1997.npz".split()) == 0
    assert ap.main(["--iters", "2", "--T", "5", "--quiet", "--export-weights", "lstm.npz", "--csv", "curve.csv"]) == 0
    assert len(json.loads((tmp_path / "results.json").read_text())["adding_problem"]) == 1
    if importlib.util.find_spec("torch"):
        exec(padded, names)
        assert names["h"].shape == (110, 32, 8) and names["mask"][:, :32].sum() == 32 and names["loss"] > 0
        exec(weights, names)
        assert names["net"].readout.weight.dtype == __import__("torch").float64
