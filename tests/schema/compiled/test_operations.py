"""What graphql-core answers, compiled operations answer: values, errors, their order, their places, and the nulls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLSchema, Undefined, build_schema

from tests.schema.compiled.comparing import both

SDL = """
interface Being { name: String! friend: Being }
type Person implements Being { name: String! friend: Being age: Int }
type Robot implements Being { name: String! friend: Being parts: [String!] }
union Thing = Person | Robot
enum Mood { CALM WILD }
input Wish { what: String! often: Int = 1 mood: Mood }
type Node { value: Int! strict: Node! loose: Node list: [Node!] loose_list: [Node] grid: [[Int]] strict_grid: [[Int!]!]! }
type Query {
  node: Node
  strict: Node!
  being: Being
  beings: [Being!]
  things: [Thing]
  mood: Mood
  share: Float
  count: Int
  text: String
  echo(wish: Wish, times: Int! = 2, moods: [Mood!]): String
}
type Mutation { add(by: Int!): Int! fail: Int }
type Subscription { node: Node }
"""


def schema(**resolvers: Any) -> GraphQLSchema:
    """The schema above, with resolvers by `Type__field`; objects are dicts."""
    made = build_schema(SDL)
    for name, resolve in resolvers.items():
        type_, field = name.split("__")
        holder: Any = made.type_map[type_]
        holder.fields[field].resolve = resolve
    for name in ("Being", "Thing"):
        abstract: Any = made.type_map[name]
        abstract.resolve_type = lambda value, _, __: value.get("kind")
    return made


def answering(value: Any) -> Any:
    async def resolve(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(0)
        if isinstance(value, Exception):
            raise value
        return value

    return resolve


async def test_attributes_are_read_by_generated_code_alone() -> None:
    root = {"node": {"value": 1, "list": [{"value": 2}, {"value": 3}], "grid": [[1, None], None]}}
    found = await both(schema(), "{ node { value list { v: value } grid } }", root=lambda: root)
    assert found.data == {"node": {"value": 1, "list": [{"v": 2}, {"v": 3}], "grid": [[1, None], None]}}
    assert (found.counts.compiled, found.counts.replayed) == (1, 0)


async def test_resolvers_below_resolvers_are_each_called_once() -> None:
    calls = []

    async def loose(source: Any, _: Any) -> Any:
        calls.append(source["value"])
        return {"value": source["value"] + 1}

    made = schema(Query__node=answering({"value": 1}), Node__loose=loose)
    found = await both(made, "{ node { loose { loose { value } } } }")
    assert found.data == {"node": {"loose": {"loose": {"value": 3}}}}
    assert calls == [1, 2, 1, 2], "once by graphql-core and once compiled"
    assert found.counts.compiled == 1


async def test_a_resolver_that_failed_is_not_called_again_for_its_error() -> None:
    calls = []

    def loose(source: Any, _: Any) -> Any:
        calls.append(source)
        raise GraphQLError("no", extensions={"code": "NO"})

    found = await both(schema(Node__loose=loose), "{ node { loose { value } } }", root=lambda: {"node": {"value": 1}})
    assert found.errors == [
        {
            "message": "no",
            "locations": [{"line": 1, "column": 10}],
            "path": ["node", "loose"],
            "extensions": {"code": "NO"},
        }
    ]
    assert len(calls) == 2
    assert found.counts.replayed == 1


@pytest.mark.parametrize(
    "node",
    [
        {"value": None},
        {"value": 1, "strict": None},
        {"value": 1, "strict": {"value": None}},
        {"value": 1, "strict": {"value": "x"}, "list": [{"value": 1}, {"value": 2**40}], "loose_list": [None, {}]},
        {"value": True, "strict": {"value": 1.0}, "list": [None], "loose_list": ({"value": 1}, ValueError("odd"))},
        {"value": 1, "strict": {"value": 1}, "list": 7, "loose_list": "text"},
        {"value": 1, "strict": {"value": 1}, "grid": [[1, "x"], 3, None], "strict_grid": [[1], [None]]},
        ValueError("in place of a node"),
        7,
    ],
)
async def test_errors_and_nulls_are_those_of_graphql_core(node: Any) -> None:
    text = "{ strict { value } node { value strict { value } list { value } loose_list { value } grid strict_grid } }"
    await both(schema(), text, root=lambda: {"node": node, "strict": {"value": 5}})
    await both(schema(), text, root=lambda: {"node": {"value": 1}, "strict": node})
    await both(schema(Query__node=answering(node)), text, root=lambda: {"strict": {"value": 5}})


async def test_errors_of_nullable_items_stand_in_their_order_and_with_their_index() -> None:
    def loose(source: Any, _: Any) -> Any:
        return answering(ValueError(f"late {source['value']}"))() if source["value"] % 2 else source["missing"]

    root = {"node": {"loose_list": [{"value": n} for n in range(4)]}}
    found = await both(
        schema(Node__loose=loose), "{ node { loose_list { value loose { value } } } }", root=lambda: root
    )
    assert [error["path"][2] for error in found.errors] == [0, 2, 1, 3], "what fails at once goes first"


async def test_a_null_in_a_compiled_parent_takes_what_is_not_compiled_with_it() -> None:
    root = {"node": {"value": 1, "strict": {"value": None}}}
    found = await both(schema(), "{ node { strict { value } } __schema { queryType { name } } }", root=lambda: root)
    assert found.data["node"] is None
    assert found.data["__schema"] == {"queryType": {"name": "Query"}}
    assert found.counts.replayed == 1


async def test_introspection_is_left_to_graphql_core_for_its_sub_tree() -> None:
    calls = []

    async def node(*_: Any) -> Any:
        calls.append(1)
        return {"value": 1}

    found = await both(
        schema(Query__node=node), '{ __type(name: "Node") { name fields { name } } node { value __typename } }'
    )
    assert found.data["node"] == {"value": 1, "__typename": "Node"}
    assert len(calls) == 2


async def test_a_fragment_that_is_skipped_in_one_place_counts_in_the_other() -> None:
    text = """query ($yes: Boolean!) {
      node { ...V @skip(if: $yes) ...V loose { ...V @include(if: $yes) value @skip(if: $yes) } }
    } fragment V on Node { value again: value }"""
    root = {"node": {"value": 1, "loose": {"value": 2}}}
    for yes in (True, False):
        await both(schema(), text, {"yes": yes}, root=lambda: root)


async def test_a_condition_that_is_null_is_refused_as_ever() -> None:
    text = "query ($yes: Boolean = true) { node { value @include(if: $yes) loose { value } } }"
    root = {"node": {"value": 1, "loose": {"value": 2}}}
    found = await both(schema(), text, {"yes": None}, root=lambda: root)
    assert found.counts.fallbacks == {"a condition without a value": 1}
    assert (await both(schema(), text, {}, root=lambda: root)).counts.compiled == 1


async def test_fields_of_two_fragments_are_merged_with_different_selections() -> None:
    text = """{ node { ...A ...B } }
    fragment A on Node { loose { value } list { value } }
    fragment B on Node { loose { list { value } } list { loose { value } value } }"""
    root = {"node": {"loose": {"value": 1, "list": []}, "list": [{"value": 2, "loose": {"value": 3}}]}}
    found = await both(schema(), text, root=lambda: root)
    assert found.data["node"]["list"] == [{"value": 2, "loose": {"value": 3}}]


async def test_everything_may_be_skipped() -> None:
    assert (await both(schema(), "{ node @skip(if: true) { value } }")).data == {}
    assert (await both(schema(), "mutation { add(by: 1) @include(if: false) }")).data == {}
    found = await both(schema(), "{ node { value @skip(if: true) } }", root=lambda: {"node": {}})
    assert found.data == {"node": {}}


BEINGS = """{
  being { __typename name ... on Person { age } ... on Robot { parts } friend { name } }
  beings { name } things { ... on Person { name } }
}"""


@pytest.mark.parametrize("kind", ["Person", "Robot", "Query", "Nobody", "Being", None, 7])
async def test_objects_of_abstract_types_are_told_apart(kind: Any) -> None:
    being = {"kind": kind, "name": "A", "age": 3, "parts": ["arm"], "friend": {"kind": "Robot", "name": "B"}}
    await both(schema(), BEINGS, root=lambda: {"being": being, "beings": [being], "things": [being, None]})


async def test_a_type_that_is_only_known_after_waiting_is_left_to_graphql_core() -> None:
    made = schema(Being__name=None, Robot__friend=answering({"kind": "Robot", "name": "C"}))
    for name in ("Person", "Robot"):
        type_: Any = made.type_map[name]

        async def is_type_of(value: Any, _: Any, name: str = name) -> bool:
            return bool(value["kind"] == name)

        type_.is_type_of = is_type_of
    abstract: Any = made.type_map["Being"]
    abstract.resolve_type = None
    being = {"kind": "Robot", "name": "B"}
    found = await both(made, "{ being { name friend { name } } }", root=lambda: {"being": being})
    assert found.data == {"being": {"name": "B", "friend": {"name": "C"}}}


@pytest.mark.parametrize("mood", ["CALM", "calm", 1, None, "WILD", ["CALM"]])
async def test_enums_out_of_range_are_refused_as_ever(mood: Any) -> None:
    await both(schema(), "{ mood }", root=lambda: {"mood": mood})


@pytest.mark.parametrize("share", [0.5, 1, True, float("nan"), float("inf"), "0.5", "x", None, 10**400])
async def test_floats_that_are_none_are_refused_as_ever(share: Any) -> None:
    await both(schema(), "{ share }", root=lambda: {"share": share})


class Whole(int):
    """An integer that is more than one."""


@pytest.mark.parametrize("count", [1, Whole(2), 2**31 - 1, 2**31, -(2**31), True, 1.0, 1.5, "7", "", "x", b"1"])
async def test_integers_have_32_bits(count: Any) -> None:
    await both(schema(), "{ count }", root=lambda: {"count": count})


async def test_an_attribute_or_an_item_may_have_to_be_awaited() -> None:
    root = lambda: {  # noqa: E731 - fresh awaitables each time
        "node": answering({"value": 1, "loose": answering({"value": 2})(), "list": [answering({"value": 3})()]})(),
        "text": answering("late")(),
    }
    found = await both(
        schema(Node__strict=lambda *_: {"value": 4}),
        "{ text node { value strict { value } loose { value strict { value } } list { value } } }",
        root=root,
    )
    assert found.data["node"]["loose"] == {"value": 2, "strict": {"value": 4}}


@pytest.mark.parametrize("value", [Undefined, None, ValueError("no node"), 7, answering({"value": 1})])
async def test_an_object_of_which_nothing_is_read_is_looked_at_all_the_same(value: Any) -> None:
    root = lambda: {"strict": value() if callable(value) else value}  # noqa: E731 - a fresh awaitable each time
    await both(schema(), "{ strict { __typename } }", root=root)
    await both(schema(), "{ strict { value @skip(if: true) } }", root=root)


async def test_an_iterator_is_read_once() -> None:
    def items() -> Iterator[Any]:
        yield {"value": 1}
        yield {"value": None}
        raise ValueError("no more of it")

    async def later() -> AsyncIterator[Any]:
        yield {"value": 1}
        yield {"value": 2}

    text = "{ node { loose_list { value } list { value loose { value } } } }"
    made = schema(Node__loose=lambda *_: {"value": 9})
    for make in (items, later):
        await both(made, text, root=lambda make=make: {"node": {"loose_list": make(), "list": make()}})  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        "{ node { list { value } again: list { value loose { value } } } }",
        "{ node { again: list { value loose { value } } list { value } } }",
        "{ node { loose_list { list { value } } again: loose_list { list { loose { value } } } } }",
    ],
)
async def test_an_iterator_that_is_asked_for_by_two_names_is_read_by_the_first(text: str) -> None:
    def items() -> Iterator[Any]:
        yield {"value": 1}
        raise ValueError("no more of it")

    made = schema(Node__loose=lambda *_: {"value": 9})
    await both(made, text, root=lambda: {"node": {"list": items(), "loose_list": [{"list": items()}]}})


class Methodical:
    """An object whose fields are methods, which graphql-core calls."""

    def __init__(self, value: int = 1) -> None:
        self._value = value

    def value(self, _: Any) -> int:
        return self._value

    def loose(self, _: Any) -> Methodical | None:
        return Methodical(self._value + 1) if self._value < 3 else None

    def list(self, _: Any) -> Any:
        return [Methodical(7), Methodical(8)]

    @property
    def loose_list(self) -> Any:
        raise ValueError("it can't be read")


@pytest.mark.parametrize(
    "selected",
    [
        "value loose { value }",
        "value strict { value }",
        "loose { value loose { strict { value } } }",
        "list { value strict { value } } again: list { value }",
        "loose { value } loose_list { strict { value } }",
    ],
)
async def test_methods_are_called_also_above_resolvers(selected: str) -> None:
    made = schema(Node__strict=lambda *_: {"value": 9})
    found = await both(made, f"{{ node {{ {selected} }} }}", root=lambda: {"node": Methodical()})
    assert [error["message"] for error in found.errors] == ["it can't be read"] * ("loose_list" in selected)
    await both(made, f"{{ node {{ {selected} }} }}", root=lambda: {"node": lambda _: Methodical()})


async def test_mutations_are_carried_out_one_after_the_other() -> None:
    sums: list[int] = []

    async def add(_: Any, __: Any, by: int) -> int:
        before = sums[-1] if sums else 0
        await asyncio.sleep(0)
        sums.append(before + by)
        return sums[-1]

    made = schema(Mutation__add=add, Mutation__fail=answering(ValueError("no")))
    found = await both(made, "mutation { a: add(by: 1) fail b: add(by: 2) c: add(by: 3) }", root=sums.clear)
    assert found.data == {"a": 1, "fail": None, "b": 3, "c": 6}
    assert found.errors[0]["path"] == ["fail"]


async def test_after_a_null_at_the_root_no_further_mutation_is_carried_out() -> None:
    calls = []

    def add(_: Any, __: Any, by: int) -> Any:
        calls.append(by)
        return by if by > 0 else None

    found = await both(schema(Mutation__add=add), "mutation { a: add(by: 1) b: add(by: 0) c: add(by: 2) }")
    assert found.data is None
    assert calls == [1, 0, 1, 0]


async def test_the_event_of_a_subscription_is_the_root() -> None:
    found = await both(schema(), "subscription { node { value list { value } } }", root=lambda: {"node": {"value": 1}})
    assert found.data == {"node": {"value": 1, "list": None}}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"wish": None},
        {"wish": {"what": "rain"}},
        {"wish": {"what": "rain", "often": None, "mood": "CALM"}, "times": 1, "moods": ["WILD"]},
        {"wish": {"what": "rain", "mood": "calm"}},
        {"wish": {"what": 3, "unknown": 1, "often": "x"}, "times": "x", "moods": [None]},
        {"wish": [], "moods": "WILD"},
        {"times": None},
        {"times": 1.0},
        {"times": 2**40},
    ],
)
async def test_variables_are_coerced_or_refused_in_the_same_words(variables: dict[str, Any]) -> None:
    def echo(_: Any, __: Any, **given: Any) -> str:
        return repr(sorted(given.items()))

    text = "query ($wish: Wish, $times: Int, $moods: [Mood!] = [CALM]) { %s }"
    made = schema(Query__echo=echo)
    await both(made, text % "echo(wish: $wish, times: $times, moods: $moods)", variables)
    await both(
        made,
        'query ($often: Int, $times: Int! = 4) { echo(wish: {what: "x", often: $often}, times: $times) }',
        {key: value for key, value in variables.items() if key == "times"},
    )


async def test_what_is_too_large_is_left_to_graphql_core_and_counted() -> None:
    root = {"node": {"value": 1, "loose": {"value": 2}}}
    found = await both(schema(), "{ node { value loose { value } } }", root=lambda: root, fields_max=3)
    assert found.data == root
    assert found.counts.fallbacks == {"more than 3 fields": 1}
    assert found.operation.plans == []


async def test_a_type_of_an_interface_is_planned_when_its_first_object_comes() -> None:
    root = {"beings": [{"kind": "Person", "name": "A"}]}
    found = await both(schema(), "{ beings { name ... on Robot { parts } ... on Person { age } } }", root=lambda: root)
    (plan,) = found.operation.plans
    assert plan.fields == 3, "one field, and two of persons: nothing of robots"
