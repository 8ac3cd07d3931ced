# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "matplotlib>=3.8"]
# ///
"""Pictures of lstm_1997.py from results.json, into viz/: paper_vs_ours, scaling_2c, cec, error_flow,
complexity, first_weights.

    python3 visualize_lstm_1997.py --outdir viz

Nothing is trained here. If the record behind cec.png is missing, the experiment's own command runs first. Rows that
have not been run show the paper's figure alone.
"""

import json
import shlex
import sys
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

import lstm_1997 as lstm
import studies_lstm_1997 as studies
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, plt, run_first, save, writable_folder

ADDING = dict(experiment="4", T=100, **studies.ADDING, max_sequences=200_000)
ORDER = dict(experiment="6a")


def complete(path):
    """The records by Settings, with those behind cec.png: the experiment's own command is run first if one is missing.

    Raises ResultsError for an unusable file, SystemExit with the exit code if a run fails.
    """
    records = studies.by_settings(lstm.read_results(path))
    for choice in (ADDING, ORDER):
        if lstm.Settings(**choice) not in records:
            command = studies.command(choice)
            print(f"no record yet, running: {command}", flush=True)
            run_first(lstm.__file__, *shlex.split(command)[2:], "--out", path)
            records = studies.by_settings(lstm.read_results(path))
    return records


# --- paper_vs_ours.png ------------------------------------------------------------------------------------------------


def label_of(line):
    """A row of the paper in a few characters."""
    words = [f"{line.experiment}"]
    if line.experiment == "1":
        words.append(f"{line.blocks} blocks, rate {line.lr:g}")
    words += [f"{name} = {getattr(line, name)}" for name in ("T", "N", "q", "p") if getattr(line, name) is not None]
    return f"{words[0]:3s} {', '.join(words[1:]):18s}"


def matching(line, records):
    """Of a row of the paper the literal records and those with named changes, most trials stopped first."""
    wanted = {lstm.Settings(**run) for run in studies.ROWS}
    own = [(row, record) for row, record in records.items() if row in wanted and row.line is line]
    own.sort(key=lambda pair: -pair[1]["final"]["trials_stopped"])
    literal = [pair for pair in own if pair[0].reading in studies.LITERAL]
    return literal, [pair for pair in own if pair not in literal]


def median_of(row, record):
    """Median of the sequences to success with the trials that do not stop counted as larger; None if above the cap."""
    median = np.median([np.inf if n is None else n for n in record["final"]["sequences_to_success"]])
    return median if median < np.inf else None


def paper_vs_ours(records):
    figure, axis = plt.subplots(figsize=(10.5, 12), layout="constrained")
    for k, line in enumerate(lstm.LINES):
        y = len(lstm.LINES) - k
        if k % 2:
            axis.axhspan(y - 0.5, y + 0.5, color="#f3f3f3", zorder=0)
        axis.plot(line.paper, y, "D", color=BLACK, markersize=6, zorder=4)
        literal, changed = matching(line, records)
        for offset, color, pairs in ((0.18, BLUE, literal), (-0.18, ORANGE, changed)):
            if pairs:
                draw_row(axis, y + offset, color, *pairs[0])
        if not literal and not changed:
            axis.text(line.paper * 1.25, y, "not run yet", va="center", fontsize=8, color="#777777", style="italic")
    axis.set_xscale("log")
    axis.set_xlim(1.5e3, 6e6)
    axis.set_ylim(0.4, len(lstm.LINES) + 0.6)
    axis.set_yticks(range(len(lstm.LINES), 0, -1), [label_of(line) for line in lstm.LINES], fontfamily="monospace")
    axis.set_xlabel("training sequences until the paper's stopping criterion")
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    figure.legend(
        handles=[
            Line2D([], [], marker="D", color=BLACK, linestyle="", label="paper, mean"),
            Line2D([], [], marker="o", color=BLUE,
                   label="ours, literal: median of all trials, range of those that stop"),
            Line2D([], [], marker="o", color=ORANGE, label="ours, with a named change: the same"),
            Line2D([], [], marker=">", color=BLUE, linestyle="", mfc="none",
                   label="cap, where some trials do not stop; no dot: the median is above it")],
        loc="outside lower center", ncol=2)
    axis.set_title("Hochreiter & Schmidhuber (1997), Tables 1 to 9: every LSTM row")
    return figure


def draw_row(axis, y, color, row, record):
    """Range of the trials that stop, median of all; the cap as an arrow and the count if not all stop."""
    reached = [n for n in record["final"]["sequences_to_success"] if n is not None]
    median = median_of(row, record)
    if reached:
        axis.plot([min(reached), max(reached)], [y, y], color=color, linewidth=2, solid_capstyle="round", zorder=3)
    if median is not None:
        axis.plot(median, y, "o", color=color, markersize=5, zorder=5)
    if len(reached) < row.trials:
        words = f"{len(reached)} of {row.trials}" + ("" if reached else ", not reached")
        axis.plot(row.max_sequences, y, ">", color=color, markersize=6, markerfacecolor="none", zorder=3)
        axis.text(row.max_sequences * 1.13, y, words, va="center", fontsize=7, color=color)


# --- scaling_2c.png ---------------------------------------------------------------------------------------------------


def scaling_2c(records):
    figure, axes = plt.subplots(1, 2, figsize=(11, 6), sharey=True, layout="constrained")
    lines = [line for line in lstm.LINES if line.experiment == "2c"]
    panels = (
        ([line for line in lines if line.p == line.q], lambda line: line.q,
         "q: distractors before the trigger, at least (p = q symbols)"),
        ([line for line in lines if line.q == 1000], lambda line: line.q // line.p,
         "q / p at q = 1000: how often each distractor returns"))
    for axis, (chosen, place, name) in zip(axes, panels):
        axis.plot([place(line) for line in chosen], [line.paper for line in chosen], "-", color=BLACK, linewidth=1)
        for line in chosen:
            axis.plot(place(line), line.paper, "D", color=BLACK)
            for color, pairs, shift in zip((BLUE, ORANGE), matching(line, records), (0.92, 1.09)):
                if pairs:
                    draw_column(axis, place(line) * shift, color, *pairs[0])
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlim(0.7 * place(chosen[0]), 1.45 * place(chosen[-1]))
        axis.set_ylim(1.8e4, 1.4e6)
        axis.set_xticks([place(line) for line in chosen], [str(place(line)) for line in chosen])
        axis.set_yticks([20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000],
                        ["20,000", "50,000", "100,000", "200,000", "500,000", "1,000,000"])
        axis.minorticks_off()
        axis.set_xlabel(name)
        axis.grid(color="#dddddd", linewidth=0.6)
    figure.legend(
        handles=[
            Line2D([], [], marker="D", color=BLACK, label="paper, mean of 20"),
            Line2D([], [], marker="o", color=BLUE, label="ours, literal: median of 20, range of those that stop"),
            Line2D([], [], marker="o", color=ORANGE, label="ours, no weights between hidden units: the same"),
            Line2D([], [], marker="^", color=BLUE, linestyle="", mfc="none", label="cap, where some do not stop")],
        loc="outside lower center", ncol=2)
    axes[0].set_ylabel("training sequences until success")
    figure.suptitle("Experiment 2c: longer time lags (left), more frequent distractors (right)")
    return figure


def draw_column(axis, x, color, row, record):
    """Range of the trials that stop, median of all; the cap as an arrow and the count if not all stop."""
    reached = [n for n in record["final"]["sequences_to_success"] if n is not None]
    median = median_of(row, record)
    if reached:
        axis.plot([x, x], [min(reached), max(reached)], color=color, linewidth=2)
    if median is not None:
        axis.plot(x, median, "o", color=color)
    if len(reached) < row.trials:
        axis.plot(x, row.max_sequences, "^", color=color, markerfacecolor="none")
        axis.annotate(
            f"{len(reached)} of {row.trials}", (x, row.max_sequences), color=color, textcoords="offset points",
            xytext=(0, 7), rotation=90, ha="center", va="bottom", fontsize=8)


# --- first_weights.png ------------------------------------------------------------------------------------------------

FIRST_WEIGHTS = {  # name: change of the literal reading, colour
    "literal, first weights in [-0.1, 0.1]": ({}, BLUE),
    "named changes, the same first weights": (studies.ADDING, ORANGE),
    "named changes, first weights times 12": (studies.LARGER, GREEN),
    "named changes, first weights times 24": (studies.LARGEST, PURPLE)}


def first_weights(records):
    """Experiments 4 and 3b: how many trials have stopped after so many sequences, by the size of the first weights."""
    arms = (*studies.TABLE_7, *studies.TABLE_7_LONG, *studies.FIRST_WEIGHTS, *studies.TABLES_4_AND_5_LONG)
    rows = {(row.line, row.reading): row for row in (lstm.Settings(**arm) for arm in arms)}
    lines = [line for line in lstm.LINES if line.experiment == "4" or (line.experiment, line.T) == ("3b", 1000)]
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.6), sharey=True, layout="constrained")
    for axis, line in zip(axes.flat, sorted(lines, key=lambda line: (line.experiment != "4", line.T))):
        for k, (change, color) in enumerate(FIRST_WEIGHTS.values()):
            row = rows.get((line, lstm.Settings(experiment=line.experiment, T=line.T, N=line.N, **change).reading))
            if row in records:
                reached = np.sort([n for n in records[row]["final"]["sequences_to_success"] if n is not None])
                x = np.array([0, *reached, row.max_sequences]) / 1000
                y = np.array([*range(len(reached) + 1), len(reached)]) + 0.08 * k  # apart where they are equal
                axis.plot(x, y, color=color, drawstyle="steps-post", lw=2)
        axis.axvline(line.paper / 1000, color=BLACK, linestyle=":")
        axis.set_title(f"Experiment {line.experiment}, T = {line.T}")
        axis.set_xlim(left=0)
        axis.set_xlabel("training sequences, thousands")
        axis.grid(color="#dddddd", linewidth=0.6)
        if len(axis.lines) == 1:
            axis.text(line.paper / 2000, 5, "not run yet", ha="center", color="#777777", style="italic")
    for axis in axes[:, 0]:
        axis.set_ylim(-0.3, 10.5)
        axis.set_ylabel("trials that have stopped, of 10")
    handles = [Line2D([], [], color=color, lw=2, label=name) for name, (_, color) in FIRST_WEIGHTS.items()]
    handles.append(Line2D([], [], color=BLACK, linestyle=":", label="paper, mean"))
    figure.legend(handles=handles, loc="outside lower center", ncol=3)
    figure.suptitle("Larger first weights, longer time lags")
    return figure


# --- cec.png ----------------------------------------------------------------------------------------------------------


def inside(row, theta, batch):
    """States s (T, C), input and output gates (T, blocks) of one net on the first sequence of a batch."""
    shape = lstm.Shape(row)
    net = lstm.Net(shape, np.array([theta, theta]), lstm.Readings.of([row, row]))
    x = np.moveaxis(batch.x[[0, 0]], 0, -1)
    y = net.forward(x, batch.end[[0, 0]])
    C, steps = shape.cells, batch.end[0] + 1
    inner = net.S[1 : steps + 1, :, 0]
    gates = inner[:, C : C + shape.blocks], inner[:, 2 * C : 2 * C + shape.blocks]
    return 2 * net.sigma[1 : steps + 1, :, 0], *gates, y[0]


def cec(adding, order):
    figure = plt.figure(figsize=(13, 11), layout="constrained")
    for part, (row, record) in zip(figure.subfigures(2, 1), (adding, order)):
        axes = part.subplots(2, 2, sharex=True, height_ratios=(1.3, 1))
        seed = record["weights"]["seed"]
        shape, trial = lstm.Shape(row), lstm.Trial(row, seed)
        batch = trial.task(lstm.streams(seed)["display"], 1)
        relevant = batch.x[0, :, 1] == 1 if row.experiment == "4" else batch.x[0] >= 6
        relevant = np.flatnonzero(relevant[: batch.end[0] + 1])
        for column, (theta, when) in enumerate(
                ((trial.start(shape), "before training"), (np.array(record["weights"]["theta"]), "after training"))):
            states, y_in, y_out, y = inside(row, theta, batch)
            top, bottom = axes[:, column]
            for c, color in zip(range(shape.cells), (BLUE, GREEN, SKY, PURPLE)):
                cell, block = c // shape.blocks + 1, c % shape.blocks + 1
                top.plot(states[:, c], color=color, label=f"cell {cell} of block {block}")
            for j, (a, b) in enumerate(((RED, BLACK), (ORANGE, "#888888"))):
                bottom.plot(y_in[:, j], color=a, label=f"input gate {j + 1}")
                bottom.plot(y_out[:, j], color=b, linestyle="--", label=f"output gate {j + 1}")
            for axis in (top, bottom):
                for step in relevant:
                    axis.axvline(step, color="#999999", linewidth=0.8, linestyle=":")
                axis.grid(color="#eeeeee", linewidth=0.6)
            target = ", ".join(f"{value:.2f}" for value in batch.target[0])
            outputs = ", ".join(f"{value:.2f}" for value in y)
            task = "Experiment 4, adding" if row.experiment == "4" else "Experiment 6a, order"
            top.set_title(f"{task}, {when}\noutput {outputs} (target {target})", fontsize=10)
            bottom.set_ylim(-0.03, 1.03)
            if column == 0:
                top.set_ylabel("internal state s")
                bottom.set_ylabel("gate activation")
            bottom.set_xlabel("step (dotted: the marked or relevant inputs)")
    handles, labels = (top_part + bottom_part for top_part, bottom_part in zip(
        top.get_legend_handles_labels(), bottom.get_legend_handles_labels()))
    figure.legend(handles, labels, loc="outside lower center", ncol=4)
    return figure


# --- error_flow.png ---------------------------------------------------------------------------------------------------

LAGS = np.arange(0, 101, 5)


def state_to_state(row, theta, seed):
    """|ds_c(t) / ds_c(t - q)| by the full gradient, for the lags q and the cells c: (lags, C), by the complex step.

    Truncated, it is exactly 1: that is the constant error carousel.
    """
    shape = lstm.Shape(row)
    C = shape.cells
    net = lstm.Net(shape, theta[None].astype(complex), lstm.Readings.of([row]), lanes=C)
    batch = lstm.Trial(row, seed).task(lstm.streams(seed)["display"], 1)
    net.load(np.repeat(np.moveaxis(batch.x, 0, -1), C, axis=-1))
    net.fold_weights()
    end, flow = int(batch.end[0]) + 1, []
    for lag in LAGS:
        net.run(0, end - lag)
        cell = np.arange(C)
        net.sigma[end - lag, cell, cell] += 1e-30j  # the state, and the cell's output with it
        net.S[end - lag, cell, cell] = net.S[end - lag, 2 * C + cell, cell] * np.tanh(net.sigma[end - lag, cell, cell])
        net.run(end - lag, end)
        flow.append(abs(net.sigma[end, cell, cell].imag / 1e-30))
    return np.array(flow)


def unit_to_unit(squash, n, largest, seed):
    """Largest |error at a unit t - q / error at a unit t| over all pairs of units, for the lags q: a plain RNN with
    weights from U(-largest, largest) and noise as input, through the product of its Jacobians."""
    rng = np.random.default_rng(seed)
    W = rng.uniform(-largest, largest, (n, n))
    y, factors = np.zeros(n), []
    for _ in range(LAGS[-1] + 50):
        net = W @ y + rng.uniform(-1, 1, n)
        y = np.tanh(net) if squash == "tanh" else 1 / (1 + np.exp(-net))
        factors.append((1 - y * y if squash == "tanh" else y * (1 - y))[:, None] * W)
    flow, product = [1.0], np.eye(n)
    for J in reversed(factors[-LAGS[-1] :]):
        product = product @ J
        flow.append(abs(product).max())
    return np.array(flow)[LAGS]


def error_flow(row, record):
    figure, axis = plt.subplots(figsize=(9, 6.5), layout="constrained")
    seed = record["weights"]["seed"]
    axis.plot(LAGS, np.ones(len(LAGS)), color=BLUE, linewidth=3, label="1997 LSTM, truncated: the carousel, exactly 1")
    trained = state_to_state(row, np.array(record["weights"]["theta"]), seed)
    fresh = state_to_state(row, lstm.Trial(row, seed).start(lstm.Shape(row)), seed)
    for flow, style, name in ((fresh, "--", "before"), (trained, "-", "after")):
        last = np.median(flow[-1])
        label = f"same net (Experiment 4), full gradient, {name} training: {last:.2f} at q = {LAGS[-1]}"
        axis.plot(LAGS, np.median(flow, 1), style, color=ORANGE, label=label, zorder=3)
        axis.fill_between(LAGS, flow.min(1), flow.max(1), color=ORANGE, alpha=0.15, linewidth=0)
    n, largest = 8, 0.45
    for squash, color in (("tanh", GREEN), ("logistic", RED)):
        flows = np.array([unit_to_unit(squash, n, largest, k) for k in range(50)])
        label = f"{squash} RNN, {n} units, weights in [-{largest}, {largest}]"
        axis.plot(LAGS, np.median(flows, 0), color=color, label=label)
        axis.fill_between(LAGS, flows.min(0), flows.max(0), color=color, alpha=0.15, linewidth=0)
    bound = n * (n * largest / 4) ** LAGS.astype(float)
    axis.plot(LAGS, bound, ":", color=BLACK, label="bound for the logistic RNN, n (n w_max / 4)^q (section 3.1.5)")
    axis.set_yscale("log")
    axis.set_ylim(1e-30, 1e3)
    axis.set_xlim(0, LAGS[-1])
    axis.set_xlabel("steps back in time, q")
    axis.set_ylabel("factor on an error that flows back q steps")
    axis.set_title("Error flow: the median, and in the shade all cells or all of 50 random nets")
    axis.grid(color="#dddddd", linewidth=0.6)
    figure.legend(fontsize=9, loc="outside lower center")
    return figure


# --- complexity.png ---------------------------------------------------------------------------------------------------


def complexity():
    """A.27, from the benchmark's file: time per step and weight, and peak memory."""
    file = Path(lstm.__file__).resolve().parent / "benchmarks" / "lstm_1997.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["scaling"]
    nets = [row for row in rows if row["steps"] == 100]
    lengths = [row for row in rows if row["weights"] == 3064]
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for axis, chosen, key, name in (
            (axes[0], nets, "weights", "weights (100 steps)"), (axes[1], lengths, "steps", "steps (3064 weights)")):
        x = [row[key] for row in chosen]
        for column, style, color, label in (
                ("us_per_step", "o-", BLUE, "us per step"), ("peak_kilobytes", "^-", GREEN, "peak memory, kB"),
                ("ns_per_step_and_weight", "s-", ORANGE, "ns per step and weight")):
            axis.plot(x, [row[column] for row in chosen], style, color=color, label=label)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_ylim(2, 3e4)
        axis.set_xticks(x, [f"{value:,}" for value in x], fontsize=9)
        axis.minorticks_off()
        axis.set_xlabel(name)
        axis.grid(color="#dddddd", linewidth=0.6)
    axes[0].legend()
    axes[0].set_ylabel("in the units of the legend")
    figure.suptitle("The algorithm in forward mode: a larger net (left), a longer sequence (right)")
    return figure


def main(argv=None):
    parser = lstm.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    parser.add_argument("--results", default="results.json", help="file of results (default: %(default)s)")
    parser.add_argument("--outdir", default="viz", help="folder of the pictures (default: %(default)s)")
    args = parser.parse_args(argv)
    try:
        lstm.read_results(args.results)
        writable_folder(args.outdir)
        records = complete(args.results)
    except (OSError, lstm.ResultsError) as error:
        parser.error(str(error))
    adding, order = ((row, records[row]) for row in (lstm.Settings(**choice) for choice in (ADDING, ORDER)))
    save({
        "complexity": complexity(), "error_flow": error_flow(*adding), "cec": cec(adding, order),
        "paper_vs_ours": paper_vs_ours(records), "scaling_2c": scaling_2c(records),
        "first_weights": first_weights(records),
    }.items(), args.outdir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
