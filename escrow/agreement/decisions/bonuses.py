"""Decides on bonuses: deposits of their own that the client adds to an approval, without fees."""

from __future__ import annotations

from datetime import timedelta

from escrow.agreement.commands import Approve
from escrow.agreement.decisions.deposits import check_limits, payment_token
from escrow.agreement.events import BonusStarted
from escrow.agreement.history import History
from escrow.money import Money, exact


def checked(history: History, command: Approve) -> Money | None:
    """The bonus of an approval, if it has one; refuses with `InvalidInput` what is no sum of the contract's money, and what
    the payment provider would never take."""
    payment_token(command.payment_token)
    if command.bonus is None:
        return None
    bonus = exact(command.bonus, currency=history.state.currency, field="bonus")
    check_limits(history, bonus, field="bonus")
    return bonus


def start(history: History, command: Approve, bonus: Money) -> None:
    """`bonus.started`; nothing where one is on its way or was paid: late clicks are not errors."""
    state = history.state
    milestone = state.milestone(command.milestone_id)
    if milestone is None or milestone.bonus_deposit_id is not None:
        return
    if command.bonus_deposit_id is None or command.bonus_order_id is None:
        raise ValueError("an approval with a bonus names its deposit and its order")
    event = BonusStarted(
        milestone_id=milestone.id,
        deposit_id=command.bonus_deposit_id,
        order_id=command.bonus_order_id,
        amount=bonus,
        due_at=history.now + timedelta(hours=state.windows.deposit_hours),
        payment_token=command.payment_token,
    )
    history.add(event)
