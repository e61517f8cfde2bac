"""Ends what a key has made in other accounts than its own: the operator's keys make keys and sessions of any account.

Each account is a stream of its own, so this is a command for each. It may be cut short anywhere: asking again goes on. A
session opens nothing as soon as its key has ended, so what is left of it here is to say so in its account's log.
"""

from __future__ import annotations

from typing import Final

from escrow import database, ids, pipeline
from escrow.access import Actor
from escrow.accounts.commands import RevokeApiKey, RevokeSession
from escrow.accounts.store import line_sql
from escrow.pipeline import AccountOutcome


async def revoke_elsewhere(key_id: str, *, by: Actor) -> None:
    """End every key and session that came of this key and still opens something, wherever it is. The key itself has ended
    before."""
    while made := await database.fetch_value(_LIVING, key_id):
        if ids.is_a(ids.Kind.SESSION, made):
            await pipeline.run(RevokeSession(session_id=made, for_its_maker=True), by=by)
        else:
            await pipeline.run(RevokeApiKey(key_id=made, with_descendants=True), by=by)


async def end_sessions_elsewhere(outcome: AccountOutcome, *, by: Actor) -> None:
    """End the sessions that the key which a command has ended, or the keys of the member, made in other accounts: only the
    operator's have any. The command may have been a repetition."""
    if not outcome.account.is_operator:
        return
    ended = outcome.account.id, outcome.result.get("key_id"), outcome.result.get("member_id")
    while made := await database.fetch_value(_SESSIONS, *ended):
        await pipeline.run(RevokeSession(session_id=made, for_its_maker=True), by=by)


_SESSIONS: Final = """
SELECT id FROM sessions
WHERE created_by IN (
    SELECT id FROM api_keys WHERE account_id = $1 AND (id = $2 OR member_id = $3) AND revoked_at IS NOT NULL)
AND ended_at IS NULL AND expires_at > statement_timestamp() ORDER BY id LIMIT 1
"""

_LIVING: Final = f"""
WITH line AS MATERIALIZED ({line_sql("$1")})
(SELECT id FROM api_keys WHERE id IN (SELECT id FROM line) AND id <> $1 AND revoked_at IS NULL ORDER BY id LIMIT 1)
UNION ALL
(SELECT id FROM sessions WHERE created_by IN (SELECT id FROM line) AND ended_at IS NULL AND expires_at > statement_timestamp()
ORDER BY id LIMIT 1)
LIMIT 1
"""  # noqa: S608 - only our own query is filled in
