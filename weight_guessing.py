# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2"]
# ///
"""Random weight guessing: nets with random weights until one solves a task of the 1997 paper.

Source: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation
9(8):1735-1780, the notes in sections 5.3.1 and 6.1, after Schmidhuber & Hochreiter (1996),
"Guessing can outperform many long time lag algorithms", IDSIA-19-96.

Tasks: 3a tells two sequences apart by their first N elements; parity tells whether the number of 1s
in a sequence is odd. They are those of lstm_1997.py.

Criterion: the number of nets guessed, and of sequences shown to them, until one net is right on all
256 sequences that stop the LSTM in Experiment 3: on 3a by the paper's second criterion, a mean
absolute error below 0.01; on parity with every error below 0.3. A constant answer is wrong on half.

Commands:
    python3 weight_guessing.py                        3a, T = 100, N = 3: ten trials, minutes
    python3 weight_guessing.py --T 1000 --N 3         the longest row of Table 4
    python3 weight_guessing.py --experiment parity    parity of 500 to 550 elements
    python3 weight_guessing.py --all                  every row

Expect: a net after 1000 to 50,000 guesses, whatever the length of the sequences. Nothing is learned
here, so there is no gradient to check. Trials run one after another; an interrupted run goes on
from its checkpoint beside --out with the trial that it was at.
"""

import dataclasses
import sys

import numpy as np

import harness
import lstm_1997 as lstm

EXPERIMENT = "weight_guessing"
CODE = harness.Code(__name__)
GUESSES = 1024  # guessed at once; the outcome does not depend on it


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

# The sequences of Table 4, and the task of section 6.1: what --all runs
ROWS = (dict(T=100, N=3), dict(T=100, N=1), dict(T=1000, N=3), dict(experiment="parity"))


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    experiment: str = harness.setting(
        "3a", "experiment of section 5, or task of section 6.1", "task", choices=("3a", "parity"))
    T: int | None = harness.setting(
        None, "shortest sequence, in steps", "task", kind=int, low=10, high=10_000,
        otherwise=harness.by("experiment", {"parity": 500}, 100))
    N: int | None = harness.setting(
        None, "elements that carry the class", "task", kind=int, low=1, high=10_000, otherwise=3,
        needs=("experiment", "3a"))
    hidden: int = harness.setting(1, "hidden units", "net", low=1, high=100)
    init: float = harness.setting(
        100.0, "weights are uniform in [-init, init]", "net", low=1e-12, high=1e6)
    trials: int = harness.setting(10, "trials", "run", low=1, high=1000)
    seed: int = harness.setting(
        0, "seed of the first trial; the others follow", "run", low=0, high=2**62)
    max_sequences: int = harness.setting(
        10_000_000, "sequences shown after which a trial is given up", "run", low=100, high=10**11)

    def __post_init__(self):
        """Fills what depends on the task. Raises ValueError for settings that do not agree."""
        harness.fill(self)
        if self.N is not None and self.N >= self.T:
            raise ValueError("--N must be below --T")

    @property
    def named(self):
        """The task, for a person."""
        elements = "" if self.N is None else f" N={self.N}"
        return f"guessing {self.experiment} T={self.T}{elements} hidden={self.hidden}"


@dataclasses.dataclass(frozen=True)
class Options(harness.CommonOptions):
    """What a run shows and keeps. None of it changes a figure."""

    checkpoint_every: int = harness.setting(
        180, "seconds between checkpoints", "output", low=1, high=10**6)


# --------------------------------------------------------------------------------------------------
# Model
# --------------------------------------------------------------------------------------------------

def logistic(net):
    """f(net) = 1 / (1 + exp(-net)) = (1 + tanh(net / 2)) / 2, in place."""
    np.multiply(net, 0.5, net)
    np.tanh(net, net)
    np.multiply(net, 0.5, net)
    return np.add(net, 0.5, net)


class Net:
    """G fully recurrent nets with random weights, one input line, `hidden` units and an output:
    every unit sees the input, all hidden units, the output and a bias. A step is input, hidden
    units, output, as everywhere in the paper:

        h(t) = f(W_h [h(t-1); y(t-1); x(t); 1])        y(t) = f(W_o [h(t); y(t-1); x(t); 1])
    """

    def __init__(self, hidden):
        self.hidden = hidden
        self.sources = hidden + 3  # h, y, x, 1

    def outputs(self, W, x, end):
        """Output at the end of one sequence x (T,) for nets W (G, hidden + 1, sources): (G,); or of
        one net, G = 1, for sequences x (T, n) with ends (n,): (n,)."""
        n = max(len(W), np.size(end))
        W = np.ascontiguousarray(W.transpose(1, 2, 0))  # (units, sources, G)
        s = np.zeros((self.sources, n))  # h(t-1), y(t-1), x(t), 1
        s[-1] = 1
        y = np.zeros(n)
        for t in range(int(np.max(end)) + 1):
            s[-2] = x[t]
            h = logistic((W[:-1] * s).sum(1))  # h(t) = f(W_h [h(t-1); y(t-1); x(t); 1])
            s[: self.hidden] = h
            s[-3] = logistic((W[-1] * s).sum(0))  # y(t) = f(W_o [h(t); y(t-1); x(t); 1])
            np.copyto(y, s[-3], where=np.asarray(end) == t)
        return y


# --------------------------------------------------------------------------------------------------
# Guessing
# --------------------------------------------------------------------------------------------------

class Trial:
    """One trial: nets drawn from U(-init, init) until one is right on all 256 sequences of the
    stopping criterion.

    sequences counts presentations: each net sees the sequences in order up to the first one it gets
    wrong.
    """

    def __init__(self, settings, seed):
        self.settings, self.seed, self.net = settings, seed, Net(settings.hidden)
        self.rng = lstm.streams(seed)["init"]
        self.tolerance = lstm.TOLERANCE[settings.experiment]
        stop, self.test_rng = lstm.streams(seed)["eval"].spawn(2)
        batches = [self.draw_sequences(stop)[:3] for _ in range(lstm.N_STOP // lstm.LANES)]
        self.stop_set = lstm.Sequences(*map(np.concatenate, zip(*batches)))
        self.guesses = self.sequences = 0
        self.stops = []  # counts at the first and second criterion of 3a

    def draw_sequences(self, rng):
        """The next sequences of the task."""
        if self.settings.experiment == "parity":
            return lstm.parity(rng, lstm.LANES, self.settings.T)
        return lstm.two_sequences(rng, lstm.LANES, self.settings.T, self.settings.N, variant="3a")

    def draw(self, n):
        """The next n nets: (n, units, sources)."""
        r = self.settings.init
        return self.rng.uniform(-r, r, (n, self.settings.hidden + 1, self.net.sources))

    def run(self):
        """Guesses until success or the cap. Returns the trial's figures, or None if it was
        stopped."""
        W = None
        while W is None and self.sequences < self.settings.max_sequences:
            W = self.guess(GUESSES)
            if harness.stopped():
                return None
        tested = dict(wrong=None, mean_absolute_error=None) if W is None else self.figures(W)
        return tested | dict(
            complete=W is not None, guesses=self.guesses, sequences=self.sequences,
            stops=self.stops, weights=None if W is None else W.ravel().tolist())

    def guess(self, n):
        """Tries the next n nets in order. Returns the one that ends the trial, if there is one,
        else None."""
        W = self.draw(n)
        shown, right = self.present(W)
        for k in range(n):
            self.guesses += 1
            self.sequences += int(shown[k])
            if right[k] and self.accepted(W[k]):
                return W[k]
            if self.sequences >= self.settings.max_sequences:
                break
        return None

    def present(self, W):
        """How many of the sequences each net sees until its first wrong one, and whether it gets
        all right. (G,)"""
        shown, alive, data = np.zeros(len(W), int), np.arange(len(W)), self.stop_set
        for x, end, target in zip(data.x[:, :, 0], data.end, data.target[:, 0]):
            shown[alive] += 1
            error = abs(self.net.outputs(W[alive], x, end) - target)
            alive = alive[error < self.tolerance]
            if not len(alive) or harness.stopped():
                break
        return shown, np.isin(np.arange(len(W)), alive)

    def accepted(self, W):
        """Whether a net that is right on all sequences ends the trial: at once on parity, in 3a by
        the second criterion."""
        if self.settings.experiment == "parity":
            return True
        mean_error = float(self.errors(W, self.stop_set).mean())
        while len(self.stops) < 2 and lstm.held_out_reached("3a", len(self.stops), 0, mean_error):
            self.stops.append(dict(guesses=self.guesses, sequences=self.sequences))
        return len(self.stops) == 2

    def errors(self, W, data):
        """Absolute errors of one net (units, sources) on Sequences. (n,)"""
        return abs(self.net.outputs(W[None], data.x[:, :, 0].T, data.end) - data.target[:, 0])

    def figures(self, W):
        """Figures on fresh test sequences."""
        batches = (self.draw_sequences(self.test_rng) for _ in range(lstm.N_TEST // lstm.LANES))
        error = np.concatenate([self.errors(W, batch) for batch in batches])
        wrong = ~(error < self.tolerance)
        return dict(wrong=int(wrong.sum()), mean_absolute_error=float(error.mean()))


def checkpoint_of(settings, out):
    """The file of a run's checkpoint."""
    return harness.checkpoint_path(out, [dataclasses.asdict(settings)])


def train(settings, options, quiet=True):
    """Guesses for every trial of a row. Returns its record, or None if it was interrupted (a
    checkpoint then holds what was computed). Raises ResultsError for a checkpoint that cannot be
    used."""
    queue = harness.OneByOne(settings, Trial)
    checkpoint = checkpoint_of(settings, options.out)
    if not harness.resumable(queue, checkpoint, CODE, options.checkpoint_every, quiet):
        return None
    trials, seeds = queue.figures(), list(map(int, queue.seeds))
    reached = [trial["sequences"] if trial["complete"] else None for trial in trials]
    final = dict(
        status="done", trials_stopped=sum(trial["complete"] for trial in trials),
        sequences_to_success=reached,
        wrong=[trial["wrong"] for trial in trials], test_sequences=lstm.N_TEST)
    if settings.experiment == "3a":
        first = [trial["stops"][0] if trial["stops"] else None for trial in trials]
        for name in ("sequences", "guesses"):
            final[f"{name}_at_first_stop"] = [stop and stop[name] for stop in first]
    for name in ("guesses", "mean_absolute_error"):
        final[name] = [trial[name] for trial in trials]
    return {
        "settings": dataclasses.asdict(settings), "seeds": seeds, "history": {},
        "final": final, "provenance": harness.provenance(CODE, queue.seconds),
        "weights": {seed: trial["weights"] for seed, trial in queue.done.items()}}


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def parse(argv):
    """Parsed and checked command line: (settings of each run, options). Exits with code 2 on bad
    input."""
    parser = harness.experiment_parser(__doc__, Settings, Options, seeds=False, checks=None)
    parser.add_argument("--all", action="store_true", help="every row, one after another")
    args = parser.parse_args(argv)
    if args.all and args.given & {"--experiment", "--T", "--N"}:
        parser.error("--all excludes --experiment, --T and --N")
    try:
        runs = [harness.from_flags(Settings, args, **row) for row in (ROWS if args.all else [{}])]
        harness.check_results(args.out)
        for settings in runs:
            queue = harness.OneByOne(settings, Trial)
            harness.take_back(queue, checkpoint_of(settings, args.out), CODE)
    except (ValueError, harness.ResultsError) as error:
        parser.error(str(error))
    return runs, harness.from_flags(Options, args)


def summary(record):
    """One line on a row: trials that stopped, sequences and guesses until then, wrong test
    sequences."""
    settings, final = Settings(**record["settings"]), record["final"]
    reached = final["sequences_to_success"]
    guesses = [n and guesses for n, guesses in zip(reached, final["guesses"])]
    words = f"{settings.named}: {lstm.counts(reached)}; guesses: {lstm.counts(guesses)}"
    wrong = [wrong for wrong, n in zip(final["wrong"], reached) if n is not None]
    if wrong:
        tests = final["test_sequences"]
        words += f"; {np.mean(wrong):.1f} wrong of {tests} (a constant {tests // 2})"
    return words


def main(argv=None):
    runs, options = parse(argv)
    calls = [(settings, options, options.quiet) for settings in runs]
    return harness.run_and_save(CODE, train, calls, options, summary, checkpoint_of=checkpoint_of)


if __name__ == "__main__":
    sys.exit(main())
