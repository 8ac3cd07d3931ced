# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""What one training step moves: the reuse-distance cost of an LSTM, a tanh RNN and a shortcut.

Source: the data movement distance of Smith, Goldfarb & Ding (2022), "Beyond Time Complexity: Data
Movement Complexity Analysis for Matrix Multiplication", arXiv:2203.02536, counted in bytes and
rounded up (the ByteDMD model).

Model: every value lies on one LRU stack. Reading a byte at depth d (the top byte has depth 1) costs
ceil(sqrt(d)), the length of a wire in a two-dimensional memory. Computing and writing are free, and
so are Python constants. An instruction prices all its inputs against the stack as it was, a
repeated input each time; then its inputs move to the top in the order read, each value that was
read for the last time leaves the stack, and the result goes on top. The arguments of a program lie
on the stack at the start, the first nearest the top, the elements of each in order with the last
nearest the top; what is never read is never there. What a program returns stays to the end, at no
cost.

Traced: one training step (forward, backward, clip, optimizer) on one sequence, written below as
loops over scalars in the order of the equations. The program computes real numbers while it is
recorded; a second pass prices the record.

Commands:
    python3 data_movement.py                     the LSTM on the adding problem, T = 100, 8 units
    python3 data_movement.py --model rnn --T 200    the tanh RNN on longer sequences
    python3 data_movement.py --task 3bit_memorization --model rnn   its net: 64 units, T = 60
    python3 data_movement.py --gradcheck         programs priced by hand; fast pricing against slow
    python3 reproduce.py data-movement           every step of the study

Expect: a second or two for the first command, some minutes for the study. Each step writes one
record into results.json. The cost of a step depends on the shapes, not on the numbers; that of the
scan also on where the markers stand.
"""

import array
import dataclasses
import math
import operator
import sys
import time

import numpy as np

import harness

EXPERIMENT = "data_movement"
CODE = harness.Code(__name__)
ELEMENT_BYTES = (1, 4, 8)  # every step is priced at each of these; 8 is float64
LARGEST = 10**7  # instructions in a step: some 3 GB while they are priced


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

NETS = ("lstm", "rnn")  # the models that have hidden units


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is traced: the identity of a record in results.json."""

    task: str = harness.setting(
        "adding_problem", "adding_problem (Adam) or 3bit_memorization (8 classes, heavy-ball "
        "momentum)", "task", choices=("adding_problem", "3bit_memorization"))
    T: int | None = harness.setting(
        None, "steps in a sequence", "task", kind=int, low=2, high=100_000,
        otherwise=harness.by("task", {"3bit_memorization": 60}, 100))
    model: str = harness.setting(
        "lstm", "lstm (forget gate), rnn (tanh), or a linear readout of the two marked values, "
        "whose positions are given (shortcut) or found by reading the markers (scan)", "model",
        choices=(*NETS, "shortcut", "scan"))
    hidden: int | None = harness.setting(
        None, "hidden units", "model", kind=int, low=1, high=4096,
        otherwise=harness.by("task", {"3bit_memorization": 64}, 8), needs=("model", NETS))
    weight_gradient: str | None = harness.setting(
        None, "summed each_step of the backward loop, or at_end, a weight at a time over all "
        "steps", "model", kind=str, choices=("each_step", "at_end"),
        otherwise="each_step", needs=("model", NETS))
    seed: int = harness.setting(
        0, "seed of the weights and of the sequence", "task", low=0, high=2**63 - 1)

    def __post_init__(self):
        """Fills what depends on others. Raises ValueError for settings that do not go together."""
        harness.fill(self)
        adding = self.task == "adding_problem"
        if not adding and self.T < 4:
            raise ValueError(
                f"--T {self.T} leaves no room for three bits and a query: 3bit_memorization needs 4")
        if not adding and self.model not in NETS:
            raise ValueError(f"--model {self.model} reads marked positions: it needs --task adding_problem")
        if self.model in NETS:
            columns = self.hidden + (2 if adding else 5) + 1
            instructions = 6 * self.T * self.hidden * columns * (4 if self.model == "lstm" else 1)
            if instructions > LARGEST:
                raise ValueError(f"this step has some {instructions:,} instructions: lower --T or --hidden")


Options = harness.SeedOptions


# --------------------------------------------------------------------------------------------------
# Tracer
# --------------------------------------------------------------------------------------------------

ARRAYS = (
    "partial results", "inputs", "recurrent matrix", "other weights", "recurrent gradient",
    "other gradients", "states", "deltas", "optimizer")
NOTHING = -1


class Stopped(Exception):
    """The run is to end before its step is traced and priced."""


def go_on():
    """Raises Stopped where the run is to end."""
    if harness.stopped():
        raise Stopped


class Tape:
    """The record of a program: what each instruction reads.

    A value's place is its number in the order of creation: first the arguments, the deepest on the
    stack first, then one result per instruction. first and second hold the places that an
    instruction reads, NOTHING for none.
    """

    def __init__(self):
        self.first, self.second = array.array("i"), array.array("i")
        self.arguments = 0
        self.array_of = bytearray()  # for each place an index into ARRAYS
        self.phases = []  # (name, its first instruction)

    def load(self, argument):
        """Puts an argument, a number or nested lists and dicts of numbers, on the stack. Returns it
        with Values."""
        if isinstance(argument, dict):
            return {name: self.load(part) for name, part in argument.items()}
        if isinstance(argument, (list, tuple)):
            return [self.load(part) for part in argument]
        self.arguments += 1
        self.array_of.append(0)
        return Value(argument, self.arguments - 1, self)

    def result(self, number, first, second=NOTHING):
        """Records an instruction and returns its result."""
        self.first.append(first)
        self.second.append(second)
        self.array_of.append(0)
        return Value(number, self.arguments + len(self.first) - 1, self)

    def phase(self, name):
        """The instructions from here on belong to this phase. Raises Stopped."""
        go_on()
        self.phases.append((name, len(self.first)))


def binary(operation):
    """The methods Value op other and other op Value; a number other than a Value is a constant,
    which costs nothing."""

    def method(self, other):
        if type(other) is Value:
            return self.tape.result(operation(self.number, other.number), self.place, other.place)
        return self.tape.result(operation(self.number, other), self.place)

    def reflected(self, other):
        return self.tape.result(operation(other, self.number), self.place)

    return method, reflected


class Value:
    """A number that writes each operation on it to its tape."""

    __slots__ = ("number", "place", "tape")

    def __init__(self, number, place, tape):
        self.number, self.place, self.tape = number, place, tape

    __add__, __radd__ = binary(operator.add)
    __sub__, __rsub__ = binary(operator.sub)
    __mul__, __rmul__ = binary(operator.mul)
    __truediv__, __rtruediv__ = binary(operator.truediv)

    def __bool__(self):
        self.tape.result(None, self.place)  # a test reads its value
        return bool(self.number)


def unary(function):
    """An elementary function of a Value: one instruction."""
    return lambda value: value.tape.result(function(value.number), value.place)


tanh, exp, sqrt = unary(math.tanh), unary(math.exp), unary(math.sqrt)
sigmoid = unary(lambda z: (1 + math.tanh(z / 2)) / 2)
at_most_1 = unary(lambda factor: min(1.0, factor))


def leaves(tree):
    """The Values in nested lists, tuples and dicts, in order."""
    if isinstance(tree, Value):
        yield tree
    elif isinstance(tree, (dict, list, tuple)):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(part)


def named(name, values):
    """Counts reads of these values under the name of an array. Returns the values."""
    index = ARRAYS.index(name)
    for value in leaves(values):
        value.tape.array_of[value.place] = index
    return values


def named_tensors(recurrent, others, tensors):
    """Counts reads of W_hh, gate by gate, under one name, those of the other tensors under another."""
    for name, rows in tensors.items():
        named(recurrent if name.startswith("W_h") and name != "W_hy" else others, rows)


def trace(program, *arguments):
    """Runs a program on traced arguments. Returns its tape, what it returned, and the places of that."""
    tape = Tape()
    loaded = [tape.load(argument) for argument in reversed(arguments)]  # the first ends on top
    returned = program(*reversed(loaded))
    return tape, returned, [value.place for value in leaves(returned)]


# --------------------------------------------------------------------------------------------------
# Pricing
# --------------------------------------------------------------------------------------------------

def depths_by_list(tape, returned):
    """The definition: a stack held as a list, searched for every read. Returns every read's depth,
    in elements."""
    pairs = zip(tape.first, tape.second)
    instructions = [[place for place in pair if place != NOTHING] for pair in pairs]
    last_use = {place: n for n, inputs in enumerate(instructions) for place in inputs}
    last_use |= dict.fromkeys(returned, math.inf)
    stack = [place for place in range(tape.arguments) if place in last_use]  # the top is the end
    depths = []
    for n, inputs in enumerate(instructions):
        depths += [len(stack) - stack.index(place) for place in inputs]
        for place in dict.fromkeys(inputs):
            stack.remove(place)
            if last_use[place] > n:
                stack.append(place)
        if tape.arguments + n in last_use:
            stack.append(tape.arguments + n)
    return np.array(depths, int)


def read_depths(tape, returned):
    """The same depths from sorting alone: a stay is the time that a value spends between two moves
    to the top.

    A stay starts when a value is created or moved to the top and ends at the instruction that reads
    it next. When a stay s ends, at instruction n, what lies above it are the later stays that
    started before n and have not ended before n. With stays numbered by their start that is
    started_before(n) - s - 1 minus the later stays that end before n; all of those also started
    before n. A returned value has one more stay, which never ends.

    Returns the place (int64) and the depth in elements (int64) of every read, in order, the first
    read of every instruction (int64, one more entry at the end), and the largest number of values
    on the stack. Raises Stopped.
    """
    sides = [np.frombuffer(side, np.int32) for side in (tape.first, tape.second)]
    pairs = np.stack(sides, axis=1).astype(np.int64)
    n, arguments = len(pairs), tape.arguments
    is_read = pairs != NOTHING
    moves = is_read.copy()
    moves[:, 1] &= pairs[:, 1] != pairs[:, 0]  # a repeated input moves once
    instruction, side = np.nonzero(moves)
    place = pairs[moves]

    # each read that moves ends a stay, which started at the read of the same value before this one,
    # or at its creation; times: three per instruction, its two inputs and its result
    created = np.arange(arguments + n) - arguments
    created = np.where(created < 0, created, 3 * created + 2)
    by_value = np.argsort(place, kind="stable")
    moved, value = (3 * instruction + side)[by_value], place[by_value]
    start = np.empty_like(moved)
    start[by_value] = created[value]
    start[by_value[1:]] = np.where(value[1:] == value[:-1], moved[:-1], start[by_value[1:]])
    last = created.copy()
    last[value] = moved  # of several the last, which is the latest
    kept = np.unique(np.array(returned, np.int64))
    start = np.concatenate([start, last[kept]])
    end = np.concatenate([instruction, np.full(len(kept), n)])

    order = np.argsort(start)
    start, end = start[order], end[order]
    started_before = np.searchsorted(start, 3 * np.arange(n + 1))
    ended_before = np.searchsorted(np.sort(end), np.arange(n + 1))
    depth = np.empty(len(start), np.int64)
    depth[order] = started_before[end] - np.arange(len(start)) - smaller_after(end)

    depth_of = np.zeros(pairs.shape, np.int64)
    depth_of[moves] = depth[: len(place)]
    repeated = is_read[:, 1] & ~moves[:, 1]
    depth_of[repeated, 1] = depth_of[repeated, 0]
    first_read = np.concatenate([[0], np.cumsum(is_read.sum(1))])
    return pairs[is_read], depth_of[is_read], first_read, int((started_before - ended_before).max())


def smaller_after(keys):
    """For each key the number of smaller keys after it, by a radix sort from the highest bit of the
    ranks down. Raises Stopped.

    Ranks are distinct, so every block of the sort splits into halves of equal size. Within a block a
    key of the upper half passes exactly those of the lower half that come after it.
    """
    bits = max(1, (len(keys) - 1).bit_length())
    rank = np.arange(1 << bits, dtype=np.int32)
    rank[np.argsort(keys, kind="stable")] = np.arange(len(keys))
    ranks, passed = rank[: len(keys)].copy(), np.zeros_like(rank)
    for bit in reversed(range(bits)):
        go_on()
        half = 1 << bit
        upper = (rank >> bit & 1).astype(bool)
        lower_after = half - np.cumsum(~upper.reshape(-1, 2 * half), axis=1, dtype=np.int32)
        passed[upper] += lower_after.reshape(-1)[upper]
        rank, passed = (
            np.hstack([part[~upper].reshape(-1, half), part[upper].reshape(-1, half)]).reshape(-1)
            for part in (rank, passed))
    return passed[ranks]


def element_cost(largest_depth, width):
    """Cost of reading an element of `width` bytes at each depth 0 ... largest_depth, counted in
    elements (0 at 0)."""
    byte_cost = np.ceil(np.sqrt(np.arange(1, largest_depth * width + 1))).astype(np.int64)
    return np.concatenate([[0], byte_cost.reshape(-1, width).sum(1)])


def cost(program, *arguments, width=1):
    """Cost of a program on these arguments with `width` bytes per element."""
    tape, _, returned = trace(program, *arguments)
    _, depth, _, _ = read_depths(tape, returned)
    return int(element_cost(depth.max(), width)[depth].sum())


# --------------------------------------------------------------------------------------------------
# Task
# --------------------------------------------------------------------------------------------------

# --- shared: streams ---
def streams(seed):
    """The four independent random streams of a seed: init, train, eval, display. Returns a dict of
    Generators."""
    children = np.random.SeedSequence(seed).spawn(4)
    names = ("init", "train", "eval", "display")
    return {name: np.random.Generator(np.random.PCG64(child))
            for name, child in zip(names, children)}
# --- end shared ---


def make_adding(rng, T):
    """A sequence of the adding problem: x (T, 2), values from U(-1, 1) and two markers; target (1,),
    the sum of the marked values."""
    x = np.zeros((T, 2))
    x[:, 0] = rng.uniform(-1, 1, T)
    marked = [rng.integers(0, T // 2), rng.integers(T // 2, T)]
    x[marked, 1] = 1
    return x, x[marked, 0].sum(keepdims=True)


def make_3bit_memorization(rng, T):
    """Three bits, noise of two kinds, a query at the end: x (T, 5) one-hot, target (8,) one-hot."""
    symbols = rng.integers(3, 5, T)
    bits = symbols[:3] = rng.integers(0, 2, 3)
    symbols[-1] = 2
    return np.eye(5)[symbols], np.eye(8)[bits @ (4, 2, 1)]


def initial_weights(settings, n_in, n_out, rng):
    """Named tensors, each a list of rows. The numbers do not enter the cost."""
    H = settings.hidden
    shapes = {}
    for gate in {"lstm": "oifg", "rnn": "h"}.get(settings.model, ""):
        shapes |= {f"W_h{gate}": (H, H), f"W_x{gate}": (H, n_in), f"b_{gate}": (1, H)}
    shapes |= {"W_hy": (n_out, H or 2), "b_y": (1, n_out)}  # a shortcut reads out its two values
    return {name: rng.normal(0, 0.5 * shape[1] ** -0.5, shape).tolist()
            for name, shape in shapes.items()}


# --------------------------------------------------------------------------------------------------
# Model
# --------------------------------------------------------------------------------------------------

def dot(weights, vector, start=0):
    """start + sum of weights[j] vector[j], added in order."""
    return sum((w * s for w, s in zip(weights, vector)), start)


def net_input(theta, gate, k, x, h):
    """b_k + sum_j W_h[k][j] h[j] + sum_j W_x[k][j] x[j]."""
    return dot(theta[f"W_x{gate}"][k], x, dot(theta[f"W_h{gate}"][k], h, theta[f"b_{gate}"][0][k]))


def add_weight_gradient(grad, dz, x, h):
    """dW_h += dz h^T, dW_x += dz x^T, db += dz, of one step: x_t, h_{t-1} and dz_t, gate by gate."""
    for gate in dz:
        for k, dz_k in enumerate(dz[gate]):
            for name, vector in ((f"W_h{gate}", h), (f"W_x{gate}", x)):
                row = grad[name][k]
                for j, s in enumerate(vector):
                    row[j] = row[j] + dz_k * s
            grad[f"b_{gate}"][0][k] = grad[f"b_{gate}"][0][k] + dz_k
    named_tensors("recurrent gradient", "other gradients", grad)


def weight_gradient_at_end(grad, dz, x, h):
    """The same sums, a weight at a time over all steps. dz, x and h are lists over the steps."""
    for gate in dz[0]:
        for k in range(len(dz[0][gate])):
            column = [dz_t[gate][k] for dz_t in dz]
            for name, vectors in ((f"W_h{gate}", h), (f"W_x{gate}", x)):
                grad[name][k] = [dot(column, over_time) for over_time in zip(*vectors)]
            grad[f"b_{gate}"][0][k] = sum(column)
    named_tensors("recurrent gradient", "other gradients", grad)


def rnn_forward(theta, x):
    """h_t = tanh(W_hh h_{t-1} + W_xh x_t + b_h). Returns the states h_0 = 0, ..., h_T."""
    H = len(theta["W_hh"])
    states = [[0.0] * H]  # constants
    for x_t in x:
        h = [tanh(net_input(theta, "h", k, x_t, states[-1])) for k in range(H)]
        states.append(named("states", h))
    return states


def rnn_backward(theta, states, dh):
    """Yields t and dL/dz_t, from the last step to the first, from dh = dL/dh_T."""
    units = range(len(dh))
    for t in reversed(range(len(states) - 1)):
        h = states[t + 1]
        dz = named("deltas", [dh[k] * (1 - h[k] * h[k]) for k in units])
        yield t, {"h": dz}
        dh = named("deltas", [dot([theta["W_hh"][k][j] for k in units], dz) for j in units])


def lstm_forward(theta, x):
    """c_t = i_t g_t + f_t c_{t-1}, h_t = o_t tanh(c_t). Returns h, c and o, i, f, g, tanh(c) of
    every step."""
    units = range(len(theta["W_hi"]))
    h, c, gates = [[0.0] * len(units)], [[0.0] * len(units)], []
    for x_t in x:
        z = {gate: [net_input(theta, gate, k, x_t, h[-1]) for k in units] for gate in "oifg"}
        o, i, f = ([sigmoid(z_k) for z_k in z[gate]] for gate in "oif")
        g = [tanh(z_k) for z_k in z["g"]]
        c.append([i[k] * g[k] + f[k] * c[-1][k] for k in units])
        tanh_c = [tanh(c_k) for c_k in c[-1]]
        h.append([o[k] * tanh_c[k] for k in units])
        gates.append(named("states", (o, i, f, g, tanh_c)))
    named("states", (h, c))
    return h, c, gates


def lstm_backward(theta, c, gates, dh):
    """Yields t and dL/dz_t, gate by gate, from the last step to the first, from dh = dL/dh_T."""
    units = range(len(dh))
    dc = [0.0] * len(units)
    for t in reversed(range(len(gates))):
        o, i, f, g, tanh_c = gates[t]
        dz = {gate: [None] * len(units) for gate in "oifg"}
        for k in units:
            dz["o"][k] = dh[k] * tanh_c[k] * (o[k] * (1 - o[k]))
            dc_k = dc[k] + dh[k] * o[k] * (1 - tanh_c[k] * tanh_c[k])
            dz["i"][k] = dc_k * g[k] * (i[k] * (1 - i[k]))
            dz["f"][k] = dc_k * c[t][k] * (f[k] * (1 - f[k]))
            dz["g"][k] = dc_k * i[k] * (1 - g[k] * g[k])
            dc[k] = dc_k * f[k]
        named("deltas", (dz, dc))
        yield t, dz
        columns = ([theta[f"W_h{gate}"][k][j] for gate in "oifg" for k in units] for j in units)
        dz_all = [dz_k for gate in "oifg" for dz_k in dz[gate]]
        dh = named("deltas", [dot(column, dz_all) for column in columns])


def readout_forward(theta, s):
    """y = W_hy s + b_y."""
    return [dot(row, s, b) for row, b in zip(theta["W_hy"], theta["b_y"][0])]


def readout_backward(s, dy, grad):
    """dW_hy = dy s^T, db_y = dy, from dy = dL/dy."""
    grad["W_hy"] = named("other gradients", [[dy_k * s_j for s_j in s] for dy_k in dy])
    grad["b_y"] = named("other gradients", [[0.0 + dy_k for dy_k in dy]])


def readout_input_gradient(theta, dy):
    """dL/dh_T = W_hy^T dy."""
    return named("deltas", [dot(column, dy) for column in zip(*theta["W_hy"])])


def squared_error(y, target):
    """L = half the squared error. Returns L and dL/dy."""
    error = [y_k - target_k for y_k, target_k in zip(y, target)]
    return 0.5 * dot(error, error), error


def cross_entropy(y, target):
    """Softmax with cross-entropy, without subtracting the largest y first. Returns p and dL/dy =
    p - target."""
    e = [exp(y_k) for y_k in y]
    total = sum(e)
    p = [e_k / total for e_k in e]
    return p, [p_k - target_k for p_k, target_k in zip(p, target)]


# --------------------------------------------------------------------------------------------------
# Optimizer
# --------------------------------------------------------------------------------------------------

def elements(tree):
    """(row, column) of every element of named tensors: the list that holds it and its index in that."""
    return [(row, j) for rows in tree.values() for row in rows for j in range(len(row))]


def clip_norm(grad, limit=1.0):
    """Scales the gradient to an L2 norm of at most limit; a factor of 1 is multiplied all the same."""
    norm = sqrt(sum(row[j] * row[j] for row, j in elements(grad)))
    factor = at_most_1(limit / norm)
    for row, j in elements(grad):
        row[j] = row[j] * factor
    named_tensors("recurrent gradient", "other gradients", grad)


def adam(theta, grad, m, v, lr=5e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=1):
    """A step of Adam (Kingma & Ba 2015), element by element, in place."""
    for (weights, j), (g, _), (m_row, _), (v_row, _) in zip(*map(elements, (theta, grad, m, v))):
        m_row[j] = m_row[j] + (1 - beta1) * (g[j] - m_row[j])
        v_row[j] = v_row[j] + (1 - beta2) * (g[j] * g[j] - v_row[j])
        m_hat, v_hat = m_row[j] / (1 - beta1**t), v_row[j] / (1 - beta2**t)
        weights[j] = weights[j] - lr * m_hat / (sqrt(v_hat) + epsilon)
    named("optimizer", (m, v))


def heavy_ball(theta, grad, v, lr=0.01, momentum=0.9):
    """v <- momentum v - lr grad, theta <- theta + v, element by element, in place."""
    for (weights, j), (g, _), (v_row, _) in zip(*map(elements, (theta, grad, v))):
        v_row[j] = momentum * v_row[j] - lr * g[j]
        weights[j] = weights[j] + v_row[j]
    named("optimizer", v)


# --------------------------------------------------------------------------------------------------
# Training step
# --------------------------------------------------------------------------------------------------

def training_step(model, x, target, theta, *state, loss=squared_error, optimizer=adam, at_end=False,
                  positions=None):
    """Forward, backward, clip, optimizer. Returns the loss, the new weights and the optimizer's new
    state. Raises Stopped.

    The sequence is x, a list of steps, and target; state is m and v of Adam or the velocity of the
    heavy ball. at_end: when the weight gradient is summed; positions: the marked steps, for the
    shortcut.
    """
    tape = x[0][0].tape
    named("inputs", (x, target))
    named_tensors("recurrent matrix", "other weights", theta)
    named("optimizer", state)

    tape.phase("forward")
    if model == "lstm":
        h, c, gates = lstm_forward(theta, x)
    elif model == "rnn":
        h = rnn_forward(theta, x)
    else:
        h = [[x[t][0] for t in (positions if model == "shortcut" else marked_positions(x))]]
    last = h[-1]
    value, dy = loss(readout_forward(theta, last), target)

    tape.phase("backward")
    grad = {name: [[0.0] * len(row) for row in rows] for name, rows in theta.items()}
    named("deltas", dy)
    readout_backward(last, dy, grad)
    if model in NETS:
        dh = readout_input_gradient(theta, dy)
        backward = rnn_backward(theta, h, dh)
        if model == "lstm":
            backward = lstm_backward(theta, c, gates, dh)
        if at_end:
            dz = [dz_t for _, dz_t in backward][::-1]
            weight_gradient_at_end(grad, dz, x, h[:-1])
        else:
            for t, dz_t in backward:
                add_weight_gradient(grad, dz_t, x[t], h[t])

    tape.phase("clip")
    clip_norm(grad)
    tape.phase("optimizer")
    optimizer(theta, grad, *state)
    return value, theta, *state


def marked_positions(x):
    """The marked steps, by reading every marker."""
    return [t for t, (_, marker) in enumerate(x) if marker]


def traced_step(settings):
    """The record of one training step: its tape, what it returned, and the places of that."""
    rng = streams(settings.seed)
    adding = settings.task == "adding_problem"
    x, target = (make_adding if adding else make_3bit_memorization)(rng["train"], settings.T)
    theta = initial_weights(settings, x.shape[1], len(target), rng["init"])
    zeros = {name: [[0.0] * len(row) for row in rows] for name, rows in theta.items()}
    state = [zeros, zeros] if adding else [zeros]
    options = dict(at_end=settings.weight_gradient == "at_end")
    if adding:
        options |= dict(positions=np.flatnonzero(x[:, 1]))
    else:
        options |= dict(loss=cross_entropy, optimizer=heavy_ball)

    def program(*arguments):
        return training_step(settings.model, *arguments, **options)

    return trace(program, x.tolist(), target.tolist(), theta, *state)


# --------------------------------------------------------------------------------------------------
# Results record
# --------------------------------------------------------------------------------------------------

def price(tape, returned, places):
    """The final figures of a traced step: reads, depths and cost, in all, by phase, by array and by
    octave of depth. Raises Stopped."""
    place, depth, first_read, most_live = read_depths(tape, places)
    widths = {str(width): element_cost(depth.max(), width)[depth] for width in ELEMENT_BYTES}
    array_of = np.frombuffer(tape.array_of, np.uint8)[place]

    def figures(chosen):
        reads = int(chosen.sum())
        return {
            "reads": reads, "mean_depth_elements": float(depth[chosen].mean()) if reads else None,
            "cost": {width: int(costs[chosen].sum()) for width, costs in widths.items()}}

    ends = [first_read[instruction] for _, instruction in tape.phases[1:]]
    phase_of = np.searchsorted(ends, np.arange(len(depth)), side="right")
    phases = {name: figures(phase_of == k) for k, (name, _) in enumerate(tape.phases)}
    octave = np.frexp(depth)[1] - 1  # depths 1, 2-3, 4-7, ...
    in_table = len(ARRAYS) * octave + array_of

    def by_octave(weights):
        counts = np.bincount(in_table, weights, minlength=len(ARRAYS) * (octave.max() + 1))
        return dict(zip(ARRAYS, counts.astype(int).reshape(-1, len(ARRAYS)).T.tolist()))

    weights = sum(1 for _ in leaves(returned[1]))
    return {"weights": weights, "instructions": len(tape.first)} | figures(depth > 0) | {
        "most_live_elements": most_live,
        "phases": phases,
        "arrays": {name: figures(array_of == k) for k, name in enumerate(ARRAYS)},
        "reads_by_octave_of_depth": by_octave(np.ones(len(depth))),
        "cost_by_octave_of_depth": by_octave(widths["8"]),
    }


def train(settings, options, quiet=True):
    """Traces and prices one training step. Returns its record: settings, final and provenance; None
    if it was stopped, as nothing of it can be kept."""
    start, progress = time.perf_counter(), harness.Progress(2, quiet)
    try:
        tape, returned, places = traced_step(settings)
        progress(1, f"traced {len(tape.first):,} instructions")
        final = price(tape, returned, places)
        progress(2, f"priced {final['reads']:,} reads")
    except Stopped:
        return None
    finally:
        progress.close()
    return {"settings": dataclasses.asdict(settings), "final": {"status": "done"} | final,
            "provenance": harness.provenance(CODE, time.perf_counter() - start)}


# --------------------------------------------------------------------------------------------------
# Check
# --------------------------------------------------------------------------------------------------

def matrix_vector(A, x):
    return [A[0][0] * x[0] + A[0][1] * x[1], A[1][0] * x[0] + A[1][1] * x[1]]


WORKED_BY_HAND = (  # name, program, arguments, cost with one byte per element
    ("(a + b) + c", lambda a, b, c: (a + b) + c, (1, 2, 3), 6),
    ("c c + a of (a, b, c)", lambda a, b, c: c * c + a, (1, 2, 3), 7),
    ("sum of 4 elements", sum, ([1, 2, 3, 4],), 11),
    ("dot product of two 2-vectors", dot, ([1, 2], [3, 4]), 12),
    ("2 x 2 matrix times vector", matrix_vector, ([[1, 2], [3, 4]], [5, 6]), 26),
)


def gradcheck_all():
    """Programs priced by hand, and the fast pricing of small training steps against the definition.
    Returns the exit code."""
    passed = True
    for name, program, arguments, by_hand in WORKED_BY_HAND:
        found = cost(program, *arguments)
        passed &= found == by_hand
        words = "ok" if found == by_hand else "FAILED"
        harness.say(f"{name}: {found}, by hand {by_hand}: {words}")
    steps = [Settings(T=8, model=model, hidden=3, weight_gradient=when)
             for model in NETS for when in ("each_step", "at_end")]
    steps += [Settings(T=8, model=model) for model in ("shortcut", "scan")]
    steps.append(Settings(task="3bit_memorization", model="rnn", T=8, hidden=3))
    for settings in steps:
        tape, _, returned = traced_step(settings)
        _, depth, _, _ = read_depths(tape, returned)
        equal = np.array_equal(depth, depths_by_list(tape, returned))
        passed &= equal
        name = f"{settings.model}, {settings.task}"
        if settings.weight_gradient:
            name += f", weight gradient {settings.weight_gradient}"
        harness.say(f"{name}: {len(tape.first)} instructions, depths against a list scan: "
                    f"{'ok' if equal else 'FAILED'}")
    return 0 if passed else 1


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def summary(record):
    """One line on a step."""
    settings, final = record["settings"], record["final"]
    words = f"{settings['task']} {settings['model']} T={settings['T']}"
    if settings["hidden"]:
        words += f" hidden={settings['hidden']}"
    if settings["weight_gradient"] == "at_end":
        words += " weight gradient at end"
    share = final["arrays"]["recurrent matrix"]["cost"]["8"] / final["cost"]["8"]
    return (f"{words}: cost {final['cost']['8']:,} (8-byte elements), {final['reads']:,} reads, "
            f"mean depth {final['mean_depth_elements']:.1f} elements, recurrent matrix {share:.1%} "
            f"of the cost, {record['provenance']['wall_seconds']:.1f} s")


def main(argv=None):
    parser = harness.experiment_parser(__doc__, Settings, Options, checks="the pricing")
    args = parser.parse_args(argv)
    runs, options = harness.runs_of(parser, args, Settings), harness.from_flags(Options, args)
    if args.gradcheck:
        return gradcheck_all()
    calls = [(settings, options, options.quiet or len(runs) > 1) for settings in runs]
    return harness.run_and_save(CODE, train, calls, options, summary)


if __name__ == "__main__":
    sys.exit(main())
