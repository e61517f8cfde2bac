"""A reader that doesn't read costs bounded memory, is told so, and goes on from its cursor."""

from __future__ import annotations

import asyncio
import socket as sockets

import pytest

from api.live.open_streams import Patience
from api.live.wire import Wire
from escrow import cursors, log
from escrow.agreement import commands as c
from escrow.live import reader as reading
from escrow.live.reader import Reader
from escrow.pipeline import run
from tests.api.live.serving import Served, serve, settled, until
from tests.api.live.socket import Socket, connected
from tests.api.live.sse import opened
from tests.patience import PATIENCE_SECONDS

BEHIND_MAX = 20
KERNEL_BYTES = 4_096
BUFFERED_BYTES_MAX = 64 * 1024 + 40_000
"""uvicorn's own mark, and a message of ours on top of it."""

WORDS = "x" * 10_000
EVENTS = "subscription ($after: Cursor) { events(after: $after) { cursor texts { value } } }"
PATIENCE = Patience(look_seconds=0.05, send_seconds=PATIENCE_SECONDS, close_seconds=30, ping_seconds=PATIENCE_SECONDS)
"""Only what is told of many events makes them too slow, not what lies unread, nor a question that is not answered."""


async def _happen(served: Served, times: int) -> None:
    """Contracts with long descriptions, whose events therefore are long."""
    deployment = served.people.deployment
    for _ in range(times):
        proposal = deployment.proposal("10.00")
        terms = c.Terms(title="Long", description=WORDS, currency="USD")
        await run(
            c.Propose(
                contract_id=proposal.contract_id,
                client_id=proposal.client_id,
                freelancer_id=proposal.freelancer_id,
                terms=terms,
                plan=proposal.plan,
                message=None,
            ),
            by=deployment.client,
        )


def _small() -> sockets.socket:
    small = sockets.socket()
    small.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, KERNEL_BYTES)
    return small


def _reader(served: Served) -> Reader:
    (found,) = [one for readers in served.door.hub._readers.values() for one in readers]
    return found


def _buffered(served: Served) -> int:
    found: list[int] = [one.transport.get_write_buffer_size() for one in served.server.server_state.connections]
    return max(found)


async def _fall_behind(served: Served) -> None:
    """Let things happen until the reader has been given up, and see that it never holds more than it may."""
    reader = _reader(served)
    for _ in range(80):
        await _happen(served, 1)
        last = await settled()
        await until(lambda: served.door.hub.position >= last)  # noqa: B023 - within this turn
        assert reader.behind <= BEHIND_MAX
        assert _buffered(served) < BUFFERED_BYTES_MAX
        if reader.is_too_slow:
            assert reader.behind == 0
            return
    raise AssertionError("it never was too slow")


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers may fall behind by a few events only."""
    monkeypatch.setattr(reading, "BEHIND_EVENTS_MAX", BEHIND_MAX)


async def test_a_socket_that_is_not_read_is_closed_with_4429_and_resumes_from_its_cursor(
    database: str, redis_url: str, narrow: None
) -> None:
    async with serve(redis_url, patience=PATIENCE, kernel_bytes=KERNEL_BYTES) as served:
        small = _small()
        small.connect(("127.0.0.1", served.port))
        token = served.people.client.token
        async with connected(served, token=token, sock=small, max_queue=1, max_size=None) as socket:
            await socket.subscribe(EVENTS)
            await served.readers(1)
            start = await log.last_position()
            socket.connection.transport.pause_reading()
            await _fall_behind(served)
            await served.readers(0)
            socket.connection.transport.resume_reading()
            received, (code, reason) = await socket.all_until_closed()
            assert code == 4429
            assert "cursor" in reason
        seen = [_cursor(text) for text in received if '"next"' in text]
        assert seen
        async with connected(served, token=token, max_size=None) as socket:
            await socket.subscribe(EVENTS, {"after": seen[-1]})
            await _resumed(socket, seen, start)


async def _resumed(socket: Socket, seen: list[str], start: int) -> None:
    last = await settled()
    while cursors.read_cursor(seen[-1]) < last:
        seen.append((await socket.event())["cursor"])
    assert [cursors.read_cursor(one) for one in seen] == list(range(start + 1, last + 1))


def _cursor(text: str) -> str:
    start = text.index("cur_")
    return text[start : start + 17]


async def test_an_event_stream_that_is_not_read_ends_with_its_code(database: str, redis_url: str, narrow: None) -> None:
    async with serve(redis_url, patience=PATIENCE, kernel_bytes=KERNEL_BYTES) as served:
        token = served.people.client.token
        small = _small()
        small.connect(("127.0.0.1", served.port))
        read, write = await asyncio.open_connection(sock=small, limit=2_048)
        body = b'{"query": "subscription { events { cursor texts { value } } }"}'
        write.write(
            b"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % ((token or "").encode(), len(body), body)
        )
        await served.readers(1)
        await _fall_behind(served)
        await served.readers(0)
        said = b""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while b"event: complete" not in said:
                said += await read.read(65_536)
        assert b'"closeCode":4429' in said
        assert b'"code":"TOO_SLOW"' in said
        write.close()
        ids = [
            line.removeprefix("id: ") for line in said.decode(errors="replace").splitlines() if line.startswith("id: ")
        ]
        assert ids
        async with opened(served, EVENTS, {"after": ids[-1]}, token=token) as stream:
            last = await settled()
            position = cursors.read_cursor(ids[-1])
            while position < last:
                position += 1
                assert cursors.read_cursor((await stream.event())["cursor"]) == position


async def test_a_reader_that_never_reads_again_is_let_go(database: str, redis_url: str) -> None:
    patience = Patience(look_seconds=0.05, send_seconds=0.3, close_seconds=0.3)
    async with serve(redis_url, patience=patience, kernel_bytes=KERNEL_BYTES) as served:
        small = _small()
        small.connect(("127.0.0.1", served.port))
        async with connected(
            served, token=served.people.client.token, sock=small, max_queue=1, close_timeout=0.1
        ) as socket:
            await socket.subscribe(EVENTS)
            await served.readers(1)
            socket.connection.transport.pause_reading()
            await _happen(served, 30)
            await served.nobody()
            assert len(served.door.runner._groups) == 0
            socket.connection.transport.abort()


async def test_the_kernel_is_asked_to_notice_who_has_gone_and_to_keep_little_for_who_does_not_read(
    database: str, redis_url: str
) -> None:
    async with serve(redis_url) as served, connected(served, token=served.people.client.token):
        (protocol,) = [one for one in served.server.server_state.connections if isinstance(one, Wire)]
        accepted = protocol.transport.get_extra_info("socket")
        assert accepted.getsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE)
        if hasattr(sockets, "TCP_USER_TIMEOUT"):
            assert accepted.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_USER_TIMEOUT) == 30_000
        if hasattr(sockets, "TCP_NOTSENT_LOWAT"):
            assert accepted.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_NOTSENT_LOWAT) == 131_072
