"""Tables and sentences of information latching, from results.json and benchmarks/information_latching.json."""

import dataclasses
import json
from pathlib import Path

import numpy as np

import information_latching as latching

ROOT = Path(__file__).resolve().parent.parent
SRNN, LSTM, GRU = "SRNN, U = ±1 (Keras)", "LSTM, forget bias 1 (Keras)", "GRU (Keras)"
WEAK, OPEN, CHRONO = "SRNN, U = ±0.73", "LSTM, no forget gate (1997)", "LSTM, chrono"
NAMES = {"srnn": "SRNN", "lstm": "LSTM", "gru": "GRU"}
FINDINGS = {}  # an earlier measurement of the same table, 10 to 12 repeats


def record(results, **choice):
    """The record of these settings; KeyError if there is none."""
    wanted = dataclasses.asdict(latching.Settings(**choice))
    for entry in results[latching.EXPERIMENT]:
        if entry["settings"] == wanted:
            return entry
    raise KeyError(f"results.json has no run of {choice}")


def cell(results, name, T):
    """The record of a row of the table at a length."""
    return record(results, T=T, **latching.CELLS[name])


def study(results, name):
    return [record(results, **choice) for choice in latching.STUDIES[name]]


def successes(entry):
    """Repeats above 0.95."""
    return round(entry["final"]["success_fraction"] * entry["settings"]["repeats"])


def of_30(entry):
    return f"{successes(entry)} of {entry['settings']['repeats']}"


def fraction(entry):
    """Fraction of repeats above 0.95, with its 95% Wilson interval."""
    low, high = latching.wilson(successes(entry), entry["settings"]["repeats"])
    return f"{entry['final']['success_fraction']:.2f} [{low:.2f}, {high:.2f}]"


def median(entry, name):
    return float(np.median(entry["final"][name]))


def power(value):
    """A small number as text, 0 as 0."""
    return f"{value:.0e}".replace("e-0", "e-").replace("e+00", "") if value else "0"


def markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(item) for item in line) + " |" for line in lines)


# Tables

def last_line(results):
    return f"```text\n{latching.summary(record(results))}\n```"


def headline(results):
    lengths = (10, 30, 50, 100, 200)
    names = (SRNN, WEAK, LSTM, OPEN, CHRONO, "LSTM, forget bias 5", GRU, "GRU, update bias 3")
    return markdown(["repeats of 30 above 0.95", *(f"T = {T}" for T in lengths)],
                    [[name, *(successes(cell(results, name, T)) for T in lengths)] for name in names])


def table(results):
    return markdown(["fraction above 0.95 [95% interval]", *(f"T = {T}" for T in latching.LENGTHS)],
                    [[name, *(fraction(cell(results, name, T)) for T in latching.LENGTHS)] for name in latching.CELLS])


def accuracies(results):
    lengths = (10, 30, 50, 100, 200)
    return markdown(["median accuracy", *(f"T = {T}" for T in lengths)],
                    [[name, *(f"{median(cell(results, name, T), 'test_accuracy'):.3f}" for T in lengths)]
                     for name in latching.CELLS])


def gradients(results):
    lengths = (10, 30, 50, 100)
    return markdown(["median \\|dh_T/dx_1\\| at the start", *(f"T = {T}" for T in lengths), "T = 100, trained"],
                    [[name, *(power(median(cell(results, name, T), "gradient_start")) for T in lengths),
                      power(median(cell(results, name, 100), "gradient_end"))] for name in latching.CELLS])


def probes(results):
    lengths = (2, 10, 30, 50, 100)
    return markdown(["median probe accuracy at the start", *(f"T = {T}" for T in lengths)],
                    [[name, *(f"{median(cell(results, name, T), 'probe_start'):.2f}" for T in lengths)]
                     for name in latching.CELLS])


def decay(results):
    """The factor per step by which |dh_T/dx_1| falls between T = 50 and T = 100, which have the same weights."""
    rows = []
    for name in (SRNN, WEAK, LSTM, OPEN, GRU):
        start = [np.array(cell(results, name, T)["final"]["gradient_start"]) for T in (50, 100)]
        factor = (start[1] / start[0]) ** (1 / 50)
        low, middle, high = np.quantile(factor, [0.25, 0.5, 0.75])
        rows.append([name, f"{middle:.3f}", f"{low:.3f} to {high:.3f}"])
    return markdown(["at the start", "factor per step, median over repeats", "middle half of the repeats"], rows)


def tradeoff(results):
    rows = []
    for entry in study(results, "tradeoff"):
        settings = entry["settings"]
        rows.append([f"{settings['init_scale']:g}", settings["T"], power(median(entry, "gradient_start")),
                     power(median(entry, "gradient_end")), f"{median(entry, 'probe_start'):.2f}", fraction(entry)])
    return markdown(["U at the start", "T", "median \\|dh_T/dx_1\\|, start", "trained", "probe, start",
                     "fraction above 0.95"], rows)


def split(results):
    rows = []
    for entry in study(results, "split"):
        settings, final = entry["settings"], entry["final"]
        validation = np.array(final["validation_accuracy"], float)
        rows.append([NAMES[settings["cell"]], settings["split"], settings["T"], f"{np.nanmean(validation):.2f}",
                     f"{np.mean(np.isin(validation, (0, 1))):.2f}", f"{np.mean(validation < 0.05):.2f}",
                     f"{np.mean(np.array(final['test_accuracy'], float)):.2f}", fraction(entry)])
    return markdown(["cell", "split", "T", "mean validation accuracy", "repeats at exactly 0 or 1", "repeats below 0.05",
                     "mean held-out accuracy", "held-out: fraction above 0.95"], rows)


def relay(results):
    lengths, rows = (5, 10, 30), []
    for units in (1, 8):
        for name in latching.KERAS:
            choice = dict(task="bit_relay", cell=name, units=units, updates=5000)
            rows.append([NAMES[name], units, *(fraction(record(results, T=T, **choice)) for T in lengths)])
    return markdown(["cell", "units", *(f"T = {T}" for T in lengths)], rows)


def relay_accuracy(results):
    lengths, rows = (5, 10, 30), []
    for units in (1, 8):
        for name in latching.KERAS:
            choice = dict(task="bit_relay", cell=name, units=units, updates=5000)
            entries = [record(results, T=T, **choice) for T in lengths]
            rows.append([NAMES[name], units, *(f"{median(entry, 'test_accuracy'):.3f}" for entry in entries)])
    return markdown(["median accuracy", "units", *(f"T = {T}" for T in lengths)], rows)


def latch1994(results):
    lengths, rows = (5, 10, 20, 50), []
    for w in (0.5, 1.0, 1.25, 2.0):
        choice = dict(task="latch1994", cell="srnn", init="identity", init_scale=w)
        rows.append([f"{w:g}", *(fraction(record(results, T=T, **choice)) for T in lengths)])
    return markdown(["w at the start", *(f"T = {T}" for T in lengths)], rows)


def tuning(results):
    rows = [["as in the table", fraction(cell(results, LSTM, 30))],
            ["16,000 updates instead of 4000", fraction(record(results, T=30, updates=16_000))],
            ["learning rate 0.01 instead of 0.001", fraction(record(results, T=30, lr=1e-2))],
            ["forget bias 5 instead of 1", fraction(cell(results, "LSTM, forget bias 5", 30))]]
    return markdown(["one-unit LSTM, T = 30", "fraction above 0.95"], rows)


def keras2018(results):
    lengths, rows = (10, 30), []
    for name, choice in ((LSTM, dict(cell="lstm")), (GRU, dict(cell="gru"))):
        hard = [record(results, T=T, recurrent_activation="hard_sigmoid", **choice) for T in lengths]
        rows.append([f"{name}, sigmoid", *(fraction(cell(results, name, T)) for T in lengths)])
        rows.append([f"{name}, hard sigmoid", *map(fraction, hard)])
    return markdown(["fraction above 0.95", *(f"T = {T}" for T in lengths)], rows)


def landscape(results):
    """The steepest step between neighbouring points of a landscape."""
    rows = []
    for choice in latching.STUDIES["landscape"]:
        settings = latching.LandscapeSettings(**choice)
        entry = next(entry for entry in results[latching.EXPERIMENT]
                     if entry["settings"] == dataclasses.asdict(settings))
        (_, x), (_, y) = latching.landscape_axes(settings)
        loss = np.array(entry["final"]["loss"])
        rows.append([NAMES[settings.landscape], settings.T, f"{abs(np.diff(loss, axis=1)).max() / (x[1] - x[0]):.1f}",
                     f"{abs(np.diff(loss, axis=0)).max() / (y[1] - y[0]):.1f}", f"{np.mean(loss < 0.1):.2f}"])
    return markdown(["cell", "T", "largest slope along the first axis (nats per unit)", "along the second",
                     "share of the area with a loss below 0.1"], rows)


def speed(results):
    bench = json.loads((ROOT / "benchmarks" / "information_latching.json").read_text(encoding="utf-8"))
    rows = []
    for line in bench["rows"]:
        ms = line["ms"]
        ratios = ("{} [{}, {}]".format(*line["ratio"][name]) for name in
                  ("torch f64 / numpy f64", "torch f32 / numpy f32", "torch f32 / numpy f64"))
        rows.append([NAMES[line["cell"]], f"{ms['numpy f64, 30 repeats']:.2f}", f"{ms['numpy f32, 30 repeats']:.2f}",
                     f"{ms['torch f64, 1 run']:.2f}", f"{ms['torch f32, 1 run']:.2f}", *ratios])
    return markdown(["ms per update, T = 100", "numpy f64, 30 repeats", "numpy f32, 30 repeats", "torch f64, 1 run",
                     "torch f32, 1 run", "30 runs: torch f64 / numpy f64", "torch f32 / numpy f32",
                     "torch f32 / numpy f64"], rows)


# Sentences

def times(results):
    seconds = sum(entry["provenance"]["wall_seconds"] for entry in study(results, "table"))
    nets = sum(entry["settings"]["repeats"] for entry in study(results, "table"))
    return (f"The table is {len(latching.STUDIES['table'])} settings and {nets:,} trained nets, and took "
            f"{seconds / 60:.0f} minutes of one core, which other work shared; the question speaks of \"over a day\" for "
            f"two cells at 26 lengths.")


TABLES = {f"latching:{make.__name__}": make for make in (
    last_line, headline, table, accuracies, gradients, probes, decay, tradeoff, split, relay, relay_accuracy, latch1994,
    tuning, keras2018, landscape, speed, times)}
