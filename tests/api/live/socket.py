"""A client of `graphql-transport-ws` that says exactly what a test wants said."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.api.live.serving import Served
from tests.patience import PATIENCE_SECONDS

PROTOCOL = Subprotocol("graphql-transport-ws")


@dataclass(slots=True, eq=False)
class Socket:
    """One connection."""

    connection: ClientConnection
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """The next message; pings of the server are answered on the way."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                text = await self.connection.recv()
                assert isinstance(text, str)
                message: dict[str, Any] = json.loads(text)
                if message["type"] != "ping":
                    return message
                await self.say(type="pong")

    async def silent(self, seconds: float = 0.3) -> None:
        """Nothing but pings may come for so long, and they are answered."""
        try:
            async with asyncio.timeout(seconds):
                message = await self.hear()
        except TimeoutError:
            return
        raise AssertionError(f"it said {message!r}")

    async def init(self, token: str | None) -> None:
        payload = {"authorization": f"Bearer {token}"} if token is not None else None
        await self.say(type="connection_init", **({"payload": payload} if payload else {}))
        assert await self.hear() == {"type": "connection_ack"}

    async def subscribe(self, query: str, variables: dict[str, Any] | None = None) -> str:
        operation_id = str(next(self._numbers))
        await self.say(id=operation_id, type="subscribe", payload={"query": query, "variables": variables or {}})
        return operation_id

    async def data(self) -> dict[str, Any]:
        """The data of the next answer, which must have no errors."""
        message = await self.hear()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        data: dict[str, Any] = message["payload"]["data"]
        return data

    async def event(self) -> dict[str, Any]:
        event: dict[str, Any] = (await self.data())["events"]
        return event

    async def all_until_closed(self) -> tuple[list[str], tuple[int, str]]:
        """What comes until the server closes, and the code and reason with which it does."""
        said: list[str] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                while True:
                    said.append(str(await self.connection.recv()))
            except ConnectionClosed as closed:
                if closed.rcvd is None:
                    raise
                return said, (closed.rcvd.code, closed.rcvd.reason)

    async def closed(self) -> tuple[int, str]:
        """The code and the reason with which the server closes; whatever comes before is skipped."""
        return (await self.all_until_closed())[1]


@asynccontextmanager
async def connected(
    served: Served, *, token: str | None = None, init: bool = True, **options: Any
) -> AsyncIterator[Socket]:
    """A connection, acknowledged unless `init` is false."""
    await served.begun()
    options.setdefault("subprotocols", [PROTOCOL])
    options.setdefault("open_timeout", PATIENCE_SECONDS)
    async with connect(served.socket_url, compression=None, ping_interval=None, **options) as connection:
        socket = Socket(connection)
        if init:
            await socket.init(token)
        yield socket
