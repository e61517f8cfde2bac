"""From a command's commit to the first byte at the receiver, and how quickly one worker works off what waited.

A real worker process sends to a receiver in a process of its own, on one machine that both cores share with PostgreSQL. Events
come at random times at a mean rate, whether or not those before were delivered. What is compared stands side by side in one run.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest import mock

import orjson

from escrow import bell, database
from tests.benchmarks.options import Options
from tests.benchmarks.processes import cpu_seconds, postgres_seconds, postgres_seconds_since
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deal, Deployment, make_endpoint
from tests.webhooks.partner import fan_out_only, pending
from tests.workers.process import ROOT, until, worker

SECONDS: Final = 10.0
RATES: Final = (50, 200)
LANES: Final = 50
BACKLOG_ENDPOINTS: Final = (1, 20)
BACKLOG: Final = 20_000
HANGING: Final = 2
ROUNDS: Final = 3
HEALTHY: Final = 18
FINISHED: Final = 1_000_000
IDLE_LANES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the commit to the first byte."""

    p50: float
    p95: float
    p99: float

    @property
    def shown(self) -> list[str]:
        return [f"{one:.1f}" for one in (self.p50, self.p95, self.p99)]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How one worker worked off what waited."""

    per_second: float
    statements: float
    """For each delivery."""
    worker_milliseconds: float
    """Processor time of the worker for each delivery."""
    postgres_milliseconds: float
    """Processor time of PostgreSQL's connections for each delivery."""


class Sink:
    """The receiver's process: it writes down when which event came, and hangs on paths that say so."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def ask(self, path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/1.1\r\ncontent-length: 0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        return body

    async def came(self) -> int:
        return int(await self.ask("/count"))

    async def arrivals(self) -> dict[str, float]:
        """When each event came first, by the monotonic clock of the machine, at paths that don't hang."""
        found: dict[str, float] = orjson.loads(await self.ask("/dump"))
        return found


@asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.sink", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield Sink(process, int(await process.stdout.readline()))
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def stage(server: TestServer, redis_url: str) -> AsyncIterator[tuple[str, Deployment, Sink]]:
    """A database of its own, with two parties, and a receiver."""
    url = await server.clone()
    await database.connect(url)
    await bell.connect(redis_url)
    try:
        async with sink() as receiver:
            yield url, await Deployment.make(), receiver
    finally:
        await bell.disconnect()
        await database.disconnect()
        await server.drop(url)


async def deals(there: Deployment, count: int) -> list[Deal]:
    """Contracts whose first milestone is under way, sequenced."""
    places = asyncio.Semaphore(16)

    async def one() -> Deal:
        async with places:
            return await there.fund("250.00", "500.00")

    made = list(await asyncio.gather(*(one() for _ in range(count))))
    await fan_out_only()
    return made


@asynccontextmanager
async def working(url: str, redis_url: str, **delivering: object) -> AsyncIterator[int]:
    """A worker; its process id."""
    with tempfile.TemporaryDirectory() as folder:
        async with worker(url, redis_url, Path(folder) / "worker.log", delivering=delivering) as process:
            await process.says("worker works")
            yield process.process.pid


_submitted: Final[set[str]] = set()
"""Contracts whose work the client has before it."""

_rung: Final[ContextVar[list[float]]] = ContextVar("rung")


async def at_rate(contracts: Sequence[Deal], rate: float, seconds: float) -> dict[str, float]:
    """Submit and send back at random times; when each command was committed, by its first event."""
    committed: dict[str, float] = {}
    free, rng = list(contracts), random.Random(1)

    ring = bell.ring

    async def noting(*topics: bell.Topic) -> None:
        """The bell is rung just after the commit."""
        _rung.get().append(time.monotonic())
        await ring(*topics)

    async def one(deal: Deal) -> None:
        rung: list[float] = []
        _rung.set(rung)
        outcome = await (deal.request_changes() if deal.id in _submitted else deal.submit())
        committed[outcome.recorded[0].id] = rung[0]
        _submitted.symmetric_difference_update({deal.id})
        free.append(deal)

    tasks: set[asyncio.Task[None]] = set()
    at, end = time.monotonic(), time.monotonic() + seconds
    with mock.patch.object(bell, "ring", noting):
        while at < end:
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            if free:
                task = asyncio.create_task(one(free.pop(0)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            at += rng.expovariate(rate)
        await asyncio.gather(*tasks)
    if len(committed) < rate * seconds / 2:
        raise RuntimeError(f"{len(committed)} commands in {seconds} s were fewer than meant: this machine is too busy")
    return committed


def latency_of(committed: dict[str, float], arrived: dict[str, float]) -> Latency:
    late = sorted(max(0.0, arrived[event_id] - at) * 1000 for event_id, at in committed.items())
    return Latency(*(late[min(len(late) - 1, int(len(late) * part))] for part in (0.5, 0.95, 0.99)))


async def latency(server: TestServer, redis_url: str, rate: float) -> Latency:
    """At a rate, to one endpoint."""
    async with stage(server, redis_url) as (url, there, receiver):
        contracts = await deals(there, LANES)
        await make_endpoint(there.client, receiver.url("/e"))
        await fan_out_only()
        return await late(url, redis_url, contracts, receiver, rate)


async def late(url: str, redis_url: str, contracts: Sequence[Deal], receiver: Sink, rate: float) -> Latency:
    """How late a worker's deliveries come."""
    async with working(url, redis_url):
        await at_rate(contracts, rate, 1.0)  # warms up; not counted
        committed = await at_rate(contracts, rate, SECONDS)
        await until(settled)
        return latency_of(committed, await receiver.arrivals())


async def settled() -> bool:
    return await database.fetch_value("SELECT count(*) FROM log_pending") == 0 and await pending() == 0


async def hanging(server: TestServer, redis_url: str, *, with_hanging: bool) -> Latency:
    """At 50 events a second, each to one of the healthy endpoints, with or without others that never answer."""
    async with stage(server, redis_url) as (url, there, receiver):
        contracts = await deals(there, LANES)
        for number in range(HEALTHY):
            mine = tuple(deal.id for deal in contracts[number::HEALTHY])
            await make_endpoint(there.client, receiver.url(f"/e/{number}"), contract_ids=mine)
        if with_hanging:
            for number in range(HANGING):
                await make_endpoint(there.freelancer, receiver.url(f"/hang/{number}"))
        await fan_out_only()
        async with working(url, redis_url):
            await at_rate(contracts, RATES[0], 1.0)
            committed = await at_rate(contracts, RATES[0], SECONDS)

            async def healthy_came() -> bool:
                return committed.keys() <= (await receiver.arrivals()).keys()

            await until(healthy_came)
            return latency_of(committed, await receiver.arrivals())


async def backlog(server: TestServer, redis_url: str, endpoints: int) -> Backlog:
    """What waited when the worker came."""
    async with stage(server, redis_url) as (url, there, receiver):
        await deals(there, LANES)
        await endpoints_of(there, receiver, endpoints)
        return await worked_off(url, redis_url, receiver, endpoints)


async def filled(server: TestServer, redis_url: str, rate: float, endpoints: int) -> tuple[Latency, Backlog]:
    """The same two where `FINISHED` deliveries lie beside, at one endpoint and then at as many as without."""
    async with stage(server, redis_url) as (url, there, receiver):
        contracts = await deals(there, LANES)
        await make_endpoint(there.client, receiver.url("/e"))
        await fan_out_only()
        await fill()
        found = await late(url, redis_url, contracts, receiver, rate)
        await endpoints_of(there, receiver, endpoints - 1)
        return found, await worked_off(url, redis_url, receiver, endpoints)


async def endpoints_of(there: Deployment, receiver: Sink, count: int) -> None:
    for number in range(count):
        await make_endpoint(there.client, receiver.url(f"/e/{number}"))
    await fan_out_only()


async def worked_off(url: str, redis_url: str, receiver: Sink, endpoints: int) -> Backlog:
    """How a worker works off `BACKLOG` deliveries."""
    await wait(BACKLOG // endpoints)
    came, total = await receiver.came(), await pending()
    await database.execute("VACUUM ANALYZE lanes")
    await database.execute("SELECT pg_stat_force_next_flush()")
    before = await statements()
    async with working(url, redis_url) as pid:
        first, started = await until_came(receiver, came + 1)
        worker_seconds, before_postgres = cpu_seconds([pid]), await postgres_seconds()
        count, ended = await until_came(receiver, came + total)
        await until(settled)
        worker_seconds = cpu_seconds([pid]) - worker_seconds
        postgres_taken = await postgres_seconds_since(before_postgres)
    return Backlog(
        per_second=(count - first) / (ended - started),
        statements=(await statements() - before) / total,
        worker_milliseconds=1000 * worker_seconds / (count - first),
        postgres_milliseconds=1000 * postgres_taken / (count - first),
    )


async def until_came(receiver: Sink, count: int) -> tuple[int, float]:
    """Wait for so many requests; how many there were when it was seen, and when that was."""
    came = 0

    async def enough() -> bool:
        nonlocal came
        came = await receiver.came()
        return came >= count

    await until(enough, within_seconds=300)
    return came, time.monotonic()


async def statements() -> int:
    """Transactions of this database so far: each of a pump's statements is one, polls and the rest included."""
    count: int = await database.fetch_value(
        "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    )
    return count


async def wait(count: int) -> None:
    """So many deliveries at each endpoint, as the fan-out would have written them: of the events that there are, in turns."""
    async with database.transaction() as connection:
        await connection.execute(_WAITING, count)
        await connection.execute(_WAITING_LANES)
    await database.execute("ANALYZE deliveries")


_WAITING: Final = """
WITH happened AS (
    SELECT event_id, stream_id, (SELECT max(position) FROM log_positions) AS last,
        row_number() OVER (ORDER BY position) AS number, count(*) OVER () AS all_of_them
    FROM log_positions WHERE stream_id LIKE 'ctr\\_%'
)
INSERT INTO deliveries (id, endpoint_id, lane, stream_id, position, event_id, event_type)
SELECT 'dlv_' || substr(md5(endpoint.id || n), 1, 26), endpoint.id, happened.stream_id, happened.stream_id, happened.last + n,
    event.id, event.type
FROM generate_series(1, $1::int) AS n JOIN happened ON happened.number = 1 + n % happened.all_of_them
JOIN events AS event ON event.id = happened.event_id CROSS JOIN endpoints AS endpoint
"""
_WAITING_LANES: Final = """
INSERT INTO lanes (endpoint_id, lane, done, tail, due_at)
SELECT endpoint_id, lane, min(position) - 1, max(position), clock_timestamp() FROM deliveries
WHERE state = 'PENDING' GROUP BY endpoint_id, lane
ON CONFLICT (endpoint_id, lane) DO UPDATE SET tail = excluded.tail, due_at = excluded.due_at
"""


async def fill() -> None:
    """What a deployment has after a while: a million deliveries that are finished, in lanes that are idle."""
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(_LANES, IDLE_LANES, FINISHED // IDLE_LANES)
        await connection.execute(_FINISHED, IDLE_LANES, FINISHED // IDLE_LANES)
    await database.execute("VACUUM ANALYZE deliveries, lanes")
    await database.execute("CHECKPOINT")  # else it is written to disk while something else is measured


_LANES: Final = """
INSERT INTO lanes (endpoint_id, lane, done, tail)
SELECT endpoint.id, 'ctr_idle' || n, $2::int, $2::int
FROM generate_series(1, $1::int) AS n, (SELECT id FROM endpoints LIMIT 1) AS endpoint
"""
_FINISHED: Final = """
INSERT INTO deliveries (id, endpoint_id, lane, stream_id, position, event_id, event_type, state, finished_at)
SELECT 'dlv_0' || n || '_' || p, endpoint.id, 'ctr_idle' || n, 'ctr_idle' || n, p, 'evt_0' || n || '_' || p, 'x',
    'DELIVERED', now()
FROM generate_series(1, $1::int) AS n, generate_series(1, $2::int) AS p, (SELECT id FROM endpoints LIMIT 1) AS endpoint
"""


async def tables(server: TestServer, redis_url: str, __: Options) -> list[Table]:
    """How late deliveries come, and how many are made a second."""
    plain = {rate: await latency(server, redis_url, rate) for rate in RATES}
    backlogs = {endpoints: await backlog(server, redis_url, endpoints) for endpoints in BACKLOG_ENDPOINTS}
    beside = await filled(server, redis_url, RATES[0], BACKLOG_ENDPOINTS[-1])
    quiet, disturbed = [], []
    for _ in range(ROUNDS):
        quiet.append(await hanging(server, redis_url, with_hanging=False))
        disturbed.append(await hanging(server, redis_url, with_hanging=True))
    return [
        _latencies(
            {f"{rate} events/s, one endpoint": found for rate, found in plain.items()}, beside[0], quiet, disturbed
        ),
        _backlogs(
            {f"{endpoints} endpoints, {LANES} lanes each": one for endpoints, one in backlogs.items()}, beside[1]
        ),
    ]


def _latencies(
    plain: Mapping[str, Latency], beside: Latency, quiet: Sequence[Latency], disturbed: Sequence[Latency]
) -> Table:
    rows = [[what, *found.shown] for what, found in plain.items()]
    rows.append([f"{RATES[0]} events/s, {FINISHED:,} finished beside", *beside.shown])
    rows.append([f"{RATES[0]} events/s, {HEALTHY} endpoints", *_median(quiet).shown])
    rows.append([f"the same, {HANGING} more that hang for ever", *_median(disturbed).shown])
    ratio = _median(disturbed).p99 / _median(quiet).p99
    rows.append([f"p99 with hanging ones / without, medians of {ROUNDS}", "", "", f"{ratio:.2f}"])
    caption = "Webhooks, milliseconds from the commit to the first byte, one worker"
    return Table("webhooks", caption, ["", "p50", "p95", "p99"], rows)


def _median(found: Sequence[Latency]) -> Latency:
    return Latency(*(statistics.median(getattr(one, part) for one in found) for part in ("p50", "p95", "p99")))


def _backlogs(plain: Mapping[str, Backlog], beside: Backlog) -> Table:
    found = {**plain, f"the same, {FINISHED:,} finished beside": beside}
    rows = [
        [
            what,
            f"{one.per_second:,.0f}",
            f"{one.worker_milliseconds:.2f} + {one.postgres_milliseconds:.2f}",
            f"{one.statements:.3f}",
        ]
        for what, one in found.items()
    ]
    columns = ["", "deliveries/s", "processor ms each: worker + PostgreSQL", "statements each"]
    return Table("backlog", "Webhooks, one worker on a backlog", columns, rows)
