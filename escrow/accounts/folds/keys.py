"""Folds events about API keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from escrow.access import Actor
from escrow.accounts import events
from escrow.accounts.folds.base import Folds
from escrow.accounts.state import Account, Key


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


def made_by(state: Account, key_id: str, actor: Actor) -> Account:
    """The account with what the log says beside the event: whose doing a new key is."""
    key = replace(state.keys[key_id], created_by=actor.key_id)
    return replace(state, keys={**state.keys, key_id: key})


def _key_revoked(state: Account, event: events.KeyRevoked, at: datetime) -> Account:
    key = replace(state.keys[event.key_id], revoked_at=at)
    return replace(state, keys={**state.keys, key.id: key})


FOLDS: Final[Folds] = {
    events.KeyCreated: _key_created,
    events.KeyRevoked: _key_revoked,
}
