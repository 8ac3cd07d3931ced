"""What the runs of the setting of Sutskever et al. (2013) reach, in the paper's own measure."""

import numpy as np

import rnn_pathological as rp
import studies
import studies.rnn_pathological as grids

STUDENT_T = 3.182  # 97.5% quantile of Student's t with three degrees of freedom: four seeds
BLOWN = 3  # a radius of W_hh beyond which a net has blown up: those that learn end below 2
SEARCHED = {  # studies, without their first word, by task: the search for the rates, and the seeds reported
    "addition": "2013-rates-addition", "multiplication": "2013-rates-multiplication",
    "ten symbols": "2013-rates-symbols"}
REPORTED = {
    "addition": "2013-addition", "multiplication": "2013-multiplication", "ten symbols": "2013-symbols",
    "five bits": "2013-bits"}


def columns(results, name):
    """The columns of a task in which every seed has been run, {column: records}."""
    study = studies.load()[f"pathological-{REPORTED[name]}"]
    found = {column: [studies.find(results, study.experiment, settings) for settings in study.row(column)]
             for column in study.grid}
    return {column: records for column, records in found.items() if all(records)}


def changed(results):
    """The columns that take the third pace, on the same seeds, {(task, column): (records with the better of the first
    two paces, records with the third)}."""
    before = studies.arms(results, "pathological-2013-two-settings")
    return {(name, column): (records, columns(results, name)[column]) for (name, column), records in before.items()}


def reported(results):
    """The tasks of which a column has been run, {task: {column: records}}."""
    return {name: found for name in REPORTED if (found := columns(results, name))}


def column_words(column):
    """A column of their Table 5, (NAG or CM, mu), in words."""
    kind = {"NAG": "Nesterov", "CM": "heavy ball"}[column[0]]
    return "mu = 0" if column[1] == 0 else f"{kind} {column[1]}"


def pace_words(pace):
    """A pace as cells of a table: rate, clip, and the updates at a momentum of 0.9 that come first."""
    return [f"{pace.lr:g}", clip_words(pace), f"{pace.momentum_warmup:,}"]


def clip_words(pace):
    """The limit of the gradient's norm of a pace."""
    return "none" if pace.clip == grids.NO_CLIP else f"{pace.clip:g}"


def pace_of(record):
    """The pace of a run."""
    return grids.Pace(*(record["settings"][name] for name in grids.Pace._fields))


def measure_of(name):
    """What is counted as wrong in a task, in words."""
    return "share of wrong sequences" if name in ("addition", "multiplication") else "wrong symbols a sequence"


def most_wrong(record):
    """The highest that their measure of a run can be: 1, or the symbols of a sequence."""
    task = rp.task_of(rp.Settings(**record["settings"]))
    return task.scored if task.classes else 1


def paper_figure(name, column):
    """Their figure for a task in a column."""
    return grids.FIGURES_2013[name][grids.COLUMNS_2013.index(column)]


def wrong(record):
    """Their measure of a run: the share of sequences with |error| > 0.04, or wrong symbols a
    sequence."""
    final, task = record["final"], rp.task_of(rp.Settings(**record["settings"]))
    return (1 - final["test_accuracy"]) * task.scored if task.classes else final["wrong_rate"]


def mean_wrong(records):
    """The mean over the seeds of what is wrong."""
    return np.mean([wrong(record) for record in records])


def blown(record):
    """Whether W_hh has left every scale at which something is learned, or is not finite any more."""
    end = record["spectrum"]["end"]
    return record["final"]["status"] == "diverged" or end is None or end["spectral_radius"] > BLOWN


def learned(record):
    """Whether the held-out loss ends below nine tenths of the constant answer's."""
    final, task = record["final"], rp.task_of(rp.Settings(**record["settings"]))
    return final["test_loss"] is not None and final["test_loss"] < 0.9 * task.constant_loss


def mean_interval(values, most):
    """The mean of four seeds and its 95% interval by Student's t, which takes the seeds for normally
    distributed; cut off at 0 and at the most that a seed can have. values: (4,). Returns (mean, low, high)."""
    if len(values) != 4:
        raise ValueError(f"the interval is that of four seeds, not of {len(values)}")
    mean, half = np.mean(values), STUDENT_T * np.std(values, ddof=1) / 2
    return mean, max(mean - half, 0.0), min(mean + half, most)


def means(results):
    """The mean over the seeds of what is wrong, {task: {column: mean}}, in the columns that have been run."""
    return {name: {column: mean_wrong(records) for column, records in found.items()}
            for name, found in reported(results).items()}


def met(means):
    """In how many columns a mean of means() is as low as the paper's figure, and of how many."""
    of = [mean <= paper_figure(name, column) for name, found in means.items() for column, mean in found.items()]
    return sum(of), len(of)
