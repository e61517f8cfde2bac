"""Facts about payouts to the freelancer."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText
from escrow.money import Money


class PayoutStarted(Event):
    """What was payable to the freelancer is on its way."""

    type: ClassVar = "payout.started"
    order_id: str
    amount: Money


class PayoutPaid(Event):
    """The provider paid the freelancer. `shortfall` as in `refund.paid`."""

    type: ClassVar = "payout.paid"
    order_id: str
    amount: Money
    after_failure: bool
    shortfall: Money


class PayoutFailed(Event):
    """The provider could not pay the freelancer; the sum is payable again. `after_payment`: it had
    been paid, and came back."""

    type: ClassVar = "payout.failed"
    order_id: str
    amount: Money
    explanation: OptionalText = None
    after_payment: bool | None = None
    """Whether it had been reported as paid before; absent if not."""


class PayoutsChanged(Event):
    """The freelancer is paid out without asking each time from now on, or only when it asks."""

    type: ClassVar = "payouts.changed"
    automatic: bool
