"""Every command on a contract once, each where it is due; and refusals that must leave everything as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from escrow import database, ids
from escrow.access import CLOCK, PROVIDER, Actor
from escrow.agreement import commands as c
from escrow.commands import run
from escrow.errors import DomainError
from escrow.idempotency import Idempotency
from escrow.ids import Kind
from escrow.money import Money
from tests.factories import Deployment, advance_past_deadlines, draft, usd

Asked = tuple[c.Command, Actor]
"""A command, and who gives it."""


@dataclass(frozen=True)
class Case:
    """A command, where it is due, and what it leaves behind."""

    name: str
    prepare: Callable[[Deployment], Awaitable[Asked]]
    events: tuple[str, ...]


async def _propose(there: Deployment) -> Asked:
    return there.proposal(), there.client


async def _revise(there: Deployment) -> Asked:
    deal = await there.propose("250.00")
    command = c.Revise(contract_id=deal.id, terms=c.Terms(), plan=(draft(), draft("Shop")), message="Rather so")
    return command, there.freelancer


async def _accept(there: Deployment) -> Asked:
    deal = await there.propose()
    return c.Accept(contract_id=deal.id, revision=1), there.freelancer


async def _decline(there: Deployment) -> Asked:
    deal = await there.propose("250.00")
    return c.Decline(contract_id=deal.id), there.freelancer


async def _withdraw(there: Deployment) -> Asked:
    deal = await there.propose("250.00")
    return c.Withdraw(contract_id=deal.id), there.client


async def _add(there: Deployment) -> Asked:
    deal = await there.activate()
    command = c.AddMilestone(contract_id=deal.id, milestone=draft("Testing"), position=1)
    return command, there.client


async def _edit(there: Deployment) -> Asked:
    deal = await there.activate()
    command = c.EditMilestone(milestone_id=deal.milestone(2), amount=usd("7.00"), title="Smaller")
    return command, there.client


async def _move(there: Deployment) -> Asked:
    deal = await there.activate("1.00", "2.00", "3.00")
    return c.MoveMilestone(milestone_id=deal.milestone(3), position=1), there.client


async def _remove(there: Deployment) -> Asked:
    deal = await there.activate()
    return c.RemoveMilestone(milestone_id=deal.milestone(1)), there.client


async def _fund(there: Deployment) -> Asked:
    deal = await there.activate()
    command = c.Fund(
        milestone_id=deal.milestone(), deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER), revision=1
    )
    return command, there.client


async def _cancel_funding(there: Deployment) -> Asked:
    deal = await there.activate()
    await deal.fund()
    return c.CancelFunding(milestone_id=deal.milestone()), there.client


async def _confirm(there: Deployment) -> Asked:
    deal = await there.activate()
    deposit_id = await deal.fund()
    return deal.confirmation(deposit_id), PROVIDER


async def _confirm_wrong(there: Deployment) -> Asked:
    deal = await there.activate()
    deposit_id = await deal.fund()
    return deal.confirmation(deposit_id, Money(100, "EUR")), PROVIDER


async def _confirm_late(there: Deployment) -> Asked:
    deal = await there.activate()
    deposit_id = await deal.fund()
    await run(c.CancelFunding(milestone_id=deal.milestone()), by=there.client)
    return deal.confirmation(deposit_id), PROVIDER


async def _fail(there: Deployment) -> Asked:
    deal = await there.activate()
    command = c.FailDeposit(contract_id=deal.id, deposit_id=await deal.fund(), reason="card declined")
    return command, PROVIDER


async def _submit(there: Deployment) -> Asked:
    deal = await there.fund()
    return deal.submission(), there.freelancer


async def _request_changes(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    return c.RequestChanges(milestone_id=deal.milestone(), note="Bluer"), there.client


async def _approve(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    return c.Approve(milestone_id=deal.milestone(), message="Thank you"), there.client


async def _approve_last(there: Deployment) -> Asked:
    deal = await there.fund("250.00")
    return c.Approve(milestone_id=deal.milestone(), message="Thank you"), there.client


async def _pay_out(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.approve()
    return c.RequestPayout(contract_id=deal.id, order_id=ids.new(Kind.ORDER)), there.freelancer


async def _paid(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.approve()
    order_id = await deal.pay_out()
    return c.ConfirmOrder(contract_id=deal.id, order_id=order_id), PROVIDER


async def _paid_after_failure(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.approve()
    order_id = await deal.pay_out()
    await deal.fail_order(order_id)
    return c.ConfirmOrder(contract_id=deal.id, order_id=order_id), PROVIDER


async def _deadline(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    await advance_past_deadlines()
    return c.ApplyDeadlines(contract_id=deal.id), CLOCK


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


async def everything() -> dict[str, list[object]]:
    """All rows of all tables."""
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return {
        row[0]: [tuple(one) for one in await database.fetch(f"SELECT * FROM {row[0]} ORDER BY 1")] for row in tables
    }


async def refused(
    command: c.Command, by: Actor, error: type[DomainError], *, key: Idempotency | None = None
) -> DomainError:
    """The refusal of a command that wrote nothing."""
    before = await everything()
    with pytest.raises(error) as caught:
        await run(command, by=by, idempotency=key)
    assert await everything() == before
    return caught.value
