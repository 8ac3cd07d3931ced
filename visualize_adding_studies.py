# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of the adding problem's studies, from results.json alone.

    python3 visualize_adding_studies.py --outdir viz

Writes adding_lags.png, adding_cells.png, adding_hidden.png, adding_lesions.png,
adding_weak_seeds.png, adding_recipes.png and, where their studies have been run, adding_fair.png,
adding_long.png and adding_long_fair.png. Nothing is trained here: where records of the first six are missing,
reproduce.py is run for their study first, which may take an hour."""

import functools
import sys

import numpy as np
from matplotlib.patheffects import withStroke

import adding_problem as ap
import pictures
import studies
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED
from studies.adding_problem import FOUR, STARTS
from visualize_adding_problem import SOLVED


def column(records, name):
    return np.array([record["final"][name] for record in records])


def dots(axis, at, values, colour, label=None):
    """A dot per seed, spread a little to the side, and a line at the median."""
    aside = np.linspace(-0.22, 0.22, len(values))
    axis.scatter(at + aside, values, s=22, color=colour, alpha=0.75, lw=0, label=label)
    axis.plot([at - 0.32, at + 0.32], [np.median(values)] * 2, color=colour, lw=2)


def constant_lines(axis):
    axis.axhline(ap.CONSTANT_MSE, color="black", lw=0.8, ls="--")
    axis.annotate("constant 0: 2/3", (0.01, ap.CONSTANT_MSE), xycoords=("axes fraction", "data"), va="bottom",
                  xytext=(0, 2), textcoords="offset points", fontsize=9)


def solve_rates(axis, title="Solve rate"):
    axis.set(ylim=(-0.02, 1.02), ylabel=f"fraction of 512 with |error| < {ap.TOLERANCE}", title=title)
    axis.axhline(SOLVED, color="black", lw=0.8, ls="--")
    axis.annotate(f"solved: {SOLVED}", (0.8, SOLVED), xycoords=("axes fraction", "data"), ha="center", va="bottom",
                  fontsize=9, path_effects=[withStroke(linewidth=2.5, foreground="white")])


def solved(records):
    return int((column(records, "solve_rate") >= SOLVED).sum())


# --------------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------------

def lags(found):
    """Held-out MSE against training sequences, a panel per length, a line per seed."""
    lengths = sorted({records[0]["settings"]["T"] for records in found.values()})
    figure, axes = pictures.subplots(1, len(lengths), figsize=(9.6, 4.2), layout="constrained", sharey=True)
    for axis, T in zip(axes, lengths):
        for name, colour in (("tanh RNN", RED), ("LSTM", BLUE)):
            for k, record in enumerate(found[f"{name}, T = {T}"]):
                history = record["history"]
                axis.plot(np.array(history["train_sequences"]) / 1000, history["test_mse"], color=colour, lw=1,
                          alpha=0.8, label=f"{name}, three seeds" if k == 0 else None)
        constant_lines(axis)
        axis.set(yscale="log", title=f"T = {T}", xlabel="training sequences (thousands)")
    axes[0].set_ylabel("test MSE (512 held-out sequences)")
    axes[-1].legend(loc="lower left", fontsize=10)
    counts = (f"{solved(found[f'LSTM, T = {T}'])} of 3 at T = {T}" for T in lengths)
    figure.suptitle(f"The same recipe at longer lags: LSTMs that solve the task: {', '.join(counts)}")
    return figure


def by_seed(found, title, colours):
    """MSE and solve rate, a column per arm, a dot per seed."""
    figure, axes = pictures.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
    for axis, name in zip(axes, ("test_mse", "solve_rate")):
        for k, (records, colour) in enumerate(zip(found.values(), colours)):
            dots(axis, k, column(records, name), colour)
        axis.set_xticks(range(len(found)), [label.replace(", ", ",\n").replace(" (", "\n(") for label in found],
                        fontsize=9)
    axes[0].set(yscale="log", ylabel="test MSE (512 held-out sequences)", title="Mean squared error")
    constant_lines(axes[0])
    solve_rates(axes[1])
    figure.suptitle(title)
    return figure


def cells(found):
    counts = ", ".join(f"{solved(records)}" for records in found.values())
    return by_seed(found, f"T = 100, 8 units: of ten seeds {counts} solve the task, left to right (line: median)",
                   (BLUE, GREEN, RED, ORANGE, PURPLE))


def hidden(found):
    least = next((label for label, records in found.items() if solved(records) >= 8), "none")
    title = f"LSTM, T = 100: of {len(found)} sizes the smallest that solves 8 of ten seeds or more has {least}"
    return by_seed(found, title, [BLUE] * len(found))


LESIONS = (  # the words of a column, the lesion (into, by, steps), colour
    ("weights into\ncandidates\nset to 0", ("g", "zero", "every"), BLUE),
    ("weights into\ngates\nset to 0", ("ifo", "zero", "every"), ORANGE),
    ("mean into\ncandidates,\nunmarked\nsteps", ("g", "mean", "unmarked"), BLUE),
    ("mean into\ngates,\nunmarked\nsteps", ("ifo", "mean", "unmarked"), ORANGE),
    ("mean into\ncandidates,\nmarked\nsteps", ("g", "mean", "marked"), BLUE),
    ("mean into\ngates,\nmarked\nsteps", ("ifo", "mean", "marked"), ORANGE))


def lesions(found):
    """MSE of the trained LSTMs with weights between units taken away, a dot per seed."""
    [records] = found.values()
    figure, axis = pictures.subplots(figsize=(9.6, 5), layout="constrained")
    columns = [("intact", column(records, "test_mse"), BLACK)]
    for words, lesion, colour in LESIONS:
        mse = [row["test_mse"] for record in records for row in record["final"]["lesions"]
               if (row["into"], row["by"], row["steps"]) == lesion]
        columns.append((words, np.array(mse), colour))
    drawn = [np.median(record["final"]["random_mse"]) for record in records]
    columns.append(("as many into\ngates, drawn at\nrandom, 0", np.array(drawn), ORANGE))
    for k, (_, mse, colour) in enumerate(columns):
        dots(axis, k, mse, colour)
    constant_lines(axis)
    axis.set_xticks(range(len(columns)), [words for words, *_ in columns], fontsize=9)
    axis.set(yscale="log", ylabel="test MSE (512 held-out sequences)")
    lowest = columns[3][1].min()
    figure.suptitle("LSTM without what the units tell each other's candidates at unmarked steps: "
                    f"MSE {lowest:.2f} or more in {len(records)} of {len(records)} seeds", fontsize=11.5)
    return figure


def weak_seeds(found):
    """Solve rates of first weights crossed with data, a panel per schedule."""
    figure, axes = pictures.subplots(1, 2, figsize=(9, 5.2), layout="constrained")
    for axis, schedule in zip(axes, ("halving", "cosine")):
        rates = np.array([column(found[schedule, init], "validation_solve_rate") for init in STARTS])
        image = axis.imshow(rates, cmap="cividis", vmin=0.75, vmax=1)
        for (row, place), value in np.ndenumerate(rates):
            axis.text(place, row, f"{value:.2f}"[1:] if value < 0.995 else "1.0", ha="center", va="center", fontsize=10,
                      color="black" if value > 0.9 else "white")
        axis.set(title=f"{schedule}: mean {rates.mean():.3f}, {(rates < SOLVED).sum()} of {rates.size} below {SOLVED}",
                 xlabel="seed of the training data",
                 ylabel="seed of the first weights", xticks=FOUR)
        axis.set_yticks(range(len(STARTS)), STARTS)
        axis.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label=f"fraction of 4096 validation sequences with |error| < {ap.TOLERANCE}")
    rates = [column(found[schedule, init], "validation_solve_rate") for schedule in ("halving", "cosine")
             for init in STARTS]
    before, after = np.split(np.concatenate(rates), 2)
    figure.suptitle(f"With the cosine schedule {(after > before).sum()} of {len(after)} pairs of first weights and "
                    "data end higher")
    return figure


def recipes(search, best):
    """Validation MSE of everything that was tried, and the test MSE of the chosen recipe on
    fresh seeds."""
    figure, axis = pictures.subplots(figsize=(9.6, 6.4), layout="constrained")
    values = {label: column(records, "validation_mse") for label, records in search.items()}
    order = sorted(values, key=lambda label: -np.mean(values[label]))
    for k, label in enumerate(order):
        axis.scatter(values[label], [k] * len(values[label]), s=26, color=BLUE, lw=0, alpha=0.8,
                     label="validation MSE of two seeds, line: mean" if k == 0 else None)
        axis.plot([np.mean(values[label])] * 2, [k - 0.3, k + 0.3], color=BLUE, lw=2)
    fresh = column(best["--best"], "test_mse")
    axis.scatter(fresh, [len(order)] * len(fresh), s=26, color=RED, lw=0, alpha=0.8,
                 label="test MSE of ten fresh seeds, line: median")
    axis.plot([np.median(fresh)] * 2, [len(order) - 0.3, len(order) + 0.3], color=RED, lw=2)
    axis.axvline(1e-5, color="black", lw=0.8, ls="--", label="1e-5")
    axis.set_yticks(range(len(order) + 1), [*order, "--best, fresh seeds"], fontsize=9)
    axis.set(xscale="log", xlabel="MSE after 256,000 sequences ('the same': batch 8, cosine, rate 0.02)")
    axis.legend(loc="center right", fontsize=10)
    figure.suptitle(f"On ten fresh seeds --best ends at 1e-5 or less in {sum(fresh <= 1e-5)}; the way there rests on "
                    "two seeds a setting", fontsize=11.5)
    return figure


def fair(found):
    """MSE and solve rate of each cell at its best of the same search, a dot per seed."""
    plain = [records for cell, records in found.items() if cell.startswith("tanh")]
    lstm, irnn, larger = (solved(found[cell]) for cell in ("LSTM", "IRNN", "IRNN, 17 units"))
    title = (
        f"T = 100, each cell at its best of twelve settings: of ten seeds {lstm} LSTMs solve the task,\n"
        f"{irnn} IRNNs ({larger} with 17 units, as many weights as the LSTM) and "
        f"{sum(map(solved, plain))} of {sum(map(len, plain))} tanh RNNs (line: median)")
    figure = by_seed(found, title, (BLUE, RED, ORANGE, PURPLE, RED, ORANGE, PURPLE))
    figure.set_size_inches(12, 5.2)
    for axis in figure.axes:
        axis.axvline(3.5, color="black", lw=0.6)
    return figure


def over_sequences(found, width):
    """Solve rate against training sequences, a panel for each label, a line for each seed."""
    figure, axes = pictures.subplots(1, len(found), figsize=(width, 3.9), layout="constrained", sharey=True)
    for axis, (label, records) in zip(axes, found.items()):
        for record in records:
            history = record["history"]
            axis.plot(np.array(history["train_sequences"]) / 1000, history["solve_rate"], color=BLUE, lw=1, alpha=0.7)
        solve_rates(axis, f"{label}: {solved(records)} of {len(records)} end solved")
        axis.set(xlabel="training sequences (thousands)", ylabel="")
    axes[0].set_ylabel(f"fraction of 512 with |error| < {ap.TOLERANCE}")
    return figure


def long(found):
    """The recipe of --long at four lengths."""
    figure = over_sequences(found, width=11)
    figure.suptitle(f"--long solves T = 1000 in {solved(found['T = 1000'])} of {len(found['T = 1000'])} fresh seeds "
                    "(a line per seed)")
    return figure


def long_fair(found):
    """The cell of 1997 and the LSTM with a forget gate at T = 1000 after the same search."""
    figure = over_sequences(found, width=8)
    counts = " and ".join(f"{solved(records)} of {len(records)}" for records in found.values())
    figure.suptitle(f"T = 1000, each cell at its best of six settings: {counts} seeds solve it")
    return figure


PICTURES = {
    "adding_lags": (lags, ["adding-lags"]),
    "adding_cells": (cells, ["adding-cells"]),
    "adding_hidden": (hidden, ["adding-hidden"]),
    "adding_lesions": (lesions, ["adding-lesions"]),
    "adding_weak_seeds": (weak_seeds, ["adding-crossing"]),
    "adding_recipes": (recipes, ["adding-search", "adding-best"]),
}
WHEN_RUN = {  # pictures that are drawn once their studies have been run, and never have them run
    "adding_fair": (fair, ["adding-fair"]),
    "adding_long": (long, ["adding-long"]),
    "adding_long_fair": (long_fair, ["adding-long-fair"]),
}


def book(flags):
    """Every picture by name."""
    results = studies.complete(flags.results, *(name for _, needed in PICTURES.values() for name in needed))
    there = PICTURES | {name: (draw, needed) for name, (draw, needed) in WHEN_RUN.items()
                        if studies.are_complete(results, *needed)}
    return {name: functools.partial(draw, *(studies.arms(results, study) for study in needed))
            for name, (draw, needed) in there.items()}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book)


if __name__ == "__main__":
    sys.exit(main())
