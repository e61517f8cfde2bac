"""A dispute, with the evidence that both sides bring.

Immutable values, like the rest of the state. Amounts are minor units of the contract's currency. A store loads the open ones
and the one that a command names; of evidence it loads none, since decisions only count it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.access import Side
from escrow.agreement.state.attachments import Attachment
from escrow.states import UNDECIDED, DisputeState

EVIDENCE_MAX: Final = 250
"""The most pieces of evidence of each side in one dispute."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """An argument about what a milestone holds: the opener claims that `claim_minor` of it should go to the freelancer."""

    id: str
    milestone_id: str
    state: DisputeState
    opened_by: Side
    claim_minor: int
    opened_at: datetime
    due_at: datetime
    """`OPEN`: when silence has its effect; `MEDIATION`: when the operator is told next that it waits."""
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
    by_hold_limit: bool = False
    """Whether nobody opened it but the law, since the money may be held no longer; it stands in the freelancer's name then."""

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
