"""Encrypts the secrets of endpoints for storage, by AES-256-GCM: the deployment's first key encrypts, and all decrypt.

A ciphertext is bound to its endpoint, so a row that was copied to another endpoint doesn't open. The keys are those of
`EARNEST_SECRET_KEYS`; a process gives them once, with `use`, before it signs or makes a secret.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from escrow.accounts.state.endpoints import Algorithm, SealedSecret, SecretFacts
from webhooks.request.signing import Ed25519Key, HmacKey, SigningKey

SECRET_BYTES: Final = 32
"""Of chance, for either algorithm; the standard asks for 24 to 64 bytes of an HMAC secret."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with, no secret
PUBLIC_KEY_PREFIX: Final = "whpk_"

_FORMAT: Final = b"\x01"
_KEY_NAME_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class Undecipherable(Exception):
    """A ciphertext that none of the deployment's keys opens: one of `EARNEST_SECRET_KEYS` is missing, or the row is damaged."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was just made: to be shown once, and to be stored."""

    sealed: SealedSecret
    text: str | None = field(repr=False)
    """What its owner is shown, once: `whsec_…`. `None` for ed25519, whose secret half nobody needs to know."""


class Vault:
    """Encrypts and decrypts under a deployment's keys (32 bytes each, at least one)."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a vault needs a key")
        self._first = _name(keys[0])
        self._ciphers = {_name(key): AESGCM(key) for key in keys}

    def encrypt(self, secret: bytes, *, endpoint_id: str) -> bytes:
        """The ciphertext under the first key: format, the key's name, nonce, and the encrypted bytes with their tag."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, secret, _purpose(endpoint_id))
        return _FORMAT + self._first + nonce + sealed

    def decrypt(self, ciphertext: bytes, *, endpoint_id: str) -> bytes:
        """What `encrypt` was given. Raises `Undecipherable`."""
        start = len(_FORMAT) + _KEY_NAME_BYTES
        cipher = self._ciphers.get(ciphertext[len(_FORMAT) : start])
        if cipher is None or not ciphertext.startswith(_FORMAT):
            raise Undecipherable(f"a secret of {endpoint_id} was encrypted under a key that this process doesn't have")
        nonce, sealed = ciphertext[start : start + _NONCE_BYTES], ciphertext[start + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, sealed, _purpose(endpoint_id))
        except (InvalidTag, ValueError) as error:
            raise Undecipherable(f"a secret of {endpoint_id} is damaged") from error

    def needs_renewal(self, ciphertext: bytes) -> bool:
        """Whether it was encrypted under another key than the first, which an operator may want to take away."""
        return not ciphertext.startswith(_FORMAT + self._first)


_vault: Vault | None = None


def use(keys: Sequence[bytes]) -> None:
    """Work with these keys in this process from now on."""
    global _vault
    _vault = Vault(keys)


def vault() -> Vault:
    """The process's vault. Raises `RuntimeError` if nobody gave it keys."""
    if _vault is None:
        raise RuntimeError("webhooks.request.secrets.use(settings.secret_keys) was not called in this process")
    return _vault


def make(algorithms: Sequence[Algorithm], *, endpoint_id: str) -> tuple[NewSecret, ...]:
    """A fresh secret for each algorithm, encrypted for this endpoint."""
    return tuple(_make(algorithm, endpoint_id) for algorithm in algorithms)


def _make(algorithm: Algorithm, endpoint_id: str) -> NewSecret:
    secret = secrets.token_bytes(SECRET_BYTES)
    public_key = _public_text(secret) if algorithm is Algorithm.ED25519 else None
    facts = SecretFacts(algorithm=algorithm, fingerprint=fingerprint(secret), public_key=public_key)
    sealed = SealedSecret(facts=facts, ciphertext=vault().encrypt(secret, endpoint_id=endpoint_id))
    return NewSecret(sealed, secret_text(secret) if algorithm is Algorithm.HMAC_SHA256 else None)


def signing_key(algorithm: Algorithm, ciphertext: bytes, *, endpoint_id: str) -> SigningKey:
    """The key that a stored secret is. Raises `Undecipherable`."""
    secret = vault().decrypt(ciphertext, endpoint_id=endpoint_id)
    return HmacKey(secret) if algorithm is Algorithm.HMAC_SHA256 else Ed25519Key(secret)


def secret_text(secret: bytes) -> str:
    """An HMAC secret as its owner is shown it, and as the standard's libraries read it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def fingerprint(secret: bytes) -> str:
    """What the log says of a secret: a hash of its hash, which recognises it and serves for nothing else."""
    return hashlib.sha256(hashlib.sha256(secret).digest()).hexdigest()


def _public_text(secret: bytes) -> str:
    return PUBLIC_KEY_PREFIX + base64.b64encode(Ed25519Key(secret).public_key).decode()


def _purpose(endpoint_id: str) -> bytes:
    return f"earnest webhook secret {endpoint_id}".encode()


def _name(key: bytes) -> bytes:
    """What tells the keys of a deployment apart without telling anything of them."""
    return hashlib.sha256(b"earnest key name" + key).digest()[:_KEY_NAME_BYTES]
