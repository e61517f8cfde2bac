"""Money is whole minor units of one currency: what is written is exact or refused, what is divided sums to the whole."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.currencies import EXPONENTS
from escrow.errors import InvalidInput
from escrow.money import (
    MINOR_UNITS_MAX,
    Money,
    RawMoney,
    allocate,
    check_currency,
    check_new_currency,
    exact,
    fee,
    fee_held,
)

AMOUNTS = st.integers(1, MINOR_UNITS_MAX)
BASIS_POINTS = st.integers(0, 10_000)


def read(amount: str, currency: str, *, contract: str | None = None) -> Money:
    return exact(RawMoney(Decimal(amount), currency), currency=contract or currency, field="amount")


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1250", "JPY", 1250),
        ("1", "JPY", 1),
        ("1250.00", "USD", 125_000),
        ("1250.5", "USD", 125_050),
        ("1250", "USD", 125_000),
        ("0.01", "USD", 1),
        ("1.234", "BHD", 1234),
        ("0.001", "BHD", 1),
        ("1E3", "JPY", 1000),
        ("1000000000000000", "JPY", 10**15),
        ("10000000000000.00", "USD", 10**15),
        ("1000000000000.000", "BHD", 10**15),
    ],
)
def test_an_amount_is_read_exactly_in_its_currency(amount: str, currency: str, minor: int) -> None:
    assert read(amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "what"),
    [
        ("1250.00", "JPY", "JPY has 0 decimals"),
        ("1250.0", "JPY", "JPY has 0 decimals"),
        ("1.001", "USD", "USD has 2 decimals"),
        ("1.000", "USD", "USD has 2 decimals"),
        ("1.0000", "BHD", "BHD has 3 decimals"),
        ("0", "USD", "more than zero"),
        ("0.00", "USD", "more than zero"),
        ("-0", "USD", "more than zero"),
        ("-1", "USD", "more than zero"),
        ("-1E+30", "USD", "more than zero"),
        ("10000000000000.01", "USD", "at most 10000000000000.00 USD"),
        ("1000000000000001", "JPY", "at most"),
        ("1000000000000.001", "BHD", "at most"),
        ("1E+999999999999", "USD", "at most"),
        ("1E-999999999999", "USD", "USD has 2 decimals"),
        ("9" * 5_000, "JPY", "at most"),
        ("NaN", "USD", "not an amount"),
        ("-NaN", "USD", "not an amount"),
        ("sNaN", "USD", "not an amount"),
        ("Infinity", "USD", "not an amount"),
        ("-Infinity", "USD", "not an amount"),
    ],
)
def test_what_is_no_amount_of_its_currency_is_refused_in_one_short_line(amount: str, currency: str, what: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(amount, currency)
    assert what in refused.value.message
    assert len(refused.value.message) < 200
    assert refused.value.field == "amount.amount"


@pytest.mark.parametrize("amount", ["1." + "1" * 100_000, "NaN" + "1" * 100_000], ids=["decimals", "payload of a NaN"])
def test_a_refusal_does_not_repeat_an_endless_amount(amount: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(amount, "USD")
    assert len(refused.value.message) < 200


def test_an_amount_in_another_currency_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        read("10.00", "EUR", contract="USD")
    assert (refused.value.field, refused.value.message) == (
        "amount.currency",
        "The contract is in USD, this amount in EUR.",
    )


@pytest.mark.parametrize("code", ["", "usd", "XXX", "XAU", "US", "USDT", "€", "U" * 100_000], ids=lambda code: code[:4])
def test_what_is_no_iso_4217_currency_is_refused_in_one_short_line(code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_currency(code)
    assert len(refused.value.message) < 200
    with pytest.raises(InvalidInput):
        read("1", code)
    with pytest.raises(InvalidInput):
        check_new_currency(code)


def test_what_left_the_list_is_no_currency_of_a_new_contract_and_is_read_in_an_old_one() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_new_currency("BGN")
    assert "left ISO 4217" in refused.value.message
    assert check_currency("BGN") == "BGN"
    assert read("12.50", "BGN") == Money(1250, "BGN")
    assert Money.from_wire(Money(1250, "BGN").wire()) == Money(1250, "BGN")


def test_the_law_names_three_exponents_and_we_agree() -> None:
    assert (EXPONENTS["JPY"], EXPONENTS["USD"], EXPONENTS["BHD"]) == (0, 2, 3)
    assert all(len(code) == 3 and code.isupper() for code in EXPONENTS)


@given(st.integers(-MINOR_UNITS_MAX, MINOR_UNITS_MAX), st.sampled_from(["JPY", "USD", "BHD"]))
def test_money_survives_the_wire_and_never_becomes_a_float(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    wire = json.loads(json.dumps(money.wire()))
    assert Money.from_wire(wire) == money
    assert Decimal(wire["amount"]).scaleb(EXPONENTS[currency]) == minor
    assert -(Decimal(wire["amount"]).as_tuple().exponent) == EXPONENTS[currency]  # type: ignore[operator]


@given(AMOUNTS, st.sampled_from(["JPY", "USD", "BHD"]))
def test_what_we_print_reads_as_what_it_was(minor: int, currency: str) -> None:
    assert read(Money(minor, currency).amount, currency) == Money(minor, currency)


@given(AMOUNTS, BASIS_POINTS)
def test_fee_and_rest_sum_to_the_whole_and_the_fee_is_rounded_down(amount: int, basis_points: int) -> None:
    taken = fee(amount, basis_points)
    assert 0 <= taken <= amount
    assert taken * 10_000 <= amount * basis_points < (taken + 1) * 10_000
    assert taken + (amount - taken) == amount


@given(AMOUNTS, BASIS_POINTS, st.lists(st.integers(0, MINOR_UNITS_MAX), max_size=8))
def test_slicing_what_is_held_changes_nothing_of_the_fee(amount: int, basis_points: int, cuts: list[int]) -> None:
    whole_fee = fee(amount, basis_points)
    held, lies_beside, left = amount, whole_fee, 0
    for cut in cuts:
        held -= min(cut, held)
        now_beside = fee_held(held, base_minor=amount, base_fee_minor=whole_fee)
        assert 0 <= now_beside <= lies_beside
        assert now_beside * amount >= whole_fee * held, "never less than its share"
        left += lies_beside - now_beside
        lies_beside = now_beside
    assert left + lies_beside == whole_fee
    assert fee_held(0, base_minor=amount, base_fee_minor=whole_fee) == 0
    assert fee_held(amount, base_minor=amount, base_fee_minor=whole_fee) == whole_fee


def test_where_nothing_was_ever_put_in_no_fee_is_held() -> None:
    assert fee_held(0, base_minor=0, base_fee_minor=0) == 0


@given(st.integers(0, MINOR_UNITS_MAX), st.lists(st.integers(1, 10**9), min_size=1, max_size=12))
def test_shares_sum_to_the_whole_and_each_is_off_by_less_than_one_unit(total: int, weights: list[int]) -> None:
    shares = allocate(total, weights)
    assert sum(shares) == total
    assert len(shares) == len(weights)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - total * weight) < sum(weights)


@given(AMOUNTS, st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_equal_weights_get_shares_that_differ_by_one_unit_at_most_the_earlier_the_more(
    total: int, weights: list[int]
) -> None:
    shares = allocate(total, [weights[0]] * len(weights))
    assert max(shares) - min(shares) <= 1
    assert list(shares) == sorted(shares, reverse=True)


def test_the_split_of_the_articles_loses_nothing() -> None:
    assert allocate(100_01, [25, 50, 25]) == (25_00, 50_01, 25_00)
    assert allocate(1, [1, 1, 1]) == (1, 0, 0)


@pytest.mark.parametrize("weights", [[], [0], [1, 0], [1, -1]])
def test_ratios_that_are_not_positive_are_refused(weights: list[int]) -> None:
    with pytest.raises(InvalidInput):
        allocate(100, weights)
