"""The interface of events: facts of the log exactly as they were sealed, with people's words beside them.

Each event has a type of its own, made in `schema/types/event_kinds.py` of the class of the event.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final, cast

import orjson
import strawberry
from strawberry.scalars import JSON

from escrow import cursors, log
from escrow.access import Scope
from escrow.codec import print_time
from escrow.database import Record
from escrow.queries import events
from escrow.queries.reading import Reading, itself
from schema.compiled.declare import TYPENAME, Projection, Ready, Selected, project
from schema.connections import After, Before, Connection, First, Last, Window, window
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read, resolved
from schema.scalars import Cursor, read_number
from schema.types.common import Actor, Node
from schema.types.paging import page_of, pages_of

if TYPE_CHECKING:
    from schema.types.deliveries import Delivery


@strawberry.type(description="A person's words that belong to an event, which itself only holds their salted hash.")
class EventText:
    field: str = strawberry.field(description="Which text it is, as in `data.texts` of the event.")
    value: JSON | None = strawberry.field(description="The text, or the list of texts; null once erased.")
    salt: str | None = strawberry.field(
        description="In base64: the sha256 of these 16 bytes and the value's canonical JSON is the hash in the event."
    )
    erased_at: datetime | None = strawberry.field(description="When the words were erased, if they were.")


DATA_IS_TYPED: Final = (
    "Each type of event has its fields; `body` has all of any. Since 1.0.0, removed not before 2027-12-01."
)


@strawberry.interface(
    description="A fact: something that happened to a contract or to an account. Events never change. Each has a type of its own "
    "with the fields of its payload; releases add types, so a client asks for `__typename` and reads what it doesn't know as an "
    "`Event`."
)
class Event(Node):
    log_position: strawberry.Private[int | None]
    """Its place in the one log of everything, if it is known already."""

    type: str = strawberry.field(description="What happened, as a fact in the past: `milestone.released`.")
    schema_version: int = strawberry.field(description="Which version of the type's payload `data` has.")
    occurred_at: datetime = strawberry.field(
        description="When it happened; for a deadline its due time, also if it was written later."
    )
    actor: Actor = strawberry.field(description="Who caused it.")
    stream: strawberry.ID = strawberry.field(description="The contract or the account that it belongs to.")
    sequence: int = strawberry.field(description="Its place in its stream: 1, 2, 3 without gaps.")
    hash: str = strawberry.field(description="The sha256 of `body`, in hexadecimal.")
    previous_hash: str | None = strawberry.field(
        description="The hash of the event before it in its stream; null for the first."
    )
    data: JSON = strawberry.field(description="What changed: a snapshot.", deprecation_reason=DATA_IS_TYPED)
    texts: list[EventText] = strawberry.field(
        description="People's words that belong to it. A payment token is shown to nobody: only its hash stands in `data.texts`."
    )
    body: str = strawberry.field(
        description="The event as canonical JSON (RFC 8785), byte for byte what was hashed, so that anybody can check it."
    )

    @resolved(
        "Its place in the log of everything: `after` of `events`, to go on from there. Null for the moment until it has one."
    )
    def cursor(self, info: Info) -> Cursor | None:
        if self.log_position is not None:
            return Cursor(cursors.print_cursor(self.log_position))
        return cast("Cursor | None", cursor_of(self.id, info.context))

    @read("Where it was sent, of the viewer's own endpoints, in order.", scope=Scope.WEBHOOKS_MANAGE)
    async def deliveries(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Annotated[Delivery, strawberry.lazy("schema.types.deliveries")]]:
        from schema.types.deliveries import deliveries_of

        return await deliveries_of(self.id, info.context, window(first, after, last, before))

    @classmethod
    def of(cls, view: events.EventView, *, position: int | None = None) -> Event:
        """The event ready to read, as an object of its own type; `position` if its place in the log is known too."""
        content = orjson.loads(view.body)
        made = class_of(view.type, view.schema_version)
        # The fields of its payload are read of `data` when somebody asks for them.
        event = made.__new__(made)
        event.__dict__.update(
            log_position=position,
            id=view.id,
            type=view.type,
            schema_version=view.schema_version,
            occurred_at=view.occurred_at,
            actor=Actor.of(content["actor"]),
            stream=view.stream_id,
            sequence=view.sequence,
            hash=view.hash,
            previous_hash=view.previous_hash,
            data=content["data"],
            texts=_texts(view.texts),
            body=view.body,
        )
        return event


CLASSES: Final[dict[tuple[str | None, int | None], type[Event]]] = {}
"""The class of each type of event in each version; `schema/types/event_kinds.py` fills it."""


def class_of(kind: str | None, version: int | None) -> type[Event]:
    """The class of events of this type; that of all others for one that only a later release knows."""
    return CLASSES.get((kind, version)) or CLASSES[OTHER]


OTHER: Final = ("", 0)
"""In the place of a type that isn't known."""


def _texts(found: Iterable[events.EventText]) -> list[EventText]:
    return [
        EventText(
            field=text.field,
            value=text.value,
            salt=b64encode(text.salt).decode() if text.salt is not None else None,
            erased_at=text.erased_at,
        )
        for text in found
    ]


_ORDER: Final = "events"
"""What cursors call the order of a timeline."""

# Of one row `actor` and what is in `data` are asked for one right after the other.
content = lru_cache(maxsize=1)(orjson.loads)


@dataclass(frozen=True, slots=True)
class _Answer:
    """Of which column a row answers a field, and by which expression."""

    column: str
    expression: str | Ready


_ANSWERS: Final = {
    "id": _Answer("id", Ready('row["id"]')),
    "type": _Answer("type", Ready('row["type"]')),
    "schemaVersion": _Answer("schema_version", Ready('row["schema_version"]')),
    "occurredAt": _Answer("occurred_at", Ready('print_time(row["occurred_at"])')),
    "actor": _Answer("body", 'actor_of(content(row["body"])["actor"])'),
    "stream": _Answer("stream_id", Ready('row["stream_id"]')),
    "sequence": _Answer("sequence", 'row["sequence"]'),
    "hash": _Answer("hash", Ready('row["hash"]')),
    "previousHash": _Answer("previous_hash", Ready('row["previous_hash"]')),
    "data": _Answer("body", 'content(row["body"])["data"]'),
    "texts": _Answer("texts", 'texts(texts_of(row["texts"]))'),
    "body": _Answer("body", Ready('row["body"]')),
}
FIELDS: Final = {name: answer.expression for name, answer in _ANSWERS.items()}
"""By which expressions rows answer the fields that every event has."""

NAMES: Final = {
    "print_time": print_time,
    "actor_of": Actor.of,
    "content": content,
    "texts": _texts,
    "texts_of": events.texts_of,
}
"""What those expressions name."""

WORDS: Final[set[str]] = set()
"""The fields of any type that people's words answer; `schema/types/event_kinds.py` fills it."""


def _type_of(row: Record) -> str:
    """The name of its type; where events aren't told apart it wasn't read, and any will do."""
    return class_of(row.get("type"), row.get("schema_version")).__name__


project(Event, Projection(rows=(Record,), fields=FIELDS, names=NAMES, type_of=_type_of))


def _columns(name: str) -> tuple[str, ...]:
    """Which columns answer a field of any event."""
    if name == TYPENAME:
        return ("type", "schema_version")
    if name in _ANSWERS:
        return (_ANSWERS[name].column,)
    return ("body", "texts") if name in WORDS else ("body",)


@lru_cache(maxsize=256)
def event_rows(selected: Selected | None) -> Reading[Record] | None:
    """How rows are read that may stand for events; `None` if whole events are wanted."""
    if selected is None:
        return None
    return events.ROWS.reading(frozenset(column for name in selected.fields for column in _columns(name)))


def stretch_of(window: Window) -> events.Stretch:
    """Which events a page of a timeline is made of; a `GraphQLError` for a cursor of another list."""
    place = read_number(window.place, _ORDER) if window.place is not None else None
    return events.Stretch(window.size + 1, place, window.backwards)


def timeline_shown(stream_id: str, rows: Sequence[Record], window: Window) -> Connection[Event]:
    """A page of the events of a stream, of rows that were read for it."""
    return page_of(events.EVENTS, rows, stream_id, "stream_id", order=_ORDER, by="sequence", window=window)


@data_loader
async def timeline_of(
    stream_ids: Sequence[str], _: Context, window: Window, selected: Selected | None
) -> list[Connection[Event]]:
    """A page of the events of each stream: one statement for all that are asked for. They are rows, if those have all that is
    selected of them."""
    reading = event_rows(selected)
    if reading is None:
        return await pages_of(
            events.EVENTS, Event.of, stream_ids, "stream_id", order=_ORDER, by="sequence", window=window
        )
    found = await pages_of(
        events.pages(reading), itself, stream_ids, "stream_id", order=_ORDER, by="sequence", window=window
    )
    return cast("list[Connection[Event]]", found)


@data_loader
async def cursor_of(event_ids: Sequence[str], _: Context) -> list[Cursor | None]:
    """The positions of events in the log: one statement for all that are asked for."""
    found = await log.positions_of(event_ids)
    return [Cursor(cursors.print_cursor(found[one])) if one in found else None for one in event_ids]


@data_loader
async def event_of(event_ids: Sequence[str], context: Context) -> list[Event | None]:
    """Events by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await events.EVENTS.by_id(context.known(), event_ids)
    return [Event.of(found[event_id]) if event_id in found else None for event_id in event_ids]
