"""Reads the events of a contract or an account, exactly as they were sealed, with the words beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from escrow.agreement.events import WITHHELD
from escrow.database import Record, filled
from escrow.ids import Kind
from escrow.queries.views import Objects


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


TEXTS_SQL: Final = """ARRAY(
    SELECT ROW(x.field, x.body, x.salt, x.erased_at) FROM texts x WHERE x.event_id = e.id ORDER BY x.field) AS texts"""
"""The texts beside the event `e`, as `event_view` reads them."""


def event_view(row: Record) -> EventView:
    """A row of `events` with its `texts` as an array of field, body, salt and time of erasure."""
    texts = tuple(
        EventText(field, orjson.loads(body) if body is not None else None, salt, erased_at)
        for field, body, salt, erased_at in row["texts"]
        if field not in WITHHELD
    )
    return filled(EventView, row, texts=texts)


EVENTS: Final = Objects(
    select=f"SELECT * FROM (SELECT e.*, {TEXTS_SQL} FROM events e) one",  # noqa: S608 - our own text
    read=event_view,
    kind=Kind.EVENT,
    owner="stream_id",
)
