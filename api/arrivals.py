"""Reads one HTTP request as the server hands it over, without making objects of what nobody asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope

UNANNOUNCED_BYTES: Final = 64_000
"""How much of a body comes for nothing whose length wasn't announced, and how much is paid for at a time then."""


def first_headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by their names in lower case; of several with one name the first. They are read once for each request."""
    found: dict[bytes, bytes] | None = scope.get("first_headers")
    if found is None:
        raw: Sequence[tuple[bytes, bytes]] = scope["headers"]
        scope["first_headers"] = found = dict(reversed(raw))
    return found


def address_of(scope: Scope) -> str:
    """The other side's address, as the server knows it; empty where it knows nothing."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def path_of(scope: Scope) -> str:
    """The path as the routes know it: where the application is mounted below another, without that one's."""
    path, root = str(scope.get("path", "")), str(scope.get("root_path", ""))
    return path.removeprefix(root) if root else path


class Gone(Exception):
    """The client has gone before it had said what it wanted."""


class Arrival:
    """One request; `method` in capital letters."""

    __slots__ = ("_headers", "_receive", "_scope", "address", "announced_bytes", "method")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: Final[str] = scope["method"]
        self._headers = first_headers(scope)
        self._scope = scope
        self._receive = receive
        self.address: Final = address_of(scope)
        """Where it comes from, as the server knows it; empty where it knows nothing."""
        length = self._headers.get(b"content-length", b"")
        self.announced_bytes: Final = int(length) if length.isdigit() else 0
        """How long the body is to be; 0 where that isn't said."""

    def header(self, name: bytes) -> str | None:
        """The header of this name, which is in lower case; `None` if there is none."""
        value = self._headers.get(name)
        return value.decode("latin-1") if value is not None else None

    def named(self, name: str) -> str | None:
        """The same by a name as text."""
        return self.header(name.encode("latin-1"))

    @property
    def query_parameters(self) -> list[tuple[str, str]]:
        """What stands behind the path, in order; names may come again."""
        return QueryParams(self._scope["query_string"]).multi_items()

    @property
    def count_of_parameters(self) -> int:
        """How many parameters stand behind the path, at most; to find that out costs next to nothing."""
        said: bytes = self._scope["query_string"]
        return said.count(b"&") + said.count(b";") + 1

    @property
    def query_bytes(self) -> int:
        """How long that is."""
        return len(self._scope["query_string"])

    async def body(self, bytes_max: int, pay: Callable[[int], Awaitable[None]] | None = None) -> bytes | None:
        """The whole body; `None` if it is longer: then no more of it than that is read. Raises `Gone` if it stops half way.

        What was not announced is paid for by `pay`, `UNANNOUNCED_BYTES` at a time; what that raises goes on.
        """
        chunks, size, more = [], 0, True
        paid = max(self.announced_bytes, UNANNOUNCED_BYTES)
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > bytes_max:
                return None
            while size > paid and pay is not None:
                paid += UNANNOUNCED_BYTES
                await pay(UNANNOUNCED_BYTES)
            chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks)
