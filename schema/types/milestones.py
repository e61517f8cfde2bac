"""The type of milestones: the steps of a plan, each with its money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from escrow.agreement import state as domain
from escrow.queries import milestones
from escrow.states import Hold, MilestoneState
from schema.connections import After, Connection, First
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read
from schema.types.common import Money, Node, as_id, money_of
from schema.types.deadlines import Deadline
from schema.types.deposits import Deposit, deposit_of
from schema.types.disputes import Dispute, disputes_of
from schema.types.references import ExternalReference, references_listed
from schema.types.refunds import RefundRequest, refund_requests_of
from schema.types.standing import AllowedAction, standing_of
from schema.types.updates import Update, milestone_updates_of
from schema.types.work import Submission, submissions_of

if TYPE_CHECKING:
    from schema.types.contracts import Contract


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
        description=(
            "When the work counts as approved if the client stays silent; null unless it is SUBMITTED. While it is on hold or "
            "frozen the clock stands still: what was left of it runs on afterwards, at least 48 hours."
        )
    )
    deposit_id: strawberry.ID | None = strawberry.field(
        description="The deposit that is on its way to it, or that funded it."
    )
    hold: Hold = strawberry.field(description="What freezes its clock and every ordinary command.")
    hold_id: strawberry.ID | None = strawberry.field(
        description="The refund request or the dispute that holds it; null if nothing does."
    )
    frozen_at: datetime | None = strawberry.field(
        description="Since when nothing of its money moves, because the provider took back a deposit that it holds; else null."
    )
    client_barred_until: datetime | None = strawberry.field(
        description="Until when the client may start no hold on it, because one that it started ended; it may be past."
    )
    freelancer_barred_until: datetime | None = strawberry.field(
        description="Until when the freelancer may start no hold on it, because one that it started ended; it may be past."
    )
    rolled_forward: Money = strawberry.field(
        description="What a smaller approval left over and the next milestone received."
    )
    lost: Money = strawberry.field(description="What was held for it when the provider took the deposit back for good.")
    bonus_paid: Money = strawberry.field(description="What was paid as a bonus, on top of its price.")
    bonus_deposit_id: strawberry.ID | None = strawberry.field(
        description="The bonus that is on its way or was paid; null if there is none."
    )
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @read("The contract that it belongs to.")
    async def contract(self, info: Info) -> Annotated[Contract, strawberry.lazy("schema.types.contracts")]:
        from schema.types.contracts import contract_of

        return await contract_of(self.contract_id, info.context)

    @read("The deposit that is on its way to it, or that funded it.")
    async def deposit(self, info: Info) -> Deposit | None:
        return await deposit_of(self.deposit_id, info.context) if self.deposit_id is not None else None

    @read("The work that was handed in for it, in order.")
    async def submissions(self, info: Info, first: First = 50, after: After = None) -> Connection[Submission]:
        return await submissions_of(self.id, info.context, first, after)

    @read("The bonus that is on its way or was paid; null if there is none.")
    async def bonus(self, info: Info) -> Deposit | None:
        return await deposit_of(self.bonus_deposit_id, info.context) if self.bonus_deposit_id is not None else None

    @read("The refund requests on it, oldest first.")
    async def refund_requests(self, info: Info, first: First = 50, after: After = None) -> Connection[RefundRequest]:
        return await refund_requests_of(self.id, info.context, "milestone_id", first, after)

    @read("The disputes about it, oldest first.")
    async def disputes(self, info: Info, first: First = 50, after: After = None) -> Connection[Dispute]:
        return await disputes_of(self.id, info.context, "milestone_id", first, after)

    @read("The progress updates on it, oldest first.")
    async def updates(self, info: Info, first: First = 50, after: After = None) -> Connection[Update]:
        return await milestone_updates_of(self, info.context, first, after)

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
            hold=milestone.hold,
            hold_id=as_id(milestone.hold_id),
            frozen_at=milestone.frozen_at,
            client_barred_until=milestone.client_barred_until,
            freelancer_barred_until=milestone.freelancer_barred_until,
            rolled_forward=money_of(milestone.rolled_minor, currency),
            lost=money_of(milestone.lost_minor, currency),
            bonus_paid=money_of(milestone.bonus_minor, currency),
            bonus_deposit_id=as_id(milestone.bonus_deposit_id),
            updated_at=milestone.updated_at,  # type: ignore[arg-type] # every stored milestone has it
        )

    @classmethod
    def of_view(cls, view: milestones.MilestoneView) -> Milestone:
        return cls.of(view.milestone, contract_id=view.contract_id, currency=view.currency)


@data_loader
async def milestone_found(milestone_ids: Sequence[str], context: Context) -> list[Milestone | None]:
    """Milestones by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await milestones.milestones_by_id(context.known(), milestone_ids)
    return [Milestone.of_view(found[one]) if one in found else None for one in milestone_ids]


async def milestone_of(milestone_id: str, context: Context) -> Milestone:
    """The milestone of something that the viewer sees, and therefore sees too."""
    found = await milestone_found(milestone_id, context)
    if found is None:
        raise LookupError(f"the milestone {milestone_id} of something visible is not visible")
    return found


@data_loader
async def plan_of(contract_ids: Sequence[str], _: Context) -> list[tuple[domain.Milestone, ...]]:
    """The current plans of contracts: one statement for all that are asked for."""
    found = await milestones.milestones_of(contract_ids)
    return [found.get(contract_id, ()) for contract_id in contract_ids]
