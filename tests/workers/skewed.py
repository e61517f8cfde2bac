"""A worker on a host whose clock is wrong by so many days: `python -m tests.workers.skewed DAYS`.

Whatever in the project's own code would ask Python for the time is told the wrong one.
"""

import asyncio
import datetime as dt
import sys
import time
from typing import Any

from escrow import process_log
from escrow.settings import LogFormat
from workers.main import run

_skew_seconds = 0
_time, _time_ns = time.time, time.time_ns


class _Skewed(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return dt.datetime.now(tz) + dt.timedelta(seconds=_skew_seconds)


def main(days: str) -> None:
    global _skew_seconds
    _skew_seconds = int(days) * 86_400
    time.time = lambda: _time() + _skew_seconds
    time.time_ns = lambda: _time_ns() + _skew_seconds * 10**9
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("escrow", "webhooks", "workers") and getattr(module, "datetime", None):
            module.datetime = _Skewed  # type: ignore[attr-defined]
    asyncio.run(run())


if __name__ == "__main__":
    process_log.configure(LogFormat.TEXT)
    main(sys.argv[1])
