"""Gives each request a trace id, in its answer's headers and in its log lines, and answers errors that nobody foresaw."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.arrivals import first_headers
from api.responses import masked
from escrow import process_log

_TRACEPARENT: Final = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

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
        trace, request = _found(first_headers(scope))
        scope["names"] = said = [(b"x-trace-id", trace.encode()), (b"x-request-id", request.encode())]
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *said]
            await send(message)

        before = process_log.enter_trace(trace)
        try:
            await self._app(scope, receive, named if kind == "http" else send)
        except Exception:
            _log.exception("request failed")
            if started or kind != "http":
                raise
            await masked(trace)(scope, receive, named)
        finally:
            process_log.leave_trace(before)


def names(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The headers by which an answer says what its request is called."""
    found: list[tuple[bytes, bytes]] = scope.get("names", [])
    return found


def _found(headers: Mapping[bytes, bytes]) -> tuple[str, str]:
    """The trace and the request, as the client calls them or by a name of our own."""
    parent = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
    trace = parent.group(1).decode() if parent else process_log.new_trace()
    given = headers.get(b"x-request-id", b"")
    return trace, given.decode() if _REQUEST_ID.fullmatch(given) else trace
