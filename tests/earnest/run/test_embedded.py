"""Commands beside a running start, after it and without one: which servers they find."""

import asyncio
import base64
import json
import os
from pathlib import Path

import asyncpg
import pytest

from earnest.engines.lock import AlreadyRunning
from earnest.engines.processes import start_time
from earnest.run import embedded
from earnest.run.refusing import CannotStart
from escrow.settings import Reach, Settings
from tests.earnest.running import clean_environment


@pytest.fixture(autouse=True)
def no_servers_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as on a machine where nothing is set."""
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)


async def answer_of(settings: Settings) -> object:
    """Proof that the database of the settings answers."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        return await connection.fetchval("SELECT current_database()")
    finally:
        await connection.close()


async def test_a_command_asks_the_provider_that_moves_the_money_of_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / embedded.DIRECTORY
    told = {
        "EARNEST_PAYMENT_PROVIDER": "stripe",
        "EARNEST_STRIPE_KEY": "rk_test_1",
        "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_1",
        "EARNEST_STRIPE_RETURN_URL": "http://127.0.0.1:8/",
        "EARNEST_STRIPE_URL": "http://127.0.0.1:9",
    }
    with embedded.lock(directory), monkeypatch.context() as started:
        for name, value in told.items():
            started.setenv(name, value)
        async with embedded.running_engines(directory):
            started.undo()
            async with embedded.deployment(tmp_path) as beside:
                assert beside.payment_provider == "stripe"
                assert beside.stripe is not None
                assert beside.stripe.base_url == "http://127.0.0.1:9"
            monkeypatch.setenv("EARNEST_PAYMENT_PROVIDER", "sandbox")
            async with embedded.deployment(tmp_path) as chosen:
                assert chosen.payment_provider == "sandbox"


async def test_a_command_finds_the_running_engines_and_after_the_end_starts_them_for_itself(tmp_path: Path) -> None:
    directory = tmp_path / embedded.DIRECTORY
    with embedded.lock(directory):
        async with embedded.running_engines(directory) as engines, embedded.deployment(tmp_path) as beside:
            assert beside.database_url == engines.database_url
            assert beside.redis_url == engines.redis_url
            assert await answer_of(beside) == "earnest"
            assert (directory / "engines.json").stat().st_mode & 0o077 == 0
    assert not (directory / "engines.json").exists()
    async with embedded.deployment(tmp_path) as after:
        assert await answer_of(after) == "earnest"
        assert after.secret_keys == beside.secret_keys
        started = engine_pids(directory)
        assert len(started) == 2
        with pytest.raises(AlreadyRunning), embedded.lock(directory):
            pass
    assert not any(start_time(pid) for pid in started)
    with embedded.lock(directory):
        pass


async def test_a_command_waits_for_another_one_whose_engines_end_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / embedded.DIRECTORY
    with embedded.lock(directory):
        async with embedded.running_engines(directory):
            pass
    answered = asyncio.Event()

    async def another() -> None:
        async with embedded.deployment(tmp_path) as settings:
            await answer_of(settings)
            answered.set()

    async with embedded.deployment(tmp_path) as first:
        waiting = asyncio.create_task(another())
        said = ""
        while not said and not answered.is_set():
            await asyncio.sleep(0.01)
            said = capsys.readouterr().err
        assert not answered.is_set(), "by engines that are about to end"
        assert said == f"waiting for the command that works here (process {os.getpid()}) ...\n"
        assert await answer_of(first) == "earnest"
    await waiting
    assert answered.is_set()


async def test_a_command_uses_the_engines_of_one_that_goes_on_until_it_is_stopped(tmp_path: Path) -> None:
    directory = tmp_path / embedded.DIRECTORY
    with embedded.lock(directory):
        async with embedded.running_engines(directory):
            pass
    async with embedded.deployment(tmp_path, is_passing=False) as first, embedded.deployment(tmp_path) as beside:
        assert beside.database_url == first.database_url


def engine_pids(directory: Path) -> list[int]:
    """The processes that are written down as running."""
    return [entry["pid"] for entry in json.loads((directory / "processes.json").read_text())["processes"]]


async def test_without_data_a_command_says_how_to_start_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="make run"):
        async with embedded.deployment(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_command_during_a_start_says_so(tmp_path: Path) -> None:
    directory = tmp_path / embedded.DIRECTORY
    with embedded.lock(directory):
        (directory / "postgres").mkdir()
        with pytest.raises(CannotStart, match="just starting"):
            async with embedded.deployment(tmp_path):
                pass


async def test_named_servers_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DATABASE_URL": "postgres://u:p@db/earnest",
        "REDIS_URL": "redis://redis",
        "EARNEST_SECRET_KEYS": base64.b64encode(bytes(range(32))).decode(),
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
    }.items():
        monkeypatch.setenv(name, value)
    async with embedded.deployment(tmp_path) as settings:
        assert settings.database_url == "postgres://u:p@db/earnest"


@pytest.mark.parametrize("lone", ["DATABASE_URL", "REDIS_URL"])
def test_one_named_server_alone_is_refused(lone: str) -> None:
    with pytest.raises(CannotStart, match=f"{lone} is set but"):
        embedded.names_servers({lone: "x://y"})


def test_the_embedded_mode_is_a_sandbox_and_what_is_set_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EARNEST_WEBHOOK_ALLOW_PRIVATE", raising=False)
    environ = embedded.environment(tmp_path, database_url="postgres:///earnest", redis_url="redis://r")
    settings = Settings.from_environment(environ)
    assert settings.sandbox
    assert settings.webhook_reach is Reach.LOOPBACK
    monkeypatch.setenv("EARNEST_WEBHOOK_ALLOW_PRIVATE", "off")
    closed = embedded.environment(tmp_path, database_url="postgres:///earnest", redis_url="redis://r")
    assert Settings.from_environment(closed).webhook_reach is Reach.PUBLIC
    again = embedded.environment(tmp_path, database_url="postgres:///earnest", redis_url="redis://r")
    assert again["EARNEST_SECRET_KEYS"] == environ["EARNEST_SECRET_KEYS"]
    assert (tmp_path / "secret-key").stat().st_mode & 0o077 == 0
