"""Receivers for tests: small HTTP servers on loopback addresses of the test's own, well-behaved or hostile, and a resolver
that answers as the test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[["Receiver", "Heard", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """What a receiver saw."""

    host: str
    port: int = 0
    connections: int = 0
    heard: list[Heard] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first request."""

    def url(self, host: str | None = None, *, scheme: str = "http", path: str = "/hook") -> str:
        """Its URL, by its address or by a name."""
        return f"{scheme}://{host or self.host}:{self.port}{path}"


def answers(status: int = 200, body: bytes = b"ok", headers: Sequence[str] = ()) -> Behaviour:
    """Answers each request with this, and keeps the connection."""

    async def behave(_: Receiver, __: Heard, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Answer", f"content-length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return behave


def says(raw: bytes, *, then_closes: bool = True) -> Behaviour:
    """Writes these bytes, whatever they are."""

    async def behave(_: Receiver, __: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if then_closes:
            writer.close()

    return behave


async def hangs(_: Receiver, __: Heard, ___: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def endless(_: Receiver, __: Heard, writer: asyncio.StreamWriter) -> None:
    """A status, and then a body without end, as fast as it is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def drips(_: Receiver, __: Heard, writer: asyncio.StreamWriter) -> None:
    """A status, and then a byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


@asynccontextmanager
async def receiver(
    behave: Behaviour | None = None, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """A receiver that listens while the context lasts."""
    seen = Receiver(host)
    conversations: set[asyncio.Task[None]] = set()
    behaviour = behave or answers()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        seen.connections += 1
        try:
            while not writer.is_closing():
                heard = await _read(reader)
                seen.heard.append(heard)
                seen.arrived.set()
                await behaviour(seen, heard, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            conversations.discard(task)
            writer.close()

    server = await asyncio.start_server(converse, host, port, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for conversation in list(conversations):
            conversation.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.rstrip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in rest)}
    return Heard(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


class Names:
    """A resolver that answers from a table; a list of lists is answered one after the other, the last one for ever."""

    def __init__(self, **table: Sequence[str] | Sequence[Sequence[str]] | Exception) -> None:
        self._table = {name.replace("_", "."): answer for name, answer in table.items()}
        self.asked: list[str] = []

    async def addresses(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        answer = self._table[host]
        if isinstance(answer, Exception):
            raise answer
        if not answer or isinstance(answer[0], str):
            return [str(address) for address in answer]
        turn = min(self.asked.count(host), len(answer)) - 1
        return list(answer[turn])
