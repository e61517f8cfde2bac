"""Reminders: 7 days, 2 days and 12 hours before a milestone's clock rings, to the microsecond, and never after the fact."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from escrow.access import Side
from escrow.agreement.deadlines import deadlines, next_deadline
from escrow.agreement.events import MilestoneDeadlineApproaching
from tests.escrow.agreement.stage import HOUR, START, TICK, Story, active, folded

DAY = 24 * HOUR
APPROACHING = "milestone.deadline_approaching"


def told(story: Story) -> list[tuple[datetime, int]]:
    """When something was announced, and how many hours before."""
    return [
        (recorded.at, recorded.event.hours_left)
        for recorded in story.log
        if isinstance(recorded.event, MilestoneDeadlineApproaching)
    ]


def reviewing(hours: int = 14 * 24, *amounts: str) -> Story:
    return Story().propose(*amounts, windows={"review_hours": hours}).accept().pay().submit()


def test_a_review_of_fourteen_days_is_announced_three_times_each_on_the_dot() -> None:
    story = reviewing()
    due_at = story.now + 14 * DAY
    for hours in (7 * 24, 2 * 24, 12):
        at = due_at - hours * HOUR
        assert story.until(at - TICK).sweep().happened() == []
        assert story.until(at).sweep().happened() == [APPROACHING]
        assert story.sweep().happened() == [], "once"
    assert told(story) == [(due_at - 7 * DAY, 168), (due_at - 2 * DAY, 48), (due_at - 12 * HOUR, 12)]
    assert story.until(due_at).sweep().happened() == ["milestone.released"]


def test_an_announcement_says_what_will_happen_when_and_in_whose_favour() -> None:
    story = reviewing()
    due_at = story.now + 14 * DAY
    story.wait(7 * DAY).sweep()
    assert story.log[-1].actor.kind == "CLOCK"
    assert story.log[-1].event == MilestoneDeadlineApproaching(
        milestone_id=story.milestone().id,
        deadline_at=due_at,
        action="milestone.released",
        in_favour_of=Side.FREELANCER,
        hours_left=168,
    )


def test_a_deposit_on_its_way_is_announced_too_but_not_an_offer() -> None:
    story = active().fund()
    started = story.now
    story.wait(72 * HOUR - TICK).sweep()
    assert told(story) == [(started + 24 * HOUR, 48), (started + 60 * HOUR, 12)]
    event = story.log[-1].event
    assert isinstance(event, MilestoneDeadlineApproaching)
    assert (event.action, event.in_favour_of) == ("deposit.abandoned", None)
    assert Story().propose().wait(30 * DAY - TICK).sweep().happened() == []


@pytest.mark.parametrize(
    ("hours", "announced"), [(48, [12]), (49, [48, 12]), (168, [48, 12]), (169, [168, 48, 12]), (2160, [168, 48, 12])]
)
def test_what_a_window_is_too_short_for_is_left_out(hours: int, announced: list[int]) -> None:
    story = reviewing(hours).wait(hours * HOUR - TICK).sweep()
    assert [hours_left for _, hours_left in told(story)] == announced


def test_a_window_of_an_hour_is_not_announced() -> None:
    story = Story().propose(windows={"deposit_hours": 1}).accept().fund()
    assert story.wait(HOUR - TICK).sweep().happened() == []


def test_nothing_is_announced_after_the_fact() -> None:
    story = reviewing().wait(14 * DAY).sweep()
    assert story.happened() == ["milestone.released"]
    story = reviewing()
    due_at = story.now + 14 * DAY
    story.wait(8 * DAY).sweep().wait(100 * DAY).sweep()
    assert told(story) == [(due_at - 7 * DAY, 168)]


def test_what_was_announced_late_happened_when_it_was_due() -> None:
    story = reviewing()
    due_at = story.now + 14 * DAY
    story.until(due_at - TICK).sweep()
    assert told(story) == [(due_at - 7 * DAY, 168), (due_at - 2 * DAY, 48), (due_at - 12 * HOUR, 12)]


def test_whatever_touches_the_contract_first_announces_what_is_due() -> None:
    story = reviewing().wait(13 * DAY).request_changes()
    assert story.happened() == [APPROACHING, APPROACHING, "milestone.changes_requested"]


def test_a_fresh_window_is_announced_anew_and_a_stopped_one_not_at_all() -> None:
    story = reviewing().wait(13 * DAY).request_changes()
    assert story.milestone().reminded_hours is None
    assert story.wait(100 * DAY).sweep().happened() == []
    story.submit()
    due_at = story.now + 14 * DAY
    story.until(due_at - TICK).sweep()
    assert [at for at, _ in told(story)[2:]] == [due_at - 7 * DAY, due_at - 2 * DAY, due_at - 12 * HOUR]


def test_an_announcement_changes_nothing_but_that_it_was_made() -> None:
    story = reviewing()
    before = story.state
    story.wait(7 * DAY).sweep()
    milestone = replace(before.milestones[0], reminded_hours=168)
    assert story.state == replace(before, milestones=(milestone, *before.milestones[1:]), updated_at=story.now)
    assert next_deadline(story.state) == next_deadline(before)
    assert folded(story.id, story.log) == story.state


def test_nobody_sees_a_reminder_as_the_next_deadline() -> None:
    story = reviewing()
    reminder, review = deadlines(story.state)
    assert (reminder.action, reminder.announces) == (APPROACHING, review)
    assert next_deadline(story.state) == next_deadline(story.state, story.milestone().id) == review


def test_at_the_same_instant_what_silence_does_comes_before_what_is_announced() -> None:
    story = Story().propose(windows={"review_hours": 24 * 4}).accept().pay().submit(1)
    story.wait(DAY).fund(2)  # its end, 72 hours on, comes with the review's
    story.wait(TICK * 0)
    kinds = [(clock.due_at - START, clock.kind) for clock in deadlines(story.state)]
    assert kinds == sorted(kinds, key=lambda pair: pair[0])
    story.until(START + 60 * HOUR + DAY).sweep()
    assert story.happened()[-2:] == [APPROACHING, APPROACHING]
    assert [recorded.event.milestone_id for recorded in story.log[-2:]] == [  # type: ignore[attr-defined]
        story.milestone(1).id,
        story.milestone(2).id,
    ], "by position"


def test_an_announcement_that_a_log_has_passed_by_is_not_made_any_more() -> None:
    """As in a contract whose window began under a release that announced nothing."""
    story = reviewing()
    later = replace(story.state, updated_at=story.now + 8 * DAY)
    assert [clock.hours_left for clock in deadlines(later) if clock.announces] == [48]
    assert story.now + timedelta(days=7) < later.updated_at
