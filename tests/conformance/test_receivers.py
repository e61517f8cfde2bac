"""The receivers of the page, as they stand there: each event once and in order, although they are killed, and nothing forged."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.conftest import HERE, Deployment
from tests.docs.product import ROOT
from tests.earnest.running import free_port
from tests.patience import PATIENCE_SECONDS

PAGE = ROOT / "docs" / "integrating" / "receivers.md"
RUNNERS = {"js": ("node", ".mjs"), "python": (str(HERE / ".venv" / "bin" / "python"), ".py")}
PROGRAMS = {
    name: (language, text)
    for language, name, text in re.findall(r"```(\w+) (\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
}


class Receiver:
    """One of the programs, which can be killed and started again."""

    def __init__(self, name: str, folder: Path, secret: str, port: int) -> None:
        language, text = PROGRAMS[name]
        runner, suffix = RUNNERS[language]
        program = folder / f"receiver{suffix}"
        program.write_text(text)
        if language == "js":
            (folder / "node_modules").symlink_to(HERE / "node_modules")
        self.inbox = folder / "inbox.jsonl"
        self.url = f"http://127.0.0.1:{port}/"
        self._port = port
        self._command = [runner, str(program)]
        self._environ = os.environ | {"PORT": str(port), "WEBHOOK_SECRET": secret, "INBOX": str(self.inbox)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run until it listens."""
        self._process = subprocess.Popen(self._command, env=self._environ, cwd=self.inbox.parent)
        until(self._listens)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def events(self) -> list[dict[str, Any]]:
        """What it wrote down; a line that it was killed over is not written down."""
        lines = self.inbox.read_bytes().splitlines(keepends=True) if self.inbox.exists() else []
        return [json.loads(line)["body"]["data"]["event"] for line in lines if line.endswith(b"\n")]

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the program has ended"
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self._port)) == 0


def until(is_so: Any) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.05)


def do(deployment: Deployment, role: str, mutation: str, answer: str, **given: object) -> dict[str, Any]:
    """The answer to a mutation that is not refused."""
    kind = f"{mutation[0].upper()}{mutation[1:]}Input"
    document = (
        f"mutation Do($input: {kind}!) {{ {mutation}(input: $input) {{ {answer} userErrors {{ code message }} }} }}"
    )
    asked = {"query": document, "variables": {"input": given}}
    headers = {"authorization": f"Bearer {deployment.keys[role]}"}
    found = httpx.post(f"{deployment.url}/graphql", json=asked, headers=headers, timeout=60).json()
    payload: dict[str, Any] = found["data"][mutation]
    assert payload["userErrors"] == []
    return payload


@contextmanager
def receiving(name: str, deployment: Deployment, contracts: list[str], folder: Path) -> Iterator[tuple[Receiver, str]]:
    """The program beside an endpoint of the client's that leads to it, for these contracts."""
    port = free_port()
    given = {"url": f"http://127.0.0.1:{port}/", "contractIds": contracts}
    made = do(deployment, "client", "createWebhookEndpoint", "secret webhookEndpoint { id }", **given)
    endpoint: str = made["webhookEndpoint"]["id"]
    one = Receiver(name, folder, made["secret"], port)
    one.start()
    try:
        yield one, endpoint
    finally:
        one.kill()
        do(deployment, "client", "deleteWebhookEndpoint", "__typename", endpointId=endpoint)


def replay(deployment: Deployment, endpoint: str) -> None:
    """Have all events of its contracts sent once more."""
    do(deployment, "client", "replayEvents", "__typename", endpointId=endpoint, since="2000-01-01T00:00:00Z")


def propose(deployment: Deployment) -> str:
    """A contract, whose first two events are its proposal and its milestone."""
    milestone = {
        "title": "One", "purpose": "To see", "amount": {"amount": "1.00", "currency": "USD"}, "dueOn": "2100-01-01",
        "deliverables": ["A page"],
    }  # fmt: skip
    made = do(
        deployment, "client", "proposeContract", "contract { id }",
        clientId=deployment.account_of("client"), freelancerId=deployment.account_of("freelancer"),
        title="Told to a framework", currency="USD", milestones=[milestone],
    )  # fmt: skip
    found: str = made["contract"]["id"]
    return found


def say(deployment: Deployment, contract_id: str, message: str) -> None:
    do(deployment, "freelancer", "postUpdate", "__typename", contractId=contract_id, message=message)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_receiver_of_the_page_has_each_event_once_and_in_order(
    name: str, deployment: Deployment, environ: dict[str, str], tmp_path: Path
) -> None:
    del environ  # it only has to be there before the deployment is used
    contracts = [propose(deployment) for _ in range(3)]
    with receiving(name, deployment, contracts, tmp_path) as (one, endpoint):
        replay(deployment, endpoint)
        until(lambda: len(one.events()) >= 6)
        one.kill()
        for contract_id in contracts:
            say(deployment, contract_id, "While nobody listens")
        one.start()
        replay(deployment, endpoint)
        for contract_id in contracts:
            say(deployment, contract_id, "Again")
        told = [event for contract_id in contracts for event in seen_of(one, contract_id, 4)]
        assert [event["sequence"] for event in told] == [1, 2, 3, 4] * 3
        forged = httpx.post(one.url, content=b'{"type": "milestone.released"}', headers=_FORGED, timeout=60)
        assert forged.status_code == 401
        ids = [json.loads(line)["id"] for line in one.inbox.read_text().splitlines()]
        assert len(ids) == len(set(ids))


_FORGED = {
    "content-type": "application/json",
    "webhook-id": "evt_1",
    "webhook-timestamp": "1",
    "webhook-signature": "v1,aaaa",
}


def seen_of(one: Receiver, contract_id: str, count: int) -> list[dict[str, Any]]:
    """The events of a contract that it wrote down, once there are so many, in the order in which it did."""

    def found() -> list[dict[str, Any]]:
        return [event for event in one.events() if event["stream"] == contract_id]

    until(lambda: len(found()) >= count)
    return found()


def test_the_page_has_the_frameworks_of_the_field() -> None:
    assert set(PROGRAMS) == {"express", "fastify", "fastapi", "django"}
    assert shutil.which("node") is not None
