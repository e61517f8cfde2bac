"""Serves `/healthz`, which says that the process lives, and `/readyz`, which says whether it can serve and what is slow.

Anybody may ask, as machines do that end what doesn't answer: all of a quarter of a second get the same.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.live.door import Door
from api.responses import json_answer
from escrow import backlogs, bell, migrate, replica, sweep
from escrow.parts import Part
from escrow.payments import reconciliation
from escrow.replica import Standing
from webhooks.owner.stats import backlog as delivery_backlog

DATABASE_TIMEOUT_SECONDS: Final = 2.0
LAG_SECONDS_MAX: Final = 30.0
"""A sequencer that is further behind leaves webhooks and feeds late: degraded, since commands still work."""

OVERDUE_SECONDS_MAX: Final = 60.0
"""Deadlines that are later than this are not being applied: no worker runs, or none gets through. Not ready, so that
somebody is told by the means that everybody has."""

DELIVERIES_LATE_SECONDS_MAX: Final = 60.0
"""Webhooks that are later than this, for no fault of their receiver, are not being sent fast enough: degraded."""

FAILING_MAX: Final = 100
"""A few contracts that fail for a fault of ours are a matter for the log and the metrics; so many are the deployment's."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What `/readyz` found out."""

    database: bool
    migrations: bool
    redis: bool
    lag_seconds: float
    """How long the oldest committed event has waited for its position in the log."""
    overdue_seconds: float = 0.0
    """How long the oldest deadline has been due that no fault of its own contract holds up."""
    failing: int = 0
    """Contracts whose deadlines fail for a fault of ours."""
    deliveries_late_seconds: float = 0.0
    """How long the oldest webhook has been due whose receiver would take it."""
    differences: int = 0
    """Sums that are others at the payment provider than in the ledger."""
    standby: Standing | None = None
    """The standby that lists are read from; `None` if the deployment has none. Without it the primary answers all."""

    @property
    def status(self) -> str:
        if not (self.database and self.migrations) or self.overdue_seconds > OVERDUE_SECONDS_MAX:
            return "not ready"
        if self.failing > FAILING_MAX:
            return "not ready"
        in_time = self.lag_seconds <= LAG_SECONDS_MAX and self.deliveries_late_seconds <= DELIVERIES_LATE_SECONDS_MAX
        well = self.redis and in_time and not self.failing and not self.differences
        well = well and (self.standby is None or self.standby.is_read)
        return "ready" if well else "degraded"


async def healthz(_: Request) -> Response:
    """200 as long as the event loop turns."""
    return json_answer({"status": "ok"})


async def readyz(request: Request) -> Response:
    """200 if commands can be served, also if only "degraded".

    503 without the database, with tables that lack something of this release (a newer one's have it all: both serve while one
    follows the other), and when deadlines are not being applied.
    """
    door: Door = request.app.state.door
    found = await door.readiness.known(readiness)
    checks = {
        "database": found.database,
        "migrations": found.migrations,
        "redis": found.redis,
        "sequencerLagSeconds": round(found.lag_seconds, 3),
        "oldestOverdueDeadlineSeconds": round(found.overdue_seconds, 3),
        "contractsWithFailingDeadlines": found.failing,
        "oldestDueDeliverySeconds": round(found.deliveries_late_seconds, 3),
        "reconciliationDifferences": found.differences,
    }
    if found.standby is not None:
        checks |= _standby(found.standby)
    body = {"status": found.status, "checks": checks}
    return json_answer(body, status=503 if found.status == "not ready" else 200)


def _standby(standing: Standing) -> dict[str, object]:
    behind = standing.behind_seconds
    return {
        "standby": "read" if standing.is_read else "behind" if standing.answers else "away",
        "standbyBehindSeconds": None if behind is None else round(behind, 3),
    }


async def readiness() -> Readiness:
    """Ask everybody that serving depends on, each for two seconds at most."""
    redis = await bell.reachable()
    standby = replica.current()
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS):
            if await migrate.pending(Part.BEFORE):
                return Readiness(database=True, migrations=False, redis=redis, lag_seconds=0.0)
            log = await backlogs.of_log()
            backlog = await sweep.backlog()
            deliveries = await delivery_backlog()
            books = await reconciliation.standing()
    except Exception as error:  # noqa: BLE001 - whatever keeps the database from answering, we are not ready
        _log.warning("not ready, the database does not answer", extra={"error": error})
        return Readiness(database=False, migrations=False, redis=redis, lag_seconds=0.0)
    return Readiness(
        database=True,
        migrations=True,
        redis=redis,
        lag_seconds=log.lag_seconds,
        overdue_seconds=backlog.oldest_waiting_seconds,
        failing=backlog.failing,
        deliveries_late_seconds=deliveries.oldest_due_seconds,
        differences=books.differences,
        standby=standby.standing() if standby is not None else None,
    )
