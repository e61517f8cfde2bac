"""Milestones and the work handed in for them, as an actor may see them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from escrow import database, ids
from escrow.access import Actor
from escrow.agreement.state import Milestone, Submission
from escrow.database import Record
from escrow.ids import Kind
from escrow.lifecycle import MilestoneState
from escrow.queries.visibility import SEEN_BY, roles, sees
from escrow.store_rows import MILESTONE, SUBMISSION, columns, milestone_of, submission_of

_MILESTONE: Final = columns(MILESTONE, of="m")
_SUBMISSION: Final = columns(SUBMISSION, of="s")


@dataclass(frozen=True, slots=True)
class MilestoneView:
    """A milestone, and of its contract what its answer needs."""

    milestone: Milestone
    contract_id: str
    currency: str


async def milestones_of(contract_ids: Collection[str]) -> dict[str, tuple[Milestone, ...]]:
    """The current plan of each of these contracts, in order of position; one statement."""
    rows = await database.fetch(
        f"""
        SELECT {_MILESTONE}
        FROM contracts c JOIN milestones m ON m.contract_id = c.id AND m.revision = c.revision
        WHERE c.id = ANY($1::text[]) ORDER BY m.contract_id, m.position
        """,  # noqa: S608 - our own text
        sorted(set(contract_ids)),
    )
    found: dict[str, list[Milestone]] = {}
    for row in rows:
        found.setdefault(row["contract_id"], []).append(milestone_of(tuple(row)))
    return {contract_id: tuple(milestones) for contract_id, milestones in found.items()}


async def milestones_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, MilestoneView]:
    """Those of the milestones, of any revision, that exist and that the actor may see, by identifier; one statement."""
    wanted = [identifier for identifier in set(identifiers) if ids.is_a(Kind.MILESTONE, identifier)]
    if not wanted:
        return {}
    rows = await database.fetch(
        f"""
        SELECT {_MILESTONE}, c.currency, {SEEN_BY}
        FROM milestones m JOIN contracts c ON c.id = m.contract_id WHERE m.id = ANY($1::text[])
        """,  # noqa: S608 - our own text
        wanted,
    )
    return {row["id"]: _view(row) for row in rows if sees(actor, row, contract_id=row["contract_id"])}


async def milestones_page(
    actor: Actor,
    *,
    contract_id: str | None,
    states: Collection[MilestoneState] | None,
    due_before: date | None = None,
    deadline_before: datetime | None = None,
    limit: int,
    after: tuple[str, int] | None,
) -> list[MilestoneView]:
    """At most `limit` milestones of current plans: those of the newest contract first, in each in order of position.

    `due_before` is about the date that the parties agreed on, `deadline_before` about the clock that runs on it. `after`
    is the contract and the position of the last one before.
    """
    if contract_id is not None and not ids.is_a(Kind.CONTRACT, contract_id):
        return []
    states_given = sorted(states) if states is not None else None
    within = sorted(actor.contract_ids) if actor.contract_ids is not None else None
    narrowed = (contract_id, states_given, within, after, due_before, deadline_before)
    scans = " UNION ALL ".join(f"({_scan(role, *narrowed)})" for role in roles(actor))
    rows = await database.fetch(
        f"SELECT * FROM ({scans}) found ORDER BY contract_id DESC, position LIMIT $2",  # noqa: S608 - our own text
        actor.account_id,
        limit,
        contract_id,
        states_given,
        within,
        *(after or (None, None)),
        due_before,
        deadline_before,
    )
    return [_view(row) for row in rows]


def _scan(
    role: str,
    contract_id: object,
    states: object,
    within: object,
    after: object,
    due_before: object,
    deadline_before: object,
) -> str:
    # Each parameter is named in every variant, so that PostgreSQL always knows its type.
    conditions = [
        role,
        "c.id = $3" if contract_id is not None else "$3::text IS NULL",
        "m.state = ANY($4::text[])" if states is not None else "$4::text[] IS NULL",
        "c.id = ANY($5::text[])" if within is not None else "$5::text[] IS NULL",
        # The first half lets the scan of contracts start at the right place.
        "c.id <= $6 AND (c.id < $6 OR m.position > $7::int)"
        if after is not None
        else "$6::text IS NULL AND $7::int IS NULL",
        "m.due_on < $8" if due_before is not None else "$8::date IS NULL",
        _DEADLINE_BEFORE if deadline_before is not None else "$9::timestamptz IS NULL",
    ]
    return f"""
        SELECT {_MILESTONE}, c.currency
        FROM contracts c JOIN milestones m ON m.contract_id = c.id AND m.revision = c.revision
        WHERE {" AND ".join(conditions)} ORDER BY c.id DESC, m.position LIMIT $2"""  # noqa: S608 - our own text


_DEADLINE_BEFORE: Final = """EXISTS (
    SELECT FROM deadlines d WHERE d.contract_id = m.contract_id AND d.kind NOT IN ('REMINDER', 'DORMANCY')
    AND d.subject_id IN (m.id, m.deposit_id, m.bonus_deposit_id, m.hold_id) AND d.due_at < $9)"""
"""What `nextDeadline` of a milestone shows, as a condition: the clock of its review, of a deposit's window, or of its hold."""


def _view(row: Record) -> MilestoneView:
    return MilestoneView(milestone_of(tuple(row.values())[: len(MILESTONE)]), row["contract_id"], row["currency"])


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
        found.setdefault(row["milestone_id"], []).append(submission_of(tuple(row)))
    return found


async def contract_submissions_pages(
    contract_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[Submission]]:
    """For each contract at most `limit` submissions in order of their making, those after the id `after`; one statement."""
    rows = await database.fetch(
        f"""
        SELECT found.*, asked.id FROM unnest($1::text[]) asked (id) CROSS JOIN LATERAL (
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
        *values, contract_id = row.values()
        found.setdefault(contract_id, []).append(submission_of(tuple(values)))
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
    return {
        row["id"]: submission_of(tuple(row.values())[: len(SUBMISSION)])
        for row in rows
        if sees(actor, row, contract_id=row["contract_id"])
    }
