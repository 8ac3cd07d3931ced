"""Every benchmark runs, in seconds: so that one that the code has left behind is noticed."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

FLAGS = {  # of the smallest run; what is left out takes minutes, or is not installed everywhere
    "bench_adding_problem": "--rounds 1 --times 0.34 --T 6 --iters 4 --without torch.compile",
    "bench_information_latching": "--rounds 1 --times 1",
    "bench_lstm_1997": "--rounds 1 --T 100 --p 3 5",
    "bench_lstm_1997_rivals": "--rounds 1 --seconds 0",
    "bench_rnn_pathological": "--avx2 --rounds 1 --T 6 --hidden 4 --batch 3 --without torch.compile",
}


def test_every_benchmark_is_run_here():
    assert sorted(FLAGS) == sorted(path.stem for path in (ROOT / "benchmarks").glob("bench_*.py"))


@pytest.mark.parametrize("name", FLAGS)
def test_a_benchmark_runs(name, tmp_path):
    """Without torch or JAX their rows are left out; the comparison of the latch is with torch alone."""
    if name == "bench_information_latching" and importlib.util.find_spec("torch") is None:
        assert not os.environ.get("REQUIRE_TORCH"), "torch is asked for and not installed"
        pytest.skip("torch is not installed")
    out = tmp_path / "bench.json"
    run = subprocess.run([sys.executable, ROOT / "benchmarks" / f"{name}.py", *FLAGS[name].split(), "--out", out],
                         capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    record = json.loads(out.read_text())
    if len(record) == 1:  # a record per SIMD level
        [[level, record]] = record.items()
        assert level == record["machine"]["level"] and ("--avx2" not in FLAGS[name] or level != "AVX-512")
    machine = record.get("machine") or record["provenance"]
    assert machine["blas_kernel"] and machine["simd"] and machine["level"] in ("AVX-512", "AVX2", "neither")
