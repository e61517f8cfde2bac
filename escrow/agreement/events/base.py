"""What every event is: a frozen class with a type, a schema version and a payload; and how words are kept apart in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Final

from escrow.access import Actor
from escrow.agreement.state import Attachment
from escrow.values import Value


class FreeText:
    """Marks a field that holds a person's words, links or file names: hashed in the event, erasable beside it."""


FREE_TEXT: Final = FreeText()

Text = Annotated[str, FREE_TEXT]
OptionalText = Annotated[str | None, FREE_TEXT]
TextList = Annotated[tuple[str, ...], FREE_TEXT]
OptionalTextList = Annotated[tuple[str, ...] | None, FREE_TEXT]
AttachmentList = Annotated[tuple[Attachment, ...], FREE_TEXT]

WITHHELD: Final = frozenset({"paymentToken"})
"""Texts of which the log has a salted hash and nothing else, under the names of its `data.texts`: they count as erased from
the first. Both parties read the log, and a payment token pays with the client's money."""


class Event(Value):
    """A fact about one contract. `type` and `schema_version` identify its payload for ever."""

    type: ClassVar[str]
    schema_version: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with what the log adds of its circumstances: when it happened, in domain time, and who caused it."""

    event: Event
    at: datetime
    actor: Actor
