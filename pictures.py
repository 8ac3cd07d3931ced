"""What visualizers share: the look of the pictures, their folder, and how they are saved."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")  # Okabe & Ito

plt.rcParams.update({
    "figure.dpi": 120, "savefig.dpi": 120, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 11, "legend.frameon": False,
})


def writable_folder(path):
    """Creates a folder if need be. Raises OSError unless a file can be written in it."""
    os.makedirs(path, exist_ok=True)
    probe = Path(path, f".{os.getpid()}.tmp")
    probe.touch()
    probe.unlink()


def run_first(script, *words):
    """Runs the program that makes a missing record. Raises SystemExit with its exit code if it fails."""
    code = subprocess.run([sys.executable, str(script), *words]).returncode
    if code:
        raise SystemExit(code)


def save(figures, folder):
    """Writes figures, given as pairs of name and figure, as PNG files into a folder, and prints their paths."""
    for name, figure in figures:
        path = Path(folder, f"{name}.png")
        figure.savefig(path, metadata={"Software": None})
        plt.close(figure)
        print(path)
