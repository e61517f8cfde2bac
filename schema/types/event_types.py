"""The type of an entry in the catalogue of events; its content comes from `webhooks.events.catalogue`."""

from __future__ import annotations

from functools import cache

import strawberry
from strawberry.scalars import JSON

from webhooks.events import catalogue


@strawberry.type(description="A type of event, and what is sent of it to webhook endpoints.")
class EventType:
    name: str = strawberry.field(description="What endpoints are subscribed with: `milestone.released`.")
    family: str = strawberry.field(
        description="What they are subscribed with to all events of its kind: `milestone.*`."
    )
    description: str = strawberry.field(description="What it means.")
    schema_version: int = strawberry.field(description="The latest version of its payload, which new events have.")
    schema: JSON = strawberry.field(
        description="The body of a request as JSON Schema 2020-12, for every version that was ever sent."
    )
    example: JSON = strawberry.field(description="The body of a request.")
    is_test: bool = strawberry.field(
        description="Whether it stands in no log and can't be subscribed to: a test comes when `sendTestEvent` asks for it, "
        "`log.cut` by itself, each to any endpoint."
    )


@cache
def event_types_list() -> list[EventType]:
    """The same objects for every query: they are read only."""
    return [
        EventType(
            name=one.name,
            family=f"{one.family}.*",
            description=one.description,
            schema_version=one.version,
            schema=one.schema,
            example=one.example,
            is_test=not one.is_logged,
        )
        for one in catalogue.event_types()
    ]
