"""Keeps a second supervisor out of a folder, by a lock that the kernel releases when its holder dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from earnest.run.refusing import CannotStart


class AlreadyRunning(CannotStart):
    """Another process holds the lock."""


class DirectoryLock:
    """An exclusive lock on a file, held while the context is open. Refuses with one line if somebody holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> "DirectoryLock":
        """Take the lock at once or refuse, naming the process that holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunning(
                f"Earnest already runs on {self._path.parent} (process {holder}): stop it there first, with Ctrl-C"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go. The file stays: removing it would let two others lock two different files of this name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
