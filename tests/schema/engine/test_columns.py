"""Where the plain fields of a type come from is said once: for objects and for rows."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry

from escrow.queries import milestones
from escrow.store.tables import MILESTONES
from schema.compiled.declare import PROJECTION, Ready, Selected
from schema.engine.columns import Stored, column


def _of(cls: type) -> Stored:
    return Stored(cls, MILESTONES, milestones.ROWS, beside={"currency": str}, batches={"contract": ("contract_id",)})


def _doubled(minor: int, currency: str) -> str:
    return f"{minor * 2} {currency}"


@strawberry.type
class Shown:
    title: str
    handed_in: int = column("How often.", "submissions")
    price: str = column("Twice of it.", "amount_minor", "currency", make=_doubled)
    due_on: str
    deposit_id: str | None
    aside: strawberry.Private[str] = ""


STORED = _of(Shown)


def test_an_object_is_made_of_the_domains_and_of_what_stands_beside_it() -> None:
    one: Any = type(
        "One", (), {"title": "Logo", "submissions": 2, "amount_minor": 5, "due_on": "d", "deposit_id": None}
    )
    shown = STORED.make(one, "USD", aside="more")
    assert shown == Shown(title="Logo", handed_in=2, price="10 USD", due_on="d", deposit_id=None, aside="more")


def test_rows_are_read_by_the_same_declaration() -> None:
    fields = getattr(Shown, PROJECTION).fields
    assert fields["title"] == Ready("row['title']")
    assert fields["handedIn"] == Ready("row['submissions']")
    assert fields["dueOn"] == Ready("print_date(row['due_on'])")
    assert fields["price"] == "make_price(row['amount_minor'], row['currency'])"
    assert "aside" not in fields


def test_a_selection_reads_its_columns_and_what_its_batches_need() -> None:
    milestones.ROWS._known.clear()
    wanted = STORED.reading(Selected("Shown", frozenset({"price", "handedIn", "contract"})))
    assert wanted.columns == ("amount_minor", "contract_id", "currency", "id", "submissions")


def test_a_field_that_comes_from_nowhere_is_refused() -> None:
    @strawberry.type
    class Wrong:
        colour: str

    with pytest.raises(TypeError, match=r"Wrong\.colour would be made of colour, which is nowhere"):
        _of(Wrong)
