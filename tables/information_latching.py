"""Tables and sentences of information latching and of its loss landscape."""

import functools

import numpy as np

import harness
import information_latching as latching
import latch_landscape
import studies
from analysis import claim
from analysis.latching import Repeats, factor_per_step, pairs_won, rank_correlation, steepest
from studies.information_latching import CELLS, KERAS, LENGTHS
from tables import writing
from tables.writing import benchmark, listed, ran_on

SRNN, LSTM, GRU = "SRNN, U = ±1 (Keras)", "LSTM, forget bias 1 (Keras)", "GRU (Keras)"
WEAK, BIAS_5, OPEN = "SRNN, U = ±0.73", "LSTM, forget bias 5", "LSTM, no forget gate (1997)"
CHRONO, GRU_3, PAST_ONE = "LSTM, chrono (told T)", "GRU, update bias 3", "SRNN, U = +1.25"
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
    names = (SRNN, WEAK, LSTM, BIAS_5, OPEN, CHRONO, GRU, GRU_3)
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
    for level, record in sorted(benchmark("information_latching").items()):
        for line in record["rows"]:
            ms = line["ms"]
            ratios = ("{} [{}, {}]".format(*line["ratio"][name]) for name in
                      ("torch f64 / numpy f64", "torch f32 / numpy f32", "torch f32 / numpy f64"))
            rows.append([
                f"{NAMES[line['cell']]}, {level}",
                f"{ms['numpy f64, 30 repeats']:.2f}", f"{ms['numpy f32, 30 repeats']:.2f}",
                f"{ms['torch f64, 1 run']:.2f}", f"{ms['torch f32, 1 run']:.2f}", *ratios])
    return "\n\n".join([
        markdown(["ms per update, T = 100", "numpy f64, 30 repeats", "numpy f32, 30 repeats", "torch f64, 1 run",
                  "torch f32, 1 run", "30 runs: torch f64 / numpy f64", "torch f32 / numpy f32",
                  "torch f32 / numpy f64"], rows),
        f"{ran_on('information_latching')}."])


# --------------------------------------------------------------------------------------------------
# Sentences
# --------------------------------------------------------------------------------------------------

def findings(results):
    at_10, at_50, at_200 = ({name: cell(results, name, T) for name in CELLS} for T in (10, 50, 200))
    kept = {name: np.median(factors(results, name)) for name in (SRNN, WEAK, LSTM, BIAS_5)}
    claim(abs(kept[WEAK] - kept[LSTM]) < 0.02 < 0.1 < kept[BIAS_5] - kept[LSTM] < kept[SRNN] - kept[LSTM],
          "U = 0.73 fades like the LSTM of Keras, a forget bias of 5 less")
    claim([T for T in LENGTHS if T >= 10 and successes(cell(results, LSTM, T)) >= successes(cell(results, SRNN, T))] == [10],
          "from T = 20 on the LSTM does worse")
    claim(successes(at_50[LSTM]) < 0.5 * successes(at_50[SRNN]), "as Keras starts them the SRNN is ahead of the LSTM")
    claim(successes(at_50[WEAK]) == 0 and successes(at_200[BIAS_5]) > successes(at_200[SRNN]),
          "with other starts the LSTM is ahead of the SRNN")
    own, alone, _, three, with_length = joint_figures(results)
    shortness = own.correlation(own.values("length"))
    _, (held, n_held), _, (lost, n_lost) = latched_counts(results)
    exceptions = n_held - held + lost
    claim(exceptions > 1, "more than one")
    found = arms(results, "tuning")
    slow, fast, usual = found["four times the updates"], found["ten times the rate"], cell(results, LSTM, 30)
    better = cell(results, BIAS_5, 30)
    claim(max(map(successes, (slow, fast))) <= successes(usual) + 3 < successes(better), "the start does more than tuning")
    splits = [entry for (split, *_), entry in arms(results, "split").items() if split == "question"]
    ends = sum(np.isin(np.array(entry["final"]["validation_accuracy"], float), (0, 1)).sum() for entry in splits)
    n = sum(entry["settings"]["repeats"] for entry in splits)
    claim(ends > 0.99 * n, "the question's split gives accuracies of 0 and 1")
    return "\n".join([
        "1. From T = 20 on the one-unit LSTM does worse, because of where Keras starts it: before "
        f"training its gradient fades by a factor of {kept[LSTM]:.2f} a step, that of the SRNN by "
        f"{kept[SRNN]:.2f} (medians). At T = 50, {of_30(at_50[LSTM])} LSTMs and "
        f"{successes(at_50[SRNN])} SRNNs end with an accuracy above 0.95; at T = 10 it is "
        f"{successes(at_10[LSTM])} and {successes(at_10[SRNN])}.",
        f"2. With other starts it is the other way round. SRNNs that fade by {kept[WEAK]:.2f} a "
        f"step (U = ±0.73) succeed in {of_30(at_50[WEAK])} repeats at T = 50, LSTMs that fade by "
        f"{kept[BIAS_5]:.2f} (forget bias 5) in {successes(at_50[BIAS_5])}; at T = 200 it is "
        f"{successes(at_200[WEAK])} and {successes(at_200[BIAS_5])}.",
        f"3. Over {len(own.records)} settings success goes with the untrained net's gradient (rank "
        f"correlation {alone['gradient'][0][0]:.2f}), what its state tells of the sign ({alone['probe'][0][0]:.2f}) and "
        f"shortness ({shortness[0]:.2f}); the first two and the readout's luck have {three[0][0]:.2f}. From T = 10 on a net "
        f"succeeds if its trained latch holds 4 T, else not: {exceptions} exceptions in {n_held + n_lost:,}.",
        "4. More training hardly helps: at T = 30 four times the updates bring the LSTM from "
        f"{of_30(usual)} to {successes(slow)}, ten times the rate to {successes(fast)}, a forget "
        f"bias of 5 to {successes(better)}.",
        f"5. The question's validation set holds one class only: {ends} of {n} repeats score "
        "exactly 0 or 1 on it, which "
        "the plotted means hide."])


# --------------------------------------------------------------------------------------------------
# What decides success, over all settings
# --------------------------------------------------------------------------------------------------

LATCHED = 0.95  # a trained state holds the first element if the probe after four times T is above this
SHOWN = {  # rows of the table, in words
    "length": "shortness, -log T", "gradient": "gradient \\|dh_T/dx_1\\|", "retention": "retention",
    "probe": "probe", "accuracy": "accuracy of the untrained net", "latch": "latch of the untrained net",
    "trained latch": "latch of the trained net"}
NEEDS = {"retention": "retention_start", "latch": "latch_start", "trained latch": "latch_end"}
JOINT = (("gradient", "probe"), ("gradient", "probe", "accuracy"), ("gradient", "probe", "accuracy", "length"))


def every_record(results):
    """The records of all studies, each once, by its settings."""
    names = [name for name, study in studies.load().items() if study.experiment == latching.EXPERIMENT]
    found = [records[0] for name in names for records in studies.arms(results, name).values()]
    return list({str(entry["settings"]): entry for entry in found}.values())


@functools.lru_cache(maxsize=4)
def repeats_of(key, tasks, needed):
    entries = [entry for entry in key.entries if entry["settings"]["task"] in tasks]
    return Repeats.of([entry for entry in entries if needed is None or needed in entry["final"]])


class Key:
    """Some records, as a key of a cache: by their figures."""

    def __init__(self, entries):
        self.entries = entries
        self.figures = str([(entry["settings"], entry["final"]) for entry in entries])

    def __hash__(self):
        return hash(self.figures)

    def __eq__(self, other):
        return self.figures == other.figures


def repeats(results, tasks=("latch",), needed=None):
    """All repeats of some tasks, of the records with a final figure of this name."""
    return repeats_of(Key(every_record(results)), tasks, needed)


def spread(value, low, high):
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def decides(results):
    """What goes with success: a quantity a row, then the joint models."""
    every = ("latch", "bit_relay", "latch1994")
    rows = []
    for name, words in SHOWN.items():
        own, all_tasks = (repeats(results, tasks, NEEDS.get(name)) for tasks in (("latch",), every))
        values = own.values(name)
        rows.append([
            words, len(own.records), spread(*own.correlation(values)),
            "-" if name == "length" else spread(*own.within(values)), spread(*own.joint(name)[1]),
            f"{all_tasks.correlation(all_tasks.values(name))[0]:.2f} ({len(all_tasks.records)})"])
    for names in JOINT:
        own, all_tasks = repeats(results), repeats(results, every)
        correlation, explained = own.joint(*names)
        words = " + ".join(SHOWN[name].split(",")[0].split(" \\|")[0] for name in names)
        rows.append([f"jointly: {words}", len(own.records), spread(*correlation), "-", spread(*explained),
                     f"{all_tasks.joint(*names)[0][0]:.2f} ({len(all_tasks.records)})"])
    return markdown(["of each repeat", "settings", "rank correlation with the share that succeed",
                     "pairs of one setting in which the higher value succeeds",
                     "deviance explained, of starts left out", "rank correlation, all three tasks (settings)"], rows)


def latched_counts(results):
    """Of the repeats whose trained state holds the first element, at T below 10 and from 10 on, and of the others
    likewise: how many succeed, of how many."""
    known = repeats(results, needed="latch_end")
    holds = known.values("trained latch") > LATCHED
    short = np.array([entry["settings"]["T"] < 10 for entry in known.records])[:, None]
    counts = [(int(known.won[chosen].sum()), int(chosen.sum()))
              for chosen in (holds & short, holds & ~short, ~holds & short, ~holds & ~short)]
    (early, n_early), (held, n_held), _, (lost, n_lost) = counts
    claim(early == n_early and held >= n_held - 1 and lost < 0.01 * n_lost, "from T = 10 on a net succeeds exactly if its trained state latches")
    opposite = known.values("test accuracy")[holds & ~known.won]
    claim((opposite == 0).all(), "a net that latches and fails answers the opposite")
    return counts


def joint_figures(results):
    """The correlations and the explained deviance that the sentences quote."""
    own = repeats(results)
    alone = {name: (own.correlation(own.values(name)), own.joint(name)[1]) for name in ("gradient", "probe")}
    both, three, with_length = (own.joint(*names) for names in JOINT)
    claim(min(alone[name][0][1] for name in alone) > 0.5, "gradient and probe go with success")
    claim(both[0][0] > max(figures[0][0] for figures in alone.values()), "together they rank better than alone")
    claim(three[1][1] > max(figures[1][0] for figures in alone.values()),
          "the joint model explains more than each alone")
    claim(abs(with_length[1][0] - three[1][0]) < 0.03, "the length adds next to nothing")
    return own, alone, both, three, with_length


def decides_sentence(results):
    """What decides success, over all rows."""
    own, alone, both, three, with_length = joint_figures(results)
    (held_early, n_held_early), (held, n_held), (early, n_early), (lost, n_lost) = latched_counts(results)
    n_held, held = n_held + n_held_early, held + held_early
    measured = len(repeats(results, needed=NEEDS["trained latch"]).records)
    everyone = "all succeed" if held == n_held else "all succeed but one, which gives the opposite answer throughout"
    blank = cell(results, PAST_ONE, 50)
    claim(median(blank, "gradient_start") < 1e-9 and successes(blank) > 10, "a start latches without a gradient")
    told = cell(results, SRNN, 50)
    claim(median(told, "probe_start") < 0.6 and successes(told) > 15, "a start succeeds with a state that tells little")
    p, _ = own.left_out_deviance(np.stack([own.values(name) for name in JOINT[1]], axis=-1))
    off = own.share - p.mean(1)
    worst = named_setting(own.records[int(np.argmax(abs(off)))]["settings"])
    k = int(np.argmax(abs(off)))
    return (
        f"Over all {len(own.records)} settings of the latch ({own.won.size:,} nets from {len(set(own.start))} starts) the "
        "share that succeeds goes with the gradient that the first element has before training (rank correlation "
        f"{spread(*alone['gradient'][0])}) and as much with what the untrained state tells of it (probe, "
        f"{spread(*alone['probe'][0])}); each has its exceptions, as at T = 50 the SRNN at U = +1.25 with "
        f"{successes(blank)} of 30 and a gradient of {power(median(blank, 'gradient_start'))}, and the SRNN of Keras with "
        f"{successes(told)} and a probe of {median(told, 'probe_start'):.2f}. "
        "Together with the accuracy of the untrained net, which says whether its readout happens to point the right way, "
        f"they rank starts that the model has not seen with {spread(*three[0])} and explain {three[1][0]:.0%} of the "
        f"deviance (the gradient alone {alone['gradient'][1][0]:.0%}, the probe {alone['probe'][1][0]:.0%}, the length "
        f"{own.joint('length')[1][0]:.0%}); the length, once these are known, adds nothing ({with_length[1][0]:.0%}). "
        f"Training makes of it all or nothing. In the {measured} settings in which it was measured, of {n_held:,} nets whose "
        "trained state still tells the first element after "
        f"four times T (probe above {LATCHED}) {everyone}, of the others {early} of {n_early} at T = 2 and 5, where a "
        f"memory that leaks is enough, and {lost} of {n_lost:,} from T = 10 on. "
        f"The model is furthest off for {worst}: {p[k].mean():.2f} expected, {own.share[k]:.2f} found.")


def chrono_note(results):
    """Which start is ahead, and that it is told the length."""
    best = [max(CELLS, key=lambda name: successes(cell(results, name, T))) for T in (50, 100, 200)]
    claim(best == [CHRONO] * 3, "the chrono start is ahead from T = 50 on")
    return "The chrono start, ahead at T = 50, 100 and 200, is given T, and the others are not."


def named_setting(settings):
    """A setting of the latch in words."""
    words = {name: settings[name] for name in (
        "init_scale", "forget_bias", "update_bias", "split", "recurrent_activation", "lr", "updates")}
    usual = dict(init_scale=1.0, forget_bias=None, update_bias=None, split="fresh", recurrent_activation="sigmoid",
                 lr=1e-3, updates=4000)
    if settings["split"] != "fresh":
        usual["updates"] = 2500
    named = [f"{name.replace('_', ' ')} {value}" for name, value in words.items() if value not in (None, usual[name])]
    return ", ".join([f"the {NAMES[settings['cell']]}", *named, f"T = {settings['T']}"])


def landscape_sentence(results):
    """Whether the share of the surface that solves the task goes with success."""
    found, area, won = arms(results, "landscape"), [], []
    for (name, T), entry in found.items():
        area.append(np.mean(np.array(entry["final"]["loss"]) < 0.1))
        won.append(successes(cell(results, {"srnn": SRNN, "lstm": LSTM}[name], T)))
    labels = list(found)
    late = {name: [(area[k], won[k]) for k, label in enumerate(labels) if label[0] == name and label[1] >= 10]
            for name in ("srnn", "lstm")}
    claim(all(abs(pairs[0][0] - pairs[-1][0]) < 0.05 and pairs[-1][1] < 0.5 * pairs[0][1] for pairs in late.values()),
          "successes fall while the area of low loss stays")
    words = [f"in the {NAMES[name]} it is {pairs[0][0]:.2f} at T = 10 and {pairs[-1][0]:.2f} at T = 100, while "
             f"{pairs[0][1]} and {pairs[-1][1]} of 30 repeats from Keras' start succeed" for name, pairs in late.items()]
    return (
        "The surfaces do not say who succeeds: from T = 10 on the share of the area that solves the task hardly changes "
        f"({'; '.join(words)}). What gets lost with the length is the way there, not the solution (rank correlation of "
        f"area and successes over the {len(area)} surfaces: {rank_correlation(area, won):.2f}).")


def front(results):
    """Why the LSTM of the question does worse, in a sentence, for the front page."""
    srnn, lstm, better = (cell(results, name, 50) for name in (SRNN, LSTM, BIAS_5))
    claim(np.median(factors(results, LSTM)) < 0.8, "the start of Keras forgets")
    claim(successes(lstm) < 0.5 * successes(srnn), "as Keras starts them the SRNN is ahead of the LSTM")
    claim(abs(successes(better) - successes(srnn)) <= 3, "a forget bias of 5 brings the LSTM level with the SRNN")
    return (
        f"As Keras starts it, it forgets: {of_30(lstm)} repeats latch over 50 steps, against "
        f"{successes(srnn)}; with a forget bias of 5, {successes(better)}.")


def front_table(results):
    """Repeats of thirty that latch, for the front page."""
    lengths, names = (10, 50, 200), (SRNN, WEAK, LSTM, BIAS_5, CHRONO)
    return markdown(["latched, of 30 repeats", *(f"T = {T}" for T in lengths)],
                    [[name.replace("U =", "recurrent weight"),
                      *(successes(cell(results, name, T)) for T in lengths)] for name in names])


def which_succeed(results):
    """The LSTMs of Keras: the factor per step of those that succeed, and of the others."""
    factor, rows = factors(results, LSTM), []
    for T in (20, 30, 50):
        right = np.array(cell(results, LSTM, T)["final"]["test_accuracy"]) > latching.SUCCESS
        above = pairs_won(factor[right], factor[~right])
        claim(above > 0.75, "who succeeds goes with the factor")
        rows.append([T, right.sum(), f"{np.median(factor[right]):.2f}", f"{np.median(factor[~right]):.2f}", f"{above:.0%}"])
    return markdown(["T", "repeats of 30 that succeed", "their median factor", "that of the others",
                     "pairs in which the higher factor succeeds"], rows)


def table_notes(results):
    latched = [successes(cell(results, PAST_ONE, T)) for T in LENGTHS if T >= 10]
    longest = {name: cell(results, name, 200) for name in CELLS}
    best = max(longest, key=lambda name: successes(longest[name]))
    none = [name for name in CELLS if not successes(longest[name])]
    medians = [median(cell(results, name, T), "test_accuracy") for name in CELLS for T in LENGTHS]
    failing = [value for value in medians if value <= latching.SUCCESS]
    return (
        f"At T = 200 the row with most successes is {best} ({of_30(longest[best])}), and "
        f"{len(none)} of {len(CELLS)} rows have none: {'; '.join(none)}. The SRNN that starts at U "
        f"= +1.25 depends little on the length, with {min(latched)} to {max(latched)} successes at "
        "every T from 10 to 200. The median accuracies that do not reach 0.95 lie between "
        f"{min(failing):.2f} and {max(failing):.2f}.")


def tradeoff_sentence(results):
    found = arms(results, "tradeoff")
    below, at, above = (found[U, 100] for U in (0.73, 1.0, 1.25))
    gradient = [median(entry, "gradient_start") for entry in (below, at, above)]
    claim(successes(below) == 0 < successes(above) and median(above, "probe_start") > 0.9,
          "the state latches above 1")
    claim(gradient[1] == max(gradient), "the gradient is largest at 1")
    lucky = np.array(above["history"]["test_accuracy"][0]) > 0.5
    right = np.array(above["final"]["test_accuracy"]) > latching.SUCCESS
    claim(right[lucky].mean() > right[~lucky].mean() + 0.5, "the sign of the readout decides")
    return (
        f"At T = 100 the gradient is largest at U = 1, {power(gradient[1])}, where the untrained "
        f"state tells little and {of_30(at)} repeats succeed. At U = 1.25 it is "
        f"{power(gradient[2])}, the untrained state tells everything, and {successes(above)} "
        "succeed. There the state latches before it is trained, and what decides is the sign of "
        f"the readout: of the {lucky.sum()} repeats that are right more often than not at the "
        f"start {right[lucky].sum()} succeed, of the other {(~lucky).sum()} only "
        f"{right[~lucky].sum()}. The same start serves every length, which is why that row of the "
        "table hardly depends on T.")


def split_sentence(results):
    found = arms(results, "split")
    entries = list(found.values())
    values = {split: np.concatenate([entry["final"]["validation_accuracy"] for entry in entries
                                     if entry["settings"]["split"] == split]) for split in ("question", "shuffled")}
    ends = np.isin(values["question"], (0, 1)).sum()
    low = {split: (accuracy < 0.05).sum() for split, accuracy in values.items()}
    means = {name: np.mean(found["question", name, 100]["final"]["validation_accuracy"]) for name in KERAS}
    claim(low["question"] > 0 == low["shuffled"], "only the question's split gives accuracies near 0")
    held = {split: listed(
        str(sum(successes(entry) for entry in entries if entry["settings"]["split"] == split
                and entry["settings"]["cell"] == name)) for name in KERAS) for split in ("question", "shuffled")}
    of_all = listed(f"{mean:.2f} ({NAMES[name]})" for name, mean in means.items())
    return (
        f"Of the {len(values['question'])} repeats with the question's split {ends} have a "
        f"validation accuracy of exactly 0 or 1, and {low['question']} lie below 0.05; shuffled, "
        f"none lies below {values['shuffled'].min():.2f}. A net that has learnt nothing answers "
        "with the more frequent class of its training set, which the validation set does not "
        "contain, and scores 0. The mean over repeats hides that; at T = 100 the means are "
        f"{of_all}. A balanced held-out set shows what the same runs have learnt: over the "
        f"{len(entries) // 6} lengths {held['question']} of {30 * len(entries) // 6} repeats of "
        f"SRNN, LSTM and GRU end above 0.95, shuffled {held['shuffled']}.")


def relay_sentence(results):
    found = arms(results, "relay")
    won = {label: successes(entry) for label, entry in found.items()}
    pairs = [(units, T) for units in (1, 8) for T in (5, 10, 30)]
    claim(not any(won[units, "gru", T] > max(won[units, "srnn", T], won[units, "lstm", T]) for units, T in pairs),
          "the GRU has more successes at none of the pairs")
    claim(won[8, "gru", 30] == 0 and min(won[8, "srnn", 30], won[8, "lstm", 30]) > 25, "at T = 30 the GRU fails alone")
    return (
        "The question reports that on this task the GRU performs better and SRNN and LSTM are "
        "equally bad (8 units, 10 repeats). That is not so here: the GRU is ahead of both others "
        f"at none of the {len(pairs)} pairs of units and length. With eight units at T = 30 it "
        f"succeeds in none of 30 repeats, the SRNN in {won[8, 'srnn', 30]} and the LSTM in "
        f"{won[8, 'lstm', 30]}. With one unit only the LSTM gets past T = 5, with "
        f"{won[1, 'lstm', 10]} of 30 at T = 10, and at T = 30 no cell does.")


def times(results):
    entries = arms(results, "table").values()
    nets = sum(entry["settings"]["repeats"] for entry in entries)
    return f"The table holds {len(entries)} settings and {nets:,} trained nets."


TABLES = {f"latching:{make.__name__}": make for make in (
    last_line, headline, table, accuracies, gradients, probes, decay, tradeoff, split, relay, relay_accuracy, latch1994,
    tuning, keras2018, landscape, speed, times, findings, which_succeed, decides, decides_sentence, landscape_sentence, chrono_note,
    table_notes,
    tradeoff_sentence, split_sentence, relay_sentence)} | {"front:latching": front, "front:latching_table": front_table}
