# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "matplotlib>=3.8"]
# ///
"""Pictures of lstm_1997.py from results.json, into viz/: paper_vs_ours, scaling_2c, cec, error_flow,
complexity, first_weights, reber, constant_sources, constant_sources_2c.

    python3 visualize_lstm_1997.py --outdir viz

Nothing is trained here. If the record behind cec.png is missing, the experiment's own command
runs first."""

import functools
import json
import sys
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import harness
import lstm_1997 as lstm
import pictures
import studies
from analysis import cells, claim, readings
from analysis import constant_sources as start
from analysis.error_flow import state_to_state, unit_to_unit
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY

PAPER = dict(marker="D", color=BLACK, markersize=6, linestyle="")  # the paper's figure, in every picture


KINDS = (  # of readings: colour, which count, name
    (BLUE, readings.literal, "ours, word for word"),
    (GREEN, readings.common, "ours, one reading for all rows"),
    (ORANGE, readings.changed, "ours, changed row by row: the best of several"))


# --- paper_vs_ours.png ----------------------------------------------------------------------------


def label_of(row):
    """A row of the paper in a few characters."""
    words = [f"{row.experiment}"]
    if row.experiment == "1":
        words.append(f"{row.blocks} blocks, rate {row.lr:g}")
    words += [f"{name} = {getattr(row, name)}" for name in ("T", "N", "q", "p") if getattr(row, name) is not None]
    return f"{words[0]:3s} {', '.join(words[1:]):18s}"


def paper_vs_ours(found):
    """Figure: left the mean of the trials that stop, right their share, a line for each row."""
    rows = lstm.TABLE_ROWS
    figure, (means, shares) = pictures.subplots(
        1, 2, figsize=(11, 12.5), sharey=True, layout="constrained", width_ratios=(1.7, 1))
    for k, row in enumerate(rows):
        y = len(rows) - k
        if k and row.experiment != rows[k - 1].experiment:
            for axis in (means, shares):
                axis.axhline(y + 0.5, color="#bbbbbb", linewidth=0.8)
        means.plot(row.paper, y, zorder=4, **PAPER)
        own = [(color, readings.best(found, row, chosen)) for color, chosen, _ in KINDS]
        own = [(color, run) for color, run in own if run is not None]
        for place, (color, run) in zip(np.linspace(0.24, -0.24, len(own)) if len(own) > 1 else [0], own):
            draw_row(means, shares, y + place, 0.66 / max(len(own), 2), color, run)
    means.set_xscale("log")
    means.set_xlim(2e3, 4e6)
    means.set_ylim(0.4, len(rows) + 0.6)
    means.set_yticks(range(len(rows), 0, -1), [label_of(row) for row in rows], fontfamily="monospace")
    means.set_xlabel("training sequences until success: mean of the trials that stop")
    means.grid(axis="x", color="#dddddd", linewidth=0.6)
    shares.set_xlim(0, 1)
    shares.set_xticks([0, 0.5, 1], ["0", "half", "all"])
    shares.set_xlabel("share of trials that stop\n(paper: all, or nearly)")
    shares.axvline(1, color=BLACK, linewidth=1.2)
    shares.tick_params(axis="y", length=0)
    figure.legend(
        handles=[
            Line2D([], [], label="paper", **PAPER),
            *(Line2D([], [], marker="o", color=color, linestyle="", label=name) for color, _, name in KINDS),
            Line2D([], [], marker="o", color="#777777", markerfacecolor="white", linestyle="",
                   label="hollow: not all trials stop"),
            Patch(facecolor="#777777", label="share within twice the paper's mean"),
            Patch(facecolor="#d5d5d5", label="share by the run's own, longer cap")],
        loc="outside lower center", ncol=2)
    counts = [len(readings.solved_rows(found, chosen)) for _, chosen, _ in KINDS]
    figure.suptitle(
        f"Of the paper's {len(rows)} LSTM rows {counts[0]} are reached word for word within twice its mean, "
        f"{counts[1]} in one reading for all rows", fontsize=12)
    return figure


def draw_row(means, shares, y, height, color, run):
    """A reading's mean, hollow where some trials do not stop, and its shares."""
    trials, stopped = run.settings.trials, len(run.reached)
    if run.reached:
        face = color if stopped == trials else "white"
        means.plot(np.mean(run.reached), y, "o", color=color, markerfacecolor=face, markersize=6, zorder=5)
    shares.barh(y, stopped / trials, height, color=color, alpha=0.3, linewidth=0)
    shares.barh(y, run.within / trials, height, color=color, linewidth=0)
    if not run.within:
        shares.plot(0, y, "|", color=color, markersize=7, markeredgewidth=3, clip_on=False)


# --- scaling_2c.png -------------------------------------------------------------------------------


def scaling_2c(found):
    """Figure: above the mean of the trials that stop by the run's cap, hollow where not all do, below the share
    that stops within twice the paper's mean."""
    rows = [row for row in lstm.TABLE_ROWS if row.experiment == "2c"]
    panels = (
        ([row for row in rows if row.p == row.q], lambda row: row.q, "q, steps of distractors (of p = q symbols)"),
        ([row for row in rows if row.q == 1000], lambda row: row.q // row.p,
         "how often each distractor returns (q = 1000;\n1: p = 1000, the last row of the left panels)"))
    figure, axes = pictures.subplots(
        2, 2, figsize=(10, 7.4), sharey="row", sharex="col", height_ratios=(1.5, 1), layout="constrained")
    for (above, below), (chosen, place, name) in zip(axes.T, panels):
        x = np.arange(len(chosen))
        above.plot(x, [row.paper for row in chosen], color=BLACK, linewidth=1)
        above.plot(x, [row.paper for row in chosen], **PAPER)
        for color, which, shift in ((BLUE, readings.literal, -0.2), (GREEN, readings.common, 0.2)):
            runs = [readings.best(found, row, which) for row in chosen]
            if color == GREEN:
                means = [np.mean(run.reached) for run in runs]
                above.plot(x, means, "-", color=color, linewidth=1)
                for at, mean, run in zip(x, means, runs):
                    face = color if len(run.reached) == run.settings.trials else "white"
                    above.plot(at, mean, "o", color=color, markerfacecolor=face, markersize=7)
                claim(all(run.settings.max_sequences == 2 * run.row.paper for run in runs), "the axis' label")
            share = np.array([run.within / run.settings.trials for run in runs])
            below.bar(x + shift, share, 0.38, color=color)
            for at, run in zip(x, runs):
                below.text(at + shift, run.within / run.settings.trials - 0.1 if run.within else 0.03, run.within,
                           color="white" if run.within else color, ha="center", fontsize=10)
        above.set_yscale("log")
        above.set_ylim(5e3, 5e5)
        ticks = (5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000)
        above.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
        above.minorticks_off()
        above.grid(axis="y", color="#dddddd", linewidth=0.6)
        below.axhline(1, color=BLACK, linewidth=1.2)
        below.set_ylim(0, 1.05)
        below.set_yticks([0, 0.5, 1], ["0", "10", "20"])
        below.set_xticks(x, [str(place(row)) for row in chosen])
        below.set_xlabel(name)
    axes[0, 0].set_ylabel("sequences until success, mean of the\ntrials that stop by twice the paper's mean")
    common = [run for run in found if run.common and run.row.experiment == "2c"]
    missing = sum(run.row.trials - run.within for run in common)
    axes[1, 0].set_ylabel("of 20 trials stop within\ntwice the paper's mean")
    figure.legend(
        handles=[
            Line2D([], [], color=BLACK, marker="D", linewidth=1, label="paper (all 20 stop)"),
            Line2D([], [], color=BLUE, marker="s", linestyle="", label="ours, word for word: none in time"),
            Line2D([], [], color=GREEN, marker="o", linewidth=1,
                   label="ours, cells that see the inputs only, error t - y"),
            Line2D([], [], color=GREEN, marker="o", markerfacecolor="white", linestyle="",
                   label=f"hollow: not all 20 stop ({missing} in all)")],
        loc="outside lower center", ncol=2)
    literal = sum(readings.best(found, row, readings.literal).within for row in rows)
    figure.suptitle(
        f"Experiment 2c within twice the paper's mean: word for word {literal} of {sum(row.trials for row in rows)} "
        f"trials stop,\nwith cells that see the inputs only and the error t - y {sum(run.within for run in common)} of "
        f"{sum(run.row.trials for run in common)}")
    return figure


# --- first_weights.png ----------------------------------------------------------------------------

FIRST_WEIGHTS = {  # letters: name, colour
    "": ("word for word, first weights in [-0.1, 0.1]", BLUE),
    "P D X": ("named changes (P D X), the same first weights", ORANGE),
    "P D X I12": ("P D X, first weights times 12", GREEN),
    "P D X I24": ("P D X, first weights times 24", PURPLE)}


def first_weights(found):
    """Experiments 4 and 3b: how many trials have stopped after so many sequences, by the size of
    the first weights."""
    runs = {(run.row, readings.letters(run.settings)): run for run in found}
    rows = [row for row in lstm.TABLE_ROWS if row.experiment == "4" or (row.experiment, row.T) == ("3b", 1000)]
    figure, axes = pictures.subplots(2, 2, figsize=(10, 7.8), sharey=True, layout="constrained")
    for axis, row in zip(axes.flat, sorted(rows, key=lambda row: (row.experiment != "4", row.T))):
        for k, (words, (_, color)) in enumerate(FIRST_WEIGHTS.items()):
            if (row, words) in runs:
                run = runs[row, words]
                x = np.array([0, *sorted(run.reached), run.settings.max_sequences]) / 1000
                y = np.array([*range(len(run.reached) + 1), len(run.reached)]) + 0.08 * k  # apart where equal
                axis.plot(x, y, color=color, drawstyle="steps-post", lw=2)
        axis.axvline(row.paper / 1000, color=BLACK, linestyle=":", linewidth=1)
        axis.plot(row.paper / 1000, 10.6, clip_on=False, **PAPER)
        axis.set_title(f"Experiment {row.experiment}, T = {row.T}", loc="left")
        axis.set_xlim(left=0)
        axis.set_xlabel("training sequences, thousands")
        axis.grid(color="#dddddd", linewidth=0.6)
    for axis in axes[:, 0]:
        axis.set_ylim(-0.3, 10.6)
        axis.set_ylabel("trials that have stopped, of 10\n(equal lines are drawn a little apart)")
    handles = [Line2D([], [], color=color, lw=2, label=name) for name, color in FIRST_WEIGHTS.values()]
    handles.append(Line2D([], [], label="paper, mean", **(PAPER | dict(linestyle=":"))))
    figure.legend(handles=handles, loc="outside lower center", ncol=2)
    at_500 = {words: run.within for (row, words), run in runs.items() if (row.experiment, row.T) == ("4", 500)}
    [bound] = {run.bound for run in runs.values() if (run.row.experiment, run.row.T) == ("4", 500)}
    others = [at_500[words] for words in FIRST_WEIGHTS if words != "P D X I12"]
    figure.suptitle(
        f"Experiment 4, T = 500, by {bound:,} sequences: {at_500['P D X I12']} of 10 stop with first weights "
        f"times 12, otherwise {min(others)} to {max(others)}")
    return figure


# --- reber.png ------------------------------------------------------------------------------------

REBER = (  # letters: name, colour; of the two literal readings the better one
    ("S", "word for word (weights change after every step)", BLUE),
    ("J T0.2", "one reading for all rows (J T0.2)", GREEN),
    ("W N T0.3", "W N T0.3: wide ranges, cells that see cells, tolerance 0.3", ORANGE))


def reber(found):
    """Experiment 1: how many trials have stopped after so many sequences, row by row."""
    runs = {(run.row, readings.letters(run.settings)): run for run in found}
    rows = [row for row in lstm.TABLE_ROWS if row.experiment == "1"]
    figure, axes = pictures.subplots(2, 3, figsize=(11, 7.2), sharey=True, layout="constrained")
    for axis, row in zip(axes.flat, reversed(rows)):
        for words, _, color in REBER:
            run = runs[row, words]
            x = np.array([0, *sorted(run.reached), run.settings.max_sequences]) / 1000
            axis.plot(x, [*range(len(run.reached) + 1), len(run.reached)], color=color, drawstyle="steps-post", lw=2)
            axis.plot(x[-1], len(run.reached), "o", color=color, markersize=5)
        axis.axvline(row.paper / 1000, color=BLACK, linestyle=":", linewidth=1)
        axis.plot(row.paper / 1000, readings.papers_trials(row), **PAPER)
        axis.set_title(f"{row.blocks} blocks, rate {row.lr:g}", loc="left")
        axis.set_xscale("log")
        axis.set_xlim(1, 500)
        axis.set_xticks([1, 3, 10, 30, 100, 300], ["1", "3", "10", "30", "100", "300"])
        axis.minorticks_off()
        axis.set_ylim(0, 31)
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.set_xlabel("training sequences, thousands")
    for axis in axes[:, 0]:
        axis.set_ylabel("trials that have stopped, of 30")
    rest = axes.flat[-1]
    rest.axis("off")
    handles = [Line2D([], [], color=color, lw=2, label=name.replace(": ", ":\n").replace(" (", "\n("))
               for _, name, color in REBER]
    handles.append(Line2D([], [], label="paper: mean, and how many stop", **(PAPER | dict(linestyle=":"))))
    handles.append(Line2D([], [], color="#777777", marker="o", linestyle="", label="where a run was given up"))
    rest.legend(handles=handles, loc="center")
    last = runs[rows[-1], REBER[-1][0]]
    early = [n for n in last.reached if n <= 30_000]
    figure.suptitle(
        f"Embedded Reber grammar, 3 blocks, rate 0.5: with wide ranges and a tolerance {len(early)} of 30 trials\n"
        f"stop by 30,000 sequences, after {np.mean(early):,.0f} in the mean (paper {rows[-1].paper:,}); "
        f"the last of all 30 after {max(last.reached):,}")
    return figure


# --- constant_sources.png -------------------------------------------------------------------------

CONSTANT = {  # what weights to the cells from gates and bias do: name, colour
    "learn": ("learn like all others: the paper's net", BLUE), "slow": ("learn at a hundredth of the rate", SKY),
    "frozen": ("stay as they start", ORANGE), "absent": ("do not exist", GREEN)}


def draw_trace(axis, record, trace, color, label=None):
    """A trace of the first block: the median of the trials as a line, all of them as a shade, until
    the first trial ends."""
    moments, values = start.first_block(record, trace)
    running = ~np.isnan(values).any(1)
    x, values = moments[running], values[running]
    axis.plot(x, np.median(values, 1), color=color, lw=2.2, zorder=3, label=label)
    axis.fill_between(x, values.min(1), values.max(1), color=color, alpha=0.15, linewidth=0)


def constant_sources(arms):
    """Experiment 4: the size of output weights and states during training, by what the weights from
    constant sources do."""
    lengths = sorted({T for T, _ in arms})
    figure, axes = pictures.subplots(
        2, len(lengths), figsize=(11, 7.6), sharex="col", sharey="row", layout="constrained")
    for column, T in zip(axes.T, lengths):
        for constant, (_, color) in CONSTANT.items():
            [record] = arms[T, constant]
            for axis, trace in zip(column, ("w_out", "state")):
                draw_trace(axis, record, trace, color)
        column[0].set_title(f"T = {T}", loc="left")
        column[1].set_xlabel("training sequences")
        for axis in column:
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.grid(color="#dddddd", linewidth=0.6)
    axes[0, 0].set_ylabel("|output weight| of the first block's cells")
    axes[1, 0].set_ylabel("|state| at the end of a sequence")
    figure.legend(
        handles=[Line2D([], [], color=color, lw=2.2, label=name) for name, color in CONSTANT.values()], ncol=2,
        loc="outside lower center", title="The weights that lead from gates and bias to the cells\n"
        "(line: median of ten trials, until the first one stops; shade: all ten)")
    figure.suptitle("The paper's net stops listening to its cells; with T = 100 it learns to do so again")
    return figure


# --- constant_sources_2c.png ----------------------------------------------------------------------


TO_CELLS = {  # hidden units that lead to the cells, by connections: name, colour
    "cc,cg,gc,gg": ("gates and cells (the paper)", BLUE), "cg,gc,gg": ("gates", PURPLE),
    "cc,cg,gg": ("cells", ORANGE), "cg,gg": ("none: the cells see the inputs only", GREEN)}


def constant_sources_2c(connections):
    """Experiment 2c: left the states at the end of a sequence, right how many trials stop, by which
    weights between hidden units exist."""
    figure, (left, right) = pictures.subplots(1, 2, figsize=(11, 4.8), layout="constrained", width_ratios=(1, 1.1))
    for kinds, (name, color) in TO_CELLS.items():
        [record] = connections[kinds]
        draw_trace(left, record, "state", color, label=name)
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel("training sequences")
    left.set_ylabel("|state| at the end of a sequence\n(line: median of ten trials, shade: all)")
    left.grid(color="#dddddd", linewidth=0.6)
    left.legend(title="hidden units that lead to the cells", fontsize=9)
    for k, (kinds, [record]) in enumerate(connections.items()):
        own = start.named_kinds(kinds)
        stop = record["final"]["trials_stopped"]
        right.barh(-k, stop, 0.7, color=BLUE if start.leads_to_cells(kinds) else GREEN)
        right.text(stop + 0.15, -k, f"{stop}", va="center")
        label = "all (the paper)" if len(own) == 4 else "\n".join(own) or "none"
        right.text(-0.25, -k, label, ha="right", va="center", fontsize=9)
    right.set_yticks([])
    right.set_xlim(0, 11)
    [[record]] = [records for kinds, records in connections.items() if kinds == "none"]
    q, cap = (record["settings"][name] for name in ("q", "max_sequences"))
    right.set_xlabel(f"of ten trials stop by {cap:,} sequences")
    right.set_title("Weights between hidden units that exist", loc="left")
    stops = {kinds: record["final"]["trials_stopped"] for kinds, [record] in connections.items()}
    to_cells = [stop for kinds, stop in stops.items() if start.leads_to_cells(kinds)]
    figure.suptitle(claim(
        stops["cg,gg"] == 10 and not any(to_cells),
        f"Experiment 2c, q = {q}: weights to the gates do no harm, weights to the cells do"))
    return figure


# --- cec.png --------------------------------------------------------------------------------------


IN_WORDS = {"literal": "word for word", "P D X": "P D X: plain output error, factor 2, ranges of Table 10"}


def cec(adding, order):
    figure = pictures.blank(figsize=(11, 10.5), layout="constrained")
    for part, record in zip(figure.subfigures(2, 1), (adding, order)):
        axes = part.subplots(2, 2, sharex=True, height_ratios=(1.3, 1))
        settings, seed = lstm.Settings(**record["settings"]), record["weights"]["seed"]
        layout = lstm.Layout(settings)
        batch, relevant = cells.sequence(settings, seed)
        task = "Experiment 4, adding" if settings.experiment == "4" else "Experiment 6a, order"
        part.suptitle(f"{task} ({IN_WORDS[readings.reading(settings)]})", fontsize=11, weight="bold")
        start = lstm.Trial(settings, seed).start(layout)
        for column, (theta, when) in enumerate(
                ((start, "before training"), (np.array(record["weights"]["theta"]), "after training"))):
            states, y_in, y_out, y = cells.inside(settings, theta, batch)
            top, bottom = axes[:, column]
            for c, color in zip(range(layout.cells), (BLUE, GREEN, SKY, PURPLE)):
                cell, block = c // layout.blocks + 1, c % layout.blocks + 1
                top.plot(states[:, c], "-" if block == 1 else "--", color=color, label=f"block {block}, cell {cell}")
            for j, (a, b) in enumerate(((RED, BLACK), (ORANGE, "#888888"))):
                bottom.plot(y_in[:, j], color=a, label=f"input gate {j + 1}")
                bottom.plot(y_out[:, j], color=b, linestyle="--", label=f"output gate {j + 1}")
            for axis in (top, bottom):
                for step in relevant:
                    axis.axvline(step, color="#999999", linewidth=0.8, linestyle=":")
                axis.grid(color="#eeeeee", linewidth=0.6)
            target = ", ".join(f"{value:.2f}" for value in batch.target[0])
            outputs = ", ".join(f"{value:.2f}" for value in y)
            top.set_title(f"{when}: output {outputs} (target {target})", fontsize=9)
            bottom.set_ylim(-0.03, 1.03)
            if column == 0:
                top.set_ylabel("internal state s")
                bottom.set_ylabel("gate activation")
            bottom.set_xlabel("step (dotted: the marked or relevant inputs)")
    handles, labels = (top_part + bottom_part for top_part, bottom_part in zip(
        top.get_legend_handles_labels(), bottom.get_legend_handles_labels()))
    figure.legend(handles, labels, loc="outside lower center", ncol=4)
    figure.suptitle("Input gate 1 learns to open at the inputs that matter; the states drift in 6a, and hardly in 4")
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
    axis.set_title("An error survives 100 steps in the LSTM's states and vanishes in plain recurrent nets\n"
                   "(lines: medians; shade: all cells, or all of 50 random nets)")
    axis.grid(color="#dddddd", linewidth=0.6)
    figure.legend(fontsize=9, loc="outside lower center")
    return figure


# --- complexity.png -------------------------------------------------------------------------------


def complexity():
    """A.27, from the benchmark's file: time per step and weight, and peak memory."""
    file = Path(lstm.__file__).resolve().parent / "benchmarks" / "lstm_1997.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["AVX-512"]["scaling"]
    nets = [row for row in rows if row["steps"] == 100]
    lengths = [row for row in rows if row["weights"] == 3064]
    figure, axes = pictures.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for axis, chosen, key, name in (
            (axes[0], nets, "weights", "weights (100 steps)"), (axes[1], lengths, "steps", "steps (3064 weights)")):
        x = [row[key] for row in chosen]
        for column, style, color, label in (
                ("us_per_step", "o-", BLUE, "µs per step"), ("peak_kilobytes", "^-", GREEN, "peak memory, kB"),
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
    figure.suptitle("Time per step and memory grow with the net (left), not with the length of the sequence (right)")
    return figure


def book(flags):
    """Every picture by name."""
    adding, order = (
        studies.find_or_run(flags.results, lstm.EXPERIMENT, choice, fits=lambda record: "weights" in record)
        for choice in (cells.ADDING, cells.ORDER))
    results = harness.read_results(flags.results)
    found = readings.runs(results)
    return {
        "constant_sources": lambda: constant_sources(studies.arms(results, "constant-sources-4")),
        "constant_sources_2c": lambda: constant_sources_2c(studies.arms(results, "constant-sources-connections")),
        "complexity": complexity, "error_flow": functools.partial(error_flow, adding),
        "cec": functools.partial(cec, adding, order), "paper_vs_ours": functools.partial(paper_vs_ours, found),
        "reber": functools.partial(reber, found), "scaling_2c": functools.partial(scaling_2c, found),
        "first_weights": functools.partial(first_weights, found)}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book)


if __name__ == "__main__":
    sys.exit(main())
