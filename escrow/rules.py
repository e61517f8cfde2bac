"""Lists the actions, a row for each: what it is done to, in which states, what it leads to, and who may take it. Data, not code.

The table is read by the rules (`escrow.agreement`), by the pipeline, by the GraphQL words (`schema.enums`), by the docs and by
the tests that walk every state × hold × action × role. What else a rule asks for stands in `escrow.agreement.permit`.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Final

from escrow.access import Role, Scope, Side
from escrow.ids import Kind
from escrow.states import (
    HELD,
    UNDECIDED,
    ChangeRequestState,
    ContractState,
    DisputeState,
    Hold,
    MilestoneState,
    OrderStanding,
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
    RESOLVE_ORDER = "RESOLVE_ORDER"
    POST_UPDATE = "POST_UPDATE"


class Subject(StrEnum):
    """What an action is done to."""

    CONTRACT = "CONTRACT"
    MILESTONE = "MILESTONE"
    DEPOSIT = "DEPOSIT"
    ORDER = "ORDER"
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"
    CHANGE_REQUEST = "CHANGE_REQUEST"


@dataclass(frozen=True, slots=True)
class Naming:
    """How a subject is named: by which field of a command, with an identifier of which kind, and by people."""

    field: str
    kind: Kind
    spoken: str


NAMINGS: Final = {
    Subject.CONTRACT: Naming("contract_id", Kind.CONTRACT, "contract"),
    Subject.MILESTONE: Naming("milestone_id", Kind.MILESTONE, "milestone"),
    Subject.DEPOSIT: Naming("deposit_id", Kind.DEPOSIT, "deposit"),
    Subject.ORDER: Naming("order_id", Kind.ORDER, "payment order"),
    Subject.REFUND: Naming("refund_id", Kind.REFUND_REQUEST, "refund request"),
    Subject.DISPUTE: Naming("dispute_id", Kind.DISPUTE, "dispute"),
    Subject.CHANGE_REQUEST: Naming("change_request_id", Kind.CHANGE_REQUEST, "change request"),
}
"""The ways from a command to its contract, in the order in which they are looked at."""


class Turn(StrEnum):
    """Whose turn it must be for an action. A proposal is answered by the side that did not write its latest revision, a
    claim and a change request by the side that did not make them; what is one's own one can take back."""

    OWN = "OWN"
    OTHERS = "OTHERS"


ObjectState = ChangeRequestState | RefundState | DisputeState | ReversalState | OrderStanding

_EITHER: Final = frozenset(Side)
_CLIENT: Final = frozenset({Side.CLIENT})
_FREELANCER: Final = frozenset({Side.FREELANCER})
_NEITHER: Final[frozenset[Side]] = frozenset()
_ACTIVE: Final = frozenset({ContractState.ACTIVE})


@dataclass(frozen=True, slots=True)
class Rule:
    """One action. What is left out is what most have: a manager of either side, on an active contract, with no hold."""

    action: Action
    noun: str
    """The file of its command, its decision and its mutation on each floor."""
    mutation: str
    """Its name in GraphQL."""
    purpose: str
    """What it is for, as GraphQL says."""
    event: str
    """The type of the event that tells of it."""
    _: KW_ONLY
    to: ContractState | MilestoneState | ObjectState | None = None
    subject: Subject = Subject.CONTRACT
    contract: frozenset[ContractState] | None = _ACTIVE
    """What the contract must be; `None` where every state will do."""
    milestone: frozenset[MilestoneState] | None = None
    """What the milestone must be that it is done to."""
    states: frozenset[ObjectState] | None = None
    """What the refund request, dispute, change request, reversal or order must be that it is done to."""
    turn: Turn | None = None
    holds: frozenset[Hold] = frozenset({Hold.NONE})
    """Under which holds of its milestone it may be taken as a whole; a part of the money moves without a hold only."""
    edits_plan: bool = False
    needs_enabled_parties: bool = False
    moves_money: bool = False
    """Whether it moves escrow money of its milestone at once: not while a reversal freezes it."""
    while_ending: bool = True
    """Whether it may be taken on a contract that its client is ending."""
    sides: frozenset[Side] = _EITHER
    role: Role = Role.MANAGER
    """The least role that a member must have."""
    scope: Scope = Scope.CONTRACTS_WRITE
    """What the key must have been made for: `MONEY_WRITE` for what moves money in its own write."""
    mediators: bool = False
    """Whether accounts that the operator appointed as mediators may take it."""
    operator: bool = False


_A = Action
_C = ContractState
_M = MilestoneState
_R = RefundState
_D = DisputeState
_CR = ChangeRequestState
_S = Subject
_PROPOSED: Final = frozenset({_C.PROPOSED})
_ON_THE_TABLE: Final = frozenset({_C.PROPOSED, _C.ACTIVE})
_PLANNED: Final = frozenset({_M.PLANNED})
_WORKED_ON: Final = HELD - {_M.FUNDED}
_ANY_HOLD: Final = frozenset(Hold)
_OPEN_REFUND: Final[frozenset[ObjectState]] = frozenset({_R.OPEN})
_UNDECIDED: Final[frozenset[ObjectState]] = frozenset(UNDECIDED)
_OPEN_CHANGE: Final[frozenset[ObjectState]] = frozenset({_CR.OPEN})
_ARGUED_ABOUT: Final[frozenset[ObjectState]] = frozenset({ReversalState.OPEN, ReversalState.FORFEITED})
_STUCK: Final[frozenset[ObjectState]] = frozenset({OrderStanding.STUCK})

RULES: Final[dict[Action, Rule]] = {
    rule.action: rule
    for rule in (
        Rule(_A.PROPOSE, "contracts", "proposeContract", "put the first revision of a contract on the table.",
             "contract.proposed", contract=None, to=_C.PROPOSED, needs_enabled_parties=True),
        Rule(_A.REVISE, "contracts", "reviseContract", "answer a proposal with a counter-offer.",
             "contract.revised", contract=_PROPOSED, to=_C.PROPOSED, turn=Turn.OWN, needs_enabled_parties=True),
        Rule(_A.ACCEPT, "contracts", "acceptContract", "agree to the revision that is on the table.",
             "contract.accepted", contract=_PROPOSED, to=_C.ACTIVE, turn=Turn.OWN, needs_enabled_parties=True),
        Rule(_A.DECLINE, "contracts", "declineContract", "turn a proposal down.",
             "contract.declined", contract=_PROPOSED, to=_C.DECLINED, turn=Turn.OWN),
        Rule(_A.WITHDRAW, "contracts", "withdrawContract", "take one's own proposal back.",
             "contract.withdrawn", contract=_PROPOSED, to=_C.WITHDRAWN, turn=Turn.OTHERS),

        Rule(_A.END, "endings", "endContract", "end a contract early.",
             "contract.end_requested", scope=Scope.MONEY_WRITE),
        Rule(_A.WITHDRAW_END, "endings", "withdrawEnd", "take an ending back.",
             "contract.end_withdrawn", sides=_CLIENT, scope=Scope.MONEY_WRITE),

        Rule(_A.ADD_MILESTONE, "milestones", "addMilestone", "add to the plan.",
             "milestone.added", while_ending=False, sides=_CLIENT),
        Rule(_A.EDIT_MILESTONE, "milestones", "editMilestone", "change a planned milestone.",
             "milestone.edited", subject=_S.MILESTONE, milestone=_PLANNED, to=_M.PLANNED, edits_plan=True, sides=_CLIENT),
        Rule(_A.MOVE_MILESTONE, "milestones", "moveMilestone", "give a planned milestone another place.",
             "milestone.moved", subject=_S.MILESTONE, milestone=_PLANNED, to=_M.PLANNED, edits_plan=True, sides=_CLIENT),
        Rule(_A.REMOVE_MILESTONE, "milestones", "removeMilestone", "take a planned milestone out of the plan.",
             "milestone.removed", subject=_S.MILESTONE, milestone=_PLANNED, to=_M.CANCELLED, edits_plan=True, sides=_CLIENT),
        Rule(_A.IMPORT_MILESTONES, "imports", "importMilestones",
             "add and change many planned milestones by their external ids.",
             "milestone.added", while_ending=False, sides=_CLIENT),

        Rule(_A.FILE_CHANGE_REQUEST, "change_requests", "fileChangeRequest",
             "ask the other side to accept changes of the plan.", "change_request.filed"),
        Rule(_A.ACCEPT_CHANGE_REQUEST, "change_requests", "acceptChangeRequest", "carry a change request out.",
             "change_request.accepted", subject=_S.CHANGE_REQUEST, states=_OPEN_CHANGE, to=_CR.ACCEPTED, turn=Turn.OTHERS),
        Rule(_A.DECLINE_CHANGE_REQUEST, "change_requests", "declineChangeRequest", "leave the plan as it is.",
             "change_request.declined", subject=_S.CHANGE_REQUEST, states=_OPEN_CHANGE, to=_CR.DECLINED, turn=Turn.OTHERS),
        Rule(_A.WITHDRAW_CHANGE_REQUEST, "change_requests", "withdrawChangeRequest", "take one's own change request back.",
             "change_request.withdrawn", subject=_S.CHANGE_REQUEST, states=_OPEN_CHANGE, to=_CR.WITHDRAWN, turn=Turn.OWN),

        Rule(_A.FUND, "deposits", "fundMilestone", "start the deposit for a milestone.",
             "deposit.started", subject=_S.MILESTONE, contract=_ON_THE_TABLE, milestone=_PLANNED, to=_M.FUNDING,
             needs_enabled_parties=True, while_ending=False, sides=_CLIENT, scope=Scope.MONEY_WRITE),
        Rule(_A.FUND_CONTRACT, "deposits", "fundContract", "start one deposit for all planned milestones.",
             "deposit.started", contract=_ON_THE_TABLE, needs_enabled_parties=True, while_ending=False,
             sides=_CLIENT, scope=Scope.MONEY_WRITE),
        Rule(_A.CANCEL_FUNDING, "deposits", "cancelFunding", "abandon a deposit that was not confirmed.",
             "deposit.abandoned", subject=_S.MILESTONE, contract=_ON_THE_TABLE, milestone=frozenset({_M.FUNDING}),
             to=_M.PLANNED, sides=_CLIENT, scope=Scope.MONEY_WRITE),

        Rule(_A.SUBMIT, "work", "submitMilestone", "hand in the work.",
             "milestone.submitted", subject=_S.MILESTONE, milestone=frozenset({_M.ACTIVE, _M.CHANGES_REQUESTED}),
             to=_M.SUBMITTED, sides=_FREELANCER, role=Role.MEMBER),
        Rule(_A.APPROVE, "work", "approveMilestone", "release the money.",
             "milestone.released", subject=_S.MILESTONE, milestone=_WORKED_ON, to=_M.RELEASED, holds=_ANY_HOLD,
             moves_money=True, sides=_CLIENT, scope=Scope.MONEY_WRITE),
        Rule(_A.REQUEST_CHANGES, "work", "requestChanges", "send submitted work back with a note.",
             "milestone.changes_requested", subject=_S.MILESTONE, milestone=frozenset({_M.SUBMITTED}),
             to=_M.CHANGES_REQUESTED, sides=_CLIENT),

        Rule(_A.REQUEST_REFUND, "refunds", "requestRefund", "ask for what a milestone holds.",
             "refund.requested", subject=_S.MILESTONE, milestone=HELD, sides=_CLIENT),
        Rule(_A.WITHDRAW_REFUND, "refunds", "withdrawRefund", "take a refund request back.",
             "refund.request_withdrawn", subject=_S.REFUND, states=_OPEN_REFUND, to=_R.WITHDRAWN, sides=_CLIENT),
        Rule(_A.ACCEPT_REFUND, "refunds", "acceptRefund", "give back what a refund request asks for.",
             "refund.accepted", subject=_S.REFUND, states=_OPEN_REFUND, to=_R.ACCEPTED, moves_money=True,
             sides=_FREELANCER, scope=Scope.MONEY_WRITE),
        Rule(_A.DECLINE_REFUND, "refunds", "declineRefund", "answer a refund request with a dispute.",
             "refund.declined", subject=_S.REFUND, states=_OPEN_REFUND, to=_R.DECLINED, sides=_FREELANCER),
        Rule(_A.GIVE_REFUND, "refunds", "giveRefund", "give back what a milestone holds, unasked.",
             "milestone.refunded", subject=_S.MILESTONE, milestone=HELD, to=_M.REFUNDED, holds=_ANY_HOLD,
             moves_money=True, sides=_FREELANCER, scope=Scope.MONEY_WRITE),

        Rule(_A.OPEN_DISPUTE, "disputes", "openDispute", "claim how what a milestone holds should be split.",
             "dispute.opened", subject=_S.MILESTONE, milestone=HELD),
        Rule(_A.ADD_EVIDENCE, "disputes", "addEvidence", "bring something forward in a dispute.",
             "dispute.evidence_added", subject=_S.DISPUTE, states=_UNDECIDED, role=Role.MEMBER),
        Rule(_A.ACCEPT_CLAIM, "disputes", "acceptClaim", "carry the other side's claim out.",
             "dispute.claim_accepted", subject=_S.DISPUTE, states=_UNDECIDED, to=_D.RESOLVED, turn=Turn.OTHERS,
             moves_money=True, scope=Scope.MONEY_WRITE),
        Rule(_A.REJECT_CLAIM, "disputes", "rejectClaim", "send the dispute to mediation.",
             "dispute.rejected", subject=_S.DISPUTE, states=frozenset({_D.OPEN}), to=_D.MEDIATION, turn=Turn.OTHERS),
        Rule(_A.OFFER_SETTLEMENT, "disputes", "offerSettlement", "offer the other side a split.",
             "dispute.settlement_offered", subject=_S.DISPUTE, states=_UNDECIDED),
        Rule(_A.WITHDRAW_SETTLEMENT, "disputes", "withdrawSettlement", "take one's own offer back.",
             "dispute.settlement_withdrawn", subject=_S.DISPUTE, states=_UNDECIDED),
        Rule(_A.ACCEPT_SETTLEMENT, "disputes", "acceptSettlement", "accept the other side's offer.",
             "dispute.resolved", subject=_S.DISPUTE, states=_UNDECIDED, to=_D.RESOLVED, moves_money=True,
             scope=Scope.MONEY_WRITE),
        Rule(_A.WITHDRAW_DISPUTE, "disputes", "withdrawDispute", "take a dispute back.",
             "dispute.withdrawn", subject=_S.DISPUTE, states=_UNDECIDED, to=_D.WITHDRAWN),
        Rule(_A.DECIDE_DISPUTE, "disputes", "decideDispute",
             "split what a milestone holds, as a mediator or the operator.",
             "dispute.resolved", subject=_S.DISPUTE, states=frozenset({_D.MEDIATION}), to=_D.RESOLVED, moves_money=True,
             sides=_NEITHER, scope=Scope.DISPUTES_DECIDE, mediators=True, operator=True),

        Rule(_A.RESOLVE_REVERSAL, "reversals", "resolveReversal",
             "say how the argument about a reversed deposit ended, as the operator.",
             "deposit.reversal_resolved", subject=_S.DEPOSIT, contract=None, states=_ARGUED_ABOUT,
             sides=_NEITHER, scope=Scope.OPERATOR, operator=True),

        Rule(_A.RESOLVE_ORDER, "orders", "resolveOrder",
             "say what became of a refund or a payout that waits for a person, as the operator.",
             "order.resolved", subject=_S.ORDER, contract=None, states=_STUCK, to=OrderStanding.CLEAR,
             sides=_NEITHER, scope=Scope.OPERATOR, operator=True),

        Rule(_A.POST_UPDATE, "updates", "postUpdate", "say how it goes.",
             "update.posted", contract=_ON_THE_TABLE, role=Role.MEMBER),

        Rule(_A.REQUEST_PAYOUT, "payouts", "requestPayout", "have what is payable to the freelancer paid out.",
             "payout.started", contract=None, sides=_FREELANCER, role=Role.OWNER, scope=Scope.MONEY_WRITE),
        Rule(_A.SET_PAYOUTS, "payouts", "setPayouts",
             "be paid out by itself whenever something becomes payable, or only when asked.",
             "payouts.changed", contract=None, sides=_FREELANCER, role=Role.OWNER, scope=Scope.MONEY_WRITE),
    )
}  # fmt: skip
"""What parties, mediators and the operator may do, by action, in the order in which `allowedActions` lists it: docs/law.md,
section 1, section 2, section 3 and section 5. What differs by side, by what is asked for or by the object's own history stands
in `escrow.agreement.permit`; the provider and the clock stand below."""


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
        Automatic("a dispute was resolved", "milestone", state, to, f"milestone.{to.lower()}")
        for to in (_M.RELEASED, _M.REFUNDED, _M.SETTLED)
        for state in sorted(HELD)
    ),
    Automatic("the proposal was revised or died", "milestone", _M.FUNDED, _M.REFUNDED, "milestone.refunded"),
    Automatic("a reversal was lost on a proposal", "milestone", _M.FUNDED, _M.PLANNED, "milestone.unfunded"),
    *(
        Automatic("it may be held no longer, nobody was asked", "milestone", state, to, f"milestone.{word}")
        for to, word in ((_M.PLANNED, "unfunded"), (_M.REFUNDED, "refunded"))
        for state in (_M.FUNDED, _M.ACTIVE)
    ),
    Automatic("the proposal was revised or died", "milestone", _M.PLANNED, _M.CANCELLED, "milestone.cancelled"),
    Automatic("the contract ended", "milestone", _M.PLANNED, _M.CANCELLED, "milestone.cancelled"),
    Automatic("the offer window passed", "contract", _C.PROPOSED, _C.EXPIRED, "contract.expired"),
    Automatic("every milestone is closed, one was paid", "contract", _C.ACTIVE, _C.COMPLETED, "contract.completed"),
    Automatic("it is being ended and holds nothing", "contract", _C.ACTIVE, _C.ENDED, "contract.ended"),
    Automatic("nobody answered in time", "refund request", _R.OPEN, _R.UNANSWERED, "milestone.refunded"),
    Automatic("its money went otherwise", "refund request", _R.OPEN, _R.OVERTAKEN, "milestone.released"),
    Automatic("it may be held no longer", "refund request", _R.OPEN, _R.OVERTAKEN, "dispute.opened"),
    Automatic(
        "the ending that made it is withdrawn", "refund request", _R.OPEN, _R.WITHDRAWN, "refund.request_withdrawn"
    ),
    Automatic("silence carries the claim out", "dispute", _D.OPEN, _D.RESOLVED, "dispute.resolved"),
    Automatic("silence leads to mediation", "dispute", _D.OPEN, _D.MEDIATION, "dispute.mediation_started"),
    Automatic("it may be held no longer", "dispute", _D.OPEN, _D.MEDIATION, "dispute.mediation_started"),
    *(
        Automatic("its money went otherwise", "dispute", state, _D.RESOLVED, "dispute.resolved")
        for state in sorted(UNDECIDED)
    ),
    Automatic("it no longer fits", "change request", _CR.OPEN, _CR.STALE, "change_request.stale"),
)
