"""Tables and sentences of the data movement of a training step."""

import numpy as np

import data_movement as dm
import studies
from analysis import claim
from studies.data_movement import LENGTHS
from tables.writing import markdown

HIDDEN = (2, 4, 8, 16, 32)
MODELS = (("LSTM, 8 units", {"model": "lstm"}), ("tanh RNN, 8 units", {"model": "rnn"}),
          ("marked values, markers read", {"model": "scan"}), ("marked values, positions given", {"model": "shortcut"}))
WHEN = (("each_step", "at each step"), ("at_end", "at the end"))
PATHOLOGICAL = (("tanh RNN, 64 units", {"model": "rnn"}), ("LSTM, 64 units", {"model": "lstm"}))


def final(results, **changes):
    """The final figures of the step with these settings. KeyError if there is none."""
    record = studies.find(results, "data_movement", changes)
    if record is None:
        raise KeyError(f"results.json has no step of {changes}")
    return record["final"]


def pathological(results, model):
    return final(results, task="3bit_memorization", model=model)


def exponent(lengths, values):
    """Slope of log(value) on log(length) by least squares."""
    return float(np.polyfit(np.log(lengths), np.log(values), 1)[0])


def share(figures, array):
    return figures["arrays"][array]["cost"]["8"] / figures["cost"]["8"]


def plain(number):
    """Two decimals, without the sign of a zero."""
    return f"{number + 0.0:.2f}" if abs(number) >= 0.005 else "0.00"


def short(number):
    """Three digits from 10,000 on, with k for thousand and M for million."""
    if number < 10_000:
        return f"{number:,}"
    digits = 2 - int(np.log10(number))  # places behind the point of the last one that is kept
    size, letter = (1e6, "M") if number >= 1e6 else (1e3, "k")
    return f"{round(number, digits) / size:,.{max(0, digits + int(np.log10(size)))}f}{letter}"


def front(results):
    """The answer in one sentence."""
    lstm = final(results)
    both = share(lstm, "recurrent matrix") + share(lstm, "recurrent gradient")
    claim(0.5 < both < 0.6, "the recurrent matrix and its gradient take more than half")
    return f"The recurrent matrix and its gradient, summed every step: {both:.0%} of the 8-unit LSTM's cost at T = 100."


def costs(results):
    """Cost against T, with the exponent over all lengths and over the last doubling."""
    rows = []
    for name, changes in MODELS:
        cost = [final(results, T=T, **changes)["cost"]["8"] for T in LENGTHS]
        rows.append([name, *map(short, cost), plain(exponent(LENGTHS, cost)),
                     plain(exponent(LENGTHS[-2:], cost[-2:]))])
    return markdown(
        ["one training step, 8-byte elements", *(f"T = {T}" for T in LENGTHS), "exponent in T", "400 to 800"], rows)


def steps(results):
    """T = 100 and the pathological nets: reads, depth, cost at three element sizes."""
    lines = [(f"{name}, T = 100", final(results, **changes)) for name, changes in MODELS]
    lines += [(f"{name}, T = 60", pathological(results, **changes)) for name, changes in PATHOLOGICAL]
    rows = []
    for name, figures in lines:
        cost = [short(figures["cost"][width]) for width in ("1", "4", "8")]
        rows.append([name, f"{figures['weights']:,}", short(figures["instructions"]), short(figures["reads"]),
                     short(round(figures["mean_depth_elements"])), short(figures["most_live_elements"]), *cost])
    return markdown(
        ["one training step", "weights", "instructions", "reads", "mean depth, elements",
         "most elements on the stack", "cost, 1 byte", "4 bytes", "8 bytes"], rows)


def arrays(results):
    """Share of cost and of reads, and mean depth, by array."""
    lines = [("LSTM, 8 units, T = 100", final(results)), ("tanh RNN, 8 units, T = 100", final(results, model="rnn")),
             ("tanh RNN, 64 units, T = 60", pathological(results, "rnn"))]
    rows = []
    for array in sorted(dm.ARRAYS, key=lambda name: -share(lines[0][1], name)):
        cells = [f"{share(figures, array):.1%}, {figures['arrays'][array]['reads'] / figures['reads']:.1%}, "
                 f"{figures['arrays'][array]['mean_depth_elements']:,.0f}" for _, figures in lines]
        rows.append([array, *cells])
    return markdown(["reads of", *(f"{name}: cost, reads, mean depth" for name, _ in lines)], rows)


def phases(results):
    lines = [("LSTM, 8 units, T = 100", final(results)), ("tanh RNN, 8 units, T = 100", final(results, model="rnn")),
             ("tanh RNN, 64 units, T = 60", pathological(results, "rnn")),
             ("LSTM, 64 units, T = 60", pathological(results, "lstm"))]
    names, rows = ("forward", "backward", "clip", "optimizer"), []
    for name, figures in lines:
        parts = (figures["phases"][phase]["cost"]["8"] / figures["cost"]["8"] for phase in names)
        rows.append([name, *(f"{part:.1%}" for part in parts)])
    return markdown(["share of the cost", *names], rows)


def hidden(results):
    """Cost and shares against the number of hidden units."""
    rows = []
    for name, model in (("LSTM", "lstm"), ("tanh RNN", "rnn")):
        figures = [final(results, model=model, hidden=H) for H in HIDDEN]
        cost = [entry["cost"]["8"] for entry in figures]
        matrix = [share(entry, "recurrent matrix") for entry in figures]
        both = [part + share(entry, "recurrent gradient") for part, entry in zip(matrix, figures)]
        rows += [
            [f"{name}: cost", *map(short, cost), plain(exponent(HIDDEN[-2:], cost[-2:]))],
            [f"{name}: recurrent matrix", *(f"{part:.1%}" for part in matrix), None],
            [f"{name}: recurrent matrix and its gradient", *(f"{part:.1%}" for part in both), None]]
    return markdown(["T = 100, 8-byte elements", *(f"{H} units" for H in HIDDEN), "exponent, 16 to 32"], rows)


def order(results):
    """The weight gradient summed at each step or at the end."""
    rows, wide = [], []
    for name, model in (("LSTM", "lstm"), ("tanh RNN", "rnn")):
        for when, words in WHEN:
            figures = [final(results, model=model, T=T, weight_gradient=when) for T in LENGTHS]
            cost = [entry["cost"]["8"] for entry in figures]
            rows.append([f"{name}, {words}: cost", *map(short, cost),
                         plain(exponent(LENGTHS[-2:], cost[-2:]))])
            matrix = (f"{share(entry, 'recurrent matrix'):.1%}" for entry in figures)
            rows.append([f"{name}, {words}: recurrent matrix", *matrix, None])
    for when, words in WHEN:
        figures = final(results, task="3bit_memorization", model="rnn", weight_gradient=when)
        parts = (share(figures, array) for array in ("recurrent matrix", "recurrent gradient", "states", "deltas"))
        wide.append([f"tanh RNN, {words}", short(figures["cost"]["8"]), short(round(figures["mean_depth_elements"])),
                     *(f"{part:.1%}" for part in parts)])
    return "\n\n".join([
        markdown(["8 units, weight gradient summed", *(f"T = {T}" for T in LENGTHS), "exponent, 400 to 800"], rows),
        markdown(["64 units, T = 60, weight gradient summed", "cost", "mean depth of a read, elements",
                  "recurrent matrix", "recurrent gradient", "states", "deltas"], wide)])


def answer(results):
    """The answer, for both orders of the sums."""
    def settings(order):
        return ({"weight_gradient": order}, {"model": "rnn", "weight_gradient": order},
                {"task": "3bit_memorization", "model": "rnn", "weight_gradient": order})

    early, late = ([final(results, **changes) for changes in settings(order)] for order, _ in WHEN)
    every = [*early, pathological(results, "lstm")]
    scan = final(results, model="scan")["cost"]["8"]
    given = {final(results, T=T, model="shortcut")["cost"]["8"] for T in LENGTHS}
    claim(len(given) == 1, "the cost of the readout with given positions does not grow")

    def slopes(order, lengths):
        return [exponent(lengths, [final(results, T=T, model=model, weight_gradient=order)["cost"]["8"] for T in lengths])
                for model in ("lstm", "rnn")]

    growth, faster = slopes("each_step", LENGTHS), slopes("at_end", LENGTHS[-2:])
    claim(all(abs(slope - 1) < 0.03 for slope in growth), "summed at each step the nets' cost grows as T")
    claim(min(faster) > 1.2, "summed at the end it grows faster")

    def shares(figures, *names):
        return [sum(share(one, name) for name in names) for one in figures]

    matrix, both = shares(every, "recurrent matrix"), shares(every, "recurrent matrix", "recurrent gradient")
    after = shares(late, "recurrent matrix", "recurrent gradient")
    states = shares(late, "states")
    claim(largest(early[0]) == largest(early[1]) == largest(early[2]) == largest(every[3]) == "recurrent matrix",
          "summed at each step the recurrent matrix is the largest part")
    claim(max(matrix[:2]) < 0.4 and all(abs(part - 0.5) < 0.05 for part in matrix[2:]),
          "it takes a third or less with 8 units and about half with 64")
    claim([largest(figures) for figures in late] == ["states", "states", "recurrent matrix"],
          "summed at the end the states are the largest part with 8 units")
    two = {model: largest(final(results, model=model, hidden=2)) for model in ("lstm", "rnn")}
    claim(two == {"lstm": "states", "rnn": "inputs"}, "with 2 units states or inputs exceed the matrix")
    traced = {key: share(figures, "recurrent matrix") for key, figures in nets(results).items()}
    lowest, highest = min(traced.values()), max(traced.values())
    claim(min(traced, key=traced.get) == ("rnn", 800, "at_end"), "the least share is the tanh RNN's at T = 800")
    claim(highest < 0.55, "in no step that was traced it dominates")
    return "\n".join((
        f"- At T = 100 one training step costs {million(early[0])} (8-unit LSTM) and "
        f"{million(early[1])} (8-unit tanh RNN) with the weight gradient summed at each step, "
        f"{million(late[0])} and {million(late[1])} if at the end. A readout of the two "
        f"marked values costs {scan / 1e3:.0f} thousand if it reads every marker, {min(given):,} if "
        "it is told where they are.",
        "- Summed at each step, the nets' cost grows as T (fitted powers "
        f"{growth[0]:.2f} and {growth[1]:.2f}); summed at the end it grows faster (from T = 400 to "
        f"800 with powers of {faster[0]:.2f} and {faster[1]:.2f}). That of the last readout does "
        "not grow.",
        f"- Summed at each step, the recurrent matrix is the largest of {len(dm.ARRAYS)} parts "
        f"and takes a third to a half: {matrix[0]:.0%} in the LSTM and {matrix[1]:.0%} in the "
        f"tanh RNN of 8 units, {matrix[2]:.0%} and {matrix[3]:.0%} in the pathological tanh RNN and "
        f"an LSTM of 64; with its gradient {both[0]:.0%}, {both[1]:.0%}, {both[2]:.0%} and "
        f"{both[3]:.0%}. With 2 units states or inputs exceed it.",
        f"- Summed at the end, matrix and gradient together have {after[0]:.0%}, {after[1]:.0%} "
        f"and {after[2]:.0%} in the first three (the last was not traced so), the states "
        f"{states[0]:.0%}, {states[1]:.0%} and {states[2]:.0%}.",
        f"- Over all steps of the nets that were traced, the share of the matrix goes from "
        f"{lowest:.1%} (8-unit tanh RNN, T = 800, summed at the end) to {highest:.0%}."))


def largest(figures):
    """The array whose reads cost most."""
    return max(dm.ARRAYS, key=lambda name: share(figures, name))


def nets(results):
    """The figures of all steps of the two nets: {(model, T, weight_gradient): final}, and the hidden
    units where they are not 8."""
    found = {}
    for record in results["data_movement"]:
        settings = record["settings"]
        if settings["model"] in ("lstm", "rnn"):
            other = () if settings["hidden"] == 8 else (settings["hidden"],)
            found[settings["model"], settings["T"], settings["weight_gradient"], *other] = record["final"]
    return found


def million(figures):
    """The cost of a step in words."""
    return f"{figures['cost']['8'] / 1e6:.0f} million"


def stays(results):
    """How the mean depth of reads depends on T, array by array."""
    def depth(T, array):
        return final(results, T=T)["arrays"][array]["mean_depth_elements"]

    states, matrix, inputs = ([depth(T, array) for T in (25, 800)] for array in ("states", "recurrent matrix", "inputs"))
    others = [array for array in dm.ARRAYS if array != "inputs"]
    live = [final(results, T=T)["most_live_elements"] for T in (25, 800)]
    claim(all(depth(800, array) < 1.15 * depth(25, array) for array in others), "the inputs alone sink")
    claim(max(max(part) / min(part) for part in (states, matrix)) < 1.05, "states and matrix stay where they are")
    return (
        "With the weight gradient summed at each step, backpropagation through time fits an LRU "
        "stack. From T = 25 to T = 800 the LSTM's stack "
        f"grows from {short(live[0])} to {short(live[1])} elements, yet a read of a stored state "
        f"or gate finds it at a mean depth of {states[0]:.0f} and {states[1]:.0f}: the backward "
        "pass asks for the states in the reverse of the order in which they were laid down. The "
        f"recurrent matrix stays at {matrix[0]:.0f} and {matrix[1]:.0f}, because all of it is "
        f"read once a step. The inputs sink, from {inputs[0]:.0f} to {inputs[1]:.0f}: the first "
        "one to be read lies below all the other inputs. No other array's mean depth grows by "
        "more than 15%.")


def pathological_sentence(results):
    rnn, lstm, small = pathological(results, "rnn"), pathological(results, "lstm"), final(results)
    ratio = lstm["cost"]["8"] / rnn["cost"]["8"]
    rnn_matrix, lstm_matrix = (figures["arrays"]["recurrent matrix"] for figures in (rnn, lstm))
    return (
        "One training step of the pathological tanh RNN (64 units, 3-bit memorization, T = 60, "
        f"one sequence) costs {rnn['cost']['8'] / 1e9:.2f} billion with 8-byte elements, "
        f"{rnn['cost']['8'] / rnn['reads']:.0f} a read; the LSTM of the same width costs "
        f"{ratio:.1f} times as much for {lstm['reads'] / rnn['reads']:.1f} times the reads, "
        "because its matrices lie deeper (a mean of "
        f"{short(round(lstm_matrix['mean_depth_elements']))} elements against "
        f"{short(round(rnn_matrix['mean_depth_elements']))}). The 8-unit LSTM on the adding "
        f"problem pays {small['cost']['8'] / small['reads']:.0f} a read.")


TABLES = {
    "front:movement": front,
    "data_movement:costs": costs,
    "data_movement:steps": steps,
    "data_movement:arrays": arrays,
    "data_movement:phases": phases,
    "data_movement:hidden": hidden,
    "data_movement:order": order,
    "data_movement:answer": answer,
    "data_movement:stays": stays,
    "data_movement:pathological": pathological_sentence,
}
