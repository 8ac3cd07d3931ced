"""Thirty repeats of information_latching.py in lockstep against thirty eager torch runs, one after another.

    python3 benchmarks/bench_information_latching.py            into benchmarks/information_latching.json
    python3 benchmarks/bench_information_latching.py --avx2     the same without AVX-512 (see processor.py)

Prints a table and writes it to the file, a record per SIMD level. Per training update: forward, backward and Adam at
T = 100, batch 16, one unit, on a batch that is ready; drawing the batches is timed beside it. Both sides start from the
same weights and must give the same loss before they are timed. Rounds are interleaved, one thread each; the figures
are medians over the rounds. GRU: the variant that torch has.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
import processor

processor.prepare()  # before numpy

import numpy as np
import torch

import information_latching as latching

REPEATS, T, BATCH = 30, 100, 16
MODULES = {"srnn": (torch.nn.RNN, "h"), "lstm": (torch.nn.LSTM, "ifgo"), "gru": (torch.nn.GRU, "rzg")}


def our_side(cell, dtype):
    """An update of thirty repeats and the drawing of a batch, both as functions; the net, the batch and its loss."""
    choice = dict(reset="after") if cell == "gru" else {}
    settings = latching.Settings(cell=cell, T=T, batch=BATCH, repeats=REPEATS, dtype=dtype, **choice)
    rngs = [latching.streams(seed) for seed in range(REPEATS)]
    net = latching.build(settings, BATCH, REPEATS)
    latching.initialise(net, settings, rngs)
    optimizer = latching.Adam(net.theta, epsilon=1e-7)
    batches = latching.training_batches(rngs, settings, [None] * REPEATS)
    x, sign = next(batches)
    loss, _ = latching.loss_and_gradient(net, net.forward(x), sign)
    start = net.theta.copy()

    def update():
        latching.update(net, optimizer, x, sign, 1e-3, 1)

    return update, lambda: next(batches), net, start, (x, sign, loss)


def torch_side(cell, net, start, batch, dtype):
    """An update of one torch run, the first repeat's weights and batch, as a function."""
    x, sign, loss = batch
    module, gates = MODULES[cell]
    rnn, readout = module(1, 1, dtype=dtype), torch.nn.Linear(1, 2, dtype=dtype)
    tensors = net.tensors(start)
    with torch.no_grad():
        for k, gate in enumerate(gates):
            rnn.weight_ih_l0[k] = float(tensors[f"W_x{gate}"][0, 0, 0])
            rnn.weight_hh_l0[k] = float(tensors[f"W_h{gate}"][0, 0, 0])
            rnn.bias_ih_l0[k] = float(tensors[f"b_{gate}"][0, 0])
        rnn.bias_hh_l0[:] = 0
        readout.weight[:] = torch.tensor(tensors["W_y"][:, :, 0].copy())
        readout.bias[:] = torch.tensor(tensors["b_y"][:, 0].copy())
    x = torch.tensor(x.reshape(T, 1, BATCH, REPEATS)[:, 0, :, 0][:, :, None].copy(), dtype=dtype)
    labels = torch.tensor((sign.reshape(BATCH, REPEATS)[:, 0] > 0).astype(int))
    parameters = [*rnn.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, eps=1e-7)

    def update():
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(readout(rnn(x)[0][-1]), labels)
        value.backward()
        optimizer.step()
        return value.item()

    first = update()
    assert abs(first - loss[0]) < (1e-12 if dtype == torch.float64 else 1e-5), (first, loss[0])
    return update


def seconds(function, times):
    start = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - start) / times


def measure(cell, rounds, times):
    """Medians over interleaved rounds, {name: ms per update}, and thirty torch runs over ours in each round."""
    update, draw, net, start, batch = our_side(cell, "float64")
    sides = {"numpy f64, 30 repeats": update, "numpy f32, 30 repeats": our_side(cell, "float32")[0], "drawing": draw}
    for name, dtype in (("torch f64, 1 run", torch.float64), ("torch f32, 1 run", torch.float32)):
        sides[name] = torch_side(cell, net, start, batch, dtype)
    for side in sides.values():
        seconds(side, times)
    taken = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            taken[name].append(1e3 * seconds(side, times))
    ratios = {}
    for ours, theirs in (("f64", "f64"), ("f32", "f32"), ("f64", "f32")):
        rounds_of_both = zip(taken[f"numpy {ours}, 30 repeats"], taken[f"torch {theirs}, 1 run"])
        ratios[f"torch {theirs} / numpy {ours}"] = [REPEATS * slow / fast for fast, slow in rounds_of_both]
    return {name: statistics.median(values) for name, values in taken.items()}, ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--times", type=int, default=40, help="updates in a round")
    parser.add_argument("--out", default=str(Path(__file__).with_name("information_latching.json")))
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print("ms per update, T = 100, batch 16, one unit; ratio: thirty torch runs over thirty repeats in lockstep")
    for cell in MODULES:
        medians, ratios = measure(cell, args.rounds, args.times)
        rows.append({
            "cell": cell, "ms": {name: round(value, 4) for name, value in medians.items()},
            "ratio": {name: [round(float(np.quantile(values, q)), 1) for q in (0.5, 0, 1)]
                      for name, values in ratios.items()}})  # median, least and greatest of the rounds
        print(f"{cell:5s}", "  ".join(f"{name} {value:.3f}" for name, value in rows[-1]["ms"].items()))
        ratios = (f"{name}: {m} [{low}, {high}]" for name, (m, low, high) in rows[-1]["ratio"].items())
        print("      30 x", "  ".join(ratios))
    processor.write(args.out, {
        "rows": rows, "repeats": REPEATS, "T": T, "batch": BATCH, "rounds": args.rounds, "times": args.times,
        "machine": processor.described(latching.CODE) | {"torch": torch.__version__}})


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
