"""Turns the `Authorization` header into an actor, with one statement at most, and with none for a key in use."""

from __future__ import annotations

from typing import Final

from api.identity_tokens import BadToken, IdentityTokens
from escrow.access import Actor
from escrow.accounts import tokens
from escrow.accounts.authentication import OpensNothing
from escrow.accounts.known_keys import KnownKeys
from escrow.accounts.usage import KeyUsage

TOKEN_CHARACTERS_MAX: Final = 200


class BadCredentials(OpensNothing):
    """Credentials came, but they name nobody: unknown, expired, revoked, or not a bearer token."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        """In a few words that stay the same, for the log of refusals."""


class Authentication:
    """Recognises API keys and sessions, and remembers that they were used; and members by an identity provider's tokens."""

    def __init__(self) -> None:
        self.keys = KnownKeys()
        self.usage = KeyUsage()
        self.identity: IdentityTokens | None = None
        """Whose tokens are taken beside our own keys."""

    async def actor(self, authorization: str | None, *, fresh: bool = False) -> Actor | None:
        """The actor of a bearer token; `None` without a header. Raises `BadCredentials` for one that names nobody (any more).

        `fresh` asks the database in any case, for what goes on for long.
        """
        if authorization is None:
            return None
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if self.identity is not None and scheme.lower() == "bearer" and _is_signed(token):
            return await self._member(self.identity, token)
        if scheme.lower() != "bearer" or not token or len(token) > TOKEN_CHARACTERS_MAX or not token.isascii():
            raise BadCredentials("The authorization header must be “Bearer ek_…”.", "no bearer token")
        actor = await self.keys.actor(token, fresh=fresh)
        if actor is None:
            what = "session" if token.startswith(tokens.SESSION) else "key"
            raise BadCredentials(f"This {what} is unknown, expired or revoked.", f"no such {what}")
        self.usage.note(actor.key_id)
        return actor

    def was_right(self, authorization: str) -> bool:
        """Whether this header named somebody lately, so that it is worth asking again without a wait."""
        token = authorization.strip().partition(" ")[2].strip()
        if self.identity is not None and _is_signed(token):
            return self.identity.was_right(token)
        return self.keys.was_right(token)

    async def _member(self, identity: IdentityTokens, token: str) -> Actor:
        """Whoever came with a token of the identity provider's."""
        try:
            return await identity.actor(token)
        except BadToken as error:
            raise BadCredentials(str(error), "no such person") from None


def _is_signed(token: str) -> bool:
    """Whether it may be a token of an identity provider's: none of our keys has a dot."""
    return "." in token
