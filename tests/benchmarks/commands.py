"""How many commands a second one process carries out, as a ratio to the same SQL on bare asyncpg.

A round is the same work three times, each on its own copy of one database: by the product, by the product while its
statements are written down, and by a bare asyncpg pool of the same size that replays what was written down. The
ratio is what reading rows into values, deciding, hashing and preparing arguments cost beside PostgreSQL's own work.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from unittest import mock

import asyncpg

from escrow import database
from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deal, Deployment

CONTRACTS: Final = 64
ROUNDS_OF_REVIEW: Final = 8
"""Each is a submission and a request for changes; one approval ends it."""
COMMANDS_PER_CONTRACT: Final = 2 * ROUNDS_OF_REVIEW + 1
AT_ONCE: Final = 16
POOL: Final = 10

Statement = tuple[str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds for the same commands, and how many statements each took."""

    product_seconds: float
    bare_seconds: float
    statements: int

    @property
    def commands(self) -> int:
        return CONTRACTS * COMMANDS_PER_CONTRACT


async def tables(server: TestServer, _: str, options: Options) -> list[Table]:
    """The medians of the rounds, and the span of the ratio, which is what can be compared between machines."""
    await measure(server)  # warms up the engine and the interpreter; not counted
    rounds = [await measure(server) for _ in range(options.rounds)]
    ratios = [one.bare_seconds / one.product_seconds for one in rounds]
    product = statistics.median(one.commands / one.product_seconds for one in rounds)
    bare = statistics.median(one.commands / one.bare_seconds for one in rounds)
    row = [
        f"{product:,.0f}",
        f"{bare:,.0f}",
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})",
        f"{rounds[0].statements / rounds[0].commands:.2f}",
    ]
    caption = f"Commands on {CONTRACTS} contracts, {AT_ONCE} at once, medians of {options.rounds} rounds"
    columns = ["Earnest, commands/s", "the same SQL on bare asyncpg, commands/s", "ratio", "statements per command"]
    return [Table("commands", caption, columns, [row])]


async def measure(server: TestServer) -> Figures:
    """One round."""
    origin = await server.clone()
    async with _connected(origin):
        deployment = await Deployment.make()
        deals = [await deployment.fund("250.00", "500.00", "250.00") for _ in range(CONTRACTS)]
    copies = [await server.clone(of=origin) for _ in range(3)]
    async with _connected(copies[0]):
        product_seconds = await _timed([partial(_review, deal) for deal in deals])
    async with _connected(copies[1]):
        written_down = [await _written_down(deal) for deal in deals]
    bare_seconds = await _replay(copies[2], written_down)
    for url in (origin, *copies):
        await server.drop(url)
    return Figures(product_seconds, bare_seconds, sum(len(one) for one in written_down))


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[None]:
    await database.connect(url, pool_size=POOL)
    try:
        yield
    finally:
        await database.disconnect()


async def _review(deal: Deal) -> None:
    for _ in range(ROUNDS_OF_REVIEW):
        await deal.submit()
        await deal.request_changes()
    await deal.approve()


async def _timed(work: Sequence[Callable[[], Awaitable[Any]]]) -> float:
    """Seconds for all of it, `AT_ONCE` at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(job: Callable[[], Awaitable[Any]]) -> None:
        async with places:
            await job()

    started = time.perf_counter()
    await asyncio.gather(*(one(job) for job in work))
    return time.perf_counter() - started


async def _written_down(deal: Deal) -> list[Statement]:
    statements: list[Statement] = []
    fetch_row = database.fetch_row

    async def noting(sql: str, *args: object) -> database.Record | None:
        statements.append((sql, args))
        return await fetch_row(sql, *args)

    with mock.patch.object(database, "fetch_row", noting):
        await _review(deal)
    return statements


async def _replay(url: str, written_down: list[list[Statement]]) -> float:
    async with asyncpg.create_pool(url, min_size=POOL, max_size=POOL, server_settings={"jit": "off"}) as pool:

        async def one(statements: list[Statement]) -> None:
            for sql, args in statements:
                async with pool.acquire() as connection:
                    if await connection.fetchrow(sql, *args) is None:
                        raise RuntimeError("a replayed statement found another state than when it was written down")

        return await _timed([partial(one, statements) for statements in written_down])
