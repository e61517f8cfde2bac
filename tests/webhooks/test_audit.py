"""The audit of deliveries finds what is missing, what is too much, and lanes that stand elsewhere than their deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from escrow import database, log, pipeline
from escrow.accounts.commands.endpoints import DeleteEndpoint, UpdateEndpoint
from tests.factories import Deployment, make_endpoint
from tests.webhooks.partner import attempts_made, delivery_worker, fan_out_only, partners, settled, states
from webhooks.audit import audit_deliveries
from webhooks.delivery import retention
from webhooks.owner import replays

pytestmark = pytest.mark.usefixtures("database")


async def prepared() -> None:
    """One lane all of whose deliveries were made, one with two that wait, one that was never looked at."""
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        await there.propose()
        await worker.fan_out()
        await settled()
        deal = await there.propose()
        waits = await database.fetch_value("SELECT id FROM events WHERE stream_id = $1 AND sequence = 2", deal.id)
        partner.replies["/hook"] = lambda arrival: 500 if arrival.event_id == waits else 200
        await worker.fan_out()
        await attempts_made(5)
    await there.propose()
    await fan_out_only()


async def found() -> list[str]:
    return [str(difference) async for difference in audit_deliveries(batch=5)]


TAMPERED: Final = {
    "a delivery is lost": "DELETE FROM deliveries WHERE id = (SELECT min(id) FROM deliveries)",
    "a delivery too many": "INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id) "
    "SELECT 'dlv_0', endpoint_id, 'acc_0', 1, event_id, event_type, 'acc_0' FROM deliveries LIMIT 1",
    "a delivery of another's event": "INSERT INTO deliveries "
    "(id, endpoint_id, lane, position, event_id, event_type, stream_id) SELECT 'dlv_0', 'whe_0', stream_id, position, event_id, "
    "'x', stream_id FROM log_positions WHERE position = 1",
    "a delivery of an event that the log doesn't have": "INSERT INTO deliveries "
    "(id, endpoint_id, lane, position, event_id, event_type, stream_id) SELECT 'dlv_0', endpoint_id, 'ctr_0', 1, 'evt_0', "
    "event_type, 'ctr_0' FROM deliveries LIMIT 1",
    "a delivery once more of an event that the log doesn't have": "INSERT INTO deliveries "
    "(id, endpoint_id, lane, position, event_id, event_type, stream_id, kind) SELECT 'dlv_0', endpoint_id, 'dlv_0', 1, 'evt_0', "
    "event_type, 'ctr_0', 'REDELIVERY' FROM deliveries LIMIT 1",
    "deliveries are to be kept only from where the log ends": "UPDATE delivery_retention SET kept_from_position = 1000000",
    "nothing says from where deliveries are kept": "DELETE FROM delivery_retention",
    "a delivery at another place": "UPDATE deliveries SET position = position + 1000 WHERE id = (SELECT max(id) FROM deliveries)",
    "a delivery of another type": "UPDATE deliveries SET event_type = 'x' WHERE id = (SELECT max(id) FROM deliveries)",
    "a delivery that was accepted is called failed": "UPDATE deliveries SET state = 'FAILED' WHERE state = 'DELIVERED'",
    "a delivery of an endpoint that is there is called cancelled": "UPDATE deliveries SET state = 'CANCELLED' "
    "WHERE state = 'DELIVERED'",
    "a delivery that nobody accepted is called delivered": "UPDATE delivery_attempts SET status = 500",
    "the attempts of a delivery are lost": "DELETE FROM delivery_attempts",
    "a lane is lost": "DELETE FROM lanes WHERE lane = (SELECT min(lane) FROM lanes)",
    "a lane ends too early": "UPDATE lanes SET tail = tail - 1 WHERE done < tail - 1",
    "a lane is further than its deliveries": "UPDATE lanes SET done = done + 1 WHERE done < tail",
    "a lane is behind its deliveries": "UPDATE lanes SET done = done - 2 WHERE done < tail AND failures > 0",
    "a lane waits for nothing": "UPDATE lanes SET due_at = now() WHERE due_at IS NULL",
    "a lane sleeps": "UPDATE lanes SET done = tail, due_at = NULL WHERE due_at IS NOT NULL",
    "a filter is another": "UPDATE subscriptions SET event_types = '{x}'",
    "a filter is lost": "DELETE FROM subscriptions",
    "a filter of nobody": "INSERT INTO subscriptions VALUES ('whe_0', 1, 2, 'acc_0', '{*}')",
}


async def test_what_waits_is_no_difference() -> None:
    await prepared()
    assert await states() == {"DELIVERED": 4, "PENDING": 5}
    assert await found() == []


@pytest.mark.parametrize("what", TAMPERED)
async def test_what_is_not_as_the_log_has_it_is_named(what: str) -> None:
    await prepared()
    await database.execute(TAMPERED[what])
    assert await found() != [], what


async def test_finished_deliveries_go_after_a_while_and_what_waits_stays() -> None:
    await prepared()
    delivered = await database.fetch_value("SELECT id FROM deliveries WHERE state = 'DELIVERED' LIMIT 1")
    again = await replays.redeliver(delivered)
    async with delivery_worker():
        pass
    await database.execute("UPDATE lanes SET done = tail, due_at = NULL WHERE lane = $1", again)
    await database.execute("UPDATE deliveries SET state = 'FAILED', finished_at = now() WHERE id = $1", again)
    assert await retention.prune(timedelta(days=1)) == 0
    assert await retention.prune(timedelta(seconds=-5)) == 5
    assert await states() == {"PENDING": 5}
    rows = await database.fetch("SELECT delivery_id FROM delivery_attempts")
    pending = {row["id"] for row in await database.fetch("SELECT id FROM deliveries")}
    assert {row["delivery_id"] for row in rows} <= pending
    assert await database.fetch("SELECT FROM lanes WHERE lane LIKE 'dlv%'") == []
    assert await database.fetch_value("SELECT count(*) FROM lanes") == 3, "streams may go on"
    assert await found() == []


async def test_what_was_forgotten_is_never_asked_for_again() -> None:
    await prepared()
    await retention.prune(timedelta(seconds=-5))
    kept_from = await database.fetch_value("SELECT kept_from_position FROM delivery_retention")
    await retention.prune(timedelta(days=1))
    assert await database.fetch_value("SELECT kept_from_position FROM delivery_retention") == kept_from > 1


async def test_endpoints_that_are_changed_or_deleted_while_it_runs_are_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = await Deployment.make()
    for types in ((), ("contract.*",), ("contract.*", "milestone.*")):
        endpoint = await make_endpoint(there.client)
        for chosen in types:
            await pipeline.run(UpdateEndpoint(endpoint_id=endpoint.id, event_types=(chosen,)), by=there.client)
        await pipeline.run(DeleteEndpoint(endpoint_id=endpoint.id), by=there.client)
    await fan_out_only()
    for began_at in range(1, await log.last_position() + 1):

        async def last_position(at: int = began_at) -> int:
            return at

        with monkeypatch.context() as patched:
            patched.setattr(log, "last_position", last_position)
            assert await found() == [], f"it began at {began_at}"
