"""An ending: the client is ending the contract before everything is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escrow.access import Side


@dataclass(frozen=True, slots=True)
class Ending:
    """The client is ending the contract: nothing new begins, and what is held is asked back."""

    by: Side
    requested_at: datetime
    money_went_back: bool = False
    """Whether escrow money went to the client since: then it can't be taken back any more."""
