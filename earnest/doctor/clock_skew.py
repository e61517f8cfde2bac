"""Compares the clocks of this machine, of PostgreSQL and of Redis: what is signed, due or expires is dated by all three."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import asyncpg
from redis.exceptions import RedisError

from earnest.doctor import database_server, redis_server
from earnest.doctor.findings import Finding, fine, odd, wrong

SUBJECT: Final = "clocks"
ODD_SECONDS: Final = 1.0
WRONG_SECONDS: Final = 5.0
REMEDY: Final = "let all machines keep time by the same NTP servers (timedatectl, chronyc tracking)"

Clock = Callable[[], float]


async def look(database_url: str, redis_url: str, *, here: Clock = time.time) -> list[Finding]:
    """How far the others' clocks are from ours; what can't be reached is told elsewhere."""
    found = []
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        found.append(await _of_postgres(database_url, here))
    with suppress(OSError, TimeoutError, RedisError):
        found.append(await _of_redis(redis_url, here))
    return found


async def _of_postgres(url: str, here: Clock) -> Finding:
    async with database_server.connected(url) as connection:

        async def there() -> float:
            return float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())"))

        return await _compared("PostgreSQL's", here, there)


async def _of_redis(url: str, here: Clock) -> Finding:
    async with redis_server.connected(url) as client:

        async def there() -> float:
            seconds, microseconds = await client.time()
            return int(seconds) + int(microseconds) / 1e6

        return await _compared("Redis'", here, there)


async def _compared(whose: str, here: Clock, there: Callable[[], Awaitable[float]]) -> Finding:
    """By the second answer, since the first one pays for the connection; what the way takes may be on either side of it."""
    await there()
    before = here()
    told = await there()
    after = here()
    away, doubt = told - (before + after) / 2, (after - before) / 2
    certain = max(0.0, abs(away) - doubt)
    said = f"{whose} clock is {abs(away):.1f} s {'ahead of' if away > 0 else 'behind'} this machine's"
    if certain > WRONG_SECONDS:
        return wrong(SUBJECT, said, REMEDY)
    if certain > ODD_SECONDS:
        return odd(SUBJECT, said, REMEDY)
    return fine(SUBJECT, f"{whose} clock goes with this machine's")
