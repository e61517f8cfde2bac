"""Installs what a lock names with pip, and shows how far it is. Run by its path before anything is installed, so it imports the
standard library only: `python earnest/run/installing.py requirements.lock`.

On a terminal one line counts; elsewhere a line comes at each quarter. If pip fails, all that it said is printed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

PIP = (
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--progress-bar",
    "off",
    "--no-input",
    "--require-hashes",
    "-r",
)

LOOKED_AT = re.compile(r"^(?:Collecting|Requirement already satisfied:|Ignoring) ([\w.-]+)")
"""What pip says of each package of a lock, once; the second kind also of what others need."""


def main(lock: Path) -> int:
    """Install; gives pip's code."""
    names = re.findall(r"^([\w.-]+)==", lock.read_text(), re.MULTILINE)
    shown = Progress(len(names))
    process = subprocess.Popen(
        [sys.executable, *PIP, str(lock)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    said = []
    for line in process.stdout or ():
        said.append(line)
        if found := LOOKED_AT.match(line):
            shown.count(found[1])
        elif line.startswith("Installing collected packages"):
            shown.say("all are here; unpacking them")
    if code := process.wait():
        shown.say("pip failed")
        print("".join(said), file=sys.stderr)
        return code
    shown.say(f"installed after {shown.seconds:.0f} s")
    return 0


class Progress:
    """How many of the packages were looked at so far."""

    def __init__(self, total: int) -> None:
        self._total = max(total, 1)
        self._seen: set[str] = set()
        self._quarter = 0
        self._began = time.monotonic()
        self._is_counting = False

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def count(self, name: str) -> None:
        """One more, unless it was counted."""
        if name in self._seen:
            return
        self._seen.add(name)
        done = len(self._seen)
        line = f"  {done} of {self._total}: {name}"
        if sys.stdout.isatty():
            print(f"\r{line:<60}", end="", flush=True)
            self._is_counting = True
        elif done * 4 // self._total > self._quarter:
            self._quarter = done * 4 // self._total
            print(line, flush=True)

    def say(self, words: str) -> None:
        """A line of its own."""
        print(f"{chr(10) if self._is_counting else ''}  {words}", flush=True)
        self._is_counting = False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
