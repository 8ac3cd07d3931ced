"""Cost of the rows of lstm_1997_rivals.py: processor time per training sequence of a lockstep, and up to the cap.

    python3 benchmarks/bench_lstm_1997_rivals.py          into benchmarks/lstm_1997_rivals.json, a record per SIMD level
    python3 benchmarks/bench_lstm_1997_rivals.py --avx2   the same without AVX-512 (see processor.py)

Every lockstep trains as in a real run, its trials side by side, in double precision on one thread; processor time,
rounds interleaved, medians. Until the cap: as if no trial ever stopped, so an upper bound.
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

import lstm_1997 as lstm
import lstm_1997_rivals as rivals


def stacks():
    """The rows of Tables 1 and 2, those that train together side by side."""
    names = ("method", "experiment", *rivals.IDENTITY)
    return rivals.stacks([
        rivals.Settings(**{name: getattr(row, name) for name in names}) for row in rivals.TABLE_ROWS])


def learner(rows):
    """A function that trains some rows by one more sequence for each trial."""
    lockstep = rivals.Lockstep(rows)
    x, target, end = lstm.side_by_side([trial.draw(20) for trial in lockstep.trials])

    def learn(k):
        lockstep.learn(x[k % 20], target[k % 20], end[k % 20])

    return learn


def seconds_per_sequence(learn, at_least):
    start, count = time.process_time(), 0
    while not count or time.process_time() - start < at_least:
        learn(count)
        count += 1
    return (time.process_time() - start) / count


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="processor time of a round, at least")
    parser.add_argument("--out", default=str(ROOT / "benchmarks" / "lstm_1997_rivals.json"))
    args = parser.parse_args(argv)
    groups = stacks()
    learners = [learner(rows) for rows in groups]
    times = [[] for _ in groups]
    for _ in range(args.rounds):
        for learn, seconds in zip(learners, times):
            seconds.append(seconds_per_sequence(learn, args.seconds))
    table = []
    for rows, seconds in zip(groups, times):
        row, median = rows[0], statistics.median(seconds)
        rates = ", ".join(f"{row.lr:g}" for row in rows)
        table.append(dict(
            method=row.method, experiment=row.experiment, p=row.p, hidden=row.hidden, rates=rates,
            trials=sum(row.trials for row in rows), us_per_sequence=round(1e6 * median, 1), cap=row.max_sequences,
            core_hours_to_cap=round(median * row.max_sequences / 3600, 3)))
        print(table[-1])
    processor.write(args.out, dict(rows=table, machine=processor.described(rivals.CODE)))


if __name__ == "__main__":
    main()
