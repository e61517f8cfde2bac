"""Claims due lanes for this process, under a lease and fairly across endpoints; one statement.

Endpoints are visited in a circle, and of each no more lanes are taken than it has free slots. Who finds a lease that was
never given back writes down the attempt that it stood for: a killed worker can't.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from escrow import database
from webhooks.delivery.concurrency import Capacity
from webhooks.delivery.lanes import CONTENT, CONTENT_COLUMNS, Head, Lease, head_of
from webhooks.request.answers import ErrorClass

ENDPOINTS_MAX: Final = 128
"""Endpoints that one claim looks at; the next one goes on from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a claim took."""

    lease: Lease
    heads: tuple[Head, ...]
    half_open: frozenset[str]
    """Those of their endpoints that get one request at a time."""
    next_endpoint: str
    """Where the next claim goes on; empty to begin anew."""


async def claim(*, after: str, capacity: Capacity, lease_seconds: float) -> Claim:
    """Lease lanes that are due, of the endpoints after `after`; those due longest first, in turns.

    As many as the capacity allows, in all and of each endpoint; of a half-open one a single lane. Disabled endpoints,
    those with an open breaker and those whose lanes are still to be woken or ended are passed over.
    """
    token = uuid4()
    from_seconds = time.monotonic()
    rows = await database.fetch(
        *_CLAIM.bind(
            **_BUSY.bind(
                [
                    {"endpoint_id": endpoint_id, "taken": taken, "slots": limit}
                    for endpoint_id, (taken, limit) in capacity.endpoints.items()
                ]
            ),
            after=after,
            endpoints_max=ENDPOINTS_MAX,
            slots=capacity.endpoint_requests,
            requests=capacity.requests,
            half_open_requests=capacity.half_open_requests,
            token=token,
            lease_seconds=lease_seconds,
        )
    )
    heads: list[Head] = []
    for row in rows:
        if row["endpoint_id"] is None:
            continue
        head = row
        if row["delivery_id"] is None:
            # Its delivery was committed after this statement's snapshot, its lane read as it is by now.
            late = await database.fetch_row(*_HEAD.bind(endpoint_id=row["endpoint_id"], lane=row["lane"], token=token))
            if late is None:
                continue
            head = late
        heads.append(head_of(head))
    return Claim(
        lease=Lease(token=token, from_seconds=from_seconds, at=rows[0]["at"]),
        heads=tuple(heads),
        half_open=frozenset(row["endpoint_id"] for row in rows if row["probation"]),
        next_endpoint=rows[0]["next_endpoint"] or "",
    )


_FIRST_PENDING: Final = """
LEFT JOIN LATERAL (
    SELECT id AS delivery_id, position, stream_id, event_id, kind, body FROM deliveries
    WHERE endpoint_id = {lane}.endpoint_id AND lane = {lane}.lane AND position > {lane}.done
    ORDER BY position LIMIT 1
) AS head ON true"""

# Each look-up is one by key, whatever the planner's statistics say of tables that were empty a minute ago; so is the write,
# which would be a join as an UPDATE.
_BUSY: Final = database.Rows("busy", "endpoint_id text, taken int, slots int")

_CLAIM: Final = database.Statement(f"""
WITH RECURSIVE active AS (
    (SELECT endpoint_id, 1 AS number FROM lanes WHERE due_at IS NOT NULL AND endpoint_id > :after ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT lane.endpoint_id FROM lanes AS lane WHERE lane.due_at IS NOT NULL AND lane.endpoint_id > active.endpoint_id
        ORDER BY lane.endpoint_id LIMIT 1), number + 1
    FROM active WHERE active.endpoint_id IS NOT NULL AND number < :endpoints_max
), room AS (
    SELECT active.endpoint_id, health.probation, open.slots,
        row_number() OVER (PARTITION BY health.probation ORDER BY active.endpoint_id) AS turn
    FROM active
    CROSS JOIN LATERAL (SELECT * FROM endpoint_health WHERE endpoint_id = active.endpoint_id OFFSET 0) AS health
    LEFT JOIN {_BUSY.sql} ON busy.endpoint_id = active.endpoint_id
    CROSS JOIN LATERAL (SELECT CASE WHEN health.probation THEN least(1, coalesce(busy.slots, 1))
        ELSE coalesce(busy.slots, :slots) END - coalesce(busy.taken, 0) AS slots) AS open
    WHERE open.slots > 0 AND (health.open_until IS NULL OR health.open_until <= clock_timestamp())
        AND health.task IS NULL
        AND EXISTS (
            SELECT FROM endpoints WHERE id = active.endpoint_id AND disabled_at IS NULL AND deleted_at IS NULL OFFSET 0)
        AND EXISTS (SELECT FROM lanes AS lane
            WHERE lane.endpoint_id = active.endpoint_id AND lane.due_at <= clock_timestamp() OFFSET 0)
), chosen AS (
    SELECT due.endpoint_id, due.lane, room.probation FROM room CROSS JOIN LATERAL (
        SELECT endpoint_id, lane, row_number() OVER (ORDER BY due_at) AS turn FROM lanes
        WHERE endpoint_id = room.endpoint_id AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT room.slots) AS due
    WHERE NOT room.probation OR room.turn <= :half_open_requests
    ORDER BY due.turn LIMIT :requests
), locked AS MATERIALIZED (
    SELECT held.*, chosen.probation FROM (SELECT * FROM chosen ORDER BY endpoint_id, lane) AS chosen CROSS JOIN LATERAL (
        SELECT * FROM lanes WHERE endpoint_id = chosen.endpoint_id AND lane = chosen.lane AND due_at <= clock_timestamp()
        FOR UPDATE SKIP LOCKED) AS held
), leased AS (
    INSERT INTO lanes (endpoint_id, lane, done, tail, failures, given_up, due_at, token, leased_at)
    SELECT endpoint_id, lane, done, tail, failures, given_up,
        clock_timestamp() + :lease_seconds::float8 * interval '1 second', :token, clock_timestamp() FROM locked
    ON CONFLICT (endpoint_id, lane)
        DO UPDATE SET due_at = excluded.due_at, token = excluded.token, leased_at = excluded.leased_at
), headed AS MATERIALIZED (
    SELECT locked.endpoint_id, locked.lane, locked.failures, locked.given_up, locked.probation,
        locked.token AS lost_token, locked.leased_at AS lost_at, head.* FROM locked {_FIRST_PENDING.format(lane="locked")}
), abandoned AS (
    INSERT INTO delivery_attempts (id, delivery_id, token, started_at, error)
    SELECT new_attempt_id(), delivery_id, lost_token, lost_at, '{ErrorClass.ABANDONED}' FROM headed
    WHERE lost_token IS NOT NULL AND delivery_id IS NOT NULL
    ON CONFLICT (delivery_id, token) DO NOTHING
), visited AS (
    SELECT CASE WHEN count(*) = :endpoints_max THEN max(endpoint_id) END AS next_endpoint FROM active
)
SELECT visited.next_endpoint, clock_timestamp() AS at, headed.endpoint_id, headed.lane, headed.failures, headed.given_up,
    headed.position, headed.event_id, headed.delivery_id, headed.kind, {CONTENT_COLUMNS.format(head="headed")},
    headed.probation
FROM visited LEFT JOIN (headed {CONTENT.format(head="headed")}) ON true
""")

_HEAD: Final = database.Statement(f"""
WITH leased AS (
    SELECT * FROM lanes WHERE endpoint_id = :endpoint_id AND lane = :lane AND token = :token
), headed AS MATERIALIZED (
    SELECT leased.endpoint_id, leased.lane, leased.failures, leased.given_up, head.*
    FROM leased {_FIRST_PENDING.format(lane="leased")}
)
SELECT headed.*, {CONTENT_COLUMNS.format(head="headed")}
FROM headed {CONTENT.format(head="headed")} WHERE headed.delivery_id IS NOT NULL
""")
