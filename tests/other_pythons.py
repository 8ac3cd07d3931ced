"""Prints the newest other Python 3.11+ on this machine of each version, one path a line; .ci/run and tests use it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path


def other_pythons():
    """Paths by version, the newest version first; this Python's own version is left out."""
    found = {}
    for minor in range(20, 10, -1):
        name = f"python3.{minor}"
        places = [shutil.which(name)]
        pyenv = shutil.which("pyenv")
        if pyenv:
            places += sorted(Path(pyenv).parent.parent.glob(f"versions/*/bin/{name}"), reverse=True)
        for path in filter(None, places):
            asked = subprocess.run([path, "--version"], capture_output=True, text=True)
            version = re.fullmatch(rf"Python 3\.{minor}\.\d+\S*\s*", asked.stdout)
            if asked.returncode == 0 and version and (3, minor) != sys.version_info[:2]:
                found.setdefault((3, minor), str(path))
    return found


if __name__ == "__main__":
    print(*other_pythons().values(), sep="\n")
