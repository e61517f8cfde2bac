"""Writes an article about each error code, and one that lists them, from the table in `schema.error_codes`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.manual.articles import HOME, Article
from schema.error_codes import OF_OPERATIONS, OF_REFUSALS, PATH, Explained, coded, page_of

INDEX: Final = f"{HOME}/errors"

_LIST: Final = """# Error codes

Programs branch on the code, which never changes its meaning; the message is for people and may be worded anew. Each error links to its page here.

## What is refused

A mutation that can't be done answers with `userErrors`; nothing of it was done. The order in which refusals are looked for stands in [the lifecycle](/docs/lifecycle).

{refusals}

## What fails

What isn't about the domain, or no mutation, is a top-level error with `extensions.code`.

{operations}
"""  # noqa: E501 - lines of Markdown

_ARTICLE: Final = """# {code}

{when}

## For example

```json
{example}
```

## What to do

{remedy}

[All error codes](/docs/errors)
"""


def articles() -> Iterator[Article]:
    """All of them, the list first."""
    listed = _LIST.format(refusals=_rows(OF_REFUSALS), operations=_rows(OF_OPERATIONS))
    yield Article.of(listed, INDEX)
    for code, explained in OF_REFUSALS.items():
        yield _article(code, explained, _user_error(code, explained))
    for code, explained in OF_OPERATIONS.items():
        error = {"message": explained.message, "extensions": coded(code, **explained.details)}
        yield _article(code, explained, {"errors": [error]})


def _article(code: str, explained: Explained, example: Mapping[str, Any]) -> Article:
    printed = json.dumps(example, indent=2, ensure_ascii=False)
    text = _ARTICLE.format(code=code, when=explained.when, example=printed, remedy=explained.remedy)
    return Article.of(text, f"{PATH}{code}")


def _user_error(code: str, explained: Explained) -> Mapping[str, Any]:
    error = {
        "code": code,
        "message": explained.message,
        "field": explained.field,
        "details": dict(explained.details) or None,
        "documentation": page_of(code),
    }
    return {"userErrors": [error]}


def _rows(explained: Mapping[str, Explained]) -> str:
    rows = [f"| [`{code}`]({PATH}{code}) | {one.when} |" for code, one in explained.items()]
    return "\n".join(["| code | when |", "|---|---|", *rows])
