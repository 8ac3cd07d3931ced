"""What the studies cost, from their lists."""

import importlib
from pathlib import Path

import studies
from tables.writing import markdown


def cost(results):
    """Studies, cells and core-hours of every page."""
    rows = []
    for file in sorted(path.stem for path in Path(studies.__file__).parent.glob("[!_]*.py")):
        every = importlib.import_module(f"studies.{file}").STUDIES
        listed = [study for study in every if study.name != "smoke"]
        cells = sum(len(study.cells()) for study in listed)
        hours = sum(study.minutes for study in listed) / 60
        rows.append([f"[{file}]({file}.md)", len(listed), f"{cells:,}",
                     f"{hours:.1f}" if hours > 0.1 else "below 0.1"])
    return markdown(["page", "studies", "cells", "core-hours"], rows)


TABLES = {"running:cost": cost}
