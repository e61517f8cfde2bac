"""Mutations on payouts to the freelancer: requesting one, and switching automatic ones on or off."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.agreement import commands
from escrow.ids import Kind
from escrow.pipeline import ContractOutcome
from schema.engine.context import Info
from schema.engine.fields import after, optional, resolved
from schema.inputs import MoneyInput, raw_money_or_none
from schema.mutations.payloads import contract_answer
from schema.mutations.running import Call, Payload, contract_after, on_contract
from schema.types.contracts import Contract
from schema.types.orders import PaymentOrder, order_of


@strawberry.type(description="The contract and the order to the payment provider after the mutation.")
class RequestPayoutPayload(Payload):
    contract: Contract | None = after("The contract")
    payment_order_id: strawberry.ID | None = after("The order to the payment provider")

    @resolved("The order to the payment provider; null if the mutation was refused.")
    async def payment_order(self, info: Info) -> PaymentOrder | None:
        return await order_of(self.payment_order_id, info.context) if self.payment_order_id is not None else None


async def _paid_out(_: Call, outcome: ContractOutcome) -> RequestPayoutPayload:
    return RequestPayoutPayload(
        contract=contract_after(outcome), payment_order_id=strawberry.ID(outcome.result["order_id"])
    )


@strawberry.input(description="What is paid out, and of which contract.")
class RequestPayoutInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    amount: MoneyInput | None = optional("How much; null for all that is payable to the freelancer.")


@on_contract(
    "Has what is payable to the freelancer of a contract paid out. The payment provider carries it out later.",
    _paid_out,
)
def request_payout(given: RequestPayoutInput) -> commands.RequestPayout:
    return commands.RequestPayout(
        contract_id=given.contract_id, order_id=ids.new(Kind.ORDER), amount=raw_money_or_none(given.amount)
    )


@strawberry.input(description="Whether the freelancer of a contract is paid out by itself.")
class SetPayoutsInput:
    contract_id: strawberry.ID = strawberry.field(description="The contract.")
    automatic: bool = strawberry.field(
        description="True: whenever something becomes payable. False: only with `requestPayout`."
    )


@on_contract(
    "Has the freelancer of a contract paid out by itself whenever something becomes payable, or only when asked. Switching it on "
    "pays out what is payable now. For owners of the freelancer's account.",
    contract_answer,
)
def set_payouts(given: SetPayoutsInput) -> commands.SetPayouts:
    return commands.SetPayouts(contract_id=given.contract_id, automatic=given.automatic)
