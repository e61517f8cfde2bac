"""Where the demo plays: not where somebody else's clock would move, unless that was agreed to."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from earnest.commands.demo import agreed_to
from earnest.demo import stage
from earnest.demo.people import KEYS_FILE, People, Person
from earnest.run.embedded import DIRECTORY
from earnest.run.refusing import CannotStart
from tests.earnest.running import free_port

SOMEBODY = Person(account="acc_1", key="ek_1")
STRANGERS = People(url="http://own", operator=SOMEBODY, client=SOMEBODY, freelancer=SOMEBODY, mediator=SOMEBODY)


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[People]:
    """The people of something that answers in this folder; a deployment of the demo's own is not started but told."""

    @asynccontextmanager
    async def own(_: str | None = None) -> AsyncIterator[People]:
        yield STRANGERS

    monkeypatch.setattr(stage, "own", own)
    monkeypatch.chdir(tmp_path)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    people = replace(STRANGERS, url=f"http://127.0.0.1:{port}")
    (tmp_path / DIRECTORY).mkdir()
    (tmp_path / DIRECTORY / KEYS_FILE).write_text(json.dumps(asdict(people)))
    async with server:
        yield people


@pytest.mark.parametrize("agreed", [True, False])
async def test_what_runs_here_is_played_on_only_if_somebody_agrees(running: People, agreed: bool) -> None:
    asked: list[str] = []

    def answer(url: str) -> bool:
        asked.append(url)
        return agreed

    async with stage.found(None, None, agreed=answer) as people:
        assert people == (running if agreed else STRANGERS)
    assert asked == [running.url]


async def test_where_nothing_runs_nobody_is_asked(tmp_path: Path, running: People) -> None:
    (tmp_path / DIRECTORY / KEYS_FILE).unlink()
    async with stage.found(None, None, agreed=_never) as people:
        assert people == STRANGERS


def _never(_: str) -> bool:
    raise AssertionError("nobody needs to be asked")


async def test_what_was_named_is_refused_in_one_line_unless_its_clock_may_move(tmp_path: Path, running: People) -> None:
    keys = tmp_path / DIRECTORY / KEYS_FILE
    for url, path, address in (
        ("http://127.0.0.1:9", None, "http://127.0.0.1:9"),
        (None, keys, running.url),
    ):
        with pytest.raises(CannotStart, match="--yes") as refused:
            async with stage.found(url, path, agreed=lambda _: False):
                raise AssertionError("it was played")
        assert address in str(refused.value)
        assert "\n" not in str(refused.value)
        async with stage.found(url, path, agreed=lambda _: True) as people:
            assert people.url == address


def test_its_own_deployment_listens_where_no_connection_begins_meanwhile() -> None:
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(given.read_text().split()[0]) if given.exists() else 32_768
    for _ in range(20):
        environ = stage._environment()
        ports = {int(environ["PORT"]), int(environ["EARNEST_STRIPE_URL"].rpartition(":")[2])}
        assert len(ports) == 2
        assert all(1_024 < port < first for port in ports), ports


def test_its_own_deployment_is_told_nothing_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    of_another = {
        "DATABASE_URL": "postgres://db/earnest",
        "REDIS_URL": "redis://redis",
        "EARNEST_BACKUPS": "/backups",
        "EARNEST_DOCUMENTS": "registered",
        "EARNEST_METRICS_PORT": "9000",
        "EARNEST_STRIPE_KEY": "rk_live_1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector",
    }
    for name, value in {**of_another, "LANG": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    environ = stage._environment()
    assert not of_another.keys() & environ.keys()
    assert environ["LANG"] == "C.UTF-8"


def test_where_no_port_is_free_it_says_so_and_takes_the_first_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        port = free_port()
        monkeypatch.setattr(stage, "PORTS", range(port, port + 1))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            with pytest.raises(CannotStart, match=f"no port of 127.0.0.1 from {port} to {port}"):
                stage._bound(probe)
        assert stage._bound(probe) == port


async def test_its_own_deployment_that_never_comes_is_refused_with_what_it_said_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "READY_SECONDS", 0.1)
    (tmp_path / "up.log").write_text("starting PostgreSQL ...\n")
    up = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        with pytest.raises(CannotStart, match=r"did not start: starting PostgreSQL \.\.\."):
            await stage._ready(tmp_path / KEYS_FILE, tmp_path / "up.log", up)
    finally:
        up.kill()
        await up.wait()


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_whoever_sits_there_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, agreed: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(typed))
    assert agreed_to("http://127.0.0.1:8000") is agreed
    said = capsys.readouterr()
    assert "moves its test clock" in said.err
    assert "http://127.0.0.1:8000" in said.err
    assert said.out == "", "what is told of the story stays by itself"


def test_ctrl_c_is_heard_while_somebody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = []

    class Interrupted(_Terminal):
        def readline(self, *_: Any) -> Any:
            signal.raise_signal(signal.SIGINT)
            typed.append("y")
            return "y"

    async def asked() -> bool:
        return agreed_to("http://127.0.0.1:8000")

    monkeypatch.setattr(sys, "stdin", Interrupted())
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(asked())
    finally:
        signal.signal(signal.SIGINT, before)
    assert typed == []


def test_where_nobody_sits_nobody_agrees(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("y\n"))
    assert not agreed_to("http://127.0.0.1:8000")
    assert capsys.readouterr().err == ""
