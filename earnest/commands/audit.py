"""Fold the event log again and compare it with every table; exit with 1 if anything differs."""

import argparse
import asyncio

DIFFERENT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none: the database is `DATABASE_URL`, or the embedded one."""


def run(args: argparse.Namespace) -> int:
    """Print each difference on a line of its own; it may run beside a working deployment."""
    differences = asyncio.run(count())
    if differences:
        print(f"{differences} differences.")
        return DIFFERENT
    print(
        "No differences: the tables are what the log makes of them, the chains are whole, the books balance, "
        "and every webhook has its place."
    )
    return 0


async def count() -> int:
    """Audit the deployment, printing what is found; gives how much that was."""
    from earnest.run.embedded import deployment
    from escrow import database
    from escrow.audit import audit
    from webhooks.audit import audit_deliveries

    found = 0
    async with deployment() as settings:
        await database.connect(settings.database_url)
        try:
            for differences in (audit(), audit_deliveries()):
                async for difference in differences:
                    found += 1
                    print(difference, flush=True)
        finally:
            await database.disconnect()
    return found
