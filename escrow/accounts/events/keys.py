"""Facts about API keys."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from escrow.access import Scope
from escrow.agreement.events import Event, Text


class RevocationReason(StrEnum):
    """Why a key ended."""

    REVOKED = "REVOKED"
    MEMBER_REMOVED = "MEMBER_REMOVED"
    MAKER_REVOKED = "MAKER_REVOKED"
    """The key that made it was revoked, with all that came of it."""


class KeyCreated(Event):
    """A program may act for the account, as a member or as an owner, within scopes and possibly some contracts.

    `fingerprint` is the sha256 of the stored digest of the secret, `hint` the last characters of what was shown.
    """

    type: ClassVar = "key.created"
    key_id: str
    member_id: str | None
    scopes: tuple[Scope, ...]
    contract_ids: tuple[str, ...] | None
    expires_at: datetime | None
    hint: str
    fingerprint: str
    name: Text


class KeyRevoked(Event):
    """The key opens nothing any more."""

    type: ClassVar = "key.revoked"
    key_id: str
    reason: RevocationReason
