"""`earnest trigger`: every event that a contract can have is made through real processes, or it is said why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from earnest import triggers
from earnest.api_client import Api, ApiError
from earnest.demo.people import People, make_people
from earnest.demo.timeline import Event
from earnest.run.refusing import CannotStart
from earnest.triggers import WAYS, WITHOUT_A_WAY, Scene, way_to
from escrow.audit import audit
from tests.earnest.demo.test_demo import operator_key, web
from tests.workers.process import worker
from webhooks.events.catalogue import event_types

OF_ACCOUNTS = {"account", "member", "key", "endpoint", "fees", "payee", "session"}
POINTS = 100_000
AT_ONCE = 8
"""Contracts on their way at the same time; more would only wait for each other."""


@pytest.fixture
async def people(database: str, redis_url: str, tmp_path: Path) -> AsyncIterator[People]:
    """The demo's people on a deployment with a worker, whose slow payments are as slow as an operator's."""
    async with (
        web(database, redis_url, tmp_path / "web.log") as url,
        worker(database, redis_url, tmp_path / "worker.log", provider={}),
    ):
        found = await make_people(url, await operator_key())
        operator = Api(url, found.operator.key)
        for person in (found.client, found.freelancer):  # who do here in seconds what takes a month
            await operator.do("setRate", "account { id }", accountId=person.account, pointsPerSecond=POINTS)
        yield found


def test_every_event_of_a_contract_has_a_way_or_a_reason() -> None:
    of_contracts = {one.name for one in event_types() if one.name.partition(".")[0] not in OF_ACCOUNTS}
    assert of_contracts == {*WAYS, *WITHOUT_A_WAY}
    assert not set(WAYS) & set(WITHOUT_A_WAY)


async def made(people: People, event: str) -> str:
    """What became of an event: nothing, or what was wrong."""
    seen: list[str] = []

    def show(one: Event) -> None:
        seen.append(one["type"])

    apis: dict[str, Any] = people.apis()
    scene = Scene(**apis, say=lambda _: None, show=show)
    try:
        await WAYS[event].go(scene, people.client.account, people.freelancer.account, event)
    except ApiError as error:
        return f"{event}: {error}"
    return "" if event in seen else f"{event}: not among {seen}"


async def test_every_way_leads_to_its_event(people: People, tmp_path: Path) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(event: str) -> str:
        async with turns:
            return await made(people, event)

    by_themselves = [event for event, way in WAYS.items() if not way.moves_clock]
    failed = [said for said in await asyncio.gather(*map(one, by_themselves)) if said]
    failed += [said for said in [await one(event) for event, way in WAYS.items() if way.moves_clock] if said]
    assert "\n".join(failed) == "", (tmp_path / "worker.log").read_text()[-20_000:]
    assert [difference async for difference in audit()] == []


async def test_a_slow_payment_that_was_taken_back_too_early_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "UNDER_WAY_SECONDS", (0.0, 0.0, 0.0))
    done: list[str] = []
    came = iter((False, True))

    async def comes(*_: object, **__: object) -> bool:
        return next(came)

    async def do(mutation: str, *_: object, **__: object) -> None:
        done.append(mutation)

    async def milestone(_: int) -> str:
        return "mls_1"

    scene: Any = SimpleNamespace(
        milestone=milestone, timeline=SimpleNamespace(comes=comes), party=lambda _: SimpleNamespace(do=do)
    )
    await WAYS["deposit.returned"].steps[-1].does(scene)
    assert done == ["fundMilestone", "cancelFunding"] * 2


def test_what_cannot_be_triggered_is_refused_with_the_reason() -> None:
    with pytest.raises(CannotStart, match="EARNEST_SANDBOX_HOLD_DAYS"):
        way_to("deposit.hold_ending")


def test_a_wrong_name_is_answered_with_those_that_are_near() -> None:
    with pytest.raises(CannotStart, match=r"milestone\.released"):
        way_to("milestone.release")
