"""A mirror that follows the feed has the server's state after every command: what changed was touched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from escrow import database, ids, log
from escrow.access import PROVIDER, Actor
from escrow.agreement import commands as c
from escrow.ids import Kind
from escrow.money import Money
from escrow.pipeline import run
from escrow.queries.feed import TOUCHED_SQL, changes_page
from tests.escrow.cases import CASES, Asked
from tests.factories import Deployment, draft, usd

pytestmark = pytest.mark.usefixtures("database")


async def _bonus_reversed(there: Deployment) -> Asked:
    deal = await there.fund()
    bonus = ids.new(Kind.DEPOSIT)
    command = c.Approve(
        milestone_id=deal.milestone(),
        bonus=usd("25.00"),
        bonus_deposit_id=bonus,
        bonus_order_id=ids.new(Kind.ORDER),
    )
    await run(command, by=there.client)
    paid = Money(2_500, "USD")
    await run(deal.confirmation(bonus, paid), by=PROVIDER)
    return c.ReverseDeposit(contract_id=deal.id, deposit_id=bonus, amount=paid, reason="stolen card"), PROVIDER


async def _add_several(there: Deployment) -> Asked:
    deal = await there.fund("1.00", "2.00", "3.00")
    filing = deal.filing(
        c.AddChange(milestone=draft("Behind")),
        c.AddChange(milestone=draft("Between"), position=2),
        c.AddChange(milestone=draft("After that"), position=3),
    )
    await run(filing, by=there.freelancer)
    return c.AcceptChangeRequest(change_request_id=filing.change_request_id), there.client


async def _import(there: Deployment) -> Asked:
    deal = await there.activate()
    rows = tuple(
        c.ImportRow(
            milestone_id=ids.new(Kind.MILESTONE),
            external_id=name,
            title=name,
            purpose="So that it is done",
            amount=usd("1.00"),
            due_on=draft().due_on,
        )
        for name in ("one", "two")
    )
    return c.ImportMilestones(contract_id=deal.id, system="tool", rows=rows), there.client


MORE: tuple[tuple[str, Callable[[Deployment], Awaitable[Asked]]], ...] = (
    ("reverse a bonus", _bonus_reversed),
    ("accept several additions", _add_several),
    ("import", _import),
)
ALL = [*((case.name, case.prepare) for case in CASES), *MORE]
CHANGES_NO_MILESTONE = {
    "accept", "confirm too late", "request a payout", "a payout is paid", "a payout is paid after it failed",
    "file a change request", "decline a change request", "withdraw a change request", "have payouts made", "post an update",
    "add evidence", "reject a claim", "mediation takes long", "offer a settlement", "withdraw an offer", "agree to withdraw",
    "nothing happens for long", "reverse a bonus", "what was sent back is reversed",
    "a reversal of what was sent back is won", "the provider's books tell of a fee and an exchange",
}  # fmt: skip


@pytest.mark.parametrize(("name", "prepare"), ALL, ids=[name.replace(" ", "-") for name, _ in ALL])
async def test_whatever_a_command_changes_is_touched_by_one_of_its_events(
    name: str, prepare: Callable[[Deployment], Awaitable[Asked]]
) -> None:
    there = await Deployment.make()
    command, by = await prepare(there)
    before, cursor = await _milestones(), await _end()
    await run(command, by=by)
    after = await _milestones()
    await _end()
    changed = {one for one, row in after.items() if before.get(one) != row}
    assert bool(changed) != (name in CHANGES_NO_MILESTONE)
    for reader in (there.client, there.freelancer, there.operator):
        assert changed <= await _touched(reader, cursor)
    await _check_the_short_way()


async def _check_the_short_way() -> None:
    """Of no event the short way to the milestones that it touched finds others than a look in all the places does."""
    in_all_places = TOUCHED_SQL.replace("e.type = ANY", "false AND e.type = ANY")
    assert in_all_places != TOUCHED_SQL
    rows = await database.fetch(
        f"SELECT e.type, {TOUCHED_SQL} AS touched, {in_all_places} AS everywhere FROM events AS e"
    )
    assert rows
    for row in rows:
        assert set(row["touched"]) == set(row["everywhere"]), row["type"]
        assert len(row["touched"]) == len(set(row["touched"]))


async def _end() -> int:
    """The end of the log, once everything that is committed has its position."""
    while await log.sequence():
        pass
    return await log.last_position()


async def _milestones() -> dict[str, object]:
    """All that is kept of each milestone, but for its clock, which is no event."""
    rows = await database.fetch("SELECT to_jsonb(m) - 'deadline_at' - 'reminded_hours' AS row, id FROM milestones m")
    return {row["id"]: row["row"] for row in rows}


async def _touched(reader: Actor, after: int) -> set[str]:
    """The milestones that the feed would have a mirror write anew."""
    found: set[str] = set()
    while True:
        page = await changes_page(reader, after=after, limit=100)
        found |= {one for change in page.changes for one in change.milestone_ids}
        after = page.position
        if not page.has_more:
            return found


async def test_what_rolls_forward_touches_where_it_goes() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    await deal.fund_all()
    start = await _end()
    await run(c.Approve(milestone_id=deal.milestone(), amount=usd("100.01")), by=there.client)
    await _end()
    rolled, *_ = (await changes_page(there.client, after=start, limit=1)).changes
    assert rolled.event.type == "milestone.rolled_forward"
    assert set(rolled.milestone_ids) == {deal.milestone(1), deal.milestone(2)}
