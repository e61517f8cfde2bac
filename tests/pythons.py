"""Runs the tests on every other Python that this machine has: `make pythons`, or `make pythons ARGS="3.13 -- tests/escrow"`.

Each gets an environment of its own below `build/pythons/`, by the same lock. The code is 0 if all that were found are good and
at least one was found; those that are missing are named.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
ENVIRONMENTS: Final = ROOT / "build" / "pythons"
VERSIONS: Final = ("3.12", "3.13", "3.14")
"""Beside 3.11, on which `make test` runs."""

PART: Final = (
    *("tests/escrow", "tests/schema", "tests/webhooks", "tests/connectors"),
    *("tests/earnest/engines", "tests/earnest/run", "tests/workers/test_main.py", "tests/api/test_journey.py"),
)
"""What meets the language and the libraries everywhere, in half of the whole suite's time."""


def main(argv: Sequence[str]) -> int:
    """Test on each; gives the exit code."""
    parser = argparse.ArgumentParser(prog="make pythons")
    parser.add_argument("versions", nargs="*", default=VERSIONS, help=f"by default {', '.join(VERSIONS)}")
    arguments, separator, chosen = list(argv), "--", list(PART)
    if separator in arguments:
        at = arguments.index(separator)
        arguments, chosen = arguments[:at], arguments[at + 1 :]
    codes = {version: tested(version, chosen) for version in parser.parse_args(arguments).versions}
    print("\n".join(f"Python {version}: {outcome(code)}" for version, code in codes.items()), flush=True)
    found = [code for code in codes.values() if code is not None]
    return max(found, default=1)


def outcome(code: int | None) -> str:
    """What is said of a version."""
    if code is None:
        return "there is none on this machine"
    return "good" if code == 0 else f"failed (code {code})"


def tested(version: str, chosen: Sequence[str]) -> int | None:
    """The code of pytest on that version; `None` where there is no such Python."""
    interpreter = find_interpreter(version)
    if interpreter is None:
        return None
    python = install(interpreter, version)
    return subprocess.run([python, "-m", "pytest", "-q", *chosen], cwd=ROOT, check=False).returncode


def find_interpreter(version: str) -> str | None:
    """A Python of that version: on the PATH, or where pyenv keeps its own."""
    kept = sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}.*/bin/python"))
    for candidate in (shutil.which(f"python{version}"), *map(str, kept)):
        if candidate and is_version(candidate, version):
            return candidate
    return None


def is_version(interpreter: str, version: str) -> bool:
    """Whether it runs, and as that version: pyenv's shims are there for all, and run for the chosen one only."""
    said = subprocess.run([interpreter, "--version"], capture_output=True, text=True, check=False).stdout
    return said.startswith(f"Python {version}.")


def install(interpreter: str, version: str) -> str:
    """An environment with what the lock names and this checkout, made anew when the lock has changed; gives its Python."""
    environment = ENVIRONMENTS / version
    python, stamp, lock = environment / "bin" / "python", environment / "installed", ROOT / "requirements.lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        print(f"Making {environment.relative_to(ROOT)} with {interpreter} ...", flush=True)
        subprocess.run([interpreter, "-m", "venv", "--clear", environment], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True)
        shutil.copy(lock, stamp)
    return str(python)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
