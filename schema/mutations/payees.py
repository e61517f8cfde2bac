"""The mutation that has an account taken on by the payment provider, so that it can be paid."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow.accounts import commands
from escrow.payments import payees
from schema.engine.fields import after, optional
from schema.mutations.running import Call, Payload, mutation
from schema.types.accounts import Account


@strawberry.type(description="Where the account gives the payment provider what it waits for.")
class ConnectPayeePayload(Payload):
    account: Account | None = after("The account")
    url: str | None = optional(
        "The provider's page for an owner of the account; it lives for minutes and is made anew by each call. Whoever has it "
        "acts as the payee. Null if the provider can't be asked just now: ask again."
    )
    until: datetime | None = optional(
        "Until when the page can be opened, in real time; null if the provider doesn't say."
    )


@strawberry.input(description="Which account wants to be paid.")
class ConnectPayeeInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    return_url: str | None = optional(
        "Where the provider's page leads back to, a URL with https; null for the deployment's own."
    )


@mutation(
    "Has an account taken on by the payment provider, so that it can be paid, and gives the page where it tells the provider "
    "what is missing. For owners of the account and the operator."
)
async def connect_payee(call: Call, given: ConnectPayeeInput) -> ConnectPayeePayload:
    outcome = await call.run(
        commands.ConnectPayee(
            account_id=given.account_id, provider=await payees.provider_name(), return_url=given.return_url
        )
    )
    link = await payees.link(outcome.account.id, return_url=given.return_url)
    return ConnectPayeePayload(
        account=Account.of_state(outcome.account),
        url=link.url if link is not None else None,
        until=link.until if link is not None else None,
    )
