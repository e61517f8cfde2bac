"""What the installed Python client makes of what crosses: a mirror that is read beside a look at everything, a bell that can't be
heard, or whose log was cut, a task that ends while its file is written, a wall that answers for the service. Printed as JSON, by
`answers.json`."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import httpx

from earnest_client import Earnest, FileKeys, MemoryMirror, Mirror, MirrorUpdate, OperationFailed, StreamEnded

ANSWERS: Final = json.loads(Path("answers.json").read_text())
BEFORE: Final = "cur_0000000000000"
VOID: Final = "cur_0000000000666"
CUT: Final = {"message": "It stands for nothing any more.", "extensions": {"code": "LOG_CUT"}}
TURNS: Final = 200
"""So often whoever is beside has its turn, which is more than it needs."""

open_file = Path.open


class Deaf(Earnest):
    """A client where no stream can be had."""

    def bell(self, after: Any = None) -> Any:
        raise RuntimeError("there are no streams here")


async def beside_a_look() -> list[Any]:
    """A page of the feed is read while the last list of a look is on its way."""
    beside: list[asyncio.Task[None]] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        (name,) = re.findall(r"query (\w+)", json.loads(request.content)["query"])
        if name == "Milestones":
            beside.append(asyncio.create_task(mirror.catch_up()))
            for _ in range(TURNS):
                await asyncio.sleep(0)
        return httpx.Response(200, json={"data": ANSWERS[name]})

    store = MemoryMirror()
    await store.write(MirrorUpdate(cursor=BEFORE))
    async with Earnest("http://earnest", "ek_1", transport=httpx.MockTransport(answer)) as client:
        mirror = Mirror(client, store)
        await mirror.refresh()
        await asyncio.gather(*beside)
    return [await store.cursor(), sorted(await store.ids())]


async def without_a_bell() -> str:
    async def answer(request: httpx.Request) -> httpx.Response:
        (name,) = re.findall(r"query (\w+)", json.loads(request.content)["query"])
        return httpx.Response(200, json={"data": ANSWERS[name]})

    store = MemoryMirror()
    await store.write(MirrorUpdate(cursor=BEFORE))
    async with Deaf("http://earnest", "ek_1", transport=httpx.MockTransport(answer)) as client:
        try:
            await Mirror(client, store).run()
        except RuntimeError as error:
            return str(error)
    return "it ended"


async def after_a_cut() -> bool:
    """Whether the bell is heard again from a cursor that wasn't cut off."""
    heard = asyncio.Event()

    class Cut(Earnest):
        async def bell(self, after: Any = None) -> AsyncIterator[Any]:
            if after == VOID:
                raise StreamEnded("LOG_CUT", "It stands for nothing any more.")
            heard.set()
            await asyncio.Event().wait()
            yield None

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # so that the bell is asked for meanwhile, by the cursor that was cut off
        body = json.loads(request.content)
        (name,) = re.findall(r"query (\w+)", body["query"])
        if body["variables"].get("after") == VOID:
            return httpx.Response(200, json={"data": None, "errors": [CUT]})
        return httpx.Response(200, json={"data": ANSWERS[name]})

    store = MemoryMirror()
    await store.write(MirrorUpdate(cursor=VOID))
    async with Cut("http://earnest", "ek_1", transport=httpx.MockTransport(answer)) as client:
        running = asyncio.create_task(Mirror(client, store).run())
        await asyncio.wait([running, asyncio.create_task(heard.wait())], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return heard.is_set()


async def behind_a_wall() -> str:
    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"errors": ["no"]})

    async with Earnest("http://earnest", "ek_1", transport=httpx.MockTransport(answer)) as client:
        try:
            await client.execute("{ viewer { accountId } }")
        except OperationFailed as failure:
            return failure.code
    return "done"


async def cut_off() -> dict[str, str]:
    """A task is cancelled while its thread writes, and the next key is asked for at once."""
    is_open, goes_on = threading.Event(), threading.Event()

    def slow(self: Path, mode: str = "r", **how: Any) -> Any:
        file = open_file(self, mode, **how)
        if mode == "w" and not is_open.is_set():
            is_open.set()
            goes_on.wait()
        return file

    with patch.object(Path, "open", slow):
        first = asyncio.create_task(FileKeys("keys.json").key_of("first", "1"))
        await asyncio.to_thread(is_open.wait)
        first.cancel()
        second = asyncio.create_task(FileKeys("keys.json").key_of("second", "2"))
        await asyncio.wait([second], timeout=1)  # until it has written, or waits for the first
        goes_on.set()
        await second
    await asyncio.get_running_loop().shutdown_default_executor()
    keys: dict[str, str] = json.loads(Path("keys.json").read_text())
    return keys


async def main() -> None:
    saw: dict[str, Any] = {
        "beside a look": await beside_a_look(),
        "without a bell": await without_a_bell(),
        "after a cut": await after_a_cut(),
        "behind a wall": await behind_a_wall(),
        "cut off": await cut_off(),
    }
    print(json.dumps(saw))


asyncio.run(main())
