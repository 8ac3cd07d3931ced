"""The headline command in eager torch, for a comparison of whole processes: the same first weights, batches, clip, Adam
and evaluations as `adding_problem.py`, in float32 on one thread. It prints the last test MSE.

    python3 benchmarks/torch_headline.py [--iters 8000] [--T 100]
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
import processor

processor.prepare()  # before numpy

import torch

import adding_problem as ap

EVAL_EVERY = ap.Options().eval_every


def load(settings, lstm, readout):
    """Gives torch's modules the first weights of the seed. torch has two biases; the second stays 0."""
    net = ap.build(settings, settings.batch)
    ap.initialise(net, settings, ap.streams(settings.seed)["init"])
    tensors = net.tensors(net.theta)
    with torch.no_grad():
        for kind, target in (("W_x", lstm.weight_ih_l0), ("W_h", lstm.weight_hh_l0), ("b_", lstm.bias_ih_l0)):
            target.copy_(torch.cat([torch.from_numpy(tensors[kind + gate]) for gate in "ifgo"]))
        lstm.bias_hh_l0.zero_()
        readout.weight.copy_(torch.from_numpy(tensors["W_hy"]))
        readout.bias.copy_(torch.from_numpy(tensors["b_y"]))
    lstm.bias_hh_l0.requires_grad_(False)


def as_torch(x, target):
    """x (T, 2, n) and target (n,) in double precision, for torch: (T, n, 2) and (n,) in float32."""
    return torch.from_numpy(x).permute(0, 2, 1).float(), torch.from_numpy(target).float()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--iters", type=int, default=8000)
    parser.add_argument("--T", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings = ap.Settings(iters=args.iters, T=args.T)
    lstm, readout = torch.nn.LSTM(2, settings.hidden), torch.nn.Linear(settings.hidden, 1)
    load(settings, lstm, readout)
    parameters = [p for p in (*lstm.parameters(), *readout.parameters()) if p.requires_grad]
    optimizer = torch.optim.Adam(parameters)
    x_test, target_test = as_torch(*ap.held_out(settings))
    batches = ap.training_batches(ap.streams(settings.seed)["train"], settings.T, settings.batch)
    for iteration in range(1, args.iters + 1):
        x, target = as_torch(*next(batches))
        optimizer.param_groups[0]["lr"] = ap.learning_rate(settings, iteration)
        optimizer.zero_grad()
        (0.5 * (readout(lstm(x)[0][-1])[:, 0] - target).square().mean()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        if iteration % EVAL_EVERY == 0 or iteration == args.iters:
            with torch.no_grad():
                mse = (readout(lstm(x_test)[0][-1])[:, 0] - target_test).square().mean().item()
    print(mse)


if __name__ == "__main__":
    main()
