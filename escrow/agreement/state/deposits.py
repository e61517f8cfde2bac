"""A deposit: the client's payment into escrow, or a bonus beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from escrow.money import Money
from escrow.states import ActionKind, DepositState, ReversalState


@dataclass(frozen=True, slots=True)
class DepositPart:
    """What of a deposit goes to one milestone, in minor units: its amount, and the client fee beside it."""

    milestone_id: str
    amount_minor: int
    fee_minor: int


@dataclass(frozen=True, slots=True)
class Deposit:
    """A client's payment into escrow, bound to milestones and a revision; one charge, which succeeds or fails as a whole."""

    id: str
    order_id: str
    revision: int
    state: DepositState
    parts: tuple[DepositPart, ...]
    started_at: datetime
    due_at: datetime
    returned: tuple[Money, ...] = ()
    """Confirmations that were booked and sent back, one entry each, in their order; the same one again does nothing."""
    is_bonus: bool = False
    """Whether it is a bonus on the one milestone of its parts: it passes through no escrow and bears no fee."""
    reversal: ReversalState | None = None
    """What became of it after the provider took it back, if it did."""
    reversed_at: datetime | None = None
    is_for_everything: bool = False
    """Whether it was started for all that was planned."""
    forfeited_minor: int = 0
    """What milestones gave up of it, fees included, before the reversal was decided: it goes to the client if it is won."""
    action: ActionKind | None = None
    """What the payer has to do before the provider goes on; `due_at` is when that ends."""
    clock_started_at: datetime | None = None
    """When the clock that runs now began, if that was not when the deposit started: the payer was asked, or has acted."""

    @property
    def is_taken_back(self) -> bool:
        """Whether the provider took it back and it was not won: what is held of it is not the client's to get back."""
        return self.reversal not in (None, ReversalState.WON)

    @property
    def is_argued_about(self) -> bool:
        """Whether the operator has yet to say how its reversal ended."""
        return self.reversal in (ReversalState.OPEN, ReversalState.FORFEITED)

    @property
    def charge_minor(self) -> int:
        """What the client is charged: amounts and fees, in minor units."""
        return sum(part.amount_minor + part.fee_minor for part in self.parts)
