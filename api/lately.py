"""Remembers for a moment what was found out last, so that asking a thousand times a second costs as much as asking once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lately(Generic[T]):
    """What one question was answered with last; those who ask meanwhile wait for the same answer."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._found: asyncio.Future[T] | None = None
        self._until = 0.0

    async def known(self, find: Callable[[], Awaitable[T]]) -> T:
        """The answer of the last `seconds`, else what `find` answers or raises now."""
        found = self._found
        if found is None or self._is_old(found):
            self._found = found = asyncio.ensure_future(find())
            self._until = self._clock() + self._seconds
        # Whoever leaves takes nothing from the others.
        return await asyncio.shield(found)

    def _is_old(self, found: asyncio.Future[T]) -> bool:
        if found.done() and (found.cancelled() or found.exception() is not None):
            return True
        # An answer of a loop that has ended since is never coming.
        return self._clock() >= self._until or found.get_loop() is not asyncio.get_running_loop()
