"""Code that several experiment files hold in copies, between marker comments, and the check that the copies agree."""

import ast
import re

CHECKED = {"adding_problem.py", "rnn_pathological.py", "information_latching.py", "lstm_1997.py"}

# Which file holds which block. A block that is not listed here is an error, and so is a listed one that is absent.
HOLDERS = {
    "streams": {*CHECKED, "data_movement.py"},
    "cells": {"adding_problem.py", "rnn_pathological.py"},
    "clip": {"adding_problem.py", "rnn_pathological.py"},
    "adam": {"adding_problem.py", "rnn_pathological.py", "information_latching.py"},
    "gradient check": CHECKED,
    "absent weights": {"adding_problem.py", "rnn_pathological.py"},
    "divergence": {"adding_problem.py", "rnn_pathological.py", "information_latching.py"},
}
BLOCK = re.compile(r"^# --- shared: ([^\n]+) ---\n(.*?)^# --- end shared ---$", re.MULTILINE | re.DOTALL)
MARKER = re.compile(r"^\s*#.*(?:shared:|end shared)", re.MULTILINE)


def blocks(source):
    """The shared blocks of a source text: dict of name to text. Raises ValueError for a marker without its partner."""
    found = BLOCK.findall(source)
    if len(MARKER.findall(source)) != 2 * len(found) or len(dict(found)) != len(found):
        raise ValueError("markers do not pair, or a block stands twice")
    return dict(found)


def drift(sources, holders):
    """Complaints about the shared blocks of sources, a dict of file name to text; an empty list when all agree.

    Blocks are compared as syntax trees: comments and layout may differ, code and docstrings may not.
    """
    complaints, trees = [], {}
    for file, source in sources.items():
        try:
            held = blocks(source)
        except ValueError as error:
            complaints.append(f"{file}: {error}")
            continue
        expected = {name for name, files in holders.items() if file in files}
        complaints += [f"{file}: block '{name}' is missing" for name in sorted(expected - held.keys())]
        complaints += [f"{file}: block '{name}' is not listed" for name in sorted(held.keys() - expected)]
        for name in expected & held.keys():
            trees.setdefault(name, {})[file] = ast.dump(ast.parse(held[name]))
    complaints += [f"{file}: no such file" for file in sorted(set().union(*holders.values()) - sources.keys())]
    for name, by_file in trees.items():
        versions = list(by_file.values())
        common = max(versions, key=versions.count)
        complaints += [f"{file}: block '{name}' has drifted" for file, tree in by_file.items() if tree != common]
    return complaints
