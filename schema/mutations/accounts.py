"""Accounts, their members and keys, and what the operator decides."""

from __future__ import annotations

from datetime import datetime

import strawberry

from escrow import ids
from escrow.access import AccountType, Role, Scope
from escrow.accounts import commands, tokens
from escrow.accounts.running import Outcome
from escrow.ids import Kind
from schema.mutations.running import Call, Payload, mutation
from schema.types.accounts import Account, ApiKey, Member
from schema.types.contracts import Fees


@strawberry.type(description="The account after the mutation.")
class AccountPayload(Payload):
    account: Account | None = strawberry.field(
        default=None, description="The account; null if the mutation was refused."
    )


@strawberry.input(description="A person who will own an account.")
class OwnerInput:
    person: str = strawberry.field(description="Who it is: an e-mail address, or the subject of an identity provider.")
    name: str = strawberry.field(description="How they are called, 1 to 200 characters.")


@strawberry.input(description="A new account.")
class CreateAccountInput:
    name: str = strawberry.field(description="How it is called, 1 to 200 characters.")
    type: AccountType = strawberry.field(description="What kind of party it is.")
    owner: OwnerInput | None = strawberry.field(default=None, description="Its first owner, if there is one yet.")


@mutation("Opens an account for a party. For the operator.")
async def create_account(call: Call, given: CreateAccountInput) -> AccountPayload:
    owner = None
    if given.owner is not None:
        owner = commands.MemberDraft(member_id=ids.new(Kind.MEMBER), person=given.owner.person, name=given.owner.name)
    outcome = await call.run_account(
        commands.CreateAccount(account_id=ids.new(Kind.ACCOUNT), name=given.name, type=given.type, owner=owner)
    )
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="Which account is barred.")
class DisableAccountInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@mutation("Bars an account from new business, while clocks, refunds and payouts go on. For the operator.")
async def disable_account(call: Call, given: DisableAccountInput) -> AccountPayload:
    outcome = await call.run_account(commands.DisableAccount(account_id=given.account_id))
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="Which account is let back.")
class EnableAccountInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@mutation("Takes the bar of an account away. For the operator.")
async def enable_account(call: Call, given: EnableAccountInput) -> AccountPayload:
    outcome = await call.run_account(commands.EnableAccount(account_id=given.account_id))
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="Which account becomes a mediator.")
class AppointMediatorInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@mutation("Lets an account decide disputes. For the operator.")
async def appoint_mediator(call: Call, given: AppointMediatorInput) -> AccountPayload:
    outcome = await call.run_account(commands.AppointMediator(account_id=given.account_id))
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.input(description="Which account is no mediator any more.")
class DismissMediatorInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")


@mutation("Takes the right to decide disputes back. For the operator.")
async def dismiss_mediator(call: Call, given: DismissMediatorInput) -> AccountPayload:
    outcome = await call.run_account(commands.DismissMediator(account_id=given.account_id))
    return AccountPayload(account=Account.of_state(outcome.account))


@strawberry.type(description="The account and the member after the mutation.")
class MemberPayload(Payload):
    account: Account | None = strawberry.field(
        default=None, description="The account; null if the mutation was refused."
    )
    member: Member | None = strawberry.field(default=None, description="The member; null if the mutation was refused.")


@strawberry.input(description="A person who will act for an account.")
class AddMemberInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    person: str = strawberry.field(description="Who it is: an e-mail address, or the subject of an identity provider.")
    name: str = strawberry.field(description="How they are called, 1 to 200 characters.")
    role: Role = strawberry.field(description="What they may do.")


@mutation("Lets a person act for an account. For its owners and the operator.")
async def add_member(call: Call, given: AddMemberInput) -> MemberPayload:
    outcome = await call.run_account(
        commands.AddMember(
            account_id=given.account_id,
            member_id=ids.new(Kind.MEMBER),
            person=given.person,
            name=given.name,
            role=given.role,
        )
    )
    return MemberPayload(account=Account.of_state(outcome.account), member=_member(outcome))


@strawberry.input(description="Which member goes.")
class RemoveMemberInput:
    member_id: strawberry.ID = strawberry.field(description="The member.")


@mutation(
    "Ends a member's part in an account, and their keys. The last owner cannot be removed. For owners and the operator."
)
async def remove_member(call: Call, given: RemoveMemberInput) -> MemberPayload:
    outcome = await call.run_account(commands.RemoveMember(member_id=given.member_id))
    return MemberPayload(account=Account.of_state(outcome.account), member=_member(outcome))


@strawberry.type(description="The account and the key after the mutation.")
class ApiKeyPayload(Payload):
    account: Account | None = strawberry.field(
        default=None, description="The account; null if the mutation was refused."
    )
    api_key: ApiKey | None = strawberry.field(default=None, description="The key; null if the mutation was refused.")


@strawberry.type(description="The account, the key and its secret after the mutation.")
class CreateApiKeyPayload(Payload):
    account: Account | None = strawberry.field(
        default=None, description="The account; null if the mutation was refused."
    )
    api_key: ApiKey | None = strawberry.field(default=None, description="The key; null if the mutation was refused.")
    secret: str | None = strawberry.field(
        default=None,
        description="What the program sends as `Authorization: Bearer …`. Shown this once: null if an earlier call made the key.",
    )


@strawberry.input(description="A key for a program that will act for an account.")
class CreateApiKeyInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    name: str = strawberry.field(description="What it is for, 1 to 200 characters.")
    scopes: list[Scope] = strawberry.field(description="What it may be used for; no more than the key that makes it.")
    member_id: strawberry.ID | None = strawberry.field(
        default=None, description="The member that it acts as; null to act as an owner, within its scopes."
    )
    contract_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="The only contracts that it reaches, at most 100; null for all of the account's."
    )
    expires_at: datetime | None = strawberry.field(default=None, description="When it stops working by itself.")


@mutation("Makes a key for a program. Its secret is in this answer and nowhere else. For owners and the operator.")
async def create_api_key(call: Call, given: CreateApiKeyInput) -> CreateApiKeyPayload:
    outcome = await call.run_account(
        commands.CreateApiKey(
            account_id=given.account_id,
            key_id=ids.new(Kind.KEY),
            name=given.name,
            scopes=tuple(given.scopes),
            token=tokens.new(),
            member_id=given.member_id,
            contract_ids=tuple(given.contract_ids) if given.contract_ids is not None else None,
            expires_at=given.expires_at,
        )
    )
    return CreateApiKeyPayload(
        account=Account.of_state(outcome.account),
        api_key=_key(outcome),
        secret=outcome.token.text if outcome.token is not None else None,
    )


@strawberry.input(description="Which key ends.")
class RevokeApiKeyInput:
    key_id: strawberry.ID = strawberry.field(description="The key.")


@mutation("Ends a key at once. For owners and the operator.")
async def revoke_api_key(call: Call, given: RevokeApiKeyInput) -> ApiKeyPayload:
    outcome = await call.run_account(commands.RevokeApiKey(key_id=given.key_id))
    return ApiKeyPayload(account=Account.of_state(outcome.account), api_key=_key(outcome))


@strawberry.type(description="The fees after the mutation.")
class SetFeesPayload(Payload):
    fees: Fees | None = strawberry.field(
        default=None, description="What the operator takes; null if the mutation was refused."
    )


@strawberry.input(description="What the operator takes, in basis points (hundredths of a percent).")
class SetFeesInput:
    client_basis_points: int = strawberry.field(description="From the client with each deposit, 0 to 10,000.")
    freelancer_basis_points: int = strawberry.field(description="From what is paid to the freelancer, 0 to 10,000.")


@mutation("Sets the fees of this deployment. Proposals and revisions from now on carry them. For the operator.")
async def set_fees(call: Call, given: SetFeesInput) -> SetFeesPayload:
    outcome = await call.run_account(
        commands.SetFees(client_bps=given.client_basis_points, freelancer_bps=given.freelancer_basis_points)
    )
    return SetFeesPayload(fees=Fees.of(outcome.account.fees))


def _member(outcome: Outcome) -> Member:
    return Member.of(outcome.account.members[outcome.result["member_id"]])


def _key(outcome: Outcome) -> ApiKey:
    return ApiKey.of(outcome.account.keys[outcome.result["key_id"]])


FIELDS = [
    create_account, disable_account, enable_account, appoint_mediator, dismiss_mediator, add_member, remove_member,
    create_api_key, revoke_api_key, set_fees,
]  # fmt: skip
