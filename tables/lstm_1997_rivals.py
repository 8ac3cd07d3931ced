"""Tables and sentences of what the LSTM was compared with: lstm_1997_rivals.py,
cascade_correlation.py and weight_guessing.py."""

from typing import NamedTuple

import numpy as np

import cascade_correlation
import harness
import lstm_1997
import lstm_1997_rivals as rivals
import studies
import studies.lstm_1997 as lstm_grids
import weight_guessing
from tables.lstm_1997 import counted, every_reading, of_stopped, pairs_of, stopped_by
from tables.writing import benchmark, claim, markdown, thousands

STUDIES = (
    "rivals-reber", "rivals-lag-4", "rivals-lag-10", "rivals-lag-100", "rivals-lag-100-bptt", "rivals-chunker")
NAMES = {"rtrl": "RTRL", "bptt": "BPTT", "elman": "Elman net", "rcc": "cascade-correlation", "chunker": "chunker",
         "guessing": "guessing"}
# Per cent of the LSTM's trials that succeed in the paper's Table 1, by blocks and rate; in Table 2 all do
LSTM_SUCCESS = {(4, 0.1): 100, (3, 0.1): 100, (3, 0.2): 97, (4, 0.5): 97, (3, 0.5): 100}


# --------------------------------------------------------------------------------------------------
# Records
# --------------------------------------------------------------------------------------------------

class Run(NamedTuple):
    """A row of the tables that has been run with all its trials up to its cap."""

    method: str
    settings: object  # of its program
    record: dict
    table: int | None  # of the paper
    success: str = "-"  # per cent of the paper's trials
    sequences: str = "-"  # of the paper's, until success

    @property
    def final(self):
        return self.record["final"]

    @property
    def lr(self):
        return getattr(self.settings, "lr", None)

    @property
    def p(self):
        return getattr(self.settings, "p", None)

    @property
    def rate(self):
        return "" if self.lr is None else f", rate {self.lr:g}"

    @property
    def cap(self):
        """Where a trial is given up: cascade-correlation at its most units, long before the cap
        on presentations."""
        if self.method == "rcc":
            return f"{self.settings.hidden} units"
        return thousands(self.settings.max_sequences)

    @property
    def counts(self):
        return counted(self.final["sequences_to_success"], self.cap)


def runs(results):
    """Every run, in the order of the tables: the paper's by table, then the others."""
    found = [*of_rivals(results), *of_cascade_correlation(results), *of_guessing(results)]
    return sorted(found, key=lambda run: run.table or 9)


def records(results, *names):
    return [found[0] for name in names for found in studies.arms(results, name).values()]


def of_rivals(results):
    found = [(rivals.Settings(**record["settings"]), record) for record in records(results, *STUDIES)]
    order = rivals.TABLE_ROWS + rivals.OTHER_ROWS
    for settings, record in sorted(found, key=lambda pair: order.index(pair[0].row)):
        row = settings.row
        success, sequences = "-", "-"
        if row.success is not None:
            success = row.success if row.success == "some" else f"{row.success}%"
            never = {1: "> 200,000", 2: "> 5,000,000"}[row.table]
            sequences = never if row.paper is None else thousands(row.paper)
        yield Run(row.method, settings, record, row.table, success, sequences)


def of_cascade_correlation(results):
    success, sequences = cascade_correlation.PAPER.split(", ")
    for record in records(results, "cascade-correlation"):
        settings = cascade_correlation.Settings(**record["settings"])
        if settings.experiment == "1":
            yield Run("rcc", settings, record, 1, success, thousands(int(sequences)))
        else:
            yield Run("rcc", settings, record, None)


def of_guessing(results):
    for record in records(results, "weight-guessing"):
        settings = weight_guessing.Settings(**record["settings"])
        yield Run("guessing", settings, record, 4 if settings.experiment == "3a" else None)


def lstm_best(number, results):
    """Settings and record of the LSTM's own rows of the same task: of each the reading with most
    trials stopped."""
    found = {}
    for record in results[lstm_1997.EXPERIMENT]:
        settings = lstm_1997.Settings(**record["settings"])
        row = settings.row
        if (settings.in_paper and settings.trials == row.trials and row.table == number
                and settings.experiment != "2b"):
            found.setdefault(row, []).append((settings, record))
    return [max(found[row], key=lambda pair: pair[1]["final"]["trials_stopped"])
            for row in lstm_1997.TABLE_ROWS if row in found]


def interval(k, n):
    """95% interval of a success rate, in per cent."""
    low, high = harness.wilson(k, n)
    return f"{100 * low:.0f} to {100 * high:.0f}"


def lstm_success(settings):
    """The paper's."""
    return f"{LSTM_SUCCESS.get((settings.blocks, settings.lr), 100)}%"


# --------------------------------------------------------------------------------------------------
# Tables
# --------------------------------------------------------------------------------------------------

def table(number):
    """A generator of a table of the paper: its figures and ours."""

    def generate(results):
        cells = [rival_cells(run) for run in runs(results) if run.table == number]
        cells += [lstm_cells(*pair) for pair in lstm_best(number, results)]
        return markdown(
            ["method", "rate", "weights", "reading", "stopped", "95%, per cent", "median",
             "mean of those [range]", "cap", "paper: success", "paper: sequences"], cells)

    return generate


def rival_cells(run):
    settings, final = run.settings, run.final
    named = [f"p={run.p}"] if run.p else []
    weights = final["weights"]
    if isinstance(weights, list):  # it depends on the trial
        good = [w for w, n in zip(weights, final["sequences_to_success"]) if n is not None] or weights
        weights = f"{min(good)} to {max(good)}" if len(set(good)) > 1 else str(good[0])
    else:
        weights = thousands(settings.row.weights)
    counts, n = run.counts, settings.trials
    return [
        " ".join([run.method, *named, f"hidden={settings.hidden}"]), "-" if run.lr is None else f"{run.lr:g}", weights,
        getattr(settings, "reading", "literal"), counts[0], interval(final["trials_stopped"], n), *counts[1:],
        run.cap, run.success, run.sequences]


def lstm_cells(settings, record):
    counts = counted(record["final"]["sequences_to_success"], settings.max_sequences)
    name = "LSTM " + " ".join(word for word in settings.named.split()[1:] if "lr" not in word)
    return [
        name, f"{settings.lr:g}", thousands(settings.row.weights), settings.reading, counts[0],
        interval(record["final"]["trials_stopped"], settings.trials), *counts[1:],
        thousands(settings.max_sequences), lstm_success(settings), thousands(settings.row.paper)]


def guessing(results):
    """Random weight guessing beside the LSTM of Table 4 and of section 6.1."""
    lstm_pairs = pairs_of(results, lstm_grids.PAPER) + pairs_of(results, lstm_grids.LIMITS)
    cells = []
    for settings, final in [(run.settings, run.final) for run in runs(results) if run.method == "guessing"]:
        task = settings.experiment, settings.T, settings.N
        named = [f"{name}={value}" for name, value in zip("TN", task[1:]) if value is not None]
        lstm = []
        for other, record in lstm_pairs:
            if (other.experiment, other.T, other.N) == task:
                counts = counted(record["final"]["sequences_to_success"], other.max_sequences)
                lstm.append(f"{other.reading}: {counts[0]}, {counts[2]}")
        paper = [thousands(row.paper) for row in lstm_1997.TABLE_ROWS if (row.experiment, row.T, row.N) == task]
        reached = final["sequences_to_success"]
        guesses = [guesses if n is not None else None for guesses, n in zip(final["guesses"], reached)]
        stopped, _, mean = counted(guesses, 0)
        cells.append([
            " ".join([settings.experiment, *named]), settings.hidden, stopped, mean, counted(reached, 0)[2],
            f"{np.mean(of_stopped(final, 'wrong')):.1f}", "; ".join(lstm), (paper or ["-"])[0]])
    return markdown(
        ["task", "hidden units", "stopped", "guesses, mean of those [range]",
         "sequences shown, mean of those [range]", "wrong of 2560, mean",
         "LSTM here: stopped, sequences, mean of those", "LSTM, paper"], cells)


def reaching(final, when):
    """The error at the first symbol over that at the last step, a median each; None where none
    arrives at the last."""
    last, *_, first = final[f"error_signal_at_{when}"]
    return first / last if last else None


def signals(results):
    """The error that arrives at the first symbol, as a fraction of the error at the last step."""
    cells = []
    for run in runs(results):
        if "error_signal_at_start" in run.final:
            ratios = [
                "-" if ratio is None else f"{ratio:.0e}" if ratio else "0, or below 1e-300"
                for ratio in (reaching(run.final, when) for when in ("start", "end"))]
            n = run.settings.trials
            cells.append([
                run.method, run.p, "-" if run.lr is None else f"{run.lr:g}", n,
                f"{run.final['trials_stopped']}/{n}", run.cap, *ratios])
    return markdown(
        ["method", "p", "rate", "trials", "stopped", "cap",
         "at the first symbol over last step, before training", "the same when a trial ends"], cells)


def cost(results):
    """From the benchmark's own file: what the rows cost, and whether they have been run."""
    done = {(run.method, run.settings.experiment, run.p, run.settings.hidden, f"{run.lr:g}")
            for run in runs(results) if run.lr is not None}
    cells = []
    for row in benchmark("lstm_1997_rivals")["rows"]:
        rates = row["rates"].split(", ")
        have = sum((row["method"], row["experiment"], row["p"], row["hidden"], rate) in done for rate in rates)
        cells.append([
            row["method"], row["experiment"], row["p"] or "-", row["hidden"], row["rates"], row["trials"],
            thousands(row["us_per_sequence"]), thousands(row["cap"]), f"{row['core_hours_to_cap']:.2f}",
            f"{have} of {len(rates)}"])
    return markdown(
        ["method", "task", "p", "hidden", "rates", "trials in the stack", "us per sequence of the stack", "cap",
         "core-hours to the cap", "run"], cells)


def others(results):
    """Rows that the paper has no figures for."""
    cells = []
    for run in runs(results):
        if run.table is None and run.method != "guessing":
            task = run.settings.experiment + (f" p={run.p}" if run.p else "")
            cells.append([f"{run.method}{run.rate}", task, getattr(run.settings, "reading", "literal"), *run.counts,
                          run.cap])
    return markdown(["method", "task", "reading", "stopped", "median", "mean of those [range]", "cap"], cells)


def headline(results):
    """One line per row that has been run, for the front page, and the LSTM's of the same tasks."""
    cells = []
    for run in runs(results):
        stopped, _, mean = run.counts
        paper = "-" if run.success == "-" else f"{run.success}, {run.sequences}"
        cells.append([f"{NAMES[run.method]}{run.rate}", task_of(run.settings), stopped, mean, run.cap, paper])
    for settings, record in lstm_best(1, results) + lstm_best(2, results):
        stopped, _, mean = counted(record["final"]["sequences_to_success"], settings.max_sequences)
        blocks = f", {settings.blocks} blocks" if settings.experiment == "1" else ""
        cells.append([
            f"LSTM{blocks}, rate {settings.lr:g} ({settings.reading})", task_of(settings), stopped, mean,
            thousands(settings.max_sequences), f"{lstm_success(settings)}, {thousands(settings.row.paper)}"])
    return markdown(["method", "task", "stopped", "mean of those [range]", "cap", "paper: success, sequences"], cells)


def task_of(settings):
    """The task in a few words."""
    if settings.experiment == "1":
        return "1, Reber grammar"
    if settings.experiment == "2a":
        return f"2a, p = {settings.p}"
    named = f"{settings.experiment}, T = {settings.T}"
    return named if settings.N is None else f"{named}, N = {settings.N}"


# --------------------------------------------------------------------------------------------------
# Sentences
# --------------------------------------------------------------------------------------------------

def by_then(sequences, cap=np.inf):
    """The same in words, of all trials."""
    return f"{stopped_by(sequences, cap)} of {len(sequences)}"


def front_answer(results):
    """Who beats the LSTM, and where, for the front page."""
    cap = 100_000
    rival = {(run.method, run.settings.hidden): run.final["sequences_to_success"]
             for run in runs(results) if run.settings.experiment == "1"}
    rtrl, bptt = (stopped_by(rival[name, 12], cap) for name in ("rtrl", "bptt"))
    reber = [run for run in every_reading(results).values()
             if run.row.experiment == "1" and run.settings.max_sequences >= cap]
    literal, = (stopped_by(run.sequences, cap) for run in reber if run.literal)
    changed = max(stopped_by(run.sequences, cap) for run in reber if not run.literal)
    lag = [run for run in every_reading(results).values() if run.row.experiment == "2a"]
    others = sum(run.final["trials_stopped"] for run in runs(results)
                 if run.settings.experiment == "2a" and run.p == 100)
    claim(not others and max(stopped_by(run.sequences) for run in lag) == 18, "2a is the LSTM's alone")
    return claim(
        literal < min(rtrl, bptt) < changed,
        f"On the embedded Reber grammar RTRL and BPTT, by {thousands(cap)} sequences: {rtrl} and {bptt} of "
        f"30 trials with 12 hidden units, the LSTM {literal} if the text is taken word for word and "
        f"{changed} with named changes. Over 100 steps (2a) only the LSTM with named changes learns.")


def answer(results):
    """Who stops on task 2a, and where the paper's figures are not reached, in words."""
    final = {(run.method, run.p, run.lr): run.final for run in runs(results)}

    def stopped(method, p):
        """Trials stopped of all, over the rates."""
        return by_then([n for key, f in final.items() if key[:2] == (method, p) for n in f["sequences_to_success"]])

    (settings, record), = lstm_best(2, results)
    right = final["chunker", 100, 1.0]["chunker_right_after"]
    by_rate = [final["rtrl", 4, rate]["trials_stopped"] for rate in (1.0, 4.0, 10.0)]
    start, end = (
        max(reaching(f, when) or 0 for key, f in final.items() if key[0] in ("rtrl", "bptt") and key[1] == 100)
        for when in ("start", "end"))
    claim(by_rate == sorted(by_rate) and by_rate[0] < by_rate[-1], "RTRL's successes rise with the rate")
    claim(None not in right, "the second net is right in every trial")
    claim(start < 1e-30 and 0 < end < 1e-30, "next to no error reaches the first symbol")
    return (
        f"Task 2a with a delay of 100 steps: of RTRL {stopped('rtrl', 100)} trials stop (three "
        f"rates), of BPTT {stopped('bptt', 100)}, of the chunker {stopped('chunker', 100)}, of the "
        f"LSTM {record['final']['trials_stopped']} of {settings.trials}, with the changes named in "
        f"the table. The error of RTRL and BPTT that reaches the first symbol is {start:.0e} of "
        f"that at the last step before training, and at most {end:.0e} when the trials are given "
        "up (medians). What differs from the paper: RTRL with p = 4 stops more often the higher "
        f"its rate ({', '.join(map(str, by_rate))} of 18 at 1, 4, 10; paper 78, 56, 22%). The "
        f"chunker's second net predicts the last symbol after {min(right)} to {max(right)} "
        "sequences in every trial, but its first net takes that over in none of them (paper: in a "
        "third).")


def reber_answer(results):
    """The Reber grammar: what stops, and how much of it as early as the LSTM's trials are given
    up."""
    every = [run for run in runs(results) if run.settings.experiment == "1"]
    found = [(f"{NAMES[run.method]} with {run.settings.hidden} hidden units", run.final["sequences_to_success"])
             for run in every if run.method != "rcc"]
    rcc, = (run.final["sequences_to_success"] for run in every if run.method == "rcc")
    (settings, record), = pairs_of(results, list(lstm_grids.TABLE_1.values())[-1:])
    cap, sequences = settings.max_sequences, record["final"]["sequences_to_success"]
    claim(all(stopped_by(counts, cap) < record["final"]["trials_stopped"] for _, counts in found),
          "the LSTM is ahead within its cap")
    words = "; ".join(f"{name} {by_then(counts, cap)} and {by_then(counts)}" for name, counts in found)
    return (
        f"On the Reber grammar these trials stop within {thousands(cap)} sequences and within "
        f"their own caps: {words}; cascade-correlation {by_then(rcc)} (Fahlman: 50%). Of the LSTM "
        f"{by_then(sequences, cap)} with the named changes, within "
        f"{thousands(cap)}{longer(results, cap)}. The paper's LSTM almost always learns it and is "
        "far ahead of the others; here it is ahead at that count, and RTRL and BPTT with 12 "
        "hidden units learn the task, too.")


def longer(results, cap):
    """The LSTM's trials with a larger cap."""
    words = [
        f"{by_then(record['final']['sequences_to_success'])} within "
        f"{thousands(settings.max_sequences)} ({settings.reading})"
        for settings, record in pairs_of(results, lstm_grids.RIDDLE_1) if settings.max_sequences > cap]
    return f"; {', '.join(words)}" if words else ""


def cascade(results):
    """What cascade-correlation does on task 2a, in words."""
    sentences = []
    for run in runs(results):
        if run.method == "rcc" and run.settings.experiment == "2a":
            final = run.final
            largest = [max(map(abs, weights)) for weights in final["recurrent_weights"]]
            words = f"p = {run.p}: {by_then(final['sequences_to_success'])} trials stop"
            if final["trials_stopped"]:
                shown, units = of_stopped(final, "sequences_to_success"), of_stopped(final, "hidden_units")
                words += f", after {thousands(np.median(shown))} presentations and {np.median(units):g} units in the median"
            sentences.append(
                f"{words}; the largest recurrent weight of a trial has a median of "
                f"{np.median(largest):.0f} [{min(largest):.0f}, {max(largest):.0f}].")
    return " ".join(sentences)


TABLES = {
    "front:rivals": front_answer,
    "lstm_1997_rivals:table1": table(1), "lstm_1997_rivals:table2": table(2),
    "lstm_1997_rivals:guessing": guessing, "lstm_1997_rivals:signals": signals, "lstm_1997_rivals:others": others,
    "lstm_1997_rivals:cascade": cascade, "lstm_1997_rivals:cost": cost, "lstm_1997_rivals:headline": headline,
    "lstm_1997_rivals:answer": answer, "lstm_1997_rivals:reber_answer": reber_answer}
