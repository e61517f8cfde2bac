"""Carries out orders to the payment provider: claims what is due, asks, and reports by the domain's own commands.

An order is claimed under a lease with a token of its own and `called_at` is set by the claim itself, before any call;
from then on the provider is asked what became of the order before it is called again. So a worker may die at any point:
nothing is lost, and the order's id as the idempotency key keeps anything from happening twice. Everything here runs on
real time. Calls happen outside of transactions.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from escrow import pipeline
from escrow.access import PROVIDER
from escrow.agreement.commands import ConfirmDeposit, ConfirmOrder, FailDeposit, FailOrder, Report, ReverseDeposit
from escrow.database import fetch, filled
from escrow.money import Money
from escrow.payments.former import (
    Answer,
    Failed,
    Found,
    Pending,
    Provider,
    ProviderError,
    Reversed,
    Succeeded,
    Unknown,
)
from escrow.payments.tokens_at_rest import unseal
from escrow.states import OrderKind, OrderState

LEASE_SECONDS: Final = 20.0
"""How long an order belongs to who claimed it; after that another worker looks it up."""

CALL_SECONDS_MAX: Final = 5.0
"""One call to the provider; nothing is called with less than this left of the lease."""

LOOK_AGAIN_SECONDS: Final = 0.5
"""The first wait for a result; each next one is twice as long, up to `LOOK_AGAIN_SECONDS_MAX`."""

LOOK_AGAIN_SECONDS_MAX: Final = 6 * 3600.0

RECONCILE_SPREAD_SECONDS: Final = 300.0
"""Orders of one reconciliation come due within this time, so that the provider isn't asked about all of them at once."""

TRY_AGAIN_SECONDS: Final = 60.0
"""A failed refund is called again after this long, doubled for each attempt; never sooner than after half of it."""

PLACES_MAX: Final = 6
"""Of the way to an error, the innermost steps that the log tells."""

_log = logging.getLogger(__name__)


class LeaseTooShort(Exception):
    """This worker was held up for so long that its lease is about to end: the order is somebody else's now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An order under a lease of ours."""

    id: str
    contract_id: str
    kind: OrderKind
    amount: Money
    deposit_id: str | None
    payment_token: str | None = field(repr=False)
    """Sealed, as it is stored: it is opened for the call alone."""
    charge_key: str | None
    """For a refund: the order of the deposit that it returns."""
    payee: str
    """For a payout: the freelancer's account."""
    wanted: bool
    """Whether it may still be called; else it is only looked up."""
    called: bool
    """Whether it may have been called before this claim."""
    called_seconds_ago: float
    failure_reported: bool
    """Whether the books know already that it failed."""
    attempts: int
    lease_token: str
    lease_ends: float
    """By this process's monotonic clock, which no adjustment of the time moves."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """When to look at the order again. `called` says that it was just called again."""

    again_seconds: float | None = None
    """`None`: the books know the result, and only a notice of the provider makes anybody look at the order again."""
    called: bool = False
    error: str | None = None


FINISHED: Final = Verdict()


async def claim(limit: int) -> list[Claimed]:
    """Take up to `limit` orders that are due, oldest first, and leave those that others hold alone. One statement.

    A deposit that was given up before anybody called the provider is put aside for good instead.
    """
    token = secrets.token_hex(16)
    lease_ends = time.monotonic() + LEASE_SECONDS
    rows = await fetch(_CLAIM, limit, token, LEASE_SECONDS)
    return [
        filled(
            Claimed,
            row,
            kind=OrderKind(row["kind"]),
            amount=Money(row["amount_minor"], row["currency"]),
            failure_reported=row["state"] == OrderState.FAILED,
            lease_ends=lease_ends,
        )
        for row in rows
        if row["lease_token"] is not None
    ]


async def attend(order: Claimed, provider: Provider) -> bool:
    """Bring one claimed order as far as it goes now and hand it back; whether the lease was still ours then.

    Raises nothing that the provider or the books raise: what failed is looked at again later.
    """
    try:
        verdict = await _carry_out(order, provider)
    except LeaseTooShort:
        return False
    except Exception as error:  # noqa: BLE001 - whatever it was: the outcome is unknown, so it is looked up later
        verdict = _after_error(order, error)
    return await _hand_back(order, verdict)


async def nudge(order_ids: Sequence[str]) -> None:
    """Have these orders looked up now, finished ones too, unless somebody holds them: the provider has news of them."""
    if order_ids:
        await fetch(_NUDGE, list(order_ids))


async def reconcile(*, held: bool = False) -> int:
    """Have every unsettled order looked up at the provider soon, however long its next turn was put off; answers how many.

    Unsettled is what the books wait for, a refund that failed and is tried again, and what was given up after it may have
    been called. With `held` also the deposits whose money a milestone still holds: a reversal may have gone unheard.
    """
    return len(await fetch(_RECONCILE, held, RECONCILE_SPREAD_SECONDS))


async def _carry_out(order: Claimed, provider: Provider) -> Verdict:
    found = await _find_out(order, provider)
    match found:
        case Unknown() | Pending():
            return Verdict(_wait(LOOK_AGAIN_SECONDS, order.attempts))
        case Succeeded(amount) if order.kind is not OrderKind.DEPOSIT and amount != order.amount:
            # Only of a deposit do the books know what to do with another sum; this one takes a person.
            raise ProviderError(f"paid {amount} instead of {order.amount}")
        case Succeeded():
            await pipeline.run(_report(order, found), by=PROVIDER)
            return FINISHED
        case Reversed():
            await _report_reversal(order, found)
            return FINISHED
        case Failed():
            await pipeline.run(_report(order, found), by=PROVIDER)
            return await _after_failure(order, found, provider)


async def _find_out(order: Claimed, provider: Provider) -> Found:
    """Ask what became of the order if it may have been called; call if the provider knows nothing and it is wanted."""
    found: Found = Unknown()
    if order.called:
        async with _time_limit(order):
            found = await provider.lookup(order.id)
    if isinstance(found, Unknown) and order.wanted:
        async with _time_limit(order):
            found = await _call(order, provider)
    return found


async def _after_failure(order: Claimed, failed: Failed, provider: Provider) -> Verdict:
    """A failed refund is called again, with its key, some time after the call that failed; anything else is final."""
    if order.kind is not OrderKind.REFUND or not order.wanted:
        return FINISHED
    if not order.failure_reported or order.called_seconds_ago < TRY_AGAIN_SECONDS / 2:
        return Verdict(_wait(TRY_AGAIN_SECONDS, order.attempts), error=failed.reason)
    async with _time_limit(order):
        await _call(order, provider)
    # Whatever it answered is found by the next look-up, which reports it.
    return Verdict(LOOK_AGAIN_SECONDS, called=True, error=failed.reason)


async def _call(order: Claimed, provider: Provider) -> Answer:
    match order.kind:
        case OrderKind.DEPOSIT:
            token = unseal(order.payment_token, order_id=order.id) if order.payment_token is not None else None
            return await provider.deposit(idempotency_key=order.id, amount=order.amount, token=token)
        case OrderKind.REFUND:
            return await provider.refund(idempotency_key=order.id, amount=order.amount, charge_key=order.charge_key)
        case OrderKind.PAYOUT:
            return await provider.payout(idempotency_key=order.id, amount=order.amount, payee=order.payee)


def _time_limit(order: Claimed) -> asyncio.Timeout:
    if time.monotonic() + CALL_SECONDS_MAX > order.lease_ends:
        raise LeaseTooShort(order.id)
    return asyncio.timeout(CALL_SECONDS_MAX)


def _report(order: Claimed, result: Succeeded | Failed) -> Report:
    match result:
        case Succeeded(amount) if order.deposit_id is not None and order.kind is OrderKind.DEPOSIT:
            return ConfirmDeposit(contract_id=order.contract_id, deposit_id=order.deposit_id, amount=amount)
        case Failed(reason) if order.deposit_id is not None and order.kind is OrderKind.DEPOSIT:
            return FailDeposit(contract_id=order.contract_id, deposit_id=order.deposit_id, reason=reason)
        case Succeeded():
            return ConfirmOrder(contract_id=order.contract_id, order_id=order.id)
        case Failed(reason):
            return FailOrder(contract_id=order.contract_id, order_id=order.id, reason=reason)


async def _report_reversal(order: Claimed, found: Reversed) -> None:
    """What was taken back had come before: if the books still wait for it they hear of both, in that order."""
    if order.kind is not OrderKind.DEPOSIT or order.deposit_id is None:
        # Money that went out and came back takes a person.
        raise ProviderError(f"a {order.kind.value.lower()} was reversed")
    if order.wanted:
        await pipeline.run(_report(order, Succeeded(found.amount)), by=PROVIDER)
    reversal = ReverseDeposit(
        contract_id=order.contract_id, deposit_id=order.deposit_id, amount=found.amount, reason=found.reason
    )
    deposit = (await pipeline.run(reversal, by=PROVIDER)).contract.deposits[order.deposit_id]
    if deposit.reversal is None and deposit.returned:
        # More than one sum came, and was sent back: which of them the provider means takes a person.
        raise ProviderError(f"{found.amount} was taken back of a deposit of which {deposit.returned[0]} came first")


def _after_error(order: Claimed, error: Exception) -> Verdict:
    # Only our own errors are known to hold no secret; of others the log gets the kind and the place, never the words.
    said = f"{type(error).__name__}: {error}" if isinstance(error, ProviderError) else type(error).__name__
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    _log.warning(
        "order not carried out, its outcome is unknown",
        extra={
            "order": order.id,
            "contract": order.contract_id,
            "attempts": order.attempts,
            "error": said,
            "where": " > ".join(places[-PLACES_MAX:]),
        },
    )
    return Verdict(_wait(LOOK_AGAIN_SECONDS, order.attempts), error=said)


async def _hand_back(order: Claimed, verdict: Verdict) -> bool:
    rows = await fetch(_HAND_BACK, order.id, order.lease_token, verdict.again_seconds, verdict.called, verdict.error)
    return bool(rows)


def _wait(first_seconds: float, attempts: int) -> float:
    """Twice as long for each attempt, up to `LOOK_AGAIN_SECONDS_MAX`, and ±20 % so that many don't come at once."""
    doublings = min(max(attempts, 1) - 1, 30)
    return float(min(first_seconds * 2**doublings, LOOK_AGAIN_SECONDS_MAX) * random.uniform(0.8, 1.2))


# `due` locks, the UPDATE decides: an order that is not wanted and was never called is put aside (no due time, no lease),
# everything else is leased. `now()` rather than `clock_timestamp()`, which no index could be searched with.
_CLAIM: Final = """
    WITH due AS (
        SELECT id, called_at,
            state = 'STARTED' OR (kind = 'REFUND' AND state = 'FAILED') AS wanted
        FROM payment_orders WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE payment_orders AS o SET
        due_at = CASE WHEN due.wanted OR due.called_at IS NOT NULL THEN now() + $3::float8 * interval '1 second' END,
        lease_token = CASE WHEN due.wanted OR due.called_at IS NOT NULL THEN $2 END,
        called_at = CASE WHEN due.wanted THEN coalesce(due.called_at, now()) ELSE due.called_at END,
        attempts = o.attempts + 1
    FROM due WHERE o.id = due.id
    RETURNING o.id, o.contract_id, o.kind, o.amount_minor, o.currency, o.deposit_id, o.payment_token, o.attempts,
        o.lease_token, o.state, due.wanted, due.called_at IS NOT NULL AS called,
        extract(epoch FROM now() - coalesce(due.called_at, now()))::float8 AS called_seconds_ago,
        (SELECT d.order_id FROM deposits d WHERE d.id = o.deposit_id AND d.order_id <> o.id) AS charge_key,
        (SELECT c.freelancer_id FROM contracts c WHERE c.id = o.contract_id) AS payee
"""

_HAND_BACK: Final = """
    UPDATE payment_orders SET
        due_at = now() + $3::float8 * interval '1 second',
        called_at = CASE WHEN $4 THEN now() ELSE called_at END,
        last_error = $5,
        lease_token = NULL
    WHERE id = $1 AND lease_token = $2
    RETURNING id
"""

_NUDGE: Final = "UPDATE payment_orders SET due_at = now() WHERE id = ANY($1::text[]) AND lease_token IS NULL"

# A refund that is about to be tried again keeps its time: looking sooner would call sooner.
_RECONCILE: Final = """
    UPDATE payment_orders SET due_at = now() + random() * $2::float8 * interval '1 second'
    WHERE lease_token IS NULL AND (
        (state = 'STARTED' AND (due_at IS NULL OR due_at > now() + $2::float8 * interval '1 second'))
        OR (state = 'ABANDONED' AND called_at IS NOT NULL AND due_at > now() + $2::float8 * interval '1 second')
        OR (state = 'FAILED' AND kind = 'REFUND' AND due_at IS NULL)
        OR ($1 AND kind = 'DEPOSIT' AND state = 'PAID' AND due_at IS NULL AND EXISTS (
            SELECT FROM milestones m WHERE m.contract_id = payment_orders.contract_id AND m.held_minor > 0
            AND m.lots @> jsonb_build_array(jsonb_build_object('deposit_id', payment_orders.deposit_id)))))
    RETURNING id
"""
