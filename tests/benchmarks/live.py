"""From commit to a subscriber's socket: p50 and p99 with a thousand subscribers of one web process, and with five thousand.

Web, worker and subscribers are processes of their own (`listeners`); the measuring one writes. A column that only this benchmark
adds says when an event was written, by the database's clock, a moment before its commit.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.live.open_streams import PER_KEY_MAX
from escrow import bell, database, ids, pipeline
from escrow.access import Actor, Scope
from escrow.accounts import commands, tokens
from escrow.ids import Kind
from tests.benchmarks.listeners import Heard, listeners
from tests.benchmarks.options import Options
from tests.benchmarks.processes import cpu_seconds, web
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deal, Deployment
from tests.workers.process import worker

SUBSCRIBERS: Final = (1_000, 5_000)
EVENTS: Final = 30
PAUSE_SECONDS: Final = 1.0
CONTRACTS: Final = 100
QUIET_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From written to received in seconds; what each frame takes of the web process' time, and each subscriber of its memory."""

    what: str
    subscribers: int
    received: int
    expected: int
    p50_seconds: float
    p99_seconds: float
    cpu_seconds: float
    memory_bytes: float


async def tables(server: TestServer, redis_url: str, _: Options) -> list[Table]:
    """One line for each number of subscribers and each way of listening."""
    found = [one for subscribers in SUBSCRIBERS for one in await measure(server, redis_url, subscribers)]
    rows = [
        [
            f"{one.subscribers:,}, {one.what}",
            f"{one.received:,} of {one.expected:,}",
            f"{1000 * one.p50_seconds:.0f}",
            f"{1000 * one.p99_seconds:.0f}",
            f"{1_000_000 * one.cpu_seconds:.0f}",
            f"{one.memory_bytes / 1000:.1f}",
        ]
        for one in found
    ]
    caption = f"From commit to the socket of each subscriber of one web process, {EVENTS} events"
    columns = ["subscribers", "received", "p50 ms", "p99 ms", "processor µs a frame", "kB each"]
    return [Table("live", caption, columns, rows)]


async def measure(server: TestServer, redis_url: str, subscribers: int) -> list[Latency]:
    """Both ways of listening with so many subscribers, each on a database of its own."""
    return [
        await _measure(server, redis_url, subscribers, of_one_contract=of_one_contract)
        for of_one_contract in (False, True)
    ]


async def _measure(server: TestServer, redis_url: str, subscribers: int, *, of_one_contract: bool) -> Latency:
    _many_files()
    url = await server.clone()
    await database.connect(url)
    await bell.connect(redis_url)
    try:
        await database.execute("ALTER TABLE events ADD COLUMN written_at TIMESTAMPTZ DEFAULT clock_timestamp()")
        there = await Deployment.make()
        deals = [await there.propose("10.00") for _ in range(CONTRACTS)]
        first = await _key(there.freelancer, there.operator)
        keys = [await _key(there.client, there.operator) for _ in range(-(-subscribers // PER_KEY_MAX))]
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            process = await stack.enter_async_context(worker(url, redis_url, folder / "worker.log"))
            await process.says("worker works")
            port, pid = await stack.enter_async_context(web(url, redis_url, folder / "web.log"))
            another, ears = [await stack.enter_async_context(listeners()) for _ in range(2)]
            # What the first one makes is no subscriber's; and the others are as many as one account may have.
            await another.subscribe(port, [first], [None])
            await asyncio.sleep(QUIET_SECONDS)
            before = _memory(pid)
            wanted = [deals[number % CONTRACTS].id if of_one_contract else None for number in range(subscribers)]
            await ears.subscribe(port, keys, wanted)
            await asyncio.sleep(QUIET_SECONDS)
            memory, cpu = (_memory(pid) - before) / subscribers, cpu_seconds([pid])
            await _happen(deals)
            await asyncio.sleep(QUIET_SECONDS)
            cpu = cpu_seconds([pid]) - cpu
            late = await _late(await ears.heard())
        expected = EVENTS * (subscribers // CONTRACTS if of_one_contract else subscribers)
        return Latency(
            what=f"each of {CONTRACTS} contracts by {subscribers // CONTRACTS}"
            if of_one_contract
            else "each event by all",
            subscribers=subscribers,
            received=len(late),
            expected=expected,
            p50_seconds=statistics.median(late),
            p99_seconds=statistics.quantiles(late, n=100)[98],
            cpu_seconds=cpu / len(late),
            memory_bytes=memory,
        )
    finally:
        await bell.disconnect()
        await database.disconnect()
        await server.drop(url)


def _many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _key(whose: Actor, operator: Actor) -> str:
    token = tokens.new()
    creation = commands.CreateApiKey(
        account_id=whose.account_id or "",
        key_id=ids.new(Kind.KEY),
        name="A subscriber's",
        scopes=(Scope.CONTRACTS_READ,),
        token=token,
    )
    await pipeline.run(creation, by=operator)
    return token.text


def _memory(pid: int) -> int:
    """What a process has in memory, in bytes."""
    pages = int((Path("/proc") / str(pid) / "statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def _happen(deals: Sequence[Deal]) -> None:
    for deal in deals[:EVENTS]:
        await deal.accept()
        await asyncio.sleep(PAUSE_SECONDS)


async def _late(heard: Sequence[Heard]) -> list[float]:
    """How long after it was written each event came, the soonest first."""
    rows = await database.fetch("SELECT id, extract(epoch FROM written_at)::float8 AS at FROM events")
    written = {row["id"]: row["at"] for row in rows}
    return sorted(one.at - written[one.event_id] for one in heard)
