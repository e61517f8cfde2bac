"""Says which currencies Stripe takes, how it counts them, and how much at once.

Stripe's unit of a currency isn't always ISO 4217's: what became a currency without decimals stays one with two (ISK, UGX). A
currency is taken only if every minor unit of ours is a whole number of what Stripe moves: MGA, which Stripe counts without
decimals, and those with three decimals, whose last must be zero, could leave a split that nobody can pay.
"""

from __future__ import annotations

from typing import Final

from escrow.currencies import CURRENT, EXPONENTS
from escrow.money import Money
from escrow.payments.results import ProviderError
from escrow.terms import Limits

ZERO_DECIMAL: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
"""Counted in whole units."""

THREE_DECIMAL: Final = frozenset("BHD JOD KWD OMR TND".split())
"""Counted in thousandths, of which the last digit must be zero."""

PAID_OUT_WHOLE: Final = frozenset("HUF TWD".split())
"""Taken with two decimals, but paid out in whole units only when we order the payout."""

TWO_DECIMAL: Final = frozenset(
    "USD AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC CVE CZK "
    "DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD KES KGS KHR KYD KZT LAK LBP "
    "LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
    "RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH UGX UYU UZS WST XCD YER ZAR ZMW".split()
)
"""Counted in hundredths, also where ISO 4217 has no decimals any more (ISK, UGX)."""

MINIMA: Final = {
    "USD": "0.50", "AED": "2.00", "AUD": "0.50", "BRL": "0.50", "CAD": "0.50", "CHF": "0.50", "CZK": "15.00", "DKK": "2.50",
    "EUR": "0.50", "GBP": "0.30", "HKD": "4.00", "HUF": "175.00", "INR": "0.50", "JPY": "50", "MXN": "10.00", "MYR": "2.00",
    "NOK": "3.00", "NZD": "0.50", "PLN": "2.00", "RON": "2.00", "SEK": "3.00", "SGD": "0.50", "THB": "10.00",
}  # fmt: skip
"""The smallest charge in currencies that Stripe settles in, as it publishes them. Others have one that moves with the exchange
rate (half a dollar's worth), which Stripe alone knows: below it a deposit fails."""

DIGITS_MAX: Final = 8
DIGITS_MAX_BY_CURRENCY: Final = {"IDR": 12}
"""How many digits an amount may have at Stripe."""


def decimals(currency: str) -> int:
    """With how many decimals Stripe counts a currency."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def taken(*, we_order_payouts: bool) -> frozenset[str]:
    """The currencies that a contract may be in: those in which every minor unit of ours can be charged and paid out."""
    counted = (ZERO_DECIMAL | TWO_DECIMAL) & frozenset(CURRENT)
    whole = frozenset(one for one in counted if EXPONENTS[one] <= decimals(one))
    return whole - PAID_OUT_WHOLE if we_order_payouts else whole


def limits_of(currency: str) -> Limits:
    """What one charge may be, in our minor units."""
    factor = _factor(currency)
    most = 10 ** DIGITS_MAX_BY_CURRENCY.get(currency, DIGITS_MAX) - 1
    least = int(MINIMA.get(currency, "0").replace(".", "")) or 1
    return Limits(minimum_minor=max(1, -(-least // factor)), maximum_minor=most // factor)


def _factor(currency: str) -> int:
    """How many of Stripe's units are one of our minor units."""
    return int(10 ** (decimals(currency) - EXPONENTS[currency]))


def to_stripe(amount: Money) -> int:
    """An amount in Stripe's units."""
    return amount.minor * _factor(amount.currency)


def from_stripe(units: int, currency: str) -> Money:
    """An amount of Stripe's, whose currency is in lower case. Raises `ProviderError` for what we can't count."""
    code = currency.upper()
    if code not in EXPONENTS:
        raise ProviderError(f"Stripe tells of {units} {code}, a currency that no list knows")
    shift = decimals(code) - EXPONENTS[code]
    minor, rest = divmod(units, 10**shift) if shift > 0 else (units * 10**-shift, 0)
    if rest:
        raise ProviderError(f"Stripe tells of {units} {code}, which is no whole number of our minor units")
    return Money(minor, code)
