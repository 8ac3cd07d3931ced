"""Times one training iteration of the adding problem beside plain numpy, torch and JAX, one thread each.

    python benchmarks/bench_adding_problem.py [--rounds 7] [--out benchmarks/adding_problem.json]

An iteration is forward, backward, global clip and Adam on a batch that arrives as numpy arrays; drawing the batch is
not counted. All start from the same weights, see the same batches, and must agree after ten iterations before they are
timed. Rounds are interleaved; the table gives medians and the ratio to this project's float64 iteration. Whole commands
and peak memory are measured in processes of their own.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import textbook  # noqa: E402
import torch  # noqa: E402

import adding_problem as ap  # noqa: E402

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(1)
LR, CLIP = 5e-3, 1.0
H, B = 8, 32
N_BATCHES = 20


class Ours:
    def __init__(self, cell, weights, batches, dtype):
        self.net = ap.build(cell, H, len(batches[0][0]), B, np.dtype(dtype))
        for name, tensor in self.net.tensors(self.net.theta).items():
            tensor[:] = weights[name]
        self.optimizer, self.batches = ap.Adam(self.net.theta), batches

    def run(self, n):
        for k in range(n):
            ap.update(self.net, self.optimizer, *self.batches[k % N_BATCHES], LR, CLIP)

    def weights(self):
        return self.net.tensors(self.net.theta)


class Textbook:
    def __init__(self, cell, weights, batches, dtype):
        self.model = {"lstm": textbook.LSTM, "rnn": textbook.RNN}[cell](weights)
        self.optimizer, self.batches = textbook.Adam(weights), batches

    def run(self, n):
        for k in range(n):
            _, grad = self.model.loss_and_gradient(*self.batches[k % N_BATCHES])
            self.optimizer.step(self.model.w, grad, LR, CLIP)

    def weights(self):
        return self.model.w


class Torch:
    def __init__(self, cell, weights, batches, dtype):
        self.dtype, self.cell, self.batches = getattr(torch, dtype), cell, batches
        self.rnn = (torch.nn.LSTM if cell == "lstm" else torch.nn.RNN)(2, H).to(self.dtype)
        self.readout = torch.nn.Linear(H, 1).to(self.dtype)
        order = "ifgo" if cell == "lstm" else "h"
        with torch.no_grad():
            for kind, target in (("W_x", self.rnn.weight_ih_l0), ("W_h", self.rnn.weight_hh_l0),
                                 ("b_", self.rnn.bias_ih_l0)):
                names = [kind + (gate if cell == "lstm" or kind != "W_x" else "h") for gate in order]
                target.copy_(torch.cat([torch.as_tensor(weights["W_xh" if n == "W_xh" else n]) for n in names]))
            self.rnn.bias_hh_l0.zero_()
            self.readout.weight.copy_(torch.as_tensor(weights["W_hy"]))
            self.readout.bias.copy_(torch.as_tensor(weights["b_y"]))
        self.rnn.bias_hh_l0.requires_grad_(False)  # torch has two biases; one is enough, and trains as ours does
        self.parameters = [p for p in (*self.rnn.parameters(), *self.readout.parameters()) if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=LR)

    def run(self, n):
        for k in range(n):
            x, target = self.batches[k % N_BATCHES]
            x, target = torch.from_numpy(x).permute(0, 2, 1).to(self.dtype), torch.from_numpy(target).to(self.dtype)
            self.optimizer.zero_grad()
            loss = 0.5 * (self.readout(self.rnn(x)[0][-1])[:, 0] - target).square().mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
            self.optimizer.step()

    def weights(self):
        return {"W_hy": self.readout.weight.detach().numpy()}


def jax_loss(weights, x, target):
    """Half the MSE of either cell, scanning over time; x W_x is one product before the scan. x: (T, B, 2)."""
    W_x, W_h, b, W_y, b_y = weights
    zero = jnp.zeros((x.shape[1], W_y.shape[0]), x.dtype)

    def lstm(state, z):
        h, c = state
        o, i, f, g = jnp.split(z + h @ W_h, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    def rnn(state, z):
        return (jnp.tanh(z + state[0] @ W_h),), None

    state = (zero, zero) if W_h.shape[1] == 4 * H else (zero,)
    (h, *_), _ = jax.lax.scan(lstm if len(state) == 2 else rnn, state, x @ W_x + b)
    return 0.5 * jnp.mean(((h @ W_y + b_y)[:, 0] - target) ** 2)


def jax_update(state, batch):
    weights, m, v, t = state
    grad = jax.grad(jax_loss)(weights, *batch)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in grad))
    grad = [g * jnp.minimum(1, CLIP / norm) for g in grad]
    t = t + 1
    m = [0.9 * a + 0.1 * g for a, g in zip(m, grad)]
    v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grad)]
    steps = [LR * (a / (1 - 0.9**t)) / (jnp.sqrt(q / (1 - 0.999**t)) + 1e-8) for a, q in zip(m, v)]
    return ([w - step for w, step in zip(weights, steps)], m, v, t), None


class Jax:
    """One jitted step per iteration; batches arrive as numpy arrays."""

    def __init__(self, cell, weights, batches, dtype):
        gates = "oifg" if cell == "lstm" else "h"
        stacked = [np.concatenate([weights["W_xh" if cell == "rnn" else f"W_x{g}"] for g in gates]).T,
                   np.concatenate([weights["W_hh" if cell == "rnn" else f"W_h{g}"] for g in gates]).T,
                   np.concatenate([weights[f"b_{g}"] for g in gates]), weights["W_hy"].T, weights["b_y"]]
        weights = [jnp.asarray(w, dtype) for w in stacked]
        zeros = [jnp.zeros_like(w) for w in weights]
        self.state = (weights, zeros, zeros, jnp.asarray(0, dtype))
        self.batches = [(np.ascontiguousarray(x.transpose(0, 2, 1)).astype(dtype), y.astype(dtype)) for x, y in batches]
        self.step = jax.jit(jax_update)

    def run(self, n):
        for k in range(n):
            self.state, _ = self.step(self.state, self.batches[k % N_BATCHES])
        jax.block_until_ready(self.state)

    def weights(self):
        return {"W_hy": np.asarray(self.state[0][3]).T}


class JaxScan(Jax):
    """All iterations inside one compiled scan; every batch lies ready on the device."""

    def __init__(self, cell, weights, batches, dtype):
        super().__init__(cell, weights, batches, dtype)
        self.stacked = tuple(jnp.stack([batch[k] for batch in self.batches]) for k in (0, 1))
        self.scan = jax.jit(lambda state, stacked: jax.lax.scan(jax_update, state, stacked)[0])

    def run(self, n):
        """n is counted in whole passes over the stored batches."""
        for _ in range(max(1, n // N_BATCHES)):
            self.state = self.scan(self.state, self.stacked)
        jax.block_until_ready(self.state)


COMPETITORS = {
    "this project, float64": (Ours, "float64", 100),
    "this project, float32": (Ours, "float32", 100),
    "plain numpy, float64": (Textbook, "float64", 20),
    "torch eager, float64": (Torch, "float64", 20),
    "torch eager, float32": (Torch, "float32", 20),
    "JAX jitted step, float64": (Jax, "float64", 100),
    "JAX jitted step, float32": (Jax, "float32", 100),
    "JAX one scan, float64": (JaxScan, "float64", 100),
    "JAX one scan, float32": (JaxScan, "float32", 100),
}


def bench(cell, T, rounds):
    """Microseconds per iteration of every competitor: list of dicts with the median and its ratio to the first."""
    settings, rng = ap.Settings(cell=cell, T=T), ap.streams(0)
    start = ap.build(cell, H, 1, 1)
    ap.initialise(start, settings, rng["init"])
    weights = {name: tensor.copy() for name, tensor in start.tensors(start.theta).items()}
    batches = [(np.ascontiguousarray(x), y.copy()) for (x, y), _ in
               zip(ap.training_batches(rng["train"], T, B), range(N_BATCHES))]
    runners = {name: make(cell, weights, batches, dtype) for name, (make, dtype, _) in COMPETITORS.items()}
    for name, runner in runners.items():
        runner.run(N_BATCHES)
        difference = abs(runner.weights()["W_hy"] - runners["this project, float64"].weights()["W_hy"]).max()
        if difference > (1e-9 if "64" in name else 1e-2):
            raise SystemExit(f"{name} does not compute the same update: W_hy differs by {difference:.1e}")
    times = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            n = COMPETITORS[name][2]
            start = time.perf_counter()
            runner.run(n)
            times[name].append((time.perf_counter() - start) / n * 1e6)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours = medians["this project, float64"]
    return [{"cell": cell, "T": T, "H": H, "B": B, "name": name, "microseconds": round(value, 1),
             "ratio": round(value / ours, 2)} for name, value in medians.items()]


def whole_command(iters=8000):
    """Seconds of the whole headline command, and of the same training in plain numpy (no evaluation, data drawn)."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "adding_problem.py"), "--quiet", "--iters", str(iters)]
        start = time.perf_counter()
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        ours = time.perf_counter() - start
    settings, rng = ap.Settings(iters=iters), ap.streams(0)
    net = ap.build("lstm", H, 1, 1)
    ap.initialise(net, settings, rng["init"])
    model = textbook.LSTM(net.tensors(net.theta))
    optimizer, batches = textbook.Adam(model.w), ap.training_batches(rng["train"], 100, B)
    start = time.perf_counter()
    for k in range(iters):
        _, grad = model.loss_and_gradient(*next(batches))
        optimizer.step(model.w, grad, LR * 0.5 ** (k // 1500), CLIP)
    plain = time.perf_counter() - start
    return {"ours_seconds": round(ours, 1), "plain_numpy_seconds": round(plain, 1), "ratio": round(plain / ours, 2)}


def peak_memory(T=1000):
    """Peak resident memory in MB of a short run at T = 1000, all of the process (Linux)."""
    code = (f"import sys; sys.path.insert(0, {str(ROOT)!r}); import adding_problem as ap; "
            f"ap.train(ap.Settings(T={T}, iters=5), ap.Options()); print(open('/proc/self/status').read())")
    status = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return round(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", default=str(ROOT / "benchmarks" / "adding_problem.json"))
    args = parser.parse_args()
    rows = []
    for cell in ("lstm", "rnn"):
        print(f"\n{cell}, T = 100, H = {H}, B = {B}: one training iteration")
        for row in bench(cell, 100, args.rounds):
            print(f"  {row['name']:28s} {row['microseconds']:10.0f} us {row['ratio']:7.2f} x")
            rows.append(row)
    command, memory = whole_command(), peak_memory()
    print(f"\nheadline command {command['ours_seconds']} s, plain numpy {command['plain_numpy_seconds']} s, "
          f"ratio {command['ratio']}; peak memory at T = 1000: {memory} MB")
    versions = {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__,
                "jax": jax.__version__, "processor": ap.provenance(0)["processor"]}
    result = {"rounds": args.rounds, "iteration": rows, "headline_command": command,
              "peak_memory_T1000_MB": memory, "versions": versions, "date": time.strftime("%Y-%m-%d")}
    Path(args.out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
