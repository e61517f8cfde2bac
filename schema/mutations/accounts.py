"""Mutations on accounts: creating, disabling and enabling them, and appointing and dismissing mediators, and setting rates."""

from __future__ import annotations

import strawberry

from escrow import ids
from escrow.access import AccountType
from escrow.accounts import commands
from escrow.ids import Kind
from schema.engine.fields import after, optional
from schema.mutations.running import Call, Payload, mutation
from schema.types.accounts import Account


@strawberry.type(description="The account after the mutation.")
class AccountPayload(Payload):
    account: Account | None = after("The account")


@strawberry.input(description="A person who will own an account.")
class OwnerInput:
    person: str = strawberry.field(description="Who it is: an e-mail address, or the subject of an identity provider.")
    name: str = strawberry.field(description="How they are called, 1 to 200 characters.")


@strawberry.input(description="A new account.")
class CreateAccountInput:
    name: str = strawberry.field(description="How it is called, 1 to 200 characters.")
    type: AccountType = strawberry.field(description="What kind of party it is.")
    owner: OwnerInput | None = optional("Its first owner, if there is one yet.")


@mutation("Opens an account for a party. For the operator.")
async def create_account(call: Call, given: CreateAccountInput) -> AccountPayload:
    owner = None
    if given.owner is not None:
        owner = commands.MemberDraft(member_id=ids.new(Kind.MEMBER), person=given.owner.person, name=given.owner.name)
    outcome = await call.run(
        commands.CreateAccount(account_id=ids.new(Kind.ACCOUNT), name=given.name, type=given.type, owner=owner)
    )
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="Which account is barred.")
class DisableAccountInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@mutation(
    "Bars an account from new business and ends its sessions, while clocks, refunds and payouts go on. For the operator."
)
async def disable_account(call: Call, given: DisableAccountInput) -> AccountPayload:
    outcome = await call.run(commands.DisableAccount(account_id=given.account_id))
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="Which account is let back.")
class EnableAccountInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@mutation("Takes the bar of an account away. For the operator.")
async def enable_account(call: Call, given: EnableAccountInput) -> AccountPayload:
    outcome = await call.run(commands.EnableAccount(account_id=given.account_id))
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="Which account becomes a mediator.")
class AppointMediatorInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@mutation("Lets an account decide disputes. For the operator.")
async def appoint_mediator(call: Call, given: AppointMediatorInput) -> AccountPayload:
    outcome = await call.run(commands.AppointMediator(account_id=given.account_id))
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="Which account is no mediator any more.")
class DismissMediatorInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@mutation("Takes the right to decide disputes back. For the operator.")
async def dismiss_mediator(call: Call, given: DismissMediatorInput) -> AccountPayload:
    outcome = await call.run(commands.DismissMediator(account_id=given.account_id))
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="How much an account may use of the service.")
class SetRateInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    points_per_second: int | None = optional(
        "What each of its keys may use in the long run, 100 to 100,000,000 points a second; null for what is granted to all."
    )


@mutation("Says how much of the service an account may use, all its keys together. For the operator.")
async def set_rate(call: Call, given: SetRateInput) -> AccountPayload:
    outcome = await call.run(commands.SetRate(account_id=given.account_id, points_per_second=given.points_per_second))
    return AccountPayload(account=Account.of_state(outcome.account))
