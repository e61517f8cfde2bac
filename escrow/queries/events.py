"""What lies beside a contract and never leaves it: transfers, deposits, orders to the provider, and its timeline of events."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson

from escrow import database, ids
from escrow.access import Actor, may_see_stream
from escrow.agreement.events import WITHHELD
from escrow.agreement.state import Deposit
from escrow.database import Record
from escrow.ids import Kind
from escrow.money import Money
from escrow.queries.visibility import SEEN_BY, handles_money
from escrow.rules import OrderKind, OrderState
from escrow.store.rows import DEPOSIT, deposit_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TransferView:
    """Money that moved between two ledger accounts."""

    id: str
    contract_id: str
    event_id: str
    debit: str
    credit: str
    amount: Money
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class DepositView:
    """A deposit, and of its contract what its answer needs."""

    deposit: Deposit
    contract_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order to the payment provider, as far as parties are concerned."""

    id: str
    contract_id: str
    kind: OrderKind
    state: OrderState
    amount: Money
    deposit_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventText:
    """A person's words that an event holds as a salted hash; `value` and `salt` are gone once erased."""

    field: str
    value: Any
    salt: bytes | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventView:
    """An event of a stream, exactly as it was sealed, with the texts beside it that readers are shown."""

    id: str
    stream_id: str
    sequence: int
    type: str
    schema_version: int
    occurred_at: datetime
    body: str
    hash: str
    previous_hash: str | None
    texts: tuple[EventText, ...]


_TRANSFERS: Final = "SELECT t.*, t.contract_id AS owner_id FROM transfers t"
_DEPOSITS: Final = "SELECT d.*, d.contract_id AS owner_id FROM deposits d"
_ORDERS: Final = """
SELECT o.id, o.contract_id, o.kind, o.state, o.amount_minor, o.currency, o.deposit_id, o.created_at, o.contract_id AS owner_id
FROM payment_orders o"""
TEXTS_SQL: Final = """ARRAY(
    SELECT ROW(x.field, x.body, x.salt, x.erased_at) FROM texts x WHERE x.event_id = e.id ORDER BY x.field) AS texts"""
"""The texts beside the event `e`, as `event_view` reads them."""

_EVENTS: Final = f"SELECT e.*, e.stream_id AS owner_id, {TEXTS_SQL} FROM events e"  # noqa: S608 - our own text


async def transfers_pages(
    contract_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[TransferView]]:
    """For each contract at most `limit` transfers in order of their making, those after the id `after`; one statement."""
    scan = f"{_TRANSFERS} WHERE t.contract_id = asked.id AND t.id > $3 ORDER BY t.id"
    return await _pages(scan, _transfer, contract_ids, limit, after or "")


async def deposits_pages(
    contract_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[DepositView]]:
    """For each contract at most `limit` deposits in order of their making, those after the id `after`; one statement."""
    scan = f"{_DEPOSITS} WHERE d.contract_id = asked.id AND d.id > $3 ORDER BY d.id"
    return await _pages(scan, _deposit, contract_ids, limit, after or "")


async def orders_pages(contract_ids: Collection[str], *, limit: int, after: str | None) -> dict[str, list[OrderView]]:
    """For each contract at most `limit` orders in order of their making, those after the id `after`; one statement."""
    scan = f"{_ORDERS} WHERE o.contract_id = asked.id AND o.id > $3 ORDER BY o.id"
    return await _pages(scan, _order, contract_ids, limit, after or "")


async def events_pages(stream_ids: Collection[str], *, limit: int, after: int | None) -> dict[str, list[EventView]]:
    """For each stream at most `limit` events in sequence, those after the number `after`; one statement."""
    scan = f"{_EVENTS} WHERE e.stream_id = asked.id AND e.sequence > $3 ORDER BY e.sequence"
    return await _pages(scan, event_view, stream_ids, limit, after or 0)


async def _pages(
    scan: str, read: Callable[[Record], T], asked: Collection[str], limit: int, after: str | int
) -> dict[str, list[T]]:
    """The pages of one kind for many parents: a keyset scan for each, in one statement."""
    rows = await database.fetch(
        f"SELECT found.* FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL ({scan} LIMIT $2) found",  # noqa: S608 - our own text
        sorted(set(asked)),
        limit,
        after,
    )
    found: dict[str, list[T]] = {}
    for row in rows:
        found.setdefault(row["owner_id"], []).append(read(row))
    return found


async def transfers_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, TransferView]:
    """Those of the transfers that exist and that the actor may see, by identifier; one statement."""
    return await _seen(actor, identifiers, Kind.TRANSFER, _TRANSFERS, "t", _transfer)


async def deposits_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, DepositView]:
    """Those of the deposits that exist and that the actor may see, by identifier; one statement."""
    return await _seen(actor, identifiers, Kind.DEPOSIT, _DEPOSITS, "d", _deposit)


async def orders_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, OrderView]:
    """Those of the orders that exist and that the actor may see, by identifier; one statement."""
    return await _seen(actor, identifiers, Kind.ORDER, _ORDERS, "o", _order)


async def _seen(
    actor: Actor,
    identifiers: Collection[str],
    kind: Kind,
    select: str,
    alias: str,
    read: Callable[[Record], T],
) -> dict[str, T]:
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(kind, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(
        f"""
        SELECT found.*, {SEEN_BY}
        FROM ({select} WHERE {alias}.id = ANY($1::text[])) found JOIN contracts c ON c.id = found.owner_id
        """,  # noqa: S608 - our own text
        wanted,
    )
    return {row["id"]: read(row) for row in rows if handles_money(actor, row, contract_id=row["owner_id"])}


async def events_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, EventView]:
    """Those of the events that exist and that the actor may see, by identifier; one statement."""
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(Kind.EVENT, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(
        f"""
        SELECT found.*, {SEEN_BY}
        FROM ({_EVENTS} WHERE e.id = ANY($1::text[])) found LEFT JOIN contracts c ON c.id = found.owner_id
        """,  # noqa: S608 - our own text
        wanted,
    )
    return {row["id"]: event_view(row) for row in rows if _may_see_stream(actor, row)}


def _may_see_stream(actor: Actor, row: Record) -> bool:
    return may_see_stream(
        actor,
        stream_id=row["owner_id"],
        client_id=row["client_id"],
        freelancer_id=row["freelancer_id"],
        was_disputed=row["was_disputed"],
    )


def _transfer(row: Record) -> TransferView:
    return TransferView(
        id=row["id"],
        contract_id=row["contract_id"],
        event_id=row["event_id"],
        debit=row["debit"],
        credit=row["credit"],
        amount=Money(row["amount_minor"], row["currency"]),
        occurred_at=row["occurred_at"],
    )


def _deposit(row: Record) -> DepositView:
    deposit = deposit_of(tuple(row[name] for name in DEPOSIT))
    return DepositView(deposit, row["contract_id"], row["currency"])


def _order(row: Record) -> OrderView:
    return OrderView(
        id=row["id"],
        contract_id=row["contract_id"],
        kind=OrderKind(row["kind"]),
        state=OrderState(row["state"]),
        amount=Money(row["amount_minor"], row["currency"]),
        deposit_id=row["deposit_id"],
        created_at=row["created_at"],
    )


def event_view(row: Record) -> EventView:
    """A row of `events` with its `texts` as an array of field, body, salt and time of erasure."""
    return EventView(
        id=row["id"],
        stream_id=row["stream_id"],
        sequence=row["sequence"],
        type=row["type"],
        schema_version=row["schema_version"],
        occurred_at=row["occurred_at"],
        body=row["body"],
        hash=row["hash"],
        previous_hash=row["previous_hash"],
        texts=tuple(
            EventText(field, orjson.loads(body) if body is not None else None, salt, erased_at)
            for field, body, salt, erased_at in row["texts"]
            if field not in WITHHELD
        ),
    )
