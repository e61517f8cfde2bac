"""Facts about bonuses."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText
from escrow.agreement.events.deposits import DepositFailure
from escrow.money import Money


class BonusStarted(Event):
    """The client's payment of a bonus was asked of the provider, which has until `due_at` to answer."""

    type: ClassVar = "bonus.started"
    milestone_id: str
    deposit_id: str
    order_id: str
    amount: Money
    due_at: datetime
    payment_token: OptionalText = None


class BonusPaid(Event):
    """The bonus came and is payable to the freelancer, without fees."""

    type: ClassVar = "bonus.paid"
    milestone_id: str
    deposit_id: str
    amount: Money


class BonusFailed(Event):
    """The provider refused the bonus, took another sum, or did not answer in time; what still comes is sent back."""

    type: ClassVar = "bonus.failed"
    milestone_id: str
    deposit_id: str
    reason: DepositFailure
    explanation: OptionalText = None
