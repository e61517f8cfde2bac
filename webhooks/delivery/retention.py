"""Deletes finished deliveries and their attempts after a while; the log stays, and they can be made from it again.

What is kept is told by a position of the log, which only grows: the audit asks from there on. Nothing that still waits goes.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

from datetime import timedelta
from typing import Final

from escrow import database
from webhooks.delivery.lanes import Kind, State
from webhooks.owner.replays import position_recorded_before

KEPT: Final = timedelta(days=90)
"""How long a finished delivery can be looked up."""

BATCH: Final = 1_000
"""Deliveries of one statement: short enough to be in nobody's way."""


async def prune(kept: timedelta = KEPT) -> int:
    """Forget finished deliveries of events older than `kept`, and of what was asked for as long ago; answers how many."""
    now = await database.fetch_value("SELECT clock_timestamp()")
    position = await position_recorded_before((now - kept).timestamp())
    await database.execute(
        "UPDATE delivery_retention SET kept_from_position = greatest(kept_from_position, $1::bigint)", position + 1
    )
    kept_from = await database.fetch_value("SELECT kept_from_position FROM delivery_retention")
    forgotten, after = 0, ""
    while True:
        row = await database.fetch_row(_PRUNE, after, kept_from, now - kept, BATCH)
        if row is None or row["last"] is None:
            break
        forgotten, after = forgotten + row["forgotten"], row["last"]
    await database.execute(_FORGET_LANES)
    await database.execute(_FORGET_REPLAYS, now - kept)
    return forgotten


# Identifiers are in the order of their making, so the primary key finds the oldest.
_PRUNE: Final = f"""
WITH looked AS MATERIALIZED (
    SELECT id, kind, position, state FROM deliveries WHERE id > $1 AND created_at < $3 ORDER BY id LIMIT $4
), old AS MATERIALIZED (
    SELECT id FROM looked WHERE state <> '{State.PENDING}' AND (kind <> '{Kind.EVENT}' OR position < $2)
), attempts AS (
    DELETE FROM delivery_attempts USING old WHERE delivery_attempts.delivery_id = old.id
), gone AS (
    DELETE FROM deliveries USING old WHERE deliveries.id = old.id RETURNING 1
)
SELECT (SELECT max(id) FROM looked) AS last, (SELECT count(*) FROM gone) AS forgotten
"""

# A lane of a test, a redelivery or a replay is never used again once it is idle; that of a stream may be, and stays.
_FORGET_LANES: Final = """
DELETE FROM lanes WHERE due_at IS NULL AND (lane LIKE 'dlv\\_%' OR lane LIKE 'rpl\\_%')
    AND NOT EXISTS (SELECT FROM replays WHERE replays.id = split_part(lane, '/', 1) AND replays.due_at IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM deliveries WHERE deliveries.endpoint_id = lanes.endpoint_id AND deliveries.lane = lanes.lane OFFSET 0)
"""

_FORGET_REPLAYS: Final = "DELETE FROM replays WHERE due_at IS NULL AND created_at < $1"
