"""Tables and sentences of docs/lstm_1997.md and of its front-page section."""

import math
from typing import NamedTuple

import numpy as np

import harness
import lstm_1997 as lstm
import studies
import studies.lstm_1997 as grids
from analysis import stop_sets
from tables.writing import benchmark, claim, listed, markdown, thousands

LITERAL = ("literal", "update step")  # the readings that change nothing the text says
SHORT, SHORT_CHANGED = grids.TABLE_7.values()  # adding with T = 100
LONG = list(grids.TABLE_7_LONG.values())  # with T = 500 and 1000, three readings each
LARGER, LARGEST = grids.FIRST_WEIGHTS.values()
LAGS = [choice for choice in grids.PAPER.values() if choice["experiment"] == "2c"]
LITERAL_2C = [choice for choice in LAGS if "recurrent" not in choice]
NOT_RECURRENT = [choice for choice in LAGS if "recurrent" in choice]


# --------------------------------------------------------------------------------------------------
# Records and their figures
# --------------------------------------------------------------------------------------------------

def pairs_of(results, grid):
    """Settings and record of each run of a list of settings, or of a grid of a study."""
    found = []
    for choice in grid.values() if isinstance(grid, dict) else grid:
        settings, record = lstm.Settings(**choice), studies.find(results, lstm.EXPERIMENT, choice)
        if record is None:
            raise KeyError(f"results.json has no run of {choice}")
        found.append((settings, record))
    return found


def paper_rows(results):
    """Settings and record of every run of a row of the paper, in the paper's order."""
    pairs = pairs_of(results, grids.PAPER)
    return sorted(pairs, key=lambda pair: (lstm.TABLE_ROWS.index(pair[0].row), *order(pair[0].reading)))


def order(reading):
    """The literal readings first: the update at the end of the sequence, then the one after
    every step."""
    return reading != "literal", reading != "update step", reading


def counted(sequences, cap):
    """Trials that stop, median with the others counted as larger, mean and range of those that
    stop. cap: sequences, or in words where a trial is given up."""
    reached = [n for n in sequences if n is not None]
    median = np.median([math.inf if n is None else n for n in sequences])
    cap = cap if isinstance(cap, str) else thousands(cap)
    words = [f"{len(reached)}/{len(sequences)}", thousands(median) if median < math.inf else f"> {cap}"]
    words.append(
        f"{thousands(np.mean(reached))} [{thousands(min(reached))}, {thousands(max(reached))}]" if reached else "-")
    return words


def stopped_by(sequences, cap=math.inf):
    """How many trials have stopped by a number of sequences."""
    return sum(n is not None and n <= cap for n in sequences)


def of_stopped(final, name):
    return [value for value, n in zip(final[name], final["sequences_to_success"]) if n is not None]


# --------------------------------------------------------------------------------------------------
# Which rows of the paper's tables are reached
# --------------------------------------------------------------------------------------------------

class Run(NamedTuple):
    """A row of the paper in one reading, with the paper's number of trials."""

    settings: object
    record: dict

    @property
    def row(self):
        return self.settings.row

    @property
    def sequences(self):
        return self.record["final"]["sequences_to_success"]

    @property
    def literal(self):
        return self.settings.reading in LITERAL

    @property
    def papers_net(self):
        return self.settings.recurrent == "paper" and self.settings.output_gates == "paper"

    @property
    def cap(self):
        """Where readings are compared: twice the paper's mean, or where this run was given up
        before that."""
        return min(2 * self.row.paper, self.settings.max_sequences)

    @property
    def by_cap(self):
        """Trials that stop by then."""
        return stopped_by(self.sequences, self.cap)

    @property
    def reached(self):
        """Whether as many trials stop by then as the paper reports."""
        return self.by_cap >= papers_trials(self.row)


# Of 30 trials, those that stop in the rows of Table 1 with 97%; in all other rows every trial does
FEWER = {("1", 3, 0.2): 29, ("1", 4, 0.5): 29}


def papers_trials(row):
    """How many trials of a row the paper reports as successful."""
    return FEWER.get((row.experiment, row.blocks, row.lr), row.trials)


def every_reading(results):
    """Each row of the paper in each reading that has been run with the paper's number of trials,
    {(row, reading): Run}; of runs that differ in their cap the longest, of which the others are
    the beginning."""
    found = {}
    for record in results[lstm.EXPERIMENT]:
        run = Run(lstm.Settings(**record["settings"]), record)
        key = run.row, run.settings.reading
        if (run.settings.in_paper and run.settings.trials == run.row.trials and run.settings.seed == 0
                and record["final"]["status"] == "done"
                and (key not in found or found[key].settings.max_sequences < run.settings.max_sequences)):
            found[key] = run
    return found


def of_row(results, row, chosen=lambda run: True):
    """The readings of one row."""
    return [run for (of, _), run in every_reading(results).items() if of is row and chosen(run)]


def with_changes(run):
    """What counts as a reading of the paper's net with named changes."""
    return run.papers_net and not run.literal


def reached_rows(results, rows, chosen):
    """Those of some rows that are reached in some of their readings."""
    return [row for row in rows if any(run.reached for run in of_row(results, row, chosen))]


VERDICTS = {  # the lines of the front page: the experiments of each, and what they ask
    "1, embedded Reber grammar": ("1",),
    "2a and 2b, one symbol over 100 steps": ("2a", "2b"),
    "2c, 50 to 1000 steps of distractors": ("2c",),
    "3a to 3c, a signal before noise": ("3a", "3b", "3c"),
    "4, adding": ("4",),
    "5 and 6, multiplying, temporal order": ("5", "6a", "6b")}


def short(row):
    """A row of an experiment in a few characters."""
    given = [(name, getattr(row, name)) for name in ("T", "N", "q", "p") if getattr(row, name) is not None]
    if row.experiment == "1":
        given = [("blocks", row.blocks), ("rate", row.lr)]
    return " ".join([row.experiment, ", ".join(f"{name} = {value:g}" for name, value in given)]).strip()


def verdict(results, rows):
    """yes, with changes, partly or no, and which rows are not reached, or which alone are."""
    literal, changed = (reached_rows(results, rows, chosen) for chosen in (
        lambda run: run.literal, lambda run: run.papers_net))
    if len(literal) == len(rows):
        return "yes"
    if len(changed) == len(rows):
        return "with changes"
    if not changed:
        most = max((run.by_cap for row in rows for run in of_row(results, row, lambda run: run.papers_net)))
        return f"no: at most {most} of {rows[0].trials} trials"
    missing = [row for row in rows if row not in changed]
    few, word = (missing, "all but") if len(missing) < len(changed) else (changed, "only")
    names = [short(row) for row in few]
    if len({row.experiment for row in rows}) == 1:
        names = [name.split(" ", 1)[1] for name in names]
    if rows[0].experiment == "2c":
        names = [name.split(",")[0] for name in names]
    return f"partly: {word} {listed(names)}"


def front_verdicts(results):
    """The front page's table: a line per group of experiments."""
    cells = []
    for name, experiments in VERDICTS.items():
        rows = [row for row in lstm.TABLE_ROWS if row.experiment in experiments]
        literal, changed = (len(reached_rows(results, rows, chosen)) for chosen in (
            lambda run: run.literal, lambda run: run.papers_net))
        cells.append([name, f"{literal} of {len(rows)}", f"{changed} of {len(rows)}", verdict(results, rows)])
    lag = [row for row in lstm.TABLE_ROWS if row.experiment == "2c"]
    alone = [of_row(results, row, lambda run: run.settings.recurrent == "none")[0] for row in lag]
    table = markdown(["experiment", "rows, word for word", "rows, with named changes", "reproduced?"], cells)
    return (
        f"{table}\n\nA row counts if as many of its trials as in the paper (all; 29 of 30 in two rows) "
        "reach the paper's stopping criterion within twice the paper's mean. Named changes are readings "
        "of what the text leaves open. Without weights between hidden units, which is no longer the "
        f"paper's net, {sum(run.by_cap for run in alone)} of {sum(run.row.trials for run in alone)} trials "
        f"of 2c stop within that bound, at lags of up to {max(row.q for row in lag)} steps; with them and "
        f"word for word {sum(max(run.by_cap for run in of_row(results, row, lambda run: run.literal)) for row in lag)}.")


def front_answer(results):
    """Whether the tables of 1997 reproduce, in a sentence."""
    rows = lstm.TABLE_ROWS
    literal, changed = (len(reached_rows(results, rows, chosen)) for chosen in (
        lambda run: run.literal, lambda run: run.papers_net))
    late = sum(any(run.literal and stopped_by(run.sequences) >= papers_trials(row) for run in of_row(results, row))
               for row in rows)
    return claim(
        literal < late < changed < len(rows),
        f"Partly: with the text taken word for word {literal} of {len(rows)} rows within twice the "
        f"paper's mean, {late} if the trials may go on for longer; {changed} with named changes of what "
        "the text leaves open.")


# --------------------------------------------------------------------------------------------------
# Tables 1 to 9
# --------------------------------------------------------------------------------------------------

def rows(results):
    cells = []
    for settings, record in paper_rows(results):
        final, row = record["final"], settings.row
        wrong = of_stopped(final, "wrong")
        cells.append([
            row.table, settings.named, settings.reading,
            *counted(final["sequences_to_success"], settings.max_sequences),
            thousands(settings.max_sequences), thousands(row.paper),
            f"{np.mean(wrong):.1f} of {final['test_sequences']}" if wrong else "-",
            "-" if row.paper_wrong is None else f"{row.paper_wrong:g}"])
    return markdown(
        ["Table", "row", "reading", "stopped", "median", "mean of those [range]", "cap", "paper, mean",
         "wrong, mean", "paper"], cells)


def first_stops(results):
    """Experiments 3a, 3b and 5, which stop twice."""
    cells = []
    for settings, record in paper_rows(results):
        if "sequences_at_first_stop" in record["final"]:
            name = "fewer than 140 of 2000 wrong" if settings.experiment == "5" else "ST1"
            counts = counted(record["final"]["sequences_at_first_stop"], settings.max_sequences)
            cells.append([settings.named, settings.reading, name, *counts, thousands(settings.row.paper_first)])
    return markdown(
        ["row", "reading", "first stop", "stopped", "median", "mean of those [range]", "paper, mean"], cells)


def stop_sets_3b(results):
    """Experiment 3b, N = 1: the test sets that noise makes hard, and the trials that do not stop
    where others do."""
    words = [
        "In Experiment 3b with N = 1 noise turns the sign of the only informative element in "
        f"{stop_sets.turned_signs():.2%} of the sequences. So {stop_sets.share_of_hard_sets():.0%} "
        f"of all test sets of {lstm.N_STOP} hold more than the {stop_sets.ALLOWED} wrong ones that "
        "ST1 allows even for a net that answers every sign rightly, and here a trial keeps its "
        "set."]
    for settings, record in paper_rows(results):
        final = record["final"]
        left = [k for k, sequences in enumerate(final["sequences_to_success"])
                if sequences is None and final["wrong"][k] < final["test_sequences"]]
        if (settings.experiment, settings.N) == ("3b", 1) and left:
            sets = (list(lstm.Trial(settings, settings.seed + k).stop_sets()) for k in left)
            turned, fewest = zip(*map(stop_sets.hardness, sets))
            others = of_stopped(final, "wrong")
            words.append(
                f"T = {settings.T}, {settings.reading}: of {settings.trials} trials {len(left)} "
                "learned without a stop; wrong at the cap are "
                f"{listed(final['wrong'][k] for k in left)} of {final['test_sequences']} fresh "
                f"sequences, of those that stop {min(others)} to {max(others)}; turned signs in "
                f"the set: {listed(turned)}; wrong in it with the best threshold on that element: "
                f"{listed(fewest)}.")
    return " ".join(words)


def plateau_3b(results):
    """Experiment 3b, T = 1000: how many trials stop, and how many are where they started."""
    words = []
    for settings, record in pairs_of(results, grids.TABLES_4_AND_5_LONG):
        if settings.experiment == "3b":
            still = np.isclose(record["final"]["mean_absolute_error"], 0.5, atol=0.0005)
            words.append(f"{record['final']['trials_stopped']} and {np.sum(still)} ({settings.reading})")
    return (
        "Of the ten trials of 3b with T = 1000 so many stop, and so many have the mean absolute "
        f"error of a constant answer, 0.500, at the cap still: {'; '.join(words)}.")


def progress(results):
    """How many rows, runs and trials there are, and that each has come to its end."""
    pairs = paper_rows(results)
    every = {settings.row for settings, _ in pairs}
    literal = {settings.row for settings, _ in pairs if settings.reading in LITERAL}
    return claim(
        every == literal == set(lstm.TABLE_ROWS) and all(record["final"]["status"] == "done" for _, record in pairs),
        f"These are all {len(every)} rows of the paper's tables, each in a literal reading, in "
        f"{len(pairs)} runs with {thousands(sum(settings.trials for settings, _ in pairs))} "
        "trials; every trial has stopped or reached its cap.")


def over_paper(settings, final):
    """The mean of the trials that stop, over the paper's; and the mean of all, the others
    counted at the cap."""
    sequences = final["sequences_to_success"]
    every = np.mean([settings.max_sequences if n is None else n for n in sequences])
    return np.mean(of_stopped(final, "sequences_to_success")) / settings.row.paper, every / settings.row.paper


def paper_over(results):
    """Our mean over the paper's, for the rows whose trials all stop in some reading; of these
    readings the closest."""
    ratios = {}
    for settings, record in paper_rows(results):
        if record["final"]["trials_stopped"] == settings.trials and settings.recurrent == "paper":
            ratios.setdefault(settings.named, []).append(over_paper(settings, record["final"])[0])
    near, far = [], []
    for name, found in ratios.items():
        off, ratio = min((abs(math.log(ratio)), ratio) for ratio in found)
        (near if off <= math.log(1.5) else far).append(f"{name} {ratio:.2f}")
    return (
        "Our mean over the paper's, for the rows of which every trial stops in some reading with "
        "the paper's net, in the closest of these readings: within a factor of 1.5 "
        f"{', '.join(near)}; outside it {', '.join(far)}.")


def headline(results):
    """One line per row for the front page: the literal reading and the one with named changes of
    which most trials stop, the first of the docs' order if equal."""
    best, cells = {}, []
    for settings, record in paper_rows(results):
        changed = settings.reading not in LITERAL
        stopped = record["final"]["trials_stopped"]
        if stopped > best.get((settings.row, changed), (-1,))[0]:
            best[settings.row, changed] = stopped, settings, record
    for row in lstm.TABLE_ROWS:
        words = [best[row, False][1].named, thousands(row.paper)]
        for kind in (False, True):
            if (row, kind) in best:
                _, settings, record = best[row, kind]
                stopped, median, mean = counted(record["final"]["sequences_to_success"], settings.max_sequences)
                words += [f"{stopped} in {thousands(settings.max_sequences)}", f"{median}; {mean.split(' [')[0]}"]
            else:
                words += ["-", "-"]
        cells.append([*words, best[row, True][1].reading if (row, True) in best else "-"])
    return markdown(
        ["row", "paper, mean", "literal: stopped within cap", "median; mean of those",
         "changed: stopped within cap", "median; mean of those", "what is changed"], cells)


# --------------------------------------------------------------------------------------------------
# Experiment 2c without recurrence
# --------------------------------------------------------------------------------------------------

def recurrence(results):
    """Experiment 2c with the weights between hidden units and without."""
    cells = []
    for (settings, literal), (other, without) in zip(
            pairs_of(results, LITERAL_2C), pairs_of(results, NOT_RECURRENT)):
        final = without["final"]
        stopped, _, mean = counted(final["sequences_to_success"], other.max_sequences)
        cells.append([
            settings.q, settings.p, thousands(settings.row.paper),
            f"{literal['final']['trials_stopped']}/{settings.trials} within "
            f"{thousands(settings.max_sequences)}",
            stopped, mean, *(f"{ratio:.2f}" for ratio in over_paper(other, final)),
            f"{np.mean(of_stopped(final, 'wrong')):.1f}"])
    return markdown(
        ["q", "p", "paper, mean", "literal: stopped", "without recurrence: stopped", "mean of those [range]",
         "over the paper's", "with the others at the cap", "wrong of 2560, mean"], cells)


def recurrence_answer(results):
    """The same in a sentence."""
    (least, first), *longer = [
        (settings, record["final"]) for settings, record in pairs_of(results, LITERAL_2C)]
    without = [(settings, record["final"]) for settings, record in pairs_of(results, NOT_RECURRENT)]
    caps = [settings.max_sequences / settings.row.paper for settings, _ in longer]
    stopped_only, others_at_cap = zip(*(over_paper(settings, final) for settings, final in without))
    lags = [settings.q for settings, _ in without]
    return claim(
        np.allclose(caps, 2) and not any(final["trials_stopped"] for _, final in longer),
        "Experiment 2c with the fully connected hidden layer of the text: "
        f"{first['trials_stopped']} of {least.trials} trials stop with q = {least.q} (cap "
        f"{thousands(least.max_sequences)}), and none of "
        f"{sum(settings.trials for settings, _ in longer)} on the {len(longer)} rows with longer "
        "lags, within twice the paper's count. Without weights between hidden units, and nothing "
        f"else changed, {sum(final['trials_stopped'] for _, final in without)} of "
        f"{sum(settings.trials for settings, _ in without)} on all {len(without)} rows, lags of "
        f"{min(lags)} to {max(lags)} steps, after {min(stopped_only):.2f} to "
        f"{max(stopped_only):.2f} times the paper's count in the mean of those; with the others "
        f"counted at the cap, {min(others_at_cap):.2f} to {max(others_at_cap):.2f} times.")


# --------------------------------------------------------------------------------------------------
# Small studies
# --------------------------------------------------------------------------------------------------

def study(*grids_or_lists):
    """A generator of a table of some runs."""

    def generate(results):
        cells = []
        for settings, record in [pair for part in grids_or_lists for pair in pairs_of(results, part)]:
            final = record["final"]
            cells.append([
                settings.named, settings.reading,
                *counted(final["sequences_to_success"], settings.max_sequences), thousands(settings.max_sequences),
                f"{np.mean(final['wrong']):.1f} of {final['test_sequences']}"])
        return markdown(
            ["task", "reading", "stopped", "median", "mean of those [range]", "cap", "wrong at the end, mean"], cells)

    return generate


LIMITS = sorted(grids.LIMITS.values(), key=lambda choice: "bias_scale" in choice)  # section 6.1
FULL_GRADIENT = [choice for pair in zip(grids.FULL_GRADIENT_BASE.values(), grids.FULL_GRADIENT.values())
                 for choice in pair]  # truncated, then full


def full_gradient_answer(results):
    """Section 6.1, full against truncated gradient, in a sentence."""
    words = []
    for pairs in zip(pairs_of(results, grids.FULL_GRADIENT_BASE), pairs_of(results, grids.FULL_GRADIENT)):
        counts = [(record["final"]["trials_stopped"], settings.trials) for settings, record in pairs]
        (low, high), (other_low, other_high) = (harness.wilson(*count) for count in counts)
        claim(low <= other_high and other_low <= high, "the intervals overlap")
        words.append(f"{pairs[0][0].named} {' against '.join('{} of {}'.format(*count) for count in counts)}")
    return f"Trials that stop, truncated against full: {'; '.join(words)}; the 95% intervals overlap in each."


def output_gates_answer(results):
    """Section 5.1.6 in a sentence."""
    counts = [
        " and ".join(str(record["final"]["trials_stopped"]) for _, record in pairs_of(results, grid))
        for grid in (grids.OUTPUT_GATES_BASE, grids.OUTPUT_GATES)]
    return f"In these two readings {counts[0]} of 30 trials stop with output gates, {counts[1]} of 30 without."


def first_weights_answer(results):
    """Experiment 4 with first weights of the paper's size and larger ones, in a sentence."""
    words = []
    for choices in ((SHORT_CHANGED, LARGER), LONG[1:3], LONG[4:]):
        counts = []
        for settings, record in pairs_of(results, choices):
            reached = of_stopped(record["final"], "sequences_to_success")
            mean = f" (mean of those {thousands(np.mean(reached))})" if reached else ""
            counts.append(f"{len(reached)} of {settings.trials}{mean}")
        words.append(f"with T = {settings.T} {counts[0]} against {counts[1]}, paper {thousands(settings.row.paper)}")
    return f"Trials that stop, first weights in [-0.1, 0.1] against 12 times as large: {'; '.join(words)}."


def values_answer(base, grid):
    """A generator of a sentence: the means of a study's runs over the mean of the run they
    depart from."""

    def generate(results):
        (_, first), *others = pairs_of(results, [base, *grid.values()])
        words = []
        for settings, record in others:
            if record["final"]["trials_stopped"]:
                mean = np.mean(of_stopped(record["final"], "sequences_to_success"))
                times = mean / np.mean(of_stopped(first["final"], "sequences_to_success"))
                change = settings.reading.split(", ")[-1]
                words.append(f"{times:.2f} times ({change}, {record['final']['trials_stopped']} of {settings.trials})")
        return f"The mean of the trials that stop, over the first line's: {', '.join(words)}."

    return generate


# --------------------------------------------------------------------------------------------------
# Speed
# --------------------------------------------------------------------------------------------------

def speed(results):
    cells = [[row["T"], row["implementation"], f"{row['us_per_sequence_and_trial']:,.0f}", f"{row['times_lockstep_10']:.2f}"]
             for row in benchmark("lstm_1997")["rows"]]
    return markdown(["T", "implementation", "us per sequence and trial", "times the lockstep of 10"], cells)


def complexity(results):
    """The algorithm in forward mode as net and sequence grow."""
    cells = [[thousands(row["weights"]), row["steps"], f"{row['us_per_step']:,.0f}", f"{row['ns_per_step_and_weight']:.1f}",
              thousands(row["peak_kilobytes"])] for row in benchmark("lstm_1997")["scaling"]]
    return markdown(["weights", "steps", "us per step", "ns per step and weight", "peak memory, kB"], cells)


SIX_A = dict(experiment="6a")
TABLES = {
    "front:lstm_1997": front_answer, "front:verdicts": front_verdicts,
    "lstm_1997:rows": rows, "lstm_1997:first_stops": first_stops, "lstm_1997:stop_sets_3b": stop_sets_3b,
    "lstm_1997:plateau_3b": plateau_3b, "lstm_1997:progress": progress, "lstm_1997:paper_over": paper_over,
    "lstm_1997:headline": headline,
    "lstm_1997:recurrence": recurrence, "lstm_1997:recurrence_answer": recurrence_answer,
    "lstm_1997:limits": study(LIMITS),
    "lstm_1997:full_gradient": study(FULL_GRADIENT), "lstm_1997:full_gradient_answer": full_gradient_answer,
    "lstm_1997:output_gates": study(grids.OUTPUT_GATES_BASE, grids.OUTPUT_GATES),
    "lstm_1997:output_gates_answer": output_gates_answer,
    "lstm_1997:values_6a": study([SIX_A], grids.VALUES_6A),
    "lstm_1997:values_6a_answer": values_answer(SIX_A, grids.VALUES_6A),
    "lstm_1997:values_4": study([SHORT_CHANGED], grids.VALUES_4),
    "lstm_1997:values_4_answer": values_answer(SHORT_CHANGED, grids.VALUES_4),
    "lstm_1997:riddles": study(  # after the reading that they depart from
        list(grids.TABLE_1.values())[-1:], grids.RIDDLE_1, grids.RIDDLE_2C, LONG[1:2], grids.RIDDLE_4),
    "lstm_1997:first_weights": study([SHORT_CHANGED, LARGER, *LONG[1:3], LARGEST, *LONG[4:]]),
    "lstm_1997:first_weights_answer": first_weights_answer,
    "lstm_1997:speed": speed, "lstm_1997:complexity": complexity}
