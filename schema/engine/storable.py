"""Refuses what no text can be, wherever it comes in: U+0000, which PostgreSQL can't store, and halves of surrogate pairs.

So nothing behind the door has to think of them, neither commands nor filters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
from graphql import DocumentNode, GraphQLError, StringValueNode, Visitor, visit

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_ESCAPED: Final = re.compile(rb"\\u0000")
_MAYBE_IN_DOCUMENT: Final = re.compile(r"\0|\\u")


def unstorable(variables: Mapping[str, Any]) -> list[GraphQLError]:
    """A refusal of the first variable with something in it that can't be stored; none if all is well."""
    if not variables:
        return []
    if any(_UNSTORABLE.search(name) for name in variables):
        return [_refusal("The name of a variable", None)]
    try:
        if not _ESCAPED.search(orjson.dumps(variables)):
            return []
    except TypeError:
        pass  # half of a pair, or a number that is refused for its size later on
    return [_refusal(f"The variable “${place}”", place) for place in _places(variables)][:1]


def unstorable_literals(text: str, document: DocumentNode) -> list[GraphQLError]:
    """Refusals of the strings that are written in a document and can't be stored."""
    found: list[GraphQLError] = []
    if _MAYBE_IN_DOCUMENT.search(text):

        class Find(Visitor):
            def enter_string_value(self, node: StringValueNode, *_: object) -> None:
                if _UNSTORABLE.search(node.value):
                    found.append(_refusal("A string", None, node))

        visit(document, Find())
    return found


def _places(variables: Mapping[str, Any]) -> Iterator[str]:
    """Where in them there is a text that can't be stored: `input.milestones.0.title`. However deep they are nested."""
    waiting: list[tuple[str, object]] = [(name, value) for name, value in reversed([*variables.items()])]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            if _UNSTORABLE.search(value):
                yield _UNSTORABLE.sub("…", place)
        elif isinstance(value, Mapping):
            if any(_UNSTORABLE.search(name) for name in value):
                yield _UNSTORABLE.sub("…", place)
            waiting += [(f"{place}.{name}", inner) for name, inner in reversed([*value.items()])]
        elif isinstance(value, list):
            waiting += [(f"{place}.{index}", inner) for index, inner in reversed([*enumerate(value)])]


def _refusal(what: str, place: str | None, node: StringValueNode | None = None) -> GraphQLError:
    message = f"{what} contains a character that is not text (U+0000 or half of a surrogate pair)."
    field = {"field": place.removeprefix("input.")} if place is not None else {}
    return GraphQLError(message, nodes=node, extensions=field)
