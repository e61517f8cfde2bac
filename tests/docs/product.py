"""The product as somebody starts it who follows the docs, and the commands that stand there, run as they stand."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.earnest.running import clean_environment, free_port
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


@contextmanager
def started(
    root: Path, *options: str, port: int | None = None, procfile: Path = ROOT / "Procfile", **environ: str
) -> Iterator[tuple[int, dict[str, str]]]:
    """The product with its demo contract, started in that folder with these options: its port, and the keys by role.

    In a folder where it ran before it finds its data again.
    """
    shutil.copy(procfile, root / "Procfile")
    port = port or free_port()
    with (root / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "earnest", "up", *options],
            cwd=root,
            env=clean_environment() | environ | {"PORT": str(port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while "Ctrl-C stops everything" not in (root / "log").read_text():
                assert process.poll() is None, (root / "log").read_text()
                assert time.monotonic() < deadline, (root / "log").read_text()
                time.sleep(0.1)
            people = json.loads((root / ".earnest" / "demo-keys.json").read_text())
            yield port, {role: one["key"] for role, one in people.items() if isinstance(one, dict)}
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_SECONDS) == 0


def shell_blocks(page: str) -> list[str]:
    """What a page says to type."""
    return re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def run(script: str) -> Any:
    """The answer of a request that was typed."""
    answer = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)
