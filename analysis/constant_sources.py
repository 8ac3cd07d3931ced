"""How fast the output weights of Experiment 4 shrink and grow at the start of training: by a short
calculation, and measured on the records of constant_sources.py.

At the start the states are small: y_c = y_out h(s) is about c s with c = y_out h' = 1/4. A constant
source m moves the state at the end by A_m = sum over t of y_in g' y_m for a change of 1 of its
weight; bias and output gates (1/2 each) together by A = sqrt(1.5) T y_in. Let d be the error of a
constant answer, of variance var, and s = A x. A sequence with the error e of about d changes

    the output weight w by lr e c s = k e x, and x, through the constant sources, by lr e c w A = k e w,

with k = lr c A. So (w, x) turns by a hyperbolic angle of random sign, which leaves w^2 - x^2 as it
is to first order; to second order it shrinks by (k e)^2 every time. And the part of the error that
the net itself makes pulls w x to 0. Hence w shrinks by k^2 var / 2 a sequence. What is to be
learned, the weight v of the values, grows together with w: s holds y_in v (X1 + X2), whose
covariance with the target is y_in v / 6, so both grow by lr c y_in / 6 a sequence."""

import math

import numpy as np

import lstm_1997 as lstm

KINDS = {"cc": "cells to cells", "cg": "cells to gates", "gc": "gates to cells", "gg": "gates to gates"}
VARIANCE = 2 * (1 / 3) / 4**2  # of the target 0.5 + (X1 + X2) / 4, X1 and X2 from U(-1, 1)
C = 1 / 4  # y_out h' at the start
OTHERS = 1.5  # squared sources: the bias, 1, and two output gates, 1/4 each


def rates(T):
    """By the calculation above, for the first block of the paper's net and the error t - y: how
    much the output weights shrink through constant sources, and grow without them, a sequence."""
    row = lstm.Settings(experiment="4", T=T).row
    y_in = 1 / (1 + math.exp(-row.input_gate_bias[0]))
    k = row.lr * C * math.sqrt(OTHERS) * T * y_in
    return k**2 * VARIANCE / 2, row.lr * C * y_in / 6


def named_kinds(connections):
    """The kinds of weights between hidden units that exist, in words."""
    return [name for kind, name in KINDS.items() if kind in connections.split(",")]


def leads_to_cells(connections):
    """Whether weights from hidden units to the cells exist."""
    return not {"cc", "gc"}.isdisjoint(connections.split(","))


def first_block(record, name):
    """A trace's first block: training sequences (n,) and values (n, trials), NaN for a trial that
    has ended."""
    values = [[math.nan if of_trial is None else of_trial[0] for of_trial in moment]
              for moment in record["history"][name]]
    return np.array(record["history"]["train_sequences"]), np.array(values)


def sequences_until(record, factor):
    """For each trial, the first moment at which |w_out| of the first block is at most (factor below
    1) or at least that many times what it was after the first sequence; infinite if it never is."""
    moments, w_out = first_block(record, "w_out")
    ratio = w_out / w_out[0]
    there = ratio <= factor if factor < 1 else ratio >= factor
    return np.where(there.any(0), moments[there.argmax(0)], math.inf)
