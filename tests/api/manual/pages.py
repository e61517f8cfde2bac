"""Reads a page as a browser and a screen reader do: its elements, names, links, and whether all is closed that was opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "input", "br", "img", "hr", "rect", "path"}


@dataclass
class Page(HTMLParser):
    """What stands in a page."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def of(cls, html: str) -> Page:
        page = cls()
        page.feed(html)
        page.close()
        if page._open:
            page.faults.append(f"never closed: {page._open}")
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.faults.append(f"<{tag}> has an attribute twice: {names}")
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> where {self._open[-1:]} is open")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for attributes in self.all("a")]


def obeyed(page: Page) -> list[Any]:
    """What a browser would run, load or be styled by, which is nothing but our own style sheet."""
    found: list[Any] = [
        one for one in page.elements if one[0] in ("script", "iframe", "object", "embed", "style", "base")
    ]
    for tag, attributes in page.elements:
        found += [(tag, name) for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "action", "data", "xlink:href"):
            if name in attributes and (not attributes[name].startswith("/") or attributes[name].startswith("//")):
                found.append((tag, attributes[name]))
    for link in page.all("link"):
        if link["href"] not in ("data:,", "/docs/style.css"):
            found.append(link)
    for href in page.links:
        if href.split(":")[0].lower() in ("javascript", "data", "vbscript"):
            found.append(href)
    return found
