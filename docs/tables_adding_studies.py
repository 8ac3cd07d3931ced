"""Tables and sentences of the adding problem's studies, from results.json."""

import math

import numpy as np
from tables_adding_problem import column, spread

import studies_adding_problem as studies


def arms(results, name):
    """The records of a study by label. KeyError if one is missing."""
    _, settings, seeds, _, _ = studies.GROUPS[name]
    found = {label: studies.records(results, arm, seeds) for label, arm in settings.items()}
    for label, records in found.items():
        if len(records) < len(seeds):
            raise KeyError(f"results.json lacks runs of {name}, '{label}'")
    return found


def wilson(k, n, z=1.959964):
    """95% Wilson interval of k successes in n."""
    middle, half = k / n + z * z / (2 * n), z * math.sqrt(k * (n - k) / n**3 + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def count(hits):
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits)} of {len(hits)} ({low:.2f} to {high:.2f})"


def table(name):
    """A generator of the table of a study: a row per arm."""
    def generate(results):
        rows = ["|  | test MSE, median [range] | solve rate, median [range] | solve rate of 0.85 or more (95% interval) | "
                "training sequences | seconds, median |", "|---|---|---|---|---|---|"]
        for label, records in arms(results, name).items():
            rate = column(records, "solve_rate")
            seconds = np.median([record["provenance"]["wall_seconds"] for record in records])
            rows.append(f"| {label} | {spread(column(records, 'test_mse'), 5)} | {spread(rate, 3)} | "
                        f"{count(rate >= 0.85)} | {records[0]['final']['train_sequences']:,} | {seconds:.0f} |")
        return "\n".join(rows)

    return generate


def spread_e(values):
    return f"{np.median(values):.1e} [{values.min():.1e}, {values.max():.1e}]"


def search(results):
    rows = ["| tried | validation MSE, median [range], seeds 100-101 | validation solve rate | seconds, median |",
            "|---|---|---|---|"]
    found = arms(results, "adding-search")
    for label in sorted(found, key=lambda label: np.median(column(found[label], "validation_mse"))):
        seconds = np.median([record["provenance"]["wall_seconds"] for record in found[label]])
        rows.append(f"| {label} | {spread_e(column(found[label], 'validation_mse'))} | "
                    f"{spread(column(found[label], 'validation_solve_rate'), 4)} | {seconds:.0f} |")
    return "\n".join(rows)


def best(results):
    rows = ["| --best, fresh seed | test MSE | solve rate, \\|error\\| < 0.04 | MSE of 1e-5 or less |", "|---|---|---|---|"]
    records = arms(results, "adding-best")["--best"]
    for record in records:
        final = record["final"]
        rows.append(f"| {record['settings']['seed']} | {final['test_mse']:.1e} | {final['solve_rate']:.4f} | "
                    f"{'yes' if final['test_mse'] <= 1e-5 else 'no'} |")
    mse, rate = column(records, "test_mse"), column(records, "solve_rate")
    rows.append(f"| median [range] | {spread_e(mse)} | {spread(rate, 4)} | {count(mse <= 1e-5)} |")
    return "\n".join(rows)


def two_way(rates):
    """Two-way analysis of variance without replicates. rates: (first weights, data).

    Returns the shares of the variance that go with the first weights, the data and neither, and the F of the first two.
    """
    rows, columns = rates.shape
    by_row = columns * ((rates.mean(1) - rates.mean()) ** 2).sum()
    by_column = rows * ((rates.mean(0) - rates.mean()) ** 2).sum()
    rest = ((rates - rates.mean()) ** 2).sum() - by_row - by_column
    mean_square = rest / ((rows - 1) * (columns - 1))
    total = by_row + by_column + rest
    return by_row / total, by_column / total, rest / total, by_row / (rows - 1) / mean_square, (
        by_column / (columns - 1) / mean_square)


def crossed(results):
    """Solve rates on validation sequences by schedule: (first weights, data)."""
    found = arms(results, "adding-crossing")
    return {schedule: np.array([column(found[schedule, init], "validation_solve_rate") for init in studies.STARTS])
            for schedule in ("halving", "cosine")}


def weak_seeds(results):
    rows = ["| schedule | solve rate, mean | median [range] | below 0.85 | variance with the first weights | with the data "
            "| with neither | F of the first weights | F of the data |", "|---|---|---|---|---|---|---|---|---|"]
    for schedule, rates in crossed(results).items():
        weights, data, rest, f_weights, f_data = two_way(rates)
        rows.append(f"| {schedule} | {rates.mean():.3f} | {spread(rates.ravel(), 3)} | "
                    f"{(rates < 0.85).sum()} of {rates.size} | {weights:.0%} | {data:.0%} | {rest:.0%} | "
                    f"{f_weights:.1f} | {f_data:.1f} |")
    return "\n".join(rows)


def starts(results):
    rows = ["| first weights of seed | halving: mean over six data streams [range] | cosine: mean [range] |", "|---|---|---|"]
    rates = crossed(results)
    for k, init in enumerate(studies.STARTS):
        cells = (f"{values[k].mean():.3f} [{values[k].min():.3f}, {values[k].max():.3f}]" for values in rates.values())
        rows.append(f"| {init} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


TABLES = {
    "adding:lags": table("adding-lags"),
    "adding:hidden": table("adding-hidden"),
    "adding:search": search,
    "adding:best": best,
    "adding:weak_seeds": weak_seeds,
    "adding:starts": starts,
}
