"""The LSTM and the tanh RNN as the equations read, a line each: the plain numpy that the benchmark compares with.

Batch-major arrays (B, H), a list of states per step, four activations per step, weight gradients summed inside the
backward loop. Nothing here is made slow on purpose; nothing is fused, preallocated or shared between steps.
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class LSTM:
    """Weights as a dict of our named tensors: W_hi, W_xi, b_i, ..., W_hy, b_y."""

    gates = "oifg"

    def __init__(self, weights):
        self.w = {name: value.copy() for name, value in weights.items()}

    def loss_and_gradient(self, x, target):
        """x (T, 2, B), target (B,). Returns half the MSE and a dict of gradients."""
        w, H = self.w, self.w["W_hy"].shape[1]
        T, _, B = x.shape
        h, c = np.zeros((B, H)), np.zeros((B, H))
        steps = []
        for t in range(T):
            x_t = x[t].T
            z = {gate: x_t @ w[f"W_x{gate}"].T + h @ w[f"W_h{gate}"].T + w[f"b_{gate}"] for gate in self.gates}
            o, i, f, g = sigmoid(z["o"]), sigmoid(z["i"]), sigmoid(z["f"]), np.tanh(z["g"])
            c_next = f * c + i * g
            steps.append((x_t, h, c, o, i, f, g, np.tanh(c_next)))
            c, h = c_next, o * np.tanh(c_next)
        error = (h @ w["W_hy"].T + w["b_y"])[:, 0] - target
        dy = error[:, None] / B
        grad = {name: np.zeros_like(value) for name, value in w.items()}
        grad["W_hy"], grad["b_y"] = dy.T @ h, dy.sum(0)
        dh, dc = dy @ w["W_hy"], np.zeros((B, H))
        for x_t, h_prev, c_prev, o, i, f, g, tanh_c in reversed(steps):
            dc = dc + dh * o * (1 - tanh_c**2)
            dz = {
                "o": dh * tanh_c * o * (1 - o),
                "i": dc * g * i * (1 - i),
                "f": dc * c_prev * f * (1 - f),
                "g": dc * i * (1 - g**2),
            }
            for gate in self.gates:
                grad[f"W_x{gate}"] += dz[gate].T @ x_t
                grad[f"W_h{gate}"] += dz[gate].T @ h_prev
                grad[f"b_{gate}"] += dz[gate].sum(0)
            dh = sum(dz[gate] @ w[f"W_h{gate}"] for gate in self.gates)
            dc = dc * f
        return 0.5 * np.mean(error**2), grad


class RNN:
    """Weights as a dict: W_hh, W_xh, b_h, W_hy, b_y."""

    def __init__(self, weights):
        self.w = {name: value.copy() for name, value in weights.items()}

    def loss_and_gradient(self, x, target):
        """x (T, 2, B), target (B,). Returns half the MSE and a dict of gradients."""
        w = self.w
        T, _, B = x.shape
        states = [np.zeros((B, w["W_hy"].shape[1]))]
        for t in range(T):
            states.append(np.tanh(x[t].T @ w["W_xh"].T + states[-1] @ w["W_hh"].T + w["b_h"]))
        error = (states[-1] @ w["W_hy"].T + w["b_y"])[:, 0] - target
        dy = error[:, None] / B
        grad = {name: np.zeros_like(value) for name, value in w.items()}
        grad["W_hy"], grad["b_y"] = dy.T @ states[-1], dy.sum(0)
        dh = dy @ w["W_hy"]
        for t in reversed(range(T)):
            dz = dh * (1 - states[t + 1] ** 2)
            grad["W_xh"] += dz.T @ x[t].T
            grad["W_hh"] += dz.T @ states[t]
            grad["b_h"] += dz.sum(0)
            dh = dz @ w["W_hh"]
        return 0.5 * np.mean(error**2), grad


class Adam:
    """Adam with a global L2 clip on a dict of weights."""

    def __init__(self, weights):
        self.m = {name: np.zeros_like(value) for name, value in weights.items()}
        self.v = {name: np.zeros_like(value) for name, value in weights.items()}
        self.t = 0

    def step(self, weights, grad, lr, clip=1.0):
        norm = np.sqrt(sum((value**2).sum() for value in grad.values()))
        scale = min(1, clip / norm)
        self.t += 1
        for name in weights:
            g = grad[name] * scale
            self.m[name] = 0.9 * self.m[name] + 0.1 * g
            self.v[name] = 0.999 * self.v[name] + 0.001 * g**2
            m_hat, v_hat = self.m[name] / (1 - 0.9**self.t), self.v[name] / (1 - 0.999**self.t)
            weights[name] = weights[name] - lr * m_hat / (np.sqrt(v_hat) + 1e-8)
