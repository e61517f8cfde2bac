"""Two tools and Earnest, edited at random, by rounds that are cut off anywhere: in the end all sides say the same."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connectors import rounds
from connectors.port import ToolError
from connectors.sides import DoneLeave, Field, PlanLeave, Treaty
from tests.connectors.pretending import TITLE_MAX, Board, Clock, Died, Door, Earnest, Fate, Notebook, at_once

WRITES_PER_CHANGE = 3
"""A new item: the milestone, our footer in the item, and the item in the other tool. Everything else comes to less."""

A_PRICE = "100"
NOBODYS = ""
"""What has no leave, or took the item away: what becomes of the field isn't looked at then."""
leaves = st.sampled_from(PlanLeave)


class TwoToolsAndEarnest(RuleBasedStateMachine):
    """Whoever edits does so at any time; a round of either connector runs at any time, and may end at any of its calls."""

    @initialize(leave=leaves, other=leaves, removes=st.booleans(), names=st.booleans(), dates=st.booleans())
    def begin(self, leave: PlanLeave, other: PlanLeave, removes: bool, names: bool, dates: bool) -> None:
        self.clock, self.changes, self.count = Clock(), 0, 0
        self.earnest = Earnest(self.clock)
        self.fates = [Fate(), Fate()]
        fields = frozenset(Field) if dates else frozenset({Field.TITLE, Field.PURPOSE})
        self.boards = [Board(self.clock, self.fates[0], names=names), Board(self.clock, self.fates[1], fields=fields)]
        self.notes = [Notebook(fate) for fate in self.fates]
        self.doors = [Door(self.earnest, f"tool{number}", fate) for number, fate in enumerate(self.fates)]
        self.treaties = [
            Treaty(plan=leave, removes=removes, new_amount=A_PRICE, done=DoneLeave.SUBMIT),
            Treaty(plan=other, new_amount=A_PRICE),
        ]
        self.closes = self.items_made = 0
        self.written_by_people: dict[tuple[str, Field], list[str]] = {}
        self.earnest.put(self.values(), 100)
        self.changes += 1

    def values(self) -> dict[Field, str]:
        self.count += 1
        return {
            Field.TITLE: f"Title {self.count}",
            Field.PURPOSE: f"Purpose {self.count}",
            Field.DUE_ON: f"2026-{self.count % 12 + 1:02d}-{self.count % 28 + 1:02d}",
        }

    def one_value(self, name: Field) -> dict[Field, str]:
        return {name: self.values()[name]}

    def any_milestone(self, number: int, *states: str) -> str | None:
        found = [one.id for one in self.earnest.milestones.values() if one.state in states]
        return found[number % len(found)] if found else None

    def any_item(self, tool: int, number: int) -> str | None:
        found = sorted(self.boards[tool].items)
        return found[number % len(found)] if found else None

    numbers = st.integers(0, 9)
    tools = st.integers(0, 1)

    @rule()
    def earnest_adds(self) -> None:
        self.earnest.put(self.values(), 100)
        self.changes += 1

    @rule(number=numbers, name=st.sampled_from(Field))
    def earnest_edits(self, number: int, name: Field) -> None:
        if (found := self.any_milestone(number, "PLANNED")) is not None:
            self.earnest.change(found, self.noted(found, self.one_value(name)))
            self.changes += 1

    @rule(number=numbers, state=st.sampled_from(["ACTIVE", "RELEASED", "CANCELLED"]))
    def earnest_goes_on(self, number: int, state: str) -> None:
        if (found := self.any_milestone(number, "PLANNED", "ACTIVE")) is not None:
            self.earnest.move(found, state)
            self.changes += 1

    @rule(tool=tools)
    def tool_adds(self, tool: int) -> None:
        self.boards[tool].put(self.values())
        self.changes += 1
        self.items_made += 1

    @rule(tool=tools, number=numbers, name=st.sampled_from(Field), too_long=st.integers(0, 2))
    def tool_edits(self, tool: int, number: int, name: Field, too_long: int) -> None:
        found = self.any_item(tool, number)
        if found is not None and name in self.boards[tool].items[found].values:
            values = self.one_value(name)
            if name is Field.TITLE and not too_long:
                values[name] += "!" * 60
            item = self.boards[tool].items[found]
            self.boards[tool].change(found, values)
            self.changes += 1
            if item.mark is not None:
                has_leave = self.treaties[tool].plan is PlanLeave.EDIT and not self.is_long(values)
                self.noted(item.mark, values if has_leave else dict.fromkeys(values, NOBODYS))

    @rule(tool=tools, number=numbers)
    def tool_copies(self, tool: int, number: int) -> None:
        found = self.any_item(tool, number)
        if found is not None:
            item = self.boards[tool].items[found]
            # Where names are ids a copy that was never marked can't be told from its original: it has another name.
            self.boards[tool].put({**item.values, **self.one_value(Field.TITLE)}, mark=item.mark)
            self.changes += 1
            self.items_made += 1
            if item.mark is not None:
                self.noted(item.mark, dict.fromkeys(Field, NOBODYS))

    @rule(tool=tools, number=numbers, facts=st.sampled_from(["1 RELEASED", "999999 ACTIVE"]))
    def tool_forges_facts(self, tool: int, number: int, facts: str) -> None:
        if (found := self.any_item(tool, number)) is not None:
            self.boards[tool].change(found, {}, facts=facts)
            self.changes += 1

    @rule(tool=tools, number=numbers, is_done=st.booleans())
    def tool_closes(self, tool: int, number: int, is_done: bool) -> None:
        if (found := self.any_item(tool, number)) is not None:
            self.closes += is_done and not self.boards[tool].items[found].is_done
            self.boards[tool].change(found, {}, is_done=is_done)
            self.changes += 1

    @rule(tool=tools, number=numbers)
    def tool_deletes(self, tool: int, number: int) -> None:
        if (found := self.any_item(tool, number)) is not None:
            mark = self.boards[tool].items[found].mark
            self.boards[tool].delete(found)
            self.changes += 1
            if mark is not None:
                self.noted(mark, dict.fromkeys(Field, NOBODYS))

    @precondition(lambda self: self.earnest.open)
    @rule(accepts=st.booleans())
    def somebody_decides(self, accepts: bool) -> None:
        self.earnest.decide(min(self.earnest.open), accepts=accepts)
        self.changes += 1

    @rule(tool=tools, after=st.none() | st.integers(0, 8), kind=st.sampled_from(["before", "after", "lost"]))
    def a_round(self, tool: int, after: int | None, kind: str) -> None:
        """Rung by a notice, late, doubled or out of order, or by the time: it makes no difference what it was."""
        self.fates[tool].after, self.fates[tool].kind = after, kind
        try:
            self.play(tool)
        except (Died, ToolError):
            pass
        finally:
            self.fates[tool].after = None

    @rule(tool=tools, number=numbers)
    def a_round_whose_listing_leaves_something_out(self, tool: int, number: int) -> None:
        """Of what was noted; what was made and never noted can't be known to be missing."""
        noted = sorted(pair.external_id for pair in self.notes[tool].noted.values())
        if noted:
            self.boards[tool].hidden = noted[number % len(noted)]
            with contextlib.suppress(ToolError):
                self.play(tool)
            self.boards[tool].hidden = None

    @rule()
    def everybody_agrees(self) -> None:
        """It becomes quiet, and what one person alone wrote is what everybody says."""
        self.settle()
        for (milestone_id, name), values in self.written_by_people.items():
            found = self.earnest.milestones.get(milestone_id)
            if found is not None and found.state == "PLANNED" and len(values) == 1 and values[0] != NOBODYS:
                assert found.values[name] == values[0], "nobody contradicted it"
        self.written_by_people.clear()

    def noted(self, milestone_id: str, values: dict[Field, str]) -> dict[Field, str]:
        for name, value in values.items():
            self.written_by_people.setdefault((milestone_id, name), []).append(value)
        return values

    @staticmethod
    def is_long(values: dict[Field, str]) -> bool:
        return len(values.get(Field.TITLE, "")) > TITLE_MAX

    def play(self, tool: int) -> Any:
        treaty, notes = self.treaties[tool], self.notes[tool]
        return at_once(rounds.play(self.doors[tool], self.boards[tool], notes, treaty, believes=True))

    def written(self) -> int:
        return self.earnest.writes + sum(board.writes for board in self.boards)

    def teardown(self) -> None:
        if not hasattr(self, "earnest"):
            return
        self.everybody_agrees()
        assert self.written() <= WRITES_PER_CHANGE * self.changes
        assert self.earnest.money == []
        assert self.earnest.told.total() <= self.closes, "each “done” is told once"
        assert sum(kind == "add" for kind, *_ in self.earnest.requests.values()) <= self.items_made * 2
        titles = [one.values[Field.TITLE] for one in self.earnest.milestones.values() if one.state != "CANCELLED"]
        assert len(set(titles)) == len(titles), "nothing is there twice"
        before = self.written()
        for tool in (0, 1):
            assert self.play(tool).writes == 0
        assert self.written() == before, "what was quiet stays so"
        for tool, treaty in enumerate(self.treaties):
            self.check(tool, treaty)

    def settle(self) -> None:
        """Rounds until neither connector has anything to do, and nobody has anything to decide."""
        for _ in range(40):
            is_settled = {self.play(tool).is_settled for tool in (0, 1)} == {True}
            if is_settled and not self.earnest.open:
                return
            while self.earnest.open:
                self.earnest.decide(min(self.earnest.open), accepts=False)
                self.changes += 1
        raise AssertionError("it never becomes quiet")

    def check(self, tool: int, treaty: Treaty) -> None:
        board, notes = self.boards[tool], self.notes[tool].noted
        at_home = [pair.external_id for pair in notes.values() if pair.external_id in board.items]
        assert len(set(at_home)) == len(at_home), "no item is two milestones"
        names = [one.names[f"tool{tool}"] for one in self.earnest.milestones.values() if f"tool{tool}" in one.names]
        assert len(set(names)) == len(names)
        for one in self.earnest.milestones.values():
            pair = notes.get(one.id)
            if one.state == "CANCELLED" and (pair is None or pair.external_id not in board.items):
                continue
            assert pair is not None, "every milestone has its item"
            item = board.items.get(pair.external_id)
            if item is None:
                assert pair.is_gone or one.state == "CANCELLED"
                continue
            if pair.is_gone:
                continue
            for name, value in item.values.items():
                assert value == one.values[name] or pair.refused.get(name) == value, name
            assert item.mark == one.id
            assert item.facts == f"{one.amount} {one.state}", "amounts and states are Earnest's"
            assert one.amount == 100
            assert item.is_done or one.state not in {"RELEASED", "CANCELLED"}
        if treaty.plan is PlanLeave.EDIT:
            alone = set(board.items) - {pair.external_id for pair in notes.values()}
            assert all(len(board.items[one].values[Field.TITLE]) > 40 for one in alone)


TestTwoToolsAndEarnest = TwoToolsAndEarnest.TestCase
TestTwoToolsAndEarnest.settings = settings(settings.default, stateful_step_count=40)
