"""Connections that say nothing, or say it slowly, end soon; there are only so many; and what is answered takes its time.

Limits are short here, and each test waits for what the server does, however long the machine takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.app import create_app
from earnest.run import guard
from earnest.run.guard import (
    HEAD_BYTES_MAX,
    HEADERS_MAX,
    PIECE_BYTES_MEAN,
    PIECES_FREE,
    PIPELINED_MAX,
    GuardedConnection,
    Limits,
    Phase,
    _network,
)
from earnest.run.serving import Server
from escrow import meters
from escrow.settings import PaymentProvider, Settings
from tests.factories import SECRET_KEY
from tests.patience import PATIENCE_SECONDS

SHORT = Limits(head_seconds=0.3, body_seconds=0.3, rest_seconds=0.3, closing_seconds=0.3, look_seconds=0.02)
LONG = Limits(look_seconds=0.02)

GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n"
)


@dataclass(slots=True)
class Line:
    """One connection, as its client has it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def drip(self, data: bytes, *, seconds: float = 0.05) -> None:
        """Says a byte at a time for as long as anybody listens."""
        for byte in data * 1_000:
            if self.reader.at_eof() or self.writer.is_closing():
                return
            await self.say(bytes([byte]))
            await asyncio.sleep(seconds)

    async def answer(self) -> bytes:
        """One answer, with the body that its length tells of."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
        return head + await asyncio.wait_for(self.reader.readexactly(length), PATIENCE_SECONDS)

    async def end(self) -> bytes:
        """All that still comes, until the server hangs up."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), PATIENCE_SECONDS)
        return b""


@dataclass(slots=True)
class Served:
    server: Server
    port: int

    async def line(self) -> Line:
        return Line(*await asyncio.open_connection("127.0.0.1", self.port))

    async def short_once(self, is_so_far: Callable[[GuardedConnection], bool]) -> None:
        """Limits are short from then on that the only connection is so far, which may take any time."""
        await self.until_there_are(1)
        (one,) = self.server.guard._present
        assert isinstance(one, GuardedConnection)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so_far(one):  # noqa: ASYNC110 - nothing rings when a byte is read
                await asyncio.sleep(0.005)
        self.server.guard.limits = SHORT

    async def until_there_are(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.server.guard) != count:  # noqa: ASYNC110 - another process would look like this, too
                await asyncio.sleep(0.01)


@asynccontextmanager
async def served(limits: Limits, *, believed_proxies: str = "127.0.0.1") -> AsyncIterator[Served]:
    app = create_app(
        Settings(database_url="", redis_url="", secret_keys=(SECRET_KEY,), payment_provider=PaymentProvider.SANDBOX)
    )
    app.router.routes += [Route("/slow", _slow), Route("/who", _who)]
    server = Server(app, host="127.0.0.1", port=0, lifespan=False, limits=limits, believed_proxies=believed_proxies)
    bound = server.bind()
    task = asyncio.create_task(server._serve([bound]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        yield Served(server, bound.getsockname()[1])
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)


async def _slow(_: Request) -> Response:
    await asyncio.sleep(4 * SHORT.head_seconds)
    return PlainTextResponse("at last")


async def _who(request: Request) -> Response:
    return PlainTextResponse(request.client.host if request.client is not None else "nobody")


@pytest.mark.parametrize(
    ("believed", "asks"),
    [("127.0.0.1", b"203.0.113.9"), ("10.0.0.7, 127.0.0.0/8", b"203.0.113.9"), ("10.0.0.7", b"127.0.0.1")],
)
async def test_only_of_proxies_that_are_believed_it_is_taken_who_asks(
    believed: str, asks: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")  # which the library takes for nobody
    async with served(LONG, believed_proxies=believed) as there:
        line = await there.line()
        await line.say(b"GET /who HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.9\r\n\r\n")
        assert (await line.answer()).endswith(b"\r\n\r\n" + asks)


async def test_whoever_says_nothing_is_hung_up_on_without_a_word() -> None:
    async with served(SHORT) as there:
        lines = [await there.line() for _ in range(9)]
        assert [await line.end() for line in lines] == [b""] * 9
        await there.until_there_are(0)


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"POST /graphql HTTP/1.1\r\n"])
async def test_headers_that_never_end_are_given_up(start: bytes) -> None:
    async with served(LONG) as there:
        line = await there.line()
        await line.say(start)
        await there.short_once(lambda one: one._is_in_head)
        assert (await line.end()).startswith(b"HTTP/1.1 408")
        slow = await there.line()
        await slow.say(start)
        dripping = asyncio.create_task(slow.drip(b"a"))
        await slow.end()  # what it still sends may cost it the last word
        await there.until_there_are(0)
        await dripping


async def test_empty_lines_before_a_request_are_no_request() -> None:
    async with served(LONG) as there:
        line = await there.line()
        await line.say(GET)
        assert (await line.answer()).startswith(b"HTTP/1.1 200")
        there.server.guard.limits = SHORT
        dripping = asyncio.create_task(line.drip(b"\r\n"))
        await line.end()
        await there.until_there_are(0)
        await dripping


async def test_a_body_that_never_ends_is_given_up() -> None:
    for start in (POST, POST.replace(b"content-length: 1000", b"transfer-encoding: chunked") + b"3e8\r\n"):
        async with served(LONG) as there:
            line = await there.line()
            await line.say(start)
            await there.short_once(lambda one: one._phase is Phase.BODY)
            assert (await line.end()).startswith(b"HTTP/1.1 408")
            slow = await there.line()
            await slow.say(start)
            dripping = asyncio.create_task(slow.drip(b" "))
            await slow.end()
            await dripping
            await there.until_there_are(0)


async def test_a_body_that_nobody_waits_for_any_more_keeps_no_connection_either() -> None:
    """The refusal is out long before the body is: what still drips in is bounded all the same."""
    async with served(LONG) as there:
        line = await there.line()
        await line.say(POST.replace(b"application/json", b"text/plain"))
        assert (await line.answer()).startswith(b"HTTP/1.1 415")
        there.server.guard.limits = SHORT
        dripping = asyncio.create_task(line.drip(b" "))
        assert await line.end() == b"", "no second answer to one request"
        await there.until_there_are(0)
        await dripping


async def test_a_connection_that_rests_is_closed_and_one_that_is_used_goes_on() -> None:
    async with served(LONG) as there:
        line = await there.line()
        for _ in range(3):
            await line.say(GET)
            assert (await line.answer()).startswith(b"HTTP/1.1 200")
        (resting,) = there.server._connections()
        assert resting.timeout_keep_alive_task is None, "the guard's one look a second is enough"
        there.server.guard.limits = SHORT
        assert await line.end() == b""


async def test_an_answer_takes_its_time_whatever_comes_meanwhile() -> None:
    async with served(LONG) as there:
        line = await there.line()
        await line.say(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\nGET /healthz HT")
        await there.short_once(lambda one: one._phase is not Phase.HEAD)
        assert (await line.answer()).endswith(b"at last")
        assert await line.end() == b"", "and then the second one has its own time"


async def test_requests_one_behind_the_other_are_all_answered() -> None:
    async with served(LONG) as there:
        line = await there.line()
        await line.say(GET * 5)
        assert [(await line.answer())[:12] for _ in range(5)] == [b"HTTP/1.1 200"] * 5


ONE_LONG = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"y" * HEAD_BYTES_MAX
LONG_HEADS = {
    "many headers": b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * HEADERS_MAX + b"\r\n",
    "one long header": ONE_LONG + b"\r\n\r\n",
    "one without an end": ONE_LONG,
    "a long address": b"GET /" + b"y" * HEAD_BYTES_MAX + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "many trailers": POST.replace(b"content-length: 1000", b"transfer-encoding: chunked")
    + b"0\r\n" + b"x: y\r\n" * HEADERS_MAX + b"\r\n",
}  # fmt: skip


@pytest.mark.parametrize("said", LONG_HEADS.values(), ids=LONG_HEADS)
async def test_a_head_of_more_than_anybody_needs_is_refused(said: bytes) -> None:
    async with served(LONG) as there:
        line = await there.line()
        await line.say(said)
        answer = await line.end()  # what is still under way may cost it the last word
        assert not answer or answer.startswith(b"HTTP/1.1 431") or said.startswith(b"POST"), answer
        await there.until_there_are(0)
        line = await there.line()
        await line.say(GET.replace(b"host: x", b"host: x\r\n" + b"\r\n".join(b"x: y" for _ in range(50))))
        assert (await line.answer()).startswith(b"HTTP/1.1 200")


async def test_a_head_that_begins_behind_a_long_body_is_not_as_long_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "HEAD_BYTES_MAX", 1_000)  # then both come at once
    begun, rest = GET[:20], GET[20:]
    async with served(LONG) as there:
        line = await there.line()
        await line.say(POST + b" " * 1_000 + begun)
        assert (await line.answer()).startswith(b"HTTP/1.1 400")
        await line.say(rest)
        assert (await line.answer()).startswith(b"HTTP/1.1 200")
        await line.say(begun + b" " * 1_000)
        assert (await line.end()).startswith(b"HTTP/1.1 431")


async def test_only_so_many_requests_wait_one_behind_the_other() -> None:
    async with served(LONG) as there:
        line = await there.line()
        await line.say(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n" + GET * (PIPELINED_MAX - 1))
        assert (await line.answer()).endswith(b"at last")
        assert [(await line.answer())[:12] for _ in range(PIPELINED_MAX - 1)] == [b"HTTP/1.1 200"] * (PIPELINED_MAX - 1)
        greedy = await there.line()
        await greedy.say(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n" + GET * 1_000)
        assert (await greedy.end()).count(b"HTTP/1.1") <= 1


CHUNKED = POST.replace(b"content-length: 1000", b"transfer-encoding: chunked")


async def test_a_body_in_pieces_is_read_whole_and_one_in_tiny_pieces_without_end_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handed: list[int] = []
    hand_on = GuardedConnection._hand_on

    def handing(self: GuardedConnection) -> None:
        if self._pieces:
            handed.append(len(self._pieces))
        hand_on(self)

    monkeypatch.setattr(GuardedConnection, "_hand_on", handing)
    body = b'{"query": "{ __typename }"}'
    async with served(LONG) as there:
        line = await there.line()
        await line.say(CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert b'"Query"' in await line.answer()
        assert sum(handed) == len(body)
        handed.clear()
        greedy = await there.line()
        await greedy.say(CHUNKED + b"1\r\n \r\n" * 20_000)
        await greedy.end()
        await there.until_there_are(1)
        assert sum(handed) <= PIECES_FREE + 20_000 // PIECE_BYTES_MEAN


def refused_connections(limit: str) -> float:
    """How many were told so by this process."""
    (figure,) = (one for one in meters.figures() if one.name == "earnest_connections_refused")
    return next(value.value for value in figure.values if value.labels == [("limit", limit)])


@pytest.mark.parametrize(
    ("limit", "limits"),
    [
        ("all", Limits(connections_max=3, look_seconds=0.02)),
        ("address", Limits(per_address_max=3, look_seconds=0.02)),
    ],
)
async def test_there_are_only_so_many_in_all_and_from_one_address(limit: str, limits: Limits) -> None:
    known = refused_connections(limit)
    async with served(limits) as there:
        lines = [await there.line() for _ in range(3)]
        await there.until_there_are(3)
        for _ in range(20):
            refused = await there.line()
            said = await refused.end()
            assert said.startswith(b"HTTP/1.1 503")
            assert b"retry-after: 5" in said
        assert refused_connections(limit) == known + 20
        await lines[0].say(GET)
        assert (await lines[0].answer()).startswith(b"HTTP/1.1 200"), "who is in is served"
        lines[1].writer.close()
        await there.until_there_are(2)
        late = await there.line()
        await late.say(GET)
        assert (await late.answer()).startswith(b"HTTP/1.1 200")


async def test_a_websocket_is_counted_for_as_long_as_it_is_there() -> None:
    limits = Limits(connections_max=2, look_seconds=0.02)
    async with served(limits) as there:
        sockets = [await there.line() for _ in range(2)]
        for line in sockets:
            await line.say(UPGRADE)
            assert b" 101 " in await line.reader.readuntil(b"\r\n\r\n")
        there.server.guard.limits = replace(limits, head_seconds=SHORT.head_seconds, rest_seconds=SHORT.rest_seconds)
        await asyncio.sleep(2 * SHORT.head_seconds)
        assert len(there.server.guard) == 2, "it is no request that takes too long"
        assert (await (await there.line()).end()).startswith(b"HTTP/1.1 503")
        sockets[0].writer.close()
        await there.until_there_are(1)


async def test_nothing_is_kept_of_what_read_a_websockets_request() -> None:
    async with served(LONG) as there:
        line = await there.line()
        await there.until_there_are(1)
        reading = [weakref.ref(one) for one in there.server.guard._present]
        gc.disable()  # what only the collector finds lives on for as long as the process finds no time for it
        try:
            await line.say(UPGRADE)
            assert b" 101 " in await line.reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0)
            assert [one() for one in reading] == [None]
        finally:
            gc.enable()
        assert len(there.server.guard) == 1
        line.writer.close()
        await there.until_there_are(0)


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        (("192.0.2.7", 5000), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5000, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2:3::7", 5000, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::8", 5000, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5000, 0, 2), "fe80::/64"),
        ("", ""),
        (None, ""),
    ],
)
def test_whoever_has_many_addresses_of_one_network_counts_once(peer: object, counted: str) -> None:
    assert _network(peer) == counted
