"""Deposits with all their outcomes, in whatever order the provider reports: what comes is held, or booked and sent back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from escrow.access import PROVIDER, Side
from escrow.agreement import commands as c
from escrow.agreement.events import DepositFailed, DepositFailure, DepositStarted
from escrow.agreement.state import Fees
from escrow.errors import InvalidInput
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import DepositState, MilestoneState, OrderKind, OrderState
from escrow.terms import Limits, Terms
from tests.escrow.agreement.acts import approve, fund_all
from tests.escrow.agreement.stage import CLIENT, HOUR, Story, active, named, reaching

PRICE, FEE = 100_00, 3_00
CHARGE = Money(PRICE + FEE, "USD")
MORE, LESS, EUROS = Money(CHARGE.minor + 1, "USD"), Money(PRICE, "USD"), Money(CHARGE.minor, "EUR")


def started() -> tuple[Story, str]:
    story = active("100.00", "50.00").fund()
    return story, story.deposit_id()


def test_a_deposit_charges_the_price_and_the_clients_fee_and_binds_milestone_and_revision() -> None:
    story, deposit_id = started()
    event = story.log[-1].event
    assert isinstance(event, DepositStarted)
    assert (event.charge, event.revision, event.milestone_ids) == (CHARGE, 1, (story.milestone().id,))
    deposit = story.state.deposits[deposit_id]
    (part,) = deposit.parts
    assert (part.amount_minor, part.fee_minor, deposit.state) == (PRICE, FEE, DepositState.STARTED)
    order = story.state.orders[deposit.order_id]
    assert (order.kind, order.state, order.amount) == (OrderKind.DEPOSIT, OrderState.STARTED, CHARGE)
    assert story.milestone().state is MilestoneState.FUNDING
    assert not story.books(), "no money moved yet"


def test_a_confirmed_deposit_is_held_and_its_milestones_turn_comes_in_the_same_write() -> None:
    story, deposit_id = started()
    story.confirm()
    assert story.happened() == ["deposit.confirmed", "milestone.funded", "milestone.activated"]
    milestone = story.milestone()
    assert (milestone.state, milestone.held_minor, milestone.held_fee_minor) == ("ACTIVE", PRICE, FEE)
    assert story.books() == {
        ("clearing:USD", "USD"): -PRICE - FEE,
        (f"escrow:{milestone.id}", "USD"): PRICE,
        (f"fee:{milestone.id}", "USD"): FEE,
    }
    assert story.state.deposits[deposit_id].state is DepositState.CONFIRMED


def test_the_next_milestone_can_be_funded_ahead_and_waits() -> None:
    story = active().pay(1).pay(2)
    assert story.happened() == ["deposit.confirmed", "milestone.funded"]
    assert story.states() == ["ACTIVE", "FUNDED"]


@pytest.mark.parametrize("state", ["FUNDING", "FUNDED"])
def test_no_deposit_starts_while_an_earlier_milestone_is_funding_or_funded(state: str) -> None:
    story = active("1.00", "2.00", "3.00").pay(1).fund(2)
    if state == "FUNDED":
        story.confirm(2)
    assert story.milestone(2).state == state
    story.fund(3)
    assert (story.code(), story.milestone(3).state) == ("OUT_OF_SEQUENCE", "PLANNED")


def test_only_the_first_planned_milestone_is_funded() -> None:
    story = active("1.00", "2.00", "3.00").fund(2)
    assert story.code() == "OUT_OF_SEQUENCE"
    story.remove(1).fund(2)
    assert story.code() is None


def test_a_deposit_may_name_the_revision_but_need_not_on_an_active_contract() -> None:
    for revision, code in ((None, None), (1, None), (0, "VERSION_CONFLICT"), (2, "VERSION_CONFLICT")):
        assert active().fund(revision=revision).code() == code


def test_no_deposit_is_taken_where_nobody_can_decide_disputes() -> None:
    story = active(disputes_can_be_decided=False).fund()
    assert (story.code(), story.happened()) == ("INVALID_STATE", [])
    story.disputes_can_be_decided = True
    assert story.fund().code() is None


def test_money_on_its_way_still_arrives_when_nobody_can_decide_disputes_any_more_or_a_party_is_disabled() -> None:
    story, _ = started()
    assert story.client is not None
    story.disputes_can_be_decided = False
    story.client = replace(story.client, disabled=True)
    assert story.confirm().milestone().state == "ACTIVE"


@pytest.mark.parametrize("ends", ["failed", "cancelled", "unanswered"])
def test_a_deposit_that_comes_to_nothing_leaves_the_milestone_planned_and_can_be_tried_again(ends: str) -> None:
    story, deposit_id = started()
    ENDINGS[ends](story, deposit_id)
    assert story.milestone().state == "PLANNED"
    assert story.milestone().deposit_id is None
    deposit = story.state.deposits[deposit_id]
    assert deposit.state is (DepositState.FAILED if ends == "failed" else DepositState.ABANDONED)
    order = story.state.orders[deposit.order_id]
    assert order.state is (OrderState.FAILED if ends == "failed" else OrderState.ABANDONED)
    assert not story.books()
    assert story.pay().milestone().state == "ACTIVE"


ENDINGS: dict[str, Callable[[Story, str], Story]] = {
    "failed": lambda story, deposit_id: story.fail(deposit_id=deposit_id),
    "cancelled": lambda story, _: story.cancel_funding(),
    "unanswered": lambda story, _: story.wait(72 * HOUR).sweep(),
}


@pytest.mark.parametrize("ends", ENDINGS)
def test_a_confirmation_for_a_deposit_that_is_over_is_booked_and_sent_back_in_the_same_write(ends: str) -> None:
    story, deposit_id = started()
    ENDINGS[ends](story, deposit_id)
    story.confirm(deposit_id=deposit_id)
    assert story.happened() == ["deposit.returned"]
    assert story.milestone().state == "PLANNED"
    assert_only_in_transit(story, CHARGE)
    assert story.confirm(deposit_id=deposit_id).happened() == [], "the same one again does nothing"
    assert_only_in_transit(story, CHARGE)


@pytest.mark.parametrize("ends", ENDINGS)
def test_money_of_an_earlier_try_does_not_fund_a_later_one(ends: str) -> None:
    story, first = started()
    ENDINGS[ends](story, first)
    story.fund().confirm(deposit_id=first)
    assert (story.happened(), story.milestone().state) == (["deposit.returned"], "FUNDING")
    assert story.confirm().milestone().state == "ACTIVE"


@pytest.mark.parametrize("amount", [MORE, LESS, EUROS], ids=["more", "less", "euros"])
def test_another_sum_counts_as_failed_and_is_sent_back(amount: Money) -> None:
    story, deposit_id = started()
    story.confirm(amount=amount)
    assert story.happened() == ["deposit.failed", "deposit.returned"]
    failed = story.log[-2].event
    assert isinstance(failed, DepositFailed)
    assert failed.reason is DepositFailure.WRONG_AMOUNT
    assert (story.milestone().state, story.state.deposits[deposit_id].state) == ("PLANNED", DepositState.FAILED)
    assert_only_in_transit(story, amount)


@pytest.mark.parametrize("amount", [MORE, LESS, EUROS], ids=["more", "less", "euros"])
def test_another_sum_after_the_right_one_is_sent_back_and_what_is_held_stays(amount: Money) -> None:
    story, deposit_id = started()
    story.confirm().confirm(deposit_id=deposit_id, amount=amount)
    assert story.happened() == ["deposit.returned"]
    assert story.confirm(deposit_id=deposit_id, amount=amount).happened() == []
    assert (story.milestone().state, story.milestone().held_minor) == ("ACTIVE", PRICE)
    assert story.books()[f"transit:{story.id}", amount.currency] == amount.minor


def test_the_right_sum_after_another_one_is_late_and_sent_back_too() -> None:
    story, deposit_id = started()
    story.confirm(amount=LESS).confirm(deposit_id=deposit_id)
    assert story.happened() == ["deposit.returned"]
    assert story.milestone().state == "PLANNED"
    assert story.books()[f"transit:{story.id}", "USD"] == LESS.minor + CHARGE.minor


def test_a_repeated_confirmation_does_nothing_whatever_became_of_the_money() -> None:
    story, deposit_id = started()
    for _ in range(2):
        story.confirm(deposit_id=deposit_id)
    assert (story.code(), story.happened()) == (None, [])
    story.approve()
    books = story.books()
    story.confirm(deposit_id=deposit_id)
    assert (story.happened(), story.books()) == ([], books)


@pytest.mark.parametrize("ends", ENDINGS)
def test_a_failure_of_a_deposit_that_is_over_does_nothing(ends: str) -> None:
    story, deposit_id = started()
    ENDINGS[ends](story, deposit_id)
    before = story.state
    story.fail(deposit_id=deposit_id)
    assert (story.code(), story.happened(), story.state) == (None, [], before)


def test_a_failure_after_the_confirmation_does_nothing() -> None:
    story, deposit_id = started()
    story.confirm().fail(deposit_id=deposit_id)
    assert (story.happened(), story.milestone().state) == ([], "ACTIVE")


def test_a_report_of_an_unknown_deposit_is_not_found_even_if_its_sum_is_nonsense() -> None:
    story, _ = started()
    for amount in (CHARGE, Money(0, "USD"), Money(1, "???")):
        story.confirm(deposit_id=named(Kind.DEPOSIT, 1), amount=amount)
        assert (story.code(), story.happened()) == ("NOT_FOUND", [])


@pytest.mark.parametrize("amount", [Money(0, "USD"), Money(-1, "USD"), Money(10**18 + 1, "USD"), Money(1, "XXX")])
def test_a_report_of_what_is_no_sum_of_money_is_refused_and_the_deposit_still_waits(amount: Money) -> None:
    story, _ = started()
    story.confirm(amount=amount)
    assert story.last is not None
    assert isinstance(story.last.refusal, InvalidInput)
    assert (story.happened(), story.milestone().state) == ([], "FUNDING")
    assert story.confirm().milestone().state == "ACTIVE"


def test_only_the_provider_reports() -> None:
    story, deposit_id = started()
    order_id = story.state.deposits[deposit_id].order_id
    for command in (
        c.ConfirmDeposit(contract_id=story.id, deposit_id=deposit_id, amount=CHARGE),
        c.FailDeposit(contract_id=story.id, deposit_id=deposit_id, reason="no"),
        c.ConfirmOrder(contract_id=story.id, order_id=order_id),
        c.FailOrder(contract_id=story.id, order_id=order_id, reason="no"),
    ):
        story.do(command, CLIENT)
        assert (story.code(), story.happened()) == ("FORBIDDEN", [])


def test_a_deposit_is_not_reported_as_an_order() -> None:
    story, deposit_id = started()
    order_id = story.state.deposits[deposit_id].order_id
    assert story.order_paid(order_id).code() == "INVALID_INPUT"
    assert story.order_failed(order_id).code() == "INVALID_INPUT"
    assert story.milestone().state == "FUNDING"


@pytest.mark.parametrize("minor_fee_bps", [0, 1, 99, 333, 10_000])
def test_the_clients_fee_is_floored_per_milestone_and_never_written_as_zero(minor_fee_bps: int) -> None:
    story = active("0.99", fees=Fees(client_bps=minor_fee_bps)).pay()
    milestone = story.milestone()
    assert milestone.held_fee_minor == 99 * minor_fee_bps // 10_000
    assert ((f"fee:{milestone.id}", "USD") in story.books()) == (milestone.held_fee_minor > 0)


def test_the_provider_says_what_it_likes_about_a_failure() -> None:
    story, deposit_id = started()
    reason = "\0\ud800" + "long " * 10_000
    story.do(c.FailDeposit(contract_id=story.id, deposit_id=deposit_id, reason=reason), PROVIDER)
    event = story.log[-1].event
    assert isinstance(event, DepositFailed)
    assert event.explanation is not None
    assert (story.code(), event.explanation[:9]) == (None, "long long")


def test_cancelling_what_is_not_being_funded_is_refused() -> None:
    for state in (MilestoneState.PLANNED, MilestoneState.ACTIVE, MilestoneState.RELEASED):
        story = reaching(state)
        assert story.cancel_funding().code() == "INVALID_STATE"
        assert story.milestone().state is state


def assert_only_in_transit(story: Story, amount: Money) -> None:
    """The books hold nothing but this sum on its way back, asked of the provider by one order."""
    books = {key: minor for key, minor in story.books().items() if minor}
    assert books == {
        (f"clearing:{amount.currency}", amount.currency): -amount.minor,
        (f"transit:{story.id}", amount.currency): amount.minor,
    }
    (order,) = [order for order in story.state.orders.values() if order.kind is OrderKind.REFUND]
    assert (order.state, order.amount) == (OrderState.STARTED, amount)
    assert story.payable(Side.CLIENT) == 0


# -- what the payment provider takes at once --------------------------------------------------------------------------

STRICT = Terms(
    currencies=frozenset({"USD"}),
    limits_by_currency={"USD": Limits(minimum_minor=50_00, maximum_minor=200_00)},
)


@pytest.mark.parametrize(
    ("amount", "code"),
    [("48.55", None), ("48.54", "INVALID_INPUT"), ("194.18", None), ("194.19", "INVALID_INPUT")],
)
def test_a_charge_is_within_what_the_provider_takes_at_once_fee_included(amount: str, code: str | None) -> None:
    story = active(amount, terms=STRICT)
    assert story.fund().code() == code
    assert story.happened() == ([] if code else ["deposit.started"])


def test_all_deposits_together_and_a_bonus_are_charges_too() -> None:
    story = active("100.00", "150.00", terms=STRICT)
    assert (fund_all(story).code(), story.happened()) == ("INVALID_INPUT", [])
    approve(story.pay(1), bonus="0.50")
    assert (story.code(), story.happened(), story.milestone().state) == ("INVALID_INPUT", [], "ACTIVE")
    approve(story, bonus="50.00")
    assert story.happened()[-1] == "bonus.started"


def test_a_currency_that_the_provider_does_not_take_is_no_deposit() -> None:
    story = active("1000", currency="JPY", terms=STRICT)
    assert (story.fund().code(), story.happened(), story.milestone().state) == ("INVALID_INPUT", [], "PLANNED")


def test_what_is_out_of_turn_and_too_little_is_too_little_first() -> None:
    story = active("100.00", "1.00", terms=STRICT)
    assert story.fund(2).code() == "INVALID_INPUT"
