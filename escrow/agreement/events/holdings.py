"""Facts about the money that a milestone holds: how it came in, where it went, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText
from escrow.money import Money


class ReleaseReason(StrEnum):
    """Why money was released."""

    APPROVED = "APPROVED"
    AUTO_RELEASED = "AUTO_RELEASED"
    CLAIM_ACCEPTED = "CLAIM_ACCEPTED"
    CLAIM_UNANSWERED = "CLAIM_UNANSWERED"
    DECIDED = "DECIDED"
    SETTLEMENT = "SETTLEMENT"


class RefundReason(StrEnum):
    """Why money went back to the client."""

    REQUEST_ACCEPTED = "REQUEST_ACCEPTED"
    REQUEST_UNANSWERED = "REQUEST_UNANSWERED"
    GIVEN = "GIVEN"
    CLAIM_ACCEPTED = "CLAIM_ACCEPTED"
    CLAIM_UNANSWERED = "CLAIM_UNANSWERED"
    DECIDED = "DECIDED"
    SETTLEMENT = "SETTLEMENT"
    ENDED = "ENDED"
    PROPOSAL_REVISED = "PROPOSAL_REVISED"
    PROPOSAL_DIED = "PROPOSAL_DIED"
    REVERSAL_LOST = "REVERSAL_LOST"
    HOLD_ENDED = "HOLD_ENDED"


class SplitReason(StrEnum):
    """Why what was held was split."""

    CLAIM_ACCEPTED = "CLAIM_ACCEPTED"
    CLAIM_UNANSWERED = "CLAIM_UNANSWERED"
    DECIDED = "DECIDED"
    SETTLEMENT = "SETTLEMENT"


@dataclass(frozen=True, slots=True)
class Return:
    """An order that sends money back to the client: what it returns of one deposit's charge, the fee included."""

    order_id: str
    deposit_id: str
    amount: Money


class MilestoneFunded(Event):
    """The price of a milestone, and the client's fee beside it, came into escrow."""

    type: ClassVar = "milestone.funded"
    milestone_id: str
    deposit_id: str
    amount: Money
    fee: Money


class MilestoneReleased(Event):
    """All that the milestone held went to the freelancer: `amount` less `freelancer_fee`; `client_fee` was earned."""

    type: ClassVar = "milestone.released"
    milestone_id: str
    reason: ReleaseReason
    amount: Money
    freelancer_fee: Money
    client_fee: Money
    message: OptionalText = None


class MilestonePartlyReleased(Event):
    """The client approved less than the milestone held: the rest has rolled forward, and `amount` went to the freelancer,
    less `freelancer_fee`. The milestone is released. No longer written: `milestone.released` says so now."""

    type: ClassVar = "milestone.partly_released"
    milestone_id: str
    amount: Money
    freelancer_fee: Money
    client_fee: Money
    message: OptionalText = None


class MilestoneRolledForward(Event):
    """What a smaller approval leaves, and the client's fee beside it, belongs to the next milestone from now on: the amount
    of this one is lower by it, and that of the next one higher. What was approved is released by the next event."""

    type: ClassVar = "milestone.rolled_forward"
    milestone_id: str
    to_milestone_id: str
    amount: Money
    fee: Money


class MilestoneRefunded(Event):
    """All that the milestone held went back: `amount` and `client_fee` to the client, by one order for each deposit.

    What the client had taken back through its bank before goes to the chargeback account instead: `lost` of what was held
    and `lost_fee` of the fee beside it. `planned_again` is no longer written: `milestone.unfunded` tells of a proposal's
    milestone that can be funded again.
    """

    type: ClassVar = "milestone.refunded"
    milestone_id: str
    reason: RefundReason
    amount: Money
    client_fee: Money
    returns: tuple[Return, ...] = ()
    refund_id: str | None = None
    dispute_id: str | None = None
    lost: Money | None = None
    lost_fee: Money | None = None
    planned_again: bool = False
    message: OptionalText = None


class MilestoneUnfunded(Event):
    """A reversal was lost on a proposal, or the money could be held no longer and nobody had been asked for it: the milestone
    holds nothing any more and is planned again.

    `lost` of what was held and `lost_fee` of the fee beside it went to the chargeback account; what it held of other deposits,
    `amount` and `client_fee`, went to the client, by one order for each.
    """

    type: ClassVar = "milestone.unfunded"
    milestone_id: str
    lost: Money
    lost_fee: Money
    amount: Money
    client_fee: Money
    returns: tuple[Return, ...] = ()
    by_hold_limit: bool | None = None
    """Whether the money could be held no longer; absent if a reversal was lost."""


class MilestonePartlyRefunded(Event):
    """Part of what the milestone held went back; its amount is lower by it, and its state is as before.

    If that answered a refund request, the hold is over: `review_due_at` is when a review that it froze now ends, and the
    client may start no other hold until `client_barred_until`.
    """

    type: ClassVar = "milestone.partly_refunded"
    milestone_id: str
    reason: RefundReason
    amount: Money
    client_fee: Money
    returns: tuple[Return, ...]
    refund_id: str | None = None
    review_due_at: datetime | None = None
    client_barred_until: datetime | None = None
    message: OptionalText = None


class MilestoneSettled(Event):
    """A dispute split what the milestone held: `released` to the freelancer, less `freelancer_fee`, and `refunded` to
    the client. Of the client's fee `client_fee` was earned, and `refunded_fee` went back with the orders that are named."""

    type: ClassVar = "milestone.settled"
    milestone_id: str
    dispute_id: str
    reason: SplitReason
    released: Money
    freelancer_fee: Money
    client_fee: Money
    refunded: Money
    refunded_fee: Money
    returns: tuple[Return, ...]
