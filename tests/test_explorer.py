"""explorer.html: what the page computes is what numpy computes, its sequences are the tasks', its records are those of
results.json; planted faults are noticed; bad input is one line.

What needs node is skipped where there is none, unless REQUIRE_NODE is set. The page itself is tried in a browser by
tests/browser/test_page.py."""

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, assert_bad_input, copy_of, run_script

import adding_lesions
import adding_problem as ap
import harness
import information_latching as il
import lstm_1997 as lstm
import make_explorer
import rnn_pathological as rp
import studies
from analysis import readings

CLOSE = 1e-12
SCRIPTS = [(ROOT / "explorer" / name).read_text(encoding="utf-8") for name in ("nets.js", "tasks.js")]


# Under node


def in_node(*calls, scripts=SCRIPTS):
    """Results of calls to the page's functions. Each call: a dict with its action, see tests/browser/in_node.js."""
    if shutil.which("node") is None:
        assert not os.environ.get("REQUIRE_NODE"), "node is asked for and not installed"
        pytest.skip("needs node")
    request = json.dumps(dict(scripts=scripts, calls=calls), default=lambda array: array.tolist())
    run = subprocess.run(["node", str(ROOT / "tests" / "browser" / "in_node.js")], input=request, capture_output=True,
                         text=True, check=True, timeout=100)
    return json.loads(run.stdout)


def planted(script, old, new):
    """The scripts with a fault in one of them."""
    assert SCRIPTS[script].count(old) == 1, f"{old!r} stands {SCRIPTS[script].count(old)} times"
    return [text.replace(old, new) if k == script else text for k, text in enumerate(SCRIPTS)]


def forward(cell, weights, x, reading=None, lesion=None):
    """A call that runs a net on x (T, n_in)."""
    net = dict(cell=cell, weights=make_explorer.packed(weights), reading=reading)
    return dict(action="forward", net=net, x=x, lesion=lesion)


def distance(steps, wanted):
    """The largest difference between the page's steps and numpy's {name: (T, n)}."""
    worst = 0.0
    for name, values in wanted.items():
        found = np.array([step[name] for step in steps])
        assert found.shape == values.shape, name
        worst = max(worst, float(abs(found - values).max()))
    return worst


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


# --------------------------------------------------------------------------------------------------
# Forward passes
# --------------------------------------------------------------------------------------------------

SHOWN = {  # what the page shows of a cell, by the name in numpy
    "rnn": {"h"}, "irnn": {"h"}, "lstm": {"o", "i", "f", "g", "c", "h"}, "lstm1997": {"o", "i", "g", "c", "h"},
    "gru": {"r", "z", "n", "h"}}


def inside(net, y, cell):
    """What numpy's net holds after a forward pass of one sequence: {name: (T, n)}; y: (T, n_out, 1)."""
    states = {"h": net.h[-net.T :]}
    if "c" in SHOWN[cell]:
        states["c"] = net.c[1:]
    for name in SHOWN[cell] - states.keys():
        states[name] = np.array(getattr(net, name))
    return {name: values[:, :, 0] for name, values in states.items()} | {"y": y[:, :, 0]}


def of_adding(cell, T=40, H=5, n_in=2, n_out=3):
    """A random net of a cell of adding_problem.py: a call, and what numpy makes of it."""
    make = ap.CELLS[cell]
    size = make(n_in, H, n_out, T, 1, outputs=T).theta.size
    theta = generator(1).normal(0, 0.35 if cell == "irnn" else 0.8, size)
    net = make(n_in, H, n_out, T, 1, outputs=T, theta=theta)
    x = generator(2).normal(size=(T, n_in, 1))
    y = net.forward(x)
    return forward(cell, net.tensors(theta), x[:, :, 0]), inside(net, y, cell)


@pytest.mark.parametrize("cell", list(ap.CELLS))
def test_cells_of_the_adding_problem(cell):
    call, wanted = of_adding(cell)
    assert distance(in_node(call)[0], wanted) < CLOSE


LATCHING = {  # the page's cell: settings, of several units
    "rnn": dict(cell="srnn"), "lstm": dict(cell="lstm"), "lstm1997": dict(cell="lstm", forget_bias="none"),
    "gru": dict(cell="gru", reset="after")}
OTHER_NAMES = {"W_y": "W_hy", "W_hg": "W_hm", "b_hg": "b_m", "W_xg": "W_xn", "b_g": "b_n"}  # of a GRU there


def of_latching(cell, T=40):
    settings = il.Settings(units=3, T=T, repeats=1, **LATCHING[cell])
    net = il.build(settings, 1, 1)
    net.theta[:] = generator(3).normal(0, 0.8, net.theta.size)
    x = generator(4).normal(size=(T, 1, 1))
    y = net.forward(x)
    names = OTHER_NAMES if cell == "gru" else {"W_y": "W_hy"}
    weights = {names.get(name, name): tensor[..., 0] for name, tensor in net.tensors(net.theta).items()}
    net.n = getattr(net, "g", None)
    wanted = inside(net, y[None], cell)
    del wanted["y"]  # that of the last step is compared below
    return forward(cell, weights, x[:, :, 0]), wanted, y[:, 0]


@pytest.mark.parametrize("cell", LATCHING)
def test_cells_of_information_latching(cell):
    call, wanted, y = of_latching(cell)
    steps, = in_node(call)
    assert distance(steps, wanted) < CLOSE and abs(np.array(steps[-1]["y"]) - y).max() < CLOSE


OLD_NETS = {
    "text": dict(experiment="4", T=100), "exchanged": dict(experiment="4", T=100, ranges="table10"),
    "wide, gates start at 0.5": dict(experiment="6a", ranges="wide", gate_start=0.5),
    "h4": dict(experiment="6b", ranges="h4")}


def of_1997(choice, seed=0, theta=None):
    """A net of 1997 on one sequence of its task: a call, and what numpy makes of it."""
    settings = lstm.Settings(**choice)
    layout, row = lstm.Layout(settings), lstm.Trial(settings, seed)
    if theta is None:
        theta = generator(seed).normal(0, 0.6, layout.size) * layout.exists
    batch = row.task(generator(seed + 1), 1)
    net = lstm.Net(layout, np.array([theta, theta]), lstm.LaneSettings.of([settings] * 2))
    C, b, T = layout.cells, layout.blocks, batch.end[0] + 1
    wanted = {name: [] for name in ("s", "y_c", "y_in", "y_out", "y")}
    for last in range(1, T + 1):  # an output at every step
        y = net.forward(np.moveaxis(batch.x[[0, 0]], 0, -1), np.array([last - 1] * 2))
        wanted["y"].append(y[0])
    units = net.S[1 : T + 1, :, 0]
    wanted |= {"s": 2 * net.half_state[1 : T + 1, :, 0], "y_c": units[:, :C] * net.h_range[0],
               "y_in": units[:, C : C + b], "y_out": units[:, 2 * C : 2 * C + b]}
    x = lstm.one_hot(batch.x[0, :T], layout.inputs) if layout.symbolic else batch.x[0, :T]
    h_range, g_range = lstm.RANGES[settings.ranges]
    reading = dict(h_range=h_range, g_range=g_range, gate_start=settings.gate_start)
    weights = make_explorer.blocks(layout, theta)
    return forward("blocks1997", weights, x, reading), {name: np.array(values) for name, values in wanted.items()}


@pytest.mark.parametrize("name", OLD_NETS)
def test_nets_of_1997(name):
    call, wanted = of_1997(OLD_NETS[name])
    assert distance(in_node(call)[0], wanted) < CLOSE


def test_softmax():
    y = generator().normal(0, 20, 6)
    found, = in_node(dict(action="softmax", y=y))
    assert np.allclose(found, np.exp(y) / np.exp(y).sum(), rtol=1e-13)


FAULTS = [  # in nets.js: what is changed, the cell that shows it
    ("h = tanh(add(dot(W.W_hh, h), dot(W.W_xh, x), W.b_h));", "h = tanh(add(dot(W.W_hh, h), dot(W.W_xh, x)));", "rnn"),
    ("Math.max(value, 0)", "Math.abs(value)", "irnn"),
    ("c = add(times(i, g), times(f, c));", "c = add(times(f, g), times(i, c));", "lstm"),
    ("c = add(times(i, g), c);", "c = add(times(i, g), times(i, c));", "lstm1997"),
    ("(1 + Math.tanh(value / 2)) / 2", "(1 + Math.tanh(value)) / 2", "lstm"),
    ("getFloat64(8 * k, true)", "getFloat32(8 * k, true)", "rnn"),
    ("{ h }) => add(dot(W.W_hy, h), W.b_y);", "{ h }) => dot(W.W_hy, h);", "lstm"),
    ("W.b_n, times(r, m))", "W.b_n, m)", "gru"),
    ("times(oneMinus(z), n), times(z, h)", "times(z, n), times(oneMinus(z), h)", "gru"),
    ("const block = (c) => c % W.W_in.length;", "const block = (c) => (c < W.W_in.length ? 0 : 1);", "text"),
    ("s_c + y_in[block(c)] * g[c]", "s_c + y_out[block(c)] * g[c]", "text"),
    ("h_range * Math.tanh(s_c / 2)", "Math.tanh(s_c / 2)", "exchanged"),
    ("g_range * Math.tanh(net / 2)", "g_range * Math.tanh(net)", "text"),
    ("y_in: W.W_in.map(() => gate_start)", "y_in: W.W_in.map(() => 0)", "wide, gates start at 0.5"),
    ("sigma(dot(W.W_k, [...y_c, 1]))", "sigma(dot(W.W_k, [...y_c, 0]))", "text"),
]


@pytest.mark.parametrize("old, new, cell", FAULTS, ids=range(len(FAULTS)))
def test_a_planted_fault_of_a_forward_pass_is_noticed(old, new, cell):
    if cell in OLD_NETS:
        call, wanted = of_1997(OLD_NETS[cell])
    elif cell == "gru":
        call, wanted, _ = of_latching(cell)
    else:
        call, wanted = of_adding(cell)
    assert distance(in_node(call, scripts=planted(0, old, new))[0], wanted) > CLOSE


# --------------------------------------------------------------------------------------------------
# Lesions
# --------------------------------------------------------------------------------------------------

def lesion_cases():
    """(call with a lesion, what numpy makes of it: the last answer)."""
    T, H = 30, 5
    call, _ = of_adding("lstm", T, H, n_out=1)
    theta = generator(1).normal(0, 0.8, ap.LSTM(2, H, 1, T, 1).theta.size)
    weights = {name: np.array(tensor) for name, tensor in ap.LSTM(2, H, 1, T, 1, theta=theta).tensors(theta).items()}
    x = np.array(call["x"])[:, :, None]
    for unit in (0, 3):
        answer, _ = adding_lesions.forward(adding_lesions.without_unit(weights, unit), x)
        yield call | dict(lesion=dict(units=[unit])), answer[0]
    two = adding_lesions.without_unit(adding_lesions.without_unit(weights, 1), 2)
    yield call | dict(lesion=dict(units=[1, 2])), adding_lesions.forward(two, x)[0][0]
    yield call | dict(lesion=dict(between=True)), adding_lesions.forward(weights, x, into="oifg")[0][0]


def test_lesions_are_those_of_adding_lesions():
    calls, wanted = zip(*lesion_cases())
    for steps, answer in zip(in_node(*calls), wanted):
        assert abs(steps[-1]["y"][0] - answer) < CLOSE


def gru_lesion_cases():
    """The same for a GRU, whose weights numpy's net has lost."""
    call, _ = of_adding("gru", n_out=1)
    for lesion in (dict(units=[1]), dict(units=[0, 3]), dict(between=True), dict(units=[2], between=True)):
        T, H, x = len(call["x"]), 5, np.array(call["x"])[:, :, None]
        net = ap.GRU(2, H, 1, T, 1)
        others = ~np.eye(H, dtype=bool)
        for name, tensor in net.tensors(net.theta).items():
            tensor[:] = unpacked(call["net"]["weights"])[name]
            if name in ("W_hr", "W_hz", "W_hm"):
                tensor[others & (lesion.get("between", False) | np.isin(np.arange(H), lesion.get("units", [])))] = 0
            if name == "W_hy":
                tensor[:, lesion.get("units", [])] = 0
        yield call | dict(lesion=lesion), net.forward(x)[0, 0, 0]


def test_lesions_of_a_gru():
    calls, wanted = zip(*gru_lesion_cases())
    whole, *found = in_node({key: value for key, value in calls[0].items() if key != "lesion"}, *calls)
    for steps, answer in zip(found, wanted):
        assert abs(steps[-1]["y"][0] - answer) < CLOSE and abs(whole[-1]["y"][0] - answer) > 1e-6
    found = in_node(*calls, scripts=planted(0, 'name.startsWith("W_h") && name', '/W_h[rz]/.test(name) && name'))
    assert any(abs(steps[-1]["y"][0] - answer) > CLOSE for steps, answer in zip(found, wanted))


def test_lesions_of_a_net_of_1997():
    settings = lstm.Settings(experiment="4", T=100)
    layout = lstm.Layout(settings)
    theta = generator(0).normal(0, 0.6, layout.size) * layout.exists
    cut, unrecurrent = theta.copy(), theta.copy()
    W, _, W_out, _ = (part[0] for part in layout.split(cut[None]))
    W[np.arange(len(W)) != 2, 2], W_out[:, 2] = 0, 0
    layout.split(unrecurrent[None])[0][0][:, : layout.hidden] = 0
    call, _ = of_1997(dict(experiment="4", T=100))
    found = in_node(call | dict(lesion=dict(units=[2])), call | dict(lesion=dict(between=True)))
    for steps, weights in zip(found, (cut, unrecurrent)):
        assert distance(steps, of_1997(dict(experiment="4", T=100), theta=weights)[1]) < CLOSE


def test_a_unit_alone_that_does_not_see_its_own_output():
    settings = il.Settings(T=20, repeats=1)
    net = il.build(settings, 1, 1)
    net.theta[:] = generator(3).normal(0, 0.8, net.theta.size)
    weights = {name.replace("W_y", "W_hy"): tensor[..., 0].copy() for name, tensor in net.tensors(net.theta).items()}
    x = generator(4).normal(size=(20, 1, 1))
    net.W_h[:] = 0
    y = net.forward(x)[:, 0]
    steps, = in_node(forward("lstm", weights, x[:, :, 0], lesion=dict(between=True)))
    assert abs(np.array(steps[-1]["y"]) - y).max() < CLOSE


@pytest.mark.parametrize("old, new", [
    ("(from !== to || alone) && (between", "between || (true"),  # a cut unit forgets, too
    ("change(\"W_hy\", (to, from) => isLost(from));", ""),
])
def test_a_planted_fault_of_a_lesion_is_noticed(old, new):
    calls, wanted = zip(*lesion_cases())
    found = in_node(*calls, scripts=planted(0, old, new))
    assert any(abs(steps[-1]["y"][0] - answer) > CLOSE for steps, answer in zip(found, wanted))


# --------------------------------------------------------------------------------------------------
# Sequences
# --------------------------------------------------------------------------------------------------

SEEDS = 400
OWN = {
    "adding": dict(T=100, tolerance=ap.TOLERANCE), "adding1997": dict(T=100, tolerance=lstm.TOLERANCE["4"]),
    "threeBits": dict(T=60), "latch": dict(T=50, noise=0.1),
    "order1997": dict(windows=lstm.ORDER_WINDOWS["6a"], tolerance=lstm.TOLERANCE["6a"])}


def even(counts):
    """Whether counts of equally likely things are as even as chance lets them be (chi-square, far out)."""
    counts = np.asarray(counts)
    expected = counts.sum() / len(counts)
    return ((counts - expected) ** 2 / expected).sum() < len(counts) - 1 + 6 * np.sqrt(2 * len(counts))


def check_adding(drawn):
    T, half = 100, 50
    marks = np.array([sequence["marks"] for sequence in drawn])
    values = np.array([sequence["values"] for sequence in drawn])
    x = np.array([sequence["inputs"] for sequence in drawn])
    assert x.shape == (SEEDS, T, 2) and (x[:, :, 0] == values).all() and (x[:, :, 1].sum(1) == 2).all()
    assert (marks[:, 0] < half).all() and (marks[:, 1] >= half).all() and marks.min() >= 0 and marks.max() < T
    assert even(np.bincount(marks[:, 0] // 5, minlength=10)) and even(np.bincount(marks[:, 1] // 5 - 10, minlength=10))
    assert abs(values).max() < 1 and even(np.histogram(values, 20, (-1, 1))[0])
    row = np.arange(SEEDS)
    assert (x[row, marks[:, 0], 1] == 1).all() and (x[row, marks[:, 1], 1] == 1).all()
    assert np.allclose([sequence["target"] for sequence in drawn], values[row, marks[:, 0]] + values[row, marks[:, 1]])


def check_adding_1997(drawn):
    lengths, first_marks, at_start = [], [], 0
    for sequence in drawn:
        x, (first, second) = np.array(sequence["inputs"]), sequence["marks"]
        end = len(x) - 1
        lengths.append(len(x))
        first_marks.append(first)
        assert 0 <= first < 10 and 0 <= second < 50 and first != second
        assert x[end, 1] == -1 and (x[0, 1] == -1) == (0 not in (first, second))
        if 0 in (first, second):
            at_start += 1
            assert x[0].tolist() == [0, 1]
        assert sorted(np.flatnonzero(x[:, 1] == 1)) == sorted((first, second))
        assert sequence["target"] == pytest.approx(0.5 + (x[first, 0] + x[second, 0]) / 4)
    assert min(lengths) == 100 and max(lengths) == 110 and even(np.bincount(lengths)[100:])
    assert even(np.bincount(first_marks)) and at_start > SEEDS / 20


def check_three_bits(drawn):
    symbols = np.array([sequence["symbols"] for sequence in drawn])
    assert symbols.shape == (SEEDS, 60) and (symbols[:, -1] == 2).all()
    assert set(np.unique(symbols[:, :3])) == {0, 1} and set(np.unique(symbols[:, 3:-1])) == {3, 4}
    target = symbols[:, :3] @ [4, 2, 1]
    assert [sequence["target"] for sequence in drawn] == target.tolist() and even(np.bincount(target, minlength=8))
    x = np.array([sequence["inputs"] for sequence in drawn])
    assert (x == rp.one_hot(symbols.T, 5).transpose(2, 0, 1)).all()


def check_latch(drawn):
    x = np.array([sequence["inputs"] for sequence in drawn])[:, :, 0]
    sign = np.where(x[:, 0] > 0, 1, -1)
    assert x.shape == (SEEDS, 50) and even([(sign > 0).sum(), (sign < 0).sum()])
    noise = x.copy()
    noise[:, 0] -= sign
    assert abs(noise.std() - 0.1) < 0.003 and abs(noise.mean()) < 0.003 and abs(noise[:, 0].std() - 0.1) < 0.015
    assert abs((noise**4).mean() / (noise**2).mean() ** 2 - 3) < 0.2  # as a Gaussian has it
    assert [sequence["target"] for sequence in drawn] == (sign > 0).astype(int).tolist()


def check_order_1997(drawn):
    lengths, places = [], []
    for sequence in drawn:
        symbols = np.array(sequence["symbols"])
        lengths.append(len(symbols))
        assert symbols[0] == 0 and symbols[-1] == 1 and (symbols[1:-1] > 1).all()
        first, second = np.flatnonzero(symbols >= 6)
        assert 10 <= first + 1 <= 20 and 50 <= second + 1 <= 60
        places.append(first)
        assert sequence["target"] == 2 * (symbols[first] - 6) + symbols[second] - 6
        assert (np.array(sequence["inputs"]) == lstm.one_hot(symbols, 8)).all()
    assert min(lengths) == 100 and max(lengths) == 110 and even(np.bincount(places)[9:])
    assert even(np.bincount([sequence["target"] for sequence in drawn], minlength=4))


CHECKS = {"adding": check_adding, "adding1997": check_adding_1997, "threeBits": check_three_bits,
          "latch": check_latch, "order1997": check_order_1997}
TASKS = "adding", "threeBits", "latch", "adding1997", "order1997"  # as the page has them


def drawn_by(task, scripts=SCRIPTS, **more):
    return in_node(dict(action="draw", task=task, own=OWN[task], seeds=list(range(SEEDS)), **more), scripts=scripts)[0]


@pytest.mark.parametrize("task", CHECKS)
def test_sequences_are_as_the_task_defines_them(task):
    drawn = drawn_by(task)
    CHECKS[task](drawn)
    assert drawn_by(task) == drawn  # of a seed, always the same
    assert len({json.dumps(sequence) for sequence in drawn}) == SEEDS


@pytest.mark.parametrize("task, old, new", [
    ("adding", "random.integer(half, T)]", "random.integer(0, T)]"),
    ("adding", "values[a] + values[b],\n    answer", "values[a] - values[b],\n    answer"),
    ("adding1997", "if (second >= first) second += 1;", ""),
    ("adding1997", "if (marks.includes(0)) values[0] = 0;", ""),
    ("threeBits", "4 * a + 2 * b + c", "a + 2 * b + 4 * c"),
    ("threeBits", "random.integer(3, 5)", "random.integer(2, 5)"),
    ("latch", "mean + sd *", "mean + 2 * sd *"),
    ("latch", "Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit())",
     "(unit() - 0.5) * Math.sqrt(12)"),
    ("order1997", "random.integer(low, high + 1) - 1", "random.integer(low, high + 1)"),
    ("order1997", "2 * a + b;", "2 * b + a;"),
])
def test_a_planted_fault_of_a_task_is_noticed(task, old, new):
    drawn = drawn_by(task, planted(1, old, new))
    with pytest.raises((AssertionError, ValueError)):
        CHECKS[task](drawn)


def test_random_numbers():
    found, = in_node(dict(action="numbers", seed=5, n=20_000))
    uniform, integer, normal = (np.array(found[name]) for name in ("uniform", "integer", "normal"))
    assert even(np.histogram(uniform, 50, (-1, 1))[0]) and abs(np.corrcoef(uniform[1:], uniform[:-1])[0, 1]) < 0.03
    assert even(np.bincount(integer)[3:]) and integer.min() == 3 and integer.max() == 9
    assert abs(normal.mean() - 2) < 0.02 and abs(normal.std() - 0.5) < 0.01


def test_changes_are_kept_to_what_the_task_allows():
    call = dict(action="draw", task="adding", own=OWN["adding"], seeds=[3])
    [drawn] = in_node(call | dict(changes=dict(values={"4": 0.25, "999": 1}, marks=[4, 70])))[0]
    assert drawn["values"][4] == 0.25 and drawn["marks"] == [4, 70] and len(drawn["values"]) == 100
    assert drawn["target"] == 0.25 + drawn["values"][70]
    for marks in ([4, 4], [4, 100], [-1, 4], [4], [4.5, 6]):
        [drawn] = in_node(call | dict(changes=dict(marks=marks)))[0]
        assert drawn["marks"][0] < 50 <= drawn["marks"][1]


def test_answers_are_judged_as_the_experiments_judge_them():
    target = generator().uniform(0, 1, 50)
    y = target + generator(1).normal(0, 0.05, 50)
    classes = generator(2).integers(0, 4, 50)
    outputs = np.eye(4)[classes] + generator(3).normal(0, 0.15, (50, 4))
    adding, adding_1997, order = in_node(*(
        dict(action="judge", task=task, own=OWN[task], y=answers, target=right)
        for task, answers, right in (("adding", y[:, None], target), ("adding1997", y[:, None], target),
                                     ("order1997", outputs, classes))))
    assert adding == (abs(y - target) < ap.TOLERANCE).tolist()
    assert adding_1997 == (~lstm.wrong_sequences("4", abs(y - target)[:, None])).tolist()
    assert order == (~lstm.wrong_sequences("6a", abs(outputs - np.eye(4)[classes]))).tolist()
    assert 0 < sum(adding) < 50 and 0 < sum(order) < 50


# --------------------------------------------------------------------------------------------------
# What the page holds
# --------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def text(results):
    return make_explorer.page(results)


DATA = re.compile(r'(?<=<script type="application/gzip" id="data">).*?(?=</script>)', re.DOTALL)


def json_of(text):
    return gzip.decompress(base64.b64decode(DATA.search(text)[0], validate=True)).decode()


def data_of(text):
    return json.loads(json_of(text))


@pytest.fixture(scope="module")
def data(text):
    return data_of(text)


def differences(one, other):
    """What is different in two pages. Weights may differ by rounding: those at the start of training are drawn when
    the page is made, and other processors round otherwise."""
    data = [data_of(page) for page in (one, other)]
    weights = [[stage.pop() for net in part["nets"] for copy in net["copies"] for stage in copy["stages"]]
               for part in data]
    found = [] if data[0] == data[1] else ["the data"]
    if DATA.sub("", one) != DATA.sub("", other):
        found.append("the page around them")
    for ours, theirs in zip(*weights, strict=True):
        ours, theirs = unpacked(ours), unpacked(theirs)
        if ours.keys() != theirs.keys() or any(abs(ours[name] - theirs[name]).max() > CLOSE for name in ours):
            found.append("weights")
    return found


def test_the_committed_page_is_made_from_the_committed_results(text):
    assert differences((ROOT / "explorer.html").read_text(encoding="utf-8"), text) == []


def test_a_changed_page_is_noticed(text, data):
    weights = data["nets"][0]["copies"][0]["stages"][3][2]["W_hf"][1]
    assert differences(text.replace("<h1>", "<h1>The "), text) == ["the page around them"]
    changes = (('"cap":', '"cap":1', "the data"), (weights, weights[:8] + "AAA" + weights[11:], "weights"))
    for old, new, found in changes:
        changed = gzip.compress(json_of(text).replace(old, new).encode())
        assert differences(DATA.sub(base64.b64encode(changed).decode(), text), text) == [found]


def test_the_page_needs_no_network_and_is_small(text):
    assert len(text.encode()) < 2_000_000
    code = DATA.sub("", text)
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|import|WebSocket|EventSource)\s*\(|@import|url\(", code)
    assert set(re.findall(r"https?://[\w./]+", code)) == {"http://www.w3.org/2000/svg"}  # a name, no address
    assert not re.search(r"<(?:link|script|img)[^>]+(?:src|href)=\"(?!data:)", code)
    assert code.count("<script") == code.count("</script>") == 2  # the data and the programs


def test_every_net_that_is_asked_for_is_there(data, results):
    found = {(net["task"], net["cell"]): net for net in data["nets"]}
    assert list(dict.fromkeys(net["task"] for net in data["nets"])) == list(TASKS)
    for cell in ("lstm", "rnn"):
        assert len(found["adding", cell]["copies"][0]["stages"]) >= 20
    kept = [cell for cell in ap.CELLS if (record := studies.find(results, ap.EXPERIMENT, dict(cell=cell)))
            and record.get("snapshots")]
    assert [cell for task, cell in found if task == "adding"] == kept
    assert len([net for net in data["nets"] if net["task"] == "threeBits"]) == 2
    assert len([net for net in data["nets"] if net["task"] == "latch"]) == 3
    for net in data["nets"]:
        own = json.loads(json.dumps(OWN[net["task"]]))
        assert {name: value for name, value in net["own"].items() if value is not None} == own
        for copy in net["copies"]:
            assert copy["stages"][0][0] == "before training" and len(copy["stages"]) > 1


def unpacked(packed):
    """The weights of the page as arrays."""
    import base64

    return {name: np.frombuffer(base64.b64decode(text), "<f8").reshape(shape) for name, (shape, text) in packed.items()}


def of_weights(experiment, record, weights, packed):
    """The forward pass, in double precision as the page has it, of the net of a record with some weights, which may
    come from a training in single precision; the page's are the same, bit by bit."""
    cell = experiment.build(experiment.Settings(**record["settings"] | {"dtype": "float64"}), 1)
    for name, tensor in cell.tensors(cell.theta).items():
        tensor[:] = weights[name]
        assert (unpacked(packed)[name] == tensor).all()
    return cell.forward


def test_trained_nets_of_the_page_do_what_numpys_do(results, data):
    """Every net, every stage, on a sequence of the task's own generator: the answer, and the weights bit by bit."""
    calls, wanted = [], []

    def add(net, stage, x, y):
        calls.append(dict(action="forward", x=x, net=dict(
            cell=net["cell"], weights=stage[2], reading=net.get("reading"))))
        wanted.append(y)

    for net in (net for net in data["nets"] if net["task"] == "adding"):
        record = studies.find(results, ap.EXPERIMENT, dict(cell=net["cell"]))
        x, _ = ap.make_sequences(generator(7), record["settings"]["T"], 1)
        for stage, snapshot in zip(net["copies"][0]["stages"], record["snapshots"], strict=True):
            add(net, stage, x[:, :, 0], of_weights(ap, record, snapshot["weights"], stage[2])(x)[0, :, 0])
    for net, init in zip((net for net in data["nets"] if net["task"] == "threeBits"), ("ortho", "random")):
        record = studies.find(results, rp.EXPERIMENT, dict(task="3bit_memorization", init=init))
        settings = rp.Settings(**record["settings"])
        x, _ = rp.task_of(settings).generate(generator(8), settings.sequence_len, 1)
        cell = rp.build(settings, 1)  # the start is drawn in the precision of the training
        rp.initialise(cell, settings, rp.streams(0)["init"])
        stages, both = net["copies"][0]["stages"], (cell.tensors(cell.theta), record["weights"])
        for stage, weights in zip(stages, both, strict=True):
            add(net, stage, x[:, :, 0], of_weights(rp, record, weights, stage[2])(x)[0, :, 0])
    for net, choice in zip((net for net in data["nets"] if net["task"] == "latch"), make_explorer.LATCHES.values()):
        settings = il.Settings(**choice)
        x, _ = il.make_sequences(generator(9), settings, 1)
        cell = il.build(settings, 1, settings.repeats)
        il.initialise(cell, settings, [il.streams(seed) for seed in range(settings.repeats)])
        start = cell.forward(np.repeat(x, settings.repeats, axis=2))
        for name, tensor in cell.tensors(cell.theta).items():
            tensor[:] = studies.find(results, il.EXPERIMENT, settings)["weights"][name]
        end = cell.forward(np.repeat(x, settings.repeats, axis=2))
        for r in (0, 1, 17, 29):
            for stage, y in zip(net["copies"][r]["stages"], (start, end)):
                add(net, stage, x[:, :, 0], y[:, r])
    from analysis import cells

    olds = [net for net in data["nets"] if net["cell"] == "blocks1997"]
    for net, record in zip(olds, cells.drawn(results), strict=True):
        settings, seed = lstm.Settings(**record["settings"]), record["weights"]["seed"]
        thetas = lstm.Trial(settings, seed).start(lstm.Layout(settings)), np.array(record["weights"]["theta"])
        for stage, theta in zip(net["copies"][0]["stages"], thetas, strict=True):
            call, inside_of_it = of_1997(record["settings"], seed, theta)
            assert net["reading"] == call["net"]["reading"]
            add(net, stage, call["x"], inside_of_it["y"][-1])
    worst = max(abs(np.array(steps[-1]["y"]) - y).max() for steps, y in zip(in_node(*calls), wanted, strict=True))
    assert len(calls) > 50 and worst < CLOSE


def with_a_gru(results, dtype):
    """The results with a GRU of the adding problem that was trained for a moment under the headline's settings."""
    record = ap.train(ap.Settings(cell="gru", iters=6, dtype=dtype), ap.Options(eval_every=2, snapshot_every=2))
    record = json.loads(json.dumps(record))
    record["settings"] |= dict(iters=ap.Settings().iters, dtype=ap.Settings().dtype)
    own = [other for other in results[ap.EXPERIMENT] if other["settings"] != record["settings"]]
    return dict(results) | {ap.EXPERIMENT: [*own, record]}, record


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_gru_is_offered_once_its_record_is_there(dtype, results):
    grown, record = with_a_gru(results, dtype)
    net = next(net for net in make_explorer.adding_nets(grown) if net["cell"] == "gru")
    assert [stage[0] for stage in net["copies"][0]["stages"]] == [
        "before training", "after 64 sequences", "after 128 sequences", "after 192 sequences"]
    x, _ = ap.make_sequences(generator(7), 100, 1)
    calls, wanted = [], []
    for stage, snapshot in zip(net["copies"][0]["stages"], record["snapshots"], strict=True):
        calls.append(forward("gru", unpacked(stage[2]), x[:, :, 0]))
        wanted.append(of_weights(ap, record, snapshot["weights"], stage[2])(x)[0, 0, 0])
    for steps, y in zip(in_node(*calls), wanted):
        assert abs(steps[-1]["y"][0] - y) < CLOSE
    del record["snapshots"]
    assert "gru" not in [net["cell"] for net in make_explorer.adding_nets(grown)]


def test_every_record_is_among_the_runs(results, data):
    runs = data["runs"]
    assert len(runs["records"]) == sum(len(part) for name, part in results.items() if name != "schema")
    records = {(name, make_explorer.run_name(record)): record
               for name, part in results.items() if name != "schema" for record in part}
    assert len(records) == len(runs["records"])  # no two have one name
    for place, identity, differs, named, outcome, (names, values), curves, origin, date, seconds in runs["records"]:
        final = dict(zip(runs["names"][names], values, strict=True))
        experiment = runs["experiments"][place]
        record = records[experiment["name"], identity]
        settings = experiment["common"] | differs
        assert {name: settings[name] for name in record["settings"]} == record["settings"]
        assert runs["provenance"][origin] | {"date": date, "wall_seconds": seconds} == record["provenance"]
        assert isinstance(outcome[0], str) and final["status"] == record["final"]["status"]
        for name, value in final.items():
            if isinstance(value, float):
                assert value == pytest.approx(record["final"][name], rel=1e-3)
        for study, _, command in (runs["study"][k] for k in named):
            assert study in studies.load() and command.startswith(f"python3 {experiment['name']}.py")
        if curves:
            x, columns = runs["x"][curves[0]], curves[1]
            assert len(x[1]) <= make_explorer.CURVE_POINTS
            assert {len(column) for column in columns.values()} == {len(x[1])}
            full = record["history"]
            assert x[1][-1] == pytest.approx(full[x[0]][-1], rel=1e-3)
            for name, column in columns.items():
                if name in full and full[name][-1] is not None:
                    assert column[-1] == pytest.approx(full[name][-1], rel=5e-3, abs=1e-9)
    assert sum(run[6] is not None for run in runs["records"]) > 1000


def test_every_reading_of_the_papers_rows_is_compared(results, data):
    rows, points = data["compare"]["rows"], data["compare"]["points"]
    assert [row["paper"] for row in rows] == [row.paper for row in lstm.TABLE_ROWS]
    for run in readings.runs(results):
        if run.row in lstm.TABLE_ROWS:
            [point] = [point for point in points if point["run"] == make_explorer.run_name(run.record)]
            cap = run.settings.max_sequences
            assert (point["within"], point["bound"], point["cap"]) == (run.within, run.bound, cap)
            assert point["sequences"] == run.sequences and point["reading"] == readings.reading(run.settings)
            assert point["mean"] == (round(sum(run.reached) / len(run.reached)) if run.reached else None)
    shown = {point["run"] for point in points}
    for record in results[lstm.EXPERIMENT]:  # what is not shown is the beginning of what is
        settings = lstm.Settings(**record["settings"])
        if make_explorer.of_the_paper(settings) and make_explorer.run_name(record) not in shown:
            longer = [point for point in points if lstm.TABLE_ROWS[point["row"]] == settings.row
                      and point["reading"] == readings.reading(settings) and point["cap"] > settings.max_sequences]
            assert longer
    for kinds, chosen in (({"literal"}, readings.literal), ({"literal", "changed"}, lambda run: run.papers_net)):
        reached = {point["row"] for point in points if point["solved"] and point["kind"] in kinds}
        assert len(reached) == len(readings.solved_rows(
            [run for run in readings.runs(results) if run.row in lstm.TABLE_ROWS], chosen))
    for point in points:
        assert point["command"].startswith("python3 ")


def test_a_reading_that_is_new_to_the_records_is_compared(results):
    grown = {"lstm_1997": copy_of(results["lstm_1997"])}
    record = copy_of([r for r in grown["lstm_1997"] if r["settings"]["experiment"] == "4"][0])
    record["settings"] |= dict(error_factor=1.75, lr=0.125)
    grown["lstm_1997"].append(record)
    before, after = (make_explorer.comparison(each)["points"] for each in (results, grown))
    assert len(after) == len(before) + 1
    [new] = [point for point in after if point["run"] == make_explorer.run_name(record)]
    assert new["command"] == record["provenance"]["command"]


# --------------------------------------------------------------------------------------------------
# The command
# --------------------------------------------------------------------------------------------------

def test_same_results_same_bytes(results, text, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(results))
    run = run_script("make_explorer.py", cwd=tmp_path)
    assert run.returncode == 0 and run.stdout == "explorer.html\n" and run.stderr == ""
    assert (tmp_path / "explorer.html").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("content, words", [
    (None, "is not there"), ("{", "is not valid JSON"), ("[1]", "is not a results file"),
    ('{"schema": 99}', "newer than"), ('{"schema": 1}', "adding_problem.py"),
    ('{"schema": 1, "adding_problem": [1]}', "is damaged"), ('{"nets": 3}', "is not a results file")])
def test_bad_results_are_one_line_and_leave_the_old_page(content, words, tmp_path):
    (tmp_path / "page.html").write_text("the old page")
    if content is not None:
        (tmp_path / "mine.json").write_text(content)
    run = run_script("make_explorer.py", "--results", "mine.json", "--out", "page.html", cwd=tmp_path)
    assert_bad_input(run, words)
    assert (tmp_path / "page.html").read_text() == "the old page"
    assert {path.name for path in tmp_path.iterdir()} <= {"page.html", "mine.json"}


def test_the_page_takes_no_place_of_results(tmp_path):
    (tmp_path / "mine.json").write_text('{"schema": 1}')
    run = run_script("make_explorer.py", "--results", "mine.json", "--out", "./mine.json", cwd=tmp_path)
    assert_bad_input(run, "are one file")
    assert (tmp_path / "mine.json").read_text() == '{"schema": 1}'


@pytest.mark.parametrize("part, change, words", [
    ("rnn_pathological", lambda record: record.pop("weights", None), "--keep-weights"),
    ("adding_problem", lambda record: record.pop("snapshots", None), "--snapshot-every"),
    ("information_latching", lambda record: record.pop("weights", None), "--cell srnn"),
    ("lstm_1997", lambda record: record.pop("weights", None), "Experiment 4"),
    ("lstm_1997", lambda record: record["final"].pop("sequences_to_success"), "records"),
    ("adding_problem", lambda record: record.get("history", {}).clear(), "records"),
])
def test_records_that_lack_what_is_shown_are_one_line(part, change, words, results, tmp_path, capsys):
    lacking = dict(results) | {part: copy_of(results[part])}
    for record in lacking[part]:
        change(record)
    harness.write_results(tmp_path / "r.json", lacking)
    with pytest.raises(SystemExit) as ended:
        make_explorer.main(["--results", str(tmp_path / "r.json"), "--out", str(tmp_path / "page.html")])
    output = capsys.readouterr()
    assert ended.value.code == 2 and output.out == "" and len(output.err.splitlines()) == 1 and words in output.err
    assert not (tmp_path / "page.html").exists()


def test_records_without_a_commit_or_a_known_study_are_shown(results):
    first, second = odd = copy_of(results["temporal_order_study"][:2])
    first["provenance"] = {"command": "python3 somewhere_else.py"}
    first["final"] = {"status": "diverged"}
    second["final"] = {"status": "done", "test_accuracy": None, "trials_stopped": [1, 2], "cost": 7, "more": {"a": 1}}
    second["history"] = {"update": [0, 1], "figure": [[[1, 2], None], [None, None]], "empty": []}
    del second["settings"]["init"]
    runs = make_explorer.every_run({"schema": 1, "an_experiment_of_tomorrow": odd})
    assert runs["experiments"][0]["doc"] == "" and make_explorer.purpose("temporal_order_study") != ""
    (*_, differs, _, outcome, _, _, _, _, _), other = runs["records"]
    assert outcome == ["diverged", None, None] and other[4] == ["done", None, None]
    assert (runs["experiments"][0]["common"] | other[2])["init"] is None


def test_scripts_are_valid(text):
    if shutil.which("node") is None:
        assert not os.environ.get("REQUIRE_NODE"), "node is asked for and not installed"
        pytest.skip("needs node")
    script = re.search(r"<script>\n(.*)</script>", text, re.DOTALL)[1]
    run = subprocess.run(["node", "--check", "-"], input=script, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert sys.version_info >= (3, 11)
