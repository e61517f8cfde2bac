"""Reads domain time and real time from PostgreSQL, and says which is for what.

Deadlines run on domain time: PostgreSQL's clock plus the offset of the test clock, which only a sandbox can move. Leases,
retries, keys and the payment provider run on real time. No host's clock decides anything.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow import database
from escrow.settings import SettingError

NOW_SQL: Final = "(SELECT clock_timestamp() + clock_offset FROM deployment WHERE id = 1)"
"""Domain time as SQL: a sub-select, so that a statement asks once and compares an index with it."""


async def now() -> datetime:
    """Domain time."""
    at: datetime = await database.fetch_value(f"SELECT {NOW_SQL}")
    return at


async def check_real(*, sandbox: bool) -> None:
    """Refuse, with `SettingError`, to work outside of a sandbox on a database whose time a test clock has moved.

    A database that wasn't migrated yet has no clock to be moved.
    """
    if sandbox or await database.fetch_value("SELECT to_regclass('deployment') IS NULL"):
        return
    if await database.fetch_value("SELECT clock_offset <> interval '0' FROM deployment WHERE id = 1"):
        raise SettingError(
            "EARNEST_SANDBOX",
            "is off, but a test clock has moved the time of this database; real money needs a new one",
        )
