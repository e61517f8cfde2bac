"""Signatures: the standard's own Python library accepts our requests as they are, and nothing else."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks.request.secrets import secret_text
from webhooks.request.signing import Ed25519Key, HmacKey, SigningKey, sign

SECRET, OTHER = b"s" * 32, b"o" * 32
BODY = '{"type":"milestone.released","data":{"title":"Zoë 工房 🦊"}}'.encode()
ID = "evt_01kathd3v0f6x8zj9s5m2w7q4r"


def headers(*keys: SigningKey, body: bytes = BODY, age_seconds: int = 0) -> dict[str, str]:
    return sign(keys, message_id=ID, timestamp=int(time.time()) - age_seconds, body=body)


def verified(secret: bytes, found: dict[str, str], body: bytes = BODY) -> object:
    return Webhook(secret_text(secret)).verify(body, found)


def check_asymmetric(key: Ed25519Key, found: dict[str, str], body: bytes = BODY) -> None:
    """What a receiver does with a public key: any `v1a` signature that fits will do. Raises `InvalidSignature`."""
    public = Ed25519PublicKey.from_public_bytes(key.public_key)
    content = f"{found['webhook-id']}.{found['webhook-timestamp']}.".encode() + body
    signatures = [one.split(",") for one in found["webhook-signature"].split(" ")]
    for scheme, signature in signatures:
        if scheme == "v1a":
            try:
                public.verify(base64.b64decode(signature), content)
                return
            except InvalidSignature:
                continue
    raise InvalidSignature


def test_the_library_of_the_standard_accepts_our_requests() -> None:
    assert verified(SECRET, headers(HmacKey(SECRET))) == {
        "type": "milestone.released",
        "data": {"title": "Zoë 工房 🦊"},
    }


@pytest.mark.parametrize(
    ("make", "body", "told"),
    [
        (lambda: headers(HmacKey(OTHER)), BODY, "No matching signature"),
        (lambda: headers(HmacKey(SECRET)), BODY.replace(b"released", b"refunded"), "No matching signature"),
        (lambda: headers(HmacKey(SECRET)), BODY + b" ", "No matching signature"),
        (lambda: headers(HmacKey(SECRET), age_seconds=301), BODY, "too old"),
        (lambda: headers(HmacKey(SECRET), age_seconds=-3_600), BODY, "too new"),
        (lambda: headers(HmacKey(SECRET)) | {"webhook-id": "evt_another"}, BODY, "No matching signature"),
        (
            lambda: headers(HmacKey(SECRET)) | {"webhook-timestamp": str(int(time.time()) - 9)},
            BODY,
            "No matching signature",
        ),
        (lambda: headers(Ed25519Key(SECRET)), BODY, "No matching signature"),
    ],
    ids=["another secret", "another body", "a longer body", "old", "early", "another id", "another time", "only v1a"],
)
def test_the_library_refuses_everything_else(make: Callable[[], dict[str, str]], body: bytes, told: str) -> None:
    with pytest.raises(WebhookVerificationError, match=told):
        verified(SECRET, make(), body)


def test_an_ed25519_signature_is_checked_with_the_public_key() -> None:
    key = Ed25519Key(SECRET)
    found = headers(key)
    check_asymmetric(key, found)
    for other_key, body in ((key, BODY + b" "), (Ed25519Key(OTHER), BODY)):
        with pytest.raises(InvalidSignature):
            check_asymmetric(other_key, found, body)


@pytest.mark.parametrize("keys", [(OTHER, SECRET), (SECRET, OTHER)])
@pytest.mark.parametrize("make", [HmacKey, Ed25519Key])
def test_during_a_rotation_both_secrets_are_accepted(
    keys: Sequence[bytes], make: Callable[[bytes], HmacKey | Ed25519Key]
) -> None:
    found = headers(*(make(key) for key in keys))
    for secret in keys:
        key = make(secret)
        if isinstance(key, Ed25519Key):
            check_asymmetric(key, found)
        else:
            assert verified(secret, found)


def test_both_algorithms_stand_in_one_header() -> None:
    found = headers(HmacKey(SECRET), Ed25519Key(OTHER))
    assert [one.split(",")[0] for one in found["webhook-signature"].split(" ")] == ["v1", "v1a"]
    assert verified(SECRET, found)
    check_asymmetric(Ed25519Key(OTHER), found)


def test_another_attempt_has_the_same_id_and_body_and_another_signature() -> None:
    first, later = headers(HmacKey(SECRET), age_seconds=60), headers(HmacKey(SECRET))
    assert first["webhook-id"] == later["webhook-id"] == ID
    assert first["webhook-signature"] != later["webhook-signature"]


@pytest.mark.parametrize(("message_id", "keys"), [("evt.1", (HmacKey(SECRET),)), (ID, ())])
def test_what_could_not_be_told_apart_is_not_signed(message_id: str, keys: Sequence[SigningKey]) -> None:
    with pytest.raises(ValueError, match="cannot sign"):
        sign(keys, message_id=message_id, timestamp=1, body=BODY)
