"""The test sets that stop Experiment 3b of the 1997 paper where noise hides the class, N = 1."""

import math

import numpy as np

import lstm_1997 as lstm

ALLOWED = 5  # wrong sequences of a test set that its first criterion, ST1, allows


def turned_signs():
    """The share of sequences in which noise turns the sign of the only informative element."""
    return 0.5 * math.erfc(1 / (lstm.NOISE * math.sqrt(2)))


def share_of_hard_sets(allowed=ALLOWED):
    """The share of test sets with more turned signs than wrong ones are allowed."""
    n, turned = lstm.N_STOP, turned_signs()
    return 1 - sum(
        math.comb(n, k) * turned**k * (1 - turned) ** (n - k) for k in range(allowed + 1))


def hardness(batches):
    """Of one test set: how many signs noise turns, and the fewest wrong ones with any threshold."""
    x = np.concatenate([batch.x[:, 0, 0] for batch in batches])
    high = np.concatenate([batch.target[:, 0] > 0.5 for batch in batches])
    fewest = min(np.sum((x > threshold) != high) for threshold in x)
    return np.sum((x > 0) != high), fewest
