"""A member: a person who acts for an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.access import Role

MEMBERS_MAX: Final = 500
"""The most members of an account at one time: bounds what a command loads, and what one removal writes."""


@dataclass(frozen=True, slots=True)
class Member:
    """A person who acts for an account."""

    id: str
    person: str
    name: str
    role: Role
    added_at: datetime
    removed_at: datetime | None = None
