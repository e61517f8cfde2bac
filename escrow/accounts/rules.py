"""Says who may do what with accounts: a table, and the one function that reads it.

What the operator alone may do, it may do with any account. The rest is for the owners of the account itself, and for the
operator. The operator's own members and keys are in nobody's hands but the operator's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from escrow.access import Actor, ActorKind, Role, Scope
from escrow.accounts.state import Account
from escrow.agreement.authorisation import missing_role, missing_scope
from escrow.errors import Forbidden


class AccountAction(StrEnum):
    """What a person or a program may ask of an account."""

    CREATE_ACCOUNT = "CREATE_ACCOUNT"
    DISABLE_ACCOUNT = "DISABLE_ACCOUNT"
    ENABLE_ACCOUNT = "ENABLE_ACCOUNT"
    APPOINT_MEDIATOR = "APPOINT_MEDIATOR"
    DISMISS_MEDIATOR = "DISMISS_MEDIATOR"
    SET_RATE = "SET_RATE"
    ADD_MEMBER = "ADD_MEMBER"
    REMOVE_MEMBER = "REMOVE_MEMBER"
    CREATE_API_KEY = "CREATE_API_KEY"
    REVOKE_API_KEY = "REVOKE_API_KEY"
    CREATE_SESSION = "CREATE_SESSION"
    OPEN_SESSION = "OPEN_SESSION"
    REVOKE_SESSION = "REVOKE_SESSION"
    SET_FEES = "SET_FEES"
    CREATE_ENDPOINT = "CREATE_ENDPOINT"
    UPDATE_ENDPOINT = "UPDATE_ENDPOINT"
    ENABLE_ENDPOINT = "ENABLE_ENDPOINT"
    DISABLE_ENDPOINT = "DISABLE_ENDPOINT"
    DELETE_ENDPOINT = "DELETE_ENDPOINT"
    CONNECT_PAYEE = "CONNECT_PAYEE"
    ROTATE_SECRET = "ROTATE_SECRET"  # noqa: S105 - the name of an action


@dataclass(frozen=True, slots=True)
class AccountPermission:
    """From which role upwards, with which scope of the account's own key (none: only the operator may).

    `also` is a scope that an own key needs beside the first. `while_disabled` tells whether the account's owners may do it
    although the operator disabled the account; `within_contracts` whether a key that is limited to some contracts may do it,
    within those. `hands_out` tells what gives rights, secrets or events to somebody beyond the moment, or gives them back: no
    session may do it.
    """

    role: Role
    scope: Scope | None = None
    also: Scope | None = None
    while_disabled: bool = False
    within_contracts: bool = False
    hands_out: bool = False


ACCOUNT_PERMISSIONS: Final[dict[AccountAction, AccountPermission]] = {
    AccountAction.CREATE_ACCOUNT: AccountPermission(Role.MANAGER, hands_out=True),
    AccountAction.DISABLE_ACCOUNT: AccountPermission(Role.MANAGER),
    AccountAction.ENABLE_ACCOUNT: AccountPermission(Role.MANAGER, hands_out=True),
    AccountAction.APPOINT_MEDIATOR: AccountPermission(Role.MANAGER, hands_out=True),
    AccountAction.DISMISS_MEDIATOR: AccountPermission(Role.MANAGER),
    AccountAction.SET_RATE: AccountPermission(Role.MANAGER),
    AccountAction.SET_FEES: AccountPermission(Role.OWNER),
    AccountAction.ADD_MEMBER: AccountPermission(Role.OWNER, Scope.MONEY_WRITE, hands_out=True),
    AccountAction.REMOVE_MEMBER: AccountPermission(Role.OWNER, Scope.MONEY_WRITE, while_disabled=True),
    AccountAction.CREATE_API_KEY: AccountPermission(
        Role.OWNER, Scope.CONTRACTS_WRITE, within_contracts=True, hands_out=True
    ),
    AccountAction.REVOKE_API_KEY: AccountPermission(
        Role.OWNER, Scope.CONTRACTS_WRITE, while_disabled=True, within_contracts=True
    ),
    AccountAction.CREATE_SESSION: AccountPermission(
        Role.VIEWER, Scope.CONTRACTS_READ, within_contracts=True, hands_out=True
    ),
    AccountAction.OPEN_SESSION: AccountPermission(
        Role.VIEWER, Scope.CONTRACTS_READ, while_disabled=True, within_contracts=True
    ),
    AccountAction.REVOKE_SESSION: AccountPermission(
        Role.OWNER, Scope.CONTRACTS_WRITE, while_disabled=True, within_contracts=True
    ),
    AccountAction.CREATE_ENDPOINT: AccountPermission(
        Role.OWNER, Scope.WEBHOOKS_MANAGE, also=Scope.CONTRACTS_READ, within_contracts=True, hands_out=True
    ),
    AccountAction.UPDATE_ENDPOINT: AccountPermission(
        Role.OWNER, Scope.WEBHOOKS_MANAGE, also=Scope.CONTRACTS_READ, within_contracts=True, hands_out=True
    ),
    AccountAction.ENABLE_ENDPOINT: AccountPermission(
        Role.OWNER, Scope.WEBHOOKS_MANAGE, while_disabled=True, within_contracts=True, hands_out=True
    ),
    AccountAction.DISABLE_ENDPOINT: AccountPermission(
        Role.OWNER, Scope.WEBHOOKS_MANAGE, while_disabled=True, within_contracts=True
    ),
    AccountAction.DELETE_ENDPOINT: AccountPermission(
        Role.OWNER, Scope.WEBHOOKS_MANAGE, while_disabled=True, within_contracts=True
    ),
    AccountAction.ROTATE_SECRET: AccountPermission(
        Role.OWNER, Scope.WEBHOOKS_MANAGE, while_disabled=True, within_contracts=True, hands_out=True
    ),
    AccountAction.CONNECT_PAYEE: AccountPermission(Role.OWNER, Scope.MONEY_WRITE, while_disabled=True, hands_out=True),
}
"""docs/law.md, section 1, as data. Members need `money:write`, because whoever adds an owner can move money; a new key
never exceeds its creator's, so `contracts:write` is enough for it. An endpoint outlives whoever made it, as a key does, so it
is in the owners' hands, too; and it gets what the account may read, so whoever makes one or says where it sends and what must be
able to read that, too."""


def is_operator(actor: Actor) -> bool:
    """Whether the actor is the operator at large; a key limited to some contracts has no say over accounts."""
    return actor.kind is ActorKind.OPERATOR and actor.contract_ids is None


def forbidden(action: AccountAction, account: Account | None, actor: Actor) -> Forbidden | None:
    """What the table says against this actor; `account` is one that it sees, or `None` where there is none yet."""
    permission = ACCOUNT_PERMISSIONS[action]
    if refusal := _forbidden_for_session(permission, actor):
        return refusal
    if actor.kind not in (ActorKind.ACCOUNT, ActorKind.OPERATOR):
        return Forbidden(f"This is for people and their programs, not for {actor.kind.value.lower()}.")
    if not is_operator(actor):
        if permission.scope is None or account is None or account.is_operator:
            return Forbidden("Only the operator may do this.")
        if account.id != actor.account_id:
            return Forbidden("Only the account's own owners and the operator may do this.")
    refusal = missing_role(actor, permission.role)
    return refusal if refusal is not None or is_operator(actor) else _forbidden_for_own_key(permission, actor)


def _forbidden_for_session(permission: AccountPermission, actor: Actor) -> Forbidden | None:
    if actor.session_id is None:
        return None
    if permission.hands_out:
        return Forbidden("A session makes nothing that outlives it; this takes a key.")
    if actor.contract_ids is not None:
        return Forbidden("This session is limited to some contracts; this is about the account.")
    return None


def _forbidden_for_own_key(permission: AccountPermission, actor: Actor) -> Forbidden | None:
    if actor.contract_ids is not None and not permission.within_contracts:
        return Forbidden("This key is limited to some contracts; this is about the whole account.")
    needed = [scope for scope in (permission.scope, permission.also) if scope is not None]
    return next((missing for scope in needed if (missing := missing_scope(actor, scope))), None)


def barred(
    action: AccountAction, account: Account | None, actor: Actor, *, are_credentials_over: bool = False
) -> Forbidden | None:
    """What the operator's bar on the account says against its owners; unlike the table, it comes and goes.

    Credentials that ended while their command was under way give no rights any more, either.
    """
    if are_credentials_over and (refusal := forbidden_after_the_end(action, actor)):
        return refusal
    is_barred = account is not None and account.disabled_at is not None and not is_operator(actor)
    if is_barred and not ACCOUNT_PERMISSIONS[action].while_disabled:
        return Forbidden("Your account is disabled.")
    return None


def forbidden_after_the_end(action: AccountAction, actor: Actor) -> Forbidden | None:
    """What is said to whoever's key, session or membership has ended: nothing is made or shown that outlives them.

    What takes rights away goes on, so that a key which ended itself also ends what came of it.
    """
    permission = ACCOUNT_PERMISSIONS[action]
    if permission.while_disabled and not permission.hands_out:
        return None
    if actor.session_id is not None:
        return Forbidden("This session has ended.")
    return Forbidden("This key was revoked." if actor.key_id is not None else "This member was removed.")
