"""Reads milestones as an actor may see them: one by one, the plans of contracts, and pages in several orders."""

# ruff: noqa: S608 - only our own columns, conditions and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from escrow import database, ids, titles
from escrow.access import Actor, ActorKind
from escrow.agreement.state import Milestone
from escrow.database import Record
from escrow.ids import Kind
from escrow.queries.scans import EVERYTHING, ROLES, Arguments, Filter, Listed, Order, Place, Span, statement
from escrow.queries.views import CURRENCY, Objects, selected
from escrow.states import MilestoneState
from escrow.store.tables import MILESTONES

_MILESTONE: Final = MILESTONES.select("m")


@dataclass(frozen=True, slots=True)
class MilestoneView:
    """A milestone, and of its contract what its answer needs."""

    milestone: Milestone
    contract_id: str
    currency: str
    deadline_at: datetime | None = None
    """In a list: when the first clock that it waits for ends."""


async def milestones_of(contract_ids: Collection[str]) -> dict[str, tuple[Milestone, ...]]:
    """The current plan of each of these contracts, in order of position; one statement."""
    rows = await database.fetch(
        f"""
        SELECT {_MILESTONE}
        FROM contracts c JOIN milestones m ON m.contract_id = c.id AND m.revision = c.revision
        WHERE c.id = ANY($1::text[]) ORDER BY m.contract_id, m.position
        """,
        sorted(set(contract_ids)),
    )
    found: dict[str, list[Milestone]] = {}
    for row in rows:
        found.setdefault(row["contract_id"], []).append(MILESTONES.read(row))
    return {contract_id: tuple(milestones) for contract_id, milestones in found.items()}


async def milestones_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, MilestoneView]:
    """Those of the milestones, of any revision, that exist and that the actor may see, by identifier; one statement."""
    return await _MILESTONES.by_id(actor, identifiers)


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
    f"{_MILESTONE}, c.currency, m.deadline_at",
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
) -> list[MilestoneView]:
    """At most `limit` milestones of current plans that the actor may see, those after a place in the order; one statement.

    In the order of plans those of the newest contract come first, in each by position; a place is the position and the
    contract then. `due` is about the date that the parties agreed on, `deadline` about the clock that runs on it; the rest is
    as with contracts.
    """
    if contract_id is not None and not ids.is_a(Kind.CONTRACT, contract_id):
        return []
    wanted = Filter(
        contract_id=contract_id,
        states=[state.value for state in states] if states is not None else None,
        party=party,
        currency=currency,
        title=title,
        spans={"due_on": due, "deadline_at": deadline, "updated_at": updated},
    )
    if order is MilestoneOrder.PLAN:
        sql, arguments = _in_plans(actor, wanted, limit=limit, after=after)
    else:
        sql, arguments = statement(_LISTED, actor, wanted, ORDERS[order], limit=limit, after=after)
    return [_view(row, row["deadline_at"]) for row in await database.fetch(sql, *arguments)]


def _in_plans(actor: Actor, wanted: Filter, *, limit: int, after: Place | None) -> tuple[str, list[object]]:
    """The page in the order of plans: contracts are walked from the newest, and the milestones of each by position."""
    arguments = Arguments()
    count = arguments.add(limit, "int")
    conditions = _conditions(actor, wanted, arguments)
    if after is not None:
        position, contract = arguments.add(after[0], "int"), arguments.add(after[1], "text")
        # The first half lets the scan of contracts start at the right place.
        conditions.append(f"c.id <= {contract} AND (c.id < {contract} OR m.position > {position})")
    source = "contracts AS c JOIN milestones AS m ON m.contract_id = c.id AND m.revision = c.revision"
    if wanted.title is not None:
        owner = "" if actor.kind is ActorKind.OPERATOR else actor.account_id or ""
        said = f"{arguments.add(titles.tsquery('mil', owner, wanted.title), 'text')}::tsquery"
        source = f"""(SELECT subject_id FROM titles WHERE words @@ {said} OFFSET 0) AS title
            CROSS JOIN LATERAL (SELECT * FROM milestones WHERE id = title.subject_id OFFSET 0) AS m
            CROSS JOIN LATERAL (
                SELECT * FROM contracts WHERE id = m.contract_id AND revision = m.revision OFFSET 0) AS c"""
    scans = " UNION ALL ".join(
        f"""(SELECT {_MILESTONE}, c.currency, m.deadline_at FROM {source}
            WHERE {" AND ".join([*conditions, *role]) or "true"} ORDER BY c.id DESC, m.position LIMIT {count})"""
        for role in _roles(actor, wanted.party, arguments)
    )
    return f"SELECT * FROM ({scans}) AS found ORDER BY contract_id DESC, position LIMIT {count}", arguments.values


def _roles(actor: Actor, party: str | None, arguments: Arguments) -> list[list[str]]:
    """The parties of each scan, as conditions."""
    if actor.kind is ActorKind.OPERATOR:
        return [[f"c.{role} = {arguments.add(party, 'text')}"] for role in ROLES] if party is not None else [[]]
    me = arguments.add(actor.account_id, "text")
    other = [arguments.add(party, "text")] if party is not None else []
    own = [
        [f"c.{role} = {me}", *(f"c.{the_other} = {one}" for one in other)]
        for role, the_other in zip(ROLES, reversed(ROLES), strict=True)
    ]
    if not actor.is_mediator:
        return own
    parties = "(c.client_id, c.freelancer_id)"
    return [*own, ["c.was_disputed", f"{me} NOT IN {parties}", *(f"{one} IN {parties}" for one in other)]]


def _conditions(actor: Actor, wanted: Filter, arguments: Arguments) -> list[str]:
    found = []
    if wanted.contract_id is not None:
        found.append(f"c.id = {arguments.add(wanted.contract_id, 'text')}")
    if actor.contract_ids is not None:
        found.append(f"c.id = ANY ({arguments.add(sorted(actor.contract_ids), 'text[]')})")
    if wanted.states is not None:
        found.append(f"m.state = ANY ({arguments.add(sorted(wanted.states), 'text[]')})")
    if wanted.currency is not None:
        found.append(f"c.currency = {arguments.add(wanted.currency, 'text')}")
    for column, span in wanted.spans.items():
        of_type = "date" if column == "due_on" else "timestamptz"
        for bound, sign in ((span.start, ">="), (span.before, "<")):
            if bound is not None:
                found.append(f"m.{column} {sign} {arguments.add(bound, of_type)}")
    return found


def _view(row: Record, deadline_at: datetime | None = None) -> MilestoneView:
    return MilestoneView(MILESTONES.read(row), row["contract_id"], row["currency"], deadline_at)


_MILESTONES: Final = Objects(select=selected(MILESTONES, CURRENCY), read=_view, kind=Kind.MILESTONE)
