"""What the supervisor prints: whole lines behind names, whatever the processes write."""

import asyncio
import io
import json
import os

import pytest

from earnest.run import output
from earnest.run.output import LINE_BYTES_MAX, Output
from escrow.settings import LogFormat
from tests.patience import PATIENCE_SECONDS


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


class Gone(io.StringIO):
    """A stream whose reader went away."""

    def write(self, text: str) -> int:
        """Refuse as a broken pipe does."""
        raise BrokenPipeError


def never() -> None:
    """Must not be called."""
    raise AssertionError


@pytest.fixture(autouse=True)
def drained_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps a pipe open here."""
    monkeypatch.setattr(output, "DRAIN_SECONDS", PATIENCE_SECONDS)


async def printed(*writes: bytes) -> list[str]:
    """What is printed of what a process writes."""
    stream = io.StringIO()
    lines = Output(stream, on_closed=never)
    async with lines.pipe("web") as descriptor:
        for write in writes:
            await asyncio.to_thread(os.write, descriptor, write)
            await asyncio.sleep(0.01)
    await lines.drain()
    return stream.getvalue().splitlines()


async def test_lines_are_whole_however_they_arrive_and_the_last_needs_no_end() -> None:
    assert await printed(b"on", b"e\ntwo\r\n", "drei é".encode()[:-1], "é".encode()[1:]) == [
        "web     | one",
        "web     | two",
        "web     | drei é",
    ]


async def test_bytes_that_are_no_text_are_shown_as_far_as_possible() -> None:
    assert await printed(b"\xff!\n") == ["web     | \N{REPLACEMENT CHARACTER}!"]


async def test_an_endless_line_is_cut_and_not_kept() -> None:
    size = LINE_BYTES_MAX // 4
    lines = await printed(*[b"x" * size] * 9)
    assert len(lines) > 1
    assert sum(line.count("x") for line in lines) == 9 * size


async def test_a_stream_without_a_letter_gets_it_spelled_out_and_what_follows_too() -> None:
    written = io.BytesIO()
    lines = Output(io.TextIOWrapper(written, encoding="ascii"), on_closed=never)
    async with lines.pipe("web") as descriptor:
        await asyncio.to_thread(os.write, descriptor, "Café …\nnext\n".encode())
    await lines.drain()
    assert written.getvalue().splitlines() == [b"web     | Caf\\xe9 \\u2026", b"web     | next"]


def test_names_are_coloured_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    Output(terminal, on_closed=never).line("web", "here")
    assert terminal.getvalue() == "\033[36mweb     |\033[0m here\n"
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    Output(plain, on_closed=never).line("web", "here")
    assert plain.getvalue() == "web     | here\n"


def test_in_json_each_line_is_an_entry_and_an_entry_of_a_process_stays_as_it_is() -> None:
    stream = io.StringIO()
    lines = Output(stream, on_closed=never, form=LogFormat.JSON)
    lines.line("web", '{"event": "mine"}')
    lines.line("web", "no entry")
    lines.line("earnest", "ready")
    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(entry.get("logger"), entry["event"]) for entry in entries] == [
        (None, "mine"),
        ("web", "no entry"),
        ("earnest", "ready"),
    ]


def test_a_reader_that_is_gone_is_told_once() -> None:
    told: list[bool] = []
    lines = Output(Gone(), on_closed=lambda: told.append(True))
    lines.line("web", "one")
    lines.line("web", "two")
    assert told == [True]
