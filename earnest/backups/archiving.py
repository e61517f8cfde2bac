"""Has the embedded PostgreSQL hand on what it writes, for which `EARNEST_BACKUPS` names a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from earnest.backups import cluster, taking
from earnest.backups.restoring import keep_command
from earnest.backups.taking import WAL
from earnest.engines.postgres import choose_user, give_to

BACKUPS: Final = "EARNEST_BACKUPS"

LATE_SECONDS_MAX: Final = 60
"""How long what was committed may wait for being handed on, since a file of the log is filled first, or this has passed."""


def settings(data: Path) -> dict[str, str]:
    """What the server over this data folder is told; nothing if nobody asked for it."""
    backups = named(os.environ)
    return settings_for(backups, data) if backups is not None else {}


def named(environ: Mapping[str, str]) -> Path | None:
    """The folder of backups; `None` if nobody asked for any."""
    name = environ.get(BACKUPS, "").strip()
    return Path(name).absolute() if name else None


def settings_for(backups: Path, data: Path) -> dict[str, str]:
    """The same for a folder that is known; makes it. Refuses with `CannotStart` one that has another cluster's backups."""
    cluster.check_is_of(backups, cluster.of_data(data), f"that in {data}")
    open_to_server(backups, data)
    return {
        "archive_mode": "on",
        "archive_command": keep_command(backups / WAL),
        "archive_timeout": f"{LATE_SECONDS_MAX}s",
    }


def open_to_server(backups: Path, data: Path) -> None:
    """Make the folder of the log, if there is none, and let the server over `data` read and write in it."""
    taking.make_folder(backups)
    user = choose_user(data)
    if user is not None:
        backups.chmod(0o711)
        give_to(backups / WAL, user)
