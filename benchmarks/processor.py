"""The processor that a benchmark runs on: its SIMD level, and the same processor restricted to AVX2.

A benchmark calls prepare() before it imports numpy, torch or JAX. With --avx2 on the command line AVX-512 is switched
off in numpy, in OpenBLAS, in torch (ATen, oneDNN, MKL) and in XLA: a simulation of a processor without it, on one that
has it. Its caches, its clock and the cost of its denormal numbers stay its own.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ONE_XLA_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
AVX2 = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy 2.4's names; others are passed over
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}


def prepare():
    """Sets one thread each and, with --avx2 on the command line (which it takes away), no AVX-512."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    os.environ["XLA_FLAGS"] = ONE_XLA_THREAD
    if "--avx2" in sys.argv:
        sys.argv.remove("--avx2")
        os.environ.update(AVX2)
        os.environ["XLA_FLAGS"] += " --xla_cpu_max_isa=AVX2"


def libraries():
    """torch and JAX on one thread, JAX in double precision and on the processor, each None if it is not installed;
    and the first words of what can be timed."""
    torch = jax = None
    names = {"this project", "plain numpy"}
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
        names |= {"torch eager", "torch.compile"}
    with contextlib.suppress(ImportError):
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        names |= {"JAX jitted step", "JAX one scan"}
    return torch, jax, names


def level():
    """AVX-512, AVX2 or neither: what numpy uses of this processor."""
    from numpy._core._multiarray_umath import __cpu_features__ as features

    if features.get("AVX512_SKX") and features.get("X86_V4", True):
        return "AVX-512"
    return "AVX2" if features.get("AVX2") else "neither"


def described(code):
    """What a record of a benchmark says of its machine. simulated: AVX-512 was switched off on purpose."""
    import harness

    found = harness.provenance(code, 0)
    names = (
        "git_commit", "fingerprint", "python", "numpy", "simd", "blas", "blas_kernel", "blas_threads", "processor",
        "date")
    return {name: found.get(name) for name in names} | {
        "level": level(), "simulated": os.environ.get("NPY_DISABLE_CPU_FEATURES") == AVX2["NPY_DISABLE_CPU_FEATURES"]}


def write(path, record):
    """Puts a record into a file that holds one for every SIMD level, in place of the one of its own level."""
    path = Path(path)
    every = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    every[record["machine"]["level"]] = record
    path.write_text(json.dumps(every, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"wrote {path}")
