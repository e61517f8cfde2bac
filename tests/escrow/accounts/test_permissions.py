"""Every command × everybody: a table of what each may do, and with which code the others are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from escrow.access import CLOCK, PROVIDER, SYSTEM, AccountType, Actor, Role, Scope
from escrow.accounts import commands
from escrow.accounts.commands import endpoints
from escrow.accounts.decide import decide
from escrow.accounts.rules import ACCOUNT_PERMISSIONS, AccountAction
from escrow.accounts.state import Account
from escrow.accounts.state.endpoints import DisabledReason
from escrow.errors import DomainError
from tests.escrow.accounts.people import (
    AROUND,
    BEN,
    BROWSED_STUDIO,
    CONTRACT_ID,
    ENDPOINT,
    LIMITED_ENDPOINT,
    LIMITED_KEY,
    LIMITED_SESSION,
    NEW_ACCOUNT_ID,
    NEW_ENDPOINT_ID,
    NEW_KEY_ID,
    NEW_MEMBER_ID,
    NEW_SECRETS,
    NEW_SESSION_ID,
    NOW,
    OPERATOR,
    OPERATOR_ID,
    OTHER_CONTRACT_ID,
    OTHER_ID,
    OWN_SCOPES,
    OWNER,
    STUDIO,
    STUDIO_ID,
    THE_OPERATOR,
    TOKEN,
    WAITING_LINK,
    actor,
    browser,
)

COMMANDS: Final[dict[AccountAction, tuple[Account | None, commands.AccountCommand]]] = {
    AccountAction.CREATE_ACCOUNT: (
        None,
        commands.CreateAccount(account_id=NEW_ACCOUNT_ID, name="New", type=AccountType.COMPANY),
    ),
    AccountAction.DISABLE_ACCOUNT: (STUDIO, commands.DisableAccount(account_id=STUDIO_ID)),
    AccountAction.ENABLE_ACCOUNT: (
        replace(STUDIO, disabled_at=NOW),
        commands.EnableAccount(account_id=STUDIO_ID),
    ),
    AccountAction.APPOINT_MEDIATOR: (STUDIO, commands.AppointMediator(account_id=STUDIO_ID)),
    AccountAction.DISMISS_MEDIATOR: (
        replace(STUDIO, is_mediator=True),
        commands.DismissMediator(account_id=STUDIO_ID),
    ),
    AccountAction.SET_RATE: (STUDIO, commands.SetRate(account_id=STUDIO_ID, points_per_second=500)),
    AccountAction.SET_FEES: (OPERATOR, commands.SetFees(client_bps=250, freelancer_bps=1000)),
    AccountAction.ADD_MEMBER: (
        STUDIO,
        commands.AddMember(
            account_id=STUDIO_ID, member_id=NEW_MEMBER_ID, person="eve@studio.example", name="Eve", role=Role.MEMBER
        ),
    ),
    AccountAction.CONNECT_PAYEE: (STUDIO, commands.ConnectPayee(account_id=STUDIO_ID, provider="sandbox")),
    AccountAction.REMOVE_MEMBER: (STUDIO, commands.RemoveMember(member_id=BEN.id)),
    AccountAction.CREATE_API_KEY: (
        STUDIO,
        commands.CreateApiKey(
            account_id=STUDIO_ID,
            key_id=NEW_KEY_ID,
            name="sync",
            scopes=(Scope.CONTRACTS_READ,),
            contract_ids=(CONTRACT_ID,),
            token=TOKEN,
        ),
    ),
    AccountAction.REVOKE_API_KEY: (STUDIO, commands.RevokeApiKey(key_id=LIMITED_KEY.id)),
    AccountAction.CREATE_SESSION: (
        STUDIO,
        commands.CreateSession(
            account_id=STUDIO_ID,
            member_id=None,
            session_id=NEW_SESSION_ID,
            scopes=(Scope.CONTRACTS_READ,),
            contract_ids=(CONTRACT_ID,),
            token=TOKEN,
        ),
    ),
    AccountAction.OPEN_SESSION: (BROWSED_STUDIO, commands.OpenSession(session_id=WAITING_LINK.id, token=TOKEN)),
    AccountAction.REVOKE_SESSION: (BROWSED_STUDIO, commands.RevokeSession(session_id=LIMITED_SESSION.id)),
    AccountAction.CREATE_ENDPOINT: (
        STUDIO,
        endpoints.CreateEndpoint(
            account_id=STUDIO_ID,
            endpoint_id=NEW_ENDPOINT_ID,
            address=endpoints.Address("https://hooks.example.com"),
            secrets=NEW_SECRETS,
            limit=endpoints.Limit((CONTRACT_ID,)),
        ),
    ),
    AccountAction.UPDATE_ENDPOINT: (
        STUDIO,
        endpoints.UpdateEndpoint(endpoint_id=LIMITED_ENDPOINT.id, description="Another"),
    ),
    AccountAction.ENABLE_ENDPOINT: (
        replace(
            STUDIO,
            endpoints={
                LIMITED_ENDPOINT.id: replace(LIMITED_ENDPOINT, disabled_at=NOW, disabled_reason=DisabledReason.FAILING)
            },
        ),
        endpoints.EnableEndpoint(endpoint_id=LIMITED_ENDPOINT.id),
    ),
    AccountAction.DISABLE_ENDPOINT: (STUDIO, endpoints.DisableEndpoint(endpoint_id=LIMITED_ENDPOINT.id)),
    AccountAction.DELETE_ENDPOINT: (STUDIO, endpoints.DeleteEndpoint(endpoint_id=LIMITED_ENDPOINT.id)),
    AccountAction.ROTATE_SECRET: (
        STUDIO,
        endpoints.RotateSecret(endpoint_id=LIMITED_ENDPOINT.id, secrets=NEW_SECRETS),
    ),
}

EVERYBODY: Final[dict[str, Actor]] = {
    "the operator": THE_OPERATOR,
    "a manager of the operator": replace(THE_OPERATOR, role=Role.MANAGER),
    "a member of the operator": replace(THE_OPERATOR, role=Role.MEMBER),
    "the operator's key without the scope": actor(OPERATOR_ID),
    "the operator's key for one contract": replace(THE_OPERATOR, contract_ids=frozenset({CONTRACT_ID})),
    "an owner": OWNER,
    "an owner's key without money:write": actor(scopes=OWN_SCOPES - {Scope.MONEY_WRITE}),
    "an owner's key without webhooks:manage": actor(scopes=OWN_SCOPES - {Scope.WEBHOOKS_MANAGE}),
    "an owner's key without contracts:read": actor(scopes=OWN_SCOPES - {Scope.CONTRACTS_READ}),
    "an owner's key that only reads": actor(scopes=frozenset({Scope.CONTRACTS_READ})),
    "an owner's key for one contract": actor(contracts=frozenset({CONTRACT_ID})),
    "a manager": actor(role=Role.MANAGER),
    "a member": actor(role=Role.MEMBER),
    "a viewer": actor(role=Role.VIEWER),
    "an owner of another account": actor(OTHER_ID),
    "the operator's session": browser(OPERATOR_ID, scopes=frozenset({Scope.OPERATOR})),
    "the operator's session for one contract": browser(
        OPERATOR_ID, scopes=frozenset({Scope.OPERATOR}), contracts=frozenset({CONTRACT_ID})
    ),
    "an owner's session": browser(),
    "an owner's session that only reads": browser(scopes=frozenset({Scope.CONTRACTS_READ})),
    "an owner's session for one contract": browser(contracts=frozenset({CONTRACT_ID})),
    "a viewer's session": browser(role=Role.VIEWER),
    "a session of another account": browser(OTHER_ID),
    "the provider": PROVIDER,
    "the clock": CLOCK,
}

SESSIONS = {"the operator's session", "an owner's session"}
"""Sessions without a limit, of whoever may do the most."""

DIRECT_ENDPOINTS = {
    "the operator",
    "an owner",
    "an owner's key without money:write",
    "an owner's key for one contract",
}
"""Who says where events are sent, and which: that is reading them; and it outlives a session."""
MANAGE_ENDPOINTS = {*DIRECT_ENDPOINTS, "an owner's key without contracts:read", *SESSIONS}
GIVE_BACK = MANAGE_ENDPOINTS - SESSIONS
"""Who hands out secrets of an endpoint, or its events once more, to whoever listens there."""

OPERATORS_OWN = {"the operator", "a manager of the operator"}
WITH_MONEY = {
    "the operator",
    "an owner",
    "an owner's key without webhooks:manage",
    "an owner's key without contracts:read",
}
END_KEYS = {
    *WITH_MONEY,
    "an owner's key without money:write",
    "an owner's key for one contract",
    *SESSIONS,
}
MAY: Final[dict[AccountAction, set[str]]] = {
    AccountAction.CREATE_ACCOUNT: OPERATORS_OWN,
    AccountAction.DISABLE_ACCOUNT: {*OPERATORS_OWN, "the operator's session"},
    AccountAction.ENABLE_ACCOUNT: OPERATORS_OWN,
    AccountAction.APPOINT_MEDIATOR: OPERATORS_OWN,
    AccountAction.DISMISS_MEDIATOR: {*OPERATORS_OWN, "the operator's session"},
    AccountAction.SET_RATE: {*OPERATORS_OWN, "the operator's session"},
    AccountAction.SET_FEES: {"the operator", "the operator's session"},
    AccountAction.ADD_MEMBER: WITH_MONEY,
    AccountAction.CONNECT_PAYEE: WITH_MONEY,
    AccountAction.REMOVE_MEMBER: {*WITH_MONEY, *SESSIONS},
    AccountAction.CREATE_API_KEY: {
        "the operator",
        "an owner",
        "an owner's key without money:write",
        "an owner's key without webhooks:manage",
        "an owner's key for one contract",
    },
    AccountAction.REVOKE_API_KEY: END_KEYS,
    AccountAction.CREATE_SESSION: {
        "the operator",
        "an owner",
        "an owner's key without money:write",
        "an owner's key without webhooks:manage",
        "an owner's key that only reads",
        "an owner's key for one contract",
    },
    AccountAction.OPEN_SESSION: set(),
    AccountAction.REVOKE_SESSION: END_KEYS,
    AccountAction.CREATE_ENDPOINT: DIRECT_ENDPOINTS,
    AccountAction.UPDATE_ENDPOINT: DIRECT_ENDPOINTS,
    AccountAction.ENABLE_ENDPOINT: GIVE_BACK,
    AccountAction.DISABLE_ENDPOINT: MANAGE_ENDPOINTS,
    AccountAction.DELETE_ENDPOINT: MANAGE_ENDPOINTS,
    AccountAction.ROTATE_SECRET: GIVE_BACK,
}

SEES_NOTHING = {
    "the operator's key without the scope",
    "the operator's key for one contract",
    "the operator's session for one contract",
    "an owner of another account",
    "a session of another account",
    "the provider",
    "the clock",
}
"""Who doesn't see the studio as long as no contract joins them."""

WITHOUT_OBJECT = {AccountAction.CREATE_ACCOUNT, AccountAction.SET_FEES}
BY_ITS_CODE = {AccountAction.OPEN_SESSION}
"""What nobody does by being somebody: whoever shows the code is the session."""
TAKES_RIGHTS_AWAY = {
    AccountAction.REMOVE_MEMBER,
    AccountAction.REVOKE_API_KEY,
    AccountAction.REVOKE_SESSION,
    AccountAction.DISABLE_ENDPOINT,
    AccountAction.DELETE_ENDPOINT,
}
OWNERS_TO_MANAGE = [
    action for action, row in ACCOUNT_PERMISSIONS.items() if row.scope is not None and action not in BY_ITS_CODE
]


def refusal_of(
    state: Account | None, command: commands.AccountCommand, by: Actor, **circumstances: object
) -> str | None:
    around = replace(AROUND, **{"reachable_contract_ids": frozenset({CONTRACT_ID}), **circumstances})  # type: ignore[arg-type]
    try:
        assert decide(state, command, actor=by, around=around), "an allowed command of this table has an effect"
    except DomainError as refusal:
        return refusal.code.value
    return None


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("action", AccountAction)
def test_the_table_says_who_may_and_with_which_code_others_are_refused(action: AccountAction, who: str) -> None:
    state, command = COMMANDS[action]
    if who in MAY[action]:
        expected = None
    else:
        is_hidden = action in BY_ITS_CODE or (who in SEES_NOTHING and action not in WITHOUT_OBJECT)
        expected = "NOT_FOUND" if is_hidden else "FORBIDDEN"
    assert refusal_of(state, command, EVERYBODY[who]) == expected


@pytest.mark.parametrize("action", [action for action in AccountAction if action not in WITHOUT_OBJECT])
def test_a_counterparty_sees_the_account_and_may_do_nothing_with_it(action: AccountAction) -> None:
    state, command = COMMANDS[action]
    expected = "FORBIDDEN" if hasattr(command, "account_id") else "NOT_FOUND"
    assert refusal_of(state, command, actor(OTHER_ID), is_visible=True) == expected


@pytest.mark.parametrize("action", OWNERS_TO_MANAGE)
def test_a_disabled_account_may_only_do_what_gives_nobody_a_new_right(action: AccountAction) -> None:
    state, command = COMMANDS[action]
    assert state is not None
    disabled = replace(state, disabled_at=NOW)
    expected = None if ACCOUNT_PERMISSIONS[action].while_disabled else "FORBIDDEN"
    assert refusal_of(disabled, command, OWNER) == expected
    assert refusal_of(disabled, command, THE_OPERATOR) is None


@pytest.mark.parametrize("action", [action for action in AccountAction if action not in BY_ITS_CODE])
def test_whoever_has_ended_meanwhile_may_only_take_rights_away(action: AccountAction) -> None:
    state, command = COMMANDS[action]
    expected = None if action in TAKES_RIGHTS_AWAY else "FORBIDDEN"
    assert refusal_of(state, command, THE_OPERATOR, are_credentials_over=True) == expected


@pytest.mark.parametrize("action", OWNERS_TO_MANAGE)
def test_the_operators_own_members_and_keys_are_the_operators_alone(action: AccountAction) -> None:
    state, command = COMMANDS[action]
    assert state is not None
    own = replace(state, id=OPERATOR_ID, is_operator=True)
    assert refusal_of(own, command, actor(OPERATOR_ID)) == "FORBIDDEN"
    assert refusal_of(own, command, THE_OPERATOR) is None


def test_an_account_that_does_not_exist_is_not_found_for_the_operator_too() -> None:
    for state, command in COMMANDS.values():
        if state is not None and not isinstance(command, commands.SetFees):
            assert refusal_of(None, command, THE_OPERATOR) == "NOT_FOUND"


def test_every_action_has_a_row_and_a_command() -> None:
    assert set(ACCOUNT_PERMISSIONS) == set(COMMANDS) == set(MAY) == set(AccountAction)


@pytest.mark.parametrize("action", AccountAction)
def test_the_service_itself_may_only_disable_endpoints(action: AccountAction) -> None:
    state, command = COMMANDS[action]
    is_seen = action in WITHOUT_OBJECT or (not hasattr(command, "account_id") and hasattr(command, "endpoint_id"))
    assert refusal_of(state, command, SYSTEM) == ("FORBIDDEN" if is_seen else "NOT_FOUND")


@pytest.mark.parametrize("reason", DisabledReason)
def test_the_reason_of_a_disabled_endpoint_is_the_owners_or_the_services(reason: DisabledReason) -> None:
    command = endpoints.DisableEndpoint(endpoint_id=LIMITED_ENDPOINT.id, reason=reason)
    asked = reason is DisabledReason.REQUESTED
    assert refusal_of(STUDIO, command, SYSTEM) == ("FORBIDDEN" if asked else None)
    for by in (OWNER, THE_OPERATOR):
        assert refusal_of(STUDIO, command, by) == (None if asked else "FORBIDDEN")


def test_a_key_for_some_contracts_manages_only_endpoints_for_some_of_those() -> None:
    limited = actor(contracts=frozenset({CONTRACT_ID}))
    for endpoint_id in (ENDPOINT.id, LIMITED_ENDPOINT.id):
        command = endpoints.DeleteEndpoint(endpoint_id=endpoint_id)
        assert refusal_of(STUDIO, command, limited) == ("FORBIDDEN" if endpoint_id == ENDPOINT.id else None)
    widened = endpoints.UpdateEndpoint(endpoint_id=LIMITED_ENDPOINT.id, limit=endpoints.Limit(None))
    assert refusal_of(STUDIO, widened, limited) == "FORBIDDEN"
    moved = endpoints.UpdateEndpoint(endpoint_id=LIMITED_ENDPOINT.id, limit=endpoints.Limit((OTHER_CONTRACT_ID,)))
    both = frozenset({CONTRACT_ID, OTHER_CONTRACT_ID})
    assert refusal_of(STUDIO, moved, limited, reachable_contract_ids=both) == "NOT_FOUND"
    assert refusal_of(STUDIO, moved, OWNER, reachable_contract_ids=both) is None
