"""Disputes: the claim and its answers, silence, evidence, settlements, mediation, the decision, and taking it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from escrow.access import Actor, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import deadlines, next_deadline
from escrow.agreement.events import DisputeOverdue, DisputeResolved, Event, MilestoneSettled
from escrow.agreement.state import EVIDENCE_MAX, Mediator
from escrow.states import DisputeState, MilestoneState
from tests.escrow.agreement.stage import (
    CLIENT,
    CLIENT_ID,
    EVERY_SCOPE,
    FREELANCER,
    HOUR,
    MEDIATOR,
    MEDIATOR_ID,
    OPERATOR,
    STRANGER,
    TICK,
    Story,
    account,
    active,
    party,
    reaching,
)

WEEK, MONTH, DAY = timedelta(days=7), timedelta(days=30), timedelta(days=1)
HELD = [MilestoneState.ACTIVE, MilestoneState.SUBMITTED, MilestoneState.CHANGES_REQUESTED]


def last(story: Story, event_class: type[Event]) -> Event:
    return next(one.event for one in reversed(story.log) if isinstance(one.event, event_class))


def clock(story: Story) -> tuple[object, ...]:
    found = next_deadline(story.state, story.milestone().id)
    assert found is not None
    return found.due_at, found.action, found.in_favour_of


# -- the claim ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", HELD)
@pytest.mark.parametrize("side", Side)
def test_either_side_can_dispute_what_is_worked_on(state: MilestoneState, side: Side) -> None:
    story = reaching(state).open_dispute(claim="40.00", by=party(side))
    dispute = story.dispute()
    assert (story.happened(), dispute.state, dispute.opened_by) == (["dispute.opened"], "OPEN", side)
    assert (story.milestone().state, story.milestone().hold, dispute.claim_minor) == (state, "DISPUTE", 40_00)
    assert story.state.was_disputed


def test_only_the_client_disputes_what_waits_for_its_turn() -> None:
    assert reaching(MilestoneState.FUNDED).open_dispute(2, by=FREELANCER).code() == "OUT_OF_SEQUENCE"
    assert reaching(MilestoneState.FUNDED).open_dispute(2, by=CLIENT).code() is None


@pytest.mark.parametrize("amount", ["-0.01", "100.01", "1.001"])
def test_a_claim_is_a_part_of_what_is_held(amount: str) -> None:
    assert active().pay().open_dispute(claim=amount).code() == "INVALID_INPUT"
    for whole in ("0.00", "100.00"):
        assert active().pay().open_dispute(claim=whole).code() is None


def test_a_dispute_needs_a_reason() -> None:
    story = active().pay()
    command = c.OpenDispute(milestone_id=story.milestone().id, dispute_id="dsp_1", claim=story.money("0"), reason=" ")
    story.do(command, CLIENT)
    assert (story.code(), story.milestone().hold) == ("INVALID_INPUT", "NONE")


@pytest.mark.parametrize(
    ("claim", "events", "state"),
    [
        ("100.00", ["milestone.released"], "RELEASED"),
        ("0.00", ["milestone.refunded"], "REFUNDED"),
        ("25.00", ["milestone.settled"], "SETTLED"),
    ],
)
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("rejected_first", [False, True])
def test_an_accepted_claim_is_carried_out_also_in_mediation(
    claim: str, events: list[str], state: str, side: Side, rejected_first: bool
) -> None:
    story, other = active().pay().open_dispute(claim=claim, by=party(side)), party(side.other)
    if rejected_first:
        story.reject_claim(by=other)
    story.accept_claim(by=other)
    assert story.happened()[:2] == ["dispute.claim_accepted", "dispute.resolved"]
    assert story.happened()[2:3] == events
    assert (story.milestone().state, story.milestone().hold, story.dispute().state) == (state, "NONE", "RESOLVED")


def test_a_claim_is_answered_by_the_other_side_alone() -> None:
    story = active().pay().open_dispute(by=CLIENT)
    for command in (c.AcceptClaim(dispute_id=story.dispute().id), c.RejectClaim(dispute_id=story.dispute().id)):
        story.do(command, CLIENT)
        assert (story.code(), story.happened()) == ("FORBIDDEN", [])


def test_a_rejected_claim_starts_mediation_once() -> None:
    story = active().pay().open_dispute().reject_claim()
    assert story.happened() == ["dispute.rejected", "dispute.mediation_started"]
    assert story.dispute().state is DisputeState.MEDIATION
    assert story.reject_claim().code() == "INVALID_STATE"


# -- silence --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", HELD)
@pytest.mark.parametrize(("claim", "outcome"), [("0.00", "refunded"), ("40.00", "settled"), ("100.00", "released")])
def test_silence_carries_out_a_clients_claim(state: MilestoneState, claim: str, outcome: str) -> None:
    story = reaching(state).open_dispute(claim=claim)
    due_at = story.now + WEEK
    assert clock(story) == (due_at, f"milestone.{outcome}", Side.CLIENT)
    story.until(due_at - TICK).sweep()
    assert story.dispute().state is DisputeState.OPEN
    story.until(due_at + DAY).sweep()
    assert story.happened()[:2] == ["dispute.resolved", f"milestone.{outcome}"]
    resolved = last(story, DisputeResolved)
    assert isinstance(resolved, DisputeResolved)
    assert resolved.outcome == "CLAIM_UNANSWERED"


def test_silence_carries_out_a_freelancers_claim_on_submitted_work_when_both_windows_are_over() -> None:
    story = active().pay().submit().wait(DAY).open_dispute(claim="80.00", by=FREELANCER)
    review_ends = story.now + timedelta(days=13)
    assert clock(story) == (review_ends, "milestone.settled", Side.FREELANCER)
    story.until(review_ends).sweep()
    assert story.milestone().state == "SETTLED"
    late = active().pay().submit().wait(timedelta(days=13)).open_dispute(claim="80.00", by=FREELANCER)
    assert clock(late)[0] == late.now + WEEK, "the answer's window is the later one"


def test_a_review_that_a_former_hold_prolonged_counts_as_it_would_end() -> None:
    story = active().pay().submit().wait(timedelta(days=2)).request_refund().wait(timedelta(days=5)).withdraw_refund()
    story.wait(HOUR).open_dispute(claim="80.00", by=FREELANCER)
    assert clock(story)[0] == story.now - HOUR + timedelta(days=12)


@pytest.mark.parametrize("state", [MilestoneState.ACTIVE, MilestoneState.CHANGES_REQUESTED])
def test_otherwise_silence_leads_a_freelancers_claim_to_mediation(state: MilestoneState) -> None:
    story = reaching(state).open_dispute(claim="80.00", by=FREELANCER)
    due_at = story.now + WEEK
    assert clock(story) == (due_at, "dispute.mediation_started", None)
    story.until(due_at).sweep()
    assert (story.happened(), story.dispute().state) == (["dispute.mediation_started"], "MEDIATION")
    assert clock(story) == (due_at + MONTH, "dispute.overdue", None)


# -- evidence -------------------------------------------------------------------------------------------------------


def test_both_sides_add_evidence_while_the_dispute_is_open_or_in_mediation_and_not_after() -> None:
    story = active().pay().open_dispute().argue(by=CLIENT).argue(by=CLIENT).argue(by=FREELANCER)
    assert (story.dispute().client_evidence, story.dispute().freelancer_evidence) == (2, 1)
    story.reject_claim().argue(by=account(CLIENT_ID, role=Role.MEMBER))
    assert story.dispute().client_evidence == 3
    assert [one.number for one in story.state.evidence.values()] == [1, 2, 1, 3]
    assert story.decide("1.00").argue(by=CLIENT).code() == "INVALID_STATE"


@pytest.mark.parametrize("actor", [MEDIATOR, OPERATOR])
def test_whoever_decides_adds_no_evidence(actor: Actor) -> None:
    assert active().pay().open_dispute().argue(by=actor).code() == "FORBIDDEN"


def test_evidence_says_something() -> None:
    story = active().pay().open_dispute()
    story.do(c.AddEvidence(dispute_id=story.dispute().id, text=" "), CLIENT)
    assert (story.code(), story.dispute().client_evidence) == ("INVALID_INPUT", 0)
    story.do(c.AddEvidence(dispute_id=story.dispute().id, links=("https://example.com/a",)), CLIENT)
    assert story.code() is None


def test_each_side_has_two_hundred_and_fifty_pieces_of_evidence_and_no_more() -> None:
    story = active().pay().open_dispute()
    for _ in range(EVIDENCE_MAX):
        story.argue()
    assert (story.code(), story.dispute().client_evidence) == (None, 250)
    assert story.argue().code() == "INVALID_INPUT"
    assert story.argue(by=FREELANCER).code() is None


# -- settlements ----------------------------------------------------------------------------------------------------


def test_an_offer_is_accepted_by_the_other_side_by_its_amount_and_splits_what_is_held() -> None:
    story = active().pay().open_dispute().offer("30.00", by=FREELANCER).offer("20.00", by=CLIENT)
    assert (story.dispute().client_offer_minor, story.dispute().freelancer_offer_minor) == (20_00, 30_00)
    story.accept_offer("30.00", by=CLIENT)
    assert story.happened()[:2] == ["dispute.resolved", "milestone.settled"]
    settled = last(story, MilestoneSettled)
    assert isinstance(settled, MilestoneSettled)
    assert (settled.released.minor, settled.refunded.minor, settled.reason) == (30_00, 70_00, "SETTLEMENT")


def test_a_newer_offer_replaces_that_sides_older_one_and_the_old_amount_is_no_longer_accepted() -> None:
    story = active().pay().open_dispute().offer("30.00").offer("25.00")
    assert story.accept_offer("30.00").code() == "VERSION_CONFLICT"
    assert story.milestone().hold == "DISPUTE"
    assert story.accept_offer("25.00").code() is None


def test_an_offer_can_be_withdrawn_and_then_there_is_nothing_to_accept() -> None:
    story = active().pay().open_dispute()
    assert story.withdraw_offer().code() == "INVALID_STATE"
    story.offer("30.00").withdraw_offer()
    assert (story.happened(), story.dispute().client_offer_minor) == (["dispute.settlement_withdrawn"], None)
    assert story.accept_offer("30.00").code() == "INVALID_STATE"


def test_nobody_accepts_an_offer_of_its_own() -> None:
    story = active().pay().open_dispute().offer("30.00").accept_offer("30.00", by=CLIENT)
    assert (story.code(), story.dispute().state) == ("INVALID_STATE", "OPEN")


def test_the_same_offer_again_changes_nothing() -> None:
    assert active().pay().open_dispute().offer("30.00").offer("30.00").happened() == []


@pytest.mark.parametrize(("amount", "state"), [("0.00", "REFUNDED"), ("100.00", "RELEASED")])
def test_an_offer_may_give_everything_to_one_side(amount: str, state: str) -> None:
    story = active().pay().open_dispute(claim="50.00").offer(amount).accept_offer(amount)
    assert story.milestone().state == state


def test_an_offer_of_more_than_is_held_is_none() -> None:
    assert active().pay().open_dispute().offer("100.01").code() == "INVALID_INPUT"


# -- mediation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [MEDIATOR, OPERATOR])
@pytest.mark.parametrize(("amount", "state"), [("0.00", "REFUNDED"), ("33.33", "SETTLED"), ("100.00", "RELEASED")])
def test_a_mediator_or_the_operator_decides_with_a_reason(actor: Actor, amount: str, state: str) -> None:
    story = active().pay().open_dispute().reject_claim().decide(amount, by=actor)
    assert (story.code(), story.milestone().state) == (None, state)
    resolved = last(story, DisputeResolved)
    assert isinstance(resolved, DisputeResolved)
    assert (resolved.outcome, resolved.reason) == ("DECIDED", "Half of it works")
    assert resolved.to_freelancer.minor + resolved.to_client.minor == 100_00


def test_nothing_is_decided_before_mediation_or_without_a_reason_or_beyond_what_is_held() -> None:
    story = active().pay().open_dispute()
    assert story.decide("1.00").code() == "INVALID_STATE"
    story.reject_claim()
    assert story.decide("100.01").code() == "INVALID_INPUT"
    command = c.DecideDispute(dispute_id=story.dispute().id, to_freelancer=story.money("1.00"), reason="")
    story.do(command, MEDIATOR)
    assert (story.code(), story.dispute().state) == ("INVALID_INPUT", "MEDIATION")


@pytest.mark.parametrize(
    ("actor", "mediator", "code"),
    [
        (CLIENT, Mediator(MEDIATOR_ID), "FORBIDDEN"),
        (FREELANCER, Mediator(MEDIATOR_ID), "FORBIDDEN"),
        (STRANGER, Mediator(MEDIATOR_ID), "NOT_FOUND"),
        (CLIENT, Mediator(CLIENT_ID), "CONFLICT_OF_INTEREST"),
        (MEDIATOR, Mediator(MEDIATOR_ID, shares_member=True), "CONFLICT_OF_INTEREST"),
        (MEDIATOR, Mediator(MEDIATOR_ID, disabled=True), "FORBIDDEN"),
        (MEDIATOR, Mediator(MEDIATOR_ID, disabled=True, shares_member=True), "FORBIDDEN"),
        (account(MEDIATOR_ID, role=Role.MEMBER), Mediator(MEDIATOR_ID), "FORBIDDEN"),
        (account(MEDIATOR_ID, scopes=EVERY_SCOPE - {Scope.DISPUTES_DECIDE}), Mediator(MEDIATOR_ID), "FORBIDDEN"),
        (replace(OPERATOR, scopes=EVERY_SCOPE - {Scope.DISPUTES_DECIDE}), Mediator(MEDIATOR_ID), "FORBIDDEN"),
        (account(MEDIATOR_ID, role=Role.MANAGER), Mediator(MEDIATOR_ID), None),
    ],
)
def test_only_who_is_a_mediator_without_a_stake_decides(actor: Actor, mediator: Mediator, code: str | None) -> None:
    story = active().pay().open_dispute().reject_claim()
    story.mediator = mediator
    story.decide("1.00", by=actor)
    assert story.code() == code
    assert story.dispute().is_undecided == (code is not None)


def test_a_mediator_sees_a_contract_with_a_dispute_or_one_in_the_past_and_no_other() -> None:
    story = active().pay()
    post = c.SetPayouts(contract_id=story.id, automatic=True)
    story.do(post, MEDIATOR)
    assert story.code() == "NOT_FOUND"
    story.open_dispute().withdraw_dispute().do(post, MEDIATOR)
    assert story.code() == "FORBIDDEN"


def test_the_operator_is_told_daily_until_somebody_decides() -> None:
    story = active().pay().open_dispute().reject_claim()
    began = story.now
    story.until(began + MONTH - TICK).sweep()
    assert "dispute.overdue" not in story.types()
    story.until(began + MONTH + 2 * DAY).sweep()
    facts = [(one.at, one.event.times) for one in story.log if isinstance(one.event, DisputeOverdue)]
    assert facts == [(began + MONTH + number * DAY, number + 1) for number in range(3)]
    assert clock(story) == (began + MONTH + 3 * DAY, "dispute.overdue", None)
    story.decide("1.00").wait(MONTH).sweep()
    assert len([one for one in story.log if isinstance(one.event, DisputeOverdue)]) == 3


def test_mediation_is_announced_like_every_window_and_the_days_after_it_are_not() -> None:
    story = active().pay().open_dispute().reject_claim()
    for _ in range(40 * 2):
        story.wait(timedelta(hours=12)).sweep()
    announced = [one.at for one in story.log if one.event.type == "milestone.deadline_approaching"]
    assert len(announced) == 3
    assert "dispute.overdue" in story.types()


# -- taking it back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_an_open_dispute_is_taken_back_by_its_opener_alone(side: Side) -> None:
    story = active().pay().open_dispute(claim="50.00", by=party(side))
    assert story.withdraw_dispute(by=party(side.other)).code() == "FORBIDDEN"
    assert story.withdraw_dispute(by=party(side)).happened() == ["dispute.withdrawn"]
    assert (story.milestone().state, story.milestone().hold, story.dispute().state) == ("ACTIVE", "NONE", "WITHDRAWN")


@pytest.mark.parametrize("first", Side)
def test_in_mediation_it_takes_both_sides(first: Side) -> None:
    story = active().pay().open_dispute().reject_claim().withdraw_dispute(by=party(first))
    assert (story.happened(), story.dispute().state) == (["dispute.withdrawal_agreed"], "MEDIATION")
    assert story.withdraw_dispute(by=party(first)).happened() == []
    story.withdraw_dispute(by=party(first.other))
    assert (story.happened(), story.dispute().state) == (["dispute.withdrawn"], "WITHDRAWN")
    assert story.milestone().client_barred_until == story.now + timedelta(hours=48)
    assert story.milestone().freelancer_barred_until is None


def test_a_dispute_that_is_over_takes_no_more_commands() -> None:
    story = active().pay().open_dispute().withdraw_dispute()
    dispute_id = story.dispute().id
    for command, actor in (
        (c.AcceptClaim(dispute_id=dispute_id), FREELANCER),
        (c.RejectClaim(dispute_id=dispute_id), FREELANCER),
        (c.OfferSettlement(dispute_id=dispute_id, to_freelancer=story.money("1.00")), CLIENT),
        (c.WithdrawDispute(dispute_id=dispute_id), CLIENT),
        (c.DecideDispute(dispute_id=dispute_id, to_freelancer=story.money("1.00"), reason="x"), MEDIATOR),
    ):
        story.do(command, actor)
        assert story.code() == "INVALID_STATE", command


@pytest.mark.parametrize("part", range(0, 102, 3))
def test_everything_held_is_split_to_the_last_minor_unit_with_both_fees(part: int) -> None:
    story = Story(currency="JPY").propose("101", "1").accept().pay().open_dispute(claim="0").reject_claim()
    story.decide(str(part))
    books = story.books()
    assert (story.milestone().released_minor, story.milestone().refunded_minor) == (part, 101 - part)
    assert books[f"escrow:{story.milestone().id}", "JPY"] == books[f"fee:{story.milestone().id}", "JPY"] == 0
    assert story.payable(Side.FREELANCER) == part - part * 1000 // 10_000
    assert not [one for one in deadlines(story.state) if one.subject_id == story.dispute().id]


def test_a_settlement_that_pays_something_completes_a_contract_and_a_refund_does_not() -> None:
    assert active("10.00").pay().open_dispute(claim="1.00").accept_claim().state.state == "COMPLETED"
    assert active("10.00").pay().open_dispute().accept_claim().state.state == "ACTIVE"
