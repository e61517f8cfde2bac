"""What an operation costs is known before anything runs, and grows with everything that makes it dear."""

from __future__ import annotations

from inspect import iscoroutinefunction, unwrap
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, get_nullable_type, is_leaf_type, is_list_type, parse

from escrow.settings import Compilation
from schema import build
from schema.build import executable
from schema.compiled.compiler import CHARACTERS_A_FIELD, FIELDS_A_USE
from schema.compiled.declare import BATCH
from schema.engine import costs
from schema.engine.annexed import DEAR
from schema.engine.context import Context
from schema.engine.execution import COMPILED_AT_ONCE, Operation, Runner
from schema.engine.limits import COST_MAX, Meter, TooComplex, _Measure
from schema.types.event_types import event_types_list
from tests.factories import party


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
    each = written - _cost(asked, ids=["a"])
    assert each > 0
    assert _cost(asked, ids=["a"] * 90) == written + 88 * each


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


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("preview(command: {proposeContract: {milestones: $plan}}) { __typename }", "query"),
        ("reviewPlan(plan: $plan) { message }", "query"),
        ("proposeContract(input: {milestones: $plan}) { userErrors { code } }", "mutation"),
    ],
)
def test_what_a_variable_is_by_default_costs_as_if_it_was_given(field: str, kind: str) -> None:
    written = ", ".join('{title: "Step", deliverables: ["a", "b"]}' for _ in range(85))
    fields = f"{{ {' '.join(f'a{n}: {field}' for n in range(3))} }}"
    given = f"{kind} ($plan: [MilestoneDraftInput!]!) {fields}"
    default = f"{kind} ($plan: [MilestoneDraftInput!]! = [{written}]) {fields}"
    assert _cost(default) == _cost(given, plan=_plan(85))
    assert _cost(default, plan=_plan(2)) == _cost(given, plan=_plan(2))
    assert _cost(default, plan=None) == _cost(given, plan=[])


def test_ids_that_a_variable_is_by_default_count_as_those_that_are_written_out() -> None:
    inside = "{ id ... on Contract { timeline { nodes { id } } } }"
    for count in (1, 2, 90):
        written = "[" + '"a" ' * count + "]"
        assert _cost(f"query ($ids: [ID!]! = {written}) {{ nodes(ids: $ids) {inside} }}") == _cost(
            f"{{ nodes(ids: {written}) {inside} }}"
        )


def test_values_cost_however_deep_they_are_nested() -> None:
    query = "query ($plan: [MilestoneDraftInput!]!) { reviewPlan(plan: $plan) { message } }"
    deep: list[Any] = []
    for _ in range(1_000):
        deep = [deep]
    assert _cost(query, plan=deep) == _cost(query, plan=[]) + 1_000 * costs.ENTRY


def test_the_catalogue_of_events_costs_by_how_long_it_is() -> None:
    often = "{ " + " ".join(f"a{n}: eventTypes {{ schema example }}" for n in range(49)) + " }"
    length, assumed = len(event_types_list()), costs.LENGTHS["Query", "eventTypes"]
    assert length <= assumed < 1.25 * length
    assert _cost(often) > 49 * length * costs.OBJECT > DEAR


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


def _fields() -> list[tuple[str, str, Any]]:
    """Every field of every object type, with what the schema says of it."""
    return [
        (kind.name, name, field)
        for kind in executable().type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for name, field in kind.fields.items()
    ]


def _price(parent: str, name: str, field: Any) -> int:
    """What a field costs beside the object that it hangs on, as the meter has it."""
    schema = executable()
    inside = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    node = parse(f"{{ {name}{inside} }}").definitions[0].selection_set.selections[0]  # type: ignore[attr-defined]
    walk = _Measure(schema, parse("{ __typename }"), {})
    size = walk._field(node, schema.type_map[parent])
    return int(size.cost + size.beside + costs.STATEMENT * size.statements)


def _waits(field: Any) -> bool:
    """Whether what answers a field awaits something: PostgreSQL, for there is nothing else to wait for."""
    definition = field.extensions["strawberry-definition"]
    resolver = definition.base_resolver
    return resolver is not None and (
        iscoroutinefunction(unwrap(resolver.wrapped_func)) or hasattr(resolver.wrapped_func, BATCH)
    )


def test_no_field_that_waits_for_the_database_is_without_a_price() -> None:
    waiting = [one for one in _fields() if _waits(one[2])]
    assert len(waiting) > 100
    free = [f"{parent}.{name}" for parent, name, field in waiting if _price(parent, name, field) < costs.STATEMENT]
    assert free == []


def test_no_list_without_a_page_size_is_counted_as_one_object() -> None:
    lists = [
        (parent, name, field)
        for parent, name, field in _fields()
        if is_list_type(get_nullable_type(field.type))
        and not is_leaf_type(get_named_type(field.type))
        and name not in ("nodes", "edges")
        and f"{parent}.{name}" not in costs.WHOLE
    ]
    assert len(lists) > 20
    cheap = [f"{parent}.{name}" for parent, name, field in lists if _price(parent, name, field) < 2 and not field.args]
    assert cheap == []


@pytest.mark.parametrize("count", ["totalCount", "hasMoreThanTotalCount"])
def test_counting_costs_for_each_list_that_is_counted(count: str) -> None:
    page = "{ contracts(first: 20) { nodes { timeline(first: 1) { %s } } } }"
    plain = _cost(page % "pageInfo { endCursor }")
    assert _cost(page % count) - plain >= 20 * costs.COUNT
    assert _cost(page % count) - plain < 40 * costs.COUNT  # once for each list, not for each entry of its page
    assert _cost(f"{{ contracts {{ {count} }} }}") >= costs.COUNT


def test_the_same_list_asked_for_under_fifty_names_costs_fifty_statements() -> None:
    often = "{ " + " ".join(f"a{n}: contracts(first: 1) {{ nodes {{ id }} }}" for n in range(50)) + " }"
    assert _cost(often) >= 50 * costs.STATEMENT
    nested = (
        "{ contracts(first: 1) { nodes { "
        + " ".join(f"a{n}: timeline(first: {n + 1}) {{ nodes {{ id }} }}" for n in range(20))
        + " } } }"
    )
    assert _cost(nested) >= 20 * costs.STATEMENT


@pytest.mark.parametrize("name", ["title", "__typename"])
def test_a_plain_field_costs_for_each_further_name_that_it_is_asked_for_by(name: str) -> None:
    page = "{ milestones(first: 100) { nodes { id %s } } }"
    often = " ".join(f"a{n}: {name}" for n in range(40))
    assert _cost(page % often) - _cost(page % name) >= 100 * 40 * costs.AGAIN


@pytest.mark.parametrize("digits", [5, 5_000])
def test_a_page_size_of_any_length_counts_as_the_most_that_there_is(digits: int) -> None:
    most = _cost("{ contracts(first: 100) { nodes { id milestones { id } } } }")
    assert _cost(f"{{ contracts(first: {'9' * digits}) {{ nodes {{ id milestones {{ id }} }} }} }}") == most
    asked = f"query ($n: Int = {'9' * digits}) {{ contracts(first: $n) {{ nodes {{ id milestones {{ id }} }} }} }}"
    assert _cost(asked) == most


async def test_what_is_compiled_was_earned_by_what_uses_cost() -> None:
    asked = " ".join(f"a{n}: eventTypes {{ ...F }}" for n in range(8))
    query = f"{{ {asked} }} fragment F on EventType {{ name family description schemaVersion isTest }}"
    fields, worth_of_text = 8 * 6, len(query) / CHARACTERS_A_FIELD
    price = _cost(query)
    assert worth_of_text + 2 * FIELDS_A_USE < fields < price / costs.COMPILED
    assert price < COMPILED_AT_ONCE
    runner = build.runner(Compilation.ON)
    for _ in range(2):
        assert (await runner.run(Operation(query=query), Context(party("acc_1")))).ran
    assert (runner.counts.uncompiled, runner.counts.compiled) == (1, 1)
