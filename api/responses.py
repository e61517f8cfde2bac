"""Makes the JSON answers of the API, GraphQL's and refusals, with headers that forbid caching and guessing of types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from starlette.responses import Response
from starlette.types import Scope, Send

from api.negotiation import GRAPHQL, JSON
from schema.error_codes import coded

WHOLE: Final = "earnest.whole"
"""Under this name among ASGI's extensions stands what takes an answer in one piece, where our server serves: the request's
`send`, status, headers and body."""


class Json(Response):
    """JSON that was printed already; not much is made of it, since most answers are one."""

    def __init__(
        self, body: bytes, *, status: int = 200, media_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        self.body = body
        self.status_code = status
        self.background = None
        self.raw_headers = [*_FIXED[media_type], (b"content-length", b"%d" % len(body))]
        if headers:
            self.raw_headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def say(self, scope: Scope, send: Send, beside: Iterable[tuple[bytes, bytes]]) -> None:
        """Answer with these headers beside its own: in one piece, if the server takes it so just now."""
        headers = [*self.raw_headers, *beside]
        whole = scope.get("extensions", {}).get(WHOLE)
        if whole is None or not whole(send, self.status_code, headers, self.body):
            await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
            await send({"type": "http.response.body", "body": self.body})


_FIXED: Final = {
    media_type: (
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    )
    for media_type in (JSON, GRAPHQL)
}


def json_answer(
    body: Mapping[str, Any], *, status: int = 200, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Json:
    """`body` as JSON in UTF-8, with a media type that says so."""
    return Json(orjson.dumps(body), status=status, media_type=media_type, headers=headers)


def refusal(
    message: str,
    *,
    code: str = "BAD_REQUEST",
    status: int,
    media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
    cost: Mapping[str, Any] | None = None,
    **extensions: str,
) -> Json:
    """An answer in GraphQL's form that consists of one error; with what it cost, if that is known."""
    error = {"message": message, "extensions": coded(code, **extensions)}
    told = {"extensions": {"cost": cost}} if cost is not None else {}
    return json_answer({"errors": [error], **told}, status=status, media_type=media_type, headers=headers)


def masked(trace: str) -> Json:
    """What a client sees of an error of our own."""
    return refusal(
        f"Something went wrong inside. Tell us the trace id {trace}.", code="INTERNAL", status=500, traceId=trace
    )
