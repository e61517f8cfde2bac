"""Late is late: each window to the microsecond, what silence does, and that nothing but the due time decides.

What was due happened when it was due, whoever comes afterwards and however late it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from escrow.access import Actor, Role, Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import Deadline, deadlines, next_deadline
from escrow.agreement.events import AbandonReason, DepositAbandoned, MilestoneReleased, ReleaseReason
from escrow.agreement.step import advance
from tests.escrow.agreement.stage import (
    CLIENT,
    FREELANCER,
    FREELANCER_ID,
    HOUR,
    STRANGER,
    TICK,
    Story,
    account,
    active,
    counted,
)

DAY = 24 * HOUR
APPROACHING = "milestone.deadline_approaching"


@dataclass(frozen=True)
class Window:
    """One clock: how it starts, how long it runs, what an answer in time does, what silence does."""

    starts: Callable[[], Story]
    lasts: timedelta
    answer: Callable[[Story], Story]
    answered: str
    silence: tuple[str, ...]
    late_answer: str | None
    """The code that the answer gets when it comes too late."""
    reminders: int = 0
    """How often its end is announced."""


def clocks(story: Story) -> list[Deadline]:
    """The clocks that anybody sees, in the order in which they ring."""
    return [clock for clock in deadlines(story.state) if clock.announces is None]


WINDOWS = {
    "offer": Window(
        lambda: Story().propose(),
        30 * DAY,
        lambda story: story.accept(),
        "contract.accepted",
        ("contract.expired", "milestone.cancelled", "milestone.cancelled"),
        "INVALID_STATE",
    ),
    "deposit": Window(
        lambda: active().fund(),
        72 * HOUR,
        lambda story: story.cancel_funding(),
        "deposit.abandoned",
        ("deposit.abandoned",),
        "INVALID_STATE",
        reminders=2,
    ),
    "review": Window(
        lambda: active().pay().submit(),
        14 * DAY,
        lambda story: story.request_changes(),
        "milestone.changes_requested",
        ("milestone.released",),
        "INVALID_STATE",
        reminders=3,
    ),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_microsecond_before_the_end_of_a_window_an_answer_is_in_time(name: str) -> None:
    window = WINDOWS[name]
    story = window.starts()
    window.answer(story.wait(window.lasts - TICK))
    assert (story.code(), story.happened()) == (None, [*[APPROACHING] * window.reminders, window.answered])


@pytest.mark.parametrize("late_by", [timedelta(0), TICK, 365 * DAY], ids=["on the dot", "1 µs late", "a year late"])
@pytest.mark.parametrize("name", WINDOWS)
def test_from_the_due_time_on_silence_has_had_its_effect_at_the_due_time(name: str, late_by: timedelta) -> None:
    window = WINDOWS[name]
    story = window.starts()
    due_at = story.now + window.lasts
    window.answer(story.until(due_at + late_by))
    assert story.code() == window.late_answer
    assert tuple(story.happened()) == window.silence
    assert story.last is not None
    assert {recorded.at for recorded in story.last.recorded} == {due_at}
    assert {recorded.actor.kind.value for recorded in story.last.recorded} == {"CLOCK"}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_sweep_does_the_same_as_a_late_command_and_only_once(name: str) -> None:
    window = WINDOWS[name]
    swept, late = window.starts(), window.starts()
    swept.wait(window.lasts).sweep()
    window.answer(late.wait(window.lasts))
    assert swept.last is not None
    assert late.last is not None
    assert swept.last.recorded == late.last.recorded
    assert swept.sweep().happened() == []


@pytest.mark.parametrize("name", WINDOWS)
def test_a_sweep_that_comes_too_early_does_nothing(name: str) -> None:
    window = WINDOWS[name]
    story = window.starts().wait(window.lasts - TICK).sweep()
    assert (story.code(), story.happened()) == (None, [APPROACHING] * window.reminders)


@pytest.mark.parametrize("name", WINDOWS)
def test_an_open_window_shows_when_it_ends_and_what_then_happens(name: str) -> None:
    window = WINDOWS[name]
    story = window.starts()
    (clock,) = clocks(story)
    assert (clock.kind.value, clock.due_at, clock.action) == (name.upper(), story.now + window.lasts, window.silence[0])
    assert clock.in_favour_of == (Side.FREELANCER if name == "review" else None)
    assert next_deadline(story.state) == clock
    subject = None if name == "offer" else clock
    assert next_deadline(story.state, story.milestone(1).id) == subject
    assert next_deadline(story.state, story.milestone(2).id) is None
    window.answer(story)
    assert all(other.kind != clock.kind for other in deadlines(story.state))


@pytest.mark.parametrize("name", WINDOWS)
def test_what_is_due_stands_even_if_the_command_behind_it_is_refused(name: str) -> None:
    window = WINDOWS[name]
    story = window.starts().wait(window.lasts)
    story.do(c.Revise(contract_id=story.id, terms=c.Terms(), plan=(), expected_version=99), CLIENT)
    assert story.code() == "VERSION_CONFLICT"
    assert tuple(story.happened()) == window.silence


@pytest.mark.parametrize(
    ("actor", "code"),
    [(STRANGER, "NOT_FOUND"), (account(FREELANCER_ID, role=Role.VIEWER), "FORBIDDEN")],
    ids=["unseen", "forbidden"],
)
@pytest.mark.parametrize("name", WINDOWS)
def test_who_may_not_act_does_not_even_write_what_is_due(name: str, actor: Actor, code: str) -> None:
    window = WINDOWS[name]
    story = window.starts().wait(window.lasts)
    before = story.state
    story.do(c.Decline(contract_id=story.id), actor)
    assert (story.code(), story.happened()) == (code, [])
    assert story.state is before


@pytest.mark.parametrize("name", WINDOWS)
def test_reading_sees_what_is_due_before_anybody_wrote_it(name: str) -> None:
    window = WINDOWS[name]
    story = window.starts().wait(window.lasts)
    read = advance(story.state, around=story.around(), fresh=counted())
    assert read == story.sweep().state


def test_accepting_an_expired_offer_is_refused_because_it_is_expired_not_because_of_whose_turn_it_is() -> None:
    story = Story().propose(by=FREELANCER).wait(30 * DAY)
    story.do(c.Accept(contract_id=story.id, revision=1), FREELANCER)
    assert (story.code(), story.state.state, story.states()) == ("INVALID_STATE", "EXPIRED", ["CANCELLED"] * 2)


def test_approving_what_silence_released_is_a_late_click() -> None:
    story = active().pay().submit().wait(14 * DAY).approve()
    assert (story.code(), story.happened()) == (None, ["milestone.released"])
    released = story.log[-1].event
    assert isinstance(released, MilestoneReleased)
    assert released.reason is ReleaseReason.AUTO_RELEASED


def test_approving_a_microsecond_before_is_the_clients_own_word() -> None:
    story = active().pay().submit().wait(14 * DAY - TICK).approve()
    released = story.log[-1].event
    assert isinstance(released, MilestoneReleased)
    assert released.reason is ReleaseReason.APPROVED


def test_a_confirmation_on_the_dot_is_late_and_sent_back() -> None:
    story = active().fund()
    deposit_id = story.deposit_id()
    story.wait(72 * HOUR).confirm(deposit_id=deposit_id)
    assert story.happened() == ["deposit.abandoned", "deposit.returned"]
    assert story.milestone().state == "PLANNED"
    abandoned = story.log[-2].event
    assert isinstance(abandoned, DepositAbandoned)
    assert abandoned.reason is AbandonReason.UNANSWERED


def test_a_failure_reported_on_the_dot_changes_nothing_any_more() -> None:
    story = active().fund()
    deposit_id = story.deposit_id()
    story.wait(72 * HOUR).fail(deposit_id=deposit_id)
    assert (story.code(), story.happened()) == (None, ["deposit.abandoned"])


def test_at_the_same_instant_a_deposit_is_abandoned_before_work_is_released() -> None:
    story = Story().propose(windows={"review_hours": 72}).accept().pay()
    story.submit(1).fund(2)
    assert [clock.kind for clock in clocks(story)] == ["DEPOSIT", "REVIEW"]
    story.wait(72 * HOUR).sweep()
    assert story.happened() == ["deposit.abandoned", "milestone.released"]


def test_what_is_due_earlier_happens_earlier_whatever_its_kind() -> None:
    story = Story().propose(windows={"review_hours": 72}).accept().pay().submit(1)
    story.wait(HOUR).fund(2)
    story.wait(90 * DAY).sweep()
    assert story.happened() == ["milestone.released", "deposit.abandoned"]
    first, second = story.log[-2:]
    assert second.at - first.at == HOUR


def test_silence_gives_the_next_milestone_its_turn_at_the_due_time() -> None:
    story = active().pay(1).pay(2).submit(1)
    due_at = story.now + 14 * DAY
    story.wait(100 * DAY).sweep()
    assert story.happened() == ["milestone.released", "milestone.activated"]
    assert {recorded.at for recorded in story.log[-2:]} == {due_at}
    assert story.states() == ["RELEASED", "ACTIVE"]


def test_silence_on_the_last_milestone_completes_the_contract_at_the_due_time() -> None:
    story = active("100.00").pay().submit()
    due_at = story.now + 14 * DAY
    story.wait(100 * DAY).sweep()
    assert story.happened() == ["milestone.released", "contract.completed"]
    assert {recorded.at for recorded in story.log[-2:]} == {due_at}


def test_work_submitted_after_an_unwritten_deadline_meets_the_state_that_the_deadline_left() -> None:
    story = active().pay(1).pay(2).submit(1).wait(15 * DAY).submit(2)
    assert story.code() is None
    assert story.happened() == ["milestone.released", "milestone.activated", "milestone.submitted"]


def test_asking_for_changes_stops_the_clock_and_a_resubmission_starts_a_fresh_window() -> None:
    story = active().pay().submit().wait(10 * DAY).request_changes()
    assert next_deadline(story.state) is None
    assert story.wait(179 * DAY).sweep().happened() == []
    story.submit()
    assert [clock.due_at for clock in clocks(story)] == [story.now + 14 * DAY]
    assert story.milestone().submissions == 2


def test_the_offer_window_starts_anew_with_each_revision() -> None:
    story = Story().propose().wait(29 * DAY).revise()
    due_at = story.now + 30 * DAY
    assert [clock.due_at for clock in clocks(story)] == [due_at]
    assert story.until(due_at - TICK).sweep().happened() == []
    assert story.until(due_at).sweep().state.state == "EXPIRED"


def test_a_revision_on_the_dot_comes_too_late() -> None:
    story = Story().propose().wait(30 * DAY).revise()
    assert (story.code(), story.state.state) == ("INVALID_STATE", "EXPIRED")


def test_a_revision_that_omits_windows_keeps_the_former_ones() -> None:
    story = Story().propose(windows={"offer_hours": 48, "review_hours": 72, "mediation_hours": 24})
    story.revise(terms=c.Terms(windows={"review_hours": 96}))
    windows = story.state.windows
    assert (windows.offer_hours, windows.review_hours, windows.mediation_hours) == (48, 96, 24)
    assert windows.deposit_hours == 72


@pytest.mark.parametrize(
    ("name", "default", "least", "most"),
    [
        ("offer_hours", 30 * 24, 1, 90 * 24),
        ("deposit_hours", 72, 1, 90 * 24),
        ("review_hours", 14 * 24, 48, 90 * 24),
        ("refund_answer_hours", 7 * 24, 48, 90 * 24),
        ("dispute_answer_hours", 7 * 24, 48, 90 * 24),
        ("mediation_hours", 30 * 24, 24, 90 * 24),
    ],
)
def test_each_window_has_the_laws_default_and_bounds(name: str, default: int, least: int, most: int) -> None:
    assert getattr(Story().propose().state.windows, name) == default
    for hours in (least, most):
        assert getattr(Story().propose(windows={name: hours}).state.windows, name) == hours
    for hours in (least - 1, most + 1, 0, -1, 10**12):
        story = Story().propose(windows={name: hours})
        assert (story.code(), story.contract) == ("INVALID_INPUT", None)


def test_a_window_that_does_not_exist_is_refused() -> None:
    assert Story().propose(windows={"nap_hours": 48}).code() == "INVALID_INPUT"


def test_the_longest_and_the_shortest_windows_end_when_they_say() -> None:
    story = Story().propose(windows={"offer_hours": 1, "deposit_hours": 2160, "review_hours": 48})
    offered: datetime = story.now
    assert clocks(story)[0].due_at == offered + HOUR
    story.accept().fund()
    assert clocks(story)[0].due_at == offered + 90 * DAY
    story.confirm().submit()
    assert clocks(story)[0].due_at == offered + 2 * DAY
