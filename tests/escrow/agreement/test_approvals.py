"""Approving with less, whose rest rolls forward, and with a bonus, which is a deposit of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.access import Side
from escrow.agreement.decisions.holdings import RETURNS_MAX
from escrow.agreement.events import MilestoneReleased
from escrow.agreement.state import Fees
from escrow.money import Money
from escrow.states import DepositState
from tests.escrow.agreement.acts import approve, deposit, fund_all, refund_orders, set_payouts, sound
from tests.escrow.agreement.stage import FREELANCER, HOUR, Story, active


def two(*amounts: str, **stage: object) -> Story:
    """A contract whose first milestone is under way and whose others are funded."""
    return fund_all(active(*(amounts or ("100.00", "50.00")), **stage)).confirm()


# -- less ------------------------------------------------------------------------------------------------------------


def test_a_smaller_approval_releases_that_much_and_rolls_the_rest_forward() -> None:
    story = approve(two(), amount="60.00")
    assert story.happened() == ["milestone.rolled_forward", "milestone.released", "milestone.activated"]
    first, second = story.state.milestones
    assert (first.state, first.amount_minor, first.released_minor, first.rolled_minor) == (
        "RELEASED",
        60_00,
        60_00,
        40_00,
    )
    assert (second.state, second.amount_minor, second.held_minor) == ("ACTIVE", 90_00, 90_00)
    assert (first.client_fee_minor, second.held_fee_minor) == (1_80, 1_20 + 1_50)
    assert (second.base_minor, second.base_fee_minor) == (90_00, 2_70)
    assert story.payable(Side.FREELANCER) == 54_00
    released = story.log[-2].event
    assert isinstance(released, MilestoneReleased)
    assert (released.reason, released.amount.minor, released.client_fee.minor) == ("APPROVED", 60_00, 1_80)
    sound(story)


def test_the_whole_sum_is_a_full_approval() -> None:
    story = approve(two(), amount="100.00")
    assert story.happened() == ["milestone.released", "milestone.activated"]


@pytest.mark.parametrize(("amount", "code"), [("100.01", "INVALID_INPUT"), ("0.00", "INVALID_INPUT"), ("99.99", None)])
def test_a_smaller_approval_is_more_than_nothing_and_less_than_held(amount: str, code: str | None) -> None:
    assert approve(two(), amount=amount).code() == code


def test_the_rest_needs_the_next_open_milestone_to_be_funded() -> None:
    story = active("100.00", "50.00").pay(1)
    assert (approve(story, amount="60.00").code(), story.happened()) == ("NEXT_NOT_FUNDED", [])
    story.fund(2)
    assert approve(story, amount="60.00").code() == "NEXT_NOT_FUNDED"
    story.confirm(2)
    assert approve(story, amount="60.00").code() is None
    assert approve(active("100.00").pay(1), amount="60.00").code() == "NEXT_NOT_FUNDED", "there is no next one"


def test_a_closed_milestone_between_is_passed_over() -> None:
    story = active("100.00", "50.00", "20.00").remove(2).pay(1).fund(3).confirm(3)
    assert approve(story, amount="99.99").code() is None
    assert story.milestone(3).held_minor == 20_01


def test_under_a_hold_only_the_whole_sum_is_approved() -> None:
    story = two().request_refund(2)
    assert approve(story, amount="60.00").code() == "NEXT_NOT_FUNDED", "the next one is on hold"
    story = two().request_refund(1)
    for amount in ("60.00", "100.01", "0.00"):
        assert approve(story, amount=amount).code() == "INVALID_STATE"
    assert approve(story, amount="100.00").code() is None
    sound(story)


def test_bad_amounts_come_before_what_lies_next() -> None:
    story = active("100.00").pay(1)
    assert approve(story, amount="100.01").code() == "INVALID_INPUT"


def test_money_of_very_many_deposits_goes_back_by_as_many_orders_as_an_event_holds() -> None:
    count = RETURNS_MAX + 5
    story = active(*["10.00"] * count).pay(1)
    for position in range(1, count):
        approve(story.pay(position + 1), position, amount="0.01")
    last = story.milestone(count)
    assert (len(last.lots), last.held_minor) == (count, 10_00 * count - (count - 1))
    story.give_refund(count)
    orders = refund_orders(story)
    assert len(orders) == RETURNS_MAX
    assert sum(minor for _, minor, _ in orders) == last.held_minor + last.held_fee_minor
    sound(story)


def test_a_late_click_with_an_amount_answers_with_the_released_milestone() -> None:
    story = approve(two(), amount="60.00")
    before = story.state
    assert (approve(story, amount="60.00").code(), story.happened(), story.state) == (None, [], before)


ODD = st.integers(1, 10**7)
BPS = st.sampled_from([0, 1, 333, 999, 10_000]) | st.integers(0, 10_000)


@given(
    st.sampled_from([("JPY", 0), ("USD", 2), ("BHD", 3)]),
    st.tuples(ODD, ODD, ODD),
    st.tuples(BPS, BPS),
    st.tuples(*(st.integers(0, 10**9) for _ in range(4))),
)
def test_odd_amounts_lose_nothing_on_any_way(
    currency: tuple[str, int], prices: tuple[int, int, int], bps: tuple[int, int], chosen: tuple[int, int, int, int]
) -> None:
    """A partial refund, a roll-forward, another, and a split: what came in is what came out, to the last minor unit."""
    code, _ = currency

    def written(minor: int) -> str:
        return Money(minor, code).amount

    def less(position: int, draw: int) -> int | None:
        held = story.milestone(position).held_minor
        return 1 + draw % (held - 1) if held > 1 else None

    story = two(*(written(price) for price in prices), currency=code, fees=Fees(*bps))
    charged = deposit(story).charge_minor
    if (part := less(1, chosen[0])) is not None:
        story.give_refund(1, written(part))
    for position in (1, 2):
        part = less(position, chosen[position])
        approve(story, position, amount=None if part is None else written(part))
        assert story.code() is None
        sound(story)
    last = story.milestone(3).held_minor
    story.open_dispute(3, claim=written(chosen[3] % (last + 1))).accept_claim(3)
    assert (story.code(), story.state.held_minor) == (None, 0)
    sound(story)
    books = story.books()
    in_transit = books[f"transit:{story.id}", code]
    out = in_transit + books[f"payable:{story.id}:freelancer", code] + books[f"fees:{code}", code]
    assert (out, -books[f"clearing:{code}", code]) == (charged, charged)
    assert sum(minor for _, minor, _ in refund_orders(story)) == in_transit


# -- a bonus ----------------------------------------------------------------------------------------------------------


def test_a_bonus_is_started_with_the_approval_which_does_not_wait_for_it() -> None:
    story = approve(two(), bonus="12.34")
    assert story.happened() == ["milestone.released", "bonus.started", "milestone.activated"]
    assert (deposit(story).charge_minor, deposit(story).is_bonus) == (12_34, True)
    payable = story.payable(Side.FREELANCER)
    story.confirm(deposit_id=deposit(story).id)
    assert story.happened() == ["bonus.paid"]
    assert (story.payable(Side.FREELANCER), story.milestone(1).bonus_minor) == (payable + 12_34, 12_34)
    assert story.confirm(deposit_id=deposit(story).id).happened() == []
    sound(story)


def test_a_released_milestone_gets_a_bonus_in_any_state_of_the_contract_once() -> None:
    story = active("100.00").pay().approve()
    assert story.state.state == "COMPLETED"
    assert approve(story, bonus="5.00").happened() == ["bonus.started"]
    assert approve(story, bonus="6.00").happened() == [], "one is on its way"
    story.confirm(deposit_id=deposit(story).id)
    assert (approve(story, bonus="6.00").code(), story.happened()) == (None, [])
    sound(story)


@pytest.mark.parametrize("ends", ["fail", "silence", "another sum"])
def test_a_bonus_that_failed_may_be_started_again(ends: str) -> None:
    story = approve(active("100.00").pay(), bonus="5.00")
    first = deposit(story).id
    if ends == "fail":
        story.fail(deposit_id=first)
    elif ends == "silence":
        story.wait(72 * HOUR).sweep()
    else:
        story.confirm(deposit_id=first, amount=Money(4_99, "USD"))
    assert story.happened()[0] == "bonus.failed"
    wanted = DepositState.ABANDONED if ends == "silence" else DepositState.FAILED
    assert (story.state.deposits[first].state, story.milestone().bonus_deposit_id) == (wanted, None)
    assert approve(story, bonus="7.00").happened() == ["bonus.started"]
    second = deposit(story).id
    story.confirm(deposit_id=first, amount=Money(5_00, "USD"))
    assert story.happened() == ["deposit.returned"], "what comes late is sent back"
    story.confirm(deposit_id=second)
    assert story.milestone().bonus_minor == 7_00
    sound(story)


def test_ending_and_completion_leave_a_bonus_on_its_way() -> None:
    story = approve(two(), bonus="5.00").end(giving_up="50.00", by=FREELANCER)
    assert (story.state.state, "deposit.abandoned" in story.types()) == ("ENDED", False)
    assert story.confirm(deposit_id=deposit(story).id).happened() == ["bonus.paid"]
    sound(story)


@pytest.mark.parametrize("released", [False, True])
def test_with_a_disabled_party_the_approval_with_a_bonus_is_refused_as_a_whole(released: bool) -> None:
    for side, code in ((Side.CLIENT, "FORBIDDEN"), (Side.FREELANCER, "INVALID_STATE")):
        story = active("100.00", "1.00").pay()
        if released:
            story.approve()
        assert story.client is not None
        assert story.freelancer is not None
        if side is Side.CLIENT:
            story.client = replace(story.client, disabled=True)
        else:
            story.freelancer = replace(story.freelancer, disabled=True)
        before = story.state
        assert (approve(story, bonus="1.00").code(), story.state) == (code, before)
        assert approve(story).code() is None


def test_a_bonus_is_an_exact_sum_of_the_contracts_currency() -> None:
    story = two()
    for bonus in ("0.00", "1.001", "-1.00"):
        assert (approve(story, bonus=bonus).code(), story.happened()) == ("INVALID_INPUT", [])


def test_a_smaller_approval_may_come_with_a_bonus() -> None:
    story = approve(two(), amount="1.00", bonus="1.00")
    assert story.happened() == [
        "milestone.rolled_forward",
        "milestone.released",
        "bonus.started",
        "milestone.activated",
    ]


def test_a_bonus_is_paid_out_by_itself_where_payouts_are_automatic() -> None:
    story = set_payouts(active("100.00").pay(), True)
    approve(story, bonus="5.00")
    assert story.happened()[-1] == "payout.started"
    story.confirm(deposit_id=deposit(story).id)
    assert story.happened() == ["bonus.paid", "payout.started"]
    assert story.payable(Side.FREELANCER) == 0
    sound(story)
