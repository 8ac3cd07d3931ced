# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8", "imageio>=2.34"]
# ///
"""Animation of 3-bit memorization at T = 60 with both starts: held-out loss and accuracy move apart.

    python3 make_rnn_pathological_gif.py                reads results.json, writes rnn_pathological.gif

Nothing is trained here. If the two records are absent, the commands that make them are run first.
"""

import argparse
import io
import os
import sys

import imageio.v3 as imageio
import numpy as np

import rnn_pathological as rp
import studies_rnn_pathological as studies
from visualize_rnn_pathological import COLOUR, GREY, NAME, complete, plt

TASK = "3bit_memorization"


def frame(curves, end, chance, constant_loss):
    """One picture (rows, columns, 3) with the curves up to point `end`; curves: {init: history}."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
    total = max(history["update"][-1] for history in curves.values())
    for init, history in curves.items():
        update = history["update"][: end + 1]
        for ax, column in ((left, "test_loss"), (right, "test_accuracy")):
            values = history[column][: end + 1]
            ax.plot(update, values, color=COLOUR[init], lw=2, label=NAME[init])
            ax.plot(update[-1], values[-1], "o", color=COLOUR[init])
    left.axhline(constant_loss, color=GREY, ls=":", label="constant answer")
    right.axhline(chance, color=GREY, ls=":")
    left.set(xlim=(0, total), ylim=(1e-4, 10), yscale="log", xlabel="updates",
             ylabel="held-out cross-entropy (nats)")
    right.set(xlim=(0, total), ylim=(0, 1.03), xlabel="updates", ylabel="held-out accuracy")
    left.legend(loc="lower left", fontsize=9)
    fig.suptitle(f"3-bit memorization, T = 60, start of W_hh: update {update[-1]:4d}", fontsize=11)
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=80)
    plt.close(fig)
    buffer.seek(0)
    return imageio.imread(buffer)[..., :3]


def main(argv=None):
    parser = rp.Parser(description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--results", default="results.json", help="file of results")
    parser.add_argument("--out", default="rnn_pathological.gif", help="file of the animation")
    parser.add_argument("--fps", type=rp.flag_value(int, 1, 60), default=8, help="frames a second")
    args = parser.parse_args(argv)
    if not os.access(os.path.dirname(os.path.abspath(args.out)), os.W_OK):
        parser.error(f"{args.out} cannot be written")
    arms = [studies.Arm(f"{TASK}, {init}", dict(task=TASK, init=init), range(1)) for init in rp.HEADLINE_INITS]
    try:
        results = complete(arms, args.results)
    except rp.ResultsError as error:
        parser.error(str(error))
    curves = {arm.settings["init"]: arm.records(results)[0]["history"] for arm in arms}
    task, points = rp.task_of(rp.Settings(task=TASK)), min(len(history["update"]) for history in curves.values())
    shown = np.unique([*range(0, points, 2), points - 1])
    frames = [frame(curves, end, task.chance, task.constant_loss) for end in shown]
    durations = [1000 / args.fps] * (len(frames) - 1) + [2500]
    imageio.imwrite(args.out, np.stack(frames), extension=".gif", duration=durations, loop=0)
    print(f"{args.out}: {len(frames)} frames, {os.path.getsize(args.out) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
