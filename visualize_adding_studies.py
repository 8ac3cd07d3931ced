# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of the adding problem's studies, from results.json alone.

    python3 visualize_adding_studies.py --outdir viz

Writes adding_lags.png, adding_cells.png, adding_hidden.png, adding_weak_seeds.png and
adding_recipes.png. Nothing is trained here: where records are missing, reproduce.py is run for
their study first, which may take an hour."""

import functools
import sys

import numpy as np

import adding_problem as ap
import pictures
import studies
from pictures import BLUE, GREEN, ORANGE, PURPLE, RED
from studies.adding_problem import FOUR, STARTS


def column(records, name):
    return np.array([record["final"][name] for record in records])


def dots(axis, at, values, colour, label=None):
    """A dot per seed, spread a little to the side, and a line at the median."""
    aside = np.linspace(-0.22, 0.22, len(values))
    axis.scatter(at + aside, values, s=22, color=colour, alpha=0.75, lw=0, label=label)
    axis.plot([at - 0.32, at + 0.32], [np.median(values)] * 2, color=colour, lw=2)


def constant_lines(axis):
    axis.axhline(ap.CONSTANT_MSE, color="black", lw=0.8, ls="--")
    axis.annotate("constant predictor: 2/3", (0.01, ap.CONSTANT_MSE), xycoords=("axes fraction", "data"), va="bottom",
                  fontsize=8)


def solve_rates(axis, title="Solve rate"):
    axis.set(ylim=(-0.02, 1.02), ylabel=f"fraction of 512 with |error| < {ap.TOLERANCE}", title=title)


# --------------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------------

def lags(found):
    """Held-out MSE against training sequences, a panel per length, a line per seed."""
    lengths = sorted({records[0]["settings"]["T"] for records in found.values()})
    figure, axes = pictures.subplots(1, len(lengths), figsize=(11, 4), layout="constrained", sharey=True)
    for axis, T in zip(axes, lengths):
        for name, colour in (("tanh RNN", RED), ("LSTM", BLUE)):
            for k, record in enumerate(found[f"{name}, T = {T}"]):
                history = record["history"]
                axis.plot(np.array(history["train_sequences"]) / 1000, history["test_mse"], color=colour, lw=1,
                          alpha=0.8, label=f"{name}, three seeds" if k == 0 else None)
        constant_lines(axis)
        axis.set(yscale="log", title=f"T = {T}", xlabel="training sequences (thousands)")
    axes[0].set_ylabel("test MSE (512 held-out sequences)")
    axes[-1].legend(loc="lower left", fontsize=9)
    figure.suptitle("Adding problem: the same recipe at longer lags, 8 hidden units")
    return figure


def by_seed(found, title, colours):
    """MSE and solve rate, a column per arm, a dot per seed."""
    figure, axes = pictures.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for axis, name in zip(axes, ("test_mse", "solve_rate")):
        for k, (records, colour) in enumerate(zip(found.values(), colours)):
            dots(axis, k, column(records, name), colour)
        axis.set_xticks(range(len(found)), [label.replace(", ", ",\n").replace(" (", "\n(") for label in found],
                        fontsize=8)
    axes[0].set(yscale="log", ylabel="test MSE (512 held-out sequences)", title="Mean squared error")
    constant_lines(axes[0])
    solve_rates(axes[1])
    figure.suptitle(title)
    return figure


def cells(found):
    return by_seed(found, "Four cells at T = 100, 8 hidden units: a dot per seed, a line at the median",
                   (BLUE, GREEN, RED, ORANGE, PURPLE))


def hidden(found):
    return by_seed(found, "LSTM, T = 100, the same recipe: a dot per seed, a line at the median", [BLUE] * len(found))


def weak_seeds(found):
    """Solve rates of first weights crossed with data, a panel per schedule."""
    figure, axes = pictures.subplots(1, 2, figsize=(9, 5.2), layout="constrained")
    for axis, schedule in zip(axes, ("halving", "cosine")):
        rates = np.array([column(found[schedule, init], "validation_solve_rate") for init in STARTS])
        image = axis.imshow(rates, cmap="cividis", vmin=0.75, vmax=1)
        for (row, place), value in np.ndenumerate(rates):
            axis.text(place, row, f"{value:.2f}"[1:] if value < 0.995 else "1.0", ha="center", va="center", fontsize=7,
                      color="black" if value > 0.9 else "white")
        axis.set(title=f"--schedule {schedule}: mean {rates.mean():.3f}", xlabel="seed of the training data",
                 ylabel="seed of the first weights", xticks=FOUR)
        axis.set_yticks(range(len(STARTS)), STARTS)
        axis.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label=f"fraction of 4096 validation sequences with |error| < {ap.TOLERANCE}")
    return figure


def recipes(search, best):
    """Validation MSE of everything that was tried, and the test MSE of the chosen recipe on
    fresh seeds."""
    figure, axis = pictures.subplots(figsize=(10, 6.4), layout="constrained")
    values = {label: column(records, "validation_mse") for label, records in search.items()}
    order = sorted(values, key=lambda label: -np.median(values[label]))
    for k, label in enumerate(order):
        axis.scatter(values[label], [k] * len(values[label]), s=26, color=BLUE, lw=0, alpha=0.8,
                     label="validation MSE, seeds 100-101" if k == 0 else None)
        axis.plot([np.median(values[label])] * 2, [k - 0.3, k + 0.3], color=BLUE, lw=2)
    fresh = column(best["--best"], "test_mse")
    axis.scatter(fresh, [len(order)] * len(fresh), s=26, color=RED, lw=0, alpha=0.8,
                 label="test MSE, fresh seeds 10-19")
    axis.plot([np.median(fresh)] * 2, [len(order) - 0.3, len(order) + 0.3], color=RED, lw=2)
    axis.axvline(1e-5, color="black", lw=0.8, ls="--", label="1e-5")
    axis.set_yticks(range(len(order) + 1), [*order, "--best, fresh seeds"], fontsize=9)
    axis.set(xscale="log", xlabel="mean squared error after 256,000 sequences (a line at the median)")
    axis.legend(loc="center right", fontsize=9)
    figure.suptitle("LSTM, T = 100: recipes for 256,000 sequences ('the same': batch 8, cosine, rate 0.02)")
    return figure


PICTURES = {
    "adding_lags": (lags, ["adding-lags"]),
    "adding_cells": (cells, ["adding-cells"]),
    "adding_hidden": (hidden, ["adding-hidden"]),
    "adding_weak_seeds": (weak_seeds, ["adding-crossing"]),
    "adding_recipes": (recipes, ["adding-search", "adding-best"]),
}


def book(flags):
    """Every picture by name."""
    results = studies.complete(flags.results, *(name for _, needed in PICTURES.values() for name in needed))
    return {name: functools.partial(draw, *(studies.arms(results, study) for study in needed))
            for name, (draw, needed) in PICTURES.items()}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book)


if __name__ == "__main__":
    sys.exit(main())
