"""Reads Stripe's books: what moved on the platform's balance, with the order that each movement is for, and the balance itself.

Nobody comes again for a page, for what a movement is about, or for the balance beside them: one lost answer would cost the whole
look. So each is asked for again where no answer came; a key that Stripe doesn't take is told of at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from escrow.money import Money
from escrow.payments.movements import Movement
from escrow.payments.results import ProviderError
from escrow.payments.stripe import bookkeeping
from escrow.payments.stripe.amounts import from_stripe
from escrow.payments.stripe.client import PAGE, Client, Json, Refused


async def movements(client: Client, since: datetime) -> AsyncIterator[Movement]:
    """All from a time on, the oldest first. Raises `ProviderError`."""
    try:
        found = await _transactions(client, since)
    except Refused as refusal:
        raise ProviderError(f"Stripe tells no movements: {refusal.code}") from None
    for one in reversed(found):
        yield bookkeeping.movement(await _with_order(client, one))


async def balance(client: Client) -> Sequence[Money]:
    """What is available and what isn't yet, together, in each currency. Raises `ProviderError`."""
    try:
        found = await client.patiently(client.v1.balance.retrieve_async)
    except Refused as refusal:
        raise ProviderError(f"Stripe tells no balance: {refusal.code}") from None
    sums: dict[str, int] = {}
    for one in [*found["available"], *found["pending"]]:
        sums[one["currency"]] = sums.get(one["currency"], 0) + one["amount"]
    return [from_stripe(units, currency) for currency, units in sorted(sums.items())]


async def _transactions(client: Client, since: datetime) -> list[Json]:
    params: Any = {"created": {"gte": int(since.timestamp())}, "limit": PAGE, "expand": ["data.source"]}
    found: list[Json] = []
    while True:
        page = await client.patiently(lambda: client.v1.balance_transactions.list_async(params))
        found += page["data"]
        if not page["has_more"]:
            return found
        params["starting_after"] = found[-1]["id"]


async def _with_order(client: Client, transaction: Json) -> Json:
    """A dispute bears no words of ours, nor does what somebody did by hand at Stripe: those of what it is about stand in."""
    source = transaction["source"]
    if not isinstance(source, dict) or (source.get("metadata") or {}).get("group"):
        return transaction
    origin: Json = source
    with suppress(Refused):
        if source.get("object") == "transfer_reversal":
            origin = await client.patiently(lambda: client.v1.transfers.retrieve_async(source["transfer"]))
        elif source.get("object") in ("dispute", "refund") and source.get("payment_intent"):
            intents = client.v1.payment_intents
            origin = await client.patiently(lambda: intents.retrieve_async(source["payment_intent"]))
    return {**transaction, "source": {**source, "metadata": origin.get("metadata")}}
