"""Facts about sessions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from escrow.access import Scope
from escrow.agreement.events import Event


class SessionEnding(StrEnum):
    """Why a session ended before its time."""

    REVOKED = "REVOKED"
    MAKER_REVOKED = "MAKER_REVOKED"
    """The key that made it has ended."""
    MEMBER_REMOVED = "MEMBER_REMOVED"
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED"


class SessionCreated(Event):
    """A browser may act for the account until `expires_at`, as a member or as an owner, within scopes and some contracts.

    With `opens_for_seconds` it is a link that waits until `expires_at` to be opened, and then lasts that long. `fingerprint` is
    the sha256 of the stored digest of the secret, or of the link's code, `hint` the last characters of it.
    """

    type: ClassVar = "session.created"
    session_id: str
    member_id: str | None
    scopes: tuple[Scope, ...]
    contract_ids: tuple[str, ...] | None
    origins: tuple[str, ...]
    expires_at: datetime
    opens_for_seconds: int | None
    hint: str
    fingerprint: str


class SessionOpened(Event):
    """Somebody opened the link, which opens nothing any more; their browser acts until `expires_at`."""

    type: ClassVar = "session.opened"
    session_id: str
    expires_at: datetime
    hint: str
    fingerprint: str


class SessionEnded(Event):
    """The session opens nothing any more. One whose time is over ends without this."""

    type: ClassVar = "session.ended"
    session_id: str
    reason: SessionEnding
