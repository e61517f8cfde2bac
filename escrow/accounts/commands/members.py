"""Commands on the members of an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from escrow.access import Role
from escrow.accounts.commands.base import AccountCommand
from escrow.accounts.rules import AccountAction


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDraft:
    """A person as whoever adds them describes them; `person` is an e-mail address or an identity provider's subject."""

    member_id: str
    person: str
    name: str


class AddMember(AccountCommand):
    """Lets a person act for an account."""

    action: ClassVar = AccountAction.ADD_MEMBER
    about: ClassVar = "member_id"
    account_id: str
    member_id: str
    person: str
    name: str
    role: Role


class RemoveMember(AccountCommand):
    """Takes that back, and ends the member's keys and sessions; a member who is gone already stays so."""

    action: ClassVar = AccountAction.REMOVE_MEMBER
    about: ClassVar = "member_id"
    needs_keys: ClassVar = True
    changes_keys: ClassVar = True
    member_id: str
