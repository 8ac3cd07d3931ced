"""Every benchmark runs, in seconds: so that one that the code has left behind is noticed."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT, run_script

FLAGS = {  # of the smallest run; what is left out takes minutes, or is not installed everywhere
    "bench_adding_problem": "--rounds 1 --times 0.34 --T 6 --iters 4 --without torch.compile",
    "bench_information_latching": "--rounds 1 --times 1",
    "bench_lstm_1997": "--rounds 1 --T 100 --p 3 5",
    "bench_lstm_1997_rivals": "--rounds 1 --seconds 0",
    "bench_rnn_pathological": "--avx2 --rounds 1 --T 6 --hidden 4 --batch 3 --without torch.compile",
}


def test_every_benchmark_is_run_here():
    assert sorted(FLAGS) == sorted(path.stem for path in (ROOT / "benchmarks").glob("bench_*.py"))


def needs_torch():
    if importlib.util.find_spec("torch") is None:
        assert not os.environ.get("REQUIRE_TORCH"), "torch is asked for and not installed"
        pytest.skip("torch is not installed")


@pytest.mark.parametrize("name", FLAGS)
def test_a_benchmark_runs(name, tmp_path):
    """Without torch or JAX their rows are left out; the comparison of the latch is with torch alone."""
    if name == "bench_information_latching":
        needs_torch()
    out = tmp_path / "bench.json"
    run = subprocess.run([sys.executable, ROOT / "benchmarks" / f"{name}.py", *FLAGS[name].split(), "--out", out],
                         capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    record = json.loads(out.read_text())
    [[level, record]] = record.items()  # a record per SIMD level
    machine = record["machine"]
    assert level == machine["level"] and ("--avx2" not in FLAGS[name] or level != "AVX-512")
    assert machine["blas_kernel"] and machine["simd"] and level in ("AVX-512", "AVX2", "neither")


def test_the_headline_in_torch_is_the_same_training(tmp_path):
    """The last test MSE of whole commands: equal but for what single precision rounds."""
    needs_torch()
    size = "--iters", "150", "--T", "20"
    run = subprocess.run([sys.executable, ROOT / "benchmarks" / "torch_headline.py", *size],
                         capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run_script("adding_problem.py", "--quiet", *size, cwd=tmp_path).returncode == 0
    [record] = json.loads((tmp_path / "results.json").read_text())["adding_problem"]
    assert float(run.stdout) == pytest.approx(record["final"]["test_mse"], rel=1e-3)
    assert record["final"]["test_mse"] < 0.65  # it has begun to learn
