"""A worker on a host whose clock is wrong by so many days: `python -m tests.workers.skewed DAYS`.

Whatever in the project's own code would ask Python for the time is told the wrong one.
"""

import asyncio
import datetime as dt
import inspect
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from escrow import process_log
from escrow.settings import LogFormat
from workers.main import run

OURS: Final = ("escrow", "webhooks", "connectors", "schema", "api", "workers")

_skew_seconds = 0
_time, _time_ns = time.time, time.time_ns


class _Skewed(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return dt.datetime.now(tz) + dt.timedelta(seconds=_skew_seconds)


def skew(days: int) -> None:
    """From now on this process' clock is wrong by so many days."""
    global _skew_seconds
    _skew_seconds = days * 86_400
    time.time = lambda: _time() + _skew_seconds
    time.time_ns = lambda: _time_ns() + _skew_seconds * 10**9
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in OURS and _asks(module):
            module.datetime = _Skewed  # type: ignore[attr-defined]


def _asks(module: ModuleType) -> bool:
    """Whether it asks for the time; all the others only know what a time is."""
    source = inspect.getsourcefile(module) if module.__file__ is not None else None
    return source is not None and "datetime.now(" in Path(source).read_text()


def main(days: str) -> None:
    skew(int(days))
    asyncio.run(run())


if __name__ == "__main__":
    process_log.configure(LogFormat.TEXT)
    main(sys.argv[1])
