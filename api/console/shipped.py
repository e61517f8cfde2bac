"""Keeps the console's files as releases: all of them as they were at one moment, below an address of their content.

What a page loads of one release never mixes with another's, and a browser keeps it for good. A file that changes on the disk
makes another release; the last few that this process has known go on being answered. A script is sent line by line as it lies
there, without its comments and without the room before its lines: so a text of several lines must not mean anything by that.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.console.assets import MEDIA_TYPES, Asset, Stamp, stamp_of
from escrow.aside import aside

KEPT_MAX: Final = 3
"""Releases that a process remembers."""

NAME: Final = re.compile(r"[0-9a-f]{12}")
"""What a release is called; no folder of the console is."""

_COMMENT: Final = re.compile(r"^[ \t]*//[^\n]*$| // [^\n\"`]*$|/\*\*(?:(?!\*/).)*\*/ ?", re.MULTILINE | re.DOTALL)
"""A comment: a whole line or the end of one, and what says the type of something beside it. No text of ours holds its like."""

_ROOM: Final = re.compile(r"^[ \t]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Release:
    """All files of the console at one moment."""

    name: str
    bodies: dict[str, bytes]
    _assets: dict[str, Asset] = field(default_factory=dict)

    @classmethod
    def of(cls, bodies: dict[str, bytes]) -> Release:
        """The release that has these files, by their names."""
        digest = hashlib.sha256()
        for name, body in sorted(bodies.items()):
            digest.update(f"{name}\0{len(body)}\0".encode() + body)
        return cls(digest.hexdigest()[:12], bodies)

    async def get(self, name: str) -> Asset | None:
        """The file of this name as it is sent; `None` if there is none."""
        if name not in self.bodies:
            return None
        if name not in self._assets:
            self._assets[name] = await aside(lambda: self._sent(name), owner="assets")
        return self._assets[name]

    def _sent(self, name: str) -> Asset:
        body, suffix = self.bodies[name], Path(name).suffix
        return Asset.of(as_sent(body.decode()).encode() if suffix == ".js" else body, suffix)


class Releases:
    """The releases of one folder that a process has known."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: OrderedDict[str, Release] = OrderedDict()
        self._stamps: dict[str, Stamp] = {}
        self._latest: Release | None = None

    async def latest(self) -> Release:
        """What lies there now."""
        return await aside(self._look, owner="assets")

    async def get(self, name: str) -> Release | None:
        """The release of that name: one that was known before, or what lies there now."""
        return self._known.get(name) or (found if (found := await self.latest()).name == name else None)

    def _look(self) -> Release:
        paths = {path.relative_to(self._folder).as_posix(): path for path in _files(self._folder)}
        stamps = {name: stamp for name, path in paths.items() if (stamp := stamp_of(path)) is not None}
        if self._latest is None or stamps != self._stamps:
            release = Release.of({name: paths[name].read_bytes() for name in stamps})
            self._latest = self._known.setdefault(release.name, release)
            self._known.move_to_end(release.name)
            self._stamps = stamps
            while len(self._known) > KEPT_MAX:
                self._known.popitem(last=False)
        return self._latest


def as_sent(script: str) -> str:
    """The same script, line by line, without comments and without the room before lines."""
    return _ROOM.sub("", _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), script))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in MEDIA_TYPES]
