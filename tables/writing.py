"""What the tables share: markdown, numbers as words, and sentences that hold only while the
results bear them out."""

import json
import math

import numpy as np

import harness
from tables import ROOT


def markdown(header, rows, align="---"):
    """A table of cells, where None is an empty one. align: what stands in the second line for a
    column, --- or --: (set right), with the spaces around it; the first column is always set
    left."""
    rule = [align.replace(":", "-")] + [align] * (len(header) - 1)
    return "\n".join([line(header), f"|{'|'.join(rule)}|", *map(line, rows)])


def line(cells):
    return "|" + "".join(" |" if cell is None else f" {cell} |" for cell in cells)


def column(records, name):
    """A final figure of some records, as an array."""
    return np.array([record["final"][name] for record in records])


def seconds(records):
    """Wall-clock seconds of some records, as an array."""
    return np.array([record["provenance"]["wall_seconds"] for record in records])


def spread(values, digits):
    """Median and range."""
    return f"{np.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def count(k, n):
    """k of n with the 95% Wilson interval."""
    low, high = harness.wilson(k, n)
    return f"{k} of {n} ({low:.2f} to {high:.2f})"


def thousands(number):
    return f"{number:,.0f}"


def three(number):
    """A count to three digits: 57,600 for 57,633, 97,300 for 97,250."""
    step = 10 ** max(0, len(str(int(number))) - 3)
    return thousands(math.floor(number / step + 0.5) * step)


def listed(items):
    """1, 2 and 3."""
    *first, last = map(str, items)
    return f"{', '.join(first)} and {last}" if first else last


def benchmark(name):
    """The contents of a file of benchmarks/: a record per SIMD level."""
    return json.loads((ROOT / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


def iterations(name, **chosen):
    """The rows of a benchmark's record by SIMD level: {level: {name: row}}."""
    return {level: {row["name"]: row for row in record["iteration"] if row.items() >= chosen.items()}
            for level, record in benchmark(name).items()}


def side_by_side(columns):
    """Header and rows of a table of times and ratios: columns is {heading: {name: row}}; a row that a machine lacks stays
    empty."""
    names = list(dict.fromkeys(name for rows in columns.values() for name in rows))
    header = [cell for heading in columns for cell in (f"{heading}, µs", "ratio")]
    body = [[name, *(cell for rows in columns.values() for cell in (
        (f"{rows[name]['microseconds']:,.0f}", f"{rows[name]['ratio'][0]:.2f}") if name in rows else (None, None)))]
        for name in names]
    return ["one training iteration", *header], body


def ran_on(name):
    """On which processors a benchmark was run, in words."""
    words, libraries = [], {}
    for level, record in sorted(benchmark(name).items()):
        machine = record["machine"]
        libraries |= {library: machine[library] for library in ("numpy", "torch", "jax") if library in machine}
        words.append(f"{level}: {machine['processor']}, OpenBLAS kernel {machine['blas_kernel']}"
                     + (" (the same processor, AVX-512 switched off in every library)" if machine["simulated"] else ""))
    versions = ", ".join(f"{library} {version}" for library, version in libraries.items())
    return f"{'; '.join(words)}. {versions.replace('jax', 'JAX')}; one thread each, the machine to itself"
