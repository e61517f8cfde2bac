"""Copy the log to an archive of Parquet files, and move old finished deliveries there.

It may be killed at any point and begun again. `earnest audit --archive` compares the archive with the database.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from earnest.options import day
from earnest.run.refusing import CannotStart

if TYPE_CHECKING:
    from escrow import segments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, and up to which day."""
    parser.add_argument("place", metavar="PLACE", help="a folder, or an object store's URL: s3://bucket/earnest")
    parser.add_argument(
        "--before",
        metavar="DAY",
        type=day,
        help="only what happened before that day (2026-01-31, UTC); by default what is older than 90 days",
    )
    parser.add_argument("--only-log", action="store_true", help="leave deliveries where they are")


def run(args: argparse.Namespace) -> int:
    """Archive, naming each file and its digest on a line of its own: who keeps those lines can prove what the log said."""
    asyncio.run(apply(args.place, args.before, moves=not args.only_log))
    return 0


async def apply(place: str, before: date | None, *, moves: bool) -> None:
    """Archive what the deployment has of before that day. Refuses with `CannotStart` what is no archive."""
    import asyncpg

    from earnest.operator import connected
    from earnest.run.embedded import deployment
    from escrow import acts, segments
    from webhooks.delivery import retention

    now = datetime.now(UTC)
    until = datetime.combine(before, time(), UTC) if before is not None else now - retention.KEPT
    async with deployment() as settings:
        try:
            store = segments.Store(place)
            await store.must_answer()
            async with (
                connected(settings.database_url),
                acts.noted("Archive", subject=f"before {until:%Y-%m-%d}"),
            ):
                if not await _carry(store, until, moves=moves, kept=now - until):
                    said = f"nothing to be archived: what happened before {until:%Y-%m-%d} is there already, or there is none"
                    print(said, file=sys.stderr)
        except (segments.Unusable, segments.Unreachable) as error:
            raise CannotStart(str(error)) from None
        except asyncpg.UniqueViolationError:
            raise CannotStart("somebody else archives at the same time: begin again when they are done") from None


async def _carry(store: segments.Store, until: datetime, *, moves: bool, kept: timedelta) -> int:
    """Copy the log up to a moment, and with `moves` take deliveries along that were finished longer ago than `kept`; gives how
    many files that made."""
    from escrow import archived_log
    from webhooks.delivery import archived_deliveries
    from webhooks.owner.replays import position_recorded_before

    made = 0
    position = await position_recorded_before(until.timestamp())
    async for segment in archived_log.copy(store, until=position):
        print(segment.line(), flush=True)
        made += 1
    if moves:
        async for segment in archived_deliveries.move(store, kept=kept):
            print(segment.line(), flush=True)
            made += 1
    return made
