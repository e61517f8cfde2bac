"""Log lines: one for each entry, in either format, each with a trace id."""

import asyncio
import json
import logging
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from structlog import stdlib

from escrow import database, process_log
from escrow.settings import LogFormat
from escrow.traces import PROCESS, trace_id
from tests.written import written

BREAKS = "two\nlines\x1b[31m\x9b\u2028"
_log = logging.getLogger("workers.x")


def fail() -> None:
    """Log an error with its traceback."""
    try:
        int("x")
    except ValueError as error:
        _log.exception("not %s", "done", extra={"order": "pay_1", "error": error})


def test_an_entry_is_one_line_of_pairs_with_what_was_said_beside_it() -> None:
    with written(LogFormat.TEXT) as log:
        fail()
    (line,) = log.lines
    assert re.match(r"timestamp=\S+\+00:00 level=error logger=workers\.x event=\"not done\" order=pay_1 ", line)
    assert ' error="ValueError: invalid literal' in line
    assert ' traceback="Traceback (most recent call last):' in line
    assert f" trace_id={PROCESS.id}" in line


def test_an_entry_is_one_line_of_json_with_the_same_names() -> None:
    with written() as log:
        fail()
    (entry,) = log.entries
    assert datetime.now(UTC) - datetime.fromisoformat(entry.pop("timestamp")) < timedelta(minutes=1)
    assert entry.pop("traceback").endswith("ValueError: invalid literal for int() with base 10: 'x'")
    assert entry == {
        "level": "error",
        "logger": "workers.x",
        "event": "not done",
        "order": "pay_1",
        "error": "ValueError: invalid literal for int() with base 10: 'x'",
        "trace_id": PROCESS.id,
    }


@pytest.mark.parametrize("form", LogFormat)
def test_nothing_that_is_said_breaks_a_line_or_speaks_to_a_terminal(form: LogFormat) -> None:
    with written(form) as log:
        _log.warning(BREAKS, extra={"said": BREAKS})
    (line,) = log.lines
    assert line.isprintable()


def test_colours_are_for_terminals_alone() -> None:
    with written(LogFormat.TEXT, coloured=True) as coloured, written(LogFormat.TEXT) as plain:
        _log.warning("look", extra={"order": "pay_1"})
    assert re.sub(r"\x1b\[\d+m", "", coloured.lines[0])[-80:] == plain.lines[0][-80:]
    assert coloured.lines != plain.lines


def test_a_librarys_warning_that_strangers_bring_about_fills_no_disk() -> None:
    now = [0.0]
    seldom = process_log.Seldom(clock=lambda: now[0])

    def said(name: str, message: str, level: int = logging.WARNING) -> logging.LogRecord | None:
        record = logging.LogRecord(name, level, "", 0, message, None, None)
        return record if seldom.filter(record) else None

    flood = [said("uvicorn.error", "Invalid HTTP request received.") for _ in range(5_000)]
    assert len([record for record in flood if record is not None]) == process_log.LIBRARY_LINES_MAX
    assert said("uvicorn.error", "Unsupported upgrade request."), "another one is told all the same"
    assert all(said("uvicorn.error", "Exception in ASGI application", logging.ERROR) for _ in range(50))
    assert all(said("workers.x", "pump starts again") for _ in range(50))
    now[0] += process_log.LIBRARY_SECONDS
    later = said("uvicorn.error", "Invalid HTTP request received.")
    assert later is not None
    with written() as log:
        logging.getLogger().handle(later)
    assert log.entries[0]["left_out"] == 5_000 - process_log.LIBRARY_LINES_MAX
    assert "left_out" not in vars(said("uvicorn.error", "Invalid HTTP request received.") or later)


def test_warnings_that_are_another_each_time_share_their_lines() -> None:
    seldom = process_log.Seldom(clock=lambda: 0.0)
    records = [logging.LogRecord("x", logging.WARNING, "", 0, f"odd {one}", None, None) for one in range(5_000)]
    shown = sum(seldom.filter(record) for record in records)
    assert shown == process_log.LIBRARY_WARNINGS_MAX + process_log.LIBRARY_LINES_MAX


def test_what_libraries_say_has_the_same_format() -> None:
    with written() as log:
        logging.getLogger("arq.worker").warning("%d jobs", 3)
    (entry,) = log.entries
    assert (entry["logger"], entry["event"], entry["trace_id"]) == ("arq.worker", "3 jobs", PROCESS.id)


@pytest.mark.parametrize("form", LogFormat)
async def test_the_quick_way_writes_what_the_chain_writes(form: LogFormat) -> None:
    lines = process_log.formatter(form)

    async def compare() -> None:
        process_log.begin(pump="deadlines", order="pay_2")
        for said in (
            {},
            {"ms": 1.25, "n": 3, "is": True, "text": BREAKS},
            {"order": "pay_1", "empty": "", "ü": "ß =\\"},
        ):
            record = _log.makeRecord("workers.x", logging.INFO, "", 0, "done %s", ("it",), None, extra=said)
            assert lines.format(record) == stdlib.ProcessorFormatter.format(lines, record)  # type: ignore[arg-type]

    await asyncio.create_task(compare())


async def test_each_piece_of_work_has_a_trace_of_its_own_and_what_it_began_with() -> None:
    async def work(contract: str) -> str:
        process_log.begin(contract=contract)
        _log.info("begun")
        await asyncio.sleep(0)
        await asyncio.create_task(inner())
        return trace_id()

    async def inner() -> None:
        _log.info("done")

    async def pump() -> list[str]:
        process_log.begin(pump="deadlines")
        return list(await asyncio.gather(work("ctr_1"), work("ctr_2")))

    with written() as log:
        traces = await asyncio.create_task(pump())
        _log.info("outside")
    *inside, outside = log.entries
    said = {(entry["event"], entry["contract"], entry["pump"], entry["trace_id"]) for entry in inside}
    assert said == {
        (event, contract, "deadlines", trace)
        for contract, trace in zip(("ctr_1", "ctr_2"), traces, strict=True)
        for event in ("begun", "done")
    }
    assert len(set(traces)) == 2
    assert (outside["trace_id"], "pump" in outside) == (PROCESS.id, False)


def test_ours_are_heard_from_info_on_libraries_from_warning_on_and_the_error_that_ends_it_all_too() -> None:
    script = """
import logging, warnings
from escrow import database, process_log
from escrow.settings import LogFormat
process_log.configure(LogFormat.JSON)
for name in ("escrow.x", "somebody"):
    logging.getLogger(name).info("so far")
    logging.getLogger(name).warning("look")
warnings.warn("old")
raise RuntimeError("the end")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    entries = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [(entry["logger"], entry["level"]) for entry in entries] == [
        ("escrow.x", "info"),
        ("escrow.x", "warning"),
        ("somebody", "warning"),
        ("py.warnings", "warning"),
        ("root", "critical"),
    ]
    assert entries[-1]["traceback"].endswith("RuntimeError: the end")
    assert len({entry["trace_id"] for entry in entries}) == 1


def test_ours_are_all_packages_that_are_installed() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert sorted(process_log.OURS) == sorted(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


async def _refused(statement: str, *arguments: str) -> None:
    try:
        await database.fetch_row(statement, *arguments)
    except asyncpg.PostgresError as error:
        raise RuntimeError("not done") from error


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        ("INSERT INTO accounts (name) VALUES ('a word of theirs')", ()),
        ("SELECT 'a word of theirs'::bigint", ()),
        ("SELECT 'a word of theirs'::json", ()),
        ("SELECT $1::bigint", ("a word of theirs",)),
    ],
    ids=["a row", "a value", "a document", "an argument"],
)
async def test_values_that_postgresql_names_in_a_refusal_stay_out_of_the_log(
    statement: str, arguments: tuple[str, ...]
) -> None:
    with written() as log:
        try:
            await _refused(statement, *arguments)
        except RuntimeError as error:
            both = ExceptionGroup("both", [error, LookupError("too")])
            _log.exception("it failed", extra={"error": error.__cause__, "group": both})
    (entry,) = log.entries
    assert "a word" not in str(entry)
    assert type_of(entry["error"]) in entry["traceback"]
    assert "RuntimeError: not done" in entry["traceback"]


def type_of(said: str) -> str:
    """The kind of the error that an entry names."""
    kind, _, message = said.partition(": ")
    assert message
    return kind


def test_an_error_that_a_library_gives_as_text_is_a_traceback_and_the_event_stays_the_same() -> None:
    with written() as log:
        logging.getLogger("uvicorn.error").error("Traceback (most recent call last):\n  …\nOSError: away\n")
    (entry,) = log.entries
    assert entry["event"] == "a library was given an error as text"
    assert entry["traceback"].endswith("OSError: away")
