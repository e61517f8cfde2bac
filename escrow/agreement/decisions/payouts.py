"""Decides on payouts: asked for by the freelancer, or by themselves."""

from __future__ import annotations

from typing import Final

from escrow.access import Side
from escrow.agreement import events
from escrow.agreement.commands import RequestPayout, SetPayouts
from escrow.agreement.history import Decisions, History
from escrow.agreement.permit import last_refusal
from escrow.agreement.postings import payable_to
from escrow.causes import Cause
from escrow.errors import InsufficientFunds
from escrow.ids import Kind
from escrow.money import exact


def request_payout(history: History, command: RequestPayout) -> None:
    """`payout.started` with all that is payable to the freelancer, or with the part that was named."""
    state = history.state
    payable = state.balances.get((payable_to(state.id, Side.FREELANCER), state.currency), 0)
    amount = state.money(payable)
    if command.amount is not None:
        amount = exact(command.amount, currency=state.currency, field="amount")
    if refusal := last_refusal(state, command.action, None):
        raise refusal
    if amount.minor > payable:
        raise InsufficientFunds(
            f"{state.money(payable)} is payable, not {amount}.",
            field="amount",
            details={"payable": state.money(payable).wire()},
            cause=Cause.MORE_THAN_PAYABLE,
        )
    history.add(events.PayoutStarted(order_id=command.order_id, amount=amount))


def set_payouts(history: History, command: SetPayouts) -> None:
    """`payouts.changed`; asking for what already is changes nothing. What is payable now goes out with it."""
    if command.automatic != history.state.payouts_are_automatic:
        history.add(events.PayoutsChanged(automatic=command.automatic))


def pay_out_by_itself(history: History) -> None:
    """`payout.started` with all that is payable, if the freelancer has it so and was just paid something.

    A payout that failed is not started anew by its failure: it would be tried for ever.
    """
    state = history.state
    payable = state.balances.get((payable_to(state.id, Side.FREELANCER), state.currency), 0)
    if state.payouts_are_automatic and payable > 0 and _was_just_paid(history):
        history.add(events.PayoutStarted(order_id=history.fresh(Kind.ORDER), amount=state.money(payable)))


def _was_just_paid(history: History) -> bool:
    for recorded in reversed(history.recorded):
        if isinstance(recorded.event, events.PayoutStarted):
            return False
        if isinstance(recorded.event, _PAYING):
            return True
    return False


_PAYING: Final = (events.MilestoneReleased, events.MilestoneSettled, events.BonusPaid, events.PayoutsChanged)
"""What makes a payout start by itself."""


DECISIONS: Final[Decisions] = {
    RequestPayout: request_payout,
    SetPayouts: set_payouts,
}
