"""`commands.run` on a real database: what it costs, what it stores, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from escrow import database, ids
from escrow.access import CLOCK, PROVIDER
from escrow.agreement import commands as c
from escrow.commands import Outcome, run
from escrow.errors import (
    DomainError,
    Forbidden,
    IdempotencyKeyReused,
    InvalidInput,
    InvalidState,
    NotFound,
    VersionConflict,
)
from escrow.idempotency import Idempotency, idempotency
from escrow.ids import Kind
from escrow.log import UnknownEvent
from escrow.money import Money
from tests.factories import Deal, Deployment, advance_past_deadlines, draft, party, usd

pytestmark = pytest.mark.usefixtures("database")

READ, WRITE = "SELECT contract.id", "WITH contract AS ("


@dataclass(frozen=True)
class Case:
    """A command, where it is due, and what it leaves behind."""

    name: str
    prepare: Callable[[Deployment], Awaitable[Callable[[], Awaitable[Outcome]]]]
    events: tuple[str, ...]


async def _propose(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    return lambda: run(there.proposal(), by=there.client)


async def _revise(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.propose("250.00")
    command = c.Revise(contract_id=deal.id, terms=c.Terms(), plan=(draft(), draft("Shop")), message="Rather so")
    return lambda: run(command, by=there.freelancer)


async def _accept(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.propose()
    return deal.accept


async def _decline(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.propose("250.00")
    return lambda: run(c.Decline(contract_id=deal.id), by=there.freelancer)


async def _withdraw(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.propose("250.00")
    return lambda: run(c.Withdraw(contract_id=deal.id), by=there.client)


async def _add(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    command = c.AddMilestone(contract_id=deal.id, milestone=draft("Testing"), position=1)
    return lambda: run(command, by=there.client)


async def _edit(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    command = c.EditMilestone(milestone_id=deal.milestone(2), amount=usd("7.00"), title="Smaller")
    return lambda: run(command, by=there.client)


async def _move(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate("1.00", "2.00", "3.00")
    return lambda: run(c.MoveMilestone(milestone_id=deal.milestone(3), position=1), by=there.client)


async def _remove(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    return lambda: run(c.RemoveMilestone(milestone_id=deal.milestone(1)), by=there.client)


async def _fund(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    command = c.Fund(
        milestone_id=deal.milestone(), deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER), revision=1
    )
    return lambda: run(command, by=there.client)


async def _cancel_funding(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    await deal.fund()
    return lambda: run(c.CancelFunding(milestone_id=deal.milestone()), by=there.client)


async def _confirm(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    deposit_id = await deal.fund()
    return lambda: deal.confirm(deposit_id)


async def _confirm_wrong(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    deposit_id = await deal.fund()
    return lambda: deal.confirm(deposit_id, Money(100, "EUR"))


async def _confirm_late(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    deposit_id = await deal.fund()
    await run(c.CancelFunding(milestone_id=deal.milestone()), by=there.client)
    return lambda: deal.confirm(deposit_id)


async def _fail(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.activate()
    command = c.FailDeposit(contract_id=deal.id, deposit_id=await deal.fund(), reason="card declined")
    return lambda: run(command, by=PROVIDER)


async def _submit(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.fund()
    return deal.submit


async def _request_changes(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.fund()
    await deal.submit()
    return deal.request_changes


async def _approve(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.fund()
    await deal.submit()
    return deal.approve


async def _approve_last(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.fund("250.00")
    return deal.approve


async def _pay_out(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.fund()
    await deal.approve()
    return lambda: run(c.RequestPayout(contract_id=deal.id, order_id=ids.new(Kind.ORDER)), by=there.freelancer)


async def _paid(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.fund()
    await deal.approve()
    order_id = await deal.pay_out()
    return lambda: deal.confirm_order(order_id)


async def _paid_after_failure(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.fund()
    await deal.approve()
    order_id = await deal.pay_out()
    await deal.fail_order(order_id)
    return lambda: deal.confirm_order(order_id)


async def _deadline(there: Deployment) -> Callable[[], Awaitable[Outcome]]:
    deal = await there.fund()
    await deal.submit()
    await advance_past_deadlines()
    return lambda: run(c.ApplyDeadlines(contract_id=deal.id), by=CLOCK)


ADDED = "milestone.added"
CASES = (
    Case("propose", _propose, ("contract.proposed", ADDED, ADDED)),
    Case("revise", _revise, ("milestone.cancelled", "contract.revised", ADDED, ADDED)),
    Case("accept", _accept, ("contract.accepted",)),
    Case("decline", _decline, ("contract.declined", "milestone.cancelled")),
    Case("withdraw", _withdraw, ("contract.withdrawn", "milestone.cancelled")),
    Case("add a milestone", _add, (ADDED,)),
    Case("edit a milestone", _edit, ("milestone.edited",)),
    Case("move a milestone", _move, ("milestone.moved",)),
    Case("remove a milestone", _remove, ("milestone.removed",)),
    Case("fund", _fund, ("deposit.started",)),
    Case("cancel funding", _cancel_funding, ("deposit.abandoned",)),
    Case("confirm a deposit", _confirm, ("deposit.confirmed", "milestone.funded", "milestone.activated")),
    Case("confirm another sum", _confirm_wrong, ("deposit.failed", "deposit.returned")),
    Case("confirm too late", _confirm_late, ("deposit.returned",)),
    Case("fail a deposit", _fail, ("deposit.failed",)),
    Case("submit", _submit, ("milestone.submitted",)),
    Case("request changes", _request_changes, ("milestone.changes_requested",)),
    Case("approve", _approve, ("milestone.released",)),
    Case("approve the last", _approve_last, ("milestone.released", "contract.completed")),
    Case("request a payout", _pay_out, ("payout.started",)),
    Case("a payout is paid", _paid, ("payout.paid",)),
    Case("a payout is paid after it failed", _paid_after_failure, ("payout.paid",)),
    Case("a deadline passes", _deadline, ("milestone.released",)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
async def test_every_command_takes_two_round_trips(case: Case) -> None:
    there = await Deployment.make()
    command = await case.prepare(there)
    with database.counting() as statements:
        outcome = await command()
    assert [statement.strip()[: len(READ)] for statement in statements[:1]] == [READ]
    assert [statement[: len(WRITE)] for statement in statements[1:]] == [WRITE]
    assert tuple(event.type for event in outcome.recorded) == case.events
