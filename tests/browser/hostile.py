"""Words that were written to do something else than to be read, put into every text that a page is told.

What the API takes is bounded by its own rules (a title is one line that means what it looks like); a page must not rely on
them. So the answers themselves are changed on their way: each text of anybody's gets markup, handlers and a turned direction of
writing, and each address becomes one that runs a script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from playwright.sync_api import Page, Route

MARKUP: Final = '<img src=x onerror="window.owned=1"><svg onload="window.owned=1"><b>bold</b>'
BROKEN_OUT: Final = "'\"></p></div></style><script>window.owned=1</script>"
TURNED: Final = "\u202egnp.exe\u2066"
RUNS: Final = "javascript:window.owned=1"
WORDS: Final = f"{MARKUP} {BROKEN_OUT} {TURNED}"

_FIXED: Final = re.compile(
    r"[A-Z][A-Z0-9_]*"  # an enum, a currency
    r"|[a-z]{2,4}_[0-9A-Za-z]+"  # an identifier
    r"|[a-z_]+\.[a-z_.]+"  # a type of event
    r"|-?\d+(\.\d+)?"  # a decimal
    r"|\d{4}-\d\d-\d\d.*"  # a date, a moment
    r"|-?P[\dTDHMSWY.]+"  # a span
    r"|[A-Z][a-z]+/[A-Za-z_/]+"  # a time zone
    r"|[0-9a-f]{32,}"  # a hash
)
_NEVER: Final = {"__typename", "cursor", "endCursor", "startCursor", "token", "documentation", "field", "version"}
_ADDRESS: Final = re.compile(r"https?://.*", re.DOTALL)

DANGEROUS: Final = ", ".join(
    [
        *('[href^="javascript:" i]', '[src^="javascript:" i]', "[onerror]", "[onload]", "[onclick]", "[style]"),
        *("img[src=x]", "iframe", "object", "embed", "b"),
        "script:not([src])",
    ]
)
"""What no page of ours has, in no shadow; only words could have become it."""

_LOOSE: Final = """texts => texts.filter((one) => {
  const { display, unicodeBidi } = getComputedStyle(one);
  return display === "inline" && !/isolate|plaintext/.test(unicodeBidi);
}).map((one) => one.outerHTML.slice(0, 300))"""


def poison(page: Page) -> list[str]:
    """From now on everything that the page is told is hostile; gives the texts that were changed, as they come."""
    changed: list[str] = []

    def change(route: Route) -> None:
        if "text/event-stream" in route.request.headers.get("accept", ""):
            route.continue_()
            return
        answer = route.fetch()
        body = answer.json()
        if "data" in body:
            body["data"] = _poisoned(body["data"], changed)
        route.fulfill(response=answer, json=body)

    page.route("**/graphql", change)
    return changed


def harm(page: Page) -> Iterator[str]:
    """What the words did that are on the page."""
    if page.evaluate("window.owned") is not None:
        yield "words ran as a script"
    for found in page.locator(DANGEROUS).evaluate_all("all => all.map((one) => one.outerHTML.slice(0, 300))"):
        yield f"words became an element: {found}"
    for found in page.get_by_text("\u202e").evaluate_all(_LOOSE):
        yield f"words turn what stands beside them: {found}"


def _poisoned(value: Any, changed: list[str], name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _poisoned(one, changed, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_poisoned(one, changed, name) for one in value]
    if not isinstance(value, str) or not value or name in _NEVER or _FIXED.fullmatch(value):
        return value
    changed.append(f"{name}: {value}")
    return RUNS if _ADDRESS.fullmatch(value) else f"{value} {WORDS}"
