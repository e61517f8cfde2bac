"""The line of ours under a text: it comes off as it went on, whatever people make of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import footer
from connectors.sides import Card, Field, Price, canonical


def card(purpose: str) -> Card:
    return Card(values={Field.PURPOSE: purpose}, mark="mil_01k", facts="500.00 USD, ACTIVE", is_done=False)


@given(st.text())
def test_a_purpose_comes_back_as_it_went(purpose: str) -> None:
    sent = footer.split(purpose).purpose
    there = footer.joined(card(sent)).replace("\n", "\r\n") + "\n"
    assert footer.split(there) == footer.Parts(sent, "mil_01k", "500.00 USD, ACTIVE")
    assert canonical(canonical(purpose)) == canonical(purpose)


LINES = st.sampled_from(
    ["-- Earnest mil_01k: 1.00 USD, ACTIVE", "Price: 500 each", "price: 3", "\\", "-- Earnest mil_2:", ""]
)


@given(st.lists(st.builds("{}{}{}".format, st.sampled_from(["", "\\", "\\\\"]), LINES, st.text(max_size=3))))
def test_lines_of_a_purpose_that_look_like_ours_come_back_too(lines: list[str]) -> None:
    purpose = canonical("\n".join(lines))
    there = footer.joined(card(purpose))
    assert footer.split(there) == footer.Parts(purpose, "mil_01k", "500.00 USD, ACTIVE")
    assert footer.split(there.replace("\n", "\r\n") + "\n").purpose == purpose


def test_a_price_is_read_from_what_has_no_line_of_ours_yet() -> None:
    assert footer.split("More\n\nPrice: 75.50 USD") == footer.Parts(
        "More", price=Price(said="75.50 USD", amount="75.50", currency="USD")
    )
    assert footer.split("price:500") == footer.Parts("", price=Price(said="500", amount="500"))
    assert footer.split(footer.joined(card("More")) + "\nPrice: 9999").price is None
    assert footer.split(None) == footer.Parts("")
    assert footer.split("Price: to be said") == footer.Parts("Price: to be said")


@pytest.mark.parametrize(
    "said",
    [
        "1,500.00",
        "1 500.00",
        "1\xa0500",
        "1'500",
        "500.00 USD each",
        "500 each",
        "$500",
        "USD 500",
        "5e3",
        "-5",
        "500.",
    ],
)
def test_no_amount_is_read_from_what_may_mean_anything(said: str) -> None:
    assert footer.split(f"More\nPrice: {said}") == footer.Parts("More", price=Price(said=said))
