"""What the provider takes for itself: booked once for each movement, so that clearing is the provider's balance."""

from __future__ import annotations

import pytest

from escrow.access import PROVIDER
from escrow.agreement import commands as c
from escrow.money import Money
from tests.escrow.agreement.acts import book, sound
from tests.escrow.agreement.stage import CLIENT, Story, active

FEE, GIVEN, GOT = Money(3_41, "USD"), Money(103_00, "EUR"), Money(111_24, "USD")


def at_the_provider(story: Story) -> dict[str, int]:
    """Its balance by the books, by currency."""
    return {currency: -minor for (account, currency), minor in story.books().items() if account.startswith("clearing:")}


def test_a_fee_lowers_the_balance_at_the_provider_and_is_the_operators_cost() -> None:
    story = active("100.00").pay(1)
    held, fee = story.milestone().held_minor, Money(3_29, "USD")
    assert book(story, "txn_1", fee=fee).happened() == ["cost.booked"]
    assert at_the_provider(story) == {"USD": 103_00 - 3_29}
    assert (story.books()["provider_fees:USD", "USD"], story.milestone().held_minor) == (-3_29, held)
    book(story, "txn_2", fee=fee, is_fee_returned=True)
    assert (at_the_provider(story), story.books()["provider_fees:USD", "USD"]) == ({"USD": 103_00}, 0)
    sound(story)


def test_what_was_changed_lies_at_the_provider_in_the_other_currency() -> None:
    story = active("100.00", currency="EUR").pay(1)
    book(story, "txn_1", fee=FEE, given=GIVEN, got=GOT)
    assert at_the_provider(story) == {"EUR": 0, "USD": 111_24 - 3_41}
    assert (story.books()["exchange:EUR", "EUR"], story.books()["exchange:USD", "USD"]) == (-103_00, 111_24)
    sound(story)


def test_a_movement_is_booked_once_and_one_without_a_cost_never() -> None:
    story = book(active("100.00").pay(1), "txn_1", fee=FEE)
    assert book(story, "txn_1", fee=Money(9, "USD")).happened() == []
    assert book(story, "txn_2").happened() == []
    story.approve()
    assert story.state.state == "COMPLETED"
    assert book(story, "txn_3", fee=FEE).happened() == ["cost.booked"], "in every state of the contract"
    sound(story)


NOT_A_COST = {
    "no name": {"movement": "", "fee": FEE},
    "a long name": {"movement": "x" * 256, "fee": FEE},
    "no money": {"movement": "txn_1", "fee": Money(0, "USD")},
    "half an exchange": {"movement": "txn_1", "given": GIVEN},
    "the other half": {"movement": "txn_1", "fee": FEE, "got": GOT},
    "no other currency": {"movement": "txn_1", "given": GOT, "got": GOT},
    "a currency of no list": {"movement": "txn_1", "fee": Money(1, "XXY")},
}


@pytest.mark.parametrize("why", NOT_A_COST)
def test_what_is_no_cost_is_refused(why: str) -> None:
    story = active("100.00").pay(1)
    story.do(c.BookCost(contract_id=story.id, **NOT_A_COST[why]), PROVIDER)  # type: ignore[arg-type]
    assert (story.code(), story.happened()) == ("INVALID_INPUT", [])


def test_only_the_provider_tells_of_it() -> None:
    story = active("100.00").pay(1)
    story.do(c.BookCost(contract_id=story.id, movement="txn_1", fee=FEE), CLIENT)
    assert (story.code(), story.happened()) == ("FORBIDDEN", [])
