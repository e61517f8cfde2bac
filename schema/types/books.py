"""The types that tell where the money of a contract is: held, released, refunded, payable."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from escrow.queries import contracts
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.common import Money, money_of


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


@data_loader
async def escrow_of(contract_ids: Sequence[str], _: Context) -> list[contracts.Books]:
    """The money of contracts: one statement for all that are asked for."""
    found = await contracts.books(contract_ids)
    return [found[contract_id] for contract_id in contract_ids]
