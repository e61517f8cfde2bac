"""Represents money as a whole number of minor units and an ISO 4217 currency with its own exponent, never as a float.

This module owns parsing and printing of amounts, fees in basis points, and allocation without remainder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from escrow.causes import Cause
from escrow.currencies import CURRENT, EXPONENTS, FORMER, PUBLISHED
from escrow.errors import InvalidInput, quoted

MINOR_UNITS_MAX: Final = 10**15
"""The largest single amount, in minor units: 200 of them still fit a PostgreSQL BIGINT with room for fees."""

BASIS_POINTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class RawMoney:
    """An amount as somebody wrote it, not yet known to be exact in its currency."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`minor` minor units of `currency`; never negative by type, only by rule."""

    minor: int
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @property
    def amount(self) -> str:
        """The amount in major units with exactly the currency's decimals, as on the wire: `"1250.00"`."""
        exponent = EXPONENTS[self.currency]
        sign, digits = ("-", -self.minor) if self.minor < 0 else ("", self.minor)
        if exponent == 0:
            return f"{sign}{digits}"
        whole, part = divmod(digits, 10**exponent)
        return f"{sign}{whole}.{part:0{exponent}d}"

    def wire(self) -> dict[str, str]:
        return {"amount": self.amount, "currency": self.currency}

    @classmethod
    def from_wire(cls, value: dict[str, str]) -> Money:
        """The inverse of `wire`, for what we printed ourselves."""
        return cls(int(value["amount"].replace(".", "")), value["currency"])


def check_currency(code: str, *, field: str = "currency") -> str:
    """`code`, if it is a currency that some contract may be in, one that left ISO 4217 included; else `InvalidInput`."""
    if code not in EXPONENTS:
        raise InvalidInput(
            f"{quoted(code)} is not an ISO 4217 currency code, such as USD or JPY.",
            field=field,
            cause=Cause.NO_CURRENCY,
        )
    return code


def check_new_currency(code: str, *, field: str = "currency") -> str:
    """`code`, if a new contract may be in it: what left ISO 4217 is `InvalidInput`, too."""
    if code in FORMER and code not in CURRENT:
        raise InvalidInput(
            f"{code} left ISO 4217 (list of {PUBLISHED}); contracts made before go on in it.",
            field=field,
            cause=Cause.NO_CURRENCY,
        )
    return check_currency(code, field=field)


def exact(raw: RawMoney, *, currency: str, field: str, or_nothing: bool = False) -> Money:
    """`raw` in whole minor units of `currency`.

    Refuses with `InvalidInput`: another currency, more decimals than the currency has (also zeros), less than nothing,
    nothing unless `or_nothing`, more than `MINOR_UNITS_MAX`.
    """
    check_currency(raw.currency, field=f"{field}.currency")
    if raw.currency != currency:
        raise InvalidInput(
            f"The contract is in {currency}, this amount in {raw.currency}.",
            field=f"{field}.currency",
            details={"currency": currency},
            cause=Cause.OTHER_CURRENCY,
        )
    decimals = EXPONENTS[currency]
    exponent = raw.amount.as_tuple().exponent
    if not isinstance(exponent, int):
        raise InvalidInput(f"{quoted(raw.amount)} is not an amount.", field=f"{field}.amount", cause=Cause.NO_AMOUNT)
    if -exponent > decimals:
        raise InvalidInput(
            f"{currency} has {decimals} decimals; {quoted(raw.amount)} has {-exponent}.",
            field=f"{field}.amount",
            details={"currency": currency, "decimals": decimals},
            cause=Cause.DECIMALS,
        )
    if raw.amount < 0 or (raw.amount == 0 and not or_nothing):
        wanted = "not be negative" if or_nothing else "be more than zero"
        cause = Cause.NOT_NEGATIVE if or_nothing else Cause.ABOVE_ZERO
        raise InvalidInput(f"An amount must {wanted}.", field=f"{field}.amount", cause=cause)
    if raw.amount.adjusted() > 18 or (minor := int(raw.amount.scaleb(decimals))) > MINOR_UNITS_MAX:
        raise InvalidInput(
            f"An amount is at most {Money(MINOR_UNITS_MAX, currency)}.",
            field=f"{field}.amount",
            details={"most": Money(MINOR_UNITS_MAX, currency).wire()},
            cause=Cause.AMOUNT_MAX,
        )
    return Money(minor, currency)


def fee(amount_minor: int, basis_points: int) -> int:
    """floor(amount × basis points / 10,000): the rounding that domain rule 6 gives both fees, in minor units."""
    return amount_minor * basis_points // BASIS_POINTS


def fee_held(held_minor: int, *, base_minor: int, base_fee_minor: int) -> int:
    """The client fee that lies beside `held_minor`: ceil(F·H/G), with G and F right after money was last put in."""
    return -(-base_fee_minor * held_minor // base_minor) if base_minor else 0


def allocate(total_minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """`total_minor` in shares proportional to `weights` (positive), whose sum is `total_minor` to the last unit.

    The units that rounding down leaves over go to the largest remainders, the earlier share first among equals.
    """
    if not weights or min(weights) <= 0:
        raise InvalidInput("Ratios must be positive whole numbers, at least one.", field="ratios")
    whole = sum(weights)
    shares = [total_minor * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total_minor * weights[i] % whole), i))
    for i in by_remainder[: total_minor - sum(shares)]:
        shares[i] += 1
    return tuple(shares)
