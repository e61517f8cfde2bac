"""Completion: what came of many attempts, written by one statement, which hands back each lane's next delivery.

Only who holds a lane's lease moves it; an answer that comes after the lease is over is kept as an attempt and counts for
nothing. A lane is empty when it is done up to its tail, never because a look found no more: a look may be too early.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from escrow import database, ids
from webhooks.delivery import breaker
from webhooks.delivery.lanes import CONTENT, CONTENT_COLUMNS, Head, Lease, State, head_of
from webhooks.delivery.retries import Outcome
from webhooks.request.sender import Answer

FAILING_MAX: Final = timedelta(days=5)
"""An endpoint that had no success for so long is disabled."""

COMPLETIONS_MAX: Final = 250
"""Answers that one statement takes: enough for few statements a delivery, few enough to hold no lock for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A delivery that this process is done with for now."""

    head: Head
    lease: Lease
    outcome: Outcome
    answer: Answer | None = None
    """None: nothing was sent."""
    error: str | None = None
    """In place of an answer: why there will never be one, though something may have been sent."""
    started_at: datetime | None = None
    """When it was sent, by the database's clock; `None` if nothing was."""
    delay_seconds: float = 0.0
    pause_seconds: float = 0.0
    has_timed_out: bool = False
    is_gone: bool = False
    goes_on: bool = False
    """Whether this process would send the lane's next delivery, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What a completion leaves to do."""

    heads: tuple[tuple[Head, Lease], ...] = ()
    """The next deliveries of lanes that are still under this process's lease."""
    is_left_over: bool = False
    """Whether some lane is due that nobody holds."""
    failing_for_days: frozenset[str] = frozenset()
    """Endpoints without a success for `FAILING_MAX`."""


async def complete(done: Sequence[Completed], *, lease_seconds: float) -> Next:
    """Write down what came of these, at most one of each lane."""
    sent_at = time.monotonic()
    troubles = breaker.summarise(done)
    attempts = [one for one in done if one.answer is not None or one.error is not None]
    rows = await database.fetch(
        _COMPLETE,
        [one.head.endpoint_id for one in done],
        [one.head.lane for one in done],
        [one.head.position for one in done],
        [one.head.delivery_id for one in done],
        [one.head.event_id for one in done],
        [one.lease.token for one in done],
        [one.outcome.value for one in done],
        [one.delay_seconds for one in done],
        [one.goes_on for one in done],
        lease_seconds,
        *_columns([_attempt(one) for one in attempts], _ATTEMPT_COLUMNS),
        *_columns([trouble.row() for trouble in troubles], breaker.COLUMNS),
        breaker.BREAK_AFTER,
        breaker.PAUSE_SECONDS,
        breaker.PAUSE_SECONDS_MAX,
        FAILING_MAX,
        [one.head.endpoint_version for one in done],
    )
    by_id = {one.head.delivery_id: one for one in done}
    heads: list[tuple[Head, Lease]] = []
    is_left_over = False
    failing: set[str] = set()
    for row in rows:
        if row["before"] is None:
            failing.add(row["endpoint_id"])
        elif row["delivery_id"] is None:
            is_left_over = is_left_over or row["is_due"]
        else:
            lease = by_id[row["before"]].lease
            if row["is_extended"]:
                lease = Lease(token=lease.token, from_seconds=sent_at, at=row["at"])
            heads.append((head_of(row), lease))
    return Next(heads=tuple(heads), is_left_over=is_left_over, failing_for_days=frozenset(failing))


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(count)]


_ATTEMPT_COLUMNS: Final = 12


def _attempt(one: Completed) -> tuple[object, ...]:
    answer = one.answer
    attempt_id = ids.new(ids.Kind.ATTEMPT)
    if answer is None:
        facts: tuple[object, ...] = (one.started_at, None, one.error, None, None, None, None, None, None)
    else:
        facts = (
            one.started_at,
            answer.status,
            answer.error.value if answer.error is not None else None,
            answer.address,
            answer.dns_ms,
            answer.connect_ms,
            answer.first_byte_ms,
            answer.total_ms,
            answer.excerpt or None,
        )
    return (attempt_id, one.head.delivery_id, one.lease.token, *facts)


# The next delivery is what this statement's snapshot has; one that came later is known by the tail, and the lane is due.
# Rows are found by key one by one and lanes written by key, in no join, whose plan would follow old statistics.
# A failure at an endpoint that was changed or enabled meanwhile says nothing of it as it is now: its schedule begins anew.
_COMPLETE: Final = f"""
WITH given AS MATERIALIZED (
    SELECT given.*, next.* FROM (
        SELECT *, outcome IN ('{Outcome.DELIVERED}', '{Outcome.GIVEN_UP}') AS is_final FROM (
            SELECT endpoint_id, lane, position, delivery_id, event_id, token, delay_seconds, goes_on, is_outdated,
                CASE WHEN is_outdated THEN '{Outcome.WAIT}' ELSE outcome END AS outcome
            FROM (
                SELECT *, outcome <> '{Outcome.DELIVERED}' AND EXISTS (
                    SELECT FROM endpoints WHERE id = sent.endpoint_id AND version > sent.version OFFSET 0) AS is_outdated
                FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::uuid[], $7::text[],
                    $8::float8[], $9::boolean[], $32::int[])
                    AS sent (endpoint_id, lane, position, delivery_id, event_id, token, outcome, delay_seconds, goes_on, version)
            ) AS sent
        ) AS judged
    ) AS given LEFT JOIN LATERAL (
        SELECT id AS next_id, position AS next_position, event_id AS next_event_id, kind AS next_kind, body AS next_body
        FROM deliveries
        WHERE endpoint_id = given.endpoint_id AND lane = given.lane AND position > given.position
            AND given.is_final AND given.goes_on AND EXISTS (
                SELECT FROM endpoints WHERE id = given.endpoint_id AND disabled_at IS NULL AND deleted_at IS NULL OFFSET 0)
        ORDER BY position LIMIT 1) AS next ON true
    ORDER BY given.endpoint_id, given.lane
), locked AS MATERIALIZED (
    SELECT given.*, held.done, held.tail, held.failures, held.given_up, held.due_at, held.leased_at
    FROM given CROSS JOIN LATERAL (
        SELECT * FROM lanes
        WHERE endpoint_id = given.endpoint_id AND lane = given.lane AND token = given.token FOR UPDATE) AS held
), moved AS MATERIALIZED (
    SELECT *, CASE
            WHEN is_outdated THEN clock_timestamp()
            WHEN NOT is_final THEN clock_timestamp() + delay_seconds * interval '1 second'
            WHEN next_id IS NOT NULL AND due_at > clock_timestamp() + $10::float8 / 2 * interval '1 second' THEN due_at
            WHEN next_id IS NOT NULL THEN clock_timestamp() + $10::float8 * interval '1 second'
            WHEN tail > position THEN clock_timestamp() END AS new_due_at
    FROM locked
), written AS (
    INSERT INTO lanes (endpoint_id, lane, done, tail, failures, given_up, due_at, token, leased_at)
    SELECT endpoint_id, lane,
        CASE WHEN is_final THEN position ELSE done END, tail,
        CASE WHEN is_final OR is_outdated THEN 0 ELSE failures + (outcome = '{Outcome.RETRY}')::int END,
        CASE outcome WHEN '{Outcome.DELIVERED}' THEN NULL WHEN '{Outcome.GIVEN_UP}' THEN event_id ELSE given_up END,
        new_due_at, CASE WHEN next_id IS NOT NULL THEN token END, CASE WHEN next_id IS NOT NULL THEN clock_timestamp() END
    FROM moved
    ON CONFLICT (endpoint_id, lane) DO UPDATE SET done = excluded.done, failures = excluded.failures,
        given_up = excluded.given_up, due_at = excluded.due_at, token = excluded.token, leased_at = excluded.leased_at
), finished AS (
    UPDATE deliveries SET finished_at = clock_timestamp(),
        state = CASE moved.outcome WHEN '{Outcome.DELIVERED}' THEN '{State.DELIVERED}' ELSE '{State.FAILED}' END
    FROM moved WHERE moved.is_final AND deliveries.id = moved.delivery_id
), noted AS (
    INSERT INTO delivery_attempts AS attempt (id, delivery_id, token, started_at, status, error, address, dns_ms, connect_ms,
        first_byte_ms, total_ms, excerpt, is_late)
    SELECT new.*, NOT EXISTS (SELECT FROM moved WHERE moved.delivery_id = new.delivery_id) FROM unnest($11::text[], $12::text[],
        $13::uuid[], $14::timestamptz[], $15::int[], $16::text[], $17::text[], $18::float4[], $19::float4[], $20::float4[],
        $21::float4[], $22::bytea[]) AS new (id, delivery_id, token, started_at, status, error, address, dns_ms, connect_ms,
        first_byte_ms, total_ms, excerpt)
    ON CONFLICT (delivery_id, token) DO UPDATE SET status = excluded.status, error = excluded.error,
        address = excluded.address, dns_ms = excluded.dns_ms, connect_ms = excluded.connect_ms,
        first_byte_ms = excluded.first_byte_ms, total_ms = excluded.total_ms, excerpt = excluded.excerpt, is_late = true
), {breaker.note_sql(first=23)}
SELECT next.before, next.endpoint_id, next.lane, 0 AS failures, NULL AS given_up, next.delivery_id, next.position,
    next.event_id, next.kind, next.is_due, next.is_extended, {CONTENT_COLUMNS.format(head="next")}, clock_timestamp() AS at
FROM (
    SELECT delivery_id AS before, endpoint_id, lane, next_id AS delivery_id, next_position AS position,
        next_event_id AS event_id, next_kind AS kind, next_body AS body, new_due_at <= clock_timestamp() AS is_due,
        new_due_at IS DISTINCT FROM due_at AS is_extended
    FROM moved WHERE next_id IS NOT NULL OR new_due_at <= clock_timestamp()
) AS next {CONTENT.format(head="next")}
UNION ALL
SELECT NULL, endpoint_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM noted_health WHERE failing_since <= clock_timestamp() - $31::interval
"""
