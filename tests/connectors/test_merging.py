"""What the engine asks for, case by case: whose word counts, what is left alone, and what is never asked for twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, get_args

import pytest

from connectors import footer, merging
from connectors.merging import TooManyMissing
from connectors.sides import ASKED, DoneLeave, Field, Ours, OurSide, Pair, PlanLeave, Theirs, TheirSide, Treaty
from connectors.writes import (
    Add,
    AskToAdd,
    AskToEdit,
    AskToRemove,
    Create,
    Edit,
    Forget,
    Name,
    Note,
    Remove,
    Step,
    Submit,
    Tell,
    Write,
)

AGREED = {Field.TITLE: "Draft", Field.PURPOSE: "Ten pages", Field.DUE_ON: "2031-01-01"}
EARLY, LATE = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC)
EDITS = Treaty(plan=PlanLeave.EDIT, new_amount="10", removes=True)
ASKS = Treaty(plan=PlanLeave.ASK, new_amount="10", removes=True, done=DoneLeave.SUBMIT)
PAIR = Pair(milestone_id="mil_1", external_id="1", agreed=AGREED)


def ours(at: datetime = EARLY, **said: Any) -> Ours:
    values = {**AGREED, **said.pop("values", {})}
    return Ours(id="mil_1", values=values, facts="5 USD", updated_at=at, **{"external_id": "1", **said})


def theirs(at: datetime = EARLY, **said: Any) -> Theirs:
    values = {**AGREED, **said.pop("values", {})}
    return Theirs(**{"id": "1", "mark": "mil_1", "facts": "5 USD", "values": values, "updated_at": at, **said})


def steps(
    mine: Ours | None, other: Theirs | None, treaty: Treaty = EDITS, pair: Pair | None = PAIR, **side: Any
) -> list[Step]:
    here = OurSide(items={mine.id: mine} if mine else {}, version=1, today=date(2030, 1, 1), **side)
    there = TheirSide(items={other.id: other} if other else {})
    return list(merging.plan(here, there, [pair] if pair else [], treaty, believes=True).steps)


def title(text: str) -> dict[Field, str]:
    return {Field.TITLE: text}


def test_nothing_is_asked_for_when_both_say_what_was_agreed() -> None:
    assert steps(ours(), theirs()) == []


def test_a_purpose_that_names_a_price_is_the_same_when_our_line_was_taken_away() -> None:
    priced = {Field.PURPOSE: "Ten pages\nPrice: 500 each"}
    pair = replace(PAIR, agreed={**AGREED, **priced})
    (write,) = steps(ours(values=priced), theirs(mark=None, facts=None), pair=pair)
    assert isinstance(write, Write)
    assert (write.card.values[Field.PURPOSE], write.changed) == (priced[Field.PURPOSE], frozenset())


def test_what_one_side_changed_goes_to_the_other() -> None:
    (edit,) = steps(ours(), theirs(values=title("Theirs")))
    assert isinstance(edit, Edit)
    assert edit.values == title("Theirs")
    (write,) = steps(ours(values=title("Ours")), theirs())
    assert isinstance(write, Write)
    assert (write.changed, write.card.values[Field.TITLE], write.marks) == (frozenset({Field.TITLE}), "Ours", False)


def test_an_echo_is_no_change_however_late_it_comes() -> None:
    after = replace(PAIR, agreed={**AGREED, **title("Theirs")})
    assert steps(ours(LATE, values=title("Theirs")), theirs(LATE, values=title("Theirs")), pair=after) == []


@pytest.mark.parametrize(
    ("mine", "other", "winner"), [(EARLY, LATE, "Theirs"), (LATE, EARLY, "Ours"), (LATE, LATE, "Ours")]
)
def test_of_two_changes_the_later_one_wins_and_earnest_in_a_tie(mine: datetime, other: datetime, winner: str) -> None:
    (step,) = steps(ours(mine, values=title("Ours")), theirs(other, values=title("Theirs")))
    assert isinstance(step, Edit if winner == "Theirs" else Write)


def test_fields_are_looked_at_one_by_one() -> None:
    both = steps(ours(LATE, values={Field.PURPOSE: "Ours"}), theirs(values=title("Theirs")))
    assert [type(step) for step in both] == [Edit, Write]


def test_both_sides_that_came_to_the_same_by_themselves_only_agree() -> None:
    (note,) = steps(ours(values=title("Same")), theirs(values=title("Same")))
    assert note == Note(pair=replace(PAIR, agreed={**AGREED, **title("Same")}))


@pytest.mark.parametrize("facts", ["500 USD", None])
def test_an_amount_is_never_taken_from_a_tool(facts: str | None) -> None:
    (write,) = steps(ours(), theirs(LATE, facts=facts, price=footer.price("500")))
    assert isinstance(write, Write)
    assert (write.card.facts, write.changed, write.marks) == ("5 USD", frozenset(), True)


def test_what_holds_money_or_has_no_leave_is_overwritten() -> None:
    for mine, treaty in ((ours(is_open=False), EDITS), (ours(), Treaty())):
        (write,) = steps(mine, theirs(LATE, values=title("Theirs")), treaty)
        assert isinstance(write, Write)
        assert write.card.values[Field.TITLE] == "Draft"


def test_a_field_that_is_emptied_in_a_tool_comes_back() -> None:
    (write,) = steps(ours(), theirs(LATE, values={Field.DUE_ON: ""}))
    assert isinstance(write, Write)


def test_a_change_that_is_asked_for_stays_in_the_tool_until_somebody_decides() -> None:
    (ask,) = steps(ours(), theirs(values=title("Theirs")), ASKS)
    assert isinstance(ask, AskToEdit)
    waiting = replace(ask.pair, request_id="chg_1")
    still = steps(ours(), theirs(values=title("Theirs")), ASKS, waiting, open_requests=frozenset({"chg_1"}))
    assert still == []
    (write,) = steps(ours(), theirs(values=title("Theirs")), ASKS, waiting)
    assert isinstance(write, Write), "declined"
    assert write.pair.proposed == {}


def test_what_was_refused_is_not_asked_again_until_somebody_changes_it() -> None:
    refused = replace(PAIR, refused=title("Theirs"))
    assert steps(ours(), theirs(LATE, values=title("Theirs")), pair=refused) == []
    assert isinstance(steps(ours(), theirs(LATE, values=title("Another")), pair=refused)[0], Edit)


def test_what_is_new_on_one_side_is_made_on_the_other_if_it_has_a_price() -> None:
    (create,) = steps(ours(), None, pair=None)
    assert isinstance(create, Create)
    (add,) = steps(None, theirs(mark=None, facts=None), pair=None)
    assert isinstance(add, Add)
    assert (add.external_id, add.amount) == ("1", "10")
    assert steps(None, theirs(mark=None), replace(EDITS, new_amount=None), None) == []
    assert steps(None, theirs(mark=None), EDITS, None, takes_new=False) == []
    assert isinstance(steps(None, theirs(mark=None), ASKS, None)[0], AskToAdd)
    assert steps(ours(is_dropped=True, is_over=True), None, pair=None) == []


@pytest.mark.parametrize("treaty", [EDITS, ASKS])
@pytest.mark.parametrize("said", ["1,500.00", "1 500.00", "500.00 EUR", "about 500", "-500"])
def test_what_is_no_price_in_the_contracts_currency_adds_nothing_and_is_told(said: str, treaty: Treaty) -> None:
    here = OurSide(items={}, version=1, today=date(2030, 1, 1), currency="USD")
    there = TheirSide(items={"1": theirs(mark=None, facts=None, price=footer.price(said))})
    planned = merging.plan(here, there, [], treaty)
    assert planned.steps == (), "and no other price in its place"
    (problem,) = planned.problems
    assert problem.startswith("1: ")
    assert repr(said) in problem
    assert "USD" in problem
    assert merging.plan(here, there, [], Treaty()).problems == (), "nothing is to be added"
    asked = Pair(milestone_id=ASKED + "1", external_id="1", agreed=AGREED)
    assert [type(step) for step in merging.plan(here, there, [asked], ASKS).steps] == [Forget]


def test_a_price_in_the_contracts_currency_is_taken() -> None:
    here = OurSide(items={}, version=1, today=date(2030, 1, 1), currency="USD")
    there = TheirSide(items={"1": theirs(mark=None, facts=None, price=footer.price("75.50 USD"))})
    planned = merging.plan(here, there, [], EDITS)
    (add,) = planned.steps
    assert isinstance(add, Add)
    assert (add.amount, planned.problems) == ("75.50", ())


def test_an_item_whose_making_was_never_answered_is_found_by_its_mark_and_one_that_was_added_by_its_name() -> None:
    assert [type(step) for step in steps(ours(external_id=None), theirs(), pair=None)][-1] is Note
    assert [type(step) for step in steps(ours(), theirs(mark=None, facts=None), pair=None)] == [Write]


def test_an_item_that_was_renamed_where_names_are_identities_is_the_same_milestone() -> None:
    found = steps(ours(), theirs(id="2", values=title("Renamed")))
    assert not any(isinstance(step, Create | Add) for step in found)
    (edit,) = [step for step in found if isinstance(step, Edit)]
    assert edit.pair.external_id == "2"


def test_a_copy_of_an_item_is_an_item_of_its_own() -> None:
    here = OurSide(items={"mil_1": ours()}, version=1, today=date(2030, 1, 1))
    there = TheirSide(items={"1": theirs(), "0": theirs(id="0")})
    (add,) = merging.plan(here, there, [PAIR], EDITS).steps
    assert isinstance(add, Add)
    assert add.external_id == "0"


def test_a_deleted_item_is_made_again_or_taken_out_by_the_treaty_and_a_change_here_saves_it() -> None:
    assert isinstance(steps(ours(), None, EDITS)[0], Remove)
    assert isinstance(steps(ours(), None, ASKS)[0], AskToRemove)
    for mine, treaty in (
        (ours(), replace(EDITS, removes=False)),
        (ours(values=title("Ours")), EDITS),
        (ours(is_open=False), EDITS),
        (ours(), Treaty(removes=True)),
    ):
        assert isinstance(steps(mine, None, treaty)[0], Create)
    assert steps(ours(is_over=True), None) == [
        Name(milestone_id="mil_1", external_id="", url=None),
        Note(pair=replace(PAIR, external_id="", is_gone=True)),
    ]


def test_only_a_removal_that_was_declined_is_not_asked_for_again() -> None:
    edited = replace(PAIR, request_id="chg_1", proposals=1)
    assert isinstance(steps(ours(), None, ASKS, edited)[0], AskToRemove), "what was decided was about something else"
    declined = replace(edited, asks_removal=True)
    assert isinstance(steps(ours(), None, ASKS, declined)[0], Create)
    (note,) = steps(ours(), theirs(), ASKS, declined)
    assert note == Note(pair=edited), "it is there again"


def test_done_is_told_once_for_each_time_that_it_is_said() -> None:
    (tell,) = steps(ours(), theirs(is_done=True))
    assert isinstance(tell, Tell)
    assert steps(ours(), theirs(is_done=True), pair=tell.pair) == []
    (note,) = steps(ours(), theirs(), pair=tell.pair)
    (again,) = steps(ours(), theirs(is_done=True), pair=note.pair)  # type: ignore[union-attr]
    assert isinstance(again, Tell)
    assert again.pair.dones == 2
    assert isinstance(steps(ours(is_in_hand=True), theirs(is_done=True), ASKS)[0], Submit)
    assert isinstance(steps(ours(is_in_hand=True), theirs(is_done=True), EDITS)[0], Tell)
    assert isinstance(steps(ours(), theirs(is_done=True), replace(EDITS, done=DoneLeave.IGNORE))[0], Note)


def test_what_is_over_is_closed_and_stays_so() -> None:
    over = ours(is_over=True, is_open=False)
    (write,) = steps(over, theirs())
    assert isinstance(write, Write)
    assert write.closes
    assert write.card.is_done
    assert steps(over, theirs(is_done=True), pair=write.pair) == []


def test_there_is_no_step_that_approves_funds_or_gives_back() -> None:
    names = {kind.__name__ for kind in get_args(Step)}
    to_earnest = {"Add", "Edit", "Remove", "AskToAdd", "AskToEdit", "AskToRemove", "Tell", "Submit", "Name"}
    assert names == {*to_earnest, "Create", "Write", "Note", "Forget"}


def test_a_tool_that_is_suddenly_empty_is_doubted() -> None:
    items = {f"mil_{number}": replace(ours(), id=f"mil_{number}") for number in range(5)}
    here = OurSide(items=items, version=1, today=date(2030, 1, 1))
    pairs = [replace(PAIR, milestone_id=name, external_id=name) for name in items]
    with pytest.raises(TooManyMissing):
        merging.plan(here, TheirSide(items={}), pairs, EDITS)
    assert len(merging.plan(here, TheirSide(items={}), pairs, EDITS, believes=True).steps) == 5


def test_an_empty_tool_is_doubted_however_little_was_in_it() -> None:
    here = OurSide(items={"mil_1": ours()}, version=1, today=date(2030, 1, 1))
    with pytest.raises(TooManyMissing):
        merging.plan(here, TheirSide(items={}), [PAIR], EDITS)
    another = TheirSide(items={"9": theirs(id="9", mark=None)})
    assert merging.plan(here, another, [PAIR], EDITS).absent == ("1",)
