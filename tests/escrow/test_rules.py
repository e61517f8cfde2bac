"""The tables of the lifecycle: which states hold money, which are ends, and that every state can be come to and left."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from escrow.rules import AUTOMATIC, RULES, Action, Subject, Turn
from escrow.states import CLOSED, DEAD, HELD, ContractState, MilestoneState


def test_money_is_held_in_four_states_and_never_in_a_closed_one() -> None:
    assert {"FUNDED", "ACTIVE", "SUBMITTED", "CHANGES_REQUESTED"} == HELD
    assert {"RELEASED", "REFUNDED", "SETTLED", "CANCELLED"} == CLOSED
    assert not HELD & CLOSED
    assert set(MilestoneState) - HELD - CLOSED == {"PLANNED", "FUNDING"}


def test_a_proposal_dies_in_three_ways() -> None:
    assert {"DECLINED", "WITHDRAWN", "EXPIRED"} == DEAD


def milestone_ways() -> Mapping[MilestoneState, set[str]]:
    ways: dict[MilestoneState, set[str]] = {state: set() for state in MilestoneState}
    for rule in RULES.values():
        for state in rule.milestone or ():
            if rule.to is not None:
                ways[state].add(rule.to.value)
    for change in AUTOMATIC:
        if change.subject == "milestone":
            ways[MilestoneState(change.source)].add(change.to)
    return ways


@pytest.mark.parametrize("state", MilestoneState)
def test_a_closed_milestone_is_never_left_and_any_other_can_be(state: MilestoneState) -> None:
    others = milestone_ways()[state] - {state.value}
    assert (others == set()) == (state in CLOSED)


def test_every_milestone_state_is_come_to_from_planned_and_ends_closed() -> None:
    ways = milestone_ways()
    reached = {"PLANNED"}
    while more := {to for state in reached for to in ways[MilestoneState(state)]} - reached:
        reached |= more
    assert reached == {state.value for state in MilestoneState}
    for start in MilestoneState:
        ends, seen = {start.value}, set[str]()
        while ends - seen:
            seen |= ends
            ends = {to for state in ends for to in ways[MilestoneState(state)]}
        assert seen & {state.value for state in CLOSED}, f"{start} never closes"


def test_every_state_that_holds_money_leads_to_another_without_the_client() -> None:
    without_the_client = {Action.SUBMIT}
    for state in HELD:
        by_the_freelancer = any(state in (RULES[action].milestone or ()) for action in without_the_client)
        by_itself = any(change.source == state.value for change in AUTOMATIC if change.subject == "milestone")
        assert by_the_freelancer or by_itself, state


def test_every_contract_state_is_come_to_and_the_ends_are_never_left() -> None:
    reached = {rule.to for rule in RULES.values()} | {
        ContractState(change.to) for change in AUTOMATIC if change.subject == "contract"
    }
    assert set(ContractState) <= reached
    left = {state for rule in RULES.values() for state in rule.contract or ()}
    assert left == {ContractState.PROPOSED, ContractState.ACTIVE}


def test_turns_are_taken_by_the_sides_that_the_law_says() -> None:
    """On a proposal, a claim and a change request: their author can take them back, the other side answers."""
    turns = {action: rule.turn for action, rule in RULES.items() if rule.turn is not None}
    assert turns == {
        Action.REVISE: Turn.OWN,
        Action.ACCEPT: Turn.OWN,
        Action.DECLINE: Turn.OWN,
        Action.WITHDRAW: Turn.OTHERS,
        Action.ACCEPT_CHANGE_REQUEST: Turn.OTHERS,
        Action.DECLINE_CHANGE_REQUEST: Turn.OTHERS,
        Action.WITHDRAW_CHANGE_REQUEST: Turn.OWN,
        Action.ACCEPT_CLAIM: Turn.OTHERS,
        Action.REJECT_CLAIM: Turn.OTHERS,
    }


def test_a_disabled_party_bars_exactly_proposing_revising_accepting_and_depositing() -> None:
    barred = {action for action, rule in RULES.items() if rule.needs_enabled_parties}
    assert barred == {Action.PROPOSE, Action.REVISE, Action.ACCEPT, Action.FUND, Action.FUND_CONTRACT}


def test_an_ending_bars_exactly_funding_and_adding() -> None:
    barred = {action for action, rule in RULES.items() if not rule.while_ending}
    assert barred == {Action.FUND, Action.FUND_CONTRACT, Action.ADD_MILESTONE, Action.IMPORT_MILESTONES}


def test_an_action_asks_for_the_state_of_what_it_is_done_to() -> None:
    for rule in RULES.values():
        assert (rule.milestone is not None) == (rule.subject is Subject.MILESTONE)
        assert (rule.states is None) == (rule.subject in (Subject.CONTRACT, Subject.MILESTONE))
        assert rule.states is None or rule.to not in rule.states


def test_only_editing_moving_and_removing_find_a_milestone_locked() -> None:
    edits = {action for action, rule in RULES.items() if rule.edits_plan}
    assert edits == {Action.EDIT_MILESTONE, Action.MOVE_MILESTONE, Action.REMOVE_MILESTONE}
    assert all(RULES[action].milestone == frozenset({MilestoneState.PLANNED}) for action in edits)
