"""Finds the attempts at deliveries, in their order or by identifier; one statement for each."""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from escrow import database, ids
from escrow.access import Actor
from escrow.database import Record
from escrow.ids import Kind as IdKind
from webhooks.owner.queries.viewers import SEEN_SQL, viewer
from webhooks.request.answers import ErrorClass


class Trigger(StrEnum):
    """Why an attempt was made."""

    EVENT = "EVENT"
    REPLAY = "REPLAY"
    REDELIVERY = "REDELIVERY"
    TEST = "TEST"
    RETRY = "RETRY"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One request for one delivery, and what came of it. Times are in milliseconds since `started_at`."""

    id: str
    delivery_id: str
    trigger: Trigger
    started_at: datetime
    status: int | None
    error: ErrorClass | None
    address: str | None
    dns_ms: float | None
    connect_ms: float | None
    first_byte_ms: float | None
    total_ms: float | None
    answer: bytes
    is_late: bool


async def attempts_pages(
    delivery_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[AttemptView]]:
    """For each delivery at most `limit` attempts in their order, those after the id `after`; one statement.

    Whether the deliveries may be seen is the caller's question.
    """
    found: dict[str, list[AttemptView]] = {}
    statement = _OF_DELIVERIES.bind(delivery_ids=sorted(set(delivery_ids)), page_size=limit, after_id=after or "")
    for row in await database.fetch(*statement):
        found.setdefault(row["delivery_id"], []).append(_attempt(row))
    return found


async def attempts_by_id(actor: Actor, attempt_ids: Collection[str]) -> dict[str, AttemptView]:
    """Those of the attempts that exist and that the actor may see, by identifier; one statement."""
    wanted = [one for one in set(attempt_ids) if ids.is_a(IdKind.ATTEMPT, one)]
    rows = await database.fetch(*_BY_ID.bind(**viewer(actor), ids=wanted)) if wanted else []
    return {row["id"]: _attempt(row) for row in rows}


def _attempt(row: Record) -> AttemptView:
    return database.filled(
        AttemptView,
        row,
        trigger=Trigger(row["kind"]) if row["is_first"] else Trigger.RETRY,
        error=ErrorClass(row["error"]) if row["error"] is not None else None,
        answer=row["excerpt"] or b"",
    )


_ATTEMPT: Final = """attempt.id, attempt.delivery_id, attempt.started_at, attempt.status, attempt.error, attempt.address,
    attempt.dns_ms, attempt.connect_ms, attempt.first_byte_ms, attempt.total_ms, attempt.excerpt, attempt.is_late, found.kind,
    NOT EXISTS (SELECT FROM delivery_attempts AS earlier WHERE earlier.delivery_id = attempt.delivery_id
        AND earlier.id < attempt.id) AS is_first"""

_OF_DELIVERIES: Final = database.Statement(f"""
SELECT {_ATTEMPT} FROM unnest(:delivery_ids::text[]) AS asked (delivery_id)
CROSS JOIN LATERAL (SELECT kind FROM deliveries WHERE id = asked.delivery_id OFFSET 0) AS found
CROSS JOIN LATERAL (
    SELECT * FROM delivery_attempts WHERE delivery_id = asked.delivery_id AND id > :after_id ORDER BY id LIMIT :page_size
) AS attempt ORDER BY attempt.delivery_id, attempt.id
""")

_BY_ID: Final = database.Statement(f"""
SELECT {_ATTEMPT} FROM delivery_attempts AS attempt JOIN deliveries AS found ON found.id = attempt.delivery_id
WHERE attempt.id = ANY (:ids::text[]) AND {SEEN_SQL}
""")
