"""Processes of a deployment, of any release that lies in a folder, forked where the release's imports are done."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from tests.earnest import commanding
from tests.earnest.running import free_port
from tests.patience import PATIENCE_SECONDS
from tests.upgrade.former import ROOT
from tests.upgrade.mothers import Child, Mother
from tests.workers.forking import Forked
from tests.workers.process import until


@dataclass(frozen=True, slots=True)
class Release:
    """A release, and the variables that all of its processes have."""

    environ: Mapping[str, str]
    mother: Mother | None = None
    """Of another release than this one."""

    async def run(self, *command: str) -> tuple[int, str]:
        """What a command ends with, and all that it says."""
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "said"
            process = await self._begin(*command, env={}, log=log)
            return await process.wait(), log.read_text()

    async def start(self, kind: str, log: Path) -> Running:
        """A `web` or `worker` process that works already."""
        port = free_port()
        running = Running(await self._begin(kind, env={"PORT": str(port)}, log=log), kind, port, log)
        await running.works()
        return running

    async def _begin(self, *words: str, env: Mapping[str, str], log: Path) -> Child | Forked:
        log.touch(mode=0o600)
        environ = {**self.environ, **env}
        if self.mother is not None:
            return await self.mother.begin(*words, environ=environ, log=log)
        return commanding.begin(*words, folder=ROOT, environ=environ, log=log)


@dataclass(frozen=True, slots=True)
class Running:
    """A process that was started."""

    process: Child | Forked
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
