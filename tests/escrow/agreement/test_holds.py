"""Holds: what they freeze, what concessions may do under them, when the review goes on, and who is barred afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pytest

from escrow.access import Actor, Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import DeadlineKind, deadlines
from escrow.ids import Kind
from escrow.states import Hold, MilestoneState
from tests.escrow.agreement.stage import CLIENT, FREELANCER, HOUR, TICK, Story, active, reaching

BAR = timedelta(hours=48)
REVIEW = timedelta(days=14)

HOLDS: Final[dict[str, Callable[[Story], Story]]] = {
    "refund request": lambda story: story.request_refund(),
    "client's dispute": lambda story: story.open_dispute(claim="10.00"),
    "freelancer's dispute": lambda story: story.open_dispute(claim="90.00", by=FREELANCER),
    "mediation": lambda story: story.open_dispute(claim="10.00").reject_claim(),
    "declined request": lambda story: story.request_refund().decline_refund(),
}
each_hold = pytest.mark.parametrize("hold", HOLDS.values(), ids=HOLDS)
WORKED_ON = [MilestoneState.ACTIVE, MilestoneState.SUBMITTED, MilestoneState.CHANGES_REQUESTED]


@each_hold
@pytest.mark.parametrize("state", WORKED_ON)
def test_a_hold_freezes_every_ordinary_command(hold: Callable[[Story], Story], state: MilestoneState) -> None:
    story = hold(reaching(state))
    assert story.code() is None
    before = story.state
    milestone_id = story.milestone().id
    ordinary: list[tuple[c.Command, Actor]] = [
        (c.Submit(milestone_id=milestone_id, submission_id=story.fresh(Kind.SUBMISSION), message="x"), FREELANCER),
        (c.RequestChanges(milestone_id=milestone_id, note="x"), CLIENT),
        (c.RequestRefund(milestone_id=milestone_id, refund_id=story.fresh(Kind.REFUND_REQUEST)), CLIENT),
        (c.GiveRefund(milestone_id=milestone_id, amount=story.money("1.00")), FREELANCER),
        (c.Approve(milestone_id=milestone_id, amount=story.money("1.00")), CLIENT),
    ]
    for command, actor in ordinary:
        story.do(command, actor)
        assert (story.code(), story.happened()) == ("INVALID_STATE", []), command
    assert story.state is before


@each_hold
@pytest.mark.parametrize("state", WORKED_ON)
def test_concessions_work_under_any_hold_and_end_it(hold: Callable[[Story], Story], state: MilestoneState) -> None:
    approved = hold(reaching(state)).approve()
    assert (approved.milestone().state, approved.milestone().hold) == ("RELEASED", "NONE")
    given = hold(reaching(state)).give_refund()
    assert (given.milestone().state, given.milestone().hold) == ("REFUNDED", "NONE")
    for story, outcome in ((approved, "APPROVED"), (given, "REFUND_GIVEN")):
        if story.state.disputes:
            assert story.dispute().state == "RESOLVED"
            (resolved,) = [one.event for one in story.log if one.event.type == "dispute.resolved"]
            assert getattr(resolved, "outcome", None) == outcome
        assert not deadlines(story.state)


def test_a_concession_that_names_the_whole_sum_is_a_full_one() -> None:
    story = active().pay().open_dispute()
    story.do(c.Approve(milestone_id=story.milestone().id, amount=story.money("100.00")), CLIENT)
    assert (story.code(), story.milestone().state) == (None, "RELEASED")
    story = active().pay().open_dispute().give_refund(amount="100.00")
    assert (story.code(), story.milestone().state) == (None, "REFUNDED")


@pytest.mark.parametrize("hold", [HOLDS["refund request"], HOLDS["client's dispute"]])
def test_what_waits_for_its_turn_is_not_approved_even_as_a_concession(hold: Callable[[Story], Story]) -> None:
    story = active("10.00", "20.00").pay(1).pay(2)
    story.request_refund(2) if hold is HOLDS["refund request"] else story.open_dispute(2)
    story.approve(2)
    assert (story.code(), story.milestone(2).state) == ("OUT_OF_SEQUENCE", "FUNDED")
    assert story.give_refund(2).milestone(2).state == "REFUNDED"


def test_the_review_clock_stands_still_under_a_hold_and_goes_on_with_what_was_left() -> None:
    story = active().pay().submit().wait(timedelta(days=3)).request_refund()
    assert {clock.kind for clock in deadlines(story.state)} == {DeadlineKind.REFUND, DeadlineKind.REMINDER}
    story.wait(timedelta(days=6)).withdraw_refund()
    assert story.milestone().review_due_at == story.now + REVIEW - timedelta(days=3)
    story.until(story.now + timedelta(days=11) - TICK).sweep()
    assert story.milestone().state == "SUBMITTED"
    story.wait(TICK).sweep()
    assert story.milestone().state == "RELEASED"


def test_what_goes_on_has_never_less_than_forty_eight_hours() -> None:
    story = active().pay().submit().wait(REVIEW - HOUR).request_refund().wait(HOUR).withdraw_refund()
    assert story.milestone().review_due_at == story.now + BAR
    assert story.milestone().review_resumed_at == story.now


def test_two_holds_one_after_the_other_each_take_what_was_left_then() -> None:
    story = active().pay().submit().wait(timedelta(days=4)).request_refund().wait(HOUR).withdraw_refund()
    story.wait(timedelta(days=5)).open_dispute().wait(HOUR).withdraw_dispute()
    assert story.milestone().review_due_at == story.now + timedelta(days=5)


def test_a_hold_that_passes_from_a_request_to_a_dispute_freezes_the_review_from_its_first_moment() -> None:
    story = active().pay().submit().wait(timedelta(days=4)).request_refund().wait(timedelta(days=5)).decline_refund()
    story.wait(HOUR).withdraw_dispute(by=FREELANCER).withdraw_dispute(by=CLIENT)
    assert story.happened() == ["dispute.withdrawn"]
    assert story.milestone().review_due_at == story.now + timedelta(days=10)


def test_a_review_that_goes_on_is_announced_for_what_its_new_window_is_long_enough_for() -> None:
    story = active().pay().submit().wait(REVIEW - HOUR).sweep().request_refund().wait(HOUR).withdraw_refund()
    story.wait(timedelta(hours=36)).sweep()
    assert story.happened() == ["milestone.deadline_approaching"]
    assert story.milestone().reminded_hours == 12


def barred(story: Story, actor: Actor) -> str | None:
    side = Side.CLIENT if actor is CLIENT else Side.FREELANCER
    if side is Side.CLIENT:
        story.request_refund()
        code = story.code()
        assert story.open_dispute(by=actor).code() == code or code is None
        return code
    return story.open_dispute(claim="1.00", by=actor).code()


def test_whoever_started_a_hold_may_start_no_other_for_forty_eight_hours_and_the_other_side_may() -> None:
    story = active().pay().submit().open_dispute(claim="50.00", by=FREELANCER).withdraw_dispute(by=FREELANCER)
    assert story.milestone().barred_until(Side.FREELANCER) == story.now + BAR
    assert barred(story, FREELANCER) == "INVALID_STATE"
    story.wait(BAR - TICK)
    assert barred(story, FREELANCER) == "INVALID_STATE"
    story.request_refund()
    assert story.code() is None
    story.withdraw_refund().wait(TICK)
    assert barred(story, FREELANCER) is None


def test_a_bar_says_until_when_it_lasts() -> None:
    story = active().pay().request_refund().withdraw_refund().request_refund()
    assert story.last is not None
    assert story.last.refusal is not None
    assert story.last.refusal.details == {"barredUntil": (story.now + BAR).isoformat()}


def test_a_bar_is_for_one_milestone() -> None:
    story = active("10.00", "20.00").pay(1).pay(2).request_refund(1).withdraw_refund(1).request_refund(2)
    assert story.code() is None


def test_answering_a_refund_request_is_never_barred() -> None:
    def withdrawn() -> Story:
        story = active().pay().submit().open_dispute(claim="50.00", by=FREELANCER).withdraw_dispute(by=FREELANCER)
        return story.request_refund()

    assert withdrawn().decline_refund().code() is None
    assert withdrawn().open_dispute(claim="50.00", by=FREELANCER).code() is None


def test_nobody_is_barred_by_a_request_that_a_dispute_answered_and_its_opener_is_by_the_dispute() -> None:
    story = active().pay().request_refund().decline_refund()
    assert story.milestone().client_barred_until is None
    story.withdraw_dispute(by=CLIENT).withdraw_dispute(by=FREELANCER)
    assert story.happened() == ["dispute.withdrawn"]
    assert story.milestone().client_barred_until is None
    assert story.milestone().freelancer_barred_until == story.now + BAR
    assert story.request_refund().code() is None


def test_a_partial_refund_that_was_asked_for_bars_the_client_and_one_that_was_given_bars_nobody() -> None:
    asked = active().pay().request_refund(amount="1.00").accept_refund()
    assert asked.milestone().client_barred_until == asked.now + BAR
    given = active().pay().give_refund(amount="1.00")
    assert given.milestone().client_barred_until is None


def test_other_milestones_go_on_while_one_is_on_hold() -> None:
    story = active("10.00", "20.00").pay(1).pay(2).request_refund(2).submit(1).approve(1)
    assert (story.code(), story.states()) == (None, ["RELEASED", "FUNDED"])
    assert story.milestone(2).hold is Hold.REFUND_REQUEST


def test_plans_and_payouts_are_not_frozen_by_a_hold() -> None:
    story = active("10.00", "20.00").pay(1).open_dispute(1).edit(2, title="Another").add("5.00").fund(2)
    assert story.code() is None
    assert story.milestone(2).title == "Another"


def test_two_clocks_at_one_instant_ring_in_the_laws_order_then_by_position() -> None:
    story = Story().propose("10.00", "20.00", windows={"review_hours": 168, "dispute_answer_hours": 168}).accept()
    story.pay(1).pay(2).submit(1).open_dispute(2)
    story.wait(timedelta(days=7)).sweep()
    assert story.happened()[:3] == ["milestone.released", "dispute.resolved", "milestone.refunded"]
    story = Story().propose("10.00", "20.00", "30.00").accept().pay(1).pay(2)
    story.open_dispute(1).request_refund(2).wait(timedelta(days=7)).sweep()
    assert story.happened()[:3] == ["milestone.refunded", "dispute.resolved", "milestone.refunded"]
