"""The application under uvicorn on loopback in this process, so that statements and buffers can be counted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.live.door import Door
from api.live.open_streams import Connections, Patience
from earnest.run.serving import Server
from escrow import bell, database, log
from escrow.bell import Topic
from escrow.live.hub import Hub
from escrow.settings import PaymentProvider, Settings
from tests.api.client import People
from tests.patience import PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Served:
    """Where it is served, the inside of it, and everybody with a key."""

    port: int
    door: Door
    people: People
    server: Server
    is_sequenced: bool
    """Whether a sequencer runs beside it."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"

    async def readers(self, count: int) -> None:
        """Wait until so many readers are live."""
        await until(lambda: self.door.hub.readers == count)

    async def begun(self) -> None:
        """Wait until what happened so far is in the log, so that a stream which begins now doesn't hear of it."""
        if self.is_sequenced:
            await settled()

    def slowed(self, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
        """Has each operation wait where it would begin; gives what tells that one was asked, and what lets them go on."""
        asked, goes_on, start = asyncio.Event(), asyncio.Event(), self.door.runner.start

        async def slowly(*given: Any, **named: Any) -> Any:
            asked.set()
            await goes_on.wait()
            return await start(*given, **named)

        monkeypatch.setattr(self.door.runner, "start", slowly)
        return asked, goes_on

    async def looked(self) -> None:
        """Wait until the hub has looked at the keys for the first time, as it does when it begins to follow the log."""
        await until(lambda: self.door.hub._look_at_keys_at)

    async def nobody(self) -> None:
        """Wait until every connection has ended."""
        await until(lambda: not self.door.hub.readers and not len(self.door.connections))


async def until(check: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not check():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.005)


async def settled() -> int:
    """Wait until every event has its position; the last one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while await log.waiting():
        assert time.monotonic() < deadline, "the sequencer does nothing"
        await asyncio.sleep(0.01)
    return await log.last_position()


@asynccontextmanager
async def serve(
    redis_url: str | None,
    *,
    patience: Patience | None = None,
    hub: Hub | None = None,
    sequencing: bool = True,
    kernel_bytes: int | None = None,
) -> AsyncIterator[Served]:
    """Serve on a free port, on the database that the test has; without a Redis if there is no URL.

    `kernel_bytes` bounds what the kernel takes of an answer that nobody reads.
    """
    app = create_app(
        Settings(
            database_url="",  # its lifespan never starts, so it never connects: the test has
            redis_url="",
            secret_keys=(bytes(32),),
            payment_provider=PaymentProvider.SANDBOX,
        )
    )
    door: Door = app.state.door
    door.connections = Connections(patience or Patience())
    door.hub = hub or Hub()
    server = Server(app, host="127.0.0.1", port=0, lifespan=False)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    bound = server.bind()
    if kernel_bytes is not None:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel_bytes)
    if redis_url is not None:
        await bell.connect(redis_url)
    await database.fetch("SELECT 1")  # the pool is made with the first statement
    tasks = [asyncio.create_task(_serve(server, bound))]
    if sequencing:
        tasks.append(asyncio.create_task(_sequence()))
    try:
        await until(lambda: server.started)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{bound.getsockname()[1]}", timeout=PATIENCE_SECONDS
        ) as http:
            yield Served(bound.getsockname()[1], door, await People.meet(http), server, sequencing)
    finally:
        server.should_exit = True
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await door.connections.stop()
        await bell.disconnect()


async def _sequence() -> None:
    """A sequencer that delivers nothing to anybody."""
    with bell.listen(Topic.PENDING) as wakeups:
        while True:
            if await log.sequence():
                await bell.ring(Topic.POSITIONED)
            await wakeups.wait(0.25)


async def _serve(server: Server, bound: Any) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await server._serve([bound])
