"""What the records of information latching say besides success: how gradients decay, who
succeeds, how steep a loss is."""

import numpy as np


def factor_per_step(short, long, steps):
    """By how much |dh_T/dx_1| falls with each of `steps` further steps, from its values at a
    short and a long T."""
    return (np.array(long) / np.array(short)) ** (1 / steps)


def pairs_won(values, others):
    """The share of pairs, one of each, in which the value is the higher one (Mann & Whitney
    1947)."""
    return np.mean(np.array(values)[:, None] > np.array(others))


def ranks(values):
    """The place of each value in the order of all, from 1; equal ones share the mean of their
    places."""
    _, which, number = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    return (np.cumsum(number) - (number - 1) / 2)[which]


def rank_correlation(values, others):
    """Spearman's rank correlation: that of the ranks."""
    return np.corrcoef(ranks(values), ranks(others))[0, 1]


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
    """The 95% interval of statistic(indices) when whole groups are drawn anew, with replacement
    (percentiles, from one fixed stream). groups: (n,), equal where two of the n belong together."""
    rng, values = np.random.default_rng(0), []
    _, which = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(which == k) for k in range(which.max() + 1)]
    for _ in range(draws):
        drawn = rng.integers(0, len(members), len(members))
        value = statistic(np.concatenate([members[k] for k in drawn]))
        if np.isfinite(value):
            values.append(value)
    return np.quantile(values, [0.025, 0.975])


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
