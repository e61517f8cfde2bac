"""The whole table: every state of a contract × every state of a milestone × every action × everybody.

Each cell is allowed, and then does what its row of the transition table says; or it is refused with the code that the law
puts first, and then nothing happened. What the law says is written down here once more, by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import pytest

from escrow.access import CLOCK, PERMISSIONS, PROVIDER, Actor, Role, Scope, Side
from escrow.agreement import commands as c
from escrow.agreement.permit import permit
from escrow.ids import Kind
from escrow.lifecycle import TRANSITIONS, Action, ContractState, MilestoneState
from tests.escrow.agreement.stage import (
    CLIENT,
    CLIENT_ID,
    EVERY_SCOPE,
    FREELANCER,
    FREELANCER_ID,
    OPERATOR,
    STRANGER,
    Story,
    account,
    active,
)

WRITE, MONEY = Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE
BOTH = "CLIENT FREELANCER"


@dataclass(frozen=True)
class Law:
    """One action: whose it is, from which role, with which scope, in which states (none: in all)."""

    sides: str
    role: Role
    scope: Scope
    contract: str = ""
    milestone: str = ""


LAW: Final = {
    Action.REVISE: Law(BOTH, Role.MANAGER, WRITE, "PROPOSED"),
    Action.ACCEPT: Law(BOTH, Role.MANAGER, WRITE, "PROPOSED"),
    Action.DECLINE: Law(BOTH, Role.MANAGER, WRITE, "PROPOSED"),
    Action.WITHDRAW: Law(BOTH, Role.MANAGER, WRITE, "PROPOSED"),
    Action.ADD_MILESTONE: Law("CLIENT", Role.MANAGER, WRITE, "ACTIVE"),
    Action.EDIT_MILESTONE: Law("CLIENT", Role.MANAGER, WRITE, "ACTIVE", "PLANNED"),
    Action.MOVE_MILESTONE: Law("CLIENT", Role.MANAGER, WRITE, "ACTIVE", "PLANNED"),
    Action.REMOVE_MILESTONE: Law("CLIENT", Role.MANAGER, WRITE, "ACTIVE", "PLANNED"),
    Action.IMPORT_MILESTONES: Law("CLIENT", Role.MANAGER, WRITE, "ACTIVE"),
    Action.FUND: Law("CLIENT", Role.MANAGER, MONEY, "ACTIVE", "PLANNED"),
    Action.CANCEL_FUNDING: Law("CLIENT", Role.MANAGER, MONEY, "ACTIVE", "FUNDING"),
    Action.SUBMIT: Law("FREELANCER", Role.MEMBER, WRITE, "ACTIVE", "ACTIVE CHANGES_REQUESTED"),
    Action.APPROVE: Law("CLIENT", Role.MANAGER, MONEY, "ACTIVE", "ACTIVE SUBMITTED CHANGES_REQUESTED"),
    Action.REQUEST_CHANGES: Law("CLIENT", Role.MANAGER, WRITE, "ACTIVE", "SUBMITTED"),
    Action.REQUEST_PAYOUT: Law("FREELANCER", Role.OWNER, MONEY),
}
PLAN_EDITS = (Action.EDIT_MILESTONE, Action.MOVE_MILESTONE, Action.REMOVE_MILESTONE)
OTHERS_TURN = (Action.WITHDRAW,)
OWN_TURN = (Action.REVISE, Action.ACCEPT, Action.DECLINE)

SCOPES = (EVERY_SCOPE, EVERY_SCOPE - {WRITE}, EVERY_SCOPE - {MONEY})
PARTIES: Final = [
    (side, account(CLIENT_ID if side is Side.CLIENT else FREELANCER_ID, role=role, scopes=scopes))
    for side, role, scopes in itertools.product(Side, Role, SCOPES)
]
OUTSIDERS: Final = {"stranger": STRANGER, "operator": OPERATOR, "provider": PROVIDER, "clock": CLOCK}


def story_with(contract: ContractState, milestone: MilestoneState) -> tuple[Story, int]:
    """A contract in one state with a milestone in another, and that milestone's position.

    The first milestone was paid, so that something is payable; the freelancer wrote the revision. States that no history
    reaches together are set by hand: the rules must not rely on their absence.
    """
    story = active("100.00", "50.00", "25.00").pay().approve()
    _LEADS_TO.get(milestone, lambda _: None)(story)
    position = 3 if milestone is MilestoneState.FUNDED else 2
    if milestone in (MilestoneState.REFUNDED, MilestoneState.SETTLED):
        closed = replace(story.milestone(position), state=milestone)
        story.contract = replace(story.state, milestones=(story.milestone(1), closed, story.milestone(3)))
    assert story.milestone(position).state is milestone
    story.contract = replace(story.state, state=contract)
    return story, position


_LEADS_TO: dict[MilestoneState, Callable[[Story], Story]] = {
    MilestoneState.FUNDING: lambda story: story.fund(2),
    MilestoneState.FUNDED: lambda story: story.pay(2).pay(3),
    MilestoneState.ACTIVE: lambda story: story.pay(2),
    MilestoneState.SUBMITTED: lambda story: story.pay(2).submit(2),
    MilestoneState.CHANGES_REQUESTED: lambda story: story.pay(2).submit(2).request_changes(2),
    MilestoneState.RELEASED: lambda story: story.pay(2).approve(2),
    MilestoneState.CANCELLED: lambda story: story.remove(2),
}


def command_for(action: Action, story: Story, position: int) -> c.PartyCommand:
    """A command without fault but for the state that it meets."""
    milestone_id = story.milestone(position).id
    match action:
        case Action.REVISE:
            return c.Revise(contract_id=story.id, terms=c.Terms(), plan=story.plan("1.00"))
        case Action.ACCEPT:
            return c.Accept(contract_id=story.id, revision=1)
        case Action.DECLINE:
            return c.Decline(contract_id=story.id)
        case Action.WITHDRAW:
            return c.Withdraw(contract_id=story.id)
        case Action.ADD_MILESTONE:
            return c.AddMilestone(contract_id=story.id, milestone=story.draft())
        case Action.EDIT_MILESTONE:
            return c.EditMilestone(milestone_id=milestone_id, title="Another")
        case Action.MOVE_MILESTONE:
            return c.MoveMilestone(milestone_id=milestone_id, position=3 if position == 2 else 2)
        case Action.REMOVE_MILESTONE:
            return c.RemoveMilestone(milestone_id=milestone_id)
        case Action.IMPORT_MILESTONES:
            return c.ImportMilestones(contract_id=story.id, system="jira", rows=(story.row("EA-9"),))
        case Action.FUND:
            return story.funding(position)
        case Action.CANCEL_FUNDING:
            return c.CancelFunding(milestone_id=milestone_id)
        case Action.SUBMIT:
            submission_id = story.fresh(Kind.SUBMISSION)
            return c.Submit(milestone_id=milestone_id, submission_id=submission_id, message="Done")
        case Action.APPROVE:
            return c.Approve(milestone_id=milestone_id)
        case Action.REQUEST_CHANGES:
            return c.RequestChanges(milestone_id=milestone_id, note="Bluer")
        case Action.REQUEST_PAYOUT:
            return c.RequestPayout(contract_id=story.id, order_id=story.fresh(Kind.ORDER))
        case _:
            raise AssertionError(f"{action} makes a contract, it doesn't change one")


def lawful_code(
    action: Action, contract: ContractState, milestone: MilestoneState, side: Side, actor: Actor
) -> str | None:
    """The first refusal of the law for this cell, or none."""
    law = LAW[action]
    if side.value not in law.sides.split() or not actor.role.includes(law.role) or law.scope not in actor.scopes:
        return "FORBIDDEN"
    if action is Action.APPROVE and milestone is MilestoneState.RELEASED:
        return None
    if law.contract and contract.value not in law.contract.split():
        return "INVALID_STATE"
    if law.milestone and milestone.value not in law.milestone.split():
        if action in PLAN_EDITS:
            return "MILESTONE_LOCKED"
        return "OUT_OF_SEQUENCE" if milestone is MilestoneState.FUNDED else "INVALID_STATE"
    its_turn = side is Side.CLIENT
    if (action in OWN_TURN and not its_turn) or (action in OTHERS_TURN and its_turn):
        return "FORBIDDEN"
    return None


CELLS = list(itertools.product(ContractState, MilestoneState))


@pytest.mark.parametrize("action", LAW, ids=lambda action: action.value)
def test_every_cell_is_a_row_of_the_table_or_refused_with_the_laws_first_code_and_without_effect(
    action: Action,
) -> None:
    for contract, milestone in CELLS:
        story, position = story_with(contract, milestone)
        for side, actor in PARTIES:
            cell = f"{action} by {side} as {actor.role} on a {milestone} milestone of a {contract} contract"
            lawful = lawful_code(action, contract, milestone, side, actor)
            judge(action, story, position, actor, lawful, cell)


@pytest.mark.parametrize("action", LAW, ids=lambda action: action.value)
@pytest.mark.parametrize("who", OUTSIDERS)
def test_nobody_but_a_party_may_do_any_of_it(action: Action, who: str) -> None:
    for contract, milestone in CELLS:
        story, position = story_with(contract, milestone)
        judge(action, story, position, OUTSIDERS[who], "NOT_FOUND" if who == "stranger" else "FORBIDDEN", who)


def judge(action: Action, story: Story, position: int, actor: Actor, lawful: str | None, cell: str) -> None:
    before = story.state
    milestone = story.milestone(position)
    command = command_for(action, story, position)
    barred = permit(before, action, milestone.id, actor=actor, around=story.around())
    assert (None if barred is None else barred.code.value) == lawful, f"permit: {cell}"
    done = story.do(command, actor)
    assert story.code() == lawful, cell
    if lawful is not None:
        assert done.after is before, cell
        assert done.recorded == (), cell
    elif milestone.state is MilestoneState.RELEASED and action is Action.APPROVE:
        assert done.recorded == (), cell
        assert done.after == before, cell
    else:
        assert_it_did_what_its_row_says(action, story, milestone.id, cell)
    story.contract = before


def assert_it_did_what_its_row_says(action: Action, story: Story, milestone_id: str, cell: str) -> None:
    row = TRANSITIONS[action]
    assert row.event in story.happened(), cell
    if isinstance(row.to, ContractState):
        assert story.state.state is row.to, cell
    elif row.to is not None:
        after = story.state.milestone(milestone_id)
        assert after is not None
        assert after.state is row.to, cell


def test_the_tables_of_the_core_say_the_same_as_the_law_written_here() -> None:
    assert set(TRANSITIONS) == set(PERMISSIONS) == {*LAW, Action.PROPOSE} == set(Action)
    for action, law in LAW.items():
        row, permission = TRANSITIONS[action], PERMISSIONS[action]
        assert {side.value for side in permission.sides} == set(law.sides.split())
        assert (permission.role, permission.scope) == (law.role, law.scope)
        assert {state.value for state in row.contract or ()} == set(law.contract.split())
        assert {state.value for state in row.milestone or ()} == set(law.milestone.split())


def test_each_role_may_all_that_a_lower_one_may_and_only_an_owner_handles_payouts() -> None:
    assert [role for role in Role if role.includes(Role.MANAGER)] == [Role.MANAGER, Role.OWNER]
    assert [action for action, law in LAW.items() if law.role is Role.OWNER] == [Action.REQUEST_PAYOUT]
    assert [action for action, law in LAW.items() if law.role is Role.MEMBER] == [Action.SUBMIT]
    assert all(law.role is not Role.VIEWER for law in LAW.values()), "a viewer only reads"


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
