"""How deliveries stand: for metrics and for readiness, at a cost that doesn't grow with what was ever delivered."""

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


_BACKLOG: Final = """
WITH waiting AS MATERIALIZED (
    SELECT endpoint_id, due_at, token FROM lanes WHERE due_at IS NOT NULL LIMIT $1
), troubled AS MATERIALIZED (
    SELECT DISTINCT waiting.endpoint_id, health.failures > 0 AS is_failing,
        health.open_until IS NOT NULL AND health.open_until > clock_timestamp() AS is_open,
        endpoint.id IS NOT NULL AS is_enabled
    FROM (SELECT DISTINCT endpoint_id FROM waiting) AS waiting
    CROSS JOIN LATERAL (SELECT * FROM endpoint_health WHERE endpoint_id = waiting.endpoint_id OFFSET 0) AS health
    LEFT JOIN LATERAL (SELECT id FROM endpoints
        WHERE id = waiting.endpoint_id AND disabled_at IS NULL AND deleted_at IS NULL OFFSET 0) AS endpoint ON true
), due AS (
    SELECT waiting.due_at FROM waiting JOIN troubled USING (endpoint_id)
    WHERE waiting.due_at <= clock_timestamp() AND troubled.is_enabled AND NOT troubled.is_open AND NOT troubled.is_failing
)
SELECT (SELECT count(*) FROM due) AS due_lanes,
    (SELECT count(*) FROM waiting WHERE token IS NULL) - (SELECT count(*) FROM due) AS waiting_lanes,
    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8 FROM due) AS oldest_due_seconds,
    (SELECT count(*) FROM endpoints WHERE disabled_at IS NOT NULL AND deleted_at IS NULL) AS endpoints_disabled,
    (SELECT count(*) FROM endpoint_health WHERE failures > 0) AS endpoints_failing,
    (SELECT count(*) FROM endpoint_health WHERE open_until > clock_timestamp()) AS breakers_open
"""
