"""A refund request: the client asks back what a milestone holds, or part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escrow.states import RefundState


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """The client asks for all or part of what a milestone holds; silence until `due_at` refunds it."""

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
