"""Counts credentials that named nobody, and writes a few lines a minute about them, however many come.

A line is one client and one reason; those beyond `LINES_MAX` share a line without a client. So a process that is attacked
without a pause writes some megabytes a day. No part of a token is kept: what was nearly right is nearly a secret.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from escrow import database, meters, traces
from escrow.queries import counts
from escrow.queries.counts import Counted

LAST: Final = (1 << 63) - 1
"""Beyond the id of any."""

LINES_MAX: Final = 10
"""Lines about clients of their own at each writing."""

WRITING_SECONDS: Final = 60.0

CLIENTS_MAX: Final = 1_000
"""Clients that are told apart between two writings."""

_log = logging.getLogger(__name__)

_REFUSED = meters.Counter("earnest_credentials_refused", "Credentials that named nobody, by reason", "reason")


@dataclass(slots=True)
class _Count:
    times: int = 0
    trace_id: str | None = None


class Refusals:
    """What one process has refused since it last wrote."""

    def __init__(self) -> None:
        self._since = datetime.now(UTC)
        self._counts: dict[tuple[str, str | None], _Count] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, client: str, reason: str) -> None:
        """Count one more, of a client as `rates` call it: an address, or a network of IPv6."""
        _REFUSED.add(reason)
        whose = client if (reason, client) in self._counts or len(self._counts) < CLIENTS_MAX else None
        count = self._counts.setdefault((reason, whose), _Count())
        count.times += 1
        count.trace_id = traces.trace_id()

    def start(self) -> None:
        """Write now and then from here on, in the running event loop."""
        self._writing = asyncio.create_task(self._write_for_ever())

    async def stop(self) -> None:
        """Write what is left, if the database is there."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self.write()

    async def write(self) -> None:
        """Write what has come since the last time. What can't be written is written the next time, with what came meanwhile."""
        counts, since = self._counts, self._since
        if not counts:
            self._since = datetime.now(UTC)
            return
        self._counts, self._since = {}, datetime.now(UTC)
        lines = _lines(counts)
        try:
            await database.execute(_WRITE, since, *zip(*lines, strict=True))
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being written: nobody waits for it
            _log.warning("refused credentials not written down yet", extra={"error": error})
            self._take_back(counts, since)
            return
        _log.warning("credentials refused", extra={"times": sum(line[2] for line in lines), "clients": len(counts)})

    def _take_back(self, counts: dict[tuple[str, str | None], _Count], since: datetime) -> None:
        self._since = since
        for (reason, client), count in counts.items():
            whose = client if len(self._counts) < CLIENTS_MAX else None
            known = self._counts.setdefault((reason, whose), _Count(trace_id=count.trace_id))
            known.times += count.times

    async def _write_for_ever(self) -> None:
        traces.begin()
        while True:
            await asyncio.sleep(WRITING_SECONDS)
            await self.write()


_Line = tuple[str, str | None, int, str | None]


def _lines(counts: dict[tuple[str, str | None], _Count]) -> list[_Line]:
    """The clients that came most often, and by reason how many the others were."""
    ordered = sorted(counts.items(), key=lambda item: (item[0][1] is None, -item[1].times))
    others: dict[str, _Count] = {}
    lines: list[_Line] = []
    for (reason, client), count in ordered:
        if client is not None and len(lines) < LINES_MAX:
            lines.append((reason, client, count.times, count.trace_id))
        else:
            rest = others.setdefault(reason, _Count())
            rest.times += count.times
            rest.trace_id = count.trace_id
    return lines + [(reason, None, rest.times, rest.trace_id) for reason, rest in others.items()]


_WRITE: Final = """
INSERT INTO refused_credentials (since, reason, client, times, trace_id)
SELECT $1, one.* FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[]) AS one
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A line."""

    id: int
    since: datetime
    until: datetime
    reason: str
    client: str | None
    """The address or network; `None` for all that got no line of their own."""
    times: int
    trace_id: str | None
    """That of the last one."""


async def latest(limit: int, *, before: int = LAST) -> Sequence[Refused]:
    """The newest lines first, those before one."""
    return [database.filled(Refused, row) for row in await database.fetch(_LATEST, before, limit)]


async def earliest(limit: int, *, after: int = 0) -> Sequence[Refused]:
    """The oldest lines first, those after one."""
    return [database.filled(Refused, row) for row in await database.fetch(_EARLIEST, after, limit)]


async def counted() -> Counted:
    """How many there are; one statement."""
    return await counts.counted(_LATEST, LAST, counts.COUNTED_MAX + 1)


_LATEST: Final = "SELECT * FROM refused_credentials WHERE id < $1 ORDER BY id DESC LIMIT $2"
_EARLIEST: Final = "SELECT * FROM refused_credentials WHERE id > $1 ORDER BY id ASC LIMIT $2"
