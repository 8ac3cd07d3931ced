"""Outputs and gradients of the nets of lstm_1997_rivals.py by torch, for tests on machines without torch.

    python3 tests/reference/make_lstm_1997_rivals.py        writes lstm_1997_rivals.npz beside this file
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
import lstm_1997 as lstm
import lstm_1997_rivals as rivals

FILE = Path(__file__).with_suffix("").with_name("lstm_1997_rivals.npz")
CASES = {
    "layered": dict(method="bptt", p=12), "three hidden": dict(method="bptt", p=6, hidden=3),
    "fully recurrent": dict(method="bptt", experiment="1", hidden=3)}


def case(name):
    """Settings, layout, weights (2, size), and one sequence for each lane: x, target (T, 2), end (2,)."""
    settings = rivals.Settings(**CASES[name])
    layout, trials = rivals.Layout(settings), [rivals.Trial(settings, seed) for seed in (0, 1)]
    theta = 4 * np.array([trial.start(layout.size) for trial in trials])
    return settings, layout, theta, *(part[0] for part in lstm.side_by_side([trial.draw(1) for trial in trials]))


def torch_net(layout, theta, x, target, end):
    """Outputs (T, K) of one lane and the gradient of half its squared error, by torch's automatic differentiation."""
    import torch

    weights = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    pieces = torch.split(weights, np.diff([0, *layout.ends]).tolist())
    W_h, V_h, W_o, V_o = (piece.reshape(part) for piece, part in zip(pieces, layout.parts))
    h, y, outputs = torch.zeros(layout.hidden).double(), torch.zeros(layout.outputs).double(), []
    for t in range(end + 1):
        h_new = torch.sigmoid(W_h @ (torch.cat([h, y]) if layout.feedback else h) + V_h[x[t]])
        y = torch.sigmoid(W_o @ (torch.cat([h_new, y]) if layout.feedback else h_new) + V_o[x[t]])
        h = h_new
        outputs.append(y)
    outputs = torch.stack(outputs)
    wanted = torch.nn.functional.one_hot(torch.tensor(target[: end + 1]), layout.outputs).double()
    (0.5 * (wanted - outputs).square().sum()).backward()
    return outputs.detach().numpy(), weights.grad.numpy()


def reference():
    """Named arrays: outputs and gradient of every case and lane."""
    arrays = {}
    for name in CASES:
        _, layout, theta, x, target, end = case(name)
        for lane in range(2):
            arrays[f"{name} {lane} outputs"], arrays[f"{name} {lane} gradient"] = torch_net(
                layout, theta[lane], x[:, lane], target[:, lane], int(end[lane]))
    return arrays


if __name__ == "__main__":
    np.savez_compressed(FILE, **reference())
