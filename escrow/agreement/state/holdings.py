"""What a milestone holds, by the deposits that it came from, and how money leaves it: whole numbers of minor units only.

docs/law.md, section 6: the client fee beside what is held is always its share of the fee that was put in, rounded up, so
that slicing changes nothing; and money leaves oldest deposit first, the amounts by themselves and the fees by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from escrow.money import fee_held
from escrow.values import UNLESS_NONE


@dataclass(frozen=True, slots=True)
class Lot:
    """What a milestone still holds of one deposit, in minor units: of the price, and of the client fee beside it."""

    deposit_id: str
    amount_minor: int
    fee_minor: int
    hold_until: datetime | None = field(default=None, metadata=UNLESS_NONE)
    """Until when the payment provider's limit lets it be held; `None` for ever."""

    @property
    def whole_minor(self) -> int:
        return self.amount_minor + self.fee_minor


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held now, and G and F: what was held, and the fee beside it, right after money was last put in."""

    held_minor: int
    base_minor: int
    base_fee_minor: int

    @property
    def fee_minor(self) -> int:
        """The client fee that lies beside what is held: ceil(F·H/G)."""
        return fee_held(self.held_minor, base_minor=self.base_minor, base_fee_minor=self.base_fee_minor)

    def without(self, amount_minor: int) -> Holding:
        """What stays after `amount_minor` left; the difference of the two fees went along."""
        if not 0 <= amount_minor <= self.held_minor:
            raise ValueError(f"{amount_minor} can't leave {self.held_minor}")
        return replace(self, held_minor=self.held_minor - amount_minor)

    def fee_of(self, amount_minor: int) -> int:
        """The client fee that goes along with `amount_minor`, if that leaves now."""
        return self.fee_minor - self.without(amount_minor).fee_minor


def take(lots: Sequence[Lot], amount_minor: int, fee_minor: int) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """What leaves of each deposit, oldest first, and what stays."""
    taken, left = [], []
    for lot in lots:
        amount, fee = min(lot.amount_minor, amount_minor), min(lot.fee_minor, fee_minor)
        amount_minor, fee_minor = amount_minor - amount, fee_minor - fee
        taken.append(replace(lot, amount_minor=amount, fee_minor=fee))
        left.append(replace(lot, amount_minor=lot.amount_minor - amount, fee_minor=lot.fee_minor - fee))
    if amount_minor or fee_minor:
        raise ValueError(f"{amount_minor} and a fee of {fee_minor} were to leave more than is held")
    return _something(taken), _something(left)


def put(older: Iterable[Lot], newer: Iterable[Lot]) -> tuple[Lot, ...]:
    """Both together, one lot for each deposit, oldest first."""
    lots: dict[str, Lot] = {}
    for lot in (*older, *newer):
        before = lots.get(lot.deposit_id)
        lots[lot.deposit_id] = lot if before is None else _sum(before, lot)
    return tuple(lots.values())


def split_off(lots: Iterable[Lot], at_risk: Mapping[str, int]) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
    """What is lost of deposits under reversal, each up to what is `at_risk` of it, the price before the fee; and what is not."""
    lost, kept = [], []
    for lot in lots:
        amount = min(lot.amount_minor, at_risk.get(lot.deposit_id, 0))
        fee = min(lot.fee_minor, at_risk.get(lot.deposit_id, 0) - amount)
        lost.append(replace(lot, amount_minor=amount, fee_minor=fee))
        kept.append(replace(lot, amount_minor=lot.amount_minor - amount, fee_minor=lot.fee_minor - fee))
    return _something(lost), _something(kept)


def totals(lots: Iterable[Lot]) -> tuple[int, int]:
    """The amounts of all lots together, and their fees."""
    all_ = tuple(lots)
    return sum(lot.amount_minor for lot in all_), sum(lot.fee_minor for lot in all_)


def _sum(one: Lot, other: Lot) -> Lot:
    return replace(one, amount_minor=one.amount_minor + other.amount_minor, fee_minor=one.fee_minor + other.fee_minor)


def _something(lots: Iterable[Lot]) -> tuple[Lot, ...]:
    return tuple(lot for lot in lots if lot.whole_minor)
