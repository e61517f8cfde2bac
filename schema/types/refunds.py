"""The type of refund requests: what the client asks back, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from escrow.agreement import state as objects
from escrow.queries import views
from escrow.queries.refunds import REFUNDS
from escrow.rules import Subject
from escrow.states import RefundState
from schema.connections import Connection, Window
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read
from schema.types.common import Money, Node, money_of
from schema.types.deadlines import Deadline
from schema.types.paging import pages_of
from schema.types.standing import AllowedAction, standing_of

if TYPE_CHECKING:
    from schema.types.milestones import Milestone


@strawberry.type(
    description="The client asks for all or part of what a milestone holds. While it is OPEN it is a hold."
)
class RefundRequest(Node):
    whole: strawberry.Private[objects.RefundRequest]
    """As the domain knows it."""

    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    milestone_id: strawberry.ID = strawberry.field(description="The milestone that it is about.")
    state: RefundState = strawberry.field(description="Where it stands.")
    amount: Money = strawberry.field(description="What is asked back, without the client's fee.")
    by_ending: bool = strawberry.field(
        description="Whether the ending of the contract made it; it is then withdrawn only with the ending."
    )
    message: str = strawberry.field(description="Why it is asked; may be empty.")
    answer: str = strawberry.field(description="Why it was declined; empty unless it was.")
    requested_at: datetime = strawberry.field(description="When it was made.")
    due_at: datetime = strawberry.field(
        description="Until when the freelancer may answer; silence refunds. It stands still while the milestone is frozen."
    )

    @read("The milestone that it is about.")
    async def milestone(self, info: Info) -> Annotated[Milestone, strawberry.lazy("schema.types.milestones")]:
        from schema.types.milestones import milestone_of

        return await milestone_of(self.milestone_id, info.context)

    @read("What happens by itself if nobody answers; null if its clock doesn't run.")
    async def next_deadline(self, info: Info) -> Deadline | None:
        return (await standing_of(self.contract_id, info.context)).deadline_of(self.id)

    @read("What the viewer may do with it now, and why not the rest.")
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.contract_id, info.context)).allowed_on_object(Subject.REFUND, self.whole)

    @classmethod
    def of(cls, refund: objects.RefundRequest, *, contract_id: str, currency: str) -> RefundRequest:
        return cls(
            whole=refund,
            id=strawberry.ID(refund.id),
            contract_id=strawberry.ID(contract_id),
            milestone_id=strawberry.ID(refund.milestone_id),
            state=refund.state,
            amount=money_of(refund.amount_minor, currency),
            by_ending=refund.by_ending,
            message=refund.message,
            answer=refund.answer,
            requested_at=refund.requested_at,
            due_at=refund.due_at,
        )

    @classmethod
    def of_view(cls, view: views.View[objects.RefundRequest]) -> RefundRequest:
        return cls.of(view.whole, contract_id=view.contract_id, currency=view.currency)


@data_loader
async def refund_request_of(refund_ids: Sequence[str], context: Context) -> list[RefundRequest | None]:
    """Refund requests by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await REFUNDS.by_id(context.known(), refund_ids)
    return [RefundRequest.of_view(found[one]) if one in found else None for one in refund_ids]


@data_loader
async def refund_requests_of(
    parent_ids: Sequence[str], _: Context, parent: views.Parent, window: Window
) -> list[Connection[RefundRequest]]:
    """A page of the refund requests of each contract or milestone: one statement for all that are asked for."""
    return await pages_of(REFUNDS, RefundRequest.of_view, parent_ids, parent, order="refundRequests", window=window)
