"""Spans of time that lists are narrowed to, and the conditions that rows lie in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a column's values: from the one, included, to before the other."""

    start: date | datetime | None = None
    before: date | datetime | None = None


EVERYTHING: Final = Span()

Bounds = tuple[str | None, str | None]
"""The parameters of a span: from, and before."""

NOTHING: Final = {"date": "0", "timestamptz": "interval '0'"}
"""What a value of a span's type stays the same by if it is added."""

_SPANS: Final = {"due_on": "date", "updated_at": "timestamptz", "deadline_at": "timestamptz"}


def bounds(given: Collection[str]) -> dict[str, Bounds]:
    """The parameters of the spans of columns; since when something changed is told by the log."""
    found: dict[str, Bounds] = {}
    for column, of_type in _SPANS.items():
        start, before = f"{column}_from", f"{column}_before"
        found[column] = (
            f":{start}::{of_type}" if start in given and column != "updated_at" else None,
            f":{before}::{of_type}" if before in given else None,
        )
    return found


def within(alias: str, spans: Mapping[str, Bounds]) -> list[str]:
    """The conditions that a row lies in these spans."""
    return [
        f"{alias}.{column} {sign} {bound}"
        for column, span in spans.items()
        for bound, sign in zip(span, (">=", "<"), strict=True)
        if bound is not None
    ]
