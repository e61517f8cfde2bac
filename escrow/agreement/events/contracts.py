"""Facts about a contract as a whole: its terms, their acceptance or death, its completion and its silence."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.access import Side
from escrow.agreement.events.base import Event, OptionalText, Text
from escrow.agreement.state import DepositTerm, Fees, Windows
from escrow.money import Money


class ContractProposed(Event):
    """A proposal was put on the table; its milestones follow as `milestone.added`."""

    type: ClassVar = "contract.proposed"
    client_id: str
    freelancer_id: str
    written_by: Side
    revision: int
    plan_version: int
    currency: str
    time_zone: str
    budget: Money | None
    deposit_term: DepositTerm
    windows: Windows
    fees: Fees
    title: Text
    description: Text
    message: OptionalText = None


class ContractRevised(Event):
    """A counter-offer replaced the revision before; its milestones follow as `milestone.added`."""

    type: ClassVar = "contract.revised"
    written_by: Side
    revision: int
    plan_version: int
    time_zone: str
    budget: Money | None
    deposit_term: DepositTerm
    windows: Windows
    fees: Fees
    title: Text
    description: Text
    message: OptionalText = None


class ContractAccepted(Event):
    """Both sides agreed on this revision; its plan, windows and fees are frozen."""

    type: ClassVar = "contract.accepted"
    revision: int
    accepted_by: Side
    message: OptionalText = None


class ContractDeclined(Event):
    """The side whose turn it was turned the proposal down."""

    type: ClassVar = "contract.declined"
    revision: int
    message: OptionalText = None


class ContractWithdrawn(Event):
    """The side that wrote the latest revision took it back."""

    type: ClassVar = "contract.withdrawn"
    revision: int
    message: OptionalText = None


class ContractExpired(Event):
    """Nobody answered the proposal within its offer window."""

    type: ClassVar = "contract.expired"
    revision: int


class ContractCompleted(Event):
    """Every milestone is closed and the freelancer was paid; `released` is the gross sum."""

    type: ClassVar = "contract.completed"
    released: Money


class ContractDormant(Event):
    """Money is held, no clock runs, and nothing has happened since `silent_since`: the operator is told, once."""

    type: ClassVar = "contract.dormant"
    silent_since: datetime
    held: Money
