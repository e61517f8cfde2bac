"""Reads events by their position in the log, with the parties that they concern: all, or what one actor may see.

What an actor may see is decided in one place, `Occurrence.is_for`; the SQL for one actor only narrows what is looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from escrow import database
from escrow.access import Actor, ActorKind, may_see_stream
from escrow.database import Record
from escrow.queries.events import TEXTS_SQL, EventView, event_view
from escrow.queries.feed import TOUCHED_SQL

LOOKED_AT_MAX: Final = 2_000
"""So many events one statement looks at for those of some types: the rest is another statement's."""


@dataclass(frozen=True, slots=True, eq=False)
class Occurrence:
    """An event at its position in the log; the parties are those of its contract, `None` for an account's event."""

    position: int
    event: EventView
    client_id: str | None
    freelancer_id: str | None
    was_disputed: bool
    """Whether its contract has or had a dispute: mediators see it then."""
    milestone_ids: tuple[str, ...] = ()
    """The milestones that are not as they were before it."""
    size: int = 0
    """About how many bytes it takes in memory."""

    def is_for(self, actor: Actor) -> bool:
        """Whether the event exists for this actor."""
        return may_see_stream(
            actor,
            stream_id=self.event.stream_id,
            client_id=self.client_id,
            freelancer_id=self.freelancer_id,
            was_disputed=self.was_disputed,
        )


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

    `stream_id` and `types` narrow. At most `limit` are looked at, and `LOOKED_AT_MAX` for those of some types.
    """
    if after >= until:
        return [], after
    sql, streams = _scan(actor, stream_id)
    wanted, look = (sorted(types), max(limit, LOOKED_AT_MAX)) if types is not None else (None, limit)
    rows = await database.fetch(sql, after, until, limit, wanted, streams, look)
    found = [row for row in rows if row["position"] is not None]
    looked_to = rows[0]["looked_to"] if rows[0]["looked_at"] == look else until
    reached = found[-1]["position"] if len(found) == limit else looked_to
    return [one for row in found if (one := _occurrence(row)).is_for(actor)], reached


def _scan(actor: Actor, stream_id: str | None) -> tuple[str, object]:
    """The statement for this actor, and its argument that says which streams: a list of them, or whose they are."""
    if stream_id is not None:
        return _OF_STREAMS, [stream_id]
    if actor.contract_ids is not None:
        return _OF_STREAMS, sorted(actor.contract_ids)
    if actor.kind is ActorKind.OPERATOR:
        return _OF_ALL, None
    return _OF_MEDIATOR if actor.is_mediator else _OF_ACCOUNT, actor.account_id


def _occurrence(row: Record) -> Occurrence:
    event = event_view(row)
    return Occurrence(
        position=row["position"],
        event=event,
        client_id=row["client_id"],
        freelancer_id=row["freelancer_id"],
        was_disputed=row["was_disputed"],
        milestone_ids=tuple(row["milestone_ids"]),
        size=1_000 + len(event.body) + sum(len(str(text.value)) for text in event.texts),
    )


# Everything is looked up by key, row by row: with statistics from an empty table a join would scan.
def _shown(placed: str) -> str:
    return f"""
    SELECT placed.position, placed.client_id, placed.freelancer_id, e.*, {TEXTS_SQL}, {TOUCHED_SQL} AS milestone_ids,
        EXISTS (SELECT FROM contracts WHERE id = placed.stream_id AND was_disputed OFFSET 0) AS was_disputed
    FROM ({placed}) AS placed
    CROSS JOIN LATERAL (
        SELECT * FROM events WHERE stream_id = placed.stream_id AND id = placed.event_id OFFSET 0) AS e
    ORDER BY placed.position"""  # noqa: S608 - our own text


def _narrowed(looked: str) -> str:
    """Of what is looked at those of the types that are asked for, and in every row how far the look went."""
    wanted = """
    SELECT * FROM looked WHERE $4::text[] IS NULL
        OR EXISTS (
            SELECT FROM events
            WHERE stream_id = looked.stream_id AND id = looked.event_id AND type = ANY ($4::text[]) OFFSET 0)
    ORDER BY position LIMIT $3"""
    return f"""
    WITH looked AS MATERIALIZED ({looked} ORDER BY position LIMIT $6)
    SELECT * FROM (SELECT count(*) AS looked_at, max(position) AS looked_to FROM looked) AS look
    LEFT JOIN LATERAL ({_shown(wanted)}) AS shown ON true ORDER BY shown.position"""  # noqa: S608 - our own text


_STRETCH: Final = "p.position > $1 AND p.position <= $2"

_FOLLOWING: Final = _shown("SELECT * FROM log_positions WHERE position > $1 ORDER BY position LIMIT $2")

_OF_ALL: Final = _narrowed(f"SELECT p.* FROM log_positions AS p WHERE $5::text IS NULL AND {_STRETCH}")  # noqa: S608 - our own text

_OF_STREAMS: Final = _narrowed(
    f"""
    SELECT found.* FROM unnest($5::text[]) AS stream (id) CROSS JOIN LATERAL (
        SELECT p.* FROM log_positions AS p WHERE p.stream_id = stream.id AND {_STRETCH} ORDER BY p.position LIMIT $6) AS found"""  # noqa: S608 - our own text
)

# Said so that no other index can give this order: one that walks the whole log looks cheap where accounts are few.
_BY_ROLE: Final = " UNION ALL ".join(
    f"""(
    SELECT p.* FROM log_positions AS p
    WHERE (p.{role}, p.position) > ($5::text, $1) AND p.{role} <= $5::text AND {_STRETCH}
    ORDER BY p.{role}, p.position LIMIT $6)"""  # noqa: S608 - our own text
    for role in ("client_id", "freelancer_id", "stream_id")
)

_OF_ACCOUNT: Final = _narrowed(f"SELECT * FROM ({_BY_ROLE}) AS scanned")  # noqa: S608 - our own text

# Few contracts are disputed: each is looked at by itself.
_DISPUTED: Final = f"""(
    SELECT found.* FROM contracts AS disputed CROSS JOIN LATERAL (
        SELECT p.* FROM log_positions AS p WHERE p.stream_id = disputed.id AND {_STRETCH} ORDER BY p.position LIMIT $6) AS found
    WHERE disputed.was_disputed AND $5::text NOT IN (disputed.client_id, disputed.freelancer_id)
    ORDER BY found.position LIMIT $6)"""  # noqa: S608 - our own text

_OF_MEDIATOR: Final = _narrowed(f"SELECT * FROM ({_BY_ROLE} UNION ALL {_DISPUTED}) AS scanned")  # noqa: S608 - our own text
