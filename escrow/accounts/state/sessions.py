"""A session: a person's browser that acts for an account for some hours, within what a key gave it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from escrow.access import Scope

SESSIONS_MAX: Final = 500
"""The most sessions of an account at one time, links that wait included: bounds what a command on its keys loads."""

SESSIONS_OF_A_MEMBER_MAX: Final = 50
"""The same of one member: whoever makes them by the hundred shuts nobody else out."""

LIFETIME_MIN: Final = timedelta(minutes=1)
LIFETIME_MAX: Final = timedelta(hours=12)

LINK_LIFETIME: Final = timedelta(minutes=10)
"""How long a link waits for somebody to open it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session without its secret: `fingerprint` only recognises the stored digest (hexadecimal).

    One that waits for its link to be opened holds the link's, and lasts `opens_for_seconds` from then on.
    """

    id: str
    member_id: str | None
    scopes: tuple[Scope, ...]
    contract_ids: tuple[str, ...] | None
    origins: tuple[str, ...]
    hint: str
    fingerprint: str
    created_at: datetime
    expires_at: datetime
    opens_for_seconds: int | None = None
    ended_at: datetime | None = None
    created_by: str | None = None
    """The key that made it, with which it ends; `None` for the command line."""

    @property
    def is_waiting(self) -> bool:
        """Whether it is a link that nobody has opened yet."""
        return self.opens_for_seconds is not None
