"""Turns Markdown into HTML: anchors on headings, links to where things are served, pictures drawn, and nothing raw.

What an article says is shown, never obeyed: HTML in it is text, and what has no page here is no link. Attributes with
styles are left out, since the policy of our pages forbids them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from api.manual import drawings
from api.manual.articles import Anchors, Article

Addresses = Callable[[str], str | None]
"""Where a link of the article that is rendered leads to; `None` if that isn't served."""

_ELSEWHERE: Final = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
_COMMENTS: Final = re.compile(r"(\s*<!--.*?-->)+\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading with the name by which links reach it."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of an article."""

    html: str
    headings: Sequence[Heading]


class Paper(RendererHTML):
    """Prints tokens: what markdown-it prints, but for what would break our policy or be raw."""

    def html_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Comments vanish; everything else is text."""
        content = tokens[idx].content
        return "" if _COMMENTS.fullmatch(content) else f"<p>{escape(content)}</p>\n"

    def html_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """The same inside a line."""
        content = tokens[idx].content
        return "" if _COMMENTS.fullmatch(content) else escape(content)

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A picture, if we can draw it; else code, which may be wider than its page."""
        token = tokens[idx]
        if token.info.strip() == "mermaid" and (drawn := drawings.drawn(token.content)) is not None:
            return drawn
        return f'<pre tabindex="0"><code>{escape(token.content)}</code></pre>\n'

    code_block = fence

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """With a link to itself, to be copied."""
        opening = tokens[idx - 2]
        anchor = escape(str(opening.attrs.get("id", "")))
        return f' <a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a></{opening.tag}>\n'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Tables scroll by themselves where a page is narrow, and by the keyboard too."""
        return '<div class="wide" role="group" aria-label="Table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Their end."""
        return "</table></div>\n"


_markdown: Final = MarkdownIt("commonmark", renderer_cls=Paper).enable("table")


def rendered(article: Article, address: Addresses) -> Rendered:
    """The article as HTML; `address` says where its links lead to."""
    tokens = _markdown.parse(article.text)
    headings = list(_headings(tokens))
    _unhead(tokens)
    for token in tokens:
        _unstyle(token)
        if token.children:
            token.children = list(_linked(token.children, address))
    return Rendered(str(_markdown.renderer.render(tokens, _markdown.options, {})), headings)


def _headings(tokens: Sequence[Token]) -> Iterator[Heading]:
    """Every heading, which gets its anchor."""
    anchors = Anchors()
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))
        opening.attrs["id"] = anchor = anchors.of(text)
        yield Heading(int(opening.tag[1:]), anchor, text)


def _unhead(tokens: Sequence[Token]) -> None:
    """A cell that names nothing is no heading of its column."""
    for index, token in enumerate(tokens):
        if token.type == "th_open" and not tokens[index + 1].content:
            token.tag = tokens[index + 2].tag = "td"


def _unstyle(token: Token) -> None:
    style = token.attrs.pop("style", None)
    if style is not None:
        token.attrs["class"] = str(style).rpartition(":")[2]  # left, center or right


def _linked(tokens: Sequence[Token], address: Addresses) -> Iterator[Token]:
    """The tokens of a line with links that lead somewhere; of the others the words are left."""
    is_kept = True
    for token in tokens:
        if token.type == "link_open":
            href = _href(str(token.attrs.get("href", "")), address)
            is_kept = href is not None
            if href is None:
                continue
            token.attrs["href"] = href
        elif token.type == "link_close" and not is_kept:
            is_kept = True
            continue
        elif token.type == "image":
            yield _picture(token, address)
            continue
        yield token


def _href(link: str, address: Addresses) -> str | None:
    if _ELSEWHERE.match(link) or link.startswith("#"):
        return link
    path, hash_, anchor = link.partition("#")
    found = address(path)
    return f"{found}{hash_}{anchor}" if found is not None else None


def _picture(token: Token, address: Addresses) -> Token:
    """A picture that is served here, or what it would show."""
    source = address(str(token.attrs.get("src", "")))
    if source is None:
        return Token("text", "", 0, content=token.content)
    token.attrs["src"] = source
    return token
