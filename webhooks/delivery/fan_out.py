"""Makes the deliveries of an event in the transaction that gives it its position, one for each endpoint that it fits.

Lanes that were idle are leased to this very process at once, as far as it has slots, so that in the common case nobody
has to look for what is due. The leases count once the transaction is committed.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

from escrow import database, ids, log
from webhooks.delivery.lanes import CONTENT, CONTENT_COLUMNS, Head, Lease, head_of
from webhooks.events import filters
from webhooks.events.filters import Match, Placed

FreeAt = Callable[[str], int]
"""How many more requests this process would begin at an endpoint now."""


def nowhere(_: str) -> int:
    """The free slots of a process that sends nothing."""
    return 0


@dataclass(slots=True, kw_only=True)
class FanOut:
    """One batch of the sequencer, and afterwards what came of it."""

    lease_seconds: float
    free_at: FreeAt = nowhere
    free_in_all: int = 0
    heads: list[Head] = field(default_factory=list)
    """Leased to this process, once the transaction is committed."""
    lease: Lease | None = None
    is_left_over: bool = False
    """Whether there is something to do that this process didn't take at once."""

    async def place(self, *, limit: int = log.BATCH_EVENTS, on_look: Callable[[], None] | None = None) -> int:
        """Give events their positions and make their deliveries, as `log.sequence` does; answers how many events it were."""
        return await log.sequence(limit=limit, on_batch=self._fan_out, beside=filters.GOES_TO, on_look=on_look)

    async def _fan_out(self, connection: database.Connection, rows: Sequence[database.Record]) -> None:
        events = [
            Placed(position=row["position"], event_id=row["event_id"], stream_id=row["stream_id"], type=row["type"])
            for row in rows
        ]
        tasks = await filters.follow(connection, events)
        found = await filters.matches(connection, events, [row["beside"] for row in rows])
        if found:
            await self._deliver(connection, found)
        await filters.leave(connection, tasks)
        self.is_left_over = self.is_left_over or bool(tasks)

    async def _deliver(self, connection: database.Connection, found: Sequence[Match]) -> None:
        token, from_seconds = uuid4(), time.monotonic()
        last = {(match.endpoint_id, match.event.stream_id): match.event.position for match in found}
        for row in await self._write(connection, found, token):
            if row["delivery_id"] is None:
                self.is_left_over = True
            else:
                self.lease = Lease(token=token, from_seconds=from_seconds, at=row["at"])
                is_last = last[row["endpoint_id"], row["lane"]] == row["position"]
                self.heads.append(head_of(row, is_last=is_last))

    async def _write(
        self, connection: database.Connection, found: Sequence[Match], token: UUID
    ) -> list[database.Record]:
        new = [_delivery(match) for match in found]
        heads: dict[tuple[str, str], int] = {}
        tails: dict[tuple[str, str], int] = {}
        for number, match in enumerate(found):
            key = (match.endpoint_id, match.event.stream_id)
            heads.setdefault(key, number)
            tails[key] = match.event.position
        taken = self._taken(found, heads)
        touched = [{**new[heads[key]], "tail": tails[key], "is_taken": key in taken} for key in sorted(heads)]
        rows: list[database.Record] = await connection.fetch(
            *_WRITE.bind(**_NEW.bind(new), **_TOUCHED.bind(touched), token=token, lease_seconds=self.lease_seconds)
        )
        return rows

    def _taken(self, found: Sequence[Match], heads: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
        """The lanes that this process would like to serve at once, the oldest events first."""
        begun: Counter[str] = Counter()
        taken: set[tuple[str, str]] = set()
        for key, number in sorted(heads.items(), key=lambda item: item[1]):
            endpoint_id, _ = key
            if len(taken) >= self.free_in_all:
                break
            if found[number].is_open and begun[endpoint_id] < self.free_at(endpoint_id):
                begun[endpoint_id] += 1
                taken.add(key)
        return taken


def _delivery(match: Match) -> dict[str, object]:
    event = match.event
    return {
        "endpoint_id": match.endpoint_id,
        "lane": event.stream_id,
        "position": event.position,
        "event_id": event.event_id,
        "event_type": event.type,
        "delivery_id": ids.new(ids.Kind.DELIVERY),
    }


_NEW: Final = database.Rows(
    "new", "endpoint_id text, lane text, position bigint, event_id text, event_type text, delivery_id text"
)

_TOUCHED: Final = database.Rows(
    "touched",
    "endpoint_id text, lane text, position bigint, tail bigint, event_id text, delivery_id text, is_taken boolean",
)

# Lanes are locked in the order of their keys, here as in completions: in any other order they deadlock.
_WRITE: Final = database.Statement(f"""
WITH created AS (
    INSERT INTO deliveries (endpoint_id, lane, stream_id, position, event_id, event_type, id)
    SELECT endpoint_id, lane, lane, position, event_id, event_type, delivery_id FROM {_NEW.sql}
), touched AS MATERIALIZED (
    SELECT * FROM {_TOUCHED.sql}
), advanced AS (
    INSERT INTO lanes AS lane (endpoint_id, lane, done, tail, due_at, token, leased_at)
    SELECT endpoint_id, lane, position - 1, tail,
        clock_timestamp() + CASE WHEN is_taken THEN :lease_seconds::float8 ELSE 0 END * interval '1 second',
        CASE WHEN is_taken THEN :token::uuid END, CASE WHEN is_taken THEN clock_timestamp() END
    FROM touched ORDER BY endpoint_id, lane
    ON CONFLICT (endpoint_id, lane) DO UPDATE SET
        tail = excluded.tail,
        due_at = CASE WHEN lane.due_at IS NULL THEN excluded.due_at ELSE lane.due_at END,
        token = CASE WHEN lane.due_at IS NULL THEN excluded.token ELSE lane.token END,
        leased_at = CASE WHEN lane.due_at IS NULL THEN excluded.leased_at ELSE lane.leased_at END
    RETURNING lane.endpoint_id, lane.lane, lane.token, lane.failures, lane.given_up, lane.due_at <= clock_timestamp() AS is_due
), leased AS (
    SELECT advanced.endpoint_id, advanced.lane, advanced.failures, advanced.given_up, touched.position, touched.event_id,
        touched.lane AS stream_id, touched.delivery_id, 'EVENT' AS kind, NULL::text AS body
    FROM advanced JOIN touched USING (endpoint_id, lane) WHERE advanced.token = :token::uuid
)
SELECT leased.endpoint_id, leased.lane, leased.failures, leased.given_up, leased.position, leased.event_id,
    leased.delivery_id, leased.kind, {CONTENT_COLUMNS.format(head="leased")}, clock_timestamp() AS at
FROM leased {CONTENT.format(head="leased")}
UNION ALL
SELECT endpoint_id, lane, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM advanced WHERE is_due AND token IS NULL
""")
