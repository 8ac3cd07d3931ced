"""Equal budgets, equal search: what is chosen is what the search says; sentences stand only while
their runs bear them out, and what is costly is told and drawn once it was run."""

import numpy as np
import pytest
from conftest import copy_of, others

import pictures
import studies
import visualize_adding_studies
import visualize_rnn_pathological
from analysis import momentum_2013
from studies import adding_problem as adding_grids
from studies import rnn_pathological as pathological_grids
from tables import adding_problem as adding
from tables import rnn_pathological as pathological

HISTORIES = {
    "adding_problem": dict(
        iteration=[0, 100, 200], train_sequences=[0, 800, 1600], train_mse=[None, 0.5, 0.1],
        test_mse=[0.7, 0.5, 0.1], solve_rate=[0.04, 0.5, 0.9], solve_rate_1997=[0.1, 0.9, 1.0]),
    "rnn_pathological": dict(
        update=[0, 300, 600], train_loss=[None, 0.5, 0.1], test_loss=[0.7, 0.5, 0.1],
        test_accuracy=[0.5, 0.5, 1.0], wrong_rate=[0.5, 0.5, 0.0], test_mse=[0.2, 0.1, 0.01])}
ADDING = dict(
    status="done", iteration=8000, train_sequences=256_000, test_mse=0.2, solve_rate=0.1, solve_rate_1997=0.3,
    validation_mse=0.2, validation_solve_rate=0.1)
TASK = dict(
    status="done", update=3000, train_sequences=150_000, test_loss=0.7, test_accuracy=0.5, wrong_rate=0.5,
    test_mse=0.1, solved=False, updates_to_solve=None)
WON = dict(test_mse=1e-4, solve_rate=0.99, solve_rate_1997=1.0, validation_mse=1e-4, validation_solve_rate=0.99)
SOLVED = dict(test_accuracy=1.0, wrong_rate=0.0, solved=True, updates_to_solve=600)


def with_runs(results, name, final_of):
    """The results with made-up runs of a study in the place of its own: final_of(label, k) gives
    what the k-th seed's figures have that a run without success has not."""
    study = studies.load()[name]
    plain = ADDING if study.experiment == "adding_problem" else TASK
    own = {settings: plain | final_of(label, k) for label in study.grid
           for k, settings in enumerate(study.row(label))}
    made = [dict(
        settings=studies.as_recorded(settings), history=HISTORIES[study.experiment], final=final,
        spectrum=dict(start=dict(spectral_radius=1.1), end=dict(spectral_radius=1.2)),
        provenance=dict(wall_seconds=60.0)) for settings, final in own.items()]
    return results | {study.experiment: others(results, study) + made}


LONG_SETTINGS = tuple(adding_grids.LONG_CHOSEN.values())


def adding_results(results, cells=("LSTM", "IRNN"), lengths=("T = 100", "T = 500", "T = 1000"),
                   tried=LONG_SETTINGS, far=tuple(adding_grids.LONG_CHOSEN)):
    """Runs of the adding problem's studies in which these cells, lengths and settings succeed."""
    chosen = adding_grids.FAIR_CHOSEN

    def search(label, k):
        cell, *setting = label
        won = chosen[cell] == tuple(setting) and (k == 0 or cell == "IRNN, 17 units")
        return dict(validation_solve_rate=0.9 if won else 0.1)

    for name, final_of in {
            "adding-fair-search": search,
            "adding-fair": lambda cell, k: (
                WON if cell in cells and not (k and cell.startswith("IRNN")) else
                WON if cell == "IRNN, 17 units" and k < 3 else dict(test_mse=0.05)),
            "adding-long-search": lambda label, k: WON if label in tried else dict(validation_solve_rate=0.05),
            "adding-long": lambda label, k: WON if label in lengths else {},
            "adding-long-fair": lambda label, k: WON if label in far else {}}.items():
        results = with_runs(results, name, final_of)
    return results


def pathological_results(results, reach=("tanh RNN, 64 units", 200, 800), xor=False):
    """Runs in which the first net solves up to one length, the other up to a longer one."""
    chosen, (first, near, far) = pathological_grids.FAIR_CHOSEN, reach

    def search(label, k):
        net, *setting = label
        return SOLVED if chosen[net] == tuple(setting) else {}

    for name, final_of in {
            "pathological-beyond-fair-search": search,
            "pathological-beyond-fair": lambda label, k: (
                SOLVED if label[1] <= (near if label[0] == first else far) else dict(test_accuracy=0.1)),
            "pathological-xor-whole-budget": lambda label, k: dict(update=24_000) | (SOLVED if xor else {})}.items():
        results = with_runs(results, name, final_of)
    return results


def without(results, *names):
    """The results without the runs of some studies."""
    for study in map(studies.load().get, names):
        results = results | {study.experiment: others(results, study)}
    return results


# --------------------------------------------------------------------------------------------------
# The choice
# --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("grids", [adding_grids, pathological_grids])
def test_every_arm_has_as_many_settings_and_one_of_them_is_chosen(grids):
    arms = {label[0] for label in grids.FAIR_SEARCH}
    assert arms == set(grids.FAIR_CHOSEN)
    for arm, chosen in grids.FAIR_CHOSEN.items():
        settings = [label[1:] for label in grids.FAIR_SEARCH if label[0] == arm]
        assert len(settings) == len(set(settings)) == 12 and chosen in settings


def test_the_seeds_of_the_search_are_not_those_that_are_reported():
    every = studies.load()
    for searched, reported in (("adding-fair-search", "adding-fair"), ("adding-long-search", "adding-long"),
                               ("pathological-beyond-fair-search", "pathological-beyond-fair")):
        assert not set(every[searched].seeds) & set(every[reported].seeds)


def test_what_was_run_is_what_the_search_says(results):
    assert {cell: adding.fair_choice(results, cell) for cell in adding_grids.FAIR_CELLS} == adding_grids.FAIR_CHOSEN
    found = {net: pathological.fair_choice(results, net) for net in pathological_grids.FAIR_NETS}
    assert found == pathological_grids.FAIR_CHOSEN


def test_another_choice_of_the_search_is_noticed(results):
    """Solved seeds decide, and then the error; a run without figures is not chosen."""
    made = adding_results(results)
    assert adding.fair_choice(made, "IRNN") == adding_grids.FAIR_CHOSEN["IRNN"]
    other = next(label for label in adding_grids.FAIR_SEARCH if label[0] == "IRNN" and
                 label[1:] != adding_grids.FAIR_CHOSEN["IRNN"])

    def better(rates, errors=(0.2, 0.2)):
        study = studies.load()["adding-fair-search"]
        changed = copy_of(made)
        for settings, rate, error in zip(study.row(other), rates, errors):
            final = studies.find(changed, study.experiment, settings)["final"]
            final |= dict(validation_solve_rate=rate, validation_mse=error)
        return changed

    assert adding.fair_choice(better([0.84, 0.84], [0.01] * 2), "IRNN") == adding_grids.FAIR_CHOSEN["IRNN"]
    assert adding.fair_choice(better([0.9, 0.9]), "IRNN") == other[1:]
    assert adding.fair_choice(better([0.9, 0.1], [0.2, 0.1]), "IRNN") == other[1:]
    assert adding.fair_choice(better([1.0, 1.0], [0.1, None]), "IRNN") == adding_grids.FAIR_CHOSEN["IRNN"]
    with pytest.raises(ValueError, match="the search chooses"):
        adding.fair_search(better([1.0, 0.9]))


def test_another_choice_between_the_settings_of_a_net_is_noticed(results):
    made, study = pathological_results(results), studies.load()["pathological-beyond-fair-search"]
    for net, chosen in pathological_grids.FAIR_CHOSEN.items():
        assert pathological.fair_choice(made, net) == chosen
        other = next(label for label in study.grid if label[0] == net and label[1:] != chosen)
        for settings in study.row(other):
            studies.find(made, study.experiment, settings)["final"] |= SOLVED | dict(updates_to_solve=300)
        assert pathological.fair_choice(made, net) == other[1:]
        with pytest.raises(ValueError, match="the search chooses"):
            pathological.beyond_fair_search(made)


# --------------------------------------------------------------------------------------------------
# Blocks and sentences
# --------------------------------------------------------------------------------------------------

def test_the_findings_speak_of_the_equal_search(results):
    made = pathological_results(adding_results(results))
    assert "at its best of twelve settings" in adding.findings(made) and "--long" in adding.findings(made)
    assert "same search" in pathological.findings(made) and "24,000 updates" in pathological.findings(made)
    for words in (adding.findings(made), pathological.findings(made)):
        assert len(words.splitlines()) == 5 and max(map(len, words.splitlines())) <= 300
    assert "117 runs" in pathological.xor_budget(made) and "to 24,000 updates" in pathological.xor_budget(made)


def test_the_sentences_of_the_adding_problem_need_their_numbers(results):
    made = adding_results(results)
    for words in ("10 of 10 LSTMs", "1 of 10 IRNNs, 3 of 10 with as many weights", "none of the 40 tanh RNNs"):
        assert words in adding.fair_answer(made)
    assert "10 of 10 fresh seeds" in adding.long_answer(made)
    for wrong in (("LSTM",), ("IRNN",), ("LSTM", "IRNN", "tanh RNN, orthogonal, 17 units")):
        with pytest.raises(ValueError, match="no longer bears out"):
            adding.fair_answer(adding_results(results, cells=wrong))
    for wrong in (adding_results(results, lengths=("T = 100", "T = 500")),
                  adding_results(results, tried=("LSTM", "1997"))):
        with pytest.raises(ValueError, match="no longer bears out"):
            adding.long_answer(wrong)


def test_both_cells_solve_the_long_lag_only_as_long_as_their_runs_do(results):
    assert "10 of 10 LSTMs solve T = 1000, and 8 of the cell of 1997" in adding.long_fair_answer(results)
    for wrong in (adding_results(results, far=("LSTM",)),
                  adding_results(results, tried=(*LONG_SETTINGS, "LSTM, 16 units, rate 0.02, forget bias 6"))):
        with pytest.raises(ValueError, match="no longer bears out"):
            adding.long_fair_answer(wrong)


def test_the_sentences_of_the_pathological_tasks_need_their_numbers(results):
    made = pathological_results(results)
    plain, lstm = pathological_grids.FAIR_NETS
    for (near, far), words in {
            (200, 800): "up to T = 200 by the tanh RNN and up to T = 800 by the LSTM; at 1600 it fails",
            (200, 1600): "its end was not reached", (0, 200): "at none of these lengths by the tanh"}.items():
        assert words in pathological.beyond_answer(pathological_results(results, (plain, near, far)))
    for wrong in ((plain, 400, 400), (lstm, 200, 800)):
        with pytest.raises(ValueError, match="no longer bears out"):
            pathological.beyond_answer(pathological_results(results, wrong))
    assert "None of 60 runs" in pathological.xor_whole_answer(made)
    for make in (pathological.xor_whole_answer, pathological.xor_finding, pathological.xor_budget):
        with pytest.raises(ValueError, match="no longer bears out"):
            make(pathological_results(results, xor=True))


def test_sequences_until_the_bar():
    record = dict(history=HISTORIES["adding_problem"])
    assert [adding.reached(record, bar) for bar in (0.5, 0.85, 0.95)] == [800, 1600, float("inf")]
    assert adding.small_range([800, 1600, float("inf")]) == "1,600 [800, never]"


# --------------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------------

REPORTED_2013 = [f"pathological-{study}" for study in momentum_2013.REPORTED.values()]


@pytest.mark.parametrize("visualizer, make, needed", [
    (visualize_adding_studies, adding_results, dict(
        adding_fair=["adding-fair"], adding_long=["adding-long"], adding_long_fair=["adding-long-fair"])),
    (visualize_rnn_pathological, pathological_results, dict(
        xor_whole_budget=["pathological-xor-whole-budget"], lstm_reach_fair=["pathological-beyond-fair"],
        table5_2013=REPORTED_2013))])
def test_pictures_are_drawn_where_their_runs_are(visualizer, make, needed, results, monkeypatch):
    made = make(results)
    monkeypatch.setattr(studies, "complete", lambda path, *names: made)
    flags = pictures.Flags()
    drawings = visualizer.book(flags)
    assert set(drawings) == visualizer.PICTURES.keys() | visualizer.WHEN_RUN.keys()
    with pictures.look(getattr(visualizer, "LOOK", None)):
        for name in visualizer.WHEN_RUN:
            assert len(pictures.png(drawings[name]())) > 10_000
    assert needed.keys() == visualizer.WHEN_RUN.keys()
    for name, names in needed.items():
        made = without(make(results), *names)
        assert name not in visualizer.book(flags)


def test_a_title_says_how_many_succeed(results):
    found = studies.arms(adding_results(results), "adding-fair")
    with pictures.look():
        assert "10 LSTMs" in visualize_adding_studies.fair(found)._suptitle.get_text()
    fails = studies.arms(adding_results(results, cells=("IRNN",)), "adding-fair")
    with pictures.look():
        title = visualize_adding_studies.fair(fails)._suptitle.get_text()
    assert "0 LSTMs" in title and "1 IRNNs (3 with 17 units" in title


def test_the_long_recipe_is_a_flag(tmp_path, capsys):
    import adding_problem as ap

    [settings], options, _ = ap.parse(["--long", "--out", str(tmp_path / "r.json")])
    assert settings == ap.Settings(**ap.LONG) and options.eval_every == 400
    [settings], _, _ = ap.parse(["--long", "--T", "500", "--out", str(tmp_path / "r.json")])
    assert settings == ap.Settings(**ap.LONG | dict(T=500))
    with pytest.raises(SystemExit) as end:
        ap.parse(["--long", "--best"])
    assert end.value.code == 2 and capsys.readouterr().err.count("\n") == 1


# --------------------------------------------------------------------------------------------------
# Table 5 of 2013 by whole runs
# --------------------------------------------------------------------------------------------------

PACE_2013 = {column: pathological_grids.PACES_2013[column[1]][-1] for column in pathological_grids.COLUMNS_2013}


@pytest.fixture
def chosen_2013(monkeypatch):
    """All studies of 2013, with the last pace of its list chosen for every column, the second in five bits."""
    every = dict(studies.load())
    for name, study in momentum_2013.REPORTED.items():
        columns = PACE_2013 if "bit" not in name and "symbol" not in name else {
            column: PACE_2013[column] for column in pathological_grids.MEMORY_COLUMNS}
        if name == "five bits":
            columns = pathological_grids.paces(pathological_grids.MEMORY_COLUMNS, 1, 1, 1, 1, 1)
        monkeypatch.setitem(pathological_grids.CHOSEN_2013, name, columns)
        every[f"pathological-{study}"] = pathological_grids.study(
            study, "a test", pathological_grids.chosen_2013(name), range(4), 1)
    monkeypatch.setattr(studies, "load", lambda: every)


def results_of_2013(results, better=0.001, wrong=0.5, stable=("clip 0.1", "rate 0.0003")):
    """Runs in which each last pace ends with the lowest loss, every seed with this share of wrong
    sequences or symbols, and some of the changes keep W_hh from blowing up."""
    lowest = dict(test_loss=better, wrong_rate=wrong, test_accuracy=1 - wrong / 10)
    for name, study in momentum_2013.SEARCHED.items():
        def final_of(label, k, name=name):
            column, pace = label
            if pace == pathological_grids.CHOSEN_2013[name][column]:
                return lowest
            return dict(test_loss=2 * better) if pace == pathological_grids.CHOSEN_OF_TWO_2013[name][column] else {}

        results = with_runs(results, f"pathological-{study}", final_of)
    for study in momentum_2013.REPORTED.values():
        results = with_runs(results, f"pathological-{study}", lambda label, k: lowest)
    results = with_runs(results, "pathological-2013-stable", lambda label, k: {})
    for label, records in studies.arms(results, "pathological-2013-stable").items():
        for record in records:
            radius = 1.2 if label in stable else 50.0
            record |= dict(spectrum=dict(start=dict(spectral_radius=1.1), end=dict(spectral_radius=radius)))
    return results


def test_the_rates_of_2013_are_those_that_whole_runs_choose(results, chosen_2013):
    made = results_of_2013(results)
    for name in momentum_2013.SEARCHED:
        assert pathological.choice_2013(made, name) == pathological_grids.CHOSEN_2013[name]
    assert "| addition | rate |" in pathological.rates_2013(made)
    for final in (dict(test_loss=0.9), dict(status="diverged", test_loss=None)):
        worse = copy_of(made)
        study = studies.load()["pathological-2013-rates-addition"]
        for settings in study.row((next(iter(study.grid))[0], pathological_grids.PACES_2013[0.0][-1])):
            studies.find(worse, study.experiment, settings)["final"] |= final
        with pytest.raises(ValueError, match="the search chooses"):
            pathological.rates_2013(worse)


def test_the_rates_named_are_what_the_records_say(results):
    for name in momentum_2013.SEARCHED:
        assert pathological.choice_2013(results, name) == pathological_grids.CHOSEN_2013[name]


def test_table_5_is_told_in_its_own_measure(results, chosen_2013):
    made = results_of_2013(results, wrong=0.03)
    words = pathological.table5_answer(made)
    assert "addition 0.03 (mu = 0) and 0.00025 (Nesterov 0.995)" in words
    assert "ten symbols 0.03 (mu = 0) and" in words
    assert "In 16 of the 24 columns" in words and "Of 96 runs 96 learn" in words
    assert "In 4 columns that were run before" in words and "6 of 16 seeds learned" in words
    assert "chosen by whole runs 16." in words
    assert max(map(len, words.splitlines())) <= 300, words
    finding = pathological.finding_2013(made)
    assert finding.startswith("5. Table 5") and "16 of the 24 columns" in finding and len(finding) <= 300
    assert "2 of the seven columns for five bits" in pathological.table5_cost(made)


def test_a_column_of_table_5_is_told_once_all_its_seeds_are_there(results, chosen_2013):
    made = results_of_2013(results)
    column = ("CM", 0.0)
    absent = studies.load()["pathological-2013-addition"].row(column)[3]
    made["rnn_pathological"].remove(studies.find(made, "rnn_pathological", absent))
    assert column not in momentum_2013.columns(made, "addition") and len(momentum_2013.columns(made, "addition")) == 6
    assert "1 of the seven columns for addition" in pathological.table5_cost(made)
    assert pathological.whole_2013(made).count("| mu = 0 |") == 3


def test_a_falling_rate_is_compared_seed_by_seed(results, chosen_2013):
    def made(wrong):
        of = copy_of(with_runs(
            results_of_2013(results), "pathological-2013-falling", lambda label, k: dict(wrong_rate=wrong[k])))
        for constant, _ in pathological.falling_pairs(of).values():
            for record in constant:
                assert record["settings"]["lr_decay_every"] == 0
                record["final"]["wrong_rate"] = 0.5
        return of

    words = pathological.falling_answer(made([0.4, 0.4, 0.4, 0.6]))
    assert "In 9 of 12 runs" in words and "0.5 to 0.45 (Nesterov 0.98, clip none; paper: 0.21)" in words
    assert words.endswith("in 0 of 3 rows it is as low as the paper's.")
    assert pathological.falling_answer(made(4 * [0.1])).endswith("in 1 of 3 rows it is as low as the paper's.")
    row = "| 0.21 | 0.5, 0.5, 0.5, 0.5 | 0.5 [0.5, 0.5] | 0.1, 0.1, 0.1, 0.1 |"
    assert row in pathological.falling_2013(made(4 * [0.1]))


def test_the_third_setting_is_compared_where_it_is_taken(results, chosen_2013):
    def made(before, now=0.5):
        return with_runs(results_of_2013(results, wrong=now), "pathological-2013-two-settings", lambda label, k: (
            dict(wrong_rate=before, test_accuracy=1 - before / 10, test_loss=1e-4 if k else 5.0)))

    n = len(pathological_grids.TWO_PACES_2013)
    for before, lower in ((0.6, n), (0.4, 0)):
        assert pathological.third_counts(made(before))[:2] == (n, lower)
    assert pathological.third_counts(made(0.4, now=0.0)) == (n, n, n)
    words = pathological.third_answer(made(0.6))
    assert words.startswith(f"The third setting is taken in {n} of 19 columns. In {n} of them")
    assert f"Of the {4 * n} runs in" in words
    assert f"{3 * n} learn with the earlier setting, {4 * n} with the third" in words
    assert "| 0.6, 0.6, 0.6, 0.6 | 0.6 [0.6, 0.6] |" in pathological.third_2013(made(0.6))


def test_five_bits_with_the_third_setting_are_told_where_they_missed(results, chosen_2013):
    def made(before):
        of = with_runs(results_of_2013(results, wrong=0.0), "pathological-2013-bits", lambda label, k: dict(
            test_accuracy=1 - (before if label == ("CM", 0.995) else 0) / 5, test_loss=1e-3))
        return with_runs(of, "pathological-2013-bits-third", lambda label, k: dict(test_accuracy=1 - 0.1 * k))

    words = pathological.bits_third(made(2.0))
    assert "heavy ball 0.995: 2 wrong symbols, paper 0.92" in words and "it is 0.75 (0, 0.5, 1, 1.5)" in words
    with pytest.raises(ValueError, match="misses the paper's figure"):
        pathological.bits_third(made(0.5))


def test_what_the_third_setting_replaces_is_the_better_of_the_first_two(results):
    for name in momentum_2013.SEARCHED:
        of_two = pathological.choice_2013(results, name, 2)
        assert of_two == pathological_grids.CHOSEN_OF_TWO_2013[name]
    for name, column in pathological_grids.TWO_PACES_2013:
        assert pathological_grids.CHOSEN_2013[name][column] == pathological_grids.PACES_2013[column[1]][2]


def test_the_interval_of_four_seeds_is_that_of_student():
    mean, low, high = momentum_2013.mean_interval([1.0, 2.0, 3.0, 4.0], 10)
    assert mean == 2.5 and np.allclose([low, high], [0.4457, 4.5543], atol=1e-3)  # scipy.stats.t.interval
    assert momentum_2013.mean_interval([0.0, 0.0, 0.0, 0.1], 1)[1] == 0
    assert momentum_2013.mean_interval([1.0, 0.9, 1.0, 1.0], 1)[2] == 1
    with pytest.raises(ValueError, match="four seeds"):
        momentum_2013.mean_interval([1.0, 2.0], 1)


def test_only_what_was_removed_alone_is_a_cause(results, chosen_2013):
    words = pathological.stable_answer(results_of_2013(results))
    assert "2 of 2 runs blow up" in words and "clip 0.1 and rate 0.0003 kept every run from it" in words
    assert "as it is did not" not in words and "none of them learned anything" in words
    assert "nothing that was tried" in pathological.stable_answer(results_of_2013(results, stable=()))
    with pytest.raises(ValueError, match="it blows up"):
        pathological.stable_answer(results_of_2013(results, stable=tuple(pathological_grids.STABLE_2013)))


def test_the_picture_of_table_5_takes_what_has_been_run(results, chosen_2013, monkeypatch):
    made = without(results_of_2013(results), "pathological-2013-bits")
    monkeypatch.setattr(studies, "complete", lambda path, *names: made)
    drawn = visualize_rnn_pathological.book(pictures.Flags())["table5_2013"]
    with pictures.look(visualize_rnn_pathological.LOOK):
        figure = drawn()
    assert [axis.get_title() for axis in figure.axes] == ["addition", "multiplication", "ten symbols"]
    assert "of 19 columns" in figure._suptitle.get_text()
    made = without(made, *REPORTED_2013)
    assert "table5_2013" not in visualize_rnn_pathological.book(pictures.Flags())


def test_a_seed_that_gets_everything_right_is_drawn_at_0(results, chosen_2013):
    fig = visualize_rnn_pathological.plot_table5_2013(results_of_2013(results, wrong=0.0))
    for ax in fig.axes:
        dots = [line for line in ax.lines if line.get_label() == "here, a dot for each seed"]
        assert dots and all((line.get_ydata() == 0).all() for line in dots)
        assert ax.get_ylim()[0] == 0 and not any(line.get_clip_on() for line in dots)
