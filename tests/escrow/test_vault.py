"""Secrets at rest: ciphertext that only the deployment's keys open, for the purpose that it was made for."""

from __future__ import annotations

import os

import pytest

from escrow.vault import Undecipherable, Vault

OLD, NEW = b"o" * 32, b"n" * 32
PURPOSE = "secret of a test"


def test_what_was_encrypted_is_read_back_and_is_not_to_be_seen() -> None:
    secret = os.urandom(32)
    sealed = Vault([OLD]).encrypt(secret, purpose=PURPOSE)
    assert Vault([OLD]).decrypt(sealed, purpose=PURPOSE) == secret
    assert secret not in sealed
    assert Vault([OLD]).encrypt(secret, purpose=PURPOSE) != sealed


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    before = Vault([OLD]).encrypt(b"secret", purpose=PURPOSE)
    rotated = Vault([NEW, OLD])
    after = rotated.encrypt(b"secret", purpose=PURPOSE)
    for sealed in (before, after):
        assert rotated.decrypt(sealed, purpose=PURPOSE) == b"secret"
    assert (rotated.needs_renewal(before), rotated.needs_renewal(after)) == (True, False)
    assert Vault([NEW]).decrypt(after, purpose=PURPOSE) == b"secret"
    with pytest.raises(Undecipherable, match="a key that this process doesn't have"):
        Vault([NEW]).decrypt(before, purpose=PURPOSE)


def test_a_secret_that_was_copied_to_another_row_does_not_open() -> None:
    sealed = Vault([OLD]).encrypt(b"secret", purpose=PURPOSE)
    with pytest.raises(Undecipherable, match="is damaged"):
        Vault([OLD]).decrypt(sealed, purpose="secret of another")


@pytest.mark.parametrize("length", [0, 1, 4, 5, 16, 17, 30])
def test_a_ciphertext_that_was_cut_off_does_not_open(length: int) -> None:
    sealed = Vault([OLD]).encrypt(b"secret", purpose=PURPOSE)
    with pytest.raises(Undecipherable):
        Vault([OLD]).decrypt(sealed[:length], purpose=PURPOSE)


def test_no_changed_byte_goes_unnoticed() -> None:
    sealed = Vault([OLD]).encrypt(b"secret", purpose=PURPOSE)
    for place in range(len(sealed)):
        damaged = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(Undecipherable):
            Vault([OLD]).decrypt(damaged, purpose=PURPOSE)


def test_a_vault_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        Vault([])
