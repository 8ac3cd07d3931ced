"""The captions of the front page: each states a finding, and is written only while the records bear
it out. The front page's other lines (front:...) stand with their experiments."""

import numpy as np

import studies
from analysis import claim, readings
from tables import adding_problem, data_movement, information_latching
from tables.writing import column


def adding(results):
    lstm, rnn = adding_problem.ten_seeds(results)
    return claim(
        column(lstm, "test_mse").max() < 0.1 * column(rnn, "test_mse").min(),
        "The worst LSTM's error ends far below the best tanh RNN's.")


def sample(results):
    _, rnn = adding_problem.ten_seeds(results)
    error = column(rnn, "test_mse")
    return claim(np.sum(error < error[0]) > 5, "Answers of seed 0's nets; most other RNNs do better.")


def verdicts(results):
    found = readings.runs(results)
    literal, common = (
        [run for run in found if chosen(run) and run.row.experiment == "2c"] for chosen in (
            readings.literal, readings.common))
    trials, stopped = sum(run.row.trials for run in common), sum(run.within for run in common)
    claim(stopped > 0.9 * trials, "with cells that see the inputs only, and the error t - y, nearly all stop")
    return claim(
        not any(run.within for run in literal),
        f"Experiment 2c: word for word none stop in time; with inputs-only cells, error t - y: {stopped} of {trials}.")


def rivals(results):
    def stopped(*names):
        return [record["final"]["trials_stopped"] for name in names
                for records in studies.arms(results, name).values() for record in records]

    claim(max(stopped("rivals-lag-4")) == 18, "some rivals bridge four steps")
    own = [run for run in readings.runs(results) if run.row.experiment == "2a"]
    literal, changed = ([len(run.reached) for run in own if run.literal == which] for which in (True, False))
    claim(not any(literal) and max(changed) == own[0].row.trials, "the LSTM with changes")
    tuned = [record["final"]["trials_stopped"]
             for (_, _, p, _), record in studies.by_label(results, "rivals-tuned").items() if p == 100]
    return claim(
        not any([*tuned, *stopped("rivals-lag-100", "rivals-lag-100-bptt", "rivals-chunker")]),
        "Task 2a, unequal caps: some rivals here bridge four steps, only the changed LSTM a hundred.")


def pathological(results):
    shares = {}
    for (_, init, radius), records in studies.arms(results, "pathological-scale").items():
        solved = [record["final"]["solved"] for record in records]
        shares.setdefault((radius, init), []).append(np.mean(solved))
    shares = {start: np.mean(tasks) for start, tasks in shares.items()}
    small = [share for (radius, _), share in shares.items() if radius < 1]
    apart = [shares[radius, "ortho"] - shares[radius, "identity"] for radius in (1.0, 1.1)]
    return claim(
        max(small) < 0.2 and min(apart) > 0.8,
        "Radius 0.8 mostly fails; from 1 on, structure decides.")


def latching(results):
    def repeats(name):
        return information_latching.successes(information_latching.cell(results, name, 50))

    srnn, weak, lstm, strong = map(repeats, (
        "SRNN, U = ±1 (Keras)", "SRNN, U = ±0.73", "LSTM, forget bias 1 (Keras)",
        "LSTM, forget bias 5"))
    return claim(
        lstm < srnn and weak < strong, "At 50 steps, other starts reverse the ranking.")


def movement(results):
    for changes in ({"model": "lstm"}, {"model": "rnn"}):
        cost = [data_movement.final(results, T=T, **changes)["cost"]["8"]
                for T in data_movement.LENGTHS]
        power = data_movement.exponent(data_movement.LENGTHS, cost)
        claim(abs(power - 1) < 0.05, "the cost is proportional to T")
        wide = data_movement.pathological(results, **changes)
        parts = [data_movement.share(wide, f"recurrent {part}") for part in ("matrix", "gradient")]
        claim(sum(parts) > 0.7, "in wide nets the recurrent matrix and its gradient take most")
    return "Summed every step, cost grows in proportion to T; in wide nets W_hh and its gradient take most."


TABLES = {f"front:{make.__name__}_caption": make for make in (
    adding, sample, verdicts, rivals, pathological, latching, movement)}
