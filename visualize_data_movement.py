# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of what a training step moves, from results.json alone.

    python3 visualize_data_movement.py --outdir viz

Writes data_movement.png (cost against T, and which arrays it goes to) and
data_movement_depths.png (at which depths the reads are). Where a record is missing, reproduce.py
is run for it first."""

import functools
import sys

import numpy as np
from matplotlib.ticker import PercentFormatter

import pictures
import studies
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, YELLOW
from studies.data_movement import LENGTHS

MODELS = (  # model, label and where it stands (T, cost, side), colour, marker
    ("lstm", "LSTM, 8 units", (25, 2e8, "left"), BLUE, "o"),
    ("rnn", "tanh RNN, 8 units", (800, 1.1e7, "right"), RED, "s"),
    ("scan", "no net: reads the markers, adds", (25, 7e4, "left"), GREEN, "^"),
    ("shortcut", "no net: told both positions, adds", (25, 1.7e3, "left"), BLACK, "v"),
)
STEPS = (  # label, settings
    ("tanh RNN\n8 units\nT = 100", dict(model="rnn")),
    ("LSTM\n8 units\nT = 100", dict(model="lstm")),
    ("LSTM\n32 units\nT = 100", dict(model="lstm", hidden=32)),
    ("tanh RNN\n64 units\nT = 60", dict(task="3bit_memorization", model="rnn")),
    ("LSTM\n64 units\nT = 60", dict(task="3bit_memorization", model="lstm")),
)
COLOURS = {
    "recurrent matrix": RED, "recurrent gradient": ORANGE, "other weights": PURPLE, "other gradients": YELLOW,
    "states": BLUE, "deltas": SKY, "partial results": "#BBBBBB", "inputs": GREEN, "optimizer": BLACK,
}
LABELS = {
    "recurrent matrix": "recurrent matrix W_hh", "recurrent gradient": "gradient of W_hh",
    "other gradients": "gradients of these", "states": "states and gates (forward)", "deltas": "deltas (backward)",
    "partial results": "products, partial sums", "optimizer": "optimizer's moments",
}


# --------------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------------

def shares(final, width="8"):
    """Fraction of the cost that goes to reads of each array."""
    return {name: final["arrays"][name]["cost"][width] / final["cost"][width] for name in COLOURS}


def both_of(final):
    """The share of W_hh and of its gradient together."""
    return shares(final)["recurrent matrix"] + shares(final)["recurrent gradient"]


def costs(by_length, steps):
    """Cost against T, and the arrays that it goes to."""
    figure, (left, right) = pictures.subplots(1, 2, figsize=(10.5, 5.6), layout="constrained", width_ratios=(1, 1.2))
    for model, label, (x, y, side), colour, marker in MODELS:
        cost = [final["cost"]["8"] for final in by_length[model]]
        local = np.diff(np.log(cost)) / np.diff(np.log(LENGTHS))  # a curve that bends has no power
        exponent = f": $T^{{{abs(np.polyfit(np.log(LENGTHS), np.log(cost), 1)[0]):.2f}}}$"
        words = label + exponent if np.ptp(local) < 0.1 else label
        left.loglog(LENGTHS, cost, color=colour, marker=marker, ms=5)
        left.text(x, y, words, color=colour, fontsize=9, ha=side)
    left.set(xlabel="T, steps in the sequence", xticks=LENGTHS, xlim=(22, 900), ylim=(1e3, 2e9),
             ylabel="cost of one training step\n(sum of √depth over the bytes read)",
             title="The nets' cost grows as T (powers: fitted)")
    left.set_xticks(LENGTHS, LENGTHS)
    left.minorticks_off()

    for x, (_, final) in enumerate(steps):
        bottom = 0
        for name, share in shares(final).items():
            right.bar(x, share, bottom=bottom, color=COLOURS[name], width=0.72, edgecolor="white", lw=0.6,
                      label=LABELS.get(name, name) if x == 0 else None)
            bottom += share
    for x, (_, final) in enumerate(steps):
        right.text(x, 1.01, f"{both_of(final):.0%}", ha="center", va="bottom", fontsize=10, weight="bold")
    both = [both_of(final) for _, final in steps]
    right.set(ylabel="share of the cost", ylim=(0, 1))
    right.set_title(f"W_hh and its gradient take {min(both):.0%} to {max(both):.0%}\nof these steps "
                    "(bold: both together)", pad=18)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_xticks(range(len(steps)), [label for label, _ in steps])
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=10, columnspacing=1)
    return figure


def depths(panels):
    """Reads and their cost by depth, in octaves, stacked by array."""
    figure, axes = pictures.subplots(2, len(panels), figsize=(10.5, 7.4), layout="constrained", sharex="col")
    for column, (label, final) in enumerate(panels):
        title = label.replace("\n", ", ")
        for axis, key, total in ((axes[0, column], "reads_by_octave_of_depth", final["reads"]),
                                 (axes[1, column], "cost_by_octave_of_depth", final["cost"]["8"])):
            bottom = np.zeros(len(final[key]["states"]))
            for name, colour in COLOURS.items():
                share = np.array(final[key][name]) / total
                axis.bar(np.arange(len(share)), share, bottom=bottom, color=colour, width=0.9,
                         label=LABELS.get(name, name))
                bottom += share
            axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axis.set_ylim(0, 0.3 if axis in axes[0] else 0.7)
        axes[0, column].set_title(title)
        octaves = np.arange(0, len(bottom), 2)
        axes[1, column].set_xticks(octaves, [f"{2**octave:,}" for octave in octaves])
        axes[1, column].set_xlabel("depth on the stack, in elements (a bar: up to twice it)")
    axes[0, 0].set_ylabel("share of the reads")
    axes[1, 0].set_ylabel("share of the cost")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=10, columnspacing=1)
    near = [[sum(sum(bars[:3]) for bars in final[key].values()) / total for key, total in (
        ("reads_by_octave_of_depth", final["reads"]), ("cost_by_octave_of_depth", final["cost"]["8"]))]
        for _, final in panels]  # three octaves: depths below 8
    (reads, cost), (wide_reads, wide_cost) = near
    figure.suptitle(f"Depths below 8 have {reads:.0%} of the reads and {cost:.0%} of the cost on the left, "
                    f"{wide_reads:.0%} and {wide_cost:.0%} on the right\n(weight gradient summed at each step)",
                    fontsize=11)
    return figure


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def book(flags):
    """Both pictures by name."""
    results = studies.complete(flags.results, "data-movement")

    def figures(**settings):
        return studies.find(results, "data_movement", settings)["final"]

    by_length = {model: [figures(model=model, T=T) for T in LENGTHS] for model, *_ in MODELS}
    steps = [(label, figures(**settings)) for label, settings in STEPS]
    return {"data_movement": functools.partial(costs, by_length, steps),
            "data_movement_depths": functools.partial(depths, [steps[1], steps[3]])}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book)


if __name__ == "__main__":
    sys.exit(main())
