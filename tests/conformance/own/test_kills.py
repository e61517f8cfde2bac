"""The web process is killed again and again while both clients write, follow and mirror; nothing is lost, nothing comes twice.

Fifty times, or as often as `EARNEST_KILLS=500 make clients ARGS="-s -k killed"` says. The clients are killed too, once each.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.conformance.conftest import Deployment
from tests.conformance.own.conftest import Installed
from tests.docs.product import ROOT
from tests.earnest.running import free_port
from tests.patience import PATIENCE_SECONDS

KILLS = int(os.environ.get("EARNEST_KILLS", "50"))
MOTHER = Path(__file__).with_name("mother.py")
HEARD_BETWEEN = 4
"""Events that each client hears between two kills."""


class Web:
    """One more web process of a deployment, on a port of its own, which may die; its mother lives as long as this."""

    def __init__(self, root: Path, log: Path) -> None:
        self._root = root
        self._log = log
        self._environ = environ_of_the_web_process(root) | {"PORT": str(free_port())}
        self._process = 0
        with log.open("ab") as file:
            self._mother = subprocess.Popen(
                [sys.executable, MOTHER], cwd=root, env=self._environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
            )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._environ['PORT']}"

    def start(self) -> None:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        print(file=self._mother.stdin, flush=True)
        self._process = int(self._mother.stdout.readline())

    def kill(self) -> None:
        assert self._is_there(), f"it ended by itself:\n{self._log.read_text()}"
        os.kill(self._process, signal.SIGKILL)
        until(lambda: not self._is_there(), lambda: "it outlives SIGKILL", pause_seconds=0.005)

    def end(self) -> None:
        """Kill whoever is left."""
        if self._process and self._is_there():
            self.kill()
        self._mother.kill()
        self._mother.wait()

    def _is_there(self) -> bool:
        try:
            os.kill(self._process, 0)
        except ProcessLookupError:
            return False
        return True


def environ_of_the_web_process(root: Path) -> dict[str, str]:
    """The variables that the supervisor gave the web process of the deployment in that folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"web" in words and (process / "cwd").resolve() == root.resolve():
                pairs = (process / "environ").read_bytes().rstrip(b"\0").split(b"\0")
                return dict(pair.decode().split("=", 1) for pair in pairs)
        except OSError:
            continue
    raise AssertionError("the deployment has no web process")


class Follower:
    """A program that writes, follows and mirrors, in a folder where it finds again what it had."""

    def __init__(self, name: str, installed: Installed, folder: Path, environ: Mapping[str, str]) -> None:
        folder.mkdir()
        self.name = name
        self._command = installed.command("following")
        self._folder = folder
        self._environ = {**os.environ, **environ, **installed.environ}
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self._folder / "errors").open("a"),
            text=True,
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def told(self, word: str) -> str:
        """What it answers to a word."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.errors
        return answer

    @property
    def errors(self) -> str:
        return (self._folder / "errors").read_text()

    @property
    def heard(self) -> list[str]:
        """The events that it handled."""
        return [line.split()[1] for line in self._lines("heard")]

    @property
    def wrote(self) -> list[str]:
        """The contracts that it made."""
        return self._lines("wrote")

    @property
    def mirrored(self) -> Any:
        """What its mirror holds."""
        return json.loads(self.told("show"))

    def _lines(self, name: str) -> list[str]:
        path = self._folder / name
        return path.read_text().splitlines() if path.exists() else []


class Truth:
    """What the deployment itself says."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=60)
        self._cursor = self.start = self.ask('{ changes(after: "latest") { cursor } }')["changes"]["cursor"]
        self._events: list[str] = []

    def ask(self, query: str, **variables: Any) -> Any:
        answer = self._http.post("/graphql", json={"query": query, "variables": variables})
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            time.sleep(int(answer.headers["retry-after"]))
            return self.ask(query, **variables)
        told = answer.json()
        assert "errors" not in told, told
        return told["data"]

    def read_on(self) -> list[str]:
        """All events since the start."""
        query = (
            "query ($after: Cursor) { changes(after: $after, first: 100) { nodes { event { id } } cursor hasMore } }"
        )
        has_more = True
        while has_more:
            page = self.ask(query, after=self._cursor)["changes"]
            self._events += [change["event"]["id"] for change in page["nodes"]]
            self._cursor, has_more = page["cursor"], page["hasMore"]
        return self._events

    def mirrored(self) -> dict[str, dict[str, str]]:
        """What a mirror should hold."""
        return {
            "contracts": {
                one["id"]: f"{one['state']} {one['version']}"
                for one in self._every("contracts", "id state version title")
            },
            "milestones": {
                one["id"]: f"{one['state']} {one['position']} {one['amount']['amount']}"
                for one in self._every("milestones", "id state position amount { amount }")
            },
        }

    def made(self, beginning: str) -> list[tuple[str, int]]:
        """The contracts whose titles begin so, each with how many events it has."""
        contracts = self._every("contracts", "title version")
        return [(one["title"], one["version"]) for one in contracts if one["title"].startswith(beginning)]

    def _every(self, name: str, fields: str) -> Iterator[Any]:
        query = f"""query ($after: Cursor) {{ {name}(first: 100, after: $after) {{
            nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
        after = None
        while True:
            page = self.ask(query, after=after)[name]
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]


def until(check: Callable[[], object], otherwise: Callable[[], str], *, pause_seconds: float = 0.1) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not check():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(pause_seconds)


@contextmanager
def running(web: Web, followers: list[Follower]) -> Iterator[None]:
    """All of them, killed at the end."""
    with ExitStack() as stack:
        stack.callback(web.end)
        web.start()
        for one in followers:
            one.start()
            stack.callback(one.kill)
        yield


def test_a_web_process_that_is_killed_costs_no_event_and_doubles_none(
    deployment: Deployment, in_python: Installed, in_node: Installed, people: dict[str, str], tmp_path: Path
) -> None:
    truth = Truth(deployment.url, people["EARNEST_KEY"])
    web = Web(deployment.root, tmp_path / "web.log")
    run = tmp_path.name
    environ = people | {"EARNEST_URL": web.url, "EARNEST_START": truth.start, "EARNEST_RUN": run}
    followers = [
        Follower("Python", in_python, tmp_path / "python", environ),
        Follower("TypeScript", in_node, tmp_path / "node", environ),
    ]

    def state() -> str:
        return "\n".join(
            f"{one.name} heard {len(one.heard)}, wrote {len(one.wrote)}: {one.errors}" for one in followers
        )

    def hear_more() -> None:
        marks = [len(one.heard) + HEARD_BETWEEN for one in followers]
        until(lambda: all(len(one.heard) >= mark for one, mark in zip(followers, marks, strict=True)), state)

    with running(web, followers):
        for kill in range(KILLS):
            hear_more()
            web.kill()
            if kill in (1, 2):  # each of the clients dies once as well
                followers[kill - 1].kill()
                followers[kill - 1].start()
            web.start()
        hear_more()
        for one in followers:
            one.told("stop")
        made = {one.name: truth.made(f"{one.name} {run} ") for one in followers}
        events = sum(version for contracts in made.values() for _, version in contracts)
        until(lambda: len(truth.read_on()) >= events, state)
        until(lambda: all(one.heard == truth.read_on() for one in followers), lambda: f"lost or doubled: {state()}")
        until(lambda: [one.mirrored for one in followers] == 2 * [truth.mirrored()], lambda: "a mirror differs")

    for one in followers:
        titles = sorted(title for title, _ in made[one.name])
        assert titles == sorted(f"{one.name} {run} {number}" for number in range(len(one.wrote)))
    print(f"{KILLS} kills, {events} events: none lost, none doubled, both mirrors equal")
