"""A coupled proposal is answered by another plan: its items go over to the new milestones, and what is left is closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

from connectors import merging, pairing
from connectors.port import ToolError
from connectors.sides import Card, Field, OurSide, Theirs, TheirSide, Treaty
from connectors.writes import Write
from escrow import ids
from escrow.database import fetch_value
from escrow.ids import Kind
from tests.api.live.serving import Served, settled
from tests.connectors.coupled import Couple, Coupled
from tests.connectors.test_files import home
from tests.connectors.test_merging import PAIR, ours, theirs
from tests.factories import Deal

NAMES = pytest.mark.parametrize("names", [False, True], ids=["numbers", "names"])


@pytest_asyncio.fixture(loop_scope="session")
async def deal(served: Served) -> Deal:
    """A proposal of three milestones, which it is the freelancer's turn to answer."""
    return await served.people.deployment.propose("100.00", "200.00", "300.00")


async def revise(couple: Couple, *titles: str, by: str = "freelancer") -> list[dict[str, Any]]:
    """Answer with milestones of these titles; the new plan."""
    amount = {"amount": "50.00", "currency": "USD"}
    plan = [
        {"title": title, "purpose": "Anew", "amount": amount, "dueOn": "2031-01-01", "deliverables": []}
        for title in titles
    ]
    given = {"contractId": couple.deal.id, "milestones": plan}
    await getattr(couple, by).done("reviseContract", given, "contract { id }")
    await settled()
    return await couple.plan()


def open_items(one: Coupled) -> dict[str | None, Theirs]:
    """By the milestones that they say they are."""
    items = [item for item in one.board.items.values() if not item.is_done]
    assert len({item.mark for item in items}) == len(items), "no milestone has two"
    return {item.mark: item for item in items}


@NAMES
async def test_each_milestone_of_another_plan_has_one_open_item_and_the_rest_are_closed(
    couple: Couple, names: bool
) -> None:
    one = await couple(names=names)
    await one.visit()
    kept, changed, dropped = [one.board.of(milestone["id"]).id for milestone in await couple.plan()]
    plan = await revise(
        couple,
        "Milestone 1",
        "Another",
    )
    for _ in range(2):
        await one.ring()
        assert (await one.row())["problem"] is None
    found = open_items(one)
    assert [found[milestone["id"]].values[Field.TITLE] for milestone in plan] == ["Milestone 1", "Another"]
    assert [found[milestone["id"]].facts for milestone in plan] == ["50.00 USD, PLANNED"] * 2
    assert [found[milestone["id"]].id for milestone in plan] == [kept, "Another" if names else changed]
    called = [milestone["externalReferences"][0]["externalId"] for milestone in await couple.plan()]
    assert called == [found[milestone["id"]].id for milestone in plan]
    assert len(found) == 2
    assert len(one.board.items) == 3
    assert one.board.items[dropped].is_done
    assert one.board.items[dropped].facts == "300.00 USD, CANCELLED"
    assert await fetch_value("SELECT count(*) FROM updates") == 0


@NAMES
async def test_what_was_dropped_and_is_offered_again_has_its_item_again(couple: Couple, names: bool) -> None:
    one = await couple(names=names)
    await one.visit()
    for titles, by in (
        (["Milestone 1"], "freelancer"),
        (["Milestone 3", "Milestone 1", "New"], "client"),
        (["New"], "freelancer"),
        (["Milestone 3"], "client"),
    ):
        plan = await revise(couple, *titles, by=by)
        for _ in range(2):
            await one.ring()
            assert (await one.row())["problem"] is None
        found = open_items(one)
        assert [found[milestone["id"]].values[Field.TITLE] for milestone in plan] == titles
        assert len(found) == len(titles)
    written = one.board.writes
    await one.ring()
    assert one.board.writes == written, "it is quiet"


@NAMES
async def test_a_handing_over_that_is_cut_off_is_brought_to_its_end(
    couple: Couple, names: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await couple(names=names)
    await one.visit()
    plan = await revise(couple, "Milestone 1", "Another")
    written = one.board.writes
    write = one.board.write

    async def unheard(external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        await write(external_id, card, changed)
        raise ToolError("nobody heard the answer")

    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(one.board, "write", unheard)
            await one.ring()
    await one.ring()
    found = open_items(one)
    assert [found[milestone["id"]].values[Field.TITLE] for milestone in plan] == ["Milestone 1", "Another"]
    assert len(found) == 2
    assert len(one.board.items) == 3
    assert one.board.writes == written + 3


async def test_of_any_number_that_were_noted_those_of_earlier_plans_come(couple: Couple) -> None:
    former = [milestone["id"] for milestone in await couple.plan()]
    plan = await revise(couple, "Another")
    here = home(couple)
    side = await here.read([*(ids.new(Kind.MILESTONE) for _ in range(250)), *former, plan[0]["id"]])
    await here.close()
    assert sorted(side.former) == sorted(former)
    assert {(one.is_over, one.is_dropped, one.is_open) for one in side.former.values()} == {(True, True, False)}
    assert list(side.items) == [plan[0]["id"]]


def test_after_a_restore_what_is_of_an_earlier_plan_is_still_looked_after() -> None:
    former = ours(is_over=True, is_dropped=True)
    side = OurSide(items={}, version=1, today=date(2030, 1, 1), former={former.id: former})
    assert pairing.anew(PAIR, side) == replace(PAIR, agreed={})
    assert pairing.anew(PAIR, replace(side, former={})) == replace(PAIR, is_gone=True)


@pytest.mark.parametrize("awaited", ["mil_1", "mil_2"])
def test_an_item_that_is_not_seen_as_it_is_now_is_not_handed_over_yet(awaited: str) -> None:
    former, heir = ours(is_over=True, is_dropped=True), replace(ours(), id="mil_2", external_id=None)
    here = OurSide(items={heir.id: heir}, version=1, today=date(2030, 1, 1), former={former.id: former})
    there = TheirSide(items={"1": theirs(), "2": theirs(id="2", mark=None)})
    (write,) = merging.plan(here, there, [PAIR], Treaty()).steps[1:]
    assert isinstance(write, Write)
    assert (write.pair.milestone_id, write.pair.external_id, write.card.mark) == ("mil_2", "1", "mil_2")
    assert merging.plan(here, there, [PAIR], Treaty(), awaited=frozenset({awaited})).steps == ()
