"""Holds the articles of the manual: the documents of the checkout, and what is written from the code.

All of it is read once. An address is looked up among those that there are, and never becomes a path: whatever a request
names, no other file can be meant.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graphql import GraphQLSchema

from api.manual import error_articles, schema_articles
from api.manual.articles import HOME, Article
from webhooks.events import reference

CHECKOUT: Final = Path(__file__).parents[2]
"""Where the documents lie, if this was installed from a checkout."""

ELSEWHERE: Final[Mapping[str, str]] = {"schema/schema.graphql": "/docs/schema"}
"""Files that documents link to and that a page of another name shows."""

BESIDE: Final = frozenset(
    {"/", "/about", "/console", "/graphql", "/schema.graphql", "/events.schema.json", "/asyncapi.json"}
)
"""What is served beside the manual and linked to from it."""

_MISSING: Final = """# Earnest

The documents lie beside the source, and this installation has only the packages: they are in the checkout that it was built from.
What is written from the code is here:

- [The schema](/docs/schema): every type, field and argument
- [Events](/docs/events): everything that a webhook carries
- [Error codes](/docs/errors): when each comes, and what to do
"""


@dataclass(frozen=True, slots=True)
class Library:
    """The articles by address, and the pictures that stand in them."""

    articles: Mapping[str, Article]
    pictures: Mapping[str, Path]
    _addresses: Mapping[str, str]
    """By the path from the project's root."""

    def address(self, link: str, source: str) -> str | None:
        """Where the article is that a document of this path links to; `None` if it links to what isn't served."""
        if link.startswith("/"):
            return link if link in self.articles or link in BESIDE else None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        return self._addresses.get(path)

    def moved(self, address: str) -> str | None:
        """The address of a document whose file was asked for by its name, such as `/docs/law.md`."""
        path = address.removeprefix(HOME).strip("/")
        return self._addresses.get(f"docs/{path}") or self._addresses.get(path)


def collect(schema: GraphQLSchema, root: Path = CHECKOUT) -> Library:
    """Everything that there is to read; without documents in `root`, what is written from the code."""
    documents = dict(_documents(root)) or {"README.md": _MISSING}
    documents |= {f"docs/events/{name}": text for name, text in reference.pages().items()}
    articles = [Article.of(text, address_of(path), path) for path, text in documents.items()]
    articles += [*error_articles.articles(), *schema_articles.articles(schema)]
    pictures = {f"{HOME}/{path.relative_to(root / 'docs').as_posix()}": path for path in _pictures(root)}
    addresses = {path: address_of(path) for path in documents} | {
        path.relative_to(root).as_posix(): address for address, path in pictures.items()
    }
    return Library({one.address: one for one in articles}, pictures, {**ELSEWHERE, **addresses, **_folders(documents)})


def address_of(path: str) -> str:
    """Where a document is shown: `docs/law.md` at `/docs/law`, a `README.md` at its folder."""
    plain = path.removesuffix(".md").removeprefix("docs/")
    if "/" not in path:
        plain = plain.lower()
    return f"{HOME}/{plain}".removesuffix("/readme").removesuffix("/README")


def _folders(documents: Iterable[str]) -> dict[str, str]:
    return {posixpath.dirname(path): address_of(path) for path in documents if path.endswith("/README.md")}


def _documents(root: Path) -> Iterator[tuple[str, str]]:
    for path in _own(root, [*root.glob("*.md"), *(root / "docs").rglob("*.md")]):
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8", errors="replace")


def _pictures(root: Path) -> Iterator[Path]:
    return _own(root, (root / "docs").rglob("*.png"))


def _own(root: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Those that lie where they seem to: a link may point anywhere. Without the documents' folder there are none."""
    home = root.resolve()
    return (
        path for path in sorted(paths) if (root / "docs").is_dir() and path.resolve() == home / path.relative_to(root)
    )
