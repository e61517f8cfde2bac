"""Hands spans and figures to OpenTelemetry where it is configured, by the variables that OpenTelemetry itself defines.

Where none is set nothing imports its packages, and marking a span costs a look at one variable. They are the extra `telemetry`.
What leaves the process are names, identifiers, times and codes: no words of people, no values of statements, no tokens.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from escrow import meters, spans
from escrow.environment import SettingError
from escrow.meters import Figure

if TYPE_CHECKING:
    from earnest.run.opentelemetry import Exporting

OFF: Final = "OTEL_SDK_DISABLED"
EVERYWHERE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""Where spans and figures go; `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and `…_METRICS_ENDPOINT` are for one of them alone."""

INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
INTERVAL_MS: Final = 60_000
"""Between two exports of figures, unless the variable says otherwise: OpenTelemetry's own."""

END_SECONDS: Final = 3.0
"""For what is left when a process ends, so that a collector that is away holds up nobody."""

Gather = Callable[[], Awaitable[Sequence[Figure]]]

_log = logging.getLogger(__name__)


class Signal(StrEnum):
    """What is exported, as the variables call it."""

    TRACES = "TRACES"
    METRICS = "METRICS"


def configured(environ: Mapping[str, str] | None = None) -> frozenset[Signal]:
    """What is to be exported."""
    given = os.environ if environ is None else environ
    if given.get(OFF, "").lower() == "true":
        return frozenset()
    return frozenset(one for one in Signal if _place(one, given) and given.get(f"OTEL_{one}_EXPORTER") != "none")


def _place(signal: Signal, given: Mapping[str, str]) -> str | None:
    """The variable that says where a signal goes, if one does."""
    names = (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", EVERYWHERE)
    return next((name for name in names if given.get(name)), None)


def interval_seconds(environ: Mapping[str, str] | None = None) -> float:
    """Between two exports of figures. Refuses with `SettingError`."""
    text = (os.environ if environ is None else environ).get(INTERVAL) or str(INTERVAL_MS)
    if not (text.isascii() and text.isdigit() and int(text)):
        raise SettingError(INTERVAL, f"is {text!r}; it must be a number of milliseconds")
    return int(text) / 1000


async def _own() -> Sequence[Figure]:
    return meters.figures()


@asynccontextmanager
async def exported(process: str, gather: Gather = _own) -> AsyncIterator[None]:
    """Export what happens while the block lasts, as the service `earnest-{process}` unless `OTEL_SERVICE_NAME` says otherwise;
    nothing where it isn't configured. Refuses with `SettingError` if the packages are missing, or a variable is wrong."""
    signals = configured()
    if not signals:
        yield
        return
    seconds, exporting = interval_seconds(), _exporting(process, signals)
    spans.use(exporting.span if Signal.TRACES in signals else None)
    task = asyncio.create_task(_export_for_ever(exporting, gather, seconds)) if Signal.METRICS in signals else None
    try:
        yield
    finally:
        spans.use(None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        figures = await _gathered(gather) if task is not None else None
        await _in_time(lambda: _ended(exporting, figures))


def _ended(exporting: Exporting, figures: Sequence[Figure] | None) -> None:
    if figures is not None:
        exporting.export(figures)
    exporting.close()


async def _in_time(work: Callable[[], None]) -> None:
    """Run what blocks, and leave it behind after `END_SECONDS`; a thread of the loop's own would be waited for."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            with suppress(RuntimeError):  # the loop is gone
                loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, name="telemetry", daemon=True).start()
    with suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), END_SECONDS)


def _exporting(process: str, signals: frozenset[Signal]) -> Exporting:
    try:
        from earnest.run.opentelemetry import Exporting
    except ImportError as error:
        variable = next(name for one in sorted(signals) if (name := _place(one, os.environ)) is not None)
        raise SettingError(variable, f"is set, but {error.name} isn't there: install earnest[telemetry]") from None
    return Exporting(process)


async def _export_for_ever(exporting: Exporting, gather: Gather, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await _export(exporting, gather)


async def _export(exporting: Exporting, gather: Gather) -> None:
    await asyncio.to_thread(exporting.export, await _gathered(gather))


async def _gathered(gather: Gather) -> Sequence[Figure]:
    try:
        return await gather()
    except Exception as error:  # noqa: BLE001 - without the database there are the figures of the process
        _log.warning("only the figures of this process are exported", extra={"error": error})
        return meters.figures()
