"""Makes the tokens of API keys (`ek_`) and sessions (`es_`), and the codes of links that open a session (`el_`): 256 random
bits each, shown once and stored only as a digest.

With that much chance in it a plain sha256 is enough: there is nothing to guess, so nothing to slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from escrow import ids

KEY: Final = "ek_"
SESSION: Final = "es_"
LINK: Final = "el_"
HINT_CHARACTERS: Final = 4

_HALF: Final = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_TOKEN: Final = re.compile(f"({KEY}|{SESSION}){_HALF}{_HALF}")
_CODE: Final = re.compile(f"{LINK}{_HALF}{_HALF}")


@dataclass(frozen=True, slots=True)
class Token:
    """The secret of one key, session or link, and what may be told of it. Printing it shows nothing."""

    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What is stored to recognise it: 32 bytes."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def is_sessions(self) -> bool:
        """Whether it is that of a session, not of a key."""
        return self.text.startswith(SESSION)

    @property
    def fingerprint(self) -> str:
        """What the log says of it: the sha256 of the digest, so that the log cannot be used to forge a stored key."""
        return fingerprint(self.digest)

    @property
    def hint(self) -> str:
        """The last characters, by which a person tells their keys apart."""
        return self.text[-HINT_CHARACTERS:]


def new(prefix: str = KEY) -> Token:
    """A fresh token: 256 bits from the system's source, as two runs of 26 Crockford base32 digits."""
    return Token(prefix + ids.encode(secrets.randbits(128)) + ids.encode(secrets.randbits(128)))


def of_link(code: Token, nonce: str) -> Token:
    """What a link's code opens for the browser that chose this nonce: the same each time, so that a lost answer is given again.

    The code alone leads nowhere near it: a nonce that nobody can guess keeps it to that browser.
    """
    chance = hmac.digest(code.text.encode(), nonce.encode(), "sha256")
    return Token(SESSION + "".join(ids.encode(int.from_bytes(half)) for half in (chance[:16], chance[16:])))


def read(text: str) -> Token | None:
    """The token that somebody shows, or `None` if no key or session could look like this."""
    return Token(text) if _TOKEN.fullmatch(text) else None


def read_code(text: str) -> Token | None:
    """The code of a link that somebody shows, or `None` if none could look like this. It opens nothing by itself."""
    return Token(text) if _CODE.fullmatch(text) else None


def fingerprint(digest: bytes) -> str:
    return hashlib.sha256(digest).hexdigest()
