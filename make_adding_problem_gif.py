# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8", "imageio>=2.34"]
# ///
"""The LSTM learning the adding problem, as an animation, from the snapshots in results.json.

    python3 make_adding_problem_gif.py --seed 0 --T 100 --hidden 8 --iters 8000 --snapshot-every 400 --fps 6

A frame per snapshot: one sequence, the cell states on it, and the test MSE so far. Where the record or its snapshots
are missing, adding_problem.py is run for them first.
"""

import dataclasses
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np

import adding_problem as ap
import visualize_adding_problem as viz
from pictures import plt, writable_folder


@dataclasses.dataclass(frozen=True)
class Flags:
    """Which run to animate; every other setting is the experiment's default."""

    seed: int = ap.setting(0, "seed of the run", "run", low=0, high=2**63 - 1)
    T: int = ap.setting(100, "steps in a sequence", "run", low=2, high=100_000)
    hidden: int = ap.setting(8, "hidden units", "run", low=1, high=4096)
    iters: int = ap.setting(8000, "training iterations", "run", low=1, high=10**8)
    snapshot_every: int = ap.setting(400, "iterations between frames", "run", low=1, high=10**8)
    fps: int = ap.setting(6, "frames per second", "animation", low=1, high=50)
    results: str = ap.setting("results.json", "file of results", "files")
    out: str = ap.setting("adding_problem.gif", "file of the animation", "files")


def frame(record, snapshot, x, target, limit):
    """One frame as an array (height, width, 3) of bytes; limit is the common range of the cell states."""
    net = viz.load(record, snapshot["weights"])
    y = net.forward(x)[0, 0, 0]
    c = net.c[1:, :, 0]
    history, iteration = record["history"], snapshot["iteration"]
    seen = np.array(history["iteration"]) <= iteration
    sequences, mse = np.array(history["train_sequences"]) / 1000, np.array(history["test_mse"])

    figure = plt.figure(figsize=(9.6, 4.4), dpi=80, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.35, 1))
    top, bottom, right = (figure.add_subplot(cell) for cell in (grid[0, 0], grid[1, 0], grid[:, 1]))
    marked = viz.draw_sequence(top, x[:, :, 0])
    top.set_title(f"target {target[0]:+.3f}    prediction {y:+.3f}", loc="left", family="monospace", fontsize=10)
    image = bottom.imshow(c.T, aspect="auto", cmap="PuOr", vmin=-limit, vmax=limit, interpolation="none")
    for step in marked:
        bottom.axvline(step, color="black", ls="--", lw=1)
    bottom.set(xlabel="step (dashed: marked)", ylabel="unit", title="cell states $c_t$", xlim=(-1, len(x)))
    figure.colorbar(image, ax=bottom)
    right.plot(sequences, mse, color=viz.GREY, lw=0.8, alpha=0.5)
    right.plot(sequences[seen], mse[seen], color=viz.LSTM_COLOUR, lw=2)
    right.plot(sequences[seen][-1], mse[seen][-1], "o", color=viz.LSTM_COLOUR)
    right.axhline(ap.CONSTANT_MSE, color="black", lw=0.8, ls="--")
    right.annotate("constant predictor", (0.98, ap.CONSTANT_MSE), xycoords=("axes fraction", "data"), ha="right",
                   va="top", fontsize=8)
    right.set(yscale="log", xlabel="training sequences (thousands)", ylabel="test MSE",
              title=f"{iteration * record['settings']['batch']:,} sequences: MSE {mse[seen][-1]:.4f}")
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()
    plt.close(figure)
    return pixels


def main(argv=None):
    parser = ap.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    ap.add_flags(parser, Flags)
    flags = ap.from_flags(Flags, parser.parse_args(argv))
    try:
        settings = ap.Settings(seed=flags.seed, T=flags.T, hidden=flags.hidden, iters=flags.iters)
        ap.read_results(flags.results)
        writable_folder(Path(flags.out).parent)
        record = viz.find_or_run(flags.results, settings, flags.snapshot_every)
    except (ValueError, OSError, ap.ResultsError) as error:
        parser.error(str(error))
    x, target = viz.display_sequences(record["settings"], 1)
    net = viz.load(record)
    net.forward(x)
    limit = abs(net.c).max()
    frames = [frame(record, snapshot, x, target, limit) for snapshot in record["snapshots"]]
    durations = [1000 / flags.fps] * (len(frames) - 1) + [2000]  # ms; the last frame rests
    iio.imwrite(flags.out, frames, extension=".gif", duration=durations, loop=0, optimize=True)
    print(f"{flags.out}: {len(frames)} frames, {Path(flags.out).stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
