"""Subscribers as a process of their own: `python -m tests.benchmarks.listeners` is told whom to ask, and listens.

They are bare sockets. What comes is put aside as it comes, with the time at which it was there to be read, and looked at when
all is over: so a machine that they share with what they measure has little to do for them.
"""

from __future__ import annotations

import asyncio
import base64
import os
import selectors
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import orjson

from tests.earnest.running import clean_environment
from tests.workers.process import ROOT

EVENT_ID_CHARACTERS: Final = 30
LOOK_EVERY: Final = 50
"""Connections, while they are made, between two looks at those that are there: a server asks whether they still are."""
READ_BYTES: Final = 1 << 16
SUBSCRIBE: Final = (
    "subscription ($contractId: ID) { events(contractId: $contractId) { id type cursor sequence stream } }"
)

_HANDSHAKE: Final = (
    b"GET /graphql HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %b\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Heard:
    """An event that came to one subscriber, and when, by the clock of the machine."""

    event_id: str
    at: float


class Listeners:
    """The process, with a connection for each contract that is wanted; `None` wants them all."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process

    async def subscribe(self, port: int, tokens: Sequence[str], wanted: Sequence[str | None]) -> None:
        """Connect, with the tokens in turn, and ask; that the server has begun to listen nobody says."""
        await self._ask({"port": port, "tokens": tokens, "wanted": wanted})

    async def heard(self) -> list[Heard]:
        """What came so far."""
        return [Heard(event_id, at) for event_id, at in orjson.loads(await self._ask({}))]

    async def _ask(self, question: object) -> bytes:
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        process.stdin.write(orjson.dumps(question) + b"\n")
        answer = await process.stdout.readline()
        if not answer:
            raise RuntimeError("the subscribers' process has ended")
        return answer


@asynccontextmanager
async def listeners() -> AsyncIterator[Listeners]:
    """A process without subscribers yet; it ends with the block, and they with it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.listeners"),
        cwd=ROOT,
        env=clean_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    try:
        yield Listeners(process)
    finally:
        process.kill()
        await process.wait()


class _Ears:
    """The sockets, and what came through each of them."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._came: list[tuple[socket.socket, float, bytes]] = []

    def listen_to(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ)

    def hear(self, timeout_seconds: float | None) -> bool:
        """Put aside what is there, or comes first; whether somebody asks for something."""
        ready = self._selector.select(timeout_seconds)
        now = time.time()
        is_asked = False
        for key, _ in ready:
            connection = key.fileobj
            if isinstance(connection, socket.socket):
                self._put_aside(connection, now)
            else:
                is_asked = True
        return is_asked

    def hear_of_questions(self) -> None:
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ)

    def _put_aside(self, connection: socket.socket, now: float) -> None:
        data = connection.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the server hung up")
        if b'"ping"' in data:
            _say(connection, {"type": "pong"})
        self._came.append((connection, now, data))

    def events(self) -> Iterator[tuple[str, float]]:
        """What was heard: a message counts from when its last byte had come."""
        rests: dict[socket.socket, bytes] = {}
        for connection, at, data in self._came:
            whole, rest = _messages(rests.get(connection, b"") + data)
            rests[connection] = rest
            for text in whole:
                place = text.find(b'"evt_')
                if place >= 0:
                    yield text[place + 1 : place + 1 + EVENT_ID_CHARACTERS].decode(), at
                elif b'"ping"' not in text:
                    raise AssertionError(text)


def _messages(received: bytes) -> tuple[list[bytes], bytes]:
    """The texts of whole frames, and the rest."""
    found = []
    while len(received) >= 2:
        length, start = received[1], 2
        if length == 126:
            length, start = int.from_bytes(received[2:4]), 4
        if len(received) < start + length:
            break
        found.append(received[start : start + length])
        received = received[start + length :]
    return found, received


def _say(connection: socket.socket, message: object) -> None:
    text = orjson.dumps(message)
    head = bytes([0x81, 0x80 | len(text)]) if len(text) < 126 else bytes([0x81, 0xFE]) + len(text).to_bytes(2)
    connection.sendall(head + b"\0\0\0\0" + text)


def _subscriber(port: int, token: str, contract_id: str | None) -> socket.socket:
    """A connection that has asked."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(_HANDSHAKE % base64.b64encode(os.urandom(16)))
    _until(connection, b"\r\n\r\n")
    _say(connection, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    _until(connection, b"connection_ack")
    variables = {"contractId": contract_id}
    _say(connection, {"id": "1", "type": "subscribe", "payload": {"query": SUBSCRIBE, "variables": variables}})
    return connection


def _until(connection: socket.socket, end: bytes) -> None:
    received = b""
    while end not in received:
        came = connection.recv(READ_BYTES)
        if not came:
            raise ConnectionError(f"hung up after {received!r}")
        received += came


def main() -> None:
    """Answer each line of the standard input with one of the standard output; listen meanwhile."""
    ears = _Ears()
    ears.hear_of_questions()
    while True:
        if not ears.hear(None):
            continue
        line = sys.stdin.buffer.readline()
        if not line:
            return
        question = orjson.loads(line)
        tokens = question.get("tokens")
        for number, contract_id in enumerate(question.get("wanted", ())):
            ears.listen_to(_subscriber(question["port"], tokens[number % len(tokens)], contract_id))
            if number % LOOK_EVERY == 0:
                ears.hear(0)
        answer = [] if question else list(ears.events())
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
