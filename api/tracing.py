"""Gives each request a trace id, in its answer's headers and in its log lines, and answers errors that nobody foresaw."""

from __future__ import annotations

import logging
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from api.responses import masked
from escrow import process_log

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")

_log = logging.getLogger(__name__)


class Tracing:
    """Names each request, says the name in `x-trace-id` and `x-request-id`, and answers 500 if the app fails."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        parent = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        trace = parent.group(1) if parent else process_log.new_trace()
        given = headers.get("x-request-id", "")
        request = given if _REQUEST_ID.fullmatch(given) else trace
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.accept"):
                started = True
                answer = MutableHeaders(scope=message)
                answer["x-trace-id"] = trace
                answer["x-request-id"] = request
            await send(message)

        with bound_contextvars(trace_id=trace):
            try:
                await self._app(scope, receive, named)
            except Exception:
                _log.exception("request failed")
                if started or scope["type"] != "http":
                    raise
                await masked(trace)(scope, receive, named)
