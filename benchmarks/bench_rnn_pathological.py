"""Time of one training iteration of the pathological tanh RNN: numpy, torch and JAX side by side, one thread each.

Forward, backward, clip, momentum step on the same batch, T = 60, H = 64, B = 50 by default. Interleaved rounds, the
median over rounds. Prints a table and writes benchmarks/rnn_pathological.json.

    python3 benchmarks/bench_rnn_pathological.py
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import harness
import rnn_pathological as rp

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
torch.set_num_threads(1)
SCAN = 20  # iterations inside one jitted scan


def problem(T, H, B, dtype):
    """Settings and a batch of 3-bit memorization, with a net at its start."""
    settings = rp.Settings(task="3bit_memorization", sequence_len=T, hidden=H, batch=B, dtype=dtype)
    net = rp.build(settings, B)
    rp.initialise(net, settings, rp.streams(0)["init"])
    x, target = rp.make_3bit_memorization(rp.streams(0)["train"], T, B)
    return settings, net, x.astype(dtype), target


def in_numpy(T, H, B, dtype):
    settings, net, x, target = problem(T, H, B, dtype)
    optimizer = rp.Momentum(net.theta)

    def iterate(n):
        for _ in range(n):
            optimizer.ahead(settings.momentum)
            loss, dy = rp.loss_and_gradient(net.forward(x), target, True)
            net.backward(dy)
            rp.clip_norm(net.grad, settings.clip)
            optimizer.step(net.grad, settings.lr)
        return float(loss)

    return iterate


def in_torch(T, H, B, dtype):
    settings, net, x, target = problem(T, H, B, dtype)
    kind = getattr(torch, dtype)
    recurrent, linear = torch.nn.RNN(x.shape[1], H).to(kind), torch.nn.Linear(H, len(net.b_y)).to(kind)
    with torch.no_grad():
        for tensor, value in (
                (recurrent.weight_hh_l0, net.W[:, :H]), (recurrent.weight_ih_l0, net.W[:, H:-1]),
                (recurrent.bias_hh_l0, net.W[:, -1]), (linear.weight, net.W_hy), (linear.bias, net.b_y)):
            tensor.copy_(torch.tensor(value))
        recurrent.bias_ih_l0.zero_()
    recurrent.bias_ih_l0.requires_grad_(False)
    parameters = [p for p in (*recurrent.parameters(), *linear.parameters()) if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=settings.lr, momentum=settings.momentum)
    inputs, goal = torch.tensor(x.transpose(0, 2, 1).copy()), torch.tensor(target[0])

    def iterate(n):
        for _ in range(n):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(linear(recurrent(inputs)[0][-1]), goal)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
            optimizer.step()
        return loss.item()

    return iterate


def in_jax(T, H, B, dtype, scan):
    settings, net, x, target = problem(T, H, B, dtype)
    start = {name: jnp.asarray(tensor) for name, tensor in net.tensors(net.theta).items()}
    inputs, goal = jnp.asarray(x.transpose(0, 2, 1)), jnp.asarray(target[0])

    def loss_of(p):
        def step(h, x_t):
            return jnp.tanh(h @ p["W_hh"].T + x_t @ p["W_xh"].T + p["b_h"]), None

        h, _ = jax.lax.scan(step, jnp.zeros((B, H), dtype), inputs)
        return -jax.nn.log_softmax(h @ p["W_hy"].T + p["b_y"])[jnp.arange(B), goal].mean()

    def update(state, _=None):
        p, v = state
        loss, grad = jax.value_and_grad(loss_of)(p)
        norm = jnp.sqrt(sum((g * g).sum() for g in grad.values()))
        scale = jnp.minimum(1.0, settings.clip / norm).astype(dtype)
        v = {k: settings.momentum * v[k] - settings.lr * scale * grad[k] for k in p}
        return ({k: p[k] + v[k] for k in p}, v), loss

    state = [start, {k: jnp.zeros_like(p) for k, p in start.items()}]
    one = jax.jit(update)
    many = jax.jit(lambda state: jax.lax.scan(update, state, None, length=SCAN))

    def iterate(n):
        if scan:
            for _ in range(max(1, n // SCAN)):
                state[:], losses = many(tuple(state))
            return float(losses[-1])
        for _ in range(n):
            state[:], loss = one(tuple(state))
        return float(loss)

    return iterate


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--T", type=int, default=60)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--out", default=str(Path(__file__).with_name("rnn_pathological.json")))
    args = parser.parse_args()
    size = (args.T, args.hidden, args.batch)
    contenders = {
        f"{name}, {dtype}": make(dtype) for dtype in ("float64", "float32") for name, make in (
            ("numpy, this project", lambda dtype: in_numpy(*size, dtype)),
            ("torch eager", lambda dtype: in_torch(*size, dtype)),
            ("JAX, one jitted step", lambda dtype: in_jax(*size, dtype, scan=False)),
            (f"JAX, {SCAN} iterations in one scan", lambda dtype: in_jax(*size, dtype, scan=True)))}
    losses = {name: iterate(SCAN) for name, iterate in contenders.items()}  # compiles, warms up
    double = [loss for name, loss in losses.items() if "float64" in name]
    assert np.allclose(double, double[0], rtol=1e-6), losses  # the same net, the same batch; torch's clip adds 1e-6
    times = {name: [] for name in contenders}
    for _ in range(args.rounds):
        for name, iterate in contenders.items():
            start = time.perf_counter()
            iterate(SCAN)
            times[name].append((time.perf_counter() - start) / SCAN * 1e6)
    medians = {name: float(np.median(values)) for name, values in times.items()}
    base = medians["numpy, this project, float64"]
    print(f"T = {args.T}, H = {args.hidden}, B = {args.batch}; us per iteration, median of {args.rounds} rounds")
    for name, value in medians.items():
        print(f"{name:48s} {value:8.0f}  {value / base:5.2f} x numpy float64")
    machine = harness.provenance(rp.CODE, 0)
    record = {
        "T": args.T, "hidden": args.hidden, "batch": args.batch, "rounds": args.rounds,
        "us_per_iteration": {name: round(value, 1) for name, value in medians.items()},
        "torch": torch.__version__, "jax": jax.__version__,
        **{name: machine[name] for name in ("python", "numpy", "blas", "processor", "date", "fingerprint")}}
    Path(args.out).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
