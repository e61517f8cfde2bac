"""What an operation costs is known before anything runs, and grows with everything that makes it dear."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse

from schema.build import executable
from schema.engine import costs
from schema.engine.context import Context
from schema.engine.execution import Operation, Runner
from schema.engine.limits import COST_MAX, Meter, TooComplex


def _cost(query: str, **variables: Any) -> int:
    document = parse(query)
    operation: Any = document.definitions[0]
    return Meter(executable(), document, operation).check(variables)


SMALL = "{ viewer { role } }"


def _plan(milestones: int) -> list[dict[str, Any]]:
    return [{"title": f"Step {number}", "deliverables": ["a", "b"]} for number in range(milestones)]


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (SMALL, "{ viewer { account { id } } }"),
        ("{ contracts(first: 10) { nodes { id } } }", "{ contracts(first: 20) { nodes { id } } }"),
        ("{ contracts { nodes { id } } }", "{ contracts { nodes { id milestones { id } } } }"),
        ("{ contracts { nodes { id } } }", "{ contracts { nodes { allowedActions { action } } } }"),
        ('{ nodes(ids: ["a"]) { id } }', '{ nodes(ids: ["a", "a", "a"]) { id } }'),
        (SMALL, "{ __schema { types { name } } }"),
        ("{ splitBudget(amount: {amount: 1, currency: EUR}, ratios: [1]) { amount } }",
         "{ splitBudget(amount: {amount: 1, currency: EUR}, ratios: [1, 1, 1]) { amount } }"),
    ],
)  # fmt: skip
def test_what_is_more_costs_more(less: str, more: str) -> None:
    assert _cost(less) < _cost(more)


@pytest.mark.parametrize(
    "query",
    [
        "query ($plan: [MilestoneDraftInput!]!) { reviewPlan(plan: $plan) { message } }",
        "query ($plan: [MilestoneDraftInput!]!) { preview(command: {proposeContract: {milestones: $plan}}) { __typename } }",
        "mutation ($plan: [MilestoneDraftInput!]!) { proposeContract(input: {milestones: $plan}) { userErrors { code } } }",
    ],
)
def test_each_entry_of_a_plan_in_the_variables_costs(query: str) -> None:
    costs_of = [_cost(query, plan=_plan(length)) for length in (0, 1, 2, 200)]
    step = costs_of[1] - costs_of[0]
    assert step > 0
    assert costs_of[2] - costs_of[1] == step
    assert costs_of[3] - costs_of[0] == 200 * step


def test_a_page_size_in_a_variable_counts_as_one_that_is_written_out() -> None:
    written = _cost("{ contracts(first: 7) { nodes { id milestones { id } } } }")
    asked = "query ($n: Int!) { contracts(first: $n) { nodes { id milestones { id } } } }"
    assert _cost(asked, n=7) == written
    assert _cost(asked, n=8) > written


def test_ids_in_a_variable_count_as_those_that_are_written_out() -> None:
    written = _cost('{ nodes(ids: ["a", "b"]) { id ... on Contract { timeline { nodes { id } } } } }')
    asked = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Contract { timeline { nodes { id } } } } }"
    assert _cost(asked, ids=["a", "b"]) == written
    assert _cost(asked, ids=["a"] * 90) > 40 * (written - costs.OPERATION) > 0


def test_the_same_variable_costs_wherever_it_is_used() -> None:
    once = "query ($p: [MilestoneDraftInput!]!) { a: reviewPlan(plan: $p) { message } }"
    thrice = (
        "query ($p: [MilestoneDraftInput!]!) { "
        + "".join(f"{a}: reviewPlan(plan: $p) {{ message }} " for a in "abc")
        + "}"
    )
    assert _cost(thrice, p=_plan(100)) - _cost(thrice, p=[]) == 3 * (_cost(once, p=_plan(100)) - _cost(once, p=[]))


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("preview(command: {proposeContract: {milestones: $plan}}) { refusal { code } }", "query"),
        ("reviewPlan(plan: $plan) { message }", "query"),
        ("proposeContract(input: {milestones: $plan}) { userErrors { code } }", "mutation"),
    ],
)
def test_what_is_dear_can_not_be_asked_for_fifty_times(field: str, kind: str) -> None:
    head = f"{kind} ($plan: [MilestoneDraftInput!]!) "
    assert _cost(head + "{ " + field + " }", plan=_plan(200)) <= COST_MAX / 4  # but once it can
    with pytest.raises(TooComplex, match="points"):
        _cost(head + "{ " + " ".join(f"a{n}: {field}" for n in range(49)) + " }", plan=_plan(200))


async def test_what_costs_too_much_is_refused_before_any_of_it_is_done() -> None:
    query = (
        "query ($p: [MilestoneDraftInput!]!) { "
        + "".join(f"a{n}: reviewPlan(plan: $p) {{ message }} " for n in range(49))
        + "}"
    )
    draft = {
        "title": "T",
        "deliverables": ["D"],
        "dueOn": "2027-01-01",
        "amount": {"amount": "1.00", "currency": "EUR"},
    }
    answer = await Runner(executable()).run(Operation(query=query, variables={"p": [draft] * 200}), Context(None))
    assert not answer.ran
    assert [error["extensions"]["code"] for error in answer.body["errors"]] == ["QUERY_TOO_COMPLEX"]


def test_every_field_with_a_price_of_its_own_is_in_the_schema() -> None:
    for name in {*costs.DEAR, *costs.DEAR_ENTRIES}:
        parent, field = name.split(".")
        fields = executable().type_map[parent].fields  # type: ignore[attr-defined]
        assert field in fields or field.startswith("__")
