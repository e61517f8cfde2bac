"""Adopts and ends processes that outlived their parents, which Linux hands to the supervisor.

A process group catches children and grandchildren that stayed in it; this catches those that made a session of their
own. Elsewhere there is no such thing, and the group is all there is.
"""

import asyncio
import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from earnest.engines.processes import POLL_SECONDS

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 2.0


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


async def end_orphans() -> None:
    """End all children that are left, SIGTERM first, and their children, until there are none.

    To be called when every process that somebody waits for has been waited for.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GRACE_SECONDS
    asked: set[int] = set()
    while children := child_pids():
        for pid in children:
            number = signal.SIGKILL if loop.time() > deadline else None if pid in asked else signal.SIGTERM
            asked.add(pid)
            if number is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 - with WNOHANG it doesn't wait
        await asyncio.sleep(POLL_SECONDS)


def child_pids() -> list[int]:
    """The processes whose parent this one is, zombies included; none on a system without `/proc`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found
