"""Times one training iteration of the adding problem beside plain numpy, torch and JAX, one thread each.

    python3 benchmarks/bench_adding_problem.py            into benchmarks/adding_problem.json, a record per SIMD level
    python3 benchmarks/bench_adding_problem.py --avx2     the same without AVX-512 (see processor.py)

An iteration is forward, backward, global clip and Adam on a batch that arrives as numpy arrays in double precision;
drawing the batch is not counted. All start from the same weights, see the same batches, and must agree after twenty
iterations before they are timed. Rounds are interleaved; the table gives medians of processor time and, round by round,
the ratio to this project's float32 iteration. torch.compile: of an LSTM or RNN written as a loop over time, which it
unrolls. What is not installed is left out. Whole commands and peak memory are measured in processes of their own.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
import processor

processor.prepare()  # before numpy

import numpy as np
import textbook

import adding_problem as ap

torch, jax, INSTALLED = processor.libraries()
jnp = jax and jax.numpy
LR, CLIP = 5e-3, 1.0
H, B = 8, 32
N_BATCHES = 20
SEEDS = 2, 5, 10  # in lockstep, at best


class Ours:
    def __init__(self, cell, weights, batches, dtype):
        self.net = ap.build(ap.Settings(cell=cell, T=len(batches[0][0]), hidden=H, batch=B, dtype=dtype), B)
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

    def last_state(self, x):
        return self.rnn(x)[0][-1]

    def run(self, n):
        for k in range(n):
            x, target = self.batches[k % N_BATCHES]
            x, target = torch.from_numpy(x).permute(0, 2, 1).to(self.dtype), torch.from_numpy(target).to(self.dtype)
            self.optimizer.zero_grad()
            loss = 0.5 * (self.readout(self.last_state(x))[:, 0] - target).square().mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
            self.optimizer.step()

    def weights(self):
        return {"W_hy": self.readout.weight.detach().numpy()}


class TorchCompiled(Torch):
    """The same with the recurrence as a loop over time, compiled as one graph."""

    def __init__(self, cell, weights, batches, dtype):
        super().__init__(cell, weights, batches, dtype)
        W_x, W_h, b = self.rnn.weight_ih_l0, self.rnn.weight_hh_l0, self.rnn.bias_ih_l0

        def last_state(x):
            h = c = torch.zeros(x.shape[1], H, dtype=self.dtype)
            for z in (x @ W_x.T + b).unbind():
                z = z + h @ W_h.T
                if cell == "rnn":
                    h = torch.tanh(z)
                else:
                    i, f, g, o = z.chunk(4, 1)
                    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                    h = torch.sigmoid(o) * torch.tanh(c)
            return h

        if processor.level() == "AVX2":
            torch._inductor.config.cpp.simdlen = 256
        self.last_state = torch.compile(last_state)


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


COMPETITORS = {  # name: what builds it, precision, iterations in a round
    "this project, float32": (Ours, "float32", 60),
    "this project, float64": (Ours, "float64", 60),
    "plain numpy, float64": (Textbook, "float64", 10),
    "torch eager, float32": (Torch, "float32", 20),
    "torch eager, float64": (Torch, "float64", 20),
    "torch.compile, float32": (TorchCompiled, "float32", 20),
    "torch.compile, float64": (TorchCompiled, "float64", 20),
    "JAX jitted step, float32": (Jax, "float32", 60),
    "JAX jitted step, float64": (Jax, "float64", 60),
    "JAX one scan, float32": (JaxScan, "float32", 60),
    "JAX one scan, float64": (JaxScan, "float64", 60),
}


def bench(cell, T, rounds, times=1, competitors=tuple(COMPETITORS)):
    """Microseconds per iteration of the competitors: a dict each, with the median, and the median, least and greatest
    ratio to this project's float32 within a round. times: a factor on the iterations in a round."""
    settings, rng = ap.Settings(cell=cell, T=T, dtype="float64"), ap.streams(0)
    start = ap.build(settings, 1)
    ap.initialise(start, settings, rng["init"])
    weights = {name: tensor.copy() for name, tensor in start.tensors(start.theta).items()}
    batches = [(np.ascontiguousarray(x), y.copy()) for (x, y), _ in
               zip(ap.training_batches(rng["train"], T, B), range(N_BATCHES))]
    runners = {name: COMPETITORS[name][0](cell, weights, batches, COMPETITORS[name][1]) for name in competitors}
    for runner in runners.values():
        runner.run(N_BATCHES)
    for name, runner in runners.items():
        difference = abs(runner.weights()["W_hy"] - runners["this project, float64"].weights()["W_hy"]).max()
        if difference > (1e-9 if "64" in name else 1e-2):
            raise SystemExit(f"{name} does not compute the same update: W_hy differs by {difference:.1e}")
    taken = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            n = max(1, round(times * COMPETITORS[name][2]))
            start = time.process_time()
            runner.run(n)
            taken[name].append((time.process_time() - start) / n * 1e6)
    rows = []
    for name, values in taken.items():
        ratios = [theirs / ours for theirs, ours in zip(values, taken["this project, float32"])]
        rows.append({"cell": cell, "T": T, "H": H, "B": B, "name": name,
                     "microseconds": round(statistics.median(values), 1),
                     "ratio": [round(of(ratios), 3) for of in (statistics.median, min, max)]})
    return rows


def numpy_calls(times=1):
    """Microseconds of the calls that a step is made of, on the sizes of the headline: {call: {precision: us}}. Many
    arrays in turn, so that no processor learns the branches of one; denormal: all products below 1e-38 (1e-308)."""
    rng, found = np.random.default_rng(0), {}
    for dtype in ("float32", "float64"):
        gates = rng.normal(size=(64, 4 * H, B)).astype(dtype)
        units, out = np.ascontiguousarray(gates[:, :H]), np.empty_like(gates[0])
        tiny = (units * np.finfo(dtype).tiny).astype(dtype)
        W, S = rng.normal(size=(4 * H, H + 3)).astype(dtype), rng.normal(size=(64, H + 3, B)).astype(dtype)
        calls = {
            "tanh of 1024 elements": lambda k: np.tanh(gates[k], out),
            "exp of 1024 elements": lambda k: np.exp(gates[k], out),
            "multiply of 1024 elements": lambda k: np.multiply(gates[k], gates[k - 1], out),
            "multiply of 256 elements": lambda k: np.multiply(units[k], units[k - 1], out[:H]),
            "multiply of 256 denormal elements": lambda k: np.multiply(units[k], tiny[k], out[:H]),
            "dot of (32, 11) and (11, 32)": lambda k: W.dot(S[k], out)}
        for name, call in calls.items():
            rounds = []
            for _ in range(max(1, round(31 * times))):
                start = time.process_time()
                for k in range(64):
                    call(k)
                rounds.append((time.process_time() - start) / 64 * 1e6)
            found.setdefault(name, {})[dtype] = round(statistics.median(rounds), 3)
    return found


def wider(rounds, times=1):
    """How much longer an iteration of the LSTM takes with n times the sequences, {precision: {n: ratio}}: n seeds in
    lockstep, each with its own weights, would take no less."""
    found = {}
    for dtype in ("float32", "float64"):
        learning = [ap.learn(ap.Settings(batch=n * B, dtype=dtype, iters=10**7)) for n in (1, *SEEDS)]
        for one in learning:  # the first iterations, which are slower
            next(one)
        seconds = [[] for _ in learning]
        for _ in range(rounds):
            for one, taken in zip(learning, seconds):
                start = time.process_time()
                for _ in range(max(1, round(40 * times))):
                    next(one)
                taken.append(time.process_time() - start)
        found[dtype] = {n: round(statistics.median(many / one for many, one in zip(taken, seconds[0])), 2)
                        for n, taken in zip(SEEDS, seconds[1:])}
    return found


def child(*command):
    """Seconds of a script in a process of its own: of processor time, and on the clock."""
    with tempfile.TemporaryDirectory() as folder:
        start = os.times()
        subprocess.run([sys.executable, *map(str, command)], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        end = os.times()
    return sum(end[2:4]) - sum(start[2:4]), end.elapsed - start.elapsed


def processes(iters):
    """Seconds on the clock of four seeds one after another over those of two processes at a time."""
    command = ROOT / "adding_problem.py", "--quiet", "--iters", iters, "--seeds", "0-3", "--jobs"
    (_, one), (_, two) = (child(*command, jobs) for jobs in (1, 2))
    return round(one / two, 2)


def whole_command(iters=8000, T=100, rounds=3):
    """Processor time of the whole headline command, from the start of the process to its end, beside the same in torch
    (torch_headline.py), rounds interleaved; once, the command in double precision, and its training alone in plain
    numpy (data drawn, no evaluation). Returns the seconds, medians, and how many times ours torch's take: median, least
    and greatest of the rounds."""
    size = ("--iters", iters, "--T", T)
    ours = ROOT / "adding_problem.py", "--quiet", *size
    theirs = ROOT / "benchmarks" / "torch_headline.py", *size
    commands = {"this project, float32": ours, "torch eager, float32": theirs}
    if torch is None:
        del commands["torch eager, float32"]
    seconds = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            seconds[name].append(child(*command)[0])
    ratios = [theirs / own for own, theirs in zip(*seconds.values())] if torch else []
    seconds["this project, float64"] = [child(*ours, "--dtype", "float64")[0]]
    settings = ap.Settings(iters=iters, T=T, dtype="float64")
    net = ap.build(settings, 1)
    ap.initialise(net, settings, ap.streams(0)["init"])
    drawn = ap.training_batches(ap.streams(0)["train"], T, B)
    plain = Textbook("lstm", net.tensors(net.theta), [next(drawn)] * N_BATCHES, "float64")
    start = time.process_time()
    for _ in range(iters):
        plain.batches = [next(drawn)]
        plain.run(1)
    seconds["plain numpy, float64"] = [time.process_time() - start]
    return ({name: round(statistics.median(values), 2) for name, values in seconds.items()},
            [round(of(ratios), 2) for of in (statistics.median, min, max)] if ratios else [])


def peak_memory(T=1000):
    """Peak resident memory in MB of a short run at T = 1000, all of the process (Linux)."""
    code = (f"import sys; sys.path.insert(0, {str(ROOT)!r}); import adding_problem as ap; "
            f"ap.train(ap.Settings(T={T}, iters=5), ap.Options()); print(open('/proc/self/status').read())")
    status = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return round(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024, 1)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--times", type=float, default=1, help="a factor on the iterations in a round")
    parser.add_argument("--T", type=int, default=100)
    parser.add_argument("--iters", type=int, default=8000, help="of the whole command")
    parser.add_argument("--without", nargs="*", default=[], help="competitors to leave out, such as torch.compile")
    parser.add_argument("--out", default=str(ROOT / "benchmarks" / "adding_problem.json"))
    args = parser.parse_args(argv)
    chosen, rows = [name for name in COMPETITORS if name.split(",")[0] in INSTALLED - {*args.without}], []
    machine = processor.described(ap.CODE)
    print(f"{machine['processor']}, {machine['level']}{' (simulated)' if machine['simulated'] else ''}, "
          f"BLAS kernel {machine['blas_kernel']}")
    for cell in ("lstm", "rnn"):
        print(f"\n{cell}, T = {args.T}, H = {H}, B = {B}: one training iteration")
        for row in bench(cell, args.T, args.rounds, args.times, chosen):
            print(f"  {row['name']:28s} {row['microseconds']:10.0f} us {row['ratio'][0]:7.2f} x")
            rows.append(row)
    calls, more, gain = numpy_calls(args.times), wider(args.rounds, args.times), processes(args.iters // 2)
    (command, ratio), memory = whole_command(args.iters, args.T), peak_memory()
    for name, taken in calls.items():
        print(f"  {name:36s} {taken['float32']:8.2f} us in float32 {taken['float64']:8.2f} us in float64")
    print(f"an iteration with more sequences: {more}; four seeds with --jobs 2: {gain} times as fast as with --jobs 1")
    print(f"\nseconds of the headline command: {command}, torch's over ours: {ratio}")
    print(f"peak memory at T = 1000: {memory} MB")
    processor.write(args.out, {
        "rounds": args.rounds, "iteration": rows, "numpy_calls": calls, "more_sequences": more,
        "two_processes": gain, "headline_command": command, "headline_ratio": ratio, "peak_memory_T1000_MB": memory,
        "machine": machine | {name: sys.modules[name].__version__ for name in ("torch", "jax") if name in sys.modules}})


if __name__ == "__main__":
    main()
