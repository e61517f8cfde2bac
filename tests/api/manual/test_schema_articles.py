"""The schema's pages hold every type, field, argument, value, default and description, and say what is deprecated."""

from __future__ import annotations

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    is_introspection_type,
)

from api.manual import schema_articles
from api.manual.library import Library
from schema.build import executable


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def test_every_type_field_and_argument_is_there_with_its_description(books: Library) -> None:
    schema = executable()
    for name, one in schema.type_map.items():
        if is_introspection_type(one):
            continue
        text = books.articles[f"/docs/schema/{name}"].text
        assert _plain(one.description) in text, name
        if isinstance(one, GraphQLEnumType):
            for value_name, value in one.values.items():
                assert f"## `{value_name}`\n\n{_plain(value.description)}" in text
        elif isinstance(one, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in one.fields.items():
                assert f"## `{field_name}`\n" in text
                assert _plain(field.description) in text
                for argument_name, argument in getattr(field, "args", {}).items():
                    assert f"- `{argument_name}`: " in text
                    assert _plain(argument.description) in text


def test_the_index_lists_every_operation_and_type(books: Library) -> None:
    schema, text = executable(), books.articles["/docs/schema"].text
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        for name in root.fields:
            assert f"(/docs/schema/{root.name}#{name.lower()})" in text
    roots = {"Query", "Mutation", "Subscription"}
    for name, one in schema.type_map.items():
        assert name in roots or is_introspection_type(one) or f"(/docs/schema/{name})" in text
    assert "`@idempotent`" in text


def test_where_money_is_real_there_is_no_test_clock_in_it() -> None:
    addresses = {one.address for one in schema_articles.articles(executable(sandbox=False))}
    assert "/docs/schema/Contract" in addresses
    assert not any("TestClock" in one for one in addresses)


def test_a_page_spells_types_defaults_deprecations_and_uses() -> None:
    schema = build_schema("""
        "Asked."
        type Query {
          "A thing."
          thing(
            "How many." first: Int! = 5, old: [Kind!] = [A] @deprecated(reason: "gone")
          ): [Thing!]! @deprecated(reason: "use | less")
        }
        type Thing { kind: Kind }
        "Kinds."
        enum Kind { A, B @deprecated(reason: "no") }
    """)
    texts = {one.address: one.text for one in schema_articles.articles(schema)}
    query = texts["/docs/schema/Query"]
    assert "`[`[`Thing`](/docs/schema/Thing)`!]!`" in query
    assert "- `first`: [`Int`](/docs/schema/Int)`!` = `5` – How many." in query
    assert "= `[A]`" in query
    assert "**Deprecated**: gone" in query
    assert "**Deprecated**: use | less" in query
    kind = texts["/docs/schema/Kind"]
    assert "## `B`\n\n\n\n**Deprecated**: no" in kind
    assert "[`Query.thing`](/docs/schema/Query#thing), [`Thing.kind`](/docs/schema/Thing#kind)" in kind
