"""The sessions of accounts, as an actor may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from escrow import database
from escrow.access import Actor
from escrow.accounts.queries.accounts import _whole
from escrow.accounts.state import Session
from escrow.accounts.tables import SESSIONS
from escrow.queries.views import Pages


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session and whose it is."""

    account_id: str
    session: Session


async def sessions_of(actor: Actor, account_ids: Sequence[str]) -> dict[str, list[SessionView]]:
    """The sessions that open something, or wait to be opened, of each account whose sessions the actor may see, oldest
    first."""
    found: dict[str, list[SessionView]] = {one: [] for one in _whole(actor, account_ids)}
    for row in await database.fetch(_OF_ACCOUNTS, list(found)):
        found[row["account_id"]].append(_view(row))
    return found


async def sessions_by_id(actor: Actor, session_ids: Sequence[str]) -> dict[str, SessionView]:
    """Those of the sessions that live and that the actor may see, by id: those of its account, and always its own."""
    rows = await database.fetch(_BY_ID, session_ids)
    whole = set(_whole(actor, sorted({row["account_id"] for row in rows})))
    return {row["id"]: _view(row) for row in rows if row["account_id"] in whole or row["id"] == actor.session_id}


def _view(row: database.Record) -> SessionView:
    return SessionView(row["account_id"], SESSIONS.read(row))


_LIVING: Final = f"""
SELECT {SESSIONS.select("one")} FROM (
    SELECT session.* FROM sessions AS session LEFT JOIN api_keys AS maker ON maker.id = session.created_by
    WHERE session.ended_at IS NULL AND session.expires_at > statement_timestamp()
    AND maker.revoked_at IS NULL AND (maker.expires_at IS NULL OR maker.expires_at > clock_timestamp())
) AS one
"""  # noqa: S608 - our own columns

_OF_ACCOUNTS: Final = f"{_LIVING} WHERE one.account_id = ANY ($1::text[]) ORDER BY one.account_id, one.id"

_BY_ID: Final = f"{_LIVING} WHERE one.id = ANY ($1::text[])"

SESSIONS_LIVING: Final = Pages(select=_LIVING, read=_view)
"""The sessions of accounts page by page, those that open something or wait to be opened. Whether they may be seen is the
caller's question."""
