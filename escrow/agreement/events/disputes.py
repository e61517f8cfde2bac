"""Facts about disputes and what ends them. Where the money went is the milestone's fact."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from escrow.access import Side
from escrow.agreement.events.base import AttachmentList, Event, OptionalText, Text, TextList
from escrow.money import Money
from escrow.states import DisputeState


class DisputeOutcome(StrEnum):
    """What resolved a dispute."""

    CLAIM_ACCEPTED = "CLAIM_ACCEPTED"
    CLAIM_UNANSWERED = "CLAIM_UNANSWERED"
    DECIDED = "DECIDED"
    SETTLEMENT = "SETTLEMENT"
    APPROVED = "APPROVED"
    REFUND_GIVEN = "REFUND_GIVEN"
    ENDED = "ENDED"
    REVERSAL_LOST = "REVERSAL_LOST"


class DisputeOpened(Event):
    """A side claims that `claim` of what the milestone holds should go to the freelancer. The milestone is on hold.

    Silence until `due_at` carries the claim out if `silence_pays`, and leads to mediation otherwise. A dispute that
    answers a refund request begins in mediation, and `due_at` is when the operator is told that it waits.
    """

    type: ClassVar = "dispute.opened"
    dispute_id: str
    milestone_id: str
    opened_by: Side
    claim: Money
    held: Money
    state: DisputeState
    due_at: datetime
    silence_pays: bool
    answers_refund_id: str | None = None
    by_hold_limit: bool | None = None
    """Whether nobody opened it but the law, since the money may be held no longer: in the freelancer's name, for all that is
    held; absent if not."""
    reason: Text


class DisputeEvidenceAdded(Event):
    """A side brought something forward, its `number`-th piece."""

    type: ClassVar = "dispute.evidence_added"
    dispute_id: str
    milestone_id: str
    side: Side
    number: int
    text: Text
    links: TextList
    attachments: AttachmentList


class DisputeClaimAccepted(Event):
    """The other side agreed to the claim, which is carried out."""

    type: ClassVar = "dispute.claim_accepted"
    dispute_id: str
    milestone_id: str
    accepted_by: Side
    message: OptionalText = None


class DisputeRejected(Event):
    """The other side rejected the claim; mediation begins."""

    type: ClassVar = "dispute.rejected"
    dispute_id: str
    milestone_id: str
    rejected_by: Side
    message: OptionalText = None


class DisputeMediationStarted(Event):
    """A mediator or the operator now decides; the operator is told at `overdue_at` if nobody did."""

    type: ClassVar = "dispute.mediation_started"
    dispute_id: str
    milestone_id: str
    overdue_at: datetime


class DisputeSettlementOffered(Event):
    """A side would agree to `to_freelancer` for the freelancer and the rest for the client; its older offer is replaced."""

    type: ClassVar = "dispute.settlement_offered"
    dispute_id: str
    milestone_id: str
    offered_by: Side
    to_freelancer: Money
    message: OptionalText = None


class DisputeSettlementWithdrawn(Event):
    """A side took its offer back."""

    type: ClassVar = "dispute.settlement_withdrawn"
    dispute_id: str
    milestone_id: str
    withdrawn_by: Side


class DisputeWithdrawalAgreed(Event):
    """In mediation one side would withdraw the dispute; it is withdrawn once the other would, too."""

    type: ClassVar = "dispute.withdrawal_agreed"
    dispute_id: str
    milestone_id: str
    agreed_by: Side
    message: OptionalText = None


class DisputeResolved(Event):
    """The dispute is over, and what was held goes `to_freelancer` and `to_client`, as the milestone's next event says.

    Both are zero where a reversal took the money away.
    """

    type: ClassVar = "dispute.resolved"
    dispute_id: str
    milestone_id: str
    outcome: DisputeOutcome
    to_freelancer: Money
    to_client: Money
    reason: OptionalText = None


class DisputeWithdrawn(Event):
    """The dispute was taken back and the hold is over: `review_due_at` is when a review that it froze now ends, and the
    `opened_by` side may start no other hold until `barred_until`."""

    type: ClassVar = "dispute.withdrawn"
    dispute_id: str
    milestone_id: str
    opened_by: Side
    barred_until: datetime
    review_due_at: datetime | None = None
    message: OptionalText = None


class DisputeOverdue(Event):
    """Mediation has lasted longer than it should: the operator is told, for the `times`-th time, and again at `next_at`."""

    type: ClassVar = "dispute.overdue"
    dispute_id: str
    milestone_id: str
    times: int
    next_at: datetime
