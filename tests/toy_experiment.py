"""An experiment of no science, on which the plumbing is tested: it adds up random numbers, slowly if asked to."""

import dataclasses
import os
import sys
import time
from pathlib import Path

import numpy as np

import harness

EXPERIMENT = "toy_experiment"
CODE = harness.Code(__name__)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is added up."""

    rounds: int = harness.setting(3, "random numbers", "training", low=1, high=10**9)
    scale: float | None = harness.setting(
        None, "of the numbers", "training", kind=float, low=0, high=9, otherwise=harness.by("rounds", {3: 2.0}, 1.0))
    seed: int = harness.setting(0, "seed", "training", low=0, high=2**63 - 1)

    def __post_init__(self):
        harness.fill(self)


@dataclasses.dataclass(frozen=True)
class Options(harness.SeedOptions):
    """How it is watched."""

    slowly: bool = harness.setting(False, "a moment between the rounds", "output")


def number(rng, scale):
    """One number."""
    return scale * rng.random()


def train(settings, options, quiet=True):
    """Adds up the numbers. Returns the record. A file begun-SEED says that it has begun, and in which process."""
    rng, total, done, status = np.random.default_rng(settings.seed), 0.0, 0, "done"
    progress = harness.Progress(settings.rounds, quiet)
    while done < settings.rounds:
        total += number(rng, settings.scale)
        done += 1
        progress(done, f"round {done}: {total:.3f}")
        if options.slowly:
            writing = Path(f"begun-{settings.seed}.new")
            writing.write_text(str(os.getpid()))
            writing.replace(f"begun-{settings.seed}")  # never seen empty
            time.sleep(0.01)
        if harness.stopped():
            status = "interrupted"
            break
    progress.close()
    return {"settings": dataclasses.asdict(settings), "history": {},
            "final": dict(status=status, sum=total, rounds=done), "provenance": harness.provenance(CODE, 0.0)}


def summary(record):
    return f"seed {record['settings']['seed']}: {record['final']['sum']:.3f}, {record['final']['status']}"


def main(argv=None):
    parser = harness.experiment_parser(__doc__, Settings, Options)
    args = parser.parse_args(argv)
    runs, options = harness.runs_of(parser, args, Settings), harness.from_flags(Options, args)
    calls = [(settings, options, options.quiet or len(runs) > 1) for settings in runs]
    return harness.run_and_save(CODE, train, calls, options, summary)


if __name__ == "__main__":
    sys.exit(main())
