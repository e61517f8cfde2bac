"""What stands under a text in a tool: which milestone it is, its amount and its state; and a price that somebody asks for.

    Ten pages, two rounds of changes.

    -- Earnest mil_01kathd3v0f6x8zj9s5m2w7q4r: 500.00 USD, ACTIVE

The line is ours: whoever changes it finds it as it was after the next round. A new item has a line `Price: 500.00` there;
under a text with our line such a line is the text's own. A line of a purpose that looks like ours has a backslash before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from connectors.sides import Card, Field, canonical

_OURS: Final = re.compile(r"^-- Earnest (?P<mark>mil_[0-9a-z]+): (?P<facts>.*)$", re.MULTILINE)
_ALIKE: Final = re.compile(r"^(?=\\*-- Earnest mil_[0-9a-z]+: )", re.MULTILINE)
_ESCAPED: Final = re.compile(r"^\\(?=\\*-- Earnest mil_[0-9a-z]+: )", re.MULTILINE)
_PRICE: Final = re.compile(r"^price: *(?P<amount>[0-9]+(\.[0-9]+)?)\b.*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """A text of a tool, taken apart."""

    purpose: str
    mark: str | None = None
    facts: str | None = None
    amount: str | None = None


def split(text: str | None) -> Parts:
    """The parts of a text; of several such lines the last one is ours, and the others somebody's words."""
    text = canonical(text)
    found = list(_OURS.finditer(text))
    if found:
        ours = found[-1]
        return Parts(_plain(text[: ours.start()] + text[ours.end() :]), ours["mark"], ours["facts"])
    price = _PRICE.search(text)
    return Parts(unpriced(_plain(text)), amount=price["amount"] if price is not None else None)


def unpriced(purpose: str) -> str:
    """A purpose without lines that give a price: what is read of it if our line is gone from under it."""
    return canonical(_PRICE.sub("", purpose))


def joined(card: Card) -> str:
    """The text of a card, of which `split` gives the purpose back."""
    purpose = _ALIKE.sub(r"\\", card.values.get(Field.PURPOSE, ""))
    return f"{purpose}\n\n-- Earnest {card.mark}: {card.facts}".strip()


def _plain(text: str) -> str:
    return canonical(_ESCAPED.sub("", text))
