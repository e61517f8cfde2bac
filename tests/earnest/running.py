"""Starts a supervisor as a person would and looks at what it leaves behind."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from earnest.demo.stage import PORTS
from earnest.engines.processes import start_time
from tests.patience import PATIENCE_SECONDS

TESTS = Path(__file__).parent
WEB = f"web: python '{TESTS / 'web.py'}'"
READY = "Ctrl-C stops everything"

_given: set[int] = set()
"""The ports of this process' tests."""


class Up:
    """A supervisor that was started in a folder; `lines` is its output so far."""

    started: ClassVar[list["Up"]] = []

    def __init__(self, root: Path, environ: dict[str, str], *, module: str = "tests.earnest.up") -> None:
        self.root = root
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=root,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(self)
        self._arrived = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str) -> str:
        """The first line with the text; fails when the supervisor ends or stays silent instead."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._arrived:
            while time.monotonic() < deadline:
                for line in self.lines:
                    if text in line:
                        return line
                if not self._arrived.wait(0.1) and not self._reader.is_alive():
                    break
        raise AssertionError(f"no {text!r} in:\n{self.text}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once it ended and said all it had to say; of one that was killed, others may still hold the pipe."""
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(1 if code < 0 else PATIENCE_SECONDS)
        return code

    @property
    def text(self) -> str:
        """All output so far."""
        return "".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._arrived:
                self.lines.append(line)
                self._arrived.notify_all()


def start(root: Path, *procfile: str, port: int, **environ: str) -> Up:
    """Start a supervisor with a Procfile of the test's own."""
    (root / "Procfile").write_text("\n".join(procfile or (WEB,)) + "\n")
    return Up(root, clean_environment() | {"PORT": str(port)} | environ)


def refused(root: Path, *procfile: str, port: int, **environ: str) -> str:
    """The one line of a start that is refused."""
    up = start(root, *procfile, port=port, **environ)
    assert up.wait() == 2, up.text
    lines = [line for line in up.text.splitlines() if line.startswith("earnest: ")]
    assert len(lines) == 1, up.text
    assert "Traceback" not in up.text
    return lines[0]


def clean_environment() -> dict[str, str]:
    """This process' environment without what would name real servers."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "PORT"} and not name.startswith("EARNEST_")
    }


def free_port() -> int:
    """A port that nobody listens on now, and that nobody else is given before whoever asked listens there.

    Connections come from further up; of the processes that share the tests each has ports of its own, and gives none twice.
    """
    number, count = os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:], os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    ours = PORTS[int(number) :: int(count)]
    while True:
        port = secrets.choice(ours)
        if port not in _given:
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _given.add(port)
                return port


def engine_pids(root: Path) -> list[int]:
    """The processes whose command line or environment names the folder: servers, their children, the Procfile's."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            inside = (path / "cwd").resolve().is_relative_to(root.resolve())
        except OSError:
            continue
        if (inside or os.fsencode(root) in command) and start_time(int(path.name)) and int(path.name) != os.getpid():
            found.append(int(path.name))
    return found


def left_behind(root: Path) -> list[int]:
    """What still runs for a folder, though it had its time to end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (pids := engine_pids(root)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return pids
