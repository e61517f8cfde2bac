"""The real thing: `earnest web` under uvicorn on loopback, with a database and a Redis of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.earnest.running import free_port
from tests.engines import TestServer
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the process writes its log."""
    return tmp_path_factory.mktemp("served") / "web.log"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(server: TestServer, log: Path) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    """A client of a running `earnest web`, and the environment that it runs in."""
    port, database_url = free_port(), await server.clone()
    environ = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": server.engines.redis_url,
        "EARNEST_SECRET_KEYS": urlsafe_b64encode(bytes(range(32))).decode(),
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
        "EARNEST_LOG_FORMAT": "json",
        "EARNEST_RATE": "off",
        "PORT": str(port),
    }
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "earnest", "web"), cwd=ROOT, env=environ, stderr=errors
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            await until(partial(_answers, http), otherwise=log.read_text)
            yield http, environ
        process.terminate()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() in (0, -signal.SIGTERM)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await server.drop(database_url)


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def _is_ready(http: httpx.AsyncClient) -> bool:
    """Whether nothing is degraded, as it is for a moment whenever Redis takes longer than a command would wait for it."""
    status: str = (await http.get("/readyz")).json()["status"]
    return status == "ready"


async def test_a_deployment_is_served_from_its_first_key_to_the_last_request(
    served: tuple[httpx.AsyncClient, dict[str, str]],
) -> None:
    http, environ = served
    await until(partial(_is_ready, http))
    made = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "earnest", "keys", "create", "--operator"],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    token = next(word for word in made.stdout.split() if word.startswith("ek_"))
    headers = {"authorization": f"Bearer {token}"}
    who = await http.post("/graphql", json={"query": "{ viewer { kind } }"}, headers=headers)
    assert who.json() == {"data": {"viewer": {"kind": "OPERATOR"}}}
    mutation = (
        'mutation { createAccount(input: {name: "Ünï 工房", type: AGENCY}) { account { name } userErrors { code } } }'
    )
    opened = await http.post("/graphql", json={"query": mutation}, headers=headers)
    assert opened.json()["data"]["createAccount"] == {"account": {"name": "Ünï 工房"}, "userErrors": []}
    assert "server" not in who.headers


async def test_a_client_that_leaves_in_the_middle_of_its_request_leaves_no_trace(
    served: tuple[httpx.AsyncClient, dict[str, str]],
) -> None:
    http, environ = served
    reader, writer = await asyncio.open_connection("127.0.0.1", int(environ["PORT"]))
    writer.write(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""
    assert (await http.post("/graphql", json={"query": "{ __typename }"})).status_code == 200


async def test_what_uvicorn_says_is_an_entry_of_the_same_log(
    served: tuple[httpx.AsyncClient, dict[str, str]], log: Path
) -> None:
    _, environ = served
    reader, writer = await asyncio.open_connection("127.0.0.1", int(environ["PORT"]))
    writer.write(b"this is no HTTP\r\n\r\n")
    await writer.drain()
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    (entry,) = (entry for entry in entries if entry["logger"] == "uvicorn.error")
    assert (entry["level"], entry["event"]) == ("warning", "Invalid HTTP request received.")
    assert len(entry["trace_id"]) == 32
