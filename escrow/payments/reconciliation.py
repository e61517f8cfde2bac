"""Compares the payment provider's books with the ledger, both ways, and books what only the provider's books tell.

Movements are kept as the provider tells them, in a table of their own; of each contract and currency they must come to what
crossed the clearing account. What differs is looked at twice, since money moves meanwhile, and is listed until it no longer
differs. The rules are those of docs/law.md, section 6: clearing is the provider's balance.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import asyncpg
import orjson

from escrow import database, pipeline
from escrow.access import PROVIDER
from escrow.agreement.commands import BookCost
from escrow.errors import DomainError
from escrow.money import Money
from escrow.payments.movements import Movement, MovementKind
from escrow.payments.provider import Provider

OVERLAP: Final = timedelta(days=2)
"""So far before the newest movement that is known the next look begins: what a provider tells of late isn't missed."""

BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before every movement."""

BATCH: Final = 500
"""Movements of one statement."""

SETTLING: Final = timedelta(minutes=10)
"""A contract with a movement that is newer than this isn't judged: the books may not have heard of it yet."""

LOOKS: Final = 2
"""How often in a row something must differ in the same way."""

_log = logging.getLogger(__name__)


class DifferenceKind(StrEnum):
    """What differs."""

    CONTRACT = "CONTRACT"
    """Of one contract and currency: what moved at the provider, and what crossed clearing."""
    MOVEMENT = "MOVEMENT"
    """A movement at the provider belongs to no contract, and is no withdrawal or fee of the operator's."""
    BALANCE = "BALANCE"
    """The provider's balance in a currency, and clearing with what is the operator's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookDifference:
    """A sum that is another at the provider than here, in minor units; signs are the balance's: what came in is positive."""

    kind: DifferenceKind
    subject: str
    """The contract, the provider's name for the movement, or the currency."""
    currency: str
    provider_minor: int
    ledger_minor: int

    def __str__(self) -> str:
        provider, ledger = Money(self.provider_minor, self.currency), Money(self.ledger_minor, self.currency)
        words = {
            DifferenceKind.CONTRACT: "contract",
            DifferenceKind.MOVEMENT: "movement",
            DifferenceKind.BALANCE: "balance in",
        }
        return f"{words[self.kind]} {self.subject}: {provider} at the provider, {ledger} in the ledger"


async def reconcile(
    provider: Provider, *, since: datetime | None = None, settling: timedelta = SETTLING
) -> Sequence[BookDifference]:
    """Read the provider's books from `since` on (by default from where the last look ended), book what they alone tell, and list
    what differs. Answers that list, and keeps it for `open_differences`.

    Raises what the provider raises; then nothing is listed anew.
    """
    await pull(provider, since)
    found: set[BookDifference] | None = None
    for _ in range(LOOKS):
        if found is not None:
            await pull(provider, None)
        await book_costs()
        seen = {*await _differences(settling), *await _balances(provider, settling)}
        found = seen if found is None else found & seen
        if not found:
            break
    listed = sorted(found or (), key=lambda one: (one.kind, one.subject, one.currency))
    await _keep(listed, settling)
    return listed


async def pull(provider: Provider, since: datetime | None) -> int:
    """Keep the movements from `since` on that aren't known yet; answers how many the provider told of."""
    if since is None:
        newest = await database.fetch_value("SELECT max(at) FROM provider_movements")
        since = newest - OVERLAP if newest is not None else BEGINNING
    count, batch = 0, list[Movement]()
    async for movement in provider.movements(since):
        batch.append(movement)
        count += 1
        if len(batch) == BATCH:
            await _keep_movements(batch)
            batch.clear()
    await _keep_movements(batch)
    return count


async def _keep_movements(movements: Sequence[Movement]) -> None:
    if movements:
        await database.fetch(_KEEP_MOVEMENTS, orjson.dumps([_row(one) for one in movements]).decode())


def _row(movement: Movement) -> dict[str, object]:
    changed = movement.exchange.of if movement.exchange is not None else None
    return {
        "id": movement.id,
        "kind": movement.kind.value,
        "at": movement.at,
        "amount_minor": movement.amount.minor,
        "fee_minor": movement.fee.minor,
        "net_minor": movement.net.minor,
        "currency": movement.net.currency,
        "changed_minor": abs(changed.minor) if changed is not None else None,
        "changed_currency": changed.currency if changed is not None else None,
        "order_id": movement.order_id or None,
        "contract_id": movement.group or None,
    }


async def book_costs() -> int:
    """`cost.booked` for each movement of a contract that has a fee or was changed and isn't booked yet; answers for how many."""
    count = 0
    async for row in _unbooked():
        try:
            await pipeline.run(_cost(row), by=PROVIDER)
            count += 1
        except asyncpg.UniqueViolationError:
            continue  # another worker has booked it meanwhile
        except DomainError as refusal:
            # It stays unbooked and the contract differs: a person looks at it.
            _log.warning(
                "cost not booked", extra={"movement": row["id"], "contract": row["contract_id"], "error": refusal}
            )
    return count


async def _unbooked() -> AsyncIterator[database.Record]:
    after = ""
    while rows := await database.fetch(_UNBOOKED, after, BATCH):
        for row in rows:
            yield row
        after = rows[-1]["id"]


def _cost(row: database.Record) -> BookCost:
    currency, fee_minor, amount_minor = row["currency"], row["fee_minor"], row["amount_minor"]
    given = got = None
    if row["changed_minor"] is not None:
        ours, theirs = Money(row["changed_minor"], row["changed_currency"]), Money(abs(amount_minor), currency)
        given, got = (ours, theirs) if amount_minor > 0 else (theirs, ours)
    return BookCost(
        contract_id=row["contract_id"],
        movement=row["id"],
        fee=Money(abs(fee_minor), currency) if fee_minor else None,
        is_fee_returned=fee_minor < 0,
        given=given,
        got=got,
    )


async def _differences(settling: timedelta) -> list[BookDifference]:
    rows = await database.fetch(_DIFFERENCES, settling, [MovementKind.FEE.value, MovementKind.WITHDRAWAL.value])
    return [database.filled(BookDifference, row, kind=DifferenceKind(row["kind"])) for row in rows]


async def _balances(provider: Provider, settling: timedelta) -> list[BookDifference]:
    """The provider's balance beside clearing and the operator's own movements; not while anything is on its way."""
    if await database.fetch_value(_ANY_ON_ITS_WAY, settling):
        return []
    theirs: dict[str, int] = {}
    for money in await provider.balance():
        theirs[money.currency] = theirs.get(money.currency, 0) + money.minor
    ours = {row["currency"]: int(row["minor"]) for row in await database.fetch(_OUR_BALANCE)}
    return [
        BookDifference(
            kind=DifferenceKind.BALANCE,
            subject=currency,
            currency=currency,
            provider_minor=theirs.get(currency, 0),
            ledger_minor=ours.get(currency, 0),
        )
        for currency in sorted(theirs.keys() | ours.keys())
        if theirs.get(currency, 0) != ours.get(currency, 0)
    ]


async def _keep(found: Sequence[BookDifference], settling: timedelta) -> None:
    """What was found, and of what was known before that which can't be judged now."""
    rows = [{name: getattr(one, name) for name in BookDifference.__dataclass_fields__} for one in found]
    await database.fetch(_KEEP_DIFFERENCES, settling, orjson.dumps(rows).decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDifference:
    """A difference that the last reconciliation found, and since when there is one."""

    difference: BookDifference
    found_at: datetime


async def open_differences() -> Sequence[OpenDifference]:
    """What the last reconciliation found, the oldest first."""
    rows = await database.fetch("SELECT * FROM reconciliation_differences ORDER BY found_at, kind, subject, currency")
    return [
        OpenDifference(
            difference=database.filled(BookDifference, row, kind=DifferenceKind(row["kind"])), found_at=row["found_at"]
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Standing:
    """How the last reconciliation went."""

    differences: int
    age_seconds: float | None
    """How long ago it ended; `None` if there was none yet."""


async def standing() -> Standing:
    row = await database.fetch_row(_STANDING)
    return Standing(row["differences"], row["age_seconds"]) if row is not None else Standing(0, None)


_KEEP_MOVEMENTS: Final = """
    INSERT INTO provider_movements
    SELECT given.* FROM json_to_recordset($1::json) AS given (
        id text, kind text, at timestamptz, amount_minor bigint, fee_minor bigint, net_minor bigint, currency text,
        changed_minor bigint, changed_currency text, order_id text, contract_id text)
    ON CONFLICT (id) DO NOTHING
"""

_UNBOOKED: Final = """
    SELECT movement.* FROM provider_movements AS movement JOIN contracts ON contracts.id = movement.contract_id
    WHERE (movement.fee_minor <> 0 OR movement.changed_minor IS NOT NULL) AND movement.id > $1
        AND NOT EXISTS (SELECT FROM costs WHERE costs.id = movement.id)
    ORDER BY movement.id LIMIT $2
"""

# What a contract waits for: a return or a payout under way, a charge that the books haven't heard of, and what just moved.
_ON_ITS_WAY: Final = """
    SELECT contract_id FROM payment_orders AS one WHERE state = 'STARTED' AND NOT is_stuck AND (kind <> 'DEPOSIT'
        OR EXISTS (SELECT FROM provider_movements AS moved WHERE moved.order_id = one.id AND moved.at > now() - interval '1 day'))
    UNION SELECT contract_id FROM provider_movements WHERE at > now() - $1::interval AND contract_id IS NOT NULL
"""

_DIFFERENCES: Final = f"""
    WITH ledger AS (
        SELECT contract_id, currency,
            sum(CASE WHEN debit = 'clearing:' || currency THEN amount_minor ELSE -amount_minor END)::bigint AS minor
        FROM transfers WHERE 'clearing:' || currency IN (debit, credit) GROUP BY contract_id, currency
    ), theirs AS (
        SELECT contract_id, currency, sum(net_minor)::bigint AS minor
        FROM provider_movements WHERE contract_id IS NOT NULL GROUP BY contract_id, currency
    )
    SELECT 'CONTRACT' AS kind, contract_id AS subject, currency,
        coalesce(theirs.minor, 0) AS provider_minor, coalesce(ledger.minor, 0) AS ledger_minor
    FROM ledger FULL JOIN theirs USING (contract_id, currency)
    WHERE coalesce(theirs.minor, 0) <> coalesce(ledger.minor, 0) AND contract_id NOT IN ({_ON_ITS_WAY})
    UNION ALL
    SELECT 'MOVEMENT', id, currency, net_minor, 0 FROM provider_movements
    WHERE contract_id IS NULL AND kind <> ALL ($2::text[]) AND at <= now() - $1::interval
"""  # noqa: S608 - a constant of this module

_ANY_ON_ITS_WAY: Final = f"SELECT EXISTS ({_ON_ITS_WAY})"

_OUR_BALANCE: Final = """
    SELECT currency, sum(minor) AS minor FROM (
        SELECT currency, CASE WHEN debit = 'clearing:' || currency THEN amount_minor ELSE -amount_minor END AS minor
        FROM transfers WHERE 'clearing:' || currency IN (debit, credit)
        UNION ALL SELECT currency, net_minor FROM provider_movements WHERE contract_id IS NULL
    ) AS moved GROUP BY currency
"""

_KEEP_DIFFERENCES: Final = f"""
    WITH found AS (
        SELECT * FROM json_to_recordset($2::json) AS given (
            kind text, subject text, currency text, provider_minor bigint, ledger_minor bigint)
    ), on_its_way AS ({_ON_ITS_WAY}
    ), gone AS (
        DELETE FROM reconciliation_differences AS old WHERE NOT EXISTS (
            SELECT FROM found WHERE (found.kind, found.subject, found.currency) = (old.kind, old.subject, old.currency))
        AND NOT (old.kind = 'BALANCE' AND EXISTS (SELECT FROM on_its_way))
        AND NOT (old.kind = 'CONTRACT' AND old.subject IN (SELECT contract_id FROM on_its_way))
    ), kept AS (
        INSERT INTO reconciliation_differences (kind, subject, currency, provider_minor, ledger_minor, found_at)
        SELECT kind, subject, currency, provider_minor, ledger_minor, now() FROM found
        ON CONFLICT (kind, subject, currency) DO UPDATE SET
            provider_minor = EXCLUDED.provider_minor, ledger_minor = EXCLUDED.ledger_minor
    )
    UPDATE deployment SET reconciled_at = now()
"""  # noqa: S608 - a constant of this module

_STANDING: Final = """
    SELECT (SELECT count(*) FROM reconciliation_differences) AS differences,
        extract(epoch FROM now() - reconciled_at)::float8 AS age_seconds
    FROM deployment WHERE id = 1
"""
