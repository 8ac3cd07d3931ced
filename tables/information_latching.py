"""Tables and sentences of information latching, from results.json and benchmarks/information_latching.json."""

import dataclasses
import json
from pathlib import Path

import numpy as np

import information_latching as latching

ROOT = Path(__file__).resolve().parent.parent
SRNN, LSTM, GRU = "SRNN, U = ±1 (Keras)", "LSTM, forget bias 1 (Keras)", "GRU (Keras)"
WEAK, BIAS_5, OPEN, CHRONO = "SRNN, U = ±0.73", "LSTM, forget bias 5", "LSTM, no forget gate (1997)", "LSTM, chrono"
NAMES = {"srnn": "SRNN", "lstm": "LSTM", "gru": "GRU"}
HOLDS = "the words no longer hold"


def record(results, **choice):
    """The record of these settings; KeyError if there is none."""
    wanted = dataclasses.asdict(latching.Settings(**choice))
    for entry in results[latching.EXPERIMENT]:
        if entry["settings"] == wanted:
            return entry
    raise KeyError(f"results.json has no run of {choice}")


def cell(results, name, T):
    """The record of a row of the table at a length."""
    return record(results, T=T, **latching.CELLS[name])


def study(results, name):
    return [record(results, **choice) for choice in latching.STUDIES[name]]


def successes(entry):
    """Repeats above 0.95."""
    return round(entry["final"]["success_fraction"] * entry["settings"]["repeats"])


def of_30(entry):
    return f"{successes(entry)} of {entry['settings']['repeats']}"


def fraction(entry):
    """Fraction of repeats above 0.95, with its 95% Wilson interval."""
    low, high = latching.wilson(successes(entry), entry["settings"]["repeats"])
    return f"{entry['final']['success_fraction']:.2f} [{low:.2f}, {high:.2f}]"


def median(entry, name):
    return float(np.median(entry["final"][name]))


def power(value):
    """A small number as text."""
    return f"{value:.0e}".replace("e-0", "e-").replace("e+00", "") if value else "0 (underflow)"


def markdown(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(item) for item in line) + " |" for line in lines)


# Tables

def last_line(results):
    return f"```text\n{latching.summary(record(results))}\n```"


def headline(results):
    lengths = (10, 30, 50, 100, 200)
    names = (SRNN, WEAK, LSTM, BIAS_5, OPEN, CHRONO, GRU, "GRU, update bias 3")
    return markdown(["one unit", *(f"T = {T}" for T in lengths)],
                    [[name, *(successes(cell(results, name, T)) for T in lengths)] for name in names])


def table(results):
    return markdown(["fraction above 0.95 [95% interval]", *(f"T = {T}" for T in latching.LENGTHS)],
                    [[name, *(fraction(cell(results, name, T)) for T in latching.LENGTHS)] for name in latching.CELLS])


def accuracies(results):
    lengths = (10, 30, 50, 100, 200)
    return markdown(["median accuracy", *(f"T = {T}" for T in lengths)],
                    [[name, *(f"{median(cell(results, name, T), 'test_accuracy'):.3f}" for T in lengths)]
                     for name in latching.CELLS])


def gradients(results):
    lengths = (10, 30, 50, 100)
    return markdown(["median \\|dh_T/dx_1\\| at the start", *(f"T = {T}" for T in lengths), "T = 100, trained"],
                    [[name, *(power(median(cell(results, name, T), "gradient_start")) for T in lengths),
                      power(median(cell(results, name, 100), "gradient_end"))] for name in latching.CELLS])


def probes(results):
    lengths = (2, 10, 30, 50, 100)
    return markdown(["median probe accuracy at the start", *(f"T = {T}" for T in lengths)],
                    [[name, *(f"{median(cell(results, name, T), 'probe_start'):.2f}" for T in lengths)]
                     for name in latching.CELLS])


def factors(results, name):
    """The factor per step, for each repeat, by which |dh_T/dx_1| falls from T = 50 to T = 100, with the same weights."""
    start = [np.array(cell(results, name, T)["final"]["gradient_start"]) for T in (50, 100)]
    return (start[1] / start[0]) ** (1 / 50)


def decay(results):
    rows = []
    for name in (SRNN, WEAK, LSTM, BIAS_5, OPEN, GRU):
        low, middle, high = np.quantile(factors(results, name), [0.25, 0.5, 0.75])
        rows.append([name, f"{middle:.3f}", f"{low:.3f} to {high:.3f}"])
    return markdown(["at the start", "factor per step, median over repeats", "middle half of the repeats"], rows)


def tradeoff(results):
    rows = []
    for entry in study(results, "tradeoff"):
        settings = entry["settings"]
        rows.append([f"{settings['init_scale']:g}", settings["T"], power(median(entry, "gradient_start")),
                     power(median(entry, "gradient_end")), f"{median(entry, 'probe_start'):.2f}", fraction(entry)])
    return markdown(["U at the start", "T", "median \\|dh_T/dx_1\\|, start", "trained", "probe, start",
                     "fraction above 0.95"], rows)


def split(results):
    rows = []
    for entry in study(results, "split"):
        settings, final = entry["settings"], entry["final"]
        validation = np.array(final["validation_accuracy"], float)
        rows.append([NAMES[settings["cell"]], settings["split"], settings["T"], f"{np.nanmean(validation):.2f}",
                     f"{np.mean(np.isin(validation, (0, 1))):.2f}", f"{np.mean(validation < 0.05):.2f}",
                     f"{np.mean(np.array(final['test_accuracy'], float)):.2f}", fraction(entry)])
    return markdown(["cell", "split", "T", "mean validation accuracy", "repeats at exactly 0 or 1", "repeats below 0.05",
                     "mean held-out accuracy", "held-out: fraction above 0.95"], rows)


def relay(results):
    lengths, rows = (5, 10, 30), []
    for units in (1, 8):
        for name in latching.KERAS:
            choice = dict(task="bit_relay", cell=name, units=units, updates=5000)
            rows.append([NAMES[name], units, *(fraction(record(results, T=T, **choice)) for T in lengths)])
    return markdown(["cell", "units", *(f"T = {T}" for T in lengths)], rows)


def relay_accuracy(results):
    lengths, rows = (5, 10, 30), []
    for units in (1, 8):
        for name in latching.KERAS:
            choice = dict(task="bit_relay", cell=name, units=units, updates=5000)
            entries = [record(results, T=T, **choice) for T in lengths]
            rows.append([NAMES[name], units, *(f"{median(entry, 'test_accuracy'):.3f}" for entry in entries)])
    return markdown(["median accuracy", "units", *(f"T = {T}" for T in lengths)], rows)


def latch1994(results):
    lengths, rows = (5, 10, 20, 50), []
    for w in (0.5, 1.0, 1.25, 2.0):
        choice = dict(task="latch1994", cell="srnn", init="identity", init_scale=w)
        rows.append([f"{w:g}", *(fraction(record(results, T=T, **choice)) for T in lengths)])
    return markdown(["w at the start", *(f"T = {T}" for T in lengths)], rows)


def tuning(results):
    rows = [["as in the table", fraction(cell(results, LSTM, 30))],
            ["16,000 updates instead of 4000", fraction(record(results, T=30, updates=16_000))],
            ["learning rate 0.01 instead of 0.001", fraction(record(results, T=30, lr=1e-2))],
            ["forget bias 5 instead of 1", fraction(cell(results, "LSTM, forget bias 5", 30))]]
    return markdown(["one-unit LSTM, T = 30", "fraction above 0.95"], rows)


def keras2018(results):
    lengths, rows = (10, 30), []
    for name, choice in ((LSTM, dict(cell="lstm")), (GRU, dict(cell="gru"))):
        hard = [record(results, T=T, recurrent_activation="hard_sigmoid", **choice) for T in lengths]
        rows.append([f"{name}, sigmoid", *(fraction(cell(results, name, T)) for T in lengths)])
        rows.append([f"{name}, hard sigmoid", *map(fraction, hard)])
    return markdown(["fraction above 0.95", *(f"T = {T}" for T in lengths)], rows)


def landscape(results):
    """The steepest step between neighbouring points of a landscape."""
    rows = []
    for choice in latching.STUDIES["landscape"]:
        settings = latching.LandscapeSettings(**choice)
        entry = next(entry for entry in results[latching.EXPERIMENT]
                     if entry["settings"] == dataclasses.asdict(settings))
        (_, x), (_, y) = latching.landscape_axes(settings)
        loss = np.array(entry["final"]["loss"])
        rows.append([NAMES[settings.landscape], settings.T, f"{abs(np.diff(loss, axis=1)).max() / (x[1] - x[0]):.1f}",
                     f"{abs(np.diff(loss, axis=0)).max() / (y[1] - y[0]):.1f}", f"{np.mean(loss < 0.1):.2f}"])
    return markdown(["cell", "T", "largest slope along the first axis (nats per unit)", "along the second",
                     "share of the area with a loss below 0.1"], rows)


def speed(results):
    bench = json.loads((ROOT / "benchmarks" / "information_latching.json").read_text(encoding="utf-8"))
    rows = []
    for line in bench["rows"]:
        ms = line["ms"]
        ratios = ("{} [{}, {}]".format(*line["ratio"][name]) for name in
                  ("torch f64 / numpy f64", "torch f32 / numpy f32", "torch f32 / numpy f64"))
        rows.append([NAMES[line["cell"]], f"{ms['numpy f64, 30 repeats']:.2f}", f"{ms['numpy f32, 30 repeats']:.2f}",
                     f"{ms['torch f64, 1 run']:.2f}", f"{ms['torch f32, 1 run']:.2f}", *ratios])
    return markdown(["ms per update, T = 100", "numpy f64, 30 repeats", "numpy f32, 30 repeats", "torch f64, 1 run",
                     "torch f32, 1 run", "30 runs: torch f64 / numpy f64", "torch f32 / numpy f32",
                     "torch f32 / numpy f64"], rows)


# Sentences

def answer(results):
    at_50, at_200 = ({name: cell(results, name, T) for name in latching.CELLS} for T in (50, 200))
    opened = [successes(at_200[name]) for name in (BIAS_5, CHRONO, OPEN)]
    assert successes(at_50[WEAK]) < successes(at_50[LSTM]) < successes(at_50[OPEN]) < successes(at_50[SRNN]), HOLDS
    assert successes(at_50[CHRONO]) > successes(at_50[SRNN]) and min(opened) > successes(at_200[SRNN]), HOLDS
    probe = [median(cell(results, name, 30), "probe_start") for name in (LSTM, SRNN)]
    slow, high = record(results, T=30, updates=16_000), record(results, T=30, lr=1e-2)
    usual, better = cell(results, LSTM, 30), cell(results, CHRONO, 30)
    assert max(successes(slow), successes(high)) < successes(better) and probe[0] < 0.55 < probe[1], HOLDS
    return (
        f"1. The one-unit LSTM loses because of where Keras starts it, not because of what it is: per step its state keeps "
        f"σ(1) + U_g/4 of itself, 0.73 on average, while Keras' orthogonal start makes the recurrent weight of a one-unit "
        f"SRNN exactly +1 or -1; at T = 50, {of_30(at_50[SRNN])} SRNNs and {of_30(at_50[LSTM])} LSTMs end above 0.95.\n"
        f"2. Exchange the two starts and the outcome exchanges: SRNNs with U = ±0.73 succeed in {of_30(at_50[WEAK])} repeats "
        f"at T = 50, LSTMs that start with a forget gate near 1 in {of_30(at_50[BIAS_5])} (forget bias 5) and "
        f"{of_30(at_50[CHRONO])} (chrono initialisation), and those without a forget gate, as in 1997, in "
        f"{of_30(at_50[OPEN])}; at T = 200 these three have {opened[0]}, {opened[1]} and {opened[2]}, the SRNN of Keras "
        f"{successes(at_200[SRNN])} and the LSTM of Keras {successes(at_200[LSTM])}.\n"
        f"3. A start that forgets leaves training little to follow: at T = 30 a probe of the untrained last state names "
        f"the first element with a median accuracy of {probe[0]:.2f} in the LSTM and {probe[1]:.2f} in the SRNN, at T = 50 "
        f"the gradient that reaches it is {power(median(at_50[LSTM], 'gradient_start'))} against "
        f"{power(median(at_50[SRNN], 'gradient_start'))}, and four times the updates or ten times the learning rate bring "
        f"the LSTM at T = 30 from {of_30(usual)} to {of_30(slow)} and {of_30(high)}, where the chrono start brings it to "
        f"{of_30(better)}.")


def which_succeed(results):
    factor, parts = factors(results, LSTM), []
    for T in (20, 30, 50):
        right = np.array(cell(results, LSTM, T)["final"]["test_accuracy"]) > latching.SUCCESS
        above = np.mean(factor[right][:, None] > factor[~right])
        assert above > 0.75, HOLDS
        parts.append(f"T = {T}: median factor {np.median(factor[right]):.2f} of the {right.sum()} that succeed, "
                     f"{np.median(factor[~right]):.2f} of the others, the higher one succeeds in {above:.0%} of the pairs")
    return ("The unit vector across the gates makes this factor differ between the LSTMs of Keras, and with it goes which of "
            f"them succeed. {'; '.join(parts)} (a pair: a repeat that succeeds and one that does not).")


def table_notes(results):
    latched = [successes(cell(results, "SRNN, U = +1.25", T)) for T in latching.LENGTHS if T >= 10]
    longest = {name: cell(results, name, 200) for name in latching.CELLS}
    best = max(longest, key=lambda name: successes(longest[name]))
    none = [name for name in latching.CELLS if not successes(longest[name])]
    medians = [median(cell(results, name, T), "test_accuracy") for name in latching.CELLS for T in latching.LENGTHS]
    failing = [value for value in medians if value <= latching.SUCCESS]
    return (
        f"At T = 200 the row with most successes is {best} ({of_30(longest[best])}), and {len(none)} of "
        f"{len(latching.CELLS)} rows have none ({'; '.join(none)}). The SRNN that starts at U = +1.25 has between "
        f"{min(latched)} and {max(latched)} successes of 30 at every length from 10 to 200: it depends little on the length. "
        f"The median accuracies that do not reach 0.95 lie between {min(failing):.2f} and {max(failing):.2f}.")


def tradeoff_sentence(results):
    below, at, above, far = (
        record(results, cell="srnn", init="identity", init_scale=U, T=100) for U in (0.73, 1.0, 1.25, 3.0))
    assert successes(below) == 0 < successes(above) and median(above, "probe_start") > 0.9, HOLDS
    assert median(at, "gradient_start") > max(median(below, "gradient_start"), median(above, "gradient_start")), HOLDS
    lucky = np.array(above["history"]["test_accuracy"][0]) > 0.5
    right = np.array(above["final"]["test_accuracy"]) > latching.SUCCESS
    assert right[lucky].mean() > right[~lucky].mean() + 0.5, HOLDS
    parts = [
        f"U = {entry['settings']['init_scale']:g}: gradient {power(median(entry, 'gradient_start'))}, probe "
        f"{median(entry, 'probe_start'):.2f}, {of_30(entry)} succeed" for entry in (below, at, above, far)]
    return (
        f"At T = 100: {'; '.join(parts)}. The gradient is largest at U = 1, where the untrained state tells little; at "
        f"U = 1.25 the untrained state tells everything and next to no gradient reaches the first step. There the state "
        f"latches before it is trained, and what decides is the sign of the readout: of the {lucky.sum()} repeats that are "
        f"right more often than not at the start, {right[lucky].sum()} succeed, of the other {(~lucky).sum()}, "
        f"{right[~lucky].sum()}. (The same start serves every length, which is why that row of the table hardly depends on "
        f"T.)")


def split_sentence(results):
    entries = study(results, "split")

    values = {split: np.concatenate([entry["final"]["validation_accuracy"] for entry in entries
                                     if entry["settings"]["split"] == split]) for split in ("question", "shuffled")}
    ends = np.isin(values["question"], (0, 1)).sum()
    low = {split: (accuracy < 0.05).sum() for split, accuracy in values.items()}
    means = {name: np.mean(record(results, cell=name, split="question", T=100)["final"]["validation_accuracy"])
             for name in latching.KERAS}
    assert low["question"] > 0 == low["shuffled"], HOLDS
    held = {split: ", ".join(
        f"{NAMES[name]} " + str(sum(successes(entry) for entry in entries if entry["settings"]["split"] == split
                                    and entry["settings"]["cell"] == name)) for name in latching.KERAS)
        for split in ("question", "shuffled")}
    return (
        f"Of the {len(values['question'])} repeats with the question's split, {ends} have a validation accuracy of exactly 0 "
        f"or 1, and {low['question']} lie below 0.05; shuffled, none lies below {values['shuffled'].min():.2f}. A net that has learnt nothing answers with the more frequent class of its training set, which the "
        f"validation set does not contain, and scores 0; the mean over repeats hides that. At T = 100 these means are "
        + ", ".join(f"{mean:.2f} ({NAMES[name]})" for name, mean in means.items())
        + f". The balanced held-out set shows what the same runs have learnt: repeats above 0.95 over the "
        f"{len(entries) // 6} lengths, of {30 * len(entries) // 6}: {held['question']} with the question's split, "
        f"{held['shuffled']} shuffled.")


def relay_sentence(results):
    def entries(T, units):
        return {name: record(results, task="bit_relay", cell=name, units=units, updates=5000, T=T) for name in latching.KERAS}

    parts = []
    for units in (1, 8):
        for T in (10, 30):
            counts = ", ".join(f"{NAMES[name]} {of_30(entry)}" for name, entry in entries(T, units).items())
            parts.append(f"{units} unit{'s' * (units > 1)}, T = {T}: {counts}")
    wins = [(units, T) for units in (1, 8) for T in (5, 10, 30)
            if max(entries(T, units), key=lambda name: successes(entries(T, units)[name])) == "gru"
            and successes(entries(T, units)["gru"]) > max(successes(entries(T, units)[name]) for name in ("srnn", "lstm"))]
    assert not wins, HOLDS
    return (
        f"{'; '.join(parts)}. The question reports that on this task the GRU performs better while SRNN and LSTM are "
        f"equally bad (8 units, 10 repeats); here the GRU has "
        f"more successes than both others at none of the six pairs of units and length.")


def tuning_sentence(results):
    usual, slow, high = (of_30(entry) for entry in (
        cell(results, LSTM, 30), record(results, T=30, updates=16_000), record(results, T=30, lr=1e-2)))
    bias = of_30(cell(results, "LSTM, forget bias 5", 30))
    return (
        f"At T = 30 the LSTM of the table succeeds in {usual} repeats; four times the updates give {slow}, ten times the "
        f"learning rate {high}, a forget bias of 5 {bias}.")


def times(results):
    seconds = sum(entry["provenance"]["wall_seconds"] for entry in study(results, "table"))
    nets = sum(entry["settings"]["repeats"] for entry in study(results, "table"))
    return (f"The table is {len(latching.STUDIES['table'])} settings and {nets:,} trained nets, and took "
            f"{seconds / 60:.0f} minutes of one core, which other work shared; the question speaks of \"over a day\" for "
            f"two cells at 26 lengths.")


TABLES = {f"latching:{make.__name__}": make for make in (
    last_line, headline, table, accuracies, gradients, probes, decay, tradeoff, split, relay, relay_accuracy, latch1994,
    tuning, keras2018, landscape, speed, times, answer, which_succeed, table_notes, tradeoff_sentence, split_sentence, relay_sentence,
    tuning_sentence)}
