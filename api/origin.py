"""Decides which web pages may use the API: those of our own address, of the origins that the operator named, and of those that a
session names.

Programs send no `Origin` and may. A browser asks before it lets a page of another origin send JSON or credentials (CORS), and
keeps the answer from the page unless it allows that. For WebSockets a browser doesn't ask, so these are looked at here.
There are no cookies: a page has no rights but those of the key or session that it sends. So a browser that asks whether a page
may send something is told yes, whichever page it is: it carries no token, and who may do what is found out when one comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.arrivals import path_of
from api.live.door import Door
from escrow.access import Actor
from escrow.accounts import tokens
from escrow.accounts.inputs import is_an_origin
from escrow.errors import quoted

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


Get = Callable[[str], str | None]
"""A header by its name in lower case."""


class ForeignPage(Exception):
    """A page asks whose origin is not among those that may."""


@dataclass(frozen=True, slots=True)
class Page:
    """A web page of another origin than ours, as a browser says that a request comes from it."""

    origin: str
    is_allowed: bool
    """Whether the operator named its origin."""

    @property
    def may_come(self) -> bool:
        """Whether the operator named its origin, or a session might."""
        return self.is_allowed or is_an_origin(self.origin.lower())

    def check(self, actor: Actor | None) -> None:
        """Raise `ForeignPage` if whoever asks may not do so from this page: a session names its pages itself."""
        if actor is not None and actor.session_id is not None:
            if self.origin.lower() not in actor.origins:
                raise ForeignPage(
                    f"This session is not for pages of {quoted(self.origin)}; whoever makes one names them."
                )
        elif not self.is_allowed:
            raise ForeignPage(f"Pages of {quoted(self.origin)} may come with a session that names their origin.")


def page_of(headers: Get, door: Door) -> Page | None:
    """The page of another origin that a request comes from; `None` for programs, which name none, and for our own pages.

    Ours are those of the address that is asked, those of our public address, and those of which the browser says so.
    """
    origin = headers("origin")
    if origin is None or headers("sec-fetch-site") == "same-origin":
        return None
    if origin.lower() in door.own_origins or _host_of(origin) == (headers("host") or "").lower():
        return None
    return Page(origin, is_allowed=origin.lower() in door.allowed_origins)


def _host_of(origin: str) -> str | None:
    """The host and port of an origin; `None` for what is none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def origins_of(address: str | None) -> frozenset[str]:
    """The origin of an address, if there is one."""
    if address is None:
        return frozenset()
    parts = urlsplit(address.lower())
    return frozenset({f"{parts.scheme}://{parts.netloc}"})


class CrossOrigin:
    """Tells browsers that pages of the allowed origins may ask and read the answers; and at `path`, which takes sessions, that
    any page may ask, and may read what it is answered to a session: the refusal, if that doesn't name its origin."""

    def __init__(self, app: ASGIApp, door: Door, *, path: str) -> None:
        self._app = app
        self._door = door
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = self._door.allowed_origins
        takes_sessions = path_of(scope) == self._path
        if scope["type"] != "http" or not (allowed or takes_sessions):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        asks_first = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        may = origin.lower() in allowed or (
            takes_sessions and is_an_origin(origin.lower()) and (asks_first or _shows_a_session(headers))
        )

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                _mark(MutableHeaders(scope=message), origin if may else None)
            await send(message)

        if may and asks_first:
            await _preflight(headers)(scope, receive, marked)
        else:
            await self._app(scope, receive, marked)


def _shows_a_session(headers: Headers) -> bool:
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    return scheme.lower() == "bearer" and token.strip().startswith(tokens.SESSION)


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
