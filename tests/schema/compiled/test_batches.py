"""Batches are called once for each level, and rows that a projection reads are answered as objects would be."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest
import strawberry
from graphql import GraphQLSchema, parse

from schema.compiled.adapters.of_strawberry import StrawberryAdapter
from schema.compiled.compiler import Compiler
from schema.compiled.declare import Projection, Ready, Selected, arguments_below, batched, project, selected_of
from tests.schema.compiled.comparing import Outcome, both

calls: list[Any] = []
"""What batches and resolvers were asked, in order."""


@strawberry.enum
class Genre(StrEnum):
    NOVEL = "novel"
    POETRY = "poetry"


@dataclass
class Row:
    """A row as a driver gives it."""

    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


@strawberry.type
class Price:
    amount: str
    currency: str


@strawberry.type
class Chapter:
    number: int
    title: str


async def chapters_of(parents: Sequence[Any], _: Any, *, selected: Selected | None, least: int = 1) -> list[Any]:
    """Three chapters of each book; none can be read of the second, and the third has too many."""
    calls.append(("chapters", len(parents), selected))
    made = [_chapters(parent["id"] if isinstance(parent, Row) else parent.id, least) for parent in parents]
    if selected is None:
        return made
    return [one if isinstance(one, Exception) else [Row(vars(chapter)) for chapter in one] for one in made]


def _chapters(book: str, least: int) -> Any:
    if book == "2":
        return ValueError("torn out")
    return [Chapter(number=number, title=f"{book}.{number}") for number in range(least, 4)]


@strawberry.type
class Book:
    id: strawberry.ID
    title: str
    genre: Genre | None
    price: Price | None
    notes: str | None = None

    @strawberry.field
    @batched(chapters_of, selects=True)
    async def chapters(self, least: int = 1) -> list[Chapter]:
        found: Any = _chapters(self.id, least)
        if isinstance(found, Exception):
            raise found
        chapters: list[Chapter] = found
        return chapters

    @strawberry.field
    async def readers(self) -> int:
        return len(self.title)


@strawberry.type
class Page:
    nodes: list[Book]
    total: int


BOOKS: list[dict[str, Any]] = [
    {"id": "1", "title": "First", "genre": "novel", "minor": 1250, "currency": "USD"},
    {"id": "3", "title": "Third", "genre": None, "minor": None, "currency": "EUR"},
]


def _book(row: dict[str, Any]) -> Book:
    return Book(
        id=row["id"],
        title=row["title"],
        genre=row["genre"] and Genre(row["genre"]),
        price=_price(row["minor"], row["currency"]),
    )


def _price(minor: int | None, currency: str) -> Price | None:
    return Price(amount=f"{minor / 100:.2f}", currency=currency) if minor is not None else None


@strawberry.type
class Query:
    @strawberry.field
    async def books(self, info: strawberry.Info, broken: bool = False) -> Page:
        selected = selected_of(info)
        calls.append(("books", selected))
        found = [*BOOKS, {**BOOKS[0], "id": "2"}] if broken else BOOKS
        nodes: Any = [_book(one) for one in found] if selected is None else [Row(one) for one in found]
        return Page(nodes=nodes, total=len(found))


project(
    Book,
    Projection(
        rows=(Row,),
        fields={
            "id": 'row["id"]',
            "title": 'row["title"]',
            "genre": Ready('NAMES.get(row["genre"])'),
            "price": 'price(row["minor"], row["currency"])',
        },
        names={"NAMES": {one.value: one.name for one in Genre}, "price": _price},
        batches=frozenset({"chapters"}),
    ),
)
project(Chapter, Projection(rows=(Row,), fields={"number": 'row["number"]', "title": 'row["title"]'}))


@pytest.fixture(autouse=True)
def nothing_was_called() -> None:
    calls.clear()


def made() -> GraphQLSchema:
    schema: GraphQLSchema = strawberry.Schema(Query)._schema
    return schema


async def compared(text: str) -> Outcome:
    schema = made()
    return await both(schema, text, adapter=StrawberryAdapter(schema))


async def test_a_batch_takes_all_parents_of_a_level() -> None:
    found = await compared("{ books { nodes { readers chapters(least: 3) { title } } } }")
    assert found.data["books"]["nodes"][1]["chapters"] == [{"title": "3.3"}]
    assert calls[1:] == [("books", None), ("chapters", 2, Selected("Chapter", frozenset({"title"})))]
    assert found.counts.compiled == 1


async def test_a_resolver_answers_with_rows_if_they_say_all_that_is_selected() -> None:
    found = await compared(
        "{ books { total nodes { __typename id title genre price { amount } chapters { n: number } } } }"
    )
    fields = frozenset({"id", "title", "genre", "price", "chapters"})
    assert calls[1:] == [
        ("books", Selected("Book", fields, frozenset({("chapters", Selected("Chapter", frozenset({"number"})))}))),
        ("chapters", 2, Selected("Chapter", frozenset({"number"}))),
    ]
    assert found.counts.compiled == 1


async def test_what_is_beside_a_batch_is_not_held_for_it() -> None:
    schema = made()
    compiler = Compiler(schema, StrawberryAdapter(schema), uses_before=0)
    document: Any = parse("{ books { nodes { price { amount } chapters { number } } } }")
    operation = compiler.operation(document, document.definitions[0])
    await operation.run(None, None, {})
    (plan,) = operation.plans
    nodes: Any = plan.roots[0].by_key["books"].place.only.by_key["nodes"].place.only  # type: ignore[union-attr]
    assert not nodes.pure
    assert nodes.by_key["price"].is_pure
    assert nodes.by_key["chapters"].place.pure
    assert nodes.work == [nodes.by_key["chapters"]]


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ("title chapters(least: 3) { title }", {"least": 3}),
        ("chapters(least: $least) { title }", {"least": 2}),
        ("chapters { title }", {"least": 1}),
        ("a: chapters(least: 1) { title } b: chapters(least: 2) { title }", None),
        ("title", None),
        ("notes chapters { title }", None),
    ],
)
async def test_a_resolver_may_ask_how_a_batch_below_will_be_called(selected: str, expected: object) -> None:
    asked: list[Any] = []

    @strawberry.type
    class Root:
        @strawberry.field
        def book(self, info: strawberry.Info) -> Book:
            asked.append(arguments_below(info, "chapters"))
            row: Any = Row(BOOKS[0])
            return _book(BOOKS[0]) if selected_of(info) is None else row

        @strawberry.field
        def least(self, least: int) -> int:
            return least

    schema: Any = strawberry.Schema(Root)._schema
    text = f"query ($least: Int!) {{ least(least: $least) book {{ {selected} }} }}"
    await both(schema, text, {"least": 2}, adapter=StrawberryAdapter(schema))
    assert asked == [None, expected]


async def test_a_batch_may_ask_what_is_selected_beside_it() -> None:
    seen: list[Any] = []

    async def sums(parents: Sequence[Any], _: Any, *, beside: Selected) -> list[int]:
        seen.append(beside)
        return [1 for _ in parents]

    @strawberry.type
    class Leaf:
        name: str

        @strawberry.field
        @batched(sums, beside=True)
        async def sum(self) -> int:
            return 1

    @strawberry.type
    class Root:
        @strawberry.field
        def leaves(self) -> list[Leaf]:
            return [Leaf(name="a"), Leaf(name="b")]

    schema: Any = strawberry.Schema(Root)._schema
    await both(schema, "{ leaves { name total: sum } }", adapter=StrawberryAdapter(schema))
    assert seen == [Selected("Leaf", frozenset({"name", "sum"}))]


@pytest.mark.parametrize("more", ["notes", "readers", "... on Book { notes }"])
async def test_a_field_that_rows_do_not_answer_asks_for_objects(more: str) -> None:
    await compared(f"{{ books {{ nodes {{ title {more} }} }} }}")
    assert calls == [("books", None), ("books", None)]


async def test_what_is_skipped_is_not_selected() -> None:
    await compared("{ books { nodes { title notes @skip(if: true) } } }")
    assert calls[1] == ("books", Selected("Book", frozenset({"title"})))


async def test_one_parent_of_a_batch_may_fail() -> None:
    found = await compared("{ books(broken: true) { nodes { genre price { currency } chapters { title } } } }")
    assert found.data is None
    assert found.errors[0]["path"] == ["books", "nodes", 2, "chapters"]
    assert len(calls) == 3, "books twice, chapters once: nothing is asked again for the error"


async def test_errors_in_rows_are_those_of_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ({"title": None}, {"title": 7}, {"id": None}):
        monkeypatch.setitem(globals(), "BOOKS", [{**BOOKS[0], **wrong}])
        await compared("{ books { nodes { id title genre price { amount } chapters { title } } } }")
        await compared("{ books { nodes { id title } } }")


async def test_a_batch_that_answers_for_too_few_fails_for_each() -> None:
    async def too_few(parents: Sequence[Any], _: Any) -> list[Any]:
        return [1] * (len(parents) - 1)

    @strawberry.type
    class Leaf:
        @strawberry.field
        @batched(too_few)
        async def value(self) -> int | None:
            raise RuntimeError("the batch too_few answered 1 values for 2 parents")

    @strawberry.type
    class Root:
        @strawberry.field
        def leaves(self) -> list[Leaf]:
            return [Leaf(), Leaf()]

    too_few.__qualname__ = "too_few"
    schema: Any = strawberry.Schema(Root)._schema
    found = await both(schema, "{ leaves { value } }", adapter=StrawberryAdapter(schema))
    assert [error["path"] for error in found.errors] == [["leaves", 0, "value"], ["leaves", 1, "value"]]


@strawberry.input
class Strict:
    text: str

    def __post_init__(self) -> None:
        raise ValueError("never right")


async def test_an_argument_that_cannot_be_converted_fails_when_its_resolver_would() -> None:
    @strawberry.type
    class Root:
        @strawberry.field
        async def later(self, given: Strict) -> int | None:
            return 1

        @strawberry.field
        def now(self, given: Strict) -> int | None:
            return 1

    schema: Any = strawberry.Schema(Root)._schema
    text = "query ($text: String!) { later(given: {text: $text}) now(given: {text: $text}) }"
    found = await both(schema, text, {"text": "x"}, adapter=StrawberryAdapter(schema))
    assert [error["path"] for error in found.errors] == [["now"], ["later"]]
