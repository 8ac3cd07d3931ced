# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.2"]
# ///
"""Why the long rows of the 1997 paper fail word for word: what weights to the cells from sources that
hardly change, gate activations and the bias, do to states and output weights during training.

Source: Hochreiter & Schmidhuber (1997), Experiments 4 (adding, Table 7) and 2c (Table 3). Tasks,
net, learning rule and stopping criterion are those of lstm_1997.py.

A source that has about the same value at every step moves a cell's state by about the same amount
at every step, T times. Learning changes the weight that does it after every sequence, by an amount
which is also a sum over T steps; so the state at the end of the sequence jumps from sequence to
sequence, and the output weights shrink because what they read is noise.

    constant     learn: as in the paper; slow: these weights learn at a hundredth of the rate;
                 frozen: they stay as they start; absent: they do not exist
    connections  which weights between hidden units exist at all, from cells (c) or gates (g) to
                 cells or gates: cc, cg (cells to gates), gc (gates to cells), gg

While the trials train, in lockstep, the sizes of output weights, states and slopes h' at the
sequence's end are written down, at moments that lie closer together at the start.

Commands:
    python3 constant_sources.py                                      adding, T = 100, as in the paper
    python3 constant_sources.py --T 500 --constant absent
    python3 constant_sources.py --experiment 2c --q 200 --connections cg,gg
    python3 constant_sources.py --gradcheck                          before trusting them

Expect: with T = 500 and constant sources that learn, output weights that have lost nine tenths of
their size after a few hundred sequences.
"""

import copy
import dataclasses
import sys

import numpy as np

import harness
import lstm_1997 as lstm

EXPERIMENT = "constant_sources"
CODE = harness.Code(__name__)
RATES = {"learn": 1.0, "slow": 0.01, "frozen": 0.0, "absent": 1.0}  # factors on the learning rate
KINDS = ("cc", "cg", "gc", "gg")  # of weights between hidden units
MOMENTS = frozenset(  # training sequences; whole chunks after the first
    [1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 70]
    + [lstm.CHUNK * round(10 ** (k / 10)) for k in range(100)])
TRACES = ("w_out", "state", "slope", "error")


# --------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Settings:
    """The identity of a record. What is not here is as in the paper, but for the output error of
    Experiment 4, which is t - y without f' here: with f' it learns too late even with T = 100."""

    experiment: str = harness.setting("4", "experiment", "task", choices=("4", "2c"))
    T: int | None = harness.setting(
        None, "shortest sequence, in steps", "task", kind=int, low=22, high=10_000, otherwise=100,
        needs=("experiment", "4"))
    q: int | None = harness.setting(
        None, "shortest stretch of distractors, and their number", "task", kind=int, low=2,
        high=10_000, otherwise=50, needs=("experiment", "2c"))
    constant: str = harness.setting(
        "learn", "weights to the cells from gates and bias", "model", choices=tuple(RATES))
    connections: str = harness.setting(
        ",".join(KINDS), "weights between hidden units that exist: some of cc, cg, gc, gg with "
        "commas between them, or none", "model")
    trials: int = harness.setting(10, "trials", "training", low=1, high=1000)
    seed: int = harness.setting(
        0, "seed of the first trial; the others follow", "training", low=0, high=2**62)
    max_sequences: int = harness.setting(
        100_000, "training sequences after which a trial is given up", "training", low=lstm.CHUNK,
        high=10**9)

    def __post_init__(self):
        """Raises ValueError for settings that do not go together."""
        harness.fill(self)
        if self.connections != (",".join(self.kinds) or "none"):
            raise ValueError("--connections takes some of cc,cg,gc,gg in this order, or none")
        if self.constant != "learn" and self.experiment == "2c" and "gc" not in self.kinds:
            raise ValueError("--constant has no meaning without gc: the cells of 2c have no bias")
        self.row()

    @property
    def kinds(self):
        """The kinds of weights between hidden units that exist."""
        named = self.connections.split(",")
        return tuple(kind for kind in KINDS if kind in named)

    def row(self):
        """The trials as lstm_1997.py has them. Raises ValueError, too."""
        task = dict(T=self.T, output_error="plain") if self.experiment == "4" else dict(
            q=self.q, p=self.q)
        if RATES[self.constant] != 1:
            task |= dict(cell_rate=RATES[self.constant], cell_rate_of="constant")
        return lstm.Settings(
            experiment=self.experiment, trials=self.trials, seed=self.seed,
            max_sequences=self.max_sequences, **task)


@dataclasses.dataclass(frozen=True)
class Options(harness.CommonOptions):
    """What a run shows and keeps. None of it changes a trained weight or a final figure."""

    checkpoint_every: int = harness.setting(
        180, "seconds between checkpoints", "output", low=0, high=10**6)


# --------------------------------------------------------------------------------------------------
# Model
# --------------------------------------------------------------------------------------------------

class Layout(lstm.Layout):
    """The paper's net without the weights that the settings take away."""

    def __init__(self, settings):
        super().__init__(settings.row())
        C, hidden = self.cells, self.hidden
        units = dict(c=slice(C), g=slice(C, hidden))
        left_out = np.zeros((1, self.size), bool)
        W = self.split(left_out)[0]
        for kind in KINDS:
            W[:, units[kind[1]], units[kind[0]]] = kind not in settings.kinds
        if settings.constant == "absent":
            W[:, :C, C:hidden] = W[:, :C, -1] = True
        self.exists &= ~left_out[0]
        self.slowed &= self.exists
        self.weights = int(self.exists.sum())


class Traced(lstm.Lockstep):
    """Trials side by side that write down, at MOMENTS, what becomes of their cells."""

    def __init__(self, settings):
        self.settings = settings
        super().__init__([settings.row()])
        self.history = [dict(train_sequences=[], **{name: [] for name in TRACES})]
        self.begin()

    def layout_of(self, row):
        return Layout(self.settings)

    def begin(self):
        """Sums over the sequences since the last moment of this chunk, for each lane: of |s| and h'
        at the ends (R, C), and of the error (R,)."""
        R, C = len(self.lanes.theta), self.layout.cells
        self.summed, self.states, self.slopes = 0, np.zeros((R, C)), np.zeros((R, C))
        self.errors = np.zeros(R)

    def train_chunk(self):
        self.begin()
        super().train_chunk()

    def learn(self, x, target, end):
        y, net = super().learn(x, target, end), self.net
        self.states += abs(2 * net.half_state[end + 1, :, net.lane])
        self.slopes += net.slope_h(net.h[end, :, net.lane].T).T
        self.errors += net.absolute_error(y, target, end).mean(-1)
        self.summed += 1
        if self.count + 1 in MOMENTS:
            self.write_down(self.count + 1)
            self.begin()
        return y

    def keep_lanes(self, keep):
        lanes = super().keep_lanes(keep)
        self.states, self.slopes, self.errors = (
            array[lanes] for array in (self.states, self.slopes, self.errors))
        return lanes

    def add_to_curves(self, chunk_error):
        """Its points are written down by `learn`."""

    def write_down(self, count):
        """A point of every trace after count sequences: by block, the means over its cells; None
        for a trial that has ended."""
        [history] = self.history
        w_out = abs(self.net.W_out[..., :-1]).mean(1)  # (R, C)
        by_cell = dict(w_out=w_out, state=self.states / self.summed, slope=self.slopes / self.summed)
        by_block = -1, self.layout.block_size, self.layout.blocks
        values = {name: cells.reshape(by_block).mean(1) for name, cells in by_cell.items()}
        values["error"] = self.errors[:, None] / self.summed
        lanes = {trial.seed: lane for lane, trial in enumerate(self.trials)}
        history["train_sequences"].append(count)
        for name in TRACES:
            history[name].append([
                [float(f"{value:.4g}") for value in values[name][lanes[seed]]]
                if seed in lanes else None for _, seed in self.keys])

    def state(self):
        """As in lstm_1997.py; the traces are copied, because a chunk may be taken back."""
        state, arrays = super().state()
        return state | dict(history=copy.deepcopy(self.history)), arrays

    def record(self):
        """The record of all trials, once they have ended."""
        made_by = harness.provenance(CODE, self.seconds)
        final = super().record(0)["final"] | dict(weights=self.layout.weights)
        seeds = [seed for _, seed in self.keys]
        return dict(settings=dataclasses.asdict(self.settings), seeds=seeds,
                    history=self.history[0], final=final, provenance=made_by)


# --------------------------------------------------------------------------------------------------
# Gradient check
# --------------------------------------------------------------------------------------------------

CHECKS = (
    *(dict(T=30, constant=constant) for constant in RATES),
    dict(T=30, connections="cc,cg"), dict(experiment="2c", q=20, connections="cg,gg"),
    dict(experiment="2c", q=20, connections="gc"), dict(experiment="2c", q=20, connections="none"))


def gradcheck_all():
    """Truncated gradient and learning rate of every weight of every kind of net, against the
    appendix's forward mode. Returns the exit code."""
    passed = True
    for choice in CHECKS:
        settings = Settings(**choice)
        weights, worst = lstm.check_truncated(settings.row(), 4, Layout(settings))
        good = worst <= lstm.APPENDIX_TOLERANCE
        passed &= good
        words = ", ".join(f"{name} {value}" for name, value in choice.items())
        harness.say(f"{words}: {weights} weights, worst relative error {worst:.1e} (A.17 to A.26 in "
                    f"forward mode): {'ok' if good else 'FAILED'}")
    return 0 if passed else 1


# --------------------------------------------------------------------------------------------------
# Training
# --------------------------------------------------------------------------------------------------

def train(settings, options, quiet=True):
    """Trains the trials of a condition. Returns the record, or None if it was interrupted (a
    checkpoint then holds what was computed). Raises harness.ResultsError for a checkpoint that
    cannot be used."""
    work = Traced(settings)
    checkpoint = checkpoint_of(settings, options.out)
    if harness.resumable(work, checkpoint, CODE, options.checkpoint_every, quiet):
        return work.record()
    return None


def checkpoint_of(settings, out):
    """The file of a run's checkpoint beside the file of results; None if that is None."""
    return harness.checkpoint_path(out, [dataclasses.asdict(settings)])


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def summary(record):
    """One line: how many trials stop, and what has become of the first block since the first
    sequences: output weights, states at the end, slopes h' there."""
    settings, history = Settings(**record["settings"]), record["history"]
    length = f"T={settings.T}" if settings.T else f"q={settings.q}"
    words = [f"{settings.experiment} {length}, constant sources {settings.constant}, connections "
             f"{settings.connections}: {lstm.counts(record['final']['sequences_to_success'])}"]
    for name, title in (("w_out", "|w_out|"), ("state", "|s|"), ("slope", "h'")):
        first, last = (first_block(history[name], moment) for moment in (0, -1))
        words.append(f"{title} {first:.2g} to {last:.2g}")
    return "; ".join(words)


def first_block(trace, moment):
    """The median over the trials that still run of a trace's first block."""
    return np.median([by_block[0] for by_block in trace[moment] if by_block is not None])


def main(argv=None):
    parser = harness.experiment_parser(
        __doc__, Settings, Options, seeds=False, checks="every weight of every kind of net")
    args = parser.parse_args(argv)
    if args.gradcheck:
        return gradcheck_all()
    try:
        settings, options = harness.from_flags(Settings, args), harness.from_flags(Options, args)
        harness.check_results(args.out)
        checkpoint = checkpoint_of(settings, args.out)
        if harness.read_checkpoint(checkpoint, CODE):
            harness.take_back(Traced(settings), checkpoint, CODE)
    except (ValueError, harness.ResultsError) as error:
        parser.error(str(error))
    return harness.run_and_save(
        CODE, train, [(settings, options, options.quiet)], options, summary, checkpoint_of=checkpoint_of)


if __name__ == "__main__":
    sys.exit(main())
