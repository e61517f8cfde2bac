"""What comes of a command on an account: events, or the first refusal in the order of the law.

The order is section 3's, read for accounts: not found; forbidden by the table of roles; an object not found; the account's
state; the object's state; same party; invalid input. Asking for what already is changes nothing and is no error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from escrow import ids
from escrow.access import AccountType, Actor, Role, Scope
from escrow.accounts import commands, events, inputs
from escrow.accounts.commands.endpoints import CreateEndpoint, EndpointCommand
from escrow.accounts.decisions import endpoints
from escrow.accounts.rules import AccountAction, barred, forbidden, is_operator
from escrow.accounts.state import KEYS_MAX, MEMBERS_MAX, Account, AccountSurroundings, Key, Member
from escrow.agreement.events import Event
from escrow.agreement.permit import same_party
from escrow.agreement.state import Fees
from escrow.errors import Forbidden, InvalidState, NotFound

Events = Sequence[Event]


def decide(
    state: Account | None, command: commands.AccountCommand, *, actor: Actor, around: AccountSurroundings
) -> Events:
    """The events that the command causes, none if it asks for what already is. Refuses with a ``DomainError``."""
    entitle(state, command, actor=actor, around=around)
    if refusal := barred(command.action, state, actor):
        raise refusal
    return _DECISIONS[type(command)](state, command, actor, around)


def entitle(
    state: Account | None, command: commands.AccountCommand, *, actor: Actor, around: AccountSurroundings
) -> None:
    """Refuses an actor that doesn't see the account or that the table doesn't let ask for this, whatever its state.

    It is asked before every command, and again before a repetition is answered with what came of the first.
    """
    if isinstance(command, commands.CreateOperator | commands.CreateAccount | commands.SetFees):
        _permit(command.action, None, actor)
    elif isinstance(command, commands.RemoveMember):
        account, _ = _member_found(state, command, actor)
        _permit(command.action, account, actor)
    elif isinstance(command, commands.RevokeApiKey):
        account, key = _key_found(state, command, actor)
        _permit(command.action, account, actor)
        _ends_no_more_than_its_own(key, actor)
    elif isinstance(command, EndpointCommand) and not isinstance(command, CreateEndpoint):
        endpoints.entitle(state, command, actor)
    else:
        if state is None or not (_own(state, actor) or around.is_visible):
            raise NotFound(f"There is no account {command.account_id}.", field="accountId")
        if isinstance(command, CreateEndpoint):
            endpoints.entitle(state, command, actor)
            return
        _permit(command.action, state, actor)
        if isinstance(command, commands.CreateApiKey):
            _never_more_than_its_creator(command, actor)


def _create_operator(
    state: Account | None, command: commands.CreateOperator, actor: Actor, around: AccountSurroundings
) -> Events:
    if state is not None or around.operator_exists:
        raise InvalidState("The operator's account exists already; a deployment has one.")
    inputs.identifier(ids.Kind.ACCOUNT, command.account_id, field="accountId")
    name = inputs.name(command.name)
    # What the operator is by law has no bearing on rights or money; a company is what it usually is.
    return (events.AccountCreated(account_type=AccountType.COMPANY, is_operator=True, name=name),)


def _create_account(
    state: Account | None, command: commands.CreateAccount, actor: Actor, _: AccountSurroundings
) -> Events:
    if state is not None:
        raise InvalidState(f"There is an account {command.account_id} already.")
    inputs.identifier(ids.Kind.ACCOUNT, command.account_id, field="accountId")
    created = events.AccountCreated(account_type=command.type, is_operator=False, name=inputs.name(command.name))
    if command.owner is None:
        return (created,)
    return (created, _member_added(command.owner, Role.OWNER, field="owner."))


def _disable(
    state: Account | None, command: commands.DisableAccount, actor: Actor, around: AccountSurroundings
) -> Events:
    account = _there(state)
    if account.is_operator:
        raise InvalidState("The operator's own account cannot be disabled.")
    return () if account.disabled_at is not None else (events.AccountDisabled(),)


def _enable(
    state: Account | None, command: commands.EnableAccount, actor: Actor, around: AccountSurroundings
) -> Events:
    account = _there(state)
    return () if account.disabled_at is None else (events.AccountEnabled(),)


def _appoint(
    state: Account | None, command: commands.AppointMediator, actor: Actor, around: AccountSurroundings
) -> Events:
    account = _there(state)
    if account.is_operator:
        raise InvalidState("The operator decides disputes anyway; a mediator is another account.")
    return () if account.is_mediator else (events.MediatorAppointed(),)


def _dismiss(
    state: Account | None, command: commands.DismissMediator, actor: Actor, around: AccountSurroundings
) -> Events:
    account = _there(state)
    return (events.MediatorDismissed(),) if account.is_mediator else ()


def _add_member(
    state: Account | None, command: commands.AddMember, actor: Actor, around: AccountSurroundings
) -> Events:
    account = _there(state)
    if len(account.present_members) >= MEMBERS_MAX:
        raise InvalidState(f"An account has at most {MEMBERS_MAX} members.")
    if command.member_id in account.members:
        raise InvalidState(f"There is a member {command.member_id} already.")
    same = [member for member in account.present_members if member.person == inputs.spelling(command.person)]
    if same:
        raise InvalidState("This person is a member already.", field="person", details={"memberId": same[0].id})
    if around.shared_with is not None:
        raise same_party()
    draft = commands.MemberDraft(member_id=command.member_id, person=command.person, name=command.name)
    return (_member_added(draft, command.role),)


def _member_added(draft: commands.MemberDraft, role: Role, *, field: str = "") -> events.MemberAdded:
    return events.MemberAdded(
        member_id=inputs.identifier(ids.Kind.MEMBER, draft.member_id, field=f"{field}memberId"),
        role=role,
        person=inputs.person(draft.person, field=f"{field}person"),
        name=inputs.name(draft.name, field=f"{field}name"),
    )


def _remove_member(
    state: Account | None, command: commands.RemoveMember, actor: Actor, around: AccountSurroundings
) -> Events:
    account, member = _member_found(state, command, actor)
    if member.removed_at is not None:
        return ()
    owners = [other for other in account.present_members if other.role is Role.OWNER]
    if owners == [member]:
        raise InvalidState("The last owner cannot be removed; add another owner first.", field="memberId")
    ended = [key for key in account.valid_keys if key.member_id == member.id]
    reason = events.RevocationReason.MEMBER_REMOVED
    return (
        events.MemberRemoved(member_id=member.id),
        *(events.KeyRevoked(key_id=key.id, reason=reason) for key in ended),
    )


def _create_key(
    state: Account | None, command: commands.CreateApiKey, actor: Actor, around: AccountSurroundings
) -> Events:
    account = _there(state)
    member = _member_of_key(account, command)
    _contracts_exist(command, around)
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
            expires_at=inputs.expiry(command.expires_at, real_now=around.real_now),
            hint=command.token.hint,
            fingerprint=command.token.fingerprint,
            name=inputs.name(command.name),
        ),
    )


def _never_more_than_its_creator(command: commands.CreateApiKey, actor: Actor) -> None:
    """Roles need no check: whoever may create keys is an owner, the highest there is."""
    if is_operator(actor):
        return
    beyond = [scope.value for scope in Scope if scope in command.scopes and scope not in actor.scopes]
    if beyond:
        raise Forbidden(
            f"A key gives no scope that it lacks itself: {', '.join(beyond)}.",
            field="scopes",
            details={"scopes": beyond},
        )
    if actor.contract_ids is not None and command.contract_ids is None:
        raise Forbidden(
            "This key is limited to some contracts; limit the new one to some of those.", field="contractIds"
        )
    for index, contract_id in enumerate(command.contract_ids or ()):
        if actor.contract_ids is not None and contract_id not in actor.contract_ids:
            raise _no_such_contract(contract_id, index)


def _member_of_key(account: Account, command: commands.CreateApiKey) -> Member | None:
    if command.member_id is None:
        return None
    member = account.members.get(command.member_id)
    if member is None:
        raise NotFound(f"There is no member {command.member_id}.", field="memberId")
    return member


def _contracts_exist(command: commands.CreateApiKey, around: AccountSurroundings) -> None:
    for index, contract_id in enumerate(command.contract_ids or ()):
        if contract_id not in around.reachable_contract_ids:
            raise _no_such_contract(contract_id, index)


def _no_such_contract(contract_id: str, index: int) -> NotFound:
    return NotFound(f"There is no contract {contract_id}.", field=f"contractIds.{index}")


def _revoke_key(state: Account | None, command: commands.RevokeApiKey, actor: Actor, _: AccountSurroundings) -> Events:
    key = _key_found(state, command, actor)[1]
    if key.revoked_at is not None:
        return ()
    return (events.KeyRevoked(key_id=key.id, reason=events.RevocationReason.REVOKED),)


def _set_fees(state: Account | None, command: commands.SetFees, actor: Actor, _: AccountSurroundings) -> Events:
    if state is None:
        raise InvalidState(
            "This deployment has no operator yet: make its first key with “earnest keys create --operator”."
        )
    fees = Fees(
        client_bps=inputs.basis_points(command.client_bps, field="clientBasisPoints"),
        freelancer_bps=inputs.basis_points(command.freelancer_bps, field="freelancerBasisPoints"),
    )
    return () if fees == state.fees else (events.FeesChanged(fees=fees),)


def _permit(action: AccountAction, account: Account | None, actor: Actor) -> None:
    refusal = forbidden(action, account, actor)
    if refusal is not None:
        raise refusal


def _there(state: Account | None) -> Account:
    """The account that the command names: ``entitle`` has seen to it that there is one."""
    if state is None:
        raise ValueError("a command on no account was let through")
    return state


def _member_found(state: Account | None, command: commands.RemoveMember, actor: Actor) -> tuple[Account, Member]:
    account = _own(state, actor)
    member = account.members.get(command.member_id) if account is not None else None
    if account is None or member is None:
        raise NotFound(f"There is no member {command.member_id}.", field="memberId")
    return account, member


def _key_found(state: Account | None, command: commands.RevokeApiKey, actor: Actor) -> tuple[Account, Key]:
    account = _own(state, actor)
    key = account.keys.get(command.key_id) if account is not None else None
    if account is None or key is None:
        raise NotFound(f"There is no key {command.key_id}.", field="keyId")
    return account, key


def _ends_no_more_than_its_own(key: Key, actor: Actor) -> None:
    if actor.contract_ids is not None and not (key.contract_ids and actor.contract_ids.issuperset(key.contract_ids)):
        raise Forbidden("This key is limited to some contracts; it ends only keys limited to some of those.")


def _own(state: Account | None, actor: Actor) -> Account | None:
    """The account, if the actor sees its members and keys: those of other accounts exist for the operator only."""
    return state if state is not None and (is_operator(actor) or state.id == actor.account_id) else None


_DECISIONS: Final[dict[type, Callable[[Any, Any, Actor, AccountSurroundings], Events]]] = {
    commands.CreateOperator: _create_operator,
    commands.CreateAccount: _create_account,
    commands.DisableAccount: _disable,
    commands.EnableAccount: _enable,
    commands.AppointMediator: _appoint,
    commands.DismissMediator: _dismiss,
    commands.AddMember: _add_member,
    commands.RemoveMember: _remove_member,
    commands.CreateApiKey: _create_key,
    commands.RevokeApiKey: _revoke_key,
    commands.SetFees: _set_fees,
    **endpoints.DECISIONS,
}
