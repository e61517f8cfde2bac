"""The questions that can be asked. Seeing comes first: what a viewer may not see is simply not there."""

from __future__ import annotations

import decimal
from datetime import date, datetime
from typing import Annotated, Final

import strawberry
from graphql import GraphQLError

from escrow import money
from escrow.access import Scope
from escrow.accounts import queries as account_queries
from escrow.lifecycle import ContractState, MilestoneState
from escrow.money import RawMoney
from escrow.queries import contracts, milestones
from schema.connections import After, Connection, First, connection, page_size
from schema.context import Info
from schema.fields import resolved
from schema.inputs import MoneyInput
from schema.nodes import find_nodes
from schema.scalars import as_number, print_cursor, read_cursor
from schema.types.account import Account, Viewer, accounts_list
from schema.types.common import Money, Node, as_id, money_of
from schema.types.contract import Contract, Fees, contract_found
from schema.types.delivery import Delivery, DeliveryFilter, deliveries_list
from schema.types.event_type import EventType, event_types_list
from schema.types.milestone import Milestone, milestone_found
from schema.types.webhook_endpoint import WebhookEndpoint, endpoints_of

NODES_MAX: Final = 100

SHARES_MAX: Final = 200
"""As many as a plan may have milestones."""

Id = Annotated[strawberry.ID, strawberry.argument(description="The identifier.")]


@strawberry.input(description="Which contracts to list. What is null doesn't narrow.")
class ContractFilter:
    state: list[ContractState] | None = strawberry.field(default=None, description="Only those in one of these states.")


@strawberry.input(description="Which milestones to list. What is null doesn't narrow.")
class MilestoneFilter:
    contract_id: strawberry.ID | None = strawberry.field(default=None, description="Only those of this contract.")
    state: list[MilestoneState] | None = strawberry.field(
        default=None, description="Only those in one of these states."
    )
    due_before: date | None = strawberry.field(
        default=None, description="Only those whose due date lies before this date, in whatever state they are."
    )
    deadline_before: datetime | None = strawberry.field(
        default=None, description="Only those with a `nextDeadline` before this moment."
    )


@strawberry.type(description="What can be asked. Everything but introspection needs credentials.")
class Query:
    @resolved("Who is asking, as the credentials tell.")
    def viewer(self, info: Info) -> Viewer:
        actor = info.context.known()
        return Viewer(
            kind=actor.kind,
            role=actor.role,
            scopes=sorted(actor.scopes),
            account_id=strawberry.ID(actor.account_id or ""),
            member_id=as_id(actor.member_id),
            key_id=as_id(actor.key_id),
        )

    @resolved("Anything by its identifier; null if it doesn't exist or may not be seen.")
    async def node(self, info: Info, id: Id) -> Node | None:  # noqa: A002 - the name that Relay gives it
        return (await find_nodes([id], info.context))[0]

    @resolved(
        "Up to 100 things by their identifiers, in the same order; null for what doesn't exist or may not be seen."
    )
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="The identifiers, at most 100.")],
    ) -> list[Node | None]:
        if len(ids) > NODES_MAX:
            raise GraphQLError(f"At most {NODES_MAX} ids, not {len(ids)}.", extensions={"code": "BAD_REQUEST"})
        return await find_nodes(ids, info.context)

    @resolved("A contract; null if it doesn't exist or may not be seen.")
    async def contract(self, info: Info, id: Id) -> Contract | None:  # noqa: A002
        info.context.reader(Scope.CONTRACTS_READ)
        return await contract_found(id, info.context)

    @resolved("The contracts that the viewer may see, newest first.")
    async def contracts(
        self,
        info: Info,
        filter: Annotated[ContractFilter | None, strawberry.argument(description="Which ones.")] = None,  # noqa: A002
        first: First = 50,
        after: After = None,
    ) -> Connection[Contract]:
        actor = info.context.reader(Scope.CONTRACTS_READ)
        size = page_size(first)
        start = read_cursor(after, "contracts")[0] if after is not None else None
        states = filter.state if filter is not None else None
        found = await contracts.contracts_page(actor, states=states, limit=size + 1, after=start)
        shown = [(Contract.of_view(view), print_cursor("contracts", view.terms.id)) for view in found]
        return connection(shown, first=size, after=after)

    @resolved("A milestone of any revision; null if it doesn't exist or may not be seen.")
    async def milestone(self, info: Info, id: Id) -> Milestone | None:  # noqa: A002
        info.context.reader(Scope.CONTRACTS_READ)
        return await milestone_found(id, info.context)

    @resolved("The milestones that the viewer may see: the newest contract's first, each current plan in its order.")
    async def milestones(
        self,
        info: Info,
        filter: Annotated[MilestoneFilter | None, strawberry.argument(description="Which ones.")] = None,  # noqa: A002
        first: First = 50,
        after: After = None,
    ) -> Connection[Milestone]:
        actor = info.context.reader(Scope.CONTRACTS_READ)
        size = page_size(first)
        wanted = filter or MilestoneFilter()
        start = None
        if after is not None:
            contract_id, position = read_cursor(after, "milestones", 2)
            start = (contract_id, as_number(position))
        found = await milestones.milestones_page(
            actor,
            contract_id=wanted.contract_id,
            states=wanted.state,
            due_before=wanted.due_before,
            deadline_before=wanted.deadline_before,
            limit=size + 1,
            after=start,
        )
        shown = [
            (Milestone.of_view(view), print_cursor("milestones", view.contract_id, view.milestone.position))
            for view in found
        ]
        return connection(shown, first=size, after=after)

    @resolved(
        "The deliveries to the viewer's own endpoints, newest first. Where few fit among many, a page may hold fewer than asked "
        "for, or none, while `hasNextPage` says that there is more to look at."
    )
    async def deliveries(
        self,
        info: Info,
        filter: Annotated[DeliveryFilter | None, strawberry.argument(description="Which ones.")] = None,  # noqa: A002
        first: First = 50,
        after: After = None,
    ) -> Connection[Delivery]:
        return await deliveries_list(filter or DeliveryFilter(), info.context, first, after)

    @resolved("All accounts, for the operator; the viewer's own for everybody else.")
    async def accounts(self, info: Info, first: First = 50, after: After = None) -> Connection[Account]:
        info.context.known()
        return await accounts_list(info.context, first, after)

    @resolved("The types of events that can be received, with the schema and an example of what is sent, by name.")
    def event_types(self, info: Info) -> list[EventType]:
        info.context.known()
        return event_types_list()

    @resolved("Where the events of the viewer's own account are sent, oldest first.")
    async def webhook_endpoints(self, info: Info) -> list[WebhookEndpoint]:
        actor = info.context.webhook_manager()
        endpoints = await endpoints_of(actor.account_id or "", info.context) or []
        await info.context.afford(len(endpoints))
        return endpoints

    @resolved("What the operator takes now: proposals and revisions from now on carry it.")
    async def fees(self, info: Info) -> Fees:
        info.context.known()
        return Fees.of(await account_queries.fees())

    @resolved(
        "An amount divided by ratios without losing a minor unit: what is left over goes to the largest remainders."
    )
    def split_budget(
        self,
        info: Info,
        amount: Annotated[MoneyInput, strawberry.argument(description="What to divide.")],
        ratios: Annotated[
            list[int], strawberry.argument(description="One positive whole number per share, at most 200: 25, 50, 25.")
        ],
    ) -> list[Money]:
        info.context.known()
        return _split(amount, ratios)


def _split(amount: MoneyInput, ratios: list[int]) -> list[Money]:
    if len(ratios) > SHARES_MAX:
        raise GraphQLError(f"At most {SHARES_MAX} ratios, not {len(ratios)}.", extensions={"code": "BAD_REQUEST"})
    raw = RawMoney(decimal.Decimal(amount.amount), amount.currency)
    whole = money.exact(raw, currency=amount.currency, field="amount")
    return [money_of(share, whole.currency) for share in money.allocate(whole.minor, ratios)]
