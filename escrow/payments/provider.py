"""Defines the port to a payment provider: what Earnest asks of one, and everything that it can answer.

Three rules make money safe, whatever is lost on the way:

1. A charge is made in two calls. `prepare` makes it and moves nothing; the identifier that the provider gives it is stored; then
   `confirm` takes the money by that identifier. Refunds, transfers and payouts are made in one call, and are found again by
   their charge, or by their group and the key that stands in their metadata.
2. Each call carries an idempotency key (`key_of`): the order, the number of the attempt, the step. The number is raised only
   after a definite failure. After `Terms.key_lifetime` nothing that moves money is called again with a key that may be
   forgotten.
3. A definite refusal is an answer (`Failed`, `NotYet`). Whatever is raised means that the outcome is unknown: the provider is
   asked what became of the call (`look_up`) before anything else is done.

What a provider says by itself (`notice`, `notices`) is a hint about what to look up, never an answer.

Requests stand in `calls.py`, answers in `results.py`, the provider's books in `movements.py`, its terms in `escrow/terms.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from escrow.money import Money
from escrow.payments.calls import (
    ChargeRequest,
    PayoutRequest,
    RefundRequest,
    Sought,
    TakeBackRequest,
    TransferRequest,
)
from escrow.payments.movements import Movement
from escrow.payments.results import Answer, Failed, Found, Hint, OnboardingLink, PayeeState, Prepared
from escrow.terms import Terms


class Provider(Protocol):
    """One way to move money. Implementations keep their own time limits short (callers cut them off anyway) and never try a
    call again by themselves."""

    @property
    def terms(self) -> Terms:
        """What this provider allows; constant."""
        ...

    async def close(self) -> None:
        """Let connections go: nobody calls it any more."""
        ...

    async def own_account(self) -> str | None:
        """The provider's own identifier of the account that the platform's money is in; `None` if it has none, or the key may not
        tell it."""
        ...

    # Charges: prepare, store the identifier, confirm.

    async def prepare(self, request: ChargeRequest) -> Prepared | Failed:
        """Make a charge that takes nothing yet. Repeating it is harmless: what is never confirmed never moves anything."""
        ...

    async def confirm(self, provider_id: str, request: ChargeRequest) -> Answer:
        """Take the money of a prepared charge. What was confirmed already is never taken twice, whatever the key is."""
        ...

    async def cancel(self, provider_id: str, *, key: str) -> Found:
        """Give a charge up that hasn't succeeded, so that no payer finishes it later; answers what has become of it."""
        ...

    # Everything else: one call each.

    async def refund(self, request: RefundRequest) -> Answer:
        """Return money to the client."""
        ...

    async def transfer(self, request: TransferRequest) -> Answer:
        """Move money to the payee's balance."""
        ...

    async def payout(self, request: PayoutRequest) -> Answer:
        """Pay the payee's balance out to its bank. A provider that does so by itself answers `Succeeded` at once."""
        ...

    async def take_back(self, request: TakeBackRequest) -> Answer:
        """Have a transfer come back whose payout failed. A payout that fails may take it back by itself; then `Succeeded`."""
        ...

    async def look_up(self, sought: Sought) -> Found:
        """What became of a call, as far as the provider knows now."""
        ...

    # Payees.

    async def open_payee(self, account_id: str, *, key: str) -> str:
        """Make the payee for an account of ours at the provider, unless there is one; gives the provider's identifier."""
        ...

    async def payee(self, payee_id: str) -> PayeeState:
        """Whether it can be paid, and what is missing."""
        ...

    async def onboarding_link(self, payee_id: str, *, return_url: str | None) -> OnboardingLink:
        """Where the payee gives what is missing; lives for minutes and is made anew each time."""
        ...

    # The provider's books.

    def movements(self, since: datetime) -> AsyncIterator[Movement]:
        """Every movement of the platform's balance from `since` on (real time, inclusive), oldest first."""
        ...

    async def balance(self) -> Sequence[Money]:
        """The platform's balance, one sum for each currency, with what isn't available yet."""
        ...

    @property
    def ahead(self) -> timedelta:
        """How far the clock by which it dates movements is ahead of ours, as far as its last answer told."""
        ...

    # News.

    def notice(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Hint]:
        """What a request to `POST /providers/{name}` hints at; `headers` by names in lower case, `body` untouched.

        Raises `NoticeRefused`, `NoticeMalformed`.
        """
        ...

    async def notices(self) -> Sequence[Hint]:
        """What the provider has said since it was last asked, for one that is polled; nothing for one that sends notices."""
        ...
