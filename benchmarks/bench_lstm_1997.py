"""Speed of lstm_1997.py on the adding task (Experiment 4): us per training sequence and trial, side by side.

    python3 benchmarks/bench_lstm_1997.py               into benchmarks/lstm_1997.json, a record per SIMD level
    python3 benchmarks/bench_lstm_1997.py --avx2        the same without AVX-512 (see processor.py)

The lockstep trainer with 10 to 120 trials (a stack has up to 60); one trial as a textbook writes it, a forward and a
backward loop over time with the equations line by line; the same net in eager torch, 10 trials in one batch, with the
truncation by detach() and the gradient by autograd. All do the same arithmetic on the same sequences, in double
precision, on one thread each; processor time, so that other work on the machine counts little; rounds are interleaved,
medians reported.

Then section A.1.4: time per step and weight, and peak memory, of the algorithm in forward mode (the function appendix,
with an error and a change of the weights at every step) as the number of weights and the length of the sequence grow.
"""

import argparse
import sys
import time
import tracemalloc
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
import processor

if __name__ == "__main__":
    processor.prepare()  # before numpy

import numpy as np

import lstm_1997 as lstm

ALPHA = 0.5


def f(x):
    return 1 / (1 + np.exp(-x))


def textbook(W, W_out, x, target):
    """One sequence of one trial: two blocks of two cells, forward and backward loop, weights changed in place.

    W (8, 11): cells (unit v of block j is 2 v + j), input gates, output gates; W_out (1, 5). x (T, 2), target (1,).
    Returns the output.
    """
    T, block = len(x), np.array([0, 1, 0, 1])
    sources, g, y_in, y_out, s = [], [], [], [], [np.zeros(4)]
    y = np.zeros(8)
    for t in range(T):
        y_m = np.concatenate([y, x[t], [1.0]])
        net = W @ y_m
        g_t, in_t, out_t = 4 * f(net[:4]) - 2, f(net[4:6]), f(net[6:8])
        s_t = s[-1] + in_t[block] * g_t
        y = np.concatenate([out_t[block] * (2 * f(s_t) - 1), in_t, out_t])
        sources.append(y_m)
        g.append(g_t)
        y_in.append(in_t)
        y_out.append(out_t)
        s.append(s_t)
    y_c = np.concatenate([y[:4], [1.0]])
    y_k = f(W_out @ y_c)
    e_k = y_k * (1 - y_k) * (target - y_k)  # A.17
    back = W_out[:, :4].T @ e_k
    h = 2 * f(s[-1]) - 1
    dW, dW_out = np.zeros_like(W), np.outer(e_k, y_c)
    e_out = y_out[-1] * (1 - y_out[-1]) * np.bincount(block, h * back)  # A.19
    dW[6:8] = np.outer(e_out, sources[-1])
    e_s = y_out[-1][block] * 0.5 * (1 - h * h) * back  # A.21
    for t in reversed(range(T)):
        e_c = e_s * y_in[t][block] * (1 - g[t] * g[t] / 4)  # A.25
        e_in = y_in[t] * (1 - y_in[t]) * np.bincount(block, e_s * g[t])  # A.23
        dW[:4] += np.outer(e_c, sources[t])
        dW[4:6] += np.outer(e_in, sources[t])
    W += ALPHA * dW
    W_out += ALPHA * dW_out
    return y_k


def torch_learner(theta, layout):
    """A function (x, end, target) that trains all trials by one sequence each in eager torch."""
    import torch

    torch.set_num_threads(1)
    W, _, W_out, _ = (torch.tensor(part, requires_grad=part.size > 0) for part in layout.split(theta))

    def learn(x, end, target):
        x, target = torch.from_numpy(x), torch.from_numpy(target)  # (T, 2, R), (R, 1)
        R = x.shape[2]
        y = torch.zeros(R, 8, dtype=torch.float64)
        s = torch.zeros(R, 4, dtype=torch.float64)
        one = torch.ones(R, 1, dtype=torch.float64)
        outputs = []
        for t in range(int(end.max()) + 1):
            net = torch.bmm(W, torch.cat([y, x[t].T, one], 1)[:, :, None])[:, :, 0]
            gates = torch.sigmoid(net[:, 4:])
            s = s + gates[:, :2].repeat(1, 2) * 2 * torch.tanh(net[:, :4] / 2)
            y_c = gates[:, 2:].repeat(1, 2) * torch.tanh(s / 2)
            outputs.append(y_c)
            y = torch.cat([y_c, gates], 1).detach()  # the truncation
        y_c = torch.stack(outputs)[torch.from_numpy(end), torch.arange(R)]
        y_k = torch.sigmoid(torch.bmm(W_out, torch.cat([y_c, one], 1)[:, :, None])[:, :, 0])
        loss = 0.5 * ((target - y_k) ** 2).sum()
        gradients = torch.autograd.grad(loss, [W, W_out])
        with torch.no_grad():
            for weight, gradient in zip((W, W_out), gradients):
                weight -= ALPHA * gradient
        return y_k.detach().numpy()

    return learn


def prepare(T, R, n):
    """n sequences for R trials and the trials' first weights."""
    row = lstm.Settings(experiment="4", T=T, trials=R)
    trials = [lstm.Trial(row, seed) for seed in range(R)]
    layout = lstm.Layout(row)
    theta = np.array([trial.start(layout) for trial in trials])
    return row, layout, theta, lstm.side_by_side([trial.draw(n) for trial in trials])


def lockstep(T, R, n):
    row, layout, theta, (x, target, end) = prepare(T, R, n)
    net = lstm.Net(layout, theta, lstm.LaneSettings.of([row] * R))

    def run():
        for k in range(n):
            net.learn(x[k], target[k], end[k])
        return net.theta[0]

    return run, n * R


def loop(T, n):
    _, layout, theta, (x, target, end) = prepare(T, 2, n)
    W, _, W_out, _ = (part[0] for part in layout.split(theta))

    def run():
        for k in range(n):
            textbook(W, W_out, x[k, : end[k, 0] + 1, :, 0], target[k, 0])
        return theta[0]

    return run, n


def eager(T, R, n):
    _, layout, theta, (x, target, end) = prepare(T, R, n)
    learn = torch_learner(theta, layout)

    def run():
        for k in range(n):
            learn(x[k], end[k], target[k])

    return run, n * R


def forward_mode(p, T):
    """Seconds per step and peak bytes of appendix() on one sequence of T steps, in the net of 2c with p distractors.

    Returns (weights, seconds per step, bytes).
    """
    row = lstm.Settings(experiment="2c", p=p)
    layout, rng = lstm.Layout(row), np.random.default_rng(0)
    theta, reading = lstm.Trial(row, 0).start(layout), lstm.LaneSettings.of([row]).of_lane(0)
    x, target = rng.integers(0, p, T), rng.uniform(0, 1, (T, 2))
    start = time.process_time()
    lstm.appendix(layout, theta, reading, x, target, T - 1, every_step=True)
    seconds = (time.process_time() - start) / T
    tracemalloc.start()
    lstm.appendix(layout, theta, reading, x, target, T - 1, every_step=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return layout.weights, seconds, peak


def scaling(rounds, sizes):
    """Medians over some rounds, for growing nets at 100 steps and growing sequences at 3064 weights."""
    rows = []
    for p, T in [(p, 100) for p in sizes] + [(500, T) for T in (200, 400, 800)][: len(sizes) - 2]:
        measured = [forward_mode(p, T) for _ in range(rounds)]
        weights, seconds, peak = measured[0][0], float(np.median([row[1] for row in measured])), measured[0][2]
        rows.append(dict(
            weights=weights, steps=T, us_per_step=round(1e6 * seconds, 1),
            ns_per_step_and_weight=round(1e9 * seconds / weights, 2), peak_kilobytes=round(peak / 1024, 1)))
        print(f"{weights:6d} weights, {T:4d} steps: {1e6 * seconds:8.1f} us per step, "
              f"{1e9 * seconds / weights:6.2f} ns per step and weight, peak {peak / 1024:8.1f} kB")
    return rows


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--T", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--p", type=int, nargs="+", default=[125, 500, 2000, 8000, 32_000],
                        help="distractors of the nets of section A.1.4")
    parser.add_argument("--out", default=str(ROOT / "benchmarks" / "lstm_1997.json"))
    args = parser.parse_args(argv)
    rows = []
    for T in args.T:
        n = max(2, 2000 // T)
        runs = {f"lockstep, {R} trials": lockstep(T, R, n) for R in (10, 20, 40, 60, 120)}
        runs["textbook loop, 1 trial"] = loop(T, n)
        try:
            runs["eager torch, 10 trials"] = eager(T, 10, n)
        except ImportError:
            print("torch is not installed: its row is left out")
        seconds = {name: [] for name in runs}
        for _ in range(args.rounds):
            for name, (run, sequences) in runs.items():
                start = time.process_time()
                run()
                seconds[name].append((time.process_time() - start) / sequences)
        ours = float(np.median(seconds["lockstep, 10 trials"]))
        for name, values in seconds.items():
            median = float(np.median(values))
            rows.append(dict(
                T=T, implementation=name, us_per_sequence_and_trial=round(1e6 * median, 1),
                times_lockstep_10=round(median / ours, 2)))
            print(f"T={T:5d}  {name:24s} {1e6 * median:10.1f} us per sequence and trial  {median / ours:6.2f}")
    processor.write(args.out, dict(
        rows=rows, scaling=scaling(args.rounds, args.p), machine=processor.described(lstm.CODE)))


if __name__ == "__main__":
    main()
