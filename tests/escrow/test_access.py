"""Who may see: a contract exists for its parties, for the operator and for our own machinery, and for nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escrow.access import CLOCK, PROVIDER, Actor, ActorKind, Role, Scope, Side, may_see
from escrow.rules import RULES, Action
from tests.escrow.agreement.stage import CLIENT, CLIENT_ID, FREELANCER, FREELANCER_ID, OPERATOR, STRANGER

HERE, ELSEWHERE = "ctr_here", "ctr_elsewhere"


def sees(actor: Actor) -> bool:
    return may_see(actor, contract_id=HERE, client_id=CLIENT_ID, freelancer_id=FREELANCER_ID)


@pytest.mark.parametrize(
    ("actor", "visible"),
    [
        (CLIENT, True),
        (FREELANCER, True),
        (OPERATOR, True),
        (PROVIDER, True),
        (CLOCK, True),
        (STRANGER, False),
        (Actor(ActorKind.ACCOUNT), False),
    ],
)
def test_the_parties_the_operator_and_the_machinery_see_a_contract_and_nobody_else(actor: Actor, visible: bool) -> None:
    assert sees(actor) is visible


@pytest.mark.parametrize("actor", [CLIENT, FREELANCER, OPERATOR, STRANGER])
def test_a_limited_key_sees_only_its_contracts_and_never_more_than_its_account(actor: Actor) -> None:
    assert not sees(replace(actor, contract_ids=frozenset()))
    assert not sees(replace(actor, contract_ids=frozenset({ELSEWHERE})))
    assert sees(replace(actor, contract_ids=frozenset({HERE, ELSEWHERE}))) is sees(actor)


@pytest.mark.parametrize("role", Role)
def test_every_member_sees_what_its_account_sees_whatever_its_key_may_do(role: Role) -> None:
    assert sees(replace(CLIENT, role=role, scopes=frozenset()))


def test_roles_rise_from_viewer_to_owner() -> None:
    ranks = [Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.OWNER]
    for low, role in enumerate(ranks):
        assert [role.includes(other) for other in ranks] == [high <= low for high in range(4)]


def test_each_side_has_the_other() -> None:
    assert (Side.CLIENT.other, Side.FREELANCER.other) == (Side.FREELANCER, Side.CLIENT)


def test_scopes_are_spelled_as_keys_are_made() -> None:
    assert sorted(Scope) == sorted(
        ["contracts:read", "contracts:write", "money:write", "webhooks:manage", "disputes:decide", "operator"]
    )


def test_scopes_are_found_by_both_spellings_and_shown_with_both() -> None:
    for scope in Scope:
        assert Scope(scope.value) is Scope(scope.name) is scope
        assert (Scope.spellings()[scope.value], Scope.spellings()[scope.name]) == (scope, scope)
    assert Scope.MONEY_WRITE.spelt == "money:write (MONEY_WRITE)"
    for wrong in ("money_write", "MONEY:WRITE", "", "spellings"):
        with pytest.raises(ValueError, match="is not a valid Scope"):
            Scope(wrong)


def test_what_moves_money_needs_the_scope_for_money_what_decides_its_own_and_the_rest_the_scope_for_writing() -> None:
    moves_money = {action for action, rule in RULES.items() if rule.moves_money} - {Action.DECIDE_DISPUTE}
    moves_money |= {Action.FUND, Action.FUND_CONTRACT, Action.CANCEL_FUNDING, Action.REQUEST_PAYOUT, Action.SET_PAYOUTS}
    moves_money |= {Action.END, Action.WITHDRAW_END}
    own = {Action.DECIDE_DISPUTE: Scope.DISPUTES_DECIDE, Action.RESOLVE_REVERSAL: Scope.OPERATOR}
    own |= {Action.RESOLVE_ORDER: Scope.OPERATOR}
    for action, rule in RULES.items():
        usual = Scope.MONEY_WRITE if action in moves_money else Scope.CONTRACTS_WRITE
        assert rule.scope is own.get(action, usual), action


def test_only_who_decides_may_do_what_no_party_may() -> None:
    for action, rule in RULES.items():
        assert bool(rule.sides) != (rule.mediators or rule.operator)
        assert rule.mediators == (action is Action.DECIDE_DISPUTE)


def test_a_mediator_sees_a_contract_that_was_disputed_and_no_other_but_its_own() -> None:
    for actor, was_disputed, visible in (
        (STRANGER, True, True),
        (STRANGER, False, False),
        (CLIENT, False, True),
        (replace(STRANGER, contract_ids=frozenset({ELSEWHERE})), True, False),
    ):
        found = may_see(
            actor, contract_id=HERE, client_id=CLIENT_ID, freelancer_id=FREELANCER_ID, is_mediator=True,
            was_disputed=was_disputed,
        )  # fmt: skip
        assert found is visible
    assert not may_see(STRANGER, contract_id=HERE, client_id=CLIENT_ID, freelancer_id=FREELANCER_ID, was_disputed=True)


def test_an_event_names_who_acted_and_nothing_that_is_not_known() -> None:
    member = replace(CLIENT, key_id="key_1", member_id="mem_1")
    assert member.wire() == {"kind": "ACCOUNT", "account": CLIENT_ID, "member": "mem_1", "key": "key_1"}
    assert CLOCK.wire() == {"kind": "CLOCK"}
    assert PROVIDER.wire() == {"kind": "PROVIDER"}
