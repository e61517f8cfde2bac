"""The work handed in for milestones, as an actor may see it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from escrow import database, ids
from escrow.access import Actor
from escrow.agreement.state import Submission
from escrow.ids import Kind
from escrow.queries.visibility import SEEN_BY, sees
from escrow.store.tables import SUBMISSIONS

_SUBMISSION: Final = SUBMISSIONS.select("s")


async def submissions_pages(
    milestone_ids: Collection[str], *, limit: int, after: int | None
) -> dict[str, list[Submission]]:
    """For each milestone at most `limit` submissions in order, those after the number `after`; one statement."""
    rows = await database.fetch(
        f"""
        SELECT found.* FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
            SELECT {_SUBMISSION} FROM submissions s WHERE s.milestone_id = asked.id AND s.number > $3
            ORDER BY s.number LIMIT $2
        ) found
        """,  # noqa: S608 - our own text
        sorted(set(milestone_ids)),
        limit,
        after or 0,
    )
    found: dict[str, list[Submission]] = {}
    for row in rows:
        found.setdefault(row["milestone_id"], []).append(SUBMISSIONS.read(row))
    return found


async def contract_submissions_pages(
    contract_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[Submission]]:
    """For each contract at most `limit` submissions in order of their making, those after the id `after`; one statement."""
    rows = await database.fetch(
        f"""
        SELECT found.* FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
            SELECT {_SUBMISSION} FROM submissions s WHERE s.contract_id = asked.id AND s.id > $3
            ORDER BY s.id LIMIT $2
        ) found
        """,  # noqa: S608 - our own text
        sorted(set(contract_ids)),
        limit,
        after or "",
    )
    found: dict[str, list[Submission]] = {}
    for row in rows:
        found.setdefault(row["contract_id"], []).append(SUBMISSIONS.read(row))
    return found


async def submissions_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, Submission]:
    """Those of the submissions that exist and that the actor may see, by identifier; one statement."""
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(Kind.SUBMISSION, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(
        f"""
        SELECT {_SUBMISSION}, {SEEN_BY} FROM submissions s JOIN contracts c ON c.id = s.contract_id
        WHERE s.id = ANY($1::text[])
        """,  # noqa: S608 - our own text
        wanted,
    )
    return {row["id"]: SUBMISSIONS.read(row) for row in rows if sees(actor, row, contract_id=row["contract_id"])}
