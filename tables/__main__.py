"""Writes every table and every sentence with a measured number into README.md and docs/*.md, from results.json.

    python3 docs/tables.py            rewrite the blocks between <!-- begin NAME --> and <!-- end NAME -->
    python3 docs/tables.py --check    exit 1 and name the blocks that differ from results.json

A block NAME is made by the function of that name in a docs/tables_<experiment>.py, from the whole of results.json (and,
for speed, from benchmarks/*.json).
"""

import importlib
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
BLOCK = re.compile(r"<!-- begin ([\w:]+) -->\n(.*?)<!-- end \1 -->\n", re.DOTALL)


def tables():
    """All block makers: dict of name to function(results) -> markdown."""
    modules = [importlib.import_module(path.stem) for path in sorted((ROOT / "docs").glob("tables_*.py"))]
    return {name: make for module in modules for name, make in module.TABLES.items()}


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def filled(text, makers, results):
    """The page's text with every block made anew. Raises ValueError for a block that no function makes."""

    def make(match):
        name = match[1]
        if name not in makers:
            raise ValueError(f"no function makes the block {name}")
        return f"<!-- begin {name} -->\n{makers[name](results).strip()}\n<!-- end {name} -->\n"

    if text.count("<!-- begin ") != len(BLOCK.findall(text)):
        raise ValueError("a block has no end")
    return BLOCK.sub(make, text)


def differences(results):
    """Names of the pages' blocks that are not what the results say, and of makers that no page uses."""
    makers, wrong, used = tables(), [], set()
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = dict(BLOCK.findall(filled(text, makers, results)))
        used |= new.keys()
        wrong += [f"{page.name}: {name}" for name, body in BLOCK.findall(text) if body != new[name]]
    return wrong + [f"unused: {name}" for name in sorted(makers.keys() - used)]


def main(argv):
    results = json.loads((ROOT / "results.json").read_text(encoding="utf-8"))
    if argv == ["--check"]:
        wrong = differences(results)
        print("\n".join(wrong) or "every block agrees with results.json")
        return int(bool(wrong))
    makers = tables()
    for page in pages():
        page.write_text(filled(page.read_text(encoding="utf-8"), makers, results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
