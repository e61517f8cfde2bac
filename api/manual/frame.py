"""Puts a page together: head, navigation, search and what stands in the middle; and the headers that all pages have."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from api.manual.articles import HOME
from api.manual.rendering import Heading
from api.manual.shelf import Kept

STYLE: Final = Path(__file__).with_name("style.css")
STYLE_ADDRESS: Final = f"{HOME}/style.css"

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src data: 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""Nothing is loaded from elsewhere, nothing runs, and no style stands in a page."""

NAVIGATION: Final = (
    (HOME, "Start"),
    ("/docs/guide", "The guide"),
    ("/docs/graphql", "The API"),
    ("/docs/schema", "Schema"),
    ("/docs/errors", "Error codes"),
    ("/docs/events", "Events"),
    ("/docs/integrating/clients", "Clients"),
    ("/docs/integrating/webhooks", "Webhooks"),
    ("/docs/integrating/receivers", "Receivers"),
    ("/docs/integrating/live", "Live streams"),
    ("/docs/integrating/sync", "Keeping a mirror"),
    ("/docs/integrating/tools", "Project tools"),
    ("/docs/integrating/sessions", "Browsers"),
    ("/docs/integrating/components", "Elements"),
    ("/docs/integrating/agents", "Agents"),
    ("/docs/lifecycle", "The lifecycle"),
    ("/docs/stories", "Stories"),
    ("/docs/good-plans", "Good plans"),
    ("/docs/sandbox", "The sandbox"),
    ("/docs/operating", "Operating"),
    ("/docs/payments", "Real money"),
    ("/docs/performance", "Performance"),
    ("/docs/law", "The law"),
    ("/docs/glossary", "Glossary"),
    ("/docs/architecture", "Architecture"),
    ("/docs/decisions", "Decisions"),
    ("/docs/contributing", "Contributing"),
    ("/docs/changelog", "Changelog"),
)

CONTENTS_MIN: Final = 3
"""From so many sections on a page has a list of them."""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">{script}
</head>
<body>
<a class="skip" href="#main">Skip to the text</a>
<header>
<p class="brand"><a href="/">Earnest</a></p>
<form role="search" action="{home}" method="get">
<label for="q">Search</label>
<input id="q" name="q" type="search" maxlength="200" value="{asked}">
<button>Find</button>
</form>
</header>
<div class="{columns}">
{navigation}<main id="main" tabindex="-1">
{body}
</main>
</div>
</body>
</html>
"""


_NAVIGATION: Final = """<nav aria-label="Documents"><ul>
{links}
</ul></nav>
"""


def page(
    title: str, body: str, *, served: Collection[str] = (), address: str = "", asked: str = "", module: str = ""
) -> bytes:
    """A whole page; `body` is HTML, the other words are not. Navigation leads to what of it is `served`; `module` is the address
    of a script, which the headers have to allow."""
    links = list(_links(served, address))
    return _PAGE.format(
        title=escape(title if title == "Earnest" else f"{title} – Earnest"),
        style=STYLE_ADDRESS,
        script=f'\n<script type="module" src="{escape(module)}"></script>' if module else "",
        home=HOME,
        asked=escape(asked),
        columns="columns" if links else "column",
        navigation=_NAVIGATION.format(links="\n".join(links)) if links else "",
        body=body,
    ).encode()


def contents(headings: Sequence[Heading]) -> str:
    """A list of the sections of a long page."""
    found = [one for one in headings if one.level == 2]
    if len(found) < CONTENTS_MIN:
        return ""
    links = "".join(f'<li><a href="#{escape(one.anchor)}">{escape(one.text)}</a></li>' for one in found)
    return f'<details class="contents"><summary>On this page</summary><ul>{links}</ul></details>\n'


@cache
def style() -> Kept:
    """The style of all pages."""
    return Kept.of(STYLE.read_bytes())


def _links(served: Collection[str], address: str) -> Iterator[str]:
    for to, name in NAVIGATION:
        if to in served:
            here = ' aria-current="page"' if to == address else ""
            yield f'<li><a href="{to}"{here}>{escape(name)}</a></li>'
