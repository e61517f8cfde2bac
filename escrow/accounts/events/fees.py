"""The fact that the operator's fees changed."""

from __future__ import annotations

from typing import ClassVar

from escrow.agreement.events import Event
from escrow.agreement.state import Fees


class FeesChanged(Event):
    """The operator takes these fees from now on; contracts keep those of their latest revision."""

    type: ClassVar = "fees.changed"
    fees: Fees
