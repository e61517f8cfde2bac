"""Encrypts what must not lie open in the database, by AES-256-GCM: the deployment's first key encrypts, and all decrypt.

A ciphertext is bound to what it is for, so one that was copied to another row doesn't open there. The keys are those of
`EARNEST_SECRET_KEYS`; a process gives them once, with `use`, before it does anything.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORMAT: Final = b"\x01"
_KEY_NAME_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class Undecipherable(Exception):
    """A ciphertext that none of the deployment's keys opens: one of `EARNEST_SECRET_KEYS` is missing, or the row is damaged."""


class Vault:
    """Encrypts and decrypts under a deployment's keys (32 bytes each, at least one)."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a vault needs a key")
        self._first = _name(keys[0])
        self._ciphers = {_name(key): AESGCM(key) for key in keys}

    def encrypt(self, secret: bytes, *, purpose: str) -> bytes:
        """The ciphertext under the first key: format, the key's name, nonce, and the encrypted bytes with their tag."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, secret, purpose.encode())
        return _FORMAT + self._first + nonce + sealed

    def decrypt(self, ciphertext: bytes, *, purpose: str) -> bytes:
        """What `encrypt` was given for the same purpose. Raises `Undecipherable`."""
        start = len(_FORMAT) + _KEY_NAME_BYTES
        cipher = self._ciphers.get(ciphertext[len(_FORMAT) : start])
        if cipher is None or not ciphertext.startswith(_FORMAT):
            raise Undecipherable(f"the {purpose} was encrypted under a key that this process doesn't have")
        nonce, sealed = ciphertext[start : start + _NONCE_BYTES], ciphertext[start + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, sealed, purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise Undecipherable(f"the {purpose} is damaged") from error

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
        raise RuntimeError("escrow.vault.use(settings.secret_keys) was not called in this process")
    return _vault


def _name(key: bytes) -> bytes:
    """What tells the keys of a deployment apart without telling anything of them."""
    return hashlib.sha256(b"earnest key name" + key).digest()[:_KEY_NAME_BYTES]
