"""Lists every event type that is sent, with the JSON Schema of its payload, an example, and what it means.

Everything here is read from the classes of the events, so the published catalogue can't differ from what is sent.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import orjson

from escrow import codec, log
from escrow.access import ActorKind
from escrow.accounts.state.endpoints import API_VERSIONS
from escrow.agreement.events import WITHHELD, Event
from webhooks.events import examples
from webhooks.events.examples import CLASSES, EndpointTest
from webhooks.request import bodies
from webhooks.request.bodies import DeliveryMark

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Json = Any

_HASH: Final[Json] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_TIME: Final[Json] = {"type": "string", "format": "date-time"}
_CURSOR: Final = "^cur_[0-9a-z]{13}$"


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event: what it means, what is sent, and an example of that."""

    name: str
    version: int
    description: str
    schema: Json
    """JSON Schema 2020-12 of the whole body of a request."""
    example: Json
    is_logged: bool
    """Whether it stands in the log; a test doesn't."""

    @property
    def family(self) -> str:
        """The part before the full stop."""
        return self.name.partition(".")[0]


@cache
def event_types() -> tuple[EventType, ...]:
    """Every type that this release sends, by name."""
    return tuple(_event_type(CLASSES[name]) for name in sorted(CLASSES))


def _event_type(event_class: type[Event]) -> EventType:
    return EventType(
        name=event_class.type,
        version=event_class.schema_version,
        description=_meaning(event_class),
        schema=body_schema(event_class.type),
        example=_example(event_class),
        is_logged=event_class is not EndpointTest,
    )


def _example(event_class: type[Event]) -> Json:
    found = examples.example(event_class)
    body = bodies.body(
        api_version=API_VERSIONS[-1],
        position=1_234,
        event_body=found.body,
        texts=found.texts,
        mark=DeliveryMark(is_test=event_class is EndpointTest),
    )
    return orjson.loads(body)


@cache
def schema_document() -> Json:
    """The JSON Schema of everything that is sent: a body is one of the types, which are its `$defs` by name."""
    names = [one.name for one in event_types()]
    return {
        "$schema": DIALECT,
        "title": "What Earnest sends to webhook endpoints",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in names],
        "$defs": {
            one.name: {key: value for key, value in one.schema.items() if key != "$schema"} for one in event_types()
        },
    }


def body_schema(name: str) -> Json:
    """The JSON Schema of the bodies of one type, whichever version of the event they carry.

    The event is closed: another field would be another version. What stands beside it may grow.
    """
    classes = _versions(name)
    stored = [_event_schema(event_class) for event_class in classes]
    return {
        "$schema": DIALECT,
        "title": name,
        "description": _meaning(classes[-1]),
        "type": "object",
        "properties": {
            "type": {"const": name},
            "timestamp": _TIME | {"description": "When it happened: the event's `occurredAt`."},
            "data": _data_schema(classes, stored[0] if len(stored) == 1 else {"oneOf": stored}),
        },
        "required": ["type", "timestamp", "data"],
    }


def _meaning(event_class: type[Event]) -> str:
    """The docstring of the class in one line, as Markdown."""
    return " ".join(inspect.cleandoc(event_class.__doc__ or "").split())


def _versions(name: str) -> list[type[Event]]:
    if name == EndpointTest.type:
        return [EndpointTest]
    return [event_class for (kind, _), event_class in sorted(log.CATALOGUE.items()) if kind == name]


def _data_schema(classes: list[type[Event]], event: Json) -> Json:
    texts = _texts_schema(classes)
    return {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string", "enum": list(API_VERSIONS)},
            "cursor": {
                "type": ["string", "null"],
                "pattern": _CURSOR,
                "description": "The event's place in the log, the same as in feeds and streams; null for a test.",
            },
            "event": event | {"description": "The event as it is stored; the sha256 of its bytes here is its hash."},
            "texts": texts,
            "textsOmitted": {
                "type": "array",
                "items": {"type": "string", "enum": sorted(texts["properties"])},
                "description": "Texts that would have made the body too long; the API has them.",
            }
            if texts["properties"]
            else False,
            "replay": {"type": "boolean", "description": "Whether the endpoint's owner asked for it once more."},
            "previousFailed": {
                "type": "string",
                "pattern": _id_pattern("evt"),
                "description": "The event before it of the same contract, if delivering that one was given up.",
            },
            "test": {"const": True, "description": "There if it never happened: somebody tests the endpoint."},
        },
        "required": ["apiVersion", "cursor", "event", "texts", "replay"],
    }


def _texts_schema(classes: list[type[Event]]) -> Json:
    """People's words by field: `null` once erased, and absent if they were never said or are too long."""
    fields = {
        field.key: field.codec.schema
        for event_class in classes
        for field in codec.fields_of(event_class)
        if field.is_text and field.key not in WITHHELD
    }
    salt = {"type": "string", "pattern": f"^[0-9a-f]{{{2 * log.SALT_BYTES}}}$"}
    return {
        "type": "object",
        "properties": {
            key: {
                "type": ["object", "null"],
                "properties": {"salt": salt, "text": schema},
                "required": ["salt", "text"],
                "additionalProperties": False,
            }
            for key, schema in sorted(fields.items())
        },
        "additionalProperties": False,
        "description": "People's words beside the event, which holds the sha256 of salt and canonical text.",
    }


def _event_schema(event_class: type[Event]) -> Json:
    properties = {
        "id": {"type": "string", "pattern": _id_pattern("evt")},
        "type": {"const": event_class.type},
        "version": {"const": event_class.schema_version},
        "occurredAt": _TIME,
        "actor": {
            "type": "object",
            "properties": {
                "kind": {"enum": [kind.value for kind in ActorKind]},
                "account": {"type": "string", "pattern": _id_pattern("acc")},
                "member": {"type": "string", "pattern": _id_pattern("mem")},
                "key": {"type": "string", "pattern": _id_pattern("key")},
                "session": {"type": "string", "pattern": _id_pattern("ses")},
            },
            "required": ["kind"],
            "additionalProperties": False,
        },
        "stream": {"type": "string", "pattern": _id_pattern("(acc|ctr)")},
        "sequence": {"type": "integer", "minimum": 0, "description": "Its place in its stream: 1, 2, 3; 0 for a test."},
        "previousHash": {"oneOf": [_HASH, {"type": "null"}]},
        "data": codec.payload_schema(event_class),
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _id_pattern(prefix: str) -> str:
    return f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"
