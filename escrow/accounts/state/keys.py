"""An API key: a program that acts for an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.access import Scope

KEYS_MAX: Final = 500
"""The most keys of an account that are not revoked, expired ones included; for the same reason."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, without its secret: `fingerprint` only recognises the stored digest (hexadecimal)."""

    id: str
    member_id: str | None
    name: str
    scopes: tuple[Scope, ...]
    contract_ids: tuple[str, ...] | None
    hint: str
    fingerprint: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    created_by: str | None = None
    """The key that made it; `None` if that was no key: the command line, or a member with an identity provider's token."""
