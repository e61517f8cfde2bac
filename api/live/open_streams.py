"""Keeps the list of this process's open streams: limits them for each key, and looks at each of them every second.

One look for all is cheaper than a timer for each: it finds readers that don't read, sends pings, and notices who has gone
without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from api.live.closing import STOPPING, Closing
from escrow import process_log

LOOK_SECONDS: Final = 1.0

LOOKED_AT_ONCE: Final = 500
"""Connections that are looked at before everything else has its turn."""

PER_KEY_MAX: Final = 200
"""Open connections of one key in one process. Those without a key have as many in common."""

OPERATIONS_MAX: Final = 100
"""Operations under way on one WebSocket."""

STREAMS_MAX: Final = 5_000
"""Streams of one account in one process, however many keys and connections it has: of each event all of them are told at once."""

INIT_SECONDS: Final = 10.0
"""How long a WebSocket may wait with `connection_init`."""

SEND_SECONDS: Final = 10.0
"""How long one message may wait for a reader's full buffers before the reader counts as too slow."""

CLOSE_SECONDS: Final = 10.0
"""How long the last word may wait likewise."""

PING_SECONDS: Final = 20.0
"""After so long without a word from the other side it is asked whether it is there."""

PONG_SECONDS: Final = 15.0
"""How long it may take to answer."""

FINISH_SECONDS: Final = 1.5
"""How long a process that stops waits for operations with one answer, such as mutations, that go on over streams' connections."""

STOP_SECONDS: Final = 0.5
"""How long it then waits until everybody was told."""

COMMENT_SECONDS: Final = 12.0
"""After so long without an event an event stream carries a comment, so that nothing on the way takes it for dead."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long connections wait for whom; tests wait less."""

    init_seconds: float = INIT_SECONDS
    send_seconds: float = SEND_SECONDS
    close_seconds: float = CLOSE_SECONDS
    ping_seconds: float = PING_SECONDS
    pong_seconds: float = PONG_SECONDS
    comment_seconds: float = COMMENT_SECONDS
    look_seconds: float = LOOK_SECONDS
    per_key_max: int = PER_KEY_MAX
    operations_max: int = OPERATIONS_MAX
    streams_max: int = STREAMS_MAX


class TooManyConnections(Exception):
    """The key has as many connections as it may have, or the account as many streams."""


class Connection(Protocol):
    """One WebSocket or event stream."""

    def look(self, now: float) -> None:
        """Do what is due by the monotonic clock; never waits."""

    def finish(self, closing: Closing) -> None:
        """Close it likewise, once what was asked there and has one answer is answered."""

    def end(self, closing: Closing) -> None:
        """Close it as soon as possible, saying why; the first reason counts."""


@dataclass(slots=True, eq=False)
class Connections:
    """The open ones."""

    patience: Patience = field(default_factory=Patience)
    _open: set[Connection] = field(default_factory=set)
    _per_key: Counter[str | None] = field(default_factory=Counter)
    _streams: Counter[str | None] = field(default_factory=Counter)
    _watch: asyncio.Task[None] | None = None
    _all_ended: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_stopping(self) -> bool:
        """Whether everybody was told to go: whoever still comes is turned away."""
        return self._all_ended is not None

    @contextmanager
    def opened(self, connection: Connection) -> Iterator[None]:
        """Look after this connection while the block lasts."""
        self._open.add(connection)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._look(), name="connections")
        try:
            yield
        finally:
            self._open.discard(connection)
            if not self._open and self._all_ended is not None:
                self._all_ended.set()

    @contextmanager
    def counted(self, key_id: str | None) -> Iterator[None]:
        """Count a connection for its key while the block lasts. Raises `TooManyConnections`."""
        most = self.patience.per_key_max
        with _one_of(self._per_key, key_id, most, f"This key has {most} open connections here; no more are allowed."):
            yield

    @contextmanager
    def following(self, account_id: str | None) -> Iterator[None]:
        """Count a stream for its account while the block lasts. Raises `TooManyConnections`."""
        most = self.patience.streams_max
        with _one_of(self._streams, account_id, most, f"This account has {most} streams here; no more are allowed."):
            yield

    async def end_all(self) -> None:
        """This process stops: tell everybody to connect to another one, and wait a moment until they were told.

        A mutation that was begun is answered first: whoever hears instead that it should connect again may repeat it.
        """
        self._all_ended = all_ended = asyncio.Event()
        for connection in tuple(self._open):
            connection.finish(STOPPING)
        await self._have_ended(all_ended, FINISH_SECONDS)
        for connection in tuple(self._open):
            connection.end(STOPPING)
        await self._have_ended(all_ended, STOP_SECONDS)

    async def _have_ended(self, all_ended: asyncio.Event, seconds: float) -> None:
        """Wait until all have, so long at most."""
        if self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await all_ended.wait()

    async def stop(self) -> None:
        """Look no more."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _look(self) -> None:
        process_log.begin()  # the first connection is not what this is about
        while True:
            await asyncio.sleep(self.patience.look_seconds)
            now = time.monotonic()
            for number, connection in enumerate(tuple(self._open), 1):
                try:
                    connection.look(now)
                except Exception:  # noqa: BLE001 - one connection must not keep the others from being looked at
                    _log.exception("a connection could not be looked at")
                if not number % LOOKED_AT_ONCE:
                    await asyncio.sleep(0)


@contextmanager
def _one_of(counted: Counter[str | None], owner: str | None, most: int, refusal: str) -> Iterator[None]:
    if counted[owner] >= most:
        raise TooManyConnections(refusal)
    counted[owner] += 1
    try:
        yield
    finally:
        counted[owner] -= 1
        if not counted[owner]:
            del counted[owner]
