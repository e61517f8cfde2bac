"""Money that the payment provider may hold only so long: told early, and at its end decided about or back with the client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from escrow.access import Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import DeadlineKind, deadlines, next_deadline
from escrow.agreement.events import DepositConfirmed, DepositHoldEnding, DisputeOpened, MilestoneRefunded, RefundReason
from escrow.states import DisputeState, RefundState
from escrow.terms import Terms
from tests.escrow.agreement.acts import LOST, WON, approve, deposit, fund_all, resolve, reverse, sound
from tests.escrow.agreement.stage import CLIENT, FREELANCER, HOUR, MEDIATOR, TICK, Story

DAY = 24 * HOUR
WEEK = {
    "review_hours": 7 * 24,
    "refund_answer_hours": 7 * 24,
    "dispute_answer_hours": 7 * 24,
    "mediation_hours": 7 * 24,
}
"""Windows that take three weeks together at most."""


def proposed(*amounts: str, days: int = 60, windows: dict[str, int] | None = None) -> Story:
    """A proposal where the provider may hold money for so many days."""
    story = Story(terms=Terms(usual_hold_limit=timedelta(days=days)))
    return story.propose(*amounts, by=CLIENT, windows=windows if windows is not None else WEEK)


def limited(*amounts: str, days: int = 60) -> Story:
    return proposed(*amounts, days=days).accept()


def limit(story: Story, position: int = 1) -> datetime:
    until = story.milestone(position).hold_until
    assert until is not None, "it may be held for ever"
    return until


def told(story: Story) -> list[tuple[datetime, int]]:
    return [(one.at, one.event.hours_left) for one in story.log if isinstance(one.event, DepositHoldEnding)]


def test_what_comes_may_be_held_until_a_mediation_window_before_the_providers_own_limit() -> None:
    story = limited("100.00", "50.00").pay()
    assert deposit(story).hold_until == limit(story) == story.now + 60 * DAY - 7 * DAY
    assert story.milestone(2).hold_until is None
    sound(story)


def test_without_a_limit_nothing_is_different() -> None:
    story = Story().propose("100.00", "50.00").accept().pay()
    assert (deposit(story).hold_until, story.milestone().hold_until, deadlines(story.state)[1:]) == (None, None, ())
    confirmed = next(one.event for one in story.log if isinstance(one.event, DepositConfirmed))
    assert confirmed.hold_until is None
    assert story.wait(1000 * DAY).sweep().happened() == ["contract.dormant"]


def test_what_comes_when_its_windows_no_longer_fit_goes_back_at_once() -> None:
    story = limited("100.00").fund()
    story.terms = Terms(usual_hold_limit=timedelta(days=6))
    assert limit(story.confirm()) == story.now
    assert story.sweep().happened() == ["milestone.unfunded"]
    sound(story)


def test_the_end_is_told_thirty_days_a_week_and_a_day_before_each_to_the_microsecond() -> None:
    story = limited("100.00").pay()
    until = limit(story)
    for hours in (720, 168, 24):
        at = until - hours * HOUR
        assert story.until(at - TICK).sweep().happened() == []
        assert story.until(at).sweep().happened() == ["deposit.hold_ending"]
        assert story.sweep().happened() == [], "once"
    assert told(story) == [(until - 720 * HOUR, 720), (until - 168 * HOUR, 168), (until - 24 * HOUR, 24)]
    assert story.log[-1].event == DepositHoldEnding(
        deposit_id=deposit(story).id,
        milestone_id=story.milestone().id,
        hold_until=until,
        action="milestone.unfunded",
        in_favour_of=Side.CLIENT,
        hours_left=24,
    )
    assert story.log[-1].actor.kind == "CLOCK"
    sound(story)


@pytest.mark.parametrize(
    ("days", "hours"), [(22, [168, 24]), (14 + 7, [168, 24]), (37, [168, 24]), (38, [720, 168, 24])]
)
def test_what_the_time_is_too_short_for_is_not_told(days: int, hours: list[int]) -> None:
    story = limited("100.00", days=days).pay()
    story.until(limit(story) - TICK).sweep()
    assert [left for _, left in told(story)] == hours


def test_nothing_is_told_after_the_fact() -> None:
    story = limited("100.00").pay().wait(365 * DAY).sweep()
    assert story.happened() == ["milestone.unfunded"]
    assert story.last is not None
    assert story.last.recorded[0].at == story.log[-1].at == story.log[-2].at + 53 * DAY, "late is late"


def test_everybody_sees_the_end_as_what_happens_next() -> None:
    story = limited("100.00").pay()
    clock = next_deadline(story.state, story.milestone().id)
    assert clock is not None
    assert (clock.kind, clock.due_at, clock.action, clock.in_favour_of) == (
        DeadlineKind.HOLD_LIMIT, limit(story), "milestone.unfunded", Side.CLIENT
    )  # fmt: skip
    story.submit()
    clock = next_deadline(story.state)
    assert clock is not None
    assert clock.action == "milestone.released", "the review ends before"


# -- what comes of it -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """What is held when its time is over, and what then becomes of it."""

    build: Callable[[], Story]
    happens: tuple[str, ...]
    states: tuple[str, ...]
    hold: str = "NONE"


def _late(story: Story, before: timedelta = HOUR) -> Story:
    """So long before what the first milestone holds may be held no longer."""
    return story.until(limit(story) - before)


MEDIATED = ("dispute.opened", "dispute.mediation_started")

ENDS = {
    "a proposal's": End(
        lambda: proposed("100.00", windows={**WEEK, "offer_hours": 90 * 24}).fund(revision=1).confirm(),
        ("milestone.unfunded",),
        ("PLANNED",),
    ),
    "nothing was handed in": End(
        lambda: limited("100.00", "50.00").pay(), ("milestone.unfunded",), ("PLANNED", "PLANNED")
    ),
    "everything was deposited at once": End(
        lambda: fund_all(limited("100.00", "50.00", "20.00")).confirm(),
        ("milestone.unfunded",) * 3,
        ("PLANNED",) * 3,
    ),
    "the next one was funded later": End(
        lambda: limited("100.00", "50.00").pay().wait(DAY).pay(2),
        ("milestone.refunded", "milestone.activated"),
        ("REFUNDED", "ACTIVE"),
    ),
    "the next one waits for its deposit": End(
        lambda: _late(limited("100.00", "50.00").pay()).fund(2),
        ("milestone.refunded",),
        ("REFUNDED", "FUNDING"),
    ),
    "it was handed in": End(lambda: _late(limited("100.00").pay()).submit(), MEDIATED, ("SUBMITTED",), "DISPUTE"),
    "it was sent back": End(
        lambda: limited("100.00").pay().submit().request_changes(), MEDIATED, ("CHANGES_REQUESTED",), "DISPUTE"
    ),
    "a refund was asked for": End(
        lambda: _late(limited("100.00").pay()).request_refund(), MEDIATED, ("ACTIVE",), "DISPUTE"
    ),
    "the client is ending": End(lambda: _late(limited("100.00").pay()).end(), MEDIATED, ("ACTIVE",), "DISPUTE"),
    "they argue": End(
        lambda: _late(limited("100.00").pay()).open_dispute(), ("dispute.mediation_started",), ("ACTIVE",), "DISPUTE"
    ),
    "a mediator decides already": End(
        lambda: _late(limited("100.00").pay()).open_dispute().reject_claim(), (), ("ACTIVE",), "DISPUTE"
    ),
    "the deposits came apart": End(
        lambda: limited("100.00", "50.00").pay().submit().pay(2).approve(1).wait(DAY).submit(2).request_changes(2),
        MEDIATED,
        ("RELEASED", "CHANGES_REQUESTED"),
        "DISPUTE",
    ),
}


def but_for_notices(story: Story) -> tuple[str, ...]:
    """What happened in the last step, but for what was told of ends that lie ahead."""
    return tuple(one for one in story.happened() if one != "deposit.hold_ending")


def last_limit(story: Story) -> datetime:
    return min(one.hold_until for one in story.state.milestones if one.hold_until is not None)


@pytest.mark.parametrize("name", ENDS)
def test_at_its_end_money_goes_where_the_law_says_and_not_a_moment_before(name: str) -> None:
    end = ENDS[name]
    story = end.build()
    until = last_limit(story)
    held = story.state.held_minor
    story.until(until - TICK).sweep()
    assert story.state.held_minor == held
    story.until(until).sweep()
    assert but_for_notices(story) == end.happens
    assert tuple(story.states()) == end.states
    assert next(one.hold.value for one in story.state.milestones if not one.is_closed) == end.hold
    assert {one.actor.kind for one in (story.last.recorded if story.last else ())} <= {"CLOCK"}
    sound(story)


def test_what_could_not_be_planned_again_says_why_it_was_refunded() -> None:
    story = ENDS["the next one was funded later"].build()
    story.until(limit(story)).sweep()
    refunded = next(one.event for one in story.log if isinstance(one.event, MilestoneRefunded))
    assert refunded.reason is RefundReason.HOLD_ENDED
    assert story.milestone(2).hold_until is not None


def test_what_is_planned_again_can_be_funded_again_and_has_its_whole_time_then() -> None:
    story = limited("100.00", "50.00").pay()
    story.until(limit(story)).sweep()
    assert (story.milestone().hold_until, story.milestone().hold_told_hours) == (None, None)
    story.wait(5 * DAY).pay()
    assert (story.milestone().state, limit(story)) == ("ACTIVE", story.now + 53 * DAY)
    sound(story)


def test_a_dispute_that_nobody_opened_stands_in_the_freelancers_name_for_all_that_is_held() -> None:
    story = ENDS["it was sent back"].build()
    story.until(limit(story)).sweep()
    opened = next(one.event for one in story.log if isinstance(one.event, DisputeOpened))
    assert (opened.by_hold_limit, opened.opened_by, opened.claim) == (True, Side.FREELANCER, story.state.money(10_000))
    dispute = story.dispute()
    assert (dispute.state, dispute.by_hold_limit, dispute.silence_pays) == (DisputeState.MEDIATION, True, False)
    assert dispute.due_at == story.now + 7 * DAY
    sound(story)


@pytest.mark.parametrize("amount", [None, "40.00"])
def test_a_request_that_nobody_answered_is_overtaken_and_its_answer_is_the_mediators(amount: str | None) -> None:
    story = _late(limited("100.00").pay()).request_refund(amount=amount)
    refund = story.refund()
    story.until(limit(story)).sweep()
    assert story.state.refunds[refund.id].state is RefundState.OVERTAKEN
    assert story.dispute().answers_refund_id == refund.id
    story.wait(30 * DAY).sweep()
    assert story.states() == ["ACTIVE"], "its silence does nothing any more"
    sound(story)


WAYS_ON = {
    "settle": lambda story: story.offer("30.00", by=CLIENT).accept_offer("30.00", by=FREELANCER),
    "approve": lambda story: story.approve(),
    "give back": lambda story: story.give_refund(),
    "accept the claim": lambda story: story.accept_claim(by=CLIENT),
    "decide": lambda story: story.decide("12.34", by=MEDIATOR),
}


@pytest.mark.parametrize("way", WAYS_ON)
def test_both_may_still_settle_or_concede_and_the_mediator_decides(way: str) -> None:
    story = ENDS["it was handed in"].build()
    story.until(limit(story)).sweep().wait(DAY)
    WAYS_ON[way](story)
    assert story.code() is None
    assert (story.milestone().is_closed, story.milestone().hold_until) == (True, None)
    sound(story)


@pytest.mark.parametrize("name", ["it was handed in", "a mediator decides already"])
def test_what_may_be_held_no_longer_is_not_left_where_it_is(name: str) -> None:
    """A dispute can be taken back before, if both want to; not after."""
    story = ENDS[name].build()
    story.until(limit(story) - TICK)
    if story.milestone().hold == "DISPUTE":
        story.withdraw_dispute(by=CLIENT)
        assert story.code() is None
    story.until(limit(story)).sweep()
    before = story.state
    for side in (CLIENT, FREELANCER):
        story.withdraw_dispute(by=side)
        assert (story.code(), story.state) == ("INVALID_STATE", before)
    sound(story)


def test_what_ends_at_the_same_moment_was_in_time() -> None:
    story = limited("100.00").pay()
    story.until(limit(story) - 7 * DAY).submit()
    story.until(limit(story)).sweep()
    assert story.happened()[-2:] == ["milestone.released", "contract.completed"]
    other = limited("100.00").pay()
    other.until(limit(other) - 7 * DAY).request_refund(amount="40.00")
    other.until(limit(other)).sweep()
    assert other.happened()[-2:] == ["milestone.partly_refunded", "milestone.unfunded"], (
        "the request first, then the rest"
    )
    sound(other)


def test_whoever_comes_too_late_finds_what_the_law_made_of_it() -> None:
    story = ENDS["nothing was handed in"].build()
    story.until(limit(story)).submit()
    assert (story.code(), story.states()) == ("INVALID_STATE", ["PLANNED", "PLANNED"])
    other = ENDS["it was handed in"].build()
    other.until(limit(other)).request_changes()
    assert (other.code(), other.milestone().hold) == ("INVALID_STATE", "DISPUTE")


# -- money that moves -------------------------------------------------------------------------------------------------


def test_what_rolls_forward_takes_its_limit_along_and_what_goes_back_takes_it_away() -> None:
    story = limited("100.00", "50.00").pay().submit().wait(3 * DAY).pay(2)
    first, second = limit(story, 1), limit(story, 2)
    assert second == first + 3 * DAY
    approve(story, amount="60.00")
    assert (story.milestone(1).hold_until, limit(story, 2)) == (None, first), "the older money has to go first"
    story.give_refund(2, amount="40.00")
    assert limit(story, 2) == second, "it has gone"
    sound(story)


def test_the_end_of_a_hold_is_what_the_limit_was_when_the_money_came_not_what_it_is_now() -> None:
    story = limited("100.00", "50.00").pay()
    until = limit(story)
    story.terms = Terms(usual_hold_limit=timedelta(days=30))
    assert limit(story.submit().approve().pay(2), 2) == story.now + 23 * DAY
    assert deposit(story, 0).hold_until == until


@pytest.mark.parametrize("outcome", [WON, LOST])
def test_while_a_reversal_freezes_it_nothing_happens_and_afterwards_it_has_two_days(outcome: object) -> None:
    story = _late(limited("100.00").pay().submit().request_changes())
    until, deposit_id = limit(story), deposit(story).id
    reverse(story, deposit_id)
    story.until(until + 10 * DAY).sweep()
    assert story.happened() == []
    resolve(story, deposit_id, outcome)  # type: ignore[arg-type]
    if outcome is LOST:
        assert (story.states(), story.milestone().hold_until) == (["REFUNDED"], None)
    else:
        assert limit(story) == story.now + 2 * DAY
        story.until(limit(story)).sweep()
        assert but_for_notices(story) == MEDIATED
    sound(story)


def test_a_limit_that_lies_ahead_is_not_moved_by_a_reversal_that_is_won() -> None:
    story = limited("100.00").pay()
    until, deposit_id = limit(story), deposit(story).id
    reverse(story, deposit_id).wait(10 * DAY)
    resolve(story, deposit_id, WON)
    assert limit(story) == until


def test_the_operator_is_told_of_silence_although_a_limit_lies_far_ahead() -> None:
    story = limited("100.00", days=730).pay().wait(181 * DAY).sweep()
    assert story.happened() == ["contract.dormant"]


# -- windows that don't fit -------------------------------------------------------------------------------------------


def test_windows_that_do_not_fit_are_refused_before_anything_is_written() -> None:
    fits = proposed("100.00", days=21)
    assert (fits.code(), fits.happened()[0]) == (None, "contract.proposed")
    story = proposed("100.00", days=20)
    assert (story.code(), story.contract, story.log) == ("INVALID_INPUT", None, [])
    assert story.last is not None
    assert story.last.refusal is not None
    assert story.last.refusal.field == "windows"
    assert story.last.refusal.details == {"hours": 504, "hoursMax": 480}
    assert "at most 480" in story.last.refusal.message


def test_the_usual_windows_fit_into_ninety_days_and_not_into_ten() -> None:
    assert proposed("100.00", days=90, windows={}).code() is None
    assert proposed("100.00", days=10, windows={}).code() == "INVALID_INPUT"


@pytest.mark.parametrize("name", ["review_hours", "refund_answer_hours", "dispute_answer_hours", "mediation_hours"])
def test_a_counter_offer_with_such_windows_is_refused_too(name: str) -> None:
    story = proposed("100.00", days=21)
    before = story.state
    story.revise("90.00", terms=c.Terms(windows={name: 7 * 24 + 1}))
    assert (story.code(), story.state) == ("INVALID_INPUT", before)
    story.revise("90.00", terms=c.Terms(windows={name: 7 * 24 - 1}))
    assert story.code() is None


def test_the_offer_and_the_deposit_hold_nothing_and_may_take_as_long_as_they_like() -> None:
    assert proposed("100.00", days=21, windows={**WEEK, "offer_hours": 2160, "deposit_hours": 2160}).code() is None


def test_nor_is_anything_deposited_for_windows_that_fit_before_and_no_longer_do() -> None:
    story = limited("100.00", "50.00", days=21)
    story.terms = replace(story.terms, usual_hold_limit=timedelta(days=20))
    before = story.state
    assert (story.fund().code(), story.state) == ("INVALID_INPUT", before)
    assert (fund_all(story).code(), story.state) == ("INVALID_INPUT", before)
    story.terms = Terms()
    assert story.fund().code() is None


def test_the_limit_is_that_of_the_platforms_country() -> None:
    terms = Terms(usual_hold_limit=90 * DAY, hold_limit_by_country={"TH": 10 * DAY}, country="TH")
    story = Story(terms=terms).propose("100.00", windows=WEEK)
    assert story.code() == "INVALID_INPUT"
    story.terms = replace(terms, country="DE")
    assert story.propose("100.00", windows=WEEK).accept().pay().code() is None
    assert limit(story) == story.now + 83 * DAY
