"""Hints on draft plans: each code has a plan that gets it, a good plan gets none, and nothing is ever refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.agreement.advice import Draft, Hint, HintCode, is_vague, review
from escrow.money import RawMoney

TODAY = date(2026, 3, 1)


def money(amount: str, currency: str = "USD") -> RawMoney:
    return RawMoney(Decimal(amount), currency)


def milestone(amount: str = "250.00", *, weeks: int = 2) -> Draft:
    return Draft(
        title="Wireframe",
        purpose="The structure is settled before anything is designed",
        amount=money(amount),
        due_on=TODAY + timedelta(weeks=weeks),
        deliverables=("Wireframes of the five page types",),
    )


GOOD = (milestone("250.00", weeks=2), milestone("500.00", weeks=5), milestone("250.00", weeks=7))
BUDGET = money("1000.00")


def hints(*plan: Draft, budget: RawMoney | None = BUDGET) -> tuple[Hint, ...]:
    return review(plan, budget=budget, today=TODAY)


def codes(*plan: Draft, budget: RawMoney | None = BUDGET) -> list[str]:
    return [hint.code.value for hint in hints(*plan, budget=budget)]


def test_a_25_50_25_plan_within_its_budget_needs_no_advice() -> None:
    assert hints(*GOOD) == ()
    assert hints(*GOOD, budget=None) == ()


first, second, third = GOOD

HINTED = {
    HintCode.FEW_MILESTONES: ((first, replace(second, amount=money("250.00"))), money("500.00")),
    HintCode.MANY_MILESTONES: (tuple(milestone("10.00", weeks=n) for n in range(1, 7)), money("60.00")),
    HintCode.MISSING_TITLE: ((first, replace(second, title=" "), third), BUDGET),
    HintCode.MISSING_PURPOSE: ((first, second, replace(third, purpose=None)), BUDGET),
    HintCode.MISSING_DELIVERABLE: ((replace(first, deliverables=("  ",)), second, third), BUDGET),
    HintCode.VAGUE_DELIVERABLE: ((first, replace(second, deliverables=("A test report", "Design")), third), BUDGET),
    HintCode.MISSING_AMOUNT: ((first, replace(second, amount=None), third), BUDGET),
    HintCode.UNUSABLE_AMOUNT: ((first, replace(second, amount=money("0.001")), third), BUDGET),
    HintCode.SEVERAL_CURRENCIES: ((first, replace(second, amount=money("500", "JPY")), third), BUDGET),
    HintCode.TOTAL_DIFFERS_FROM_BUDGET: (GOOD, money("1200.00")),
    HintCode.ONE_MILESTONE_CARRIES_MOST: ((first, replace(second, amount=money("501.00")), third), money("1001.00")),
    HintCode.LARGE_FIRST_MILESTONE: ((milestone("400.00"), milestone("300.00", weeks=4), milestone("300.00", weeks=6)), BUDGET),
    HintCode.MISSING_DUE_DATE: ((first, replace(second, due_on=None), third), BUDGET),
    HintCode.DUE_IN_THE_PAST: ((replace(first, due_on=TODAY - timedelta(days=1)), second, third), BUDGET),
    HintCode.DUE_OUT_OF_ORDER: ((first, second, milestone("250.00", weeks=4)), BUDGET),
    HintCode.DUE_TOO_CLOSE: ((replace(first, due_on=TODAY + timedelta(days=1)), second, third), BUDGET),
}  # fmt: skip


@pytest.mark.parametrize("code", HintCode)
def test_every_hint_has_a_plan_that_gets_it_and_only_it(code: HintCode) -> None:
    plan, budget = HINTED[code]
    (hint,) = hints(*plan, budget=budget)
    assert hint.code is code
    assert hint.message.strip()


def test_a_hint_names_the_place() -> None:
    (hint,) = hints(first, replace(second, deliverables=("A test report", "Stuff")), third)
    assert (hint.position, hint.field) == (2, "plan.1.deliverables.1")
    (hint,) = hints(*GOOD, budget=money("1200.00"))
    assert (hint.position, hint.field) == (None, "budget")
    assert hint.details == {
        "total": {"amount": "1000.00", "currency": "USD"},
        "budget": {"amount": "1200.00", "currency": "USD"},
    }
    assert "200.00 USD less" in hint.message


def test_dates_are_looked_at_in_the_order_of_the_plan() -> None:
    same_day = replace(second, due_on=first.due_on)
    assert codes(first, same_day, third) == ["DUE_TOO_CLOSE"]
    in_time = replace(first, due_on=TODAY + timedelta(days=2))
    assert codes(in_time, second, third) == []
    # A date that has passed is told of once, not as too close or out of order as well.
    assert (
        codes(*(replace(one, due_on=TODAY - timedelta(days=n)) for n, one in enumerate(GOOD, start=1)))
        == ["DUE_IN_THE_PAST"] * 3
    )


def test_what_is_missing_a_price_is_not_compared_with_the_budget() -> None:
    assert codes(first, replace(second, amount=None), third, budget=money("1.00")) == ["MISSING_AMOUNT"]


def test_an_unusable_budget_is_a_hint_too() -> None:
    assert codes(*GOOD, budget=money("-1.00")) == ["UNUSABLE_AMOUNT"]


def test_nothing_at_all_is_a_plan_with_too_few_milestones() -> None:
    assert codes() == ["FEW_MILESTONES"]
    assert codes(Draft(), Draft(), Draft()) == [
        "MISSING_TITLE", "MISSING_PURPOSE", "MISSING_DELIVERABLE", "MISSING_AMOUNT", "MISSING_DUE_DATE",
    ] * 3  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "Design", "Website", "stuff", "All the things", "etc.", "Logo, colours etc", "TBD", "As discussed", "…", "42"],
)
def test_a_deliverable_that_nobody_can_check_is_vague(text: str) -> None:
    assert is_vague(text)


@pytest.mark.parametrize(
    "text",
    [
        "One page",
        "A logo as SVG",
        "5 banners",
        "Entwurf der Startseite",
        "ログインページのワイヤーフレーム",
        "Maquettes détaillées",
    ],
)
def test_a_deliverable_that_says_what_it_is_is_not_vague(text: str) -> None:
    assert not is_vague(text)


_TEXT = st.none() | st.text(max_size=20)
_AMOUNT = st.none() | st.builds(
    RawMoney, st.decimals(allow_nan=True, allow_infinity=True), st.sampled_from(["USD", "JPY", "BHD", "XXX", ""])
)
_DRAFT = st.builds(
    Draft,
    title=_TEXT,
    purpose=_TEXT,
    amount=_AMOUNT,
    due_on=st.none() | st.dates(),
    deliverables=st.lists(st.text(max_size=20), max_size=3).map(tuple),
)


@given(plan=st.lists(_DRAFT, max_size=8), budget=_AMOUNT, today=st.dates())
def test_no_draft_is_refused(plan: list[Draft], budget: RawMoney | None, today: date) -> None:
    found = review(plan, budget=budget, today=today)
    assert all(hint.position is None or 1 <= hint.position <= len(plan) for hint in found)
