"""An attachment: a file that lies elsewhere, by name and digest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that lies elsewhere: its name and the sha256 of its content in hexadecimal."""

    name: str
    sha256: str
