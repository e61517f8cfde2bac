"""Keeps the GraphQL documents that the operator registered, each by the digest of its text.

Whoever asks names one instead of sending it, and a deployment may allow no others (`EARNEST_DOCUMENTS=registered`). What a
document says is the schema's business: here it is a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from escrow import database

PREFIX: Final = "sha256:"
"""What the identifier of a document begins with; the digest of its text in UTF-8 follows, in hexadecimal."""


_IDENTIFIER: Final = re.compile(PREFIX + "[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Document:
    """A registered document; `name` tells people where it came from."""

    id: str
    name: str
    text: str
    added_at: datetime


def id_of(text: str) -> str:
    """The identifier of a text: the same everywhere, whether it is registered or not."""
    return PREFIX + sha256(text.encode()).hexdigest()


def is_id(identifier: str) -> bool:
    """Whether it looks like the identifier of a document."""
    return _IDENTIFIER.fullmatch(identifier) is not None


async def add(name: str, text: str) -> str:
    """Register a document, and answer its identifier; one that is registered already stays as it is."""
    identifier = id_of(text)
    await database.execute(_ADD, identifier.removeprefix(PREFIX), name, text)
    return identifier


async def remove(identifier: str) -> bool:
    """Take a document back; answers whether it was registered. Processes that know it may answer it for a minute yet,
    and then end subscriptions to it."""
    tag = await database.execute("DELETE FROM documents WHERE sha256 = $1", identifier.removeprefix(PREFIX))
    return tag != "DELETE 0"


async def text_of(identifier: str) -> str | None:
    """The text of a registered document, or `None`."""
    if not is_id(identifier):
        return None
    text: str | None = await database.fetch_value(
        "SELECT text FROM documents WHERE sha256 = $1", identifier.removeprefix(PREFIX)
    )
    return text


async def registered() -> Sequence[Document]:
    """All of them, by name."""
    rows = await database.fetch("SELECT sha256, name, text, added_at FROM documents ORDER BY name, sha256")
    return [Document(PREFIX + row["sha256"], row["name"], row["text"], row["added_at"]) for row in rows]


_ADD: Final = """
INSERT INTO documents (sha256, name, text, added_at) VALUES ($1, $2, $3, clock_timestamp()) ON CONFLICT (sha256) DO NOTHING
"""
