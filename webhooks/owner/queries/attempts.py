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
from escrow.queries.views import Pages
from webhooks.owner.queries.viewers import SEEN_SQL, viewer
from webhooks.request.answers import ErrorClass


class Trigger(StrEnum):
    """Why an attempt was made."""

    EVENT = "EVENT"
    REPLAY = "REPLAY"
    REDELIVERY = "REDELIVERY"
    TEST = "TEST"
    LOG_CUT = "LOG_CUT"
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


_ATTEMPT: Final = """one.id, one.delivery_id, one.started_at, one.status, one.error, one.address, one.dns_ms, one.connect_ms,
    one.first_byte_ms, one.total_ms, one.excerpt, one.is_late, found.kind,
    NOT EXISTS (SELECT FROM delivery_attempts AS earlier WHERE earlier.delivery_id = one.delivery_id
        AND earlier.id < one.id) AS is_first"""

ATTEMPTS: Final = Pages(
    select=f"""
        SELECT {_ATTEMPT} FROM delivery_attempts AS one
        CROSS JOIN LATERAL (SELECT kind FROM deliveries WHERE id = one.delivery_id OFFSET 0) AS found""",
    read=_attempt,
)
"""The attempts at deliveries, page by page in their order. Whether the deliveries may be seen is the caller's question."""

_BY_ID: Final = database.Statement(f"""
SELECT {_ATTEMPT} FROM delivery_attempts AS one JOIN deliveries AS found ON found.id = one.delivery_id
WHERE one.id = ANY (:ids::text[]) AND {SEEN_SQL}
""")
