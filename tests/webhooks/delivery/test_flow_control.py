"""How much goes to whom at once, with real requests; the rules themselves are in `test_concurrency`."""

from __future__ import annotations

import pytest

from escrow import database
from tests.factories import Deployment, make_endpoint
from tests.webhooks.delivery.watching import (
    health_of,
    until_settled_with_dues,
    well,
)
from tests.webhooks.partner import (
    HANG,
    attempts_made,
    delivery_worker,
    fan_out_only,
    in_order,
    make_due,
    partners,
    settled,
)
from tests.workers.process import until
from webhooks.delivery.concurrency import Limits

pytestmark = pytest.mark.usefixtures("database")


async def test_no_endpoint_has_more_requests_at_once_than_its_limit() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = HANG
        for _ in range(40):
            await there.propose()
        await worker.fan_out()
        await worker.quiet(partner)
        assert partner.hanging == partner.hanging_most == Limits().endpoint_requests, (
            "one that never answered keeps few slots"
        )


async def test_hanging_endpoints_leave_the_others_their_slots() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker(limits=Limits(requests=24)) as worker:
        for number in range(5):
            await make_endpoint(there.freelancer, partner.url(f"/hang/{number}"))
            partner.replies[f"/hang/{number}"] = HANG
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        deals = [await there.propose() for _ in range(20)]
        await worker.fan_out()
        wanted = sum([len(await deal.types()) for deal in deals])

        async def healthy_done() -> bool:
            return len(partner.accepted("/hook")) == wanted

        await until(healthy_done)
        assert partner.hanging_most <= 5 * Limits().endpoint_requests
    assert in_order([arrival for arrival in partner.arrivals if arrival.path == "/hook"])


async def test_after_a_timeout_an_endpoint_gets_one_request_at_a_time_until_it_answers() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker(request_seconds=0.3) as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = HANG
        for _ in range(6):
            await there.propose()
        await worker.fan_out()
        begun = Limits().endpoint_requests
        await attempts_made(begun)

        async def nothing_hangs() -> bool:
            return partner.hanging == 0

        await until(nothing_hangs)
        partner.hanging_most, came = 0, len(partner.arrivals)
        await make_due()

        async def two_more_came() -> bool:
            return len(partner.arrivals) >= came + 2

        await until(two_more_came)
        assert (await health_of(end.id))["probation"] is True
        assert partner.hanging_most == 1, "one at a time"
        errors = await database.fetch("SELECT DISTINCT error, status FROM delivery_attempts")
        assert [tuple(row) for row in errors] == [("TIMEOUT", None)]
        partner.replies["/hook"] = 200
        await make_due()
        await until_settled_with_dues()
        assert (await health_of(end.id))["probation"] is False
    await well()


async def test_a_crowded_endpoint_gets_its_next_lane_as_soon_as_it_has_answered() -> None:
    """And not with the next poll, which is a minute away."""
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url())
        await fan_out_only()
        deals = [await there.propose() for _ in range(Limits().endpoint_requests_max * 2)]
        await fan_out_only()
        partner.delay_seconds = 0.02
        async with delivery_worker(poll_seconds=60.0):
            await settled()
    assert {arrival.stream for arrival in partner.arrivals} == {deal.id for deal in deals}
    await well()


async def test_whoever_took_all_that_was_due_looks_no_second_time() -> None:
    there = await Deployment.make()
    async with partners() as partner:
        await make_endpoint(there.client, partner.url(), event_types=("contract.proposed",))
        await fan_out_only()
        await there.propose()
        await fan_out_only()
        async with delivery_worker(poll_seconds=600.0) as worker:
            await settled()
            assert worker.dispatcher.looks == 0, "it waits since its first look"
