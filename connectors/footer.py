"""What stands under a text in a tool: which milestone it is, its amount and its state; and a price that somebody asks for.

    Ten pages, two rounds of changes.

    -- Earnest mil_01kathd3v0f6x8zj9s5m2w7q4r: 500.00 USD, ACTIVE

The line is ours: whoever changes it finds it as it was after the next round. A new item has a line `Price: 500.00` there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from connectors.sides import Card, Field, canonical

_OURS: Final = re.compile(r"^-- Earnest (?P<mark>mil_[0-9a-z]+): (?P<facts>.*)$", re.MULTILINE)
_PRICE: Final = re.compile(r"^price: *(?P<amount>[0-9]+(\.[0-9]+)?)\b.*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """A text of a tool, taken apart."""

    purpose: str
    mark: str | None = None
    facts: str | None = None
    amount: str | None = None


def split(text: str | None) -> Parts:
    """The parts of a text; of several such lines the last one counts, and none of them is the purpose."""
    text = canonical(text)
    purpose = canonical(_PRICE.sub("", _OURS.sub("", text)))
    found, price = list(_OURS.finditer(text)), _PRICE.search(text)
    amount = price["amount"] if price is not None and not found else None
    if not found:
        return Parts(purpose, amount=amount)
    return Parts(purpose, found[-1]["mark"], found[-1]["facts"])


def joined(card: Card) -> str:
    """The text of a card."""
    return f"{card.values.get(Field.PURPOSE, '')}\n\n-- Earnest {card.mark}: {card.facts}".strip()
