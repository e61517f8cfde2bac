"""From commit to a subscriber's socket: p50 and p99 with a thousand subscribers of one web process, and with five thousand.

Web and worker are real processes; writer and subscribers share the measuring one, on bare sockets. A column that only this
benchmark adds says when an event was written, by the database's clock, a moment before its commit.
"""

from __future__ import annotations

import asyncio
import base64
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import orjson

from api.live.open_streams import PER_KEY_MAX
from escrow import bell, database, ids, pipeline
from escrow.access import Actor, Scope
from escrow.accounts import commands, tokens
from escrow.ids import Kind
from tests.benchmarks.options import Options
from tests.benchmarks.processes import web
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deal, Deployment
from tests.workers.process import worker

SUBSCRIBERS: Final = (1_000, 5_000)
EVENTS: Final = 30
PAUSE_SECONDS: Final = 1.0
CONTRACTS: Final = 100
CONNECTING_AT_ONCE: Final = 100
QUIET_SECONDS: Final = 2.0
SUBSCRIBE: Final = (
    "subscription ($contractId: ID) { events(contractId: $contractId) { id type cursor sequence stream } }"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From written to received in seconds, and what a subscriber takes of the process' memory in bytes."""

    what: str
    subscribers: int
    received: int
    expected: int
    p50_seconds: float
    p99_seconds: float
    memory_bytes: float


@dataclass(slots=True)
class _Heard:
    """Identifiers of events, and when each was received, by the clock of the machine."""

    at: list[tuple[bytes, float]] = field(default_factory=list)
    ready: int = 0


class _Subscriber(asyncio.Protocol):
    """A WebSocket client that does as little as one can, so that it takes little from what is measured."""

    def __init__(self, heard: _Heard, token: str, contract_id: str | None, acknowledged: asyncio.Future[None]) -> None:
        self._heard = heard
        self._token = token
        self._contract_id = contract_id
        self._acknowledged = acknowledged
        self._received = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16))
        self.transport.write(
            b"GET /graphql HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
            + key + b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )  # fmt: skip

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self._received += data
        if not self._is_open:
            if b"\r\n\r\n" not in self._received:
                return
            self._received = self._received.partition(b"\r\n\r\n")[2]
            self._is_open = True
            self._say({"type": "connection_init", "payload": {"authorization": f"Bearer {self._token}"}})
        while (text := self._frame()) is not None:
            self._take(text, now)

    def _take(self, text: bytes, now: float) -> None:
        place = text.find(b'"evt_')
        if place >= 0:
            self._heard.at.append((text[place + 1 : place + 31], now))
        elif b"connection_ack" in text:
            variables = {"contractId": self._contract_id}
            self._say({"id": "1", "type": "subscribe", "payload": {"query": SUBSCRIBE, "variables": variables}})
            self._acknowledged.set_result(None)
        elif b'"ping"' in text:
            self._say({"type": "pong"})
        else:
            raise AssertionError(text)

    def _frame(self) -> bytes | None:
        received = self._received
        if len(received) < 2:
            return None
        length, start = received[1], 2
        if length == 126:
            length, start = int.from_bytes(received[2:4]), 4
        if len(received) < start + length:
            return None
        self._received = received[start + length :]
        return received[start : start + length]

    def _say(self, message: object) -> None:
        text = orjson.dumps(message)
        head = bytes([0x81, 0x80 | len(text)]) if len(text) < 126 else bytes([0x81, 0xFE]) + len(text).to_bytes(2)
        self.transport.write(head + b"\0\0\0\0" + text)


async def tables(server: TestServer, redis_url: str, _: Options) -> list[Table]:
    """One line for each number of subscribers and each way of listening."""
    found = [one for subscribers in SUBSCRIBERS for one in await measure(server, redis_url, subscribers)]
    rows = [
        [
            f"{one.subscribers:,}, {one.what}",
            f"{one.received:,} of {one.expected:,}",
            f"{1000 * one.p50_seconds:.0f}",
            f"{1000 * one.p99_seconds:.0f}",
            f"{one.memory_bytes / 1000:.1f}",
        ]
        for one in found
    ]
    caption = f"From commit to the socket of each subscriber of one web process, {EVENTS} events"
    return [Table("live", caption, ["subscribers", "received", "p50 ms", "p99 ms", "kB each"], rows)]


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
        first, *keys = [await _key(there.client, there.operator) for _ in range(1 + -(-subscribers // PER_KEY_MAX))]
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            process = await stack.enter_async_context(worker(url, redis_url, folder / "worker.log"))
            await process.says("worker works")
            port, pid = await stack.enter_async_context(web(url, redis_url, folder / "web.log"))
            open_ones = await _connect(_Heard(), port, [first], [None])  # what the first one makes is no subscriber's
            before = _memory(pid)
            heard = _Heard()
            wanted = [deals[number % CONTRACTS].id if of_one_contract else None for number in range(subscribers)]
            open_ones += await _connect(heard, port, keys, wanted)
            memory = (_memory(pid) - before) / subscribers
            await _happen(deals)
            await asyncio.sleep(QUIET_SECONDS)
            late = await _late(heard)
            for one in open_ones:
                one.abort()
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


async def _connect(
    heard: _Heard, port: int, keys: Sequence[str], wanted: Sequence[str | None]
) -> list[asyncio.Transport]:
    """Subscribe as often as there is something wanted, and wait until all is quiet."""
    loop = asyncio.get_running_loop()
    places = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def one(number: int, contract_id: str | None) -> asyncio.Transport:
        async with places:
            acknowledged: asyncio.Future[None] = loop.create_future()
            token = keys[number % len(keys)]
            transport, _ = await loop.create_connection(
                lambda: _Subscriber(heard, token, contract_id, acknowledged), "127.0.0.1", port
            )
            await acknowledged
            return transport

    found = await asyncio.gather(*(one(number, contract_id) for number, contract_id in enumerate(wanted)))
    await asyncio.sleep(QUIET_SECONDS)
    return found


def _memory(pid: int) -> int:
    """What a process has in memory, in bytes."""
    pages = int((Path("/proc") / str(pid) / "statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def _happen(deals: Sequence[Deal]) -> None:
    for deal in deals[:EVENTS]:
        await deal.accept()
        await asyncio.sleep(PAUSE_SECONDS)


async def _late(heard: _Heard) -> list[float]:
    rows = await database.fetch("SELECT id, extract(epoch FROM written_at)::float8 AS at FROM events")
    written = {row["id"].encode(): row["at"] for row in rows}
    return sorted(at - written[event_id] for event_id, at in heard.at)
