"""Data loaders: one call for a level, one answer for a parent, and errors for everybody who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from schema.engine.context import Context
from schema.engine.data_loaders import DataLoaders, data_loader

calls: list[tuple[list[str], int]] = []


@data_loader
async def _lengths(words: Sequence[str], _: Context, factor: int) -> list[int]:
    calls.append((list(words), factor))
    await asyncio.sleep(0)
    if "bad" in words:
        raise ValueError("a bad word")
    return [len(word) * factor for word in words]


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


async def test_what_is_asked_in_one_turn_is_one_call_for_each_choice_of_arguments() -> None:
    context = Context(None)
    found = await asyncio.gather(*(_lengths(word, context, factor) for factor in (1, 2) for word in ("a", "bb", "a")))
    assert found == [1, 2, 1, 2, 4, 2]
    assert sorted(calls, key=repr) == [(["a", "bb"], 1), (["a", "bb"], 2)]


async def test_a_later_question_is_another_call_but_never_for_the_same_parent() -> None:
    context = Context(None)
    assert await _lengths("a", context, 1) == 1
    assert list(await asyncio.gather(_lengths("a", context, 1), _lengths("cc", context, 1))) == [1, 2]
    assert calls == [(["a"], 1), (["cc"], 1)]


async def test_fresh_data_loaders_remember_nothing() -> None:
    context = Context(None)
    await _lengths("a", context, 1)
    context.data_loaders = DataLoaders()
    await _lengths("a", context, 1)
    assert len(calls) == 2


async def test_a_failure_reaches_everybody_who_waits() -> None:
    context = Context(None)
    found = await asyncio.gather(*(_lengths(word, context, 1) for word in ("a", "bad")), return_exceptions=True)
    assert [str(one) for one in found] == ["a bad word"] * 2


async def test_somebody_who_stopped_waiting_does_not_spoil_it_for_the_others() -> None:
    context = Context(None)
    gone, stays = (asyncio.ensure_future(_lengths(word, context, 1)) for word in ("a", "bb"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 2


async def test_parents_that_come_together_get_a_value_each_by_one_call_however_often_they_are_asked_for() -> None:
    context = Context(None)
    both = await asyncio.gather(*(_lengths.all(["a", "bb", "a"], context, 1) for _ in range(2)))
    assert both == [[1, 2, 1], [1, 2, 1]]
    assert calls == [(["a", "bb", "a"], 1)]
