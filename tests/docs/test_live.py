"""The page about live streams: what it says to type is typed, and its Python listens as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx

from api.live import open_streams
from api.live.closing import Code
from escrow.live import reader
from tests.docs.conftest import Deployed
from tests.docs.product import ROOT, shell_blocks
from tests.patience import PATIENCE_SECONDS

PAGE = "docs/integrating/live.md"


def _timeline(port: int, key: str) -> list[dict[str, object]]:
    """The contract's events, once each has its place in the log."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    events = _asked(port, key)
    while not all(event["cursor"] for event in events):
        assert time.monotonic() < deadline, events
        time.sleep(0.05)
        events = _asked(port, key)
    return events


def _asked(port: int, key: str) -> list[dict[str, object]]:
    query = "{ contracts { nodes { timeline(first: 100) { nodes { cursor type stream sequence } } } } }"
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx.post(
        f"http://127.0.0.1:{port}/graphql", json={"query": query}, headers=headers, timeout=PATIENCE_SECONDS
    ).json()
    assert "errors" not in answer, answer
    (contract,) = answer["data"]["contracts"]["nodes"]
    found: list[dict[str, object]] = contract["timeline"]["nodes"]
    return found


def test_curl_hears_everything_from_the_beginning(deployed: Deployed) -> None:
    port, keys = deployed.port, deployed.keys
    (block,) = shell_blocks(PAGE)
    script = block.replace("CLIENT=ek_…", f"CLIENT={keys['client']}").replace(":8000", f":{port}")
    with subprocess.Popen(
        ["bash", "-euc", script.replace("curl -sN", "exec curl -sN")], stdout=subprocess.PIPE
    ) as curl:
        assert curl.stdout is not None
        heard = []
        expected = _timeline(port, keys["client"])
        for line in curl.stdout:
            if line.startswith(b"data: "):
                heard.append(json.loads(line.removeprefix(b"data: "))["data"]["events"])
            if heard and heard[-1]["cursor"] == expected[-1]["cursor"]:
                break
        curl.kill()
    cursors = [event["cursor"] for event in heard]
    assert cursors == sorted(cursors)
    assert [event["cursor"] for event in expected] == [one for one in cursors if one in {e["cursor"] for e in expected}]


def test_the_python_of_the_page_listens(deployed: Deployed, tmp_path: Path) -> None:
    port, keys = deployed.port, deployed.keys
    (source,) = re.findall(r"```python\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
    (tmp_path / "listen.py").write_text(source)
    environ = os.environ | {"EARNEST_URL": f"ws://127.0.0.1:{port}/graphql", "EARNEST_KEY": keys["freelancer"]}
    expected = _timeline(port, keys["freelancer"])
    heard: list[str] = []
    with subprocess.Popen(
        [sys.executable, tmp_path / "listen.py"], env=environ, stdout=subprocess.PIPE, text=True
    ) as listening:
        assert listening.stdout is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        for line in listening.stdout:
            heard.append(line.strip())
            if line.startswith(str(expected[-1]["cursor"])) or time.monotonic() > deadline:
                break
        listening.kill()
    said = [" ".join(str(event[name]) for name in ("cursor", "type", "stream", "sequence")) for event in expected]
    assert [line for line in heard if " ctr_" in line] == said


def test_the_python_of_the_page_ends_where_its_cursor_is_none_of_the_log(deployed: Deployed, tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", (ROOT / PAGE).read_text(), re.DOTALL)
    assert "cur_0000000000000" in source
    (tmp_path / "listen.py").write_text(source.replace("cur_0000000000000", "cur_000000000zzzz"))
    keys = {"EARNEST_URL": f"ws://127.0.0.1:{deployed.port}/graphql", "EARNEST_KEY": deployed.keys["client"]}
    ended = subprocess.run(
        [sys.executable, tmp_path / "listen.py"],
        env=os.environ | keys,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.returncode == 1
    assert "has not reached cur_000000000zzzz" in ended.stderr


def test_the_page_says_what_the_code_does() -> None:
    page = (ROOT / PAGE).read_text()
    for code in Code:
        if code is not Code.INTERNAL:
            assert f"| {int(code)} |" in page, code
    for said in (
        f"within {open_streams.INIT_SECONDS:.0f} seconds",
        f"within {open_streams.PONG_SECONDS:.0f}",
        f"more than {reader.BEHIND_EVENTS_MAX} events",
        f"in {open_streams.SEND_SECONDS:.0f} seconds",
        f"more than {open_streams.PER_KEY_MAX} connections",
        f"up to {open_streams.OPERATIONS_MAX} operations",
        f"after {open_streams.PING_SECONDS:.0f} seconds",
    ):
        assert said in page, said
