"""Decides on reversed deposits (chargebacks): what stands still, what comes again, and what comes of how the argument ended.

The provider's word moves money at the provider, the operator's never does. What is known of each reversal is compared with
what is reported of it, so that a report may come twice, late or in the wrong order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escrow.agreement import inputs
from escrow.agreement.commands import ResolveReversal, ReverseDeposit
from escrow.agreement.decisions import disputes, holdings
from escrow.agreement.decisions.deposits import deposit_of
from escrow.agreement.events import (
    DepositReinstated,
    DepositReversalResolved,
    DepositReversed,
    DisputeOutcome,
    RefundReason,
)
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import Contract, Deposit, Milestone, Reversal, place_of
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import ContractState, DepositState, ReversalOutcome


@dataclass(frozen=True, slots=True)
class Told:
    """What a report says of one reversal, in minor units: what was taken in all, and what of that came again."""

    taken_minor: int
    given_back_minor: int
    outcome: ReversalOutcome | None


def reverse_deposit(history: History, command: ReverseDeposit) -> None:
    """`deposit.reversed` for what was taken and is new, then `deposit.reinstated` for what came again, then
    `deposit.reversal_resolved` if the argument ended; nothing for what is known or never came.

    Of a deposit that was sent back the report must name the sum that came: any other is nothing that the books know of.
    """
    deposit = deposit_of(history, command.deposit_id)
    came = _came(history.state, deposit)
    if came is None or command.amount.minor <= 0:
        return
    if deposit.state is not DepositState.CONFIRMED and command.amount != came:
        return
    told = _told(deposit, command, came)
    _take(history, command, told)
    _give_back(history, command, told)
    _end(history, command, told)


def _came(state: Contract, deposit: Deposit) -> Money | None:
    """What a reversal may take: a confirmed deposit's charge, else what came first and was sent back; `None` if nothing did."""
    if deposit.state is DepositState.CONFIRMED:
        return state.money(deposit.charge_minor)
    return deposit.returned[0] if deposit.returned else None


def _told(deposit: Deposit, command: ReverseDeposit, came: Money) -> Told:
    """The report beside what is known: sums only grow, and together no more is out than ever came."""
    known = _known(deposit, command.reference)
    others_minor = deposit.outstanding_minor - known.outstanding_minor
    # More than came, or money of another kind, is all that came.
    said_minor = min(command.amount.minor, came.minor) if command.amount.currency == came.currency else came.minor
    taken_minor = max(known.taken_minor, min(said_minor, known.given_back_minor + came.minor - others_minor))
    if command.outcome is None:
        back_minor = 0
    elif command.outcome is ReversalOutcome.LOST:
        back_minor = taken_minor - said_minor
    else:
        back_minor = min(said_minor, taken_minor)
    return Told(taken_minor, max(known.given_back_minor, back_minor), command.outcome)


def _known(deposit: Deposit, reference: str) -> Reversal:
    place = place_of(deposit.known_reversals, reference)
    return Reversal(reference, 0) if place is None else deposit.known_reversals[place]


def _take(history: History, command: ReverseDeposit, told: Told) -> None:
    """What is argued about freezes what holds it; more of what is decided already is the operator's loss or risk."""
    deposit = deposit_of(history, command.deposit_id)
    known, came = _known(deposit, command.reference), _came(history.state, deposit)
    more_minor = told.taken_minor - known.taken_minor
    if more_minor <= 0 or came is None:
        return
    frozen = _holding(history.state, deposit) if known.outcome is None else ()
    event = DepositReversed(
        deposit_id=deposit.id,
        amount=Money(more_minor, came.currency),
        milestone_ids=tuple(one.id for one in frozen),
        reversal_id=command.reference,
        evidence_due_at=command.evidence_due_at,
        explanation=inputs.explanation(command.reason),
    )
    history.add(event)


def _give_back(history: History, command: ReverseDeposit, told: Told) -> None:
    """What milestones gave up of it goes to the client, as far as more came again than the client has from the bank."""
    deposit = deposit_of(history, command.deposit_id)
    more_minor = told.given_back_minor - _known(deposit, command.reference).given_back_minor
    came = _came(history.state, deposit)
    if more_minor <= 0 or came is None:
        return
    out_minor = deposit.outstanding_minor - more_minor
    to_client = max(0, deposit.forfeited_minor - out_minor - deposit.restored_minor)
    event = DepositReinstated(
        deposit_id=deposit.id,
        reversal_id=command.reference,
        amount=Money(more_minor, came.currency),
        to_client=Money(to_client, came.currency) if to_client else None,
        order_id=history.fresh(Kind.ORDER) if to_client else None,
    )
    history.add(event)


def _end(history: History, command: ReverseDeposit, told: Told) -> None:
    """What was won stays won; what was lost may be won after all."""
    known = _known(deposit_of(history, command.deposit_id), command.reference)
    if told.outcome is None or not known.taken_minor:
        return
    if known.outcome is None or (known.outcome is ReversalOutcome.LOST and told.outcome is not ReversalOutcome.LOST):
        _resolve(history, command.deposit_id, told.outcome, known.taken_minor, reversal_id=command.reference)


def resolve_reversal(history: History, command: ResolveReversal) -> None:
    """`deposit.reversal_resolved`, of all that goes on: milestones that hold what is won go on at the operator's risk; what is
    lost closes them, and leaves those of a proposal planned."""
    deposit = deposit_of(history, command.deposit_id)
    message = inputs.message(command.message)
    taken_minor = sum(one.taken_minor for one in deposit.known_reversals if one.outcome is None)
    _resolve(history, deposit.id, command.outcome, taken_minor, message=message)


def _resolve(
    history: History,
    deposit_id: str,
    outcome: ReversalOutcome,
    amount_minor: int,
    *,
    reversal_id: str | None = None,
    message: str | None = None,
) -> None:
    deposit = deposit_of(history, deposit_id)
    came = _came(history.state, deposit)
    if came is None:
        raise ValueError(f"{deposit.id} was reversed, but nothing of it came")
    concerned = _holding(history.state, deposit)
    event = DepositReversalResolved(
        deposit_id=deposit.id,
        outcome=outcome,
        amount=Money(amount_minor, came.currency),
        milestone_ids=tuple(one.id for one in concerned),
        reversal_id=reversal_id,
        outstanding=Money(deposit.outstanding_minor, came.currency),
        message=message,
    )
    history.add(event)
    if outcome is ReversalOutcome.LOST:
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
