"""Decides which event goes to which endpoint, by the log alone, so that an audit can ask the same again.

An endpoint's filter holds from the position of the event that set it. The sequencer keeps `subscriptions` in its own
transaction, and who may see a stream is said in one piece of SQL.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from escrow import database
from escrow.accounts.events import (
    EndpointChanged,
    EndpointCreated,
    EndpointDeleted,
    EndpointEnabled,
)
from escrow.accounts.state.endpoints import EVERY_TYPE

OPEN: Final = 2**63 - 1
"""The end of a span that has none yet."""

STANDING_AUDIENCE: Final = """
SELECT client_id AS account_id FROM contracts WHERE id = {stream}
UNION SELECT freelancer_id FROM contracts WHERE id = {stream}
UNION SELECT operator.id FROM contracts AS seen, accounts AS operator WHERE seen.id = {stream} AND operator.is_operator
UNION SELECT id FROM accounts WHERE id = {stream}"""
"""The accounts that always see a stream: of a contract its parties and the operator, of an account itself."""

AUDIENCE: Final = f"""{STANDING_AUDIENCE}
UNION SELECT mediator.id FROM contracts AS seen, accounts AS mediator
    WHERE seen.id = {{stream}} AND seen.was_disputed AND mediator.is_mediator"""
"""The accounts that see a stream now: also the mediators, once there was a dispute and as long as they are appointed."""

FITS: Final = f"""(
    subscription.event_types && ARRAY['{EVERY_TYPE}', {{type}}, split_part({{type}}, '.', 1) || '.*']
    AND (subscription.contract_ids IS NULL OR {{stream}} = ANY (subscription.contract_ids)))"""
"""Whether the filter of a row `subscription` lets an event through."""

_MATCHES: Final = f"""
CROSS JOIN LATERAL ({{audience}} OFFSET 0) AS audience
CROSS JOIN LATERAL (
    SELECT endpoint_id FROM subscriptions AS subscription
    WHERE subscription.account_id = audience.account_id
        AND subscription.until_position >= placed.position AND subscription.since_position < placed.position
        AND {FITS.format(type="placed.type", stream="placed.stream_id")} OFFSET 0
) AS matching"""

MATCHES: Final = _MATCHES.format(audience=AUDIENCE.format(stream="placed.stream_id"))
"""Joins to rows `placed (position, stream_id, type)` the endpoints that the event goes to, looked up by key row by row."""

STANDING_MATCHES: Final = _MATCHES.format(audience=STANDING_AUDIENCE.format(stream="placed.stream_id"))
"""Those that it goes to whenever it is placed: who mediates, and where, comes and goes."""

GOES_TO: Final = f"""ARRAY(
    SELECT ROW(matching.endpoint_id, NOT health.probation
        AND (health.open_until IS NULL OR health.open_until <= clock_timestamp()) AND health.task IS NULL AND EXISTS (
            SELECT FROM endpoints WHERE id = matching.endpoint_id AND disabled_at IS NULL AND deleted_at IS NULL OFFSET 0))
    FROM (VALUES (placed.stream_id)) AS stream {MATCHES}
    CROSS JOIN LATERAL (SELECT * FROM endpoint_health WHERE endpoint_id = matching.endpoint_id OFFSET 0) AS health
    ORDER BY matching.endpoint_id)"""
"""An expression about a row `placed`: the endpoints that it goes to, each with whether something may be sent at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An event that just got its position."""

    position: int
    event_id: str
    stream_id: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An event that goes to an endpoint, and how that endpoint fares."""

    event: Placed
    endpoint_id: str
    is_open: bool
    """Whether something may be sent at once: it is enabled, not half-open, and its breaker is closed."""


class Task(StrEnum):
    """What is to be done with an endpoint's lanes."""

    WAKE = "WAKE"
    """It was changed or enabled: what waits becomes due, and the schedule begins anew."""
    END = "END"
    """It was deleted: what waits ends."""


_CHANGES: Final = frozenset({EndpointCreated.type, EndpointChanged.type})
_WAKES: Final = frozenset({EndpointChanged.type, EndpointEnabled.type})
_FOLLOWED: Final = _CHANGES | _WAKES | {EndpointDeleted.type}


BEGINS_ANEW: Final = f"""(
    EXISTS (SELECT FROM endpoint_health WHERE endpoint_id = {{endpoint}} AND task = '{Task.WAKE}' OFFSET 0)
    OR EXISTS (
        SELECT FROM endpoints AS waking
        JOIN log_pending AS pending ON pending.stream_id = waking.account_id
        JOIN events AS told ON told.stream_id = pending.stream_id AND told.id = pending.event_id
        WHERE waking.id = {{endpoint}} AND told.type IN ({", ".join(f"'{one}'" for one in sorted(_WAKES))}) OFFSET 0))"""
"""Whether an endpoint was changed or enabled, and not all of its lanes know it yet. What the log is still to tell may be of
another endpoint of the account, too."""


async def follow(connection: database.Connection, events: Sequence[Placed]) -> dict[str, Task]:
    """Take over what these events say of filters, in their order; answers what is to be done for endpoints afterwards."""
    tasks: dict[str, Task] = {}
    for event in events:
        if event.type not in _FOLLOWED:
            continue
        stored = await connection.fetchval(_BODY, event.stream_id, event.event_id)
        data: dict[str, Any] = json.loads(stored)["data"]
        endpoint_id = data["endpointId"]
        if event.type in _CHANGES:
            await connection.execute(
                _CHANGE, endpoint_id, event.position, event.stream_id, data["eventTypes"], data.get("contractIds")
            )
        if event.type in _WAKES:
            tasks[endpoint_id] = Task.WAKE
        elif event.type == EndpointDeleted.type:
            await connection.execute(_END, endpoint_id, event.position)
            tasks[endpoint_id] = Task.END
    return tasks


async def leave(connection: database.Connection, tasks: Mapping[str, Task]) -> None:
    """Leave these tasks to the maintenance; with them the endpoints' failures are forgotten.

    To be called after lanes were written: completions lock lanes before the health of endpoints, too.
    """
    for endpoint_id, task in sorted(tasks.items()):
        await connection.execute(_LEAVE, endpoint_id, task.value)


async def matches(
    connection: database.Connection, events: Sequence[Placed], before: Iterable[Sequence[tuple[str, bool]]]
) -> list[Match]:
    """The endpoints that each event goes to, in the log's order: those of `GOES_TO`, by the filters of `before` these events,
    unless one of them says something of filters."""
    if any(event.type in _FOLLOWED for event in events):
        before = await _goes_to(connection, events)
    return [
        Match(event=event, endpoint_id=endpoint_id, is_open=is_open)
        for event, endpoints in zip(events, before, strict=True)
        for endpoint_id, is_open in endpoints
    ]


async def _goes_to(connection: database.Connection, events: Sequence[Placed]) -> list[Sequence[tuple[str, bool]]]:
    rows = await connection.fetch(
        _MATCH,
        [event.position for event in events],
        [event.stream_id for event in events],
        [event.type for event in events],
    )
    return [row["goes_to"] for row in rows]


_BODY: Final = "SELECT body FROM events WHERE stream_id = $1 AND id = $2"

# The first filter comes with the row of health, so that nobody has to ask whether there is one.
_CHANGE: Final = f"""
WITH ended AS (
    UPDATE subscriptions SET until_position = $2 WHERE endpoint_id = $1 AND until_position = {OPEN}
), healthy AS (
    INSERT INTO endpoint_health (endpoint_id) VALUES ($1) ON CONFLICT DO NOTHING
)
INSERT INTO subscriptions (endpoint_id, since_position, account_id, event_types, contract_ids)
VALUES ($1, $2, $3, $4::text[], $5::text[])
"""

# Its own deletion is the first event that it doesn't get.
_END: Final = f"""
UPDATE subscriptions SET until_position = greatest(since_position, $2 - 1)
WHERE endpoint_id = $1 AND until_position = {OPEN}
"""

_LEAVE: Final = """
UPDATE endpoint_health SET task = $2, failures = 0, failing_since = NULL, openings = 0, open_until = NULL
WHERE endpoint_id = $1 AND task IS DISTINCT FROM 'END'
"""

_MATCH: Final = f"""
SELECT {GOES_TO} AS goes_to
FROM unnest({database.unseen("$1::bigint[]")}, {database.unseen("$2::text[]")}, {database.unseen("$3::text[]")})
    AS placed (position, stream_id, type)
ORDER BY placed.position
"""
