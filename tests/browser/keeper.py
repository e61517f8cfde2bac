"""Keeps a web process: starts it, and starts it again whenever it was killed, as a service manager does in production.

It has imported what that needs, so that the next one serves in a moment. The id of the process that serves now stands in a file
beside the Procfile, from when it was begun until its end was noticed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

from tests.conformance.own.mother import begin, prepare

SERVES: Final = "web.pid"


def main() -> int:
    """Serve until told to stop; the code of a web process that ended by itself."""
    told = False

    def stop(number: int, _: object) -> None:
        nonlocal told
        told = True
        os.kill(serves, number)

    prepare()
    serves = _begun()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while (code := os.waitstatus_to_exitcode(os.waitpid(serves, 0)[1])) == -signal.SIGKILL and not told:
        serves = _begun()
    return 0 if told else code


def _begun() -> int:
    Path(SERVES).unlink(missing_ok=True)
    process = begin()
    written = Path(f"{SERVES}.new")
    written.write_text(str(process))
    written.replace(SERVES)
    return process


if __name__ == "__main__":
    sys.exit(main())
