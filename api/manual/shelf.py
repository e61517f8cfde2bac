"""Keeps what was made once, up to so many bytes; whoever asks for what is being made waits for that."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from api.etags import tag_of

KEPT_BYTES_MAX: Final = 16_000_000
"""Several times what all pages have."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A body with its tag."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, body: bytes) -> Kept:
        """The body with the tag that follows from it."""
        return cls(body, tag_of(body))


class Shelf:
    """The bodies that were made last, by address."""

    def __init__(self, *, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._making: dict[str, asyncio.Task[Kept]] = {}
        self._bytes = 0

    def get(self, address: str) -> Kept | None:
        """What is kept for this address."""
        found = self._kept.get(address)
        if found is not None:
            self._kept.move_to_end(address)
        return found

    async def make(self, address: str, make: Callable[[], Awaitable[bytes]]) -> Kept:
        """What `make` gives, which is kept then; it is made once for all who ask meanwhile, also if one of them leaves."""
        making = self._making.get(address)
        if making is None:
            self._making[address] = making = asyncio.ensure_future(self._make(address, make))
            making.add_done_callback(lambda _: self._making.pop(address))
        return await asyncio.shield(making)

    async def _make(self, address: str, make: Callable[[], Awaitable[bytes]]) -> Kept:
        self._kept[address] = kept = Kept.of(await make())
        self._bytes += len(kept.body)
        while self._bytes > self._bytes_max and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)
        return kept
