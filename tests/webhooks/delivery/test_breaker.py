"""What becomes of an endpoint that fails: left alone for a while, then disabled, with nothing dropped.

Days pass by moving the rows' times, never by waiting.
"""

from __future__ import annotations

import pytest

from escrow import database, pipeline
from escrow.accounts.commands.endpoints import Address, EnableEndpoint, UpdateEndpoint
from tests.factories import Deployment, make_endpoint
from tests.webhooks.delivery.watching import (
    came,
    disabled_reason,
    health_of,
    lane,
    until_disabled,
    until_open,
    until_settled_with_dues,
    well,
)
from tests.webhooks.partner import (
    attempts_made,
    delivery_worker,
    in_order,
    make_due,
    matching,
    partners,
    settled,
    states,
)
from tests.workers.process import until
from webhooks.delivery import breaker

pytestmark = pytest.mark.usefixtures("database")


async def test_many_failures_open_the_breaker_and_waiting_uses_up_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 300.0)  # it ends when the test says so
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        for _ in range(breaker.BREAK_AFTER + 5):
            await there.propose()
        await worker.fan_out()
        await until_open(end.id)
        opened = await health_of(end.id)
        assert opened["failures"] >= breaker.BREAK_AFTER
        assert 0 < opened["seconds"] <= breaker.PAUSE_SECONDS
        # What was under way comes in; from then on nothing more is sent.
        await worker.quiet(partner)
        came = len(partner.arrivals)
        await database.execute("UPDATE lanes SET due_at = clock_timestamp() WHERE due_at IS NOT NULL")
        await there.propose()
        await worker.fan_out()
        await worker.quiet(partner)
        assert len(partner.arrivals) == came
        assert await database.fetch_value("SELECT sum(failures) FROM lanes") == came
        # Half open: one request, and a longer pause if it fails.
        await database.execute("UPDATE endpoint_health SET open_until = NULL")
        await attempts_made(came + 1)
        await until_open(end.id)
        await worker.quiet(partner)
        assert len(partner.arrivals) == came + 1
        assert breaker.PAUSE_SECONDS < (await health_of(end.id))["seconds"] <= 2 * breaker.PAUSE_SECONDS
        partner.replies["/hook"] = 200
        await until_settled_with_dues()
        closed = await health_of(end.id)
    assert (closed["failures"], closed["failing_since"], closed["open_until"], closed["openings"]) == (0, None, None, 0)
    await well()


async def test_retry_after_of_a_throttling_receiver_holds_for_all_its_lanes() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 429
        partner.headers["/hook"] = ("retry-after: 3000",)
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        await until_open(end.id)
        assert 2_000 < (await health_of(end.id))["seconds"] <= 3_000
        assert 2_000 < (await lane())["seconds"] <= 3_000
        await there.propose()
        await worker.fan_out()
        await worker.quiet(partner)
    assert len(partner.arrivals) == 1


async def test_gone_disables_the_endpoint_tells_its_owner_drops_nothing_and_enabling_catches_up_in_order() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        gone, other = (
            await make_endpoint(there.client, partner.url()),
            await make_endpoint(there.client, partner.url("/b")),
        )
        await worker.fan_out()
        await settled()
        partner.replies["/hook"] = 410
        deal = await there.propose()
        await worker.fan_out()
        await until_disabled(gone.id)
        assert await disabled_reason(gone.id) == "GONE"
        await worker.fan_out()
        await deal.accept()
        await deal.confirm(await deal.fund())
        await worker.fan_out()
        await make_due()
        await worker.quiet(partner)
        assert len(partner.events("/hook")) == 2, (
            "its neighbour's making, and what it answered 410; the rest is recorded"
        )
        assert [a.body["type"] for a in partner.arrivals if a.path == "/b" and "endpoint." in a.body["type"]] == [
            "endpoint.disabled"
        ]
        (told,) = [a for a in partner.arrivals if a.body["type"] == "endpoint.disabled"]
        assert told.body["data"]["event"]["data"] == {"endpointId": gone.id, "reason": "GONE"}
        assert told.body["data"]["event"]["actor"] == {"kind": "SYSTEM"}
        partner.replies["/hook"] = 200
        await pipeline.run(EnableEndpoint(endpoint_id=gone.id), by=there.client)
        await worker.fan_out()
        await settled()
    assert in_order(partner.arrivals)
    assert {(a, gone.id) for a in partner.accepted("/hook")} | {(b, other.id) for b in partner.accepted("/b")} == (
        await matching()
    )
    assert set(await states()) == {"DELIVERED"}
    await well()


async def test_five_days_without_a_success_disable_the_endpoint_and_not_a_day_less() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        for number, since in enumerate(("4 days 23 hours", "5 days"), start=2):
            assert await disabled_reason(end.id) is None
            await database.execute(f"UPDATE endpoint_health SET failing_since = clock_timestamp() - interval '{since}'")
            await make_due()
            await attempts_made(number)
        await until_disabled(end.id)
        assert await disabled_reason(end.id) == "FAILING"
        assert await states() == {"PENDING": 3}, "nothing is dropped"
        partner.replies["/hook"] = 200
        await pipeline.run(EnableEndpoint(endpoint_id=end.id), by=there.client)
        await worker.fan_out()
        await settled()
        assert (await health_of(end.id))["failing_since"] is None
    assert len(partner.accepted()) == len({event_id for event_id, _ in await matching()})
    assert in_order(partner.arrivals)
    await well()


async def test_a_success_in_between_begins_the_five_days_anew() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        deal = await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        await database.execute("UPDATE endpoint_health SET failing_since = clock_timestamp() - interval '6 days'")
        partner.replies["/hook"] = 200
        await make_due()
        await settled()
        partner.replies["/hook"] = 500
        count = await database.fetch_value("SELECT count(*) FROM delivery_attempts")
        await deal.accept()
        await worker.fan_out()
        await attempts_made(count + 1)
        await worker.quiet(partner)
        assert await disabled_reason(end.id) is None


async def test_an_endpoint_that_was_changed_while_it_answered_gone_gets_its_chance() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 410
        partner.hold()
        await there.propose()
        await worker.fan_out()
        await until(lambda: came(partner.arrivals))
        moved = UpdateEndpoint(endpoint_id=end.id, address=Address(partner.url("/new")))
        await pipeline.run(moved, by=there.client)
        partner.let_go()
        await worker.fan_out()
        await until_settled_with_dues()
    assert await disabled_reason(end.id) is None
    assert len(partner.events("/hook")) == 1
    assert len(partner.accepted("/new")) == len({event_id for event_id, _ in await matching()})
