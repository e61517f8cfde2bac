"""Processes that benchmarks measure: web processes as an operator starts them, and how much processor time processes took."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from escrow import database
from tests.earnest.running import clean_environment, free_port
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import ROOT

_TICKS: Final = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def serving(
    *program: str, environ: Mapping[str, str], log: Path, cwd: Path = ROOT
) -> AsyncIterator[tuple[int, int]]:
    """A program that serves on `PORT`; the port and the process' id. Ended at the end; what it says goes into the log."""
    port = free_port()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *program,
            env={**clean_environment(), **environ, "PORT": str(port)},
            cwd=cwd,
            stdout=output,
            stderr=output,
        )
    try:
        await _serves(port, process, log)
        yield port, process.pid
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def web(database_url: str, redis_url: str, log: Path, *, rate: str = "off") -> AsyncIterator[tuple[int, int]]:
    """A web process of Earnest; its port and its process id. `rate` is what it grants each key."""
    environ = web_environment(database_url, redis_url) | {"EARNEST_RATE": rate}
    async with serving(*(sys.executable, "-m", "earnest", "web"), environ=environ, log=log) as found:
        yield found


def web_environment(database_url: str, redis_url: str) -> dict[str, str]:
    """The variables of a sandbox on these servers, where nobody is asked to wait."""
    return {
        "EARNEST_RATE": "off",
        "EARNEST_CONNECTIONS_PER_ADDRESS_MAX": "10000",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
        "EARNEST_SECRET_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode(),
    }


async def _serves(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if process.returncode is not None or time.monotonic() > deadline:
                raise RuntimeError(f"a process doesn't serve:\n{log.read_text()}") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that these processes took so far, all their threads together; 0 where the system doesn't tell."""
    return sum(_cpu_seconds(pid) for pid in pids)


def _cpu_seconds(pid: int) -> float:
    """By the nanosecond where the kernel counts so, else by its tick."""
    folder = Path("/proc") / str(pid)
    try:
        return sum(int(one.read_text().split()[0]) for one in folder.glob("task/*/schedstat")) / 1e9 or _ticks(folder)
    except OSError:
        return 0.0


def _ticks(folder: Path) -> float:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def postgres_seconds() -> dict[int, float]:
    """Processor time that each connection to the database took so far to which this process is connected."""
    rows = await database.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    return {row["pid"]: cpu_seconds([row["pid"]]) for row in rows}


async def postgres_seconds_since(before: Mapping[int, float]) -> float:
    """What the connections that there are now took since then, all together; pools close some that were idle for long."""
    now = await postgres_seconds()
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in now.items())
