"""Credentials that named nobody: counted by client and reason, and a flood of them is some lines."""

from __future__ import annotations

import pytest

from escrow import database, refused_credentials
from escrow.refused_credentials import CLIENTS_MAX, LINES_MAX, Refusals
from tests.written import written

pytestmark = pytest.mark.usefixtures("database")


async def test_each_client_and_reason_is_a_line_with_its_count() -> None:
    refusals = Refusals()
    for client, reason in (("192.0.2.1", "no such key"),) * 3 + (("192.0.2.2", "no such session"),):
        refusals.note(client, reason)
    await refusals.write()
    await refusals.write()  # nothing has come since
    found = [(one.client, one.reason, one.times) for one in await refused_credentials.latest(10)]
    assert sorted(found) == [("192.0.2.1", "no such key", 3), ("192.0.2.2", "no such session", 1)]


async def test_a_flood_is_as_many_lines_as_ever_and_every_one_of_it_is_counted() -> None:
    refusals = Refusals()
    guesses = 0
    for number in range(3 * CLIENTS_MAX):
        for _ in range(1 + (number == 7)):
            refusals.note(f"192.0.{number // 256}.{number % 256}", "no such key")
            guesses += 1
    with written() as log:
        await refusals.write()
    found = await refused_credentials.latest(1000)
    assert len(found) == LINES_MAX + 1
    assert sum(one.times for one in found) == guesses
    assert {one.times for one in found if one.client == "192.0.0.7"} == {2}, "those that came most often are named"
    assert [one.client for one in found].count(None) == 1
    assert [entry["event"] for entry in log.entries] == ["credentials refused"], "and one line of the log"


async def test_what_cant_be_written_is_written_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> str:
        raise ConnectionRefusedError("nobody there")

    refusals = Refusals()
    refusals.note("192.0.2.1", "no such key")
    with monkeypatch.context() as patched:
        patched.setattr(database, "execute", away)
        await refusals.write()
    assert await refused_credentials.latest(10) == []
    refusals.note("192.0.2.1", "no such key")
    await refusals.write()
    assert [one.times for one in await refused_credentials.latest(10)] == [2]


async def test_stopping_writes_what_is_left() -> None:
    refusals = Refusals()
    refusals.start()
    refusals.note("192.0.2.1", "no such key")
    await refusals.stop()
    assert [one.times for one in await refused_credentials.latest(10)] == [1]
