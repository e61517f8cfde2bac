"""The members of accounts, as an actor may see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from escrow import database
from escrow.access import Actor
from escrow.accounts.queries.accounts import _whole
from escrow.accounts.state import Member
from escrow.accounts.tables import MEMBERS


async def members_of(actor: Actor, account_ids: Sequence[str]) -> dict[str, list[Member]]:
    """The present members of each account whose members the actor may see, oldest first."""
    found: dict[str, list[Member]] = {one: [] for one in _whole(actor, account_ids)}
    for row in await database.fetch(_MEMBERS, list(found)):
        found[row["account_id"]].append(MEMBERS.read(row))
    return found


_MEMBERS: Final = f"""
SELECT {MEMBERS.select("member")} FROM members AS member
WHERE account_id = ANY ($1::text[]) AND removed_at IS NULL ORDER BY account_id, id
"""  # noqa: S608 - our own columns
