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


def starts(results):
    """Scale against structure: how many of five seeds end solved, by start and task."""
    rows = []
    for k, (label, _) in enumerate(studies.START_KINDS):
        cells = []
        for task in rp.HEADLINE_TASKS:
            arm = studies.STARTS[task][k]
            of = finals(arm, results)
            metric, (end, lost) = metric_of(of[0]), solved(of)
            cells.append(
                f"{end} of {len(of)}{f' (+{lost} lost)' if lost else ''}; {np.median([f[metric] for f in of]):.3f}")
        records = studies.STARTS["3bit_memorization"][k].records(results)
        found = [record["spectrum"]["start"] for record in records]
        rows.append([
            label, spread([s["spectral_radius"] for s in found], 2),
            f"{np.median([s['singular_values'][-1] for s in found]):.3f} to "
            f"{np.median([s['singular_values'][0] for s in found]):.2f}", *cells])
    return table(
        ["start of W_hh", "spectral radius", "singular values, median of smallest to largest",
         *(f"{task}: solved at the end; median figure" for task in rp.HEADLINE_TASKS)], rows)


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
    "rnn_pathological:starts": starts,
    "rnn_pathological:xor": arms(studies.XOR),
    "rnn_pathological:xor_commands": commands(studies.XOR),
    "rnn_pathological:xor_fixed": arms(studies.XOR_WITHOUT + studies.XOR_MORE),
    "rnn_pathological:tasks": arms(studies.TASKS),
    "rnn_pathological:task_commands": commands(studies.TASKS),
    "rnn_pathological:reach": arms(studies.REACH + studies.REACH_RANDOM + studies.REACH_SCALE + studies.TASKS[-1:]),
    "rnn_pathological:beyond": arms(studies.BEYOND),
    "rnn_pathological:speed": speed,
}

