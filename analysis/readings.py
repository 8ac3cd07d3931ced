"""The rows of the 1997 paper's tables in every reading that has been run: what a reading changes,
in letters, and which rows are reached in it."""

import functools
import math
from typing import NamedTuple

import lstm_1997 as lstm
import studies
import studies.lstm_1997 as grids

# --------------------------------------------------------------------------------------------------
# What a reading changes
# --------------------------------------------------------------------------------------------------

class Change(NamedTuple):
    """A letter of the legend. applies(settings): what follows the letter, None if it is not
    changed."""

    letter: str
    words: str
    paper: str  # what the paper says of it
    flag: str
    applies: object


def factor(name):
    return lambda settings: None if getattr(settings, name) == 1 else f"{getattr(settings, name):g}"


def value(name, changed):
    return lambda settings: "" if getattr(settings, name) == changed else None


def sources(which):
    """What follows the letter of cells that see less."""
    def applies(settings):
        if settings.cell_sources != which:
            return None
        return "b" if settings.cell_bias == "paper" else ""
    return applies


CHANGES = (
    Change("S", "weights change after every step, not at the end of a sequence",
           "open in Experiments 1, 2a and 2b; counts as literal there", "--update step", value("update", "step")),
    Change("P", "output error t - y, without f'(net)", "A.17 has f'(net)", "--output-error plain",
           value("output_error", "plain")),
    Change("F", "output error (f'(net) + 0.1)(t - y), with Fahlman's flat-spot constant (F0.05: with 0.05)",
           "A.17 has no constant", "--output-error flat-spot",
           lambda settings: None if settings.output_error != "flat-spot"
           else "" if settings.flat_spot == 0.1 else f"{settings.flat_spot:g}"),
    Change("D", "output error doubled", "A.17 has no factor 2; A.14 and A.15 imply one", "--error-factor 2",
           value("error_factor", 2)),
    Change("X", "ranges of h and g exchanged: h in [-2, 2], g in [-1, 1]",
           "the text says h in [-1, 1] and g in [-2, 2], the note of Table 10 the opposite", "--ranges table10",
           value("ranges", "table10")),
    Change("W", "wide ranges: h and g in [-2, 2]", "not in the paper", "--ranges wide", value("ranges", "wide")),
    Change("H", "h in [-4, 4], g in [-1, 1]", "not in the paper", "--ranges h4", value("ranges", "h4")),
    Change("G", "gates start a sequence at 0.5, the logistic function of 0, and not at 0",
           '"all activations are reinitialized with zeros"; gates are sources of the recurrent connections',
           "--gate-start 0.5", value("gate_start", 0.5)),
    Change("N", "cells see other cells and the inputs: no weights to them from gates, no bias (Nb: with the bias); "
           "gates keep all their sources", "fully connected, and counted; all units but the inputs have a bias in "
           "Experiments 3 to 6", "--cell-sources cells",
           sources("cells")),
    Change("J", "cells see the inputs only: no weights to them from hidden units, no bias (Jb: with the bias); gates "
           "keep all their sources", "as above", "--cell-sources inputs", sources("inputs")),
    Change("K", "weights to the cells from hidden units and the bias learn at the rate times the factor that follows "
           "(Kc: from gates and the bias only; Kb: from the bias only)", "one rate for all weights",
           "--cell-rate 0.1 --cell-rate-of constant",
           lambda settings: None if settings.cell_rate == 1
           else {"all": "", "constant": "c", "bias": "b"}[settings.cell_rate_of] + f"{settings.cell_rate:g}"),
    Change("T", "an output's error counts as 0 while |t - y| is below what follows", "not in the paper",
           "--tolerance 0.3", lambda settings: f"{settings.tolerance:g}" if settings.tolerance else None),
    Change("V", "the 256 sequences that stop a trial of Experiment 3 are drawn anew at each test",
           '"256 sequences from a randomly chosen test set"', "--stop-set fresh", value("stop_set", "fresh")),
    Change("A", "memory cell and input gate are added after 100 sequences",
           'added "once the error has stopped decreasing", which is not defined; literal is here: when the mean '
           "error of 100 sequences is not below that of the 100 before", "--add-cell-when 100",
           value("add_cell_when", 100)),
    Change("E", "errors at the end of a sequence only", "2b has one at every step", "--errors-at end",
           value("errors_at", "end")),
    Change("I", "initial weights larger or smaller by the factor that follows", "[-0.2, 0.2] or [-0.1, 0.1]",
           "--init-scale 12", factor("init_scale")),
    Change("B", "starts of the gate biases times the factor that follows", '"the precise values hardly matter"',
           "--bias-scale 2", factor("bias_scale")),
    Change("L", "another learning rate, which follows", "one for each row", "--lr 0.25",
           lambda settings: None if settings.lr == settings.row.lr else f"{settings.lr:g}"),
    Change("C", "running derivatives of the states are carried from string to string", "reset between strings",
           "--carry-derivatives", value("carry_derivatives", True)),
    Change("U", "untruncated: the full gradient", "truncated", "--gradient full", value("gradient", "full")),
    Change("O", "no output gates; not the paper's net", "section 5.1.6 reports that, too", "--output-gates none",
           value("output_gates", "none")),
    Change("R", "no weights between hidden units; not the paper's net (R0: they start at 0)",
           'fully connected, and counted; "less connectivity may work as well" (Experiment 1)', "--recurrent none",
           lambda settings: {"paper": None, "none": "", "zero": "0"}[settings.recurrent]),
)


def changed_cells(settings):
    """Whether the cells have other sources than the paper's."""
    return settings.cell_sources != "paper" or settings.cell_bias == "none"


@functools.cache
def letters(settings):
    """The changes of a reading in letters, "" for none."""
    found = [(change.letter, change.applies(settings)) for change in CHANGES]
    return " ".join(letter + more for letter, more in found if more is not None)


def reading(settings):
    """A reading in a table's cell."""
    return {"": "literal", "S": "literal, S"}.get(letters(settings), letters(settings))


# --------------------------------------------------------------------------------------------------
# Rows
# --------------------------------------------------------------------------------------------------

FEWER = {("1", 3, 0.2): 29, ("1", 4, 0.5): 29}  # of 30: the two rows of Table 1 with 97%


def papers_trials(row):
    """How many trials of a row the paper reports as successful."""
    return FEWER.get((row.experiment, row.blocks, row.lr), row.trials)


def stopped_by(sequences, cap=math.inf):
    """How many trials have stopped by a number of sequences."""
    return sum(n is not None and n <= cap for n in sequences)


@functools.cache
def row_of(settings):
    """The row of the tables that settings are."""
    return settings.row


class Run(NamedTuple):
    """A row of the paper in one reading."""

    settings: object
    record: dict

    @property
    def row(self):
        return row_of(self.settings)

    @property
    def final(self):
        return self.record["final"]

    @property
    def sequences(self):
        """Until success, trial by trial; None where a trial was given up."""
        return self.final["sequences_to_success"]

    @property
    def reached(self):
        """The same of the trials that stop."""
        return [n for n in self.sequences if n is not None]

    @property
    def literal(self):
        """Whether it changes nothing that the text says."""
        return letters(self.settings) in ("", "S")

    @property
    def papers_net(self):
        """Whether the net has all weights and gates of the paper's."""
        return self.gates_whole and not changed_cells(self.settings)

    @property
    def gates_whole(self):
        """Whether the net has all gates of the paper's with all their sources; its cells may see
        less."""
        return self.settings.recurrent != "none" and self.settings.output_gates == "paper"

    @property
    def common(self):
        """Whether it is the reading that is the same for all rows."""
        return self.settings == lstm.Settings(**grids.common(self.row))

    @property
    def bound(self):
        """Where readings are compared: at twice the paper's mean, or where this run was given up
        before that."""
        return min(2 * self.row.paper, self.settings.max_sequences)

    @property
    def beyond(self):
        """Whether it was given more than that."""
        return self.settings.max_sequences > lstm.round_up(2 * self.row.paper, 1000)

    @property
    def times_paper(self):
        """How many times the paper's mean it was given."""
        return self.settings.max_sequences / self.row.paper

    @property
    def short_of_bound(self):
        """Whether it was given up before that."""
        return self.settings.max_sequences < 1.99 * self.row.paper

    @property
    def within(self):
        """Trials that stop by then."""
        return stopped_by(self.sequences, self.bound)

    @property
    def solved(self):
        """Whether as many trials as the paper reports stop by then."""
        return self.within >= papers_trials(self.row)

    @property
    def all_stop(self):
        """Whether as many as that stop by the cap of the run."""
        return len(self.reached) >= papers_trials(self.row)

    @property
    def over_paper(self):
        """The mean of the trials that stop over the paper's; None if none stops."""
        return sum(self.reached) / len(self.reached) / self.row.paper if self.reached else None


# Studies of whole rows. Those of other gate biases and rates have tables of their own
OF_ROWS = (
    grids.PAPER, grids.LITERAL_LONGER, grids.SOURCES_2C, grids.SLOW, grids.SLOW_LONG, grids.COMMON, grids.NEAREST,
    grids.NEAREST_3A, grids.OUTPUT_GATES, grids.RIDDLE_1, grids.RIDDLE_2C, grids.RIDDLE_4, grids.FIRST_WEIGHTS,
    dict(list(grids.FULL_GRADIENT.items())[:2]))


def runs(results, *parts):
    """Every run of some lists of settings (the studies of whole rows), in the paper's order,
    literal readings first. Of runs that differ in their cap only, the longest: the others are
    its beginning. Raises KeyError for a run without a record."""
    longest = {}
    for grid in parts or OF_ROWS:
        for choice in grid.values():
            settings = studies.settings_of(lstm.EXPERIMENT, choice)
            record = studies.find(results, lstm.EXPERIMENT, choice)
            if record is None:
                raise KeyError(f"results.json has no run of {choice}")
            key = row_of(settings), letters(settings)
            if key not in longest or longest[key].settings.max_sequences < settings.max_sequences:
                longest[key] = Run(settings, record)
    rows = lstm.TABLE_ROWS + lstm.OTHER_ROWS
    return sorted(longest.values(), key=lambda run: (rows.index(run.row), place(run)))


def place(run):
    """Literal first, then readings of the paper's net, then others; from the fewest letters on."""
    words = letters(run.settings)
    return not run.literal, not run.gates_whole, len(words.split()), words


def gates_whole(run):
    return run.gates_whole


def common(run):
    return run.common


def solved_rows(found, chosen=gates_whole):
    """The rows of which some reading is solved; chosen: which readings count."""
    return list(dict.fromkeys(run.row for run in found if chosen(run) and run.solved))


def best(found, row, chosen):
    """Of a row's chosen readings the one of which most trials stop within the bound; if equal,
    that whose mean is closest to the paper's. None if there is none."""
    own = [run for run in found if run.row is row and chosen(run)]
    off = {id(run): math.inf if run.over_paper is None else abs(math.log(run.over_paper)) for run in own}
    return min(own, key=lambda run: (-run.within, -len(run.reached), off[id(run)]), default=None)


def literal(run):
    return run.literal


def changed(run):
    """With changes, and all of the paper's gates with all their sources."""
    return run.gates_whole and not run.literal
