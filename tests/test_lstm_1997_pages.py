"""What the pages of the 1997 paper say: letters of the readings, rows at one bound, sentences that fail once the
numbers do not bear them out, the dates of the plan."""

import copy
import dataclasses
import json
import re
import subprocess

import numpy as np
import pytest
from conftest import ROOT, copy_of

import lstm_1997 as lstm
import studies
import studies.lstm_1997 as grids
import tables
import visualize_lstm_1997
import visualize_lstm_1997_rivals as rivals_pictures
from analysis import cells, readings
from tables import lstm_1997 as page


@pytest.fixture(scope="module")
def found(results):
    return readings.runs(results)


# --------------------------------------------------------------------------------------------------
# Letters
# --------------------------------------------------------------------------------------------------

def test_two_readings_have_two_names_and_every_change_has_a_letter(results):
    names = {}
    for record in results["lstm_1997"]:
        settings = lstm.Settings(**record["settings"])
        names.setdefault(readings.letters(settings), set()).add(settings.reading)
    assert all(len(words) == 1 for words in names.values()) and len(names) == len(set.union(*names.values()))
    assert (names[""], names["S"]) == ({"literal"}, {"update step"})
    for words in names:
        twofold = len(re.findall(r"F0.05|[NJ]b|K[bc]", words))  # letters that stand for two settings
        if words:
            assert len(words.split()) + twofold == len(next(iter(names[words])).split(", ")), words


def test_the_letters_are_different_and_their_flags_are_those_of_the_program():
    assert len({change.letter for change in readings.CHANGES}) == len(readings.CHANGES)
    wanted = dict(S=dict(experiment="1"), A=dict(experiment="2a"), E=dict(experiment="2b"), C=dict(experiment="1"),
                  V=dict(experiment="3a"))
    for change in readings.CHANGES:
        more = ["--update", "step"] if change.letter == "C" else []
        experiment = wanted.get(change.letter, dict(experiment="4"))["experiment"]
        (settings,), *_ = lstm.parse(["--experiment", experiment, *more, *change.flag.split()])
        assert readings.letters(settings).split()[-1][0] == change.letter
    plain = lstm.Settings(experiment="4")
    assert readings.reading(plain) == "literal"
    assert readings.reading(lstm.Settings(experiment="1", update="step")) == "literal, S"
    assert readings.letters(dataclasses.replace(plain, init_scale=12.0, bias_scale=0.5)) == "I12 B0.5"


def test_a_longer_run_begins_as_the_shorter_ones(results):
    groups = {}
    for record in results["lstm_1997"]:
        key = tuple(sorted((name, value) for name, value in record["settings"].items()
                           if name not in ("max_sequences", "trials")))
        groups.setdefault(key, []).append(record)
    pairs = [(a, b) for group in groups.values() for a in group for b in group
             if a["settings"]["max_sequences"] < b["settings"]["max_sequences"]]
    assert len(pairs) >= 5
    for short, long in pairs:
        cap = short["settings"]["max_sequences"]
        both = zip(short["final"]["sequences_to_success"], long["final"]["sequences_to_success"])
        assert all(a == (None if b is None or b > cap else b) for a, b in both)


# --------------------------------------------------------------------------------------------------
# Rows
# --------------------------------------------------------------------------------------------------

def by_hand(results, chosen):
    """{(row, settings): sequences} of records with the paper's net and number of trials."""
    rows = {}
    for record in results["lstm_1997"]:
        settings = lstm.Settings(**record["settings"])
        if settings.in_paper and settings.trials == settings.row.trials and chosen(settings):
            rows[settings.row, settings] = record["final"]["sequences_to_success"]
    return rows


def whole_net(settings):
    return settings.recurrent != "none" and settings.output_gates == "paper"


def test_rows_that_come_out_counted_by_hand(results, found):
    every = by_hand(results, whole_net)

    def solved(chosen):
        return {row for (row, settings), counts in every.items() if chosen(settings)
                and sum(n is not None and n <= 2 * row.paper for n in counts) >= readings.papers_trials(row)}

    every_row = solved(lambda settings: True)
    assert every_row == set(readings.solved_rows(found)) and len(every_row) == 22
    literal = solved(lambda settings: settings.reading in ("literal", "update step"))
    assert literal == set(readings.solved_rows(found, readings.literal)) and len(literal) == 3


def test_the_verdict_table_counted_by_hand(results):
    """Every line of the thirty against the records, which are found without the code of the page."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.settled(results).splitlines()[2:]]
    assert [line[0] for line in lines] == [page.named(row) for row in lstm.TABLE_ROWS]
    counts = dict(literal=0, common=0)
    for line, row in zip(lines, lstm.TABLE_ROWS):
        own = {}
        for record in results["lstm_1997"]:
            settings = lstm.Settings(**record["settings"])
            if settings.row is row and settings.in_paper and settings.trials == row.trials:
                own[settings] = record["final"]["sequences_to_success"]
        literal = [settings for settings in own if settings.reading in ("literal", "update step")]
        common = [settings for settings in own if is_common(settings) and settings.max_sequences < 2.01 * row.paper]
        assert literal and (len(common) == 1 or line[4] == "not run to its end")
        counts["literal"] += (most := max(sum(n is not None for n in own[settings]) for settings in literal))
        assert line[2].startswith(f"{most}/{row.trials} by ")
        if not common:
            continue
        stopped = [n for n in own[common[0]] if n is not None]
        assert line[4] == f"{len(stopped)}/{row.trials} by {common[0].max_sequences:,}"
        if stopped:
            assert line[5].endswith(f"({np.mean(stopped) / row.paper:.2f})")
        counts["common"] += len(stopped)
    words = page.settled_counts(results)
    assert f"| {counts['literal']} of 516 |" in words and f"| {counts['common']} of 516 |" in words


def is_common(settings):
    """The reading that is the same for all rows, written down a second time."""
    at_end = settings.experiment not in ("1", "2a", "2b")
    wanted = dict(output_error="plain" if at_end else "a17", tolerance=0.0 if at_end else 0.2,
                  cell_sources="paper" if settings.experiment in ("2a", "2b") else "inputs")
    if settings.experiment[0] in "3456":
        wanted |= dict(cell_bias="paper", cell_rate={1000: 0.01, 500: 0.02}.get(settings.T, 0.1), cell_rate_of="all")
    if settings.experiment[0] == "3":
        wanted["stop_set"] = "fresh"
    if any(getattr(settings, name) != value for name, value in wanted.items()):
        return False
    defaults = {field.name: field.default for field in dataclasses.fields(settings) if field.name in wanted}
    return dataclasses.replace(settings, **defaults).reading == "literal"


def test_2c_at_one_bound(results):
    def within(recurrent):
        runs = by_hand(results, lambda settings: settings.experiment == "2c" and settings.recurrent == recurrent
                       and readings.letters(settings) in ("", "R"))
        return sum(sum(n is not None and n <= 2 * row.paper for n in counts) for (row, _), counts in runs.items())

    assert (within("paper"), within("none")) == (0, 153)
    assert "0 of 180 trials" in page.recurrence_answer(results) and "and 153 without" in page.recurrence_answer(results)


def test_the_closest_means_leave_no_reading_of_the_papers_net_out(results, found):
    closest = {}
    for (row, _), counts in by_hand(results, whole_net).items():
        reached = [n for n in counts if n is not None]
        if len(reached) >= readings.papers_trials(row):
            ratio = np.mean(reached) / row.paper
            closest[row] = min(closest.get(row, 99), ratio, key=lambda ratio: abs(np.log(ratio)))
    near, far = page.closest_means(found)
    assert {run.row: pytest.approx(run.over_paper) for run in (*near, *far)} == closest
    assert (len(near), len(far)) == (13, 11) and any(run.row.q == 100 for run in near)


def test_verdicts_are_those_of_made_up_rows(found):
    rows = page.rows_of("4")
    assert page.verdict(found, rows) == "with changes"
    literal = [run for run in found if run.literal]
    assert page.verdict(literal, rows).startswith("no: at most")
    one = [run for run in found if run.row is rows[0] or run.literal]
    assert page.verdict(one, rows) == "partly: only T = 100"
    assert page.verdict(found, rows[:1]) == "with changes"
    solved = copy.deepcopy(found[[run.row for run in found].index(rows[0])])
    solved.final["sequences_to_success"] = [1000] * 10
    assert page.verdict([solved], rows[:1]) == "yes"


def test_a_run_that_was_given_up_early_is_compared_where_it_ended(found):
    run = next(run for run in found if run.row.T == 1000 and run.literal)
    assert run.short_of_bound and run.bound == run.settings.max_sequences and not run.beyond
    assert "by" in page.line(run)[1]
    longer = next(run for run in found if run.row.experiment == "6a" and run.literal)
    assert longer.beyond and longer.bound == 2 * longer.row.paper
    assert page.line(longer)[1:3] == ["19/20", "20/20 by 313,900"]


def test_one_row_has_one_number_on_all_pages():
    """Counts of the same reading of the same row: the LSTM's lines of the rivals' tables are in the experiments'."""
    text = (ROOT / "docs" / "lstm_1997.md").read_text(encoding="utf-8")
    blocks = dict(tables.BLOCK.findall((ROOT / "docs" / "lstm_1997_rivals.md").read_text(encoding="utf-8")))
    lines = [line for name in ("table1", "table2") for line in blocks[f"lstm_1997_rivals:{name}"].splitlines()
             if line.startswith("| LSTM")]
    assert len(lines) == 12
    for line in lines:
        reading = line.split("|")[1].split(": ")[1].strip()
        count = re.search(r"\d+/\d+ by [\d,]+", line)[0]
        assert any(count in other and f"| {reading} |" in other for other in text.splitlines()), line


# --------------------------------------------------------------------------------------------------
# Sentences
# --------------------------------------------------------------------------------------------------

def stopping(results, experiment, chosen, sequences):
    """The results with other counts of sequences in some records."""
    results, hit = copy_of(results), 0
    for record in results[experiment]:
        if chosen(record["settings"]):
            final, hit = record["final"], hit + 1
            final["sequences_to_success"] = [sequences] * len(final["sequences_to_success"])
            final["trials_stopped"] = len(final["sequences_to_success"]) if sequences else 0
    assert hit
    return results


def of_2c(q, recurrent):
    return lambda settings: (settings["experiment"], settings["q"], settings["recurrent"]) == ("2c", q, recurrent)


def of_experiment(name, **wanted):
    wanted["experiment"] = name
    return lambda settings: all(settings[key] == value for key, value in wanted.items())


@pytest.mark.parametrize("block, experiment, chosen, sequences", [
    ("lstm_1997:recurrence_answer", "lstm_1997", of_2c(100, "paper"), 1000),
    ("lstm_1997:recurrence_lead", "lstm_1997", of_experiment("2c", cell_sources="inputs", q=1000), None),
    ("constant_sources:findings", "constant_sources", of_experiment("4", T=500, constant="slow"), None),
    ("constant_sources:findings", "constant_sources", of_experiment("4", T=500, constant="learn"), 1000),
    ("constant_sources:findings", "constant_sources", of_experiment("4", T=500, constant="absent"), None),
    ("constant_sources:findings", "constant_sources", of_experiment("2c", connections="cc,cg,gg"), 1000),
    ("constant_sources:findings", "constant_sources", of_experiment("2c", connections="cg,gg"), None),
    ("constant_sources:findings", "lstm_1997", of_experiment("4", T=500, cell_rate=0.1), None),
    ("lstm_1997:reber_tail", "lstm_1997", of_experiment("1", blocks=3, lr=0.5, ranges="wide", tolerance=0.3), None),
    ("constant_sources:elsewhere", "lstm_1997", of_experiment("3a", T=1000), 1000),
    ("front:verdicts_caption", "lstm_1997", of_experiment("2c", cell_sources="inputs"), None),
    ("lstm_1997:stuck_answer", "lstm_1997", of_experiment("1", gate_start=0.5), 1000),
    ("lstm_1997:caps", "lstm_1997", of_experiment("4", T=500), 1000),
    ("lstm_1997:values_6a_verdict", "lstm_1997", of_experiment("6a", lr=0.1), 1000),
    ("lstm_1997:full_net_answer", "lstm_1997", of_2c(200, "paper"), 1000),
    ("lstm_1997:output_gates_answer", "lstm_1997", of_experiment("1", output_gates="none"), 1000),
    ("lstm_1997:first_weights_answer", "lstm_1997", of_experiment("4", init_scale=12.0), None),
    ("lstm_1997:full_gradient_answer", "lstm_1997", of_experiment("6a", gradient="full"), None),
    ("lstm_1997:findings", "lstm_1997", of_experiment("4", T=500), 1000),
    ("front:lstm_1997", "lstm_1997", lambda settings: True, 1000),
    ("front:rivals", "lstm_1997_rivals", of_experiment("1", method="rtrl"), None),
    ("front:rivals", "lstm_1997_rivals", of_experiment("2a", method="bptt"), 1000),
    ("front:rivals", "lstm_1997", of_experiment("1", update="step", output_error="a17"), 20_000),
    ("lstm_1997_rivals:reber_answer", "lstm_1997_rivals", of_experiment("1", method="bptt"), 20_000),
    ("lstm_1997_rivals:findings", "lstm_1997_rivals", of_experiment("1", method="elman"), 1000),
    ("lstm_1997_rivals:reber_answer", "lstm_1997", of_experiment("1", blocks=4, lr=0.1), 1000),
    ("lstm_1997_rivals:signal_exceptions", "lstm_1997_rivals", of_experiment("2a", method="rtrl"), 1000),
    ("lstm_1997_rivals:answer", "lstm_1997_rivals", of_experiment("2a", method="chunker"), 1000),
    ("front:rivals_caption", "lstm_1997", of_experiment("2a", update="sequence"), 1000),
    ("front:rivals_caption", "lstm_1997", of_experiment("2a", update="step"), None),
    ("lstm_1997_rivals:guessing_answer", "weight_guessing", of_experiment("3a"), 400_000),
])
def test_a_sentence_is_not_written_once_the_numbers_do_not_bear_it_out(block, experiment, chosen, sequences, results):
    make = tables.load()[block]
    assert make(results)
    with pytest.raises(ValueError, match="no longer bears out"):
        make(stopping(results, experiment, chosen, sequences))


def test_stop_sets_tell_the_hard_set_from_the_one_that_is_not(results):
    words = page.stop_sets_3b(results)
    assert "8 turned signs" in words and "its set has 4 turned signs" in words and "hard, not impossible" in words
    changed = copy_of(results)
    for choice in (grids.TABLES_4_TO_6 | grids.LITERAL_3).values():
        if (choice["experiment"], choice["N"]) == ("3b", 1):
            final = studies.find(changed, "lstm_1997", choice)["final"]
            final["sequences_to_success"] = [1000] * 10
    with pytest.raises(ValueError):
        page.stop_sets_3b(changed)


def test_the_nets_of_the_picture_are_those_of_the_sentence(results):
    adding, order = map(cells.of_record, cells.drawn(results))
    assert (adding.reading, order.reading) == ("P D X", "literal")
    (first, _), (second, other) = order.input_gates
    assert first > 0.9 and abs(second - other) < 0.02 and len(order.drift) == 4
    assert "P D X" in page.cells_answer(results) and "literal" in page.cells_answer(results)
    broken = copy_of(results)
    for record in cells.drawn(broken):
        record["weights"]["theta"] = [0.0] * len(record["weights"]["theta"])
    with pytest.raises(ValueError, match="no longer bears out"):
        page.cells_answer(broken)


def test_the_front_pages_lines_have_no_letter_and_fit(results):
    makers = tables.load()
    note, table = makers["front:verdicts"](results).split("\n\n")
    assert note.startswith("A row counts if") and "1: Reber grammar" in table
    assert len(table.splitlines()) - 2 <= 6 and table.splitlines()[0].count("|") == 5
    for text in (table, note, makers["front:lstm_1997"](results), makers["front:rivals"](results)):
        assert not re.search(r"\b[SPFDXWHGAEIBLCUOR] [FDXWHGAEIR]\b|table10|flat-spot|recurrent none", text)


# --------------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------------

def title(figure):
    return figure._suptitle.get_text()


def texts(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_the_titles_of_the_pictures_count(results, found):
    counts = {readings.letters(run.settings): run.within for run in found if run.row is page.rows_of("4")[1]}
    assert [counts[words] for words in visualize_lstm_1997.FIRST_WEIGHTS] == [0, 0, 6, 2]
    assert "T = 500, by 418,000 sequences: 6 of 10 stop with first weights times 12" in title(
        visualize_lstm_1997.first_weights(found))
    changed = stopping(results, "lstm_1997", of_experiment("4", T=500, init_scale=24.0), 1000)
    assert title(visualize_lstm_1997.first_weights(readings.runs(changed))).endswith("0 to 10")


def test_2c_is_hollow_where_some_trials_do_not_stop(found):
    above = visualize_lstm_1997.scaling_2c(found).axes[:2]
    circles = [line for axis in above for line in axis.lines if line.get_marker() == "o"]
    hollow = sum(line.get_markerfacecolor() == "white" for line in circles)
    left = [run for run in found if run.common and run.row.experiment == "2c" and len(run.reached) < 20]
    assert hollow == len(left) == 3


def test_the_picture_of_2c_claims_nothing_that_its_trials_do_not_show(results):
    connections = studies.arms(results, "constant-sources-connections")
    figure = visualize_lstm_1997.constant_sources_2c(connections)
    assert title(figure).endswith("weights to the gates do no harm, weights to the cells do")
    counts = [text for text in texts(figure) if text.isdigit()]
    assert counts == [str(record["final"]["trials_stopped"]) for [record] in connections.values()]
    changed = stopping(results, "constant_sources", of_experiment("2c", connections="gc"), 1000)
    with pytest.raises(ValueError, match="no longer bears out"):
        visualize_lstm_1997.constant_sources_2c(studies.arms(changed, "constant-sources-connections"))


def test_the_stops_of_experiment_1_are_drawn_one_by_one(found):
    figure = visualize_lstm_1997.reber(found)
    first = figure.axes[0]
    last = {readings.letters(run.settings): run for run in found if run.row is page.rows_of("1")[-1]}
    for line, (words, _, _) in zip(first.lines[::2], visualize_lstm_1997.REBER):
        run = last[words]
        assert list(line.get_xdata()[1:-1] * 1000) == pytest.approx(sorted(run.reached))
        assert line.get_ydata()[-1] == len(run.reached)
    assert "26 of 30 trials stop by" in title(figure).replace("\n", " ")


def test_every_count_of_the_lags_has_its_cap(results, found):
    runs = rivals_pictures.runs_of(results)
    tuned = rivals_pictures.tuned_shares(results)
    figure = rivals_pictures.lag(runs, tuned, *rivals_pictures.lstm_shares(found))
    assert len(tuned) == 9 and len(texts(figure)) == len(runs) + len(tuned) + 2
    assert all(text.startswith("by ") for text in texts(figure))
    assert {"by 5 million", "by 200,000", "by 100,000", "by 50,400", "by 15,000", "by 25 units"} <= set(texts(figure))
    assert title(figure) == ("Task 2a, 100 steps: LSTM 18 of 18 with named changes, 0 of 18 word for word (by 50,400), "
                             "tuned rivals 0 of 54")
    markers = {look[3] for look in rivals_pictures.LOOKS.values()}
    assert len(markers) == len(rivals_pictures.LOOKS) and rivals_pictures.PAPER["marker"] not in markers


# --------------------------------------------------------------------------------------------------
# The plan
# --------------------------------------------------------------------------------------------------

def git(*words):
    run = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
    return run.stdout if run.returncode == 0 else None


def plan():
    """Lines of the plan's table: date or "", row, reading, cap, commit, where its result is."""
    text = (ROOT / "docs" / "lstm_1997_plan.md").read_text(encoding="utf-8")
    every = []
    for title in ("## The table", "## The second table"):
        table = text.split(title)[1].split("\n## ")[0]
        lines = [line for line in table.splitlines() if line.startswith("|")]
        every += [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return every


def test_every_line_of_the_plan_was_committed_before_its_result():
    if git("cat-file", "-e", "49c4b0d:docs/lstm_1997_plan.md") is None:
        pytest.skip("no history here")
    assert len(plan()) == 67
    same = 0
    for date, row, reading, _, commit, result in plan():
        assert git("cat-file", "-e", f"{commit}:docs/lstm_1997_plan.md") is not None
        if date:
            assert git("log", "-1", "--format=%ad", "--date=format:%Y-%m-%d %H:%M", commit).strip() == date
        for later in re.findall(r"\b[0-9a-f]{7}\b", result):
            assert git("merge-base", "--is-ancestor", commit, later) is not None, (row, reading)
            same += later == commit
    assert same == 1  # 6b with F X, which the page names


def test_runs_that_had_started_before_their_commit_are_named():
    """Longer than the time between the commit that wrote them down and that of their results."""
    if git("cat-file", "-e", "49c4b0d:docs/lstm_1997_plan.md") is None:
        pytest.skip("no history here")
    gap = int(git("log", "-1", "--format=%ct", "5221039")) - int(git("log", "-1", "--format=%ct", "d3e6c55"))
    found = {}
    for record in json.loads(git("show", "5221039:results.json"))["lstm_1997"]:
        settings = record["settings"]
        found[settings["experiment"], settings["max_sequences"]] = record["provenance"]["wall_seconds"]
    seconds = [found[key] for key in (("3a", 398_500), ("3b", 392_200), ("6a", 313_900))]
    assert min(seconds) > gap
    words = " ".join((ROOT / "docs" / "lstm_1997_plan.md").read_text(encoding="utf-8").split())
    assert f"it is {gap} seconds older" in words and "{:.0f}, {:.0f} and {:.0f} seconds".format(*seconds) in words


def test_readings_without_a_pilot_are_those_of_which_the_plan_said_so_then():
    if git("cat-file", "-e", "49c4b0d:docs/lstm_1997_plan.md") is None:
        pytest.skip("no history here")
    text = (ROOT / "docs" / "lstm_1997_plan.md").read_text(encoding="utf-8")
    words = text.split("## Without a pilot")[1].split("\n## ")[0]
    for commit, then in (
            ("7ba4ef1", "None of these settings was tried before"),
            ("b9f11ce", "None of these settings was tried with this code before"),
            ("3127e87", "because that reading did best there"),
            ("784748d", "which was tried on neither 6a nor 6b before")):
        assert commit in words and then in " ".join(git("show", f"{commit}:docs/lstm_1997_plan.md").split())


def test_every_reading_with_changes_has_a_line_in_the_plan(found):
    text = (ROOT / "docs" / "lstm_1997_plan.md").read_text(encoding="utf-8").split("## Pilots")[0]
    listed = {part.split(",")[0].strip() for _, _, reading, *_ in plan() for part in reading.split(";")}
    for run in found:
        words = readings.letters(run.settings)
        *most, last = words.split() or [""]
        besides = " ".join(most) == "P D X" and re.search(rf"P D X with .*\b{re.escape(last)}\b", text)
        assert words in listed or words in ("", "S") or besides, words
