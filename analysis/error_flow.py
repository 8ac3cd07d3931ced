"""How much of an error is left after it has flowed back some steps: in the cells of the 1997
LSTM, and in plain RNNs."""

import numpy as np

import lstm_1997 as lstm


def state_to_state(settings, theta, seed, lags):
    """|ds_c(t) / ds_c(t - q)| by the full gradient on one sequence, for the lags q and the cells c:
    (lags, C), by the complex step. Truncated, it is exactly 1: that is the constant error carousel.

    theta: the net's weights (size,); seed: of the trial whose display stream gives the sequence."""
    layout = lstm.Layout(settings)
    C = layout.cells
    net = lstm.Net(layout, theta[None].astype(complex), lstm.LaneSettings.of([settings]), lanes=C)
    batch = lstm.Trial(settings, seed).task(lstm.streams(seed)["display"], 1)
    net.load(np.repeat(np.moveaxis(batch.x, 0, -1), C, axis=-1))
    net.fold_weights()
    end, cell, flow = int(batch.end[0]) + 1, np.arange(C), []
    for lag in lags:
        start = end - lag
        net.run(0, start)
        net.half_state[start, cell, cell] += 1e-30j  # the state, and the cell's output with it
        y_out = net.S[start, 2 * C + cell, cell]
        net.S[start, cell, cell] = y_out * np.tanh(net.half_state[start, cell, cell])
        net.run(start, end)
        flow.append(abs(net.half_state[end, cell, cell].imag / 1e-30))
    return np.array(flow)


def unit_to_unit(squash, n, largest, seed, lags):
    """Largest |error at a unit t - q / error at a unit t| over all pairs of units, for the lags q:
    a plain RNN with weights from U(-largest, largest) and noise as input, through the product of
    its Jacobians.

    squash: "tanh" or "logistic"; n: units.
    """
    rng = np.random.default_rng(seed)
    W = rng.uniform(-largest, largest, (n, n))
    y, factors = np.zeros(n), []
    for _ in range(max(lags) + 50):
        net = W @ y + rng.uniform(-1, 1, n)
        y = np.tanh(net) if squash == "tanh" else 1 / (1 + np.exp(-net))
        slope = 1 - y * y if squash == "tanh" else y * (1 - y)
        factors.append(slope[:, None] * W)
    flow, product = [1.0], np.eye(n)
    for J in reversed(factors[-max(lags):]):
        product = product @ J
        flow.append(abs(product).max())
    return np.array(flow)[lags]
