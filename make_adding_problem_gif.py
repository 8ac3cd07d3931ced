# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8", "imageio>=2.34"]
# ///
"""The LSTM learning the adding problem, as an animation, from the snapshots in results.json.

    python3 make_adding_problem_gif.py --seed 0 --T 100 --hidden 8 --iters 8000 --snapshot-every 400 --fps 6

A frame per snapshot: one sequence, the cell states on it, and the test MSE so far. The sequence is
chosen from the display stream by its marks alone, large values far apart; what the net says to
it has no part in that. Where the record or its snapshots are missing, adding_problem.py is run for
them first."""

import dataclasses
import functools
import sys

import numpy as np

import adding_problem as ap
import harness
import pictures
import studies
import visualize_adding_problem as viz


@dataclasses.dataclass(frozen=True)
class Flags:
    """Which run to animate; every other setting is the experiment's default."""

    seed: int = harness.setting(0, "seed of the run", "run", low=0, high=2**63 - 1)
    T: int = harness.setting(100, "steps in a sequence", "run", low=2, high=100_000)
    hidden: int = harness.setting(8, "hidden units", "run", low=1, high=4096)
    iters: int = harness.setting(8000, "training iterations", "run", low=1, high=10**8)
    snapshot_every: int = harness.setting(400, "iterations between frames", "run", low=1, high=10**8)
    fps: int = harness.setting(6, "frames per second", "animation", low=1, high=pictures.MOST_FPS)
    results: str = harness.setting("results.json", "file of results", "files")
    out: str = harness.setting("adding_problem.gif", "file of the animation", "files")


DRAWN = 64  # sequences from which the one that is shown is chosen
LARGE = 0.4  # a marked value whose bar is seen
FONTS = {"font.size": 11, "axes.titlesize": 12}


def clear_sequence(settings):
    """The first of DRAWN sequences of the display stream with both marked values LARGE and of one
    sign, more than half the length between them and none at an end; if there is none, the first of
    all. Returns x (T, 2, 1) and the target (1,)."""
    x, target = viz.display_sequences(settings, DRAWN)
    marks = [np.flatnonzero(x[:, 1, k]) for k in range(DRAWN)]
    clear = (k for k, steps in enumerate(marks)
             if np.ptp(steps) > len(x) / 2 and 5 <= steps[0] and steps[1] < len(x) - 5 and (
                 x[steps, 0, k].min() > LARGE or x[steps, 0, k].max() < -LARGE))
    k = next(clear, 0)
    return x[:, :, k : k + 1], target[k : k + 1]


def frame(record, snapshot, x, target, limit):
    """The figure of one frame; limit is the common range of the cell states."""
    net = viz.load(record, snapshot["weights"])
    y = net.forward(x)[0, 0, 0]
    c = net.c[1:, :, 0]
    history, iteration = record["history"], snapshot["iteration"]
    seen = np.array(history["iteration"]) <= iteration
    sequences, mse = np.array(history["train_sequences"]) / 1000, np.array(history["test_mse"])

    figure = pictures.blank(figsize=(8, 4.6), dpi=80, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.45, 1))
    top, bottom, right = (figure.add_subplot(cell) for cell in (grid[0, 0], grid[1, 0], grid[:, 1]))
    marked = viz.draw_sequence(top, x[:, :, 0])
    top.set_title(f"target {target[0]:+.2f}, answer {y:+.2f}", loc="left", family="monospace")
    image = bottom.imshow(c.T, aspect="auto", cmap="PRGn", vmin=-limit, vmax=limit, interpolation="none")
    for step in marked:
        bottom.axvline(step, color="black", ls="--", lw=1)
    bottom.set(xlabel="step (dashed: marked)", ylabel="unit", title="its memory: cell states $c_t$", xlim=(-1, len(x)))
    figure.colorbar(image, ax=bottom)
    right.plot(sequences, mse, color=viz.GREY, lw=0.8, alpha=0.5)
    right.plot(sequences[seen], mse[seen], color=viz.LSTM_COLOUR, lw=2)
    right.plot(sequences[seen][-1], mse[seen][-1], "o", color=viz.LSTM_COLOUR)
    right.axhline(ap.CONSTANT_MSE, color="black", lw=0.8, ls="--")
    right.annotate("constant 0", (0.98, ap.CONSTANT_MSE), xycoords=("axes fraction", "data"), ha="right", va="top",
                   xytext=(0, -3), textcoords="offset points")
    right.set(yscale="log", xlabel="sequences (thousands)", ylabel="test MSE",
              title=f"{iteration * record['settings']['batch']:,} sequences:\nMSE {mse[seen][-1]:.4f}")
    return figure


def frames(flags):
    """A function for each frame."""

    def fits(record):
        kept = [snapshot["iteration"] for snapshot in record.get("snapshots", [])]
        return kept == list(range(0, flags.iters + 1, flags.snapshot_every))

    settings = dict(seed=flags.seed, T=flags.T, hidden=flags.hidden, iters=flags.iters)
    record = studies.find_or_run(
        flags.results, ap.EXPERIMENT, settings, "--snapshot-every", str(flags.snapshot_every), fits=fits)
    x, target = clear_sequence(record["settings"])
    net = viz.load(record)
    net.forward(x)
    limit = abs(net.c).max()
    return [functools.partial(frame, record, snapshot, x, target, limit) for snapshot in record["snapshots"]]


def main(argv=None):
    return pictures.animate(__doc__, argv, frames, Flags, rest=2000, changes=FONTS)


if __name__ == "__main__":
    sys.exit(main())
