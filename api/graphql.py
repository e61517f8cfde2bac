"""`/graphql`: GraphQL over HTTP to the letter. Media types and status codes are decided here, the rest in `schema.execution`."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.answers import json_answer, refusal
from api.authentication import Authentication, BadCredentials
from api.negotiation import GRAPHQL, JSON, choose
from api.requests import BadRequest, read_operation
from api.tracing import trace_id
from escrow.settings import Reach
from schema.context import Context
from schema.execution import NotAQuery, Runner


class GraphQLEndpoint:
    """Answers operations over `POST`, and queries over `GET`."""

    def __init__(self, runner: Runner, authentication: Authentication, *, sandbox: bool = False) -> None:
        self._runner = runner
        self._authentication = authentication
        self.sandbox = sandbox
        self.reach = Reach.PUBLIC

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return  # gone before it had said what it wanted: there is nobody to answer
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        media_type = choose(request.headers.get("accept"))
        if media_type is None:
            return refusal(f"Answers come as {GRAPHQL} or {JSON}; the accept header allows neither.", status=406)
        try:
            operation = await read_operation(request)
            actor = await self._authentication.actor(request.headers.get("authorization"))
            context = Context(actor=actor, sandbox=self.sandbox, reach=self.reach)
            answer = await self._runner.run(
                operation, context, trace_id=trace_id(), only_queries=request.method == "GET"
            )
        except BadRequest as error:
            return refusal(error.message, status=error.status, media_type=media_type, headers=error.headers)
        except BadCredentials as error:
            challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
            return refusal(str(error), code="UNAUTHENTICATED", status=401, media_type=media_type, headers=challenge)
        except NotAQuery:
            return refusal(
                "GET only runs queries; send mutations with POST.",
                status=405,
                media_type=media_type,
                headers={"allow": "POST"},
            )
        status = 400 if media_type == GRAPHQL and not answer.ran else 200
        return json_answer(answer.body, status=status, media_type=media_type)
