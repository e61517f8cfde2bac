"""Finds what has changed since a moment, by the order of the log: what is listed can't be overtaken by what is written later.

`updated_at` says when something happened. A command that is written later may have happened earlier, and what silence did at
noon may be written in the evening; so whoever asks for what has changed since the last `updated_at` that they saw would miss
some. The log has one order in which nothing appears behind, and each position has the time at which it was given. A row
counts as changed at the position of the last event of its stream that happened at its `updated_at`, and isn't there
until that event has one.
"""

# ruff: noqa: S608 - only our own columns and numbers of parameters are filled into statements

from __future__ import annotations

from typing import Final

PLACE: Final = "place"
"""The key of an order by the position of the last change."""

COLUMN: Final = "changed.position"
"""That position, in a statement with `LAST` or `WALK`."""


def first_since(at: str) -> str:
    """The first position that was given at a moment or later. Times of events are no later than those of their positions."""
    return f"(SELECT position FROM log_positions WHERE placed_at >= {at} ORDER BY placed_at, position LIMIT 1)"


def last(alias: str, contract_id: str) -> str:
    """A join that tells where in the log a row last changed; without a row while that isn't known."""
    return f"""CROSS JOIN LATERAL (
        SELECT placed.position FROM (
            SELECT id FROM events WHERE stream_id = {contract_id} AND occurred_at <= {alias}.updated_at
            ORDER BY sequence DESC LIMIT 1 OFFSET 0) AS said
        JOIN log_positions AS placed ON placed.event_id = said.id) AS changed"""


def walk(table: str, alias: str, contract_id: str) -> str:
    """A source of rows in the order in which they last changed, position by position: most of them are told by one event."""
    key = contract_id.partition(".")[2]
    return f"""log_positions AS changed
        CROSS JOIN LATERAL (
            SELECT occurred_at, (
                SELECT following.occurred_at FROM events AS following
                WHERE following.stream_id = event.stream_id AND following.sequence = event.sequence + 1) AS following_at
            FROM events AS event WHERE stream_id = changed.stream_id AND id = changed.event_id OFFSET 0) AS said
        CROSS JOIN LATERAL (
            SELECT * FROM {table} WHERE {key} = changed.stream_id AND updated_at = said.occurred_at OFFSET 0) AS {alias}"""


IS_LAST: Final = "said.following_at IS DISTINCT FROM said.occurred_at"
"""Of a `walk`: the next event of the stream has another time, so each row comes once. PostgreSQL expects this of nearly all, and
so walks no further than the page needs."""

BESIDE: Final = {PLACE: f"{COLUMN} AS {PLACE}"}
"""The column of an order by the position of the last change, for `Reading.sql`."""
