"""How deliveries stand, as metrics and readiness tell it."""

from __future__ import annotations

import pytest

from escrow import database, pipeline
from escrow.accounts.commands.endpoints import DisableEndpoint
from tests.factories import Deployment, make_endpoint
from tests.webhooks.partner import fan_out_only
from webhooks.owner.stats import DeliveryBacklog, backlog

pytestmark = pytest.mark.usefixtures("database")

WELL = DeliveryBacklog(
    due_lanes=0, waiting_lanes=0, oldest_due_seconds=0.0, endpoints_disabled=0, endpoints_failing=0, breakers_open=0
)


async def test_nothing_waits_in_a_deployment_without_endpoints() -> None:
    await Deployment.make()
    await fan_out_only()
    assert await backlog() == WELL


async def test_what_nobody_sends_grows_old() -> None:
    there = await Deployment.make()
    await make_endpoint(there.client)
    await fan_out_only()
    await there.propose()
    await there.propose()
    await fan_out_only()
    await database.execute("UPDATE lanes SET due_at = clock_timestamp() - interval '90 seconds'")
    found = await backlog()
    assert (found.due_lanes, found.waiting_lanes) == (2, 0)
    assert 90 <= found.oldest_due_seconds < 120


async def test_what_waits_for_a_receiver_is_no_lateness_of_ours() -> None:
    there = await Deployment.make()
    disabled, broken = await make_endpoint(there.client), await make_endpoint(there.client)
    await fan_out_only()
    await there.propose()
    await pipeline.run(DisableEndpoint(endpoint_id=disabled.id), by=there.client)
    await fan_out_only()
    await database.execute("UPDATE lanes SET due_at = clock_timestamp() - interval '90 seconds'")
    await database.execute(
        "UPDATE endpoint_health SET failures = 10, failing_since = now(), open_until = now() + interval '1 minute' "
        "WHERE endpoint_id = $1",
        broken.id,
    )
    found = await backlog()
    assert (found.due_lanes, found.oldest_due_seconds) == (0, 0.0)
    assert found.waiting_lanes == await database.fetch_value("SELECT count(*) FROM lanes") > 0
    assert (found.endpoints_disabled, found.endpoints_failing, found.breakers_open) == (1, 1, 1)


async def test_what_waits_for_one_receiver_does_not_hide_what_is_late_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhooks.owner.stats.COUNTED_MAX", 3)
    there = await Deployment.make()
    paused, late = await make_endpoint(there.client), await make_endpoint(there.client)
    await pipeline.run(DisableEndpoint(endpoint_id=paused.id), by=there.client)
    await fan_out_only()
    for _ in range(5):
        await there.propose()
    await fan_out_only()
    await database.execute(
        "UPDATE lanes SET due_at = clock_timestamp() - interval '90 seconds' WHERE endpoint_id = $1", late.id
    )
    found = await backlog()
    assert (found.due_lanes, found.waiting_lanes) == (3, 0)
    assert 90 <= found.oldest_due_seconds < 120
