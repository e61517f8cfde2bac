"""What one actor is shown of the log is what the rule of visibility says, by whatever index it was found."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from escrow import log
from escrow.access import Actor
from escrow.database import transaction
from escrow.live import occurrences
from escrow.live.occurrences import Occurrence
from tests.factories import Deployment


async def _history() -> Deployment:
    there = await Deployment.make()
    for number in range(6):
        deal = await there.fund("10.00", "20.00") if number % 2 else await there.propose("10.00")
        if number % 2:
            await deal.submit()
    while await log.sequence():
        pass
    return there


async def _shown(actor: Actor, **narrowed: object) -> list[Occurrence]:
    """Everything for the actor, by pages of a random size."""
    found: list[Occurrence] = []
    position, last = 0, await log.last_position()
    while position < last:
        page, reached = await occurrences.visible(
            actor,
            after=position,
            until=last,
            limit=random.choice((1, 3, 100)),
            **narrowed,  # type: ignore[arg-type]
        )
        assert reached > position
        found.extend(page)
        position = reached
    return found


async def test_pages_show_exactly_what_each_actor_may_see(database: str) -> None:
    there = await _history()
    everything = await occurrences.following(after=0, limit=10_000)
    assert [one.position for one in everything] == list(range(1, len(everything) + 1))
    deals = [one.event.stream_id for one in everything if one.event.type == "contract.proposed"]
    of_client = there.client
    for actor in (
        of_client,
        there.freelancer,
        there.mediator,
        there.operator,
        replace(of_client, contract_ids=frozenset(deals[:2])),
        replace(there.mediator, contract_ids=frozenset(deals[:2])),
        replace(there.operator, contract_ids=frozenset(deals[2:3])),
    ):
        for narrowed in (
            {},
            {"types": frozenset({"milestone.added", "contract.accepted"})},
            {"stream_id": deals[0]},
            {"stream_id": deals[1], "types": frozenset({"milestone.submitted"})},
        ):
            expected = [
                one.position
                for one in everything
                if one.is_for(actor)
                and one.event.stream_id == narrowed.get("stream_id", one.event.stream_id)
                and one.event.type in narrowed.get("types", frozenset({one.event.type}))
            ]
            assert [one.position for one in await _shown(actor, **narrowed)] == expected


async def test_those_of_rare_types_are_looked_for_a_stretch_at_a_time(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far away the next one is, and whoever looks."""
    monkeypatch.setattr(occurrences, "LOOKED_AT_MAX", 7)
    there = await _history()
    deal = await there.propose("10.00")
    while await log.sequence():
        pass
    last = await log.last_position()
    limited = replace(there.client, contract_ids=frozenset({deal.id}))
    for actor in (there.client, there.mediator, there.operator, limited):
        seen = [one.position for one in await _shown(actor)]
        looks, position = 0, 0
        while position < last:
            page, reached = await occurrences.visible(actor, after=position, until=last, limit=5, types={"payout.paid"})
            assert page == []
            assert sum(position < one <= reached for one in seen) <= 7
            looks, position = looks + 1, reached
        assert looks == len(seen) // 7 + 1


async def test_an_event_says_which_milestones_are_not_as_they_were(database: str) -> None:
    there = await Deployment.make()
    deal = await there.activate("10.00", "20.00")
    await deal.confirm(await deal.fund())
    while await log.sequence():
        pass
    told = {one.event.type: one.milestone_ids for one in await _shown(there.client, stream_id=deal.id)}
    for kind in ("deposit.started", "deposit.confirmed", "milestone.funded", "milestone.activated"):
        assert told[kind] == (deal.milestone(1),), kind
    assert told["contract.accepted"] == ()


@pytest.mark.parametrize("role", ["client", "freelancer"])
async def test_a_replay_is_found_by_the_actors_own_index(untouched_database: str, role: str) -> None:
    there = await _history()
    actor: Actor = getattr(there, role)
    sql, whose = occurrences._scan(actor, None)
    async with transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")  # a log of a few pages is sooner read as a whole
        rows = await connection.fetch(f"EXPLAIN {sql}", 0, 10_000, 100, None, whose, 100)
    plan = "\n".join(row[0] for row in rows)
    assert f"log_positions_by_{role}" in plan
    assert "Seq Scan on log_positions" not in plan
