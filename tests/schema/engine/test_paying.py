"""Answers of subscriptions are paid for one by one, with what they turn out to hold, and wait where nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from schema.engine import costs, paying
from schema.engine.annexed import DEAR
from schema.engine.budget import OverBudget
from schema.engine.context import Context
from schema.engine.limits import LIST_LENGTH_ASSUMED
from schema.engine.paying import Paying, beyond

OPENED = costs.OPERATION + costs.SUBSCRIBED


class Purse:
    """A budget that holds what a test puts into it."""

    def __init__(self, points: float) -> None:
        self.points = points

    async def spend(self, points: float) -> None:
        if points > self.points:
            raise OverBudget(points, 0.001)
        self.points -= points

    def charge(self, points: float) -> None:
        self.points -= points

    def told(self) -> Mapping[str, Any]:
        return {}


async def test_each_answer_costs_what_it_asks_for_and_each_who_gets_it() -> None:
    purse = Purse(1_000)
    purse_of = Paying(purse, OPENED + 300)
    await purse_of.next()
    assert purse.points == 1_000 - costs.ANSWER - 300
    before = purse.points
    for _ in range(10):
        purse_of.sent()
    assert purse.points == before - 10 * costs.FRAME


async def test_who_has_nothing_left_gets_the_next_answer_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paying, "WAIT_SECONDS_MAX", 0.0)
    purse = Purse(0)
    waiting = asyncio.ensure_future(Paying(purse, OPENED).next())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    purse.points = costs.ANSWER
    await waiting
    assert purse.points == 0


async def test_without_a_budget_nobody_waits() -> None:
    purse_of = Paying(None, OPENED + DEAR)
    await purse_of.next()
    purse_of.sent()
    assert purse_of.is_dear


async def test_lists_that_are_longer_than_was_assumed_are_charged_and_make_the_next_answer_dear() -> None:
    purse = Purse(10 * DEAR)
    purse_of = Paying(purse, OPENED + 100)
    context = Context(None)
    context.listed, context.listed_price = LIST_LENGTH_ASSUMED + 200, 10
    purse_of.made(beyond(context))
    assert purse.points == 10 * DEAR - 2_000
    assert purse_of.is_dear
    purse_of.made(0)
    assert [purse_of.is_dear] == [False]
