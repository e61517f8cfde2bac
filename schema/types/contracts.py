"""The type of contracts: the terms are plain attributes, everything else is a data loader's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, cast

import strawberry
from graphql import GraphQLError

from escrow.access import ActorKind, Scope, Side
from escrow.agreement import state as domain
from escrow.agreement.state import DepositTerm
from escrow.database import Record
from escrow.queries import contracts
from escrow.queries.events import Stretch
from escrow.queries.reading import Reading
from escrow.states import ContractState
from escrow.store.tables import CONTRACTS
from schema.compiled.declare import Load, Selected, arguments_below, batched, is_alone, selected_of
from schema.connections import After, Before, Connection, First, Last, nothing, window
from schema.engine.columns import Stored, column
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read, resolved
from schema.scalars import CurrencyCode, Cursor
from schema.types.accounts import Account, account_of
from schema.types.books import Escrow, escrow_of
from schema.types.change_requests import ChangeRequest, change_requests_of
from schema.types.common import Money, Node, money_of
from schema.types.deadlines import Deadline
from schema.types.deposits import Deposit, deposits_of
from schema.types.disputes import Dispute, disputes_of
from schema.types.endings import Ending
from schema.types.events import Event, event_rows, stretch_of, timeline_of, timeline_shown
from schema.types.milestones import Milestone, plan_of, plan_reading
from schema.types.orders import PaymentOrder, orders_of
from schema.types.plans import (
    ROWS,
    Progress,
    Row,
    current_milestones,
    current_of,
    joined,
    milestones_made,
    plan_selected,
    plans_listed,
    progress_made,
)
from schema.types.references import ExternalReference, references_listed
from schema.types.refunds import RefundRequest, refund_requests_of
from schema.types.standing import AllowedAction, standing_of
from schema.types.transfers import Transfer, transfers_of
from schema.types.updates import Update, updates_of
from schema.types.work import Submission, contract_submissions_of


@strawberry.type(description="How long silence may last, in hours, before it has its effect.")
class Windows:
    offer_hours: int = strawberry.field(description="Then a proposal that nobody answered expires.")
    deposit_hours: int = strawberry.field(description="Then a deposit that the provider did not confirm is abandoned.")
    review_hours: int = strawberry.field(
        description="Then submitted work counts as approved and the money is released."
    )
    refund_answer_hours: int = strawberry.field(
        description="Then a refund request that nobody answered refunds the client."
    )
    dispute_answer_hours: int = strawberry.field(
        description="Then a dispute that nobody answered goes on without the answer."
    )
    mediation_hours: int = strawberry.field(description="Then the operator is told that a dispute is overdue.")

    @classmethod
    def of(cls, windows: domain.Windows) -> Windows:
        return cls(
            offer_hours=windows.offer_hours,
            deposit_hours=windows.deposit_hours,
            review_hours=windows.review_hours,
            refund_answer_hours=windows.refund_answer_hours,
            dispute_answer_hours=windows.dispute_answer_hours,
            mediation_hours=windows.mediation_hours,
        )


@strawberry.type(description="The operator's fees, in basis points (hundredths of a percent).")
class Fees:
    client_basis_points: int = strawberry.field(
        description="Charged to the client with each deposit, on top of the amount."
    )
    freelancer_basis_points: int = strawberry.field(description="Taken from what is paid to the freelancer.")

    @classmethod
    def of(cls, fees: domain.Fees) -> Fees:
        return cls(client_basis_points=fees.client_bps, freelancer_basis_points=fees.freelancer_bps)


def _budget(minor: int | None, currency: str) -> Money | None:
    return money_of(minor, currency) if minor is not None else None


def _turn(state: ContractState, written_by: Side) -> Side | None:
    return written_by.other if state is ContractState.PROPOSED else None


def _ending(ending: domain.Ending | None) -> Ending | None:
    return Ending.of(ending) if ending is not None else None


def _party(name: Literal["client_id", "freelancer_id"]) -> Load:
    async def load(parents: Sequence[Contract | Row], context: Context) -> Sequence[Account]:
        ids = [one[name] if isinstance(one, ROWS) else getattr(one, name) for one in parents]
        return [_known(one) for one in await asyncio.gather(*(account_of(one, context) for one in ids))]

    return load


async def _timelines(
    parents: Sequence[Contract | Row],
    context: Context,
    *,
    selected: Selected | None,
    first: int | None = None,
    after: Cursor | None = None,
    last: int | None = None,
    before: Cursor | None = None,
) -> Sequence[Connection[Event]]:
    """A page of the events of each of these contracts; rows, if what is selected may be answered by rows."""
    asked = window(first, after, last, before)
    ids = [one["id"] if isinstance(one, ROWS) else one.id for one in parents]
    came = joined(parents, stretch_of(asked)) if selected is not None else []
    if came and len(came) == len(parents):
        return [timeline_shown(one, rows, asked) for one, rows in zip(ids, came, strict=True)]
    return await timeline_of.all(ids, context, asked, selected)


@strawberry.type(
    description="A fixed-price agreement between one client and one freelancer, with an ordered plan of milestones."
)
class Contract(Node):
    plan: strawberry.Private[tuple[domain.Milestone, ...] | None] = None
    """The milestones, if they are known already: a command leaves the whole contract behind."""

    state: ContractState = strawberry.field(description="Where it stands.")
    title: str = strawberry.field(description="What it is called.")
    description: str = strawberry.field(description="What it is about.")
    currency: CurrencyCode = strawberry.field(description="The ISO 4217 currency of all its amounts.")
    time_zone: str = strawberry.field(description="The IANA time zone of its due dates.")
    budget: Money | None = column(
        "What the client means to spend in all, if it was said.", "budget_minor", "currency", make=_budget
    )
    deposit_term: DepositTerm = strawberry.field(description="What the first deposit covers.")
    client_id: strawberry.ID = strawberry.field(description="The account that pays.")
    freelancer_id: strawberry.ID = strawberry.field(description="The account that delivers.")
    revision: int = strawberry.field(description="Which revision of the terms this is; accepting names it.")
    written_by: Side = strawberry.field(description="The side that wrote this revision.")
    turn: Side | None = column(
        "Whose turn it is to answer the proposal; null once it was answered.", "state", "written_by", make=_turn
    )
    offered_at: datetime = strawberry.field(description="When this revision was put on the table.")
    windows: Windows = column("How long silence may last.", "windows", make=Windows.of)
    fees: Fees = column("The operator's fees, as this revision froze them.", "fees", make=Fees.of)
    ending: Ending | None = column("Who is ending it, if somebody is or has; else null.", "ending", make=_ending)
    payouts_are_automatic: bool = strawberry.field(
        description="Whether the freelancer is paid out whenever something becomes payable, without asking."
    )
    plan_version: int = strawberry.field(
        description="Grows with each edit of the plan; `expectedVersion` is compared with it."
    )
    version: int = strawberry.field(description="The sequence of its last event.")
    created_at: datetime = strawberry.field(description="When it was first proposed.")
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @read("The account that pays.")
    @batched(_party("client_id"))
    async def client(self, info: Info) -> Account:
        return _known(await account_of(self.client_id, info.context))

    @read("The account that delivers.")
    @batched(_party("freelancer_id"))
    async def freelancer(self, info: Info) -> Account:
        return _known(await account_of(self.freelancer_id, info.context))

    @resolved("The plan: the milestones of the current revision in order, at most 200.")
    @batched(plans_listed, selects=True, beside=True, alone=True)
    async def milestones(self, info: Info) -> list[Milestone]:
        plan = await self.shown_plan(info.context)
        await info.context.afford(len(plan))
        return plan

    @resolved("The first milestone that is not closed: the only one whose turn it can be.")
    @batched(current_milestones, selects=True, beside=True)
    async def current_milestone(self, info: Info) -> Milestone | None:
        return current_of(self, await self.whole_plan(info.context))

    @resolved("How far it has come.")
    @batched(progress_made, beside=True)
    async def progress(self, info: Info) -> Progress:
        return Progress.of(await self.whole_plan(info.context), self.currency)

    @read("Where its money is.")
    async def escrow(self, info: Info) -> Escrow:
        return Escrow.of(await escrow_of(self.id, info.context), self.currency)

    @read("The money that moved, in order. Empty for mediators.")
    async def transfers(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Transfer]:
        if self._is_mediated_by(info.context):
            return nothing(window(first, after, last, before))
        return await transfers_of(self.id, info.context, window(first, after, last, before))

    @read("The client's payments into escrow, in order. Empty for mediators.")
    async def deposits(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Deposit]:
        if self._is_mediated_by(info.context):
            return nothing(window(first, after, last, before))
        return await deposits_of(self.id, info.context, window(first, after, last, before))

    @read("What the payment provider was asked to do, in order. Empty for mediators.")
    async def payment_orders(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[PaymentOrder]:
        if self._is_mediated_by(info.context):
            return nothing(window(first, after, last, before))
        return await orders_of(self.id, info.context, window(first, after, last, before))

    @read("The work that was handed in for all its milestones, in order.")
    async def submissions(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Submission]:
        return await contract_submissions_of(self.id, info.context, window(first, after, last, before))

    @read("What one side asked the other to change in the plan, oldest first.")
    async def change_requests(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[ChangeRequest]:
        return await change_requests_of(self.id, info.context, window(first, after, last, before))

    @read("What the client asked back, oldest first.")
    async def refund_requests(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[RefundRequest]:
        return await refund_requests_of(self.id, info.context, "contract_id", window(first, after, last, before))

    @read("The disputes about what its milestones hold or held, oldest first.")
    async def disputes(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Dispute]:
        return await disputes_of(self.id, info.context, "contract_id", window(first, after, last, before))

    @read("How it goes, as the parties say: the progress updates on it and on its milestones, oldest first.")
    async def updates(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Update]:
        return await updates_of(self.id, info.context, window(first, after, last, before))

    @read("What happened, in order: its events.")
    @batched(_timelines, selects=True)
    async def timeline(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Event]:
        return await timeline_of(self.id, info.context, window(first, after, last, before), selected_of(info))

    @read("What happens by itself next if nobody acts; null if no clock runs.")
    async def next_deadline(self, info: Info) -> Deadline | None:
        return (await standing_of(self.id, info.context)).next_deadline()

    @read("What the viewer may do with it now, and why not the rest. Milestones have their own.")
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.id, info.context)).allowed_on_contract()

    def _is_mediated_by(self, context: Context) -> bool:
        """Whether the viewer sees it only because there is or was a dispute: how money comes and goes is not its business."""
        actor = context.known()
        return actor.kind is ActorKind.ACCOUNT and actor.account_id not in (self.client_id, self.freelancer_id)

    @read("What the viewer's account calls it in its own systems, by system.")
    async def external_references(self, info: Info) -> list[ExternalReference]:
        return await references_listed(self.id, info.context)

    async def shown_plan(self, context: Context) -> list[Milestone]:
        """Its milestones, ready to read."""
        return await milestones_made(await self.whole_plan(context), self.id, self.currency, context)

    async def whole_plan(self, context: Context) -> tuple[domain.Milestone, ...]:
        """The same as the domain has them."""
        if self.plan is not None:
            return self.plan
        context.reader(Scope.CONTRACTS_READ)
        return await plan_of(self.id, context)

    @classmethod
    def of(cls, terms: domain.Contract, *, version: int, plan: tuple[domain.Milestone, ...] | None = None) -> Contract:
        """The contract ready to read; `plan` if its milestones are known too."""
        return cast("Contract", _STORED.make(terms, version, plan=plan))

    @classmethod
    def of_view(cls, view: contracts.ContractView) -> Contract:
        return cls.of(view.terms, version=view.version)

    @classmethod
    def of_row(cls, row: Record) -> Contract:
        """The contract of a whole row."""
        return cls.of_view(contracts.VIEWS.make(row))


_STORED: Final = Stored(
    Contract,
    CONTRACTS,
    contracts.ROWS,
    beside={"version": int},
    batches={
        **dict.fromkeys(("milestones", "currentMilestone", "progress"), ("currency",)),
        "client": ("client_id",),
        "freelancer": ("freelancer_id",),
        "timeline": (),
    },
    row_classes=ROWS,
)


def contract_rows(selected: Selected | None) -> Reading[Record] | None:
    """How rows are read that may stand for contracts; `None` if whole contracts are wanted."""
    return _STORED.reading(selected) if selected is not None else None


def _known(account: Account | None) -> Account:
    """A party of a contract that the viewer sees is seen too."""
    if account is None:
        raise LookupError("a party of a visible contract is not visible")
    return account


@data_loader
async def contract_found(contract_ids: Sequence[str], context: Context) -> list[Contract | None]:
    """Contracts by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await contracts.contracts_by_id(context.known(), contract_ids)
    return [Contract.of_view(found[one]) if one in found else None for one in contract_ids]


@data_loader
async def _rows(contract_ids: Sequence[str], context: Context, selected: Selected) -> list[Record | None]:
    found = await contracts.contracts_by_id(context.known(), contract_ids, _STORED.reading(selected))
    return [found.get(one) for one in contract_ids]


@data_loader
async def _shown_rows(
    contract_ids: Sequence[str], context: Context, selected: Selected, stretch: Stretch | None
) -> list[Row | None]:
    """The same, with their plans if these are selected, or else with a stretch of their events: still one statement."""
    actor, reading, plan = context.known(), _STORED.reading(selected), plan_selected(selected)
    events = event_rows(selected.below_field("timeline")) if stretch is not None else None
    found: Mapping[str, Row]
    if plan is not None:
        found = await contracts.contracts_with_plans(actor, contract_ids, reading, plan_reading(plan))
    elif stretch is not None and events is not None:
        found = await contracts.contracts_with_events(actor, contract_ids, reading, events, stretch)
    else:
        found = await contracts.contracts_by_id(actor, contract_ids, reading)
    return [found.get(one) for one in contract_ids]


def _stretch(info: Info) -> Stretch | None:
    """The events that are asked for below a contract, if that is one stretch of them."""
    asked = arguments_below(info, "timeline")
    try:
        return stretch_of(window(**asked)) if asked is not None else None
    except GraphQLError:  # which the field says itself
        return None


async def contract_shown(contract_id: str, info: Info) -> Contract | None:
    """The contract for a field to answer with, as far as the viewer may see it: a row, if that has all that is selected."""
    selected = selected_of(info)
    if selected is None:
        return await contract_found(contract_id, info.context)
    load = _shown_rows.at_once if is_alone(info) else _shown_rows
    return cast("Contract | None", await load(contract_id, info.context, selected, _stretch(info)))


async def contracts_of(contract_ids: Sequence[str], context: Context, selected: Selected | None) -> list[Contract]:
    """The contracts of things that the viewer sees, and therefore sees too; rows, if those have all that is selected."""
    if selected is None:
        found: Sequence[Any] = await asyncio.gather(*(contract_found(one, context) for one in contract_ids))
    else:
        found = await _rows.all(contract_ids, context, selected)
    if None in found:
        raise LookupError("the contract of something visible is not visible")
    return list(found)


async def contracts_found(
    contract_ids: Sequence[str], context: Context, selected: Selected | None
) -> dict[str, Contract | Record]:
    """Those of the contracts that the viewer may see, by identifier; rows, if those have all that is selected."""
    ids = tuple(dict.fromkeys(contract_ids))
    found: Sequence[Any] = (
        await contract_found.all(ids, context) if selected is None else await _rows.all(ids, context, selected)
    )
    return {identifier: one for identifier, one in zip(ids, found, strict=True) if one is not None}
