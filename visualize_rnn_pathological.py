# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of the pathological tasks, from results.json alone.

    python3 visualize_rnn_pathological.py               reads results.json, writes viz/*.png

Nothing is trained here. If a record that a picture needs is absent, the command that makes it is
run first."""

import functools
import sys

import numpy as np

import harness
import pictures
import rnn_pathological as rp
import studies
import studies.rnn_pathological as grids
from pictures import BLUE, GREEN, ORANGE, PURPLE, RED, SKY

GREY = "#777777"
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


def title(settings):
    return f"{settings['task'].replace('_', ' ')}, T = {settings['sequence_len']}"


def plot_ortho_vs_random(results):
    """Held-out loss and metric of the headline, ten seeds as bands."""
    fig, axes = pictures.subplots(2, 3, figsize=(12.5, 6.4), sharex=True)
    found = arms(results, "headline")
    for (top, bottom), task in zip(axes.T, rp.HEADLINE_TASKS):
        described = rp.task_of(rp.Settings(task=task))
        for k, init in enumerate(rp.HEADLINE_INITS):
            records = found[task, init]
            band(top, records, "test_loss", COLOUR[init], NAME[init])
            band(bottom, records, metric_of(records), COLOUR[init], NAME[init])
            solved = [record["final"]["updates_to_solve"] for record in records]
            solved = [update for update in solved if update is not None]
            ticks, = bottom.plot(solved, np.full(len(solved), 1.04 + 0.045 * k), "|", ms=9, mew=1.5, color=COLOUR[init],
                                 transform=bottom.get_xaxis_transform(), clip_on=False)
            ticks.set_in_layout(False)
            end = sum(record["final"]["solved"] for record in records)
            bottom.annotate(f"{end} of {len(records)} end solved", (0.98, 0.67 - 0.09 * k), color=COLOUR[init],
                            xycoords="axes fraction", ha="right", fontsize=9, weight="bold")
        top.set(yscale="log", title=title(found[task, "ortho"][0]["settings"]))
        top.axhline(described.constant_loss, color=GREY, ls=":", lw=1.2, label="constant answer")
        bottom.axhline(described.chance, color=GREY, ls=":", lw=1.2, label="constant answer")
        bottom.axhline(described.solved, color=GREEN, ls="--", lw=1.2, label="solved beyond this line")
        bottom.set(xlabel="updates (50 sequences each)", ylabel="held-out accuracy", ylim=(0, 1.02))
        top.set_ylabel("held-out loss\n(cross-entropy, nats)")
    axes[0, 0].set_ylabel("held-out loss\n(half the squared error)")
    axes[1, 0].set(ylabel="held-out mean squared error", yscale="log", ylim=(0.01, 2))
    handles, labels = axes[1, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=4)
    fig.suptitle("Orthogonal and small random starts of W_hh, ten seeds each: median, quartiles, range\n"
                 "(ticks above the lower panels: when a seed was first solved)", fontsize=11)
    return fig


def plot_summary_table(results):
    """The headline's final figures as a coloured table."""
    header = ["task", "T", "figure", "constant\nanswer", "start", "seed 0", "ten seeds: median [range]", "ever\nsolved",
              "solved\nat the end"]
    rows, colours = [], []
    for (task, init), records in arms(results, "headline").items():
        described, metric = rp.task_of(rp.Settings(task=task)), metric_of(records)
        values = [record["final"][metric] for record in records]
        end = sum(record["final"]["solved"] for record in records)
        ever = sum(record["final"]["updates_to_solve"] is not None for record in records)
        rows.append([
            task, records[0]["settings"]["sequence_len"], "accuracy" if described.classes else "MSE",
            f"{described.chance:.3f}", NAME[init],
            f"{values[0]:.3f}", f"{np.median(values):.3f} [{min(values):.3f}, {max(values):.3f}]",
            f"{ever} of {len(records)}", f"{end} of {len(records)}"])
        shade = "#d9efe7" if end == len(records) else "#fbe3d6" if end == 0 else "#fff3d1"
        colours.append(["white"] * 8 + [shade])
    fig, ax = pictures.subplots(figsize=(12, 3.1))
    ax.axis("off")
    table = ax.table(rows, colLabels=header, cellColours=colours, loc="center", cellLoc="center",
                     colWidths=[0.15, 0.04, 0.08, 0.08, 0.15, 0.07, 0.21, 0.09, 0.1])
    table.auto_set_font_size(False)
    table.set_fontsize(9.5)
    table.scale(1, 1.75)
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("#cccccc")
        if row == 0:
            cell.set_height(cell.get_height() * 1.35)
            cell.set_text_props(weight="bold")
    return fig


def plot_spectrum(results):
    """Singular values of W_hh of the headline's own matrices, seed 0, before and after training."""
    fig, axes = pictures.subplots(1, 3, figsize=(12.5, 4.2), sharey=True)
    found = arms(results, "headline")
    for ax, task in zip(axes, rp.HEADLINE_TASKS):
        for init in rp.HEADLINE_INITS:
            record = found[task, init][0]
            for when, style in (("start", "--"), ("end", "-")):
                spectrum = record["spectrum"][when]
                values = spectrum["singular_values"]
                ax.plot(np.linspace(0, 1, len(values)), values, style, lw=2, color=COLOUR[init],
                        label=f"{init}, {when}: radius {spectrum['spectral_radius']:.2f}")
        ax.set(title=title(record["settings"]), xlabel="rank of the singular value (0 largest, 1 smallest)")
        ax.legend(fontsize=8.5)
    axes[0].set(ylabel="singular value of W_hh", ylim=(0, None))
    fig.suptitle("Singular values of W_hh before (dashed) and after training (solid), seed 0; "
                 "radius: largest |eigenvalue|", fontsize=11)
    return fig


GLYPHS = {  # a character for each symbol of a task
    "temporal_order": "ABcdef", "temporal_order_3": "ABcdef", "3bit_memorization": "01?xy",
    "noiseless_memorization": "01·!", "random_permutation": "01" + "abcdefghijklmnopqr"}
EXAMPLES = {"noiseless_memorization": dict(sequence_len=20), "random_permutation": dict(vocabulary=20)}


def answer_of(task, target):
    """The target of one sequence in words; target: (outputs,)."""
    if task in ("addition", "multiplication", "xor"):
        return f"{target[0]:.3g}"
    if task == "random_permutation":
        return f"the next symbol at every step; at the last step the first one, {target[-1]}"
    if task == "noiseless_memorization":
        return f"{''.join(map(str, target))}, over the last {len(target)} steps"
    digits = f"{target[0]:0{2 if task == 'temporal_order' else 3}b}"
    return digits.translate(str.maketrans("01", "AB")) if task.startswith("temporal") else digits


def draw_symbols(ax, glyphs, symbols):
    """A row of characters: the two or more informative kinds in blue, trigger and query in red,
    the rest in grey."""
    for t, symbol in enumerate(symbols):
        glyph = glyphs[symbol]
        colour = BLUE if symbol < 2 else RED if glyph in "?!" else GREY
        ax.text(t, 0.5, glyph, ha="center", va="center", fontsize=12, color=colour,
                weight="normal" if colour == GREY else "bold")
    ax.set(ylim=(0, 1), yticks=[])


def plot_task_examples(results):
    """One sequence of each task, drawn from the display stream: nothing of results is needed."""
    fig, axes = pictures.subplots(len(rp.TASKS), 1, figsize=(11, 12))
    for ax, task in zip(axes, rp.TASKS):
        settings = rp.Settings(task=task, **{"sequence_len": 30} | EXAMPLES.get(task, {}))
        x, target = rp.task_of(settings).generate(rp.streams(3)["display"], settings.sequence_len, 1)
        x, T = x[:, :, 0], len(x)
        if task in GLYPHS:
            draw_symbols(ax, GLYPHS[task], x.argmax(1))
        else:
            ax.bar(np.arange(T), np.maximum(x[:, 0], 0.02), color=np.where(x[:, 1] == 1, BLUE, "#cccccc"))
            ax.set(ylim=(0, 1.1), ylabel="value")
        ax.set_title(f"{task}: the answer is {answer_of(task, target[:, 0])}", loc="left", fontsize=10)
        ax.set_xlim(-0.7, T - 0.3)
        ax.grid(False)
    axes[-1].set_xlabel("step")
    fig.suptitle("One sequence of each task (blue: what must be remembered; red: trigger or query; grey: distraction)",
                 fontsize=11)
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
    fig, (left, middle, right) = pictures.subplots(1, 3, figsize=(13, 4.3))
    solved, without = arms(results, "xor", "xor-longer"), arms(results, *XOR_WITHOUT)
    plot_each(left, solved["T = 30"], "test_accuracy", BLUE, "curriculum and mixed lengths")
    for (label, records), colour in zip(without.items(), (ORANGE, PURPLE, RED, GREEN, SKY)):
        plot_each(left, records, "test_accuracy", colour, label)
    for (label, records), colour in zip(solved.items(), (BLUE, GREEN, PURPLE, ORANGE)):
        plot_each(middle, records, "longest", colour, label)
        plot_each(right, records, "test_accuracy", colour, label)
    left.set(title="XOR, T = 30", ylabel="held-out accuracy at T = 30", ylim=(0.2, 1.03))
    middle.set(title="Up to T = 200: length the curriculum has reached", ylabel="longest training sequence (steps)",
               ylim=(0, None))
    right.set(title="The same runs, on the full T", ylabel="held-out accuracy at the full T", ylim=(0.2, 1.03))
    for ax in (left, middle, right):
        ax.set_xlabel("updates (50 sequences each)")
        ax.legend(fontsize=8, loc="best" if ax is middle else "lower right")
    for ax in (left, right):
        ax.axhline(0.5, color=GREY, ls=":", lw=1.2)
    return fig


def plot_rates(ax, groups, xs, shift, colour, marker, label, style="-"):
    """Share of runs that end solved, a list of records at each x, with Wilson intervals, drawn a
    little to the side."""
    counts = [[record["final"]["solved"] for record in records] for records in groups]
    rates = np.array([np.mean(solved) for solved in counts])
    low, high = np.array([harness.wilson(sum(solved), len(solved)) for solved in counts]).T
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
    ax.set(title=f"3-bit memorization at a fixed length, {len(groups[0])} seeds (bars: 95% Wilson intervals)",
           xlabel="T, steps in a sequence", xticks=grids.LENGTHS, ylim=(-0.03, 1.03),
           ylabel="share of seeds that end solved")
    ax.legend(title="start of W_hh")
    return fig


def plot_scale(results):
    """Share of solved seeds against the spectral radius of the start, four kinds of start."""
    fig, axes = pictures.subplots(1, 4, figsize=(14.5, 4.3), sharey=True)
    looks = {"ortho": (BLUE, "o"), "identity": (GREEN, "^"), "gaussian": (RED, "s"), "sparse": (ORANGE, "D")}
    found = arms(results, "scale")
    for ax, tasks in zip(axes, [[task] for task in rp.HEADLINE_TASKS] + [rp.HEADLINE_TASKS]):
        for k, (label, init) in enumerate(grids.START_KINDS.items()):
            groups = [[record for task in tasks for record in found[task, init, rho]] for rho in grids.RADII]
            plot_rates(ax, groups, grids.RADII, 0.008 * (k - 1.5), *looks[init], label)
        name = title(groups[0][0]["settings"]) if len(tasks) == 1 else "the three tasks together"
        ax.set(title=f"{name}\n({len(groups[0])} runs a point)", xlabel="spectral radius of W_hh at the start",
               xticks=grids.RADII, ylim=(-0.03, 1.03))
    axes[0].set_ylabel("share of runs that end solved")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    fig.suptitle("Scale against structure of the start (bars: 95% Wilson intervals)", fontsize=11)
    return fig


def plot_order(results):
    """Updates to solve, from temporal order to addition and XOR; and which symbol is learned
    first."""
    fig, (left, right) = pictures.subplots(1, 2, figsize=(13, 5), width_ratios=(1.35, 1))
    colours = {"both": BLUE, "sum": ORANGE, "parity": RED}
    names = {("both", "distinct", "regions"): " = temporal order", ("sum", "marked", "halves"): " = addition",
             ("parity", "marked", "halves"): " = XOR"}
    for row, ((answer, *_), records) in enumerate(arms(results, "order").items()):
        finals = [record["final"] for record in records]
        solved = [final["update"] for final in finals if final["solved"]]
        left.plot(solved, np.full(len(solved), row), "o", color=colours[answer], alpha=0.6, ms=6)
        left.text(1.02, row, f"{len(solved)} of {len(finals)}", color=colours[answer], va="center", fontsize=9,
                  transform=left.get_yaxis_transform())
    labels = [f"{answer}, {symbols}, {places}{names.get((answer, symbols, places), '')}"
              for answer, symbols, places in grids.ORDER]
    left.set(yticks=np.arange(len(labels)), yticklabels=labels, xlabel="updates to solve (50 sequences each)",
             title="T = 30: answer, symbols, places (at the right: seeds solved)", xscale="log", xlim=(40, 2600),
             ylim=(len(labels) - 0.5, -0.5))
    styles = {"regions": "-", "early": "--"}
    for (init, places), records in arms(results, "order-lags").items():
        if init == "ortho":
            for which, colour in (("first", SKY), ("second", PURPLE)):
                update, values = held(records, f"{which}_right")
                place = {"first": "10-20%", "second": "50-60%" if places == "regions" else "20-30%"}[which]
                other = ", the other at 20-30%" if (which, places) == ("first", "early") else ""
                right.plot(update, values, styles[places], color=colour, lw=2, label=f"{which}, at {place}{other}")
    right.set(xlabel="updates (50 sequences each)", ylabel="symbol right, mean over seeds", ylim=(0.45, 1.02),
              title="T = 60, distinct symbols: which is learned first")
    right.axhline(0.5, color=GREY, ls=":", lw=1.2)
    right.legend(fontsize=8.5, loc="lower right", frameon=True, framealpha=0.95)
    return fig


def held(records, column):
    """Updates and the mean over seeds of a column; a run that ended keeps its last value."""
    longest = max((record["history"]["update"] for record in records), key=len)
    rows = [np.interp(longest, record["history"]["update"], record["history"][column]) for record in records]
    return longest, np.mean(rows, 0)


def plot_xor_grid(results):
    """Seeds that solve XOR at T = 30, for each combination of lengths, optimizer and input
    scale."""
    optimizers, scales = list(grids.XOR_OPTIMIZERS), grids.XOR_SCALES
    fig, axes = pictures.subplots(1, len(grids.XOR_LENGTHS), figsize=(13, 3.2), sharey=True)
    grid = arms(results, "xor-grid")
    for ax, lengths in zip(axes, grids.XOR_LENGTHS):
        found = [[[record["final"]["solved"] for record in grid[lengths, optimizer, scale]] for scale in scales]
                 for optimizer in optimizers]
        rates = [[np.mean(solved) for solved in row] for row in found]
        ax.imshow(rates, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for y, row in enumerate(found):
            for x, solved in enumerate(row):
                ax.text(x, y, f"{sum(solved)} of {len(solved)}", ha="center", va="center", fontsize=10,
                        color="black" if np.mean(solved) > 0.55 else "white")
        ax.set(title=lengths, xticks=range(len(scales)), xticklabels=scales, yticks=range(len(optimizers)),
               yticklabels=optimizers, xlabel="input scale")
        ax.grid(False)
    fig.suptitle("XOR at T = 30: seeds that end solved, within 6000 updates", fontsize=11)
    return fig


def plot_table5(results):
    """Share of wrong sequences over training in the setting of Sutskever et al. (2013), beside
    their figures."""
    fig, axes = pictures.subplots(1, 2, figsize=(12, 4.4), sharey=True)
    looks = {"NAG": (BLUE, "Nesterov 0.995"), "CM": (ORANGE, "heavy ball 0.9")}
    study = studies.load()["pathological-sutskever"]
    for task, method, mu in study.grid:
        ax, (colour, name) = axes[int(task == "multiplication")], looks[method]
        records = [studies.find(results, study.experiment, settings) for settings in study.row((task, method, mu))]
        plot_each(ax, filter(None, records), "wrong_rate", colour, f"{name}, here: each seed")
        paper = grids.PAPER_TABLE5[task, method]
        ax.axhline(paper, color=colour, ls="--", lw=1.2, label=f"{name}, the paper: {paper:g}")
        ax.set(yscale="log", title=f"{task}, T = 80", xlabel="updates (100 sequences each)", ylim=(1e-4, 1.3))
    for ax in axes:
        ax.legend(fontsize=8.5, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    axes[0].set_ylabel("share of sequences with |error| > 0.04")
    return fig


def plot_beyond(results):
    """Where the plain net's reach ends: solved seeds of tanh RNN and LSTM at growing T."""
    fig, ax = pictures.subplots(figsize=(8.5, 4.2))
    lengths = grids.BEYOND_LENGTHS
    looks = {"beyond-fixed": ("x", ":", "fixed length"), "beyond-curriculum": ("o", "-", "curriculum, mixed lengths")}
    for row, (way, (marker, style, words)) in enumerate(looks.items()):
        found = arms(results, way)
        for column, (net, colour) in enumerate(zip(grids.BEYOND_NETS, (BLUE, ORANGE))):
            groups, shift = [found[net, T] for T in lengths], 0.05 * (2 * row + column - 1.5)
            plot_rates(ax, groups, np.arange(len(lengths)), shift, colour, marker, f"{net}, {words}", style)
    ax.set(xticks=np.arange(len(lengths)), xticklabels=lengths, xlabel="T, steps in a sequence", ylim=(-0.03, 1.03),
           ylabel="share of seeds that end solved",
           title="3-bit memorization beyond the plain net's reach (bars: 95% Wilson intervals)")
    fig.legend(*ax.get_legend_handles_labels(), fontsize=9, loc="outside lower center", ncols=2)
    return fig


PICTURES = {
    "ortho_vs_random": plot_ortho_vs_random, "summary_table": plot_summary_table, "spectrum_W_hh": plot_spectrum,
    "task_examples": plot_task_examples, "xor_curriculum": plot_xor, "solve_rate_length": plot_length,
    "scale_structure": plot_scale, "temporal_order": plot_order, "xor_grid": plot_xor_grid,
    "momentum_2013": plot_table5, "lstm_reach": plot_beyond}


NEEDED = (  # studies; of the hours of pathological-sutskever what there is is drawn
    "headline", "xor", "xor-longer", *XOR_WITHOUT, "length", "scale", "order", "order-lags", "xor-grid", "beyond-fixed",
    "beyond-curriculum")


def book(flags):
    """Every picture by name."""
    results = studies.complete(flags.results, *(f"pathological-{name}" for name in NEEDED))
    return {name: functools.partial(plot, results) for name, plot in PICTURES.items()}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book, changes=LOOK)


if __name__ == "__main__":
    sys.exit(main())
