"""How an endpoint fares, all its lanes together: probation after a timeout, and a circuit breaker after many failures.

Waiting for either uses up no delivery's attempt. Both end with the first success; so does the count of days without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from webhooks.delivery.completion import Completed

BREAK_AFTER: Final = 10
"""Failures in a row, over all lanes, that open the breaker. A receiver that fails one time in five does so by chance once in
ten million attempts."""

PAUSE_SECONDS: Final = 10.0
PAUSE_SECONDS_MAX: Final = 600.0
"""How long the breaker stays open: twice as long each time that the one request after it fails, up to so long."""

COLUMNS: Final = 5


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What a batch of answers says of one endpoint."""

    endpoint_id: str
    has_succeeded: bool = False
    failures: int = 0
    """Since the last success in the batch."""
    has_timed_out: bool = False
    pause_seconds: float = 0.0

    def row(self) -> tuple[object, ...]:
        return (self.endpoint_id, self.has_succeeded, self.failures, self.has_timed_out, self.pause_seconds)


def summarise(done: Iterable[Completed]) -> list[Trouble]:
    """What these say of their endpoints, in the order of their ids, so that rows are locked in one order."""
    found: dict[str, Trouble] = {}
    for one in done:
        if one.answer is None:
            continue  # a fault of ours says nothing of the receiver
        trouble = found.setdefault(one.head.endpoint_id, Trouble(endpoint_id=one.head.endpoint_id))
        if one.answer.is_success:
            found[one.head.endpoint_id] = Trouble(endpoint_id=one.head.endpoint_id, has_succeeded=True)
            continue
        trouble.failures += 1
        trouble.has_timed_out = trouble.has_timed_out or one.has_timed_out
        trouble.pause_seconds = max(trouble.pause_seconds, one.pause_seconds)
    return [found[endpoint_id] for endpoint_id in sorted(found)]


def note_sql(*, first: int) -> str:
    """CTEs that take over what `summarise` found; `noted_health` has the rows that changed.

    Their parameters are the columns of `Trouble.row`, then `BREAK_AFTER`, `PAUSE_SECONDS` and `PAUSE_SECONDS_MAX`.
    """
    columns = ", ".join(
        f"${first + number}::{kind}[]" for number, kind in enumerate(("text", "boolean", "int", "boolean", "float8"))
    )
    threshold, pause, pause_max = (f"${first + COLUMNS + number}" for number in range(3))
    return f"""troubled AS MATERIALIZED (
    SELECT held.*, given.has_succeeded, given.new_failures, given.has_timed_out, given.pause_seconds,
        CASE WHEN given.has_succeeded THEN given.new_failures ELSE held.failures + given.new_failures END AS total
    FROM unnest({columns}) AS given (endpoint_id, has_succeeded, new_failures, has_timed_out, pause_seconds)
    CROSS JOIN LATERAL (
        SELECT * FROM endpoint_health WHERE endpoint_id = given.endpoint_id
            AND (given.new_failures > 0 OR failures > 0 OR probation) FOR NO KEY UPDATE) AS held
), opening AS MATERIALIZED (
    SELECT *, total >= {threshold}::int AND (open_until IS NULL OR open_until <= clock_timestamp()) AS opens FROM troubled
), noted_health AS (
    UPDATE endpoint_health AS health SET
        failures = opening.total,
        failing_since = CASE WHEN opening.total = 0 THEN NULL WHEN opening.has_succeeded THEN clock_timestamp()
            ELSE coalesce(health.failing_since, clock_timestamp()) END,
        probation = opening.total > 0 AND (opening.has_timed_out OR opening.opens
            OR (health.probation AND NOT opening.has_succeeded)),
        openings = CASE WHEN opening.total = 0 THEN 0 ELSE health.openings + opening.opens::int END,
        open_until = CASE WHEN opening.total = 0 THEN NULL ELSE greatest(health.open_until,
            CASE WHEN opening.opens THEN clock_timestamp()
                + least({pause}::float8 * 2 ^ least(health.openings, 30), {pause_max}::float8) * interval '1 second' END,
            CASE WHEN opening.pause_seconds > 0
                THEN clock_timestamp() + opening.pause_seconds * interval '1 second' END) END
    FROM opening WHERE health.endpoint_id = opening.endpoint_id
    RETURNING health.endpoint_id, health.failing_since
)"""  # noqa: S608 - only numbers of parameters are filled in
