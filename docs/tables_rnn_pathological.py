"""The tables of docs/rnn_pathological.md, each written from results.json (that of speed from its benchmark's file)."""

import json
import math
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
import rnn_pathological as rp
import studies_rnn_pathological as studies

START = {"ortho": "orthogonal", "random": "N(0, 0.1²)"}


def table(header, rows):
    """Markdown of a table; the first column is set left, the others right."""
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def wilson(k, n):
    """95% Wilson interval of k successes in n."""
    z, p = 1.959964, k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def count(k, n):
    low, high = wilson(k, n)
    return f"{k} of {n} ({low:.2f} to {high:.2f})"


def spread(values, digits):
    """Median and range."""
    return f"{np.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def finals(arm, results):
    records = arm.records(results)
    if len(records) < len(arm.seeds):
        raise LookupError(f"results.json lacks records of '{arm.label}': {arm.command()}")
    return [record["final"] for record in records]


def metric_of(final):
    return "test_accuracy" if "test_accuracy" in final else "test_mse"


def figure(values, metric):
    return spread(values, 4 if metric == "test_accuracy" else 5)


def solved(of):
    """How many end solved, and how many were solved at some measured update but not at the end."""
    end = sum(final["solved"] for final in of)
    lost = sum(final["updates_to_solve"] is not None and not final["solved"] for final in of)
    return end, lost


def updates(of):
    """Updates to the first measured solution: the median over all seeds, unsolved ones counted as longer."""
    values = sorted(math.inf if final["updates_to_solve"] is None else final["updates_to_solve"] for final in of)
    words = ["never" if value == math.inf else f"{value:.0f}" for value in (
        values[(len(values) - 1) // 2], values[0], values[-1])]
    return "never" if values[0] == math.inf else f"{words[0]} [{words[1]}, {words[2]}]"


def headline(results):
    """Seed 0 as it falls, and the ten seeds."""
    rows = []
    for arm in studies.HEADLINE:
        of, task = finals(arm, results), rp.task_of(rp.Settings(**arm.settings))
        metric, (end, lost) = metric_of(of[0]), solved(of)
        values = [final[metric] for final in of]
        first = f"{values[0]:.3f}" if task.classes else f"{values[0]:.4f} (half: {values[0] / 2:.4f})"
        rows.append([
            arm.settings["task"], rp.Settings(**arm.settings).sequence_len, "accuracy" if task.classes else "MSE",
            f"{task.chance:.3f}", START[arm.settings["init"]], first, figure(values, metric), updates(of),
            count(end, len(of)), lost])
    return table(
        ["task", "T", "figure", "constant answer", "start", "seed 0", "ten seeds: median [range]",
         "updates to solve: median [range]", "solved at the end (95% interval)", "solved, then lost"], rows)


def paper_figures(results):
    """The seed document's figures beside ours for the same seed number."""
    theirs = {
        ("addition", "ortho"): "0.012", ("addition", "random"): "0.079", ("temporal_order", "ortho"): "1.000",
        ("temporal_order", "random"): "0.240", ("3bit_memorization", "ortho"): "1.000",
        ("3bit_memorization", "random"): "0.115"}
    rows = []
    for arm in studies.HEADLINE:
        task, init = arm.settings["task"], arm.settings["init"]
        of = finals(arm, results)
        addition = task == "addition"
        values = [final["test_mse"] / 2 if addition else final["test_accuracy"] for final in of]
        rows.append([
            task, START[init], "half the MSE" if addition else "accuracy", theirs[task, init], f"{values[0]:.3f}",
            spread(values, 3), spread([final["wrong_rate"] for final in of], 3)])
    return table(
        ["task", "start", "figure", "the earlier report, seed 0", "here, seed 0", "here, ten seeds",
         "wrong sequences, ten seeds"], rows)


def between(results):
    """What the small random start does during training: the best point of each curve, and the end."""
    rows = []
    for arm in studies.HEADLINE:
        if arm.settings["init"] == "random":
            records = arm.records(results)
            metric = metric_of(records[0]["final"])
            best = [record["best"][metric] for record in records]
            end = [record["final"][metric] for record in records]
            rows.append([arm.settings["task"], metric.replace("test_", ""), figure(best, metric), figure(end, metric)])
    return table(["task", "figure", "best point of a seed's curve", "end of training"], rows)


def arms(named_arms):
    """A generator of a table with a row for each arm."""
    def generate(results):
        rows = []
        for arm in named_arms:
            of = finals(arm, results)
            metric, (end, lost) = metric_of(of[0]), solved(of)
            seconds = [record["provenance"]["wall_seconds"] for record in arm.records(results)]
            rows.append([
                arm.label, figure([final[metric] for final in of], metric), spread([f["wrong_rate"] for f in of], 4),
                updates(of), spread([final["update"] for final in of], 0), f"{np.median(seconds):.0f}",
                f"{end} of {len(of)}", lost])
        return table(
            ["", "accuracy or MSE: median [range]", "wrong sequences", "updates to solve", "updates in all",
             "seconds, median", "solved at the end", "solved, then lost"], rows)

    return generate


def ends(arm, results, interval=True):
    """How many seeds of an arm end solved, with its interval, and how many had it and lost it."""
    of = finals(arm, results)
    end, lost = solved(of)
    return (count(end, len(of)) if interval else f"{end} of {len(of)}") + (f", {lost} lost" if lost else "")


def scale(results):
    """Start against spectral radius on the three tasks of the headline."""
    rows = []
    for label, init in studies.START_KINDS.items():
        for rho in studies.RADII:
            arms = [studies.SCALE[task, init, rho] for task in rp.HEADLINE_TASKS]
            of = [finals(arm, results) for arm in arms]
            found = [record["spectrum"]["start"]["singular_values"] for record in arms[-1].records(results)]
            low, high = np.median([values[-1] for values in found]), np.median([values[0] for values in found])
            rows.append([label, rho, f"{low:.2f} to {high:.2f}"] + [
                f"{ends(arm, results)}; {np.median([final[metric_of(final)] for final in some]):.3f}"
                for arm, some in zip(arms, of)])
    return table(
        ["start of W_hh", "spectral radius", "singular values, median smallest to largest",
         *(f"{task}, T = {T}: solved at the end; median {figure}" for task, T, figure in zip(
             rp.HEADLINE_TASKS, (30, 60, 60), ("MSE", "accuracy", "accuracy")))], rows)


def length(results):
    """Solved seeds of 3-bit memorization by start and length."""
    rows = [[label, *(ends(studies.LENGTH[init, T], results) for T in studies.LENGTHS)]
            for label, init in studies.LENGTH_STARTS.items()]
    return table(["start of W_hh", *(f"T = {T}" for T in studies.LENGTHS)], rows)


def order_updates(of):
    """Updates to solve of runs that end when they are solved: median over all seeds, unsolved ones counted as longer."""
    return updates([final | dict(updates_to_solve=final["update"] if final["solved"] else None) for final in of])


def explained(arm, results, when, which):
    """Median share of variance that the probe explains."""
    return np.median([record["probe"][when][which] for record in arm.records(results)])


def order(results):
    """From temporal order to addition and XOR, one change at a time."""
    name = {("both", "distinct", "regions"): " (temporal order)", ("sum", "marked", "halves"): " (addition)",
            ("parity", "marked", "halves"): " (XOR)"}
    rows = []
    for key, arm in studies.ORDER.items():
        of = finals(arm, results)
        answer, symbols, places = key
        rows.append([f"{answer}{name.get(key, '')}", symbols, places,
                     count(sum(final["solved"] for final in of), len(of)), order_updates(of),
                     *(f"{explained(arm, results, 'start', which):.2f}" for which in ("first", "second"))])
    return table(["answer", "symbols", "places", "solved (95% interval)", "updates to solve: median [range]",
                  "probe before training: first input", "second input"], rows)


def right_first(record, which, share=0.9):
    """The first point of the curve at which one symbol is right in this share of the sequences, or None."""
    history = record["history"]
    return next((u for u, right in zip(history["update"], history[f"{which}_right"]) if right >= share), None)


def order_lags(results):
    """The second symbol in the middle and early, T = 60."""
    rows = []
    for (init, places), arm in studies.ORDER_LAGS.items():
        of, records = finals(arm, results), arm.records(results)
        ahead = [right_first(record, "second") is not None and (
            right_first(record, "first") is None or right_first(record, "second") < right_first(record, "first"))
            for record in records]
        rows.append([
            START[init], "50-60%" if places == "regions" else "20-30%",
            count(sum(final["solved"] for final in of), len(of)), order_updates(of), f"{sum(ahead)} of {len(ahead)}",
            *(f"{np.median([final[f'{which}_right'] for final in of]):.3f}" for which in ("first", "second"))])
    return table(["start of W_hh", "second symbol at", "solved (95% interval)", "updates to solve: median [range]",
                  "second symbol 90% right at an earlier point of the curve than the first",
                  "first symbol right at the end, median", "second symbol right at the end, median"], rows)


def xor_grid(results):
    """Lengths, optimizer and input scale at T = 30."""
    rows = []
    for lengths in studies.XOR_LENGTHS:
        for optimizer in studies.XOR_OPTIMIZERS:
            arms = [studies.XOR_GRID[lengths, optimizer, scale] for scale in studies.XOR_SCALES]
            rows.append([lengths, optimizer, *(
                f"{ends(arm, results)}; {updates(finals(arm, results))}" for arm in arms)])
    return table(["training lengths", "optimizer, rate", *(f"input scale {scale:g}" for scale in studies.XOR_SCALES)],
                 rows)


METHOD = {"NAG": "Nesterov", "CM": "heavy ball"}


def table5_rates(results):
    """Training loss of the trials for the learning rate, and that the rates used are what the rule gives."""
    rows = []
    for kind, used in studies.TABLE5_RATES.items():
        losses = {
            lr: np.mean([record["history"]["train_loss"][-1] for record in studies.TABLE5_TRIALS[kind, lr].records(
                results)]) for lr in (1e-3, 1e-4, 1e-5)}
        chosen = max(lr for lr, loss in losses.items() if loss <= 1.01 * min(losses.values()))
        claim(chosen == used, f"the rule gives {chosen} for {kind}")
        rows.append([f"{kind[0]}, {METHOD[kind[1]]} {kind[2]}", *(f"{loss:.5f}" for loss in losses.values()),
                     f"{chosen:g}"])
    return table(["", "rate 0.001", "rate 0.0001", "rate 0.00001", "used below"], rows)


def table5(results):
    """Addition and multiplication beside the paper's Table 5: the seeds that have been run, each by itself."""
    rows = []
    for kind, arm in studies.TABLE5.items():
        records = arm.records(results)
        wrong = [record["final"]["wrong_rate"] for record in records]
        status = [record["final"]["status"] for record in records]
        rows.append([
            f"{kind[0]}, {METHOD[kind[1]]} {kind[2]}", f"{studies.TABLE5_RATES[kind]:g}", f"{studies.PAPER_TABLE5[kind[:2]]:g}",
            f"{len(records)} of {len(arm.seeds)}", ", ".join(f"{value:.4f}" for value in wrong),
            f"{np.median(wrong):.4f}", status.count("diverged"),
            figure([record["final"]["test_mse"] for record in records], "test_mse"),
            f"{np.median([record['provenance']['wall_seconds'] for record in records]) / 60:.0f}"])
    return table(["", "rate", "wrong, paper", "seeds run", "wrong, each seed here", "median", "diverged",
                  "MSE: median [range]", "minutes a run, median"], rows)


def claim(holds, sentence):
    """The sentence, which is written only while the numbers bear it out. Raises ValueError."""
    if not holds:
        raise ValueError(f"results.json no longer bears out: {sentence}")
    return sentence


def commands(named_arms):
    """A generator of the list of commands of some arms."""
    def generate(results):
        return "\n".join(["```", *(arm.command() for arm in named_arms), "```"])

    return generate


def speed(results):
    """The side-by-side benchmark, from its own file."""
    record = json.loads((ROOT / "benchmarks/rnn_pathological.json").read_text(encoding="utf-8"))
    times = record["us_per_iteration"]
    base = times["numpy, this project, float64"]
    rows = [[*name.rsplit(", ", 1), f"{value:.0f}", f"{value / base:.2f}"] for name, value in times.items()]
    return table(["", "precision", "µs per training iteration", "relative to numpy float64"], rows)


TABLES = {
    "rnn_pathological:headline": headline,
    "rnn_pathological:paper_figures": paper_figures,
    "rnn_pathological:between": between,
    "rnn_pathological:scale": scale,
    "rnn_pathological:length": length,
    "rnn_pathological:order": order,
    "rnn_pathological:order_lags": order_lags,
    "rnn_pathological:xor_grid": xor_grid,
    "rnn_pathological:xor_long": arms(studies.XOR_LONG.values()),
    "rnn_pathological:table5_rates": table5_rates,
    "rnn_pathological:table5": table5,
    "rnn_pathological:xor": arms(studies.XOR),
    "rnn_pathological:xor_commands": commands(studies.XOR),
    "rnn_pathological:xor_fixed": arms(studies.XOR_WITHOUT + studies.XOR_MORE),
    "rnn_pathological:tasks": arms(studies.TASKS),
    "rnn_pathological:task_commands": commands(studies.TASKS),
    "rnn_pathological:reach": arms(studies.REACH_SCALE + studies.TASKS[-1:]),
    "rnn_pathological:beyond": arms(studies.BEYOND),
    "rnn_pathological:speed": speed,
}

