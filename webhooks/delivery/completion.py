"""Writes down what came of many deliveries, by one statement, which hands back each lane's next delivery.

Where all of them were delivered and nothing was seen behind them, a shorter statement does: most of what PostgreSQL takes for a
batch of one is getting ready for all that might have happened.

Only who holds a lane's lease moves it; an answer that comes after the lease is over is kept as an attempt and counts for
nothing. What is written twice, since nobody heard that it was, is as if written once. A lane is empty when it is done up to
its tail, never because a look found no more: a look may be too early.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from escrow import database, ids
from webhooks.delivery import breaker
from webhooks.delivery.completion_queue import Completed
from webhooks.delivery.lanes import CONTENT, CONTENT_COLUMNS, Head, Lease, State, head_of
from webhooks.delivery.retries import Outcome
from webhooks.events.filters import BEGINS_ANEW
from webhooks.request.answers import ErrorClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What a completion leaves to do."""

    heads: Mapping[str, tuple[Head, Lease]] = field(default_factory=dict)
    """The next delivery of each lane that is still under this process's lease, by the id of the one before it."""
    is_left_over: bool = False
    """Whether some lane is due that nobody holds."""
    failing_for_days: frozenset[str] = frozenset()
    """Endpoints without a success for `breaker.FAILING_MAX`."""


async def complete(done: Sequence[Completed], *, lease_seconds: float) -> Next:
    """Write down what came of these, at most one of each lane."""
    if all(_is_the_end(one) for one in done):
        is_left_over = await database.fetch_value(*_DELIVERED.bind(**_DONE.bind([_delivered(one) for one in done])))
        return Next(is_left_over=is_left_over)
    sent_at = time.monotonic()
    attempts = [one for one in done if one.answer is not None or one.error is not None]
    rows = await database.fetch(
        *_COMPLETE.bind(
            **_SENT.bind([_sent(one) for one in done]),
            **_ATTEMPTS.bind([_attempt(one) for one in attempts]),
            **breaker.arguments(breaker.summarise(done)),
            lease_seconds=lease_seconds,
            failing_max=breaker.FAILING_MAX,
        )
    )
    leases = {one.head.delivery_id: one.lease for one in done}
    heads: dict[str, tuple[Head, Lease]] = {}
    for row in rows:
        if row["delivery_id"] is not None:
            lease = leases[row["before"]]
            if row["is_extended"]:
                lease = Lease(token=lease.token, from_seconds=sent_at, at=row["at"])
            heads[row["before"]] = (head_of(row), lease)
    return Next(
        heads=heads,
        is_left_over=any(row["is_due"] for row in rows if row["delivery_id"] is None),
        failing_for_days=frozenset(row["endpoint_id"] for row in rows if row["before"] is None),
    )


def _is_the_end(one: Completed) -> bool:
    """Whether it was delivered, and nothing had come behind it in its lane when it was sent."""
    return (
        one.head.is_last and one.verdict.outcome is Outcome.DELIVERED and one.answer is not None and one.error is None
    )


def _delivered(one: Completed) -> dict[str, object]:
    return _attempt(one) | {"endpoint_id": one.head.endpoint_id, "lane": one.head.lane, "position": one.head.position}


def _sent(one: Completed) -> dict[str, object]:
    return {
        "endpoint_id": one.head.endpoint_id,
        "lane": one.head.lane,
        "position": one.head.position,
        "delivery_id": one.head.delivery_id,
        "event_id": one.head.event_id,
        "version": one.head.endpoint_version,
        "failures_then": one.head.failures,
        "token": one.lease.token,
        "outcome": one.verdict.outcome.value,
        "delay_seconds": one.verdict.delay_seconds,
        "goes_on": one.goes_on,
    }


def _attempt(one: Completed) -> dict[str, object]:
    answer = one.answer
    return {
        "id": ids.new(ids.Kind.ATTEMPT),
        "delivery_id": one.head.delivery_id,
        "token": one.lease.token,
        "started_at": one.started_at,
        "error": one.error or (answer.error if answer is not None else None),
        "excerpt": (answer.excerpt or None) if answer is not None else None,
        **{measure: getattr(answer, measure, None) for measure in _MEASURES},
    }


_MEASURES: Final = ("status", "address", "dns_ms", "connect_ms", "first_byte_ms", "total_ms")

_SENT: Final = database.Rows(
    "sent",
    "endpoint_id text, lane text, position bigint, delivery_id text, event_id text, version int, failures_then int, token uuid, "
    "outcome text, delay_seconds float8, goes_on boolean",
)

_ATTEMPTS: Final = database.Rows(
    "new",
    "id text, delivery_id text, token uuid, started_at timestamptz, status int, error text, address text, dns_ms float4, "
    "connect_ms float4, first_byte_ms float4, total_ms float4, excerpt bytea",
)

_DONE: Final = database.Rows(
    "delivered",
    "endpoint_id text, lane text, position bigint, id text, delivery_id text, token uuid, started_at timestamptz, status int, "
    "error text, address text, dns_ms float4, connect_ms float4, first_byte_ms float4, total_ms float4, excerpt bytea",
)

# An attempt that is there already was either given up by who took the lane over, and then the answer is late; or the statement
# is repeated, since the connection was cut before it was heard that it is done, and then the attempt stays as it was judged.
_ATTEMPT_COLUMNS: Final = (
    "id, delivery_id, token, started_at, status, error, address, dns_ms, connect_ms, first_byte_ms, total_ms, excerpt"
)
_ATTEMPT_AGAIN: Final = f"""
    ON CONFLICT (delivery_id, token) DO UPDATE SET status = excluded.status, error = excluded.error,
        address = excluded.address, dns_ms = excluded.dns_ms, connect_ms = excluded.connect_ms,
        first_byte_ms = excluded.first_byte_ms, total_ms = excluded.total_ms, excerpt = excluded.excerpt, is_late = true
        WHERE attempt.error = '{ErrorClass.ABANDONED}'"""

# Does to each row what `_COMPLETE` does to it, in the same order of locks. What came behind it meanwhile is known by the tail,
# and claimed.
_DELIVERED: Final = database.Statement(f"""
WITH given AS MATERIALIZED (
    SELECT * FROM {_DONE.sql} ORDER BY endpoint_id, lane
), locked AS MATERIALIZED (
    SELECT given.endpoint_id, given.lane, given.position, given.delivery_id, held.tail
    FROM given CROSS JOIN LATERAL (
        SELECT tail FROM lanes
        WHERE endpoint_id = given.endpoint_id AND lane = given.lane AND token = given.token FOR UPDATE) AS held
), written AS (
    INSERT INTO lanes (endpoint_id, lane, done, tail, due_at)
    SELECT endpoint_id, lane, position, tail, CASE WHEN tail > position THEN clock_timestamp() END FROM locked
    ON CONFLICT (endpoint_id, lane) DO UPDATE SET done = excluded.done, failures = 0, given_up = NULL,
        due_at = excluded.due_at, token = NULL, leased_at = NULL
), finished AS (
    UPDATE deliveries SET finished_at = clock_timestamp(), state = '{State.DELIVERED}'
    FROM locked WHERE deliveries.id = locked.delivery_id
), noted AS (
    INSERT INTO delivery_attempts AS attempt ({_ATTEMPT_COLUMNS}, is_late)
    SELECT {_ATTEMPT_COLUMNS}, NOT EXISTS (SELECT FROM locked WHERE locked.delivery_id = given.delivery_id) FROM given
    {_ATTEMPT_AGAIN}
), {breaker.HEAL_SQL.format(answered="given")}
SELECT count(*) FILTER (WHERE tail > position) > 0 FROM locked
""")

# The next delivery is what this statement's snapshot has; one that came later is known by the tail, and the lane is due.
# Rows are found by key one by one and lanes written by key, in no join, whose plan would follow old statistics.
# A failure at an endpoint that was changed or enabled meanwhile says nothing of it as it is now: its schedule begins anew. Who
# leased a lane after the enabling, but before its failures were forgotten, is told apart by them, under the lock. Until they are,
# nothing is given up for them, and the endpoint isn't disabled for the days before.
_COMPLETE: Final = database.Statement(f"""
WITH given AS MATERIALIZED (
    SELECT sent.*, next.* FROM (
        SELECT *, EXISTS (
            SELECT FROM endpoints WHERE id = sent.endpoint_id AND version > sent.version OFFSET 0) AS is_changed
        FROM {_SENT.sql}
    ) AS sent LEFT JOIN LATERAL (
        SELECT id AS next_id, position AS next_position, stream_id AS next_stream_id, event_id AS next_event_id,
            kind AS next_kind, body AS next_body
        FROM deliveries
        WHERE endpoint_id = sent.endpoint_id AND lane = sent.lane AND position > sent.position
            AND sent.outcome = '{Outcome.DELIVERED}' AND sent.goes_on AND EXISTS (
                SELECT FROM endpoints WHERE id = sent.endpoint_id AND disabled_at IS NULL AND deleted_at IS NULL OFFSET 0)
        ORDER BY position LIMIT 1) AS next ON true
    ORDER BY sent.endpoint_id, sent.lane
), locked AS MATERIALIZED (
    SELECT given.*, held.done, held.tail, held.failures, held.given_up, held.due_at, held.leased_at,
        given.outcome <> '{Outcome.DELIVERED}' AND (given.is_changed OR held.failures < given.failures_then)
            OR given.outcome = '{Outcome.GIVEN_UP}' AND {BEGINS_ANEW.format(endpoint="given.endpoint_id")} AS is_outdated
    FROM given CROSS JOIN LATERAL (
        SELECT * FROM lanes
        WHERE endpoint_id = given.endpoint_id AND lane = given.lane AND token = given.token FOR UPDATE) AS held
), judged AS (
    SELECT *, NOT is_outdated AND outcome IN ('{Outcome.DELIVERED}', '{Outcome.GIVEN_UP}') AS is_final FROM locked
), moved AS MATERIALIZED (
    SELECT *, CASE
            WHEN is_outdated THEN clock_timestamp()
            WHEN NOT is_final THEN clock_timestamp() + delay_seconds * interval '1 second'
            WHEN next_id IS NOT NULL AND due_at > clock_timestamp() + :lease_seconds::float8 / 2 * interval '1 second' THEN due_at
            WHEN next_id IS NOT NULL THEN clock_timestamp() + :lease_seconds::float8 * interval '1 second'
            WHEN tail > position THEN clock_timestamp() END AS new_due_at
    FROM judged
), written AS (
    INSERT INTO lanes (endpoint_id, lane, done, tail, failures, given_up, due_at, token, leased_at)
    SELECT endpoint_id, lane,
        CASE WHEN is_final THEN position ELSE done END, tail,
        CASE WHEN is_final OR is_outdated THEN 0 ELSE failures + (outcome = '{Outcome.RETRY}')::int END,
        CASE WHEN NOT is_final THEN given_up WHEN outcome = '{Outcome.GIVEN_UP}' THEN event_id END,
        new_due_at, CASE WHEN next_id IS NOT NULL THEN token END, CASE WHEN next_id IS NOT NULL THEN clock_timestamp() END
    FROM moved
    ON CONFLICT (endpoint_id, lane) DO UPDATE SET done = excluded.done, failures = excluded.failures,
        given_up = excluded.given_up, due_at = excluded.due_at, token = excluded.token, leased_at = excluded.leased_at
), finished AS (
    UPDATE deliveries SET finished_at = clock_timestamp(),
        state = CASE moved.outcome WHEN '{Outcome.DELIVERED}' THEN '{State.DELIVERED}' ELSE '{State.FAILED}' END
    FROM moved WHERE moved.is_final AND deliveries.id = moved.delivery_id
), noted AS (
    INSERT INTO delivery_attempts AS attempt ({_ATTEMPT_COLUMNS}, is_late)
    SELECT new.*, NOT EXISTS (SELECT FROM moved WHERE moved.delivery_id = new.delivery_id) FROM {_ATTEMPTS.sql}
    {_ATTEMPT_AGAIN}
), {breaker.NOTE_SQL}
SELECT next.before, next.endpoint_id, next.lane, 0 AS failures, NULL AS given_up, next.delivery_id, next.position,
    next.event_id, next.kind, next.is_due, next.is_extended, {CONTENT_COLUMNS.format(head="next")}, clock_timestamp() AS at
FROM (
    SELECT delivery_id AS before, endpoint_id, lane, next_id AS delivery_id, next_position AS position,
        next_stream_id AS stream_id, next_event_id AS event_id, next_kind AS kind, next_body AS body,
        new_due_at <= clock_timestamp() AS is_due, new_due_at IS DISTINCT FROM due_at AS is_extended
    FROM moved WHERE next_id IS NOT NULL OR new_due_at <= clock_timestamp()
) AS next {CONTENT.format(head="next")}
UNION ALL
SELECT NULL, endpoint_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM noted_health WHERE failing_since <= clock_timestamp() - :failing_max::interval
    AND NOT {BEGINS_ANEW.format(endpoint="noted_health.endpoint_id")}
""")
