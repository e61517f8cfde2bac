"""Ends what a key has made in other accounts than its own: the operator's keys make keys of any account.

Each account is a stream of its own, so this is a command for each. It may be cut short anywhere: asking again goes on.
"""

from __future__ import annotations

from typing import Final

from escrow import database, pipeline
from escrow.access import Actor
from escrow.accounts.commands import RevokeApiKey
from escrow.accounts.store import line_sql


async def revoke_elsewhere(key_id: str, *, by: Actor) -> None:
    """End every key that came of this one and still opens something, wherever it is. The key itself has ended before."""
    while made := await database.fetch_value(_LIVING, key_id):
        await pipeline.run(RevokeApiKey(key_id=made, with_descendants=True), by=by)


_LIVING: Final = f"""
SELECT id FROM api_keys WHERE id IN ({line_sql("$1")}) AND id <> $1 AND revoked_at IS NULL ORDER BY id LIMIT 1
"""  # noqa: S608 - only our own query is filled in
