"""Keeps the answers to what asks about the schema alone: they are the same for everybody, and dear to make.

Tools ask for the whole schema with few different texts, so few answers are kept, as bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import orjson
from graphql import FieldNode, OperationDefinitionNode, OperationType

KEPT_MAX: Final = 8
"""Answers that are kept, the least recently used goes first; that to the standard query has about 0.5 MB."""

_OF_THE_SCHEMA: Final = frozenset({"__schema", "__type", "__typename"})

Question = tuple[str, str | None, bytes]


def is_about_the_schema(operation: OperationDefinitionNode) -> bool:
    """Whether it is a query of nothing but the schema, written out in its outermost selection."""
    return operation.operation is OperationType.QUERY and all(
        isinstance(one, FieldNode) and one.name.value in _OF_THE_SCHEMA for one in operation.selection_set.selections
    )


class SchemaAnswers:
    """The answers of one schema."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Question, bytes] = OrderedDict()

    @staticmethod
    def question(text: str, name: str | None, variables: Mapping[str, Any]) -> Question | None:
        """By what an answer is found. `variables` are those that are declared; nothing is kept for what can't be printed."""
        try:
            return text, name, orjson.dumps(dict(variables), option=orjson.OPT_SORT_KEYS)
        except TypeError:
            return None  # nested too deeply, or too large a number: it is refused later on

    def get(self, question: Question | None) -> bytes | None:
        """The printed answer, if it is known."""
        if question is None or question not in self._kept:
            return None
        self._kept.move_to_end(question)
        return self._kept[question]

    def keep(self, question: Question | None, printed: bytes) -> None:
        """Remember an answer without errors."""
        if question is None:
            return
        self._kept[question] = printed
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
