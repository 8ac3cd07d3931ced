"""The runs behind docs/lstm_1997.md.

A record holds all trials of a row; rows of equal shape train in one lockstep. A label is the row,
in words, and the reading of the text. Where no cap is given it is twice the paper's count.
"""

import lstm_1997 as lstm
from studies import Study

IDENTITY = ("T", "N", "q", "p", "blocks", "lr")  # what tells the rows of an experiment apart

# Readings. The first two change nothing the text says; the others are the smallest named changes
# that were expected to bring a row to the paper's figure.
LITERAL, STEP = {}, dict(update="step")
REBER = dict(update="step", ranges="table10", gate_start=0.5, output_error="flat-spot")
WIDER = REBER | dict(ranges="wide")
TWICE = dict(error_factor=2.0)
LAG = TWICE | dict(ranges="table10")
ADDING = LAG | dict(output_error="plain")
LARGER, LARGEST = ADDING | dict(init_scale=12.0), ADDING | dict(init_scale=24.0)
STEEPER = dict(output_error="flat-spot", ranges="table10")
FULL = dict(gradient="full")


def rows(task, readings, cap=None):
    """A task's settings with each of some readings, {(row, reading): settings}; cap: training
    sequences at most."""
    words = [f"{key}={task[key]}" for key in IDENTITY if key in task]
    name = " ".join([task["experiment"], *words])
    capped = {} if cap is None else dict(max_sequences=cap)
    return {(name, reading): task | capped | changes for reading, changes in readings.items()}


def reber(blocks, lr):
    return dict(experiment="1", blocks=blocks, lr=lr)


def signals(experiment, T, N):
    return dict(experiment=experiment, T=T, N=N)


def lag(q, p):
    return dict(experiment="2c", q=q, p=p)


def adding(T):
    return dict(experiment="4", T=T)


# Tables 1 to 9
_THREE = {"literal": LITERAL, "update step": STEP, "wider": WIDER}
TABLE_1 = (
    rows(reber(4, 0.1), _THREE) | rows(reber(3, 0.1), _THREE) | rows(reber(3, 0.2), _THREE)
    | rows(reber(4, 0.5), _THREE)
    | rows(reber(3, 0.5), {"literal": LITERAL, "update step": STEP, "reber": REBER}, 30_000))
_TWO = {"literal": LITERAL, "update step": STEP}
TABLE_2 = {
    **rows(dict(experiment="2a"), _TWO),
    **rows(dict(experiment="2a"), {"named changes": dict(
        output_error="flat-spot", error_factor=2.0, add_cell_when=100, update="step")}, 15_000),
    **rows(dict(experiment="2b"), _TWO),
    **rows(dict(experiment="2b"), {"named changes": dict(
        errors_at="end", output_error="plain", add_cell_when=100)}, 15_000)}
_LITERAL, _ALONE = {"literal": LITERAL}, {"no recurrence": dict(recurrent="none")}
TABLE_3 = (
    rows(lag(50, 50), _LITERAL, 150_000) | rows(lag(100, 100), _LITERAL)
    | rows(lag(200, 200), _LITERAL) | rows(lag(50, 50), _ALONE, 90_000)
    | rows(lag(100, 100), _ALONE, 93_000) | rows(lag(200, 200), _ALONE, 99_000))
TABLE_3_500 = rows(lag(500, 500), _ALONE, 114_000)  # without recurrence three times the paper's
TABLE_3_1000 = (
    rows(lag(1000, 1000), _ALONE, 147_000) | rows(lag(1000, 500), _ALONE, 147_000)
    | rows(lag(1000, 200), _ALONE, 225_000) | rows(lag(1000, 100), _ALONE, 405_000)
    | rows(lag(1000, 50), _ALONE, 609_000))
TABLE_3_LONG = (
    rows(lag(500, 500), _LITERAL) | rows(lag(1000, 1000), _LITERAL) | rows(lag(1000, 500), _LITERAL)
    | rows(lag(1000, 200), _LITERAL) | rows(lag(1000, 100), _LITERAL)
    | rows(lag(1000, 50), _LITERAL))
_STEEPER = {"steeper": STEEPER}
TABLES_4_TO_6 = (
    rows(signals("3a", 100, 3), _LITERAL, 398_500) | rows(signals("3a", 100, 1), _LITERAL)
    | rows(signals("3b", 100, 3), _LITERAL) | rows(signals("3b", 100, 1), _LITERAL, 392_200)
    | rows(signals("3c", 100, 3), _LITERAL) | rows(signals("3c", 100, 1), _LITERAL)
    | rows(signals("3a", 100, 3), _STEEPER) | rows(signals("3b", 100, 1), _STEEPER)
    | rows(signals("3c", 100, 3), _STEEPER) | rows(signals("3b", 100, 1), {"larger": LARGER}))
TABLES_4_AND_5_LONG = {
    **rows(signals("3a", 1000, 3), _LITERAL, 452_500),
    **rows(signals("3a", 1000, 3), _STEEPER, 904_900),
    **rows(signals("3b", 1000, 1), {
        "literal": LITERAL, "steeper, weights times 6": STEEPER | dict(init_scale=6.0),
        "larger": LARGER, "largest": LARGEST}, 485_100)}
TABLE_7 = rows(adding(100), _LITERAL, 1_000_000) | rows(adding(100), {"adding": ADDING}, 200_000)
_ADDING = {"literal": LITERAL, "adding": ADDING, "larger": LARGER}
TABLE_7_LONG = rows(adding(500), _ADDING) | rows(adding(1000), _ADDING, 853_000)
TABLE_8 = rows(dict(experiment="5"), {"literal": LITERAL, "twice the error": TWICE,
                                      "plain error": dict(output_error="plain")})
TABLE_9 = {
    **rows(dict(experiment="6a"), _LITERAL, 313_900),
    **rows(dict(experiment="6a"), {"ranges of table 10": dict(ranges="table10")}),
    **rows(dict(experiment="6b"), {"literal": LITERAL, "steeper": STEEPER,
                                   "steeper, twice the error": STEEPER | TWICE})}
PAPER = {  # every row of the paper's tables
    **TABLE_1, **TABLE_2, **TABLE_3, **TABLE_3_500, **TABLE_3_1000, **TABLE_3_LONG, **TABLES_4_TO_6,
    **TABLES_4_AND_5_LONG, **TABLE_7, **TABLE_7_LONG, **TABLE_8, **TABLE_9}

# Literal rows that do not stop, given ten times the paper's mean. 1, 3 blocks, rate 0.5 has 100,000
LITERAL_1 = (
    rows(reber(4, 0.1), _TWO, 397_400) | rows(reber(3, 0.1), _TWO, 217_300)
    | rows(reber(3, 0.2), _TWO, 140_600) | rows(reber(4, 0.5), _TWO, 95_000)
    | rows(reber(3, 0.5), _LITERAL, 100_000))
LITERAL_2AB = (
    rows(dict(experiment="2a"), _TWO, 50_400) | rows(dict(experiment="2b"), _TWO, 56_800))
LITERAL_2C = (
    rows(lag(50, 50), _LITERAL, 300_000) | rows(lag(100, 100), _LITERAL, 310_000)
    | rows(lag(200, 200), _LITERAL, 330_000))
LITERAL_2C_500 = rows(lag(500, 500), _LITERAL, 380_000)
LITERAL_2C_1000 = (
    rows(lag(1000, 1000), _LITERAL, 490_000) | rows(lag(1000, 500), _LITERAL, 490_000)
    | rows(lag(1000, 200), _LITERAL, 750_000))
LITERAL_3 = (
    rows(signals("3b", 100, 1), _LITERAL, 784_300) | rows(signals("3c", 100, 3), _LITERAL, 2_696_500))
LITERAL_4 = rows(adding(500), _LITERAL, 2_090_000)
LITERAL_6B = rows(dict(experiment="6b"), _LITERAL, 5_711_000)
LITERAL_LONGER = {
    **LITERAL_1, **LITERAL_2AB, **LITERAL_2C, **LITERAL_2C_500, **LITERAL_2C_1000, **LITERAL_3,
    **LITERAL_4, **LITERAL_6B}

# Cells that see no constant sources: no gates and no bias, or the inputs only
_NARROW = {"cells see inputs": dict(cell_sources="inputs")}
SOURCES_2C = (
    rows(lag(50, 50), _NARROW, 90_000) | rows(lag(100, 100), _NARROW, 93_000)
    | rows(lag(200, 200), _NARROW, 99_000) | rows(lag(500, 500), _NARROW, 114_000))
SOURCES_2C_LONG = (
    rows(lag(1000, 1000), _NARROW, 147_000) | rows(lag(1000, 500), _NARROW, 147_000)
    | rows(lag(1000, 200), _NARROW, 225_000) | rows(lag(1000, 100), _NARROW, 405_000)
    | rows(lag(1000, 50), _NARROW, 609_000))
# The paper's net with all its weights, those to the cells from hidden units and the bias slow
_SLOW = {"slow to the cells": dict(output_error="plain", cell_rate=0.1)}
SLOW = (rows(adding(100), _SLOW) | rows(adding(500), _SLOW)
        | rows(dict(experiment="5"), _SLOW))
SLOW_LONG = rows(adding(1000), _SLOW)
SOURCES_3B = rows(signals("3b", 1000, 1), {
    "cells see inputs, fresh stop sets": dict(cell_sources="inputs", stop_set="fresh")})

# One reading for every row
def common(row):
    """The settings of a row in the reading that is the same for all. The cells see the inputs and
    their own bias only, the gates everything. The biases of the cells change by ten times the mean
    over the steps, not by the sum: a factor of 10 over the shortest length, 100 steps in 6a and 6b.
    The output error is t - y where it comes at the end; where it comes at every step, as in A.17,
    and none within 0.2 of the target. The sets that stop a trial of Experiment 3 are fresh."""
    needed = IDENTITY if row.experiment == "1" else IDENTITY[:-1]  # the rate tells rows of 1 apart
    given = {name: value for name, value in lstm.identity(row).items() if name in needed}
    settings = dict(experiment=row.experiment) | {
        name: value for name, value in given.items() if value is not None}
    if row.experiment in lstm.PREDICTING:
        settings |= dict(tolerance=0.2)
    else:
        settings |= dict(output_error="plain")
    if row.experiment not in ("2a", "2b"):
        settings |= dict(cell_sources="inputs")
    if row.bias in lstm.WITH_CELL_BIAS:
        settings |= dict(cell_bias="paper", cell_rate=10 / (row.T or 100))
    if row.experiment in ("3a", "3b", "3c"):
        settings |= dict(stop_set="fresh")
    return settings


def commons(*experiments, chosen=lambda row: True):
    """The rows of some experiments in that reading."""
    own = [row for row in lstm.TABLE_ROWS if row.experiment in experiments and chosen(row)]
    return {label: settings for row in own
            for label, settings in rows(common(row), {"common": {}}).items()}


COMMON_1, COMMON_2AB = commons("1"), commons("2a", "2b")
COMMON_2C = commons("2c", chosen=lambda row: row.q <= 5 * row.p)
COMMON_2C_LONG = commons("2c", chosen=lambda row: row.q > 5 * row.p)
COMMON_SHORT = commons("3a", "3b", "3c", "4", "5", "6a", "6b", chosen=lambda row: row.T != 1000)
COMMON_LONG = commons("3a", "3b", "4", chosen=lambda row: row.T == 1000)
# Where it misses, the named changes of the row alone that serve, or come closest
_WIDER = {"cells see cells, wide": dict(tolerance=0.3, cell_sources="cells", ranges="wide")}
NEAREST_1 = (
    rows(reber(4, 0.1), _WIDER, 397_400) | rows(reber(3, 0.1), _WIDER, 217_300)
    | rows(reber(3, 0.2), _WIDER, 140_600) | rows(reber(4, 0.5), _WIDER, 100_000)
    | rows(reber(3, 0.5), _WIDER, 100_000))
NEAREST_3A = rows(signals("3a", 100, 3), {"common, cells see cells": dict(
    output_error="plain", cell_sources="cells", cell_bias="paper", cell_rate=0.1, stop_set="fresh")})
NEAREST = NEAREST_1 | {
    label: TABLE_2[label] for label in TABLE_2 if label[1] == "named changes"} | {
    label: TABLES_4_TO_6[label] for label in TABLES_4_TO_6 if label == ("3a T=100 N=3", "steeper")} | {
    label: TABLE_9[label] for label in TABLE_9 if label == ("6a", "ranges of table 10")}
COMMON = COMMON_1 | COMMON_2AB | COMMON_2C | COMMON_2C_LONG | COMMON_SHORT | COMMON_LONG

# Section 6.1 and the remarks that the precise values hardly matter
_COUNT = {"literal": LITERAL, "gate biases at 0": dict(bias_scale=0.0)}
LIMITS = {
    **rows(dict(experiment="xor"), _LITERAL), **rows(dict(experiment="parity"), _LITERAL),
    **rows(signals("count", 11, 3), _COUNT), **rows(signals("count", 100, 99), _COUNT)}
_BIASES = {f"gate biases times {scale:g}": dict(bias_scale=scale) for scale in (0.0, 0.5, 2.0)}
VALUES_6A = rows(
    dict(experiment="6a", trials=10),
    _BIASES | {f"rate {lr:g}": dict(lr=lr) for lr in (0.1, 0.2, 1.0)}, 125_600)
VALUES_4 = rows(
    dict(experiment="4") | ADDING,
    _BIASES | {f"rate {lr:g}": dict(lr=lr) for lr in (0.25, 1.0)}, 200_000)
FULL_GRADIENT_BASE = (
    rows(dict(experiment="6a"), _LITERAL) | rows(signals("3a", 100, 3), _LITERAL)
    | rows(dict(experiment="xor"), _LITERAL))
_FULL = {"full gradient": FULL}
FULL_GRADIENT = (
    rows(dict(experiment="6a", trials=10), _FULL) | rows(signals("3a", 100, 3), _FULL)
    | rows(dict(experiment="xor"), _FULL))

# Section 5.1.6
OUTPUT_GATES_BASE = {label: TABLE_1[label] for label in list(TABLE_1)[-2:]}
OUTPUT_GATES = rows(
    reber(3, 0.5) | dict(output_gates="none"),
    {"no output gates, update step": STEP, "no output gates, reber": REBER}, 30_000)

# Readings of the rows that no reading has brought to the paper's figure
RIDDLE_1 = {
    **rows(reber(3, 0.5), {"update step, longer": STEP, "reber, longer": REBER}, 100_000),
    **rows(reber(3, 0.5), {
        "reber, h4 and flat spot 0.05": REBER | dict(ranges="h4", flat_spot=0.05),
        "wider": WIDER,
        "reber, weights times 2": REBER | dict(init_scale=2.0),
        "reber, derivatives carried on": REBER | dict(carry_derivatives=True),
        "reber, full gradient": REBER | FULL | dict(update="sequence")}, 30_000),
    **rows(reber(3, 0.5), {"wider, longer": WIDER}, 100_000)}
_LAG = {"lag": LAG}
RIDDLE_2C = {
    **rows(lag(50, 50), _LAG, 150_000), **rows(lag(100, 100), _LAG, 150_000),
    **rows(lag(200, 200), _LAG, 150_000),
    **rows(lag(50, 50), {
        "lag, wide": LAG | dict(ranges="wide"), "lag, h4": LAG | dict(ranges="h4"),
        "lag, gates start at 0.5": LAG | dict(gate_start=0.5),
        "lag, weights times 0.5": LAG | dict(init_scale=0.5),
        "lag, flat spot": LAG | dict(output_error="flat-spot")}, 60_000),
    **rows(lag(100, 100), {"lag, weights times 0.1": LAG | dict(init_scale=0.1)}),
    **rows(lag(200, 200), {"lag, weights times 0.1": LAG | dict(init_scale=0.1)}),
    **rows(lag(200, 200), {"recurrence from zero": dict(recurrent="zero")})}
RIDDLE_4 = rows(adding(500) | ADDING, {
    "gate biases times 2": dict(bias_scale=2.0), "gate biases times 3": dict(bias_scale=3.0),
    "rate 0.25": dict(lr=0.25), "wide": dict(ranges="wide")}, 418_000)
FIRST_WEIGHTS = {
    **rows(dict(experiment="4"), {"larger": LARGER}, 200_000),
    **rows(adding(500), {"largest": LARGEST})}

_FULL_BASE = {label: FULL_GRADIENT_BASE[label] for label in list(FULL_GRADIENT_BASE)[:2]}


def study(name, shows, grid, minutes, keep=("history",)):
    return Study(f"lstm-{name}", shows, "lstm_1997", grid, None, minutes, keep=keep)


STUDIES = [
    study("table-1", "embedded Reber grammar, Table 1", TABLE_1, 60),
    study("table-2", "2a and 2b, Table 2", TABLE_2, 30, keep=None),
    study("table-3", "2c with q = 50, 100 and 200, Table 3", TABLE_3, 20),
    study("table-3-500", "2c with q = 500 and no recurrence, Table 3", TABLE_3_500, 3),
    study("table-3-1000", "2c with q = 1000 and no recurrence, Table 3", TABLE_3_1000, 60),
    study("table-3-long", "2c with q = 500 and 1000, literal, Table 3", TABLE_3_LONG, 190),
    study("tables-4-to-6", "3a, 3b and 3c with T = 100, Tables 4 to 6", TABLES_4_TO_6, 40),
    study("tables-4-and-5-long", "3a and 3b with T = 1000, Tables 4 and 5",
          TABLES_4_AND_5_LONG, 220),
    study("table-7", "adding with T = 100, Table 7", TABLE_7, 20, keep=None),
    study("table-7-long", "adding with T = 500 and 1000, Table 7", TABLE_7_LONG, 400, keep=None),
    study("table-8", "multiplication, Table 8", TABLE_8, 60, keep=None),
    study("table-9", "temporal order, Table 9", TABLE_9, 40, keep=None),
    study("literal-1", "the Reber grammar, literal, ten times the paper's mean", LITERAL_1, 80),
    study("literal-2ab", "2a and 2b, the same", LITERAL_2AB, 40, keep=None),
    study("literal-2c", "2c with q = 50, 100 and 200, the same", LITERAL_2C, 50),
    study("literal-2c-500", "2c with q = 500, the same", LITERAL_2C_500, 90),
    study("literal-2c-1000", "2c with q = 1000, p = 1000, 500 and 200, the same", LITERAL_2C_1000, 260),
    study("literal-3", "3b and 3c with T = 100, the same", LITERAL_3, 12),
    study("literal-4", "4 with T = 500, the same", LITERAL_4, 80, keep=None),
    study("literal-6b", "6b, the same", LITERAL_6B, 75, keep=None),
    study("sources-2c", "2c with cells that see the inputs only, q up to 500", SOURCES_2C, 8),
    study("sources-2c-long", "the same with q = 1000", SOURCES_2C_LONG, 80),
    study("slow", "adding over 100 and 500 steps and multiplying, with slow weights to the cells",
          SLOW, 40, keep=None),
    study("slow-long", "the same, adding over 1000 steps", SLOW_LONG, 120, keep=None),
    study("sources-3b", "3b with T = 1000, cells that see the inputs only", SOURCES_3B, 25),
    study("common-1", "the Reber grammar in the reading that is the same for all rows", COMMON_1, 10),
    study("nearest-1", "the Reber grammar, wide ranges and cells that see cells", NEAREST_1, 15),
    study("nearest-3a", "3a with T = 100 and N = 3, cells that see cells and their bias", NEAREST_3A, 1),
    study("common-2ab", "2a and 2b in that reading", COMMON_2AB, 10),
    study("common-2c", "2c in that reading, all rows but two", COMMON_2C, 40),
    study("common-2c-long", "2c in that reading, q = 1000 with p = 100 and 50", COMMON_2C_LONG, 90),
    study("common-short", "3a to 6b in that reading, up to T = 500", COMMON_SHORT, 80, keep=None),
    study("common-long", "3a, 3b and 4 in that reading, T = 1000", COMMON_LONG, 80, keep=None),
    study("output-gates", "section 5.1.6: without output gates", OUTPUT_GATES, 8),
    study("limits", "section 6.1: exclusive or, parity, counting", LIMITS, 20),
    study("full-gradient", "section 6.1: the full gradient", _FULL_BASE | FULL_GRADIENT, 18,
          keep=None),
    study("values-6a", "other gate biases and rates, Experiment 6a", VALUES_6A, 6),
    study("values-4", "other gate biases and rates, Experiment 4", VALUES_4, 10),
    study("riddle-2c", "further readings of 2c with q = 50 to 200", RIDDLE_2C, 25),
    study("riddle-1", "further readings of the embedded Reber grammar", RIDDLE_1, 55),
    study("riddle-4", "further readings of adding with T = 500", RIDDLE_4, 60),
    study("first-weights", "adding with larger first weights, T = 100 and 500", FIRST_WEIGHTS, 25),
]
