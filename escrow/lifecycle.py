"""The states of contracts and milestones, and the table of what leads from one to the next. Data, not code.

The table is read by the rules (``escrow.agreement``), by the docs and by the tests that walk every state × action × role.
Who may act stands in ``escrow.access``; what else a rule asks for stands in ``escrow.agreement.permit``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ContractState(StrEnum):
    """Where a contract stands."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    ENDED = "ENDED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class MilestoneState(StrEnum):
    """Where a milestone and its money stand."""

    PLANNED = "PLANNED"
    FUNDING = "FUNDING"
    FUNDED = "FUNDED"
    ACTIVE = "ACTIVE"
    SUBMITTED = "SUBMITTED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"
    SETTLED = "SETTLED"
    CANCELLED = "CANCELLED"


class DepositState(StrEnum):
    """Where a client's deposit stands."""

    STARTED = "STARTED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"


class OrderKind(StrEnum):
    """What an order asks the payment provider to do."""

    DEPOSIT = "DEPOSIT"
    REFUND = "REFUND"
    PAYOUT = "PAYOUT"


class OrderState(StrEnum):
    """What the books know of an order: waiting, carried out, failed, or no longer wanted."""

    STARTED = "STARTED"
    PAID = "PAID"
    FAILED = "FAILED"
    ABANDONED = "ABANDONED"


HELD: Final = frozenset(
    {MilestoneState.FUNDED, MilestoneState.ACTIVE, MilestoneState.SUBMITTED, MilestoneState.CHANGES_REQUESTED}
)
"""The states in which escrow holds exactly the milestone's amount."""

CLOSED: Final = frozenset(
    {MilestoneState.RELEASED, MilestoneState.REFUNDED, MilestoneState.SETTLED, MilestoneState.CANCELLED}
)
"""The states that no milestone leaves, and in which it holds nothing."""

DEAD: Final = frozenset({ContractState.DECLINED, ContractState.WITHDRAWN, ContractState.EXPIRED})
"""The ways in which a proposal dies."""


class Action(StrEnum):
    """What a person or a program may ask of a contract or of one of its milestones."""

    PROPOSE = "PROPOSE"
    REVISE = "REVISE"
    ACCEPT = "ACCEPT"
    DECLINE = "DECLINE"
    WITHDRAW = "WITHDRAW"
    ADD_MILESTONE = "ADD_MILESTONE"
    EDIT_MILESTONE = "EDIT_MILESTONE"
    MOVE_MILESTONE = "MOVE_MILESTONE"
    REMOVE_MILESTONE = "REMOVE_MILESTONE"
    IMPORT_MILESTONES = "IMPORT_MILESTONES"
    FUND = "FUND"
    CANCEL_FUNDING = "CANCEL_FUNDING"
    SUBMIT = "SUBMIT"
    APPROVE = "APPROVE"
    REQUEST_CHANGES = "REQUEST_CHANGES"
    REQUEST_PAYOUT = "REQUEST_PAYOUT"


class Turn(StrEnum):
    """Whose turn a proposal must be for an action: the side that did not write the latest revision has it."""

    OWN = "OWN"
    OTHERS = "OTHERS"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: the action, the states of contract and milestone that it needs, where it leads, and the event that says so.

    ``contract`` is ``None`` where every state of the contract will do; ``milestone`` is ``None`` for actions on the contract.
    """

    action: Action
    contract: frozenset[ContractState] | None
    milestone: frozenset[MilestoneState] | None
    to: ContractState | MilestoneState | None
    event: str
    turn: Turn | None = None
    edits_plan: bool = False
    needs_enabled_parties: bool = False


def _contract(*states: ContractState) -> frozenset[ContractState]:
    return frozenset(states)


def _milestone(*states: MilestoneState) -> frozenset[MilestoneState]:
    return frozenset(states)


_C = ContractState
_M = MilestoneState

TRANSITIONS: Final[dict[Action, Transition]] = {
    row.action: row
    for row in (
        Transition(Action.PROPOSE, None, None, _C.PROPOSED, "contract.proposed", needs_enabled_parties=True),
        Transition(
            Action.REVISE, _contract(_C.PROPOSED), None, _C.PROPOSED, "contract.revised", Turn.OWN,
            needs_enabled_parties=True,
        ),
        Transition(
            Action.ACCEPT, _contract(_C.PROPOSED), None, _C.ACTIVE, "contract.accepted", Turn.OWN,
            needs_enabled_parties=True,
        ),
        Transition(Action.DECLINE, _contract(_C.PROPOSED), None, _C.DECLINED, "contract.declined", Turn.OWN),
        Transition(Action.WITHDRAW, _contract(_C.PROPOSED), None, _C.WITHDRAWN, "contract.withdrawn", Turn.OTHERS),
        Transition(Action.ADD_MILESTONE, _contract(_C.ACTIVE), None, None, "milestone.added"),
        Transition(
            Action.EDIT_MILESTONE, _contract(_C.ACTIVE), _milestone(_M.PLANNED), _M.PLANNED, "milestone.edited",
            edits_plan=True,
        ),
        Transition(
            Action.MOVE_MILESTONE, _contract(_C.ACTIVE), _milestone(_M.PLANNED), _M.PLANNED, "milestone.moved",
            edits_plan=True,
        ),
        Transition(
            Action.REMOVE_MILESTONE, _contract(_C.ACTIVE), _milestone(_M.PLANNED), _M.CANCELLED, "milestone.removed",
            edits_plan=True,
        ),
        Transition(Action.IMPORT_MILESTONES, _contract(_C.ACTIVE), None, None, "milestone.added"),
        Transition(
            Action.FUND, _contract(_C.ACTIVE), _milestone(_M.PLANNED), _M.FUNDING, "deposit.started",
            needs_enabled_parties=True,
        ),
        Transition(
            Action.CANCEL_FUNDING, _contract(_C.ACTIVE), _milestone(_M.FUNDING), _M.PLANNED, "deposit.abandoned"
        ),
        Transition(
            Action.SUBMIT, _contract(_C.ACTIVE), _milestone(_M.ACTIVE, _M.CHANGES_REQUESTED), _M.SUBMITTED,
            "milestone.submitted",
        ),
        Transition(
            Action.APPROVE, _contract(_C.ACTIVE), _milestone(_M.ACTIVE, _M.SUBMITTED, _M.CHANGES_REQUESTED), _M.RELEASED,
            "milestone.released",
        ),
        Transition(
            Action.REQUEST_CHANGES, _contract(_C.ACTIVE), _milestone(_M.SUBMITTED), _M.CHANGES_REQUESTED,
            "milestone.changes_requested",
        ),
        Transition(Action.REQUEST_PAYOUT, None, None, None, "payout.started"),
    )
}  # fmt: skip
"""What parties may do, by action: the tables of sections 2 and 3 of the domain. The provider and the clock stand below."""


@dataclass(frozen=True, slots=True)
class Automatic:
    """A change that no party asks for: the provider reported it, a deadline passed, or a rule of the plan brought it about."""

    cause: str
    subject: str
    source: str
    to: str
    event: str


AUTOMATIC: Final = (
    Automatic("the provider confirms", "milestone", _M.FUNDING, _M.FUNDED, "milestone.funded"),
    Automatic("the provider fails the deposit", "milestone", _M.FUNDING, _M.PLANNED, "deposit.failed"),
    Automatic("the deposit window passed", "milestone", _M.FUNDING, _M.PLANNED, "deposit.abandoned"),
    Automatic("its turn came", "milestone", _M.FUNDED, _M.ACTIVE, "milestone.activated"),
    Automatic("the review window passed", "milestone", _M.SUBMITTED, _M.RELEASED, "milestone.released"),
    Automatic("the proposal was revised or died", "milestone", _M.PLANNED, _M.CANCELLED, "milestone.cancelled"),
    Automatic("the offer window passed", "contract", _C.PROPOSED, _C.EXPIRED, "contract.expired"),
    Automatic("every milestone is closed, one was paid", "contract", _C.ACTIVE, _C.COMPLETED, "contract.completed"),
)
