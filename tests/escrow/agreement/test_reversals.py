"""Chargebacks: milestones that hold a reversed deposit's money stand still, and what is won or lost goes where the law says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from escrow.access import CLOCK, Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import deadlines, next_deadline
from escrow.agreement.events import DepositReversed, MilestoneRefunded, MilestoneUnfunded
from escrow.agreement.state import Fees
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import ReversalOutcome
from tests.escrow.agreement.acts import (
    LOST,
    WITHDRAWN,
    WON,
    accept,
    approve,
    deposit,
    file,
    fund_all,
    refund_orders,
    resolve,
    reverse,
    sound,
    update,
)
from tests.escrow.agreement.stage import CLIENT, FREELANCER, HOUR, MEDIATOR, OPERATOR, Story, active, named

DAY = 24 * HOUR


def frozen(*amounts: str, **stage: object) -> tuple[Story, str]:
    """A contract whose first milestone is under way with money that the provider took back."""
    story = active(*(amounts or ("100.00", "50.00")), **stage).pay(1)
    return reverse(story, deposit(story).id), deposit(story).id


def test_a_reversal_books_the_charge_and_freezes_what_holds_its_money() -> None:
    story, _ = frozen()
    assert story.happened() == ["deposit.reversed"]
    assert story.milestone().is_frozen
    assert (story.books()["chargeback:USD", "USD"], story.books()["clearing:USD", "USD"]) == (-103_00, 0)
    assert story.milestone().held_minor == 100_00
    sound(story)


def test_a_reversal_is_reported_once_and_only_of_what_came() -> None:
    story, first = frozen()
    assert reverse(story, first).happened() == []
    resolve(story, first, WON)
    assert reverse(story, first).happened() == []
    story = active("1.00").fund(1)
    assert reverse(story, deposit(story).id).happened() == []
    story.cancel_funding()
    assert reverse(story, deposit(story).id).happened() == []
    assert reverse(story, named(Kind.DEPOSIT, 1)).code() == "NOT_FOUND"
    one = Money(1, "USD")
    story.do(c.ReverseDeposit(contract_id=story.id, deposit_id=deposit(story).id, amount=one, reason=""), CLIENT)
    assert story.code() == "FORBIDDEN"


def _late(story: Story) -> Story:
    return story.fund(1).wait(4 * DAY).sweep().confirm(deposit_id=deposit(story).id)


def _late_bonus(story: Story) -> Story:
    approve(story.pay(1), bonus="5.00")
    bonus = deposit(story).id
    return story.wait(4 * DAY).sweep().confirm(deposit_id=bonus)


SENT_BACK: dict[str, tuple[Callable[[Story], Story], Money]] = {
    "late": (_late, Money(103_00, "USD")),
    "cancelled": (lambda s: s.fund(1).cancel_funding().confirm(deposit_id=deposit(s).id), Money(103_00, "USD")),
    "refused first": (lambda s: s.fund(1).fail().confirm(deposit_id=deposit(s).id), Money(103_00, "USD")),
    "another sum": (lambda s: s.fund(1).confirm(amount=Money(99, "USD")), Money(99, "USD")),
    "another currency": (lambda s: s.fund(1).confirm(amount=Money(103_00, "EUR")), Money(103_00, "EUR")),
    "a late bonus": (_late_bonus, Money(5_00, "USD")),
}


@pytest.mark.parametrize("why", SENT_BACK)
def test_a_chargeback_of_what_was_sent_back_is_the_platforms_loss_until_it_is_won(why: str) -> None:
    for outcome in (WON, LOST):
        send_back, came = SENT_BACK[why]
        story = send_back(active("100.00", "50.00"))
        one, returns, states = deposit(story).id, refund_orders(story), story.states()
        assert story.state.deposits[one].returned == (came,)
        reverse(story, one, came)
        event = story.log[-1].event
        assert isinstance(event, DepositReversed)
        assert (story.happened(), event.amount, event.milestone_ids) == (["deposit.reversed"], came, ())
        assert story.books()[f"chargeback:{came.currency}", came.currency] == -came.minor
        assert not any(milestone.is_frozen for milestone in story.state.milestones)
        assert reverse(story, one, came).happened() == []
        assert resolve(story, one, outcome, by=CLIENT).code() == "FORBIDDEN"
        came_again = ["deposit.reinstated"] if outcome is WON else []
        assert reverse(story, one, came, outcome=outcome).happened() == [*came_again, "deposit.reversal_resolved"]
        lost = 0 if outcome is WON else came.minor
        assert story.books()[f"chargeback:{came.currency}", came.currency] == -lost
        assert (refund_orders(story), story.states()) == (returns, states), "nothing goes to the client once more"
        assert resolve(story, one, outcome).code() == "INVALID_STATE"
        sound(story)


def test_of_what_was_sent_back_only_the_sum_that_came_first_is_known_to_be_taken_back() -> None:
    story = active("100.00").fund(1).confirm(amount=Money(99, "USD"))
    one = deposit(story).id
    story.confirm(deposit_id=one, amount=Money(98, "USD"))
    for amount in (Money(98, "USD"), Money(99, "EUR"), Money(103_00, "USD")):
        assert reverse(story, one, amount).happened() == []
    assert reverse(story, one, Money(99, "USD")).happened() == ["deposit.reversed"]
    sound(story)


def test_what_moves_money_is_refused_while_it_is_frozen_concessions_too() -> None:
    story, _ = frozen()
    story.submit()
    acts: tuple[Callable[[], Story], ...] = (
        lambda: story.approve(),
        lambda: approve(story, amount="1.00"),
        lambda: story.give_refund(),
        lambda: story.give_refund(1, "1.00"),
    )
    for act in acts:
        assert (act().code(), story.happened()) == ("INVALID_STATE", [])
    story.request_refund()
    assert story.code() is None
    assert story.accept_refund().code() == "INVALID_STATE"
    assert story.decline_refund().code() is None
    story.offer("1.00")
    acts = (
        lambda: story.accept_claim(by=CLIENT),
        lambda: story.accept_offer("1.00"),
        lambda: story.decide("1.00"),
    )
    for act in acts:
        assert (act().code(), story.happened()) == ("INVALID_STATE", [])
    sound(story)


def test_what_moves_no_money_still_works() -> None:
    story, _ = frozen()
    assert story.submit().code() is None
    assert story.request_changes().code() is None
    assert story.submit().code() is None
    assert update(story, position=1).code() is None
    assert accept(file(story, c.AmendChange(milestone_id=story.milestone().id, deliverables=()))).code() is None
    assert story.open_dispute().reject_claim().argue().code() is None
    assert story.withdraw_dispute().withdraw_dispute(by=FREELANCER).code() is None
    assert story.milestone().hold == "NONE"
    assert story.fund(2).confirm(2).code() is None


def test_clocks_stand_still_and_go_on_with_what_was_left_when_it_is_won() -> None:
    story = active("100.00").pay().submit().wait(3 * DAY)
    reverse(story, deposit(story).id)
    assert next_deadline(story.state, story.milestone().id) is None
    story.wait(100 * DAY).sweep()
    assert story.milestone().state == "SUBMITTED"
    reverse(story, deposit(story).id, outcome=WON)
    assert story.happened() == ["deposit.reinstated", "deposit.reversal_resolved"]
    assert story.milestone().review_due_at == story.now + 11 * DAY
    assert story.books()["chargeback:USD", "USD"] == 0
    story.wait(11 * DAY).sweep()
    assert story.milestone().state == "RELEASED"
    sound(story)


def test_clocks_go_on_with_48_hours_at_least() -> None:
    story = active("100.00").pay().submit().wait(14 * DAY - HOUR)
    resolve(reverse(story, deposit(story).id).wait(HOUR), deposit(story).id, WON)
    assert story.milestone().review_due_at == story.now + 48 * HOUR


def test_a_clock_that_starts_while_it_is_frozen_starts_stopped_with_its_whole_window() -> None:
    story, first = frozen()
    story.wait(5 * DAY).submit().wait(50 * DAY)
    assert next_deadline(story.state) is None
    resolve(story, first, WON)
    assert story.milestone().review_due_at == story.now + 14 * DAY
    story, first = frozen()
    story.wait(5 * DAY).request_refund().wait(50 * DAY).sweep()
    resolve(story, first, WON)
    assert story.refund().due_at == story.now + 7 * DAY
    story, first = frozen()
    story.wait(5 * DAY).open_dispute().wait(50 * DAY).sweep()
    resolve(story, first, WON)
    assert story.dispute().due_at == story.now + 7 * DAY


def test_the_clocks_of_holds_stand_still_too() -> None:
    story = active("100.00").pay().submit().wait(DAY).request_refund().wait(2 * DAY)
    reverse(story, deposit(story).id).wait(60 * DAY).sweep()
    assert (story.milestone().hold, story.refund().state) == ("REFUND_REQUEST", "OPEN")
    resolve(story, deposit(story).id, WON)
    assert story.refund().due_at == story.now + 5 * DAY
    story.withdraw_refund()
    assert story.milestone().review_due_at == story.now + 13 * DAY
    story = active("100.00").pay().open_dispute().reject_claim().wait(DAY)
    reverse(story, deposit(story).id).wait(300 * DAY).sweep()
    assert "dispute.overdue" not in story.types()
    resolve(story, deposit(story).id, WON)
    assert story.dispute().due_at == story.now + 29 * DAY


def test_a_hold_that_ends_while_it_is_frozen_leaves_the_review_stopped() -> None:
    story = active("100.00").pay().submit().wait(DAY).request_refund().wait(DAY)
    reverse(story, deposit(story).id).wait(DAY).withdraw_refund().wait(30 * DAY).sweep()
    assert story.milestone().state == "SUBMITTED"
    resolve(story, deposit(story).id, WON)
    assert story.milestone().review_due_at == story.now + 13 * DAY


def test_what_is_lost_goes_to_the_chargeback_account_and_the_milestone_is_refunded() -> None:
    story, first = frozen()
    resolve(story, first, LOST)
    assert story.happened() == ["deposit.reversal_resolved", "milestone.refunded"]
    milestone = story.milestone()
    assert (milestone.state, milestone.lost_minor, milestone.refunded_minor) == ("REFUNDED", 100_00, 0)
    assert {key: minor for key, minor in story.books().items() if minor} == {}
    assert refund_orders(story) == []
    assert resolve(story, first, LOST).code() == "INVALID_STATE"
    sound(story)


def rolled() -> tuple[Story, str, str]:
    """A milestone that holds money of two deposits: 40.00 that rolled forward, and its own 50.00."""
    story = active("100.00", "50.00").pay(1)
    first = deposit(story).id
    story.fund(2)
    second = deposit(story).id
    story.confirm(2)
    return approve(story, amount="60.00"), first, second


def test_what_else_the_milestone_holds_goes_back_to_the_client() -> None:
    story, first, second = rolled()
    resolve(reverse(story, second), second, LOST)
    event = story.log[-2].event
    assert isinstance(event, MilestoneRefunded)
    assert (event.amount.minor, event.client_fee.minor, event.lost, event.lost_fee) == (
        40_00,
        1_20,
        story.state.money(50_00),
        story.state.money(1_50),
    )
    assert refund_orders(story) == [(first, 41_20, "STARTED")]
    assert story.books()["chargeback:USD", "USD"] == 0
    sound(story)


def test_a_reversal_freezes_also_where_the_money_rolled_on_to() -> None:
    story, first, _ = rolled()
    reverse(story, first)
    assert [one.is_frozen for one in story.state.milestones] == [False, True]
    resolve(story, first, LOST)
    assert story.books()["chargeback:USD", "USD"] == -103_00 + 41_20, "what was released stays the freelancer's"
    sound(story)


def test_all_deposits_under_reversal_go_to_the_chargeback_account_and_what_is_won_later_to_the_client() -> None:
    story, first, second = rolled()
    reverse(reverse(story, first), second)
    resolve(story, first, LOST)
    assert (story.milestone(2).lost_minor, refund_orders(story)) == (90_00, [])
    assert story.state.deposits[second].forfeited_minor == 51_50
    assert story.state.deposits[second].reversal == "FORFEITED"
    resolve(story, second, WON)
    assert (story.code(), refund_orders(story)) == (None, [])
    reverse(story, second, story.state.money(51_50), outcome=WON)
    assert refund_orders(story) == [(second, 51_50, "STARTED")]
    assert story.books()["chargeback:USD", "USD"] == -103_00 + 41_20
    sound(story)


def test_one_of_two_reversals_that_is_won_lets_nothing_go_on_yet() -> None:
    story, first, second = rolled()
    story.submit(2).wait(DAY)
    reverse(story, first).wait(DAY)
    reverse(story, second).wait(DAY)
    resolve(story, first, WON)
    assert story.milestone(2).is_frozen
    resolve(story.wait(DAY), second, WON)
    assert not story.milestone(2).is_frozen
    assert story.milestone(2).review_due_at == story.now + 13 * DAY
    sound(story)


def test_a_deposit_for_everything_freezes_and_loses_all_that_hold_its_money() -> None:
    story = fund_all(active("100.00", "50.00", "20.00")).confirm().approve(1)
    reverse(story, deposit(story).id)
    assert [one.is_frozen for one in story.state.milestones] == [False, True, True]
    resolve(story, deposit(story).id, LOST)
    assert story.happened() == [
        "deposit.reversal_resolved",
        "milestone.refunded",
        "milestone.refunded",
        "contract.completed",
    ]
    assert story.states() == ["RELEASED", "REFUNDED", "REFUNDED"]
    sound(story)


def test_a_frozen_milestone_is_not_activated_until_it_is_won() -> None:
    story = active("100.00", "50.00").pay(1).pay(2)
    reverse(story, deposit(story).id).approve(1)
    assert story.states() == ["RELEASED", "FUNDED"]
    assert resolve(story, deposit(story).id, WON).happened() == ["deposit.reversal_resolved", "milestone.activated"]


def test_nothing_rolls_forward_into_a_frozen_milestone() -> None:
    story = active("100.00", "50.00").pay(1).pay(2)
    reverse(story, deposit(story).id)
    assert (approve(story, amount="60.00").code(), story.happened()) == ("NEXT_NOT_FUNDED", [])


def test_losing_resolves_a_dispute_and_overtakes_a_refund_request() -> None:
    story = active("100.00", "50.00").pay().open_dispute()
    resolve(reverse(story, deposit(story).id), deposit(story).id, LOST)
    assert story.happened() == ["deposit.reversal_resolved", "dispute.resolved", "milestone.refunded"]
    assert (story.dispute().state, story.dispute().to_freelancer_minor) == ("RESOLVED", 0)
    story = active("100.00", "50.00").pay().request_refund()
    resolve(reverse(story, deposit(story).id), deposit(story).id, LOST)
    assert (story.refund().state, story.milestone().hold) == ("OVERTAKEN", "NONE")
    sound(story)


def test_on_a_proposal_what_is_lost_leaves_the_milestone_planned_to_be_funded_again() -> None:
    story = Story().propose("100.00", by=CLIENT).fund(revision=1).confirm()
    resolve(reverse(story, deposit(story).id), deposit(story).id, LOST)
    assert story.happened() == ["deposit.reversal_resolved", "milestone.unfunded"]
    event = story.log[-1].event
    assert isinstance(event, MilestoneUnfunded)
    assert (event.lost.minor, event.lost_fee.minor, event.amount.minor, event.returns) == (100_00, 3_00, 0, ())
    assert (story.states(), story.milestone().deposit_id) == (["PLANNED"], None)
    assert story.books()["chargeback:USD", "USD"] == 0
    story.fund(revision=1).confirm().accept()
    assert story.states() == ["ACTIVE"]
    sound(story)


TREATED_AS_LOST: dict[str, Callable[[Story], Story]] = {
    "revised": lambda story: story.revise(),
    "declined": lambda story: story.decline(),
    "withdrawn": lambda story: story.withdraw(),
    "expired": lambda story: story.wait(31 * DAY).sweep(),
    "ended by the freelancer": lambda story: story.accept().end(by=FREELANCER, giving_up="100.00"),
}


@pytest.mark.parametrize("end", TREATED_AS_LOST)
@pytest.mark.parametrize("outcome", [WON, LOST])
def test_revision_death_and_the_freelancers_end_treat_it_as_lost(end: str, outcome: object) -> None:
    story = Story().propose("100.00", by=CLIENT).fund(revision=1).confirm()
    first = deposit(story).id
    TREATED_AS_LOST[end](reverse(story, first))
    assert story.code() is None
    [old] = [one for one in (*story.state.former.values(), *story.state.milestones) if one.lost_minor]
    assert (old.state, old.refunded_minor) == ("REFUNDED", 0)
    assert (refund_orders(story), story.books()["chargeback:USD", "USD"]) == ([], 0)
    sound(story)
    reverse(story, first, outcome=WON if outcome is WON else LOST)
    assert story.code() is None
    assert refund_orders(story) == ([(first, 103_00, "STARTED")] if outcome is WON else [])
    assert story.books()["chargeback:USD", "USD"] == 0
    sound(story)


def test_accepting_a_proposal_whose_deposit_is_reversed_waits_for_the_outcome() -> None:
    story = Story().propose("100.00", by=CLIENT).fund(revision=1).confirm()
    reverse(story, deposit(story).id).accept()
    assert story.states() == ["FUNDED"]
    assert resolve(story, deposit(story).id, WON).states() == ["ACTIVE"]


def test_the_clients_ending_asks_back_what_is_frozen_and_waits() -> None:
    story, first = frozen()
    story.end().wait(100 * DAY).sweep()
    assert (story.milestone().hold, story.state.state) == ("REFUND_REQUEST", "ACTIVE")
    assert resolve(story, first, LOST).happened()[-1] == "contract.ended"
    story, first = frozen()
    story.end().wait(100 * DAY)
    resolve(story, first, WON).wait(7 * DAY).sweep()
    assert story.state.state == "ENDED"
    sound(story)


def test_only_the_operator_resolves_and_only_what_is_argued_about() -> None:
    story, first = frozen()
    for actor in (CLIENT, FREELANCER):
        assert (resolve(story, first, WON, by=actor).code(), story.happened()) == ("FORBIDDEN", [])
    assert resolve(story, first, WON, by=MEDIATOR).code() == "NOT_FOUND"
    assert resolve(story, named(Kind.DEPOSIT, 1), WON).code() == "NOT_FOUND"
    story.fund(2).confirm(2)
    assert resolve(story, deposit(story).id, WON).code() == "INVALID_STATE"
    assert resolve(story, first, WON, by=OPERATOR).code() is None
    assert resolve(story, first, LOST).code() == "INVALID_STATE"


def test_a_reversed_bonus_freezes_nothing() -> None:
    story = approve(active("100.00", "50.00").pay(1).pay(2), bonus="5.00")
    bonus = deposit(story).id
    story.confirm(deposit_id=bonus)
    payable = story.payable(Side.FREELANCER)
    reverse(story, bonus)
    assert (story.happened(), story.milestone(2).is_frozen) == (["deposit.reversed"], False)
    assert resolve(story, bonus, LOST).happened() == ["deposit.reversal_resolved"]
    assert (story.payable(Side.FREELANCER), story.books()["chargeback:USD", "USD"]) == (payable, -5_00)
    sound(story)


def test_money_that_left_before_is_no_longer_the_milestones() -> None:
    story = active("100.00", "50.00").pay().give_refund(1, "30.00")
    reverse(story, deposit(story).id)
    resolve(story, deposit(story).id, LOST)
    assert (story.milestone().lost_minor, story.milestone().refunded_minor) == (70_00, 30_00)
    assert story.books()["chargeback:USD", "USD"] == -103_00 + 72_10
    sound(story)


def test_a_silence_under_a_reversal_is_told_once() -> None:
    story, _ = frozen()
    assert [clock.kind for clock in deadlines(story.state)] == ["DORMANCY"]
    story.wait(180 * DAY - timedelta(microseconds=1)).sweep()
    assert story.happened() == []
    story.wait(timedelta(microseconds=1)).sweep()
    assert (story.happened(), story.log[-1].actor) == (["contract.dormant"], CLOCK)
    assert story.wait(1000 * DAY).sweep().happened() == []


@pytest.mark.parametrize("bps", [0, 1, 333, 9_999, 10_000])
def test_odd_fees_are_lost_and_returned_to_the_last_minor_unit(bps: int) -> None:
    story = active("0.99", "1.01", "3.33", fees=Fees(client_bps=bps, freelancer_bps=333)).pay(1)
    ids = [deposit(story).id]
    for position in (2, 3):
        story.fund(position)
        ids.append(deposit(story).id)
        story.confirm(position)
        approve(story, position - 1, amount="0.41")
    assert [lot.deposit_id for lot in story.milestone(3).lots] == ids
    reverse(story, ids[1])
    resolve(story, ids[1], LOST)
    assert story.code() is None
    assert [deposit_id for deposit_id, _, _ in refund_orders(story)] == [ids[0], ids[2]]
    sound(story)


# -- what the provider tells later ------------------------------------------------------------------------------------


def chargebacks(story: Story) -> tuple[int, int]:
    """What the operator has lost to reversals so far, and what lies at the provider."""
    books = story.books()
    return books["chargeback:USD", "USD"], -books["clearing:USD", "USD"]


def test_the_operators_word_moves_nothing_at_the_provider() -> None:
    story, first = frozen()
    before = chargebacks(story)
    assert resolve(story, first, WON).happened() == ["deposit.reversal_resolved"]
    assert (chargebacks(story), before) == ((-103_00, 0), (-103_00, 0))
    story.approve()
    assert story.states() == ["RELEASED", "PLANNED"]
    assert reverse(story, first, outcome=LOST).happened() == [], "what was won stays won, at the operator's risk"
    assert reverse(story, first, outcome=WON).happened() == ["deposit.reinstated"]
    assert chargebacks(story) == (0, 103_00)
    sound(story)


def test_what_is_won_comes_back_to_where_it_was_taken_from() -> None:
    held, first = frozen()
    assert reverse(held, first, outcome=WON).happened() == ["deposit.reinstated", "deposit.reversal_resolved"]
    assert (chargebacks(held), held.milestone().held_minor, refund_orders(held)) == ((0, 103_00), 100_00, [])
    held.approve()
    released = active("100.00", "50.00").pay(1).approve()
    reverse(released, deposit(released).id)
    payable = released.payable(Side.FREELANCER)
    assert reverse(released, deposit(released).id, outcome=WON).happened()[0] == "deposit.reinstated"
    assert (chargebacks(released), released.payable(Side.FREELANCER)) == ((0, 103_00), payable)
    for story in (held, released):
        assert refund_orders(story) == []
        sound(story)


@pytest.mark.parametrize("by_the_operator", [True, False])
def test_what_was_lost_and_is_won_after_all_goes_to_the_client(by_the_operator: bool) -> None:
    story, first = frozen()
    resolve(story, first, LOST) if by_the_operator else reverse(story, first, outcome=LOST)
    assert (story.states()[0], refund_orders(story)) == ("REFUNDED", [])
    assert reverse(story, first).happened() == []
    story.wait(200 * DAY)
    assert reverse(story, first, outcome=WON).happened() == ["deposit.reinstated", "deposit.reversal_resolved"]
    assert refund_orders(story) == [(first, 103_00, "STARTED")]
    assert (chargebacks(story)[0], deposit(story).reversal, story.states()[0]) == (0, "WON", "REFUNDED")
    assert reverse(story, first, outcome=WON).happened() == []
    assert reverse(story, first, outcome=LOST).happened() == []
    sound(story)


def test_withdrawn_counts_as_won_and_is_called_so() -> None:
    story, first = frozen()
    reverse(story, first, outcome=WITHDRAWN)
    assert (deposit(story).reversal, story.milestone().is_frozen, chargebacks(story)) == (
        "WITHDRAWN",
        False,
        (0, 103_00),
    )
    assert reverse(story, first, outcome=WON).happened() == []
    assert resolve(story, first, LOST).code() == "INVALID_STATE"
    sound(story)


@pytest.mark.parametrize("outcome", [WON, WITHDRAWN, LOST])
def test_a_reversal_that_is_heard_of_when_it_is_over_is_booked_in_its_order(outcome: ReversalOutcome) -> None:
    story = active("100.00", "50.00").pay(1)
    reverse(story, deposit(story).id, outcome=outcome)
    came_again = ["deposit.reinstated"] if outcome is not LOST else []
    closed = ["milestone.refunded"] if outcome is LOST else []
    assert story.happened() == ["deposit.reversed", *came_again, "deposit.reversal_resolved", *closed]
    assert not story.milestone().is_frozen
    assert reverse(story, deposit(story).id).happened() == [], "the opening comes late"
    sound(story)


def test_a_part_that_is_lost_is_all_that_is_lost_and_the_rest_goes_back_to_the_client() -> None:
    story = active("100.00", "50.00").pay(1)
    first = deposit(story).id
    reverse(story, first, story.state.money(30_00))
    assert (story.milestone().is_frozen, chargebacks(story)) == (True, (-30_00, 73_00))
    reverse(story, first, story.state.money(30_00), outcome=LOST)
    assert (story.milestone().state, story.milestone().lost_minor, story.milestone().refunded_minor) == (
        "REFUNDED",
        30_00,
        70_00,
    )
    assert (refund_orders(story), chargebacks(story)) == ([(first, 73_00, "STARTED")], (0, 73_00))
    sound(story)


def test_more_may_be_taken_and_a_part_may_come_again() -> None:
    story = active("100.00", "50.00").pay(1)
    first = deposit(story).id
    reverse(story, first, story.state.money(30_00))
    assert reverse(story, first, story.state.money(20_00)).happened() == [], "less is what is known already"
    assert reverse(story, first, story.state.money(80_00)).happened() == ["deposit.reversed"]
    assert chargebacks(story) == (-80_00, 23_00)
    reverse(story, first, story.state.money(60_00), outcome=LOST)
    assert story.happened() == ["deposit.reinstated", "deposit.reversal_resolved", "milestone.refunded"]
    assert (story.milestone().lost_minor, refund_orders(story)) == (60_00, [(first, 43_00, "STARTED")])
    assert chargebacks(story) == (0, 43_00)
    sound(story)


def test_a_part_of_what_was_given_up_comes_again_and_the_client_gets_what_the_bank_has_not_paid_it() -> None:
    story, first = frozen()
    resolve(story, first, LOST)
    reverse(story, first, story.state.money(40_00), outcome=WON)
    assert (refund_orders(story), chargebacks(story)) == ([(first, 40_00, "STARTED")], (0, 40_00))
    story = active("60.00", "40.00")
    fund_all(story).confirm().approve(1)
    every = deposit(story).id
    reverse(story, every).end(by=FREELANCER, giving_up="40.00")
    assert (deposit(story).reversal, deposit(story).forfeited_minor) == ("FORFEITED", 41_20)
    reverse(story, every, story.state.money(61_80), outcome=WON)
    assert (refund_orders(story), chargebacks(story)) == ([], (0, 61_80)), "the bank has paid the client its 41.20"
    sound(story)


def test_a_second_reversal_of_the_same_deposit_is_another_one() -> None:
    story = active("100.00", "50.00").pay(1)
    first = deposit(story).id
    reverse(story, first, reversal_id="one")
    reverse(story, first, reversal_id="one", outcome=WON)
    assert reverse(story, first, reversal_id="one").happened() == []
    assert reverse(story, first, reversal_id="two").happened() == ["deposit.reversed"]
    assert (story.milestone().is_frozen, deposit(story).reversal) == (True, "OPEN")
    assert reverse(story, first, reversal_id="one", outcome=WON).happened() == []
    assert reverse(story, first, reversal_id="two", outcome=LOST).happened() == [
        "deposit.reversal_resolved",
        "milestone.refunded",
    ]
    assert (deposit(story).reversal, chargebacks(story)) == ("LOST", (0, 0))
    sound(story)


def test_of_two_at_once_no_more_is_taken_than_came_and_one_that_is_lost_decides() -> None:
    story = active("100.00", "50.00").pay(1)
    first = deposit(story).id
    reverse(story, first, story.state.money(60_00), reversal_id="one")
    reverse(story, first, story.state.money(60_00), reversal_id="two")
    assert [(one.reference, one.taken_minor) for one in deposit(story).reversals] == [("one", 60_00), ("two", 43_00)]
    reverse(story, first, story.state.money(60_00), reversal_id="one", outcome=WON)
    assert story.milestone().is_frozen, "the other one goes on"
    reverse(story, first, story.state.money(43_00), reversal_id="two", outcome=LOST)
    assert (story.milestone().lost_minor, refund_orders(story)) == (43_00, [(first, 60_00, "STARTED")])
    sound(story)


def test_the_deadline_for_evidence_is_told_with_the_reversal() -> None:
    story = active("100.00").pay(1)
    until = story.now + 7 * DAY
    reverse(story, deposit(story).id, evidence_due_at=until)
    event = story.log[-1].event
    assert isinstance(event, DepositReversed)
    assert (event.evidence_due_at, deposit(story).evidence_due_at) == (until, until)


def test_nothing_is_taken_back_by_a_report_of_no_money() -> None:
    story = active("100.00").pay(1)
    assert reverse(story, deposit(story).id, story.state.money(0)).happened() == []
    assert not story.milestone().is_frozen
