"""What forgetting reads: the old deliveries, and not the millions that are kept. What it forgets is tested with the audit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import pytest

from escrow import database, ids
from escrow.ids import Kind
from tests import plans
from tests.plans import Plan
from webhooks.delivery import retention

pytestmark = pytest.mark.usefixtures("untouched_database")

OLD: Final = 10
YOUNG: Final = 5_000


async def test_only_old_deliveries_are_read() -> None:
    now = await database.fetch_value("SELECT clock_timestamp()")
    old = await delivered(OLD, now - timedelta(days=100), first=1)
    await delivered(YOUNG, now - timedelta(days=1), first=OLD + 1)
    await database.execute("ANALYZE deliveries")
    bounds = retention.Bounds(kept_from=OLD + 1, older_than=now - retention.KEPT)

    looking = (bounds.older_than, retention.BATCH, bounds.before_id)
    assert passed_over(await plans.explain(retention.LOOKED_TO, "", *looking)) == 0
    forgetting = (bounds.kept_from, bounds.older_than, retention.BATCH, bounds.before_id)
    for after in ("", old[-1]):
        assert passed_over(await plans.explain(retention.PRUNE, after, *forgetting)) == 0
    assert await database.fetch_value("SELECT count(*) FROM deliveries") == YOUNG


async def test_a_delivery_of_a_host_whose_clock_is_ahead_is_old_when_the_database_says_so() -> None:
    now = await database.fetch_value("SELECT clock_timestamp()")
    made = now - retention.KEPT - timedelta(seconds=1)
    await delivered(1, made, first=1, host_is_ahead=ids.CLOCKS_APART)
    bounds = retention.Bounds(kept_from=2, older_than=now - retention.KEPT)
    row = await database.fetch_row(
        retention.PRUNE, "", bounds.kept_from, bounds.older_than, retention.BATCH, bounds.before_id
    )
    assert row is not None
    assert row["forgotten"] == 1


async def delivered(count: int, at: datetime, *, first: int, host_is_ahead: timedelta = timedelta(0)) -> list[str]:
    """So many deliveries that were made then, of events from the first position on; their identifiers in order."""
    milliseconds = int((at + host_is_ahead).timestamp() * 1000)
    made = [f"{Kind.DELIVERY}_{ids.encode((milliseconds << 80) + number)}" for number in range(count)]
    await database.execute(
        "INSERT INTO deliveries "
        "(id, endpoint_id, lane, position, event_id, event_type, stream_id, state, created_at, finished_at) "
        "SELECT id, 'whe_1', 'ctr_1', $3 + number - 1, 'evt_' || number, 'contract.accepted', 'ctr_1', 'DELIVERED', $2, $2 "
        "FROM unnest($1::text[]) WITH ORDINALITY AS made (id, number)",
        made,
        at,
        first,
    )
    return made


def passed_over(plan: Plan) -> int:
    """How many rows were read in vain."""
    return sum(
        step.get("Rows Removed by Filter", 0) for step in plan.steps if step.get("Relation Name") == "deliveries"
    )
