"""Starts processes in sessions of their own, records them, and stops each with its whole group.

A process is recorded with its start time, because process ids are used again: what a killed supervisor left behind is
ended by the next start only if both still match.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from earnest.run.refusing import CannotStart

LAUNCHER = Path(__file__).with_name("launcher.py")
POLL_SECONDS = 0.02
LEFTOVER_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the machine that a program runs as instead of root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A process that was started here: the id alone would be ambiguous, with the start time it is not."""

    name: str
    pid: int
    started: str

    def is_alive(self) -> bool:
        """Whether this very process still runs (a zombie doesn't)."""
        return start_time(self.pid) == self.started


async def launch(
    *command: str,
    death_signal: signal.Signals,
    output: int | IO[bytes],
    user: User | None = None,
    must_enter: Path | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start a program as the leader of its own session, with both its outputs in one place and no input.

    On Linux it gets `death_signal` when this process dies, however that happens.
    """
    return await asyncio.create_subprocess_exec(
        *bound(*command, death_signal=death_signal, user=user, must_enter=must_enter),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environ,
        cwd=directory,
    )


def bound(
    *command: str, death_signal: signal.Signals, user: User | None = None, must_enter: Path | None = None
) -> Sequence[str]:
    """What to run for a program that gets `death_signal` on Linux when the thread that started it is no more."""
    by = (sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)))
    identity = (str(user.uid), str(user.gid)) if user else ("-", "-")
    return (*by, *identity, str(must_enter) if must_enter else "-", *command)


async def end(
    process: asyncio.subprocess.Process, *, first: signal.Signals, grace_seconds: float, group: bool = True
) -> bool:
    """End a launched process and its group; true if it went by itself within the grace, without SIGKILL.

    With `group=False` only the leader gets the first signal (PostgreSQL ends its own processes in order).
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(process.pid, first)
    try:
        await asyncio.wait_for(process.wait(), grace_seconds)
        in_time = True
    except TimeoutError:
        in_time = False
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # grandchildren too; the group is gone when none are left
    await process.wait()
    return in_time


class Record:
    """The file that says what runs, and in which folder its sockets are, so that a next start can clear up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._processes: list[Recorded] = []
        self._sockets: Path | None = None

    def add(self, name: str, pid: int) -> None:
        """Write down a process that was just started."""
        if (started := start_time(pid)) is not None:
            self._processes.append(Recorded(name=name, pid=pid, started=started))
            self._save()

    def use_sockets(self, directory: Path) -> None:
        """Write down the private folder of the sockets, before anything is in it."""
        self._sockets = directory
        self._save()

    def forget(self) -> None:
        """Everything ended: nothing is left to clear up."""
        self._processes.clear()
        self._sockets = None
        self._path.unlink(missing_ok=True)

    async def clear_up(self) -> list[Recorded]:
        """End what an earlier supervisor left behind, and only that; gives what had to be ended.

        The first signal is SIGINT, which every program here takes as "stop now, cleanly"; SIGKILL comes after
        5 seconds.
        """
        processes, sockets = self._read()
        ended = [process for process in processes if process.is_alive()]
        for number in (signal.SIGINT, signal.SIGKILL):
            alive = [process for process in ended if process.is_alive()]
            for process in alive:
                _signal(process, number)
            await _until_gone(alive, seconds=LEFTOVER_GRACE_SECONDS)
        for process in ended:
            if process.is_alive():
                raise CannotStart(f"{process.name} (process {process.pid}) of an earlier start cannot be ended")
        if sockets is not None and sockets.name.startswith("earnest-") and not sockets.is_symlink():
            shutil.rmtree(sockets, ignore_errors=True)
        self.forget()
        return ended

    def _read(self) -> tuple[list[Recorded], Path | None]:
        try:
            content = json.loads(self._path.read_text())
            processes = [
                Recorded(name=p["name"], pid=int(p["pid"]), started=p["started"]) for p in content["processes"]
            ]
            sockets = content["sockets"]
            return processes, Path(sockets) if sockets else None
        except FileNotFoundError:
            return [], None
        except (ValueError, KeyError, TypeError):
            # Written whole or not at all, so this was not us; nothing in it can be trusted to name a process.
            return [], None

    def _save(self) -> None:
        content = {
            "sockets": str(self._sockets) if self._sockets else None,
            "processes": [{"name": p.name, "pid": p.pid, "started": p.started} for p in self._processes],
        }
        write_private(self._path, json.dumps(content, indent=2) + "\n")


def start_time(pid: int) -> str | None:
    """When a process started, exact enough to tell it from another one with the same id; None if it doesn't run."""
    return _start_time_linux(pid) if sys.platform == "linux" else _start_time_elsewhere(pid)


def _start_time_linux(pid: int) -> str | None:
    try:
        # The name may contain spaces and brackets: the fields are counted from its last closing one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, ticks = fields[0], fields[19]
    return None if state in {"Z", "X"} else f"{boot} {ticks}"


def _start_time_elsewhere(pid: int) -> str | None:
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = shown.stdout.strip().partition(" ")
    return started.strip() if state and not state.startswith("Z") else None


def read_private(path: Path) -> str:
    """What such a file says; refuses with `CannotStart` to tell it to somebody else."""
    try:
        return path.read_text()
    except PermissionError:
        raise CannotStart(
            f"{path} belongs to somebody else: start Earnest as the user who made it, or give it to yourself (chown)"
        ) from None


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        _leave_to_owner(path.parent, descriptor)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _leave_to_owner(folder: Path, descriptor: int) -> None:
    """Give what root writes in somebody's folder to them: their next start has to read it."""
    if os.geteuid() == 0:
        owner = folder.stat()
        with suppress(PermissionError):  # root without that right, as in a container
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def lines_since(path: Path, offset: int, *, bytes_max: int = 8192) -> list[str]:
    """The last lines that a log got since it had this size: why a program didn't start, without older stories."""
    with path.open("rb") as file:
        file.seek(max(offset, path.stat().st_size - bytes_max))
        return [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]


def open_log(path: Path, *, bytes_max: int = 10_000_000) -> IO[bytes]:
    """Open a program's log to append; one that grew beyond 10 MB begins anew, keeping the one before."""
    try:
        if path.exists() and path.stat().st_size > bytes_max:
            path.replace(path.with_name(path.name + ".1"))
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.fchmod(log, 0o600)  # also one that an earlier release made for everybody to read
        _leave_to_owner(path.parent, log)
        return os.fdopen(log, "ab")
    except PermissionError:
        raise CannotStart(
            f"{path} belongs to somebody else: start Earnest as the user who made it, or move {path.parent} away"
        ) from None


def _signal(process: Recorded, number: signal.Signals) -> None:
    """Signal a process with its group; PostgreSQL alone, since it ends its own processes in order."""
    with suppress(ProcessLookupError, PermissionError):
        (os.kill if process.name == "postgres" else os.killpg)(process.pid, number)


async def _until_gone(processes: Sequence[Recorded], *, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while loop.time() < deadline and any(process.is_alive() for process in processes):  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)  # not our children: nothing tells us when they end
