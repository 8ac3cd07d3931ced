"""Tables and sentences of the adding problem's studies, from results.json."""

import numpy as np
from tables_adding_problem import column, spread
from tables_rnn_pathological import count

import studies_adding_problem as studies
from studies_adding_problem import arms

HEADLINE = "the headline's recipe"


def table(name):
    """A generator of the table of a study: a row per arm."""
    def generate(results):
        rows = ["|  | test MSE, median [range] | solve rate, median [range] | solve rate of 0.85 or more (95% interval) | "
                "\\|error\\| < 0.16, median [range] | training sequences | seconds, median |", "|---|---|---|---|---|---|---|"]
        for label, records in arms(results, name).items():
            rate = column(records, "solve_rate")
            seconds = np.median([record["provenance"]["wall_seconds"] for record in records])
            rows.append(f"| {label} | {spread(column(records, 'test_mse'), 5)} | {spread(rate, 3)} | "
                        f"{count(sum(rate >= 0.85), len(rate))} | {spread(column(records, 'solve_rate_1997'), 3)} | {records[0]['final']['train_sequences']:,} | {seconds:.0f} |")
        return "\n".join(rows)

    return generate


def spread_e(values):
    return f"{np.median(values):.2g} [{values.min():.2g}, {values.max():.3g}]"


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
        rows.append(f"| {record['settings']['seed']} | {final['test_mse']:.2e} | {final['solve_rate']:.4f} | "
                    f"{'yes' if final['test_mse'] <= 1e-5 else 'no'} |")
    mse, rate = column(records, "test_mse"), column(records, "solve_rate")
    rows.append(f"| median [range] | {spread_e(mse)} | {spread(rate, 4)} | {count(sum(mse <= 1e-5), len(mse))} |")
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
    rows = ["| first weights of seed | halving: mean over four data streams [range] | cosine: mean [range] |", "|---|---|---|"]
    rates = crossed(results)
    for k, init in enumerate(studies.STARTS):
        cells = (f"{values[k].mean():.3f} [{values[k].min():.3f}, {values[k].max():.3f}]" for values in rates.values())
        rows.append(f"| {init} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def solved(records):
    return int((column(records, "solve_rate") >= 0.85).sum())


def cells_answer(results):
    found = list(arms(results, "adding-cells").values())
    lstm, old, plain, ortho, irnn = found
    rates, mse = [column(records, "solve_rate") for records in found], column(irnn, "test_mse")
    learn, stay = mse[mse < 0.1], mse[mse >= 0.1]
    assert solved(plain) == solved(ortho) == 0 < solved(irnn) < solved(old) < solved(lstm), "the words no longer hold"
    assert abs(np.median(rates[0]) - np.median(rates[1])) < 0.02 and stay.min() > 100 * learn.max()
    return (
        f"With this recipe the LSTM with forget gate solves {solved(lstm)} of ten seeds, the cell of 1997 without it "
        f"{solved(old)}, the IRNN {solved(irnn)}, and neither of the tanh RNNs any. The forget gate is not what makes "
        f"the difference at T = 100: the two LSTMs' median solve rates are {np.median(rates[0]):.3f} and "
        f"{np.median(rates[1]):.3f}, though the worst seed without it ends at {rates[1].min():.3f} against "
        f"{rates[0].min():.3f}. The IRNN has two outcomes and nothing between: {len(learn)} seeds end at an MSE of "
        f"{learn.min():.0e} to {learn.max():.0e}, the others at {stay.min():.2f} to {stay.max():.2f}.")


def lags_answer(results):
    found = arms(results, "adding-lags")
    lstm = {T: found[f"LSTM, T = {T}"] for T in (100, 500, 1000)}
    mse = {T: column(records, "test_mse") for T, records in lstm.items()}
    rnn = {T: column(found[f"tanh RNN, T = {T}"], "test_mse") for T in (500, 1000)}
    return (
        f"The recipe of T = 100 does not carry over: the LSTM solves {solved(lstm[100])} of three seeds at T = 100, "
        f"{solved(lstm[500])} at T = 500 and {solved(lstm[1000])} at T = 1000. At T = 500 its MSE ends between "
        f"{mse[500].min():.3f} and {mse[500].max():.3f}, below 1/3 (the second value alone) in {sum(mse[500] < 1 / 3)} of "
        f"three seeds; at T = 1000 between {mse[1000].min():.3f} and {mse[1000].max():.3f}, below 1/3 in "
        f"{sum(mse[1000] < 1 / 3)}. The tanh RNN's lowest MSE at these lengths is {rnn[500].min():.3f} and "
        f"{rnn[1000].min():.3f}, the constant predictor's 0.667.")


def hidden_answer(results):
    found = arms(results, "adding-hidden")
    sizes = {int(label.split()[0]): records for label, records in found.items()}
    first = min(H for H, records in sizes.items() if solved(records))
    most = min(H for H, records in sizes.items() if solved(records) >= 8)
    rates = {H: np.median(column(records, "solve_rate")) for H, records in sizes.items()}
    paper = np.median(column(sizes[2], "solve_rate_1997"))
    counts = ", ".join(f"{solved(records)} with {H}" for H, records in sizes.items())
    return (
        f"Of ten seeds {counts} units end with a solve rate of 0.85 or more. So {first} units is the smallest of these "
        f"sizes that solves T = 100 in any seed, and {most} the smallest that does in at least eight of ten. The median "
        f"solve rate goes from {rates[2]:.3f} with 2 units to {rates[32]:.3f} with 32; by the paper's wider bar, 0.16 on the "
        f"sum, it is {paper:.3f} with 2 units already.")


def weak_seeds_answer(results):
    rates = crossed(results)
    halving, cosine = rates["halving"], rates["cosine"]
    (_, _, rest, f_w, f_d), (weights, _, _, f_w2, f_d2) = two_way(halving), two_way(cosine)
    widest = int((halving.max(1) - halving.min(1)).argmax())
    lowest = {name: studies.STARTS[int(values.mean(1).argmin())] for name, values in rates.items()}
    better = int((cosine > halving).sum())
    assert f_w < 2.9 < f_w2 and max(f_d, f_d2) < 3.3 and better > 0.9 * halving.size, "the words no longer hold"
    assert lowest["halving"] == lowest["cosine"] == 8
    return (
        f"Under the headline's halvings neither the first weights nor the data tell which run is weak (F = {f_w:.1f} and "
        f"{f_d:.1f}, {rest:.0%} of the variance goes with neither): the first weights of seed {studies.STARTS[widest]} end "
        f"at {halving[widest].min():.2f} on one stream of data and at {halving[widest].max():.2f} on another. The schedule "
        f"does: with half a cosine from the same rate over the same sequences the solve rate is higher in {better} of "
        f"{halving.size} pairs, its mean goes from {halving.mean():.3f} to {cosine.mean():.3f}, and the runs below 0.85 from "
        f"{(halving < 0.85).sum()} to {(cosine < 0.85).sum()}. What remains then goes with the first weights ({weights:.0%} "
        f"of the variance, F = {f_w2:.1f}; the data F = {f_d2:.1f}), and those of seed 8 are the lowest under both "
        f"schedules: so there are better and worse starts, but the halvings make most of the weak seeds.")


def best_answer(results):
    records, tried = arms(results, "adding-best")["--best"], arms(results, "adding-search")
    mse, rate = column(records, "test_mse"), column(records, "solve_rate")
    median = {label: np.median(column(found, "validation_mse")) for label, found in tried.items()}
    plain = column(studies.records(results, {}, studies.TEN), "test_mse")
    small, both = median["batch 8, halved every 6000"], median["batch 8, cosine, rate 0.02"]
    chosen = median["--best: the same, 16 units, clip 0.05, forget bias 3"]
    alone = [median[f"the same, {part}"] for part in ("16 units", "clip 0.05", "forget bias 3")]
    unhelpful = median["the same, averaged weights"], median["the same, batch 4 growing to 32"]
    assert chosen < 0.5 * min(alone) and min(unhelpful) > 0.95 * both and both < 0.2 * small < 0.1 * median[HEADLINE]
    return (
        f"On ten fresh seeds `--best` ends at an MSE of {spread_e(mse)}, 1e-5 or less in {sum(mse <= 1e-5)} of ten, with "
        f"all of the 512 held-out sequences inside 0.04 in {sum(rate == 1)} of ten; the headline's recipe has a median of "
        f"{np.median(plain):.1e}. Most of it is four times as many updates on batches a quarter as large (validation MSE "
        f"{median[HEADLINE]:.1e} to {small:.1e}) and a rate that falls smoothly from a higher start (to {both:.1e}). A "
        f"tighter clip, 16 units and a forget bias of 3 together bring the rest ({chosen:.1e}), though alone none "
        f"changes much ({min(alone):.1e} to {max(alone):.1e}); averaging the weights and growing the batch do not help.")


TABLES = {
    "adding:lags": table("adding-lags"),
    "adding:hidden": table("adding-hidden"),
    "adding:cells": table("adding-cells"),
    "adding:lags_answer": lags_answer,
    "adding:cells_answer": cells_answer,
    "adding:hidden_answer": hidden_answer,
    "adding:weak_seeds_answer": weak_seeds_answer,
    "adding:best_answer": best_answer,
    "adding:search": search,
    "adding:best": best,
    "adding:weak_seeds": weak_seeds,
    "adding:starts": starts,
}
