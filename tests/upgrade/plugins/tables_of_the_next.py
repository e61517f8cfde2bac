"""For pytest in the former release's tree: its tests run on what this release's `earnest migrate` makes of its tables.

`EARNEST_NEXT` names this release's tree, `EARNEST_NEXT_DATABASE` and `EARNEST_NEXT_REDIS` engines that run already: those that
the former release would start may not be installed any more. Commands, workers and doors are the former release's own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, Self


class RunningEngines:
    """In the place of the former release's own, which are started and stopped by the tests."""

    def __init__(self, *_: object) -> None:
        self.database_url = os.environ["EARNEST_NEXT_DATABASE"]
        self.redis_url = os.environ["EARNEST_NEXT_REDIS"]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """They go on."""

    def processes(self) -> dict[str, Self]:
        """What the tests would end at their end."""
        return {"PostgreSQL": self}

    def send_signal(self, number: int) -> None:
        """It isn't theirs."""


def _exchange() -> None:
    """Let what makes the tables make those in the middle: all of before, and nothing of after."""
    import earnest.engines
    from escrow import migrate as here
    from tests import engines

    migrate: Any = here
    former = migrate.migrate

    async def in_the_middle(url: str, *extent: object) -> list[str]:
        applied: list[str] = await former(url, *extent)
        if extent:
            return applied  # whoever says how far asks about the former release's own migrator
        root = os.environ["EARNEST_NEXT"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.upgrade.in_the_middle", url), cwd=root, env=os.environ | {"PYTHONPATH": root}
        )
        assert await process.wait() == 0
        return applied

    migrate.migrate = in_the_middle
    engines.TEMPLATE = "former_template"
    earnest.engines.Engines = RunningEngines  # type: ignore[assignment, misc]


_exchange()  # before anything of the tests is imported
