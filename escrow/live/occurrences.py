"""Events with their place in the log and whoever they concern, read by position: all of them, or what one actor may see.

What an actor may see is decided in one place, `Occurrence.is_for`; the SQL for one actor only narrows what is looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from escrow import database
from escrow.access import Actor, ActorKind, may_see_stream
from escrow.database import Record
from escrow.queries.records import TEXTS_SQL, EventView, event_view

SCAN_POSITIONS_MAX: Final = 2_000
"""A stretch of the log up to so long is looked through; for a longer one the actor's streams are looked up one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Occurrence:
    """An event at its position in the log; the parties are those of its contract, `None` for an account's event."""

    position: int
    event: EventView
    client_id: str | None
    freelancer_id: str | None
    milestone_ids: tuple[str, ...] = ()
    """The milestones that it is about."""

    def is_for(self, actor: Actor) -> bool:
        """Whether the event exists for this actor."""
        return may_see_stream(
            actor, stream_id=self.event.stream_id, client_id=self.client_id, freelancer_id=self.freelancer_id
        )

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        said = sum(len(str(text.value)) for text in self.event.texts)
        return 1_000 + len(self.event.body) + said


async def following(*, after: int, limit: int) -> list[Occurrence]:
    """The next events after a position, whoever they concern; one statement."""
    return [_occurrence(row) for row in await database.fetch(_FOLLOWING, after, limit)]


async def visible(
    actor: Actor,
    *,
    after: int,
    until: int,
    limit: int,
    stream_id: str | None = None,
    types: Collection[str] | None = None,
) -> tuple[list[Occurrence], int]:
    """The next events for this actor after a position, up to another one, and up to where these are all; one statement.

    `stream_id` and `types` narrow. At most `limit` are looked at.
    """
    if after >= until:
        return [], after
    sql, streams = _visible_sql(actor, stream_id, is_short=until - after <= SCAN_POSITIONS_MAX)
    wanted = sorted(types) if types is not None else None
    rows = await database.fetch(sql, after, until, limit, wanted, streams)
    reached = rows[-1]["position"] if len(rows) == limit else until
    return [one for row in rows if (one := _occurrence(row)).is_for(actor)], reached


def _visible_sql(actor: Actor, stream_id: str | None, *, is_short: bool) -> tuple[str, object]:
    """The statement for this actor, and its argument that says which streams: a list of them, or whose they are."""
    if stream_id is not None:
        return _OF_STREAMS, [stream_id]
    if actor.contract_ids is not None:
        return _OF_STREAMS, sorted(actor.contract_ids)
    if actor.kind is ActorKind.OPERATOR:
        return _OF_ALL, None
    return (_OF_ACCOUNT_SHORT if is_short else _OF_ACCOUNT), actor.account_id


def _occurrence(row: Record) -> Occurrence:
    return Occurrence(
        row["position"], event_view(row), row["client_id"], row["freelancer_id"], tuple(row["milestone_ids"])
    )


# What became of a deposit says only which; its parts name the milestones.
_MILESTONES: Final = """CASE
    WHEN e.type LIKE 'deposit.%' THEN ARRAY(
        SELECT part ->> 'milestone_id' FROM deposits AS d, jsonb_array_elements(d.parts) AS part
        WHERE d.id = e.body::jsonb #>> '{data,depositId}')
    WHEN e.body::jsonb #>> '{data,milestoneId}' IS NOT NULL THEN ARRAY[e.body::jsonb #>> '{data,milestoneId}']
    ELSE ARRAY[]::text[] END"""


# Everything is looked up by key, row by row: with statistics from an empty table a join would scan.
def _shown(placed: str) -> str:
    return f"""
    SELECT placed.position, e.*, contract.client_id, contract.freelancer_id, {TEXTS_SQL}, {_MILESTONES} AS milestone_ids
    FROM ({placed}) AS placed
    CROSS JOIN LATERAL (SELECT * FROM events WHERE id = placed.event_id OFFSET 0) AS e
    LEFT JOIN LATERAL (
        SELECT client_id, freelancer_id FROM contracts WHERE id = placed.stream_id OFFSET 0) AS contract ON true
    ORDER BY placed.position"""  # noqa: S608 - our own text


_TYPE: Final = """(
    $4::text[] IS NULL OR EXISTS (SELECT FROM events WHERE id = p.event_id AND type = ANY ($4::text[]) OFFSET 0))"""

_STRETCH: Final = f"p.position > $1 AND p.position <= $2 AND {_TYPE} ORDER BY p.position LIMIT $3"

_FOLLOWING: Final = _shown("SELECT * FROM log_positions WHERE position > $1 ORDER BY position LIMIT $2")

_OF_ALL: Final = _shown(
    f"SELECT p.* FROM log_positions AS p WHERE $5::text IS NULL AND {_STRETCH}"  # noqa: S608 - our own text
)

_OF_STREAMS: Final = _shown(
    f"""
    SELECT found.* FROM unnest($5::text[]) AS stream (id) CROSS JOIN LATERAL (
        SELECT p.* FROM log_positions AS p WHERE p.stream_id = stream.id AND {_STRETCH}) AS found
    ORDER BY found.position LIMIT $3"""  # noqa: S608 - our own text
)

_OF_ACCOUNT_SHORT: Final = _shown(
    f"""
    SELECT p.* FROM log_positions AS p WHERE (
        p.stream_id = $5::text
        OR EXISTS (SELECT FROM contracts WHERE id = p.stream_id AND $5::text IN (client_id, freelancer_id) OFFSET 0)
    ) AND {_STRETCH}"""  # noqa: S608 - our own text
)

_OF_ACCOUNT: Final = _shown(
    f"""
    SELECT found.* FROM (
        SELECT id FROM contracts WHERE client_id = $5::text
        UNION ALL SELECT id FROM contracts WHERE freelancer_id = $5::text
        UNION ALL SELECT $5::text
    ) AS stream CROSS JOIN LATERAL (
        SELECT p.* FROM log_positions AS p WHERE p.stream_id = stream.id AND {_STRETCH}) AS found
    ORDER BY found.position LIMIT $3"""  # noqa: S608 - our own text
)
