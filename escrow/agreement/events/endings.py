"""Facts about a contract that is ended early."""

from __future__ import annotations

from typing import ClassVar

from escrow.access import Side
from escrow.agreement.events.base import Event, OptionalText
from escrow.money import Money


class ContractEndRequested(Event):
    """A party ends the contract: the client asks back what is held, the freelancer gives `held` up. Nothing new begins."""

    type: ClassVar = "contract.end_requested"
    requested_by: Side
    held: Money
    message: OptionalText = None


class ContractEndWithdrawn(Event):
    """The client took the ending back; the refund requests that it made are withdrawn by events of their own."""

    type: ClassVar = "contract.end_withdrawn"
    message: OptionalText = None


class ContractEnded(Event):
    """Nothing is held any more and the contract is over, as a party wished."""

    type: ClassVar = "contract.ended"
    requested_by: Side
    released: Money
    refunded: Money
