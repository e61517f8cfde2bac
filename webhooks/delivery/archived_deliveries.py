"""Moves finished deliveries with their attempts to an archive, instead of forgetting them after a while.

What goes is what `retention.prune` would delete. A batch is deleted, written, read back and listed in one transaction, so it is
in the database or in the archive, never in neither: whoever is killed leaves a file that nobody lists. Answers' excerpts are
other people's words and stay out of it.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

from escrow import database, segments
from escrow.audit.differences import Difference
from escrow.segments import Kind, Row, Segment, Store
from webhooks.delivery import retention

BATCH: Final = 5_000
"""Deliveries of one file."""

STORE_SECONDS_MAX: Final = 600
"""How long PostgreSQL waits while a store takes a file and gives it back: longer than a silent one is asked, try by try."""

_LOCK: Final = 0x6172_6368_6976_6573
"""The advisory lock's number, the same in every release: "archives" in ASCII."""


def _schema() -> Any:
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    attempt = [
        ("id", pa.string()),
        ("started_at", moment),
        ("status", pa.int32()),
        ("error", pa.string()),
        ("address", pa.string()),
        ("dns_ms", pa.float32()),
        ("connect_ms", pa.float32()),
        ("first_byte_ms", pa.float32()),
        ("total_ms", pa.float32()),
        ("is_late", pa.bool_()),
    ]
    return pa.schema(
        [
            ("id", pa.string()),
            ("endpoint_id", pa.string()),
            ("lane", pa.string()),
            ("position", pa.int64()),
            ("event_id", pa.string()),
            ("event_type", pa.string()),
            ("stream_id", pa.string()),
            ("kind", pa.string()),
            ("state", pa.string()),
            ("created_at", moment),
            ("finished_at", moment),
            ("attempts", pa.list_(pa.struct(attempt))),
        ]
    )


async def move(store: Store, *, kept: timedelta = retention.KEPT, size: int = BATCH) -> AsyncIterator[Segment]:
    """Move what is older than `kept`; yields each segment once its rows are gone from the database.

    From now on no other way is taken, though there may be nothing to move yet. Refuses with `Unusable` for a place that hasn't
    the segment before.
    """
    await store.must_hold(await segments.last(Kind.DELIVERIES))
    await retention.leave_to_archive()
    bounds = await retention.bounds(kept)
    after = ""
    looking = (bounds.older_than, size, bounds.before_id)
    while (until := await database.fetch_value(retention.LOOKED_TO, after, *looking)) is not None:
        async with database.transaction() as connection:
            await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{STORE_SECONDS_MAX}s'")
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            before = await segments.last(Kind.DELIVERIES)
            rows = await _taken(after, until, bounds)
            segment = (
                await segments.write(store, Kind.DELIVERIES, rows, before=before, schema=_schema(), key="id")
                if rows
                else None
            )
        if segment is not None:
            yield segment
        after = until
    await retention.forget_what_hung_on_them(bounds)


async def _taken(after: str, until: str, bounds: retention.Bounds) -> list[Row]:
    """The old deliveries after the one up to the other, which are deleted; each with its attempts."""
    deliveries = await database.fetch(_TAKE, after, bounds.kept_from, bounds.older_than, until)
    attempts: dict[str, list[Row]] = {}
    for row in await database.fetch(_TAKE_ATTEMPTS, [row["id"] for row in deliveries]):
        attempt = dict(row)
        attempts.setdefault(attempt.pop("delivery_id"), []).append(attempt)
    return [dict(row) | {"attempts": attempts.get(row["id"], [])} for row in deliveries]


_TAKE: Final = f"""
WITH gone AS (
    DELETE FROM deliveries WHERE id > $1 AND id <= $4 AND created_at < $3 AND {retention.IS_OLD}
    RETURNING id, endpoint_id, lane, position, event_id, event_type, stream_id, kind, state, created_at, finished_at
)
SELECT * FROM gone ORDER BY id
"""

_TAKE_ATTEMPTS: Final = """
WITH gone AS (
    DELETE FROM delivery_attempts WHERE delivery_id = ANY ($1)
    RETURNING delivery_id, id, started_at, status, error, address, dns_ms, connect_ms, first_byte_ms, total_ms, is_late
)
SELECT * FROM gone ORDER BY delivery_id, id
"""


async def audit_archived_deliveries(store: Store) -> AsyncIterator[Difference]:
    """Files that are missing or hold something else than when they were listed, and deliveries that are here and there."""
    before = ""
    for segment in await segments.listed(Kind.DELIVERIES):
        try:
            rows = segments.from_parquet(await store.get(segment.name), _schema())
        except segments.Unusable as error:
            yield Difference(segment.name, "file", "deliveries", str(error))
        else:
            if (found := segments.digest(before, rows)) != segment.digest:
                yield Difference(segment.name, "digest", segment.digest, found)
            here = await database.fetch("SELECT id FROM deliveries WHERE id = ANY ($1)", [row["id"] for row in rows])
            for row in here:
                yield Difference(row["id"], "delivery", "in the archive alone", "in the database, too")
        before = segment.digest
