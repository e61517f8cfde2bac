"""A migrator to the tables of a made-up later release that dies in the middle of filling rows: `main(url)`."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from escrow import database, migrate, settings
from escrow.statements import Measured

NEXT = "tests.escrow.next_release"
FILLING = "UPDATE event_types SET told"


def use_next_release() -> None:
    """From now on this process knows the later release's steps alone."""
    plain = settings.tortoise_config

    def later(url: str) -> dict[str, Any]:
        config = plain(url)
        config["apps"]["escrow"]["migrations"] = NEXT
        return config

    migrate.tortoise_config = database.tortoise_config = later  # type: ignore[assignment, attr-defined] # of this process alone


def main(url: str) -> None:
    """Fill ten rows and die before the next ten are."""
    batches, execute = 0, Measured.execute

    async def dying(self: Measured, query: str, *args: Any, **options: Any) -> str:
        nonlocal batches
        batches += query.lstrip().startswith(FILLING)
        if batches > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return await execute(self, query, *args, **options)

    use_next_release()
    Measured.execute = dying  # type: ignore[method-assign] # this process is of the test's own
    asyncio.run(migrate.migrate(url, migrate.Extent.BEFORE))
