# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0"]
# ///
"""Where a record comes from: a fingerprint of the code that decides its figures, the commit, the
machine with what its bits depend on, the command. What cannot be found out is left out."""

import ast
import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

COMMAND = []  # the words of the last command line


class Code:
    """An experiment's source as it was loaded, and its fingerprint: a hash of what decides the
    experiment's figures. That is every definition and constant that can be reached by name from
    `train` and `Settings`, also across imports into other experiments, never into harness.py;
    without docstrings, and of a setting only its default."""

    def __init__(self, module):
        self.module = sys.modules[module]
        self.text = getattr(self.module, "__source__", None)  # of a bundle
        file = getattr(self.module, "__file__", None)
        self.folder = file and os.path.dirname(os.path.abspath(file))
        with contextlib.suppress(Exception):  # standard input and notebooks have no source
            if self.text is None and self.module.__loader__ is None:  # a spawned process
                self.text = Path(file).read_text(encoding="utf-8")
            elif self.text is None:
                self.text = self.module.__loader__.get_source(module)

    @property
    def experiment(self):
        return getattr(self.module, "EXPERIMENT", self.module.__name__)

    @functools.cached_property
    def fingerprint(self):
        """16 hexadecimal digits, or None without a source."""
        if self.text is None:
            return None
        found = [(code.experiment, name, [canonical(node) for node in nodes])
                 for code, name, nodes in self.closure()]
        return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()[:16]

    def closure(self):
        """(Code, name, statements that bind it) of all that `train` and `Settings` lead to."""
        names, seen = [(self, "train"), (self, "Settings")], set()
        while names:
            code, name = names.pop()
            nodes = [] if code.text is None or name == "harness" else code.definitions.get(name, [])
            if nodes and (code.experiment, name) not in seen:
                seen.add((code.experiment, name))
                names += [reached for node in nodes for reached in code.reached_from(node)]
                yield code, name, nodes

    @functools.cached_property
    def definitions(self):
        """The statements at the top of the file that bind each name."""
        bound = {}
        for node in ast.parse(self.text).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names = {node.name}
            elif isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr, ast.If)):
                names = set()
            else:
                targets = getattr(node, "targets", [getattr(node, "target", node)])
                leaves = [leaf for target in targets for leaf in ast.walk(target)]
                names = {leaf.id for leaf in leaves if isinstance(leaf, ast.Name)}
            for name in names:
                bound.setdefault(name, []).append(node)
        return bound

    def reached_from(self, node):
        """(Code, name) of each definition that a statement names, here or in an experiment that
        this one imports."""
        for leaf in ast.walk(node):
            if isinstance(leaf, ast.Name):
                yield self, leaf.id
            elif isinstance(leaf, ast.Attribute) and isinstance(leaf.value, ast.Name):
                imported = getattr(vars(self.module).get(leaf.value.id), "CODE", None)
                if isinstance(imported, Code) and leaf.value.id != "harness":
                    yield imported, leaf.attr


def canonical(node):
    """A syntax tree as text without what changes no figure, the same on every version of Python
    (ast.dump is not)."""
    if isinstance(node, list):
        return f"[{','.join(map(canonical, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
        fields["body"] = node.body[1:]
    if isinstance(node, ast.Call):
        if getattr(node.func, "attr", getattr(node.func, "id", None)) == "setting":
            fields["args"] = node.args[:1]
            fields["keywords"] = [word for word in node.keywords if word.arg == "otherwise"]
    texts = [f"{name}={canonical(value)}" for name, value in fields.items()
             if name not in ("ctx", "kind", "type_comment") and value is not None and value != []]
    return f"{type(node).__name__}({','.join(texts)})"


@functools.cache
def git_state(folder):
    """The commit of a checkout and whether its code was changed since; None and None outside."""
    words = ["rev-parse", "HEAD"], [
        "status", "--porcelain", "--", ".", ":!results.json", ":!viz", ":!*.gif"]
    try:
        commit, changes = (
            subprocess.run(
                ["git", "--no-optional-locks", "-C", folder, *line], capture_output=True, text=True, check=True)
            for line in words)
        return commit.stdout.strip(), bool(changes.stdout.strip())
    except (OSError, TypeError, subprocess.CalledProcessError):
        return None, None


@functools.cache
def blas_library():
    """A function from a name such as get_num_threads to that of the loaded OpenBLAS; None if BLAS
    is another library, or cannot be asked."""
    numpy = Path(np.__file__).parent
    files = [*numpy.glob("_core/_multiarray_umath*"), *numpy.glob("core/_multiarray_umath*"),
             *numpy.parent.glob("numpy.libs/*openblas*"), *numpy.glob(".dylibs/*openblas*")]
    for file in files:
        for pattern in ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_",
                        "openblas_{}"):
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(str(file))
                getattr(library, pattern.format("set_num_threads"))
                return lambda name: getattr(library, pattern.format(name))  # noqa: B023
    return None


def blas_threads(wanted=None):
    """The number of BLAS threads, None if unknown; sets it to what is wanted afterwards."""
    ask = blas_library()
    if ask is None:
        return None
    threads = ask("get_num_threads")()
    if wanted is not None:
        ask("set_num_threads")(wanted)
    return threads


def machine():
    """What the bits depend on besides the code."""
    found = {"python": platform.python_version(), "numpy": np.__version__,
             "platform": platform.platform(), "processor": platform.processor()}
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line for line in lines if line.startswith("model name"))
        found["processor"] = name.split(":")[1].strip()
    with contextlib.suppress(Exception):
        config = np.show_config(mode="dicts")
        library = config["Build Dependencies"]["blas"]
        found |= {"blas": f"{library['name']} {library['version']}",
                  "simd": config["SIMD Extensions"]["found"]}
    with contextlib.suppress(Exception):
        kernel = blas_library()("get_corename")
        kernel.restype = ctypes.c_char_p
        found |= {"blas_kernel": kernel().decode(), "blas_threads": blas_threads()}
    return found


def provenance(code, wall_seconds):
    """The provenance of a record: commit, fingerprint, machine, date, command, time taken."""
    commit, dirty = git_state(code.folder)
    fingerprint = None
    with contextlib.suppress(Exception):
        fingerprint = code.fingerprint
    words = COMMAND or ["python3", os.path.basename(sys.argv[0]), *sys.argv[1:]]
    return {
        "git_commit": commit, "git_dirty": dirty, "fingerprint": fingerprint, **machine(),
        "date": time.strftime("%Y-%m-%d"), "command": shlex.join(words),
        "wall_seconds": round(wall_seconds, 2)}
