"""The law of who may do what where, written down once more by hand; every cell of the table, staged; and a command for each.

Data and staging for `test_table.py`, which judges.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from escrow.access import CLOCK, PROVIDER, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.state import Ending
from escrow.ids import Kind
from escrow.rules import Action
from escrow.states import ContractState, Hold, MilestoneState, OrderOutcome, ReversalOutcome
from tests.escrow.agreement.stage import (
    CLIENT,
    CLIENT_ID,
    EVERY_SCOPE,
    FREELANCER,
    FREELANCER_ID,
    MEDIATOR,
    OPERATOR,
    STRANGER,
    Story,
    account,
    active,
)

WRITE, MONEY = Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE
BOTH = "CLIENT FREELANCER"
NEITHER = ""
HELD = "FUNDED ACTIVE SUBMITTED CHANGES_REQUESTED"
WORKED_ON = "ACTIVE SUBMITTED CHANGES_REQUESTED"


@dataclass(frozen=True)
class Law:
    """One action: whose it is, from which role, with which scope, in which states (none: in all); by whom else; on which
    holds a milestone's action works, or in which states of its own object."""

    sides: str
    role: Role
    scope: Scope
    contract: str = ""
    milestone: str = ""
    holds: str = "NONE"
    refund: bool = False
    dispute: str = ""
    change_request: bool = False
    others: str = ""


MANAGER, MEMBER, OWNER = Role.MANAGER, Role.MEMBER, Role.OWNER
LAW: Final = {
    Action.REVISE: Law(BOTH, MANAGER, WRITE, "PROPOSED"),
    Action.ACCEPT: Law(BOTH, MANAGER, WRITE, "PROPOSED"),
    Action.DECLINE: Law(BOTH, MANAGER, WRITE, "PROPOSED"),
    Action.WITHDRAW: Law(BOTH, MANAGER, WRITE, "PROPOSED"),
    Action.END: Law(BOTH, MANAGER, MONEY, "ACTIVE"),
    Action.WITHDRAW_END: Law("CLIENT", MANAGER, MONEY, "ACTIVE"),
    Action.ADD_MILESTONE: Law("CLIENT", MANAGER, WRITE, "ACTIVE"),
    Action.EDIT_MILESTONE: Law("CLIENT", MANAGER, WRITE, "ACTIVE", "PLANNED"),
    Action.MOVE_MILESTONE: Law("CLIENT", MANAGER, WRITE, "ACTIVE", "PLANNED"),
    Action.REMOVE_MILESTONE: Law("CLIENT", MANAGER, WRITE, "ACTIVE", "PLANNED"),
    Action.IMPORT_MILESTONES: Law("CLIENT", MANAGER, WRITE, "ACTIVE"),
    Action.FILE_CHANGE_REQUEST: Law(BOTH, MANAGER, WRITE, "ACTIVE"),
    Action.ACCEPT_CHANGE_REQUEST: Law(BOTH, MANAGER, WRITE, "ACTIVE", change_request=True),
    Action.DECLINE_CHANGE_REQUEST: Law(BOTH, MANAGER, WRITE, "ACTIVE", change_request=True),
    Action.WITHDRAW_CHANGE_REQUEST: Law(BOTH, MANAGER, WRITE, "ACTIVE", change_request=True),
    Action.FUND: Law("CLIENT", MANAGER, MONEY, "PROPOSED ACTIVE", "PLANNED"),
    Action.FUND_CONTRACT: Law("CLIENT", MANAGER, MONEY, "PROPOSED ACTIVE"),
    Action.CANCEL_FUNDING: Law("CLIENT", MANAGER, MONEY, "PROPOSED ACTIVE", "FUNDING"),
    Action.SUBMIT: Law("FREELANCER", MEMBER, WRITE, "ACTIVE", "ACTIVE CHANGES_REQUESTED"),
    Action.APPROVE: Law("CLIENT", MANAGER, MONEY, "ACTIVE", WORKED_ON, "NONE REFUND_REQUEST DISPUTE"),
    Action.REQUEST_CHANGES: Law("CLIENT", MANAGER, WRITE, "ACTIVE", "SUBMITTED"),
    Action.REQUEST_REFUND: Law("CLIENT", MANAGER, WRITE, "ACTIVE", HELD),
    Action.WITHDRAW_REFUND: Law("CLIENT", MANAGER, WRITE, "ACTIVE", refund=True),
    Action.ACCEPT_REFUND: Law("FREELANCER", MANAGER, MONEY, "ACTIVE", refund=True),
    Action.DECLINE_REFUND: Law("FREELANCER", MANAGER, WRITE, "ACTIVE", refund=True),
    Action.GIVE_REFUND: Law("FREELANCER", MANAGER, MONEY, "ACTIVE", HELD, "NONE REFUND_REQUEST DISPUTE"),
    Action.OPEN_DISPUTE: Law(BOTH, MANAGER, WRITE, "ACTIVE", HELD),
    Action.ADD_EVIDENCE: Law(BOTH, MEMBER, WRITE, "ACTIVE", dispute="OPEN MEDIATION"),
    Action.ACCEPT_CLAIM: Law(BOTH, MANAGER, MONEY, "ACTIVE", dispute="OPEN MEDIATION"),
    Action.REJECT_CLAIM: Law(BOTH, MANAGER, WRITE, "ACTIVE", dispute="OPEN"),
    Action.OFFER_SETTLEMENT: Law(BOTH, MANAGER, WRITE, "ACTIVE", dispute="OPEN MEDIATION"),
    Action.WITHDRAW_SETTLEMENT: Law(BOTH, MANAGER, WRITE, "ACTIVE", dispute="OPEN MEDIATION"),
    Action.ACCEPT_SETTLEMENT: Law(BOTH, MANAGER, MONEY, "ACTIVE", dispute="OPEN MEDIATION"),
    Action.WITHDRAW_DISPUTE: Law(BOTH, MANAGER, WRITE, "ACTIVE", dispute="OPEN MEDIATION"),
    Action.DECIDE_DISPUTE: Law(
        NEITHER, MANAGER, Scope.DISPUTES_DECIDE, "ACTIVE", dispute="MEDIATION", others="mediator operator"
    ),
    Action.RESOLVE_REVERSAL: Law(NEITHER, MANAGER, Scope.OPERATOR, others="operator"),
    Action.RESOLVE_ORDER: Law(NEITHER, MANAGER, Scope.OPERATOR, others="operator"),
    Action.POST_UPDATE: Law(BOTH, MEMBER, WRITE, "PROPOSED ACTIVE"),
    Action.REQUEST_PAYOUT: Law("FREELANCER", OWNER, MONEY),
    Action.SET_PAYOUTS: Law("FREELANCER", OWNER, MONEY),
}
PLAN_EDITS = (Action.EDIT_MILESTONE, Action.MOVE_MILESTONE, Action.REMOVE_MILESTONE)
OTHERS_TURN = (Action.WITHDRAW,)
OWN_TURN = (Action.REVISE, Action.ACCEPT, Action.DECLINE)
NOT_WHILE_ENDING = (Action.FUND, Action.FUND_CONTRACT, Action.ADD_MILESTONE, Action.IMPORT_MILESTONES)
AUTHORS = (Action.WITHDRAW_CHANGE_REQUEST,)
ANSWERERS = (
    Action.ACCEPT_CHANGE_REQUEST,
    Action.DECLINE_CHANGE_REQUEST,
    Action.ACCEPT_CLAIM,
    Action.REJECT_CLAIM,
)

SCOPES = (EVERY_SCOPE, EVERY_SCOPE - {WRITE}, EVERY_SCOPE - {MONEY})
PARTIES: Final = [
    (side, account(CLIENT_ID if side is Side.CLIENT else FREELANCER_ID, role=role, scopes=scopes))
    for side, role, scopes in itertools.product(Side, Role, SCOPES)
]
OWNERS: Final = [(Side.CLIENT, CLIENT), (Side.FREELANCER, FREELANCER)]
OUTSIDERS: Final = {
    "stranger": STRANGER, "mediator": MEDIATOR, "operator": OPERATOR, "provider": PROVIDER, "clock": CLOCK
}  # fmt: skip

DISPUTES: Final = {
    "REFUND_REQUEST": (),
    "CLIENT": ("OPEN", Side.CLIENT),
    "FREELANCER": ("OPEN", Side.FREELANCER),
    "MEDIATION": ("MEDIATION", Side.CLIENT),
    "DECLINED": ("MEDIATION", Side.FREELANCER),
}
"""What may hold a milestone: a refund request, or a dispute by its state and its opener."""


@dataclass(frozen=True)
class Cell:
    """What a command meets: the contract's state, a milestone's, what holds it, and whether the contract is being ended."""

    contract: ContractState
    milestone: MilestoneState
    hold: str = ""
    ending: bool = False

    @property
    def kind_of_hold(self) -> str:
        return self.hold if self.hold in ("", "REFUND_REQUEST") else "DISPUTE"


def cells(contract: ContractState) -> Iterator[Cell]:
    for milestone in MilestoneState:
        holds = ("", *DISPUTES) if milestone in HELD.split() else ("",)
        for hold in holds:
            yield Cell(contract, milestone, hold)
            if contract is ContractState.ACTIVE:
                yield Cell(contract, milestone, hold, ending=True)


@cache
def story_with(cell: Cell) -> tuple[Story, int]:
    """A contract as the cell says, and the position of the milestone in question.

    The first milestone was paid, so that something is payable, after a refund request and a dispute that were taken back; the
    freelancer wrote the revision and filed a change request; the last milestone is funded all the time. States that no history
    reaches together are set by hand: the rules must not rely on their absence.
    """
    story = active("100.00", "50.00", "25.00", "10.00", "5.00").pay().request_refund().withdraw_refund()
    story.open_dispute(claim="1.00", by=FREELANCER).withdraw_dispute(by=FREELANCER).approve()
    if cell.milestone in _LEADS_TO:
        _LEADS_TO[cell.milestone](story)
    position = 3 if cell.milestone is MilestoneState.FUNDED else 2
    if cell.hold:
        _HELD_BY[cell.hold](story, position)
    if cell.hold in ("CLIENT", "FREELANCER", "MEDIATION", "DECLINED"):
        story.offer("1.00", position, by=CLIENT).offer("1.00", position, by=FREELANCER)
    amend = c.AmendChange(milestone_id=story.milestone(position).id, deliverables=("Another",))
    edit = c.EditChange(milestone_id=story.milestone(4).id, title="Another")
    change = amend if cell.milestone in HELD.split() else edit
    story.do(
        c.FileChangeRequest(
            contract_id=story.id,
            change_request_id=story.fresh(Kind.CHANGE_REQUEST),
            changes=(change,),
            message="Please",
        ),
        FREELANCER,
    )
    assert story.code() is None
    if cell.milestone in (MilestoneState.REFUNDED, MilestoneState.SETTLED):
        set_by_hand(story, position, state=cell.milestone)
    hold = Hold.REFUND_REQUEST if cell.ending else Hold.NONE
    set_by_hand(story, 5, state=MilestoneState.FUNDED, hold=hold)
    assert story.milestone(position).state is cell.milestone
    assert story.milestone(position).hold.value == (cell.kind_of_hold or "NONE")
    ending = Ending(Side.CLIENT, story.now) if cell.ending else None
    story.contract = replace(story.state, state=cell.contract, ending=ending)
    return story, position


def set_by_hand(story: Story, position: int, **changes: Any) -> None:
    milestones = list(story.state.milestones)
    milestones[position - 1] = replace(milestones[position - 1], **changes)
    story.contract = replace(story.state, milestones=tuple(milestones))


_LEADS_TO: dict[MilestoneState, Callable[[Story], Story]] = {
    MilestoneState.FUNDING: lambda story: story.fund(2),
    MilestoneState.FUNDED: lambda story: story.pay(2).pay(3),
    MilestoneState.ACTIVE: lambda story: story.pay(2),
    MilestoneState.SUBMITTED: lambda story: story.pay(2).submit(2),
    MilestoneState.CHANGES_REQUESTED: lambda story: story.pay(2).submit(2).request_changes(2),
    MilestoneState.RELEASED: lambda story: story.pay(2).approve(2),
    MilestoneState.CANCELLED: lambda story: story.remove(2),
}


def _by_the_freelancer(story: Story, position: int) -> None:
    """A dispute of the freelancer; on what waits for its turn there is none, so it is set by hand."""
    story.open_dispute(position, claim="1.00", by=CLIENT)
    disputes = {**story.state.disputes}
    mine = story.dispute(position)
    disputes[mine.id] = replace(mine, opened_by=Side.FREELANCER)
    story.contract = replace(story.state, disputes=disputes)


_HELD_BY: dict[str, Callable[[Story, int], object]] = {
    "REFUND_REQUEST": lambda story, position: story.request_refund(position),
    "CLIENT": lambda story, position: story.open_dispute(position, claim="1.00"),
    "FREELANCER": _by_the_freelancer,
    "MEDIATION": lambda story, position: story.open_dispute(position, claim="1.00").reject_claim(position),
    "DECLINED": lambda story, position: story.request_refund(position).decline_refund(position),
}


def command_for(action: Action, story: Story, position: int, side: Side | None = None) -> c.PartyCommand:
    """A command without fault but for the state that it meets. Refund requests and disputes are the open ones of the
    milestone, or those of the first one, which are over."""
    on_contract = _on_contract(action, story, side)
    return on_contract or _on_milestone(action, story, position) or _on_object(action, story, position)


def _on_contract(action: Action, story: Story, side: Side | None) -> c.PartyCommand | None:
    contract_id = story.id
    match action:
        case Action.REVISE:
            return c.Revise(contract_id=contract_id, terms=c.Terms(), plan=story.plan("1.00"))
        case Action.ACCEPT:
            return c.Accept(contract_id=contract_id, revision=1)
        case Action.DECLINE:
            return c.Decline(contract_id=contract_id)
        case Action.WITHDRAW:
            return c.Withdraw(contract_id=contract_id)
        case Action.END:
            held = story.money(story.state.money(story.state.held_minor).amount)
            return c.End(contract_id=contract_id, giving_up=held if side is Side.FREELANCER else None)
        case Action.WITHDRAW_END:
            return c.WithdrawEnd(contract_id=contract_id)
        case Action.ADD_MILESTONE:
            return c.AddMilestone(contract_id=contract_id, milestone=story.draft())
        case Action.IMPORT_MILESTONES:
            return c.ImportMilestones(contract_id=story.id, system="jira", rows=(story.row("EA-9"),))
        case Action.FILE_CHANGE_REQUEST:
            change = c.AmendChange(milestone_id=story.milestone(5).id, deliverables=("Another",))
            named = story.fresh(Kind.CHANGE_REQUEST)
            return c.FileChangeRequest(
                contract_id=contract_id, change_request_id=named, changes=(change,), message="Please"
            )
        case Action.FUND_CONTRACT:
            deposit_id, order_id = story.fresh(Kind.DEPOSIT), story.fresh(Kind.ORDER)
            return c.FundContract(contract_id=contract_id, deposit_id=deposit_id, order_id=order_id, revision=1)
        case Action.POST_UPDATE:
            return c.PostUpdate(contract_id=contract_id, message="It grows")
        case Action.REQUEST_PAYOUT:
            return c.RequestPayout(contract_id=contract_id, order_id=story.fresh(Kind.ORDER))
        case Action.SET_PAYOUTS:
            return c.SetPayouts(contract_id=contract_id, automatic=True)
        case _:
            return None


def _on_milestone(action: Action, story: Story, position: int) -> c.PartyCommand | None:
    milestone_id = story.milestone(position).id
    match action:
        case Action.EDIT_MILESTONE:
            return c.EditMilestone(milestone_id=milestone_id, title="Another")
        case Action.MOVE_MILESTONE:
            return c.MoveMilestone(milestone_id=milestone_id, position=5)
        case Action.REMOVE_MILESTONE:
            return c.RemoveMilestone(milestone_id=milestone_id)
        case Action.FUND:
            return story.funding(position, revision=1)
        case Action.CANCEL_FUNDING:
            return c.CancelFunding(milestone_id=milestone_id)
        case Action.SUBMIT:
            submission_id = story.fresh(Kind.SUBMISSION)
            return c.Submit(milestone_id=milestone_id, submission_id=submission_id, message="Done")
        case Action.APPROVE:
            return c.Approve(milestone_id=milestone_id)
        case Action.REQUEST_CHANGES:
            return c.RequestChanges(milestone_id=milestone_id, note="Bluer")
        case Action.REQUEST_REFUND:
            return c.RequestRefund(milestone_id=milestone_id, refund_id=story.fresh(Kind.REFUND_REQUEST))
        case Action.GIVE_REFUND:
            return c.GiveRefund(milestone_id=milestone_id)
        case Action.OPEN_DISPUTE:
            dispute_id = story.fresh(Kind.DISPUTE)
            nothing = story.money("0.00")
            return c.OpenDispute(milestone_id=milestone_id, dispute_id=dispute_id, claim=nothing, reason="Late")
        case _:
            return None


def _on_object(action: Action, story: Story, position: int) -> c.PartyCommand:
    milestone = story.milestone(position)
    refund = story.state.open_refund(milestone) or story.refund(1)
    dispute = story.state.open_dispute(milestone) or story.dispute(1)
    (request,) = story.state.change_requests.values()
    penny = story.money("1.00")
    match action:
        case Action.WITHDRAW_REFUND:
            return c.WithdrawRefund(refund_id=refund.id)
        case Action.ACCEPT_REFUND:
            return c.AcceptRefund(refund_id=refund.id)
        case Action.DECLINE_REFUND:
            return c.DeclineRefund(refund_id=refund.id, dispute_id=story.fresh(Kind.DISPUTE), reason="No")
        case Action.ADD_EVIDENCE:
            return c.AddEvidence(dispute_id=dispute.id, text="Look")
        case Action.ACCEPT_CLAIM:
            return c.AcceptClaim(dispute_id=dispute.id)
        case Action.REJECT_CLAIM:
            return c.RejectClaim(dispute_id=dispute.id)
        case Action.OFFER_SETTLEMENT:
            return c.OfferSettlement(dispute_id=dispute.id, to_freelancer=story.money("2.00"))
        case Action.WITHDRAW_SETTLEMENT:
            return c.WithdrawSettlement(dispute_id=dispute.id)
        case Action.ACCEPT_SETTLEMENT:
            return c.AcceptSettlement(dispute_id=dispute.id, to_freelancer=penny)
        case Action.WITHDRAW_DISPUTE:
            return c.WithdrawDispute(dispute_id=dispute.id)
        case Action.DECIDE_DISPUTE:
            return c.DecideDispute(dispute_id=dispute.id, to_freelancer=penny, reason="Because")
        case Action.ACCEPT_CHANGE_REQUEST:
            return c.AcceptChangeRequest(change_request_id=request.id)
        case Action.DECLINE_CHANGE_REQUEST:
            return c.DeclineChangeRequest(change_request_id=request.id)
        case Action.WITHDRAW_CHANGE_REQUEST:
            return c.WithdrawChangeRequest(change_request_id=request.id)
        case Action.RESOLVE_REVERSAL:
            return c.ResolveReversal(deposit_id=next(iter(story.state.deposits)), outcome=ReversalOutcome.WON)
        case Action.RESOLVE_ORDER:
            return c.ResolveOrder(order_id=next(iter(story.state.orders)), outcome=OrderOutcome.PAID)
        case _:
            raise AssertionError(f"{action} makes a contract, it doesn't change one")
