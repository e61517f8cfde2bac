"""Keeps where the log was cut: by a restore to an earlier moment, or by a standby that took over without the newest events.

Positions stay what they are: up to the cut they stand for the same events as ever. After it they go on far beyond everything
that can have been given before, so that none ever stands for two events, and cursors still sort as text in the log's order.
What lies between is void: whoever has read that far has seen events that are no more, and is told so by `LogWasCut`.

A cut is noticed by PostgreSQL's own marks: every recovery to a point in time and every promotion begins a new timeline, and a
copy into another cluster has another system identifier. What leaves both as they are (a disk put back from a snapshot) is
declared by the operator (`notice`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import cursors, database

POSITIONS_A_SECOND: Final = 1 << 20
"""After a cut positions go on at this many for each second since `BEGAN`, whatever was lost: more than any sequencer gives, and
yet exact as numbers of JSON for 270 years."""

SEQUENCER_LOCK: Final = 0x7365_7175_656E_6365
"""The advisory lock of whoever gives positions, the same number in every release: "sequence" in ASCII."""

BEGAN: Final = "timestamptz '2026-01-01 00:00:00Z'"
"""Before the first event of any deployment."""

SERVER_SQL: Final = """(
    SELECT system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system())"""
"""Who gives positions: another one after each recovery, promotion or copy."""

CUT_SQL: Final = f"""
    INSERT INTO log_cuts (first_position, kept_position, kept_at, server)
    SELECT greatest(kept.position + {POSITIONS_A_SECOND}, last.first_position + {POSITIONS_A_SECOND},
            ceil(extract(epoch FROM clock_timestamp() - {BEGAN}))::bigint * {POSITIONS_A_SECOND}),
        kept.position, kept.at, here.server
    FROM (SELECT server, first_position FROM log_cuts ORDER BY first_position DESC LIMIT 1) AS last
    CROSS JOIN (SELECT {SERVER_SQL} AS server OFFSET 0) AS here
    CROSS JOIN (SELECT coalesce(max(position), 0) AS position,
        (SELECT placed_at FROM log_positions ORDER BY position DESC LIMIT 1) - (SELECT clock_offset FROM deployment) AS at
        FROM log_positions) AS kept
    WHERE last.server <> here.server {{or_declared}}
    RETURNING first_position"""  # noqa: S608 - our own text
"""Notes a cut if another server gave the last positions; answers with the first that comes now. Needs the sequencer's lock."""


class LogWasCut(ValueError):
    """A cursor that stood for an event which is no more: what was made of it is to be made anew."""

    def __init__(self, position: int, cut: Cut) -> None:
        self.kept = cursors.print_cursor(cut.kept_position)
        """The cursor up to which whoever has read on has seen what still is so."""
        super().__init__(
            f"The cursor {cursors.print_cursor(position)} stands for nothing any more: the log was restored to an earlier "
            f"moment, and what came after {self.kept} is void. Read everything anew, or undo what you made of what came after "
            f"{self.kept} and go on from there."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One place at which the log was cut."""

    first_position: int
    kept_position: int
    kept_at: datetime | None
    """Real time: everything until then was kept."""
    cut_at: datetime
    books_read_at: datetime | None
    """Since when it is known what moved at the provider before the cut; `None` if that is to be read yet."""


async def at(position: int) -> Cut | None:
    """The cut in whose void a position lies; `None` if it stands for an event, or for one that is to come."""
    row = await database.fetch_row(_AT, position)
    return database.filled(Cut, row) if row is not None else None


async def check(position: int) -> None:
    """Raise `LogWasCut` for a position in a void."""
    if (cut := await at(position)) is not None:
        raise LogWasCut(position, cut)


async def last() -> Cut | None:
    """The newest cut; `None` if the log was never cut."""
    row = await database.fetch_row(_LAST)
    return database.filled(Cut, row) if row is not None else None


async def stretches(until: int, *, positions: int) -> list[tuple[int, int]]:
    """The log up to a position in parts of so many positions at most, each without a gap: the first and the last of each."""
    rows = await database.fetch(_STRETCHES, until)
    return [
        (start, min(start + positions - 1, row["last"]))
        for row in rows
        for start in range(row["first"], row["last"] + 1, positions)
    ]


async def notice(*, declared: bool = False) -> Cut | None:
    """Cut the log here if PostgreSQL shows that it was restored, as the sequencer would; or because somebody has `declared` it,
    since it was put back by other means than PostgreSQL's own. The newest cut after that; `None` if there never was one."""
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", SEQUENCER_LOCK)
        await connection.execute(CUT_SQL.format(or_declared="OR true" if declared else ""))
    return await last()


async def books_are_read(until: int) -> bool:
    """Note that what moved at the provider before the cuts up to that first position is known; whether no newer one was noticed
    meanwhile, whose books are to be read yet."""
    return bool(await database.fetch_value(_BOOKS_ARE_READ, until))


_COLUMNS: Final = "first_position, kept_position, kept_at, cut_at, books_read_at"

VOID: Final = "kept_position < {position} AND first_position > {position}"
"""Whether a position is in a cut's void; the argument is a number of a parameter."""

_AT: Final = f"""
SELECT {_COLUMNS} FROM log_cuts WHERE {VOID.format(position="$1")} ORDER BY kept_position LIMIT 1
"""  # noqa: S608 - our own text

_STRETCHES: Final = """
SELECT first, last FROM (
    SELECT first_position AS first, least($1, lead(kept_position, 1, $1) OVER (ORDER BY first_position)) AS last FROM log_cuts
) AS part WHERE first <= last ORDER BY first
"""

# The statement sees the table as it was: those that it marks count as unread there.
_BOOKS_ARE_READ: Final = """
WITH marked AS (
    UPDATE log_cuts SET books_read_at = clock_timestamp() WHERE books_read_at IS NULL AND first_position <= $1
)
SELECT NOT EXISTS (SELECT FROM log_cuts WHERE books_read_at IS NULL AND first_position > $1)
"""

_LAST: Final = f"""
SELECT {_COLUMNS} FROM log_cuts WHERE kept_at IS NOT NULL OR first_position > 1 ORDER BY first_position DESC LIMIT 1
"""  # noqa: S608 - our own text
