"""Small files that are whole whatever happens: written aside, flushed to the disk, then put in their place."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put the text in the place of whatever the file held: after a crash it holds one or the other."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read_or(path: Path, otherwise: str) -> str:
    """The text of the file, or another where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return otherwise
