"""Tables and sentences of the pathological tasks and of the study of temporal order."""

import collections
import math

import numpy as np

import rnn_pathological as rp
import studies
import studies.rnn_pathological as grids
from analysis import claim
from analysis import momentum_2013 as paper_2013
from analysis.latching import rank_correlation
from tables.writing import count, iterations, listed, markdown, ran_on, seconds, side_by_side, spread

START = {"ortho": "orthogonal", "random": "N(0, 0.1²)"}
METHOD = {"NAG": "Nesterov", "CM": "heavy ball"}
XOR = "xor", "xor-longer"  # studies
TASKS = "multiplication", "symbols", "memory"
LIMIT = 6000  # updates in the grid
SMALL_XOR = "T = 30, N(0, 0.1²) start, curriculum and mixed lengths"
XOR_FIXED = (  # rows of their tables, in order
    "fixed T = 30, orthogonal start", "fixed T = 30, N(0, 0.1²)", "fixed T = 30, Adam",
    "fixed T = 30, Nesterov to 0.99", "curriculum to T = 30, no mixed lengths",
    "T = 30, heavy ball, no decay, stopped at 0.999",
    SMALL_XOR)
T_200 = "3bit_memorization, T = 200"
TASK_ROWS = (
    "multiplication, T = 50", "temporal_order_3, T = 100", "random_permutation, V = 20, T = 30",
    "noiseless_memorization, 5 bits, T = 100",
    "noiseless_memorization, ten 5-ary symbols, T = 80", T_200)


# --------------------------------------------------------------------------------------------------
# Records and their figures
# --------------------------------------------------------------------------------------------------

def arms(results, *names):
    """The records of some studies of these tasks by label; a name without its first word."""
    return {label: records for name in names
            for label, records in studies.arms(results, f"pathological-{name}").items()}


def finals(results, *names):
    """The same, but of the records their final figures."""
    return {label: [record["final"] for record in records] for label, records in arms(results, *names).items()}


def table(header, rows):
    """Markdown; the first column is set left, the others right."""
    return markdown(header, rows, " --: ")


def metric_of(final):
    return "test_accuracy" if "test_accuracy" in final else "test_mse"


def bar_of(settings):
    """A task's measure and the bar beyond which it counts as solved, in words."""
    task = rp.task_of(settings)
    return f"accuracy > {task.solved:g}" if task.classes else f"MSE < {task.solved:g}"


def three(value):
    """A number with at most three digits that are not zeros in front."""
    return f"{value:.3g}"


def measured(values, metric):
    """Median and range of a measure: accuracies to three places, others to three digits."""
    return spread(values, 3) if metric == "test_accuracy" else small_spread(values)


def small_spread(values):
    """Median and range of numbers that may be small; one number stands alone."""
    if len(values) == 1:
        return three(values[0])
    return f"{three(np.median(values))} [{three(min(values))}, {three(max(values))}]"


def solved(of):
    """How many end solved, and how many were solved at some measured update but not at the end."""
    end = sum(final["solved"] for final in of)
    lost = sum(final["updates_to_solve"] is not None and not final["solved"] for final in of)
    return end, lost


def of_all(of):
    """How many of some runs end solved."""
    return f"{solved(of)[0]} of {len(of)}"


def solved_all(of):
    return all(final["solved"] for final in of)


def updates(of):
    """Updates to the first measured solution: the median over all seeds, and the range; those that
    were never solved count as longer than all others."""
    values = [math.inf if final["updates_to_solve"] is None else final["updates_to_solve"] for final in of]
    middle, low, high = ("never" if value == math.inf else f"{value:.0f}" for value in (
        np.median(values), min(values), max(values)))
    return "never" if low == "never" else f"{middle} [{low}, {high}]"


def ends(of):
    """How many runs end solved, with the interval, and how many had it and lost it."""
    end, lost = solved(of)
    return count(end, len(of)) + (f", {lost} lost" if lost else "")


def table_of_runs(found, labels):
    """A table with a row for each of the labels; found: {label: records}."""
    bars = [bar_of(rp.Settings(**found[label][0]["settings"])) for label in labels]
    alike, rows = len(set(bars)) == 1, []
    for label, bar in zip(labels, bars):
        of = [record["final"] for record in found[label]]
        metric = metric_of(of[0])
        words = ends(of) if alike else f"{ends(of)}; {bar}"
        rows.append([
            label, measured([final[metric] for final in of], metric),
            small_spread([final["wrong_rate"] for final in of]), updates(of),
            spread([final["update"] for final in of], 0), words])
    measures = sorted({bar.split()[0] for bar in bars}, reverse=True)
    return table(
        ["", f"{' or '.join(measures)}: median [range]", "share of wrong sequences: median [range]",
         "updates to solve: median [range]", "updates in all: median [range]",
         f"solved at the end, {bars[0]}" if alike else "solved at the end; bar"], rows)


def commands(names, labels):
    """The commands that make some rows of some studies."""
    found = [studies.load()[f"pathological-{name}"] for name in names]
    words = {label: studies.command(study, label) for study in found for label in study.grid}
    return "\n".join(["```", *(words[label] for label in labels), "```"])


# --------------------------------------------------------------------------------------------------
# The headline
# --------------------------------------------------------------------------------------------------

def findings(results):
    """What the page finds, a line for each question."""
    head, scale_found = finals(results, "headline"), finals(results, "scale")
    ends = {init: sum(solved(of)[0] for key, of in head.items() if key[1] == init) for init in START}
    claim(ends["ortho"] >= 27 and ends["random"] <= 1, "one start of the earlier write-up solves, the other does not")
    low, runs = scale_counts(scale_found, rho=0.8)
    upper = {init: sum(scale_counts(scale_found, init=init, rho=rho)[0] for rho in (1.0, 1.1)) for init in ("ortho", "identity")}
    claim(low <= 0.1 * runs and upper["ortho"] >= 27 and upper["identity"] == 0, "scale and structure are both needed")
    far = {init: reach(finals(results, "length"), init) or 0 for init in grids.LENGTH_STARTS.values()}
    lstm = finals(results, "beyond-curriculum")[grids.BEYOND_NETS[1], 400]
    claim(far["ortho"] > far["random"] > far["identity"] and solved_all(lstm), "the reach of starts and of the LSTM")
    grid = finals(results, "xor-grid")
    fixed = [final for key, some in grid.items() if key[0] == "fixed length" for final in some]
    both = [final for key, some in grid.items() if key[0] == "curriculum and mixed lengths" for final in some]
    claim(solved(fixed)[0] == 0 and solved(both)[0] > 0.8 * len(both), "with shorter sequences among the training data XOR is learned")
    order_of = finals(results, "order")
    easy, addition = (middle_updates(order_of[key]) for key in (("both", "distinct", "regions"), ("sum", "marked", "halves")))
    claim(5 * easy < addition < math.inf, "temporal order is far easier than addition")
    short, xor_small = finals(results, "length")["random", 20], finals(results, "xor-less")[SMALL_XOR]
    claim(solved(short)[0] >= 0.8 * len(short) and solved_all(xor_small),
          "at a short T, and for XOR with a curriculum, the small start does")
    adam, wide = finals(results, "memory")[T_200], finals(results, "reach")[next(iter(grids.REACH))]
    cap = max(final["update"] for final in adam + wide)  # both have runs that use it up
    claim(2 * solved(adam)[0] > len(adam) and 2 * solved(wide)[0] > len(wide), "Adam solves T = 200")
    return "\n".join([
        "1. In three tasks at a fixed length (heavy ball, 2400 updates) scale and structure of the "
        f"start decide: at a spectral radius of 0.8 four starts solve {low} of {runs} runs; at 1 "
        f"and 1.1 the orthogonal one solves {upper['ortho']} of 30, the identity none. At T = 20, or "
        "with a curriculum, the small random start will do.",
        "2. At a fixed length 3-bit memorization is solved in at least half of the seeds up to T = "
        f"{far['ortho']} (orthogonal start), {far['random']} (small random) and {far['identity']} "
        f"(identity) with 2400 updates of the heavy ball; with {cap} of Adam T = 200 is solved in "
        f"{of_all(adam)} (input scale 0.01) and {of_all(wide)} (0.1).",
        f"3. {fair_finding(results)} {xor_finding(results)}",
        f"4. Temporal order at T = 30 takes {easy:.0f} updates in the median (to an accuracy of 0.9), "
        f"addition {addition:.0f} (to an MSE of 0.05): its symbols have channels of their own, they lie "
        "in two short regions, and the answer needs no arithmetic.",
        finding_2013(results)])


def headline(results):
    """Seed 0 as it falls, and the ten seeds."""
    rows = []
    for (name, init), of in finals(results, "headline").items():
        settings = rp.Settings(task=name)
        task, metric = rp.task_of(settings), metric_of(of[0])
        values = [final[metric] for final in of]
        rows.append([
            f"{name}, T = {settings.sequence_len}", START[init], f"{'accuracy' if task.classes else 'MSE'} {task.chance:.3f}",
            f"{values[0]:.3f}" if task.classes else three(values[0]), measured(values, metric), updates(of),
            f"{ends(of)}; {bar_of(settings)}"])
    return table(
        ["task", "start of W_hh", "constant answer", "seed 0", "ten seeds: median [range]",
         "updates to solve: median [range]", "solved at the end (95% interval); bar"], rows)


EARLIER = {  # the write-up's own measures: of addition half the MSE, else the accuracy
    ("addition", "ortho"): "0.012", ("addition", "random"): "0.079", ("temporal_order", "ortho"): "1.000",
    ("temporal_order", "random"): "0.240", ("3bit_memorization", "ortho"): "1.000",
    ("3bit_memorization", "random"): "0.115"}


def earlier(results):
    """The measures of the earlier public write-up beside ours for the same seed number."""
    rows = []
    for (task, init), of in finals(results, "headline").items():
        addition = task == "addition"
        values = [final["test_mse"] / 2 if addition else final["test_accuracy"] for final in of]
        rows.append([
            task, START[init], "half the MSE" if addition else "accuracy", EARLIER[task, init], f"{values[0]:.3f}",
            spread(values, 3), spread([final["wrong_rate"] for final in of], 3)])
    return table(
        ["task", "start", "measure", "earlier public write-up, seed 0", "here, seed 0", "here, ten seeds",
         "here, share of wrong sequences"], rows)


def between(results):
    """What the small random start does during training: the best point of each curve, and the
    end."""
    rows = []
    for (task, init), records in arms(results, "headline").items():
        if init == "random":
            metric = metric_of(records[0]["final"])
            best = [record["best"][metric] for record in records]
            end = [record["final"][metric] for record in records]
            rows.append([task, "accuracy" if metric == "test_accuracy" else "MSE", measured(best, metric),
                         measured(end, metric)])
    return table(["task", "measure", "best point of a seed's curve", "end of training"], rows)


# --------------------------------------------------------------------------------------------------
# Starts and lengths
# --------------------------------------------------------------------------------------------------

def scale(results):
    """Start against spectral radius on the three tasks of the headline."""
    found, rows = arms(results, "scale"), []
    for label, init in grids.START_KINDS.items():
        for rho in grids.RADII:
            records = [found[task, init, rho] for task in rp.HEADLINE_TASKS]
            values = [record["spectrum"]["start"]["singular_values"] for record in records[-1]]
            low, high = (np.median([found[k] for found in values]) for k in (-1, 0))
            rows.append([label, rho, f"{low:.2f} to {high:.2f}", *map(ends_and_median, records)])
    return table(
        ["start of W_hh", "spectral radius", "singular values, median smallest to largest",
         *(f"{task}, T = {T}: solved at the end, {bar_of(rp.Settings(task=task))}; median" for task, T in zip(
             rp.HEADLINE_TASKS, (30, 60, 60)))], rows)


def ends_and_median(records):
    of = [record["final"] for record in records]
    middle, metric = np.median([final[metric_of(final)] for final in of]), metric_of(of[0])
    return f"{ends(of)}; {middle:.3f}" if metric == "test_accuracy" else f"{ends(of)}; {three(middle)}"


def length(results):
    """Solved seeds of 3-bit memorization by start and length."""
    found = finals(results, "length")
    rows = [[label, *(ends(found[init, T]) for T in grids.LENGTHS)] for label, init in grids.LENGTH_STARTS.items()]
    return table(["start of W_hh", *(f"T = {T}" for T in grids.LENGTHS)], rows)


def reach(found, init):
    """The longest T up to which at least half of the seeds end solved at every T, or None."""
    longest = None
    for T in grids.LENGTHS:
        of = found[init, T]
        if 2 * solved(of)[0] < len(of):
            break
        longest = T
    return longest


def length_answer(results):
    """Up to which length each start lasts."""
    found = finals(results, "length")
    far = {init: reach(found, init) for init in grids.LENGTH_STARTS.values()}
    total = {init: sum(solved(found[init, T])[0] for T in grids.LENGTHS) for init in far}
    runs = len(found["ortho", 20]) * len(grids.LENGTHS)
    words = {init: f"up to T = {T}" if T else "at none of these lengths" for init, T in far.items()}
    claim((far["ortho"] or 0) > (far["random"] or 0), "the orthogonal start lasts longer than the small random one")
    return (
        f"With the orthogonal start at least half of the seeds end solved {words['ortho']}, with "
        f"N(0, 0.1²) {words['random']} and with the identity {words['identity']}. Over the "
        f"{len(grids.LENGTHS)} lengths together {total['ortho']}, {total['random']} and "
        f"{total['identity']} of {runs} runs end solved.")


def scale_counts(found, **chosen):
    """Solved runs and all runs of the grid of starts, over the three tasks: chosen by init and
    rho."""
    of = [final for (_, init, rho), some in found.items() for final in some
          if chosen.get("init", init) == init and chosen.get("rho", rho) == rho]
    return solved(of)[0], len(of)


def scale_totals(results):
    """Solved runs of each start at each radius, the three tasks together."""
    found = finals(results, "scale")
    rows = [[label, *(count(*scale_counts(found, init=init, rho=rho)) for rho in grids.RADII)]
            for label, init in grids.START_KINDS.items()]
    return table(["start of W_hh", *(f"radius {rho:g}" for rho in grids.RADII)], rows)


def front(results):
    """How the recurrent matrix must start, in a sentence, for the front page."""
    found = finals(results, "scale")
    low = scale_counts(found, rho=0.8)
    ortho, identity = (
        [scale_counts(found, init=init, rho=rho) for rho in (1.0, 1.1)] for init in ("ortho", "identity"))
    ends = [sum(k for k, _ in pair) for pair in (ortho, identity)]
    runs = sum(n for _, n in ortho)
    claim(low[0] <= 0.1 * low[1], "at 0.8 hardly a run is solved, whatever the structure")
    claim(ends[0] >= 0.9 * runs and ends[1] == 0, "from radius 1 on structure decides between all and nothing")
    return (
        f"At spectral radius (largest absolute eigenvalue) 0.8, {low[0]} of {low[1]} runs "
        f"are solved; at 1 and 1.1, {ends[0]} of {runs} with random orthogonal matrices, none with the identity.")


def front_table(results):
    """Solved runs of the grid of starts, the three tasks together, for the front page."""
    found = finals(results, "scale")
    rows = [[label, *(scale_counts(found, init=init, rho=rho)[0] for rho in grids.RADII)]
            for label, init in grids.START_KINDS.items()]
    tasks, runs = len(rp.HEADLINE_TASKS), scale_counts(found, init="ortho", rho=1.0)[1]
    return table([f"of {runs}: {tasks} tasks, {runs // tasks} seeds", *(f"radius {rho:g}" for rho in grids.RADII)], rows)


def scale_answer(results):
    """What scale does and what structure does: each with the comparison that shows it."""
    found = finals(results, "scale")
    n = scale_counts(found, init="ortho", rho=1.0)[1]
    at = {(init, rho): scale_counts(found, init=init, rho=rho)[0] for init in grids.START_KINDS.values()
          for rho in grids.RADII}
    low, runs = scale_counts(found, rho=0.8)
    short, xor_small = finals(results, "length")["random", 20], finals(results, "xor-less")[SMALL_XOR]
    upper = {init: at[init, 1.0] + at[init, 1.1] for init in grids.START_KINDS.values()}
    claim(low <= 0.1 * runs, "at 0.8 hardly a run is solved, whatever the structure")
    claim(at["ortho", 0.8] == 0 and upper["ortho"] >= 0.9 * 2 * n, "scale alone takes the orthogonal start from none to most")
    claim(upper["ortho"] > upper["sparse"] > upper["gaussian"] > upper["identity"] == 0, "structure orders the starts")
    claim(at["identity", 0.8] == max(at[init, 0.8] for init in grids.START_KINDS.values()) > 0, "at 0.8 the identity is ahead")
    return (
        f"Scale: at a radius of 0.8, about that of the small random start, {low} of {runs} runs "
        "end solved, whatever the structure. The same orthogonal matrices, enlarged to 1 and 1.1 "
        f"and otherwise unchanged, go from {at['ortho', 0.8]} of {n} to {at['ortho', 1.0]} and "
        f"{at['ortho', 1.1]} of {n}. The identity goes the other way, from {at['identity', 0.8]} of "
        f"{n} to none.\n\nStructure: at 1 and 1.1 all starts have the same spectral radius, and "
        f"the orthogonal one solves {upper['ortho']} of {2 * n} runs, the sparse "
        f"{upper['sparse']}, the Gaussian {upper['gaussian']} and the identity none. Equal "
        "singular values are not enough, since the identity has them too.\n\nSo in these three "
        "tasks, at a fixed length and within 2400 updates, both matter, and the comparison of the "
        "two starts above, which changes both at once, cannot tell them apart. Elsewhere the small "
        f"random start will do: it solves 3-bit memorization at T = 20 in {of_all(short)} seeds, and "
        f"XOR at T = 30 in {of_all(xor_small)} with a curriculum and mixed lengths.")


# --------------------------------------------------------------------------------------------------
# Temporal order
# --------------------------------------------------------------------------------------------------

def explained(records, which):
    """Median share of variance that a probe of the untrained net explains."""
    return np.median([record["probe"]["start"][which] for record in records])


def right_first(record, which, share=0.9):
    """The first point of the curve at which one symbol is right in this share of the sequences,
    or None."""
    history = record["history"]
    return next((u for u, right in zip(history["update"], history[f"{which}_right"]) if right >= share), None)


def order(results):
    """From temporal order to addition and XOR, one change at a time."""
    name = {("both", "distinct", "regions"): " (temporal order)", ("sum", "marked", "halves"): " (addition)",
            ("parity", "marked", "halves"): " (XOR)"}
    rows = []
    for key, records in arms(results, "order").items():
        of = [record["final"] for record in records]
        answer, symbols, places = key
        rows.append([f"{answer}{name.get(key, '')}", symbols, places, ends(of), updates(of),
                     *(f"{explained(records, which):.2f}" for which in ("first", "second"))])
    return table(["answer", "symbols", "places", "solved at the end (95% interval)", "updates to solve: median [range]",
                  "probe before training: first input", "second input"], rows)


def order_lags(results):
    """The second symbol in the middle and early, T = 60."""
    rows = []
    for (init, places), records in arms(results, "order-lags").items():
        of = [record["final"] for record in records]
        ahead = [right_first(record, "second") is not None and (
            right_first(record, "first") is None or right_first(record, "second") < right_first(record, "first"))
            for record in records]
        rows.append([
            START[init], "50-60%" if places == "regions" else "20-30%", ends(of), updates(of),
            f"{sum(ahead)} of {len(ahead)}",
            *(f"{np.median([final[f'{which}_right'] for final in of]):.3f}" for which in ("first", "second"))])
    return table(["start of W_hh", "second symbol at", "solved at the end (95% interval)", "updates to solve: median [range]",
                  "second symbol is 90% right before the first is",
                  "first symbol right at the end, median", "second symbol right at the end, median"], rows)


def middle_updates(of):
    """The median of the updates to solve, where those never solved are later than all others."""
    return np.median([math.inf if final["updates_to_solve"] is None else final["updates_to_solve"] for final in of])


def order_answer(results):
    """What makes temporal order easy: the factors, the hypotheses, the lag."""
    found, of = arms(results, "order"), finals(results, "order")
    middle = {key: middle_updates(some) for key, some in of.items()}
    easy, parity = ("both", "distinct", "regions"), ("parity", "distinct", "regions")
    claim(all(solved_all(of[key]) for key in of if key[0] == "both"), "every run that asks for both symbols is solved")
    base = middle[easy]
    slower = {
        name: middle[key] / base for name, key in dict(
            marked=("both", "marked", "regions"), halves=("both", "distinct", "halves"),
            two=("both", "marked", "halves"), sum=("sum", "distinct", "regions"), parity=parity,
            all=("sum", "marked", "halves")).items()}
    claim(min(slower.values()) > 2, "each single change costs a factor of two or more")
    claim(base == min(middle.values()), "temporal order is the easiest of the twelve")
    hard = [final for key in of if key[0] == "parity" and key != parity for final in of[key]]
    claim(not any(final["solved"] for final in hard), "parity is not solved with any of the harder inputs")
    limit = max(final["update"] for final in hard)
    seen = {key[1:]: [explained(found[key], which) for which in ("first", "second")] for key in of if key[0] == "both"}
    claim(sum(seen["distinct", "halves"]) > 2 * sum(seen["marked", "halves"]), "markers hide the symbols in the halves")
    claim(sum(seen["marked", "regions"]) >= sum(seen["distinct", "regions"]), "markers hide nothing in the regions")
    shares = {key: f"{max(first, 0):.0%} and {max(second, 0):.0%}" for key, (first, second) in seen.items()}
    return (
        "Temporal order is easy for three reasons, and each of them alone is worth a factor of "
        f"two or more. At T = 30 it takes {base:.0f} updates in the median. Markers instead of "
        f"symbols with channels of their own make that {slower['marked']:.1f} times as many, "
        f"places anywhere in each half {slower['halves']:.1f} times, the sum of two real values "
        f"instead of both symbols {slower['sum']:.1f} times and their parity "
        f"{slower['parity']:.0f} times. Addition, which differs in all three, takes "
        f"{slower['all']:.0f} times as many. (A sum is held to another bar, an MSE below 0.05 "
        "instead of an accuracy above 0.9, so that its factors depend on the two bars.) Parity "
        f"with any harder input is solved in none of {len(hard)} runs within {limit:,} "
        "updates.\n\nThe first hypothesis holds, but its reason "
        "only in part. Anywhere in the halves a linear probe of the untrained net's last state "
        f"explains {shares['distinct', 'halves']} of the variance of the first and the second "
        f"symbol if they have channels of their own, and {shares['marked', 'halves']} if they are "
        f"marked. In the regions it is {shares['distinct', 'regions']} against "
        f"{shares['marked', 'regions']}: there markers hide little from the probe (more of the first symbol is explained, less of the second), and learning "
        f"takes longer all the same.\n\n{lag_sentence(results)}")


def lag_sentence(results):
    """Whether the nearer symbol is learned first, and what a longer lag costs."""
    records = arms(results, "order-lags")["ortho", "regions"]
    firsts = [(right_first(record, "first") or math.inf, right_first(record, "second") or math.inf)
              for record in records]
    nearer, farther = sum(b < a for a, b in firsts), sum(a < b for a, b in firsts)
    late, early = (finals(results, "order-lags")["ortho", places] for places in ("regions", "early"))
    longer = sum(a["updates_to_solve"] > b["updates_to_solve"] for a in early for b in late)
    claim(nearer < farther, "the nearer symbol is not learned first")
    claim(longer > 0.7 * len(early) * len(late), "early symbols take longer")
    return (
        "The third hypothesis fails on the order: at T = 60 the nearer symbol is learned first in "
        f"{nearer} of {len(records)} runs, the farther one in {farther}. On the lag the runs point "
        f"its way: with both symbols early the median is {middle_updates(early):.0f} updates "
        f"instead of {middle_updates(late):.0f}, and of the {len(early) * len(late)} pairs of runs "
        f"the one with early symbols takes longer in {longer}. Five seeds against five do not "
        "settle it.")


# --------------------------------------------------------------------------------------------------
# XOR, the other tasks, and beyond T = 200
# --------------------------------------------------------------------------------------------------

def xor_grid(results):
    """Lengths, optimizer and input scale at T = 30."""
    found = finals(results, "xor-grid")
    rows = []
    for lengths in grids.XOR_LENGTHS:
        for optimizer in grids.XOR_OPTIMIZERS:
            of = [found[lengths, optimizer, scale] for scale in grids.XOR_SCALES]
            rows.append([lengths, optimizer, *(f"{ends(some)}; {updates(some)}" for some in of)])
    return table(
        ["training lengths", "optimizer, rate", *(f"input scale {scale:g}" for scale in grids.XOR_SCALES)], rows)


def xor_answer(results):
    """What it takes to learn XOR at T = 30."""
    of = finals(results, "xor-grid")
    fixed, mixed, curriculum, both = grids.XOR_LENGTHS

    def share(place, value, short=True):
        """Solved runs and all runs with this value at this place of the key; short: without the
        fixed length."""
        chosen = [final["solved"] for key, some in of.items() for final in some
                  if key[place] == value and (key[0] != fixed or not short)]
        return sum(chosen), len(chosen)

    scales, optimizers = ([share(place, value)[0] for value in values] for place, values in (
        (2, grids.XOR_SCALES), (1, grids.XOR_OPTIMIZERS)))
    never, runs = share(0, fixed, short=False)
    fallen = {lengths: [sum(final["test_accuracy"] < 0.6 for final in some) for key, some in of.items() if key[0] == lengths]
              for lengths in (curriculum, both)}
    claim(never == 0, "at a fixed length nothing solves XOR within the budget")
    claim(max(scales) - min(scales) > max(optimizers) - min(optimizers), "input scale matters more than the optimizer, each over three ways")
    claim(share(0, both)[0] > share(0, mixed)[0], "both ways together solve more runs than mixed lengths alone")
    by_scale = {lengths: [sum(solved(of[lengths, optimizer, scale])[0] for optimizer in grids.XOR_OPTIMIZERS)
                          for scale in grids.XOR_SCALES] for lengths in (mixed, curriculum, both)}
    each = share(0, mixed)[1] // len(grids.XOR_SCALES)
    claim(all(low < high for low, _, high in (by_scale[mixed], by_scale[curriculum])) and by_scale[both][0] > by_scale[both][-1],
          "a larger input scale helps each way alone and hurts both together")
    words = {lengths: listed(counts) for lengths, counts in by_scale.items()}
    return (
        "With short sequences among the training data XOR is learned. Within "
        f"{LIMIT:,} updates at the fixed T = 30 none of {runs} "
        f"runs ends solved; with mixed lengths {share(0, mixed)[0]} of {share(0, mixed)[1]} do, "
        f"with a curriculum {share(0, curriculum)[0]}, with both {share(0, both)[0]}. What the "
        "input scale does depends on the lengths. At 0.1, 0.3 and 1 mixed lengths solve "
        f"{words[mixed]} of {each} runs, a curriculum {words[curriculum]}: larger inputs help. "
        f"With both it is {words[both]}, the other way round. The optimizer matters least, "
        f"with {optimizers[0]} for the heavy ball, {optimizers[1]} for Nesterov and "
        f"{optimizers[2]} for Adam. With the curriculum alone {sum(fallen[curriculum])} runs end "
        "near chance, below an accuracy of 0.6; with mixed lengths beside it "
        f"{sum(fallen[both]) or 'none'} {'do' if sum(fallen[both]) != 1 else 'does'}.")


def xor_budget(results):
    """XOR at a fixed T = 30, every run there is, with its budget."""
    of = [final for name in ("xor-fixed", "xor-fixed-longer") for some in finals(results, name).values() for final in some]
    of += [final for key, some in finals(results, "xor-grid").items() if key[0] == "fixed length" for final in some]
    of += [final for some in finals(results, "xor-whole-budget").values() for final in some]
    claim(not any(final["solved"] or final["updates_to_solve"] for final in of), "at a fixed length no run solves XOR")
    spent, best = [final["update"] for final in of], max(final["test_accuracy"] for final in of)
    claim(best < 0.6, "all of these runs stay near chance")
    return (
        f"At a fixed T = 30 none of {len(of)} runs learns XOR within its budget of {min(spent):,} "
        f"to {max(spent):,} updates; the best of them ends at an accuracy of {best:.2f}. With "
        "sequences that grow, the same tanh RNN learns it.")


def xor(results):
    found = arms(results, *XOR)
    return table_of_runs(found, list(found))


def xor_fixed(results):
    return table_of_runs(
        arms(results, "xor-fixed", "xor-fixed-longer", "xor-less", "xor-heavy-ball"), XOR_FIXED)


def tasks(results):
    return table_of_runs(arms(results, *TASKS), TASK_ROWS)


def longer(results):
    """3-bit memorization at T = 200, with the default input scale and a smaller one."""
    found = arms(results, "reach", "memory")
    return table_of_runs(found, [*grids.REACH, T_200])


CELLS = {"lstm": "LSTM", "gru": "GRU"}


def gated(results):
    """LSTM and GRU on the headline's tasks."""
    found = arms(results, "gated")
    rows = {f"{task}, {CELLS[cell]}": records for (task, cell), records in found.items()}
    settings, tanh = rp.Settings(**grids.GATED[rp.HEADLINE_TASKS[0], "lstm"]), rp.Settings()
    of = {cell: [record["final"] for (_, other), records in found.items() if other == cell for record in records]
          for cell in CELLS}
    return "\n\n".join([
        "## Cells with gates on the headline's tasks",
        f"LSTM (forget bias {settings.forget_bias:g}) and GRU with the orthogonal start, {settings.dtype}, "
        f"{len(found[rp.HEADLINE_TASKS[0], 'lstm'])} seeds of each:",
        table_of_runs(rows, list(rows)),
        f"The LSTM ends {of_all(of['lstm'])} runs solved, the GRU {of_all(of['gru'])}. Both have {settings.hidden} "
        f"units, Adam at {settings.lr:g} and at most {settings.epochs * settings.batches_per_epoch} updates, and these "
        f"settings were not tuned. The tanh RNN of the headline has {tanh.hidden} units, another optimizer and "
        f"{tanh.epochs * tanh.batches_per_epoch} updates: this compares LSTM and GRU, and neither with it."])


def copy(results):
    """The copying problem: cross-entropy over all steps beside that of an answer without memory."""
    rows = []
    for label, of in finals(results, "copy").items():
        rows.append([
            label, small_spread([final["test_loss"] for final in of]),
            spread([final["test_accuracy"] for final in of], 3), updates(of), ends(of)])
    settings = rp.Settings(**grids.COPY["GRU"])
    task = rp.task_of(settings)
    rows.append(["without memory", f"{task.memoryless_loss(settings.sequence_len):.3f}", f"{task.chance:.3f}", None, None])
    return table(
        ["copy_memory, T = 20", "cross-entropy, all steps", "accuracy of the ten symbols",
         "updates to solve: median [range]", "solved at the end (95% interval)"], rows)


def copy_answer(results):
    found, settings = finals(results, "copy"), rp.Settings(**grids.COPY["GRU"])
    curves = {label: np.median([record["history"]["test_loss"] for record in records], axis=0)
              for label, records in arms(results, "copy").items()}
    bound = rp.task_of(settings).memoryless_loss(settings.sequence_len)
    loss = {label: np.array([final["test_loss"] for final in of]) for label, of in found.items()}
    tanh = np.concatenate([loss[label] for label in found if label.startswith("tanh")])
    cap = max(final["update"] for of in found.values() for final in of)
    claim(tanh.min() >= bound, "the tanh RNN ends no lower than the answer without memory")
    claim(max(loss["LSTM"].max(), loss["GRU"].max()) < 0.98 * bound, "LSTM and GRU are below it")
    claim(all(curves[label][-1] < curves[label][-3] for label in ("LSTM", "GRU")), "they still fall")
    claim(not any(final["solved"] for of in found.values() for final in of), "none solves it")
    return (
        f"After {cap} updates none of these nets copies the ten symbols, but they differ: the tanh RNN with either start "
        f"ends no lower than an answer without memory, {bound:.3f} ({tanh.min():.3f} to "
        f"{tanh.max():.3f} in {len(tanh)} runs), the LSTM at {np.median(loss['LSTM']):.3f} and the GRU at "
        f"{np.median(loss['GRU']):.3f} (medians), still falling. T = 20 is short; Arjovsky, Shah & Bengio (2016) ask for "
        "T = 100 and more, train longer, and use RMSprop. Two rates were tried for the tanh RNN on one other seed, one for "
        "each of the others.")


def beyond(results):
    """Beyond T = 200: the two nets at a fixed length, then with a curriculum."""
    found = {
        f"{net}, {way} T = {T}": of for name, way in (("beyond-fixed", "fixed"), ("beyond-curriculum", "curriculum to"))
        for (net, T), of in arms(results, name).items()}
    return table_of_runs(found, list(found))


def cap(settings):
    """The most updates of a run."""
    return settings["epochs"] * settings["batches_per_epoch"]


# --------------------------------------------------------------------------------------------------
# Equal budgets, equal search
# --------------------------------------------------------------------------------------------------

def xor_whole(results):
    """XOR at the fixed T = 30 with 24,000 updates."""
    found = {f"{optimizer}, {START[init]}, input scale {scale:g}": records
             for (optimizer, init, scale), records in arms(results, "xor-whole-budget").items()}
    return table_of_runs(found, list(found)) + "\n\n![XOR at a fixed length](../viz/xor_whole_budget.png)"


def fair_means(results, net):
    """Of a net's settings, {(rate, input scale, start): (solved seeds, minus mean updates to solve,
    mean accuracy)} in the search: the larger, the better. A seed that is never solved counts with
    all its updates."""
    means = {}
    for (name, *chosen), of in finals(results, "beyond-fair-search").items():
        if name == net:
            spent = [final["update"] if final["updates_to_solve"] is None else final["updates_to_solve"] for final in of]
            means[tuple(chosen)] = (solved(of)[0], -np.mean(spent), np.mean([final["test_accuracy"] for final in of]))
    return means


def fair_choice(results, net):
    """The best of a net's settings; one with a run that diverged is never chosen."""
    means = {chosen: value for chosen, value in fair_means(results, net).items() if np.isfinite(value).all()}
    return max(means, key=means.get)


def fair_words(net, chosen):
    """A net's setting in words."""
    rate, scale, k = chosen
    [(name, value)] = grids.FAIR_STARTS[net][k].items()
    return f"rate {rate:g}, input scale {scale:g}, {name.replace('_', ' ')} {value:g}"


def beyond_fair_search(results):
    """What the search chose for each net, and what else it saw."""
    found, rows = finals(results, "beyond-fair-search"), []
    for net in grids.FAIR_NETS:
        chosen, means = fair_choice(results, net), fair_means(results, net)
        claim(grids.FAIR_CHOSEN[net] == chosen, f"the search chooses {chosen} for {net}")
        runs = [final for (name, *_), of in found.items() if name == net for final in of]
        rows.append([net, fair_words(net, chosen), of_all(found[net, *chosen]), f"{-means[chosen][1]:.0f}", len(means), of_all(runs)])
    return table(["T = 400, two seeds a setting", "chosen", "solved with it", "updates to solve, mean", "settings",
                  "solved over all of them"], rows)


def beyond_fair(results):
    """Both nets at growing T, each at its best of the same search."""
    found = {f"{net}, T = {T}": records for (net, T), records in arms(results, "beyond-fair").items()}
    return table_of_runs(found, list(found)) + "\n\n![Both nets after the same search](../viz/lstm_reach_fair.png)"


def fair_reach(results, net):
    """The longest T up to which at least half of the seeds end solved at every T, or None."""
    found, longest = finals(results, "beyond-fair"), None
    for T in grids.FAIR_LENGTHS:
        of = found[net, T]
        if 2 * solved(of)[0] < len(of):
            break
        longest = T
    return longest


def fair_wins(results, net):
    """The solved seeds at each length, as a list in words."""
    return listed(solved(finals(results, "beyond-fair")[net, T])[0] for T in grids.FAIR_LENGTHS)


def weights(net):
    """How many weights a net of the search has."""
    settings = rp.Settings(task="3bit_memorization", **grids.FAIR_NETS[net])
    return rp.build(settings, 1).theta.size


def beyond_answer(results):
    """Where each net's reach ends, after the same search."""
    plain, lstm = grids.FAIR_NETS
    found = finals(results, "beyond-fair")
    reaches = {net: fair_reach(results, net) or 0 for net in (plain, lstm)}
    caps = {cap(record["settings"]) for records in arms(results, "beyond-fair").values() for record in records}
    [updates_each] = caps
    far = grids.FAIR_LENGTHS[-1]
    claim(reaches[lstm] > reaches[plain], "the LSTM's reach is longer")
    claim(reaches[plain] < far, "the tanh RNN's reach ends within these lengths")
    n, lengths = len(found[plain, far]), listed(grids.FAIR_LENGTHS)
    end = f"its end was not reached at {far}" if reaches[lstm] == far else f"at {2 * reaches[lstm]} it fails, too"
    until = f"up to T = {reaches[plain]}" if reaches[plain] else "at none of these lengths"
    return (
        f"With the same search for both, at T = {lengths}, the LSTM ends solved in {fair_wins(results, lstm)} of {n} "
        f"seeds and the tanh RNN with orthogonal start in {fair_wins(results, plain)}. At least half of the seeds are "
        f"solved {until} by the tanh RNN and up to T = {reaches[lstm]} by the LSTM; {end}. Equal were the curriculum (to T "
        f"in twenty steps) and mixed lengths, Adam, at most {updates_each} updates of 50 sequences, the twelve settings "
        f"and two seeds of the search, and about the number of weights ({weights(plain)} and {weights(lstm)}).")


def fair_finding(results):
    """Finding 3 on the two nets."""
    plain, lstm = grids.FAIR_NETS
    n, lengths = len(finals(results, "beyond-fair")[plain, grids.FAIR_LENGTHS[0]]), listed(grids.FAIR_LENGTHS)
    return (
        f"With a curriculum and the same search for both, the LSTM solves it in {fair_wins(results, lstm)} of {n} seeds "
        f"at T = {lengths}, the tanh RNN in {fair_wins(results, plain)}.")


def xor_finding(results):
    """Finding 3 on XOR."""
    whole = [final for of in finals(results, "xor-whole-budget").values() for final in of]
    grown = finals(results, "xor")["T = 30"]
    claim(not any(final["updates_to_solve"] for final in whole) and solved_all(grown),
          "XOR needs shorter sequences among the training data")
    return (
        f"XOR at T = 30 is solved in none of {len(whole)} runs of {whole[0]['update']:,} updates at a fixed length, in "
        f"{of_all(grown)} with a curriculum and mixed lengths.")


def xor_whole_answer(results):
    """Whether XOR needs shorter sequences."""
    whole = finals(results, "xor-whole-budget")
    every = [final for of in whole.values() for final in of]
    best, grown = max(final["test_accuracy"] for final in every), finals(results, "xor")["T = 30"]
    claim(not any(final["updates_to_solve"] for final in every), "no run at a fixed length learns XOR")
    claim(best < 0.6 and solved_all(grown), "all stay near chance, and with sequences that grow it is learned")
    return (
        f"The earlier write-up asks for 800 epochs with Nesterov's momentum and both starts: {every[0]['update']:,} updates. "
        f"None of {len(every)} runs learns XOR at the fixed T = 30, with Nesterov's momentum or with Adam, with the "
        f"orthogonal or the small random start, with an input scale of 0.1 or 1; the best ends at an accuracy of "
        f"{best:.2f}. With a curriculum and mixed lengths {of_all(grown)} end solved after at most "
        f"{max(final['update'] for final in grown):,} updates. So updates are not what was missing: the runs that learn it "
        "have shorter sequences among their training data (and halve their rate, but only after 2,500 updates).")


# --------------------------------------------------------------------------------------------------
# Table 5 of Sutskever et al. (2013)
# --------------------------------------------------------------------------------------------------

def table5_rates(results):
    """Training loss of the trials for the learning rate, and that the rates used are what the
    rule gives."""
    rows = []
    trials = arms(results, "sutskever-rates")
    for kind, used in grids.TABLE5_RATES.items():
        losses = {lr: np.mean([record["history"]["train_loss"][-1] for record in trials[kind, lr]])
                  for lr in (1e-3, 1e-4, 1e-5)}
        chosen = max(lr for lr, loss in losses.items() if loss <= 1.005 * min(losses.values()))
        claim(chosen == used, f"the rule gives {chosen} for {kind}")
        rows.append([f"{kind[0]}, {METHOD[kind[1]]} {kind[2]}", *(f"{loss:.5f}" for loss in losses.values()),
                     f"{chosen:g}"])
    return table(["", "rate 0.001", "rate 0.0001", "rate 0.00001", "used"], rows)


def table5(results):
    """Addition and multiplication beside the paper's Table 5: each seed by itself."""
    rows = []
    for name in ("sutskever", "sutskever-other-rates"):
        for (task, method, mu), records in arms(results, name).items():
            of, paper = [record["final"] for record in records], grids.PAPER_TABLE5[task, method]
            radii = [record["spectrum"]["end"]["spectral_radius"] for record in records]
            rows.append([
                f"{task}, {METHOD[method]} {mu}", f"{records[0]['settings']['lr']:g}",
                f"{paper:g}" if name == "sutskever" else "", ", ".join(three(final["wrong_rate"]) for final in of),
                three(np.mean([final["wrong_rate"] for final in of])),
                measured([final["test_mse"] for final in of], "test_mse"), small_spread(radii),
                sum(final["status"] == "diverged" for final in of)])
    return table(["", "rate", "wrong, paper", "wrong here, a number for each seed", "their mean", "MSE: median [range]",
                  "radius of W_hh at the end: median [range]", "stopped as diverged"], rows)


def table5_cost(results):
    """What is left of their Table 5, and what it would take."""
    run = [records for name in ("addition", "multiplication") for records in paper_2013.columns(results, name).values()]
    minutes = np.median(np.concatenate([seconds(records) for records in run])) / 60
    steps = {"five bits": 210, "ten symbols": 100}  # in a sequence: 80 else
    left = {name: len(grids.COLUMNS_2013) - len(paper_2013.columns(results, name)) for name in paper_2013.REPORTED}
    hours = sum(steps.get(name, 80) / 80 * minutes * n * 4 for name, n in left.items()) / 60
    words = listed(f"{n} of the seven columns for {name}" for name, n in left.items() if n)
    return (f"Of their Table 5 there were not run, with rates chosen by whole runs: {words}. Four seeds of each are "
            f"{4 * sum(left.values())} runs and, at the median speed of those for addition and multiplication, about {hours:.0f} core-hours.")


def table5_first(results):
    """What the rates chosen by 2000 updates led to."""
    wrong = {kind[:2]: [final["wrong_rate"] for final in of] for kind, of in finals(results, "sutskever").items()}
    mean, paper = {kind: np.mean(values) for kind, values in wrong.items()}, grids.PAPER_TABLE5
    claim(all(mean[kind] > paper[kind] for kind in paper), "no mean reaches the paper's")
    used = [record for name in ("sutskever", "sutskever-other-rates") for records in arms(results, name).values()
            for record in records if record["settings"]["lr"] == 1e-3]
    radii = sorted(radius for record in used if (radius := record["spectrum"]["end"]["spectral_radius"]) > paper_2013.BLOWN)
    claim(len(radii) == 2 and len(used) == 6, "of six runs at 0.001 two blow up")
    return (
        f"With these rates the mean share of wrong sequences lies between {three(min(mean.values()))} and "
        f"{three(max(mean.values()))} in the four rows, where the paper has {min(paper.values()):g} to {max(paper.values()):g}. "
        f"Of six full runs at a rate of 0.001 two blow up, to spectral radii of {radii[0]:.0f} and {radii[1]:.0f}.")


# --------------------------------------------------------------------------------------------------
# The whole of Table 5
# --------------------------------------------------------------------------------------------------

def stable_2013(results):
    """What keeps Nesterov's momentum of 0.995 from blowing up at a rate of 0.001."""
    rows = []
    for label, records in arms(results, "2013-stable").items():
        radii = [record["spectrum"]["end"] and record["spectrum"]["end"]["spectral_radius"] for record in records]
        rows.append([
            label, ", ".join("not finite" if value is None else three(value) for value in radii),
            f"{sum(map(paper_2013.blown, records))} of {len(records)}",
            ", ".join(three(record["history"]["train_loss"][-1]) for record in records),
            ", ".join(three(record["final"]["wrong_rate"]) for record in records)])
    return table(["addition, Nesterov 0.995, 20,000 updates", "radius of W_hh at the end, two seeds",
                  f"blown up (radius above {paper_2013.BLOWN})", "training loss at the end", "wrong"], rows)


def stable_answer(results):
    """The same in a sentence: only what was removed, alone, is a cause."""
    found = arms(results, "2013-stable")
    up = {label: sum(map(paper_2013.blown, records)) for label, records in found.items()}
    n, learned = len(found["as it is"]), {label: sum(
        record["history"]["train_loss"][-1] < 0.9 * rp.TASKS["addition"].constant_loss for record in records)
        for label, records in found.items()}
    others = [label for label in found if label != "as it is"]
    keeps = [label for label in others if up[label] == 0]
    claim(up["as it is"] > 0, "at a rate of 0.001 it blows up")
    words = f"{listed(keeps)} kept every run from it" if keeps else "nothing that was tried kept every run from it"
    not_all = [label for label in others if up[label]]
    rest = f"; {listed(not_all)} did not" if not_all else ""
    taught = [f"{label} ({learned[label]} of {n})" for label in found if learned[label]]
    learns = f"Within 20,000 updates it learned with {listed(taught)}." if taught else (
        "Within 20,000 updates none of them learned anything.")
    return (f"As it is, {up['as it is']} of {n} runs blow up; {words}{rest}. {learns} Two seeds say no more than that.")


def falling_pairs(results):
    """Runs of addition whose rate falls, {(column, pace): (records with a constant rate, records with the falling one)}."""
    return {label: ([studies.find(results, "rnn_pathological", record["settings"] | dict(lr_decay_every=0)) for record in records],
                    records)
            for label, records in arms(results, "2013-falling").items()}


def falling_2013(results):
    """A rate that halves every 10,000 updates beside a constant one, seed by seed."""
    rows = []
    for (column, pace), (constant, falling) in falling_pairs(results).items():
        rows.append([
            paper_2013.column_words(column), *paper_2013.pace_words(pace)[:2], three(paper_2013.paper_figure("addition", column)),
            *wrong_2013(constant)[:2], *wrong_2013(falling)[:2]])
    return table(["addition", "rate", "clip", "paper", "wrong with a constant rate, a number for each seed",
                  "their mean [95% interval]", "wrong with a rate that falls", "their mean [95% interval]"], rows)


def falling_answer(results):
    """How much of what is wrong in the end a falling rate takes away."""
    lower, met, means, pairs = 0, 0, [], falling_pairs(results)
    for (column, pace), pair in pairs.items():
        figure = paper_2013.paper_figure("addition", column)
        kept, fallen = map(paper_2013.mean_wrong, pair)
        lower += sum(paper_2013.wrong(falling) < paper_2013.wrong(constant) for constant, falling in zip(*pair))
        met += fallen <= figure
        means.append(f"{three(kept)} to {three(fallen)} ({paper_2013.column_words(column)}, clip {paper_2013.clip_words(pace)}; "
                     f"paper: {figure:g})")
    return (f"In {lower} of {4 * len(pairs)} runs fewer sequences are wrong than with a constant rate. The mean goes from "
            f"{listed(means)}: in {met} of {len(pairs)} rows it is as low as the paper's.")


def wrong_2013(records):
    """Three cells on four seeds: what is wrong in each, their mean with its interval, and how many blew up."""
    wrong = [paper_2013.wrong(record) for record in records]
    mean, low, high = map(three, paper_2013.mean_interval(wrong, paper_2013.most_wrong(records[0])))
    return [", ".join(map(three, wrong)), f"{mean} [{low}, {high}]",
            f"{sum(map(paper_2013.blown, records))} of {len(records)}"]


SEARCHED_2013 = sum(len(grids.CHOSEN_OF_TWO_2013[name]) for name in paper_2013.SEARCHED)  # columns


def third_2013(results):
    """The columns that take the third setting, beside the better of the first two, seed by seed."""
    rows = []
    for (name, column), pair in paper_2013.changed(results).items():
        row = [f"{name}, {paper_2013.column_words(column)}", three(paper_2013.paper_figure(name, column))]
        for records in pair:
            row += [*paper_2013.pace_words(paper_2013.pace_of(records[0]))[:2], *wrong_2013(records)[:2]]
        rows.append(row)
    return table(["", "wrong, paper", "rate before", "clip before", "wrong, a number for each seed", "their mean [95% interval]",
                  "rate now", "clip now", "wrong, a number for each seed", "their mean [95% interval]"], rows)


def third_counts(results):
    """Of the columns that take the third setting: how many there are, in how many the mean is lower than with the better
    of the first two, and in how many it is as low as the paper's."""
    pairs = paper_2013.changed(results)
    means = {label: [*map(paper_2013.mean_wrong, pair)] for label, pair in pairs.items()}
    return (len(pairs), sum(after < before for before, after in means.values()),
            sum(after <= paper_2013.paper_figure(*label) for label, (_, after) in means.items()))


def third_finding(results):
    """What the third setting changes, in short."""
    n, lower, met = third_counts(results)
    return (f"A [third setting](#the-third-setting), the second with a looser clip, was added once the first two had been run: {n} "
            f"of {SEARCHED_2013} columns take it. In {lower} of these the mean is lower than before, in {met} it is as low as the "
            "paper's.")


def third_answer(results):
    """What a third setting with a looser clip changes, and what comes without a clip."""
    (n, lower, met), pairs = third_counts(results), paper_2013.changed(results)
    before, now = (sum(paper_2013.learned(record) for pair in pairs.values() for record in pair[k]) for k in (0, 1))
    higher = [f"{name} with {paper_2013.column_words(column)}" for (name, column), (old, new) in pairs.items()
              if paper_2013.mean_wrong(new) > paper_2013.mean_wrong(old)]
    misled = f" It is higher in {listed(higher)}: two seeds of a search do not always tell." if higher else ""
    [without] = arms(results, "2013-no-clip").values()
    return (
        f"The third setting is taken in {n} of {SEARCHED_2013} columns. In {lower} of them the mean of the seeds 0 to 3 is lower "
        f"than with the better one of the first two, in {met} it is as low as the paper's.{misled} Of the {4 * n} runs in these columns "
        f"{before} learn with the earlier setting, {now} with the third. Without any clip, all else the same, {sum(map(paper_2013.blown, without))} of "
        f"{len(without)} runs of addition with Nesterov 0.995 blow up.")


def bits_third(results):
    """Five bits in the column that misses the paper's figure, with what all three settings give for ten symbols."""
    [(column, now)], before = arms(results, "2013-bits-third").items(), paper_2013.columns(results, "five bits")
    missed = [other for other in before if paper_2013.mean_wrong(before[other]) > paper_2013.paper_figure("five bits", other)]
    claim(missed == [column], "one column of five bits misses the paper's figure")
    seeds = ", ".join(three(paper_2013.wrong(record)) for record in now)
    return (
        f"Five bits take what the first two settings gave for the ten symbols, and one column misses the paper's figure, "
        f"{paper_2013.column_words(column)}: {three(paper_2013.mean_wrong(before[column]))} wrong symbols, paper "
        f"{paper_2013.paper_figure('five bits', column):g}. With the third setting, which the ten symbols take there, it is "
        f"{three(paper_2013.mean_wrong(now))} ({seeds}). That was tried because the column had missed, so it stands in no table and is "
        "not counted.")


def losses_2013(results, name):
    """The mean held-out loss of every pace of every column in whole runs, {column: {pace: loss}}; infinite
    where a run diverged."""
    losses = {}
    for (column, pace), records in arms(results, paper_2013.SEARCHED[name]).items():
        of = [record["final"] for record in records]
        fine = all(final["status"] == "done" and final["test_loss"] is not None for final in of)
        losses.setdefault(column, {})[pace] = np.mean([final["test_loss"] for final in of]) if fine else math.inf
    return losses


def choice_2013(results, name, n=3):
    """Of the first n paces of each column the one with the lowest mean held-out loss."""
    return {column: min([*of][:n], key=of.get) for column, of in losses_2013(results, name).items()}


def rates_2013(results):
    """The search for the rates, of each task whose search is complete: the measure of each whole run."""
    parts = []
    for name in paper_2013.SEARCHED:
        losses, chosen, rows = losses_2013(results, name), choice_2013(results, name), []
        claim(chosen == grids.CHOSEN_2013[name], f"the search chooses {chosen} for {name}")
        of_two = choice_2013(results, name, 2)
        claim(of_two == grids.CHOSEN_OF_TWO_2013[name], f"of the first two settings the search chooses {of_two} for {name}")
        for (column, pace), records in arms(results, paper_2013.SEARCHED[name]).items():
            loss = losses[column][pace]
            rows.append([
                paper_2013.column_words(column), *paper_2013.pace_words(pace),
                ", ".join(three(paper_2013.wrong(record)) for record in records),
                three(loss) if math.isfinite(loss) else "diverged",
                f"{sum(map(paper_2013.blown, records))} of {len(records)}", "yes" if chosen[column] == pace else ""])
        parts.append(table([name, "rate", "clip", "updates at 0.9 first", "wrong, a number for each seed", "mean held-out loss", "blown up", "taken"], rows))
    return "\n\n".join(parts)


def whole_2013(results):
    """Each task beside the paper's figures, in the columns that have been run."""
    parts = []
    for name, found in paper_2013.reported(results).items():
        rows = []
        for column, records in found.items():
            rows.append([
                paper_2013.column_words(column), *paper_2013.pace_words(paper_2013.pace_of(records[0])),
                three(paper_2013.paper_figure(name, column)), *wrong_2013(records),
                f"{np.median(seconds(records)) / 60:.0f}"])
        measure = paper_2013.measure_of(name)
        parts.append(table(
            [name, "rate", "clip", "updates at 0.9 first", f"{measure}, paper", f"{measure} here, a number for each seed",
             "their mean [95% interval]", "blown up", "minutes a run"], rows))
    return "\n\n".join([*parts, "![Every column beside the paper's](../viz/table5_2013.png)"])


def table5_answer(results):
    """How far the table is reproduced."""
    means = paper_2013.means(results)
    met, n = paper_2013.met(means)
    counts = ["{} of {} in ".format(*paper_2013.met({name: of})) + name for name, of in means.items()]
    lowest, order = [], []
    for name, of in means.items():
        paper = dict(zip(grids.COLUMNS_2013, grids.FIGURES_2013[name]))
        best, theirs = min(of, key=of.get), min(paper, key=paper.get)
        lowest.append(f"{name} {three(of[best])} ({paper_2013.column_words(best)}) and {paper[theirs]:g} "
                      f"({paper_2013.column_words(theirs)})")
        if len(of) > 2:
            order.append(f"{rank_correlation([*of.values()], [paper[column] for column in of]):.2f} in {name}")
    reported = paper_2013.reported(results)
    runs = [record for found in reported.values() for records in found.values() for record in records]
    both = [(new, old) for (task, *column), old in arms(results, "sutskever").items()
            if (new := reported.get(task, {}).get(tuple(column))) and new[0]["settings"] != old[0]["settings"]]
    now, before = (np.concatenate(of) for of in zip(*both))
    return (
        f"1. In {met} of the {n} columns run here the mean of four seeds is as low as the paper's figure: {listed(counts)}.\n"
        f"2. The lowest means here and there: {'; '.join(lowest)}.\n"
        f"3. Of {len(runs)} runs {sum(map(paper_2013.learned, runs))} learn (a loss below nine tenths of the constant answer's). "
        f"The columns' rank correlation with the paper's is {listed(order)}.\n"
        f"4. In {len(both)} columns that were run before with other settings, the rate alone chosen by "
        f"[2000 updates](#a-first-choice-by-2000-updates), {sum(map(paper_2013.learned, before))} of {len(before)} seeds learned, "
        f"chosen by whole runs {sum(map(paper_2013.learned, now))}. The mean share of wrong sequences was "
        f"{three(np.mean([*map(paper_2013.wrong, before)]))} and is {three(np.mean([*map(paper_2013.wrong, now)]))}.\n"
        f"5. {third_finding(results)}")


def kernels_2013(results):
    """Which kernels of OpenBLAS the runs of the whole table were made with."""
    names = [*paper_2013.SEARCHED.values(), *paper_2013.REPORTED.values()]
    of = collections.Counter(
        record["provenance"].get("blas_kernel", "not recorded") for name in names
        for row in studies.load()[f"pathological-{name}"].cells()
        if (record := studies.find(results, "rnn_pathological", row)))
    return f"OpenBLAS's kernel, by runs: {', '.join(f'{kernel} {n}' for kernel, n in sorted(of.items()))}."


def finding_2013(results):
    """Finding 5."""
    met, n = paper_2013.met(paper_2013.means(results))
    return (f"5. Table 5 of Sutskever et al. (2013), rates chosen by whole runs: in {met} of the {n} columns run here the mean "
            "of four seeds is as low as [their figure](rnn_pathological_2013.md).")


def speed(results):
    """The side-by-side benchmark, from its own file."""
    return table(*side_by_side(iterations("rnn_pathological")))


def speed_sentence(results):
    """The ratio to torch in float32, here and in the adding problem, by processor."""

    def ratios(name, **chosen):
        return {level: rows["torch eager, float32"]["ratio"][0] for level, rows in sorted(iterations(name, **chosen).items())}

    def said(of):
        return " and ".join(f"{ratio:.1f} with {level}" for level, ratio in of.items())

    here, rnn, lstm = ratios("rnn_pathological"), ratios("adding_problem", cell="rnn"), ratios("adding_problem", cell="lstm")
    claim(all(rnn[level] > 2 * here[level] > 2 for level in here), "the gain over torch is smaller than for the adding problem's tanh RNN")
    return (
        f"{ran_on('rnn_pathological')}. Medians of processor time over interleaved rounds; the ratio is to this project's "
        f"float32, the default. In float32 torch eager's time over ours is {said(here)}. In the "
        f"[adding problem](adding_problem.md#speed), whose nets have 8 units, it is {said(rnn)} for the tanh RNN, {said(lstm)} "
        "for the LSTM. What causes these differences was not tested.")


def both_precisions(results):
    """Final figures of the headline in float32 and in float64: {(task, init): (float32's, float64's)}."""
    single, double = finals(results, "headline"), finals(results, "headline-float64")
    return {label: (single[label], double[label]) for label in single}


def same_verdicts(pair):
    return sum(a["solved"] == b["solved"] for a, b in zip(*pair))


def precision(results):
    rows = []
    for (task, init), pair in both_precisions(results).items():
        metric = metric_of(pair[0][0])
        for of, dtype in zip(pair, ("float32", "float64")):
            rows.append([
                f"{task}, {'orthogonal' if init == 'ortho' else 'N(0, 0.1²)'}, {dtype}", count(solved(of)[0], len(of)),
                measured([final[metric] for final in of], metric), updates(of),
                f"{same_verdicts(pair)} of 10" if dtype == "float32" else None])
    return table(["", "end solved, of ten seeds", "MSE or accuracy: median [range]",
                  "updates to the first solution: median [range]", "seeds with the same verdict"], rows)


def precision_sentence(results):
    """Only while the two precisions cannot be told apart: by counts, or seed by seed."""
    pairs = both_precisions(results)
    counts = [[solved(of)[0] for of in pair] for pair in pairs.values()]
    claim(all(abs(a - b) <= 2 for a, b in counts), "as many seeds end solved in either precision")
    better = [(sum(a[metric_of(a)] > b[metric_of(a)] for a, b in zip(*pair)),
               sum(a[metric_of(a)] < b[metric_of(a)] for a, b in zip(*pair))) for pair in pairs.values()]
    low, high = np.sum([pair for pair, label in zip(better, pairs) if label[1] == "ortho"], 0)
    claim(abs(low - high) <= 5, "neither precision is better seed by seed where the task is learned")
    agree = sum(map(same_verdicts, pairs.values()))
    claim(agree >= 54, "at most one seed in ten changes its verdict")
    return (
        f"The counts hardly change with the precision: {sum(a for a, _ in counts)} of 60 runs end solved in float32 and "
        f"{sum(b for _, b in counts)} in float64, in no row do the counts differ by more than "
        f"{max(abs(a - b) for a, b in counts)}, and {agree} of 60 keep their verdict.")


TABLES = {
    "rnn_pathological:precision": precision,
    "rnn_pathological:precision_sentence": precision_sentence,
    "rnn_pathological:findings": findings,
    "rnn_pathological:headline": headline,
    "rnn_pathological:earlier": earlier,
    "rnn_pathological:between": between,
    "rnn_pathological:scale": scale,
    "rnn_pathological:length": length,
    "rnn_pathological:order": order,
    "rnn_pathological:order_lags": order_lags,
    "rnn_pathological:xor_grid": xor_grid,
    "rnn_pathological:table5_rates": table5_rates,
    "rnn_pathological:table5": table5,
    "rnn_pathological:scale_totals": scale_totals,
    "front:pathological": front,
    "front:pathological_table": front_table,
    "rnn_pathological:scale_answer": scale_answer,
    "rnn_pathological:length_answer": length_answer,
    "rnn_pathological:order_answer": order_answer,
    "rnn_pathological:xor_answer": xor_answer,
    "rnn_pathological:beyond_answer": beyond_answer,
    "rnn_pathological:table5_first": table5_first,
    "rnn_pathological:table5_answer": table5_answer,
    "rnn_pathological:table5_cost": table5_cost,
    "rnn_pathological:xor": xor,
    "rnn_pathological:xor_commands": lambda results: commands(XOR, [*grids.XOR_30, *grids.XOR_LONGER]),
    "rnn_pathological:xor_budget": xor_budget,
    "rnn_pathological:xor_fixed": xor_fixed,
    "rnn_pathological:tasks": tasks,
    "rnn_pathological:task_commands": lambda results: commands(TASKS, TASK_ROWS),
    "rnn_pathological:reach": longer,
    "rnn_pathological:beyond": beyond,
    "rnn_pathological:gated": gated,
    "rnn_pathological:copy": copy,
    "rnn_pathological:copy_answer": copy_answer,
    "rnn_pathological:xor_whole": xor_whole,
    "rnn_pathological:xor_whole_answer": xor_whole_answer,
    "rnn_pathological:beyond_fair": beyond_fair,
    "rnn_pathological:beyond_fair_search": beyond_fair_search,
    "rnn_pathological:stable_2013": stable_2013,
    "rnn_pathological:stable_answer": stable_answer,
    "rnn_pathological:rates_2013": rates_2013,
    "rnn_pathological:whole_2013": whole_2013,
    "rnn_pathological:kernels_2013": kernels_2013,
    "rnn_pathological:falling_2013": falling_2013,
    "rnn_pathological:falling_answer": falling_answer,
    "rnn_pathological:third_2013": third_2013,
    "rnn_pathological:third_answer": third_answer,
    "rnn_pathological:bits_third": bits_third,
    "rnn_pathological:speed": speed,
    "rnn_pathological:speed_sentence": speed_sentence,
}

