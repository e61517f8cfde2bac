"""Reads lists of contracts and milestones: the filters that narrow them, and pages in each order.

A cursor holds the place of its entry in one order, so it goes on right there whatever was added meanwhile; it is refused by
another order. `escrow.queries.scans` makes SQL of it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

import strawberry
from graphql import GraphQLError

from escrow.queries import contracts, milestones
from escrow.queries.contracts import ContractOrder
from escrow.queries.milestones import MilestoneOrder
from escrow.queries.reading import Reading, itself
from escrow.queries.scans import Place, Span
from escrow.states import ContractState, MilestoneState
from schema.compiled.declare import Selected
from schema.connections import Connection, page, page_size
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
_TITLE: Final = (
    "Only those whose title has, for each of these words, one that begins so: `web shop`. At most 200 characters."
)


@strawberry.input(description="Which contracts to list. What is null doesn't narrow.")
class ContractFilter:
    state: list[ContractState] | None = optional("Only those in one of these states.")
    party: strawberry.ID | None = strawberry.field(default=None, description=_PARTY)
    currency: CurrencyCode | None = optional("Only those in this currency.")
    title: str | None = strawberry.field(default=None, description=_TITLE)
    updated_from: datetime | None = optional("Only those that last changed at this moment or later.")
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
    updated_from: datetime | None = optional("Only those that last changed at this moment or later.")
    updated_before: datetime | None = optional("Only those that last changed before this moment.")


async def contracts_listed(
    context: Context,
    wanted: ContractFilter,
    order: ContractOrder,
    first: int,
    after: Cursor | None,
    selected: Selected | None,
) -> Connection[Contract]:
    """A page of the contracts that the viewer may see; of rows, if what is selected may be answered by rows."""
    size = page_size(first)
    rows = contract_rows(selected)
    key = contracts.ORDERS[order].key
    by_id = key == "id"
    name = "contracts" if order is ContractOrder.NEWEST else f"contracts {order}"
    start: Place | None = None
    if after is not None:
        start = (None, read_cursor(after, name)[0]) if by_id else _place(after, name)
    found = await contracts.contracts_page(
        context.known(),
        states=wanted.state,
        limit=size + 1,
        after=start,
        order=order,
        party=wanted.party,
        currency=wanted.currency,
        title=_title(wanted.title),
        updated=Span(wanted.updated_from, wanted.updated_before),
        deadline=Span(wanted.deadline_from, wanted.deadline_before),
        reading=rows or Reading(contracts.VIEWS.columns, itself),
    )

    def place(index: int) -> Cursor:
        row = found[index]
        return print_cursor(name, row["id"]) if by_id else _cursor(name, row[key], row["id"])

    return page(found if rows is not None else [Contract.of_row(row) for row in found], place, first=size, after=after)


async def milestones_listed(
    context: Context,
    wanted: MilestoneFilter,
    order: MilestoneOrder,
    first: int,
    after: Cursor | None,
    selected: Selected | None,
) -> Connection[Milestone]:
    """A page of the milestones of current plans that the viewer may see; of rows, if what is selected may be answered by rows."""
    size = page_size(first)
    rows = milestone_rows(selected)
    in_plans, by_date = order is MilestoneOrder.PLAN, order in (MilestoneOrder.DUE, MilestoneOrder.DUE_LAST)
    name = "milestones" if in_plans else f"milestones {order}"
    start: Place | None = None
    if after is not None and in_plans:
        contract_id, position = read_cursor(after, name, 2)
        start = (as_number(position), contract_id)
    elif after is not None:
        start = _place(after, name, dates=by_date)
    found = await milestones.milestones_page(
        context.known(),
        contract_id=wanted.contract_id,
        states=wanted.state,
        limit=size + 1,
        after=start,
        order=order,
        party=wanted.party,
        currency=wanted.currency,
        title=_title(wanted.title),
        due=Span(wanted.due_from, wanted.due_before),
        deadline=Span(wanted.deadline_from, wanted.deadline_before),
        updated=Span(wanted.updated_from, wanted.updated_before),
        reading=rows or Reading(milestones.VIEWS.columns, itself),
    )

    def place(index: int) -> Cursor:
        row = found[index]
        if in_plans:
            return print_cursor(name, row["contract_id"], row["position"])
        value = row[milestones.ORDERS[order].key]
        return print_cursor(name, value.toordinal(), row["id"]) if by_date else _cursor(name, value, row["id"])

    return page(found if rows is not None else [Milestone.of_row(row) for row in found], place, first=size, after=after)


def _title(said: str | None) -> str | None:
    if said is not None and (len(said) > TITLE_MAX or "\0" in said):
        raise GraphQLError(
            f"The words of a title have at most {TITLE_MAX} characters, none of them U+0000.",
            extensions={"code": "BAD_REQUEST", "field": "filter.title"},
        )
    return said


def _cursor(name: str, at: datetime | None, identifier: str) -> Cursor:
    """The cursor of a row in an order by a moment, which every row of such a list has."""
    if at is None:
        raise ValueError(f"{identifier} is listed by a moment that it doesn't have")
    return print_cursor(name, (at - _EPOCH) // _MICROSECOND, identifier)


def _place(after: Cursor, name: str, *, dates: bool = False) -> Place:
    """The place that a cursor of this order holds; `GraphQLError` for a foreign one."""
    value, identifier = read_cursor(after, name, 2)
    if dates:
        return date.fromordinal(min(max(as_number(value), 1), date.max.toordinal())), identifier
    number = as_number(value, digits_max=_DIGITS_MAX)
    return _EPOCH + min(number, _LATEST) * _MICROSECOND, identifier


_LATEST: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND
