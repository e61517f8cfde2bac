"""Processes of a release that lies in a folder, forked by one process of it that has its imports done.

What is forked for this release is forked by `tests/workers/forking.py`; another release's imports are another process' affair.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.workers.forking import Signalled

PROGRAM: Final = Path(__file__).parent / "plugins" / "mother.py"


class Child(Signalled):
    """A process that the mother became."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or the signal that ended it as a negative number; `None` while it lives."""
        return self.ended.result() if self.ended.done() else None

    async def wait(self) -> int:
        """Wait until it has ended; its exit code."""
        return await asyncio.shield(self.ended)


class Mother:
    """The process that has imported what they need."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._children: dict[int, Child] = {}
        self._born: asyncio.Queue[Child] = asyncio.Queue()
        self._one_by_one = asyncio.Lock()

    async def begin(self, *words: str, environ: Mapping[str, str], log: Path) -> Child:
        """A process that runs this command; what it says is added to the file."""
        asked = json.dumps({"words": words, "environ": dict(environ), "log": str(log)})
        assert self._process.stdin is not None
        async with self._one_by_one:
            self._process.stdin.write(asked.encode() + b"\n")
            await self._process.stdin.drain()
            return await self._born.get()

    async def listen(self) -> None:
        """Take what it tells, for ever."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "began" in told:
                self._children[told["began"]] = Child(told["began"])
                self._born.put_nowait(self._children[told["began"]])
            else:
                self._children[told["ended"]].ended.set_result(told["code"])


@asynccontextmanager
async def mother(tree: Path, environ: Mapping[str, str]) -> AsyncIterator[Mother]:
    """The one of the release in that folder. With her all her children end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM)), cwd=tree, env={**environ, "PYTHONPATH": str(tree)}, stdin=PIPE, stdout=PIPE
    )
    made = Mother(process)
    listening = asyncio.create_task(made.listen())
    try:
        yield made
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening
