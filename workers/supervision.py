"""Keeps a pump running: logs whatever it raises, and starts it again after a pause that grows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from redis.exceptions import RedisError

from escrow import database, meters, process_log
from escrow.settings import SettingError

Pump = Callable[[], Awaitable[None]]
"""Work that never ends by itself."""

PAUSES_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Between a failure and the next start; the last one repeats. Short: for so long a recovered engine goes unnoticed."""

STEADY_SECONDS: Final = 30.0
"""After so long without a failure the next one counts as the first again."""

_ENGINE_AWAY: Final = (*database.AWAY, RedisError)
"""An engine is away, restarting, or hung up: one line says it all. Anything else is logged with its traceback."""

_FAILURES: Final = meters.Counter(
    "earnest_pump_failures", "Times that a pump of this worker failed and began anew", "pump"
)

_log = logging.getLogger(__name__)


async def supervise(name: str, pump: Pump) -> None:
    """Run `pump` until cancelled, starting it again whenever it fails or ends. A `SettingError` is raised: time mends none."""
    process_log.begin(pump=name)
    failures = 0
    while True:
        started = time.monotonic()
        error = await _failure_of(pump)
        if time.monotonic() - started > STEADY_SECONDS:
            failures = 0
        pause = PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS) - 1)]
        failures += 1
        _FAILURES.add(name)
        said = {"error": error, "failures": failures, "pause": pause}
        if isinstance(error, _ENGINE_AWAY):
            _log.warning("pump starts again", extra=said)
        else:
            _log.error("pump starts again", extra=said, exc_info=error)
        await asyncio.sleep(pause)


async def _failure_of(pump: Pump) -> Exception:
    try:
        await pump()
    except SettingError:
        raise
    except Exception as error:  # noqa: BLE001 - one pump's fault must not end the others
        return error
    return RuntimeError("it ended by itself")
