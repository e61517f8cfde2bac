"""What was found out lately is found out once, however many ask."""

from __future__ import annotations

import asyncio

import pytest

from api.lately import Lately


class Finding:
    """Counts how often it looks; the first look fails if it is to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.looks, self._fails = 0, fails

    async def __call__(self) -> int:
        self.looks += 1
        await asyncio.sleep(0)
        if self._fails and self.looks == 1:
            raise LookupError
        return self.looks


async def test_those_who_ask_at_once_or_soon_get_the_same_and_those_who_ask_later_what_is_so_then() -> None:
    now = 100.0
    lately: Lately[int] = Lately(1.0, clock=lambda: now)
    find = Finding()
    assert await asyncio.gather(*(lately.known(find) for _ in range(100))) == [1] * 100
    now += 0.9
    assert await lately.known(find) == 1
    now += 0.2
    assert await lately.known(find) == 2


async def test_whoever_leaves_takes_nothing_from_the_others() -> None:
    lately: Lately[int] = Lately(1.0)
    find = Finding()
    first, second = (asyncio.ensure_future(lately.known(find)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 1


async def test_what_failed_is_tried_again() -> None:
    lately: Lately[int] = Lately(1.0)
    find = Finding(fails=True)
    with pytest.raises(LookupError):
        await lately.known(find)
    assert await lately.known(find) == 2
