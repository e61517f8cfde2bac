"""Decides on members: who is added, who is removed, and that an owner is left."""

from __future__ import annotations

from typing import Final

from escrow import ids
from escrow.access import Actor, Role
from escrow.accounts import commands, events, inputs
from escrow.accounts.decisions import sessions
from escrow.accounts.decisions.base import Context, Decisions, Events, own, there
from escrow.accounts.state import MEMBERS_MAX, Account, Member
from escrow.agreement.permit import same_party
from escrow.errors import InvalidState, NotFound


def _add_member(state: Account | None, command: commands.AddMember, context: Context) -> Events:
    account = there(state)
    if len(account.present_members) >= MEMBERS_MAX:
        raise InvalidState(f"An account has at most {MEMBERS_MAX} members.")
    if command.member_id in account.members:
        raise InvalidState(f"There is a member {command.member_id} already.")
    same = [member for member in account.present_members if member.person == inputs.spelling(command.person)]
    if same:
        raise InvalidState("This person is a member already.", field="person", details={"memberId": same[0].id})
    if context.around.shared_with is not None:
        raise same_party()
    draft = commands.MemberDraft(member_id=command.member_id, person=command.person, name=command.name)
    return (member_added(draft, command.role),)


def member_added(draft: commands.MemberDraft, role: Role, *, field: str = "") -> events.MemberAdded:
    return events.MemberAdded(
        member_id=inputs.identifier(ids.Kind.MEMBER, draft.member_id, field=f"{field}memberId"),
        role=role,
        person=inputs.person(draft.person, field=f"{field}person"),
        name=inputs.name(draft.name, field=f"{field}name"),
    )


def _remove_member(state: Account | None, command: commands.RemoveMember, context: Context) -> Events:
    account, member = member_found(state, command, context.actor)
    if member.removed_at is not None:
        return ()
    owners = [other for other in account.present_members if other.role is Role.OWNER]
    if owners == [member]:
        raise InvalidState("The last owner cannot be removed; add another owner first.", field="memberId")
    ended = [key for key in account.valid_keys if key.member_id == member.id]
    reason = events.RevocationReason.MEMBER_REMOVED
    return (
        events.MemberRemoved(member_id=member.id),
        *(events.KeyRevoked(key_id=key.id, reason=reason) for key in ended),
        *sessions.ended_with_member(account, member.id, {key.id for key in ended}),
    )


def member_found(state: Account | None, command: commands.RemoveMember, actor: Actor) -> tuple[Account, Member]:
    account = own(state, actor)
    member = account.members.get(command.member_id) if account is not None else None
    if account is None or member is None:
        raise NotFound(f"There is no member {command.member_id}.", field="memberId")
    return account, member


DECISIONS: Final[Decisions] = {
    commands.AddMember: _add_member,
    commands.RemoveMember: _remove_member,
}
