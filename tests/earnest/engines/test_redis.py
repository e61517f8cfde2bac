"""Which Redis is started: the newest of the machine's own and the wheel's, Redis or Valkey."""

from __future__ import annotations

from pathlib import Path

import pytest

from earnest.engines import postgres, redis
from earnest.run.refusing import CannotStart


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH of a machine where nothing is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(folder: Path, program: str, said: str) -> str:
    """Put a program there that says this; gives its path."""
    path = folder / program
    path.write_text(f"#!/bin/sh\necho '{said}'\n")
    path.chmod(0o755)
    return str(path)


def test_the_wheels_own_is_taken_where_the_machine_has_none(machine: Path) -> None:
    found = redis.find_program()
    assert found.is_built_in
    assert found.name == "Valkey"
    assert found.version >= (9, 1)
    assert str(found).endswith("(built in)")


def test_a_newer_one_of_the_machine_is_preferred(machine: Path) -> None:
    path = install(machine, "redis-server", "Redis server v=100.2.10 sha=00000000:1 malloc=jemalloc bits=64")
    found = redis.find_program()
    assert found.path == path
    assert str(found) == f"Redis 100.2.10 ({path})"


def test_an_older_one_of_the_machine_is_left_alone(machine: Path) -> None:
    install(machine, "redis-server", "Redis server v=6.2.5 sha=00000000:0")
    install(machine, "valkey-server", "Valkey server v=8.1.4 sha=00000000:0")
    assert redis.find_program().is_built_in


@pytest.mark.parametrize(
    ("program", "said"),
    [("redis-server", "Redis server v=7.0.15 sha=0:0"), ("valkey-server", "Valkey server v=7.2.4 sha=0:0")],
)
def test_without_the_wheel_the_machines_own_is_taken(
    machine: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    monkeypatch.setattr(redis, "built_in_path", lambda: None)
    path = install(machine, program, said)
    assert redis.find_program().path == path


def test_one_that_is_too_old_is_refused_by_its_version(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "built_in_path", lambda: None)
    install(machine, "redis-server", "Redis server v=6.0.16 sha=0:0")
    with pytest.raises(CannotStart, match=r"Redis 6\.0\.16 .*is too old.*install Redis 6\.2 or newer"):
        redis.find_program()


@pytest.mark.parametrize("said", ["", "something else 7.0", "KeyDB server v=6.3.4"])
def test_what_is_no_redis_counts_as_none(machine: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(redis, "built_in_path", lambda: None)
    install(machine, "redis-server", said)
    with pytest.raises(CannotStart, match="no redis-server on the PATH"):
        redis.find_program()


def test_a_program_that_does_not_run_here_counts_as_none(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = machine / "redis-server"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    monkeypatch.setattr(redis, "built_in_path", lambda: None)
    with pytest.raises(CannotStart, match="no redis-server on the PATH"):
        redis.find_program()


def test_a_busy_machine_has_as_long_to_start_it_as_to_start_postgresql() -> None:
    assert redis.START_SECONDS == postgres.START_SECONDS
