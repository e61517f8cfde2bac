"""The type of milestones: the steps of a plan, each with its money."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import strawberry

from escrow.agreement import state as domain
from escrow.aside import LONG_MILESTONES, aside_if
from escrow.database import Record
from escrow.queries import milestones
from escrow.queries.reading import Reading
from escrow.states import Hold, MilestoneState
from escrow.store.tables import MILESTONES
from schema.compiled.declare import Selected, batched, selected_of
from schema.connections import After, Before, Connection, First, Last, window
from schema.engine.columns import Stored, column
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read
from schema.types.common import Money, Node, money_of
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


async def _allowed_all(parents: Sequence[Milestone], context: Context) -> Sequence[list[AllowedAction]]:
    """What the viewer may do with each of these milestones."""
    asked = {contract_id: standing_of(contract_id, context) for contract_id in {one.contract_id for one in parents}}
    outlooks = {contract_id: await outlook for contract_id, outlook in asked.items()}
    return await aside_if(
        len(parents) > LONG_MILESTONES,
        lambda: [outlooks[one.contract_id].allowed_on(one.whole) for one in parents],
        owner=context.owner,
    )


async def _contracts(
    parents: Sequence[Milestone | Record], context: Context, *, selected: Selected | None
) -> Sequence[Contract]:
    """The contracts of these milestones; rows, if what is selected may be answered by rows."""
    from schema.types.contracts import contracts_of

    ids = [one["contract_id"] if isinstance(one, Record) else one.contract_id for one in parents]
    return await contracts_of(ids, context, selected)


def _money(description: str, name: str) -> Any:
    """An amount in the contract's currency; in the domain it is minor units."""
    return column(description, name, "currency", make=money_of)


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
    deliverables: list[str] = column("What will be delivered.", "deliverables", make=list)
    due_on: date = strawberry.field(
        description="When it is due: a calendar date in the contract's time zone. It never moves money."
    )
    amount: Money = _money("Its price.", "amount_minor")
    held: Money = _money("What escrow holds for it, without the client's fee.", "held_minor")
    client_fee_held: Money = _money("The client's fee that lies beside it.", "held_fee_minor")
    released: Money = _money("What went to the freelancer, the freelancer's fee included.", "released_minor")
    refunded: Money = _money("What went back to the client.", "refunded_minor")
    freelancer_fee: Money = _money(
        "The freelancer's fee that was taken from what was released.", "freelancer_fee_minor"
    )
    client_fee: Money = _money("The client's fee that was earned with what was released.", "client_fee_minor")
    submission_count: int = column("How often work was handed in.", "submissions")
    review_due_at: datetime | None = strawberry.field(
        description=(
            "When the work counts as approved if the client stays silent; null unless it is SUBMITTED. While it is on hold or "
            "frozen the clock stands still: what was left of it runs on afterwards, at least 48 hours."
        )
    )
    hold_until: datetime | None = strawberry.field(
        description=(
            "Until when what it holds may be held, for the payment provider's sake; then a mediator decides about it, or it goes "
            "back to the client. Null without such a limit, and while it holds nothing."
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
    rolled_forward: Money = _money("What a smaller approval left over and the next milestone received.", "rolled_minor")
    lost: Money = _money("What was held for it when the provider took the deposit back for good.", "lost_minor")
    bonus_paid: Money = _money("What was paid as a bonus, on top of its price.", "bonus_minor")
    bonus_deposit_id: strawberry.ID | None = strawberry.field(
        description="The bonus that is on its way or was paid; null if there is none."
    )
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @read("The contract that it belongs to.")
    @batched(_contracts, selects=True)
    async def contract(self, info: Info) -> Annotated[Contract, strawberry.lazy("schema.types.contracts")]:
        return (await _contracts([self], info.context, selected=selected_of(info)))[0]

    @read("The deposit that is on its way to it, or that funded it.")
    async def deposit(self, info: Info) -> Deposit | None:
        return await deposit_of(self.deposit_id, info.context) if self.deposit_id is not None else None

    @read("The work that was handed in for it, in order.")
    async def submissions(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Submission]:
        return await submissions_of(self.id, info.context, window(first, after, last, before))

    @read("The bonus that is on its way or was paid; null if there is none.")
    async def bonus(self, info: Info) -> Deposit | None:
        return await deposit_of(self.bonus_deposit_id, info.context) if self.bonus_deposit_id is not None else None

    @read("The refund requests on it, oldest first.")
    async def refund_requests(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[RefundRequest]:
        return await refund_requests_of(self.id, info.context, "milestone_id", window(first, after, last, before))

    @read("The disputes about it, oldest first.")
    async def disputes(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Dispute]:
        return await disputes_of(self.id, info.context, "milestone_id", window(first, after, last, before))

    @read("The progress updates on it, oldest first.")
    async def updates(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Update]:
        return await milestone_updates_of(self, info.context, window(first, after, last, before))

    @read("What happens to it by itself if nobody acts; null if no clock runs.")
    async def next_deadline(self, info: Info) -> Deadline | None:
        return (await standing_of(self.contract_id, info.context)).next_deadline(self.id)

    @read("What the viewer may do with it now, and why not the rest.")
    @batched(_allowed_all)
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.contract_id, info.context)).allowed_on(self.whole)

    @read("What the viewer's account calls it in its own systems, by system.")
    async def external_references(self, info: Info) -> list[ExternalReference]:
        return await references_listed(self.id, info.context)

    @classmethod
    def of(cls, milestone: domain.Milestone, *, contract_id: str, currency: str) -> Milestone:
        return cast("Milestone", _STORED.make(milestone, contract_id, currency, whole=milestone))

    @classmethod
    def of_view(cls, view: milestones.MilestoneView) -> Milestone:
        return cls.of(view.milestone, contract_id=view.contract_id, currency=view.currency)

    @classmethod
    def of_row(cls, row: Record) -> Milestone:
        """The milestone of a whole row."""
        return cls.of_view(milestones.VIEWS.make(row))


_STORED: Final = Stored(
    Milestone,
    MILESTONES,
    milestones.ROWS,
    beside={"contract_id": str, "currency": str},
    batches={"contract": ("contract_id",)},
)


def milestone_rows(selected: Selected | None) -> Reading[Record] | None:
    """How rows are read that may stand for milestones; `None` if whole milestones are wanted."""
    return _STORED.reading(selected) if selected is not None else None


@data_loader
async def milestone_found(milestone_ids: Sequence[str], context: Context) -> list[Milestone | None]:
    """Milestones by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await milestones.milestones_by_id(context.known(), milestone_ids)
    return [Milestone.of_view(found[one]) if one in found else None for one in milestone_ids]


@data_loader
async def _rows(milestone_ids: Sequence[str], context: Context, selected: Selected) -> list[Record | None]:
    found = await milestones.milestones_by_id(context.known(), milestone_ids, _STORED.reading(selected))
    return [found.get(one) for one in milestone_ids]


def milestone_shown(milestone_id: str, info: Info) -> Awaitable[Milestone | None]:
    """The milestone for a field to answer with, as far as the viewer may see it: a row, if that has all that is selected."""
    selected = selected_of(info)
    if selected is None:
        return milestone_found(milestone_id, info.context)
    return cast("Awaitable[Milestone | None]", _rows(milestone_id, info.context, selected))


async def milestones_shown(
    milestone_ids: Sequence[str], context: Context, selected: Selected | None
) -> dict[str, Milestone | Record]:
    """Those of the milestones that the viewer may see, by identifier; rows, if those have all that is selected."""
    ids = tuple(dict.fromkeys(milestone_ids))
    found: Sequence[Any] = (
        await milestone_found.all(ids, context) if selected is None else await _rows.all(ids, context, selected)
    )
    return {identifier: one for identifier, one in zip(ids, found, strict=True) if one is not None}


async def milestone_of(milestone_id: str, context: Context) -> Milestone:
    """The milestone of something that the viewer sees, and therefore sees too."""
    found = await milestone_found(milestone_id, context)
    if found is None:
        raise LookupError(f"the milestone {milestone_id} of something visible is not visible")
    return found


@data_loader
async def plan_of(contract_ids: Sequence[str], context: Context) -> list[tuple[domain.Milestone, ...]]:
    """The current plans of contracts: one statement for all that are asked for."""
    found = await milestones.milestones_of(contract_ids, owner=context.owner)
    return [tuple(found.get(contract_id, ())) for contract_id in contract_ids]


def plan_reading(selected: Selected) -> Reading[Record]:
    """How the rows of plans are read."""
    return _STORED.reading(selected)


@data_loader
async def plan_rows_of(contract_ids: Sequence[str], context: Context, selected: Selected) -> list[list[Record]]:
    """The same as rows, with what is selected of them."""
    found = await milestones.milestones_of(contract_ids, plan_reading(selected), owner=context.owner)
    return [found.get(contract_id, []) for contract_id in contract_ids]
