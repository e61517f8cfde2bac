"""Facts about money that comes and goes through the payment provider: deposits, bonuses, returns and payouts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText
from escrow.lifecycle import ReversalOutcome
from escrow.money import Money


class AbandonReason(StrEnum):
    """Why a deposit was given up."""

    CANCELLED = "CANCELLED"
    UNANSWERED = "UNANSWERED"
    REVISED = "REVISED"
    PROPOSAL_DIED = "PROPOSAL_DIED"
    ENDED = "ENDED"


class DepositFailure(StrEnum):
    """Why a deposit or a bonus failed."""

    REFUSED = "REFUSED"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    UNANSWERED = "UNANSWERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositStarted(Event):
    """The client's payment was asked of the provider; its milestones wait for the answer until ``due_at``.

    ``charge`` is the sum of their amounts and of the client's fee on each, which the snapshot of fees gives.
    """

    type: ClassVar = "deposit.started"
    deposit_id: str
    order_id: str
    revision: int
    charge: Money
    milestone_ids: tuple[str, ...]
    due_at: datetime
    is_for_everything: bool | None = None
    """Whether it is for all that was planned: what a contract whose first deposit covers ``ALL`` waits for; absent if not."""
    payment_token: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositConfirmed(Event):
    """The provider took the whole charge."""

    type: ClassVar = "deposit.confirmed"
    deposit_id: str
    charge: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositFailed(Event):
    """The provider refused the charge, or took another sum than was asked for."""

    type: ClassVar = "deposit.failed"
    deposit_id: str
    reason: DepositFailure
    explanation: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositAbandoned(Event):
    """Nobody waits for the provider's answer any more; a confirmation that still comes is sent back."""

    type: ClassVar = "deposit.abandoned"
    deposit_id: str
    reason: AbandonReason


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositReturned(Event):
    """Money came that nothing waited for; it was booked to the client and sent back by an order."""

    type: ClassVar = "deposit.returned"
    deposit_id: str
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositReversed(Event):
    """The provider took a confirmed deposit or bonus back. The milestones that hold its money are frozen until the operator
    says how the argument ended."""

    type: ClassVar = "deposit.reversed"
    deposit_id: str
    amount: Money
    milestone_ids: tuple[str, ...]
    explanation: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositReversalResolved(Event):
    """The argument about a reversed deposit ended. What is won after milestones gave it up, ``to_client``, goes to the client
    by the order ``order_id``."""

    type: ClassVar = "deposit.reversal_resolved"
    deposit_id: str
    outcome: ReversalOutcome
    amount: Money
    milestone_ids: tuple[str, ...]
    to_client: Money | None = None
    order_id: str | None = None
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BonusStarted(Event):
    """The client's payment of a bonus was asked of the provider, which has until ``due_at`` to answer."""

    type: ClassVar = "bonus.started"
    milestone_id: str
    deposit_id: str
    order_id: str
    amount: Money
    due_at: datetime
    payment_token: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BonusPaid(Event):
    """The bonus came and is payable to the freelancer, without fees."""

    type: ClassVar = "bonus.paid"
    milestone_id: str
    deposit_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class BonusFailed(Event):
    """The provider refused the bonus, took another sum, or did not answer in time; what still comes is sent back."""

    type: ClassVar = "bonus.failed"
    milestone_id: str
    deposit_id: str
    reason: DepositFailure
    explanation: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPaid(Event):
    """The provider carried out an order to pay the client back.

    After a failure had been reported, ``shortfall`` is the part that the client's payable no longer covered.
    """

    type: ClassVar = "refund.paid"
    order_id: str
    amount: Money
    after_failure: bool
    shortfall: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFailed(Event):
    """The provider could not pay the client back; the sum stays payable and is tried again."""

    type: ClassVar = "refund.failed"
    order_id: str
    amount: Money
    explanation: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutStarted(Event):
    """What was payable to the freelancer is on its way."""

    type: ClassVar = "payout.started"
    order_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutPaid(Event):
    """The provider paid the freelancer. ``shortfall`` as in ``refund.paid``."""

    type: ClassVar = "payout.paid"
    order_id: str
    amount: Money
    after_failure: bool
    shortfall: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutFailed(Event):
    """The provider could not pay the freelancer; the sum is payable again."""

    type: ClassVar = "payout.failed"
    order_id: str
    amount: Money
    explanation: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutsChanged(Event):
    """The freelancer is paid out without asking each time from now on, or only when it asks."""

    type: ClassVar = "payouts.changed"
    automatic: bool
