"""Counts how deliveries stand, for metrics and readiness, at a cost that doesn't grow with what was ever delivered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escrow import database

COUNTED_MAX: Final = 10_000
"""Counts go so far: a scrape must not cost more, the more there is to worry about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryBacklog:
    """How deliveries stand now."""

    due_lanes: int
    """Lanes of enabled endpoints with something to send now that nobody is at, at most `COUNTED_MAX`."""
    waiting_lanes: int
    """Lanes whose next attempt waits for its time, or for its endpoint to be enabled, at most `COUNTED_MAX`."""
    oldest_due_seconds: float
    """How long the longest of the due ones has been so: how late the workers are. An open breaker doesn't count."""
    endpoints_disabled: int
    endpoints_failing: int
    """Enabled ones whose latest attempt failed."""
    breakers_open: int


async def backlog() -> DeliveryBacklog:
    """How deliveries stand now, in one statement."""
    row = await database.fetch_row(_BACKLOG, COUNTED_MAX)
    if row is None:
        raise RuntimeError("an aggregate without a row")
    return DeliveryBacklog(**row)


# The oldest is asked for endpoint by endpoint: many thousands that wait for one receiver must not hide what is late for another.
_BACKLOG: Final = """
WITH RECURSIVE active AS (
    (SELECT endpoint_id, 1 AS number FROM lanes WHERE due_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT lane.endpoint_id FROM lanes AS lane WHERE lane.due_at IS NOT NULL AND lane.endpoint_id > active.endpoint_id
        ORDER BY lane.endpoint_id LIMIT 1), number + 1
    FROM active WHERE active.endpoint_id IS NOT NULL AND number < $1
), ready AS MATERIALIZED (
    SELECT active.endpoint_id FROM active
    CROSS JOIN LATERAL (SELECT FROM endpoint_health WHERE endpoint_id = active.endpoint_id AND failures = 0
        AND (open_until IS NULL OR open_until <= clock_timestamp()) OFFSET 0) AS health
    WHERE EXISTS (
        SELECT FROM endpoints WHERE id = active.endpoint_id AND disabled_at IS NULL AND deleted_at IS NULL OFFSET 0)
), due AS (
    SELECT count(*) AS number FROM (SELECT FROM ready CROSS JOIN LATERAL (
        SELECT FROM lanes WHERE endpoint_id = ready.endpoint_id AND due_at <= clock_timestamp() OFFSET 0) AS lane
        LIMIT $1) AS counted
), oldest AS (
    SELECT min(lane.due_at) AS due_at FROM ready CROSS JOIN LATERAL (
        SELECT due_at FROM lanes WHERE endpoint_id = ready.endpoint_id AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT 1) AS lane
), unleased AS (
    SELECT count(*) AS number FROM (SELECT FROM lanes WHERE due_at IS NOT NULL AND token IS NULL LIMIT $1) AS counted
)
SELECT due.number AS due_lanes, greatest(unleased.number - due.number, 0) AS waiting_lanes,
    coalesce(extract(epoch FROM clock_timestamp() - oldest.due_at), 0)::float8 AS oldest_due_seconds,
    (SELECT count(*) FROM endpoints WHERE disabled_at IS NOT NULL AND deleted_at IS NULL) AS endpoints_disabled,
    (SELECT count(*) FROM endpoint_health WHERE failures > 0) AS endpoints_failing,
    (SELECT count(*) FROM endpoint_health WHERE open_until > clock_timestamp()) AS breakers_open
FROM due, oldest, unleased
"""
