# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "matplotlib>=3.8"]
# ///
"""Pictures of the adding problem, from results.json alone.

    python3 visualize_adding_problem.py --seed 0 --T 100 --hidden 8 --iters 8000 --rnn-iters 8000 --outdir viz

Writes training_curves.png, predictions.png, sample_sequences.png, cell_state.png,
gate_activity.png and weights.png. Nothing is trained here: where a record is missing,
adding_problem.py is run for it first. States and predictions are recomputed from the stored
weights."""

import dataclasses
import sys

import numpy as np

import adding_problem as ap
import harness
import pictures
import studies
from pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, YELLOW

LSTM_COLOUR, RNN_COLOUR, MARK_COLOUR = BLUE, RED, ORANGE
GREY = "#999999"
SOLVED = 0.85  # a solve rate that counts as solved
UNIT_COLOURS = BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE


@dataclasses.dataclass(frozen=True)
class Flags(pictures.Flags):
    """Which runs to draw; every other setting is the experiment's default."""

    seed: int = harness.setting(0, "seed of the runs drawn", "runs", low=0, high=2**63 - 1)
    T: int = harness.setting(100, "steps in a sequence", "runs", low=2, high=100_000)
    hidden: int = harness.setting(8, "hidden units", "runs", low=1, high=4096)
    iters: int = harness.setting(8000, "training iterations of the LSTM", "runs", low=1, high=10**8)
    rnn_iters: int = harness.setting(
        8000, "training iterations of the tanh RNN", "runs", low=1, high=10**8)


# --------------------------------------------------------------------------------------------------
# Records
# --------------------------------------------------------------------------------------------------

def siblings(results, record):
    """The finished records that differ from this one in nothing but the seed and were evaluated
    at the same times."""
    settings = ap.Settings(**record["settings"])
    seeds = {other["settings"]["seed"] for other in results.get(ap.EXPERIMENT, [])}
    found = (studies.find(results, ap.EXPERIMENT, dataclasses.replace(settings, seed=seed)) for seed in sorted(seeds))
    times = record["history"]["iteration"]
    return [other for other in found
            if other and other["final"]["status"] == "done" and other.get("history", {}).get("iteration") == times]


def load(record, weights=None, batch=1):
    """The net of a record, with its final weights or those of a snapshot, for batches of a given
    width."""
    net = ap.build(ap.Settings(**record["settings"]), batch)
    for name, tensor in net.tensors(net.theta).items():
        tensor[:] = (weights or record["weights"])[name]
    return net


def display_sequences(settings, n):
    """n sequences of the seed's display stream, which neither training nor evaluation sees."""
    return ap.make_sequences(ap.streams(settings["seed"])["display"], settings["T"], n)


# --------------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------------

def training_curves(lstm, rnn, lstm_seeds, rnn_seeds):
    """Held-out MSE and solve rate against training sequences; bands over seeds where there are
    several."""
    figure, axes = pictures.subplots(1, 2, figsize=(9.6, 5.2), layout="constrained")
    arms = ((lstm, lstm_seeds, LSTM_COLOUR, "LSTM"), (rnn, rnn_seeds, RNN_COLOUR, "tanh RNN"))
    for axis, column in zip(axes, ("test_mse", "solve_rate")):
        for record, seeds, colour, name in arms:
            x = np.array(record["history"]["train_sequences"]) / 1000
            if len(seeds) > 1:
                curves = np.array([other["history"][column] for other in seeds])
                axis.fill_between(x, curves.min(0), curves.max(0), color=colour, alpha=0.2, lw=0,
                                  label=f"{name}, range of {len(seeds)} seeds")
                axis.plot(x, np.median(curves, 0), color=colour, lw=2.6, label=f"{name}, median of these")
            label = f"{name}, seed {record['settings']['seed']}"
            axis.plot(x, record["history"][column], color=colour, lw=0.7 if len(seeds) > 1 else 1.6, label=label)
        settings = lstm["settings"]
        halvings = range(settings["lr_decay_every"], settings["iters"], settings["lr_decay_every"] or 10**9)
        for iteration in halvings:
            axis.axvline(iteration * settings["batch"] / 1000, color=GREY, lw=0.8, ls=":",
                         label="learning rate halved" if iteration == halvings[0] else None)
        axis.set_xlabel("training sequences (thousands)")
    axes[0].set(yscale="log", ylabel="test MSE (512 held-out sequences)", title="Mean squared error")
    for level, text, place in (
            (ap.CONSTANT_MSE, "constant 0: 2/3", "bottom"), (1 / 3, "second value alone: 1/3", "top")):
        axes[0].axhline(level, color="black", lw=0.8, ls="--")
        axes[0].annotate(text, (0.99, level), xycoords=("axes fraction", "data"), ha="right", va=place,
                         xytext=(0, 2 if place == "bottom" else -3), textcoords="offset points", fontsize=9)
    axes[1].axhline(SOLVED, color="black", lw=0.8, ls="--")
    axes[1].annotate(f"solved: rate ≥ {SOLVED}", (0.02, SOLVED), xycoords=("axes fraction", "data"), va="bottom",
                     fontsize=9)
    axes[1].set(ylim=(0, 1), ylabel=f"solve rate: fraction with |error| < {ap.TOLERANCE}", title="Solve rate")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=10)
    figure.suptitle(f"{reach('LSTM', lstm, lstm_seeds)} and {reach('tanh RNN', rnn, rnn_seeds)} solve "
                    f"T = {settings['T']} with {settings['hidden']} units", fontsize=11.5)
    return figure


def reach(name, record, seeds):
    """How many of the seeds, or of the one that there is, end with a solve rate that counts as
    solved."""
    ended = [other["final"]["solve_rate"] >= SOLVED for other in (seeds or [record])]
    return f"{sum(ended)} of {len(ended)} {name}s ({record['settings']['iters']} iterations)"


def predictions(lstm, rnn, rnn_seeds):
    """Prediction against target on the held-out set: LSTM, RNN and, of several seeds, the RNN
    that ended best."""
    panels = [(lstm, LSTM_COLOUR, "LSTM"), (rnn, RNN_COLOUR, "tanh RNN")]
    if len(rnn_seeds) > 1:
        best = min(rnn_seeds, key=lambda record: record["final"]["test_mse"])
        if "weights" in best:
            panels.append((best, RNN_COLOUR, f"tanh RNN, best of {len(rnn_seeds)}"))
    figure, axes = pictures.subplots(
        1, len(panels), figsize=(3.3 * len(panels), 4.2), layout="constrained", sharex=True, sharey=True)
    for axis, (record, colour, name) in zip(axes, panels):
        x, target = ap.held_out(ap.Settings(**record["settings"]))
        y = load(record, batch=ap.N_TEST).forward(x)[0, 0]
        axis.plot([-2, 2], [-2, 2], color="black", lw=0.8, label="answer = target")
        axis.scatter(target, y, s=9, color=colour, alpha=0.7, lw=0, label="a sequence")
        final = record["final"]
        axis.set(title=f"{name}, seed {record['settings']['seed']}\nMSE {final['test_mse']:.4f}, "
                       f"solve rate {final['solve_rate']:.3f}", aspect="equal",
                 xlabel="target: sum of the two values", xlim=(-2.1, 2.1), ylim=(-2.1, 2.1))
    axes[0].legend(loc="upper left", fontsize=9)
    axes[0].set_ylabel("answer of the net")
    errors = [f"{record['final']['test_mse']**0.5:.2f}" for record, *_ in panels]
    figure.suptitle(f"Typical error (root of the MSE): {', '.join(errors)}; of the constant 0 it is "
                    f"{ap.CONSTANT_MSE**0.5:.2f}")
    return figure


def draw_sequence(axis, x):
    """The values of one sequence x (T, 2) as bars, the two marked ones in colour."""
    marked = x[:, 1] == 1
    steps = np.arange(len(x))
    axis.bar(steps, x[:, 0], color=GREY, width=0.9, label="value")
    axis.bar(steps[marked], x[marked, 0], color=MARK_COLOUR, width=max(0.9, len(x) / 80), label="marked value")
    axis.axhline(0, color="black", lw=0.6)
    axis.set(ylim=(-1.05, 1.05), xlim=(-1, len(x)), ylabel="input value")
    return steps[marked]


def sample_sequences(lstm, rnn):
    """Four sequences with target and both predictions."""
    x, target = display_sequences(lstm["settings"], 4)
    y_lstm, y_rnn = (load(record, batch=4).forward(x)[0, 0] for record in (lstm, rnn))
    figure, axes = pictures.subplots(4, 1, figsize=(9, 7.6), layout="constrained", sharex=True)
    for k, axis in enumerate(axes):
        draw_sequence(axis, x[:, :, k])
        axis.set_title(f"target {target[k]:+.3f}    LSTM {y_lstm[k]:+.3f}    tanh RNN {y_rnn[k]:+.3f}", loc="left")
    axes[0].legend(loc="lower right", ncols=2, fontsize=10, bbox_to_anchor=(1, 1))
    axes[-1].set_xlabel("step")
    T = lstm["settings"]["T"]
    figure.suptitle(f"The task: add the two marked values, ignore the other {T - 2}. "
                    f"Answers of the nets of seed {rnn['settings']['seed']}")
    return figure


def cell_state(lstm):
    """Input, cell states and hidden states of the trained LSTM on one sequence."""
    x, target = display_sequences(lstm["settings"], 1)
    net = load(lstm)
    y = net.forward(x)[0, 0, 0]
    states = {"c": net.c[1:], "h": net.h}
    figure, axes = pictures.subplots(3, 1, figsize=(9, 7.5), layout="constrained", sharex=True)
    marked = draw_sequence(axes[0], x[:, :, 0])
    axes[0].set_title(f"target {target[0]:+.3f}, answer {y:+.3f}", loc="left")
    axes[0].legend(loc="lower right", ncols=2, fontsize=10, bbox_to_anchor=(1, 1))
    for axis, name, label in ((axes[1], "c", "cell state $c_t$"), (axes[2], "h", "hidden state $h_t$")):
        for unit in range(net.H):
            colour = UNIT_COLOURS[unit % len(UNIT_COLOURS)]
            axis.plot(states[name][:, unit, 0], color=colour, lw=1.3, label=f"unit {unit}")
        for step in marked:
            axis.axvline(step, color=MARK_COLOUR, ls="--", lw=1.2)
        axis.set_ylabel(label)
    axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=10)
    axes[2].set_xlabel("step (dashed: marked steps)")
    between = net.c[marked[0] + 1 : marked[1] + 1, :, 0]  # from the first mark to the step before the second
    drift = np.ptp(between, axis=0)
    figure.suptitle("Cell states jump at the marks, and none stays level between them"
                    if drift.min() > 0.1 else "Cell states and hidden states on one sequence")
    return figure


def gate_activity(lstm):
    """Input, forget and output gates of the trained LSTM on the same sequence, a row per unit."""
    x, _ = display_sequences(lstm["settings"], 1)
    net = load(lstm)
    net.forward(x)
    states = {gate: getattr(net, gate) for gate in net.gates}
    marked = np.flatnonzero(x[:, 1, 0])
    names = [("i", "input gate"), ("f", "forget gate"), ("o", "output gate")]
    names = [(gate, name) for gate, name in names if gate in states]
    figure, axes = pictures.subplots(
        len(names), 1, figsize=(9, 2.3 * len(names) + 0.9), layout="constrained", sharex=True)
    means = {}
    for axis, (gate, name) in zip(np.atleast_1d(axes), names):
        activity = states[gate][:, :, 0]  # (T, H)
        image = axis.imshow(activity.T, aspect="auto", cmap="viridis", vmin=0, vmax=1, interpolation="none")
        for step in marked:
            axis.plot([step, step], [-0.5, net.H - 0.5], color=MARK_COLOUR, ls="--", lw=1.5)
        at_marks, others = means[gate] = activity[marked].mean(0), np.delete(activity, marked, axis=0).mean(0)
        axis.set(ylabel="unit", ylim=(net.H - 0.5, -0.5), yticks=range(net.H))
        axis.set_title(f"{name}: means of the units {at_marks.min():.2f} to {at_marks.max():.2f} at the two marked "
                       f"steps, {others.min():.2f} to {others.max():.2f} at the others", loc="left")
    axis.set_xlabel("step (dashed: marked steps)")
    figure.colorbar(image, ax=axes, label="activation (0 closed, 1 open)")
    at_marks, others = means["i"]
    parted = min((at_marks - others).max(), (others - at_marks).max()) > 0.1
    figure.suptitle("One sequence: at a mark some input gates open and others close; elsewhere none stays closed"
                    if parted and others.min() > 0.2 else "Gates of the LSTM on one sequence")
    return figure


def weights(lstm):
    """Input and recurrent weights of the trained LSTM, gate by gate, on one colour scale."""
    names = {"i": "input gate", "f": "forget gate", "o": "output gate", "g": "candidate"}
    names = {gate: name for gate, name in names.items() if f"W_h{gate}" in lstm["weights"]}
    stacked = {gate: [np.array(lstm["weights"][f"W_x{gate}"]), np.array(lstm["weights"][f"b_{gate}"])[:, None],
                      np.array(lstm["weights"][f"W_h{gate}"])] for gate in names}
    limit = max(abs(block).max() for blocks in stacked.values() for block in blocks)
    H = lstm["settings"]["hidden"]
    figure, axes = pictures.subplots(
        1, len(names), figsize=(2.3 * len(names) + 0.8, 3.6), layout="constrained", sharey=True)
    for axis, (gate, name) in zip(axes, names.items()):
        block = np.hstack(stacked[gate])
        image = axis.imshow(block, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
        axis.axvline(2.5, color="black", lw=1)
        unit, column = np.unravel_index(abs(block).argmax(), block.shape)
        source = ("value", "marker", "bias")[column] if column < 3 else f"unit {column - 3}"
        axis.set_title(f"{name}: largest\n{block[unit, column]:.1f}, {source} to unit {unit}", fontsize=10)
        axis.set_xticks([0, 1, 2, 2.5 + H / 2], ["value", "marker", "bias", "from the units"])
        axis.tick_params(axis="x", length=0, labelsize=9)
        for label in axis.get_xticklabels()[:3]:
            label.set_rotation(60)
    axes[0].set_ylabel("to unit")
    figure.colorbar(image, ax=axes, label="weight")
    return figure


# --------------------------------------------------------------------------------------------------
# Command line
# --------------------------------------------------------------------------------------------------

def book(flags):
    """Every picture by name."""
    changes = dict(seed=flags.seed, T=flags.T, hidden=flags.hidden)
    lstm, rnn = (
        studies.find_or_run(flags.results, ap.EXPERIMENT, changes | own, fits=lambda record: "weights" in record)
        for own in (dict(iters=flags.iters), dict(cell="rnn", iters=flags.rnn_iters)))
    results = harness.read_results(flags.results)
    lstm_seeds = siblings(results, lstm)
    compared = {record["settings"]["seed"] for record in lstm_seeds}
    rnn_seeds = [record for record in siblings(results, rnn) if record["settings"]["seed"] in compared]
    return {
        "training_curves": lambda: training_curves(lstm, rnn, lstm_seeds, rnn_seeds),
        "predictions": lambda: predictions(lstm, rnn, rnn_seeds),
        "sample_sequences": lambda: sample_sequences(lstm, rnn),
        "cell_state": lambda: cell_state(lstm),
        "gate_activity": lambda: gate_activity(lstm),
        "weights": lambda: weights(lstm),
    }


def main(argv=None):
    return pictures.draw_all(__doc__, argv, book, Flags)


if __name__ == "__main__":
    sys.exit(main())
