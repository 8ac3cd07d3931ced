# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of information latching, from results.json alone.

    python3 visualize_information_latching.py --outdir viz

Writes latching_success.png, latching_gradient.png, latching_split_bug.png, latching_landscape.png, latching_1994.png
and bit_relay.png. Nothing is trained here: where a record of a study is missing, information_latching.py is run for the
study first.
"""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib.colors import LogNorm

import information_latching as latching
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, plt, save, writable_folder

GREY = "#999999"
COLOURS = {"srnn": RED, "lstm": BLUE, "gru": GREEN}
NAMES = {"srnn": "SRNN", "lstm": "LSTM", "gru": "GRU"}


@dataclasses.dataclass(frozen=True)
class Flags:
    """Where the pictures come from and go to."""

    results: str = latching.setting("results.json", "file of results", "files")
    outdir: str = latching.setting("viz", "folder of the pictures", "files")


# ----------------------------------------------------------------------------------------------------------------------
# Records
# ----------------------------------------------------------------------------------------------------------------------

def find(results, settings):
    """The record of these settings that ran to its end (with diverged repeats or without), or None."""
    wanted = dataclasses.asdict(settings)
    matching = [record for record in results.get(latching.EXPERIMENT, []) if record["settings"] == wanted]
    return next((record for record in matching if record["final"]["status"] != "interrupted"), None)


def study_records(path, name):
    """The records of a study; information_latching.py is run for it where one is missing.

    Raises ResultsError for an unusable file, SystemExit with the experiment's exit code if its run fails.
    """
    def found():
        results = latching.read_results(path)
        return [find(results, wanted) for wanted in latching.study(name)]

    records = found()
    if None in records:
        print(f"{records.count(None)} runs of the study {name} are not in {path}: running information_latching.py",
              flush=True)
        command = [str(Path(latching.__file__)), "--study", name, "--out", path]
        code = subprocess.run([sys.executable, *command]).returncode
        if code == 130 or code == 2:
            sys.exit(code)
        records = found()
    return records


def chosen(records, **settings):
    """The records with these settings, in order of length."""
    matching = [record for record in records if settings.items() <= record["settings"].items()]
    return sorted(matching, key=lambda record: record["settings"]["T"])


def row(records, name):
    """The records of a row of the table, by its name, in order of length."""

    def fits(settings):
        common = {key: settings[key] for key in ("T", "seed", "repeats", "updates")}
        return dataclasses.asdict(latching.Settings(**latching.CELLS[name] | common)) == settings

    return chosen([record for record in records if fits(record["settings"])])


def lengths(records):
    return np.array([record["settings"]["T"] for record in records])


def medians(records, name):
    return np.array([np.median(record["final"][name]) for record in records])


# ----------------------------------------------------------------------------------------------------------------------
# Pictures
# ----------------------------------------------------------------------------------------------------------------------

def success(axis, records, x, shift=1.0, **style):
    """Fraction of repeats above 0.95 with 95% Wilson intervals; x is shifted so that bars do not hide each other."""
    fractions = np.array([record["final"]["success_fraction"] for record in records])
    n = [record["settings"]["repeats"] for record in records]
    ends = np.array([latching.wilson(round(p * k), k) for p, k in zip(fractions, n)])
    bars = np.clip([fractions - ends[:, 0], ends[:, 1] - fractions], 0, 1)
    axis.errorbar(np.asarray(x) * shift, fractions, bars, capsize=2, lw=1.6, elinewidth=0.8, ms=5, **style)


def length_axis(axis, ticks):
    axis.set(xscale="log", xlabel="sequence length T (steps)", ylim=(-0.04, 1.04))
    axis.set_xticks(ticks, [str(T) for T in ticks])
    axis.minorticks_off()


def latching_success(table):
    """Success against length: Keras' starts, the two properties exchanged, and other starts."""
    panels = {
        "As the question ran them": (
            ("SRNN, U = ±1 (Keras)", RED, "o", "-"), ("LSTM, forget bias 1 (Keras)", BLUE, "s", "-"),
            ("GRU (Keras)", GREEN, "^", "-")),
        "The two starts exchanged": (
            ("SRNN, U = ±0.73", RED, "o", "--"), ("LSTM, forget bias 5", BLUE, "s", "-."),
            ("LSTM, no forget gate (1997)", PURPLE, "v", "--"), ("LSTM, chrono", SKY, "D", "-")),
        "Other starts": (
            ("SRNN, U = +1.25", RED, "o", "-."), ("LSTM, forget bias 3", SKY, "D", "-"),
            ("LSTM, forget bias 0", PURPLE, "v", "-"),
            ("GRU, update bias 3", GREEN, "^", "-.")),
    }
    figure, axes = plt.subplots(1, 3, figsize=(13, 5.2), layout="constrained", sharey=True)
    for axis, (title, lines) in zip(axes, panels.items()):
        for k, (name, colour, marker, dashes) in enumerate(lines):
            records = row(table, name)
            success(axis, records, lengths(records), 1 + 0.04 * (k - len(lines) / 2), color=colour, marker=marker,
                    ls=dashes, label=name)
        length_axis(axis, latching.LENGTHS)
        axis.set_title(title)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=9)
    axes[0].set_ylabel("fraction of repeats with accuracy > 0.95")
    n = table[0]["settings"]["repeats"]
    figure.suptitle(f"Information latching, one unit, {n} repeats, 4000 updates (bars: 95% Wilson intervals)")
    return figure


def latching_gradient(table, tradeoff):
    """|dh_T/dx_1| at the start against length, and the trade-off of Bengio et al. around U = 1."""
    figure, (by_length, by_weight, latch) = plt.subplots(1, 3, figsize=(14, 5), layout="constrained")
    for name, colour, dashes in (
            ("SRNN, U = ±1 (Keras)", RED, "-"), ("SRNN, U = ±0.73", RED, "--"), ("LSTM, chrono", SKY, "-"),
            ("LSTM, no forget gate (1997)", BLUE, "--"), ("LSTM, forget bias 1 (Keras)", BLUE, "-"),
            ("GRU, update bias 3", GREEN, "--"), ("GRU (Keras)", GREEN, "-")):
        records = row(table, name)
        by_length.plot(lengths(records), medians(records, "gradient_start"), color=colour, ls=dashes, label=name)
    by_length.set(yscale="log", xlabel="sequence length T (steps)", ylabel="|dh_T/dx_1|, median over repeats",
                  title="Gradient at the start")
    by_length.legend(fontsize=8, loc="lower left")
    for T, marker in ((30, "o"), (100, "s")):
        records = sorted(chosen(tradeoff, T=T), key=lambda record: record["settings"]["init_scale"])
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
    """Validation accuracy of every repeat with the question's split, and with the same set shuffled first."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.4), layout="constrained", sharex=True, sharey=True)
    jitter = np.random.default_rng(0)
    titles = {"question": "sorted, unshuffled split", "shuffled": "shuffled, then split"}
    for line, (name, title) in zip(axes, titles.items()):
        for axis, cell in zip(line, latching.KERAS):
            records = chosen(split, split=name, cell=cell)
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
    cells = list(dict.fromkeys(record["settings"]["landscape"] for record in landscape))
    columns = max(sum(record["settings"]["landscape"] == cell for record in landscape) for cell in cells)
    figure, axes = plt.subplots(
        len(cells), columns, figsize=(3.3 * columns + 0.8, 3.2 * len(cells)), layout="constrained", squeeze=False)
    for line, cell in zip(axes, cells):
        for axis, record in zip(line, chosen(landscape, landscape=cell)):
            (x_name, x), (y_name, y) = latching.landscape_axes(latching.LandscapeSettings(**record["settings"]))
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
    figure, axis = plt.subplots(figsize=(6.6, 4.4), layout="constrained")
    weights = sorted({record["settings"]["init_scale"] for record in latch1994})
    for k, (w, colour, marker) in enumerate(zip(weights, (PURPLE, SKY, ORANGE, RED), "vDso")):
        records = chosen(latch1994, init_scale=w)
        success(axis, records, lengths(records), 1 + 0.03 * (k - 1.5), color=colour, marker=marker, label=f"w = {w:g}")
    length_axis(axis, lengths(records))
    axis.set(ylabel="fraction of repeats with accuracy > 0.95", title="Trained inputs, then noise of variance 0.2")
    axis.legend(title="recurrent weight at the start")
    return figure


def bit_relay(relay):
    """Success in the bit relay against length, with one unit and with eight."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", sharey=True)
    for axis, units in zip(axes, sorted({record["settings"]["units"] for record in relay})):
        for k, cell in enumerate(latching.KERAS):
            records = chosen(relay, units=units, cell=cell)
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


def main(argv=None):
    parser = latching.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    latching.add_flags(parser, Flags)
    flags = latching.from_flags(Flags, parser.parse_args(argv))
    try:
        writable_folder(flags.outdir)
        save(((name, draw(*(study_records(flags.results, study) for study in studies)))
              for name, (draw, studies) in PICTURES.items()), flags.outdir)
    except (OSError, latching.ResultsError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
