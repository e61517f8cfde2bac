"""The deployment that browsers look at: real processes and engines, and what people did there before anybody looks."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests.browser.keeper import SERVES
from tests.docs.product import ROOT, started
from tests.patience import PATIENCE_SECONDS

READS: Final = "CONTRACTS_READ"
"""The scope of those who only look."""

HERE: Final = Path(__file__).parent

_http: Final = httpx.Client(timeout=PATIENCE_SECONDS)
"""One for all: each would read all certificates of the machine."""


@dataclass(frozen=True, slots=True)
class Served:
    """A sandbox with the demo's people: its address, and the key of each by role."""

    url: str
    keys: Mapping[str, str]
    accounts: Mapping[str, str]
    root: Path

    @property
    def log(self) -> str:
        """Everything that its processes wrote so far."""
        return (self.root / "log").read_text()

    def account(self, role: str) -> str:
        """The account of one of the demo's people."""
        return self.accounts[role]

    def kill_web(self) -> None:
        """End the web process as a crash would; another one is started at once."""
        serves = self.root / SERVES
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not serves.exists():  # it may serve before that is written down
            assert time.monotonic() < deadline, "nobody serves any more"
            time.sleep(0.01)
        os.kill(int(serves.read_text()), signal.SIGKILL)

    def ask(self, role: str, document: str, **variables: Any) -> dict[str, Any]:
        """What somebody's program gets, which asks again while nobody serves; fails on errors."""
        headers = {"authorization": f"Bearer {self.keys[role]}"}
        body = {"query": document, "variables": variables}
        answer = _answer(f"{self.url}/graphql", json=body, headers=headers)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def is_over(self, token: str) -> bool:
        """Whether nobody is known by this token any more."""
        headers = {"authorization": f"Bearer {token}"}
        answer = _answer(f"{self.url}/graphql", json={"query": "{ viewer { sessionId } }"}, headers=headers)
        return "UNAUTHENTICATED" in [error["extensions"]["code"] for error in answer.get("errors", [])]

    def figures(self) -> str:
        """What the process that serves says of itself."""
        return _http.get(f"{self.url}/metrics").text

    def do(self, role: str, mutation: str, select: str, **given: Any) -> Any:
        """What a mutation of that name answers to these inputs, which it mustn't refuse."""
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        answer = f"{{ {select} userErrors {{ code message field }} }}"
        document = f"mutation Do($input: {kind}!) {{ done: {mutation}(input: $input) {answer} }}"
        done = self.ask(role, document, input=given)["done"]
        assert not done["userErrors"], done
        return done

    def session(self, role: str, **given: Any) -> str:
        """The token of a new session of somebody's account, which may read contracts unless it says more."""
        token: str = self.do(role, "createSession", "token", **{"scopes": [READS], **given})["token"]
        return token

    def link(self, role: str, **given: Any) -> str:
        """An address that opens the console with a new session, once."""
        address: str = self.do(role, "createSessionLink", "url", **{"scopes": [READS], **given})["url"]
        return address


@contextmanager
def serving(root: Path) -> Iterator[Served]:
    """A deployment in that folder, of the code of this checkout; nobody is asked to wait there."""
    with started(root, procfile=HERE / "Procfile", PYTHONPATH=str(ROOT), EARNEST_RATE="off") as (port, keys):
        people = json.loads((root / ".earnest" / "demo-keys.json").read_text())
        accounts = {role: people[role]["account"] for role in keys}
        yield Served(f"http://127.0.0.1:{port}", keys, accounts, root)


def _answer(address: str, **request: Any) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer: dict[str, Any] = _http.post(address, **request).json()
            return answer
        except httpx.TransportError:
            assert time.monotonic() < deadline, "nobody serves any more"
            time.sleep(0.05)
