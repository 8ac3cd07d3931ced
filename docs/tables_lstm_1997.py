"""The number-carrying blocks of docs/lstm_1997.md and of its front-page section, made from results.json.

TABLES: block name -> function(results) -> markdown. The speed table reads benchmarks/lstm_1997.json.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import lstm_1997 as lstm


def rows_of(results):
    """Settings and record of every row of the paper that has been run with all its trials, in the paper's order."""
    pairs = [(lstm.Settings(**record["settings"]), record) for record in results.get(lstm.EXPERIMENT, [])]
    pairs = [(row, record) for row, record in pairs if row.in_paper and row.trials == row.line.trials]
    return sorted(pairs, key=lambda pair: (lstm.LINES.index(pair[0].line), *order(pair[0].reading)))


def order(reading):
    """The literal readings first: the update at the end of the sequence, then the one after every step."""
    return reading != "literal", reading != "update step", reading


def thousands(number):
    return f"{number:,.0f}"


def counted(sequences, cap):
    """Trials that stop, median with the others counted as larger, mean and range of those that stop."""
    reached = [n for n in sequences if n is not None]
    median = np.median([math.inf if n is None else n for n in sequences])
    words = [f"{len(reached)}/{len(sequences)}", thousands(median) if median < math.inf else f"> {thousands(cap)}"]
    words.append(
        f"{thousands(np.mean(reached))} [{thousands(min(reached))}, {thousands(max(reached))}]" if reached else "-")
    return words


def of_stopped(final, name):
    return [value for value, n in zip(final[name], final["sequences_to_success"]) if n is not None]


def rows(results):
    lines = [
        "| Table | row | reading | stopped | median | mean of those [range] | cap | paper, mean "
        "| wrong, mean | paper |",
        "|---|---|---|---|---|---|---|---|---|---|"]
    for row, record in rows_of(results):
        final, line = record["final"], row.line
        wrong = of_stopped(final, "wrong")
        cells = [
            str(line.table), row.named, row.reading, *counted(final["sequences_to_success"], row.max_sequences),
            thousands(row.max_sequences), thousands(line.paper),
            f"{np.mean(wrong):.1f} of {final['test_sequences']}" if wrong else "-",
            "-" if line.paper_wrong is None else f"{line.paper_wrong:g}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def first_stops(results):
    """Experiments 3a, 3b and 5, which stop twice."""
    lines = [
        "| row | reading | first stop | stopped | median | mean of those [range] | paper, mean |",
        "|---|---|---|---|---|---|---|"]
    for row, record in rows_of(results):
        if "sequences_at_first_stop" in record["final"]:
            name = "fewer than 140 of 2000 wrong" if row.experiment == "5" else "ST1"
            counts = counted(record["final"]["sequences_at_first_stop"], row.max_sequences)
            cells = [row.named, row.reading, name, *counts, thousands(row.line.paper_first)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def missing(results):
    """What has been run of every row of the paper, and what has not."""
    pairs = rows_of(results)
    lines = ["| Table | row | paper, mean | literal | with a named change |", "|---|---|---|---|---|"]
    for line in lstm.LINES:
        readings = [row.reading for row, _ in pairs if row.line is line]
        updates = [name for name, reading in (("per sequence", "literal"), ("per step", "update step"))
                   if reading in readings]
        literal = " and ".join(updates) if line.experiment in lstm.PREDICTING else "run" if updates else ""
        changed = sum(reading not in ("literal", "update step") for reading in readings)
        known = {name: getattr(line, name) for name in lstm.IDENTITY if getattr(line, name) is not None}
        if line.experiment != "1":
            known = {name: value for name, value in known.items() if name not in ("blocks", "lr")}
        cells = [
            str(line.table), " ".join([line.experiment, *(f"{name}={value:g}" for name, value in known.items())]),
            thousands(line.paper), literal or "to be run", f"{changed} run" if changed else "-"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def limits(results):
    """The tasks of section 6.1."""
    lines = ["| task | reading | stopped | median | cap | wrong at the end, mean |", "|---|---|---|---|---|---|"]
    pairs = [(lstm.Settings(**record["settings"]), record) for record in results.get(lstm.EXPERIMENT, [])]
    for row, record in pairs:
        if row.line in lstm.OTHER_LINES:
            final = record["final"]
            stopped, median, _ = counted(final["sequences_to_success"], row.max_sequences)
            wrong = f"{np.mean(final['wrong']):.1f} of {final['test_sequences']}"
            cells = [row.named, row.reading, stopped, median, thousands(row.max_sequences), wrong]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def speed(results):
    """From the benchmark's own file."""
    bench = json.loads((ROOT / "benchmarks" / "lstm_1997.json").read_text(encoding="utf-8"))
    lines = ["| T | implementation | us per sequence and trial | times the lockstep of 10 |", "|---|---|---|---|"]
    for row in bench["rows"]:
        time, times = f"{row['us_per_sequence_and_trial']:,.0f}", f"{row['times_lockstep_10']:.2f}"
        lines.append(f"| {row['T']} | {row['implementation']} | {time} | {times} |")
    return "\n".join(lines)


def complexity(results):
    """From the benchmark's own file: the algorithm in forward mode as net and sequence grow."""
    bench = json.loads((ROOT / "benchmarks" / "lstm_1997.json").read_text(encoding="utf-8"))
    lines = ["| weights | steps | us per step | ns per step and weight | peak memory, kB |", "|---|---|---|---|---|"]
    for row in bench["scaling"]:
        lines.append(
            f"| {thousands(row['weights'])} | {row['steps']} | {row['us_per_step']:,.0f} "
            f"| {row['ns_per_step_and_weight']:.1f} | {thousands(row['peak_kilobytes'])} |")
    return "\n".join(lines)


def headline(results):
    """One line per row for the front page: the reading with most trials stopped, the literal one first if equal."""
    lines = ["| row | reading | stopped | mean of those [range] | paper, mean |", "|---|---|---|---|---|"]
    best = {}
    for row, record in rows_of(results):
        stopped = record["final"]["trials_stopped"]
        if stopped > best.get(row.line, (0,))[0]:
            best[row.line] = stopped, row, record
    for line in lstm.LINES:
        if line in best:
            stopped, row, record = best[line]
            words = counted(record["final"]["sequences_to_success"], row.max_sequences)
            lines.append(f"| {row.named} | {row.reading} | {words[0]} | {words[2]} | {thousands(line.paper)} |")
    return "\n".join(lines)


TABLES = {
    "lstm_1997:rows": rows, "lstm_1997:first_stops": first_stops, "lstm_1997:missing": missing,
    "lstm_1997:limits": limits, "lstm_1997:speed": speed, "lstm_1997:complexity": complexity,
    "lstm_1997:headline": headline}
