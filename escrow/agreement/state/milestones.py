"""A milestone: one step of the plan, its money and its clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from escrow.access import Side
from escrow.agreement.state.holdings import Lot
from escrow.states import CLOSED, HELD, Hold, MilestoneState

MILESTONES_MAX: Final = 200
"""The most milestones of one revision, closed ones included: bounds what a command loads and an answer holds."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """One step of the plan. Amounts are minor units of the contract's currency."""

    id: str
    revision: int
    position: int
    state: MilestoneState
    title: str
    purpose: str
    deliverables: tuple[str, ...]
    due_on: date
    amount_minor: int
    held_minor: int = 0
    held_fee_minor: int = 0
    base_minor: int = 0
    """G of docs/law.md, section 6: what was held right after money was last put in."""
    base_fee_minor: int = 0
    """F of docs/law.md, section 6: the client fee held right after money was last put in."""
    released_minor: int = 0
    """Gross: what left escrow for the freelancer, the freelancer fee included."""
    refunded_minor: int = 0
    freelancer_fee_minor: int = 0
    client_fee_minor: int = 0
    """The client fee that a release recognised as revenue."""
    submissions: int = 0
    review_due_at: datetime | None = None
    deposit_id: str | None = None
    """The deposit that is on its way to it, or that funded it."""
    updated_at: datetime | None = None
    """When it last changed; an event's time, set by evolve."""
    reminded_hours: int | None = None
    """How many hours before its end the running window was last announced; `None` if it wasn't yet, or none runs."""
    hold: Hold = Hold.NONE
    hold_id: str | None = None
    """The open refund request or dispute that holds it."""
    review_frozen_at: datetime | None = None
    """Since when the review clock stands still, under a hold or a reversal; `review_due_at` is then its former end."""
    review_resumed_at: datetime | None = None
    """When the running review window began, if it was frozen before; else it began with the submission."""
    client_barred_until: datetime | None = None
    """Until when the client may start no hold, since one that it started ended with money still held."""
    freelancer_barred_until: datetime | None = None
    frozen_at: datetime | None = None
    """Since when a reversal freezes it, because it holds money of a deposit that the provider took back."""
    lots: tuple[Lot, ...] = ()
    """Which deposits' money it holds, the oldest first; together exactly what it holds and the fee beside it."""
    bonus_deposit_id: str | None = None
    """The bonus that is on its way or was paid."""
    bonus_minor: int = 0
    """What was paid as a bonus."""
    rolled_minor: int = 0
    """Gross: what left escrow for the next milestone, since the client approved less."""
    lost_minor: int = 0
    """Gross: what left escrow for the chargeback account."""
    hold_until: datetime | None = None
    """Until when what it holds may be held: the first end of its lots' limits; `None` without a limit, and without money."""
    hold_told_hours: int | None = None
    """How many hours before `hold_until` that was last announced, or would have been before the limit was known."""

    @property
    def is_closed(self) -> bool:
        return self.state in CLOSED

    @property
    def is_held(self) -> bool:
        return self.state in HELD

    @property
    def is_frozen(self) -> bool:
        """Whether a reversal stops its clocks and every command that moves its money."""
        return self.frozen_at is not None

    def barred_until(self, side: Side) -> datetime | None:
        """Until when that side may start no hold; it may be past."""
        return self.client_barred_until if side is Side.CLIENT else self.freelancer_barred_until
