"""Remembers a restore in place until it is through, so that one that is broken off, however that happens, is undone.

It is written down before anything is touched. Whoever takes the lock of the folder afterwards, be it `earnest up`, looks here
first: a copy of a base that started without its recovery would go on where the base was, as if nothing had happened since.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from earnest.engines.processes import write_private

JOURNAL: Final = "restoring.json"
DATA: Final = "postgres"
RECOVERY_SIGNAL: Final = "recovery.signal"
"""PostgreSQL recovers while this is in its folder, and takes it away once it has begun a timeline of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """What a restore is about to do in the folder of a deployment."""

    aside: str | None
    """The name that the data of before gets; `None` if there was none."""
    kept: Sequence[str]
    """The files that the server of before hadn't handed on, as they are put beside the backups: it goes on writing the last."""

    @classmethod
    def begun(cls, directory: Path, *, kept: Sequence[Path] = ()) -> Self:
        """A new one, written down."""
        there = (directory / DATA).exists()
        restore = cls(aside=f"{DATA}-until-{_now()}" if there else None, kept=[str(path) for path in kept])
        write_private(directory / JOURNAL, json.dumps(asdict(restore)))
        return restore

    @classmethod
    def found(cls, directory: Path) -> Self | None:
        """The one that isn't through; `None` if there is none."""
        try:
            return cls(**json.loads((directory / JOURNAL).read_text()))
        except FileNotFoundError:
            return None

    def put_in_place(self, directory: Path) -> None:
        """Move what was there aside and the draft to its place."""
        if self.aside is not None:
            (directory / DATA).rename(directory / self.aside)
        draft(directory).rename(directory / DATA)

    def is_through(self, directory: Path) -> bool:
        """Whether PostgreSQL has recovered. It may have handed on its new timeline by now: then it is too late to go back."""
        return self._has_moved(directory) and not (directory / DATA / RECOVERY_SIGNAL).exists()

    def settle(self, directory: Path) -> bool:
        """Forget it if it is through, else undo it; answers which. Nothing may run there any more."""
        through = self.is_through(directory)
        if not through:
            self._undo(directory)
        shutil.rmtree(draft(directory), ignore_errors=True)
        (directory / JOURNAL).unlink()
        return through

    def _undo(self, directory: Path) -> None:
        """In such an order that it can be cut short itself, and be done again."""
        for path in self.kept:
            Path(path).unlink(missing_ok=True)
        data = directory / DATA
        if self._has_moved(directory):
            data.rename(directory / f"{DATA}-not-restored-{_now()}")
        if self.aside is not None and (directory / self.aside).exists():
            (directory / self.aside).rename(data)

    def _has_moved(self, directory: Path) -> bool:
        """Whether the data that is there is the restored one."""
        is_aside = self.aside is None or (directory / self.aside).exists()
        return is_aside and (directory / DATA).exists()


def draft(directory: Path) -> Path:
    """Where the base is copied to, beside what is there."""
    return directory / f"{DATA}.restoring"


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
