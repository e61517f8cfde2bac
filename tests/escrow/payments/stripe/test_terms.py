"""Stripe's terms: how long money may be held, by the platform's country; keys that are forgotten; payees that are taken on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow.payments.stripe.objects import terms_of
from escrow.stripe_access import PayoutsBy, StripeAccess


def access(country: str | None = None, payouts_by: PayoutsBy = PayoutsBy.ORDER) -> StripeAccess:
    return StripeAccess(
        key="rk_test_x",
        webhook_secrets=("whsec_x",),
        return_url="https://app.example.com",
        country=country,
        payouts_by=payouts_by,
    )


@pytest.mark.parametrize(("country", "days"), [(None, 90), ("DE", 90), ("US", 730), ("TH", 10)])
def test_money_may_be_held_as_long_as_the_platforms_country_allows(country: str | None, days: int) -> None:
    assert terms_of(access(country)).hold_limit("USD") == timedelta(days=days)


def test_keys_are_forgotten_after_a_day_and_payees_are_taken_on() -> None:
    terms = terms_of(access())
    assert terms.provider == "stripe"
    assert terms.key_lifetime == timedelta(hours=24)
    assert terms.needs_payees


def test_a_currency_that_is_not_taken_has_no_limits() -> None:
    terms = terms_of(access())
    assert terms.limits("KWD") is None
    assert terms.limits("HUF") is None
    assert terms_of(access(payouts_by=PayoutsBy.SCHEDULE)).limits("HUF") is not None
    limits = terms.limits("USD")
    assert limits is not None
    assert (limits.minimum_minor, limits.maximum_minor) == (50, 99_999_999)
