"""The annex: what is done there, whose turn it is, and what comes back from it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import pytest
import pytest_asyncio

from escrow import annex, database
from escrow.annex import Annex, Crowded, at_home
from escrow.aside import aside
from tests.patience import PATIENCE_SECONDS

said: ContextVar[str] = ContextVar("said", default="")


@pytest_asyncio.fixture(loop_scope="session")
async def opened(database: str) -> AsyncIterator[Annex]:
    async with annex.opened(database) as one:
        yield one


class Gate:
    """Works that wait in the annex until they are let go, and who began."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._open = threading.Event()

    def work(self, name: str) -> Callable[[], Any]:
        async def wait() -> str:
            self.begun.append(name)
            while not self._open.is_set():  # noqa: ASYNC110 - what opens it is in another event loop
                await asyncio.sleep(0.001)
            return name

        return wait

    def open(self) -> None:
        self._open.set()


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - it comes about in another event loop
            await asyncio.sleep(0.001)


async def test_work_is_done_in_another_thread_and_its_answer_comes_back(opened: Annex) -> None:
    async def where() -> int:
        return threading.get_ident()

    async def fail() -> None:
        raise LookupError("nothing there")

    assert await opened.run(where, owner="a") != threading.get_ident()
    with pytest.raises(LookupError, match="nothing there"):
        await opened.run(fail, owner="a")


async def test_statements_go_through_a_pool_of_its_own_at_the_same_database(opened: Annex) -> None:
    async def name() -> str:
        async with database.transaction() as connection:
            inside = await connection.fetchval("SELECT current_database()")
        assert inside == await database.fetch_value("SELECT current_database()")
        return str(inside)

    there = await opened.run(name, owner="a")
    assert there == await database.fetch_value("SELECT current_database()")


async def test_what_belongs_to_the_home_loop_is_done_there(opened: Annex) -> None:
    home, thread = asyncio.get_running_loop(), threading.get_ident()

    async def where() -> tuple[Any, int, str]:
        return asyncio.get_running_loop(), threading.get_ident(), said.get()

    async def ask() -> tuple[Any, int, str]:
        said.set("there")
        return await at_home(where)

    said.set("here")
    assert await opened.run(ask, owner="a") == (home, thread, "here")
    assert await at_home(where) == (home, thread, "here")  # and at home at once


async def test_it_needs_no_further_thread_for_long_work(opened: Annex) -> None:
    async def threads() -> set[int]:
        return {threading.get_ident(), await aside(threading.get_ident, owner=None)}

    assert len(await opened.run(threads, owner="a")) == 1


async def test_an_owner_has_few_works_under_way_and_others_begin_meanwhile(opened: Annex) -> None:
    gate = Gate()
    many = [asyncio.create_task(opened.run(gate.work("many"), owner="many")) for _ in range(20)]
    await _until(lambda: len(gate.begun) == annex.UNDER_WAY_OF_ONE_MAX)
    other = asyncio.create_task(opened.run(gate.work("other"), owner="other"))
    await _until(lambda: "other" in gate.begun)
    assert gate.begun == ["many"] * annex.UNDER_WAY_OF_ONE_MAX + ["other"]
    use = opened.use()
    assert (use.under_way, use.waiting, use.connections) == (3, 18, 0)
    assert 0 < use.connections_max <= annex.POOL_CONNECTIONS_MAX
    gate.open()
    assert await asyncio.gather(*many, other) == ["many"] * 20 + ["other"]


async def test_owners_take_turns_whatever_each_has_waiting(opened: Annex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annex, "UNDER_WAY_MAX", 1)
    gate = Gate()
    owners = ["a", "a", "a", "b", "c"]
    tasks = [asyncio.create_task(opened.run(gate.work(owner), owner=owner)) for owner in owners]
    await _until(lambda: len(gate.begun) == 1)
    gate.open()
    await asyncio.gather(*tasks)
    assert gate.begun == ["a", "a", "b", "c", "a"]


async def test_whoever_has_too_much_waiting_is_turned_away_and_others_are_not(
    opened: Annex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annex, "WAITING_OF_ONE_MAX", 3)
    gate = Gate()
    tasks = [asyncio.create_task(opened.run(gate.work("a"), owner="a")) for _ in range(annex.UNDER_WAY_OF_ONE_MAX + 3)]
    await _until(lambda: len(gate.begun) == annex.UNDER_WAY_OF_ONE_MAX)
    with pytest.raises(Crowded):
        await opened.run(gate.work("a"), owner="a")
    other = asyncio.create_task(opened.run(gate.work("b"), owner="b"))
    gate.open()
    assert await asyncio.gather(*tasks, other) == ["a"] * len(tasks) + ["b"]


async def test_whoever_goes_away_while_waiting_takes_no_turn(opened: Annex) -> None:
    gate = Gate()
    tasks = [asyncio.create_task(opened.run(gate.work(str(n)), owner="a")) for n in range(4)]
    await _until(lambda: len(gate.begun) == annex.UNDER_WAY_OF_ONE_MAX)
    tasks[2].cancel()
    tasks[1].cancel()
    await _until(lambda: "3" in gate.begun)
    gate.open()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in answers] == [str, asyncio.CancelledError, asyncio.CancelledError, str]
    assert "2" not in gate.begun


async def test_what_goes_on_when_it_closes_is_cancelled(database: str) -> None:
    async with annex.opened(database) as one:
        gate = Gate()
        task = asyncio.create_task(one.run(gate.work("a"), owner="a"))
        await _until(lambda: gate.begun == ["a"])
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "annex" not in {thread.name for thread in threading.enumerate()}
