# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "matplotlib>=3.8"]
# ///
"""Pictures of what the LSTM was compared with, from results.json: how far back the error reaches,
and who succeeds.

    python3 visualize_lstm_1997_rivals.py --outdir viz

Writes lstm_1997_rivals_error_signal.png, the error that arrives at the hidden units of task 2a
against the lag, before training and when a trial ends, and lstm_1997_rivals_lag.png, the share
of trials that stop for each delay p of task 2a, in the paper and here. Nothing is trained here.
If there is no record of cascade-correlation at p = 4, which takes seconds, its own command runs
first; everything else is drawn from what has been run."""

import functools
import sys
from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D

import harness
import lstm_1997
import lstm_1997_rivals as rivals
import pictures
import studies
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY

STUDIES = ("rivals-lag-4", "rivals-lag-10", "rivals-lag-100", "rivals-lag-100-bptt", "rivals-chunker",
           "cascade-correlation")
LOOKS = {  # name, colour, width and marker of a method
    "rtrl": ("RTRL", BLUE, 1.5, "o"), "bptt": ("BPTT", SKY, 4, "s"), "elman": ("Elman", PURPLE, 1.5, "v"),
    "rcc": ("cascade-correlation", GREEN, 1.5, "^"), "chunker": ("chunker's first net", ORANGE, 1.5, "D"),
    "lstm": ("LSTM", BLACK, 2.5, "*"),
}
DASHES = {None: "-", 1.0: "-", 4.0: "--", 10.0: ":"}  # by rate


class Run(NamedTuple):
    """A row of task 2a: method, delay, rate (None: it has none), trials and final figures."""

    method: str
    p: int
    lr: float | None
    trials: int
    final: dict


def runs_of(results):
    """The rows of task 2a that have been run, in order of method, delay and rate."""
    found = []
    for study in (studies.load()[name] for name in STUDIES):
        for settings in study.cells():
            record = studies.find(results, study.experiment, settings)
            if record is not None and settings.experiment == "2a":
                method, lr = getattr(settings, "method", "rcc"), getattr(settings, "lr", None)
                found.append(Run(method, settings.p, lr, settings.trials, record["final"]))
    return sorted(found, key=lambda run: (list(LOOKS).index(run.method), run.p, run.lr or 0))


def lstm_shares(results):
    """{delay: (stopped, trials)} of the LSTM on task 2a: of each delay the reading with most
    trials stopped."""
    best = {}
    for record in results.get(lstm_1997.EXPERIMENT, []):
        settings, stopped = record["settings"], record["final"]["trials_stopped"]
        if settings["experiment"] == "2a" and stopped >= best.get(settings["p"], (-1, 0))[0]:
            best[settings["p"]] = stopped, settings["trials"]
    return best


def named(method, lr):
    """A method and its rate in a few words."""
    return LOOKS[method][0] + ("" if lr is None else f", rate {lr:g}")


# --- lstm_1997_rivals_error_signal.png ------------------------------------------------------------


def error_signal(runs):
    """Figure: error at the hidden units over that at the last step, against the lag."""
    figure, axes = pictures.subplots(1, 3, figsize=(13, 7), layout="constrained")
    panels = (
        ("before training", "start", lambda run: run.p == 100 or run.method in ("elman", "rcc"), 99, 1e-170),
        ("at the end of training, p = 4 and 10", "end", lambda run: run.p < 100, 9, 1e-60),
        ("at the end of training, p = 100", "end", lambda run: run.p == 100, 99, 1e-170))
    for axis, (title, when, chosen, longest, smallest) in zip(axes, panels):
        axis.axhline(1, color=BLACK, linewidth=2.5, label="LSTM's carousel: 1 by construction")
        drawn = [run for run in runs if chosen(run)]
        if when == "start":  # the rates do not matter yet
            drawn = {(run.method, run.p): run for run in drawn}.values()
        for run in drawn:
            draw_signal(axis, run, when, smallest)
        axis.set_yscale("log")
        axis.set_xlim(0, 1.02 * longest)
        axis.set_ylim(smallest, 10 ** (-0.08 * np.log10(smallest)))
        axis.set_yticks(10.0 ** np.arange(0, np.log10(smallest), -40 if longest > 9 else -10))
        axis.minorticks_off()
        axis.set_xlabel("lag: steps back from the last symbol\n(mark: the first symbol)")
        axis.set_title(title)
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.2))
    axes[0].set_ylabel("error at the hidden units,\nrelative to the last step (median over trials)")
    figure.suptitle("Task 2a: how much of the error at the last symbol reaches back to the first")
    return figure


def draw_signal(axis, run, when, smallest):
    """One method's line; it ends at the bottom of the picture where the error is smaller than
    that, or zero."""
    _, color, width, marker = LOOKS[run.method]
    signal = np.array(run.final[f"error_signal_at_{when}"])
    ratio = np.maximum(signal / (signal[0] or 1), smallest / 10)
    visible = int(np.sum(ratio > smallest))
    words = named(run.method, None if when == "start" else run.lr)
    if when == "start":
        words += f", p = {run.p}"
    else:
        words += f", p = {run.p}: {run.final['trials_stopped']} of {run.trials} stop"
    if signal[0] == 0:
        words += ", saturated: no error at all"
    elif signal[1] == 0:
        words += ", 0 after one step"
    style = (0, (4, 4)) if run.method == "chunker" else DASHES[None if when == "start" else run.lr]
    axis.plot(
        ratio[: visible + 1], linestyle=style, color=color, linewidth=width, zorder=2.5 - 0.1 * width, marker=marker,
        markersize=6, markevery=[len(ratio) - 1] if visible == len(ratio) else [], label=words)


# --- lstm_1997_rivals_lag.png ---------------------------------------------------------------------


def lag(runs, lstm):
    """Figure: the share of trials that stop, a panel for each delay, a line for each method and
    rate."""
    shares = {(run.method, run.lr, run.p): (run.final["trials_stopped"], run.trials) for run in runs}
    shares |= {("lstm", None, p): share for p, share in lstm.items()}
    paper = {(row.method, row.lr, row.p): int(row.success) / 100 for row in rivals.TABLE_ROWS if row.table == 2}
    paper["lstm", None, 100] = 1.0
    methods = sorted({key[:2] for key in (*shares, *paper)}, key=lambda key: (list(LOOKS).index(key[0]), key[1] or 0))
    delays = sorted({key[2] for key in (*shares, *paper)})
    figure, axes = pictures.subplots(
        1, len(delays), figsize=(11, 0.36 * len(methods) + 1.6), sharey=True, layout="constrained")
    for axis, p in zip(axes, delays):
        for y, (method, lr) in enumerate(methods):
            _, color, _, marker = LOOKS[method]
            key = method, lr, p
            if key in paper:
                axis.plot(
                    paper[key], y - 0.17, marker, color=color, markerfacecolor="none", markersize=7, clip_on=False)
            if key in shares:
                k, n = shares[key]
                low, high = harness.wilson(k, n)
                axis.plot([low, high], [y + 0.13, y + 0.13], color=color, linewidth=1.5)
                axis.plot(k / n, y + 0.13, marker, color=color, markersize=7, clip_on=False)
            elif key not in paper:
                axis.text(0.5, y, "not in the paper, not run", ha="center", va="center", fontsize=8, color="#999999")
        axis.set_title(f"delay p = {p}")
        axis.set_xlim(-0.04, 1.04)
        axis.set_xlabel("share of trials that stop")
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes[0].set_yticks(range(len(methods)), [named(method, lr) for method, lr in methods])
    axes[0].invert_yaxis()
    figure.legend(
        handles=[
            Line2D([], [], marker="o", color="#555555", markerfacecolor="none", linestyle="", label="paper"),
            Line2D([], [], marker="o", color="#555555", label="here, with the 95% interval")],
        loc="outside lower center", ncol=2)
    figure.suptitle("Task 2a: who predicts the last symbol from the first")
    return figure


def book(flags):
    """Both pictures by name."""
    studies.find_or_run(flags.results, "cascade_correlation", dict(experiment="2a", p=4))
    results = harness.read_results(flags.results)
    runs = runs_of(results)
    return {"lstm_1997_rivals_error_signal": functools.partial(error_signal, runs),
            "lstm_1997_rivals_lag": functools.partial(lag, runs, lstm_shares(results))}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book)


if __name__ == "__main__":
    sys.exit(main())
