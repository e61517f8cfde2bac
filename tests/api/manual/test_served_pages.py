"""The manual under the real server, asked in ways in which no client library would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.live.serving import Served, serve


@pytest_asyncio.fixture(loop_scope="session")
async def served(database: str) -> AsyncIterator[Served]:
    """The application under uvicorn on loopback."""
    async with serve(None, sequencing=False) as one:
        yield one


async def _raw(port: int, target: bytes, method: bytes = b"GET", headers: bytes = b"") -> tuple[bytes, bytes]:
    """Head and body of the answer to exactly this request line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            method + b" " + target + b" HTTP/1.1\r\nhost: earnest.test\r\nconnection: close\r\n" + headers + b"\r\n"
        )
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


TARGETS = [
    b"/docs/../../../../etc/passwd",
    b"/docs/../pyproject.toml",
    b"/docs/%2e%2e/pyproject.toml",
    b"/docs/..%2fpyproject.toml",
    b"/docs/..%252fpyproject.toml",
    b"/docs/..\\pyproject.toml",
    b"/docs/law%00.md",
    b"/docs/%c0%ae%c0%ae%c0%afpyproject.toml",
    b"/docs//etc/passwd",
    b"http://earnest.test/docs/../pyproject.toml",
]


@pytest.mark.parametrize("target", TARGETS, ids=range(len(TARGETS)))
async def test_no_request_line_leads_out_of_the_manual(served: Served, target: bytes) -> None:
    head, body = await _raw(served.port, target)
    assert head.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
    assert b"[project]" not in body
    assert b"root:" not in body


async def test_pages_come_whole_and_a_head_without_its_body(served: Served) -> None:
    head, body = await _raw(served.port, b"/docs/law")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {len(body)}".encode() in head
    assert body.rstrip().endswith(b"</html>")
    asked, nothing = await _raw(served.port, b"/docs/law", method=b"HEAD")
    assert asked.startswith(b"HTTP/1.1 200 ")
    assert nothing == b""


async def test_a_browser_at_the_address_of_the_api_gets_a_page(served: Served) -> None:
    head, body = await _raw(served.port, b"/graphql", headers=b"accept: text/html,*/*;q=0.8\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"text/html" in head
    assert b"Operations to begin with" in body
