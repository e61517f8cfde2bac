"""Deposits on a contract that is still proposed, and deposits for everything at once: how they come, wait and go back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from escrow.access import AccountType, Side
from escrow.agreement import commands as c
from escrow.agreement.state import DepositTerm, Party
from tests.escrow.agreement.acts import LOST, deposit, fund_all, refund_orders, resolve, reverse, sound
from tests.escrow.agreement.stage import CLIENT, CLIENT_ID, FREELANCER, HOUR, Story, active

ALL = c.Terms(title="A website", currency="USD", deposit_term=DepositTerm.ALL)


def proposed(*amounts: str, terms: c.Terms | None = None) -> Story:
    return Story().propose(*amounts, by=CLIENT, terms=terms)


ENDS: dict[str, tuple[Callable[[Story], Story], str]] = {
    "revised": (lambda story: story.revise(), "PROPOSED"),
    "declined": (lambda story: story.decline(), "DECLINED"),
    "withdrawn": (lambda story: story.withdraw(), "WITHDRAWN"),
    "expired": (lambda story: story.wait(31 * 24 * HOUR).sweep(), "EXPIRED"),
}
each_end = pytest.mark.parametrize("end", ENDS)


def test_a_client_funds_then_invites_whoever_has_the_turn() -> None:
    for author in (CLIENT, FREELANCER):
        story = Story().propose("100.00", "50.00", by=author).fund(revision=1)
        assert (story.code(), story.states()) == (None, ["FUNDING", "PLANNED"])
        story.confirm()
        assert (story.states(), story.happened()) == (
            ["FUNDED", "PLANNED"],
            ["deposit.confirmed", "milestone.funded"],
        )
        story.accept()
        assert (story.states(), story.happened()) == (
            ["ACTIVE", "PLANNED"],
            ["contract.accepted", "milestone.activated"],
        )
        sound(story)


def test_a_deposit_on_a_proposal_names_the_revision() -> None:
    assert proposed().fund().code() == "INVALID_INPUT"
    assert proposed().fund(revision=2).code() == "VERSION_CONFLICT"
    assert fund_all(proposed(), revision=2).code() == "VERSION_CONFLICT"
    story = proposed()
    command = c.FundContract(contract_id=story.id, deposit_id="dep_1", order_id="pay_1")
    story.do(command, CLIENT)
    assert (story.code(), story.states()) == ("INVALID_INPUT", ["PLANNED", "PLANNED"])
    assert proposed().revise().fund(revision=1).code() == "VERSION_CONFLICT"


def test_a_deposit_that_is_confirmed_after_the_acceptance_funds_the_milestone() -> None:
    story = proposed().fund(revision=1).accept().confirm()
    assert story.states() == ["ACTIVE", "PLANNED"]


@each_end
def test_money_that_is_held_goes_back_in_the_same_step(end: str) -> None:
    story = proposed("100.00", "50.00").fund(revision=1).confirm()
    act, state = ENDS[end]
    act(story)
    assert story.state.state == state
    old = story.state.former.values() if end == "revised" else story.state.milestones
    assert [one.state for one in old] == ["REFUNDED", "CANCELLED"]
    assert [one.refunded_minor for one in old] == [100_00, 0]
    assert refund_orders(story) == [(deposit(story).id, 103_00, "STARTED")]
    assert (story.payable(Side.CLIENT), story.books()[f"transit:{story.id}", "USD"]) == (0, 103_00)
    sound(story)


@each_end
@pytest.mark.parametrize("whole", [False, True])
def test_a_deposit_on_its_way_is_abandoned_and_sent_back_when_it_still_comes(end: str, whole: bool) -> None:
    story = proposed("100.00", "50.00", terms=c.Terms(title="T", currency="USD", windows={"deposit_hours": 2160}))
    story = fund_all(story) if whole else story.fund(revision=1)
    ENDS[end][0](story)
    assert "deposit.abandoned" in story.happened()
    old = story.state.former.values() if end == "revised" else story.state.milestones
    assert [one.state for one in old] == ["CANCELLED", "CANCELLED"]
    assert not story.books()
    story.confirm(deposit_id=deposit(story).id)
    assert story.happened() == ["deposit.returned"]
    assert refund_orders(story) == [(deposit(story).id, deposit(story).charge_minor, "STARTED")]
    sound(story)


def test_an_offer_and_a_deposit_that_run_out_together_expire_the_proposal_first() -> None:
    terms = c.Terms(title="T", currency="USD", windows={"offer_hours": 72, "deposit_hours": 72})
    story = proposed("1.00", terms=terms).fund(revision=1).wait(72 * HOUR).sweep()
    assert story.happened()[-3:] == ["contract.expired", "deposit.abandoned", "milestone.cancelled"]


def test_a_new_revision_is_funded_anew() -> None:
    story = proposed().fund(revision=1).confirm().revise("70.00").fund(revision=2).confirm().accept()
    assert (story.states(), story.milestone().held_minor) == (["ACTIVE"], 70_00)
    sound(story)


def test_the_second_milestone_of_a_proposal_waits_for_the_first_to_be_under_way() -> None:
    story = proposed().fund(revision=1).confirm().fund(2, revision=1)
    assert story.code() == "OUT_OF_SEQUENCE"
    assert story.accept().fund(2).confirm(2).states() == ["ACTIVE", "FUNDED"]


def test_funding_the_contract_charges_everything_at_once_with_a_fee_on_each() -> None:
    story = fund_all(proposed("0.33", "0.34", "10.01"))
    assert story.states() == ["FUNDING"] * 3
    assert deposit(story).charge_minor == 33 + 34 + 1001 + 0 + 1 + 30
    story.confirm()
    assert story.happened() == ["deposit.confirmed"] + ["milestone.funded"] * 3
    assert story.states() == ["FUNDED"] * 3
    assert story.accept().states() == ["ACTIVE", "FUNDED", "FUNDED"]
    sound(story)


@pytest.mark.parametrize("ends", ["fail", "cancel", "silence"])
def test_a_deposit_for_everything_fails_as_a_whole(ends: str) -> None:
    story = fund_all(active("1.00", "2.00", "3.00"))
    if ends == "fail":
        story.fail()
    elif ends == "cancel":
        story.cancel_funding(2)
    else:
        story.wait(72 * HOUR).sweep()
    assert story.states() == ["PLANNED"] * 3
    assert not story.books()


def test_funding_the_contract_takes_what_is_planned_and_leaves_the_rest() -> None:
    story = active("1.00", "2.00", "3.00").pay(1).pay(2)
    fund_all(story).confirm(3)
    assert story.states() == ["ACTIVE", "FUNDED", "FUNDED"]
    assert fund_all(story).code() == "INVALID_STATE", "nothing is planned any more"
    story = fund_all(active("1.00", "2.00").fund(1))
    assert (story.code(), story.states()) == ("INVALID_STATE", ["FUNDING", "PLANNED"])


def test_under_all_no_single_milestone_is_funded_until_everything_was() -> None:
    story = proposed("1.00", "2.00", terms=ALL)
    assert story.fund(revision=1).code() == "INVALID_STATE"
    fund_all(story).fail()
    assert story.fund(revision=1).code() == "INVALID_STATE"
    story.accept()
    assert story.fund().code() == "INVALID_STATE"
    fund_all(story).confirm().add("5.00")
    assert story.fund(3).code() == "OUT_OF_SEQUENCE", "its turn to be funded comes later, but nothing else bars it"
    assert story.approve(1).approve(2).fund(3).code() is None
    sound(story)


def test_under_all_a_deposit_for_everything_counts_as_confirmed_also_after_it_was_lost() -> None:
    story = fund_all(proposed("1.00", "2.00", terms=ALL).accept()).confirm()
    everything = deposit(story).id
    resolve(reverse(story, everything), everything, LOST)
    assert story.states() == ["REFUNDED", "REFUNDED"]
    assert story.add("5.00").fund(3).code() is None
    story = fund_all(proposed("1.00", "2.00", terms=ALL)).confirm()
    resolve(reverse(story, deposit(story).id), deposit(story).id, LOST)
    assert story.states() == ["PLANNED", "PLANNED"]
    assert story.fund(revision=1).code() is None
    sound(story)


def test_under_all_a_new_revision_asks_for_everything_again() -> None:
    story = fund_all(proposed("1.00", terms=ALL)).confirm().revise("2.00")
    assert story.state.deposit_term is DepositTerm.ALL
    assert story.fund(revision=2).code() == "INVALID_STATE"
    story.revise("2.00", terms=c.Terms(deposit_term=DepositTerm.FIRST))
    assert story.fund(revision=3).code() is None


@pytest.mark.parametrize("side", list(Side))
def test_no_deposit_while_a_party_is_disabled(side: Side) -> None:
    story = proposed()
    disabled = Party(CLIENT_ID, AccountType.COMPANY, disabled=True)
    if side is Side.CLIENT:
        story.client = disabled
    else:
        story.freelancer = disabled
    wanted = "FORBIDDEN" if side is Side.CLIENT else "INVALID_STATE"
    assert (story.fund(revision=1).code(), fund_all(story).code()) == (wanted, wanted)


def test_no_deposit_where_nobody_can_decide_disputes_nor_on_a_dead_proposal() -> None:
    story = proposed()
    story.disputes_can_be_decided = False
    assert fund_all(story).code() == "INVALID_STATE"
    story = proposed().decline()
    assert (fund_all(story, revision=1).code(), story.fund(revision=1).code()) == ("INVALID_STATE", "INVALID_STATE")


def test_only_the_client_funds_a_contract() -> None:
    story = proposed()
    command = c.FundContract(contract_id=story.id, deposit_id="dep_1", order_id="pay_1", revision=1)
    story.do(command, FREELANCER)
    assert (story.code(), story.states()) == ("FORBIDDEN", ["PLANNED", "PLANNED"])


def test_cancelling_the_deposit_of_a_proposal_leaves_it_planned() -> None:
    story = proposed().fund(revision=1).cancel_funding()
    assert (story.code(), story.states()) == (None, ["PLANNED", "PLANNED"])


def lost_before_another() -> Story:
    """A proposal of which the first deposit was lost after a second one funded what is behind it."""
    story = fund_all(proposed("100.00", "50.00", "25.00").fund(revision=1).confirm(), revision=1).confirm(2)
    assert story.states() == ["FUNDED"] * 3
    resolve(reverse(story, deposit(story, 0).id), deposit(story, 0).id, LOST)
    return story


ON_THE_WAY_OUT: dict[str, tuple[Callable[[Story], Story], list[str]]] = {
    "it is funded again": (lambda story: story.fund(1).confirm(1), ["ACTIVE", "FUNDED", "FUNDED"]),
    "all that is planned is": (lambda story: fund_all(story).confirm(1), ["ACTIVE", "FUNDED", "FUNDED"]),
    "it is removed": (lambda story: story.remove(1), ["CANCELLED", "ACTIVE", "FUNDED"]),
    "the freelancer gives the next one back": (lambda story: story.give_refund(2), ["PLANNED", "REFUNDED", "FUNDED"]),
    "the client wants the next one back": (
        lambda story: story.request_refund(2).accept_refund(2),
        ["PLANNED", "REFUNDED", "FUNDED"],
    ),
    "both end it": (lambda story: story.end(by=CLIENT), ["PLANNED", "FUNDED", "FUNDED"]),
}


def test_on_a_proposal_what_is_lost_may_be_planned_before_what_is_funded() -> None:
    """Nothing is agreed yet, so nothing is out of turn; it is the one that the client may fund next."""
    story = lost_before_another()
    assert story.happened() == ["deposit.reversal_resolved", "milestone.unfunded"]
    assert story.states() == ["PLANNED", "FUNDED", "FUNDED"]
    assert story.fund(2, revision=1).code() in ("OUT_OF_SEQUENCE", "INVALID_STATE")
    story.fund(1, revision=1).confirm(1)
    assert story.states() == ["FUNDED"] * 3
    sound(story)


def test_moving_what_is_planned_before_what_is_funded_to_where_it_stands_changes_nothing() -> None:
    story = lost_before_another().accept()
    before = story.state
    assert (story.move(1, 1).code(), story.happened(), story.state) == (None, [], before)
    assert (story.move(1, 2).code(), story.state) == ("OUT_OF_SEQUENCE", before)


@pytest.mark.parametrize("way", ON_THE_WAY_OUT)
def test_whoever_accepts_it_so_waits_for_the_first_and_the_money_behind_it_gets_out_all_the_same(way: str) -> None:
    story = lost_before_another().accept()
    assert (story.states(), story.happened()) == (["PLANNED", "FUNDED", "FUNDED"], ["contract.accepted"])
    act, states = ON_THE_WAY_OUT[way]
    assert act(story).code() is None
    assert story.states() == states
    sound(story)
