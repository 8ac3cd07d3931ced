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
from tables_rnn_pathological import claim

import lstm_1997 as lstm
import studies_lstm_1997 as studies
from information_latching import wilson


def rows_of(results):
    """Settings and record of every run of a row of the paper, in the paper's order."""
    pairs = studies.pairs_of(studies.ROWS, results)
    return sorted(pairs, key=lambda pair: (lstm.LINES.index(pair[0].line), *order(pair[0].reading)))


def order(reading):
    """The literal readings first: the update at the end of the sequence, then the one after every step."""
    return reading != "literal", reading != "update step", reading


def thousands(number):
    return f"{number:,.0f}"


def counted(sequences, cap):
    """Trials that stop, median with the others counted as larger, mean and range of those that stop. cap: sequences, or
    in words where a trial is given up."""
    reached = [n for n in sequences if n is not None]
    median = np.median([math.inf if n is None else n for n in sequences])
    cap = cap if isinstance(cap, str) else thousands(cap)
    words = [f"{len(reached)}/{len(sequences)}", thousands(median) if median < math.inf else f"> {cap}"]
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


def stop_sets_3b(results):
    """Experiment 3b, N = 1: the test sets that noise makes hard, and the trials that do not stop where others do."""
    turned = 0.5 * math.erfc(1 / (lstm.NOISE * math.sqrt(2)))
    n, allowed = lstm.N_STOP, 5
    hard = 1 - sum(math.comb(n, k) * turned**k * (1 - turned) ** (n - k) for k in range(allowed + 1))
    words = [
        f"In Experiment 3b with N = 1 noise turns the sign of the only informative element in {turned:.2%} of the sequences. "
        f"So {hard:.0%} of all test sets of {n} hold more than the {allowed} wrong ones that ST1 allows even for a net that "
        "answers every sign rightly, and here a trial keeps its set."]
    for row, record in rows_of(results):
        final = record["final"]
        left = [k for k, sequences in enumerate(final["sequences_to_success"])
                if sequences is None and final["wrong"][k] < final["test_sequences"]]
        if (row.experiment, row.N) == ("3b", 1) and left:
            turned_signs, fewest = zip(*(hardness(lstm.Trial(row, row.seed + k).stop_sets()) for k in left))
            others = of_stopped(final, "wrong")
            words.append(
                f"T = {row.T}, {row.reading}: of {row.trials} trials {len(left)} learned without a stop; wrong at the cap are "
                f"{listed(final['wrong'][k] for k in left)} of {final['test_sequences']} fresh sequences, of those that stop "
                f"{min(others)} to {max(others)}; turned signs in the set: {listed(turned_signs)}; wrong in it with the best "
                f"threshold on that element: {listed(fewest)}.")
    return " ".join(words)


def hardness(batches):
    """Of a test set of Experiment 3b, N = 1: how many signs noise turns, and the fewest wrong with any threshold."""
    x, high = (np.concatenate(parts) for parts in zip(*((batch.x[:, 0, 0], batch.target[:, 0] > 0.5) for batch in batches)))
    return np.sum((x > 0) != high), min(np.sum((x > threshold) != high) for threshold in x)


def plateau_3b(results):
    """Experiment 3b, T = 1000: how many trials stop, and how many are where they started."""
    words = []
    for row, record in studies.pairs_of(studies.TABLES_4_AND_5_LONG, results):
        if row.experiment == "3b":
            still = np.isclose(record["final"]["mean_absolute_error"], 0.5, atol=0.0005)
            words.append(f"{record['final']['trials_stopped']} and {np.sum(still)} ({row.reading})")
    return (
        "Of the ten trials of 3b with T = 1000 so many stop, and so many have the mean absolute error of a constant answer, "
        f"0.500, at the cap still: {'; '.join(words)}.")


def listed(numbers):
    """1, 2 and 3."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


def progress(results):
    """How many rows, runs and trials there are, and that each has come to its end."""
    pairs = studies.pairs_of(studies.ROWS, results)
    lines = {row.line for row, _ in pairs}
    literal = {row.line for row, _ in pairs if row.reading in studies.LITERAL}
    return claim(
        lines == literal == set(lstm.LINES) and all(record["final"]["status"] == "done" for _, record in pairs),
        f"These are all {len(lines)} rows of the paper's tables, each in a literal reading, in {len(pairs)} runs with "
        f"{thousands(sum(row.trials for row, _ in pairs))} trials; every trial has stopped or reached its cap.")


def study(results, arms):
    """A table of some runs."""
    lines = [
        "| task | reading | stopped | median | mean of those [range] | cap | wrong at the end, mean |",
        "|---|---|---|---|---|---|---|"]
    for row, record in studies.pairs_of(arms, results):
        final = record["final"]
        cells = [
            row.named, row.reading, *counted(final["sequences_to_success"], row.max_sequences),
            thousands(row.max_sequences), f"{np.mean(final['wrong']):.1f} of {final['test_sequences']}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def limits(results):
    """The tasks of section 6.1."""
    return study(results, studies.LIMITS)


def full_gradient(results):
    """Section 6.1: full against truncated gradient."""
    pairs = zip(studies.FULL_GRADIENT_BASE, studies.FULL_GRADIENT)
    return study(results, [run for pair in pairs for run in pair])


def full_gradient_answer(results):
    """The same in a sentence."""
    words = []
    for pairs in zip(studies.pairs_of(studies.FULL_GRADIENT_BASE, results), studies.pairs_of(studies.FULL_GRADIENT, results)):
        counts = [(record["final"]["trials_stopped"], row.trials) for row, record in pairs]
        (low, high), (other_low, other_high) = (wilson(*count) for count in counts)
        claim(low <= other_high and other_low <= high, "the intervals overlap")
        words.append(f"{pairs[0][0].named} {' against '.join('{} of {}'.format(*count) for count in counts)}")
    return f"Trials that stop, truncated against full: {'; '.join(words)}; the 95% intervals overlap in each."


def output_gates(results):
    """Section 5.1.6."""
    return study(results, [*studies.OUTPUT_GATES_BASE, *studies.OUTPUT_GATES])


def values_6a(results):
    return study(results, [dict(experiment="6a"), *studies.VALUES_6A])


def values_4(results):
    return study(results, [*studies.TABLE_7[1:], *studies.VALUES_4])


def riddles(results):
    """Further readings of the rows that the paper's figure is not reached on; first the reading they depart from."""
    parts = (studies.TABLE_1[-1:], studies.RIDDLE_1, studies.RIDDLE_2C,
             [studies.TABLE_7_LONG[1]], studies.RIDDLE_4)
    return study(results, [run for part in parts for run in part])


def first_weights(results):
    """Experiment 4 with first weights of the paper's size and larger ones."""
    short, long, (larger, largest) = studies.TABLE_7, studies.TABLE_7_LONG, studies.FIRST_WEIGHTS
    return study(results, [short[1], larger, *long[1:3], largest, *long[4:]])


def first_weights_answer(results):
    """The same in a sentence."""
    short, long, (larger, _) = studies.TABLE_7, studies.TABLE_7_LONG, studies.FIRST_WEIGHTS
    words = []
    for arms in ((short[1], larger), long[1:3], long[4:]):
        counts = []
        for row, record in studies.pairs_of(arms, results):
            reached = of_stopped(record["final"], "sequences_to_success")
            mean = f" (mean of those {thousands(np.mean(reached))})" if reached else ""
            counts.append(f"{len(reached)} of {row.trials}{mean}")
        words.append(f"with T = {row.T} {counts[0]} against {counts[1]}, paper {thousands(row.line.paper)}")
    return f"Trials that stop, first weights in [-0.1, 0.1] against 12 times as large: {'; '.join(words)}."


def over_paper(row, final):
    """The mean of the trials that stop, over the paper's; and the mean of all, the others counted at the cap."""
    sequences = final["sequences_to_success"]
    every = np.mean([row.max_sequences if n is None else n for n in sequences])
    return np.mean(of_stopped(final, "sequences_to_success")) / row.line.paper, every / row.line.paper


def recurrence(results):
    """Experiment 2c with the weights between hidden units and without."""
    lines = ["| q | p | paper, mean | literal: stopped | without recurrence: stopped | mean of those [range] "
             "| over the paper's | with the others at the cap | wrong of 2560, mean |", "|---|---|---|---|---|---|---|---|---|"]
    arms = zip(studies.pairs_of(studies.LITERAL_2C, results), studies.pairs_of(studies.NOT_RECURRENT, results))
    for (row, literal), (other, without) in arms:
        final = without["final"]
        stopped, _, mean = counted(final["sequences_to_success"], other.max_sequences)
        cells = [
            str(row.q), str(row.p), thousands(row.line.paper),
            f"{literal['final']['trials_stopped']}/{row.trials} within {thousands(row.max_sequences)}", stopped, mean,
            *(f"{ratio:.2f}" for ratio in over_paper(other, final)), f"{np.mean(of_stopped(final, 'wrong')):.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def recurrence_answer(results):
    """The same in a sentence."""
    literal = [(row, record["final"]) for row, record in studies.pairs_of(studies.LITERAL_2C, results)]
    without = [(row, record["final"]) for row, record in studies.pairs_of(studies.NOT_RECURRENT, results)]
    (least, first), *longer = literal
    caps = [row.max_sequences / row.line.paper for row, _ in longer]
    stopped_only, others_at_cap = zip(*(over_paper(row, final) for row, final in without))
    return claim(
        np.allclose(caps, 2) and not any(final["trials_stopped"] for _, final in longer),
        f"Experiment 2c with the fully connected hidden layer of the text: {first['trials_stopped']} of {least.trials} "
        f"trials stop with q = {least.q} (cap {thousands(least.max_sequences)}), and none of "
        f"{sum(row.trials for row, _ in longer)} on the {len(longer)} rows with longer lags, within twice the paper's count. "
        f"Without weights between hidden units, and nothing else changed, "
        f"{sum(final['trials_stopped'] for _, final in without)} of {sum(row.trials for row, _ in without)} on all "
        f"{len(without)} rows, lags of {min(row.q for row, _ in without)} to {max(row.q for row, _ in without)} steps, after "
        f"{min(stopped_only):.2f} to {max(stopped_only):.2f} times the paper's count in the mean of those; with the others "
        f"counted at the cap, {min(others_at_cap):.2f} to {max(others_at_cap):.2f} times.")


def values_answer(results, base, arms):
    """The means of a study's runs over the mean of the run they depart from, in a sentence."""
    (_, first), *others = studies.pairs_of([base, *arms], results)
    words = []
    for row, record in others:
        if record["final"]["trials_stopped"]:
            mean = np.mean(of_stopped(record["final"], "sequences_to_success"))
            times = mean / np.mean(of_stopped(first["final"], "sequences_to_success"))
            change = row.reading.split(", ")[-1]
            words.append(f"{times:.2f} times ({change}, {record['final']['trials_stopped']} of {row.trials})")
    return f"The mean of the trials that stop, over the first line's: {', '.join(words)}."


def values_6a_answer(results):
    return values_answer(results, dict(experiment="6a"), studies.VALUES_6A)


def values_4_answer(results):
    return values_answer(results, studies.TABLE_7[1], studies.VALUES_4)


def output_gates_answer(results):
    """Section 5.1.6 in a sentence."""
    counts = [
        " and ".join(str(record["final"]["trials_stopped"]) for _, record in studies.pairs_of(arms, results))
        for arms in (studies.OUTPUT_GATES_BASE, studies.OUTPUT_GATES)]
    return f"In these two readings {counts[0]} of 30 trials stop with output gates, {counts[1]} of 30 without."


def paper_over(results):
    """Our mean over the paper's, for the rows whose trials all stop in some reading; of these readings the closest."""
    ratios = {}
    for row, record in rows_of(results):
        if record["final"]["trials_stopped"] == row.trials and row.recurrent == "paper":
            ratios.setdefault(row.named, []).append(over_paper(row, record["final"])[0])
    near, far = [], []
    for name, found in ratios.items():
        off, ratio = min((abs(math.log(ratio)), ratio) for ratio in found)
        (near if off <= math.log(1.5) else far).append(f"{name} {ratio:.2f}")
    return (
        "Our mean over the paper's, for the rows of which every trial stops in some reading with the paper's net, in the "
        f"closest of these readings: within a factor of 1.5 {', '.join(near)}; outside it {', '.join(far)}.")


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
    """One line per row for the front page: the literal reading and the one with named changes of which most trials
    stop, the first of the docs' order if equal."""
    lines = [
        "| row | paper, mean | literal: stopped within cap | median; mean of those | changed: stopped within cap "
        "| median; mean of those | what is changed |", "|---|---|---|---|---|---|---|"]
    best = {}
    for row, record in rows_of(results):
        changed = row.reading not in studies.LITERAL
        stopped = record["final"]["trials_stopped"]
        if stopped > best.get((row.line, changed), (-1,))[0]:
            best[row.line, changed] = stopped, row, record
    for line in lstm.LINES:
        cells = [best[line, False][1].named, thousands(line.paper)]
        for kind in (False, True):
            if (line, kind) in best:
                _, row, record = best[line, kind]
                stopped, median, mean = counted(record["final"]["sequences_to_success"], row.max_sequences)
                cells += [f"{stopped} in {thousands(row.max_sequences)}", f"{median}; {mean.split(' [')[0]}"]
            else:
                cells += ["-", "-"]
        cells.append(best[line, True][1].reading if (line, True) in best else "-")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


TABLES = {
    "lstm_1997:rows": rows, "lstm_1997:first_stops": first_stops, "lstm_1997:stop_sets_3b": stop_sets_3b,
    "lstm_1997:progress": progress, "lstm_1997:output_gates": output_gates,
    "lstm_1997:full_gradient": full_gradient, "lstm_1997:full_gradient_answer": full_gradient_answer,
    "lstm_1997:values_6a": values_6a, "lstm_1997:values_4": values_4, "lstm_1997:limits": limits,
    "lstm_1997:recurrence": recurrence, "lstm_1997:recurrence_answer": recurrence_answer,
    "lstm_1997:values_4_answer": values_4_answer, "lstm_1997:output_gates_answer": output_gates_answer,
    "lstm_1997:values_6a_answer": values_6a_answer, "lstm_1997:paper_over": paper_over,
    "lstm_1997:riddles": riddles, "lstm_1997:first_weights": first_weights,
    "lstm_1997:first_weights_answer": first_weights_answer, "lstm_1997:plateau_3b": plateau_3b,
    "lstm_1997:speed": speed, "lstm_1997:complexity": complexity,
    "lstm_1997:headline": headline}
