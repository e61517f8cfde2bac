"""Looks at who moves the money: whether its answers come, and whether the key is one for real money."""

from __future__ import annotations

import asyncio
from typing import Final

from earnest.doctor.findings import Finding, fine, in_a_line, odd, wrong
from escrow.payments import Provider, provider_of
from escrow.settings import PaymentProvider, Settings

SUBJECT: Final = "provider"
ANSWER_SECONDS: Final = 15.0
TEST_KEYS: Final = ("rk_test_", "sk_test_")


async def look(settings: Settings) -> list[Finding]:
    """Ask for the balance, which needs a key that is right and moves nothing."""
    if settings.payment_provider is PaymentProvider.SANDBOX:
        return [fine(SUBJECT, "the sandbox, which moves no money")]
    provider = provider_of(settings)
    try:
        answered = await _answered(provider, settings.payment_provider)
    finally:
        await provider.close()
    return [answered, *_of_the_key(settings)]


async def _answered(provider: Provider, name: str) -> Finding:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await provider.balance()
    except Exception as error:  # noqa: BLE001 - whatever an adapter raises, the provider didn't answer us
        remedy = "see whether the key may read the balance (docs/payments.md), and whether this machine gets there"
        return wrong(SUBJECT, f"{name} doesn't answer us ({in_a_line(error)})", remedy)
    return fine(SUBJECT, f"{name} answers")


def _of_the_key(settings: Settings) -> list[Finding]:
    if settings.stripe is None or settings.sandbox or not settings.stripe.key.startswith(TEST_KEYS):
        return []
    return [odd(SUBJECT, "EARNEST_STRIPE_KEY is one for testing: no money moves", "set a live key where money is real")]
