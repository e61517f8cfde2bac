"""Folds one event into an account, the only way in which one changes.

Every version of every event is folded for ever; what an event leaves open (names that were erased) reads as empty.
"""

from __future__ import annotations

from escrow.accounts import events
from escrow.accounts.folds import FOLDS, keys, sessions
from escrow.accounts.state import Account
from escrow.agreement.events import Recorded


def evolve(state: Account | None, account_id: str, recorded: Recorded) -> Account:
    """`state` after `recorded`. Only `account.created` starts from nothing."""
    event, at = recorded.event, recorded.at
    if isinstance(event, events.AccountCreated):
        return Account(account_id, event.name, event.account_type, event.is_operator, created_at=at)
    if state is None:
        raise ValueError(f"the log of {account_id} begins with {event.type}, not with account.created")
    after = FOLDS[type(event)](state, event, at)
    if isinstance(event, events.KeyCreated):
        return keys.made_by(after, event.key_id, recorded.actor)
    if isinstance(event, events.SessionCreated):
        return sessions.made_by(after, event.session_id, recorded.actor)
    return after
