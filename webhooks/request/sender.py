"""Sends one POST to somebody's receiver, and says what came of it as data: no receiver, however hostile, makes it raise.

Redirects, cookies, proxies and compression have no place here. The deadline spans everything, a body that drips included.
Of aiohttp it takes connections and the reading of answers: its sessions would take two thirds of a delivery's time for what is
the same each time, or never asked for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from escrow.release import VERSION
from escrow.settings import Reach
from webhooks.request import connector
from webhooks.request.answers import Answer, ErrorClass, Exchange, class_of, current
from webhooks.request.dns import Resolver, SystemResolver
from webhooks.request.routes import Route, Routes

TOTAL_SECONDS: Final = 15.0
"""From the first look at the name to the last byte of the answer."""

EXCERPT_BYTES_MAX: Final = 16 * 1024
"""So much of an answer is kept; if there is more, the connection is closed and the rest never read."""

HEADERS: Final = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"Earnest/{VERSION} (webhooks)",
}

SWITCHING_PROTOCOLS: Final = 101
"""The one answer of its hundred that is final."""

_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)
"""The deadline is kept in `post`: the library's own is rounded up to whole seconds."""


class Sender:
    """Connections to receivers, kept alive. Made in a running event loop; closed by `close` or as a context."""

    def __init__(
        self,
        *,
        reach: Reach = Reach.PUBLIC,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._total_seconds = total_seconds
        self._connector = connector.Connector(reach, resolver or SystemResolver(), tls or connector.tls())
        self._routes = Routes(reach, HEADERS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; what is under way ends as `DISCONNECTED`."""
        await self._connector.close()

    def _is_closed(self) -> bool:
        return self._connector.closed

    async def post(self, *, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send `body` with `headers` beside `HEADERS`. Answers for whatever the receiver did; only cancelling raises.

        Raises `RuntimeError` once the sender is closed: that would be nobody's answer.
        """
        if self._is_closed():
            raise RuntimeError("this sender was closed")
        exchange = Exchange()
        answer = exchange.answer
        token = current.set(exchange)
        try:
            async with asyncio.timeout(self._total_seconds):
                await self._exchange(exchange, self._routes.to(url), headers, body)
        except TimeoutError:
            answer.error = answer.error or ErrorClass.TIMEOUT
        except Exception as error:  # noqa: BLE001 - whatever a receiver provokes is its answer, not our failure
            answer.error = answer.error or (ErrorClass.DISCONNECTED if self._is_closed() else class_of(error))
        finally:
            current.reset(token)
        answer.total_ms = exchange.ms()
        return answer

    async def _exchange(self, exchange: Exchange, route: Route, headers: Mapping[str, str], body: bytes) -> None:
        try:
            await self._once(exchange, route, headers, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            was_idle = exchange.is_reused and exchange.answer.status is None
            if not was_idle or isinstance(error, aiohttp.ClientConnectorError):
                raise
            # The receiver closed an idle connection while the request was on its way: that is nobody's failure, and
            # a webhook that comes twice is known by its id.
            exchange.wants_new_connection = True
            await self._once(exchange, route, headers, body)

    async def _once(self, exchange: Exchange, route: Route, headers: Mapping[str, str], body: bytes) -> None:
        request = route.request(headers, body)
        connection = await self._connector.connect(route.asked, [], _NO_TIMEOUT)
        is_whole = False
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None or transport.is_closing():
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_bufsize=EXCERPT_BYTES_MAX)
            transport.write(request)
            message, content = await _final(protocol)
            exchange.heard(message.code, message.headers)
            is_whole = await _read(exchange.answer, content)
        finally:
            if is_whole:
                connection.release()  # for the next one, unless the receiver wants it closed
            else:
                connection.close()


async def _final(protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
    """The answer, after those that are provisional."""
    while True:
        message, content = await protocol.read()
        if not 100 <= message.code <= 199 or message.code == SWITCHING_PROTOCOLS:
            return message, content


async def _read(answer: Answer, content: StreamReader) -> bool:
    """Keep the beginning of the answer's body; whether that is all of it."""
    async for chunk in content.iter_any():
        answer.excerpt += chunk[: EXCERPT_BYTES_MAX - len(answer.excerpt)]
        if len(answer.excerpt) == EXCERPT_BYTES_MAX:
            return content.at_eof()
    return True
