"""Writes the log of a process: one line an entry, to standard error, as `key=value` pairs or as JSON.

Everybody logs by the standard library, as libraries do: `logging.getLogger(__name__)`, and in `extra` what an entry says beside
its message. structlog makes the lines. Each has the trace id of the request or the piece of work that it comes from, or else
the one of its process. Secrets never come here: nobody passes tokens, keys or URLs with passwords to a logger, and of what
PostgreSQL says the values of rows are left out.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Final, TextIO

from asyncpg.exceptions import DataError, PostgresError
from structlog import dev, processors, stdlib
from structlog.typing import EventDict, Processor, WrappedLogger

from escrow import traces
from escrow.settings import LogFormat, LogLevel
from escrow.traces import Trace

OURS: Final = ("api", "connectors", "earnest", "escrow", "schema", "webhooks", "workers")
"""Packages that are heard from the chosen level on; what a library says must be a WARNING to be worth a person's time."""

LIBRARY_LINES_MAX: Final = 20
LIBRARY_SECONDS: Final = 60.0
"""So often within so long the same warning of a library is written."""

LIBRARY_WARNINGS_MAX: Final = 100
"""So many are told apart."""


def configure(form: LogFormat, level: LogLevel = LogLevel.INFO) -> None:
    """Write what this process logs, from this level on, in this format; with JSON, also the error that ends it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(form, coloured=is_coloured(sys.stderr)))
    handler.addFilter(Seldom())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # No line says by which thread and from where in the source it is written.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = ""  # noqa: SLF001 - as the library's page on optimisation has it
    for package in OURS:
        logging.getLogger(package).setLevel(level.name)
    # Its warnings say that a connection was replaced, with a traceback each; the pumps say that better.
    logging.getLogger("asyncpg").setLevel(logging.ERROR)
    if form is LogFormat.JSON:
        sys.excepthook = _last_words


class Seldom(logging.Filter):
    """Lets the same warning of a library pass some times a minute, and says with the next one how many it kept back.

    Strangers can have one written with each request, by a request that is none say, and would fill a disk with them.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._known: dict[tuple[str, str], _Written] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written. Ours always are, and so are errors."""
        if record.levelno >= logging.ERROR or record.name.partition(".")[0] in OURS:
            return True
        now, words = self._clock(), (record.name, str(record.msg))
        if words not in self._known and len(self._known) >= LIBRARY_WARNINGS_MAX:
            words = (record.name, "")  # one that is another each time
        written = self._known.setdefault(words, _Written(now))
        if now - written.since >= LIBRARY_SECONDS:
            if written.left_out:
                record.__dict__["left_out"] = written.left_out
            written.since, written.lines, written.left_out = now, 0, 0
        if written.lines >= LIBRARY_LINES_MAX:
            written.left_out += 1
            return False
        written.lines += 1
        return True


@dataclass(slots=True)
class _Written:
    """How often one warning was written, and how often not."""

    since: float
    lines: int = 0
    left_out: int = 0


def formatter(form: LogFormat, *, coloured: bool = False) -> logging.Formatter:
    """What turns a record of any logger into its line."""
    chain: list[Processor] = [
        stdlib.ExtraAdder(),
        _moment_and_trace,
        _and_what_it_began_with,
        stdlib.add_logger_name,
        stdlib.add_log_level,
        _without_values,
        processors.format_exc_info,
        _errors_in_a_line,
        stdlib.ProcessorFormatter.remove_processors_meta,
    ]
    last = processors.JSONRenderer() if form is LogFormat.JSON else _pairs(coloured=coloured)
    if coloured:
        return stdlib.ProcessorFormatter(processors=[*chain, last])
    return _Lines([*chain, last], _json if form is LogFormat.JSON else _plain_pairs)


class _Lines(stdlib.ProcessorFormatter):
    """The same lines, at a quarter of the time for those that say plain values: each command and each webhook writes one."""

    def __init__(self, chain: Sequence[Processor], write: Callable[[EventDict], str]) -> None:
        super().__init__(processors=chain)
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        said = {name: value for name, value in record.__dict__.items() if name not in _OF_EVERY_RECORD}
        is_plain = not (record.exc_info or record.stack_info) and all(type(one) in _PLAIN for one in said.values())
        message = record.getMessage() if is_plain else ""
        if not is_plain or message.startswith("Traceback"):
            return super().format(record)
        entry = {"event": message, **said, **_moment(record.created)}
        _and_what_it_began_with(None, "", entry)
        entry["logger"], entry["level"] = record.name, record.levelname.lower()
        return self._write(entry)


_OF_EVERY_RECORD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_PLAIN: Final = frozenset({str, int, float, bool})
_NEEDS_NO_QUOTES: Final = re.compile(r"[!#-<>-~]+")

_begun_with: Final[ContextVar[Mapping[str, str]]] = ContextVar("begun_with", default=MappingProxyType({}))
"""What the present work's lines say beside all else."""


def _json(entry: EventDict) -> str:
    return json.dumps(entry)


def _plain_pairs(entry: EventDict) -> str:
    first = {name: entry.pop(name) for name in _COLUMNS}
    return " ".join(f"{name}={_value(value)}" for name, value in (*first.items(), *entry.items()))


_COLUMNS: Final = ("timestamp", "level", "logger", "event")


def line(name: str, message: str, form: LogFormat) -> str:
    """The line that a logger of this name would write of this message."""
    return formatter(form).format(logging.LogRecord(name, logging.INFO, "", 0, message, None, None))


def is_coloured(stream: TextIO) -> bool:
    """Whether lines on this stream are for a person at a terminal: `NO_COLOR` and `FORCE_COLOR` have their say."""
    return "NO_COLOR" not in os.environ and ("FORCE_COLOR" in os.environ or stream.isatty())


def begin(trace: Trace | None = None, /, **said: str) -> None:
    """Put the id of this trace, or else of a new one, and what else is `said`, in each line that the current task logs from
    here on."""
    traces.begin(trace)
    _begun_with.set({**_begun_with.get(), **said})


def said(error: BaseException) -> str:
    """What an error is and what it says, without the values of rows."""
    forget_values(error)
    return f"{type(error).__name__}: {error}"


def forget_values(error: BaseException) -> None:
    """Take the values of rows, which may be people's words or secrets, out of an error and of all that it came from."""
    waiting: list[BaseException | None] = [error]
    known: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        waiting += [one.__cause__, one.__context__, *(one.exceptions if isinstance(one, BaseExceptionGroup) else ())]
        if isinstance(one, PostgresError):
            one.detail = None
        if isinstance(one, DataError):  # "invalid input syntax for type bigint: …", "… for query argument $1: …"
            one.args = (str(one.args[0]).partition(": ")[0],)


def _last_words(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger().critical("the process ends by an error", exc_info=(kind, error, traceback))


def _moment_and_trace(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    entry.update(_moment(entry["_record"].created))
    return entry


def _moment(created: float) -> dict[str, str]:
    trace = traces.current()
    moment = {
        "timestamp": datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds"),
        "trace_id": trace.id,
    }
    return moment if trace.request_id is None else moment | {"request_id": trace.request_id}


def _and_what_it_began_with(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    for name, value in _begun_with.get().items():
        entry.setdefault(name, value)
    return entry


def _without_values(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    if entry.get("exc_info"):
        forget_values(entry["exc_info"][1])
    return entry


def _errors_in_a_line(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """An error in `extra` says what it is and what it says; one that was raised comes with its traceback."""
    for name, value in entry.items():
        if isinstance(value, BaseException):
            entry[name] = said(value)
    if "exception" in entry:
        entry["traceback"] = entry.pop("exception")
    elif str(entry["event"]).startswith(
        "Traceback (most recent call last)"
    ):  # uvicorn's, of an application that won't start
        entry["traceback"] = str(entry["event"]).rstrip()
        entry["event"] = "a library was given an error as text"
    return entry


def _pairs(*, coloured: bool) -> dev.ConsoleRenderer:
    """`timestamp=… level=… logger=… event="…"`, then what else was said; no line breaks, whatever stands in a value."""
    dim, reset = (dev.DIM, dev.RESET_ALL) if coloured else ("", "")
    levels = dev.ConsoleRenderer.get_default_level_styles(coloured)
    pair = dev.KeyValueColumnFormatter(key_style=dim, value_style="", reset_style=reset, value_repr=_value)

    def level(key: str, value: object) -> str:
        return f"{dim}{key}{reset}={levels.get(str(value), '')}{value}{reset}"

    ordered = [dev.Column(name, level if name == "level" else pair) for name in _COLUMNS]
    return dev.ConsoleRenderer(columns=[dev.Column("", pair), *ordered], sort_keys=False)


def _value(value: object) -> str:
    """As it is if it needs no quotes, else as a JSON string."""
    text = str(value)
    if _NEEDS_NO_QUOTES.fullmatch(text):  # nearly all, and quickly found out
        return text
    plain = text.isprintable() and text != "" and not set(text) & set(' "=')
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())
