"""Reference values of the cells of information_latching.py, computed by torch in double precision.

    python3 tests/reference/make_information_latching.py     writes information_latching.npz beside it

torch.nn's RNN, LSTM and GRU where they are the same cell (torch's GRU resets after the product); the others, which
torch.nn lacks, are written out below, equation by equation, and differentiated by torch.autograd.
"""

from pathlib import Path

import numpy as np
import torch

T, B, SEED = 40, 8, 1994
CASES = {  # gates, in the order of torch where torch.nn has the cell
    "srnn": "h",
    "lstm": "ifgo",
    "lstm_hard": "ifgo",
    "lstm_1997": "igo",
    "gru_after": "rzg",
    "gru_before": "rzg",
    "gru_hard": "rzg",
}
MODULES = {"srnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru_after": torch.nn.GRU}


def draw(case, H):
    """Parameters as a dict of arrays, gate by gate, an input x (T, B) and labels (B,) in {0, 1}."""
    rng = np.random.default_rng([SEED, H, list(CASES).index(case)])
    parameters = {}
    for gate in CASES[case]:
        parameters[f"W_h{gate}"] = rng.normal(0, 0.6, (H, H))
        parameters[f"W_x{gate}"] = rng.normal(0, 0.8, (H, 1))
        parameters[f"b_{gate}"] = rng.normal(0, 0.3, H)
    if case == "gru_after":
        parameters["b_hg"] = rng.normal(0, 0.3, H)
    parameters["W_y"], parameters["b_y"] = rng.normal(0, 1, (2, H)), rng.normal(0, 0.3, 2)
    return parameters, rng.normal(0, 0.7, (T, B)), rng.integers(0, 2, B)


def states_by_hand(case, p, x):
    """h_T (B, H) of the cells that torch.nn does not have. p: dict of tensors; x: (T, B)."""
    hard = case.endswith("hard")
    squash = (lambda z: torch.clamp(0.2 * z + 0.5, 0, 1)) if hard else torch.sigmoid
    H = len(p["b_g"])
    h = c = torch.zeros(x.shape[1], H)

    def net_input(gate, h, x_t):
        return h @ p[f"W_h{gate}"].T + x_t[:, None] @ p[f"W_x{gate}"].T + p[f"b_{gate}"]

    for x_t in x:
        if case.startswith("lstm"):
            i, o = squash(net_input("i", h, x_t)), squash(net_input("o", h, x_t))
            f = squash(net_input("f", h, x_t)) if "W_hf" in p else 1
            c = f * c + i * torch.tanh(net_input("g", h, x_t))
            h = o * torch.tanh(c)
        else:
            z, r = squash(net_input("z", h, x_t)), squash(net_input("r", h, x_t))
            h = z * h + (1 - z) * torch.tanh(net_input("g", r * h, x_t))
    return h


def states_by_module(case, p, x):
    """h_T (B, H) by torch.nn's module, through its functional form so that the gradients reach p."""
    gates, H = CASES[case], p["W_y"].shape[1]
    second = torch.zeros(len(gates) * H)
    if case == "gru_after":
        second = torch.cat([torch.zeros(2 * H), p["b_hg"]])
    weights = {
        "weight_ih_l0": torch.cat([p[f"W_x{gate}"] for gate in gates]),
        "weight_hh_l0": torch.cat([p[f"W_h{gate}"] for gate in gates]),
        "bias_ih_l0": torch.cat([p[f"b_{gate}"] for gate in gates]),
        "bias_hh_l0": second,
    }
    module = MODULES[case](1, H, dtype=torch.float64)
    return torch.func.functional_call(module, weights, (x[:, :, None],))[0][-1]


def reference(case, H):
    """All arrays of a case: parameters (p_), their gradients (g_), x, labels, logits y (2, B) and the loss."""
    torch.set_default_dtype(torch.float64)
    parameters, x, labels = draw(case, H)
    p = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    states = states_by_module if case in MODULES else states_by_hand
    y = states(case, p, torch.tensor(x)) @ p["W_y"].T + p["b_y"]
    loss = torch.nn.functional.cross_entropy(y, torch.tensor(labels))
    loss.backward()
    arrays = {f"p_{name}": value for name, value in parameters.items()}
    arrays |= {f"g_{name}": tensor.grad.numpy() for name, tensor in p.items()}
    return arrays | dict(x=x, labels=labels, y=y.detach().numpy().T, loss=np.array(loss.item()))


def references():
    """{"case.H.name": array} of every case with one unit and with three."""
    return {
        f"{case}.{H}.{name}": array
        for case in CASES for H in (1, 3) for name, array in reference(case, H).items()}


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_name("information_latching.npz"), **references())
