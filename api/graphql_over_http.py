"""Serves `/graphql` by the GraphQL over HTTP specification: media types and status codes here, execution in `schema.engine`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.arrivals import Arrival, Gone
from api.credentials import BadCredentials
from api.live.door import Door
from api.live.event_stream import EventStream
from api.negotiation import EVENT_STREAM, GRAPHQL, JSON, choose
from api.requests import BadRequest, read_operation
from api.responses import Json, refusal
from escrow.access import Actor
from schema.engine.context import Context
from schema.engine.execution import NotAQuery, Operation

_choose: Final = lru_cache(maxsize=64)(choose)
"""Most clients send the same header each time."""


class GraphQLEndpoint:
    """Answers operations over `POST`, and queries over `GET`; as an event stream for whoever asks for one."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(Arrival(scope, receive))
        except Gone:
            return  # there is nobody to answer
        await answer(scope, receive, send)

    async def _answer(self, request: Arrival) -> ASGIApp:
        accepted = _choose(request.header(b"accept"))
        if accepted is None:
            said = f"Answers come as {GRAPHQL}, {JSON} or {EVENT_STREAM}; the accept header allows none of them."
            return refusal(said, status=406)
        try:
            operation = await read_operation(request)
            authorization = request.header(b"authorization")
            actor = await self._door.authentication.actor(authorization)
            media_type = accepted.media_type(goes_on=accepted.streams and self._door.runner.goes_on(operation))
            if media_type == EVENT_STREAM:
                actor = await self._door.authentication.actor(authorization, fresh=True)
                return self._event_stream(request, operation, actor)
            context = Context(actor=actor, sandbox=self._door.sandbox, reach=self._door.reach)
            answer = await self._door.runner.run(operation, context, only_queries=request.method == "GET")
        except BadRequest as error:
            return refusal(error.message, status=error.status, media_type=accepted.refusals, headers=error.headers)
        except BadCredentials as error:
            challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
            return refusal(
                str(error), code="UNAUTHENTICATED", status=401, media_type=accepted.refusals, headers=challenge
            )
        except NotAQuery:
            return refusal(
                "GET only runs queries; send mutations with POST.",
                status=405,
                media_type=accepted.refusals,
                headers={"allow": "POST"},
            )
        status = 400 if media_type == GRAPHQL and not answer.ran else 200
        return Json(answer.json(), status=status, media_type=media_type)

    def _event_stream(self, request: Arrival, operation: Operation, actor: Actor | None) -> EventStream:
        return EventStream(
            self._door,
            operation,
            actor,
            only_reading=request.method == "GET",
            last_event_id=request.header(b"last-event-id"),
        )
