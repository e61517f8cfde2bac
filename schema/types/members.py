"""The type of the members of accounts, which the account itself and the operator see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.access import Role
from escrow.accounts import queries
from escrow.accounts import state as accounts
from escrow.accounts.queries import accounts_of_parts
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.common import Node


@strawberry.type(description="A person who acts for an account.")
class Member(Node):
    person: str = strawberry.field(description="Who it is: an e-mail address, or the subject of an identity provider.")
    name: str = strawberry.field(description="How the account calls them.")
    role: Role = strawberry.field(description="What they may do.")
    added_at: datetime = strawberry.field(description="Since when they act for the account.")
    removed_at: datetime | None = strawberry.field(description="Until when, if they don't any more.")

    @classmethod
    def of(cls, member: accounts.Member) -> Member:
        return cls(
            id=strawberry.ID(member.id),
            person=member.person,
            name=member.name,
            role=member.role,
            added_at=member.added_at,
            removed_at=member.removed_at,
        )


@data_loader
async def members_of(account_ids: Sequence[str], context: Context) -> list[list[Member] | None]:
    found = await queries.members_of(context.known(), list(dict.fromkeys(account_ids)))
    return [
        [Member.of(member) for member in found[account_id]] if account_id in found else None
        for account_id in account_ids
    ]


@data_loader
async def member_of(member_ids: Sequence[str], context: Context) -> list[Member | None]:
    """Present members by identifier, as far as the viewer may see them."""
    owners = await accounts_of_parts("members", member_ids)
    found = await queries.members_of(context.known(), owners)
    shown = {member.id: Member.of(member) for members in found.values() for member in members}
    return [shown.get(member_id) for member_id in member_ids]
