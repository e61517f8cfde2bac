"""Facts about refund requests, and about orders that pay the client back."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.agreement.events.base import Event, OptionalText, Text
from escrow.money import Money


class RefundRequested(Event):
    """The client asked for `amount` of what the milestone holds, itself or by ending the contract; silence until `due_at`
    gives it back. The milestone is on hold."""

    type: ClassVar = "refund.requested"
    refund_id: str
    milestone_id: str
    amount: Money
    by_ending: bool
    due_at: datetime
    message: OptionalText = None


class RefundAccepted(Event):
    """The freelancer gives back what was asked for."""

    type: ClassVar = "refund.accepted"
    refund_id: str
    milestone_id: str
    message: OptionalText = None


class RefundDeclined(Event):
    """The freelancer answered with a dispute, which takes the hold over."""

    type: ClassVar = "refund.declined"
    refund_id: str
    milestone_id: str
    dispute_id: str
    reason: Text


class RefundRequestWithdrawn(Event):
    """The client took the request back and the hold is over: `review_due_at` is when a review that it froze now ends, and
    the client may start no other hold until `client_barred_until`."""

    type: ClassVar = "refund.request_withdrawn"
    refund_id: str
    milestone_id: str
    client_barred_until: datetime
    review_due_at: datetime | None = None
    message: OptionalText = None


class RefundPaid(Event):
    """The provider carried out an order to pay the client back.

    After a failure had been reported, `shortfall` is the part that the client's payable no longer covered.
    """

    type: ClassVar = "refund.paid"
    order_id: str
    amount: Money
    after_failure: bool
    shortfall: Money


class RefundOvertaken(Event):
    """The client has `amount` of a refund from the bank, which took the deposit back for good before the refund was carried out.
    The order ends; what the bank didn't take of it, `rest`, goes back by the order `rest_order_id`."""

    type: ClassVar = "refund.overtaken"
    order_id: str
    deposit_id: str
    amount: Money
    after_failure: bool
    """Whether an attempt had failed, so that the sum was payable again and not on its way."""
    rest: Money | None = None
    rest_order_id: str | None = None


class RefundFailed(Event):
    """The provider could not pay the client back; the sum stays payable and is tried again. `after_payment`: it had
    been paid, and came back."""

    type: ClassVar = "refund.failed"
    order_id: str
    amount: Money
    explanation: OptionalText = None
    after_payment: bool | None = None
    """Whether it had been reported as paid before; absent if not."""
