"""Every table and every sentence with a measured number in README.md and docs/*.md, from results.json.

A block NAME, between <!-- begin NAME --> and <!-- end NAME -->, is made by the function of that
name in the dict TABLES of a module of this folder: function(results) -> markdown, from the whole
of results.json (and, for speed, from benchmarks/*.json). A block stands on lines of its own, or
within a line, as in a cell of a table. The modules are found here; nothing else names them.
`python3 -m tables` writes the blocks."""

import importlib
import pkgutil
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"<!-- begin ([\w:]+) -->(.*?)<!-- end \1 -->", re.DOTALL)


def load():
    """All block makers: dict of name to function(results) -> markdown."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "__main__")
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {name: make for module in modules for name, make in getattr(module, "TABLES", {}).items()}


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def filled(text, makers, results):
    """The page's text with every block made anew. Raises ValueError for a block that no function
    makes."""

    def make(match):
        name = match[1]
        if name not in makers:
            raise ValueError(f"no function makes the block {name}")
        body = makers[name](results).strip()
        if match[2].startswith("\n"):
            body = f"\n{body}\n"
        elif "\n" in body or "|" in body:
            raise ValueError(f"the block {name} does not fit into a line")
        return f"<!-- begin {name} -->{body}<!-- end {name} -->"

    if text.count("<!-- begin ") != len(BLOCK.findall(text)):
        raise ValueError("a block has no end")
    return BLOCK.sub(make, text)


def differences(results):
    """Names of the pages' blocks that are not what the results say, and of makers that no page
    uses."""
    makers, wrong, used = load(), [], set()
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = dict(BLOCK.findall(filled(text, makers, results)))
        used |= new.keys()
        wrong += [f"{page.name}: {name}" for name, body in BLOCK.findall(text) if body != new[name]]
    return wrong + [f"unused: {name}" for name in sorted(makers.keys() - used)]
