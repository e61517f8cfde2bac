"""Mutations on the members of accounts: adding and removing them."""

from __future__ import annotations

import strawberry

from escrow import ids, lineage
from escrow.access import Role
from escrow.accounts import commands
from escrow.ids import Kind
from escrow.pipeline import AccountOutcome
from schema.engine.fields import after
from schema.mutations.running import Call, Payload, mutation
from schema.types.accounts import Account
from schema.types.members import Member


@strawberry.type(description="The account and the member after the mutation.")
class MemberPayload(Payload):
    account: Account | None = after("The account")
    member: Member | None = after("The member")


@strawberry.input(description="A person who will act for an account.")
class AddMemberInput:
    account_id: strawberry.ID = strawberry.field(description="The account.")
    person: str = strawberry.field(description="Who it is: an e-mail address, or the subject of an identity provider.")
    name: str = strawberry.field(description="How they are called, 1 to 200 characters.")
    role: Role = strawberry.field(description="What they may do.")


@mutation("Lets a person act for an account. For its owners and the operator.")
async def add_member(call: Call, given: AddMemberInput) -> MemberPayload:
    outcome = await call.run(
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
    "Ends a member's part in an account, and their keys and sessions. The last owner cannot be removed. For owners and the "
    "operator."
)
async def remove_member(call: Call, given: RemoveMemberInput) -> MemberPayload:
    outcome = await call.run(commands.RemoveMember(member_id=given.member_id))
    await lineage.end_sessions_elsewhere(outcome, by=call.actor)
    return MemberPayload(account=Account.of_state(outcome.account), member=_member(outcome))


def _member(outcome: AccountOutcome) -> Member:
    return Member.of(outcome.account.members[outcome.result["member_id"]])
