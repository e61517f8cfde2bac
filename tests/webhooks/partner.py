"""Partners for tests of delivering: a small, quick HTTP server that does as each of its paths is told, and writes down what
came in which order; and a worker's pumps in the test's own process.

`tests.webhooks.receivers` is for what receivers may do to a request; this is for what becomes of a thousand deliveries.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast
from unittest.mock import patch

import orjson

from escrow import database, log, vault
from escrow.settings import Reach
from tests.factories import SECRET_KEY
from tests.workers.process import until
from webhooks.delivery import maintenance, retries
from webhooks.delivery.concurrency import Limits
from webhooks.delivery.dispatcher import Dispatcher
from webhooks.delivery.sending import Timing
from webhooks.request.sender import Sender

HANG: Final = 0
"""In place of a status: never answers."""

Reply = int | Callable[["Arrival"], int]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request, and what was answered."""

    at: float
    path: str
    event_id: str
    position: str
    """The cursor; empty for a test."""
    stream: str
    body: dict[str, Any]
    headers: dict[str, str]
    raw: bytes


@dataclass(slots=True)
class Partners:
    """Receivers on one port, told apart by their path. Each answers 200 unless told otherwise."""

    port: int = 0
    replies: dict[str, Reply] = field(default_factory=dict)
    headers: dict[str, Sequence[str]] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    answered: list[tuple[Arrival, int]] = field(default_factory=list)
    hanging: int = 0
    """Requests that nobody answers, as long as they are waited for."""
    hanging_most: int = 0
    delay_seconds: float = 0.0
    held: list[Callable[[], None]] | None = None
    """The answers that wait, while they do."""

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def events(self, path: str = "/hook") -> list[str]:
        """The ids that came to a path, in order, repetitions included."""
        return [arrival.event_id for arrival in self.arrivals if arrival.path == path]

    def accepted(self, path: str = "/hook") -> list[str]:
        """The ids that were answered with 2xx, in order."""
        return [arrival.event_id for arrival, status in self.answered if arrival.path == path and status // 100 == 2]

    def hold(self) -> None:
        """From now on answers wait until `let_go`."""
        self.held = []

    def let_go(self) -> None:
        """Give all answers that wait, in the order of their requests, and later ones at once."""
        held, self.held = self.held or [], None
        for answer in held:
            answer()

    def reply(self, arrival: Arrival) -> int:
        reply = self.replies.get(arrival.path, 200)
        return reply(arrival) if callable(reply) else reply


class _Connection(asyncio.Protocol):
    """Just enough HTTP for what we send ourselves."""

    def __init__(self, partners: Partners) -> None:
        self._partners = partners
        self._buffer = b""
        self._at: float | None = None
        self._hangs = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._partners.hanging -= self._hangs
        self._hangs = False

    def data_received(self, data: bytes) -> None:
        self._at = self._at or time.monotonic()
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in lines)}
        length = int(headers["content-length"])
        if len(rest) < length:
            return
        at, self._at, self._buffer = self._at, None, rest[length:]
        body = orjson.loads(rest[:length])
        arrival = Arrival(
            at=at,
            path=line.split(" ")[1],
            event_id=headers["webhook-id"],
            position=body["data"]["cursor"] or "",
            stream=body["data"]["event"].get("stream", ""),
            body=body,
            headers=headers,
            raw=rest[:length],
        )
        self._partners.arrivals.append(arrival)
        status = self._partners.reply(arrival)
        if status == HANG:
            self._hangs = True
            self._partners.hanging += 1
            self._partners.hanging_most = max(self._partners.hanging_most, self._partners.hanging)
        elif self._partners.held is not None:
            self._partners.held.append(partial(self._answer, arrival, status))
        elif self._partners.delay_seconds:
            asyncio.get_running_loop().call_later(self._partners.delay_seconds, self._answer, arrival, status)
        else:
            self._answer(arrival, status)

    def _answer(self, arrival: Arrival, status: int) -> None:
        if self._transport.is_closing():
            return
        self._partners.answered.append((arrival, status))
        more = "".join(f"{header}\r\n" for header in self._partners.headers.get(arrival.path, ()))
        self._transport.write(f"HTTP/1.1 {status} Answer\r\n{more}content-length: 2\r\n\r\nok".encode())


@asynccontextmanager
async def partners() -> AsyncIterator[Partners]:
    """Receivers that listen while the context lasts."""
    seen = Partners()
    connections: list[_Connection] = []

    def connection() -> _Connection:
        connections.append(_Connection(seen))
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, backlog=4096)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for each in connections:
            each._transport.abort()


class _Watched(Dispatcher):
    """A dispatcher that counts how often it has looked for what is due."""

    looks = 0

    async def _claim(self, after: str) -> str:
        further = await super()._claim(after)
        self.looks += 1
        return further

    def is_busy(self, hanging: int) -> bool:
        """Whether it is at anything but requests that hang."""
        return bool(self._queue) or self._completing is not None or len(self._tasks) > hanging


@dataclass(slots=True)
class Desk:
    """A worker's deliveries in this process."""

    dispatcher: _Watched

    async def quiet(self, partner: Partners) -> None:
        """Wait until it has looked for what is due and begins nothing more."""

        async def idle() -> bool:
            return not self.dispatcher.is_busy(partner.hanging)

        while True:
            await until(idle)
            came, looks = len(partner.arrivals), self.dispatcher.looks

            async def looked(enough: int = looks + 3) -> bool:
                self.dispatcher.wake()
                return self.dispatcher.looks >= enough

            await until(looked)
            if len(partner.arrivals) == came and await idle():
                return

    async def fan_out(self) -> int:
        """Sequence everything, as the sequencer of this process does; answers how many events it were."""
        total = 0
        while True:
            batch = self.dispatcher.fan_out()
            count = await batch.place()
            self.dispatcher.take(batch)
            total += count
            if not count:
                return total


PAUSE_SECONDS: Final = 500.0
"""Between two attempts, a fifth more or less: longer than any test waits. `make_due` passes it."""


@asynccontextmanager
async def delivery_worker(
    *,
    request_seconds: float = 600.0,
    lease_seconds: float = 1_200.0,
    poll_seconds: float = 0.02,
    limits: Limits | None = None,
) -> AsyncIterator[Desk]:
    """The pumps of a worker, without its processes: sending to loopback until the context ends.

    However slow the machine is, no answer comes too late, unless told otherwise, and nothing is sent again by itself.
    """
    vault.use([SECRET_KEY])
    timing = Timing(lease_seconds=lease_seconds, request_seconds=request_seconds, poll_seconds=poll_seconds)
    pauses = patch.object(retries, "DELAYS_SECONDS", (PAUSE_SECONDS,) * len(retries.DELAYS_SECONDS))
    async with Sender(reach=Reach.LOOPBACK, total_seconds=request_seconds) as sender:
        dispatcher = _Watched(sender, timing=timing, limits=limits)
        running = [
            asyncio.create_task(work)
            for work in (dispatcher.claim_due(), dispatcher.hand_back(), maintenance.look_after(dispatcher.wake))
        ]
        try:
            with pauses:
                yield Desk(dispatcher)
        finally:
            for task in running:
                task.cancel()
            results = await asyncio.gather(*running, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result


async def fan_out_only() -> int:
    """Sequence everything in a process that sends nothing."""
    from webhooks.delivery.fan_out import FanOut

    total = 0
    while count := await FanOut(lease_seconds=30.0).place():
        total += count
    return total


async def states() -> Counter[str]:
    """How many deliveries stand how."""
    rows = await database.fetch("SELECT state, count(*) AS number FROM deliveries GROUP BY state")
    return Counter({row["state"]: row["number"] for row in rows})


async def pending() -> int:
    count: int = await database.fetch_value("SELECT count(*) FROM deliveries WHERE state = 'PENDING'")
    return count


async def settled() -> None:
    """Wait until no delivery is pending."""

    async def done() -> bool:
        return await pending() == 0

    await until(done)


async def caught_up() -> None:
    """Wait until each committed event has its place in the log, and no delivery is pending. For workers that sequence."""

    async def done() -> bool:
        return await log.waiting() == 0 and await pending() == 0

    await until(done)


async def attempts_made(count: int) -> None:
    """Wait until so many attempts were written down."""

    async def done() -> bool:
        return bool(await database.fetch_value("SELECT count(*) FROM delivery_attempts") >= count)

    await until(done)


async def make_due() -> None:
    """The end of every pause, without waiting for it."""
    await database.execute(
        "UPDATE lanes SET due_at = clock_timestamp() WHERE due_at > clock_timestamp() AND token IS NULL"
    )
    await database.execute("UPDATE endpoint_health SET open_until = NULL")


async def matching() -> set[tuple[str, str]]:
    """Every event that should be delivered, with the endpoint: by the log alone, folded in Python."""
    placed = await database.fetch(
        "SELECT place.position, event.* FROM log_positions AS place JOIN events AS event ON event.id = place.event_id "
        "ORDER BY place.position"
    )
    operator = await database.fetch_value("SELECT id FROM accounts WHERE is_operator")
    parties = {
        row["id"]: {row["client_id"], row["freelancer_id"], operator}
        for row in await database.fetch("SELECT * FROM contracts")
    }
    filters: dict[str, tuple[str, list[str], list[str] | None]] = {}
    found: set[tuple[str, str]] = set()
    for row in placed:
        kind, stream, data = row["type"], row["stream_id"], orjson.loads(row["body"])["data"]
        if kind == "endpoint.deleted":
            filters.pop(data["endpointId"], None)
        audience = parties.get(stream, {stream})
        for endpoint_id, (account_id, types, contract_ids) in filters.items():
            family = kind.partition(".")[0] + ".*"
            if (
                account_id in audience
                and {"*", kind, family} & set(types)
                and (not contract_ids or stream in contract_ids)
            ):
                found.add((row["id"], endpoint_id))
        if kind in ("endpoint.created", "endpoint.changed"):
            filters[data["endpointId"]] = (stream, data["eventTypes"], data.get("contractIds"))
    return found


def in_order(arrivals: Sequence[Arrival]) -> bool:
    """Whether, of each stream to each path, nothing ever came after something newer, not even once more."""
    last: dict[tuple[str, str], str] = defaultdict(str)
    for arrival in arrivals:
        if arrival.position < last[arrival.path, arrival.stream]:
            return False
        last[arrival.path, arrival.stream] = arrival.position
    return True
