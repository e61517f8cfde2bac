"""The types of change requests: what one side asks the other to agree to, with the plan before and after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

import strawberry

from escrow.access import Side
from escrow.agreement import state as domain
from escrow.agreement import state as objects
from escrow.agreement.decisions.change_requests import Misfit
from escrow.agreement.state import ChangeKind
from escrow.queries import views
from escrow.queries.change_requests import CHANGE_REQUESTS
from escrow.rules import Subject
from escrow.states import ChangeRequestState, MilestoneState
from schema.connections import Connection, Window
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read
from schema.types.common import Money, Node, money_of
from schema.types.paging import pages_of
from schema.types.standing import AllowedAction, Refusal, standing_of


@strawberry.type(description="One operation of a change request. What is null stays as it is.")
class ChangeOperation:
    kind: ChangeKind = strawberry.field(description="What it does.")
    milestone_id: strawberry.ID = strawberry.field(
        description="The milestone that it is about; for ADD the one that it would make."
    )
    position: int | None = strawberry.field(
        description="The place in the plan, from 1; null puts a new one at the end."
    )
    amount: Money | None = strawberry.field(description="The price.")
    due_on: date | None = strawberry.field(description="The due date.")
    title: str | None = strawberry.field(description="The title; null if it stays, or was erased.")
    purpose: str | None = strawberry.field(description="The purpose; null if it stays, or was erased.")
    deliverables: list[str] | None = strawberry.field(
        description="The deliverables; null if they stay, or were erased."
    )

    @classmethod
    def of(cls, change: objects.PlanChange, words: objects.ChangeWords) -> ChangeOperation:
        amount = change.amount
        return cls(
            kind=change.kind,
            milestone_id=strawberry.ID(change.milestone_id),
            position=change.position,
            amount=money_of(amount.minor, amount.currency) if amount is not None else None,
            due_on=change.due_on,
            title=words.title,
            purpose=words.purpose,
            deliverables=list(words.deliverables) if words.deliverables is not None else None,
        )


@strawberry.type(description="A milestone as it stands in a plan, before or after a change request.")
class PlannedMilestone:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone.")
    position: int = strawberry.field(description="Its place in the plan, from 1.")
    state: MilestoneState = strawberry.field(description="Where it stands.")
    title: str = strawberry.field(description="What it is called.")
    purpose: str = strawberry.field(description="What it is for.")
    deliverables: list[str] = strawberry.field(description="What will be delivered.")
    due_on: date = strawberry.field(description="When it is due.")
    amount: Money = strawberry.field(description="Its price.")

    @classmethod
    def of(cls, milestone: domain.Milestone, currency: str) -> PlannedMilestone:
        return cls(
            milestone_id=strawberry.ID(milestone.id),
            position=milestone.position,
            state=milestone.state,
            title=milestone.title,
            purpose=milestone.purpose,
            deliverables=list(milestone.deliverables),
            due_on=milestone.due_on,
            amount=money_of(milestone.amount_minor, currency),
        )


@strawberry.type(description="Why a change request no longer fits the plan.")
class ChangeMisfit:
    change_number: int = strawberry.field(description="The operation that doesn't fit, from 1.")
    reason: Refusal = strawberry.field(description="Why not.")

    @classmethod
    def of(cls, misfit: Misfit) -> ChangeMisfit:
        return cls(change_number=misfit.operation + 1, reason=Refusal.of(misfit.refusal))


@strawberry.type(
    description="An ordered list of operations on the plan that one side asks the other to accept: all of them, or none."
)
class ChangeRequest(Node):
    whole: strawberry.Private[objects.ChangeRequest]
    """As the domain knows it."""

    currency: strawberry.Private[str]
    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    filed_by: Side = strawberry.field(description="The side that filed it.")
    state: ChangeRequestState = strawberry.field(description="Where it stands.")
    changes: list[ChangeOperation] = strawberry.field(description="Its operations, in order.")
    message: str = strawberry.field(description="Why it was filed.")
    filed_at: datetime = strawberry.field(description="When it was filed.")
    plan_version: int = strawberry.field(description="The version of the plan that it was written for.")

    @read("The plan as it is now, if the request is OPEN.")
    async def plan_before(self, info: Info) -> list[PlannedMilestone] | None:
        return await self._plan(info.context, "before")

    @read("The plan as it would be, if the request is OPEN and fits; null otherwise.")
    async def plan_after(self, info: Info) -> list[PlannedMilestone] | None:
        return await self._plan(info.context, "after")

    @read("Which operation no longer fits the plan, and why; null if all do, or if it is not OPEN.")
    async def misfit(self, info: Info) -> ChangeMisfit | None:
        found = (await standing_of(self.contract_id, info.context)).comparison(self.id)
        return ChangeMisfit.of(found.misfit) if found is not None and found.misfit is not None else None

    @read("What the viewer may do with it now, and why not the rest.")
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.contract_id, info.context)).allowed_on_object(Subject.CHANGE_REQUEST, self.whole)

    async def _plan(self, context: Context, when: Literal["before", "after"]) -> list[PlannedMilestone] | None:
        found = (await standing_of(self.contract_id, context)).comparison(self.id)
        plan: tuple[domain.Milestone, ...] | None = getattr(found, when) if found is not None else None
        if plan is None:
            return None
        await context.afford(len(plan))
        return [PlannedMilestone.of(one, self.currency) for one in plan]

    @classmethod
    def of(cls, request: objects.ChangeRequest, *, contract_id: str, currency: str) -> ChangeRequest:
        words = request.words or (objects.ChangeWords(),) * len(request.changes)
        return cls(
            whole=request,
            currency=currency,
            id=strawberry.ID(request.id),
            contract_id=strawberry.ID(contract_id),
            filed_by=request.filed_by,
            state=request.state,
            changes=[ChangeOperation.of(change, said) for change, said in zip(request.changes, words, strict=True)],
            message=request.message,
            filed_at=request.filed_at,
            plan_version=request.plan_version,
        )

    @classmethod
    def of_view(cls, view: views.View[objects.ChangeRequest]) -> ChangeRequest:
        return cls.of(view.whole, contract_id=view.contract_id, currency=view.currency)


@data_loader
async def change_request_of(request_ids: Sequence[str], context: Context) -> list[ChangeRequest | None]:
    """Change requests by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await CHANGE_REQUESTS.by_id(context.known(), request_ids)
    return [ChangeRequest.of_view(found[one]) if one in found else None for one in request_ids]


@data_loader
async def change_requests_of(
    contract_ids: Sequence[str], _: Context, window: Window
) -> list[Connection[ChangeRequest]]:
    """A page of the change requests of each contract: one statement for all that are asked for."""
    return await pages_of(
        CHANGE_REQUESTS,
        ChangeRequest.of_view,
        contract_ids,
        "contract_id",
        order="changeRequests",
        window=window,
    )
