# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""The runs behind docs/rnn_pathological.md: for each study its settings, apart from the seed, and its seeds.

The tables, the pictures and the script that reproduces them all read this list. As a script it prints the commands:
    python3 studies_rnn_pathological.py
"""

import dataclasses
import types

import rnn_pathological as rp
import temporal_order_study
from studies_common import command_of

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
    experiment: types.ModuleType = rp

    def records(self, results):
        """Its records in a results file, by seed; those absent are left out."""
        settings = dataclasses.asdict(self.experiment.Settings(**self.settings))
        wanted = {tuple((settings | dict(seed=seed)).items()) for seed in self.seeds}
        made = results.get(self.experiment.EXPERIMENT, [])
        found = [record for record in made if tuple(record["settings"].items()) in wanted]
        return sorted(found, key=lambda record: record["settings"]["seed"])

    def command(self):
        """The command that makes its records."""
        seeds = ["--seeds", f"{self.seeds[0]}-{self.seeds[-1]}"]
        every = ["--eval-every", str(self.eval_every)] if self.eval_every else []
        weights = ["--keep-weights"] if self.keep_weights else []
        return command_of(self.experiment, self.settings, *seeds, *every, *weights)


HEADLINE = [
    Arm(f"{task}, {init}", dict(task=task, init=init), TEN) for task in rp.HEADLINE_TASKS for init in rp.HEADLINE_INITS]

RADII = (0.8, 1.0, 1.1)
START_KINDS = {"orthogonal": "ortho", "identity": "identity", "N(0, 1/H)": "gaussian", "sparse, 15 incoming": "sparse"}
# Orthogonal matrices and the identity have radius 1 as they fall; the headline's N(0, 0.1^2) is N(0, 1/H) at about 0.8.
SCALE = {
    (task, init, rho): Arm(
        f"{task}, {label}, radius {rho}",
        dict(task=task, init=init, dtype="float32") | (
            {} if rho == 1 and init in ("ortho", "identity") else dict(spectral_radius=rho)), FIVE, 10)
    for task in rp.HEADLINE_TASKS for label, init in START_KINDS.items() for rho in RADII}

LENGTH_STARTS = {"orthogonal": "ortho", "N(0, 0.1²)": "random", "identity": "identity"}
LENGTHS = (20, 30, 60, 80, 100, 150, 200)
LENGTH = {
    (init, T): Arm(f"{label}, T = {T}", dict(task="3bit_memorization", sequence_len=T, init=init, dtype="float32"),
                   TEN, 10)
    for label, init in LENGTH_STARTS.items() for T in LENGTHS}

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

XOR_LENGTHS = {
    "fixed length": {}, "mixed lengths": dict(mixed_lengths=5), "curriculum": dict(curriculum="5:1:0.9"),
    "curriculum and mixed lengths": dict(curriculum="5:1:0.9", mixed_lengths=5)}
XOR_OPTIMIZERS = {
    "heavy ball, 0.01": {}, "Nesterov, 0.01": dict(nesterov=True), "Adam, 0.001": dict(optimizer="adam", lr=1e-3)}
XOR_SCALES = (0.1, 0.3, 1.0)
XOR_GRID = {
    (lengths, optimizer, scale): Arm(
        f"{lengths}, {optimizer}, input scale {scale}",
        dict(task="xor", stop_at=0.999, epochs=200, dtype="float32", input_scale=scale) | XOR_LENGTHS[lengths]
        | XOR_OPTIMIZERS[optimizer], FIVE, 20)
    for lengths in XOR_LENGTHS for optimizer in XOR_OPTIMIZERS for scale in XOR_SCALES}

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

REACH_SCALE = [
    Arm("3bit_memorization, T = 200, Adam, input scale 0.1", TASKS[-1].settings | dict(input_scale=0.1), THREE, 2)]
LONG = dict(task="3bit_memorization", optimizer="adam", stop_at=0.999, dtype="float32", epochs=40)
_GROW = LONG | dict(curriculum="10:20:0.9", mixed_lengths=5, stop_at=0.998)
BEYOND_NETS = {  # at a fixed length, and with a curriculum and mixed lengths
    "tanh RNN, 64 units": (dict(LONG, input_scale=0.01, lr=1e-3), dict(_GROW, input_scale=0.1, lr=1e-3, epochs=100)),
    "LSTM, 32 units": (
        dict(LONG, cell="lstm", hidden=32, lr=5e-3, forget_bias=6.0),
        dict(_GROW, cell="lstm", hidden=32, lr=2e-3, input_scale=0.3, forget_bias=3.0))}
BEYOND_LENGTHS = (200, 400)
BEYOND = {
    (net, way, T): Arm(f"{net}, {way} T = {T}", BEYOND_NETS[net][k] | dict(sequence_len=T), seeds, 10)
    for k, (way, seeds) in enumerate((("fixed", THREE), ("curriculum to", FIVE)))
    for T in BEYOND_LENGTHS for net in BEYOND_NETS}


def table5(task, method, mu, **changes):
    """Settings of a cell of Table 5 of Sutskever et al. (2013): NAG or CM (heavy ball), momentum mu in the end."""
    return rp.sutskever_2013(task) | dict(task=task, nesterov=method == "NAG", momentum_max=mu) | changes


TABLE5_RATES = {  # the largest within 0.5% of the lowest training loss of the trials (docs/tables checks it)
    ("addition", "NAG", 0.995): 1e-4, ("addition", "CM", 0.9): 1e-4,
    ("multiplication", "NAG", 0.995): 1e-4, ("multiplication", "CM", 0.9): 1e-3}
PAPER_TABLE5 = {  # their figures: the share of sequences with |error| > 0.04
    ("addition", "NAG"): 0.00025, ("addition", "CM"): 0.43,
    ("multiplication", "NAG"): 0.0013, ("multiplication", "CM"): 0.029}
TABLE5_TRIALS = {
    (kind, lr): Arm(f"{kind[0]}, {kind[1]} {kind[2]}, rate {lr:g}",
                    table5(*kind, lr=lr, epochs=4, batches_per_epoch=500), range(100, 102), 1)
    for kind in TABLE5_RATES for lr in (1e-3, 1e-4, 1e-5)}
TABLE5 = {
    kind: Arm(f"{kind[0]}, {kind[1]} {kind[2]}, rate {lr:g}", table5(*kind, lr=lr), range(4), 5)
    for kind, lr in TABLE5_RATES.items()}
TABLE5_OTHER_RATES = {
    kind: Arm(f"{kind[0]}, {kind[1]} {kind[2]}, rate {lr:g}", table5(*kind, lr=lr), range(1), 5)
    for kind, lr in ((("addition", "CM", 0.9), 1e-3), (("multiplication", "NAG", 0.995), 1e-3))}


def order(T, symbols, places, answer, init="ortho"):
    """An arm of temporal_order_study.py."""
    settings = dict(symbols=symbols, places=places, answer=answer, sequence_len=T, init=init)
    return Arm(f"{symbols}, {places}, {answer}, {init}", settings, FIVE, experiment=temporal_order_study)


ORDER = {
    (answer, symbols, places): order(30, symbols, places, answer)
    for answer in ("both", "sum", "parity") for symbols in ("distinct", "marked") for places in ("regions", "halves")}
ORDER_LAGS = {
    (init, places): order(60, "distinct", places, "both", init)
    for init in ("ortho", "random") for places in ("regions", "early")}
WEIGHTS = [Arm("XOR, T = 30, seed 0 with its weights", XOR[0].settings, range(1), 4, keep_weights=True)]
GROUPS = {  # name: what it shows, arms, minutes of one core
    "pathological-weights": ("XOR at T = 30, seed 0, with the weights that a test evaluates again", WEIGHTS, 0.1),
    "pathological-headline": ("orthogonal and small random start on three tasks, ten seeds", HEADLINE, 7),
    "pathological-xor": ("XOR with a curriculum and mixed lengths, T = 30 to 200", XOR, 3),
    "pathological-xor-without": ("XOR at a fixed length and other recipes that fall short", XOR_WITHOUT + XOR_MORE, 4),
    "pathological-xor-grid": (
        "what cracks XOR at T = 30: lengths, optimizer, input scale", list(XOR_GRID.values()), 10),
    "pathological-tasks": ("a recipe for each of the other tasks", TASKS, 6),
    "pathological-reach": ("3-bit memorization at T = 200 with the default input scale", REACH_SCALE, 1),
    "pathological-beyond": ("3-bit memorization beyond T = 200, tanh RNN and LSTM", list(BEYOND.values()), 4),
    "pathological-length": ("solve rate against T for three starts", list(LENGTH.values()), 35),
    "pathological-scale": ("four starts of W_hh, each at spectral radius 0.8, 1 and 1.1", list(SCALE.values()), 12),
    "pathological-order": (
        "why temporal order is easy: symbols, places and answer, one at a time",
        [*ORDER.values(), *ORDER_LAGS.values()], 5),
    "pathological-sutskever-rates": (
        "the learning rates for the next study, over 2000 updates", list(TABLE5_TRIALS.values()), 8),
    "pathological-sutskever": (
        "addition and multiplication of Sutskever et al. (2013), 50,000 updates",
        [*TABLE5.values(), *TABLE5_OTHER_RATES.values()], 126),
}


if __name__ == "__main__":
    for name, (shows, arms, _) in GROUPS.items():
        print(f"# {name}: {shows}", *(arm.command() for arm in arms), sep="\n")
