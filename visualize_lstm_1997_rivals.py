# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2", "matplotlib>=3.8"]
# ///
"""Pictures of lstm_1997_rivals.py from results.json, into viz/: how far back the error reaches, and who succeeds.

    python3 visualize_lstm_1997_rivals.py --outdir viz

error_signal: the error that arrives at the hidden units of task 2a against the lag, before training and when a trial
ends. lag: the share of trials that stop, for each delay p of task 2a, in the paper, and here where a row has been run
with all its trials up to its cap.
Nothing is trained here. If there is no record of cascade-correlation at p = 4, which takes seconds, the experiment's
own command runs first; everything else is drawn from what has been run.
"""

import sys

import numpy as np
from matplotlib.lines import Line2D

import lstm_1997_rivals as rivals
from information_latching import wilson
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, plt, run_first, save, writable_folder

LOOKS = {  # name, colour, width and marker of a method
    "rtrl": ("RTRL", BLUE, 1.5, "o"), "bptt": ("BPTT", SKY, 4, "s"), "elman": ("Elman", PURPLE, 1.5, "v"),
    "rcc": ("cascade-correlation", GREEN, 1.5, "^"), "chunker": ("chunker's first net", ORANGE, 1.5, "D"),
    "lstm": ("LSTM", BLACK, 2.5, "*"),
}
DASHES = {None: "-", 1.0: "-", 4.0: "--", 10.0: ":"}  # by rate


def records_of(results):
    """The literal records of task 2a, as pairs of Settings and record, in order of method, delay and rate."""
    records = [(rivals.Settings(**record["settings"]), record) for record in results.get(rivals.EXPERIMENT, [])]
    chosen = [pair for pair in records if pair[0].experiment == "2a" and pair[0].reading == "literal"]
    return sorted(chosen, key=lambda pair: (list(LOOKS).index(pair[0].method), pair[0].p, pair[0].lr or 0))


def lstm_records(results):
    """{delay: (stopped, trials)} of the LSTM on task 2a: of each delay the reading with most trials stopped."""
    best = {}
    for record in results.get("lstm_1997", []):
        settings, stopped = record["settings"], record["final"]["trials_stopped"]
        if settings["experiment"] == "2a" and stopped >= best.get(settings["p"], (-1, 0))[0]:
            best[settings["p"]] = stopped, settings["trials"]
    return best


def complete(path):
    """The results, with something to draw in them: a run of seconds comes first if need be.

    Raises ResultsError for an unusable file, SystemExit with the exit code if the run fails.
    """
    results = rivals.read_results(path)
    if not any(row.method == "rcc" and row.p == 4 for row, _ in records_of(results)):
        words = ["--method", "rcc", "--experiment", "2a", "--p", "4"]
        print(f"no record yet, running: python3 lstm_1997_rivals.py {' '.join(words)}", flush=True)
        run_first(rivals.__file__, *words, "--out", path)
        results = rivals.read_results(path)
    return results


def named(method, lr):
    """A method and its rate in a few words."""
    return LOOKS[method][0] + ("" if lr is None else f", rate {lr:g}")


def whole(row):
    """Whether a row has been run with the line's trials and up to its cap."""
    return row.trials == row.line.trials and row.max_sequences >= row.line.cap


# --- lstm_1997_rivals_error_signal.png --------------------------------------------------------------------------------


def error_signal(records):
    """Figure: error at the hidden units over that at the last step, against the lag."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 7), layout="constrained")
    panels = (
        ("before training", "start", lambda row: row.p == 100 or row.method in ("elman", "rcc"), 99, 1e-170),
        ("at the end of training, p = 4 and 10", "end", lambda row: row.p < 100, 9, 1e-60),
        ("at the end of training, p = 100", "end", lambda row: row.p == 100, 99, 1e-170))
    for axis, (title, when, chosen, longest, smallest) in zip(axes, panels):
        axis.axhline(1, color=BLACK, linewidth=2.5, label="LSTM's carousel: 1 by construction")
        rows = [(row, record) for row, record in records if chosen(row)]
        if when == "start":  # the rates do not matter yet
            rows = {(row.method, row.p): (row, record) for row, record in rows}.values()
        for row, record in rows:
            draw_signal(axis, row, record["final"], when, smallest)
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


def draw_signal(axis, row, final, when, smallest):
    """One method's line; it ends at the bottom of the picture where the error is smaller than that, or zero."""
    _, color, width, marker = LOOKS[row.method]
    signal = np.array(final[f"error_signal_at_{when}"])
    ratio = np.maximum(signal / (signal[0] or 1), smallest / 10)
    visible = int(np.sum(ratio > smallest))
    words = named(row.method, None if when == "start" else row.lr)
    if when == "start":
        words += f", p = {row.p}"
    else:
        words += f", p = {row.p}: {final['trials_stopped']} of {row.trials} stop"
    if signal[0] == 0:
        words += ", saturated: no error at all"
    elif signal[1] == 0:
        words += ", 0 after one step"
    style = (0, (4, 4)) if row.method == "chunker" else DASHES[None if when == "start" else row.lr]
    axis.plot(
        ratio[: visible + 1], linestyle=style, color=color, linewidth=width, zorder=2.5 - 0.1 * width, marker=marker,
        markersize=6, markevery=[len(ratio) - 1] if visible == len(ratio) else [], label=words)


# --- lstm_1997_rivals_lag.png -----------------------------------------------------------------------------------------


def lag(records, lstm):
    """Figure: the share of trials that stop, a panel for each delay, a line for each method and rate."""
    shares = {(row.method, row.lr, row.p): (record["final"]["trials_stopped"], row.trials)
              for row, record in records if whole(row)}
    shares |= {("lstm", None, p): share for p, share in lstm.items()}
    paper = {(line.method, line.lr, line.p): int(line.success) / 100 for line in rivals.LINES if line.table == 2}
    paper["lstm", None, 100] = 1.0
    methods = sorted({key[:2] for key in (*shares, *paper)}, key=lambda key: (list(LOOKS).index(key[0]), key[1] or 0))
    delays = sorted({key[2] for key in (*shares, *paper)})
    figure, axes = plt.subplots(
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
                low, high = wilson(k, n)
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


def main(argv=None):
    parser = rivals.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    parser.add_argument("--results", default="results.json", help="file of results (default: %(default)s)")
    parser.add_argument("--outdir", default="viz", help="folder of the pictures (default: %(default)s)")
    args = parser.parse_args(argv)
    try:
        rivals.read_results(args.results)
        writable_folder(args.outdir)
        results = complete(args.results)
    except (OSError, rivals.ResultsError) as error:
        parser.error(str(error))
    records, lstm = records_of(results), lstm_records(results)
    save({
        "lstm_1997_rivals_error_signal": error_signal(records), "lstm_1997_rivals_lag": lag(records, lstm),
    }.items(), args.outdir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
