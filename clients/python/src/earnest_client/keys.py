"""Idempotency keys that are made once for each intention and kept, so that a retry after a crash is the same request.

An intention is what your program means to do, in words of its own: `"fund milestone 3 of order 1841"`. Its key is kept
*before* the request leaves; whoever means the same again, in this process or the next, sends the same key, and the service
does it once.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Protocol

from earnest_client.files import ONE_BY_ONE, read_or, write_whole


def new_key() -> str:
    """A key for what is meant once, here and now: it covers the retries of the client, and no crash."""
    return uuid.uuid4().hex


class KeyStore(Protocol):
    """Where keys are kept by their intention: a table of yours, for one."""

    async def key_of(self, intention: str, proposed: str) -> str:
        """The key that is kept for it; if there is none, `proposed` is kept first. Two who ask at once get the same."""

    async def forget(self, intention: str) -> None:
        """Keep it no longer; one that isn't kept is no error."""


class MemoryKeys:
    """Keys of this process, forgotten with it."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    async def key_of(self, intention: str, proposed: str) -> str:
        """The key of an intention."""
        return self._keys.setdefault(intention, proposed)

    async def forget(self, intention: str) -> None:
        """Keep it no longer."""
        self._keys.pop(intention, None)


class FileKeys:
    """Keys in one JSON file of one process; it is written whole each time, so let it be short: forget what is done."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    async def key_of(self, intention: str, proposed: str) -> str:
        """The key of an intention, on the disk before this returns."""
        return await asyncio.to_thread(self._key_of, intention, proposed)

    async def forget(self, intention: str) -> None:
        """Keep it no longer."""
        await asyncio.to_thread(self._forget, intention)

    def _key_of(self, intention: str, proposed: str) -> str:
        with ONE_BY_ONE:
            keys = self._keys()
            if intention not in keys:
                keys[intention] = proposed
                write_whole(self._path, json.dumps(keys))
            return keys[intention]

    def _forget(self, intention: str) -> None:
        with ONE_BY_ONE:
            keys = self._keys()
            if keys.pop(intention, None) is not None:
                write_whole(self._path, json.dumps(keys))

    def _keys(self) -> dict[str, str]:
        keys: dict[str, str] = json.loads(read_or(self._path, "{}"))
        return keys


class Keys:
    """Gives each intention its key."""

    def __init__(self, store: KeyStore | None = None) -> None:
        self._store = store or MemoryKeys()

    async def of(self, intention: str) -> str:
        """The key to send with what is meant; the same whenever the same is meant, until it is done."""
        return await self._store.key_of(intention, new_key())

    async def done(self, intention: str) -> None:
        """Say that the result was written down, so that nobody will ask for the same again."""
        await self._store.forget(intention)
