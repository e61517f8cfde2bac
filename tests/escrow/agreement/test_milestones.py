"""Editing the plan of an active contract: what is planned may change, what is under way may not and keeps its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from escrow.agreement import commands as c
from escrow.states import MilestoneState
from tests.escrow.agreement.stage import CLIENT, FREELANCER, Story, active, reaching, usd

LOCKED = [
    state
    for state in MilestoneState
    if state not in (MilestoneState.PLANNED, MilestoneState.REFUNDED, MilestoneState.SETTLED)
]


def order(story: Story) -> list[int]:
    """The plan as its milestones' amounts in dollars."""
    return [one.amount_minor // 100 for one in story.state.milestones]


def planned() -> Story:
    return active("1.00", "2.00", "3.00", "4.00")


def test_a_milestone_is_added_at_the_end_unless_a_position_is_given() -> None:
    assert order(planned().add("5.00")) == [1, 2, 3, 4, 5]
    assert order(planned().add("5.00", position=1)) == [5, 1, 2, 3, 4]
    assert order(planned().add("5.00", position=3)) == [1, 2, 5, 3, 4]
    assert order(planned().add("5.00", position=5)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("position", "to", "expected"),
    [
        (1, 4, [2, 3, 4, 1]),
        (4, 1, [4, 1, 2, 3]),
        (2, 3, [1, 3, 2, 4]),
        (3, 2, [1, 3, 2, 4]),
    ],
)
def test_a_move_shifts_the_ones_between_by_one(position: int, to: int, expected: list[int]) -> None:
    story = planned().move(position, to)
    assert order(story) == expected
    assert [one.position for one in story.state.milestones] == [1, 2, 3, 4]


def test_moving_to_where_it_stands_changes_nothing() -> None:
    story = planned()
    before = story.state
    assert (story.move(2, 2).code(), story.happened(), story.state) == (None, [], before)


def test_a_message_is_heard_though_the_milestone_moves_to_where_it_stands() -> None:
    story = planned()
    command = c.MoveMilestone(milestone_id=story.milestone(2).id, position=2, message="It stays the second")
    story.do(command, CLIENT)
    assert story.happened() == ["milestone.moved"]
    assert order(story) == [1, 2, 3, 4]


def test_a_removed_milestone_stays_in_its_place_as_cancelled() -> None:
    story = planned().remove(2)
    assert (order(story), story.states()) == ([1, 2, 3, 4], ["PLANNED", "CANCELLED", "PLANNED", "PLANNED"])
    assert story.fund(1).code() is None


@pytest.mark.parametrize("position", [0, -1, 6, 1_000])
def test_a_position_that_the_plan_does_not_have_is_refused(position: int) -> None:
    story = planned()
    assert story.add(position=position).code() == "INVALID_INPUT"
    assert story.move(1, position).code() == "INVALID_INPUT"
    assert order(story) == [1, 2, 3, 4]


def test_moving_behind_the_last_is_not_a_position_either() -> None:
    assert planned().move(1, 5).code() == "INVALID_INPUT"


@pytest.mark.parametrize(
    "state", [one for one in LOCKED if one not in (MilestoneState.RELEASED, MilestoneState.CANCELLED)]
)
def test_nothing_is_placed_before_a_milestone_that_is_neither_planned_nor_closed(state: MilestoneState) -> None:
    story = reaching(state, "1.00", "2.00", "3.00")
    locked = 2 if state is MilestoneState.FUNDED else 1
    for position in range(1, locked + 1):
        assert story.add(position=position).code() == "OUT_OF_SEQUENCE"
        assert story.move(3, position).code() == "OUT_OF_SEQUENCE"
    assert story.add("9.00", position=locked + 1).code() is None
    assert order(story)[locked] == 9


@pytest.mark.parametrize("state", [MilestoneState.RELEASED, MilestoneState.CANCELLED])
def test_before_a_closed_milestone_there_is_room(state: MilestoneState) -> None:
    story = reaching(state, "1.00", "2.00").add("9.00", position=1)
    assert (story.code(), order(story)) == (None, [9, 1, 2])
    assert story.fund(1).code() is None


@pytest.mark.parametrize("state", LOCKED)
def test_what_is_not_planned_is_locked(state: MilestoneState) -> None:
    story = reaching(state, "1.00", "2.00", "3.00")
    position = 2 if state is MilestoneState.FUNDED else 1
    changes: list[Callable[[], Story]] = [
        lambda: story.edit(position, title="Another"),
        lambda: story.move(position, 3),
        lambda: story.remove(position),
    ]
    for change in changes:
        assert (change().code(), story.happened()) == ("MILESTONE_LOCKED", [])


def test_an_edit_changes_what_it_gives_and_leaves_the_rest() -> None:
    story = planned().edit(2, title="The shop", amount=usd("7.00"))
    milestone = story.milestone(2)
    assert (milestone.title, milestone.purpose, milestone.amount_minor) == ("The shop", "It is read", 7_00)
    assert milestone.deliverables == ("The page",)
    story.edit(2, deliverables=())
    assert (story.milestone(2).deliverables, story.milestone(2).title) == ((), "The shop")


def test_an_edit_that_gives_nothing_is_refused_and_one_that_says_the_same_does_nothing() -> None:
    story = planned()
    assert story.edit(1).code() == "INVALID_INPUT"
    assert (story.edit(1, title="A page", amount=usd("1.00")).code(), story.happened()) == (None, [])


def test_each_change_of_the_plan_raises_its_version_and_an_edit_may_name_the_one_it_was_based_on() -> None:
    story = planned()
    versions = [story.state.plan_version]
    changes: list[Callable[[], Story]] = [
        story.add,
        lambda: story.edit(1, title="B"),
        lambda: story.move(1, 2),
        lambda: story.remove(1),
    ]
    for change in changes:
        change()
        versions.append(story.state.plan_version)
    assert versions == sorted(set(versions))
    assert story.edit(2, title="C", expected_version=versions[-2]).code() == "VERSION_CONFLICT"
    assert story.edit(2, title="C", expected_version=versions[-1]).code() is None


def test_money_and_work_do_not_move_the_plans_version() -> None:
    story = planned()
    version = story.state.plan_version
    story.pay().submit().request_changes().submit().approve()
    assert story.state.plan_version == version


def test_the_price_of_a_milestone_is_the_one_that_it_has_when_it_is_funded() -> None:
    story = planned().fund(1).cancel_funding(1).edit(1, amount=usd("200.00")).pay(1)
    assert (story.milestone().held_minor, story.milestone().held_fee_minor) == (200_00, 6_00)


def test_the_freelancer_does_not_edit_the_plan() -> None:
    story = planned()
    story.do(c.AddMilestone(contract_id=story.id, milestone=story.draft()), FREELANCER)
    assert story.code() == "FORBIDDEN"


def test_a_contract_has_at_most_two_hundred_milestones_closed_ones_included() -> None:
    story = active(*["1.00"] * 199).remove(1).add()
    assert (story.code(), len(story.state.milestones)) == (None, 200)
    assert story.add().code() == "INVALID_INPUT"
    assert Story().propose(*["1.00"] * 201).code() == "INVALID_INPUT"


def test_a_change_of_the_plan_carries_a_message_to_the_freelancer() -> None:
    story = planned()
    story.do(c.RemoveMilestone(milestone_id=story.milestone(4).id, message="Not this year"), CLIENT)
    assert getattr(story.log[-1].event, "message", None) == "Not this year"
    story.do(c.RemoveMilestone(milestone_id=story.milestone(3).id, message="  "), CLIENT)
    assert getattr(story.log[-1].event, "message", "") is None
