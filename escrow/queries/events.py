"""Reads the events of a contract or an account as an actor may see them, with the words beside them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from escrow import database, ids
from escrow.access import Actor, may_see_stream
from escrow.agreement.events import WITHHELD
from escrow.database import Record
from escrow.ids import Kind
from escrow.queries.money_views import pages_of
from escrow.queries.visibility import SEEN_BY


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

_EVENTS: Final = f"SELECT e.*, e.stream_id AS owner_id, {TEXTS_SQL} FROM events e"  # noqa: S608 - our own text


async def events_pages(stream_ids: Collection[str], *, limit: int, after: int | None) -> dict[str, list[EventView]]:
    """For each stream at most `limit` events in sequence, those after the number `after`; one statement."""
    scan = f"{_EVENTS} WHERE e.stream_id = asked.id AND e.sequence > $3 ORDER BY e.sequence"
    return await pages_of(scan, event_view, stream_ids, limit, after or 0)


async def events_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, EventView]:
    """Those of the events that exist and that the actor may see, by identifier; one statement."""
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(Kind.EVENT, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(
        f"""
        SELECT found.*, {SEEN_BY}
        FROM ({_EVENTS} WHERE e.id = ANY($1::text[])) found LEFT JOIN contracts c ON c.id = found.owner_id
        """,  # noqa: S608 - our own text
        wanted,
    )
    return {row["id"]: event_view(row) for row in rows if _may_see_stream(actor, row)}


def _may_see_stream(actor: Actor, row: Record) -> bool:
    return may_see_stream(
        actor,
        stream_id=row["owner_id"],
        client_id=row["client_id"],
        freelancer_id=row["freelancer_id"],
        was_disputed=row["was_disputed"],
    )


def event_view(row: Record) -> EventView:
    """A row of `events` with its `texts` as an array of field, body, salt and time of erasure."""
    return EventView(
        id=row["id"],
        stream_id=row["stream_id"],
        sequence=row["sequence"],
        type=row["type"],
        schema_version=row["schema_version"],
        occurred_at=row["occurred_at"],
        body=row["body"],
        hash=row["hash"],
        previous_hash=row["previous_hash"],
        texts=tuple(
            EventText(field, orjson.loads(body) if body is not None else None, salt, erased_at)
            for field, body, salt, erased_at in row["texts"]
            if field not in WITHHELD
        ),
    )
