"""Slows down sending to an endpoint that fails, pauses it, and disables the endpoint after five days of failures.

All its lanes count together: one request at a time after a timeout, none for a while after many failures.
Waiting uses up no delivery's attempt. All of it ends with the first success. An endpoint that says that it is gone is disabled
at once; it is the account's own command, so its owner hears of it as of any other event.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from escrow import database, pipeline
from escrow.access import SYSTEM
from escrow.accounts.commands.endpoints import DisableEndpoint
from escrow.accounts.state.endpoints import DisabledReason
from escrow.errors import DomainError
from webhooks.delivery.completion_queue import Completed

BREAK_AFTER: Final = 10
"""Failures in a row, over all lanes, that open the breaker. A receiver that fails one time in five does so by chance once in
ten million attempts."""

PAUSE_SECONDS: Final = 10.0
PAUSE_SECONDS_MAX: Final = 600.0
"""How long the breaker stays open: twice as long each time that the one request after it fails, up to so long."""

FAILING_MAX: Final = timedelta(days=5)
"""An endpoint that had no success for so long is disabled."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What a batch of answers says of one endpoint."""

    endpoint_id: str
    has_succeeded: bool = False
    new_failures: int = 0
    """Since the last success in the batch."""
    has_timed_out: bool = False
    pause_seconds: float = 0.0


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
        trouble.new_failures += 1
        trouble.has_timed_out = trouble.has_timed_out or one.verdict.has_timed_out
        trouble.pause_seconds = max(trouble.pause_seconds, one.verdict.pause_seconds)
    return [found[endpoint_id] for endpoint_id in sorted(found)]


def arguments(troubles: Sequence[Trouble]) -> dict[str, object]:
    """The parameters of `NOTE_SQL`."""
    return {
        **_TROUBLES.bind([asdict(one) for one in troubles]),
        "break_after": BREAK_AFTER,
        "break_seconds": PAUSE_SECONDS,
        "break_seconds_max": PAUSE_SECONDS_MAX,
    }


_TROUBLES: Final = database.Rows(
    "trouble",
    "endpoint_id text, has_succeeded boolean, new_failures int, has_timed_out boolean, pause_seconds float8",
)

NOTE_SQL: Final = f"""
troubled AS MATERIALIZED (
    SELECT held.*, trouble.has_succeeded, trouble.new_failures, trouble.has_timed_out, trouble.pause_seconds,
        CASE WHEN trouble.has_succeeded THEN trouble.new_failures ELSE held.failures + trouble.new_failures END AS total
    FROM {_TROUBLES.sql}
    CROSS JOIN LATERAL (
        SELECT * FROM endpoint_health WHERE endpoint_id = trouble.endpoint_id
            AND (trouble.new_failures > 0 OR failures > 0 OR probation) FOR NO KEY UPDATE) AS held
), opening AS MATERIALIZED (
    SELECT *, total >= :break_after::int AND (open_until IS NULL OR open_until <= clock_timestamp()) AS opens FROM troubled
), noted_health AS (
    UPDATE endpoint_health AS health SET
        failures = opening.total,
        failing_since = CASE WHEN opening.total = 0 THEN NULL WHEN opening.has_succeeded THEN clock_timestamp()
            ELSE coalesce(health.failing_since, clock_timestamp()) END,
        probation = opening.total > 0 AND (opening.has_timed_out OR opening.opens
            OR (health.probation AND NOT opening.has_succeeded)),
        openings = CASE WHEN opening.total = 0 THEN 0 ELSE health.openings + opening.opens::int END,
        open_until = CASE WHEN opening.total = 0 THEN NULL ELSE greatest(health.open_until,
            CASE WHEN opening.opens THEN clock_timestamp() + interval '1 second'
                * least(:break_seconds::float8 * 2 ^ least(health.openings, 30), :break_seconds_max::float8) END,
            CASE WHEN opening.pause_seconds > 0
                THEN clock_timestamp() + opening.pause_seconds * interval '1 second' END) END
    FROM opening WHERE health.endpoint_id = opening.endpoint_id
    RETURNING health.endpoint_id, health.failing_since
)"""  # noqa: S608 - only names of parameters are filled in
"""CTEs that take over what `summarise` found; `noted_health` has the rows that changed."""

HEAL_SQL: Final = """
well AS MATERIALIZED (
    SELECT held.endpoint_id FROM (SELECT DISTINCT endpoint_id FROM {answered} ORDER BY endpoint_id) AS answered
    CROSS JOIN LATERAL (
        SELECT endpoint_id FROM endpoint_health WHERE endpoint_id = answered.endpoint_id AND (failures > 0 OR probation)
        FOR NO KEY UPDATE) AS held
), healed AS (
    UPDATE endpoint_health AS health
    SET failures = 0, failing_since = NULL, probation = false, openings = 0, open_until = NULL
    FROM well WHERE health.endpoint_id = well.endpoint_id
)"""
"""CTEs that do the same where the endpoints of all rows of a CTE had successes and nothing else."""


def disablings(done: Iterable[Completed], failing: Collection[str]) -> list[DisableEndpoint]:
    """The commands that follow: for who is gone, and for who was found without a success for `FAILING_MAX`.

    Each names the version of the endpoint that failed: one that was changed meanwhile gets its chance.
    """
    done = list(done)
    gone = {one.head.endpoint_id for one in done if one.verdict.is_gone}
    versions: dict[str, int] = {}
    for one in done:
        endpoint_id = one.head.endpoint_id
        if one.verdict.is_gone or endpoint_id not in gone:  # what others met since then was not gone
            versions[endpoint_id] = max(one.head.endpoint_version, versions.get(endpoint_id, 0))
    return [
        DisableEndpoint(
            endpoint_id=endpoint_id,
            reason=DisabledReason.GONE if endpoint_id in gone else DisabledReason.FAILING,
            expected_version=versions[endpoint_id],
        )
        for endpoint_id in gone.union(failing)
    ]


async def disable(command: DisableEndpoint) -> None:
    """Disable an endpoint. Whoever finds it failing later asks again, so nothing is retried."""
    said = {"endpoint": command.endpoint_id, "reason": command.reason}
    try:
        await pipeline.run(command, by=SYSTEM)
    except DomainError as refusal:
        _log.info("endpoint not disabled", extra=said | {"refusal": refusal.message})
    else:
        _log.warning("endpoint disabled", extra=said)
