"""Hands spans and figures to OpenTelemetry where it is configured, by the variables that OpenTelemetry itself defines.

Where none is set nothing imports its packages, and marking a span costs a look at one variable. They are the extra `telemetry`.
What leaves the process are names, identifiers, times and codes: no words of people, no values of statements, no tokens.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from escrow import meters, spans
from escrow.environment import Reader, SettingError, shortened, split, whole_number
from escrow.meters import Figure

if TYPE_CHECKING:
    from earnest.run.opentelemetry import Exporting

OFF: Final = "OTEL_SDK_DISABLED"
EVERYWHERE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""Where spans and figures go; `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and `…_METRICS_ENDPOINT` are for one of them alone."""

PROTOCOL: Final = "http/protobuf"
"""The one that is spoken, of those that OpenTelemetry has."""

INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
INTERVAL_MS: Final = 60_000
"""Between two exports of figures, unless the variable says otherwise: OpenTelemetry's own."""

INTERVAL_MS_MAX: Final = 86_400_000

END_SECONDS: Final = 3.0
"""For what is left when a process ends, so that a collector that is away holds up nobody."""

Gather = Callable[[], Awaitable[Sequence[Figure]]]

_log = logging.getLogger(__name__)


class Signal(StrEnum):
    """What is exported, as the variables call it."""

    TRACES = "TRACES"
    METRICS = "METRICS"


def configured(environ: Mapping[str, str] | None = None) -> frozenset[Signal]:
    """What is to be exported. Refuses with `SettingError` what would keep all of it from arriving."""
    read = Reader(os.environ if environ is None else environ)
    if (read.text(OFF) or "").lower() == "true":
        return frozenset()
    return frozenset(one for one in Signal if _place(one, read) is not None and _is_wanted(one, read))


def _is_wanted(signal: Signal, read: Reader) -> bool:
    """Whether a signal that has a place is sent there, as far as its variables are right."""
    variable = f"OTEL_{signal}_EXPORTER"
    exporter = read.text(variable) or "otlp"
    if exporter not in ("otlp", "otlp_proto_http", "none"):
        raise SettingError(variable, f"is {shortened(exporter)}; it must be otlp or none")
    if exporter == "none":
        return False
    _check_protocol(signal, read)
    _check_headers(signal, read)
    return True


def _place(signal: Signal, read: Reader) -> str | None:
    """The variable that says where a signal goes, if one does."""
    variable, url = _first(signal, "ENDPOINT", read)
    if url is None:
        return None
    parts = split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingError(variable, "is no URL of a collector; it must be such as http://collector:4318")
    return variable


def _check_protocol(signal: Signal, read: Reader) -> None:
    variable, protocol = _first(signal, "PROTOCOL", read)
    if protocol not in (None, PROTOCOL):
        raise SettingError(
            variable, f"is {shortened(protocol)}; it must be {PROTOCOL}, which collectors take at the port 4318"
        )


def _check_headers(signal: Signal, read: Reader) -> None:
    """The exporter would leave out what it can't read, and write it into the log: these are secrets."""
    variable, headers = _first(signal, "HEADERS", read)
    if any(one.strip() and not _HEADER.fullmatch(one.strip()) for one in (headers or "").split(",")):
        raise SettingError(variable, "has something else than headers; it must be name=value, several by commas")


_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\s*=\s*[ -~]*")


def _first(signal: Signal, what: str, read: Reader) -> tuple[str, str | None]:
    """The variable that is for a signal alone or else for all, and what it says."""
    own, everywhere = f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}"
    text = read.text(own)
    return (own, text) if text is not None else (everywhere, read.text(everywhere))


def interval_seconds(environ: Mapping[str, str] | None = None) -> float:
    """Between two exports of figures. Refuses with `SettingError`."""
    text = Reader(os.environ if environ is None else environ).text(INTERVAL) or str(INTERVAL_MS)
    milliseconds = whole_number(text, 1, INTERVAL_MS_MAX)
    if milliseconds is None:
        raise SettingError(
            INTERVAL, f"is {shortened(text)}; it must be a whole number of milliseconds up to {INTERVAL_MS_MAX}"
        )
    return milliseconds / 1000


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
        variable = next(name for one in sorted(signals) if (name := _place(one, Reader(os.environ))) is not None)
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
