"""The cells of adding_problem.py in torch, double precision: an independent forward pass and gradient."""

import torch

from adding_problem import N_IN, N_OUT


def gates_of(tensors, kind, order):
    """Our per-gate tensors W_hi, W_xi, b_i, ... stacked in torch's order of gates."""
    return torch.cat([torch.as_tensor(tensors[f"{kind}{gate}"]) for gate in order])


def loss_and_gradient(cell, tensors, x, target):
    """Half the MSE of a cell on x (T, 2, B), target (B,), and its gradient.

    tensors: dict of our named weights. Returns y (B,), the loss and a dict of gradients with our names.
    """
    leaves = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in tensors.items()}
    inputs = torch.tensor(x, dtype=torch.float64).permute(0, 2, 1)  # (T, B, 2)
    H = leaves["W_hy"].shape[1]
    if cell == "lstm":
        weights = [gates_of(leaves, kind, "ifgo") for kind in ("W_x", "W_h", "b_")]
        h = functional(torch.nn.LSTM(N_IN, H), weights, inputs)
    elif cell == "lstm1997":
        h = lstm1997(leaves, inputs)
    else:
        module = torch.nn.RNN(N_IN, H, nonlinearity="relu" if cell == "irnn" else "tanh")
        h = functional(module, [leaves["W_xh"], leaves["W_hh"], leaves["b_h"]], inputs)
    y = h @ leaves["W_hy"].T + leaves["b_y"]
    assert y.shape[1] == N_OUT
    loss = 0.5 * ((y[:, 0] - torch.tensor(target)) ** 2).mean()
    loss.backward()
    return y[:, 0].detach().numpy(), loss.item(), {name: leaf.grad.numpy() for name, leaf in leaves.items()}


def functional(module, weights, inputs):
    """The last hidden state (B, H) of a torch recurrent module run with the given weights W_x, W_h, b."""
    W_x, W_h, b = weights
    named = {"weight_ih_l0": W_x, "weight_hh_l0": W_h, "bias_ih_l0": b, "bias_hh_l0": torch.zeros_like(b)}
    return torch.func.functional_call(module.double(), named, (inputs,))[0][-1]


def lstm1997(leaves, inputs):
    """The cell without forget gate, step by step, for torch's autograd; its candidate may see the inputs alone."""
    h = c = torch.zeros(inputs.shape[1], leaves["W_hy"].shape[1], dtype=torch.float64)
    for x_t in inputs:
        z = {gate: x_t @ leaves[f"W_x{gate}"].T for gate in "oig"}
        for gate in "oig" if "W_hg" in leaves else "oi":
            z[gate] = z[gate] + h @ leaves[f"W_h{gate}"].T + leaves[f"b_{gate}"]
        c = c + torch.sigmoid(z["i"]) * torch.tanh(z["g"])
        h = torch.sigmoid(z["o"]) * torch.tanh(c)
    return h
