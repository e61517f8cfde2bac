"""`python -m tests.upgrade.in_the_middle URL`: takes the steps before and none of those after, though nobody was served yet."""

from __future__ import annotations

import asyncio
import sys
from unittest.mock import patch

from escrow import migrate


async def _is_not_new() -> bool:
    return False


async def go_as_far_as_before(url: str) -> list[str]:
    """Migrate as if somebody were served from there; gives the steps."""
    with patch.object(migrate, "_is_new", _is_not_new):
        return await migrate.migrate(url, migrate.Extent.BEFORE)


if __name__ == "__main__":
    asyncio.run(go_as_far_as_before(sys.argv[1]))
