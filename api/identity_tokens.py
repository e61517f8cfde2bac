"""Recognises members by the tokens of the operator's identity provider: JWTs, signed with keys that it publishes (JWKS).

Nothing in a token is believed before its signature is: its header only chooses among our algorithms and the provider's keys.
What it then says is mapped to a member of an account, who acts by their role within the scopes that the token names.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import jwt

from api.identity_keys import ALGORITHMS, IdentityKeys, KeysAway
from escrow.access import Actor, Scope
from escrow.accounts.authentication import authenticate_member
from escrow.settings import IdentityProvider

TOKEN_CHARACTERS_MAX: Final = 8_192
KEY_NAME_CHARACTERS_MAX: Final = 200

LEEWAY_SECONDS: Final = 60
"""By how much the provider's clock and ours may differ."""

RIGHT_KEPT_MAX: Final = 10_000
"""Tokens of which it is remembered that they were right when they came last."""

LATEST: Final = 2**40
"""Seconds since 1970: far beyond every clock, and still a number to count with."""

_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub"]


class BadToken(Exception):
    """The token names nobody here; the message says why, without repeating anything of it."""


class IdentityTokens:
    """Turns tokens of one provider into actors."""

    def __init__(self, provider: IdentityProvider, keys: IdentityKeys | None = None) -> None:
        self._provider = provider
        self._keys = keys or IdentityKeys(provider.jwks_url)
        self._right: OrderedDict[bytes, None] = OrderedDict()

    async def actor(self, token: str) -> Actor:
        """Whoever the token is for. Raises `BadToken`."""
        digest = _digest(token)
        try:
            actor = await self._actor(token)
        except BadToken:
            self._right.pop(digest, None)
            raise
        self._right[digest] = None
        self._right.move_to_end(digest)
        if len(self._right) > RIGHT_KEPT_MAX:
            self._right.popitem(last=False)
        return actor

    def was_right(self, token: str) -> bool:
        """Whether the token was of somebody when it came last: a guess about the next time, no right to anything."""
        return _digest(token) in self._right

    async def _actor(self, token: str) -> Actor:
        claims = await self._verified(token)
        account_id, person = self._text(claims, self._provider.account_claim), self._person(claims)
        actor = await authenticate_member(
            account_id, person, scopes=self._scopes(claims), until=int(claims["exp"]) + LEEWAY_SECONDS
        )
        if actor is None:
            raise BadToken("This token is of nobody who is a member of the account that it names.")
        return actor

    async def _verified(self, token: str) -> Mapping[str, Any]:
        """What the token says, which the provider has signed for us and which holds now."""
        if len(token) > TOKEN_CHARACTERS_MAX or not token.isascii():
            raise BadToken("This token is too long, or none.")
        name, algorithm = _header(token)
        try:
            key = await self._keys.key(name, algorithm)
        except KeysAway:
            raise BadToken(
                "The keys of the identity provider can't be read at present; try again in a moment."
            ) from None
        if key is None:
            raise BadToken("This token was signed with no key of the identity provider's.")
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key=key,
                algorithms=[algorithm],
                audience=self._provider.audience,
                issuer=self._provider.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise BadToken("This token has expired.") from None
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
            raise BadToken("This token is not valid here.") from None
        if not 0 < claims["exp"] < LATEST:
            raise BadToken("This token ends at no time that there is.")
        return claims

    def _person(self, claims: Mapping[str, Any]) -> str:
        if self._provider.person_claim == "email" and claims.get("email_verified") is not True:
            raise BadToken("The e-mail address of this token was not verified.")
        return self._text(claims, self._provider.person_claim)

    def _text(self, claims: Mapping[str, Any], name: str) -> str:
        value = claims.get(name)
        # What PostgreSQL couldn't hold, no row has.
        if (
            not isinstance(value, str)
            or not value.strip()
            or any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
        ):
            raise BadToken(f"This token has no text in the claim {name}.")
        return value

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        """Those of ours that the token names, as a list or as one text with spaces; other programs' scopes mean nothing here."""
        value = claims.get(self._provider.scope_claim, "")
        named = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        known = Scope.spellings()
        return frozenset(known[one] for one in named if isinstance(one, str) and one in known)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _header(token: str) -> tuple[str, str]:
    """The name of the key and the algorithm that the token claims to be signed with, if we take such."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError):
        raise BadToken("This is neither a key nor a token.") from None
    name, algorithm = header.get("kid"), header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise BadToken(f"This token is signed in a way that isn't taken: it must be one of {', '.join(ALGORITHMS)}.")
    if not isinstance(name, str) or not 1 <= len(name) <= KEY_NAME_CHARACTERS_MAX or "crit" in header:
        raise BadToken("This token doesn't name its key, or asks for what isn't known here.")
    return name, algorithm
