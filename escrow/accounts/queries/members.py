"""The members of accounts, as an actor may see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from escrow import database
from escrow.access import Actor, Role
from escrow.accounts.queries.accounts import _whole
from escrow.accounts.state import Member


async def members_of(actor: Actor, account_ids: Sequence[str]) -> dict[str, list[Member]]:
    """The present members of each account whose members the actor may see, oldest first."""
    found: dict[str, list[Member]] = {one: [] for one in _whole(actor, account_ids)}
    for row in await database.fetch(_MEMBERS, list(found)):
        member = Member(row["id"], row["person"], row["name"], Role(row["role"]), row["added_at"])
        found[row["account_id"]].append(member)
    return found


_MEMBERS: Final = """
SELECT account_id, id, person, name, role, added_at
FROM members WHERE account_id = ANY ($1::text[]) AND removed_at IS NULL ORDER BY account_id, id
"""
