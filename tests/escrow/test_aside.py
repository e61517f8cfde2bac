"""Long work is done beside the loop: the loop goes on, owners take turns, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable

import pytest

from escrow.aside import Aside, aside
from tests.patience import PATIENCE_SECONDS


def _until(event: threading.Event, seen: list[str], name: str) -> Callable[[], str]:
    def work() -> str:
        assert event.wait(PATIENCE_SECONDS)
        seen.append(name)
        return name

    return work


async def test_the_loop_goes_on_meanwhile() -> None:
    go, turns = threading.Event(), 0
    work = asyncio.ensure_future(aside(lambda: go.wait(PATIENCE_SECONDS), owner=None))
    for _ in range(100):
        await asyncio.sleep(0)
        turns += 1
    assert not work.done()
    go.set()
    assert await work
    assert turns == 100


async def test_the_loop_gets_its_turn_while_the_thread_computes() -> None:
    began, stop = threading.Event(), threading.Event()

    def compute() -> int:
        began.set()
        rounds = 0
        while not stop.is_set():
            rounds += sum(range(1_000))
        return rounds

    work = asyncio.ensure_future(aside(compute, owner=None))
    assert await asyncio.to_thread(began.wait, PATIENCE_SECONDS)
    for _ in range(50):
        await asyncio.sleep(0)
    assert not work.done()
    stop.set()  # had the loop no turn, this would never be reached
    assert await work >= 0


async def test_owners_take_turns_however_much_one_has_waiting() -> None:
    asides, go, seen = Aside(), threading.Event(), list[str]()
    waiting = [asyncio.ensure_future(asides.run(_until(go, seen, f"greedy {n}"), owner="greedy")) for n in range(5)]
    await asyncio.sleep(0)
    waiting.append(asyncio.ensure_future(asides.run(_until(go, seen, "modest"), owner="modest")))
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*waiting)
    assert seen.index("modest") <= 2
    assert seen[-1] == "greedy 4"
    asides.close()


async def test_what_fails_fails_for_who_asked_and_for_nobody_else() -> None:
    def fail() -> None:
        raise ValueError("no")

    results = await asyncio.gather(aside(fail, owner=None), aside(lambda: 2, owner=None), return_exceptions=True)
    assert isinstance(results[0], ValueError)
    assert results[1] == 2


async def test_who_gave_up_waiting_costs_no_turn() -> None:
    asides, go, seen = Aside(), threading.Event(), list[str]()
    first = asyncio.ensure_future(asides.run(_until(go, seen, "first"), owner=None))
    gone = asyncio.ensure_future(asides.run(_until(go, seen, "gone"), owner=None))
    last = asyncio.ensure_future(asides.run(_until(go, seen, "last"), owner=None))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, last)
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert seen == ["first", "last"]
    asides.close()


async def test_it_knows_in_whose_name_it_works() -> None:
    trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace", default="nobody")
    trace.set("me")
    assert await aside(trace.get, owner="me") == "me"


def test_each_loop_has_a_thread_of_its_own() -> None:
    async def thread() -> int:
        return await aside(threading.get_ident, owner=None)

    assert {asyncio.run(thread()), asyncio.run(thread())}.isdisjoint({threading.get_ident()})
