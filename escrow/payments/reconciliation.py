"""Compares the payment provider's books with the ledger, both ways, and books what only the provider's books tell.

Movements are kept as the provider tells them, in a table of their own; of each contract and currency they must come to what
crossed the clearing account, whichever accounts at whichever providers they moved. The balance must be what the movements of the
one that is asked come to, which holds on a busy day as well; with what differs of the contracts it is compared with clearing.
What differs is looked at twice, since money moves meanwhile, and is listed until it no longer differs. The rules are those of
docs/law.md, section 6: clearing is the provider's balance.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

import asyncpg
import orjson

from escrow import database, pipeline
from escrow.access import PROVIDER
from escrow.agreement.commands import BookCost
from escrow.errors import DomainError
from escrow.money import Money
from escrow.payments import leases
from escrow.payments.book_differences import BookDifference, DifferenceKind
from escrow.payments.movements import Movement, MovementKind
from escrow.payments.provider import Provider
from escrow.payments.watched import name_of

OVERLAP: Final = timedelta(days=2)
"""So far before the newest movement that is known the next look begins: what a provider tells of late isn't missed."""

OVERLAP_AT_ONCE: Final = timedelta(hours=1)
"""The same for looks that follow one another at once."""

BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before every movement."""

BATCH: Final = 500
"""Movements of one statement."""

SETTLING: Final = timedelta(minutes=10)
"""A contract with a movement that is newer than this isn't judged: the books may not have heard of it yet."""

LISTED_MAX: Final = 1_000
"""So many differences are listed at most; of the others it is said how many they are: they have one cause, not thousands."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a reconciliation found."""

    found: Sequence[BookDifference]
    """What differs now, `LISTED_MAX` at most."""
    new: Sequence[BookDifference]
    """What of it wasn't known before."""
    unlisted: int
    """How much more differs."""


Gaps = frozenset[int]
"""By how much a balance that was read while money moved is off, for each moment at which the provider may have read it."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look saw: what differs, as far as it is listed and how much that is in all, and balances that are off."""

    differences: frozenset[BookDifference]
    count: int
    balance: Mapping[str, int]
    gaps: Mapping[str, Gaps]


async def reconcile(provider: Provider, *, since: datetime | None = None, settling: timedelta = SETTLING) -> Outcome:
    """Read the provider's books from `since` on (by default from where the last look ended), book what they alone tell, and list
    what differs, which is kept for `open_differences`.

    Raises what the provider raises; then nothing is listed anew.
    """
    await pull(provider, since)
    settling -= provider.ahead  # movements are dated by its clock
    first = second = await _look(provider, settling)
    if first.differences or first.gaps:
        await _read_on(provider)
        second = await _look(provider, settling)
    both = first.differences & second.differences
    off = _off_at_both(first.gaps, second.gaps)
    found = sorted(
        [*both, *_balances(off, both, second.balance)], key=lambda one: (one.kind, one.subject, one.currency)
    )
    unlisted = max(0, second.count - LISTED_MAX)
    undecided = sorted((first.gaps.keys() & second.gaps.keys()) - off.keys())
    lost: int = await database.fetch_value(_LOST_COUNT)
    new = await _keep(found, settling, undecided=undecided, unlisted=unlisted + lost)
    return Outcome(
        found=found, new=[one for one in found if (one.kind, one.subject, one.currency) in new], unlisted=unlisted
    )


def _off_at_both(first: Mapping[str, Gaps], second: Mapping[str, Gaps]) -> dict[str, int]:
    """By how much balances were off at both looks, whatever moved meanwhile, by currency."""
    both = {currency: first[currency] & second[currency] for currency in first.keys() & second.keys()}
    return {currency: min(by_minor, key=abs) for currency, by_minor in both.items() if by_minor}


def _balances(
    off: Mapping[str, int], differences: Iterable[BookDifference], balance: Mapping[str, int]
) -> Iterator[BookDifference]:
    """The balances that aren't what they should be, by themselves or by contracts that differ."""
    by_minor = Counter(off)
    for one in differences:
        if one.kind is DifferenceKind.CONTRACT:
            by_minor[one.currency] += one.provider_minor - one.ledger_minor
    for currency, minor in by_minor.items():
        found = balance.get(currency, 0)
        if minor:
            yield BookDifference(
                kind=DifferenceKind.BALANCE,
                subject=currency,
                currency=currency,
                provider_minor=found,
                ledger_minor=found - minor,
            )


async def _look(provider: Provider, settling: timedelta) -> _Look:
    """What differs now. The balance is read between two readings of the movements, so at one of the moments between them."""
    balance: dict[str, int] = {}
    for money in await provider.balance():
        balance[money.currency] = balance.get(money.currency, 0) + money.minor
    news = await _read_on(provider)
    await book_costs()
    rows = await database.fetch(_DIFFERENCES, settling, _OWN, LISTED_MAX, provider.terms.provider)
    differences = [database.filled(BookDifference, row, kind=DifferenceKind(row["kind"])) for row in rows]
    count = rows[0]["count"] if rows else 0
    return _Look(frozenset(differences), count, balance, _gaps(balance, await _come_to(provider), news))


async def _come_to(provider: Provider) -> dict[str, int]:
    """What all movements of its balance that are known come to, by currency."""
    rows = await database.fetch(_COME_TO, await name_of(provider))
    return {row["currency"]: int(row["minor"]) for row in rows}


def _gaps(balance: Mapping[str, int], come_to: Mapping[str, int], news: Sequence[Movement]) -> dict[str, Gaps]:
    """The balances that the movements gave at no moment: neither with all that is new, nor before any of it."""
    gaps = {}
    for currency in balance.keys() | come_to.keys():
        told = [one.net.minor for one in news if one.net.currency == currency]
        later = accumulate(reversed(told), initial=0)
        by_minor = frozenset(balance.get(currency, 0) - come_to.get(currency, 0) + minor for minor in later)
        if 0 not in by_minor:
            gaps[currency] = by_minor
    return gaps


async def pull(provider: Provider, since: datetime | None) -> int:
    """Keep the movements from `since` on that aren't known yet; answers how many the provider told of."""
    if since is None:
        since = await _reached(provider, OVERLAP)
    count = 0
    async for batch in _batches(provider, since):
        await _keep_movements(batch, of=provider)
        count += len(batch)
    return count


async def _read_on(provider: Provider) -> list[Movement]:
    """The movements that nobody knew of, in the order in which the provider tells them; they are kept."""
    news: list[Movement] = []
    async for batch in _batches(provider, await _reached(provider, OVERLAP_AT_ONCE)):
        kept = await _keep_movements(batch, of=provider)
        news += [one for one in batch if one.id in kept]
    return news


async def _reached(provider: Provider, overlap: timedelta) -> datetime:
    newest: datetime | None = await database.fetch_value(_NEWEST, await name_of(provider))
    return newest - overlap if newest is not None else BEGINNING


async def _batches(provider: Provider, since: datetime) -> AsyncIterator[list[Movement]]:
    batch: list[Movement] = []
    async for movement in provider.movements(since):
        batch.append(movement)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _keep_movements(movements: Sequence[Movement], *, of: Provider) -> set[str]:
    """The names of those that are new. One whose kind nobody could tell gets it, once an adapter can."""
    rows = await database.fetch(_KEEP_MOVEMENTS, orjson.dumps([*map(_row, movements)]).decode(), await name_of(of))
    return {row["id"] for row in rows}


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
        "source_id": movement.source_id,
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


async def _keep(
    found: Sequence[BookDifference], settling: timedelta, *, undecided: Sequence[str], unlisted: int
) -> set[tuple[DifferenceKind, str, str]]:
    """What was found, and of what was known before that which can't be judged now; answers what is new.

    `undecided` are currencies whose balance was off at both looks, but never by the same sum.
    """
    given = [{name: getattr(one, name) for name in BookDifference.__dataclass_fields__} for one in found]
    rows = await database.fetch(_KEEP_DIFFERENCES, settling, orjson.dumps(given).decode(), list(undecided), unlisted)
    return {(DifferenceKind(row["kind"]), row["subject"], row["currency"]) for row in rows if row["is_new"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDifference:
    """A difference that the last reconciliation found, and since when there is one."""

    difference: BookDifference
    found_at: datetime


async def open_differences() -> Sequence[OpenDifference]:
    """What the last reconciliation found or couldn't judge anew, the oldest first, `LISTED_MAX` at most."""
    rows = await database.fetch(_OPEN_DIFFERENCES, LISTED_MAX)
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
    """How much differs in all, with what isn't listed, and with what a cut of the log lost (`escrow.payments.lost`)."""
    age_seconds: float | None
    """How long ago it ended; without one, since when there has been something to compare; `None` if there is nothing."""


async def standing() -> Standing:
    row = await database.fetch_row(_STANDING)
    return Standing(row["differences"], row["age_seconds"]) if row is not None else Standing(0, None)


# What was kept before it was known whose it is counts for whoever is asked.
_COME_TO: Final = """
    SELECT currency, sum(net_minor) AS minor FROM provider_movements WHERE coalesce(provider, $1) = $1 GROUP BY currency
"""

_NEWEST: Final = "SELECT max(at) FROM provider_movements WHERE coalesce(provider, $1) = $1"

_KEEP_MOVEMENTS: Final = """
    WITH given AS (
        SELECT * FROM json_to_recordset($1::json) AS given (
            id text, kind text, at timestamptz, amount_minor bigint, fee_minor bigint, net_minor bigint, currency text,
            changed_minor bigint, changed_currency text, order_id text, contract_id text, source_id text)
    ), named AS (
        UPDATE provider_movements AS known SET kind = given.kind FROM given
        WHERE known.id = given.id AND known.kind = 'OTHER' AND given.kind <> 'OTHER'
    )
    INSERT INTO provider_movements (id, kind, at, amount_minor, fee_minor, net_minor, currency, changed_minor, changed_currency,
        order_id, contract_id, source_id, provider)
    SELECT given.*, $2::text FROM given ON CONFLICT (id) DO NOTHING RETURNING id
"""

_UNBOOKED: Final = """
    SELECT movement.* FROM provider_movements AS movement JOIN contracts ON contracts.id = movement.contract_id
    WHERE (movement.fee_minor <> 0 OR movement.changed_minor IS NOT NULL) AND movement.id > $1
        AND NOT EXISTS (SELECT FROM costs WHERE costs.id = movement.id)
    ORDER BY movement.id LIMIT $2
"""

_LOST: Final = leases.LOST.format(which=leases.WAS_CUT)

_LOST_COUNT: Final = f"SELECT count(*) FROM ({_LOST}) AS lost"  # noqa: S608 - a constant

# What a contract waits for: a return or a payout that was called, an order that moved lately and of which the books haven't
# heard, and what just moved. What nobody called explains nothing, and may wait for its payee for months; what was lost comes by
# itself no more.
_ON_ITS_WAY: Final = f"""
    SELECT contract_id FROM (
        SELECT contract_id FROM payment_orders AS one WHERE state = 'STARTED' AND NOT is_stuck AND (
            (kind <> 'DEPOSIT' AND EXISTS (
                SELECT FROM provider_calls AS call WHERE (call.contract_id, call.order_id) = (one.contract_id, one.id)))
            OR EXISTS (SELECT FROM provider_movements AS moved
                WHERE moved.order_id IN (one.id, one.known_as) AND moved.at > now() - interval '1 day'))
        UNION SELECT contract_id FROM provider_movements WHERE at > now() - $1::interval AND contract_id IS NOT NULL
    ) AS moving WHERE contract_id NOT IN (SELECT lost.contract_id FROM ({_LOST}) AS lost)
"""  # noqa: S608 - a constant

_OWN: Final = (MovementKind.FEE.value, MovementKind.WITHDRAWAL.value, MovementKind.RESERVE.value)

_DIFFERENCES: Final = f"""
    WITH ledger AS (
        SELECT contract_id, currency,
            sum(CASE WHEN debit = 'clearing:' || currency THEN amount_minor ELSE -amount_minor END)::bigint AS minor
        FROM transfers WHERE 'clearing:' || currency IN (debit, credit) GROUP BY contract_id, currency
    ), theirs AS (
        SELECT contract_id, currency, sum(net_minor)::bigint AS minor
        FROM provider_movements WHERE contract_id IS NOT NULL AND NOT is_settled GROUP BY contract_id, currency
    ), differing AS (
    SELECT 'CONTRACT' AS kind, contract_id AS subject, currency,
        coalesce(theirs.minor, 0) AS provider_minor, coalesce(ledger.minor, 0) AS ledger_minor
    FROM ledger FULL JOIN theirs USING (contract_id, currency)
    WHERE coalesce(theirs.minor, 0) <> coalesce(ledger.minor, 0) AND contract_id NOT IN ({_ON_ITS_WAY})
    UNION ALL
    SELECT 'MOVEMENT', id, currency, net_minor, 0 FROM provider_movements
    WHERE contract_id IS NULL AND kind <> ALL ($2::text[]) AND at <= now() - $1::interval
    UNION ALL
    SELECT 'ORDER', o.id, currency, 0, CASE WHEN kind = 'DEPOSIT' THEN amount_minor ELSE -amount_minor END
    FROM payment_orders AS o
    WHERE (is_stuck OR (state, kind) IN (('STARTED', kind), ('FAILED', 'REFUND')) OR (state = 'ABANDONED' AND due_at IS NOT NULL))
        AND EXISTS ({leases.ELSEWHERE.format(asked="$4")})
    )
    SELECT *, count(*) OVER () AS count FROM differing ORDER BY kind, subject, currency LIMIT $3
"""  # noqa: S608 - a constant of this module

_KEEP_DIFFERENCES: Final = f"""
    WITH found AS (
        SELECT * FROM json_to_recordset($2::json) AS given (
            kind text, subject text, currency text, provider_minor bigint, ledger_minor bigint)
    ), on_its_way AS ({_ON_ITS_WAY}
    ), gone AS (
        DELETE FROM reconciliation_differences AS old WHERE NOT EXISTS (
            SELECT FROM found WHERE (found.kind, found.subject, found.currency) = (old.kind, old.subject, old.currency))
        AND NOT (old.kind = 'BALANCE' AND old.subject = ANY ($3::text[]))
        AND NOT (old.kind = 'CONTRACT' AND old.subject IN (SELECT contract_id FROM on_its_way))
    ), kept AS (
        INSERT INTO reconciliation_differences (kind, subject, currency, provider_minor, ledger_minor, found_at)
        SELECT kind, subject, currency, provider_minor, ledger_minor, now() FROM found
        ON CONFLICT (kind, subject, currency) DO UPDATE SET
            provider_minor = EXCLUDED.provider_minor, ledger_minor = EXCLUDED.ledger_minor
        RETURNING kind, subject, currency, xmax = 0 AS is_new
    ), done AS (
        UPDATE deployment SET reconciled_at = now(), unlisted_differences = $4
    )
    SELECT * FROM kept
"""  # noqa: S608 - a constant of this module

_OPEN_DIFFERENCES: Final = """
    SELECT * FROM reconciliation_differences ORDER BY found_at, kind, subject, currency LIMIT $1
"""

# Without a reading the first order of the oldest contract that has any stands for the first of all: its key finds it.
_STANDING: Final = """
    SELECT (SELECT count(*) FROM reconciliation_differences) + unlisted_differences AS differences,
        extract(epoch FROM now() - coalesce(
            reconciled_at, (SELECT created_at FROM payment_orders ORDER BY contract_id, id LIMIT 1)))::float8 AS age_seconds
    FROM deployment WHERE id = 1
"""
