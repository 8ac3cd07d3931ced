"""Tables and sentences of docs/constant_sources.md: what constant sources do to the cells."""

import math

import numpy as np

import lstm_1997 as lstm
import studies
from analysis import claim, readings
from analysis import constant_sources as start
from studies import constant_sources as grids
from studies import lstm_1997 as lstm_grids
from tables import adding_problem as adding_tables
from tables import lstm_1997 as lstm_tables
from tables.writing import listed, markdown, thousands, three

CONDITIONS = {  # of the weights to the cells from gates and bias
    "learn": "learn like all others: the paper", "slow": "learn at a hundredth of the rate",
    "frozen": "stay as they start", "absent": "do not exist"}
TENTH = 0.1


def stopped(record):
    return [n for n in record["final"]["sequences_to_success"] if n is not None]


def trials(record):
    """Of how many trials, and by when."""
    return (f"{len(stopped(record))}/{record['settings']['trials']} by "
            f"{thousands(record['settings']['max_sequences'])}")


def mean_and_range(values):
    return f"{three(np.mean(values))} [{three(min(values))}, {three(max(values))}]" if values else "-"


def moments(values):
    """Median and range of numbers of sequences, some of them infinite."""
    words = ["-" if value == math.inf else thousands(value)
             for value in (np.median(values), min(values), max(values))]
    return words[0] if len(set(words)) == 1 else f"{words[0]} [{words[1]}, {words[2]}]"


def adding(results):
    """Experiment 4: output weights and stops by what the constant sources do."""
    lines = []
    for (T, constant), [record] in studies.arms(results, "constant-sources-4").items():
        _, w_out = start.first_block(record, "w_out")
        lines.append([
            T if constant == "learn" else "", CONDITIONS[constant], f"{np.median(w_out[0]):.3f}",
            f"{least(w_out):.2g}", moments(start.sequences_until(record, TENTH)), trials(record),
            mean_and_range(stopped(record))])
    return markdown(
        ["T", "weights to the cells from gates and bias", "output weights at first", "at their smallest",
         "sequences until a tenth is left (-: not within the run)", "trials that stop", "mean of those [range]"], lines)


def least(w_out):
    """The smallest value over time of the median over all trials, those that have ended with their
    last value."""
    filled = w_out.copy()
    for k in range(1, len(filled)):
        filled[k] = np.where(np.isnan(filled[k]), filled[k - 1], filled[k])
    return np.median(filled, axis=1).min()


def calculation(results):
    """The calculated pace of decay and growth beside the measured ones."""
    arms, lines = studies.arms(results, "constant-sources-4"), []
    for T in grids.CAPS:
        decay, growth = start.rates(T)
        shrink = start.sequences_until(arms[T, "learn"][0], TENTH)
        absent = arms.get((T, "absent"))
        grow = moments(start.sequences_until(absent[0], 1 / TENTH)) if absent else "-"
        lines.append([T, f"{decay / growth:,.0f}", thousands(max(1, math.log(10) / decay)), moments(shrink),
                      thousands(math.log(10) / growth), grow])
    return markdown(
        ["T", "decay over growth, calculated", "sequences to a tenth: calculated", "measured, the paper's net",
         "sequences to ten times: calculated", "measured, no constant sources"], lines)


def elsewhere(results):
    """The same cause in other places."""
    found = readings.runs(results)
    row = next(row for row in lstm.TABLE_ROWS if (row.experiment, row.T) == ("3a", 1000))
    literal, common = lstm_tables.most_given(found, row), readings.best(found, row, readings.common)
    claim(common.all_stop and len(literal.reached) < row.trials, "3a with T = 1000")
    own = {T: studies.arms(results, name) for T, name in (
        (500, "adding-lstm1997-sources"), (1000, "adding-lstm1997-sources-1000"))}
    solved = {(sources, T): f"{adding_tables.solved(records)} of {len(records)}"
              for T, arms in own.items() for sources, records in arms.items()}
    return "\n".join([
        f"- 3a with T = 1000, which stops in {len(literal.reached)} of {row.trials} trials word for word, does in all with "
        f"cells that see the inputs and their slow bias, after {three(np.mean(common.reached))} sequences (paper "
        f"{thousands(row.paper)}).",
        f"- The cell without forget gate in [adding_problem.py](adding_problem.md), trained with the full gradient and Adam, "
        f"solves T = 500 in {solved['inputs', 500]} seeds if its candidate sees the inputs alone, and in {solved['all', 500]} if it sees "
        f"everything; T = 1000 in {solved['inputs', 1000]} and {solved['all', 1000]}.",
        "- The neural sequence chunker that never takes over has [another reason](lstm_1997_rivals.md)."])


def findings(results):
    """The page's findings."""
    arms = studies.arms(results, "constant-sources-4")
    tenth = start.sequences_until(arms[500, "learn"][0], TENTH)
    rest = {constant: len(stopped(arms[500, constant][0])) for constant in ("slow", "frozen")}
    claim(not stopped(arms[500, "learn"][0]) and min(rest.values()) > 5, "T = 500")
    row = next(row for row in lstm.TABLE_ROWS if (row.experiment, row.T) == ("4", 500))
    common = readings.best(readings.runs(results), row, readings.common)
    claim(common.solved, "without them all trials stop")
    alone = [run for run in readings.runs(results, lstm_grids.SOURCES_2C) if run.all_stop]
    return "\n".join([
        "1. Weights to the cells from gates and bias, which say about the same at every step, turn the states into noise as "
        "they learn, and the net stops listening to its cells. Adding with T = 500: a tenth of the output weights is left "
        f"after {moments(tenth)} sequences (median, range), and no trial learns.",
        f"2. It is their learning: at a hundredth of the rate {rest['slow']} of 10 trials stop by "
        f"{thousands(grids.CAPS[500])} sequences, left as they start {rest['frozen']}. If the cells see the inputs and "
        f"their own, slow bias only, all {len(common.reached)} do, after {three(np.mean(common.reached))} (paper "
        f"{thousands(row.paper)}).",
        "3. 2c word for word, but for cells that see the inputs only: "
        f"{sum(len(run.reached) for run in alone)} of {sum(run.row.trials for run in alone)} trials stop with q = "
        f"{listed(run.row.q for run in alone)}, after {listed(f'{run.over_paper:.2f}' for run in alone)} times the paper's "
        "mean. The gates keep all their sources."])


TABLES = {
    "constant_sources:findings": findings, "constant_sources:adding": adding,
    "constant_sources:calculation": calculation, "constant_sources:elsewhere": elsewhere}
