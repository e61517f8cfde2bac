"""What a contract is between two events: immutable values, no behaviour but looking things up in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from escrow.access import AccountType, Side
from escrow.agreement.state.disputes import Attachment, ChangeRequest, Dispute, Evidence, RefundRequest, Update
from escrow.agreement.state.holdings import Lot
from escrow.lifecycle import (
    CLOSED,
    HELD,
    UNDECIDED,
    ChangeRequestState,
    ContractState,
    DepositState,
    Hold,
    MilestoneState,
    OrderKind,
    OrderState,
    RefundState,
    ReversalState,
)
from escrow.money import Money

MILESTONES_MAX: Final = 200
"""The most milestones of one revision, closed ones included: bounds what a command loads and an answer holds."""


class DepositTerm(StrEnum):
    """What the first deposit covers."""

    FIRST = "FIRST"
    ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Windows:
    """How long silence may last, in hours, before it has its effect (section 4 of the domain)."""

    offer_hours: int = 30 * 24
    deposit_hours: int = 72
    review_hours: int = 14 * 24
    refund_answer_hours: int = 7 * 24
    dispute_answer_hours: int = 7 * 24
    mediation_hours: int = 30 * 24


@dataclass(frozen=True, slots=True)
class Fees:
    """The operator's fees in basis points: the client's is charged with a deposit, the freelancer's taken from what is paid."""

    client_bps: int = 0
    freelancer_bps: int = 0


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
    """G of section 6: what was held right after money was last put in."""
    base_fee_minor: int = 0
    """F of section 6: the client fee held right after money was last put in."""
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
    """How many hours before its end the running window was last announced; ``None`` if it wasn't yet, or none runs."""
    hold: Hold = Hold.NONE
    hold_id: str | None = None
    """The open refund request or dispute that holds it."""
    review_frozen_at: datetime | None = None
    """Since when the review clock stands still, under a hold or a reversal; ``review_due_at`` is then its former end."""
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
    """Confirmations that were booked and sent back, one entry each; the same one again does nothing."""
    is_bonus: bool = False
    """Whether it is a bonus on the one milestone of its parts: it passes through no escrow and bears no fee."""
    reversal: ReversalState | None = None
    """What became of it after the provider took it back, if it did."""
    reversed_at: datetime | None = None
    is_for_everything: bool = False
    """Whether it was started for all that was planned."""
    forfeited_minor: int = 0
    """What milestones gave up of it, fees included, before the reversal was decided: it goes to the client if it is won."""

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


@dataclass(frozen=True, slots=True)
class Order:
    """What the payment provider is asked to do, once; its id is the idempotency key of every call made for it."""

    id: str
    kind: OrderKind
    state: OrderState
    amount: Money
    deposit_id: str | None = None
    payment_token: str | None = None
    """The provider's name for the client's means of payment; opaque to us."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Work that was handed in for a milestone; numbered from 1 within it."""

    id: str
    milestone_id: str
    number: int
    message: str
    links: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Ending:
    """The client is ending the contract: nothing new begins, and what is held is asked back."""

    by: Side
    requested_at: datetime
    money_went_back: bool = False
    """Whether escrow money went to the client since: then it can't be taken back any more."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A whole contract, as far as decisions need it.

    ``milestones`` are those of the current revision in order of position; ``former`` are milestones of earlier revisions (a
    store loads only one that a command names). ``deposits`` and ``orders`` hold at least the open ones, the one that a
    report names, and the deposits under reversal; ``refunds``, ``disputes`` and ``change_requests`` at least the open ones and
    the one that a command names; ``submissions``, ``evidence`` and ``updates`` those that were made since the state was
    loaded. ``balances`` are credits minus debits by ledger account and currency.
    """

    id: str
    client_id: str
    freelancer_id: str
    state: ContractState
    title: str
    description: str
    currency: str
    time_zone: str
    budget_minor: int | None
    deposit_term: DepositTerm
    revision: int
    written_by: Side
    offered_at: datetime
    plan_version: int
    windows: Windows
    fees: Fees
    created_at: datetime
    updated_at: datetime
    milestones: tuple[Milestone, ...] = ()
    former: Mapping[str, Milestone] = field(default_factory=dict)
    deposits: Mapping[str, Deposit] = field(default_factory=dict)
    orders: Mapping[str, Order] = field(default_factory=dict)
    submissions: Mapping[str, Submission] = field(default_factory=dict)
    balances: Mapping[tuple[str, str], int] = field(default_factory=dict)
    refunds: Mapping[str, RefundRequest] = field(default_factory=dict)
    disputes: Mapping[str, Dispute] = field(default_factory=dict)
    change_requests: Mapping[str, ChangeRequest] = field(default_factory=dict)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    updates: Mapping[str, Update] = field(default_factory=dict)
    ending: Ending | None = None
    all_deposited: bool = False
    """Whether a deposit for everything in this revision was confirmed: what ``DepositTerm.ALL`` waits for."""
    was_disputed: bool = False
    """Whether it has or had a dispute: mediators may see it then."""
    updates_posted: int = 0
    is_dormant: bool = False
    """Whether the operator was told of the silence that lasts."""
    payouts_are_automatic: bool = False
    """Whether the freelancer is paid out without asking each time."""

    def milestone(self, milestone_id: str) -> Milestone | None:
        """The milestone of that id, of this or an earlier revision, or ``None``."""
        for milestone in self.milestones:
            if milestone.id == milestone_id:
                return milestone
        return self.former.get(milestone_id)

    @property
    def current(self) -> Milestone | None:
        """The first milestone that is not closed: the only one whose turn it can be."""
        return next((milestone for milestone in self.milestones if not milestone.is_closed), None)

    @property
    def holds_money(self) -> bool:
        return any(milestone.is_held for milestone in self.milestones)

    @property
    def held_minor(self) -> int:
        """What its milestones hold together, fees excluded."""
        return sum(milestone.held_minor for milestone in self.milestones)

    def open_refund(self, milestone: Milestone) -> RefundRequest | None:
        """The refund request that holds the milestone, if one does."""
        found = self.refunds.get(milestone.hold_id or "")
        return found if found is not None and found.state is RefundState.OPEN else None

    def open_dispute(self, milestone: Milestone) -> Dispute | None:
        """The dispute that holds the milestone, if one does."""
        found = self.disputes.get(milestone.hold_id or "")
        return found if found is not None and found.state in UNDECIDED else None

    @property
    def open_change_requests(self) -> tuple[ChangeRequest, ...]:
        """Those that wait for an answer, the oldest first."""
        return tuple(one for one in self.change_requests.values() if one.state is ChangeRequestState.OPEN)

    @property
    def turn(self) -> Side:
        """Whose turn a proposal is: the side that did not write the latest revision."""
        return self.written_by.other

    def side_of(self, account_id: str | None) -> Side | None:
        if account_id is None:
            return None
        return {self.client_id: Side.CLIENT, self.freelancer_id: Side.FREELANCER}.get(account_id)

    def money(self, minor: int) -> Money:
        return Money(minor, self.currency)


@dataclass(frozen=True, slots=True)
class Party:
    """What a decision asks about an account beside the contract."""

    account_id: str
    type: AccountType
    is_operator: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Mediator:
    """What a decision asks about an acting account that the operator appointed as a mediator."""

    account_id: str
    disabled: bool = False
    shares_member: bool = False
    """Whether it has a member in common with either party of the contract."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a decision needs to know of the world, in the same snapshot as the contract: no more than this."""

    now: datetime
    """Domain time: the database's clock and the test clock's offset, never before the contract's last event."""
    fees: Fees
    """What the operator takes now; a revision freezes it."""
    client: Party | None
    freelancer: Party | None
    share_member: bool
    disputes_can_be_decided: bool
    """Whether an enabled mediator or an operator key with ``disputes:decide`` exists; without one no deposit is taken."""
    mediator: Mediator | None = None
    """The acting account, if it is a mediator."""
