"""Folds events about members."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from escrow.accounts import events
from escrow.accounts.folds.base import Folds
from escrow.accounts.state import Account, Member


def _member_added(state: Account, event: events.MemberAdded, at: datetime) -> Account:
    member = Member(event.member_id, event.person, event.name, event.role, added_at=at)
    return replace(state, members={**state.members, member.id: member})


def _member_removed(state: Account, event: events.MemberRemoved, at: datetime) -> Account:
    member = replace(state.members[event.member_id], removed_at=at)
    return replace(state, members={**state.members, member.id: member})


FOLDS: Final[Folds] = {
    events.MemberAdded: _member_added,
    events.MemberRemoved: _member_removed,
}
