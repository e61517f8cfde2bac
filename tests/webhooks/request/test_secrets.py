"""The secrets of endpoints: how they are shown, and that they are stored for their endpoint alone."""

from __future__ import annotations

from escrow import vault
from escrow.accounts.state.endpoints import Algorithm
from webhooks.request import secrets

OLD = b"o" * 32
ENDPOINT = "whe_01kathd3v0f6x8zj9s5m2w7q4r"


def test_a_new_secret_is_shown_in_the_standards_spelling_and_never_printed() -> None:
    vault.use([OLD])
    hmac, asymmetric = secrets.make(tuple(Algorithm), endpoint_id=ENDPOINT)
    assert hmac.text is not None
    assert hmac.text.startswith("whsec_")
    assert len(hmac.text) == len("whsec_") + 44
    assert (hmac.sealed.facts.public_key, asymmetric.text) == (None, None)
    assert (asymmetric.sealed.facts.public_key or "").startswith("whpk_")
    assert hmac.text not in repr(hmac)
    assert repr(hmac.sealed.ciphertext) not in repr(hmac)


def test_a_secret_is_recognised_by_its_fingerprint() -> None:
    vault.use([OLD])
    (one,) = secrets.make([Algorithm.HMAC_SHA256], endpoint_id=ENDPOINT)
    opened = vault.vault().decrypt(one.sealed.ciphertext, purpose=secrets.purpose_of(ENDPOINT))
    assert secrets.fingerprint(opened) == one.sealed.facts.fingerprint
    assert secrets.secret_text(opened) == one.text
