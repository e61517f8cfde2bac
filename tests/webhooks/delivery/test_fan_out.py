"""Which event goes to which endpoint: what the sequencer writes is what the log alone says, fold it who may."""

from __future__ import annotations

import pytest

from escrow import database, log, pipeline
from escrow.access import Actor
from escrow.accounts.commands.endpoints import (
    Address,
    DeleteEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    Limit,
    UpdateEndpoint,
)
from tests.factories import Deployment, make_endpoint
from tests.webhooks.partner import fan_out_only, matching
from webhooks.audit import audit_deliveries
from webhooks.delivery.fan_out import FanOut

pytestmark = pytest.mark.usefixtures("database")


async def made() -> set[tuple[str, str]]:
    rows = await database.fetch("SELECT event_id, endpoint_id FROM deliveries")
    assert len({(row["event_id"], row["endpoint_id"]) for row in rows}) == len(rows)
    return {(row["event_id"], row["endpoint_id"]) for row in rows}


async def types_for(endpoint_id: str) -> list[str]:
    rows = await database.fetch(
        "SELECT event_type FROM deliveries WHERE endpoint_id = $1 ORDER BY position", endpoint_id
    )
    return [row["event_type"] for row in rows]


async def update(by: Actor, endpoint_id: str, **changes: object) -> None:
    await pipeline.run(UpdateEndpoint(endpoint_id=endpoint_id, **changes), by=by)  # type: ignore[arg-type]


async def test_each_event_goes_once_to_each_endpoint_whose_account_may_see_it() -> None:
    there = await Deployment.make()
    ends = [await make_endpoint(by) for by in (there.client, there.client, there.freelancer, there.mediator)]
    operators = await make_endpoint(there.operator, account_id=there.operator.account_id)
    await fan_out_only()
    deal = await there.propose()
    await fan_out_only()
    types = await deal.types()
    assert [await types_for(end.id) for end in ends[:3]] == [
        [*["endpoint.created"], *types],
        types,
        types,
    ], "the second endpoint's making is news for the first"
    assert await types_for(ends[3].id) == []
    assert await types_for(operators.id) == types
    assert await made() == await matching()


async def test_a_filter_of_types_and_contracts_lets_through_what_it_names() -> None:
    there = await Deployment.make()
    chosen, other = await there.activate(), await there.activate()
    await fan_out_only()
    exact = await make_endpoint(there.client, event_types=("milestone.funded",))
    family = await make_endpoint(there.client, event_types=("deposit.*", "milestone.activated"))
    limited = await make_endpoint(there.client, contract_ids=(chosen.id,))
    for deal in (chosen, other):
        await deal.confirm(await deal.fund())
    await make_endpoint(there.client)
    await fan_out_only()
    assert await types_for(exact.id) == ["milestone.funded"] * 2
    assert await types_for(family.id) == ["deposit.started", "deposit.confirmed", "milestone.activated"] * 2
    assert await types_for(limited.id) == [
        "deposit.started",
        "deposit.confirmed",
        "milestone.funded",
        "milestone.activated",
    ]
    assert await made() == await matching()
    assert [difference async for difference in audit_deliveries()] == []


@pytest.mark.parametrize("batch", [1, 3, 500])
async def test_a_filter_holds_from_the_place_of_its_change_on_however_events_are_batched(batch: int) -> None:
    there = await Deployment.make()
    end = await make_endpoint(there.client, event_types=("contract.*",))
    deal = await there.propose()
    await update(there.client, end.id, event_types=("milestone.*",))
    await deal.accept()
    await deal.confirm(await deal.fund())
    await pipeline.run(DisableEndpoint(endpoint_id=end.id), by=there.client)
    await deal.submit()
    await pipeline.run(EnableEndpoint(endpoint_id=end.id), by=there.client)
    await update(there.client, end.id, limit=Limit((deal.id,)), event_types=("*",))
    await deal.approve()
    await pipeline.run(DeleteEndpoint(endpoint_id=end.id), by=there.client)
    await there.propose()
    while await FanOut(lease_seconds=30.0).place(limit=batch):
        pass
    types = await types_for(end.id)
    assert types == [
        "contract.proposed",
        "milestone.funded",
        "milestone.activated",
        "milestone.submitted",
        "milestone.released",
    ]
    assert await made() == await matching()
    assert [difference async for difference in audit_deliveries()] == []


async def test_an_event_that_a_batch_took_back_has_no_delivery() -> None:
    there = await Deployment.make()
    await make_endpoint(there.client)
    await fan_out_only()
    await there.propose()

    class Broken(FanOut):
        async def _fan_out(self, *args: object) -> None:
            await super()._fan_out(*args)  # type: ignore[arg-type]
            raise RuntimeError("the process died before the commit")

    with pytest.raises(RuntimeError):
        await Broken(lease_seconds=30.0).place()
    assert await made() == set()
    assert await database.fetch("SELECT FROM lanes") == []
    await fan_out_only()
    assert await made() == await matching() != set()


async def test_a_process_without_slots_leases_nothing_and_says_that_something_is_left() -> None:
    there = await Deployment.make()
    await make_endpoint(there.client, "https://a.example")
    await fan_out_only()
    deal = await there.propose()
    batch = FanOut(lease_seconds=30.0)
    await batch.place()
    assert (batch.heads, batch.is_left_over) == ([], True)
    lane = await database.fetch_row("SELECT * FROM lanes")
    assert lane is not None
    assert (lane["lane"], lane["token"], lane["tail"] - lane["done"]) == (deal.id, None, len(await deal.types()))


async def test_idle_lanes_are_leased_at_once_the_oldest_first_as_far_as_there_are_slots() -> None:
    there = await Deployment.make()
    narrow, wide = await make_endpoint(there.client), await make_endpoint(there.freelancer)
    await fan_out_only()
    deals = [await there.propose() for _ in range(4)]
    batch = FanOut(lease_seconds=30.0, free_at=lambda one: 1 if one == narrow.id else 9, free_in_all=4)
    await batch.place()
    assert sorted((head.endpoint_id, head.lane) for head in batch.heads) == sorted(
        [(narrow.id, deals[0].id), *((wide.id, deal.id) for deal in deals[:3])]
    )
    assert batch.is_left_over
    again = FanOut(lease_seconds=30.0, free_at=lambda _: 9, free_in_all=9)
    await deals[0].accept()
    await again.place()
    assert again.heads == [], "its lane is under a lease, or waits behind older ones"


async def test_nothing_is_leased_at_once_for_an_endpoint_that_should_rest() -> None:
    there = await Deployment.make()
    end = await make_endpoint(there.client)
    await fan_out_only()
    for sql in (
        "UPDATE endpoint_health SET probation = true",
        "UPDATE endpoint_health SET probation = false, open_until = now() + interval '1 hour'",
        "UPDATE endpoint_health SET open_until = NULL, task = 'WAKE'",
        "UPDATE endpoint_health SET task = NULL",
    ):
        await database.execute(sql)
        await there.propose()
        batch = FanOut(lease_seconds=30.0, free_at=lambda _: 9, free_in_all=9)
        await batch.place()
        assert (len(batch.heads) == 1) == sql.endswith("task = NULL")
    await pipeline.run(DisableEndpoint(endpoint_id=end.id), by=there.client)
    await there.propose()
    batch = FanOut(lease_seconds=30.0, free_at=lambda _: 9, free_in_all=9)
    await batch.place()
    assert batch.heads == []


async def test_a_batch_without_endpoints_costs_no_statement_more_and_one_with_them_one() -> None:
    there = await Deployment.make()
    while await log.sequence():
        pass
    for expected in (3, 4):  # with those that begin and end it
        for _ in range(3):
            await there.propose()
        with database.counting() as statements:
            await FanOut(lease_seconds=30.0).place()
        assert len(statements) == expected, statements
        await make_endpoint(there.client, "https://a.example")
        await make_endpoint(there.freelancer, "https://b.example")
        await fan_out_only()


async def test_changing_a_url_is_a_change_that_wakes_lanes() -> None:
    there = await Deployment.make()
    end = await make_endpoint(there.client)
    await fan_out_only()
    await update(there.client, end.id, address=Address("https://b.example/hook"))
    batch = FanOut(lease_seconds=30.0)
    await batch.place()
    assert batch.is_left_over
    assert await database.fetch_value("SELECT task FROM endpoint_health") == "WAKE"
