"""Reads milestones as an actor may see them: one by one, the plans of contracts, and pages in several orders."""

# ruff: noqa: S608 - only our own columns, conditions and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from escrow import database, ids
from escrow.access import Actor
from escrow.agreement.state import Milestone
from escrow.aside import LONG_MILESTONES, aside_if
from escrow.database import Record, Statement, as_list, listed
from escrow.ids import Kind
from escrow.queries import changes, counts, scans
from escrow.queries.counts import Counted
from escrow.queries.ranges import EVERYTHING, Span, bounds, within
from escrow.queries.reading import CONTRACT_BESIDE, STATEMENTS_MAX, Reading, Selections, itself
from escrow.queries.scans import ROLES, Filter, Listed, Order, Place, Viewed
from escrow.queries.visibility import SEEN, viewer
from escrow.states import MilestoneState
from escrow.store.tables import MILESTONES


@dataclass(frozen=True, slots=True)
class MilestoneView:
    """A milestone, and of its contract what its answer needs."""

    milestone: Milestone
    contract_id: str
    currency: str
    deadline_at: datetime | None = None
    """In a list: when the first clock that it waits for ends."""


def _view(row: Record) -> MilestoneView:
    return MilestoneView(MILESTONES.read(row), row["contract_id"], row["currency"], row["deadline_at"])


VIEWS: Final = Reading((*MILESTONES.loaded, "currency", "deadline_at"), _view)
"""All that an object is made of, and of its contract what its answer needs."""

ROWS: Final = Selections(frozenset(VIEWS.columns))

_WHOLE: Final = Reading(MILESTONES.loaded, MILESTONES.read)


async def milestones_of(
    contract_ids: Collection[str], reading: Reading[Any] = _WHOLE, *, owner: Hashable
) -> dict[str, list[Any]]:
    """The current plan of each of these contracts, in order of position; one statement. `owner` is who asks."""
    rows = await database.fetch(_of_contracts(reading), as_list(sorted(set(contract_ids))))
    is_long = reading is _WHOLE and len(rows) > LONG_MILESTONES
    return await aside_if(is_long, lambda: _by_contract(rows, reading), owner=owner)


@lru_cache(maxsize=STATEMENTS_MAX)
def _of_contracts(reading: Reading[Any]) -> str:
    columns = reading.sql("m", "contract_id", beside=CONTRACT_BESIDE)
    return f"""
        SELECT {columns} FROM contracts c JOIN milestones m ON m.contract_id = c.id AND m.revision = c.revision
        WHERE c.id = ANY ({listed("$1")}) ORDER BY m.contract_id, m.position
        """


def _by_contract(rows: Sequence[Record], reading: Reading[Any]) -> dict[str, list[Any]]:
    plans = groupby(rows, itemgetter("contract_id"))  # they come in this order
    if reading.make is itself:
        return {contract_id: list(plan) for contract_id, plan in plans}
    return {contract_id: list(map(reading.make, plan)) for contract_id, plan in plans}


async def milestones_by_id(actor: Actor, identifiers: Collection[str], reading: Reading[Any] = VIEWS) -> dict[str, Any]:
    """Those of the milestones, of any revision, that exist and that the actor may see, by identifier; one statement."""
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(Kind.MILESTONE, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(*_by_id(reading).bind(ids=as_list(wanted), **viewer(actor)))
    return {row["id"]: reading.make(row) for row in rows}


@lru_cache(maxsize=STATEMENTS_MAX)
def _by_id(reading: Reading[Any]) -> Statement:
    columns = reading.sql("m", beside=CONTRACT_BESIDE)
    return Statement(f"""
        SELECT {columns} FROM milestones m JOIN contracts c ON c.id = m.contract_id
        WHERE m.id = ANY ({listed(":ids")}) AND {SEEN}
        """)


class MilestoneOrder(StrEnum):
    """The orders in which milestones are listed."""

    PLAN = "PLAN"
    DUE = "DUE"
    DUE_LAST = "DUE_LAST"
    RECENTLY_UPDATED = "RECENTLY_UPDATED"
    LONGEST_UNCHANGED = "LONGEST_UNCHANGED"
    DEADLINE = "DEADLINE"


ORDERS: Final = {
    MilestoneOrder.DUE: Order("due_on", "date", by_state=True),
    MilestoneOrder.DUE_LAST: Order("due_on", "date", descending=True, by_state=True),
    MilestoneOrder.RECENTLY_UPDATED: Order("updated_at", "timestamptz", descending=True),
    MilestoneOrder.LONGEST_UNCHANGED: Order("updated_at", "timestamptz"),
    MilestoneOrder.DEADLINE: Order("deadline_at", "timestamptz", for_everything=True),
}
"""All but that of plans, which is told by the contract and the position."""

_LISTED: Final = Listed(
    "milestones",
    "m",
    "mil",
    "m.contract_id",
    VIEWS.sql("m", beside=CONTRACT_BESIDE),
    beside="""CROSS JOIN LATERAL (
        SELECT currency FROM contracts WHERE id = m.contract_id AND revision = m.revision OFFSET 0) AS c""",
)


async def milestones_page(
    actor: Actor,
    *,
    contract_id: str | None = None,
    states: Collection[MilestoneState] | None = None,
    limit: int,
    after: Place | None,
    order: MilestoneOrder = MilestoneOrder.PLAN,
    party: str | None = None,
    currency: str | None = None,
    title: str | None = None,
    due: Span = EVERYTHING,
    deadline: Span = EVERYTHING,
    updated: Span = EVERYTHING,
    reading: Reading[Any] = VIEWS,
    backwards: bool = False,
) -> list[Any]:
    """At most `limit` milestones of current plans that the actor may see, those after a place in the order, as `reading` reads
    them; one statement. `backwards` turns the order round.

    In the order of plans those of the newest contract come first, in each by position; a place is the position and the
    contract then. `due` is about the date that the parties agreed on, `deadline` about the clock that runs on it; the rest is
    as with contracts.
    """
    if contract_id is not None and not ids.is_a(Kind.CONTRACT, contract_id):
        return []
    wanted = _wanted(contract_id, states, party, currency, title, due, deadline, updated)
    sql, arguments = _statement(actor, wanted, order, reading, limit=limit, after=after, backwards=backwards)
    rows = await database.fetch(sql, *arguments)
    return rows if reading.make is itself else list(map(reading.make, rows))


async def milestones_counted(
    actor: Actor,
    *,
    contract_id: str | None = None,
    states: Collection[MilestoneState] | None = None,
    order: MilestoneOrder = MilestoneOrder.PLAN,
    party: str | None = None,
    currency: str | None = None,
    title: str | None = None,
    due: Span = EVERYTHING,
    deadline: Span = EVERYTHING,
    updated: Span = EVERYTHING,
) -> Counted:
    """How many milestones such a list has; one statement."""
    if contract_id is not None and not ids.is_a(Kind.CONTRACT, contract_id):
        return Counted(0)
    wanted = _wanted(contract_id, states, party, currency, title, due, deadline, updated)
    sql, arguments = _statement(actor, wanted, order, _KEYS, limit=counts.COUNTED_MAX + 1, after=None)
    return await counts.counted(sql, *arguments)


_KEYS: Final = Reading(("id",), itself)


def _wanted(
    contract_id: str | None,
    states: Collection[MilestoneState] | None,
    party: str | None,
    currency: str | None,
    title: str | None,
    due: Span,
    deadline: Span,
    updated: Span,
) -> Filter:
    return Filter(
        contract_id=contract_id,
        states=[state.value for state in states] if states is not None else None,
        party=party,
        currency=currency,
        title=title,
        spans={"due_on": due, "deadline_at": deadline, "updated_at": updated},
    )


def _statement(
    actor: Actor,
    wanted: Filter,
    order: MilestoneOrder,
    reading: Reading[Any],
    *,
    limit: int,
    after: Place | None,
    backwards: bool = False,
) -> tuple[str, list[object]]:
    if order is MilestoneOrder.PLAN:
        given = scans.values(actor, wanted, _LISTED.kind, limit=limit, after=after)
        made = _in_plans(reading, scans.viewed(actor), frozenset(given), backwards=backwards)
        return made.sql, [given[name] for name in made.names]
    by = ORDERS[order].since(wanted.spans["updated_at"]).turned(backwards=backwards)
    return scans.statement(_listed(reading, by), actor, wanted, by, limit=limit, after=after)


@lru_cache(maxsize=STATEMENTS_MAX)
def _listed(reading: Reading[Any], by: Order) -> Listed:
    return replace(_LISTED, columns=reading.sql("m", *by.keys, beside=CONTRACT_BESIDE | changes.BESIDE))


@lru_cache(maxsize=STATEMENTS_MAX)
def _in_plans(reading: Reading[Any], who: Viewed, given: frozenset[str], *, backwards: bool) -> Statement:
    """The page in the order of plans: contracts are walked from the newest, and the milestones of each by position."""
    columns = reading.sql("m", "contract_id", "position", beside=CONTRACT_BESIDE)
    conditions = _conditions(given)
    if "after_id" in given:
        position, contract = ":after_key::int", scans.AFTER_ID
        further, behind = ("<", ">") if backwards else (">", "<")
        # The first half lets the scan of contracts start at the right place.
        conditions.append(
            f"c.id {behind}= {contract} AND (c.id {behind} {contract} OR m.position {further} {position})"
        )
    newest, first = ("ASC", "DESC") if backwards else ("DESC", "ASC")
    beside = ""
    if "updated_at_from" in given:
        beside = changes.last("m", "m.contract_id")
        conditions.append(f"{changes.COLUMN} >= {changes.first_since(':updated_at_from::timestamptz')}")
    found = " UNION ALL ".join(
        f"""(SELECT {columns} FROM {source} {beside}
            WHERE {" AND ".join([*conditions, *seen]) or "true"}
            ORDER BY c.id {newest}, m.position {first} LIMIT {scans.LIMIT})"""
        for source, seen in _sources(who, given)
    )
    ordered = f"contract_id {newest}, position {first}"
    sql = f"SELECT * FROM ({found}) AS found ORDER BY {ordered} LIMIT {scans.LIMIT}"
    return scans.planned(sql, who, given)


_PLANS: Final = "contracts AS c JOIN milestones AS m ON m.contract_id = c.id AND m.revision = c.revision"

_FOUND: Final = f"""(SELECT subject_id FROM titles WHERE words @@ {scans.WORDS} OFFSET 0) AS title
    CROSS JOIN LATERAL (SELECT * FROM milestones WHERE id = title.subject_id OFFSET 0) AS m
    CROSS JOIN LATERAL (SELECT * FROM contracts WHERE id = m.contract_id AND revision = m.revision OFFSET 0) AS c"""


def _sources(who: Viewed, given: frozenset[str]) -> list[tuple[str, list[str]]]:
    """What each scan reads, and which parties it wants, as conditions."""
    own = _FOUND if "words" in given else _PLANS
    sources = [(own, role) for role in _roles(who, given)]
    if not who.is_mediator:
        return sources
    parties = "(c.client_id, c.freelancer_id)"
    party = [f"{scans.PARTY} IN {parties}"] if "party" in given else []
    titled = scans.titled("m", "m.contract_id") if "words" in given else ""
    return [*sources, (f"{_PLANS} {titled}", ["c.was_disputed", f"{scans.ME} NOT IN {parties}", *party])]


def _roles(who: Viewed, given: frozenset[str]) -> list[list[str]]:
    """The parties of each scan of what somebody is a party of, as conditions."""
    if who.is_operator:
        return [[f"c.{role} = {scans.PARTY}"] for role in ROLES] if "party" in given else [[]]
    other = [scans.PARTY] if "party" in given else []
    return [
        [f"c.{role} = {scans.ME}", *(f"c.{the_other} = {one}" for one in other)]
        for role, the_other in zip(ROLES, reversed(ROLES), strict=True)
    ]


def _conditions(given: frozenset[str]) -> list[str]:
    found = []
    if "contract_id" in given:
        found.append(f"c.id = {scans.CONTRACT}")
    if "within" in given:
        found.append(f"c.id = ANY ({scans.WITHIN})")
    if "states" in given:
        found.append(f"m.state = ANY ({scans.STATES})")
    if "currency" in given:
        found.append(f"c.currency = {scans.CURRENCY}")
    return [*found, *within("m", bounds(given))]
