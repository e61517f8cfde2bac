"""Followers go on after whatever ends a stream, and keep what no blow explains for the judge."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from escrow.access import Actor
from tests.patience import PATIENCE_SECONDS
from tests.soak.deployment.asking import Api, Person
from tests.soak.deployment.following import Follower

Word = Callable[[web.Request], Awaitable[web.StreamResponse]]
DATA = {"data": {"events": {"cursor": "cur_1", "stream": "con_1", "sequence": 1}}}


def errors(code: str) -> list[dict[str, Any]]:
    return [{"message": "It ends.", "extensions": {"code": code}}]


def answered(code: str) -> Word:
    """An event, then an answer that is nothing but an error; over a socket the operation fails."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            said = (json.dumps(one) for one in (DATA, {"errors": errors(code)}))
            lines = "".join(f"event: next\ndata: {one}\n\n" for one in said)
            return web.Response(text=lines, content_type="text/event-stream")
        socket = web.WebSocketResponse(protocols=["graphql-transport-ws"])
        await socket.prepare(request)
        await socket.send_json({"id": "1", "type": "next", "payload": DATA})
        await socket.send_json({"id": "1", "type": "error", "payload": errors(code)})
        await socket.receive()
        return socket

    return answer


def closed(code: int) -> Word:
    """A socket that is closed with a code."""

    async def close(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["graphql-transport-ws"])
        await socket.prepare(request)
        await socket.close(code=code, message=b"It ends.")
        return socket

    return close


def refused(status: int) -> Word:
    """A status."""

    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="It begins not.")

    return refuse


@asynccontextmanager
async def followed(word: Word, *, by_socket: bool) -> AsyncIterator[Follower]:
    """Somebody who follows what is answered by this word, and was told it once at least."""
    application = web.Application()
    application.router.add_route("*", "/graphql", word)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        api = Api(session, f"http://127.0.0.1:{runner.addresses[0][1]}", random.Random(1))
        follower = Follower(api, Person(cast("Actor", None), "ek_1"), by_socket, random.Random(1))
        following = asyncio.create_task(follower.follow())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (api.counts["streams broken"] or follower.refused or following.done()):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            yield follower
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            await runner.cleanup()


EXPLAINED = [
    ("GOING_AWAY", answered("GOING_AWAY"), False),
    ("INTERNAL", answered("INTERNAL"), True),
    ("TOO_SLOW", closed(4429), True),
    ("the server stops", closed(1001), True),
    ("nobody behind the proxy", refused(503), False),
    ("nobody behind the proxy of sockets", refused(502), True),
]
UNEXPLAINED = [
    ("DOCUMENT_NOT_FOUND", answered("DOCUMENT_NOT_FOUND"), True),
    ("LOG_CUT", answered("LOG_CUT"), False),
    ("the key was revoked", closed(4401), True),
    ("no such key", refused(401), False),
    ("a foreign page", refused(403), True),
]


@pytest.mark.parametrize(("word", "by_socket"), [one[1:] for one in EXPLAINED], ids=[one[0] for one in EXPLAINED])
async def test_a_word_that_a_blow_explains_breaks_the_stream(word: Word, by_socket: bool) -> None:
    async with followed(word, by_socket=by_socket) as follower:
        assert follower.api.counts["streams broken"] > 0
        assert follower.refused == Counter()


@pytest.mark.parametrize(("word", "by_socket"), [one[1:] for one in UNEXPLAINED], ids=[one[0] for one in UNEXPLAINED])
async def test_another_word_is_kept_for_the_judge(word: Word, by_socket: bool) -> None:
    async with followed(word, by_socket=by_socket) as follower:
        assert follower.refused.total() > 0
        assert follower.api.counts["streams broken"] == 0
