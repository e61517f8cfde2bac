"""Every command on a contract once, each where it is due; and refusals that must leave everything as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from escrow import database, ids
from escrow.access import CLOCK, PROVIDER, Actor
from escrow.agreement import commands as c
from escrow.errors import DomainError
from escrow.idempotency import Idempotency
from escrow.ids import Kind
from escrow.money import Money
from escrow.pipeline import run
from escrow.states import ReversalOutcome
from tests.factories import Deal, Deployment, advance_past_deadlines, draft, usd

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


async def _fund_proposal(there: Deployment) -> Asked:
    deal = await there.propose()
    command = c.Fund(
        milestone_id=deal.milestone(), deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER), revision=1
    )
    return command, there.client


async def _revise_funded(there: Deployment) -> Asked:
    deal = await there.propose("250.00")
    await deal.confirm(await deal.fund(revision=1))
    command = c.Revise(contract_id=deal.id, terms=c.Terms(), plan=(draft(),), message="Rather so")
    return command, there.freelancer


async def _fund_all(there: Deployment) -> Asked:
    deal = await there.activate()
    command = c.FundContract(contract_id=deal.id, deposit_id=ids.new(Kind.DEPOSIT), order_id=ids.new(Kind.ORDER))
    return command, there.client


async def _file(there: Deployment) -> Asked:
    deal = await there.fund("250.00", "500.00", "100.00")
    changes = (
        c.AddChange(milestone=draft("More"), position=2),
        c.EditChange(milestone_id=deal.milestone(2), amount=usd("7.00")),
        c.MoveChange(milestone_id=deal.milestone(3), position=2),
        c.RemoveChange(milestone_id=deal.milestone(2)),
        c.AmendChange(milestone_id=deal.milestone(), deliverables=("Two pages",)),
    )
    return deal.filing(*changes), there.freelancer


async def _accept_changes(there: Deployment) -> Asked:
    command, by = await _file(there)
    assert isinstance(command, c.FileChangeRequest)
    await run(command, by=by)
    return c.AcceptChangeRequest(change_request_id=command.change_request_id), there.client


async def _decline_changes(there: Deployment) -> Asked:
    deal = await there.fund()
    return c.DeclineChangeRequest(change_request_id=await deal.file(), message="No"), there.client


async def _withdraw_changes(there: Deployment) -> Asked:
    deal = await there.fund()
    return c.WithdrawChangeRequest(change_request_id=await deal.file()), there.freelancer


async def _approve_less(there: Deployment) -> Asked:
    deal = await there.activate()
    await deal.fund_all()
    return c.Approve(milestone_id=deal.milestone(), amount=usd("100.01")), there.client


def _with_bonus(deal: Deal) -> c.Approve:
    return c.Approve(
        milestone_id=deal.milestone(),
        bonus=usd("25.00"),
        bonus_deposit_id=ids.new(Kind.DEPOSIT),
        bonus_order_id=ids.new(Kind.ORDER),
        payment_token="tok_visa",
    )


async def _approve_with_bonus(there: Deployment) -> Asked:
    deal = await there.fund()
    return _with_bonus(deal), there.client


async def _bonus_confirmed(there: Deployment) -> Asked:
    deal = await there.fund()
    command = _with_bonus(deal)
    await run(command, by=there.client)
    return deal.confirmation(command.bonus_deposit_id or "", Money(2_500, "USD")), PROVIDER


async def _bonus_failed(there: Deployment) -> Asked:
    deal = await there.fund()
    command = _with_bonus(deal)
    await run(command, by=there.client)
    failure = c.FailDeposit(contract_id=deal.id, deposit_id=command.bonus_deposit_id or "", reason="declined")
    return failure, PROVIDER


async def _set_payouts(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.approve()
    return c.SetPayouts(contract_id=deal.id, automatic=True), there.freelancer


async def _approve_with_payouts(there: Deployment) -> Asked:
    deal = await there.fund()
    await run(c.SetPayouts(contract_id=deal.id, automatic=True), by=there.freelancer)
    return c.Approve(milestone_id=deal.milestone()), there.client


async def _post_update(there: Deployment) -> Asked:
    deal = await there.fund()
    return deal.update(1), there.freelancer


async def _request_refund(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    command = c.RequestRefund(
        milestone_id=deal.milestone(), refund_id=ids.new(Kind.REFUND_REQUEST), amount=usd("100.00"), message="Late"
    )
    return command, there.client


async def _withdraw_refund(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    return c.WithdrawRefund(refund_id=await deal.request_refund()), there.client


async def _accept_refund(there: Deployment) -> Asked:
    deal = await there.fund()
    return c.AcceptRefund(refund_id=await deal.request_refund()), there.freelancer


async def _accept_part(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    return c.AcceptRefund(refund_id=await deal.request_refund(amount="100.00")), there.freelancer


async def _decline_refund(there: Deployment) -> Asked:
    deal = await there.fund()
    refund_id = await deal.request_refund()
    command = c.DeclineRefund(refund_id=refund_id, dispute_id=ids.new(Kind.DISPUTE), reason="No", claim=usd("200.00"))
    return command, there.freelancer


async def _refund_unanswered(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.request_refund()
    await advance_past_deadlines()
    return c.ApplyDeadlines(contract_id=deal.id), CLOCK


async def _give_refund(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.request_refund()
    return c.GiveRefund(milestone_id=deal.milestone(), message="Sorry"), there.freelancer


async def _give_part(there: Deployment) -> Asked:
    deal = await there.fund()
    return c.GiveRefund(milestone_id=deal.milestone(), amount=usd("50.00")), there.freelancer


async def _end(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.file()
    return c.End(contract_id=deal.id, message="We stop"), there.client


async def _end_at_once(there: Deployment) -> Asked:
    deal = await there.activate("250.00", "100.00")
    await deal.file()
    return c.End(contract_id=deal.id), there.client


async def _withdraw_end(there: Deployment) -> Asked:
    deal = await there.fund()
    await run(c.End(contract_id=deal.id), by=there.client)
    return c.WithdrawEnd(contract_id=deal.id), there.client


async def _give_up(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.open_dispute()
    return c.End(contract_id=deal.id, giving_up=usd("250.00")), there.freelancer


async def _open_dispute(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    command = c.OpenDispute(
        milestone_id=deal.milestone(), dispute_id=ids.new(Kind.DISPUTE), claim=usd("0.00"), reason="Nothing works"
    )
    return command, there.client


async def _add_evidence(there: Deployment) -> Asked:
    deal = await there.fund()
    return deal.evidence(await deal.open_dispute()), there.freelancer


async def _accept_claim(there: Deployment) -> Asked:
    deal = await there.fund()
    return c.AcceptClaim(dispute_id=await deal.open_dispute(), message="So be it"), there.freelancer


async def _reject_claim(there: Deployment) -> Asked:
    deal = await there.fund()
    return c.RejectClaim(dispute_id=await deal.open_dispute(), message="No"), there.freelancer


async def _claim_unanswered(there: Deployment) -> Asked:
    deal = await there.fund("250.00")
    await deal.open_dispute(claim="250.00")
    await advance_past_deadlines()
    return c.ApplyDeadlines(contract_id=deal.id), CLOCK


async def _overdue(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.mediate()
    await advance_past_deadlines()
    return c.ApplyDeadlines(contract_id=deal.id), CLOCK


async def _offer(there: Deployment) -> Asked:
    deal = await there.fund()
    command = c.OfferSettlement(dispute_id=await deal.open_dispute(), to_freelancer=usd("120.00"), message="Half?")
    return command, there.freelancer


async def _withdraw_offer(there: Deployment) -> Asked:
    deal = await there.fund()
    dispute_id = await deal.open_dispute()
    await run(c.OfferSettlement(dispute_id=dispute_id, to_freelancer=usd("120.00")), by=there.freelancer)
    return c.WithdrawSettlement(dispute_id=dispute_id), there.freelancer


async def _accept_offer(there: Deployment) -> Asked:
    deal = await there.fund("250.00")
    dispute_id = await deal.mediate()
    await run(c.OfferSettlement(dispute_id=dispute_id, to_freelancer=usd("120.33")), by=there.freelancer)
    return c.AcceptSettlement(dispute_id=dispute_id, to_freelancer=usd("120.33")), there.client


async def _withdraw_dispute(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    return c.WithdrawDispute(dispute_id=await deal.open_dispute()), there.client


async def _agree_to_withdraw(there: Deployment) -> Asked:
    deal = await there.fund()
    return c.WithdrawDispute(dispute_id=await deal.mediate(), message="Shall we?"), there.freelancer


async def _decide(there: Deployment) -> Asked:
    deal = await there.fund()
    command = c.DecideDispute(dispute_id=await deal.mediate(), to_freelancer=usd("83.33"), reason="A third was done")
    return command, there.mediator


async def _decide_as_operator(there: Deployment) -> Asked:
    deal = await there.fund("250.00")
    command = c.DecideDispute(dispute_id=await deal.mediate(), to_freelancer=usd("250.00"), reason="All was done")
    return command, there.operator


async def _reverse(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    (deposit_id,) = deal.deposits
    return deal.reversal(deposit_id), PROVIDER


async def _reverse_what_was_sent_back(there: Deployment) -> Asked:
    deal = await there.activate()
    deposit_id = await deal.fund()
    await run(c.CancelFunding(milestone_id=deal.milestone()), by=there.client)
    await deal.confirm(deposit_id)
    return deal.reversal(deposit_id), PROVIDER


async def _reversal_of_what_was_sent_back_won(there: Deployment) -> Asked:
    command, _ = await _reverse_what_was_sent_back(there)
    await run(command, by=PROVIDER)
    assert isinstance(command, c.ReverseDeposit)
    return c.ResolveReversal(deposit_id=command.deposit_id, outcome=ReversalOutcome.WON), there.operator


async def _reversal_lost_on_a_proposal(there: Deployment) -> Asked:
    deal = await there.propose("250.00")
    deposit_id = await deal.fund(revision=1)
    await deal.confirm(deposit_id)
    await deal.reverse(deposit_id)
    return c.ResolveReversal(deposit_id=deposit_id, outcome=ReversalOutcome.LOST), there.operator


async def _reversal_won(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    (deposit_id,) = deal.deposits
    await deal.reverse(deposit_id)
    return c.ResolveReversal(deposit_id=deposit_id, outcome=ReversalOutcome.WON, message="It is back"), there.operator


async def _reversal_won_and_given_back(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.submit()
    (deposit_id,) = deal.deposits
    await deal.reverse(deposit_id)
    return replace(deal.reversal(deposit_id), outcome=ReversalOutcome.WON), PROVIDER


async def _cost(there: Deployment) -> Asked:
    deal = await there.fund()
    fee, given, got = Money(3_20, "EUR"), Money(110_00, "USD"), Money(99_00, "EUR")
    return c.BookCost(contract_id=deal.id, movement="txn_1", fee=fee, given=given, got=got), PROVIDER


async def _reversal_lost(there: Deployment) -> Asked:
    deal = await there.fund()
    await deal.mediate()
    (deposit_id,) = deal.deposits
    await deal.reverse(deposit_id)
    return c.ResolveReversal(deposit_id=deposit_id, outcome=ReversalOutcome.LOST), there.operator


async def _dormant(there: Deployment) -> Asked:
    deal = await there.fund()
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
    Case("fund a proposal", _fund_proposal, ("deposit.started",)),
    Case("revise what was funded", _revise_funded, ("milestone.refunded", "contract.revised", ADDED)),
    Case("fund everything", _fund_all, ("deposit.started",)),
    Case("file a change request", _file, ("change_request.filed",)),
    Case(
        "accept a change request",
        _accept_changes,
        (
            "change_request.accepted",
            ADDED,
            "milestone.edited",
            "milestone.moved",
            "milestone.removed",
            "milestone.amended",
        ),
    ),
    Case("decline a change request", _decline_changes, ("change_request.declined",)),
    Case("withdraw a change request", _withdraw_changes, ("change_request.withdrawn",)),
    Case(
        "approve less", _approve_less, ("milestone.rolled_forward", "milestone.released", "milestone.activated")
    ),
    Case("approve with a bonus", _approve_with_bonus, ("milestone.released", "bonus.started")),
    Case("a bonus is paid", _bonus_confirmed, ("bonus.paid",)),
    Case("a bonus fails", _bonus_failed, ("bonus.failed",)),
    Case("have payouts made", _set_payouts, ("payouts.changed", "payout.started")),
    Case("approve with payouts", _approve_with_payouts, ("milestone.released", "payout.started")),
    Case("post an update", _post_update, ("update.posted",)),
    Case("request a refund", _request_refund, ("refund.requested",)),
    Case("withdraw a refund request", _withdraw_refund, ("refund.request_withdrawn",)),
    Case("accept a refund request", _accept_refund, ("refund.accepted", "milestone.refunded")),
    Case("accept a refund request for a part", _accept_part, ("refund.accepted", "milestone.partly_refunded")),
    Case(
        "decline a refund request", _decline_refund, ("refund.declined", "dispute.opened", "dispute.mediation_started")
    ),
    Case("a refund request is not answered", _refund_unanswered, ("milestone.refunded",)),
    Case("give a refund", _give_refund, ("milestone.refunded",)),
    Case("give a part", _give_part, ("milestone.partly_refunded",)),
    Case("end as the client", _end, ("contract.end_requested", "refund.requested")),
    Case(
        "end with nothing held",
        _end_at_once,
        (
            "contract.end_requested",
            "milestone.cancelled",
            "milestone.cancelled",
            "contract.ended",
            "change_request.stale",
        ),
    ),
    Case("withdraw the end", _withdraw_end, ("contract.end_withdrawn", "refund.request_withdrawn")),
    Case(
        "end as the freelancer",
        _give_up,
        ("contract.end_requested", "dispute.resolved", "milestone.refunded", "milestone.cancelled", "contract.ended"),
    ),
    Case("open a dispute", _open_dispute, ("dispute.opened",)),
    Case("add evidence", _add_evidence, ("dispute.evidence_added",)),
    Case("accept a claim", _accept_claim, ("dispute.claim_accepted", "dispute.resolved", "milestone.settled")),
    Case("reject a claim", _reject_claim, ("dispute.rejected", "dispute.mediation_started")),
    Case(
        "a claim is not answered", _claim_unanswered, ("dispute.resolved", "milestone.released", "contract.completed")
    ),
    Case("mediation takes long", _overdue, ("dispute.overdue",)),
    Case("offer a settlement", _offer, ("dispute.settlement_offered",)),
    Case("withdraw an offer", _withdraw_offer, ("dispute.settlement_withdrawn",)),
    Case("accept an offer", _accept_offer, ("dispute.resolved", "milestone.settled", "contract.completed")),
    Case("withdraw a dispute", _withdraw_dispute, ("dispute.withdrawn",)),
    Case("agree to withdraw", _agree_to_withdraw, ("dispute.withdrawal_agreed",)),
    Case("decide", _decide, ("dispute.resolved", "milestone.settled")),
    Case(
        "decide as the operator", _decide_as_operator, ("dispute.resolved", "milestone.released", "contract.completed")
    ),
    Case("a deposit is reversed", _reverse, ("deposit.reversed",)),
    Case("a reversal is won", _reversal_won, ("deposit.reversal_resolved",)),
    Case(
        "the provider gives a reversed deposit back",
        _reversal_won_and_given_back,
        ("deposit.reinstated", "deposit.reversal_resolved"),
    ),
    Case("the provider's books tell of a fee and an exchange", _cost, ("cost.booked",)),
    Case("a reversal is lost", _reversal_lost, ("deposit.reversal_resolved", "dispute.resolved", "milestone.refunded")),
    Case("what was sent back is reversed", _reverse_what_was_sent_back, ("deposit.reversed",)),
    Case(
        "a reversal of what was sent back is won", _reversal_of_what_was_sent_back_won, ("deposit.reversal_resolved",)
    ),
    Case(
        "a reversal is lost on a proposal", _reversal_lost_on_a_proposal,
        ("deposit.reversal_resolved", "milestone.unfunded"),
    ),
    Case("nothing happens for long", _dormant, ("contract.dormant",)),
)  # fmt: skip


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
