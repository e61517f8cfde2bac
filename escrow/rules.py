"""The states of contracts and milestones, and the table of what leads from one to the next. Data, not code.

The table is read by the rules (`escrow.agreement`), by the docs and by the tests that walk every state × hold × action × role.
Who may act stands in `escrow.access`; what else a rule asks for stands in `escrow.agreement.permit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from escrow.states import (
    HELD,
    UNDECIDED,
    ChangeRequestState,
    ContractState,
    DisputeState,
    Hold,
    MilestoneState,
    RefundState,
    ReversalState,
)


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
    SET_PAYOUTS = "SET_PAYOUTS"
    END = "END"
    WITHDRAW_END = "WITHDRAW_END"
    FUND_CONTRACT = "FUND_CONTRACT"
    FILE_CHANGE_REQUEST = "FILE_CHANGE_REQUEST"
    ACCEPT_CHANGE_REQUEST = "ACCEPT_CHANGE_REQUEST"
    DECLINE_CHANGE_REQUEST = "DECLINE_CHANGE_REQUEST"
    WITHDRAW_CHANGE_REQUEST = "WITHDRAW_CHANGE_REQUEST"
    REQUEST_REFUND = "REQUEST_REFUND"
    WITHDRAW_REFUND = "WITHDRAW_REFUND"
    ACCEPT_REFUND = "ACCEPT_REFUND"
    DECLINE_REFUND = "DECLINE_REFUND"
    GIVE_REFUND = "GIVE_REFUND"
    OPEN_DISPUTE = "OPEN_DISPUTE"
    ADD_EVIDENCE = "ADD_EVIDENCE"
    ACCEPT_CLAIM = "ACCEPT_CLAIM"
    REJECT_CLAIM = "REJECT_CLAIM"
    OFFER_SETTLEMENT = "OFFER_SETTLEMENT"
    WITHDRAW_SETTLEMENT = "WITHDRAW_SETTLEMENT"
    ACCEPT_SETTLEMENT = "ACCEPT_SETTLEMENT"
    WITHDRAW_DISPUTE = "WITHDRAW_DISPUTE"
    DECIDE_DISPUTE = "DECIDE_DISPUTE"
    RESOLVE_REVERSAL = "RESOLVE_REVERSAL"
    POST_UPDATE = "POST_UPDATE"


class Subject(StrEnum):
    """What an action is done to, and which identifier names it."""

    CONTRACT = "CONTRACT"
    MILESTONE = "MILESTONE"
    DEPOSIT = "DEPOSIT"
    CHANGE_REQUEST = "CHANGE_REQUEST"
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"


class Turn(StrEnum):
    """Whose turn it must be for an action. A proposal is answered by the side that did not write its latest revision, a
    claim and a change request by the side that did not make them; what is one's own one can take back."""

    OWN = "OWN"
    OTHERS = "OTHERS"


ObjectState = ChangeRequestState | RefundState | DisputeState | ReversalState


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: the action, the states of contract and object that it needs, where it leads, and the event that says so.

    `contract` is `None` where every state of the contract will do; `milestone` is `None` for actions that are not on a
    milestone, `states` for those that are on one or on the contract.
    """

    action: Action
    contract: frozenset[ContractState] | None
    milestone: frozenset[MilestoneState] | None
    to: ContractState | MilestoneState | ObjectState | None
    event: str
    turn: Turn | None = None
    edits_plan: bool = False
    needs_enabled_parties: bool = False
    subject: Subject = Subject.CONTRACT
    states: frozenset[ObjectState] | None = None
    """What a refund request, a dispute, a change request or a reversal must be."""
    holds: frozenset[Hold] = frozenset({Hold.NONE})
    """Under which holds of its milestone the action may be taken as a whole; a part of the money moves without a hold only."""
    moves_money: bool = False
    """Whether it moves escrow money of its milestone at once: not while a reversal freezes it."""
    while_ending: bool = True
    """Whether it may be taken on a contract that its client is ending."""


def _contract(*states: ContractState) -> frozenset[ContractState]:
    return frozenset(states)


def _on_contract(
    action: Action, contract: frozenset[ContractState] | None, to: ContractState | None, event: str, turn: Turn | None = None,
    *, needs_enabled_parties: bool = False, while_ending: bool = True,
) -> Transition:  # fmt: skip
    return Transition(
        action, contract, None, to, event, turn, needs_enabled_parties=needs_enabled_parties, while_ending=while_ending
    )


def _on_milestone(
    action: Action, milestone: frozenset[MilestoneState], to: MilestoneState | None, event: str,
    *, contract: frozenset[ContractState] | None = frozenset({ContractState.ACTIVE}), edits_plan: bool = False,
    needs_enabled_parties: bool = False, moves_money: bool = False, while_ending: bool = True,
    holds: frozenset[Hold] = frozenset({Hold.NONE}),
) -> Transition:  # fmt: skip
    return Transition(
        action, contract, milestone, to, event, None, edits_plan, needs_enabled_parties, Subject.MILESTONE, None, holds,
        moves_money, while_ending,
    )  # fmt: skip


def _on(
    subject: Subject, action: Action, states: frozenset[ObjectState], to: ObjectState | None, event: str,
    turn: Turn | None = None, *, contract: frozenset[ContractState] | None = frozenset({ContractState.ACTIVE}),
    moves_money: bool = False,
) -> Transition:  # fmt: skip
    return Transition(action, contract, None, to, event, turn, subject=subject, states=states, moves_money=moves_money)


_A = Action
_C = ContractState
_M = MilestoneState
_R = RefundState
_D = DisputeState
_CR = ChangeRequestState
_PROPOSED = _contract(_C.PROPOSED)
_ACTIVE = _contract(_C.ACTIVE)
_EITHER = _contract(_C.PROPOSED, _C.ACTIVE)
_PLANNED = frozenset({_M.PLANNED})
_WORKED_ON = HELD - {_M.FUNDED}
_ANY_HOLD = frozenset(Hold)
_OPEN_CHANGE: frozenset[ObjectState] = frozenset({ChangeRequestState.OPEN})
_OPEN_REFUND: frozenset[ObjectState] = frozenset({RefundState.OPEN})
_UNDECIDED: frozenset[ObjectState] = frozenset(UNDECIDED)

TRANSITIONS: Final[dict[Action, Transition]] = {
    row.action: row
    for row in (
        _on_contract(_A.PROPOSE, None, _C.PROPOSED, "contract.proposed", needs_enabled_parties=True),
        _on_contract(_A.REVISE, _PROPOSED, _C.PROPOSED, "contract.revised", Turn.OWN, needs_enabled_parties=True),
        _on_contract(_A.ACCEPT, _PROPOSED, _C.ACTIVE, "contract.accepted", Turn.OWN, needs_enabled_parties=True),
        _on_contract(_A.DECLINE, _PROPOSED, _C.DECLINED, "contract.declined", Turn.OWN),
        _on_contract(_A.WITHDRAW, _PROPOSED, _C.WITHDRAWN, "contract.withdrawn", Turn.OTHERS),
        _on_contract(_A.END, _ACTIVE, None, "contract.end_requested"),
        _on_contract(_A.WITHDRAW_END, _ACTIVE, None, "contract.end_withdrawn"),
        _on_contract(_A.ADD_MILESTONE, _ACTIVE, None, "milestone.added", while_ending=False),
        _on_milestone(_A.EDIT_MILESTONE, _PLANNED, _M.PLANNED, "milestone.edited", edits_plan=True),
        _on_milestone(_A.MOVE_MILESTONE, _PLANNED, _M.PLANNED, "milestone.moved", edits_plan=True),
        _on_milestone(_A.REMOVE_MILESTONE, _PLANNED, _M.CANCELLED, "milestone.removed", edits_plan=True),
        _on_contract(_A.IMPORT_MILESTONES, _ACTIVE, None, "milestone.added", while_ending=False),
        _on_contract(_A.FILE_CHANGE_REQUEST, _ACTIVE, None, "change_request.filed"),
        _on(
            Subject.CHANGE_REQUEST, _A.ACCEPT_CHANGE_REQUEST, _OPEN_CHANGE, ChangeRequestState.ACCEPTED,
            "change_request.accepted", Turn.OTHERS,
        ),
        _on(
            Subject.CHANGE_REQUEST, _A.DECLINE_CHANGE_REQUEST, _OPEN_CHANGE, ChangeRequestState.DECLINED,
            "change_request.declined", Turn.OTHERS,
        ),
        _on(
            Subject.CHANGE_REQUEST, _A.WITHDRAW_CHANGE_REQUEST, _OPEN_CHANGE, ChangeRequestState.WITHDRAWN,
            "change_request.withdrawn", Turn.OWN,
        ),
        _on_milestone(
            _A.FUND, _PLANNED, _M.FUNDING, "deposit.started", contract=_EITHER, needs_enabled_parties=True,
            while_ending=False,
        ),
        _on_contract(
            _A.FUND_CONTRACT, _EITHER, None, "deposit.started", needs_enabled_parties=True, while_ending=False
        ),
        _on_milestone(
            _A.CANCEL_FUNDING, frozenset({_M.FUNDING}), _M.PLANNED, "deposit.abandoned", contract=_EITHER
        ),
        _on_milestone(
            _A.SUBMIT, frozenset({_M.ACTIVE, _M.CHANGES_REQUESTED}), _M.SUBMITTED, "milestone.submitted"
        ),
        _on_milestone(
            _A.APPROVE, _WORKED_ON, _M.RELEASED, "milestone.released", holds=_ANY_HOLD, moves_money=True
        ),
        _on_milestone(
            _A.REQUEST_CHANGES, frozenset({_M.SUBMITTED}), _M.CHANGES_REQUESTED, "milestone.changes_requested"
        ),
        _on_milestone(_A.REQUEST_REFUND, HELD, None, "refund.requested"),
        _on(Subject.REFUND, _A.WITHDRAW_REFUND, _OPEN_REFUND, RefundState.WITHDRAWN, "refund.request_withdrawn"),
        _on(Subject.REFUND, _A.ACCEPT_REFUND, _OPEN_REFUND, RefundState.ACCEPTED, "refund.accepted", moves_money=True),
        _on(Subject.REFUND, _A.DECLINE_REFUND, _OPEN_REFUND, RefundState.DECLINED, "refund.declined"),
        _on_milestone(_A.GIVE_REFUND, HELD, _M.REFUNDED, "milestone.refunded", holds=_ANY_HOLD, moves_money=True),
        _on_milestone(_A.OPEN_DISPUTE, HELD, None, "dispute.opened"),
        _on(Subject.DISPUTE, _A.ADD_EVIDENCE, _UNDECIDED, None, "dispute.evidence_added"),
        _on(
            Subject.DISPUTE, _A.ACCEPT_CLAIM, _UNDECIDED, DisputeState.RESOLVED, "dispute.claim_accepted", Turn.OTHERS,
            moves_money=True,
        ),
        _on(
            Subject.DISPUTE, _A.REJECT_CLAIM, frozenset({DisputeState.OPEN}), DisputeState.MEDIATION,
            "dispute.rejected", Turn.OTHERS,
        ),
        _on(Subject.DISPUTE, _A.OFFER_SETTLEMENT, _UNDECIDED, None, "dispute.settlement_offered"),
        _on(Subject.DISPUTE, _A.WITHDRAW_SETTLEMENT, _UNDECIDED, None, "dispute.settlement_withdrawn"),
        _on(
            Subject.DISPUTE, _A.ACCEPT_SETTLEMENT, _UNDECIDED, DisputeState.RESOLVED, "dispute.resolved",
            moves_money=True,
        ),
        _on(Subject.DISPUTE, _A.WITHDRAW_DISPUTE, _UNDECIDED, DisputeState.WITHDRAWN, "dispute.withdrawn"),
        _on(
            Subject.DISPUTE, _A.DECIDE_DISPUTE, frozenset({DisputeState.MEDIATION}), DisputeState.RESOLVED,
            "dispute.resolved", moves_money=True,
        ),
        _on(
            Subject.DEPOSIT, _A.RESOLVE_REVERSAL, frozenset({ReversalState.OPEN, ReversalState.FORFEITED}), None,
            "deposit.reversal_resolved", contract=None,
        ),
        _on_contract(_A.POST_UPDATE, _EITHER, None, "update.posted"),
        _on_contract(_A.REQUEST_PAYOUT, None, None, "payout.started"),
        _on_contract(_A.SET_PAYOUTS, None, None, "payouts.changed"),
    )
}  # fmt: skip
"""What parties, mediators and the operator may do, by action: the tables of sections 2, 3 and 5 of the domain. What differs
by side, by what is asked for or by the object's own history stands in `escrow.agreement.permit`; the provider and the clock
stand below."""


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
    *(
        Automatic(
            "a refund request was accepted or not answered", "milestone", state, _M.REFUNDED, "milestone.refunded"
        )
        for state in sorted(HELD)
    ),
    *(
        Automatic("a dispute was resolved", "milestone", state, _M.RELEASED, "milestone.released")
        for state in sorted(HELD)
    ),
    *(
        Automatic("a dispute was resolved", "milestone", state, _M.REFUNDED, "milestone.refunded")
        for state in sorted(HELD)
    ),
    *(
        Automatic("a dispute was resolved", "milestone", state, _M.SETTLED, "milestone.settled")
        for state in sorted(HELD)
    ),
    Automatic("the proposal was revised or died", "milestone", _M.FUNDED, _M.REFUNDED, "milestone.refunded"),
    Automatic("a reversal was lost on a proposal", "milestone", _M.FUNDED, _M.PLANNED, "milestone.refunded"),
    Automatic("the proposal was revised or died", "milestone", _M.PLANNED, _M.CANCELLED, "milestone.cancelled"),
    Automatic("the contract ended", "milestone", _M.PLANNED, _M.CANCELLED, "milestone.cancelled"),
    Automatic("the offer window passed", "contract", _C.PROPOSED, _C.EXPIRED, "contract.expired"),
    Automatic("every milestone is closed, one was paid", "contract", _C.ACTIVE, _C.COMPLETED, "contract.completed"),
    Automatic("it is being ended and holds nothing", "contract", _C.ACTIVE, _C.ENDED, "contract.ended"),
    Automatic("nobody answered in time", "refund request", _R.OPEN, _R.UNANSWERED, "milestone.refunded"),
    Automatic("its money went otherwise", "refund request", _R.OPEN, _R.OVERTAKEN, "milestone.released"),
    Automatic(
        "the ending that made it is withdrawn", "refund request", _R.OPEN, _R.WITHDRAWN, "refund.request_withdrawn"
    ),
    Automatic("silence carries the claim out", "dispute", _D.OPEN, _D.RESOLVED, "dispute.resolved"),
    Automatic("silence leads to mediation", "dispute", _D.OPEN, _D.MEDIATION, "dispute.mediation_started"),
    *(
        Automatic("its money went otherwise", "dispute", state, _D.RESOLVED, "dispute.resolved")
        for state in sorted(UNDECIDED)
    ),
    Automatic("it no longer fits", "change request", _CR.OPEN, _CR.STALE, "change_request.stale"),
)
