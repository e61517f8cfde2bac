"""The types of disputes: what is claimed, what both sides bring forward and offer, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from graphql import GraphQLError

from escrow.access import Scope, Side
from escrow.agreement import state as objects
from escrow.codec import print_time
from escrow.queries import disputes, views
from escrow.rules import Subject
from escrow.states import DisputeState
from schema.connections import After, Before, Connection, First, Last, Window, once, window, windowed
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read
from schema.scalars import Cursor, as_number, print_cursor, read_cursor
from schema.types.attachments import Attachment
from schema.types.common import Money, Node, as_id, money_of
from schema.types.deadlines import Deadline
from schema.types.paging import pages_of, place_of, total_of
from schema.types.standing import AllowedAction, standing_of

if TYPE_CHECKING:
    from schema.types.milestones import Milestone


@strawberry.type(description="A side's offer to settle: it can be accepted while the dispute is not over.")
class SettlementOffer:
    side: Side = strawberry.field(description="Who offers it.")
    to_freelancer: Money = strawberry.field(description="What would go to the freelancer.")
    to_client: Money | None = strawberry.field(
        description="What would go to the client: the rest of what is held; null once the dispute is over."
    )


@strawberry.type(description="What a side brought forward in a dispute.")
class Evidence:
    side: Side = strawberry.field(description="Who brought it forward.")
    number: int = strawberry.field(description="1 for that side's first piece in this dispute, 2 for the next.")
    text: str = strawberry.field(description="What it says; may be empty.")
    links: list[str] = strawberry.field(description="Where it can be seen.")
    attachments: list[Attachment] = strawberry.field(description="Files that belong to it.")
    added_at: datetime = strawberry.field(description="When it was added.")

    @classmethod
    def of(cls, evidence: objects.Evidence) -> Evidence:
        return cls(
            side=evidence.side,
            number=evidence.number,
            text=evidence.text,
            links=list(evidence.links),
            attachments=[Attachment(name=one.name, sha256=one.sha256) for one in evidence.attachments],
            added_at=evidence.added_at,
        )


@strawberry.type(
    description="An argument about what a milestone holds. While it is OPEN or in MEDIATION the milestone is on hold."
)
class Dispute(Node):
    whole: strawberry.Private[objects.Dispute]
    """As the domain knows it."""

    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    milestone_id: strawberry.ID = strawberry.field(description="The milestone that it is about.")
    state: DisputeState = strawberry.field(description="Where it stands.")
    opened_by: Side = strawberry.field(description="The side that opened it and made the claim.")
    by_hold_limit: bool = strawberry.field(
        description=(
            "Whether nobody opened it but the law, since the payment provider may hold the money no longer; it stands in the "
            "freelancer's name then, claims everything and began in MEDIATION."
        )
    )
    claim: Money = strawberry.field(
        description="How much of what is held should go to the freelancer, as the opener claims."
    )
    reason: str = strawberry.field(description="Why.")
    answers_refund_id: strawberry.ID | None = strawberry.field(
        description="The refund request that it answers, if it does; it began in MEDIATION then."
    )
    silence_pays: bool = strawberry.field(
        description="Whether the other side's silence carries the claim out; otherwise it leads to mediation."
    )
    opened_at: datetime = strawberry.field(description="When it was opened.")
    due_at: datetime = strawberry.field(
        description=(
            "OPEN: when silence has its effect. MEDIATION: when the operator is told next that it waits. While a reversal "
            "freezes the milestone it stands still."
        )
    )
    times_overdue: int = strawberry.field(description="How often the operator was told that it is overdue.")
    client_withdraws: bool = strawberry.field(description="Whether the client has asked to withdraw it from mediation.")
    freelancer_withdraws: bool = strawberry.field(
        description="Whether the freelancer has asked to withdraw it from mediation."
    )
    client_evidence_count: int = strawberry.field(description="How many pieces of evidence the client has added.")
    freelancer_evidence_count: int = strawberry.field(
        description="How many pieces of evidence the freelancer has added."
    )
    to_freelancer: Money | None = strawberry.field(description="Once it is RESOLVED: how much went to the freelancer.")
    explanation: str = strawberry.field(description="Why it was decided as it was; empty unless it was decided.")

    @read("The milestone that it is about.")
    async def milestone(self, info: Info) -> Annotated[Milestone, strawberry.lazy("schema.types.milestones")]:
        from schema.types.milestones import milestone_of

        return await milestone_of(self.milestone_id, info.context)

    @read("What the sides offer to settle it: at most one offer each, the client's first.")
    async def offers(self, info: Info) -> list[SettlementOffer]:
        from schema.types.milestones import milestone_of

        found = [(side, minor) for side in Side if (minor := self.whole.offer_of(side)) is not None]
        if not found:
            return []
        milestone = (await milestone_of(self.milestone_id, info.context)).whole
        # The milestone is read later than the dispute, which may be over by then.
        is_held = self.whole.is_undecided and milestone.hold_id == self.id
        currency, held = self.claim.currency, milestone.held_minor if is_held else None
        return [
            SettlementOffer(
                side=side,
                to_freelancer=money_of(minor, currency),
                to_client=money_of(held - minor, currency) if held is not None and held >= minor else None,
            )
            for side, minor in found
        ]

    @read("What both sides brought forward, in the order in which it was added.")
    async def evidence(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Evidence]:
        return await evidence_of(self.id, info.context, window(first, after, last, before))

    @read("What happens by itself next; in MEDIATION the operator is told. Null if no clock runs.")
    async def next_deadline(self, info: Info) -> Deadline | None:
        return (await standing_of(self.contract_id, info.context)).deadline_of(self.id)

    @read("What the viewer may do with it now, and why not the rest.")
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.contract_id, info.context)).allowed_on_object(Subject.DISPUTE, self.whole)

    @classmethod
    def of(cls, dispute: objects.Dispute, *, contract_id: str, currency: str) -> Dispute:
        resolved = dispute.to_freelancer_minor
        return cls(
            whole=dispute,
            id=strawberry.ID(dispute.id),
            contract_id=strawberry.ID(contract_id),
            milestone_id=strawberry.ID(dispute.milestone_id),
            state=dispute.state,
            opened_by=dispute.opened_by,
            by_hold_limit=dispute.by_hold_limit,
            claim=money_of(dispute.claim_minor, currency),
            reason=dispute.reason,
            answers_refund_id=as_id(dispute.answers_refund_id),
            silence_pays=dispute.silence_pays,
            opened_at=dispute.opened_at,
            due_at=dispute.due_at,
            times_overdue=dispute.overdue,
            client_withdraws=dispute.client_withdraws,
            freelancer_withdraws=dispute.freelancer_withdraws,
            client_evidence_count=dispute.client_evidence,
            freelancer_evidence_count=dispute.freelancer_evidence,
            to_freelancer=money_of(resolved, currency) if resolved is not None else None,
            explanation=dispute.explanation,
        )

    @classmethod
    def of_view(cls, view: views.View[objects.Dispute]) -> Dispute:
        return cls.of(view.whole, contract_id=view.contract_id, currency=view.currency)


@data_loader
async def dispute_of(dispute_ids: Sequence[str], context: Context) -> list[Dispute | None]:
    """Disputes by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await disputes.DISPUTES.by_id(context.known(), dispute_ids)
    return [Dispute.of_view(found[one]) if one in found else None for one in dispute_ids]


@data_loader
async def disputes_of(
    parent_ids: Sequence[str], _: Context, parent: views.Parent, window: Window
) -> list[Connection[Dispute]]:
    """A page of the disputes of each contract or milestone: one statement for all that are asked for."""
    return await pages_of(disputes.DISPUTES, Dispute.of_view, parent_ids, parent, order="disputes", window=window)


async def disputes_list(context: Context, states: list[DisputeState] | None, window: Window) -> Connection[Dispute]:
    """A page of the disputes of all contracts that the viewer may see."""
    actor = context.reader(Scope.CONTRACTS_READ)
    found = await disputes.disputes_page(
        actor,
        states=states,
        limit=window.size + 1,
        after=place_of(window.place, "disputes"),
        backwards=window.backwards,
    )
    shown = [(Dispute.of_view(view), print_cursor("disputes", view.whole.id)) for view in found]
    return windowed(shown, window, once(lambda: disputes.disputes_counted(actor, states=states)))


@data_loader
async def evidence_of(dispute_ids: Sequence[str], _: Context, window: Window) -> list[Connection[Evidence]]:
    """A page of the evidence in each dispute: one statement for all that are asked for."""
    found = await disputes.EVIDENCE.pages(
        dispute_ids,
        "dispute_id",
        order="added",
        limit=window.size + 1,
        after=_place(window.place),
        backwards=window.backwards,
    )
    return [
        windowed(
            [(Evidence.of(one), _cursor(one)) for one in found.get(dispute_id, ())],
            window,
            total_of(disputes.EVIDENCE, dispute_id, "dispute_id"),
        )
        for dispute_id in dispute_ids
    ]


def _cursor(one: objects.Evidence) -> Cursor:
    return print_cursor("evidence", print_time(one.added_at).replace(":", ""), one.side.value, one.number)


def _place(after: Cursor | None) -> tuple[datetime, str, int] | None:
    """Where a page of evidence begins; refuses what `_cursor` never made."""
    if after is None:
        return None
    at, side, number = read_cursor(after, "evidence", 3)
    try:
        return datetime.fromisoformat(f"{at[:13]}:{at[13:15]}:{at[15:]}"), Side(side).value, as_number(number)
    except ValueError:
        raise GraphQLError(
            "This cursor is not one of this list; use `pageInfo.endCursor` of the page before.",
            extensions={"code": "BAD_REQUEST"},
        ) from None
