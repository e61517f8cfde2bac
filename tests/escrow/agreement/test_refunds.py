"""Refund requests: all or a part, withdrawn, accepted, declined, left unanswered; and refunds that nobody asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from escrow.access import Side
from escrow.agreement.deadlines import next_deadline
from escrow.agreement.events import MilestonePartlyRefunded, MilestoneRefunded, RefundReason, RefundRequested
from escrow.states import Hold, MilestoneState, RefundState
from tests.escrow.agreement.stage import CLIENT, HOUR, TICK, Story, active, party, reaching

WEEK = timedelta(days=7)
HELD = [MilestoneState.FUNDED, MilestoneState.ACTIVE, MilestoneState.SUBMITTED, MilestoneState.CHANGES_REQUESTED]


def place_of(state: MilestoneState) -> int:
    """Where `reaching` puts the milestone of that state."""
    return 2 if state is MilestoneState.FUNDED else 1


@pytest.mark.parametrize("state", HELD)
def test_whatever_is_held_can_be_asked_back_and_is_on_hold_until_it_is_answered(state: MilestoneState) -> None:
    story, place = reaching(state), place_of(state)
    held = story.milestone(place).held_minor
    story.request_refund(place)
    assert story.happened() == ["refund.requested"]
    milestone, refund = story.milestone(place), story.refund(place)
    assert (milestone.state, milestone.hold, milestone.hold_id) == (state, Hold.REFUND_REQUEST, refund.id)
    assert (refund.state, refund.amount_minor, refund.by_ending) == (RefundState.OPEN, held, False)
    assert refund.due_at == story.now + WEEK
    clock = next_deadline(story.state, milestone.id)
    assert clock is not None
    assert (clock.due_at, clock.action, clock.in_favour_of) == (refund.due_at, "milestone.refunded", Side.CLIENT)


@pytest.mark.parametrize("state", HELD)
def test_an_accepted_request_refunds_everything_with_the_clients_fee(state: MilestoneState) -> None:
    story, place = reaching(state), place_of(state)
    held, fee = story.milestone(place).held_minor, story.milestone(place).held_fee_minor
    story.request_refund(place).accept_refund(place)
    assert story.happened()[:2] == ["refund.accepted", "milestone.refunded"]
    milestone = story.milestone(place)
    assert (milestone.state, milestone.hold, milestone.held_minor, milestone.held_fee_minor) == (
        "REFUNDED",
        "NONE",
        0,
        0,
    )
    assert (milestone.refunded_minor, story.refund(place).state) == (held, RefundState.ACCEPTED)
    assert story.books()[f"transit:{story.id}", "USD"] == held + fee


def test_a_refund_is_the_clients_at_once_in_the_books_and_its_way_back_is_ordered_in_the_same_write() -> None:
    story = active().pay().give_refund()
    (order,) = [one for one in story.state.orders.values() if one.kind == "REFUND"]
    assert (order.state, order.amount.minor) == ("STARTED", 103_00)
    story.order_failed(order.id)
    assert story.payable(Side.CLIENT) == 103_00
    story.order_paid(order.id)
    assert (story.payable(Side.CLIENT), story.books()["clearing:USD", "USD"]) == (0, 0)


def test_silence_refunds_at_the_windows_end_and_not_a_moment_before() -> None:
    story = active().pay().submit().request_refund()
    due_at = story.refund().due_at
    story.until(due_at - TICK).sweep()
    assert story.milestone().state == "SUBMITTED"
    story.until(due_at + 5 * HOUR).sweep()
    assert story.happened() == ["milestone.refunded"]
    fact = story.log[-1]
    assert isinstance(fact.event, MilestoneRefunded)
    assert (fact.at, fact.event.reason, story.refund().state) == (due_at, RefundReason.REQUEST_UNANSWERED, "UNANSWERED")


def test_an_answer_after_the_window_is_late_whoever_was_asleep() -> None:
    story = active().pay().request_refund().wait(WEEK).decline_refund()
    assert (story.code(), story.happened()) == ("INVALID_STATE", ["milestone.refunded"])


def test_a_part_goes_back_lowers_the_amount_and_leaves_the_state() -> None:
    story = active().pay().submit().request_refund(amount="30.00")
    clock = next_deadline(story.state, story.milestone().id)
    assert clock is not None
    assert clock.action == "milestone.partly_refunded"
    story.accept_refund()
    assert story.happened() == ["refund.accepted", "milestone.partly_refunded"]
    milestone = story.milestone()
    assert (milestone.state, milestone.hold) == ("SUBMITTED", "NONE")
    assert (milestone.amount_minor, milestone.held_minor, milestone.held_fee_minor) == (70_00, 70_00, 2_10)
    assert milestone.refunded_minor == 30_00


def test_silence_about_a_part_refunds_the_part_and_the_review_goes_on() -> None:
    story = active().pay().submit().wait(timedelta(days=10)).request_refund(amount="30.00").wait(WEEK).sweep()
    event = story.log[-1].event
    assert isinstance(event, MilestonePartlyRefunded)
    milestone = story.milestone()
    assert (event.reason, milestone.state, milestone.review_due_at) == (
        RefundReason.REQUEST_UNANSWERED,
        "SUBMITTED",
        story.now + timedelta(days=4),
    )
    assert event.review_due_at == milestone.review_due_at
    assert story.refund().state is RefundState.UNANSWERED


@pytest.mark.parametrize("amount", ["0.00", "-1.00", "100.01", "1.001"])
def test_more_than_is_held_or_nothing_cant_be_asked_for_or_given(amount: str) -> None:
    story = active().pay()
    assert story.request_refund(amount=amount).code() == "INVALID_INPUT"
    assert story.give_refund(amount=amount).code() == "INVALID_INPUT"
    assert (story.milestone().hold, story.milestone().held_minor) == ("NONE", 100_00)


def test_a_request_that_names_the_whole_held_sum_is_for_a_full_refund() -> None:
    assert active().pay().request_refund(amount="100.00").accept_refund().states() == ["REFUNDED", "PLANNED"]
    assert active().pay().give_refund(amount="100.00").states() == ["REFUNDED", "PLANNED"]


def test_what_is_withdrawn_is_as_if_nothing_had_been_asked_but_for_the_bar() -> None:
    story = active().pay().request_refund()
    story.wait(HOUR).withdraw_refund()
    assert (story.happened(), story.refund().state) == (["refund.request_withdrawn"], "WITHDRAWN")
    assert (story.milestone().state, story.milestone().hold, story.milestone().hold_id) == ("ACTIVE", "NONE", None)
    assert story.request_refund().code() == "INVALID_STATE"
    story.submit()
    assert story.code() is None


def test_declining_opens_a_dispute_in_mediation_whose_claim_is_everything_unless_it_says_otherwise() -> None:
    story = active().pay().request_refund(amount="10.00").decline_refund()
    assert story.happened() == ["refund.declined", "dispute.opened", "dispute.mediation_started"]
    dispute = story.dispute()
    assert (dispute.state, dispute.opened_by, dispute.claim_minor) == ("MEDIATION", "FREELANCER", 100_00)
    assert (dispute.answers_refund_id, story.refund().state) == (story.refund().id, "DECLINED")
    assert (story.milestone().hold, story.milestone().hold_id) == ("DISPUTE", dispute.id)
    assert active().pay().request_refund().decline_refund(claim="60.00").dispute().claim_minor == 60_00


def test_a_dispute_of_the_freelancer_answers_a_request_even_on_what_waits_for_its_turn() -> None:
    story = reaching(MilestoneState.FUNDED).request_refund(2).open_dispute(2, claim="5.00", by=party(Side.FREELANCER))
    assert story.happened() == ["refund.declined", "dispute.opened", "dispute.mediation_started"]
    assert (story.refund(2).state, story.dispute(2).claim_minor) == ("DECLINED", 5_00)


def test_the_client_cant_dispute_what_it_has_asked_back() -> None:
    story = active().pay().request_refund().open_dispute(by=CLIENT)
    assert (story.code(), story.milestone().hold) == ("INVALID_STATE", "REFUND_REQUEST")


def test_a_request_without_an_answer_ends_when_the_client_approves_or_the_freelancer_gives_everything() -> None:
    approved = active().pay().request_refund(amount="10.00").approve()
    assert (approved.happened(), approved.refund().state) == (["milestone.released"], "OVERTAKEN")
    given = active().pay().request_refund(amount="10.00").give_refund()
    assert (given.happened(), given.refund().state) == (["milestone.refunded"], "OVERTAKEN")


def test_a_part_is_given_only_without_a_hold() -> None:
    story = active().pay().request_refund(amount="10.00").give_refund(amount="10.00")
    assert (story.code(), story.milestone().held_minor) == ("INVALID_STATE", 100_00)


def test_what_was_asked_back_of_a_milestone_that_waits_keeps_it_waiting_and_the_next_one_too() -> None:
    story = active("10.00", "20.00", "30.00").pay(1).pay(2).request_refund(2).approve(1)
    assert story.states() == ["RELEASED", "FUNDED", "PLANNED"]
    story.withdraw_refund(2)
    assert story.happened() == ["refund.request_withdrawn", "milestone.activated"]


def test_slices_of_odd_amounts_lose_nothing_of_the_fee() -> None:
    story = Story(currency="JPY").propose("1001", "1").accept().pay()
    fee = story.milestone().held_fee_minor
    for _ in range(7):
        story.give_refund(amount="97")
        assert story.code() is None
    story.approve()
    books = story.books()
    assert books["fees:JPY", "JPY"] + books[f"transit:{story.id}", "JPY"] + story.payable(Side.FREELANCER) == 1001 + fee
    assert story.milestone().refunded_minor == 7 * 97


def test_the_request_says_what_it_asks_for_and_until_when() -> None:
    story = active().pay().request_refund(amount="12.34")
    event = story.log[-1].event
    assert isinstance(event, RefundRequested)
    assert (event.amount.minor, event.by_ending, event.due_at) == (12_34, False, story.now + WEEK)
