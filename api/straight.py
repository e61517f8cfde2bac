"""The short way of a program that asks GraphQL by `POST`: past the router and all that stands around pages.

What those would do for such a request is done here at once: its trace, its figures, and the headers of its answer. Web pages
(they send an `Origin`), event streams and whatever isn't `POST` go the long way, by `CrossOrigin` and `Tracing`.
"""

from __future__ import annotations

import time
from typing import Final, cast

from starlette.types import Receive, Scope, Send

from api import tracing
from api.arrivals import Arrival, Gone, first_headers
from api.graphql_over_http import GraphQLEndpoint
from api.responses import Json
from escrow import spans, traces
from escrow.spans import Kind

PLACE: Final = "graphql"

_VARY: Final = (b"vary", b"Origin")
"""A page of another origin would have been answered with more headers."""


class Straight:
    """Answers programs at `path`."""

    def __init__(self, endpoint: GraphQLEndpoint, *, path: str) -> None:
        self._endpoint = endpoint
        self._path = path

    def takes(self, scope: Scope) -> bool:
        """Whether this request goes the short way."""
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            return False
        headers = first_headers(scope)
        return b"origin" not in headers and headers.get(b"accept", b"").lower().find(b"event-stream") < 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        before = traces.enter(tracing.begun(scope))
        try:
            await self._traced(scope, receive, send)
        finally:
            traces.leave(before)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, began = 0, time.perf_counter()
        with spans.span("POST /graphql", Kind.SERVER, http_request_method="POST") as span:
            try:
                answer = await self._answer(Arrival(scope, receive), span)
                status = answer.status_code
                tracing.SECONDS.observe(time.perf_counter() - began, PLACE)
                await answer.say(scope, send, (*tracing.names(scope), _VARY))
            except Gone:
                return  # there is nobody to answer
            finally:
                span.say(http_response_status_code=status)
                tracing.REQUESTS.add(PLACE, str(status))

    async def _answer(self, request: Arrival, span: spans.Span) -> Json:
        try:
            return cast("Json", await self._endpoint.answer(request))
        except Gone:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told that it is ours
            return tracing.failed(error, span)
