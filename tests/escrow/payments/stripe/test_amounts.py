"""Currencies as Stripe counts them, by its own list; what may be charged, and what isn't taken at all."""

from __future__ import annotations

import pytest

from escrow.currencies import CURRENT, EXPONENTS
from escrow.money import Money
from escrow.payments.results import ProviderError
from escrow.payments.stripe.amounts import THREE_DECIMAL, ZERO_DECIMAL, from_stripe, limits_of, taken, to_stripe


@pytest.mark.parametrize(
    ("ours", "currency", "stripes"),
    [
        (1_050, "USD", 1_050),
        (500, "JPY", 500),
        (5, "ISK", 500),
        (7, "UGX", 700),
        (500, "KRW", 500),
        (1_999, "HUF", 1_999),
    ],
)
def test_an_amount_is_told_in_stripes_own_units(ours: int, currency: str, stripes: int) -> None:
    assert to_stripe(Money(ours, currency)) == stripes
    assert from_stripe(stripes, currency.lower()) == Money(ours, currency)


@pytest.mark.parametrize("we_order_payouts", [True, False])
def test_every_minor_unit_of_a_currency_that_is_taken_comes_back_as_it_went(we_order_payouts: bool) -> None:
    for currency in taken(we_order_payouts=we_order_payouts):
        for minor in (1, 7, 99, 12_345):
            assert from_stripe(to_stripe(Money(minor, currency)), currency.lower()) == Money(minor, currency)


def test_currencies_whose_smallest_unit_stripe_does_not_move_are_not_taken() -> None:
    currencies = taken(we_order_payouts=False)
    assert currencies <= CURRENT.keys()
    assert "MGA" not in currencies
    assert "MGA" in ZERO_DECIMAL
    assert EXPONENTS["MGA"] == 2
    assert not currencies & THREE_DECIMAL
    assert {"USD", "EUR", "JPY", "ISK", "UGX", "HUF"} <= currencies


def test_what_is_paid_out_in_whole_units_only_is_left_to_stripes_schedule() -> None:
    assert taken(we_order_payouts=False) - taken(we_order_payouts=True) == {"HUF", "TWD"}


@pytest.mark.parametrize(
    ("currency", "least", "most"),
    [
        ("USD", 50, 99_999_999),
        ("JPY", 50, 99_999_999),
        ("GBP", 30, 99_999_999),
        ("ISK", 1, 999_999),
        ("IDR", 1, 999_999_999_999),
        ("HUF", 17_500, 99_999_999),
    ],
)
def test_a_charge_is_neither_smaller_nor_larger_than_stripe_publishes(currency: str, least: int, most: int) -> None:
    limits = limits_of(currency)
    assert (limits.minimum_minor, limits.maximum_minor) == (least, most)


@pytest.mark.parametrize(("units", "currency"), [(501, "isk"), (100, "xyz")])
def test_what_we_cannot_count_is_left_to_a_person(units: int, currency: str) -> None:
    with pytest.raises(ProviderError):
        from_stripe(units, currency)
