"""What a contract is between two events: immutable values, no behaviour but looking things up in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from escrow.access import AccountType, Side
from escrow.lifecycle import CLOSED, ContractState, DepositState, MilestoneState, OrderKind, OrderState
from escrow.money import Money

MILESTONES_MAX: Final = 200
"""The most milestones of one revision, closed ones included: bounds what a command loads and an answer holds."""


class DepositTerm(StrEnum):
    """What the first deposit covers."""

    FIRST = "FIRST"


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
class Attachment:
    """A file that lies elsewhere: its name and the sha256 of its content in hexadecimal."""

    name: str
    sha256: str


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

    @property
    def is_closed(self) -> bool:
        return self.state in CLOSED


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
class Contract:
    """A whole contract, as far as decisions need it.

    ``milestones`` are those of the current revision in order of position; ``former`` are milestones of earlier revisions (a
    store loads only one that a command names). ``deposits`` and ``orders`` hold at least the open ones and the one that a
    report names; ``submissions`` those that were made since the state was loaded. ``balances`` are credits minus debits by
    ledger account and currency.
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
