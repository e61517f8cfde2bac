"""Currencies are those of a dated list, and what some contract may be in is read for ever."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import iso4217

from escrow.currencies import CURRENT, EXPONENTS, FORMER, PUBLISHED

TAKEN = Path(__file__).parents[1] / "golden" / "currencies.txt"
"""Every currency that some release let contracts be in, with its decimals."""


def test_the_list_is_the_one_that_was_published_and_not_an_old_one() -> None:
    assert date(2026, 1, 1) <= PUBLISHED
    listed = {one.code: one.exponent for one in iso4217.Currency}
    assert len(CURRENT) > 150
    assert all(listed[code] == exponent for code, exponent in CURRENT.items())


def test_what_came_lately_is_a_currency_and_what_is_no_money_is_none() -> None:
    assert {"XCG", "ZWG", "SLE", "VED", "EUR", "XOF"} <= set(CURRENT)
    assert not set(CURRENT) & {"XAU", "XXX", "XTS", "XDR", "CHE", "CLF", "USN", "MXV", "ANG", "BGN", "HRK"}


def test_what_left_the_list_is_in_no_new_contract() -> None:
    assert not set(FORMER) & set(CURRENT), "it came back: take it out of the former ones"


def test_a_currency_that_some_release_took_is_read_for_ever_with_the_same_decimals() -> None:
    taken = {code: int(exponent) for code, exponent in map(str.split, TAKEN.read_text().splitlines())}
    assert taken == {code: EXPONENTS.get(code) for code in taken}, "what left the list belongs into FORMER"
    assert taken == EXPONENTS, "what came to the list belongs into the file"
