# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "matplotlib>=3.8"]
# ///
"""Pictures of lstm_1997_rivals.py from results.json, into viz/: how far back the error reaches, and who succeeds.

    python3 visualize_lstm_1997_rivals.py

error_signal: the error that arrives at the hidden units of task 2a against the lag, before training and when a trial
ends. lag: the share of trials that stop, against the delay p of task 2a, in the paper, and here where a row has been
run with all its trials up to its cap.
Nothing is trained here. If there is no record of cascade-correlation at p = 4, which takes seconds, the experiment's
own command runs first; everything else is drawn from what has been run.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import lstm_1997_rivals as rivals

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")  # Okabe & Ito
COLORS = {"rtrl": BLUE, "bptt": SKY, "elman": PURPLE, "rcc": GREEN, "chunker": ORANGE, "lstm": BLACK}
NAMES = {
    "rtrl": "RTRL", "bptt": "BPTT", "elman": "Elman", "rcc": "cascade-correlation", "chunker": "chunker's first net",
    "lstm": "LSTM"}
MARKS = {"rtrl": "o", "bptt": "s", "elman": "v", "rcc": "^", "chunker": "D", "lstm": "*"}
STYLES = {"rtrl": "-", "bptt": "-", "elman": "-", "rcc": "-", "chunker": (0, (4, 4))}
WIDTHS = {"bptt": 4}
SMALLEST = 1e-170  # of the axis


def records_of(path):
    """The records of task 2a, as pairs of Settings and record, in order of method, delay and rate."""
    records = [(rivals.Settings(**record["settings"]), record)
               for record in rivals.read_results(path).get(rivals.EXPERIMENT, [])]
    chosen = [pair for pair in records if pair[0].experiment == "2a" and pair[0].reading == "literal"]
    return sorted(chosen, key=lambda pair: (list(NAMES).index(pair[0].method), pair[0].p, pair[0].lr or 0))


def lstm_records(path):
    """Delay, stopped and all trials of the LSTM on task 2a: of each delay the reading with most trials stopped."""
    best = {}
    for record in rivals.read_results(path).get("lstm_1997", []):
        settings, stopped = record["settings"], record["final"]["trials_stopped"]
        if settings["experiment"] == "2a" and stopped >= best.get(settings["p"], (-1, 0))[0]:
            best[settings["p"]] = stopped, settings["trials"]
    return best


def required(path):
    """Makes sure that there is something to draw."""
    if not any(row.method == "rcc" and row.p == 4 for row, _ in records_of(path)):
        words = ["--method", "rcc", "--experiment", "2a", "--p", "4"]
        command = [sys.executable, str(Path(rivals.__file__).resolve()), *words, "--out", str(path)]
        print("no record yet, running:", " ".join(command))
        subprocess.run(command, check=True)


def save(figure, folder, name):
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / name, dpi=130, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    print(folder / name)


def named(row):
    """A row in a few words."""
    rate = "" if row.lr is None else f", rate {row.lr:g}"
    most = f"{row.hidden} units" if row.method == "rcc" else f"{row.max_sequences:,} sequences"
    return f"{NAMES[row.method]}, p = {row.p}{rate}, {row.trials} trials of at most {most}"


def error_signal(records, folder):
    figure, axes = plt.subplots(1, 2, figsize=(12, 5.2), sharey=True)
    longest = max(row.p for row, _ in records)
    for axis, when, title in (
            (axes[0], "start", "before training"), (axes[1], "end", "when a trial has stopped or is given up")):
        axis.axhline(1, color=BLACK, linewidth=2.5, label="LSTM: the carousel, 1 by construction")
        for row, record in records:
            signal = np.array(record["final"][f"error_signal_at_{when}"])
            ratio = np.where(signal > 0, signal, np.nan) / (signal[0] or np.nan)  # zeros are not drawn
            axis.plot(
                range(len(ratio)), ratio, linestyle=STYLES[row.method], color=COLORS[row.method],
                linewidth=WIDTHS.get(row.method, 1.5), marker=MARKS[row.method], markersize=6,
                markevery=[len(ratio) - 1], label=named(row))
        axis.set_yscale("log")
        axis.set_xlim(0, longest)
        axis.set_ylim(SMALLEST, 1e9)
        axis.set_xlabel("lag: steps back from the last symbol (mark: the first symbol)")
        axis.set_title(title)
        axis.grid(color="#dddddd", linewidth=0.6)
    axes[0].set_ylabel("error at the hidden units,\nrelative to the last step (median over trials)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncol=2, fontsize=9)
    figure.suptitle("Task 2a: how much of the error at the last symbol reaches back")
    save(figure, folder, "lstm_1997_rivals_error_signal.png")


def interval(k, n):
    """Wilson's 95% interval of a share of n trials."""
    z = 1.96
    middle, half = (k + z * z / 2) / (n + z * z), z * np.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return middle - half, middle + half


def whole(row):
    """Whether a row has been run with the line's trials and up to its cap."""
    return row.trials == row.line.trials and row.max_sequences >= row.line.cap


def lag(records, lstm, folder):
    figure, axis = plt.subplots(figsize=(9, 5))
    paper, ours = {}, {("lstm", ""): [(p, k, n) for p, (k, n) in sorted(lstm.items())]}
    for line in (line for line in rivals.LINES if line.table == 2):
        paper.setdefault((line.method, f", rate {line.lr:g}"), []).append((line.p, int(line.success) / 100))
    paper["lstm", ""] = [(100, 1.0)]
    for row, record in records:
        if whole(row):
            rate = "" if row.lr is None else f", rate {row.lr:g}"
            ours.setdefault((row.method, rate), []).append((row.p, record["final"]["trials_stopped"], row.trials))
    series = list(dict.fromkeys([*paper, *ours]))
    for number, (method, rate) in enumerate(series):
        shift = 1 + 0.025 * (number - len(series) / 2)
        style = {", rate 4": "--", ", rate 10": ":"}.get(rate, "-")
        look = dict(color=COLORS[method], linestyle=style, marker=MARKS[method], linewidth=1.2)
        size = 12 if method == "lstm" else 7
        for p, share in [list(zip(*paper[method, rate]))] if (method, rate) in paper else []:
            axis.plot(shift * np.array(p), share, **look, markersize=size, markerfacecolor="none", alpha=0.8,
                      label=f"{NAMES[method]}{rate}: paper")
        if (method, rate) in ours:
            p, k, n = (np.array(part) for part in zip(*ours[method, rate]))
            bars = abs(np.array(interval(k, n)) - k / n)
            name = f"{NAMES[method]}{rate}: here"
            axis.errorbar(shift * p, k / n, bars, **look, markersize=size, capsize=2, label=name)
            if method in ("rtrl", "bptt"):
                axis.annotate(rate.split()[-1], (shift * p[0], k[0] / n[0]), textcoords="offset points",
                              xytext=(-8, -3), ha="right", color=COLORS[method], fontsize=9)
    axis.set_xscale("log")
    axis.set_xlim(3, 140)
    axis.set_xticks([4, 10, 30, 100], ["4", "10", "30", "100"])
    axis.minorticks_off()
    axis.set_ylim(-0.05, 1.08)
    axis.set_xlabel("delay p of task 2a, in steps (the points are moved apart a little; numbers: the rate)")
    axis.set_ylabel("share of trials that meet the criterion\nwithin the cap, ours with 95% intervals")
    axis.set_title("Who predicts the last symbol from the first")
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    save(figure, folder, "lstm_1997_rivals_lag.png")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--results", default="results.json")
    parser.add_argument("--out", default="viz", help="folder of the pictures")
    args = parser.parse_args(argv)
    path, folder = Path(args.results), Path(args.out)
    try:
        required(path)
        records = records_of(path)
        error_signal(records, folder)
        lag(records, lstm_records(path), folder)
    except rivals.ResultsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
