# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Why temporal order is easy: the steps that lead from it to addition and to XOR, one at a time.

All three tasks ask for two informative steps among T. They differ in three ways, and each is a setting here:
    symbols   distinct: the informative inputs have channels of their own; marked: every step has a value, and a marker
              says which two count
    places    regions: steps 10-20% and 50-60% of T; early: 10-20% and 20-30%; halves: anywhere, one in each half
    answer    both symbols (4 classes), their parity (2 classes), or the sum of two real values (regression)
distinct, regions, both is temporal_order of rnn_pathological.py; marked, halves, parity is its xor; marked, halves, sum
is its addition. The net, the optimizer and the starts are rnn_pathological.py's, with its default settings in float32.

Before and after training a linear probe reads both inputs from the last hidden state: least squares on 4000 sequences,
and the share of variance explained on 4000 others.

    python3 temporal_order_study.py                                        temporal order itself, seed 0
    python3 temporal_order_study.py --symbols marked --answer parity --places halves --seeds 0-9
"""

import collections
import dataclasses
import sys
import time

import numpy as np

import rnn_pathological as rp
from rnn_pathological import Options, start_worker, unless_stopped  # noqa: F401, what reproduce.py asks of a module

EXPERIMENT = "temporal_order_study"
BATCH, RATE, MOMENTUM, CLIP = 50, 0.01, 0.9, 1.0  # the defaults of rnn_pathological.py
JUDGED = 50  # training batches, of fresh sequences, over which a run counts as solved
N_TEST, N_PROBE = 10_000, 4000


# ----------------------------------------------------------------------------------------------------------------------
# Settings
# ----------------------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Settings:
    """The identity of a record."""

    symbols: str = rp.setting("distinct", "how informative steps are told", "task", choices=("distinct", "marked"))
    places: str = rp.setting("regions", "where they are", "task", choices=("regions", "early", "halves"))
    answer: str = rp.setting("both", "what is asked", "task", choices=("both", "parity", "sum"))
    sequence_len: int = rp.setting(60, "T, steps in a sequence", "task", low=10, high=10_000)
    hidden: int = rp.setting(64, "hidden units", "model", low=1, high=4096)
    init: str = rp.setting("ortho", "start of W_hh", "model", choices=rp.INITS)
    updates: int = rp.setting(2400, "most updates", "training", low=1, high=10**8)
    seed: int = rp.setting(0, "seed of the four random streams", "training", low=0, high=2**63 - 1)


# ----------------------------------------------------------------------------------------------------------------------
# Task
# ----------------------------------------------------------------------------------------------------------------------

def task_of(settings):
    """Its rnn_pathological.Task; generate(rng, T, n) returns x, target and the two informative inputs (2, n)."""
    n_in = 2 if settings.symbols == "marked" else 5 if settings.answer == "sum" else 6
    outputs = {"both": dict(n_out=4, chance=1 / 4, solved=0.9), "parity": dict(n_out=2, chance=1 / 2, solved=0.9),
               "sum": dict(n_out=1, chance=1 / 6, solved=0.05, classes=False)}[settings.answer]
    return rp.Task(lambda rng, T, n: make_sequences(settings, rng, T, n), n_in=n_in, **outputs)


def make_sequences(settings, rng, T, n):
    """n sequences of T steps: x (T, n_in, n), target (1, n), and the two informative inputs (2, n).

    marked: channels value and marker, as in addition and xor. distinct: the last four channels are one-hot distractors;
    before them stand two one-hot symbols, or one channel with the real value.
    """
    real, column = settings.answer == "sum", np.arange(n)
    values = rng.uniform(0, 1, (T, n)) if real else rng.integers(0, 2, (T, n))
    places = draw_places(settings.places, rng, T, n)
    pair = values[places, column]  # (2, n)
    if settings.symbols == "marked":
        x = np.zeros((T, 2, n))
        x[:, 0] = values
        x[places, 1, column] = 1
    else:
        channels = 1 if real else 2
        x = rp.one_hot(channels + rng.integers(0, 4, (T, n)), channels + 4)
        for place, value in zip(places, pair):
            x[place, :, column] = 0
            x[place, 0 if real else value, column] = value if real else 1
    target = pair.sum(0) if real else pair[0] ^ pair[1] if settings.answer == "parity" else 2 * pair[0] + pair[1]
    return x, target[None], pair


def draw_places(places, rng, T, n):
    """The steps (2, n) of the two informative inputs."""
    if places == "halves":
        return np.array([rng.integers(0, T // 2, n), rng.integers(T // 2, T, n)])
    starts = (T // 10, T // 2) if places == "regions" else (T // 10, T // 5)
    return np.array([start + rng.integers(0, max(1, T // 10), n) for start in starts])


# ----------------------------------------------------------------------------------------------------------------------
# Probe
# ----------------------------------------------------------------------------------------------------------------------

def probe(settings, theta):
    """Share of the variance of the first and the second input that a linear function of the last hidden state explains,
    on sequences it was not fitted on: 1 is all, 0 is no better than the mean (below 0 it is worse). None if the weights
    are not finite."""
    if not np.isfinite(theta).all():
        return {"first": None, "second": None}
    task, rng, T = task_of(settings), rp.streams(settings.seed)["display"], settings.sequence_len
    net = rp.RNN(task.n_in, settings.hidden, task.n_out, T, N_PROBE, theta=theta.astype(float))
    states, pairs = [], []
    for _ in range(2):
        x, _, pair = task.generate(rng, T, N_PROBE)
        net.forward(x)
        states.append(np.vstack([net.read[-1], np.ones(N_PROBE)]).T)  # (N_PROBE, H + 1)
        pairs.append(pair.T)  # (N_PROBE, 2)
    weights = np.linalg.lstsq(states[0], pairs[0], rcond=None)[0]
    left = ((pairs[1] - states[1] @ weights) ** 2).sum(0) / ((pairs[1] - pairs[0].mean(0)) ** 2).sum(0)
    return {name: rp.rounded(1 - share) for name, share in zip(("first", "second"), left)}


# ----------------------------------------------------------------------------------------------------------------------
# Training and evaluation
# ----------------------------------------------------------------------------------------------------------------------

def evaluate(settings, theta, n):
    """Figures on the first n held-out sequences: test_accuracy or test_mse, and, where both symbols are asked, how
    often the first and the second are right."""
    task, rng, T = task_of(settings), rp.streams(settings.seed)["eval"], settings.sequence_len
    net, rows = rp.RNN(task.n_in, settings.hidden, task.n_out, T, 100, dtype=theta.dtype, theta=theta), []
    for _ in range(0, n, 100):
        x, target, pair = task.generate(rng, T, 100)
        y = net.forward(x)
        if not task.classes:
            rows.append([((y[0] - target) ** 2).mean()])
            continue
        said = y[0].argmax(0)
        rows.append([(said == target[0]).mean(), (said // 2 == pair[0]).mean(), (said % 2 == pair[1]).mean()])
    figures = dict(zip((task.metric, "first_right", "second_right"), map(float, np.mean(rows, 0))))
    return figures if settings.answer == "both" else {task.metric: figures[task.metric]}


def train(settings, options, quiet=True):
    """Trains one net until the mean accuracy of JUDGED training batches in a row is above 0.9 (their MSE below 0.05),
    or to the last update. Returns its record."""
    began, rng, task = time.perf_counter(), rp.streams(settings.seed), task_of(settings)
    net = rp.RNN(task.n_in, settings.hidden, task.n_out, settings.sequence_len, BATCH, dtype=np.float32)
    rp.initialise(net, rp.Settings(task="temporal_order", hidden=settings.hidden, init=settings.init), rng["init"])
    probes, history = {"start": probe(settings, net.theta)}, collections.defaultdict(list)
    with np.errstate(all="ignore"):
        final = descend(settings, task, net, rng["train"], history)
        final |= {name: rp.rounded(value) for name, value in evaluate(settings, net.theta, N_TEST).items()}
    probes["end"] = probe(settings, net.theta)
    return {
        "settings": dataclasses.asdict(settings),
        "history": dict(history),
        "final": final,
        "probe": probes,
        "provenance": rp.provenance(time.perf_counter() - began) | {
            "source_hash": rp.source_hash(__file__), "rnn_pathological": rp.source_hash(rp.__file__)},
    }


def descend(settings, task, net, rng, history):
    """Heavy-ball descent on net's weights, with points of the curve put into history. Returns status, updates done and
    whether the task was solved."""
    optimizer, recent, every = rp.Momentum(net.theta), collections.deque(maxlen=JUDGED), max(1, settings.updates // 20)
    update, status, solved = 0, "done", False
    while update < settings.updates and not solved and status == "done":
        if update % every == 0:
            measure(history, update, settings, net.theta)
        update += 1
        x, target, _ = task.generate(rng, settings.sequence_len, BATCH)
        optimizer.ahead(MOMENTUM)
        y = net.forward(x)
        loss, dy = rp.loss_and_gradient(y, target, task.classes)
        net.backward(dy)
        rp.clip_norm(net.grad, CLIP)
        optimizer.step(net.grad, RATE)
        recent.append(float((y[0].argmax(0) == target[0]).mean()) if task.classes else 2 * float(loss))
        solved = len(recent) == JUDGED and task.passes(sum(recent) / JUDGED, task.solved)
        status = "interrupted" if rp.STOP.is_set() else "done" if np.isfinite(loss) else "diverged"
    measure(history, update, settings, net.theta)
    return {"status": status, "update": update, "solved": solved}


def measure(history, update, settings, theta):
    """A point of the curve, over 1000 held-out sequences."""
    for name, value in ({"update": update} | evaluate(settings, theta, 1000)).items():
        history[name].append(rp.rounded(value) if name != "update" else update)


# ----------------------------------------------------------------------------------------------------------------------
# Command line
# ----------------------------------------------------------------------------------------------------------------------

def summary(record):
    """One line on how a run ended."""
    settings, final, probes = record["settings"], record["final"], record["probe"]
    figure = f"accuracy {final['test_accuracy']:.4f}" if "test_accuracy" in final else f"MSE {final['test_mse']:.5f}"
    names = " ".join(str(settings[name]) for name in ("symbols", "places", "answer", "init"))
    ending = "" if final["status"] == "done" else f"  {final['status'].upper()}"
    start = probes["start"]
    return (
        f"{names} T={settings['sequence_len']} seed={settings['seed']}: {figure}, "
        f"{'solved at' if final['solved'] else 'not solved in'} {final['update']} updates, probe before training: "
        f"first {start['first']:.3f}, second {start['second']:.3f}{ending}")


def main(argv=None):
    parser = rp.Parser(description=__doc__.split("\n\n")[0], allow_abbrev=False)
    rp.add_flags(parser, Settings)
    parser.add_argument("--seeds", type=rp.seed_range, metavar="A-B", help="the seeds A to B instead of --seed")
    parser.add_argument("--jobs", type=rp.flag_value(int, 1, 1024), default=1, help="processes (default: 1)")
    parser.add_argument("--out", default="results.json", help="file of results (default: results.json)")
    args = parser.parse_args(argv)
    try:
        rp.check_results(args.out)
    except rp.ResultsError as error:
        parser.error(str(error))
    calls = [(rp.from_flags(Settings, args, seed=seed), None) for seed in args.seeds or [args.seed]]
    saved = True
    for record in rp.run_all(train, calls, args.jobs):
        saved &= rp.save(args.out, EXPERIMENT, record)
        print(summary(record), flush=True)
        saved &= record["final"]["status"] != "diverged"
    return 130 if rp.STOP.is_set() else 0 if saved else 1


if __name__ == "__main__":
    sys.exit(main())
