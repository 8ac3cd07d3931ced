"""The runs behind docs/rnn_pathological.md: for each study its settings, apart from the seed, and its seeds.

The tables, the pictures and the script that reproduces them all read this list. As a script it prints the commands:
    python3 studies_rnn_pathological.py
"""

import dataclasses
import shlex

import rnn_pathological as rp

TEN, FIVE, THREE = range(10), range(5), range(3)
SHORT_HISTORY = 2  # --eval-every: keeps the histories of the studies at 40 points


@dataclasses.dataclass(frozen=True)
class Arm:
    """One row of a table: a label, settings apart from the seed, and the seeds."""

    label: str
    settings: dict
    seeds: range
    eval_every: int = 0

    def records(self, results):
        """Its records in a results file, by seed; those absent are left out."""
        wanted = {dataclasses.replace(rp.Settings(**self.settings), seed=seed) for seed in self.seeds}
        found = [record for record in results.get(rp.EXPERIMENT, []) if known(record["settings"]) in wanted]
        return sorted(found, key=lambda record: record["settings"]["seed"])

    def command(self):
        """The command that makes its records."""
        words = []
        for name, value in self.settings.items():
            flag = "--" + name.replace("_", "-")
            words += [flag] if value is True else [flag, str(value)]
        seeds = ["--seeds", f"{self.seeds[0]}-{self.seeds[-1]}"]
        every = ["--eval-every", str(self.eval_every)] if self.eval_every else []
        return shlex.join(["python3", "rnn_pathological.py", *words, *seeds, *every])


def known(settings):
    """A record's settings as Settings, or None if they are those of another version."""
    try:
        return rp.Settings(**settings)
    except (TypeError, ValueError):
        return None


HEADLINE = [
    Arm(f"{task}, {init}", dict(task=task, init=init), TEN) for task in rp.HEADLINE_TASKS for init in rp.HEADLINE_INITS]

_STARTS = [
    ("orthogonal", dict(init="ortho")),
    ("0.8 x orthogonal", dict(init="ortho", spectral_radius=0.8)),
    ("N(0, 0.1^2)", dict(init="random")),
    ("N(0, 0.1^2) rescaled", dict(init="random", spectral_radius=1.0)),
    ("N(0, 1/H)", dict(init="gaussian")),
    ("sparse, 15 incoming", dict(init="sparse")),
    ("identity", dict(init="identity")),
]
STARTS = {
    task: [Arm(label, dict(task=task, **start), FIVE, SHORT_HISTORY) for label, start in _STARTS]
    for task in rp.HEADLINE_TASKS}
XOR = []
XOR_FIXED = []
