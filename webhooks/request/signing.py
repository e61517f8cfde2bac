"""Signs requests by Standard Webhooks 1.0, so that a receiver knows that a request is ours, whole and fresh.

Signed is `{webhook-id}.{webhook-timestamp}.{body}`. Every key of the endpoint adds a signature to the one header, so a
receiver that knows the secret of yesterday or that of today accepts the request.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"


class SigningKey(Protocol):
    """A secret that is ready to sign. Made once per endpoint and kept, since reading an ed25519 key costs as much as signing."""

    def signature(self, content: bytes) -> str:
        """The signature with its scheme in front, as it stands in the header."""


class HmacKey:
    """Signs with a secret that the receiver knows, too: `v1`."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def signature(self, content: bytes) -> str:
        digest = hmac.digest(self._secret, content, hashlib.sha256)
        return "v1," + base64.b64encode(digest).decode()


class Ed25519Key:
    """Signs with a secret that only we know; receivers check with the public key: `v1a`."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def signature(self, content: bytes) -> str:
        return "v1a," + base64.b64encode(self._key.sign(content)).decode()


def sign(keys: Sequence[SigningKey], *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt; `timestamp` is the attempt's, in seconds of real time.

    Raises `ValueError` for a message id with a full stop, which could shift what is signed, and for no key at all.
    """
    if "." in message_id or not keys:
        raise ValueError(f"cannot sign {message_id!r} with {len(keys)} keys")
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(key.signature(content) for key in keys),
    }
