"""Makes lstm_1997.npz beside this file: outputs and gradients of the 1997 nets by torch, in double precision.

    python3 tests/reference/make_lstm_1997.py

The truncation is a detach() of the hidden activations where they enter the net inputs of the next step.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
import lstm_1997 as lstm

FILE = Path(__file__).with_name("lstm_1997.npz")
CASES = {
    "4": dict(experiment="4", T=40), "6a": dict(experiment="6a"), "3c": dict(experiment="3c", T=30, ranges="table10"),
    "1": dict(experiment="1", blocks=3, gate_start=0.5), "2b": dict(experiment="2b", p=20)}


def case(name):
    """Settings, layout, weights (2, size) and one sequence for each of two trials: x, target, end."""
    settings = lstm.Settings(**CASES[name])
    layout = lstm.Layout(settings)
    rng = np.random.default_rng(1997)
    theta = rng.uniform(-0.7, 0.7, (2, layout.size)) * layout.exists
    x, target, end = lstm.side_by_side([lstm.Trial(settings, seed).draw(1) for seed in range(2)])
    return settings, layout, theta, x[0], target[0], end[0]


def torch_gradient(name, lane, truncated):
    """Outputs and the change of all weights over alpha (minus the gradient of half the squared error), by torch."""
    import torch

    settings, layout, theta, x, target, end = case(name)
    weights = torch.tensor(theta[lane], requires_grad=True)
    W, _, W_out, V = (
        part.reshape(shape_of) for part, shape_of in zip(torch.split(
            weights, [int(np.prod(part)) for part in layout.parts]), layout.parts))
    h_range, g_range = lstm.RANGES[settings.ranges]
    C, b = layout.cells, layout.blocks
    y = torch.full((layout.hidden,), settings.gate_start, dtype=torch.float64)
    y[:C] = 0
    s, one, outputs = torch.zeros(C, dtype=torch.float64), torch.ones(1, dtype=torch.float64), []
    block = torch.arange(C) % b
    for t in range(end[lane] + 1):
        inputs = torch.tensor(np.eye(layout.inputs)[x[t, lane]] if layout.symbolic else x[t, :, lane])
        net = W @ torch.cat([y.detach() if truncated else y, inputs, one])
        y_in, y_out = torch.sigmoid(net[C : C + b]), torch.sigmoid(net[C + b :])
        if layout.identity_h:
            g, y_out = torch.sigmoid(net[:C]), torch.ones(b, dtype=torch.float64)
        else:
            g = g_range * torch.tanh(net[:C] / 2)
        s = s + y_in[block] * g
        y_c = y_out[block] * (s if layout.identity_h else h_range * torch.tanh(s / 2))
        y = torch.cat([y_c, y_in, y_out])
        outputs.append(torch.sigmoid(W_out @ torch.cat([y_c, one]) + (V.T @ inputs if layout.layered else 0)))
    outputs = torch.stack(outputs)
    if layout.every_step:
        wanted = torch.eye(layout.outputs, dtype=torch.float64)[target[: end[lane] + 1, lane]]
    else:
        outputs, wanted = outputs[-1], torch.tensor(target[lane])
    (gradient,) = torch.autograd.grad(0.5 * ((wanted - outputs) ** 2).sum(), weights)
    return outputs.detach().numpy(), -gradient.numpy() * layout.exists


def reference():
    arrays = {}
    for name in CASES:
        for lane in range(2):
            for truncated in (True, False):
                kind = "truncated" if truncated else "full"
                outputs, change = torch_gradient(name, lane, truncated)
                arrays[f"{name} {lane} outputs"] = outputs
                arrays[f"{name} {lane} {kind}"] = change
    return arrays


if __name__ == "__main__":
    np.savez_compressed(FILE, **reference())
    print(f"{FILE.name}: {FILE.stat().st_size} bytes")
