"""Ending a contract early: the client asks back what is held, the freelancer gives it up, and ending wins over completion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from escrow.access import Actor, Role
from escrow.agreement import commands as c
from escrow.agreement.deadlines import deadlines
from escrow.agreement.events import ContractEnded
from escrow.ids import Kind
from escrow.states import ContractState, Hold, RefundState
from tests.escrow.agreement.stage import CLIENT, FREELANCER, HOUR, MEDIATOR, OPERATOR, Story, account, active

BAR = timedelta(hours=48)
WEEK = timedelta(days=7)


def two_held() -> Story:
    """Work on the first milestone is submitted, the second waits, the third is planned."""
    return active("100.00", "50.00", "25.00").pay(1).pay(2).submit(1)


# -- by the client --------------------------------------------------------------------------------------------------


def test_with_nothing_held_the_contract_ends_at_once() -> None:
    story = active().end()
    assert story.happened() == [
        "contract.end_requested",
        "milestone.cancelled",
        "milestone.cancelled",
        "contract.ended",
    ]
    assert (story.state.state, story.states()) == (ContractState.ENDED, ["CANCELLED", "CANCELLED"])
    assert not deadlines(story.state)


def test_each_held_milestone_is_asked_back_and_answered_separately() -> None:
    story = two_held().end()
    assert story.happened() == ["contract.end_requested", "refund.requested", "refund.requested"]
    assert story.state.state is ContractState.ACTIVE
    assert [one.hold for one in story.state.milestones] == ["REFUND_REQUEST", "REFUND_REQUEST", "NONE"]
    assert story.refund(1).by_ending
    assert story.refund(1).due_at == story.now + WEEK
    story.accept_refund(1)
    assert (story.states(), story.state.state) == (["REFUNDED", "FUNDED", "PLANNED"], "ACTIVE")
    story.accept_refund(2)
    assert story.happened() == ["refund.accepted", "milestone.refunded", "milestone.cancelled", "contract.ended"]
    assert (story.states(), story.state.state) == (["REFUNDED", "REFUNDED", "CANCELLED"], "ENDED")


def test_silence_ends_it() -> None:
    story = two_held().end().wait(WEEK).sweep()
    assert (story.states(), story.state.state) == (["REFUNDED", "REFUNDED", "CANCELLED"], "ENDED")
    assert story.log[-1].at == story.now


def test_deposits_on_their_way_are_abandoned() -> None:
    story = active().pay(1).fund(2).end()
    assert story.happened() == ["contract.end_requested", "deposit.abandoned", "refund.requested"]
    assert story.states() == ["ACTIVE", "PLANNED"]
    deposit = list(story.state.deposits.values())[-1]
    story.confirm(deposit_id=deposit.id)
    assert story.happened() == ["deposit.returned"]


def test_while_it_is_being_ended_nothing_is_funded_added_or_begun() -> None:
    story = two_held().end()
    assert story.fund(3).code() == "INVALID_STATE"
    assert story.add("1.00").code() == "INVALID_STATE"
    assert story.end().code() == "INVALID_STATE"
    story.accept_refund(1)
    assert story.milestone(2).state == "FUNDED", "its turn doesn't come any more"
    assert story.edit(3, title="Another").code() is None


def test_an_existing_dispute_goes_on_and_a_request_becomes_the_one_it_is() -> None:
    story = active("100.00", "50.00", "25.00").pay(1).pay(2).open_dispute(1).request_refund(2, "10.00").end()
    assert story.happened() == ["contract.end_requested"]
    story.accept_refund(2)
    assert story.happened() == ["refund.accepted", "milestone.partly_refunded", "refund.requested"]
    assert (story.refund(2).by_ending, story.refund(2).amount_minor) == (True, 40_00)
    story.accept_refund(2).accept_claim(1)
    assert story.state.state is ContractState.ENDED


def test_a_hold_that_ends_with_money_still_held_is_replaced_at_once_whatever_the_bars() -> None:
    story = active().pay().submit().open_dispute().end().withdraw_dispute()
    assert story.happened() == ["dispute.withdrawn", "refund.requested"]
    assert story.milestone().hold is Hold.REFUND_REQUEST
    assert story.refund().by_ending
    mine = active().pay().request_refund().end().withdraw_refund()
    assert mine.happened() == ["refund.request_withdrawn", "refund.requested"]


def test_a_request_of_the_ending_is_withdrawn_only_with_the_ending() -> None:
    story = two_held().end().withdraw_refund(1)
    assert (story.code(), story.milestone(1).hold) == ("INVALID_STATE", "REFUND_REQUEST")


def test_a_declined_request_of_the_ending_is_a_dispute_and_its_decision_ends_the_contract() -> None:
    story = active().pay().submit().end().decline_refund()
    assert story.happened() == ["refund.declined", "dispute.opened", "dispute.mediation_started"]
    story.decide("60.00", by=MEDIATOR)
    assert story.happened() == ["dispute.resolved", "milestone.settled", "milestone.cancelled", "contract.ended"]


def test_ending_wins_over_completion() -> None:
    story = active("100.00").pay().end().approve()
    assert (story.happened(), story.state.state) == (["milestone.released", "contract.ended"], "ENDED")


def test_all_closed_and_none_paid_stays_active_until_it_is_ended() -> None:
    story = active("100.00").pay().give_refund()
    assert (story.state.state, story.states()) == ("ACTIVE", ["REFUNDED"])
    assert story.add("5.00").code() is None
    story.remove(2).end()
    assert story.state.state is ContractState.ENDED


def test_the_end_says_what_went_where() -> None:
    story = active("100.00", "50.00").pay(1).approve(1).pay(2).end().accept_refund(2)
    event = story.log[-1].event
    assert isinstance(event, ContractEnded)
    assert (event.requested_by, event.released.minor, event.refunded.minor) == ("CLIENT", 100_00, 50_00)


# -- taking it back -------------------------------------------------------------------------------------------------


def test_an_ending_is_taken_back_with_the_requests_that_it_made() -> None:
    story = two_held().wait(timedelta(days=3)).end().wait(HOUR).withdraw_end()
    assert story.happened() == ["contract.end_withdrawn", "refund.request_withdrawn", "refund.request_withdrawn"]
    assert (story.state.ending, story.states()) == (None, ["SUBMITTED", "FUNDED", "PLANNED"])
    assert story.milestone(1).review_due_at == story.now + timedelta(days=11)
    assert {story.refund(1).state, story.refund(2).state} == {RefundState.WITHDRAWN}
    assert [one.client_barred_until for one in story.state.milestones] == [story.now + BAR, story.now + BAR, None]


def test_a_turn_that_came_meanwhile_is_taken_once_the_ending_is_back() -> None:
    story = active("100.00", "50.00").pay(1).pay(2).end().approve(1)
    assert story.milestone(2).state == "FUNDED"
    story.withdraw_end()
    assert story.happened() == ["contract.end_withdrawn", "refund.request_withdrawn", "milestone.activated"]


def test_it_cant_be_taken_back_once_money_went_to_the_client_and_can_if_it_went_to_the_freelancer() -> None:
    story = two_held().end().accept_refund(2).withdraw_end()
    assert (story.code(), story.state.ending is not None) == ("INVALID_STATE", True)
    story = two_held().give_refund(1, "10.00").end().approve(1).withdraw_end()
    assert story.code() is None


def test_a_dispute_that_answered_the_ending_stays_when_that_is_taken_back() -> None:
    story = two_held().end().decline_refund(1).withdraw_end()
    assert story.happened() == ["contract.end_withdrawn", "refund.request_withdrawn"]
    assert (story.milestone(1).hold, story.milestone(2).hold) == ("DISPUTE", "NONE")


def test_nobody_takes_back_an_ending_that_isnt() -> None:
    assert active().withdraw_end().code() == "INVALID_STATE"


def test_no_ending_while_the_client_is_barred_on_something_held_without_a_hold() -> None:
    story = two_held().end().withdraw_end()
    assert story.end().code() == "INVALID_STATE"
    assert story.wait(BAR).end().code() is None
    barred_elsewhere = two_held().request_refund(1).withdraw_refund(1).approve(1).end()
    assert barred_elsewhere.code() is None, "what is closed counts no more"
    under_a_hold = two_held().request_refund(1).withdraw_refund(1).open_dispute(1, claim="1.00", by=FREELANCER).end()
    assert under_a_hold.code() is None


# -- by the freelancer ----------------------------------------------------------------------------------------------


def test_the_freelancer_gives_up_what_is_held_and_the_contract_is_over() -> None:
    story = two_held().open_dispute(1, claim="90.00", by=FREELANCER).request_refund(2)
    story.end(by=FREELANCER, giving_up="150.00")
    assert story.happened() == [
        "contract.end_requested",
        "dispute.resolved",
        "milestone.refunded",
        "milestone.refunded",
        "milestone.cancelled",
        "contract.ended",
    ]
    assert (story.states(), story.state.state) == (["REFUNDED", "REFUNDED", "CANCELLED"], "ENDED")
    assert (story.dispute(1).state, story.dispute(1).to_freelancer_minor) == ("RESOLVED", 0)
    assert story.refund(2).state is RefundState.OVERTAKEN


def test_another_sum_than_is_held_is_a_version_conflict_and_none_at_all_is_no_input() -> None:
    assert two_held().end(by=FREELANCER, giving_up="149.99").code() == "VERSION_CONFLICT"
    assert two_held().end(by=FREELANCER).code() == "INVALID_INPUT"
    assert two_held().end(by=FREELANCER, giving_up="1.001").code() == "INVALID_INPUT"
    story = active().end(by=FREELANCER, giving_up="0.00")
    assert (story.code(), story.state.state) == (None, "ENDED")


def test_the_client_gives_nothing_up() -> None:
    assert active().end(giving_up="0.00").code() == "INVALID_INPUT"


def test_the_freelancer_may_end_what_the_client_is_ending() -> None:
    story = two_held().end().end(by=FREELANCER, giving_up="150.00")
    assert (story.code(), story.state.state) == (None, "ENDED")


@pytest.mark.parametrize("actor", [MEDIATOR, OPERATOR, account(CLIENT.account_id or "", role=Role.MEMBER)])
def test_only_a_managing_party_ends_a_contract(actor: Actor) -> None:
    story = active().pay().open_dispute().withdraw_dispute().end(by=actor)
    assert (story.code(), story.state.state) == ("FORBIDDEN", "ACTIVE")


@pytest.mark.parametrize("state", [one for one in ContractState if one is not ContractState.ACTIVE])
def test_only_an_active_contract_is_ended(state: ContractState) -> None:
    story = active()
    story.contract = replace(story.state, state=state)
    assert story.end().code() == "INVALID_STATE"


def test_an_ended_contract_takes_no_more_commands_but_payouts() -> None:
    story = active("100.00", "50.00").pay(1).approve(1).end()
    milestone_id = story.milestone(2).id
    story.do(c.Submit(milestone_id=milestone_id, submission_id=story.fresh(Kind.SUBMISSION), message="x"), FREELANCER)
    assert story.code() == "INVALID_STATE"
    assert story.payout().code() is None
