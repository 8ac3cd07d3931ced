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
