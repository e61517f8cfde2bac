"""Bring the tables of the database up to date, in two parts: what may run beside the former release, and what comes after it."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from escrow.migrate import Extent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How far to go. The database is `DATABASE_URL`, or the embedded one."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--after", action="store_true", help="what remains, once the last former process is gone")
    choice.add_argument("--all", action="store_true", help="everything at once: no process of another release runs")
    choice.add_argument("--pending", action="store_true", help="change nothing, name what is missing and its part")


def run(args: argparse.Namespace) -> int:
    """Apply what is missing and name it; two at once wait for each other."""
    from earnest.run.refusing import CannotStart
    from escrow.migrate import Extent, NotYet

    extent = Extent.AFTER if args.after else Extent.ALL if args.all else Extent.BEFORE
    try:
        lines = asyncio.run(missing() if args.pending else apply(extent))
    except NotYet as why:
        raise CannotStart(str(why)) from why
    for line in lines:
        print(line)
    return 0


async def apply(extent: "Extent") -> list[str]:
    """Migrate the deployment's database so far; gives the names of what was applied."""
    from earnest.run.embedded import deployment
    from escrow.migrate import migrate

    async with deployment() as settings, _noted(settings.database_url, extent):
        return await migrate(settings.database_url, extent)


@asynccontextmanager
async def _noted(database_url: str, extent: "Extent") -> AsyncIterator[None]:
    """Among the acts of operators, where the database has them already: it gets them by a migration."""
    from earnest.operator import connected
    from escrow import acts, database

    async with connected(database_url, pool_size=1, migrates=True):
        has_acts = await database.fetch_value("SELECT to_regclass('operator_acts') IS NOT NULL")
        async with acts.noted("Migrate", subject=extent.value) if has_acts else nullcontext():
            yield


async def missing() -> list[str]:
    """What the deployment's database lacks: `before escrow.m0022_…`."""
    from earnest.operator import connected
    from earnest.run.embedded import deployment
    from escrow.migrate import pending
    from escrow.parts import Part

    async with deployment() as settings, connected(settings.database_url, pool_size=1):
        return [f"{part} {name}" for part in Part for name in await pending(part)]
