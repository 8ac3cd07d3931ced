# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of information latching, from results.json alone.

    python3 visualize_information_latching.py --outdir viz

Writes latching_success.png, latching_exchanged.png, latching_gradient.png, latching_decides.png,
latching_split_bug.png, latching_landscape.png, latching_1994.png and bit_relay.png. Nothing is trained here: where a
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
from analysis.latching import Repeats, steepest
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from studies.information_latching import KERAS

GREY = "#999999"
COLOURS = {"srnn": RED, "lstm": BLUE, "gru": GREEN}
SRNN, WEAK = "SRNN, U = ±1 (Keras)", "SRNN, U = ±0.73"
LSTM, BIAS_5 = "LSTM, forget bias 1 (Keras)", "LSTM, forget bias 5"
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


def successes(record):
    """Repeats with an accuracy above 0.95."""
    return round(record["final"]["success_fraction"] * record["settings"]["repeats"])


def near(T, records):
    """The longest length of some records up to T."""
    return max(length for length in lengths(records) if length <= T)


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
    """Success against length: Keras' starts, those of a weaker SRNN and a stronger LSTM, and others.

    table: {(name of a row, T): record}.
    """
    panels = {
        "As Keras starts them": (
            (SRNN, RED, "o", "-"), (LSTM, BLUE, "s", "-"), ("GRU (Keras)", GREEN, "^", "-")),
        "Weaker SRNN, stronger LSTM": (
            (WEAK, RED, "o", "--"), (BIAS_5, BLUE, "s", "-."), ("LSTM, no forget gate (1997)", PURPLE, "P", "--")),
        "Chrono, which is told T, and other forget biases": (
            ("LSTM, chrono (told T)", SKY, "D", "-"), ("LSTM, forget bias 3", BLUE, "s", ":"),
            ("LSTM, forget bias 0", BLACK, "v", "-")),
        "Other starts of SRNN and GRU": (
            ("SRNN, U = +1.25", RED, "o", "-."), ("GRU, update bias 3", GREEN, "^", "-.")),
    }
    figure, axes = pictures.subplots(2, 2, figsize=(9.4, 8.6), layout="constrained", sharey=True)
    for axis, (title, lines) in zip(axes.flat, panels.items()):
        for k, (name, colour, marker, dashes) in enumerate(lines):
            records = row(table, name)
            success(axis, records, lengths(records), 1 + 0.04 * (k - len(lines) / 2), color=colour, marker=marker,
                    ls=dashes, label=name)
        length_axis(axis, lengths(records))
        axis.set_title(title)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), fontsize=9.5)
    for axis in axes[:, 0]:
        axis.set_ylabel("fraction of repeats above 0.95")
    figure.suptitle(f"{exchange_words(table)}\n"
                    "(one unit, 4000 updates, accuracy > 0.95; bars: 95% Wilson intervals)", fontsize=11)
    return figure


def exchange_words(table):
    """How many of each net latch over some 50 steps with each start."""
    T = near(50, table.values())
    srnn, lstm, weak, better = (table[name, T] for name in (SRNN, LSTM, WEAK, BIAS_5))
    n = srnn["settings"]["repeats"]
    return (f"At T = {T}, {successes(srnn)} of {n} SRNNs and {successes(lstm)} LSTMs latch as Keras starts them, "
            f"{successes(weak)} and {successes(better)} with U = ±0.73 and forget bias 5")


def latching_exchanged(table):
    """Success against length of two nets: as Keras starts them, and with starts that reverse the ranking."""
    panels = {
        "As Keras starts them": (
            (SRNN, RED, "o", "SRNN, recurrent weight ±1"), (LSTM, BLUE, "s", "LSTM, forget bias 1")),
        "Weaker SRNN, stronger LSTM": (
            (WEAK, RED, "o", "SRNN, recurrent weight ±0.73"), (BIAS_5, BLUE, "s", "LSTM, forget bias 5")),
    }
    figure, axes = pictures.subplots(1, 2, figsize=(9.4, 5), layout="constrained", sharey=True)
    T = near(50, table.values())
    for axis, (title, lines) in zip(axes, panels.items()):
        srnn, lstm = (successes(table[name, T]) for name, *_ in lines)
        for k, (name, colour, marker, words) in enumerate(lines):
            records = row(table, name)
            success(axis, records, lengths(records), 1 + 0.04 * (k - 0.5), color=colour, marker=marker, label=words)
        length_axis(axis, lengths(records))
        axis.set_title(f"{title}: at T = {T} the {'SRNN' if srnn > lstm else 'LSTM'} leads")
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=10)
    axes[0].set_ylabel("fraction of repeats with accuracy > 0.95")
    figure.suptitle(f"{exchange_words(table)}\n"
                    "(one unit; bars: 95% Wilson intervals; shifted sideways for legibility)", fontsize=11)
    return figure


def latching_gradient(table, tradeoff):
    """|dh_T/dx_1| at the start against length, and the trade-off of Bengio et al. around U = 1."""
    figure = pictures.blank(figsize=(9.4, 8.8), layout="constrained")
    by_length, by_weight, latch = figure.subplot_mosaic([["top", "top"], ["left", "right"]]).values()
    for name, colour, dashes in (
            (SRNN, RED, "-"), (WEAK, RED, "--"), ("LSTM, chrono (told T)", SKY, "-"),
            ("LSTM, no forget gate (1997)", BLUE, "--"), (LSTM, BLUE, "-"),
            ("GRU, update bias 3", GREEN, "--"), ("GRU (Keras)", GREEN, "-")):
        records = row(table, name)
        by_length.plot(lengths(records), medians(records, "gradient_start"), color=colour, ls=dashes, label=name)
    T = near(50, table.values())
    srnn, lstm = (np.median(table[name, T]["final"]["gradient_start"]) for name in (SRNN, LSTM))
    by_length.set(yscale="log", xlabel="sequence length T (steps)", ylabel="|dh_T/dx_1|, median over repeats",
                  title=f"Before training, T = {T}: the gradient at the first element is {srnn:.0e} in the SRNN "
                        f"of Keras, {lstm:.0e} in the LSTM")
    by_length.legend(fontsize=9, loc="lower left")
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
    by_weight.set_title("The gradient fades on both sides of U = 1")
    latch.set(ylim=(-0.04, 1.04), ylabel="fraction / accuracy", title="The untrained state latches past U = 1")
    for axis in (by_weight, latch):
        axis.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=1)
    return figure


def latching_decides(*arms):
    """The share of repeats that succeed, of every setting of the latch: against what is known of
    the untrained nets, against a model of it that has not seen the start, and against the share
    whose trained state latches. arms: the records of the studies, {label: record} each."""
    every = {str(record["settings"]): record for found in arms for record in found.values()}
    records = [record for record in every.values() if record["settings"]["task"] == "latch"]
    own = Repeats.of(records)
    known = Repeats.of([record for record in records if "latch_end" in record["final"]])
    expected, _ = own.left_out_deviance(
        np.stack([own.values(name) for name in ("gradient", "probe", "accuracy")], axis=-1))
    latched = known.values("trained latch") > latching.SUCCESS
    panels = (
        (own, 10 ** own.values("gradient").mean(1), own.values("gradient"),
         "gradient before training (geometric mean)", "The gradient alone"),
        (own, own.values("probe").mean(1), own.values("probe"), "probe of the untrained state (mean)",
         "What the state tells alone"),
        (own, expected.mean(1), expected, "share expected by gradient, probe and readout",
         "Both and the readout's luck, on starts left out"),
        (known, latched.mean(1), latched, "share whose trained state holds 4 T steps",
         f"Whether training makes a latch ({len(known.records)} settings)"))
    figure, axes = pictures.subplots(2, 2, figsize=(9.4, 8.8), layout="constrained", sharey=True)
    for axis, (which, x, values, label, title) in zip(axes.flat, panels):
        for cell, marker in zip(KERAS, "os^"):
            chosen = [record["settings"]["cell"] == cell for record in which.records]
            axis.plot(x[chosen], which.share[chosen], marker, color=COLOURS[cell], alpha=0.7, ms=6, label=NAMES[cell])
        if label.startswith("share"):
            axis.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        correlation, low, high = which.correlation(values)
        axis.set_title(f"{title}:\nrank correlation {correlation:.2f} [{low:.2f}, {high:.2f}]")
        axis.set(xlabel=label, ylim=(-0.04, 1.04))
    axes[0, 0].set_xscale("log")
    axes[0, 0].legend(loc="upper left")
    for axis in axes[:, 0]:
        axis.set_ylabel("share of repeats that succeed")
    figure.suptitle(f"{len(records)} settings of the latch: gradient and probe each have exceptions, together they "
                    "say how many succeed;\nand a net succeeds if training makes it a latch (a mark: 30 nets)",
                    fontsize=11)
    return figure


def latching_split_bug(split):
    """Validation accuracy of every repeat with the question's split, and with the same set
    shuffled first."""
    figure, axes = pictures.subplots(2, 3, figsize=(9.4, 6), layout="constrained", sharex=True, sharey=True)
    jitter = np.random.default_rng(0)
    titles = {"question": "the question's split", "shuffled": "shuffled first"}
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
    sorted_first = [record["final"]["validation_accuracy"] for record in chosen(split.values(), split="question")]
    values = np.concatenate(sorted_first).astype(float)
    figure.suptitle(f"The question's validation set holds one class: {np.isin(values, (0, 1)).sum()} of {len(values)} "
                    "repeats score exactly 0 or 1 on it", fontsize=11)
    return figure


def slope(record):
    """The steepest slope of a loss surface, along either axis."""
    (_, x), (_, y) = latch_landscape.axes(latch_landscape.Settings(**record["settings"]))
    return max(steepest(np.array(record["final"]["loss"]), x, y))


def latching_landscape(landscape):
    """Loss over two weights of a one-unit net at several lengths."""
    cells = list(dict.fromkeys(cell for cell, _ in landscape))
    columns = max(sum(label[0] == cell for label in landscape) for cell in cells)
    figure, axes = pictures.subplots(
        len(cells), columns, figsize=(2.2 * columns + 0.9, 2.5 * len(cells) + 0.4), layout="constrained", squeeze=False)
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
    T = lengths(chosen(landscape.values()))
    slopes = [f"{slope(records[0]):.2g} to {slope(records[-1]):.2g} in the {NAMES[cell]}" for cell in cells
              if (records := chosen(landscape.values(), cell=cell))]
    figure.suptitle(f"From T = {T[0]} to {T[-1]} the steepest slope on the grid goes from\n"
                    f"{' and from '.join(slopes)} (nats per unit; dark: solved)", fontsize=11)
    return figure


def latching_1994(latch1994):
    """Success of the task of 1994 against length, for several initial recurrent weights."""
    figure, axis = pictures.subplots(figsize=(8, 4.6), layout="constrained")
    weights = sorted({w for w, _ in latch1994})
    for k, (w, colour, marker) in enumerate(zip(weights, (PURPLE, SKY, ORANGE, RED), "vDso")):
        records = chosen(latch1994.values(), init_scale=w)
        success(axis, records, lengths(records), 1 + 0.03 * (k - 1.5), color=colour, marker=marker, label=f"w = {w:g}")
    length_axis(axis, lengths(records))
    axis.set(ylabel="fraction of repeats with accuracy > 0.95")
    T = near(20, chosen(latch1994.values(), init_scale=weights[0]))
    ends = [f"{successes(latch1994[w, T])} from w = {w:g}" for w in (weights[0], weights[-1])]
    axis.set_title(f"The task of 1994: at T = {T}, of {records[0]['settings']['repeats']} repeats {ends[0]}\n"
                   f"and {ends[1]} succeed (bars: 95% Wilson intervals)")
    axis.legend(title="recurrent weight at the start")
    return figure


def bit_relay(relay):
    """Success in the bit relay against length, with one unit and with eight."""
    figure, axes = pictures.subplots(1, 2, figsize=(9.2, 4.6), layout="constrained", sharey=True)
    for axis, units in zip(axes, sorted({units for units, _, _ in relay})):
        for k, cell in enumerate(KERAS):
            records = chosen(relay.values(), units=units, cell=cell)
            success(axis, records, lengths(records), 1 + 0.05 * (k - 1), color=COLOURS[cell], marker="os^"[k],
                    label=NAMES[cell])
        length_axis(axis, lengths(records))
        axis.set_title(f"{units} unit{'s' * (units > 1)}")
    axes[0].set_ylabel("fraction of repeats with accuracy > 0.95")
    axes[1].legend()
    T, most = near(30, relay.values()), max(units for units, _, _ in relay)
    srnn, lstm, gru = (successes(relay[most, cell, T]) for cell in KERAS)
    n = records[0]["settings"]["repeats"]
    figure.suptitle(f"Bit relay with {most} units at T = {T}: {srnn} of {n} SRNNs, {lstm} LSTMs, {gru} GRUs succeed\n"
                    "(are the first and the halfway element of equal sign? bars: 95% Wilson intervals)", fontsize=11)
    return figure


PICTURES = {  # name: function, studies it draws
    "latching_success": (latching_success, ("table",)),
    "latching_exchanged": (latching_exchanged, ("table",)),
    "latching_gradient": (latching_gradient, ("table", "tradeoff")),
    "latching_decides": (latching_decides, ("table", "tradeoff", "split", "tuning", "keras2018")),
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
