"""The command line as a whole."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import earnest
from earnest.cli import REFUSED, UNREAD, main
from earnest.starting import INTERRUPTED

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"earnest {tomllib.loads(PROJECT.read_text())['project']['version']}\n"


def test_a_terminal_without_a_letter_is_told_it_in_another_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, remarked = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(remarked, encoding="latin-1"))
    with pytest.raises(SystemExit) as ended:
        main(["erase", "--help"])
    assert ended.value.code == 0
    with pytest.raises(SystemExit):
        main(["api", "--variable", "…"])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    assert b"the contract's id, ctr_\\u2026" in shown.getvalue()
    assert b"\\u201c\\u2026\\u201d is no variable" in remarked.getvalue()


EXPORT = ["connect", "csv", "export", "--contract", "ctr_1", "--key", "ek_1", "-"]


@pytest.mark.parametrize(
    "words", [["schema"], ["trigger", "list"], ["--help"], ["demo"], EXPORT, ["listen"]], ids=lambda words: words[0]
)
def test_whoever_reads_no_further_gets_no_traceback_and_one_exit_code(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def tells(*_: Any, **__: Any) -> None:
        print("It begins.", flush=True)

    class Listening:
        def __init__(self, _: Any, *, say: Callable[[str], None], **__: Any) -> None:
            self._say = say

        async def run(self, stop: asyncio.Event) -> None:
            with suppress(BrokenPipeError):  # it is told of in requests, whose server swallows what they raise
                self._say("An event")
            assert stop.is_set()
            self._say("Stopped.")

    async def viewer(*_: Any) -> dict[str, Any]:
        return {"viewer": {"accountId": "acc_1"}}

    monkeypatch.setattr("earnest.commands.demo.tell", tells)
    monkeypatch.setattr("earnest.commands.connect._export", tells)
    monkeypatch.setattr("earnest.asking.door", lambda *_: ("http://127.0.0.1:9", "ek_1"))
    monkeypatch.setattr("earnest.api_client.Api.ask", viewer)
    monkeypatch.setattr("earnest.listening.Listener", Listening)
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr("escrow.process_log.configure", lambda *_: None)
    with os.fdopen(writing, "w") as unread:
        monkeypatch.setattr(sys, "stdout", unread)
        assert main(words) == UNREAD
    assert capsys.readouterr().err == ""


def test_where_nobody_reads_the_errors_either_nothing_is_left_for_the_exit() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    both = [sys.executable, "-m", "earnest", "api"]
    assert subprocess.run(both, stdout=writing, stderr=writing, env=environ, check=False).returncode == UNREAD
    os.close(writing)


def script() -> None:
    """As what pip installs does it."""
    named = tomllib.loads(PROJECT.read_text())["project"]["scripts"]["earnest"]
    sys.exit(EntryPoint("earnest", named, "console_scripts").load()())


def module() -> None:
    """As `python -m earnest` does it."""
    runpy.run_module("earnest", run_name="__main__")


@pytest.mark.parametrize("starts", [script, module])
@pytest.mark.parametrize("imported", ["earnest.cli", "earnest.run.refusing", "escrow.settings", "earnest.commands.up"])
def test_ctrl_c_while_commands_are_imported_ends_it_without_a_word(
    starts: Callable[[], None], imported: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupting(MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == imported:
                raise KeyboardInterrupt

    for name in {"earnest.cli", "earnest.starting", imported}:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(earnest, "cli", raising=False)
    monkeypatch.setattr(sys, "argv", ["earnest", "schema"])
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
        starts()
    assert ended.value.args == (INTERRUPTED,)
    assert capsys.readouterr() == ("", "")


def test_before_ctrl_c_is_heard_nothing_is_imported() -> None:
    names = "import sys; before = {*sys.modules}; import earnest.starting; print(*sorted({*sys.modules} - before))"
    imported = subprocess.run([sys.executable, "-S", "-c", names], capture_output=True, text=True, check=True).stdout
    assert imported.split() == ["earnest", "earnest.starting"]


def test_a_file_of_somebody_else_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch() -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/srv/earnest/build")

    monkeypatch.setattr("escrow.process_log.configure", lambda *_: None)
    monkeypatch.setattr("earnest.run.fetching.fetch", fetch)
    assert main(["explorer"]) == REFUSED
    said = "this user may not use /srv/earnest/build (Permission denied): begin again as one who may, or let this one"
    assert capsys.readouterr().err == f"earnest: {said}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
@pytest.mark.parametrize("words", [["schema"], ["trigger", "list"]], ids=["much", "little"])
def test_a_full_disk_is_one_line_that_says_what_to_do(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - it is closed below
    monkeypatch.setattr(sys, "stdout", full)
    monkeypatch.setattr("escrow.process_log.configure", lambda *_: None)
    assert main(words) == REFUSED
    full.close()  # as at exit, where what is left over would be another code
    said = capsys.readouterr().err
    assert said.startswith(f"earnest: nothing can be written ({os.strerror(errno.ENOSPC)}): make room")
    assert said.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
@pytest.mark.parametrize("words", [["schema"], ["--help"], ["trigger", "no such thing"]], ids=lambda words: words[0])
def test_a_disk_that_is_full_for_the_errors_too_is_told_by_the_exit_code_alone(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escrow.process_log.configure", lambda *_: None)
    with Path("/dev/full").open("w") as output, Path("/dev/full").open("w", buffering=1) as errors:
        monkeypatch.setattr(sys, "stdout", output)
        monkeypatch.setattr(sys, "stderr", errors)
        assert main(words) == REFUSED
