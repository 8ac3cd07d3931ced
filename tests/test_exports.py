"""Files for other programs (sequences, weights, curves), and --seeds that leaves out what is there."""

import csv
import dataclasses
import importlib
import json
import os

import numpy as np
import pytest
import toy_experiment as toy
from conftest import ROOT, assert_bad_input, run_script

import adding_problem as ap
import harness
import information_latching as il
import lstm_1997 as lstm
import lstm_1997_rivals as rivals
import records
import rnn_pathological as rp


def read(path):
    """The arrays of a file, as anybody reads them."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def logistic(z):
    return 1 / (1 + np.exp(-z))


# Sequences


def check_layouts(arrays, name, x, y):
    """Both layouts of x (T, channels, n) and its targets y, as torch takes them."""
    assert np.array_equal(arrays[f"{name}_x_torch"], x.transpose(0, 2, 1))
    assert np.array_equal(arrays[f"{name}_x_keras"], x.transpose(2, 0, 1))
    assert np.array_equal(arrays[f"{name}_y_torch"], y)
    steps_first = y.swapaxes(0, 1) if y.ndim == 2 and y.shape[1] != 1 else y
    assert np.array_equal(arrays[f"{name}_y_keras"], steps_first)


def test_the_adding_problem_as_training_and_evaluation_see_it(tmp_path, capsys):
    path, out = tmp_path / "data.npz", tmp_path / "results.json"
    flags = ["--T", "12", "--seed", "3", "--batch", "8", "--dtype", "float64", "--export-sequences", "50"]
    flags += ["--out", str(out)]
    assert ap.main([*flags, "--export", str(path)]) == 0
    assert "is written" in capsys.readouterr().out and not out.exists()  # it stops: nothing is trained
    arrays, settings = read(path), ap.Settings(T=12, seed=3, batch=8, dtype="float64")
    x, target = ap.held_out(settings)
    check_layouts(arrays, "test", x, target[:, None])
    assert arrays["train_x_torch"].shape == (12, 56, 2)  # whole batches
    seen, forward = [], ap.LSTM.forward
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ap.LSTM, "forward", lambda net, x: seen.append(x.copy()) or forward(net, x))
        for _, _ in zip(range(8), ap.learn(settings)):
            pass
    x = np.concatenate(seen[:7], -1)
    check_layouts(arrays, "train", x, (x[:, 0] * x[:, 1]).sum(0)[:, None])
    words = str(arrays["README"])
    assert "0.6667" in words and "0.04" in words and "not half of it" in words and "(T, sequences, channels)" in words


@pytest.mark.parametrize("special", [
    dict(task="addition", dtype="float32"), dict(task="temporal_order"), dict(task="copy_memory"),
    dict(task="noiseless_memorization", bits=3), dict(task="multiplication", centre=True)], ids=str)
def test_the_pathological_tasks_as_training_and_evaluation_see_them(special, tmp_path, monkeypatch):
    monkeypatch.setattr(rp, "N_TEST", 300)
    settings = rp.Settings(sequence_len=14, batch=7, seed=2, **special)
    task, path = rp.task_of(settings), tmp_path / "data.npz"
    assert rp.export(settings, rp.Options(export=str(path), export_sequences=20)) == 0
    arrays = read(path)
    assert arrays["train_x_torch"].dtype == settings.dtype and "counts as solved" in str(arrays["README"])

    def expected(batches):
        x, target = (np.concatenate(parts, -1) for parts in zip(*batches))
        y = target if task.classes else target[..., None].astype(settings.dtype)
        return x.astype(settings.dtype), y[0] if len(target) == 1 else y

    check_layouts(arrays, "test", *expected(rp.held_out(settings, 300)))
    training = rp.training_batches(rp.streams(2)["train"], settings, rp.Lengths(settings))
    check_layouts(arrays, "train", *expected(next(training) for _ in range(3)))
    if task.classes:
        assert arrays["train_y_keras"].dtype == np.int64


@pytest.mark.parametrize("special", [{}, dict(task="bit_relay"), dict(split="question", samples=500)], ids=str)
def test_latching_as_its_first_repeat_sees_it(special, tmp_path):
    settings, path = il.Settings(T=6, repeats=2, seed=5, **special), tmp_path / "data.npz"
    assert il.export(settings, il.Options(export=str(path), export_sequences=40)) == 0
    arrays, rngs = read(path), [il.streams(seed) for seed in (5, 6)]
    training, sets = il.sequences_of_a_run(settings, rngs)
    x, sign = sets["test_accuracy"]
    check_layouts(arrays, "test", x[:, :, ::2], sign[::2, None])
    batches = il.training_batches(rngs, settings, training)
    x, sign = (np.concatenate(parts, -1) for parts in zip(*(next(batches) for _ in range(3))))
    check_layouts(arrays, "train", x[:, :, ::2], sign[::2, None])


# Sequences of different lengths


PAPERS = {  # every experiment and every task of section 6.1, some in readings of their own
    "1": dict(experiment="1", blocks=3), "2a": dict(experiment="2a", p=9), "2b": dict(experiment="2b", p=7),
    "2b, one target": dict(experiment="2b", p=7, errors_at="end"), "2c": dict(experiment="2c", q=12, p=5),
    "3a": dict(experiment="3a", T=20, N=3), "3b": dict(experiment="3b", T=20, N=3),
    "3c": dict(experiment="3c", T=20, N=1), "4": dict(experiment="4", T=25), "5": dict(experiment="5", T=22),
    "6a": dict(experiment="6a"), "6b": dict(experiment="6b"), "xor": dict(experiment="xor", T=30),
    "parity": dict(experiment="parity", T=15), "count": dict(experiment="count", T=11, N=3)}


def trained_on(settings, n):
    """What the first trial's net learns: n times (x, target, end)."""
    seen = []

    def learn(lockstep, x, target, end):
        own = target[:, 0] if target.dtype.kind == "i" else target[0]
        seen.append((x[..., 0].copy(), own.copy(), int(end[0])))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lstm.Lockstep, "learn", learn)
        patch.setattr(lstm.Net, "absolute_error", lambda net, y, target, end: np.ones((2, net.layout.outputs)))
        patch.setattr(lstm.Lockstep, "end_chunk", lambda lockstep, error: None)
        lockstep = lstm.Lockstep([settings])
        while len(seen) < n:
            lockstep.advance()
    return seen[:n]


def judged_on(settings):
    """What the first trial is tested on, and what stops it: {part: [(x, target, end), ...]}."""
    trial, seen = lstm.Trial(settings, settings.seed), []

    def errors(net, batch, experiment):
        symbols = batch.target.dtype.kind == "i"
        target = batch.target if symbols or batch.truth is None else batch.truth
        seen.extend(zip(batch.x, target, map(int, batch.end)))
        return np.zeros((len(batch.end), 1))

    if settings.experiment == "1":
        held_out = lstm.reber_sets(settings.seed)[1]
        return {"test": list(zip(held_out.x, held_out.target, map(int, held_out.end)))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lstm, "errors", errors)
        trial.figures(None)
        parts, seen = {"test": seen}, []
        if settings.experiment in lstm.HELD_OUT:
            trial.reached(None, 0)
            parts["stop"] = seen
    return parts


def check_padded(arrays, part, sequences):
    """A part of a file, sequence by sequence and step by step, in both layouts."""
    lengths = arrays[f"{part}_lengths"]
    x, y, mask = (arrays[f"{part}_{name}_torch"] for name in ("x", "y", "mask"))
    for name, values in (("x", x), ("y", y), ("mask", mask)):
        assert np.array_equal(arrays[f"{part}_{name}_keras"], values.swapaxes(0, 1))
    assert lengths.dtype == np.int64 and mask.dtype == bool and x.shape[1] == len(lengths) == len(sequences)
    assert lengths.tolist() == [end + 1 for _, _, end in sequences]
    for k, (values, target, end) in enumerate(sequences):
        assert np.array_equal(x[: end + 1, k], values[: end + 1]) and not x[end + 1 :, k].any()
        if target.dtype.kind == "i":  # the next symbol, at every step
            assert mask[:, k].tolist() == [t <= end for t in range(len(x))]
            assert np.array_equal(y[: end + 1, k], target[: end + 1])
        else:
            assert np.flatnonzero(mask[:, k]).tolist() == [end]
            assert np.array_equal(y[end, k], target if len(target) == 1 else target.argmax())
        assert not y[:, k][~mask[:, k]].any()


def exported(name, path, n=150):
    settings = lstm.Settings(seed=4, trials=2, **PAPERS[name])
    assert lstm.export(settings, lstm.Options(export=str(path), export_sequences=n)) == 0
    return settings, read(path)


def check_papers(settings, arrays):
    check_padded(arrays, "train", trained_on(settings, 200))  # whole chunks
    parts = judged_on(settings)
    for part, sequences in parts.items():
        check_padded(arrays, part, sequences)
    assert {key.split("_")[0] for key in arrays} == {"README", "train", *parts}


def test_every_experiment_of_the_paper_is_among_these():
    assert {choice["experiment"] for choice in PAPERS.values()} == set(lstm.EXPERIMENTS)


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_experiments_as_training_and_tests_see_them(name, tmp_path, monkeypatch):
    monkeypatch.setattr(lstm, "N_FROZEN", 300)
    settings, arrays = exported(name, tmp_path / "data.npz")
    check_papers(settings, arrays)
    symbols, classes = (settings.experiment in lstm.SYMBOLIC,) * 2
    assert arrays["train_x_torch"].ndim == (2 if symbols else 3)
    assert arrays["test_y_torch"].dtype == (np.int64 if classes else float)
    assert len(arrays["train_x_torch"]) == max(
        arrays[key].max() for key in arrays if key.endswith("lengths"))  # no longer than need be
    words = " ".join(str(arrays["README"]).split())
    assert f"--experiment {settings.experiment} " in words and "--seed 4" in words and "*_mask_*" in words
    assert ("one_hot" in words) == symbols and ("stop_*" in words) == ("stop_lengths" in arrays)
    if settings.experiment == "1":
        possible = lstm.reber_sets(4)[1].truth[:, : len(arrays["test_x_torch"])]
        assert np.array_equal(arrays["test_possible_keras"], possible > 0)
        assert np.array_equal(arrays["test_possible_torch"], arrays["test_possible_keras"].swapaxes(0, 1))


def test_a_stop_set_that_is_drawn_anew_is_not_written(tmp_path):
    settings = lstm.Settings(experiment="3a", T=20, N=3, stop_set="fresh")
    assert lstm.export(settings, lstm.Options(export=str(tmp_path / "a.npz"), export_sequences=1)) == 0
    assert "stop_lengths" not in read(tmp_path / "a.npz")


EXPORT, PAD = lstm.for_export, records.pad


def one_step_short(batches, noisy=True):
    x, target, lengths = EXPORT(batches, noisy)
    return x, target, lengths - 1


def noise_after_the_end(x, target, lengths):
    return x, *PAD(x, target, lengths)[1:]


def mask_from_behind(x, target, lengths):
    x, y, mask = PAD(x, target, lengths)
    return x, y, mask[::-1]


def target_at_every_step(x, target, lengths):
    return PAD(x, np.broadcast_to(target, (len(x), target.shape[1])), lengths)


def reshaped(name, array):
    steps_first = np.moveaxis(array, -1, 1)
    turned = steps_first.shape[1::-1] + steps_first.shape[2:]
    return {f"{name}_torch": steps_first, f"{name}_keras": steps_first.reshape(turned)}


@pytest.mark.parametrize("module, name, fault, of", [
    (lstm, "for_export", one_step_short, "4"),
    (lstm, "for_export", lambda batches, noisy=True: EXPORT(batches), "3c"),  # the targets keep their noise in tests
    (lstm, "for_export", lambda batches, noisy=True: EXPORT(batches, noisy=False), "3c"),  # lose it in training
    (lstm, "for_export", lambda batches, noisy=True: EXPORT(batches[::-1], noisy), "6a"),
    (lstm, "CHUNK", 50, "2c"),
    (lstm, "streams", lambda seed: ap.streams(seed + 1), "2b"),
    (lstm.Trial, "stop_sets", lambda trial: [trial.task(lstm.streams(trial.seed)["eval"], 256)], "3b"),
    (records, "pad", noise_after_the_end, "5"), (records, "pad", mask_from_behind, "1"),
    (records, "pad", target_at_every_step, "6b"), (records, "layouts", reshaped, "4"),
], ids=range(11))
def test_a_planted_fault_of_an_export_is_noticed(module, name, fault, of, tmp_path, monkeypatch):
    monkeypatch.setattr(lstm, "N_FROZEN", 300)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, fault)
        settings, arrays = exported(of, tmp_path / "data.npz")
    with pytest.raises(AssertionError):
        check_papers(settings, arrays)


def test_the_loss_of_outputs_and_targets_under_the_mask(tmp_path):
    """As the README in the file says: in either layout the same pairs."""
    _, arrays = exported("6a", tmp_path / "data.npz")
    output = {"torch": 10 * arrays["test_y_torch"] + 1}
    output["keras"] = output["torch"].swapaxes(0, 1)
    pairs = [sorted(zip(output[kind][mask], arrays[f"test_y_{kind}"][mask]))
             for kind in output for mask in [arrays[f"test_mask_{kind}"]]]
    assert pairs[0] == pairs[1] and len(pairs[0]) == lstm.N_TEST and all(a == 10 * b + 1 for a, b in pairs[0])


@pytest.mark.parametrize("choice", [dict(experiment="1"), dict(experiment="2a", p=10)], ids=str)
def test_the_rivals_learn_from_the_same_sequences(choice):
    ours = lstm.Trial(lstm.Settings(**choice), 3).draw(lstm.CHUNK)
    theirs = rivals.Trial(rivals.Settings(method="rtrl", **choice), 3).draw(rivals.CHUNK)
    assert all(np.array_equal(a, b) for a, b in zip(ours[:3], theirs[:3]))


@pytest.mark.parametrize("script, flags, words", [
    ("adding_problem.py", "--export x.npy", "does not end in .npz"),
    ("adding_problem.py", "--export absent/x.npz", "cannot write beside"),
    ("adding_problem.py", "--export x.npz --seeds 0-1", "takes one run, not 2"),
    ("adding_problem.py", "--export x.npz --export-sequences 0", "--export-sequences"),
    ("adding_problem.py", "--export x.npz --T 1000 --export-sequences 1000000", "GB of memory"),
    ("adding_problem.py", "--export-weights x.txt", "does not end in .npz"),
    ("adding_problem.py", "--export-weights x.npz --seeds 0-1", "takes one run"),
    ("adding_problem.py", "--csv absent/x.csv", "cannot write beside"),
    ("adding_problem.py", "--csv results.json", "--csv and --out are one file"),
    ("adding_problem.py", "--csv ./mine.npz --out mine.npz", "--csv and --out are one file"),
    ("lstm_1997.py", "--export r.npz --out r.npz", "--export and --out are one file"),
    ("adding_problem.py", "--csv x.npz --export-weights ./x.npz", "--csv and --export-weights are one file"),
    ("adding_problem.py", "--csv=", "--csv needs the name of a file"),
    ("rnn_pathological.py", "--export x.npz --all", "takes one run, not 6"),
    ("rnn_pathological.py", "--export x.npz --curriculum 5:1:0.1", "one length"),
    ("rnn_pathological.py", "--export x.npz --mixed-lengths 5", "one length"),
    ("rnn_pathological.py", "--export x.npz --task random_permutation --vocabulary 10000", "GB of memory"),
    ("information_latching.py", "--export x.npz --T 10000", "GB of memory"),
    ("information_latching.py", "--csv x.csv", "unrecognized"),
    ("lstm_1997.py", "--export x.npy", "does not end in .npz"),
    ("lstm_1997.py", "--export absent/x.npz", "cannot write beside"),
    ("lstm_1997.py", "--export x.npz --table 5", "takes one run, not 3"),
    ("lstm_1997.py", "--export x.npz --experiment 4 --T 5000", "GB of memory"),
    ("lstm_1997.py", "--again", "unrecognized"),
])
def test_bad_input_is_one_line_and_exit_2_before_any_work(script, flags, words, tmp_path):
    assert_bad_input(run_script(script, *flags.split(), cwd=tmp_path), words)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("flags", [["--export"], ["--iters", "3", "--export-weights"], ["--iters", "3", "--csv"]])
def test_a_full_disk_leaves_the_old_file(flags, tmp_path, monkeypatch, capsys):
    path, whole = tmp_path / "file.npz", records.write_whole
    path.write_text("old")

    def full(where, content):
        if str(where) != str(path):
            return whole(where, content)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            return whole(where, content)

    monkeypatch.setattr(records, "write_whole", full)
    out = tmp_path / "results.json"
    assert ap.main(["--T", "5", *flags, str(path), "--quiet", "--out", str(out)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert path.read_text() == "old" and not list(tmp_path.glob("*.tmp"))
    assert out.exists() == (flags[0] != "--export")  # the record is safe


# Weights


def torch_forward(state, kind, x):
    """The readout of every step (T, n_out, B) by the equations of torch's documentation, gates in its order.
    x: (T, n_in, B)."""
    W_i, W_h, b_i, b_h = (state[f"recurrent.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = c = np.zeros((W_h.shape[1], x.shape[2]))
    outputs = []
    for x_t in x:
        a, b = W_i @ x_t + b_i[:, None], W_h @ h + b_h[:, None]
        if kind == "LSTM":
            i, f, g, o = np.split(a + b, 4)
            c = logistic(f) * c + logistic(i) * np.tanh(g)
            h = logistic(o) * np.tanh(c)
        elif kind == "GRU":
            (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3), np.split(b, 3)
            z = logistic(a_z + b_z)
            h = (1 - z) * np.tanh(a_n + logistic(a_r + b_r) * b_n) + z * h
        else:
            h = np.tanh(a + b) if kind == "tanh" else np.maximum(a + b, 0)
        outputs.append(state["readout.weight"] @ h + state["readout.bias"][:, None])
    return np.array(outputs)


CELLS = [
    (dict(cell="lstm"), "LSTM"), (dict(cell="lstm1997"), "LSTM"), (dict(cell="gru"), "GRU"), (dict(cell="rnn"), "tanh"),
    (dict(cell="irnn"), "relu"), (dict(cell="lstm1997", cell_sources="inputs"), "LSTM")]


@pytest.mark.filterwarnings("ignore:overflow")  # of exp(1000), where the forget gate is 1
@pytest.mark.parametrize("choice, kind", CELLS, ids=str)
def test_exported_weights_answer_as_the_trained_net(choice, kind, tmp_path):
    path, out = tmp_path / "weights.npz", tmp_path / "results.json"
    words = [f"{harness.flag_of(name)}={value}" for name, value in choice.items()]
    flags = ["--T", "9", "--hidden", "4", "--iters", "40", "--batch", "8", "--dtype", "float64", "--quiet", *words]
    flags += ["--out", str(out)]
    assert ap.main([*flags, "--export-weights", str(path)]) == 0
    state, [record] = read(path), json.loads(out.read_text())["adding_problem"]
    settings = ap.Settings(**record["settings"])
    x, target = ap.held_out(settings)
    y = torch_forward(state, kind, x)[-1, 0]
    assert np.mean((y - target) ** 2) == pytest.approx(record["final"]["test_mse"], rel=1e-12)
    assert list(state)[0] == "README" and "bias_hh" in str(state["README"]) and '"T": 9' in str(state["README"])
    rows = {"LSTM": 16, "GRU": 12}.get(kind, 4)
    assert {name: value.shape for name, value in state.items() if name != "README"} == {
        "recurrent.weight_ih_l0": (rows, 2), "recurrent.weight_hh_l0": (rows, 4), "recurrent.bias_ih_l0": (rows,),
        "recurrent.bias_hh_l0": (rows,), "readout.weight": (1, 4), "readout.bias": (1,)}


def test_the_order_of_gates_matters_to_that_test():
    net, x = ap.build(ap.Settings(T=6, hidden=3, dtype="float64"), 5), np.random.default_rng(0).normal(size=(6, 2, 5))
    net.theta[:] = np.random.default_rng(1).normal(size=net.theta.size)
    state, y = records.torch_state(net.tensors(net.theta)), net.forward(x)[0]
    np.testing.assert_allclose(torch_forward(state, "LSTM", x)[-1], y, rtol=1e-12)
    for order in ((1, 0, 2, 3), (0, 1, 3, 2), (3, 0, 1, 2)):  # the last is ours: o, i, f, g
        wrong = {name: np.concatenate([np.split(value, 4)[k] for k in order]) if "recurrent" in name else value
                 for name, value in state.items()}
        assert abs(torch_forward(wrong, "LSTM", x)[-1] - y).max() > 0.01


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_weights_of_a_pathological_task_at_every_output(cell, tmp_path, monkeypatch):
    monkeypatch.setattr(rp, "N_TEST", 100)
    monkeypatch.setattr(rp, "N_CURVE", 100)
    path, out = tmp_path / "weights.npz", tmp_path / "results.json"
    flags = ["--task", "copy_memory", "--sequence-len", "5", "--hidden", "6", "--epochs", "1", "--cell", cell]
    flags += ["--dtype", "float64"]
    assert rp.main([*flags, "--quiet", "--out", str(out), "--export-weights", str(path)]) == 0
    [record] = json.loads(out.read_text())["rnn_pathological"]
    x, target = next(rp.held_out(rp.Settings(**record["settings"]), 100))
    y = torch_forward(read(path), cell.upper() if cell != "rnn" else "tanh", x)
    assert rp.loss_and_gradient(y, target, True)[0] == pytest.approx(record["final"]["test_loss"], rel=1e-12)


@pytest.mark.parametrize("choice, kind", CELLS, ids=str)
def test_torch_loads_the_exported_weights(choice, kind):
    if not os.environ.get("REQUIRE_TORCH"):
        pytest.importorskip("torch")
    import torch

    net = ap.build(ap.Settings(T=8, hidden=4, dtype="float64", **choice), 5)
    net.theta[:] = np.random.default_rng(2).normal(size=net.theta.size)
    x = np.random.default_rng(3).normal(size=(8, 2, 5))
    module = torch.nn.Module()
    module.recurrent = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}.get(kind, torch.nn.RNN)(
        2, 4, **({} if kind in ("LSTM", "GRU") else dict(nonlinearity=kind)))
    module.readout = torch.nn.Linear(4, 1)
    module.double().load_state_dict(
        {name: torch.from_numpy(value.copy()) for name, value in records.torch_state(net.tensors(net.theta)).items()})
    with torch.no_grad():
        h, _ = module.recurrent(torch.from_numpy(x.transpose(0, 2, 1).copy()))
        y = module.readout(h[-1]).numpy().T
    np.testing.assert_allclose(net.forward(x)[0], y, rtol=1e-10, atol=1e-12)


# Curves


def test_a_curve_as_a_table(tmp_path, capsys):
    path, out = tmp_path / "curve.csv", tmp_path / "results.json"
    flags = ["--T", "5", "--hidden", "2", "--iters", "20", "--eval-every", "10", "--quiet", "--out", str(out)]
    assert ap.main([*flags, "--seeds", "3-4", "--csv", str(path)]) == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert list(rows[0]) == ["seed", *ap.COLUMNS] and [row["seed"] for row in rows] == ["3"] * 3 + ["4"] * 3
    for record in json.loads(out.read_text())["adding_problem"]:
        own = [row for row in rows if row["seed"] == str(record["settings"]["seed"])]
        assert [float(row["test_mse"]) for row in own] == record["history"]["test_mse"]
        assert own[0]["train_mse"] == ""  # nothing was trained yet


def test_a_table_of_different_runs_names_what_differs(tmp_path):
    made = [dict(settings=dict(task=task, init="ortho", seed=0), history=history) for task, history in (
        ("addition", dict(update=[0, 1], test_mse=[0.5, float("nan")])),
        ("xor", dict(update=[0], test_accuracy=[0.25])), ("none", {}))]
    records.write_csv(tmp_path / "c.csv", made)
    assert (tmp_path / "c.csv").read_text() == (
        "task,seed,update,test_mse,test_accuracy\naddition,0,0,0.5,\naddition,0,1,,\nxor,0,0,,0.25\n")


# --seeds leaves out what is there


@pytest.fixture
def trained(monkeypatch):
    """The seeds that the toy experiment trains."""
    seen, train = [], toy.train
    monkeypatch.setattr(toy, "train", lambda *call: seen.append(call[0].seed) or train(*call))
    return seen


def test_seeds_leaves_out_what_the_file_has(tmp_path, trained, capsys):
    flags = ["--quiet", "--out", str(tmp_path / "r.json"), "--seeds"]
    assert toy.main([*flags, "0-1"]) == 0 and trained == [0, 1]
    first = capsys.readouterr().out.splitlines()
    before = json.loads((tmp_path / "r.json").read_text())["toy_experiment"]
    assert toy.main([*flags, "0-3"]) == 0 and trained == [0, 1, 2, 3]
    said, *lines = capsys.readouterr().out.splitlines()
    assert "has 2 of 4 runs already" in said and "--again" in said and lines[:2] == first and len(lines) == 4
    assert json.loads((tmp_path / "r.json").read_text())["toy_experiment"][:2] == before
    assert toy.main([*flags, "0-3", "--jobs", "2"]) == 0 and len(trained) == 4  # nothing is left to run
    assert toy.main([*flags, "0-3", "--again"]) == 0 and len(trained) == 8
    assert toy.main([*flags, "0-3", "--rounds", "4"]) == 0 and len(trained) == 12  # other settings
    assert toy.main(["--quiet", "--out", str(tmp_path / "r.json"), "--seed", "0"]) == 0  # one run is always made
    assert toy.main(["--quiet", "--out", str(tmp_path / "r.json")]) == 0 and len(trained) == 14


def test_what_other_code_made_or_what_was_cut_short_is_run(tmp_path, trained, monkeypatch, capsys):
    out = tmp_path / "r.json"
    flags = ["--quiet", "--out", str(out), "--seeds", "0-2"]
    assert toy.main(flags) == 0
    results = json.loads(out.read_text())
    results["toy_experiment"][0]["provenance"]["fingerprint"] = "of other code"
    results["toy_experiment"][1]["final"]["status"] = "interrupted"
    out.write_text(json.dumps(results))
    assert toy.main(flags) == 0 and trained == [0, 1, 2, 0, 1]
    monkeypatch.setattr(toy.CODE, "fingerprint", None)  # a notebook's: nothing says what made a record
    results["toy_experiment"][2]["provenance"]["fingerprint"] = None
    out.write_text(json.dumps(results))
    assert toy.main(flags) == 0 and trained[5:] == [0, 1, 2]


def test_a_diverged_run_that_is_left_out_still_counts(tmp_path, trained, capsys):
    out = tmp_path / "r.json"
    flags = ["--quiet", "--out", str(out), "--seeds", "0-1"]
    assert toy.main(flags) == 0
    results = json.loads(out.read_text())
    results["toy_experiment"][0]["final"]["status"] = "diverged"
    out.write_text(json.dumps(results))
    assert toy.main(flags) == 1 and trained == [0, 1]


EVERY = {
    "adding_problem": "--T 5 --hidden 2 --iters 3 --seeds 0-1",
    "adding_lesions": "--T 10 --hidden 3 --iters 3 --seeds 0-1",
    "rnn_pathological": "--sequence-len 5 --hidden 2 --epochs 1 --batches-per-epoch 2 --seeds 0-1",
    "temporal_order_study": "--sequence-len 10 --hidden 3 --updates 2 --seeds 0-1",
    "information_latching": "--cell srnn --T 4 --updates 2 --seeds 0-1",
    "latch_landscape": "--points 3 --sequences 4 --seeds 0-1", "data_movement": "--T 5 --seeds 0-1"}


def test_every_experiment_with_seeds_is_among_these():
    named = [path.stem for path in ROOT.glob("*.py") if "\nEXPERIMENT =" in path.read_text(encoding="utf-8")]
    with_seeds = {name for name in named
                  if "--seeds" in run_script(f"{name}.py", "--help", cwd=ROOT).stdout}
    assert with_seeds == EVERY.keys()
    for name in with_seeds:
        assert "again" in {field.name for field in dataclasses.fields(importlib.import_module(name).Options)}


@pytest.mark.parametrize("name", EVERY)
def test_each_leaves_out_what_is_there(name, tmp_path, monkeypatch, capsys):
    experiment = importlib.import_module(name)
    flags = [*EVERY[name].split(), "--quiet", "--out", str(tmp_path / "r.json")]
    assert experiment.main(flags) == 0
    first = capsys.readouterr().out.splitlines()
    monkeypatch.setattr(experiment, "train", None)  # nothing is trained
    assert experiment.main(flags) == 0
    said, *again = capsys.readouterr().out.splitlines()
    assert "runs already" in said and again == first


def test_weights_are_exported_of_a_record_that_has_them(tmp_path):
    out, path = tmp_path / "r.json", tmp_path / "w.npz"
    flags = ["--T", "5", "--hidden", "2", "--iters", "3", "--quiet", "--out", str(out), "--seeds", "1-1"]
    assert ap.main(flags) == 0
    results = json.loads(out.read_text())
    del results["adding_problem"][0]["weights"]
    out.write_text(json.dumps(results))
    assert ap.main([*flags, "--export-weights", str(path)]) == 0 and "readout.bias" in read(path)


def test_curves_are_exported_of_a_record_that_has_them(tmp_path):
    out, path = tmp_path / "r.json", tmp_path / "c.csv"
    flags = ["--T", "5", "--hidden", "2", "--iters", "3", "--quiet", "--out", str(out), "--seeds", "1-1"]
    assert ap.main(flags) == 0
    results = json.loads(out.read_text())
    del results["adding_problem"][0]["history"]  # as studies keep it that need the figures only
    out.write_text(json.dumps(results))
    assert ap.main([*flags, "--csv", str(path)]) == 0 and path.read_text().startswith("seed,iteration")
