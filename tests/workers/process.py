"""Worker processes as an operator starts them: real ones, ended by real signals. Only their imports were done before."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from signal import Signals
from typing import Final

from tests.earnest.running import clean_environment
from tests.patience import PATIENCE_SECONDS
from tests.workers.forking import Forked

ROOT: Final = Path(__file__).parents[2]


class WorkerProcess:
    """One worker; `log` is what it wrote so far."""

    def __init__(self, process: Forked | Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def signal(self, number: Signals) -> None:
        self.process.send_signal(number)

    async def exit_code(self, *, within_seconds: float = PATIENCE_SECONDS) -> int:
        async with asyncio.timeout(within_seconds):
            return await self.process.wait()

    async def says(self, text: str) -> None:
        """Wait for a line with the text in the log."""

        async def said() -> bool:
            return text in self.log

        await until(said, otherwise=lambda: f"no {text!r} in:\n{self.log}")


def worker_environment(database_url: str, redis_url: str) -> dict[str, str]:
    """The variables of a worker that works for tests."""
    return clean_environment() | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
        "EARNEST_WEBHOOK_ALLOW_PRIVATE": "loopback",
        "EARNEST_SECRET_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode(),
    }


@asynccontextmanager
async def worker(
    database_url: str,
    redis_url: str,
    log: Path,
    *,
    point: str = "nowhere",
    skew_days: int = 0,
    delivering: Mapping[str, object] | None = None,
    provider: Mapping[str, str] | None = None,
) -> AsyncIterator[WorkerProcess]:
    """A worker, started and not waited for; killed at the end if it still lives.

    Its host's clock may be wrong; what `delivering` says is for `tests.workers.delivering`. `provider` has the variables of
    one that isn't sped up for tests, whose worker is as an operator starts it: none are the sandbox at its usual pace.
    """
    environ = {**worker_environment(database_url, redis_url), **(provider or {})}
    program = ("tests.workers.skewed", str(skew_days)) if skew_days else ("tests.workers.dying", point)
    if delivering is not None:
        program = ("tests.workers.delivering", json.dumps(delivering))
    if provider is None:
        process: Forked | Process = Forked(*program, environ=environ, log=log)
    else:
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "earnest", "worker"), env=environ, cwd=ROOT, stdout=output, stderr=output
            )
    try:
        yield WorkerProcess(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(
    check: Callable[[], Awaitable[bool]],
    *,
    otherwise: Callable[[], str] | None = None,
    within_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + within_seconds
    while not await check():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise() if otherwise else "it never came true")
        await asyncio.sleep(0.02)
