"""What takes long is done beside the event loop, and what is short in it: told by the threads that did it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

import pytest
from graphql import get_introspection_query

from escrow.agreement import advice
from escrow.aside import Aside
from escrow.store import stream, write
from schema.engine import execution, parsing
from schema.types.standing import Outlook
from tests.api.client import People

LONG = 60
"""Milestones of a plan that is long; a legal one has up to 200."""


class Threads:
    """By what threads watched functions were called: `aside` or the event loop's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: Counter[str] = Counter()
        self._patch = monkeypatch
        self._loop = threading.get_ident()

    def watch(self, owner: Any, name: str) -> None:
        whole: Callable[..., Any] = getattr(owner, name)

        def watched(*given: Any, **named: Any) -> Any:
            self.seen["loop" if threading.get_ident() == self._loop else "aside"] += 1
            return whole(*given, **named)

        self._patch.setattr(owner, name, watched)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    return Threads(monkeypatch)


def _drafts(count: int) -> list[dict[str, Any]]:
    return [
        {
            "title": f"Step {number}",
            "purpose": "So that it is done",
            "deliverables": ["One"],
            "dueOn": "2100-01-01",
            "amount": {"amount": "10.00", "currency": "USD"},
        }
        for number in range(count)
    ]


def _offer(people: People, count: int) -> dict[str, Any]:
    parties = {"clientId": people.client.account_id, "freelancerId": people.freelancer.account_id}
    return parties | {"title": "A plan", "currency": "USD", "milestones": _drafts(count)}


@pytest.mark.parametrize(("milestones", "where"), [(3, "loop"), (LONG, "aside")])
class TestPlans:
    """Plans are handled where they hold nobody up."""

    async def test_reviewing(self, people: People, threads: Threads, milestones: int, where: str) -> None:
        threads.watch(advice, "review")
        query = "query ($p: [MilestoneDraftInput!]!) { reviewPlan(plan: $p) { message } }"
        await people.client.ask(query, {"p": _drafts(milestones)})
        assert threads.seen == {where: 1}

    async def test_foreseeing(self, people: People, threads: Threads, milestones: int, where: str) -> None:
        threads.watch(stream, "step")
        query = "query ($o: ProposeContractInput!) { preview(command: {proposeContract: $o}) { __typename } }"
        await people.client.ask(query, {"o": _offer(people, milestones)})
        assert threads.seen == {where: 1}

    async def test_proposing(self, people: People, threads: Threads, milestones: int, where: str) -> None:
        threads.watch(stream, "step")
        threads.watch(write, "_rows")
        await people.client.done("proposeContract", _offer(people, milestones), "contract { id }")
        assert threads.seen == {where: 2}

    @pytest.mark.usefixtures("compiling")
    async def test_what_is_allowed(self, people: People, threads: Threads, milestones: int, where: str) -> None:
        made = await people.client.done("proposeContract", _offer(people, milestones), "contract { id }")
        threads.watch(Outlook, "allowed_on")
        query = "query ($id: ID!) { contract(id: $id) { milestones { id allowedActions { action allowed } } } }"
        for _ in range(3):  # by graphql-core first, until it is compiled
            threads.seen.clear()
            await people.client.ask(query, {"id": made["contract"]["id"]})
        assert threads.seen == {where: milestones}


async def test_an_accounts_long_work_is_done_in_its_turn(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: list[object] = []
    whole = Aside.run

    async def run(there: Aside, work: Callable[[], Any], *, owner: Hashable) -> Any:
        owners.append(owner)
        return await whole(there, work, owner=owner)

    monkeypatch.setattr(Aside, "run", run)
    await people.client.ask(
        "query ($p: [MilestoneDraftInput!]!) { reviewPlan(plan: $p) { message } }", {"p": _drafts(LONG)}
    )
    assert owners == [people.client.account_id]
    made = await people.client.done("proposeContract", _offer(people, LONG), "contract { id }")
    assert len(owners) >= 3  # decided, sealed, made rows of
    query = "query ($id: ID!) { contract(id: $id) { milestones { id allowedActions { action } } } }"
    await people.client.ask(query, {"id": made["contract"]["id"]})
    assert {*owners} == {people.client.account_id}


async def test_long_documents_are_read_aside_and_short_ones_at_once(people: People, threads: Threads) -> None:
    threads.watch(parsing, "validate")
    await people.client.ask("{ viewer { role } }")
    assert threads.seen == {"loop": 1}
    await people.client.ask("{ viewer { role } } # " + "and a long remark " * 200)
    assert threads.seen == {"loop": 1, "aside": 1}


async def test_the_schema_is_told_aside(people: People, threads: Threads) -> None:
    threads.watch(execution, "execute")
    await people.client.ask(get_introspection_query())
    assert threads.seen == {"aside": 1}
