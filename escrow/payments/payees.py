"""Has accounts taken on by the payment provider, and keeps what it says of them: whether they can be paid, what is missing.

What the provider's notices say is looked up, as for orders; without one a payee is looked at again after a while. Payouts that
wait for a payee go on when it can be paid. Links are given to whoever asked and kept nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import pipeline, terms
from escrow.access import PROVIDER
from escrow.accounts.commands import NotePayee
from escrow.accounts.state import Account
from escrow.annex import at_home
from escrow.database import execute, fetch, fetch_value, filled
from escrow.payments.calls import CALL_SECONDS_MAX
from escrow.payments.provider import Provider
from escrow.payments.results import Hint, OnboardingLink, ProviderError
from escrow.payments.sandbox import Sandbox
from escrow.payments.watched import Watched

LEASE_SECONDS: Final = 60.0
"""How long a payee that is looked at is left alone by others; one that couldn't be looked at comes again after it."""

AGAIN_SECONDS: Final = 6 * 3600.0
"""How long a payee is left alone that no notice is heard of."""

OPENING_SECONDS: Final = 60
"""For so long the same key opens a payee. An account too many at the provider moves no money; a fault that the provider keeps
under a key would bar the payee for a day."""

_log = logging.getLogger(__name__)
_provider: Provider = Sandbox()


def use(provider: Provider) -> None:
    """Ask this provider for links in this process from now on: the deployment's."""
    global _provider
    _provider = provider


async def provider_name() -> str:
    """As in `Terms.provider`: whom this process asks, and with which account as far as the provider tells now."""
    return await at_home(_name)


async def _name() -> str:
    if isinstance(_provider, Watched):
        with contextlib.suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(CALL_SECONDS_MAX):
                await _provider.settle()
        terms.use(_provider.terms)
    return _provider.terms.provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A payee that is to be looked at."""

    account_id: str
    payee_id: str | None
    due_at: datetime
    """Until when it is left alone by others; a notice that comes meanwhile moves it."""


async def link(account_id: str, *, return_url: str | None) -> OnboardingLink | None:
    """Where an account that is to be a payee gives the provider what is missing; `None` if the provider can't be asked now.

    Then the worker has the payee made, and whoever asks again gets the link.
    """
    return await at_home(lambda: _link(account_id, return_url))


async def _link(account_id: str, return_url: str | None) -> OnboardingLink | None:
    try:
        async with asyncio.timeout(CALL_SECONDS_MAX):
            payee_id = await _look(_provider, account_id, await fetch_value(_KNOWN, account_id, await _name()))
            return await _provider.onboarding_link(payee_id, return_url=return_url)
    except (ProviderError, TimeoutError) as error:
        _log.warning("no link for a payee", extra={"account": account_id, "error": _said(error)})
        return None


async def nudge(hints: Sequence[Hint]) -> None:
    """Have these payees looked at now: the provider has news of them."""
    names = [hint.payee_id for hint in hints if hint.payee_id is not None]
    if names:
        await execute("UPDATE payees SET due_at = now() WHERE payee_id = ANY ($1::text[])", names)


async def look(provider: Provider, *, limit: int) -> int:
    """Look at up to so many payees of the provider that are due; answers how many were. Raises nothing that it raises."""
    rows = await fetch(_CLAIM, limit, provider.terms.provider, LEASE_SECONDS)
    await asyncio.gather(*(_attend(provider, filled(Due, row)) for row in rows))
    return len(rows)


async def _attend(provider: Provider, due: Due) -> None:
    try:
        async with asyncio.timeout(CALL_SECONDS_MAX):
            await _look(provider, due.account_id, due.payee_id)
    except Exception as error:  # noqa: BLE001 - one payee must hold up no other; it comes again
        _log.warning("payee not looked at", extra={"account": due.account_id, "error": _said(error)})
    else:
        await execute(_DONE, due.account_id, due.due_at, AGAIN_SECONDS)


async def _look(provider: Provider, account_id: str, payee_id: str | None) -> str:
    """What the provider calls the payee, which is made if need be; what it says of it is noted."""
    if payee_id is None:
        payee_id = await provider.open_payee(
            account_id, key=f"{account_id}/payee/{int(time.time()) // OPENING_SECONDS}"
        )
    told = await provider.payee(payee_id)
    noted = NotePayee(
        account_id=account_id,
        provider=provider.terms.provider,
        payee_id=payee_id,
        can_be_paid=told.can_be_paid,
        missing=told.missing,
        until=told.until,
    )
    account: Account = (await pipeline.run(noted, by=PROVIDER)).account
    if told.can_be_paid:
        await execute(_WAKE, account_id)
    known = account.payee.payee_id if account.payee is not None else None
    return known or payee_id


def _said(error: Exception) -> str:
    # Only our own errors are known to hold no secret.
    return f"{type(error).__name__}: {error}" if isinstance(error, ProviderError) else type(error).__name__


# Of a payee that isn't made yet: whatever becomes of the link, the worker looks now, also where another provider's was looked
# at a moment ago.
_KNOWN: Final = """
    WITH awaited AS (
        UPDATE payees SET due_at = now() WHERE account_id = $1 AND provider = $2 AND payee_id IS NULL)
    SELECT payee_id FROM payees WHERE account_id = $1 AND provider = $2
"""

_CLAIM: Final = """
    UPDATE payees SET due_at = now() + $3::float8 * interval '1 second'
    WHERE account_id IN (
        SELECT account_id FROM payees WHERE due_at <= now() AND provider = $2 ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    RETURNING account_id, payee_id, due_at
"""

# A notice that came while it was looked at keeps it due.
_DONE: Final = """
    UPDATE payees SET looked_at = now(),
        due_at = CASE WHEN due_at = $2 THEN now() + $3::float8 * interval '1 second' ELSE due_at END
    WHERE account_id = $1
"""

_WAKE: Final = """
    UPDATE payment_orders SET due_at = CASE WHEN lease_token IS NULL THEN now() ELSE due_at + interval '1 microsecond' END
    WHERE kind = 'PAYOUT' AND state = 'STARTED' AND NOT is_stuck AND due_at > now()
    AND contract_id IN (SELECT id FROM contracts WHERE freelancer_id = $1)
    AND NOT EXISTS (SELECT FROM provider_calls AS call
        WHERE (call.contract_id, call.order_id) = (payment_orders.contract_id, payment_orders.id))
"""
