"""Looks at the machine: Python, files that may be open, and room on the disk."""

from __future__ import annotations

import resource
import shutil
import sys
from pathlib import Path
from typing import Final

from earnest.doctor.findings import Finding, fine, odd, wrong
from escrow.settings import Settings

PYTHON_MIN: Final = (3, 11)
PYTHON_TESTED_MAX: Final = (3, 14)
"""The newest that was tried; docs/installing.md says by how many tests."""

FILES_BESIDE: Final = 200
"""What a process opens beside its connections: code, logs, the pool, streams between its parts."""


def python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> list[Finding]:
    """Whether this Python is one that was tried."""
    said = ".".join(map(str, version))
    tried = f"{_dotted(PYTHON_MIN)} to {_dotted(PYTHON_TESTED_MAX)}"
    if version < PYTHON_MIN:
        return [wrong("Python", f"{said} is too old", f"install one of {tried}")]
    if version[:2] > PYTHON_TESTED_MAX:
        return [odd("Python", f"{said} is newer than any that was tried", f"prefer one of {tried}")]
    return [fine("Python", said)]


def open_files(settings: Settings) -> list[Finding]:
    """Whether a web process may open as many files as it may have connections; it raises its own limit up to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.connections_max + FILES_BESIDE
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return [fine("open files", "as many as there may be connections")]
    return [
        odd(
            "open files",
            f"a process may open {hard}, and EARNEST_CONNECTIONS_MAX={settings.connections_max} needs {needed}",
            f"raise it (LimitNOFILE={needed}, ulimits.nofile), or set EARNEST_CONNECTIONS_MAX to {max(hard - FILES_BESIDE, 1)}",
        )
    ]


def disk(folder: Path, *, free_min_bytes: int) -> list[Finding]:
    """Whether there is room where the folder lies. The disk of a PostgreSQL elsewhere can't be seen from here."""
    usage = shutil.disk_usage(folder)
    said = f"{_gigabytes(usage.free)} of {_gigabytes(usage.total)} are free at {folder}"
    if usage.free < free_min_bytes:
        remedy = f"make room until {_gigabytes(free_min_bytes)} are free: PostgreSQL stops when a disk is full"
        return [wrong("disk", said, remedy)]
    return [fine("disk", said)]


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
