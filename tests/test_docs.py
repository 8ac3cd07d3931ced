"""README and docs: every block agrees with the committed results.json, commands run."""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT, run_script, shipped_results

import harness
import tables

PAGES = tables.pages()


def test_every_block_agrees_with_the_committed_results(results):
    assert tables.differences(results) == []


def test_a_changed_figure_is_noticed(results):
    makers = {"a:table": lambda results: "| LSTM | 1 |\n", "a:sentence": lambda results: "It is 1."}
    for text in ("<!-- begin a:table -->\n| LSTM | {} |\n<!-- end a:table -->\n",
                 "| question | <!-- begin a:sentence -->It is {}.<!-- end a:sentence --> | page |\n"):
        assert tables.filled(text.format(2), makers, results) == tables.filled(text.format(1), makers, results)
        assert tables.filled(text.format(1), makers, results) == text.format(1)
    for text in ("<!-- begin no:such -->\n<!-- end no:such -->\n", "<!-- begin a:table -->\n",
                 "| <!-- begin a:table --><!-- end a:table --> |"):  # a table in a cell
        with pytest.raises(ValueError):
            tables.filled(text, makers, results)


def test_wilson_intervals():
    assert harness.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Newcombe (1998), method 3
    assert harness.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert harness.wilson(9, 10) == pytest.approx((0.596, 0.982), abs=1e-3)


def copy_without_git(folder, own_runs):
    """A copy of what the pages' tests read; own_runs: change the headline, as a run there does."""
    for name in ("harness.py", "flags.py", "records.py", "provenance.py", "adding_problem.py"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    shipped = [record for record in harness.read_results(ROOT / "results.json")["data_movement"]
               if record["provenance"]["git_commit"]]
    harness.write_results(folder / "results.json", {"schema": 1, "data_movement": shipped})
    if own_runs:
        run = [sys.executable, "adding_problem.py", "--T", "10", "--iters", "3", "--quiet"]
        subprocess.run(run, cwd=folder, check=True, capture_output=True, env=os.environ | {"GIT_DIR": str(folder)})


@pytest.mark.parametrize("own_runs", (False, True))
def test_in_a_copy_without_git_own_runs_turn_no_page_red(own_runs, tmp_path, monkeypatch):
    copy_without_git(tmp_path, own_runs)
    monkeypatch.setenv("GIT_DIR", str(tmp_path))  # no repository
    assert (shipped_results(tmp_path) is None) == own_runs
    monkeypatch.setenv("PATH", str(tmp_path))  # no git either
    assert (shipped_results(tmp_path) is None) == own_runs


def commands(page):
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [re.split("[#>]", line)[0].strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return sorted({line for line in lines if line.startswith("python3 ")})


SMOKE = {  # flags that make a command small; visualizers read the committed records
    "reproduce.py": "--within 0",  # names and flags are checked, the plan is made, nothing runs
    "reproduce.py --list": "",
    "reproduce.py smoke": "",
    "-m studies": "",
    "adding_problem.py": "--T 10 --hidden 3 --iters 20 --eval-every 10",
    "adding_problem.py --best": "--T 10 --hidden 3 --iters 20",
    "adding_lesions.py": "--T 10 --hidden 3 --iters 20",
    "data_movement.py": "--T 10",
    "visualize_adding_problem.py": "--T 10 --hidden 3 --iters 20 --rnn-iters 20",
    "make_adding_problem_gif.py": "--T 10 --hidden 3 --iters 20 --snapshot-every 10",
    "lstm_1997.py": "--max-sequences 100 --trials 1 --quiet",
    "lstm_1997.py --all": "--max-sequences 100 --trials 1 --quiet --T 100",  # of all rows, below
    "lstm_1997_rivals.py": "--max-sequences 100 --trials 2 --quiet",
    "cascade_correlation.py": "--max-sequences 100 --trials 1 --hidden 1 --quiet",
    "constant_sources.py": "--max-sequences 100 --trials 2 --quiet",
    "weight_guessing.py": "--max-sequences 100 --trials 2 --quiet",
    "information_latching.py": "--repeats 2 --updates 2",
    "latch_landscape.py": "--points 3 --sequences 4",
    "rnn_pathological.py": "--hidden 3 --epochs 1 --batches-per-epoch 2",
    "rnn_pathological.py --all": "--hidden 3 --epochs 1 --batches-per-epoch 2",
    "temporal_order_study.py": "--sequence-len 10 --hidden 4 --updates 5",
}
DRAWN = ("visualize_adding_studies.py", "visualize_data_movement.py", "visualize_information_latching.py",
         "visualize_lstm_1997.py", "visualize_lstm_1997_rivals.py", "visualize_rnn_pathological.py")


EXPERIMENTS = [path.stem for path in ROOT.glob("*.py") if "\nEXPERIMENT =" in path.read_text(encoding="utf-8")]


def smoke(script, flags):
    """Flags that make a command small: those of the longest start of it that SMOKE knows."""
    words = [script, *flags]
    return next(SMOKE[start] for end in range(len(words), 0, -1) if (start := " ".join(words[:end])) in SMOKE)


def run_small(script, flags, cwd):
    """A command of the pages at smoke size."""
    small = shlex.split(smoke(script, flags))
    if script == "-m":
        command = [sys.executable, "-m", *flags, *small]
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    if script == "reproduce.py" and "--check" in flags:
        run_script(script, flags[0], cwd=cwd)  # what is checked
    return run_script(script, *flags, *small, cwd=cwd)


def run_here(script, flags, capsys):
    """An experiment's command of the pages at smoke size, in this process and the present folder."""
    code = importlib.import_module(script.removesuffix(".py")).main([*flags, *shlex.split(smoke(script, flags))])
    return subprocess.CompletedProcess(flags, code, *capsys.readouterr())


# The gradient check itself is run by their own tests: here only that the command leads to it
CHECKED = ("cascade_correlation", "data_movement", "lstm_1997", "lstm_1997_rivals", "rnn_pathological")


def test_what_leads_to_a_gradient_check_here_is_run_elsewhere():
    for name in CHECKED:
        text = (ROOT / "tests" / f"test_{name}.py").read_text(encoding="utf-8")
        assert re.search(r"assert \w+\.(gradcheck_all\(\)|main\(\[\"--gradcheck\"\]\)) == 0", text), name


@pytest.mark.parametrize("command", sorted({command for page in PAGES for command in commands(page)}))
def test_every_command_runs_at_smoke_size(command, tmp_path, monkeypatch, capsys, run_once, short_results):
    script, *flags = shlex.split(command)[1:]
    name = script.removesuffix(".py")
    if "--gradcheck" in flags and name in CHECKED:
        experiment, led = importlib.import_module(name), []
        monkeypatch.setattr(experiment, "gradcheck_all", lambda *args: led.append(args) or 0)
        assert experiment.main(flags) == 0 and len(led) == 1
        return
    if "--gradcheck" in flags:
        _, run = run_once(script, *flags)
    elif script in DRAWN:
        assert set(flags) <= {"--outdir", "viz"}  # the default: the same command as without
        _, run = run_once(script, "--results", ROOT / "results.json")
    elif script == "make_rnn_pathological_gif.py":
        run = run_script(script, *flags, "--results", short_results, cwd=tmp_path)
    elif script == "harness.py":
        run = run_script(script, *flags, cwd=ROOT)
        (tmp_path / "one_file.py").write_text(run.stdout, encoding="utf-8")
        small = [sys.executable, "one_file.py", *shlex.split(SMOKE[flags[-1]])]
        subprocess.run(small, cwd=tmp_path, check=True, capture_output=True)
    elif name in EXPERIMENTS:
        monkeypatch.chdir(tmp_path)
        run = run_here(script, flags, capsys)
    else:
        run = run_small(script, flags, tmp_path)
    assert run.returncode == 0 and run.stderr == "", run.stderr


def test_all_of_lstm_1997_is_every_row(tmp_path):
    import lstm_1997 as lstm

    runs, *_ = lstm.parse(["--all", "--out", str(tmp_path / "results.json")])
    assert sorted(settings.row for settings in runs) == sorted(lstm.TABLE_ROWS)


@pytest.fixture(scope="session")
def short_results(tmp_path_factory):
    """The committed records of the pathological tasks with three points of each curve."""
    records = harness.read_results(ROOT / "results.json")["rnn_pathological"]
    for record in records:
        record["history"] = {name: column[:3] for name, column in record.get("history", {}).items()}
    path = tmp_path_factory.mktemp("short") / "results.json"
    path.write_text(json.dumps({"schema": 1, "rnn_pathological": records}))
    return path


def test_gradient_check_output_in_the_docs_is_of_this_form(run_once):
    def without_numbers(text):
        return re.sub(r"\d\.\de[-+]\d\d|\([^)]*\)|\s+", "", text)

    _, run = run_once("adding_problem.py", "--gradcheck")
    output = run.stdout
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
    """On any processor: it rounds in its own way, which in float32 shows in the sixth digit."""
    import adding_problem as ap

    stored = [record for record in results["adding_problem"]
              if record.get("weights") and record["final"]["status"] == "done"]
    assert stored
    for record in stored:
        settings = ap.Settings(**record["settings"])
        x, target = ap.held_out(settings)
        net = ap.build(settings, ap.N_TEST)
        for name, tensor in net.tensors(net.theta).items():
            tensor[:] = record["weights"][name]
        found, final = ap.evaluate(net, x, target), record["final"]
        rel, sequences = (1e-4, 2) if settings.dtype == "float32" else (1e-9, 0)
        assert found["test_mse"] == pytest.approx(final["test_mse"], rel=rel)
        assert found["solve_rate"] == pytest.approx(final["solve_rate"], abs=sequences / ap.N_TEST)


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
