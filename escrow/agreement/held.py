"""What a milestone holds, by the deposits that it came from, and how money leaves it: whole numbers of minor units only.

Section 6 of the domain: the client fee beside what is held is always its share of the fee that was put in, rounded up, so
that slicing changes nothing; and money leaves oldest deposit first, its fee included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from escrow.money import fee_held


@dataclass(frozen=True, slots=True)
class HeldPart:
    """What a milestone still holds of one deposit: of the price, and of the client fee beside it."""

    deposit_id: str
    amount_minor: int
    fee_minor: int

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
        """What stays after ``amount_minor`` left; the difference of the two fees went along."""
        if not 0 <= amount_minor <= self.held_minor:
            raise ValueError(f"{amount_minor} can't leave {self.held_minor}")
        return replace(self, held_minor=self.held_minor - amount_minor)

    def fee_of(self, amount_minor: int) -> int:
        """The client fee that goes along with ``amount_minor``, if that leaves now."""
        return self.fee_minor - self.without(amount_minor).fee_minor


def take(
    parts: Sequence[HeldPart], amount_minor: int, fee_minor: int
) -> tuple[tuple[HeldPart, ...], tuple[HeldPart, ...]]:
    """What leaves of each deposit, oldest first, and what stays."""
    taken, left = [], []
    for part in parts:
        amount, fee = min(part.amount_minor, amount_minor), min(part.fee_minor, fee_minor)
        amount_minor, fee_minor = amount_minor - amount, fee_minor - fee
        taken.append(replace(part, amount_minor=amount, fee_minor=fee))
        left.append(replace(part, amount_minor=part.amount_minor - amount, fee_minor=part.fee_minor - fee))
    if amount_minor or fee_minor:
        raise ValueError(f"{amount_minor} and a fee of {fee_minor} were to leave more than is held")
    return _something(taken), _something(left)


def put(older: Iterable[HeldPart], newer: Iterable[HeldPart]) -> tuple[HeldPart, ...]:
    """Both together, one part for each deposit, oldest first."""
    parts: dict[str, HeldPart] = {}
    for part in (*older, *newer):
        before = parts.get(part.deposit_id)
        parts[part.deposit_id] = part if before is None else _sum(before, part)
    return tuple(parts.values())


def split(parts: Iterable[HeldPart], reversed_ids: Iterable[str]) -> tuple[tuple[HeldPart, ...], tuple[HeldPart, ...]]:
    """What is held of deposits under reversal, and what of the others."""
    reversed_, all_ = set(reversed_ids), tuple(parts)
    lost = tuple(part for part in all_ if part.deposit_id in reversed_)
    return lost, tuple(part for part in all_ if part.deposit_id not in reversed_)


def totals(parts: Iterable[HeldPart]) -> tuple[int, int]:
    """The amounts of all parts together, and their fees."""
    all_ = tuple(parts)
    return sum(part.amount_minor for part in all_), sum(part.fee_minor for part in all_)


def _sum(one: HeldPart, other: HeldPart) -> HeldPart:
    return replace(
        one, amount_minor=one.amount_minor + other.amount_minor, fee_minor=one.fee_minor + other.fee_minor
    )


def _something(parts: Iterable[HeldPart]) -> tuple[HeldPart, ...]:
    return tuple(part for part in parts if part.whole_minor)
