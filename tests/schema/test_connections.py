"""Connections are all alike: every one in the schema takes the same arguments, tells the same, and costs what its page does."""

from __future__ import annotations

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    parse,
)

from schema.build import executable
from schema.engine.limits import Meter

PAGING = {"first": "Int", "after": "Cursor", "last": "Int", "before": "Cursor"}


def every_connection() -> dict[str, GraphQLField]:
    """The fields of the schema that answer with a page, by type and name: `Contract.timeline`; of an interface, once."""
    return {
        f"{type_.name}.{name}": field
        for type_ in executable().type_map.values()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        for name, field in type_.fields.items()
        if "pageInfo" in getattr(get_named_type(field.type), "fields", {})
        and not any(name in interface.fields for interface in type_.interfaces)
    }


def test_the_walk_finds_them() -> None:
    found = every_connection()
    assert len(found) > 20
    assert {"Query.contracts", "Contract.timeline", "Dispute.evidence", "Event.deliveries"} <= found.keys()
    assert {
        name for name, field in found.items() if not get_named_type(field.type).name.endswith("Connection")
    } == set()


@pytest.mark.parametrize("name", every_connection())
def test_each_goes_both_ways_and_says_how_long_its_list_is(name: str) -> None:
    field = every_connection()[name]
    assert {one: str(field.args[one].type) for one in PAGING} == PAGING
    assert {one: field.args[one].default_value for one in PAGING} == dict.fromkeys(PAGING)
    page = get_named_type(field.type)
    assert isinstance(page, GraphQLObjectType)
    assert str(page.fields["totalCount"].type) == "Int!"
    assert str(page.fields["hasMoreThanTotalCount"].type) == "Boolean!"


def asking(name: str, page: str, arguments: str = "") -> str:
    """An operation that asks for a connection by its type and field, with these arguments, where it is met."""
    parent, _, field = name.partition(".")
    asked = f"{field}{f'({arguments})' if arguments else ''} {{ {page} }}"
    return asked if parent == "Query" else f"nodes(ids: $ids) {{ ... on {parent} {{ {asked} }} }}"


def _cost(name: str, arguments: str) -> int:
    head = "query" if name.startswith("Query.") else "query ($ids: [ID!]!)"
    document = parse(f"{head} {{ {asking(name, 'nodes { __typename }', arguments)} }}")
    operation = document.definitions[0]
    return Meter(executable(), document, operation).check({"ids": ["a"]})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", every_connection())
def test_a_page_costs_by_its_size_from_either_end(name: str) -> None:
    costs = [_cost(name, f"first: {size}") for size in (1, 50, 100)]
    assert costs == sorted(set(costs))
    assert [_cost(name, f"last: {size}") for size in (1, 50, 100)] == costs
    assert _cost(name, "") == _cost(name, "first: null") == _cost(name, "last: null") == costs[1]
