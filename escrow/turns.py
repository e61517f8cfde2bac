"""Lets only so much of one account be under way at once in the loop that everybody shares; the rest of it waits in line.

One account may have thousands of connections and hundreds of operations on each: without this, whoever comes after them waits for
all of them, however cheap each is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Final

UNDER_WAY_MAX: Final = 16
"""So many keep a process and PostgreSQL busy; and they are what others may have to wait for, about a millisecond each."""


class Turns:
    """Who is under way, and who waits."""

    def __init__(self, under_way_max: int = UNDER_WAY_MAX) -> None:
        self._under_way_max = under_way_max
        self._under_way: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def of(self, owner: Hashable) -> _Turn:
        """`async with turns.of(owner) as has_waited:` is under way for this owner while the block lasts, as soon as it is the
        block's turn; and knows whether that came late."""
        return _Turn(self, owner)

    def begin_at_once(self, owner: Hashable) -> bool:
        """Be under way for this owner, until `end`, if nobody has to be waited for."""
        under_way = self._under_way.get(owner, 0)
        if under_way >= self._under_way_max:
            return False
        self._under_way[owner] = under_way + 1
        return True

    async def wait(self, owner: Hashable) -> None:
        """Be under way for this owner, until `end`, when it is its turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end(owner)  # it was just its turn
            raise

    def end(self, owner: Hashable) -> None:
        """Hand the place on to whoever waits longest and is still there."""
        waiting = self._waiting.get(owner)
        while waiting:
            turn = waiting.popleft()
            if not waiting:
                del self._waiting[owner]
            if not turn.done():
                turn.set_result(None)
                return
        left = self._under_way.pop(owner) - 1
        if left:
            self._under_way[owner] = left


class _Turn:
    """One block that is to be under way."""

    __slots__ = ("_owner", "_turns")

    def __init__(self, turns: Turns, owner: Hashable) -> None:
        self._turns, self._owner = turns, owner

    async def __aenter__(self) -> bool:
        if self._turns.begin_at_once(self._owner):
            return False
        await self._turns.wait(self._owner)
        return True

    async def __aexit__(self, *_: object) -> None:
        self._turns.end(self._owner)
