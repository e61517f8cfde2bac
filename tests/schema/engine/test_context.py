"""What lists without a page size come to is counted for all of an operation, and who has no other beside it doesn't wait."""

from __future__ import annotations

import asyncio

from schema.engine.context import Context
from schema.engine.limits import LISTED_MAX


async def _turns(*, alone: bool) -> int:
    """How often the event loop turned until the lists were counted."""
    turns = 0

    def turned() -> None:
        nonlocal turns
        turns += 1
        asyncio.get_running_loop().call_soon(turned)

    asyncio.get_running_loop().call_soon(turned)
    await Context(None).afford_all([[1, 2], [3]], alone=alone)
    return turns


async def test_lists_that_are_alone_are_counted_without_a_turn_of_the_event_loop() -> None:
    assert await _turns(alone=True) == 0
    assert await _turns(alone=False) == 1


async def test_lists_that_are_alone_are_refused_for_their_length_all_the_same() -> None:
    found = await Context(None).afford_all([[0] * LISTED_MAX, [0]], alone=True)
    assert all(isinstance(one, Exception) for one in found)
