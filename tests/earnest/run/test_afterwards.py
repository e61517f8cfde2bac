"""Steps that a start takes afterwards: nothing waits for them, and whatever becomes of them ends nothing."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from earnest.run.steps import Deployment
from earnest.run.supervisor import Supervisor, _ended
from escrow.settings import PaymentProvider, Settings

DEPLOYMENT = Deployment(
    settings=Settings(database_url="", redis_url="", secret_keys=(), payment_provider=PaymentProvider.SANDBOX),
    directory=None,
)


async def _ready() -> None:
    """Everything is there at once."""


async def test_it_begins_when_everything_is_there_and_says_what_came_of_it() -> None:
    out, began, there = io.StringIO(), asyncio.Event(), asyncio.Event()

    async def become_ready() -> None:
        await there.wait()

    async def step(_: Deployment) -> list[str]:
        began.set()
        return ["it is there"]

    ready = asyncio.create_task(become_ready())
    taken = asyncio.create_task(
        Supervisor(Path.cwd(), out=out, before=(), after=())._take_afterwards(step, DEPLOYMENT, ready)
    )
    await asyncio.sleep(0)
    assert not began.is_set()
    there.set()
    await taken
    assert began.is_set()
    assert "it is there" in out.getvalue()


async def test_one_that_fails_is_told_in_a_line() -> None:
    out = io.StringIO()

    async def broken(_: Deployment) -> list[str]:
        raise RuntimeError("the disk is full")

    ready = asyncio.create_task(_ready())
    await Supervisor(Path.cwd(), out=out, before=(), after=())._take_afterwards(broken, DEPLOYMENT, ready)
    assert "broken failed: the disk is full" in out.getvalue()


async def test_one_that_hangs_is_let_go_when_everything_ends() -> None:
    out, began, let_go = io.StringIO(), asyncio.Event(), asyncio.Event()

    async def hanging(_: Deployment) -> list[str]:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            let_go.set()
        return []

    ready = asyncio.create_task(_ready())
    taken = asyncio.create_task(
        Supervisor(Path.cwd(), out=out, before=(), after=())._take_afterwards(hanging, DEPLOYMENT, ready)
    )
    await began.wait()
    await _ended(taken)
    assert let_go.is_set()
    assert taken.cancelled()
