"""Makes the deliveries that an owner asks for beside those of events: one again, a stretch of the log again, or a test.

Each goes in a lane of its own, so it neither waits for the events of its stream nor holds them up, but shares the
endpoint's limits, breaker and retries. Who may ask is decided before; a deleted endpoint gets nothing.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from escrow import bell, cursors, database, ids, log
from escrow.bell import Topic
from escrow.errors import InvalidState, NotFound
from webhooks.delivery.lanes import Kind, State
from webhooks.events.filters import AUDIENCE, FITS, OPEN

EVENTS_PER_STEP: Final = 25
STEP_SECONDS: Final = 1.0
"""A replay makes so many deliveries in so long, at most."""

WAITING_MAX: Final = 200
"""While so many lanes of an endpoint wait, its replays wait, too."""

UNDER_WAY_MAX: Final = 10
"""Replays of an endpoint that are not over: all endpoints' replays take turns."""

LOOKED_AT_MAX: Final = 2_000
"""Positions of the log that one step looks at, whether they are the endpoint's or not."""

_CLOCKS_APART: Final = timedelta(minutes=5)
"""Events are committed by many hosts, and not in the order in which they were begun."""


async def redeliver(delivery_id: str) -> str:
    """Have a delivery made once more; answers with the id of the one that will be attempted.

    That is a new one for a delivery that is final, with the same `webhook-id`. One that still waits is due at once. Refuses
    with `NotFound` if there is none, and with `InvalidState` if its endpoint was deleted.
    """
    new_id = ids.new(ids.Kind.DELIVERY)
    row = await database.fetch_row(_REDELIVER, delivery_id, new_id)
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.", field="deliveryId")
    if row["is_deleted"]:
        raise InvalidState("The endpoint of this delivery was deleted; nothing is sent to it any more.")
    await bell.ring(Topic.DELIVERIES)
    return delivery_id if row["is_pending"] else new_id


async def enqueue_test(endpoint_id: str, *, event_id: str, event_type: str, event_body: str, stream_id: str) -> str:
    """Have an event sent that never happened and stands in no log; answers with the id of its delivery.

    Refuses with `NotFound` if there is no such endpoint.
    """
    delivery_id = ids.new(ids.Kind.DELIVERY)
    made = await database.fetch_row(_TEST, endpoint_id, delivery_id, event_id, event_type, event_body, stream_id)
    if made is None:
        raise NotFound(f"There is no webhook endpoint {endpoint_id}.", field="endpointId")
    await bell.ring(Topic.DELIVERIES)
    return delivery_id


async def replay(endpoint_id: str, *, after: int | None = None, at: datetime | None = None) -> str:
    """Have an endpoint get once more what lies in the log after a position, or what occurred from a time on, up to now.

    It gets what its filter lets through today, a little at a time, marked as a replay. Answers with the replay's id. Refuses
    with `NotFound` if there is no such endpoint, and with `InvalidState` if too many of its replays are under way.
    """
    if (after is None) == (at is None):
        raise ValueError("a replay begins after a position or at a time")
    start = (
        min(after, cursors.POSITION_MAX - 1)
        if after is not None
        else await position_before(at)
        if at is not None
        else 0
    )
    replay_id = ids.new(ids.Kind.REPLAY)
    row = await database.fetch_row(_REPLAY, endpoint_id, replay_id, start, UNDER_WAY_MAX)
    if row is None or not row["is_there"]:
        raise NotFound(f"There is no webhook endpoint {endpoint_id}.", field="endpointId")
    if not row["is_made"]:
        raise InvalidState(
            f"An endpoint has at most {UNDER_WAY_MAX} replays under way; wait until one is over.", field="endpointId"
        )
    await bell.ring(Topic.DELIVERIES)
    return replay_id


async def position_before(at: datetime) -> int:
    """The position before the first event that occurred at `at` or later; the last one if none did.

    What silence brought about may stand later in the log than it occurred, so no order of times can be relied on: identifiers,
    which are made in the order of real time, tell from where on to look.
    """
    offset = await database.fetch_value("SELECT clock_offset FROM deployment")
    earliest = await position_recorded_before(at.timestamp() - (offset + _CLOCKS_APART).total_seconds())
    first = await database.fetch_value(_FIRST_SINCE, earliest, at)
    return await log.last_position() if first is None else first - 1


async def position_recorded_before(at_seconds: float) -> int:
    """A position up to which every event was written before a moment, in seconds of real time since 1970 and by the clocks of
    those who wrote."""
    low, high = 0, await log.last_position()
    while low < high:
        middle = (low + high + 1) // 2
        # There is none before the first one, which a log that was cut while it was empty has far from 1.
        event_id = await database.fetch_value(_LAST_UNTIL, middle)
        if event_id is None or ids.made_at_seconds(event_id) < at_seconds:
            low = middle
        else:
            high = middle - 1
    return low


async def step() -> bool:
    """Take the next step of a replay that is due; answers whether there was one. Those whose endpoint has enough waiting
    already are put off, and stand in nobody's way."""
    while (has_stepped := await _step()) is None:
        pass
    return has_stepped


async def _step() -> bool | None:
    """`None` if the one that was due is put off."""
    async with database.transaction() as connection:
        replay = await connection.fetchrow(_DUE)
        if replay is None:
            return False
        account_id = await connection.fetchval(_OWNER, replay["endpoint_id"])
        if account_id is None:  # deleted
            await connection.execute("UPDATE replays SET due_at = NULL WHERE id = $1", replay["id"])
            return True
        if replay["waiting"] >= WAITING_MAX:
            await connection.execute(_LATER, replay["endpoint_id"], STEP_SECONDS)
            return None
        end = min(replay["until_position"], replay["next_position"] + LOOKED_AT_MAX - 1)
        found = await connection.fetch(
            _FOUND, replay["endpoint_id"], account_id, replay["next_position"], end, EVENTS_PER_STEP
        )
        following = found[-1]["position"] + 1 if len(found) == EVENTS_PER_STEP else await _after(connection, end)
        await _make(connection, replay, found)
        is_over = following > replay["until_position"]
        await connection.execute(_ADVANCE, replay["id"], following, len(found), is_over, STEP_SECONDS if found else 0.0)
    return True


async def _after(connection: database.Connection, position: int) -> int:
    """The next position to look at: it may lie far away, where the log was cut."""
    following: int | None = await connection.fetchval(_NEXT, position)
    return following if following is not None else position + 1


async def _make(connection: database.Connection, replay: database.Record, found: Sequence[database.Record]) -> None:
    lanes = [f"{replay['id']}/{row['stream_id']}" for row in found]
    spans: dict[str, tuple[int, int]] = {}
    for lane, row in zip(lanes, found, strict=True):
        spans[lane] = (spans.get(lane, (row["position"], 0))[0], row["position"])
    ordered = sorted(spans)
    await connection.execute(
        _MAKE,
        replay["endpoint_id"],
        [ids.new(ids.Kind.DELIVERY) for _ in found],
        lanes,
        [row["position"] for row in found],
        [row["event_id"] for row in found],
        [row["type"] for row in found],
        [row["stream_id"] for row in found],
        ordered,
        [spans[lane][0] for lane in ordered],
        [spans[lane][1] for lane in ordered],
    )


_LAST_UNTIL: Final = "SELECT event_id FROM log_positions WHERE position <= $1 ORDER BY position DESC LIMIT 1"

_NEXT: Final = "SELECT position FROM log_positions WHERE position > $1 ORDER BY position LIMIT 1"

# The endpoint is held until what is made for it is committed: its deletion waits so long, and whoever ends it finds everything.
_THERE: Final = "SELECT FROM endpoints WHERE id = {endpoint} AND deleted_at IS NULL FOR SHARE"

_OWNER: Final = "SELECT account_id FROM endpoints WHERE id = $1 AND deleted_at IS NULL FOR SHARE"

_REDELIVER: Final = f"""
WITH former AS (
    SELECT *, state = '{State.PENDING}' AS is_pending,
        NOT EXISTS ({_THERE.format(endpoint="deliveries.endpoint_id")}) AS is_deleted
    FROM deliveries WHERE id = $1
), again AS (
    INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id, kind, body)
    SELECT $2, endpoint_id, $2, position, event_id, event_type, stream_id,
        CASE WHEN body IS NOT NULL THEN kind ELSE '{Kind.REDELIVERY}' END, body
    FROM former WHERE NOT is_pending AND NOT is_deleted
    RETURNING endpoint_id, lane, position
), lane AS (
    INSERT INTO lanes (endpoint_id, lane, done, tail, due_at)
    SELECT endpoint_id, lane, position - 1, position, clock_timestamp() FROM again
), hastened AS (
    UPDATE lanes SET due_at = clock_timestamp() FROM former
    WHERE lanes.endpoint_id = former.endpoint_id AND lanes.lane = former.lane AND former.is_pending
        AND lanes.token IS NULL AND lanes.due_at > clock_timestamp()
)
SELECT is_pending, is_deleted FROM former
"""

_TEST: Final = f"""
WITH made AS (
    INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id, kind, body)
    SELECT $2, $1, $2, 0, $3, $4, $6, '{Kind.TEST}', $5 WHERE EXISTS ({_THERE.format(endpoint="$1")})
    RETURNING endpoint_id, lane
)
INSERT INTO lanes (endpoint_id, lane, done, tail, due_at)
SELECT endpoint_id, lane, -1, 0, clock_timestamp() FROM made RETURNING lane
"""

_REPLAY: Final = f"""
WITH there AS MATERIALIZED ({_THERE.format(endpoint="$1")}), made AS (
    INSERT INTO replays (id, endpoint_id, after_position, next_position, until_position, due_at)
    SELECT $2, $1, $3::bigint, $3::bigint + 1, last.position,
        CASE WHEN $3::bigint < last.position THEN clock_timestamp() END
    FROM there, (SELECT coalesce(max(position), 0) AS position FROM log_positions) AS last
    WHERE (SELECT count(*) FROM replays WHERE endpoint_id = $1 AND due_at IS NOT NULL) < $4::int
    RETURNING id
)
SELECT EXISTS (SELECT FROM there) AS is_there, EXISTS (SELECT FROM made) AS is_made
"""

_FIRST_SINCE: Final = """
SELECT placed.position FROM log_positions AS placed
CROSS JOIN LATERAL (
    SELECT occurred_at FROM events WHERE stream_id = placed.stream_id AND id = placed.event_id OFFSET 0) AS event
WHERE placed.position > $1 AND event.occurred_at >= $2 ORDER BY placed.position LIMIT 1
"""

_DUE: Final = f"""
SELECT id, endpoint_id, next_position, until_position,
    (SELECT count(*) FROM (SELECT FROM lanes WHERE lanes.endpoint_id = replays.endpoint_id AND due_at IS NOT NULL
        LIMIT {WAITING_MAX}) AS waiting) AS waiting
FROM replays WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""

_FOUND: Final = f"""
SELECT placed.position, placed.event_id, placed.stream_id, event.type
FROM log_positions AS placed
CROSS JOIN LATERAL (
    SELECT type FROM events WHERE stream_id = placed.stream_id AND id = placed.event_id OFFSET 0) AS event
CROSS JOIN (SELECT * FROM subscriptions WHERE endpoint_id = $1 AND until_position = {OPEN}) AS subscription
WHERE placed.position BETWEEN $3 AND $4
    AND {FITS.format(type="event.type", stream="placed.stream_id")}
    AND $2 IN ({AUDIENCE.format(stream="placed.stream_id")})
ORDER BY placed.position LIMIT $5
"""

_MAKE: Final = f"""
WITH made AS (
    INSERT INTO deliveries (endpoint_id, kind, id, lane, position, event_id, event_type, stream_id)
    SELECT $1, '{Kind.REPLAY}', new.* FROM unnest(
        $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[]) AS new
)
INSERT INTO lanes AS lane (endpoint_id, lane, done, tail, due_at)
SELECT $1, new.lane, new.first - 1, new.last, clock_timestamp()
FROM unnest($8::text[], $9::bigint[], $10::bigint[]) AS new (lane, first, last) ORDER BY new.lane
ON CONFLICT (endpoint_id, lane) DO UPDATE SET tail = excluded.tail, due_at = coalesce(lane.due_at, excluded.due_at)
"""

_ADVANCE: Final = """
UPDATE replays SET next_position = $2, deliveries = deliveries + $3,
    due_at = CASE WHEN NOT $4 THEN clock_timestamp() + $5::float8 * interval '1 second' END
WHERE id = $1
"""

# All of the endpoint, apart from those that another worker is at.
_LATER: Final = """
UPDATE replays SET due_at = clock_timestamp() + $2::float8 * interval '1 second' WHERE id IN (
    SELECT id FROM replays WHERE endpoint_id = $1 AND due_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)
"""
