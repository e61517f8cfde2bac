"""Keeps files that browsers load, with their tags and compressed; and of those that came from elsewhere the folder.

A file of that folder is read when it is first asked for, and again when it changed on the disk; it is given out only while its
content is the one that was pinned.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import brotli
from starlette.requests import Request
from starlette.responses import Response

from api.etags import is_known
from api.manual.shelf import Kept
from escrow.aside import aside

MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}

ASKED: Final = "no-cache"
"""A browser asks each time whether it still has the right one."""

FOR_GOOD: Final = "public, max-age=31536000, immutable"
"""What this address leads to never changes."""

BROTLI_BYTES_MAX: Final = 200_000
"""Beyond it finding the smallest form takes seconds of a core."""

_TAKEN: Final = {
    coding: re.compile(rf"(?:^|,)\s*{coding}\s*(?:;\s*q=(?:1(?:\.0*)?|0?\.\d*[1-9]\d*))?\s*(?:,|$)", re.IGNORECASE)
    for coding in ("br", "gzip")
}
"""How `Accept-Encoding` names what a browser takes, what is smallest first."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    plain: Kept
    compressed: Mapping[str, Kept]
    """By the name of the coding, what is smallest first."""
    media_type: str

    @classmethod
    def of(cls, body: bytes, suffix: str) -> Asset:
        """The file with this content, whose name ends so: compressed once, as well as can be."""
        compressed = {"br": brotli.compress(body)} if len(body) <= BROTLI_BYTES_MAX else {}
        compressed["gzip"] = gzip.compress(body, mtime=0)
        return cls(Kept.of(body), {coding: Kept.of(one) for coding, one in compressed.items()}, MEDIA_TYPES[suffix])


Stamp: TypeAlias = tuple[int, int, int]
"""By which a file is known to be as it was read: its inode, its time and its size."""


class Assets:
    """The files of one folder that are `pinned`, by SHA-256: only the right ones, and no others."""

    def __init__(self, folder: Path, *, pinned: Mapping[str, str]) -> None:
        self._folder = folder
        self._pinned = pinned
        self._kept: dict[str, tuple[Stamp, Asset | None]] = {}

    async def get(self, name: str) -> Asset | None:
        """The file of this name; `None` if there is none, or another than the one that was pinned."""
        if name not in self._pinned:
            return None
        path = self._folder / name
        stamp = stamp_of(path)
        if stamp is None:
            return None
        kept = self._kept.get(name)
        if kept is None or kept[0] != stamp:
            self._kept[name] = kept = (stamp, await aside(lambda: self._read(name, path), owner="assets"))
        return kept[1]

    def _read(self, name: str, path: Path) -> Asset | None:
        try:
            body = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(body).hexdigest() != self._pinned[name]:
            return None
        return Asset.of(body, path.suffix)


def sent(request: Request, asset: Asset, headers: Mapping[str, str], *, caching: str = ASKED) -> Response:
    """The file in the way that the browser takes it, or that the browser has it already."""
    coding = taken(request.headers.get("accept-encoding", ""), asset.compressed)
    kept = asset.compressed[coding] if coding is not None else asset.plain
    said = {**headers, "etag": kept.tag, "cache-control": caching, "vary": "Accept-Encoding"}
    if is_known(request.headers.get("if-none-match", ""), kept.tag):
        return Response(status_code=304, headers=said)
    if coding is not None:
        said["content-encoding"] = coding
    return Response(kept.body, headers=said, media_type=asset.media_type)


def taken(accepted: str, codings: Iterable[str]) -> str | None:
    """The first of the codings that `Accept-Encoding` names, and not as what isn't wanted; `None` if it names none."""
    return next((coding for coding in codings if _TAKEN[coding].search(accepted)), None)


def stamp_of(path: Path) -> Stamp | None:
    """By which it is known whether the file has changed; `None` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)
