"""Finds replays for whoever may see their endpoint."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import database, ids
from escrow.access import Actor
from escrow.database import Record
from escrow.ids import Kind as IdKind
from webhooks.owner.queries.viewers import viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayView:
    """A stretch of the log that an endpoint gets once more: what lies after one position, up to another."""

    id: str
    endpoint_id: str
    after_position: int
    looked_until_position: int
    until_position: int
    deliveries: int
    is_over: bool
    created_at: datetime


async def replays_by_id(actor: Actor, replay_ids: Collection[str]) -> dict[str, ReplayView]:
    """Those of the replays that exist and whose endpoint the actor may see, by identifier; one statement."""
    wanted = [one for one in set(replay_ids) if ids.is_a(IdKind.REPLAY, one)]
    rows = await database.fetch(*_BY_ID.bind(**viewer(actor), ids=wanted)) if wanted else []
    return {row["id"]: _replay(row) for row in rows}


def _replay(row: Record) -> ReplayView:
    return ReplayView(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        after_position=row["after_position"],
        looked_until_position=min(row["next_position"] - 1, row["until_position"]),
        until_position=row["until_position"],
        deliveries=row["deliveries"],
        is_over=row["due_at"] is None,
        created_at=row["created_at"],
    )


_BY_ID: Final = database.Statement("""
SELECT replay.* FROM replays AS replay JOIN endpoints AS endpoint ON endpoint.id = replay.endpoint_id
WHERE replay.id = ANY (:ids::text[]) AND (endpoint.account_id = :account_id OR :is_operator::boolean)
    AND (:contract_ids::text[] IS NULL OR endpoint.contract_ids <@ :contract_ids)
""")
