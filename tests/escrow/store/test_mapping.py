"""What a class and a model say is all that the store needs: which column is which field, and how values lie in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import orjson
import pytest
from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model

from escrow.agreement.state import ChangeKind, PlanChange
from escrow.models.facts import Facts
from escrow.money import Money
from escrow.store.mapping import Mapper
from escrow.store.tables import CHANGE_REQUESTS, CONTRACTS, MILESTONES, PARTS
from tests.escrow.agreement.stage import active

AT = datetime(2026, 1, 19, 12, tzinfo=UTC)


class Colour(StrEnum):
    RED = "RED"


@dataclass(frozen=True, slots=True)
class Shelf:
    id: str
    room: str


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    unit: str


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str
    price: Money | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Book:
    id: str
    colour: Colour | None
    authors: tuple[str, ...]
    price: Money
    size: Size | None
    chapters: tuple[Chapter, ...] = ()
    readers: tuple[Shelf, ...] = ()

    @property
    def length(self) -> int:
        return len(self.chapters)


class BookModel(Model):
    id = fields.CharField(64, primary_key=True)
    shelf_id = fields.CharField(64)
    room = fields.TextField()
    colour = fields.TextField(null=True)
    authors = ArrayField("text")
    price_minor = fields.BigIntField()
    currency = fields.TextField()
    size_width = fields.IntField(null=True)
    measured_in = fields.TextField(null=True)
    chapters: Any = fields.JSONField()
    length = fields.IntField()
    deadline_at = fields.DatetimeField(null=True)
    lease_token = fields.TextField(null=True)

    class Meta(Facts):
        table = "books"
        fixed = ("authors",)
        words = ("chapters",)
        apart = ("lease_token",)


BOOKS = Mapper(Book, BookModel, owner=Shelf, named={"unit": "measured_in"})
SHELF = Shelf("shelf_1", "attic")
BOOK = Book(
    "book_1",
    Colour.RED,
    ("A", "B"),
    Money(5, "USD"),
    Size(3, "cm"),
    (Chapter("I", Money(100, "USD"), date(2026, 1, 1)),),
)
PLAIN = Book("book_2", None, (), Money(5, "USD"), None)


def from_database(row: dict[str, Any]) -> tuple[Any, ...]:
    """The values of a row as the driver gives them: JSON as text."""
    return tuple(orjson.dumps(row[name]).decode() if name in BOOKS.json_columns else row[name] for name in BOOKS.loaded)


def test_a_row_has_fields_parts_properties_the_owner_and_the_clock() -> None:
    assert BOOKS.row(BOOK, SHELF, {"book_1": AT}) == {
        "id": "book_1",
        "shelf_id": "shelf_1",
        "room": "attic",
        "colour": "RED",
        "authors": ["A", "B"],
        "price_minor": 5,
        "currency": "USD",
        "size_width": 3,
        "measured_in": "cm",
        "chapters": [{"title": "I", "price": {"amount": "1.00", "currency": "USD"}, "due_on": "2026-01-01"}],
        "length": 1,
        "deadline_at": AT,
    }


@pytest.mark.parametrize("book", [BOOK, PLAIN])
def test_what_was_written_reads_as_the_same_object(book: Book) -> None:
    assert BOOKS.read(from_database(BOOKS.row(book, SHELF, {}))) == book


def test_what_stands_behind_the_columns_or_in_other_tables_is_no_hindrance() -> None:
    values = (*from_database(BOOKS.row(BOOK, SHELF, {})), "more")
    assert BOOKS.read(values, readers=(SHELF,)).readers == (SHELF,)


def test_only_what_the_object_is_made_of_is_loaded_and_only_what_may_change_is_updated() -> None:
    assert BOOKS.select("b").startswith("b.id, b.shelf_id, b.colour, ")
    assert {"room", "length", "deadline_at", "lease_token"}.isdisjoint(BOOKS.loaded)
    assert set(BOOKS.columns) - set(BOOKS.updated) == {"id", "shelf_id", "room", "authors"}
    assert BOOKS.typed(["authors", "size_width"]) == "authors TEXT[], size_width INT"


def test_a_column_that_nothing_fills_and_a_field_without_a_column_are_mistakes() -> None:
    with pytest.raises(TypeError, match="the column shelf_id"):
        Mapper(Book, BookModel, owner=Size, named={"unit": "measured_in"})
    with pytest.raises(TypeError, match=r"Chapter\.title has no column"):
        Mapper(Chapter, BookModel, owner=Shelf)


def test_a_list_that_was_written_before_a_field_was_there_reads_with_its_default() -> None:
    row = dict.fromkeys(CHANGE_REQUESTS.loaded) | {"filed_by": "CLIENT", "state": "OPEN", "words": "[]"}
    row["changes"] = '[{"kind": "EDIT", "milestone_id": "mil_1"}]'
    read = CHANGE_REQUESTS.read(tuple(row.values()))
    assert read.changes == (PlanChange(kind=ChangeKind.EDIT, milestone_id="mil_1"),)


def test_columns_that_are_named_in_a_model_are_there() -> None:
    for table in (CONTRACTS, *PARTS):
        assert {*table.key, *table.words} <= set(table.columns), table.table


def test_what_a_lot_says_of_its_limit_stands_only_where_it_has_one() -> None:
    """What was written before there were limits is what would be written now."""
    story = active("100.00", "50.00").pay()
    milestone = story.milestone()
    row = MILESTONES.row(milestone, story.state, {})
    (lot,) = milestone.lots
    assert row["lots"] == [{"deposit_id": lot.deposit_id, "amount_minor": 10_000, "fee_minor": 300}]
    limited = replace(milestone, lots=(replace(lot, hold_until=AT),), hold_until=AT)
    written = MILESTONES.row(limited, story.state, {})
    assert written["lots"] == [row["lots"][0] | {"hold_until": AT.isoformat()}]
    for one, found in ((milestone, row), (limited, written)):
        stored = [orjson.dumps(found[name]).decode() if name == "lots" else found[name] for name in MILESTONES.loaded]
        assert MILESTONES.read(stored) == one
