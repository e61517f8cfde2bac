"""Folding: the only way a contract changes. It changes nothing in place, touches only what it must, and refuses a log that
cannot be."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from escrow.access import CLOCK
from escrow.agreement.events import MilestoneActivated, Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.state import Contract
from tests.escrow.agreement.stage import NOWHERE, START, Story, folded
from tests.escrow.agreement.tour import STORIES

each_story = pytest.mark.parametrize("name", STORIES)


def folds(story: Story) -> list[tuple[Contract | None, Recorded, Contract]]:
    """Each event with the contract before and after it."""
    found: list[tuple[Contract | None, Recorded, Contract]] = []
    state: Contract | None = None
    for recorded in story.log:
        after = evolve(state, story.id, recorded)
        found.append((state, recorded, after))
        state = after
    return found


@each_story
def test_folding_changes_nothing_in_place(name: str) -> None:
    story = STORIES[name]()
    state: Contract | None = None
    for recorded in story.log:
        untouched = copy.deepcopy(state)
        after = evolve(state, story.id, recorded)
        assert state == untouched
        state = after


@each_story
def test_what_an_event_does_not_change_stays_the_same_object(name: str) -> None:
    for before, recorded, after in folds(STORIES[name]()):
        if before is None:
            continue
        for was, now in (
            (before.deposits, after.deposits),
            (before.orders, after.orders),
            (before.submissions, after.submissions),
            ({one.id: one for one in before.milestones}, {one.id: one for one in after.milestones}),
        ):
            for key in set(was) & set(now):
                assert (was[key] is now[key]) == (was[key] == now[key]), recorded.event.type


@each_story
def test_what_an_event_changes_carries_its_time(name: str) -> None:
    for before, recorded, after in folds(STORIES[name]()):
        assert after.updated_at == recorded.at
        known = {} if before is None else {one.id: one for one in before.milestones}
        for milestone in after.milestones:
            former = known.get(milestone.id)
            # That its deadline was announced is remembered, but nothing about it has changed.
            told = {name: getattr(milestone, name) for name in ("reminded_hours", "hold_told_hours")}
            announced = former is not None and milestone == replace(former, **told)
            if not announced:
                assert milestone.updated_at == recorded.at


@each_story
def test_the_same_log_gives_the_same_contract_every_time(name: str) -> None:
    story = STORIES[name]()
    assert folded(story.id, story.log) == folded(story.id, story.log) == story.state


def test_a_log_begins_with_a_proposal() -> None:
    with pytest.raises(ValueError, match=r"begins with milestone\.activated"):
        evolve(None, "ctr_1", Recorded(MilestoneActivated(milestone_id=NOWHERE), START, CLOCK))


def test_a_contract_is_proposed_once() -> None:
    story = Story().propose()
    with pytest.raises(ValueError, match="proposes it twice"):
        evolve(story.state, story.id, story.log[0])


def test_a_log_does_not_speak_of_a_milestone_that_it_never_added() -> None:
    story = Story().propose()
    with pytest.raises(ValueError, match="before it was added"):
        evolve(story.state, story.id, Recorded(MilestoneActivated(milestone_id=NOWHERE), START, CLOCK))
