"""The tables' machinery: found by looking, written whole, one line for bad input; sentences that
numbers must bear out."""

import ast
import re

import numpy as np
import pytest
from conftest import ROOT, copy_of, others

import analysis
import studies
import tables
import tables.__main__ as command
from tables import adding_problem, data_movement, rnn_pathological, writing

# --------------------------------------------------------------------------------------------------
# Machinery
# --------------------------------------------------------------------------------------------------

@pytest.fixture
def small(tmp_path, monkeypatch):
    """A project of one page with one block, and a maker for it."""
    (tmp_path / "docs").mkdir()
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- begin toy:runs -->\nold\n<!-- end toy:runs -->\nafter\n")
    (tmp_path / "results.json").write_text('{"schema": 1, "toy": []}')
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "load", lambda: {"toy:runs": lambda results: f"{len(results['toy'])} runs"})
    return page


def test_blocks_are_written_and_checked(small, capsys):
    assert command.main(["--check"]) == 1 and capsys.readouterr().out == "README.md: toy:runs\n"
    assert "old" in small.read_text()
    assert command.main([]) == 0 and "\n0 runs\n" in small.read_text()
    assert small.read_text().startswith("before\n") and small.read_text().endswith("after\n")
    assert command.main(["--check"]) == 0 and "agrees" in capsys.readouterr().out


@pytest.mark.parametrize("text, words", [
    ("{", "not valid JSON"), ('{"schema": 1, "toy": [NaN]}', "NaN"), ('{"schema": 1}', "toy"), ("[]", "not a results")])
def test_bad_results_are_one_line_and_the_page_stays(text, words, small, capsys):
    (small.parent / "results.json").write_text(text)
    before = small.read_text()
    with pytest.raises(SystemExit) as end:
        command.main([])
    output = capsys.readouterr()
    assert end.value.code == 2 and output.err.count("\n") == 1 and words in output.err and output.out == ""
    assert small.read_text() == before


def test_a_table_module_is_found_by_looking_into_the_folder(tmp_path, monkeypatch):
    (tmp_path / "toy_table.py").write_text("TABLES = {'toy:line': lambda results: 'a line'}\n")
    monkeypatch.setattr(tables, "__path__", [*tables.__path__, str(tmp_path)])
    assert tables.load()["toy:line"]({}) == "a line" and "adding:headline" in tables.load()


def test_what_is_written_by_code_is_not_guarded_by_asserts():
    """python -O takes asserts away, and with them what keeps a sentence true."""
    files = [*ROOT.glob("visualize_*.py"), *ROOT.glob("make_*.py"), ROOT / "pictures.py",
             *(ROOT / "tables").glob("*.py"), *(ROOT / "analysis").glob("*.py")]
    assert len(files) > 20
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not any(isinstance(node, ast.Assert) for node in ast.walk(tree)), file


def test_markdown():
    assert writing.markdown(["a", "b"], [[1, None], ["", 2]]) == "| a | b |\n|---|---|\n| 1 | |\n|  | 2 |"
    assert writing.markdown(["a", "b"], [[1, 2]], " --: ").splitlines()[1] == "| --- | --: |"
    assert [writing.listed(range(n)) for n in (1, 2, 3)] == ["0", "0 and 1", "0, 1 and 2"]


# --------------------------------------------------------------------------------------------------
# Sentences
# --------------------------------------------------------------------------------------------------

def test_a_claim_that_does_not_hold_is_not_written():
    assert analysis.claim(True, "so it is") == "so it is"
    with pytest.raises(ValueError, match="no longer bears out: so it is"):
        analysis.claim(False, "so it is")


def changed(results, name, chosen, final):
    """The results with other final figures in the runs of some rows of a study."""
    results = copy_of(results)
    study = studies.load()[name]
    for label in study.grid:
        if chosen in (label if isinstance(label, tuple) else (label,)):
            for settings in study.row(label):
                studies.find(results, study.experiment, settings)["final"] |= final
    return results


SOLVED = dict(solved=True, updates_to_solve=600)
UNSOLVED = dict(solved=False, updates_to_solve=None)


@pytest.mark.parametrize("block, study, chosen, final", [
    ("rnn_pathological:findings", "pathological-headline", "ortho", UNSOLVED),
    ("rnn_pathological:findings", "pathological-scale", "identity", SOLVED),
    ("rnn_pathological:findings", "pathological-xor-grid", "fixed length", SOLVED),
    ("rnn_pathological:scale_answer", "pathological-scale", 0.8, SOLVED),
    ("rnn_pathological:scale_answer", "pathological-scale", "gaussian", UNSOLVED),
    ("rnn_pathological:xor_budget", "pathological-xor-fixed-longer", "fixed T = 30, Adam", SOLVED),
    ("rnn_pathological:beyond_answer", "pathological-beyond-fair", "LSTM, 32 units", UNSOLVED),
    ("rnn_pathological:table5_first", "pathological-sutskever", "NAG", dict(wrong_rate=0.0001)),
    ("rnn_pathological:findings", "pathological-length", 20, UNSOLVED),
    ("rnn_pathological:findings", "pathological-reach", "3bit_memorization, T = 200, Adam, input scale 0.1", UNSOLVED),
    ("rnn_pathological:xor_answer", "pathological-xor-grid", 0.1, SOLVED),
    ("rnn_pathological:scale_answer", "pathological-scale", "identity", UNSOLVED),
    ("rnn_pathological:length_answer", "pathological-length", "ortho", UNSOLVED),
    ("rnn_pathological:order_answer", "pathological-order", "both", UNSOLVED),
    ("rnn_pathological:order_answer", "pathological-order-lags", "early", dict(updates_to_solve=50)),
    ("rnn_pathological:xor_answer", "pathological-xor-grid", "curriculum and mixed lengths", UNSOLVED),
    ("front:adding", "adding-headline", "tanh RNN", dict(solve_rate=0.9)),
    ("front:adding_headline", "adding-headline", "LSTM", dict(solve_rate=0.9)),
    ("front:sample_caption", "adding-headline", "tanh RNN", dict(test_mse=0.1)),
    ("front:movement", "data-movement", "lstm", dict(cost={"8": 10**9})),
    ("data_movement:answer", "data-movement", "rnn", dict(cost={"8": 10**9})),
    ("front:adding_caption", "adding-headline", "tanh RNN", dict(test_mse=0.002)),
    ("front:verdicts_caption", "lstm-table-3-long", "literal", dict(sequences_to_success=[1000] * 20)),
    ("front:rivals_caption", "rivals-lag-100", 10.0, dict(trials_stopped=1)),
    ("front:pathological_caption", "pathological-scale", "ortho", UNSOLVED),
    ("front:latching_caption", "latching-table", "LSTM, forget bias 5", dict(success_fraction=0.0)),
    ("front:movement_caption", "data-movement", "rnn", dict(cost={"8": 10**9})),
    ("adding:findings", "adding-lags", "LSTM, T = 500", dict(solve_rate=0.9)),
    ("adding:rnn_sentence", "adding-headline", "tanh RNN", dict(solve_rate=0.9)),
    ("adding:rnn_sentence", "adding-headline", "tanh RNN, 5000 iterations", dict(test_mse=0.05)),
    ("adding:lesions_sentence", "adding-lesions", "LSTM", dict(random_mse=[0.6] * 20)),
    ("adding:cells_answer", "adding-cells", "IRNN", dict(solve_rate=0.0)),
    ("adding:weak_seeds_answer", "adding-crossing", "cosine", dict(validation_solve_rate=0.7)),
    ("adding:best_answer", "adding-search", "the same, averaged weights", dict(validation_mse=1e-9)),
    ("front:latching", "latching-table", "LSTM, forget bias 5", dict(success_fraction=0.0)),
    ("front:pathological", "pathological-scale", "ortho", UNSOLVED),
    ("latching:findings", "latching-tuning", "ten times the rate", dict(success_fraction=0.8)),
    ("latching:findings", "latching-table", "SRNN, U = ±1 (Keras)", dict(success_fraction=0.9)),
    ("latching:findings", "latching-table", "SRNN, U = ±0.73", dict(gradient_start=[1e-3] * 30)),
    ("latching:decides_sentence", "latching-table", "SRNN, U = +1.25", dict(success_fraction=0.1)),
    ("latching:decides_sentence", "latching-table", "LSTM, forget bias 5", dict(latch_end=[0.5] * 30)),
    ("latching:decides_sentence", "latching-table", "GRU (Keras)", dict(latch_end=[1.0] * 30)),
    ("latching:findings", "latching-table", "LSTM, chrono (told T)", dict(test_accuracy=[0.5] * 30)),
    ("latching:landscape_sentence", "latching-landscape", 100, dict(loss=[[0.01] * 61] * 61)),
    ("latching:chrono_note", "latching-table", "LSTM, chrono (told T)", dict(success_fraction=0.0)),
    ("latching:split_sentence", "latching-split", "question", dict(validation_accuracy=[0.5] * 30)),
    ("latching:relay_sentence", "latching-relay", "gru", dict(success_fraction=1.0)),
    ("lstm_1997:progress", "lstm-table-9", "literal", dict(status="interrupted")),
    ("lstm_1997_rivals:answer", "rivals-lag-4", 10.0, dict(trials_stopped=0)),
])
def test_an_answer_is_not_written_once_the_numbers_do_not_bear_it_out(block, study, chosen, final, results):
    make = tables.load()[block]
    assert make(results).count(".") >= 1
    with pytest.raises((ValueError, KeyError), match="no longer bears out|no run of"):
        make(changed(results, study, chosen, final))


def with_made_up_runs(results, name, like, final):
    """The results with a record of every run of a study, copies of one with other settings and figures."""
    study, made = studies.load()[name], []
    for k, settings in enumerate(settings for label in study.grid for settings in study.row(label)):
        record = copy_of(like(results, settings))
        made.append(record | dict(settings=studies.as_recorded(settings), final=record["final"] | final(k)))
    return results | {study.experiment: others(results, study) + made}


def test_the_gru_is_told_once_all_its_runs_are_there(results):
    def lstm(results, settings):
        return studies.find(results, "adding_problem", dict(seed=settings.seed, dtype="float64"))

    made = with_made_up_runs(results, "adding-headline", lstm, lambda k: {})
    made = with_made_up_runs(made, "adding-gru", lstm, lambda k: dict(solve_rate=0.8 + 0.02 * k))
    words = adding_problem.gru(made)
    assert "0.85 in 7 of 10 seeds, the LSTM in" in words and "medians are 0.890 and" in words
    assert [line.split(" | ")[0] for line in words.splitlines() if line.startswith("| ")][1:] == [
        "| LSTM, forget gate", "| GRU"]


def test_cells_with_gates_are_told_run_by_run(results):
    def headline(results, settings):
        return next(record for record in results["rnn_pathological"] if record["settings"]["task"] == settings.task)

    made = with_made_up_runs(results, "pathological-gated", headline, lambda k: dict(
        solved=k % 20 >= 10, updates_to_solve=300 if k % 20 >= 10 else None))
    words = rnn_pathological.gated(made)
    assert "The LSTM ends 0 of 30 runs solved, the GRU 30 of 30." in words and "at most 600 updates" in words
    rows = [line for line in words.splitlines() if line.startswith("| ")]
    assert len(rows) == 8 and "| temporal_order, GRU |" in words


def test_the_chunkers_causes_are_told_as_far_as_their_trials_go(results):
    from tables import lstm_1997_rivals as rivals

    def told(p, name, stopped, gaps):
        made = copy_of(results)
        rivals.cause_records(made)[p, name]["final"] |= dict(
            trials_stopped=stopped, sequences_to_success=[100] * stopped + [None] * (18 - stopped), named_gap=gaps)
        return rivals.causes_answer(made)

    assert "17 of 18 trials with p = 4" in told(4, rivals.NO_DIRECT, 17, [0.7] * 18)
    words = told(4, rivals.BIAS, 9, [0.2] * 9 + [0.05] * 9)
    assert "in 9 of 18 with p = 4 and 3 of 18 with p = 10: in those whose target differs by" in words
    assert "with both, 5 of 18 and 5 of 18 do" in words and "none of 54 trials stops" in words
    for wrong in ((4, rivals.BIAS, 9, [0.2] * 18), (4, rivals.NO_DIRECT, 3, [0.7] * 18),
                  (4, rivals.PLAIN, 18, [0.004] * 18), (4, rivals.PLAIN, 0, [0.5] * 18),
                  (100, rivals.BIAS, 1, [0.5] * 18),
                  (100, rivals.TARGET_AND_BIAS[0], 0, [0.5] * 18)):
        with pytest.raises(ValueError, match="no longer bears out"):
            told(*wrong)


def test_the_lesions_of_another_net_are_noticed(results):
    results = copy_of(results)
    [records] = studies.arms(results, "adding-lesions").values()
    for row in records[3]["final"]["lesions"]:
        if (row["into"], row["by"], row["steps"]) == ("g", "mean", "unmarked"):
            row["test_mse"] = 0.3
    for make in (adding_problem.lesions_sentence, adding_problem.findings):
        with pytest.raises(ValueError, match="no longer bears out"):
            make(results)


def test_gates_of_another_net_are_noticed(results):
    """Forget gates near 1, and input gates that nothing moves."""
    for name, value in (("b_f", 8.0), ("W_xi", 0.0)):
        changed_net = copy_of(results)
        for record in studies.arms(changed_net, "adding-headline")["LSTM"]:
            record["weights"][name] = np.full_like(record["weights"][name], value).tolist()
        with pytest.raises(ValueError, match="no longer bears out"):
            adding_problem.gates_sentence(changed_net)


def test_three_digits_of_large_numbers():
    said = [data_movement.short(number) for number in (547, 9_999, 12_345, 999_600, 79_883_008, 13_899_915_634)]
    assert said == ["547", "9,999", "12.3k", "1,000k", "79.9M", "13,900M"]


def test_steps_in_which_a_value_halves():
    assert [adding_problem.whole_steps(factor) for factor in (0.82, 0.93, 0.99)] == ["3 to 4", "9 to 10", "68 to 69"]


def test_the_matrix_summed_at_the_end_is_compared_with_the_states(results):
    results = copy_of(results)
    final = data_movement.final(results, weight_gradient="at_end")
    final["arrays"]["states"]["cost"]["8"] = 0
    with pytest.raises(ValueError, match="summed at the end the states are the largest"):
        data_movement.answer(results)


def in_float32(results, name, change=lambda final: None):
    """Results in which a study has records in float32 too: those in float64, the final figures changed."""
    results = copy_of(results)
    study = studies.load()[name]
    records = [record for label in study.grid for record in studies.arms(results, f"{name}-float64")[label]]
    for record in copy_of(records):
        record["settings"]["dtype"] = "float32"
        change(record["final"])
        results[study.experiment] = [other for other in results[study.experiment]
                                     if other["settings"] != record["settings"]] + [record]
    return results


@pytest.mark.parametrize("make, name, changes", [
    (adding_problem.precision_sentence, "adding-headline", [
        dict(solve_rate=0.9), dict(solve_rate=0.5), lambda final: dict(test_mse=2 * final["test_mse"]),
        lambda final: dict(test_mse=0.99 * final["test_mse"]), dict(test_mse=0.5)]),
    (rnn_pathological.precision_sentence, "pathological-headline", [
        dict(solved=True), dict(solved=False), lambda final: {
            metric: 0.999 * final[metric] for metric in ("test_mse", "test_accuracy") if metric in final}])])
def test_only_equal_precisions_are_said_to_differ_in_time_alone(make, name, changes, results):
    counter = iter(range(10**6))

    def noise(final):
        factor = 1 + 1e-3 * (-1) ** next(counter)
        final.update({metric: factor * final[metric] for metric in ("test_mse", "test_accuracy") if metric in final})

    assert re.search("nothing but time changes|counts hardly change", make(in_float32(results, name, noise)).lower())
    for change in changes:
        def changed(final, change=change):
            final.update(change(final) if callable(change) else change)
        with pytest.raises(ValueError, match="no longer bears out"):
            make(in_float32(results, name, changed))


def test_a_precision_that_held_the_rnn_back_would_be_noticed(results):
    assert "Over 100 seeds" in adding_problem.precision_sentence(results)
    made = copy_of(results)
    for record in studies.arms(made, "adding-rnn-precisions")["float32"][10:60]:  # none of the headline's ten
        record["final"]["test_mse"] = 0.7
    with pytest.raises(ValueError, match="no longer bears out"):
        adding_problem.precision_sentence(made)


def test_the_gain_over_torch_is_that_of_the_benchmarks(monkeypatch):
    """Said with its precision and processor; where torch is as fast, it is not said."""
    measured = writing.benchmark

    def equal(name):
        every = copy_of(measured(name))
        for record in every.values():
            record["headline_ratio"] = [1.0, 1.0, 1.0]
            for row in record["iteration"]:
                row.update(microseconds=1.0, ratio=[1.0, 1.0, 1.0])
        return every

    gain = {level: rows["torch eager, float32"]["ratio"][0]
            for level, rows in adding_problem.iterations("adding_problem", cell="lstm").items()}
    assert f"{gain['AVX2']:.1f} times as long" in adding_problem.speed_sentence(None) and gain["AVX2"] >= 1.8
    words = rnn_pathological.speed_sentence(None)
    assert re.search(r"torch eager's time over ours is [\d.]+ with AVX-512 and [\d.]+ with AVX2", words)
    assert "times as long in float64" in adding_problem.limits_sentence(None)
    for module in (adding_problem, writing):
        monkeypatch.setattr(module, "benchmark", equal)
    for make in (adding_problem.speed_sentence, adding_problem.whole_command, rnn_pathological.speed_sentence):
        with pytest.raises(ValueError, match="torch"):
            make(None)


def test_a_page_never_says_faster_than_torch_without_precision_and_processor():
    for page in tables.pages():
        for sentence in re.split(r"(?<=[.:|]) |\n\n", page.read_text(encoding="utf-8")):
            if re.search(r"torch", sentence) and re.search(r"[\d.]+ times|faster", sentence):
                assert re.search(r"float(32|64)", sentence), (page.name, sentence)
                assert re.search(r"AVX|processor|EPYC|Xeon", sentence), (page.name, sentence)


def test_the_rates_of_the_2013_table_follow_from_the_trials(results):
    results = copy_of(results)
    assert "0.0001" in rnn_pathological.table5_rates(results)
    trials = studies.arms(results, "pathological-sutskever-rates")
    for record in trials[("addition", "NAG", 0.995), 1e-3]:
        record["history"]["train_loss"][-1] = 0.08
    with pytest.raises(ValueError, match="the rule gives 0.001"):
        rnn_pathological.table5_rates(results)
