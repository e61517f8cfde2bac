"""For pytest in the former release's tree: its tests run on what this release's `earnest migrate` makes of its tables.

`EARNEST_NEXT` names this release's tree. Commands, workers and doors that the tests start are the former release's own.
"""

import asyncio
import os
import sys


def pytest_configure() -> None:
    """Let what makes the tables make those in the middle: all of before, and nothing of after."""
    from escrow import migrate

    former = migrate.migrate

    async def in_the_middle(url: str) -> list[str]:
        applied = await former(url)
        root = os.environ["EARNEST_NEXT"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.upgrade.in_the_middle", url), cwd=root, env=os.environ | {"PYTHONPATH": root}
        )
        assert await process.wait() == 0
        return applied

    migrate.migrate = in_the_middle  # type: ignore[assignment] # the former release knows no parts
