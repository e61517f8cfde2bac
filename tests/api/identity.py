"""An identity provider as tests have it: keys of every kind, tokens that it signs, and those that somebody forges."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from escrow.settings import IdentityProvider

PROVIDER: Final = IdentityProvider(
    jwks_url="https://id.example.com/jwks", issuer="https://id.example.com/", audience="earnest"
)

KINDS: Final = ("RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")

_RSA: Final = rsa.generate_private_key(65537, 2048)
_PRIVATE: Final[dict[str, Any]] = {
    "RS256": _RSA,
    "RS512": _RSA,
    "PS256": _RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def jwk(private: Any, name: str, **more: Any) -> dict[str, Any]:
    """The public half of a key as the provider publishes it."""
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        made = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        made = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        made = OKPAlgorithm.to_jwk(public, as_dict=True)
    made.pop("key_ops", None)
    return {**made, "kid": name, "use": "sig", **more}


@dataclass(slots=True)
class Provider:
    """It publishes keys, counts who asks, and can be made to fail."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk(_PRIVATE[kind], kind) for kind in KINDS])
    fetches: int = 0
    failure: Exception | None = None

    async def fetch(self, url: str) -> bytes:
        self.fetches += 1
        if self.failure is not None:
            raise self.failure
        return json.dumps({"keys": self.keys}).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says, but for the account and the person; `None` leaves a claim out."""
    now = int(time.time())
    usual: dict[str, Any] = {
        "iss": PROVIDER.issuer,
        "aud": PROVIDER.audience,
        "iat": now,
        "exp": now + 600,
        "scope": "openid contracts:read",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(
    said: dict[str, Any], *, kind: str = "RS256", name: str | None = None, private: Any = None, **header: Any
) -> str:
    """A token of the provider's, or of somebody with another key."""
    body = json.dumps(said).encode()  # not by the library's own `encode`, which makes no wrong claims
    return jwt.api_jws.encode(body, private or _PRIVATE[kind], algorithm=kind, headers={"kid": name or kind, **header})


def forged(
    said: dict[str, Any], header: dict[str, Any], signature: bytes | None = None, *, secret: bytes | None = None
) -> str:
    """A token made by hand, as no library would make it."""
    start = f"{_text(header)}.{_text(said)}"
    if secret is not None:
        signature = hmac.new(secret, start.encode(), hashlib.sha256).digest()
    return f"{start}.{_base64(signature or b'')}"


def published(kind: str) -> list[bytes]:
    """The public key as everybody can have it, in the spellings that a forger would use as a secret."""
    public = _PRIVATE[kind].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [pem, pem.strip(), der, json.dumps(jwk(_PRIVATE[kind], kind)).encode()]


def _text(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
