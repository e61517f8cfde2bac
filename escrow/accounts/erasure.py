"""Erases who a former member was: name and person, in the table and beside the events; the chain stays whole.

A present member has to be removed first: who acts for an account must be known, and two parties may not share a person.
"""

from __future__ import annotations

from typing import Final

from escrow import database, ids
from escrow.errors import InvalidState, NotFound
from escrow.idempotency import NO_INPUT_SQL


async def erase_member(member_id: str) -> bool:
    """Erase a removed member's name and person; answers whether there was anything left to erase.

    Refuses with `NotFound` somebody who never was a member, and with `InvalidState` one who still is.
    """
    async with database.transaction():
        row = await database.fetch_row(_FIND, member_id) if ids.is_a(ids.Kind.MEMBER, member_id) else None
        if row is None:
            raise NotFound(f"There is no member {member_id}.", field="memberId")
        if row["removed_at"] is None:
            raise InvalidState("This is a member still; remove them first.", field="memberId")
        erased = await database.fetch(_ERASE, row["account_id"], member_id)
        await database.execute("UPDATE members SET person = '', name = '' WHERE id = $1", member_id)
        await database.execute(_FORGET_INPUTS, member_id)
    return bool(erased)


# Nobody becomes a member again under the same id, so the row of a removed one is changed by nobody else.
_FIND: Final = "SELECT account_id, removed_at FROM members WHERE id = $1 FOR NO KEY UPDATE"

_ERASE: Final = """
UPDATE texts SET body = NULL, salt = NULL, erased_at = clock_timestamp()
FROM events
WHERE texts.stream_id = $1 AND texts.event_id = events.id AND events.stream_id = $1 AND events.type = 'member.added'
AND events.body::jsonb -> 'data' ->> 'memberId' = $2 AND texts.erased_at IS NULL
RETURNING texts.field
"""

_FORGET_INPUTS: Final = f"""
UPDATE idempotency_keys SET input_sha256 = {NO_INPUT_SQL} WHERE contract_id IS NULL AND result ->> 'member_id' = $1
"""  # noqa: S608 - a constant
