"""The copies of shared code agree, and the check that says so notices planted drift."""

from pathlib import Path

import pytest
from shared_blocks import HOLDERS, drift

ROOT = Path(__file__).resolve().parent.parent
FILES = [path.name for path in ROOT.glob("*.py") if "# --- shared:" in path.read_text(encoding="utf-8")]

ONE = "# --- shared: sum ---\ndef f(x):\n    return x + 1\n# --- end shared ---\n"
TABLE = {"sum": {"a.py", "b.py"}}


def test_the_copies_agree():
    assert drift({name: (ROOT / name).read_text(encoding="utf-8") for name in FILES}, HOLDERS) == []


def test_equal_copies_pass_whatever_their_comments():
    assert drift({"a.py": ONE, "b.py": ONE.replace("x + 1", "x + 1  # one more")}, TABLE) == []


@pytest.mark.parametrize(
    "planted, complaint",
    [
        (ONE.replace("x + 1", "x + 2"), "b.py: block 'sum' has drifted"),
        (ONE.replace("x + 1\n", "x + 1\nprint()\n"), "b.py: block 'sum' has drifted"),
        ("# --- shared: sum ---\n# --- end shared ---\n", "b.py: block 'sum' has drifted"),
        ("", "b.py: block 'sum' is missing"),
        (ONE + ONE.replace("sum", "difference"), "b.py: block 'difference' is not listed"),
        (ONE + ONE, "b.py: markers do not pair, or a block stands twice"),
        (ONE.replace("# --- end shared ---\n", ""), "b.py: markers do not pair, or a block stands twice"),
    ],
)
def test_planted_drift_is_named(planted, complaint):
    assert drift({"a.py": ONE, "c.py": ONE, "b.py": planted}, {"sum": {"a.py", "b.py", "c.py"}}) == [complaint]


def test_an_absent_file_is_named():
    assert drift({"a.py": ONE}, TABLE) == ["b.py: no such file"]
