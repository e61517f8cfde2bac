"""How far behind the sequencer is: by the database's clock, whatever the hosts' clocks say that write and that ask."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from escrow import backlogs, ids, log, sweep
from tests.factories import Deployment, advance_clock
from tests.workers.sweeping import submitted

pytestmark = pytest.mark.usefixtures("database")

APART_SECONDS = 10 * 24 * 3600


@pytest.mark.parametrize("days", [-10, 10])
async def test_events_of_a_host_whose_clock_is_wrong_have_waited_since_they_were_written(
    days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await Deployment.make()
    while await log.sequence():
        pass
    assert (await backlogs.of_log()).lag_seconds == 0
    with monkeypatch.context() as wrong:
        skewed = SimpleNamespace(time_ns=lambda: time.time_ns() + days * 24 * 3600 * 10**9)
        wrong.setattr(ids, "time", skewed)
        wrong.setattr(ids, "_last_number", 0)
        deal = await there.propose()
    assert abs(ids.made_at_seconds(deal.id) - time.time()) > APART_SECONDS / 2, "its identifiers are wrong"
    assert 0 < (await backlogs.of_log()).lag_seconds < APART_SECONDS / 2


async def test_a_deadline_that_was_applied_late_is_not_the_sequencers_lag() -> None:
    deal = await submitted(await Deployment.make())
    while await log.sequence():
        pass
    await advance_clock(days=30)
    await sweep.fire(deal.id)
    found = await backlogs.of_log()
    assert found.waiting > 0
    assert found.lag_seconds < APART_SECONDS / 2
