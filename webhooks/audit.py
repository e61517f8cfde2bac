"""Audits deliveries against the log, which alone tells who should get what: each must have it exactly once.

Beside that every lane must stand where its deliveries say, what is final must follow from attempts, and the filters in force
must be those that the log has. It reads in short snapshots, since a long one keeps PostgreSQL from clearing up behind lanes,
which change all the time.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from escrow import cuts, database, log
from escrow.accounts.events import EndpointChanged, EndpointCreated, EndpointDeleted, MediatorAppointed
from escrow.audit.differences import Difference
from webhooks.delivery.lanes import Kind, State
from webhooks.events.filters import OPEN, STANDING_MATCHES

BATCH_POSITIONS: Final = 1_000
BATCH_LANES: Final = 1_000
BATCH_DELIVERIES: Final = 5_000
"""Of one snapshot."""

Span = tuple[str, int, int, str, tuple[str, ...], tuple[str, ...] | None]
"""A row of `subscriptions`."""


async def audit_deliveries(*, batch: int = BATCH_POSITIONS) -> AsyncIterator[Difference]:
    """Everything that is not as it should be; nothing if all is well. What still waits is no difference."""
    spans: dict[str, list[Span]] = {}
    kept_from: int | None = await database.fetch_value("SELECT kept_from_position FROM delivery_retention")
    last = await log.last_position()
    if kept_from is None or kept_from > last + 1:
        yield Difference("delivery_retention", "deliveries are kept from", f"a position up to {last + 1}", kept_from)
    for start, end in await cuts.stretches(last, positions=batch):
        async with database.transaction(snapshot=True):
            differences = [*await _events(start, end), *await _states(start, end)]
            await _follow(spans, start, end)
        for difference in differences:
            yield difference
    for difference in await _filters(spans, last):
        yield difference
    after: str | None = ""
    while after is not None:
        after, unfounded = await _unfounded(after)
        for difference in unfounded:
            yield difference
    key = ("", "")
    while True:
        async with database.transaction(snapshot=True):
            rows = await database.fetch(_LANES, *key, BATCH_LANES)
        for row in rows:
            for difference in _lane(row):
                yield difference
        if len(rows) < BATCH_LANES:
            return
        key = (rows[-1]["endpoint_id"], rows[-1]["lane"])


async def _events(first: int, last: int) -> list[Difference]:
    """Events with too few deliveries or too many, or with one that isn't what it says."""
    rows = await database.fetch(_EVENTS, first, last)
    return [
        Difference(
            row["event_id"],
            f"delivery to {row['endpoint_id']}",
            "one, in the lane of its stream" if row["is_due"] else "none",
            "another" if row["delivery_id"] else "none",
        )
        for row in rows
    ]


async def _states(first: int, last: int) -> list[Difference]:
    """Final deliveries whose attempts say something else."""
    rows = await database.fetch(_STATES, first, last)
    return [
        Difference(row["event_id"], f"delivery to {row['endpoint_id']}", "what its attempts say", row["state"])
        for row in rows
    ]


async def _unfounded(after: str) -> tuple[str | None, list[Difference]]:
    """The last of the next deliveries, `None` if there are none; and those of them whose event the log doesn't have there."""
    row = await database.fetch_row(_UNFOUNDED, after, BATCH_DELIVERIES)
    if row is None:
        return None, []
    return row["last"], [
        Difference(delivery_id, "delivery", f"one of an event at position {position}", event_id)
        for delivery_id, position, event_id in row["unfounded"]
    ]


async def _follow(spans: dict[str, list[Span]], first: int, last: int) -> None:
    """What these positions of the log say of filters."""
    for row in await database.fetch(_CHANGES, first, last, [*_CHANGING, EndpointDeleted.type]):
        data: dict[str, Any] = json.loads(row["body"])["data"]
        endpoint_id: str = data["endpointId"]
        known = spans.setdefault(endpoint_id, [])
        if known and known[-1][2] == OPEN:
            former = known.pop()
            end = row["position"] if row["type"] in _CHANGING else max(former[1], row["position"] - 1)
            known.append((*former[:2], end, *former[3:]))
        if row["type"] in _CHANGING:
            contracts = data.get("contractIds")
            known.append(
                (
                    endpoint_id,
                    row["position"],
                    OPEN,
                    row["stream_id"],
                    tuple(data["eventTypes"]),
                    None if contracts is None else tuple(contracts),
                )
            )


_CHANGING: Final = (EndpointCreated.type, EndpointChanged.type)


async def _filters(spans: dict[str, list[Span]], last: int) -> list[Difference]:
    expected = {span for known in spans.values() for span in known}
    found = {
        (
            row["endpoint_id"],
            row["since_position"],
            row["until_position"],
            row["account_id"],
            tuple(row["event_types"]),
            None if row["contract_ids"] is None else tuple(row["contract_ids"]),
        )
        for row in await database.fetch(_SUBSCRIPTIONS, last, OPEN)
    }
    return [
        *(Difference(span[0], "subscription", span[1:], None) for span in sorted(expected - found, key=str)),
        *(Difference(span[0], "subscription", None, span[1:]) for span in sorted(found - expected, key=str)),
    ]


def _lane(row: database.Record) -> Iterator[Difference]:
    subject = f"{row['endpoint_id']} {row['lane']}"
    if row["last"] is None:
        if row["due_at"] is not None or row["tail"] >= row["kept_from"] > 0:
            yield Difference(subject, "deliveries", "some", "none")
        return
    if row["last"] != row["tail"]:
        yield Difference(subject, "tail", row["last"], row["tail"])
    if row["first_pending"] is not None and row["first_pending"] <= row["done"]:
        yield Difference(subject, "done", f"less than {row['first_pending']}, which is pending", row["done"])
    if row["last_final"] is not None and row["last_final"] > row["done"]:
        yield Difference(subject, "done", f"at least {row['last_final']}, which is final", row["done"])
    if (row["due_at"] is None) != (row["first_pending"] is None):
        yield Difference(subject, "is idle", row["first_pending"] is None, row["due_at"] is None)


_PLACED: Final = """placed AS MATERIALIZED (
    SELECT place.position, place.event_id, place.stream_id, event.type FROM log_positions AS place
    CROSS JOIN LATERAL (
        SELECT type FROM events WHERE stream_id = place.stream_id AND id = place.event_id OFFSET 0) AS event
    WHERE place.position BETWEEN greatest($1, (SELECT kept_from_position FROM delivery_retention)) AND $2
)"""

# Two sets for each event: who should get it, and who has a delivery of it. Mediators get what is disputed while they are
# appointed, which the log doesn't tell event by event, so theirs are neither missed nor too many.
_EVENTS: Final = f"""
WITH {_PLACED}, expected AS (
    SELECT placed.position, placed.event_id, placed.stream_id, placed.type, matching.endpoint_id
    FROM placed {STANDING_MATCHES}
), found AS (
    SELECT placed.position, placed.event_id, placed.stream_id, delivery.* FROM placed CROSS JOIN LATERAL (
        SELECT id, endpoint_id, lane, position AS at, stream_id AS of, event_type FROM deliveries
        WHERE event_id = placed.event_id AND kind = '{Kind.EVENT}' OFFSET 0) AS delivery
)
SELECT event_id, endpoint_id, expected.position IS NOT NULL AS is_due, found.id AS delivery_id
FROM expected FULL JOIN found USING (event_id, endpoint_id)
WHERE (expected.position IS NULL AND NOT EXISTS (
        SELECT FROM endpoints AS of, events AS appointed
        WHERE of.id = endpoint_id AND appointed.stream_id = of.account_id AND appointed.type = '{MediatorAppointed.type}'))
    OR found.id IS NULL
    OR (found.lane, found.at, found.of, found.event_type)
        <> (expected.stream_id, expected.position, expected.stream_id, expected.type)
    OR NOT EXISTS (SELECT FROM lanes WHERE endpoint_id = found.endpoint_id AND lane = found.lane)
ORDER BY expected.position
"""

# Delivered is what was accepted in time, failed what never was, cancelled what waited for an endpoint that was deleted.
_STATES: Final = f"""
WITH {_PLACED}
SELECT placed.event_id, delivery.endpoint_id, delivery.state FROM placed
CROSS JOIN LATERAL (
    SELECT id, endpoint_id, state FROM deliveries
    WHERE event_id = placed.event_id AND kind = '{Kind.EVENT}' AND state <> '{State.PENDING}' OFFSET 0) AS delivery
CROSS JOIN LATERAL (
    SELECT count(*) AS number,
        count(*) FILTER (WHERE status BETWEEN 200 AND 299 AND error IS NULL AND NOT is_late) > 0 AS was_accepted
    FROM delivery_attempts WHERE delivery_id = delivery.id OFFSET 0) AS attempts
WHERE CASE delivery.state
    WHEN '{State.DELIVERED}' THEN NOT was_accepted
    WHEN '{State.FAILED}' THEN number = 0 OR was_accepted
    ELSE was_accepted OR EXISTS (SELECT FROM endpoints WHERE id = delivery.endpoint_id AND deleted_at IS NULL) END
ORDER BY placed.position
"""

# What is sent beside the log has a body of its own.
_UNFOUNDED: Final = f"""
WITH looked AS MATERIALIZED (
    SELECT id, position, event_id, kind FROM deliveries WHERE id > $1 ORDER BY id LIMIT $2
)
SELECT max(id) AS last, ARRAY(
    SELECT ROW(id, position, event_id) FROM looked
    WHERE kind NOT IN ('{Kind.TEST}', '{Kind.LOG_CUT}') AND NOT EXISTS (
        SELECT FROM log_positions WHERE position = looked.position AND event_id = looked.event_id OFFSET 0)) AS unfounded
FROM looked HAVING count(*) > 0
"""

_CHANGES: Final = """
SELECT place.position, place.stream_id, event.type, event.body FROM log_positions AS place
CROSS JOIN LATERAL (
    SELECT type, body FROM events WHERE stream_id = place.stream_id AND id = place.event_id OFFSET 0) AS event
WHERE place.position BETWEEN $1 AND $2 AND event.type = ANY ($3) ORDER BY place.position
"""

# As they were at a position. An endpoint that was deleted by the next event ends at that very position, as one does that was
# changed there, but nothing of it comes after that.
_SUBSCRIPTIONS: Final = """
SELECT endpoint_id, since_position, account_id, event_types, contract_ids,
    CASE WHEN until_position > $1 OR until_position = $1 AND since_position = last THEN $2 ELSE until_position END
        AS until_position
FROM (SELECT *, max(since_position) OVER (PARTITION BY endpoint_id) AS last FROM subscriptions) AS subscription
WHERE since_position <= $1
"""

_LANES: Final = f"""
SELECT lane.*, counted.*, coalesce((SELECT kept_from_position FROM delivery_retention), 0) AS kept_from
FROM (SELECT * FROM lanes WHERE (endpoint_id, lane) > ($1, $2) ORDER BY endpoint_id, lane LIMIT $3) AS lane
CROSS JOIN LATERAL (
    SELECT max(position) AS last, min(position) FILTER (WHERE state = '{State.PENDING}') AS first_pending,
        max(position) FILTER (WHERE state <> '{State.PENDING}') AS last_final
    FROM deliveries WHERE deliveries.endpoint_id = lane.endpoint_id AND deliveries.lane = lane.lane OFFSET 0
) AS counted
ORDER BY lane.endpoint_id, lane.lane
"""
