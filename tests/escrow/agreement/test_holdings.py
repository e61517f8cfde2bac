"""Odd amounts in currencies of 0, 2 and 3 decimals: in whatever slices it leaves, nothing is lost and none leaves twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.agreement.state.holdings import Holding, Lot, put, split_off, take, totals
from escrow.currencies import EXPONENTS
from escrow.money import fee, fee_held

EXAMPLES = [(EXPONENTS[currency], currency) for currency in ("JPY", "USD", "BHD")]

amounts = st.sampled_from([1, 7, 10, 99, 101, 333]) | st.integers(1, 10**6)
prices = st.builds(lambda odd, exponent: odd * 10**exponent + odd % 7, amounts, st.sampled_from([0, 2, 3]))
points = st.sampled_from([0, 1, 99, 333, 9_999, 10_000]) | st.integers(0, 10_000)


def deposited(price: int, basis_points: int) -> Holding:
    return Holding(price, price, fee(price, basis_points))


def test_the_currencies_of_these_tests_have_0_2_and_3_decimals() -> None:
    assert EXAMPLES == [(0, "JPY"), (2, "USD"), (3, "BHD")]


@given(prices, points, st.lists(st.integers(0, 10**9), max_size=8))
def test_slices_together_take_exactly_what_was_held_and_its_fee(price: int, bps: int, wanted: list[int]) -> None:
    holding = deposited(price, bps)
    gone = gone_fee = 0
    for slice_ in [one % (price + 1) for one in wanted]:
        leaving = min(slice_, holding.held_minor)
        gone_fee += holding.fee_of(leaving)
        holding = holding.without(leaving)
        gone += leaving
        assert holding.held_minor + gone == price
        assert holding.fee_minor + gone_fee == fee(price, bps)
        assert holding.fee_minor >= 0
    rest = holding.held_minor
    assert gone_fee + holding.fee_of(rest) == fee(price, bps)
    assert holding.without(rest) == Holding(0, price, fee(price, bps))


@given(prices, points, st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_slices_carry_the_fee_of_one(price: int, bps: int, one: int, other: int) -> None:
    holding = deposited(price, bps)
    first = one % (price + 1)
    second = other % (price - first + 1)
    both = holding.fee_of(first) + holding.without(first).fee_of(second)
    assert both == holding.fee_of(first + second)


@given(prices, points, st.integers(0, 10**9))
def test_the_fee_beside_what_is_held_is_its_share_rounded_up(price: int, bps: int, leaving: int) -> None:
    held = deposited(price, bps).without(leaving % (price + 1))
    whole, lot = fee(price, bps) * held.held_minor, held.fee_minor
    assert (lot - 1) * price < whole <= lot * price
    assert lot == fee_held(held.held_minor, base_minor=price, base_fee_minor=fee(price, bps))


@given(st.lists(prices, min_size=1, max_size=5), points, st.integers(0, 10**12))
def test_money_leaves_oldest_deposit_first_with_its_difference_of_the_fee(
    given_: list[int], bps: int, wanted: int
) -> None:
    lots = tuple(Lot(f"dep_{number}", price, fee(price, bps)) for number, price in enumerate(given_, start=1))
    price, whole_fee = totals(lots)
    holding = Holding(price, price, whole_fee)
    leaving = wanted % (price + 1)
    taken, left = take(lots, leaving, holding.fee_of(leaving))
    assert totals(taken) == (leaving, holding.fee_of(leaving))
    assert totals(left) == (price - leaving, holding.without(leaving).fee_minor)
    assert set(put(taken, left)) == set(lots)
    touched = [lot.deposit_id for lot in taken if lot.amount_minor]
    assert touched == [lot.deposit_id for lot in lots][: len(touched)]
    for lot in lots[: max(0, len(touched) - 1)]:
        assert lot.amount_minor == sum(one.amount_minor for one in taken if one.deposit_id == lot.deposit_id)


def test_the_oldest_deposit_goes_first_for_amounts_and_fees_apart() -> None:
    lots = (Lot("dep_1", 10, 1), Lot("dep_2", 10, 3))
    taken, left = take(lots, 5, 2)
    assert taken == (Lot("dep_1", 5, 1), Lot("dep_2", 0, 1))
    assert left == (Lot("dep_1", 5, 0), Lot("dep_2", 10, 2))


def test_no_more_leaves_than_is_held() -> None:
    lots = (Lot("dep_1", 100, 3),)
    with pytest.raises(ValueError, match="more than is held"):
        take(lots, 101, 3)
    with pytest.raises(ValueError, match="more than is held"):
        take(lots, 100, 4)
    with pytest.raises(ValueError, match="can't leave"):
        Holding(100, 100, 3).without(101)


def test_what_rolls_on_is_older_and_one_deposit_stays_one_part() -> None:
    rolled = (Lot("dep_1", 40, 1), Lot("dep_2", 5, 0))
    own = (Lot("dep_2", 100, 3),)
    assert put(rolled, own) == (Lot("dep_1", 40, 1), Lot("dep_2", 105, 3))


def test_deposits_under_reversal_are_told_from_the_others() -> None:
    first, second, third = (Lot(f"dep_{number}", 10, 1) for number in (1, 2, 3))
    assert split_off((first, second, third), {"dep_2": 11}) == ((second,), (first, third))
    assert split_off((first, second), {"dep_1": 0, "dep_2": 7}) == (
        (Lot("dep_2", 7, 0),),
        (first, Lot("dep_2", 3, 1)),
    )
    assert split_off((first,), {}) == ((), (first,))
