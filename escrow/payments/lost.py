"""Finds again what the provider did for orders that a cut of the log lost (`escrow.cuts`), before it is done once more.

After a cut no order moves money before the provider's movements of until then are read. What of them names an order that our
books don't know was lost. An order that does the same anew, for the same contract and sum, goes on as the lost one (`known_as`):
the provider is asked by that name, says what it did, and does it no second time. While money has left a contract for a lost order
that nobody took up, no other of its money leaves: it waits, and the difference in the books tells the operator.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from escrow import cuts, database
from escrow.money import Money
from escrow.payments import leases, reconciliation
from escrow.payments.calls import Sought, Step, key_of
from escrow.payments.leases import FIRST_STEPS, Claimed, LeaseLost
from escrow.payments.movements import MovementKind
from escrow.payments.provider import Provider
from escrow.payments.results import Pending, Reversed, Succeeded
from escrow.states import OrderKind

BOOKS_LOCK: Final = 0x626F_6F6B_7365_6E64
"""The advisory lock of whoever reads the books after a cut: "booksend" in ASCII."""

WAITS: Final = (
    "the deployment was restored, and money of this contract that the books don't know has moved at the provider"
)

_KINDS: Final = {
    OrderKind.DEPOSIT: MovementKind.CHARGE,
    OrderKind.REFUND: MovementKind.REFUND,
    OrderKind.PAYOUT: MovementKind.TRANSFER,
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Money that moved at the provider for an order that our books don't know."""

    order_id: str
    contract_id: str
    kind: MovementKind
    """Of its first movement."""
    amount: Money
    """What of it moved and didn't come back; the sign is that of the platform's balance."""
    source_id: str | None
    at: datetime

    def __str__(self) -> str:
        what = f"{self.kind.value.lower()} of {self.amount} at {self.at:%Y-%m-%dT%H:%M:%SZ}"
        return f"{self.order_id} of {self.contract_id}: {what}"


async def read_books(provider: Provider) -> bool:
    """After a cut read what moved until then, as soon as no worker of before can be calling any more; whether that is done.
    One worker does it for all.

    Has every unsettled order looked up, too. Raises what the provider raises; nothing is called before it has told.
    """
    row = await database.fetch_row(_UNREAD)
    if row is None or row["cuts"] == 0:
        return True
    if not row["is_time"]:
        return False
    async with database.alone(BOOKS_LOCK) as is_ours:
        return is_ours and await _read_books(provider, row)


async def _read_books(provider: Provider, cut: database.Record) -> bool:
    since = cut["kept_at"] - reconciliation.OVERLAP if cut["kept_at"] is not None else reconciliation.BEGINNING
    count = await reconciliation.pull(provider, since)
    found = await everything()
    _log.warning(
        "the log was cut: the provider's books are read", extra={"movements": count, "lost_orders": len(found)}
    )
    await database.execute(_LOOK_AGAIN)
    await database.execute(_SEE_UNCALLED)
    return await cuts.books_are_read(cut["until"])


async def everything() -> Sequence[Lost]:
    """All money of lost orders that nobody has taken up or settled, the oldest first."""
    return [_lost(row) for row in await database.fetch(_EVERYTHING)]


async def settle(order_id: str) -> bool:
    """A person has dealt with a lost order's money: it holds nothing up any more. Whether there was any."""
    return bool(await database.fetch(_SETTLE, order_id))


async def take_up(order: Claimed, provider: Provider) -> bool:
    """Have an order that wasn't called yet go on as the lost one that did the same; whether there is one, and the provider says
    so. Raises `LeaseLost`, and what the provider raises."""
    lost = await _of_contract(order.contract_id)
    if order.kind is OrderKind.DEPOSIT and not _is_there(order.amount, lost):
        return False  # it went back to the client meanwhile, or on to the freelancer
    for one in lost:
        moved = abs(one.amount.minor) == order.amount.minor and one.amount.currency == order.amount.currency
        if one.kind is _KINDS[order.kind] and moved and await _is_the_same(order, one, provider):
            return True
    return False


async def is_held_up(order: Claimed) -> bool:
    """Whether an order must wait since money has left its contract for others that were lost."""
    return order.kind is not OrderKind.DEPOSIT and any(
        one.amount.minor < 0 for one in await _of_contract(order.contract_id)
    )


def _is_there(amount: Money, lost: Sequence[Lost]) -> bool:
    return sum(one.amount.minor for one in lost if one.amount.currency == amount.currency) >= amount.minor


async def _is_the_same(order: Claimed, lost: Lost, provider: Provider) -> bool:
    """Ask the provider for what the lost order's calls made; what it knows becomes this order's."""
    step = FIRST_STEPS[order.kind]
    for provider_id in _names(step, lost):
        sought = Sought(
            step=Step.CONFIRM if step is Step.PREPARE else step,
            key=key_of(lost.order_id, 1, step),
            order_id=lost.order_id,
            group=order.contract_id,
            amount=order.amount,
            provider_id=provider_id,
            charge_id=order.charge_id,
            payee_id=order.payee if order.kind is OrderKind.PAYOUT else None,
            of_any_attempt=provider_id is None,
        )
        found = await provider.look_up(sought)
        if isinstance(found, Reversed):
            found = found.charge
        if isinstance(found, Succeeded | Pending):
            if isinstance(found, Succeeded) and found.amount != order.amount:
                return False
            await _go_on_as(order, lost, step, found.provider_id or lost.source_id)
            return True
    return False


def _names(step: Step, lost: Lost) -> Iterator[str | None]:
    """What the provider may know it by: its name in the books, and none, by its order. Either way it may be of any attempt, and
    becomes the first one's."""
    if step is not Step.REFUND:  # by its name a refund of another charge would be found, too
        yield lost.source_id
    if step is not Step.PREPARE:
        yield None


async def _go_on_as(order: Claimed, lost: Lost, step: Step, provider_id: str | None) -> None:
    of = (order.id, order.lease_token, lost.order_id, step.value, order.provider, provider_id)
    try:
        taken = await database.fetch(_GO_ON_AS, *of, order.contract_id)
    except asyncpg.UniqueViolationError:
        raise LeaseLost(order.id) from None  # another order has taken it up meanwhile
    if not taken:
        raise LeaseLost(order.id)
    _log.warning(
        "an order goes on as one that was lost",
        extra={"order": order.id, "lost_order": lost.order_id, "contract": order.contract_id},
    )


async def _of_contract(contract_id: str) -> Sequence[Lost]:
    return [_lost(row) for row in await database.fetch(_OF_CONTRACT, contract_id)]


def _lost(row: database.Record) -> Lost:
    return Lost(
        order_id=row["order_id"],
        contract_id=row["contract_id"],
        kind=MovementKind(row["kind"]),
        amount=Money(row["minor"], row["currency"]),
        source_id=row["source_id"],
        at=row["at"],
    )


_UNREAD: Final = """
    SELECT count(*) AS cuts, CASE WHEN bool_and(kept_at IS NOT NULL) THEN min(kept_at) END AS kept_at,
        max(first_position) AS until, coalesce(max(books_due_at) <= now(), true) AS is_time
    FROM log_cuts WHERE books_read_at IS NULL
"""

# What the books wait for, and what they take for paid, may have become something else at the provider.
_LOOK_AGAIN: Final = """
    UPDATE payment_orders SET due_at = now() + CASE WHEN state = 'PAID' THEN random() ELSE 0 END * interval '5 minutes'
    WHERE lease_token IS NULL AND (
        state = 'STARTED' OR (state = 'ABANDONED' AND due_at IS NOT NULL) OR (
            state = 'PAID' AND EXISTS (SELECT FROM provider_calls AS call
                WHERE (call.contract_id, call.order_id) = (payment_orders.contract_id, payment_orders.id)
                AND call.called_at > (SELECT min(kept_at) FROM log_cuts WHERE books_read_at IS NULL)
                    - CASE call.step WHEN 'REFUND' THEN interval '30 days' ELSE interval '14 days' END)))
"""

# Whatever was called for an order that sends money moved the platform's balance, and the movement names the order, or at least
# its contract. Nobody calls anything before the cut's books are read: what is so now is so when the order is called.
_SEE_UNCALLED: Final = """
    UPDATE payment_orders AS one SET seen_uncalled_at = clock_timestamp()
    WHERE state = 'STARTED' AND kind IN ('REFUND', 'PAYOUT') AND known_as IS NULL
        AND NOT EXISTS (SELECT FROM provider_calls AS own WHERE (own.contract_id, own.order_id) = (one.contract_id, one.id))
        AND NOT EXISTS (SELECT FROM provider_movements AS moved
            WHERE moved.contract_id = one.contract_id AND (moved.order_id IS NULL OR moved.order_id = one.id))
"""

_EVERYTHING: Final = leases.LOST.format(which=leases.WAS_CUT)

_OF_CONTRACT: Final = leases.LOST.format(which="moved.contract_id = $1")

_GO_ON_AS: Final = """
    WITH mine AS (
        UPDATE payment_orders SET known_as = $3 WHERE contract_id = $7 AND id = $1 AND lease_token = $2 AND known_as IS NULL
        RETURNING id, contract_id
    ), waiting AS (
        UPDATE payment_orders AS other SET due_at = now() FROM mine
        WHERE other.contract_id = mine.contract_id AND other.id <> mine.id AND other.due_at > now() AND other.lease_token IS NULL
    )
    INSERT INTO provider_calls (contract_id, order_id, step, attempt, provider, provider_id)
    SELECT contract_id, id, $4, 1, $5, $6 FROM mine
    RETURNING order_id
"""

_SETTLE: Final = f"""
    UPDATE provider_movements AS moved SET is_settled = true WHERE order_id = $1 AND {leases.STRANGE} RETURNING id
"""  # noqa: S608 - our own text
