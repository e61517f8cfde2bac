"""Makes the JSON answers of the API, GraphQL's and refusals, with headers that forbid caching and guessing of types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from api.negotiation import JSON


def json_answer(
    body: Mapping[str, Any], *, status: int = 200, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Response:
    """`body` as JSON in UTF-8, with a media type that says so."""
    return Response(
        orjson.dumps(body),
        status_code=status,
        headers={
            "content-type": f"{media_type}; charset=utf-8",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **(headers or {}),
        },
    )


def refusal(
    message: str,
    *,
    code: str = "BAD_REQUEST",
    status: int,
    media_type: str = JSON,
    headers: Mapping[str, str] | None = None,
    **extensions: str,
) -> Response:
    """An answer in GraphQL's form that consists of one error."""
    error = {"message": message, "extensions": {"code": code, **extensions}}
    return json_answer({"errors": [error]}, status=status, media_type=media_type, headers=headers)


def masked(trace: str) -> Response:
    """What a client sees of an error of our own."""
    return refusal(
        f"Something went wrong inside. Tell us the trace id {trace}.", code="INTERNAL", status=500, traceId=trace
    )
