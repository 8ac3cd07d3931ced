"""Writes adding_problem.npz: outputs, losses and gradients of every cell, computed by torch in double precision.

    python3 tests/reference/make_adding_problem.py
"""

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parent.parent)]

from torch_models import loss_and_gradient  # noqa: E402

import adding_problem as ap  # noqa: E402

T, H, B = 40, 5, 6

if __name__ == "__main__":
    arrays = {}
    x, target = ap.make_sequences(np.random.Generator(np.random.PCG64(1)), T, B)
    arrays |= {"x": x, "target": target}
    for seed, cell in enumerate(("lstm", "lstm1997", "rnn", "irnn", "gru")):
        rng = np.random.Generator(np.random.PCG64(seed))
        net = ap.build(ap.Settings(cell=cell, hidden=H, T=T, dtype="float64"), B)
        net.theta[:] = rng.normal(0, 0.4, net.theta.size)
        weights = {name: value.copy() for name, value in net.tensors(net.theta).items()}
        y, loss, gradients = loss_and_gradient(cell, weights, x, target)
        arrays |= {f"{cell}/y": y, f"{cell}/loss": loss, f"{cell}/theta": net.theta.copy()}
        arrays |= {f"{cell}/grad/{name}": gradient for name, gradient in gradients.items()}
    np.savez_compressed(FOLDER / "adding_problem.npz", **arrays)
