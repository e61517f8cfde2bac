"""Connects to receivers, and judges each address where it is used.

When a name was resolved (all of its answers), when a socket is made (literals, too), and on the peer of every connection, new or
pooled, just before the request goes out.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final, NoReturn

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection

from escrow.settings import Reach
from webhooks.request import ssrf
from webhooks.request.answers import ErrorClass, Exchange, current
from webhooks.request.dns import Resolver

DNS_SECONDS: Final = 10.0
"""A lost packet costs the system's resolver 5 s; it may lose one."""

IDLE_SECONDS: Final = 4.0
"""Connections are kept for so long: widespread servers close theirs after 5 s, and it should not be them."""

ADDRESSES_TRIED_MAX: Final = 8
"""Of one name: somebody's name server must not make us knock on a thousand doors."""


class _Refused(OSError):
    """An address that no webhook may be sent to."""


class Connector(aiohttp.TCPConnector):
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
        exchange = current.get()
        connection = await self._connection(exchange, req, traces, timeout)
        peer = connection.transport.get_extra_info("peername") if connection.transport is not None else None
        if not peer or ssrf.verdict(peer[0], reach=self._reach) is not None:
            connection.close()
            _refuse()
        exchange.answer.address = peer[0]
        return connection

    async def _connection(self, exchange: Exchange, *request: Any) -> Connection:
        while True:
            exchange.is_reused = True
            connection = await super().connect(*request)
            if not (exchange.is_reused and exchange.wants_new_connection):
                return connection
            connection.close()

    async def _create_connection(self, *request: Any) -> ResponseHandler:
        exchange = current.get()
        exchange.is_reused = False
        protocol = await super()._create_connection(*request)
        exchange.answer.connect_ms = exchange.ms()
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
        exchange = current.get()
        try:
            async with asyncio.timeout(DNS_SECONDS):
                found = await self._resolver.addresses(host)
        except OSError as error:  # a timeout is one, too
            exchange.answer.error = ErrorClass.DNS_FAILED
            raise OSError("the name has no address") from error
        if not found:
            exchange.answer.error = ErrorClass.DNS_FAILED
            raise OSError("the name has no address")
        if any(ssrf.verdict(address, reach=self._reach) is not None for address in found):
            _refuse()
        exchange.answer.dns_ms = exchange.ms()
        return [_result(host, port, address) for address in found[:ADDRESSES_TRIED_MAX]]

    async def close(self) -> None:
        """Nothing to close."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


def _refuse() -> NoReturn:
    current.get().answer.error = ErrorClass.ADDRESS_REFUSED
    raise _Refused("no webhook may be sent to this address")


def tls() -> ssl.SSLContext:
    """What connections are made with: certificates are checked, HTTP/1.1 alone is spoken."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
