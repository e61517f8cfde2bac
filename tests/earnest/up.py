"""`earnest up` without its steps, so that these tests need neither the tables nor the web process of the project."""

import asyncio
import signal
import sys
from pathlib import Path

from earnest.run.refusing import CannotStart
from earnest.run.supervisor import Supervisor
from escrow.settings import SettingError


async def main() -> int:
    """Supervise the Procfile of the folder this runs in."""
    return await Supervisor(Path.cwd(), before=(), after=()).run()


if __name__ == "__main__":
    signal.signal(
        signal.SIGHUP, signal.SIG_DFL
    )  # the tests themselves may run under nohup, which the supervisor respects
    try:
        sys.exit(asyncio.run(main()))
    except (CannotStart, SettingError) as refusal:
        print(f"earnest: {refusal}", file=sys.stderr)
        sys.exit(2)
