"""Runs a real PostgreSQL and Redis for development and tests, on sockets that only their owner reaches.

`Engines` is one pair of them over one folder. It neither locks the folder nor migrates the database: that belongs to
whoever starts it.
"""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from earnest.engines.postgres import EmbeddedPostgres
from earnest.engines.processes import Record
from earnest.engines.redis import EmbeddedRedis
from earnest.run.refusing import CannotStart

SOCKET_PATH_BYTES_MAX = 90
"""Of the 104 (macOS) or 108 (Linux) bytes that a socket's path may have, lock files beside it included."""


class Engines:
    """An embedded PostgreSQL and Redis over one folder, alive inside `async with`.

    `start` refuses with `CannotStart`, one line that says what to do; then, and after `stop`, nothing is left running.
    """

    def __init__(
        self,
        directory: Path,
        *,
        postgres: Mapping[str, str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`postgres` are further settings of the server; `tell` gets a line for people about each step of the start."""
        self.directory = directory.absolute()
        self._settings = postgres
        self._tell = tell
        self.record = Record(self.directory / "processes.json")
        self.database_url = ""
        self.redis_url = ""
        self._postgres: EmbeddedPostgres | None = None
        self._redis: EmbeddedRedis | None = None
        self._sockets: Path | None = None

    async def __aenter__(self) -> "Engines":
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """End what a killed supervisor left over this folder, then start both; sets `database_url`, `redis_url`."""
        make_directory(self.directory)
        await self.record.clear_up()
        self._sockets = make_socket_directory()
        self.record.use_sockets(self._sockets)
        try:
            self._redis = EmbeddedRedis(sockets=self._sockets, log=self.directory / "redis.log", record=self.record)
            self._postgres = EmbeddedPostgres(
                data=self.directory / "postgres",
                sockets=self._sockets,
                log=self.directory / "postgres.log",
                record=self.record,
                settings=self._settings,
                tell=self._tell,
            )
            await self._redis.start()
            self._tell(f"{self._redis.program} answers")
            await self._postgres.start()
            self._tell(f"PostgreSQL {self._postgres.version} (built in) answers")
        except BaseException:
            await self.stop()
            raise
        self.database_url, self.redis_url = self._postgres.url, self._redis.url

    async def stop(self) -> None:
        """End both, PostgreSQL last, and leave nothing behind but the data."""
        for engine in (self._redis, self._postgres):
            if engine is not None:
                await engine.stop()
        self._redis = self._postgres = None
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        self.record.forget()

    def processes(self) -> dict[str, asyncio.subprocess.Process]:
        """The running engines by name, for whoever has to know when one ends without being told to."""
        engines = {"PostgreSQL": self._postgres, "Redis": self._redis}
        return {name: engine.process for name, engine in engines.items() if engine and engine.process}


def make_directory(directory: Path) -> None:
    """Make the folder of the engines: private, but passable as root, whose PostgreSQL runs as somebody else.

    All secrets in it are files that only their owner reads.
    """
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            directory.chmod(0o711)
    except FileExistsError:
        raise CannotStart(f"{directory} is a file, but Earnest keeps its data in a folder of that name") from None
    except FileNotFoundError:
        raise CannotStart(f"{directory.parent} doesn't exist: start Earnest in the folder of its checkout") from None
    except PermissionError:
        raise CannotStart(
            f"{directory.parent} cannot be written by this user, and Earnest keeps its data there"
        ) from None
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise CannotStart(
            f"{directory} cannot be written by this user: start Earnest as the user who made it, or move it away"
        )


def make_socket_directory() -> Path:
    """A new, empty folder of mode 0700 with a short path without spaces, since a socket's path is limited."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a private folder there
        long = len(os.fsencode(parent)) + len("/earnest-12345678/.s.PGSQL.5432.lock") > SOCKET_PATH_BYTES_MAX
        if not long and re.fullmatch(r"[\w./+-]+", parent, re.ASCII):
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix="earnest-", dir=parent))
    raise CannotStart("There is no folder for the engines' sockets: /tmp must exist and be writable")
