"""What a payment provider allows, as data that decisions can read: how much at once, for how long money may be held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

MINOR_MAX: Final = 10**18
"""More minor units than any sum of money has."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one charge may be, in minor units of its currency, both inclusive."""

    minimum_minor: int = 1
    maximum_minor: int = MINOR_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of one provider for one deployment. Nothing here changes while a process runs."""

    provider: str = "sandbox"
    """Its name, as in `EARNEST_PAYMENT_PROVIDER`, which calls and payees bear; with an account there that isn't the deployment's
    first one, that account's identifier after a space (`escrow.payments.own_account`)."""
    account: str | None = None
    """The platform's account there, if the deployment names it."""
    currencies: frozenset[str] | None = None
    """The currencies that it takes, by ISO 4217; `None` takes every one."""
    usual_limits: Limits = Limits()
    """What holds for currencies that `limits_by_currency` doesn't name."""
    limits_by_currency: Mapping[str, Limits] = field(default_factory=dict)
    usual_hold_limit: timedelta | None = None
    """How long it may hold money after it came, before it has to go to a payee or back; `None` for ever."""
    hold_limit_by_country: Mapping[str, timedelta] = field(default_factory=dict)
    """By the country (ISO 3166, two letters) of the platform's account."""
    country: str | None = None
    """The country of the platform's account, if the provider has one."""
    key_lifetime: timedelta | None = None
    """How long it remembers an idempotency key at least; `None` for ever. After that a repeated call may move money again."""
    needs_payees: bool = False
    """Whether money goes only to payees that it has taken on itself (onboarding); else everybody can be paid."""

    @property
    def door(self) -> str:
        """Its name alone, as in `POST /providers/{name}`."""
        return self.provider.partition(" ")[0]

    def limits(self, currency: str) -> Limits | None:
        """What one charge in this currency may be; `None` if the provider doesn't take the currency."""
        if self.currencies is not None and currency not in self.currencies:
            return None
        return self.limits_by_currency.get(currency, self.usual_limits)

    def hold_limit(self, currency: str, country: str | None = None) -> timedelta | None:
        """How long money in this currency may be held, in the country given or the platform's own; `None` for ever.

        No provider of today tells currencies apart here; it is asked for since one may.
        """
        where = country or self.country
        return self.hold_limit_by_country.get(where, self.usual_hold_limit) if where else self.usual_hold_limit


_terms = Terms()


def use(terms: Terms) -> None:
    """Decide by these terms in this process from now on: those of the deployment's provider."""
    global _terms
    _terms = terms


def in_force() -> Terms:
    """The terms that decisions of this process go by; without a provider nothing is limited."""
    return _terms
