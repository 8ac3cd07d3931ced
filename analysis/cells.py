"""What the internal states and gates of a trained net of the 1997 paper do on a sequence it was
neither trained nor tested on."""

from typing import NamedTuple

import numpy as np

import lstm_1997 as lstm
import studies
import studies.lstm_1997 as grids
from analysis import readings

ADDING = list(grids.TABLE_7.values())[1]  # Experiment 4, T = 100, with named changes
ORDER = dict(experiment="6a", max_sequences=313_900)  # literal


def drawn(results):
    """The records of the two nets that are looked into."""
    return [studies.find(results, lstm.EXPERIMENT, choice) for choice in (ADDING, ORDER)]


def sequence(settings, seed):
    """A sequence of a trial's display stream as a batch of one, and the steps that matter: the
    marked or relevant inputs."""
    batch = lstm.Trial(settings, seed).task(lstm.streams(seed)["display"], 1)
    matters = batch.x[0, :, 1] == 1 if settings.experiment == "4" else batch.x[0] >= 6
    return batch, np.flatnonzero(matters[: batch.end[0] + 1])


def inside(settings, theta, batch):
    """States s (T, C), input and output gates (T, blocks) of one net on the first sequence of a
    batch, and its answer."""
    layout = lstm.Layout(settings)
    net = lstm.Net(layout, np.array([theta, theta]), lstm.LaneSettings.of([settings] * 2))
    x = np.moveaxis(batch.x[[0, 0]], 0, -1)
    y = net.forward(x, batch.end[[0, 0]])
    C, steps = layout.cells, batch.end[0] + 1
    units = net.S[1 : steps + 1, :, 0]
    gates = units[:, C : C + layout.blocks], units[:, 2 * C : 2 * C + layout.blocks]
    return 2 * net.half_state[1 : steps + 1, :, 0], *gates, y[0]


class Cells(NamedTuple):
    """One trained net on one sequence."""

    reading: str
    input_gates: list  # for each block: mean at the steps that matter, and at the others
    drift: list  # how far each state moves from the last such step to the end, block by block


def of_record(record):
    settings, seed = lstm.Settings(**record["settings"]), record["weights"]["seed"]
    batch, matters = sequence(settings, seed)
    states, y_in, _, _ = inside(settings, np.array(record["weights"]["theta"]), batch)
    others = np.setdiff1d(np.arange(len(states)), matters)
    # cells stand one from each block after the other
    blocks = lstm.Layout(settings).blocks
    order = np.argsort(np.arange(states.shape[1]) % blocks, kind="stable")
    return Cells(
        readings.reading(settings), [(gate[matters].mean(), gate[others].mean()) for gate in y_in.T],
        list(np.ptp(states[matters[-1] :], axis=0)[order]))
