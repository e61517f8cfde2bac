"""Bring the tables of the database up to date."""

import argparse
import asyncio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: the database is `DATABASE_URL`, or the embedded one."""


def run(args: argparse.Namespace) -> int:
    """Apply what is missing and name it; two at once wait for each other."""
    for name in asyncio.run(apply()):
        print(name)
    return 0


async def apply() -> list[str]:
    """Migrate the deployment's database; gives the names of what was applied."""
    from earnest.run.embedded import deployment
    from escrow.migrate import migrate

    async with deployment() as settings:
        return await migrate(settings.database_url)
