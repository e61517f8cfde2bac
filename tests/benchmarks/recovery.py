"""What is lost with a machine that dies under load, and how long it takes until commands are taken again, by what kept its log.

The server is killed, and nothing of its disk is used afterwards: only what was handed on. Lost is what had been answered and
isn't there any more; the time runs from the kill to the first command that is answered again, the copying of the base included.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from earnest.backups import archiving, in_place, programs, restoring, taking
from earnest.backups.taking import WAL, Base
from earnest.engines import Engines
from earnest.engines.postgres import EmbeddedPostgres
from earnest.engines.processes import Record
from escrow import database
from escrow.migrate import migrate
from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.earnest.standing_by import asked, follows, standby_of
from tests.engines import TestServer
from tests.factories import Deployment

WRITERS: Final = 8
LOAD_SECONDS: Final = 40.0
"""Longer than it takes to fill a file of PostgreSQL's log, shorter than until a file is handed on that isn't full."""


@dataclass(slots=True)
class Load:
    """Contracts that were proposed, and when each was answered."""

    answered: dict[str, float] = field(default_factory=dict)

    async def write(self, deployment: Deployment) -> None:
        """Propose one after the other until the database is no more."""
        with suppress(Exception):
            while True:
                deal = await deployment.propose("10.00")
                self.answered[deal.id] = time.monotonic()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of one death."""

    answered: int
    lost: int
    lost_seconds: float
    """How long before the death the first was answered that is lost."""
    seconds: float
    """Until a command was answered again."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A server under load, and what is kept of it elsewhere."""

    first: Engines
    backups: Path
    folder: Path


Back = Callable[[], Awaitable[str]]
"""Brings the database back, and gives its URL."""


async def tables(_server: TestServer, _redis_url: str, _: Options) -> list[Table]:
    """One line for each way to keep the log."""
    ways = {
        "`archive_command`": archived,
        "`earnest backup --follow`": followed,
        "a standby": standing_by,
        "a synchronous standby": standing_by_in_step,
    }
    rows = []
    for name, way in ways.items():
        one = await measure(way)
        rows.append([name, f"{one.answered:,}", f"{one.lost:,}", f"{one.lost_seconds:,.2f}", f"{one.seconds:,.1f}"])
    caption = f"A server that dies under a load of {WRITERS} writers, and whose disk is gone"
    return [Table("restore", caption, ["kept by", "answered", "lost", "lost s", "back after s"], rows)]


async def measure(way: Callable[[Machine], AsyncIterator[Back]]) -> Recovery:
    """One death."""
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        backups = folder / "backups"
        archiving.open_to_server(backups, folder / "first" / "postgres")
        settings = archiving.settings_for(backups, folder / "first" / "postgres") if way is archived else {}
        async with Engines(folder / "first", postgres=settings) as first:
            await migrate(first.database_url)
            async with asynccontextmanager(way)(Machine(first, backups, folder)) as back:
                return await _die(first, back)


async def _die(first: Engines, back: Back) -> Recovery:
    await database.connect(first.database_url)
    load = Load()
    try:
        deployment = await Deployment._made(0, 0)
        writing = [asyncio.create_task(load.write(deployment)) for _ in range(WRITERS)]
        await asyncio.sleep(LOAD_SECONDS)
        first.processes()["PostgreSQL"].send_signal(signal.SIGQUIT)
        died = time.monotonic()
        await asyncio.gather(*writing)
    finally:
        await database.disconnect()
    await database.connect(await back())
    try:
        await deployment.propose("10.00")
        seconds = time.monotonic() - died
        rows = await database.fetch("SELECT id FROM contracts WHERE id = ANY ($1)", list(load.answered))
    finally:
        await database.disconnect()
    lost = [at for contract, at in load.answered.items() if contract not in {row["id"] for row in rows}]
    # What was answered while the server was being killed may be told a moment after it was dead.
    return Recovery(len(load.answered), len(lost), max(died - min(lost, default=died), 0), seconds)


async def archived(machine: Machine) -> AsyncIterator[Back]:
    """PostgreSQL hands on each file of its log when it is full, or a minute old."""
    base = await asyncio.to_thread(taking.take, machine.first.database_url, machine.backups)
    async with _server(machine) as second:
        yield lambda: _restored(machine, base, second)


async def followed(machine: Machine) -> AsyncIterator[Back]:
    """`pg_receivewal` writes down what the server does as it does it."""
    base = await asyncio.to_thread(taking.take, machine.first.database_url, machine.backups)
    url, to = programs.for_libpq(machine.first.database_url), str(machine.backups / WAL)
    command = [programs.tool("pg_receivewal"), "--dbname", url, "--directory", to, "--synchronous", "--no-loop"]
    follower = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
    try:
        async with _server(machine) as second:

            async def back() -> str:
                await follower.wait()
                return await _restored(machine, base, second)

            yield back
    finally:
        with suppress(ProcessLookupError):
            follower.kill()
        await follower.wait()


async def standing_by(machine: Machine) -> AsyncIterator[Back]:
    """A standby follows, and nobody waits for it."""
    (machine.folder / "second").mkdir(mode=0o711)
    async with standby_of(machine.first, machine.folder / "second") as second:
        await follows(machine.first, second)
        yield lambda: _promoted(second)


async def standing_by_in_step(machine: Machine) -> AsyncIterator[Back]:
    """Nothing is answered before the standby has it on its disk."""
    (machine.folder / "second").mkdir(mode=0o711)
    async with standby_of(machine.first, machine.folder / "second") as second:
        await follows(machine.first, second)
        await asked(machine.first.database_url, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        await asked(machine.first.database_url, "SELECT pg_reload_conf()")
        yield lambda: _promoted(second)


@asynccontextmanager
async def _server(machine: Machine) -> AsyncIterator[EmbeddedPostgres]:
    (machine.folder / "second").mkdir(mode=0o711)
    with tempfile.TemporaryDirectory(prefix="earnest-", dir="/tmp") as sockets:
        server = EmbeddedPostgres(
            data=machine.folder / "second" / "postgres",
            sockets=Path(sockets),
            log=machine.folder / "second" / "log",
            record=Record(machine.folder / "second" / "processes.json"),
        )
        try:
            yield server
        finally:
            await server.stop()


async def _restored(machine: Machine, base: Base, server: EmbeddedPostgres) -> str:
    data = machine.folder / "second" / "postgres"
    archiving.open_to_server(machine.backups, data)
    await asyncio.to_thread(restoring.prepare, base, machine.backups, data, None)
    await server.start()
    assert server.process is not None
    await in_place.recovered(server.url, server.process)
    return server.url


async def _promoted(server: EmbeddedPostgres) -> str:
    await asked(server.url, "SELECT pg_promote()")
    return server.url
