"""How long the installed Python client waits between attempts, printed as JSON; its clock goes by what it is told."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from earnest_client.retrying import Patience, retry_after_seconds

now = 0.0
time.monotonic = lambda: now


def waits(patience: Patience, *, attempt_seconds: float, times: int) -> list[float | None]:
    """Each wait, after attempts that took so long."""
    global now
    found = []
    for _ in range(times):
        now += attempt_seconds
        found.append(patience.wait_seconds())
        now += found[-1] or 0.0
    return found


patience = Patience(1e9)
in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
headers = ["7", "²", "soon", "", "Thu, 01 Jan 1970 00:00:00 GMT", in_an_hour]
print(
    json.dumps(
        {
            "refused at once": waits(patience, attempt_seconds=0.0, times=20),
            "cut after a quiet while": waits(patience, attempt_seconds=6.0, times=3),
            "out of patience": waits(Patience(0.01), attempt_seconds=0.0, times=1),
            "asked to wait": patience.wait_seconds(30.0),
            "headers": [retry_after_seconds({"retry-after": header}) for header in headers],
        }
    )
)
