"""Reads the lock: each package with its version, whichever platform it is for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

LOCK: Final = Path(__file__).parents[2] / "requirements.lock"

_LINE: Final = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


def normal(name: str) -> str:
    """A package's name as indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(text: str) -> dict[str, str]:
    """Versions by name."""
    return {normal(name): version for name, version in _LINE.findall(text)}
