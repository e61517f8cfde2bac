"""The plans of contracts, for the three fields that tell of them: rows that are read once for all three where that is enough."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import strawberry

from escrow.access import Scope
from escrow.agreement import state as domain
from escrow.aside import LONG_MILESTONES, aside_if
from escrow.database import Record
from escrow.queries.contracts import PLAN, JoinedRow
from escrow.states import CLOSED, MilestoneState
from schema.compiled.declare import Selected
from schema.engine.context import Context
from schema.types.common import Money, money_of
from schema.types.milestones import Milestone, plan_of, plan_rows_of

if TYPE_CHECKING:
    from schema.types.contracts import Contract

Row: TypeAlias = Record | JoinedRow
ROWS: Final = (Record, JoinedRow)
"""What may stand for a contract."""

_ASKED: Final = {"currentMilestone": frozenset({"state"}), "progress": frozenset({"state", "amount", "released"})}
"""What the other fields than the plan itself ask of each milestone."""


@strawberry.type(description="How far a contract has come. Cancelled milestones are not counted as part of it.")
class Progress:
    total: int = strawberry.field(description="Milestones of the current plan, cancelled ones left out.")
    closed: int = strawberry.field(description="Of these, how many are closed.")
    released: int = strawberry.field(description="Of these, how many were released to the freelancer.")
    cancelled: int = strawberry.field(description="Milestones that were cancelled or removed.")
    amount: Money = strawberry.field(description="The sum of the prices of the plan, cancelled milestones left out.")
    amount_released: Money = strawberry.field(description="What of it was released to the freelancer, fees included.")

    @classmethod
    def of(cls, plan: Sequence[domain.Milestone], currency: str) -> Progress:
        return cls._of([(one.state, one.amount_minor, one.released_minor) for one in plan], currency)

    @classmethod
    def of_rows(cls, plan: Sequence[Record], currency: str) -> Progress:
        return cls._of([(one["state"], one["amount_minor"], one["released_minor"]) for one in plan], currency)

    @classmethod
    def _of(cls, plan: Sequence[tuple[str, int, int]], currency: str) -> Progress:
        counted = [one for one in plan if one[0] != MilestoneState.CANCELLED]
        return cls(
            total=len(counted),
            closed=sum(state in CLOSED for state, _, _ in counted),
            released=sum(state == MilestoneState.RELEASED for state, _, _ in counted),
            cancelled=len(plan) - len(counted),
            amount=money_of(sum(amount for _, amount, _ in counted), currency),
            amount_released=money_of(sum(released for _, _, released in counted), currency),
        )


@lru_cache(maxsize=256)
def plan_selected(of: Selected) -> Selected | None:
    """What is to be read of each milestone for all that is selected of contracts; `None` if that is nothing, or if whole
    milestones are needed: then one statement reads them for all."""
    fields: set[str] = set()
    names = of.fields & {"milestones", *_ASKED}
    for name in names:
        below = of.below_field(name)
        if below is None and name != "progress":
            return None
        fields |= (below.fields if below is not None else frozenset()) | _ASKED.get(name, frozenset())
    return Selected("Milestone", frozenset(fields)) if names else None


def joined(parents: Sequence[Contract | Row], place: object) -> list[list[Record]]:
    """The rows that came with those of the contracts with which just these came."""
    return [one.joined for one in parents if isinstance(one, JoinedRow) and one.place == place]


async def plans_listed(
    parents: Sequence[Contract | Row], context: Context, *, selected: Selected | None, beside: Selected, alone: bool
) -> Sequence[Any]:
    """The plans of these contracts, which count together."""
    found: Sequence[Any] | None = await _rows(parents, context, beside) if selected is not None else None
    if found is None:
        found = await asyncio.gather(*(_shown_plan(one, context) for one in parents))
    return await context.afford_all(found, alone=alone)


async def current_milestones(
    parents: Sequence[Contract | Row], context: Context, *, selected: Selected | None, beside: Selected
) -> Sequence[Any]:
    """The first milestone of each contract that is not closed."""
    rows = await _rows(parents, context, beside) if selected is not None else None
    if rows is not None:
        return [next((one for one in plan if one["state"] not in CLOSED), None) for plan in rows]
    plans = await asyncio.gather(*(_plan(one, context) for one in parents))
    return [current_of(one, plan) for one, plan in zip(parents, plans, strict=True)]


async def progress_made(parents: Sequence[Contract | Row], context: Context, *, beside: Selected) -> Sequence[Progress]:
    """How far each contract has come."""
    currencies = [one["currency"] if isinstance(one, ROWS) else one.currency for one in parents]
    rows = await _rows(parents, context, beside)
    if rows is not None:
        return [Progress.of_rows(plan, currency) for plan, currency in zip(rows, currencies, strict=True)]
    plans = await asyncio.gather(*(_plan(one, context) for one in parents))
    return [Progress.of(plan, currency) for plan, currency in zip(plans, currencies, strict=True)]


async def _rows(
    parents: Sequence[Contract | Row], context: Context, beside: Selected
) -> Sequence[Sequence[Record]] | None:
    """The plans as rows with all that is asked of them; `None` where something needs whole milestones, or contracts."""
    planned = joined(parents, PLAN)
    if len(planned) == len(parents):
        context.reader(Scope.CONTRACTS_READ)
        return planned
    selected = plan_selected(beside)
    ids = [one["id"] for one in parents if isinstance(one, ROWS)]
    if selected is None or len(ids) < len(parents):
        return None
    context.reader(Scope.CONTRACTS_READ)
    return await plan_rows_of.all(ids, context, selected)


async def _plan(contract: Contract | Row, context: Context) -> Sequence[domain.Milestone]:
    if not isinstance(contract, ROWS):
        return await contract.whole_plan(context)
    context.reader(Scope.CONTRACTS_READ)
    return await plan_of(contract["id"], context)


def current_of(contract: Contract | Row, plan: Iterable[domain.Milestone]) -> Milestone | None:
    """The first milestone of a contract's plan that is not closed."""
    contract_id, currency = (
        (contract["id"], contract["currency"]) if isinstance(contract, ROWS) else (contract.id, contract.currency)
    )
    for one in plan:
        if not one.is_closed:
            return Milestone.of(one, contract_id=contract_id, currency=currency)
    return None


async def _shown_plan(contract: Contract | Row, context: Context) -> list[Milestone]:
    if not isinstance(contract, ROWS):
        return await contract.shown_plan(context)
    return await milestones_made(await _plan(contract, context), contract["id"], contract["currency"], context)


async def milestones_made(
    plan: Sequence[domain.Milestone], contract_id: str, currency: str, context: Context
) -> list[Milestone]:
    """The milestones of a contract, ready to read."""
    return await aside_if(
        len(plan) > LONG_MILESTONES,
        lambda: [Milestone.of(one, contract_id=contract_id, currency=currency) for one in plan],
        owner=context.owner,
    )
