"""Secrets at rest: ciphertext that only the deployment's keys open, for the endpoint that it was made for."""

from __future__ import annotations

import os

import pytest

from escrow.accounts.state.endpoints import Algorithm
from webhooks.request import secrets
from webhooks.request.secrets import Undecipherable, Vault

OLD, NEW = b"o" * 32, b"n" * 32
ENDPOINT = "whe_01kathd3v0f6x8zj9s5m2w7q4r"


def test_what_was_encrypted_is_read_back_and_is_not_to_be_seen() -> None:
    secret = os.urandom(32)
    sealed = Vault([OLD]).encrypt(secret, endpoint_id=ENDPOINT)
    assert Vault([OLD]).decrypt(sealed, endpoint_id=ENDPOINT) == secret
    assert secret not in sealed
    assert Vault([OLD]).encrypt(secret, endpoint_id=ENDPOINT) != sealed


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    before = Vault([OLD]).encrypt(b"secret", endpoint_id=ENDPOINT)
    rotated = Vault([NEW, OLD])
    after = rotated.encrypt(b"secret", endpoint_id=ENDPOINT)
    for sealed in (before, after):
        assert rotated.decrypt(sealed, endpoint_id=ENDPOINT) == b"secret"
    assert (rotated.needs_renewal(before), rotated.needs_renewal(after)) == (True, False)
    assert Vault([NEW]).decrypt(after, endpoint_id=ENDPOINT) == b"secret"
    with pytest.raises(Undecipherable, match="a key that this process doesn't have"):
        Vault([NEW]).decrypt(before, endpoint_id=ENDPOINT)


def test_a_secret_that_was_copied_to_another_endpoint_does_not_open() -> None:
    sealed = Vault([OLD]).encrypt(b"secret", endpoint_id=ENDPOINT)
    with pytest.raises(Undecipherable, match="is damaged"):
        Vault([OLD]).decrypt(sealed, endpoint_id="whe_another")


@pytest.mark.parametrize("length", [0, 1, 4, 5, 16, 17, 30])
def test_a_ciphertext_that_was_cut_off_does_not_open(length: int) -> None:
    sealed = Vault([OLD]).encrypt(b"secret", endpoint_id=ENDPOINT)
    with pytest.raises(Undecipherable):
        Vault([OLD]).decrypt(sealed[:length], endpoint_id=ENDPOINT)


def test_no_changed_byte_goes_unnoticed() -> None:
    sealed = Vault([OLD]).encrypt(b"secret", endpoint_id=ENDPOINT)
    for place in range(len(sealed)):
        damaged = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(Undecipherable):
            Vault([OLD]).decrypt(damaged, endpoint_id=ENDPOINT)


def test_a_vault_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        Vault([])


def test_a_new_secret_is_shown_in_the_standards_spelling_and_never_printed() -> None:
    secrets.use([OLD])
    hmac, asymmetric = secrets.make(tuple(Algorithm), endpoint_id=ENDPOINT)
    assert hmac.text is not None
    assert hmac.text.startswith("whsec_")
    assert len(hmac.text) == len("whsec_") + 44
    assert (hmac.sealed.facts.public_key, asymmetric.text) == (None, None)
    assert (asymmetric.sealed.facts.public_key or "").startswith("whpk_")
    assert hmac.text not in repr(hmac)
    assert repr(hmac.sealed.ciphertext) not in repr(hmac)


def test_a_secret_is_recognised_by_its_fingerprint() -> None:
    secrets.use([OLD])
    (one,) = secrets.make([Algorithm.HMAC_SHA256], endpoint_id=ENDPOINT)
    opened = secrets.vault().decrypt(one.sealed.ciphertext, endpoint_id=ENDPOINT)
    assert secrets.fingerprint(opened) == one.sealed.facts.fingerprint
    assert secrets.secret_text(opened) == one.text
