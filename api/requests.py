"""Reads a GraphQL request from HTTP, as the GraphQL over HTTP specification has it, and refuses anything else in one sentence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import orjson

from api.arrivals import Arrival
from api.negotiation import JSON, parse_content_type
from escrow.documents import PREFIX
from schema.engine.execution import LONG_BYTES, Operation

BODY_BYTES_MAX: Final = 4_000_000
"""The largest plan (200 milestones with every text at its limit in characters of one byte) takes 2.5 million of it."""

BODY_BYTES_MAX_UNKNOWN: Final = 64_000
"""The same for whoever shows no key: introspection and the refusals of everything else need no more."""

VALUES_MAX: Final = 250_000
"""Values in the JSON of one body, or commas and brackets in its texts. The largest plan has a tenth of it; reading as many takes
the JSON parser 15 ms, in which no other thread runs."""

PARAMETERS_MAX: Final = 20
"""Parameters behind the path of a `GET`; five mean something."""

HEADER_CHARACTERS_MAX: Final = 2_000
"""The longest header that says something about media types: browsers send a tenth of it."""

PARAMETERS: Final = frozenset({"query", "documentId", "variables", "operationName", "extensions"})

_TEXT: Final = (str, type(None))
_OBJECT: Final = (dict, type(None))
"""What may stand there in the JSON of a body. `str | None` would be made anew for each question."""


Pay: TypeAlias = Callable[[int], Awaitable[None]]
"""Pays for so many bytes more."""

Elsewhere: TypeAlias = Callable[[Callable[[], Operation]], Awaitable[Operation]]
"""Does work where it holds nobody up."""


class BadRequest(Exception):
    """The request is not GraphQL over HTTP; the message says what would be."""

    def __init__(self, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.headers = dict(headers or {})


async def read_operation(
    request: Arrival, *, bytes_max: int = BODY_BYTES_MAX, elsewhere: Elsewhere | None = None, pay: Pay | None = None
) -> Operation:
    """The operation of a `GET` or `POST`; a long one is read `elsewhere`, and what was not announced is paid for as it comes.

    Refuses with `BadRequest`: another method, media type, encoding, size or shape.
    """
    if request.method == "GET":
        return _operation(_query_parameters(request), length=request.query_bytes)
    if request.method != "POST":
        raise BadRequest(
            f"GraphQL is asked with POST, queries also with GET, not with {request.method}.",
            status=405,
            headers={"allow": "GET, POST"},
        )
    _check_content_type(request)
    body = await _body(request, bytes_max, pay)
    if elsewhere is not None and len(body) > LONG_BYTES:
        return await elsewhere(lambda: _of_body(body))
    return _of_body(body)


def _of_body(body: bytes) -> Operation:
    if len(body) > VALUES_MAX and values_in(body) > VALUES_MAX:
        raise BadRequest(f"The body may hold at most {VALUES_MAX} values.", status=413)
    return _operation(_json(body, "The body"), length=len(body), has_escapes=body.find(b"\\u") >= 0)


def values_in(text: bytes) -> int:
    """How many values a JSON text has at most: by its commas and brackets, also those that stand in words."""
    return sum(map(text.count, (b",", b"[", b"{")))


def _check_content_type(request: Arrival) -> None:
    content_type = request.header(b"content-type") or ""
    if len(content_type) > HEADER_CHARACTERS_MAX:
        raise BadRequest(f"The content-type must be {JSON}.", status=415)
    problem = _problem(content_type)
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


async def _body(request: Arrival, bytes_max: int, pay: Pay | None) -> bytes:
    """The whole body, unless it is too large: then no more of it than the limit is read."""
    body = await request.body(bytes_max, pay) if request.announced_bytes <= bytes_max else None
    if body is None:
        with_a_key = f", with a key {BODY_BYTES_MAX}" if bytes_max < BODY_BYTES_MAX else ""
        raise BadRequest(f"The body may have at most {bytes_max} bytes{with_a_key}.", status=413)
    return body


def _query_parameters(request: Arrival) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if request.count_of_parameters > PARAMETERS_MAX:
        raise BadRequest(f"There may be at most {PARAMETERS_MAX} parameters.")
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


def _operation(parameters: Any, *, length: int, has_escapes: bool = True) -> Operation:
    if isinstance(parameters, list):
        raise BadRequest("Batches are not supported; send one operation per request.")
    if not isinstance(parameters, dict):
        raise BadRequest("The body must be a JSON object with the query in `query`.")
    query, document_id = _document(parameters)
    name = parameters.get("operationName")
    if not isinstance(name, _TEXT):
        raise BadRequest(f"`operationName` must be a string, not {_kind(name)}.")
    for parameter in ("variables", "extensions"):
        value = parameters.get(parameter)
        if not isinstance(value, _OBJECT):
            raise BadRequest(f"`{parameter}` must be an object, not {_kind(value)}.")
    return Operation(
        query=query,
        variables=parameters.get("variables") or {},
        name=name or None,
        document_id=document_id,
        is_automatic="documentId" not in parameters,
        length=length,
        has_escapes=has_escapes,
    )


def _document(parameters: dict[str, Any]) -> tuple[str | None, str | None]:
    """The text of the document, or its identifier."""
    query, document_id = parameters.get("query"), parameters.get("documentId")
    if query is None and document_id is None:
        document_id = hashed(parameters.get("extensions"))
    if query is None and document_id is None:
        raise BadRequest("`query` is missing, and so is the `documentId` of a registered document.")
    if query is not None and document_id is not None:
        raise BadRequest("Send `query` or `documentId`, not both.")
    for name, value in (("query", query), ("documentId", document_id)):
        if not isinstance(value, _TEXT):
            raise BadRequest(f"`{name}` must be a string, not {_kind(value)}.")
    if query is not None and not query.strip():
        raise BadRequest("`query` is empty.")
    return query, document_id


def hashed(extensions: object) -> str | None:
    """The identifier of the document that a request names by its hash alone, as clients of automatic persisted queries do."""
    found = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if not isinstance(found, dict):
        return None
    said = found.get("sha256Hash")
    return PREFIX + said if isinstance(said, str) else PREFIX


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
