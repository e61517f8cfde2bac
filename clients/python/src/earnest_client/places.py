"""Where a reader of the log is: a cursor, kept wherever you like."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Protocol

from earnest_client.files import ONE_BY_ONE, read_or, write_whole

BEGINNING: Final = "cur_0000000000000"
"""Before the first event of the log."""
LATEST: Final = "latest"
"""From now on."""


class Place(Protocol):
    """Keeps one cursor. For exactly once, write it in the transaction in which you write what you made of the event."""

    async def read(self) -> str | None:
        """The cursor of the last event that was handled; `None` before the first."""

    async def write(self, cursor: str) -> None:
        """Keep it instead of the one before. Called once an event was handled, before the next is given."""


class MemoryPlace:
    """A place that is lost with the process."""

    def __init__(self, cursor: str | None = None) -> None:
        self.cursor = cursor

    async def read(self) -> str | None:
        """The cursor."""
        return self.cursor

    async def write(self, cursor: str) -> None:
        """Keep the cursor."""
        self.cursor = cursor


class FilePlace:
    """A place in a file of its own. After a crash the last event may come again: it was handled, but not yet noted."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    async def read(self) -> str | None:
        """The cursor."""
        return read_or(self._path, "").strip() or None

    async def write(self, cursor: str) -> None:
        """Keep the cursor; it is on the disk when this returns."""
        await asyncio.to_thread(self._write, cursor)

    def _write(self, cursor: str) -> None:
        with ONE_BY_ONE:
            write_whole(self._path, cursor)
