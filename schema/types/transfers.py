"""Where the money of a contract is and how it got there: books, transfers, deposits, orders to the payment provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import strawberry

from escrow.agreement import state as domain
from escrow.queries import contracts, deposits, orders, transfers
from escrow.rules import Subject
from escrow.states import DepositState, OrderKind, OrderState, ReversalState
from schema.connections import Connection, connection, page_size
from schema.engine.context import Context, Info
from schema.engine.data_loaders import batched
from schema.engine.fields import read
from schema.scalars import Cursor, print_cursor, read_cursor
from schema.types.common import Money, Node, as_id, money_of
from schema.types.standing import AllowedAction, Deadline, standing_of

V = TypeVar("V", transfers.TransferView, deposits.DepositView, orders.OrderView)
T = TypeVar("T", bound=Node)


@strawberry.type(description="What is owed to the parties of a contract.")
class Payable:
    client: Money = strawberry.field(description="To the client: refunds and returns that are not on their way yet.")
    freelancer: Money = strawberry.field(description="To the freelancer: released and not paid out yet.")


@strawberry.type(
    description="The money of a contract. Held, released and refunded are gross and without the client's fee; fees stand apart."
)
class Escrow:
    held: Money = strawberry.field(description="Held for milestones, without the client's fee.")
    released: Money = strawberry.field(description="Released to the freelancer, the freelancer's fee included.")
    refunded: Money = strawberry.field(description="Refunded to the client from what was held.")
    lost: Money = strawberry.field(description="Of what was held: taken back by the payment provider for good.")
    bonuses: Money = strawberry.field(description="Paid to the freelancer as bonuses, which pass through no escrow.")
    client_fees_held: Money = strawberry.field(description="The client's fee that lies beside what is held.")
    client_fees: Money = strawberry.field(description="The client's fee that the operator earned.")
    freelancer_fees: Money = strawberry.field(description="The freelancer's fee that the operator earned.")
    payable: Payable = strawberry.field(description="What is owed to the parties.")
    in_transit: Money = strawberry.field(description="On its way to a party: the payment provider was asked.")

    @classmethod
    def of(cls, books: contracts.Books, currency: str) -> Escrow:
        return cls(
            held=money_of(books.held_minor, currency),
            released=money_of(books.released_minor, currency),
            refunded=money_of(books.refunded_minor, currency),
            lost=money_of(books.lost_minor, currency),
            bonuses=money_of(books.bonus_minor, currency),
            client_fees_held=money_of(books.held_fee_minor, currency),
            client_fees=money_of(books.client_fee_minor, currency),
            freelancer_fees=money_of(books.freelancer_fee_minor, currency),
            payable=Payable(
                client=money_of(books.payable_to_client_minor, currency),
                freelancer=money_of(books.payable_to_freelancer_minor, currency),
            ),
            in_transit=money_of(books.in_transit_minor, currency),
        )


@strawberry.type(description="Money that moved from one ledger account to another. Never changed, never deleted.")
class Transfer(Node):
    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    event_id: strawberry.ID = strawberry.field(description="The event that caused it.")
    debit: str = strawberry.field(description="The ledger account that the money left: `clearing:USD`.")
    credit: str = strawberry.field(description="The ledger account that it went to: `escrow:mil_…`.")
    amount: Money = strawberry.field(description="How much.")
    occurred_at: datetime = strawberry.field(description="When it happened.")

    @classmethod
    def of(cls, view: transfers.TransferView) -> Transfer:
        return cls(
            id=strawberry.ID(view.id),
            contract_id=strawberry.ID(view.contract_id),
            event_id=strawberry.ID(view.event_id),
            debit=view.debit,
            credit=view.credit,
            amount=money_of(view.amount.minor, view.amount.currency),
            occurred_at=view.occurred_at,
        )


@strawberry.type(description="An order to the payment provider, carried out once.")
class PaymentOrder(Node):
    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    kind: OrderKind = strawberry.field(description="What the provider is asked to do.")
    state: OrderState = strawberry.field(description="What is known of it.")
    amount: Money = strawberry.field(description="How much.")
    deposit_id: strawberry.ID | None = strawberry.field(
        description="The deposit that it takes or sends back, if it is one's."
    )
    created_at: datetime = strawberry.field(description="When it was written, in real time.")

    @classmethod
    def of(cls, view: orders.OrderView) -> PaymentOrder:
        return cls(
            id=strawberry.ID(view.id),
            contract_id=strawberry.ID(view.contract_id),
            kind=view.kind,
            state=view.state,
            amount=money_of(view.amount.minor, view.amount.currency),
            deposit_id=as_id(view.deposit_id),
            created_at=view.created_at,
        )


@strawberry.type(description="What of a deposit is for one milestone.")
class DepositPart:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone.")
    amount: Money = strawberry.field(description="What is for the milestone itself.")
    fee: Money = strawberry.field(description="The client's fee beside it.")


@strawberry.type(
    description="The provider took a confirmed deposit back. Milestones that hold its money are frozen meanwhile."
)
class Reversal:
    state: ReversalState = strawberry.field(description="What became of it.")
    reversed_at: datetime = strawberry.field(description="When the provider took the money back.")
    forfeited: Money = strawberry.field(
        description="What milestones gave up of it before the argument ended, fees included; the client gets it if it is won."
    )

    @classmethod
    def of(cls, deposit: domain.Deposit, currency: str) -> Reversal | None:
        if deposit.reversal is None or deposit.reversed_at is None:
            return None
        return cls(
            state=deposit.reversal,
            reversed_at=deposit.reversed_at,
            forfeited=money_of(deposit.forfeited_minor, currency),
        )


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
    due_at: datetime = strawberry.field(description="When it is abandoned if the provider has not answered.")
    order_id: strawberry.ID = strawberry.field(description="The order to the payment provider.")
    is_bonus: bool = strawberry.field(
        description="Whether it is a bonus for the freelancer: it passes through no escrow and bears no fee."
    )
    is_for_everything: bool = strawberry.field(description="Whether it was started for all that was planned.")
    reversal: Reversal | None = strawberry.field(
        description="That the provider took it back after it was confirmed (a chargeback); null if it didn't."
    )

    @read("The order to the payment provider.")
    async def order(self, info: Info) -> PaymentOrder | None:
        return await order_of(self.order_id, info.context)

    @read("What happens by itself if the provider doesn't answer; null if its clock doesn't run.")
    async def next_deadline(self, info: Info) -> Deadline | None:
        return (await standing_of(self.contract_id, info.context)).deadline_of(self.id)

    @read("What the viewer may do with it now, and why not the rest.")
    async def allowed_actions(self, info: Info) -> list[AllowedAction]:
        return (await standing_of(self.contract_id, info.context)).allowed_on_object(Subject.DEPOSIT, self.whole)

    @classmethod
    def of(cls, view: deposits.DepositView) -> Deposit:
        deposit, currency = view.deposit, view.currency
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
            reversal=Reversal.of(deposit, currency),
        )


@batched
async def escrow_of(contract_ids: Sequence[str], _: Context) -> list[contracts.Books]:
    """The money of contracts: one statement for all that are asked for."""
    found = await contracts.books(contract_ids)
    return [found[contract_id] for contract_id in contract_ids]


@batched
async def order_of(order_ids: Sequence[str], context: Context) -> list[PaymentOrder | None]:
    """Orders by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await orders.orders_by_id(context.known(), order_ids)
    return [PaymentOrder.of(found[order_id]) if order_id in found else None for order_id in order_ids]


@batched
async def deposit_of(deposit_ids: Sequence[str], context: Context) -> list[Deposit | None]:
    """Deposits by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await deposits.deposits_by_id(context.known(), deposit_ids)
    return [Deposit.of(found[deposit_id]) if deposit_id in found else None for deposit_id in deposit_ids]


@batched
async def transfer_of(transfer_ids: Sequence[str], context: Context) -> list[Transfer | None]:
    """Transfers by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await transfers.transfers_by_id(context.known(), transfer_ids)
    return [Transfer.of(found[transfer_id]) if transfer_id in found else None for transfer_id in transfer_ids]


@batched
async def transfers_of(
    contract_ids: Sequence[str], _: Context, first: int, after: Cursor | None
) -> list[Connection[Transfer]]:
    """A page of the transfers of each contract: one statement for all that are asked for."""
    return await _pages(
        contract_ids, transfers.transfers_pages, lambda view: (view.id, Transfer.of(view)), first, after
    )


@batched
async def deposits_of(
    contract_ids: Sequence[str], _: Context, first: int, after: Cursor | None
) -> list[Connection[Deposit]]:
    """A page of the deposits of each contract: one statement for all that are asked for."""
    return await _pages(
        contract_ids, deposits.deposits_pages, lambda view: (view.deposit.id, Deposit.of(view)), first, after
    )


@batched
async def orders_of(
    contract_ids: Sequence[str], _: Context, first: int, after: Cursor | None
) -> list[Connection[PaymentOrder]]:
    """A page of the orders of each contract: one statement for all that are asked for."""
    return await _pages(contract_ids, orders.orders_pages, lambda view: (view.id, PaymentOrder.of(view)), first, after)


async def _pages(
    contract_ids: Sequence[str],
    read: Callable[..., Awaitable[dict[str, list[V]]]],
    show: Callable[[V], tuple[str, T]],
    first: int,
    after: Cursor | None,
) -> list[Connection[T]]:
    size = page_size(first)
    order = read.__name__
    start = read_cursor(after, order)[0] if after is not None else None
    found = await read(contract_ids, limit=size + 1, after=start)
    pages = []
    for contract_id in contract_ids:
        shown = [show(view) for view in found.get(contract_id, [])]
        pages.append(connection([(one, print_cursor(order, place)) for place, one in shown], first=size, after=after))
    return pages
