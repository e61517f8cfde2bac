"""Shows the figures of a worker by HTTP, and that it lives: a worker has no other port, and this one only if it is asked for.

`GET /metrics` is what a web process shows under that path, less how the deployment stands; `GET /healthz` answers while the
event loop turns. Nothing else is understood, and whoever dawdles is hung up on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from earnest.run.refusing import CannotStart
from escrow import exposition, meters

HEAD_BYTES_MAX: Final = 8_192
PATIENCE_SECONDS: Final = 5.0


@asynccontextmanager
async def watched(host: str, port: int | None, *, token: str | None, is_open: bool) -> AsyncIterator[int | None]:
    """Answer on this port while the block lasts, to those who show the token, or to everybody if `is_open` and there is none;
    nowhere without a port. Gives the port, which is chosen for 0. Refuses with `CannotStart` one that is taken."""
    if port is None:
        yield None
        return
    page = _Page(token, is_open=is_open)
    try:
        server = await asyncio.start_server(page.answer, host, port, limit=HEAD_BYTES_MAX)
    except OSError as error:
        raise CannotStart(f"EARNEST_METRICS_PORT is {port}, where nobody can listen: {error.strerror}") from None
    async with server:
        yield server.sockets[0].getsockname()[1]


class _Page:
    def __init__(self, token: str | None, *, is_open: bool) -> None:
        self._token = token
        self._is_open = is_open

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = self._answer(head)
                said = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {kind}\r\n"
                ending = f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
                writer.write((said + ending).encode() + body)
                await writer.drain()
        writer.close()

    def _answer(self, head: bytes) -> tuple[HTTPStatus, str, bytes]:
        request, *headers = head.decode("latin-1").split("\r\n")
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0]
        if method != "GET" or path not in ("/metrics", "/healthz"):
            return HTTPStatus.NOT_FOUND, "text/plain", b"Not Found\n"
        if path == "/healthz":
            return HTTPStatus.OK, "application/json", b'{"status":"ok"}'
        if not self._may_see(headers):
            return HTTPStatus.UNAUTHORIZED, "text/plain", b"This needs the token of EARNEST_METRICS_TOKEN.\n"
        return HTTPStatus.OK, exposition.CONTENT_TYPE, exposition.text(meters.figures())

    def _may_see(self, headers: list[str]) -> bool:
        if self._token is None:
            return self._is_open
        shown = [value for name, _, value in (one.partition(":") for one in headers) if name.lower() == "authorization"]
        scheme, _, token = (shown[0].strip() if shown else "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token.encode())
