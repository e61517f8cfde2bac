"""What no text can be is found wherever it stands, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse

from schema.engine.storable import unstorable, unstorable_literals


def deep(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"id": "\0"}, "id"),
        ({"input": {"title": "a\ud800"}}, "title"),
        ({"input": {"milestones": [{"title": "x"}, {"title": "\0"}]}}, "milestones.1.title"),
        ({"a": "fine", "f": {"x": [[], ["\udfff"]], "y": "\0"}}, "f.x.1.0"),
        ({"f": {"a\0": 1}}, "f"),
        ({"f": deep("\0", 5_000)}, "f" + ".0" * 5_000),
        ({"n": 2**80, "t": "\0"}, "t"),
    ],
)
def test_the_place_is_named(variables: dict[str, Any], place: str) -> None:
    (error,) = unstorable(variables)
    assert error.extensions == {"field": place}


def test_what_is_text_passes() -> None:
    fine = {"a": "\\u0000 \\ud800 ␀ \ufffe 💥", "b": [1, 2.5, None, True, 2**80], "c": {"\\u0000": {}}}
    assert unstorable(fine) == []
    assert unstorable({}) == []


def test_the_name_of_a_variable_is_a_text_too() -> None:
    (error,) = unstorable({"a\0": 1})
    assert "name" in error.message


def test_strings_of_a_document_are_found_where_they_stand() -> None:
    text = r'{ a(b: "x", c: {d: ["\u0000"]}) e(f: """x""") g(h: "\\u0000") }' + '{ i(j: """\0""") }'
    found = unstorable_literals(text, parse(text))
    places = [error.locations and error.locations[0].column for error in found]
    assert places == [text.index('["') + 2, text.index('j: "') + 4]
