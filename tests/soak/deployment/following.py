"""Those who follow the log: streams by WebSocket and by server-sent events that come back with their cursor, and a mirror that
reads the sync feed.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from escrow import cursors
from tests.soak.deployment.asking import Api, Person

EVENTS: Final = "subscription ($after: Cursor) { events(after: $after) { cursor stream sequence } }"
CHANGES: Final = """query ($after: Cursor) { changes(after: $after, first: 100) {
    nodes { cursor event { id } contract { id state version } milestones { id state } } cursor hasMore
} }"""
BEGINNING: Final = cursors.print_cursor(cursors.BEGINNING)
SILENCE_SECONDS_MAX: Final = 40.0
"""After so long without a word a stream is dead: the server says something every twenty seconds at the latest."""
CLOSE_SECONDS: Final = 0.2
MIRRORED_EVERY_SECONDS: Final = 2.0
WAY_OUT: Final = (aiohttp.ClientError, WebSocketException, OSError, TimeoutError, EOFError)
"""How a stream may end at any moment, unless it was told why by a word that no blow explains."""

EXPLAINED: Final = frozenset({"GOING_AWAY", 1001, "INTERNAL", 1011, "TOO_SLOW", 4429, 4408, "RATE_LIMITED", 429})
"""With which codes processes that die, stand still, have lost their database or too much to do end streams, or refuse them; HTTP
has all from 500 on beside. Of a fault inside there is a line in the log of its process, which has to be explained there."""


class Told(EOFError):
    """A stream was ended, or refused, by a word."""

    def __init__(self, code: object, said: object) -> None:
        super().__init__(str(said))
        self.code = code

    @classmethod
    def by(cls, errors: Sequence[dict[str, Any]]) -> Told:
        """By GraphQL's errors; what no blow explains counts before what one does."""
        codes = [one.get("extensions", {}).get("code") for one in errors]
        return cls(next((code for code in codes if not _is_explained(code)), codes[0]), errors)


Heard = tuple[str, str, int]
"""Cursor, stream and sequence of an event."""


@dataclass(slots=True)
class Follower:
    """Somebody who wants to hear every event once and in order, and also leaves by themselves now and then."""

    api: Api
    person: Person
    by_socket: bool
    chance: random.Random
    heard: list[Heard] = field(default_factory=list)
    visits: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """What it was told that no blow explains, by the words."""

    async def follow(self) -> None:
        """For ever."""
        while True:
            self.visits += 1
            leaves_after = self.chance.choice((5, 50, 500, 10_000))
            try:
                async with aclosing(self._by_socket() if self.by_socket else self._by_events()) as events:
                    async for event in events:
                        self.heard.append((event["cursor"], event["stream"], event["sequence"]))
                        leaves_after -= 1
                        if leaves_after <= 0:
                            break
            except WAY_OUT as error:
                if _is_explained(_code(error)):
                    self.api.counts["streams broken"] += 1
                else:
                    self.refused[str(error)] += 1
            await asyncio.sleep(self.chance.uniform(0, 0.3))

    @property
    def _variables(self) -> dict[str, str]:
        return {"after": self.heard[-1][0] if self.heard else BEGINNING}

    async def _by_socket(self) -> AsyncGenerator[dict[str, Any], None]:
        url = self.api.url.replace("http://", "ws://") + "/graphql"
        protocol = Subprotocol("graphql-transport-ws")
        async with connect(
            url, subprotocols=[protocol], compression=None, ping_interval=None, close_timeout=CLOSE_SECONDS
        ) as socket:

            async def hear() -> dict[str, Any]:
                async with asyncio.timeout(SILENCE_SECONDS_MAX):
                    message: dict[str, Any] = json.loads(await socket.recv())
                    return message

            await socket.send(
                json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {self.person.token}"}})
            )
            payload = {"query": EVENTS, "variables": self._variables}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            while True:
                match await hear():
                    case {"type": "ping"}:
                        await socket.send('{"type":"pong"}')
                    case {"payload": [*errors]} | {"payload": {"errors": [*errors]}}:
                        raise Told.by(errors)
                    case {"type": "next", "payload": {"data": {"events": event}}}:
                        yield event
                    case {"type": "connection_ack"}:
                        pass
                    case other:
                        raise Told("no word of the protocol", other)

    async def _by_events(self) -> AsyncGenerator[dict[str, Any], None]:
        headers = {"authorization": f"Bearer {self.person.token}", "accept": "text/event-stream"}
        body = {"query": EVENTS, "variables": self._variables}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_SECONDS_MAX)
        url = f"{self.api.url}/graphql"
        async with self.api.session.post(url, json=body, headers=headers, timeout=timeout) as answer:
            if answer.status != 200:
                raise Told(answer.status, f"{answer.status} {await answer.text()}")
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    said = json.loads(line.removeprefix(b"data: "))
                    if "errors" in said:
                        raise Told.by(said["errors"])
                    yield said["data"]["events"]


def _code(error: BaseException) -> object:
    """The code with which a stream was ended, or refused; `None` if it just broke."""
    match error:
        case Told():
            return error.code
        case ConnectionClosed() if error.rcvd is not None:
            return error.rcvd.code
        case InvalidStatus():
            return error.response.status_code
    return None


def _is_explained(code: object) -> bool:
    """Whether a blow explains that a stream ended so, or just broke."""
    return code is None or code in EXPLAINED or (isinstance(code, int) and 500 <= code < 600)


@dataclass(slots=True)
class Mirror:
    """A copy of contracts and milestones that is kept by the sync feed alone."""

    api: Api
    person: Person
    cursor: str = BEGINNING
    events: list[str] = field(default_factory=list)
    contracts: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By id: state and version."""
    milestones: dict[str, str] = field(default_factory=dict)
    """By id: the state."""

    async def follow(self) -> None:
        """For ever."""
        while True:
            await self.catch_up()
            await asyncio.sleep(MIRRORED_EVERY_SECONDS)

    async def catch_up(self) -> None:
        """Take what the feed has by now."""
        more = True
        while more:
            data, _ = await self.api.ask(self.person, CHANGES, {"after": self.cursor})
            page = data["changes"]
            for node in page["nodes"]:
                self.events.append(node["event"]["id"])
                if node["contract"] is not None:
                    self.contracts[node["contract"]["id"]] = (node["contract"]["state"], node["contract"]["version"])
                self.milestones |= {one["id"]: one["state"] for one in node["milestones"]}
            self.cursor, more = page["cursor"], page["hasMore"]
