"""npm's clients of GraphQL over WebSocket and over server-sent events, unchanged, against the product as it starts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.product import started

HERE = Path(__file__).parent
SECONDS_MAX = 60


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A freshly started product: its addresses and the client's key, as the scripts take them."""
    with started(tmp_path_factory.mktemp("product")) as (port, keys):
        url = f"http://127.0.0.1:{port}/graphql"
        query = {"query": "{ viewer { accountId } }"}
        other = httpx.post(url, json=query, headers={"authorization": f"Bearer {keys['freelancer']}"}).json()
        yield os.environ | {
            "EARNEST_URL": url,
            "EARNEST_SOCKET_URL": url.replace("http", "ws", 1),
            "EARNEST_KEY": keys["client"],
            "EARNEST_OTHER": other["data"]["viewer"]["accountId"],
        }


@pytest.mark.parametrize("script", ["graphql_ws.mjs", "graphql_sse.mjs"])
def test_a_client_of_the_field_works_unchanged(environ: dict[str, str], script: str) -> None:
    done = subprocess.run(
        ["node", script], cwd=HERE, env=environ, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a replay that resumes from its cursor" in done.stdout
