"""What stands under a text in a tool: which milestone it is, its amount and its state; and a price that somebody asks for.

    Ten pages, two rounds of changes.

    -- Earnest mil_01kathd3v0f6x8zj9s5m2w7q4r: 500.00 USD, ACTIVE

The line is ours: whoever changes it finds it as it was after the next round. A new item has a line `Price: 500.00` or
`Price: 500.00 USD` there; what says a price in any other way is told and never guessed at. Under a text with our line such a
line is the text's own. A line of a purpose that looks like ours has a backslash before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from connectors.sides import Card, Field, Price, canonical

_OURS: Final = re.compile(r"^-- Earnest (?P<mark>mil_[0-9a-z]+): (?P<facts>.*)$", re.MULTILINE)
_ALIKE: Final = re.compile(r"^(?=\\*-- Earnest mil_[0-9a-z]+: )", re.MULTILINE)
_ESCAPED: Final = re.compile(r"^\\(?=\\*-- Earnest mil_[0-9a-z]+: )", re.MULTILINE)
_PRICED: Final = re.compile(r"^price:(?P<said>.*[0-9].*)$", re.MULTILINE | re.IGNORECASE)
_PRICE: Final = re.compile(r"(?P<amount>[0-9]+(\.[0-9]+)?)( (?P<currency>[A-Z]{3}))?")


@dataclass(frozen=True, slots=True)
class Parts:
    """A text of a tool, taken apart."""

    purpose: str
    mark: str | None = None
    facts: str | None = None
    price: Price | None = None


def split(text: str | None) -> Parts:
    """The parts of a text; of several such lines the last one is ours, and the others somebody's words."""
    text = canonical(text)
    found = list(_OURS.finditer(text))
    if found:
        ours = found[-1]
        return Parts(_plain(text[: ours.start()] + text[ours.end() :]), ours["mark"], ours["facts"])
    said = _PRICED.search(text)
    return Parts(unpriced(_plain(text)), price=price(said["said"]) if said is not None else None)


def price(said: str) -> Price | None:
    """A price as somebody wrote it, who may have meant anything by a comma or a space; None if nothing is written."""
    said = said.strip()
    found = _PRICE.fullmatch(said)
    return Price(said=said, **(found.groupdict() if found is not None else {})) if said else None


def unpriced(purpose: str) -> str:
    """A purpose without lines that give a price: what is read of it if our line is gone from under it."""
    return canonical(_PRICED.sub("", purpose))


def joined(card: Card) -> str:
    """The text of a card, of which `split` gives the purpose back."""
    purpose = _ALIKE.sub(r"\\", card.values.get(Field.PURPOSE, ""))
    return f"{purpose}\n\n-- Earnest {card.mark}: {card.facts}".strip()


def _plain(text: str) -> str:
    return canonical(_ESCAPED.sub("", text))
