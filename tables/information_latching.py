"""Tables and sentences of information latching and of its loss landscape."""

import numpy as np

import harness
import information_latching as latching
import latch_landscape
import studies
from analysis.latching import factor_per_step, pairs_won, steepest
from studies.information_latching import CELLS, KERAS, LENGTHS
from tables import writing
from tables.writing import benchmark, claim, seconds

SRNN, LSTM, GRU = "SRNN, U = ±1 (Keras)", "LSTM, forget bias 1 (Keras)", "GRU (Keras)"
WEAK, BIAS_5, OPEN = "SRNN, U = ±0.73", "LSTM, forget bias 5", "LSTM, no forget gate (1997)"
CHRONO = "LSTM, chrono (told T)"
NAMES = {"srnn": "SRNN", "lstm": "LSTM", "gru": "GRU"}


def record(results, **settings):
    """The record of these settings. KeyError if there is none."""
    found = studies.find(results, latching.EXPERIMENT, settings)
    if found is None:
        raise KeyError(f"results.json has no run of {settings}")
    return found


def cell(results, name, T):
    """The record of a row of the table at a length."""
    return record(results, T=T, **CELLS[name])


def arms(results, name):
    """The records of a study by label."""
    return {label: records[0] for label, records in studies.arms(results, f"latching-{name}").items()}


def successes(entry):
    """Repeats above 0.95."""
    return round(entry["final"]["success_fraction"] * entry["settings"]["repeats"])


def of_30(entry):
    return f"{successes(entry)} of {entry['settings']['repeats']}"


def fraction(entry):
    """Fraction of repeats above 0.95, with its 95% Wilson interval."""
    low, high = harness.wilson(successes(entry), entry["settings"]["repeats"])
    return f"{entry['final']['success_fraction']:.2f} [{low:.2f}, {high:.2f}]"


def median(entry, name):
    return float(np.median(entry["final"][name]))


def power(value):
    """A small number as text."""
    return f"{value:.0e}".replace("e-0", "e-").replace("e+00", "") if value else "0 (underflow)"


def markdown(head, rows):
    return writing.markdown(head, rows, " --- ")


# --------------------------------------------------------------------------------------------------
# Tables
# --------------------------------------------------------------------------------------------------

def last_line(results):
    return f"```text\n{latching.summary(record(results))}\n```"


def headline(results):
    lengths = (10, 30, 50, 100, 200)
    names = (SRNN, WEAK, LSTM, BIAS_5, OPEN, CHRONO, GRU, "GRU, update bias 3")
    return markdown(["one unit", *(f"T = {T}" for T in lengths)],
                    [[name, *(successes(cell(results, name, T)) for T in lengths)] for name in names])


def table(results):
    return markdown(["fraction above 0.95 [95% interval]", *(f"T = {T}" for T in LENGTHS)],
                    [[name, *(fraction(cell(results, name, T)) for T in LENGTHS)] for name in CELLS])


def accuracies(results):
    lengths = (10, 30, 50, 100, 200)
    return markdown(["median accuracy", *(f"T = {T}" for T in lengths)],
                    [[name, *(f"{median(cell(results, name, T), 'test_accuracy'):.3f}" for T in lengths)]
                     for name in CELLS])


def gradients(results):
    lengths = (10, 30, 50, 100)
    return markdown(["median \\|dh_T/dx_1\\| at the start", *(f"T = {T}" for T in lengths), "T = 100, trained"],
                    [[name, *(power(median(cell(results, name, T), "gradient_start")) for T in lengths),
                      power(median(cell(results, name, 100), "gradient_end"))] for name in CELLS])


def probes(results):
    lengths = (2, 10, 30, 50, 100)
    return markdown(["median probe accuracy at the start", *(f"T = {T}" for T in lengths)],
                    [[name, *(f"{median(cell(results, name, T), 'probe_start'):.2f}" for T in lengths)]
                     for name in CELLS])


def factors(results, name):
    """The factor per step, for each repeat, by which |dh_T/dx_1| falls from T = 50 to T = 100,
    with the same weights."""
    short, long = (cell(results, name, T)["final"]["gradient_start"] for T in (50, 100))
    return factor_per_step(short, long, 50)


def decay(results):
    rows = []
    for name in (SRNN, WEAK, LSTM, BIAS_5, OPEN, GRU):
        low, middle, high = np.quantile(factors(results, name), [0.25, 0.5, 0.75])
        rows.append([name, f"{middle:.3f}", f"{low:.3f} to {high:.3f}"])
    return markdown(["at the start", "factor per step, median over repeats", "middle half of the repeats"], rows)


def tradeoff(results):
    rows = []
    for entry in arms(results, "tradeoff").values():
        settings = entry["settings"]
        rows.append([f"{settings['init_scale']:g}", settings["T"], power(median(entry, "gradient_start")),
                     power(median(entry, "gradient_end")), f"{median(entry, 'probe_start'):.2f}", fraction(entry)])
    return markdown(["U at the start", "T", "median \\|dh_T/dx_1\\|, start", "trained", "probe, start",
                     "fraction above 0.95"], rows)


def split(results):
    rows = []
    for entry in arms(results, "split").values():
        settings, final = entry["settings"], entry["final"]
        validation = np.array(final["validation_accuracy"], float)
        rows.append([NAMES[settings["cell"]], settings["split"], settings["T"], f"{np.nanmean(validation):.2f}",
                     f"{np.mean(np.isin(validation, (0, 1))):.2f}", f"{np.mean(validation < 0.05):.2f}",
                     f"{np.mean(np.array(final['test_accuracy'], float)):.2f}", fraction(entry)])
    return markdown(["cell", "split", "T", "mean validation accuracy", "repeats at exactly 0 or 1", "repeats below 0.05",
                     "mean held-out accuracy", "held-out: fraction above 0.95"], rows)


def by_cell(found, shown):
    """Rows of the bit relay: cell, units, and what is shown of the record at each length."""
    return [[NAMES[name], units, *(shown(found[units, name, T]) for T in (5, 10, 30))]
            for units in (1, 8) for name in KERAS]


def relay(results):
    return markdown(["cell", "units", "T = 5", "T = 10", "T = 30"], by_cell(arms(results, "relay"), fraction))


def relay_accuracy(results):
    rows = by_cell(arms(results, "relay"), lambda entry: f"{median(entry, 'test_accuracy'):.3f}")
    return markdown(["median accuracy", "units", "T = 5", "T = 10", "T = 30"], rows)


def latch1994(results):
    found, lengths = arms(results, "latch1994"), (5, 10, 20, 50)
    rows = [[f"{w:g}", *(fraction(found[w, T]) for T in lengths)] for w in (0.5, 1.0, 1.25, 2.0)]
    return markdown(["w at the start", *(f"T = {T}" for T in lengths)], rows)


def tuning(results):
    found = arms(results, "tuning")
    rows = [["as in the table", fraction(cell(results, LSTM, 30))],
            ["16,000 updates instead of 4000", fraction(found["four times the updates"])],
            ["learning rate 0.01 instead of 0.001", fraction(found["ten times the rate"])],
            ["forget bias 5 instead of 1", fraction(cell(results, BIAS_5, 30))]]
    return markdown(["one-unit LSTM, T = 30", "fraction above 0.95"], rows)


def keras2018(results):
    found, lengths, rows = arms(results, "keras2018"), (10, 30), []
    for name, short in ((LSTM, "lstm"), (GRU, "gru")):
        rows.append([f"{name}, sigmoid", *(fraction(cell(results, name, T)) for T in lengths)])
        rows.append([f"{name}, hard sigmoid", *(fraction(found[short, T]) for T in lengths)])
    return markdown(["fraction above 0.95", *(f"T = {T}" for T in lengths)], rows)


def landscape(results):
    """The steepest step between neighbouring points of a landscape."""
    rows = []
    for entry in arms(results, "landscape").values():
        settings = latch_landscape.Settings(**entry["settings"])
        (_, x), (_, y) = latch_landscape.axes(settings)
        loss = np.array(entry["final"]["loss"])
        slopes = (f"{slope:.1f}" for slope in steepest(loss, x, y))
        rows.append([NAMES[settings.cell], settings.T, *slopes, f"{np.mean(loss < 0.1):.2f}"])
    return markdown(["cell", "T", "largest slope along the first axis (nats per unit)", "along the second",
                     "share of the area with a loss below 0.1"], rows)


def speed(results):
    rows = []
    for line in benchmark("information_latching")["rows"]:
        ms = line["ms"]
        ratios = ("{} [{}, {}]".format(*line["ratio"][name]) for name in
                  ("torch f64 / numpy f64", "torch f32 / numpy f32", "torch f32 / numpy f64"))
        rows.append([NAMES[line["cell"]], f"{ms['numpy f64, 30 repeats']:.2f}", f"{ms['numpy f32, 30 repeats']:.2f}",
                     f"{ms['torch f64, 1 run']:.2f}", f"{ms['torch f32, 1 run']:.2f}", *ratios])
    return markdown(["ms per update, T = 100", "numpy f64, 30 repeats", "numpy f32, 30 repeats", "torch f64, 1 run",
                     "torch f32, 1 run", "30 runs: torch f64 / numpy f64", "torch f32 / numpy f32",
                     "torch f32 / numpy f64"], rows)


# --------------------------------------------------------------------------------------------------
# Sentences
# --------------------------------------------------------------------------------------------------

def answer(results):
    at_50, at_200 = ({name: cell(results, name, T) for name in CELLS} for T in (50, 200))
    opened = [successes(at_200[name]) for name in (BIAS_5, CHRONO, OPEN)]
    order = [successes(at_50[name]) for name in (WEAK, LSTM, OPEN, SRNN, CHRONO)]
    claim(order == sorted(set(order)), "at T = 50 the starts that keep more of the state are ahead")
    claim(min(opened) > successes(at_200[SRNN]), "at T = 200 the LSTMs with an open forget gate are ahead")
    probe = [median(cell(results, name, 30), "probe_start") for name in (LSTM, SRNN)]
    slow, high = arms(results, "tuning").values()
    usual, better = cell(results, LSTM, 30), cell(results, CHRONO, 30)
    claim(max(successes(slow), successes(high)) < successes(better), "the start does more than tuning")
    claim(probe[0] < 0.55 < probe[1], "the probe reads the SRNN's state, not the LSTM's")
    return (
        "1. The one-unit LSTM loses because of where Keras starts it, not because of what it is: "
        "per step its state keeps σ(1) + U_g/4 of itself, 0.73 on average, while Keras' "
        "orthogonal start makes the recurrent weight of a one-unit SRNN exactly +1 or -1; at T = "
        f"50, {of_30(at_50[SRNN])} SRNNs and {of_30(at_50[LSTM])} LSTMs end above 0.95.\n2. "
        "Exchange the two starts and the outcome exchanges: SRNNs with U = ±0.73 succeed in "
        f"{of_30(at_50[WEAK])} repeats at T = 50, LSTMs that start with a forget gate near 1 in "
        f"{of_30(at_50[BIAS_5])} (forget bias 5) and {of_30(at_50[CHRONO])} (chrono "
        f"initialisation), and those without a forget gate, as in 1997, in {of_30(at_50[OPEN])}; "
        f"at T = 200 these three have {opened[0]}, {opened[1]} and {opened[2]}, the SRNN of Keras "
        f"{successes(at_200[SRNN])} and the LSTM of Keras {successes(at_200[LSTM])}.\n3. A start "
        "that forgets leaves training little to follow: at T = 30 a probe of the untrained last "
        f"state names the first element with a median accuracy of {probe[0]:.2f} in the LSTM and "
        f"{probe[1]:.2f} in the SRNN, at T = 50 the gradient that reaches it is "
        f"{power(median(at_50[LSTM], 'gradient_start'))} against "
        f"{power(median(at_50[SRNN], 'gradient_start'))}, and four times the updates or ten times "
        f"the learning rate bring the LSTM at T = 30 from {of_30(usual)} to {of_30(slow)} and "
        f"{of_30(high)}, where the chrono start brings it to {of_30(better)}.")


def front(results):
    """Why the LSTM of the question does worse, in a sentence, for the front page."""
    srnn, lstm, better = (cell(results, name, 50) for name in (SRNN, LSTM, BIAS_5))
    kept = np.median(factors(results, LSTM))
    claim(successes(lstm) < 0.5 * successes(srnn), "as Keras starts them the SRNN is ahead of the LSTM")
    claim(abs(successes(better) - successes(srnn)) <= 3, "a forget bias of 5 brings the LSTM level with the SRNN")
    return (
        f"Its start forgets, by a factor of {kept:.2f} a step: {of_30(lstm)} repeats latch over 50 steps, against "
        f"{successes(srnn)} of the simple RNN, but {successes(better)} with a forget bias of 5 instead of 1.")


def front_table(results):
    """Repeats of thirty that latch, for the front page."""
    lengths, names = (10, 50, 200), (SRNN, WEAK, LSTM, BIAS_5, CHRONO, GRU)
    return markdown(["one unit, repeats of 30 above 0.95", *(f"T = {T}" for T in lengths)],
                    [[name, *(successes(cell(results, name, T)) for T in lengths)] for name in names])


def which_succeed(results):
    factor, parts = factors(results, LSTM), []
    for T in (20, 30, 50):
        right = np.array(cell(results, LSTM, T)["final"]["test_accuracy"]) > latching.SUCCESS
        above = pairs_won(factor[right], factor[~right])
        claim(above > 0.75, "who succeeds goes with the factor")
        parts.append(f"T = {T}: median factor {np.median(factor[right]):.2f} of the {right.sum()} that succeed, "
                     f"{np.median(factor[~right]):.2f} of the others, the higher one succeeds in "
                     f"{above:.0%} of the pairs")
    return ("The unit vector across the gates makes this factor differ between the LSTMs of Keras, and with it goes which of "
            f"them succeed. {'; '.join(parts)} (a pair: a repeat that succeeds and one that does "
            "not).")


def table_notes(results):
    latched = [successes(cell(results, "SRNN, U = +1.25", T)) for T in LENGTHS if T >= 10]
    longest = {name: cell(results, name, 200) for name in CELLS}
    best = max(longest, key=lambda name: successes(longest[name]))
    none = [name for name in CELLS if not successes(longest[name])]
    medians = [median(cell(results, name, T), "test_accuracy") for name in CELLS for T in LENGTHS]
    failing = [value for value in medians if value <= latching.SUCCESS]
    return (
        f"At T = 200 the row with most successes is {best} ({of_30(longest[best])}), and "
        f"{len(none)} of {len(CELLS)} rows have none ({'; '.join(none)}). The SRNN that starts at "
        f"U = +1.25 has between {min(latched)} and {max(latched)} successes of 30 at every length "
        "from 10 to 200: it depends little on the length. The median accuracies that do not reach "
        f"0.95 lie between {min(failing):.2f} and {max(failing):.2f}.")


def tradeoff_sentence(results):
    found = arms(results, "tradeoff")
    below, at, above, far = (found[U, 100] for U in (0.73, 1.0, 1.25, 3.0))
    gradient = [median(entry, "gradient_start") for entry in (below, at, above)]
    claim(successes(below) == 0 < successes(above) and median(above, "probe_start") > 0.9,
          "the state latches above 1")
    claim(gradient[1] == max(gradient), "the gradient is largest at 1")
    lucky = np.array(above["history"]["test_accuracy"][0]) > 0.5
    right = np.array(above["final"]["test_accuracy"]) > latching.SUCCESS
    claim(right[lucky].mean() > right[~lucky].mean() + 0.5, "the sign of the readout decides")
    parts = [
        f"U = {entry['settings']['init_scale']:g}: gradient "
        f"{power(median(entry, 'gradient_start'))}, probe "
        f"{median(entry, 'probe_start'):.2f}, {of_30(entry)} succeed" for entry in (below, at, above, far)]
    return (
        f"At T = 100: {'; '.join(parts)}. The gradient is largest at U = 1, where the untrained "
        "state tells little; at U = 1.25 the untrained state tells everything and next to no "
        "gradient reaches the first step. There the state latches before it is trained, and what "
        f"decides is the sign of the readout: of the {lucky.sum()} repeats that are right more "
        f"often than not at the start, {right[lucky].sum()} succeed, of the other "
        f"{(~lucky).sum()}, {right[~lucky].sum()}. (The same start serves every length, which is "
        "why that row of the table hardly depends on T.)")


def split_sentence(results):
    found = arms(results, "split")
    entries = list(found.values())
    values = {split: np.concatenate([entry["final"]["validation_accuracy"] for entry in entries
                                     if entry["settings"]["split"] == split]) for split in ("question", "shuffled")}
    ends = np.isin(values["question"], (0, 1)).sum()
    low = {split: (accuracy < 0.05).sum() for split, accuracy in values.items()}
    means = {name: np.mean(found["question", name, 100]["final"]["validation_accuracy"]) for name in KERAS}
    claim(low["question"] > 0 == low["shuffled"], "only the question's split gives accuracies near 0")
    held = {split: ", ".join(
        f"{NAMES[name]} " + str(sum(successes(entry) for entry in entries if entry["settings"]["split"] == split
                                    and entry["settings"]["cell"] == name)) for name in KERAS)
        for split in ("question", "shuffled")}
    return (
        f"Of the {len(values['question'])} repeats with the question's split, {ends} have a "
        f"validation accuracy of exactly 0 or 1, and {low['question']} lie below 0.05; shuffled, "
        f"none lies below {values['shuffled'].min():.2f}. A net that has learnt nothing answers "
        "with the more frequent class of its training set, which the validation set does not "
        "contain, and scores 0; the mean over repeats hides that. At T = 100 these means are "
        + ", ".join(f"{mean:.2f} ({NAMES[name]})" for name, mean in means.items())
        + f". The balanced held-out set shows what the same runs have learnt: repeats above 0.95 over the "
        f"{len(entries) // 6} lengths, of {30 * len(entries) // 6}: {held['question']} with the "
        f"question's split, {held['shuffled']} shuffled.")


def relay_sentence(results):
    found = arms(results, "relay")

    def entries(T, units):
        return {name: found[units, name, T] for name in KERAS}

    parts = []
    for units in (1, 8):
        for T in (10, 30):
            counts = ", ".join(f"{NAMES[name]} {of_30(entry)}" for name, entry in entries(T, units).items())
            parts.append(f"{units} unit{'s' * (units > 1)}, T = {T}: {counts}")
    wins = []
    for units in (1, 8):
        for T in (5, 10, 30):
            srnn, lstm, gru = (successes(entry) for entry in entries(T, units).values())
            if gru > max(srnn, lstm):
                wins.append((units, T))
    claim(not wins, "the GRU has more successes at none of the pairs")
    return (
        f"{'; '.join(parts)}. The question reports that on this task the GRU performs better while "
        "SRNN and LSTM are equally bad (8 units, 10 repeats); here the GRU has more successes "
        "than both others at none of the six pairs of units and length.")


def tuning_sentence(results):
    slow, high = map(of_30, arms(results, "tuning").values())
    usual, bias = of_30(cell(results, LSTM, 30)), of_30(cell(results, BIAS_5, 30))
    return (
        f"At T = 30 the LSTM of the table succeeds in {usual} repeats; four times the updates give "
        f"{slow}, ten times the learning rate {high}, a forget bias of 5 {bias}.")


def times(results):
    entries = arms(results, "table").values()
    nets = sum(entry["settings"]["repeats"] for entry in entries)
    return (f"The table is {len(entries)} settings and {nets:,} trained nets, and took "
            f"{seconds(entries).sum() / 60:.0f} minutes of one core, which other work shared; the "
            "question speaks of \"over a day\" for two cells at 26 lengths.")


TABLES = {f"latching:{make.__name__}": make for make in (
    last_line, headline, table, accuracies, gradients, probes, decay, tradeoff, split, relay, relay_accuracy, latch1994,
    tuning, keras2018, landscape, speed, times, answer, which_succeed, table_notes, tradeoff_sentence, split_sentence, relay_sentence,
    tuning_sentence)} | {"front:latching": front, "front:latching_table": front_table}
