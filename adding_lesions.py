# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""What keeps the two values of the adding problem? A trained LSTM, with weights taken away.

The net of adding_problem.py's headline is trained as there, and then answers the same 512 held-out
sequences with lesions in its recurrent weights. "Between units" are the weights of a matrix W_h of
one gate that are not on its diagonal: 56 of 64 with 8 units.

A lesion is three settings:
    into      the matrices it concerns: g (candidate), i, f, o, or several of them
    by        zero: the weights between units are set to 0
              mean: they see, in the place of the other units' outputs, the mean of these over all
              held-out sequences at that step, in the intact net. Their average input stays;
              what it says about the sequence is gone
    steps     every step; the unmarked ones, at which values are only kept; or the two marked ones

Two controls stand beside them: as many weights between units as one matrix has, drawn at random
from those into the three gates and set to 0; and each unit cut off, its output set to 0 for the
other units and for the readout.

Commands:
    python3 adding_lesions.py                        the headline's net, seed 0
    python3 adding_lesions.py --seeds 0-9 --jobs 2   ten seeds

Expect: as long as the headline takes, and then a moment. Without weights between units into the
candidate the mean squared error (MSE) ends near the 2/3 of a constant answer.
"""

import dataclasses
import sys
import time

import numpy as np

import adding_problem as ap
import harness

EXPERIMENT = "adding_lesions"
CODE = harness.Code(__name__)
LESIONS = (  # into, by, steps
    *((into, by, "every") for by in ("zero", "mean") for into in ("g", "i", "f", "o", "ifo", "gifo")),
    *((into, "mean", steps) for steps in ("unmarked", "marked") for into in ("g", "ifo", "gifo")))
DRAWS = 20  # of weights at random


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Settings:
    """The identity of a record. What is not here is the headline's."""

    T: int = harness.setting(100, "steps in a sequence", "task", low=2, high=100_000)
    hidden: int = harness.setting(8, "hidden units", "model", low=2, high=4096)
    iters: int = harness.setting(
        8000, "training iterations (batches)", "training", low=1, high=10**8)
    seed: int = harness.setting(0, "seed of the random streams", "training", low=0, high=2**63 - 1)

    def __post_init__(self):
        """Raises ValueError for settings that need more than 4 GB."""
        self.net()

    def net(self):
        """The settings of the net, as adding_problem.py has them."""
        return ap.Settings(T=self.T, hidden=self.hidden, iters=self.iters, seed=self.seed)


@dataclasses.dataclass(frozen=True)
class Options(harness.SeedOptions):
    """What a run shows and where it keeps it."""


# --------------------------------------------------------------------------------------------------
# Lesions
# --------------------------------------------------------------------------------------------------

def between_units(H):
    """A mask (H, H) of the weights that lead from one unit to another."""
    return ~np.eye(H, dtype=bool)


def forward(weights, x, into="", steps="every", others=None):
    """The LSTM's answers (n,) for x (T, 2, n), and the outputs h (T, H, n) that came before each
    step, with a lesion.

    into: the gates whose weights between units see, at these steps, the outputs others (T, H) in
    the place of the other units' own; None: outputs of 0.
    """
    T, _, n = x.shape
    H = len(weights["b_i"])
    h, c, z = np.zeros((H, n)), np.zeros((H, n)), {}
    before, away = np.zeros((T, H, n)), between_units(H)
    for t in range(T):
        before[t] = h
        there = {"every": True, "unmarked": x[t, 1] == 0, "marked": x[t, 1] == 1}[steps]
        for gate in "oifg":
            z[gate] = weights[f"W_x{gate}"] @ x[t] + weights[f"b_{gate}"][:, None]
            W = weights[f"W_h{gate}"]
            if gate in into:
                seen = np.zeros((H, 1)) if others is None else others[t][:, None]
                z[gate] += np.where(there, (W * ~away) @ h + (W * away) @ seen, W @ h)
            else:
                z[gate] += W @ h
        o, i, f = ((1 + np.tanh(z[gate] / 2)) / 2 for gate in "oif")
        c = i * np.tanh(z["g"]) + f * c
        h = o * np.tanh(c)
    return (weights["W_hy"] @ h + weights["b_y"][:, None])[0], before


def without_random_weights(weights, rng):
    """The weights, with as many of those between units into the three gates set to 0 as one matrix
    has, drawn without replacement."""
    away = between_units(len(weights["b_i"]))
    lost = np.zeros(3 * away.sum(), bool)
    lost[rng.permutation(lost.size)[: away.sum()]] = True
    left = dict(weights)
    for gate, part in zip("ifo", np.split(lost, 3)):
        left[f"W_h{gate}"] = weights[f"W_h{gate}"].copy()
        left[f"W_h{gate}"][away] = np.where(part, 0, left[f"W_h{gate}"][away])
    return left


def without_unit(weights, unit):
    """The weights, with those from one unit to the others and to the readout set to 0."""
    left = {name: tensor.copy() for name, tensor in weights.items()}
    others = np.arange(len(weights["b_i"])) != unit
    for gate in "oifg":
        left[f"W_h{gate}"][others, unit] = 0
    left["W_hy"][:, unit] = 0
    return left


def figures(answer, target):
    """MSE and solve rate of answers (n,)."""
    error = abs(answer - target)
    return {"test_mse": rounded((error * error).mean()),
            "solve_rate": float((error < ap.TOLERANCE).mean())}


def rounded(value):
    return float(f"{value:.6g}")


def examine(weights, settings):
    """Figures on the held-out set, intact and with every lesion. None if the run is to stop before
    they are complete."""
    x, target = ap.held_out(settings.net())
    answer, before = forward(weights, x)
    means, lesions = before.mean(2), []  # (T, H)
    for into, by, steps in LESIONS:
        if harness.stopped():
            return None
        others = means if by == "mean" else None
        row = figures(forward(weights, x, into, steps, others)[0], target)
        lesions.append(dict(into=into, by=by, steps=steps) | row)
    rng, controls = ap.streams(settings.seed)["display"], {"random_mse": [], "unit_mse": []}
    changed = [("random_mse", without_random_weights(weights, rng)) for _ in range(DRAWS)]
    changed += [("unit_mse", without_unit(weights, unit)) for unit in range(settings.hidden)]
    for name, left in changed:
        if harness.stopped():
            return None
        controls[name].append(figures(forward(left, x)[0], target)["test_mse"])
    return figures(answer, target) | {"lesions": lesions} | controls


# --------------------------------------------------------------------------------------------------
# Training and evaluation
# --------------------------------------------------------------------------------------------------

def train(settings, options, quiet=True):
    """Trains a net as adding_problem.py does, and examines it. Returns its record.

    It ends early when harness.stopped() (status "interrupted") or when a loss is not finite
    ("diverged"); there are no figures then.
    """
    start, status, found = time.perf_counter(), "done", None
    every, progress = max(1, settings.iters // 20), harness.Progress(settings.iters, quiet)
    with np.errstate(all="ignore"):
        for iteration, (net, _, sequences, loss) in enumerate(ap.learn(settings.net())):
            seen = {"iteration": iteration, "train_sequences": sequences}
            if loss is not None and not np.isfinite(loss):
                status = "diverged"
            elif harness.stopped():
                status = "interrupted"
            elif iteration == settings.iters:
                found = examine(net.tensors(net.theta), settings)
                status = "interrupted" if found is None else "done"
            elif iteration and iteration % every == 0:
                progress(iteration, f"iter {iteration:6d}  MSE {2 * loss:.4f} of the batch")
            if status != "done":
                break
    progress.close()
    nothing = {"test_mse": None, "solve_rate": None, "lesions": [], "random_mse": [], "unit_mse": []}
    return {
        "settings": dataclasses.asdict(settings),
        "final": {"status": status} | seen | (found or nothing),
        "provenance": harness.provenance(CODE, time.perf_counter() - start),
    }


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def summary(record):
    """One line on how a run ended."""
    settings, final = record["settings"], record["final"]
    words = f"T={settings['T']} hidden={settings['hidden']} seed={settings['seed']}: "
    if final["test_mse"] is None:
        return f"{words}nothing measured  {final['status'].upper()}"
    mse = {row["into"]: row["test_mse"] for row in final["lesions"]
           if (row["by"], row["steps"]) == ("mean", "unmarked")}
    return (f"{words}test MSE {final['test_mse']:.5f} intact; at unmarked steps without what the "
            f"other units say to the candidate {mse['g']:.3f}, to the three gates {mse['ifo']:.3f} "
            f"(constant 0: {ap.CONSTANT_MSE:.3f})")


def main(argv=None):
    parser = harness.experiment_parser(
        __doc__, Settings, Options, checks="the gradient of adding_problem.py's cells")
    args = parser.parse_args(argv)
    if args.gradcheck:
        return ap.gradcheck_all()
    runs, options = harness.runs_of(parser, args, Settings), harness.from_flags(Options, args)
    quiet = options.quiet or len(runs) > 1
    calls = [(settings, options, quiet) for settings in runs]
    return harness.run_and_save(CODE, train, calls, options, summary)


if __name__ == "__main__":
    sys.exit(main())
