"""Decides which web pages may use the API: those of our own address, and those of the origins that the operator named.

Programs send no `Origin` and may. A browser asks before it lets a page of another origin send JSON or credentials (CORS), and
keeps the answer from the page unless it allows that. For WebSockets a browser doesn't ask, so these are looked at here.
There are no cookies: a page has no rights but those of the key that it sends.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.live.door import Door

EXPOSED: Final = ", ".join(
    (
        "x-trace-id", "x-request-id", "retry-after", "www-authenticate",
        "ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
    )
)  # fmt: skip
"""The headers of answers that a page may read, beside those that every page may."""

PREFLIGHT_SECONDS: Final = 7200
"""How long a browser may remember the answer; none remembers longer."""

_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_HEADER_NAMES_MAX: Final = 2_000


def is_foreign(headers: Headers, allowed: Collection[str]) -> bool:
    """Whether a browser says that a page has sent this which is neither of the address that it asks, nor of an allowed origin."""
    origin = headers.get("origin")
    if origin is None or origin.lower() in allowed:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


class CrossOrigin:
    """Tells browsers that pages of the allowed origins may ask and read the answers; says nothing if there are none."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = self._door.allowed_origins
        if scope["type"] != "http" or not allowed:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        may = origin.lower() in allowed

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                _mark(MutableHeaders(scope=message), origin if may else None)
            await send(message)

        if may and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(headers)(scope, receive, marked)
        else:
            await self._app(scope, receive, marked)


def _mark(answer: MutableHeaders, origin: str | None) -> None:
    """Answers differ by origin, so caches must be told so also where none was sent; what anybody may read stays so."""
    if "access-control-allow-origin" in answer:
        return
    answer.add_vary_header("Origin")
    if origin is not None:
        answer["access-control-allow-origin"] = origin
        answer["access-control-expose-headers"] = EXPOSED


def _preflight(asked: Headers) -> Response:
    """May a page send such a request? The methods of the API, and any headers: none of them gives rights by itself."""
    said = {
        "access-control-allow-methods": "GET, POST",
        "access-control-max-age": str(PREFLIGHT_SECONDS),
        "vary": "Access-Control-Request-Headers",
    }
    names = asked.get("access-control-request-headers", "")
    if len(names) <= _HEADER_NAMES_MAX and _HEADER_NAMES.fullmatch(names):
        said["access-control-allow-headers"] = names
    return Response(status_code=204, headers=said)
