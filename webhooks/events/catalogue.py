"""Lists every event type that is sent, with the JSON Schema of its payload, an example, and what it means.

Everything here is read from the classes of the events, so the published catalogue can't differ from what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import orjson

from escrow.accounts.state.endpoints import API_VERSIONS
from escrow.agreement.events import Event
from webhooks.events import examples, schemas
from webhooks.events.examples import CLASSES
from webhooks.events.unlogged import UNLOGGED, EndpointTest
from webhooks.request import bodies
from webhooks.request.bodies import DeliveryMark

IDENTIFIER: Final = "urn:earnest:events"

Json = Any

_READING: Final = (
    "What Earnest sends to webhook endpoints. More types, and more fields of objects, come with later releases: read what is of "
    "no type in this document, or doesn't fit its type, as `OtherBody`, and pass over fields that are not here."
)


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
    """Whether it stands in the log; a test doesn't, nor does what is said of the log itself."""

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
        description=schemas.described(event_class),
        schema=body_schema(event_class.type),
        example=_example(event_class),
        is_logged=event_class.type not in UNLOGGED,
    )


def _example(event_class: type[Event]) -> Json:
    found = examples.example(event_class)
    body = bodies.body(
        api_version=API_VERSIONS[-1],
        position=1_234,
        event_body=found.body,
        texts=found.texts,
        mark=DeliveryMark(is_test=event_class is EndpointTest, is_logged=event_class.type not in UNLOGGED),
    )
    return orjson.loads(body)


@cache
def schema_document() -> Json:
    """The JSON Schema of everything that is sent: a body is one of the types, or one of another release. Every shape has its
    name in `$defs`."""
    names = [one.name for one in event_types()]
    shapes = schemas.shapes_of(names) | {"EventBody": schemas.union_of(names)} | schemas.shapes_of_others()
    return {
        "$schema": schemas.DIALECT,
        "$id": IDENTIFIER,
        "title": "AnyBody",
        "description": _READING,
        "anyOf": [schemas.reference("EventBody"), schemas.reference("OtherBody")],
        "$defs": shapes,
    }


def body_schema(name: str) -> Json:
    """The JSON Schema of the bodies of one type, whichever version of the event they carry, with its shapes in `$defs`."""
    shapes = schemas.shapes_of([name])
    return (
        {"$schema": schemas.DIALECT, "title": schemas.body_name(name)}
        | shapes.pop(schemas.body_name(name))
        | {"$defs": shapes}
    )
