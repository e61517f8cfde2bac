"""What an owner does to an endpoint reaches what is on its way to it: changed, disabled, deleted."""

from __future__ import annotations

import random
from typing import Final

import pytest

from escrow import database, pipeline
from escrow.access import Actor
from escrow.accounts.commands.endpoints import (
    Address,
    DeleteEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    UpdateEndpoint,
)
from tests.factories import Deployment, make_endpoint
from tests.webhooks.delivery.watching import (
    well,
)
from tests.webhooks.partner import (
    Arrival,
    attempts_made,
    delivery_worker,
    fan_out_only,
    make_due,
    matching,
    partners,
    settled,
    states,
)
from tests.workers.process import until
from webhooks.delivery import claims, completion, maintenance
from webhooks.delivery.claims import Claim
from webhooks.delivery.completion_queue import Completed
from webhooks.delivery.concurrency import Capacity
from webhooks.delivery.retries import DELAYS_SECONDS, Outcome, judge
from webhooks.request.answers import Answer

pytestmark = pytest.mark.usefixtures("database")


async def test_a_new_url_makes_what_waits_due_at_once() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        await database.execute("UPDATE lanes SET failures = 8, due_at = clock_timestamp() + interval '20 hours'")
        moved = UpdateEndpoint(endpoint_id=end.id, address=Address(partner.url("/new")))
        await pipeline.run(moved, by=there.client)
        await worker.fan_out()
        await settled()
    assert len(partner.accepted("/new")) == len({event_id for event_id, _ in await matching()})
    assert len(partner.events("/hook")) == 1
    await well()


@pytest.mark.parametrize("failures", [6, len(DELAYS_SECONDS)], ids=["far along", "the last retry"])
async def test_what_was_under_way_to_the_old_url_comes_to_the_new_one_as_soon_as_it_failed(failures: int) -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await worker.fan_out()
        partner.replies["/hook"] = 500
        await there.propose()
        await worker.fan_out()
        await attempts_made(1)
        partner.hold()
        await database.execute("UPDATE lanes SET failures = $1 WHERE due_at IS NOT NULL", failures)
        await make_due()
        await until(lambda: came(partner.arrivals, 2))
        moved = UpdateEndpoint(endpoint_id=end.id, address=Address(partner.url("/new")))
        await pipeline.run(moved, by=there.client)
        await worker.fan_out()
        await until(lambda: nothing_to_do(end.id))  # what was to be woken was looked for, and this is under way
        partner.let_go()
        await settled()
    assert set(partner.accepted("/new")) == {event_id for event_id, _ in await matching()}
    assert set(await states()) == {"DELIVERED"}
    await well()


async def test_what_failed_before_an_enabling_is_not_sent_until_its_schedule_has_begun_anew() -> None:
    end_id, owner = await at_its_last_retry()
    await pipeline.run(EnableEndpoint(endpoint_id=end_id), by=owner)
    await fan_out_only()
    assert (await claimed()).heads == ()
    assert await maintenance.tasks()
    (head,) = (await claimed()).heads
    assert head.failures == 0


async def test_what_was_claimed_after_an_enabling_before_the_log_told_of_it_is_not_given_up() -> None:
    end_id, owner = await at_its_last_retry()
    await pipeline.run(EnableEndpoint(endpoint_id=end_id), by=owner)
    claim = await claimed()
    (head,) = claim.heads
    assert head.failures == len(DELAYS_SECONDS)
    held_until = await database.fetch_value("SELECT due_at FROM lanes WHERE token IS NOT NULL")
    await fan_out_only()
    assert await maintenance.tasks()
    assert await database.fetch_value("SELECT due_at FROM lanes WHERE token = $1", claim.lease.token) == held_until
    await fail_for_the_last_time(claim)
    assert set(await states()) == {"PENDING"}
    (again,) = (await claimed()).heads
    assert (again.delivery_id, again.failures) == (head.delivery_id, 0)


@pytest.mark.parametrize("is_told", [False, True], ids=["the log tells it", "its lanes are woken"])
async def test_what_failed_after_an_enabling_before(is_told: bool) -> None:
    """… is neither given up nor has it the endpoint disabled for the days before."""
    end_id, owner = await at_its_last_retry()
    await database.execute(
        "UPDATE endpoint_health SET failures = 3, failing_since = clock_timestamp() - interval '6 days'"
    )
    await pipeline.run(EnableEndpoint(endpoint_id=end_id), by=owner)
    claim = await claimed()
    if is_told:
        await fan_out_only()
    following = await fail_for_the_last_time(claim)
    assert following.failing_for_days == frozenset()
    assert set(await states()) == {"PENDING"}
    await fan_out_only()
    assert await maintenance.tasks()
    (again,) = (await claimed()).heads
    assert (again.delivery_id, again.failures) == (claim.heads[0].delivery_id, 0)


async def test_what_is_changed_once_more_while_lanes_are_woken_wakes_them_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end_id, owner = await at_its_last_retry()
    await pipeline.run(EnableEndpoint(endpoint_id=end_id), by=owner)
    await fan_out_only()
    execute = database.execute

    async def as_another_change_comes(sql: str, *arguments: object) -> str:
        monkeypatch.undo()
        await database.execute("UPDATE lanes SET failures = 8, due_at = clock_timestamp() + interval '20 hours'")
        await pipeline.run(UpdateEndpoint(endpoint_id=end_id, description="Another"), by=owner)
        await fan_out_only()
        return await execute(sql, *arguments)

    monkeypatch.setattr(database, "execute", as_another_change_comes)  # by which a task is done with
    assert await maintenance.tasks()
    assert not await nothing_to_do(end_id)
    assert await maintenance.tasks()
    assert await nothing_to_do(end_id)
    (head,) = (await claimed()).heads
    assert head.failures == 0


async def test_a_disabled_endpoint_costs_its_deliveries_no_attempt() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end = await make_endpoint(there.client, partner.url())
        await pipeline.run(DisableEndpoint(endpoint_id=end.id), by=there.client)
        await worker.fan_out()
        deal = await there.propose()
        await worker.fan_out()
        await worker.quiet(partner)
        assert partner.arrivals == []
        assert await database.fetch("SELECT FROM delivery_attempts") == []
        assert await states() == {"PENDING": 3 + len(await deal.types()) - 3 + 1}
        await well()


async def test_the_deliveries_of_a_deleted_endpoint_end() -> None:
    there = await Deployment.make()
    async with partners() as partner, delivery_worker() as worker:
        end, other = (
            await make_endpoint(there.client, partner.url()),
            await make_endpoint(there.client, partner.url("/b")),
        )
        await worker.fan_out()
        await settled()
        partner.replies["/hook"] = lambda arrival: 200 if arrival.body["data"]["event"]["sequence"] == 1 else 500
        await there.propose()
        await there.propose()
        await worker.fan_out()
        await until(lambda: both_failed(end.id))
        await pipeline.run(DeleteEndpoint(endpoint_id=end.id), by=there.client)
        await worker.fan_out()
        await settled()
        await there.propose()
        await worker.fan_out()
        await settled()
        await until(lambda: nothing_to_do(end.id))
    counted = await database.fetch(
        "SELECT endpoint_id, state, count(*) AS number FROM deliveries WHERE endpoint_id = $1 GROUP BY 1, 2", end.id
    )
    found = {row["state"]: row["number"] for row in counted}
    assert found["DELIVERED"] == len(partner.accepted("/hook"))
    assert found["CANCELLED"] > 0
    assert set(found) == {"DELIVERED", "CANCELLED"}
    others = {event_id for event_id, endpoint_id in await matching() if endpoint_id == other.id}
    assert set(partner.accepted("/b")) == others
    await well()


async def both_failed(endpoint_id: str) -> bool:
    """Whether of both contracts a delivery failed, and everything that was answered is written down."""
    waiting = "SELECT count(*) FROM lanes WHERE endpoint_id = $1 AND failures = 1 AND token IS NULL"
    return bool(await database.fetch_value(waiting, endpoint_id) == 2)


async def nothing_to_do(endpoint_id: str) -> bool:
    """Whether what its owner did to an endpoint has reached all that waits for it."""
    return bool(
        await database.fetch_value("SELECT task IS NULL FROM endpoint_health WHERE endpoint_id = $1", endpoint_id)
    )


async def came(arrivals: list[Arrival], count: int) -> bool:
    return len(arrivals) >= count


LEASE_SECONDS: Final = 1_200.0


async def at_its_last_retry() -> tuple[str, Actor]:
    """A disabled endpoint, whose one delivery has one attempt left and fell due an hour ago, and its owner."""
    there = await Deployment.make()
    end = await make_endpoint(there.client, event_types=("contract.*",))
    await there.propose()
    await pipeline.run(DisableEndpoint(endpoint_id=end.id), by=there.client)
    await fan_out_only()
    await database.execute(
        "UPDATE lanes SET failures = $1, due_at = clock_timestamp() - interval '1 hour'", len(DELAYS_SECONDS)
    )
    return end.id, there.client


async def fail_for_the_last_time(claim: Claim) -> completion.Next:
    """Write down that the one delivery of a claim failed, after its last retry."""
    (head,) = claim.heads
    answer = Answer(status=500)
    verdict = judge(answer, failures=head.failures, rng=random.Random(1))
    assert verdict.outcome is Outcome.GIVEN_UP
    failed = Completed(head=head, lease=claim.lease, verdict=verdict, answer=answer, started_at=answer.started_at)
    return await completion.complete([failed], lease_seconds=LEASE_SECONDS)


async def claimed() -> Claim:
    """What a worker with room for everything takes now."""
    room = Capacity(requests=100, half_open_requests=100, endpoint_requests=100, endpoints={})
    return await claims.claim(after="", capacity=room, lease_seconds=LEASE_SECONDS)
