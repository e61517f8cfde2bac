"""Keeps a second process out of a folder, by a lock that the kernel releases when its holder dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final

from earnest.run.refusing import CannotStart

RUNS: Final = "Earnest already runs on {folder} (process {holder}): stop it there first, with Ctrl-C"

PASSING: Final = "passing"
"""What stands in the file behind the id of a process that lets go by itself."""


class AlreadyRunning(CannotStart):
    """Another process holds the lock: `holder` is its id, and `is_passing` says whether it lets go by itself."""

    def __init__(self, message: str, *, holder: str, is_passing: bool) -> None:
        super().__init__(message)
        self.holder = holder
        self.is_passing = is_passing


class DirectoryLock:
    """An exclusive lock on a file, held while the context is open. Refuses with one line if somebody holds it.

    `is_passing` tells the others that whoever holds it, a command, lets go when it has done its work. Raises `OSError` where the
    file can't be made or its filesystem knows no locks.
    """

    def __init__(self, path: Path, *, refusal: str = RUNS, is_passing: bool = False) -> None:
        self._path = path
        self._refusal = refusal
        self._is_passing = is_passing
        self._descriptor: int | None = None

    def __enter__(self) -> "DirectoryLock":
        """Take the lock at once or refuse, naming the process that holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder, _, kind = os.pread(descriptor, 64, 0).decode(errors="replace").strip().partition(" ")
            holder = holder or "unknown"
            raise AlreadyRunning(
                self._refusal.format(folder=self._path.parent, holder=holder), holder=holder, is_passing=kind == PASSING
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}{f' {PASSING}' if self._is_passing else ''}\n".encode(), 0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go. The file stays: removing it would let two others lock two different files of this name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
