"""Deletes finished deliveries and their attempts after a while; the log stays, and they can be made from it again.

What is kept is told by a position of the log, which only grows: the audit asks from there on. Nothing that still waits goes.
A deployment that has once asked for deliveries to be moved to an archive forgets none by itself from then on, though none was
old enough yet: an archive that is written daily from the first day on would else find only what the nights have left of them.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from escrow import database, ids, segments
from webhooks.delivery.lanes import Kind, State
from webhooks.owner.replays import position_recorded_before

KEPT: Final = timedelta(days=90)
"""How long a finished delivery can be looked up."""

BATCH: Final = 1_000
"""Deliveries of one statement: short enough to be in nobody's way."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is old enough to go."""

    kept_from: int
    """Deliveries of events from this position on are kept."""
    older_than: datetime

    @property
    def before_id(self) -> str:
        """No delivery that is old enough has this identifier or a later one: those that are kept need not be looked at."""
        return ids.first_at(ids.Kind.DELIVERY, self.older_than, ids.CLOCKS_APART)


async def bounds(kept: timedelta) -> Bounds:
    """What is older than `kept`; from now on the audit expects no deliveries of events that are."""
    now = await database.fetch_value("SELECT clock_timestamp()")
    position = await position_recorded_before((now - kept).timestamp())
    await database.execute(
        "UPDATE delivery_retention SET kept_from_position = greatest(kept_from_position, $1::bigint)", position + 1
    )
    return Bounds(await database.fetch_value("SELECT kept_from_position FROM delivery_retention"), now - kept)


async def leave_to_archive() -> None:
    """Forget no deliveries by ourselves from now on: they are to be moved."""
    await database.execute("UPDATE delivery_retention SET is_archived = true")


async def prune(kept: timedelta = KEPT) -> int:
    """Forget finished deliveries of events older than `kept`, and of what was asked for as long ago; answers how many.

    Where they are left to an archive it does nothing, and stops with the batch in which somebody asks for that.
    """
    if await database.fetch_value(f"SELECT {_LEFT_TO_ARCHIVE}"):
        return 0
    old = await bounds(kept)
    forgotten, after = 0, ""
    while True:
        row = await database.fetch_row(PRUNE, after, old.kept_from, old.older_than, BATCH, old.before_id)
        if row is None or row["last"] is None:
            break
        forgotten, after = forgotten + row["forgotten"], row["last"]
    await forget_what_hung_on_them(old)
    return forgotten


async def forget_what_hung_on_them(old: Bounds) -> None:
    """Lanes that nothing will use again, and replays that are over."""
    await database.execute(_FORGET_LANES)
    await database.execute(_FORGET_REPLAYS, old.older_than)


IS_OLD: Final = f"state <> '{State.PENDING}' AND (kind <> '{Kind.EVENT}' OR position < $2)"
"""Whether a delivery may go; `$2` is `Bounds.kept_from`."""

# A release that noted nothing may have moved some.
_LEFT_TO_ARCHIVE: Final = f"""(
    (SELECT is_archived FROM delivery_retention)
    OR EXISTS (SELECT FROM archives WHERE kind = '{segments.Kind.DELIVERIES}'))"""

LOOKED_TO: Final = """
SELECT max(id) FROM (SELECT id FROM deliveries WHERE id > $1 AND id < $4 AND created_at < $2 ORDER BY id LIMIT $3) AS looked
"""
"""The last of the next deliveries that are looked at, after one of them; NULL if there are none."""

# Identifiers are in the order of their making, so the primary key finds the oldest, and where the young ones begin: without
# that bound all of those were read to find no more.
PRUNE: Final = f"""
WITH looked AS MATERIALIZED (
    SELECT id, kind, position, state FROM deliveries
    WHERE id > $1 AND id < $5 AND created_at < $3 AND NOT {_LEFT_TO_ARCHIVE} ORDER BY id LIMIT $4
), old AS MATERIALIZED (
    SELECT id FROM looked WHERE {IS_OLD}
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
