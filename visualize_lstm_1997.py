# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "matplotlib>=3.8"]
# ///
"""Pictures of lstm_1997.py from results.json, into viz/: paper_vs_ours, scaling_2c, cec, error_flow,
complexity, first_weights.

    python3 visualize_lstm_1997.py --outdir viz

Nothing is trained here. If the record behind cec.png is missing, the experiment's own command
runs first. Rows that have not been run show the paper's figure alone."""

import functools
import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

import harness
import lstm_1997 as lstm
import pictures
import studies
import studies.lstm_1997 as grids
from analysis.error_flow import state_to_state, unit_to_unit
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY

LITERAL = ("literal", "update step")  # the readings that change nothing the text says
ADDING = dict(experiment="4", T=100, **grids.ADDING, max_sequences=200_000)
ORDER = dict(experiment="6a")


def pairs_of(results, *parts):
    """Settings and record of those runs of some grids that have a record."""
    choices = [choice for grid in parts for choice in grid.values()]
    found = [(lstm.Settings(**choice), studies.find(results, lstm.EXPERIMENT, choice)) for choice in choices]
    return [pair for pair in found if pair[1] is not None]


# --- paper_vs_ours.png ----------------------------------------------------------------------------


def label_of(row):
    """A row of the paper in a few characters."""
    words = [f"{row.experiment}"]
    if row.experiment == "1":
        words.append(f"{row.blocks} blocks, rate {row.lr:g}")
    words += [f"{name} = {getattr(row, name)}" for name in ("T", "N", "q", "p") if getattr(row, name) is not None]
    return f"{words[0]:3s} {', '.join(words[1:]):18s}"


def matching(row, pairs):
    """Of a row of the paper the literal records and those with named changes, most trials
    stopped first."""
    own = [pair for pair in pairs if pair[0].row is row]
    own.sort(key=lambda pair: -pair[1]["final"]["trials_stopped"])
    literal = [pair for pair in own if pair[0].reading in LITERAL]
    return literal, [pair for pair in own if pair not in literal]


def median_of(record):
    """Median of the sequences to success with the trials that do not stop counted as larger;
    None if above the cap."""
    median = np.median([np.inf if n is None else n for n in record["final"]["sequences_to_success"]])
    return median if median < np.inf else None


def paper_vs_ours(pairs):
    figure, axis = pictures.subplots(figsize=(10.5, 12), layout="constrained")
    rows = lstm.TABLE_ROWS
    for k, row in enumerate(rows):
        y = len(rows) - k
        if k % 2:
            axis.axhspan(y - 0.5, y + 0.5, color="#f3f3f3", zorder=0)
        axis.plot(row.paper, y, "D", color=BLACK, markersize=6, zorder=4)
        literal, changed = matching(row, pairs)
        for offset, color, found in ((0.18, BLUE, literal), (-0.18, ORANGE, changed)):
            if found:
                draw_row(axis, y + offset, color, *found[0])
        if not literal and not changed:
            axis.text(row.paper * 1.25, y, "not run yet", va="center", fontsize=8, color="#777777", style="italic")
    axis.set_xscale("log")
    axis.set_xlim(1.5e3, 6e6)
    axis.set_ylim(0.4, len(rows) + 0.6)
    axis.set_yticks(range(len(rows), 0, -1), [label_of(row) for row in rows], fontfamily="monospace")
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


def draw_row(axis, y, color, settings, record):
    """Range of the trials that stop, median of all; the cap as an arrow and the count if not all
    stop."""
    reached = [n for n in record["final"]["sequences_to_success"] if n is not None]
    median = median_of(record)
    if reached:
        axis.plot([min(reached), max(reached)], [y, y], color=color, linewidth=2, solid_capstyle="round", zorder=3)
    if median is not None:
        axis.plot(median, y, "o", color=color, markersize=5, zorder=5)
    if len(reached) < settings.trials:
        words = f"{len(reached)} of {settings.trials}" + ("" if reached else ", not reached")
        axis.plot(settings.max_sequences, y, ">", color=color, markersize=6, markerfacecolor="none", zorder=3)
        axis.text(settings.max_sequences * 1.13, y, words, va="center", fontsize=7, color=color)


# --- scaling_2c.png -------------------------------------------------------------------------------


def scaling_2c(pairs):
    figure, axes = pictures.subplots(1, 2, figsize=(11, 6), sharey=True, layout="constrained")
    rows = [row for row in lstm.TABLE_ROWS if row.experiment == "2c"]
    panels = (
        ([row for row in rows if row.p == row.q], lambda row: row.q,
         "q: distractors before the trigger, at least (p = q symbols)"),
        ([row for row in rows if row.q == 1000], lambda row: row.q // row.p,
         "q / p at q = 1000: how often each distractor returns"))
    for axis, (chosen, place, name) in zip(axes, panels):
        axis.plot([place(row) for row in chosen], [row.paper for row in chosen], "-", color=BLACK, linewidth=1)
        for row in chosen:
            axis.plot(place(row), row.paper, "D", color=BLACK)
            for color, found, shift in zip((BLUE, ORANGE), matching(row, pairs), (0.92, 1.09)):
                if found:
                    draw_column(axis, place(row) * shift, color, *found[0])
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlim(0.7 * place(chosen[0]), 1.45 * place(chosen[-1]))
        axis.set_ylim(1.8e4, 1.4e6)
        axis.set_xticks([place(row) for row in chosen], [str(place(row)) for row in chosen])
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


def draw_column(axis, x, color, settings, record):
    """Range of the trials that stop, median of all; the cap as an arrow and the count if not all
    stop."""
    reached = [n for n in record["final"]["sequences_to_success"] if n is not None]
    median = median_of(record)
    if reached:
        axis.plot([x, x], [min(reached), max(reached)], color=color, linewidth=2)
    if median is not None:
        axis.plot(x, median, "o", color=color)
    if len(reached) < settings.trials:
        axis.plot(x, settings.max_sequences, "^", color=color, markerfacecolor="none")
        axis.annotate(
            f"{len(reached)} of {settings.trials}", (x, settings.max_sequences), color=color,
            textcoords="offset points", xytext=(0, 7), rotation=90, ha="center", va="bottom", fontsize=8)


# --- first_weights.png ----------------------------------------------------------------------------

FIRST_WEIGHTS = {  # name: change of the literal reading, colour
    "literal, first weights in [-0.1, 0.1]": ({}, BLUE),
    "named changes, the same first weights": (grids.ADDING, ORANGE),
    "named changes, first weights times 12": (grids.LARGER, GREEN),
    "named changes, first weights times 24": (grids.LARGEST, PURPLE)}


def first_weights(pairs):
    """Experiments 4 and 3b: how many trials have stopped after so many sequences, by the size of
    the first weights."""
    found = {(pair[0].row, pair[0].reading): pair for pair in pairs}
    rows = [row for row in lstm.TABLE_ROWS if row.experiment == "4" or (row.experiment, row.T) == ("3b", 1000)]
    figure, axes = pictures.subplots(2, 2, figsize=(11, 7.6), sharey=True, layout="constrained")
    for axis, row in zip(axes.flat, sorted(rows, key=lambda row: (row.experiment != "4", row.T))):
        for k, (change, color) in enumerate(FIRST_WEIGHTS.values()):
            key = row, lstm.Settings(experiment=row.experiment, T=row.T, N=row.N, **change).reading
            if key in found:
                settings, record = found[key]
                reached = np.sort([n for n in record["final"]["sequences_to_success"] if n is not None])
                x = np.array([0, *reached, settings.max_sequences]) / 1000
                y = np.array([*range(len(reached) + 1), len(reached)]) + 0.08 * k  # apart where they are equal
                axis.plot(x, y, color=color, drawstyle="steps-post", lw=2)
        axis.axvline(row.paper / 1000, color=BLACK, linestyle=":")
        axis.set_title(f"Experiment {row.experiment}, T = {row.T}")
        axis.set_xlim(left=0)
        axis.set_xlabel("training sequences, thousands")
        axis.grid(color="#dddddd", linewidth=0.6)
        if len(axis.lines) == 1:
            axis.text(row.paper / 2000, 5, "not run yet", ha="center", color="#777777", style="italic")
    for axis in axes[:, 0]:
        axis.set_ylim(-0.3, 10.5)
        axis.set_ylabel("trials that have stopped, of 10")
    handles = [Line2D([], [], color=color, lw=2, label=name) for name, (_, color) in FIRST_WEIGHTS.items()]
    handles.append(Line2D([], [], color=BLACK, linestyle=":", label="paper, mean"))
    figure.legend(handles=handles, loc="outside lower center", ncol=3)
    figure.suptitle("Larger first weights, longer time lags")
    return figure


# --- cec.png --------------------------------------------------------------------------------------


def inside(settings, theta, batch):
    """States s (T, C), input and output gates (T, blocks) of one net on the first sequence of a
    batch, and its answer."""
    layout = lstm.Layout(settings)
    net = lstm.Net(layout, np.array([theta, theta]), lstm.LaneSettings.of([settings] * 2))
    x = np.moveaxis(batch.x[[0, 0]], 0, -1)
    y = net.forward(x, batch.end[[0, 0]])
    C, steps = layout.cells, batch.end[0] + 1
    units = net.S[1 : steps + 1, :, 0]
    gates = units[:, C : C + layout.blocks], units[:, 2 * C : 2 * C + layout.blocks]
    return 2 * net.half_state[1 : steps + 1, :, 0], *gates, y[0]


def cec(adding, order):
    figure = pictures.blank(figsize=(13, 11), layout="constrained")
    for part, record in zip(figure.subfigures(2, 1), (adding, order)):
        axes = part.subplots(2, 2, sharex=True, height_ratios=(1.3, 1))
        settings, seed = lstm.Settings(**record["settings"]), record["weights"]["seed"]
        layout, trial = lstm.Layout(settings), lstm.Trial(settings, seed)
        batch = trial.task(lstm.streams(seed)["display"], 1)
        relevant = batch.x[0, :, 1] == 1 if settings.experiment == "4" else batch.x[0] >= 6
        relevant = np.flatnonzero(relevant[: batch.end[0] + 1])
        for column, (theta, when) in enumerate(
                ((trial.start(layout), "before training"), (np.array(record["weights"]["theta"]), "after training"))):
            states, y_in, y_out, y = inside(settings, theta, batch)
            top, bottom = axes[:, column]
            for c, color in zip(range(layout.cells), (BLUE, GREEN, SKY, PURPLE)):
                cell, block = c // layout.blocks + 1, c % layout.blocks + 1
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
            task = "Experiment 4, adding" if settings.experiment == "4" else "Experiment 6a, order"
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


# --- error_flow.png -------------------------------------------------------------------------------

LAGS = np.arange(0, 101, 5)


def error_flow(record):
    figure, axis = pictures.subplots(figsize=(9, 6.5), layout="constrained")
    settings, seed = lstm.Settings(**record["settings"]), record["weights"]["seed"]
    axis.plot(LAGS, np.ones(len(LAGS)), color=BLUE, linewidth=3, label="1997 LSTM, truncated: the carousel, exactly 1")
    start = lstm.Trial(settings, seed).start(lstm.Layout(settings))
    fresh, trained = (
        state_to_state(settings, theta, seed, LAGS) for theta in (start, np.array(record["weights"]["theta"])))
    for flow, style, name in ((fresh, "--", "before"), (trained, "-", "after")):
        last = np.median(flow[-1])
        label = f"same net (Experiment 4), full gradient, {name} training: {last:.2f} at q = {LAGS[-1]}"
        axis.plot(LAGS, np.median(flow, 1), style, color=ORANGE, label=label, zorder=3)
        axis.fill_between(LAGS, flow.min(1), flow.max(1), color=ORANGE, alpha=0.15, linewidth=0)
    n, largest = 8, 0.45
    for squash, color in (("tanh", GREEN), ("logistic", RED)):
        flows = np.array([unit_to_unit(squash, n, largest, k, LAGS) for k in range(50)])
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


# --- complexity.png -------------------------------------------------------------------------------


def complexity():
    """A.27, from the benchmark's file: time per step and weight, and peak memory."""
    file = Path(lstm.__file__).resolve().parent / "benchmarks" / "lstm_1997.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["scaling"]
    nets = [row for row in rows if row["steps"] == 100]
    lengths = [row for row in rows if row["weights"] == 3064]
    figure, axes = pictures.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
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


def book(flags):
    """Every picture by name."""
    adding, order = (
        studies.find_or_run(flags.results, lstm.EXPERIMENT, choice, fits=lambda record: "weights" in record)
        for choice in (ADDING, ORDER))
    results = harness.read_results(flags.results)
    paper = pairs_of(results, grids.PAPER)
    return {
        "complexity": complexity, "error_flow": functools.partial(error_flow, adding),
        "cec": functools.partial(cec, adding, order), "paper_vs_ours": functools.partial(paper_vs_ours, paper),
        "scaling_2c": functools.partial(scaling_2c, paper),
        "first_weights": functools.partial(first_weights, paper + pairs_of(results, grids.FIRST_WEIGHTS))}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book)


if __name__ == "__main__":
    sys.exit(main())
