"""Reads the events of a contract or an account, exactly as they were sealed, with the words beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, Final, TypeVar

import orjson

from escrow.agreement.events import WITHHELD
from escrow.database import Record, filled, unseen
from escrow.ids import Kind
from escrow.queries.reading import Reading, Selections
from escrow.queries.views import Objects, Pages

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EventText:
    """A person's words that an event holds as a salted hash; `value` and `salt` are gone once erased."""

    field: str
    value: Any
    salt: bytes | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventView:
    """An event of a stream, exactly as it was sealed, with the texts beside it that readers are shown."""

    id: str
    stream_id: str
    sequence: int
    type: str
    schema_version: int
    occurred_at: datetime
    body: str
    hash: str
    previous_hash: str | None
    texts: tuple[EventText, ...]


def texts_sql(alias: str) -> str:
    """The texts beside the event called so, as `texts_of` reads them."""
    return f"""ARRAY(
    SELECT ROW(x.field, x.body, x.salt, x.erased_at) FROM texts x
    WHERE x.stream_id = {alias}.stream_id AND x.event_id = {alias}.id ORDER BY x.field) AS texts"""  # noqa: S608 - our own text


TEXTS_SQL: Final = texts_sql("e")


def event_view(row: Record) -> EventView:
    """A row of `events` with its `texts`."""
    return filled(EventView, row, texts=texts_of(row["texts"]))


def texts_of(rows: Iterable[Sequence[Any]]) -> tuple[EventText, ...]:
    """Those that readers are shown, of an array of field, body, salt and time of erasure."""
    return tuple(
        EventText(field, orjson.loads(body) if body is not None else None, salt, erased_at)
        for field, body, salt, erased_at in rows
        if field not in WITHHELD
    )


EVENTS: Final = Objects(
    select=f"SELECT * FROM (SELECT e.*, {TEXTS_SQL} FROM events e) one",  # noqa: S608 - our own text
    read=event_view,
    kind=Kind.EVENT,
    owner="stream_id",
)

COLUMNS: Final = tuple(one.name for one in fields(EventView))
WHOLE: Final = Reading(COLUMNS, event_view)
ROWS: Final = Selections(frozenset(COLUMNS))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which events of a stream are read: at most so many behind a place in it, or before it if it is read backwards."""

    limit: int
    place: int | None
    backwards: bool = False

    @property
    def start(self) -> int:
        """The sequence from which it begins: without a place before the first event, or behind the last."""
        if self.place is not None:
            return self.place
        return _END if self.backwards else 0


_END: Final = 2**63 - 1


def stretch_sql(reading: Reading[Any], of: str, *, backwards: bool) -> str:
    """The events of a stream, which is given as SQL, from `:start`, at most `:limit`; the first column is the identifier."""
    further, direction = ("<", "DESC") if backwards else (">", "ASC")
    columns = reading.sql("one", "sequence", beside={"texts": texts_sql("one")})
    return f"""SELECT one.id AS joined, {columns} FROM events one
        WHERE one.stream_id = {of} AND one.sequence {further} {unseen(":start::bigint")}
        ORDER BY one.sequence {direction} LIMIT {unseen(":limit::int")}"""  # noqa: S608 - our own columns


@cache
def pages(reading: Reading[T]) -> Pages[T]:
    """Events of a stream, with what is read of each."""
    columns = reading.sql("one", "sequence", beside={"texts": texts_sql("one")})
    return Pages(select=f"SELECT {columns} FROM events one", read=reading.make)  # noqa: S608 - our own columns
