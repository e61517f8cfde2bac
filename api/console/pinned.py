"""Names the explorer's files: which packages of npm they come from, what each must be (SHA-256), and where they lie here.

They are somebody else's code and never part of the checkout: `make explorer` fetches them, and only what is as pinned is used.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

LOCK: Final = Path(__file__).parent / "explorer" / "explorer.lock"

FETCHED: Final = Path(__file__).parents[2] / "build" / "explorer"
"""Beside the packages; whoever builds a lasting installation puts the files there, or runs `earnest explorer` in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """One file: `package` as npm names it with its version, `path` inside of it, `name` by which it is served."""

    name: str
    package: str
    path: str
    sha256: str

    def is_right(self, body: bytes) -> bool:
        """Whether these bytes are the ones that were pinned."""
        return hashlib.sha256(body).hexdigest() == self.sha256


@cache
def files() -> tuple[PinnedFile, ...]:
    """All files of the explorer."""
    return tuple(PinnedFile(**one) for one in json.loads(LOCK.read_text())["files"])


def hashes() -> dict[str, str]:
    """What each file must be, by the name that it is served by."""
    return {one.name: one.sha256 for one in files()}


def missing(folder: Path = FETCHED) -> list[PinnedFile]:
    """The files that are not there, or are others."""
    return [one for one in files() if not _is_there(folder / one.name, one)]


def _is_there(path: Path, file: PinnedFile) -> bool:
    try:
        return file.is_right(path.read_bytes())
    except OSError:
        return False
