"""README and docs: every block agrees with the committed results.json, links lead somewhere, commands run."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT, run_script

sys.path.insert(0, str(ROOT / "docs"))
import tables  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def committed(path):
    """A file as it is in git's last commit, so that a local run does not turn the tests red; else the file."""
    shown = subprocess.run(["git", "-C", str(ROOT), "show", f"HEAD:{path}"], capture_output=True, text=True)
    return shown.stdout if shown.returncode == 0 else (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results():
    return json.loads(committed("results.json"))


def test_every_block_agrees_with_the_committed_results(results):
    assert tables.differences(results) == []


def test_a_changed_figure_is_noticed(results):
    text = "<!-- begin adding:ten_seeds -->\n| LSTM | 0.00001 |\n<!-- end adding:ten_seeds -->\n"
    assert tables.filled(text, tables.tables(), results) != text
    with pytest.raises(ValueError):
        tables.filled("<!-- begin no:such -->\n<!-- end no:such -->\n", tables.tables(), results)
    with pytest.raises(ValueError):
        tables.filled("<!-- begin adding:ten_seeds -->\n", tables.tables(), results)


def test_analysis_of_variance():
    import numpy as np
    from tables_adding_studies import two_way

    rows, columns = np.arange(6.0)[:, None], np.arange(4.0)
    noise = np.random.default_rng(0).normal(0, 0.1, (6, 4))
    weights, data, rest, f_weights, f_data = two_way(rows + noise)
    assert weights > 0.95 and f_weights > 100 and f_data < 5 and weights + data + rest == pytest.approx(1)
    assert two_way(columns + noise)[1] > 0.95
    assert two_way(10 * columns + 10 * rows + noise)[2] < 0.01


def test_wilson_intervals():
    from tables_rnn_pathological import wilson

    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Newcombe (1998), method 3
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page):
    for target in re.findall(r"\]\(([^)#]+?)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def commands(page):
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return sorted({line for line in lines if line.startswith("python3 ")})


SMOKE = {
    "reproduce.py": "",
    "adding_problem.py": "--T 10 --hidden 3 --iters 20 --eval-every 10",
    "data_movement.py": "--T 10",
    "data_movement.py --all": "--longest 25",
    "visualize_data_movement.py": f"--results {ROOT / 'results.json'}",
    "visualize_adding_problem.py": "--T 10 --hidden 3 --iters 20 --rnn-iters 20",
    "adding_problem.py --best": "--T 10 --hidden 3 --iters 20",
    "visualize_adding_studies.py": f"--results {ROOT / 'results.json'}",
    "studies_adding_problem.py": "",
    "make_adding_problem_gif.py": "--T 10 --hidden 3 --iters 20 --snapshot-every 10",
    "lstm_1997.py": "--max-sequences 100 --trials 2 --quiet",
    "lstm_1997_rivals.py": "--max-sequences 100 --trials 2 --quiet",
    "visualize_lstm_1997.py": f"--results {ROOT / 'results.json'}",
    "visualize_lstm_1997_rivals.py": f"--results {ROOT / 'results.json'}",
    "information_latching.py": "--repeats 2 --updates 2",
    "information_latching.py --study split": "--repeats 2 --samples 500 --epochs 1",
    "information_latching.py --study landscape": "",
    "visualize_information_latching.py": f"--results {ROOT / 'results.json'}",  # its studies have no smoke size
    "rnn_pathological.py": "--hidden 3 --epochs 1 --batches-per-epoch 2",
    "rnn_pathological.py --all": "--hidden 3 --epochs 1 --batches-per-epoch 2",
    "visualize_rnn_pathological.py": f"--results {ROOT / 'results.json'}",
    "make_rnn_pathological_gif.py": f"--results {ROOT / 'results.json'}",
    "studies_rnn_pathological.py": "",
    "studies_lstm_1997.py": "",
    "studies_lstm_1997.py --run": "--trials 2 --max-sequences 100",
    "temporal_order_study.py": "--sequence-len 10 --hidden 4 --updates 5",
}


def smoke(script, flags):
    """Flags that make a command small: those of the longest start of it that SMOKE knows."""
    words = [script, *flags]
    return next(SMOKE[start] for end in range(len(words), 0, -1) if (start := " ".join(words[:end])) in SMOKE)


@pytest.mark.parametrize("command", sorted({command for page in PAGES for command in commands(page)}))
def test_every_command_runs_at_smoke_size(command, tmp_path):
    script, *flags = shlex.split(command)[1:]
    checks = "--gradcheck" in flags or "--check" in flags
    small = [] if checks else shlex.split(smoke(script, flags))
    if script == "reproduce.py" and checks:
        run_script(script, flags[0], cwd=tmp_path)  # what is checked
    run = run_script(script, *flags, *small, cwd=tmp_path)
    assert run.returncode == 0 and run.stderr == "", run.stderr


def test_gradient_check_output_in_the_docs_is_of_this_form(tmp_path):
    def without_numbers(text):
        return re.sub(r"\d\.\de[-+]\d\d|\([^)]*\)|\s+", "", text)

    output = run_script("adding_problem.py", "--gradcheck", cwd=tmp_path).stdout
    page = (ROOT / "docs" / "adding_problem.md").read_text(encoding="utf-8")
    shown = re.search(r"--gradcheck\n(.*?)```", page, re.DOTALL)[1]
    assert without_numbers(shown) == without_numbers(output)
    assert all(float(error) <= 1e-10 for error in re.findall(r"error (\S+) \(complex", shown))


def test_the_command_of_every_record_is_one_of_the_projects(results):
    records = [record for part in results.values() if isinstance(part, list) for record in part]
    for command in {record["provenance"]["command"] for record in records}:
        python, script, *_ = command.split()
        assert python == "python3" and (ROOT / script).parent == ROOT and (ROOT / script).exists(), command


def test_stored_weights_give_the_recorded_final_figures(results):
    import adding_problem as ap

    for record in results["adding_problem"]:
        if record.get("weights") and record["final"]["status"] == "done":
            settings = ap.Settings(**record["settings"])
            x, target = ap.held_out(settings)
            net = ap.build(settings.cell, settings.hidden, settings.T, ap.N_TEST)
            for name, tensor in net.tensors(net.theta).items():
                tensor[:] = record["weights"][name]
            assert ap.evaluate(net, x, target)["test_mse"] == pytest.approx(record["final"]["test_mse"], rel=1e-9)
            assert ap.evaluate(net, x, target)["solve_rate"] == record["final"]["solve_rate"]


def test_the_recipe_reaches_its_figures(results):
    """Seeds 0-9 of the headline recipe: every test MSE below 0.005, median at most 0.001, median solve rate 0.83."""
    import numpy as np

    import adding_problem as ap

    finals = []
    for seed in range(10):
        wanted = ap.dataclasses.asdict(ap.Settings(seed=seed))
        [record] = [record for record in results["adding_problem"] if record["settings"] == wanted]
        finals.append(record["final"])
    mse = [final["test_mse"] for final in finals]
    assert max(mse) < 0.005 and np.median(mse) <= 0.001
    assert np.median([final["solve_rate"] for final in finals]) >= 0.83


def test_committed_files_name_no_machine_and_no_registry():
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True).stdout.split()
    forbidden = re.compile(r"/(?:root|home|tmp|work)/[\w.]|pypi\.|files\.pythonhosted|--(?:extra-)?index-url")
    for name in listed:
        if not name.endswith((".png", ".gif", ".npz")) and name != "tests/test_docs.py":
            found = forbidden.search((ROOT / name).read_text(encoding="utf-8"))
            assert not found, f"{name}: {found[0]}"
