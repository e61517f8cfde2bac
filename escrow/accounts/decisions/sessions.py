"""Decides on sessions: who makes one for whom, what it may do, and who ends it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from escrow import ids
from escrow.access import Actor, Role, Scope
from escrow.accounts import commands, events, inputs
from escrow.accounts.decisions.base import (
    Context,
    Decisions,
    Events,
    check_contracts_exist,
    check_permitted,
    no_such_contract,
    own,
    there,
)
from escrow.accounts.events import SessionEnding
from escrow.accounts.rules import is_operator
from escrow.accounts.state import LINK_LIFETIME, SESSIONS_MAX, SESSIONS_OF_A_MEMBER_MAX, Account, Session
from escrow.agreement.authorisation import missing_role
from escrow.errors import Forbidden, InvalidState, NotFound


def entitle_to_create(state: Account | None, command: commands.CreateSession, context: Context) -> None:
    """Refuses whoever may not make such a session, whatever the account's state."""
    actor = context.actor
    if state is None or not (own(state, actor) or (command.account_id is not None and context.around.is_visible)):
        raise _no_such_party(command)
    check_permitted(command.action, state, actor)
    if actor.key_id is None and actor.member_id is not None:
        raise Forbidden("A session is made with a key.")
    is_for_its_maker = command.member_id is not None and command.member_id == actor.member_id
    if not is_for_its_maker and (refusal := missing_role(actor, Role.OWNER)):
        raise refusal
    _check_no_more_than_its_maker(command, actor)


def _no_such_party(command: commands.CreateSession) -> NotFound:
    if command.account_id is None:
        return NotFound(f"There is no member {command.member_id}.", field="memberId")
    return NotFound(f"There is no account {command.account_id}.", field="accountId")


def _check_no_more_than_its_maker(command: commands.CreateSession, actor: Actor) -> None:
    if is_operator(actor) and missing_role(actor, Role.OWNER) is None:
        return  # who could make any key
    beyond = [scope.value for scope in Scope if scope in command.scopes and scope not in actor.scopes]
    if beyond:
        raise Forbidden(
            f"A session has no scope that its key lacks: {', '.join(beyond)}.",
            field="scopes",
            details={"scopes": beyond},
        )
    for index, contract_id in enumerate(command.contract_ids or ()):
        if actor.contract_ids is not None and contract_id not in actor.contract_ids:
            raise no_such_contract(contract_id, index)


def _create_session(state: Account | None, command: commands.CreateSession, context: Context) -> Events:
    account = there(state)
    _check_member(account, command)
    check_contracts_exist(command.contract_ids, context.around)
    _check_room(account, command.member_id, context.around.real_now)
    if command.session_id in account.sessions:
        raise InvalidState(f"There is a session {command.session_id} already.")
    lifetime = inputs.session_lifetime(command.lifetime)
    return (
        events.SessionCreated(
            session_id=inputs.identifier(ids.Kind.SESSION, command.session_id, field="sessionId"),
            member_id=command.member_id,
            scopes=inputs.scopes(command.scopes, on_operator=account.is_operator),
            contract_ids=inputs.contract_ids(_reached(command, context.actor)),
            origins=inputs.origins(command.origins),
            expires_at=context.around.real_now + (LINK_LIFETIME if command.is_link else lifetime),
            opens_for_seconds=inputs.seconds_of(lifetime) if command.is_link else None,
            hint=command.token.hint,
            fingerprint=command.token.fingerprint,
        ),
    )


def _check_room(account: Account, member_id: str | None, real_now: datetime) -> None:
    living = _living(account, real_now)
    if len(living) >= SESSIONS_MAX:
        raise InvalidState(f"An account has at most {SESSIONS_MAX} sessions at a time; end some first.")
    if member_id is not None and sum(one.member_id == member_id for one in living) >= SESSIONS_OF_A_MEMBER_MAX:
        raise InvalidState(
            f"A member has at most {SESSIONS_OF_A_MEMBER_MAX} sessions at a time; end some first.", field="memberId"
        )


def _check_member(account: Account, command: commands.CreateSession) -> None:
    if command.member_id is None:
        return
    member = account.members.get(command.member_id)
    if member is None:
        raise NotFound(f"There is no member {command.member_id}.", field="memberId")
    if member.removed_at is not None:
        raise InvalidState("This member was removed.", field="memberId")


def _reached(command: commands.CreateSession, actor: Actor) -> tuple[str, ...] | None:
    """The contracts that the session is limited to: those that were named, else those of its maker."""
    if command.contract_ids is not None or actor.contract_ids is None:
        return command.contract_ids
    return tuple(sorted(actor.contract_ids))


def _living(account: Account, real_now: datetime) -> list[Session]:
    return [one for one in account.sessions.values() if one.ended_at is None and one.expires_at > real_now]


def entitle_to_open(state: Account | None, command: commands.OpenSession, actor: Actor) -> None:
    """Refuses everybody but whoever showed the code: they act as the session."""
    if state is None or actor.session_id != command.session_id or command.session_id not in state.sessions:
        raise NotFound("There is no such link.", field="code")


def _open_session(state: Account | None, command: commands.OpenSession, context: Context) -> Events:
    session = there(state).sessions[command.session_id]
    if session.opens_for_seconds is None:
        raise InvalidState("This link was opened already; it works once.", field="code")
    if session.ended_at is not None:
        raise InvalidState("This link was revoked.", field="code")
    if session.expires_at <= context.around.real_now:
        raise InvalidState("This link has expired; ask for another one.", field="code")
    return (
        events.SessionOpened(
            session_id=session.id,
            expires_at=context.around.real_now + timedelta(seconds=session.opens_for_seconds),
            hint=command.token.hint,
            fingerprint=command.token.fingerprint,
        ),
    )


def entitle_to_revoke(state: Account | None, command: commands.RevokeSession, actor: Actor) -> None:
    """Refuses whoever may not end the session: itself, its member and the key that made it may, and who ends keys."""
    account, session = session_found(state, command, actor)
    is_limited = actor.session_id is not None and actor.contract_ids is not None
    is_its_own = session.id == actor.session_id or (
        session.member_id is not None and session.member_id == actor.member_id and not is_limited
    )
    if is_its_own or (session.created_by is not None and session.created_by == actor.key_id):
        return
    check_permitted(command.action, account, actor)
    if actor.contract_ids is not None and not (
        session.contract_ids and actor.contract_ids.issuperset(session.contract_ids)
    ):
        raise Forbidden("This key is limited to some contracts; it ends only sessions limited to some of those.")


def session_found(state: Account | None, command: commands.RevokeSession, actor: Actor) -> tuple[Account, Session]:
    """The session with its account, if it exists for the actor."""
    account = own(state, actor)
    session = account.sessions.get(command.session_id) if account is not None else None
    if account is None or session is None:
        raise NotFound(f"There is no session {command.session_id}.", field="sessionId")
    return account, session


def _revoke_session(state: Account | None, command: commands.RevokeSession, context: Context) -> Events:
    _, session = session_found(state, command, context.actor)
    if session.ended_at is not None:
        return ()
    reason = SessionEnding.MAKER_REVOKED if command.for_its_maker else SessionEnding.REVOKED
    return (events.SessionEnded(session_id=session.id, reason=reason),)


def ended_with_keys(account: Account, key_ids: Collection[str]) -> Events:
    """The ends of the sessions that these keys have made."""
    return _ended((one for one in account.sessions.values() if one.created_by in key_ids), SessionEnding.MAKER_REVOKED)


def ended_with_member(account: Account, member_id: str, key_ids: Collection[str]) -> Events:
    """The ends of the sessions of a member who goes, and of those that the member's keys have made."""
    own_ones = [one for one in account.sessions.values() if one.member_id == member_id]
    others = [one for one in account.sessions.values() if one.created_by in key_ids and one not in own_ones]
    return (*_ended(own_ones, SessionEnding.MEMBER_REMOVED), *_ended(others, SessionEnding.MAKER_REVOKED))


def ended_with_account(account: Account) -> Events:
    """The ends of all sessions of an account that is disabled."""
    return _ended(account.sessions.values(), SessionEnding.ACCOUNT_DISABLED)


def _ended(sessions: Iterable[Session], reason: SessionEnding) -> Events:
    return tuple(events.SessionEnded(session_id=one.id, reason=reason) for one in sessions if one.ended_at is None)


DECISIONS: Final[Decisions] = {
    commands.CreateSession: _create_session,
    commands.OpenSession: _open_session,
    commands.RevokeSession: _revoke_session,
}
