"""Defines the queries; what a viewer may not see is answered as if it were not there."""

from __future__ import annotations

import decimal
from typing import Annotated, Final

import strawberry
from graphql import GraphQLError

from escrow import money
from escrow.access import Scope
from escrow.accounts import queries as account_queries
from escrow.agreement.state import MILESTONES_MAX
from escrow.errors import InvalidInput
from escrow.money import RawMoney
from escrow.queries.contracts import ContractOrder
from escrow.queries.milestones import MilestoneOrder
from escrow.references import subject_of
from escrow.states import DisputeState
from schema.compiled.declare import selected_of
from schema.connections import After, Before, Connection, First, Last, window
from schema.engine.context import Info
from schema.engine.fields import optional, resolved
from schema.inputs import MoneyInput
from schema.lists import ContractFilter, MilestoneFilter, contracts_listed, milestones_listed
from schema.nodes import find_nodes
from schema.previews import CommandInput, foresee
from schema.scalars import Cursor
from schema.types.accounts import Account, Viewer, accounts_list
from schema.types.acts import OperatorAct, RefusedCredential, operator_acts_list, refused_credentials_list
from schema.types.advice import MilestoneDraftInput, PlanHint, hints_on
from schema.types.common import Money, Node, as_id, money_of
from schema.types.contracts import Contract, Fees, contract_shown
from schema.types.deliveries import Delivery, DeliveryFilter, deliveries_list
from schema.types.deposits import Deposit, reversed_deposits_list
from schema.types.disputes import Dispute, disputes_list
from schema.types.endpoints import WebhookEndpoint, endpoints_of
from schema.types.event_types import EventType, event_types_list
from schema.types.feed import ChangePage, changes_listed
from schema.types.milestones import Milestone, milestone_shown
from schema.types.orders import PaymentOrder, stuck_orders_list
from schema.types.previews import Preview
from schema.types.reconciliation import ReconciliationDifference, reconciliation_list

NODES_MAX: Final = 100

Id = Annotated[strawberry.ID, strawberry.argument(description="The identifier.")]


@strawberry.input(description="Which disputes to list. What is null doesn't narrow.")
class DisputeFilter:
    state: list[DisputeState] | None = optional("Only those in one of these states.")


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
            session_id=as_id(actor.session_id),
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
        return await contract_shown(id, info)

    @resolved("The contracts that the viewer may see, the newest first unless another order is asked for.")
    async def contracts(
        self,
        info: Info,
        filter: Annotated[ContractFilter | None, strawberry.argument(description="Which ones.")] = None,  # noqa: A002
        order_by: Annotated[ContractOrder, strawberry.argument(description="In which order.")] = ContractOrder.NEWEST,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Contract]:
        info.context.reader(Scope.CONTRACTS_READ)
        return await contracts_listed(
            info.context, filter or ContractFilter(), order_by, window(first, after, last, before), selected_of(info)
        )

    @resolved("A milestone of any revision; null if it doesn't exist or may not be seen.")
    async def milestone(self, info: Info, id: Id) -> Milestone | None:  # noqa: A002
        info.context.reader(Scope.CONTRACTS_READ)
        return await milestone_shown(id, info)

    @resolved(
        "The milestones that the viewer may see, those of current plans: the newest contract's first, each plan in its order, "
        "unless another order is asked for."
    )
    async def milestones(
        self,
        info: Info,
        filter: Annotated[MilestoneFilter | None, strawberry.argument(description="Which ones.")] = None,  # noqa: A002
        order_by: Annotated[MilestoneOrder, strawberry.argument(description="In which order.")] = MilestoneOrder.PLAN,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Milestone]:
        info.context.reader(Scope.CONTRACTS_READ)
        return await milestones_listed(
            info.context, filter or MilestoneFilter(), order_by, window(first, after, last, before), selected_of(info)
        )

    @resolved("What the viewer's account calls so in one of its systems; null if nothing is called so, or may be seen.")
    async def by_external_id(
        self,
        info: Info,
        system: Annotated[str, strawberry.argument(description="The system: `jira`.")],
        id: Annotated[str, strawberry.argument(description="What it is called there.")],  # noqa: A002
    ) -> Node | None:
        info.context.reader(Scope.CONTRACTS_READ)
        subject_id = await subject_of(info.context.known().account_id, system, id)
        return (await find_nodes([subject_id], info.context))[0] if subject_id is not None else None

    @resolved(
        "What happened to everything that the viewer may see, in the order of the log, each with what it touched as that is now: "
        "for a mirror that goes on where it stopped. Events of the viewer's own account are among them."
    )
    async def changes(
        self,
        info: Info,
        first: First = 50,
        after: Annotated[
            Cursor | None,
            strawberry.argument(
                description="The `cursor` of the page before; from the beginning if null, from now on if it is `latest`."
            ),
        ] = None,
    ) -> ChangePage:
        info.context.reader(Scope.CONTRACTS_READ)
        return await changes_listed(info.context, after, first, selected_of(info))

    @resolved(
        "The deliveries to the viewer's own endpoints, newest first. Where few fit among many, a page may hold fewer than asked "
        "for, or none, while `hasNextPage`, or with `last` `hasPreviousPage`, says that there is more to look at."
    )
    async def deliveries(
        self,
        info: Info,
        filter: Annotated[DeliveryFilter | None, strawberry.argument(description="Which ones.")] = None,  # noqa: A002
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Delivery]:
        return await deliveries_list(filter or DeliveryFilter(), info.context, window(first, after, last, before))

    @resolved("The disputes of all contracts that the viewer may see, oldest first: what mediators look after.")
    async def disputes(
        self,
        info: Info,
        filter: Annotated[DisputeFilter | None, strawberry.argument(description="Which ones.")] = None,  # noqa: A002
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Dispute]:
        states = filter.state if filter is not None else None
        return await disputes_list(info.context, states, window(first, after, last, before))

    @resolved(
        "The refunds and payouts that wait for a person, of all contracts that the viewer may see, oldest first: what the "
        "operator resolves with `resolveOrder`."
    )
    async def stuck_orders(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[PaymentOrder]:
        return await stuck_orders_list(info.context, window(first, after, last, before))

    @resolved(
        "The deposits that the payment provider took back and that are still argued about, of all contracts whose money the "
        "viewer may see, oldest first: what the operator resolves with `resolveReversal`."
    )
    async def reversed_deposits(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Deposit]:
        return await reversed_deposits_list(info.context, window(first, after, last, before))

    @resolved(
        "Where the payment provider's books and the ledger differed when they were last compared, the oldest first; for the "
        "operator alone, with a key for it. `earnest reconcile` compares them at once."
    )
    async def reconciliation_differences(self, info: Info) -> list[ReconciliationDifference]:
        return await reconciliation_list(info.context)

    @resolved(
        "What operators did, the newest first, also what was refused; for the operator alone, with a key for it. `earnest acts` "
        "shows the same."
    )
    async def operator_acts(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[OperatorAct]:
        return await operator_acts_list(info.context, window(first, after, last, before))

    @resolved(
        "Which credentials named nobody, the newest first; for the operator alone, with a key for it. `earnest acts --refused` "
        "shows the same."
    )
    async def refused_credentials(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[RefusedCredential]:
        return await refused_credentials_list(info.context, window(first, after, last, before))

    @resolved("All accounts, for the operator; the viewer's own for everybody else.")
    async def accounts(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Account]:
        info.context.known()
        return await accounts_list(info.context, window(first, after, last, before))

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
        "What a command on a contract would do if the viewer gave it now: events, transfers, fees, states and deadlines, or its "
        "refusal. Nothing is written; what happens meanwhile may change it."
    )
    async def preview(
        self, info: Info, command: Annotated[CommandInput, strawberry.argument(description="The command.")]
    ) -> Preview:
        return await foresee(command, info.context)

    @resolved(
        "Friendly hints on a draft plan, those on the whole plan first. They never block anything: a plan with hints can be "
        "proposed as it is."
    )
    async def review_plan(
        self,
        info: Info,
        plan: Annotated[
            list[MilestoneDraftInput], strawberry.argument(description="The draft, in order: at most 200 milestones.")
        ],
        budget: Annotated[
            MoneyInput | None, strawberry.argument(description="What the client means to spend in all.")
        ] = None,
        time_zone: Annotated[
            str | None, strawberry.argument(description="The IANA time zone of the due dates; UTC unless said.")
        ] = None,
    ) -> list[PlanHint]:
        info.context.known()
        if len(plan) > MILESTONES_MAX:
            raise GraphQLError(
                f"At most {MILESTONES_MAX} milestones, not {len(plan)}.", extensions={"code": "BAD_REQUEST"}
            )
        return await hints_on(plan, budget, time_zone, owner=info.context.owner)

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
        milestones: Annotated[
            int | None,
            strawberry.argument(
                description="How many milestones the plan has: another number of ratios is refused. Null doesn't compare."
            ),
        ] = None,
    ) -> list[Money]:
        info.context.known()
        return _split(amount, ratios, milestones)


def _split(amount: MoneyInput, ratios: list[int], milestones: int | None) -> list[Money]:
    if len(ratios) > MILESTONES_MAX:
        raise GraphQLError(f"At most {MILESTONES_MAX} ratios, not {len(ratios)}.", extensions={"code": "BAD_REQUEST"})
    if milestones is not None and milestones != len(ratios):
        raise InvalidInput(
            f"One ratio for each milestone: {milestones}, not {len(ratios)}.",
            field="ratios",
            details={"milestones": milestones, "ratios": len(ratios)},
        )
    raw = RawMoney(decimal.Decimal(amount.amount), amount.currency)
    whole = money.exact(raw, currency=amount.currency, field="amount")
    return [money_of(share, whole.currency) for share in money.allocate(whole.minor, ratios)]
