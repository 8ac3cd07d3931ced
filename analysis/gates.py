"""What the trained nets of the adding problem do, from the weights in their records."""

import numpy as np

import adding_problem as ap


def on_held_out(record, n=ap.N_TEST):
    """The trained net, in double precision, after its forward pass over n held-out sequences; its
    answers (n,); the sequences x (T, 2, n)."""
    settings = ap.Settings(**record["settings"] | dict(dtype="float64"))
    x = ap.held_out(settings)[0][:, :, :n]
    net = ap.build(settings, n)
    for name, tensor in net.tensors(net.theta).items():
        tensor[:] = record["weights"][name]
    return net, net.forward(x)[0, 0], x


def slopes(record):
    """Least-squares slopes of the answer on the two marked values: (first, second); 1 and 1 is
    the solution."""
    _, y, x = on_held_out(record)
    half = len(x) // 2
    first, second = ((x[part, 0] * x[part, 1]).sum(0) for part in (slice(half), slice(half, None)))
    columns = np.stack([first, second, np.ones_like(y)], 1)
    return tuple(np.linalg.lstsq(columns, y, rcond=None)[0][:2])


def gates_by_unit(record):
    """Means of i, f and o over the marked and over the unmarked steps of the held-out sequences,
    unit by unit: {gate: (marked (H,), unmarked (H,))}."""
    net, _, x = on_held_out(record)
    marked = x[:, 1] == 1  # (T, n)
    values = {gate: getattr(net, gate).transpose(0, 2, 1) for gate in "ifo"}  # (T, n, H)
    return {gate: (value[marked].mean(0), value[~marked].mean(0)) for gate, value in values.items()}


def lstm_step(weights, x, h, c):
    """One step of adding_problem's LSTM for columns x (2, B), h (H, B), c (H, B), real or complex:
    its new (h, c).

    weights: named arrays, as in a record. The class itself starts every sequence at h = c = 0; a
    derivative with respect to a state in its middle needs the step alone."""
    z = {gate: weights[f"W_x{gate}"] @ x + weights[f"W_h{gate}"] @ h + weights[f"b_{gate}"][:, None]
         for gate in "oifg"}
    o, i, f = ((1 + np.tanh(z[gate] / 2)) / 2 for gate in "oif")
    c = f * c + i * np.tanh(z["g"])
    return o * np.tanh(c), c


def step_jacobian(weights, x, h, c):
    """d[c_t; h_t] / d[c_{t-1}; h_{t-1}] of one step, (2H, 2H), by the complex step. x: (2,); h,
    c: (H,)."""
    H, nudge = len(h), 1e-30j * np.eye(2 * len(h))  # a column for each derivative
    h, c = lstm_step(weights, x[:, None], h[:, None] + nudge[H:], c[:, None] + nudge[:H])
    return np.concatenate([c, h]).imag / 1e-30


def leading_eigenvalues(record, n=8):
    """Means of the largest |eigenvalue| of step_jacobian over the unmarked steps of n held-out
    sequences: (of all units together, of each unit alone the largest)."""
    net, _, x = on_held_out(record, n)
    H, weights = net.H, {name: np.array(value) for name, value in record["weights"].items()}
    largest = []
    for k in range(n):
        for t in np.flatnonzero(x[:, 1, k] == 0)[1:]:
            jacobian = step_jacobian(weights, x[t, :, k], net.h[t - 1, :, k], net.c[t, :, k])
            alone = jacobian.reshape(2, H, 2, H)[:, range(H), :, range(H)]  # (H, 2, 2)
            largest.append([abs(np.linalg.eigvals(part)).max() for part in (jacobian, alone)])
    return tuple(np.mean(largest, 0))
