"""Facts about what the payment provider takes for itself, and about money that it changed."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.events.base import Event
from escrow.money import Money


class CostBooked(Event):
    """By the provider's books a movement of the contract's money cost a fee, or gave one back, or was made in another currency.
    It is the operator's cost and takes nothing from anybody."""

    type: ClassVar = "cost.booked"
    movement: str
    """The provider's name for the movement."""
    fee: Money | None = None
    is_fee_returned: bool | None = None
    """Whether the fee was given back; absent if it was taken."""
    given: Money | None = None
    """What left the provider's balance in one currency, for `got` in another."""
    got: Money | None = None
