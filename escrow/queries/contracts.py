"""Reads contracts as an actor may see them: one by one, page by page, and what an answer needs beside their own row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from escrow import database, ids
from escrow.access import Actor, Side
from escrow.agreement.postings import in_transit, payable_to
from escrow.agreement.state import Contract, Surroundings
from escrow.agreement.step import advance
from escrow.aside import LONG_MILESTONES, aside_if
from escrow.database import Record, Statement, as_list, listed, unseen
from escrow.ids import Kind
from escrow.queries import changes, events
from escrow.queries.counts import Counted
from escrow.queries.events import Stretch
from escrow.queries.ranges import EVERYTHING, Span
from escrow.queries.reading import CONTRACT_BESIDE, STATEMENTS_MAX, Reading, Selections, itself
from escrow.queries.scans import Filter, Listed, Order, Place, counted, statement
from escrow.queries.visibility import SEEN, viewer
from escrow.states import ContractState
from escrow.store.read import BESIDE_SQL, loaded_parts, mediator_sql, nested_sql, surroundings_of, surroundings_sql
from escrow.store.tables import CONTRACTS, MILESTONES


@dataclass(frozen=True, slots=True)
class ContractView:
    """A contract's own row: the terms without its milestones, and the sequence of its last event."""

    terms: Contract
    version: int
    deadline_at: datetime | None = None
    """In a list: when its first clock ends."""


def _view(row: Record) -> ContractView:
    return ContractView(CONTRACTS.read(row), row["version"], row["deadline_at"])


VIEWS: Final = Reading((*CONTRACTS.loaded, "version", "deadline_at"), _view)
"""All that an object is made of."""

ROWS: Final = Selections(frozenset(VIEWS.columns))


async def contracts_by_id(actor: Actor, identifiers: Collection[str], reading: Reading[Any] = VIEWS) -> dict[str, Any]:
    """Those of the contracts that exist and that the actor may see, by identifier; one statement, none if no id is one."""
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(Kind.CONTRACT, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(*_by_id(reading).bind(ids=as_list(wanted), **viewer(actor)))
    return {row["id"]: reading.make(row) for row in rows}


@lru_cache(maxsize=STATEMENTS_MAX)
def _by_id(reading: Reading[Any]) -> Statement:
    columns = reading.sql("c")
    return Statement(f"SELECT {columns} FROM contracts c WHERE c.id = ANY ({listed(':ids')}) AND {SEEN}")  # noqa: S608 - our own text


class JoinedRow(dict[str, Any]):
    """A contract's row by its columns, together with rows of one kind that belong to it, in their order."""

    __slots__ = ("joined", "place")

    joined: list[Record]
    place: object
    """Which of its rows they are: `PLAN`, or the stretch of its events that was asked for."""


PLAN: Final = "plan"


async def contracts_with_plans(
    actor: Actor, identifiers: Collection[str], reading: Reading[Record], plan: Reading[Record]
) -> dict[str, JoinedRow]:
    """The same with their current plans, both as rows, by one statement: for few contracts, whose rows come again with each
    milestone.
    """
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(Kind.CONTRACT, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(*_with_plans(reading, plan).bind(ids=as_list(wanted), **viewer(actor)))
    return _joined(rows, reading, PLAN)


async def contracts_with_events(
    actor: Actor, identifiers: Collection[str], reading: Reading[Record], read: Reading[Record], stretch: Stretch
) -> dict[str, JoinedRow]:
    """The same with a stretch of their events, in the order in which it is read."""
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(Kind.CONTRACT, identifier)]
    if not wanted:
        return {}
    statement = _with_events(reading, read, backwards=stretch.backwards)
    given = viewer(actor) | {"start": stretch.start, "limit": stretch.limit}
    return _joined(await database.fetch(*statement.bind(ids=as_list(wanted), **given)), reading, stretch)


def _joined(rows: list[Record], reading: Reading[Record], place: object) -> dict[str, JoinedRow]:
    """The contracts of rows that have a contract's columns, and behind them those of another row, if there is one."""
    columns = reading.columns
    found: dict[str, JoinedRow] = {}
    for contract_id, those in groupby(rows, itemgetter(columns.index("id"))):
        found[contract_id] = row = JoinedRow()
        joined = list(those)
        row.update(zip(columns, joined[0], strict=False))  # the others are the other row's
        row.joined, row.place = joined if joined[0][len(columns)] is not None else [], place
    return found


_OF_CONTRACT: Final = "contract."
"""What the columns of a contract's row are called by, beside those of the other row."""


@lru_cache(maxsize=STATEMENTS_MAX)
def _with_plans(reading: Reading[Record], plan: Reading[Record]) -> Statement:
    return Statement(f"""
        SELECT {_own(reading)}, m.id AS joined, {plan.sql("m", beside=CONTRACT_BESIDE)}
        FROM contracts c LEFT JOIN milestones m ON m.contract_id = c.id AND m.revision = c.revision
        WHERE c.id = ANY ({listed(":ids")}) AND {SEEN} ORDER BY c.id, m.position
        """)  # noqa: S608 - our own text


@lru_cache(maxsize=STATEMENTS_MAX)
def _with_events(reading: Reading[Record], read: Reading[Record], *, backwards: bool) -> Statement:
    return Statement(f"""
        SELECT {_own(reading)}, event.* FROM contracts c LEFT JOIN LATERAL (
            {events.stretch_sql(read, "c.id", backwards=backwards)}) AS event ON true
        WHERE c.id = ANY ({listed(":ids")}) AND {SEEN}
        ORDER BY c.id, event.sequence {"DESC" if backwards else "ASC"}
        """)  # noqa: S608 - our own text


def _own(reading: Reading[Record]) -> str:
    """The columns of a contract beside those of another row."""
    return ", ".join(f'c.{name} AS "{_OF_CONTRACT}{name}"' for name in reading.columns)


class ContractOrder(StrEnum):
    """The orders in which contracts are listed."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"
    RECENTLY_UPDATED = "RECENTLY_UPDATED"
    LONGEST_UNCHANGED = "LONGEST_UNCHANGED"
    DEADLINE = "DEADLINE"


ORDERS: Final = {
    ContractOrder.NEWEST: Order("id", descending=True, by_state=True, for_everything=True),
    ContractOrder.OLDEST: Order("id", by_state=True, for_everything=True),
    ContractOrder.RECENTLY_UPDATED: Order("updated_at", "timestamptz", descending=True),
    ContractOrder.LONGEST_UNCHANGED: Order("updated_at", "timestamptz"),
    ContractOrder.DEADLINE: Order("deadline_at", "timestamptz", for_everything=True),
}

_LISTED: Final = Listed("contracts", "c", "ctr", "c.id", VIEWS.sql("c"))


async def contracts_page(
    actor: Actor,
    *,
    states: Collection[ContractState] | None = None,
    limit: int,
    after: Place | None,
    order: ContractOrder = ContractOrder.NEWEST,
    party: str | None = None,
    currency: str | None = None,
    title: str | None = None,
    updated: Span = EVERYTHING,
    deadline: Span = EVERYTHING,
    reading: Reading[Any] = VIEWS,
    backwards: bool = False,
) -> list[Any]:
    """At most `limit` contracts that the actor may see, in an order, those after a place in it, as `reading` reads them; one
    statement. `backwards` turns the order round.

    `party` is the other side; for the operator, either side. `title` finds titles that have a word beginning with each of
    its words. Where a contract has no clock it is in no list by deadline. What changed since a moment is told by the log.
    Refuses with `InvalidInput` what `scans.statement` does.
    """
    by, wanted = ORDERS[order].since(updated), _wanted(states, party, currency, title, updated, deadline)
    by = by.turned(backwards=backwards)
    sql, arguments = statement(_listed(reading, by), actor, wanted, by, limit=limit, after=after)
    rows = await database.fetch(sql, *arguments)
    return rows if reading.make is itself else list(map(reading.make, rows))


async def contracts_counted(
    actor: Actor,
    *,
    states: Collection[ContractState] | None = None,
    order: ContractOrder = ContractOrder.NEWEST,
    party: str | None = None,
    currency: str | None = None,
    title: str | None = None,
    updated: Span = EVERYTHING,
    deadline: Span = EVERYTHING,
) -> Counted:
    """How many contracts such a list has; one statement."""
    by, wanted = ORDERS[order].since(updated), _wanted(states, party, currency, title, updated, deadline)
    return await counted(_listed(_KEYS, by), actor, wanted, by)


@lru_cache(maxsize=STATEMENTS_MAX)
def _listed(reading: Reading[Any], by: Order) -> Listed:
    return replace(_LISTED, columns=reading.sql("c", *by.keys, beside=changes.BESIDE))


_KEYS: Final = Reading(("id",), itself)


def _wanted(
    states: Collection[ContractState] | None,
    party: str | None,
    currency: str | None,
    title: str | None,
    updated: Span,
    deadline: Span,
) -> Filter:
    return Filter(
        states=[state.value for state in states] if states is not None else None,
        party=party,
        currency=currency,
        title=title,
        spans={"updated_at": updated, "deadline_at": deadline},
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """A contract with everything that decides what may be done with it now, from one snapshot.

    `stored` is as the tables have it; `now` as the law has it, with every deadline applied that is due.
    """

    stored: Contract
    now: Contract
    around: Surroundings


_PARTIES: Final = ("contract.client_id", "contract.freelancer_id")

_STANDINGS: Final = f"""
SELECT {CONTRACTS.select("contract")},
    {surroundings_sql(*_PARTIES, mediator_sql("$2", *_PARTIES))},
    {nested_sql(MILESTONES, either=["one.revision = contract.revision"])} AS milestones,
    {BESIDE_SQL}
FROM contracts AS contract CROSS JOIN deployment
WHERE contract.id = ANY ({unseen("$1::text[]")})
"""  # noqa: S608 - our own text


async def standings(actor: Actor, contract_ids: Collection[str]) -> dict[str, Standing]:
    """What decides what the actor may do with each of these contracts now; one statement."""
    rows = await database.fetch(_STANDINGS, sorted(set(contract_ids)), actor.account_id)
    is_long = sum(len(row["milestones"]) for row in rows) > LONG_MILESTONES
    return await aside_if(is_long, lambda: {row["id"]: _standing(row) for row in rows}, owner=actor.account_id)


def _standing(row: Record) -> Standing:
    plan = sorted(map(MILESTONES.read, row["milestones"]), key=lambda milestone: milestone.position)
    state = CONTRACTS.read(row, milestones=tuple(plan), **loaded_parts(row))
    around = surroundings_of(row)
    return Standing(state, advance(state, around=around, fresh=ids.new), around)


@dataclass(frozen=True, slots=True)
class Books:
    """The money of one contract, in minor units: what its milestones saw, and what is payable or on its way."""

    held_minor: int = 0
    held_fee_minor: int = 0
    released_minor: int = 0
    refunded_minor: int = 0
    client_fee_minor: int = 0
    freelancer_fee_minor: int = 0
    payable_to_client_minor: int = 0
    payable_to_freelancer_minor: int = 0
    in_transit_minor: int = 0
    lost_minor: int = 0
    bonus_minor: int = 0


_SUMS: Final = (
    "held_minor", "held_fee_minor", "released_minor", "refunded_minor", "client_fee_minor", "freelancer_fee_minor",
    "lost_minor", "bonus_minor",
)  # fmt: skip
"""The columns of milestones that a contract's books add up."""

_BOOKS: Final = f"""
SELECT c.id, c.currency, sums.*,
    ARRAY(SELECT ROW(b.account, b.currency, b.balance_minor) FROM balances b WHERE b.contract_id = c.id) AS balances
FROM contracts c CROSS JOIN LATERAL (
    SELECT {", ".join(f"coalesce(sum(m.{name}), 0)::bigint AS {name}" for name in _SUMS)}
    FROM milestones m WHERE m.contract_id = c.id
) sums
WHERE c.id = ANY ({unseen("$1::text[]")})
"""  # noqa: S608 - our own text


async def books(contract_ids: Collection[str]) -> dict[str, Books]:
    """The money of each of these contracts, over all its revisions; one statement."""
    rows = await database.fetch(_BOOKS, sorted(set(contract_ids)))
    return {row["id"]: Books(**{name: row[name] for name in _SUMS}, **_payables(row)) for row in rows}


def _payables(row: Record) -> dict[str, int]:
    balances = {(account, currency): minor for account, currency, minor in row["balances"]}
    accounts = {
        "payable_to_client_minor": payable_to(row["id"], Side.CLIENT),
        "payable_to_freelancer_minor": payable_to(row["id"], Side.FREELANCER),
        "in_transit_minor": in_transit(row["id"]),
    }
    return {name: balances.get((account, row["currency"]), 0) for name, account in accounts.items()}
