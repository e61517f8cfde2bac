"""The README's commands, run as they stand there by somebody who just started the product."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.earnest.running import clean_environment, free_port

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """The port of a freshly started product with its demo contract, in a folder with a space, and the client's key."""
    root = tmp_path_factory.mktemp("read me")
    shutil.copy(ROOT / "Procfile", root)
    port = free_port()
    with (root / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "earnest", "up"],
            cwd=root,
            env=clean_environment() | {"PORT": str(port)},
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
            yield port, json.loads((root / ".earnest" / "demo-keys.json").read_text())["client"]["key"]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_SECONDS) == 0


def test_the_readmes_requests_do_what_it_says(product: tuple[int, str]) -> None:
    port, client = product
    first, mutation, record = (
        block.replace("CLIENT=ek_…", f"CLIENT={client}").replace(":8000", f":{port}") for block in shell_blocks()
    )

    (contract,) = run(first)["data"]["contracts"]["nodes"]
    milestone = contract["currentMilestone"]
    assert (milestone["title"], milestone["state"]) == ("Approving the wireframe", "SUBMITTED")
    assert contract["nextDeadline"]["action"] == "milestone.released"

    filled = f"CLIENT={client}\n" + mutation.replace("MILESTONE=mil_…", f"MILESTONE={milestone['id']}")
    for _ in range(2):  # "Send it again and nothing more happens"
        payload = run(filled)["data"]["approveMilestone"]
        assert payload["userErrors"] == []
        assert payload["milestone"]["state"] == "RELEASED"

    (contract,) = run(f"CLIENT={client}\n{record}")["data"]["contracts"]["nodes"]
    events = contract["timeline"]["nodes"]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert [event["previousHash"] for event in events[1:]] == [event["hash"] for event in events[:-1]]
    assert [event["type"] for event in events].count("milestone.released") == 2
    assert contract["transfers"]["nodes"]


def shell_blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def run(script: str) -> Any:
    answer = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)
