# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8", "imageio>=2.34"]
# ///
"""Animation of 3-bit memorization at T = 60 with both starts: held-out loss and accuracy move apart.

    python3 make_rnn_pathological_gif.py                reads results.json, writes rnn_pathological.gif

Nothing is trained here. If the two records are absent, the commands that make them are run first.
"""

import dataclasses
import functools
import sys

import numpy as np

import harness
import pictures
import rnn_pathological as rp
import studies
from visualize_rnn_pathological import COLOUR, GREY, LOOK, NAME

TASK = "3bit_memorization"


@dataclasses.dataclass(frozen=True)
class Flags:
    """How fast the animation is, where its records are and where it goes."""

    fps: int = harness.setting(8, "frames per second", "animation", low=1, high=pictures.MOST_FPS)
    results: str = harness.setting("results.json", "file of results", "files")
    out: str = harness.setting("rnn_pathological.gif", "file of the animation", "files")


def frame(curves, end, chance, constant_loss):
    """The figure of one frame, with the curves up to point `end`; curves: {init: history}."""
    fig, (left, right) = pictures.subplots(1, 2, figsize=(8.4, 3.6), dpi=80)
    total = max(1, *(history["update"][-1] for history in curves.values()))
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
    right_now = ", ".join(f"{curves[init]['test_accuracy'][end]:.2f} ({NAME[init]})" for init in curves)
    fig.suptitle(f"3-bit memorization, T = 60, update {update[-1]:4d}: accuracy {right_now}", fontsize=11)
    return fig


def frames(flags):
    """A function for each frame: every second point of the curves, and the last."""
    curves = {
        init: studies.find_or_run(flags.results, rp.EXPERIMENT, dict(task=TASK, init=init))["history"]
        for init in rp.HEADLINE_INITS}
    task, points = rp.task_of(rp.Settings(task=TASK)), min(len(history["update"]) for history in curves.values())
    shown = np.unique([*range(0, points, 2), points - 1])
    return [functools.partial(frame, curves, end, task.chance, task.constant_loss) for end in shown]


def main(argv=None):
    return pictures.animate(__doc__, argv, frames, Flags, rest=2500, changes=LOOK)


if __name__ == "__main__":
    sys.exit(main())
