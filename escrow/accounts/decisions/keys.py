"""Decides on API keys: what a new one may do, and who may end one."""

from __future__ import annotations

from typing import Final

from escrow import ids
from escrow.access import Actor, Scope
from escrow.accounts import commands, events, inputs
from escrow.accounts.decisions import sessions
from escrow.accounts.decisions.base import (
    Context,
    Decisions,
    Events,
    check_contracts_exist,
    no_such_contract,
    own,
    there,
)
from escrow.accounts.rules import is_operator
from escrow.accounts.state import KEYS_MAX, Account, Key, Member
from escrow.errors import Forbidden, InvalidState, NotFound


def _create_key(state: Account | None, command: commands.CreateApiKey, context: Context) -> Events:
    account = there(state)
    member = _member_of_key(account, command)
    check_contracts_exist(command.contract_ids, context.around)
    if len(account.valid_keys) >= KEYS_MAX:
        raise InvalidState(f"An account has at most {KEYS_MAX} keys; revoke some first.")
    if command.key_id in account.keys:
        raise InvalidState(f"There is a key {command.key_id} already.")
    if member is not None and member.removed_at is not None:
        raise InvalidState("This member was removed.", field="memberId")
    return (
        events.KeyCreated(
            key_id=inputs.identifier(ids.Kind.KEY, command.key_id, field="keyId"),
            member_id=command.member_id,
            scopes=inputs.scopes(command.scopes, on_operator=account.is_operator),
            contract_ids=inputs.contract_ids(command.contract_ids),
            expires_at=inputs.expiry(command.expires_at, real_now=context.around.real_now),
            hint=command.token.hint,
            fingerprint=command.token.fingerprint,
            name=inputs.name(command.name),
        ),
    )


def check_no_more_than_its_creator(command: commands.CreateApiKey, actor: Actor) -> None:
    """Roles need no check: whoever may create keys is an owner, the highest there is."""
    if is_operator(actor):
        return
    beyond = [scope for scope in Scope if scope in command.scopes and scope not in actor.scopes]
    if beyond:
        raise Forbidden(
            f"A key gives no scope that it lacks itself: {', '.join(one.spelt for one in beyond)}.",
            field="scopes",
            details={"scopes": [one.value for one in beyond]},
        )
    if actor.contract_ids is not None and command.contract_ids is None:
        raise Forbidden(
            "This key is limited to some contracts; limit the new one to some of those.", field="contractIds"
        )
    for index, contract_id in enumerate(command.contract_ids or ()):
        if actor.contract_ids is not None and contract_id not in actor.contract_ids:
            raise no_such_contract(contract_id, index)


def _member_of_key(account: Account, command: commands.CreateApiKey) -> Member | None:
    if command.member_id is None:
        return None
    member = account.members.get(command.member_id)
    if member is None:
        raise NotFound(f"There is no member {command.member_id}.", field="memberId")
    return member


def _revoke_key(state: Account | None, command: commands.RevokeApiKey, context: Context) -> Events:
    account, key = key_found(state, command, context.actor)
    made = account.descendants_of(key.id) if command.with_descendants else ()
    revoked = tuple(
        events.KeyRevoked(key_id=one.id, reason=reason)
        for one, reason in (
            (key, events.RevocationReason.REVOKED),
            *((one, events.RevocationReason.MAKER_REVOKED) for one in made),
        )
        if one.revoked_at is None
    )
    return (*revoked, *sessions.ended_with_keys(account, {key.id, *(one.id for one in made)}))


def key_found(state: Account | None, command: commands.RevokeApiKey, actor: Actor) -> tuple[Account, Key]:
    account = own(state, actor)
    key = account.keys.get(command.key_id) if account is not None else None
    if account is None or key is None:
        raise NotFound(f"There is no key {command.key_id}.", field="keyId")
    return account, key


def check_ends_no_more_than_its_own(key: Key, actor: Actor) -> None:
    if actor.contract_ids is not None and not (key.contract_ids and actor.contract_ids.issuperset(key.contract_ids)):
        raise Forbidden("This key is limited to some contracts; it ends only keys limited to some of those.")


DECISIONS: Final[Decisions] = {
    commands.CreateApiKey: _create_key,
    commands.RevokeApiKey: _revoke_key,
}
