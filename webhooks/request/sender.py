"""Sends one POST to somebody's receiver, and says what came of it as data: no receiver, however hostile, makes it raise.

Redirects, cookies, proxies and compression have no place here. The deadline spans everything, a body that drips included.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import ssl
from collections.abc import Mapping
from typing import Final, Self

import aiohttp
from yarl import URL

from escrow.settings import Reach
from webhooks.request import connector, ssrf
from webhooks.request.answers import Answer, ErrorClass, Exchange, class_of, current
from webhooks.request.dns import Resolver, SystemResolver

TOTAL_SECONDS: Final = 15.0
"""From the first look at the name to the last byte of the answer."""

EXCERPT_BYTES_MAX: Final = 16 * 1024
"""So much of an answer is kept; if there is more, the connection is closed and the rest never read."""

HEADERS: Final = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"Earnest/{importlib.metadata.version('earnest')} (webhooks)",
}


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
        self._reach = reach
        self._total_seconds = total_seconds
        self._session = aiohttp.ClientSession(
            connector=connector.Connector(reach, resolver or SystemResolver(), tls or connector.tls()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            skip_auto_headers={"accept"},
            auto_decompress=False,
            trust_env=False,
            read_bufsize=EXCERPT_BYTES_MAX,
            # The deadline is kept in `post`: the library's own is rounded up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; what is under way ends as `DISCONNECTED`."""
        await self._session.close()

    def _is_closed(self) -> bool:
        return self._session.closed

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
                await self._exchange(exchange, ssrf.target(url, reach=self._reach), headers, body)
        except TimeoutError:
            answer.error = answer.error or ErrorClass.TIMEOUT
        except Exception as error:  # noqa: BLE001 - whatever a receiver provokes is its answer, not our failure
            answer.error = answer.error or (ErrorClass.DISCONNECTED if self._is_closed() else class_of(error))
        finally:
            current.reset(token)
        answer.total_ms = exchange.ms()
        return answer

    async def _exchange(self, exchange: Exchange, url: URL, headers: Mapping[str, str], body: bytes) -> None:
        try:
            await self._once(exchange, url, headers, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            was_idle = exchange.is_reused and exchange.answer.status is None
            if not was_idle or isinstance(error, aiohttp.ClientConnectorError):
                raise
            # The receiver closed an idle connection while the request was on its way: that is nobody's failure, and
            # a webhook that comes twice is known by its id.
            exchange.wants_new_connection = True
            await self._once(exchange, url, headers, body)

    async def _once(self, exchange: Exchange, url: URL, headers: Mapping[str, str], body: bytes) -> None:
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            exchange.heard(response)
            answer = exchange.answer
            async for chunk in response.content.iter_any():
                answer.excerpt += chunk[: EXCERPT_BYTES_MAX - len(answer.excerpt)]
                if len(answer.excerpt) == EXCERPT_BYTES_MAX:
                    if not response.content.at_eof():
                        response.close()
                    break
