"""Asks an HTTP API for JSON, and says in one line what went wrong, and whether it is of any use to ask again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from connectors.port import NotDone, ToolError, ToolRefused

ANSWER_SECONDS: Final = 30.0
ANSWER_BYTES_MAX: Final = 20_000_000
SAID_CHARACTERS_MAX: Final = 200

_NOT_YET: Final = frozenset({425, 429})
"""It came too early, and wasn't looked at."""
_AGAIN: Final = 408
"""Beside all from 500 on: the same request may succeed later, and may have been carried out."""


class Calls:
    """Requests to one address with the same headers. Redirects are not followed: a token goes where it was meant for."""

    def __init__(self, base: str, headers: Mapping[str, str], *, who: str) -> None:
        self._base = base.rstrip("/")
        self._headers = {"accept": "application/json", "user-agent": "earnest", **headers}
        self._who = who
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, method: str, path: str, body: object = None, *, missing_is_none: bool = False) -> Any:
        """The JSON of an answer; None for an empty one. Raises `ToolError`, and `ToolRefused` if it is of no use again."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        try:
            async with self._session.request(method, self._base + path, json=body, allow_redirects=False) as answer:
                text = await _all_of(answer.content)
                if missing_is_none and answer.status == 404:
                    return None
                if not 200 <= answer.status < 300:
                    self._raise(answer.status, text.decode(errors="replace"))
                return json.loads(text) if text.strip() else None
        except aiohttp.ClientConnectorError as error:
            raise NotDone(f"{self._who} can't be reached: {error}") from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ToolError(f"{self._who} gave no answer: {str(error) or type(error).__name__}") from error

    def _raise(self, status: int, text: str) -> None:
        said = " ".join(text.split())[:SAID_CHARACTERS_MAX]
        kind = ToolError if status >= 500 or status == _AGAIN else ToolRefused
        if status in _NOT_YET or (status == 403 and "rate limit" in said.lower()):
            kind = NotDone
        raise kind(f"{self._who} answered {status}: {said}")

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _all_of(content: aiohttp.StreamReader) -> bytes:
    """The whole body, as far as anybody needs."""
    parts, length = [], 0
    async for part in content.iter_any():
        parts.append(part)
        length += len(part)
        if length > ANSWER_BYTES_MAX:
            raise ValueError(f"more than {ANSWER_BYTES_MAX:,} bytes")
    return b"".join(parts)
