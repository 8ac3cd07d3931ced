"""The rivals' searches: equal lists, seeds that no table reports, and a choice that is what the records say."""

import pytest
from conftest import copy_of

import studies
from analysis import equal_tuning
from studies import lstm_1997_rivals as grids
from tables import lstm_1997_rivals as page


def final_of(results, row, change):
    """The final figures of a combination of a search."""
    study = studies.load()[equal_tuning.study_of(row)]
    return studies.find(results, study.experiment, study.grid[change])["final"]


def test_every_rival_has_the_whole_list():
    for row, (rates, _) in grids.SEARCHES.items():
        tried = grids.search(*row)
        assert len(tried) == 3 * 2 * 2 * len(rates)
        assert {change[3] for change in tried} == ({0.0, 0.3} if row[1] == "1" else {0.0, 0.2})
        own = {0.1} if row[1] == "1" else {1.0, 4.0, 10.0} if row[2] == 4 and row[0] != "chunker" else {1.0}
        assert {rate * by for rate in own for by in (0.5, 1, 2)} == set(rates)


def test_the_seeds_of_the_search_are_not_those_that_are_reported():
    reported = {settings["trials"] for settings in grids.tuned().values()}
    assert reported <= {18, 30} and grids.SEARCH_SEED >= max(reported)
    assert all("seed" not in settings for settings in grids.tuned().values())


def test_what_was_run_is_what_the_searches_say(results):
    assert {row: equal_tuning.choice(results, row).change for row in grids.SEARCHES} == grids.CHOSEN


def test_most_trials_then_the_mean_then_the_nearest_decide(results):
    row = ("rtrl", "2a", 4, 1)
    made = copy_of(results)
    for change in grids.search(*row):
        final_of(made, row, change)["sequences_to_success"] = [None] * 6
    assert equal_tuning.choice(made, row).change == ("a17", 1.0, 1.0, 0.0)
    few, early, many = ("plain", 2.0, 8.0, 0.2), ("plain", 1.0, 8.0, 0.2), ("a17", 2.0, 0.5, 0.2)
    final_of(made, row, few)["sequences_to_success"] = [100] + [None] * 5
    assert equal_tuning.choice(made, row).change == few
    final_of(made, row, many)["sequences_to_success"] = [9000] * 2 + [None] * 4
    assert equal_tuning.choice(made, row).change == many
    final_of(made, row, early)["sequences_to_success"] = [8000] * 2 + [None] * 4
    assert equal_tuning.choice(made, row).change == early
    final_of(made, row, few)["sequences_to_success"] = [8000] * 2 + [None] * 4
    assert equal_tuning.choice(made, row).change == early  # one setting less is not the row's own
    with pytest.raises(ValueError, match="the search chooses"):
        page.searches(made)


def test_the_sentence_needs_its_trials(results):
    assert "in all 18 trials with a delay of 4" in page.tuned_answer(results)
    for row, sequences, make in (
            (("bptt", "2a", 4, 1), [None] + [3000] * 17, page.tuned_answer),
            (("bptt", "2a", 10, 1), [3000] * 18, page.tuned_answer),
            (("chunker", "2a", 100, 1), [3000] * 18, page.tuned_answer),
            (("rtrl", "1", None, 12), [3000] * 30, page.reber_answer)):
        made = copy_of(results)
        page.tuned_records(made)[row]["final"]["sequences_to_success"] = sequences
        with pytest.raises(ValueError, match="no longer bears out"):
            make(made)
