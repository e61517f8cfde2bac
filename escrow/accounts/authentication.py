"""Finds whose key a token is, with one statement; `escrow.accounts.known_keys` remembers it for a moment.

Keys are real-world things: they expire by the real clock, whatever the test clock says.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final, NamedTuple

from escrow import database, ids
from escrow.access import Actor, ActorKind, Role, Scope
from escrow.accounts import tokens
from escrow.accounts.inputs import spelling
from escrow.accounts.tokens import Token


class OpensNothing(Exception):
    """Credentials name nobody, or nobody any more."""


class Found(NamedTuple):
    """The actor of a key, and for how many seconds yet, by the database's clock; `None` without an expiry."""

    actor: Actor
    seconds: float | None


async def authenticate(token: str) -> Actor | None:
    """The actor of a key's or session's token, as its account and member are now.

    `None` for what neither looks like (without a statement), and for one that is unknown, revoked or expired, or whose
    member was removed; for a session also if the key that made it is. A disabled account's keys stay good: what they may still
    do is the commands' decision.
    """
    shown = tokens.read(token)
    found = await find(shown) if shown is not None else None
    return found.actor if found is not None else None


async def find(token: Token) -> Found | None:
    """The same for a token that looks like one, and for how long; one statement."""
    if token.is_sessions:
        return await _session(_SESSION, token.digest)
    row = await database.fetch_row(_FIND, token.digest)
    return Found(_actor(row, frozenset(map(Scope, row["scopes"]))), row["seconds"]) if row is not None else None


async def of_link(code: Token) -> Actor | None:
    """The session that this code opens, or has opened, or would have if it had not ended; `None` for an unknown code."""
    found = await _session(_OF_LINK, code.digest)
    return found.actor if found is not None else None


async def _session(statement: str, digest: bytes) -> Found | None:
    row = await database.fetch_row(statement, digest)
    if row is None:
        return None
    actor = replace(
        _actor(row, frozenset(map(Scope, row["scopes"]))),
        session_id=row["session_id"],
        origins=frozenset(row["origins"]),
        made_by=row["created_by"],
    )
    return Found(actor, row["seconds"])


async def authenticate_member(account_id: str, person: str, *, scopes: frozenset[Scope], until: float) -> Actor | None:
    """The member of an account who is that person, as they are now; `None` if there is none (any more). One statement.

    Whoever asks has made sure of the person, and says until when that holds (seconds since 1970).
    """
    if not ids.is_a(ids.Kind.ACCOUNT, account_id):
        return None
    row = await database.fetch_row(_MEMBER, account_id, spelling(person))
    return _actor(row, scopes, until=until) if row is not None else None


class Life(NamedTuple):
    """For how many seconds yet credentials open something, `None` without an expiry; and what may change meanwhile of what."""

    seconds: float | None
    is_mediator: bool


async def lives(credentials: Collection[str]) -> dict[str, Life]:
    """Those of the keys and sessions, and of the members who came without one, that open something now; one statement."""
    rows = await database.fetch(_LIVING, list(credentials))
    return {row["id"]: Life(row["seconds"], row["is_mediator"]) for row in rows}


_LIVES: Final = """key.revoked_at IS NULL AND member.removed_at IS NULL
AND (key.expires_at IS NULL OR key.expires_at > clock_timestamp())"""

_SECONDS: Final = "extract(epoch FROM key.expires_at - clock_timestamp())::float8 AS seconds"

_FIND: Final = f"""
SELECT key.id AS key_id, key.account_id, key.member_id, key.scopes, key.contract_ids, member.role, account.is_operator,
    account.is_mediator, account.points_per_second, {_SECONDS}
FROM api_keys AS key
JOIN accounts AS account ON account.id = key.account_id
LEFT JOIN members AS member ON member.id = key.member_id
WHERE key.secret_sha256 = $1 AND {_LIVES}
"""  # noqa: S608 - a constant of this module

_MAKER_LIVES: Final = (
    """maker.revoked_at IS NULL AND (maker.expires_at IS NULL OR maker.expires_at > clock_timestamp())"""
)

_SESSION_LIVES: Final = f"""session.ended_at IS NULL AND session.expires_at > clock_timestamp()
AND session.opens_for_seconds IS NULL AND member.removed_at IS NULL AND {_MAKER_LIVES}"""

_SESSION_SECONDS: Final = """extract(epoch FROM least(session.expires_at, maker.expires_at) - clock_timestamp())::float8
    AS seconds"""

_OF_SESSIONS: Final = f"""
SELECT NULL AS key_id, session.id AS session_id, session.account_id, session.member_id, session.scopes, session.contract_ids,
    session.origins, session.created_by, member.role, account.is_operator, account.is_mediator, account.points_per_second,
    {_SESSION_SECONDS}
FROM sessions AS session
JOIN accounts AS account ON account.id = session.account_id
LEFT JOIN members AS member ON member.id = session.member_id
LEFT JOIN api_keys AS maker ON maker.id = session.created_by
"""  # noqa: S608 - a constant of this module

_SESSION: Final = f"{_OF_SESSIONS} WHERE session.secret_sha256 = $1 AND {_SESSION_LIVES}"

_OF_LINK: Final = f"{_OF_SESSIONS} WHERE session.code_sha256 = $1 AND {_MAKER_LIVES}"

_THEIR_ACCOUNT: Final = (
    "CROSS JOIN LATERAL (SELECT is_mediator FROM accounts WHERE id = {holder}.account_id OFFSET 0) AS account"
)

_LIVING: Final = f"""
SELECT key.id, {_SECONDS}, account.is_mediator
FROM unnest($1::text[]) AS asked (id)
CROSS JOIN LATERAL (SELECT * FROM api_keys WHERE id = asked.id OFFSET 0) AS key
{_THEIR_ACCOUNT.format(holder="key")}
LEFT JOIN members AS member ON member.id = key.member_id
WHERE {_LIVES}
UNION ALL
SELECT session.id, {_SESSION_SECONDS}, account.is_mediator
FROM unnest($1::text[]) AS asked (id)
CROSS JOIN LATERAL (SELECT * FROM sessions WHERE id = asked.id OFFSET 0) AS session
{_THEIR_ACCOUNT.format(holder="session")}
LEFT JOIN members AS member ON member.id = session.member_id
LEFT JOIN api_keys AS maker ON maker.id = session.created_by
WHERE {_SESSION_LIVES}
UNION ALL
SELECT member.id, NULL, account.is_mediator
FROM (SELECT id, account_id FROM members WHERE id = ANY ($1::text[]) AND removed_at IS NULL) AS member
{_THEIR_ACCOUNT.format(holder="member")}
"""  # noqa: S608 - a constant of this module

_MEMBER: Final = """
SELECT NULL AS key_id, member.account_id, member.id AS member_id, NULL AS contract_ids, member.role, account.is_operator,
    account.is_mediator, account.points_per_second
FROM members AS member JOIN accounts AS account ON account.id = member.account_id
WHERE member.account_id = $1 AND member.person = $2 AND member.removed_at IS NULL
"""


def _actor(row: database.Record, scopes: frozenset[Scope], *, until: float | None = None) -> Actor:
    return Actor(
        kind=ActorKind.OPERATOR if Scope.OPERATOR in scopes and row["is_operator"] else ActorKind.ACCOUNT,
        account_id=row["account_id"],
        key_id=row["key_id"],
        member_id=row["member_id"],
        role=Role(row["role"]) if row["role"] is not None else Role.OWNER,
        scopes=scopes,
        contract_ids=frozenset(row["contract_ids"]) if row["contract_ids"] is not None else None,
        is_mediator=row["is_mediator"],
        points_per_second=row["points_per_second"],
        until=until,
    )
