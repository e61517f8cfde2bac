"""One POST to somebody's receiver, and what came of it as data: no receiver, however hostile, makes it raise.

An address is judged where it is used: when a name was resolved (all of its answers), when a socket is made (literals, too),
and on the peer of every connection, new or pooled, just before the request goes out. Redirects, cookies, proxies and
compression have no place here. The deadline spans everything, a body that drips included.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import importlib.metadata
import logging
import math
import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NoReturn, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from yarl import URL

from escrow.settings import Reach
from webhooks.request import ssrf
from webhooks.request.dns import Resolver, SystemResolver

TOTAL_SECONDS: Final = 15.0
"""From the first look at the name to the last byte of the answer."""

DNS_SECONDS: Final = 10.0
"""A lost packet costs the system's resolver 5 s; it may lose one."""

EXCERPT_BYTES_MAX: Final = 16 * 1024
"""So much of an answer is kept; if there is more, the connection is closed and the rest never read."""

STATUS_MIN: Final = 100
"""What is below is no status of HTTP."""

IDLE_SECONDS: Final = 4.0
"""Connections are kept for so long: widespread servers close theirs after 5 s, and it should not be them."""

HEADERS: Final = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"Earnest/{importlib.metadata.version('earnest')} (webhooks)",
}

ADDRESSES_TRIED_MAX: Final = 8
"""Of one name: somebody's name server must not make us knock on a thousand doors."""

_log = logging.getLogger(__name__)

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


class ErrorClass(StrEnum):
    """Why an attempt has no complete answer."""

    URL_REFUSED = "URL_REFUSED"
    DNS_FAILED = "DNS_FAILED"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    CONNECT_FAILED = "CONNECT_FAILED"
    TLS_FAILED = "TLS_FAILED"
    CERTIFICATE_REFUSED = "CERTIFICATE_REFUSED"
    DISCONNECTED = "DISCONNECTED"
    INVALID_ANSWER = "INVALID_ANSWER"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one attempt. Times are milliseconds since `started_at`; `None` where it didn't get so far."""

    status: int | None = None
    """As soon as a status line came, also if the rest never did."""
    error: ErrorClass | None = None
    """`None` if the answer came whole, or as much of it as is kept."""
    address: str | None = None
    """The one that it was sent to. Not said of a refused one: names inside the operator's network stay its own."""
    started_at: datetime
    dns_ms: float | None = None
    """Until the name was resolved; `None` on a connection that was there already."""
    connect_ms: float | None = None
    """Until the connection was there, TLS included."""
    first_byte_ms: float | None = None
    """Until status and headers were there."""
    total_ms: float
    excerpt: bytes = b""
    retry_after_seconds: float | None = None
    """What the receiver asked for, at least 0; bounding it is up to whoever plans the next attempt."""

    @property
    def is_success(self) -> bool:
        """Any 2xx that came whole within the deadline."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


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
            connector=_Connector(reach, resolver or SystemResolver(), tls or _tls()),
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
        exchange = _Exchange()
        token = _current.set(exchange)
        try:
            async with asyncio.timeout(self._total_seconds):
                await self._exchange(exchange, ssrf.target(url, reach=self._reach), headers, body)
        except TimeoutError:
            exchange.error = exchange.error or ErrorClass.TIMEOUT
        except Exception as error:  # noqa: BLE001 - whatever a receiver provokes is its answer, not our failure
            exchange.error = exchange.error or (ErrorClass.DISCONNECTED if self._is_closed() else _class_of(error))
        finally:
            _current.reset(token)
        return exchange.answer()

    async def _exchange(self, exchange: _Exchange, url: URL, headers: Mapping[str, str], body: bytes) -> None:
        try:
            await self._once(exchange, url, headers, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not (exchange.is_reused and exchange.status is None) or isinstance(error, aiohttp.ClientConnectorError):
                raise
            # The receiver closed an idle connection while the request was on its way: that is nobody's failure, and
            # a webhook that comes twice is known by its id.
            exchange.wants_new_connection = True
            await self._once(exchange, url, headers, body)

    async def _once(self, exchange: _Exchange, url: URL, headers: Mapping[str, str], body: bytes) -> None:
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            exchange.heard(response)
            async for chunk in response.content.iter_any():
                exchange.excerpt += chunk[: EXCERPT_BYTES_MAX - len(exchange.excerpt)]
                if len(exchange.excerpt) == EXCERPT_BYTES_MAX:
                    if not response.content.at_eof():
                        response.close()
                    break


@dataclass(slots=True)
class _Exchange:
    """One attempt under way; the connector's hooks find it in `_current` and write down what they see."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    start: float = field(default_factory=time.perf_counter)
    status: int | None = None
    error: ErrorClass | None = None
    address: str | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    first_byte_ms: float | None = None
    excerpt: bytes = b""
    retry_after_seconds: float | None = None
    is_reused: bool = False
    wants_new_connection: bool = False

    def ms(self) -> float:
        """Milliseconds since the start."""
        return (time.perf_counter() - self.start) * 1000

    def heard(self, response: aiohttp.ClientResponse) -> None:
        self.first_byte_ms = self.ms()
        if response.status < STATUS_MIN:  # the library reads any three digits
            self.error = ErrorClass.INVALID_ANSWER
            raise ValueError(f"an answer with status {response.status}")
        self.status = response.status
        self.retry_after_seconds = retry_after_seconds(response.headers.get("retry-after"), now=datetime.now(UTC))

    def answer(self) -> Answer:
        return Answer(
            status=self.status,
            error=self.error,
            address=self.address,
            started_at=self.started_at,
            dns_ms=self.dns_ms,
            connect_ms=self.connect_ms,
            first_byte_ms=self.first_byte_ms,
            total_ms=self.ms(),
            excerpt=self.excerpt,
            retry_after_seconds=self.retry_after_seconds,
        )


_current: Final[ContextVar[_Exchange]] = ContextVar("exchange")


class _Refused(OSError):
    """An address that no webhook may be sent to."""


class _Connector(aiohttp.TCPConnector):
    """Keep-alive pools that judge each address where it is used, by the one verdict."""

    def __init__(self, reach: Reach, resolver: Resolver, tls: ssl.SSLContext) -> None:
        super().__init__(
            resolver=_JudgingResolver(resolver, reach),
            use_dns_cache=False,
            socket_factory=self._socket,
            ssl=tls,
            limit=0,  # how many go out at once is decided by whoever claims deliveries
            keepalive_timeout=IDLE_SECONDS,
        )
        self._reach = reach

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the library's own
    ) -> Connection:
        exchange = _current.get()
        connection = await self._connection(exchange, req, traces, timeout)
        peer = connection.transport.get_extra_info("peername") if connection.transport is not None else None
        if not peer or ssrf.verdict(peer[0], reach=self._reach) is not None:
            connection.close()
            _refuse()
        exchange.address = peer[0]
        return connection

    async def _connection(self, exchange: _Exchange, *request: Any) -> Connection:
        while True:
            exchange.is_reused = True
            connection = await super().connect(*request)
            if not (exchange.is_reused and exchange.wants_new_connection):
                return connection
            connection.close()

    async def _create_connection(self, *request: Any) -> ResponseHandler:
        exchange = _current.get()
        exchange.is_reused = False
        protocol = await super()._create_connection(*request)
        exchange.connect_ms = exchange.ms()
        return protocol

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        if ssrf.verdict(sockaddr[0], reach=self._reach) is not None:
            _refuse()
        return socket.socket(family, kind, protocol)


class _JudgingResolver(AbstractResolver):
    """The resolver as aiohttp asks it: one denied answer refuses the name."""

    def __init__(self, resolver: Resolver, reach: Reach) -> None:
        self._resolver = resolver
        self._reach = reach

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> list[ResolveResult]:
        exchange = _current.get()
        try:
            async with asyncio.timeout(DNS_SECONDS):
                found = await self._resolver.addresses(host)
        except OSError as error:  # a timeout is one, too
            exchange.error = ErrorClass.DNS_FAILED
            raise OSError("the name has no address") from error
        if not found:
            exchange.error = ErrorClass.DNS_FAILED
            raise OSError("the name has no address")
        if any(ssrf.verdict(address, reach=self._reach) is not None for address in found):
            _refuse()
        exchange.dns_ms = exchange.ms()
        return [_result(host, port, address) for address in found[:ADDRESSES_TRIED_MAX]]

    async def close(self) -> None:
        """Nothing to close."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


def _refuse() -> NoReturn:
    _current.get().error = ErrorClass.ADDRESS_REFUSED
    raise _Refused("no webhook may be sent to this address")


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _class_of(error: Exception) -> ErrorClass:
    """The class of what the library raised; the first that fits."""
    for kind, error_class in _CLASSES:
        if isinstance(error, kind):
            return error_class
    _log.warning("an answer that the HTTP library itself stumbles over", exc_info=error)
    return ErrorClass.INVALID_ANSWER


_CLASSES: Final[tuple[tuple[type[Exception], ErrorClass], ...]] = (
    (ssrf.UrlRefused, ErrorClass.URL_REFUSED),
    (aiohttp.ClientConnectorDNSError, ErrorClass.DNS_FAILED),
    (aiohttp.ClientConnectorCertificateError, ErrorClass.CERTIFICATE_REFUSED),
    (aiohttp.ClientConnectorSSLError, ErrorClass.TLS_FAILED),
    (aiohttp.ClientConnectorError, ErrorClass.CONNECT_FAILED),
    (aiohttp.ClientResponseError, ErrorClass.INVALID_ANSWER),
    (aiohttp.ClientConnectionError, ErrorClass.DISCONNECTED),
    (aiohttp.ClientPayloadError, ErrorClass.DISCONNECTED),
    (OSError, ErrorClass.DISCONNECTED),
)


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """What a `Retry-After` header asks for, in seconds or as a date of HTTP; `None` if there is none or it is nonsense."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return float(value)
    with contextlib.suppress(ValueError, OverflowError):
        at = email.utils.parsedate_to_datetime(value)
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
        return max(0.0, seconds) if math.isfinite(seconds) else None
    return None
