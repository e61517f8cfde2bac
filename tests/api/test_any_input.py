"""Inputs thrown by rng at every field: whatever comes, the answer is data or a clear error, never a fault of ours."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from escrow import ids
from escrow.ids import Kind
from schema.build import executable
from tests.api.client import People
from tests.chance import often

THROWS = often(8, deep=250)

TEXTS = (
    "", " ", "A title", "a@b.c", "x" * 201, "x" * 6_000, "\0", "é" * 150, "💥\u202e", "'; DROP TABLE contracts; --",
    "https://example.com/" + "y" * 3_000, "javascript:alert(1)", "Europe/Lisbon", "\n\r\t", "\ufeff\uffff", "%00", "a" * 64,
)  # fmt: skip
SCALARS: dict[str, Callable[[random.Random], Any]] = {
    "String": lambda rng: rng.choice(TEXTS),
    "Int": lambda rng: rng.choice((0, 1, 2, 48, 100, 720, -1, 2**31 - 1, -(2**31))),
    "Boolean": lambda rng: rng.random() < 0.5,
    "Decimal": lambda rng: rng.choice(
        ("1.00", "0", "-0", "10.00", "0.001", "9" * 20, "9999999999999.99", "0." + "0" * 9 + "1")
    ),
    "CurrencyCode": lambda rng: rng.choice(("USD", "USD", "JPY", "BHD", "XXX", "ZZZ")),
    "Date": lambda rng: rng.choice(("2100-01-01", "0001-01-01", "9999-12-31", "1999-12-31")),
    "DateTime": lambda rng: rng.choice(("2100-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")),
    "Duration": lambda rng: rng.choice(("P1D", "PT1S", 0, -1, 60, 10**9, "P999999W", "PT9999999999S")),
    "Cursor": lambda rng: rng.choice(("x", "ZXZlbnRzOjE", "Y29udHJhY3RzOng", "💥")),
}


def _throw(type_: GraphQLInputType, rng: random.Random, known: list[str]) -> Any:
    """Some value of an input type; identifiers are often ones that exist."""
    if not isinstance(type_, GraphQLNonNull):
        if rng.random() < 0.3:
            return None
    else:
        type_ = type_.of_type
    if is_list_type(type_):
        return [_throw(type_.of_type, rng, known) for _ in range(rng.choice((0, 1, 1, 2, 3, 25)))]
    if isinstance(type_, GraphQLInputObjectType) and type_.is_one_of:
        name, field = rng.choice(list(type_.fields.items()))
        return {name: _throw(GraphQLNonNull(field.type), rng, known)}
    if isinstance(type_, GraphQLInputObjectType):
        return {name: _throw(field.type, rng, known) for name, field in type_.fields.items()}
    if isinstance(type_, GraphQLEnumType):
        return rng.choice(list(type_.values))
    name = get_named_type(type_).name
    if name == "ID":
        return rng.choice(known if rng.random() < 0.7 else [ids.new(Kind.CONTRACT), *TEXTS])
    return SCALARS[name](rng)


def _selection(type_: Any, depth: int) -> str:
    """Every field below a type that needs no argument, a few levels deep."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    if not isinstance(named, GraphQLObjectType) or depth == 0:
        return "{ __typename }"
    fields = (
        f"{name} {_selection(field.type, depth - 1)}"
        for name, field in named.fields.items()
        if not any(is_non_null_type(one.type) and one.default_value is None for one in field.args.values())
    )
    return "{ " + " ".join(fields) + " }"


def _operation(kind: str, name: str, field: GraphQLField, depth: int) -> str:
    declared = ", ".join(f"${argument}: {one.type}" for argument, one in field.args.items())
    passed = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    head = f"{kind} ({declared}) {{ {name}({passed})" if passed else f"{kind} {{ {name}"
    return f"{head} {_selection(field.type, depth)} }}"


def _fields(root: GraphQLObjectType | None, kind: str) -> list[tuple[str, str]]:
    return [(kind, name) for name in sorted(root.fields)] if root is not None else []


FIELDS = _fields(executable().query_type, "query") + _fields(executable().mutation_type, "mutation")


@pytest.mark.parametrize(("kind", "name"), FIELDS)
async def test_no_input_makes_a_fault(people: People, kind: str, name: str) -> None:
    root = executable().query_type if kind == "query" else executable().mutation_type
    assert root is not None
    field, rng = root.fields[name], random.Random(name)
    deal = await people.deployment.fund("10.00", "20.00")
    proposed = await people.deployment.propose("5.00")
    known = [
        deal.id, *deal.milestone_ids, proposed.id, people.client.account_id, people.freelancer.account_id,
        await deal.file(), await deal.decline_refund(await deal.request_refund()), *deal.deposits,
    ]  # fmt: skip
    query = _operation(kind, name, field, 3)
    for _ in range(THROWS):
        variables = {argument: _throw(one.type, rng, known) for argument, one in field.args.items()}
        caller = rng.choice((people.client, people.freelancer, people.operator))
        answer = await caller.post(query, variables)
        assert answer.status_code in (200, 413), (variables, answer.text)
        if answer.status_code == 200:
            codes = {error["extensions"]["code"] for error in answer.json().get("errors", ())}
            assert codes <= {"BAD_REQUEST", "FORBIDDEN", "QUERY_TOO_COMPLEX"}, (variables, answer.text)
