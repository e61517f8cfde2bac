"""What the model knows of a contract: plain values, nothing decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from escrow.access import Actor, Side
from escrow.money import Money, RawMoney

DECIMALS: Final = {"JPY": 0, "USD": 2, "BHD": 3, "EUR": 2}
LARGEST: Final = 10**15
OPEN_AND_LOCKED: Final = ("FUNDING", "FUNDED", "ACTIVE", "SUBMITTED", "CHANGES_REQUESTED")
HOLDING: Final = ("FUNDED", "ACTIVE", "SUBMITTED", "CHANGES_REQUESTED")
CLOSED: Final = ("RELEASED", "REFUNDED", "SETTLED", "CANCELLED")
WINDOWS: Final = {
    "offer_hours": (720, 1, 2160),
    "deposit_hours": (72, 1, 2160),
    "review_hours": (336, 48, 2160),
    "refund_answer_hours": (168, 48, 2160),
    "dispute_answer_hours": (168, 48, 2160),
    "mediation_hours": (720, 24, 2160),
}
"""Default, least and most, in hours: section 4."""
REMINDERS: Final = (168, 48, 12)


@dataclass
class Piece:
    """A milestone."""

    id: str
    amount: int
    state: str = "PLANNED"
    held: int = 0
    fee: int = 0
    review_due: datetime | None = None
    deposit: str | None = None
    window: tuple[datetime, datetime] | None = None
    """From when to when it waits for somebody."""
    announced: list[int] = field(default_factory=list)
    """How many hours before the window's end that was told."""


@dataclass
class Charge:
    """A deposit."""

    id: str
    piece: str
    amount: int
    fee: int
    due: datetime
    state: str = "STARTED"
    returned: list[Money] = field(default_factory=list)


@dataclass
class Sending:
    """A return or a payout that the provider was asked for."""

    kind: str
    amount: Money
    state: str = "STARTED"


@dataclass
class Facts:
    """One contract as the law sees it."""

    contract_id: str = ""
    client: str = ""
    freelancer: str = ""
    state: str = ""
    currency: str = ""
    revision: int = 0
    author: Side = Side.CLIENT
    offered: datetime | None = None
    plan_version: int = 0
    windows: dict[str, int] = field(default_factory=dict)
    client_bps: int = 0
    freelancer_bps: int = 0
    pieces: list[Piece] = field(default_factory=list)
    former: dict[str, Piece] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    sendings: dict[str, Sending] = field(default_factory=dict)
    unnamed: list[Sending] = field(default_factory=list)
    """Returns whose identifier the core chose; the test names them afterwards."""
    books: Counter[tuple[str, str]] = field(default_factory=Counter)

    def _book(self, debit: str, credit: str, amount: int, currency: str | None = None) -> None:
        if amount:
            self.books[debit, currency or self.currency] -= amount
            self.books[credit, currency or self.currency] += amount

    def _piece(self, piece_id: str) -> Piece:
        return next((piece for piece in self.pieces if piece.id == piece_id), None) or self.former[piece_id]

    def _index(self, piece_id: str) -> int:
        return next(i for i, piece in enumerate(self.pieces) if piece.id == piece_id)

    def _side(self, actor: Actor) -> Side | None:
        if actor.account_id == self.client:
            return Side.CLIENT
        return Side.FREELANCER if actor.account_id == self.freelancer else None

    def _payable(self, side: Side) -> str:
        return f"payable:{self.contract_id}:{side.value.lower()}"

    @property
    def _transit(self) -> str:
        return f"transit:{self.contract_id}"


def minor(raw: RawMoney, currency: str) -> int | None:
    """The amount in minor units, or ``None`` where the law refuses it."""
    if raw.currency != currency or currency not in DECIMALS or not raw.amount.is_finite():
        return None
    exponent = raw.amount.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > DECIMALS[currency]:
        return None
    if raw.amount <= 0 or raw.amount > Decimal(LARGEST):
        return None
    units = int(raw.amount * 10 ** DECIMALS[currency])
    return units if units <= LARGEST else None
