"""Makes the tokens of API keys: `ek_` and 256 random bits, shown once and stored only as a digest.

With that much chance in it a plain sha256 is enough: there is nothing to guess, so nothing to slow down.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from escrow import ids

PREFIX: Final = "ek_"
HINT_CHARACTERS: Final = 4

_HALF: Final = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_TOKEN: Final = re.compile(f"{PREFIX}{_HALF}{_HALF}")


@dataclass(frozen=True, slots=True)
class Token:
    """The secret of one key, and what may be told of it. Printing it shows nothing."""

    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What is stored to recognise it: 32 bytes."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def fingerprint(self) -> str:
        """What the log says of it: the sha256 of the digest, so that the log cannot be used to forge a stored key."""
        return fingerprint(self.digest)

    @property
    def hint(self) -> str:
        """The last characters, by which a person tells their keys apart."""
        return self.text[-HINT_CHARACTERS:]


def new() -> Token:
    """A fresh token: 256 bits from the system's source, as two runs of 26 Crockford base32 digits."""
    return Token(PREFIX + ids.encode(secrets.randbits(128)) + ids.encode(secrets.randbits(128)))


def read(text: str) -> Token | None:
    """The token that somebody shows, or `None` if no key could look like this."""
    return Token(text) if _TOKEN.fullmatch(text) else None


def fingerprint(digest: bytes) -> str:
    return hashlib.sha256(digest).hexdigest()
