# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2"]
# ///
"""Recurrent cascade-correlation, which adds hidden units one by one, on tasks of the 1997 paper.

Source: Fahlman (1991), "The Recurrent Cascade-Correlation Architecture", NIPS 3; its row in Table 1
of Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", Neural Computation 9(8):1735-1780.

Tasks: 1 predicts the embedded Reber grammar; 2a keeps the first symbol over p steps to predict the
last. They are those of lstm_1997.py.

Criterion: the number of training sequences until no string is wrong, in task 1 of all 512 training
and test strings, in 2a of its two sequences. An epoch shows every training string once. A constant
answer gets all of them wrong. Beside it, what explains it: the error that arrives at the first
symbol, back through a unit's single recurrent weight.

Commands:
    python3 cascade_correlation.py                          task 1, Table 1: minutes
    python3 cascade_correlation.py --experiment 2a --p 10   task 2a, delay 10
    python3 cascade_correlation.py --gradcheck              the candidates' slopes, before all else

Expect: success in a few of the 30 trials of task 1 (the paper says 50%), and in every trial of 2a
with p = 4. Trials run one after another; an interrupted run goes on from its checkpoint beside
--out with the trial that it was at.
"""

import dataclasses
import math
import sys

import numpy as np

import harness
import lstm_1997 as lstm

EXPERIMENT = "cascade_correlation"
CODE = harness.Code(__name__)
POOL = 8  # candidate units trained side by side, of which the best is kept
PATIENCE = 12  # epochs without a significant change that end a phase
PHASE_EPOCHS = 200  # most epochs of a phase
OUTPUT_CHANGE, CANDIDATE_CHANGE = 0.001, 0.005  # significant: of squared error and of correlation
OUTPUT_RATE, CANDIDATE_RATE = 0.35, 1.0  # quickprop's epsilon for slopes that are means over steps
OUTPUT_DECAY = 1e-4
MU = 2.0  # quickprop's largest growth of a step
PAPER = "50%, 182000"  # of the trials of Table 1, and training sequences until success


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Settings:
    """Every hyperparameter that changes the result: the identity of a record in results.json."""

    experiment: str = harness.setting(
        "1", "experiment of section 5", "task", choices=("1", "2a"))
    p: int | None = harness.setting(
        None, "delay", "task", kind=int, low=2, high=2000, otherwise=4, needs=("experiment", "2a"))
    hidden: int = harness.setting(
        25, "hidden units that are added at most", "net", low=1, high=100)
    output_error: str = harness.setting(
        "flat-spot", "error of an output unit: a17 is f'(net)(t - y), flat-spot is "
        "(f'(net) + 0.1)(t - y)", "net", choices=("a17", "flat-spot"))
    init: float = harness.setting(
        1.0, "weights start uniformly in [-init, init]", "net", low=1e-12, high=1e6)
    trials: int | None = harness.setting(
        None, "trials", "training", kind=int, low=1, high=1000,
        otherwise=harness.by("experiment", {"1": 30}, 18))
    seed: int = harness.setting(
        0, "seed of the first trial; the others follow", "training", low=0, high=2**62)
    max_sequences: int = harness.setting(
        2_000_000, "training sequences after which a trial is given up", "training", low=100,
        high=10**11)

    def __post_init__(self):
        """Fills what depends on the task. Raises ValueError for settings that do not agree."""
        harness.fill(self)

    @property
    def named(self):
        """The task, for a person."""
        return f"cascade-correlation {self.experiment}" + (f" p={self.p}" if self.p else "")


@dataclasses.dataclass(frozen=True)
class Options(harness.CommonOptions):
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    checkpoint_every: int = harness.setting(
        180, "seconds between checkpoints", "output", low=1, high=10**6)


# --------------------------------------------------------------------------------------------------
# Tasks
# --------------------------------------------------------------------------------------------------

def both_sequences(p):
    """The only two sequences of task 2a: (x, a_1 ... a_{p-1}, x) and (y, a_1 ... a_{p-1}, y)."""
    x = np.tile(np.arange(-1, p - 1), (2, 1))
    x[:, 0] = p - 1, p
    target = np.concatenate([x[:, 1:], x[:, :1]], axis=1)
    return lstm.Sequences(x, np.full(2, p - 1), target)


class Strings:
    """Strings side by side: x, target (T, n) symbols, padded; inside (T, n) marks the steps that
    exist, target the same steps in one line of M = their number."""

    def __init__(self, batch):
        T = int(batch.end.max()) + 1
        self.x, self.end, self.truth = batch.x[:, :T].T, batch.end, batch.truth
        self.inside = np.arange(T)[:, None] <= batch.end
        self.target = batch.target[:, :T].T[self.inside]

    def in_line(self, values):
        """values (T, ..., n) of the steps that exist: (..., M)."""
        return np.moveaxis(values, 0, -2)[..., self.inside]

    def in_place(self, line):
        """The other way, with zeros elsewhere: (..., M) to (..., T, n)."""
        values = np.zeros((*line.shape[:-1], *self.inside.shape), line.dtype)
        values[..., self.inside] = line
        return values


# --------------------------------------------------------------------------------------------------
# Model
# --------------------------------------------------------------------------------------------------

def logistic(net):
    """f(net) = 1 / (1 + exp(-net)) = (1 + tanh(net / 2)) / 2, in place."""
    np.multiply(net, 0.5, net)
    np.tanh(net, net)
    np.multiply(net, 0.5, net)
    return np.add(net, 0.5, net)


class Cascade:
    """Fahlman's net: outputs that see everything below, and hidden units that are added one by one
    and frozen.

        V(t) = f(sum over i of w_i I_i(t) + w_s V(t-1)) - 1/2

    A unit sees the bias, the inputs, all hidden units before it, and through its one recurrent
    weight w_s itself.
    """

    def __init__(self, n_in, n_out, rng, init, slope_offset):
        self.n_in, self.n_out, self.rng, self.init = n_in, n_out, rng, init
        self.slope_offset = slope_offset
        self.hidden = []  # weights (1 + n_in + units before + 1,), the last one recurrent
        self.W_o = rng.uniform(-init, init, (n_out, 1 + n_in))

    @property
    def weights(self):
        """How many there are."""
        return self.W_o.size + sum(w.size for w in self.hidden)

    def features(self, strings):
        """Bias, inputs and hidden units at every step: (1 + n_in + hidden, M)."""
        inputs = lstm.one_hot(strings.x[strings.inside], self.n_in).T
        rows = [np.ones(strings.target.size), *inputs]
        for w in self.hidden:
            rows.append(strings.in_line(unit_values(w[None], np.array(rows), strings))[0])
        return np.array(rows)

    def outputs(self, features):
        """(n_out, M)"""
        return logistic(self.W_o @ features)  # y(t) = f(W_o I(t))

    def predictions(self, strings, features):
        """Outputs (n, T, n_out) of every string."""
        return strings.in_place(self.outputs(features)).transpose(2, 1, 0)

    def error(self, features, target):
        """Outputs' errors y - t times f' plus the offset against flat spots, (n_out, M), and half
        the squared error."""
        y = self.outputs(features)
        difference = y - lstm.one_hot(target, self.n_out).T
        squared = 0.5 * (difference * difference).sum()
        return difference * (y * (1 - y) + self.slope_offset), squared

    def candidates(self, features):
        """A fresh pool: (POOL, 1 + n_in + hidden + 1)."""
        return self.rng.uniform(-self.init, self.init, (POOL, len(features) + 1))

    def add(self, w, correlation):
        """Freezes a unit; its weights to the outputs start at minus its correlation with their
        errors."""
        self.hidden.append(w)
        self.W_o = np.concatenate([self.W_o, -correlation[:, None]], axis=1)


def unit_values(w, features, strings):
    """V(t) of units with weights w (C, sources + 1) on features (sources, M): (T, C, n), zero
    before a string."""
    drive = np.moveaxis(strings.in_place(w[:, :-1] @ features), 0, 1).copy()  # (T, C, n)
    V, before = np.zeros(drive.shape, drive.dtype), np.zeros(drive.shape[1:], drive.dtype)
    for t, net in enumerate(drive):
        net += w[:, -1:] * before  # net(t) = sum over i of w_i I_i(t) + w_s V(t-1)
        before = V[t] = logistic(net) - 0.5  # V(t) = f(net(t)) - 1/2
    return V


def correlations(V, error):
    """Covariance of V (C, M) with the errors (n_out, M) at each output, over the sum of their
    squares: (C, n_out)."""
    residual = error - error.mean(1, keepdims=True)
    return V @ residual.T / (error * error).sum()


def candidate_slopes(w, features, strings, error):
    """Score S = sum over outputs of |correlation| of candidates w (C, sources + 1), dS/dw, and the
    correlations.

    Fahlman carries dV(t)/dw forward in time. Backward in time it is the same sum: with b(t) =
    dS/dV(t) from step t on, b(t) = g(t) + w_s f'(t+1) b(t+1), and dS/dw_i = sum over t of
    f'(t) b(t) I_i(t).
    """
    V = unit_values(w, features, strings)  # (T, C, n)
    line = strings.in_line(V)
    correlation = correlations(line, error)
    residual = error - error.mean(1, keepdims=True)
    g = np.sign(correlation) @ residual / (error * error).sum()  # (C, M) dS / dV
    local = np.moveaxis(strings.in_place(g), 0, 1).copy()  # (T, C, n), becomes dS / dnet
    later = np.zeros(V.shape[1:])
    for t in reversed(range(len(V))):
        local[t] += later  # b(t) = g(t) + w_s f'(t+1) b(t+1)
        local[t] *= 0.25 - V[t] * V[t]  # f'(t) b(t)
        later = w[:, -1:] * local[t]
    slopes = np.empty_like(w)
    slopes[:, :-1] = strings.in_line(local) @ features.T
    slopes[:, -1] = (local[1:] * V[:-1]).sum((0, 2))
    return abs(correlation).sum(1), slopes, correlation


# --------------------------------------------------------------------------------------------------
# Optimizer
# --------------------------------------------------------------------------------------------------

class Quickprop:
    """Fahlman's quickprop: a jump to the minimum of the parabola through this slope and the last
    one, at most MU times the last step, plus a step down the slope where that has not changed its
    sign."""

    def __init__(self, shape, rate, decay):
        self.rate, self.decay = rate, decay
        self.step, self.last = np.zeros((2, *shape))

    def __call__(self, w, slope):
        """Changes the weights w downhill. slope: dE/dw, of the same shape."""
        slope = slope + self.decay * w
        limit = MU * abs(self.step)
        with np.errstate(divide="ignore", invalid="ignore"):
            jump = self.step * slope / (self.last - slope)
            jump = np.clip(np.nan_to_num(jump), -limit, limit)
        direction = np.sign(self.step)
        far = direction * slope <= direction * self.last * MU / (1 + MU)  # from the minimum
        step = np.where(direction == 0, 0, np.where(far, MU * self.step, jump))
        step -= np.where(direction * slope <= 0, self.rate * slope, 0)
        w += step
        self.step, self.last = step, slope


# --------------------------------------------------------------------------------------------------
# Gradient check
# --------------------------------------------------------------------------------------------------

def check_candidates(experiment):
    """check_gradient's rows of the correlation score of two candidate units."""
    trial = Trial(Settings(experiment=experiment, p=30 if experiment == "2a" else None), 0)
    net, strings = trial.net, trial.sets[0]
    net.add(net.candidates(net.features(strings))[0], np.linspace(-1, 1, net.n_out))
    features = net.features(strings)
    error, _ = net.error(features, strings.target)
    w = net.candidates(features)[:2]

    def loss(weights):
        V = strings.in_line(unit_values(weights.reshape(2, -1), features, strings))
        score = correlations(V, error)
        return (np.sign(score.real) * score).sum()

    def tensors(weights):
        first, second = weights.reshape(2, -1)
        return {"sources, first": first[:-1], "recurrent, first": first[-1:],
                "sources, second": second[:-1], "recurrent, second": second[-1:]}

    score, slopes, _ = candidate_slopes(w, features, strings, error)
    if not math.isclose(score.sum(), loss(w.ravel())):
        raise ArithmeticError("the score is not the one whose slope is taken")
    return lstm.check_gradient(loss, w.ravel(), slopes.ravel(), tensors)


def gradcheck_all():
    """The slopes of candidates on both tasks. Returns the exit code."""
    passed = True
    for experiment in ("1", "2a"):
        rows = check_candidates(experiment)
        passed &= harness.report_gradients(f"Cascade-correlation, candidates, {experiment}", rows)
    return 0 if passed else 1


# --------------------------------------------------------------------------------------------------
# Training and evaluation
# --------------------------------------------------------------------------------------------------

class Trial:
    """One trial: batch learning over the whole training set, all in epochs.

    sequences counts presentations: an epoch shows every training string once, whichever weights it
    trains.
    """

    def __init__(self, settings, seed):
        self.settings, self.seed, self.sequences = settings, seed, 0
        batches = [both_sequences(settings.p)] if settings.p else lstm.reber_sets(seed)
        self.sets = [Strings(batch) for batch in batches]  # training set first
        n = settings.p + 1 if settings.p else 7
        offset = {"a17": 0.0, "flat-spot": 0.1}[settings.output_error]
        self.net = Cascade(n, n, lstm.streams(seed)["init"], settings.init, offset)
        self.curve = []  # squared error after each phase of the outputs
        self.signal_at_start = None  # of the first candidates

    def run(self):
        """Trains until success, the most units or the cap. Returns the trial's figures, or None if
        it was stopped."""
        success = self.train_outputs()
        while not success and len(self.net.hidden) < self.settings.hidden and not self.capped:
            if harness.stopped():
                return None
            self.train_candidates()
            success = self.train_outputs()
        if harness.stopped() and not success:
            return None
        wrong = [self.wrong(strings, self.net.features(strings)) for strings in self.sets]
        return dict(
            complete=bool(success), sequences=self.sequences,
            wrong=sum(int(part.sum()) for part in wrong), test_sequences=sum(map(len, wrong)),
            hidden_units=len(self.net.hidden), weights=self.net.weights, curve=self.curve,
            recurrent_weights=[float(w[-1]) for w in self.net.hidden],
            signal_at_start=self.signal_at_start, signal_at_end=self.signal_at_end())

    @property
    def capped(self):
        """Whether the trial is given up."""
        return self.sequences >= self.settings.max_sequences

    def epoch(self):
        """Counts the presentation of every training string."""
        self.sequences += len(self.sets[0].end)

    def train_outputs(self):
        """Quickprop on the outputs until success or until the error stagnates. Returns whether it
        succeeded."""
        features = [self.net.features(strings) for strings in self.sets]
        quickprop = Quickprop(self.net.W_o.shape, OUTPUT_RATE, OUTPUT_DECAY)
        best, since = math.inf, 0
        for _ in range(PHASE_EPOCHS):
            error, squared = self.net.error(features[0], self.sets[0].target)
            if not any(self.wrong(*pair).any() for pair in zip(self.sets, features)):
                return True
            changed = best == math.inf or abs(squared - best) > OUTPUT_CHANGE * best
            since = 0 if changed else since + 1
            best = squared if changed else best
            if since >= PATIENCE or self.capped or harness.stopped():
                break
            quickprop(self.net.W_o, error @ features[0].T / features[0].shape[1])
            self.epoch()
        self.curve.append(round(float(squared), 4))
        return False

    def train_candidates(self):
        """Quickprop on a pool of candidates until the best score stagnates; the best one joins the
        net."""
        strings = self.sets[0]
        features = self.net.features(strings)
        error, _ = self.net.error(features, strings.target)
        w = self.net.candidates(features)
        if not self.net.hidden:
            self.signal_at_start = rounded(np.median(self.error_signal(w, features), axis=1))
        quickprop = Quickprop(w.shape, CANDIDATE_RATE, 0.0)
        best, since = 0.0, 0
        for _ in range(PHASE_EPOCHS):
            score, slopes, correlation = candidate_slopes(w, features, strings, error)
            self.epoch()
            chosen = int(score.argmax())
            changed = abs(score[chosen] - best) > CANDIDATE_CHANGE * best
            since = 0 if changed else since + 1
            best = score[chosen] if changed else best
            if since >= PATIENCE or self.capped or harness.stopped():
                break
            quickprop(w, -slopes)
        self.net.add(w[chosen].copy(), correlation[chosen])

    def wrong(self, strings, features):
        """Which strings are wrong by the paper's criterion. (n,)"""
        y = self.net.predictions(strings, features)
        if self.settings.experiment == "1":
            return lstm.wrong_strings(y, strings.truth[:, : y.shape[1]], strings.end)
        target = strings.target.reshape(strings.inside.shape).T  # (n, T)
        difference = abs(y - lstm.one_hot(target, y.shape[-1]))
        return ~(difference.max((1, 2)) < lstm.TOLERANCE["2a"])

    def error_signal(self, w, features):
        """|dV(end) / dnet(end - q)| of units w (C, sources + 1) on the first string, lag q = 0
        first: (lags, C). A unit's own recurrent weight is the only way back in time."""
        last = self.sets[0].end[0] + 1
        V = unit_values(w, features, self.sets[0])[:last, :, 0]
        factors = (0.25 - V * V)[::-1]
        factors[1:] *= w[:, -1]
        return abs(np.cumprod(factors, axis=0))

    def signal_at_end(self):
        """The largest error_signal of the hidden units at every lag; None without hidden units."""
        features = self.net.features(self.sets[0])
        signals = [self.error_signal(w[None], features[: len(w) - 1]) for w in self.net.hidden]
        return rounded(np.max(signals, axis=(0, 2))) if signals else None


def rounded(values):
    """A list of numbers with six significant digits."""
    return [float(f"{value:.6g}") for value in values]


def checkpoint_of(settings, out):
    """The file of a run's checkpoint."""
    return harness.checkpoint_path(out, [dataclasses.asdict(settings)])


def train(settings, options, quiet=True):
    """Runs every trial. Returns their record, or None if it was interrupted (a checkpoint then
    holds what was computed). Raises ResultsError for a checkpoint that cannot be used."""
    queue = harness.OneByOne(settings, Trial)
    checkpoint = checkpoint_of(settings, options.out)
    if not harness.resumable(queue, checkpoint, CODE, options.checkpoint_every, quiet):
        return None
    trials = queue.figures()
    reached = [trial["sequences"] if trial["complete"] else None for trial in trials]
    final = dict(
        status="done", trials_stopped=sum(trial["complete"] for trial in trials),
        sequences_to_success=reached,
        wrong=[trial["wrong"] for trial in trials], test_sequences=trials[0]["test_sequences"])
    if settings.experiment == "2a":
        for name in ("signal_at_start", "signal_at_end"):  # by lag: the median over the trials
            signals = [trial[name] for trial in trials]  # None without hidden units
            known = [signal for signal in signals if signal is not None]
            final[f"error_{name}"] = rounded(np.median(known, axis=0)) if known else None
            final[f"error_{name}_of_first_symbol"] = [signal and signal[-1] for signal in signals]
    for name in ("hidden_units", "weights", "recurrent_weights"):
        final[name] = [trial[name] for trial in trials]
    return {
        "settings": dataclasses.asdict(settings), "seeds": list(map(int, queue.seeds)),
        "history": dict(squared_error=[trial["curve"] for trial in trials]),
        "final": final, "provenance": harness.provenance(CODE, queue.seconds)}


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def parse(argv):
    """Parsed and checked command line: (settings, options, args). Exits with code 2 on bad
    input."""
    parser = harness.experiment_parser(
        __doc__, Settings, Options, seeds=False, checks="the slopes of candidate units")
    args = parser.parse_args(argv)
    try:
        settings = harness.from_flags(Settings, args)
        if not args.gradcheck:
            harness.check_results(args.out)
            queue = harness.OneByOne(settings, Trial)
            harness.take_back(queue, checkpoint_of(settings, args.out), CODE)
    except (ValueError, harness.ResultsError) as error:
        parser.error(str(error))
    return settings, harness.from_flags(Options, args), args


def summary(record):
    """One line on a row: trials that succeeded, sequences until then, wrong strings, beside the
    paper's."""
    settings, final = Settings(**record["settings"]), record["final"]
    words = f"{settings.named}: {lstm.counts(final['sequences_to_success'])}"
    if settings.experiment == "1":
        words += f" (paper {PAPER})"
    n = final["test_sequences"]
    return f"{words}; {np.mean(final['wrong']):.1f} wrong of {n} (a constant {n})"


def main(argv=None):
    settings, options, args = parse(argv)
    if args.gradcheck:
        return gradcheck_all()
    return harness.run_and_save(
        CODE, train, [(settings, options, options.quiet)], options, summary, checkpoint_of=checkpoint_of)


if __name__ == "__main__":
    sys.exit(main())
