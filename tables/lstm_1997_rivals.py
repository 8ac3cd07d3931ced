"""The number-carrying blocks of docs/lstm_1997_rivals.md and of its front-page section, made from results.json.

TABLES: block name -> function(results) -> markdown. The costs are read from benchmarks/lstm_1997_rivals.json.
"""

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tables_lstm_1997 import counted, of_stopped, thousands
from tables_rnn_pathological import claim

import information_latching
import lstm_1997
import lstm_1997_rivals as rivals
import studies_lstm_1997 as studies


def rows_of(results):
    """Settings and record of every row that has been run, in the order of the tables."""
    pairs = [(rivals.Settings(**record["settings"]), record) for record in results.get(rivals.EXPERIMENT, [])]
    lines = rivals.LINES + rivals.OTHER_LINES
    return sorted(pairs, key=lambda pair: (lines.index(pair[0].line), pair[0].p or 0, pair[0].reading != "literal"))


def run_of(line, results):
    """The pairs of settings and record that are a line of the tables with all its trials and at least its cap, the
    literal reading first."""
    return [(row, record) for row, record in rows_of(results) if row.line is line and complete(row)]


def complete(row):
    """Whether settings are a whole row: a line of the paper or a pair it does not have, all trials, no lower cap."""
    listed = row.in_paper or row.line in rivals.OTHER_LINES
    return listed and row.trials == row.line.trials and row.max_sequences >= row.line.cap


def limit(row):
    """Where a trial is given up: cascade-correlation at its most units, long before the cap on presentations."""
    return f"{row.hidden} units" if row.method == "rcc" else thousands(row.max_sequences)


def interval(k, n):
    """95% interval of a success rate, in per cent."""
    low, high = information_latching.wilson(k, n)
    return f"{100 * low:.0f} to {100 * high:.0f}"


def label(line):
    words = [f"{name}={getattr(line, name):g}" for name in ("T", "N", "p", "hidden") if getattr(line, name) is not None]
    return " ".join([line.method, *words])


def paper_success(line):
    return "-" if line.success is None else line.success + ("" if line.success == "some" else "%")


def paper_sequences(line):
    if line.paper is not None:
        return thousands(line.paper)
    return {1: "> 200,000", 2: "> 5,000,000"}.get(line.table, "-")


def table(number, results):
    """A table of the paper: its figures and ours."""
    lines = [
        "| method | rate | weights | reading | stopped | 95%, per cent | median | mean of those [range] | cap "
        "| paper: success | paper: sequences |",
        "|---|---|---|---|---|---|---|---|---|---|---|"]
    for line in (line for line in rivals.LINES if line.table == number):
        rate = "-" if line.lr is None else f"{line.lr:g}"
        weights = "-" if line.weights is None else thousands(line.weights)
        paper = [paper_success(line), paper_sequences(line)]
        for row, record in run_of(line, results):
            final = record["final"]
            stopped = [n is not None for n in final["sequences_to_success"]]
            ours = final["weights"]
            if isinstance(ours, list):
                ours = [w for w, good in zip(ours, stopped) if good] or ours
                weights = f"{min(ours)} to {max(ours)}" if len(set(ours)) > 1 else str(ours[0])
            counts = counted(final["sequences_to_success"], limit(row))
            cells = [label(line), rate, weights, row.reading, counts[0], interval(sum(stopped), len(stopped)), *counts[1:],
                     limit(row), *paper]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines + lstm_lines(number, results))


# Per cent of the LSTM's trials that succeed in the paper's Table 1, by blocks and rate; in Table 2 all do
LSTM_SUCCESS = {(4, 0.1): 100, (3, 0.1): 100, (3, 0.2): 97, (4, 0.5): 97, (3, 0.5): 100}


def paper_lstm(row):
    return f"{LSTM_SUCCESS.get((row.blocks, row.lr), 100)}%"


def lstm_best(number, results):
    """Settings and record of the LSTM's own rows of the same task: of each the reading with most trials stopped."""
    found = {}
    for row, record in studies.by_settings(results).items():
        if row.in_paper and row.trials == row.line.trials and row.line.table == number and row.experiment != "2b":
            found.setdefault(row.line, []).append((row, record))
    return [
        max(found[line], key=lambda pair: pair[1]["final"]["trials_stopped"]) for line in lstm_1997.LINES if line in found]


def lstm_lines(number, results):
    """These rows as lines of the table."""
    lines = []
    for row, record in lstm_best(number, results):
        counts = counted(record["final"]["sequences_to_success"], row.max_sequences)
        k, n = record["final"]["trials_stopped"], row.trials
        name = "LSTM " + " ".join(word for word in row.named.split()[1:] if "lr" not in word)
        cells = [name, f"{row.lr:g}", thousands(row.line.weights), row.reading, counts[0], interval(k, n), *counts[1:],
                 thousands(row.max_sequences), paper_lstm(row), thousands(row.line.paper)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def guessing(results):
    """Random weight guessing beside the LSTM of Table 4 and of section 6.1."""
    lines = [
        "| task | hidden units | stopped | guesses, mean of those [range] | sequences shown, mean of those [range] "
        "| wrong of 2560, mean | LSTM here: stopped, sequences, mean of those | LSTM, paper |",
        "|---|---|---|---|---|---|---|---|"]
    for line in (line for line in rivals.LINES + rivals.OTHER_LINES if line.method == "guessing"):
        known = {name: getattr(line, name) for name in ("T", "N") if getattr(line, name) is not None}
        task = " ".join([line.experiment, *(f"{name}={value}" for name, value in known.items())])
        theirs = [
            (row, record) for row, record in studies.pairs_of(studies.ROWS + studies.LIMITS, results)
            if (row.experiment, row.T, row.N) == (line.experiment, line.T, line.N)]
        lstm = "; ".join(
            f"{row.reading}: {counts[0]}, {counts[2]}" for row, record in theirs
            for counts in [counted(record["final"]["sequences_to_success"], row.max_sequences)])
        paper = next(
            (thousands(other.paper) for other in lstm_1997.LINES
             if (other.experiment, other.T, other.N) == (line.experiment, line.T, line.N)), "-")
        for row, record in run_of(line, results):
            final = record["final"]
            good = [n is not None for n in final["sequences_to_success"]]
            guesses = [n if ok else None for n, ok in zip(final["guesses"], good)]
            wrong = of_stopped(final, "wrong")
            lines.append(
                f"| {task} | {row.hidden} | {counted(guesses, 0)[0]} | {counted(guesses, 0)[2]} "
                f"| {counted(final['sequences_to_success'], 0)[2]} | {np.mean(wrong):.1f} | {lstm} | {paper} |")
    return "\n".join(lines)


def reaching(final, when):
    """The error at the first symbol over that at the last step, a median each; None where none arrives at the last."""
    last, *_, first = final[f"error_signal_at_{when}"]
    return first / last if last else None


def signals(results):
    """The error that arrives at the first symbol, as a fraction of the error at the last step."""
    lines = [
        "| method | p | rate | trials | stopped | cap | at the first symbol over last step, before training "
        "| the same when a trial ends |", "|---|---|---|---|---|---|---|---|"]
    for row, record in rows_of(results):
        final = record["final"]
        if "error_signal_at_start" in final:
            ratios = [
                "-" if ratio is None else f"{ratio:.0e}" if ratio else "0, or below 1e-300"
                for ratio in (reaching(final, when) for when in ("start", "end"))]
            rate = "-" if row.lr is None else f"{row.lr:g}"
            lines.append(
                f"| {row.method}{'' if row.reading == 'literal' else ', ' + row.reading} | {row.p} | {rate} "
                f"| {row.trials} | {final['trials_stopped']}/{row.trials} | {limit(row)} | {ratios[0]} "
                f"| {ratios[1]} |")
    return "\n".join(lines)


def cost(results):
    """From the benchmark's own file: what the rows cost, and whether they have been run."""
    bench = json.loads((ROOT / "benchmarks" / "lstm_1997_rivals.json").read_text(encoding="utf-8"))
    done = {(row.method, row.experiment, row.p, row.hidden, f"{row.lr:g}") for row, _ in rows_of(results)
            if row.lr is not None and complete(row)}
    lines = ["| method | task | p | hidden | rates | trials in the stack | us per sequence of the stack | cap "
             "| core-hours to the cap | run |", "|---|---|---|---|---|---|---|---|---|---|"]
    for row in bench["rows"]:
        have = sum((row["method"], row["experiment"], row["p"], row["hidden"], rate) in done
                   for rate in row["rates"].split(", "))
        lines.append(
            f"| {row['method']} | {row['experiment']} | {row['p'] or '-'} | {row['hidden']} | {row['rates']} "
            f"| {row['trials']} | {thousands(row['us_per_sequence'])} | {thousands(row['cap'])} "
            f"| {row['core_hours_to_cap']:.2f} | {have} of {len(row['rates'].split(', '))} |")
    return "\n".join(lines)


def others(results):
    """Rows that the paper has no figures for."""
    lines = ["| method | task | reading | stopped | median | mean of those [range] | cap |", "|---|---|---|---|---|---|---|"]
    for row, record in rows_of(results):
        if not (row.in_paper and complete(row)) and row.method != "guessing":
            counts = counted(record["final"]["sequences_to_success"], limit(row))
            task = row.experiment + (f" p={row.p}" if row.p else "")
            rate = "" if row.lr is None else f", rate {row.lr:g}"
            lines.append(f"| {row.method}{rate} | {task} | {row.reading} | {' | '.join(counts)} "
                         f"| {limit(row)} |")
    return "\n".join(lines)


def headline(results):
    """One line per row that has been run, for the front page, and the LSTM's of the same tasks."""
    lines = ["| method | task | stopped | mean of those [range] | cap | paper: success, sequences |", "|---|---|---|---|---|---|"]
    for line in rivals.LINES + rivals.OTHER_LINES:
        for row, record in run_of(line, results):
            counts = counted(record["final"]["sequences_to_success"], limit(row))
            rate = "" if row.lr is None else f", rate {row.lr:g}"
            paper = "-" if line.success is None else f"{paper_success(line)}, {paper_sequences(line)}"
            lines.append(f"| {NAMES[row.method]}{rate} | {task_of(row)} | {counts[0]} | {counts[2]} "
                         f"| {limit(row)} | {paper} |")
    for row, record in lstm_best(1, results) + lstm_best(2, results):
        counts = counted(record["final"]["sequences_to_success"], row.max_sequences)
        blocks = f", {row.blocks} blocks" if row.experiment == "1" else ""
        lines.append(f"| LSTM{blocks}, rate {row.lr:g} ({row.reading}) | {task_of(row)} | {counts[0]} | {counts[2]} "
                     f"| {thousands(row.max_sequences)} | {paper_lstm(row)}, {thousands(row.line.paper)} |")
    return "\n".join(lines)


NAMES = {"rtrl": "RTRL", "bptt": "BPTT", "elman": "Elman net", "rcc": "cascade-correlation", "chunker": "chunker",
         "guessing": "guessing"}


def task_of(row):
    """The task in a few words."""
    words = {"1": "1, Reber grammar", "2a": f"2a, p = {row.p}", "parity": f"parity, T = {row.T}"}
    return words.get(row.experiment, f"{row.experiment}, T = {row.T}, N = {row.N}")


def stopped_by(sequences, cap):
    """How many trials have stopped by a number of sequences."""
    return sum(n is not None and n <= cap for n in sequences)


def by_then(sequences, cap=np.inf):
    """The same in words, of all trials."""
    return f"{stopped_by(sequences, cap)} of {len(sequences)}"


def answer(results):
    """Who stops on task 2a, and where the paper's figures are not reached, in words."""
    final = {(row.method, row.p, row.lr): record["final"] for row, record in rows_of(results)
             if complete(row) and row.experiment == "2a" and row.reading == "literal"}

    def stopped(method, p):
        """Trials stopped of all, over the rates."""
        return by_then([n for key, f in final.items() if key[:2] == (method, p) for n in f["sequences_to_success"]])

    (row, record), = lstm_best(2, results)
    right = final["chunker", 100, 1.0]["chunker_right_after"]
    by_rate = [final["rtrl", 4, rate]["trials_stopped"] for rate in (1.0, 4.0, 10.0)]
    start, end = (
        max(reaching(f, when) or 0 for key, f in final.items() if key[0] in ("rtrl", "bptt") and key[1] == 100)
        for when in ("start", "end"))
    claim(by_rate == sorted(by_rate) and by_rate[0] < by_rate[-1], "RTRL's successes rise with the rate")
    claim(None not in right, "the second net is right in every trial")
    claim(start < 1e-30 and 0 < end < 1e-30, "next to no error reaches the first symbol")
    return (
        f"Task 2a with a delay of 100 steps: of RTRL {stopped('rtrl', 100)} trials stop (three rates), of BPTT "
        f"{stopped('bptt', 100)}, of the chunker {stopped('chunker', 100)}, of the LSTM "
        f"{record['final']['trials_stopped']} of {row.trials}, with the changes named in the table. The error of RTRL and "
        f"BPTT that reaches the first symbol is {start:.0e} of that at the last step before training, and at most "
        f"{end:.0e} when the trials are given up (medians). What differs from the paper: RTRL with p = 4 stops more "
        f"often the higher its rate ({', '.join(map(str, by_rate))} of 18 at 1, 4, 10; paper 78, 56, 22%). The chunker's "
        f"second net predicts the last symbol after {min(right)} to {max(right)} sequences in every trial, but its first net "
        "takes that over in none of them (paper: in a third).")


def reber_answer(results):
    """The Reber grammar: what stops, and how much of it as early as the LSTM's trials are given up."""
    found = [(f"{NAMES[row.method]} with {row.hidden} hidden units", record["final"]["sequences_to_success"])
             for row, record in rows_of(results)
             if complete(row) and row.experiment == "1" and row.method in ("rtrl", "bptt", "elman")]
    (row, record), = studies.pairs_of(studies.TABLE_1[-1:], results)
    cap, sequences = row.max_sequences, record["final"]["sequences_to_success"]
    claim(all(stopped_by(counts, cap) < record["final"]["trials_stopped"] for _, counts in found),
          "the LSTM is ahead within its cap")
    words = "; ".join(f"{name} {by_then(counts, cap)} and {by_then(counts)}" for name, counts in found)
    rcc = next(record["final"]["sequences_to_success"] for row, record in rows_of(results)
               if complete(row) and (row.method, row.experiment) == ("rcc", "1"))
    return (
        f"On the Reber grammar these trials stop within {thousands(cap)} sequences and within their own caps: {words}; "
        f"cascade-correlation {by_then(rcc)} (Fahlman: 50%). Of the LSTM {by_then(sequences, cap)} with the named "
        f"changes, within {thousands(cap)}{longer(results, cap)}. The paper's LSTM almost always learns it and is far ahead of "
        "the others; here it is ahead at that count, and RTRL and BPTT with 12 hidden units learn the task, too.")


def longer(results, cap):
    """The LSTM's trials with a larger cap, where they have been run."""
    words = [
        f"{by_then(record['final']['sequences_to_success'])} within {thousands(row.max_sequences)} ({row.reading})"
        for row, record in studies.pairs_of(studies.RIDDLE_1, results) if row.max_sequences > cap]
    return f"; {', '.join(words)}" if words else ""


def cascade(results):
    """What cascade-correlation does on task 2a, in words."""
    sentences = []
    for row, record in rows_of(results):
        if (row.method, row.experiment) == ("rcc", "2a") and complete(row):
            final = record["final"]
            good = [n is not None for n in final["sequences_to_success"]]
            largest = [max(map(abs, weights)) for weights in final["recurrent_weights"]]
            words = f"p = {row.p}: {sum(good)} of {len(good)} trials stop"
            if any(good):
                shown, units = of_stopped(final, "sequences_to_success"), of_stopped(final, "hidden_units")
                words += f", after {thousands(np.median(shown))} presentations and {np.median(units):g} units in the median"
            words += f"; the largest recurrent weight of a trial has a median of {np.median(largest):.0f} " \
                     f"[{min(largest):.0f}, {max(largest):.0f}]"
            sentences.append(words + ".")
    return " ".join(sentences) or "It has not been run yet."


TABLES = {
    "lstm_1997_rivals:table1": lambda results: table(1, results),
    "lstm_1997_rivals:table2": lambda results: table(2, results),
    "lstm_1997_rivals:guessing": guessing, "lstm_1997_rivals:signals": signals, "lstm_1997_rivals:others": others,
    "lstm_1997_rivals:cascade": cascade,
    "lstm_1997_rivals:cost": cost, "lstm_1997_rivals:headline": headline, "lstm_1997_rivals:answer": answer,
    "lstm_1997_rivals:reber_answer": reber_answer}
