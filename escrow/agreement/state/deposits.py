"""A deposit: the client's payment into escrow, or a bonus beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.agreement.state.reversals import Reversal
from escrow.money import Money
from escrow.states import ActionKind, DepositState, ReversalOutcome, ReversalState


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
    """What milestones and refunds gave up of it, fees included, since the provider took it back: the client's as far as it comes
    again.

    In logs from before `reversals` were kept only what was given up before the argument ended."""
    restored_minor: int = 0
    """What of that came again and went to the client."""
    reversals: tuple[Reversal, ...] = ()
    """Every time that the provider took it back, the oldest first; empty in logs from before they were kept."""
    evidence_due_at: datetime | None = None
    """Until when the provider takes evidence, in real time, as it said when it took the money back."""
    action: ActionKind | None = None
    """What the payer has to do before the provider goes on; `due_at` is when that ends."""
    clock_started_at: datetime | None = None
    """When the clock that runs now began, if that was not when the deposit started: the payer was asked, or has acted."""
    hold_until: datetime | None = None
    """Until when its money may be held, as it was when it came; `None` if the provider holds money for ever."""

    @property
    def is_taken_back(self) -> bool:
        """Whether the provider took it back and it was not won: what is held of it is not the client's to get back."""
        return self.reversal not in (None, ReversalState.WON, ReversalState.WITHDRAWN)

    @property
    def is_argued_about(self) -> bool:
        """Whether nobody has said yet how its reversal ended."""
        return self.reversal in (ReversalState.OPEN, ReversalState.FORFEITED)

    @property
    def charge_minor(self) -> int:
        """What the client is charged: amounts and fees, in minor units."""
        return sum(part.amount_minor + part.fee_minor for part in self.parts)

    @property
    def came_minor(self) -> int:
        """What came of it, in minor units: the charge if it was confirmed, else what came first and was sent back, or nothing."""
        if self.state is DepositState.CONFIRMED:
            return self.charge_minor
        return self.returned[0].minor if self.returned else 0

    @property
    def came_currency(self) -> str | None:
        """In which currency that came, if it is known to be another than the contract's may be."""
        sent_back = self.state is not DepositState.CONFIRMED and self.returned
        return self.returned[0].currency if sent_back else None

    @property
    def known_reversals(self) -> tuple[Reversal, ...]:
        """Its reversals; of one that was booked before they were kept, what the law of then says of it."""
        if self.reversals or self.reversal is None:
            return self.reversals
        came, outcome = self.came_minor, _OUTCOMES.get(self.reversal)
        return (Reversal("", came, came if outcome is ReversalOutcome.WON else 0, outcome),)

    @property
    def outstanding_minor(self) -> int:
        """What the provider has taken back of it and not given again."""
        return sum(one.outstanding_minor for one in self.known_reversals)

    @property
    def at_risk_minor(self) -> int:
        """What milestones that hold money of it, and refunds of it, would give up if it were lost now: what was given up already
        counts."""
        return max(0, self.outstanding_minor - (self.forfeited_minor - self.restored_minor))


_OUTCOMES: Final = {ReversalState.WON: ReversalOutcome.WON, ReversalState.LOST: ReversalOutcome.LOST}
