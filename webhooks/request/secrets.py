"""Makes the secrets of endpoints, and encrypts them for storage in the deployment's vault, each bound to its endpoint."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from escrow.accounts.state.endpoints import Algorithm, SealedSecret, SecretFacts
from escrow.vault import vault
from webhooks.request.signing import Ed25519Key, HmacKey, SigningKey

SECRET_BYTES: Final = 32
"""Of chance, for either algorithm; the standard asks for 24 to 64 bytes of an HMAC secret."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with, no secret
PUBLIC_KEY_PREFIX: Final = "whpk_"


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was just made: to be shown once, and to be stored."""

    sealed: SealedSecret
    text: str | None = field(repr=False)
    """What its owner is shown, once: `whsec_…`. `None` for ed25519, whose secret half nobody needs to know."""


def make(algorithms: Sequence[Algorithm], *, endpoint_id: str) -> tuple[NewSecret, ...]:
    """A fresh secret for each algorithm, encrypted for this endpoint."""
    return tuple(_make(algorithm, endpoint_id) for algorithm in algorithms)


def _make(algorithm: Algorithm, endpoint_id: str) -> NewSecret:
    secret = secrets.token_bytes(SECRET_BYTES)
    public_key = _public_text(secret) if algorithm is Algorithm.ED25519 else None
    facts = SecretFacts(algorithm=algorithm, fingerprint=fingerprint(secret), public_key=public_key)
    sealed = SealedSecret(facts=facts, ciphertext=vault().encrypt(secret, purpose=purpose_of(endpoint_id)))
    return NewSecret(sealed, secret_text(secret) if algorithm is Algorithm.HMAC_SHA256 else None)


def signing_key(algorithm: Algorithm, ciphertext: bytes, *, endpoint_id: str) -> SigningKey:
    """The key that a stored secret is. Raises `Undecipherable`."""
    secret = vault().decrypt(ciphertext, purpose=purpose_of(endpoint_id))
    return HmacKey(secret) if algorithm is Algorithm.HMAC_SHA256 else Ed25519Key(secret)


def secret_text(secret: bytes) -> str:
    """An HMAC secret as its owner is shown it, and as the standard's libraries read it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def fingerprint(secret: bytes) -> str:
    """What the log says of a secret: a hash of its hash, which recognises it and serves for nothing else."""
    return hashlib.sha256(hashlib.sha256(secret).digest()).hexdigest()


def _public_text(secret: bytes) -> str:
    return PUBLIC_KEY_PREFIX + base64.b64encode(Ed25519Key(secret).public_key).decode()


def purpose_of(endpoint_id: str) -> str:
    """What an endpoint's secrets are encrypted for: a row that was copied to another endpoint doesn't open there."""
    return f"earnest webhook secret {endpoint_id}"
