"""Lists the codes with which a stream ends: those of `graphql-transport-ws`; server-sent events name them in their last event."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from escrow.live.key_lifetimes import Ending

REASON_BYTES_MAX: Final = 123
"""What a WebSocket's close frame has room for."""


class Code(IntEnum):
    """Why the server ends a connection."""

    GOING_AWAY = 1001
    """This process stops, and another one answers; or the key may see something else now, and a new stream shows that."""
    INTERNAL = 1011
    """Our fault; the log has the rest."""
    INVALID_MESSAGE = 4400
    UNAUTHORIZED = 4401
    """An operation before the connection was acknowledged; or the credentials have ended since."""
    FORBIDDEN = 4403
    """The credentials of `connection_init` name nobody."""
    UNKNOWN_PROTOCOL = 4406
    TIMEOUT = 4408
    """`connection_init` did not come, or a ping was not answered."""
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY = 4429
    """A reader that is too slow, a second `connection_init`, or more connections than a key may have."""


class Closing(Exception):
    """The connection is to be closed with this code, for this reason."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = (
            reason if len(reason.encode()) <= REASON_BYTES_MAX else reason.encode()[:119].decode(errors="ignore") + "…"
        )


TOO_SLOW: Final = Closing(Code.TOO_MANY, "Too slow: read faster, and go on from the last cursor.")
CREDENTIALS_ENDED: Final = Closing(Code.UNAUTHORIZED, "The key was revoked or has expired.")
RIGHTS_CHANGED: Final = Closing(Code.GOING_AWAY, "What this key may see has changed; connect again.")
LOG_WAS_CUT: Final = Closing(Code.GOING_AWAY, "The log was restored to an earlier moment; connect again.")
STOPPING: Final = Closing(Code.GOING_AWAY, "The server stops; connect again.")

OF_ENDING: Final = {
    Ending.TOO_SLOW: TOO_SLOW,
    Ending.CREDENTIALS: CREDENTIALS_ENDED,
    Ending.RIGHTS: RIGHTS_CHANGED,
    Ending.CUT: LOG_WAS_CUT,
}
