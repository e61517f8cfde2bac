"""Resolves names to addresses: the interface that the sender uses, and the system's own resolver behind it.

The system resolves in threads, and somebody's name server may answer never. So each name takes one thread at a time, however
many ask for it, and there are more threads than an event loop has; whoever hangs waits for itself.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Final, Protocol

LOOKUPS_AT_ONCE: Final = 64


class Resolver(Protocol):
    """Where names are resolved. Raises `OSError` for a name without addresses."""

    async def addresses(self, host: str) -> Sequence[str]:
        """The addresses that the name has now: whatever was answered before isn't remembered."""


class SystemResolver:
    """`getaddrinfo`, without a cache: what it answers is as fresh as the system's own."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._under_way: dict[str, asyncio.Task[list[str]]] = {}

    async def addresses(self, host: str) -> Sequence[str]:
        lookup = self._under_way.get(host)
        if lookup is None:
            self._under_way[host] = lookup = asyncio.create_task(self._look_up(host))
            lookup.add_done_callback(lambda done: self._ended(host, done))
        return await asyncio.shield(lookup)

    def _ended(self, host: str, lookup: asyncio.Task[list[str]]) -> None:
        self._under_way.pop(host, None)
        if not lookup.cancelled():
            lookup.exception()  # nobody may be left to hear it

    async def _look_up(self, host: str) -> list[str]:
        async with self._slots:
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[list[str]] = loop.create_future()
            # A daemon: a process that stops doesn't wait for somebody's name server.
            threading.Thread(target=_ask, args=(host, loop, answer), name=f"dns-{host}", daemon=True).start()
            return await answer


def _ask(host: str, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[list[str]]) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        result: list[str] | OSError = [str(sockaddr[0]) for *_, sockaddr in found]
    except OSError as error:
        result = error
    except UnicodeError as error:
        result = OSError(str(error))
    try:
        loop.call_soon_threadsafe(_give, answer, result)
    except RuntimeError:  # the loop was closed meanwhile
        return


def _give(answer: asyncio.Future[list[str]], result: list[str] | OSError) -> None:
    if answer.done():
        return
    if isinstance(result, OSError):
        answer.set_exception(result)
    else:
        answer.set_result(result)
