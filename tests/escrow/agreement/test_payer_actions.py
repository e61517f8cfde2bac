"""A payer who has to do something before the provider goes on: for how long it is waited for, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from escrow.agreement.deadlines import deadlines
from escrow.agreement.events import DepositActionRequired, DepositFailed, DepositFailure
from escrow.states import ActionKind, DepositState
from tests.escrow.agreement.acts import approve, deposit, has_acted, must_act, sound
from tests.escrow.agreement.stage import HOUR, Story, active

WINDOW = timedelta(hours=72)


def started() -> Story:
    return active("100.00", "50.00").fund()


@pytest.mark.parametrize("kind", ActionKind)
def test_what_the_payer_has_to_do_is_told_once_with_when_it_ends(kind: ActionKind) -> None:
    story = started()
    must_act(story, kind, within=HOUR)
    assert story.last is not None
    (recorded,) = story.last.recorded
    assert recorded.event == DepositActionRequired(deposit_id=deposit(story).id, kind=kind, due_at=story.now + HOUR)
    assert (deposit(story).action, deposit(story).due_at) == (kind, story.now + HOUR)
    must_act(story, kind, within=HOUR)
    assert story.happened() == []
    must_act(story, kind, within=2 * HOUR)
    assert story.happened() == ["deposit.action_required"], "another end is news"


def test_the_payer_never_has_longer_than_the_deposit_window() -> None:
    for within in (None, timedelta(days=30)):
        story = started().wait(HOUR)
        must_act(story, within=within)
        assert deposit(story).due_at == deposit(story).started_at + WINDOW


def test_an_action_that_is_over_already_ends_the_deposit_at_once() -> None:
    story = started().wait(HOUR)
    must_act(story, within=-HOUR)
    assert deposit(story).due_at == story.now
    assert story.sweep().happened() == ["deposit.failed"]
    sound(story)


def test_a_payer_who_does_not_act_in_time_has_let_the_deposit_fail() -> None:
    story = started()
    must_act(story, within=HOUR).wait(HOUR)
    (clock,) = [one for one in deadlines(story.state) if one.subject_id == deposit(story).id]
    assert (clock.action, clock.due_at) == ("deposit.failed", story.now)
    story.sweep()
    assert story.happened() == ["deposit.failed"]
    assert story.last is not None
    failed = story.last.recorded[0].event
    assert failed == DepositFailed(deposit_id=deposit(story).id, reason=DepositFailure.ACTION_EXPIRED)
    assert (story.milestone().state, deposit(story).action) == ("PLANNED", None)
    sound(story)
    late = deposit(story).id
    story.confirm(deposit_id=late)
    assert story.happened() == ["deposit.returned"], "what comes all the same is sent back"
    sound(story)


def test_a_payer_who_acts_has_the_deposit_wait_for_the_whole_window_again() -> None:
    story = started()
    must_act(story, within=HOUR).wait(HOUR / 2)
    has_acted(story)
    assert story.happened() == ["deposit.action_taken"]
    assert (deposit(story).action, deposit(story).due_at) == (None, deposit(story).started_at + WINDOW)
    has_acted(story)
    assert story.happened() == []
    assert story.confirm().milestone().state == "ACTIVE"
    sound(story)


def test_it_may_be_confirmed_or_refused_while_the_payer_is_waited_for() -> None:
    confirmed, refused = must_act(started()).confirm(), must_act(started()).fail()
    assert (confirmed.milestone().state, deposit(confirmed).action) == ("ACTIVE", None)
    assert (refused.milestone().state, deposit(refused).action) == ("PLANNED", None)


def test_nobody_has_to_act_for_a_deposit_that_nobody_waits_for() -> None:
    for story in (started().cancel_funding(), started().confirm(), started().fail()):
        before = story.state
        must_act(story)
        assert (story.code(), story.happened(), story.state) == (None, [], before)
        has_acted(story)
        assert (story.code(), story.happened(), story.state) == (None, [], before)


def test_a_bonus_whose_payer_does_not_act_fails_and_may_be_tried_again() -> None:
    story = active("100.00", "50.00").pay()
    approve(story, bonus="5.00")
    must_act(story, within=HOUR).wait(HOUR).sweep()
    assert story.happened() == ["bonus.failed"]
    assert deposit(story).state is DepositState.FAILED
    approve(story, bonus="5.00")
    assert story.happened() == ["bonus.started"]
    sound(story)


def test_the_end_of_an_action_is_announced_like_any_other_and_never_in_the_past() -> None:
    story = started().wait(timedelta(hours=50))
    must_act(story, within=timedelta(hours=13)).wait(timedelta(hours=2)).sweep()
    assert story.happened() == ["milestone.deadline_approaching"]
    assert story.last is not None
    assert story.last.recorded[0].at == story.now - HOUR
    other = started().wait(timedelta(hours=50))
    must_act(other, within=HOUR).sweep()
    assert other.happened() == [], "its window is shorter than the last reminder"
    has_acted(other)
    assert [one.due_at for one in deadlines(other.state)] == [
        deposit(other).started_at + timedelta(hours=60), deposit(other).started_at + WINDOW
    ]  # fmt: skip


def test_a_history_without_actions_folds_as_it_did() -> None:
    story = started()
    assert deposit(story) == replace(deposit(story), action=None, clock_started_at=None)
