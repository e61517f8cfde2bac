"""A process that passes TCP connections on, and cuts them: `{"port": 1234, "to": ["/a/socket", "127.0.0.1:80"]}`.

SIGUSR1 cuts all that there are in the middle of whatever they carry. SIGSTOP makes it a network in which nothing moves. Of
several places a connection goes to any that takes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
from typing import Any, cast

import uvloop


class _End(asyncio.Protocol):
    """One end of a connection: what it reads, the other end writes."""

    def __init__(self, ends: set[_End], other: _End | None = None) -> None:
        self._ends = ends
        self.other = other
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._ends.add(self)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ends.discard(self)
        if self.other is not None:
            self.other.cut()

    def cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class _Door(_End):
    """The end of who connects: what it says before the other end is there is kept for it."""

    def __init__(self, ends: set[_End], places: list[str], work: set[asyncio.Task[None]]) -> None:
        super().__init__(ends)
        self._places = places
        self._work = work
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        task = asyncio.get_running_loop().create_task(self._connect())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            super().data_received(data)

    async def _connect(self) -> None:
        loop, other = asyncio.get_running_loop(), _End(self._ends, self)
        for place in random.sample(self._places, len(self._places)):
            host, _, port = place.rpartition(":")
            with contextlib.suppress(OSError):
                if host:
                    await loop.create_connection(lambda: other, host, int(port))
                else:
                    await loop.create_unix_connection(lambda: other, place)
                break
        if other.transport is None or self.transport is None or self.transport.is_closing():
            self.cut()
            other.cut()
            return
        self.other = other
        other.transport.writelines(self._early)


async def serve(told: dict[str, Any]) -> None:
    """Pass on until the process ends."""
    ends: set[_End] = set()
    work: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()

    def cut() -> None:
        for end in list(ends):
            end.cut()

    loop.add_signal_handler(signal.SIGUSR1, cut)
    server = await loop.create_server(lambda: _Door(ends, told["to"], work), "127.0.0.1", told["port"], backlog=1024)
    print("passing on", flush=True)
    await server.serve_forever()


def main(argument: str) -> None:
    """In a process of its own."""
    uvloop.run(serve(json.loads(argument)))
