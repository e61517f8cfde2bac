"""Processes of a deployment, of any release that lies in a folder: this one's are forked where its imports are done."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from tests.earnest import commanding
from tests.earnest.running import free_port
from tests.patience import PATIENCE_SECONDS
from tests.upgrade.former import ROOT
from tests.workers.forking import Forked
from tests.workers.process import until


@dataclass(frozen=True, slots=True)
class Release:
    """A release's files, and the variables that all of its processes have."""

    tree: Path
    environ: Mapping[str, str]

    async def run(self, *command: str) -> tuple[int, str]:
        """What a command ends with, and all that it says."""
        if self.tree == ROOT:
            code, said, remarked = await commanding.commanded(*command, environ=self.environ, folder=ROOT)
            return code, remarked + said
        process = await self._start(*command, output=PIPE, env={})
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def start(self, kind: str, log: Path) -> Running:
        """A `web` or `worker` process that works already."""
        port = free_port()
        process = await self._begin(kind, {"PORT": str(port)}, log)
        running = Running(process, kind, port, log)
        await running.works()
        return running

    async def _begin(self, kind: str, env: Mapping[str, str], log: Path) -> Forked | Process:
        if self.tree == ROOT:
            return commanding.begin(kind, folder=ROOT, environ={**self.environ, **env}, log=log)
        with log.open("ab") as output:
            return await self._start(kind, output=output.fileno(), env=env)

    async def _start(self, *command: str, output: int, env: Mapping[str, str]) -> Process:
        environ = {**self.environ, **env, "PYTHONPATH": str(self.tree)}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "earnest", *command), cwd=self.tree, env=environ, stdout=output, stderr=STDOUT
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started."""

    process: Forked | Process
    kind: str
    port: int
    log: Path

    async def works(self) -> None:
        """Wait until it does what it is for."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_SECONDS) as http:
            await until(partial(self._works, http), otherwise=self.log.read_text)

    async def _works(self, http: httpx.AsyncClient) -> bool:
        assert self.process.returncode is None, self.log.read_text()
        if self.kind == "worker":
            return "worker works" in self.log.read_text()
        try:
            return (await http.get("/readyz")).status_code == 200
        except httpx.ConnectError:
            return False

    async def stop(self) -> None:
        """Tell it to stop and wait until it has; it must end by itself, and well."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            code = await self.process.wait()
        assert code in (0, -signal.SIGTERM), (code, self.log.read_text())  # uvicorn hands the signal on at its end

    def kill(self) -> None:
        """End it, if it hasn't."""
        if self.process.returncode is None:
            self.process.kill()
