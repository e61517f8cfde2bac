"""Reads the Procfile: which processes a deployment has, one `name: command` a line.

A command is split as a shell would split it, but no shell runs it: its first process is the program itself, so that
signals arrive. `earnest` is the interpreter that reads this, whatever the PATH says.
"""

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from earnest.run.refusing import CannotStart

LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One process to run."""

    name: str
    command: tuple[str, ...]


def read_procfile(path: Path) -> list[Entry]:
    """The entries in their order; refuses a missing, an empty and a malformed file, naming the line."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise CannotStart(
            f"There is no {path.name} in {path.parent}: start Earnest in the folder of its checkout"
        ) from None
    entries = [
        _entry(path, number, line.strip())
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.strip().startswith("#")
    ]
    if not entries:
        raise CannotStart(f"{path} names no process; it must have lines such as `web: earnest web`")
    if len({entry.name for entry in entries}) != len(entries):
        raise CannotStart(f"{path} names a process twice")
    return entries


def _entry(path: Path, number: int, line: str) -> Entry:
    found = LINE.fullmatch(line)
    try:
        words = shlex.split(found["command"]) if found else []
    except ValueError:
        words = []
    if found is None or not words:
        raise CannotStart(f"{path}, line {number} is {line!r}; it must be `name: command`")
    if words[0] == "earnest":
        words[:1] = [sys.executable, "-m", "earnest"]
    return Entry(name=found["name"], command=tuple(words))
