"""A worker's figures by HTTP: for who shows the token, and for nobody else."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest

from earnest.run.refusing import CannotStart
from earnest.run.watching import watched
from tests.patience import PATIENCE_SECONDS

TOKEN = "what-a-scraper-shows"


async def _asked(path: str, *, token: str | None, is_open: bool, shown: str | None = None) -> httpx.Response:
    headers = {"authorization": shown} if shown is not None else {}
    async with (
        watched("127.0.0.1", 0, token=token, is_open=is_open) as port,
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http,
    ):
        return await http.get(f"http://127.0.0.1:{port}{path}", headers=headers)


async def test_the_token_opens_the_page() -> None:
    answer = await _asked("/metrics", token=TOKEN, is_open=False, shown=f"Bearer {TOKEN}")
    assert answer.status_code == 200
    assert "# TYPE earnest_sql_seconds histogram" in answer.text


@pytest.mark.parametrize("shown", [None, "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}"])
async def test_without_it_there_is_none(shown: str | None) -> None:
    answer = await _asked("/metrics", token=TOKEN, is_open=True, shown=shown)
    assert (answer.status_code, "earnest_" in answer.text) == (401, False)


@pytest.mark.parametrize(("is_open", "status"), [(True, 200), (False, 401)])
async def test_where_there_is_no_token_only_a_sandbox_shows_it(is_open: bool, status: int) -> None:
    assert (await _asked("/metrics", token=None, is_open=is_open)).status_code == status


async def test_that_it_lives_is_told_to_everybody_and_nothing_else_is() -> None:
    assert (await _asked("/healthz", token=TOKEN, is_open=False)).json() == {"status": "ok"}
    assert (await _asked("/graphql", token=TOKEN, is_open=True)).status_code == 404


async def test_without_a_port_nobody_listens_and_one_that_is_taken_is_named() -> None:
    async with watched("127.0.0.1", None, token=None, is_open=True) as none:
        assert none is None
    async with watched("127.0.0.1", 0, token=None, is_open=True) as taken:
        with pytest.raises(CannotStart, match=f"EARNEST_METRICS_PORT is {taken}"):
            async with watched("127.0.0.1", taken, token=None, is_open=True):
                pass


async def test_nonsense_is_hung_up_on() -> None:
    async with watched("127.0.0.1", 0, token=None, is_open=True) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 100_000)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
