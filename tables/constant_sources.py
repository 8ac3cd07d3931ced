"""Tables and sentences of docs/constant_sources.md: what constant sources do to the cells."""

import math

import numpy as np

import constant_sources
import lstm_1997 as lstm
import studies
from analysis import claim, readings
from analysis import constant_sources as start
from studies import constant_sources as grids
from studies import lstm_1997 as lstm_grids
from tables import adding_problem as adding_tables
from tables import lstm_1997 as lstm_tables
from tables.writing import count, listed, markdown, thousands, three

CONDITIONS = {  # of the weights to the cells from gates and bias
    "learn": "learn like all others: the paper", "slow": "learn at a hundredth of the rate",
    "frozen": "stay as they start", "absent": "do not exist"}
TENTH = 0.1


def stopped(record):
    return [n for n in record["final"]["sequences_to_success"] if n is not None]


def trials(record):
    """Of how many trials, with the 95% interval of the share, and by when."""
    return (f"{count(len(stopped(record)), record['settings']['trials'])} by "
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
    for (T, constant), record in studies.by_label(results, "constant-sources-4").items():
        _, w_out = start.first_block(record, "w_out")
        lines.append([
            T if constant == "learn" else "", CONDITIONS[constant], f"{np.median(w_out[0]):.3f}",
            f"{least(w_out):.2g}", moments(start.sequences_until(record, TENTH)), trials(record),
            mean_and_range(stopped(record))])
    return markdown(
        ["T", "weights to the cells from gates and bias", "output weights at first", "at their smallest",
         "sequences until a tenth is left (-: not within the run)", "trials that stop (95% interval)", "mean of those [range]"], lines)


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
        grow = moments(start.sequences_until(arms[T, "absent"][0], 1 / TENTH))
        lines.append([T, f"{decay / growth:,.0f}", thousands(max(1, math.log(10) / decay)), moments(shrink),
                      thousands(math.log(10) / growth), grow])
    return markdown(
        ["T", "decay over growth, calculated", "sequences to a tenth: calculated", "measured, the paper's net",
         "sequences to ten times: calculated", "measured, no constant sources"], lines)


def lag(results):
    """Experiment 2c: states and slopes at the end of a sequence, early and late."""
    lines, last = [], None
    runs = {(q, "gates and cells: the paper" if constant == "learn" else "cells"): record
            for (q, constant), record in studies.by_label(results, "constant-sources-2c").items()}
    inputs_only = studies.arms(results, "constant-sources-connections")["cg,gg"][0]
    runs[inputs_only["settings"]["q"], "none"] = inputs_only
    for (q, leading), record in sorted(runs.items(), key=lambda run: run[0][0]):
        moment, state = start.first_block(record, "state")
        _, slope = start.first_block(record, "slope")
        chosen = [int(np.argmin(abs(moment - n))) for n in (1, 1000, min(grids.STATES_CAP, moment[-1]))]
        lines.append([
            q if q != last else "", leading,
            *(f"{np.nanmedian(state[k]):.2g}" for k in chosen), *(tiny(np.nanmedian(slope[k])) for k in chosen)])
        last = q
    at = [f"after {thousands(n)}" for n in (1000, grids.STATES_CAP)]
    return markdown(
        ["q", "hidden units that lead to the cells", "state: first sequence", *at, "h': first sequence", *at], lines)


def tiny(value):
    """A slope with one digit; below a millionth, that."""
    return f"{value:.1g}" if value >= 1e-6 else "< 1e-6"


def connections(results):
    """Experiment 2c: which connections may stay."""
    lines = []
    for kinds, record in studies.by_label(results, "constant-sources-connections").items():
        there = start.named_kinds(kinds)
        lines.append([
            listed(there) if there else "none", record["final"]["weights"], trials(record),
            mean_and_range(stopped(record))])
    return markdown(["weights between hidden units", "weights", "trials that stop (95% interval)", "mean of those [range]"], lines)


def connections_answer(results):
    """The same in a sentence."""
    arms = studies.by_label(results, "constant-sources-connections")
    to_gates = [len(stopped(record)) for kinds, record in arms.items() if not start.leads_to_cells(kinds)]
    to_cells = [len(stopped(record)) for kinds, record in arms.items() if start.leads_to_cells(kinds)]
    q = constant_sources.Settings(**arms["none"]["settings"]).q
    claim(min(to_gates) == max(to_gates) > max(to_cells), "weights to the gates do no harm, weights to the cells do")
    return (
        f"2c, q = {q}: if gates or cells lead to the cells, {'no trial stops' if not max(to_cells) else 'few trials stop'}; if "
        f"they lead to the gates only, {max(to_gates)} of 10.")


def slow(results):
    """The paper's net with slow weights to the cells from hidden units and the bias."""
    lines = []
    for run in slow_runs(results):
        literal = lstm_tables.most_given(readings.runs(results), run.row)
        lines.append([run.settings.named, f"{lstm.Layout(run.settings).weights}", thousands(run.row.paper),
                      *(cell for each in (literal, run) for cell in (
                          lstm_tables.by(len(each.reached), each.settings.trials, each.settings.max_sequences),
                          mean_and_range(each.reached), f"{each.over_paper:.2f}" if each.reached else "-"))])
    return markdown(
        ["row", "weights", "paper: mean", "literal", "mean [range]", "over the paper's",
         "a tenth of the rate to the cells, error t - y", "mean [range]", "over the paper's"], lines)


def slow_runs(results):
    """The rows that were run with slow weights to the cells."""
    return readings.runs(results, lstm_grids.SLOW, lstm_grids.SLOW_LONG)


def slow_answer(results):
    """The same in a sentence."""
    runs = [run for run in slow_runs(results) if run.row.experiment == "4"]
    claim(all(run.solved for run in runs), "slow weights serve Experiment 4")
    counts = listed(f"{three(np.mean(run.reached))} with T = {run.row.T} (paper {thousands(run.row.paper)})" for run in runs)
    return (
        "Adding (Experiment 4) in the paper's own net, all weights kept, those to the cells from hidden units and the bias at a "
        f"tenth of the rate, error t - y: all trials stop, after {counts}.")


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
    rest = {constant: stopped(arms[500, constant][0]) for constant in ("slow", "frozen", "absent")}
    claim(not stopped(arms[500, "learn"][0]) and min(map(len, rest.values())) > 5, "T = 500")
    claim(len(rest["absent"]) == 10, "without constant sources all trials stop")
    row = next(row for row in lstm.TABLE_ROWS if (row.experiment, row.T) == ("4", 500))
    literal = lstm_tables.most_given(readings.runs(results), row)
    claim(literal.all_stop and not literal.within, "word for word T = 500 is slow, and not out of reach")
    alone = [run for run in readings.runs(results, lstm_grids.SOURCES_2C) if run.all_stop]
    return "\n".join([
        f"1. {slow_answer(results)}",
        "2. Weights from gates and bias say about the same at every step; learning, they turn the states into noise, "
        "the net stops listening. At T = 500 a tenth of the output weights is left "
        f"after {moments(tenth)} sequences, and no trial stops by {thousands(grids.CAPS[500])} (word for word all do, "
        f"after {literal.over_paper:.1f} times the paper's mean).",
        f"3. It is their learning: at a hundredth of the rate {len(rest['slow'])} of 10 trials stop by "
        f"{thousands(grids.CAPS[500])} sequences, left as they start {len(rest['frozen'])}; without these weights all 10 do, "
        f"after {three(np.mean(rest['absent']))} (paper {thousands(row.paper)}).",
        f"4. {connections_answer(results)} Then the paper's counts come out: "
        f"{sum(len(run.reached) for run in alone)} of {sum(run.row.trials for run in alone)} trials stop by three times its mean with q = "
        f"{listed(run.row.q for run in alone)}, after {listed(f'{run.over_paper:.2f}' for run in alone)} times it."])


TABLES = {
    "constant_sources:findings": findings, "constant_sources:slow": slow,
    "constant_sources:adding": adding, "constant_sources:calculation": calculation, "constant_sources:lag": lag,
    "constant_sources:connections": connections,
    "constant_sources:elsewhere": elsewhere}
