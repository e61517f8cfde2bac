"""Begins web processes that have imported everything and made the schema, so that one that was killed is there again in a moment.

Each line of its input begins one, and its output says which process that is.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

from api import app, figures
from earnest.cli import main
from earnest.run import garbage, guard, serving
from schema import build

IMPORTED = (app, figures, garbage, guard, serving)


def prepare() -> None:
    """Have what every web process needs before it serves, once for all of them."""
    build.executable(sandbox=True)
    gc.freeze()


def begin() -> int:
    """The number of a process that serves; here. There it doesn't come back."""
    process = os.fork()
    if process == 0:
        os.dup2(2, 1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # until it has its own
        os._exit(main(["web"]))
    return process


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that were killed
    prepare()
    for _ in sys.stdin:
        print(begin(), flush=True)
