"""Serves `/graphql` by the GraphQL over HTTP specification: media types and status codes here, execution in `schema.engine`."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.credentials import BadCredentials
from api.live.door import Door
from api.live.event_stream import EventStream
from api.negotiation import EVENT_STREAM, GRAPHQL, JSON, choose
from api.requests import BadRequest, read_operation
from api.responses import json_answer, refusal
from escrow.access import Actor
from schema.engine.context import Context
from schema.engine.execution import NotAQuery, Operation


class GraphQLEndpoint:
    """Answers operations over `POST`, and queries over `GET`; as an event stream for whoever asks for one."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return  # gone before it had said what it wanted: there is nobody to answer
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> ASGIApp:
        accepted = choose(request.headers.get("accept"))
        if accepted is None:
            said = f"Answers come as {GRAPHQL}, {JSON} or {EVENT_STREAM}; the accept header allows none of them."
            return refusal(said, status=406)
        try:
            operation = await read_operation(request)
            actor = await self._door.authentication.actor(request.headers.get("authorization"))
            media_type = accepted.media_type(goes_on=accepted.streams and self._door.runner.goes_on(operation))
            if media_type == EVENT_STREAM:
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
        return json_answer(answer.body, status=status, media_type=media_type)

    def _event_stream(self, request: Request, operation: Operation, actor: Actor | None) -> EventStream:
        return EventStream(
            self._door,
            operation,
            actor,
            only_reading=request.method == "GET",
            last_event_id=request.headers.get("last-event-id"),
        )
