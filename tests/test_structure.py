"""The structure of the project: imports go one way, and nothing stands twice but what is held equal on purpose."""

import ast
import collections
import re

import pytest
from conftest import ROOT

PLUMBING = ("provenance", "records", "flags", "harness")
FOLDERS = ("studies", "tables", "analysis")
FILES = sorted([*ROOT.glob("*.py"), *(path for name in FOLDERS for path in (ROOT / name).glob("*.py"))])
FILES = [path for path in FILES if path.name != "setup.py"]
EXPERIMENTS = [path.stem for path in FILES if "\nEXPERIMENT =" in path.read_text(encoding="utf-8")]


def part(name):
    """What a module is, by its dotted name."""
    first = name.split(".")[0]
    if first in PLUMBING:
        return "plumbing"
    if first in EXPERIMENTS:
        return "experiment"
    if first in FOLDERS:
        return first
    return "visualizer" if first.startswith(("visualize_", "make_")) else first


MAY_IMPORT = {
    "plumbing": {"plumbing"},
    "experiment": {"plumbing", "experiment"},
    "studies": {"plumbing", "experiment", "studies"},
    "analysis": {"plumbing", "experiment", "studies", "analysis"},
    "pictures": {"plumbing"},
    "visualizer": {"plumbing", "experiment", "studies", "analysis", "pictures", "visualizer"},
    "tables": {"plumbing", "experiment", "studies", "analysis", "tables"},
    "reproduce": {"plumbing", "studies"},
}


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(tree):
    """The modules of ours that a syntax tree imports, anywhere in it."""
    ours = {*PLUMBING, *EXPERIMENTS, *FOLDERS, *(path.stem for path in ROOT.glob("*.py"))}
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [name for name in names if name.split(".")[0] in ours]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_one_way(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = imports(tree)
    assert {part(name) for name in found} <= MAY_IMPORT[part(name_of(path))], found
    if path.stem in PLUMBING:
        assert set(found) <= set(PLUMBING[: PLUMBING.index(path.stem)])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_imports_harness_and_the_one_it_extends(name):
    tree = ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8"))
    found = imports(tree)
    assert len(found) <= 2 and found.count("harness") == 1
    for node in tree.body:
        assert not isinstance(node, ast.ImportFrom) or node.module not in (*PLUMBING, *EXPERIMENTS)


def copies(sources):
    """Functions of seven or more lines that stand in two files outside the shared blocks: (name, files)."""
    places = collections.defaultdict(set)
    for file, source in sources.items():
        source = re.sub(r"^# --- shared: .*?^# --- end shared ---$", "", source, flags=re.MULTILINE | re.DOTALL)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 >= 7:
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                places[node.name, ast.dump(ast.Module(body, []))].add(file)
    return [(name, sorted(files)) for (name, _), files in places.items() if len(files) > 1]


def test_no_long_function_stands_twice():
    assert copies({name_of(path): path.read_text(encoding="utf-8") for path in FILES}) == []


def test_a_planted_copy_is_noticed():
    text = "def f(x):\n" + "".join(f"    x += {k}\n" for k in range(6))
    assert copies({"a": text, "b": "y = 1\n\n\n" + text}) == [("f", ["a", "b"])]
    shared = f"# --- shared: f ---\n{text}# --- end shared ---\n"
    assert copies({"a": shared, "b": text}) == []


def test_long_lines_are_rare():
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        long = sum(len(line) > 100 for line in lines)
        share = 0.06 if part(name_of(path)) in ("plumbing", "experiment", "studies", "reproduce") else 0.13
        assert long <= share * len(lines) or path.parent.name == "tables", f"{path.name}: {long} of {len(lines)}"
