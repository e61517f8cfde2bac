"""`reviewPlan` and `splitBudget`: advice over HTTP, which neither blocks nor writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from schema.error_codes import coded
from tests.api.client import People
from tests.escrow.cases import everything
from tests.factories import advance_clock

PAGE = Path(__file__).parents[2] / "docs" / "good-plans.md"
REVIEW = """query ($plan: [MilestoneDraftInput!]!, $budget: MoneyInput, $zone: String) {
    reviewPlan(plan: $plan, budget: $budget, timeZone: $zone) { code message position field details }
}"""
SPLIT = """query ($amount: MoneyInput!, $ratios: [Int!]!, $milestones: Int) {
    splitBudget(amount: $amount, ratios: $ratios, milestones: $milestones) { amount }
}"""


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


async def _codes(people: People, plan: list[dict[str, Any]], **more: Any) -> list[str]:
    found = (await people.client.ask(REVIEW, {"plan": plan, **more}))["reviewPlan"]
    return [hint["code"] for hint in found]


def _plan(*dates: str) -> list[dict[str, Any]]:
    return [
        {
            "title": f"Part {number}",
            "purpose": "So that it is done",
            "amount": usd(amount),
            "dueOn": due_on,
            "deliverables": ["A written report"],
        }
        for number, (amount, due_on) in enumerate(zip(("250.00", "500.00", "250.00"), dates, strict=True))
    ]


async def test_the_pages_example_gets_hints_and_nothing_is_written(people: People) -> None:
    (query,) = re.findall(r"```graphql\n(.*?)```", PAGE.read_text(), re.DOTALL)
    before = await everything()
    codes = [hint["code"] for hint in (await people.client.ask(query))["reviewPlan"]]
    assert codes == [
        "FEW_MILESTONES", "TOTAL_DIFFERS_FROM_BUDGET", "MISSING_PURPOSE", "VAGUE_DELIVERABLE", "MISSING_DUE_DATE",
    ]  # fmt: skip
    assert await everything() == before | {"api_keys": (await everything())["api_keys"]}


async def test_today_is_domain_time_in_the_plans_time_zone(people: People) -> None:
    plan = _plan("2100-01-01", "2100-02-01", "2100-03-01")
    assert await _codes(people, plan, budget=usd("1000.00")) == []
    await advance_clock(years=75)
    assert await _codes(people, plan, budget=usd("1000.00")) == ["DUE_IN_THE_PAST"] * 3
    (error,) = await people.client.errors(REVIEW, {"plan": plan, "zone": "Moon/Base"})
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("BAD_REQUEST", "timeZone")


async def test_a_plan_with_hints_can_be_proposed(people: People) -> None:
    plan = _plan("2001-01-01", "2001-01-01", "2001-01-01")
    assert "DUE_IN_THE_PAST" in await _codes(people, plan)
    given = {
        "clientId": people.client.account_id,
        "freelancerId": people.freelancer.account_id,
        "title": "A website",
        "currency": "USD",
        "milestones": plan,
    }
    await people.client.done("proposeContract", given, "contract { id }")


async def test_a_split_loses_nothing_and_counts_the_ratios(people: People) -> None:
    given = {"amount": usd("100.00"), "ratios": [1, 1, 1], "milestones": 3}
    shares = (await people.client.ask(SPLIT, given))["splitBudget"]
    assert [share["amount"] for share in shares] == ["33.34", "33.33", "33.33"]
    (error,) = await people.client.errors(SPLIT, given | {"milestones": 4})
    assert error["message"] == "One ratio for each milestone: 4, not 3."
    assert error["extensions"] == coded("BAD_REQUEST", field="ratios")
