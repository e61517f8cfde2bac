"""Processes that begin where their imports are done: forked by one that has imported what they need and does nothing else.

Each is a process of its own, with an environment, a log and an end of its own; it takes a fifth of the time to start.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Final

from escrow import process_log
from escrow.settings import LogFormat

PROGRAMS: Final = (
    *("tests.workers.dying", "tests.workers.skewed", "tests.workers.delivering", "tests.soak.working"),
    *("tests.soak.deployment.web", "tests.soak.deployment.worker", "tests.soak.deployment.proxy"),
    *("tests.escrow.migrating", "tests.escrow.filling", "tests.api.dying", "tests.earnest.commanding"),
)

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload([*PROGRAMS, "tests.workers.frozen"])


def begin() -> None:
    """Have the imports done from now on, beside whatever else is done until the first process is wanted."""
    forkserver.ensure_running()


class Signalled(ABC):
    """A process that signals reach for as long as it lives."""

    @property
    @abstractmethod
    def pid(self) -> int: ...

    def send_signal(self, number: Signals) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(SIGKILL)


class Forked(Signalled):
    """A process that runs one of `PROGRAMS` with one argument; what it says is added to a file, or to two."""

    def __init__(
        self, program: str, argument: str, *, environ: Mapping[str, str], log: Path, errors: Path | None = None
    ) -> None:
        outputs = (log, errors or log)
        for output in outputs:
            output.touch(mode=0o600)
        self._process = _forking.Process(target=_run, args=(program, argument, dict(environ), outputs), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or the signal that ended it as a negative number; `None` while it lives."""
        return self._process.exitcode

    async def wait(self) -> int:
        """Wait until it has ended; its exit code."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        if self.returncode is None:
            loop.add_reader(self._process.sentinel, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._process.sentinel)
        self._process.join()
        assert self.returncode is not None
        return self.returncode


def _run(program: str, argument: str, environ: Mapping[str, str], outputs: tuple[Path, Path]) -> None:
    """In the new process: become the program, as `python -m` would."""
    os.environ.clear()
    os.environ.update(environ)
    for standard, path in zip((sys.stdout, sys.stderr), outputs, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), standard.fileno())
    process_log.configure(LogFormat.TEXT)
    importlib.import_module(program).main(argument)
