"""Serves one GraphQL operation as server-sent events: `next` for each answer, then `complete`.

Answers of `events` carry their cursor as the event's id, so that a browser's `EventSource`, which sends the last one when it
connects again, resumes by itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.credentials import BadCredentials
from api.live.closing import CREDENTIALS_ENDED, OF_ENDING, STOPPING, TOO_SLOW, Closing, Code
from api.live.door import Asking, Door
from api.live.open_streams import TooManyConnections
from api.responses import refusal
from escrow.access import Actor
from escrow.live.key_lifetimes import Ended, Ending
from schema.engine.budget import Budget, OverBudget
from schema.engine.context import Context, Live
from schema.engine.execution import NotAQuery, Operation
from schema.engine.streaming import Payload, Refused, Stream
from schema.engine.told import Answer
from schema.error_codes import coded

CONTENT_TYPE: Final = b"text/event-stream; charset=utf-8"

_COMPLETE: Final = b"event: complete\ndata: \n\n"
_COMMENT: Final = b":\n\n"

_CODES: Final[Mapping[Code, str]] = {
    Code.TOO_MANY: "TOO_SLOW",
    Code.UNAUTHORIZED: "UNAUTHENTICATED",
    Code.GOING_AWAY: "GOING_AWAY",
}

_log = logging.getLogger(__name__)


class EventStream:
    """One operation, answered as events: an ASGI application for one request whose body was read."""

    def __init__(
        self,
        door: Door,
        operation: Operation,
        actor: Actor | None,
        *,
        only_reading: bool,
        last_event_id: str | None,
        budget: Budget | None,
        asking: Asking,
    ) -> None:
        self._budget = budget
        self._asking = asking
        self._door = door
        self._operation = operation
        self._actor = actor
        self._only_reading = only_reading
        self._last_event_id = last_event_id or None
        self._stream: Stream | None = None
        self._closing: Closing | None = None
        self._leaving: Closing | None = None
        self._work: asyncio.Task[None] | None = None
        self._comment: asyncio.Task[None] | None = None
        self._is_open = False
        self._waits_since: float | None = None
        self._said_at = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asgi_send = send
        if self._door.connections.is_stopping:
            await _turned_away(STOPPING)(scope, receive, send)
            return
        self._work = work = asyncio.create_task(self._answer(scope, receive))
        gone = asyncio.create_task(_gone(receive))
        try:
            with self._door.connections.opened(self):
                await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            has_gone = gone.done()
        finally:
            tasks = [task for task in (work, gone, self._comment) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if has_gone:
            return
        if self._closing is not None and not self._is_open:
            await _turned_away(self._closing)(scope, receive, send)
        elif self._closing is not None:
            await self._end(self._closing)
        elif (error := work.exception()) is not None:
            raise error

    def finish(self, closing: Closing) -> None:
        """Close it likewise, unless it is no stream, or isn't yet: then it is answered, or ends where it begins."""
        self._leaving = closing
        if self._stream is not None:
            self.end(closing)

    def end(self, closing: Closing) -> None:
        """Close it as soon as possible, saying why; the first reason counts."""
        if self._closing is None and self._work is not None and not self._work.done():
            self._closing = closing
            self._work.cancel()

    def look(self, now: float) -> None:
        """Find out whether the other side reads, and let it know that we are there."""
        patience = self._door.connections.patience
        waits = self._waits_since is not None and now - self._waits_since > patience.send_seconds
        if waits or (self._stream is not None and self._stream.is_too_slow):
            self.end(TOO_SLOW)
        elif self._is_open and self._waits_since is None and now - self._said_at > patience.comment_seconds:
            self._comment = asyncio.create_task(self._say(_COMMENT))

    async def _answer(self, scope: Scope, receive: Receive) -> None:
        async with AsyncExitStack() as stack:
            try:
                live = await self._connect(stack)
                context = Context(
                    actor=self._actor,
                    sandbox=self._door.sandbox,
                    reach=self._door.reach,
                    live=live,
                    budget=self._budget,
                    still=self._asking.still,
                )
                started = await self._door.runner.start(self._operation, context, only_reading=self._only_reading)
                if isinstance(started, Stream):
                    stack.callback(started.close)
                    stack.enter_context(self._door.connections.following(context.account_id))
                    if self._leaving is not None:
                        self.end(self._leaving)
            except NotAQuery:
                said = "GET only runs queries and subscriptions; send mutations with POST."
                await refusal(said, status=405, headers={"allow": "POST"})(scope, receive, self._asgi_send)
                return
            except TooManyConnections as error:
                answer = refusal(str(error), code="RATE_LIMITED", status=429, headers={"retry-after": "5"})
                await answer(scope, receive, self._asgi_send)
                return
            except Ended as error:
                await _turned_away(OF_ENDING[error.ending])(scope, receive, self._asgi_send)
                return
            except (BadCredentials, OverBudget):
                await _turned_away(CREDENTIALS_ENDED)(scope, receive, self._asgi_send)
                return
            await self._open()
            if isinstance(started, Stream):
                await self._follow(started)
            else:
                await self._say_last(started)

    async def _connect(self, stack: AsyncExitStack) -> Live | None:
        actor = self._actor
        stack.enter_context(self._door.connections.counted(actor.credentials if actor is not None else None))
        if actor is None:
            return None
        viewer = await stack.enter_async_context(self._door.hub.connected(actor, self._on_end))
        return Live(self._door.hub, viewer, self._door.deliveries, self._last_event_id)

    def _on_end(self, ending: Ending) -> None:
        self.end(OF_ENDING[ending])

    async def _follow(self, stream: Stream) -> None:
        self._stream = stream
        try:
            while True:
                await self._say(_next(await stream.next()))
        except Ended as error:
            self._closing = self._closing or OF_ENDING[error.ending]
        except Refused as refused:
            await self._say_last(refused.answer)
        finally:
            self._stream = None
            stream.close()

    async def _open(self) -> None:
        headers = [
            (b"content-type", CONTENT_TYPE),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-accel-buffering", b"no"),
        ]
        await self._asgi_send({"type": "http.response.start", "status": 200, "headers": headers})
        self._is_open = True
        await self._say(_COMMENT)  # some clients count the stream as open with its first bytes

    async def _say(self, body: bytes, *, is_last: bool = False) -> None:
        if self._waits_since is None:
            self._waits_since = time.monotonic()
        try:
            await self._asgi_send({"type": "http.response.body", "body": body, "more_body": not is_last})
        finally:
            self._waits_since = None
            self._said_at = time.monotonic()

    async def _say_last(self, answer: Answer) -> None:
        await self._say(_next(Payload(answer.json(), None)) + _COMPLETE, is_last=True)

    async def _end(self, closing: Closing) -> None:
        """The last words: an answer that is nothing but an error with the code, and `complete`."""
        extensions = coded(_CODES.get(closing.code, "INTERNAL"), closeCode=int(closing.code))
        body = {"errors": [{"message": closing.reason, "extensions": extensions}]}
        try:
            async with asyncio.timeout(self._door.connections.patience.close_seconds):
                await self._say(_next(Payload(orjson.dumps(body), None)) + _COMPLETE, is_last=True)
        except (OSError, TimeoutError):
            return  # gone, or it never read again: the connection is let go


def _turned_away(closing: Closing) -> Response:
    """The answer to whoever gets no stream."""
    if closing.code is Code.UNAUTHORIZED:
        challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
        return refusal(closing.reason, code="UNAUTHENTICATED", status=401, headers=challenge)
    code = _CODES.get(closing.code, "INTERNAL")
    return refusal(closing.reason, code=code, status=503, headers={"retry-after": "1", "connection": "close"})


def _next(payload: Payload) -> bytes:
    named = f"id: {payload.cursor}\n".encode() if payload.cursor is not None else b""
    return b"event: next\n%bdata: %b\n\n" % (named, payload.json)


async def _gone(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
