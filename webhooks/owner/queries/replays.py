"""Finds replays for whoever may see their endpoint."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import database, ids
from escrow.access import Actor
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
    return {row["id"]: ReplayView(**row) for row in rows}


_BY_ID: Final = database.Statement("""
SELECT replay.id, replay.endpoint_id, replay.after_position, replay.until_position, replay.deliveries, replay.created_at,
    least(replay.next_position - 1, replay.until_position) AS looked_until_position, replay.due_at IS NULL AS is_over
FROM replays AS replay JOIN endpoints AS endpoint ON endpoint.id = replay.endpoint_id
WHERE replay.id = ANY (:ids::text[]) AND (endpoint.account_id = :account_id OR :is_operator::boolean)
    AND (:contract_ids::text[] IS NULL OR endpoint.contract_ids <@ :contract_ids)
""")
