"""Reads what a deployment says about its Stripe account, from variables that only the provider `stripe` needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from escrow.environment import Reader, SettingError, split

PLACEHOLDERS: Final = ("…", "...")

_KEY: Final = re.compile(r"[rs]k_[!-~]+")
_SECRET: Final = re.compile(r"whsec_[!-~]+")
"""Without a space or a break, which no header can carry: something else was copied along."""


class PayoutsBy(StrEnum):
    """Who orders payouts from payees' Stripe accounts to their banks, by the words of `EARNEST_STRIPE_PAYOUTS`."""

    ORDER = "order"
    """We do, one for each payout that a freelancer asks for: it is `payout.paid` when the bank has it."""
    SCHEDULE = "schedule"
    """Stripe does, by the schedule of the payee's account: a payout is `payout.paid` when the money is in that account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeAccess:
    """How to reach the Stripe account that money moves through."""

    key: str = field(repr=False)
    """`EARNEST_STRIPE_KEY`, required: a restricted key (`rk_…`) with the permissions that docs/payments.md names."""
    webhook_secrets: tuple[str, ...] = field(repr=False)
    """`EARNEST_STRIPE_WEBHOOK_SECRET`, required: the signing secret of the endpoint that Stripe sends notices to; several, by
    commas, since the platform's own events and those of payees' accounts have an endpoint each."""
    return_url: str
    """`EARNEST_STRIPE_RETURN_URL`, required: where people come back to after a page of Stripe, unless the call says where."""
    account: str | None = None
    """`EARNEST_STRIPE_ACCOUNT`, none: the platform's account (`acct_…`), to be named where another one than before is meant."""
    country: str | None = None
    """`EARNEST_STRIPE_COUNTRY`, none: the country of the platform's account, by which Stripe limits how long money is held."""
    payouts_by: PayoutsBy = PayoutsBy.ORDER
    """`EARNEST_STRIPE_PAYOUTS`, order."""
    base_url: str | None = None
    """`EARNEST_STRIPE_URL`, Stripe's own: where a stand-in is, for tests."""


def stripe_access(read: Reader) -> StripeAccess:
    """All of it. Refuses with `SettingError`, naming the variable; a wrong secret isn't repeated."""
    return StripeAccess(
        key=_key(read),
        webhook_secrets=_webhook_secrets(read),
        return_url=read.required_url(
            "EARNEST_STRIPE_RETURN_URL", schemes=("https", "http"), example="https://app.example.com/payments"
        ),
        account=_account(read),
        country=_country(read),
        payouts_by=_payouts_by(read),
        base_url=_base_url(read),
    )


def _key(read: Reader) -> str:
    variable, right = (
        "EARNEST_STRIPE_KEY",
        "a restricted or secret key of Stripe (rk_live_… or sk_live_…, rk_test_… to try)",
    )
    key = read.text(variable)
    if key is None:
        raise SettingError(variable, f"is not set; it must be {right}")
    if not _KEY.fullmatch(key) or any(one in key for one in PLACEHOLDERS):
        raise SettingError(variable, f"is no key that may move money; it must be {right}")
    return key


def _webhook_secrets(read: Reader) -> tuple[str, ...]:
    variable, right = (
        "EARNEST_STRIPE_WEBHOOK_SECRET",
        "the signing secrets of Stripe's webhook endpoints (whsec_…), by commas",
    )
    secrets = tuple(one.strip() for one in (read.text(variable) or "").split(",") if one.strip())
    if not secrets:
        raise SettingError(variable, f"is not set; it must be {right}")
    if not all(_SECRET.fullmatch(one) and not any(mark in one for mark in PLACEHOLDERS) for one in secrets):
        raise SettingError(variable, f"has something else; it must be {right}")
    return secrets


def _account(read: Reader) -> str | None:
    account = read.text("EARNEST_STRIPE_ACCOUNT")
    if account and not (account.startswith("acct_") and account.isascii() and account.replace("_", "").isalnum()):
        raise SettingError(
            "EARNEST_STRIPE_ACCOUNT", f"is {account!r}; it must be the name of an account of Stripe (acct_…)"
        )
    return account or None


def _country(read: Reader) -> str | None:
    country = (read.text("EARNEST_STRIPE_COUNTRY") or "").upper()
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise SettingError("EARNEST_STRIPE_COUNTRY", f"is {country!r}; it must be two letters by ISO 3166, such as DE")
    return country or None


def _payouts_by(read: Reader) -> PayoutsBy:
    text = (read.text("EARNEST_STRIPE_PAYOUTS") or PayoutsBy.ORDER).lower()
    if text not in set(PayoutsBy):
        raise SettingError("EARNEST_STRIPE_PAYOUTS", f"is {text!r}; it must be {' or '.join(PayoutsBy)}")
    return PayoutsBy(text)


def _base_url(read: Reader) -> str | None:
    """Only this machine is anybody but Stripe: the key must go nowhere else."""
    variable = "EARNEST_STRIPE_URL"
    text = read.text(variable)
    if text is None:
        return None
    parts = split(text)
    if parts is None or parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise SettingError(variable, "must be an address of this machine, such as http://127.0.0.1:12111")
    return text.rstrip("/")
