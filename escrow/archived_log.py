"""Copies the log to an archive, and compares both: a proof outside of the database of what the log said.

Events are copied, never moved: readers begin at the beginning, and the audit folds every stream from its first event. What
people wrote is not copied, only the salted hashes that the events hold of it, so that an erasure reaches all there is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from escrow import database, log, segments
from escrow.audit.differences import Difference
from escrow.segments import Kind, Row, Segment, Store

SEGMENT_EVENTS: Final = 20_000
"""Events of one file: some 20 MB in memory, a few on disk."""


def _schema() -> Any:
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            ("position", pa.int64()),
            ("id", pa.string()),
            ("stream_id", pa.string()),
            ("sequence", pa.int64()),
            ("type", pa.string()),
            ("schema_version", pa.int32()),
            ("occurred_at", moment),
            ("placed_at", moment),
            ("client_id", pa.string()),
            ("freelancer_id", pa.string()),
            ("previous_hash", pa.string()),
            ("hash", pa.string()),
            ("body", pa.string()),
        ]
    )


async def copy(store: Store, *, until: int, size: int = SEGMENT_EVENTS) -> AsyncIterator[Segment]:
    """Copy what isn't copied yet, up to a position; yields each segment once it is listed. It may be killed at any point.

    Refuses with `Unusable` for a place that hasn't the segment before.
    """
    await store.must_hold(await segments.last(Kind.LOG))
    while True:
        before = await segments.last(Kind.LOG)
        after = int(before.last_key) if before is not None else 0
        rows = await _rows(after, until, size)
        if not rows:
            return
        yield await segments.write(store, Kind.LOG, rows, before=before, schema=_schema(), key="position")


async def _rows(after: int, until: int, limit: int) -> list[Row]:
    """The log after a position, up to another; the numbers themselves may leave some out."""
    return [dict(row) for row in await database.fetch(_ROWS, after, until, limit)]


_ROWS: Final = """
SELECT place.position, event.id, event.stream_id, event.sequence, event.type, event.schema_version, event.occurred_at,
       place.placed_at, place.client_id, place.freelancer_id, event.previous_hash, event.hash, event.body
FROM (
    SELECT * FROM log_positions WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3
) AS place CROSS JOIN LATERAL (
    SELECT * FROM events WHERE stream_id = place.stream_id AND id = place.event_id OFFSET 0) AS event
ORDER BY place.position
"""


async def audit_archived_log(store: Store) -> AsyncIterator[Difference]:
    """Everything that is not as it should be between the archive and the log: files, digests, places, bytes, hashes."""
    before, position = "", 0
    for segment in await segments.listed(Kind.LOG):
        try:
            rows = segments.from_parquet(await store.get(segment.name), _schema())
        except segments.Unusable as error:
            yield Difference(segment.name, "file", "a segment of the log", str(error))
            rows = []
        else:
            if (found := segments.digest(before, rows)) != segment.digest:
                yield Difference(segment.name, "digest", segment.digest, found)
        for difference in await _compared(segment, rows, after=position):
            yield difference
        before, position = segment.digest, int(segment.last_key)


async def _compared(segment: Segment, rows: list[Row], *, after: int) -> list[Difference]:
    """The events of a segment beside those that the log has from the end of the one before to its own."""
    archived = {row["position"] or 0: row for row in rows}  # an altered file may lack what every event has
    found = {row["position"]: row for row in await _rows(after, int(segment.last_key), segment.row_count + 1)}
    differences = [
        Difference(f"{segment.name} {position}", "event", _shown(found.get(position)), _shown(archived.get(position)))
        for position in sorted(found.keys() | archived.keys() if rows else ())
        if found.get(position) != archived.get(position)
    ]
    return differences + [
        Difference(row["id"], "hash of the archived body", row["hash"], made)
        for row in rows
        if (made := log.event_hash(row["body"] or "")) != row["hash"]
    ]


def _shown(row: Row | None) -> str:
    return "none" if row is None else f"{row['id']} {row['hash']}"
