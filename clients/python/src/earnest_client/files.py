"""Small files that are whole whatever happens: written aside, flushed to the disk, then put in their place,
which is flushed too."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Final

CANNOT_BE_FLUSHED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EISDIR, errno.EINVAL, errno.ENOTSUP})
"""What systems say that can't open a folder, as Windows, or can't flush one, as some file systems."""


ONE_BY_ONE: Final = threading.Lock()
"""Taken in the thread that writes, by whoever changes a file: a task that is cancelled leaves its thread writing, and the next
one must neither write into the same file aside nor be overwritten by what is older."""


def write_whole(path: Path, text: str) -> None:
    """Put the text in the place of whatever the file held: after a crash it holds one or the other."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    _keep_names_of(path.parent)


def _keep_names_of(folder: Path) -> None:
    """Flush what a folder's files are called, since a file's own flush doesn't; where folders can't be flushed, nothing."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as refusal:
        if refusal.errno not in CANNOT_BE_FLUSHED:
            raise


def read_or(path: Path, otherwise: str) -> str:
    """The text of the file, or another where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return otherwise
