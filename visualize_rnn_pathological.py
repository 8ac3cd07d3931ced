# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of the pathological tasks, from results.json alone.

    python3 visualize_rnn_pathological.py               reads results.json, writes viz/*.png

Nothing is trained here. If a record that a picture needs is absent, the command that makes it is
run first; xor_whole_budget.png, lstm_reach_fair.png and table5_2013.png are drawn only where their
studies have been run."""

import functools
import sys

import numpy as np

import harness
import pictures
import rnn_pathological as rp
import studies
import studies.rnn_pathological as grids
from analysis import momentum_2013 as paper_2013
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY

GREY = "#777777"
LEAST_WRONG = 1e-5  # below the paper's lowest figure; from here down to 0 an axis of what is wrong is linear
COLOUR = {"ortho": BLUE, "random": RED}
NAME = {"ortho": "orthogonal", "random": "random, N(0, 0.1²)"}
LOOK = {
    "axes.grid": True, "grid.alpha": 0.25, "figure.constrained_layout.use": True, "savefig.dpi": 110,
    "axes.titlesize": "large"}


def arms(results, *names):
    """The records of some studies of these tasks by label; a name without its first word."""
    return {label: records for name in names
            for label, records in studies.arms(results, f"pathological-{name}").items()}


def curves(records, column):
    """Updates and a column of the records' histories, (seeds, points), at the points that all of
    them have."""
    shortest = min((record["history"] for record in records), key=lambda history: len(history["update"]))
    n = len(shortest["update"])
    return np.array(shortest["update"]), np.array([record["history"][column][:n] for record in records], float)


def band(ax, records, column, colour, label):
    """Median, quartiles and range over the seeds."""
    update, values = curves(records, column)
    ax.fill_between(update, values.min(0), values.max(0), color=colour, alpha=0.12, lw=0)
    ax.fill_between(update, *np.quantile(values, (0.25, 0.75), axis=0), color=colour, alpha=0.25, lw=0)
    ax.plot(update, np.median(values, 0), color=colour, lw=2, label=label)


def metric_of(records):
    return "test_accuracy" if "test_accuracy" in records[0]["final"] else "test_mse"


def solved(groups):
    """Runs that end solved and all runs, over some lists of records."""
    ends = [record["final"]["solved"] for records in groups for record in records]
    return sum(ends), len(ends)


def k_of_n(groups):
    """The same in words."""
    return "{} of {}".format(*solved(groups))


def heading(fig, *lines):
    """What the picture shows, above it."""
    fig.suptitle("\n".join(lines), fontsize=11)


def title(settings):
    return f"{settings['task'].replace('_', ' ')}, T = {settings['sequence_len']}"


def headline_words(found):
    """How many runs of the headline end solved with each start; found: its records by label."""
    ortho, random = (k_of_n(found[task, init] for task in rp.HEADLINE_TASKS) for init in rp.HEADLINE_INITS)
    return f"The orthogonal start of W_hh ends solved in {ortho} runs, the small random start N(0, 0.1²) in {random}"


def plot_ortho_vs_random(results):
    """Held-out loss and metric of the headline, ten seeds as bands."""
    fig, axes = pictures.subplots(2, 3, figsize=(9.8, 6.4), sharex=True)
    found = arms(results, "headline")
    for (top, bottom), task in zip(axes.T, rp.HEADLINE_TASKS):
        described = rp.task_of(rp.Settings(task=task))
        for k, init in enumerate(rp.HEADLINE_INITS):
            records = found[task, init]
            band(top, records, "test_loss", COLOUR[init], NAME[init])
            band(bottom, records, metric_of(records), COLOUR[init], NAME[init])
            first = [record["final"]["updates_to_solve"] for record in records]
            first = [update for update in first if update is not None]
            ticks, = bottom.plot(first, np.full(len(first), 1.04 + 0.045 * k), "|", ms=9, mew=1.5, color=COLOUR[init],
                                 transform=bottom.get_xaxis_transform(), clip_on=False)
            ticks.set_in_layout(False)
            bottom.annotate(f"{k_of_n([records])} end solved", (0.98, 0.67 - 0.09 * k), color=COLOUR[init],
                            xycoords="axes fraction", ha="right", fontsize=9, weight="bold")
        top.set(yscale="log", title=title(found[task, "ortho"][0]["settings"]))
        top.axhline(described.constant_loss, color=GREY, ls=":", lw=1.2, label="constant answer")
        bottom.axhline(described.chance, color=GREY, ls=":", lw=1.2, label="constant answer")
        bottom.axhline(described.solved, color=GREEN, ls="--", lw=1.2, label="bar: solved beyond this line")
        bottom.set(xlabel="updates (50 sequences each)", ylabel="held-out accuracy", ylim=(0, 1.02))
        top.set_ylabel("held-out cross-entropy (nats)")
    axes[0, 0].set_ylabel("held-out loss\n(half the squared error)")
    axes[1, 0].set(ylabel="held-out mean squared error", yscale="log", ylim=(0.01, 2))
    handles, labels = axes[1, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    heading(fig, headline_words(found), "ten seeds: median, quartiles, range; ticks: when a seed first passes the bar")
    return fig


def plot_summary_table(results):
    """The headline's final measures as a coloured table."""
    header = ["task", "T", "measure", "constant\nanswer", "start", "seed 0", "ten seeds: median [range]",
              "ever\nsolved", "solved at\nthe end"]
    rows, colours, found = [], [], arms(results, "headline")
    for (task, init), records in found.items():
        described, metric = rp.task_of(rp.Settings(task=task)), metric_of(records)
        values = [record["final"][metric] for record in records]
        end = sum(record["final"]["solved"] for record in records)
        ever = sum(record["final"]["updates_to_solve"] is not None for record in records)
        rows.append([
            task.replace("_", " "), records[0]["settings"]["sequence_len"], "accuracy" if described.classes else "MSE",
            f"{described.chance:.3f}", NAME[init],
            f"{values[0]:.3f}", f"{np.median(values):.3f} [{min(values):.3f}, {max(values):.3f}]",
            f"{ever} of {len(records)}", f"{end} of {len(records)}"])
        shade = "#d9efe7" if end == len(records) else "#fbe3d6" if end == 0 else "#fff3d1"
        colours.append(["white"] * 8 + [shade])
    fig, ax = pictures.subplots(figsize=(9.6, 3.3))
    heading(fig, headline_words(found))
    ax.axis("off")
    table = ax.table(rows, colLabels=header, cellColours=colours, loc="center", cellLoc="center",
                     colWidths=[0.17, 0.04, 0.09, 0.09, 0.18, 0.07, 0.22, 0.09, 0.1])
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    table.scale(1, 1.75)
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("#cccccc")
        if row == 0:
            cell.set_height(cell.get_height() * 1.35)
            cell.set_text_props(weight="bold")
    return fig


def plot_spectrum(results):
    """Singular values of W_hh of the headline's own matrices, seed 0, before and after training."""
    fig, axes = pictures.subplots(1, 3, figsize=(9.8, 4.2), sharey=True)
    found, moved = arms(results, "headline"), dict.fromkeys(rp.HEADLINE_INITS, 0)
    for ax, task in zip(axes, rp.HEADLINE_TASKS):
        for init in rp.HEADLINE_INITS:
            record = found[task, init][0]
            for when, style in (("start", "--"), ("end", "-")):
                spectrum = record["spectrum"][when]
                values = spectrum["singular_values"]
                ax.plot(np.linspace(0, 1, len(values)), values, style, lw=2, color=COLOUR[init],
                        label=f"{NAME[init]}, {when}: {spectrum['spectral_radius']:.2f}")
            ends = [np.array(record["spectrum"][when]["singular_values"]) for when in ("start", "end")]
            moved[init] = max(moved[init], abs(ends[1] - ends[0]).max())
        ax.set(title=title(record["settings"]), xlabel="rank (0 largest, 1 smallest)")
        ax.legend(fontsize=8.5, title="spectral radius")
    axes[0].set(ylabel="singular value of W_hh", ylim=(0, None))
    ortho, random = (f"{change:.2f}" for change in moved.values())
    heading(fig, f"Training moves singular values of the orthogonal start by up to {ortho}, "
            f"of N(0, 0.1²) by up to {random}", "(seed 0; dashed: before training, solid: after)")
    return fig


GLYPHS = {  # a character for each symbol of a task
    "temporal_order": "ABcdef", "temporal_order_3": "ABcdef", "3bit_memorization": "01?xy",
    "noiseless_memorization": "01·!", "random_permutation": "01" + "abcdefghijklmnopqr",
    "copy_memory": "01234567·!"}
EXAMPLES = {
    "noiseless_memorization": dict(sequence_len=20), "random_permutation": dict(vocabulary=20),
    "copy_memory": dict(sequence_len=20)}


def answer_of(task, target):
    """The target of one sequence in words; target: (outputs,)."""
    if task in ("addition", "multiplication", "xor"):
        return f"{target[0]:.3g}"
    if task == "random_permutation":
        return f"the next symbol at every step; at the last step the first one, {target[-1]}"
    if task == "noiseless_memorization":
        return f"{''.join(map(str, target))}, over the last {len(target)} steps"
    if task == "copy_memory":
        copied = "".join(map(str, target[-rp.COPIED :]))
        return f"a blank at every step, {copied} over the last {rp.COPIED}"
    digits = f"{target[0]:0{2 if task == 'temporal_order' else 3}b}"
    return digits.translate(str.maketrans("01", "AB")) if task.startswith("temporal") else digits


def draw_symbols(ax, glyphs, symbols, informative=2):
    """A row of characters: the first kinds, which are informative, in blue, trigger and query in red,
    the rest in grey."""
    for t, symbol in enumerate(symbols):
        glyph = glyphs[symbol]
        colour = BLUE if symbol < informative else RED if glyph in "?!" else GREY
        ax.text(t, 0.5, glyph, ha="center", va="center", fontsize=12, color=colour,
                weight="normal" if colour == GREY else "bold")
    ax.set(ylim=(0, 1), yticks=[])


def plot_task_examples(results):
    """One sequence of each task, drawn from the display stream: nothing of results is needed."""
    fig, axes = pictures.subplots(len(rp.TASKS), 1, figsize=(9.2, 11.2))
    for ax, task in zip(axes, rp.TASKS):
        settings = rp.Settings(task=task, **{"sequence_len": 30} | EXAMPLES.get(task, {}))
        x, target = rp.task_of(settings).generate(rp.streams(3)["display"], settings.sequence_len, 1)
        x, T = x[:, :, 0], len(x)
        if task in GLYPHS:
            draw_symbols(ax, GLYPHS[task], x.argmax(1), rp.COPY_KINDS if task == "copy_memory" else 2)
        else:
            ax.bar(np.arange(T), np.maximum(x[:, 0], 0.02), color=np.where(x[:, 1] == 1, BLUE, "#cccccc"))
            ax.set(ylim=(0, 1.1), ylabel="value")
        ax.set_title(f"{task}: the answer is {answer_of(task, target[:, 0])}", loc="left", fontsize=10)
        ax.set_xlim(-0.7, T - 0.3)
        ax.grid(False)
    axes[-1].set_xlabel("step")
    heading(fig, "Each task asks for a few inputs (blue) across many distractions (grey; red: trigger or query)")
    return fig


def plot_each(ax, records, column, colour, label):
    """A line for each seed."""
    for k, record in enumerate(records):
        history = record["history"]
        ax.plot(history["update"], history[column], color=colour, lw=1.3, alpha=0.8, label=None if k else label)


XOR_WITHOUT = ("xor-fixed", "xor-fixed-longer", "xor-less")


def plot_xor(results):
    """XOR at T = 30: with a length curriculum and at a fixed length; and how far the length can
    be pushed."""
    fig = pictures.blank(figsize=(9.6, 7.6))
    left, middle, right = fig.subplot_mosaic([["left", "left"], ["middle", "right"]]).values()
    grown, without = arms(results, "xor", "xor-longer"), arms(results, *XOR_WITHOUT)
    plot_each(left, grown["T = 30"], "test_accuracy", BLUE, "curriculum and mixed lengths")
    for (label, records), colour in zip(without.items(), (ORANGE, PURPLE, RED, GREEN, SKY)):
        plot_each(left, records, "test_accuracy", colour, label)
    for (label, records), colour in zip(grown.items(), (BLUE, GREEN, PURPLE, ORANGE)):
        plot_each(middle, records, "longest", colour, label)
        plot_each(right, records, "test_accuracy", colour, label)
    fixed = k_of_n(records for label, records in without.items() if label.startswith("fixed"))
    longer = k_of_n(records for label, records in grown.items() if label != "T = 30")
    left.set(title=f"XOR at T = 30: {k_of_n([grown['T = 30']])} runs end solved with a curriculum and mixed lengths, "
                   f"{fixed} at the fixed length (own settings)",
             ylabel="held-out accuracy at T = 30", ylim=(0.2, 1.03))
    middle.set(title=f"T = 60 to 200: {longer} runs end solved", ylabel="longest training sequence (steps)",
               ylim=(0, None))
    right.set(title="The same runs, on the full T", ylabel="held-out accuracy at the full T", ylim=(0.2, 1.03))
    for ax in (left, middle, right):
        ax.set_xlabel("updates (50 sequences each)")
        ax.legend(fontsize=9, loc="best" if ax is middle else "lower right", ncols=2 if ax is left else 1)
    left.title.set_fontsize(10.5)
    for ax in (left, right):
        ax.axhline(0.5, color=GREY, ls=":", lw=1.2)
    return fig


def plot_rates(ax, groups, xs, shift, colour, marker, label, style="-"):
    """Share of runs that end solved, a list of records at each x, with Wilson intervals, drawn a
    little to the side."""
    counts = [solved([records]) for records in groups]
    rates = np.array([k / n for k, n in counts])
    low, high = np.array([harness.wilson(k, n) for k, n in counts]).T
    bars = np.maximum([rates - low, high - rates], 0)
    ax.errorbar(np.asarray(xs) + shift, rates, bars, color=colour, marker=marker, ms=6, ls=style, lw=1.8,
                elinewidth=1.1, capsize=2.5, label=label)


def plot_length(results):
    """Share of solved seeds against T, three starts."""
    fig, ax = pictures.subplots(figsize=(8.5, 4.3))
    looks = {"ortho": (BLUE, "o", -1.5), "random": (RED, "s", 0), "identity": (GREEN, "^", 1.5)}
    found = arms(results, "length")
    for label, init in grids.LENGTH_STARTS.items():
        groups, (colour, marker, shift) = [found[init, T] for T in grids.LENGTHS], looks[init]
        plot_rates(ax, groups, grids.LENGTHS, shift, colour, marker, label)
    ortho, random, identity = (
        k_of_n(found[init, T] for T in grids.LENGTHS) for init in grids.LENGTH_STARTS.values())
    heading(fig, f"3-bit memorization at a fixed length: the orthogonal start ends solved in {ortho} runs,",
            f"N(0, 0.1²) in {random}, the identity in {identity}")
    ax.set(title=f"{len(groups[0])} seeds a point; bars: 95% Wilson intervals",
           xlabel="T, steps in a sequence", xticks=grids.LENGTHS, ylim=(-0.03, 1.03),
           ylabel="share of seeds that end solved (accuracy > 0.9)")
    ax.title.set_fontsize(10)
    ax.legend(title="start of W_hh")
    return fig


START_LOOKS = {"ortho": (BLUE, "o"), "identity": (GREEN, "^"), "gaussian": (RED, "s"), "sparse": (ORANGE, "D")}
SHIFTED = "Bars: 95% Wilson intervals; points are shifted sideways for legibility"


def scale_panel(ax, found, tasks):
    """Share of solved runs of some tasks against the spectral radius of the start."""
    for k, (label, init) in enumerate(grids.START_KINDS.items()):
        groups = [[record for task in tasks for record in found[task, init, rho]] for rho in grids.RADII]
        plot_rates(ax, groups, grids.RADII, 0.008 * (k - 1.5), *START_LOOKS[init], label)
    name = title(groups[0][0]["settings"]) if len(tasks) == 1 else "The three tasks together"
    ax.set(title=f"{name} ({len(groups[0])} runs a point)", xticks=grids.RADII, ylim=(-0.03, 1.03))


def scale_heading(fig, found):
    """What scale does and what structure does, above the picture."""
    def runs(init, *radii):
        return [found[task, init, rho] for task in rp.HEADLINE_TASKS for rho in radii]

    low = k_of_n(records for init in START_LOOKS for records in runs(init, 0.8))
    ortho, identity = (k_of_n(runs(init, 1.0, 1.1)) for init in ("ortho", "identity"))
    heading(fig, f"Scale: at a radius of 0.8, whatever the start, {low} runs end solved.",
            f"Structure: at 1 and 1.1 it is {ortho} with the orthogonal start, {identity} with the identity.", SHIFTED)


def plot_scale_together(results):
    """Share of solved runs of all tasks together against the spectral radius of the start."""
    fig, ax = pictures.subplots(figsize=(8.5, 4.8))
    found = arms(results, "scale")
    scale_panel(ax, found, rp.HEADLINE_TASKS)
    ax.set(xlabel="spectral radius of W_hh at the start", ylabel="share of runs that end solved")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    scale_heading(fig, found)
    return fig


def plot_scale(results):
    """Share of solved seeds against the spectral radius of the start, four kinds of start."""
    fig, axes = pictures.subplots(2, 2, figsize=(9.2, 7.4), sharey=True)
    found = arms(results, "scale")
    for ax, tasks in zip(axes.flat, [rp.HEADLINE_TASKS] + [[task] for task in rp.HEADLINE_TASKS]):
        scale_panel(ax, found, tasks)
    for ax in axes[1]:
        ax.set_xlabel("spectral radius of W_hh at the start")
    for ax in axes[:, 0]:
        ax.set_ylabel("share of runs that end solved")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    scale_heading(fig, found)
    return fig


def plot_order(results):
    """Updates to solve, from temporal order to addition and XOR; and which symbol is learned
    first."""
    fig, (left, right) = pictures.subplots(2, 1, figsize=(9.2, 8.6), height_ratios=(1.25, 1))
    colours, found = {"both": BLUE, "sum": ORANGE, "parity": RED}, arms(results, "order")
    names = {("both", "distinct", "regions"): " = temporal order", ("sum", "marked", "halves"): " = addition",
             ("parity", "marked", "halves"): " = XOR"}
    for row, ((answer, *_), records) in enumerate(found.items()):
        first = [record["final"]["updates_to_solve"] for record in records]
        first = [update for update in first if update is not None]
        left.plot(first, np.full(len(first), row), "o", color=colours[answer], alpha=0.6, ms=6)
        left.text(1.02, row, k_of_n([records]), color=colours[answer], va="center", fontsize=10,
                  transform=left.get_yaxis_transform())
    labels = [f"{answer}, {symbols}, {places}{names.get((answer, symbols, places), '')}"
              for answer, symbols, places in grids.ORDER]
    left.set(yticks=np.arange(len(labels)), yticklabels=labels, xlabel="updates to solve (50 sequences each)",
             title="T = 30; at the right: seeds solved at the end", xscale="log", xlim=(25, 2600),
             ylim=(len(labels) - 0.5, -0.5))
    styles = {"regions": "-", "early": "--"}
    lags = arms(results, "order-lags")
    for places, second in (("regions", "50-60%"), ("early", "20-30%")):
        for which, colour in (("first", SKY), ("second", PURPLE)):
            update, values = held(lags["ortho", places], f"{which}_right")
            words = f"first, at 10-20%, the second at {second}" if which == "first" else f"second, at {second}"
            right.plot(update[1:], values[1:], styles[places], color=colour, lw=2, label=words)
    records = lags["ortho", "regions"]
    ahead = sum(right_first(record, "first") < right_first(record, "second") for record in records)
    right.set(xlabel="updates (50 sequences each)", ylabel="symbol right, mean over seeds", ylim=(0.45, 1.02),
              xscale="log", xlim=(9, None),
              title="T = 60: the first symbol, farther from the end, is learned first in "
                    f"{ahead} of {len(records)} runs")
    right.title.set_fontsize(10.5)
    right.axhline(0.5, color=GREY, ls=":", lw=1.2)
    right.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=2)
    easy, hard = (middle_updates(found[key]) for key in (("both", "distinct", "regions"), ("sum", "marked", "halves")))
    heading(fig, f"Temporal order is solved (accuracy > 0.9) after {easy:.4g} updates, "
            f"addition (MSE < 0.05) after {hard:.4g} (medians, T = 30)")
    return fig


def right_first(record, which, share=0.9):
    """The first point of the curve at which one symbol is right in this share of the sequences."""
    history = record["history"]
    points = zip(history["update"], history[f"{which}_right"])
    return next((update for update, right in points if right >= share), np.inf)


def middle_updates(records):
    """The median of the updates to solve, where those never solved are later than all others."""
    first = [record["final"]["updates_to_solve"] for record in records]
    return np.median([np.inf if update is None else update for update in first])


def held(records, column):
    """Updates and the mean over seeds of a column; a run that ended keeps its last value."""
    longest = max((record["history"]["update"] for record in records), key=len)
    rows = [np.interp(longest, record["history"]["update"], record["history"][column]) for record in records]
    return longest, np.mean(rows, 0)


def plot_xor_grid(results):
    """Seeds that solve XOR at T = 30, for each combination of lengths, optimizer and input
    scale."""
    optimizers, scales = list(grids.XOR_OPTIMIZERS), grids.XOR_SCALES
    fig, axes = pictures.subplots(2, 2, figsize=(9.2, 5.6), sharex=True, sharey=True)
    grid = arms(results, "xor-grid")
    for ax, lengths in zip(axes.flat, grids.XOR_LENGTHS):
        found = [[solved([grid[lengths, optimizer, scale]]) for scale in scales] for optimizer in optimizers]
        rates = [[k / n for k, n in row] for row in found]
        ax.imshow(rates, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for y, row in enumerate(found):
            for x, (k, n) in enumerate(row):
                ax.text(x, y, f"{k} of {n}", ha="center", va="center", fontsize=10,
                        color="black" if k > 0.55 * n else "white")
        total = k_of_n(records for (kind, *_), records in grid.items() if kind == lengths)
        ax.set(title=f"{lengths}: {total}", xticks=range(len(scales)), xticklabels=scales,
               yticks=range(len(optimizers)), yticklabels=optimizers)
        ax.grid(False)
    for ax in axes[1]:
        ax.set_xlabel("input scale")
    fixed = next(iter(grids.XOR_LENGTHS))
    never, some = (
        k_of_n(records for (kind, *_), records in grid.items() if (kind == fixed) == at) for at in (True, False))
    heading(fig, f"XOR at T = 30: {never} runs end solved at the fixed length, {some} with shorter sequences, too",
            "(an accuracy > 0.99 within 6000 updates)")
    return fig


def plot_table5(results):
    """Share of wrong sequences over training in the setting of Sutskever et al. (2013), beside
    their figures."""
    fig, axes = pictures.subplots(2, 2, figsize=(9.2, 6.6), sharex=True, sharey=True)
    looks = {"NAG": (BLUE, "Nesterov, momentum 0.995"), "CM": (ORANGE, "heavy ball, momentum 0.9")}
    study, above = studies.load()["pathological-sutskever"], []
    for task, method, mu in study.grid:
        (colour, name), paper = looks[method], grids.PAPER_TABLE5[task, method]
        ax = axes[int(method == "CM"), int(task == "multiplication")]
        records = [studies.find(results, study.experiment, settings) for settings in study.row((task, method, mu))]
        records = list(filter(None, records))
        plot_each(ax, records, "wrong_rate", colour, "here, a line for each seed")
        ax.plot(50_000, paper, "D", color=BLACK, ms=7, ls="", clip_on=False, label=f"paper: {paper:g}")
        ax.set(yscale="log", title=f"{task}, T = 80: {name}", ylim=(1e-4, 1.3))
        ax.legend(fontsize=9, loc="lower left")
        above += [record["final"]["wrong_rate"] > paper for record in records]
    for ax in axes[1]:
        ax.set_xlabel("updates (100 sequences each)")
    for ax in axes[:, 0]:
        ax.set_ylabel("share with |error| > 0.04")
    heading(fig, f"Table 5 of Sutskever et al. (2013): {sum(above)} of {len(above)} runs end above the paper's value")
    return fig


def plot_beyond(results):
    """Where the plain net's reach ends: solved seeds of tanh RNN and LSTM at growing T."""
    fig, ax = pictures.subplots(figsize=(8.5, 4.2))
    lengths = grids.BEYOND_LENGTHS
    looks = {"beyond-fixed": ("x", ":", "fixed length"), "beyond-curriculum": ("o", "-", "curriculum, mixed lengths")}
    ends = {}
    for row, (way, (marker, style, words)) in enumerate(looks.items()):
        found = arms(results, way)
        for column, (net, colour) in enumerate(zip(grids.BEYOND_NETS, (BLUE, ORANGE))):
            groups, shift = [found[net, T] for T in lengths], 0.05 * (2 * row + column - 1.5)
            plot_rates(ax, groups, np.arange(len(lengths)), shift, colour, marker, f"{net}, {words}", style)
            ends[way, net] = k_of_n(groups)
    ax.set(xticks=np.arange(len(lengths)), xticklabels=lengths, xlabel="T, steps in a sequence", ylim=(-0.03, 1.03),
           ylabel="share of seeds that end solved")
    (plain, lstm), (plain_grown, lstm_grown) = (
        [ends[way, net] for net in grids.BEYOND_NETS] for way in ("beyond-fixed", "beyond-curriculum"))
    heading(fig, f"3-bit memorization, T = 200 and 400: with a curriculum the LSTM ends solved in {lstm_grown} runs,",
            f"the tanh RNN in {plain_grown}; at a fixed length {lstm} and {plain}",
            "(each net with settings of its own; bars: 95% Wilson intervals)")
    fig.legend(*ax.get_legend_handles_labels(), fontsize=9, loc="outside lower center", ncols=2)
    return fig


# --------------------------------------------------------------------------------------------------
# Equal budgets, equal search
# --------------------------------------------------------------------------------------------------

def plot_xor_whole(results):
    """Held-out accuracy of XOR at the fixed T = 30 over 24,000 updates, a line for each seed."""
    found = arms(results, "xor-whole-budget")
    optimizers = list(dict.fromkeys(key[0] for key in found))
    looks = {("ortho", 0.1): BLUE, ("random", 0.1): RED, ("ortho", 1.0): GREEN}
    fig, axes = pictures.subplots(1, len(optimizers), figsize=(9.6, 4.2), sharey=True)
    for ax, optimizer in zip(axes, optimizers):
        groups = {key: records for key, records in found.items() if key[0] == optimizer}
        for (_, init, scale), records in groups.items():
            plot_each(ax, records, "test_accuracy", looks[init, scale], f"{NAME[init]}, input scale {scale:g}")
        ax.axhline(rp.TASKS["xor"].solved, color=BLACK, ls="--", lw=1.2, label="bar: solved above this line")
        ax.set(title=f"{optimizer}: {k_of_n(groups.values())} end solved", xlabel="updates (50 sequences each)",
               ylim=(0.4, 1.03))
    axes[0].set_ylabel("held-out accuracy (1/2: chance)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    updates, grown = next(iter(found.values()))[0]["final"]["update"], arms(results, "xor")["T = 30"]
    heading(fig, f"XOR at the fixed T = 30: {k_of_n(found.values())} runs end solved after up to {updates:,} updates;",
            f"with a curriculum and mixed lengths {k_of_n([grown])} within "
            f"{max(record['final']['update'] for record in grown):,}")
    return fig


def plot_beyond_fair(results):
    """Solved seeds of tanh RNN and LSTM at growing T, each at its best of the same search."""
    fig, ax = pictures.subplots(figsize=(8.5, 4.2))
    found, lengths, ends = arms(results, "beyond-fair"), grids.FAIR_LENGTHS, []
    for net, colour, marker, shift in zip(grids.FAIR_NETS, (BLUE, ORANGE), "os", (-0.04, 0.04)):
        groups = [found[net, T] for T in lengths]
        plot_rates(ax, groups, np.arange(len(lengths)), shift, colour, marker, net)
        ends.append(", ".join(str(solved([records])[0]) for records in groups))
    ax.axhline(0.5, color=GREY, ls=":", lw=1.2)
    ax.set(xticks=np.arange(len(lengths)), xticklabels=lengths, xlabel="T, steps in a sequence", ylim=(-0.03, 1.03),
           ylabel="share of seeds that end solved")
    heading(fig, "3-bit memorization after the same search for both: "
            f"of {len(groups[0])} seeds the LSTM solves {ends[1]},",
            f"the tanh RNN {ends[0]}, at T = {', '.join(map(str, lengths))} (bars: 95% Wilson intervals)")
    fig.legend(*ax.get_legend_handles_labels(), fontsize=9, loc="outside lower center", ncols=2)
    return fig


def plot_table5_2013(results):
    """Each task in its columns of Table 5: the paper's figures, and our seeds where they have been run."""
    reported = paper_2013.reported(results)
    fig, axes = pictures.subplots(1, len(reported), figsize=(2.4 + 2.6 * len(reported), 4.4), squeeze=False)
    reached, columns = paper_2013.met(paper_2013.means(results))
    for ax, (name, found) in zip(axes[0], reported.items()):
        of_task = grids.CHOSEN_2013[name]
        for k, column in enumerate(of_task):
            paper = paper_2013.paper_figure(name, column)
            ax.plot(k, paper, "D", color=ORANGE, ms=6, mec=BLACK, mew=0.7, label="paper")
            if column in found:
                wrong = np.array([paper_2013.wrong(record) for record in found[column]])
                ax.plot(k + np.linspace(-0.18, 0.18, len(wrong)), wrong, "o", color=BLUE, ms=5, alpha=0.7,
                        label="here, a dot for each seed", clip_on=False)
                ax.plot([k - 0.3, k + 0.3], 2 * [wrong.mean()], color=BLUE, lw=2, label="their mean", clip_on=False)
        top = max(paper_2013.most_wrong(records[0]) for records in found.values())
        ax.set_yscale("symlog", linthresh=LEAST_WRONG, linscale=0.5)
        ax.set(title=name, ylim=(0, 2 * top), ylabel=paper_2013.measure_of(name))
        words = [paper_2013.column_words(column) for column in of_task]
        ax.set_xticks(range(len(of_task)), words, rotation=60, ha="right", fontsize=9)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(*zip(*{label: (handle, label) for handle, label in zip(handles, labels)}.values()),
               loc="outside lower center", ncols=3)
    heading(fig, f"Table 5 of Sutskever et al. (2013): in {reached} of {columns} columns",
            "the mean of our seeds is as low as the paper's figure")
    return fig


def there(results, study):
    """Whether a study of these tasks has been run."""
    return studies.are_complete(results, f"pathological-{study}")


PICTURES = {
    "ortho_vs_random": plot_ortho_vs_random, "summary_table": plot_summary_table, "spectrum_W_hh": plot_spectrum,
    "task_examples": plot_task_examples, "xor_curriculum": plot_xor, "solve_rate_length": plot_length,
    "scale_structure": plot_scale, "scale_tasks_together": plot_scale_together, "temporal_order": plot_order,
    "xor_grid": plot_xor_grid, "momentum_2013": plot_table5, "lstm_reach": plot_beyond}


NEEDED = (  # studies; of the hours of pathological-sutskever what there is is drawn
    "headline", "xor", "xor-longer", *XOR_WITHOUT, "length", "scale", "order", "order-lags", "xor-grid", "beyond-fixed",
    "beyond-curriculum")
WHEN_RUN = {  # pictures that never have anything run: what draws them, and whether what they need is there
    "xor_whole_budget": (plot_xor_whole, lambda results: there(results, "xor-whole-budget")),
    "lstm_reach_fair": (plot_beyond_fair, lambda results: there(results, "beyond-fair")),
    "table5_2013": (plot_table5_2013, paper_2013.reported)}


def book(flags):
    """Every picture by name."""
    results = studies.complete(flags.results, *(f"pathological-{name}" for name in NEEDED))
    plots = PICTURES | {name: plot for name, (plot, is_there) in WHEN_RUN.items() if is_there(results)}
    return {name: functools.partial(plot, results) for name, plot in plots.items()}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book, changes=LOOK)


if __name__ == "__main__":
    sys.exit(main())
