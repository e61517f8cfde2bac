"""Reads lists of contracts and milestones: the filters that narrow them, and pages in each order.

A cursor holds the place of its entry in one order, so it goes on right there whatever was added meanwhile; it is refused by
another order. `escrow.queries.scans` makes SQL of it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import strawberry
from graphql import GraphQLError

from escrow.database import Record
from escrow.queries import changes, contracts, milestones
from escrow.queries.contracts import ContractOrder
from escrow.queries.milestones import MilestoneOrder
from escrow.queries.ranges import Span
from escrow.queries.reading import Reading, itself
from escrow.queries.scans import Place
from escrow.states import ContractState, MilestoneState
from schema.compiled.declare import Selected
from schema.connections import Connection, Window, once, page
from schema.engine.context import Context
from schema.engine.fields import optional
from schema.scalars import CurrencyCode, Cursor, as_number, print_cursor, read_cursor
from schema.types.contracts import Contract, contract_rows
from schema.types.milestones import Milestone, milestone_rows

TITLE_MAX: Final = 200

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DIGITS_MAX: Final = 18

_PARTY: Final = "Only those whose other side is this account; for the operator, either side."
_UPDATED_FROM: Final = (
    "Only those that last changed at this moment or later, by the order of the log: whoever asks again and again, each time from "
    "the greatest `updatedAt` that they have, in the order LONGEST_UNCHANGED, misses nothing. What was written after that moment "
    "is listed also if it happened a little before."
)
_TITLE: Final = (
    "Only those whose title has, for each of these words, one that begins so: `web shop`. At most 200 characters."
)


@strawberry.input(description="Which contracts to list. What is null doesn't narrow.")
class ContractFilter:
    state: list[ContractState] | None = optional("Only those in one of these states.")
    party: strawberry.ID | None = strawberry.field(default=None, description=_PARTY)
    currency: CurrencyCode | None = optional("Only those in this currency.")
    title: str | None = strawberry.field(default=None, description=_TITLE)
    updated_from: datetime | None = strawberry.field(default=None, description=_UPDATED_FROM)
    updated_before: datetime | None = optional("Only those that last changed before this moment.")
    deadline_from: datetime | None = optional("Only those with a `nextDeadline` at this moment or later.")
    deadline_before: datetime | None = optional("Only those with a `nextDeadline` before this moment.")


@strawberry.input(description="Which milestones to list. What is null doesn't narrow.")
class MilestoneFilter:
    contract_id: strawberry.ID | None = optional("Only those of this contract.")
    state: list[MilestoneState] | None = optional("Only those in one of these states.")
    party: strawberry.ID | None = strawberry.field(default=None, description=_PARTY)
    currency: CurrencyCode | None = optional("Only those in this currency.")
    title: str | None = strawberry.field(default=None, description=_TITLE)
    due_from: date | None = optional("Only those that are due on this date or later.")
    due_before: date | None = optional("Only those whose due date lies before this date, in whatever state they are.")
    deadline_from: datetime | None = optional("Only those with a `nextDeadline` at this moment or later.")
    deadline_before: datetime | None = optional("Only those with a `nextDeadline` before this moment.")
    updated_from: datetime | None = strawberry.field(default=None, description=_UPDATED_FROM)
    updated_before: datetime | None = optional("Only those that last changed before this moment.")


async def contracts_listed(
    context: Context,
    wanted: ContractFilter,
    order: ContractOrder,
    window: Window,
    selected: Selected | None,
) -> Connection[Contract]:
    """A page of the contracts that the viewer may see; of rows, if what is selected may be answered by rows."""
    after = window.place
    rows = contract_rows(selected)
    updated = Span(wanted.updated_from, wanted.updated_before)
    key = contracts.ORDERS[order].since(updated).key
    by_id = key == "id"
    name = "contracts" if order is ContractOrder.NEWEST else _name(f"contracts {order}", key)
    start: Place | None = None
    if after is not None:
        start = (None, read_cursor(after, name)[0]) if by_id else _place(after, name, key)
    actor = context.known()
    asked: dict[str, Any] = {
        "states": wanted.state,
        "order": order,
        "party": wanted.party,
        "currency": wanted.currency,
        "title": _title(wanted.title),
        "updated": updated,
        "deadline": Span(wanted.deadline_from, wanted.deadline_before),
    }
    reading = rows or Reading(contracts.VIEWS.columns, itself)
    found = await contracts.contracts_page(
        actor, limit=window.size + 1, after=start, reading=reading, backwards=window.backwards, **asked
    )
    total = once(lambda: contracts.contracts_counted(actor, **asked))

    def place(index: int) -> Cursor:
        row = found[index]
        return print_cursor(name, row["id"]) if by_id else _cursor(name, key, row)

    nodes = found if rows is not None else [Contract.of_row(row) for row in found]
    return page(nodes, place, window, total)


async def milestones_listed(
    context: Context,
    wanted: MilestoneFilter,
    order: MilestoneOrder,
    window: Window,
    selected: Selected | None,
) -> Connection[Milestone]:
    """A page of the milestones of current plans that the viewer may see; of rows, if what is selected may be answered by rows."""
    after = window.place
    rows = milestone_rows(selected)
    updated = Span(wanted.updated_from, wanted.updated_before)
    in_plans = order is MilestoneOrder.PLAN
    key = "position" if in_plans else milestones.ORDERS[order].since(updated).key
    name = "milestones" if in_plans else _name(f"milestones {order}", key)
    start: Place | None = None
    if after is not None and in_plans:
        contract_id, position = read_cursor(after, name, 2)
        start = (as_number(position), contract_id)
    elif after is not None:
        start = _place(after, name, key)
    actor = context.known()
    asked: dict[str, Any] = {
        "contract_id": wanted.contract_id,
        "states": wanted.state,
        "order": order,
        "party": wanted.party,
        "currency": wanted.currency,
        "title": _title(wanted.title),
        "due": Span(wanted.due_from, wanted.due_before),
        "deadline": Span(wanted.deadline_from, wanted.deadline_before),
        "updated": updated,
    }
    reading = rows or Reading(milestones.VIEWS.columns, itself)
    found = await milestones.milestones_page(
        actor, limit=window.size + 1, after=start, reading=reading, backwards=window.backwards, **asked
    )
    total = once(lambda: milestones.milestones_counted(actor, **asked))

    def place(index: int) -> Cursor:
        row = found[index]
        if in_plans:
            return print_cursor(name, row["contract_id"], row["position"])
        return _cursor(name, key, row)

    nodes = found if rows is not None else [Milestone.of_row(row) for row in found]
    return page(nodes, place, window, total)


def _title(said: str | None) -> str | None:
    if said is not None and (len(said) > TITLE_MAX or "\0" in said):
        raise GraphQLError(
            f"The words of a title have at most {TITLE_MAX} characters, none of them U+0000.",
            extensions={"code": "BAD_REQUEST", "field": "filter.title"},
        )
    return said


def _name(order: str, key: str) -> str:
    """What cursors call an order; places in the log and moments are not each other's."""
    return f"{order} {key}" if key == changes.PLACE else order


def _cursor(name: str, key: str, row: Record) -> Cursor:
    """The cursor of a row in an order by a date, a moment or a place in the log, which every row of such a list has."""
    value = row[key]
    if value is None:
        raise ValueError(f"{row['id']} is listed by a {key} that it doesn't have")
    if isinstance(value, datetime):
        return print_cursor(name, (value - _EPOCH) // _MICROSECOND, row["id"])
    return print_cursor(name, value.toordinal() if isinstance(value, date) else value, row["id"])


def _place(after: Cursor, name: str, key: str) -> Place:
    """The place that a cursor of this order holds; `GraphQLError` for a foreign one."""
    value, identifier = read_cursor(after, name, 2)
    if key == "due_on":
        return date.fromordinal(min(max(as_number(value), 1), date.max.toordinal())), identifier
    number = as_number(value, digits_max=_DIGITS_MAX)
    return number if key == changes.PLACE else _EPOCH + min(number, _LATEST) * _MICROSECOND, identifier


_LATEST: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND
