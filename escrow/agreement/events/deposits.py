"""Facts about deposits: how they start and end, and what is sent back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from escrow.access import Side
from escrow.agreement.events.base import Event, OptionalText
from escrow.money import Money
from escrow.states import ActionKind


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
    ACTION_EXPIRED = "ACTION_EXPIRED"


class DepositStarted(Event):
    """The client's payment was asked of the provider; its milestones wait for the answer until `due_at`.

    `charge` is the sum of their amounts and of the client's fee on each, which the snapshot of fees gives.
    """

    type: ClassVar = "deposit.started"
    deposit_id: str
    order_id: str
    revision: int
    charge: Money
    milestone_ids: tuple[str, ...]
    due_at: datetime
    is_for_everything: bool | None = None
    """Whether it is for all that was planned: what a contract whose first deposit covers `ALL` waits for; absent if not."""
    payment_token: OptionalText = None


class DepositConfirmed(Event):
    """The provider took the whole charge. It may be held until `hold_until`, if not for ever."""

    type: ClassVar = "deposit.confirmed"
    deposit_id: str
    charge: Money
    hold_until: datetime | None = None
    """Absent if the payment provider holds money for ever."""


class DepositHoldEnding(Event):
    """What a milestone holds of the deposit may be held for `hours_left` hours more: `action` is the event that then happens.
    Nothing else changed."""

    type: ClassVar = "deposit.hold_ending"
    deposit_id: str
    milestone_id: str
    hold_until: datetime
    action: str
    in_favour_of: Side | None
    hours_left: int


class DepositActionRequired(Event):
    """The provider goes on once the payer has done something: until `due_at`, when the deposit fails. What it takes (an
    address, a secret) is shown to the client alone, as `Deposit.nextAction`."""

    type: ClassVar = "deposit.action_required"
    deposit_id: str
    kind: ActionKind
    due_at: datetime


class DepositActionTaken(Event):
    """The payer has done what was asked; the deposit waits for the provider again, until `due_at`."""

    type: ClassVar = "deposit.action_taken"
    deposit_id: str
    due_at: datetime


class DepositFailed(Event):
    """The provider refused the charge or took another sum than was asked for, or the payer didn't act in time."""

    type: ClassVar = "deposit.failed"
    deposit_id: str
    reason: DepositFailure
    explanation: OptionalText = None


class DepositAbandoned(Event):
    """Nobody waits for the provider's answer any more; a confirmation that still comes is sent back."""

    type: ClassVar = "deposit.abandoned"
    deposit_id: str
    reason: AbandonReason


class DepositReturned(Event):
    """Money came that nothing waited for; it was booked to the client and sent back by an order."""

    type: ClassVar = "deposit.returned"
    deposit_id: str
    order_id: str
    amount: Money
