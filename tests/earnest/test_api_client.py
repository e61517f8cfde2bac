"""The client of our own commands: what is no address, and what answers that isn't Earnest, is one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from earnest import cli
from earnest.api_client import Api, Unreachable
from earnest.run.refusing import CannotStart
from tests.patience import PATIENCE_SECONDS


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999",
        "http://127.0.0.1:port",
        "localhost:8000",
        "http://[::1",
        "",
        "http://a b",
        "ftp://a",
        "http://a/ü",
    ],
)
def test_what_is_no_address_is_refused_in_one_line(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escrow.process_log.configure", lambda *_: None)
    with pytest.raises(CannotStart, match=r"is no address such as http://127\.0\.0\.1:8000"):
        Api(url, "ek_1")
    for command in (["listen"], ["contracts", "list"], ["api", "query { viewer { accountId } }"], ["mcp"]):
        assert cli.main([*command, "--url", url, "--key", "ek_1"]) == cli.REFUSED
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("key", ["", "ключ", "ek_1\nx: y", "ek_1 "])
def test_what_is_no_key_is_refused_without_being_told(
    key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escrow.process_log.configure", lambda *_: None)
    assert cli.main(["api", "query { viewer { role } }", "--url", "http://127.0.0.1:9", "--key", key]) == cli.REFUSED
    assert capsys.readouterr().err == "earnest: what was given as the key is none; one looks like ek_…\n"


def test_an_address_without_a_port_has_the_usual_one() -> None:
    assert [Api(url, "ek_1")._port for url in ("http://[::1]/", "https://escrow.example.com")] == [80, 443]
    assert Api("http://[::1]/", "ek_1")._url.hostname == "::1"


def test_the_address_of_graphql_that_a_start_prints_is_taken_too() -> None:
    assert {Api(f"http://127.0.0.1:8000{end}", "ek_1")._url.geturl() for end in ("", "/", "/graphql", "/graphql/")} == {
        "http://127.0.0.1:8000/graphql"
    }


@asynccontextmanager
async def answering(body: bytes) -> AsyncIterator[str]:
    """A server that says this and nothing else; gives its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("body", [b'{"status": "ok"}', b"[]", b'{"data": null}', b'"ok"', b"<p>hello"])
async def test_what_is_no_answer_is_of_somebody_else(body: bytes) -> None:
    async with answering(body) as url:
        with pytest.raises(Unreachable, match=f"what answers at {url}/graphql is not Earnest"):
            await Api(url, "ek_1").ask("query Who { viewer { accountId } }")


async def test_who_stops_waiting_for_an_answer_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earnest.api_client.TIMEOUT_SECONDS", 2 * PATIENCE_SECONDS)
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def answers_never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        hung_up.set()
        writer.close()

    server = await asyncio.start_server(answers_never, "127.0.0.1", 0)
    async with server:
        api = Api(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "ek_1")
        asking = asyncio.create_task(api.ask("query Who { viewer { accountId } }"))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(hung_up.wait(), PATIENCE_SECONDS)
