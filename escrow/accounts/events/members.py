"""Facts about the members of an account."""

from __future__ import annotations

from typing import ClassVar

from escrow.access import Role
from escrow.agreement.events import Event, Text


class MemberAdded(Event):
    """A person may act for the account. `person` is an e-mail address or an identity provider's subject."""

    type: ClassVar = "member.added"
    member_id: str
    role: Role
    person: Text
    name: Text


class MemberRemoved(Event):
    """A person no longer acts for the account; their keys end with this, each by a `key.revoked`."""

    type: ClassVar = "member.removed"
    member_id: str
