"""The deployment of the soak: its engines, the cables to them, and its processes, each of which can be ended and begun again.

PostgreSQL and Redis are reached through proxies of ours, and so are the web processes. As root PostgreSQL's data lies on a small
disk of its own, so that it can be full once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, Signals
from typing import Final

import asyncpg

from earnest.engines import Engines
from earnest.engines.postgres import EmbeddedPostgres
from earnest.engines.redis import EmbeddedRedis
from earnest.run.refusing import CannotStart
from escrow.migrate import migrate
from tests.earnest.running import free_port
from tests.workers.forking import Forked
from tests.workers.process import worker_environment

WEBS: Final = ("web-0", "web-1")
WORKERS: Final = ("worker-0", "worker-1")
PROXIES: Final = ("cable to PostgreSQL", "cable to Redis", "door")
SAYS: Final = {"worker": b"worker works", "cable": b"passing on", "door": b"passing on"}
SAY_ELSE: Final = ("passing on",)
"""The lines that no logger writes."""
START_SECONDS_MAX: Final = 300.0
WAL_MB_MAX: Final = 128


@dataclass(slots=True)
class House:
    """Everything that runs."""

    folder: Path
    engines: Engines
    provider: Mapping[str, str]
    """The variables that say who moves the money."""
    has_small_disk: bool
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, Forked] = field(default_factory=dict)
    starts: int = 0
    begins: dict[str, int] = field(default_factory=dict)
    """Where in its log begins what a process wrote since it was started, in bytes."""

    @property
    def url(self) -> str:
        """Where people reach it."""
        return f"http://127.0.0.1:{self.ports['door']}"

    @property
    def postgres(self) -> EmbeddedPostgres:
        engine = self.engines._postgres
        assert engine is not None
        return engine

    @property
    def redis(self) -> EmbeddedRedis:
        engine = self.engines._redis
        assert engine is not None
        return engine

    async def start(self) -> None:
        """Migrate, lay the cables, and start everything."""
        if self.has_small_disk:
            await self._keep_log_short()
        await migrate(self.engines.database_url)
        self.ports |= {name: free_port() for name in (*PROXIES, *WEBS) if name != "door"}
        sockets = Path(self.redis.url.removeprefix("unix://")).parent
        places = {
            "cable to PostgreSQL": [str(sockets / ".s.PGSQL.5432")],
            "cable to Redis": [str(sockets / "redis.sock")],
            "door": [f"127.0.0.1:{self.ports[web]}" for web in WEBS],
        }
        for name, to in places.items():
            self._fork(name, "proxy", json.dumps({"port": self.ports[name], "to": to}))
        await asyncio.gather(*(self._until_it_says(name) for name in PROXIES))
        await asyncio.gather(*(self.begin(name) for name in (*WEBS, *WORKERS)))

    async def _keep_log_short(self) -> None:
        """PostgreSQL's own log would take a gigabyte, and fill the disk by itself."""
        connection = await asyncpg.connect(self.engines.database_url)
        try:
            await connection.execute(f"ALTER SYSTEM SET max_wal_size = '{WAL_MB_MAX}MB'")
            await connection.execute("SELECT pg_reload_conf()")
        finally:
            await connection.close()

    async def begin(self, name: str, *, skew_days: int = 0) -> None:
        """Start a web or a worker process and wait until it does its work."""
        self._fork(name, name.partition("-")[0], str(skew_days))
        await self._until_it_works(name)

    async def _until_it_works(self, name: str) -> None:
        if name in WORKERS:
            await self._until_it_says(name)
            return
        await self._until(name, lambda: _listens(self.ports[name]))

    async def end(self, name: str) -> None:
        """SIGKILL."""
        process = self.running.pop(name)
        process.kill()
        await process.wait()

    def signal(self, name: str, number: Signals) -> None:
        self.running[name].send_signal(number)

    async def stop(self) -> None:
        """End whatever runs."""
        for name in list(self.running):
            self.signal(name, SIGCONT)
            await self.end(name)

    def ended_by_itself(self) -> list[str]:
        """The processes that nobody ended, and that are not there any more."""
        return [f"{name}: {one.returncode}" for name, one in self.running.items() if one.returncode is not None]

    def log(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.log"

    def logs(self) -> list[Path]:
        """The log of every process, of all its starts."""
        return [self.log(name) for name in self.begins]

    def written(self) -> dict[str, int]:
        """How much stands in each log so far, in bytes, by its name."""
        return {log.stem: log.stat().st_size for log in self.logs()}

    def _fork(self, name: str, program: str, argument: str) -> None:
        self.starts += 1
        with self.log(name).open("ab") as log:
            log.write(b"\n")  # the one before may have been killed in the middle of a line
            self.begins[name] = log.tell()
        environ = worker_environment(
            f"postgres://postgres:@127.0.0.1:{self.ports['cable to PostgreSQL']}/earnest",
            f"redis://127.0.0.1:{self.ports['cable to Redis']}/0",
        )
        environ |= {"EARNEST_RATE": "off", "PORT": str(self.ports.get(name, 1)), **self.provider}
        self.running[name] = Forked(f"tests.soak.deployment.{program}", argument, environ=environ, log=self.log(name))

    async def _until_it_says(self, name: str) -> None:
        word = SAYS[name.partition(" ")[0].partition("-")[0]]
        await self._until(name, lambda: word in self._said(name))

    def _said(self, name: str) -> bytes:
        """What a process wrote since it was started."""
        with self.log(name).open("rb") as log:
            log.seek(self.begins[name])
            return log.read()

    async def _until(self, name: str, check: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not check():
            alive = self.running[name].returncode is None and time.monotonic() < deadline
            assert alive, f"{name} does not start: {self._said(name).decode()[-2000:]}"
            await asyncio.sleep(0.02)

    async def restart_postgres(self, number: Signals) -> None:
        """End PostgreSQL by a signal to its first process, and start it as soon as it can be started."""
        process = self.postgres.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            await process.wait()
        await self.start_postgres()

    async def start_postgres(self) -> None:
        """Start PostgreSQL, which may have to wait until the last of its former processes has gone."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                await self.postgres.start()
            except CannotStart:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def restart_redis(self) -> None:
        """SIGKILL, and start it again."""
        process = self.redis.process
        assert process is not None
        process.kill()
        await process.wait()
        await self.redis.stop()
        await self.redis.start()

    def taken_mb(self) -> int:
        """What is on the small disk, in megabytes."""
        return shutil.disk_usage(self.engines.directory).used >> 20

    @property
    def ballast(self) -> Path:
        """The file that fills the small disk."""
        return self.engines.directory / "ballast"

    def fill_disk(self) -> None:
        """Leave no byte free on the small disk, nor what has become free since."""
        with self.ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def house(
    folder: Path, directory: Path, provider: Mapping[str, str], *, door: int, disk_mb: int | None
) -> AsyncIterator[House]:
    """The engines over a directory, with what will run on them and writes its logs into the folder, to be reached at the port of
    the `door`; nothing runs in the end.
    """
    directory.mkdir(exist_ok=True)
    mounted = mount(directory, disk_mb)
    try:
        async with Engines(directory) as engines:
            one = House(folder, engines, provider, mounted, {"door": door})
            try:
                yield one
            finally:
                await one.stop()
    finally:
        if mounted:
            unmount(directory)


def unmount(directory: Path) -> None:
    """Take the small disk away, with all that is on it."""
    subprocess.run(["umount", "--lazy", str(directory)], check=False)


def mount(directory: Path, megabytes: int | None) -> bool:
    """A small disk of its own in the machine's memory, where we may make one: only root may, and not in every container."""
    if os.geteuid() != 0 or megabytes is None:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0711", "tmpfs", str(directory)]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False
