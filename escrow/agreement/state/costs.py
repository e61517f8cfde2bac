"""What the payment provider's books say of a contract's money beside the sums themselves: its fee, and money that it changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escrow.money import Money


@dataclass(frozen=True, slots=True)
class Cost:
    """What one movement at the provider cost, by the provider's name for the movement."""

    id: str
    fee: Money | None
    """What it took, or gave back."""
    is_fee_returned: bool
    given: Money | None
    """What left the provider's balance in one currency, for `got` in another; both or none."""
    got: Money | None
    booked_at: datetime
