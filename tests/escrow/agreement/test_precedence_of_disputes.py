"""The law's order of refusals for refund requests, disputes and endings: for every pair of reasons of every command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from escrow.access import Actor, Side
from escrow.agreement import commands as c
from escrow.agreement.state import EVIDENCE_MAX, Ending, Mediator
from escrow.ids import Kind
from escrow.states import DisputeState, Hold, MilestoneState, RefundState
from tests.escrow.agreement.faults import (
    CLOSED,
    CONTRACT_STATE,
    LONG_MESSAGE,
    NO_MILESTONE,
    ROLE,
    SCOPE,
    UNSEEN,
    Case,
    Fault,
    judge_every_pair,
    judged,
)
from tests.escrow.agreement.stage import (
    CLIENT,
    FREELANCER,
    MEDIATOR,
    MEDIATOR_ID,
    Story,
    active,
    named,
    usd,
)

NOWHERE_REFUND, NOWHERE_DISPUTE = named(Kind.REFUND_REQUEST, 99), named(Kind.DISPUTE, 99)


def milestone_is(case: Case, **changes: Any) -> None:
    first, *others = case.story.state.milestones
    case.contract(milestones=(replace(first, **changes), *others))


def refund_is(case: Case, **changes: Any) -> None:
    case.contract(refunds={key: replace(one, **changes) for key, one in case.story.state.refunds.items()})


def dispute_is(case: Case, **changes: Any) -> None:
    case.contract(disputes={key: replace(one, **changes) for key, one in case.story.state.disputes.items()})


def barred(case: Case, side: Side) -> None:
    milestone_is(case, **{f"{side.value.lower()}_barred_until": case.story.now + timedelta(microseconds=1)})


def offered_less(case: Case) -> None:
    if case.story.dispute().client_offer_minor is not None:
        dispute_is(case, client_offer_minor=1)


def actor_is(actor: Actor) -> Callable[[Case], None]:
    return lambda case: setattr(case, "actor", replace(case.actor, account_id=actor.account_id))


BEFORE_ITS_TURN = Fault("OUT_OF_SEQUENCE", "before its turn", lambda k: milestone_is(k, state=MilestoneState.FUNDED))
ON_HOLD = Fault("INVALID_STATE", "a hold", lambda k: milestone_is(k, hold=Hold.DISPUTE, hold_id=NOWHERE_DISPUTE))
FROZEN = Fault("INVALID_STATE", "a reversal", lambda k: milestone_is(k, frozen_at=k.story.now))
CLIENT_BARRED = Fault("INVALID_STATE", "the client is barred", lambda k: barred(k, Side.CLIENT))
FREELANCER_BARRED = Fault("INVALID_STATE", "the freelancer is barred", lambda k: barred(k, Side.FREELANCER))
TOO_MUCH = Fault("INVALID_INPUT", "more than is held", lambda k: k.given(amount=usd("1000.00")))
CLAIMS_TOO_MUCH = Fault("INVALID_INPUT", "claims more than is held", lambda k: k.given(claim=usd("1000.00")))
NO_REASON = Fault("INVALID_INPUT", "no reason", lambda k: k.given(reason=" "))
NO_REFUND = Fault("NOT_FOUND", "no such request", lambda k: k.given(refund_id=NOWHERE_REFUND))
NO_DISPUTE = Fault("NOT_FOUND", "no such dispute", lambda k: k.given(dispute_id=NOWHERE_DISPUTE))
ANSWERED = Fault("INVALID_STATE", "answered already", lambda k: refund_is(k, state=RefundState.DECLINED))
OF_THE_ENDING = Fault("INVALID_STATE", "made by the ending", lambda k: refund_is(k, by_ending=True))
RESOLVED = Fault("INVALID_STATE", "resolved already", lambda k: dispute_is(k, state=DisputeState.RESOLVED))
NOT_MINE = Fault("FORBIDDEN", "the wrong side", actor_is(CLIENT))
OWN_CLAIM = Fault("FORBIDDEN", "its own claim", lambda k: dispute_is(k, opened_by=Side.FREELANCER))
THEIR_CLAIM = Fault("FORBIDDEN", "the other side's claim", lambda k: dispute_is(k, opened_by=Side.FREELANCER))
OFFERS_TOO_MUCH = Fault("INVALID_INPUT", "offers more than is held", lambda k: k.given(to_freelancer=usd("1000.00")))
ENDING = Fault("INVALID_STATE", "ended already", lambda k: k.contract(ending=Ending(Side.CLIENT, k.story.now)))
MONEY_WENT = Fault(
    "INVALID_STATE",
    "money went back",
    lambda k: k.contract(ending=Ending(Side.CLIENT, k.story.now, money_went_back=True)),
)
STAKE = Fault(
    "CONFLICT_OF_INTEREST",
    "shares a member",
    lambda k: setattr(k.story, "mediator", Mediator(MEDIATOR_ID, shares_member=True)),
)
NO_MEDIATOR = Fault("FORBIDDEN", "the other side", actor_is(FREELANCER))


def submitted() -> Story:
    return active("100.00", "50.00").pay().submit()


def asked() -> Story:
    return submitted().request_refund(amount="30.00")


def disputed(by: Actor = CLIENT) -> Story:
    return submitted().open_dispute(claim="30.00", by=by)


def request_refund() -> Case:
    story = submitted()
    command = c.RequestRefund(milestone_id=story.milestone().id, refund_id=story.fresh(Kind.REFUND_REQUEST))
    return Case(story, command, CLIENT)


def withdraw_refund() -> Case:
    story = asked()
    return Case(story, c.WithdrawRefund(refund_id=story.refund().id), CLIENT)


def accept_refund() -> Case:
    story = asked()
    return Case(story, c.AcceptRefund(refund_id=story.refund().id), FREELANCER)


def decline_refund() -> Case:
    story = asked()
    dispute_id = story.fresh(Kind.DISPUTE)
    return Case(story, c.DeclineRefund(refund_id=story.refund().id, dispute_id=dispute_id, reason="No"), FREELANCER)


def give_refund() -> Case:
    story = submitted()
    return Case(story, c.GiveRefund(milestone_id=story.milestone().id), FREELANCER)


def give_part() -> Case:
    story = submitted()
    return Case(story, c.GiveRefund(milestone_id=story.milestone().id, amount=usd("1.00")), FREELANCER)


def approve_as_concession() -> Case:
    story = disputed()
    return Case(story, c.Approve(milestone_id=story.milestone().id), CLIENT)


def open_dispute(by: Actor) -> Callable[[], Case]:
    def begin() -> Case:
        story = submitted()
        dispute_id = story.fresh(Kind.DISPUTE)
        command = c.OpenDispute(
            milestone_id=story.milestone().id, dispute_id=dispute_id, claim=usd("1.00"), reason="It isn't done"
        )
        return Case(story, command, by)

    return begin


def add_evidence() -> Case:
    story = disputed()
    return Case(story, c.AddEvidence(dispute_id=story.dispute().id, text="Look"), CLIENT)


def accept_claim() -> Case:
    story = disputed()
    return Case(story, c.AcceptClaim(dispute_id=story.dispute().id), FREELANCER)


def reject_claim() -> Case:
    story = disputed()
    return Case(story, c.RejectClaim(dispute_id=story.dispute().id), FREELANCER)


def offer() -> Case:
    story = disputed()
    return Case(story, c.OfferSettlement(dispute_id=story.dispute().id, to_freelancer=usd("2.00")), CLIENT)


def withdraw_offer() -> Case:
    story = disputed().offer("2.00")
    return Case(story, c.WithdrawSettlement(dispute_id=story.dispute().id), CLIENT)


def accept_offer() -> Case:
    story = disputed().offer("2.00")
    return Case(story, c.AcceptSettlement(dispute_id=story.dispute().id, to_freelancer=usd("2.00")), FREELANCER)


def withdraw_dispute() -> Case:
    story = disputed()
    return Case(story, c.WithdrawDispute(dispute_id=story.dispute().id), CLIENT)


def decide() -> Case:
    story = disputed().reject_claim()
    command = c.DecideDispute(dispute_id=story.dispute().id, to_freelancer=usd("2.00"), reason="Because")
    return Case(story, command, MEDIATOR)


def end() -> Case:
    story = submitted()
    return Case(story, c.End(contract_id=story.id), CLIENT)


def give_up() -> Case:
    story = submitted()
    return Case(story, c.End(contract_id=story.id, giving_up=usd("100.00")), FREELANCER)


def withdraw_end() -> Case:
    story = submitted().end()
    return Case(story, c.WithdrawEnd(contract_id=story.id), CLIENT)


COMMANDS: Final[dict[str, tuple[Callable[[], Case], list[Fault]]]] = {
    "request refund": (
        request_refund,
        [UNSEEN, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, CLOSED, CLIENT_BARRED, TOO_MUCH, LONG_MESSAGE],
    ),
    "request refund of what is on hold": (
        request_refund, [UNSEEN, ROLE, NO_MILESTONE, CONTRACT_STATE, ON_HOLD, CLIENT_BARRED, TOO_MUCH]
    ),
    "withdraw refund": (
        withdraw_refund, [UNSEEN, ROLE, SCOPE, NO_REFUND, CONTRACT_STATE, ANSWERED, OF_THE_ENDING, LONG_MESSAGE]
    ),
    "accept refund": (
        accept_refund, [UNSEEN, NOT_MINE, ROLE, SCOPE, NO_REFUND, CONTRACT_STATE, ANSWERED, FROZEN, LONG_MESSAGE]
    ),
    "decline refund": (
        decline_refund, [UNSEEN, NOT_MINE, ROLE, SCOPE, NO_REFUND, CONTRACT_STATE, ANSWERED, NO_REASON, CLAIMS_TOO_MUCH]
    ),
    "give refund": (
        give_refund, [UNSEEN, NOT_MINE, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, CLOSED, FROZEN, LONG_MESSAGE]
    ),
    "give a part": (
        give_part, [UNSEEN, NOT_MINE, ROLE, NO_MILESTONE, CONTRACT_STATE, ON_HOLD, FROZEN, TOO_MUCH]
    ),
    "approve as a concession": (
        approve_as_concession, [UNSEEN, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, BEFORE_ITS_TURN, FROZEN, LONG_MESSAGE]
    ),
    "open a dispute": (
        open_dispute(CLIENT),
        [UNSEEN, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, ON_HOLD, CLIENT_BARRED, NO_REASON, CLAIMS_TOO_MUCH],
    ),
    "open a dispute as the freelancer": (
        open_dispute(FREELANCER),
        [UNSEEN, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, BEFORE_ITS_TURN, ON_HOLD, FREELANCER_BARRED, NO_REASON],
    ),
    "add evidence": (
        add_evidence,
        [UNSEEN, ROLE, SCOPE, NO_DISPUTE, CONTRACT_STATE, RESOLVED,
         Fault("INVALID_INPUT", "says nothing", lambda k: k.given(text=" ")),
         Fault("INVALID_INPUT", "one too many", lambda k: dispute_is(k, client_evidence=EVIDENCE_MAX))],
    ),
    "accept claim": (
        accept_claim,
        [UNSEEN, ROLE, SCOPE, NO_DISPUTE, CONTRACT_STATE, RESOLVED, FROZEN, OWN_CLAIM, LONG_MESSAGE],
    ),
    "reject claim": (
        reject_claim,
        [UNSEEN, ROLE, SCOPE, NO_DISPUTE, CONTRACT_STATE,
         Fault("INVALID_STATE", "in mediation", lambda k: dispute_is(k, state=DisputeState.MEDIATION)), OWN_CLAIM,
         LONG_MESSAGE],
    ),
    "offer a settlement": (
        offer, [UNSEEN, ROLE, SCOPE, NO_DISPUTE, CONTRACT_STATE, RESOLVED, OFFERS_TOO_MUCH, LONG_MESSAGE]
    ),
    "withdraw a settlement": (
        withdraw_offer,
        [UNSEEN, ROLE, SCOPE, NO_DISPUTE, CONTRACT_STATE, RESOLVED,
         Fault("INVALID_STATE", "no offer", lambda k: dispute_is(k, client_offer_minor=None))],
    ),
    "accept a settlement": (
        accept_offer,
        [UNSEEN, ROLE, SCOPE, NO_DISPUTE, CONTRACT_STATE, RESOLVED,
         Fault("INVALID_STATE", "no offer", lambda k: dispute_is(k, client_offer_minor=None)), FROZEN,
         Fault("VERSION_CONFLICT", "another offer", offered_less)],
    ),
    "accept a settlement in euros": (
        accept_offer,
        [UNSEEN, NO_DISPUTE, CONTRACT_STATE, RESOLVED, FROZEN,
         Fault("INVALID_INPUT", "euros", lambda k: k.given(to_freelancer=replace(usd("2.00"), currency="EUR")))],
    ),
    "withdraw a dispute": (
        withdraw_dispute, [UNSEEN, ROLE, SCOPE, NO_DISPUTE, CONTRACT_STATE, RESOLVED, THEIR_CLAIM, LONG_MESSAGE]
    ),
    "decide": (
        decide,
        [UNSEEN, NO_MEDIATOR, ROLE, SCOPE, STAKE, NO_DISPUTE, CONTRACT_STATE,
         Fault("INVALID_STATE", "before mediation", lambda k: dispute_is(k, state=DisputeState.OPEN)), FROZEN,
         OFFERS_TOO_MUCH, NO_REASON],
    ),
    "end": (end, [UNSEEN, ROLE, SCOPE, CONTRACT_STATE, ENDING, CLIENT_BARRED, LONG_MESSAGE]),
    "give up": (
        give_up,
        [UNSEEN, ROLE, SCOPE,
         Fault("VERSION_CONFLICT", "another sum", lambda k: milestone_is(k, held_minor=1)), CONTRACT_STATE, LONG_MESSAGE],
    ),
    "withdraw an ending": (withdraw_end, [UNSEEN, ROLE, SCOPE, CONTRACT_STATE, MONEY_WENT, LONG_MESSAGE]),
}  # fmt: skip
"""Each command that is in order, and what can be wrong with it, in the order of docs/law.md, section 3."""


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_fault_the_command_is_obeyed(name: str) -> None:
    begin, _ = COMMANDS[name]
    assert judged(begin, []) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name, (_, faults) in COMMANDS.items() for fault in faults],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_each_fault_alone_is_refused_with_its_code(name: str, fault: Fault) -> None:
    begin, _ = COMMANDS[name]
    assert judged(begin, [fault]) == fault.code


@pytest.mark.parametrize("name", COMMANDS)
def test_of_two_faults_the_one_that_the_law_puts_first_is_the_answer(name: str) -> None:
    judge_every_pair(*COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_of_all_faults_at_once_the_first_is_the_answer(name: str) -> None:
    begin, faults = COMMANDS[name]
    assert judged(begin, faults) == faults[0].code


def test_what_is_barred_is_said_before_what_is_wrong_with_the_input_and_after_what_is_on_hold() -> None:
    case = request_refund()
    for fault in (CLIENT_BARRED, TOO_MUCH):
        fault.make(case)
    case.story.do(case.command, case.actor)
    assert case.story.last is not None
    assert case.story.last.refusal is not None
    assert "barredUntil" in case.story.last.refusal.details
