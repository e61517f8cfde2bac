"""Refunds and payouts that came back after they were paid, and those of which nobody knows what became of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from escrow.access import PROVIDER, Side
from escrow.agreement import commands as c
from escrow.agreement.events import OrderResolved, OrderStuck, PayoutFailed, RefundFailed, RefundPaid
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import OrderKind, OrderOutcome, OrderState
from tests.escrow.agreement.acts import (
    LOST,
    WON,
    deposit,
    find_out,
    get_stuck,
    overtake,
    refund_orders,
    reverse,
    set_payouts,
    sound,
)
from tests.escrow.agreement.stage import CLIENT, FREELANCER, MEDIATOR, OPERATOR, Story, active, named

PAID, NEVER = OrderOutcome.PAID, OrderOutcome.NEVER_HAPPENED


def last_order(story: Story) -> str:
    return list(story.state.orders)[-1]


def payout() -> tuple[Story, str]:
    """A payout of 90.00 USD that was asked of the provider."""
    story = active("100.00", "50.00").pay().approve().payout()
    return story, last_order(story)


def refund() -> tuple[Story, str]:
    """A late deposit of 103.00 USD that is being sent back."""
    story = active("100.00").fund()
    deposit_id = story.deposit_id()
    story.cancel_funding().confirm(deposit_id=deposit_id)
    return story, last_order(story)


each_kind = pytest.mark.parametrize(
    ("begin", "noun", "side"), [(payout, "payout", Side.FREELANCER), (refund, "refund", Side.CLIENT)]
)
Begin = Callable[[], tuple[Story, str]]


@each_kind
def test_what_came_back_after_it_was_paid_is_payable_again_and_can_be_paid_again(
    begin: Begin, noun: str, side: Side
) -> None:
    story, order_id = begin()
    story.order_paid(order_id)
    books = story.books()
    story.order_failed(order_id)
    assert story.happened() == [f"{noun}.failed"]
    assert story.last is not None
    failed = story.last.recorded[0].event
    assert isinstance(failed, PayoutFailed | RefundFailed)
    assert failed.after_payment is True
    assert story.payable(side) == failed.amount.minor
    assert story.books()["clearing:USD", "USD"] == books["clearing:USD", "USD"] - failed.amount.minor
    sound(story)
    story.order_failed(order_id)
    assert story.happened() == []
    story.order_paid(order_id)
    assert story.happened() == [f"{noun}.paid"]
    assert story.payable(side) == 0
    sound(story)


def test_a_payout_that_came_back_is_not_started_again_by_itself_and_can_be_asked_for() -> None:
    story, order_id = payout()
    set_payouts(story, True)
    story.order_paid(order_id).order_failed(order_id)
    assert story.happened() == ["payout.failed"]
    story.payout()
    assert story.happened() == ["payout.started"]
    sound(story)


@each_kind
def test_what_nobody_knows_is_told_once_and_waits_for_the_operator(begin: Begin, noun: str, side: Side) -> None:
    story, order_id = begin()
    books = story.books()
    get_stuck(story, order_id)
    order = story.state.orders[order_id]
    assert story.last is not None
    assert story.last.recorded[0].event == OrderStuck(
        order_id=order_id, kind=OrderKind(noun.upper()), amount=order.amount, explanation="who knows"
    )
    assert (order.state, order.is_stuck, story.books()) == (OrderState.STARTED, True, books)
    assert get_stuck(story, order_id).happened() == []


@each_kind
def test_the_operator_says_that_it_was_paid(begin: Begin, noun: str, side: Side) -> None:
    story, order_id = begin()
    find_out(get_stuck(story, order_id), order_id, PAID)
    assert story.happened() == ["order.resolved", f"{noun}.paid"]
    order = story.state.orders[order_id]
    assert (order.state, order.is_stuck, story.payable(side)) == (OrderState.PAID, False, 0)
    sound(story)


@each_kind
def test_the_operator_says_that_it_never_happened(begin: Begin, noun: str, side: Side) -> None:
    story, order_id = begin()
    find_out(get_stuck(story, order_id), order_id, NEVER)
    assert story.happened() == ["order.resolved", f"{noun}.failed"]
    order = story.state.orders[order_id]
    assert (order.state, order.is_stuck) == (OrderState.FAILED, False)
    assert story.payable(side) == order.amount.minor
    sound(story)


def test_a_refund_whose_second_attempt_is_lost_is_booked_by_what_is_found_out() -> None:
    for outcome, happens, payable in (
        (PAID, ["order.resolved", "refund.paid"], 0),
        (NEVER, ["order.resolved"], 103_00),
    ):
        story, order_id = refund()
        story.order_failed(order_id)
        find_out(get_stuck(story, order_id), order_id, outcome)
        assert (story.happened(), story.payable(Side.CLIENT)) == (happens, payable)
        sound(story)


@each_kind
@pytest.mark.parametrize("paid_before", [True, False])
def test_what_the_provider_finds_after_all_needs_no_person(
    begin: Begin, noun: str, side: Side, paid_before: bool
) -> None:
    for report in ("paid", "failed"):
        story, order_id = begin()
        if paid_before:
            story.order_paid(order_id)
        get_stuck(story, order_id)
        if report == "paid":
            story.order_paid(order_id)
            expected = ["order.resolved"] if paid_before else [f"{noun}.paid"]
        else:
            story.order_failed(order_id)
            expected = [f"{noun}.failed"]
        assert story.happened() == expected
        assert not story.state.orders[order_id].is_stuck
        sound(story)


def test_a_failure_that_is_found_of_a_second_attempt_is_no_second_failure() -> None:
    story, order_id = refund()
    get_stuck(story.order_failed(order_id), order_id).order_failed(order_id)
    assert story.last is not None
    assert story.last.recorded[0].event == OrderResolved(order_id=order_id, outcome=NEVER)
    assert story.payable(Side.CLIENT) == 103_00
    sound(story)


def test_only_the_operator_resolves_and_only_what_is_stuck() -> None:
    story, order_id = payout()
    before = story.state
    assert find_out(story, order_id, PAID).code() == "INVALID_STATE"
    get_stuck(story, order_id)
    for actor in (CLIENT, FREELANCER, PROVIDER):
        assert find_out(story, order_id, PAID, by=actor).code() == "FORBIDDEN"
    assert find_out(story, order_id, PAID, by=MEDIATOR).code() == "NOT_FOUND"
    assert find_out(story, named(Kind.ORDER, 9), PAID).code() == "NOT_FOUND"
    assert story.state.balances == before.balances
    assert find_out(story, order_id, PAID, by=OPERATOR).code() is None
    assert find_out(story, order_id, NEVER).code() == "INVALID_STATE"


def test_a_deposit_is_never_stuck_its_charge_can_be_looked_up() -> None:
    story = active("100.00").fund()
    order_id = last_order(story)
    story.do(c.MarkStuck(contract_id=story.id, order_id=order_id, reason="x"), PROVIDER)
    assert story.code() == "INVALID_INPUT"
    assert find_out(story, order_id, PAID).code() == "INVALID_STATE"


def given_back() -> tuple[Story, str]:
    """A milestone of 100.00 USD that is given back, with the fee of 3.00."""
    story = active("100.00", "50.00").pay().give_refund()
    return story, last_order(story)


@pytest.mark.parametrize("has_failed", [False, True])
@pytest.mark.parametrize("begin", [refund, given_back])
def test_a_refund_ends_of_which_the_client_has_the_money_from_the_bank(begin: Begin, has_failed: bool) -> None:
    story, order_id = begin()
    if has_failed:
        story.order_failed(order_id)
    assert overtake(reverse(story, deposit(story).id), order_id).happened() == [], "it is argued about"
    overtake(reverse(story, deposit(story).id, outcome=LOST), order_id)
    assert story.happened() == ["refund.overtaken"]
    assert (story.state.orders[order_id].state, story.payable(Side.CLIENT)) == (OrderState.ABANDONED, 0)
    assert not any(story.books().values()), "it came once and left once"
    assert overtake(story, order_id).happened() == []
    assert story.order_failed(order_id).happened() == []
    sound(story)


def test_what_a_refund_gave_up_is_the_clients_if_it_comes_again() -> None:
    story, order_id = given_back()
    first = deposit(story).id
    overtake(reverse(story, first, outcome=LOST), order_id)
    assert reverse(story, first, outcome=WON).happened() == ["deposit.reinstated", "deposit.reversal_resolved"]
    assert refund_orders(story) == [(first, 103_00, "ABANDONED"), (first, 103_00, "STARTED")]
    assert overtake(story, last_order(story)).happened() == []
    sound(story)


def test_of_a_part_that_was_lost_the_rest_of_the_refund_goes_back_by_another_order() -> None:
    story, order_id = given_back()
    first = deposit(story).id
    overtake(reverse(story, first, Money(30_00, "USD"), outcome=LOST), order_id)
    assert refund_orders(story) == [(first, 103_00, "ABANDONED"), (first, 73_00, "STARTED")]
    assert overtake(story, last_order(story)).happened() == [], "the bank has no more of it"
    story.order_paid(last_order(story))
    assert not any(story.books().values())
    sound(story)


def test_what_milestones_gave_up_is_not_taken_of_a_refund_once_more() -> None:
    story = active("100.00", "50.00").pay().give_refund(amount="40.00")
    first, order_id = deposit(story).id, last_order(story)
    reverse(story, first, Money(61_80, "USD"), outcome=LOST)
    assert overtake(story, order_id).happened() == []
    assert refund_orders(story) == [(first, 41_20, "STARTED")]
    sound(story)


def test_a_refund_that_is_paid_all_the_same_is_the_operators_loss() -> None:
    story, order_id = given_back()
    overtake(reverse(story, deposit(story).id, outcome=LOST), order_id).order_paid(order_id)
    event = story.log[-1].event
    assert isinstance(event, RefundPaid)
    assert (event.after_failure, event.shortfall) == (True, event.amount)
    assert story.books()["chargeback:USD", "USD"] == -103_00
    sound(story)


def test_nobody_but_the_operator_says_what_became_of_a_refund_that_is_stuck() -> None:
    story, order_id = given_back()
    overtake(reverse(get_stuck(story, order_id), deposit(story).id, outcome=LOST), order_id)
    assert (story.happened(), story.state.orders[order_id].is_stuck) == ([], True)
    overtake(find_out(story, order_id, NEVER), order_id)
    assert (story.happened(), story.state.orders[order_id].state) == (["refund.overtaken"], OrderState.ABANDONED)
    sound(story)


def test_a_refund_of_another_deposit_and_a_payout_are_never_overtaken() -> None:
    story = active("100.00", "50.00").pay().pay(2).give_refund(2)
    order_id, first = last_order(story), deposit(story, 0).id
    reverse(story.approve(1).payout(), first, outcome=LOST)
    for one in (order_id, last_order(story)):
        story.do(c.OvertakeRefund(contract_id=story.id, order_id=one, deposit_id=first), PROVIDER)
        assert (story.code(), story.happened()) == (None, [])
    story.do(c.OvertakeRefund(contract_id=story.id, order_id=order_id, deposit_id=named(Kind.DEPOSIT, 9)), PROVIDER)
    assert story.code() == "NOT_FOUND"
