"""Lends a connection of asyncpg's pool for one statement, at a third of what the pool itself takes for it."""

# ruff: noqa: SLF001 - the pool has no public name for its connections' places

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Final

from escrow import meters
from escrow.statements import FAILURES

_WAITED: Final = meters.Histogram(
    "earnest_pool_wait_seconds", "How long statements and transactions waited for a connection"
)


class waited:  # noqa: N801 - it is used as a function
    """`with waited():` measures how long a connection is waited for, and counts those that can't be had."""

    __slots__ = ("_began",)

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _WAITED.observe(time.perf_counter() - self._began)
        if kind is not None and issubclass(kind, Exception):  # who goes away while waiting is no failure
            FAILURES.add()


class one_statement:  # noqa: N801 - it is used as a function
    """`async with one_statement(pool) as connection:` lends a connection for a statement outside of transactions.

    One that rests is taken from its place as it is. On its way back the pool would look for what the borrower left behind, in
    a task of its own, which takes longer than a short statement. One that ran to its end has left nothing: it goes straight
    back to its place. After anything else (an error, a cancelled task, a transaction that was left open, a connection that was
    closed or is to be) it takes the pool's own way, as it does where none rests.
    """

    __slots__ = ("_connection", "_place", "_pool")

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def __aenter__(self) -> Any:
        place = _taken(self._pool)
        if place is None:
            with waited():
                place = (await self._pool._acquire(None))._holder
        else:
            _WAITED.observe(0.0)
        self._place, self._connection = place, place._con
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        place, connection = self._place, self._connection
        if place._con is not connection:
            return  # it was closed meanwhile, and its place has been given back
        if kind is None and self._has_left_nothing(place):
            place._release()
            place._setup_inactive_callback()
        else:
            connection._on_release()
            await asyncio.shield(place.release(None))  # as the pool does: who goes away leaves no place behind

    def _has_left_nothing(self, place: Any) -> bool:
        connection = place._con
        if connection.is_closed():
            return False
        protocol = connection._protocol
        return (
            not protocol.is_in_transaction()
            and not protocol._is_cancelling()
            and protocol.queries_count < place._max_queries
            and place._generation == self._pool._generation
        )


def _taken(pool: Any) -> Any:
    """The place of a connection that rests, which is ours from now on; `None` where the pool has to wait for one, or make it.

    As the pool takes one, without the proxy that it hands out: nobody keeps a connection that is lent for one statement.
    """
    queue = pool._queue
    if pool._closing or not pool._initialized or queue.empty():
        return None
    place = queue.get_nowait()
    connection = place._con
    if connection is None or connection.is_closed() or place._generation != pool._generation:
        queue.put_nowait(place)
        return None
    place._maybe_cancel_inactive_callback()
    place._in_use = pool._loop.create_future()
    place._timeout = None
    return place
