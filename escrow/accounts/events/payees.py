"""The fact that the payment provider sees a payee otherwise. Links and what a payee tells the provider are in no event."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.agreement.events import Event


class PayeeChanged(Event):
    """The account asked to be paid by the provider, or the provider says otherwise than before whether it can be.

    `payee_id` is what the provider calls it (null until it was made there), `missing` what the provider waits for, in its own
    words, and `until` when (in real time) that has the account paid no more.
    """

    type: ClassVar = "payee.changed"
    provider: str
    payee_id: str | None
    can_be_paid: bool
    missing: tuple[str, ...]
    until: datetime | None
