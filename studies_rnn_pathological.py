# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
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
    keep_weights: bool = False

    def records(self, results):
        """Its records in a results file, by seed; those absent are left out."""
        wanted = {dataclasses.replace(rp.Settings(**self.settings), seed=seed) for seed in self.seeds}
        found = [record for record in results.get(rp.EXPERIMENT, []) if known(record["settings"]) in wanted]
        return sorted(found, key=lambda record: record["settings"]["seed"])

    def command(self):
        """The command that makes its records."""
        words = []
        for field in dataclasses.fields(rp.Settings):
            if field.name in self.settings:
                flag, value = "--" + field.name.replace("_", "-"), self.settings[field.name]
                words += [flag] if value is True else [flag, str(value)]
        seeds = ["--seeds", f"{self.seeds[0]}-{self.seeds[-1]}"]
        every = ["--eval-every", str(self.eval_every)] if self.eval_every else []
        weights = ["--keep-weights"] if self.keep_weights else []
        return shlex.join(["python3", "rnn_pathological.py", *words, *seeds, *every, *weights])


def known(settings):
    """A record's settings as Settings, or None if they are those of another version."""
    try:
        return rp.Settings(**settings)
    except (TypeError, ValueError):
        return None


HEADLINE = [
    Arm(f"{task}, {init}", dict(task=task, init=init), TEN) for task in rp.HEADLINE_TASKS for init in rp.HEADLINE_INITS]

START_KINDS = [
    ("orthogonal", dict(init="ortho")),
    ("0.8 x orthogonal", dict(init="ortho", spectral_radius=0.8)),
    ("N(0, 0.1^2)", dict(init="random")),
    ("N(0, 0.1^2), rescaled to 1", dict(init="random", spectral_radius=1.0)),
    ("N(0, 1/H)", dict(init="gaussian")),
    ("sparse, 15 incoming", dict(init="sparse")),
    ("identity", dict(init="identity")),
]
STARTS = {
    task: [Arm(label, dict(task=task, **start), THREE if task == "temporal_order" else FIVE)
           for label, start in START_KINDS]
    for task in rp.HEADLINE_TASKS}

_MIXED = dict(task="xor", curriculum="5:1:0.9", mixed_lengths=5, stop_at=0.999)
_ADAM = dict(optimizer="adam", lr=1e-3, dtype="float32")
XOR = [
    Arm("T = 30", dict(_MIXED | dict(stop_at=0.9998), nesterov=True, lr_decay_every=2500, epochs=300), TEN, 4),
    Arm("T = 60", dict(_MIXED, **_ADAM, sequence_len=60, input_scale=0.3, lr_decay_every=3000, epochs=300), FIVE, 8),
    Arm("T = 100", dict(_MIXED, **_ADAM, sequence_len=100, input_scale=0.3, lr_decay_every=3000, epochs=300), FIVE, 8),
    Arm("T = 200", dict(_MIXED | dict(curriculum="5:2:0.9"), **_ADAM, sequence_len=200, input_scale=0.3,
                        lr_decay_every=3000, epochs=300), FIVE, 8),
]
XOR_WITHOUT = [
    Arm("fixed T = 30, orthogonal start", dict(task="xor", epochs=100), THREE, SHORT_HISTORY),
    Arm("fixed T = 30, N(0, 0.1^2)", dict(task="xor", init="random", epochs=100), THREE, SHORT_HISTORY),
    Arm("fixed T = 30, Adam", dict(_ADAM, task="xor", input_scale=0.3, epochs=300), THREE, 8),
    Arm("fixed T = 30, Nesterov to 0.99", dict(task="xor", nesterov=True, momentum_max=0.99, lr=2e-3, epochs=300,
                                               dtype="float32"), THREE, 8),
    Arm("curriculum to T = 30, no mixed lengths", dict(task="xor", curriculum="5:1:0.9", epochs=200), FIVE, 8),
]
XOR_MORE = [
    Arm("T = 30, heavy ball, no decay, stopped at 0.999", dict(_MIXED, epochs=200), TEN, 4),
    Arm("T = 30, N(0, 0.1^2) start, curriculum and mixed lengths", dict(_MIXED, init="random", epochs=200), FIVE, 8),
]

TASKS = [
    Arm("multiplication, T = 50", dict(_ADAM, task="multiplication", sequence_len=50, curriculum="10:2:0.005",
                                       stop_at=0.002, epochs=400), FIVE, 8),
    Arm("temporal_order_3, T = 100", dict(_ADAM, task="temporal_order_3", sequence_len=100, input_scale=0.03,
                                          stop_at=0.999, epochs=200), FIVE, 4),
    Arm("random_permutation, V = 20, T = 30", dict(_ADAM, task="random_permutation", vocabulary=20, sequence_len=30,
                                                   hidden=100, input_scale=0.01, stop_at=0.999, epochs=100), FIVE, 2),
    Arm("noiseless_memorization, 5 bits, T = 100", dict(_ADAM, task="noiseless_memorization", sequence_len=100,
                                                        input_scale=0.01, stop_at=0.999, epochs=100), FIVE, 2),
    Arm("noiseless_memorization, ten 5-ary symbols, T = 80", dict(
        _ADAM, task="noiseless_memorization", bits=10, alphabet=5, sequence_len=80, hidden=100, input_scale=0.01,
        lr_decay_every=1000, stop_at=0.999, epochs=100), FIVE, 4),
    Arm("3bit_memorization, T = 200", dict(_ADAM, task="3bit_memorization", sequence_len=200, input_scale=0.01,
                                           stop_at=0.999, epochs=100), FIVE, 2),
]

REACH = [
    Arm(f"3bit_memorization, T = {T}", dict(task="3bit_memorization", sequence_len=T, dtype="float32"), THREE, 4)
    for T in (80, 100, 150, 200)]
REACH_RANDOM = [
    Arm(f"3bit_memorization, T = {T}, N(0, 0.1^2)",
        dict(task="3bit_memorization", sequence_len=T, init="random", dtype="float32"), THREE, 4) for T in (10, 20, 30)]
REACH_SCALE = [
    Arm("3bit_memorization, T = 200, Adam, input scale 0.1", TASKS[-1].settings | dict(input_scale=0.1), THREE, 2)]
LONG = dict(task="3bit_memorization", sequence_len=400, optimizer="adam", stop_at=0.999, dtype="float32", epochs=40)
_GROW = LONG | dict(curriculum="10:20:0.9", mixed_lengths=5, stop_at=0.998)
BEYOND = [
    Arm("tanh RNN, 64 units, fixed length", dict(LONG, input_scale=0.01, lr=1e-3), THREE, 2),
    Arm("LSTM, 32 units, fixed length", dict(LONG, cell="lstm", hidden=32, lr=5e-3, forget_bias=6.0), THREE, 2),
    Arm("tanh RNN, 64 units, curriculum, mixed lengths", dict(_GROW, input_scale=0.1, lr=1e-3, epochs=100), FIVE, 4),
    Arm("LSTM, 32 units, curriculum, mixed lengths",
        dict(_GROW, cell="lstm", hidden=32, lr=2e-3, input_scale=0.3, forget_bias=3.0), FIVE, 2),
]

def table5(task, method, mu, **changes):
    """Settings of a cell of Table 5 of Sutskever et al. (2013): NAG or CM (heavy ball), momentum mu in the end."""
    return rp.sutskever_2013(task) | dict(task=task, nesterov=method == "NAG", momentum_max=mu) | changes


TABLE5_KINDS = [(task, *method) for task in ("addition", "multiplication") for method in (("NAG", 0.995), ("CM", 0.9))]
TABLE5_TRIALS = {  # the learning rate of each is chosen over 2000 updates on these seeds
    (kind, lr): Arm(f"{kind[0]}, {kind[1]} {kind[2]}, rate {lr:g}",
                    table5(*kind, lr=lr, epochs=4, batches_per_epoch=500), range(100, 102), 1)
    for kind in TABLE5_KINDS for lr in (1e-3, 1e-4, 1e-5)}
WEIGHTS = [Arm("XOR, T = 30, seed 0 with its weights", XOR[0].settings, range(1), 4, keep_weights=True)]
GROUPS = {  # name: what it shows, arms, minutes of one core
    "pathological-weights": ("XOR at T = 30, seed 0, with the weights that a test evaluates again", WEIGHTS, 0.1),
    "pathological-headline": ("orthogonal and small random start on three tasks, ten seeds", HEADLINE, 7),
    "pathological-xor": ("XOR with a curriculum and mixed lengths, T = 30 to 200", XOR, 3),
    "pathological-xor-without": ("XOR at a fixed length and other recipes that fall short", XOR_WITHOUT + XOR_MORE, 4),
    "pathological-tasks": ("a recipe for each of the other tasks", TASKS, 6),
    "pathological-reach": ("how long 3-bit memorization holds", REACH + REACH_RANDOM + REACH_SCALE + BEYOND, 6),
    "pathological-sutskever-rates": (
        "the learning rates for the next study, over 2000 updates", list(TABLE5_TRIALS.values()), 8),
    "pathological-starts": ("scale against structure of W_hh", [arm for arms in STARTS.values() for arm in arms], 7),
}


if __name__ == "__main__":
    for name, (shows, arms, _) in GROUPS.items():
        print(f"# {name}: {shows}", *(arm.command() for arm in arms), sep="\n")
