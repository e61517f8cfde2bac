"""A server of tomorrow, on a bad day: unknown types, states, codes and fields; busy, away, restarted, at last without the key."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.patience import RESTS_SECONDS

CONTRACT: Final = {
    "id": "ctr_1", "state": "PAUSED_FOR_LUNCH", "title": "Of tomorrow", "description": "", "currency": "USD",
    "timeZone": "UTC", "depositTerm": "FIRST", "clientId": "acc_1", "freelancerId": "acc_2", "revision": 1, "turn": "MEDIATOR",
    "planVersion": 1, "version": 2, "createdAt": "2126-01-01T00:00:00.000000Z", "updatedAt": "2126-01-01T00:00:00.000000Z",
    "colour": "blue",
}  # fmt: skip


def event(sequence: int) -> dict[str, Any]:
    return {
        "id": f"evt_{sequence}", "cursor": f"cur_{sequence:013}", "type": "contract.painted", "schemaVersion": 9,
        "occurredAt": "2126-01-01T00:00:00.000000Z", "stream": "ctr_1", "sequence": sequence, "hash": "0" * 64,
        "previousHash": None, "body": "{}", "actor": {"kind": "ROBOT", "accountId": None, "memberId": None, "keyId": None},
        "texts": [], "__typename": "ContractPainted", "colour": "blue",
    }  # fmt: skip


REFUSAL: Final = {
    "code": "OUT_OF_PAINT", "message": "There is no blue.", "field": None, "details": {"litres": 0}, "documentation": "/docs",
    "colour": "blue",
}  # fmt: skip
NO_MORE: Final = {"hasNextPage": False, "endCursor": None}
ANSWERS: Final[dict[str, Any]] = {
    "Latest": {"changes": {"cursor": "cur_0000000000001"}},
    "Contracts": {"contracts": {"nodes": [CONTRACT], "pageInfo": NO_MORE}},
    "Milestones": {"milestones": {"nodes": [], "pageInfo": NO_MORE}},
    "Changes": {
        "changes": {
            "nodes": [{"cursor": "cur_0000000000002", "event": event(2), "contract": CONTRACT, "milestones": []}],
            "cursor": "cur_0000000000002",
            "hasMore": False,
        }
    },
    "ProposeContract": {"proposeContract": {"contract": None, "userErrors": [REFUSAL]}},
}

VOID: Final = "cur_0000000000666"
"""A cursor of events that were cut off when the log was restored."""
CUT: Final = {
    "message": "It stands for nothing any more.",
    "extensions": {"code": "LOG_CUT", "keptCursor": "cur_0000000000001"},
}
UPDATING: Final = {"message": "Nothing was done; repeat it.", "extensions": {"code": "UPDATING"}}
INTERNAL: Final = {"message": "Something went wrong inside.", "extensions": {"code": "INTERNAL"}}
APPOINTED: Final[dict[str, Any]] = {
    "cursor": "cur_0000000000002",
    "event": event(2) | {"type": "account.mediator_appointed", "__typename": "MediatorAppointed"},
    "contract": None,
    "milestones": [],
}
BUSY: Final = {"errors": [{"message": "Later.", "extensions": {"code": "RATE_LIMITED"}}]}


class StandIn:
    """What it was asked: how often each operation, by which keys, and from where streams were to go on."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.afters: list[str | None] = []
        self.opened: list[float] = []
        """When streams were asked for that go on from a cursor of the log, by the monotonic clock; the first is refused."""
        self.times: list[float] = []
        """When requests came, by the same clock."""

    async def answer(self, request: Request) -> Response:
        """Busy the first time, away the second; a mutation without a key is met by nobody."""
        body = await request.json()
        name = re.findall(r"(?:query|mutation) (\w+)", body["query"])[0]
        self.asked[name] += 1
        if name == "Bare" or self.asked[name] == 2:
            return PlainTextResponse("away", status_code=503)
        if self.asked[name] == 1:
            return JSONResponse(BUSY, status_code=429, headers={"retry-after": "1"})
        if body["variables"].get("after") == VOID:
            return JSONResponse({"data": None, "errors": [CUT]})
        self.keys |= {key for key in [body["variables"].get("key")] if key}
        return JSONResponse({"data": ANSWERS[name], "extensions": {"colour": "blue"}})

    async def stream(self, socket: WebSocket) -> None:
        """Busy the first time; an event and a restart; another one, a message that nobody knows, and the end of the key."""
        await socket.accept(subprotocol="graphql-transport-ws")
        await socket.receive_json()
        await socket.send_json({"type": "connection_ack", "payload": {"colour": "blue"}})
        asked = await socket.receive_json()
        if asked["payload"]["variables"]["after"] == VOID:
            await socket.send_json({"type": "error", "id": asked["id"], "payload": [CUT]})
            await socket.close()
            return
        self.opened.append(time.monotonic())
        if len(self.opened) == 1:
            await socket.send_json({"type": "error", "id": asked["id"], "payload": BUSY["errors"]})
            await socket.close()
            return
        self.afters.append(asked["payload"]["variables"]["after"])
        long = {"texts": [{"field": "words", "value": "ж" * 600_000, "salt": None, "erasedAt": None}]}
        told = {"data": {"events": event(1 + len(self.afters)) | long}, "extensions": {"colour": "blue"}}
        await socket.send_json({"type": "next", "id": asked["id"], "payload": told})
        await socket.send_json({"type": "ping"})
        await asyncio.wait_for(socket.receive_json(), 30)
        await socket.close(1001 if len(self.afters) == 1 else 4401, "It is late.")


class Updated(StandIn):
    """One that is being updated, and fails in the middle of a mirror's look at everything."""

    async def answer(self, request: Request) -> Response:
        """Who repeats what was met by a process of the former release is answered; the mediator was appointed before `cur_2`."""
        body = await request.json()
        name = re.findall(r"(?:query|mutation) (\w+)", body["query"])[0]
        self.asked[name] += 1
        self.times.append(time.monotonic())
        match name, self.asked[name]:
            case ("Repaint" | "Bare" | "Viewer", 1) | ("Latest", 3):
                return JSONResponse({"data": None, "errors": [UPDATING]})
            case "Contracts", 1:
                return JSONResponse({"data": None, "errors": [INTERNAL]})
            case "Latest", 4:
                return PlainTextResponse("a proxy's fault", status_code=500)
            case "Latest", _:
                return JSONResponse({"data": {"changes": {"cursor": APPOINTED["cursor"]}}})
            case "Changes", _:
                nodes = [APPOINTED] if body["variables"]["after"] < APPOINTED["cursor"] else []
                return JSONResponse(
                    {"data": {"changes": {"nodes": nodes, "cursor": APPOINTED["cursor"], "hasMore": False}}}
                )
        return JSONResponse({"data": ANSWERS.get(name, {"repaint": {"userErrors": []}})})

    async def stream(self, socket: WebSocket) -> None:
        """Nothing is told."""
        await socket.accept(subprotocol="graphql-transport-ws")
        await socket.receive_json()
        await socket.send_json({"type": "connection_ack"})
        with suppress(WebSocketDisconnect):
            while True:
                await socket.receive_json()


@contextmanager
def stand_in(kind: type[StandIn] = StandIn, *, certificate: Path | None = None) -> Iterator[StandIn]:
    """One that serves; with a certificate and its key, in one file, over TLS."""
    one = kind()
    routes = [Route("/graphql", one.answer, methods=["POST"]), WebSocketRoute("/graphql", one.stream)]
    config = uvicorn.Config(
        Starlette(routes=routes),
        port=0,
        log_level="critical",
        lifespan="off",
        timeout_keep_alive=RESTS_SECONDS,
        ssl_certfile=certificate,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    one.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield one
    server.should_exit = True
    thread.join()
