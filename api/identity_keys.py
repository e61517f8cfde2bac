"""Fetches the keys that an identity provider publishes (JWKS), and keeps them: whatever tokens come, it is asked seldom.

One fetch is under way at a time and everybody waits for that one. After it, found or not, none begins for a while: a storm of
tokens with made-up key names costs the provider a request every `PAUSE_SECONDS`, and us a look into a dictionary each.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import aiohttp
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that are taken, each with the type and the curve of its keys. All are asymmetric: with a shared secret, or with
none, whoever has read the provider's public keys could sign."""

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

PAUSE_SECONDS: Final = 10.0
"""Between two fetches, whatever came of the first."""

FRESH_SECONDS: Final = 300.0
"""After so long the keys are fetched again, beside what is under way: so long a key that was taken back is still believed."""

KEPT_SECONDS: Final = 3_600.0
"""So long the keys are good while the provider can't be reached; then no token is."""

FETCH_SECONDS: Final = 5.0
BYTES_MAX: Final = 262_144
KEYS_MAX: Final = 100
RSA_BITS: Final = range(2_048, 8_193)

_log = logging.getLogger(__name__)


class KeysAway(Exception):
    """The keys can't be had at present, so it can't be told whose a token is."""


async def fetch_keys(url: str) -> bytes:
    """What lies at the address. Fails if it isn't answered with 200, in time, without a redirect, and within `BYTES_MAX`."""
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
        session.get(url, allow_redirects=False, headers={"accept": "application/json"}) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"answered with {answer.status}")
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > BYTES_MAX:
                raise ValueError(f"answered with more than {BYTES_MAX} bytes")
        return bytes(body)


class IdentityKeys:
    """The public keys of one provider, by name."""

    def __init__(
        self,
        url: str,
        *,
        fetch: Callable[[str], Awaitable[bytes]] = fetch_keys,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def key(self, name: str, algorithm: str) -> PublicKey | None:
        """The key of that name, if it is one for the algorithm; `None` for one that isn't there.

        Raises `KeysAway` if no keys were ever had, or none for `KEPT_SECONDS`.
        """
        if self._age() > FRESH_SECONDS and self._may_fetch():
            self._begin()
        if (name not in self._keys or self._age() > KEPT_SECONDS) and (self._task is not None or self._may_fetch()):
            await asyncio.shield(self._task or self._begin())
        if self._age() > KEPT_SECONDS:
            raise KeysAway
        found = self._keys.get(name)
        return _public_key(found, algorithm) if found is not None else None

    def _age(self) -> float:
        return self._clock() - self._fetched_at if self._fetched_at is not None else float("inf")

    def _may_fetch(self) -> bool:
        return self._task is None and (self._tried_at is None or self._clock() - self._tried_at >= PAUSE_SECONDS)

    def _begin(self) -> asyncio.Task[None]:
        self._task = asyncio.get_running_loop().create_task(self._look(), name="identity keys")
        return self._task

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._keys = _named(await self._fetch(self._url))
            self._fetched_at = self._clock()
        except Exception as error:  # noqa: BLE001 - whatever keeps the provider from answering well
            _log.warning("the keys of the identity provider can't be read", extra={"error": error})
        finally:
            self._tried_at = self._clock()
            self._task = None


def usable(body: bytes) -> frozenset[str]:
    """The names of those keys of a set that check a token by some algorithm. Raises `ValueError` for what is no set."""
    return frozenset(
        name for name, key in _named(body).items() if any(_public_key(key, one) is not None for one in ALGORITHMS)
    )


def _named(body: bytes) -> dict[str, Mapping[str, Any]]:
    """The keys of a set that have a name and may be used for signatures; of two with one name, neither."""
    found = orjson.loads(body)
    if not isinstance(found, dict) or not isinstance(found.get("keys"), list) or len(found["keys"]) > KEYS_MAX:
        raise ValueError("answered with what is no set of keys")
    named: dict[str, Mapping[str, Any]] = {}
    twice: set[str] = set()
    for key in found["keys"]:
        name = key.get("kid") if isinstance(key, dict) else None
        if isinstance(name, str) and key.get("use", "sig") == "sig":
            twice |= {name} & named.keys()
            named[name] = key
    return {name: key for name, key in named.items() if name not in twice}


def _public_key(key: Mapping[str, Any], algorithm: str) -> PublicKey | None:
    """The key, if it is a sound one of the type that the algorithm needs; what it isn't meant for it doesn't verify."""
    kind, curve = ALGORITHMS[algorithm]
    if key.get("kty") != kind or (curve is not None and key.get("crv") != curve):
        return None
    if key.get("alg", algorithm) != algorithm:
        return None
    public = {name: value for name, value in key.items() if name in ("kty", "crv", "n", "e", "x", "y")}
    with contextlib.suppress(jwt.PyJWTError, ValueError, TypeError):
        found = jwt.PyJWK(public, algorithm=algorithm).key
        if isinstance(found, RSAPublicKey):
            return found if found.key_size in RSA_BITS else None
        if isinstance(found, EllipticCurvePublicKey | Ed25519PublicKey):
            return found
    return None
