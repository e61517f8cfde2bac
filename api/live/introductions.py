"""Finds the credentials in what a client says of itself when it opens a WebSocket, in each form that clients of the field use.

They stand in the payload itself (`graphql-ws`, Apollo), or among its `headers` (GraphiQL, Altair, Hasura's clients). What looks
like credentials and is none that we know is refused: whoever showed a key must not be taken for somebody without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_LIKE_CREDENTIALS: Final = re.compile(
    r"auth|token|secret|(api|access)[-_]?key|jwt|bearer|password|credential|cookie|session", re.IGNORECASE
)
_LIKE_A_KEY: Final = re.compile(r"\s*(bearer\s|e[ksl]_)", re.IGNORECASE)

NESTED_MAX: Final = 5
"""How deep credentials are looked for; clients put them one level deep at most."""


class Misunderstood(ValueError):
    """There are credentials, but not as we take them; the message says what would be right, short enough for a close frame."""


def authorization_of(payload: Mapping[str, Any]) -> str | None:
    """What an `Authorization` header would have said. Raises `Misunderstood`, rather than leaving credentials aside."""
    found = set()
    for where, said in (("payload", payload), *_headers(payload)):
        for name, value in said.items():
            if name.lower() == "authorization" and value is not None:
                if not isinstance(value, str):
                    raise Misunderstood(f"`{where}.authorization` must be a string such as “Bearer ek_…”.")
                found.add(value.strip())
    if len(found) > 1:
        raise Misunderstood("it has two different authorizations.")
    if not found:
        _refuse_others(payload)
    return found.pop() if found else None


def _headers(payload: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in payload.items():
        if name.lower() == "headers" and value is not None:
            if not isinstance(value, dict):
                raise Misunderstood("`payload.headers` must be an object with the authorization.")
            yield "payload.headers", value


def _refuse_others(payload: Mapping[str, Any]) -> None:
    """Refuse what looks like credentials, by its name or by its value."""
    for name, value in _values(payload, NESTED_MAX):
        if _LIKE_CREDENTIALS.search(name) or (isinstance(value, str) and _LIKE_A_KEY.match(value)):
            shown = name[:24].encode("ascii", "replace").decode()
            raise Misunderstood(f"`{shown}` is not understood; send `authorization`: “Bearer ek_…”.")


def _values(said: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in said.items():
        if isinstance(value, dict) and depth:
            yield from _values(value, depth - 1)
        elif value is not None:
            yield name, value
