"""A record's fingerprint changes with what decides its figures, with nothing else, and not with Python's version; and
every experiment is one file once bundled."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from other_pythons import other_pythons

import harness
import provenance

EXPERIMENTS = sorted(path.stem for path in ROOT.glob("*.py") if "\nEXPERIMENT =" in path.read_text(encoding="utf-8"))
ASKING = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).CODE.fingerprint for name in sys.argv[1:]}))
"""
NO_NUMPY = "import sys, unittest.mock\nsys.modules[__name__] = unittest.mock.MagicMock(ndarray=float)\n"


def pythons():
    """This Python and the newest other one on the machine."""
    return [sys.executable, *list(other_pythons().values())[:1]]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the programs with a numpy that only pretends: a fingerprint is made of the text alone."""
    folder = tmp_path_factory.mktemp("copy")
    for path in ROOT.glob("*.py"):
        shutil.copy(path, folder)
    (folder / "numpy.py").write_text(NO_NUMPY)
    return folder


def fingerprints(folder, python):
    command = [python, "-c", ASKING, *EXPERIMENTS]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # files change within a second
    asked = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)


@pytest.fixture(scope="module", params=pythons(), ids=os.path.basename)
def asked(request, copy):
    """(changed(changes), before): which experiments have other fingerprints after changes, each (file, old, new), under
    a Python."""
    before = fingerprints(copy, request.param)

    def changed(changes):
        sources = {file: (copy / file).read_text(encoding="utf-8") for file, _, _ in changes}
        try:
            for file, old, new in changes:
                text = (copy / file).read_text(encoding="utf-8")
                assert re.findall(old, text), f"{file} has no {old}"
                (copy / file).write_text(re.sub(old, new, text, count=1), encoding="utf-8")
            after = fingerprints(copy, request.param)
        finally:
            for file, source in sources.items():
                (copy / file).write_text(source, encoding="utf-8")
        return {name for name in EXPERIMENTS if after[name] != before[name]}

    return changed, before


def test_every_python_gives_the_same(asked):
    import importlib

    assert asked[1] == {name: importlib.import_module(name).CODE.fingerprint for name in EXPERIMENTS}
    assert None not in asked[1].values() and len(set(asked[1].values())) == len(EXPERIMENTS)


NOTHING = [  # file, pattern, replacement
    ("adding_problem.py", r'"steps in a sequence"', '"how long a sequence is"'),
    ("adding_problem.py", r"low=2, high=100_000", "low=2, high=200_000"),
    ("adding_problem.py", r"solve rate median", "rate median"),
    ("harness.py", r"worst relative error", "largest relative error"),
    ("adding_problem.py", r'"""One training iteration', '"""An iteration'),
    ("adding_problem.py", r"# c_t = i_t g_t", "# the state: i_t g_t"),
    ("harness.py", r"what ended is saved", "what has ended is saved"),
    ("records.py", r"\} left\"", '} to go"'),
    ("records.py", r"def wilson\(successes, n, z=1.959964\)", "def wilson(successes, n, z=2.575829)"),
    ("provenance.py", r"round\(wall_seconds, 2\)", "round(wall_seconds, 3)"),
]


def test_what_decides_no_figure_makes_nothing_stale(asked):
    assert asked[0](NOTHING) == set()


ADDING = {"adding_problem", "adding_lesions"}
SOMETHING = [  # changes of different files, (file, pattern, replacement), and the experiments whose records are stale
    ([("adding_problem.py", r"dz_o \*= dh", "dz_o *= -dh"),
      ("information_latching.py", r"self.beta1, self.beta2", "self.beta2, self.beta1")],
     {*ADDING, "information_latching"}),
    ([("adding_problem.py", r"harness.setting\(100, \"steps", 'harness.setting(101, "steps'),
      ("rnn_pathological.py", r"dz \*= dh", "dz *= -dh")], {*ADDING, "rnn_pathological", "temporal_order_study"}),
    ([("adding_problem.py", r"N_TEST = 512", "N_TEST = 513"),
      ("temporal_order_study.py", r"POINTS = 100", "POINTS = 101")], {*ADDING, "temporal_order_study"}),
    ([("adding_problem.py", r'"irnn": 0.01', '"irnn": 0.02')], ADDING),
    ([("adding_problem.py", r"rng.uniform\(-1, 1, \(T, n\)\)", "rng.uniform(0, 1, (T, n))")], ADDING),
    ([("adding_lesions.py", r"DRAWS = 20", "DRAWS = 21")], {"adding_lesions"}),
]


@pytest.mark.parametrize("changes, stale", SOMETHING)
def test_a_sign_or_a_number_makes_the_experiments_that_use_it_stale(asked, changes, stale):
    assert asked[0](changes) == stale


def test_f_strings_and_docstrings_are_read_alike_everywhere():
    def text(source):
        import ast

        return provenance.canonical(ast.parse(source).body[0])

    assert text('def f():\n    "doc"\n    return 1') == text("def f(): return 1") != text("def f(): return 2")
    assert text("x = f'{a}b{c!r:>{n}}'") == text('x = f"{a}b{c!r:>{n}}"') != text("x = f'{a}b{c!r:<{n}}'")
    assert text("x = f'a' f'{b}' 'c'") == text("x = f'a{b}c'")
    assert text("x = None") != text("x = 0") != text("x = False")
    assert text("x = setting(1, 'help', low=2)") == text("x = setting(1, 'other', low=3)")
    assert text("x = setting(1, otherwise=2)") != text("x = setting(1, otherwise=3)")


ALLOWED = {  # what the code behind a fingerprint may take from harness.py: nothing of it is a number that is kept
    "Code", "CommonOptions", "OneByOne", "Progress", "ResultsError", "SideBySide", "by", "change", "checkpoint_path",
    "complain", "fill", "flag_of", "provenance", "read_checkpoint", "resumable", "say", "setting", "stopped", "strict",
    "write_checkpoint"}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_number_of_harness_reaches_a_figure(name):
    import ast
    import importlib

    used = set()
    for _, _, nodes in importlib.import_module(name).CODE.closure():
        leaves = [leaf for node in nodes for leaf in ast.walk(node) if isinstance(leaf, ast.Attribute)]
        used |= {leaf.attr for leaf in leaves if isinstance(leaf.value, ast.Name) and leaf.value.id == "harness"}
    assert used <= ALLOWED and "setting" in used


# One file


SMALL = {
    "adding_problem": "--T 10 --hidden 3 --iters 20 --eval-every 10",
    "adding_lesions": "--T 10 --hidden 3 --iters 20",
    "rnn_pathological": "--hidden 3 --epochs 1 --batches-per-epoch 2",
    "temporal_order_study": "--sequence-len 10 --hidden 4 --updates 5",
    "information_latching": "--repeats 2 --updates 2",
    "data_movement": "--T 10",
}
PAPER = "--max-sequences 100 --trials 2"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_bundled_experiment_runs_alone_and_gives_the_same(name, tmp_path):
    flags = SMALL.get(name, "" if name == "latch_landscape" else PAPER).split()
    (tmp_path / "alone").mkdir()
    single = tmp_path / "alone" / "handed_out.py"
    single.write_text(harness.bundle(ROOT / f"{name}.py"), encoding="utf-8")
    made = []
    for folder, script in ((tmp_path, ROOT / f"{name}.py"), (tmp_path / "alone", single)):
        command = [sys.executable, *(["-I"] if script is single else []), str(script), *flags, "--quiet"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert run.returncode == 0 and run.stderr == "", run.stderr
        made.append(json.loads((folder / "results.json").read_text())[name])
    for record in made[0] + made[1]:
        assert record["provenance"].pop("fingerprint") == __import__(name).CODE.fingerprint
        del record["provenance"]
    assert made[0] == made[1]
