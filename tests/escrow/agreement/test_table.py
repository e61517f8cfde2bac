"""The whole table: every state of a contract × every state of a milestone × every hold × every action × everybody.

Each cell is allowed, and then does what its row of the transition table says; or it is refused with the code that the law
puts first, and then nothing happened. What the law says is written down here once more, by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import pytest

from escrow.access import CLOCK, PERMISSIONS, PROVIDER, Actor, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.naming import subject_id_of
from escrow.agreement.permit import permit
from escrow.agreement.state import Ending
from escrow.ids import Kind
from escrow.lifecycle import TRANSITIONS, Action, ContractState, Hold, MilestoneState, ReversalOutcome
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
    Action.POST_UPDATE: Law(BOTH, MEMBER, WRITE, "PROPOSED ACTIVE"),
    Action.REQUEST_PAYOUT: Law("FREELANCER", OWNER, MONEY),
    Action.SET_PAYOUTS: Law("FREELANCER", OWNER, MONEY),
}
PLAN_EDITS = (Action.EDIT_MILESTONE, Action.MOVE_MILESTONE, Action.REMOVE_MILESTONE)
OTHERS_TURN = (Action.WITHDRAW,)
OWN_TURN = (Action.REVISE, Action.ACCEPT, Action.DECLINE)
NOT_WHILE_ENDING = (Action.FUND, Action.FUND_CONTRACT, Action.ADD_MILESTONE)
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
        case _:
            raise AssertionError(f"{action} makes a contract, it doesn't change one")


def lawful_code(action: Action, cell: Cell, side: Side | None, actor: Actor, story: Story) -> str | None:
    """The first refusal of the law for this cell, or none."""
    law = LAW[action]
    lawful_side = side is None or side.value in law.sides.split()
    if not lawful_side or not actor.role.includes(law.role) or law.scope not in actor.scopes:
        return "FORBIDDEN"
    if action is Action.APPROVE and cell.milestone is MilestoneState.RELEASED:
        return None
    if (law.contract and cell.contract.value not in law.contract.split()) or _barred_by_the_ending(action, cell, side):
        return "INVALID_STATE"
    if action is Action.FUND_CONTRACT and any(one.state is MilestoneState.FUNDING for one in story.state.milestones):
        return "INVALID_STATE"
    return _of_the_object(action, cell, side) or _of_the_turn(action, cell, side)


def _barred_by_the_ending(action: Action, cell: Cell, side: Side | None) -> bool:
    if action is Action.WITHDRAW_END:
        return not cell.ending
    return cell.ending and (action in NOT_WHILE_ENDING or (action is Action.END and side is Side.CLIENT))


def _of_the_object(action: Action, cell: Cell, side: Side | None) -> str | None:
    law, state = LAW[action], cell.milestone.value
    answers = action is Action.OPEN_DISPUTE and side is Side.FREELANCER
    if law.milestone:
        early = answers and cell.hold != "REFUND_REQUEST"
        if action in PLAN_EDITS and state not in law.milestone.split():
            return "MILESTONE_LOCKED"
        if state == "FUNDED" and (state not in law.milestone.split() or early):
            return "OUT_OF_SEQUENCE"
        holds = [*law.holds.split(), *(["REFUND_REQUEST"] if answers else [])]
        if state not in law.milestone.split() or (cell.kind_of_hold or "NONE") not in holds:
            return "INVALID_STATE"
    if law.refund and cell.hold != "REFUND_REQUEST":
        return "INVALID_STATE"
    if law.dispute and (cell.kind_of_hold != "DISPUTE" or DISPUTES[cell.hold][0] not in law.dispute.split()):
        return "INVALID_STATE"
    # None of the deposits here was ever reversed.
    return "INVALID_STATE" if action is Action.RESOLVE_REVERSAL else None


def _of_the_turn(action: Action, cell: Cell, side: Side | None) -> str | None:
    its_turn = side is Side.CLIENT
    if (action in OWN_TURN and not its_turn) or (action in OTHERS_TURN and its_turn):
        return "FORBIDDEN"
    author = DISPUTES[cell.hold][1] if LAW[action].dispute else Side.FREELANCER
    if (action in ANSWERERS and side is author) or (action in AUTHORS and side is not author):
        return "FORBIDDEN"
    if action is Action.WITHDRAW_DISPUTE and cell.hold in ("CLIENT", "FREELANCER") and side is not author:
        return "FORBIDDEN"
    return None


@pytest.mark.parametrize("action", LAW, ids=lambda action: action.value)
@pytest.mark.parametrize("contract", ContractState)
def test_every_cell_is_a_row_of_the_table_or_refused_with_the_laws_first_code_and_without_effect(
    action: Action, contract: ContractState
) -> None:
    """Every role and scope on contracts that are active, proposed or over; on the other ends the owners stand for them."""
    everybody = contract in (ContractState.PROPOSED, ContractState.ACTIVE, ContractState.COMPLETED)
    for cell in cells(contract):
        story, _ = story_with(cell)
        for side, actor in PARTIES if everybody else OWNERS:
            lawful = lawful_code(action, cell, side, actor, story)
            judge(action, cell, side, actor, lawful)


@pytest.mark.parametrize("action", LAW, ids=lambda action: action.value)
@pytest.mark.parametrize("who", OUTSIDERS)
def test_nobody_but_a_party_may_do_any_of_it_unless_the_law_names_them(action: Action, who: str) -> None:
    for cell in itertools.chain.from_iterable(cells(contract) for contract in ContractState):
        story, _ = story_with(cell)
        lawful: str | None = "NOT_FOUND" if who == "stranger" else "FORBIDDEN"
        if who in LAW[action].others.split():
            lawful = lawful_code(action, cell, None, OUTSIDERS[who], story)
        judge(action, cell, None, OUTSIDERS[who], lawful)


def judge(action: Action, cell: Cell, side: Side | None, actor: Actor, lawful: str | None) -> None:
    story, position = story_with(cell)
    before, told = story.state, f"{action} by {side} as {actor.role} on {cell}"
    milestone = story.milestone(position)
    command = command_for(action, story, position, side)
    barred = permit(before, action, subject_id_of(command), actor=actor, around=story.around(actor))
    assert (None if barred is None else barred.code.value) == lawful, f"permit: {told}"
    done = story.do(command, actor)
    story.contract = before
    story.log.clear()
    assert story.code() == lawful, told
    if lawful is not None:
        assert done.after is before, told
        assert done.recorded == (), told
    elif milestone.state is MilestoneState.RELEASED and action is Action.APPROVE:
        assert done.after is not None
        assert done.after.milestones == before.milestones, told
    else:
        assert_it_did_what_its_row_says(action, story, milestone.id, told)


def assert_it_did_what_its_row_says(action: Action, story: Story, milestone_id: str, told: str) -> None:
    row, done = TRANSITIONS[action], story.last
    assert done is not None
    assert done.after is not None
    # In mediation one side alone only agrees to withdraw.
    one_of_two = action is Action.WITHDRAW_DISPUTE and "dispute.withdrawal_agreed" in story.happened()
    assert row.event in story.happened() or one_of_two, told
    if isinstance(row.to, ContractState):
        assert done.after.state is row.to, told
    elif isinstance(row.to, MilestoneState):
        after = done.after.milestone(milestone_id)
        assert after is not None
        assert after.state is row.to, told


def test_the_tables_of_the_core_say_the_same_as_the_law_written_here() -> None:
    assert set(TRANSITIONS) == set(PERMISSIONS) == {*LAW, Action.PROPOSE} == set(Action)
    for action, law in LAW.items():
        row, permission = TRANSITIONS[action], PERMISSIONS[action]
        assert {side.value for side in permission.sides} == set(law.sides.split())
        assert (permission.role, permission.scope) == (law.role, law.scope)
        assert {state.value for state in row.contract or ()} == set(law.contract.split())
        assert {state.value for state in row.milestone or ()} == set(law.milestone.split())
        assert {hold.value for hold in row.holds} == set(law.holds.split())
        assert row.while_ending == (action not in NOT_WHILE_ENDING)
        others = (["mediator"] if permission.mediators else []) + (["operator"] if permission.operator else [])
        assert others == law.others.split()


def test_each_role_may_all_that_a_lower_one_may_and_only_an_owner_handles_payouts() -> None:
    assert [role for role in Role if role.includes(Role.MANAGER)] == [Role.MANAGER, Role.OWNER]
    assert [action for action, law in LAW.items() if law.role is OWNER] == [Action.REQUEST_PAYOUT, Action.SET_PAYOUTS]
    assert {action for action, law in LAW.items() if law.role is MEMBER} == {
        Action.SUBMIT, Action.POST_UPDATE, Action.ADD_EVIDENCE
    }  # fmt: skip
    assert all(law.role is not Role.VIEWER for law in LAW.values()), "a viewer only reads"


def test_only_concessions_work_under_a_hold_and_whatever_moves_money_is_marked() -> None:
    assert {action for action, row in TRANSITIONS.items() if Hold.DISPUTE in row.holds} == {
        Action.APPROVE, Action.GIVE_REFUND
    }  # fmt: skip
    assert {action for action, row in TRANSITIONS.items() if row.moves_money} == {
        Action.APPROVE, Action.GIVE_REFUND, Action.ACCEPT_REFUND, Action.ACCEPT_CLAIM, Action.ACCEPT_SETTLEMENT,
        Action.DECIDE_DISPUTE,
    }  # fmt: skip


@pytest.mark.parametrize("state", ContractState)
def test_approving_what_is_released_is_a_late_click_and_no_error_in_any_state_of_the_contract(
    state: ContractState,
) -> None:
    story = active().pay().approve()
    story.contract = replace(story.state, state=state)
    story.approve()
    assert (story.code(), story.happened(), story.milestone().state) == (None, [], "RELEASED")


@pytest.mark.parametrize("actor", [FREELANCER, replace(CLIENT, role=Role.MEMBER), replace(CLIENT, scopes=frozenset())])
def test_a_late_click_is_still_only_for_whoever_may_approve(actor: Actor) -> None:
    story = active().pay().approve()
    story.do(c.Approve(milestone_id=story.milestone().id), actor)
    assert story.code() == "FORBIDDEN"
