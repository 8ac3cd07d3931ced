"""Time of one training iteration of the pathological tanh RNN: numpy, torch and JAX side by side, one thread each.

Forward, backward, clip, momentum step on the same batch, T = 60, H = 64, B = 50 by default. Interleaved rounds, the
median of processor time over rounds. Prints a table and writes it into benchmarks/rnn_pathological.json, a record per
SIMD level.

    python3 benchmarks/bench_rnn_pathological.py
    python3 benchmarks/bench_rnn_pathological.py --avx2     the same without AVX-512 (see processor.py)
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
import processor

processor.prepare()  # before numpy

import numpy as np

import rnn_pathological as rp

torch, jax, INSTALLED = processor.libraries()
jnp = jax and jax.numpy
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


def in_plain_numpy(T, H, B, dtype):
    """The equations as they read, a line each: see textbook.py."""
    settings, net, x, target = problem(T, H, B, dtype)
    W = {name: tensor.copy() for name, tensor in net.tensors(net.theta).items()}
    v, inputs = {name: np.zeros_like(w) for name, w in W.items()}, x.transpose(0, 2, 1)

    def iterate(n):
        for _ in range(n):
            states = [np.zeros((B, H), dtype)]
            for x_t in inputs:
                states.append(np.tanh(x_t @ W["W_xh"].T + states[-1] @ W["W_hh"].T + W["b_h"]))
            y = states[-1] @ W["W_hy"].T + W["b_y"]
            y = np.exp(y - y.max(1, keepdims=True))
            y /= y.sum(1, keepdims=True)
            loss = -np.log(y[np.arange(B), target[0]]).mean()
            y[np.arange(B), target[0]] -= 1
            dy = y / B
            grad = {name: np.zeros_like(w) for name, w in W.items()}
            grad["W_hy"], grad["b_y"], dh = dy.T @ states[-1], dy.sum(0), dy @ W["W_hy"]
            for t in reversed(range(T)):
                dz = dh * (1 - states[t + 1] ** 2)
                grad["W_xh"] += dz.T @ inputs[t]
                grad["W_hh"] += dz.T @ states[t]
                grad["b_h"] += dz.sum(0)
                dh = dz @ W["W_hh"]
            norm = np.sqrt(sum((g**2).sum() for g in grad.values()))
            for name in W:
                v[name] = settings.momentum * v[name] - settings.lr * min(1, settings.clip / norm) * grad[name]
                W[name] = W[name] + v[name]
        return float(loss)

    return iterate


def in_torch(T, H, B, dtype, compiled=False):
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

    def loop(inputs):
        h = torch.zeros(B, H, dtype=kind)
        for z in (inputs @ recurrent.weight_ih_l0.T + recurrent.bias_hh_l0).unbind():
            h = torch.tanh(z + h @ recurrent.weight_hh_l0.T)
        return h

    if processor.level() == "AVX2":
        torch._inductor.config.cpp.simdlen = 256
    last_state = torch.compile(loop) if compiled else lambda inputs: recurrent(inputs)[0][-1]

    def iterate(n):
        for _ in range(n):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(linear(last_state(inputs)), goal)
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


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--T", type=int, default=60)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--without", nargs="*", default=[], help="contenders to leave out, such as torch.compile")
    parser.add_argument("--out", default=str(Path(__file__).with_name("rnn_pathological.json")))
    args = parser.parse_args(argv)
    size = (args.T, args.hidden, args.batch)
    makers = {
        "this project": lambda dtype: in_numpy(*size, dtype),
        "plain numpy": lambda dtype: in_plain_numpy(*size, dtype),
        "torch eager": lambda dtype: in_torch(*size, dtype),
        "torch.compile": lambda dtype: in_torch(*size, dtype, compiled=True),
        "JAX jitted step": lambda dtype: in_jax(*size, dtype, scan=False),
        "JAX one scan": lambda dtype: in_jax(*size, dtype, scan=True)}
    contenders = {f"{name}, {dtype}": make(dtype) for name, make in makers.items() for dtype in ("float32", "float64")
                  if name in INSTALLED - {*args.without} and (name, dtype) != ("plain numpy", "float32")}
    losses = {name: iterate(SCAN) for name, iterate in contenders.items()}  # compiles, warms up
    double = [loss for name, loss in losses.items() if "float64" in name]
    assert np.allclose(double, double[0], rtol=1e-6), losses  # the same net, the same batch; torch's clip adds 1e-6
    assert np.allclose(list(losses.values()), double[0], rtol=1e-3), losses
    taken = {name: [] for name in contenders}
    for _ in range(args.rounds):
        for name, iterate in contenders.items():
            start = time.process_time()
            iterate(SCAN)
            taken[name].append((time.process_time() - start) / SCAN * 1e6)
    machine, rows = processor.described(rp.CODE), []
    print(f"{machine['processor']}, {machine['level']}; T = {args.T}, H = {args.hidden}, B = {args.batch}")
    for name, values in taken.items():
        ratios = [theirs / ours for theirs, ours in zip(values, taken["this project, float32"])]
        rows.append({"name": name, "microseconds": round(float(np.median(values)), 1),
                     "ratio": [round(float(of(ratios)), 3) for of in (np.median, min, max)]})
        print(f"  {name:28s} {rows[-1]['microseconds']:10.0f} us {rows[-1]['ratio'][0]:7.2f} x")
    processor.write(args.out, {
        "T": args.T, "hidden": args.hidden, "batch": args.batch, "rounds": args.rounds, "iteration": rows,
        "machine": machine | {name: sys.modules[name].__version__ for name in ("torch", "jax") if name in sys.modules}})


if __name__ == "__main__":
    main()
