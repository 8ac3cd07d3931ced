"""constant_sources.py: which weights exist and which are slow, traces, checkpoints, command line."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from conftest import assert_bad_input, run_script

import constant_sources as sources
import harness
import lstm_1997 as lstm

TINY = dict(T=22, trials=3, max_sequences=300)


def part(layout, mask, into, out_of):
    """A mask of weights, those into units c (cells) or g (gates) from c, g, x (inputs) or b (bias)."""
    C, hidden = layout.cells, layout.hidden
    last = layout.sources - 1
    places = dict(c=slice(C), g=slice(C, hidden), x=slice(hidden, last), b=slice(last, None))
    return layout.split(mask[None])[0][0][places[into], places[out_of]]


@pytest.mark.parametrize("constant", sources.RATES)
def test_what_happens_to_the_weights_from_constant_sources(constant):
    layout = sources.Layout(sources.Settings(constant=constant))
    for into, out_of in itertools.product("cg", "cgxb"):
        from_constant = into == "c" and out_of in "gb"
        assert part(layout, layout.exists, into, out_of).all() == (not from_constant or constant != "absent")
        if constant in ("slow", "frozen"):
            slow = part(layout, layout.slowed, into, out_of)
            assert slow.all() == slow.any() == from_constant
        assert part(layout, layout.exists, into, out_of).any() == part(layout, layout.exists, into, out_of).all()
    assert layout.weights == (93 - 4 * 5 if constant == "absent" else 93)
    rate = sources.Settings(constant=constant).row().cell_rate
    assert rate == dict(learn=1, slow=0.01, frozen=0, absent=1)[constant]


@pytest.mark.parametrize("connections", ("cc,cg,gc,gg", "cg,gg", "gc", "none"))
def test_connections_that_exist(connections):
    layout = sources.Layout(sources.Settings(experiment="2c", q=20, connections=connections))
    for kind in sources.KINDS:
        exists = part(layout, layout.exists, into=kind[1], out_of=kind[0])
        assert exists.all() == exists.any() == (kind in connections)
    assert part(layout, layout.exists, "c", "x").all() and part(layout, layout.exists, "g", "x").all()


def test_absent_and_only_inputs_are_readings_that_lstm_1997_has():
    """The same net, start, stream and bits."""
    for mine, reading in ((dict(constant="absent"), dict(cell_sources="cells")),
                          (dict(experiment="2c", q=20, connections="cg,gg"), dict(cell_sources="inputs"))):
        settings = sources.Settings(**mine, trials=2, max_sequences=200)
        one, two = sources.Traced(settings), lstm.Lockstep(
            [dataclasses.replace(settings.row(), cell_bias=None, **reading)])
        while not one.ended:
            one.advance()
            two.advance()
        assert two.ended and one.record()["final"].items() >= two.record(0)["final"].items()


def test_frozen_weights_stay_and_the_others_move():
    work = sources.Traced(sources.Settings(**TINY, constant="frozen"))
    start, layout = work.lanes.theta.copy(), work.layout
    work.advance()
    moved = work.lanes.theta != start
    assert not moved[:, layout.slowed].any() and moved[:, layout.exists & ~layout.slowed].all()


def test_traces_are_what_a_net_with_these_weights_shows(monkeypatch):
    """At moments 1, 2 and 3 against nets that learn the same sequences one by one, with states from
    the appendix's equations."""
    settings = sources.Settings(**TINY)
    work = sources.Traced(settings)
    alone = lstm.Lockstep([settings.row()])
    x, target, end = lstm.side_by_side([trial.draw(lstm.CHUNK) for trial in alone.trials])
    work.advance()
    history, layout = work.history[0], work.layout
    assert history["train_sequences"][:5] == [1, 2, 3, 5, 7] and history["train_sequences"][-1] == 100
    for k in range(3):
        state = final_states(layout, alone.lanes.theta, x[k], end[k])
        slope = 2 * lstm_logistic(state) * (1 - lstm_logistic(state))  # h' with h in [-1, 1]
        y = alone.learn(x[k], target[k], end[k])
        w_out = abs(layout.split(alone.lanes.theta)[2][:, 0, :-1])
        for name, cells in (("w_out", w_out), ("state", abs(state)), ("slope", slope)):
            by_block = cells.reshape(3, 2, 2).mean(1)
            np.testing.assert_allclose(history[name][k], by_block, rtol=1e-3, err_msg=name)
        np.testing.assert_allclose(history["error"][k], abs(y - target[k]), rtol=1e-3)


def lstm_logistic(x):
    return 1 / (1 + np.exp(-x))


def final_states(layout, theta, x, end):
    """s at each lane's end, step by step (A.5 to A.7): (R, C)."""
    C, b, states = layout.cells, layout.blocks, []
    for lane, W in enumerate(layout.split(theta)[0]):
        s, y = np.zeros(C), np.zeros(layout.hidden)
        for t in range(end[lane] + 1):
            net = W @ [*y, *x[t, :, lane], 1.0]
            gates = lstm_logistic(net[C:])
            s = s + np.tile(gates[:b], 2) * (4 * lstm_logistic(net[:C]) - 2)
            y = np.concatenate([np.tile(gates[b:], 2) * (2 * lstm_logistic(s) - 1), gates])
        states.append(s)
    return np.array(states)


def test_later_moments_are_means_over_a_chunk_and_a_trial_that_has_ended_has_none(monkeypatch):
    monkeypatch.setattr(lstm, "WINDOW", 20)
    monkeypatch.setitem(lstm.TOLERANCE, "4", 0.5)
    monkeypatch.setattr(lstm, "window_reached", lambda experiment, mean_error: mean_error < 0.15)
    work = sources.Traced(sources.Settings(T=22, trials=6, max_sequences=1000))
    while not work.ended:
        work.advance()
    record = work.record()
    stopped = record["final"]["sequences_to_success"]
    assert any(stopped)
    history = record["history"]
    for count, *values in zip(history["train_sequences"], *(history[name] for name in sources.TRACES)):
        for trace in values:
            gone = [n is not None and n <= count - (count <= lstm.CHUNK) for n in stopped]
            assert [value is None for value in trace] == gone


def test_a_resumed_run_has_the_same_bytes_and_a_chunk_cut_short_leaves_no_trace(monkeypatch):
    settings = sources.Settings(**TINY)
    whole, first, second, cut = (sources.Traced(settings) for _ in range(4))
    asked = iter(range(1, 10**6))
    monkeypatch.setattr(harness, "stopped", lambda: next(asked) == 150)
    for _ in range(3):
        cut.advance()
    monkeypatch.setattr(harness, "stopped", lambda: False)
    first.advance()
    state, arrays = first.state()
    second.restore(json.loads(json.dumps(state)), arrays)
    for _ in range(2):
        second.advance()
    cut.advance()
    while not whole.ended:
        whole.advance()
    records = [work.record() for work in (whole, second, cut)]
    for record in records:
        del record["provenance"]
    assert records[0] == records[1] == records[2]


def test_the_gradient_check_passes_and_sees_a_net_whose_slow_weights_are_not_slow(capsys, monkeypatch):
    assert sources.gradcheck_all() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(sources.CHECKS) and all(line.endswith("ok") for line in lines)
    whole = lstm.Net.__init__

    def every_weight_alike(net, *arguments):
        whole(net, *arguments)
        net.alpha = net.lane_settings.lr[:, None] * np.ones(net.layout.size)

    monkeypatch.setattr(lstm.Net, "__init__", every_weight_alike)
    assert sources.gradcheck_all() == 1
    assert capsys.readouterr().out.count("FAILED") == 2  # slow and frozen


@pytest.mark.parametrize("flags, words", [
    ("--experiment 3a", "--experiment"), ("--T 10", "--T"), ("--q 50", "--q needs --experiment 2c"),
    ("--experiment 2c --T 100", "--T needs --experiment 4"), ("--connections gc,cc", "in this order"),
    ("--connections cc,xx", "--connections takes"), ("--constant gone", "--constant"), ("--trials 0", "--trials"),
    ("--experiment 2c --connections cc --constant slow", "--constant has no meaning without gc"),
    ("--max-sequences 150", "--max-sequences must be a multiple of 100")])
def test_bad_input_is_one_line(flags, words, tmp_path):
    assert_bad_input(run_script("constant_sources.py", *flags.split(), cwd=tmp_path), words)


def test_the_command_line(tmp_path):
    flags = "--T 22 --trials 2 --max-sequences 200 --constant slow --quiet".split()
    done = run_script("constant_sources.py", *flags, cwd=tmp_path)
    assert done.returncode == 0 and "0 of 2 trials stop" in done.stdout and "|w_out| 0.0" in done.stdout
    [record] = json.loads((tmp_path / "results.json").read_text())["constant_sources"]
    settings = sources.Settings(T=22, trials=2, max_sequences=200, constant="slow")
    assert record["settings"] == dataclasses.asdict(settings)
    assert record["final"]["weights"] == 93 and not list(tmp_path.glob("*.npz"))
