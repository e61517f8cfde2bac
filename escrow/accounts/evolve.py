"""The only way an account changes: one event folded into the state.

Every version of every event is folded for ever; what an event leaves open (names that were erased) reads as empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from escrow.accounts import events
from escrow.accounts.folds import endpoints
from escrow.accounts.state import Account, Key, Member
from escrow.agreement.events import Recorded


def evolve(state: Account | None, account_id: str, recorded: Recorded) -> Account:
    """``state`` after ``recorded``. Only ``account.created`` starts from nothing."""
    event, at = recorded.event, recorded.at
    if isinstance(event, events.AccountCreated):
        return Account(account_id, event.name, event.account_type, event.is_operator, created_at=at)
    if state is None:
        raise ValueError(f"the log of {account_id} begins with {event.type}, not with account.created")
    return _FOLDS[type(event)](state, event, at)


def _disabled(state: Account, _: events.AccountDisabled, at: datetime) -> Account:
    return replace(state, disabled_at=at)


def _enabled(state: Account, _: events.AccountEnabled, __: datetime) -> Account:
    return replace(state, disabled_at=None)


def _appointed(state: Account, _: events.MediatorAppointed, __: datetime) -> Account:
    return replace(state, is_mediator=True)


def _dismissed(state: Account, _: events.MediatorDismissed, __: datetime) -> Account:
    return replace(state, is_mediator=False)


def _member_added(state: Account, event: events.MemberAdded, at: datetime) -> Account:
    member = Member(event.member_id, event.person, event.name, event.role, added_at=at)
    return replace(state, members={**state.members, member.id: member})


def _member_removed(state: Account, event: events.MemberRemoved, at: datetime) -> Account:
    member = replace(state.members[event.member_id], removed_at=at)
    return replace(state, members={**state.members, member.id: member})


def _key_created(state: Account, event: events.KeyCreated, at: datetime) -> Account:
    key = Key(
        id=event.key_id,
        member_id=event.member_id,
        name=event.name,
        scopes=event.scopes,
        contract_ids=event.contract_ids,
        hint=event.hint,
        fingerprint=event.fingerprint,
        created_at=at,
        expires_at=event.expires_at,
    )
    return replace(state, keys={**state.keys, key.id: key})


def _key_revoked(state: Account, event: events.KeyRevoked, at: datetime) -> Account:
    key = replace(state.keys[event.key_id], revoked_at=at)
    return replace(state, keys={**state.keys, key.id: key})


def _fees_changed(state: Account, event: events.FeesChanged, _: datetime) -> Account:
    return replace(state, fees=event.fees)


_FOLDS: Final[dict[type, Callable[[Account, Any, datetime], Account]]] = {
    events.AccountDisabled: _disabled,
    events.AccountEnabled: _enabled,
    events.MediatorAppointed: _appointed,
    events.MediatorDismissed: _dismissed,
    events.MemberAdded: _member_added,
    events.MemberRemoved: _member_removed,
    events.KeyCreated: _key_created,
    events.KeyRevoked: _key_revoked,
    events.FeesChanged: _fees_changed,
    **endpoints.FOLDS,
}
