"""Rounds on sides in memory that misbehave: nothing is deleted, overwritten or written again because of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from connectors import footer, rounds
from connectors.port import ListingIncomplete, ToolError, ToolRefused
from connectors.sides import Card, DoneLeave, Field, PlanLeave, Theirs, Treaty, Values
from tests.connectors.pretending import Board, Clock, Died, Door, Earnest, Fate, Notebook, at_once

EDITS = Treaty(plan=PlanLeave.EDIT, new_amount="10", removes=True)
ASKS = replace(EDITS, plan=PlanLeave.ASK)
SAID = {Field.TITLE: "Draft", Field.PURPOSE: "Ten pages", Field.DUE_ON: "2031-01-01"}


class Deaf(Board):
    """A tool that leaves an item's title as it is, whatever it is told."""

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        self.writes += 1
        before = self.items[external_id]
        self.items[external_id] = replace(before, mark=card.mark, facts=card.facts, is_done=card.is_done)
        return self.items[external_id]


class Named(Board):
    """A tool whose items are known by their titles, so that no two can have the same."""

    def __init__(self, clock: Clock, fate: Fate) -> None:
        super().__init__(clock, fate, names=True)
        self.fate = fate


class Barred(Door):
    """An Earnest that takes no edits now, for no fault of what they say."""

    is_barred = False

    async def edit(self, milestone_id: str, values: Values, *, version: int) -> int:
        if self.is_barred:
            raise ToolRefused("PERMISSION: not now")
        return await super().edit(milestone_id, values, version=version)


@dataclass
class Coupled:
    """Two milestones that a tool shows."""

    treaty: Treaty
    kind: type[Board] = Board
    door_kind: type[Door] = Door
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.earnest = Earnest(self.clock)
        self.door: Any = self.door_kind(self.earnest, "tool", Fate())
        self.board: Any = self.kind(self.clock, Fate())
        self.notes = Notebook(Fate())
        self.first = self.earnest.put(SAID, 10)
        self.earnest.put({**SAID, Field.TITLE: "Second"}, 10)
        self.play()

    def play(self) -> rounds.Tally:
        """Rounds until it is quiet."""
        for _ in range(9):
            tally = at_once(rounds.play(self.door, self.board, self.notes, self.treaty))
            if tally.is_settled:
                return tally
        raise AssertionError("it never becomes quiet")

    def item(self, milestone_id: str | None = None) -> str:
        """The item of the first milestone, or of another."""
        return self.notes.noted[milestone_id or self.first].external_id


@pytest.mark.parametrize("treaty", [EDITS, ASKS, Treaty()])
def test_what_a_listing_leaves_out_though_it_is_there_is_not_deleted_and_not_made_again(treaty: Treaty) -> None:
    one = Coupled(treaty)
    one.board.hidden = one.item()
    with pytest.raises(ListingIncomplete, match="leaves out 0001"):
        one.play()
    one.notes.noted.clear()  # by the name that Earnest keeps it is known all the same
    with pytest.raises(ListingIncomplete):
        one.play()
    assert one.earnest.milestones[one.first].state == "PLANNED"
    assert not one.earnest.requests
    assert len(one.board.items) == 2


def test_what_is_not_found_either_was_deleted() -> None:
    one = Coupled(EDITS)
    one.board.delete(one.item())
    one.play()
    assert one.earnest.milestones[one.first].state == "CANCELLED"


def test_a_write_that_changes_nothing_is_not_repeated_until_a_side_says_something_else() -> None:
    one = Coupled(Treaty(), Deaf)
    made = one.board.writes
    for expected in (1, 2):
        one.earnest.change(one.first, {Field.TITLE: f"New {expected}"})
        for _ in range(3):
            one.play()
        assert one.board.writes - made == expected
    one.board.change(one.item(), {Field.TITLE: "Theirs"})
    one.play()
    assert one.board.writes - made == 3


def test_an_edit_that_earnest_refused_for_the_time_being_is_not_overwritten_in_the_tool() -> None:
    one = Coupled(EDITS, door_kind=Barred)
    one.door.is_barred = True
    one.board.change(one.item(), {Field.TITLE: "Theirs"}, facts="forged")
    for _ in range(3):
        assert one.play().problem == "PERMISSION: not now"
    assert one.board.items[one.item()].values[Field.TITLE] == "Theirs"
    one.door.is_barred = False
    one.play()
    assert one.earnest.milestones[one.first].values[Field.TITLE] == "Theirs"
    assert one.board.items[one.item()].facts == "10 PLANNED"


def test_what_is_said_of_an_item_that_was_made_again_is_heard() -> None:
    one = Coupled(replace(ASKS, done=DoneLeave.SUBMIT))
    one.earnest.move(one.first, "ACTIVE")
    for expected in (1, 2, 3):
        one.board.change(one.item(), {}, is_done=True)
        one.play()
        assert one.earnest.told[one.first] == expected
        one.board.delete(one.item())
        one.play()


def test_the_same_change_is_asked_for_again_of_an_item_that_was_made_again() -> None:
    one = Coupled(replace(ASKS, removes=False))
    for expected in (1, 2):
        one.board.change(one.item(), {Field.TITLE: "Theirs"})
        one.play()
        (request,) = one.earnest.open
        one.earnest.decide(request, accepts=False)
        assert len(one.earnest.requests) == expected
        one.play()
        one.board.delete(one.item())
        one.play()


@pytest.mark.parametrize("price", ["30", "much"])
@pytest.mark.parametrize("kind", ["before", "after"])
def test_what_was_asked_for_before_its_price_changed_and_an_answer_came_is_not_asked_for_twice(
    price: str, kind: str
) -> None:
    one = Coupled(ASKS)
    one.notes._fate = fate = Fate(kind=kind)
    made = one.board.put({**SAID, Field.TITLE: "Third"}, amount="20")
    fate.after = (
        1 if kind == "before" else 0
    )  # noted what is asked for, and dead with its answer or before it is asked for
    with pytest.raises(Died):
        one.play()
    one.board.change(made, {}, price=footer.price(price))
    one.play()
    ((request_id, (_, milestone_id, _, amount)),) = one.earnest.requests.items()
    assert amount == 20
    assert one.notes.noted[milestone_id].request_id == request_id


@pytest.mark.parametrize("treaty", [EDITS, ASKS])
@pytest.mark.parametrize("ending", ["released", "taken out"])
def test_an_item_under_the_name_of_one_that_is_gone_is_another(treaty: Treaty, ending: str) -> None:
    one = Coupled(treaty, kind=Named)
    if ending == "released":
        one.earnest.move(one.first, "RELEASED")
        one.play()
    one.board.delete("Draft")
    one.play()
    for request_id in sorted(one.earnest.open):  # that it be taken out
        one.earnest.decide(request_id, accepts=True)
    one.play()
    asked = len(one.earnest.requests)
    one.board.put(SAID, amount="20")
    one.play()
    if treaty is ASKS:
        assert len(one.earnest.requests) == asked + 1
        one.earnest.decide(min(one.earnest.open), accepts=True)
        one.play()
    first, _, new = one.earnest.milestones.values()
    assert (new.values[Field.TITLE], new.amount, new.names) == ("Draft", 20, {"tool": "Draft"})
    assert one.board.items["Draft"].mark == new.id
    assert (one.notes.noted[first.id].external_id, first.names) == ("", {})


@pytest.mark.parametrize("second", ["20", "30"])
def test_an_item_under_the_name_of_one_that_was_declined_and_is_gone_is_asked_for(second: str) -> None:
    one = Coupled(ASKS, kind=Named)
    for amount in ("20", second):
        one.board.put({**SAID, Field.TITLE: "Third"}, amount=amount)
        one.play()
        one.earnest.decide(min(one.earnest.open), accepts=False)
        for _ in range(2):
            one.play()
        assert not one.earnest.open, "and not again while it is there"
        one.board.hidden = "Third"
        with pytest.raises(ListingIncomplete):
            one.play()
        one.board.hidden = None
        one.board.delete("Third")
        one.play()
    assert [amount for _, _, _, amount in one.earnest.requests.values()] == [20, int(second)]


def test_what_is_said_has_one_name_in_whatever_order_it_is_kept() -> None:
    assert rounds._digest(SAID) == rounds._digest(dict(reversed(SAID.items())))
    assert rounds._digest(SAID) != rounds._digest({**SAID, Field.TITLE: "Another"})


@pytest.mark.parametrize("treaty", [EDITS, ASKS, Treaty()])
@pytest.mark.parametrize("around", [2, 3])
@pytest.mark.parametrize("kind", ["before", "after", "lost"])
@pytest.mark.parametrize("after", [None, *range(7)])
def test_titles_that_change_places_do_so_where_no_two_items_may_have_one(
    treaty: Treaty, around: int, kind: str, after: int | None
) -> None:
    one = Coupled(treaty, kind=Named)
    one.earnest.put({**SAID, Field.TITLE: "Third"}, 10)
    one.play()
    milestones = list(one.earnest.milestones)[:around]
    titles = [one.earnest.milestones[each].values[Field.TITLE] for each in milestones]
    wanted = [*titles[1:], titles[0]]
    for milestone_id, title in zip(milestones, wanted, strict=True):
        one.earnest.change(milestone_id, {Field.TITLE: title})
    one.board.fate.after, one.board.fate.kind = after, kind
    for _ in range(2):
        with suppress(Died, ToolError):
            one.play()
    assert one.play().problem is None
    assert [one.earnest.milestones[each].values[Field.TITLE] for each in milestones] == wanted
    assert [one.board.items[one.item(each)].values[Field.TITLE] for each in milestones] == wanted
    assert [one.board.items[one.item(each)].mark for each in milestones] == milestones
    assert len(one.board.items) == len(one.earnest.milestones) == 3
    assert not one.earnest.requests
