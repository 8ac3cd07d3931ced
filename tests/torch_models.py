"""The cells of adding_problem.py and rnn_pathological.py in torch, double precision: an independent forward pass, whose
gradient is autograd's."""

import torch

from adding_problem import N_OUT


def loss_and_gradient(cell, tensors, x, target):
    """Half the MSE of a cell on x (T, 2, B), target (B,), and its gradient.

    tensors: dict of our named weights. Returns y (B,), the loss and a dict of gradients with our names.
    """
    leaves = leaves_of(tensors)
    h = hidden_states(cell, leaves, torch.tensor(x, dtype=torch.float64).permute(0, 2, 1))[-1]
    y = h @ leaves["W_hy"].T + leaves["b_y"]
    assert y.shape[1] == N_OUT
    loss = 0.5 * ((y[:, 0] - torch.tensor(target)) ** 2).mean()
    loss.backward()
    return y[:, 0].detach().numpy(), loss.item(), {name: leaf.grad.numpy() for name, leaf in leaves.items()}


def leaves_of(tensors):
    """Our named weights as torch tensors that take a gradient."""
    return {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in tensors.items()}


def hidden_states(cell, leaves, inputs):
    """h of every step (T, B, H) for inputs (T, B, n_in): by torch's own modules where it has the cell.

    cell: lstm, lstm1997, gru, irnn or relu, rnn or tanh; leaves: our named weights.
    """
    n_in, H = inputs.shape[2], leaves["W_hy"].shape[1]
    if cell == "lstm1997":
        return lstm1997(leaves, inputs)

    def stacked(kind, gates):  # our weights W_xi, W_xf, ... one above the other
        return torch.cat([leaves[f"{kind}{gate}"] for gate in gates])

    if cell == "lstm":
        module, b_x = torch.nn.LSTM(n_in, H), stacked("b_", "ifgo")
        W_x, W_h = stacked("W_x", "ifgo"), stacked("W_h", "ifgo")
        b_h = torch.zeros_like(b_x)
    elif cell == "gru":
        module, nothing = torch.nn.GRU(n_in, H), torch.zeros(2 * H, dtype=torch.float64)
        W_x, W_h, b_h = stacked("W_x", "rzn"), stacked("W_h", "rzm"), stacked("b_", "rzm")
        b_x = torch.cat([nothing, leaves["b_n"]])
    else:
        module = torch.nn.RNN(n_in, H, nonlinearity="relu" if cell in ("irnn", "relu") else "tanh")
        W_x, W_h, b_x = leaves["W_xh"], leaves["W_hh"], leaves["b_h"]
        b_h = torch.zeros_like(b_x)
    named = {"weight_ih_l0": W_x, "weight_hh_l0": W_h, "bias_ih_l0": b_x, "bias_hh_l0": b_h}
    return torch.func.functional_call(module.double(), named, (inputs,))[0]


def lstm1997(leaves, inputs):
    """The cell without forget gate, step by step; its candidate may see the inputs alone."""
    h = c = torch.zeros(inputs.shape[1], leaves["W_hy"].shape[1], dtype=torch.float64)
    states = []
    for x_t in inputs:
        z = {gate: x_t @ leaves[f"W_x{gate}"].T for gate in "oig"}
        for gate in "oig" if "W_hg" in leaves else "oi":
            z[gate] = z[gate] + h @ leaves[f"W_h{gate}"].T + leaves[f"b_{gate}"]
        c = c + torch.sigmoid(z["i"]) * torch.tanh(z["g"])
        h = torch.sigmoid(z["o"]) * torch.tanh(c)
        states.append(h)
    return torch.stack(states)
