"""Writes down what operators do, before it is done, and what came of it; the database lets nobody change or delete a line.

An operator's commands are in the event log as well, once they have succeeded. Here stand also those that were refused, and what
makes no event: the words that were erased, the keys that secrets lie under, the documents that are registered, the test clock.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow import database, traces
from escrow.access import Actor
from escrow.errors import DomainError
from escrow.queries import counts
from escrow.queries.counts import Counted

SUBJECT_CHARACTERS_MAX: Final = 50
LAST: Final = (1 << 63) - 1
"""Beyond the id of any."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that an operator set out to do."""

    id: int
    at: datetime
    act: str
    subject: str | None
    account_id: str | None
    """The operator's account; `None` for what the command line does to the deployment as a whole, as nobody's command."""
    credential: str | None
    """The key or session; `None` on the command line."""
    member_id: str | None
    trace_id: str
    ended_at: datetime | None
    """`None` while it goes on, and for what a process was killed at."""
    code: str | None
    """Why it was refused, or the kind of its failure."""


@asynccontextmanager
async def noted(act: str, *, by: Actor | None = None, subject: str | None = None) -> AsyncIterator[None]:
    """Note the block as an act of `by`, or of whoever has the command line. What can't be noted isn't done."""
    who = (by.account_id, by.credentials, by.member_id) if by is not None else (None, None, None)
    act_id: int = await database.fetch_value(_BEGIN, act, _storable(subject), *who, traces.trace_id())
    try:
        yield
    except BaseException as error:
        code = error.code if isinstance(error, DomainError) else type(error).__name__
        await database.uncancelled(_end(act_id, code))
        raise
    await database.uncancelled(_end(act_id, None))


def _storable(subject: str | None) -> str | None:
    """What somebody called it, whatever that was: a name that is none is refused by the act itself."""
    return subject and "".join(one for one in subject[:SUBJECT_CHARACTERS_MAX] if one.isprintable())


async def _end(act_id: int, code: str | None) -> None:
    """Note the end; that it can't be noted changes nothing of what was done."""
    try:
        await database.execute(_END, act_id, code)
    except Exception as error:  # noqa: BLE001 - the act stands there without an end, as after a crash
        _log.warning("the end of an operator's act isn't noted", extra={"act": act_id, "error": error})


_BEGIN: Final = """
INSERT INTO operator_acts (act, subject, account_id, credential, member_id, trace_id)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
"""

_END: Final = "INSERT INTO operator_act_ends (act_id, code) VALUES ($1, $2)"


async def latest(limit: int, *, before: int = LAST) -> Sequence[Act]:
    """The newest acts first, those before one."""
    return [database.filled(Act, row) for row in await database.fetch(_LATEST, before, limit)]


async def earliest(limit: int, *, after: int = 0) -> Sequence[Act]:
    """The oldest acts first, those after one."""
    return [database.filled(Act, row) for row in await database.fetch(_EARLIEST, after, limit)]


async def counted() -> Counted:
    """How many there are; one statement."""
    return await counts.counted(_LATEST, LAST, counts.COUNTED_MAX + 1)


def _acts(further: str, direction: str) -> str:
    return f"""
SELECT one.*, ending.at AS ended_at, ending.code
FROM (SELECT * FROM operator_acts WHERE id {further} $1 ORDER BY id {direction} LIMIT $2) AS one
LEFT JOIN operator_act_ends AS ending ON ending.act_id = one.id
ORDER BY one.id {direction}
"""  # noqa: S608 - our own words


_LATEST: Final = _acts("<", "DESC")
_EARLIEST: Final = _acts(">", "ASC")
