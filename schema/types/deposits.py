"""The type of deposits: the client's payments into escrow, and bonuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.access import Scope
from escrow.agreement import state as domain
from escrow.queries import deposits
from escrow.queries.deposits import DEPOSITS
from escrow.queries.views import View
from escrow.rules import Subject
from escrow.states import ActionKind, DepositState
from schema.connections import Connection, Window, once, windowed
from schema.engine.context import Context, Info
from schema.engine.data_loaders import data_loader
from schema.engine.fields import read
from schema.scalars import print_cursor
from schema.types.common import Money, Node, money_of
from schema.types.deadlines import Deadline
from schema.types.orders import PaymentOrder, order_of
from schema.types.paging import pages_of, place_of
from schema.types.payer_actions import PayerAction, next_action_of
from schema.types.reversals import Reversal
from schema.types.standing import AllowedAction, standing_of


@strawberry.type(description="What of a deposit is for one milestone.")
class DepositPart:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone.")
    amount: Money = strawberry.field(description="What is for the milestone itself.")
    fee: Money = strawberry.field(description="The client's fee beside it.")


@strawberry.type(description="A client's payment into escrow: one charge that succeeds or fails as a whole.")
class Deposit(Node):
    whole: strawberry.Private[domain.Deposit]
    """As the domain knows it."""

    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    revision: int = strawberry.field(description="The revision that it was made for.")
    state: DepositState = strawberry.field(description="Where it stands.")
    charge: Money = strawberry.field(description="What the client is charged: amounts and fees.")
    parts: list[DepositPart] = strawberry.field(description="What it is for.")
    returned: list[Money] = strawberry.field(description="What came and was sent back, because nothing waited for it.")
    started_at: datetime = strawberry.field(description="When the provider was asked.")
    due_at: datetime = strawberry.field(
        description="When it is abandoned if the provider has not answered, or fails if the client has not acted."
    )
    order_id: strawberry.ID = strawberry.field(description="The order to the payment provider.")
    is_bonus: bool = strawberry.field(
        description="Whether it is a bonus for the freelancer: it passes through no escrow and bears no fee."
    )
    is_for_everything: bool = strawberry.field(description="Whether it was started for all that was planned.")
    action_required: ActionKind | None = strawberry.field(
        description="What the provider waits for the client to do; null if it waits for nothing."
    )
    hold_until: datetime | None = strawberry.field(
        description=(
            "Until when its money may be held, as it was when it came: so early before the payment provider's own limit that "
            "mediation has its window. Null until it is confirmed, and where the provider holds money for ever."
        )
    )
    reversal: Reversal | None = strawberry.field(
        description="That the provider took it back after it was confirmed (a chargeback); null if it didn't."
    )

    @read("The order to the payment provider.")
    async def order(self, info: Info) -> PaymentOrder | None:
        return await order_of(self.order_id, info.context)

    @read(
        "What the client has to do before the provider goes on, with what and until when; null if nothing, and for everybody who "
        "could not start this deposit: the client alone, with a manager's key that has `money:write`."
    )
    async def next_action(self, info: Info) -> PayerAction | None:
        return await next_action_of(self.id, info.context)

    @read("What happens by itself if the provider doesn't answer; null if its clock doesn't run.")
    async def next_deadline(self, info: Info) -> Deadline | None:
        return (await standing_of(self.contract_id, info.context)).deadline_of(self.id)

    @read("What the viewer may do with it now, and why not the rest.")
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.contract_id, info.context)).allowed_on_object(Subject.DEPOSIT, self.whole)

    @classmethod
    def of(cls, view: View[domain.Deposit]) -> Deposit:
        deposit, currency = view.whole, view.currency
        return cls(
            whole=deposit,
            id=strawberry.ID(deposit.id),
            contract_id=strawberry.ID(view.contract_id),
            revision=deposit.revision,
            state=deposit.state,
            charge=money_of(deposit.charge_minor, currency),
            parts=[
                DepositPart(
                    milestone_id=strawberry.ID(part.milestone_id),
                    amount=money_of(part.amount_minor, currency),
                    fee=money_of(part.fee_minor, currency),
                )
                for part in deposit.parts
            ],
            returned=[money_of(money.minor, money.currency) for money in deposit.returned],
            started_at=deposit.started_at,
            due_at=deposit.due_at,
            order_id=strawberry.ID(deposit.order_id),
            is_bonus=deposit.is_bonus,
            is_for_everything=deposit.is_for_everything,
            action_required=deposit.action,
            hold_until=deposit.hold_until,
            reversal=Reversal.of(deposit, currency),
        )


@data_loader
async def deposit_of(deposit_ids: Sequence[str], context: Context) -> list[Deposit | None]:
    """Deposits by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await DEPOSITS.by_id(context.known(), deposit_ids)
    return [Deposit.of(found[deposit_id]) if deposit_id in found else None for deposit_id in deposit_ids]


@data_loader
async def deposits_of(contract_ids: Sequence[str], _: Context, window: Window) -> list[Connection[Deposit]]:
    """A page of the deposits of each contract: one statement for all that are asked for."""
    return await pages_of(DEPOSITS, Deposit.of, contract_ids, "contract_id", order="deposits_pages", window=window)


async def reversed_deposits_list(context: Context, window: Window) -> Connection[Deposit]:
    """A page of the deposits whose reversal is argued about, of all contracts whose money the viewer may see."""
    actor = context.reader(Scope.CONTRACTS_READ)
    found = await deposits.reversed_page(
        actor, limit=window.size + 1, after=place_of(window.place, "reversed_deposits"), backwards=window.backwards
    )
    shown = [(Deposit.of(view), print_cursor("reversed_deposits", view.whole.id)) for view in found]
    return windowed(shown, window, once(lambda: deposits.reversed_counted(actor)))
