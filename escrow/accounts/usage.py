"""Notes when keys were last used: in memory at each request, in the database once in a while for all of them.

It is a hint for people who tidy up their keys, so it never costs a request a statement and never fails one. What was noted
since the last writing is lost when a process dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime
from typing import Final

from escrow import database

FLUSH_SECONDS: Final = 60.0
"""Each process writes a key's last use at most once a minute."""

NOTED_MAX: Final = 100_000
"""Keys noted between two writings; beyond it (the database is away) new ones are not noted."""

_log = logging.getLogger(__name__)


class KeyUsage:
    """Remembers which keys were used; a process that serves requests starts one and stops it at the end."""

    def __init__(self, *, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._flush_seconds = flush_seconds
        self._noted: dict[str, float] = {}
        """Each with the seconds since 1970."""
        self._task: asyncio.Task[None] | None = None

    def note(self, key_id: str | None) -> None:
        """This key was used now. No key (another kind of credentials) is nothing to note."""
        if key_id is not None and (key_id in self._noted or len(self._noted) < NOTED_MAX):
            self._noted[key_id] = time.time()

    def start(self) -> None:
        """Write from now on, in the background of this event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._flush_for_ever(), name="key usage")

    async def stop(self) -> None:
        """Write what is left, and no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.flush()

    async def flush(self) -> None:
        """Write what was noted; if the database refuses, it stays noted and a line in the log says why."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            await database.execute(_WRITE, list(noted), [datetime.fromtimestamp(at, UTC) for at in noted.values()])
        except BaseException as error:
            self._noted = noted | self._noted
            if not isinstance(error, Exception):
                raise
            # A hint is not worth failing for, whatever went wrong.
            _log.warning("the last use of keys not written", extra={"keys": len(noted), "error": error})

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._flush_seconds)
            await self.flush()


# Rows are locked in the order of their ids, so that two processes never wait for each other in a circle.
_WRITE: Final = """
WITH used AS (
    SELECT key.id, noted.at
    FROM unnest($1::text[], $2::timestamptz[]) AS noted (key_id, at) JOIN api_keys AS key ON key.id = noted.key_id
    ORDER BY key.id FOR UPDATE OF key
)
UPDATE api_keys AS key SET last_used_at = greatest(key.last_used_at, used.at) FROM used WHERE key.id = used.id
"""
