"""Markdown becomes HTML in which nothing is raw, headings have names, and links lead to what is served."""

from __future__ import annotations

from itertools import pairwise

import pytest

from api.manual.articles import Article
from api.manual.library import Library
from api.manual.rendering import Rendered, rendered
from tests.api.manual.pages import Page, obeyed


def _html(text: str) -> str:
    known = {"law.md": "/docs/law", "pictures/money.png": "/docs/pictures/money.png"}
    return rendered(Article("/docs/x", "X", text), known.get).html


def _shown(article: Article, books: Library) -> Rendered:
    return rendered(article, lambda link: books.address(link, article.source))


@pytest.mark.parametrize(
    "raw",
    [
        "<script>alert(1)</script>",
        "before <img src=x onerror=alert(1)> after",
        "<div onclick='alert(1)'>\n\n*words*\n\n</div>",
        "<style>body { display: none }</style>",
        "<!-- a comment --><script>alert(1)</script>",
        "<!-- a comment",
        "<a href='javascript:alert(1)'>words</a>",
        "[words](javascript:alert(1))",
        "[words](JaVaScRiPt:alert(1))",
        "[words](data:text/html,<script>alert(1)</script>)",
        "[words](//evil.example/x)",
        "![words](https://evil.example/x.png)",
        "![words](//evil.example/x.png)",
        "![words](data:image/svg+xml,<svg onload=alert(1)>)",
        '[words](law.md "a title\\" onmouseover=\\"alert(1)")',
        '<https://evil.example/"onmouseover=alert(1)>',
        "```html\n</code></pre><script>alert(1)</script>\n```",
        '``` "onload=alert(1)\nx\n```',
        "    </code></pre><script>alert(1)</script>",
        "# <script>alert(1)</script>",
        "| <script> |\n|---|\n| <script>alert(1)</script> |",
        '# "><script>alert(1)</script>',
        "```mermaid\nstateDiagram-v2\n    <script> --> B: <script>alert(1)</script>\n```",
        '```mermaid\nflowchart LR\n    a["<script>alert(1)</script>"] -->|"<b>"| b["</svg><script>"]\n```',
    ],
)
def test_what_an_article_says_is_shown_and_never_obeyed(raw: str) -> None:
    html = _html(raw)
    page = Page.of(html)
    assert obeyed(page) == []
    assert page.faults == []
    assert "<script" not in html.lower()


def test_raw_html_is_text_and_comments_vanish() -> None:
    assert "&lt;b&gt;bold&lt;/b&gt;" in _html("a <b>bold</b> word")
    assert "secret" not in _html("a\n\n<!-- secret -->\n\nb <!-- secret --> c")
    assert "shown" in _html("<!-- hidden -->\nshown")


def test_a_link_leads_to_what_is_served_and_is_words_where_it_is_not() -> None:
    assert '<a href="/docs/law#section-3">the law</a>' in _html("[the law](law.md#section-3)")
    assert '<a href="#there">there</a>' in _html("[there](#there)")
    assert '<a href="https://example.org/a?b=1&amp;c=2">x</a>' in _html("[x](https://example.org/a?b=1&c=2)")
    assert _html("[`rules.py`](../escrow/rules.py) says") == "<p><code>rules.py</code> says</p>\n"


def test_a_picture_is_shown_if_it_is_ours_and_else_told() -> None:
    assert _html("![Money](pictures/money.png)") == '<p><img src="/docs/pictures/money.png" alt="Money" /></p>\n'
    assert _html("![Money](pictures/other.png)") == "<p>Money</p>\n"


def test_headings_have_names_each_its_own_and_a_link_to_themselves() -> None:
    found = rendered(
        Article("/docs/x", "X", "# A `title`, of sorts\n\n## More\n\n## More\n\n## Ünïcode_x-y!"), lambda _: None
    )
    assert [one.anchor for one in found.headings] == ["a-title-of-sorts", "more", "more-1", "ünïcode_x-y"]
    assert [one.level for one in found.headings] == [1, 2, 2, 2]
    assert '<h2 id="more-1">More <a class="anchor" href="#more-1"' in found.html


def test_a_table_scrolls_by_itself_and_is_aligned_without_a_style() -> None:
    html = _html("| a | b |\n|---|---:|\n| 1 | 2 |")
    assert '<td class="right">2</td>' in html
    assert "style=" not in html
    assert '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>' in html


def test_a_cell_that_names_nothing_is_no_heading() -> None:
    html = _html("| a | |\n|---|---|\n| 1 | 2 |")
    assert "<th>a</th>\n<td></td>" in html


def test_code_is_shown_to_the_letter() -> None:
    assert _html("```sh\na < b && c\n```") == '<pre tabindex="0"><code>a &lt; b &amp;&amp; c\n</code></pre>\n'


def test_every_article_is_well_formed_obeys_nothing_and_names_each_heading_once(books: Library) -> None:
    for article in books.articles.values():
        found = _shown(article, books)
        page = Page.of(found.html)
        assert (page.faults, obeyed(page)) == ([], []), article.address
        assert len(set(page.ids)) == len(page.ids), article.address
        levels = [one.level for one in found.headings]
        assert levels[:1] == [1], article.address
        assert levels.count(1) == 1, article.address
        assert all(after <= before + 1 for before, after in pairwise(levels)), article.address


def test_every_link_leads_to_a_page_and_a_heading_that_are_there(books: Library) -> None:
    pages = {article.address: Page.of(_shown(article, books).html) for article in books.articles.values()}
    broken = []
    for address, page in pages.items():
        for link in page.links:
            to, _, anchor = link.partition("#")
            target = pages.get(to or address)
            if target is not None and anchor and anchor not in target.ids:
                broken.append((address, link))
    assert broken == []
