"""What has changed since a moment: whoever polls by `updatedAt` misses nothing, whatever is written late."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escrow import database as db
from escrow import log, pipeline, sweep
from escrow.access import Actor
from escrow.agreement import commands as c
from escrow.errors import DomainError
from escrow.queries import changes, contracts, milestones
from escrow.queries.contracts import ContractOrder, contracts_page
from escrow.queries.milestones import MilestoneOrder, milestones_page
from escrow.queries.ranges import Span
from escrow.queries.reading import Reading, itself
from escrow.queries.scans import Filter, Place, statement
from tests import plans
from tests.bulk import BUSY, fill, fill_log
from tests.factories import Deployment, party

pytestmark = pytest.mark.usefixtures("database")

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
WRITERS = 8
COMMANDS_EACH = 30
Seen = dict[str, Any]


class Poller:
    """Keeps what a list of changes shows, as a client does: from the greatest `updatedAt` that it has, page by page."""

    def __init__(self, read: Callable[..., Awaitable[list[Any]]], order: Any, size: int = 5) -> None:
        self._read, self._order, self._size = read, order, size
        self.since = BEGINNING
        self.seen: Seen = {}

    async def poll(self, actor: Actor) -> None:
        after: Place | None = None
        while True:
            updated = Span(self.since)
            page = await self._read(actor, limit=self._size, after=after, order=self._order, updated=updated)
            for row in page:
                self.seen[row["id"]] = row["updated_at"]
                self.since = max(self.since, row["updated_at"])
            if len(page) < self._size:
                return
            after = (page[-1][changes.PLACE], page[-1]["id"])


def _pollers() -> tuple[Poller, Poller]:
    of_contracts, of_milestones = Reading(contracts.VIEWS.columns, itself), Reading(milestones.VIEWS.columns, itself)
    return (
        Poller(
            lambda actor, **asked: contracts_page(actor, reading=of_contracts, **asked), ContractOrder.LONGEST_UNCHANGED
        ),
        Poller(
            lambda actor, **asked: milestones_page(actor, reading=of_milestones, **asked),
            MilestoneOrder.LONGEST_UNCHANGED,
        ),
    )


async def _truth(table: str) -> Seen:
    """Of milestones those of current plans."""
    current = "" if table == "contracts" else "WHERE (contract_id, revision) IN (SELECT id, revision FROM contracts)"
    return {row["id"]: row["updated_at"] for row in await db.fetch(f"SELECT id, updated_at FROM {table} {current}")}


async def _sequenced() -> None:
    while await log.sequence():
        pass


async def test_eight_writers_at_once_and_two_who_poll_lose_nothing() -> None:
    deployment = await Deployment.make()
    deals = [await deployment.propose("10.00", "20.00") for _ in range(4)]
    pollers, writing = _pollers(), True

    async def write(number: int) -> None:
        rng = random.Random(number)
        for _ in range(COMMANDS_EACH):
            deal = rng.choice(deals)
            try:
                if rng.random() < 0.4:
                    deals.append(await deployment.propose("1.00", "2.00"))
                elif rng.random() < 0.5:
                    await pipeline.run(deal.update(), by=deployment.freelancer)
                else:
                    edit = c.EditMilestone(milestone_id=deal.milestone(rng.choice((1, 2))), title=f"By {number}")
                    await pipeline.run(edit, by=deployment.client)
            except DomainError:
                continue

    async def sequence() -> None:
        while writing:
            await log.sequence(limit=20)
            await asyncio.sleep(0)

    async def poll(poller: Poller) -> None:
        while writing:
            await poller.poll(deployment.client)

    beside = [asyncio.create_task(sequence()), *(asyncio.create_task(poll(one)) for one in pollers)]
    await asyncio.gather(*map(write, range(WRITERS)))
    writing = False
    await asyncio.gather(*beside)
    await _sequenced()
    for poller, table in zip(pollers, ("contracts", "milestones"), strict=True):
        before = dict(poller.seen)
        await poller.poll(deployment.client)
        assert poller.seen == await _truth(table)
        assert before  # it had been told of some while they wrote


async def test_what_was_decided_earlier_and_written_later_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = await Deployment.make()
    slow, quick = await deployment.activate("1.00"), await deployment.activate("1.00")
    poller, _ = _pollers()
    decided, goes_on = asyncio.Event(), asyncio.Event()
    write = pipeline._Attempt.write_and_ring

    async def held(attempt: Any) -> bool:
        if getattr(attempt._command, "contract_id", None) == slow.id:
            decided.set()
            await goes_on.wait()
        return await write(attempt)

    monkeypatch.setattr(pipeline._Attempt, "write_and_ring", held)
    late = asyncio.create_task(pipeline.run(slow.update(), by=deployment.freelancer))
    await decided.wait()
    await pipeline.run(quick.update(), by=deployment.freelancer)
    await _sequenced()
    await poller.poll(deployment.client)
    goes_on.set()
    await late
    truth = await _truth("contracts")
    assert truth[slow.id] < truth[quick.id] == poller.since  # it was overtaken
    await _sequenced()
    await poller.poll(deployment.client)
    assert poller.seen == truth


async def test_what_silence_did_long_before_it_was_written_is_listed() -> None:
    deployment = await Deployment.make()
    proposed = await deployment.propose("1.00")
    expires = await db.fetch_value("SELECT min(due_at) FROM deadlines WHERE contract_id = $1", proposed.id)
    await db.execute("UPDATE deployment SET clock_offset = $1 - clock_timestamp() + interval '40 days'", expires)
    later = await deployment.propose("1.00")
    await _sequenced()
    pollers = _pollers()
    for poller in pollers:
        await poller.poll(deployment.client)
    await sweep.fire(proposed.id)
    await _sequenced()
    truth = await _truth("contracts")
    assert truth[proposed.id] < truth[later.id]
    for poller, table in zip(pollers, ("contracts", "milestones"), strict=True):
        await poller.poll(deployment.client)
        assert poller.seen == await _truth(table)


async def test_what_has_no_position_yet_is_not_there_and_comes_when_it_has_one() -> None:
    deployment = await Deployment.make()
    deal = await deployment.activate("1.00")
    everything = Span(BEGINNING)
    for order in ContractOrder:
        assert await contracts_page(deployment.client, limit=9, after=None, order=order, updated=everything) == []
    await _sequenced()
    for order in (ContractOrder.NEWEST, ContractOrder.RECENTLY_UPDATED):
        page = await contracts_page(deployment.client, limit=9, after=None, order=order, updated=everything)
        assert [view.terms.id for view in page] == [deal.id]
    await pipeline.run(deal.update(), by=deployment.freelancer)
    assert await contracts_page(deployment.client, limit=9, after=None, updated=everything) == []
    for by in MilestoneOrder:  # none of them has changed, and none has a clock
        found = await milestones_page(deployment.client, limit=9, after=None, order=by, updated=everything)
        assert len(found) == (by is not MilestoneOrder.DEADLINE)
    last = await db.fetch_value("SELECT max(placed_at) FROM log_positions")
    assert await contracts_page(deployment.client, limit=9, after=None, updated=Span(last + timedelta(1))) == []


async def test_times_of_positions_never_go_back_and_are_not_before_their_events() -> None:
    deployment = await Deployment.make()
    await deployment.activate("1.00")
    await log.sequence(limit=2)
    await db.execute("UPDATE deployment SET clock_offset = interval '90 days'")
    await deployment.propose("1.00")
    await log.sequence(limit=2)
    async with db.transaction() as connection:  # as if the clock had been a year ahead
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "UPDATE log_positions SET placed_at = placed_at + interval '1 year' WHERE position > 8"
        )
    await _sequenced()
    rows = await db.fetch(
        "SELECT placed_at, occurred_at FROM log_positions JOIN events ON events.id = event_id ORDER BY position"
    )
    times = [row["placed_at"] for row in rows]
    assert times == sorted(times)
    assert all(row["occurred_at"] <= row["placed_at"] for row in rows)


@pytest.mark.parametrize(
    ("listed", "order"),
    [("contracts", ContractOrder.LONGEST_UNCHANGED), ("milestones", MilestoneOrder.RECENTLY_UPDATED)],
)
@pytest.mark.usefixtures("untouched_database")
async def test_a_page_of_changes_reads_what_it_shows_however_long_the_log_is(listed: str, order: Any) -> None:
    await fill(3_000)
    await fill_log()
    module: Any = contracts if listed == "contracts" else milestones
    at = await db.fetch_value("SELECT placed_at FROM log_positions ORDER BY position DESC OFFSET 4000 LIMIT 1")
    span = Span(at)
    by = module.ORDERS[order].since(span)
    listing = replace(module._LISTED, columns=f"{module._LISTED.columns}, {changes.BESIDE[changes.PLACE]}")
    sql, arguments = statement(listing, party(BUSY), Filter(spans={"updated_at": span}), by, limit=51, after=None)
    plan = await plans.explain(sql, *arguments)
    assert plan.blocks() < 6_000
    assert not plan.read_whole
    assert {"log_positions_by_client", "log_positions_by_freelancer", "log_positions_by_time"} <= plan.indexes
