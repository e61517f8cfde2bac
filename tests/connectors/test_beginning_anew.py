"""Earnest is restored to an earlier moment, or is another one: both sides are compared anew, and nothing is made up."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from connectors import couplings, rounds
from connectors.sides import DoneLeave, Field, PlanLeave, Treaty, Values
from escrow import cuts
from escrow.cursors import print_cursor
from escrow.database import execute, fetch_value
from tests.api.live.serving import settled
from tests.connectors.coupled import Couple, title
from tests.connectors.pretending import Board, Clock, Door, Earnest, Fate, Notebook, at_once

EDITS = Treaty(plan=PlanLeave.EDIT, new_amount="10", removes=True, done=DoneLeave.SUBMIT)
ASKS = replace(EDITS, plan=PlanLeave.ASK)
TREATIES = pytest.mark.parametrize(
    "treaty", [EDITS, ASKS, Treaty(done=DoneLeave.SUBMIT)], ids=["edits", "asks", "nothing"]
)
NOTES_GO_BACK = pytest.mark.parametrize("notes_go_back", [False, True], ids=["notes stay", "notes go back"])


class Restored:
    """A contract and a tool that agreed, and what Earnest was at that moment: later it is so again."""

    def __init__(self, treaty: Treaty) -> None:
        self.treaty = treaty
        self.board = Board(Clock(), Fate())
        self.notes = Notebook(Fate())
        self.earnest = Earnest(self.board._clock)
        self.first, self.second = self.put("First"), self.put("Second")
        self.play()
        self._kept = copy.deepcopy(
            (self.earnest.milestones, self.earnest.requests, self.earnest.open, self.earnest.once)
        )
        self._noted = copy.deepcopy(self.notes.noted)

    @staticmethod
    def values(name: str) -> Values:
        return {Field.TITLE: name, Field.PURPOSE: "Pages", Field.DUE_ON: "2031-01-01"}

    def put(self, name: str) -> str:
        return self.earnest.put(self.values(name), 100)

    def restore(self, *, notes_go_back: bool) -> None:
        """The notes go with Earnest if they are in the same database, and the cursor too; else its log is found to be cut."""
        one = self.earnest
        one.milestones, one.requests, one.open, one.once = copy.deepcopy(self._kept)
        one.told.clear()
        one.writes = 0
        if notes_go_back:
            self.notes.noted = copy.deepcopy(self._noted)
            return
        for _ in range(2):  # cut off, and begun once more
            at_once(rounds.begin_anew(self.door, self.notes))

    @property
    def door(self) -> Door:
        return Door(self.earnest, "tool", Fate())

    def play(self) -> rounds.Tally:
        for _ in range(9):
            tally = at_once(rounds.play(self.door, self.board, self.notes, self.treaty))
            if tally.is_settled:
                return tally
        raise AssertionError("it never becomes quiet")

    def title_of(self, milestone_id: str) -> tuple[str, list[str]]:
        """In Earnest, and in the tool."""
        there = [item.values[Field.TITLE] for item in self.board.items.values() if item.mark == milestone_id]
        return self.earnest.milestones[milestone_id].values[Field.TITLE], there


@TREATIES
@NOTES_GO_BACK
def test_where_nothing_was_lost_nothing_is_written(treaty: Treaty, notes_go_back: bool) -> None:
    one = Restored(treaty)
    before = one.board.writes
    one.restore(notes_go_back=notes_go_back)
    one.play()
    assert (one.board.writes, one.earnest.writes, one.earnest.requests) == (before, 0, {})


@TREATIES
@NOTES_GO_BACK
def test_an_item_of_a_milestone_that_was_lost_is_left_alone(treaty: Treaty, notes_go_back: bool) -> None:
    one = Restored(treaty)
    lost = one.put("Lost")
    one.play()
    one.restore(notes_go_back=notes_go_back)
    one.play()
    assert sorted(one.earnest.milestones) == [one.first, one.second]
    assert one.earnest.requests == {}
    assert sum(item.mark == lost for item in one.board.items.values()) == 1
    (item,) = [item for item in one.board.items.values() if item.mark == lost]
    one.board.change(item.id, {}, mark=None)
    one.notes.noted.pop(lost, None)
    one.play()
    assert (len(one.earnest.milestones) == 3, len(one.earnest.requests) == 1) == {
        PlanLeave.EDIT: (True, False), PlanLeave.ASK: (False, True), PlanLeave.NONE: (False, False)
    }[treaty.plan], "without our line it is somebody's wish"  # fmt: skip


@TREATIES
@NOTES_GO_BACK
def test_a_title_that_was_lost_comes_back_from_the_tool_by_its_leave_and_else_goes_there(
    treaty: Treaty, notes_go_back: bool
) -> None:
    one = Restored(treaty)
    one.earnest.change(one.first, title("Anew"))
    one.play()
    one.restore(notes_go_back=notes_go_back)
    one.play()
    if treaty.plan is PlanLeave.ASK:
        assert [values for _, _, values, _ in one.earnest.requests.values()] == [title("Anew")]
        one.earnest.decide(min(one.earnest.open), accepts=True)
        one.play()
    expected = "First" if treaty.plan is PlanLeave.NONE else "Anew"
    assert one.title_of(one.first) == (expected, [expected])
    assert len(one.earnest.requests) <= 1
    assert one.earnest.writes <= 1


@TREATIES
@NOTES_GO_BACK
def test_what_we_closed_is_no_hint_that_somebody_is_done(treaty: Treaty, notes_go_back: bool) -> None:
    one = Restored(treaty)
    one.earnest.move(one.first, "ACTIVE")
    one._kept[0][one.first].state = "ACTIVE"
    one.earnest.move(one.first, "RELEASED")
    one.play()
    one.restore(notes_go_back=notes_go_back)
    one.play()
    assert one.earnest.told.total() == 0
    (item,) = [item for item in one.board.items.values() if item.mark == one.first]
    assert item.facts == "100 ACTIVE"
    one.board.change(item.id, {}, is_done=False)
    one.play()
    one.board.change(item.id, {}, is_done=True)
    one.play()
    assert one.earnest.told.total() == 1, "and whoever says so is heard"


def test_a_request_that_was_lost_is_filed_again_and_one_that_is_there_is_not() -> None:
    for is_there in (False, True):
        one = Restored(ASKS)
        first = next(item.id for item in one.board.items.values() if item.mark == one.first)
        one.board.change(first, title("Theirs"))
        one.board.put(one.values("New"))
        one.play()
        assert len(one.earnest.open) == 2
        if is_there:
            now = (one.earnest.milestones, one.earnest.requests, one.earnest.open, one.earnest.once)
            one._kept = copy.deepcopy(now)
        one.restore(notes_go_back=False)
        one.play()
        assert sorted(kind for kind, *_ in one.earnest.requests.values()) == ["add", "edit"]
        assert one.board.items[first].values[Field.TITLE] == "Theirs"


async def test_a_cursor_of_another_log_is_said_and_both_sides_are_compared_anew(couple: Couple) -> None:
    treaty = Treaty(plan=PlanLeave.EDIT, new_amount="50.00")
    one = await couple(treaty=treaty)
    await one.visit()
    await one.visit()
    first, second, _ = await couple.plan()
    written = one.board.writes
    cut = await cuts.notice(declared=True)
    assert cut is not None
    beyond = 2**53 - 2
    for cursor in (cut.kept_position + 1, beyond):
        await execute(
            "UPDATE couplings SET cursor = $1, began_anew_at = NULL, read_at = clock_timestamp()", print_cursor(cursor)
        )
        await one.visit()
        row = await one.row()
        assert (row["problem"], row["failures"]) == (None, 0), row["problem"]
        assert row["began_anew_at"] is not None
        assert row["cursor"] != print_cursor(cursor)
        assert "compared anew at" in ((await couplings.everything())[0].problem or "")
        assert one.board.writes == written, "nothing is made up"
    assert await fetch_value("SELECT count(*) FROM milestones") == 3
    one.board.change(one.board.of(first["id"]).id, title("Theirs"))
    await one.ring()
    await couple.client.done("editMilestone", {"milestoneId": second["id"], "title": "Ours"}, "milestone { id }")
    await settled()
    await one.visit()
    assert [milestone["title"] for milestone in await couple.plan()][:2] == ["Theirs", "Ours"]
    assert one.board.of(second["id"]).values[Field.TITLE] == "Ours", "the feed is heard again"
    assert len(one.board.items) == 3
