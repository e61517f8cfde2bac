"""What the books of a payment provider say: the movements of the platform's balance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escrow.money import Money
from escrow.payments.results import Exchange


class MovementKind(StrEnum):
    """What a movement of the platform's balance at the provider was for."""

    CHARGE = "CHARGE"
    REFUND = "REFUND"
    REFUND_FAILED = "REFUND_FAILED"
    """A refund's money came back."""
    REVERSAL = "REVERSAL"
    REVERSAL_RETURNED = "REVERSAL_RETURNED"
    """A reversal was won or withdrawn."""
    TRANSFER = "TRANSFER"
    TRANSFER_RETURNED = "TRANSFER_RETURNED"
    FEE = "FEE"
    """A fee by itself, apart from any movement."""
    WITHDRAWAL = "WITHDRAWAL"
    """The platform's own money went to the platform's own bank, or came from there."""
    RESERVE = "RESERVE"
    """The provider keeps back money of the platform, covers with it what a payee owes, or gives it back."""
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One movement of the platform's balance (a balance transaction). Signs are the balance's: what came in is positive."""

    id: str
    kind: MovementKind
    at: datetime
    amount: Money
    """Before the fee, in the currency of the balance."""
    fee: Money
    """What was taken off; never negative, unless a fee was given back."""
    net: Money
    """`amount` less `fee`: by how much the balance changed."""
    source_id: str | None = None
    """The provider's identifier of what moved: a charge, a refund, a transfer, a reversal."""
    order_id: str | None = None
    """Our order, where the provider has kept it."""
    group: str | None = None
    exchange: Exchange | None = None
    description: str = ""
    """For people."""
