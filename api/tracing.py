"""Gives each request a trace id, in its answer's headers and in its log lines, counts it, and answers unforeseen errors."""

from __future__ import annotations

import logging
import re
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.arrivals import first_headers
from api.responses import Json, masked
from escrow import meters, spans, traces
from escrow.spans import Kind
from escrow.traces import Trace

_TRACEPARENT: Final = traces.TRACEPARENT.encode()

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

PLACES: Final = frozenset(
    {"graphql", "docs", "console", "calendar", "providers", "couplings", "metrics", "healthz", "readyz", ".well-known"}
)
"""The beginnings of paths that requests are counted by; the others are counted together."""

REQUESTS: Final = meters.Counter(
    "earnest_requests", "HTTP requests by where they went and the answer's status", "place", "status"
)
SECONDS: Final = meters.Histogram(
    "earnest_request_seconds", "How long HTTP requests took until their answer began, by where they went", "place"
)

_log = logging.getLogger(__name__)


class Tracing:
    """Names each request, says the name in `x-trace-id` and `x-request-id`, and answers 500 if the app fails.

    A WebSocket says it when it accepts, by `names`: afterwards nothing stands between it and its messages.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        before = traces.enter(begun(scope))
        try:
            if kind == "http":
                await self._http(scope, receive, send)
            else:  # its operations are marked one by one: it may last for hours
                await self._websocket(scope, receive, send)
        finally:
            traces.leave(before)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            _log.exception("request failed")
            raise

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, place, began = 0, _place(scope["path"]), time.perf_counter()

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *scope["names"]]
                SECONDS.observe(time.perf_counter() - began, place)
            await send(message)

        with spans.span(f"{scope['method']} /{place}", Kind.SERVER, http_request_method=scope["method"]) as span:
            try:
                await self._app(scope, receive, named)
            except Exception as error:
                answer = failed(error, span)
                if status:
                    raise
                await answer(scope, receive, named)
            finally:
                span.say(http_response_status_code=status)
                REQUESTS.add(place, str(status))


def begun(scope: Scope) -> Trace:
    """The trace of a request, whose answer will say what it is called by `names`."""
    trace, request = _found(scope)
    scope["names"] = [(b"x-trace-id", trace.id.encode()), (b"x-request-id", request)]
    return trace


def failed(error: Exception, span: spans.Span) -> Json:
    """What a request is answered that came to an unforeseen error; the log has the error."""
    _log.exception("request failed", exc_info=error)
    span.failed(type(error).__name__)
    return masked(traces.trace_id())


def names(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The headers by which an answer says what its request is called."""
    found: list[tuple[bytes, bytes]] = scope.get("names", [])
    return found


def _found(scope: Scope) -> tuple[Trace, bytes]:
    """The trace, and the name of the request: as the client calls them, or by names of our own."""
    headers = first_headers(scope)
    given = headers.get(b"x-request-id")
    said = given.decode() if given is not None and _REQUEST_ID.fullmatch(given) else None
    parent = headers.get(_TRACEPARENT)
    trace = traces.given(parent.decode("latin-1"), _state(scope)) if parent else None
    trace = trace._replace(request_id=said) if trace is not None else traces.new(said)
    return trace, (said or trace.id).encode()


def _state(scope: Scope) -> str:
    """A `tracestate` may come in several headers."""
    name = traces.TRACESTATE.encode()
    return b",".join(value for one, value in scope["headers"] if one == name).decode("latin-1")


def _place(path: str) -> str:
    first = path[1:].partition("/")[0]
    return first if first in PLACES else "other"
