# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""The runs behind docs/adding_problem.md: for each study its settings by label, apart from the seed, and its seeds.

The tables, the pictures and reproduce.py read this list. As a script it prints the commands:
    python3 studies_adding_problem.py
"""

import dataclasses

import adding_problem as ap
from studies_common import command_of

TEN, FOUR, THREE, SEARCH_SEEDS, FRESH = range(10), range(4), range(3), range(100, 102), range(10, 20)

HEADLINE = {"LSTM": dict(), "tanh RNN": dict(cell="rnn", iters=5000)}

LAGS = {
    f"{name}, T = {T}": settings | dict(T=T)
    for T in (100, 500, 1000)
    for name, settings in HEADLINE.items()}

CELLS = {
    "LSTM, forget gate": dict(),
    "LSTM of 1997, no forget gate": dict(cell="lstm1997"),
    "tanh RNN, Gaussian (5000 iterations)": dict(cell="rnn", iters=5000),
    "tanh RNN, orthogonal": dict(cell="rnn", init="ortho"),
    "IRNN": dict(cell="irnn"),
}

HIDDEN = {f"{H} units": dict(hidden=H) for H in (2, 4, 8, 16, 32)}

STARTS = (0, 2, 3, 5, 8, 9)  # the four lowest and the two highest solve rates of the headline's ten seeds
CROSSING = {  # schedule and first weights; the data follow the seed
    (schedule, init_seed): dict(schedule=schedule, init_seed=init_seed)
    for schedule in ("halving", "cosine") for init_seed in STARTS}

_SMALL = dict(batch=8, iters=32_000)
_COSINE = _SMALL | dict(schedule="cosine", lr=0.02)
SEARCH = {
    "the headline's recipe": dict(),
    "cosine": dict(schedule="cosine"),
    "batch 8, halved every 6000": _SMALL | dict(lr_decay_every=6000),
    "batch 8, cosine, rate 0.02": _COSINE,
    "the same, averaged weights": _COSINE | dict(average=0.999),
    "the same, batch 4 growing to 32": _COSINE | dict(batch=4, batch_doublings=3, iters=17_064),
    "the same, W_hh twice as large": _COSINE | dict(init_scale=1.0),
    "the same, W_xh twice as large": _COSINE | dict(input_scale=1.0),
    "the same, clip 0.05": _COSINE | dict(clip=0.05),
    "the same, forget bias 3": _COSINE | dict(forget_bias=3.0),
    "the same, 16 units": _COSINE | dict(hidden=16),
    "the same, 16 units, clip 0.05": _COSINE | dict(hidden=16, clip=0.05),
    "--best: the same, 16 units, clip 0.05, forget bias 3": ap.BEST,
    "--best with 32 units, rate 0.015, clip 0.02": ap.BEST | dict(hidden=32, lr=0.015, clip=0.02),
}

GROUPS = {  # name: what it shows, settings, seeds, minutes of one core, iterations between evaluations
    "adding-cells": ("which cell learns T = 100: five cells", CELLS, TEN, 6, 100),
    "adding-lags": ("T = 100, 500, 1000", LAGS, THREE, 9, 1000),
    "adding-hidden": ("2 to 32 hidden units", HIDDEN, TEN, 11, 2000),
    "adding-crossing": ("the weak seeds: first weights, data and schedules crossed", CROSSING, FOUR, 9, 2000),
    "adding-search": ("what was tried for a better recipe, on validation sequences", SEARCH, SEARCH_SEEDS, 16, 4000),
    "adding-best": ("the best recipe on fresh seeds", {"--best": ap.BEST}, FRESH, 5, 1000),
}


def records(results, settings, seeds):
    """The finished records of these settings in a results file, by seed; those absent are left out."""
    wanted = [dataclasses.asdict(ap.Settings(**settings, seed=seed)) for seed in seeds]
    done = [record for record in results.get(ap.EXPERIMENT, []) if record["final"]["status"] != "interrupted"]
    return [record for chosen in wanted for record in done if record["settings"] == chosen]


def arms(results, name):
    """The records of a study by label. KeyError if one is missing."""
    _, settings, seeds, _, _ = GROUPS[name]
    found = {label: records(results, arm, seeds) for label, arm in settings.items()}
    for label, made in found.items():
        if len(made) < len(seeds):
            raise KeyError(f"results.json lacks runs of {name}, '{label}'")
    return found


def command(settings, seeds, every):
    """The command that makes these records."""
    seeds = f"{seeds[0]}-{seeds[-1]}"
    return command_of(ap, settings, "--seeds", seeds, "--snapshot-every", "0", "--eval-every", str(every))


if __name__ == "__main__":
    for name, (shows, arms, seeds, _, every) in GROUPS.items():
        print(f"# {name}: {shows}", *(command(settings, seeds, every) for settings in arms.values()), sep="\n")
