"""The facts that a contract's log is made of: one frozen class per event type, with the payload that it carries.

The classes are the catalogue: documentation, JSON Schemas and the codec read their fields. A field marked ``FREE_TEXT``
never enters the stored event itself; its salted hash does (see ``escrow.log``). Amounts are whole, so that what an event
moves can be told from the event alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from escrow.access import Actor, Side
from escrow.agreement.state import Attachment, DepositTerm, Fees, Windows
from escrow.money import Money


class FreeText:
    """Marks a field that holds a person's words, links or file names: hashed in the event, erasable beside it."""


FREE_TEXT: Final = FreeText()

Text = Annotated[str, FREE_TEXT]
OptionalText = Annotated[str | None, FREE_TEXT]
TextList = Annotated[tuple[str, ...], FREE_TEXT]
OptionalTextList = Annotated[tuple[str, ...] | None, FREE_TEXT]
AttachmentList = Annotated[tuple[Attachment, ...], FREE_TEXT]

WITHHELD: Final = frozenset({"paymentToken"})
"""Texts that stand beside an event for the log's own sake and are shown to no reader, under the names of its ``data.texts``:
both parties read the log, and a payment token pays with the client's money."""


class ReleaseReason(StrEnum):
    """Why money was released."""

    APPROVED = "APPROVED"
    AUTO_RELEASED = "AUTO_RELEASED"


class AbandonReason(StrEnum):
    """Why a deposit was given up."""

    CANCELLED = "CANCELLED"
    UNANSWERED = "UNANSWERED"


class DepositFailure(StrEnum):
    """Why a deposit failed."""

    REFUSED = "REFUSED"
    WRONG_AMOUNT = "WRONG_AMOUNT"


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about one contract. ``type`` and ``schema_version`` identify its payload for ever."""

    type: ClassVar[str]
    schema_version: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractProposed(Event):
    """A proposal was put on the table; its milestones follow as ``milestone.added``."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRevised(Event):
    """A counter-offer replaced the revision before; its milestones follow as ``milestone.added``."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractAccepted(Event):
    """Both sides agreed on this revision; its plan, windows and fees are frozen."""

    type: ClassVar = "contract.accepted"
    revision: int
    accepted_by: Side
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractDeclined(Event):
    """The side whose turn it was turned the proposal down."""

    type: ClassVar = "contract.declined"
    revision: int
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractWithdrawn(Event):
    """The side that wrote the latest revision took it back."""

    type: ClassVar = "contract.withdrawn"
    revision: int
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExpired(Event):
    """Nobody answered the proposal within its offer window."""

    type: ClassVar = "contract.expired"
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractCompleted(Event):
    """Every milestone is closed and the freelancer was paid; ``released`` is the gross sum."""

    type: ClassVar = "contract.completed"
    released: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneAdded(Event):
    """A milestone joined the plan, by a proposal or by the client."""

    type: ClassVar = "milestone.added"
    milestone_id: str
    revision: int
    position: int
    plan_version: int
    amount: Money
    due_on: date
    title: Text
    purpose: Text
    deliverables: TextList
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneEdited(Event):
    """A planned milestone changed; texts that are absent stayed as they were."""

    type: ClassVar = "milestone.edited"
    milestone_id: str
    plan_version: int
    amount: Money
    due_on: date
    title: OptionalText = None
    purpose: OptionalText = None
    deliverables: OptionalTextList = None
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneMoved(Event):
    """A planned milestone took another place; the ones between moved up or down by one."""

    type: ClassVar = "milestone.moved"
    milestone_id: str
    plan_version: int
    position: int
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRemoved(Event):
    """The client took a planned milestone out of the plan."""

    type: ClassVar = "milestone.removed"
    milestone_id: str
    plan_version: int
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneCancelled(Event):
    """A milestone without money went with its revision or its contract."""

    type: ClassVar = "milestone.cancelled"
    milestone_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneFunded(Event):
    """The price of a milestone, and the client's fee beside it, came into escrow."""

    type: ClassVar = "milestone.funded"
    milestone_id: str
    deposit_id: str
    amount: Money
    fee: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneActivated(Event):
    """Its turn came: work is under way."""

    type: ClassVar = "milestone.activated"
    milestone_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneSubmitted(Event):
    """Work was handed in; the client's review window runs until ``review_due_at``."""

    type: ClassVar = "milestone.submitted"
    milestone_id: str
    submission_id: str
    number: int
    review_due_at: datetime
    message: Text
    links: TextList
    attachments: AttachmentList


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneChangesRequested(Event):
    """The client sent the work back; the review clock stopped."""

    type: ClassVar = "milestone.changes_requested"
    milestone_id: str
    number: int
    note: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneReleased(Event):
    """All that the milestone held went to the freelancer: ``amount`` less ``freelancer_fee``; ``client_fee`` was earned."""

    type: ClassVar = "milestone.released"
    milestone_id: str
    reason: ReleaseReason
    amount: Money
    freelancer_fee: Money
    client_fee: Money
    message: OptionalText = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneDeadlineApproaching(Event):
    """Silence will have its effect in ``hours_left`` hours: ``action`` is the event that then happens. Nothing else changed."""

    type: ClassVar = "milestone.deadline_approaching"
    milestone_id: str
    deadline_at: datetime
    action: str
    in_favour_of: Side | None
    hours_left: int


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


CATALOGUE: Final[dict[tuple[str, int], type[Event]]] = {
    (event.type, event.schema_version): event
    for event in (
        ContractProposed,
        ContractRevised,
        ContractAccepted,
        ContractDeclined,
        ContractWithdrawn,
        ContractExpired,
        ContractCompleted,
        MilestoneAdded,
        MilestoneEdited,
        MilestoneMoved,
        MilestoneRemoved,
        MilestoneCancelled,
        MilestoneFunded,
        MilestoneActivated,
        MilestoneSubmitted,
        MilestoneChangesRequested,
        MilestoneReleased,
        MilestoneDeadlineApproaching,
        DepositStarted,
        DepositConfirmed,
        DepositFailed,
        DepositAbandoned,
        DepositReturned,
        RefundPaid,
        RefundFailed,
        PayoutStarted,
        PayoutPaid,
        PayoutFailed,
    )
}
"""Every contract event that was ever written, by type and schema version. Nothing is ever taken out."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with what the log adds of its circumstances: when it happened, in domain time, and who caused it."""

    event: Event
    at: datetime
    actor: Actor
