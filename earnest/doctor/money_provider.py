"""Looks at who moves the money: whether its answers come, and whether the key is one for real money."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from earnest.doctor import database_server
from earnest.doctor.findings import Finding, Grade, fine, in_a_line, odd, wrong
from escrow.payments import Provider, provider_of
from escrow.payments.results import ProviderError
from escrow.settings import PaymentProvider, Settings

SUBJECT: Final = "provider"
ANSWER_SECONDS: Final = 15.0
PRESENT_ACCOUNT: Final = "SELECT provider_accounts -> $1 ->> -1 FROM deployment"
TEST_KEYS: Final = ("rk_test_", "sk_test_")


async def look(settings: Settings) -> list[Finding]:
    """Ask for the balance, which needs a key that is right and moves nothing."""
    if settings.payment_provider is PaymentProvider.SANDBOX:
        return [fine(SUBJECT, "the sandbox, which moves no money")]
    provider = provider_of(settings)
    try:
        answered = await _answered(provider, settings.payment_provider)
        of_the_account = await _of_the_account(settings, provider) if answered.grade is Grade.FINE else []
    finally:
        await provider.close()
    return [answered, *of_the_account, *_of_the_key(settings)]


async def _answered(provider: Provider, name: str) -> Finding:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await provider.balance()
    except Exception as error:  # noqa: BLE001 - whatever an adapter raises, the provider didn't answer us
        remedy = "see whether the key may read the balance (docs/payments.md), and whether this machine gets there"
        return wrong(SUBJECT, f"{name} doesn't answer us ({in_a_line(error)})", remedy)
    return fine(SUBJECT, f"{name} answers")


async def _of_the_account(settings: Settings, provider: Provider) -> list[Finding]:
    """Whether the key is that of the account that money is in; what else is wrong with either side is for others to tell."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS), database_server.connected(settings.database_url) as connection:
            present = await connection.fetchval(PRESENT_ACCOUNT, settings.payment_provider.value)
            account = await provider.own_account() if present is not None else None
    except (ProviderError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return []
    if account == present:
        return []
    key_of = f"of account {account}" if account is not None else "one that may not tell its account"
    remedy = (
        "set that account's key again; if the other one is meant, name it in EARNEST_STRIPE_ACCOUNT (docs/payments.md)"
    )
    return [wrong(SUBJECT, f"EARNEST_STRIPE_KEY is {key_of}, and the deployment's money is in {present}", remedy)]


def _of_the_key(settings: Settings) -> list[Finding]:
    if settings.stripe is None or settings.sandbox or not settings.stripe.key.startswith(TEST_KEYS):
        return []
    return [odd(SUBJECT, "EARNEST_STRIPE_KEY is one for testing: no money moves", "set a live key where money is real")]
