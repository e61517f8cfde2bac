"""Money on its way out: payouts and returns, paid, failed, and paid after all when everybody thought that they had failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escrow.access import Role, Side
from escrow.agreement import commands as c
from escrow.agreement.events import PayoutPaid, RefundPaid
from escrow.agreement.state import Fees
from escrow.ids import Kind
from escrow.money import Money
from escrow.states import ContractState, OrderKind, OrderState
from tests.escrow.agreement.acts import set_payouts, sound
from tests.escrow.agreement.stage import CLIENT, FREELANCER, FREELANCER_ID, HOUR, Story, account, active, named

NET = 90_00
"""What the freelancer gets of 100.00 USD at a fee of ten per cent."""


def earned() -> Story:
    return active("100.00", "50.00").pay().approve()


def last_order(story: Story) -> str:
    return list(story.state.orders)[-1]


def returned() -> tuple[Story, str]:
    """A contract on which a late deposit of 103.00 USD is being sent back by the order that is named."""
    story = active("100.00").fund()
    deposit_id = story.deposit_id()
    story.cancel_funding().confirm(deposit_id=deposit_id)
    return story, last_order(story)


def test_a_release_is_payable_less_the_fee_and_both_fees_are_revenue() -> None:
    story = earned()
    assert story.payable(Side.FREELANCER) == NET
    assert story.books()["fees:USD", "USD"] == 10_00 + 3_00


def test_a_payout_takes_all_that_is_payable_unless_it_names_less() -> None:
    story = earned().payout("30.00")
    assert (story.happened(), story.payable(Side.FREELANCER)) == (["payout.started"], 60_00)
    story.payout()
    assert story.payable(Side.FREELANCER) == 0
    assert story.books()[f"transit:{story.id}", "USD"] == NET
    assert [one.amount.minor for one in story.state.orders.values() if one.kind is OrderKind.PAYOUT] == [30_00, 60_00]


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("90.00", None),
        ("90.01", "INSUFFICIENT_FUNDS"),
        ("0", "INVALID_INPUT"),
        ("-1", "INVALID_INPUT"),
        ("1.001", "INVALID_INPUT"),
    ],
)
def test_a_payout_is_of_an_amount_that_is_there(amount: str, code: str | None) -> None:
    story = earned().payout(amount)
    assert story.code() == code
    assert (story.happened() == []) == (code is not None)


def test_nothing_payable_is_nothing_to_pay_out() -> None:
    assert active().payout().code() == "INSUFFICIENT_FUNDS"
    assert earned().payout().payout().code() == "INSUFFICIENT_FUNDS"


@pytest.mark.parametrize("amount", ["0", "-1", "1.001"])
def test_where_nothing_is_payable_an_amount_that_is_no_sum_is_still_bad_input(amount: str) -> None:
    assert (active().payout(amount).code(), active().payout("1.00").code()) == ("INVALID_INPUT", "INSUFFICIENT_FUNDS")


def test_what_the_whole_fee_ate_leaves_nothing_to_pay_out() -> None:
    story = active("100.00", fees=Fees(freelancer_bps=10_000)).pay().approve()
    assert (story.state.state, story.payout().code()) == ("COMPLETED", "INSUFFICIENT_FUNDS")


@pytest.mark.parametrize("state", ContractState)
def test_a_payout_is_possible_in_every_state_of_the_contract(state: ContractState) -> None:
    story = earned()
    story.contract = replace(story.state, state=state)
    assert story.payout().code() is None


def test_a_payout_is_possible_for_a_disabled_account() -> None:
    story = earned()
    assert story.freelancer is not None
    story.freelancer = replace(story.freelancer, disabled=True)
    assert story.payout().code() is None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.MANAGER])
def test_only_an_owner_asks_for_a_payout(role: Role) -> None:
    story = earned()
    command = c.RequestPayout(contract_id=story.id, order_id=story.fresh(Kind.ORDER))
    story.do(command, account(FREELANCER_ID, role=role))
    assert (story.code(), story.happened()) == ("FORBIDDEN", [])


def test_a_paid_payout_leaves_through_clearing_once() -> None:
    story = earned().payout()
    order_id = last_order(story)
    story.order_paid(order_id)
    assert story.happened() == ["payout.paid"]
    assert {key: minor for key, minor in story.books().items() if minor} == {
        ("clearing:USD", "USD"): -103_00 + NET,
        ("fees:USD", "USD"): 13_00,
    }
    assert story.order_paid(order_id).happened() == []
    assert story.state.orders[order_id].state is OrderState.PAID


def test_a_failed_payout_is_payable_again() -> None:
    story = earned().payout()
    order_id = last_order(story)
    story.order_failed(order_id)
    assert (story.happened(), story.payable(Side.FREELANCER)) == (["payout.failed"], NET)
    assert story.order_failed(order_id).happened() == []
    assert story.payout().code() is None


def test_a_payout_that_succeeds_after_it_failed_is_taken_from_what_is_payable() -> None:
    story = earned().payout()
    order_id = last_order(story)
    story.order_failed(order_id).order_paid(order_id)
    event = story.log[-1].event
    assert isinstance(event, PayoutPaid)
    assert (event.after_failure, event.shortfall) == (True, Money(0, "USD"))
    assert story.payable(Side.FREELANCER) == 0
    assert story.books()["chargeback:USD", "USD"] == 0
    assert story.order_paid(order_id).happened() == []


@pytest.mark.parametrize(("paid_out_again", "shortfall"), [("40.00", 40_00), (None, NET)])
def test_what_is_no_longer_payable_of_a_late_success_falls_on_the_chargeback_account(
    paid_out_again: str | None, shortfall: int
) -> None:
    story = earned().payout()
    first = last_order(story)
    story.order_failed(first).payout(paid_out_again).order_paid(first)
    event = story.log[-1].event
    assert isinstance(event, PayoutPaid)
    assert (event.after_failure, event.shortfall.minor) == (True, shortfall)
    assert story.payable(Side.FREELANCER) == 0
    books = story.books()
    assert books["chargeback:USD", "USD"] == -shortfall
    assert sum(books.values()) == 0


def test_a_return_is_paid_once_and_shown() -> None:
    story, order_id = returned()
    story.order_paid(order_id)
    assert story.happened() == ["refund.paid"]
    assert not any(story.books().values()), "the money went back the way that it came"
    assert story.order_paid(order_id).happened() == []


def test_a_failed_return_is_the_clients_and_a_late_success_takes_it() -> None:
    story, order_id = returned()
    story.order_failed(order_id)
    assert (story.happened(), story.payable(Side.CLIENT)) == (["refund.failed"], 103_00)
    story.order_paid(order_id)
    event = story.log[-1].event
    assert isinstance(event, RefundPaid)
    assert event.after_failure
    assert not any(story.books().values())


def test_a_return_in_another_currency_goes_back_in_that_currency() -> None:
    story = active("100.00").fund()
    story.confirm(amount=Money(77, "JPY"))
    order_id = last_order(story)
    assert story.books()[f"transit:{story.id}", "JPY"] == 77
    story.order_failed(order_id)
    assert story.books()[f"payable:{story.id}:client", "JPY"] == 77
    assert story.payable(Side.FREELANCER) == 0
    story.order_paid(order_id)
    assert not any(story.books().values())


def test_an_unknown_order_is_not_found() -> None:
    story = earned()
    for command in (story.order_paid, story.order_failed):
        assert command(named(Kind.ORDER, 1)).code() == "NOT_FOUND"


def test_a_payout_of_one_contract_is_not_an_order_of_another() -> None:
    story = earned().payout()
    other = earned()
    other.fresh = story.fresh
    other.do(c.RequestPayout(contract_id=other.id, order_id=other.fresh(Kind.ORDER)), FREELANCER)
    assert other.order_paid(last_order(story)).code() == "NOT_FOUND"


def test_payouts_by_themselves_take_all_that_is_payable_with_each_payment() -> None:
    story = set_payouts(active("100.00", "50.00"), True)
    assert story.happened() == ["payouts.changed"], "nothing is payable yet"
    story.pay().approve()
    assert story.happened() == ["milestone.released", "payout.started"]
    assert (story.payable(Side.FREELANCER), story.books()[f"transit:{story.id}", "USD"]) == (0, 90_00)
    story.pay(2).submit(2).wait(14 * 24 * HOUR).sweep()
    assert story.happened() == ["milestone.released", "contract.completed", "payout.started"]
    sound(story)


def test_switching_payouts_on_pays_out_what_is_payable_and_asking_again_changes_nothing() -> None:
    story = active("100.00").pay().approve()
    assert set_payouts(story, True).happened() == ["payouts.changed", "payout.started"]
    assert (set_payouts(story, True).code(), story.happened()) == (None, [])
    assert set_payouts(story, False).happened() == ["payouts.changed"]
    assert set_payouts(story, False).happened() == []


def test_a_failed_payout_starts_no_other_by_itself_but_the_next_payment_takes_it_along() -> None:
    story = set_payouts(active("100.00", "50.00"), True).pay().approve()
    story.order_failed(list(story.state.orders)[-1])
    assert (story.happened(), story.payable(Side.FREELANCER)) == (["payout.failed"], 90_00)
    story.pay(2).approve(2)
    assert story.books()[f"transit:{story.id}", "USD"] == 90_00 + 45_00
    sound(story)


def test_a_refund_pays_the_freelancer_nothing_a_split_does() -> None:
    story = set_payouts(active("100.00", "50.00"), True).pay().give_refund()
    assert "payout.started" not in story.happened()
    story.pay(2).open_dispute(2, claim="20.00").accept_claim(2)
    assert story.happened()[-1] == "payout.started"
    sound(story)


def test_only_an_owner_of_the_freelancers_account_sets_payouts() -> None:
    story = active()
    for actor in (CLIENT, account(FREELANCER_ID, role=Role.MANAGER)):
        assert (set_payouts(story, True, by=actor).code(), story.happened()) == ("FORBIDDEN", [])
