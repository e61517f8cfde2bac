"""The keys of an identity provider: fetched seldom, one at a time, within bounds, and believed for as long as is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from api import identity_keys
from api.identity_keys import (
    BYTES_MAX,
    FRESH_SECONDS,
    KEPT_SECONDS,
    PAUSE_SECONDS,
    IdentityKeys,
    KeysAway,
    PublicKey,
    fetch_keys,
)
from tests.api.identity import Provider

NAME = "RS256"


class Asked:
    """The keys as a process has them, with a clock that a test moves."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.now = 0.0
        self.keys = IdentityKeys("https://id.example.com", fetch=self._fetch, clock=lambda: self.now)
        self.gate: asyncio.Event | None = None

    async def _fetch(self, url: str) -> bytes:
        if self.gate is not None:
            await self.gate.wait()
        return await self.provider.fetch(url)

    async def key(self, name: str = NAME) -> PublicKey | None:
        found = await self.keys.key(name, NAME)
        if self.keys._task is not None and self.gate is None:
            await self.keys._task  # what goes on beside
        return found


async def test_keys_are_fetched_once_and_then_known() -> None:
    asked = Asked()
    for _ in range(100):
        assert await asked.key() is not None
    assert asked.provider.fetches == 1


async def test_a_storm_of_unknown_names_costs_one_fetch_in_a_while() -> None:
    asked = Asked()
    await asked.key()
    for second in range(60):
        asked.now += 1
        for number in range(50):
            assert await asked.key(f"made-up-{second}-{number}") is None
    assert asked.provider.fetches <= 1 + 60 / PAUSE_SECONDS


async def test_all_who_come_at_once_wait_for_one_fetch() -> None:
    asked = Asked()
    asked.gate = asyncio.Event()
    waiting = [asyncio.create_task(asked.key()) for _ in range(200)]
    await asyncio.sleep(0)
    asked.gate.set()
    assert None not in await asyncio.gather(*waiting)
    assert asked.provider.fetches == 1


async def test_whoever_gives_up_waiting_takes_nothing_from_the_others() -> None:
    asked = Asked()
    asked.gate = asyncio.Event()
    gone, patient = asyncio.create_task(asked.key()), asyncio.create_task(asked.key())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    asked.gate.set()
    assert await patient is not None
    assert asked.provider.fetches == 1


async def test_a_new_key_is_found_when_it_is_first_used_and_an_old_one_ends_soon() -> None:
    asked = Asked()
    first = asked.provider.keys
    asked.provider.keys = [key for key in first if key["kid"] != NAME]
    assert await asked.key() is None
    asked.provider.keys = first
    assert await asked.key() is None, "not before the pause is over"
    asked.now += PAUSE_SECONDS
    assert await asked.key() is not None
    asked.provider.keys = [key for key in first if key["kid"] != NAME]
    asked.now += FRESH_SECONDS + 1
    assert await asked.key() is not None, "what is known is answered at once, and looked at beside"
    assert await asked.key() is None


async def test_while_the_provider_is_away_known_keys_are_good_for_a_while_and_then_none_is() -> None:
    asked = Asked()
    await asked.key()
    asked.provider.failure = OSError("nobody there")
    asked.now += KEPT_SECONDS - 1
    assert await asked.key() is not None
    asked.now += PAUSE_SECONDS
    with pytest.raises(KeysAway):
        await asked.key()
    asked.provider.failure = None
    asked.now += PAUSE_SECONDS
    assert await asked.key() is not None


async def test_a_process_that_starts_without_the_provider_lets_nobody_in_until_it_is_there() -> None:
    asked = Asked()
    asked.provider.failure = OSError("nobody there")
    for _ in range(50):
        with pytest.raises(KeysAway):
            await asked.key()
    assert asked.provider.fetches == 1
    asked.provider.failure = None
    asked.now += PAUSE_SECONDS
    assert await asked.key() is not None


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [' + b"{}," * 100 + b"{}]}", b"\xff"]
)
async def test_what_is_no_set_of_keys_changes_nothing(body: bytes) -> None:
    now = [0.0]
    answers = [body]

    async def fetch(_: str) -> bytes:
        return answers[0]

    keys = IdentityKeys("u", fetch=fetch, clock=lambda: now[0])
    with pytest.raises(KeysAway):
        await keys.key(NAME, NAME)
    answers[0] = await Provider().fetch("u")
    now[0] += PAUSE_SECONDS
    assert await keys.key(NAME, NAME) is not None
    answers[0] = body
    now[0] += FRESH_SECONDS + 1
    for _ in range(2):
        assert await keys.key(NAME, NAME) is not None


async def test_entries_that_are_no_keys_leave_the_others_alone() -> None:
    asked = Asked()
    asked.provider.keys = [7, None, "x", {"kid": 7}, {"kid": ["x"]}, {}, *asked.provider.keys]  # type: ignore[list-item]
    assert await asked.key() is not None
    assert await asked.key("x") is None


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    """A provider on loopback that answers so; gives its address."""
    app = web.Application()
    app.router.add_get("/jwks", answer)
    app.router.add_get("/elsewhere", _good)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    finally:
        await runner.cleanup()


async def _good(_: web.Request) -> web.Response:
    return web.Response(body=await Provider().fetch(""))


async def _redirects(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"location": "/elsewhere"})


async def _fails(_: web.Request) -> web.Response:
    return web.Response(status=500, body=await Provider().fetch(""))


async def _floods(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(BYTES_MAX // 65_536 + 2):
        await answer.write(b" " * 65_536)
    return answer


async def _hangs(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def _drips(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(600):
        await answer.write(b" ")
        await asyncio.sleep(0.1)
    return answer


async def test_keys_are_read_from_their_address() -> None:
    async with served(_good) as url:
        assert await IdentityKeys(url).key(NAME, NAME) is not None


@pytest.mark.parametrize("answer", [_redirects, _fails, _floods, _hangs, _drips])
async def test_an_answer_that_is_none_ends_soon_and_is_not_believed(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_keys, "FETCH_SECONDS", 0.3)
    async with served(answer) as url:
        with pytest.raises((ValueError, TimeoutError)):
            await fetch_keys(url)
        async with asyncio.timeout(180):
            with pytest.raises(KeysAway):
                await IdentityKeys(url).key(NAME, NAME)
