"""What the parties of a contract argue about and agree on: refund requests, disputes, change requests, and the record of them.

Immutable values, like the rest of the state. Amounts are minor units of the contract's currency. A store loads the open ones
and the one that a command names; of evidence and updates it loads none, since decisions only count them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from escrow.access import Side
from escrow.lifecycle import UNDECIDED, ChangeRequestState, DisputeState, RefundState
from escrow.money import Money

EVIDENCE_MAX: Final = 250
"""The most pieces of evidence of each side in one dispute."""

UPDATES_MAX: Final = 1_000
"""The most progress updates of one contract, those on its milestones counted."""

CHANGES_MAX: Final = 50
"""The most operations of one change request: bounds what its event holds."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that lies elsewhere: its name and the sha256 of its content in hexadecimal."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """The client asks for all or part of what a milestone holds; silence until ``due_at`` refunds it."""

    id: str
    milestone_id: str
    state: RefundState
    amount_minor: int
    by_ending: bool
    """Whether the ending of the contract made it; it is then withdrawn only with the ending."""
    requested_at: datetime
    due_at: datetime
    """While a reversal freezes the milestone this clock stands still; what is left of it runs on afterwards."""
    clock_started_at: datetime
    """When the running window began: with the request, or when a reversal let it go on."""
    message: str = ""
    answer: str = ""
    """Why it was declined."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """An argument about what a milestone holds: the opener claims that ``claim_minor`` of it should go to the freelancer."""

    id: str
    milestone_id: str
    state: DisputeState
    opened_by: Side
    claim_minor: int
    opened_at: datetime
    due_at: datetime
    """``OPEN``: when silence has its effect; ``MEDIATION``: when the operator is told next that it waits."""
    clock_started_at: datetime
    """When the running window began, for its reminders: with the state, or when a reversal let it go on."""
    silence_pays: bool = False
    """Whether silence carries out the claim; otherwise it leads to mediation."""
    answers_refund_id: str | None = None
    overdue: int = 0
    """How often the operator was told that it is overdue."""
    client_evidence: int = 0
    freelancer_evidence: int = 0
    client_offer_minor: int | None = None
    """What the client offers to the freelancer as a settlement; the rest would go back."""
    freelancer_offer_minor: int | None = None
    """What the freelancer offers to be content with."""
    client_withdraws: bool = False
    freelancer_withdraws: bool = False
    to_freelancer_minor: int | None = None
    """Once it is resolved: how much went to the freelancer."""
    reason: str = ""
    explanation: str = ""
    """Why it was decided as it was."""

    @property
    def is_undecided(self) -> bool:
        return self.state in UNDECIDED

    def evidence_of(self, side: Side) -> int:
        return self.client_evidence if side is Side.CLIENT else self.freelancer_evidence

    def offer_of(self, side: Side) -> int | None:
        return self.client_offer_minor if side is Side.CLIENT else self.freelancer_offer_minor

    def is_withdrawn_by(self, side: Side) -> bool:
        return self.client_withdraws if side is Side.CLIENT else self.freelancer_withdraws


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a side brought forward in a dispute; numbered from 1 within dispute and side."""

    dispute_id: str
    side: Side
    number: int
    text: str
    links: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    added_at: datetime

    @property
    def key(self) -> str:
        """Its name among the evidence of a contract."""
        return f"{self.dispute_id}/{self.side.value}/{self.number}"


class ChangeKind(StrEnum):
    """What one operation of a change request does."""

    ADD = "ADD"
    EDIT = "EDIT"
    REMOVE = "REMOVE"
    MOVE = "MOVE"
    AMEND = "AMEND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One operation of a change request, without its words. What is absent stays as it is."""

    kind: ChangeKind
    milestone_id: str
    """The milestone that it is about; for ``ADD`` the one that it would make."""
    position: int | None = None
    amount: Money | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWords:
    """The words of one operation, beside it; what is absent stays as it is."""

    title: str | None = None
    purpose: str | None = None
    deliverables: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """An ordered list of operations on the plan that one side asks the other to accept, all or none."""

    id: str
    filed_by: Side
    state: ChangeRequestState
    changes: tuple[Change, ...]
    words: tuple[ChangeWords, ...]
    """As many as there are changes, in their order; none once they were erased."""
    message: str
    filed_at: datetime
    plan_version: int
    """The plan's version that it was written for."""


@dataclass(frozen=True, slots=True)
class Update:
    """A progress update on the contract or on one of its milestones; numbered from 1 within the contract."""

    number: int
    side: Side
    milestone_id: str | None
    message: str
    links: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    posted_at: datetime

    @property
    def key(self) -> str:
        """Its name among the updates of a contract."""
        return str(self.number)
