"""Decides on reversed deposits (chargebacks): what stands still, and what comes of it once the operator resolves it."""

from __future__ import annotations

from typing import Final

from escrow.agreement import inputs
from escrow.agreement.commands import ResolveReversal, ReverseDeposit
from escrow.agreement.decisions import disputes, holdings
from escrow.agreement.decisions.deposits import deposit_of
from escrow.agreement.events import DepositReversalResolved, DepositReversed, DisputeOutcome, RefundReason
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import Contract, Deposit, Milestone
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import ContractState, DepositState, ReversalOutcome


def reverse_deposit(history: History, command: ReverseDeposit) -> None:
    """`deposit.reversed`, once for a deposit or a bonus whose money came; the milestones that hold it are frozen.

    Of one that was sent back the report must name the sum that came: any other is nothing that the books know of.
    """
    deposit = deposit_of(history, command.deposit_id)
    came = _came(history.state, deposit)
    if came is None or deposit.reversal is not None:
        return
    if deposit.state is not DepositState.CONFIRMED and command.amount != came:
        return
    event = DepositReversed(
        deposit_id=deposit.id,
        amount=came,
        milestone_ids=tuple(one.id for one in _holding(history.state, deposit)),
        explanation=inputs.explanation(command.reason),
    )
    history.add(event)


def _came(state: Contract, deposit: Deposit) -> Money | None:
    """What a reversal takes: a confirmed deposit's charge, else what came first and was sent back; `None` if nothing did."""
    if deposit.state is DepositState.CONFIRMED:
        return state.money(deposit.charge_minor)
    return deposit.returned[0] if deposit.returned else None


def resolve_reversal(history: History, command: ResolveReversal) -> None:
    """`deposit.reversal_resolved`. What is won is held again, or the client's if milestones gave it up meanwhile; what is
    lost closes the milestones that hold it, and leaves those of a proposal planned."""
    deposit = deposit_of(history, command.deposit_id)
    came = _came(history.state, deposit)
    if came is None:
        raise ValueError(f"{deposit.id} was reversed, but nothing of it came")
    message = inputs.message(command.message)
    won = command.outcome is ReversalOutcome.WON
    concerned = _holding(history.state, deposit)
    to_client = deposit.forfeited_minor if won else 0
    event = DepositReversalResolved(
        deposit_id=deposit.id,
        outcome=command.outcome,
        amount=came,
        milestone_ids=tuple(one.id for one in concerned),
        to_client=history.money(to_client) if to_client else None,
        order_id=history.fresh(Kind.ORDER) if to_client else None,
        message=message,
    )
    history.add(event)
    if not won:
        for milestone in concerned:
            _lose(history, milestone)


def _holding(state: Contract, deposit: Deposit) -> tuple[Milestone, ...]:
    """The milestones that hold money of this deposit, in the order of the plan."""
    return tuple(
        milestone for milestone in state.milestones if any(lot.deposit_id == deposit.id for lot in milestone.lots)
    )


def _lose(history: History, milestone: Milestone) -> None:
    if history.state.state is ContractState.PROPOSED:
        holdings.unfund(history, milestone)
        return
    disputes.concede(history, milestone, 0, DisputeOutcome.REVERSAL_LOST)
    holdings.refund(history, milestone, RefundReason.REVERSAL_LOST)


DECISIONS: Final[Decisions] = {
    ResolveReversal: resolve_reversal,
    ReverseDeposit: reverse_deposit,
}
