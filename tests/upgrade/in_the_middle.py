"""`python -m tests.upgrade.in_the_middle URL`: takes the steps before and none of those after, though nobody was served yet."""

from __future__ import annotations

import asyncio
import sys

from escrow import migrate


async def _is_not_new() -> bool:
    return False


def main(url: str) -> None:
    """Migrate as if somebody were served from there."""
    migrate._is_new = _is_not_new
    asyncio.run(migrate.migrate(url, migrate.Extent.BEFORE))


if __name__ == "__main__":
    main(sys.argv[1])
