"""Tables and sentences of docs/lstm_1997.md and of its front-page section."""

import math

import numpy as np

import harness
import lstm_1997 as lstm
import studies
import studies.lstm_1997 as grids
from analysis import cells, claim, readings, stop_sets
from analysis.readings import literal, stopped_by
from tables.writing import benchmark, listed, markdown, ran_on, thousands, three

TIMES = 1.5  # a mean is near the paper's within this factor
EARLY, LATE = 30_000, 100_000  # sequences by which Experiment 1 is counted besides


# --------------------------------------------------------------------------------------------------
# Records and their figures
# --------------------------------------------------------------------------------------------------

def counted(sequences, cap):
    """Trials that stop, median with the others counted as larger, mean and range of those that
    stop. cap: sequences, or in words where a trial is given up."""
    reached = [n for n in sequences if n is not None]
    median = np.median([math.inf if n is None else n for n in sequences])
    cap = cap if isinstance(cap, str) else thousands(cap)
    words = [f"{len(reached)}/{len(sequences)}", three(median) if median < math.inf else f"> {cap}"]
    words.append(mean_and_range(reached))
    return words


def mean_and_range(reached):
    if not reached:
        return "-"
    return f"{three(np.mean(reached))} [{three(min(reached))}, {three(max(reached))}]"


def of_stopped(final, name):
    return [value for value, n in zip(final[name], final["sequences_to_success"]) if n is not None]


def by(count, trials, cap):
    """A count of successes with its cap."""
    return f"{count}/{trials} by {thousands(cap)}"


def short(row):
    """What tells a row from the others of its experiment, for a person."""
    given = [(name, getattr(row, name)) for name in ("T", "N", "q", "p") if getattr(row, name) is not None]
    if row.experiment == "1":
        return f"{row.blocks} blocks, rate {row.lr:g}"
    return ", ".join(f"{name} = {value:g}" for name, value in given)


def named(row):
    return f"{row.experiment} ({short(row)})".removesuffix(" ()")


def grouped(rows):
    """Rows in a few words: an experiment of which all are there by its name alone."""
    words = []
    for experiment in dict.fromkeys(row.experiment for row in rows):
        own = [row for row in rows if row.experiment == experiment]
        which = "" if len(own) == len(rows_of(experiment)) else f" ({'; '.join(map(short, own))})"
        words.append(experiment + which)
    return listed(words)


def rows_of(*experiments):
    return [row for row in lstm.TABLE_ROWS if row.experiment in experiments]


def number(count):
    """A small number in words, at the start of a sentence."""
    return ("None", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")[count]


# --------------------------------------------------------------------------------------------------
# Which rows are reached
# --------------------------------------------------------------------------------------------------

GROUPS = {  # the lines of the front page: what they ask, and the experiments of each
    "1: Reber grammar": ("1",),
    "2a, 2b: 100 steps": ("2a", "2b"),
    "2c: 50 to 1000 steps": ("2c",),
    "3a to 3c: signal, then noise": ("3a", "3b", "3c"),
    "4: adding": ("4",),
    "5, 6: multiplying, order": ("5", "6a", "6b")}


def verdict(found, rows):
    """yes, with changes, partly or no, and which rows are not reached, or which alone are."""
    own = [run for run in found if run.row in rows]
    in_some = readings.solved_rows(own)
    if len(readings.solved_rows(own, literal)) == len(rows):
        return "yes"
    if len(in_some) == len(rows):
        return "with changes"
    if not in_some:
        most = max(run.within for run in own if run.gates_whole)
        return f"no: at most {most} of {rows[0].trials} in time"
    missing = [row for row in rows if row not in in_some]
    few, word = (missing, "all but") if len(missing) < len(in_some) else (in_some, "only")
    if len({row.experiment for row in rows}) > 1:
        return f"partly: {word} {listed(map(named, few))}"
    names = [short(row).split(", ")[0] for row in few]
    alike = len(set(names)) < len(names)
    return f"partly: {word} {'; '.join(map(short, few)) if alike else listed(names)}"


def front_verdicts(results):
    """The front page's table: a line per group of experiments."""
    found, lines = readings.runs(results), []
    for name, experiments in GROUPS.items():
        rows = rows_of(*experiments)
        own = [run for run in found if run.row in rows]
        counts = [len(readings.solved_rows(own, chosen)) for chosen in (literal, readings.common, readings.gates_whole)]
        lines.append([name, *(f"{count}/{len(rows)}" for count in counts)])
    table = markdown(["rows of experiment", "word for word", "one reading for all rows", "changed row by row"], lines)
    return f"A row counts if as many trials as in the paper stop within twice its mean.\n\n{table}"


def front_answer(results):
    """Whether the tables of 1997 reproduce, in a sentence."""
    found = readings.runs(results)
    word_for_word, in_one, in_some = (
        len(readings.solved_rows(found, chosen)) for chosen in (literal, readings.common, readings.gates_whole))
    return claim(
        word_for_word < in_one < in_some < len(lstm.TABLE_ROWS),
        f"{word_for_word} of {len(lstm.TABLE_ROWS)} rows word for word, {in_one} in one reading for all rows, "
        f"{in_some} with changes chosen per row.")


def findings(results):
    """The page's findings, at most five."""
    found = readings.runs(results)
    rows = lstm.TABLE_ROWS
    taken_further = {run.row for run in found if run.literal and run.beyond}
    reached = set(readings.solved_rows(found, literal))
    late = {run.row for run in found if run.literal and run.all_stop} - reached
    claim(late <= taken_further, "the rows that come out late were run for longer")
    in_one = [run for run in found if run.common]
    claim(len(in_one) == len(rows), "the common reading has been run in every row")
    whole = [run for run in in_one if run.solved]
    long = [run for run in in_one if run.row in long_rows()]
    word_for_word = [most_given(found, run.row) for run in long]
    short_of = [run for run in long if not run.solved]
    claim(not any(run.within for run in word_for_word), "word for word none of the long rows")
    as_long = most_given(found, next(row for row in rows_of("3a") if row.T == 1000))
    claim(all(run.row.q == 1000 for run in short_of) and len(short_of) == 3, "the others are in 2c with q = 1000")
    reber = [run for run in in_one if run.row.experiment == "1"]
    wider = [run for run in readings.runs(results, grids.NEAREST) if run.row is rows_of("1")[-1]]
    stopped = stopped_by(wider[0].sequences, LATE)
    literally = max(stopped_by(run.sequences, LATE) for run in found if run.literal and run.row is rows_of("1")[-1])
    return "\n".join([
        f"1. Word for word {len(reached)} of {len(rows)} rows come out: as many trials as in the paper stop within twice "
        f"its mean; with the {number(len(late)).lower()} that take longer, {len(reached | late)}.",
        f"2. In one reading that is the same for all rows {len(whole)} come out: the cells see the inputs and their own, "
        f"slowly learning bias only, and the error is t - y or has a tolerance. There {sum(run.within for run in in_one)} of "
        f"{sum(run.row.trials for run in in_one)} trials stop in time. With changes chosen row by row "
        f"{len(readings.solved_rows(found))} rows come out.",
        "3. 2c, 4 with T = 500 and 1000, 3b with T = 1000: word for word "
        f"{sum(run.within for run in word_for_word)} of {sum(run.row.trials for run in word_for_word)} trials stop in "
        f"time (3a with T = 1000: {as_long.within} of {as_long.row.trials}), in the common reading "
        f"{sum(run.within for run in long)} (2c, q = 1000, p = 200, 100, 50: "
        f"{listed(run.within for run in short_of)} of 20). In the way is "
        "[what gates and biases tell the cells](constant_sources.md); in 2c and 4 that was tried alone.",
        f"4. The Reber grammar stays open: in the common reading {min(run.within for run in reber)} to "
        f"{max(run.within for run in reber)} of 30 trials a row stop in time, in the paper 29 or 30. By "
        f"{thousands(LATE)} sequences (3 blocks, rate 0.5) {stopped} do with {readings.reading(wider[0].settings)}, "
        f"{literally} word for word."])


def long_rows():
    """The rows that ask for the longest memory, but for 3a with T = 1000."""
    return [row for row in lstm.TABLE_ROWS if row.experiment == "2c" or row.experiment == "4" and row.T > 100
            or (row.experiment, row.T) == ("3b", 1000)]


# --------------------------------------------------------------------------------------------------
# Three readings of every row
# --------------------------------------------------------------------------------------------------

def three_readings(results):
    """Of each row the literal reading, the common one and, where that does not serve, the nearest to
    it that does: [(row, run, run, run or None)]."""
    found = readings.runs(results)
    common = {run.row: run for run in readings.runs(results, grids.COMMON)}
    nearest = {run.row: run for run in readings.runs(results, grids.NEAREST)}
    return [(row, most_given(found, row), common.get(row), nearest.get(row)) for row in lstm.TABLE_ROWS]


def most_given(found, row):
    """Of a row's literal readings the one of which most trials stop; if equal, that with more time."""
    own = [run for run in found if run.row is row and run.literal]
    return max(own, key=lambda run: (len(run.reached), run.settings.max_sequences))


def settled(results):
    """The verdict table: thirty rows, three readings."""
    lines = []
    for row, *three_runs in three_readings(results):
        cells = []
        for run in three_runs:
            if run is None:
                cells += ["", ""]
                continue
            over = f"{three(np.mean(run.reached))} ({run.over_paper:.2f})" if run.reached else "-"
            cells += [by(len(run.reached), run.settings.trials, run.settings.max_sequences), over]
        nearest = three_runs[2]
        lines.append([named(row), thousands(row.paper), *cells[:4],
                      readings.reading(nearest.settings) if nearest else "", *cells[4:]])
    return markdown(
        ["row", "paper: mean", "(a) word for word", "mean (over the paper's)", "(b) one reading for all rows",
         "mean (over the paper's)", "(c) changed to", "(c)", "mean (over the paper's)"], lines)


def settled_counts(results):
    """How many rows the literal reading and the common one serve."""
    lines = []
    both = list(zip(*three_readings(results)))[1:3]
    for name, of_rows in zip(("word for word", "one reading for all rows"), both):
        runs = [run for run in of_rows if run]
        whole = [run for run in runs if run.all_stop]
        lines.append([
            name, len(runs), sum(run.solved for run in runs), len(whole),
            *(sum(run.over_paper <= times for run in whole) for times in (2, TIMES)),
            sum(abs(math.log(run.over_paper)) <= math.log(TIMES) for run in whole),
            *(f"{sum(counts)} of {sum(run.settings.trials for run in runs)}" for counts in (
                [run.within for run in runs], [len(run.reached) for run in runs]))])
    return markdown(
        ["reading", f"of {len(lstm.TABLE_ROWS)} rows are run", "as many trials as the paper's stop within twice its mean",
         "they do by the run's cap", "of these, mean at most 2 x the paper's", f"at most {TIMES:g} x",
         f"within a factor of {TIMES:g}", "trials that stop within twice the mean", "by the cap"], lines)


def verdicts(results):
    """A line per experiment: rows reached, trials, means."""
    found, lines = readings.runs(results), []
    for experiment in dict.fromkeys(row.experiment for row in lstm.TABLE_ROWS):
        rows = rows_of(experiment)
        cell = []
        for chosen in (literal, readings.common, readings.gates_whole):
            runs = [run for row in rows if (run := readings.best(found, row, chosen))]
            cell += [f"{sum(run.solved for run in runs)} of {len(rows)}",
                     f"{sum(run.within for run in runs)} of "
                     f"{sum(run.settings.trials for run in runs)}"]
        near = [run.over_paper for run in closest(found) if run.row in rows]
        ends = dict.fromkeys(f"{ratio:.2f}" for ratio in (min(near), max(near))) if near else ["-"]
        cell.append(" to ".join(ends))
        lines.append([experiment, *cell, verdict(found, rows)])
    return markdown(
        ["experiment", "rows, word for word", "trials", "rows, one reading for all", "trials",
         "rows, in the best reading", "trials", "mean over the paper's", "reproduced?"], lines)


def closest(found):
    """Of each row of which every trial stops in some reading with whole gates, the reading whose
    mean is closest to the paper's."""
    whole = {}
    for run in found:
        if run.all_stop and run.gates_whole and run.settings.trials == run.row.trials and run.settings.lr == run.row.lr:
            whole.setdefault(run.row, []).append(run)
    return [min(runs, key=lambda run: abs(math.log(run.over_paper))) for runs in whole.values()]


def closest_means(found):
    """Those within TIMES of the paper's mean, and the others."""
    runs = closest(found)
    near = [run for run in runs if abs(math.log(run.over_paper)) <= math.log(TIMES)]
    far = [run for run in runs if run not in near]
    return near, far


def changes_needed(results):
    """How many changes the rows need that are reached, in words."""
    fewest = {}
    for run in readings.runs(results):
        if run.solved and run.gates_whole:
            count = 0 if run.literal else len(readings.letters(run.settings).split())
            fewest[run.row] = min(count, fewest.get(run.row, count))
    rows = [[row for row in fewest if fewest[row] == count] for count in range(5)]
    claim(sum(map(len, rows)) == len(fewest) and all(rows), "none to four changes")
    return (
        f"Of the {len(fewest)} rows that are reached {listed(map(named, rows[0]))} need no "
        f"change, {listed(map(named, rows[1]))} one, {len(rows[2])} rows two, {len(rows[3])} "
        f"three and {len(rows[4])} four (the letters count).")


def paper_over(results):
    """Our mean over the paper's, for the rows whose trials all stop in some reading."""
    near, far = closest_means(readings.runs(results))
    return (
        f"In {len(near) + len(far)} rows some reading whose gates keep all sources stops in every trial. In {len(near)} of "
        f"them the closest mean is within a factor of {TIMES:g} of the paper's; in the other {len(far)}, "
        f"{listed(named(run.row) for run in far)}, it is {min(run.over_paper for run in far):.2f} to "
        f"{max(run.over_paper for run in far):.2f} of the paper's.")


def progress(results):
    """How many rows, runs and trials there are, and that each has come to its end."""
    found = readings.runs(results)
    claim({run.row for run in found} == {run.row for run in found if run.literal} == set(lstm.TABLE_ROWS),
          "every row has a literal reading")
    return claim(
        all(run.final["status"] == "done" for run in found),
        f"{len(lstm.TABLE_ROWS)} rows make {len(found)} runs, a row in a reading each, with "
        f"{thousands(sum(run.settings.trials for run in found))} trials; every trial has stopped "
        "or reached its cap.")


TEN = 9.9  # a cap counts as ten times the paper's mean from here on: it is rounded


def caps(results):
    """How much more than twice the paper's mean the literal readings were given, and what came of it."""
    found = [run for run in readings.runs(results) if run.literal]
    longer = [run for run in found if run.times_paper >= TEN]
    more, none = [], []
    for row in dict.fromkeys(run.row for run in longer):
        own = [run for run in longer if run.row is row]
        (more if any(len(run.reached) > run.within for run in own) else none).append(row)
    late = next(run for run in longer if (run.row.experiment, run.row.T) == ("4", 500))
    claim(not late.within and len(late.reached) == late.settings.trials, "adding over 500 steps: all stop, and late")
    fewer = [run for run in found if run.times_paper < TEN and len(run.reached) < run.settings.trials]
    hours = [run.record["provenance"]["wall_seconds"] / 3600 * 10 / run.times_paper for run in fewer]
    claim(min(hours) > 2, "what was given less would take more than two core-hours")
    return (
        f"Of the {len(lstm.TABLE_ROWS)} rows {len(more) + len(none)} have a literal run of ten times the paper's mean or more. In "
        f"Experiments {grouped(more)} further trials stop after twice the mean; in {grouped(none)} none do. So a row that misses may be slow, "
        f"and not stuck: of 4 (T = 500) no trial stops within twice the mean, and all "
        f"{late.settings.trials} do by {thousands(max(late.reached))} sequences, after {late.over_paper:.1f} times the paper's mean. "
        f"Trials that had not stopped were given up before ten times the mean in Experiments {grouped(list(dict.fromkeys(run.row for run in fewer)))}: "
        f"so many would take {min(hours):.1f} to {max(hours):.0f} core-hours a row at the pace of their records. With T = 1000 all readings "
        "but 3a with F X, the slow weights of 4 and the common one were given up at the paper's own mean.")


# --------------------------------------------------------------------------------------------------
# A table for each experiment
# --------------------------------------------------------------------------------------------------

def rows(*experiments):
    """A generator of the table of some experiments: every reading that has been run."""

    def generate(results):
        lines, last = [], None
        for run in readings.runs(results):
            if run.row.experiment in experiments:
                total = run.final["test_sequences"]
                wrong = "" if run.row.paper_wrong is None else f"; {run.row.paper_wrong:g} wrong"
                name = [named(run.row) if len(experiments) > 1 else short(run.row),
                        f"{thousands(run.row.paper)}{wrong}"] if run.row is not last else ["", ""]
                lines.append([*name, *line(run)])
                last = run.row
        return markdown(
            ["row", "paper: mean", "reading", "stopped within 2 x that", "by its cap", "mean of those [range]",
             "over the paper's", "median of all", f"wrong of {total}: those; all"], lines)

    return generate


def line(run):
    """What a reading's trials did."""
    trials, cap = run.settings.trials, run.settings.max_sequences
    _, median, mean = counted(run.sequences, cap)
    wrong = of_stopped(run.final, "wrong")
    return [
        readings.reading(run.settings), by(run.within, trials, cap) if run.short_of_bound else f"{run.within}/{trials}",
        by(len(run.reached), trials, cap), mean, f"{run.over_paper:.2f}" if wrong else "-", median,
        f"{mean_wrong(wrong)}; {mean_wrong(run.final['wrong'])}"]


def mean_wrong(counts):
    return f"{np.mean(counts):.{0 if np.mean(counts) >= 10 else 1}f}" if counts else "-"


def first_stops(*experiments):
    """A generator of the table of first stops: Experiments 3a, 3b and 5 stop twice."""

    def generate(results):
        lines = []
        for run in readings.runs(results):
            if run.row.experiment in experiments and "sequences_at_first_stop" in run.final:
                first, cap = run.final["sequences_at_first_stop"], run.settings.max_sequences
                _, median, mean = counted(first, cap)
                lines.append([
                    named(run.row), thousands(run.row.paper_first), readings.reading(run.settings),
                    by(stopped_by(first), len(first), cap), mean, median])
        return markdown(
            ["row", "paper: mean", "reading", "first stop by the cap", "mean of those [range]", "median of all"], lines)

    return generate


def reber_tail(results):
    """How the trials of Experiment 1 spread in the reading nearest to the common one: most stop
    early, some late."""
    nearest = {run.row: run for run in readings.runs(results, grids.NEAREST_1)}
    by_early = [stopped_by(run.sequences, EARLY) for run in nearest.values()]
    last = nearest[rows_of("1")[-1]]
    claim(last.all_stop, "3 blocks, rate 0.5: all trials stop")
    early = [n for n in last.reached if n <= EARLY]
    late = sorted(set(last.reached) - set(early))
    return (
        f"With {readings.reading(last.settings)} {listed(by_early)} of 30 trials stop by {thousands(EARLY)} sequences, row by "
        f"row. The mean is above the paper's because of a tail: with 3 blocks and rate 0.5 the {len(early)} trials that stop "
        f"by then do so after {three(np.mean(early))} on average (paper {thousands(last.row.paper)}), the other "
        f"{number(len(late)).lower()} after {listed(map(three, late))}.")


def stuck_answer(results):
    """Experiment 1: where the trials are that do not stop, in a sentence."""
    found = [run for run in readings.runs(results)
             if run.row in rows_of("1")[:3] and readings.letters(run.settings) == "S F W G"]
    left = [[wrong for wrong, n in zip(run.final["wrong"], run.sequences) if n is None] for run in found]
    claim(all(left), "in each of these rows some do not stop")
    claim(all(0.45 < np.median(wrong) / 512 < 0.55 for wrong in left), "half of the strings")
    words = listed(f"{np.median(wrong):.0f} [{min(wrong)}, {max(wrong)}]" for wrong in left)
    return (
        "In the first three rows the trials that do not stop with S F W G end with about half of "
        f"the 512 strings wrong in the median, and range widely: {words}.")


def output_gates_answer(results):
    """Section 5.1.6 in a sentence."""
    bound = 30_000
    pairs = []
    for with_gates, without in zip(grids.OUTPUT_GATES_BASE.values(), grids.OUTPUT_GATES.values()):
        (_, first), (settings, second) = pairs_of(results, [with_gates, without])
        claim(settings.max_sequences == bound and not second["final"]["trials_stopped"], "without gates none stops")
        pairs.append(f"{stopped_by(first['final']['sequences_to_success'], bound)} of {settings.trials}")
    return (
        f"Within {thousands(bound)} sequences {pairs[0]} trials stop if the weights change after "
        f"every step (S), and {pairs[1]} with S F X G. Without output gates none does, in either "
        "reading.")


def pairs_of(results, grid):
    """Settings and record of each run of a list of settings, or of a grid of a study."""
    found = []
    for choice in grid.values() if isinstance(grid, dict) else grid:
        settings, record = lstm.Settings(**choice), studies.find(results, lstm.EXPERIMENT, choice)
        if record is None:
            raise KeyError(f"results.json has no run of {choice}")
        found.append((settings, record))
    return found


# --- 2c -------------------------------------------------------------------------------------------


def without_recurrence(found):
    """Of each row of 2c the literal reading and the one without weights between hidden units."""
    return [(readings.best(found, row, literal),
             readings.best(found, row, lambda run: run.settings.recurrent == "none")) for row in rows_of("2c")]


def with_others_at_cap(run):
    """The mean over the paper's with the trials that do not stop counted at the cap."""
    return np.mean([run.settings.max_sequences if n is None else n for n in run.sequences]) / run.row.paper


def recurrence_lead(results):
    """Experiment 2c: that weights from hidden units to the cells hinder, and to the gates do not."""
    found = [run for run in readings.runs(results) if run.row.experiment == "2c"]
    common = [run for run in found if run.common]
    alone = [run for run in found if readings.letters(run.settings) == "J"]
    trials = sum(run.row.trials for run in common)
    stopped = sum(run.within for run in common)
    claim(0.7 * trials < stopped and all(run.all_stop for run in alone), "cells that see the inputs only")
    ratios = [run.over_paper for run in alone]
    claim(len(alone) > 1 and 1 / TIMES < min(ratios) <= max(ratios) < TIMES, "near the paper's counts")
    return (
        "What is in the way is what hidden units tell the cells at every step; what they tell the gates is not "
        f"([why](constant_sources.md)). With cells that see the inputs only, and nothing else changed (J), all "
        f"{common[0].row.trials} trials stop by three times the paper's mean with q = {listed(run.row.q for run in alone)}, after {min(ratios):.2f} to "
        f"{max(ratios):.2f} of it. With the error t - y besides (P J) {stopped} of the {trials} trials "
        "of all rows stop within twice the paper's mean; those that stop do so after "
        f"{min(run.over_paper for run in common):.2f} to {max(run.over_paper for run in common):.2f} of it. The more often the "
        "same distractors return, the fewer trials stop.")


def recurrence(results):
    """Experiment 2c with all weights between hidden units, with those to the gates, and without any."""
    found, lines = readings.runs(results), []
    for whole, alone in without_recurrence(found):
        common = readings.best(found, alone.row, readings.common)
        trials = alone.row.trials
        own = [f"{common.within}/{trials}", mean_and_range(common.reached), f"{common.over_paper:.2f}"]
        lines.append([
            alone.row.q, alone.row.p, thousands(alone.row.paper), f"{whole.within}/{trials}", *own,
            f"{alone.within}/{trials}", by(len(alone.reached), trials, alone.settings.max_sequences),
            f"{alone.over_paper:.2f}"])
    return markdown(
        ["q", "p", "paper: mean", "literal within 2 x that", "P J within 2 x that", "mean [range]", "over the paper's",
         "R within 2 x that", "R by 3 x that", "mean over the paper's"], lines)


def recurrence_answer(results):
    """The same in words."""
    found = readings.runs(results)
    whole, alone = zip(*without_recurrence(found))
    trials = sum(run.row.trials for run in whole)
    claim(not any(run.within for run in whole), "literally none stops within the bound")
    longer = [run for run in whole if run.reached]
    claim(len(longer) == 1 and all(run.settings.max_sequences == 3 * run.row.paper for run in alone), "the caps")
    ratios, at_cap = [run.over_paper for run in alone], [with_others_at_cap(run) for run in alone]
    return (
        f"Within twice the paper's mean {sum(run.within for run in whole)} of {trials} trials "
        "stop with the fully connected hidden layer, all else word for word, and "
        f"{sum(run.within for run in alone)} without weights between hidden units (R), nothing "
        f"else changed. Given longer, {len(longer[0].reached)} do with q = {longer[0].row.q} (by "
        f"{thousands(longer[0].settings.max_sequences)}), and "
        f"{sum(len(run.reached) for run in alone)} without these weights (by three times the "
        f"paper's mean), after {min(ratios):.2f} to {max(ratios):.2f} times the paper's mean; "
        f"{min(at_cap):.2f} to {max(at_cap):.2f} times with the others counted at the cap.")


def full_net_answer(results):
    """What the fully connected net learns of 2c with changes."""
    found = [run for run in readings.runs(results) if run.row.experiment == "2c" and run.papers_net]
    words = []
    for row in rows_of("2c")[:2]:
        run = max((run for run in found if run.row is row), key=lambda run: len(run.reached))
        words.append(
            f"{len(run.reached)} of {row.trials} trials with q = {row.q} "
            f"({readings.reading(run.settings)}, by {thousands(run.settings.max_sequences)})")
    row = rows_of("2c")[2]
    at_200 = [run for run in found if run.row is row]
    beyond = [run for run in found if run.row.q > row.q]
    claim(not any(run.reached for run in (*at_200, *beyond)) and all(run.literal for run in beyond), "none from 200 on")
    return (
        "The fully connected net is not lost at short lags: with named changes it learns 2c in "
        f"{listed(words)}. At q = {row.q} it does in no trial of {number(len(at_200)).lower()} "
        f"readings ({', '.join(readings.reading(run.settings) for run in at_200)}); at longer "
        "lags only the literal reading was tried.")


# --- 3b -------------------------------------------------------------------------------------------


def stop_sets_3b(results):
    """Experiment 3b, N = 1: the test sets that noise makes hard, and the trials that have learned
    and do not stop."""
    left = {100: [], 1000: []}
    for run in readings.runs(results):
        if (run.row.experiment, run.row.N) == ("3b", 1):
            others = of_stopped(run.final, "wrong")
            for k, sequences in enumerate(run.sequences):
                if sequences is None and run.final["wrong"][k] < run.final["test_sequences"]:
                    batches = list(lstm.Trial(run.settings, run.settings.seed + k).stop_sets())
                    left[run.row.T].append((run, k, *stop_sets.hardness(batches), others))
    (first, k, turned, fewest, _), *more = left[100]
    claim(all((j, t, f) == (k, turned, fewest) for _, j, t, f, _ in more), "with T = 100 it is the same set")
    claim(turned <= stop_sets.ALLOWED and fewest < stop_sets.ALLOWED, "which is not a hard one")
    (hard, stuck, hard_turned, hard_fewest, hard_others), = left[1000]
    claim(hard_turned > stop_sets.ALLOWED >= hard_fewest, "with T = 1000 it is")
    wrong = listed(run.final["wrong"][k] for run, *_ in left[100])
    ranges = listed(f"{min(others)} to {max(others)}" for *_, others in left[100])
    names = listed(readings.reading(run.settings) for run, *_ in left[100])
    return (
        "With N = 1 noise turns the sign of the only informative element in "
        f"{stop_sets.turned_signs():.2%} of the sequences, so that "
        f"{stop_sets.share_of_hard_sets():.0%} of all test sets of {lstm.N_STOP} hold more turned "
        f"signs than the {stop_sets.ALLOWED} wrong sequences that ST1 allows; and a trial keeps "
        "its set. One trial that learns and does not stop has such a set: T = 1000, "
        f"{readings.reading(hard.settings)}, with {hard_turned} turned signs, of which the best "
        f"threshold on that element still leaves {hard_fewest} wrong: it is hard, not impossible. It errs on "
        f"{hard.final['wrong'][stuck]} of {hard.final['test_sequences']} fresh sequences, and "
        f"those that stop on {min(hard_others)} to {max(hard_others)}. This does not explain T = "
        f"100, where the trial with seed {k} learns and does not stop in each of two readings "
        f"({names}; wrong on {wrong} fresh sequences, those that stop on {ranges}): its set has "
        f"{turned} turned signs and can be met with {fewest} wrong.")


def plateau_3b(results):
    """Experiment 3b, T = 1000: where the trials that do not stop are at the cap."""
    words = []
    for run in readings.runs(results):
        if (run.row.experiment, run.row.T) == ("3b", 1000):
            still = np.sum(np.isclose(run.final["mean_absolute_error"], 0.5, atol=0.0005))
            claim(still >= run.settings.trials - len(run.reached) - 1, "nearly all of them are at the start")
            words.append(f"{still} of {run.settings.trials - len(run.reached)} ({readings.reading(run.settings)})")
    return (
        "With T = 1000 nearly all trials of 3b that do not stop are where they began: they have "
        f"the mean absolute error of a constant answer, 0.500, at the cap still, {listed(words)}.")


# --- 4 --------------------------------------------------------------------------------------------


def first_weights_answer(results):
    """Experiment 4 with first weights of the paper's size and larger ones, in words."""
    found, words = readings.runs(results), []
    for row in rows_of("4"):
        small, large = (next(run for run in found if run.row is row and readings.letters(run.settings) == name)
                        for name in ("P D X", "P D X I12"))
        claim(small.within <= large.within, "larger weights do not harm")
        words.append(f"{small.within} and {large.within} of {row.trials} with T = {row.T}")
    return (
        "With P D X and the paper's first weights, and with first weights 12 times as large "
        "(I12), these trials stop within twice the paper's mean (T = 1000: within its mean): "
        f"{'; '.join(words)}.")


# --------------------------------------------------------------------------------------------------
# Small studies
# --------------------------------------------------------------------------------------------------

def study(*grids_or_lists):
    """A generator of a table of some runs; where a run has a longer one that begins with it,
    that."""

    def generate(results):
        lines = []
        for run in readings.runs(results, *map(as_grid, grids_or_lists)):
            trials, cap = run.settings.trials, run.settings.max_sequences
            _, median, mean = counted(run.sequences, cap)
            lines.append([named(run.row), readings.reading(run.settings), by(len(run.reached), trials, cap), mean, median,
                          mean_wrong(run.final["wrong"])])
        return markdown(
            ["task", "reading", "stopped by the cap", "mean of those [range]", "median of all",
             "wrong of 2560, all"], lines)

    return generate


def as_grid(part):
    return part if isinstance(part, dict) else dict(enumerate(part))


def full_gradient_answer(results):
    """Section 6.1, full against truncated gradient, in words."""
    words = []
    for (settings, record), (_, other) in zip(
            pairs_of(results, grids.FULL_GRADIENT_BASE), pairs_of(results, grids.FULL_GRADIENT)):
        counts = [(r["final"]["trials_stopped"], len(r["final"]["wrong"])) for r in (record, other)]
        (low, high), (other_low, other_high) = (harness.wilson(*count) for count in counts)
        claim(low <= other_high and other_low <= high, "the intervals overlap")
        first, second = ("{} of {}".format(k or "none", n) for k, n in counts)
        words.append(f"{first} and {second} in {named(settings.row)} by {thousands(settings.max_sequences)}")
    (settings, record), (_, other) = (pairs_of(results, grid)[0]
                                      for grid in (grids.FULL_GRADIENT_BASE, grids.FULL_GRADIENT))
    n = len(other["final"]["wrong"])
    shared = [stopped_by(r["final"]["sequences_to_success"][:n], settings.max_sequences) for r in (record, other)]
    wrong = [wrong for wrong in other["final"]["wrong"] if wrong]
    claim(settings.experiment == "6a" and len(wrong) == 1 and not any(record["final"]["wrong"][:n]),
          "6a: one net of the full gradient errs, no other does")
    return (
        f"Trials that stop with the truncated and with the full gradient (U): {'; '.join(words)} "
        "sequences. The 95% intervals overlap each time; but so few trials would not show a moderate "
        f"difference. In 6a the full gradient has fewer seeds: on the {n} that both have, {shared[0]} and {shared[1]} "
        f"stop. One of its nets is wrong on {wrong[0]} of {other['final']['test_sequences']} fresh sequences after "
        "the stop; with the truncated gradient none is wrong on any.")


def medians_of(results, base, grid):
    """Runs and medians of a study, the run from which the others depart first and with their seeds only."""
    found = readings.runs(results, {"base": base}, grid)
    shared = min(len(run.sequences) for run in found)
    claim(len({run.settings.seed for run in found}) == 1, "the seeds begin with the same")
    return found, [np.median([math.inf if n is None else n for n in run.sequences[:shared]]) for run in found]


def values_answer(base, grid):
    """A generator of a sentence: the medians of a study's runs over that of the run they depart
    from."""

    def generate(results):
        found, medians = medians_of(results, base, grid)
        words = []
        for run, median in zip(found[1:], medians[1:]):
            cap = run.settings.max_sequences
            times = f"{median / medians[0]:.2f}" if median < math.inf else f"more than {cap / medians[0]:.1f}"
            words.append(f"{times} ({readings.letters(run.settings).split()[-1]})")
        return f"The median is {listed(words)} times that with the paper's values, on the same seeds."

    return generate


def values_6a_verdict(results):
    """How much gate biases and rate matter for Experiment 6a."""
    found, medians = medians_of(results, SIX_A, grids.VALUES_6A)
    miss = sum(n is None for run in found for n in run.sequences)
    claim(miss == 1, "one trial does not stop")
    return f"6a is learned by all but one trial; the median varies {max(medians) / min(medians):.1f}-fold."


# --------------------------------------------------------------------------------------------------
# Inside a net
# --------------------------------------------------------------------------------------------------

def cells_answer(results):
    """What gates and states of the two nets of cec.png do, in words."""
    adding, order = (cells.of_record(record) for record in cells.drawn(results))
    one, two = adding.input_gates, order.input_gates
    claim(one[0][0] > 0.5 > 10 * one[0][1] and max(one[1]) < 0.01, "adding: gate 1 opens at the marks, gate 2 never")
    claim(two[0][0] > 0.5 > 5 * two[0][1] and two[1][1] > 0.1, "order: gate 1 opens, gate 2 stays ajar")
    claim(max(adding.drift) < 0.1 and min(max(order.drift[:2]), max(order.drift[2:])) > 3, "drift")
    return (
        f"In Experiment 4 ({adding.reading}) the first block's input gate is at {one[0][0]:.2f} "
        f"at the two marked values and, on average, at {one[0][1]:.3f} at the others; the second "
        "block's stays closed. From the second mark to the end no state moves by more than "
        f"{max(adding.drift):.2f}. In Experiment 6a ({order.reading}) the first block's gate is "
        f"at {two[0][0]:.2f} at the two relevant symbols and at {two[0][1]:.2f} elsewhere, the "
        f"second's at {two[1][1]:.2f} throughout. Both blocks drift: from the second symbol to "
        f"the end a state of the first block moves by up to {max(order.drift[:2]):.1f}, one of "
        f"the second by up to {max(order.drift[2:]):.1f}.")


# --------------------------------------------------------------------------------------------------
# Legend, speed
# --------------------------------------------------------------------------------------------------

def legend(results):
    """The letters of the changes."""
    return markdown(["letter", "change", "the paper", "flag"], [
        [f"**{change.letter}**", change.words, change.paper, f"`{change.flag}`"] for change in readings.CHANGES])


def speed(results):
    records = dict(sorted(benchmark("lstm_1997").items()))
    lines = [[rows[0]["T"], rows[0]["implementation"],
              *(cell for row in rows for cell in (f"{row['us_per_sequence_and_trial']:,.0f}", f"{row['times_lockstep_10']:.2f}"))]
             for rows in zip(*(record["rows"] for record in records.values()), strict=True)]
    header = [cell for level in records for cell in (f"{level}, µs per sequence and trial", "times the lockstep of 10")]
    return markdown(["T", "implementation, float64", *header], lines)


def complexity(results):
    """The algorithm in forward mode as net and sequence grow."""
    lines = [[thousands(row["weights"]), row["steps"], f"{row['us_per_step']:,.0f}",
              f"{row['ns_per_step_and_weight']:.1f}", thousands(row["peak_kilobytes"])] for row in benchmark("lstm_1997")["AVX-512"]["scaling"]]
    return markdown(["weights", "steps", "µs per step", "ns per step and weight", "peak memory, kB"], lines)


SIX_A = dict(experiment="6a", max_sequences=313_900)
FOUR = list(grids.TABLE_7.values())[1]
TABLES = {
    "front:lstm_1997": front_answer, "front:verdicts": front_verdicts,
    "lstm_1997:findings": findings, "lstm_1997:legend": legend, "lstm_1997:verdicts": verdicts,
    "lstm_1997:settled": settled, "lstm_1997:settled_counts": settled_counts,
    "lstm_1997:progress": progress, "lstm_1997:caps": caps, "lstm_1997:paper_over": paper_over,
    "lstm_1997:changes_needed": changes_needed,
    "lstm_1997:rows_1": rows("1"), "lstm_1997:reber_tail": reber_tail,
    "lstm_1997:stuck_answer": stuck_answer,
    "lstm_1997:output_gates_answer": output_gates_answer,
    "lstm_1997:rows_2ab": rows("2a", "2b"), "lstm_1997:rows_2c": rows("2c"),
    "lstm_1997:recurrence_lead": recurrence_lead, "lstm_1997:recurrence": recurrence,
    "lstm_1997:recurrence_answer": recurrence_answer,
    "lstm_1997:full_net_answer": full_net_answer,
    "lstm_1997:rows_3": rows("3a", "3b", "3c"), "lstm_1997:first_stops_3": first_stops("3a", "3b"),
    "lstm_1997:stop_sets_3b": stop_sets_3b, "lstm_1997:plateau_3b": plateau_3b,
    "lstm_1997:rows_4": rows("4"), "lstm_1997:first_weights_answer": first_weights_answer,
    "lstm_1997:values_4": study([FOUR], grids.VALUES_4),
    "lstm_1997:values_4_answer": values_answer(FOUR, grids.VALUES_4),
    "lstm_1997:rows_5": rows("5"), "lstm_1997:first_stops_5": first_stops("5"),
    "lstm_1997:rows_6": rows("6a", "6b"), "lstm_1997:values_6a": study([SIX_A], grids.VALUES_6A),
    "lstm_1997:values_6a_answer": values_answer(SIX_A, grids.VALUES_6A),
    "lstm_1997:values_6a_verdict": values_6a_verdict,
    "lstm_1997:full_gradient_answer": full_gradient_answer,
    "lstm_1997:limits": study(grids.LIMITS, list(grids.FULL_GRADIENT.values())[-1:]),
    "lstm_1997:cells_answer": cells_answer,
    "lstm_1997:speed": speed, "lstm_1997:speed_on": lambda results: f"{ran_on('lstm_1997')}.",
    "lstm_1997:complexity": complexity}
