"""Lists the states of everything that a contract is made of; what leads from one to the next stands in `escrow.rules`."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ContractState(StrEnum):
    """Where a contract stands."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    ENDED = "ENDED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class MilestoneState(StrEnum):
    """Where a milestone and its money stand."""

    PLANNED = "PLANNED"
    FUNDING = "FUNDING"
    FUNDED = "FUNDED"
    ACTIVE = "ACTIVE"
    SUBMITTED = "SUBMITTED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"
    SETTLED = "SETTLED"
    CANCELLED = "CANCELLED"


class DepositState(StrEnum):
    """Where a client's deposit stands."""

    STARTED = "STARTED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"


class ReversalState(StrEnum):
    """What became of a deposit that the provider reversed (a chargeback)."""

    OPEN = "OPEN"
    FORFEITED = "FORFEITED"
    WON = "WON"
    WITHDRAWN = "WITHDRAWN"
    LOST = "LOST"


class ReversalOutcome(StrEnum):
    """How the argument about a reversed deposit ended. `WITHDRAWN`: the client took it back, which counts as won."""

    WON = "WON"
    WITHDRAWN = "WITHDRAWN"
    LOST = "LOST"


class ActionKind(StrEnum):
    """What a payer has to do before a charge can go on."""

    REDIRECT = "REDIRECT"
    """Open `url` in a browser: 3-D Secure, a bank's or a wallet's own page."""
    CONFIRM = "CONFIRM"
    """Give the means of payment, or confirm it, with the provider's own script and `client_secret`."""
    BANK_TRANSFER = "BANK_TRANSFER"
    """Send the money from a bank, with `reference`; `url` may show the instructions."""


class Hold(StrEnum):
    """What freezes a milestone that holds money, beside its state."""

    NONE = "NONE"
    REFUND_REQUEST = "REFUND_REQUEST"
    DISPUTE = "DISPUTE"


class RefundState(StrEnum):
    """Where a refund request stands. `OVERTAKEN`: its money went before anybody answered it, by a concession or an end, or could
    be held no longer and went to mediation."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    UNANSWERED = "UNANSWERED"
    OVERTAKEN = "OVERTAKEN"


class DisputeState(StrEnum):
    """Where a dispute stands."""

    OPEN = "OPEN"
    MEDIATION = "MEDIATION"
    RESOLVED = "RESOLVED"
    WITHDRAWN = "WITHDRAWN"


class ChangeRequestState(StrEnum):
    """Where a change request stands."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    STALE = "STALE"


class OrderKind(StrEnum):
    """What an order asks the payment provider to do."""

    DEPOSIT = "DEPOSIT"
    REFUND = "REFUND"
    PAYOUT = "PAYOUT"


class OrderStanding(StrEnum):
    """Whether anybody knows what became of an order at the payment provider, or will by asking."""

    CLEAR = "CLEAR"
    STUCK = "STUCK"


class OrderOutcome(StrEnum):
    """What a person found out about an order of which nobody knew what became of it."""

    PAID = "PAID"
    NEVER_HAPPENED = "NEVER_HAPPENED"


class OrderState(StrEnum):
    """What the books know of an order: waiting, carried out, failed, or no longer wanted."""

    STARTED = "STARTED"
    PAID = "PAID"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"


HELD: Final = frozenset(
    {MilestoneState.FUNDED, MilestoneState.ACTIVE, MilestoneState.SUBMITTED, MilestoneState.CHANGES_REQUESTED}
)
"""The states in which escrow holds exactly the milestone's amount."""


CLOSED: Final = frozenset(
    {MilestoneState.RELEASED, MilestoneState.REFUNDED, MilestoneState.SETTLED, MilestoneState.CANCELLED}
)
"""The states that no milestone leaves, and in which it holds nothing."""


UNDECIDED: Final = frozenset({DisputeState.OPEN, DisputeState.MEDIATION})
"""The states in which a dispute is argued: evidence is added, offers are made."""


DEAD: Final = frozenset({ContractState.DECLINED, ContractState.WITHDRAWN, ContractState.EXPIRED})
"""The ways in which a proposal dies."""
