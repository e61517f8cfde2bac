"""A tool whose listing lags, and which keeps texts its own way: nothing is made twice, taken for deleted or for a wish."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from connectors import rounds, unseen
from connectors.port import NotDone, ToolError, Writing
from connectors.sides import Card, DoneLeave, Field, PlanLeave, Theirs, TheirSide, Treaty, Values
from connectors.tools import numbers
from tests.connectors.pretending import Board, Clock, Died, Door, Earnest, Fate, Notebook, at_once

EDITS = Treaty(plan=PlanLeave.EDIT, new_amount="10", removes=True, done=DoneLeave.SUBMIT)
ASKS = replace(EDITS, plan=PlanLeave.ASK)
TREATIES = pytest.mark.parametrize("treaty", [EDITS, ASKS, Treaty()], ids=["edits", "asks", "nothing"])
CUTS = [None, *((kind, after) for kind in ("before", "after", "lost") for after in range(9))]


class Lagging(Board):
    """Its listing is as of when somebody last let it catch up; with `is_blind` each item by itself is, too."""

    unseen_seconds = 60.0

    def __init__(self, clock: Clock, fate: Fate, *, alters: bool = False) -> None:
        super().__init__(clock, fate)
        self.is_blind = False
        self.busy_with = ""
        """What it does none of now."""
        self._alters = alters
        self._listed: dict[str, Theirs] = {}

    def catch_up(self) -> None:
        self._listed = dict(self.items)

    async def read(self) -> TheirSide:
        return TheirSide(items=dict(self._listed))

    async def look(self, external_id: str) -> Theirs | None:
        return (self._listed if self.is_blind else self.items).get(external_id)

    async def seek(self, mark: str, listed: TheirSide) -> Theirs | None:
        there = (self._listed if self.is_blind else self.items).values()
        return next((item for item in there if item.mark == mark), None)

    async def create(self, card: Card) -> Theirs:
        if self.busy_with == "create":
            raise NotDone("too many requests")
        return await super().create(card)

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        if self.busy_with == "write":
            raise NotDone("too many requests")
        return await super().write(external_id, card, changed)

    def _kept(self, values: Values) -> dict[Field, str]:
        kept = super()._kept(values)
        if self._alters and Field.TITLE in kept:
            kept[Field.TITLE] = kept[Field.TITLE].upper()
        return kept


class Coupled:
    """A milestone that the tool shows, one that was edited since, and one that was added."""

    def __init__(self, treaty: Treaty, *, alters: bool = False) -> None:
        self.treaty = treaty
        self.fate = Fate()
        self.earnest = Earnest(Clock())
        self.door = Door(self.earnest, "tool", self.fate)
        self.board = Lagging(self.earnest.clock, self.fate, alters=alters)
        self.notes = Notebook(self.fate)
        self.first, self.second = self.put("First"), self.put("Second")
        self.play(catches_up=True)
        self.earnest.change(self.second, {Field.TITLE: "Second anew"})
        self.third = self.put("Third")

    def put(self, title: str) -> str:
        return self.earnest.put({Field.TITLE: title, Field.PURPOSE: "Pages", Field.DUE_ON: "2031-01-01"}, 10)

    def play(self, *, catches_up: bool = False) -> rounds.Tally:
        """Rounds until nothing is written any more; more than a few would be too many."""
        for _ in range(9):
            if catches_up:
                self.board.catch_up()
            tally = at_once(rounds.play(self.door, self.board, self.notes, self.treaty))
            if not tally.writes and (tally.is_settled or not catches_up):
                return tally
        raise AssertionError("it never becomes quiet")

    def cut_off(self, cut: tuple[str, int] | None) -> None:
        """A round that ends at one of its calls."""
        if cut is not None:
            self.fate.kind, self.fate.after = cut
            with suppress(Died, ToolError):
                self.play()
            self.fate.after = None

    def judge(self, cut: object = None) -> None:
        """Each milestone has one item, which says what it says; and nobody heard of a wish that nobody had."""
        assert sorted(item.mark or "" for item in self.board.items.values()) == sorted(self.earnest.milestones), cut
        for item in self.board.items.values():
            said = self.earnest.milestones[item.mark or ""].values
            assert item.values[Field.TITLE].casefold() == said[Field.TITLE].casefold(), cut
        titles = [one.values[Field.TITLE] for one in self.earnest.milestones.values()]
        assert titles == ["First", "Second anew", "Third"], cut
        assert (self.earnest.writes, self.earnest.requests) == (0, {}), cut


@TREATIES
@pytest.mark.parametrize("alters", [False, True], ids=["keeps", "alters"])
@pytest.mark.parametrize("is_blind", [False, True], ids=["looks", "blind"])
def test_wherever_it_is_cut_off_a_listing_that_lags_makes_nothing_twice(
    treaty: Treaty, alters: bool, is_blind: bool
) -> None:
    for cut in CUTS:
        one = Coupled(treaty, alters=alters)
        one.board.is_blind = is_blind
        one.cut_off(cut)
        for _ in range(3):
            one.play()
            assert len(one.board.items) <= 3, cut
        if not one.play().awaited:
            one.judge(cut)
        one.board.catch_up()
        one.notes.is_late = one.play().awaited > 0
        assert one.play(catches_up=True).problem is None, cut
        one.judge(cut)


@TREATIES
def test_what_nobody_sees_is_waited_for_and_made_once_the_tool_can_have_shown_it(treaty: Treaty) -> None:
    one = Coupled(treaty)
    one.board.is_blind = True
    one.fate.kind, one.fate.after = "before", 5  # noted, and dead before the tool was asked
    with pytest.raises(Died):
        one.play()
    one.fate.after = None
    one.board.catch_up()
    tally = one.play()
    assert (tally.awaited, tally.is_settled) == (1, False)
    assert tally.problem == "1 items were written to, and the tool doesn't show it yet"
    assert len(one.board.items) == 2
    one.notes.is_late = True
    one.play(catches_up=True)
    one.judge()


@pytest.mark.parametrize("what", ["create", "write"])
def test_what_was_certainly_not_done_is_not_waited_for(what: str) -> None:
    one = Coupled(EDITS)
    one.board.busy_with = what
    with pytest.raises(NotDone):
        one.play(catches_up=True)
    one.board.busy_with = ""
    one.play(catches_up=True)
    one.judge()


def test_what_was_seen_once_and_is_gone_was_deleted() -> None:
    one = Coupled(EDITS)
    one.play(catches_up=True)
    one.board.delete(one.notes.noted[one.third].external_id)
    one.play(catches_up=True)
    assert one.earnest.milestones[one.third].state == "CANCELLED"


@pytest.mark.parametrize("said", ["FIRST", "Else"])
def test_a_persons_own_words_are_their_wish_though_a_tool_alters_texts(said: str) -> None:
    one = Coupled(ASKS, alters=True)
    one.play(catches_up=True)
    item = one.notes.noted[one.first].external_id
    one.board.change(item, {Field.TITLE: said})
    one.play(catches_up=True)
    asked = [values for _, _, values, _ in one.earnest.requests.values()]
    assert asked == ([{Field.TITLE: "ELSE"}] if said == "Else" else []), (
        "what the tool made of it itself is nobody's wish"
    )
    if asked:
        one.earnest.decide(min(one.earnest.open), accepts=False)
        for _ in range(3):
            one.play(catches_up=True)
        assert len(one.earnest.requests) == 1, "it isn't asked for again"
        assert one.board.items[item].values[Field.TITLE] == "FIRST"


def test_a_tool_that_keeps_its_own_words_is_asked_about_once() -> None:
    """Somebody declines what it says; it keeps saying so, whatever is written to it."""
    one = Coupled(ASKS)
    one.play(catches_up=True)
    item = one.notes.noted[one.first].external_id
    one.board.change(item, {Field.TITLE: "Theirs"})
    write: Any = one.board.write

    async def deaf(external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        return one.board.items[external_id] if external_id == item else await write(external_id, card, changed)

    one.board.write = deaf  # type: ignore[method-assign]
    one.play(catches_up=True)
    one.earnest.decide(min(one.earnest.open), accepts=False)
    for _ in range(5):
        one.play(catches_up=True)
    assert len(one.earnest.requests) == 1


@pytest.mark.parametrize(
    ("written", "shown", "is_alike"),
    [
        ("“Ten  pages”", '"Ten pages"', True),
        ("A long title that is cut off", "A long title that", True),
        ("Draft 🙂", "draft", True),
        ("Draft", "Final", False),
        ("Draft", "Draft and more", False),
        ("Draft", "", False),
        ("Draft of pages", "Draft", False),
    ],
)
def test_the_same_words_in_another_form_are_no_other_words(written: str, shown: str, is_alike: bool) -> None:
    assert unseen.are_alike(written, shown) is is_alike


def test_numbers_that_a_listing_may_have_left_out_are_those_around_its_last() -> None:
    assert numbers.unlisted([1, 3]) == [8, 7, 6, 5, 4, 2]
    assert numbers.unlisted([]) == [5, 4, 3, 2, 1]
    assert len(numbers.unlisted([100])) == numbers.BACK + numbers.BEYOND - 1


async def test_what_is_written_is_noted_where_the_lease_is(couple: Any) -> None:
    from connectors import couplings
    from connectors.couplings import LeaseLost, Pairs

    await couple()
    (leased,) = await couplings.lease(9)
    notes = Pairs(leased)
    made = Writing(milestone_id="mil_1", values={Field.TITLE: "A"})
    await notes.intend(made)
    assert await notes.writings(60.0) == [made]
    assert [one.is_late for one in await notes.writings(0.0)] == [True]
    await notes.intend(replace(made, external_id="7", is_answered=True))
    assert [one.external_id for one in await notes.writings(60.0)] == ["7"]
    await notes.seen(["mil_1"])
    assert await notes.writings(60.0) == []
    await couplings.pause("board")
    with pytest.raises(LeaseLost):
        await notes.intend(made)
