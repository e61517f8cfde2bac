"""Milestones: the steps of a plan, each with its money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from escrow.agreement import state as domain
from escrow.lifecycle import MilestoneState
from escrow.queries import milestones
from schema.batching import batched
from schema.connections import After, Connection, First
from schema.context import Context, Info
from schema.fields import read
from schema.types.common import Money, Node, as_id, money_of
from schema.types.money import Deposit, deposit_of
from schema.types.reference import ExternalReference, references_listed
from schema.types.standing import AllowedAction, Deadline, standing_of
from schema.types.work import Submission, submissions_of

if TYPE_CHECKING:
    from schema.types.contract import Contract


@strawberry.type(description="One step of a contract's plan. Amounts are gross; fees stand apart.")
class Milestone(Node):
    whole: strawberry.Private[domain.Milestone]
    """As the domain knows it."""

    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    revision: int = strawberry.field(description="The revision of the contract that it belongs to.")
    position: int = strawberry.field(description="Its place in the order of the plan, from 1; closed ones count.")
    state: MilestoneState = strawberry.field(description="Where it and its money stand.")
    title: str = strawberry.field(description="What it is called.")
    purpose: str = strawberry.field(description="What it is for.")
    deliverables: list[str] = strawberry.field(description="What will be delivered.")
    due_on: date = strawberry.field(
        description="When it is due: a calendar date in the contract's time zone. It never moves money."
    )
    amount: Money = strawberry.field(description="Its price.")
    held: Money = strawberry.field(description="What escrow holds for it, without the client's fee.")
    client_fee_held: Money = strawberry.field(description="The client's fee that lies beside it.")
    released: Money = strawberry.field(description="What went to the freelancer, the freelancer's fee included.")
    refunded: Money = strawberry.field(description="What went back to the client.")
    freelancer_fee: Money = strawberry.field(description="The freelancer's fee that was taken from what was released.")
    client_fee: Money = strawberry.field(description="The client's fee that was earned with what was released.")
    submission_count: int = strawberry.field(description="How often work was handed in.")
    review_due_at: datetime | None = strawberry.field(
        description="When the work counts as approved if the client stays silent; null unless it is SUBMITTED."
    )
    deposit_id: strawberry.ID | None = strawberry.field(
        description="The deposit that is on its way to it, or that funded it."
    )
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @read("The contract that it belongs to.")
    async def contract(self, info: Info) -> Annotated[Contract, strawberry.lazy("schema.types.contract")]:
        from schema.types.contract import contract_of

        return await contract_of(self.contract_id, info.context)

    @read("The deposit that is on its way to it, or that funded it.")
    async def deposit(self, info: Info) -> Deposit | None:
        return await deposit_of(self.deposit_id, info.context) if self.deposit_id is not None else None

    @read("The work that was handed in for it, in order.")
    async def submissions(self, info: Info, first: First = 50, after: After = None) -> Connection[Submission]:
        return await submissions_of(self.id, info.context, first, after)

    @read("What happens to it by itself if nobody acts; null if no clock runs.")
    async def next_deadline(self, info: Info) -> Deadline | None:
        return (await standing_of(self.contract_id, info.context)).next_deadline(self.id)

    @read("What the viewer may do with it now, and why not the rest.")
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.contract_id, info.context)).allowed_on(self.whole)

    @read("What the viewer's account calls it in its own systems, by system.")
    async def external_references(self, info: Info) -> list[ExternalReference]:
        return await references_listed(self.id, info.context)

    @classmethod
    def of(cls, milestone: domain.Milestone, *, contract_id: str, currency: str) -> Milestone:
        return cls(
            whole=milestone,
            id=strawberry.ID(milestone.id),
            contract_id=strawberry.ID(contract_id),
            revision=milestone.revision,
            position=milestone.position,
            state=milestone.state,
            title=milestone.title,
            purpose=milestone.purpose,
            deliverables=list(milestone.deliverables),
            due_on=milestone.due_on,
            amount=money_of(milestone.amount_minor, currency),
            held=money_of(milestone.held_minor, currency),
            client_fee_held=money_of(milestone.held_fee_minor, currency),
            released=money_of(milestone.released_minor, currency),
            refunded=money_of(milestone.refunded_minor, currency),
            freelancer_fee=money_of(milestone.freelancer_fee_minor, currency),
            client_fee=money_of(milestone.client_fee_minor, currency),
            submission_count=milestone.submissions,
            review_due_at=milestone.review_due_at,
            deposit_id=as_id(milestone.deposit_id),
            updated_at=milestone.updated_at,  # type: ignore[arg-type] # every stored milestone has it
        )

    @classmethod
    def of_view(cls, view: milestones.MilestoneView) -> Milestone:
        return cls.of(view.milestone, contract_id=view.contract_id, currency=view.currency)


@batched
async def milestone_found(milestone_ids: Sequence[str], context: Context) -> list[Milestone | None]:
    """Milestones by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await milestones.milestones_by_id(context.known(), milestone_ids)
    return [Milestone.of_view(found[one]) if one in found else None for one in milestone_ids]


@batched
async def plan_of(contract_ids: Sequence[str], _: Context) -> list[tuple[domain.Milestone, ...]]:
    """The current plans of contracts: one statement for all that are asked for."""
    found = await milestones.milestones_of(contract_ids)
    return [found.get(contract_id, ()) for contract_id in contract_ids]
