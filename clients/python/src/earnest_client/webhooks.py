"""Tells whether a webhook is Earnest's, whole and fresh: Standard Webhooks 1.0, with secrets and with public keys.

Give the bytes as they came: a body that was parsed and written again has another signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from earnest_client.errors import EarnestError

TOLERANCE_SECONDS: Final = 300.0
TIMESTAMP_DIGITS_MAX: Final = 12  # tens of thousands of years; what is longer may be beyond a float, or `int`
ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
LOG_CUT: Final = "log.cut"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with
PUBLIC_KEY_PREFIX: Final = "whpk_"


class NotVerified(EarnestError):
    """Answer it with 401 and do nothing: it is not ours, was altered, or is too old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCut:
    """The log was restored to an earlier moment: what you got between these two cursors never happened, unless it came with a
    later one, too."""

    kept_cursor: str
    first_cursor: str

    def is_void(self, cursor: str | None) -> bool:
        """Whether that cursor stands for nothing any more. An event is no more if all that it came with do so."""
        return cursor is not None and self.kept_cursor < cursor < self.first_cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A request that was verified. Remember `id` with `cursor`, and do nothing the second time: the same may come again. With
    another cursor the event has another place, as after a restore: note that."""

    id: str
    type: str
    data: Mapping[str, Any]

    @property
    def event(self) -> Mapping[str, Any]:
        """The event as it is stored; fields that you don't know may be among it."""
        event: Mapping[str, Any] = self.data["event"]
        return event

    @property
    def cursor(self) -> str | None:
        """Its place in the log, where `follow` and `changes` can go on; `None` for what is in no log."""
        return self.data.get("cursor")

    @property
    def is_test(self) -> bool:
        """Whether it never happened."""
        return bool(self.data.get("test"))

    @property
    def log_cut(self) -> LogCut | None:
        """What it says if it is a `log.cut`, which comes to every endpoint: undo what is void, or read everything anew."""
        if self.type != LOG_CUT or self.is_test:
            return None
        told = self.event["data"]
        return LogCut(kept_cursor=told["keptCursor"], first_cursor=told["firstCursor"])


def verify(
    body: bytes,
    headers: Mapping[str, str],
    keys: str | Iterable[str],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Webhook:
    """The request, if one of its signatures is by one of the keys: secrets `whsec_…`, or public keys `whpk_…` of your endpoint.

    During a rotation give the old and the new one. Raises `NotVerified`, also for a request that was signed longer ago, or later,
    than the tolerance, by this machine's clock or by `now` in seconds since 1970.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = given[ID_HEADER], given[TIMESTAMP_HEADER]
        signatures = given[SIGNATURE_HEADER].split(" ")
    except KeyError as missing:
        raise NotVerified(f"The header {missing} is missing.") from None
    _check_time(timestamp, time.time() if now is None else now, tolerance_seconds)
    # Some servers tell bytes that are no UTF-8 by surrogates.
    content = f"{message_id}.{timestamp}.".encode(errors="surrogateescape") + body
    if not any(_is_by(key, content, signatures) for key in ([keys] if isinstance(keys, str) else keys)):
        raise NotVerified("None of its signatures is by any of the keys.")
    told = json.loads(body)
    return Webhook(id=message_id, type=told["type"], data=told["data"])


def _check_time(timestamp: str, now: float, tolerance_seconds: float) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= TIMESTAMP_DIGITS_MAX):
        raise NotVerified("Its timestamp is no number of seconds.")
    if abs(now - int(timestamp)) > tolerance_seconds:
        raise NotVerified(f"It was signed {now - int(timestamp):.0f} seconds ago.")


def _is_by(key: str, content: bytes, signatures: list[str]) -> bool:
    check = _with_public_key if key.startswith(PUBLIC_KEY_PREFIX) else _with_secret
    scheme = "v1a," if key.startswith(PUBLIC_KEY_PREFIX) else "v1,"
    told = [_bytes(signature.removeprefix(scheme)) for signature in signatures if signature.startswith(scheme)]
    raw = _bytes(key.removeprefix(PUBLIC_KEY_PREFIX).removeprefix(SECRET_PREFIX))
    if not raw:
        raise ValueError("A key is `whsec_` or `whpk_`, and base64.")
    return any(check(raw, content, signature) for signature in told)


def _with_secret(secret: bytes, content: bytes, signature: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(secret, content, hashlib.sha256), signature)


def _with_public_key(public: bytes, content: bytes, signature: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise RuntimeError("Public keys need `cryptography`: pip install 'earnest-client[ed25519]'.") from None
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _bytes(text: str) -> bytes:
    """What base64 stands for; nothing, if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
