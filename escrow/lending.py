"""Lends a connection of asyncpg's pool for one statement, at a third of what the pool itself takes for it."""

# ruff: noqa: SLF001 - the pool has no public name for its connections' places

from __future__ import annotations

import asyncio
import time
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


async def lent(pool: Any, how: str, *args: object) -> Any:
    """What a connection answers when it is asked so (`fetch`, …): it is lent for one statement outside of transactions.

    One that rests is taken from its place as it is. On its way back the pool would look for what the borrower left behind, in
    a task of its own, which takes longer than a short statement. One that ran to its end has left nothing: it goes straight
    back to its place. After anything else (an error, a cancelled task, a transaction that was left open, a connection that was
    closed or is to be) it takes the pool's own way, as it does where none rests.
    """
    place = _taken(pool) or await _awaited(pool)
    connection = place._con
    try:
        answer = await getattr(connection, how)(*args)
    except BaseException:
        await _tidied(place, connection)
        raise
    if place._con is connection and _has_left_nothing(pool, place, connection):
        place._release()
        place._setup_inactive_callback()
    else:
        await _tidied(place, connection)
    return answer


async def _awaited(pool: Any) -> Any:
    """The place of a connection that the pool had to wait for, or to make."""
    with waited():
        return (await pool._acquire(None))._holder


def _has_left_nothing(pool: Any, place: Any, connection: Any) -> bool:
    protocol = connection._protocol
    return (
        not connection.is_closed()
        and not protocol.is_in_transaction()
        and not protocol._is_cancelling()
        and protocol.queries_count < place._max_queries
        and place._generation == pool._generation
    )


async def _tidied(place: Any, connection: Any) -> None:
    """Give the connection back as the pool does; one that was closed meanwhile has given back its place by itself."""
    if place._con is connection:
        connection._on_release()
        await asyncio.shield(place.release(None))  # who goes away leaves no place behind


def _taken(pool: Any) -> Any:
    """The place of a connection that rests, which is ours from now on; `None` where the pool has to wait for one, or make it.

    As the pool takes one, without the proxy that it hands out: nobody keeps a connection that is lent for one statement.
    """
    resting = pool._queue._queue  # in which the one that was given back last stands last
    if pool._closing or not pool._initialized or not resting:
        return None
    place = resting[-1]
    connection = place._con
    if connection is None or connection.is_closed() or place._generation != pool._generation:
        return None
    resting.pop()
    place._maybe_cancel_inactive_callback()
    place._in_use = pool._loop.create_future()
    place._timeout = None
    _WAITED.observe(0.0)
    return place
