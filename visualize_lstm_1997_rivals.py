# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "matplotlib>=3.8"]
# ///
"""Pictures of what the LSTM was compared with, from results.json: how far back the error reaches,
and who succeeds.

    python3 visualize_lstm_1997_rivals.py --outdir viz

Writes lstm_1997_rivals_reber.png, the trials that have stopped on the Reber grammar against
sequences; lstm_1997_rivals_chunker.png, what the chunker's first net is told and whether it takes
over; lstm_1997_rivals_error_signal.png, the error that arrives at the hidden units of task
2a against the lag, before training and when a trial ends; and lstm_1997_rivals_lag.png, the share
of trials that stop for each delay p of task 2a, in the paper and here. Nothing is trained here.
If there is no record of cascade-correlation at p = 4, which takes seconds, its own command runs
first; everything else is drawn from what has been run."""

import functools
import sys
from typing import NamedTuple

import numpy as np
from matplotlib.lines import Line2D

import harness
import lstm_1997_rivals as rivals
import pictures
import studies
import studies.lstm_1997_rivals as grids
from analysis import readings
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY

STUDIES = ("rivals-lag-4", "rivals-lag-10", "rivals-lag-100", "rivals-lag-100-bptt", "rivals-chunker",
           "cascade-correlation")
LOOKS = {  # name, colour, width and marker of a method
    "rtrl": ("RTRL", BLUE, 1.5, "o"), "bptt": ("BPTT", SKY, 4, "s"), "elman": ("Elman net", PURPLE, 1.5, "v"),
    "rcc": ("cascade-correlation", GREEN, 1.5, "^"), "chunker": ("chunker's first net", ORANGE, 1.5, "X"),
    "literal": ("LSTM, word for word", RED, 2, "*"), "changed": ("LSTM, named changes", RED, 2, "P"),
}
TUNED = np.inf  # in the place of a rate, behind all of them: the settings that a method's search chose
DASHES = {1.0: "-", 4.0: "--", 10.0: ":"}  # by rate, where a method was run at several
OWN = {"chunker": (0, (4, 4)), "elman": "-", "rcc": "-"}  # of the methods with one rate, or none
PAPER = dict(marker="D", color=BLACK, markersize=6, linestyle="")  # the paper's figure, in every picture
ABSENT = dict(marker="_", color="#777777", markersize=10, markeredgewidth=2, linestyle="")


class Run(NamedTuple):
    """A row of task 2a: method, delay, rate (None: it has none), trials, cap in words and final figures."""

    method: str
    p: int
    lr: float | None
    trials: int
    cap: str
    final: dict


def runs_of(results):
    """The rows of task 2a that have been run, in order of method, delay and rate."""
    found = []
    for study in (studies.load()[name] for name in STUDIES):
        for settings in study.cells():
            record = studies.find(results, study.experiment, settings)
            if record is not None and settings.experiment == "2a":
                method, lr = getattr(settings, "method", "rcc"), getattr(settings, "lr", None)
                cap = f"{settings.hidden} units" if method == "rcc" else in_short(settings.max_sequences)
                found.append(Run(method, settings.p, lr, settings.trials, cap, record["final"]))
    return sorted(found, key=lambda run: (list(LOOKS).index(run.method), run.p, run.lr or 0))


def in_short(sequences):
    """A cap in few characters."""
    return f"{sequences // 1_000_000} million" if sequences >= 1_000_000 else f"{sequences:,}"


def lstm_shares(found):
    """{(literal or changed, None, delay): (stopped, trials, cap)} of the LSTM on task 2a, word for word
    and in the reading with named changes of which most trials stop; and the cap of the former."""
    row = next(run.row for run in found if run.row.experiment == "2a")
    chosen = {"literal": readings.literal, "changed": readings.changed}
    best = {name: readings.best(found, row, which) for name, which in chosen.items()}
    shares = {(name, None, row.p): (len(run.reached), run.settings.trials, in_short(run.settings.max_sequences))
              for name, run in best.items()}
    return shares, best["literal"].settings.max_sequences


def tuned_shares(results):
    """{(method, TUNED, delay): (stopped, trials, cap)} of the rivals on task 2a with what their searches chose."""
    shares = {}
    for (method, experiment, p, _), record in studies.by_label(results, "rivals-tuned").items():
        if experiment == "2a":
            settings, stopped = record["settings"], record["final"]["trials_stopped"]
            shares[method, TUNED, p] = stopped, settings["trials"], in_short(settings["max_sequences"])
    return shares


def named(method, lr):
    """A method and its rate in a few words."""
    if lr == TUNED:
        return f"{LOOKS[method][0]}, tuned"
    return LOOKS[method][0] + ("" if lr is None else f", rate {lr:g}")


# --- lstm_1997_rivals_reber.png -------------------------------------------------------------------


def reber(results, found):
    """Figure: trials that have stopped on the Reber grammar after so many sequences."""
    figure, axis = pictures.subplots(figsize=(9.5, 7), layout="constrained")
    lines = []
    for method, hidden in (("rtrl", 12), ("bptt", 12), ("rtrl", 3), ("elman", 15)):
        settings = grids.REBER[method, hidden]
        final = studies.find(results, rivals.EXPERIMENT, settings)["final"]
        name, color, *_, marker = LOOKS[method]
        dash = "-" if hidden >= 12 and method != "elman" else ":"
        lines.append((f"{name}, {hidden} hidden units", color, dash, marker, final["sequences_to_success"], None))
    for (method, experiment, _, hidden), record in studies.by_label(results, "rivals-tuned").items():
        if experiment == "1":
            name, color, *_, marker = LOOKS[method]
            sequences = record["final"]["sequences_to_success"]
            lines.append((f"{name}, {hidden} hidden units, tuned", color, "-.", marker, sequences, None))
    own = [run for run in found if run.row.experiment == "1" and (run.row.blocks, run.row.lr) == (3, 0.5)]
    for name, chosen in (("literal", readings.literal), ("changed", readings.changed)):
        run = max((run for run in own if chosen(run)), key=lambda run: (run.settings.max_sequences, len(run.reached)))
        words, color, _, marker = LOOKS[name]
        words += f" ({readings.reading(run.settings).removeprefix('literal, ')})"
        dash = "-" if name == "changed" else "--"
        lines.append((words, color, dash, marker, run.sequences, run.settings.max_sequences))
    longest = 100_000
    for name, color, dash, marker, sequences, cap in lines:
        reached = sorted(n for n in sequences if n is not None and n <= longest)
        x, y = np.array([0, *reached, cap or longest]) / 1000, [*range(len(reached) + 1), len(reached)]
        axis.plot(x, y, dash, color=color, linewidth=2, drawstyle="steps-post")
        size = 17 if marker == "*" else 11
        axis.plot([], [], dash, color=color, linewidth=2, marker=marker, markersize=size - 2,
                  label=f"{name}: {len(reached)}")
        for bound in (30, 100):
            count = sum(n <= 1000 * bound for n in reached)
            axis.plot(bound, count, marker, color=color, markersize=size, markeredgecolor="white", clip_on=False,
                      zorder=4)
    axis.axvline(30, color="#999999", linewidth=0.8, linestyle=":")
    row = own[0].row
    axis.plot(row.paper / 1000, 30, clip_on=False, **PAPER,
              label=f"LSTM in the paper: all 30, after {row.paper:,} in the mean")
    axis.set_xlim(0, 100)
    axis.set_ylim(0, 30)
    axis.set_xlabel("training sequences, thousands")
    axis.set_ylabel("trials that have stopped, of 30")
    axis.grid(color="#dddddd", linewidth=0.6)
    figure.legend(loc="outside lower center", title="stopped by 100,000 sequences, of 30", ncol=2)
    figure.suptitle("Reber grammar: RTRL and BPTT overtake the LSTM that is taken word for word")
    return figure


# --- lstm_1997_rivals_chunker.png -----------------------------------------------------------------


def chunker(results):
    """Figure: for each removed cause, trial by trial, how far what the first net has to name differs
    between the two sequences, and whether it takes over."""
    found = studies.by_label(results, "rivals-chunker-causes", "rivals-chunker-causes-100")
    names = list(dict.fromkeys(name for _, name in found))
    delays = sorted({p for p, _ in found})
    figure, axes = pictures.subplots(
        1, len(delays), figsize=(12, 0.62 * len(names) + 2.2), sharey=True, layout="constrained", squeeze=False)
    jitter = np.random.default_rng(0)
    for axis, p in zip(axes[0], delays):
        for y, name in enumerate(names):
            final = found[p, name]["final"]
            took = np.array([n is not None for n in final["sequences_to_success"]])
            gap = np.maximum(final["named_gap"], 1e-4)
            up = y + jitter.uniform(-0.2, 0.2, len(gap))
            axis.plot(gap[~took], up[~took], "o", color=RED, markerfacecolor="none", markersize=6)
            axis.plot(gap[took], up[took], "o", color=BLUE, markersize=6)
            axis.text(400, y, f"{took.sum()} of {len(took)}", va="center", ha="right", fontsize=10,
                      color=BLUE if took.any() else RED)
        axis.set_xscale("log")
        axis.set_xlim(1e-4, 500)
        axis.set_xticks([1e-3, 1e-2, 0.1, 1])
        axis.minorticks_off()
        axis.set_title(f"delay p = {p}")
        axis.set_xlabel("how far the first net's target\ntells the sequences apart")
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].invert_yaxis()
    figure.legend(
        handles=[Line2D([], [], marker="o", linestyle="", color=BLUE, label="the first net takes over"),
                 Line2D([], [], marker="o", linestyle="", color=RED, markerfacecolor="none", label="it does not")],
        loc="outside lower center", ncol=2)
    figure.suptitle(
        "Without a tolerance, the chunker's first net takes over only if its target tells the sequences apart,\n"
        "and over 100 steps only with a bias of the outputs, too")
    return figure


# --- lstm_1997_rivals_error_signal.png ------------------------------------------------------------


def error_signal(runs):
    """Figure: error at the hidden units over that at the last step, against the lag."""
    figure, axes = pictures.subplots(2, 2, figsize=(10, 9), layout="constrained")
    panels = (
        ("before training", "start", lambda run: run.p == 100 or run.method in ("elman", "rcc"), 99, 1e-170),
        ("when a trial ends, p = 100", "end", lambda run: run.p == 100, 99, 1e-170),
        ("when a trial ends, p = 4 and 10", "end", lambda run: run.p < 100, 9, 1e-60))
    *drawn_on, last = axes.flat
    for axis, (title, when, chosen, longest, smallest) in zip(drawn_on, panels):
        axis.axhline(1, color=BLACK, linewidth=2.5)
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
        axis.set_xlabel("steps back from the last symbol (mark: the first symbol)")
        axis.set_title(title, loc="left")
        axis.grid(color="#dddddd", linewidth=0.6)
    for axis in axes[:, 0]:
        axis.set_ylabel("error at the hidden units,\nrelative to the last step (median)")
    last.axis("off")
    methods = [method for method in LOOKS if method in {run.method for run in runs}]
    handles = [Line2D([], [], color=BLACK, linewidth=2.5, label="LSTM's carousel: 1 by construction")]
    for name in methods:
        words, color, width, marker = LOOKS[name]
        handles.append(Line2D([], [], color=color, linewidth=width, marker=marker, linestyle=OWN.get(name, "-"),
                              label=words))
    handles += [Line2D([], [], color="#555555", linestyle=dash, label=f"RTRL and BPTT when a trial ends, rate {lr:g}")
                for lr, dash in DASHES.items()]
    last.legend(handles=handles, loc="center left", fontsize=10, title="Elman nets: 0 after one step back.\n"
                "Lines that leave below: no error arrives.", alignment="left")
    figure.suptitle("Task 2a: of the error at the last symbol next to nothing reaches the first over 100 steps")
    return figure


def draw_signal(axis, run, when, smallest):
    """One method's line; it ends at the bottom of the picture where the error is smaller than
    that, or zero."""
    _, color, width, marker = LOOKS[run.method]
    signal = np.array(run.final[f"error_signal_at_{when}"])
    ratio = np.maximum(signal / (signal[0] or 1), smallest / 10)
    visible = int(np.sum(ratio > smallest))
    style = OWN.get(run.method) or (DASHES[run.lr] if when == "end" else "-")
    axis.plot(
        ratio[: visible + 1], linestyle=style, color=color, linewidth=width, zorder=2.5 - 0.1 * width, marker=marker,
        markersize=6, markevery=[len(ratio) - 1] if visible == len(ratio) else [])


# --- lstm_1997_rivals_lag.png ---------------------------------------------------------------------


def lag(runs, tuned, lstm, cap):
    """Figure: the share of trials that stop, a panel for each delay, a line for each method and
    rate. cap: of the literal LSTM."""
    shares = {(run.method, run.lr, run.p): (run.final["trials_stopped"], run.trials, run.cap) for run in runs}
    shares |= tuned | lstm
    paper = {(row.method, row.lr, row.p): int(row.success) / 100 for row in rivals.TABLE_ROWS if row.table == 2}
    paper |= dict.fromkeys(lstm, 1.0)
    methods = sorted({key[:2] for key in (*shares, *paper)}, key=lambda key: (list(LOOKS).index(key[0]), key[1] or 0))
    delays = sorted({key[2] for key in (*shares, *paper)})
    figure, axes = pictures.subplots(
        1, len(delays), figsize=(10, 0.4 * len(methods) + 1.6), sharey=True, layout="constrained")
    for axis, p in zip(axes, delays):
        for y, (method, lr) in enumerate(methods):
            _, color, _, marker = LOOKS[method]
            key = method, lr, p
            if key in paper:
                axis.plot(paper[key], y - 0.2, clip_on=False, zorder=4, **PAPER)
            if key in shares:
                k, n, limit = shares[key]
                low, high = harness.wilson(k, n)
                axis.plot([low, high], [y + 0.15, y + 0.15], color=color, linewidth=1.5)
                axis.plot(k / n, y + 0.15, marker, color=color, markersize=12 if marker == "*" else 8, clip_on=False)
                at_right = k / n < 0.6
                axis.text(0.97 if at_right else 0.03, y + 0.2, f"by {limit}", ha="right" if at_right else "left",
                          va="center", fontsize=9, color="#555555")
            elif key not in paper:
                axis.plot(0.5, y, **ABSENT)
        axis.set_title(f"delay p = {p}")
        axis.set_xlim(-0.04, 1.04)
        axis.set_xticks([0, 0.5, 1], ["0", "half", "all"])
        axis.set_xlabel("share of trials that stop")
        axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes[0].set_yticks(range(len(methods)), [named(method, lr) for method, lr in methods])
    axes[0].invert_yaxis()
    figure.legend(
        handles=[
            Line2D([], [], label="paper", **PAPER),
            Line2D([], [], marker="o", color="#555555", label="here, by the cap beside it, with the 95% interval"),
            Line2D([], [], **ABSENT, label="no row, neither in the paper nor in Table 2 here")],
        loc="outside lower center", ncol=3)
    counts = ["{} of {}".format(*lstm[name, None, 100]) for name in ("changed", "literal")]
    stopped, trials, _ = zip(*(share for (_, _, p), share in tuned.items() if p == 100))
    figure.suptitle(
        f"Task 2a, 100 steps: LSTM {counts[0]} with named changes, {counts[1]} word for word (by {cap:,}), "
        f"tuned rivals {sum(stopped)} of {sum(trials)}")
    return figure


def book(flags):
    """The pictures by name."""
    studies.find_or_run(flags.results, "cascade_correlation", dict(experiment="2a", p=4))
    results = harness.read_results(flags.results)
    runs, found = runs_of(results), readings.runs(results)
    return {"lstm_1997_rivals_reber": functools.partial(reber, results, found),
            "lstm_1997_rivals_chunker": functools.partial(chunker, results),
            "lstm_1997_rivals_error_signal": functools.partial(error_signal, runs),
            "lstm_1997_rivals_lag": functools.partial(lag, runs, tuned_shares(results), *lstm_shares(found))}


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book)


if __name__ == "__main__":
    sys.exit(main())
