"""What was made is kept up to a limit, and is made once however many ask."""

from __future__ import annotations

import asyncio

import pytest

from api.manual.shelf import Shelf


async def test_many_who_ask_at_once_have_it_made_once() -> None:
    shelf, made, gate = Shelf(), [], asyncio.Event()

    async def make() -> bytes:
        made.append(1)
        await gate.wait()
        return b"page"

    asking = [asyncio.create_task(shelf.make("/x", make)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    gate.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError), "whoever leaves takes nothing from the others"
    assert {one.body for one in answers[1:] if not isinstance(one, BaseException)} == {b"page"}
    assert len(made) == 1
    kept = shelf.get("/x")
    assert kept is not None
    assert kept.body == b"page"


async def test_what_fails_is_made_again() -> None:
    shelf = Shelf()

    async def fail() -> bytes:
        raise RuntimeError("no")

    async def make() -> bytes:
        return b"page"

    with pytest.raises(RuntimeError):
        await shelf.make("/x", fail)
    assert shelf.get("/x") is None
    assert (await shelf.make("/x", make)).body == b"page"


async def test_the_oldest_goes_when_there_is_no_room() -> None:
    shelf = Shelf(bytes_max=250)
    for name in ("a", "b"):
        await shelf.make(name, _hundred)
    assert shelf.get("a") is not None
    await shelf.make("c", _hundred)
    assert shelf.get("b") is None
    assert shelf.get("a") is not None
    assert shelf.get("c") is not None


async def _hundred() -> bytes:
    return b"x" * 100


async def test_the_same_body_has_the_same_tag() -> None:
    shelf = Shelf()
    one, other = await shelf.make("a", _hundred), await shelf.make("b", _hundred)
    assert one.tag == other.tag
