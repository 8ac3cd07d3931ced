"""The rivals of the 1997 paper with the changes that the LSTM had to choose from: which one a search
chooses, and the trials that were then run."""

from typing import NamedTuple

import numpy as np

import lstm_1997_rivals as rivals
import studies
import studies.lstm_1997_rivals as grids
from analysis.readings import stopped_by


class Tried(NamedTuple):
    """A combination of a search with what became of its trials."""

    change: tuple  # error, factor, rate, tolerance
    sequences: list  # until success, trial by trial; None where a trial was given up

    @property
    def stopped(self):
        """How many of its trials stop by the cap of the search."""
        return stopped_by(self.sequences)

    @property
    def mean(self):
        """Mean of the trials that stop; infinite if none does."""
        reached = [n for n in self.sequences if n is not None]
        return np.mean(reached) if reached else np.inf


def study_of(row):
    """The name of a row's search."""
    return grids.search_name(*row[:3])


def tried(results, row):
    """Every combination of a row's search."""
    return [Tried(change, record["final"]["sequences_to_success"])
            for change, record in studies.by_label(results, study_of(row)).items()]


def departures(row, change):
    """How many settings of a combination are not those of the rows of the method and task."""
    method, experiment, _, hidden = row
    own = {one.lr for one in rivals.TABLE_ROWS + rivals.OTHER_ROWS
           if (one.method, one.experiment, one.hidden) == (method, experiment, hidden)}
    error, factor, lr, tolerance = change
    return (error != "a17") + (factor != 1) + (lr not in own) + (tolerance != 0)


def choice(results, row):
    """What the search says: the combination of which most trials stop, of equals the one with the
    smaller mean, then the one nearest to the row's own settings, then the first."""
    return min(tried(results, row), key=lambda one: (-one.stopped, one.mean, departures(row, one.change)))
