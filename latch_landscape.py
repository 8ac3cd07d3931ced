# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""The loss of the one-bit latch over two weights of a one-unit net: where its gradient has walls.

Source: Pascanu, Mikolov & Bengio (2013), "On the difficulty of training recurrent neural networks",
ICML, arXiv:1211.5063, whose figure shows such a surface for a tanh unit. Extends
information_latching.py: its task `latch`, its cells and its loss.

Nets: one unit; the weight of the input is 1. In the tanh unit the recurrent weight U and the bias b
vary, and the readout y_1 - y_0 is 4 h_T. In the LSTM the input reaches the candidate alone, the
gates i and o stand at 1/2, the bias of the forget gate and the candidate's recurrent weight vary,
and y_1 - y_0 is 8 h_T. Nothing is trained; every point sees the same sequences.

Commands:
    python3 latch_landscape.py --cell srnn --T 10    the tanh unit's surface at ten steps
    python3 latch_landscape.py --gradcheck           the losses against the equations, written out
    python3 reproduce.py latching-landscape          both cells at four lengths

Expect: a second. Each surface writes one record into results.json.
"""

import dataclasses
import math
import sys
import time

import numpy as np

import harness
import information_latching as il

EXPERIMENT = "latch_landscape"
CODE = harness.Code(__name__)
SQUASHED = {"srnn": "h", "lstm": "g"}  # the net input whose weights vary: state, candidate


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Settings:
    """What a surface depends on: the identity of a record in results.json."""

    cell: str = harness.setting(
        "lstm", "srnn: over (recurrent weight, bias); lstm: over (forget bias, recurrent weight)",
        "model", choices=("srnn", "lstm"))
    T: int = harness.setting(100, "steps in a sequence", "task", low=2, high=100_000)
    points: int = harness.setting(61, "along each axis", "model", low=2, high=10_000)
    sequences: int = harness.setting(
        64, "over which the loss is the mean, a multiple of 4", "task", low=4, high=10_000)
    noise: float = harness.setting(
        0.1, "standard deviation of the noise", "task", low=0, high=1e6)
    seed: int = harness.setting(0, "seed of the sequences", "task", low=0, high=2**63 - 1)

    def __post_init__(self):
        """Raises ValueError for settings that do not go together."""
        if self.sequences % 4:
            raise ValueError("--sequences must be a multiple of 4: its classes are balanced")
        gigabytes = self.T * (self.points * self.sequences * 19 * 8 + 6000) / 1e9
        if gigabytes > 4:
            raise ValueError(f"these settings need about {gigabytes:.0f} GB of memory: "
                             "lower --T, --points or --sequences")


Options = harness.SeedOptions


# --------------------------------------------------------------------------------------------------
# Landscape
# --------------------------------------------------------------------------------------------------

def axes(settings):
    """The two axes of a landscape, (name, values) each; the first is drawn to the right."""
    if settings.cell == "srnn":
        ranges = ("recurrent weight U", 0, 3), ("bias b", -1, 1)
    else:
        ranges = ("bias of the forget gate", -2, 8), ("recurrent weight U of the candidate", -2, 2)
    return [(name, np.linspace(low, high, settings.points)) for name, low, high in ranges]


def sequences(settings):
    """The sequences of a landscape, x (T, 1, n) and sign (n,), and the settings of their task."""
    task = il.Settings(T=settings.T, cell=settings.cell, noise=settings.noise)
    rng = il.streams(settings.seed)["display"]
    return *il.make_sequences(rng, task, settings.sequences), task


def losses(settings):
    """Yields the losses (points,) along the first axis, for each value of the second. The points of
    a row run side by side, as repeats do in training."""
    (_, right), (_, up) = axes(settings)
    x, sign, task = sequences(settings)
    x, sign = np.repeat(x, settings.points, axis=2), np.repeat(sign, settings.points)
    net = il.build(task, settings.sequences, settings.points)
    tensors, gain = net.tensors(net.theta), 2 if settings.cell == "srnn" else 4
    tensors[f"W_x{SQUASHED[settings.cell]}"][:] = 1
    net.W_y[:, 0], net.W_y[:, 1] = -gain, gain
    for height in up:
        if settings.cell == "srnn":
            tensors["W_hh"][:], tensors["b_h"][:] = right, height
        else:
            tensors["b_f"][:], tensors["W_hg"][:] = right, height
        loss, _ = il.loss_and_gradient(net, net.forward(x), sign)
        yield loss


def loss_by_hand(settings, right, up):
    """The loss at one point, from the equations written out."""
    x, sign, _ = sequences(settings)
    h = c = np.zeros(settings.sequences)
    for x_t in x[:, 0]:
        if settings.cell == "srnn":
            h = np.tanh(right * h + x_t + up)
        else:
            f = 1 / (1 + math.exp(-right))
            c = 0.5 * np.tanh(up * h + x_t) + f * c
            h = 0.5 * np.tanh(c)
    margin = (4 if settings.cell == "srnn" else 8) * h
    return np.log1p(np.exp(-margin * sign)).mean()


def gradcheck_all():
    """The losses of small landscapes against the equations. Returns the exit code."""
    passed = True
    for cell in ("srnn", "lstm"):
        settings = Settings(cell=cell, T=12, points=7, sequences=8)
        (_, right), (_, up) = axes(settings)
        by_hand = [[loss_by_hand(settings, U, b) for U in right] for b in up]
        worst = abs(np.array(list(losses(settings))) / by_hand - 1).max()
        passed &= bool(worst < 1e-12)
        harness.say(f"{cell}: {settings.points**2} losses, largest relative difference to the "
                    f"equations {worst:.1e}: {'ok' if worst < 1e-12 else 'FAILED'}")
    return 0 if passed else 1


# --------------------------------------------------------------------------------------------------
# Results record
# --------------------------------------------------------------------------------------------------

def train(settings, options, quiet=True):
    """Computes a landscape. Returns its record: settings, final and provenance; final.loss holds a
    row for each value of the second axis. When harness.stopped() it ends early ("interrupted")."""
    start, rows, status = time.perf_counter(), [], "done"
    progress = harness.Progress(settings.points, quiet)
    for loss in losses(settings):
        rows.append(il.short(loss))
        progress(len(rows), f"row {len(rows):4d} of {settings.points}", every=5)
        if harness.stopped():
            status = "interrupted"
            break
    progress.close()
    return {
        "settings": dataclasses.asdict(settings),
        "final": {"status": status, "loss": rows},
        "provenance": harness.provenance(CODE, time.perf_counter() - start),
    }


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def summary(record):
    """One line on a landscape."""
    settings, final, loss = record["settings"], record["final"], np.array(record["final"]["loss"])
    words = (f"landscape of the {settings['cell']} at T={settings['T']}: loss from {loss.min():.3f} "
             f"to {loss.max():.3f} (a guess: {il.CHANCE_LOSS:.3f}), {np.mean(loss < 0.1):.0%} of the "
             f"area below 0.1, {record['provenance']['wall_seconds']:.1f} s")
    return words if final["status"] == "done" else f"{words}  INTERRUPTED (row {len(loss)})"


def main(argv=None):
    checks = "the losses against the equations"
    parser = harness.experiment_parser(__doc__, Settings, Options, checks=checks)
    args = parser.parse_args(argv)
    runs, options = harness.runs_of(parser, args, Settings), harness.from_flags(Options, args)
    if args.gradcheck:
        return gradcheck_all()
    calls = [(settings, options, options.quiet or len(runs) > 1) for settings in runs]
    return harness.run_and_save(CODE, train, calls, options, summary)


if __name__ == "__main__":
    sys.exit(main())
