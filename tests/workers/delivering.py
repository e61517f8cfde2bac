"""A worker whose deliveries hurry, and that dies or stops at a chosen point: `python -m tests.workers.delivering JSON`.

`hurry` makes seconds of the days between retries, `timing` is that of the dispatcher. At its point the process kills itself,
or stops itself until somebody continues it; `after` tells how often the point is passed unharmed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import uvloop

from escrow import database, process_log
from escrow.settings import LogFormat, Settings
from webhooks.delivery import completion, dispatcher, fan_out, retries
from webhooks.delivery.dispatcher import Dispatcher
from webhooks.delivery.sending import Timing
from webhooks.request import endpoints
from webhooks.request.sender import Sender
from workers.main import run

POINTS: Final = (
    "nowhere",
    "before_completing",
    "after_completing",
    "in_mid_fan_out",
    "after_fan_out",
    "before_sending",
)

_options: dict[str, Any] = {}
_passed = 0


def reached(point: str) -> bool:
    """Whether this is where the process ends or stops."""
    global _passed
    if _options.get("point", "nowhere") != point:
        return False
    _passed += 1
    return _passed == int(_options.get("after", 0)) + 1


def end() -> None:
    os.kill(os.getpid(), signal.Signals[_options.get("signal", "SIGKILL")])


def arm() -> None:
    """Put the points where they belong, and hurry."""
    complete, look_up, write = completion.complete, endpoints.endpoints, fan_out.FanOut._write
    take = Dispatcher.take

    async def mortal_complete(*args: Any, **options: Any) -> completion.Next:
        if reached("before_completing"):
            end()
        found = await complete(*args, **options)
        if reached("after_completing"):
            end()
        return found

    async def mortal_look_up(ids: Sequence[str]) -> dict[str, endpoints.Endpoint]:
        found = await look_up(ids)
        if reached("before_sending"):
            while database.pool_use()[0]:  # what it stops in the middle of would hold up everybody else  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            end()
        return found

    async def mortal_write(self: fan_out.FanOut, *args: Any) -> Any:
        rows = await write(self, *args)
        if reached("in_mid_fan_out"):
            end()
        return rows

    def mortal_take(self: Dispatcher, batch: fan_out.FanOut) -> None:
        if batch.heads and reached("after_fan_out"):
            end()
        take(self, batch)

    completion.complete = mortal_complete
    vars(dispatcher)["endpoints"] = mortal_look_up
    fan_out.FanOut._write = mortal_write  # type: ignore[method-assign,assignment]
    Dispatcher.take = mortal_take  # type: ignore[method-assign]
    if _options.get("hurry"):
        retries.DELAYS_SECONDS = (0.05,) * len(retries.DELAYS_SECONDS)  # type: ignore[misc]
        retries.BUSY_SECONDS_MIN = 0.1  # type: ignore[misc]


@asynccontextmanager
async def sending(settings: Settings) -> AsyncIterator[Dispatcher]:
    timing = Timing(**_options.get("timing", {}))
    async with Sender(reach=settings.webhook_reach, total_seconds=timing.request_seconds) as sender:
        yield Dispatcher(sender, timing=timing)


def main(options: str) -> None:
    _options.update(orjson.loads(options))
    assert _options.get("point", "nowhere") in POINTS
    arm()
    uvloop.run(run(sending=sending))


if __name__ == "__main__":
    process_log.configure(LogFormat.TEXT)
    main(sys.argv[1])
