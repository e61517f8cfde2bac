"""What the payment provider's books tell of fees and of money that it changed."""

from __future__ import annotations

from escrow.agreement.commands.base import Report
from escrow.money import Money


class BookCost(Report):
    """A movement of the contract's money cost something, or was made in another currency; once for each `movement`."""

    movement: str
    """The provider's name for it."""
    fee: Money | None = None
    """In the currency of the provider's balance; `None` for none."""
    is_fee_returned: bool = False
    given: Money | None = None
    """What left the provider's balance in one currency, for `got` in another; both or none."""
    got: Money | None = None
