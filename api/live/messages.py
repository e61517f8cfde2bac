"""Reads and writes the messages of `graphql-transport-ws`; one from a client that the protocol doesn't know closes the socket."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from api.live.closing import Closing, Code
from api.live.introductions import Misunderstood, authorization_of
from api.requests import VALUES_MAX, hashed, values_in
from escrow import traces
from escrow.traces import Trace
from schema.engine.execution import Operation

PROTOCOL: Final = "graphql-transport-ws"

MESSAGE_BYTES_MAX: Final = 1_000_000
"""The longest message. The largest document takes a tenth of it; larger inputs go by POST."""

INIT_BYTES_MAX: Final = 16_000
"""The longest `connection_init`: credentials and a few words besides."""

ID_CHARACTERS_MAX: Final = 200

ACKNOWLEDGED: Final = b'{"type":"connection_ack"}'
PING: Final = b'{"type":"ping"}'

NEXT_END: Final = b"}"
"""How each answer of an operation ends."""


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    """The client says who it is."""

    payload: dict[str, Any]

    @property
    def authorization(self) -> str | None:
        """The credentials, as the header of an HTTP request has them; `None` if there are none at all."""
        try:
            return authorization_of(self.payload)
        except Misunderstood as error:
            raise invalid(str(error)) from None


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks whether we are there."""

    payload: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Pong:
    """The client is there."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The client asks for an operation."""

    id: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Complete:
    """The client wants no more of an operation."""

    id: str


Message = ConnectionInit | Ping | Pong | Subscribe | Complete


def invalid(problem: str) -> Closing:
    """The message is none of the protocol."""
    return Closing(Code.INVALID_MESSAGE, f"Invalid message: {problem}")


def read(text: str | None) -> Message:
    """The message of a text frame. Raises `Closing` with 4400 for a binary one, and for what the protocol doesn't know."""
    if text is None:
        raise invalid("it must be text, not binary.")
    if len(text) > MESSAGE_BYTES_MAX:
        raise invalid(f"it may have at most {MESSAGE_BYTES_MAX} bytes.")
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) > VALUES_MAX and values_in(encoded) > VALUES_MAX:
        raise invalid(f"it may hold at most {VALUES_MAX} values.")
    try:
        message = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        raise invalid("it is not JSON.") from None
    if not isinstance(message, dict):
        raise invalid("it must be a JSON object.")
    match message.get("type"):
        case "connection_init":
            if len(encoded) > INIT_BYTES_MAX:
                raise invalid(f"connection_init may have at most {INIT_BYTES_MAX} bytes.")
            return ConnectionInit(_object(message, "payload") or {})
        case "ping":
            return Ping(_object(message, "payload"))
        case "pong":
            _object(message, "payload")
            return Pong()
        case "subscribe":
            operation = _operation(_object(message, "payload"))
            return Subscribe(_id(message), replace(operation, length=len(encoded), has_escapes=b"\\u" in encoded))
        case "complete":
            return Complete(_id(message))
        case str(unknown):
            raise invalid(f"clients send no “{unknown[:40]}”.")
        case _:
            raise invalid("`type` must be a string.")


def next_start(operation_id: str) -> bytes:
    """How each answer of an operation begins; its JSON and `NEXT_END` follow."""
    return b'{"id":%b,"type":"next","payload":' % orjson.dumps(operation_id)


def error(operation_id: str, errors: list[dict[str, Any]]) -> bytes:
    """The operation failed and is over."""
    return orjson.dumps({"id": operation_id, "type": "error", "payload": errors})


def complete(operation_id: str) -> bytes:
    """The operation is over."""
    return orjson.dumps({"id": operation_id, "type": "complete"})


def pong(payload: dict[str, Any] | None) -> bytes:
    """The answer to a ping, with what came along. Raises `Closing` for what is nested too deeply to be printed again."""
    try:
        return orjson.dumps({"type": "pong"} | ({"payload": payload} if payload is not None else {}))
    except TypeError:
        raise invalid("its payload is nested too deeply.") from None


def _object(parent: dict[str, Any], name: str) -> dict[str, Any] | None:
    value = parent.get(name)
    if not isinstance(value, dict | None):
        raise invalid(f"`{name}` must be an object.")
    return value


def _id(message: dict[str, Any]) -> str:
    value = message.get("id")
    if not isinstance(value, str) or not 0 < len(value) <= ID_CHARACTERS_MAX:
        raise invalid(f"`id` must be a string of 1 to {ID_CHARACTERS_MAX} characters.")
    return value


def _operation(payload: dict[str, Any] | None) -> Operation:
    if payload is None:
        raise invalid("`payload` must be an object with the `query`.")
    query, name = payload.get("query"), payload.get("operationName")
    extensions = _object(payload, "extensions")
    document_id = payload.get("documentId") or (hashed(extensions) if query is None else None)
    if (
        not isinstance(query, str | None)
        or not isinstance(document_id, str | None)
        or (query is None) is (document_id is None)
    ):
        raise invalid("`payload.query` must be a string, or `payload.documentId` that of a registered document.")
    if not isinstance(name, str | None):
        raise invalid("`payload.operationName` must be a string.")
    variables = _object(payload, "variables") or {}
    return Operation(
        query=query,
        variables=variables,
        name=name or None,
        document_id=document_id,
        is_automatic="documentId" not in payload,
        trace=_trace(payload.get("extensions")),
    )


def _trace(extensions: object) -> Trace | None:
    """The trace that an operation says it belongs to; what isn't one counts for nothing."""
    if not isinstance(extensions, dict):
        return None
    parent, state = extensions.get(traces.TRACEPARENT), extensions.get(traces.TRACESTATE)
    return traces.given(parent, state if isinstance(state, str) else None) if isinstance(parent, str) else None
