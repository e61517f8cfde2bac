"""Reads a GraphQL request from HTTP, as the GraphQL over HTTP specification has it, and refuses anything else in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from api.arrivals import Arrival
from api.negotiation import JSON, parse_content_type
from schema.engine.execution import Operation

BODY_BYTES_MAX: Final = 4_000_000
"""The largest plan (200 milestones with every text at its limit in characters of one byte) takes 2.5 million of it."""

HASHED: Final = "# named by its hash"
"""Stands for the document of a request that only names it."""

PARAMETERS: Final = frozenset({"query", "variables", "operationName", "extensions"})


class BadRequest(Exception):
    """The request is not GraphQL over HTTP; the message says what would be."""

    def __init__(self, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.headers = dict(headers or {})


async def read_operation(request: Arrival) -> Operation:
    """The operation of a `GET` or `POST`. Refuses with `BadRequest`: another method, media type, encoding or shape."""
    if request.method == "GET":
        return _operation(_query_parameters(request))
    if request.method != "POST":
        raise BadRequest(
            f"GraphQL is asked with POST, queries also with GET, not with {request.method}.",
            status=405,
            headers={"allow": "GET, POST"},
        )
    _check_content_type(request)
    return _operation(_json(await _body(request), "The body"))


def _check_content_type(request: Arrival) -> None:
    problem = _problem(request.header(b"content-type") or "")
    if problem is not None:
        raise BadRequest(problem, status=415)
    if (request.header(b"content-encoding") or "identity").lower() != "identity":
        raise BadRequest("The body must come without a content-encoding.", status=415)


@lru_cache(maxsize=64)
def _problem(content_type: str) -> str | None:
    """What is wrong with a header that hardly ever is another than before."""
    media_type, charset = parse_content_type(content_type)
    if media_type != JSON:
        return f"The content-type must be {JSON}, not “{media_type}”."
    return f"The charset must be utf-8, not “{charset}”." if charset not in (None, "utf-8", "utf8") else None


async def _body(request: Arrival) -> bytes:
    """The whole body, unless it is too large: then no more of it than the limit is read."""
    length = request.header(b"content-length") or ""
    announced = int(length) if length.isdecimal() else 0
    body = await request.body(BODY_BYTES_MAX) if announced <= BODY_BYTES_MAX else None
    if body is None:
        raise BadRequest(f"The body may have at most {BODY_BYTES_MAX} bytes.", status=413)
    return body


def _query_parameters(request: Arrival) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in request.query_parameters:
        if name in PARAMETERS:
            if name in found:
                raise BadRequest(f"The parameter `{name}` may be given only once.")
            found[name] = value
    for name in ("variables", "extensions"):
        if name in found:
            found[name] = _json(found[name], f"The parameter `{name}`") if found[name] else None
    return found


def _json(text: bytes | str, what: str) -> Any:
    if not text:
        raise BadRequest(f"{what} is empty; it must be JSON.")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{what} is not JSON: {error}.") from None


def _operation(parameters: Any) -> Operation:
    if isinstance(parameters, list):
        raise BadRequest("Batches are not supported; send one operation per request.")
    if not isinstance(parameters, dict):
        raise BadRequest("The body must be a JSON object with the query in `query`.")
    query = parameters.get("query")
    by_hash_only = query is None and is_by_hash(parameters.get("extensions"))
    if by_hash_only:
        query = HASHED
    if not isinstance(query, str):
        raise BadRequest("`query` is missing." if query is None else f"`query` must be a string, not {_kind(query)}.")
    if not query.strip():
        raise BadRequest("`query` is empty.")
    name = parameters.get("operationName")
    if not isinstance(name, str | None):
        raise BadRequest(f"`operationName` must be a string, not {_kind(name)}.")
    for parameter in ("variables", "extensions"):
        value = parameters.get(parameter)
        if not isinstance(value, dict | None):
            raise BadRequest(f"`{parameter}` must be an object, not {_kind(value)}.")
    return Operation(
        query=query, variables=parameters.get("variables") or {}, name=name or None, by_hash_only=by_hash_only
    )


def is_by_hash(extensions: object) -> bool:
    """Whether a request without a document names one by its hash, as clients of automatic persisted queries do."""
    return isinstance(extensions, dict) and isinstance(extensions.get("persistedQuery"), dict)


def _kind(value: object) -> str:
    kinds = {
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        list: "an array",
        dict: "an object",
    }
    return kinds.get(type(value), "null")
