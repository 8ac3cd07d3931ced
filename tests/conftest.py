"""What the tests share: where the project is, running a script as a user does, and executing a mutated source."""

import re
import subprocess
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "reference")]


def run_script(name, *flags, cwd, timeout=120):
    """Runs a script of the project in the folder cwd. Returns the CompletedProcess, output as text."""
    command = [sys.executable, str(ROOT / name), *map(str, flags)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)


def assert_bad_input(completed, words):
    """One line on stderr that holds the words, nothing on stdout, exit code 2."""
    assert completed.returncode == 2, completed.stderr
    assert completed.stderr.count("\n") == 1 and words in completed.stderr, completed.stderr
    assert completed.stdout == ""


def mutated(file, scope, old, new):
    """The source of an experiment with old replaced by new inside one class or function, where it must stand once."""
    source = (ROOT / file).read_text(encoding="utf-8")
    start = source.index(f"\n{scope}") + 1
    end = re.search(r"\n(?=[^\s)])", source[start:]).start() + start  # the next line that is not indented
    body = source[start:end]
    assert body.count(old) == 1, f"{old!r} stands {body.count(old)} times in {scope}"
    return source[:start] + body.replace(old, new) + source[end:]


def execute(source, name):
    """A module made from source text, with the file name of the original."""
    module = types.ModuleType(name)
    module.__file__ = str(ROOT / f"{name}.py")
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module
