# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Why temporal order is easy: the steps that lead from it to addition and to XOR, one at a time.

All three tasks ask for two informative steps among T. They differ in three ways, and each is a
setting here:
    symbols   distinct: the informative inputs have channels of their own; marked: every step has a
              value, and a marker says which two count
    places    regions: steps 10-20% and 50-60% of T; early: 10-20% and 20-30%; halves: anywhere,
              one in each half
    answer    both symbols (4 classes), their parity (2 classes), or the sum of two real values
              (regression)
distinct, regions, both is temporal_order of rnn_pathological.py; marked, halves, parity is its xor;
marked, halves, sum is its addition. The net, the optimizer and the starts are
rnn_pathological.py's, with its default settings in float32. Every run trains all its updates, and
whether it is solved is judged as there: the final net on 10,000 held-out sequences against the
task's bar, an accuracy above 0.9 or an MSE below 0.05. updates_to_solve is the first point of the
held-out curve (1000 sequences) that passes; the points lie about 8% apart.

Before and after training a linear probe reads both inputs from the last hidden state: least squares
on 4000 sequences, and the share of variance explained on 4000 others.

Commands:
    python3 temporal_order_study.py                                  temporal order itself, seed 0
    python3 temporal_order_study.py --symbols marked --answer parity --places halves --seeds 0-9
"""

import dataclasses
import math
import sys
import time

import numpy as np

import harness
import rnn_pathological as rp

EXPERIMENT = "temporal_order_study"
CODE = harness.Code(__name__)
BATCH, RATE, MOMENTUM, CLIP = 50, 0.01, 0.9, 1.0  # the defaults of rnn_pathological.py
N_TEST, N_CURVE, N_PROBE = 10_000, 1000, 4000
POINTS = 100  # of a curve at most, beside its start


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Settings:
    """The identity of a record."""

    symbols: str = harness.setting(
        "distinct", "how informative steps are told", "task", choices=("distinct", "marked"))
    places: str = harness.setting(
        "regions", "where they are", "task", choices=("regions", "early", "halves"))
    answer: str = harness.setting(
        "both", "what is asked", "task", choices=("both", "parity", "sum"))
    sequence_len: int = harness.setting(60, "T, steps in a sequence", "task", low=10, high=10_000)
    hidden: int = harness.setting(64, "hidden units", "model", low=1, high=4096)
    init: str = harness.setting("ortho", "start of W_hh", "model", choices=rp.INITS)
    updates: int = harness.setting(2400, "updates", "training", low=1, high=10**8)
    seed: int = harness.setting(
        0, "seed of the four random streams", "training", low=0, high=2**63 - 1)

    def __post_init__(self):
        """Raises ValueError for settings that need more than 4 GB."""
        gigabytes = self.bytes_needed() / 1e9
        if gigabytes > 4:
            raise ValueError(f"these settings need about {gigabytes:.0f} GB of memory: "
                             "lower --sequence-len or --hidden")

    def bytes_needed(self):
        """About what the probe allocates at once, which is more than training does: a net, twice
        the sequences, and the states that it compares."""
        n_in, H = task_of(self).n_in, self.hidden
        net = self.sequence_len * (2 * H + n_in + 1)
        return 8 * N_PROBE * (net + self.sequence_len * (2 * n_in + 1) + 4 * H)


@dataclasses.dataclass(frozen=True)
class Options(harness.SeedOptions):
    """What a run shows and where it keeps it."""


# --------------------------------------------------------------------------------------------------
# Task
# --------------------------------------------------------------------------------------------------

def task_of(settings):
    """Its rnn_pathological.Task; generate(rng, T, n) returns x, target and the two informative
    inputs (2, n)."""
    distinct = 5 if settings.answer == "sum" else 6
    n_in = 2 if settings.symbols == "marked" else distinct
    outputs = {
        "both": dict(n_out=4, chance=1 / 4, solved=0.9),
        "parity": dict(n_out=2, chance=1 / 2, solved=0.9),
        "sum": dict(n_out=1, chance=1 / 6, solved=0.05, classes=False)}[settings.answer]
    return rp.Task(lambda rng, T, n: make_sequences(settings, rng, T, n), n_in=n_in, **outputs)


def make_sequences(settings, rng, T, n):
    """n sequences of T steps: x (T, n_in, n), target (1, n), and the two informative inputs (2, n).

    marked: channels value and marker, as in addition and xor. distinct: the last four channels are
    one-hot distractors; before them stand two one-hot symbols, or one channel with the real value.
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
    if real:
        target = pair.sum(0)
    else:
        target = pair[0] ^ pair[1] if settings.answer == "parity" else 2 * pair[0] + pair[1]
    return x, target[None], pair


def draw_places(places, rng, T, n):
    """The steps (2, n) of the two informative inputs."""
    if places == "halves":
        return np.array([rng.integers(0, T // 2, n), rng.integers(T // 2, T, n)])
    starts = (T // 10, T // 2) if places == "regions" else (T // 10, T // 5)
    return np.array([start + rng.integers(0, max(1, T // 10), n) for start in starts])


# --------------------------------------------------------------------------------------------------
# Probe
# --------------------------------------------------------------------------------------------------

def probe(settings, theta):
    """Share of the variance of the first and the second input that a linear function of the last
    hidden state explains, on sequences it was not fitted on: 1 is all, 0 is no better than the mean
    (below 0 it is worse). None if the weights are not finite, or if the run is to stop before."""
    nothing = {"first": None, "second": None}
    if not np.isfinite(theta).all():
        return nothing
    task, rng, T = task_of(settings), rp.streams(settings.seed)["display"], settings.sequence_len
    net = rp.RNN(task.n_in, settings.hidden, task.n_out, T, N_PROBE, theta=theta.astype(float))
    states, pairs = [], []
    for _ in range(2):
        if harness.stopped():
            return nothing
        x, _, pair = task.generate(rng, T, N_PROBE)
        net.forward(x)
        states.append(np.vstack([net.read[-1], np.ones(N_PROBE)]).T)  # (N_PROBE, H + 1)
        pairs.append(pair.T)  # (N_PROBE, 2)
    weights = np.linalg.lstsq(states[0], pairs[0], rcond=None)[0]
    errors, spread = pairs[1] - states[1] @ weights, pairs[1] - pairs[0].mean(0)
    left = (errors**2).sum(0) / (spread**2).sum(0)
    return {name: rp.rounded(1 - share) for name, share in zip(nothing, left)}


# --------------------------------------------------------------------------------------------------
# Training and evaluation
# --------------------------------------------------------------------------------------------------

def learn(settings):
    """Yields the net and the batch's loss (None at the start), at the start and after every
    update."""
    rng, task, T = rp.streams(settings.seed), task_of(settings), settings.sequence_len
    net = rp.RNN(task.n_in, settings.hidden, task.n_out, T, BATCH, dtype=np.float32)
    start = rp.Settings(task="temporal_order", hidden=settings.hidden, init=settings.init)
    rp.initialise(net, start, rng["init"])
    optimizer = rp.Momentum(net.theta)
    yield net, None
    for _ in range(settings.updates):
        x, target, _ = task.generate(rng["train"], T, BATCH)
        optimizer.ahead(MOMENTUM)
        loss, dy = rp.loss_and_gradient(net.forward(x), target, task.classes)
        net.backward(dy)
        rp.clip_norm(net.grad, CLIP)
        optimizer.step(net.grad, RATE)
        yield net, float(loss)


def measured_updates(updates):
    """The updates after which a run is measured: 0, and from 1 to the last in equal ratios."""
    return {0, *np.rint(np.geomspace(1, updates, POINTS)).astype(int).tolist()}


def evaluate(settings, theta, n, report=None):
    """Figures on the first n held-out sequences: test_accuracy or test_mse, and, where both symbols
    are asked, how often the first and the second are right. None if the run is to stop before they
    are complete. report: called with the number of sequences done."""
    task, rng, T = task_of(settings), rp.streams(settings.seed)["eval"], settings.sequence_len
    net = rp.RNN(task.n_in, settings.hidden, task.n_out, T, 100, dtype=theta.dtype, theta=theta)
    rows = []
    for _ in range(0, n, 100):
        if harness.stopped():
            return None
        x, target, pair = task.generate(rng, T, 100)
        y = net.forward(x)
        if task.classes:
            said = y[0].argmax(0)
            first, second = said // 2 == pair[0], said % 2 == pair[1]
            rows.append([(said == target[0]).mean(), first.mean(), second.mean()])
        else:
            rows.append([((y[0] - target) ** 2).mean()])
        if report:
            report(100 * len(rows))
    return dict(zip(figures_of(settings), map(float, np.mean(rows, 0))))


def figures_of(settings):
    """The names of the figures of a run."""
    each = ("first_right", "second_right") if settings.answer == "both" else ()
    return (task_of(settings).metric, *each)


def progress_words(row):
    """A row of the history for a person."""
    words = f"update {row['update']:5d}"
    if "test_mse" in row:
        return f"{words}  MSE {row['test_mse']:.4g}"
    return f"{words}  accuracy {row['test_accuracy']:.4f}"


def train(settings, options, quiet=True):
    """Trains one net. Returns its record.

    It ends early when harness.stopped() (status "interrupted", with the figures that were measured
    last) or when a loss is not finite ("diverged").
    """
    start, status, task = time.perf_counter(), "done", task_of(settings)
    figures, points = dict.fromkeys(figures_of(settings)), measured_updates(settings.updates)
    history = {name: [] for name in ("update", *figures)}
    progress, probes = harness.Progress(settings.updates + N_TEST // (3 * BATCH), quiet), {}
    with np.errstate(all="ignore"):
        for update, (net, loss) in enumerate(learn(settings)):
            if update == 0:
                probes["start"] = probe(settings, net.theta)
            elif not math.isfinite(loss):
                status = "diverged"
            measured = None
            if update in points or status == "diverged":
                measured = evaluate(settings, net.theta, N_CURVE)
            if measured is not None:
                figures = measured
                row = {"update": update} | figures
                for name, column in history.items():
                    column.append(rp.rounded(row[name]) if name != "update" else update)
                progress(update, progress_words(row))
            if harness.stopped():
                status = "interrupted"
            if status != "done":
                break
        complete = evaluate(settings, net.theta, N_TEST, lambda done: progress(
            update + done // (3 * BATCH), f"held-out set: {done} of {N_TEST} sequences", every=5))
    progress.close()
    figures = complete or figures
    if status == "done" and complete is None:
        status = "interrupted"
    probes["end"] = probe(settings, net.theta)
    figure = figures[task.metric]
    solved = figure is not None and bool(task.passes(figure, task.solved))
    to_solve = {"solved": solved, "updates_to_solve": rp.first_solved(history, task)}
    rounded = {name: rp.rounded(value) for name, value in figures.items()}
    return {
        "settings": dataclasses.asdict(settings),
        "history": history,
        "final": {"status": status, "update": update} | rounded | to_solve,
        "probe": probes,
        "provenance": harness.provenance(CODE, time.perf_counter() - start),
    }


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def summary(record):
    """One line on how a run ended."""
    settings, final, start = record["settings"], record["final"], record["probe"]["start"]
    task = task_of(Settings(**settings))
    names = " ".join(str(settings[name]) for name in ("symbols", "places", "answer", "init"))
    if final[task.metric] is None:
        figure = "nothing measured"
    elif task.classes:
        figure = f"accuracy {final[task.metric]:.4f} (constant answer: {task.chance:.4f})"
    else:
        figure = f"MSE {final[task.metric]:.5f} (constant answer: {task.chance:.5f})"
    first, words = final["updates_to_solve"], f"{names} T={settings['sequence_len']}"
    words += f" seed={settings['seed']}: {figure}, "
    words += "never solved" if first is None else f"solved at update {first}"
    if first is not None and not final["solved"]:
        words += " but not at the end"
    words += f", {final['update']} updates"
    if start["first"] is not None:
        words += (f", probe before training: first {start['first']:.3f}, "
                  f"second {start['second']:.3f}")
    return words if final["status"] == "done" else f"{words}  {final['status'].upper()}"


def gradcheck_all():
    """The gradient check of rnn_pathological.py on the tasks at three corners. Returns the exit code."""
    return rp.gradcheck_all(["temporal_order", "xor", "addition"])


def main(argv=None):
    parser = harness.experiment_parser(
        __doc__, Settings, Options, checks="the gradient of rnn_pathological.py's nets")
    args = parser.parse_args(argv)
    if args.gradcheck:
        return gradcheck_all()
    runs, options = harness.runs_of(parser, args, Settings), harness.from_flags(Options, args)
    quiet = options.quiet or len(runs) > 1
    calls = [(settings, options, quiet) for settings in runs]
    return harness.run_and_save(CODE, train, calls, options, summary)


if __name__ == "__main__":
    sys.exit(main())
