"""Keeps a web process: starts it, and starts it again whenever it was killed, as a service manager does in production.

The id of the process that serves now stands in a file beside the Procfile.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

SERVES: Final = "web.pid"


def main() -> int:
    """Serve until told to stop; the code of a web process that ended by itself."""
    told = False

    def stop(number: int, _: object) -> None:
        nonlocal told
        told = True
        process.send_signal(number)

    process = _started()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while (code := process.wait()) == -signal.SIGKILL and not told:
        process = _started()
    return 0 if told else code


def _started() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-m", "earnest", "web"])
    written = Path(f"{SERVES}.new")
    written.write_text(str(process.pid))
    written.replace(SERVES)
    return process


if __name__ == "__main__":
    sys.exit(main())
