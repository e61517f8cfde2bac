"""The whole table: every state of a contract × every state of a milestone × every hold × every action × everybody.

Each cell is allowed, and then does what its row of the transition table says; or it is refused with the code that the law
puts first, and then nothing happened. What the law says is written down here once more, by hand.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import lru_cache

import pytest

from escrow.access import Actor, Role, Side
from escrow.agreement import commands as c
from escrow.agreement.naming import subject_id_of
from escrow.agreement.permit import permit
from escrow.rules import RULES, Action
from escrow.states import ContractState, Hold, MilestoneState
from tests.escrow.agreement.stage import (
    CLIENT,
    FREELANCER,
    Story,
    active,
)
from tests.escrow.agreement.table import (
    ANSWERERS,
    AUTHORS,
    DISPUTES,
    LAW,
    MEMBER,
    NOT_WHILE_ENDING,
    OTHERS_TURN,
    OUTSIDERS,
    OWN_TURN,
    OWNER,
    OWNERS,
    PARTIES,
    PLAN_EDITS,
    Cell,
    cells,
    command_for,
    story_with,
)


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
    # None of the deposits here was ever reversed, and what became of each order is known.
    return "INVALID_STATE" if action in (Action.RESOLVE_REVERSAL, Action.RESOLVE_ORDER) else None


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


@lru_cache(maxsize=2)
def asked(action: Action, cell: Cell, side: Side | None) -> c.PartyCommand:
    """The command, which is the same for all members of a side."""
    story, position = story_with(cell)
    return command_for(action, story, position, side)


def judge(action: Action, cell: Cell, side: Side | None, actor: Actor, lawful: str | None) -> None:
    story, position = story_with(cell)
    before, milestone, command = story.state, story.milestone(position), asked(action, cell, side)

    def told() -> str:
        return f"{action} by {side} as {actor.role} on {cell}"

    barred = permit(before, action, subject_id_of(command), actor=actor, around=story.around(actor))
    assert (None if barred is None else barred.code.value) == lawful, f"permit: {told()}"
    done = story.do(command, actor)
    story.contract = before
    story.log.clear()
    assert story.code() == lawful, told()
    if lawful is not None:
        assert done.after is before, told()
        assert done.recorded == (), told()
    elif milestone.state is MilestoneState.RELEASED and action is Action.APPROVE:
        assert done.after is not None
        assert done.after.milestones == before.milestones, told()
    else:
        assert_it_did_what_its_row_says(action, story, milestone.id, told())


def assert_it_did_what_its_row_says(action: Action, story: Story, milestone_id: str, told: str) -> None:
    rule, done = RULES[action], story.last
    assert done is not None
    assert done.after is not None
    # In mediation one side alone only agrees to withdraw.
    one_of_two = action is Action.WITHDRAW_DISPUTE and "dispute.withdrawal_agreed" in story.happened()
    assert rule.event in story.happened() or one_of_two, told
    if isinstance(rule.to, ContractState):
        assert done.after.state is rule.to, told
    elif isinstance(rule.to, MilestoneState):
        after = done.after.milestone(milestone_id)
        assert after is not None
        assert after.state is rule.to, told


def test_the_tables_of_the_core_say_the_same_as_the_law_written_here() -> None:
    assert set(RULES) == {*LAW, Action.PROPOSE} == set(Action)
    for action, law in LAW.items():
        rule = RULES[action]
        assert {side.value for side in rule.sides} == set(law.sides.split())
        assert (rule.role, rule.scope) == (law.role, law.scope)
        assert {state.value for state in rule.contract or ()} == set(law.contract.split())
        assert {state.value for state in rule.milestone or ()} == set(law.milestone.split())
        assert {hold.value for hold in rule.holds} == set(law.holds.split())
        assert rule.while_ending == (action not in NOT_WHILE_ENDING)
        others = (["mediator"] if rule.mediators else []) + (["operator"] if rule.operator else [])
        assert others == law.others.split()


def test_each_role_may_all_that_a_lower_one_may_and_only_an_owner_handles_payouts() -> None:
    assert [role for role in Role if role.includes(Role.MANAGER)] == [Role.MANAGER, Role.OWNER]
    assert [action for action, law in LAW.items() if law.role is OWNER] == [Action.REQUEST_PAYOUT, Action.SET_PAYOUTS]
    assert {action for action, law in LAW.items() if law.role is MEMBER} == {
        Action.SUBMIT, Action.POST_UPDATE, Action.ADD_EVIDENCE
    }  # fmt: skip
    assert all(law.role is not Role.VIEWER for law in LAW.values()), "a viewer only reads"


def test_only_concessions_work_under_a_hold_and_whatever_moves_money_is_marked() -> None:
    assert {action for action, rule in RULES.items() if Hold.DISPUTE in rule.holds} == {
        Action.APPROVE, Action.GIVE_REFUND
    }  # fmt: skip
    assert {action for action, rule in RULES.items() if rule.moves_money} == {
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
