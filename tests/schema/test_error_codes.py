"""No code that a program can meet lacks its explanation, and errors say where it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import GraphQLError

from api.live.event_stream import _CODES
from api.manual.library import Library, collect
from escrow.errors import DomainError, ErrorCode, InvalidState
from schema import error_codes
from schema.build import executable
from schema.engine.told import formatted, public
from schema.user_errors import UserError
from tests.house import measures

CODE = re.compile(r"[A-Z][A-Z_]{3,}")


def _codes_in(path: Path) -> Iterator[str]:
    """Texts that stand as a code: `code="…"`, `{"code": "…"}`, or what `_failure` and `coded` are given."""
    for node in ast.walk(measures.tree_of(path)):
        for value in _given(node):
            for one in ast.walk(value):
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and CODE.fullmatch(one.value):
                    yield one.value


def _given(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "code":
                yield value
    elif isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg == "code")
        if isinstance(node.func, ast.Name) and node.func.id in ("_failure", "coded"):
            yield from node.args
    elif isinstance(node, ast.FunctionDef):
        named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        yield from (default for argument, default in named if argument.arg == "code" and default is not None)


def test_every_code_that_stands_in_the_source_is_explained() -> None:
    told = {code for path in measures.sources() if path.parts[0] in ("api", "schema") for code in _codes_in(path)}
    assert {"BAD_REQUEST", "RATE_LIMITED", "INTERNAL", "UNAUTHENTICATED", "DOCUMENT_NOT_FOUND"} <= told
    assert told <= set(error_codes.EXPLAINED)


def test_every_refusal_of_the_domain_and_every_end_of_a_stream_is_explained() -> None:
    assert set(error_codes.OF_REFUSALS) == set(ErrorCode)
    assert set(_CODES.values()) <= set(error_codes.OF_OPERATIONS)
    assert {one.code for one in DomainError.__subclasses__()} == set(ErrorCode)


def test_no_explanation_is_left_over() -> None:
    told = {code for path in measures.sources() if path.parts[0] in ("api", "schema") for code in _codes_in(path)}
    assert set(error_codes.OF_OPERATIONS) <= told | set(_CODES.values())


@pytest.fixture(scope="module")
def books() -> Library:
    return collect(executable())


@pytest.mark.parametrize("code", error_codes.EXPLAINED)
def test_every_code_has_a_page_with_when_an_example_and_what_to_do(books: Library, code: str) -> None:
    article = books.articles[f"/docs/errors/{code}"]
    explained = error_codes.EXPLAINED[code]
    assert article.title == code
    for part in (explained.when, explained.message, explained.remedy):
        assert part in article.text
    assert f"(/docs/errors/{code})" in books.articles["/docs/errors"].text


def test_an_error_says_where_it_is_explained() -> None:
    told = formatted(GraphQLError("no", extensions={"code": "RATE_LIMITED"}))
    assert told["extensions"] == {"code": "RATE_LIMITED", "documentation": "/docs/errors/RATE_LIMITED"}
    assert formatted(GraphQLError("no"))["extensions"]["documentation"] == "/docs/errors/BAD_REQUEST"
    masked = public(GraphQLError("no", original_error=RuntimeError("a fault")))
    assert masked["extensions"]["documentation"] == "/docs/errors/INTERNAL"
    assert UserError.of(InvalidState("no")).documentation == "/docs/errors/INVALID_STATE"


def test_where_the_address_is_known_it_is_told_whole() -> None:
    error_codes.use("https://escrow.example.com/api")
    try:
        assert error_codes.page_of("INVALID_STATE") == "https://escrow.example.com/api/docs/errors/INVALID_STATE"
        assert error_codes.coded("INTERNAL", traceId="1") == {
            "code": "INTERNAL",
            "traceId": "1",
            "documentation": "https://escrow.example.com/api/docs/errors/INTERNAL",
        }
    finally:
        error_codes.use(None)
    assert error_codes.page_of("INVALID_STATE") == "/docs/errors/INVALID_STATE"
