# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of information latching, from results.json alone.

    python3 visualize_information_latching.py --outdir viz

Writes latching_success.png, latching_gradient.png, latching_split_bug.png,
latching_landscape.png, latching_1994.png and bit_relay.png. Nothing is trained here: where a
record of a study is missing, reproduce.py is run for the study first."""

import functools
import sys

import numpy as np
from matplotlib.colors import LogNorm

import harness
import information_latching as latching
import latch_landscape
import pictures
import studies
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from studies.information_latching import KERAS, LENGTHS

GREY = "#999999"
COLOURS = {"srnn": RED, "lstm": BLUE, "gru": GREEN}
NAMES = {"srnn": "SRNN", "lstm": "LSTM", "gru": "GRU"}


# --------------------------------------------------------------------------------------------------
# Records
# --------------------------------------------------------------------------------------------------

def chosen(records, **settings):
    """The records with these settings, in order of length."""
    matching = [record for record in records if settings.items() <= record["settings"].items()]
    return sorted(matching, key=lambda record: record["settings"]["T"])


def row(table, name):
    """The records of a row of the table, by its name, in order of length. table: {(name, T):
    record}."""
    return [record for (label, _), record in table.items() if label == name]


def lengths(records):
    return np.array([record["settings"]["T"] for record in records])


def medians(records, name):
    return np.array([np.median(record["final"][name]) for record in records])


# --------------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------------

def success(axis, records, x, shift=1.0, **style):
    """Fraction of repeats above 0.95 with 95% Wilson intervals; x is shifted so that bars do not
    hide each other."""
    fractions = np.array([record["final"]["success_fraction"] for record in records])
    n = [record["settings"]["repeats"] for record in records]
    ends = np.array([harness.wilson(round(p * k), k) for p, k in zip(fractions, n)])
    bars = np.clip([fractions - ends[:, 0], ends[:, 1] - fractions], 0, 1)
    axis.errorbar(np.asarray(x) * shift, fractions, bars, capsize=2, lw=1.6, elinewidth=0.8, ms=5, **style)


def length_axis(axis, ticks):
    axis.set(xscale="log", xlabel="sequence length T (steps)", ylim=(-0.04, 1.04))
    axis.set_xticks(ticks, [str(T) for T in ticks])
    axis.minorticks_off()


def latching_success(table):
    """Success against length: Keras' starts, the two properties exchanged, and other starts.

    table: {(name of a row, T): record}.
    """
    panels = {
        "As the question ran them": (
            ("SRNN, U = ±1 (Keras)", RED, "o", "-"), ("LSTM, forget bias 1 (Keras)", BLUE, "s", "-"),
            ("GRU (Keras)", GREEN, "^", "-")),
        "The two starts exchanged": (
            ("SRNN, U = ±0.73", RED, "o", "--"), ("LSTM, forget bias 5", BLUE, "s", "-."),
            ("LSTM, no forget gate (1997)", PURPLE, "v", "--"), ("LSTM, chrono (told T)", SKY, "D", "-")),
        "Other starts": (
            ("SRNN, U = +1.25", RED, "o", "-."), ("LSTM, forget bias 3", SKY, "D", "-"),
            ("LSTM, forget bias 0", PURPLE, "v", "-"),
            ("GRU, update bias 3", GREEN, "^", "-.")),
    }
    figure, axes = pictures.subplots(1, 3, figsize=(13, 5.2), layout="constrained", sharey=True)
    for axis, (title, lines) in zip(axes, panels.items()):
        for k, (name, colour, marker, dashes) in enumerate(lines):
            records = row(table, name)
            success(axis, records, lengths(records), 1 + 0.04 * (k - len(lines) / 2), color=colour, marker=marker,
                    ls=dashes, label=name)
        length_axis(axis, LENGTHS)
        axis.set_title(title)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=9)
    axes[0].set_ylabel("fraction of repeats with accuracy > 0.95")
    n = records[0]["settings"]["repeats"]
    figure.suptitle(f"Information latching, one unit, {n} repeats, 4000 updates (bars: 95% Wilson intervals)")
    return figure


def latching_gradient(table, tradeoff):
    """|dh_T/dx_1| at the start against length, and the trade-off of Bengio et al. around U = 1."""
    figure, (by_length, by_weight, latch) = pictures.subplots(1, 3, figsize=(14, 5), layout="constrained")
    for name, colour, dashes in (
            ("SRNN, U = ±1 (Keras)", RED, "-"), ("SRNN, U = ±0.73", RED, "--"), ("LSTM, chrono (told T)", SKY, "-"),
            ("LSTM, no forget gate (1997)", BLUE, "--"), ("LSTM, forget bias 1 (Keras)", BLUE, "-"),
            ("GRU, update bias 3", GREEN, "--"), ("GRU (Keras)", GREEN, "-")):
        records = row(table, name)
        by_length.plot(lengths(records), medians(records, "gradient_start"), color=colour, ls=dashes, label=name)
    by_length.set(yscale="log", xlabel="sequence length T (steps)", ylabel="|dh_T/dx_1|, median over repeats",
                  title="Gradient at the start")
    by_length.legend(fontsize=8, loc="lower left")
    for T, marker in ((30, "o"), (100, "s")):
        records = [record for (_, length), record in tradeoff.items() if length == T]
        U = [record["settings"]["init_scale"] for record in records]
        for name, colour, when in (("gradient_start", BLUE, "start"), ("gradient_end", ORANGE, "trained")):
            values = medians(records, name)
            values[values == 0] = np.nan  # underflow has no place on a log axis
            by_weight.plot(U, values, color=colour, marker=marker, ls="-" if T == 100 else "--",
                           label=f"T = {T}, {when}")
        success(latch, records, U, color=RED, marker=marker, ls="-" if T == 100 else "--",
                label=f"T = {T}, trained: repeats above 0.95")
        latch.plot(U, medians(records, "probe_start"), color=BLACK, marker=marker, ls="-" if T == 100 else "--",
                   label=f"T = {T}, untrained: probe accuracy")
    for axis in (by_weight, latch):
        axis.axvline(1, color=GREY, lw=0.8, ls=":")
        axis.set_xlabel("recurrent weight U at the start (SRNN)")
    by_weight.set(yscale="log", ylabel="|dh_T/dx_1|, median over repeats")
    by_weight.set_title("Gradient: gone on both sides of U = 1")
    latch.set(ylim=(-0.04, 1.04), ylabel="fraction / accuracy", title="The untrained state latches past U = 1")
    by_weight.legend(fontsize=8, loc="lower left")
    latch.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=1)
    return figure


def latching_split_bug(split):
    """Validation accuracy of every repeat with the question's split, and with the same set
    shuffled first."""
    figure, axes = pictures.subplots(2, 3, figsize=(12, 6.4), layout="constrained", sharex=True, sharey=True)
    jitter = np.random.default_rng(0)
    titles = {"question": "sorted, unshuffled split", "shuffled": "shuffled, then split"}
    for line, (name, title) in zip(axes, titles.items()):
        for axis, cell in zip(line, KERAS):
            records = chosen(split.values(), split=name, cell=cell)
            T = lengths(records)
            for record in records:
                values = np.array(record["final"]["validation_accuracy"], float)
                x = record["settings"]["T"] * np.exp(jitter.uniform(-0.1, 0.1, len(values)))
                axis.plot(x, values, ".", color=COLOURS[cell], ms=4, alpha=0.6)
            means = [np.nanmean(np.array(record["final"]["validation_accuracy"], float)) for record in records]
            axis.plot(T, means, color=BLACK, lw=1.6, marker="_", ms=9)
            length_axis(axis, T)
            axis.set(title=f"{NAMES[cell]}: {title}", xlabel="sequence length T (steps)" if name == "shuffled" else "")
        line[0].set_ylabel("validation accuracy")
    axes[0, 0].plot([], [], ".", color=GREY, label="one repeat")
    axes[0, 0].plot([], [], color=BLACK, label="mean")
    axes[0, 0].legend(loc="lower left", fontsize=9)
    figure.suptitle("Sorted and split unshuffled, the validation set holds one class: repeats score 0 or 1")
    return figure


def latching_landscape(landscape):
    """Loss over two weights of a one-unit net at several lengths."""
    cells = list(dict.fromkeys(cell for cell, _ in landscape))
    columns = max(sum(label[0] == cell for label in landscape) for cell in cells)
    figure, axes = pictures.subplots(
        len(cells), columns, figsize=(3.3 * columns + 0.8, 3.2 * len(cells)), layout="constrained", squeeze=False)
    for line, cell in zip(axes, cells):
        for axis, record in zip(line, chosen(landscape.values(), cell=cell)):
            settings = latch_landscape.Settings(**record["settings"])
            (x_name, x), (y_name, y) = latch_landscape.axes(settings)
            loss = np.array(record["final"]["loss"])
            image = axis.pcolormesh(x, y, loss, norm=LogNorm(0.015, 2.1), cmap="viridis", rasterized=True)
            if loss.min() < latching.CHANCE_LOSS < loss.max():
                axis.contour(x, y, loss, [latching.CHANCE_LOSS], colors="white", linewidths=0.8, linestyles="--")
            axis.set(title=f"{NAMES[cell]}, T = {record['settings']['T']}", xlabel=x_name)
        line[0].set_ylabel(y_name)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("cross-entropy (nats); white line: a guess, ln 2")
    return figure


def latching_1994(latch1994):
    """Success of the task of 1994 against length, for several initial recurrent weights."""
    figure, axis = pictures.subplots(figsize=(6.6, 4.4), layout="constrained")
    weights = sorted({w for w, _ in latch1994})
    for k, (w, colour, marker) in enumerate(zip(weights, (PURPLE, SKY, ORANGE, RED), "vDso")):
        records = chosen(latch1994.values(), init_scale=w)
        success(axis, records, lengths(records), 1 + 0.03 * (k - 1.5), color=colour, marker=marker, label=f"w = {w:g}")
    length_axis(axis, lengths(records))
    axis.set(ylabel="fraction of repeats with accuracy > 0.95", title="Trained inputs, then noise of variance 0.2")
    axis.legend(title="recurrent weight at the start")
    return figure


def bit_relay(relay):
    """Success in the bit relay against length, with one unit and with eight."""
    figure, axes = pictures.subplots(1, 2, figsize=(10, 4.4), layout="constrained", sharey=True)
    for axis, units in zip(axes, sorted({units for units, _, _ in relay})):
        for k, cell in enumerate(KERAS):
            records = chosen(relay.values(), units=units, cell=cell)
            success(axis, records, lengths(records), 1 + 0.05 * (k - 1), color=COLOURS[cell], marker="os^"[k],
                    label=NAMES[cell])
        length_axis(axis, lengths(records))
        axis.set_title(f"{units} unit{'s' * (units > 1)}")
    axes[0].set_ylabel("fraction of repeats with accuracy > 0.95")
    axes[1].legend()
    figure.suptitle("Bit relay: are the first and the halfway element of equal sign? (bars: 95% Wilson intervals)")
    return figure


PICTURES = {  # name: function, studies it draws
    "latching_success": (latching_success, ("table",)),
    "latching_gradient": (latching_gradient, ("table", "tradeoff")),
    "latching_split_bug": (latching_split_bug, ("split",)),
    "latching_landscape": (latching_landscape, ("landscape",)),
    "latching_1994": (latching_1994, ("latch1994",)),
    "bit_relay": (bit_relay, ("relay",)),
}


def book(flags):
    """Every picture by name."""
    needed = {f"latching-{name}" for _, names in PICTURES.values() for name in names}
    results = studies.complete(flags.results, *sorted(needed))

    def records(name):
        return {label: found[0] for label, found in studies.arms(results, f"latching-{name}").items()}

    return {name: functools.partial(draw, *map(records, names)) for name, (draw, names) in PICTURES.items()}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book)


if __name__ == "__main__":
    sys.exit(main())
