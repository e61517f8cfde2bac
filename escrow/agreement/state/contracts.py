"""A contract: its terms, windows and fees, and everything that belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from escrow.access import Side
from escrow.agreement.state.change_requests import ChangeRequest
from escrow.agreement.state.costs import Cost
from escrow.agreement.state.deposits import Deposit
from escrow.agreement.state.disputes import Dispute, Evidence
from escrow.agreement.state.endings import Ending
from escrow.agreement.state.holdings import Lot, split_off
from escrow.agreement.state.milestones import Milestone
from escrow.agreement.state.orders import Order
from escrow.agreement.state.refunds import RefundRequest
from escrow.agreement.state.updates import Update
from escrow.agreement.state.work import Submission
from escrow.money import Money
from escrow.states import UNDECIDED, ChangeRequestState, ContractState, RefundState


class DepositTerm(StrEnum):
    """What the first deposit covers."""

    FIRST = "FIRST"
    ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Windows:
    """How long silence may last, in hours, before it has its effect (docs/law.md, section 4)."""

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
class Contract:
    """A whole contract, as far as decisions need it.

    `milestones` are those of the current revision in order of position; `former` are milestones of earlier revisions (a
    store loads only one that a command names). `deposits` and `orders` hold at least the open ones, the one that a
    report names, and the deposits under reversal; `refunds`, `disputes` and `change_requests` at least the open ones and
    the one that a command names; `submissions`, `evidence`, `updates` and `costs` those that were made since the state was
    loaded. `balances` are credits minus debits by ledger account and currency.
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
    costs: Mapping[str, Cost] = field(default_factory=dict)
    ending: Ending | None = None
    all_deposited: bool = False
    """Whether a deposit for everything in this revision was confirmed: what `DepositTerm.ALL` waits for."""
    was_disputed: bool = False
    """Whether it has or had a dispute: mediators may see it then."""
    updates_posted: int = 0
    is_dormant: bool = False
    """Whether the operator was told of the silence that lasts."""
    payouts_are_automatic: bool = False
    """Whether the freelancer is paid out without asking each time."""

    def milestone(self, milestone_id: str) -> Milestone | None:
        """The milestone of that id, of this or an earlier revision, or `None`."""
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

    def lost_and_kept(self, lots: Iterable[Lot]) -> tuple[tuple[Lot, ...], tuple[Lot, ...]]:
        """What is lost if these leave a milestone now, since the provider took it back and it wasn't won; and what is not."""
        taken_back = (deposit for deposit in self.deposits.values() if deposit.is_taken_back)
        return split_off(lots, {deposit.id: deposit.at_risk_minor for deposit in taken_back})

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
