"""A receiver as its own process: `python -m tests.benchmarks.sink` prints its port, answers 200, and hangs on `/hang/…`."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import orjson
import uvloop

arrived: dict[str, float] = {}
count = 0


class Connection(asyncio.Protocol):
    """Just enough HTTP for what we send ourselves."""

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._at = self._at or time.monotonic()
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        low = head.lower()
        length = int(low.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        at, self._at, self._buffer = self._at, 0.0, rest[length:]
        path = head.split(b" ", 2)[1]
        if path == b"/count":
            self._answer(str(count).encode())
        elif path == b"/dump":
            self._answer(orjson.dumps(arrived))
        elif not path.startswith(b"/hang"):
            self._note(low, at)
            self._answer(b"ok")

    def _note(self, head: bytes, at: float) -> None:
        global count
        count += 1
        arrived.setdefault(head.partition(b"webhook-id: ")[2].partition(b"\r\n")[0].decode(), at)

    def _answer(self, body: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
