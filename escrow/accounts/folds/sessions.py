"""Folds events about sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from escrow.access import Actor
from escrow.accounts import events
from escrow.accounts.folds.base import Folds
from escrow.accounts.state import Account, Session


def _session_created(state: Account, event: events.SessionCreated, at: datetime) -> Account:
    session = Session(
        id=event.session_id,
        member_id=event.member_id,
        scopes=event.scopes,
        contract_ids=event.contract_ids,
        origins=event.origins,
        hint=event.hint,
        fingerprint=event.fingerprint,
        created_at=at,
        expires_at=event.expires_at,
        opens_for_seconds=event.opens_for_seconds,
    )
    return _with(state, session)


def made_by(state: Account, session_id: str, actor: Actor) -> Account:
    """The account with what the log says beside the event: whose doing a new session is."""
    return _with(state, replace(state.sessions[session_id], created_by=actor.key_id))


def _session_opened(state: Account, event: events.SessionOpened, at: datetime) -> Account:
    opened = replace(
        state.sessions[event.session_id],
        expires_at=event.expires_at,
        hint=event.hint,
        fingerprint=event.fingerprint,
        opens_for_seconds=None,
    )
    return _with(state, opened)


def _session_ended(state: Account, event: events.SessionEnded, at: datetime) -> Account:
    return _with(state, replace(state.sessions[event.session_id], ended_at=at))


def _with(state: Account, session: Session) -> Account:
    return replace(state, sessions={**state.sessions, session.id: session})


FOLDS: Final[Folds] = {
    events.SessionCreated: _session_created,
    events.SessionOpened: _session_opened,
    events.SessionEnded: _session_ended,
}
