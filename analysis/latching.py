"""What the records of information latching say besides success: how gradients decay, who
succeeds, how steep a loss is, and what decides success over all starts at once."""

import dataclasses
import functools

import numpy as np

import information_latching as latching


def factor_per_step(short, long, steps):
    """By how much |dh_T/dx_1| falls with each of `steps` further steps, from its values at a
    short and a long T."""
    return (np.array(long) / np.array(short)) ** (1 / steps)


def pairs_won(values, others):
    """The share of pairs, one of each, in which the value is the higher one (Mann & Whitney
    1947)."""
    return np.mean(np.array(values)[:, None] > np.array(others))


def ranks(values, times=None):
    """The place of each value (n,) in the order of all, from 1; equal ones share the mean of their
    places. times (..., n): how often each of them is there, None for once. (..., n)."""
    times = np.ones(len(values)) if times is None else times
    found, which = np.unique(np.asarray(values, float), return_inverse=True)
    number = times @ np.eye(len(found))[which]  # of each different value
    return (np.cumsum(number, -1) - (number - 1) / 2)[..., which]


def rank_correlation(values, others, times=None):
    """Spearman's rank correlation of values and others (n,): that of the ranks. times (..., n): how
    often each pair is there, None for once. Not a number where all values or all others are equal."""
    times = np.ones(len(values)) if times is None else times
    middle = (1 + times.sum(-1, keepdims=True)) / 2  # the mean of any ranks
    a, b = ranks(values, times) - middle, ranks(others, times) - middle
    with np.errstate(invalid="ignore"):
        return (times * a * b).sum(-1) / np.sqrt((times * a * a).sum(-1) * (times * b * b).sum(-1))


def steepest(loss, x, y):
    """The largest slope between neighbouring points of a surface loss (y, x) on even axes:
    (along x, along y)."""
    return (abs(np.diff(loss, axis=1)).max() / (x[1] - x[0]),
            abs(np.diff(loss, axis=0)).max() / (y[1] - y[0]))


def pairs(values, won):
    """The share of pairs of a repeat that succeeds and one that does not in which the value of the
    former is the higher one; equal ones count as half. None without such a pair.
    values: (n,), won: (n,) of bool."""
    values, won = np.asarray(values, float), np.asarray(won, bool)
    n, others = won.sum(), (~won).sum()
    if not n or not others:
        return None
    return (ranks(values)[won].sum() - n * (n + 1) / 2) / (n * others)


def bootstrap(statistic, groups, draws=1000):
    """The 95% interval of a statistic when whole groups are drawn anew, with replacement
    (percentiles, from one fixed stream; not numbers where no draw gives one). groups: (n,), equal
    where two of the n belong together. statistic(times): its values (draws,) where times (draws, n)
    is how often each of the n was drawn."""
    found, which = np.unique(groups, return_inverse=True)
    drawn = np.random.default_rng(0).integers(0, len(found), (draws, len(found)))
    values = statistic(np.array([np.bincount(row, minlength=len(found)) for row in drawn])[:, which])
    finite = values[np.isfinite(values)]
    return np.quantile(finite, [0.025, 0.975]) if len(finite) else np.full(2, np.nan)


@functools.lru_cache(maxsize=200)
def correlation_of(values, others, groups):
    """The rank correlation of values and others (n,), and its 95% interval when whole groups (n,)
    are drawn anew: (middle, low, high). Tuples, so that what several sentences say is computed
    once."""
    return rank_correlation(values, others), *bootstrap(
        lambda times: rank_correlation(values, others, times), groups)


RIDGE = 1e-2  # per repeat, on weights of standardised quantities: keeps them finite


def logistic_regression(X, won):
    """Fits P(won) = 1 / (1 + exp(-(b + w z))), z the standardised columns of X, by Newton's method on
    the mean cross-entropy with RIDGE |w|^2 / 2. X: (n, k), won: (n,). Returns a function that gives
    the probabilities (m,) of other rows (m, k), and w (k,)."""
    mean, spread = X.mean(0), X.std(0) + 1e-12

    def rows(X):
        return np.column_stack([np.ones(len(X)), (X - mean) / spread])

    Z, weights = rows(X), np.zeros(X.shape[1] + 1)
    penalty = np.diag([0.0, *[RIDGE] * X.shape[1]])
    for _ in range(50):
        p = logistic(Z @ weights)
        slope = Z.T @ (p - won) / len(won) + penalty @ weights
        curvature = (Z * (p * (1 - p))[:, None]).T @ Z / len(won) + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), slope)
        weights -= step
        if abs(step).max() < 1e-10:
            break
    return lambda X: logistic(rows(X) @ weights), weights[1:]


def logistic(z):
    return (1 + np.tanh(z / 2)) / 2


def left_out(X, won, groups):
    """The probabilities (n,) of success, those of each group from a logistic regression on all the
    others. X: (n, k), won and groups: (n,)."""
    groups, p = np.asarray(groups), np.empty(len(won))
    for group in np.unique(groups):
        own = groups == group
        predict, _ = logistic_regression(X[~own], won[~own])
        p[own] = predict(X[own])
    return p


def deviance(p, won):
    """-2 log-likelihood of each outcome (n,) under its probability."""
    return -2 * np.log(np.clip(np.where(won, p, 1 - p), 1e-12, 1))


# --------------------------------------------------------------------------------------------------
# What decides success
# --------------------------------------------------------------------------------------------------

# What a record knows of each repeat: by name, the function of the record that gives it, (R,).
# Gradient and retention fall by powers of ten; below 1e-16 and 1e-3 they count as that.
QUANTITIES = {
    "length": lambda record: np.full(record["settings"]["repeats"], -np.log10(record["settings"]["T"])),
    "gradient": lambda record: power(record, "gradient_start", 1e-16),
    "retention": lambda record: power(record, "retention_start", 1e-3),
    "probe": lambda record: final(record, "probe_start"),
    "accuracy": lambda record: np.array(record["history"]["test_accuracy"][0], float),
    "latch": lambda record: final(record, "latch_start"),
    "trained latch": lambda record: final(record, "latch_end"),
    "test accuracy": lambda record: final(record, "test_accuracy"),
}
START = ("task", "cell", "units", "init", "init_scale", "forget_bias", "update_bias", "reset",
         "recurrent_activation")  # settings of one value for all that start alike


def final(record, name):
    """A final figure of every repeat; not a number where there is none, as of a net that diverged."""
    return np.array(record["final"][name], float)


def power(record, name, floor):
    return np.log10(np.maximum(final(record, name), floor))


def plain(value):
    """A setting as it is compared: 3 and 3.0 are one."""
    return float(value) if isinstance(value, int) else value


@dataclasses.dataclass(frozen=True, eq=False)
class Repeats:
    """Every repeat of S settings with R repeats each: won (S, R), and start (S,), equal for the
    settings that differ in length and training alone, so that their repeats begin with the same
    weights, or nearly."""

    records: list
    won: np.ndarray
    start: np.ndarray
    known: dict = dataclasses.field(default_factory=dict)  # joint() by its names

    @classmethod
    def of(cls, records):
        won = [final(record, "test_accuracy") > latching.SUCCESS for record in records]
        start = [str([plain(record["settings"][name]) for name in START]) for record in records]
        return cls(records, np.array(won), np.array(start))

    @functools.cached_property
    def share(self):
        """The share of repeats that succeed, (S,)."""
        return self.won.mean(1)

    def values(self, name):
        """A quantity of every repeat, (S, R)."""
        return np.array([QUANTITIES[name](record) for record in self.records])

    def correlation(self, values):
        """The rank correlation of the settings' means of values (S, R) with the share that succeed,
        and its 95% interval, whole starts drawn anew."""
        return correlation_of(tuple(values.mean(1)), tuple(self.share), tuple(self.start))

    def within(self, values):
        """The mean over the settings of pairs(), with its interval: what a quantity tells where
        length and start are the same."""
        found = zip(values, self.won, self.start)
        shares = [(share, start) for v, w, start in found if (share := pairs(v, w)) is not None]
        share, start = map(np.array, zip(*shares))
        return share.mean(), *bootstrap(lambda times: times @ share / times.sum(-1), start)

    @functools.cached_property
    def chance(self):
        """The deviance (S, R) of the share of all other starts as everybody's probability."""
        return self.left_out_deviance(np.zeros((*self.won.shape, 1)))[1]

    def left_out_deviance(self, X):
        """For columns X (S, R, k): the probabilities of a logistic regression on the other starts,
        and their deviance, (S, R) each."""
        S, R, k = X.shape
        p = left_out(X.reshape(S * R, k), self.won.ravel(), np.repeat(self.start, R)).reshape(S, R)
        return p, deviance(p, self.won)

    def joint(self, *names):
        """A logistic regression on these quantities, each start by one fitted to the others: the
        rank correlation of its share with the share that succeed, and the fraction of the deviance
        it explains, each with its 95% interval, whole starts drawn anew."""
        if names not in self.known:
            self.known[names] = self.fresh_joint(*names)
        return self.known[names]

    def fresh_joint(self, *names):
        """joint(), computed anew."""
        p, found = self.left_out_deviance(np.stack([self.values(name) for name in names], axis=-1))
        found, chance = found.sum(1), self.chance.sum(1)

        def explained(times):
            return 1 - times @ found / (times @ chance)

        return self.correlation(p), (explained(np.ones(len(found))), *bootstrap(explained, self.start))
